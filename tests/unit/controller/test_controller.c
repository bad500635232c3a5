// SPDX-License-Identifier: Apache-2.0
//
// Leadership, commands that come to nothing, replies that wait.
#include "cluster.h"

#include "metadata/snapshot.h"
#include "wire/api/allocate_producer_ids.h"
#include "wire/api/alter_configs.h"
#include "wire/api/assign_replicas_to_dirs.h"
#include "wire/api/controller_registration.h"
#include "wire/api/create_partitions.h"
#include "wire/api/create_topics.h"
#include "wire/api/delete_topics.h"
#include "wire/api/incremental_alter_configs.h"
#include "wire/record/abort_transaction_record.h"
#include "wire/record/begin_transaction_record.h"
#include "wire/record/topic_record.h"

// The whole first batch of data that Kafka 4.4 wrote, record for record, from what its `format` had
// left in the 0-0 snapshot.
static void the_bootstrap_records_are_kafkas(void **state)
{
    struct bytes log = golden_read("kafka-4.4.0.log"), rest = log, batch;
    struct bytes file = golden_read("kafka-4.4.0-format.checkpoint");
    struct batch_header h;
    struct metadata_loader *format = metadata_loader_new();
    assert_int_equal(metadata_loader_snapshot(format, file, 0, 0, NULL), 0);
    struct cluster x;
    cluster_init_empty(&x);
    x.next_offset = 1;
    struct controller_input input = cluster_input(&x);
    struct diag diag;
    assert_int_equal(controller_activate(x.controller, &x.cmd, &input,
                                         metadata_loader_image(x.loader), false,
                                         metadata_loader_image(format), &diag),
                     0);
    assert_int_equal(batch_next(&rest, &h, &batch), 1); // LeaderChange
    assert_int_equal(batch_next(&rest, &h, &batch), 1);
    assert_int_equal(h.base_offset, 1);
    assert_int_equal(x.cmd.record_count, h.record_count);
    assert_true(x.cmd.atomic);
    struct batch_iter iter;
    struct record record;
    assert_int_equal(batch_iter_init(&iter, batch, NULL), 0);
    for (int32_t i = 0; i < h.record_count; i++) {
        assert_int_equal(batch_iter_next(&iter, &record), 1);
        if (!bytes_equal(record.value, x.cmd.values[i]))
            fail_msg("record %d differs", i);
    }
    controller_accept(x.controller, &x.cmd, 1 + h.record_count);
    assert_true(controller_is_active(x.controller));
    metadata_loader_free(format);
    cluster_release(&x);
    golden_free(log);
    golden_free(file);
}

static void without_a_format_the_defaults_hold(void **state)
{
    struct cluster x;
    cluster_init_empty(&x);
    cluster_activate(&x);
    assert_int_equal(x.record_count, 9); // Begin, six levels, min.insync.replicas, End
    struct feature_levels levels;
    metadata_format_levels(&levels);
    assert_memory_equal(metadata_image_features(cluster_image(&x)), &levels, sizeof levels);
    const struct properties *p =
        metadata_image_configs(cluster_image(&x), CONFIG_RESOURCE_BROKER, str_from(""));
    assert_string_equal(properties_get(p, "min.insync.replicas"), "1");

    // The second time there is nothing to write.
    controller_resign(x.controller);
    assert_false(controller_is_active(x.controller));
    assert_null(controller_image(x.controller));
    cluster_activate(&x);
    assert_int_equal(x.record_count, 0);
    cluster_release(&x);
}

