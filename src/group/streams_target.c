// SPDX-License-Identifier: Apache-2.0
//
// Group epochs, and the target that is made for each: who shall have which tasks.
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "config/config.h"
#include "group/streams.h"
#include "group/streams_assign.h"
#include "metadata/image.h"

enum { TARGET_MEMORY_MAX = 256 * 1024 * 1024 };

// ---- Settings that the assignor looks at ----

static const char num_standby_replicas[] = "num.standby.replicas";
static const char rack_aware_tags[] = "rack.aware.assignment.tags";

// Tags as a list without blanks, "zone,cluster".
static bool normal_list(struct str list, struct arena *arena, struct str *out)
{
    char *text = arena_alloc(arena, list.size + 1);
    size_t size = 0;
    struct str item;
    if (text == NULL)
        return false;
    while (config_list_next(&list, &item)) {
        if (size > 0)
            text[size++] = ',';
        memcpy(text + size, item.data, item.size);
        size += item.size;
    }
    *out = str_of(text, size);
    return true;
}

static struct str tags_of(const struct streams_group *sg)
{
    const struct groups *g = sg->groups;
    const struct properties *p =
        metadata_image_configs(g->image, CONFIG_RESOURCE_GROUP, str_from(sg->group->id));
    const char *own = p == NULL ? NULL : properties_get(p, "streams.rack.aware.assignment.tags");
    return own != NULL ? str_from(own)
                       : config_list(g->options.config, "group.streams.rack.aware.assignment.tags");
}

bool streams_current_configs(const struct streams_group *sg, struct arena *arena,
                             struct streams_configs *out)
{
    struct streams_config *items = arena_new_array(arena, 2, struct streams_config);
    char number[16];
    struct str tags;
    snprintf(number, sizeof(number), "%d", streams_setting(sg, "streams.num.standby.replicas"));
    if (items == NULL || !normal_list(tags_of(sg), arena, &tags))
        return false;
    items[0].key = str_from(num_standby_replicas);
    items[0].value = arena_copy_str(arena, str_from(number));
    items[1].key = str_from(rack_aware_tags);
    items[1].value = tags;
    *out = (struct streams_configs){items, tags.size > 0 ? 2 : 1};
    return items[0].value.data != NULL;
}

static struct str config_of(const struct streams_configs *c, const char *key)
{
    for (int32_t i = 0; i < c->count; i++)
        if (str_is(c->items[i].key, key))
            return c->items[i].value;
    return (struct str){NULL, 0};
}

bool streams_configs_equal(const struct streams_configs *a, const struct streams_configs *b)
{
    if (a->count != b->count)
        return false;
    for (int32_t i = 0; i < a->count; i++) {
        bool found = false;
        for (int32_t k = 0; k < b->count; k++)
            found |= str_equal(a->items[i].key, b->items[k].key) &&
                     str_equal(a->items[i].value, b->items[k].value);
        if (!found)
            return false;
    }
    return true;
}

// ---- Epochs ----

void streams_note_cause(struct streams_group *sg, const struct consumer_cause *cause)
{
    group_journal_begin(&sg->group->journal, coordinator_now(sg->groups->coordinator), cause->cause,
                        cause->member, cause->client_id, cause->client_host, cause->reason,
                        sg->member_count - cause->grown);
    sg->is_rebalancing = true;
}

int streams_bump(struct streams_group *sg, const struct consumer_cause *cause, int64_t metadata_hash,
                 int32_t validated_topology_epoch, const struct streams_configs *configs)
{
    streams_begin(sg);
    streams_write_group(sg, sg->epoch + 1, metadata_hash, validated_topology_epoch,
                        configs != NULL ? configs : &sg->last_configs);
    if (sg->member_count == 0) // nobody to share anything out to: the target is made
        streams_write_target_epoch(sg, sg->epoch + 1, 0);
    int err = streams_end(sg);
    if (err == 0)
        streams_note_cause(sg, cause);
    return err;
}

// ---- The input of the assignor ----

struct numbered {
    int32_t number;      // of the subtopology in the group
    int32_t subtopology; // in the input
};

struct target_input {
    struct arena arena;
    struct streams_member **members; // by id
    struct streams_assign_member *described;
    struct numbered *by_number;      // in order of number
    struct streams_assign_input in;
    struct streams_assign_output out;
    int32_t total; // tasks
};

static int compare_numbered(const void *a, const void *b)
{
    int32_t x = ((const struct numbered *)a)->number, y = ((const struct numbered *)b)->number;
    return (x > y) - (x < y);
}

static int compare_members(const void *a, const void *b)
{
    return strcmp((*(struct streams_member *const *)a)->id, (*(struct streams_member *const *)b)->id);
}

