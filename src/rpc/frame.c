// SPDX-License-Identifier: Apache-2.0
#include "rpc/frame.h"

#include <string.h>

#include "base/be.h"
#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"

enum {
    FIRST_CAPACITY = 4096,
    // A frame that lacks less than this is read by the scratch memory, where the next one may follow
    // in the same read.
    DIRECT_MIN = RPC_SCRATCH_BYTES / 2,
};

check_static(RPC_SCRATCH_BYTES * 2 <= RPC_FRAME_UNPROVEN_MAX, "what arrives first must fit twice");

void rpc_frame_release(struct rpc_frame *frame)
{
    if (frame->budget != NULL)
        rpc_budget_give(frame->budget, frame->charged);
    mem_free(frame->data);
    *frame = (struct rpc_frame){0};
}

void rpc_frame_reader_init(struct rpc_frame_reader *r, size_t frame_max, struct rpc_budget *budget)
{
    // A frame that can never have its memory would wait forever.
    check(budget == NULL || budget->size_max >= frame_max);
    *r = (struct rpc_frame_reader){.frame_max = frame_max, .budget = budget};
    buf_init(&r->frame, 0);
}

void rpc_frame_reader_release(struct rpc_frame_reader *r)
{
    if (r->budget != NULL)
        rpc_budget_give(r->budget, r->frame.capacity);
    buf_release(&r->frame);
    mem_free(r->parked);
    r->parked = NULL;
    r->next_size = 0;
}

// --- memory of a frame

static int set_capacity(struct rpc_frame_reader *r, size_t capacity)
{
    size_t more = capacity - r->frame.capacity;
    bool reserved = r->alone && capacity <= RPC_FRAME_RESERVED_MAX;
    if (r->budget != NULL && !rpc_budget_take(r->budget, more, reserved))
        return ERR_AGAIN;
    r->frame.size_max = capacity;
    if (buf_reserve(&r->frame, capacity - r->frame.size))
        return 0;
    if (r->budget != NULL)
        rpc_budget_give(r->budget, more);
    return ERR_NOMEM;
}

// Makes room for `needed` bytes of the frame: a small multiple of what has arrived, or as much as
// this connection has filled before.
static int make_room(struct rpc_frame_reader *r, size_t needed)
{
    if (needed <= r->frame.capacity)
        return 0;
    size_t capacity = r->frame.capacity * 2;
    if (capacity < FIRST_CAPACITY)
        capacity = FIRST_CAPACITY;
    if (capacity < r->filled_size)
        capacity = r->filled_size;
    if (capacity < needed)
        capacity = needed;
    if (capacity > r->frame_size)
        capacity = r->frame_size;
    return set_capacity(r, capacity);
}

// --- putting frames together

static void take_next(struct rpc_frame_reader *r, void *out, size_t size)
{
    if (size > 0)
        memcpy(out, r->next, size);
    r->next += size;
    r->next_size -= size;
}

// 1 when the size of the current frame is known, 0 when bytes are missing.
static int read_size(struct rpc_frame_reader *r)
{
    if (r->size_have == RPC_FRAME_SIZE_BYTES)
        return 1;
    size_t missing = RPC_FRAME_SIZE_BYTES - r->size_have;
    size_t part = missing < r->next_size ? missing : r->next_size;
    take_next(r, r->size_field + r->size_have, part);
    r->size_have += part;
    if (r->size_have < RPC_FRAME_SIZE_BYTES)
        return 0;
    uint32_t size = be32_load(r->size_field);
    if (size > INT32_MAX)
        return ERR_CORRUPT;
    if (size > r->frame_max)
        return ERR_LIMIT;
    r->frame_size = size;
    return 1;
}

static int admit_first_bytes(struct rpc_frame_reader *r)
{
    size_t first = r->frame_size < RPC_ADMIT_BYTES ? r->frame_size : RPC_ADMIT_BYTES;
    if (r->admitted || r->frame.size < first)
        return 0;
    int result = r->admit != NULL ? r->admit(r->context, r->frame.data, first) : 0;
    r->admitted = result == 0;
    return result;
}

// Copies what is there of the current frame, and makes room for reading the rest in place.
static int read_body(struct rpc_frame_reader *r)
{
    size_t missing = r->frame_size - r->frame.size;
    size_t part = missing < r->next_size ? missing : r->next_size;
    int result = make_room(r, r->frame.size + part);
    if (result != 0)
        return result;
    if (part > 0)
        take_next(r, buf_extend(&r->frame, part), part);
    result = admit_first_bytes(r);
    if (result != 0)
        return result;
    if (missing - part >= DIRECT_MIN && r->frame.capacity == r->frame.size)
        return make_room(r, r->frame.size + 1);
    return 0;
}

static void finish_frame(struct rpc_frame_reader *r, struct rpc_frame *out)
{
    size_t charged = r->frame.capacity;
    size_t size;
    uint8_t *data = buf_detach(&r->frame, &size);
    *out = (struct rpc_frame){
        .data = data, .size = size, .charged = charged, .budget = r->budget};
    r->filled_size = size < RPC_FRAME_PROVEN_MAX ? size : RPC_FRAME_PROVEN_MAX;
    r->size_have = 0;
    r->admitted = false;
}

int rpc_frame_reader_next(struct rpc_frame_reader *r, struct rpc_frame *out)
{
    int result = read_size(r);
    if (result == 1)
        result = read_body(r);
    else if (result == 0)
        return 0;
    if (result != 0)
        return result;
    if (r->frame.size < r->frame_size)
        return 0;
    finish_frame(r, out);
    return 1;
}

// --- input

static bool reads_in_place(const struct rpc_frame_reader *r)
{
    return r->size_have == RPC_FRAME_SIZE_BYTES && r->frame.size < r->frame.capacity &&
           r->frame_size - r->frame.size >= DIRECT_MIN;
}

void rpc_frame_reader_space(struct rpc_frame_reader *r, uint8_t *scratch, size_t scratch_size,
                            uint8_t **at, size_t *room)
{
    check(r->next_size == 0);
    check(scratch_size <= RPC_SCRATCH_BYTES);
    if (reads_in_place(r)) {
        *at = r->frame.data + r->frame.size;
        *room = r->frame.capacity - r->frame.size;
    } else {
        *at = scratch;
        *room = scratch_size;
    }
}

void rpc_frame_reader_filled(struct rpc_frame_reader *r, const uint8_t *at, size_t size)
{
    check(r->next_size == 0);
    if (reads_in_place(r) && at == r->frame.data + r->frame.size) {
        check(size <= r->frame.capacity - r->frame.size);
        r->frame.size += size;
        return;
    }
    r->next = at;
    r->next_size = size;
}

void rpc_frame_reader_park(struct rpc_frame_reader *r)
{
    if (r->next_size == 0) {
        mem_free(r->parked);
        r->parked = NULL;
    }
    if (r->next_size == 0 || r->parked != NULL)
        return;
    check(r->next_size <= RPC_SCRATCH_BYTES);
    r->parked = mem_alloc(r->next_size);
    memcpy(r->parked, r->next, r->next_size);
    r->next = r->parked;
}