// Directories of Kafka are led on.
static void logs_of_kafka_are_led_on(void **state)
{
    static const char *const names[] = {"kafka-4.4.0.log", "kafka-4.0.1.log"};
    static const int64_t epochs[] = {12, 8};
    for (int i = 0; i < 2; i++) {
        struct bytes log = golden_read(names[i]);
        struct cluster x;
        cluster_init_empty(&x);
        assert_int_equal(metadata_loader_batches(x.loader, log, NULL), 0);
        x.next_offset = metadata_loader_next_offset(x.loader);
        cluster_activate(&x);
        assert_int_equal(x.record_count, 0);
        const struct metadata_broker *old = metadata_image_broker(cluster_image(&x), 1);
        assert_int_equal(old->epoch, epochs[i]);
        struct registration r;
        registration_init(&r, 1, 9, 2);
        memcpy(r.directories, old->directories, sizeof r.directories);
        r.request.previous_broker_epoch = old->epoch;
        assert_int_equal(cluster_register(&x, &r).error_code, 0);
        struct broker_heartbeat_request h = heartbeat_of(&x, 1);
        assert_false(cluster_heartbeat(&x, &h).is_fenced);
        struct pmap_iter iter;
        int64_t led = 0;
        for (const struct metadata_topic *t =
                 metadata_topic_first(cluster_image(&x), str_from(""), &iter);
             t != NULL; t = metadata_topic_next(&iter))
            for (int32_t p = 0; p < t->partition_count; p++) {
                led += t->partitions[p]->leader == 1;
                assert_int_equal(t->partitions[p]->isr.count, 1);
                assert_int_equal(t->partitions[p]->leader_recovery_state, LEADER_RECOVERED);
            }
        assert_int_equal(led, metadata_image_partition_count(cluster_image(&x)));
        cluster_release(&x);
        golden_free(log);
    }
}

static void load_message(struct cluster *x, enum metadata_record_type type, const void *message)
{
    struct buf value, batch;
    buf_init(&value, 1 << 16);
    buf_init(&batch, 1 << 16);
    assert_int_equal(metadata_record_encode(type, 0, message, &value), 0);
    struct batch_options options = BATCH_OPTIONS_DEFAULT;
    options.base_offset = x->next_offset++;
    struct batch_builder b;
    batch_builder_begin(&b, &batch, &options);
    batch_builder_add(&b, 1, bytes_of(NULL, 0), buf_bytes(&value), NULL, 0);
    assert_int_equal(batch_builder_finish(&b, NULL), 0);
    assert_int_equal(metadata_loader_batches(x->loader, buf_bytes(&batch), NULL), 0);
    buf_release(&value);
    buf_release(&batch);
}

static void a_transaction_left_open_is_aborted(void **state)
{
    struct cluster x;
    cluster_init(&x);
    controller_resign(x.controller);
    struct begin_transaction_record begin;
    begin_transaction_record_init(&begin);
    load_message(&x, METADATA_BEGIN_TRANSACTION_RECORD, &begin);
    struct topic_record topic = {str_from("never"), test_id(1)};
    load_message(&x, METADATA_TOPIC_RECORD, &topic);
    cluster_activate(&x);
    assert_int_equal(x.record_count, 1);
    cluster_record(&x, 0, METADATA_ABORT_TRANSACTION_RECORD, 0);
    assert_null(metadata_image_topic(cluster_image(&x), str_from("never")));
    cluster_release(&x);
}

static struct create_topics_response create(struct cluster *x, const char *name)
{
    struct create_topics_request_creatable_topic t;
    struct create_topics_request request;
    struct create_topics_response reply;
    create_topics_request_creatable_topic_init(&t);
    t.name = str_from(name);
    t.num_partitions = t.replication_factor = 1;
    create_topics_request_init(&request);
    request.topics.items = &t;
    request.topics.count = 1;
    controller_create_topics(x->controller, &x->cmd, &request, &reply, &x->arena);
    return reply;
}

static void what_is_rejected_did_not_happen(void **state)
{
    struct cluster x;
    cluster_init(&x);
    cluster_begin(&x);
    assert_int_equal(create(&x, "t").topics.items[0].error_code, 0);
    assert_int_equal(x.cmd.record_count, 2);
    controller_reject(x.controller, &x.cmd);
    assert_null(metadata_image_topic(cluster_image(&x), str_from("t")));
    cluster_begin(&x);
    assert_int_equal(create(&x, "t").topics.items[0].error_code, 0);
    cluster_end(&x);
    cluster_begin(&x);
    assert_int_equal(create(&x, "t").topics.items[0].error_code, KAFKA_TOPIC_ALREADY_EXISTS);
    cluster_end(&x);
    cluster_release(&x);
}

