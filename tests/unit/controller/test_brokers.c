// SPDX-License-Identifier: Apache-2.0
//
// The life of brokers: registration, service, shutdown, loss; and what becomes of partitions.
#include "cluster.h"

#include "wire/api/allocate_producer_ids.h"
#include "wire/api/assign_replicas_to_dirs.h"
#include "wire/api/controller_registration.h"
#include "wire/api/create_topics.h"
#include "wire/api/incremental_alter_configs.h"
#include "wire/record/broker_registration_change_record.h"
#include "wire/record/partition_change_record.h"
#include "wire/record/producer_ids_record.h"
#include "wire/record/register_broker_record.h"
#include "wire/record/register_controller_record.h"

static void create_topic(struct cluster *x, const char *name, struct wire_int32_array replicas,
                         const char *config, const char *value)
{
    struct create_topics_request_creatable_topic t;
    struct create_topics_request_creatable_replica_assignment assignment = {0, replicas};
    struct create_topics_request_creatable_topic_config c = {str_from(config), str_from(value)};
    struct create_topics_request request;
    struct create_topics_response reply;
    create_topics_request_creatable_topic_init(&t);
    t.name = str_from(name);
    t.num_partitions = t.replication_factor = -1;
    t.assignments.items = &assignment;
    t.assignments.count = 1;
    t.configs.items = &c;
    t.configs.count = config != NULL;
    create_topics_request_init(&request);
    request.topics.items = &t;
    request.topics.count = 1;
    cluster_begin(x);
    controller_create_topics(x->controller, &x->cmd, &request, &reply, &x->arena);
    cluster_end(x);
    if (reply.topics.items[0].error_code != 0)
        fail_msg("%.*s", STR_ARG(reply.topics.items[0].error_message));
}

static const struct metadata_partition *partition(struct cluster *x, const char *topic)
{
    return metadata_image_topic(cluster_image(x), str_from(topic))->partitions[0];
}

static void ids_are(struct replicas list, int a, int b)
{
    int expected = (a != 0) + (b != 0);
    assert_int_equal(list.count, expected);
    if (a != 0)
        assert_int_equal(list.ids[0], a);
    if (b != 0)
        assert_int_equal(list.ids[1], b);
}

static void fence_silent(struct cluster *x)
{
    cluster_begin(x);
    controller_fence_stale(x->controller, &x->cmd);
    cluster_end(x);
}

static void heartbeat_plain(struct cluster *x, int32_t id)
{
    struct broker_heartbeat_request r = heartbeat_of(x, id);
    assert_int_equal(cluster_heartbeat(x, &r).error_code, 0);
}

static void registration_is_checked(void **state)
{
    struct cluster x;
    cluster_init(&x);
    struct registration r;

    registration_init(&r, 2, 1, 1);
    r.request.cluster_id = str_from("other");
    assert_int_equal(cluster_register(&x, &r).error_code, KAFKA_INCONSISTENT_CLUSTER_ID);

    registration_init(&r, 1, 9, 1); // another incarnation of a broker that is alive
    struct broker_registration_response reply = cluster_register(&x, &r);
    assert_int_equal(reply.error_code, KAFKA_DUPLICATE_BROKER_REGISTRATION);
    assert_int_equal(reply.broker_epoch, -1);

    registration_init(&r, 2, 1, 1);
    r.request.is_migrating_zk_broker = true;
    assert_int_equal(cluster_register(&x, &r).error_code, KAFKA_BROKER_ID_NOT_REGISTERED);

    registration_init(&r, 2, 1, 0); // no directory
    assert_int_equal(cluster_register(&x, &r).error_code, KAFKA_INVALID_REGISTRATION);
    registration_init(&r, 2, 1, 2); // one twice
    r.directories[1] = r.directories[0];
    assert_int_equal(cluster_register(&x, &r).error_code, KAFKA_INVALID_REGISTRATION);
    registration_init(&r, 2, 1, 1); // a reserved id
    r.directories[0] = DIRECTORY_LOST;
    assert_int_equal(cluster_register(&x, &r).error_code, KAFKA_INVALID_REGISTRATION);
    registration_init(&r, 2, 1, 1); // another broker's
    r.directories[0] = (struct uuid){{0xdd, 1, 1}};
    assert_int_equal(cluster_register(&x, &r).error_code, KAFKA_INVALID_REGISTRATION);

    for (int i = 0; i < FEATURE_COUNT; i++) { // every finalized feature must be in range
        registration_init(&r, 2, 1, 1);
        r.features[i].max_supported_version--;
        assert_int_equal(cluster_register(&x, &r).error_code, KAFKA_UNSUPPORTED_VERSION);
        registration_init(&r, 2, 1, 1);
        r.features[i].name = str_from("absent");
        assert_int_equal(cluster_register(&x, &r).error_code, KAFKA_UNSUPPORTED_VERSION);
    }
    assert_int_equal(x.record_count, 0);

    registration_init(&r, 2, 1, 1);
    int64_t next = x.next_offset;
    reply = cluster_register(&x, &r);
    assert_int_equal(reply.error_code, 0);
    assert_int_equal(reply.broker_epoch, next);
    const struct register_broker_record *record =
        cluster_record(&x, 0, METADATA_REGISTER_BROKER_RECORD, 4);
    assert_int_equal(record->broker_epoch, next);
    assert_true(record->fenced);
    assert_int_equal(record->cordoned_log_dirs.count, -1);
    assert_int_equal(record->features.count, FEATURE_COUNT + 1);
    cluster_release(&x);
}

