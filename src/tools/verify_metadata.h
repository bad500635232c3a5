// SPDX-License-Identifier: Apache-2.0
//
// What `chitin log verify` knows of metadata: whether the quorum's files in a log directory can be read
// and agree, and which topic ids the metadata gives to the partitions.
#pragma once

#include "log/verify.h"

struct metadata_image;

// Checks `<dir>/__cluster_metadata-0`: quorum-state, each snapshot, the records behind the newest good
// one. *out is a reference to what they add up to, or NULL when that cannot be known (or nothing is
// there: *found_log false). ERR_IO.
int verify_metadata(const struct verify_args *args, const struct metadata_image **out, bool *found_log);
