// SPDX-License-Identifier: Apache-2.0
//
// Topics that a request brings into being: those that it names and that are missing (Metadata), or that a
// coordinator keeps its state in (FindCoordinator). The request waits until all shards know of them,
// about a millisecond, where Kafka answers with an error that lets its client ask again.
#pragma once

#include "broker/quorum.h"
#include "broker/shard.h"
#include "wire/api/create_topics.h"

struct node;
struct request;

// Embedded in the operation of the request; runs on shard 0.
struct auto_create {
    struct create_topics_request wanted;    // the caller's, in the request's arena
    struct create_topics_response answered; // by the controller; count 0: it could not be asked
    struct node *node;
    struct request *request;
    void (*done)(struct auto_create *a);

    // Inner matters:
    struct quorum_command command;
    struct follow_wait followed;
};

// No topics yet. `done` is called when what was made is in the image of this node, and is not called any
// more when the client has gone: then the request has been dropped.
void auto_create_init(struct auto_create *a, struct node *n, struct request *r,
                      void (*done)(struct auto_create *a));

// Creates what is listed, one topic at least.
void auto_create_start(struct auto_create *a);
