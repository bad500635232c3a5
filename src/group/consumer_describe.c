// SPDX-License-Identifier: Apache-2.0
//
// ConsumerGroupDescribe.
#include <stdio.h>
#include <stdlib.h>

#include "group/consumer.h"
#include "metadata/image.h"
#include "wire/api/consumer_group_describe.h"


static void set_error(struct group_call *call, enum kafka_error error)
{
    struct consumer_group_describe_response_described_group *out = call->response;
    struct str id = out->group_id;
    int32_t operations = out->authorized_operations;
    consumer_group_describe_response_described_group_init(out);
    out->group_id = id;
    out->authorized_operations = operations;
    out->error_code = (int16_t)error;
}

static void fail(struct group_call *call, struct str id, const char *words)
{
    struct consumer_group_describe_response_described_group *out = call->response;
    char text[DIAG_TEXT_MAX];
    snprintf(text, sizeof(text), "Group %.*s %s.", STR_ARG(id), words);
    set_error(call, KAFKA_GROUP_ID_NOT_FOUND);
    out->error_message = arena_copy_str(call->arena, str_from(text));
}

// Topics that are gone are left out.
static bool describe_assignment(const struct groups *g, const struct assignment *a, struct arena *arena,
                                struct consumer_group_describe_response_assignment *out)
{
    int32_t count = 0;
    if (consumer_group_describe_response_topic_partitions_array_new(arena, a->count,
                                                                    &out->topic_partitions) == NULL)
        return false;
    for (int32_t i = 0; i < a->count; i++) {
        const struct assigned_topic *from = &a->topics[i];
        const struct metadata_topic *topic = metadata_image_topic_by_id(g->image, from->id);
        if (topic == NULL)
            continue;
        struct consumer_group_describe_response_topic_partitions *t = &out->topic_partitions.items[count++];
        t->topic_id = from->id;
        t->topic_name = arena_copy_str(arena, topic->name);
        t->partitions.items = arena_new_array(arena, (size_t)from->count, int32_t);
        if (t->topic_name.data == NULL || t->partitions.items == NULL)
            return false;
        memcpy(t->partitions.items, from->partitions, (size_t)from->count * sizeof(int32_t));
        t->partitions.count = from->count;
    }
    out->topic_partitions.count = count;
    return true;
}

static bool copy_str(struct arena *arena, struct str from, struct str *out)
{
    if (from.data != NULL)
        *out = arena_copy_str(arena, from);
    return from.data == NULL || out->data != NULL;
}

static bool describe_member(const struct groups *g, const struct consumer_member *m, struct arena *arena,
                            struct consumer_group_describe_response_member *out)
{
    const struct consumer_subscription *s = &m->subscription;
    out->member_epoch = m->epoch;
    out->member_type = s->is_classic ? 0 : 1;
    out->subscribed_topic_names.items = arena_new_array(arena, (size_t)s->topic_count + 1, struct str);
    if (out->subscribed_topic_names.items == NULL)
        return false;
    out->subscribed_topic_names.count = s->topic_count;
    bool fits = copy_str(arena, str_from(m->id), &out->member_id) &&
                copy_str(arena, s->instance_id, &out->instance_id) &&
                copy_str(arena, s->rack_id, &out->rack_id) &&
                copy_str(arena, s->client_id, &out->client_id) &&
                copy_str(arena, s->client_host, &out->client_host) &&
                copy_str(arena, s->regex, &out->subscribed_topic_regex);
    for (int32_t i = 0; fits && i < s->topic_count; i++)
        fits = copy_str(arena, s->topics[i], &out->subscribed_topic_names.items[i]);
    return fits && describe_assignment(g, &m->assigned, arena, &out->assignment) &&
           describe_assignment(g, &m->target, arena, &out->target_assignment);
}

static int compare_members(const void *a, const void *b)
{
    const struct consumer_group_describe_response_member *x = a, *y = b;
    return str_compare(x->member_id, y->member_id);
}

static bool describe(const struct groups *g, const struct consumer_group *cg, struct arena *arena,
                     struct consumer_group_describe_response_described_group *out)
{
    out->group_state = str_from(group_state_name(cg->group));
    out->group_epoch = cg->epoch;
    out->assignment_epoch = cg->assignment_epoch;
    out->assignor_name = str_from(consumer_assignor_name(cg));
    if (consumer_group_describe_response_member_array_new(arena, cg->member_count, &out->members) == NULL)
        return false;
    int32_t count = 0;
    for (struct consumer_member *m = NULL; (m = consumer_next(cg, m)) != NULL;)
        if (m->is_member && !describe_member(g, m, arena, &out->members.items[count++]))
            return false;
    if (count > 0)
        qsort(out->members.items, (size_t)count, sizeof(*out->members.items), compare_members);
    return true;
}

void groups_consumer_describe(struct groups *g, struct group_call *call, const struct coordinator_time *now,
                              struct str group_id)
{
    struct consumer_group_describe_response_described_group *out = call->response;
    group_call_begin(call, g, set_error);
    coordinator_set_time(g->coordinator, now);
    out->group_id = group_id;
    struct group *group = groups_find(g, group_id);
    if (group == NULL)
        fail(call, group_id, "not found");
    else if (group->kind != GROUP_CONSUMER)
        fail(call, group_id, "is not a consumer group");
    else if (!describe(g, group->consumer, call->arena, out)) {
        group_call_end_no_memory(call);
        return;
    }
    group_reply(call, group);
}
