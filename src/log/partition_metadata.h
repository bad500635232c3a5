// SPDX-License-Identifier: Apache-2.0
//
// `partition.metadata`: which topic a partition directory belongs to (KIP-516).
// FROZEN: "version: 0\ntopic_id: <22 characters>", without a newline at the end.
#pragma once

#include <stdbool.h>

#include "base/diag.h"
#include "base/uuid.h"
#include "env/fs.h"

#define PARTITION_METADATA_FILE "partition.metadata"

// ERR_NOT_FOUND; ERR_CORRUPT with words; ERR_UNSUPPORTED for another version.
int partition_metadata_read(struct env_fs *fs, const char *dir, struct uuid *topic_id,
                            struct diag *diag);
int partition_metadata_parse(struct str text, struct uuid *topic_id, struct diag *diag);
int partition_metadata_write(struct env_fs *fs, const char *dir, struct uuid topic_id, bool sync);

// True if the ids differ in a character or two: then they are one id, damaged, since nobody draws such a
// pair by chance.
bool topic_id_is_nearly(struct uuid a, struct uuid b);
