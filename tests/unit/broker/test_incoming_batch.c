// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "broker/incoming_batch.h"
#include "wire/errors.h"

enum { NOW_MS = 1000000000, SCRATCH_MAX = 1 << 20 };

struct fixture {
    struct topic_config config;
    struct buf batch;
    struct buf scratch;
    struct buf rebuilt;
    int16_t version;
    struct incoming_batch out;
};

static void setup(struct fixture *f)
{
    *f = (struct fixture){
        .config =
            {
                .cleanup_delete = true,
                .max_message_bytes = 100000,
                .compression = TOPIC_COMPRESSION_PRODUCER,
                .compression_gzip_level = -1,
                .compression_lz4_level = 9,
                .compression_zstd_level = 3,
                .timestamp_type = TOPIC_CREATE_TIME,
                .timestamp_before_max_ms = INT64_MAX,
                .timestamp_after_max_ms = 3600000,
            },
        .version = 9,
    };
    buf_init(&f->batch, SCRATCH_MAX);
    buf_init(&f->scratch, SCRATCH_MAX);
    buf_init(&f->rebuilt, SCRATCH_MAX);
}

static void teardown(struct fixture *f)
{
    buf_release(&f->batch);
    buf_release(&f->scratch);
    buf_release(&f->rebuilt);
}

static void build(struct fixture *f, enum codec codec, const char *key, int64_t timestamp)
{
    struct batch_options options = BATCH_OPTIONS_DEFAULT;
    options.codec = codec;
    options.producer_id = 77;
    options.producer_epoch = 1;
    options.base_sequence = 5;
    struct batch_builder builder;
    batch_builder_begin(&builder, &f->batch, &options);
    for (int i = 0; i < 3; i++)
        batch_builder_add(&builder, timestamp + i, str_bytes(str_from(key)),
                          bytes_of("value", 5), NULL, 0);
    assert_int_equal(batch_builder_finish(&builder, NULL), 0);
}

static int prepare_quickly(struct fixture *f, size_t quick_bytes_max)
{
    struct incoming_rules rules = {
        .config = &f->config,
        .produce_version = f->version,
        .now_ms = NOW_MS,
        .quick_bytes_max = quick_bytes_max,
        .scratch = &f->scratch,
        .rebuilt = &f->rebuilt,
    };
    return incoming_batch_prepare(&rules, buf_bytes(&f->batch), &f->out);
}

static int prepare(struct fixture *f)
{
    return prepare_quickly(f, 0);
}

static struct batch_header header_of(const struct fixture *f)
{
    struct batch_header header;
    assert_int_equal(batch_header_parse(bytes_of(f->out.data, f->out.size), &header), 0);
    assert_true(batch_crc_is_valid(bytes_of(f->out.data, f->out.size)));
    return header;
}

static void accepts_and_keeps_the_bytes(void **state)
{
    for (int codec = CODEC_NONE; codec < CODEC_COUNT; codec++) {
        struct fixture f;
        setup(&f);
        build(&f, (enum codec)codec, "k", NOW_MS);
        assert_int_equal(prepare(&f), KAFKA_NONE);
        assert_ptr_equal(f.out.data, f.batch.data);
        assert_int_equal(f.out.log_append_time_ms, -1);
        assert_int_equal(header_of(&f).max_timestamp, NOW_MS + 2);
        teardown(&f);
    }
}

static void log_append_time_is_stamped(void **state)
{
    struct fixture f;
    setup(&f);
    f.config.timestamp_type = TOPIC_LOG_APPEND_TIME;
    build(&f, CODEC_NONE, "k", 5);
    assert_int_equal(prepare(&f), KAFKA_NONE);
    struct batch_header header = header_of(&f);
    assert_true(batch_is_log_append_time(&header));
    assert_int_equal(header.max_timestamp, NOW_MS);
    assert_int_equal(f.out.log_append_time_ms, NOW_MS);
    teardown(&f);
}

static void recompresses_for_the_topic(void **state)
{
    for (int codec = CODEC_NONE; codec < CODEC_COUNT; codec++) {
        struct fixture f;
        setup(&f);
        f.config.compression = (enum topic_compression)codec;
        build(&f, codec == CODEC_GZIP ? CODEC_ZSTD : CODEC_GZIP, "k", NOW_MS);
        assert_int_equal(prepare(&f), KAFKA_NONE);
        struct batch_header header = header_of(&f);
        assert_int_equal(batch_codec(&header), codec);
        assert_int_equal(header.record_count, 3);
        assert_int_equal(header.producer_id, 77);
        assert_int_equal(header.producer_epoch, 1);
        assert_int_equal(header.base_sequence, 5);
        assert_int_equal(header.max_timestamp, NOW_MS + 2);
        teardown(&f);
    }
}

