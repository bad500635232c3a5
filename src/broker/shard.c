// SPDX-License-Identifier: Apache-2.0
#include "broker/shard.h"

#include <stdio.h>

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/trace.h"
#include "broker/connection.h"
#include "broker/dispatch.h"
#include "broker/limits.h"
#include "broker/node.h"
#include "config/config.h"
#include "env/clock.h"
#include "env/env.h"
#include "env/mailbox.h"
#include "env/random.h"
#include "log/cleaner.h"
#include "log/commit.h"
#include "log/dir.h"
#include "log/scrub.h"
#include "metadata/image.h"

enum {
    SHARD_MAGIC = 0x53485244,
    POLL_MS = 1, // while the last writes of a stopping node finish
};

// An image on its way to a shard, then what that shard follows, then on its way back: the references
// are counted on shard 0 alone.
struct followed_image {
    struct env_message message;
    struct shard *shard;
    const struct metadata_image *image;
    int64_t number; // of the image; on the way back of the one that replaced it
};

const struct metadata_image *shard_image(const struct shard *s)
{
    if (s->index == 0)
        return node_image(s->node);
    return s->following != NULL ? s->following->image : NULL;
}

// --- Messages ---

struct shard_call {
    struct env_message message;
    struct shard *to;
    void (*run)(struct shard *to, void *argument);
    void *argument;
};

static void call_receive(struct env_message *message)
{
    struct shard_call call = *container_of(message, struct shard_call, message);
    mem_free(container_of(message, struct shard_call, message));
    call.run(call.to, call.argument);
}

void shard_post(struct shard *to, void (*run)(struct shard *to, void *argument), void *argument)
{
    struct shard_call *call = mem_new(struct shard_call);
    *call = (struct shard_call){.message.receive = call_receive, .to = to, .run = run,
                                .argument = argument};
    env_post(to->env->mailbox, &call->message);
}

// Tells shard 0 what it waits for; directly when that is us.
static void report(struct shard *s, void (*run)(struct shard *zero, void *shard))
{
    if (s->index == 0)
        run(s, s);
    else
        shard_post(&s->node->shards[0], run, s);
}

// --- Configuration that changes at run time ---

static void set_dynamic_layer(struct shard *s, enum config_source layer,
                              const struct properties *from, const struct properties *to)
{
    for (int i = 0; from != NULL && i < from->count; i++)
        if (to == NULL || properties_get(to, from->items[i].key) == NULL)
            config_set_dynamic(s->config, layer, from->items[i].key, NULL);
    for (int i = 0; to != NULL && i < to->count; i++)
        config_set_dynamic(s->config, layer, to->items[i].key, to->items[i].value);
}

static void apply_dynamic(struct shard *s, enum config_source layer, const char *resource,
                          const struct metadata_image *from, const struct metadata_image *to)
{
    struct str name = str_from(resource);
    set_dynamic_layer(s, layer, metadata_image_configs(from, CONFIG_RESOURCE_BROKER, name),
                      metadata_image_configs(to, CONFIG_RESOURCE_BROKER, name));
}

static int32_t connections_per_second(const struct config *c, const char *name)
{
    int32_t rate = config_i32(c, name);
    return rate == INT32_MAX ? 0 : rate > 0 ? rate : 1; // Kafka holds nobody back for ever either
}

static struct connection_limits connection_limits_of(const struct config *c)
{
    return (struct connection_limits){
        .connections_max = config_i32(c, "max.connections"),
        .connections_per_ip_max = config_i32(c, "max.connections.per.ip"),
        .per_ip_overrides = str_from(config_text(c, "max.connections.per.ip.overrides")),
        .connections_per_second_max = connections_per_second(c, "max.connection.creation.rate"),
    };
}

void shard_apply_limits(struct shard *s)
{
    const struct listeners *bound = &s->node->bound;
    struct connection_limits limits = connection_limits_of(s->config);
    connections_set_limits(s->connections, &limits);
    for (int i = 0; i < bound->count; i++) {
        const char *listener = bound->items[i].name;
        char max[CONFIG_LISTENER_KEY_MAX], rate[CONFIG_LISTENER_KEY_MAX];
        config_listener_key(listener, "max.connections", max);
        config_listener_key(listener, "max.connection.creation.rate", rate);
        connections_set_listener_limits(
            s->connections, listener,
            &(struct listener_limits){
                .connections_max = config_i32(s->config, max),
                .connections_per_second_max = connections_per_second(s->config, rate)});
    }
}

