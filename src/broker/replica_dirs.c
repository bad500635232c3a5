// SPDX-License-Identifier: Apache-2.0
#include "broker/replica_dirs.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/trace.h"
#include "env/clock.h"
#include "env/env.h"
#include "metadata/feature.h"
#include "metadata/image.h"
#include "wire/errors.h"

enum {
    ASKED_MAX = 2250, // in one request, as Kafka
    ARENA_MAX = 4 << 20,
    RETRY_MS = 1000,
};

// ---- On each shard ----

static void give(struct env_timer *timer)
{
    struct replica_dirs_report *r = container_of(timer, struct replica_dirs_report, timer);
    struct replica_dir *items = r->items;
    int count = r->count;
    r->items = NULL;
    r->count = r->capacity = 0;
    r->give(r->owner, items, count);
}

void replica_dirs_report_init(struct replica_dirs_report *r, struct env *env, void *owner,
                              void (*give_all)(void *owner, struct replica_dir *items, int count))
{
    *r = (struct replica_dirs_report){
        .env = env, .owner = owner, .give = give_all, .timer.fire = give};
}

void replica_dirs_report_release(struct replica_dirs_report *r)
{
    env_timer_cancel(r->env->timers, &r->timer);
    mem_free(r->items);
    r->items = NULL;
    r->count = r->capacity = 0;
}

void replica_dirs_report_add(struct replica_dirs_report *r, const struct replica_dir *item)
{
    mem_grow(r->items, r->count, r->capacity);
    r->items[r->count++] = *item;
    if (!env_timer_is_set(&r->timer))
        env_timer_set(r->env->timers, &r->timer, env_mono_ns(r->env->clock));
}

// ---- On shard 0: the request ----

static int compare(const void *a, const void *b)
{
    const struct replica_dir *x = a, *y = b;
    int order = memcmp(x->directory_id.bytes, y->directory_id.bytes, UUID_SIZE);
    if (order == 0)
        order = memcmp(x->topic_id.bytes, y->topic_id.bytes, UUID_SIZE);
    return order != 0 ? order : (x->index > y->index) - (x->index < y->index);
}

// How many of the first ones are of one directory, or of one topic in it.
static int same_directory(const struct replica_dir *items, int count)
{
    int same = 1;
    while (same < count && uuid_equal(items[same].directory_id, items[0].directory_id))
        same++;
    return same;
}

static int same_topic(const struct replica_dir *items, int count)
{
    int same = 1;
    while (same < count && uuid_equal(items[same].topic_id, items[0].topic_id))
        same++;
    return same;
}

static int count_runs(const struct replica_dir *items, int count,
                      int (*same)(const struct replica_dir *items, int count))
{
    int runs = 0;
    for (int at = 0; at < count; runs++)
        at += same(items + at, count - at);
    return runs;
}

static void fill_topic(struct arena *arena, const struct replica_dir *items, int count,
                       struct assign_replicas_to_dirs_request_topic_data *topic)
{
    topic->topic_id = items[0].topic_id;
    check(assign_replicas_to_dirs_request_partition_data_array_new(arena, count,
                                                                   &topic->partitions));
    for (int i = 0; i < count; i++)
        topic->partitions.items[i].partition_index = items[i].index;
}

static void fill_directory(struct arena *arena, const struct replica_dir *items, int count,
                           struct assign_replicas_to_dirs_request_directory_data *directory)
{
    directory->id = items[0].directory_id;
    check(assign_replicas_to_dirs_request_topic_data_array_new(
        arena, count_runs(items, count, same_topic), &directory->topics));
    for (int i = 0, at = 0; at < count; i++) {
        int same = same_topic(items + at, count - at);
        fill_topic(arena, items + at, same, &directory->topics.items[i]);
        at += same;
    }
}

