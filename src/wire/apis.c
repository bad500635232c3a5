// SPDX-License-Identifier: Apache-2.0
#include "wire/apis.h"

#include <stddef.h>

// Generated; an entry without a name is a key that never existed.
extern const struct api wire_api_entries[API_KEY_MAX + 1];
extern const struct api wire_own_api_entries[API_OWN_MAX - API_OWN_FIRST + 1];

const struct api *api_find(int32_t key)
{
    if (key >= API_OWN_FIRST && key <= API_OWN_MAX)
        return &wire_own_api_entries[key - API_OWN_FIRST];
    if (key < 0 || key > API_KEY_MAX || wire_api_entries[key].name == NULL)
        return NULL;
    return &wire_api_entries[key];
}

const struct api *api_find_name(struct str name)
{
    for (int key = 0; key <= API_KEY_MAX; key++) {
        const struct api *api = api_find(key);
        if (api != NULL && str_equal_nocase(name, str_from(api->name)))
            return api;
    }
    for (int key = API_OWN_FIRST; key <= API_OWN_MAX; key++)
        if (str_equal_nocase(name, str_from(api_find(key)->name)))
            return api_find(key);
    return NULL;
}

int api_slot(int32_t key)
{
    if (key >= API_OWN_FIRST && key <= API_OWN_MAX)
        return API_KEY_MAX + 1 + (key - API_OWN_FIRST);
    return key >= 0 && key <= API_KEY_MAX ? key : -1;
}

const struct api *api_table(int *count)
{
    *count = API_KEY_MAX + 1;
    return wire_api_entries;
}

static bool is_flexible(int32_t key, int16_t version)
{
    const struct api *api = api_find(key);
    return api != NULL && version >= api->flexible_since;
}

int16_t api_request_header_version(int32_t key, int16_t version)
{
    return is_flexible(key, version) ? 2 : 1;
}

int16_t api_response_header_version(int32_t key, int16_t version)
{
    return key != API_API_VERSIONS && is_flexible(key, version) ? 1 : 0;
}
