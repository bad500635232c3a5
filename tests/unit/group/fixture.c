// SPDX-License-Identifier: Apache-2.0
#include "fixture.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "metadata/replay.h"
#include "wire/api/offset_commit.h"
#include "wire/batch.h"
#include "wire/metadata_record.h"
#include "wire/record/config_record.h"
#include "wire/record/feature_level_record.h"
#include "wire/record/partition_record.h"
#include "wire/record/remove_topic_record.h"
#include "wire/record/topic_record.h"
#include "wire/records.h"

enum { LOG_MAX = 64 << 20, ANSWER_MAX = 16 << 20 };

// ---- The log ----

static int append(void *context, uint8_t *batch, size_t size, int64_t *end_offset)
{
    struct fixture *f = context;
    struct batch_header header;
    if (f->append_error != 0)
        return f->append_error;
    assert_int_equal(batch_header_parse(bytes_of(batch, size), &header), 0);
    assert_int_equal(batch_size(&header), size);
    batch_set_base_offset(batch, f->end_offset);
    buf_append(&f->log, batch, size);
    assert_false(f->log.failed);
    f->end_offset += header.last_offset_delta + 1;
    *end_offset = f->end_offset;
    return 0;
}

static int append_txn(void *context, const struct coordinator_txn *txn, uint8_t *batch, size_t size,
                      int64_t *end_offset, enum kafka_error *error)
{
    struct fixture *f = context;
    *error = f->txn_error;
    f->txn = *txn;
    return f->txn_error != KAFKA_NONE ? 0 : append(context, batch, size, end_offset);
}

// Drops the batches from this offset on.
static void log_cut(struct fixture *f, int64_t offset)
{
    struct bytes rest = buf_bytes(&f->log), batch;
    struct batch_header header;
    size_t size = 0;
    while (batch_next(&rest, &header, &batch) == 1 && batch_last_offset(&header) < offset)
        size += batch.size;
    f->log.size = size;
    f->end_offset = offset;
}

void fixture_write(struct fixture *f, int16_t type, int16_t version, const void *key, const void *value)
{
    const struct coordinator_record_type *t = coordinator_record_type_find(COORDINATOR_LOG_GROUP, type);
    struct buf key_bytes, value_bytes, out;
    struct batch_options options = BATCH_OPTIONS_DEFAULT;
    struct batch_builder builder;
    struct bytes batch;
    int64_t end_offset;
    assert_non_null(t);
    buf_init(&key_bytes, ANSWER_MAX);
    buf_init(&value_bytes, ANSWER_MAX);
    buf_init(&out, ANSWER_MAX);
    assert_int_equal(coordinator_key_encode(t, key, &key_bytes), 0);
    if (value != NULL)
        assert_int_equal(coordinator_value_encode(t, version, value, &value_bytes), 0);
    batch_builder_begin(&builder, &out, &options);
    batch_builder_add(&builder, f->now.wall_ms, buf_bytes(&key_bytes), buf_bytes(&value_bytes), NULL, 0);
    assert_int_equal(batch_builder_finish(&builder, &batch), 0);
    assert_int_equal(append(f, out.data, batch.size, &end_offset), 0);
    f->committed_offset = f->end_offset;
    buf_release(&key_bytes);
    buf_release(&value_bytes);
    buf_release(&out);
}

// Calls `see` for each record.
static void for_each_record(struct fixture *f, void (*see)(void *context, const struct record *record),
                            void *context)
{
    struct bytes rest = buf_bytes(&f->log), batch;
    struct batch_header header;
    struct buf scratch;
    buf_init(&scratch, LOG_MAX);
    while (batch_next(&rest, &header, &batch) == 1) {
        struct batch_iter it;
        struct record record;
        buf_clear(&scratch);
        assert_int_equal(batch_iter_init(&it, batch, &scratch), 0);
        while (batch_iter_next(&it, &record) == 1)
            see(context, &record);
    }
    buf_release(&scratch);
}

struct search {
    int16_t type;
    int count;
    struct bytes last;
};

