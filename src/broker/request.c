// SPDX-License-Identifier: Apache-2.0
#include "broker/request.h"

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "broker/connection_internal.h"
#include "env/clock.h"
#include "env/mailbox.h"
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
    else
        r->owner->held_abandoned_bytes += bytes - r->held_bytes;
    r->held_bytes = bytes;
}

void request_decoded(struct request *r)
{
    if (r->away != NULL) // counted at home, where it is soon again
        return;
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
    r->owner->held_abandoned_bytes += r->held_bytes;
    r->connection = NULL;
    list_append(&r->owner->abandoned, &r->node);
    if (r->abandoned != NULL)
        r->abandoned(r);
}

// --- On another shard ---

enum ending { ENDING_ANSWER, ENDING_DROP, ENDING_CLOSE };

// In the request's arena. What belongs to the connection stays with its shard, so whatever a handler
// elsewhere may ask for is copied.
struct request_away {
    struct env_message message;
    struct request *request;
    struct request_trip trip;
    struct str listener;
    struct net_address local;
    struct net_address remote;
    void *connection_user;
    size_t answer_bytes_max;
    struct trace *trace;
    enum ending ending;
    const char *why;
};

static void finish_answer(struct request *r);

static void away_back(struct env_message *message)
{
    struct request_away *away = container_of(message, struct request_away, message);
    struct request *r = away->request;
    r->away = NULL;
    away->trip.back(away->trip.back_context);
    if (away->ending == ENDING_CLOSE)
        request_close_connection(r, away->why);
    else if (away->ending == ENDING_DROP || request_is_abandoned(r))
        request_drop(r);
    else
        finish_answer(r);
}

static void send_home(struct request *r, enum ending ending, const char *why)
{
    struct request_away *away = r->away;
    away->ending = ending;
    away->why = why;
    away->message.receive = away_back;
    env_post(away->trip.home, &away->message);
}

static void away_arrive(struct env_message *message)
{
    struct request_away *away = container_of(message, struct request_away, message);
    away->trip.serve(away->trip.serve_context, away->request);
}

bool request_send(struct request *r, const struct request_trip *trip)
{
    check(r->magic == REQUEST_MAGIC && !request_is_abandoned(r));
    struct request_away *away = arena_new(&r->arena, struct request_away);
    if (away == NULL)
        return false;
    *away = (struct request_away){
        .message.receive = away_arrive,
        .request = r,
        .trip = *trip,
        .listener = arena_copy_str(&r->arena, str_from(request_listener(r))),
        .local = *request_local_address(r),
        .remote = *request_remote_address(r),
        .connection_user = request_connection_user(r),
        .answer_bytes_max = r->owner->config.answer_bytes_max,
        .trace = r->owner->config.trace,
    };
    if (away->listener.data == NULL)
        return false;
    r->away = away;
    env_post(trip->to, &away->message);
    return true;
}

// --- The end ---

// The handler gives it back.
static void end_handling(struct request *r)
{
    struct connection *conn = r->connection;
    check(!list_linked(&r->node) && conn->handed_count > 0);
    conn->handed_count--;
}

// It is encoded.
static void finish_answer(struct request *r)
{
    struct connection *conn = r->connection;
    end_handling(r);
    rpc_pipeline_answer(&conn->pipeline, &r->exchange);
    keep_answer_alone(r);
    connection__schedule(conn);
}

void request_reply_version(struct request *r, int16_t version, const void *message)
{
    check(r->magic == REQUEST_MAGIC);
    if (request_is_abandoned(r)) {
        request__free(r);
        return;
    }
    const struct request_away *away = r->away;
    size_t bytes_max = away != NULL ? away->answer_bytes_max : r->owner->config.answer_bytes_max;
    int result = rpc_response_encode(&r->exchange.output, r->header.api_key, version,
                                     r->header.correlation_id, message, r->splice_max, bytes_max);
    if (result != 0) {
        trace_error(away != NULL ? away->trace : r->owner->config.trace, "broker",
                    "the answer to %s version %d cannot be encoded: %s",
                    api_find(r->header.api_key)->name, (int)version, err_text(result));
        request_close_connection(r, "no answer");
    } else if (away != NULL) {
        send_home(r, ENDING_ANSWER, NULL);
    } else {
        finish_answer(r);
    }
}

void request_reply(struct request *r, const void *message)
{
    request_reply_version(r, r->header.api_version, message);
}

void request_drop(struct request *r)
{
    check(r->magic == REQUEST_MAGIC);
    if (r->away != NULL) {
        send_home(r, ENDING_DROP, NULL);
        return;
    }
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
    if (r->away != NULL) {
        send_home(r, ENDING_CLOSE, why);
        return;
    }
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
    return r->away != NULL ? r->away->listener.data : r->connection->listener->name;
}

const struct net_address *request_local_address(const struct request *r)
{
    return r->away != NULL ? &r->away->local : &r->connection->net->local;
}

const struct net_address *request_remote_address(const struct request *r)
{
    return r->away != NULL ? &r->away->remote : &r->connection->net->remote;
}

void *request_connection_user(const struct request *r)
{
    return r->away != NULL ? r->away->connection_user : connection_user(r->connection);
}
