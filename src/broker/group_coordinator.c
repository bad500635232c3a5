// SPDX-License-Identifier: Apache-2.0
//
// The coordinator of groups as a kind of coordinator: src/group for the driver.
#include "broker/coordinator_kind.h"
#include "broker/coordinator_slot.h"
#include "broker/coordinators.h"
#include "broker/node.h"
#include "broker/shard.h"
#include "env/env.h"
#include "env/random.h"
#include "group/groups.h"

static void random_bytes(void *context, uint8_t *out, size_t size)
{
    struct shard *s = context;
    env_random_fill(s->env->random, out, size);
}

static void *new(struct coordinator_slot *slot)
{
    struct shard *s = slot->shard;
    return groups_new(&(struct groups_options){
        .config = s->config,
        .image = shard_image(s),
        .trace = s->trace,
        .hash_seed = s->node->hash_seed,
        .partition = slot->partition,
        .random = random_bytes,
        .random_context = s,
    });
}

static void attach(void *state, struct coordinator *c)
{
    groups_attach(state, c);
}

static void loaded(void *state, const struct coordinator_time *now)
{
    groups_loaded(state, now);
}

static void set_image(void *state, const struct metadata_image *image,
                      const struct coordinator_time *now)
{
    groups_set_image(state, image, now);
}

static void end(void *state, enum kafka_error error)
{
    groups_end(state, error);
}

static void release(void *state)
{
    groups_free(state);
}

const struct coordinator_kind_type group_coordinator = {
    .topic = GROUP_TOPIC,
    .what = "groups",
    .machine = &groups_machine,
    .piece_bytes_key = "offsets.load.buffer.size",
    .codec_key = "offsets.topic.compression.codec",
    .linger_ms_key = "group.coordinator.append.linger.ms",
    .new = new,
    .attach = attach,
    .loaded = loaded,
    .set_image = set_image,
    .end = end,
    .free = release,
};
