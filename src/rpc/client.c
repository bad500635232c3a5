// SPDX-License-Identifier: Apache-2.0
#include "rpc/client.h"

#include "base/check.h"
#include "base/be.h"
#include "base/err.h"
#include "base/mem.h"
#include "wire/api/api_versions.h"
#include "wire/apis.h"
#include "wire/errors.h"
#include "wire/record/response_header.h"

enum {
    CLIENT_MAGIC = 0x72706363,
    DEFAULT_BYTES_MAX = 100 * 1024 * 1024,
    VERSIONS_ARENA_MAX = 1 << 20, // an answer to ApiVersions takes a few KiB
    SPLICES_MAX = 64,             // in one request
    KAFKA_UNSUPPORTED_VERSION_CODE = 35,
};

// A request under way: first in `outgoing`, then, unless it is silent, in `awaited`.
struct rpc_pending {
    struct list_node node;
    struct rpc_call *call; // NULL: silent, cancelled, or the negotiation
    int32_t correlation_id;
    int16_t api_key;
    int16_t api_version;
    bool silent;
    struct rpc_output output;
};

static void client_check(const struct rpc_client *c)
{
    check(c->magic == CLIENT_MAGIC);
}

static struct rpc_pending *pending_of(struct list_node *node)
{
    return node != NULL ? container_of(node, struct rpc_pending, node) : NULL;
}

static void pending_free(struct rpc_pending *p)
{
    list_remove(&p->node);
    if (p->call != NULL)
        p->call->pending = NULL;
    rpc_output_release(&p->output);
    mem_free(p);
}

static int fail(struct rpc_client *c, int err)
{
    c->state = RPC_CLIENT_FAILED;
    return err;
}

// --- requests

static int enqueue(struct rpc_client *c, struct rpc_call *call, int16_t api_key, int16_t api_version,
                   const void *message, bool silent)
{
    struct rpc_pending *p = mem_new(struct rpc_pending);
    int result = rpc_request_encode(&p->output, api_key, api_version, c->correlation_id_next,
                                    str_from(c->client_id), message, SPLICES_MAX,
                                    c->options.request_bytes_max);
    if (result != 0) {
        mem_free(p);
        return result;
    }
    p->correlation_id = c->correlation_id_next;
    p->api_key = api_key;
    p->api_version = api_version;
    p->silent = silent;
    p->call = call;
    if (call != NULL)
        call->pending = p;
    // Never negative, as some servers print it.
    c->correlation_id_next = c->correlation_id_next == INT32_MAX ? 0 : c->correlation_id_next + 1;
    list_append(&c->outgoing, &p->node);
    return 0;
}

static int check_callable(const struct rpc_client *c)
{
    client_check(c);
    if (c->state == RPC_CLIENT_READY)
        return 0;
    return c->state == RPC_CLIENT_FAILED ? ERR_CLOSED : ERR_AGAIN;
}

int rpc_client_call(struct rpc_client *c, struct rpc_call *call, int16_t api_key, int16_t api_version,
                    const void *message)
{
    check(call->pending == NULL && call->done != NULL);
    int result = check_callable(c);
    return result != 0 ? result : enqueue(c, call, api_key, api_version, message, false);
}

int rpc_client_send_silent(struct rpc_client *c, int16_t api_key, int16_t api_version,
                           const void *message)
{
    int result = check_callable(c);
    return result != 0 ? result : enqueue(c, NULL, api_key, api_version, message, true);
}

void rpc_client_cancel(struct rpc_client *c, struct rpc_call *call)
{
    client_check(c);
    if (call->pending != NULL)
        call->pending->call = NULL;
    call->pending = NULL;
}

// --- negotiation (KIP-35, KIP-511)

static int ask_versions(struct rpc_client *c, int16_t version)
{
    struct api_versions_request request;
    api_versions_request_init(&request);
    const char *name = c->options.software_name;
    const char *software_version = c->options.software_version;
    // Fields that older versions do not have are left at their defaults there.
    if (version >= 3) {
        request.client_software_name = str_from(name != NULL ? name : "chitin");
        request.client_software_version =
            str_from(software_version != NULL ? software_version : CHITIN_VERSION);
    }
    c->negotiated_version = version;
    return enqueue(c, NULL, API_API_VERSIONS, version, &request, false);
}

static void forget_versions(struct rpc_client *c)
{
    for (int i = 0; i < API_SLOT_COUNT; i++) {
        c->server_version_min[i] = 0;
        c->server_version_max[i] = -1;
    }
}

