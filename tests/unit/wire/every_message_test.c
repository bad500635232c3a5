// SPDX-License-Identifier: Apache-2.0
//
// Every message at every version, with random contents: there and back, cut at every length, with
// bits flipped, with little memory; and the stated bound on memory against hostile bytes. Run under
// sanitizers this is what holds the interpreter to its word.
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#include <stdio.h>

#include "base/err.h"
#include "wire/random.h"
#include "wire/tables.h"
#include "wire/wire.h"

enum { MEMORY_MAX = 4 << 20, SEEDS = 3, FLIPS = 40 };

static size_t memory_bound(size_t bytes)
{
    return WIRE_DECODE_MEMORY_BASE + WIRE_DECODE_MEMORY_MULTIPLE * bytes;
}

static void complain(const struct wire_schema *s, int version, const char *what)
{
    fail_msg("%s v%d: %s", s->name, version, what);
}

// Decodes from memory of exactly this size, so that the sanitizer sees any byte beyond.
static int decode_exact(const struct wire_schema *s, int16_t version, struct bytes in,
                        struct arena *arena, void *msg, size_t *consumed)
{
    uint8_t *copy = malloc(in.size > 0 ? in.size : 1);
    if (in.size > 0)
        memcpy(copy, in.data, in.size);
    int err = wire_decode(s, version, bytes_of(copy, in.size), arena, msg, consumed);
    if (arena->used > memory_bound(in.size))
        complain(s, version, "a decode took more memory than stated");
    free(copy);
    return err;
}

static void *message_new(const struct wire_schema *s, struct arena *arena)
{
    return arena_alloc(arena, wire_schema_struct_size(s));
}

static void encode(const struct wire_schema *s, int16_t version, const void *msg, struct buf *out)
{
    size_t size = 0;
    if (wire_encode_buf(s, version, msg, out) != 0)
        complain(s, version, "does not encode");
    if (wire_size(s, version, msg, &size) != 0 || size != out->size)
        complain(s, version, "the size is not that of the encoded bytes");
}

static void round_trip(const struct wire_schema *s, int16_t version, const void *msg,
                       struct bytes bytes)
{
    struct arena arena;
    struct buf again;
    arena_init(&arena, MEMORY_MAX);
    buf_init(&again, MEMORY_MAX);
    size_t consumed = 0;
    void *back = message_new(s, &arena);
    if (wire_decode(s, version, bytes, &arena, back, &consumed) != 0 || consumed != bytes.size)
        complain(s, version, "does not decode");
    if (!wire_equal(s, version, msg, back))
        complain(s, version, "comes back different");
    encode(s, version, back, &again);
    if (!bytes_equal(buf_bytes(&again), bytes))
        complain(s, version, "encodes to other bytes the second time");
    buf_release(&again);
    arena_release(&arena);
}

static void truncation(const struct wire_schema *s, int16_t version, struct bytes bytes)
{
    for (size_t size = 0; size < bytes.size; size++) {
        struct arena arena;
        arena_init(&arena, MEMORY_MAX);
        void *msg = malloc(wire_schema_struct_size(s));
        int err = decode_exact(s, version, bytes_of(bytes.data, size), &arena, msg, NULL);
        if (err != ERR_TRUNCATED && err != ERR_CORRUPT)
            complain(s, version, "decodes although bytes are missing");
        free(msg);
        arena_release(&arena);
    }
}

// What still decodes must encode, and to what decodes to the same.
static void flipped(const struct wire_schema *s, int16_t version, struct bytes bytes)
{
    struct arena arena;
    arena_init(&arena, MEMORY_MAX);
    void *msg = message_new(s, &arena);
    size_t start = arena.used;
    int err = wire_decode(s, version, bytes, &arena, msg, NULL);
    if (arena.used - start > memory_bound(bytes.size))
        complain(s, version, "a decode took more memory than stated");
    if (err == 0) {
        struct buf again;
        buf_init(&again, MEMORY_MAX);
        encode(s, version, msg, &again);
        round_trip(s, version, msg, buf_bytes(&again));
        buf_release(&again);
    }
    arena_release(&arena);
}

static void bit_flips(const struct wire_schema *s, int16_t version, struct bytes bytes,
                      struct prng *prng)
{
    uint8_t *copy = malloc(bytes.size + 1);
    for (int i = 0; i < FLIPS && bytes.size > 0; i++) {
        memcpy(copy, bytes.data, bytes.size);
        for (uint64_t n = 1 + prng_below(prng, 3); n > 0; n--)
            copy[prng_below(prng, bytes.size)] ^= (uint8_t)(1 << prng_below(prng, 8));
        flipped(s, version, bytes_of(copy, bytes.size));
    }
    free(copy);
}

// With any less memory than it takes, a decode fails and says why.
static void little_memory(const struct wire_schema *s, int16_t version, struct bytes bytes)
{
    struct arena arena;
    void *msg = malloc(wire_schema_struct_size(s));
    arena_init(&arena, MEMORY_MAX);
    if (wire_decode(s, version, bytes, &arena, msg, NULL) != 0)
        complain(s, version, "does not decode");
    size_t need = arena.used;
    arena_release(&arena);
    for (size_t size = 0; size < need; size += 16) {
        arena_init(&arena, size);
        if (wire_decode(s, version, bytes, &arena, msg, NULL) != ERR_NOMEM)
            complain(s, version, "does not say that memory is missing");
        arena_release(&arena);
    }
    free(msg);
}

