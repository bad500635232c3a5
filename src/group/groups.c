// SPDX-License-Identifier: Apache-2.0
//
// The groups of a partition as a set: finding, adding, removing; loading and ending all of them; which
// family a replayed record belongs to.
#include "group/groups.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "group/internal.h"

enum { REPLAY_MEMORY_MAX = 256 * 1024 * 1024 }; // of one decoded record

const struct group_kind_type *group_kind_type(enum group_kind kind)
{
    static const struct group_kind_type *const types[] = {
        [GROUP_CLASSIC] = &classic_kind,
        [GROUP_CONSUMER] = &consumer_kind,
        [GROUP_STREAMS] = &streams_kind,
    };
    return types[kind];
}

struct groups *groups_new(const struct groups_options *options)
{
    struct groups *g = mem_new(struct groups);
    g->options = *options;
    g->image = options->image;
    map_init(&g->by_id);
    map_init(&g->transactions);
    list_init(&g->unused);
    list_init(&g->searches);
    arena_init(&g->arena, REPLAY_MEMORY_MAX);
    return g;
}

void groups_attach(struct groups *g, struct coordinator *c)
{
    g->coordinator = c;
}

bool groups_log_stands_still(const struct groups *g, int64_t session_timeout_ms)
{
    // A damaged record may give a member no time at all: that is over, whatever the log does.
    return session_timeout_ms > 0 && coordinator_waiting_ms(g->coordinator) * 2 >= session_timeout_ms;
}

static void group_free(struct groups *g, struct group *group)
{
    groups_forget_unused(g, group);
    group_kind_type(group->kind)->free(g, group->state);
    offsets_release_pending(g, group);
    group_offsets_release(&group->offsets);
    group_journal_release(&group->journal);
    mem_free(group->id);
    mem_free(group);
}

void groups_free(struct groups *g)
{
    if (g == NULL)
        return;
    struct map_node *n;
    while ((n = map_take_any(&g->by_id)) != NULL)
        group_free(g, container_of(n, struct group, node));
    map_release(&g->by_id);
    map_release(&g->transactions);
    arena_release(&g->arena);
    mem_free(g);
}

// ---- The set ----

static bool group_has_id(const struct map_node *node, const void *key)
{
    const struct str *id = key;
    return str_is(*id, container_of(node, struct group, node)->id);
}

// Ids are C strings here: requests with other ones are refused, and records of such, which nothing should
// have written, count for the group whose id is what stands before the NUL.
static struct str plain_id(struct str id)
{
    const char *nul = id.size > 0 ? memchr(id.data, '\0', id.size) : NULL;
    return nul == NULL ? id : str_of(id.data, (size_t)(nul - id.data));
}

struct group *groups_find(struct groups *g, struct str id)
{
    id = plain_id(id);
    struct map_node *n = map_find(&g->by_id, hash_str(g->options.hash_seed, id), group_has_id, &id);
    return n == NULL ? NULL : container_of(n, struct group, node);
}

struct group *groups_add(struct groups *g, struct str id)
{
    id = plain_id(id);
    struct group *group = mem_new(struct group);
    group->id = mem_copy_str(id);
    list_init(&group->pending);
    group->kind = GROUP_CLASSIC;
    group->state = classic_kind.new(g, group);
    map_insert(&g->by_id, &group->node, hash_str(g->options.hash_seed, id));
    return group;
}

struct group *groups_get(struct groups *g, struct str id)
{
    struct group *group = groups_find(g, id);
    return group != NULL ? group : groups_add(g, id);
}

void groups_remove(struct groups *g, struct group *group)
{
    map_remove(&g->by_id, &group->node);
    group_free(g, group);
}

void group_become(struct groups *g, struct group *group, enum group_kind kind)
{
    group_kind_type(group->kind)->free(g, group->state);
    group->kind = kind;
    group->state = group_kind_type(kind)->new(g, group);
}

struct group *groups_next(const struct groups *g, const struct group *group)
{
    struct map_node *n = map_next(&g->by_id, group == NULL ? NULL : &group->node);
    return n == NULL ? NULL : container_of(n, struct group, node);
}

const char *group_state_name(const struct group *group)
{
    return group_kind_type(group->kind)->state_name(group->state);
}

bool group_is_empty(const struct group *group)
{
    return group_kind_type(group->kind)->member_count(group->state) == 0;
}

// ---- All of them ----

// What is done to every group may remove the group itself, or others: the ids are noted first.
static char **ids_new(const struct groups *g, size_t *count)
{
    char **ids = mem_alloc_array(g->by_id.count + 1, sizeof(*ids));
    size_t n = 0;
    for (struct group *group = NULL; (group = groups_next(g, group)) != NULL;)
        ids[n++] = mem_copy_text(group->id);
    *count = n;
    return ids;
}

