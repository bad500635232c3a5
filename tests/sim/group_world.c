// SPDX-License-Identifier: Apache-2.0
#include "group_world.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/err.h"
#include "base/list.h"
#include "base/mem.h"
#include "dump.h"
#include "group/internal.h"
#include "metadata/replay.h"
#include "wire/api/offset_fetch.h"
#include "wire/api_keys.h"
#include "wire/apis.h"
#include "wire/batch.h"
#include "wire/metadata_record.h"
#include "wire/record/partition_record.h"
#include "wire/record/topic_record.h"

enum {
    LOG_MAX = 64 << 20,
    RELOAD_MS = 500,
    RESTART_MS_MAX = 4000,
    SYNC_MS_MAX = 30,
    TRAVEL_MS_MAX = 20,
};

static const int64_t wall_ms = 1700000000000; // when it begins

static void touched(struct world *w);

// ---- Time ----

static struct world *world_of(struct group_scene *s)
{
    return container_of(s, struct world, scene);
}

static struct coordinator_time now_of(const struct world *w)
{
    return (struct coordinator_time){w->scene.now_ms, w->scene.now_ms + wall_ms};
}

static uint64_t below(struct world *w, uint64_t bound)
{
    return scene_below(&w->scene, bound);
}

static bool chance(struct world *w, uint64_t numerator, uint64_t denominator)
{
    return scene_chance(&w->scene, numerator, denominator);
}

bool world_step(struct world *w, int64_t end_ms)
{
    int64_t next_ms = scene_next_ms(&w->scene);
    if (w->scene.failed || next_ms > end_ms)
        return false;
    w->scene.now_ms = next_ms;
    return scene_run_due(&w->scene);
}

// ---- The log ----

static int append(void *context, uint8_t *batch, size_t size, int64_t *end_offset)
{
    struct world *w = context;
    struct batch_header header;
    if (w->has_faults && chance(w, 1, 400)) {
        scene_note(&w->scene, "an append fails");
        return chance(w, 1, 2) ? ERR_NOSPC : ERR_IO;
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
    if (!w->has_faults || !chance(w, 1, 200))
        return 0;
    scene_note(&w->scene, "no room");
    w->has_refused = true;
    return ERR_NOSPC;
}

// A crash keeps everything that is committed, and of the rest as many batches as it likes.
static void lose_end(struct world *w)
{
    while (w->batch_count > 0 && w->batches[w->batch_count - 1].end_offset > w->committed_offset &&
           chance(w, 1, 2))
        w->batch_count--;
    w->end_offset = w->batch_count == 0 ? 0 : w->batches[w->batch_count - 1].end_offset;
    w->log.size = w->batch_count == 0 ? 0 : w->batches[w->batch_count - 1].end;
    w->committed_offset = w->end_offset;
}

// ---- The coordinator ----

// An event that belongs to one life of the coordinator.
struct life_event {
    struct scene_event event;
    int64_t life;
    int64_t value;
};

static void schedule(struct world *w, void (*run)(struct scene_event *event), int64_t delay_ms,
                     int64_t value)
{
    struct life_event *e = mem_new(struct life_event);
    e->event.run = run;
    e->life = w->life;
    e->value = value;
    scene_at(&w->scene, &e->event, delay_ms);
}

// Frees the event; false when its life is over.
static bool life_take(struct scene_event *event, int64_t *value)
{
    struct life_event *e = container_of(event, struct life_event, event);
    bool is_current = e->life == world_of(event->scene)->life && world_of(event->scene)->is_up;
    *value = e->value;
    mem_free(e);
    return is_current;
}

static void random_bytes(void *context, uint8_t *out, size_t size)
{
    struct world *w = context;
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)prng_next(&w->scene.prng);
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
        scene_fail(&w->scene, "what was written cannot be loaded: %s", diag.text);
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
    const struct coordinator_time now = now_of(w);
    if (w->options->bug != BUG_NO_TIMEOUTS)
        groups_loaded(w->groups, &now);
    w->is_up = true;
    scene_note(&w->scene, "the coordinator is up at %" PRId64, w->end_offset);
    touched(w);
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

static void start_again(struct scene_event *event)
{
    struct world *w = world_of(event->scene);
    mem_free(event);
    if (!w->is_up && !w->is_crashing)
        start(w);
}

static void start_later(struct world *w, int64_t delay_ms)
{
    struct scene_event *event = mem_new(struct scene_event);
    event->run = start_again;
    scene_at(&w->scene, event, delay_ms);
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
    scene_note(&w->scene, "crash: %" PRId64 " of %" PRId64 " left", w->end_offset, before);
    start_later(w, (int64_t)below(w, RESTART_MS_MAX));
}

void world_move(struct world *w)
{
    if (!w->is_up)
        return;
    scene_note(&w->scene, "the coordinator moves");
    stop(w, KAFKA_NOT_COORDINATOR);
    w->committed_offset = w->end_offset; // the next leader has all of it
    start_later(w, (int64_t)below(w, RESTART_MS_MAX));
}

static void committed(struct scene_event *event)
{
    struct world *w = world_of(event->scene);
    int64_t offset;
    if (!life_take(event, &offset))
        return;
    w->commit_is_due = false;
    w->committed_offset = offset;
    coordinator_committed(w->coordinator, offset);
    touched(w);
}

static void turn(struct scene_event *event)
{
    struct world *w = world_of(event->scene);
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
        schedule(w, committed, (int64_t)below(w, SYNC_MS_MAX), w->end_offset);
    }
    touched(w);
}

