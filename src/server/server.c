// SPDX-License-Identifier: Apache-2.0
#include "server/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/trace.h"
#include "broker/node.h"
#include "config/config.h"
#include "config/environment.h"
#include "config/listeners.h"
#include "env/clock.h"
#include "env/env.h"
#include "log/dir.h"
#include "os/loop.h"
#include "os/process.h"
#include "server/arguments.h"
#include "server/storage.h"
#include "server/trace_json.h"

enum { EXIT_FAILED = 1, HOST_NAME_MAX_SIZE = 256 };

static const char area[] = "server";

struct server {
    int64_t started_ns;
    struct os_loop *loops[SHARDS_MAX]; // of each shard; the first is this thread's
    int loop_count;
    struct os_loop *loop; // that
    struct env *env;      // and its env
    struct os_signals *signals;
    struct os_trace trace;
    struct config *config;
    struct node_config node_config;
    struct storage storage;
    struct node *node;
    char host_name[HOST_NAME_MAX_SIZE];
    int exit_status;
};

// --- Events of the node ---

static const struct listener *first_client_listener(const struct node *n)
{
    for (int i = 0; i < n->bound.count; i++)
        if (!n->bound.items[i].controller)
            return &n->bound.items[i];
    return &n->bound.items[0];
}

static void format_address(const struct listener *l, char *out, size_t size)
{
    const char *host = l->host[0] != '\0' ? l->host : "0.0.0.0";
    snprintf(out, size, strchr(host, ':') != NULL ? "[%s]:%d" : "%s:%d", host, l->port);
}

static void on_ready(void *owner)
{
    struct server *s = owner;
    char address[LISTENER_HOST_MAX + 16];
    format_address(first_client_listener(s->node), address, sizeof address);
    int64_t elapsed_us = (env_mono_ns(s->env->clock) - s->started_ns) / 1000;
    const struct trace_field fields[] = {
        {"address", .text = address},
        {"node_id", .number = s->node_config.node_id},
        {"cluster_id", .text = s->storage.cluster_id},
        {"elapsed_us", .number = elapsed_us},
        {0},
    };
    trace_event(&s->trace.trace, TRACE_INFO, area, fields,
               "ready on %s: node %d, cluster %s, data in %s, %lld.%lld ms after the start", address,
               s->node_config.node_id, s->storage.cluster_id,
               log_dir_path(s->storage.dirs[s->storage.metadata_dir]), (long long)(elapsed_us / 1000),
               (long long)(elapsed_us % 1000 / 100));
    if (s->storage.formatted)
        trace_info(&s->trace.trace, area,
                   "first messages: echo hello | chitin produce -b %s greetings; chitin consume -b %s "
                   "-o start greetings", address, address);
}

static void on_stopped(void *owner, bool failed)
{
    struct server *s = owner;
    s->exit_status = failed ? EXIT_FAILED : 0;
    os_loop_stop(s->loop);
}

static void on_dir_offline(void *owner, struct log_dir *dir, const char *why)
{
    struct server *s = owner;
    if (s->node != NULL)
        node_dir_failed(s->node, dir, why);
    else
        trace_error(&s->trace.trace, area, "log directory %s failed: %s", log_dir_path(dir), why);
}

static void on_terminate(void *context, int signal, int count)
{
    struct server *s = context;
    if (count > 1) {
        trace_warn(&s->trace.trace, area, "stopping at once");
        // Acknowledged means on disk: there is nothing left that an orderly end would save.
        _exit(EXIT_FAILED);
    }
    trace_info(&s->trace.trace, area, "stopping: %s", signal == 2 ? "interrupted" : "terminated");
    node_stop(s->node);
}

// --- Start and end ---

static int start_node(struct server *s, struct diag *diag)
{
    struct env *envs[SHARDS_MAX];
    for (int i = 0; i < s->loop_count; i++)
        envs[i] = os_loop_env(s->loops[i]);
    struct node_args args = {
        .env = s->env,
        .envs = envs,
        .shard_count = s->loop_count,
        .trace = &s->trace.trace,
        .config = s->config,
        .node_config = &s->node_config,
        .cluster_id = str_from(s->storage.cluster_id),
        .host_name = s->host_name,
        .dirs = s->storage.dirs,
        .dir_count = s->storage.dir_count,
        .metadata_dir = s->storage.metadata_dir,
        .metadata_dir_is_apart = s->storage.metadata_dir_is_apart,
        .owner = s,
        .on_ready = on_ready,
        .on_stopped = on_stopped,
    };
    s->storage.owner = s;
    s->storage.on_offline = on_dir_offline;
    int err = node_new(&args, &s->node, diag);
    if (err == ERR_OK)
        err = os_signals_new(s->loop, on_terminate, s, &s->signals, diag);
    // The node does not begin before all of its shards run.
    for (int i = 1; i < s->loop_count && err == ERR_OK; i++)
        err = os_loop_start(s->loops[i], diag);
    return err == ERR_OK ? node_start(s->node, diag) : err;
}

