// SPDX-License-Identifier: Apache-2.0
#include "broker/dispatch.h"

#include "base/check.h"
#include "base/err.h"
#include "broker/api/api.h"
#include "broker/forward.h"
#include "broker/node.h"
#include "broker/request.h"
#include "broker/shard.h"
#include "wire/apis.h"

static const struct api_route routes[] = {
    {API_PRODUCE, .on_shard = api_produce},
    {API_FETCH, .on_shard = api_fetch},
    {API_LIST_OFFSETS, .on_shard = api_list_offsets},
    {API_METADATA, .on_node = api_metadata},
    {API_OFFSET_COMMIT, .on_shard = api_offset_commit},
    {API_OFFSET_FETCH, .on_shard = api_offset_fetch},
    {API_FIND_COORDINATOR, .on_node = api_find_coordinator},
    {API_JOIN_GROUP, .on_shard = api_join_group},
    {API_HEARTBEAT, .on_shard = api_heartbeat},
    {API_LEAVE_GROUP, .on_shard = api_leave_group},
    {API_SYNC_GROUP, .on_shard = api_sync_group},
    {API_DESCRIBE_GROUPS, .on_shard = api_describe_groups},
    {API_LIST_GROUPS, .on_shard = api_list_groups},
    {API_API_VERSIONS, .on_node = api_api_versions},
    {API_CREATE_TOPICS, .on_node = api_create_topics},
    {API_DELETE_TOPICS, .on_node = api_delete_topics},
    {API_DELETE_RECORDS, .on_shard = api_delete_records},
    {API_INIT_PRODUCER_ID, .on_shard = api_init_producer_id},
    {API_OFFSET_FOR_LEADER_EPOCH, .on_shard = api_offset_for_leader_epoch},
    {API_ADD_PARTITIONS_TO_TXN, .on_shard = api_add_partitions_to_txn},
    {API_ADD_OFFSETS_TO_TXN, .on_shard = api_add_offsets_to_txn},
    {API_END_TXN, .on_shard = api_end_txn},
    {API_WRITE_TXN_MARKERS, .on_shard = api_write_txn_markers},
    {API_TXN_OFFSET_COMMIT, .on_shard = api_txn_offset_commit},
    {API_DESCRIBE_CONFIGS, .on_node = api_describe_configs},
    {API_ALTER_CONFIGS, .on_node = api_alter_configs},
    {API_DESCRIBE_LOG_DIRS, .on_shard = api_describe_log_dirs},
    {API_CREATE_PARTITIONS, .on_node = api_create_partitions},
    {API_DELETE_GROUPS, .on_shard = api_delete_groups},
    {API_INCREMENTAL_ALTER_CONFIGS, .on_node = api_incremental_alter_configs},
    {API_OFFSET_DELETE, .on_shard = api_offset_delete},
    {API_DESCRIBE_CLUSTER, .on_node = api_describe_cluster},
    {API_DESCRIBE_PRODUCERS, .on_shard = api_describe_producers},
    {API_DESCRIBE_TRANSACTIONS, .on_shard = api_describe_transactions},
    {API_LIST_TRANSACTIONS, .on_shard = api_list_transactions},
    {API_CONSUMER_GROUP_HEARTBEAT, .on_shard = api_consumer_group_heartbeat},
    {API_CONSUMER_GROUP_DESCRIBE, .on_shard = api_consumer_group_describe},
    {API_LIST_CONFIG_RESOURCES, .on_node = api_list_config_resources},
    {API_DESCRIBE_TOPIC_PARTITIONS, .on_node = api_describe_topic_partitions},
    {API_STREAMS_GROUP_HEARTBEAT, .on_node = api_streams_group_heartbeat},
    {API_STREAMS_GROUP_DESCRIBE, .on_shard = api_streams_group_describe},
    {API_CHITIN_DESCRIBE_GROUPS, .on_shard = api_chitin_describe_groups},
};

enum { ROUTE_COUNT = sizeof routes / sizeof routes[0] };
check_static((int)ROUTE_COUNT <= (int)NODE_APIS_MAX, "the node has no room for the routes");

const struct api_route *api_routes(int *count)
{
    *count = ROUTE_COUNT;
    return routes;
}

void dispatch_init(struct node *n)
{
    for (int i = 0; i < ROUTE_COUNT; i++) {
        const struct api *api = api_find(routes[i].key);
        check(i == 0 || routes[i].key > routes[i - 1].key);
        n->apis[i] = (struct rpc_api){api->key, api->version_min, api->version_max};
    }
    n->api_count = ROUTE_COUNT;
}

static const struct api_route *find_route(int16_t key)
{
    for (int i = 0; i < ROUTE_COUNT; i++)
        if (routes[i].key == key)
            return &routes[i];
    return NULL;
}

bool dispatch_is_served(const struct node *n, const struct request *r, const struct api *api)
{
    const struct listener *listener = node_listener(n, r);
    bool controller = listener != NULL && listener->controller;
    return (api->listeners & (controller ? API_ON_CONTROLLER : API_ON_BROKER)) != 0;
}

// The decoded body in the request's arena; NULL when it was ended for what it is.
static const void *decode(struct request *r)
{
    const struct api *api = api_find(r->header.api_key);
    void *body = arena_alloc(&r->arena, wire_schema_struct_size(api->request));
    if (body == NULL) {
        request_close_connection(r, "no memory for the request");
        return NULL;
    }
    int err = wire_decode(api->request, r->header.api_version, r->body, &r->arena, body, NULL);
    if (err != ERR_OK) {
        request_close_connection(r, err_text(err));
        return NULL;
    }
    request_decoded(r);
    return body;
}

static void serve_on_node(struct node *n, struct request *r)
{
    if (r->header.is_version_fallback) {
        api_api_versions_fallback(n, r);
        return;
    }
    const struct api_route *route = find_route(r->header.api_key);
    const void *body = decode(r);
    check(route != NULL);
    if (body != NULL)
        route->on_node(n, r, body);
}

static void serve_on_zero(struct shard *zero, struct request *r, const void *body)
{
    serve_on_node(zero->node, r);
}

static void serve(struct shard *s, struct request *r)
{
    const struct api *api = api_find(r->header.api_key);
    const struct api_route *route = find_route(r->header.api_key);
    check(api != NULL && route != NULL);
    if (!dispatch_is_served(s->node, r, api)) {
        request_close_connection(r, "the API is not served on this listener");
    } else if (route->on_shard != NULL) {
        const void *body = decode(r);
        if (body != NULL)
            route->on_shard(s, r, body);
    } else {
        forward_to_shard(s, 0, r, NULL, serve_on_zero);
    }
}

// --- Requests that come before the node is ready ---

struct early_request {
    struct list_node node;
    struct request *request;
};

void dispatch_request(struct shard *s, struct request *r)
{
    if (s->state != SHARD_STARTING) {
        serve(s, r);
        return;
    }
    struct early_request *early = arena_new(&r->arena, struct early_request);
    if (early == NULL) {
        request_close_connection(r, "no memory for the request");
        return;
    }
    early->request = r;
    list_append(&s->early, &early->node);
}

void dispatch_early(struct shard *s)
{
    struct list_node *node;
    while ((node = list_pop(&s->early)) != NULL) {
        struct request *r = container_of(node, struct early_request, node)->request;
        if (request_is_abandoned(r))
            request_drop(r);
        else if (s->state == SHARD_READY)
            serve(s, r);
        else
            request_close_connection(r, "the node stops");
    }
}