static void deadline(struct scene_event *event)
{
    struct world *w = world_of(event->scene);
    int64_t unused;
    if (!life_take(event, &unused))
        return;
    w->timer_at = INT64_MAX;
    const struct coordinator_time now = now_of(w);
    coordinator_advance(w->coordinator, &now);
    touched(w);
}

static void touched(struct world *w)
{
    if (!w->is_up)
        return;
    bool has_work = coordinator_has_batch(w->coordinator) ||
                    coordinator_failure(w->coordinator) != 0 ||
                    (coordinator_awaited_offset(w->coordinator) >= 0 && !w->commit_is_due);
    if (has_work && !w->turn_is_due) {
        w->turn_is_due = true;
        schedule(w, turn, (int64_t)below(w, 3), 0);
    }
    int64_t at = coordinator_deadline_ms(w->coordinator);
    if (at >= w->timer_at)
        return;
    w->timer_at = at;
    schedule(w, deadline, at > w->scene.now_ms ? at - w->scene.now_ms : 0, 0);
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
        scene_fail(&w->scene, "replaying the log gives another state:\n%s\ninstead of\n%s",
                   buf_text(&there), buf_text(&here));
    groups_free(g);
    coordinator_free(c);
    buf_release(&here);
    buf_release(&there);
}

// ---- Requests on their way ----

struct travel {
    struct scene_event event;
    struct group_call call;
    struct group_ask *ask;
};

static void drop(struct scene_event *event)
{
    struct travel *t = container_of(event, struct travel, event);
    group_ask_drop(t->ask);
    mem_free(t);
}

static void arrive_home(struct scene_event *event)
{
    struct travel *t = container_of(event, struct travel, event);
    struct world *w = world_of(event->scene);
    if (w->is_crashing) {
        drop(event);
        return;
    }
    struct offset_fetch_response all;
    const void *response = t->call.response;
    if (t->ask->api_key == API_OFFSET_FETCH) {
        offset_fetch_response_init(&all);
        all.groups.items = t->call.response;
        all.groups.count = 1;
        response = &all;
    }
    group_ask_answer(t->ask, response);
    mem_free(t);
}

static void served(struct group_call *call)
{
    struct travel *t = container_of(call, struct travel, call);
    struct world *w = world_of(t->event.scene);
    bool is_lost = w->is_crashing || (w->has_faults && chance(w, 1, 60));
    check(!call->no_memory);
    t->event.run = is_lost ? drop : arrive_home;
    scene_at(&w->scene, &t->event, 1 + (int64_t)below(w, TRAVEL_MS_MAX));
}

static void fetch_offsets(struct world *w, struct travel *t, const struct coordinator_time *now)
{
    const struct offset_fetch_request *r = t->ask->request;
    struct offset_fetch_response_offset_fetch_response_group *group =
        arena_new(&t->ask->arena, struct offset_fetch_response_offset_fetch_response_group);
    offset_fetch_response_offset_fetch_response_group_init(group);
    t->call.response = group;
    check(r->groups.count == 1);
    groups_fetch_offsets(w->groups, &t->call, now, &r->groups.items[0], r->require_stable);
}

