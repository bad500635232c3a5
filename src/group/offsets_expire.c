// SPDX-License-Identifier: Apache-2.0
//
// How committed offsets go by themselves: their topic was deleted, or nobody has used them for as long as
// the broker keeps them (KIP-211). A group without members goes with its last offset.
#include "base/check.h"
#include "base/mem.h"
#include "config/config.h"
#include "group/internal.h"
#include "metadata/image.h"
#include "wire/record/offset_commit_key.h"

enum {
    COMMAND_BYTES_MAX = 256 * 1024,  // of tombstones in one command, about
    TOMBSTONE_OVERHEAD = 48,         // of one, beside its names
    EXPIRE_MAX = 10000,              // offsets that expire in one turn; the rest waits for
    EXPIRE_AGAIN_MS = 10,
    MS_PER_MINUTE = 60000,
};

// ---- Removing ----

void offsets_write_tombstone(struct groups *g, struct str group, struct str topic, int32_t partition)
{
    struct offset_commit_key key = {.group = group, .topic = topic, .partition = partition};
    coordinator_write(g->coordinator, GROUP_RECORD_OFFSET_COMMIT, 0, &key, NULL);
}

// Returns about how many bytes it takes.
static size_t write_tombstone_of(struct groups *g, const struct group *group,
                                 const struct offsets_topic *topic, const struct committed_offset *item)
{
    struct str name = str_from(topic->name), id = str_from(group->id);
    offsets_write_tombstone(g, id, name, item->partition);
    return name.size + id.size + TOMBSTONE_OVERHEAD;
}

// One command's worth. Walks from the end (of topic t, item i), since replay takes out what was passed.
static bool write_some(struct groups *g, const struct group *group, offset_goes goes, void *context,
                       int32_t *t, int32_t *i)
{
    const struct group_offsets *o = &group->offsets;
    size_t bytes = 0;
    for (; *t >= 0; *t -= 1) {
        const struct offsets_topic *topic = &o->topics[*t];
        if (*i < 0)
            *i = topic->count;
        while (*i > 0 && bytes < COMMAND_BYTES_MAX) {
            const struct committed_offset *item = &topic->items[--*i];
            if (goes != NULL && !goes(context, topic, item))
                continue;
            bytes += write_tombstone_of(g, group, topic, item);
        }
        if (*i > 0)
            return true;
        *i = -1;
    }
    return false;
}

int offsets_remove(struct groups *g, struct str id, offset_goes goes, void *context,
                   coordinator_ticket *ticket)
{
    const struct group *group = groups_find(g, id);
    check(group != NULL);
    int32_t t = group->offsets.count - 1, i = -1;
    bool is_more = true;
    while (is_more) {
        coordinator_ticket written;
        struct coordinator_time now = *coordinator_now(g->coordinator);
        coordinator_begin(g->coordinator, &now);
        is_more = write_some(g, group, goes, context, &t, &i);
        int err = group_write_end(g, id, &written);
        if (err != 0)
            return err;
        if (written != 0)
            *ticket = written;
    }
    return 0;
}

// One command's worth; false: nothing goes.
static bool write_some_pending(struct groups *g, const struct group *group, offset_goes goes, void *context)
{
    const struct group_offsets *o = NULL;
    size_t bytes = 0;
    while ((o = offsets_next_pending(group, o)) != NULL)
        for (int32_t t = 0; t < o->count; t++)
            for (int32_t i = 0; i < o->topics[t].count && bytes < COMMAND_BYTES_MAX; i++)
                if (goes == NULL || goes(context, &o->topics[t], &o->topics[t].items[i]))
                    bytes += write_tombstone_of(g, group, &o->topics[t], &o->topics[t].items[i]);
    return bytes > 0;
}

int offsets_remove_all_pending(struct groups *g, struct str id, offset_goes goes, void *context,
                               coordinator_ticket *ticket)
{
    bool is_more = true;
    while (is_more) {
        coordinator_ticket written;
        struct coordinator_time now = *coordinator_now(g->coordinator);
        coordinator_begin(g->coordinator, &now);
        is_more = write_some_pending(g, groups_find(g, id), goes, context);
        int err = group_write_end(g, id, &written);
        if (err != 0)
            return err;
        if (written != 0)
            *ticket = written;
    }
    return 0;
}

// ---- Topics that are gone ----

struct gone {
    const struct metadata_topic **topics;
    size_t count;
    size_t capacity;
};

static void note_gone(void *context, const struct metadata_topic *from, const struct metadata_topic *to)
{
    struct gone *gone = context;
    if (to != NULL)
        return;
    mem_grow(gone->topics, gone->count, gone->capacity);
    gone->topics[gone->count++] = from;
}

// A commit that did not say the id was for whoever had the name.
static bool is_gone(void *context, const struct offsets_topic *topic, const struct committed_offset *offset)
{
    (void)offset;
    const struct gone *gone = context;
    for (size_t i = 0; i < gone->count; i++)
        if (str_is(gone->topics[i]->name, topic->name) &&
            (uuid_is_zero(topic->id) || uuid_equal(topic->id, gone->topics[i]->id)))
            return true;
    return false;
}

