// SPDX-License-Identifier: Apache-2.0
//
// The first look at a directory that another release, or Apache Kafka, has written: only reads.
#pragma once

#include "base/diag.h"

struct env_fs;

// Whether this release knows everything in the metadata log below `log_dir`: the newest snapshot (or
// the bootstrap snapshot) and the batches behind it. ERR_UNSUPPORTED with words. What is damaged or
// missing is no matter here: opening the log tells. Blocks.
int known_metadata_check(struct env_fs *fs, const char *log_dir, struct diag *diag);