// Without a topology that is ready there are no tasks.
static bool describe_subtopologies(struct target_input *t, struct streams_group *sg)
{
    const struct streams_configured *c = sg->configured;
    int32_t count = c == NULL || !c->is_ready ? 0 : c->subtopology_count;
    t->in.subtopologies = arena_new_array(&t->arena, (size_t)count + 1, struct streams_assign_subtopology);
    t->by_number = arena_new_array(&t->arena, (size_t)count + 1, struct numbered);
    if (t->in.subtopologies == NULL || t->by_number == NULL)
        return false;
    t->in.subtopology_count = count;
    for (int32_t i = 0; i < count; i++) {
        const struct streams_configured_subtopology *s = &c->subtopologies[i];
        int32_t number = streams_number_subtopology(sg, s->from->subtopology_id);
        t->in.subtopologies[i].id = streams_subtopology_id(sg, number);
        t->in.subtopologies[i].task_count = s->task_count;
        t->in.subtopologies[i].is_stateful = s->from->state_changelog_topics.count > 0;
        t->by_number[i] = (struct numbered){number, i};
    }
    if (count > 1)
        qsort(t->by_number, (size_t)count, sizeof(*t->by_number), compare_numbered);
    t->total = streams_assign_number(t->in.subtopologies, count);
    return true;
}

// The number of a task in the input, or -1: it is none any more.
static int32_t task_number(const struct target_input *t, int32_t subtopology, int32_t partition)
{
    struct numbered key = {.number = subtopology};
    const struct numbered *found =
        t->in.subtopology_count == 0 ? NULL
                                     : bsearch(&key, t->by_number, (size_t)t->in.subtopology_count,
                                               sizeof(*t->by_number), compare_numbered);
    if (found == NULL || partition >= t->in.subtopologies[found->subtopology].task_count)
        return -1;
    return t->in.subtopologies[found->subtopology].first + partition;
}

