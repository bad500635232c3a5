// SPDX-License-Identifier: Apache-2.0
//
// Load for bench/run: creates a topic, produces or fetches over N connections, or follows single records
// from a producer to a consumer, and prints one line of what it saw. Does as little as it can per byte,
// since it shares the machine with the broker: batches are built once and sent from the same memory,
// fetched bytes are only walked by batch.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/err.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/prng.h"
#include "env/clock.h"
#include "env/env.h"
#include "env/net.h"
#include "env/timer.h"
#include "os/loop.h"
#include "rpc/client.h"
#include "wire/api/create_topics.h"
#include "wire/api/fetch.h"
#include "wire/api/metadata.h"
#include "wire/api/produce.h"
#include "wire/batch.h"
#include "wire/errors.h"

enum {
    SCRATCH_BYTES = RPC_SCRATCH_BYTES,
    CONNECTIONS_MAX = 1024,
    PARTITIONS_MAX = 1024,
    CONFIGS_MAX = 16,
    ARENA_MAX = 16 << 20,
    TOPIC_WAIT_MS = 10000,
    RETRY_MS = 5000,
};

struct options {
    const char *command;
    char host[256];
    uint16_t port;
    const char *topic;
    int partitions;
    int connections;
    int in_flight;
    int64_t batch_bytes;
    int64_t record_bytes;
    int64_t bytes; // stop after so many, 0: do not
    double seconds;
    int64_t rate; // produce: bytes per second, 0: as many as go
    int acks;
    int64_t fetch_bytes; // of one partition in one answer
    const char *configs[CONFIGS_MAX];
    int config_count;
};

struct load;

// One request that repeats.
struct slot {
    struct rpc_call call;
    struct session *session;
    int64_t sent_ns;
    int32_t partition; // produce
    struct list_node paced_node;
};

struct session {
    struct load *load;
    struct net_conn *conn;
    struct rpc_client client;
    struct slot *slots;
    int64_t offsets[PARTITIONS_MAX]; // fetch: the next one of each partition it reads
    int index;
    int32_t partition_next;
    bool blocked;
};

struct load {
    struct options options;
    struct os_loop *loop;
    struct env *env;
    struct session *sessions;
    struct buf batch;
    struct env_timer end;
    struct env_timer again; // `topic`: look again
    struct list paced;      // slots that are ahead of `rate`
    struct env_timer pace;
    bool stays_at_end;
    bool tail_answered;     // tail: the producer has its answer,
    bool tail_seen;         // the consumer its record
    int64_t topic_until_ns;
    uint8_t scratch[SCRATCH_BYTES];
    int16_t fetch_version;
    int16_t produce_version;
    int ready_count;
    int under_way;
    bool ending;
    int64_t started_ns;
    int64_t ended_ns;
    int64_t bytes_asked;
    int64_t bytes_done;
    int64_t request_count;
    int64_t *latencies;
    int64_t latency_count;
    int64_t latency_capacity;
};

static _Noreturn void die(const char *what, const char *why)
{
    fprintf(stderr, "load: %s: %s\n", what, why);
    exit(1);
}

// --- connections

static void session_flush(struct session *s)
{
    struct rpc_slice slices[NET_SLICES_MAX];
    struct net_slice out[NET_SLICES_MAX];
    int count;
    while (!s->blocked && (count = rpc_client_slices(&s->client, slices, NET_SLICES_MAX)) > 0) {
        for (int i = 0; i < count; i++) {
            const uint8_t *base = slices[i].source; // a batch in memory
            out[i] = (struct net_slice){.data = base != NULL ? base + slices[i].position
                                                             : slices[i].data,
                                        .size = slices[i].size};
        }
        int64_t n = net_write(s->conn, out, count);
        if (n == ERR_AGAIN)
            s->blocked = true;
        else if (n < 0)
            die("send", err_text((int)n));
        else
            rpc_client_sent(&s->client, (size_t)n);
    }
    net_want(s->conn, NET_READABLE | (s->blocked ? NET_WRITABLE : 0));
}

