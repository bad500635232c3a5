// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dump.h"

void dump_classic(const struct group *group, struct buf *out);
void dump_consumer(const struct group *group, struct buf *out);
void dump_streams(const struct group *group, struct buf *out);
void dump_offsets(const struct group *group, struct buf *out);
