// SPDX-License-Identifier: Apache-2.0
#include "group_world.h"

#include <stdlib.h>
#include <string.h>

#include "base/be.h"
#include "base/mem.h"
#include "rpc/server.h"
#include "wire/api/api_versions.h"
#include "wire/api/consumer_group_heartbeat.h"
#include "wire/api/fetch.h"
#include "wire/api/find_coordinator.h"
#include "wire/api/heartbeat.h"
#include "wire/api/join_group.h"
#include "wire/api/leave_group.h"
#include "wire/api/list_offsets.h"
#include "wire/api/metadata.h"
#include "wire/api/offset_commit.h"
#include "wire/api/offset_fetch.h"
#include "wire/api/sync_group.h"
#include "wire/apis.h"
#include "wire/batch.h"

static const struct rpc_api served[] = {
    {API_FETCH, 4, 11},          {API_LIST_OFFSETS, 1, 6},  {API_METADATA, 4, 12},
    {API_OFFSET_COMMIT, 2, 9},   {API_OFFSET_FETCH, 1, 9},  {API_FIND_COORDINATOR, 0, 6},
    {API_JOIN_GROUP, 0, 9},      {API_HEARTBEAT, 0, 4},     {API_LEAVE_GROUP, 0, 5},
    {API_SYNC_GROUP, 0, 5},      {API_API_VERSIONS, 0, 5},  {API_CONSUMER_GROUP_HEARTBEAT, 0, 1},
};

enum { SERVED_COUNT = sizeof served / sizeof *served, FRAME_MAX = 1 << 20, STEP_MS = 50,
       TURNS_MAX = 2000 };

// An answer, sent once it is there and those before it are sent.
struct reply {
    struct list_node node;
    struct fixture_call *call; // its memory, and what it waits for
    const void *message;
    int16_t key;
    int16_t version;
    int32_t correlation_id;
    int64_t at_ms;  // not before
    bool plain;     // nobody's call is waited for
    bool lost;      // the connection ends instead
};

#define MESSAGE(reply, type, name)                                                                 \
    struct type *name = arena_new(&(reply)->call->arena, struct type);                             \
    type##_init(name);                                                                             \
    (reply)->message = name;                                                                       \
    (reply)->plain = true

// --- Answers of the broker itself ---

static void on_api_versions(struct world *w, const void *message, struct reply *out)
{
    MESSAGE(out, api_versions_response, r);
    r->api_keys.items =
        arena_new_array(&out->call->arena, SERVED_COUNT, struct api_versions_response_api_version);
    for (int i = 0; i < SERVED_COUNT; i++) {
        struct api_versions_response_api_version *v = &r->api_keys.items[r->api_keys.count++];
        v->api_key = served[i].key;
        v->min_version = served[i].version_min;
        v->max_version = served[i].version_max;
    }
}

static void fill_topic(struct world *w, const struct metadata_topic *t, struct arena *arena,
                       struct metadata_response_metadata_response_topic *out)
{
    static int32_t node = 1;
    out->name = t->name;
    out->topic_id = t->id;
    out->partitions.items = arena_new_array(arena, (size_t)t->partition_count,
                                            struct metadata_response_metadata_response_partition);
    out->partitions.count = t->partition_count;
    for (int i = 0; i < t->partition_count; i++) {
        struct metadata_response_metadata_response_partition *p = &out->partitions.items[i];
        metadata_response_metadata_response_partition_init(p);
        p->partition_index = i;
        p->leader_id = 1;
        p->leader_epoch = 0;
        p->replica_nodes = p->isr_nodes = (struct wire_int32_array){.items = &node, .count = 1};
    }
}

static void on_metadata(struct world *w, const void *message, struct reply *out)
{
    const struct metadata_request *m = message;
    struct arena *arena = &out->call->arena;
    MESSAGE(out, metadata_response, r);
    r->brokers.items = arena_new(arena, struct metadata_response_metadata_response_broker);
    metadata_response_metadata_response_broker_init(r->brokers.items);
    r->brokers.count = 1;
    r->brokers.items->node_id = 1;
    r->brokers.items->host = str_from("broker");
    r->brokers.items->port = 9092;
    int room = m->topics.count + WORLD_TOPICS + 1;
    r->topics.items =
        arena_new_array(arena, (size_t)room, struct metadata_response_metadata_response_topic);
    for (int i = 0; i < (m->topics.count < 0 ? WORLD_TOPICS : m->topics.count); i++) {
        const struct metadata_request_metadata_request_topic *asked = &m->topics.items[i];
        bool by_id = m->topics.count >= 0 && asked->name.data == NULL;
        struct str name = m->topics.count < 0 ? str_from(w->topics[i].name) : asked->name;
        const struct metadata_topic *t =
            by_id ? metadata_image_topic_by_id(w->groups.image, asked->topic_id)
                  : metadata_image_topic(w->groups.image, name);
        if (t == NULL && m->topics.count < 0)
            continue;
        struct metadata_response_metadata_response_topic *to = &r->topics.items[r->topics.count++];
        metadata_response_metadata_response_topic_init(to);
        if (t != NULL) {
            fill_topic(w, t, arena, to);
            continue;
        }
        to->error_code = by_id ? KAFKA_UNKNOWN_TOPIC_ID : KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
        to->name = name;
        to->topic_id = by_id ? asked->topic_id : (struct uuid){{0}};
    }
}