// What was appended and not committed is gone with leadership.
static void what_was_not_committed_is_forgotten(void **state)
{
    struct cluster x;
    cluster_init(&x);
    cluster_begin(&x);
    create(&x, "t");
    controller_accept(x.controller, &x.cmd, x.next_offset + (int64_t)x.cmd.record_count);
    assert_non_null(metadata_image_topic(cluster_image(&x), str_from("t")));
    controller_resign(x.controller);
    cluster_activate(&x);
    assert_null(metadata_image_topic(cluster_image(&x), str_from("t")));
    cluster_release(&x);
}

// The append of a command fails, and so leadership ends before the driver can say how it went.
static void leadership_may_end_inside_a_command(void **state)
{
    for (int accept = 0; accept < 2; accept++) {
        struct cluster x;
        cluster_init(&x);
        struct controller_waiter w = {0};
        cluster_begin(&x);
        create(&x, "t");
        controller_resign(x.controller);
        if (accept) {
            controller_accept(x.controller, &x.cmd, x.next_offset + 2);
            controller_wait(x.controller, &w, x.cmd.wait_offset);
            assert_null(controller_next_committed(x.controller, x.next_offset + 1000));
            assert_ptr_equal(controller_next_lost(x.controller), &w);
        } else {
            controller_reject(x.controller, &x.cmd);
        }
        assert_false(controller_is_active(x.controller));
        cluster_activate(&x);
        assert_null(metadata_image_topic(cluster_image(&x), str_from("t")));
        cluster_release(&x);
    }
}

static void replies_wait_for_what_they_were_computed_from(void **state)
{
    struct cluster x;
    cluster_init(&x);
    struct controller_waiter w[4] = {0};
    int64_t before = x.next_offset;
    cluster_begin(&x);
    create(&x, "t");
    cluster_end(&x);
    assert_int_equal(x.cmd.wait_offset, before + 2);
    controller_wait(x.controller, &w[0], x.cmd.wait_offset);
    cluster_begin(&x); // no records, but it saw those
    create(&x, "t");
    cluster_end(&x);
    assert_int_equal(x.cmd.wait_offset, before + 2);
    controller_wait(x.controller, &w[1], x.cmd.wait_offset);
    cluster_begin(&x);
    create(&x, "u");
    cluster_end(&x);
    controller_wait(x.controller, &w[2], x.cmd.wait_offset);
    controller_wait(x.controller, &w[3], before);

    assert_null(controller_next_committed(x.controller, before - 1));
    assert_ptr_equal(controller_next_committed(x.controller, before), &w[3]);
    assert_null(controller_next_committed(x.controller, before + 1));
    assert_ptr_equal(controller_next_committed(x.controller, before + 2), &w[0]);
    assert_ptr_equal(controller_next_committed(x.controller, before + 2), &w[1]);
    assert_null(controller_next_committed(x.controller, before + 2));
    controller_wait(x.controller, &w[0], before + 9);
    controller_wait_cancel(x.controller, &w[0]);
    controller_wait_cancel(x.controller, &w[0]);
    assert_ptr_equal(controller_next_lost(x.controller), &w[2]);
    assert_null(controller_next_lost(x.controller));
    cluster_release(&x);
}