// Byte for byte the record at offset 12 of the golden log, from the request that made it.
static void registration_bytes_are_kafkas(void **state)
{
    struct bytes log = golden_read("kafka-4.4.0.log"), rest = log, batch;
    struct batch_header h;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    while (batch_next(&rest, &h, &batch) == 1 && h.base_offset != 12)
        ;
    struct batch_iter iter;
    struct record golden;
    struct metadata_record decoded;
    assert_int_equal(batch_iter_init(&iter, batch, NULL), 0);
    assert_int_equal(batch_iter_next(&iter, &golden), 1);
    assert_int_equal(metadata_record_decode(golden.value, &arena, &decoded), 0);
    const struct register_broker_record *theirs = decoded.message;

    struct cluster x;
    cluster_init_empty(&x);
    cluster_activate(&x);
    x.next_offset = 9;
    struct registration r;
    registration_init(&r, 1, 1, 0);
    r.request.incarnation_id = theirs->incarnation_id;
    r.request.rack = theirs->rack;
    r.request.log_dirs = theirs->log_dirs;
    r.listener = (struct broker_registration_request_listener){
        theirs->end_points.items[0].name, theirs->end_points.items[0].host,
        theirs->end_points.items[0].port, theirs->end_points.items[0].security_protocol};
    assert_int_equal(theirs->features.count, FEATURE_COUNT + 1);
    for (int32_t i = 0; i < theirs->features.count; i++)
        r.features[i] = (struct broker_registration_request_feature){
            theirs->features.items[i].name, theirs->features.items[i].min_supported_version,
            theirs->features.items[i].max_supported_version};
    struct controller_input input = cluster_input(&x);
    input.next_offset = 12;
    struct broker_registration_response reply;
    controller_begin(x.controller, &x.cmd, &input);
    controller_register_broker(x.controller, &x.cmd, &r.request, 0, &reply, &x.arena);
    assert_int_equal(reply.error_code, 0);
    assert_int_equal(x.cmd.record_count, 1);
    assert_true(bytes_equal(x.cmd.values[0], golden.value));
    controller_reject(x.controller, &x.cmd);
    cluster_release(&x);
    arena_release(&arena);
    golden_free(log);
}

static void the_same_incarnation_stays_what_it_is(void **state)
{
    struct cluster x;
    cluster_init(&x);
    const struct metadata_broker *b = metadata_image_broker(cluster_image(&x), 1);
    int64_t epoch = b->epoch;
    struct registration r;
    registration_init(&r, 1, 101, 1);
    r.listener.port = 9999;
    struct broker_registration_response reply = cluster_register(&x, &r);
    assert_int_equal(reply.error_code, 0);
    assert_int_equal(reply.broker_epoch, epoch);
    b = metadata_image_broker(cluster_image(&x), 1);
    assert_false(b->fenced);
    assert_int_equal(b->node.endpoints[0].port, 9999);
    cluster_release(&x);
}