static void refuses(void **state)
{
    static const struct {
        const char *what;
        int kafka_error;
        enum codec codec;
        const char *key;
        int64_t timestamp;
        int32_t max_message_bytes;
        bool compacted;
        int16_t version;
        int flip_at; // a byte that is damaged; 0: none
        uint8_t flip_with;
    } cases[] = {
        {"too large", KAFKA_MESSAGE_TOO_LARGE, CODEC_NONE, "k", NOW_MS, 50, false, 9, 0, 0},
        {"no key", KAFKA_INVALID_RECORD, CODEC_NONE, NULL, NOW_MS, 100000, true, 9, 0, 0},
        {"future", KAFKA_INVALID_TIMESTAMP, CODEC_NONE, "k", NOW_MS + 3600001, 100000, false, 9, 0, 0},
        {"zstd", KAFKA_UNSUPPORTED_COMPRESSION_TYPE, CODEC_ZSTD, "k", NOW_MS, 100000, false, 6, 0, 0},
        {"damaged", KAFKA_CORRUPT_MESSAGE, CODEC_NONE, "k", NOW_MS, 100000, false, 9, 70, 1},
        {"magic 0", KAFKA_INVALID_RECORD, CODEC_NONE, "k", NOW_MS, 100000, false, 9, 16, 2},
        {"magic 3", KAFKA_CORRUPT_MESSAGE, CODEC_NONE, "k", NOW_MS, 100000, false, 9, 16, 1},
        {"base offset", KAFKA_INVALID_RECORD, CODEC_NONE, "k", NOW_MS, 100000, false, 9, 7, 1},
        {"length", KAFKA_INVALID_RECORD, CODEC_NONE, "k", NOW_MS, 100000, false, 9, 10, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture f;
        setup(&f);
        f.config.max_message_bytes = cases[i].max_message_bytes;
        f.config.cleanup_compact = cases[i].compacted;
        f.version = cases[i].version;
        build(&f, cases[i].codec, cases[i].key, cases[i].timestamp);
        if (cases[i].flip_at > 0)
            f.batch.data[cases[i].flip_at] ^= cases[i].flip_with;
        int kafka_error = prepare(&f);
        if (kafka_error != cases[i].kafka_error)
            print_error("%s: %d\n", cases[i].what, kafka_error);
        assert_int_equal(kafka_error, cases[i].kafka_error);
        assert_non_null(f.out.message);
        teardown(&f);
    }
}

// What takes long is left as it came, for somebody who has the time.
static void what_takes_long_is_told_apart(void **state)
{
    for (int codec = CODEC_NONE; codec < CODEC_COUNT; codec++) {
        struct fixture f;
        setup(&f);
        build(&f, (enum codec)codec, "k", NOW_MS);
        size_t size = f.batch.size;
        uint8_t *before = mem_alloc(size);
        memcpy(before, f.batch.data, size);
        assert_int_equal(prepare_quickly(&f, size / 4 - 1), INCOMING_BATCH_LONG);
        // To be compressed anew counts for more, even if the codec is the same but the topic's is not.
        f.config.compression = codec == CODEC_GZIP ? TOPIC_COMPRESSION_LZ4 : TOPIC_COMPRESSION_GZIP;
        assert_int_equal(prepare_quickly(&f, 200), INCOMING_BATCH_LONG);
        assert_memory_equal(f.batch.data, before, size);
        assert_int_equal(prepare_quickly(&f, 10000), KAFKA_NONE);
        f.config.compression = TOPIC_COMPRESSION_PRODUCER;
        assert_int_equal(prepare_quickly(&f, 200), KAFKA_NONE);
        mem_free(before);
        // A bomb may be one, or just more than is looked at now.
        buf_release(&f.scratch);
        buf_init(&f.scratch, 10);
        if (codec != CODEC_NONE) {
            assert_int_equal(prepare_quickly(&f, 200), INCOMING_BATCH_LONG);
            assert_int_equal(prepare(&f), KAFKA_INVALID_RECORD);
        }
        teardown(&f);
    }
}

static void times_outside_any_range_do_not_overflow(void **state)
{
    static const int64_t times[] = {INT64_MIN + 3, -2, INT64_MAX - 3};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        struct fixture f;
        setup(&f);
        f.config.timestamp_after_max_ms = INT64_MAX;
        build(&f, CODEC_NONE, "k", times[i]);
        int kafka_error = prepare(&f);
        assert_true(kafka_error == KAFKA_NONE || kafka_error == KAFKA_INVALID_TIMESTAMP);
        teardown(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_and_keeps_the_bytes),
        cmocka_unit_test(log_append_time_is_stamped),
        cmocka_unit_test(recompresses_for_the_topic),
        cmocka_unit_test(refuses),
        cmocka_unit_test(what_takes_long_is_told_apart),
        cmocka_unit_test(times_outside_any_range_do_not_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
