// SPDX-License-Identifier: Apache-2.0
#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"

enum { BUF_FIRST_CAPACITY = 64 };

void buf_init(struct buf *b, size_t size_max)
{
    *b = (struct buf){.size_max = size_max};
}

void buf_release(struct buf *b)
{
    free(b->data);
    buf_init(b, b->size_max);
}

void buf_clear(struct buf *b)
{
    b->size = 0;
    b->failed = false;
}

uint8_t *buf_detach(struct buf *b, size_t *size)
{
    uint8_t *data = b->data;
    *size = b->size;
    buf_init(b, b->size_max);
    return data;
}

// Makes room for `size` bytes of content and `extra` that do not count.
static bool buf_make_room(struct buf *b, size_t size, size_t extra)
{
    if (b->failed || size > b->size_max - b->size) {
        b->failed = true;
        return false;
    }
    size_t need = b->size + size + extra;
    if (need <= b->capacity)
        return true;
    size_t capacity = b->capacity > 0 ? b->capacity : BUF_FIRST_CAPACITY;
    while (capacity < need)
        capacity = capacity > b->size_max / 2 ? need : capacity * 2;
    if (capacity > b->size_max)
        capacity = b->size_max > need ? b->size_max : need;
    uint8_t *data = realloc(b->data, capacity);
    if (data == NULL) {
        b->failed = true;
        return false;
    }
    b->data = data;
    b->capacity = capacity;
    return true;
}

bool buf_reserve(struct buf *b, size_t size)
{
    return buf_make_room(b, size, 0);
}

uint8_t *buf_extend(struct buf *b, size_t size)
{
    if (!buf_reserve(b, size))
        return NULL;
    uint8_t *at = b->data + b->size;
    b->size += size;
    return at;
}

void buf_append(struct buf *b, const void *data, size_t size)
{
    if (size == 0)
        return;
    uint8_t *at = buf_extend(b, size);
    if (at != NULL)
        memcpy(at, data, size);
}

void buf_append_str(struct buf *b, struct str s)
{
    buf_append(b, s.data, s.size);
}

void buf_append_text(struct buf *b, const char *text)
{
    buf_append(b, text, strlen(text));
}

void buf_append_zeros(struct buf *b, size_t size)
{
    uint8_t *at = size > 0 ? buf_extend(b, size) : NULL;
    if (at != NULL)
        memset(at, 0, size);
}

void buf_append_u8(struct buf *b, uint8_t v)
{
    uint8_t *at = buf_extend(b, sizeof v);
    if (at != NULL)
        *at = v;
}

void buf_append_be16(struct buf *b, uint16_t v)
{
    uint8_t *at = buf_extend(b, sizeof v);
    if (at != NULL)
        be16_store(at, v);
}

void buf_append_be32(struct buf *b, uint32_t v)
{
    uint8_t *at = buf_extend(b, sizeof v);
    if (at != NULL)
        be32_store(at, v);
}

void buf_append_be64(struct buf *b, uint64_t v)
{
    uint8_t *at = buf_extend(b, sizeof v);
    if (at != NULL)
        be64_store(at, v);
}

void buf_vprintf(struct buf *b, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int size = vsnprintf(NULL, 0, format, args);
    // One byte more, for the NUL that vsnprintf insists on writing.
    if (size >= 0 && buf_make_room(b, (size_t)size, 1)) {
        vsnprintf((char *)b->data + b->size, (size_t)size + 1, format, again);
        b->size += (size_t)size;
    }
    va_end(again);
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    buf_vprintf(b, format, args);
    va_end(args);
}

void buf_consume(struct buf *b, size_t size)
{
    check(size <= b->size);
    if (size == 0)
        return;
    b->size -= size;
    memmove(b->data, b->data + size, b->size);
}

const char *buf_text(struct buf *b)
{
    if (!buf_make_room(b, 0, 1))
        return "";
    b->data[b->size] = '\0';
    return (const char *)b->data;
}
