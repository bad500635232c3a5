// SPDX-License-Identifier: Apache-2.0
#include "broker/node.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/trace.h"
#include "broker/connection.h"
#include "broker/dispatch.h"
#include "broker/registration.h"
#include "config/config.h"
#include "env/clock.h"
#include "env/env.h"
#include "env/random.h"
#include "log/commit.h"
#include "log/dir.h"
#include "metadata/image.h"

enum {
    NODE_MAGIC = 0x4e4f4445,
    STOP_PATIENCE_MS = 10000,  // for clients that do not take their answers
};

static const char area[] = "node";

const struct metadata_image *node_image(const struct node *n)
{
    return quorum_image(n->quorum);
}

const struct listener *node_listener(const struct node *n, const struct request *r)
{
    return listeners_find(&n->bound, str_from(request_listener(r)));
}

static void note_cordoned(struct node *n)
{
    mem_free(n->cordoned);
    n->cordoned = mem_copy_text(config_text(n->config, "cordoned.log.dirs"));
}

// Not at once: the quorum is at its images.
static void beat(struct env_timer *timer)
{
    struct node *n = container_of(timer, struct node, beat_timer);
    if (n->state != NODE_READY)
        return;
    note_cordoned(n);
    registration_beat(n);
}

void node_beat_later(struct node *n, int32_t delay_ms)
{
    env_timer_set(n->env->timers, &n->beat_timer, env_mono_ns(n->env->clock) + delay_ms * INT64_C(1000000));
}

static void on_image(void *owner, const struct metadata_image *from,
                     const struct metadata_image *to)
{
    struct node *n = owner;
    shard_apply(&n->shards[0], from, to);
    if (n->state == NODE_READY && strcmp(n->cordoned, config_text(n->config, "cordoned.log.dirs")) != 0)
        node_beat_later(n, 0);
    if (n->image_number > 0) // the other shards load from the first that they get
        shards_publish(n, to);
}

// --- Start ---

static void leave_soon(struct node *n);

static void on_fatal(void *owner, const char *why)
{
    struct node *n = owner;
    n->failed = true;
    // The controller may not be able to answer any more.
    if (n->leaving)
        leave_soon(n);
    else
        node_stop(n);
}

static bool has_room(void *owner)
{
    const struct node *n = owner;
    return partitions_have_room(&n->shards[0].partitions);
}

static void release_scans(struct node *n)
{
    for (int i = 0; n->scans != NULL && i < n->args.dir_count; i++)
        log_dir_scan_release(&n->scans[i]);
    mem_free(n->scans);
    n->scans = NULL;
}

static int open_listeners(struct node *n, struct diag *diag)
{
    n->bound = n->args.node_config->listeners;
    for (int i = 0; i < n->bound.count; i++) {
        struct listener *listener = &n->bound.items[i];
        struct net_address local;
        int err = connections_listen(n->shards[0].connections, listener->name, listener->host,
                                     (uint16_t)listener->port, &local, diag);
        if (err != ERR_OK)
            return err;
        listener->port = local.port;
    }
    shard_apply_limits(&n->shards[0]);
    return ERR_OK;
}

static void make_ready(struct shard *s, void *argument)
{
    shard_ready(s);
}

static void registered(struct node *n, int64_t broker_epoch)
{
    n->broker_epoch = broker_epoch;
    producer_ids_start(&n->producer_ids, n->quorum, broker_epoch);
    replica_dirs_start(&n->replica_dirs, n->quorum, broker_epoch);
    n->state = NODE_READY;
    if (n->dir_failed)
        node_beat_later(n, 0);
    for (int i = 1; i < n->shard_count; i++)
        shard_post(&n->shards[i], make_ready, NULL);
    shard_ready(&n->shards[0]);
    n->args.on_ready(n->args.owner);
}

static void register_done(void *context, const char *why, int64_t broker_epoch)
{
    struct node *n = context;
    if (n->state != NODE_STARTING)
        return;
    if (why == NULL) {
        registered(n, broker_epoch);
        return;
    }
    trace_error(n->trace, area, "the broker could not be registered: %s", why);
    on_fatal(n, why);
}

