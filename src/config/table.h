// SPDX-License-Identifier: Apache-2.0
//
// The shape of the generated table; private to this folder. Strings are offsets into one blob, so
// that the whole of it is constant data that the system shares and loads page by page.
#pragma once

#include <stdint.h>

#include "config/keys.h"

enum config_check_kind {
    CHECK_NONE,
    CHECK_RANGE,              // low <= value <= high
    CHECK_RANGE_OR_MINUS_ONE, // the same, or -1
    CHECK_SET,                // one of the words in `valid`; for a list each item
    CHECK_SET_NOCASE,
    CHECK_NONEMPTY, // for a list each item
    CHECK_REPLICAS, // "*" or partition:broker pairs
};

enum { FLAG_INTERNAL = 1, FLAG_OWN = 2, FLAG_LISTENER = 4, FLAG_RESTART = 8 };

#define CONFIG_STRING_NONE UINT32_MAX

struct config_key {
    uint32_t name; // offsets in config_strings, or CONFIG_STRING_NONE
    uint32_t default_value;
    uint32_t valid;
    uint32_t doc;
    uint32_t reason;
    uint32_t broker_default;
    double low;
    double high;
    uint8_t type; // enum config_type, and so on
    uint8_t mode;
    uint8_t treatment;
    uint8_t check;
    uint8_t importance; // high 0, medium 1, low 2
    uint8_t flags;
    uint8_t scope;
};

struct config_removed {
    uint32_t name;
    uint32_t release;
};

extern const char config_strings[];
extern const struct config_key config_keys[]; // by name: broker keys, topic keys, group keys
extern const int config_broker_key_count;
extern const int config_topic_key_count;
extern const int config_group_key_count;
extern const struct config_removed config_removed_keys[]; // by name
extern const int config_removed_count;
