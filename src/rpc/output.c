// SPDX-License-Identifier: Apache-2.0
//
// Messages on their way out: what both sides encode, and the cursor through memory and ranges.
#include "base/be.h"
#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "rpc/frame.h"
#include "rpc/server.h"
#include "wire/apis.h"
#include "wire/record/request_header.h"
#include "wire/record/response_header.h"

void rpc_output_init(struct rpc_output *o)
{
    *o = (struct rpc_output){0};
    buf_init(&o->buf, 0);
}

void rpc_output_release(struct rpc_output *o)
{
    buf_release(&o->buf);
    mem_free(o->splices);
    rpc_output_init(o);
}

// Encodes size field, header and body. On failure the output is empty.
static int encode(struct rpc_output *o, const struct wire_schema *header_schema,
                  int16_t header_version, const void *header, const struct wire_schema *schema,
                  int16_t version, const void *message, int splice_max, size_t memory_max)
{
    rpc_output_init(o);
    buf_init(&o->buf, memory_max);
    if (splice_max > 0)
        o->splices = mem_alloc_array((size_t)splice_max, sizeof *o->splices);
    struct wire_out out = {.buf = &o->buf, .splices = o->splices, .splice_max = splice_max};
    buf_append_zeros(&o->buf, RPC_FRAME_SIZE_BYTES);
    int result = wire_encode(header_schema, header_version, header, &out);
    if (result == 0)
        result = wire_encode(schema, version, message, &out);
    size_t size = o->buf.size;
    for (int i = 0; result == 0 && i < out.splice_count; i++)
        size += (size_t)out.splices[i].size;
    if (result == 0 && (o->buf.failed || size - RPC_FRAME_SIZE_BYTES > INT32_MAX))
        result = ERR_LIMIT;
    if (result != 0) {
        rpc_output_release(o);
        return result;
    }
    be32_store(o->buf.data, (uint32_t)(size - RPC_FRAME_SIZE_BYTES));
    o->splice_count = out.splice_count;
    o->size_left = size;
    return 0;
}

int rpc_response_encode(struct rpc_output *o, int16_t api_key, int16_t api_version,
                        int32_t correlation_id, const void *message, int splice_max,
                        size_t memory_max)
{
    struct response_header header;
    response_header_init(&header);
    header.correlation_id = correlation_id;
    return encode(o, &response_header_schema, api_response_header_version(api_key, api_version),
                  &header, api_find(api_key)->response, api_version, message, splice_max,
                  memory_max);
}

int rpc_request_encode(struct rpc_output *o, int16_t api_key, int16_t api_version,
                       int32_t correlation_id, struct str client_id, const void *message,
                       int splice_max, size_t memory_max)
{
    struct request_header header;
    request_header_init(&header);
    header.request_api_key = api_key;
    header.request_api_version = api_version;
    header.correlation_id = correlation_id;
    header.client_id = client_id;
    return encode(o, &request_header_schema, api_request_header_version(api_key, api_version),
                  &header, api_find(api_key)->request, api_version, message, splice_max, memory_max);
}

// --- the cursor

// Where the memory before the splice `index` ends.
static size_t memory_end(const struct rpc_output *o, int index)
{
    return index < o->splice_count ? o->splices[index].offset : o->buf.size;
}

int rpc_output_slices(const struct rpc_output *o, struct rpc_slice *slices, int slices_max)
{
    int count = 0;
    size_t memory = o->memory_sent;
    int64_t splice_sent = o->splice_sent;
    for (int i = o->splice_index; i <= o->splice_count && count < slices_max; i++) {
        size_t end = memory_end(o, i);
        if (memory < end)
            slices[count++] = (struct rpc_slice){.data = o->buf.data + memory, .size = end - memory};
        memory = end;
        if (i == o->splice_count || count == slices_max)
            break;
        const struct wire_splice *s = &o->splices[i];
        slices[count++] = (struct rpc_slice){
            .source = s->source,
            .position = s->position + splice_sent,
            .size = (size_t)(s->size - splice_sent),
        };
        splice_sent = 0;
    }
    return count;
}

size_t rpc_output_sent(struct rpc_output *o, size_t size)
{
    size_t left = size < o->size_left ? size : o->size_left;
    size_t taken = left;
    o->size_left -= taken;
    while (left > 0) {
        size_t memory = memory_end(o, o->splice_index) - o->memory_sent;
        size_t part = memory < left ? memory : left;
        o->memory_sent += part;
        left -= part;
        if (left == 0)
            break;
        const struct wire_splice *s = &o->splices[o->splice_index];
        part = (size_t)(s->size - o->splice_sent);
        part = part < left ? part : left;
        o->splice_sent += (int64_t)part;
        left -= part;
        if (o->splice_sent == s->size) {
            o->splice_index++;
            o->splice_sent = 0;
        }
    }
    return taken;
}
