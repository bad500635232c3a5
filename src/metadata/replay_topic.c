// SPDX-License-Identifier: Apache-2.0
//
// Records about topics and partitions. Every PartitionChange raises the partition epoch; the leader
// epoch rises exactly when the record names a leader, even the same one (KIP-631): that is how
// former replicas and leaders are fenced.
#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "metadata/internal.h"
#include "wire/record/clear_elr_record.h"
#include "wire/record/partition_change_record.h"
#include "wire/record/partition_record.h"
#include "wire/record/remove_topic_record.h"
#include "wire/record/topic_record.h"

enum { LEADER_UNCHANGED = -2, RECOVERY_UNCHANGED = -1 };

static struct replicas replicas_from(struct wire_int32_array list)
{
    return (struct replicas){.ids = list.items, .count = list.count > 0 ? list.count : 0};
}

// What a change record says about a list, or what it was when the record does not name it.
static struct replicas replicas_changed(struct wire_int32_array list, struct replicas old)
{
    return list.count >= 0 ? replicas_from(list) : old;
}

static bool replicas_are_ids(struct replicas list)
{
    for (int32_t i = 0; i < list.count; i++)
        if (list.ids[i] < 0)
            return false;
    return true;
}

static int partition_check(const struct metadata_partition *p, const char *topic, struct diag *diag)
{
    if (p->id < 0 || p->leader < NO_LEADER || p->leader_epoch < 0 || p->partition_epoch < 0 ||
        p->replicas.count == 0 || !replicas_are_ids(p->replicas) || !replicas_are_ids(p->isr) ||
        !replicas_are_ids(p->removing) || !replicas_are_ids(p->adding) ||
        !replicas_are_ids(p->elr) || !replicas_are_ids(p->last_known_elr))
        return diag_set(diag, ERR_CORRUPT,
                        "partition %s-%d with leader %d, leader epoch %d, partition epoch %d and %d "
                        "replicas",
                        topic, p->id, p->leader, p->leader_epoch, p->partition_epoch,
                        p->replicas.count);
    if (p->leader_recovery_state != LEADER_RECOVERED && p->leader_recovery_state != LEADER_RECOVERING)
        return diag_set(diag, ERR_CORRUPT, "partition %s-%d with leader recovery state %d", topic,
                        p->id, p->leader_recovery_state);
    return 0;
}

static struct metadata_topic *topic_find(struct metadata_image *image, struct uuid id,
                                         const char *what, struct diag *diag)
{
    struct metadata_topic *t = pmap_find(&image->topics_by_id, bytes_of(id.bytes, UUID_SIZE));
    if (t == NULL)
        diag_set(diag, ERR_CORRUPT, "%s for the topic id %s, which is not there", what,
                 uuid_format(id).text);
    return t;
}

// The topic in a form that may be changed: itself when only this image has it, else a copy that
// stands in its place.
static struct metadata_topic *topic_own(struct metadata_image *image, struct metadata_topic *t)
{
    if (t->generation == image->generation)
        return t;
    struct metadata_topic *copy = metadata__topic_copy(t);
    copy->generation = image->generation;
    pmap_set(&image->topics_by_name, copy);
    pmap_set(&image->topics_by_id, copy);
    metadata_topic_unref(copy);
    return copy;
}

static void partition_put(struct metadata_image *image, struct metadata_topic *t,
                          const struct metadata_partition *values)
{
    struct metadata_partition *p = metadata__partition_new(values);
    t = topic_own(image, t);
    image->partition_count -= t->partition_count;
    image->sparse_count -= metadata__topic_is_sparse(t);
    metadata__topic_put(t, p);
    image->partition_count += t->partition_count;
    image->sparse_count += metadata__topic_is_sparse(t);
}

