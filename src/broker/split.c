// SPDX-License-Identifier: Apache-2.0
#include "broker/split.h"

#include "base/check.h"
#include "broker/limits.h"
#include "broker/node.h"
#include "broker/shard.h"
#include "env/env.h"
#include "metadata/image.h"

static void release_arenas(struct request_cleanup *cleanup)
{
    struct split *split = container_of(cleanup, struct split, cleanup);
    for (int i = 0; i < split->share_count; i++)
        if (split->shares[i].arena == &split->shares[i].own)
            arena_release(&split->shares[i].own);
}

bool split_init(struct split *split, struct shard *home, struct request *r)
{
    *split = (struct split){.home = home, .request = r, .share_count = home->node->shard_count};
    split->shares = arena_new_array(&r->arena, (size_t)split->share_count, struct split_share);
    if (split->shares == NULL)
        return false;
    for (int i = 0; i < split->share_count; i++) {
        struct split_share *share = &split->shares[i];
        share->split = split;
        share->shard = &home->node->shards[i];
        share->arena = i == home->index ? &r->arena : &share->own;
        if (i != home->index)
            arena_init(&share->own, REQUEST_ARENA_MAX);
    }
    if (split->share_count > 1) {
        split->cleanup.run = release_arenas;
        request_add_cleanup(r, &split->cleanup);
    }
    return true;
}

int split_shard_of(const struct shard *home, struct str topic, struct uuid topic_id, int32_t index)
{
    if (home->node->shard_count == 1)
        return 0;
    if (topic.data == NULL) {
        const struct metadata_topic *t = metadata_image_topic_by_id(shard_image(home), topic_id);
        if (t == NULL)
            return home->index;
        topic = t->name;
    }
    return partitions_shard_of(home->node->hash_seed, home->node->shard_count, topic, index);
}

void split_add_to(struct split *split, int shard, struct split_item *item)
{
    struct split_share *share = &split->shares[shard];
    item->next = NULL;
    if (share->first == NULL)
        share->first = item;
    else
        share->last->next = item;
    share->last = item;
    share->count++;
}

void split_add(struct split *split, struct str topic, struct uuid topic_id, int32_t index,
               struct split_item *item)
{
    split_add_to(split, split_shard_of(split->home, topic, topic_id, index), item);
}

bool split_new_users(struct split *split, size_t size)
{
    for (int i = 0; i < split->share_count; i++) {
        struct split_share *share = &split->shares[i];
        if (share->count == 0)
            continue;
        share->user = arena_alloc(&split->request->arena, size);
        if (share->user == NULL)
            return false;
    }
    return true;
}

static void one_done(struct split *split)
{
    if (--split->waiting_count > 0)
        return;
    split->home->away_count -= split->went_away;
    split->done(split);
}

static void come_home(struct env_message *message)
{
    one_done(container_of(message, struct split_share, message)->split);
}

static void arrive(struct env_message *message)
{
    struct split_share *share = container_of(message, struct split_share, message);
    share->split->run(share);
}

void split_share_done(struct split_share *share)
{
    struct split *split = share->split;
    if (share->shard == split->home) {
        one_done(split);
        return;
    }
    share->message.receive = come_home;
    env_post(split->home->env->mailbox, &share->message);
}

void split_start(struct split *split, void (*run)(struct split_share *share),
                 void (*done)(struct split *split))
{
    struct split_share *own = &split->shares[split->home->index];
    split->run = run;
    split->done = done;
    split->waiting_count = 1; // ours: a share may be done at once
    for (int i = 0; i < split->share_count; i++)
        split->waiting_count += split->shares[i].count > 0;
    for (int i = 0; i < split->share_count; i++) {
        struct split_share *share = &split->shares[i];
        if (share->count == 0 || share == own)
            continue;
        split->home->away_count += !split->went_away;
        split->went_away = true;
        share->message.receive = arrive;
        env_post(share->shard->env->mailbox, &share->message);
    }
    if (own->count > 0)
        run(own);
    one_done(split);
}

void split_item_done(struct split_share *share)
{
    if (--share->waiting_count == 0)
        split_share_done(share);
}

// Items may be done while others begin, and the request with the last of them.
static void serve_each(struct split_share *share)
{
    share->waiting_count = share->count + 1;
    for (struct split_item *item = share->first, *next; item != NULL; item = next) {
        next = item->next;
        share->split->serve(share, item);
    }
    split_item_done(share);
}

void split_start_each(struct split *split,
                      void (*serve)(struct split_share *share, struct split_item *item),
                      void (*done)(struct split *split))
{
    split->serve = serve;
    split_start(split, serve_each, done);
}
