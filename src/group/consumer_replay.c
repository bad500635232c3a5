// SPDX-License-Identifier: Apache-2.0
//
// Replays the records of consumer groups: types 3 to 8 and 16. The only place where their state changes.
//
// Compaction may have removed any record that a newer one of the same key replaced, so a member's records
// come in any order, and a tombstone may be of something that was never seen.
#include "base/err.h"
#include "group/consumer.h"
#include "wire/record/consumer_group_current_member_assignment_key.h"
#include "wire/record/consumer_group_current_member_assignment_value.h"
#include "wire/record/consumer_group_member_metadata_key.h"
#include "wire/record/consumer_group_member_metadata_value.h"
#include "wire/record/consumer_group_metadata_key.h"
#include "wire/record/consumer_group_metadata_value.h"
#include "wire/record/consumer_group_regular_expression_key.h"
#include "wire/record/consumer_group_regular_expression_value.h"
#include "wire/record/consumer_group_target_assignment_member_key.h"
#include "wire/record/consumer_group_target_assignment_member_value.h"
#include "wire/record/consumer_group_target_assignment_metadata_key.h"
#include "wire/record/consumer_group_target_assignment_metadata_value.h"

// The group that a record is about. For a tombstone it may be NULL: there is nothing to take away.
static int group_of(const struct replaying *r, struct str id, struct consumer_group **out)
{
    struct group *group;
    int err = group_replay_kind(r->g, id, GROUP_CONSUMER, r->value.data != NULL, &group, r->diag);
    *out = group == NULL ? NULL : group->consumer;
    return err;
}

static int replay_group(const struct replaying *r)
{
    struct consumer_group_metadata_key key;
    struct consumer_group_metadata_value value;
    struct consumer_group *cg;
    int err = replaying_read(r, &key, &value);
    if (err == 0)
        err = group_of(r, key.group_id, &cg);
    if (err != 0 || cg == NULL)
        return err;
    if (r->value.data == NULL) {
        group_replay_removal(r->g, cg->group);
        return 0;
    }
    cg->epoch = value.epoch;
    cg->metadata_hash = value.metadata_hash;
    return 0;
}

// ---- Members ----

static int subscription_decode(const struct replaying *r, struct consumer_subscription *out)
{
    struct consumer_group_member_metadata_value v;
    int err = replay_value(r->g, r->type, r->value, &v, r->diag);
    if (err != 0)
        return err;
    *out = (struct consumer_subscription){
        .instance_id = v.instance_id,
        .rack_id = v.rack_id,
        .client_id = v.client_id,
        .client_host = v.client_host,
        .topics = v.subscribed_topic_names.items,
        .topic_count = consumer_sort_names(v.subscribed_topic_names.items, v.subscribed_topic_names.count),
        .regex = v.subscribed_topic_regex.data == NULL ? str_from("") : v.subscribed_topic_regex,
        .assignor = v.server_assignor,
        .rebalance_timeout_ms = v.rebalance_timeout_ms,
        .is_classic = v.classic_member_metadata != NULL,
    };
    if (!out->is_classic)
        return 0;
    int32_t count = v.classic_member_metadata->supported_protocols.count;
    out->session_timeout_ms = v.classic_member_metadata->session_timeout_ms;
    out->protocols = arena_new_array(&r->g->arena, (size_t)count + 1, struct classic_protocol);
    if (out->protocols == NULL)
        return diag_set(r->diag, ERR_NOMEM, "no memory for the protocols of a member");
    out->protocol_count = count;
    for (int32_t i = 0; i < count; i++)
        out->protocols[i] = (struct classic_protocol){
            v.classic_member_metadata->supported_protocols.items[i].name,
            v.classic_member_metadata->supported_protocols.items[i].metadata};
    return 0;
}

static int replay_subscription(const struct replaying *r)
{
    struct consumer_group_member_metadata_key key;
    struct consumer_subscription s;
    struct consumer_group *cg;
    int err = replay_key(r->g, r->type, r->key, &key, r->diag);
    if (err == 0 && r->value.data != NULL)
        err = subscription_decode(r, &s);
    if (err == 0)
        err = group_of(r, key.group_id, &cg);
    if (err != 0 || cg == NULL)
        return err;
    struct consumer_member *m = consumer_get(cg, key.member_id);
    if (r->value.data != NULL) {
        consumer_set_subscription(m, &s);
        return 0;
    }
    consumer_unset_subscription(m);
    consumer_drop_if_empty(m);
    return 0;
}

static int target_decode(const struct replaying *r, struct assignment *out)
{
    struct consumer_group_target_assignment_member_value v;
    int err = replay_value(r->g, r->type, r->value, &v, r->diag);
    *out = (struct assignment){0};
    for (int32_t i = 0; err == 0 && i < v.topic_partitions.count; i++) {
        struct wire_int32_array p = v.topic_partitions.items[i].partitions;
        if (p.count > 0)
            memcpy(assignment_append(out, v.topic_partitions.items[i].topic_id, p.count)->partitions,
                   p.items, (size_t)p.count * sizeof(*p.items));
    }
    assignment_sort(out);
    return err;
}

