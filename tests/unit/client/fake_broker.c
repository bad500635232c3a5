// SPDX-License-Identifier: Apache-2.0
#include "fake_broker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/be.h"
#include "base/err.h"
#include "rpc/server.h"
#include "wire/api/api_versions.h"
#include "wire/api/fetch.h"
#include "wire/api/init_producer_id.h"
#include "wire/api/list_offsets.h"
#include "wire/api/metadata.h"
#include "wire/api/produce.h"
#include "wire/apis.h"
#include "wire/batch.h"
#include "wire/errors.h"

static const struct rpc_api served[] = {
    {API_PRODUCE, 3, 9},   {API_FETCH, 4, 11},       {API_LIST_OFFSETS, 1, 6},
    {API_METADATA, 4, 9},  {API_API_VERSIONS, 0, 5}, {API_INIT_PRODUCER_ID, 0, 4},
};

enum { SERVED_COUNT = sizeof served / sizeof *served, MEMORY_MAX = 1 << 20 };

// What is sent back: the message and where it is built.
struct reply {
    struct arena arena;
    void *message;
    bool lost; // close instead
    bool none;
};

#define REPLY(reply, type, name)                                                                   \
    struct type *name = arena_new(&(reply)->arena, struct type);                                   \
    type##_init(name);                                                                             \
    (reply)->message = name

static void on_api_versions(struct fake_broker *b, const void *message, struct reply *out)
{
    REPLY(out, api_versions_response, r);
    r->api_keys.items =
        arena_new_array(&out->arena, SERVED_COUNT, struct api_versions_response_api_version);
    for (int i = 0; i < SERVED_COUNT; i++) {
        struct api_versions_response_api_version *v = &r->api_keys.items[r->api_keys.count++];
        v->api_key = served[i].key;
        v->min_version = served[i].version_min;
        v->max_version = served[i].version_max;
    }
}

static void on_metadata(struct fake_broker *b, const void *message, struct reply *out)
{
    static int32_t node = 1;
    REPLY(out, metadata_response, r);
    r->brokers.items = arena_new(&out->arena, struct metadata_response_metadata_response_broker);
    metadata_response_metadata_response_broker_init(r->brokers.items);
    r->brokers.count = 1;
    r->brokers.items->node_id = 1;
    r->brokers.items->host = str_from("broker");
    r->brokers.items->port = 9092;
    r->topics.items = arena_new(&out->arena, struct metadata_response_metadata_response_topic);
    metadata_response_metadata_response_topic_init(r->topics.items);
    r->topics.count = 1;
    r->topics.items->name = str_from("t");
    if (b->topic_missing) {
        r->topics.items->error_code = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
        return;
    }
    r->topics.items->partitions.items = arena_new_array(
        &out->arena, FAKE_PARTITIONS, struct metadata_response_metadata_response_partition);
    r->topics.items->partitions.count = FAKE_PARTITIONS;
    for (int i = 0; i < FAKE_PARTITIONS; i++) {
        struct metadata_response_metadata_response_partition *p =
            &r->topics.items->partitions.items[i];
        metadata_response_metadata_response_partition_init(p);
        p->partition_index = i;
        p->leader_id = 1;
        p->replica_nodes = p->isr_nodes = (struct wire_int32_array){.items = &node, .count = 1};
    }
}

static void on_init_producer_id(struct fake_broker *b, const void *message, struct reply *out)
{
    const struct init_producer_id_request *m = message;
    REPLY(out, init_producer_id_response, r);
    r->producer_id = m->producer_id >= 0 ? m->producer_id : 1000;
    r->producer_epoch = (int16_t)(m->producer_id >= 0 ? m->producer_epoch + 1 : 0);
}

// Stores a batch as the rules of KIP-98 say: an error code, and the offset in *base.
static int16_t store(struct fake_partition *p, struct bytes records, int64_t *base)
{
    struct batch_header h;
    struct bytes rest = records, batch;
    assert_int_equal(batch_next(&rest, &h, &batch), 1);
    assert_true(batch_crc_is_valid(batch));
    if (batch_has_producer(&h)) {
        bool same = h.producer_id == p->producer_id && h.producer_epoch == p->producer_epoch;
        if (!same && h.base_sequence != 0)
            return KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER;
        if (same && h.base_sequence < p->sequence_next)
            return KAFKA_DUPLICATE_SEQUENCE_NUMBER;
        if (same && h.base_sequence > p->sequence_next)
            return KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER;
        p->producer_id = h.producer_id;
        p->producer_epoch = h.producer_epoch;
        p->sequence_next = h.base_sequence + h.record_count;
    }
    size_t at = p->log.size;
    buf_append(&p->log, batch.data, batch.size);
    batch_set_base_offset(p->log.data + at, p->end);
    *base = p->end;
    p->end += h.record_count;
    return 0;
}

