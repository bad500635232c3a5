// SPDX-License-Identifier: Apache-2.0
//
// Looking into a node at its groups: what their members cannot see.
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/err.h"
#include "broker/coordinator_slot.h"
#include "broker/coordinators.h"
#include "broker/node.h"
#include "broker/partitions.h"
#include "broker/shard.h"
#include "cluster_groups_internal.h"
#include "dump.h"
#include "group/journal.h"

enum { DUMP_MAX = 16 << 20, LOG_MAX = 64 << 20, BATCH_MAX = 1 << 20 };

// Each slot of groups that is at work.
static struct coordinator_slot *slot_of(struct list_node *n)
{
    struct coordinator_slot *slot = container_of(n, struct coordinator_slot, node);
    return slot->kind == COORDINATOR_GROUP && slot->state == SLOT_ACTIVE ? slot : NULL;
}

static void check_journals(struct groups_user *g, struct groups *groups)
{
    for (struct group *group = NULL; (group = groups_next(groups, group)) != NULL;)
        if (group->journal.count > JOURNAL_ENTRIES_MAX)
            scene_fail(&g->scene, "the journal of %s has %d entries", group->id, group->journal.count);
}

void groups_user_check_journals(struct groups_user *g, struct node *node)
{
    for (int i = 0; i < node->shard_count; i++)
        list_for_each(n, next, &node->shards[i].coordinators.slots)
            if (slot_of(n) != NULL)
                check_journals(g, slot_of(n)->state_of_kind);
    groups_rearm(g);
}

static int no_append(void *context, uint8_t *batch, size_t size, int64_t *end_offset)
{
    (void)context, (void)batch, (void)size, (void)end_offset;
    return ERR_OFFLINE;
}

static int load(struct coordinator *c, struct coordinator_slot *slot, struct diag *diag)
{
    struct partition *p = partitions_find(&slot->shard->partitions, slot->topic_id, slot->partition);
    struct buf bytes;
    check(p != NULL);
    int64_t offset = log_start_offset(p->log), end = log_end_offset(p->log);
    buf_init(&bytes, LOG_MAX);
    int err = log_read_bytes(p->log, offset, LOG_MAX, true, end, &bytes);
    while (err == 0 && bytes.size > 0) {
        err = coordinator_load(c, buf_bytes(&bytes), diag);
        offset = coordinator_loaded_offset(c);
        buf_clear(&bytes);
        if (err == 0)
            err = log_read_bytes(p->log, offset, LOG_MAX, true, end, &bytes);
    }
    buf_release(&bytes);
    return err;
}

// The text of the slot's groups, or of those that its log says.
static void compare(struct groups_user *g, struct coordinator_slot *slot, bool must_fit)
{
    struct buf here, there;
    struct diag diag = {{0}};
    struct groups *live = slot->state_of_kind, *beside = slot->type->new(slot);
    struct coordinator *c = coordinator_new(&(struct coordinator_options){
        .machine = slot->type->machine,
        .state = beside,
        .name = slot->name,
        .append = no_append,
        .batch_bytes_max = BATCH_MAX,
    });
    buf_init(&here, DUMP_MAX);
    buf_init(&there, DUMP_MAX);
    slot->type->attach(beside, c);
    int err = load(c, slot, &diag);
    fixture_dump_beside(live, live, &here);
    fixture_dump_beside(beside, live, &there);
    sim_note_bytes(g->users->sim, here.data, here.size);
    if (err != 0)
        scene_fail(&g->scene, "%s cannot be loaded: %s", slot->name, diag.text);
    if (err != 0 || !must_fit || strcmp(buf_text(&here), buf_text(&there)) == 0)
        goto out;
    scene_fail(&g->scene, "the log of %s says something else than its groups", slot->name);
    if (g->users->verbose)
        printf("the log of %s says\n%s\ninstead of\n%s\n", slot->name, buf_text(&there), buf_text(&here));
out:
    slot->type->free(beside);
    coordinator_free(c);
    buf_release(&here);
    buf_release(&there);
}

static bool is_quiet(const struct coordinator_slot *slot)
{
    return !coordinator_has_batch(slot->coordinator) && coordinator_failure(slot->coordinator) == 0 &&
           coordinator_awaited_offset(slot->coordinator) < 0;
}

void groups_user_check_replay(struct groups_user *g, struct node *node, bool must_fit)
{
    for (int i = 0; i < node->shard_count; i++) {
        struct shard *s = &node->shards[i];
        struct sim_env *before = sim_enter(container_of(s->env, struct sim_env, env));
        list_for_each(n, next, &s->coordinators.slots)
            if (slot_of(n) != NULL && is_quiet(slot_of(n)))
                compare(g, slot_of(n), must_fit);
        sim_leave(g->users->sim, before);
    }
    groups_rearm(g);
}