static void loaded(struct node *n)
{
    struct diag diag = {{0}};
    size_t count = 0;
    int64_t elapsed_ns = env_mono_ns(n->env->clock) - n->load_begin_ns;
    release_scans(n);
    if (n->load_failed) {
        on_fatal(n, "partitions could not be loaded");
        return;
    }
    n->is_loaded = true;
    for (int i = 0; i < n->shard_count; i++)
        count += n->shards[i].partitions.map.count;
    if (count > 0)
        trace_info(n->trace, area, "%zu partitions opened in %lld ms", count,
                   (long long)(elapsed_ns / 1000000));
    if (n->state != NODE_STARTING)
        return;
    if (open_listeners(n, &diag) != ERR_OK) {
        trace_error(n->trace, area, "%s", diag.text);
        on_fatal(n, diag.text);
        return;
    }
    note_cordoned(n);
    registration_start(n, register_done, n);
}

void node_shard_loaded(struct shard *zero, void *shard)
{
    struct node *n = zero->node;
    const struct shard *s = shard;
    n->load_failed |= !s->is_loaded;
    if (s->index > 0)
        n->followed[s->index] = 1; // its first image; what came meanwhile comes back by itself
    if (--n->loads_waited_for == 0)
        loaded(n);
}

static void on_active(void *owner)
{
    struct node *n = owner;
    if (n->state != NODE_STARTING)
        return;
    n->load_begin_ns = env_mono_ns(n->env->clock);
    n->loads_waited_for = n->shard_count;
    for (int i = 1; i < n->shard_count; i++)
        config_copy(n->shards[i].config, n->config);
    shards_publish(n, node_image(n));
    shard_load(&n->shards[0]);
}

static int open_quorum(struct node *n, struct diag *diag)
{
    const struct node_config *nc = n->args.node_config;
    // Nobody configured is a quorum of this node alone. Voters that the log names win (KIP-853).
    struct raft_voter voters[VOTERS_MAX] = {{.id = n->node_id}};
    for (int i = 0; i < nc->voter_count; i++)
        voters[i] = (struct raft_voter){.id = nc->voters[i].node_id};
    struct quorum_args args = {
        .env = n->env,
        .trace = n->trace,
        .config = n->config,
        .committer = n->shards[0].committer,
        .dir = n->args.dirs[n->args.metadata_dir],
        .node_id = n->node_id,
        .cluster_id = str_from(n->cluster_id),
        .voters = voters,
        .voter_count = nc->voter_count > 0 ? nc->voter_count : 1,
        .owner = n,
        .on_image = on_image,
        .on_active = on_active,
        .has_room = has_room,
        .on_fatal = on_fatal,
    };
    return quorum_open(&args, &n->quorum, diag);
}

static int scan_dirs(struct node *n, struct diag *diag)
{
    n->scans = mem_alloc_array((size_t)n->args.dir_count, sizeof *n->scans);
    for (int i = 0; i < n->args.dir_count; i++) {
        struct log_dir *dir = n->args.dirs[i];
        int err = log_dir_is_offline(dir) ? ERR_OK : log_dir_scan(dir, &n->scans[i], diag);
        if (err != ERR_OK && i == n->args.metadata_dir)
            return err;
        if (err != ERR_OK) { // the others are served
            log_dir_scan_release(&n->scans[i]);
            n->scans[i] = (struct log_dir_scan){.broker_epoch = -1};
            log_dir_fail(dir, err, diag->text);
        }
    }
    n->previous_broker_epoch = n->scans[0].clean ? n->scans[0].broker_epoch : -1;
    for (int i = 1; i < n->args.dir_count; i++)
        if (!n->scans[i].clean || n->scans[i].broker_epoch != n->previous_broker_epoch)
            n->previous_broker_epoch = -1;
    return ERR_OK;
}

static void init_parts(struct node *n)
{
    env_random_fill(n->env->random, &n->hash_seed, sizeof n->hash_seed);
    n->incarnation_id = env_random_uuid(n->env->random);
    n->shard_count = n->args.envs != NULL ? n->args.shard_count : 1;
    check(n->shard_count > 0 && n->shard_count <= SHARDS_MAX);
    n->shards = mem_alloc_array((size_t)n->shard_count, sizeof *n->shards);
    for (int i = 0; i < n->shard_count; i++)
        shard_init(&n->shards[i], n, i, i == 0 ? n->env : n->args.envs[i]);
    producer_ids_init(&n->producer_ids, n->node_id);
    replica_dirs_init(&n->replica_dirs, n->env, n->trace, n->node_id);
    n->fetch_bytes_max = config_i64(n->config, "fetch.max.bytes");
    dispatch_init(n);
}