static void run_assign(struct quorum_command *command, struct controller *controller,
                       struct controller_command *cc)
{
    struct replica_dirs *d = container_of(command, struct replica_dirs, command);
    struct assign_replicas_to_dirs_request request;
    assign_replicas_to_dirs_request_init(&request);
    request.broker_id = d->node_id;
    request.broker_epoch = d->broker_epoch;
    qsort(d->items, (size_t)d->asked_count, sizeof *d->items, compare);
    check(assign_replicas_to_dirs_request_directory_data_array_new(
        &d->arena, count_runs(d->items, d->asked_count, same_directory), &request.directories));
    for (int i = 0, at = 0; at < d->asked_count; i++) {
        int same = same_directory(d->items + at, d->asked_count - at);
        fill_directory(&d->arena, d->items + at, same, &request.directories.items[i]);
        at += same;
    }
    controller_assign_replicas_to_dirs(controller, cc, &request, &d->reply, &d->arena);
}

// ---- On shard 0: asking ----

static void ask(struct replica_dirs *d);

static void forget_asked(struct replica_dirs *d)
{
    d->count -= d->asked_count;
    memmove(d->items, d->items + d->asked_count, (size_t)d->count * sizeof *d->items);
}

static void assigned(struct quorum_command *command, int kafka_error)
{
    struct replica_dirs *d = container_of(command, struct replica_dirs, command);
    if (kafka_error == KAFKA_NONE)
        kafka_error = d->reply.error_code;
    arena_release(&d->arena);
    // What it says of single partitions does not matter: those it does not know are gone.
    if (kafka_error == KAFKA_NONE)
        forget_asked(d);
    d->asked_count = 0;
    if (d->quorum == NULL)
        return;
    if (kafka_error == KAFKA_NONE) {
        ask(d);
        return;
    }
    trace_warn(d->trace, "node", "the controller does not note the directories of replicas: %s",
               kafka_error_text(kafka_error));
    env_timer_set(d->env->timers, &d->retry,
                  env_mono_ns(d->env->clock) + RETRY_MS * INT64_C(1000000));
}

static void ask(struct replica_dirs *d)
{
    if (d->quorum == NULL || d->count == 0 || d->asked_count > 0 || env_timer_is_set(&d->retry))
        return;
    if (metadata_image_feature(quorum_image(d->quorum), FEATURE_METADATA_VERSION) <
        METADATA_VERSION_DIRECTORIES) {
        d->count = 0; // this cluster's metadata has no place for it
        return;
    }
    d->asked_count = d->count < ASKED_MAX ? d->count : ASKED_MAX;
    d->command.run = run_assign;
    d->command.done = assigned;
    quorum_submit(d->quorum, &d->command);
}

static void ask_again(struct env_timer *timer)
{
    ask(container_of(timer, struct replica_dirs, retry));
}

void replica_dirs_init(struct replica_dirs *d, struct env *env, struct trace *trace, int32_t node_id)
{
    *d = (struct replica_dirs){
        .env = env, .trace = trace, .node_id = node_id, .broker_epoch = -1, .retry.fire = ask_again};
    arena_init(&d->arena, ARENA_MAX);
}

void replica_dirs_release(struct replica_dirs *d)
{
    d->quorum = NULL;
    d->is_over = true;
    env_timer_cancel(d->env->timers, &d->retry);
    mem_free(d->items);
    d->items = NULL;
    d->count = d->capacity = d->asked_count = 0;
    arena_release(&d->arena);
}

void replica_dirs_start(struct replica_dirs *d, struct quorum *quorum, int64_t broker_epoch)
{
    d->quorum = quorum;
    d->broker_epoch = broker_epoch;
    ask(d);
}

void replica_dirs_add(struct replica_dirs *d, const struct replica_dir *items, int count)
{
    if (d->is_over)
        return; // another shard placed them while the node stops: the next start tells
    for (int i = 0; i < count; i++) {
        mem_grow(d->items, d->count, d->capacity);
        d->items[d->count++] = items[i];
    }
    ask(d);
}
