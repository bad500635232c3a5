// SPDX-License-Identifier: Apache-2.0
#include "broker/request.h"

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "broker/connection_internal.h"
#include "env/clock.h"
#include "wire/apis.h"

struct request *request__new(struct connection *conn, struct rpc_frame *frame,
                             const struct rpc_request_header *header)
{
    struct connections *c = conn->owner;
    struct request *r = mem_new(struct request);
    r->magic = REQUEST_MAGIC;
    r->header = *header;
    r->frame = *frame;
    r->body = bytes_of(frame->data + header->size, frame->size - header->size);
    arena_init(&r->arena, c->config.arena_bytes_max);
    r->received_ns = env_mono_ns(c->env->clock);
    r->connection = conn;
    r->owner = c;
    rpc_output_init(&r->exchange.output);
    *frame = (struct rpc_frame){0};
    return r;
}

static void hold(struct request *r, size_t bytes)
{
    if (r->owner == NULL)
        return;
    r->owner->held_bytes += bytes - r->held_bytes;
    if (r->connection != NULL)
        r->connection->held_bytes += bytes - r->held_bytes;
    r->held_bytes = bytes;
}

void request_decoded(struct request *r)
{
    hold(r, r->arena.used);
}

// An answer may wait long for a peer that does not read: nothing else waits with it.
static void keep_answer_alone(struct request *r)
{
    if (r->cleanups == NULL) { // these may be in the arena, and need what is in the frame
        arena_release(&r->arena);
        rpc_frame_release(&r->frame);
        r->body = (struct bytes){0};
        connections__frame_released(r->owner);
    }
    hold(r, r->arena.used + r->exchange.output.buf.size);
}

void request__free(struct request *r)
{
    check(r->magic == REQUEST_MAGIC);
    struct connections *c = r->owner;
    hold(r, 0);
    struct request_cleanup *next;
    for (struct request_cleanup *cleanup = r->cleanups; cleanup != NULL; cleanup = next) {
        next = cleanup->next;
        cleanup->run(cleanup);
    }
    list_remove(&r->node);
    rpc_output_release(&r->exchange.output);
    arena_release(&r->arena);
    rpc_frame_release(&r->frame);
    r->magic = 0;
    mem_free(r);
    if (c != NULL)
        connections__frame_released(c);
}

void request__abandon(struct request *r)
{
    r->connection->held_bytes -= r->held_bytes;
    r->connection = NULL;
    list_append(&r->owner->abandoned, &r->node);
    if (r->abandoned != NULL)
        r->abandoned(r);
}

// The handler gives it back.
static void end_handling(struct request *r)
{
    struct connection *conn = r->connection;
    check(!list_linked(&r->node) && conn->handed_count > 0);
    conn->handed_count--;
}

void request_reply_version(struct request *r, int16_t version, const void *message)
{
    check(r->magic == REQUEST_MAGIC);
    if (request_is_abandoned(r)) {
        request__free(r);
        return;
    }
    struct connection *conn = r->connection;
    const struct connections_config *config = &conn->owner->config;
    int result = rpc_response_encode(&r->exchange.output, r->header.api_key, version,
                                     r->header.correlation_id, message, r->splice_max,
                                     config->answer_bytes_max);
    if (result != 0) {
        trace_error(config->trace, "broker", "the answer to %s version %d cannot be encoded: %s",
                    api_find(r->header.api_key)->name, (int)version, err_text(result));
        request_close_connection(r, "no answer");
        return;
    }
    end_handling(r);
    rpc_pipeline_answer(&conn->pipeline, &r->exchange);
    keep_answer_alone(r);
    connection__schedule(conn);
}

void request_reply(struct request *r, const void *message)
{
    request_reply_version(r, r->header.api_version, message);
}

void request_drop(struct request *r)
{
    check(r->magic == REQUEST_MAGIC);
    if (request_is_abandoned(r)) {
        request__free(r);
        return;
    }
    struct connection *conn = r->connection;
    end_handling(r);
    rpc_pipeline_skip(&conn->pipeline, &r->exchange);
    connection__schedule(conn);
}

void request_close_connection(struct request *r, const char *why)
{
    check(r->magic == REQUEST_MAGIC);
    if (!request_is_abandoned(r)) {
        struct connection *conn = r->connection;
        conn->owner->stats.closed_bad_total++;
        trace_debug(conn->owner->config.trace, "broker", "closing %s port %u: %s",
                    conn->net->remote.host, (unsigned)conn->net->remote.port, why);
        connection__cut(conn, r);
    }
    request_drop(r);
}

void request_add_cleanup(struct request *r, struct request_cleanup *cleanup)
{
    check(r->magic == REQUEST_MAGIC);
    cleanup->next = r->cleanups;
    r->cleanups = cleanup;
}

const char *request_listener(const struct request *r)
{
    return r->connection->listener->name;
}

const struct net_address *request_local_address(const struct request *r)
{
    return &r->connection->net->local;
}

const struct net_address *request_remote_address(const struct request *r)
{
    return &r->connection->net->remote;
}

void *request_connection_user(const struct request *r)
{
    return connection_user(r->connection);
}
