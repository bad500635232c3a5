// SPDX-License-Identifier: Apache-2.0
#include "dumpers.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "group/consumer.h"

static void dump_assignment(struct buf *out, const char *name, const struct assignment *a, bool epochs)
{
    buf_printf(out, "    %s", name);
    for (int32_t i = 0; i < a->count; i++) {
        const struct assigned_topic *t = &a->topics[i];
        buf_printf(out, " %s:", uuid_format(t->id).text);
        for (int32_t p = 0; p < t->count; p++) {
            buf_printf(out, "%s%d", p > 0 ? "," : "", t->partitions[p]);
            if (epochs)
                buf_printf(out, "@%d", t->epochs[p]);
        }
    }
    buf_printf(out, "\n");
}

static void dump_subscription(struct buf *out, const struct consumer_subscription *s)
{
    buf_printf(out,
               "    instance %s%.*s rack %s%.*s client %.*s %.*s regex \"%.*s\" assignor %.*s timeout %d "
               "classic %d session %d topics",
               s->instance_id.data == NULL ? "none" : "", STR_ARG(s->instance_id),
               s->rack_id.data == NULL ? "none" : "", STR_ARG(s->rack_id), STR_ARG(s->client_id),
               STR_ARG(s->client_host), STR_ARG(s->regex), STR_ARG(s->assignor), s->rebalance_timeout_ms,
               s->is_classic, s->session_timeout_ms);
    for (int32_t i = 0; i < s->topic_count; i++)
        buf_printf(out, " %.*s", STR_ARG(s->topics[i]));
    for (int32_t i = 0; i < s->protocol_count; i++) {
        buf_printf(out, " protocol %.*s ", STR_ARG(s->protocols[i].name));
        for (size_t b = 0; b < s->protocols[i].metadata.size; b++)
            buf_printf(out, "%02x", s->protocols[i].metadata.data[b]);
    }
    buf_printf(out, "\n");
}

static void dump_member(struct buf *out, const struct consumer_member *m)
{
    buf_printf(out, "  member %s is %d target %d current %d epoch %d before %d state %d\n", m->id,
               m->is_member, m->has_target, m->has_current, m->epoch, m->previous_epoch, m->state);
    dump_subscription(out, &m->subscription);
    dump_assignment(out, "assigned", &m->assigned, true);
    dump_assignment(out, "pending", &m->pending_revocation, true);
    dump_assignment(out, "target", &m->target, false);
}

static int compare_members(const void *a, const void *b)
{
    return strcmp((*(struct consumer_member *const *)a)->id, (*(struct consumer_member *const *)b)->id);
}

static int compare_regexes(const void *a, const void *b)
{
    return strcmp((*(struct consumer_regex *const *)a)->pattern,
                  (*(struct consumer_regex *const *)b)->pattern);
}

static void dump_regexes(struct buf *out, const struct consumer_group *cg)
{
    struct consumer_regex **all = mem_alloc_array(cg->regexes.count + 1, sizeof(*all));
    size_t count = 0;
    for (struct map_node *n = NULL; (n = map_next(&cg->regexes, n)) != NULL;)
        all[count++] = container_of(n, struct consumer_regex, node);
    qsort(all, count, sizeof(*all), compare_regexes);
    for (size_t i = 0; i < count; i++) {
        buf_printf(out, "  regex \"%s\" version %" PRId64 " at %" PRId64 ":", all[i]->pattern,
                   all[i]->version, all[i]->timestamp_ms);
        for (int32_t t = 0; t < all[i]->topic_count; t++)
            buf_printf(out, " %.*s", STR_ARG(all[i]->topics[t]));
        buf_printf(out, "\n");
    }
    mem_free(all);
}

void dump_consumer(const struct group *group, struct buf *out)
{
    const struct consumer_group *cg = group->consumer;
    struct consumer_member **all = mem_alloc_array(cg->members.count + 1, sizeof(*all));
    size_t count = 0;
    buf_printf(out, "  %s epoch %d assignment %d at %" PRId64 " hash %" PRId64 " members %d classic %d\n",
               group_state_name(group), cg->epoch, cg->assignment_epoch, cg->assignment_timestamp_ms,
               cg->metadata_hash, cg->member_count, cg->classic_member_count);
    for (struct consumer_member *m = NULL; (m = consumer_next(cg, m)) != NULL;)
        all[count++] = m;
    qsort(all, count, sizeof(*all), compare_members);
    for (size_t i = 0; i < count; i++)
        dump_member(out, all[i]);
    mem_free(all);
    dump_regexes(out, cg);
}
