// SPDX-License-Identifier: Apache-2.0
//
// Replays the records of streams groups: types 17 and 19 to 23. The only place where their state changes.
//
// Compaction may have removed any record that a newer one of the same key replaced, so a member's records
// come in any order, and a tombstone may be of something that was never seen.
#include "base/err.h"
#include "base/mem.h"
#include "group/streams.h"
#include "wire/record/streams_group_current_member_assignment_key.h"
#include "wire/record/streams_group_current_member_assignment_value.h"
#include "wire/record/streams_group_member_metadata_key.h"
#include "wire/record/streams_group_metadata_key.h"
#include "wire/record/streams_group_metadata_value.h"
#include "wire/record/streams_group_target_assignment_member_key.h"
#include "wire/record/streams_group_target_assignment_member_value.h"
#include "wire/record/streams_group_target_assignment_metadata_key.h"
#include "wire/record/streams_group_target_assignment_metadata_value.h"
#include "wire/record/streams_group_topology_key.h"

// The group that a record is about. For a tombstone it may be NULL: there is nothing to take away.
static int group_of(const struct replaying *r, struct str id, struct streams_group **out)
{
    struct group *group;
    int err = group_replay_kind(r->g, id, GROUP_STREAMS, r->value.data != NULL, &group, r->diag);
    *out = group == NULL ? NULL : group->streams;
    return err;
}

// Decodes a record and finds the group that it is about: `group_id` is in the key.
static int read_record(const struct replaying *r, void *key, struct str *group_id, void *value,
                       struct streams_group **out)
{
    int err = replaying_read(r, key, value);
    return err == 0 ? group_of(r, *group_id, out) : err;
}

// ---- The group ----

static void set_configs(struct streams_group *sg, const struct streams_group_metadata_value *v)
{
    size_t count = v->last_assignment_configs.count > 0 ? (size_t)v->last_assignment_configs.count : 0;
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += v->last_assignment_configs.items[i].key.size +
                v->last_assignment_configs.items[i].value.size;
    struct streams_config *items = mem_alloc(count * sizeof(*items) + size + 1);
    char *at = (char *)(items + count);
    for (size_t i = 0; i < count; i++) {
        struct str key = v->last_assignment_configs.items[i].key;
        struct str value = v->last_assignment_configs.items[i].value;
        memcpy(at, key.data, key.size);
        memcpy(at + key.size, value.data, value.size);
        items[i] = (struct streams_config){str_of(at, key.size), str_of(at + key.size, value.size)};
        at += key.size + value.size;
    }
    mem_free(sg->last_configs.items);
    sg->last_configs.items = items;
    sg->last_configs.count = (int32_t)count;
}

static int replay_group(const struct replaying *r)
{
    struct streams_group_metadata_key key;
    struct streams_group_metadata_value value;
    struct streams_group *sg;
    int err = read_record(r, &key, &key.group_id, &value, &sg);
    if (err != 0 || sg == NULL)
        return err;
    if (r->value.data == NULL) {
        group_replay_removal(r->g, sg->group);
        return 0;
    }
    sg->epoch = value.epoch;
    sg->metadata_hash = value.metadata_hash;
    sg->validated_topology_epoch = value.validated_topology_epoch;
    sg->stored_description_topology_epoch = value.stored_description_topology_epoch;
    sg->failed_description_topology_epoch = value.failed_description_topology_epoch;
    set_configs(sg, &value);
    return 0;
}

static int replay_topology(const struct replaying *r)
{
    struct streams_group_topology_key key;
    struct streams_group_topology_value checked;
    struct streams_group *sg;
    int err = read_record(r, &key, &key.group_id, &checked, &sg);
    if (err != 0 || sg == NULL)
        return err;
    struct streams_topology *topology = NULL;
    if (r->value.data != NULL) {
        struct bytes encoded = bytes_of(r->value.data + sizeof(int16_t), r->value.size - sizeof(int16_t));
        topology = streams_topology_new(encoded, &err);
        if (topology == NULL)
            return diag_set(r->diag, err, "there is no room for it");
    }
    streams_configured_free(sg->configured);
    sg->configured = NULL;
    streams_topology_free(sg->topology);
    sg->topology = topology;
    return 0;
}

// ---- Members ----

static int replay_subscription(const struct replaying *r)
{
    struct streams_group_member_metadata_key key;
    struct streams_group_member_metadata_value value;
    struct streams_group *sg;
    int err = read_record(r, &key, &key.group_id, &value, &sg);
    if (err != 0 || sg == NULL)
        return err;
    struct streams_member *m = streams_get(sg, key.member_id);
    if (r->value.data != NULL) {
        streams_set_subscription(m, &value);
        return 0;
    }
    streams_unset_subscription(m);
    streams_drop_if_empty(m);
    return 0;
}

static void target_decode(struct streams_group *sg,
                          const struct streams_group_target_assignment_member_value_task_ids_array *from,
                          struct task_set *out)
{
    for (int32_t i = 0; i < from->count; i++) {
        int32_t number = streams_number_subtopology(sg, from->items[i].subtopology_id);
        for (int32_t p = 0; p < from->items[i].partitions.count; p++)
            task_set_push(out, number, from->items[i].partitions.items[p], 0);
    }
    task_set_sort(out);
}

