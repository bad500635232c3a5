// SPDX-License-Identifier: Apache-2.0
#include "sim_coordinator.h"

#include <inttypes.h>
#include <string.h>

#include "base/check.h"
#include "base/err.h"
#include "base/list.h"
#include "base/mem.h"
#include "wire/batch.h"

enum {
    LOG_MAX = 64 << 20,
    BATCH_MAX = 1 << 20,
    RELOAD_MS = 500,
    RESTART_MS_MAX = 4000,
    SYNC_MS_MAX = 30,
    TURN_MS_MAX = 3,
};

static const int64_t wall_ms = 1700000000000; // when it begins

struct coordinator_time sim_coordinator_now(const struct sim_coordinator *c)
{
    return (struct coordinator_time){c->scene->now_ms, c->scene->now_ms + wall_ms};
}

// ---- The log ----

static int append(void *context, uint8_t *batch, size_t size, int64_t *end_offset)
{
    struct sim_coordinator *c = context;
    struct batch_header header;
    if (c->has_faults && scene_chance(c->scene, 1, 400)) {
        scene_note(c->scene, "an append fails");
        return scene_chance(c->scene, 1, 2) ? ERR_NOSPC : ERR_IO;
    }
    check(batch_header_parse(bytes_of(batch, size), &header) == 0);
    batch_set_base_offset(batch, c->end_offset);
    buf_append(&c->log, batch, size);
    check(!c->log.failed);
    c->end_offset += header.last_offset_delta + 1;
    mem_grow(c->batches, c->batch_count, c->batch_capacity);
    c->batches[c->batch_count++] = (struct sim_batch){c->end_offset, c->log.size};
    *end_offset = c->end_offset;
    return 0;
}

static int may_append(void *context)
{
    struct sim_coordinator *c = context;
    if (!c->has_faults || !scene_chance(c->scene, 1, 200))
        return 0;
    scene_note(c->scene, "no room");
    return ERR_NOSPC;
}

// A crash keeps everything that is committed, and of the rest as many batches as it likes.
static void lose_end(struct sim_coordinator *c)
{
    while (c->batch_count > 0 && c->batches[c->batch_count - 1].end_offset > c->committed_offset &&
           scene_chance(c->scene, 1, 2))
        c->batch_count--;
    c->end_offset = c->batch_count == 0 ? 0 : c->batches[c->batch_count - 1].end_offset;
    c->log.size = c->batch_count == 0 ? 0 : c->batches[c->batch_count - 1].end;
    c->committed_offset = c->end_offset;
}

// ---- Events of one life ----

struct life_event {
    struct scene_event event;
    struct sim_coordinator *coordinator;
    int64_t life;
    int64_t value;
};

static void schedule(struct sim_coordinator *c, void (*run)(struct scene_event *event), int64_t delay_ms,
                     int64_t value)
{
    struct life_event *e = mem_new(struct life_event);
    e->event.run = run;
    e->coordinator = c;
    e->life = c->life;
    e->value = value;
    scene_at(c->scene, &e->event, delay_ms);
}

// Frees the event. NULL when its life is over.
static struct sim_coordinator *take(struct scene_event *event, int64_t *value)
{
    struct life_event *e = container_of(event, struct life_event, event);
    struct sim_coordinator *c = e->coordinator;
    bool is_current = e->life == c->life && c->is_up;
    *value = e->value;
    mem_free(e);
    return is_current ? c : NULL;
}

// ---- Up and down ----

static struct coordinator *load(struct sim_coordinator *c, void *state)
{
    struct diag diag = {{0}};
    struct coordinator *made = coordinator_new(&(struct coordinator_options){
        .machine = c->type->machine,
        .state = state,
        .name = c->type->name,
        .append = append,
        .may_append = may_append,
        .append_context = c,
        .batch_bytes_max = BATCH_MAX,
    });
    c->type->attach(state, made);
    if (coordinator_load(made, buf_bytes(&c->log), &diag) != 0)
        scene_fail(c->scene, "what was written cannot be loaded: %s", diag.text);
    return made;
}

void sim_coordinator_start(struct sim_coordinator *c)
{
    const struct coordinator_time now = sim_coordinator_now(c);
    c->life++;
    c->turn_is_due = c->commit_is_due = false;
    c->timer_at = INT64_MAX;
    c->state = c->type->make(c->owner);
    c->coordinator = load(c, c->state);
    coordinator_activate(c->coordinator, c->end_offset);
    c->is_up = true;
    scene_note(c->scene, "the coordinator is up at %" PRId64, c->end_offset);
    if (!c->forgets_loads)
        c->type->loaded(c->state, &now);
    sim_coordinator_touched(c);
}

static void stop(struct sim_coordinator *c, enum kafka_error error)
{
    if (!c->is_up)
        return;
    c->is_up = false;
    c->type->end(c->state, error);
    coordinator_fail(c->coordinator, error);
    c->type->free(c->state);
    coordinator_free(c->coordinator);
    c->state = NULL;
    c->coordinator = NULL;
}