static void on_find_coordinator(struct world *w, const void *message, struct reply *out)
{
    const struct find_coordinator_request *m = message;
    MESSAGE(out, find_coordinator_response, r);
    r->coordinators.items = arena_new(&out->call->arena, struct find_coordinator_response_coordinator);
    r->coordinators.count = 1;
    find_coordinator_response_coordinator_init(r->coordinators.items);
    assert_int_equal(m->coordinator_keys.count, 1);
    r->coordinators.items->key = m->coordinator_keys.items[0];
    r->coordinators.items->node_id = 1;
    r->coordinators.items->host = str_from("broker");
    r->coordinators.items->port = 9092;
}

static struct world_log *log_of(struct world *w, struct str topic, int32_t partition)
{
    for (int i = 0; i < WORLD_TOPICS; i++)
        if (w->topics[i].name != NULL && str_is(topic, w->topics[i].name))
            return &w->topics[i].partitions[partition];
    fail_msg("nothing is known of %.*s", STR_ARG(topic));
    abort(); // fail_msg() does not come back, which not every compiler knows
}

static void on_list_offsets(struct world *w, const void *message, struct reply *out)
{
    const struct list_offsets_request *m = message;
    struct arena *arena = &out->call->arena;
    MESSAGE(out, list_offsets_response, r);
    r->topics.items = arena_new_array(arena, (size_t)m->topics.count,
                                      struct list_offsets_response_list_offsets_topic_response);
    r->topics.count = m->topics.count;
    for (int i = 0; i < m->topics.count; i++) {
        const struct list_offsets_request_list_offsets_topic *from = &m->topics.items[i];
        struct list_offsets_response_list_offsets_topic_response *to = &r->topics.items[i];
        list_offsets_response_list_offsets_topic_response_init(to);
        to->name = from->name;
        to->partitions.items = arena_new_array(
            arena, (size_t)from->partitions.count,
            struct list_offsets_response_list_offsets_partition_response);
        to->partitions.count = from->partitions.count;
        for (int k = 0; k < from->partitions.count; k++) {
            const struct list_offsets_request_list_offsets_partition *p = &from->partitions.items[k];
            const struct world_log *log = log_of(w, from->name, p->partition_index);
            list_offsets_response_list_offsets_partition_response_init(&to->partitions.items[k]);
            to->partitions.items[k].partition_index = p->partition_index;
            to->partitions.items[k].offset = p->timestamp == -2 ? log->start : log->end;
        }
    }
}

// Batches from the one that holds `offset` on.
static struct bytes read_from(const struct world_log *log, int64_t offset)
{
    struct bytes rest = buf_bytes(&log->log), batch, before = rest;
    struct batch_header h;
    while (batch_next(&rest, &h, &batch) == 1) {
        if (batch_last_offset(&h) >= offset)
            return before;
        before = rest;
    }
    return bytes_of("", 0);
}

static bool fill_fetched(struct world *w, const struct fetch_request_fetch_topic *from,
                         struct arena *arena, struct fetch_response_fetchable_topic_response *to)
{
    bool any = false;
    fetch_response_fetchable_topic_response_init(to);
    to->topic = from->topic;
    to->partitions.items =
        arena_new_array(arena, (size_t)from->partitions.count, struct fetch_response_partition_data);
    to->partitions.count = from->partitions.count;
    for (int k = 0; k < from->partitions.count; k++) {
        const struct fetch_request_fetch_partition *f = &from->partitions.items[k];
        const struct world_log *log = log_of(w, from->topic, f->partition);
        struct fetch_response_partition_data *d = &to->partitions.items[k];
        fetch_response_partition_data_init(d);
        d->partition_index = f->partition;
        d->high_watermark = log->end;
        if (f->fetch_offset < log->start || f->fetch_offset > log->end)
            d->error_code = KAFKA_OFFSET_OUT_OF_RANGE;
        else
            d->records.bytes = read_from(log, f->fetch_offset);
        any = any || d->error_code != 0 || d->records.bytes.size > 0;
    }
    return any;
}

