// SPDX-License-Identifier: Apache-2.0
//
// Where decompressed bytes go: the end of a buffer with a maximum, which grows only as bytes come
// out. Private to src/codec.
#pragma once

#include "base/buf.h"
#include "base/err.h"

struct sink {
    struct buf *out;
    uint8_t overflow[1]; // offered when the buffer is full, to tell "exactly full" from "too large"
};

enum { SINK_STEP_MIN = 4096, SINK_STEP_MAX = 1 << 20 };

// Where the next bytes may be written, at least one; NULL when there is no memory.
static inline uint8_t *sink_room(struct sink *s, size_t *room)
{
    struct buf *out = s->out;
    size_t left = out->size_max - out->size;
    if (left == 0) {
        *room = sizeof s->overflow;
        return s->overflow;
    }
    size_t step = out->size;
    step = step < SINK_STEP_MIN ? SINK_STEP_MIN : step > SINK_STEP_MAX ? SINK_STEP_MAX : step;
    if (!buf_reserve(out, step < left ? step : left))
        return NULL;
    *room = out->capacity - out->size;
    return out->data + out->size;
}

// Says that `size` bytes were written to what sink_room gave. ERR_LIMIT if they do not fit.
static inline int sink_wrote(struct sink *s, size_t size)
{
    if (size > s->out->size_max - s->out->size)
        return ERR_LIMIT;
    s->out->size += size;
    return 0;
}