static void session_ready(struct net_conn *conn, unsigned events)
{
    struct session *s = conn->user;
    if ((events & NET_WRITABLE) != 0)
        s->blocked = false;
    for (;;) {
        uint8_t *at;
        size_t room;
        rpc_client_space(&s->client, s->load->scratch, SCRATCH_BYTES, &at, &room);
        int64_t n = net_read(conn, at, room);
        if (n == ERR_AGAIN)
            break;
        if (n < 0)
            die("receive", err_text((int)n));
        if (rpc_client_received(&s->client, at, (size_t)n) != 0)
            die("receive", s->client.diag.text);
    }
    session_flush(s);
}

static void session_open(struct load *l, int index, void (*ready)(struct rpc_client *client))
{
    struct session *s = &l->sessions[index];
    struct diag diag;
    s->load = l;
    s->index = index;
    s->blocked = true;
    s->slots = mem_alloc_array((size_t)l->options.in_flight, sizeof *s->slots);
    rpc_client_init(&s->client, &(struct rpc_client_options){.client_id = "chitin-bench"});
    s->client.ready = ready;
    s->client.user = s;
    if (net_connect(l->env->net, l->options.host, l->options.port, &s->conn, &diag) != 0)
        die("connect", diag.text);
    s->conn->user = s;
    s->conn->ready = session_ready;
    net_want(s->conn, NET_READABLE | NET_WRITABLE);
}

static void finish(struct load *l)
{
    l->ended_ns = env_mono_ns(l->env->clock);
    os_loop_stop(l->loop);
}

static bool is_over(struct load *l)
{
    if (l->options.bytes > 0 && l->bytes_asked >= l->options.bytes)
        l->ending = true;
    return l->ending;
}

static void note_answer(struct load *l, struct slot *slot)
{
    mem_grow(l->latencies, l->latency_count, l->latency_capacity);
    l->latencies[l->latency_count++] = env_mono_ns(l->env->clock) - slot->sent_ns;
    l->request_count++;
}

static void call(struct slot *slot, int16_t key, int16_t version, const void *message)
{
    struct load *l = slot->session->load;
    slot->sent_ns = env_mono_ns(l->env->clock);
    int result = rpc_client_call(&slot->session->client, &slot->call, key, version, message);
    if (result != 0)
        die("request", err_text(result));
    l->under_way++;
}

static void decode(struct rpc_answer *answer, int err, struct arena *arena, void *out)
{
    arena_init(arena, ARENA_MAX);
    int result = err != 0 ? err : rpc_answer_decode(answer, arena, out);
    if (result != 0)
        die("answer", err_text(result));
}

// --- produce

static void build_batch(struct load *l)
{
    struct batch_builder b;
    struct batch_options options = BATCH_OPTIONS_DEFAULT;
    struct prng prng;
    size_t value_size = (size_t)l->options.record_bytes;
    uint8_t *value = mem_alloc(value_size);
    prng_init(&prng, 1);
    buf_init(&l->batch, 64 << 20);
    batch_builder_begin(&b, &l->batch, &options);
    int64_t now_ms = env_wall_ms(l->env->clock);
    do {
        for (size_t i = 0; i < value_size; i++)
            value[i] = (uint8_t)prng_next(&prng);
        batch_builder_add(&b, now_ms, (struct bytes){0}, bytes_of(value, value_size), NULL, 0);
    } while (batch_builder_size(&b) + value_size < (size_t)l->options.batch_bytes);
    if (batch_builder_finish(&b, NULL) != 0)
        die("batch", "too large");
    mem_free(value);
}

// Right after a topic was made its leader may not know yet: as other clients, ask again for a while.
static bool may_retry(const struct load *l, int16_t code)
{
    return kafka_error_is_retriable(code) &&
           env_mono_ns(l->env->clock) < l->started_ns + INT64_C(1000000) * RETRY_MS;
}

