// SPDX-License-Identifier: Apache-2.0
//
// The topics of a commit of offsets, inside a transaction or not: what does not exist is answered here, and
// the group's coordinator is asked for the rest.
#pragma once

#include <stdbool.h>

#include "wire/api/offset_commit.h"
#include "wire/errors.h"

struct request;
struct shard;

// In the request's arena. The reply is made for all partitions of the request, with the errors of those
// that do not exist; the coordinator's answer goes into the gaps.
struct commit_topics {
    struct offset_commit_request request;  // as the client sent it
    struct offset_commit_response reply;   // what it gets
    struct offset_commit_request asked;    // what the coordinator is asked, topics with names,
    struct offset_commit_response answer;  // and says;
    enum kafka_error error;                // or what is wrong with all of it
};

// With c->request set. Topics are looked up by id, or by name. Nothing of them exists: asked.topics.count
// is 0. False: the arena is full.
bool commit_topics_take(struct shard *s, struct request *r, bool by_id, struct commit_topics *c);

// Completes the reply.
void commit_topics_finish(struct commit_topics *c);