int node_new(const struct node_args *args, struct node **out, struct diag *diag)
{
    struct node *n = mem_new(struct node);
    n->magic = NODE_MAGIC;
    n->args = *args;
    n->env = args->env;
    n->trace = args->trace;
    n->config = args->config;
    n->node_id = args->node_config->node_id;
    n->cluster_id = mem_copy_str(args->cluster_id);
    n->broker_epoch = -1;
    n->beat_timer.fire = beat;
    list_init(&n->follow_waits);
    init_parts(n);
    int err = open_quorum(n, diag);
    if (err == ERR_OK)
        err = scan_dirs(n, diag);
    if (err != ERR_OK) {
        node_free(n);
        return err;
    }
    shard_apply(&n->shards[0], node_image(n), node_image(n));
    for (int i = 0; i < n->shard_count; i++)
        shard_open(&n->shards[i]);
    *out = n;
    return ERR_OK;
}

int node_start(struct node *n, struct diag *diag)
{
    check(n->magic == NODE_MAGIC && n->state == NODE_NEW);
    n->state = NODE_STARTING;
    return quorum_start(n->quorum, diag);
}

// --- Stop ---

static void close_dirs(struct node *n)
{
    for (int i = 0; i < n->args.dir_count; i++) {
        struct diag diag = {{0}};
        if (log_dir_is_offline(n->args.dirs[i])) {
            n->failed = true;
            continue;
        }
        if (log_dir_close(n->args.dirs[i], n->broker_epoch, &diag) != ERR_OK) {
            trace_error(n->trace, area, "%s", diag.text);
            n->failed = true;
        }
    }
}

// Waits for all shards: 0 only after the others where `others` is set.
static void call_all(struct node *n, void (*run)(struct shard *s, void *argument), bool others_only)
{
    n->shards_waited_for = others_only ? n->shard_count - 1 : n->shard_count;
    for (int i = 1; i < n->shard_count; i++)
        shard_post(&n->shards[i], run, NULL);
    if (!others_only)
        run(&n->shards[0], NULL);
}

static void end(struct node *n)
{
    shard_close(&n->shards[0]);
}

static void close_shard(struct shard *s, void *argument)
{
    shard_close(s);
}

// The others have closed their logs: now ours, and what speaks of all.
void node_shard_closed(struct shard *zero, void *shard)
{
    struct node *n = zero->node;
    if (shard != zero) {
        if (--n->shards_waited_for == 0)
            end(n);
        return;
    }
    // A node that never loaded its partitions must not leave the mark of a clean stop.
    if (n->is_loaded)
        close_dirs(n);
    n->state = NODE_STOPPED;
    n->args.on_stopped(n->args.owner, n->failed);
}

// The others write nothing any more, but what shard 0 saves for them: it settles last.
void node_shard_settled(struct shard *zero, void *shard)
{
    struct node *n = zero->node;
    if (shard != zero) {
        if (--n->shards_waited_for == 0)
            shard_settle(zero);
    } else if (n->shard_count == 1) {
        end(n);
    } else {
        call_all(n, close_shard, true);
    }
}

static void settle_shard(struct shard *s, void *argument)
{
    shard_settle(s);
}

// Commands that wait end here: with the change, or not knowing of it.
static void stop_quorum(struct node *n)
{
    if (n->is_quorum_stopped)
        return;
    n->is_quorum_stopped = true;
    n->leaving = false;
    env_timer_cancel(n->env->timers, &n->leave_timer);
    env_timer_cancel(n->env->timers, &n->beat_timer);
    producer_ids_release(&n->producer_ids);
    replica_dirs_release(&n->replica_dirs);
    quorum_stop(n->quorum);
}

static void settle(struct node *n)
{
    stop_quorum(n);
    if (n->shard_count == 1)
        shard_settle(&n->shards[0]);
    else
        call_all(n, settle_shard, true);
}

static void leave(struct env_timer *timer)
{
    settle(container_of(timer, struct node, leave_timer));
}

// Not at once: the quorum may be at its answers.
static void leave_soon(struct node *n)
{
    n->leave_timer.fire = leave;
    env_timer_set(n->env->timers, &n->leave_timer, env_mono_ns(n->env->clock));
}

static void broker_left(void *context, const char *why, int64_t broker_epoch)
{
    struct node *n = context;
    if (!n->leaving)
        return;
    if (why != NULL && !n->failed)
        trace_warn(n->trace, area, "the broker leaves without the controller's consent: %s", why);
    leave_soon(n);
}

