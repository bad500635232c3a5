// SPDX-License-Identifier: Apache-2.0
#include "client/client.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "wire/api/metadata.h"
#include "wire/apis.h"
#include "wire/errors.h"

enum {
    PORT_DEFAULT = 9092,
    TROUBLE_MAX = 512,
    BACKOFF_SHIFT_MAX = 10, // more failures do not lengthen the pause
};

enum link_state { LINK_FREE, LINK_WANTED, LINK_CONNECTING, LINK_OPEN, LINK_CLOSING };

struct link {
    enum link_state state;
    int endpoint;
    int channel;         // of the requests it carries
    int64_t deadline_ms; // of connecting and negotiating
    bool ready;          // versions are known
    struct rpc_client rpc;
};

// An address, of the bootstrap list or of a node, with the memory of how it went.
struct endpoint {
    int32_t node; // -1: only known from the bootstrap list
    char host[CLIENT_HOST_MAX];
    uint16_t port;
    bool bootstrap;
    int failures;     // in a row
    int64_t retry_ms; // not before
};

struct wanted_topic {
    char *name; // NULL: by id
    struct uuid id;
    bool create;
};

// A request asks for one of these. A broker that finds an id does not look at the names beside it, and
// one that is asked for all does not say which of those that we want are missing.
enum metadata_asks { METADATA_NAMES, METADATA_IDS, METADATA_ALL };

struct client {
    struct client_options options;
    char *client_id;
    struct topology topology;
    int64_t topology_generation;
    int64_t all_topics_generation;
    void (*topology_changed)(void *user, int64_t now_ms);
    void *topology_user;

    struct endpoint *endpoints;
    int endpoint_count;
    int endpoint_capacity;
    int endpoint_turn; // where the next search for any broker begins

    struct link **links; // by number; freed ones are kept for reuse (rpc state must not move)
    int link_count;
    int link_capacity;

    struct list waiting; // requests without a link, in order
    struct list sent;    // requests on a link

    struct wanted_topic *topics;
    int topic_count;
    int topic_capacity;
    bool all_topics;
    bool metadata_due;        // ask as soon as metadata_ms is reached
    int64_t metadata_ms;      // not before
    int64_t metadata_old_ms;  // when what we have is too old
    int metadata_failed;      // the error of the last try, 0 = none
    int metadata_attempts;    // without an answer
    enum metadata_asks metadata_asked; // by the last request
    struct client_request metadata_request;
    struct metadata_request metadata_body;
    struct metadata_request_metadata_request_topic *metadata_topics;

    int64_t now_ms; // of the call that runs now, for completions
    int64_t ended_count; // requests
    bool was_connected;
    char trouble[TROUBLE_MAX];
};

static void metadata_step(struct client *c, int64_t now_ms);
static int64_t metadata_next_ms(const struct client *c);

static int64_t or_default(int64_t value, int64_t fallback)
{
    return value != 0 ? value : fallback;
}

// --- Endpoints ---

static struct endpoint *endpoint_add(struct client *c, struct str host, uint16_t port)
{
    mem_grow(c->endpoints, c->endpoint_count, c->endpoint_capacity);
    struct endpoint *e = &c->endpoints[c->endpoint_count++];
    *e = (struct endpoint){.node = -1, .port = port};
    str_copy_to(host, e->host, sizeof e->host);
    return e;
}

static int parse_address(struct str text, struct str *host, uint16_t *port)
{
    int64_t number = PORT_DEFAULT;
    struct str rest = {0};
    if (str_starts_with(text, "[")) {
        rest = str_of(text.data + 1, text.size - 1);
        *host = str_cut(&rest, ']');
        if (rest.data == NULL || (rest.size > 0 && rest.data[0] != ':'))
            return ERR_INVALID;
        rest = rest.size > 0 ? str_of(rest.data + 1, rest.size - 1) : (struct str){0};
    } else {
        rest = text;
        *host = str_cut(&rest, ':');
        if (rest.data != NULL && memchr(rest.data, ':', rest.size) != NULL) {
            *host = text; // an IPv6 address without brackets
            rest = (struct str){0};
        }
    }
    if (rest.data != NULL && !str_parse_i64(rest, &number))
        return ERR_INVALID;
    if (host->size == 0 || host->size >= CLIENT_HOST_MAX || number < 1 || number > UINT16_MAX)
        return ERR_INVALID;
    *port = (uint16_t)number;
    return 0;
}