void shard_apply(struct shard *s, const struct metadata_image *from, const struct metadata_image *to)
{
    char id[16];
    snprintf(id, sizeof id, "%d", s->node->node_id);
    apply_dynamic(s, CONFIG_SOURCE_BROKER_DEFAULT, "", from, to);
    apply_dynamic(s, CONFIG_SOURCE_BROKER, id, from, to);
    if (s->index == 0 && s->connections != NULL)
        shard_apply_limits(s);
    // Before the partitions are loaded there is nothing that could follow.
    if (!s->is_loaded)
        return;
    coordinators_leave(&s->coordinators, to);
    partitions_apply(&s->partitions, from, to);
    coordinators_apply(&s->coordinators, to);
}

// --- Following the metadata ---

static void wake_followers(struct node *n)
{
    int64_t least = INT64_MAX;
    struct list_node *node;
    for (int i = 1; i < n->shard_count; i++)
        if (n->followed[i] < least)
            least = n->followed[i];
    while ((node = list_first(&n->follow_waits)) != NULL) {
        struct follow_wait *wait = container_of(node, struct follow_wait, node);
        if (wait->number > least)
            return;
        list_remove(node);
        wait->done(wait);
    }
}

static void image_back(struct env_message *message)
{
    struct followed_image *f = container_of(message, struct followed_image, message);
    struct node *n = f->shard->node;
    n->followed[f->shard->index] = f->number;
    metadata_image_unref(f->image);
    mem_free(f);
    wake_followers(n);
}

static void image_came(struct env_message *message)
{
    struct followed_image *f = container_of(message, struct followed_image, message);
    struct shard *s = f->shard;
    struct followed_image *before = s->following;
    s->following = f;
    if (before == NULL) {
        shard_load(s);
        return;
    }
    shard_apply(s, before->image, f->image);
    before->number = f->number;
    before->message.receive = image_back;
    env_post(s->node->shards[0].env->mailbox, &before->message);
}

void shards_publish(struct node *n, const struct metadata_image *image)
{
    n->image_number++;
    for (int i = 1; i < n->shard_count; i++) {
        struct followed_image *f = mem_new(struct followed_image);
        *f = (struct followed_image){.message.receive = image_came,
                                     .shard = &n->shards[i],
                                     .image = metadata_image_ref(image),
                                     .number = n->image_number};
        env_post(n->shards[i].env->mailbox, &f->message);
    }
}

void shards_when_followed(struct node *n, struct follow_wait *wait)
{
    wait->number = n->image_number;
    list_append(&n->follow_waits, &wait->node);
    wake_followers(n);
}

// --- Log directories ---

static int find_dir(const struct shard *s, const struct log_dir *dir)
{
    for (int i = 0; i < s->dir_count; i++)
        if (s->dirs[i] == dir)
            return i;
    check(false);
    return -1;
}

static void tell_part_failed(struct shard *zero, void *argument)
{
    node_part_failed(zero->node, argument);
    mem_free(argument);
}

// What happened to our part happened to the directory.
static void part_offline(struct log_dir *dir, void *owner, int err, const char *why)
{
    struct shard *s = owner;
    struct dir_failure *failure = mem_new(struct dir_failure);
    *failure = (struct dir_failure){.dir = find_dir(s, dir), .err = err};
    str_copy_to(str_from(why), failure->why, sizeof failure->why);
    if (s->partitions.magic != 0)
        partitions_dir_failed(&s->partitions, dir);
    shard_post(&s->node->shards[0], tell_part_failed, failure);
}

void shard_dir_failed(struct shard *s, int dir, int err, const char *why)
{
    if (s->index == 0)
        partitions_dir_failed(&s->partitions, s->dirs[dir]);
    else
        log_dir_fail(s->dirs[dir], err, why); // part_offline() follows, if this is news
}

static bool takes(void *context, struct str topic, int32_t partition)
{
    const struct shard *s = context;
    return partitions_shard_of(s->node->hash_seed, s->node->shard_count, topic, partition) ==
           s->index;
}

