// SPDX-License-Identifier: Apache-2.0
//
// The task assignors by name, and the numbers of tasks.
#include "group/streams_assign.h"

#include <stddef.h>

int32_t streams_assign_number(struct streams_assign_subtopology *subtopologies, int32_t count)
{
    int32_t total = 0;
    for (int32_t i = 0; i < count; i++) {
        subtopologies[i].first = total;
        total += subtopologies[i].task_count;
    }
    return total;
}

const struct streams_assignor *streams_assignor_find(struct str name)
{
    static const struct streams_assignor all[] = {
        {"sticky", streams_assign_sticky},
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (str_is(name, all[i].name))
            return &all[i];
    return NULL;
}
