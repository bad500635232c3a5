// SPDX-License-Identifier: Apache-2.0
//
// A growing byte buffer that has a maximum. Errors are sticky: after a write that did not fit (or
// found no memory) `failed` is set, later writes do nothing, and the caller looks once at the end.
// One owner, one thread.
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/be.h"
#include "base/bytes.h"

struct buf {
    uint8_t *data;
    size_t size;     // bytes written
    size_t capacity; // bytes allocated
    size_t size_max; // never grows past this
    bool failed;     // a write was refused
};

// An empty buffer that allocates nothing yet and never holds more than size_max bytes.
void buf_init(struct buf *b, size_t size_max);
void buf_release(struct buf *b);

// Forgets the contents and the failure, keeps the memory.
void buf_clear(struct buf *b);

// Gives the memory away (free it with mem_free) and leaves an empty buffer with the same maximum.
uint8_t *buf_detach(struct buf *b, size_t *size);

// Appends `size` uninitialised bytes and returns where they start, or NULL (and failed). The
// pointer is valid until the next append.
uint8_t *buf_extend(struct buf *b, size_t size);

// Makes room for `size` more bytes without writing any; false (and failed) past the maximum.
bool buf_reserve(struct buf *b, size_t size);

void buf_append(struct buf *b, const void *data, size_t size);
void buf_append_str(struct buf *b, struct str s);
void buf_append_text(struct buf *b, const char *text);
void buf_append_zeros(struct buf *b, size_t size);
void buf_append_u8(struct buf *b, uint8_t v);
void buf_append_be16(struct buf *b, uint16_t v);
void buf_append_be32(struct buf *b, uint32_t v);
void buf_append_be64(struct buf *b, uint64_t v);
__attribute__((format(printf, 2, 3))) void buf_printf(struct buf *b, const char *format, ...);
__attribute__((format(printf, 2, 0))) void buf_vprintf(struct buf *b, const char *format,
                                                      va_list args);

// Removes the first `size` bytes and moves the rest to the front.
void buf_consume(struct buf *b, size_t size);

static inline struct bytes buf_bytes(const struct buf *b)
{
    return bytes_of(b->data, b->size);
}

static inline struct str buf_str(const struct buf *b)
{
    return str_of((const char *)b->data, b->size);
}

// Terminates the contents with a NUL that is not counted and returns them as a C string; "" on
// failure.
const char *buf_text(struct buf *b);
