// SPDX-License-Identifier: Apache-2.0
//
// OffsetCommit, the same inside a transaction (TxnOffsetCommit), and OffsetDelete (KIP-496): who may, and
// which records they write.
#include "base/check.h"
#include "base/err.h"
#include "config/config.h"
#include "group/internal.h"
#include "metadata/image.h"
#include "wire/api/offset_commit.h"
#include "wire/api/offset_delete.h"
#include "wire/record/offset_commit_key.h"
#include "wire/record/offset_commit_value.h"

enum {
    VALUE_VERSION_EXPIRES = 1, // the only one with a time to expire
    VALUE_VERSION_PLAIN = 3,
    VALUE_VERSION_TOPIC_ID = 4,
    COMMIT_VERSION_NOT_FOUND = 9, // from here on clients know GROUP_ID_NOT_FOUND
    TXN_VERSION_NOT_FOUND = 6,    // the same of TxnOffsetCommit, and STALE_MEMBER_EPOCH
    RETENTION_DEFAULT = -1,
};

// ---- Commit ----

static void commit_set_error(struct group_call *call, enum kafka_error error)
{
    struct offset_commit_response *reply = call->response;
    for (int32_t t = 0; t < reply->topics.count; t++)
        for (int32_t p = 0; p < reply->topics.items[t].partitions.count; p++)
            reply->topics.items[t].partitions.items[p].error_code = (int16_t)error;
}

// The answer to a commit that succeeds. False: no room in the arena.
static bool commit_answer(struct group_call *call, const struct offset_commit_request *request)
{
    struct offset_commit_response *reply = call->response;
    int32_t count = request->topics.count;
    if (!offset_commit_response_offset_commit_response_topic_array_new(call->arena, count, &reply->topics))
        return false;
    for (int32_t t = 0; t < count; t++) {
        const struct offset_commit_request_offset_commit_request_topic *asked = &request->topics.items[t];
        struct offset_commit_response_offset_commit_response_topic *topic = &reply->topics.items[t];
        topic->name = asked->name;
        topic->topic_id = asked->topic_id;
        if (!offset_commit_response_offset_commit_response_partition_array_new(
                call->arena, asked->partitions.count, &topic->partitions))
            return false;
        for (int32_t p = 0; p < asked->partitions.count; p++)
            topic->partitions.items[p].partition_index = asked->partitions.items[p].partition_index;
    }
    return true;
}

static enum kafka_error check_partitions(const struct groups *g, const struct group *group,
                                         const struct offset_caller *caller,
                                         const struct offset_commit_request *request)
{
    const struct group_kind_type *kind = group_kind_type(group->kind);
    if (kind->check_commit_partition == NULL)
        return KAFKA_NONE;
    for (int32_t t = 0; t < request->topics.count; t++) {
        const struct offset_commit_request_offset_commit_request_topic *topic = &request->topics.items[t];
        for (int32_t p = 0; p < topic->partitions.count; p++) {
            enum kafka_error error =
                kind->check_commit_partition(g, group, caller, topic->name, topic->topic_id,
                                             topic->partitions.items[p].partition_index);
            if (error != KAFKA_NONE)
                return error;
        }
    }
    return KAFKA_NONE;
}

// Commits without a group come from tools, and from consumers that assign partitions to themselves: they
// make a simple group.
static enum kafka_error check_commit(struct groups *g, const struct offset_commit_request *request,
                                     int16_t version, bool is_transactional)
{
    struct group *group = groups_find(g, request->group_id);
    bool knows_errors = version >= (is_transactional ? TXN_VERSION_NOT_FOUND : COMMIT_VERSION_NOT_FOUND);
    if (group == NULL && request->generation_id_or_member_epoch < 0)
        return groups_have_room(g) ? KAFKA_NONE : KAFKA_COORDINATOR_LOAD_IN_PROGRESS;
    if (group == NULL)
        return knows_errors ? KAFKA_GROUP_ID_NOT_FOUND : KAFKA_ILLEGAL_GENERATION;
    struct offset_caller caller = {
        .member_id = request->member_id,
        .instance_id = request->group_instance_id,
        .epoch = request->generation_id_or_member_epoch,
        .version = version,
        .is_transactional = is_transactional,
    };
    enum kafka_error error = group_kind_type(group->kind)->check_commit(g, group, &caller);
    if (error == KAFKA_NONE)
        error = check_partitions(g, group, &caller, request);
    bool is_unknown = is_transactional && error == KAFKA_STALE_MEMBER_EPOCH && !knows_errors;
    return is_unknown ? KAFKA_ILLEGAL_GENERATION : error;
}