static void search_see(void *context, const struct record *record)
{
    struct search *s = context;
    int16_t type;
    struct bytes rest;
    assert_int_equal(coordinator_prefix_read(record->key, &type, &rest), 0);
    if (type != s->type)
        return;
    s->count++;
    s->last = record->value;
}

struct fixture_call *fixture_commit_offset(struct fixture *f, int16_t version, const char *group,
                                           const char *member, int32_t epoch, int32_t partition)
{
    struct offset_commit_request_offset_commit_request_partition p = {
        .partition_index = partition, .committed_offset = 5, .committed_leader_epoch = -1};
    struct offset_commit_request_offset_commit_request_topic t = {.name = str_from("t"),
                                                                  .partitions = {&p, 1}};
    struct offset_commit_request request;
    offset_commit_request_init(&request);
    request.group_id = str_from(group);
    request.member_id = str_from(member);
    request.generation_id_or_member_epoch = epoch;
    request.topics.items = &t;
    request.topics.count = 1;
    struct fixture_call *call = fixture_call_new(f, &offset_commit_response_schema, version);
    groups_commit_offsets(f->groups, &call->call, &f->now, &request);
    fixture_settle(f);
    return call;
}

int fixture_record_count(struct fixture *f, int16_t type)
{
    struct search s = {.type = type};
    for_each_record(f, search_see, &s);
    return s.count;
}

struct bytes fixture_last_record(struct fixture *f, int16_t type)
{
    struct search s = {.type = type};
    for_each_record(f, search_see, &s);
    assert_int_not_equal(s.count, 0);
    return s.last;
}

int16_t fixture_last_value(struct fixture *f, int16_t type, void *value)
{
    const struct coordinator_record_type *t = coordinator_record_type_find(COORDINATOR_LOG_GROUP, type);
    struct fixture_call *owner = fixture_call_part(f, NULL, 0);
    struct bytes bytes = fixture_last_record(f, type), rest;
    int16_t version;
    assert_non_null(t);
    assert_int_equal(coordinator_prefix_read(bytes, &version, &rest), 0);
    assert_int_equal(wire_decode(t->value, version, rest, &owner->arena, value, NULL), 0);
    owner->is_done = true;
    return version;
}

// ---- Coordinators ----

static void fixture_random(void *context, uint8_t *out, size_t size)
{
    struct fixture *f = context;
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)prng_next(&f->prng);
}

static struct groups *new_groups(struct fixture *f)
{
    return groups_new(&(struct groups_options){
        .config = f->config,
        .image = f->image,
        .hash_seed = {1, 2},
        .random = fixture_random,
        .random_context = f,
    });
}

static struct coordinator *new_coordinator(struct fixture *f, struct groups *g)
{
    struct coordinator *c = coordinator_new(&(struct coordinator_options){
        .machine = &groups_machine,
        .state = g,
        .name = "__consumer_offsets-0",
        .append = append,
        .append_txn = append_txn,
        .append_context = f,
        .batch_bytes_max = f->batch_bytes_max,
    });
    groups_attach(g, c);
    struct diag diag;
    diag_clear(&diag);
    if (coordinator_load(c, buf_bytes(&f->log), &diag) != 0)
        fail_msg("%s", diag.text);
    return c;
}

static void start(struct fixture *f)
{
    f->groups = new_groups(f);
    f->coordinator = new_coordinator(f, f->groups);
    coordinator_activate(f->coordinator, f->end_offset);
    groups_loaded(f->groups, &f->now);
}

static void stop(struct fixture *f)
{
    groups_end(f->groups, KAFKA_NOT_COORDINATOR);
    coordinator_fail(f->coordinator, KAFKA_NOT_COORDINATOR);
    groups_free(f->groups);
    coordinator_free(f->coordinator);
}

void fixture_init_config(struct fixture *f, const char *const settings[])
{
    *f = (struct fixture){.now = {.mono_ms = 1000000, .wall_ms = 1700000000000}};
    prng_init(&f->prng, 1);
    buf_init(&f->log, LOG_MAX);
    list_init(&f->calls);
    f->batch_bytes_max = 1 << 20;
    f->config = config_new();
    for (int i = 0; settings != NULL && settings[i] != NULL; i++)
        fixture_set(f, settings[i]);
    f->image = metadata_image_new();
    start(f);
}

