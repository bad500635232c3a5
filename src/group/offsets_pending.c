// SPDX-License-Identifier: Apache-2.0
//
// Offsets that were committed inside a transaction: they hold when its marker says so. Kept apart, for each
// transaction and group, until then; the newer of two commits wins by where its record stands, whatever
// the order of the markers.
#include "base/check.h"
#include "base/mem.h"
#include "group/internal.h"
#include "wire/record/offset_commit_value.h"

// One of a producer at a time, so its id is enough.
struct open_transaction {
    struct map_node node; // in groups.transactions
    int64_t producer_id;
    struct list parts;    // struct pending_offsets
};

// What a transaction has committed for one group.
struct pending_offsets {
    struct list_node transaction_node;
    struct list_node group_node; // in group.pending
    struct open_transaction *transaction;
    struct group *group;
    struct group_offsets offsets; // never none
};

static uint64_t hash_id(const struct groups *g, int64_t producer_id)
{
    return hash_bytes(g->options.hash_seed, bytes_of(&producer_id, sizeof(producer_id)));
}

static bool has_id(const struct map_node *node, const void *key)
{
    const int64_t *producer_id = key;
    return container_of(node, struct open_transaction, node)->producer_id == *producer_id;
}

static struct open_transaction *find_transaction(const struct groups *g, int64_t producer_id)
{
    struct map_node *n = map_find(&g->transactions, hash_id(g, producer_id), has_id, &producer_id);
    return n == NULL ? NULL : container_of(n, struct open_transaction, node);
}

static struct open_transaction *get_transaction(struct groups *g, int64_t producer_id)
{
    struct open_transaction *t = find_transaction(g, producer_id);
    if (t != NULL)
        return t;
    t = mem_new(struct open_transaction);
    t->producer_id = producer_id;
    list_init(&t->parts);
    map_insert(&g->transactions, &t->node, hash_id(g, producer_id));
    return t;
}

static struct pending_offsets *get_part(struct groups *g, struct group *group, int64_t producer_id)
{
    list_for_each(n, next, &group->pending) {
        struct pending_offsets *part = container_of(n, struct pending_offsets, group_node);
        if (part->transaction->producer_id == producer_id)
            return part;
    }
    struct pending_offsets *part = mem_new(struct pending_offsets);
    part->transaction = get_transaction(g, producer_id);
    part->group = group;
    list_append(&part->transaction->parts, &part->transaction_node);
    list_append(&group->pending, &part->group_node);
    return part;
}

static void part_free(struct pending_offsets *part)
{
    list_remove(&part->transaction_node);
    list_remove(&part->group_node);
    group_offsets_release(&part->offsets);
    mem_free(part);
}

static void transaction_free(struct groups *g, struct open_transaction *t)
{
    check(list_empty(&t->parts));
    map_remove(&g->transactions, &t->node);
    mem_free(t);
}

// Takes a part away, and its transaction if that has nothing else.
static void drop_part(struct groups *g, struct pending_offsets *part)
{
    struct open_transaction *t = part->transaction;
    part_free(part);
    if (list_empty(&t->parts))
        transaction_free(g, t);
}

void offsets_set_pending(struct groups *g, struct group *group, int64_t producer_id, struct str topic,
                         int32_t partition, const struct offset_commit_value *value, int64_t record_offset)
{
    group_offsets_set(&get_part(g, group, producer_id)->offsets, topic, partition, value, record_offset);
}

void offsets_remove_pending(struct groups *g, struct group *group, struct str topic, int32_t partition)
{
    list_for_each(n, next, &group->pending) {
        struct pending_offsets *part = container_of(n, struct pending_offsets, group_node);
        group_offsets_remove(&part->offsets, topic, partition);
        if (part->offsets.total == 0)
            drop_part(g, part);
    }
}

bool offsets_are_pending(const struct group *group, struct str topic, int32_t partition)
{
    list_for_each(n, next, &group->pending) {
        const struct pending_offsets *part = container_of(n, struct pending_offsets, group_node);
        if (group_offsets_find(&part->offsets, topic, partition, NULL) != NULL)
            return true;
    }
    return false;
}

const struct group_offsets *offsets_next_pending(const struct group *group, const struct group_offsets *o)
{
    const struct list_node *n = group->pending.head.next;
    if (o != NULL)
        n = container_of(o, struct pending_offsets, offsets)->group_node.next;
    return n == &group->pending.head ? NULL : &container_of(n, struct pending_offsets, group_node)->offsets;
}

void offsets_release_pending(struct groups *g, struct group *group)
{
    struct list_node *n;
    while ((n = list_first(&group->pending)) != NULL)
        drop_part(g, container_of(n, struct pending_offsets, group_node));
}

static void apply(const struct pending_offsets *part)
{
    struct group_offsets *to = &part->group->offsets;
    for (int32_t t = 0; t < part->offsets.count; t++) {
        const struct offsets_topic *topic = &part->offsets.topics[t];
        struct str name = str_from(topic->name);
        for (int32_t i = 0; i < topic->count; i++) {
            const struct committed_offset *new = &topic->items[i];
            const struct committed_offset *old = group_offsets_find(to, name, new->partition, NULL);
            if (old != NULL && old->record_offset > new->record_offset)
                continue;
            struct offset_commit_value value = committed_offset_value(new, topic->id);
            group_offsets_set(to, name, new->partition, &value, new->record_offset);
        }
    }
}

void offsets_end_transaction(struct groups *g, int64_t producer_id, bool committed)
{
    struct open_transaction *t = find_transaction(g, producer_id);
    if (t == NULL)
        return;
    coordinator_ticket ticket = coordinator_replayed_ticket(g->coordinator);
    list_for_each(n, next, &t->parts) {
        struct pending_offsets *part = container_of(n, struct pending_offsets, transaction_node);
        if (committed)
            apply(part);
        if (ticket != 0)
            part->group->written = ticket;
        part_free(part);
    }
    transaction_free(g, t);
}

enum kafka_error groups_end_transaction(struct groups *g, const struct coordinator_time *now,
                                        const struct coordinator_txn *txn,
                                        struct coordinator_waiter *waiter)
{
    coordinator_ticket ticket;
    enum kafka_error error = coordinator_write_marker(g->coordinator, now, txn, &ticket);
    if (error == KAFKA_NONE)
        coordinator_wait(g->coordinator, waiter, ticket);
    return error;
}