static void open_parts(struct shard *s)
{
    for (int i = 0; s->index > 0 && i < s->dir_count; i++) {
        struct log_dir_part_args args = {
            .env = s->env,
            .owner = s,
            .on_offline = part_offline,
            .context = s,
            .takes = takes,
        };
        s->dirs[i] = log_dir_part_new(s->node->args.dirs[i], &args);
    }
}

// --- Start ---

static void handle(void *context, struct request *r)
{
    dispatch_request(context, r);
}

// In turn: a connection more or less matters little, and those that stay do not move.
static struct connections *choose(void *context)
{
    struct shard *s = context;
    struct node *n = s->node;
    n->next_shard = (n->next_shard + 1) % n->shard_count;
    return n->shards[n->next_shard].connections;
}

// What is one for the node is dealt out evenly.
static int share_of(int count, const struct shard *s)
{
    int shard_count = s->node->shard_count;
    return count / shard_count + (s->index < count % shard_count);
}

static struct connections_config connections_config_of(struct shard *s)
{
    const struct config *c = s->node->config;
    int64_t queued_bytes_max = config_i64(c, "queued.max.request.bytes");
    int requests_max = share_of(config_i32(c, "queued.max.requests"), s);
    if (queued_bytes_max <= 0)
        queued_bytes_max = CONNECTIONS_QUEUED_BYTES_MAX;
    return (struct connections_config){
        .apis = {s->node->apis, s->node->api_count},
        .handle = handle,
        .context = s,
        .choose = s->index == 0 && s->node->shard_count > 1 ? choose : NULL,
        .trace = s->trace,
        .request_bytes_max = config_i32(c, "socket.request.max.bytes"),
        .queued_requests_max = requests_max > 0 ? requests_max : 1,
        .queued_bytes_max = queued_bytes_max / s->node->shard_count,
        .reserve_bytes = CONNECTIONS_RESERVE_BYTES / s->node->shard_count,
        .arena_bytes_max = REQUEST_ARENA_MAX,
        .idle_ms_max = config_i64(c, "connections.max.idle.ms"),
        .limits = connection_limits_of(c),
    };
}

void shard_init(struct shard *s, struct node *node, int index, struct env *env)
{
    *s = (struct shard){
        .magic = SHARD_MAGIC,
        .node = node,
        .index = index,
        .env = env,
        .trace = node->trace,
        .config = index == 0 ? node->config : config_new(),
        .committer = group_commit_new(env),
        .dir_count = node->args.dir_count,
    };
    uint64_t session_seed;
    int slots = config_i32(node->config, "max.incremental.fetch.session.cache.slots");
    int slot_share = share_of(slots, s);
    if (slots > 0 && slot_share == 0)
        slot_share = 1; // a connection without any would be a matter of luck
    env_random_fill(env->random, &session_seed, sizeof session_seed);
    batch_checks_init(&s->batch_checks, env, node->args.quick_check_bytes_max);
    fetch_sessions_init(&s->fetch_sessions, node->hash_seed, session_seed,
                        slot_share, share_of(FETCH_SESSION_PARTITIONS_MAX, s));
    s->dirs = mem_alloc_array((size_t)s->dir_count + 1, sizeof(struct log_dir *));
    for (int i = 0; i < s->dir_count; i++)
        s->dirs[i] = index == 0 ? node->args.dirs[i] : NULL;
    list_init(&s->early);
    coordinators_init(&s->coordinators, s);
}

struct placed_elsewhere {
    struct replica_dir *items;
    int count;
};

static void note_placed(struct shard *zero, void *argument)
{
    struct placed_elsewhere *placed = argument;
    replica_dirs_add(&zero->node->replica_dirs, placed->items, placed->count);
    mem_free(placed->items);
    mem_free(placed);
}

static void on_placed(void *owner, struct replica_dir *items, int count)
{
    struct shard *s = owner;
    struct placed_elsewhere *placed = mem_new(struct placed_elsewhere);
    *placed = (struct placed_elsewhere){items, count};
    if (s->index == 0)
        note_placed(s, placed);
    else
        shard_post(&s->node->shards[0], note_placed, placed);
}

