// SPDX-License-Identifier: Apache-2.0
//
// CreateTopics, DeleteTopics, CreatePartitions: records, results, and Kafka's errors.
#include "cluster.h"

#include "wire/api/create_partitions.h"
#include "wire/api/create_topics.h"
#include "wire/api/delete_topics.h"
#include "wire/record/clear_elr_record.h"
#include "wire/record/config_record.h"
#include "wire/record/partition_record.h"
#include "wire/record/remove_topic_record.h"
#include "wire/record/topic_record.h"

static struct create_topics_request_creatable_topic topic_of(const char *name, int32_t partitions,
                                                             int16_t factor)
{
    struct create_topics_request_creatable_topic t;
    create_topics_request_creatable_topic_init(&t);
    t.name = str_from(name);
    t.num_partitions = partitions;
    t.replication_factor = factor;
    return t;
}

static struct create_topics_response create(struct cluster *x,
                                            struct create_topics_request_creatable_topic *topics,
                                            int count, bool validate_only)
{
    struct create_topics_request request;
    struct create_topics_response reply;
    create_topics_request_init(&request);
    request.topics.items = topics;
    request.topics.count = count;
    request.validate_only = validate_only;
    cluster_begin(x);
    controller_create_topics(x->controller, &x->cmd, &request, &reply, &x->arena);
    assert_true(x->cmd.atomic);
    cluster_end(x);
    return reply;
}

static void create_one(struct cluster *x, const char *name, int32_t partitions)
{
    struct create_topics_request_creatable_topic t = topic_of(name, partitions, 1);
    assert_int_equal(create(x, &t, 1, false).topics.items[0].error_code, 0);
}

// Its index; the count when it is not there.
static int32_t config_index(const struct create_topics_response_creatable_topic_result *r,
                            const char *name)
{
    int32_t at = 0;
    while (at < r->configs.count && !str_is(r->configs.items[at].name, name))
        at++;
    return at;
}

static const struct create_topics_response_creatable_topic_configs *
config_named(const struct create_topics_response_creatable_topic_result *r, const char *name)
{
    assert_true(config_index(r, name) < r->configs.count);
    return &r->configs.items[config_index(r, name)];
}

static void records_are_kafkas(void **state)
{
    struct cluster x;
    cluster_init(&x);
    struct create_topics_request_creatable_topic t = topic_of("t", 2, -1);
    struct create_topics_request_creatable_topic_config configs[] = {
        {str_from("min.insync.replicas"), str_from("1")},
        {str_from("retention.ms"), str_from("60000")}};
    t.configs.items = configs;
    t.configs.count = 2;
    struct create_topics_response reply = create(&x, &t, 1, false);
    const struct create_topics_response_creatable_topic_result *r = &reply.topics.items[0];
    assert_int_equal(r->error_code, 0);
    text_is(r->error_message, NULL);
    assert_int_equal(r->num_partitions, 2);
    assert_int_equal(r->replication_factor, 1);

    // Topic, its settings, ClearElr since one of them is min.insync.replicas, its partitions.
    assert_int_equal(x.record_count, 6);
    const struct topic_record *topic = cluster_record(&x, 0, METADATA_TOPIC_RECORD, 0);
    text_is(topic->name, "t");
    assert_true(uuid_equal(topic->topic_id, r->topic_id));
    assert_false(uuid_is_reserved(r->topic_id));
    const struct config_record *config = cluster_record(&x, 1, METADATA_CONFIG_RECORD, 0);
    assert_int_equal(config->resource_type, 2);
    text_is(config->resource_name, "t");
    text_is(config->name, "min.insync.replicas");
    text_is(config->value, "1");
    cluster_record(&x, 2, METADATA_CONFIG_RECORD, 0);
    const struct clear_elr_record *clear = cluster_record(&x, 3, METADATA_CLEAR_ELR_RECORD, 0);
    text_is(clear->topic_name, "t");
    for (int32_t i = 0; i < 2; i++) {
        const struct partition_record *p =
            cluster_record(&x, (size_t)(4 + i), METADATA_PARTITION_RECORD, 2);
        assert_int_equal(p->partition_id, i);
        assert_int_equal(p->replicas.count, 1);
        assert_int_equal(p->replicas.items[0], 1);
        assert_int_equal(p->isr.count, 1);
        assert_int_equal(p->removing_replicas.count, 0);
        assert_int_equal(p->adding_replicas.count, 0);
        assert_int_equal(p->leader, 1);
        assert_int_equal(p->leader_recovery_state, 0);
        assert_int_equal(p->leader_epoch, 0);
        assert_int_equal(p->partition_epoch, 0);
        assert_int_equal(p->directories.count, 1);
        // The broker's only directory.
        assert_int_equal(p->directories.items[0].bytes[0], 0xdd);
        assert_int_equal(p->eligible_leader_replicas.count, -1);
        assert_int_equal(p->last_known_elr.count, -1);
    }
    const struct create_topics_response_creatable_topic_configs *c =
        config_named(r, "retention.ms");
    text_is(c->value, "60000");
    assert_int_equal(c->config_source, 1);
    c = config_named(r, "segment.bytes");
    text_is(c->value, "1073741824");
    assert_int_equal(c->config_source, 5);
    assert_false(c->read_only);
    assert_int_equal(config_index(r, "internal.segment.bytes"), r->configs.count);
    cluster_release(&x);
}

