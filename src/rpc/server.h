// SPDX-License-Identifier: Apache-2.0
//
// The server's side of a connection, without the socket: request headers and what to do with
// versions that are not served, the encoding of answers, and their order. FROZEN by Kafka's
// protocol.
//
// Pure. Owner: one connection, one thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/list.h"
#include "wire/wire.h"

// What a server serves, by rising key.
struct rpc_api {
    int16_t key;
    int16_t version_min;
    int16_t version_max;
};

struct rpc_apis {
    const struct rpc_api *items;
    int count;
};

// The entry of a key, or NULL.
const struct rpc_api *rpc_apis_find(const struct rpc_apis *apis, int16_t key);

struct rpc_request_header {
    int16_t api_key;
    int16_t api_version;
    int32_t correlation_id;
    struct str client_id; // a view into the frame; may be null
    size_t size;          // the body starts here
    // An ApiVersions request of a version that is not served: answer it in version 0 with error 35
    // (UNSUPPORTED_VERSION) and the range of key 18 alone, and do not look at its body (KIP-511).
    bool is_version_fallback;
};

// Reads the header of a request. Anything but 0 means: close the connection without an answer.
// ERR_UNSUPPORTED: a key or a version that is not served (other than the fallback above).
// ERR_TRUNCATED, ERR_CORRUPT, ERR_LIMIT: not a header. What follows the body is the body's business:
// Kafka ignores it, and so does wire_decode().
int rpc_request_header_decode(struct bytes frame, const struct rpc_apis *apis,
                              struct rpc_request_header *out);

// The same judgement from the first 8 bytes of a frame, for rpc_frame_reader.admit: refuses what
// cannot become a served request, before the rest has arrived.
int rpc_request_admit(const uint8_t *first, size_t size, const struct rpc_apis *apis);

// A piece of output: memory, or a range of a source (wire_records.source) that only the owner of the
// connection understands.
struct rpc_slice {
    const uint8_t *data;
    const void *source; // a range of this when not NULL
    int64_t position;
    size_t size;
};

// An encoded message on its way out, size field included.
struct rpc_output {
    struct buf buf;
    struct wire_splice *splices;
    int splice_count;
    size_t size_left; // to be sent, splices included
    // Where the next byte to send stands: in the buffer at `memory_sent`, unless the splice with
    // `splice_index` starts there.
    size_t memory_sent;
    int splice_index;
    int64_t splice_sent;
};

void rpc_output_init(struct rpc_output *o);
void rpc_output_release(struct rpc_output *o);

// Encodes an answer: size, response header of the right version, body (the struct of the key's
// response schema). At most `splice_max` ranges of sources; the memory part is at most `memory_max`
// bytes. Errors as wire_encode; the output is then empty.
int rpc_response_encode(struct rpc_output *o, int16_t api_key, int16_t api_version,
                        int32_t correlation_id, const void *message, int splice_max,
                        size_t memory_max);

// Encodes a request. Errors as above.
int rpc_request_encode(struct rpc_output *o, int16_t api_key, int16_t api_version,
                       int32_t correlation_id, struct str client_id, const void *message,
                       int splice_max, size_t memory_max);

// The pieces that are to be sent next, at most `slices_max`; returns their number.
int rpc_output_slices(const struct rpc_output *o, struct rpc_slice *slices, int slices_max);

// Up to `size` of those bytes were sent; returns how many of `size` belonged to this output.
size_t rpc_output_sent(struct rpc_output *o, size_t size);

enum rpc_exchange_state {
    RPC_EXCHANGE_WAITING,
    RPC_EXCHANGE_ANSWERED,
    RPC_EXCHANGE_SILENT,
};

// One request and its answer. Embedded in what serves the request.
struct rpc_exchange {
    struct list_node node; // in its pipeline
    enum rpc_exchange_state state;
    struct rpc_output output; // once answered
};

// The exchanges of one connection in the order of their requests, which is the order of the answers
// on the wire.
struct rpc_pipeline {
    struct list exchanges;
    int count;
    int waiting_count;    // neither answered nor silent
    size_t memory_bytes;  // of answers not yet taken out, without their splices
};

void rpc_pipeline_init(struct rpc_pipeline *p);

// A request came.
void rpc_pipeline_add(struct rpc_pipeline *p, struct rpc_exchange *e);

// Its answer is in e->output, and goes out when those before it have.
void rpc_pipeline_answer(struct rpc_pipeline *p, struct rpc_exchange *e);

// It gets no answer (Produce with acks=0).
void rpc_pipeline_skip(struct rpc_pipeline *p, struct rpc_exchange *e);

// What can be sent now, in order; returns the number of slices, 0 when there is nothing.
int rpc_pipeline_slices(const struct rpc_pipeline *p, struct rpc_slice *slices, int slices_max);

// The first `size` bytes of that were sent.
void rpc_pipeline_sent(struct rpc_pipeline *p, size_t size);

// Takes out the first exchange if it is finished (sent, or silent and its turn has come), or NULL.
// Its output is the caller's to release.
struct rpc_exchange *rpc_pipeline_take_finished(struct rpc_pipeline *p);

// Takes an exchange out wherever it stands: the connection has gone.
void rpc_pipeline_remove(struct rpc_pipeline *p, struct rpc_exchange *e);