static void keep_versions(struct rpc_client *c, const struct api_versions_response *response)
{
    forget_versions(c);
    for (int32_t i = 0; i < response->api_keys.count; i++) {
        const struct api_versions_response_api_version *v = &response->api_keys.items[i];
        int slot = api_slot(v->api_key);
        if (slot < 0)
            continue; // newer than we are
        c->server_version_min[slot] = v->min_version;
        c->server_version_max[slot] = v->max_version;
    }
}

// The server does not know the version we asked in. Its answer may list the ones it does know.
static int fall_back(struct rpc_client *c, const struct api_versions_response *response)
{
    int16_t next = 0;
    keep_versions(c, response);
    if (c->negotiated_version == 0) {
        diag_set(&c->diag, ERR_UNSUPPORTED,
                 "the server refuses version 0 of ApiVersions: it is not a Kafka server");
        return fail(c, ERR_UNSUPPORTED);
    }
    if (c->server_version_max[API_API_VERSIONS] > 0 &&
        c->server_version_max[API_API_VERSIONS] < c->negotiated_version)
        next = c->server_version_max[API_API_VERSIONS];
    return ask_versions(c, next);
}

static int take_versions(struct rpc_client *c, struct bytes body)
{
    struct api_versions_response response;
    struct arena arena;
    arena_init(&arena, VERSIONS_ARENA_MAX);
    // Whatever was asked: an answer with error 35 has the shape of version 0.
    bool refused = body.size >= 2 && be16_load(body.data) == KAFKA_UNSUPPORTED_VERSION_CODE;
    int result = wire_decode(&api_versions_response_schema, refused ? 0 : c->negotiated_version,
                             body, &arena, &response, NULL);
    if (result != 0) {
        diag_set(&c->diag, result, "the server's answer to ApiVersions does not parse: %s",
                 err_text(result));
        fail(c, result);
    } else if (refused) {
        result = fall_back(c, &response);
    } else if (response.error_code != 0) {
        diag_set(&c->diag, ERR_REFUSED, "the server answers ApiVersions with error %d",
                 (int)response.error_code);
        result = fail(c, ERR_REFUSED);
    } else {
        keep_versions(c, &response);
        c->state = RPC_CLIENT_READY;
        if (c->ready != NULL)
            c->ready(c);
    }
    arena_release(&arena);
    return result;
}

int rpc_client_version(const struct rpc_client *c, int16_t api_key, int16_t version_min,
                       int16_t version_max, struct diag *diag)
{
    client_check(c);
    const struct api *api = api_find(api_key);
    if (api == NULL || c->state != RPC_CLIENT_READY)
        return diag_set(diag, ERR_UNSUPPORTED, "no versions are known");
    int slot = api_slot(api_key);
    int16_t low = version_min > api->version_min ? version_min : api->version_min;
    int16_t high = version_max < api->version_max ? version_max : api->version_max;
    if (low < c->server_version_min[slot])
        low = c->server_version_min[slot];
    if (high > c->server_version_max[slot])
        high = c->server_version_max[slot];
    if (low <= high)
        return high;
    if (c->server_version_max[slot] < c->server_version_min[slot])
        return diag_set(diag, ERR_UNSUPPORTED, "the server does not serve %s", api->name);
    return diag_set(diag, ERR_UNSUPPORTED,
                    "%s: the server serves versions %d to %d, versions %d to %d are needed",
                    api->name, (int)c->server_version_min[slot],
                    (int)c->server_version_max[slot], (int)version_min, (int)version_max);
}

// --- answers

int rpc_answer_decode(const struct rpc_answer *answer, struct arena *arena, void *out)
{
    return wire_decode(api_find(answer->api_key)->response, answer->api_version, answer->body, arena,
                       out, NULL);
}

static int answer_header(struct rpc_client *c, const struct rpc_pending *p, struct bytes frame,
                         size_t *size)
{
    struct response_header header;
    struct arena nothing;
    arena_init(&nothing, 0);
    int result = wire_decode(&response_header_schema,
                             api_response_header_version(p->api_key, p->api_version), frame,
                             &nothing, &header, size);
    if (result == 0 && header.correlation_id == p->correlation_id)
        return 0;
    diag_set(&c->diag, ERR_CORRUPT, "the server's answer does not belong to request %d (%s)",
             (int)p->correlation_id, api_find(p->api_key)->name);
    return ERR_CORRUPT;
}