// What cannot be written now is found at the next load.
static void remove_gone(struct groups *g, struct group *group, void *context)
{
    struct gone *gone = context;
    coordinator_ticket ticket;
    int32_t first;
    for (size_t i = 0; i < gone->count; i++) {
        if (group_offsets_topics(&group->offsets, gone->topics[i]->name, &first) > 0) {
            (void)offsets_remove(g, str_from(group->id), is_gone, gone, &ticket);
            break;
        }
    }
    if (!list_empty(&group->pending))
        (void)offsets_remove_all_pending(g, str_from(group->id), is_gone, gone, &ticket);
}

void offsets_image_changed(struct groups *g, const struct metadata_image *before)
{
    struct gone gone = {0};
    struct metadata_changes changes = {.context = &gone, .topic = note_gone};
    metadata_image_diff(before, g->image, &changes);
    if (gone.count > 0)
        groups_for_each(g, remove_gone, &gone);
    mem_free(gone.topics);
}

static bool is_unknown(void *context, const struct offsets_topic *topic,
                       const struct committed_offset *offset)
{
    (void)offset;
    const struct metadata_image *image = ((const struct groups *)context)->image;
    if (uuid_is_zero(topic->id))
        return metadata_image_topic(image, str_from(topic->name)) == NULL;
    return metadata_image_topic_by_id(image, topic->id) == NULL;
}

// Whoever commits looks into the metadata first, and whoever leads this log has seen at least as much of
// it as those who led before: a topic that is not in the image has been there and is gone.
static void remove_unknown(struct groups *g, struct group *group, void *context)
{
    coordinator_ticket ticket;
    for (int32_t t = 0; t < group->offsets.count; t++) {
        if (is_unknown(context, &group->offsets.topics[t], NULL)) {
            (void)offsets_remove(g, str_from(group->id), is_unknown, context, &ticket);
            break;
        }
    }
    if (!list_empty(&group->pending))
        (void)offsets_remove_all_pending(g, str_from(group->id), is_unknown, context, &ticket);
}

// ---- Expiration ----

struct expiration {
    const struct groups *groups;
    const struct group *group;
    int64_t now_ms;
    int64_t retention_ms;
    int64_t since_ms;                  // from when retention counts; -1: from the commit
    const struct offsets_topic *topic; // that was looked at last
    bool is_used;                      // its members use it
    int32_t left;                      // how many may go in this turn
    bool has_failed;
};

static bool is_past(const struct expiration *e, const struct committed_offset *offset)
{
    int64_t expire_ms = committed_offset_expire_ms(offset);
    if (expire_ms != -1)
        return e->now_ms >= expire_ms;
    int64_t base_ms = e->since_ms != -1 ? e->since_ms : offset->commit_timestamp_ms;
    int64_t age_ms;
    return !__builtin_sub_overflow(e->now_ms, base_ms, &age_ms) && age_ms >= e->retention_ms;
}

static bool is_expired(void *context, const struct offsets_topic *topic,
                       const struct committed_offset *offset)
{
    struct expiration *e = context;
    if (e->topic != topic) {
        e->topic = topic;
        e->is_used = group_kind_type(e->group->kind)->is_subscribed(e->groups, e->group,
                                                                    str_from(topic->name));
    }
    if (e->is_used || e->left == 0 || !is_past(e, offset) ||
        offsets_are_pending(e->group, str_from(topic->name), offset->partition))
        return false;
    e->left--;
    return true;
}

static void expire_group(struct groups *g, struct group *group, void *context)
{
    struct expiration *e = context;
    const struct group_kind_type *kind = group_kind_type(group->kind);
    coordinator_ticket ticket;
    if (e->left == 0 || e->has_failed)
        return;
    if (group->offsets.total > 0) {
        e->group = group;
        e->topic = NULL;
        if (!kind->offsets_expire(group, &e->since_ms))
            return;
        e->has_failed = offsets_remove(g, str_from(group->id), is_expired, e, &ticket) != 0;
    }
    bool is_unused = group->offsets.total == 0 && list_empty(&group->pending);
    if (is_unused && !e->has_failed && kind->check_delete(group) == KAFKA_NONE)
        e->has_failed = group_write_removal(g, group, &ticket) != 0;
}

static void expire_fire(struct coordinator_timer *t);

static void arm(struct groups *g, int64_t delay_ms)
{
    int64_t now_ms = coordinator_now(g->coordinator)->mono_ms, at_ms;
    if (__builtin_add_overflow(now_ms, delay_ms, &at_ms))
        at_ms = INT64_MAX;
    coordinator_set_timer(g->coordinator, &g->expire_timer, at_ms, expire_fire);
}

static int64_t interval_ms(const struct groups *g)
{
    return config_i64(g->options.config, "offsets.retention.check.interval.ms");
}

static void expire_fire(struct coordinator_timer *t)
{
    struct groups *g = container_of(t, struct groups, expire_timer);
    struct expiration e = {
        .groups = g,
        .now_ms = coordinator_now(g->coordinator)->wall_ms,
        .retention_ms = config_i64(g->options.config, "offsets.retention.minutes") * MS_PER_MINUTE,
        .left = EXPIRE_MAX,
    };
    groups_for_each(g, expire_group, &e);
    arm(g, e.left == 0 && !e.has_failed ? EXPIRE_AGAIN_MS : interval_ms(g));
}

void offsets_loaded(struct groups *g)
{
    // The topic that these records are in: an image without it is older than they are.
    if (metadata_image_topic(g->image, str_from("__consumer_offsets")) != NULL)
        groups_for_each(g, remove_unknown, g);
    arm(g, interval_ms(g));
}