// The bytes of Kafka 4.4's own records for a topic (offsets 16 and 17 of the golden log), from a
// broker with two directories.
static void bytes_are_kafkas(void **state)
{
    struct bytes log = golden_read("kafka-4.4.0.log"), batch;
    struct batch_header h;
    struct bytes rest = log, theirs[2] = {{0}};
    while (batch_next(&rest, &h, &batch) == 1) {
        struct batch_iter iter;
        struct record record;
        assert_int_equal(batch_iter_init(&iter, batch, NULL), 0);
        while (batch_iter_next(&iter, &record) == 1)
            if (record.offset == 16 || record.offset == 17)
                theirs[record.offset - 16] = record.value;
    }
    struct cluster x;
    cluster_init_empty(&x);
    cluster_activate(&x);
    cluster_add_broker(&x, 1, NULL, 2);
    struct create_topics_request_creatable_topic t = topic_of("codec-none", 1, 1);
    struct create_topics_request request;
    struct create_topics_response reply;
    create_topics_request_init(&request);
    request.topics.items = &t;
    request.topics.count = 1;
    cluster_begin(&x);
    controller_create_topics(x.controller, &x.cmd, &request, &reply, &x.arena);
    assert_int_equal(x.cmd.record_count, 2);
    // Both values but for the topic id: it ends the first one (and the tag count), and stands
    // behind the partition id in the second.
    struct bytes topic = x.cmd.values[0], partition = x.cmd.values[1];
    assert_int_equal(topic.size, theirs[0].size);
    assert_memory_equal(topic.data, theirs[0].data, topic.size - UUID_SIZE - 1);
    assert_int_equal(partition.size, theirs[1].size);
    assert_memory_equal(partition.data, theirs[1].data, 7);
    assert_memory_equal(partition.data + 7 + UUID_SIZE, theirs[1].data + 7 + UUID_SIZE,
                        partition.size - 7 - UUID_SIZE);
    cluster_end(&x);
    cluster_release(&x);
    golden_free(log);
}

