// SPDX-License-Identifier: Apache-2.0
//
// ConsumerGroupHeartbeat (key 68, versions 0-1, KIP-848). Version 1 has members that make their ids
// themselves, and subscriptions by regular expression.
#include "broker/api/api.h"
#include "broker/api/group_op.h"
#include "broker/request.h"
#include "broker/shard.h"
#include "wire/api/consumer_group_heartbeat.h"

static void serve(struct group_part *part, struct groups *g, const struct coordinator_time *now)
{
    groups_consumer_heartbeat(g, &part->call, now, part->asked);
}

static void set_error(struct group_part *part, enum kafka_error error)
{
    ((struct consumer_group_heartbeat_response *)part->call.response)->error_code = (int16_t)error;
}

void api_consumer_group_heartbeat(struct shard *s, struct request *r, const void *body)
{
    static const struct group_op_type type = {
        .serve = serve,
        .set_error = set_error,
    };
    const struct consumer_group_heartbeat_request *request = body;
    struct consumer_group_heartbeat_response *reply =
        arena_new(&r->arena, struct consumer_group_heartbeat_response);
    if (reply == NULL) {
        api_no_memory(r);
        return;
    }
    consumer_group_heartbeat_response_init(reply);
    if (!api_serves_groups(s, FEATURE_GROUP_VERSION, "consumer"))
        reply->error_code = KAFKA_UNSUPPORTED_VERSION;
    else if (groups_check_consumer_heartbeat(s->config, r->header.api_version, request, reply, &r->arena)) {
        group_op_run(s, r, body, reply, request->group_id, &type);
        return;
    }
    request_reply(r, reply);
}