static int replay_target(const struct replaying *r)
{
    struct consumer_group_target_assignment_member_key key;
    struct assignment target = {0};
    struct consumer_group *cg;
    int err = replay_key(r->g, r->type, r->key, &key, r->diag);
    if (err == 0)
        err = group_of(r, key.group_id, &cg);
    if (err == 0 && r->value.data != NULL)
        err = target_decode(r, &target);
    if (err != 0 || cg == NULL)
        return err;
    struct consumer_member *m = consumer_get(cg, key.member_id);
    assignment_move(&m->target, &target);
    m->has_target = r->value.data != NULL;
    consumer_drop_if_empty(m);
    return 0;
}

static int replay_target_epoch(const struct replaying *r)
{
    struct consumer_group_target_assignment_metadata_key key;
    struct consumer_group_target_assignment_metadata_value value;
    struct consumer_group *cg;
    int err = replaying_read(r, &key, &value);
    if (err == 0)
        err = group_of(r, key.group_id, &cg);
    if (err != 0 || cg == NULL)
        return err;
    cg->assignment_epoch = r->value.data != NULL ? value.assignment_epoch : CONSUMER_FIRST_EPOCH;
    cg->assignment_timestamp_ms = r->value.data != NULL ? value.assignment_timestamp : 0;
    return 0;
}

// ---- What members have ----

static void current_decode(
    const struct consumer_group_current_member_assignment_value_topic_partitions_array *from,
    struct assignment *out)
{
    *out = (struct assignment){0};
    for (int32_t i = 0; i < from->count; i++) {
        struct wire_int32_array p = from->items[i].partitions, e = from->items[i].assignment_epochs;
        if (p.count <= 0)
            continue;
        struct assigned_topic *t = assignment_append(out, from->items[i].topic_id, p.count);
        memcpy(t->partitions, p.items, (size_t)p.count * sizeof(*p.items));
        for (int32_t k = 0; k < p.count && k < e.count; k++) // before 4.3 there are none
            t->epochs[k] = e.items[k];
    }
    assignment_sort(out);
}

static int set_current(const struct replaying *r, struct consumer_member *m)
{
    struct consumer_group_current_member_assignment_value v;
    struct assignment assigned, pending;
    int err = replay_value(r->g, r->type, r->value, &v, r->diag);
    if (err != 0)
        return err;
    current_decode(&v.assigned_partitions, &assigned);
    current_decode(&v.partitions_pending_revocation, &pending);
    err = consumer_set_current(m, v.member_epoch, v.previous_member_epoch, v.state, &assigned, &pending);
    assignment_release(&assigned);
    assignment_release(&pending);
    if (err != 0)
        return diag_set(r->diag, err, "it assigns a partition that no topic can have");
    m->has_current = true;
    return 0;
}

static int replay_current(const struct replaying *r)
{
    struct consumer_group_current_member_assignment_key key;
    struct consumer_group *cg;
    int err = replay_key(r->g, r->type, r->key, &key, r->diag);
    if (err == 0)
        err = group_of(r, key.group_id, &cg);
    if (err != 0 || cg == NULL)
        return err;
    struct consumer_member *m = consumer_get(cg, key.member_id);
    if (r->value.data != NULL)
        return set_current(r, m);
    struct assignment none[2] = {{0}};
    (void)consumer_set_current(m, LEAVE_GROUP_MEMBER_EPOCH, LEAVE_GROUP_MEMBER_EPOCH,
                               CONSUMER_MEMBER_STABLE, &none[0], &none[1]);
    m->has_current = false;
    consumer_drop_if_empty(m);
    return 0;
}

// ---- Patterns ----

static int replay_regex(const struct replaying *r)
{
    struct consumer_group_regular_expression_key key;
    struct consumer_group_regular_expression_value value;
    struct consumer_group *cg;
    int err = replaying_read(r, &key, &value);
    if (err == 0)
        err = group_of(r, key.group_id, &cg);
    if (err != 0 || cg == NULL)
        return err;
    struct consumer_regex *regex = consumer_find_regex(cg, key.regular_expression);
    if (r->value.data == NULL) {
        if (regex != NULL)
            consumer_remove_regex(cg, regex);
        return 0;
    }
    if (regex == NULL)
        regex = consumer_get_regex(cg, key.regular_expression);
    consumer_set_regex_topics(regex, value.topics.items, value.topics.count);
    regex->version = value.version;
    regex->timestamp_ms = value.timestamp;
    return 0;
}

int consumer_replay(struct groups *g, const struct coordinator_record_type *type, struct bytes key,
                    struct bytes value, const struct coordinator_origin *origin, struct diag *diag)
{
    (void)origin;
    const struct replaying r = {g, type, key, value, diag};
    switch (type->type) {
    case GROUP_RECORD_CONSUMER_GROUP_METADATA:
        return replay_group(&r);
    case GROUP_RECORD_CONSUMER_GROUP_MEMBER_METADATA:
        return replay_subscription(&r);
    case GROUP_RECORD_CONSUMER_GROUP_TARGET_ASSIGNMENT_METADATA:
        return replay_target_epoch(&r);
    case GROUP_RECORD_CONSUMER_GROUP_TARGET_ASSIGNMENT_MEMBER:
        return replay_target(&r);
    case GROUP_RECORD_CONSUMER_GROUP_CURRENT_MEMBER_ASSIGNMENT:
        return replay_current(&r);
    case GROUP_RECORD_CONSUMER_GROUP_REGULAR_EXPRESSION:
        return replay_regex(&r);
    default:
        // Topics as releases before 4.1 kept them: the hash is compared, and made anew from the image.
        return 0;
    }
}