static void errors_are_kafkas(void **state)
{
    struct cluster x;
    cluster_init(&x);
    create_one(&x, "there", 1);
    create_one(&x, "a.b", 1);
    static const struct {
        const char *name;
        int32_t partitions;
        int16_t factor;
        const char *config, *value;
        int16_t code;
        const char *text;
    } cases[] = {
        {"", 1, 1, NULL, NULL, KAFKA_INVALID_TOPIC_EXCEPTION,
         "Topic name is invalid: the empty string is not allowed"},
        {"bad name", 1, 1, NULL, NULL, KAFKA_INVALID_TOPIC_EXCEPTION,
         "Topic name is invalid: 'bad name' contains one or more characters other than ASCII "
         "alphanumerics, '.', '_' and '-'"},
        {"there", 1, 1, NULL, NULL, KAFKA_TOPIC_ALREADY_EXISTS, "Topic 'there' already exists."},
        {"a_b", 1, 1, NULL, NULL, KAFKA_INVALID_TOPIC_EXCEPTION,
         "Topic 'a_b' collides with existing topic: a.b"},
        {"__cluster_metadata", 1, 1, NULL, NULL, KAFKA_INVALID_REQUEST,
         "Creation of internal topic __cluster_metadata is prohibited."},
        {"t", 1, 9, NULL, NULL, KAFKA_INVALID_REPLICATION_FACTOR,
         "Unable to replicate the partition 9 time(s): The target replication factor of 9 cannot be "
         "reached because only 1 broker(s) are registered or some brokers have all their log "
         "directories cordoned."},
        {"t", 1, 0, NULL, NULL, KAFKA_INVALID_REPLICATION_FACTOR,
         "Replication factor must be larger than 0, or -1 to use the default value."},
        {"t", 1, -2, NULL, NULL, KAFKA_INVALID_REPLICATION_FACTOR,
         "Replication factor must be larger than 0, or -1 to use the default value."},
        {"t", 0, 1, NULL, NULL, KAFKA_INVALID_PARTITIONS,
         "Number of partitions was set to an invalid non-positive value."},
        {"t", -5, 1, NULL, NULL, KAFKA_INVALID_PARTITIONS,
         "Number of partitions was set to an invalid non-positive value."},
        {"t", 10001, 1, NULL, NULL, KAFKA_POLICY_VIOLATION,
         "Excessively large number of partitions per request."},
        {"t", 10000, 1, NULL, NULL, KAFKA_POLICY_VIOLATION,
         "Unable to perform excessively large batch operation."},
        {"t", 1, 1, "no.such", "1", KAFKA_INVALID_CONFIG, "Unknown topic config name: no.such"},
        {"t", 1, 1, "retention.ms", NULL, KAFKA_INVALID_CONFIG,
         "Null value not supported for topic configs: retention.ms"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct create_topics_request_creatable_topic t =
            topic_of(cases[i].name, cases[i].partitions, cases[i].factor);
        struct create_topics_request_creatable_topic_config config = {str_from(cases[i].config),
                                                                      str_from(cases[i].value)};
        t.configs.items = &config;
        t.configs.count = cases[i].config != NULL;
        struct create_topics_response reply = create(&x, &t, 1, false);
        assert_int_equal(reply.topics.count, 1);
        assert_int_equal(reply.topics.items[0].error_code, cases[i].code);
        text_is(reply.topics.items[0].error_message, cases[i].text);
        assert_int_equal(reply.topics.items[0].num_partitions, -1);
        assert_int_equal(reply.topics.items[0].replication_factor, -1);
        assert_int_equal(reply.topics.items[0].configs.count, 0);
        assert_true(uuid_is_zero(reply.topics.items[0].topic_id));
        assert_int_equal(x.record_count, 0);
    }
    cluster_release(&x);
}

static void a_bad_value_is_named(void **state)
{
    struct cluster x;
    cluster_init(&x);
    struct create_topics_request_creatable_topic t = topic_of("t", 1, 1);
    struct create_topics_request_creatable_topic_config config = {str_from("segment.ms"),
                                                                  str_from("x")};
    t.configs.items = &config;
    t.configs.count = 1;
    struct create_topics_response reply = create(&x, &t, 1, false);
    assert_int_equal(reply.topics.items[0].error_code, KAFKA_INVALID_CONFIG);
    assert_true(str_starts_with(reply.topics.items[0].error_message,
                                "Invalid value x for configuration segment.ms"));
    cluster_release(&x);
}

static void topics_of_a_request_go_for_themselves(void **state)
{
    struct cluster x;
    cluster_init(&x);
    struct create_topics_request_creatable_topic topics[] = {
        topic_of("one", 1, 1), topic_of("two", 1, 2),  topic_of("dup", 1, 1),
        topic_of("x.y", 1, 1), topic_of("dup", 2, 1), topic_of("x_y", 1, 1),
    };
    struct create_topics_response reply = create(&x, topics, 6, false);
    static const struct {
        const char *name;
        int16_t code;
    } expected[] = {{"one", 0},
                    {"two", KAFKA_INVALID_REPLICATION_FACTOR},
                    {"dup", KAFKA_INVALID_REQUEST},
                    {"x.y", 0},
                    {"x_y", KAFKA_INVALID_TOPIC_EXCEPTION}};
    assert_int_equal(reply.topics.count, 5); // a name that comes twice is answered once
    for (int i = 0; i < 5; i++) {
        text_is(reply.topics.items[i].name, expected[i].name);
        assert_int_equal(reply.topics.items[i].error_code, expected[i].code);
    }
    text_is(reply.topics.items[2].error_message, "Duplicate topic name.");
    assert_int_equal(metadata_image_topic_count(cluster_image(&x)), 2);
    assert_int_equal(x.record_count, 4);
    cluster_release(&x);
}

static void validation_changes_nothing(void **state)
{
    struct cluster x;
    cluster_init(&x);
    struct create_topics_request_creatable_topic t = topic_of("t", -1, -1);
    struct create_topics_response reply = create(&x, &t, 1, true);
    assert_int_equal(reply.topics.items[0].error_code, 0);
    assert_int_equal(reply.topics.items[0].num_partitions, 1);
    assert_int_equal(reply.topics.items[0].replication_factor, 1);
    assert_true(reply.topics.items[0].configs.count > 30);
    assert_int_equal(x.record_count, 0);
    assert_int_equal(metadata_image_topic_count(cluster_image(&x)), 0);
    cluster_release(&x);
}

static void assignments_are_checked(void **state)
{
    struct cluster x;
    cluster_init_empty(&x);
    cluster_activate(&x);
    for (int32_t id = 1; id <= 3; id++)
        cluster_add_broker(&x, id, NULL, 1);
    // Broker 3 is fenced.
    struct broker_heartbeat_request fence = heartbeat_of(&x, 3);
    fence.want_fence = true;
    assert_true(cluster_heartbeat(&x, &fence).is_fenced);

    static const struct {
        int32_t ids[3][3]; // 0 ends a list
        int32_t index[3];
        int count;
        int32_t partitions;
        int16_t factor;
        int16_t code;
        const char *text;
    } cases[] = {
        {{{1, 2}, {2, 1}}, {0, 1}, 2, -1, -1, 0, NULL},
        {{{2, 1}, {1, 2}}, {1, 0}, 2, -1, -1, 0, NULL},
        {{{3, 1}}, {0}, 1, -1, -1, 0, NULL},
        {{{1}}, {0}, 1, 1, -1, KAFKA_INVALID_REQUEST,
         "A manual partition assignment was specified, but numPartitions was not set to -1."},
        {{{1}}, {0}, 1, -1, 1, KAFKA_INVALID_REQUEST,
         "A manual partition assignment was specified, but replication factor was not set to -1."},
        {{{1}, {1}}, {0, 2}, 2, -1, -1, KAFKA_INVALID_REPLICA_ASSIGNMENT,
         "partitions should be a consecutive 0-based integer sequence"},
        {{{1}, {2}}, {0, 0}, 2, -1, -1, KAFKA_INVALID_REPLICA_ASSIGNMENT,
         "Found multiple manual partition assignments for partition 0"},
        {{{0}}, {0}, 1, -1, -1, KAFKA_INVALID_REPLICA_ASSIGNMENT,
         "The manual partition assignment includes an empty replica list."},
        {{{1, 7}}, {0}, 1, -1, -1, KAFKA_INVALID_REPLICA_ASSIGNMENT,
         "The manual partition assignment includes broker 7, but no such broker is registered."},
        {{{1, 2, 1}}, {0}, 1, -1, -1, KAFKA_INVALID_REPLICA_ASSIGNMENT,
         "The manual partition assignment includes the broker 1 more than once."},
        {{{1, 2}, {1}}, {0, 1}, 2, -1, -1, KAFKA_INVALID_REPLICA_ASSIGNMENT,
         "The manual partition assignment includes a partition with 1 replica(s), but this is not "
         "consistent with previous partitions, which have 2 replica(s)."},
        {{{3}}, {0}, 1, -1, -1, KAFKA_INVALID_REPLICA_ASSIGNMENT,
         "All brokers specified in the manual partition assignment for partition 0 are fenced or in "
         "controlled shutdown."},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char name[16];
        snprintf(name, sizeof name, "t%zu", i);
        struct create_topics_request_creatable_topic t =
            topic_of(name, cases[i].partitions, cases[i].factor);
        struct create_topics_request_creatable_replica_assignment assignments[3];
        int32_t ids[3][3];
        memcpy(ids, cases[i].ids, sizeof ids);
        for (int p = 0; p < cases[i].count; p++) {
            int n = 0;
            while (n < 3 && ids[p][n] != 0)
                n++;
            assignments[p].partition_index = cases[i].index[p];
            assignments[p].broker_ids = ids_of(ids[p], n);
        }
        t.assignments.items = assignments;
        t.assignments.count = cases[i].count;
        struct create_topics_response reply = create(&x, &t, 1, false);
        assert_int_equal(reply.topics.items[0].error_code, cases[i].code);
        text_is(reply.topics.items[0].error_message, cases[i].text);
        assert_int_equal(x.record_count, cases[i].code == 0 ? (size_t)cases[i].count + 1 : 0);
    }
    // Given in any order, the preferred leader is the first; one that is fenced does not lead.
    const struct metadata_topic *t = metadata_image_topic(cluster_image(&x), str_from("t1"));
    assert_int_equal(t->partitions[0]->replicas.ids[0], 1);
    assert_int_equal(t->partitions[1]->replicas.ids[0], 2);
    t = metadata_image_topic(cluster_image(&x), str_from("t2"));
    assert_int_equal(t->partitions[0]->leader, 1);
    assert_int_equal(t->partitions[0]->isr.count, 1);
    assert_int_equal(t->partitions[0]->replicas.count, 2);
    cluster_release(&x);
}

static struct delete_topics_response delete_topics(struct cluster *x,
                                                   const struct delete_topics_request *request)
{
    struct delete_topics_response reply;
    cluster_begin(x);
    controller_delete_topics(x->controller, &x->cmd, request, &reply, &x->arena);
    cluster_end(x);
    return reply;
}

static void topics_are_deleted_by_name_and_id(void **state)
{
    struct cluster x;
    cluster_init(&x);
    static const char *const names[] = {"a", "b", "c", "d"};
    for (int i = 0; i < 4; i++)
        create_one(&x, names[i], 2);
    struct uuid b = metadata_image_topic(cluster_image(&x), str_from("b"))->id;
    struct uuid c = metadata_image_topic(cluster_image(&x), str_from("c"))->id;

    struct str by_name[] = {str_from("a"), str_from("nope"), str_from("d"), str_from("d")};
    struct delete_topics_request request;
    delete_topics_request_init(&request);
    request.topic_names = (struct wire_string_array){by_name, 4};
    struct delete_topics_response reply = delete_topics(&x, &request);
    assert_int_equal(reply.responses.count, 3);
    assert_int_equal(reply.responses.items[0].error_code, 0);
    text_is(reply.responses.items[0].error_message, NULL);
    assert_int_equal(reply.responses.items[1].error_code, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    text_is(reply.responses.items[1].error_message,
            "This server does not host this topic-partition.");
    assert_int_equal(reply.responses.items[2].error_code, KAFKA_INVALID_REQUEST);
    text_is(reply.responses.items[2].error_message, "Duplicate topic name.");
    assert_int_equal(x.record_count, 1);
    cluster_record(&x, 0, METADATA_REMOVE_TOPIC_RECORD, 0);
    assert_null(metadata_image_topic(cluster_image(&x), str_from("a")));

    struct delete_topics_request_delete_topic_state states[] = {
        {str_of(NULL, 0), b},
        {str_from("c"), {{0}}},
        {str_of(NULL, 0), c},                  // the same by its id
        {str_of(NULL, 0), test_id(9)},
        {str_of(NULL, 0), {{0}}},
        {str_from("d"), test_id(8)},
        {str_of(NULL, 0), test_id(7)},
        {str_of(NULL, 0), test_id(7)},
    };
    static const struct {
        const char *name;
        int16_t code;
        const char *text;
    } expected[] = {
        {"b", 0, NULL},
        {"c", KAFKA_INVALID_REQUEST,
         "The provided topic name maps to an ID that was already supplied."},
        {NULL, KAFKA_UNKNOWN_TOPIC_ID, "This server does not host this topic ID."},
        {NULL, KAFKA_INVALID_REQUEST, "Neither topic name nor id were specified."},
        {"d", KAFKA_INVALID_REQUEST, "You may not specify both topic name and topic id."},
        {NULL, KAFKA_INVALID_REQUEST, "Duplicate topic id."},
    };
    delete_topics_request_init(&request);
    request.topics.items = states;
    request.topics.count = 8;
    reply = delete_topics(&x, &request);
    assert_int_equal(reply.responses.count, 6);
    for (int i = 0; i < 6; i++) {
        text_is(reply.responses.items[i].name, expected[i].name);
        assert_int_equal(reply.responses.items[i].error_code, expected[i].code);
        text_is(reply.responses.items[i].error_message, expected[i].text);
    }
    assert_true(uuid_equal(reply.responses.items[0].topic_id, b));
    assert_true(uuid_equal(reply.responses.items[1].topic_id, c));
    assert_int_equal(metadata_image_topic_count(cluster_image(&x)), 2); // c stays
    cluster_release(&x);
}

static void deletion_can_be_disabled(void **state)
{
    struct cluster x;
    cluster_init(&x);
    create_one(&x, "a", 1);
    assert_int_equal(config_override(x.config, "delete.topic.enable=false", NULL), 0);
    struct str name = str_from("a");
    struct delete_topics_request request;
    delete_topics_request_init(&request);
    request.topic_names = (struct wire_string_array){&name, 1};
    struct delete_topics_response reply = delete_topics(&x, &request);
    assert_int_equal(reply.responses.items[0].error_code, KAFKA_TOPIC_DELETION_DISABLED);
    assert_non_null(metadata_image_topic(cluster_image(&x), str_from("a")));
    cluster_release(&x);
}

static void partitions_are_added(void **state)
{
    struct cluster x;
    cluster_init_empty(&x);
    cluster_activate(&x);
    cluster_add_broker(&x, 1, NULL, 1);
    cluster_add_broker(&x, 2, NULL, 1);
    struct create_topics_request_creatable_topic t = topic_of("t", 2, 2);
    create(&x, &t, 1, false);
    create_one(&x, "u", 1);
    create_one(&x, "v", 1);

    int32_t ids[] = {2, 1}, one[] = {1};
    struct create_partitions_request_create_partitions_assignment good = {ids_of(ids, 2)},
                                                                  short_list = {ids_of(one, 1)},
                                                                  none = {ids_of(NULL, 0)};
    static const struct {
        const char *name;
        int32_t count;
        int assignments; // -1: null
        int which;       // 0 good, 1 too short, 2 empty
        int16_t code;
        const char *text;
        size_t records;
    } cases[] = {
        {"nope", 5, -1, 0, KAFKA_UNKNOWN_TOPIC_OR_PARTITION, NULL, 0},
        {"t", 2, -1, 0, KAFKA_INVALID_PARTITIONS, "Topic already has 2 partition(s).", 0},
        {"t", 1, -1, 0, KAFKA_INVALID_PARTITIONS,
         "The topic t currently has 2 partition(s); 1 would not be an increase.", 0},
        {"t", -1, -1, 0, KAFKA_INVALID_PARTITIONS,
         "The topic t currently has 2 partition(s); -1 would not be an increase.", 0},
        {"t", 3, 0, 0, KAFKA_INVALID_REPLICA_ASSIGNMENT,
         "Attempted to add 1 additional partition(s), but only 0 assignment(s) were specified.", 0},
        {"t", 3, 1, 1, KAFKA_INVALID_REPLICA_ASSIGNMENT,
         "The manual partition assignment includes a partition with 1 replica(s), but this is not "
         "consistent with previous partitions, which have 2 replica(s).",
         0},
        {"t", 3, 1, 2, KAFKA_INVALID_REPLICA_ASSIGNMENT,
         "The manual partition assignment includes an empty replica list.", 0},
        {"t", 2147483647, -1, 0, KAFKA_POLICY_VIOLATION,
         "Excessively large number of additional partitions per request.", 0},
        {"t", 3, 1, 0, 0, NULL, 1},
        {"t", 6, -1, 0, 0, NULL, 3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct create_partitions_request_create_partitions_topic topic;
        create_partitions_request_create_partitions_topic_init(&topic);
        topic.name = str_from(cases[i].name);
        topic.count = cases[i].count;
        topic.assignments.items =
            cases[i].which == 0 ? &good : cases[i].which == 1 ? &short_list : &none;
        topic.assignments.count = cases[i].assignments;
        struct create_partitions_request request;
        struct create_partitions_response reply;
        create_partitions_request_init(&request);
        request.topics.items = &topic;
        request.topics.count = 1;
        for (int real = 0; real < 2; real++) {
            request.validate_only = real == 0;
            cluster_begin(&x);
            controller_create_partitions(x.controller, &x.cmd, &request, &reply, &x.arena);
            cluster_end(&x);
            assert_int_equal(reply.results.items[0].error_code, cases[i].code);
            text_is(reply.results.items[0].error_message, cases[i].text);
            assert_int_equal(x.record_count, real ? cases[i].records : 0);
        }
    }
    const struct metadata_topic *now = metadata_image_topic(cluster_image(&x), str_from("t"));
    assert_int_equal(now->partition_count, 6);
    assert_int_equal(now->partitions[2]->leader, 2);
    for (int32_t i = 0; i < 6; i++)
        assert_int_equal(now->partitions[i]->replicas.count, 2);

    struct create_partitions_request_create_partitions_topic twice[2];
    for (int i = 0; i < 2; i++) {
        create_partitions_request_create_partitions_topic_init(&twice[i]);
        twice[i].name = str_from("u");
        twice[i].count = 3 + i;
        twice[i].assignments.count = -1;
    }
    struct create_partitions_request request;
    struct create_partitions_response reply;
    create_partitions_request_init(&request);
    request.topics.items = twice;
    request.topics.count = 2;
    cluster_begin(&x);
    controller_create_partitions(x.controller, &x.cmd, &request, &reply, &x.arena);
    cluster_end(&x);
    assert_int_equal(reply.results.count, 1);
    assert_int_equal(reply.results.items[0].error_code, KAFKA_INVALID_REQUEST);
    text_is(reply.results.items[0].error_message, "Duplicate topic name.");
    cluster_release(&x);
}

static void an_arena_that_is_full_is_survived(void **state)
{
    struct cluster x;
    cluster_init(&x);
    struct create_topics_request_creatable_topic t = topic_of("t", 1, 1);
    struct create_topics_request request;
    create_topics_request_init(&request);
    request.topics.items = &t;
    request.topics.count = 1;
    for (size_t max = 0; max < 6000; max += 64) {
        struct arena small;
        struct create_topics_response reply;
        arena_init(&small, max);
        cluster_begin(&x);
        controller_create_topics(x.controller, &x.cmd, &request, &reply, &small);
        assert_true(reply.topics.count == 0 ? x.cmd.record_count == 0 : x.cmd.record_count == 2);
        controller_reject(x.controller, &x.cmd);
        arena_release(&small);
    }
    cluster_release(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_kafkas),
        cmocka_unit_test(bytes_are_kafkas),
        cmocka_unit_test(errors_are_kafkas),
        cmocka_unit_test(a_bad_value_is_named),
        cmocka_unit_test(topics_of_a_request_go_for_themselves),
        cmocka_unit_test(validation_changes_nothing),
        cmocka_unit_test(assignments_are_checked),
        cmocka_unit_test(topics_are_deleted_by_name_and_id),
        cmocka_unit_test(deletion_can_be_disabled),
        cmocka_unit_test(partitions_are_added),
        cmocka_unit_test(an_arena_that_is_full_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
