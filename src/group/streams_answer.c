// SPDX-License-Identifier: Apache-2.0
//
// The end of a StreamsGroupHeartbeat: what is remembered of it, and its answer.
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "config/config.h"
#include "group/streams_heartbeat.h"

// ---- Offsets that the member tells ----

static int compare_offsets(const void *a, const void *b)
{
    const struct streams_task_offset *x = a, *y = b;
    if (x->subtopology != y->subtopology)
        return x->subtopology < y->subtopology ? -1 : 1;
    return (x->partition > y->partition) - (x->partition < y->partition);
}

static void take_offsets(const struct streams_group *sg, struct streams_task_offsets *to,
                         const struct streams_group_heartbeat_request_task_offset_array *from)
{
    if (from->count < 0)
        return; // as they were
    mem_free(to->items);
    to->items = mem_alloc_array((size_t)from->count + 1, sizeof(*to->items));
    to->count = 0;
    for (int32_t i = 0; i < from->count; i++) {
        const struct streams_subtopology *s =
            streams_find_subtopology(sg, from->items[i].subtopology_id);
        if (s != NULL && from->items[i].partition >= 0)
            to->items[to->count++] = (struct streams_task_offset){s->number, from->items[i].partition,
                                                                  from->items[i].offset};
    }
    qsort(to->items, (size_t)to->count, sizeof(*to->items), compare_offsets);
    int32_t kept = 0;
    for (int32_t i = 0; i < to->count; i++)
        if (i == 0 || compare_offsets(&to->items[kept - 1], &to->items[i]) != 0)
            to->items[kept++] = to->items[i];
    to->count = kept;
}

void streams_take_offsets(struct streams_heartbeat *h)
{
    take_offsets(h->sg, &h->member->offsets, &h->request->task_offsets);
    take_offsets(h->sg, &h->member->end_offsets, &h->request->task_end_offsets);
}

// ---- The answer ----

enum { STATUS_MAX = 6 };

static bool add_status(struct streams_heartbeat *h, enum streams_status code, struct str text)
{
    struct streams_group_heartbeat_response *reply = h->call->response;
    struct streams_group_heartbeat_response_status *s = &reply->status.items[reply->status.count++];
    s->status_code = (int8_t)code;
    return group_call_copy(h->call, text, &s->status_detail);
}

