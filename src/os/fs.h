// SPDX-License-Identifier: Apache-2.0
//
// env/fs.h on Linux. Stateless, so any number of shards may share one. The lock is an
// open-file-description lock: it excludes the POSIX lock that other programs (Apache Kafka on the same
// directory) take, and does not vanish when another descriptor of the file is closed.
#pragma once

#include "env/fs.h"

struct os_fs {
    struct env_fs fs;
};

void os_fs_init(struct os_fs *fs);

// The descriptor behind a file that os_fs opened; it stays the file's.
int os_file_descriptor(struct fs_file *file);
