// SPDX-License-Identifier: Apache-2.0
//
// Group epochs, and the target that is made for each: who shall have what.
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "group/assign.h"
#include "group/consumer.h"
#include "group/topic_hash.h"
#include "metadata/image.h"

enum { TARGET_MEMORY_MAX = 256 * 1024 * 1024 };

// ---- Epochs ----

void consumer_note_cause(struct consumer_group *cg, const struct consumer_cause *cause)
{
    group_journal_begin(&cg->group->journal, coordinator_now(cg->groups->coordinator), cause->cause,
                        cause->member, cause->client_id, cause->client_host, cause->reason,
                        cg->member_count - cause->grown);
    cg->is_rebalancing = true;
}

int64_t consumer_compute_hash(struct consumer_group *cg)
{
    struct arena arena;
    int32_t count;
    arena_init(&arena, TARGET_MEMORY_MAX);
    const struct metadata_topic **topics = consumer_topics(cg, NULL, &arena, &count);
    int64_t hash = topics == NULL ? cg->metadata_hash : topics_hash(cg->groups->image, topics, count);
    arena_release(&arena);
    return hash;
}

static int bump(struct consumer_group *cg, const struct consumer_cause *cause, int64_t hash)
{
    consumer_begin(cg);
    consumer_write_group(cg, cg->epoch + 1, hash);
    if (cg->member_count == 0) // nobody to share anything out to: the target is made
        consumer_write_target_epoch(cg, cg->epoch + 1, 0);
    int err = consumer_end(cg);
    if (err != 0)
        return err;
    cg->is_metadata_fresh = true;
    consumer_note_cause(cg, cause);
    return 0;
}

int consumer_bump(struct consumer_group *cg, const struct consumer_cause *cause)
{
    return bump(cg, cause, consumer_compute_hash(cg));
}

int consumer_follow_metadata(struct consumer_group *cg)
{
    if (cg->is_metadata_fresh)
        return 0;
    int64_t hash = consumer_compute_hash(cg);
    if (hash != cg->metadata_hash)
        return bump(cg, &(struct consumer_cause){.cause = REBALANCE_METADATA}, hash);
    cg->is_metadata_fresh = true;
    return 0;
}

// ---- The input of the assignor ----

struct numbered_id {
    struct uuid id;
    int32_t topic;
};

struct target_input {
    struct arena arena;
    const struct metadata_topic **topics; // by name
    struct numbered_id *by_id;
    struct consumer_member **members;     // by id
    struct assign_input in;
    int32_t *owners;
    int32_t total;
};

static int compare_members(const void *a, const void *b)
{
    return strcmp((*(struct consumer_member *const *)a)->id, (*(struct consumer_member *const *)b)->id);
}

static int compare_ids(const void *a, const void *b)
{
    return memcmp(((const struct numbered_id *)a)->id.bytes, ((const struct numbered_id *)b)->id.bytes,
                  UUID_SIZE);
}

static int32_t topic_number(const struct target_input *t, struct uuid id)
{
    struct numbered_id key = {.id = id};
    const struct numbered_id *found =
        t->in.topic_count == 0
            ? NULL
            : bsearch(&key, t->by_id, (size_t)t->in.topic_count, sizeof(*t->by_id), compare_ids);
    return found == NULL ? -1 : found->topic;
}

static bool number_topics(struct target_input *t, struct consumer_group *cg)
{
    int32_t count;
    t->topics = consumer_topics(cg, NULL, &t->arena, &count);
    t->in.topics = arena_new_array(&t->arena, (size_t)count + 1, struct assign_topic);
    t->by_id = arena_new_array(&t->arena, (size_t)count + 1, struct numbered_id);
    if (t->topics == NULL || t->in.topics == NULL || t->by_id == NULL)
        return false;
    t->in.topic_count = count;
    for (int32_t i = 0; i < count; i++) {
        t->in.topics[i].partition_count = t->topics[i]->partition_count;
        t->by_id[i] = (struct numbered_id){t->topics[i]->id, i};
    }
    if (count > 0)
        qsort(t->by_id, (size_t)count, sizeof(*t->by_id), compare_ids);
    t->total = assign_number(t->in.topics, count);
    return true;
}

static bool collect_members(struct target_input *t, struct consumer_group *cg)
{
    t->members = arena_alloc_array(&t->arena, (size_t)cg->member_count + 1, sizeof(*t->members));
    if (t->members == NULL)
        return false;
    int32_t count = 0;
    for (struct consumer_member *m = NULL; (m = consumer_next(cg, m)) != NULL;)
        if (m->is_member)
            t->members[count++] = m;
    if (count > 0)
        qsort(t->members, (size_t)count, sizeof(struct consumer_member *), compare_members);
    t->in.member_count = count;
    return true;
}

static bool subscribe_same(const struct consumer_member *a, const struct consumer_member *b)
{
    return str_equal(a->subscription.regex, b->subscription.regex) &&
           consumer_same_topics(&a->subscription, &b->subscription);
}

