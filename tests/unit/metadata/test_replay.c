// SPDX-License-Identifier: Apache-2.0
//
// What each metadata record does, and which ones cannot be.
#include "metadata/replay.h"

#include "metadata/snapshot.h"
#include "testing.h"
#include "wire/record/access_control_entry_record.h"
#include "wire/record/broker_registration_change_record.h"
#include "wire/record/clear_elr_record.h"
#include "wire/record/client_quota_record.h"
#include "wire/record/config_record.h"
#include "wire/record/delegation_token_record.h"
#include "wire/record/feature_level_record.h"
#include "wire/record/fence_broker_record.h"
#include "wire/record/no_op_record.h"
#include "wire/record/partition_change_record.h"
#include "wire/record/partition_record.h"
#include "wire/record/producer_ids_record.h"
#include "wire/record/register_broker_record.h"
#include "wire/record/register_controller_record.h"
#include "wire/record/remove_access_control_entry_record.h"
#include "wire/record/remove_delegation_token_record.h"
#include "wire/record/remove_topic_record.h"
#include "wire/record/remove_user_scram_credential_record.h"
#include "wire/record/topic_record.h"
#include "wire/record/unfence_broker_record.h"
#include "wire/record/unregister_broker_record.h"
#include "wire/record/unregister_controller_record.h"
#include "wire/record/user_scram_credential_record.h"
#include "wire/record/zk_migration_state_record.h"

static int add_topic(struct metadata_image *image, const char *name, uint8_t id)
{
    return REPLAY(image, METADATA_TOPIC_RECORD, 0,
                  (struct topic_record){.name = str_from(name), .topic_id = test_id(id)});
}

static struct partition_record partition_of(uint8_t topic, int32_t id)
{
    struct partition_record p;
    partition_record_init(&p);
    p.partition_id = id;
    p.topic_id = test_id(topic);
    static int32_t ids[] = {1, 2, 3};
    p.replicas = p.isr = ids_of(ids, 3);
    p.leader = 1;
    p.leader_epoch = p.partition_epoch = 0;
    return p;
}

static int add_partition(struct metadata_image *image, uint8_t topic, int32_t id)
{
    struct partition_record p = partition_of(topic, id);
    return replay_message(image, METADATA_PARTITION_RECORD, 1, &p);
}

static struct partition_change_record change_of(uint8_t topic, int32_t id)
{
    struct partition_change_record c;
    partition_change_record_init(&c);
    c.partition_id = id;
    c.topic_id = test_id(topic);
    return c;
}

static int set_config(struct metadata_image *image, int8_t type, const char *resource,
                      const char *name, const char *value)
{
    return REPLAY(image, METADATA_CONFIG_RECORD, 0,
                  (struct config_record){.resource_type = type,
                                         .resource_name = str_from(resource),
                                         .name = str_from(name),
                                         .value = str_from(value)});
}

static const struct metadata_partition *partition(struct metadata_image *image, const char *topic,
                                                  int32_t id)
{
    return metadata_topic_partition(metadata_image_topic(image, str_from(topic)), id);
}

static void the_leader_epoch_rises_with_every_leader_named(void **state)
{
    struct metadata_image *image = metadata_image_new();
    add_topic(image, "t", 1);
    add_partition(image, 1, 0);
    struct partition_change_record c = change_of(1, 0);
    c.isr = IDS(1, 2);
    assert_int_equal(replay_message(image, METADATA_PARTITION_CHANGE_RECORD, 2, &c), 0);
    const struct metadata_partition *p = partition(image, "t", 0);
    assert_int_equal(p->partition_epoch, 1);
    assert_int_equal(p->leader_epoch, 0);
    assert_int_equal(p->isr.count, 2);
    assert_int_equal(p->replicas.count, 3);

    c = change_of(1, 0);
    c.leader = 1; // the same one
    assert_int_equal(replay_message(image, METADATA_PARTITION_CHANGE_RECORD, 2, &c), 0);
    p = partition(image, "t", 0);
    assert_int_equal(p->partition_epoch, 2);
    assert_int_equal(p->leader_epoch, 1);

    c = change_of(1, 0);
    c.leader = NO_LEADER;
    c.isr = ids_of(NULL, 0);
    c.eligible_leader_replicas = IDS(1, 2);
    c.last_known_elr = IDS(1);
    c.leader_recovery_state = 1;
    assert_int_equal(replay_message(image, METADATA_PARTITION_CHANGE_RECORD, 2, &c), 0);
    p = partition(image, "t", 0);
    assert_int_equal(p->leader, NO_LEADER);
    assert_int_equal(p->leader_epoch, 2);
    assert_int_equal(p->isr.count, 0);
    assert_int_equal(p->elr.count, 2);
    assert_int_equal(p->last_known_elr.ids[0], 1);
    assert_int_equal(p->leader_recovery_state, LEADER_RECOVERING);

    // ClearElr takes both lists away and no epoch moves.
    assert_int_equal(REPLAY(image, METADATA_CLEAR_ELR_RECORD, 0,
                            (struct clear_elr_record){str_from("")}),
                     0);
    p = partition(image, "t", 0);
    assert_int_equal(p->elr.count, 0);
    assert_int_equal(p->last_known_elr.count, 0);
    assert_int_equal(p->partition_epoch, 3);
    metadata_image_unref(image);
}