static int parse_bootstrap(struct client *c, struct str list, struct diag *diag)
{
    while (list.data != NULL) {
        struct str item = str_trim(str_cut(&list, ',')), host;
        uint16_t port;
        if (item.size == 0)
            continue;
        if (parse_address(item, &host, &port) < 0)
            return diag_set(diag, ERR_INVALID,
                            "\"%.*s\" is not a broker's address: use HOST:PORT[,HOST:PORT]...",
                            STR_ARG(item));
        endpoint_add(c, host, port)->bootstrap = true;
    }
    if (c->endpoint_count == 0)
        return diag_set(diag, ERR_INVALID, "no bootstrap server is given: use HOST:PORT");
    return 0;
}

// The endpoint of a node, by id, or a bootstrap endpoint that turns out to be it.
static void endpoint_learn(struct client *c, const struct topology_node *node)
{
    struct endpoint *found = NULL;
    for (int i = 0; i < c->endpoint_count; i++) {
        struct endpoint *e = &c->endpoints[i];
        bool same = e->port == node->port && strcmp(e->host, node->host) == 0;
        if (e->node == node->id && same)
            return;
        if (e->node == node->id)
            e->node = -1; // it has moved
        if (same && e->node < 0)
            found = e;
    }
    if (found == NULL)
        found = endpoint_add(c, str_from(node->host), node->port);
    found->node = node->id;
}

// --- Links ---

static int link_new(struct client *c)
{
    for (int i = 0; i < c->link_count; i++)
        if (c->links[i]->state == LINK_FREE)
            return i;
    if (c->link_count == CLIENT_LINKS_MAX)
        return -1;
    mem_grow(c->links, c->link_count, c->link_capacity);
    c->links[c->link_count] = mem_new(struct link);
    return c->link_count++;
}

static int link_of_endpoint(const struct client *c, int endpoint, int channel)
{
    for (int i = 0; i < c->link_count; i++) {
        enum link_state state = c->links[i]->state;
        if (c->links[i]->endpoint == endpoint && c->links[i]->channel == channel &&
            (state == LINK_WANTED || state == LINK_CONNECTING || state == LINK_OPEN))
            return i;
    }
    return -1;
}

// A link to the endpoint, made if it may be tried now; -1 while it may not.
static int link_open(struct client *c, int endpoint, int channel, int64_t now_ms)
{
    int found = link_of_endpoint(c, endpoint, channel);
    if (found >= 0 || now_ms < c->endpoints[endpoint].retry_ms)
        return found;
    int i = link_new(c);
    if (i < 0)
        return -1;
    *c->links[i] = (struct link){
        .state = LINK_WANTED,
        .endpoint = endpoint,
        .channel = channel,
        .deadline_ms = now_ms + c->options.connect_timeout_ms,
    };
    return i;
}

static void request_finish(struct client_request *r, int err, struct client_answer *answer,
                           int64_t now_ms)
{
    list_remove(&r->node_in_list);
    r->active = false;
    r->client->ended_count++;
    r->done(r, err, answer, now_ms);
}

// Ends the requests that were sent on a link.
static void link_fail_requests(struct client *c, int link, int64_t now_ms)
{
    struct list failed;
    list_init(&failed);
    list_for_each (n, next, &c->sent) {
        struct client_request *r = container_of(n, struct client_request, node_in_list);
        if (r->link == link) {
            rpc_client_cancel(&c->links[link]->rpc, &r->call);
            list_remove(n);
            list_append(&failed, n);
        }
    }
    struct list_node *n;
    while ((n = list_first(&failed)) != NULL)
        request_finish(container_of(n, struct client_request, node_in_list), ERR_CLOSED, NULL,
                       now_ms);
}

