// SPDX-License-Identifier: Apache-2.0
#include "group_scene.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"
#include "base/list.h"
#include "base/mem.h"
#include "wire/apis.h"

enum { ASK_MEMORY_MAX = 1 << 20 };

static void on_complaint(void *owner, const char *what)
{
    scene_fail(owner, "%s", what);
}

void scene_init(struct group_scene *s, uint64_t seed)
{
    *s = (struct group_scene){0};
    prng_init(&s->prng, seed);
    heap_init(&s->events);
    group_model_init(&s->model, on_complaint, s);
}

void scene_release(struct group_scene *s)
{
    check(heap_min(&s->events) == NULL);
    heap_release(&s->events);
    group_model_release(&s->model);
}

// ---- Words and chance ----

void scene_fail(struct group_scene *s, const char *format, ...)
{
    va_list args;
    if (s->failed)
        return;
    s->failed = true;
    va_start(args, format);
    vsnprintf(s->message, sizeof s->message, format, args);
    va_end(args);
}

void scene_note(struct group_scene *s, const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    for (int i = 0; i < size && i < (int)sizeof line - 1; i++)
        s->hash = (s->hash ^ (uint8_t)line[i]) * UINT64_C(1099511628211);
    s->hash = (s->hash ^ (uint64_t)s->now_ms) * UINT64_C(1099511628211);
    if (s->verbose)
        printf("%9" PRId64 " %s\n", s->now_ms, line);
}

uint64_t scene_below(struct group_scene *s, uint64_t bound)
{
    return prng_below(&s->prng, bound);
}

bool scene_chance(struct group_scene *s, uint64_t numerator, uint64_t denominator)
{
    return prng_chance(&s->prng, numerator, denominator);
}

// ---- Time ----

void scene_at(struct group_scene *s, struct scene_event *event, int64_t delay_ms)
{
    scene_cancel(s, event);
    event->scene = s;
    heap_insert(&s->events, &event->node, s->now_ms + delay_ms);
}

void scene_cancel(struct group_scene *s, struct scene_event *event)
{
    if (heap_contains(&event->node))
        heap_remove(&s->events, &event->node);
}

int64_t scene_next_ms(const struct group_scene *s)
{
    const struct heap_node *first = heap_min(&s->events);
    return first == NULL ? INT64_MAX : first->key;
}

bool scene_run_due(struct group_scene *s)
{
    struct heap_node *first = heap_min(&s->events);
    if (first == NULL || first->key > s->now_ms)
        return false;
    struct scene_event *event = container_of(first, struct scene_event, node);
    heap_remove(&s->events, first);
    event->run(event);
    return true;
}

// ---- Names ----

const char *scene_topic_name(int topic)
{
    static const char *const names[GROUP_TOPICS] = {"orders", "payments"};
    return names[topic];
}

const char *scene_group_id(int group)
{
    static const char *const ids[GROUPS] = {"alpha", "beta", "gamma", "delta"};
    return ids[group];
}

int scene_topic_of(const struct group_scene *s, struct str name, struct uuid id)
{
    for (int t = 0; t < GROUP_TOPICS; t++)
        if (name.size > 0 ? str_is(name, scene_topic_name(t)) : uuid_equal(id, s->topic_ids[t]))
            return t;
    return -1;
}

// ---- Asking ----

struct group_ask *group_ask_new(struct group_scene *s, struct member *member, int group,
                                int16_t api_key, int16_t version)
{
    struct group_ask *ask = mem_new(struct group_ask);
    const struct wire_schema *schema = api_find(api_key)->request;
    ask->scene = s;
    ask->member = member;
    ask->group = group;
    ask->api_key = api_key;
    ask->version = version;
    ask->sent_ms = s->now_ms;
    arena_init(&ask->arena, ASK_MEMORY_MAX);
    ask->request = arena_alloc(&ask->arena, wire_schema_struct_size(schema));
    wire_init_default(schema, ask->request);
    s->asked++;
    return ask;
}

static void ask_free(struct group_ask *ask)
{
    arena_release(&ask->arena);
    mem_free(ask);
}

void group_ask_answer(struct group_ask *ask, const void *response)
{
    ask->done(ask, response);
    ask_free(ask);
}

void group_ask_fail(struct group_ask *ask, bool is_over)
{
    if (is_over && ask->dropped != NULL)
        ask->dropped(ask);
    group_ask_answer(ask, NULL);
}

void group_ask_drop(struct group_ask *ask)
{
    if (ask->dropped != NULL)
        ask->dropped(ask);
    ask_free(ask);
}
