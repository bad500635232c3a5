// SPDX-License-Identifier: Apache-2.0
//
// The settings of one group (config resource GROUP): what was set for it, within the broker's bounds for
// such settings, or else the broker's own.
#pragma once

#include <stdint.h>

#include "base/bytes.h"

struct groups;

// `name` as the group's key is called: "consumer.session.timeout.ms". It must be one that is known here.
int32_t group_config_i32(const struct groups *g, struct str group_id, const char *name);