// Takes the state of a link down; what was sent on it fails. The socket is another matter.
static void link_drop(struct client *c, int link, const char *why, int64_t now_ms)
{
    struct link *l = c->links[link];
    struct endpoint *e = &c->endpoints[l->endpoint];
    bool failed = !l->ready;
    snprintf(c->trouble, sizeof c->trouble, "%s:%u: %s", e->host, e->port, why);
    if (failed)
        e->retry_ms = now_ms + client_backoff_ms(c, e->failures++);
    else
        e->retry_ms = now_ms + c->options.retry_backoff_ms;
    l->ready = false;
    if (l->state == LINK_OPEN) {
        link_fail_requests(c, link, now_ms);
        rpc_client_release(&c->links[link]->rpc);
    }
    if (e->node >= 0)
        client_topology_is_stale(c, now_ms);
}

// Ends a link from our side.
static void link_close(struct client *c, int link, const char *why, int64_t now_ms)
{
    bool exists = c->links[link]->state != LINK_WANTED;
    link_drop(c, link, why, now_ms);
    c->links[link]->state = exists ? LINK_CLOSING : LINK_FREE;
}

bool client_next_effect(struct client *c, struct client_effect *out)
{
    for (int i = 0; i < c->link_count; i++) {
        struct link *l = c->links[i];
        if (l->state != LINK_WANTED && l->state != LINK_CLOSING)
            continue;
        const struct endpoint *e = &c->endpoints[l->endpoint];
        bool connect = l->state == LINK_WANTED;
        *out = (struct client_effect){
            .kind = connect ? CLIENT_CONNECT : CLIENT_CLOSE, .link = i, .port = e->port};
        memcpy(out->host, e->host, sizeof out->host);
        l->state = connect ? LINK_CONNECTING : LINK_FREE;
        return true;
    }
    return false;
}

void client_on_connected(struct client *c, int link, int64_t now_ms)
{
    struct link *l = c->links[link];
    check(l->state == LINK_CONNECTING);
    struct rpc_client_options options = {
        .client_id = c->client_id,
        .answer_bytes_max = c->options.response_bytes_max,
    };
    rpc_client_init(&l->rpc, &options);
    l->state = LINK_OPEN;
    l->deadline_ms = now_ms + c->options.request_timeout_ms; // for ApiVersions
}

int client_slices(const struct client *c, int link, struct rpc_slice *slices, int slices_max)
{
    const struct link *l = c->links[link];
    return l->state == LINK_OPEN ? rpc_client_slices(&l->rpc, slices, slices_max) : 0;
}

void client_sent(struct client *c, int link, size_t size)
{
    rpc_client_sent(&c->links[link]->rpc, size);
}

void client_space(struct client *c, int link, uint8_t *scratch, size_t scratch_size, uint8_t **at,
                  size_t *room)
{
    rpc_client_space(&c->links[link]->rpc, scratch, scratch_size, at, room);
}

void client_on_received(struct client *c, int link, const uint8_t *at, size_t size, int64_t now_ms)
{
    struct link *l = c->links[link];
    if (l->state != LINK_OPEN)
        return;
    c->now_ms = now_ms;
    int err = rpc_client_received(&l->rpc, at, size);
    if (err < 0)
        link_close(c, link, l->rpc.diag.text, now_ms);
    else if (l->rpc.state == RPC_CLIENT_READY && !l->ready) {
        l->ready = true;
        c->endpoints[l->endpoint].failures = 0;
        c->was_connected = true;
    }
}

void client_on_closed(struct client *c, int link, const char *why, int64_t now_ms)
{
    enum link_state state = c->links[link]->state;
    if (state == LINK_FREE || state == LINK_CLOSING)
        return;
    link_drop(c, link, why, now_ms);
    c->links[link]->state = LINK_FREE;
}

// --- Requests ---

void client_send(struct client *c, struct client_request *r, int64_t now_ms)
{
    check(!r->active);
    r->client = c;
    r->active = true;
    r->link = -1;
    r->deadline_ms = now_ms + or_default(r->timeout_ms, c->options.request_timeout_ms);
    list_append(&c->waiting, &r->node_in_list);
}

void client_cancel(struct client *c, struct client_request *r)
{
    if (!r->active)
        return;
    if (r->link >= 0)
        rpc_client_cancel(&c->links[r->link]->rpc, &r->call);
    list_remove(&r->node_in_list);
    r->active = false;
}

void client_answer_move(struct client_answer *to, struct client_answer *from)
{
    *to = *from;
    *from = (struct client_answer){0};
}