// Characters as Java counts them: two for what is beyond U+FFFF.
static int64_t java_length(struct str s)
{
    int64_t length = 0;
    for (size_t i = 0; i < s.size; i++) {
        uint8_t c = (uint8_t)s.data[i];
        length += (c & 0xc0) != 0x80;
        length += c >= 0xf0;
    }
    return length;
}

// The time after which the offset goes, whatever the broker's retention says: what clients of versions 2
// to 4 may ask for.
static int64_t expire_timestamp(int64_t retention_ms, int64_t now_ms)
{
    int64_t sum;
    if (retention_ms == RETENTION_DEFAULT)
        return -1;
    return __builtin_add_overflow(now_ms, retention_ms, &sum) ? INT64_MAX : sum;
}

// As Kafka chooses it: the oldest version that says everything, and ids where all brokers know them.
static int16_t value_version(const struct groups *g, const struct offset_commit_value *value)
{
    if (value->expire_timestamp != -1)
        return VALUE_VERSION_EXPIRES;
    int16_t level = metadata_image_feature(g->image, FEATURE_METADATA_VERSION);
    return level >= METADATA_VERSION_OFFSET_TOPIC_ID ? VALUE_VERSION_TOPIC_ID : VALUE_VERSION_PLAIN;
}

// A commit by name is for the topic that has the name now.
static struct uuid topic_id_of(const struct groups *g,
                               const struct offset_commit_request_offset_commit_request_topic *topic)
{
    if (!uuid_is_zero(topic->topic_id))
        return topic->topic_id;
    const struct metadata_topic *known = metadata_image_topic(g->image, topic->name);
    return known == NULL ? (struct uuid){{0}} : known->id;
}

static void write_commits(struct groups *g, const struct offset_commit_request *request,
                          struct offset_commit_response *reply)
{
    int64_t now_ms = coordinator_now(g->coordinator)->wall_ms;
    int64_t expire_ms = expire_timestamp(request->retention_time_ms, now_ms);
    int64_t metadata_max = config_i64(g->options.config, "offset.metadata.max.bytes");
    for (int32_t t = 0; t < request->topics.count; t++) {
        const struct offset_commit_request_offset_commit_request_topic *topic = &request->topics.items[t];
        struct uuid id = topic_id_of(g, topic);
        for (int32_t p = 0; p < topic->partitions.count; p++) {
            const struct offset_commit_request_offset_commit_request_partition *asked =
                &topic->partitions.items[p];
            if (java_length(asked->committed_metadata) > metadata_max) {
                reply->topics.items[t].partitions.items[p].error_code = KAFKA_OFFSET_METADATA_TOO_LARGE;
                continue;
            }
            struct offset_commit_key key = {
                .group = request->group_id,
                .topic = topic->name,
                .partition = asked->partition_index,
            };
            struct offset_commit_value value = {
                .offset = asked->committed_offset,
                .leader_epoch = asked->committed_leader_epoch,
                .metadata = asked->committed_metadata.data == NULL ? str_of("", 0)
                                                                   : asked->committed_metadata,
                .commit_timestamp = now_ms,
                .expire_timestamp = expire_ms,
                .topic_id = id,
            };
            coordinator_write(g->coordinator, GROUP_RECORD_OFFSET_COMMIT, value_version(g, &value), &key,
                              &value);
        }
    }
}

// Ends the command; the error for the client.
static enum kafka_error end_commit(struct groups *g, struct str group_id, const struct coordinator_txn *txn,
                                   coordinator_ticket *ticket)
{
    if (txn == NULL)
        return coordinator_error(group_write_end(g, group_id, ticket));
    enum kafka_error error = coordinator_end_txn(g->coordinator, txn, ticket);
    if (error == KAFKA_NONE)
        group_written(g, group_id, *ticket);
    return error;
}

