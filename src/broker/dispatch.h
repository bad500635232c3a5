// SPDX-License-Identifier: Apache-2.0
//
// Which APIs this broker serves, in one table: key, handler, and for which listeners. What is not in
// the table is not advertised, and a request for it closes the connection, as in Kafka. Each handler
// has a file of its own, api/<key>_<name>.c.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct api;
struct node;
struct request;

// Serves one request: answers it now or later. `body` is the decoded request, in r->arena.
typedef void (*api_handler)(struct node *n, struct request *r, const void *body);

struct api_route {
    int16_t key;
    api_handler handle;
};

// All routes by rising key.
const struct api_route *api_routes(int *count);

// Fills node->apis, what the connections may let through.
void dispatch_init(struct node *n);

// Takes a request from a connection: decodes it and calls its handler. Requests that come before the
// node is ready wait for it.
void dispatch_request(struct node *n, struct request *r);

// Serves what waited for the node to be ready, or ends it when the node stops before that.
void dispatch_early(struct node *n);

// True if the listener kind that this request came by serves the API.
bool dispatch_is_served(const struct node *n, const struct request *r, const struct api *api);