void client_answer_release(struct client_answer *a)
{
    arena_release(&a->arena);
    rpc_frame_release(&a->frame);
    *a = (struct client_answer){0};
}

// Decodes an answer and gives it to its request.
static void on_answer(struct rpc_call *call, int err, struct rpc_answer *rpc)
{
    struct client_request *r = container_of(call, struct client_request, call);
    struct client *c = r->client;
    if (err < 0) {
        request_finish(r, err, NULL, c->now_ms);
        return;
    }
    const struct api *api = api_find(rpc->api_key);
    struct client_answer answer = {.version = rpc->api_version};
    arena_init(&answer.arena, WIRE_DECODE_MEMORY_BASE +
                                  (size_t)WIRE_DECODE_MEMORY_MULTIPLE * (rpc->body.size + 1) +
                                  wire_schema_struct_size(api->response));
    void *response = arena_alloc(&answer.arena, wire_schema_struct_size(api->response));
    err = response != NULL ? rpc_answer_decode(rpc, &answer.arena, response) : ERR_NOMEM;
    answer.response = response;
    answer.frame = rpc->frame;
    rpc->frame = (struct rpc_frame){0};
    request_finish(r, err < 0 ? ERR_CORRUPT : 0, err < 0 ? NULL : &answer, c->now_ms);
    client_answer_release(&answer);
}

// Any link that is ready, else any that is on its way, else a new one to the next address whose turn
// it is.
static int link_any(struct client *c, int64_t now_ms)
{
    int coming = -1;
    for (int i = 0; i < c->link_count; i++) {
        struct link *l = c->links[i];
        if (l->channel != 0)
            continue;
        if (l->state == LINK_OPEN && l->ready)
            return i;
        if (l->state == LINK_OPEN || l->state == LINK_CONNECTING || l->state == LINK_WANTED)
            coming = i;
    }
    for (int n = 0; coming < 0 && n < c->endpoint_count; n++)
        coming = link_open(c, (c->endpoint_turn + n) % c->endpoint_count, 0, now_ms);
    if (coming >= 0)
        c->endpoint_turn = (c->links[coming]->endpoint + 1) % c->endpoint_count;
    return coming;
}

static int link_for_node(struct client *c, int32_t node, int channel, int64_t now_ms)
{
    if (node == CLIENT_NODE_ANY)
        return link_any(c, now_ms);
    for (int i = 0; i < c->endpoint_count; i++)
        if (c->endpoints[i].node == node)
            return link_open(c, i, channel, now_ms);
    c->metadata_due = true; // the node is not known: ask about it
    return -1;
}

// Sends a request on a ready link, or fails it.
static void request_start(struct client *c, struct client_request *r, int link, int64_t now_ms)
{
    struct rpc_client *rpc = &c->links[link]->rpc;
    const struct api *api = api_find(r->api_key);
    bool any = r->version_min == 0 && r->version_max == 0;
    struct diag diag;
    int version = rpc_client_version(rpc, r->api_key, any ? api->version_min : r->version_min,
                                     any ? api->version_max : r->version_max, &diag);
    int err = version;
    r->call = (struct rpc_call){.done = on_answer};
    if (version >= 0 && r->no_response)
        err = rpc_client_send_silent(rpc, r->api_key, (int16_t)version, r->body);
    else if (version >= 0)
        err = rpc_client_call(rpc, &r->call, r->api_key, (int16_t)version, r->body);
    if (err < 0 && version < 0)
        snprintf(c->trouble, sizeof c->trouble, "%s", diag.text);
    if (err < 0 || r->no_response) {
        request_finish(r, err < 0 ? err : 0, NULL, now_ms);
        return;
    }
    r->link = link;
    list_remove(&r->node_in_list);
    list_append(&c->sent, &r->node_in_list);
}

// True when every bootstrap address has failed and nobody has ever answered.
static bool nobody_is_there(const struct client *c)
{
    if (!c->options.fail_fast || c->was_connected)
        return false;
    for (int i = 0; i < c->endpoint_count; i++)
        if (c->endpoints[i].failures == 0)
            return false;
    return true;
}

