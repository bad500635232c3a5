// SPDX-License-Identifier: Apache-2.0
#include "cluster_process.h"

#include <stddef.h>

#include "base/check.h"
#include "base/err.h"
#include "base/list.h"

static bool is_dead(void *owner)
{
    return sim_fs_is_crashed(((struct process *)owner)->disk);
}

static void on_line(struct trace *trace, enum trace_level level, const char *area, const char *line)
{
    struct process *p = container_of(trace, struct process, trace);
    if (!is_dead(p))
        p->said(p->owner, level, line);
}

void process_init(struct process *p, struct sim *sim, struct sim_host *host, struct sim_fs *disk)
{
    *p = (struct process){
        .sim = sim, .host = host, .disk = disk, .fs = sim_fs_env(disk), .shard_count = 1};
    p->trace = (struct trace){.emit = on_line, .level_min = TRACE_INFO};
    sim_host_set_is_dead(host, is_dead, p);
}

static void on_ready(void *owner)
{
    struct process *p = owner;
    if (p->state == PROCESS_STARTING)
        p->state = PROCESS_READY;
}

static void on_stopped(void *owner, bool failed)
{
    struct process *p = owner;
    p->stopped = true;
    p->died = failed;
    p->state = PROCESS_OVER;
}

static void on_dir_offline(void *owner, struct log_dir *dir, const char *why)
{
    struct process *p = owner;
    p->dir_offline = true;
    if (p->node != NULL)
        node_dir_failed(p->node, dir, why);
}

static int open_node(struct process *p, struct diag *diag)
{
    struct env *envs[PROCESS_SHARDS_MAX];
    for (int i = 0; i < p->shard_count; i++)
        envs[i] = &p->shards[i].env;
    int err = node_config_resolve(&p->node_config, p->config, diag);
    if (err == ERR_OK)
        err = storage_open(&p->storage, envs[0], &p->trace, p->config, diag);
    if (err == ERR_OK)
        err = storage_identify(&p->storage, &p->node_config, diag);
    if (err != ERR_OK)
        return err;
    p->storage.owner = p;
    p->storage.on_offline = on_dir_offline;
    struct node_args args = {
        .env = envs[0],
        .envs = envs,
        .shard_count = p->shard_count,
        .trace = &p->trace,
        .config = p->config,
        .node_config = &p->node_config,
        .cluster_id = str_from(p->storage.cluster_id),
        .host_name = "sim",
        .dirs = p->storage.dirs,
        .dir_count = p->storage.dir_count,
        .metadata_dir = p->storage.metadata_dir,
        .quick_check_bytes_max = 40, // many batches are checked by a worker
        .owner = p,
        .on_ready = on_ready,
        .on_stopped = on_stopped,
    };
    return node_new(&args, &p->node, diag);
}

static int start_node(struct process *p, struct diag *diag)
{
    struct sim_env *before = sim_enter(&p->shards[0]);
    int err = node_start(p->node, diag);
    sim_leave(p->sim, before);
    return err;
}

bool process_start(struct process *p, struct diag *diag)
{
    check(p->state == PROCESS_DOWN);
    for (int i = 0; i < p->shard_count; i++) {
        sim_env_init(&p->shards[i], p->sim, p->fs);
        p->shards[i].env.net = sim_host_net(p->host, i, &p->shards[i]);
    }
    p->config = config_new();
    for (int i = 0; p->settings[i] != NULL; i += 2)
        config_set_fallback(p->config, p->settings[i], p->settings[i + 1]);
    p->state = PROCESS_STARTING;
    p->died = p->stopped = p->dir_offline = false;
    p->lives++;
    sim_note(p->sim, (uint64_t)p->lives);
    int err = open_node(p, diag);
    if (err == ERR_OK)
        err = start_node(p, diag);
    if (err != ERR_OK) {
        p->state = PROCESS_OVER;
        p->died = true;
    }
    return err == ERR_OK || is_dead(p);
}

static void stop_node(struct process *p)
{
    struct sim_env *before = sim_enter(&p->shards[0]);
    node_stop(p->node);
    sim_leave(p->sim, before);
}

void process_stop(struct process *p)
{
    if (p->state != PROCESS_STARTING && p->state != PROCESS_READY)
        return;
    p->state = PROCESS_STOPPING;
    stop_node(p);
}

void process_kill(struct process *p)
{
    sim_fs_crash(p->disk);
}

bool process_is_over(struct process *p)
{
    if (p->state != PROCESS_DOWN && is_dead(p)) {
        p->state = PROCESS_OVER;
        p->died = true;
    }
    return p->state == PROCESS_OVER;
}

void process_bury(struct process *p, bool power_failed)
{
    check(p->state == PROCESS_OVER);
    if (power_failed)
        sim_host_cut_power(p->host);
    else
        sim_host_kill(p->host);
    // What is under way comes to an end that nobody sees, since its memory is to be freed.
    sim_fs_crash(p->disk);
    if (p->node != NULL && !p->stopped) {
        stop_node(p);
        sim_envs_run_out(p->shards, p->shard_count, &p->stopped);
    }
    sim_envs_drain(p->shards, p->shard_count);
    node_free(p->node);
    p->node = NULL;
    sim_envs_drain(p->shards, p->shard_count);
    storage_close(&p->storage);
    config_free(p->config);
    for (int i = 0; i < p->shard_count; i++)
        sim_env_release(&p->shards[i]);
    p->state = PROCESS_DOWN;
}