static bool list_topics(struct target_input *t, struct consumer_member *m, struct assign_member *out)
{
    int32_t count;
    const struct metadata_topic **topics = consumer_topics(m->group, m, &t->arena, &count);
    int32_t *numbers = arena_new_array(&t->arena, (size_t)count + 1, int32_t);
    if (topics == NULL || numbers == NULL)
        return false;
    for (int32_t i = 0; i < count; i++)
        numbers[i] = topic_number(t, topics[i]->id); // in order of name, as the numbers are
    out->topics = numbers;
    out->topic_count = count;
    return true;
}

static bool describe_members(struct target_input *t)
{
    struct assign_member *members =
        arena_new_array(&t->arena, (size_t)t->in.member_count + 1, struct assign_member);
    if (members == NULL)
        return false;
    t->in.members = members;
    t->in.is_homogeneous = true;
    for (int32_t i = 0; i < t->in.member_count; i++) {
        struct consumer_member *m = t->members[i];
        if (i > 0 && subscribe_same(m, t->members[i - 1]))
            members[i] = members[i - 1];
        else if (!list_topics(t, m, &members[i]))
            return false;
        members[i].id = str_from(m->id);
        members[i].instance_id = m->subscription.instance_id;
        t->in.is_homogeneous &= members[i].topic_count == members[0].topic_count;
    }
    // All have as many topics as the first; the same ones if there are no more than that in all.
    t->in.is_homogeneous &= t->in.member_count == 0 || members[0].topic_count == t->in.topic_count;
    return true;
}

static bool describe_current(struct target_input *t)
{
    int32_t *current = arena_new_array(&t->arena, (size_t)t->total + 1, int32_t);
    t->owners = arena_new_array(&t->arena, (size_t)t->total + 1, int32_t);
    if (current == NULL || t->owners == NULL)
        return false;
    for (int32_t p = 0; p < t->total; p++)
        current[p] = ASSIGN_NOBODY;
    for (int32_t i = 0; i < t->in.member_count; i++) {
        const struct assignment *target = &t->members[i]->target;
        for (int32_t k = 0; k < target->count; k++) {
            int32_t topic = topic_number(t, target->topics[k].id);
            for (int32_t p = 0; topic >= 0 && p < target->topics[k].count; p++) {
                int32_t partition = target->topics[k].partitions[p];
                if (partition >= 0 && partition < t->in.topics[topic].partition_count)
                    current[t->in.topics[topic].first + partition] = i;
            }
        }
    }
    t->in.current = current;
    return true;
}

// ---- Its output ----

static struct assignment *targets_new(const struct target_input *t)
{
    struct assignment *targets = mem_alloc_array((size_t)t->in.member_count + 1, sizeof(*targets));
    for (int32_t i = 0; i < t->in.topic_count; i++) { // in order of id, as the sets are
        const struct assign_topic *topic = &t->in.topics[t->by_id[i].topic];
        for (int32_t p = 0; p < topic->partition_count; p++) {
            int32_t owner = t->owners[topic->first + p];
            if (owner != ASSIGN_NOBODY)
                assignment_push(&targets[owner], t->by_id[i].id, p, 0);
        }
    }
    return targets;
}

static int write_targets(struct consumer_group *cg, const struct target_input *t)
{
    struct assignment *targets = targets_new(t);
    consumer_begin(cg);
    for (int32_t i = 0; i < t->in.member_count; i++) {
        const struct consumer_member *m = t->members[i];
        if (!m->has_target || !assignment_same_partitions(&m->target, &targets[i]))
            consumer_write_target(cg, str_from(m->id), &targets[i]);
        assignment_release(&targets[i]);
    }
    consumer_write_target_epoch(cg, cg->epoch, coordinator_now(cg->groups->coordinator)->wall_ms);
    mem_free(targets);
    return consumer_end(cg);
}

static bool is_due(const struct consumer_group *cg)
{
    int64_t age = coordinator_now(cg->groups->coordinator)->wall_ms - cg->assignment_timestamp_ms;
    int32_t interval =
        consumer_setting(cg, "consumer.assignment.interval.ms");
    return age < 0 || age >= interval; // a clock that was set back does not stop it
}

int consumer_update_target(struct consumer_group *cg)
{
    if (cg->epoch <= cg->assignment_epoch || !is_due(cg))
        return 0;
    struct target_input t = {0};
    arena_init(&t.arena, TARGET_MEMORY_MAX);
    int err = ERR_NOMEM;
    if (number_topics(&t, cg) && collect_members(&t, cg) && describe_members(&t) && describe_current(&t)) {
        assignor_find(str_from(consumer_assignor_name(cg)))->assign(&t.in, t.owners);
        err = write_targets(cg, &t);
    }
    arena_release(&t.arena);
    return err;
}