static int compare_i32(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static bool describe_tasks(struct target_input *t, const struct task_set *set, const int32_t **out,
                           int32_t *count)
{
    int32_t *numbers = arena_new_array(&t->arena, (size_t)set->count + 1, int32_t);
    if (numbers == NULL)
        return false;
    *count = 0;
    for (int32_t i = 0; i < set->count; i++) {
        int32_t number = task_number(t, set->items[i].subtopology, set->items[i].partition);
        if (number >= 0)
            numbers[(*count)++] = number;
    }
    if (*count > 1)
        qsort(numbers, (size_t)*count, sizeof(*numbers), compare_i32);
    *out = numbers;
    return true;
}

static int compare_offsets(const void *a, const void *b)
{
    return compare_i32(&((const struct streams_assign_offset *)a)->task,
                       &((const struct streams_assign_offset *)b)->task);
}

static bool describe_offsets(struct target_input *t, const struct streams_task_offsets *from,
                             const struct streams_assign_offset **out, int32_t *count)
{
    struct streams_assign_offset *offsets =
        arena_new_array(&t->arena, (size_t)from->count + 1, struct streams_assign_offset);
    if (offsets == NULL)
        return false;
    *count = 0;
    for (int32_t i = 0; i < from->count; i++) {
        int32_t number = task_number(t, from->items[i].subtopology, from->items[i].partition);
        if (number >= 0)
            offsets[(*count)++] = (struct streams_assign_offset){number, from->items[i].offset};
    }
    if (*count > 1)
        qsort(offsets, (size_t)*count, sizeof(*offsets), compare_offsets);
    *out = offsets;
    return true;
}

static bool describe_member(struct target_input *t, const struct streams_member *m,
                            struct streams_assign_member *out)
{
    out->id = str_from(m->id);
    out->process_id = m->subscription->value.process_id;
    for (int role = 0; role < TASK_ROLE_COUNT; role++)
        if (!describe_tasks(t, &m->assigned.of[role], &out->previous[role], &out->previous_count[role]))
            return false;
    return describe_offsets(t, &m->offsets, &out->offsets, &out->offset_count);
}

static bool describe_members(struct target_input *t, const struct streams_group *sg)
{
    int32_t count = 0;
    t->members = arena_alloc_array(&t->arena, (size_t)sg->member_count + 1, sizeof(*t->members));
    t->described = arena_new_array(&t->arena, (size_t)sg->member_count + 1, struct streams_assign_member);
    if (t->members == NULL || t->described == NULL)
        return false;
    for (struct streams_member *m = NULL; (m = streams_next(sg, m)) != NULL;)
        if (m->is_member)
            t->members[count++] = m;
    if (count > 1)
        qsort(t->members, (size_t)count, sizeof(struct streams_member *), compare_members);
    for (int32_t i = 0; i < count; i++)
        if (!describe_member(t, t->members[i], &t->described[i]))
            return false;
    t->in.members = t->described;
    t->in.member_count = count;
    return true;
}

static void describe_configs(struct target_input *t, const struct streams_group *sg)
{
    struct str replicas = config_of(&sg->last_configs, num_standby_replicas);
    int32_t standbys;
    if (replicas.data != NULL && str_parse_i32(replicas, &standbys) && standbys > 0)
        t->in.num_standby_replicas = standbys;
}

static bool prepare_output(struct target_input *t)
{
    size_t standbys = (size_t)t->total * (size_t)t->in.num_standby_replicas;
    t->out.active = arena_alloc_array(&t->arena, (size_t)t->total + 1, sizeof(int32_t));
    t->out.standby = arena_alloc_array(&t->arena, standbys + 1, sizeof(int32_t));
    return t->out.active != NULL && t->out.standby != NULL;
}

// ---- Its output ----

static struct task_sets *targets_new(const struct target_input *t)
{
    struct task_sets *targets = mem_alloc_array((size_t)t->in.member_count + 1, sizeof(*targets));
    int32_t standbys = t->in.num_standby_replicas;
    for (int32_t i = 0; i < t->in.subtopology_count; i++) { // in order of number, as the sets are
        const struct streams_assign_subtopology *s = &t->in.subtopologies[t->by_number[i].subtopology];
        for (int32_t p = 0; p < s->task_count; p++) {
            int32_t task = s->first + p, owner = t->out.active[task];
            if (owner != ASSIGN_NOBODY)
                task_set_push(&targets[owner].of[TASK_ACTIVE], t->by_number[i].number, p, 0);
            for (int32_t k = 0; k < standbys; k++) {
                owner = t->out.standby[(size_t)task * (size_t)standbys + (size_t)k];
                if (owner != ASSIGN_NOBODY)
                    task_set_push(&targets[owner].of[TASK_STANDBY], t->by_number[i].number, p, 0);
            }
        }
    }
    return targets;
}

static int write_targets(struct streams_group *sg, const struct target_input *t)
{
    struct task_sets *targets = targets_new(t);
    streams_begin(sg);
    for (int32_t i = 0; i < t->in.member_count; i++) {
        const struct streams_member *m = t->members[i];
        if (!m->has_target || !task_sets_same_tasks(&m->target, &targets[i]))
            streams_write_target(sg, str_from(m->id), &targets[i]);
        task_sets_release(&targets[i]);
    }
    streams_write_target_epoch(sg, sg->epoch, coordinator_now(sg->groups->coordinator)->wall_ms);
    mem_free(targets);
    return streams_end(sg);
}

static bool is_due(const struct streams_group *sg)
{
    int64_t age = coordinator_now(sg->groups->coordinator)->wall_ms - sg->assignment_timestamp_ms;
    int32_t interval = streams_setting(sg, "streams.assignment.interval.ms");
    return age < 0 || age >= interval; // a clock that was set back does not stop it
}

static int make_target(struct streams_group *sg)
{
    struct target_input t = {0};
    arena_init(&t.arena, TARGET_MEMORY_MAX);
    int err = ERR_NOMEM;
    bool is_described = describe_subtopologies(&t, sg) && describe_members(&t, sg);
    describe_configs(&t, sg);
    if (is_described && prepare_output(&t)) {
        if (t.in.member_count > 0 && t.total > 0)
            streams_assignor_find(str_from(streams_assignor_name(sg)))->assign(&t.in, &t.out);
        err = write_targets(sg, &t);
    }
    arena_release(&t.arena);
    return err;
}

int streams_update_target(struct streams_group *sg, bool *is_late)
{
    *is_late = sg->epoch > sg->assignment_epoch && !is_due(sg);
    return sg->epoch <= sg->assignment_epoch || *is_late ? 0 : make_target(sg);
}

// ---- The first target ----

static void initial_delay_over(struct coordinator_timer *timer)
{
    struct streams_group *sg = container_of(timer, struct streams_group, initial_timer);
    // What cannot be written now comes with the next heartbeat.
    if (sg->member_count > 0 && sg->epoch > sg->assignment_epoch && sg->configured != NULL)
        (void)make_target(sg);
}

void streams_start_initial_delay(struct streams_group *sg)
{
    struct coordinator *c = sg->groups->coordinator;
    int32_t delay_ms = streams_setting(sg, "streams.initial.rebalance.delay.ms");
    if (delay_ms > 0 && !coordinator_timer_is_set(&sg->initial_timer))
        coordinator_set_timer(c, &sg->initial_timer, coordinator_now(c)->mono_ms + delay_ms,
                              initial_delay_over);
}