static void replicas_keep_their_directories(void **state)
{
    struct metadata_image *image = metadata_image_new();
    add_topic(image, "t", 1);
    struct uuid dirs[] = {test_id(11), test_id(12), test_id(13)};
    struct partition_record p = partition_of(1, 0);
    p.directories = (struct wire_uuid_array){dirs, 3};
    assert_int_equal(replay_message(image, METADATA_PARTITION_RECORD, 1, &p), 0);
    struct partition_change_record c = change_of(1, 0);
    c.replicas = IDS(3, 1, 4);
    assert_int_equal(replay_message(image, METADATA_PARTITION_CHANGE_RECORD, 2, &c), 0);
    const struct metadata_partition *now = partition(image, "t", 0);
    assert_true(uuid_equal(now->directories[0], dirs[2]));
    assert_true(uuid_equal(now->directories[1], dirs[0]));
    assert_true(uuid_equal(now->directories[2], DIRECTORY_MIGRATING));
    c = change_of(1, 0);
    c.directories = (struct wire_uuid_array){dirs, 3};
    assert_int_equal(replay_message(image, METADATA_PARTITION_CHANGE_RECORD, 2, &c), 0);
    assert_true(uuid_equal(partition(image, "t", 0)->directories[2], dirs[2]));
    c.directories.count = 2;
    assert_int_equal(replay_message(image, METADATA_PARTITION_CHANGE_RECORD, 2, &c), ERR_CORRUPT);
    metadata_image_unref(image);
}

// Kafka 4.4 gives a recreated topic the configuration of its deleted namesake back when it replays
// the log in one go.
static void a_recreated_topic_starts_anew(void **state)
{
    struct metadata_image *image = metadata_image_new();
    add_topic(image, "t", 1);
    add_partition(image, 1, 0);
    set_config(image, CONFIG_RESOURCE_TOPIC, "t", "retention.ms", "5");
    assert_int_equal(REPLAY(image, METADATA_REMOVE_TOPIC_RECORD, 0,
                            (struct remove_topic_record){test_id(1)}),
                     0);
    assert_null(metadata_image_topic(image, str_from("t")));
    assert_null(metadata_image_topic_by_id(image, test_id(1)));
    assert_int_equal(metadata_image_partition_count(image), 0);
    add_topic(image, "t", 2);
    assert_null(metadata_image_configs(image, CONFIG_RESOURCE_TOPIC, str_from("t")));
    assert_int_equal(metadata_image_topic(image, str_from("t"))->partition_count, 0);
    metadata_image_unref(image);
}

static int set_scram(struct metadata_image *image, const char *user, int8_t mechanism)
{
    struct user_scram_credential_record c;
    user_scram_credential_record_init(&c);
    c.name = str_from(user);
    c.mechanism = mechanism;
    c.salt = c.stored_key = c.server_key = bytes_of("xyz", 3);
    c.iterations = 4096;
    return replay_message(image, METADATA_USER_SCRAM_CREDENTIAL_RECORD, 0, &c);
}

static size_t snapshot_records(struct metadata_image *image)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    struct metadata_snapshot_options options = {0};
    assert_int_equal(metadata_snapshot_write(image, &options, &out), 0);
    struct bytes rest = buf_bytes(&out), batch;
    struct batch_header h;
    size_t count = 0;
    while (batch_next(&rest, &h, &batch) == 1)
        count += batch_is_control(&h) ? 0 : (size_t)h.record_count;
    buf_release(&out);
    return count;
}

