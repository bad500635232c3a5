// SPDX-License-Identifier: Apache-2.0
//
// What becomes of a partition when brokers come and go: in-sync replicas, eligible leader replicas
// (KIP-966), the leader. All that differs from before is one PartitionChange record.
#include "base/arena.h"
#include "base/check.h"
#include "base/err.h"
#include "controller/internal.h"
#include "metadata/records.h"
#include "wire/record/partition_change_record.h"

enum { UPDATE_MEMORY_MAX = 1024 * 1024 };

// A partition on its way from what it was to what it shall be.
struct change {
    const struct controller_command *cmd;
    const struct metadata_partition *p;
    const struct partition_update *u;
    struct arena arena;
    int32_t min_isr; // at most the number of replicas
    bool has_elr;    // the cluster has eligible leader replicas
    bool unclean_allowed;

    int32_t *isr; // the lists as they shall be
    int32_t isr_count;
    int32_t *elr;
    int32_t elr_count;
    struct uuid *directories;
    int32_t leader;
    int32_t last_known;
    bool unclean; // the leader was not in sync: what only others have is lost
};

static bool ids_contain(const int32_t *ids, int32_t count, int32_t id)
{
    return replicas_contain((struct replicas){ids, count}, id);
}

static bool ids_equal(const int32_t *ids, int32_t count, struct replicas old)
{
    return replicas_equal((struct replicas){ids, count}, old);
}

// Registered, in service (or about to be), and with its replica on a disk that works.
static bool leader_is_acceptable(const struct change *x, int32_t id)
{
    const struct metadata_broker *b = metadata_image_broker(x->cmd->image, id);
    int32_t at = replicas_index(x->p->replicas, id);
    if (b == NULL || at < 0 || id == x->u->remove)
        return false;
    return (id == x->u->add || metadata_broker_is_active(b)) &&
           metadata_broker_directory_online(b, x->directories[at]);
}

static void isr_make(struct change *x)
{
    for (int32_t i = 0; i < x->p->isr.count; i++) {
        int32_t id = x->p->isr.ids[i];
        if (id != x->u->remove && id != x->u->unclean)
            x->isr[x->isr_count++] = id;
    }
    // Without eligible leader replicas nothing else would remember who has all the records.
    if (x->isr_count == 0 && !x->has_elr) {
        memcpy(x->isr, x->p->isr.ids, (size_t)x->p->isr.count * sizeof x->isr[0]);
        x->isr_count = x->p->isr.count;
    }
}

static void elr_add(struct change *x, struct replicas from)
{
    for (int32_t i = 0; i < from.count; i++) {
        int32_t id = from.ids[i];
        if (id != x->u->unclean && !ids_contain(x->isr, x->isr_count, id) &&
            !ids_contain(x->elr, x->elr_count, id))
            x->elr[x->elr_count++] = id;
    }
}

// Below min.insync.replicas the high watermark stands still, so everyone who was in the ISR then has
// all that is committed, until it loses its tail.
static void elr_make(struct change *x)
{
    if (!x->has_elr || x->isr_count >= x->min_isr)
        return;
    elr_add(x, x->p->elr);
    elr_add(x, x->p->isr);
}

static bool leader_is_valid(const struct change *x, int32_t id)
{
    bool has_all = ids_contain(x->isr, x->isr_count, id) ||
                   (x->isr_count == 0 && ids_contain(x->elr, x->elr_count, id));
    return id != NO_LEADER && has_all && leader_is_acceptable(x, id);
}

static int32_t leader_elect(struct change *x)
{
    if (leader_is_valid(x, x->p->leader))
        return x->p->leader;
    for (int32_t i = 0; i < x->p->replicas.count; i++)
        if (leader_is_valid(x, x->p->replicas.ids[i]))
            return x->p->replicas.ids[i];
    // Nobody is known to have everything. The last leader is the best there can be.
    if (x->has_elr && x->isr_count == 0 && x->elr_count == 0 && x->p->last_known_elr.count == 1 &&
        leader_is_acceptable(x, x->p->last_known_elr.ids[0])) {
        x->unclean = true;
        return x->p->last_known_elr.ids[0];
    }
    for (int32_t i = 0; x->unclean_allowed && i < x->p->replicas.count; i++)
        if (leader_is_acceptable(x, x->p->replicas.ids[i])) {
            x->unclean = true;
            return x->p->replicas.ids[i];
        }
    return NO_LEADER;
}

static void isr_set_single(struct change *x, int32_t id)
{
    x->isr[0] = id;
    x->isr_count = 1;
}

static void leader_make(struct change *x)
{
    x->leader = leader_elect(x);
    if (x->leader == x->p->leader || x->leader == NO_LEADER)
        return;
    if (x->unclean) {
        isr_set_single(x, x->leader);
        x->elr_count = 0;
    } else if (!ids_contain(x->isr, x->isr_count, x->leader)) {
        isr_set_single(x, x->leader); // from the eligible ones, which the others remain
        int32_t kept = 0;
        for (int32_t i = 0; i < x->elr_count; i++)
            if (x->elr[i] != x->leader)
                x->elr[kept++] = x->elr[i];
        x->elr_count = kept;
        if (x->isr_count >= x->min_isr)
            x->elr_count = 0;
    }
}