static void start_waiting(struct client *c, int64_t now_ms)
{
    bool unreachable = nobody_is_there(c);
    list_for_each (n, next, &c->waiting) {
        struct client_request *r = container_of(n, struct client_request, node_in_list);
        if (unreachable) {
            request_finish(r, ERR_REFUSED, NULL, now_ms);
            continue;
        }
        int link = link_for_node(c, r->node, r->channel, now_ms);
        if (link >= 0 && c->links[link]->ready)
            request_start(c, r, link, now_ms);
    }
}

// --- Time ---

int64_t client_backoff_ms(const struct client *c, int attempt)
{
    int shift = attempt < BACKOFF_SHIFT_MAX ? attempt : BACKOFF_SHIFT_MAX;
    int64_t ms = c->options.retry_backoff_ms << shift;
    return ms < c->options.retry_backoff_ms_max ? ms : c->options.retry_backoff_ms_max;
}

static void expire_requests(struct client *c, int64_t now_ms)
{
    list_for_each (n, next, &c->waiting) {
        struct client_request *r = container_of(n, struct client_request, node_in_list);
        if (now_ms >= r->deadline_ms)
            request_finish(r, c->was_connected ? ERR_TIMEOUT : ERR_REFUSED, NULL, now_ms);
    }
    // A broker that leaves one request unanswered does not answer the ones behind it either, as
    // answers come in order: the connection is of no use.
    list_for_each (n, next, &c->sent) {
        struct client_request *r = container_of(n, struct client_request, node_in_list);
        if (now_ms < r->deadline_ms)
            continue;
        int link = r->link;
        rpc_client_cancel(&c->links[link]->rpc, &r->call);
        request_finish(r, ERR_TIMEOUT, NULL, now_ms);
        link_close(c, link, "no answer within the request timeout", now_ms);
        return; // the list has changed
    }
}

static void expire_links(struct client *c, int64_t now_ms)
{
    for (int i = 0; i < c->link_count; i++) {
        struct link *l = c->links[i];
        bool coming = l->state == LINK_CONNECTING || (l->state == LINK_OPEN && !l->ready);
        if (coming && now_ms >= l->deadline_ms)
            link_close(c, i, l->state == LINK_OPEN ? "no answer to ApiVersions" : "connect timed out",
                       now_ms);
    }
}

void client_step(struct client *c, int64_t now_ms)
{
    c->now_ms = now_ms;
    expire_links(c, now_ms);
    expire_requests(c, now_ms);
    metadata_step(c, now_ms);
    start_waiting(c, now_ms);
}

int64_t client_ended_count(const struct client *c)
{
    return c->ended_count;
}

static void sooner(int64_t *next_ms, int64_t ms)
{
    *next_ms = ms < *next_ms ? ms : *next_ms;
}

int64_t client_next_ms(const struct client *c)
{
    int64_t next_ms = metadata_next_ms(c);
    list_for_each (n, next, &c->waiting)
        sooner(&next_ms, container_of(n, struct client_request, node_in_list)->deadline_ms);
    list_for_each (n, next, &c->sent)
        sooner(&next_ms, container_of(n, struct client_request, node_in_list)->deadline_ms);
    for (int i = 0; i < c->link_count; i++)
        if (c->links[i]->state == LINK_CONNECTING ||
            (c->links[i]->state == LINK_OPEN && !c->links[i]->ready))
            sooner(&next_ms, c->links[i]->deadline_ms);
    for (int i = 0; i < c->endpoint_count && !list_empty(&c->waiting); i++)
        if (c->endpoints[i].retry_ms > c->now_ms)
            sooner(&next_ms, c->endpoints[i].retry_ms);
    return next_ms;
}

// --- Metadata ---

static bool metadata_is_wanted(const struct client *c)
{
    return c->all_topics || c->topic_count > 0;
}

void client_want_all_topics(struct client *c)
{
    c->all_topics = true;
    c->metadata_due = true;
}

void client_want_topic(struct client *c, struct str topic, bool create)
{
    for (int i = 0; i < c->topic_count; i++) {
        if (c->topics[i].name != NULL && str_is(topic, c->topics[i].name)) {
            c->topics[i].create |= create;
            return;
        }
    }
    mem_grow(c->topics, c->topic_count, c->topic_capacity);
    c->topics[c->topic_count++] =
        (struct wanted_topic){.name = mem_copy_str(topic), .create = create};
    c->metadata_due = true;
}

