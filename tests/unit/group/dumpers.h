// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "fixture.h"

void dump_classic(const struct group *group, struct buf *out);