// Kafka 4.4 loses another user's credential of the same mechanism with it.
static void a_removed_credential_is_one(void **state)
{
    struct metadata_image *image = metadata_image_new();
    set_scram(image, "a", 1);
    set_scram(image, "b", 1);
    set_scram(image, "b", 2);
    set_scram(image, "b", 2); // replaces
    assert_int_equal(snapshot_records(image), 3);
    assert_int_equal(REPLAY(image, METADATA_REMOVE_USER_SCRAM_CREDENTIAL_RECORD, 0,
                            (struct remove_user_scram_credential_record){str_from("b"), 1}),
                     0);
    assert_int_equal(snapshot_records(image), 2);
    assert_int_equal(REPLAY(image, METADATA_REMOVE_USER_SCRAM_CREDENTIAL_RECORD, 0,
                            (struct remove_user_scram_credential_record){str_from("c"), 1}),
                     0);
    assert_int_equal(snapshot_records(image), 2);
    metadata_image_unref(image);
}

static int set_quota(struct metadata_image *image, bool user_first, double value, bool remove)
{
    struct client_quota_record_entity_data entity[] = {
        {str_from("user"), str_from("u")}, {str_from("client-id"), str_of(NULL, 0)}};
    if (!user_first) {
        struct client_quota_record_entity_data first = entity[0];
        entity[0] = entity[1];
        entity[1] = first;
    }
    struct client_quota_record q;
    client_quota_record_init(&q);
    q.entity.items = entity;
    q.entity.count = 2;
    q.key = str_from("producer_byte_rate");
    q.value = value;
    q.remove = remove;
    return replay_message(image, METADATA_CLIENT_QUOTA_RECORD, 0, &q);
}

static void objects_kept_as_written_come_and_go(void **state)
{
    struct metadata_image *image = metadata_image_new();
    assert_int_equal(set_quota(image, true, 5, false), 0);
    assert_int_equal(set_quota(image, false, 6, false), 0); // the same entity
    assert_int_equal(snapshot_records(image), 1);
    assert_int_equal(set_quota(image, true, 0, true), 0);
    assert_int_equal(snapshot_records(image), 0);

    struct access_control_entry_record acl;
    access_control_entry_record_init(&acl);
    for (uint8_t i = 1; i <= 3; i++) {
        acl.id = test_id(i);
        assert_int_equal(
            replay_message(image, METADATA_ACCESS_CONTROL_ENTRY_RECORD, 0, &acl), 0);
    }
    assert_int_equal(snapshot_records(image), 3);
    assert_int_equal(REPLAY(image, METADATA_REMOVE_ACCESS_CONTROL_ENTRY_RECORD, 0,
                            (struct remove_access_control_entry_record){test_id(2)}),
                     0);
    assert_int_equal(snapshot_records(image), 2);

    struct delegation_token_record token;
    delegation_token_record_init(&token);
    token.token_id = str_from("tok");
    assert_int_equal(replay_message(image, METADATA_DELEGATION_TOKEN_RECORD, 0, &token), 0);
    assert_int_equal(snapshot_records(image), 3);
    assert_int_equal(REPLAY(image, METADATA_REMOVE_DELEGATION_TOKEN_RECORD, 0,
                            (struct remove_delegation_token_record){str_from("tok")}),
                     0);
    assert_int_equal(snapshot_records(image), 2);
    metadata_image_unref(image);
}

static int register_broker(struct metadata_image *image, int32_t id, int64_t epoch)
{
    struct register_broker_record r;
    register_broker_record_init(&r);
    r.broker_id = id;
    r.broker_epoch = epoch;
    r.incarnation_id = test_id(99);
    r.rack = str_from("east");
    struct register_broker_record_broker_endpoint e = {str_from("L"), str_from("h"), 9092, 0};
    r.end_points.items = &e;
    r.end_points.count = 1;
    struct uuid dirs[] = {test_id(1), test_id(2)};
    r.log_dirs = (struct wire_uuid_array){dirs, 2};
    return replay_message(image, METADATA_REGISTER_BROKER_RECORD, 4, &r);
}

