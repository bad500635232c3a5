// SPDX-License-Identifier: Apache-2.0
#include "cluster_users.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "client/client.h"
#include "client/fetcher.h"
#include "client/producer.h"
#include "sim_client.h"
#include "wire/errors.h"

static const struct client_options client_options = {
    .client_id = "sim",
    .request_timeout_ms = 8000,
    .connect_timeout_ms = 4000,
    .metadata_age_ms_max = 20000,
};

void users_say(const struct users *u, const char *format, ...)
{
    if (!u->verbose)
        return;
    va_list args;
    va_start(args, format);
    printf("%12.3f ms  ", (double)u->sim->now_ns / 1e6);
    vprintf(format, args);
    printf("\n");
    va_end(args);
}

// ---- Producer ----

struct producer_user {
    struct users *users;
    int number;
    struct sim_client *client;
    struct producer *producer;
};

static void on_result(void *user, const struct produce_result *result)
{
    struct producer_user *p = user;
    struct users *u = p->users;
    bool delivered = result->code == 0 && result->err == 0;
    int64_t number = (int64_t)result->tag;
    sim_note(u->sim, (uint64_t)number << 32 | (uint32_t)result->code << 16 | (uint16_t)result->err);
    sim_note(u->sim, (uint64_t)result->offset);
    if (delivered) {
        users_say(u, "record %" PRId64 " of %d: %.*s-%d at %" PRId64, number, p->number,
                  STR_ARG(result->topic), result->partition, result->offset);
        model_acknowledged(u->model, number, result->partition, result->offset);
    } else {
        users_say(u, "record %" PRId64 ": failed, %s, %s", number, kafka_error_name(result->code),
                  err_name(result->err));
        model_failed(u->model, number);
    }
}

static void producer_step(void *user, int64_t now_ms)
{
    producer_on_time(((struct producer_user *)user)->producer, now_ms);
}

static int64_t producer_user_next_ms(void *user)
{
    return producer_next_ms(((struct producer_user *)user)->producer);
}

struct producer_user *producer_user_new(struct users *u, struct sim_host *host, int number)
{
    static const enum codec codecs[] = {CODEC_NONE, CODEC_NONE, CODEC_LZ4, CODEC_ZSTD};
    struct producer_user *p = mem_new(struct producer_user);
    struct diag diag = {{0}};
    struct sim_client_user user = {
        .step = producer_step, .next_ms = producer_user_next_ms, .user = p};
    p->users = u;
    p->number = number;
    p->client = sim_client_new(u->sim, host, &client_options, u->bootstrap, &user);
    struct producer_options options = {
        .acks = ACKS_ALL,
        .idempotent = true,
        .codec = codecs[prng_below(u->prng, 4)],
        .codec_level = CODEC_LEVEL_DEFAULT,
        .linger_ms = (int64_t)prng_below(u->prng, 20),
        .batch_bytes_max = 200 + prng_below(u->prng, 1500),
        .request_timeout_ms = 8000,
        .delivery_timeout_ms = 1000 + (int64_t)prng_below(u->prng, 60000),
        .seed = prng_next(u->prng),
    };
    int err = producer_new(sim_client_get(p->client), &options, on_result, p, &p->producer, &diag);
    check(err == 0);
    return p;
}

void producer_user_free(struct producer_user *p)
{
    producer_free(p->producer);
    sim_client_free(p->client);
    mem_free(p);
}

int64_t producer_user_send(struct producer_user *p, int topic, int partition, int size)
{
    struct model *m = p->users->model;
    uint8_t value[MODEL_VALUE_MAX];
    int64_t number = model_record_new(m, topic, partition, p->number, size, value);
    struct produce_record record = {
        .topic = str_from(m->topics[topic].name),
        .partition = partition,
        .timestamp_ms = p->users->sim->wall_offset_ms + p->users->sim->now_ns / 1000000,
        .value = bytes_of(value, (size_t)m->records[number].size),
        .tag = (uint64_t)number,
    };
    int err = producer_add(p->producer, &record, sim_client_now_ms(p->client));
    if (err == ERR_AGAIN) {
        model_failed(m, number);
        return -1;
    }
    check(err == 0);
    sim_client_wake(p->client);
    return number;
}

int64_t producer_user_pending(const struct producer_user *p)
{
    return producer_pending(p->producer);
}

// ---- Consumer ----

struct consumer_user {
    struct users *users;
    int topic;
    int life;
    bool from_start;
    bool to_end;
    bool stale;
    bool added; // the partitions are known
    int count;  // of partitions
    int done;
    struct sim_client *client;
    struct fetcher *fetcher;
    struct model_reader readers[MODEL_PARTITIONS_MAX];
};