void fixture_init(struct fixture *f)
{
    fixture_init_config(f, NULL);
}

void fixture_set(struct fixture *f, const char *assignment)
{
    struct diag diag;
    if (config_override(f->config, assignment, &diag) != 0)
        fail_msg("%s", diag.text);
}

void fixture_release(struct fixture *f)
{
    stop(f);
    struct list_node *n;
    while ((n = list_pop(&f->calls)) != NULL) {
        struct fixture_call *call = container_of(n, struct fixture_call, node);
        assert_true(call->is_done); // every call is answered in the end
        arena_release(&call->arena);
        mem_free(call);
    }
    metadata_image_unref(f->image);
    config_free(f->config);
    buf_release(&f->log);
}

void fixture_reload(struct fixture *f, bool appended)
{
    stop(f);
    if (!appended)
        log_cut(f, f->committed_offset);
    f->committed_offset = f->end_offset;
    f->append_error = 0;
    start(f);
}

// ---- Time and commits ----

void fixture_commit(struct fixture *f)
{
    f->committed_offset = f->end_offset;
    coordinator_committed(f->coordinator, f->committed_offset);
}

void fixture_settle(struct fixture *f)
{
    // What is released by a commit may write again.
    do {
        coordinator_flush(f->coordinator);
        if (!f->holds_commits)
            fixture_commit(f);
    } while (coordinator_has_batch(f->coordinator) && coordinator_failure(f->coordinator) == 0);
}

void fixture_advance(struct fixture *f, int64_t ms)
{
    int64_t end = f->now.mono_ms + ms;
    while (f->now.mono_ms < end) {
        int64_t next = coordinator_deadline_ms(f->coordinator);
        int64_t step = (next < end ? next : end) - f->now.mono_ms;
        step = step < 1 ? 1 : step; // what is due already fires a little late, as it does in life
        f->now.mono_ms += step;
        f->now.wall_ms += step;
        coordinator_advance(f->coordinator, &f->now);
        fixture_settle(f);
    }
}

// ---- Metadata ----

static void replay_metadata(struct metadata_image *image, enum metadata_record_type type,
                            const void *message)
{
    struct buf value;
    struct diag diag;
    buf_init(&value, 1 << 20);
    assert_int_equal(metadata_record_encode(type, 0, message, &value), 0);
    if (metadata_replay(image, buf_bytes(&value), 1, &diag) != 0)
        fail_msg("%s", diag.text);
    buf_release(&value);
}

static void publish(struct fixture *f, struct metadata_image *image)
{
    struct metadata_image *before = f->image;
    f->image = image;
    groups_set_image(f->groups, image, &f->now);
    fixture_settle(f);
    metadata_image_unref(before);
}

struct uuid fixture_topic(struct fixture *f, const char *name, int32_t partitions)
{
    struct metadata_image *image = metadata_image_fork(f->image);
    const struct metadata_topic *topic = metadata_image_topic(f->image, str_from(name));
    int32_t first = topic == NULL ? 0 : topic->partition_count;
    uint8_t random[UUID_SIZE];
    fixture_random(f, random, sizeof(random));
    struct uuid id = topic == NULL ? uuid_from_random(random) : topic->id;
    if (topic == NULL)
        replay_metadata(image, METADATA_TOPIC_RECORD,
                        &(struct topic_record){.name = str_from(name), .topic_id = id});
    for (int32_t i = first; i < partitions; i++) {
        int32_t node = 1;
        struct partition_record record;
        partition_record_init(&record);
        record.partition_id = i;
        record.topic_id = id;
        record.replicas = (struct wire_int32_array){&node, 1};
        record.isr = (struct wire_int32_array){&node, 1};
        record.leader = 1;
        record.leader_epoch = 0;
        record.partition_epoch = 0;
        replay_metadata(image, METADATA_PARTITION_RECORD, &record);
    }
    publish(f, image);
    return id;
}

