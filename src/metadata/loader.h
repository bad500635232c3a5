// SPDX-License-Identifier: Apache-2.0
//
// Turns snapshots and committed batches of the metadata log into images. What belongs to one
// metadata transaction (KIP-868) appears at once, at its end, or never.
//
// What a metadata batch may look like is FROZEN by Kafka's own reader: magic 2, no compression, no
// producer, no headers, null keys, timestamp delta 0. Anything else is ERR_CORRUPT.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/diag.h"
#include "metadata/image.h"

struct metadata_loader;

// Starts with an image of nothing.
struct metadata_loader *metadata_loader_new(void);
void metadata_loader_free(struct metadata_loader *l);

// Replaces everything by the snapshot whose whole file is `data`; `end_offset` and `epoch` are those
// of its name. Checks each batch's CRC, the header and the footer. On an error (with words) the
// loader is as before.
int metadata_loader_snapshot(struct metadata_loader *l, struct bytes data, int64_t end_offset,
                             int32_t epoch, struct diag *diag);

// Takes the next committed batches: any number of whole ones, the first of which begins where the
// last call ended (or covers it: records below are skipped). Control batches are passed over. On an
// error, with words that name the offset, the loader stays at the last good batch and takes nothing
// more: the metadata of this node cannot be known.
int metadata_loader_batches(struct metadata_loader *l, struct bytes data, struct diag *diag);

// The newest complete image, borrowed; valid until the next call that takes batches. Its offset is
// the last one that was handed over, control records included, or the one before an open
// transaction.
const struct metadata_image *metadata_loader_image(const struct metadata_loader *l);

// The offset after the last record that was handed over.
int64_t metadata_loader_next_offset(const struct metadata_loader *l);

// True between BeginTransaction and its end. A controller that begins to lead then appends an
// AbortTransaction record first (controller_activate does).
bool metadata_loader_in_transaction(const struct metadata_loader *l);