static void on_fetch(struct world *w, const void *message, struct reply *out)
{
    const struct fetch_request *m = message;
    struct arena *arena = &out->call->arena;
    bool any = false;
    MESSAGE(out, fetch_response, r);
    r->responses.items = arena_new_array(arena, (size_t)m->topics.count,
                                         struct fetch_response_fetchable_topic_response);
    r->responses.count = m->topics.count;
    for (int i = 0; i < m->topics.count; i++)
        any = fill_fetched(w, &m->topics.items[i], arena, &r->responses.items[i]) || any;
    out->at_ms = any ? 0 : w->groups.now.mono_ms + m->max_wait_ms;
}

// --- Answers of the coordinator ---

static struct group_call *call_of(struct reply *out)
{
    const struct wire_schema *schema = api_find(out->key)->response;
    struct fixture_call *call = out->call;
    call->schema = schema;
    call->response = arena_alloc(&call->arena, wire_schema_struct_size(schema));
    wire_init_default(schema, call->response);
    call->call.response = call->response;
    call->call.version = out->version;
    out->message = call->response;
    return &call->call;
}

static void refuse_commit(struct world *w, const struct offset_commit_request *m, struct reply *out)
{
    struct arena *arena = &out->call->arena;
    MESSAGE(out, offset_commit_response, r);
    r->topics.items = arena_new_array(arena, (size_t)m->topics.count,
                                      struct offset_commit_response_offset_commit_response_topic);
    r->topics.count = m->topics.count;
    for (int i = 0; i < m->topics.count; i++) {
        struct offset_commit_response_offset_commit_response_topic *to = &r->topics.items[i];
        const struct offset_commit_request_offset_commit_request_topic *from = &m->topics.items[i];
        offset_commit_response_offset_commit_response_topic_init(to);
        to->name = from->name;
        to->partitions.count = from->partitions.count;
        to->partitions.items =
            arena_new_array(arena, (size_t)from->partitions.count,
                            struct offset_commit_response_offset_commit_response_partition);
        for (int k = 0; k < from->partitions.count; k++) {
            offset_commit_response_offset_commit_response_partition_init(&to->partitions.items[k]);
            to->partitions.items[k].partition_index = from->partitions.items[k].partition_index;
            to->partitions.items[k].error_code = w->commit_code;
        }
    }
    w->commit_code = 0;
}

static void on_offset_fetch(struct world *w, const struct offset_fetch_request *m, struct reply *out)
{
    struct arena *arena = &out->call->arena;
    struct offset_fetch_response *r = arena_new(arena, struct offset_fetch_response);
    struct offset_fetch_response_offset_fetch_response_group *part =
        arena_new(arena, struct offset_fetch_response_offset_fetch_response_group);
    offset_fetch_response_init(r);
    offset_fetch_response_offset_fetch_response_group_init(part);
    assert_int_equal(m->groups.count, 1);
    assert_true(m->require_stable);
    part->group_id = m->groups.items[0].group_id;
    r->groups.items = part;
    r->groups.count = 1;
    out->message = r;
    out->call->call.response = part;
    out->call->call.version = out->version;
    groups_fetch_offsets(w->groups.groups, &out->call->call, &w->groups.now, &m->groups.items[0],
                         m->require_stable);
}

static void dispatch_group(struct world *w, const void *m, struct reply *out)
{
    struct groups *g = w->groups.groups;
    const struct coordinator_time *now = &w->groups.now;
    if (out->key == API_OFFSET_FETCH) {
        on_offset_fetch(w, m, out);
        return;
    }
    if (out->key == API_OFFSET_COMMIT && w->commit_code != 0) {
        refuse_commit(w, m, out);
        return;
    }
    struct group_call *call = call_of(out);
    if (out->key == API_JOIN_GROUP)
        groups_join(g, call, now, m);
    else if (out->key == API_SYNC_GROUP)
        groups_sync(g, call, now, m);
    else if (out->key == API_HEARTBEAT)
        groups_heartbeat(g, call, now, m);
    else if (out->key == API_LEAVE_GROUP)
        groups_leave(g, call, now, m);
    else if (out->key == API_OFFSET_COMMIT)
        groups_commit_offsets(g, call, now, m);
    else if (groups_check_consumer_heartbeat(w->groups.config, out->version, m, call->response,
                                             call->arena))
        groups_consumer_heartbeat(g, call, now, m);
    else
        out->plain = true;
    out->lost = out->key == API_OFFSET_COMMIT && w->lose_commit;
    w->lose_commit &= !out->lost;
}

