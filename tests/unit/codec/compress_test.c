// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include <lz4frame.h>
#include <snappy-c.h>
#include <zstd.h>

#include "base/be.h"
#include "base/err.h"
#include "base/prng.h"
#include "codec/compress.h"

enum { ROOM = 16 << 20, TEXT_MAX = 300000 };

static const enum codec codecs[] = {CODEC_NONE, CODEC_GZIP, CODEC_SNAPPY, CODEC_LZ4, CODEC_ZSTD};

#define FOR_EACH_CODEC(c)                                                                         \
    for (size_t c##_i = 0; c##_i < 5; c##_i++)                                                    \
        for (enum codec c = codecs[c##_i], *c##_once = &c; c##_once != NULL; c##_once = NULL)

// Text with repetitions, so that it shrinks, but not to nothing.
static struct bytes make_text(size_t size, uint64_t seed)
{
    static uint8_t text[TEXT_MAX];
    struct prng prng;
    prng_init(&prng, seed);
    for (size_t i = 0; i < size;) {
        size_t run = 4 + prng_below(&prng, 12);
        bool repeat = i > 40 && prng_chance(&prng, 3, 4);
        size_t back = 16 + prng_below(&prng, i < 2000 ? 24 : 1900);
        for (; run > 0 && i < size; run--, i++)
            text[i] = repeat ? text[i - back] : (uint8_t)(prng_next(&prng) >> 32);
    }
    return bytes_of(text, size);
}

static void pack(enum codec codec, int level, struct bytes in, struct buf *out)
{
    buf_init(out, ROOM);
    assert_int_equal(codec_compress(codec, level, in, out), 0);
}

static void check_decompresses(enum codec codec, struct bytes in, struct bytes want)
{
    struct buf out;
    // Exactly the room it needs, behind what is there already.
    buf_init(&out, want.size + 3);
    buf_append_text(&out, "abc");
    assert_int_equal(codec_decompress(codec, in, &out), 0);
    assert_int_equal(out.size, want.size + 3);
    assert_true(bytes_equal(bytes_of(out.data + 3, want.size), want));
    assert_true(out.capacity <= out.size_max);
    buf_release(&out);
}

static void test_names(void **state)
{
    enum codec codec = CODEC_NONE;
    FOR_EACH_CODEC(c)
    {
        assert_true(codec_parse(str_from(codec_name((int)c)), &codec));
        assert_int_equal(codec, c);
    }
    assert_null(codec_name(5));
    assert_null(codec_name(-1));
    assert_false(codec_parse(str_from("brotli"), &codec));
}

static void test_levels(void **state)
{
    static const struct {
        enum codec codec;
        int level;
        bool valid;
    } cases[] = {
        {CODEC_GZIP, 1, true},    {CODEC_GZIP, 9, true},      {CODEC_GZIP, -1, true},
        {CODEC_GZIP, 0, false},   {CODEC_GZIP, 10, false},    {CODEC_LZ4, 1, true},
        {CODEC_LZ4, 17, true},    {CODEC_LZ4, 18, false},     {CODEC_ZSTD, 22, true},
        {CODEC_ZSTD, -5, true},   {CODEC_ZSTD, 23, false},    {CODEC_SNAPPY, 99, true},
        {CODEC_NONE, 0, true},    {CODEC_ZSTD, CODEC_LEVEL_DEFAULT, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(codec_level_is_valid(cases[i].codec, cases[i].level), cases[i].valid);
}

static void test_round_trips(void **state)
{
    static const size_t sizes[] = {0, 1, 2, 100, 32767, 32768, 32769, 65536, 65537, TEXT_MAX};
    FOR_EACH_CODEC(c)
    {
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            if (c == CODEC_NONE && sizes[i] == 0)
                continue;
            struct bytes text = make_text(sizes[i], i);
            struct buf packed;
            pack(c, CODEC_LEVEL_DEFAULT, text, &packed);
            assert_true(packed.size <= CODEC_SIZE_MAX(text.size));
            if (c != CODEC_NONE && sizes[i] > 1000)
                assert_true(packed.size < text.size);
            if (packed.size > 0)
                check_decompresses(c, buf_bytes(&packed), text);
            buf_release(&packed);
        }
    }
}

static void test_every_level_reads_back(void **state)
{
    struct bytes text = make_text(20000, 3);
    static const struct {
        enum codec codec;
        int level;
    } cases[] = {{CODEC_GZIP, 1}, {CODEC_GZIP, 9}, {CODEC_GZIP, -1}, {CODEC_LZ4, 1},
                 {CODEC_LZ4, 17}, {CODEC_ZSTD, -20}, {CODEC_ZSTD, 19}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf packed;
        pack(cases[i].codec, cases[i].level, text, &packed);
        check_decompresses(cases[i].codec, buf_bytes(&packed), text);
        buf_release(&packed);
    }
}

// Incompressible bytes fit in the stated worst case.
static void test_worst_case(void **state)
{
    static uint8_t noise[200000];
    struct prng prng;
    prng_init(&prng, 11);
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (uint8_t)(prng_next(&prng) >> 32);
    FOR_EACH_CODEC(c)
    {
        struct buf packed;
        buf_init(&packed, CODEC_SIZE_MAX(sizeof noise));
        struct bytes in = bytes_of(noise, sizeof noise);
        assert_int_equal(codec_compress(c, CODEC_LEVEL_DEFAULT, in, &packed), 0);
        check_decompresses(c, buf_bytes(&packed), in);
        buf_release(&packed);
    }
}

// What Java's readers need of an lz4 frame, and the first bytes of xerial's framing.
static void test_forms(void **state)
{
    struct bytes text = make_text(100000, 5);
    struct buf packed;
    pack(CODEC_LZ4, CODEC_LEVEL_DEFAULT, text, &packed);
    // Version 1, independent blocks, no checksums, no content size; blocks of 64 KiB.
    assert_memory_equal(packed.data, "\x04\x22\x4d\x18\x60\x40", 6);
    buf_release(&packed);
    pack(CODEC_SNAPPY, CODEC_LEVEL_DEFAULT, text, &packed);
    assert_memory_equal(packed.data, "\x82SNAPPY\0\0\0\0\1\0\0\0\1", 16);
    buf_release(&packed);
    pack(CODEC_GZIP, CODEC_LEVEL_DEFAULT, text, &packed);
    assert_memory_equal(packed.data, "\x1f\x8b\x08", 3);
    buf_release(&packed);
    pack(CODEC_ZSTD, CODEC_LEVEL_DEFAULT, text, &packed);
    assert_memory_equal(packed.data, "\x28\xb5\x2f\xfd", 4);
    buf_release(&packed);
}

// Raw blocks of the library, which has all forms of literals and copies, and what it makes of ours.
static void test_snappy_as_the_library(void **state)
{
    static const size_t sizes[] = {0, 1, 59, 60, 61, 62, 256, 257, 258, 5000, 32768, 65537, 100000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct bytes text = make_text(sizes[i], 6 + i);
        size_t size = snappy_max_compressed_length(text.size);
        char *raw = malloc(size);
        assert_int_equal(snappy_compress((const char *)text.data, text.size, raw, &size), SNAPPY_OK);
        check_decompresses(CODEC_SNAPPY, bytes_of(raw, size), text);
        free(raw);
        struct buf packed;
        pack(CODEC_SNAPPY, CODEC_LEVEL_DEFAULT, text, &packed);
        for (size_t at = 16, done = 0; at < packed.size;) {
            char block[32768];
            size_t block_size = sizeof block, packed_size = be32_load(packed.data + at);
            assert_int_equal(snappy_uncompress((const char *)packed.data + at + 4, packed_size, block,
                                               &block_size), SNAPPY_OK);
            assert_memory_equal(block, text.data + done, block_size);
            at += 4 + packed_size;
            done += block_size;
            assert_true(at < packed.size || done == text.size);
        }
        buf_release(&packed);
    }
}

// Elements that our own compressor and the library seldom or never write.
static void test_snappy_elements(void **state)
{
    static const struct {
        const char *name;
        const char *block;
        size_t size;
        const char *want; // NULL: damaged
    } cases[] = {
        {"empty", "\0", 1, ""},
        {"four bytes of distance", "\x08\x0c" "abcd\x0f\4\0\0\0", 11, "abcdabcd"},
        {"a copy that repeats itself", "\x0a\0a\x22\1\0", 6, "aaaaaaaaaa"},
        {"four bytes of literal size", "\3\xfc\2\0\0\0abc", 9, "abc"},
        {"distance 0", "\5\0a\1\0", 5, NULL},
        {"before the beginning", "\5\0a\1\2", 5, NULL},
        {"more than it says", "\4\0a\1\1", 5, NULL},
        {"less than it says", "\6\0a\1\1", 5, NULL},
        {"a literal that is not there", "\5\x10" "abc", 5, NULL},
        {"a literal of 4 GiB", "\5\xfc\xff\xff\xff\xff" "abcdef", 12, NULL},
        {"a size of six bytes", "\x80\x80\x80\x80\x80\0", 6, NULL},
        {"a size above 4 GiB", "\xff\xff\xff\xff\x7f", 5, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes block = bytes_of(cases[i].block, cases[i].size);
        if (cases[i].want != NULL) {
            check_decompresses(CODEC_SNAPPY, block, str_bytes(str_from(cases[i].want)));
            continue;
        }
        struct buf out;
        buf_init(&out, ROOM);
        if (codec_decompress(CODEC_SNAPPY, block, &out) != ERR_CORRUPT)
            fail_msg("%s passes", cases[i].name);
        buf_release(&out);
    }
}

// A tiny raw block that says it is 2 GiB is refused before anything is allocated.
static void test_snappy_that_boasts(void **state)
{
    static const uint8_t boast[] = {0xff, 0xff, 0xff, 0xff, 0x07, 0x00, 'a'};
    struct buf out;
    buf_init(&out, (size_t)4 << 30);
    assert_int_equal(codec_decompress(CODEC_SNAPPY, bytes_of(boast, sizeof boast), &out),
                     ERR_CORRUPT);
    assert_int_equal(out.capacity, 0);
    buf_release(&out);
}

static void test_streams_in_a_row(void **state)
{
    static const enum codec with_streams[] = {CODEC_GZIP, CODEC_SNAPPY, CODEC_LZ4, CODEC_ZSTD};
    struct bytes text = make_text(5000, 8);
    for (size_t i = 0; i < 4; i++) {
        struct buf packed, twice;
        pack(with_streams[i], CODEC_LEVEL_DEFAULT, text, &packed);
        buf_append(&packed, packed.data, 0);
        buf_init(&twice, ROOM);
        buf_append(&twice, text.data, text.size);
        buf_append(&twice, text.data, text.size);
        assert_int_equal(codec_compress(with_streams[i], CODEC_LEVEL_DEFAULT, text, &packed), 0);
        check_decompresses(with_streams[i], buf_bytes(&packed), buf_bytes(&twice));
        buf_release(&packed);
        buf_release(&twice);
    }
}

// lz4 frames of linked blocks, which Java cannot read.
static void test_lz4_of_linked_blocks(void **state)
{
    struct bytes text = make_text(200000, 9);
    LZ4F_preferences_t preferences = {.frameInfo = {.blockSizeID = LZ4F_max64KB,
                                                    .blockMode = LZ4F_blockLinked}};
    size_t size = LZ4F_compressFrameBound(text.size, &preferences);
    uint8_t *frame = malloc(size);
    size = LZ4F_compressFrame(frame, size, text.data, text.size, &preferences);
    struct buf out;
    buf_init(&out, ROOM);
    assert_int_equal(codec_decompress(CODEC_LZ4, bytes_of(frame, size), &out), ERR_UNSUPPORTED);
    buf_release(&out);
    free(frame);
}

// Every frame form that other clients write: checksums and content size.
static void test_lz4_with_checksums(void **state)
{
    struct bytes text = make_text(200000, 10);
    LZ4F_preferences_t preferences = {
        .frameInfo = {.blockSizeID = LZ4F_max256KB, .blockMode = LZ4F_blockIndependent,
                      .contentChecksumFlag = LZ4F_contentChecksumEnabled,
                      .blockChecksumFlag = LZ4F_blockChecksumEnabled, .contentSize = text.size}};
    size_t size = LZ4F_compressFrameBound(text.size, &preferences);
    uint8_t *frame = malloc(size);
    size = LZ4F_compressFrame(frame, size, text.data, text.size, &preferences);
    check_decompresses(CODEC_LZ4, bytes_of(frame, size), text);
    frame[size - 1] ^= 1;
    struct buf out;
    buf_init(&out, ROOM);
    assert_int_equal(codec_decompress(CODEC_LZ4, bytes_of(frame, size), &out), ERR_CORRUPT);
    buf_release(&out);
    free(frame);
}

// zstd as Java's streaming writer makes it: no content size, a window of 2 MiB.
static void test_zstd_without_content_size(void **state)
{
    struct bytes text = make_text(TEXT_MAX, 12);
    ZSTD_CCtx *cctx = ZSTD_createCCtx();
    struct buf packed;
    buf_init(&packed, ROOM);
    uint8_t *target = buf_extend(&packed, TEXT_MAX + 1000);
    ZSTD_outBuffer out = {.dst = target, .size = packed.size};
    for (size_t at = 0; at < text.size; at += 10000) {
        ZSTD_inBuffer in = {.src = text.data + at, .size = 10000};
        assert_int_equal(ZSTD_compressStream2(cctx, &out, &in, ZSTD_e_continue), 0);
    }
    ZSTD_inBuffer none = {0};
    assert_int_equal(ZSTD_compressStream2(cctx, &out, &none, ZSTD_e_end), 0);
    ZSTD_freeCCtx(cctx);
    struct bytes frame = bytes_of(packed.data, out.pos);
    assert_true(ZSTD_getFrameContentSize(frame.data, frame.size) == ZSTD_CONTENTSIZE_UNKNOWN);
    check_decompresses(CODEC_ZSTD, frame, text);
    buf_release(&packed);
}

// 64 MiB of zeros in a few KiB stop at the bound, and never take more memory than it.
static void test_bombs(void **state)
{
    enum { BOMB = 64 << 20, BOUND = 1 << 20 };
    uint8_t *zeros = calloc(BOMB, 1);
    static const enum codec bombs[] = {CODEC_GZIP, CODEC_SNAPPY, CODEC_LZ4, CODEC_ZSTD};
    for (size_t i = 0; i < 4; i++) {
        struct buf packed, out;
        buf_init(&packed, 2 * (size_t)BOMB);
        struct bytes in = bytes_of(zeros, bombs[i] == CODEC_GZIP ? BOMB / 4 : BOMB);
        assert_int_equal(codec_compress(bombs[i], CODEC_LEVEL_DEFAULT, in, &packed), 0);
        buf_init(&out, BOUND);
        assert_int_equal(codec_decompress(bombs[i], buf_bytes(&packed), &out), ERR_LIMIT);
        assert_int_equal(out.size, 0);
        assert_true(out.capacity <= BOUND);
        assert_false(out.failed);
        buf_release(&out);
        buf_release(&packed);
    }
    free(zeros);
}

static void test_one_byte_too_many(void **state)
{
    struct bytes text = make_text(70000, 13);
    FOR_EACH_CODEC(c)
    {
        struct buf packed, out;
        pack(c, CODEC_LEVEL_DEFAULT, text, &packed);
        buf_init(&out, text.size - 1);
        assert_int_equal(codec_decompress(c, buf_bytes(&packed), &out), ERR_LIMIT);
        buf_release(&out);
        buf_release(&packed);
    }
}

static void test_truncation(void **state)
{
    static const enum codec with_end[] = {CODEC_GZIP, CODEC_SNAPPY, CODEC_LZ4, CODEC_ZSTD};
    struct bytes text = make_text(2000, 14);
    for (size_t i = 0; i < 4; i++) {
        struct buf packed, out;
        pack(with_end[i], CODEC_LEVEL_DEFAULT, text, &packed);
        buf_init(&out, ROOM);
        for (size_t size = 0; size < packed.size; size++) {
            // From memory of this size, for the sanitizer. After its header alone a framed snappy
            // stream is whole and empty.
            if (with_end[i] == CODEC_SNAPPY && size == 16)
                continue;
            uint8_t *part = malloc(size + 1);
            memcpy(part, packed.data, size);
            int err = codec_decompress(with_end[i], bytes_of(part, size), &out);
            assert_true(err == ERR_TRUNCATED || err == ERR_CORRUPT);
            assert_int_equal(out.size, 0);
            free(part);
        }
        buf_release(&out);
        buf_release(&packed);
    }
}

static void test_damage_is_survived(void **state)
{
    struct bytes text = make_text(3000, 15);
    struct prng prng;
    prng_init(&prng, 16);
    FOR_EACH_CODEC(c)
    {
        struct buf packed, out;
        pack(c, CODEC_LEVEL_DEFAULT, text, &packed);
        buf_init(&out, 100000);
        for (int i = 0; i < 500; i++) {
            uint8_t *part = malloc(packed.size);
            memcpy(part, packed.data, packed.size);
            part[prng_below(&prng, packed.size)] ^= (uint8_t)(1 << prng_below(&prng, 8));
            buf_clear(&out);
            int err = codec_decompress(c, bytes_of(part, packed.size), &out);
            assert_true(err == 0 || out.size == 0);
            assert_true(out.capacity <= out.size_max);
            free(part);
        }
        buf_release(&out);
        buf_release(&packed);
    }
}

static void test_unknown_codec(void **state)
{
    struct buf out;
    buf_init(&out, 100);
    for (int codec = 5; codec < 8; codec++) {
        struct bytes in = bytes_of("x", 1);
        assert_int_equal(codec_decompress((enum codec)codec, in, &out), ERR_UNSUPPORTED);
        assert_int_equal(codec_compress((enum codec)codec, 0, in, &out), ERR_UNSUPPORTED);
    }
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_every_level_reads_back),
        cmocka_unit_test(test_worst_case),
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_snappy_as_the_library),
        cmocka_unit_test(test_snappy_elements),
        cmocka_unit_test(test_snappy_that_boasts),
        cmocka_unit_test(test_streams_in_a_row),
        cmocka_unit_test(test_lz4_of_linked_blocks),
        cmocka_unit_test(test_lz4_with_checksums),
        cmocka_unit_test(test_zstd_without_content_size),
        cmocka_unit_test(test_bombs),
        cmocka_unit_test(test_one_byte_too_many),
        cmocka_unit_test(test_truncation),
        cmocka_unit_test(test_damage_is_survived),
        cmocka_unit_test(test_unknown_codec),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
