// SPDX-License-Identifier: Apache-2.0
#include "metadata/topic.h"

#include "base/check.h"
#include "base/mem.h"
#include "metadata/internal.h"

int32_t replicas_index(struct replicas list, int32_t node)
{
    for (int32_t i = 0; i < list.count; i++)
        if (list.ids[i] == node)
            return i;
    return -1;
}

bool replicas_equal(struct replicas a, struct replicas b)
{
    return a.count == b.count &&
           (a.count == 0 || memcmp(a.ids, b.ids, (size_t)a.count * sizeof a.ids[0]) == 0);
}

struct metadata_partition *metadata_partition_ref(const struct metadata_partition *p)
{
    struct metadata_partition *mine = (struct metadata_partition *)(uintptr_t)p;
    __atomic_fetch_add(&mine->refs, 1, __ATOMIC_RELAXED);
    return mine;
}

void metadata_partition_unref(const struct metadata_partition *p)
{
    struct metadata_partition *mine = (struct metadata_partition *)(uintptr_t)p;
    if (mine != NULL && __atomic_sub_fetch(&mine->refs, 1, __ATOMIC_ACQ_REL) == 0)
        mem_free(mine);
}

static struct replicas replicas_place(int32_t **at, struct replicas list)
{
    struct replicas copy = {.ids = *at, .count = list.count};
    if (list.count > 0)
        memcpy(*at, list.ids, (size_t)list.count * sizeof list.ids[0]);
    *at += list.count;
    return copy;
}

struct metadata_partition *metadata__partition_new(const struct metadata_partition *p)
{
    size_t ids = (size_t)p->replicas.count + (size_t)p->isr.count + (size_t)p->removing.count +
                 (size_t)p->adding.count + (size_t)p->elr.count + (size_t)p->last_known_elr.count;
    size_t directories = (size_t)p->replicas.count * sizeof(struct uuid);
    // One piece of memory: the struct, the ids, the directories.
    uint8_t *memory = mem_alloc(sizeof *p + ids * sizeof(int32_t) + directories);
    struct metadata_partition *new = (struct metadata_partition *)(void *)memory;
    *new = *p;
    new->refs = 1;
    int32_t *at = (int32_t *)(void *)(memory + sizeof *p);
    new->replicas = replicas_place(&at, p->replicas);
    new->isr = replicas_place(&at, p->isr);
    new->removing = replicas_place(&at, p->removing);
    new->adding = replicas_place(&at, p->adding);
    new->elr = replicas_place(&at, p->elr);
    new->last_known_elr = replicas_place(&at, p->last_known_elr);
    if (directories > 0)
        memcpy(at, p->directories, directories);
    new->directories = (const struct uuid *)(const void *)at;
    return new;
}

static bool partition_equal(const struct metadata_partition *a, const struct metadata_partition *b)
{
    return a->id == b->id && a->leader == b->leader && a->leader_epoch == b->leader_epoch &&
           a->partition_epoch == b->partition_epoch &&
           a->leader_recovery_state == b->leader_recovery_state &&
           replicas_equal(a->replicas, b->replicas) && replicas_equal(a->isr, b->isr) &&
           replicas_equal(a->removing, b->removing) && replicas_equal(a->adding, b->adding) &&
           replicas_equal(a->elr, b->elr) && replicas_equal(a->last_known_elr, b->last_known_elr) &&
           (a->replicas.count == 0 ||
            memcmp(a->directories, b->directories,
                   (size_t)a->replicas.count * sizeof a->directories[0]) == 0);
}

bool metadata_topic_equal(const struct metadata_topic *a, const struct metadata_topic *b)
{
    if (!uuid_equal(a->id, b->id) || !str_equal(a->name, b->name) ||
        a->partition_count != b->partition_count)
        return false;
    for (int32_t i = 0; i < a->partition_count; i++)
        if (!partition_equal(a->partitions[i], b->partitions[i]))
            return false;
    return true;
}

struct metadata_topic *metadata__topic_new(struct str name, struct uuid id)
{
    struct metadata_topic *t = mem_alloc_zero(sizeof *t + name.size + 1);
    char *text = (char *)(t + 1);
    memcpy(text, name.data, name.size);
    t->refs = 1;
    t->id = id;
    t->name = str_of(text, name.size);
    return t;
}

