// SPDX-License-Identifier: Apache-2.0
//
// A request to the coordinator of a group or of a transactional id, for what is built on groups.h and
// transactions.h.
#pragma once

#include <stdint.h>

#include "client/topology.h"
#include "tools/admin.h"
#include "tools/driver.h"

enum { GROUP_INFO_MEMORY_MAX = 256 << 20 }; // of what is told of a group, beside the answer

struct groups_request {
    int16_t api_key;
    int16_t version_min;
    int16_t version_max;
    struct str group_id; // or the transactional id
    const void *body;
    // Says what the answer says of the whole request: an error here that passes is tried again.
    void (*read)(const struct client_answer *answer, struct admin_result *result);
    int8_t key_type; // whose coordinator: 0 of a group, 1 of a transactional id
};

// Finds the coordinator (*node) and asks it. 0 with the result; *answer is there unless the result
// is an error of the search; or a negative error.
int groups_call(struct driver *d, const struct groups_request *request, int32_t *node,
                struct client_answer *answer, struct admin_result *result);

void groups_result(struct admin_result *out, int16_t code, struct str message);

static inline const struct topology *topology_of(struct driver *d)
{
    return client_topology(driver_client(d));
}
