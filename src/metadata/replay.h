// SPDX-License-Identifier: Apache-2.0
//
// The one place where metadata changes: a record is replayed into an image that nobody else sees
// yet. Records come from the log, from a snapshot, or from a command of the controller; all take
// this way.
//
// A record that cannot be right - of an unknown type or version, for a topic that is not there, with
// a feature level beyond ours - is an error and never skipped: an image that left something out
// would be wrong for ever after. A failed replay leaves the image as it was.
//
// While an image is replayed into, what readers got from it is good until the next replay only.
#pragma once

#include <stdint.h>

#include "base/bytes.h"
#include "base/diag.h"
#include "metadata/image.h"

// Replays one record: `value` is the record's value with its frame, `offset` the record's offset (of
// records in a snapshot: the last offset that the snapshot contains). ERR_CORRUPT, or
// ERR_UNSUPPORTED for what a later release wrote, with words. BeginTransaction, EndTransaction and
// AbortTransaction are the loader's and change nothing here.
int metadata_replay(struct metadata_image *image, struct bytes value, int64_t offset,
                    struct diag *diag);

// Says that the image now contains everything up to this offset.
void metadata_image_advance(struct metadata_image *image, int64_t offset, int32_t epoch);

// To be asked where records may be cut: at the end of a batch, of a snapshot. ERR_CORRUPT with words
// when a topic has partitions missing.
int metadata_image_check(const struct metadata_image *image, struct diag *diag);