static int topic_add(struct metadata_image *image, const struct topic_record *record,
                     struct diag *diag)
{
    struct diag reason;
    if (!topic_name_check(record->name, &reason))
        return diag_set(diag, ERR_CORRUPT, "a topic name that cannot be: %.512s", reason.text);
    if (metadata_image_topic(image, record->name) != NULL ||
        metadata_image_topic_by_id(image, record->topic_id) != NULL)
        return diag_set(diag, ERR_CORRUPT, "the topic %.*s with id %s is there already",
                        STR_ARG(record->name), uuid_format(record->topic_id).text);
    if (uuid_is_zero(record->topic_id))
        return diag_set(diag, ERR_CORRUPT, "the topic %.*s has no id", STR_ARG(record->name));
    struct metadata_topic *t = metadata__topic_new(record->name, record->topic_id);
    t->generation = image->generation;
    pmap_set(&image->topics_by_name, t);
    pmap_set(&image->topics_by_id, t);
    metadata__plain_name_add(&image->plain_names, t->name);
    metadata_topic_unref(t);
    return 0;
}

static int topic_remove(struct metadata_image *image, const struct remove_topic_record *record,
                        struct diag *diag)
{
    struct metadata_topic *t = topic_find(image, record->topic_id, "RemoveTopic", diag);
    if (t == NULL)
        return ERR_CORRUPT;
    struct buf key;
    buf_init(&key, 1 + TOPIC_NAME_MAX);
    pmap_remove(&image->configs, metadata__configs_key(CONFIG_RESOURCE_TOPIC, t->name, &key));
    buf_release(&key);
    image->partition_count -= t->partition_count;
    image->sparse_count -= metadata__topic_is_sparse(t);
    metadata_topic_ref(t); // its name and id are the keys
    metadata__plain_name_remove(&image->plain_names, t->name);
    pmap_remove(&image->topics_by_name, str_bytes(t->name));
    pmap_remove(&image->topics_by_id, bytes_of(t->id.bytes, UUID_SIZE));
    metadata_topic_unref(t);
    return 0;
}

static struct uuid *directories_default(int32_t count)
{
    struct uuid *ids = mem_alloc_array((size_t)count, sizeof *ids);
    for (int32_t i = 0; i < count; i++)
        ids[i] = DIRECTORY_MIGRATING;
    return ids;
}

static int partition_add(struct metadata_image *image, const struct partition_record *record,
                         struct diag *diag)
{
    struct metadata_topic *t = topic_find(image, record->topic_id, "Partition", diag);
    if (t == NULL)
        return ERR_CORRUPT;
    struct metadata_partition p = {
        .id = record->partition_id,
        .leader = record->leader,
        .leader_epoch = record->leader_epoch,
        .partition_epoch = record->partition_epoch,
        .leader_recovery_state = record->leader_recovery_state,
        .replicas = replicas_from(record->replicas),
        .isr = replicas_from(record->isr),
        .removing = replicas_from(record->removing_replicas),
        .adding = replicas_from(record->adding_replicas),
        .elr = replicas_from(record->eligible_leader_replicas),
        .last_known_elr = replicas_from(record->last_known_elr),
        .directories = record->directories.items,
    };
    int err = partition_check(&p, t->name.data, diag);
    if (err != 0)
        return err;
    if (record->directories.count > 0 && record->directories.count != p.replicas.count)
        return diag_set(diag, ERR_CORRUPT, "partition %s-%d has %d replicas in %d directories",
                        t->name.data, p.id, p.replicas.count, record->directories.count);
    struct uuid *migrating = NULL;
    if (record->directories.count <= 0)
        p.directories = migrating = directories_default(p.replicas.count);
    partition_put(image, t, &p);
    mem_free(migrating);
    return 0;
}

// The directories after a change: those of the record, or each replica keeps its own; a new one has
// none yet.
static struct uuid *directories_changed(const struct partition_change_record *record,
                                        const struct metadata_partition *old,
                                        struct replicas replicas)
{
    struct uuid *ids = directories_default(replicas.count);
    for (int32_t i = 0; i < replicas.count; i++) {
        int32_t at = replicas_index(old->replicas, replicas.ids[i]);
        if (record->directories.count > 0)
            ids[i] = record->directories.items[i];
        else if (at >= 0)
            ids[i] = old->directories[at];
    }
    return ids;
}

