// SPDX-License-Identifier: Apache-2.0
#include "group_world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "group/internal.h"
#include "dump.h"
#include "metadata/replay.h"
#include "wire/batch.h"
#include "wire/metadata_record.h"
#include "wire/record/partition_record.h"
#include "wire/record/topic_record.h"

enum { LOG_MAX = 64 << 20, RELOAD_MS = 500, RESTART_MS_MAX = 4000, SYNC_MS_MAX = 30 };

// ---- Chance, time, words ----

uint64_t world_below(struct world *w, uint64_t bound)
{
    return prng_below(&w->prng, bound);
}

bool world_chance(struct world *w, uint64_t numerator, uint64_t denominator)
{
    return prng_chance(&w->prng, numerator, denominator);
}

void world_fail(struct world *w, const char *format, ...)
{
    va_list args;
    if (w->failed)
        return;
    w->failed = true;
    va_start(args, format);
    vsnprintf(w->message, sizeof w->message, format, args);
    va_end(args);
}

void world_note(struct world *w, const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    for (int i = 0; i < size && i < (int)sizeof line - 1; i++)
        w->hash = (w->hash ^ (uint8_t)line[i]) * UINT64_C(1099511628211);
    w->hash = (w->hash ^ (uint64_t)w->now.mono_ms) * UINT64_C(1099511628211);
    if (w->options->verbose)
        printf("%9" PRId64 " %s\n", w->now.mono_ms, line);
}

void world_at(struct world *w, struct world_event *event, int64_t delay_ms)
{
    event->world = w;
    heap_insert(&w->events, &event->node, w->now.mono_ms + delay_ms);
}

bool world_step(struct world *w, int64_t end_ms)
{
    struct heap_node *first = heap_min(&w->events);
    if (w->failed || first == NULL || first->key > end_ms)
        return false;
    struct world_event *event = container_of(first, struct world_event, node);
    int64_t passed_ms = first->key - w->now.mono_ms;
    heap_remove(&w->events, first);
    w->now.mono_ms += passed_ms;
    w->now.wall_ms += passed_ms;
    event->run(event);
    return true;
}

// ---- The log ----

static int append(void *context, uint8_t *batch, size_t size, int64_t *end_offset)
{
    struct world *w = context;
    struct batch_header header;
    if (w->has_faults && world_chance(w, 1, 400)) {
        world_note(w, "an append fails");
        return world_chance(w, 1, 2) ? ERR_NOSPC : ERR_IO;
    }
    check(batch_header_parse(bytes_of(batch, size), &header) == 0);
    batch_set_base_offset(batch, w->end_offset);
    buf_append(&w->log, batch, size);
    check(!w->log.failed);
    w->end_offset += header.last_offset_delta + 1;
    mem_grow(w->batches, w->batch_count, w->batch_capacity);
    w->batches[w->batch_count++] = (struct world_batch){w->end_offset, w->log.size};
    *end_offset = w->end_offset;
    return 0;
}

static int may_append(void *context)
{
    struct world *w = context;
    if (!w->has_faults || !world_chance(w, 1, 200))
        return 0;
    world_note(w, "no room");
    w->has_refused = true;
    return ERR_NOSPC;
}

// A crash keeps everything that is committed, and of the rest as many batches as it likes.
static void lose_end(struct world *w)
{
    while (w->batch_count > 0 && w->batches[w->batch_count - 1].end_offset > w->committed_offset &&
           world_chance(w, 1, 2))
        w->batch_count--;
    w->end_offset = w->batch_count == 0 ? 0 : w->batches[w->batch_count - 1].end_offset;
    w->log.size = w->batch_count == 0 ? 0 : w->batches[w->batch_count - 1].end;
    w->committed_offset = w->end_offset;
}

// ---- The coordinator ----

// An event that belongs to one life of the coordinator.
struct life_event {
    struct world_event event;
    int64_t life;
    int64_t value;
};

static void schedule(struct world *w, void (*run)(struct world_event *event), int64_t delay_ms,
                     int64_t value)
{
    struct life_event *e = mem_new(struct life_event);
    e->event.run = run;
    e->life = w->life;
    e->value = value;
    world_at(w, &e->event, delay_ms);
}

// Frees the event; false when its life is over.
static bool life_take(struct world_event *event, int64_t *value)
{
    struct life_event *e = container_of(event, struct life_event, event);
    bool is_current = e->life == event->world->life && event->world->is_up;
    *value = e->value;
    mem_free(e);
    return is_current;
}

static void random_bytes(void *context, uint8_t *out, size_t size)
{
    struct world *w = context;
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)prng_next(&w->prng);
}

static struct groups *groups_make(struct world *w)
{
    return groups_new(&(struct groups_options){
        .config = w->config,
        .image = w->image,
        .hash_seed = {1, 2},
        .random = random_bytes,
        .random_context = w,
    });
}

