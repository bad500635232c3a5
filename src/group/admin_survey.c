// SPDX-License-Identifier: Apache-2.0
//
// ChitinDescribeGroups: what a coordinator knows of a group of any kind, its offsets and its journal. How
// far the offsets are behind their partitions is for others to add.
#include "group/internal.h"
#include "wire/api/chitin_describe_groups.h"

static void survey_set_error(struct group_call *call, enum kafka_error error)
{
    struct chitin_describe_groups_response_described_group *reply = call->response;
    struct str id = reply->group_id;
    chitin_describe_groups_response_described_group_init(reply);
    reply->group_id = id;
    reply->error_code = (int16_t)error;
}

static bool tell_offsets(struct group_call *call, const struct offsets_topic *topic,
                         struct chitin_describe_groups_response_topic_lag *out)
{
    out->topic_id = topic->id;
    if (!group_call_copy(call, str_from(topic->name), &out->topic) ||
        !chitin_describe_groups_response_partition_lag_array_new(call->arena, topic->count,
                                                                 &out->partitions))
        return false;
    for (int32_t i = 0; i < topic->count; i++) {
        const struct committed_offset *c = &topic->items[i];
        struct chitin_describe_groups_response_partition_lag *p = &out->partitions.items[i];
        p->partition_index = c->partition;
        p->committed_offset = c->offset;
        p->committed_epoch = c->leader_epoch;
        p->commit_time_ms = c->commit_timestamp_ms;
        if (!group_call_copy(call, committed_offset_metadata(c), &p->metadata))
            return false;
    }
    return true;
}

static bool tell_all_offsets(struct group_call *call, const struct group_offsets *offsets)
{
    struct chitin_describe_groups_response_described_group *reply = call->response;
    if (!chitin_describe_groups_response_topic_lag_array_new(call->arena, offsets->count, &reply->lag))
        return false;
    for (int32_t t = 0; t < offsets->count; t++)
        if (!tell_offsets(call, &offsets->topics[t], &reply->lag.items[t]))
            return false;
    return true;
}

// Null stays null.
static bool copy_or_null(struct group_call *call, const char *text, struct str *out)
{
    *out = str_of(NULL, 0);
    return text == NULL || group_call_copy(call, str_from(text), out);
}

static bool tell_rebalance(struct group_call *call, const struct journal_entry *e,
                           struct chitin_describe_groups_response_rebalance *out)
{
    out->cause = str_from(rebalance_cause_name(e->cause));
    out->begin_time_ms = e->begin_wall_ms;
    out->duration_ms = e->duration_ms;
    out->members_before = e->members_before;
    out->members_after = e->members_after;
    out->epoch = e->epoch;
    out->causes = e->causes;
    out->last_member_ms = e->last_member_ms;
    return copy_or_null(call, e->member, &out->member) && copy_or_null(call, e->client, &out->client) &&
           copy_or_null(call, e->reason, &out->reason) &&
           copy_or_null(call, e->last_member, &out->last_member);
}

static bool tell_journal(struct group_call *call, const struct group_journal *journal)
{
    struct chitin_describe_groups_response_described_group *reply = call->response;
    if (!chitin_describe_groups_response_rebalance_array_new(call->arena, journal->count, &reply->journal))
        return false;
    for (int i = 0; i < journal->count; i++)
        if (!tell_rebalance(call, group_journal_entry(journal, i), &reply->journal.items[i]))
            return false;
    return true;
}

static bool tell(struct group_call *call, const struct group *group,
                 const struct chitin_describe_groups_request *request)
{
    struct chitin_describe_groups_response_described_group *reply = call->response;
    const struct group_kind_type *kind = group_kind_type(group->kind);
    reply->group_type = str_from(kind->name);
    reply->group_state = str_from(group_state_name(group));
    reply->member_count = kind->member_count(group->state);
    reply->rebalance_count = group->journal.total;
    reply->rebalance_ms = group->journal.total_busy_ms;
    reply->lag.count = -1;
    reply->journal.count = -1;
    return group_call_copy(call, kind->protocol_type(group->state), &reply->protocol_type) &&
           (!request->include_lag || tell_all_offsets(call, &group->offsets)) &&
           (!request->include_journal || tell_journal(call, &group->journal));
}

void groups_survey(struct groups *g, struct group_call *call, const struct coordinator_time *now,
                   struct str group_id, const struct chitin_describe_groups_request *request)
{
    coordinator_set_time(g->coordinator, now);
    group_call_begin(call, g, survey_set_error);
    const struct group *group = groups_find(g, group_id);
    if (group == NULL)
        group_call_fail(call, KAFKA_GROUP_ID_NOT_FOUND);
    else if (tell(call, group, request))
        group_reply(call, group);
    else
        group_call_end_no_memory(call);
}
