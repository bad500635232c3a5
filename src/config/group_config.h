// SPDX-License-Identifier: Apache-2.0
//
// The settings of one group (config resource GROUP): what was set for it, within the broker's bounds for
// such settings, or else the broker's own.
#pragma once

#include <stdint.h>

#include "base/diag.h"
#include "base/properties.h"

struct config;

// Whether a group may have these settings: ERR_INVALID with Kafka's words.
int group_config_validate(const struct config *c, const struct properties *values, struct diag *diag);

// The value that holds for a group with these settings (NULL: none), of a key of type INT that has a
// broker key for its default. The bounds may have changed since it was set: they hold.
int32_t group_config_i32(const struct config *c, const struct properties *values, const char *name);
int64_t group_config_i64(const struct config *c, const struct properties *values, const char *name); // LONG