void shard_open(struct shard *s)
{
    if (s->index > 0)
        config_copy(s->config, s->node->config);
    open_parts(s);
    struct partitions_args args = {
        .env = s->env,
        .trace = s->trace,
        .config = s->config,
        .node_id = s->node->node_id,
        .seed = s->node->hash_seed,
        .shard = s->index,
        .shard_count = s->node->shard_count,
        .committer = s->committer,
        .dirs = s->dirs,
        .dir_count = s->dir_count - s->node->args.metadata_dir_is_apart,
        .owner = s,
        .on_placed = on_placed,
    };
    partitions_init(&s->partitions, &args);
    struct connections_config connections_config = connections_config_of(s);
    s->connections = connections_new(s->env, &connections_config);
}

void shard_load(struct shard *s)
{
    struct diag diag = {{0}};
    int err = partitions_load(&s->partitions, shard_image(s), s->node->scans, &diag);
    if (err != ERR_OK)
        trace_error(s->trace, "node", "%s", diag.text);
    s->is_loaded = err == ERR_OK;
    report(s, node_shard_loaded);
}

void shard_ready(struct shard *s)
{
    if (s->state != SHARD_STARTING)
        return;
    s->state = SHARD_READY;
    coordinators_start(&s->coordinators);
    dispatch_early(s);
}

// --- Stop ---

static void poll_again(struct shard *s)
{
    env_timer_set(s->env->timers, &s->poll,
                  env_mono_ns(s->env->clock) + POLL_MS * INT64_C(1000000));
}

static void poll_fire(struct env_timer *timer)
{
    struct shard *s = container_of(timer, struct shard, poll);
    s->polled(s);
}

static void poll_away(struct shard *s)
{
    if (s->away_count > 0)
        poll_again(s);
    else
        report(s, node_shard_stopped);
}

static void connections_gone(void *context)
{
    struct shard *s = context;
    s->is_gone = true;
    s->poll.fire = poll_fire;
    s->polled = poll_away;
    poll_away(s);
}

void shard_stop(struct shard *s)
{
    s->state = SHARD_STOPPING;
    dispatch_early(s);
    coordinators_stop(&s->coordinators);
    partitions_stop_waiting(&s->partitions);
    connections_stop(s->connections, connections_gone, s);
}

void shard_cut(struct shard *s)
{
    if (s->is_gone)
        return;
    trace_warn(s->trace, "node", "clients that do not take their answers are cut off");
    connections_free(s->connections);
    s->connections = NULL;
    connections_gone(s);
}

static bool writes_are_done(const struct shard *s)
{
    if (!log_committer_is_idle(s->committer) || !coordinators_are_idle(&s->coordinators) ||
        !scrubber_is_idle(s->partitions.scrubber) ||
        !cleaner_is_idle(s->partitions.cleaner) ||
        (s->index == 0 && !quorum_is_idle(s->node->quorum)))
        return false;
    for (int i = 0; i < s->dir_count; i++)
        if (!log_dir_is_idle(s->dirs[i]))
            return false;
    return true;
}

void shard_settle(struct shard *s)
{
    s->poll.fire = poll_fire;
    s->polled = shard_settle;
    if (!writes_are_done(s))
        poll_again(s);
    else
        report(s, node_shard_settled);
}

void shard_close(struct shard *s)
{
    coordinators_release(&s->coordinators);
    partitions_release(&s->partitions);
    for (int i = 0; s->index > 0 && s->is_loaded && i < s->dir_count; i++)
        log_dir_part_close(s->dirs[i]);
    report(s, node_shard_closed);
}

void shard_release(struct shard *s)
{
    if (s->magic == 0)
        return;
    env_timer_cancel(s->env->timers, &s->poll);
    if (s->connections != NULL)
        connections_free(s->connections);
    coordinators_release(&s->coordinators);
    if (s->partitions.magic != 0)
        partitions_release(&s->partitions);
    fetch_sessions_release(&s->fetch_sessions);
    for (int i = 0; s->index > 0 && i < s->dir_count; i++)
        log_dir_free(s->dirs[i]);
    mem_free(s->dirs);
    if (s->following != NULL)
        metadata_image_unref(s->following->image);
    mem_free(s->following);
    if (s->index > 0)
        config_free(s->config);
    s->magic = 0;
}
