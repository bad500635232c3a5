// SPDX-License-Identifier: Apache-2.0
//
// ChitinDescribeGroups (key 10000, version 0): how far groups are behind, and why they rebalanced. The
// coordinator of each group says what was committed (group/admin_survey.c); then the shard of each
// partition measures what is left, see broker/lag.h.
#include "base/check.h"
#include "broker/api/api.h"
#include "broker/api/group_op.h"
#include "broker/lag.h"
#include "broker/request.h"
#include "wire/api/chitin_describe_groups.h"

static void serve(struct group_part *part, struct groups *g, const struct coordinator_time *now)
{
    groups_survey(g, &part->call, now, part->group_id, part->op->body);
}

static void set_error(struct group_part *part, enum kafka_error error)
{
    struct chitin_describe_groups_response_described_group *answer = part->call.response;
    answer->error_code = (int16_t)error;
}

static void measured(struct lag_query *query)
{
    struct group_op *op = query->user;
    request_reply(op->request, op->reply);
}

static int32_t count_partitions(const struct chitin_describe_groups_response *reply)
{
    int32_t count = 0;
    for (int32_t g = 0; g < reply->groups.count; g++)
        for (int32_t t = 0; t < reply->groups.items[g].lag.count; t++)
            count += reply->groups.items[g].lag.items[t].partitions.count;
    return count;
}

static void add_topic(struct lag_query *query, struct chitin_describe_groups_response_topic_lag *topic)
{
    for (int32_t p = 0; p < topic->partitions.count; p++)
        lag_query_add(query, topic->topic, topic->topic_id, &topic->partitions.items[p]);
}

static void measure(struct group_op *op)
{
    struct chitin_describe_groups_response *reply = op->reply;
    struct lag_query *query =
        lag_query_new(op->split.home, op->request, count_partitions(reply), measured, op);
    if (query == NULL) {
        api_no_memory(op->request);
        return;
    }
    for (int32_t g = 0; g < reply->groups.count; g++)
        for (int32_t t = 0; t < reply->groups.items[g].lag.count; t++)
            add_topic(query, &reply->groups.items[g].lag.items[t]);
    lag_query_start(query);
}

void api_chitin_describe_groups(struct shard *s, struct request *r, const void *body)
{
    static const struct group_op_type type = {.serve = serve, .set_error = set_error, .reply = measure};
    const struct chitin_describe_groups_request *request = body;
    struct chitin_describe_groups_response *reply =
        arena_new(&r->arena, struct chitin_describe_groups_response);
    int32_t count = request->group_ids.count;
    if (reply == NULL) {
        api_no_memory(r);
        return;
    }
    chitin_describe_groups_response_init(reply);
    struct group_op *op = group_op_new(s, r, body, reply, count, &type);
    if (op == NULL)
        return;
    if (!chitin_describe_groups_response_described_group_array_new(&r->arena, count, &reply->groups)) {
        api_no_memory(r);
        return;
    }
    for (int32_t i = 0; i < count; i++) {
        reply->groups.items[i].group_id = request->group_ids.items[i];
        group_op_add(op, request->group_ids.items[i], NULL, &reply->groups.items[i]);
    }
    group_op_start(op);
}
