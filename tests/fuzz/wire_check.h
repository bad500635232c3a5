// SPDX-License-Identifier: Apache-2.0
//
// What every message must survive once it decodes: it encodes, the size is right, it decodes again
// to the same, and it prints as JSON. Memory stays within the stated bound.
#pragma once

#include "base/check.h"
#include "base/err.h"
#include "codec/json.h"
#include "wire/wire.h"

enum { WIRE_CHECK_MEMORY = 64 << 20 };

static inline void wire_check_print(const struct wire_schema *schema, int16_t version,
                                    const void *msg)
{
    struct buf text;
    json_t *value = NULL;
    buf_init(&text, WIRE_CHECK_MEMORY);
    wire_print(schema, version, msg, WIRE_PRINT_SECRETS, &text);
    // jansson refuses U+0000 in strings, which Kafka accepts.
    int err = json_read(buf_str(&text), &value, NULL);
    check(err == 0 || strstr(buf_text(&text), "\\u0000") != NULL);
    json_decref(value);
    buf_release(&text);
}

static inline void wire_check_again(const struct wire_schema *schema, int16_t version,
                                    const void *msg)
{
    struct buf bytes;
    struct arena arena;
    size_t size = 0, consumed = 0;
    buf_init(&bytes, WIRE_CHECK_MEMORY);
    arena_init(&arena, WIRE_CHECK_MEMORY);
    check(wire_encode_buf(schema, version, msg, &bytes) == 0);
    check(wire_size(schema, version, msg, &size) == 0 && size == bytes.size);
    void *again = arena_alloc(&arena, wire_schema_struct_size(schema));
    check(wire_decode(schema, version, buf_bytes(&bytes), &arena, again, &consumed) == 0);
    check(consumed == bytes.size);
    check(wire_equal(schema, version, msg, again));
    arena_release(&arena);
    buf_release(&bytes);
}

// Decodes `in` and checks the above; returns the error of the decode.
static inline int wire_check_message(const struct wire_schema *schema, int16_t version,
                                     struct bytes in)
{
    struct arena arena;
    size_t consumed = 0;
    arena_init(&arena, WIRE_CHECK_MEMORY);
    void *msg = arena_alloc(&arena, wire_schema_struct_size(schema));
    size_t before = arena.used;
    int err = wire_decode(schema, version, in, &arena, msg, &consumed);
    check(arena.used - before
          <= WIRE_DECODE_MEMORY_BASE + WIRE_DECODE_MEMORY_MULTIPLE * in.size);
    check(err != 0 || consumed <= in.size);
    if (err == 0) {
        wire_check_again(schema, version, msg);
        wire_check_print(schema, version, msg);
    }
    arena_release(&arena);
    return err;
}
