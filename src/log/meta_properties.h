// SPDX-License-Identifier: Apache-2.0
//
// `meta.properties`, who a log directory belongs to.
// FROZEN: Java properties; version 0 has broker.id and perhaps cluster.id; version 1 has cluster.id,
// node.id and (from 3.7 on) directory.id.
#pragma once

#include "base/buf.h"
#include "base/properties.h"
#include "log/dir.h"

// The strings in *out are views into *p. ERR_CORRUPT with words in diag; ERR_UNSUPPORTED for a version
// above 1.
int meta_properties_read(const struct properties *p, struct log_dir_meta *out, struct diag *diag);

// Sets the keys of version 1 and takes those of version 0 away; others stay.
void meta_properties_format(const struct properties *old, int32_t node_id, struct str cluster_id,
                            struct uuid directory_id, struct buf *out);
