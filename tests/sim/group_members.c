// SPDX-License-Identifier: Apache-2.0
#include "group_members.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/list.h"
#include "base/mem.h"
#include "group_members_internal.h"
#include "wire/api/offset_commit.h"
#include "wire/api/offset_fetch.h"
#include "wire/api_keys.h"

bool member_owns(const struct member *m, int topic, int partition)
{
    return partition_set_has(&m->owned, topic, partition);
}

bool member_is_alive(const struct member *m)
{
    return m->step != STEP_GONE;
}

int member_group(const struct member *m)
{
    return m->group;
}

int member_number(const struct member *m)
{
    return m->number;
}

// ---- Time ----

static void act(struct member *m)
{
    if (m->awaits_answer)
        m->tells_all = true; // what it did not hear it has to be told again
    m->awaits_answer = false;
    if (m->kind == MEMBER_CLASSIC)
        classic_member_act(m);
    else if (m->kind == MEMBER_CONSUMER)
        consumer_member_act(m);
}

static void pause_is_over(struct scene_event *event)
{
    act(container_of(event, struct member, pause));
}

void member_pause(struct member *m, int64_t ms)
{
    m->turn++;
    scene_at(m->scene, &m->pause, ms);
}

void member_soon(struct member *m)
{
    member_pause(m, 50 + (int64_t)scene_below(m->scene, 400));
}

// ---- Asking ----

struct group_ask *member_ask(struct member *m, int16_t api_key, int16_t version)
{
    return group_ask_new(m->scene, m, m->group, api_key, version);
}

struct str member_ask_text(struct group_ask *ask, const char *text)
{
    return arena_copy_str(&ask->arena, str_from(text));
}

void member_send(struct member *m, struct group_ask *ask)
{
    member_pause(m, REQUEST_TIMEOUT_MS);
    ask->turn = m->turn;
    m->awaits_answer = true;
    m->scene->ask(m->scene, ask);
}

void member_send_beside(struct group_ask *ask)
{
    ask->turn = -1;
    ask->scene->ask(ask->scene, ask);
}

bool member_takes(struct group_ask *ask, const void *response)
{
    struct member *m = ask->member;
    if (ask->turn != m->turn || m->step == STEP_GONE)
        return false;
    if (response == NULL) {
        member_soon(m);
        return false;
    }
    m->awaits_answer = false;
    return true;
}

bool member_error_is_passing(int16_t error)
{
    return error == KAFKA_NOT_COORDINATOR || error == KAFKA_COORDINATOR_NOT_AVAILABLE ||
           error == KAFKA_COORDINATOR_LOAD_IN_PROGRESS;
}

struct wire_string_array member_topics(struct arena *arena)
{
    struct wire_string_array names = {arena_alloc_array(arena, GROUP_TOPICS, sizeof(struct str)),
                                      GROUP_TOPICS};
    for (int i = 0; i < GROUP_TOPICS; i++)
        names.items[i] = str_from(scene_topic_name(i));
    return names;
}

struct wire_int32_array member_partitions(struct arena *arena, const struct partition_set *s, int topic)
{
    struct wire_int32_array out = {arena_alloc_array(arena, GROUP_PARTITIONS_MAX, sizeof(int32_t)),
                                   0};
    for (int p = 0; p < GROUP_PARTITIONS_MAX; p++)
        if (partition_set_has(s, topic, p))
            out.items[out.count++] = p;
    return out;
}

// ---- What it owns, and whether it is one ----

void member_set_owned(struct member *m, const struct partition_set *owned)
{
    m->owned = *owned;
    m->release_at = -1;
    scene_note(m->scene, "member %d of %s: generation %d, owns %x %x", m->number,
               scene_group_id(m->group), m->generation, owned->bits[0], owned->bits[1]);
    member_claim(m);
}

void member_claim(struct member *m)
{
    struct group_claim claim = {.group = m->group,
                                .generation = m->generation,
                                .until_ms = m->sure_ms + SESSION_MS,
                                .owned = m->owned};
    group_model_claim(&m->scene->model, m->number, m->scene->now_ms, &claim);
}

void member_forget_all(struct member *m)
{
    m->owned = (struct partition_set){0};
    m->target = (struct partition_set){0};
    m->release_at = -1;
    group_model_disclaim(&m->scene->model, m->number);
}

void member_is_known(struct member *m, const struct group_ask *ask)
{
    m->sure_ms = ask->sent_ms;
    group_model_prolong(&m->scene->model, m->number, m->sure_ms + SESSION_MS);
}