static struct wire_int32_array wire_ids(int32_t *ids, int32_t count)
{
    return (struct wire_int32_array){ids, count};
}

static bool isr_shrank(const struct change *x)
{
    for (int32_t i = 0; i < x->p->isr.count; i++)
        if (!ids_contain(x->isr, x->isr_count, x->p->isr.ids[i]))
            return true;
    return false;
}

// Remembers the leader of a partition that has lost its whole ISR, and forgets it when there is one
// again.
static void last_known_fill(struct change *x, struct partition_change_record *record)
{
    const struct metadata_partition *p = x->p;
    if (!x->has_elr)
        return;
    bool known = p->last_known_elr.count == 1 && p->last_known_elr.ids[0] == p->leader;
    if (record->isr.count == 0 && p->leader != NO_LEADER && !known) {
        x->last_known = p->leader;
        record->last_known_elr = wire_ids(&x->last_known, 1);
    } else if (x->leader != NO_LEADER && p->last_known_elr.count > 0) {
        record->last_known_elr = wire_ids(NULL, 0);
    }
}

// True if the record says anything.
static bool record_fill(struct change *x, struct partition_change_record *record)
{
    const struct metadata_partition *p = x->p;
    bool changed = false;
    if (x->leader != p->leader) {
        record->leader = x->leader;
        changed = true;
    }
    if (!ids_equal(x->isr, x->isr_count, p->isr)) {
        record->isr = wire_ids(x->isr, x->isr_count);
        changed = true;
        // Before 3.6-IV0 an ISR that shrinks takes a new leader epoch.
        if (x->leader == p->leader && isr_shrank(x) &&
            command_metadata_version(x->cmd) < METADATA_VERSION_NO_ISR_SHRINK_BUMP)
            record->leader = x->leader;
    }
    if (!ids_equal(x->elr, x->elr_count, p->elr)) {
        record->eligible_leader_replicas = wire_ids(x->elr, x->elr_count);
        changed = true;
    }
    last_known_fill(x, record);
    changed = changed || record->last_known_elr.count >= 0;
    if (x->unclean && p->leader_recovery_state != LEADER_RECOVERING) {
        record->leader_recovery_state = LEADER_RECOVERING;
        changed = true;
    }
    if (memcmp(x->directories, p->directories,
               (size_t)p->replicas.count * sizeof x->directories[0]) != 0) {
        record->directories = (struct wire_uuid_array){x->directories, p->replicas.count};
        changed = true;
    }
    return changed;
}

static bool change_init(struct change *x)
{
    const struct metadata_partition *p = x->p;
    size_t ids = (size_t)p->isr.count + (size_t)p->elr.count + 1;
    x->isr = arena_new_array(&x->arena, ids, int32_t);
    x->elr = arena_new_array(&x->arena, ids, int32_t);
    x->directories = arena_new_array(&x->arena, (size_t)p->replicas.count, struct uuid);
    if (x->isr == NULL || x->elr == NULL || x->directories == NULL)
        return false;
    memcpy(x->directories, p->directories, (size_t)p->replicas.count * sizeof x->directories[0]);
    int32_t at = replicas_index(p->replicas, x->u->set_directory_of);
    if (x->u->directory != NULL && at >= 0)
        x->directories[at] = *x->u->directory;
    return true;
}

int partition_update(struct controller *c, struct controller_command *cmd,
                     const struct metadata_topic *t, const struct metadata_partition *p,
                     const struct partition_update *u, struct diag *diag)
{
    int32_t min_isr = topic_min_isr(c, cmd->image, t->name);
    struct change x = {
        .cmd = cmd,
        .p = p,
        .u = u,
        .min_isr = min_isr < p->replicas.count ? min_isr : p->replicas.count,
        .has_elr = command_has_elr(cmd),
        .unclean_allowed = topic_allows_unclean_election(c, cmd->image, t->name),
    };
    arena_init(&x.arena, UPDATE_MEMORY_MAX);
    int err = 0;
    if (!change_init(&x)) {
        err = diag_set(diag, ERR_NOMEM, "%.*s-%d has too many replicas", STR_ARG(t->name), p->id);
    } else {
        isr_make(&x);
        elr_make(&x);
        leader_make(&x);
        struct partition_change_record record;
        partition_change_record_init(&record);
        record.partition_id = p->id;
        record.topic_id = t->id;
        if (record_fill(&x, &record))
            err = command_emit(cmd, METADATA_PARTITION_CHANGE_RECORD,
                               metadata_partition_version(command_metadata_version(cmd)), &record,
                               diag);
    }
    arena_release(&x.arena);
    return err;
}
