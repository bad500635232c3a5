// SPDX-License-Identifier: Apache-2.0
#include "broker/forward.h"

#include "base/check.h"
#include "broker/node.h"
#include "broker/partitions.h"
#include "broker/request.h"
#include "broker/shard.h"
#include "env/env.h"

// In the request's arena.
struct forwarded {
    struct shard *home;
    struct shard *there;
    const void *body;
    forward_serve serve;
};

static void arrived(void *context, struct request *r)
{
    const struct forwarded *f = context;
    f->serve(f->there, r, f->body);
}

static void came_back(void *context)
{
    const struct forwarded *f = context;
    f->home->away_count--;
}

void forward_to_shard(struct shard *home, int number, struct request *r, const void *body,
                      forward_serve serve)
{
    struct node *n = home->node;
    check(number >= 0 && number < n->shard_count);
    if (number == home->index) {
        serve(home, r, body);
        return;
    }
    struct forwarded *f = arena_new(&r->arena, struct forwarded);
    if (f == NULL) {
        request_close_connection(r, "no memory for the request");
        return;
    }
    *f = (struct forwarded){
        .home = home, .there = &n->shards[number], .body = body, .serve = serve};
    struct request_trip trip = {
        .to = f->there->env->mailbox,
        .home = home->env->mailbox,
        .serve = arrived,
        .serve_context = f,
        .back = came_back,
        .back_context = f,
    };
    if (request_send(r, &trip))
        home->away_count++;
    else
        request_close_connection(r, "no memory for the request");
}

void forward_to_partition(struct shard *home, struct str topic, int32_t partition, struct request *r,
                          const void *body, forward_serve serve)
{
    const struct node *n = home->node;
    int number = partitions_shard_of(n->hash_seed, n->shard_count, topic, partition);
    forward_to_shard(home, number, r, body, serve);
}