// It had a session then, which cannot be over yet, and nobody else may end it.
void member_is_unknown(struct member *m)
{
    if (m->sure_ms >= 0 && m->scene->now_ms - m->sure_ms < SESSION_MS)
        scene_fail(m->scene, "member %d of %s was one %" PRId64 " ms ago, and is unknown now", m->number,
                   scene_group_id(m->group), m->scene->now_ms - m->sure_ms);
    m->sure_ms = -1;
}

// ---- Committing ----

static bool may_commit(const struct member *m, int topic, int partition)
{
    return m->kind == MEMBER_SIMPLE ? partition < m->scene->partition_counts[topic]
                                    : member_owns(m, topic, partition);
}

static int choose(struct member *m, int *topic)
{
    int count = 0, chosen = -1;
    for (int i = 0; i < GROUP_TOPICS; i++)
        for (int p = 0; p < GROUP_PARTITIONS_MAX; p++)
            if (may_commit(m, i, p) && scene_below(m->scene, (uint64_t)++count) == 0) {
                chosen = p;
                *topic = i;
            }
    return chosen;
}

static void commit_answered(struct group_ask *ask, const void *response)
{
    const struct offset_commit_response *r = response;
    struct group_model *model = &ask->scene->model;
    if (r == NULL) {
        group_model_abandoned(model, ask->commit);
        return;
    }
    check(r->topics.count == 1 && r->topics.items[0].partitions.count == 1);
    int16_t error = r->topics.items[0].partitions.items[0].error_code;
    scene_note(ask->scene, "commit %" PRId64 ": %s", ask->commit, kafka_error_name(error));
    if (error == KAFKA_NONE)
        group_model_done(model, ask->commit);
    else if (member_error_is_passing(error))
        group_model_over(model, ask->commit); // it may have been written
    else
        group_model_refused(model, ask->commit);
}

static void commit_dropped(struct group_ask *ask)
{
    group_model_over(&ask->scene->model, ask->commit);
}

void member_commit(struct member *m)
{
    int topic = 0;
    int partition = choose(m, &topic);
    if (partition < 0)
        return;
    struct group_ask *ask = member_ask(m, API_OFFSET_COMMIT, 9);
    struct offset_commit_request *r = ask->request;
    ask->commit = group_model_commit(&m->scene->model, m->group, topic, partition);
    ask->done = commit_answered;
    ask->dropped = commit_dropped;
    char metadata[24];
    snprintf(metadata, sizeof metadata, "%" PRId64, ask->commit);
    r->group_id = str_from(scene_group_id(m->group));
    r->generation_id_or_member_epoch = m->kind == MEMBER_SIMPLE ? -1 : m->generation;
    r->member_id = member_ask_text(ask, m->id);
    check(offset_commit_request_offset_commit_request_topic_array_new(&ask->arena, 1, &r->topics));
    r->topics.items[0].name = str_from(scene_topic_name(topic));
    check(offset_commit_request_offset_commit_request_partition_array_new(
        &ask->arena, 1, &r->topics.items[0].partitions));
    r->topics.items[0].partitions.items[0].partition_index = partition;
    r->topics.items[0].partitions.items[0].committed_offset = ask->commit;
    r->topics.items[0].partitions.items[0].committed_metadata = member_ask_text(ask, metadata);
    member_send_beside(ask);
}

// ---- Fetching what is committed ----

static void fetched(struct group_ask *ask, const void *response)
{
    const struct offset_fetch_response *all = response;
    if (all == NULL)
        return;
    check(all->groups.count == 1);
    const struct offset_fetch_response_offset_fetch_response_group *r = &all->groups.items[0];
    if (r->error_code != KAFKA_NONE)
        return;
    check(r->topics.count == 1 && r->topics.items[0].partitions.count == 1);
    const struct offset_fetch_response_offset_fetch_response_partitions *p =
        &r->topics.items[0].partitions.items[0];
    scene_note(ask->scene, "group %s, %d-%d: %" PRId64 " is committed", scene_group_id(ask->group),
               ask->topic, ask->partition, p->committed_offset);
    if (p->error_code == KAFKA_NONE)
        group_model_read(&ask->scene->model, ask->commit, ask->group, ask->topic, ask->partition,
                         p->committed_offset, p->metadata);
}

