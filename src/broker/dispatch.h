// SPDX-License-Identifier: Apache-2.0
//
// Which APIs this broker serves, in one table: key, handler, and for which listeners. What is not in
// the table is not advertised, and a request for it closes the connection, as in Kafka. Each handler
// has a file of its own, api/<key>_<name>.c.
//
// What is about partitions is served by the shard of the connection, which asks the shards of the
// partitions (split.h); the rest is about metadata and goes to shard 0 as a whole.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct api;
struct node;
struct request;
struct shard;

// Serve one request: answer it now or later. `body` is the decoded request, in r->arena.
struct api_route {
    int16_t key;
    void (*on_shard)(struct shard *s, struct request *r, const void *body); // where it came in, or
    void (*on_node)(struct node *n, struct request *r, const void *body);   // on shard 0
};

// All routes by rising key.
const struct api_route *api_routes(int *count);

// Fills node->apis, what the connections may let through.
void dispatch_init(struct node *n);

// Takes a request from a connection: decodes it and calls its handler. Requests that come before the
// node is ready wait for it.
void dispatch_request(struct shard *s, struct request *r);

// Serves what waited for the node to be ready, or ends it when the node stops before that.
void dispatch_early(struct shard *s);

// True if the listener kind that this request came by serves the API.
bool dispatch_is_served(const struct node *n, const struct request *r, const struct api *api);