static void all_stopped(struct node *n)
{
    env_timer_cancel(n->env->timers, &n->stop_patience);
    if (n->broker_epoch >= 0 && !n->failed && !n->is_quorum_stopped) {
        n->leaving = true;
        registration_end(n, broker_left, n);
    } else {
        settle(n);
    }
}

void node_shard_stopped(struct shard *zero, void *shard)
{
    struct node *n = zero->node;
    n->shards_waited_for--;
    if (n->shards_waited_for == 0)
        all_stopped(n);
    else if (n->shards_waited_for == 1 && n->is_cutting)
        shard_cut(zero); // last: the others use the names of its listeners
}

static void cut_shard(struct shard *s, void *argument)
{
    shard_cut(s);
}

static void patience_over(struct env_timer *timer)
{
    struct node *n = container_of(timer, struct node, stop_patience);
    n->is_cutting = true;
    stop_quorum(n);
    for (int i = 1; i < n->shard_count; i++)
        shard_post(&n->shards[i], cut_shard, NULL);
    if (n->shards_waited_for == 1)
        shard_cut(&n->shards[0]);
}

static void stop_shard(struct shard *s, void *argument)
{
    shard_stop(s);
}

void node_stop(struct node *n)
{
    check(n->magic == NODE_MAGIC);
    if (n->state >= NODE_STOPPING)
        return;
    n->state = NODE_STOPPING;
    n->stop_patience.fire = patience_over;
    env_timer_set(n->env->timers, &n->stop_patience,
                  env_mono_ns(n->env->clock) + STOP_PATIENCE_MS * INT64_C(1000000));
    call_all(n, stop_shard, false);
}

void node_free(struct node *n)
{
    if (n == NULL)
        return;
    check(n->magic == NODE_MAGIC);
    env_timer_cancel(n->env->timers, &n->beat_timer);
    env_timer_cancel(n->env->timers, &n->stop_patience);
    if (n->leaving)
        stop_quorum(n);
    for (int i = n->shard_count - 1; i >= 0; i--) // 0 last: the others use the names of its listeners
        shard_release(&n->shards[i]);
    quorum_free(n->quorum);
    for (int i = 0; i < n->shard_count; i++)
        group_commit_free(n->shards[i].committer);
    release_scans(n);
    mem_free(n->shards);
    mem_free(n->cordoned);
    mem_free(n->cluster_id);
    n->magic = 0;
    mem_free(n);
}

static void fail_on_shard(struct shard *s, void *argument)
{
    const struct dir_failure *failure = argument;
    shard_dir_failed(s, failure->dir, failure->err, failure->why);
    mem_free(argument);
}

static void tell_shards(struct node *n, const struct log_dir *dir, const char *why)
{
    int number = 0;
    while (n->args.dirs[number] != dir)
        check(++number < n->args.dir_count);
    if (n->shards[0].partitions.magic != 0)
        shard_dir_failed(&n->shards[0], number, ERR_IO, why);
    for (int i = 1; i < n->shard_count; i++) {
        struct dir_failure *failure = mem_new(struct dir_failure);
        *failure = (struct dir_failure){.dir = number, .err = ERR_IO};
        str_copy_to(str_from(why), failure->why, sizeof failure->why);
        if (n->shards[i].dirs[number] != NULL)
            shard_post(&n->shards[i], fail_on_shard, failure);
        else
            mem_free(failure);
    }
}

void node_part_failed(struct node *n, const struct dir_failure *failure)
{
    log_dir_fail(n->args.dirs[failure->dir], failure->err, failure->why);
}

void node_dir_failed(struct node *n, struct log_dir *dir, const char *why)
{
    trace_error(n->trace, area,
                "log directory %s is offline: %s. Its partitions are not served any more; repair the "
                "disk and start again",
                log_dir_path(dir), why);
    tell_shards(n, dir, why);
    n->dir_failed = true;
    if (n->state == NODE_READY)
        node_beat_later(n, 0);
    bool any_online = false;
    for (int i = 0; i < n->args.dir_count; i++)
        any_online = any_online || !log_dir_is_offline(n->args.dirs[i]);
    if (dir == n->args.dirs[n->args.metadata_dir] && n->quorum != NULL)
        quorum_log_failed(n->quorum, why);
    else if (dir == n->args.dirs[n->args.metadata_dir] || !any_online)
        on_fatal(n, why);
}