static void on_produce(struct fake_broker *b, const void *message, struct reply *out)
{
    const struct produce_request *m = message;
    REPLY(out, produce_response, r);
    r->responses.items = arena_new(&out->arena, struct produce_response_topic_produce_response);
    produce_response_topic_produce_response_init(r->responses.items);
    r->responses.count = 1;
    r->responses.items->name = str_from("t");
    int count = m->topic_data.items[0].partition_data.count;
    r->responses.items->partition_responses.items = arena_new_array(
        &out->arena, (size_t)count, struct produce_response_partition_produce_response);
    r->responses.items->partition_responses.count = count;
    for (int i = 0; i < count; i++) {
        const struct produce_request_partition_produce_data *d =
            &m->topic_data.items[0].partition_data.items[i];
        struct produce_response_partition_produce_response *a =
            &r->responses.items->partition_responses.items[i];
        produce_response_partition_produce_response_init(a);
        a->index = d->index;
        a->error_code = b->produce_code != 0 ? b->produce_code
                                             : store(&b->partitions[d->index], d->records.bytes,
                                                     &a->base_offset);
    }
    out->lost = b->lose_answer;
    out->none = m->acks == 0;
    b->produce_code = 0;
    b->lose_answer = false;
}

static void on_list_offsets(struct fake_broker *b, const void *message, struct reply *out)
{
    const struct list_offsets_request *m = message;
    REPLY(out, list_offsets_response, r);
    r->topics.items = arena_new(&out->arena, struct list_offsets_response_list_offsets_topic_response);
    list_offsets_response_list_offsets_topic_response_init(r->topics.items);
    r->topics.count = 1;
    r->topics.items->name = str_from("t");
    int count = m->topics.items[0].partitions.count;
    r->topics.items->partitions.items = arena_new_array(
        &out->arena, (size_t)count, struct list_offsets_response_list_offsets_partition_response);
    r->topics.items->partitions.count = count;
    for (int i = 0; i < count; i++) {
        int32_t index = m->topics.items[0].partitions.items[i].partition_index;
        struct list_offsets_response_list_offsets_partition_response *p =
            &r->topics.items->partitions.items[i];
        list_offsets_response_list_offsets_partition_response_init(p);
        p->partition_index = index;
        p->offset = m->topics.items[0].partitions.items[i].timestamp == -2
                        ? b->partitions[index].start
                        : b->partitions[index].end;
    }
}

// Batches from the one that holds `offset` on.
static struct bytes read_from(const struct fake_partition *p, int64_t offset)
{
    struct bytes rest = buf_bytes(&p->log), batch, before = rest;
    struct batch_header h;
    while (batch_next(&rest, &h, &batch) == 1) {
        if (batch_last_offset(&h) >= offset)
            return before;
        before = rest;
    }
    return bytes_of("", 0);
}

static void on_fetch(struct fake_broker *b, const void *message, struct reply *out)
{
    const struct fetch_request *m = message;
    const struct fetch_request_fetch_topic *from = &m->topics.items[0];
    bool any = false;
    REPLY(out, fetch_response, r);
    r->responses.items = arena_new(&out->arena, struct fetch_response_fetchable_topic_response);
    fetch_response_fetchable_topic_response_init(r->responses.items);
    r->responses.count = 1;
    r->responses.items->topic = str_from("t");
    r->responses.items->partitions.items = arena_new_array(
        &out->arena, (size_t)from->partitions.count, struct fetch_response_partition_data);
    r->responses.items->partitions.count = from->partitions.count;
    for (int i = 0; i < from->partitions.count; i++) {
        const struct fetch_request_fetch_partition *f = &from->partitions.items[i];
        const struct fake_partition *p = &b->partitions[f->partition];
        struct fetch_response_partition_data *d = &r->responses.items->partitions.items[i];
        fetch_response_partition_data_init(d);
        d->partition_index = f->partition;
        d->high_watermark = p->end;
        if (f->fetch_offset < p->start || f->fetch_offset > p->end)
            d->error_code = KAFKA_OFFSET_OUT_OF_RANGE;
        else
            d->records.bytes = read_from(p, f->fetch_offset);
        any = any || d->error_code != 0 || d->records.bytes.size > 0;
    }
    out->none = !any; // a long poll that never ends
}

static void dispatch(struct fake_broker *b, int16_t key, const void *message, struct reply *out)
{
    switch (key) {
    case API_API_VERSIONS:
        on_api_versions(b, message, out);
        break;
    case API_METADATA:
        on_metadata(b, message, out);
        break;
    case API_INIT_PRODUCER_ID:
        on_init_producer_id(b, message, out);
        break;
    case API_PRODUCE:
        on_produce(b, message, out);
        break;
    case API_LIST_OFFSETS:
        on_list_offsets(b, message, out);
        break;
    default:
        on_fetch(b, message, out);
    }
}