static int take_answer(struct rpc_client *c, struct rpc_frame *frame)
{
    size_t size;
    struct rpc_pending *p = pending_of(list_first(&c->awaited));
    if (p == NULL) {
        diag_set(&c->diag, ERR_CORRUPT, "the server answers although nothing was asked");
        return fail(c, ERR_CORRUPT);
    }
    int result = answer_header(c, p, rpc_frame_bytes(frame), &size);
    if (result != 0)
        return fail(c, result);
    struct rpc_answer answer = {
        .api_key = p->api_key,
        .api_version = p->api_version,
        .body = bytes_of(frame->data + size, frame->size - size),
        .frame = *frame,
    };
    struct rpc_call *call = p->call;
    *frame = (struct rpc_frame){0};
    c->awaited_count--;
    pending_free(p);
    if (c->state == RPC_CLIENT_NEGOTIATING)
        result = take_versions(c, answer.body);
    else if (call != NULL)
        call->done(call, 0, &answer);
    rpc_frame_release(&answer.frame);
    return result;
}

void rpc_client_space(struct rpc_client *c, uint8_t *scratch, size_t scratch_size, uint8_t **at,
                      size_t *room)
{
    client_check(c);
    rpc_frame_reader_space(&c->reader, scratch, scratch_size, at, room);
}

int rpc_client_received(struct rpc_client *c, const uint8_t *at, size_t size)
{
    client_check(c);
    if (c->state == RPC_CLIENT_FAILED)
        return ERR_CLOSED;
    if (size > 0)
        rpc_frame_reader_filled(&c->reader, at, size);
    struct rpc_frame frame = {0};
    int result;
    while ((result = rpc_frame_reader_next(&c->reader, &frame)) == 1) {
        result = take_answer(c, &frame);
        rpc_frame_release(&frame);
        if (result != 0)
            return result;
    }
    rpc_frame_reader_park(&c->reader);
    if (result == 0 || result == ERR_AGAIN)
        return result;
    diag_set(&c->diag, result, "the server sent a frame that cannot be: %s", err_text(result));
    return fail(c, result);
}

// --- output

int rpc_client_slices(const struct rpc_client *c, struct rpc_slice *slices, int slices_max)
{
    client_check(c);
    int count = 0;
    list_for_each (node, next, &c->outgoing) {
        if (count == slices_max)
            break;
        count += rpc_output_slices(&pending_of(node)->output, slices + count, slices_max - count);
    }
    return count;
}

void rpc_client_sent(struct rpc_client *c, size_t size)
{
    client_check(c);
    while (size > 0) {
        struct rpc_pending *p = pending_of(list_first(&c->outgoing));
        check(p != NULL);
        size -= rpc_output_sent(&p->output, size);
        if (p->output.size_left > 0)
            break;
        if (p->silent) {
            pending_free(p);
            continue;
        }
        list_remove(&p->node);
        rpc_output_release(&p->output);
        list_append(&c->awaited, &p->node);
        c->awaited_count++;
    }
}

// --- life

void rpc_client_init(struct rpc_client *c, const struct rpc_client_options *options)
{
    *c = (struct rpc_client){
        .magic = CLIENT_MAGIC,
        .state = RPC_CLIENT_NEGOTIATING,
        .options = *options,
        .client_id = mem_copy_text(options->client_id),
    };
    if (c->options.answer_bytes_max == 0)
        c->options.answer_bytes_max = DEFAULT_BYTES_MAX;
    if (c->options.request_bytes_max == 0)
        c->options.request_bytes_max = DEFAULT_BYTES_MAX;
    rpc_frame_reader_init(&c->reader, c->options.answer_bytes_max, c->options.budget);
    list_init(&c->outgoing);
    list_init(&c->awaited);
    forget_versions(c);
    int result = ask_versions(c, api_find(API_API_VERSIONS)->version_max);
    check(result == 0);
}

static void end_all(struct rpc_client *c, struct list *pendings)
{
    struct rpc_pending *p;
    while ((p = pending_of(list_first(pendings))) != NULL) {
        struct rpc_call *call = p->call;
        pending_free(p);
        if (call != NULL)
            call->done(call, ERR_CLOSED, NULL);
    }
}

void rpc_client_release(struct rpc_client *c)
{
    client_check(c);
    c->state = RPC_CLIENT_FAILED; // no new calls from the callbacks
    end_all(c, &c->awaited);
    end_all(c, &c->outgoing);
    rpc_frame_reader_release(&c->reader);
    mem_free(c->client_id);
    c->client_id = NULL;
    c->magic = 0;
}
