// SPDX-License-Identifier: Apache-2.0
//
// How many groups there may be. Anybody makes one by naming it, for nothing, and each costs a KiB or more
// until it is cleaned up: so their number has a bound (chitin.groups.max), of which each partition of the
// topic of groups has its part. Past it nobody makes another, and those that are there go on.
//
// Groups for whose sake an id was given out and whom nobody ever joined with it (KIP-394) may not be more
// than a small share of them: the oldest gives way, and should its client come after all it begins anew.
// Kafka has no such bounds.
#include "base/trace.h"
#include "config/config.h"
#include "group/internal.h"
#include "metadata/image.h"

enum { UNUSED_SHARE = 16 };

// 0: there is no bound.
static size_t part_of_max(const struct groups *g)
{
    const struct metadata_topic *t = metadata_image_topic(g->image, str_from("__consumer_offsets"));
    int32_t parts = t == NULL || t->partition_count == 0 ? 1 : t->partition_count;
    int32_t max = config_i32(g->options.config, "chitin.groups.max");
    return max == 0 ? 0 : (size_t)((max - 1) / parts + 1);
}

static void forget(struct groups *g, struct group *group)
{
    list_remove(&group->unused_node);
    g->unused_count--;
}

// The oldest goes, unless it is in use by now.
static void give_way(struct groups *g)
{
    struct group *group = container_of(list_first(&g->unused), struct group, unused_node);
    coordinator_ticket ticket;
    bool is_unused = group->kind == GROUP_CLASSIC && group_is_empty(group) &&
                     group->offsets.total == 0 && list_empty(&group->pending);
    forget(g, group);
    if (is_unused)
        (void)group_write_removal(g, group, &ticket); // what stays is cleaned up later
}

bool groups_have_room(struct groups *g)
{
    size_t max = part_of_max(g);
    if (max == 0)
        return true;
    while (g->unused_count > 0 && (g->by_id.count >= max || g->unused_count > max / UNUSED_SHARE))
        give_way(g);
    bool has_room = g->by_id.count < max;
    if (!has_room && !g->is_full)
        trace_warn(g->options.trace, "group",
                   "there are %zu groups in __consumer_offsets-%d: no others are made before some are "
                   "deleted or expire, or chitin.groups.max is raised",
                   g->by_id.count, g->options.partition);
    g->is_full = !has_room;
    return has_room;
}

void groups_note_unused(struct groups *g, struct group *group)
{
    if (list_linked(&group->unused_node))
        return;
    list_append(&g->unused, &group->unused_node);
    g->unused_count++;
}

void groups_forget_unused(struct groups *g, struct group *group)
{
    if (list_linked(&group->unused_node))
        forget(g, group);
}