void groups_for_each(struct groups *g,
                     void (*act)(struct groups *g, struct group *group, void *context), void *context)
{
    size_t count;
    char **ids = ids_new(g, &count);
    for (size_t i = 0; i < count; i++) {
        struct group *group = groups_find(g, str_from(ids[i]));
        if (group != NULL)
            act(g, group, context);
        mem_free(ids[i]);
    }
    mem_free(ids);
}

static void group_load_end(struct groups *g, struct group *group, void *context)
{
    (void)context;
    group_kind_type(group->kind)->loaded(g, group);
}

static void group_end(struct groups *g, struct group *group, void *context)
{
    const enum kafka_error *error = context;
    group_kind_type(group->kind)->end(g, group, *error);
}

void groups_loaded(struct groups *g, const struct coordinator_time *now)
{
    coordinator_set_time(g->coordinator, now);
    groups_for_each(g, group_load_end, NULL);
    offsets_loaded(g);
}

void groups_end(struct groups *g, enum kafka_error error)
{
    g->has_ended = true;
    groups_for_each(g, group_end, &error);
}

void groups_set_image(struct groups *g, const struct metadata_image *image,
                      const struct coordinator_time *now)
{
    const struct metadata_image *before = g->image;
    g->image = image;
    if (!coordinator_is_active(g->coordinator) || g->has_ended)
        return;
    coordinator_set_time(g->coordinator, now);
    offsets_image_changed(g, before);
    for (struct group *group = NULL; (group = groups_next(g, group)) != NULL;)
        if (group_kind_type(group->kind)->image_changed != NULL)
            group_kind_type(group->kind)->image_changed(g, group);
}

// ---- Replaying ----

int group_replay_kind(struct groups *g, struct str id, enum group_kind kind, bool creates,
                      struct group **out, struct diag *diag)
{
    struct group *group = groups_find(g, id);
    *out = NULL;
    if (group != NULL && group->kind == kind) {
        *out = group;
        return 0;
    }
    if (!creates)
        return 0;
    if (group != NULL && !group_is_empty(group))
        return diag_set(diag, ERR_CORRUPT, "group \"%.*s\" is of another kind and has members",
                        STR_ARG(id));
    if (group == NULL)
        group = groups_add(g, id);
    group_become(g, group, kind);
    *out = group;
    return 0;
}

void group_replay_removal(struct groups *g, struct group *group)
{
    if (group->offsets.total > 0)
        group_become(g, group, GROUP_CLASSIC);
    else
        groups_remove(g, group);
}

typedef int (*family_replay)(struct groups *g, const struct coordinator_record_type *type,
                             struct bytes key, struct bytes value,
                             const struct coordinator_origin *origin, struct diag *diag);

static family_replay family_of(int16_t type)
{
    switch (type) {
    case GROUP_RECORD_LEGACY_OFFSET_COMMIT:
    case GROUP_RECORD_OFFSET_COMMIT:
        return offsets_replay;
    case GROUP_RECORD_GROUP_METADATA:
        return classic_replay;
    case GROUP_RECORD_CONSUMER_GROUP_METADATA:
    case GROUP_RECORD_CONSUMER_GROUP_PARTITION_METADATA:
    case GROUP_RECORD_CONSUMER_GROUP_MEMBER_METADATA:
    case GROUP_RECORD_CONSUMER_GROUP_TARGET_ASSIGNMENT_METADATA:
    case GROUP_RECORD_CONSUMER_GROUP_TARGET_ASSIGNMENT_MEMBER:
    case GROUP_RECORD_CONSUMER_GROUP_CURRENT_MEMBER_ASSIGNMENT:
    case GROUP_RECORD_CONSUMER_GROUP_REGULAR_EXPRESSION:
        return consumer_replay;
    case GROUP_RECORD_STREAMS_GROUP_METADATA:
    case GROUP_RECORD_STREAMS_GROUP_MEMBER_METADATA:
    case GROUP_RECORD_STREAMS_GROUP_TARGET_ASSIGNMENT_METADATA:
    case GROUP_RECORD_STREAMS_GROUP_TARGET_ASSIGNMENT_MEMBER:
    case GROUP_RECORD_STREAMS_GROUP_CURRENT_MEMBER_ASSIGNMENT:
    case GROUP_RECORD_STREAMS_GROUP_TOPOLOGY:
        return streams_replay;
    default:
        return NULL; // share groups, which are not served: their records stay in the log
    }
}

static int replay(void *state, const struct coordinator_record_type *type, struct bytes key,
                  struct bytes value, const struct coordinator_origin *origin, struct diag *diag)
{
    struct groups *g = state;
    family_replay family = family_of(type->type);
    if (family == NULL)
        return 0;
    arena_release(&g->arena);
    return family(g, type, key, value, origin, diag);
}

static void replay_end(void *state, int64_t producer_id, int16_t producer_epoch, bool committed)
{
    (void)producer_epoch;
    offsets_end_transaction(state, producer_id, committed);
}

const struct coordinator_machine groups_machine = {
    .log = COORDINATOR_LOG_GROUP,
    .replay = replay,
    .replay_end = replay_end,
};