// Who the node is when nothing says so, for whoever asks for its configuration.
static void show_identity(struct server *s)
{
    char id[16];
    snprintf(id, sizeof id, "%d", s->node_config.node_id);
    config_set_fallback(s->config, "node.id", id);
    config_set_fallback(s->config, "process.roles", "broker,controller");
}

static int start(struct server *s, struct diag *diag)
{
    int err = node_config_resolve(&s->node_config, s->config, diag);
    if (err == ERR_OK)
        show_identity(s);
    if (err == ERR_OK && (!s->node_config.is_broker || !s->node_config.is_controller))
        err = diag_set(diag, ERR_UNSUPPORTED,
                       "process.roles must be \"broker,controller\": a node that is only one of them "
                       "needs a cluster, which is not there yet");
    if (err == ERR_OK)
        err = storage_open(&s->storage, s->env, &s->trace.trace, s->config, diag);
    s->storage.new_cluster_id = str_from(config_environment_cluster_id(environ));
    if (err == ERR_OK)
        err = storage_identify(&s->storage, &s->node_config, diag);
    return err == ERR_OK ? start_node(s, diag) : err;
}

// Kafka's default of 100 KiB, when nobody asked for it, only keeps the system from growing the buffer:
// on loopback it costs a factor of three, over long distances more.
static int socket_buffer_bytes(const struct config *c, const char *name)
{
    return config_is_set(c, name) ? config_i32(c, name) : -1;
}

static int open_loop(struct server *s, struct diag *diag)
{
    struct os_loop_options options = {
        .listen_backlog = config_i32(s->config, "socket.listen.backlog.size"),
        .socket_send_buffer_bytes = socket_buffer_bytes(s->config, "socket.send.buffer.bytes"),
        .socket_receive_buffer_bytes =
            socket_buffer_bytes(s->config, "socket.receive.buffer.bytes"),
    };
    os_process_raise_file_limit();
    if (gethostname(s->host_name, sizeof s->host_name - 1) != 0)
        snprintf(s->host_name, sizeof s->host_name, "localhost");
    int count = config_i32(s->config, "chitin.shards");
    if (count == 0)
        count = os_process_cpu_count();
    if (count > SHARDS_MAX)
        count = SHARDS_MAX;
    int err = ERR_OK;
    while (s->loop_count < count && err == ERR_OK) {
        err = os_loop_new(&options, &s->loops[s->loop_count], diag);
        s->loop_count += err == ERR_OK;
    }
    if (err != ERR_OK)
        return err;
    s->loop = s->loops[0];
    s->env = os_loop_env(s->loop);
    return ERR_OK;
}

// A configuration may be wrong in several places: a line for each.
static void tell_cannot_start(struct server *s, const char *words)
{
    struct str rest = str_from(words);
    while (rest.data != NULL) {
        struct str line = str_cut(&rest, '\n');
        trace_error(&s->trace.trace, area, "cannot start: %.*s", STR_ARG(line));
    }
}

static int run(struct server *s, const struct server_arguments *arguments)
{
    struct diag diag = {{0}};
    int err = server_arguments_load(arguments, environ, s->config, &s->trace.trace, &diag);
    if (err == ERR_OK)
        err = config_check(s->config, &s->trace.trace, &diag);
    if (err == ERR_OK)
        err = open_loop(s, &diag);
    if (err == ERR_OK)
        err = start(s, &diag);
    if (err != ERR_OK) {
        tell_cannot_start(s, diag.text);
        return EXIT_FAILED;
    }
    os_loop_run(s->loop);
    trace_info(&s->trace.trace, area, "stopped");
    return s->exit_status;
}

// On this thread alone, when the others have ended.
static void drain(struct server *s)
{
    bool busy = true;
    while (busy) {
        busy = false;
        for (int i = 0; i < s->loop_count; i++)
            busy |= os_loop_step(s->loops[i], false);
    }
}

static void release(struct server *s)
{
    for (int i = 1; i < s->loop_count; i++)
        os_loop_end(s->loops[i]);
    drain(s); // what other shards have told the node
    node_free(s->node);
    // Messages that are still under way belong to themselves now, and end when they arrive.
    drain(s);
    storage_close(&s->storage);
    if (s->signals != NULL)
        os_signals_free(s->signals);
    for (int i = 0; i < s->loop_count; i++)
        os_loop_free(s->loops[i]);
    config_free(s->config);
}

int server_main(int argc, char **argv)
{
    struct server s = {.started_ns = os_process_started_ns()};
    struct server_arguments arguments;
    int status = server_arguments_parse(&arguments, argc, argv);
    os_trace_init(&s.trace, STDERR_FILENO, TRACE_INFO);
    if (arguments.log_json)
        s.trace.format = trace_json_format;
    s.config = config_new();
    if (status == 0)
        status = run(&s, &arguments);
    release(&s);
    server_arguments_release(&arguments);
    return status;
}