void client_want_topic_id(struct client *c, struct uuid id)
{
    for (int i = 0; i < c->topic_count; i++)
        if (c->topics[i].name == NULL && uuid_equal(c->topics[i].id, id))
            return;
    mem_grow(c->topics, c->topic_count, c->topic_capacity);
    c->topics[c->topic_count++] = (struct wanted_topic){.id = id};
    c->metadata_due = true;
}

void client_topology_is_stale(struct client *c, int64_t now_ms)
{
    if (c->metadata_due || !metadata_is_wanted(c))
        return;
    c->metadata_due = true;
    if (c->metadata_ms < now_ms + c->options.retry_backoff_ms)
        c->metadata_ms = now_ms + c->options.retry_backoff_ms;
}

// Whether a topic is wanted of which nothing is known, by name or by id.
static bool lacks_any(const struct client *c, bool by_id)
{
    for (int i = 0; i < c->topic_count; i++) {
        const struct wanted_topic *w = &c->topics[i];
        if (by_id != (w->name == NULL))
            continue;
        if (by_id ? topology_topic_by_id(&c->topology, w->id) == NULL
                  : topology_topic(&c->topology, str_from(w->name)) == NULL)
            return true;
    }
    return false;
}

static void on_metadata(struct client_request *r, int err, struct client_answer *answer,
                        int64_t now_ms)
{
    struct client *c = r->user;
    mem_free(c->metadata_topics);
    c->metadata_topics = NULL;
    if (err < 0) {
        c->metadata_due = err != ERR_UNSUPPORTED;
        c->metadata_ms = now_ms + client_backoff_ms(c, c->metadata_attempts++);
        c->metadata_failed = err;
        return;
    }
    c->metadata_attempts = 0;
    c->metadata_failed = 0;
    c->metadata_old_ms = now_ms + c->options.metadata_age_ms_max;
    topology_update(&c->topology, answer->response, c->metadata_asked == METADATA_ALL);
    c->all_topics_generation += c->metadata_asked == METADATA_ALL;
    for (int i = 0; i < c->topology.node_count; i++)
        endpoint_learn(c, &c->topology.nodes[i]);
    c->topology_generation++;
    // Those that this answer says nothing of have their turn at once.
    c->metadata_due |= c->metadata_asked == METADATA_IDS ||
                       (c->metadata_asked == METADATA_ALL && lacks_any(c, false));
    if (c->topology_changed != NULL)
        c->topology_changed(c->topology_user, now_ms);
}

// What the next request asks for, when the last one asked for `last`: each has its turn.
static enum metadata_asks metadata_turn(const struct client *c, enum metadata_asks last)
{
    if (c->all_topics)
        return last == METADATA_ALL && lacks_any(c, false) ? METADATA_NAMES : METADATA_ALL;
    return last != METADATA_IDS && lacks_any(c, true) ? METADATA_IDS : METADATA_NAMES;
}

static void fill_wanted(struct client *c, struct metadata_request *m)
{
    c->metadata_topics = mem_alloc_array((size_t)c->topic_count + 1, sizeof *c->metadata_topics);
    m->topics.items = c->metadata_topics;
    m->topics.count = 0;
    for (int i = 0; i < c->topic_count; i++) {
        if ((c->metadata_asked == METADATA_IDS) != (c->topics[i].name == NULL))
            continue;
        struct metadata_request_metadata_request_topic *t = &c->metadata_topics[m->topics.count++];
        metadata_request_metadata_request_topic_init(t);
        t->name = str_from(c->topics[i].name);
        t->topic_id = c->topics[i].id;
        m->allow_auto_topic_creation |= c->topics[i].create;
    }
}