static struct coordinator *coordinator_make(struct world *w, struct groups *g)
{
    struct diag diag = {{0}};
    struct coordinator *c = coordinator_new(&(struct coordinator_options){
        .machine = &groups_machine,
        .state = g,
        .name = "__consumer_offsets-0",
        .append = append,
        .may_append = may_append,
        .append_context = w,
        .batch_bytes_max = 1 << 20,
    });
    groups_attach(g, c);
    if (coordinator_load(c, buf_bytes(&w->log), &diag) != 0)
        world_fail(w, "what was written cannot be loaded: %s", diag.text);
    return c;
}

static void start(struct world *w)
{
    w->life++;
    w->turn_is_due = w->commit_is_due = w->has_refused = false;
    w->timer_at = INT64_MAX;
    w->groups = groups_make(w);
    w->coordinator = coordinator_make(w, w->groups);
    coordinator_activate(w->coordinator, w->end_offset);
    if (w->options->bug != BUG_NO_TIMEOUTS)
        groups_loaded(w->groups, &w->now);
    w->is_up = true;
    world_note(w, "the coordinator is up at %" PRId64, w->end_offset);
    world_touched(w);
}

static void stop(struct world *w, enum kafka_error error)
{
    if (!w->is_up)
        return;
    w->is_up = false;
    groups_end(w->groups, error);
    coordinator_fail(w->coordinator, error);
    groups_free(w->groups);
    coordinator_free(w->coordinator);
    w->groups = NULL;
    w->coordinator = NULL;
}

static void start_again(struct world_event *event)
{
    struct world *w = event->world;
    mem_free(event);
    if (!w->is_up && !w->is_crashing)
        start(w);
}

static void start_later(struct world *w, int64_t delay_ms)
{
    struct world_event *event = mem_new(struct world_event);
    event->run = start_again;
    world_at(w, event, delay_ms);
}

void world_crash(struct world *w)
{
    if (!w->is_up)
        return;
    w->is_crashing = true;
    stop(w, KAFKA_NOT_COORDINATOR);
    w->is_crashing = false;
    int64_t before = w->end_offset;
    lose_end(w);
    w->crashes++;
    world_note(w, "crash: %" PRId64 " of %" PRId64 " left", w->end_offset, before);
    start_later(w, (int64_t)world_below(w, RESTART_MS_MAX));
}

void world_move(struct world *w)
{
    if (!w->is_up)
        return;
    world_note(w, "the coordinator moves");
    stop(w, KAFKA_NOT_COORDINATOR);
    w->committed_offset = w->end_offset; // the next leader has all of it
    start_later(w, (int64_t)world_below(w, RESTART_MS_MAX));
}

static void committed(struct world_event *event)
{
    struct world *w = event->world;
    int64_t offset;
    if (!life_take(event, &offset))
        return;
    w->commit_is_due = false;
    w->committed_offset = offset;
    coordinator_committed(w->coordinator, offset);
    world_touched(w);
}

static void turn(struct world_event *event)
{
    struct world *w = event->world;
    int64_t unused;
    if (!life_take(event, &unused))
        return;
    w->turn_is_due = false;
    coordinator_flush(w->coordinator);
    if (coordinator_failure(w->coordinator) != 0) {
        stop(w, coordinator_error(coordinator_failure(w->coordinator)));
        w->committed_offset = w->end_offset; // it goes on with what it has
        start_later(w, RELOAD_MS);
        return;
    }
    if (w->options->bug == BUG_EARLY_ACK)
        coordinator_committed(w->coordinator, w->end_offset);
    else if (coordinator_awaited_offset(w->coordinator) >= 0 && !w->commit_is_due) {
        w->commit_is_due = true;
        schedule(w, committed, (int64_t)world_below(w, SYNC_MS_MAX), w->end_offset);
    }
    world_touched(w);
}

static void deadline(struct world_event *event)
{
    struct world *w = event->world;
    int64_t unused;
    if (!life_take(event, &unused))
        return;
    w->timer_at = INT64_MAX;
    coordinator_advance(w->coordinator, &w->now);
    world_touched(w);
}

void world_touched(struct world *w)
{
    if (!w->is_up)
        return;
    bool has_work = coordinator_has_batch(w->coordinator) ||
                    coordinator_failure(w->coordinator) != 0 ||
                    (coordinator_awaited_offset(w->coordinator) >= 0 && !w->commit_is_due);
    if (has_work && !w->turn_is_due) {
        w->turn_is_due = true;
        schedule(w, turn, (int64_t)world_below(w, 3), 0);
    }
    int64_t at = coordinator_deadline_ms(w->coordinator);
    if (at >= w->timer_at)
        return;
    w->timer_at = at;
    schedule(w, deadline, at > w->now.mono_ms ? at - w->now.mono_ms : 0, 0);
}

void world_show(struct world *w)
{
    struct buf text;
    if (!w->is_up)
        return;
    buf_init(&text, LOG_MAX);
    fixture_dump(w->groups, &text);
    printf("%s", buf_text(&text));
    buf_release(&text);
}

// While a classic group rebalances it is ahead of the log, and meant to be.
static bool is_ahead(const struct world *w)
{
    for (struct group *g = NULL; (g = groups_next(w->groups, g)) != NULL;) {
        const char *state = group_state_name(g);
        if (g->kind == GROUP_CLASSIC && strcmp(state, "Stable") != 0 && strcmp(state, "Empty") != 0)
            return true;
    }
    return false;
}

