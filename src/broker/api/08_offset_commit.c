// SPDX-License-Identifier: Apache-2.0
//
// OffsetCommit (key 8, versions 2-10). Partitions that do not exist are answered here; the rest is decided
// by group/offsets_commit.c.
//   v2-4: retention time. v6: leader epoch (KIP-320). v7: static members (KIP-345). v9: member epoch
//   (KIP-848). v10: topics by id.
#include "broker/api/api.h"
#include "broker/api/commit_topics.h"
#include "broker/api/group_op.h"
#include "broker/request.h"

enum { VERSION_TOPIC_ID = 10 }; // from here on

static void serve(struct group_part *part, struct groups *g, const struct coordinator_time *now)
{
    const struct commit_topics *c = part->asked;
    groups_commit_offsets(g, &part->call, now, &c->asked);
}

static void set_error(struct group_part *part, enum kafka_error error)
{
    struct commit_topics *c = container_of(part->call.response, struct commit_topics, answer);
    c->error = error;
}

static void finish(struct group_op *op)
{
    commit_topics_finish(container_of(op->reply, struct commit_topics, reply));
}

void api_offset_commit(struct shard *s, struct request *r, const void *body)
{
    static const struct group_op_type type = {.serve = serve, .set_error = set_error, .finish = finish};
    const struct offset_commit_request *request = body;
    struct commit_topics *c = arena_new(&r->arena, struct commit_topics);
    if (c == NULL) {
        api_no_memory(r);
        return;
    }
    c->request = *request;
    if (!commit_topics_take(s, r, r->header.api_version >= VERSION_TOPIC_ID, c)) {
        api_no_memory(r);
        return;
    }
    if (c->asked.topics.count == 0) { // as in Kafka, whatever the group
        request_reply(r, &c->reply);
        return;
    }
    struct group_op *op = group_op_new(s, r, body, &c->reply, 1, &type);
    if (op == NULL)
        return;
    group_op_add(op, request->group_id, c, &c->answer);
    group_op_start(op);
}