static int change_broker(struct metadata_image *image, int32_t id, int64_t epoch, int8_t fenced,
                         int8_t shutdown)
{
    struct broker_registration_change_record c;
    broker_registration_change_record_init(&c);
    c.broker_id = id;
    c.broker_epoch = epoch;
    c.fenced = fenced;
    c.in_controlled_shutdown = shutdown;
    return replay_message(image, METADATA_BROKER_REGISTRATION_CHANGE_RECORD, 1, &c);
}

static void brokers_come_change_and_go(void **state)
{
    struct metadata_image *image = metadata_image_new();
    assert_int_equal(register_broker(image, 3, 40), 0);
    const struct metadata_broker *b = metadata_image_broker(image, 3);
    assert_true(b->fenced);
    assert_false(metadata_broker_is_active(b));
    assert_int_equal(change_broker(image, 3, 40, -1, 0), 0);
    b = metadata_image_broker(image, 3);
    assert_true(metadata_broker_is_active(b));
    assert_true(str_is(b->rack, "east"));
    assert_true(str_is(b->node.endpoints[0].host, "h"));
    assert_true(metadata_broker_directory_online(b, test_id(2)));
    assert_false(metadata_broker_directory_online(b, test_id(3)));
    assert_true(metadata_broker_directory_online(b, DIRECTORY_UNASSIGNED));
    assert_false(metadata_broker_directory_online(b, DIRECTORY_LOST));
    assert_int_equal(change_broker(image, 3, 40, 0, 1), 0);
    assert_true(metadata_image_broker(image, 3)->in_controlled_shutdown);

    // The two records of older clusters.
    assert_int_equal(
        REPLAY(image, METADATA_FENCE_BROKER_RECORD, 0, (struct fence_broker_record){3, 40}), 0);
    assert_true(metadata_image_broker(image, 3)->fenced);
    assert_int_equal(
        REPLAY(image, METADATA_UNFENCE_BROKER_RECORD, 0, (struct unfence_broker_record){3, 40}), 0);
    assert_false(metadata_image_broker(image, 3)->fenced);

    // Another epoch, another broker, values that mean nothing.
    assert_int_equal(change_broker(image, 3, 39, 1, 0), ERR_CORRUPT);
    assert_int_equal(change_broker(image, 4, 40, 1, 0), ERR_CORRUPT);
    assert_int_equal(change_broker(image, 3, 40, 2, 0), ERR_CORRUPT);
    assert_int_equal(
        REPLAY(image, METADATA_FENCE_BROKER_RECORD, 0, (struct fence_broker_record){3, 1}),
        ERR_CORRUPT);
    assert_int_equal(register_broker(image, -1, 1), ERR_CORRUPT);
    assert_int_equal(REPLAY(image, METADATA_UNREGISTER_BROKER_RECORD, 0,
                            (struct unregister_broker_record){3, 39}),
                     ERR_CORRUPT);
    assert_int_equal(REPLAY(image, METADATA_UNREGISTER_BROKER_RECORD, 0,
                            (struct unregister_broker_record){3, 40}),
                     0);
    assert_int_equal(metadata_image_broker_count(image), 0);

    struct register_controller_record c;
    register_controller_record_init(&c);
    c.controller_id = 9;
    assert_int_equal(replay_message(image, METADATA_REGISTER_CONTROLLER_RECORD, 0, &c), 0);
    assert_non_null(metadata_image_controller(image, 9));
    struct unregister_controller_record u = {9};
    assert_int_equal(replay_message(image, METADATA_UNREGISTER_CONTROLLER_RECORD, 0, &u), 0);
    assert_int_equal(replay_message(image, METADATA_UNREGISTER_CONTROLLER_RECORD, 0, &u),
                     ERR_CORRUPT);
    metadata_image_unref(image);
}

static void a_registration_has_a_maximum(void **state)
{
    enum { COUNT = 500000 };
    struct metadata_image *image = metadata_image_new();
    struct register_broker_record r;
    register_broker_record_init(&r);
    r.broker_id = 1;
    r.broker_epoch = 1;
    r.features.items = mem_alloc_array(COUNT, sizeof *r.features.items);
    r.features.count = COUNT;
    for (int i = 0; i < COUNT; i++)
        r.features.items[i].name = str_from("");
    struct buf value;
    struct diag diag;
    buf_init(&value, 8 << 20);
    assert_int_equal(metadata_record_encode(METADATA_REGISTER_BROKER_RECORD, 4, &r, &value), 0);
    assert_int_equal(metadata_replay(image, buf_bytes(&value), 1, &diag), ERR_LIMIT);
    assert_int_equal(metadata_image_broker_count(image), 0);
    buf_release(&value);
    mem_free(r.features.items);
    metadata_image_unref(image);
}

