// SPDX-License-Identifier: Apache-2.0
#include "dump.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static int compare_ids(const void *a, const void *b)
{
    const struct group *const *x = a, *const *y = b;
    return strcmp((*x)->id, (*y)->id);
}

// While a classic group rebalances it is ahead of its newest record.
static bool is_ahead_of_log(struct groups *g, const char *id)
{
    const struct group *group = groups_find(g, str_from(id));
    return group != NULL && group->kind == GROUP_CLASSIC &&
           strstr(group_state_name(group), "Rebalance") != NULL;
}

void fixture_dump_beside(struct groups *g, struct groups *live, struct buf *out)
{
    size_t count = 0;
    const struct group **all = mem_alloc_array(g->by_id.count + 1, sizeof(*all));
    for (struct group *group = NULL; (group = groups_next(g, group)) != NULL;)
        all[count++] = group;
    qsort(all, count, sizeof(*all), compare_ids);
    for (size_t i = 0; i < count; i++) {
        buf_printf(out, "group %s: %s\n", all[i]->id, group_kind_type(all[i]->kind)->name);
        if (fixture_dumpers[all[i]->kind] != NULL && !is_ahead_of_log(live, all[i]->id))
            fixture_dumpers[all[i]->kind](all[i], out);
        if (fixture_offsets_dumper != NULL)
            fixture_offsets_dumper(all[i], out);
    }
    mem_free(all);
}

void fixture_dump(struct groups *g, struct buf *out)
{
    fixture_dump_beside(g, g, out);
}