// Gives bytes to the client as a socket would.
static void deliver(struct fake_broker *b, int link, struct bytes data)
{
    uint8_t scratch[4096], *at;
    size_t room;
    while (data.size > 0 && b->open[link]) {
        client_space(b->client, link, scratch, sizeof scratch, &at, &room);
        size_t take = room < data.size ? room : data.size;
        memcpy(at, data.data, take);
        data = bytes_of(data.data + take, data.size - take);
        client_on_received(b->client, link, at, take, b->now_ms);
    }
}

static void hang_up(struct fake_broker *b, int link)
{
    b->open[link] = false;
    buf_clear(&b->in[link]);
    client_on_closed(b->client, link, "the test closed it", b->now_ms);
}

static void serve(struct fake_broker *b, int link, struct bytes frame)
{
    const struct rpc_apis apis = {.items = served, .count = SERVED_COUNT};
    struct rpc_request_header h;
    assert_int_equal(rpc_request_header_decode(frame, &apis, &h), 0);
    const struct api *api = api_find(h.api_key);
    struct reply reply = {0};
    arena_init(&reply.arena, MEMORY_MAX);
    void *message = arena_alloc(&reply.arena, wire_schema_struct_size(api->request));
    int16_t version = h.is_version_fallback ? 0 : h.api_version;
    if (!h.is_version_fallback)
        assert_int_equal(wire_decode(api->request, version,
                                     bytes_of(frame.data + h.size, frame.size - h.size),
                                     &reply.arena, message, NULL),
                         0);
    b->requests[h.api_key]++;
    if (!b->mute || h.api_key == API_API_VERSIONS) {
        dispatch(b, h.api_key, message, &reply);
        struct rpc_output o;
        rpc_output_init(&o);
        assert_int_equal(rpc_response_encode(&o, h.api_key, version, h.correlation_id,
                                             reply.message, 0, MEMORY_MAX),
                         0);
        if (reply.lost)
            hang_up(b, link);
        else if (!reply.none)
            deliver(b, link, buf_bytes(&o.buf));
        rpc_output_release(&o);
    }
    arena_release(&reply.arena);
}

static bool move_link(struct fake_broker *b, int link)
{
    struct rpc_slice slices[16];
    bool moved = false;
    int count;
    while (b->open[link] && (count = client_slices(b->client, link, slices, 16)) > 0) {
        size_t size = 0;
        for (int i = 0; i < count; i++) {
            buf_append(&b->in[link], slices[i].data, slices[i].size);
            size += slices[i].size;
        }
        client_sent(b->client, link, size);
        moved = true;
    }
    while (b->in[link].size >= 4 && b->in[link].size >= 4 + be32_load(b->in[link].data)) {
        size_t size = be32_load(b->in[link].data);
        uint8_t frame[MEMORY_MAX / 4];
        assert_true(size <= sizeof frame);
        memcpy(frame, b->in[link].data + 4, size);
        buf_consume(&b->in[link], size + 4);
        serve(b, link, bytes_of(frame, size));
        moved = true;
    }
    return moved;
}

void fake_broker_settle(struct fake_broker *b)
{
    bool moved = true;
    for (int turns = 0; moved; turns++) {
        assert_true(turns < 1000);
        struct client_effect e;
        moved = false;
        client_step(b->client, b->now_ms);
        while (client_next_effect(b->client, &e)) {
            moved = true;
            assert_true(e.link < FAKE_LINKS);
            b->open[e.link] = e.kind == CLIENT_CONNECT && !b->refuse;
            buf_clear(&b->in[e.link]);
            b->connects += e.kind == CLIENT_CONNECT;
            if (b->open[e.link])
                client_on_connected(b->client, e.link, b->now_ms);
            else if (e.kind == CLIENT_CONNECT)
                client_on_closed(b->client, e.link, "connection refused", b->now_ms);
        }
        for (int i = 0; i < FAKE_LINKS; i++)
            moved = (b->open[i] && move_link(b, i)) || moved;
    }
}

void fake_broker_wait(struct fake_broker *b, int64_t ms)
{
    b->now_ms += ms;
    fake_broker_settle(b);
}

void fake_broker_init(struct fake_broker *b, bool fail_fast)
{
    *b = (struct fake_broker){.now_ms = 1000};
    struct client_options options = {.fail_fast = fail_fast};
    assert_int_equal(client_new(&options, str_from("broker:9092"), &b->client, NULL), 0);
    for (int i = 0; i < FAKE_PARTITIONS; i++) {
        buf_init(&b->partitions[i].log, MEMORY_MAX);
        b->partitions[i].producer_id = -1;
    }
    for (int i = 0; i < FAKE_LINKS; i++)
        buf_init(&b->in[i], MEMORY_MAX);
}

void fake_broker_release(struct fake_broker *b)
{
    client_free(b->client);
    for (int i = 0; i < FAKE_PARTITIONS; i++)
        buf_release(&b->partitions[i].log);
    for (int i = 0; i < FAKE_LINKS; i++)
        buf_release(&b->in[i]);
}