static void records_that_cannot_be_change_nothing(void **state)
{
    struct metadata_image *image = metadata_image_new();
    add_topic(image, "t", 1);
    add_partition(image, 1, 0);
    struct metadata_image *before = metadata_image_fork(image);
    assert_int_equal(add_topic(image, "t", 2), ERR_CORRUPT);
    assert_int_equal(add_topic(image, "u", 1), ERR_CORRUPT);
    assert_int_equal(add_topic(image, "../etc", 3), ERR_CORRUPT);
    assert_int_equal(add_partition(image, 7, 0), ERR_CORRUPT);
    assert_int_equal(add_partition(image, 1, -1), ERR_CORRUPT);
    struct partition_record p = partition_of(1, 1);
    p.leader = -2;
    assert_int_equal(replay_message(image, METADATA_PARTITION_RECORD, 1, &p), ERR_CORRUPT);
    p = partition_of(1, 1);
    p.replicas = ids_of(NULL, 0);
    assert_int_equal(replay_message(image, METADATA_PARTITION_RECORD, 1, &p), ERR_CORRUPT);
    p = partition_of(1, 1);
    p.isr = IDS(1, -5);
    assert_int_equal(replay_message(image, METADATA_PARTITION_RECORD, 1, &p), ERR_CORRUPT);
    struct partition_change_record c = change_of(1, 3);
    assert_int_equal(replay_message(image, METADATA_PARTITION_CHANGE_RECORD, 1, &c), ERR_CORRUPT);
    c = change_of(2, 0);
    assert_int_equal(replay_message(image, METADATA_PARTITION_CHANGE_RECORD, 1, &c), ERR_CORRUPT);
    assert_int_equal(REPLAY(image, METADATA_REMOVE_TOPIC_RECORD, 0,
                            (struct remove_topic_record){test_id(5)}),
                     ERR_CORRUPT);
    assert_int_equal(REPLAY(image, METADATA_CLEAR_ELR_RECORD, 0,
                            (struct clear_elr_record){str_from("nope")}),
                     ERR_CORRUPT);
    assert_int_equal(set_config(image, 2, "t", "", "v"), ERR_CORRUPT);
    assert_int_equal(REPLAY(image, METADATA_FEATURE_LEVEL_RECORD, 0,
                            (struct feature_level_record){str_from("metadata.version"), 99}),
                     ERR_UNSUPPORTED);
    assert_int_equal(REPLAY(image, METADATA_PRODUCER_IDS_RECORD, 0,
                            (struct producer_ids_record){1, 1, -1}),
                     ERR_CORRUPT);
    static const struct {
        const char *bytes;
        size_t size;
        int err;
    } raw[] = {
        {"", 0, ERR_TRUNCATED},
        {"\0\2\0", 3, ERR_CORRUPT},          // frame version 0
        {"\2\2\0", 3, ERR_UNSUPPORTED},      // a later one
        {"\1\x1e\0\0", 4, ERR_UNSUPPORTED},  // a type we do not know
        {"\1\x14\1\0", 4, ERR_UNSUPPORTED},  // NoOp of a version we do not know
        {"\1\x14\0\0\0", 5, ERR_CORRUPT},    // more than the record
        {"\1\2\0\2", 4, ERR_TRUNCATED},      // less
    };
    for (size_t i = 0; i < sizeof raw / sizeof raw[0]; i++) {
        struct diag diag;
        int err = metadata_replay(image, bytes_of(raw[i].bytes, raw[i].size), 0, &diag);
        if (raw[i].err == ERR_UNSUPPORTED)
            assert_int_equal(err, raw[i].err);
        assert_true(err != 0);
    }
    assert_true(metadata_image_equal(image, before));
    metadata_image_unref(before);
    metadata_image_unref(image);
}