static void a_broker_is_unfenced_when_it_has_caught_up(void **state)
{
    struct cluster x;
    cluster_init_empty(&x);
    cluster_activate(&x);
    struct registration r;
    registration_init(&r, 1, 1, 1);
    int64_t offset = x.next_offset;
    cluster_register(&x, &r);

    struct broker_heartbeat_request h = heartbeat_of(&x, 1);
    h.broker_epoch++;
    assert_int_equal(cluster_heartbeat(&x, &h).error_code, KAFKA_STALE_BROKER_EPOCH);
    h = heartbeat_of(&x, 1);
    h.broker_id = 97;
    assert_int_equal(cluster_heartbeat(&x, &h).error_code, KAFKA_STALE_BROKER_EPOCH);

    h = heartbeat_of(&x, 1);
    h.current_metadata_offset = offset - 1;
    struct broker_heartbeat_response reply = cluster_heartbeat(&x, &h);
    assert_int_equal(reply.error_code, 0);
    assert_false(reply.is_caught_up);
    assert_true(reply.is_fenced);
    h.current_metadata_offset = offset;
    h.want_fence = true;
    reply = cluster_heartbeat(&x, &h);
    assert_true(reply.is_caught_up);
    assert_true(reply.is_fenced);
    assert_int_equal(x.record_count, 0);

    // As in the golden log: unfenced in version 0, and an empty list of cordoned directories in
    // version 3, once.
    h.want_fence = false;
    h.cordoned_log_dirs.count = 0;
    reply = cluster_heartbeat(&x, &h);
    assert_true(reply.is_caught_up);
    assert_false(reply.is_fenced);
    assert_int_equal(x.record_count, 2);
    const struct broker_registration_change_record *change =
        cluster_record(&x, 0, METADATA_BROKER_REGISTRATION_CHANGE_RECORD, 0);
    assert_int_equal(change->fenced, -1);
    change = cluster_record(&x, 1, METADATA_BROKER_REGISTRATION_CHANGE_RECORD, 3);
    assert_int_equal(change->fenced, 0);
    assert_int_equal(change->cordoned_log_dirs.count, 0);
    cluster_heartbeat(&x, &h);
    assert_int_equal(x.record_count, 0);
    cluster_release(&x);
}

// The records of Kafka 4.4 when the only broker stops (offsets 199 to 240 of the golden log), and
// the way back.
static void the_only_broker_stops_and_comes_back(void **state)
{
    struct cluster x;
    cluster_init(&x);
    create_topic(&x, "t", IDS(1), NULL, NULL);
    int64_t epoch = metadata_image_broker(cluster_image(&x), 1)->epoch;
    struct broker_heartbeat_request h = heartbeat_of(&x, 1);
    h.want_shut_down = true;
    struct broker_heartbeat_response reply = cluster_heartbeat(&x, &h);
    assert_false(reply.should_shut_down);
    assert_false(reply.is_fenced);
    assert_int_equal(x.record_count, 2);
    const struct broker_registration_change_record *change =
        cluster_record(&x, 0, METADATA_BROKER_REGISTRATION_CHANGE_RECORD, 1);
    assert_int_equal(change->in_controlled_shutdown, 1);
    const struct partition_change_record *p =
        cluster_record(&x, 1, METADATA_PARTITION_CHANGE_RECORD, 2);
    assert_int_equal(p->isr.count, 0);
    assert_int_equal(p->leader, NO_LEADER);
    assert_int_equal(p->eligible_leader_replicas.items[0], 1);
    assert_int_equal(p->last_known_elr.items[0], 1);
    assert_int_equal(p->leader_recovery_state, -1);
    assert_int_equal(p->directories.count, -1);

    reply = cluster_heartbeat(&x, &h);
    assert_true(reply.should_shut_down);
    assert_true(reply.is_fenced);
    assert_int_equal(x.record_count, 1);
    change = cluster_record(&x, 0, METADATA_BROKER_REGISTRATION_CHANGE_RECORD, 0);
    assert_int_equal(change->fenced, 1);

    // The controller is another one after the restart; so nobody holds the old session against it.
    controller_resign(x.controller);
    cluster_activate(&x);
    assert_int_equal(x.record_count, 0);
    struct registration r;
    registration_init(&r, 1, 55, 1);
    r.request.previous_broker_epoch = epoch;
    assert_int_equal(cluster_register(&x, &r).error_code, 0);
    assert_int_equal(x.record_count, 1); // it stopped cleanly: nothing is lost
    heartbeat_plain(&x, 1);
    assert_int_equal(x.record_count, 2);
    p = cluster_record(&x, 1, METADATA_PARTITION_CHANGE_RECORD, 2);
    assert_int_equal(p->leader, 1);
    assert_int_equal(p->isr.count, 1);
    assert_int_equal(p->eligible_leader_replicas.count, 0);
    assert_int_equal(p->last_known_elr.count, 0);
    assert_int_equal(p->leader_recovery_state, -1);
    assert_int_equal(partition(&x, "t")->leader_epoch, 2);
    cluster_release(&x);
}