// True if the slot has to wait because more was sent than `rate` allows.
static bool is_ahead(struct load *l, struct slot *slot)
{
    if (l->options.rate == 0)
        return false;
    double due_s = (double)l->bytes_asked / (double)l->options.rate;
    int64_t due_ns = l->started_ns + (int64_t)(due_s * 1e9);
    if (due_ns <= env_mono_ns(l->env->clock))
        return false;
    list_append(&l->paced, &slot->paced_node);
    env_timer_set(l->env->timers, &l->pace, due_ns);
    return true;
}

static void produce_next(struct slot *slot)
{
    struct session *s = slot->session;
    struct load *l = s->load;
    struct produce_request_partition_produce_data partition;
    struct produce_request_topic_produce_data topic;
    struct produce_request request;
    if (is_over(l) || is_ahead(l, slot))
        return;
    produce_request_init(&request);
    produce_request_topic_produce_data_init(&topic);
    produce_request_partition_produce_data_init(&partition);
    slot->partition = s->partition_next;
    s->partition_next = (s->partition_next + 1) % l->options.partitions;
    partition.index = slot->partition;
    partition.records = (struct wire_records){.source = l->batch.data, .size = (int64_t)l->batch.size};
    topic.name = str_from(l->options.topic);
    topic.partition_data.items = &partition;
    topic.partition_data.count = 1;
    request.acks = (int16_t)l->options.acks;
    request.timeout_ms = 30000;
    request.topic_data.items = &topic;
    request.topic_data.count = 1;
    l->bytes_asked += (int64_t)l->batch.size;
    call(slot, API_PRODUCE, l->produce_version, &request);
}

static void pace_fire(struct env_timer *timer)
{
    struct load *l = container_of(timer, struct load, pace);
    struct list due;
    struct list_node *node;
    list_init(&due);
    list_move_all(&due, &l->paced);
    while ((node = list_pop(&due)) != NULL) {
        struct slot *slot = container_of(node, struct slot, paced_node);
        produce_next(slot);
        session_flush(slot->session);
    }
}

// The error of an answer, and 0 if there is none.
static int16_t produce_error(struct rpc_answer *answer, int err)
{
    struct produce_response response;
    struct arena arena;
    int16_t code = 0;
    decode(answer, err, &arena, &response);
    for (int i = 0; i < response.responses.count; i++)
        for (int j = 0; j < response.responses.items[i].partition_responses.count; j++)
            if (code == 0)
                code = response.responses.items[i].partition_responses.items[j].error_code;
    arena_release(&arena);
    return code;
}

static void produced(struct rpc_call *rpc_call, int err, struct rpc_answer *answer)
{
    struct slot *slot = container_of(rpc_call, struct slot, call);
    struct load *l = slot->session->load;
    int16_t code = produce_error(answer, err);
    if (code != 0 && !may_retry(l, code))
        die("produce", kafka_error_name(code));
    if (code == 0) {
        note_answer(l, slot);
        l->bytes_done += (int64_t)l->batch.size;
    } else {
        l->bytes_asked -= (int64_t)l->batch.size;
    }
    l->under_way--;
    produce_next(slot);
    if (l->under_way == 0 && (l->ending || list_empty(&l->paced)))
        finish(l);
}

// --- fetch

static bool reads(const struct session *s, int partition)
{
    return partition % s->load->options.connections == s->index % s->load->options.partitions;
}