static void commit(struct groups *g, struct group_call *call, const struct coordinator_time *now,
                   const struct offset_commit_request *request, const struct coordinator_txn *txn)
{
    coordinator_set_time(g->coordinator, now);
    group_call_begin(call, g, commit_set_error);
    if (!commit_answer(call, request)) {
        group_call_end_no_memory(call);
        return;
    }
    enum kafka_error error = check_commit(g, request, call->version, txn != NULL);
    if (error != KAFKA_NONE) {
        group_call_fail(call, error);
        return;
    }
    coordinator_ticket ticket;
    coordinator_begin(g->coordinator, now);
    write_commits(g, request, call->response);
    error = end_commit(g, request->group_id, txn, &ticket);
    if (error != KAFKA_NONE)
        group_call_fail(call, error);
    else
        group_call_end(call, ticket);
}

void groups_commit_offsets(struct groups *g, struct group_call *call, const struct coordinator_time *now,
                           const struct offset_commit_request *request)
{
    commit(g, call, now, request, NULL);
}

void groups_commit_txn_offsets(struct groups *g, struct group_call *call,
                               const struct coordinator_time *now,
                               const struct offset_commit_request *request,
                               const struct coordinator_txn *txn)
{
    commit(g, call, now, request, txn);
}

// ---- Delete ----

static void delete_set_error(struct group_call *call, enum kafka_error error)
{
    struct offset_delete_response *reply = call->response;
    offset_delete_response_init(reply);
    reply->error_code = (int16_t)error;
}

static bool delete_answer(struct group_call *call, const struct offset_delete_request *request)
{
    struct offset_delete_response *reply = call->response;
    int32_t count = request->topics.count;
    if (!offset_delete_response_offset_delete_response_topic_array_new(call->arena, count, &reply->topics))
        return false;
    for (int32_t t = 0; t < count; t++) {
        const struct offset_delete_request_offset_delete_request_topic *asked = &request->topics.items[t];
        struct offset_delete_response_offset_delete_response_topic *topic = &reply->topics.items[t];
        topic->name = asked->name;
        if (!offset_delete_response_offset_delete_response_partition_array_new(
                call->arena, asked->partitions.count, &topic->partitions))
            return false;
        for (int32_t p = 0; p < asked->partitions.count; p++)
            topic->partitions.items[p].partition_index = asked->partitions.items[p].partition_index;
    }
    return true;
}

static void write_deletes(struct groups *g, const struct group *group, struct offset_delete_response *reply)
{
    for (int32_t t = 0; t < reply->topics.count; t++) {
        struct offset_delete_response_offset_delete_response_topic *topic = &reply->topics.items[t];
        bool is_subscribed = group_kind_type(group->kind)->is_subscribed(g, group, topic->name);
        for (int32_t p = 0; p < topic->partitions.count; p++) {
            int32_t index = topic->partitions.items[p].partition_index;
            if (is_subscribed)
                topic->partitions.items[p].error_code = KAFKA_GROUP_SUBSCRIBED_TO_TOPIC;
            else if (group_offsets_find(&group->offsets, topic->name, index, NULL) != NULL ||
                     offsets_are_pending(group, topic->name, index))
                offsets_write_tombstone(g, str_from(group->id), topic->name, index);
        }
    }
}

void groups_delete_offsets(struct groups *g, struct group_call *call, const struct coordinator_time *now,
                           const struct offset_delete_request *request)
{
    coordinator_set_time(g->coordinator, now);
    group_call_begin(call, g, delete_set_error);
    struct group *group = groups_find(g, request->group_id);
    enum kafka_error error = KAFKA_NONE;
    if (group == NULL)
        error = KAFKA_GROUP_ID_NOT_FOUND;
    else if (group_kind_type(group->kind)->check_offset_delete != NULL)
        error = group_kind_type(group->kind)->check_offset_delete(group);
    if (error != KAFKA_NONE) {
        group_call_fail(call, error);
        return;
    }
    if (!delete_answer(call, request)) {
        group_call_end_no_memory(call);
        return;
    }
    coordinator_ticket ticket;
    coordinator_begin(g->coordinator, now);
    write_deletes(g, group, call->response);
    int err = group_write_end(g, request->group_id, &ticket);
    if (err != 0)
        group_call_fail(call, coordinator_error(err));
    else
        group_reply(call, groups_find(g, request->group_id));
}