static void the_only_broker_is_killed_and_comes_back(void **state)
{
    struct cluster x;
    cluster_init(&x);
    create_topic(&x, "t", IDS(1), NULL, NULL);
    controller_resign(x.controller);
    cluster_activate(&x);
    struct registration r;
    registration_init(&r, 1, 55, 1);
    int64_t next = x.next_offset;
    struct broker_registration_response reply = cluster_register(&x, &r);
    assert_int_equal(reply.error_code, 0);
    assert_int_equal(reply.broker_epoch, next); // of the first record, not of RegisterBroker
    assert_int_equal(x.record_count, 2);
    const struct partition_change_record *p =
        cluster_record(&x, 0, METADATA_PARTITION_CHANGE_RECORD, 2);
    assert_int_equal(p->isr.count, 0);
    assert_int_equal(p->leader, NO_LEADER);
    assert_int_equal(p->eligible_leader_replicas.count, -1);
    assert_int_equal(p->last_known_elr.items[0], 1);
    assert_int_equal(metadata_image_broker(cluster_image(&x), 1)->register_offset, next + 1);

    heartbeat_plain(&x, 1);
    p = cluster_record(&x, 1, METADATA_PARTITION_CHANGE_RECORD, 2);
    assert_int_equal(p->leader, 1);
    assert_int_equal(p->isr.items[0], 1);
    assert_int_equal(p->leader_recovery_state, LEADER_RECOVERING);
    assert_int_equal(p->last_known_elr.count, 0);
    cluster_release(&x);
}

