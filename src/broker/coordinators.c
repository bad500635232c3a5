// SPDX-License-Identifier: Apache-2.0
#include "broker/coordinators.h"

#include "base/check.h"
#include "broker/coordinator_kind.h"
#include "broker/coordinator_slot.h"
#include "broker/node.h"
#include "broker/partitions.h"
#include "broker/shard.h"
#include "env/clock.h"
#include "env/env.h"
#include "metadata/image.h"

struct coordinator_time coordinators_now(const struct shard *s)
{
    return (struct coordinator_time){env_mono_ms(s->env->clock), env_wall_ms(s->env->clock)};
}

static struct coordinator_slot *slot_of(struct list_node *n)
{
    return container_of(n, struct coordinator_slot, node);
}

const struct coordinator_kind_type *coordinator_kind_type(enum coordinator_kind kind)
{
    static const struct coordinator_kind_type *const types[COORDINATOR_KINDS] = {
        [COORDINATOR_GROUP] = &group_coordinator,
        [COORDINATOR_TRANSACTION] = &transaction_coordinator,
    };
    return types[kind];
}

static struct str topic_name(enum coordinator_kind kind)
{
    return str_from(coordinator_kind_type(kind)->topic);
}

static const struct metadata_topic *find_topic(const struct metadata_image *image,
                                               enum coordinator_kind kind)
{
    return metadata_image_topic(image, topic_name(kind));
}

static struct coordinator_slot *find_slot(struct coordinators *cs, enum coordinator_kind kind,
                                          int32_t partition)
{
    list_for_each(n, next, &cs->slots)
        if (slot_of(n)->partition == partition && slot_of(n)->kind == kind &&
            slot_of(n)->state != SLOT_ENDED)
            return slot_of(n);
    return NULL;
}

// ---- Following the metadata ----

static bool leads_here(const struct shard *s, enum coordinator_kind kind,
                       const struct metadata_partition *p)
{
    return p->leader == s->node->node_id &&
           partitions_shard_of(s->node->hash_seed, s->node->shard_count, topic_name(kind), p->id) ==
               s->index;
}

static bool is_still_ours(const struct coordinator_slot *slot, const struct metadata_image *to)
{
    const struct metadata_topic *t = find_topic(to, slot->kind);
    if (t == NULL || !uuid_equal(t->id, slot->topic_id) || slot->partition >= t->partition_count)
        return false;
    const struct metadata_partition *p = t->partitions[slot->partition];
    return leads_here(slot->shard, slot->kind, p) && p->leader_epoch == slot->leader_epoch;
}

// Frees what has ended and is not under way any more.
static void sweep(struct coordinators *cs)
{
    if (cs->is_applying)
        return; // it will
    list_for_each(n, next, &cs->slots) {
        if (!coordinator_slot_is_idle(slot_of(n)))
            continue;
        list_remove(n);
        coordinator_slot_free(slot_of(n));
    }
}

void coordinators_leave(struct coordinators *cs, const struct metadata_image *to)
{
    list_for_each(n, next, &cs->slots)
        if (slot_of(n)->state != SLOT_ENDED && !is_still_ours(slot_of(n), to))
            coordinator_slot_end(slot_of(n), KAFKA_NOT_COORDINATOR);
    sweep(cs);
}

static void add_new(struct coordinators *cs, enum coordinator_kind kind,
                    const struct metadata_image *image)
{
    const struct metadata_topic *t = find_topic(image, kind);
    for (int32_t i = 0; t != NULL && i < t->partition_count; i++) {
        const struct metadata_partition *p = t->partitions[i];
        if (!leads_here(cs->shard, kind, p) || find_slot(cs, kind, i) != NULL)
            continue;
        struct coordinator_slot *slot = coordinator_slot_new(cs->shard, kind, i, t->id, p->leader_epoch);
        list_append(&cs->slots, &slot->node);
    }
}

void coordinators_apply(struct coordinators *cs, const struct metadata_image *to)
{
    const struct coordinator_time now = coordinators_now(cs->shard);
    if (!cs->is_running)
        return;
    cs->is_applying = true; // a disk that fails now may stop all of them from within
    for (int kind = 0; kind < COORDINATOR_KINDS; kind++)
        add_new(cs, kind, to);
    list_for_each(n, next, &cs->slots) {
        struct coordinator_slot *slot = slot_of(n);
        if (slot->state_of_kind != NULL)
            slot->type->set_image(slot->state_of_kind, to, &now);
        coordinator_slot_consider(slot);
        coordinator_slot_touched(slot);
    }
    cs->is_applying = false;
    sweep(cs);
}

// ---- Finding ----

int32_t coordinators_partition_of(const struct shard *s, enum coordinator_kind kind, struct str id)
{
    const struct metadata_topic *t = find_topic(shard_image(s), kind);
    return t == NULL || t->partition_count == 0 ? -1 : coordinator_partition_of(id, t->partition_count);
}

static enum kafka_error state_error(const struct coordinator_slot *slot)
{
    switch (slot->state) {
    case SLOT_ACTIVE:
        if (coordinator_failure(slot->coordinator) != 0)
            return KAFKA_COORDINATOR_LOAD_IN_PROGRESS;
        return KAFKA_NONE;
    case SLOT_WAITING:
    case SLOT_LOADING:
        return KAFKA_COORDINATOR_LOAD_IN_PROGRESS;
    case SLOT_BROKEN:
    case SLOT_ENDED:
        break;
    }
    return KAFKA_NOT_COORDINATOR;
}

void *coordinators_find(struct coordinators *cs, enum coordinator_kind kind, int32_t partition,
                        enum kafka_error *error)
{
    struct coordinator_slot *slot = cs->is_running ? find_slot(cs, kind, partition) : NULL;
    if (slot != NULL)
        coordinator_slot_consider(slot);
    *error = slot == NULL ? KAFKA_NOT_COORDINATOR : state_error(slot);
    return *error == KAFKA_NONE ? slot->state_of_kind : NULL;
}

void coordinators_touched(struct coordinators *cs, enum coordinator_kind kind, int32_t partition)
{
    struct coordinator_slot *slot = find_slot(cs, kind, partition);
    if (slot != NULL)
        coordinator_slot_touched(slot);
}

// ---- Life ----

void coordinators_init(struct coordinators *cs, struct shard *s)
{
    *cs = (struct coordinators){.shard = s};
    list_init(&cs->slots);
}

void coordinators_start(struct coordinators *cs)
{
    cs->is_running = true;
    coordinators_apply(cs, shard_image(cs->shard));
}

void coordinators_stop(struct coordinators *cs)
{
    cs->is_running = false;
    list_for_each(n, next, &cs->slots)
        if (slot_of(n)->state != SLOT_ENDED)
            coordinator_slot_end(slot_of(n), KAFKA_NOT_COORDINATOR);
    sweep(cs);
}

bool coordinators_are_idle(const struct coordinators *cs)
{
    list_for_each(n, next, &cs->slots)
        if (!coordinator_slot_is_idle(slot_of(n)))
            return false;
    return true;
}

void coordinators_release(struct coordinators *cs)
{
    struct list_node *n;
    coordinators_stop(cs);
    while ((n = list_pop(&cs->slots)) != NULL)
        coordinator_slot_free(slot_of(n));
}