static void fetch_next(struct slot *slot)
{
    struct session *s = slot->session;
    struct load *l = s->load;
    struct fetch_request request;
    struct fetch_request_fetch_topic topic;
    struct arena arena;
    if (is_over(l))
        return;
    arena_init(&arena, ARENA_MAX);
    fetch_request_init(&request);
    fetch_request_fetch_topic_init(&topic);
    fetch_request_fetch_partition_array_new(&arena, l->options.partitions, &topic.partitions);
    int count = 0;
    for (int i = 0; i < l->options.partitions; i++) {
        if (!reads(s, i))
            continue;
        topic.partitions.items[count].partition = i;
        topic.partitions.items[count].fetch_offset = s->offsets[i];
        topic.partitions.items[count].partition_max_bytes = (int32_t)l->options.fetch_bytes;
        count++;
    }
    topic.partitions.count = count;
    topic.topic = str_from(l->options.topic);
    request.max_wait_ms = 500;
    request.min_bytes = 1;
    request.max_bytes = 52428800;
    request.topics.items = &topic;
    request.topics.count = 1;
    call(slot, API_FETCH, l->fetch_version, &request);
    arena_release(&arena);
}

// Moves to the offset after the last whole batch; at the end of the log back to the start, but for tail.
static void take_records(struct load *l, struct session *s,
                         const struct fetch_response_partition_data *data)
{
    struct bytes rest = data->records.bytes;
    struct batch_header header;
    struct bytes batch;
    int64_t *offset = &s->offsets[data->partition_index];
    if (data->error_code != 0 && !may_retry(l, data->error_code))
        die("fetch", kafka_error_name(data->error_code));
    l->bytes_done += (int64_t)rest.size;
    l->bytes_asked += (int64_t)rest.size;
    while (batch_next(&rest, &header, &batch) == 1)
        *offset = batch_last_offset(&header) + 1;
    if (*offset >= data->high_watermark && !l->stays_at_end)
        *offset = 0;
}

static void fetched(struct rpc_call *rpc_call, int err, struct rpc_answer *answer)
{
    struct slot *slot = container_of(rpc_call, struct slot, call);
    struct load *l = slot->session->load;
    struct fetch_response response;
    struct arena arena;
    decode(answer, err, &arena, &response);
    for (int i = 0; i < response.responses.count; i++)
        for (int j = 0; j < response.responses.items[i].partitions.count; j++)
            take_records(l, slot->session, &response.responses.items[i].partitions.items[j]);
    arena_release(&arena);
    note_answer(l, slot);
    l->under_way--;
    fetch_next(slot);
    if (l->under_way == 0)
        finish(l);
}

// --- tail: one record at a time, from the producer's send to the consumer's receipt

static void tail_next(struct load *l)
{
    if (!l->tail_answered || !l->tail_seen || is_over(l))
        return;
    l->tail_answered = l->tail_seen = false;
    produce_next(&l->sessions[0].slots[0]);
    session_flush(&l->sessions[0]);
}

static void tail_produced(struct rpc_call *rpc_call, int err, struct rpc_answer *answer)
{
    struct load *l = container_of(rpc_call, struct slot, call)->session->load;
    int16_t code = produce_error(answer, err);
    if (code != 0 && !may_retry(l, code))
        die("produce", kafka_error_name(code));
    l->under_way--;
    l->tail_answered = true;
    if (code != 0)
        l->tail_seen = true; // never written: the next one
    tail_next(l);
    // At the end the consumer may have asked for a record that nobody will write.
    if (l->under_way == 0 || (l->ending && l->tail_answered && l->tail_seen))
        finish(l);
}

static void tail_fetched(struct rpc_call *rpc_call, int err, struct rpc_answer *answer)
{
    struct slot *slot = container_of(rpc_call, struct slot, call);
    struct load *l = slot->session->load;
    struct fetch_response response;
    struct arena arena;
    int64_t before = slot->session->offsets[0];
    decode(answer, err, &arena, &response);
    for (int i = 0; i < response.responses.count; i++)
        for (int j = 0; j < response.responses.items[i].partitions.count; j++)
            take_records(l, slot->session, &response.responses.items[i].partitions.items[j]);
    arena_release(&arena);
    l->under_way--;
    bool has_record = slot->session->offsets[0] != before;
    if (has_record) {
        note_answer(l, &l->sessions[0].slots[0]);
        l->tail_seen = true;
    }
    fetch_next(slot);
    session_flush(slot->session);
    if (has_record)
        tail_next(l);
    if (l->under_way == 0)
        finish(l);
}