static void a_controller_that_does_not_lead_says_so(void **state)
{
    struct cluster x;
    cluster_init_empty(&x);

    cluster_begin(&x);
    assert_int_equal(create(&x, "t").topics.items[0].error_code, KAFKA_NOT_CONTROLLER);
    cluster_end(&x);

    struct str name = str_from("t");
    struct delete_topics_request delete;
    struct delete_topics_response deleted;
    delete_topics_request_init(&delete);
    delete.topic_names = (struct wire_string_array){&name, 1};
    cluster_begin(&x);
    controller_delete_topics(x.controller, &x.cmd, &delete, &deleted, &x.arena);
    cluster_end(&x);
    assert_int_equal(deleted.responses.items[0].error_code, KAFKA_NOT_CONTROLLER);

    struct create_partitions_request_create_partitions_topic grow;
    struct create_partitions_request partitions;
    struct create_partitions_response grown;
    create_partitions_request_create_partitions_topic_init(&grow);
    create_partitions_request_init(&partitions);
    partitions.topics.items = &grow;
    partitions.topics.count = 1;
    partitions.validate_only = true;
    cluster_begin(&x);
    controller_create_partitions(x.controller, &x.cmd, &partitions, &grown, &x.arena);
    cluster_end(&x);
    assert_int_equal(grown.results.items[0].error_code, KAFKA_NOT_CONTROLLER);

    struct incremental_alter_configs_request_alter_configs_resource resource;
    struct incremental_alter_configs_request alter;
    struct incremental_alter_configs_response altered;
    incremental_alter_configs_request_alter_configs_resource_init(&resource);
    incremental_alter_configs_request_init(&alter);
    alter.resources.items = &resource;
    alter.resources.count = 1;
    cluster_begin(&x);
    controller_incremental_alter_configs(x.controller, &x.cmd, &alter, &altered, &x.arena);
    cluster_end(&x);
    assert_int_equal(altered.responses.items[0].error_code, KAFKA_NOT_CONTROLLER);

    struct alter_configs_request_alter_configs_resource old_resource;
    struct alter_configs_request old_alter;
    struct alter_configs_response old_altered;
    alter_configs_request_alter_configs_resource_init(&old_resource);
    alter_configs_request_init(&old_alter);
    old_alter.resources.items = &old_resource;
    old_alter.resources.count = 1;
    cluster_begin(&x);
    controller_alter_configs(x.controller, &x.cmd, &old_alter, &old_altered, &x.arena);
    cluster_end(&x);
    assert_int_equal(old_altered.responses.items[0].error_code, KAFKA_NOT_CONTROLLER);

    struct registration r;
    registration_init(&r, 1, 1, 1);
    assert_int_equal(cluster_register(&x, &r).error_code, KAFKA_NOT_CONTROLLER);
    struct broker_heartbeat_request heartbeat;
    broker_heartbeat_request_init(&heartbeat);
    assert_int_equal(cluster_heartbeat(&x, &heartbeat).error_code, KAFKA_NOT_CONTROLLER);

    struct allocate_producer_ids_request allocate;
    struct allocate_producer_ids_response allocated;
    allocate_producer_ids_request_init(&allocate);
    cluster_begin(&x);
    controller_allocate_producer_ids(x.controller, &x.cmd, &allocate, &allocated, &x.arena);
    cluster_end(&x);
    assert_int_equal(allocated.error_code, KAFKA_NOT_CONTROLLER);

    struct assign_replicas_to_dirs_request assign;
    struct assign_replicas_to_dirs_response assigned;
    assign_replicas_to_dirs_request_init(&assign);
    cluster_begin(&x);
    controller_assign_replicas_to_dirs(x.controller, &x.cmd, &assign, &assigned, &x.arena);
    cluster_end(&x);
    assert_int_equal(assigned.error_code, KAFKA_NOT_CONTROLLER);

    struct controller_registration_request controller;
    struct controller_registration_response registered;
    controller_registration_request_init(&controller);
    cluster_begin(&x);
    controller_register_controller(x.controller, &x.cmd, &controller, &registered, &x.arena);
    cluster_end(&x);
    assert_int_equal(registered.error_code, KAFKA_NOT_CONTROLLER);
    text_is(registered.error_message, "This is not the correct controller for this cluster.");

    cluster_begin(&x);
    controller_fence_stale(x.controller, &x.cmd);
    assert_int_equal(cluster_end(&x), 0);
    assert_int_equal(controller_session_deadline_ms(x.controller), INT64_MAX);
    cluster_release(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bootstrap_records_are_kafkas),
        cmocka_unit_test(without_a_format_the_defaults_hold),
        cmocka_unit_test(logs_of_kafka_are_led_on),
        cmocka_unit_test(a_transaction_left_open_is_aborted),
        cmocka_unit_test(what_is_rejected_did_not_happen),
        cmocka_unit_test(what_was_not_committed_is_forgotten),
        cmocka_unit_test(leadership_may_end_inside_a_command),
        cmocka_unit_test(replies_wait_for_what_they_were_computed_from),
        cmocka_unit_test(a_controller_that_does_not_lead_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