void fixture_delete_topic(struct fixture *f, const char *name)
{
    struct metadata_image *image = metadata_image_fork(f->image);
    const struct metadata_topic *topic = metadata_image_topic(f->image, str_from(name));
    assert_non_null(topic);
    replay_metadata(image, METADATA_REMOVE_TOPIC_RECORD, &(struct remove_topic_record){.topic_id = topic->id});
    publish(f, image);
}

void fixture_set_group(struct fixture *f, const char *group, const char *key, const char *value)
{
    struct metadata_image *image = metadata_image_fork(f->image);
    replay_metadata(image, METADATA_CONFIG_RECORD,
                    &(struct config_record){.resource_type = CONFIG_RESOURCE_GROUP,
                                            .resource_name = str_from(group),
                                            .name = str_from(key),
                                            .value = str_from(value)});
    publish(f, image);
}

void fixture_metadata_version(struct fixture *f, int16_t level)
{
    struct metadata_image *image = metadata_image_fork(f->image);
    struct feature_level_record record = {.name = str_from("metadata.version"), .feature_level = level};
    replay_metadata(image, METADATA_FEATURE_LEVEL_RECORD, &record);
    publish(f, image);
}

// ---- Calls ----

static void call_done(struct group_call *inner)
{
    struct fixture_call *call = container_of(inner, struct fixture_call, call);
    assert_false(call->is_done); // once
    call->is_done = true;
    if (call->schema == NULL)
        return;
    struct buf out;
    buf_init(&out, ANSWER_MAX);
    assert_int_equal(wire_encode_buf(call->schema, inner->version, call->response, &out), 0);
    buf_release(&out);
}

static struct fixture_call *call_new(struct fixture *f, int16_t version)
{
    struct fixture_call *call = mem_new(struct fixture_call);
    call->fixture = f;
    arena_init(&call->arena, ANSWER_MAX);
    call->call = (struct group_call){
        .arena = &call->arena,
        .version = version,
        .client_id = str_from("client"),
        .client_host = str_from("/127.0.0.1"),
        .done = call_done,
    };
    list_append(&f->calls, &call->node);
    return call;
}

struct fixture_call *fixture_call_new(struct fixture *f, const struct wire_schema *response,
                                      int16_t version)
{
    struct fixture_call *call = call_new(f, version);
    call->schema = response;
    call->response = arena_alloc(&call->arena, wire_schema_struct_size(response));
    wire_init_default(response, call->response);
    call->call.response = call->response;
    return call;
}

struct fixture_call *fixture_call_part(struct fixture *f, void *response, int16_t version)
{
    struct fixture_call *call = call_new(f, version);
    call->response = response;
    call->call.response = response;
    return call;
}

// ---- The state ----

static void marker_is_committed(struct coordinator_waiter *w, enum kafka_error error)
{
    assert_int_equal(error, KAFKA_NONE);
}

void fixture_end_transaction(struct fixture *f, int64_t producer_id, bool committed)
{
    const struct coordinator_txn txn = {.producer_id = producer_id, .is_commit = committed};
    assert_false(list_linked(&f->marker.node));
    f->marker = (struct coordinator_waiter){.done = marker_is_committed};
    assert_int_equal(groups_end_transaction(f->groups, &f->now, &txn, &f->marker), KAFKA_NONE);
    fixture_settle(f);
}

void fixture_check_replay(struct fixture *f)
{
    struct buf here, there;
    assert_false(coordinator_has_batch(f->coordinator));
    buf_init(&here, LOG_MAX);
    buf_init(&there, LOG_MAX);
    fixture_dump(f->groups, &here);
    struct groups *g = new_groups(f);
    struct coordinator *c = new_coordinator(f, g);
    fixture_dump_beside(g, f->groups, &there);
    assert_string_equal(buf_text(&there), buf_text(&here));
    groups_free(g);
    coordinator_free(c);
    buf_release(&here);
    buf_release(&there);
}