static void serve(struct world *w, struct travel *t)
{
    struct groups *g = w->groups;
    struct group_call *call = &t->call;
    const struct coordinator_time now = now_of(w);
    switch (t->ask->api_key) {
    case API_JOIN_GROUP:
        groups_join(g, call, &now, t->ask->request);
        break;
    case API_SYNC_GROUP:
        groups_sync(g, call, &now, t->ask->request);
        break;
    case API_HEARTBEAT:
        groups_heartbeat(g, call, &now, t->ask->request);
        break;
    case API_LEAVE_GROUP:
        groups_leave(g, call, &now, t->ask->request);
        break;
    case API_CONSUMER_GROUP_HEARTBEAT:
        groups_consumer_heartbeat(g, call, &now, t->ask->request);
        break;
    case API_OFFSET_COMMIT:
        groups_commit_offsets(g, call, &now, t->ask->request);
        break;
    case API_OFFSET_FETCH:
        fetch_offsets(w, t, &now);
        break;
    default:
        check(false);
    }
    touched(w);
}

static void arrive(struct scene_event *event)
{
    struct world *w = world_of(event->scene);
    if (!w->is_up || w->is_crashing || (w->has_faults && chance(w, 1, 60)))
        drop(event);
    else
        serve(w, container_of(event, struct travel, event));
}

static void ask(struct group_scene *s, struct group_ask *ask)
{
    struct travel *t = mem_new(struct travel);
    const struct wire_schema *response = api_find(ask->api_key)->response;
    t->ask = ask;
    t->call.response = arena_alloc(&ask->arena, wire_schema_struct_size(response));
    wire_init_default(response, t->call.response);
    t->call.arena = &ask->arena;
    t->call.version = ask->version;
    t->call.client_id = str_from("sim");
    t->call.client_host = str_from("/127.0.0.1");
    t->call.done = served;
    t->event.run = arrive;
    scene_at(s, &t->event, 1 + (int64_t)scene_below(s, TRAVEL_MS_MAX));
}

static void member_gone(struct group_scene *s, struct member *member, bool is_dead)
{
    (void)s, (void)member, (void)is_dead; // what it has asked is lost in its answer
}

// ---- Metadata ----

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
    record.partition_id = w->scene.partition_counts[topic]++;
    record.topic_id = w->scene.topic_ids[topic];
    record.replicas = (struct wire_int32_array){&node, 1};
    record.isr = (struct wire_int32_array){&node, 1};
    record.leader = 1;
    record.leader_epoch = 0;
    record.partition_epoch = 0;
    replay_metadata(image, METADATA_PARTITION_RECORD, &record);
}

static void publish(struct world *w, struct metadata_image *image)
{
    const struct coordinator_time now = now_of(w);
    if (w->groups != NULL)
        groups_set_image(w->groups, image, &now);
    if (w->image != NULL)
        metadata_image_unref(w->image);
    w->image = image;
    touched(w);
}

void world_grow(struct world *w, int topic)
{
    if (w->scene.partition_counts[topic] == GROUP_PARTITIONS_MAX)
        return;
    struct metadata_image *image = metadata_image_fork(w->image);
    add_partition(w, image, topic);
    scene_note(&w->scene, "topic %s has %d partitions", scene_topic_name(topic),
               w->scene.partition_counts[topic]);
    publish(w, image);
}

static void make_topics(struct world *w)
{
    struct metadata_image *image = metadata_image_new();
    for (int t = 0; t < GROUP_TOPICS; t++) {
        uint8_t random[UUID_SIZE];
        random_bytes(w, random, sizeof random);
        w->scene.topic_ids[t] = uuid_from_random(random);
        replay_metadata(image, METADATA_TOPIC_RECORD,
                        &(struct topic_record){.name = str_from(scene_topic_name(t)),
                                               .topic_id = w->scene.topic_ids[t]});
        int count = 1 + (int)below(w, GROUP_PARTITIONS_MAX - 1);
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
    scene_init(&w->scene, options->seed);
    w->scene.now_ms = 1000000;
    w->scene.verbose = options->verbose;
    w->scene.ask = ask;
    w->scene.member_gone = member_gone;
    buf_init(&w->log, LOG_MAX);
    w->config = config_new();
    check(config_override(w->config, "group.initial.rebalance.delay.ms=500", &diag) == 0);
    check(config_override(w->config, "group.min.session.timeout.ms=1000", &diag) == 0);
    make_topics(w);
    start(w);
}

void world_release(struct world *w)
{
    w->is_crashing = true; // what is due still frees itself and does nothing else
    stop(w, KAFKA_NOT_COORDINATOR);
    while (scene_next_ms(&w->scene) < INT64_MAX) {
        w->scene.now_ms = scene_next_ms(&w->scene);
        scene_run_due(&w->scene);
    }
    scene_release(&w->scene);
    metadata_image_unref(w->image);
    config_free(w->config);
    buf_release(&w->log);
    mem_free(w->batches);
}