static int partition_change(struct metadata_image *image,
                            const struct partition_change_record *record, struct diag *diag)
{
    struct metadata_topic *t = topic_find(image, record->topic_id, "PartitionChange", diag);
    if (t == NULL)
        return ERR_CORRUPT;
    const struct metadata_partition *old = metadata_topic_partition(t, record->partition_id);
    if (old == NULL)
        return diag_set(diag, ERR_CORRUPT, "PartitionChange for %s-%d, which is not there",
                        t->name.data, record->partition_id);
    if (old->partition_epoch == INT32_MAX || old->leader_epoch == INT32_MAX)
        return diag_set(diag, ERR_CORRUPT, "the epochs of partition %s-%d are at their end",
                        t->name.data, old->id);
    struct metadata_partition p = *old;
    p.partition_epoch++;
    if (record->leader != LEADER_UNCHANGED) {
        p.leader = record->leader;
        p.leader_epoch++;
    }
    if (record->leader_recovery_state != RECOVERY_UNCHANGED)
        p.leader_recovery_state = record->leader_recovery_state;
    p.replicas = replicas_changed(record->replicas, old->replicas);
    p.isr = replicas_changed(record->isr, old->isr);
    p.removing = replicas_changed(record->removing_replicas, old->removing);
    p.adding = replicas_changed(record->adding_replicas, old->adding);
    p.elr = replicas_changed(record->eligible_leader_replicas, old->elr);
    p.last_known_elr = replicas_changed(record->last_known_elr, old->last_known_elr);
    int err = partition_check(&p, t->name.data, diag);
    if (err != 0)
        return err;
    if (record->directories.count > 0 && record->directories.count != p.replicas.count)
        return diag_set(diag, ERR_CORRUPT, "partition %s-%d has %d replicas in %d directories",
                        t->name.data, p.id, p.replicas.count, record->directories.count);
    struct uuid *directories = directories_changed(record, old, p.replicas);
    p.directories = directories;
    partition_put(image, t, &p);
    mem_free(directories);
    return 0;
}

static void topic_clear_elr(struct metadata_image *image, struct metadata_topic *t)
{
    for (int32_t i = 0; i < t->partition_count; i++) {
        if (t->partitions[i]->elr.count == 0 && t->partitions[i]->last_known_elr.count == 0)
            continue;
        struct metadata_partition p = *t->partitions[i];
        p.elr = p.last_known_elr = (struct replicas){0};
        struct metadata_partition *cleared = metadata__partition_new(&p);
        t = topic_own(image, t);
        metadata__topic_put(t, cleared);
    }
}

static int clear_elr(struct metadata_image *image, const struct clear_elr_record *record,
                     struct diag *diag)
{
    if (record->topic_name.size > 0) {
        struct metadata_topic *t =
            pmap_find(&image->topics_by_name, str_bytes(record->topic_name));
        if (t == NULL)
            return diag_set(diag, ERR_CORRUPT, "ClearElr for the topic %.*s, which is not there",
                            STR_ARG(record->topic_name));
        topic_clear_elr(image, t);
        return 0;
    }
    struct pmap all; // a version to walk while the image changes
    pmap_copy(&all, &image->topics_by_id);
    struct pmap_iter iter;
    for (struct metadata_topic *t = pmap_first(&all, &iter); t != NULL; t = pmap_next(&iter))
        topic_clear_elr(image, t);
    pmap_release(&all);
    return 0;
}

int metadata__replay_topic(struct metadata_image *image, const struct metadata_record *record,
                           struct diag *diag)
{
    switch (record->type) {
    case METADATA_TOPIC_RECORD:
        return topic_add(image, record->message, diag);
    case METADATA_PARTITION_RECORD:
        return partition_add(image, record->message, diag);
    case METADATA_PARTITION_CHANGE_RECORD:
        return partition_change(image, record->message, diag);
    case METADATA_REMOVE_TOPIC_RECORD:
        return topic_remove(image, record->message, diag);
    case METADATA_CLEAR_ELR_RECORD:
        return clear_elr(image, record->message, diag);
    default:
        check_unreachable();
    }
}