// --- all

static bool is_tail(const struct load *l)
{
    return strcmp(l->options.command, "tail") == 0;
}

static bool is_fetch(const struct load *l)
{
    return strcmp(l->options.command, "fetch") == 0;
}

// The first session of tail produces, the second consumes.
static bool is_consumer(const struct session *s)
{
    return is_fetch(s->load) || (is_tail(s->load) && s->index == 1);
}

static void start_slot(struct session *s, struct slot *slot)
{
    bool tail = is_tail(s->load);
    *slot = (struct slot){.session = s};
    if (is_consumer(s)) {
        slot->call.done = tail ? tail_fetched : fetched;
        fetch_next(slot);
    } else {
        slot->call.done = tail ? tail_produced : produced;
        if (!tail)
            produce_next(slot);
    }
}

static void start_all(struct load *l)
{
    l->started_ns = env_mono_ns(l->env->clock);
    env_timer_set(l->env->timers, &l->end, l->started_ns + (int64_t)(l->options.seconds * 1e9));
    for (int i = 0; i < l->options.connections; i++) {
        struct session *s = &l->sessions[i];
        s->partition_next = i % l->options.partitions;
        for (int j = 0; j < l->options.in_flight; j++)
            start_slot(s, &s->slots[j]);
        session_flush(s);
    }
    l->tail_answered = l->tail_seen = true;
    if (is_tail(l))
        tail_next(l);
}

static void load_ready(struct rpc_client *client)
{
    struct session *s = client->user;
    struct load *l = s->load;
    struct diag diag;
    // Versions that name topics, not ids: every server here has them.
    int fetch = rpc_client_version(client, API_FETCH, 4, 11, &diag);
    int produce = rpc_client_version(client, API_PRODUCE, 3, 8, &diag);
    if (fetch < 0 || produce < 0)
        die("versions", diag.text);
    l->fetch_version = (int16_t)fetch;
    l->produce_version = (int16_t)produce;
    if (++l->ready_count == l->options.connections)
        start_all(l);
}

static void end_fire(struct env_timer *timer)
{
    struct load *l = container_of(timer, struct load, end);
    l->ending = true;
    if (l->under_way == 0)
        finish(l);
}

static int compare_i64(const void *a, const void *b)
{
    int64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return x < y ? -1 : x > y;
}

static double percentile_us(const struct load *l, double part)
{
    if (l->latency_count == 0)
        return 0;
    int64_t index = (int64_t)((double)l->latency_count * part);
    if (index >= l->latency_count)
        index = l->latency_count - 1;
    return (double)l->latencies[index] / 1000;
}

static void report(struct load *l)
{
    double seconds = (double)(l->ended_ns - l->started_ns) / 1e9;
    if (l->latency_count > 0)
        qsort(l->latencies, (size_t)l->latency_count, sizeof *l->latencies, compare_i64);
    printf("bytes=%lld seconds=%.6f requests=%lld p50_us=%.1f p99_us=%.1f p999_us=%.1f "
           "max_us=%.1f\n",
           (long long)l->bytes_done, seconds, (long long)l->request_count, percentile_us(l, 0.5),
           percentile_us(l, 0.99), percentile_us(l, 0.999), percentile_us(l, 1));
}

// --- topic

static void ask_metadata(struct slot *slot);

