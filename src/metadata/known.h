// SPDX-License-Identifier: Apache-2.0
//
// Whether this release can work with what a metadata log says, without replaying it: every record of
// a type and version that it knows, every feature at a level that it supports. Asked before anything
// in a directory is changed, so that a start that must be refused leaves no trace.
#pragma once

#include "base/bytes.h"
#include "base/diag.h"
#include "wire/batch.h"

// Looks at each record of one whole batch (a snapshot's or the log's) whose CRC is right.
// ERR_UNSUPPORTED with words that name the record or the feature and what to do. Bytes that cannot be
// read are passed over: the loader tells of damage, with its place.
int metadata_batch_known(const struct batch_header *header, struct bytes batch, struct diag *diag);