struct metadata_topic *metadata__topic_copy(const struct metadata_topic *t)
{
    struct metadata_topic *copy = metadata__topic_new(t->name, t->id);
    copy->partition_count = copy->partition_capacity = t->partition_count;
    copy->partitions = mem_alloc_array((size_t)t->partition_count, sizeof copy->partitions[0]);
    for (int32_t i = 0; i < t->partition_count; i++)
        copy->partitions[i] = metadata_partition_ref(t->partitions[i]);
    return copy;
}

struct metadata_topic *metadata_topic_ref(const struct metadata_topic *t)
{
    struct metadata_topic *mine = (struct metadata_topic *)(uintptr_t)t;
    __atomic_fetch_add(&mine->refs, 1, __ATOMIC_RELAXED);
    return mine;
}

void metadata_topic_unref(const struct metadata_topic *t)
{
    struct metadata_topic *mine = (struct metadata_topic *)(uintptr_t)t;
    if (mine == NULL || __atomic_sub_fetch(&mine->refs, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    for (int32_t i = 0; i < mine->partition_count; i++)
        metadata_partition_unref(mine->partitions[i]);
    mem_free(mine->partitions);
    mem_free(mine);
}

// The position of the first partition whose id is not below `id`.
static int32_t partition_position(const struct metadata_topic *t, int32_t id)
{
    if (id >= 0 && id < t->partition_count && t->partitions[id]->id == id)
        return id; // as always when no partition is missing
    int32_t low = 0, high = t->partition_count;
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if (t->partitions[middle]->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct metadata_partition *metadata_topic_partition(const struct metadata_topic *t, int32_t id)
{
    int32_t at = partition_position(t, id);
    return at < t->partition_count && t->partitions[at]->id == id ? t->partitions[at] : NULL;
}

void metadata__topic_put(struct metadata_topic *t, struct metadata_partition *p)
{
    int32_t at = partition_position(t, p->id);
    if (at < t->partition_count && t->partitions[at]->id == p->id) {
        metadata_partition_unref(t->partitions[at]);
        t->partitions[at] = p;
        return;
    }
    mem_grow(t->partitions, t->partition_count, t->partition_capacity);
    memmove(&t->partitions[at + 1], &t->partitions[at],
            (size_t)(t->partition_count - at) * sizeof t->partitions[0]);
    t->partitions[at] = p;
    t->partition_count++;
}

bool metadata__topic_is_sparse(const struct metadata_topic *t)
{
    return t->partition_count > 0 &&
           t->partitions[t->partition_count - 1]->id != t->partition_count - 1;
}

struct uuid metadata_partition_directory(const struct metadata_partition *p, int32_t node)
{
    int32_t at = replicas_index(p->replicas, node);
    return at >= 0 ? p->directories[at] : DIRECTORY_LOST;
}

static bool name_char_is_legal(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

bool topic_name_check(struct str name, struct diag *reason)
{
    bool legal = true;
    for (size_t i = 0; i < name.size; i++)
        legal = legal && name_char_is_legal(name.data[i]);
    if (name.size == 0)
        diag_set(reason, 0, "the empty string is not allowed");
    else if (str_is(name, "."))
        diag_set(reason, 0, "'.' is not allowed");
    else if (str_is(name, ".."))
        diag_set(reason, 0, "'..' is not allowed");
    else if (name.size > TOPIC_NAME_MAX)
        diag_set(reason, 0, "the length of '%.*s' is longer than the max allowed length %d",
                 STR_ARG(name), TOPIC_NAME_MAX);
    else if (!legal)
        diag_set(reason, 0,
                 "'%.*s' contains one or more characters other than ASCII alphanumerics, '.', '_' "
                 "and '-'",
                 STR_ARG(name));
    else
        return true;
    return false;
}

bool topic_name_is_internal(struct str name)
{
    return str_is(name, "__consumer_offsets") || str_is(name, "__transaction_state") ||
           str_is(name, "__share_group_state");
}

static struct bytes topic_name_key(const void *item)
{
    return str_bytes(((const struct metadata_topic *)item)->name);
}

static struct bytes topic_id_key(const void *item)
{
    return bytes_of(((const struct metadata_topic *)item)->id.bytes, UUID_SIZE);
}

static void topic_item_ref(void *item)
{
    metadata_topic_ref(item);
}

static void topic_item_unref(void *item)
{
    metadata_topic_unref(item);
}

const struct pmap_type metadata_topic_name_type = {topic_name_key, topic_item_ref, topic_item_unref};
const struct pmap_type metadata_topic_id_type = {topic_id_key, topic_item_ref, topic_item_unref};
