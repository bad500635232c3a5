// SPDX-License-Identifier: Apache-2.0
//
// What a later release wrote is recognised before anything is replayed.
#include "metadata/known.h"

#include "metadata/feature.h"
#include "testing.h"
#include "wire/record/feature_level_record.h"
#include "wire/record/kraft_version_record.h"
#include "wire/record/topic_record.h"
#include "wire/varint.h"

enum { BATCH_MAX = 1 << 16 };

static int known(struct bytes key, struct bytes value, int16_t attributes, struct diag *diag)
{
    struct buf out;
    struct batch_builder builder;
    struct batch_header header;
    struct bytes rest, batch;
    struct batch_options options = BATCH_OPTIONS_DEFAULT;
    options.base_offset = 41;
    options.attributes = attributes;
    buf_init(&out, BATCH_MAX);
    batch_builder_begin(&builder, &out, &options);
    batch_builder_add(&builder, 1, key, value, NULL, 0);
    assert_int_equal(batch_builder_finish(&builder, NULL), 0);
    rest = buf_bytes(&out);
    assert_int_equal(batch_next(&rest, &header, &batch), 1);
    diag_clear(diag);
    int err = metadata_batch_known(&header, batch, diag);
    assert_int_equal(err != 0, diag->text[0] != '\0');
    buf_release(&out);
    return err;
}

static int feature_known(const char *name, int16_t level, struct diag *diag)
{
    struct buf value;
    struct feature_level_record record = {str_from(name), level};
    buf_init(&value, BATCH_MAX);
    assert_int_equal(metadata_record_encode(METADATA_FEATURE_LEVEL_RECORD, 0, &record, &value), 0);
    int err = known(bytes_of(NULL, 0), buf_bytes(&value), 0, diag);
    buf_release(&value);
    return err;
}

static void features(void **state)
{
    static const struct {
        const char *name;
        int16_t level;
        int err;
    } cases[] = {
        {"metadata.version", METADATA_VERSION_MIN, 0},
        {"metadata.version", METADATA_VERSION_LATEST, 0},
        {"metadata.version", METADATA_VERSION_MIN - 1, ERR_UNSUPPORTED},
        {"metadata.version", METADATA_VERSION_LATEST + 1, ERR_UNSUPPORTED},
        {"share.version", 2, 0},
        {"share.version", 3, ERR_UNSUPPORTED},
        {"group.version", 0, 0},
        {"teleport.version", 0, 0},
        {"teleport.version", 1, ERR_UNSUPPORTED},
    };
    struct diag diag;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(feature_known(cases[i].name, cases[i].level, &diag), cases[i].err);
        if (cases[i].err != 0)
            assert_non_null(strstr(diag.text, cases[i].name));
    }
}

static int framed(uint32_t frame, uint32_t type, uint32_t version, const char *rest,
                  struct diag *diag)
{
    struct buf value;
    buf_init(&value, BATCH_MAX);
    buf_append_uvarint(&value, frame);
    buf_append_uvarint(&value, type);
    buf_append_uvarint(&value, version);
    buf_append_text(&value, rest);
    int err = known(bytes_of(NULL, 0), buf_bytes(&value), 0, diag);
    buf_release(&value);
    return err;
}

static void types_and_versions(void **state)
{
    struct diag diag;
    assert_int_equal(framed(1, METADATA_TOPIC_RECORD, 0, "not even a topic", &diag), 0);
    assert_int_equal(framed(1, METADATA_TOPIC_RECORD, 1, "", &diag), ERR_UNSUPPORTED);
    assert_non_null(strstr(diag.text, "TopicRecord"));
    assert_non_null(strstr(diag.text, "offset 41"));
    assert_int_equal(framed(1, METADATA_TOPIC_RECORD, 100000, "", &diag), ERR_UNSUPPORTED);
    assert_int_equal(framed(1, 4711, 0, "", &diag), ERR_UNSUPPORTED);
    assert_non_null(strstr(diag.text, "4711"));
    assert_int_equal(framed(1, UINT32_MAX, 0, "", &diag), ERR_UNSUPPORTED);
    assert_int_equal(framed(2, METADATA_TOPIC_RECORD, 0, "", &diag), ERR_UNSUPPORTED);
    // Damage is the loader's to tell.
    assert_int_equal(known(bytes_of(NULL, 0), bytes_of("\1", 1), 0, &diag), 0);
    assert_int_equal(known(bytes_of(NULL, 0), bytes_of(NULL, 0), 0, &diag), 0);
    assert_int_equal(framed(1, METADATA_FEATURE_LEVEL_RECORD, 0, "?", &diag), 0);
}

static void kraft_version(void **state)
{
    uint8_t key[CONTROL_KEY_SIZE];
    struct diag diag;
    control_key_store(key, CONTROL_KRAFT_VERSION);
    for (int16_t level = 0; level <= 2; level++) {
        struct buf value;
        struct kraft_version_record record = {.version = 0, .kraft_version = level};
        buf_init(&value, BATCH_MAX);
        assert_int_equal(wire_encode_buf(&kraft_version_record_schema, 0, &record, &value), 0);
        assert_int_equal(
            known(bytes_of(key, sizeof key), buf_bytes(&value), BATCH_CONTROL, &diag),
            level <= 1 ? 0 : ERR_UNSUPPORTED);
        buf_release(&value);
    }
    control_key_store(key, CONTROL_LEADER_CHANGE);
    assert_int_equal(known(bytes_of(key, sizeof key), bytes_of("x", 1), BATCH_CONTROL, &diag), 0);
}

static void kafkas_logs_are_known(void **state)
{
    static const char *const files[] = {"kafka-4.4.0.log", "kafka-4.0.1.log", "kafka-4.4.0.checkpoint",
                                        "kafka-4.0.1.checkpoint"};
    struct diag diag;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        struct bytes file = golden_read(files[i]), rest = file, batch;
        struct batch_header header;
        while (batch_next(&rest, &header, &batch) == 1)
            assert_int_equal(metadata_batch_known(&header, batch, &diag), 0);
        golden_free(file);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(features),
        cmocka_unit_test(types_and_versions),
        cmocka_unit_test(kraft_version),
        cmocka_unit_test(kafkas_logs_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