// Transcript of Kafka 4.4: both replicas lost, one back, then the other, which led last.
static void eligible_leaders_and_the_last_known_one(void **state)
{
    struct cluster x;
    cluster_init_empty(&x);
    cluster_activate(&x);
    for (int32_t id = 4; id <= 6; id++)
        cluster_add_broker(&x, id, NULL, 1);
    create_topic(&x, "e", IDS(5, 6), "min.insync.replicas", "2");

    x.now_ms += 5000;
    heartbeat_plain(&x, 4);
    heartbeat_plain(&x, 5);
    x.now_ms += 5000;
    heartbeat_plain(&x, 4);
    heartbeat_plain(&x, 5);
    assert_int_equal(controller_session_deadline_ms(x.controller), x.now_ms - 1000);
    fence_silent(&x);
    assert_int_equal(x.record_count, 2);
    const struct partition_change_record *p =
        cluster_record(&x, 0, METADATA_PARTITION_CHANGE_RECORD, 2);
    assert_int_equal(p->isr.count, 1);
    assert_int_equal(p->leader, -2); // as it was: 5 leads on
    assert_int_equal(p->eligible_leader_replicas.items[0], 6);
    cluster_record(&x, 1, METADATA_BROKER_REGISTRATION_CHANGE_RECORD, 0);
    fence_silent(&x); // once
    assert_int_equal(x.record_count, 0);

    x.now_ms += 8000;
    heartbeat_plain(&x, 4);
    x.now_ms += 1000;
    fence_silent(&x);
    p = cluster_record(&x, 0, METADATA_PARTITION_CHANGE_RECORD, 2);
    assert_int_equal(p->leader, NO_LEADER);
    ids_are(partition(&x, "e")->isr, 0, 0);
    ids_are(partition(&x, "e")->elr, 6, 5);
    ids_are(partition(&x, "e")->last_known_elr, 5, 0);

    // 6 comes back without proof of a clean stop: it leaves the ELR, before its registration.
    struct registration r;
    registration_init(&r, 6, 66, 1);
    int64_t next = x.next_offset;
    assert_int_equal(cluster_register(&x, &r).broker_epoch, next);
    assert_int_equal(x.record_count, 2);
    p = cluster_record(&x, 0, METADATA_PARTITION_CHANGE_RECORD, 2);
    assert_int_equal(p->isr.count, -1);
    assert_int_equal(p->leader, -2);
    assert_int_equal(p->eligible_leader_replicas.count, 1);
    assert_int_equal(p->last_known_elr.count, -1);
    cluster_record(&x, 1, METADATA_REGISTER_BROKER_RECORD, 4);
    heartbeat_plain(&x, 6);
    assert_int_equal(x.record_count, 1); // it may not lead
    ids_are(partition(&x, "e")->elr, 5, 0);

    // 5, the last leader, has lost its tail, too; it is still the best there is.
    registration_init(&r, 5, 55, 1);
    cluster_register(&x, &r);
    ids_are(partition(&x, "e")->elr, 0, 0);
    heartbeat_plain(&x, 5);
    p = cluster_record(&x, 1, METADATA_PARTITION_CHANGE_RECORD, 2);
    assert_int_equal(p->isr.items[0], 5);
    assert_int_equal(p->leader, 5);
    assert_int_equal(p->leader_recovery_state, LEADER_RECOVERING);
    assert_int_equal(p->eligible_leader_replicas.count, -1);
    assert_int_equal(p->last_known_elr.count, 0);
    cluster_release(&x);
}

static void an_unclean_election_needs_permission(void **state)
{
    for (int allowed = 0; allowed < 2; allowed++) {
        struct cluster x;
        cluster_init_empty(&x);
        cluster_activate(&x);
        for (int32_t id = 5; id <= 6; id++)
            cluster_add_broker(&x, id, NULL, 1);
        create_topic(&x, "e", IDS(5, 6), "unclean.leader.election.enable",
                     allowed ? "true" : "false");
        struct broker_heartbeat_request h = heartbeat_of(&x, 6);
        h.want_fence = true;
        cluster_heartbeat(&x, &h); // ISR 5; with min.insync.replicas 1 nobody else is eligible
        ids_are(partition(&x, "e")->isr, 5, 0);
        ids_are(partition(&x, "e")->elr, 0, 0);
        h = heartbeat_of(&x, 5);
        h.want_fence = true;
        cluster_heartbeat(&x, &h);
        assert_int_equal(partition(&x, "e")->leader, NO_LEADER);
        ids_are(partition(&x, "e")->elr, 5, 0);
        heartbeat_plain(&x, 6);
        assert_int_equal(partition(&x, "e")->leader, allowed ? 6 : NO_LEADER);
        if (allowed) {
            ids_are(partition(&x, "e")->isr, 6, 0);
            ids_are(partition(&x, "e")->elr, 0, 0);
            ids_are(partition(&x, "e")->last_known_elr, 0, 0);
            assert_int_equal(partition(&x, "e")->leader_recovery_state, LEADER_RECOVERING);
        }
        cluster_release(&x);
    }
}