static void topic_described(struct rpc_call *rpc_call, int err, struct rpc_answer *answer)
{
    struct slot *slot = container_of(rpc_call, struct slot, call);
    struct load *l = slot->session->load;
    struct metadata_response response;
    struct arena arena;
    int with_leader = 0;
    decode(answer, err, &arena, &response);
    for (int i = 0; i < response.topics.count && response.topics.items[i].error_code == 0; i++)
        for (int j = 0; j < response.topics.items[i].partitions.count; j++)
            with_leader += response.topics.items[i].partitions.items[j].leader_id >= 0;
    arena_release(&arena);
    if (with_leader >= l->options.partitions) // the floor has more
        finish(l);
    else if (env_mono_ns(l->env->clock) > l->topic_until_ns)
        die(l->options.topic, "the topic got no leaders in 10 s");
    else
        env_timer_set(l->env->timers, &l->again, env_mono_ns(l->env->clock) + 10000000);
}

static void ask_metadata(struct slot *slot)
{
    struct load *l = slot->session->load;
    struct metadata_request request;
    struct metadata_request_metadata_request_topic topic;
    metadata_request_init(&request);
    metadata_request_metadata_request_topic_init(&topic);
    topic.name = str_from(l->options.topic);
    request.topics.items = &topic;
    request.topics.count = 1;
    request.allow_auto_topic_creation = false;
    int version = rpc_client_version(&slot->session->client, API_METADATA, 4, 8, NULL);
    if (version < 0)
        die("versions", "no common version of Metadata");
    slot->call.done = topic_described;
    call(slot, API_METADATA, (int16_t)version, &request);
}

static void again_fire(struct env_timer *timer)
{
    struct load *l = container_of(timer, struct load, again);
    ask_metadata(&l->sessions[0].slots[0]);
    session_flush(&l->sessions[0]);
}

static void topic_created(struct rpc_call *rpc_call, int err, struct rpc_answer *answer)
{
    struct slot *slot = container_of(rpc_call, struct slot, call);
    struct create_topics_response response;
    struct arena arena;
    decode(answer, err, &arena, &response);
    for (int i = 0; i < response.topics.count; i++) {
        int16_t code = response.topics.items[i].error_code;
        if (code != 0)
            die("create the topic", kafka_error_name(code));
    }
    arena_release(&arena);
    ask_metadata(slot);
}

static void topic_ready(struct rpc_client *client)
{
    struct session *s = client->user;
    struct load *l = s->load;
    struct slot *slot = &s->slots[0];
    struct create_topics_request request;
    struct create_topics_request_creatable_topic topic;
    struct create_topics_request_creatable_topic_config configs[CONFIGS_MAX];
    slot->session = s;
    l->topic_until_ns = env_mono_ns(l->env->clock) + INT64_C(1000000) * TOPIC_WAIT_MS;
    int version = rpc_client_version(client, API_CREATE_TOPICS, 2, 4, NULL);
    if (version < 0) { // the floor has every topic
        ask_metadata(slot);
        return;
    }
    create_topics_request_init(&request);
    create_topics_request_creatable_topic_init(&topic);
    for (int i = 0; i < l->options.config_count; i++) {
        struct str value = str_from(l->options.configs[i]);
        create_topics_request_creatable_topic_config_init(&configs[i]);
        configs[i].name = str_cut(&value, '=');
        configs[i].value = value;
    }
    topic.name = str_from(l->options.topic);
    topic.num_partitions = l->options.partitions;
    topic.replication_factor = 1;
    topic.configs.items = configs;
    topic.configs.count = l->options.config_count;
    request.topics.items = &topic;
    request.topics.count = 1;
    request.timeout_ms = 10000;
    slot->call.done = topic_created;
    call(slot, API_CREATE_TOPICS, (int16_t)version, &request);
}

// --- main

static const char usage[] =
    "usage: load topic|produce|fetch|tail HOST:PORT TOPIC [OPTION=VALUE]...\n"
    "  partitions=1 connections=1 in-flight=1 seconds=3 bytes=0 (no bound)\n"
    "  produce: batch=1000000 record=1000 acks=-1 rate=0 (bytes/s)    fetch: fetch=1048576\n"
    "  tail: one batch at a time until a consumer has it; batch=1000000 record=1000\n"
    "  topic: config=KEY=VALUE (repeated)\n";

