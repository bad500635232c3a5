// SPDX-License-Identifier: Apache-2.0
#include "dumpers.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "group/streams.h"

static void dump_tasks(struct buf *out, const struct streams_group *sg, const char *name,
                       const struct task_sets *sets, bool epochs)
{
    static const char *const roles[] = {"active", "standby", "warmup"};
    for (int role = 0; role < TASK_ROLE_COUNT; role++) {
        int32_t count;
        struct streams_task_run *runs = streams_task_runs_new(sg, &sets->of[role], &count);
        buf_printf(out, "    %s %s", name, roles[role]);
        for (int32_t i = 0; i < count; i++) {
            buf_printf(out, " %.*s:", STR_ARG(runs[i].subtopology_id));
            for (int32_t p = 0; p < runs[i].count; p++) {
                buf_printf(out, "%s%d", p > 0 ? "," : "", runs[i].partitions[p]);
                if (epochs)
                    buf_printf(out, "@%d", runs[i].epochs[p]);
            }
        }
        buf_printf(out, "\n");
        mem_free(runs);
    }
}

static void dump_member(struct buf *out, const struct streams_member *m)
{
    buf_printf(out, "  member %s is %d target %d current %d epoch %d before %d state %d\n    ", m->id,
               m->is_member, m->has_target, m->has_current, m->epoch, m->previous_epoch, m->state);
    if (m->subscription != NULL)
        wire_print(&streams_group_member_metadata_value_schema, 0, &m->subscription->value, 0, out);
    buf_append_text(out, "\n");
    dump_tasks(out, m->group, "assigned", &m->assigned, true);
    dump_tasks(out, m->group, "pending", &m->pending_revocation, true);
    dump_tasks(out, m->group, "target", &m->target, false);
}

static int compare_members(const void *a, const void *b)
{
    return strcmp((*(struct streams_member *const *)a)->id, (*(struct streams_member *const *)b)->id);
}

void dump_streams(const struct group *group, struct buf *out)
{
    const struct streams_group *sg = group->streams;
    struct streams_member **all = mem_alloc_array(sg->members.count + 1, sizeof(*all));
    size_t count = 0;
    buf_printf(out,
               "  %s epoch %d assignment %d at %" PRId64 " hash %" PRId64 " members %d validated %d "
               "stored %d failed %d",
               group_state_name(group), sg->epoch, sg->assignment_epoch, sg->assignment_timestamp_ms,
               sg->metadata_hash, sg->member_count, sg->validated_topology_epoch,
               sg->stored_description_topology_epoch, sg->failed_description_topology_epoch);
    for (int32_t i = 0; i < sg->last_configs.count; i++)
        buf_printf(out, " %.*s=%.*s", STR_ARG(sg->last_configs.items[i].key),
                   STR_ARG(sg->last_configs.items[i].value));
    buf_append_text(out, "\n  topology ");
    if (sg->topology != NULL)
        wire_print(&streams_group_topology_value_schema, 0, &sg->topology->value, 0, out);
    buf_append_text(out, "\n");
    for (struct streams_member *m = NULL; (m = streams_next(sg, m)) != NULL;)
        all[count++] = m;
    qsort(all, count, sizeof(*all), compare_members);
    for (size_t i = 0; i < count; i++)
        dump_member(out, all[i]);
    mem_free(all);
}
