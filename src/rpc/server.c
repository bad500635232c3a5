// SPDX-License-Identifier: Apache-2.0
#include "rpc/server.h"

#include "base/arena.h"
#include "base/be.h"
#include "base/check.h"
#include "base/err.h"
#include "rpc/frame.h"
#include "wire/apis.h"
#include "wire/record/request_header.h"

const struct rpc_api *rpc_apis_find(const struct rpc_apis *apis, int16_t key)
{
    int low = 0;
    int high = apis->count;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (apis->items[middle].key < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low < apis->count && apis->items[low].key == key ? &apis->items[low] : NULL;
}

// 0: served; 1: the fallback of ApiVersions; ERR_UNSUPPORTED: close.
static int judge(const struct rpc_apis *apis, int16_t key, int16_t version)
{
    const struct rpc_api *api = rpc_apis_find(apis, key);
    if (api != NULL && version >= api->version_min && version <= api->version_max)
        return 0;
    return api != NULL && key == API_API_VERSIONS ? 1 : ERR_UNSUPPORTED;
}

int rpc_request_admit(const uint8_t *first, size_t size, const struct rpc_apis *apis)
{
    if (size < RPC_ADMIT_BYTES)
        return ERR_TRUNCATED;
    int result = judge(apis, (int16_t)be16_load(first), (int16_t)be16_load(first + 2));
    return result < 0 ? result : 0;
}

int rpc_request_header_decode(struct bytes frame, const struct rpc_apis *apis,
                              struct rpc_request_header *out)
{
    if (frame.size < RPC_ADMIT_BYTES)
        return ERR_TRUNCATED;
    int16_t key = (int16_t)be16_load(frame.data);
    int16_t version = (int16_t)be16_load(frame.data + 2);
    int judgement = judge(apis, key, version);
    if (judgement < 0)
        return judgement;
    struct request_header header;
    struct arena nothing; // a header has no arrays
    size_t size;
    arena_init(&nothing, 0);
    int result = wire_decode(&request_header_schema, api_request_header_version(key, version), frame,
                             &nothing, &header, &size);
    if (result != 0)
        return result;
    *out = (struct rpc_request_header){
        .api_key = key,
        .api_version = version,
        .correlation_id = header.correlation_id,
        .client_id = header.client_id,
        .size = size,
        .is_version_fallback = judgement == 1,
    };
    return 0;
}

// --- the pipeline

void rpc_pipeline_init(struct rpc_pipeline *p)
{
    *p = (struct rpc_pipeline){0};
    list_init(&p->exchanges);
}

void rpc_pipeline_add(struct rpc_pipeline *p, struct rpc_exchange *e)
{
    e->state = RPC_EXCHANGE_WAITING;
    list_append(&p->exchanges, &e->node);
    p->count++;
    p->waiting_count++;
}

void rpc_pipeline_answer(struct rpc_pipeline *p, struct rpc_exchange *e)
{
    check(e->state == RPC_EXCHANGE_WAITING && list_linked(&e->node));
    e->state = RPC_EXCHANGE_ANSWERED;
    p->waiting_count--;
    p->memory_bytes += e->output.buf.size;
}

void rpc_pipeline_skip(struct rpc_pipeline *p, struct rpc_exchange *e)
{
    check(e->state == RPC_EXCHANGE_WAITING && list_linked(&e->node));
    e->state = RPC_EXCHANGE_SILENT;
    p->waiting_count--;
}

int rpc_pipeline_slices(const struct rpc_pipeline *p, struct rpc_slice *slices, int slices_max)
{
    int count = 0;
    list_for_each (node, next, &p->exchanges) {
        const struct rpc_exchange *e = container_of(node, struct rpc_exchange, node);
        if (e->state == RPC_EXCHANGE_WAITING || count == slices_max)
            break;
        if (e->state == RPC_EXCHANGE_ANSWERED)
            count += rpc_output_slices(&e->output, slices + count, slices_max - count);
    }
    return count;
}

void rpc_pipeline_sent(struct rpc_pipeline *p, size_t size)
{
    list_for_each (node, next, &p->exchanges) {
        struct rpc_exchange *e = container_of(node, struct rpc_exchange, node);
        if (size == 0)
            break;
        check(e->state != RPC_EXCHANGE_WAITING);
        size -= rpc_output_sent(&e->output, size);
    }
    check(size == 0);
}

void rpc_pipeline_remove(struct rpc_pipeline *p, struct rpc_exchange *e)
{
    check(list_linked(&e->node));
    list_remove(&e->node);
    p->count--;
    if (e->state == RPC_EXCHANGE_WAITING)
        p->waiting_count--;
    if (e->state == RPC_EXCHANGE_ANSWERED)
        p->memory_bytes -= e->output.buf.size;
}

struct rpc_exchange *rpc_pipeline_take_finished(struct rpc_pipeline *p)
{
    struct list_node *node = list_first(&p->exchanges);
    if (node == NULL)
        return NULL;
    struct rpc_exchange *e = container_of(node, struct rpc_exchange, node);
    if (e->state == RPC_EXCHANGE_WAITING || e->output.size_left > 0)
        return NULL;
    rpc_pipeline_remove(p, e);
    return e;
}
