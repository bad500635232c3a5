// SPDX-License-Identifier: Apache-2.0
//
// Whether a directory without meta.properties may be formatted.
#pragma once

#include <stdbool.h>

struct env_fs;

// True if nothing is in it but the lock, lost+found, and what a formatting leaves that was interrupted
// before meta.properties, its last file: that is done again, over it.
bool blank_dir(struct env_fs *fs, const char *path);