static bool parse_option(struct options *o, struct str text)
{
    struct str value = text;
    struct str name = str_cut(&value, '=');
    struct { const char *name; int64_t *to; } longs[] = {
        {"batch", &o->batch_bytes}, {"record", &o->record_bytes}, {"bytes", &o->bytes},
        {"fetch", &o->fetch_bytes}, {"rate", &o->rate},
    };
    struct { const char *name; int *to; } ints[] = {
        {"partitions", &o->partitions}, {"connections", &o->connections},
        {"in-flight", &o->in_flight}, {"acks", &o->acks},
    };
    if (value.data == NULL)
        return false;
    if (str_is(name, "seconds"))
        return str_parse_double(value, &o->seconds);
    if (str_is(name, "config") && o->config_count < CONFIGS_MAX) {
        o->configs[o->config_count++] = value.data; // the end of an argument: terminated
        return true;
    }
    for (size_t i = 0; i < sizeof longs / sizeof longs[0]; i++)
        if (str_is(name, longs[i].name))
            return str_parse_i64(value, longs[i].to);
    for (size_t i = 0; i < sizeof ints / sizeof ints[0]; i++)
        if (str_is(name, ints[i].name))
            return str_parse_i32(value, ints[i].to);
    return false;
}

static bool parse(struct options *o, int argc, char **argv)
{
    *o = (struct options){.partitions = 1, .connections = 1, .in_flight = 1, .batch_bytes = 1000000,
                          .record_bytes = 1000, .seconds = 3, .acks = -1, .fetch_bytes = 1048576};
    if (argc < 4)
        return false;
    o->command = argv[1];
    o->topic = argv[3];
    const char *colon = strrchr(argv[2], ':');
    int32_t port;
    if (colon == NULL || !str_parse_i32(str_from(colon + 1), &port) ||
        !str_copy_to(str_of(argv[2], (size_t)(colon - argv[2])), o->host, sizeof o->host))
        return false;
    o->port = (uint16_t)port;
    for (int i = 4; i < argc; i++)
        if (!parse_option(o, str_from(argv[i])))
            return false;
    static const char *const commands[] = {"topic", "produce", "fetch", "tail"};
    bool known = false;
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        known |= strcmp(o->command, commands[i]) == 0;
    return known && o->connections >= 1 && o->connections <= CONNECTIONS_MAX &&
           o->partitions >= 1 && o->partitions <= PARTITIONS_MAX && o->in_flight >= 1 &&
           o->record_bytes >= 1 && o->acks != 0;
}

int main(int argc, char **argv)
{
    struct load *l = mem_new(struct load);
    struct diag diag;
    if (!parse(&l->options, argc, argv)) {
        fputs(usage, stderr);
        return 2;
    }
    bool is_topic = strcmp(l->options.command, "topic") == 0;
    if (is_topic)
        l->options.connections = 1;
    if (os_loop_new(NULL, &l->loop, &diag) != 0)
        die("start", diag.text);
    l->env = os_loop_env(l->loop);
    l->end.fire = end_fire;
    l->again.fire = again_fire;
    l->pace.fire = pace_fire;
    list_init(&l->paced);
    if (is_tail(l)) {
        l->options.connections = 2;
        l->options.partitions = l->options.in_flight = 1;
        l->stays_at_end = true;
    }
    if (!is_topic && !is_fetch(l))
        build_batch(l);
    l->sessions = mem_alloc_array((size_t)l->options.connections, sizeof *l->sessions);
    for (int i = 0; i < l->options.connections; i++)
        session_open(l, i, is_topic ? topic_ready : load_ready);
    os_loop_run(l->loop);
    if (!is_topic)
        report(l);
    return 0;
}