__attribute__((format(printf, 3, 4))) static bool print_status(struct streams_heartbeat *h,
                                                               enum streams_status code,
                                                               const char *format, ...)
{
    char text[DIAG_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return add_status(h, code, str_from(text));
}

static bool has_tag(const struct streams_member *m, struct str key)
{
    for (int32_t i = 0; i < m->subscription->value.client_tags.count; i++)
        if (str_equal(m->subscription->value.client_tags.items[i].key, key))
            return true;
    return false;
}

static bool add_missing_tags(struct streams_heartbeat *h)
{
    const struct streams_group *sg = h->sg;
    struct str list = {NULL, 0}, item;
    char text[DIAG_TEXT_MAX];
    int size = 0;
    for (int32_t i = 0; i < sg->last_configs.count; i++)
        if (str_is(sg->last_configs.items[i].key, "rack.aware.assignment.tags"))
            list = sg->last_configs.items[i].value;
    text[0] = '\0';
    while (h->call->version >= 1 && config_list_next(&list, &item))
        if (!has_tag(h->member, item) && size < (int)sizeof(text))
            size += snprintf(text + size, sizeof(text) - (size_t)size, "%s%.*s", size > 0 ? ", " : "",
                             STR_ARG(item));
    return size == 0 || print_status(h, STREAMS_STATUS_MISSING_CLIENT_TAGS,
                                     "Missing required client tags for rack-aware standby assignment: "
                                     "[%s]. Configure them via 'client.tag.<tagKey>' in your Streams "
                                     "config.",
                                     text);
}

static bool add_statuses(struct streams_heartbeat *h)
{
    const struct streams_group *sg = h->sg;
    struct streams_group_heartbeat_response *reply = h->call->response;
    int32_t own = h->member->subscription->value.topology_epoch, newest = sg->topology->value.epoch;
    if (streams_group_heartbeat_response_status_array_new(h->call->arena, STATUS_MAX, &reply->status) ==
        NULL)
        return false;
    reply->status.count = 0;
    if (own < newest && !h->is_topology_new &&
        !print_status(h, STREAMS_STATUS_STALE_TOPOLOGY,
                      "The member's topology epoch %d is behind the group's topology epoch %d.", own,
                      newest))
        return false;
    if (h->delay_text != NULL &&
        !add_status(h, STREAMS_STATUS_ASSIGNMENT_DELAYED, str_from(h->delay_text)))
        return false;
    if (!sg->configured->is_ready && !add_status(h, sg->configured->error, sg->configured->error_text))
        return false;
    if (sg->shutdown_member_id != NULL &&
        !print_status(h, STREAMS_STATUS_SHUTDOWN_APPLICATION,
                      "Streams group member %s encountered a fatal error and requested a shutdown for the "
                      "entire application.",
                      sg->shutdown_member_id))
        return false;
    return add_missing_tags(h);
}

static bool add_tasks(struct streams_heartbeat *h, enum task_role role,
                      struct streams_group_heartbeat_response_task_ids_array *out)
{
    int32_t count;
    struct arena *arena = h->call->arena;
    struct streams_task_run *runs =
        streams_task_runs_new(h->sg, &h->member->assigned.of[role], &count);
    bool done = streams_group_heartbeat_response_task_ids_array_new(arena, count, out) != NULL;
    for (int32_t i = 0; done && i < count; i++) {
        struct streams_group_heartbeat_response_task_ids *t = &out->items[i];
        t->partitions.items = arena_new_array(arena, (size_t)runs[i].count, int32_t);
        done = t->partitions.items != NULL && group_call_copy(h->call, runs[i].subtopology_id,
                                                              &t->subtopology_id);
        if (!done)
            break;
        memcpy(t->partitions.items, runs[i].partitions, (size_t)runs[i].count * sizeof(int32_t));
        t->partitions.count = runs[i].count;
    }
    mem_free(runs);
    return done;
}

// The internal topics that the caller shall make.
static bool list_missing(struct streams_heartbeat *h)
{
    const struct streams_configured *c = h->sg->configured;
    struct arena *arena = h->call->arena;
    if (create_topics_request_creatable_topic_array_new(arena, c->missing_count, &h->missing->topics) ==
        NULL)
        return false;
    for (int32_t i = 0; i < c->missing_count; i++) {
        const struct streams_group_topology_value_topic_info *from = c->missing[i]->info;
        struct create_topics_request_creatable_topic *to = &h->missing->topics.items[i];
        to->num_partitions = c->missing[i]->partition_count;
        to->replication_factor = from->replication_factor != 0 ? from->replication_factor : -1;
        if (!group_call_copy(h->call, from->name, &to->name) ||
            create_topics_request_creatable_topic_config_array_new(arena, from->topic_configs.count,
                                                                   &to->configs) == NULL)
            return false;
        for (int32_t k = 0; k < from->topic_configs.count; k++)
            if (!group_call_copy(h->call, from->topic_configs.items[k].key, &to->configs.items[k].name) ||
                !group_call_copy(h->call, from->topic_configs.items[k].value, &to->configs.items[k].value))
                return false;
    }
    return true;
}

static bool fill_endpoints(struct streams_heartbeat *h, bool changed, bool endpoint_changed)
{
    struct streams_group *sg = h->sg;
    struct streams_group_heartbeat_response *reply = h->call->response;
    if (endpoint_changed || (changed && h->member->subscription->value.user_endpoint != NULL))
        sg->endpoint_epoch++;
    if (h->was_there)
        reply->endpoint_information_epoch = sg->endpoint_epoch;
    return sg->endpoint_epoch == h->request->endpoint_information_epoch ||
           streams_answer_endpoints(h->member, h->call->arena, reply);
}

bool streams_answer(struct streams_heartbeat *h, bool changed, bool endpoint_changed)
{
    struct streams_group *sg = h->sg;
    struct streams_group_heartbeat_response *reply = h->call->response;
    reply->member_id = arena_copy_str(h->call->arena, h->request->member_id);
    reply->member_epoch = h->member->epoch;
    reply->heartbeat_interval_ms = streams_setting(sg, "streams.heartbeat.interval.ms");
    reply->task_offset_interval_ms = streams_setting(sg, "streams.task.offset.interval.ms");
    if (h->call->version >= 1)
        reply->acceptable_recovery_lag = streams_long_setting(sg, "streams.acceptable.recovery.lag");
    if ((streams_joins(h) || changed) && (!add_tasks(h, TASK_ACTIVE, &reply->active_tasks) ||
                                  !add_tasks(h, TASK_STANDBY, &reply->standby_tasks) ||
                                  !add_tasks(h, TASK_WARMUP, &reply->warmup_tasks)))
        return false;
    return reply->member_id.data != NULL && fill_endpoints(h, changed, endpoint_changed) &&
           add_statuses(h) && list_missing(h);
}
