// SPDX-License-Identifier: Apache-2.0
//
// The hash of topics, against those in a log that Apache Kafka 4.4.0 wrote. FROZEN.
#include "fixture.h"

#include "group/topic_hash.h"
#include "metadata/replay.h"
#include "wire/metadata_record.h"
#include "wire/record/partition_record.h"
#include "wire/record/register_broker_record.h"
#include "wire/record/topic_record.h"

static void apply(struct metadata_image *image, enum metadata_record_type type, const void *record)
{
    struct buf value;
    struct diag diag;
    buf_init(&value, 1 << 16);
    assert_int_equal(metadata_record_encode(type, 0, record, &value), 0);
    if (metadata_replay(image, buf_bytes(&value), 1, &diag) != 0)
        fail_msg("%s", diag.text);
    buf_release(&value);
}

static void add_broker(struct metadata_image *image, int32_t id, const char *rack)
{
    struct register_broker_record r;
    register_broker_record_init(&r);
    r.broker_id = id;
    r.rack = str_from(rack);
    apply(image, METADATA_REGISTER_BROKER_RECORD, &r);
}

static const struct metadata_topic *add_topic(struct metadata_image *image, const char *name,
                                              const char *id, int32_t partitions)
{
    struct uuid topic_id;
    int32_t node = 1;
    assert_true(uuid_parse(str_from(id), &topic_id));
    apply(image, METADATA_TOPIC_RECORD,
          &(struct topic_record){.name = str_from(name), .topic_id = topic_id});
    for (int32_t i = 0; i < partitions; i++) {
        struct partition_record r;
        partition_record_init(&r);
        r.partition_id = i;
        r.topic_id = topic_id;
        r.replicas = (struct wire_int32_array){&node, 1};
        r.isr = (struct wire_int32_array){&node, 1};
        r.leader = 1;
        r.leader_epoch = r.partition_epoch = 0;
        apply(image, METADATA_PARTITION_RECORD, &r);
    }
    return metadata_image_topic(image, str_from(name));
}

static void test_as_kafka(void **state)
{
    struct metadata_image *image = metadata_image_new();
    add_broker(image, 1, "rack1");
    const struct metadata_topic *grp = add_topic(image, "grp", "qlwpZZYyStGFQsvoAXgkbQ", 4);
    const struct metadata_topic *rdk = add_topic(image, "rdk", "JuANjbabSiKEItTQI5OLOA", 2);
    assert_int_equal(topics_hash(image, &grp, 1), INT64_C(2316899369659356719));
    assert_int_equal(topics_hash(image, &rdk, 1), INT64_C(-1448795771078521426));
    assert_int_equal(topics_hash(image, NULL, 0), 0);
    const struct metadata_topic *both[] = {grp, rdk};
    assert_int_not_equal(topics_hash(image, both, 2), topics_hash(image, &grp, 1));
    metadata_image_unref(image);
}

// A rack is part of it, and its length is counted in UTF-16 units.
static void test_racks(void **state)
{
    static const char *const racks[] = {NULL, "", "r", "\xc3\xa9", "\xf0\x9f\x98\x80"};
    int64_t hashes[5];
    for (int i = 0; i < 5; i++) {
        struct metadata_image *image = metadata_image_new();
        add_broker(image, 1, racks[i]);
        hashes[i] = topic_hash(image, add_topic(image, "t", "qlwpZZYyStGFQsvoAXgkbQ", 1));
        for (int k = 0; k < i; k++)
            assert_int_not_equal(hashes[i], hashes[k]);
        metadata_image_unref(image);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_kafka),
        cmocka_unit_test(test_racks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