static void records_that_say_nothing_are_taken(void **state)
{
    struct metadata_image *image = metadata_image_new(), *empty = metadata_image_new();
    struct no_op_record no_op;
    struct zk_migration_state_record zk;
    no_op_record_init(&no_op);
    zk_migration_state_record_init(&zk);
    assert_int_equal(replay_message(image, METADATA_NO_OP_RECORD, 0, &no_op), 0);
    assert_int_equal(replay_message(image, METADATA_ZK_MIGRATION_STATE_RECORD, 0, &zk), 0);
    assert_true(metadata_image_equal(image, empty));
    metadata_image_unref(image);
    metadata_image_unref(empty);
}

static void names_that_metrics_cannot_tell_apart(void **state)
{
    struct metadata_image *image = metadata_image_new();
    static const char *const names[] = {"a.b", "a-b", "ab", "a.b.c", "a_bc"};
    for (uint8_t i = 0; i < 5; i++)
        assert_int_equal(add_topic(image, names[i], (uint8_t)(i + 1)), 0);
    static const struct {
        const char *name, *collides;
    } cases[] = {
        {"a_b", "a.b"},     {"a.b", "a.b"},     {"a.b_c", "a.b.c"}, {"a_b_c", "a.b.c"},
        {"a.bc", "a_bc"},   {"a-b", "a-b"},     {"a", NULL},        {"a_", NULL},
        {"a.b.", NULL},     {"a__b", NULL},     {"ab", "ab"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct metadata_topic *t =
            metadata_image_topic_colliding(image, str_from(cases[i].name));
        if (cases[i].collides == NULL)
            assert_null(t);
        else
            assert_true(t != NULL && str_is(t->name, cases[i].collides));
    }
    REPLAY(image, METADATA_REMOVE_TOPIC_RECORD, 0, (struct remove_topic_record){test_id(1)});
    assert_null(metadata_image_topic_colliding(image, str_from("a_b")));
    metadata_image_unref(image);
}

static void versions_do_not_see_each_other(void **state)
{
    struct metadata_image *a = metadata_image_new();
    add_topic(a, "t", 1);
    for (int32_t i = 0; i < 100; i++)
        add_partition(a, 1, i);
    struct metadata_image *b = metadata_image_fork(a);
    struct metadata_topic *old = metadata_topic_ref(metadata_image_topic(a, str_from("t")));
    assert_int_equal(add_partition(b, 1, 100), 0);
    assert_int_equal(add_partition(a, 1, 100), 0);
    assert_int_equal(add_partition(a, 1, 101), 0);
    assert_int_equal(old->partition_count, 100); // a reader that holds it sees no change
    metadata_topic_unref(old);
    struct partition_change_record c = change_of(1, 5);
    c.leader = 3;
    assert_int_equal(replay_message(b, METADATA_PARTITION_CHANGE_RECORD, 1, &c), 0);
    assert_int_equal(partition(a, "t", 5)->leader, 1);
    assert_int_equal(partition(b, "t", 5)->leader, 3);
    // What did not change is shared.
    assert_ptr_equal(partition(a, "t", 6), partition(b, "t", 6));
    assert_int_equal(metadata_image_partition_count(a), 102);
    assert_int_equal(metadata_image_partition_count(b), 101);
    metadata_image_unref(a);
    metadata_image_unref(b);
}

static void partitions_may_come_in_any_order_but_all_must_come(void **state)
{
    struct metadata_image *image = metadata_image_new();
    add_topic(image, "t", 1);
    static const int32_t order[] = {3, 1, 0, 2147483647};
    for (int i = 0; i < 4; i++)
        assert_int_equal(add_partition(image, 1, order[i]), 0);
    assert_int_equal(metadata_image_check(image, NULL), ERR_CORRUPT);
    assert_int_equal(metadata_topic_partition(metadata_image_topic(image, str_from("t")), 3)->id, 3);
    metadata_image_unref(image);
    image = metadata_image_new();
    add_topic(image, "t", 1);
    static const int32_t whole[] = {3, 1, 0, 2};
    for (int i = 0; i < 4; i++)
        assert_int_equal(add_partition(image, 1, whole[i]), 0);
    assert_int_equal(metadata_image_check(image, NULL), 0);
    for (int32_t i = 0; i < 4; i++)
        assert_int_equal(metadata_image_topic(image, str_from("t"))->partitions[i]->id, i);
    metadata_image_unref(image);
}

struct seen {
    int added, removed, changed;
};

static void topic_seen(void *context, const struct metadata_topic *from,
                       const struct metadata_topic *to)
{
    struct seen *s = context;
    s->added += from == NULL;
    s->removed += to == NULL;
    s->changed += from != NULL && to != NULL;
}

static void configs_seen(void *context, const struct metadata_configs *from,
                         const struct metadata_configs *to)
{
    topic_seen(context, (const void *)from, (const void *)to);
}

static void a_diff_lists_what_changed(void **state)
{
    struct metadata_image *a = metadata_image_new();
    for (uint8_t i = 1; i <= 50; i++) {
        char name[8];
        snprintf(name, sizeof name, "t%d", i);
        add_topic(a, name, i);
        add_partition(a, i, 0);
    }
    struct metadata_image *b = metadata_image_fork(a);
    REPLAY(b, METADATA_REMOVE_TOPIC_RECORD, 0, (struct remove_topic_record){test_id(7)});
    add_topic(b, "t7", 77); // recreated
    add_topic(b, "new", 60);
    add_partition(b, 9, 1);
    set_config(b, CONFIG_RESOURCE_TOPIC, "t9", "retention.ms", "1");
    struct seen topics = {0}, configs = {0};
    metadata_image_diff(a, b,
                        &(struct metadata_changes){.context = &topics, .topic = topic_seen});
    assert_int_equal(topics.added, 2);
    assert_int_equal(topics.removed, 1);
    assert_int_equal(topics.changed, 1);
    metadata_image_diff(b, a,
                        &(struct metadata_changes){.context = &configs, .configs = configs_seen});
    assert_int_equal(configs.removed, 1);
    assert_int_equal(configs.added + configs.changed, 0);
    metadata_image_unref(a);
    metadata_image_unref(b);
}

static void configs_are_set_and_taken_away(void **state)
{
    struct metadata_image *image = metadata_image_new();
    add_topic(image, "t", 1);
    set_config(image, CONFIG_RESOURCE_TOPIC, "t", "retention.ms", "1");
    set_config(image, CONFIG_RESOURCE_TOPIC, "t", "segment.ms", "2");
    set_config(image, CONFIG_RESOURCE_TOPIC, "t", "retention.ms", "3");
    set_config(image, CONFIG_RESOURCE_BROKER, "", "x", "4");
    set_config(image, CONFIG_RESOURCE_GROUP, "g", "y", "5");
    const struct properties *p =
        metadata_image_configs(image, CONFIG_RESOURCE_TOPIC, str_from("t"));
    assert_int_equal(p->count, 2);
    assert_string_equal(properties_get(p, "retention.ms"), "3");
    struct pmap_iter iter;
    const struct metadata_configs *c =
        metadata_configs_first(image, CONFIG_RESOURCE_BROKER, &iter);
    assert_int_equal(c->resource_name.size, 0);
    assert_null(metadata_configs_next(&iter, CONFIG_RESOURCE_BROKER));
    assert_null(metadata_configs_first(image, CONFIG_RESOURCE_CLIENT_METRICS, &iter));
    set_config(image, CONFIG_RESOURCE_TOPIC, "t", "retention.ms", NULL);
    set_config(image, CONFIG_RESOURCE_TOPIC, "t", "segment.ms", NULL);
    set_config(image, CONFIG_RESOURCE_TOPIC, "t", "never.set", NULL);
    assert_null(metadata_image_configs(image, CONFIG_RESOURCE_TOPIC, str_from("t")));
    metadata_image_unref(image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_leader_epoch_rises_with_every_leader_named),
        cmocka_unit_test(replicas_keep_their_directories),
        cmocka_unit_test(a_recreated_topic_starts_anew),
        cmocka_unit_test(a_removed_credential_is_one),
        cmocka_unit_test(objects_kept_as_written_come_and_go),
        cmocka_unit_test(brokers_come_change_and_go),
        cmocka_unit_test(a_registration_has_a_maximum),
        cmocka_unit_test(records_that_cannot_be_change_nothing),
        cmocka_unit_test(records_that_say_nothing_are_taken),
        cmocka_unit_test(names_that_metrics_cannot_tell_apart),
        cmocka_unit_test(versions_do_not_see_each_other),
        cmocka_unit_test(partitions_may_come_in_any_order_but_all_must_come),
        cmocka_unit_test(a_diff_lists_what_changed),
        cmocka_unit_test(configs_are_set_and_taken_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