static void dispatch(struct world *w, const void *message, struct reply *out)
{
    switch (out->key) {
    case API_API_VERSIONS:
        on_api_versions(w, message, out);
        break;
    case API_METADATA:
        on_metadata(w, message, out);
        break;
    case API_FIND_COORDINATOR:
        on_find_coordinator(w, message, out);
        break;
    case API_LIST_OFFSETS:
        on_list_offsets(w, message, out);
        break;
    case API_FETCH:
        on_fetch(w, message, out);
        break;
    default:
        dispatch_group(w, message, out);
        fixture_settle(&w->groups);
    }
    if (out->plain)
        out->call->is_done = true;
}

// --- Bytes ---

static void replies_drop(struct world_client *c, int link)
{
    struct list_node *n;
    while ((n = list_pop(&c->replies[link])) != NULL) {
        struct reply *r = container_of(n, struct reply, node);
        if (!r->call->is_done)
            groups_call_gone(c->world->groups.groups, &r->call->call, &c->world->groups.now);
        mem_free(r);
    }
    fixture_settle(&c->world->groups);
}

static void hang_up(struct world_client *c, int link)
{
    if (!c->open[link])
        return;
    c->open[link] = false;
    buf_clear(&c->in[link]);
    replies_drop(c, link);
    client_on_closed(c->client, link, "the test closed it", c->world->groups.now.mono_ms);
}

static void deliver(struct world_client *c, int link, struct bytes data)
{
    uint8_t scratch[4096], *at;
    size_t room;
    while (data.size > 0 && c->open[link]) {
        client_space(c->client, link, scratch, sizeof scratch, &at, &room);
        size_t take = room < data.size ? room : data.size;
        memcpy(at, data.data, take);
        data = bytes_of(data.data + take, data.size - take);
        client_on_received(c->client, link, at, take, c->world->groups.now.mono_ms);
    }
}

static bool answer(struct world_client *c, int link)
{
    struct list_node *n = list_first(&c->replies[link]);
    struct reply *r = n != NULL ? container_of(n, struct reply, node) : NULL;
    if (r == NULL || !r->call->is_done || c->world->groups.now.mono_ms < r->at_ms)
        return false;
    list_remove(n);
    if (r->lost) {
        hang_up(c, link);
    } else {
        struct rpc_output o;
        rpc_output_init(&o);
        assert_int_equal(rpc_response_encode(&o, r->key, r->version, r->correlation_id, r->message, 0,
                                             FRAME_MAX),
                         0);
        deliver(c, link, buf_bytes(&o.buf));
        rpc_output_release(&o);
    }
    mem_free(r);
    return true;
}

static void serve(struct world_client *c, int link, const uint8_t *data, size_t size)
{
    struct world *w = c->world;
    const struct rpc_apis apis = {.items = served, .count = SERVED_COUNT};
    struct reply *r = mem_new(struct reply);
    struct rpc_request_header h;
    r->call = fixture_call_part(&w->groups, NULL, 0);
    uint8_t *frame = arena_alloc(&r->call->arena, size);
    memcpy(frame, data, size);
    assert_int_equal(rpc_request_header_decode(bytes_of(frame, size), &apis, &h), 0);
    const struct api *api = api_find(h.api_key);
    void *message = arena_alloc(&r->call->arena, wire_schema_struct_size(api->request));
    r->key = h.api_key;
    r->version = h.is_version_fallback ? 0 : h.api_version;
    r->correlation_id = h.correlation_id;
    if (!h.is_version_fallback)
        assert_int_equal(wire_decode(api->request, r->version, bytes_of(frame + h.size, size - h.size),
                                     &r->call->arena, message, NULL),
                         0);
    w->requests[h.api_key]++;
    list_append(&c->replies[link], &r->node);
    dispatch(w, message, r);
}

static bool move_link(struct world_client *c, int link)
{
    struct rpc_slice slices[16];
    bool moved = false;
    int count;
    while (c->open[link] && (count = client_slices(c->client, link, slices, 16)) > 0) {
        size_t size = 0;
        for (int i = 0; i < count; i++) {
            buf_append(&c->in[link], slices[i].data, slices[i].size);
            size += slices[i].size;
        }
        client_sent(c->client, link, size);
        moved = true;
    }
    while (c->in[link].size >= 4 && c->in[link].size >= 4 + be32_load(c->in[link].data)) {
        size_t size = be32_load(c->in[link].data);
        serve(c, link, c->in[link].data + 4, size);
        buf_consume(&c->in[link], size + 4);
        moved = true;
    }
    while (c->open[link] && answer(c, link))
        moved = true;
    return moved;
}