static void leadership_moves_when_a_broker_shuts_down(void **state)
{
    struct cluster x;
    cluster_init_empty(&x);
    cluster_activate(&x);
    for (int32_t id = 1; id <= 3; id++)
        cluster_add_broker(&x, id, NULL, 1);
    create_topic(&x, "t", IDS(1, 2, 3), NULL, NULL);
    struct broker_heartbeat_request h = heartbeat_of(&x, 1);
    h.want_shut_down = true;
    struct broker_heartbeat_response reply = cluster_heartbeat(&x, &h);
    assert_false(reply.should_shut_down);
    const struct partition_change_record *p =
        cluster_record(&x, 1, METADATA_PARTITION_CHANGE_RECORD, 2);
    assert_int_equal(p->leader, 2);
    ids_are(partition(&x, "t")->isr, 2, 3);
    assert_int_equal(partition(&x, "t")->leader_epoch, 1);

    // It may go when the others know.
    reply = cluster_heartbeat(&x, &h);
    assert_false(reply.should_shut_down);
    heartbeat_plain(&x, 2);
    reply = cluster_heartbeat(&x, &h);
    assert_false(reply.should_shut_down);
    heartbeat_plain(&x, 3);
    reply = cluster_heartbeat(&x, &h);
    assert_true(reply.should_shut_down);

    // A broker that leads nothing goes at once.
    h = heartbeat_of(&x, 3);
    h.want_shut_down = true;
    assert_true(cluster_heartbeat(&x, &h).should_shut_down);
    ids_are(partition(&x, "t")->isr, 2, 0);
    cluster_release(&x);
}

static void without_elr_the_last_member_stays_in_the_isr(void **state)
{
    struct cluster x;
    cluster_init_empty(&x);
    struct feature_levels levels;
    struct diag diag;
    // As a cluster formatted by Kafka 4.0.
    struct bytes file = golden_read("kafka-4.0.1-bootstrap.checkpoint");
    struct metadata_loader *format = metadata_loader_new();
    assert_int_equal(metadata_loader_snapshot(format, file, 0, 0, &diag), 0);
    struct controller_input input = cluster_input(&x);
    assert_int_equal(controller_activate(x.controller, &x.cmd, &input,
                                         metadata_loader_image(x.loader), false,
                                         metadata_loader_image(format), &diag),
                     0);
    cluster_end(&x);
    levels = *metadata_image_features(cluster_image(&x));
    assert_int_equal(levels.level[FEATURE_METADATA_VERSION], 25);
    assert_int_equal(levels.level[FEATURE_ELIGIBLE_LEADER_REPLICAS_VERSION], 0);
    cluster_add_broker(&x, 1, NULL, 1);
    create_topic(&x, "t", IDS(1), "min.insync.replicas", "1");
    assert_int_equal(x.record_count, 3); // no ClearElr
    struct broker_heartbeat_request h = heartbeat_of(&x, 1);
    h.want_shut_down = true;
    cluster_heartbeat(&x, &h);
    const struct partition_change_record *p =
        cluster_record(&x, 1, METADATA_PARTITION_CHANGE_RECORD, 2);
    assert_int_equal(p->leader, NO_LEADER);
    assert_int_equal(p->isr.count, -1);
    assert_int_equal(p->eligible_leader_replicas.count, -1);
    ids_are(partition(&x, "t")->isr, 1, 0);
    cluster_heartbeat(&x, &h);

    // Another incarnation, and then one that follows a kill: the leader epoch rises each time.
    struct registration r;
    controller_resign(x.controller);
    cluster_activate(&x);
    registration_init(&r, 1, 2, 1);
    assert_int_equal(cluster_register(&x, &r).error_code, 0);
    cluster_record(&x, 0, METADATA_REGISTER_BROKER_RECORD, 3);
    heartbeat_plain(&x, 1);
    assert_int_equal(partition(&x, "t")->leader, 1);
    assert_int_equal(partition(&x, "t")->leader_epoch, 2);
    assert_int_equal(partition(&x, "t")->leader_recovery_state, LEADER_RECOVERED);
    controller_resign(x.controller);
    cluster_activate(&x);
    registration_init(&r, 1, 3, 1);
    cluster_register(&x, &r);
    assert_int_equal(partition(&x, "t")->leader, NO_LEADER);
    heartbeat_plain(&x, 1);
    assert_int_equal(partition(&x, "t")->leader, 1);
    assert_int_equal(partition(&x, "t")->leader_epoch, 4);
    metadata_loader_free(format);
    golden_free(file);
    cluster_release(&x);
}

