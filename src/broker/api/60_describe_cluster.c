// SPDX-License-Identifier: Apache-2.0
//
// DescribeCluster (key 60, versions 0-2; KIP-700, KIP-919, KIP-1073): the brokers of the cluster and
// who controls it, or the controllers when asked on a controller's listener.
//   v1: the kind of endpoint that is meant. v2: fenced brokers on request.
#include "base/buf.h"
#include "broker/api/api.h"
#include "broker/node.h"
#include "broker/request.h"
#include "metadata/image.h"
#include "wire/api/describe_cluster.h"
#include "wire/errors.h"

enum { ENDPOINT_BROKERS = 1, ENDPOINT_CONTROLLERS = 2 };

static bool add_brokers(struct node *n, struct request *r,
                        const struct describe_cluster_request *request,
                        struct describe_cluster_response *reply)
{
    const struct metadata_image *image = node_image(n);
    struct pmap_iter iter;
    if (!describe_cluster_response_describe_cluster_broker_array_new(
            &r->arena, metadata_image_broker_count(image), &reply->brokers))
        return false;
    reply->brokers.count = 0;
    for (const struct metadata_broker *b = metadata_broker_first(image, &iter); b != NULL;
         b = metadata_broker_next(&iter)) {
        struct api_endpoint endpoint;
        if ((b->fenced && !request->include_fenced_brokers) || !api_endpoint_of(n, r, b, &endpoint))
            continue;
        struct describe_cluster_response_describe_cluster_broker *item =
            &reply->brokers.items[reply->brokers.count++];
        item->broker_id = b->node.id;
        item->host = endpoint.host;
        item->port = endpoint.port;
        item->rack = b->rack;
        item->is_fenced = b->fenced;
    }
    return true;
}

static bool add_controllers(struct node *n, struct request *r,
                            struct describe_cluster_response *reply)
{
    const struct metadata_image *image = node_image(n);
    struct pmap_iter iter;
    int32_t count = 0;
    for (const struct metadata_controller *c = metadata_controller_first(image, &iter); c != NULL;
         c = metadata_controller_next(&iter))
        count++;
    if (!describe_cluster_response_describe_cluster_broker_array_new(&r->arena, count,
                                                                     &reply->brokers))
        return false;
    reply->brokers.count = 0;
    for (const struct metadata_controller *c = metadata_controller_first(image, &iter); c != NULL;
         c = metadata_controller_next(&iter)) {
        const struct metadata_endpoint *endpoint =
            metadata_node_endpoint(&c->node, str_from(request_listener(r)));
        if (endpoint == NULL)
            continue;
        struct describe_cluster_response_describe_cluster_broker *item =
            &reply->brokers.items[reply->brokers.count++];
        item->broker_id = c->node.id;
        item->host = endpoint->host;
        item->port = endpoint->port;
    }
    return true;
}

static void refuse(struct request *r, struct describe_cluster_response *reply, int8_t type,
                   bool on_controller)
{
    if (type != ENDPOINT_BROKERS && type != ENDPOINT_CONTROLLERS) {
        reply->error_code = KAFKA_UNSUPPORTED_ENDPOINT_TYPE;
        reply->error_message = str_from("Unsupported endpoint type");
        request_reply(r, reply);
        return;
    }
    reply->error_code = (int16_t)(r->header.api_version == 0 ? KAFKA_INVALID_REQUEST
                                                             : KAFKA_MISMATCHED_ENDPOINT_TYPE);
    reply->error_message =
        str_from(on_controller ? "The request was sent to an endpoint of type CONTROLLER, but we "
                                 "wanted an endpoint of type BROKER"
                               : "The request was sent to an endpoint of type BROKER, but we "
                                 "wanted an endpoint of type CONTROLLER");
    request_reply(r, reply);
}

void api_describe_cluster(struct node *n, struct request *r, const void *body)
{
    const struct describe_cluster_request *request = body;
    const struct listener *listener = node_listener(n, r);
    bool on_controller = listener != NULL && listener->controller;
    struct describe_cluster_response reply;
    describe_cluster_response_init(&reply);
    if (request->endpoint_type != (on_controller ? ENDPOINT_CONTROLLERS : ENDPOINT_BROKERS)) {
        refuse(r, &reply, request->endpoint_type, on_controller);
        return;
    }
    reply.endpoint_type = request->endpoint_type;
    reply.cluster_id = str_from(n->cluster_id);
    reply.controller_id = quorum_leader_id(n->quorum);
    if (request->include_cluster_authorized_operations)
        reply.cluster_authorized_operations = API_CLUSTER_OPERATIONS;
    if (!(on_controller ? add_controllers(n, r, &reply) : add_brokers(n, r, request, &reply)))
        api_no_memory(r);
    else
        request_reply(r, &reply);
}
