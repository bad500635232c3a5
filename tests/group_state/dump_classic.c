// SPDX-License-Identifier: Apache-2.0
#include "dumpers.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "group/classic.h"

static void dump_bytes(struct buf *out, const char *name, struct bytes b)
{
    buf_printf(out, " %s ", name);
    for (size_t i = 0; i < b.size; i++)
        buf_printf(out, "%02x", b.data[i]);
}

static int compare_ids(const void *a, const void *b)
{
    const struct classic_member *const *x = a, *const *y = b;
    return str_compare((*x)->id, (*y)->id);
}

static void dump_member(const struct classic_group *cg, const struct classic_member *m, struct buf *out)
{
    buf_printf(out, "  member %.*s instance %s%.*s client %.*s %.*s timeouts %d %d", STR_ARG(m->id),
               m->instance_id.data == NULL ? "none" : "", STR_ARG(m->instance_id), STR_ARG(m->client_id),
               STR_ARG(m->client_host), m->session_timeout_ms, m->rebalance_timeout_ms);
    dump_bytes(out, "subscription", classic_metadata(m, cg->protocol_name));
    dump_bytes(out, "assignment", m->assignment);
    buf_printf(out, "\n");
}

static const struct classic_member **sorted(const struct classic_group *cg)
{
    const struct classic_member **all = mem_alloc_array((size_t)classic_member_count(cg) + 1, sizeof(*all));
    size_t count = 0;
    for (struct classic_member *m = NULL; (m = classic_next_member(cg, m)) != NULL;)
        all[count++] = m;
    qsort(all, count, sizeof(*all), compare_ids);
    return all;
}

void dump_classic(const struct group *group, struct buf *out)
{
    const struct classic_group *cg = group->classic;
    buf_printf(out, "  stored %d\n", cg->is_stored);
    buf_printf(out, "  %s generation %d type %s protocol %s leader %.*s since %" PRId64 "\n",
               group_state_name(group), cg->generation, cg->protocol_type != NULL ? cg->protocol_type : "none",
               cg->protocol_name != NULL ? cg->protocol_name : "none",
               STR_ARG(cg->leader != NULL ? cg->leader->id : str_from("none")), cg->state_timestamp_ms);
    const struct classic_member **all = sorted(cg);
    for (int32_t i = 0; i < classic_member_count(cg); i++)
        dump_member(cg, all[i], out);
    mem_free(all);
}