static struct assign_replicas_to_dirs_response assign(struct cluster *x, int64_t epoch,
                                                      struct uuid directory, struct uuid topic,
                                                      int32_t index)
{
    struct assign_replicas_to_dirs_request_partition_data p = {index};
    struct assign_replicas_to_dirs_request_topic_data t = {topic, {&p, 1}};
    struct assign_replicas_to_dirs_request_directory_data d = {directory, {&t, 1}};
    struct assign_replicas_to_dirs_request request;
    struct assign_replicas_to_dirs_response reply;
    assign_replicas_to_dirs_request_init(&request);
    request.broker_id = 1;
    request.broker_epoch = epoch;
    request.directories.items = &d;
    request.directories.count = 1;
    cluster_begin(x);
    controller_assign_replicas_to_dirs(x->controller, &x->cmd, &request, &reply, &x->arena);
    cluster_end(x);
    return reply;
}

static int16_t assign_code(const struct assign_replicas_to_dirs_response *reply)
{
    return reply->directories.items[0].topics.items[0].partitions.items[0].error_code;
}

static void replicas_get_and_lose_directories(void **state)
{
    struct cluster x;
    cluster_init_empty(&x);
    cluster_activate(&x);
    cluster_add_broker(&x, 1, NULL, 2);
    cluster_add_broker(&x, 2, NULL, 1);
    create_topic(&x, "t", IDS(1, 2), NULL, NULL);
    create_topic(&x, "u", IDS(2), NULL, NULL);
    assert_true(uuid_equal(partition(&x, "t")->directories[0], DIRECTORY_UNASSIGNED));
    int64_t epoch = metadata_image_broker(cluster_image(&x), 1)->epoch;
    struct uuid first = {{0xdd, 1, 1}}, second = {{0xdd, 1, 2}};
    struct uuid t = metadata_image_topic(cluster_image(&x), str_from("t"))->id;
    struct uuid u = metadata_image_topic(cluster_image(&x), str_from("u"))->id;

    assert_int_equal(assign(&x, epoch + 1, first, t, 0).error_code, KAFKA_STALE_BROKER_EPOCH);
    struct assign_replicas_to_dirs_response reply = assign(&x, epoch, first, t, 0);
    assert_int_equal(assign_code(&reply), 0);
    assert_int_equal(x.record_count, 1);
    const struct partition_change_record *p =
        cluster_record(&x, 0, METADATA_PARTITION_CHANGE_RECORD, 2);
    assert_int_equal(p->directories.count, 2);
    assert_true(uuid_equal(p->directories.items[0], first));
    assert_int_equal(p->isr.count, -1);
    assert_int_equal(p->leader, -2);
    reply = assign(&x, epoch, first, t, 0); // the same again
    assert_int_equal(assign_code(&reply), 0);
    assert_int_equal(x.record_count, 0);
    reply = assign(&x, epoch, first, test_id(3), 0);
    assert_int_equal(assign_code(&reply), KAFKA_UNKNOWN_TOPIC_ID);
    reply = assign(&x, epoch, first, t, 5);
    assert_int_equal(assign_code(&reply), KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    reply = assign(&x, epoch, first, u, 0);
    assert_int_equal(assign_code(&reply), KAFKA_NOT_LEADER_OR_FOLLOWER);

    // The directory fails: the replica leaves, 2 leads, and the registration loses the directory.
    struct broker_heartbeat_request h = heartbeat_of(&x, 1);
    h.offline_log_dirs = (struct wire_uuid_array){&first, 1};
    cluster_heartbeat(&x, &h);
    assert_int_equal(x.record_count, 2);
    cluster_record(&x, 0, METADATA_PARTITION_CHANGE_RECORD, 2);
    const struct broker_registration_change_record *change =
        cluster_record(&x, 1, METADATA_BROKER_REGISTRATION_CHANGE_RECORD, 2);
    assert_int_equal(change->log_dirs.count, 1);
    assert_true(uuid_equal(change->log_dirs.items[0], second));
    assert_int_equal(partition(&x, "t")->leader, 2);
    ids_are(partition(&x, "t")->isr, 2, 0);
    cluster_heartbeat(&x, &h);
    assert_int_equal(x.record_count, 0);
    cluster_release(&x);
}

static struct allocate_producer_ids_response allocate(struct cluster *x, int32_t id, int64_t epoch)
{
    struct allocate_producer_ids_request request;
    struct allocate_producer_ids_response reply;
    allocate_producer_ids_request_init(&request);
    request.broker_id = id;
    request.broker_epoch = epoch;
    cluster_begin(x);
    controller_allocate_producer_ids(x->controller, &x->cmd, &request, &reply, &x->arena);
    cluster_end(x);
    return reply;
}

static void producer_ids_come_in_blocks(void **state)
{
    struct cluster x;
    cluster_init(&x);
    int64_t epoch = metadata_image_broker(cluster_image(&x), 1)->epoch;
    for (int64_t i = 0; i < 3; i++) {
        struct allocate_producer_ids_response reply = allocate(&x, 1, epoch);
        assert_int_equal(reply.error_code, 0);
        assert_int_equal(reply.producer_id_start, i * 1000);
        assert_int_equal(reply.producer_id_len, 1000);
        const struct producer_ids_record *record =
            cluster_record(&x, 0, METADATA_PRODUCER_IDS_RECORD, 0);
        assert_int_equal(record->broker_id, 1);
        assert_int_equal(record->broker_epoch, epoch);
        assert_int_equal(record->next_producer_id, (i + 1) * 1000);
    }
    assert_int_equal(allocate(&x, 1, epoch + 1).error_code, KAFKA_STALE_BROKER_EPOCH);
    assert_int_equal(allocate(&x, 97, -1).error_code, KAFKA_STALE_BROKER_EPOCH);
    cluster_release(&x);
}

static void controllers_register(void **state)
{
    struct cluster x;
    cluster_init(&x);
    struct controller_registration_request_listener listener = {str_from("CONTROLLER"),
                                                                str_from("h"), 9093, 0};
    struct controller_registration_request_feature features[FEATURE_COUNT];
    for (int i = 0; i < FEATURE_COUNT; i++) {
        const struct feature_info *f = feature_info((enum feature)i);
        features[i] = (struct controller_registration_request_feature){str_from(f->name),
                                                                       f->level_min, f->level_max};
    }
    struct controller_registration_request request;
    struct controller_registration_response reply;
    controller_registration_request_init(&request);
    request.controller_id = 1;
    request.incarnation_id = test_id(4);
    request.listeners.items = &listener;
    request.listeners.count = 1;
    request.features.items = features;
    request.features.count = FEATURE_COUNT;
    cluster_begin(&x);
    controller_register_controller(x.controller, &x.cmd, &request, &reply, &x.arena);
    cluster_end(&x);
    assert_int_equal(reply.error_code, 0);
    text_is(reply.error_message, "");
    const struct register_controller_record *record =
        cluster_record(&x, 0, METADATA_REGISTER_CONTROLLER_RECORD, 0);
    assert_int_equal(record->end_points.items[0].port, 9093);
    assert_int_equal(record->features.count, FEATURE_COUNT);

    features[FEATURE_METADATA_VERSION].max_supported_version = 30;
    cluster_begin(&x);
    controller_register_controller(x.controller, &x.cmd, &request, &reply, &x.arena);
    cluster_end(&x);
    assert_int_equal(reply.error_code, KAFKA_UNSUPPORTED_VERSION);
    assert_int_equal(x.record_count, 0);
    cluster_release(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(registration_is_checked),
        cmocka_unit_test(registration_bytes_are_kafkas),
        cmocka_unit_test(the_same_incarnation_stays_what_it_is),
        cmocka_unit_test(a_broker_is_unfenced_when_it_has_caught_up),
        cmocka_unit_test(the_only_broker_stops_and_comes_back),
        cmocka_unit_test(the_only_broker_is_killed_and_comes_back),
        cmocka_unit_test(eligible_leaders_and_the_last_known_one),
        cmocka_unit_test(an_unclean_election_needs_permission),
        cmocka_unit_test(leadership_moves_when_a_broker_shuts_down),
        cmocka_unit_test(without_elr_the_last_member_stays_in_the_isr),
        cmocka_unit_test(replicas_get_and_lose_directories),
        cmocka_unit_test(producer_ids_come_in_blocks),
        cmocka_unit_test(controllers_register),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