void world_check_replay(struct world *w)
{
    struct buf here, there;
    if (!w->is_up || coordinator_has_batch(w->coordinator) ||
        coordinator_failure(w->coordinator) != 0 || w->has_refused || is_ahead(w))
        return;
    buf_init(&here, LOG_MAX);
    buf_init(&there, LOG_MAX);
    fixture_dump(w->groups, &here);
    struct groups *g = groups_make(w);
    struct coordinator *c = coordinator_make(w, g);
    fixture_dump(g, &there);
    if (strcmp(buf_text(&here), buf_text(&there)) != 0)
        world_fail(w, "replaying the log gives another state:\n%s\ninstead of\n%s",
                   buf_text(&there), buf_text(&here));
    groups_free(g);
    coordinator_free(c);
    buf_release(&here);
    buf_release(&there);
}

// ---- Metadata ----

const char *world_topic_name(int topic)
{
    static const char *const names[WORLD_TOPICS] = {"orders", "payments"};
    return names[topic];
}

const char *world_group_id(int group)
{
    static const char *const ids[WORLD_GROUPS] = {"alpha", "beta", "gamma"};
    return ids[group];
}

int world_topic_of(const struct world *w, struct str name, struct uuid id)
{
    for (int t = 0; t < WORLD_TOPICS; t++)
        if (name.size > 0 ? str_is(name, world_topic_name(t)) : uuid_equal(id, w->topic_ids[t]))
            return t;
    return -1;
}

static void replay_metadata(struct metadata_image *image, enum metadata_record_type type,
                            const void *message)
{
    struct buf value;
    struct diag diag;
    buf_init(&value, 1 << 20);
    check(metadata_record_encode(type, 0, message, &value) == 0);
    check(metadata_replay(image, buf_bytes(&value), 1, &diag) == 0);
    buf_release(&value);
}

static void add_partition(struct world *w, struct metadata_image *image, int topic)
{
    int32_t node = 1;
    struct partition_record record;
    partition_record_init(&record);
    record.partition_id = w->partition_counts[topic]++;
    record.topic_id = w->topic_ids[topic];
    record.replicas = (struct wire_int32_array){&node, 1};
    record.isr = (struct wire_int32_array){&node, 1};
    record.leader = 1;
    record.leader_epoch = 0;
    record.partition_epoch = 0;
    replay_metadata(image, METADATA_PARTITION_RECORD, &record);
}

static void publish(struct world *w, struct metadata_image *image)
{
    if (w->groups != NULL)
        groups_set_image(w->groups, image, &w->now);
    if (w->image != NULL)
        metadata_image_unref(w->image);
    w->image = image;
    world_touched(w);
}

void world_grow(struct world *w, int topic)
{
    if (w->partition_counts[topic] == WORLD_PARTITIONS_MAX)
        return;
    struct metadata_image *image = metadata_image_fork(w->image);
    add_partition(w, image, topic);
    world_note(w, "topic %s has %d partitions", world_topic_name(topic),
               w->partition_counts[topic]);
    publish(w, image);
}

static void make_topics(struct world *w)
{
    struct metadata_image *image = metadata_image_new();
    for (int t = 0; t < WORLD_TOPICS; t++) {
        uint8_t random[UUID_SIZE];
        random_bytes(w, random, sizeof random);
        w->topic_ids[t] = uuid_from_random(random);
        replay_metadata(image, METADATA_TOPIC_RECORD,
                        &(struct topic_record){.name = str_from(world_topic_name(t)),
                                               .topic_id = w->topic_ids[t]});
        int count = 1 + (int)world_below(w, WORLD_PARTITIONS_MAX - 1);
        for (int i = 0; i < count; i++)
            add_partition(w, image, t);
    }
    publish(w, image);
}

// ---- Life ----

void world_init(struct world *w, const struct world_options *options)
{
    struct diag diag;
    *w = (struct world){.options = options, .has_faults = true, .timer_at = INT64_MAX};
    w->now = (struct coordinator_time){1000000, 1700000000000};
    prng_init(&w->prng, options->seed);
    heap_init(&w->events);
    buf_init(&w->log, LOG_MAX);
    w->config = config_new();
    check(config_override(w->config, "group.initial.rebalance.delay.ms=500", &diag) == 0);
    check(config_override(w->config, "group.min.session.timeout.ms=1000", &diag) == 0);
    make_topics(w);
    start(w);
}

void world_release(struct world *w)
{
    w->is_crashing = true;
    stop(w, KAFKA_NOT_COORDINATOR);
    struct heap_node *n;
    while ((n = heap_min(&w->events)) != NULL) {
        struct world_event *event = container_of(n, struct world_event, node);
        heap_remove(&w->events, n);
        event->run(event); // frees itself; with `is_crashing` nothing else happens
    }
    heap_release(&w->events);
    metadata_image_unref(w->image);
    config_free(w->config);
    buf_release(&w->log);
    mem_free(w->batches);
}
