// SPDX-License-Identifier: Apache-2.0
//
// Sorted arrays of topics, and of partitions within a topic: small, and quick for the topics of some
// thousand partitions that there are. Commits come mostly for what is there or for the next partition.
#include "group/offsets.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "wire/record/offset_commit_value.h"

struct offset_extra {
    int64_t expire_timestamp_ms; // -1 without
    size_t metadata_size;
    char metadata[];
};

// ---- Arrays that grow by a half ----

static int32_t grown(int32_t capacity)
{
    check(capacity < INT32_MAX / 2);
    return capacity < 4 ? capacity + 1 : capacity + capacity / 2;
}

// Opens a gap for one item of `size` bytes at `at`; the array may move.
static void *open_gap(void *items, size_t size, int32_t at, int32_t *count, int32_t *capacity)
{
    if (*count == *capacity) {
        *capacity = grown(*capacity);
        items = mem_resize(items, (size_t)*capacity * size);
    }
    char *p = (char *)items + (size_t)at * size;
    memmove(p + size, p, (size_t)(*count - at) * size);
    (*count)++;
    return items;
}

static void close_gap(void *items, size_t size, int32_t at, int32_t *count)
{
    char *p = (char *)items + (size_t)at * size;
    (*count)--;
    memmove(p, p + size, (size_t)(*count - at) * size);
}

// ---- Topics ----

static int topic_compare(const struct offsets_topic *t, struct str name, const struct uuid *id)
{
    int order = str_compare(str_from(t->name), name);
    return order != 0 || id == NULL ? order : memcmp(t->id.bytes, id->bytes, UUID_SIZE);
}

