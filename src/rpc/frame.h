// SPDX-License-Identifier: Apache-2.0
//
// Frames: an int32 size (big-endian, itself not counted) and that many bytes. FROZEN by Kafka's
// protocol. The reader puts them together from the pieces in which a stream arrives, for both
// sides of a connection.
//
// What a stranger can make it hold: never more than a small multiple of what arrived. A frame's
// memory starts at what is there and doubles as bytes come; a connection that has filled a frame
// before gets as much at once for the next, up to RPC_FRAME_PROVEN_MAX. Before `admit` has said yes
// to the first bytes of the first frame it is at most RPC_FRAME_UNPROVEN_MAX. All frames of all
// readers with one budget stay inside it together.
//
// Pure. Owner: one connection, one thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"

enum {
    RPC_FRAME_SIZE_BYTES = 4,
    RPC_FRAME_UNPROVEN_MAX = 64 * 1024, // held for a connection before its first admitted frame
    RPC_FRAME_PROVEN_MAX = 1024 * 1024,
    RPC_FRAME_RESERVED_MAX = 16 * 1024, // of a frame that may use the budget's reserve
    RPC_SCRATCH_BYTES = 32 * 1024, // a good size for the caller's scratch memory, and its maximum
};

// A number of bytes shared by many. One thread.
struct rpc_budget {
    size_t used;
    size_t size_max;
    size_t reserve_size;  // beyond that, for those who need little (RPC_FRAME_RESERVED_MAX)
    size_t refused_count; // times somebody was told to wait, for metrics
};

// `reserved`: may go into the reserve.
static inline bool rpc_budget_take(struct rpc_budget *b, size_t size, bool reserved)
{
    size_t size_max = b->size_max + (reserved ? b->reserve_size : 0);
    if (b->used > size_max || size > size_max - b->used) {
        b->refused_count++;
        return false;
    }
    b->used += size;
    return true;
}

static inline void rpc_budget_give(struct rpc_budget *b, size_t size)
{
    b->used -= size;
}

// A whole frame without its size field. Whoever has it releases it.
struct rpc_frame {
    uint8_t *data;
    size_t size;
    size_t charged; // to the budget
    struct rpc_budget *budget;
};

void rpc_frame_release(struct rpc_frame *frame);

static inline struct bytes rpc_frame_bytes(const struct rpc_frame *frame)
{
    return bytes_of(frame->data, frame->size);
}

struct rpc_frame_reader {
    size_t frame_max;
    struct rpc_budget *budget;
    // Looks at the first bytes of a frame, RPC_ADMIT_BYTES or all of a smaller one, and says 0 to go
    // on or why not. May be NULL.
    int (*admit)(void *context, const uint8_t *first, size_t size);
    void *context;

    bool alone;         // the owner's word: its connection holds no other frame now, so that it may
                        // use the budget's reserve
    size_t filled_size; // of the last whole frame, at most RPC_FRAME_PROVEN_MAX

    uint8_t size_field[RPC_FRAME_SIZE_BYTES];
    size_t size_have; // bytes of it that are there
    size_t frame_size; // once they all are
    bool admitted;
    struct buf frame;  // what is there of the frame; its capacity is charged to the budget

    const uint8_t *next; // bytes that arrived after that: in the caller's scratch, or in `parked`
    size_t next_size;
    uint8_t *parked;
};

enum { RPC_ADMIT_BYTES = 8 };

// `budget` may be NULL (unbounded but by frame_max).
void rpc_frame_reader_init(struct rpc_frame_reader *r, size_t frame_max, struct rpc_budget *budget);
void rpc_frame_reader_release(struct rpc_frame_reader *r);

// The loop of its owner:
//     rpc_frame_reader_space(r, scratch, size, &at, &room);
//     n = read(at, room);
//     rpc_frame_reader_filled(r, at, n);
//     while (rpc_frame_reader_next(r, &frame) == 1) ...
//     rpc_frame_reader_park(r);
// The scratch memory may be shared by all connections of a thread: park() copies what is left of it.

// Where to read to: large frames are read in place, the rest goes by the scratch memory. Requires
// that the last next() returned 0.
void rpc_frame_reader_space(struct rpc_frame_reader *r, uint8_t *scratch, size_t scratch_size,
                            uint8_t **at, size_t *room);

// `size` bytes were read to where space() said.
void rpc_frame_reader_filled(struct rpc_frame_reader *r, const uint8_t *at, size_t size);

// 1: *out is the next frame, the caller's to release. 0: more bytes are needed. ERR_AGAIN: the
// budget is spent; call again, before reading more, when others have given some back. Anything else
// means that the connection is of no use: ERR_CORRUPT a negative size, ERR_LIMIT one over frame_max,
// ERR_NOMEM, or what admit() said.
int rpc_frame_reader_next(struct rpc_frame_reader *r, struct rpc_frame *out);

// Keeps what next() did not come to, so that the scratch memory is free for others.
void rpc_frame_reader_park(struct rpc_frame_reader *r);

// Bytes held for an incomplete frame.
static inline size_t rpc_frame_reader_held(const struct rpc_frame_reader *r)
{
    return r->frame.capacity;
}
