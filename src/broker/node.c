// SPDX-License-Identifier: Apache-2.0
#include "broker/node.h"

#include <stdio.h>

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/trace.h"
#include "broker/connection.h"
#include "broker/dispatch.h"
#include "broker/limits.h"
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
    STOP_POLL_MS = 1,          // while the last writes of a stopping node finish
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

// --- Configuration that changes at run time ---

static void set_dynamic_layer(struct node *n, enum config_source layer,
                              const struct properties *from, const struct properties *to)
{
    for (int i = 0; from != NULL && i < from->count; i++)
        if (to == NULL || properties_get(to, from->items[i].key) == NULL)
            config_set_dynamic(n->config, layer, from->items[i].key, NULL);
    for (int i = 0; to != NULL && i < to->count; i++)
        config_set_dynamic(n->config, layer, to->items[i].key, to->items[i].value);
}

static void apply_dynamic(struct node *n, enum config_source layer, const char *resource,
                          const struct metadata_image *from, const struct metadata_image *to)
{
    struct str name = str_from(resource);
    set_dynamic_layer(n, layer, metadata_image_configs(from, CONFIG_RESOURCE_BROKER, name),
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

static void apply_connection_limits(struct node *n)
{
    struct connection_limits limits = connection_limits_of(n->config);
    connections_set_limits(n->connections, &limits);
    for (int i = 0; i < n->bound.count; i++) {
        const char *listener = n->bound.items[i].name;
        char max[CONFIG_LISTENER_KEY_MAX], rate[CONFIG_LISTENER_KEY_MAX];
        config_listener_key(listener, "max.connections", max);
        config_listener_key(listener, "max.connection.creation.rate", rate);
        connections_set_listener_limits(
            n->connections, listener,
            &(struct listener_limits){
                .connections_max = config_i32(n->config, max),
                .connections_per_second_max = connections_per_second(n->config, rate)});
    }
}

static void apply_broker_configs(struct node *n, const struct metadata_image *from,
                                 const struct metadata_image *to)
{
    char id[16];
    snprintf(id, sizeof id, "%d", n->node_id);
    apply_dynamic(n, CONFIG_SOURCE_BROKER_DEFAULT, "", from, to);
    apply_dynamic(n, CONFIG_SOURCE_BROKER, id, from, to);
    if (n->connections != NULL)
        apply_connection_limits(n);
}

static void on_image(void *owner, const struct metadata_image *from,
                     const struct metadata_image *to)
{
    struct node *n = owner;
    apply_broker_configs(n, from, to);
    // Before the partitions are loaded there is nothing that could follow.
    if (n->scans == NULL)
        partitions_apply(&n->partitions, from, to);
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
    return partitions_have_room(&n->partitions);
}

static void handle(void *context, struct request *r)
{
    dispatch_request(context, r);
}

static void release_scans(struct node *n)
{
    for (int i = 0; n->scans != NULL && i < n->args.dir_count; i++)
        log_dir_scan_release(&n->scans[i]);
    mem_free(n->scans);
    n->scans = NULL;
}

static int load_partitions(struct node *n, struct diag *diag)
{
    int64_t begin_ns = env_mono_ns(n->env->clock);
    int err = partitions_load(&n->partitions, node_image(n), n->scans, diag);
    if (err != ERR_OK)
        return err;
    release_scans(n);
    if (n->partitions.map.count > 0)
        trace_info(n->trace, area, "%zu partitions opened in %lld ms", n->partitions.map.count,
                   (long long)((env_mono_ns(n->env->clock) - begin_ns) / 1000000));
    return ERR_OK;
}

static int open_listeners(struct node *n, struct diag *diag)
{
    n->bound = n->args.node_config->listeners;
    for (int i = 0; i < n->bound.count; i++) {
        struct listener *listener = &n->bound.items[i];
        struct net_address local;
        int err = connections_listen(n->connections, listener->name, listener->host,
                                     (uint16_t)listener->port, &local, diag);
        if (err != ERR_OK)
            return err;
        listener->port = local.port;
    }
    apply_connection_limits(n);
    return ERR_OK;
}

static void registered(struct node *n, int64_t broker_epoch)
{
    n->broker_epoch = broker_epoch;
    producer_ids_start(&n->producer_ids, n->quorum, broker_epoch);
    n->state = NODE_READY;
    dispatch_early(n);
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

static void on_active(void *owner)
{
    struct node *n = owner;
    struct diag diag = {{0}};
    if (n->state != NODE_STARTING)
        return;
    int err = load_partitions(n, &diag);
    if (err == ERR_OK)
        err = open_listeners(n, &diag);
    if (err != ERR_OK) {
        trace_error(n->trace, area, "%s", diag.text);
        on_fatal(n, diag.text);
        return;
    }
    registration_start(n, register_done, n);
}

static struct connections_config connections_config_of(struct node *n)
{
    const struct config *c = n->config;
    return (struct connections_config){
        .apis = {n->apis, n->api_count},
        .handle = handle,
        .context = n,
        .trace = n->trace,
        .request_bytes_max = config_i32(c, "socket.request.max.bytes"),
        .queued_requests_max = config_i32(c, "queued.max.requests"),
        .queued_bytes_max = config_i64(c, "queued.max.request.bytes"),
        .arena_bytes_max = REQUEST_ARENA_MAX,
        .idle_ms_max = config_i64(c, "connections.max.idle.ms"),
        .limits = connection_limits_of(c),
    };
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
        .committer = n->committer,
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
        int err = log_dir_scan(n->args.dirs[i], &n->scans[i], diag);
        if (err != ERR_OK)
            return err;
    }
    n->previous_broker_epoch = n->scans[0].clean ? n->scans[0].broker_epoch : -1;
    for (int i = 1; i < n->args.dir_count; i++)
        if (!n->scans[i].clean || n->scans[i].broker_epoch != n->previous_broker_epoch)
            n->previous_broker_epoch = -1;
    return ERR_OK;
}

static void init_parts(struct node *n)
{
    uint64_t session_seed;
    env_random_fill(n->env->random, &n->hash_seed, sizeof n->hash_seed);
    env_random_fill(n->env->random, &session_seed, sizeof session_seed);
    n->incarnation_id = env_random_uuid(n->env->random);
    n->committer = group_commit_new(n->env);
    struct partitions_args args = {
        .env = n->env,
        .trace = n->trace,
        .config = n->config,
        .node_id = n->node_id,
        .seed = n->hash_seed,
        .committer = n->committer,
        .dirs = n->args.dirs,
        .dir_count = n->args.dir_count,
    };
    partitions_init(&n->partitions, &args);
    producer_ids_init(&n->producer_ids, n->node_id);
    fetch_sessions_init(&n->fetch_sessions, n->hash_seed, session_seed,
                        config_i32(n->config, "max.incremental.fetch.session.cache.slots"));
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
    list_init(&n->early);
    init_parts(n);
    int err = open_quorum(n, diag);
    if (err == ERR_OK)
        err = scan_dirs(n, diag);
    if (err != ERR_OK) {
        node_free(n);
        return err;
    }
    apply_broker_configs(n, node_image(n), node_image(n));
    struct connections_config connections_config = connections_config_of(n);
    n->connections = connections_new(n->env, &connections_config);
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

static bool writes_are_done(const struct node *n)
{
    if (!log_committer_is_idle(n->committer) || !quorum_is_idle(n->quorum) || n->cold_reads > 0)
        return false;
    for (int i = 0; i < n->args.dir_count; i++)
        if (!log_dir_is_idle(n->args.dirs[i]))
            return false;
    return true;
}

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

static void poll_stop(struct env_timer *timer)
{
    struct node *n = container_of(timer, struct node, stop_poll);
    if (!writes_are_done(n)) {
        env_timer_set(n->env->timers, timer,
                      env_mono_ns(n->env->clock) + STOP_POLL_MS * INT64_C(1000000));
        return;
    }
    partitions_release(&n->partitions);
    // A node that never loaded its partitions must not leave the mark of a clean stop.
    if (n->scans == NULL)
        close_dirs(n);
    n->state = NODE_STOPPED;
    n->args.on_stopped(n->args.owner, n->failed);
}

// Whatever still waits for the quorum hears that it is lost.
static void leave_quorum(struct node *n)
{
    n->leaving = false;
    quorum_stop(n->quorum);
}

static void leave(struct env_timer *timer)
{
    struct node *n = container_of(timer, struct node, stop_poll);
    leave_quorum(n);
    n->stop_poll.fire = poll_stop;
    poll_stop(&n->stop_poll);
}

// Not at once: the quorum may be at its answers.
static void leave_soon(struct node *n)
{
    n->stop_poll.fire = leave;
    env_timer_set(n->env->timers, &n->stop_poll, env_mono_ns(n->env->clock));
}

static void broker_left(void *context, const char *why, int64_t broker_epoch)
{
    struct node *n = context;
    (void)broker_epoch;
    if (!n->leaving)
        return;
    if (why != NULL && !n->failed)
        trace_warn(n->trace, area, "the broker leaves without the controller's consent: %s", why);
    leave_soon(n);
}

static void connections_gone(void *context)
{
    struct node *n = context;
    env_timer_cancel(n->env->timers, &n->stop_patience);
    producer_ids_release(&n->producer_ids);
    if (n->broker_epoch >= 0 && !n->failed) {
        n->leaving = true;
        registration_end(n, broker_left, n);
        return;
    }
    leave_quorum(n);
    n->stop_poll.fire = poll_stop;
    poll_stop(&n->stop_poll);
}

static void patience_over(struct env_timer *timer)
{
    struct node *n = container_of(timer, struct node, stop_patience);
    trace_warn(n->trace, area, "clients that do not take their answers are cut off");
    connections_free(n->connections);
    n->connections = NULL;
    connections_gone(n);
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
    dispatch_early(n);
    partitions_stop_waiting(&n->partitions);
    connections_stop(n->connections, connections_gone, n);
}

void node_free(struct node *n)
{
    if (n == NULL)
        return;
    check(n->magic == NODE_MAGIC);
    env_timer_cancel(n->env->timers, &n->stop_poll);
    env_timer_cancel(n->env->timers, &n->stop_patience);
    if (n->connections != NULL)
        connections_free(n->connections);
    if (n->leaving)
        leave_quorum(n);
    if (n->partitions.magic != 0)
        partitions_release(&n->partitions);
    fetch_sessions_release(&n->fetch_sessions);
    quorum_free(n->quorum);
    release_scans(n);
    group_commit_free(n->committer);
    mem_free(n->cluster_id);
    n->magic = 0;
    mem_free(n);
}

void node_dir_failed(struct node *n, struct log_dir *dir, const char *why)
{
    trace_error(n->trace, area,
                "log directory %s is offline: %s. Its partitions are not served any more; repair the "
                "disk and start again",
                log_dir_path(dir), why);
    if (n->partitions.magic != 0)
        partitions_dir_failed(&n->partitions, dir);
    bool any_online = false;
    for (int i = 0; i < n->args.dir_count; i++)
        any_online = any_online || !log_dir_is_offline(n->args.dirs[i]);
    if (dir == n->args.dirs[n->args.metadata_dir] && n->quorum != NULL)
        quorum_log_failed(n->quorum, why);
    else if (dir == n->args.dirs[n->args.metadata_dir] || !any_online)
        on_fatal(n, why);
}