// Where the first topic not below stands.
static int32_t topic_seek(const struct group_offsets *o, struct str name, const struct uuid *id)
{
    int32_t low = 0, high = o->count;
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if (topic_compare(&o->topics[middle], name, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int32_t group_offsets_topics(const struct group_offsets *o, struct str name, int32_t *first)
{
    int32_t at = topic_seek(o, name, NULL), end = at;
    while (end < o->count && str_is(name, o->topics[end].name))
        end++;
    *first = at;
    return end - at;
}

static struct offsets_topic *topic_get(struct group_offsets *o, struct str name, struct uuid id)
{
    int32_t at = topic_seek(o, name, &id);
    if (at == o->count || topic_compare(&o->topics[at], name, &id) != 0) {
        o->topics = open_gap(o->topics, sizeof(*o->topics), at, &o->count, &o->capacity);
        o->topics[at] = (struct offsets_topic){.id = id, .name = mem_copy_str(name)};
    }
    return &o->topics[at];
}

static void topic_remove(struct group_offsets *o, int32_t at)
{
    check(o->topics[at].count == 0);
    mem_free(o->topics[at].name);
    mem_free(o->topics[at].items);
    close_gap(o->topics, sizeof(*o->topics), at, &o->count);
}

void group_offsets_release(struct group_offsets *o)
{
    for (int32_t i = 0; i < o->count; i++) {
        struct offsets_topic *t = &o->topics[i];
        for (int32_t p = 0; p < t->count; p++)
            mem_free(t->items[p].extra);
        mem_free(t->items);
        mem_free(t->name);
    }
    mem_free(o->topics);
    *o = (struct group_offsets){0};
}

// ---- Partitions ----

// Where the first partition not below stands; most commits are for the last or one after it.
static int32_t partition_seek(const struct offsets_topic *t, int32_t partition)
{
    if (t->count == 0 || t->items[t->count - 1].partition < partition)
        return t->count;
    int32_t low = 0, high = t->count - 1;
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if (t->items[middle].partition < partition)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct committed_offset *partition_find(const struct offsets_topic *t, int32_t partition)
{
    int32_t at = partition_seek(t, partition);
    return at < t->count && t->items[at].partition == partition ? &t->items[at] : NULL;
}

// The partition in whichever entry of this name has it: *entry is its index. NULL: none has.
static struct committed_offset *find(const struct group_offsets *o, struct str topic, int32_t partition,
                                     int32_t *entry)
{
    int32_t first;
    int32_t count = group_offsets_topics(o, topic, &first);
    for (int32_t i = first; i < first + count; i++) {
        struct committed_offset *c = partition_find(&o->topics[i], partition);
        if (c != NULL) {
            *entry = i;
            return c;
        }
    }
    return NULL;
}

const struct committed_offset *group_offsets_find(const struct group_offsets *o, struct str topic,
                                                  int32_t partition, struct uuid *topic_id)
{
    int32_t entry;
    const struct committed_offset *c = find(o, topic, partition, &entry);
    if (c != NULL && topic_id != NULL)
        *topic_id = o->topics[entry].id;
    return c;
}

struct str committed_offset_metadata(const struct committed_offset *c)
{
    return c->extra == NULL ? str_of("", 0) : str_of(c->extra->metadata, c->extra->metadata_size);
}

int64_t committed_offset_expire_ms(const struct committed_offset *c)
{
    return c->extra == NULL ? -1 : c->extra->expire_timestamp_ms;
}

struct offset_commit_value committed_offset_value(const struct committed_offset *c, struct uuid topic_id)
{
    return (struct offset_commit_value){
        .offset = c->offset,
        .leader_epoch = c->leader_epoch,
        .metadata = committed_offset_metadata(c),
        .commit_timestamp = c->commit_timestamp_ms,
        .expire_timestamp = committed_offset_expire_ms(c),
        .topic_id = topic_id,
    };
}

static struct offset_extra *extra_new(struct str metadata, int64_t expire_timestamp_ms)
{
    if (metadata.size == 0 && expire_timestamp_ms == -1)
        return NULL;
    struct offset_extra *extra = mem_alloc(sizeof(*extra) + metadata.size);
    extra->expire_timestamp_ms = expire_timestamp_ms;
    extra->metadata_size = metadata.size;
    if (metadata.size > 0)
        memcpy(extra->metadata, metadata.data, metadata.size);
    return extra;
}

static void item_remove(struct group_offsets *o, int32_t entry, int32_t partition)
{
    struct offsets_topic *t = &o->topics[entry];
    int32_t at = partition_seek(t, partition);
    mem_free(t->items[at].extra);
    close_gap(t->items, sizeof(*t->items), at, &t->count);
    o->total--;
    if (t->count == 0)
        topic_remove(o, entry);
}

static struct committed_offset *item_add(struct group_offsets *o, struct str topic, struct uuid id,
                                         int32_t partition)
{
    struct offsets_topic *t = topic_get(o, topic, id);
    int32_t at = partition_seek(t, partition);
    t->items = open_gap(t->items, sizeof(*t->items), at, &t->count, &t->capacity);
    t->items[at] = (struct committed_offset){.partition = partition};
    o->total++;
    return &t->items[at];
}

void group_offsets_set(struct group_offsets *o, struct str topic, int32_t partition,
                       const struct offset_commit_value *value, int64_t record_offset)
{
    int32_t entry;
    struct committed_offset *c = find(o, topic, partition, &entry);
    if (c != NULL && !uuid_equal(o->topics[entry].id, value->topic_id)) {
        item_remove(o, entry, partition);
        c = NULL;
    }
    if (c == NULL)
        c = item_add(o, topic, value->topic_id, partition);
    mem_free(c->extra);
    c->offset = value->offset;
    c->leader_epoch = value->leader_epoch;
    c->commit_timestamp_ms = value->commit_timestamp;
    c->record_offset = record_offset;
    c->extra = extra_new(value->metadata, value->expire_timestamp);
}

bool group_offsets_remove(struct group_offsets *o, struct str topic, int32_t partition)
{
    int32_t entry;
    if (find(o, topic, partition, &entry) == NULL)
        return false;
    item_remove(o, entry, partition);
    return true;
}