static void on_fetch_event(void *user, const struct fetch_event *e)
{
    struct consumer_user *c = user;
    struct model *m = c->users->model;
    struct model_reader *r = &c->readers[e->partition];
    sim_note(c->users->sim, (uint64_t)e->kind << 32 | (uint32_t)e->code << 16 | (uint16_t)e->err);
    switch (e->kind) {
    case FETCH_DONE:
        c->done++;
        if (c->from_start)
            model_read_all(m, r, e->offset);
        break;
    case FETCH_RESET:
        users_say(c->users, "consumer of %.*s-%d: from %" PRId64 " to %" PRId64, STR_ARG(e->topic),
                  e->partition, e->offset, e->value);
        if (r->life == m->topics[c->topic].life)
            model_reader_reset(r, m, e->offset, e->value);
        break;
    case FETCH_FAILED:
        if (e->err == ERR_CORRUPT || e->code == KAFKA_CORRUPT_MESSAGE)
            model_complain(m, "%.*s-%d: what comes at %" PRId64 " is damaged", STR_ARG(e->topic),
                           e->partition, e->offset);
        c->stale = true;
        break;
    case FETCH_TROUBLE:
        if (e->code == KAFKA_CORRUPT_MESSAGE)
            model_complain(m, "%.*s-%d: what comes at %" PRId64 " is damaged", STR_ARG(e->topic),
                           e->partition, e->offset);
        break;
    }
    if (e->kind == FETCH_FAILED || e->kind == FETCH_TROUBLE)
        users_say(c->users, "consumer of %.*s-%d at %" PRId64 ": %s, %s", STR_ARG(e->topic),
                  e->partition, e->offset, kafka_error_name(e->code), err_name(e->err));
}

static void add_partitions(struct consumer_user *c, int64_t now_ms)
{
    struct model *m = c->users->model;
    struct str name = str_from(m->topics[c->topic].name);
    const struct topology_topic *t =
        topology_topic(client_topology(sim_client_get(c->client)), name);
    if (t == NULL || t->error != 0 || t->partition_count == 0 ||
        t->partition_count > MODEL_PARTITIONS_MAX) {
        c->stale = t != NULL; // not there, or not yet
        return;
    }
    c->added = true;
    c->count = t->partition_count;
    for (int i = 0; i < c->count; i++) {
        struct fetch_position from = {FETCH_FROM_EARLIEST, 0};
        struct fetch_limit to = {c->to_end ? FETCH_TO_LATEST : FETCH_FOREVER, 0};
        int64_t end = m->topics[c->topic].partitions[i].end_min;
        if (!c->from_start && end > 0)
            from = (struct fetch_position){FETCH_FROM_OFFSET,
                                           (int64_t)prng_below(c->users->prng, (uint64_t)end)};
        fetcher_add(c->fetcher, name, i, from, to, now_ms);
    }
}

static void consumer_step(void *user, int64_t now_ms)
{
    struct consumer_user *c = user;
    struct fetched f;
    if (!c->added && !c->stale)
        add_partitions(c, now_ms);
    if (!c->added)
        return;
    fetcher_on_time(c->fetcher, now_ms);
    while (fetcher_next(c->fetcher, &f, now_ms) == 1) {
        sim_note(c->users->sim, (uint64_t)f.record.offset);
        model_read(c->users->model, &c->readers[f.partition], f.record.offset, f.record.value,
                   f.high_watermark);
    }
}

static int64_t consumer_next_ms(void *user)
{
    return fetcher_next_ms(((struct consumer_user *)user)->fetcher);
}

struct consumer_user *consumer_user_new(struct users *u, struct sim_host *host, int topic,
                                        bool from_start, bool to_end)
{
    struct consumer_user *c = mem_new(struct consumer_user);
    struct sim_client_user user = {.step = consumer_step, .next_ms = consumer_next_ms, .user = c};
    *c = (struct consumer_user){.users = u,
                                .topic = topic,
                                .from_start = from_start,
                                .to_end = to_end,
                                .life = u->model->topics[topic].life};
    for (int i = 0; i < MODEL_PARTITIONS_MAX; i++)
        model_reader_init(&c->readers[i], u->model, topic, i);
    c->client = sim_client_new(u->sim, host, &client_options, u->bootstrap, &user);
    struct fetcher_options options = {
        .check_crcs = true,
        .wait_ms_max = 500,
        .fetch_bytes_max = 1000 + (int32_t)prng_below(u->prng, 20000),
        .partition_bytes_max = 500 + (int32_t)prng_below(u->prng, 5000),
    };
    c->fetcher = fetcher_new(sim_client_get(c->client), &options, on_fetch_event, c);
    client_want_topic(sim_client_get(c->client), str_from(u->model->topics[topic].name), false);
    return c;
}

void consumer_user_free(struct consumer_user *c)
{
    fetcher_free(c->fetcher);
    sim_client_free(c->client);
    mem_free(c);
}

int consumer_user_topic(const struct consumer_user *c)
{
    return c->topic;
}

bool consumer_user_is_stale(const struct consumer_user *c)
{
    const struct model_topic *t = &c->users->model->topics[c->topic];
    return c->stale || c->life != t->life || (c->added && c->count < t->count_min);
}

bool consumer_user_is_done(const struct consumer_user *c)
{
    const struct model_topic *t = &c->users->model->topics[c->topic];
    if (c->stale || !c->added || c->count < t->count_min)
        return false;
    if (c->to_end)
        return c->done == c->count;
    for (int i = 0; i < c->count; i++)
        // Where everything may have been deleted there may be nothing to come.
        if (t->partitions[i].end_min > t->partitions[i].start_max &&
            c->readers[i].next < t->partitions[i].end_min)
            return false;
    return true;
}