void member_fetch(struct member *m)
{
    struct group_scene *s = m->scene;
    struct group_ask *ask = member_ask(m, API_OFFSET_FETCH, 9);
    struct offset_fetch_request *all = ask->request;
    ask->done = fetched;
    ask->commit = group_model_moment(&s->model);
    ask->topic = (int)scene_below(s, GROUP_TOPICS);
    ask->partition = (int)scene_below(s, (uint64_t)s->partition_counts[ask->topic]);
    check(offset_fetch_request_offset_fetch_request_group_array_new(&ask->arena, 1, &all->groups));
    struct offset_fetch_request_offset_fetch_request_group *r = &all->groups.items[0];
    r->group_id = str_from(scene_group_id(m->group));
    check(offset_fetch_request_offset_fetch_request_topics_array_new(&ask->arena, 1, &r->topics));
    r->topics.items[0].name = str_from(scene_topic_name(ask->topic));
    struct wire_int32_array *indexes = &r->topics.items[0].partition_indexes;
    indexes->items = arena_alloc(&ask->arena, sizeof(int32_t));
    indexes->items[0] = ask->partition;
    indexes->count = 1;
    member_send_beside(ask);
}

// ---- Life ----

struct member *member_new(struct group_scene *s, int group, enum member_kind kind, int number)
{
    struct member *m = mem_new(struct member);
    m->scene = s;
    m->pause.run = pause_is_over;
    m->number = number;
    m->group = group;
    m->kind = kind;
    m->release_at = m->sure_ms = -1;
    if (kind == MEMBER_CONSUMER) {
        snprintf(m->id, sizeof m->id, "consumer-%d-%" PRIu64, number, prng_next(&s->prng));
        m->has_pattern = scene_chance(s, 1, 3);
    }
    if (kind == MEMBER_SIMPLE)
        m->step = STEP_IDLE;
    else
        member_pause(m, (int64_t)scene_below(s, 3000));
    return m;
}

struct member *member_new_any(struct group_scene *s, int number)
{
    int group = (int)scene_below(s, GROUPS);
    bool is_classic = group == 0 || (group == 2 && scene_chance(s, 1, 2));
    return member_new(s, group,
                      group == 3   ? MEMBER_SIMPLE
                      : is_classic ? MEMBER_CLASSIC
                                   : MEMBER_CONSUMER,
                      number);
}

void member_free(struct member *m)
{
    scene_cancel(m->scene, &m->pause);
    mem_free(m);
}

static void end(struct member *m, bool is_dead)
{
    scene_note(m->scene, "member %d is gone", m->number);
    member_forget_all(m);
    m->turn++;
    m->step = STEP_GONE;
    scene_cancel(m->scene, &m->pause);
    m->scene->member_gone(m->scene, m, is_dead);
}

void member_leave(struct member *m)
{
    scene_note(m->scene, "member %d leaves", m->number);
    if (m->kind == MEMBER_CLASSIC && m->generation > 0)
        classic_member_leave(m);
    else if (m->kind == MEMBER_CONSUMER && m->generation > 0)
        consumer_member_leave(m);
    end(m, false);
}

void member_vanish(struct member *m)
{
    end(m, true);
}

// ---- Looking at all of them ----

static bool is_in(const struct member *m, int group)
{
    return m->group == group && m->kind != MEMBER_SIMPLE && member_is_alive(m);
}

bool members_are_settled(const struct group_scene *s, struct member *const *members, int count, char *why,
                         size_t size)
{
    for (int g = 0; g < GROUPS; g++) {
        int alive = 0, joined = 0;
        for (int i = 0; i < count; i++) {
            alive += is_in(members[i], g);
            joined += is_in(members[i], g) && members[i]->step == STEP_HEARTBEAT;
        }
        if (joined < alive) {
            snprintf(why, size, "group %s does not settle: %d of %d members have joined",
                     scene_group_id(g), joined, alive);
            return false;
        }
        for (int t = 0; alive > 0 && t < GROUP_TOPICS; t++)
            for (int p = 0; p < s->partition_counts[t]; p++) {
                int owners = 0;
                for (int i = 0; i < count; i++)
                    owners += is_in(members[i], g) && member_owns(members[i], t, p);
                if (owners == 1)
                    continue;
                snprintf(why, size, "group %s does not settle: %s-%d has %d owners, of %d members",
                         scene_group_id(g), scene_topic_name(t), p, owners, alive);
                return false;
            }
    }
    return true;
}
