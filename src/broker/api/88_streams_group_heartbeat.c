// SPDX-License-Identifier: Apache-2.0
//
// StreamsGroupHeartbeat (key 88, versions 0-1, KIP-1071). Version 1 tells the acceptable recovery lag as a
// long, and members which tags of theirs are missing.
//
// The answer says which internal topics of the application are missing; they are made before it goes out,
// so that the next heartbeat finds them, and one that cannot be made is told with its reason.
#include "base/buf.h"
#include "broker/api/api.h"
#include "broker/api/group_op.h"
#include "broker/auto_create.h"
#include "broker/node.h"
#include "broker/request.h"
#include "broker/shard.h"
#include "group/streams_status.h"
#include "wire/api/streams_group_heartbeat.h"

enum { DETAIL_BYTES_MAX = 16 * 1024 };

struct heartbeat_op {
    struct streams_group_heartbeat_response reply;
    struct create_topics_request missing;
    struct auto_create create;
    struct group_op *op;
};

static struct heartbeat_op *heartbeat_of(const struct group_part *part)
{
    return container_of(part->call.response, struct heartbeat_op, reply);
}

static void serve(struct group_part *part, struct groups *g, const struct coordinator_time *now)
{
    groups_streams_heartbeat(g, &part->call, now, part->asked, &heartbeat_of(part)->missing);
}

static void set_error(struct group_part *part, enum kafka_error error)
{
    heartbeat_of(part)->reply.error_code = (int16_t)error;
}

// ---- The topics that are missing ----

static void list_failures(const struct create_topics_response *answered, struct buf *text)
{
    const char *separator = "; Creation failed: ";
    for (int32_t i = 0; i < answered->topics.count; i++) {
        const struct create_topics_response_creatable_topic_result *t = &answered->topics.items[i];
        if (t->error_code == KAFKA_NONE || t->error_code == KAFKA_TOPIC_ALREADY_EXISTS)
            continue;
        struct str why = t->error_message.data != NULL
                             ? t->error_message
                             : str_from(kafka_error_name((enum kafka_error)t->error_code));
        buf_printf(text, "%s%.*s (%.*s)", separator, STR_ARG(t->name), STR_ARG(why));
        separator = ", ";
    }
    if (answered->topics.count == 0)
        buf_append_text(text, "; Creation failed: the controller does not answer");
}

// Adds to the status what went wrong.
static void tell_failures(struct heartbeat_op *h)
{
    struct buf text;
    for (int32_t i = 0; i < h->reply.status.count; i++) {
        struct streams_group_heartbeat_response_status *status = &h->reply.status.items[i];
        if (status->status_code != STREAMS_STATUS_MISSING_INTERNAL_TOPICS)
            continue;
        buf_init(&text, DETAIL_BYTES_MAX);
        buf_append_str(&text, status->status_detail);
        list_failures(&h->create.answered, &text);
        struct str copy = arena_copy_str(&h->op->request->arena, buf_str(&text));
        if (copy.data != NULL)
            status->status_detail = copy;
        buf_release(&text);
    }
}

static void created(struct auto_create *create)
{
    struct heartbeat_op *h = container_of(create, struct heartbeat_op, create);
    tell_failures(h);
    request_reply(h->op->request, &h->reply);
}

static void reply(struct group_op *op)
{
    struct heartbeat_op *h = heartbeat_of(&op->parts[0]);
    if (h->missing.topics.count <= 0 || request_is_abandoned(op->request)) {
        request_reply(op->request, &h->reply);
        return;
    }
    h->op = op;
    auto_create_init(&h->create, op->split.home->node, op->request, created);
    h->create.wanted.topics = h->missing.topics;
    auto_create_start(&h->create);
}

void api_streams_group_heartbeat(struct node *n, struct request *r, const void *body)
{
    static const struct group_op_type type = {
        .serve = serve,
        .set_error = set_error,
        .reply = reply,
    };
    const struct streams_group_heartbeat_request *request = body;
    struct heartbeat_op *h = arena_new(&r->arena, struct heartbeat_op);
    if (h == NULL) {
        api_no_memory(r);
        return;
    }
    streams_group_heartbeat_response_init(&h->reply);
    create_topics_request_init(&h->missing);
    if (!api_serves_groups(&n->shards[0], FEATURE_STREAMS_VERSION, "streams"))
        h->reply.error_code = KAFKA_UNSUPPORTED_VERSION;
    else if (groups_check_streams_heartbeat(request, &h->reply, &r->arena)) {
        group_op_run(&n->shards[0], r, body, &h->reply, request->group_id, &type);
        return;
    }
    request_reply(r, &h->reply);
}