static void message_check(const struct wire_schema *s, int16_t version, uint64_t seed)
{
    struct prng prng;
    struct arena arena;
    struct buf buf;
    prng_init(&prng, seed * 1000003 + (uint64_t)version);
    arena_init(&arena, MEMORY_MAX);
    buf_init(&buf, MEMORY_MAX);
    void *msg = message_new(s, &arena);
    assert_int_equal(wire_random(s, version, &prng, &arena, msg), 0);
    encode(s, version, msg, &buf);
    round_trip(s, version, msg, buf_bytes(&buf));
    truncation(s, version, buf_bytes(&buf));
    bit_flips(s, version, buf_bytes(&buf), &prng);
    little_memory(s, version, buf_bytes(&buf));
    buf_release(&buf);
    arena_release(&arena);
}

static void test_every_message(void **state)
{
    int count = 0;
    for (int i = 0; wire_all_schemas[i] != NULL; i++) {
        const struct wire_schema *s = wire_all_schemas[i];
        for (int16_t version = s->version_min; version <= s->version_max; version++, count++) {
            for (uint64_t seed = 0; seed < SEEDS; seed++)
                message_check(s, version, seed + (uint64_t)i);
        }
    }
    printf("%d versions of messages\n", count);
    assert_true(count > 500);
}

// Bytes that make long arrays of the shortest elements.
static void test_hostile_patterns(void **state)
{
    static const uint8_t patterns[] = {0x00, 0x01, 0x02, 0x05, 0x40, 0x7f, 0x80, 0xff};
    enum { SIZE = 1500 };
    static uint8_t bytes[SIZE];
    for (int i = 0; wire_all_schemas[i] != NULL; i++) {
        const struct wire_schema *s = wire_all_schemas[i];
        for (size_t p = 0; p < sizeof patterns; p++) {
            memset(bytes, patterns[p], SIZE);
            // A count that promises a thousand elements of one byte, wherever it is read.
            for (int start = 0; start < 24; start++) {
                bytes[start] = 0xe8;
                bytes[start + 1] = 0x07;
                flipped(s, s->version_max, bytes_of(bytes, SIZE));
                bytes[start] = bytes[start + 1] = patterns[p];
            }
        }
    }
}

struct ratio {
    double worst;
    const char *name;
    int depth;
};

// Memory per byte for the elements of arrays below this struct, and how deep arrays nest.
static void ratio_of(const struct wire_struct *type, int16_t version, bool flexible, int depth,
                     struct ratio *r)
{
    if (depth > r->depth)
        r->depth = depth;
    for (int i = 0; i < type->field_count; i++) {
        const struct wire_field *f = &type->fields[i];
        if (!wire_field_in_version(f, version))
            continue;
        bool is_array = f->flags & WIRE_IS_ARRAY;
        double memory = (double)wire_element_size(f);
        double bytes = 0;
        if (f->type == WIRE_STRUCT) {
            bytes = (double)wire_struct_size_min(f->element, version, flexible);
            ratio_of(f->element, version, flexible, depth + is_array, r);
        } else if (is_array) {
            bytes = f->type < WIRE_STRING ? wire_type_sizes[f->type] : flexible ? 1 : 2;
        }
        if (!is_array && !(f->flags & WIRE_IS_POINTER))
            continue;
        if (bytes == 0)
            fail_msg("%s.%s: elements of no bytes at version %d", type->name, f->name, version);
        if (memory / bytes > r->worst) {
            r->worst = memory / bytes;
            r->name = f->name;
        }
    }
}

// The bound in wire.h follows from the tables: an element takes at most `worst` bytes of memory per
// byte, doubling while it grows at most twice that; each level of nesting may have room for four
// times the bytes that are left; and every piece is rounded up to 16.
static void test_memory_bound(void **state)
{
    double most = 0;
    for (int i = 0; wire_all_schemas[i] != NULL; i++) {
        const struct wire_schema *s = wire_all_schemas[i];
        for (int16_t version = s->version_min; version <= s->version_max; version++) {
            struct ratio r = {0};
            ratio_of(s->root, version, version >= s->flexible_since, 0, &r);
            double bound = 2 * r.worst + 4 * r.depth + 16;
            if (bound > WIRE_DECODE_MEMORY_MULTIPLE)
                fail_msg("%s v%d: %s needs a multiple of %.0f", s->name, version, r.name, bound);
            most = bound > most ? bound : most;
        }
    }
    printf("the largest multiple is %.0f of %d\n", most, WIRE_DECODE_MEMORY_MULTIPLE);
    assert_true(most > WIRE_DECODE_MEMORY_MULTIPLE / 2); // the stated figure is not idle
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_message),
        cmocka_unit_test(test_hostile_patterns),
        cmocka_unit_test(test_memory_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