static int replay_target(const struct replaying *r)
{
    struct streams_group_target_assignment_member_key key;
    struct streams_group_target_assignment_member_value v;
    struct task_sets target = {0};
    struct streams_group *sg;
    int err = read_record(r, &key, &key.group_id, &v, &sg);
    if (err != 0 || sg == NULL)
        return err;
    if (r->value.data != NULL) {
        target_decode(sg, &v.active_tasks, &target.of[TASK_ACTIVE]);
        target_decode(sg, &v.standby_tasks, &target.of[TASK_STANDBY]);
        target_decode(sg, &v.warmup_tasks, &target.of[TASK_WARMUP]);
    }
    struct streams_member *m = streams_get(sg, key.member_id);
    task_sets_move(&m->target, &target);
    m->has_target = r->value.data != NULL;
    streams_drop_if_empty(m);
    return 0;
}

static int replay_target_epoch(const struct replaying *r)
{
    struct streams_group_target_assignment_metadata_key key;
    struct streams_group_target_assignment_metadata_value value;
    struct streams_group *sg;
    int err = read_record(r, &key, &key.group_id, &value, &sg);
    if (err != 0 || sg == NULL)
        return err;
    sg->assignment_epoch = r->value.data != NULL ? value.assignment_epoch : CONSUMER_FIRST_EPOCH;
    sg->assignment_timestamp_ms = r->value.data != NULL ? value.assignment_timestamp : 0;
    return 0;
}

// ---- What members have ----

// Before 4.3 no epochs are there.
static void current_decode(struct streams_group *sg,
                           const struct streams_group_current_member_assignment_value_task_ids_array *from,
                           struct task_set *out)
{
    for (int32_t i = 0; i < from->count; i++) {
        int32_t number = streams_number_subtopology(sg, from->items[i].subtopology_id);
        struct wire_int32_array p = from->items[i].partitions, e = from->items[i].assignment_epochs;
        for (int32_t k = 0; k < p.count; k++)
            task_set_push(out, number, p.items[k], k < e.count ? e.items[k] : 0);
    }
    task_set_sort(out);
}

static int set_current(const struct replaying *r, struct streams_member *m,
                       const struct streams_group_current_member_assignment_value *v)
{
    struct task_sets assigned = {0}, pending = {0};
    current_decode(m->group, &v->active_tasks, &assigned.of[TASK_ACTIVE]);
    current_decode(m->group, &v->standby_tasks, &assigned.of[TASK_STANDBY]);
    current_decode(m->group, &v->warmup_tasks, &assigned.of[TASK_WARMUP]);
    current_decode(m->group, &v->active_tasks_pending_revocation, &pending.of[TASK_ACTIVE]);
    current_decode(m->group, &v->standby_tasks_pending_revocation, &pending.of[TASK_STANDBY]);
    current_decode(m->group, &v->warmup_tasks_pending_revocation, &pending.of[TASK_WARMUP]);
    int err = streams_set_current(m, v->member_epoch, v->previous_member_epoch, v->state, &assigned,
                                  &pending);
    task_sets_release(&assigned);
    task_sets_release(&pending);
    if (err != 0) {
        streams_drop_if_empty(m);
        return diag_set(r->diag, err, "it assigns a task that no topic can have");
    }
    m->has_current = true;
    return 0;
}

static int replay_current(const struct replaying *r)
{
    struct streams_group_current_member_assignment_key key;
    struct streams_group_current_member_assignment_value value;
    struct streams_group *sg;
    int err = read_record(r, &key, &key.group_id, &value, &sg);
    if (err != 0 || sg == NULL)
        return err;
    struct streams_member *m = streams_get(sg, key.member_id);
    if (r->value.data != NULL)
        return set_current(r, m, &value);
    struct task_sets none[2] = {{{{0}}}};
    (void)streams_set_current(m, LEAVE_GROUP_MEMBER_EPOCH, LEAVE_GROUP_MEMBER_EPOCH, STREAMS_MEMBER_STABLE,
                              &none[0], &none[1]);
    m->has_current = false;
    streams_drop_if_empty(m);
    return 0;
}

int streams_replay(struct groups *g, const struct coordinator_record_type *type, struct bytes key,
                   struct bytes value, const struct coordinator_origin *origin, struct diag *diag)
{
    (void)origin;
    const struct replaying r = {g, type, key, value, diag};
    switch (type->type) {
    case GROUP_RECORD_STREAMS_GROUP_METADATA:
        return replay_group(&r);
    case GROUP_RECORD_STREAMS_GROUP_MEMBER_METADATA:
        return replay_subscription(&r);
    case GROUP_RECORD_STREAMS_GROUP_TARGET_ASSIGNMENT_METADATA:
        return replay_target_epoch(&r);
    case GROUP_RECORD_STREAMS_GROUP_TARGET_ASSIGNMENT_MEMBER:
        return replay_target(&r);
    case GROUP_RECORD_STREAMS_GROUP_CURRENT_MEMBER_ASSIGNMENT:
        return replay_current(&r);
    default:
        return replay_topology(&r);
    }
}