static void start_again(struct scene_event *event)
{
    struct life_event *e = container_of(event, struct life_event, event);
    struct sim_coordinator *c = e->coordinator;
    mem_free(e);
    if (!c->is_up && !c->is_crashing)
        sim_coordinator_start(c);
}

void sim_coordinator_crash(struct sim_coordinator *c)
{
    if (!c->is_up)
        return;
    c->is_crashing = true;
    stop(c, KAFKA_NOT_COORDINATOR);
    c->is_crashing = false;
    int64_t before = c->end_offset;
    lose_end(c);
    c->crashes++;
    scene_note(c->scene, "crash: %" PRId64 " of %" PRId64 " left", c->end_offset, before);
    schedule(c, start_again, (int64_t)scene_below(c->scene, RESTART_MS_MAX), 0);
}

void sim_coordinator_move(struct sim_coordinator *c)
{
    if (!c->is_up)
        return;
    scene_note(c->scene, "the coordinator moves");
    stop(c, KAFKA_NOT_COORDINATOR);
    c->committed_offset = c->end_offset; // the next leader has all of it
    schedule(c, start_again, (int64_t)scene_below(c->scene, RESTART_MS_MAX), 0);
}

void sim_coordinator_init(struct sim_coordinator *c, struct group_scene *scene,
                          const struct sim_coordinator_type *type, void *owner)
{
    *c = (struct sim_coordinator){.scene = scene, .type = type, .owner = owner, .has_faults = true};
    buf_init(&c->log, LOG_MAX);
}

void sim_coordinator_release(struct sim_coordinator *c)
{
    c->is_crashing = true;
    stop(c, KAFKA_NOT_COORDINATOR);
    buf_release(&c->log);
    mem_free(c->batches);
}

// ---- Turns, commits, deadlines ----

static void committed(struct scene_event *event)
{
    int64_t offset;
    struct sim_coordinator *c = take(event, &offset);
    if (c == NULL)
        return;
    c->commit_is_due = false;
    c->committed_offset = offset;
    coordinator_committed(c->coordinator, offset);
    sim_coordinator_touched(c);
}

static void turn(struct scene_event *event)
{
    int64_t unused;
    struct sim_coordinator *c = take(event, &unused);
    if (c == NULL)
        return;
    c->turn_is_due = false;
    coordinator_flush(c->coordinator);
    if (coordinator_failure(c->coordinator) != 0) {
        stop(c, coordinator_error(coordinator_failure(c->coordinator)));
        c->committed_offset = c->end_offset; // it goes on with what it has
        schedule(c, start_again, RELOAD_MS, 0);
        return;
    }
    if (c->acks_early)
        coordinator_committed(c->coordinator, c->end_offset);
    else if (coordinator_awaited_offset(c->coordinator) >= 0 && !c->commit_is_due) {
        c->commit_is_due = true;
        schedule(c, committed, (int64_t)scene_below(c->scene, SYNC_MS_MAX), c->end_offset);
    }
    sim_coordinator_touched(c);
}

static void deadline(struct scene_event *event)
{
    int64_t unused;
    struct sim_coordinator *c = take(event, &unused);
    if (c == NULL)
        return;
    const struct coordinator_time now = sim_coordinator_now(c);
    c->timer_at = INT64_MAX;
    coordinator_advance(c->coordinator, &now);
    sim_coordinator_touched(c);
}

void sim_coordinator_touched(struct sim_coordinator *c)
{
    if (!c->is_up)
        return;
    bool has_work = coordinator_has_batch(c->coordinator) || coordinator_failure(c->coordinator) != 0 ||
                    (coordinator_awaited_offset(c->coordinator) >= 0 && !c->commit_is_due);
    if (has_work && !c->turn_is_due) {
        c->turn_is_due = true;
        schedule(c, turn, (int64_t)scene_below(c->scene, TURN_MS_MAX), 0);
    }
    int64_t at = coordinator_deadline_ms(c->coordinator);
    if (at >= c->timer_at)
        return;
    c->timer_at = at;
    schedule(c, deadline, at > c->scene->now_ms ? at - c->scene->now_ms : 0, 0);
}

void sim_coordinator_check_replay(struct sim_coordinator *c)
{
    struct buf here, there;
    if (!c->is_up || coordinator_has_batch(c->coordinator) || coordinator_failure(c->coordinator) != 0)
        return;
    buf_init(&here, LOG_MAX);
    buf_init(&there, LOG_MAX);
    c->type->dump(c->state, &here);
    void *state = c->type->make(c->owner);
    struct coordinator *other = load(c, state);
    c->type->dump(state, &there);
    if (strcmp(buf_text(&here), buf_text(&there)) != 0)
        scene_fail(c->scene, "replaying the log gives another state:\n%s\ninstead of\n%s",
                   buf_text(&there), buf_text(&here));
    c->type->free(state);
    coordinator_free(other);
    buf_release(&here);
    buf_release(&there);
}
