// SPDX-License-Identifier: Apache-2.0
//
// Inside an administrator (cluster_users.h): one request at a time, asked again until the answer is definite.
#pragma once

#include "base/arena.h"
#include "client/client.h"
#include "cluster_users.h"

struct admin_user {
    struct users *users;
    struct sim_client *client;
    struct client_request request;
    struct arena arena; // of the body
    bool busy;
    int64_t retry_ms; // INT64_MAX: under way
    void (*asking)(struct admin_user *a); // before each try; may be NULL
    // Takes in an answer: true if it is definite.
    bool (*answered)(struct admin_user *a, const void *response);
    void (*unanswered)(struct admin_user *a); // a try had none, or one that was not; may be NULL
    void *owner;
    int topic;
    int partition;
    int count; // of partitions
    int64_t offset;
    char key[64];
    char value[64];
};

// Begins a request; its body is made in a->arena and then asked for.
void admin_begin(struct admin_user *a, bool (*answered)(struct admin_user *, const void *),
                 void (*unanswered)(struct admin_user *));
void admin_ask(struct admin_user *a, int16_t key, int16_t version_min, int16_t version_max,
               const void *body);