static void metadata_ask(struct client *c, int64_t now_ms)
{
    struct metadata_request *m = &c->metadata_body;
    metadata_request_init(m);
    m->topics.count = -1;
    m->allow_auto_topic_creation = false;
    c->metadata_asked = metadata_turn(c, c->metadata_asked);
    if (c->metadata_asked != METADATA_ALL)
        fill_wanted(c, m);
    c->metadata_due = false;
    c->metadata_request = (struct client_request){
        .api_key = API_METADATA,
        // Version 0 has no way to ask for no topics, none before 4 to say "do not create", and none
        // before 12 takes ids alone.
        .version_min = c->metadata_asked == METADATA_IDS ? 12 : 4,
        .version_max = api_find(API_METADATA)->version_max,
        .node = CLIENT_NODE_ANY,
        .body = m,
        .done = on_metadata,
        .user = c,
    };
    client_send(c, &c->metadata_request, now_ms);
}

static void metadata_step(struct client *c, int64_t now_ms)
{
    if (metadata_is_wanted(c) && c->topology_generation > 0 && now_ms >= c->metadata_old_ms)
        c->metadata_due = true;
    if (c->metadata_due && !c->metadata_request.active && now_ms >= c->metadata_ms)
        metadata_ask(c, now_ms);
}

static int64_t metadata_next_ms(const struct client *c)
{
    if (c->metadata_request.active)
        return INT64_MAX; // counted with the requests
    if (c->metadata_due)
        return c->metadata_ms;
    return metadata_is_wanted(c) && c->topology_generation > 0 ? c->metadata_old_ms : INT64_MAX;
}

const struct topology *client_topology(const struct client *c)
{
    return &c->topology;
}

int64_t client_topology_generation(const struct client *c)
{
    return c->topology_generation;
}

int64_t client_all_topics_generation(const struct client *c)
{
    return c->all_topics_generation;
}

int client_topology_error(const struct client *c)
{
    return c->metadata_failed;
}

void client_on_topology(struct client *c, void (*changed)(void *user, int64_t now_ms), void *user)
{
    c->topology_changed = changed;
    c->topology_user = user;
}

// --- Life ---

const char *client_trouble(const struct client *c)
{
    return c->trouble;
}

bool client_was_connected(const struct client *c)
{
    return c->was_connected;
}

int client_new(const struct client_options *options, struct str bootstrap, struct client **out,
               struct diag *diag)
{
    struct client *c = mem_new(struct client);
    c->options = *options;
    struct client_options *o = &c->options;
    o->request_timeout_ms = or_default(o->request_timeout_ms, 30000);
    o->connect_timeout_ms = or_default(o->connect_timeout_ms, 10000);
    o->retry_backoff_ms = or_default(o->retry_backoff_ms, 100);
    o->retry_backoff_ms_max = or_default(o->retry_backoff_ms_max, 1000);
    o->metadata_age_ms_max = or_default(o->metadata_age_ms_max, 300000);
    o->response_bytes_max = o->response_bytes_max != 0 ? o->response_bytes_max : 128 << 20;
    c->client_id = mem_copy_text(o->client_id != NULL ? o->client_id : "chitin");
    topology_init(&c->topology);
    list_init(&c->waiting);
    list_init(&c->sent);
    int err = parse_bootstrap(c, bootstrap, diag);
    if (err < 0) {
        client_free(c);
        return err;
    }
    *out = c;
    return 0;
}

static void fail_all(struct client *c)
{
    client_cancel(c, &c->metadata_request);
    struct list_node *n;
    while ((n = list_first(&c->waiting)) != NULL)
        request_finish(container_of(n, struct client_request, node_in_list), ERR_CLOSED, NULL,
                       c->now_ms);
    while ((n = list_first(&c->sent)) != NULL) {
        struct client_request *r = container_of(n, struct client_request, node_in_list);
        rpc_client_cancel(&c->links[r->link]->rpc, &r->call);
        request_finish(r, ERR_CLOSED, NULL, c->now_ms);
    }
}

void client_free(struct client *c)
{
    if (c == NULL)
        return;
    fail_all(c);
    for (int i = 0; i < c->link_count; i++) {
        if (c->links[i]->state == LINK_OPEN)
            rpc_client_release(&c->links[i]->rpc);
        mem_free(c->links[i]);
    }
    for (int i = 0; i < c->topic_count; i++)
        mem_free(c->topics[i].name);
    topology_release(&c->topology);
    mem_free(c->links);
    mem_free(c->topics);
    mem_free(c->metadata_topics);
    mem_free(c->endpoints);
    mem_free(c->client_id);
    mem_free(c);
}
