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

void fixture_dump(struct groups *g, struct buf *out)
{
    size_t count = 0;
    const struct group **all = mem_alloc_array(g->by_id.count + 1, sizeof(*all));
    for (struct group *group = NULL; (group = groups_next(g, group)) != NULL;)
        all[count++] = group;
    qsort(all, count, sizeof(*all), compare_ids);
    for (size_t i = 0; i < count; i++) {
        buf_printf(out, "group %s: %s\n", all[i]->id, group_kind_type(all[i]->kind)->name);
        if (fixture_dumpers[all[i]->kind] != NULL)
            fixture_dumpers[all[i]->kind](all[i], out);
        if (fixture_offsets_dumper != NULL)
            fixture_offsets_dumper(all[i], out);
    }
    mem_free(all);
}