static bool move_client(struct world_client *c)
{
    int64_t now_ms = c->world->groups.now.mono_ms;
    struct client_effect e;
    bool moved = false;
    c->step(c->user, now_ms);
    client_step(c->client, now_ms);
    while (client_next_effect(c->client, &e)) {
        moved = true;
        assert_true(e.link < WORLD_LINKS);
        c->open[e.link] = e.kind == CLIENT_CONNECT && !c->cut;
        buf_clear(&c->in[e.link]);
        replies_drop(c, e.link);
        if (c->open[e.link])
            client_on_connected(c->client, e.link, now_ms);
        else if (e.kind == CLIENT_CONNECT)
            client_on_closed(c->client, e.link, "connection refused", now_ms);
    }
    for (int i = 0; i < WORLD_LINKS; i++)
        moved = (c->open[i] && move_link(c, i)) || moved;
    return moved;
}

void world_settle(struct world *w)
{
    bool moved = true;
    for (int turns = 0; moved; turns++) {
        assert_true(turns < TURNS_MAX); // else somebody asks without end
        moved = false;
        for (int i = 0; i < WORLD_CLIENTS; i++)
            moved = (w->clients[i].client != NULL && move_client(&w->clients[i])) || moved;
    }
    // Nobody may want to be called at a time that has passed: a driver would call without end.
    for (int i = 0; i < WORLD_CLIENTS; i++)
        if (w->clients[i].client != NULL)
            assert_true(w->clients[i].next_ms(w->clients[i].user) > w->groups.now.mono_ms);
}

void world_run(struct world *w, int64_t ms)
{
    world_settle(w);
    for (int64_t passed = 0; passed < ms; passed += STEP_MS) {
        fixture_advance(&w->groups, STEP_MS);
        world_settle(w);
    }
}

// --- Life ---

void world_cut(struct world_client *c)
{
    c->cut = true;
    for (int i = 0; i < WORLD_LINKS; i++)
        hang_up(c, i);
}

struct world_client *world_client_new(struct world *w, void (*step)(void *user, int64_t now_ms),
                                      int64_t (*next_ms)(void *user), void *user)
{
    struct world_client *c = w->clients;
    while (c->client != NULL)
        c++;
    assert_true(c < w->clients + WORLD_CLIENTS);
    *c = (struct world_client){.world = w, .step = step, .next_ms = next_ms, .user = user};
    assert_int_equal(client_new(&(struct client_options){0}, str_from("broker:9092"), &c->client, NULL),
                     0);
    for (int i = 0; i < WORLD_LINKS; i++) {
        buf_init(&c->in[i], FRAME_MAX);
        list_init(&c->replies[i]);
    }
    return c;
}

void world_client_free(struct world_client *c)
{
    for (int i = 0; i < WORLD_LINKS; i++) {
        replies_drop(c, i);
        buf_release(&c->in[i]);
    }
    client_free(c->client);
    c->client = NULL;
}

void world_topic(struct world *w, const char *name, int partitions)
{
    struct world_topic *t = w->topics;
    while (t->name != NULL && strcmp(t->name, name) != 0)
        t++;
    assert_true(t < w->topics + WORLD_TOPICS && partitions <= WORLD_PARTITIONS);
    t->name = name;
    fixture_topic(&w->groups, name, partitions);
}

void world_put(struct world *w, const char *topic, int32_t partition, const char *value)
{
    struct world_log *log = log_of(w, str_from(topic), partition);
    struct batch_builder b;
    struct batch_options options = BATCH_OPTIONS_DEFAULT;
    options.base_offset = log->end;
    batch_builder_begin(&b, &log->log, &options);
    batch_builder_add(&b, 5, (struct bytes){0}, str_bytes(str_from(value)), NULL, 0);
    assert_int_equal(batch_builder_finish(&b, NULL), 0);
    log->end++;
}

void world_init(struct world *w, const char *const settings[])
{
    *w = (struct world){0};
    fixture_init_config(&w->groups, settings);
    for (int i = 0; i < WORLD_TOPICS; i++)
        for (int k = 0; k < WORLD_PARTITIONS; k++)
            buf_init(&w->topics[i].partitions[k].log, FRAME_MAX);
}

void world_release(struct world *w)
{
    for (int i = 0; i < WORLD_CLIENTS; i++)
        assert_null(w->clients[i].client);
    for (int i = 0; i < WORLD_TOPICS; i++)
        for (int k = 0; k < WORLD_PARTITIONS; k++)
            buf_release(&w->topics[i].partitions[k].log);
    fixture_release(&w->groups);
}
