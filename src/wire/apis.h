// SPDX-License-Identifier: Apache-2.0
//
// What Kafka 4.4 knows of each API key: the table behind ApiVersions, request parsing and
// dispatch. The keys are generated from wire/schema/api. FROZEN. A few APIs are our own; their keys,
// from API_OWN_FIRST on, are told to our own clients alone.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "wire/api_keys.h" // generated: enum api_key { API_PRODUCE = 0, ... }, API_KEY_MAX, API_OWN_*
#include "wire/wire.h"

enum api_listeners {
    API_ON_BROKER = 1,
    API_ON_CONTROLLER = 2,
};

struct api {
    int16_t key;
    const char *name;            // "Produce"
    int16_t version_min;         // served and advertised; version_min > version_max: removed in 4.0
    int16_t version_max;
    int16_t version_unstable;    // a newer version that exists but is not advertised, or -1
    int16_t flexible_since;      // INT16_MAX: never
    uint8_t listeners;           // enum api_listeners
    bool cluster_action;         // for other nodes only
    bool forwarded;              // a broker hands it to the controller
    const struct wire_schema *request;  // NULL when removed
    const struct wire_schema *response;
};

// The entry of a key; NULL for keys that do not exist.
const struct api *api_find(int32_t key);

// By its name, without regard to case; NULL if there is none.
const struct api *api_find_name(struct str name);

// A number for each key that exists, ours behind Kafka's, to index tables by; -1 for others.
enum { API_SLOT_COUNT = API_KEY_MAX + 1 + API_OWN_MAX - API_OWN_FIRST + 1 };
int api_slot(int32_t key);

static inline bool api_is_own(int32_t key)
{
    return key >= API_OWN_FIRST;
}

// Kafka's entries by rising key.
const struct api *api_table(int *count);

// Does this version exist and is it advertised?
static inline bool api_has_version(const struct api *api, int16_t version)
{
    return version >= api->version_min && version <= api->version_max;
}

// The least version that ApiVersions states: version_min, but 0 for Produce, because clients with
// librdkafka before 2.8 turn compression off otherwise (KAFKA-18659). Versions 0 to 2 are
// not served nevertheless.
static inline int16_t api_advertised_min(const struct api *api)
{
    return api->key == API_PRODUCE ? 0 : api->version_min;
}

// Header versions (KIP-482): request 1, or 2 when flexible; response 0, or 1 when flexible,
// but always 0 for ApiVersions, so that a client can read the answer to a version unknown here.
int16_t api_request_header_version(int32_t key, int16_t version);
int16_t api_response_header_version(int32_t key, int16_t version);
