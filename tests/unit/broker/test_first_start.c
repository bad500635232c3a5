// SPDX-License-Identifier: Apache-2.0
//
// A node that dies while it formats its empty directories and starts for the first time: wherever that is,
// and whatever the disk has of it, the next start goes through.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/err.h"
#include "broker/node.h"
#include "config/config.h"
#include "server/storage.h"
#include "sim_env.h"
#include "sim_fs.h"

enum { CALLS_MAX = 400 }; // more than a first start makes

struct life {
    struct sim *sim;
    struct sim_fs *fs;
    struct sim_env shard;
    struct config *config;
    struct node_config node_config;
    struct storage storage;
    struct node *node;
    struct diag diag;
    bool ready;
};

static void on_ready(void *owner)
{
    struct life *l = owner;
    l->ready = true;
}

static void on_stopped(void *owner, bool failed)
{
}

static void on_dir_offline(void *owner, struct log_dir *dir, const char *why)
{
    struct life *l = owner;
    if (l->node != NULL)
        node_dir_failed(l->node, dir, why);
}

static int open_node(struct life *l)
{
    int err = storage_open(&l->storage, &l->shard.env, NULL, l->config, &l->diag);
    if (err == ERR_OK)
        err = storage_identify(&l->storage, &l->node_config, &l->diag);
    if (err != ERR_OK)
        return err;
    l->storage.owner = l;
    l->storage.on_offline = on_dir_offline;
    struct node_args args = {
        .env = &l->shard.env,
        .config = l->config,
        .node_config = &l->node_config,
        .cluster_id = str_from(l->storage.cluster_id),
        .host_name = "sim",
        .dirs = l->storage.dirs,
        .dir_count = l->storage.dir_count,
        .metadata_dir = l->storage.metadata_dir,
        .owner = l,
        .on_ready = on_ready,
        .on_stopped = on_stopped,
    };
    err = node_new(&args, &l->node, &l->diag);
    return err == ERR_OK ? node_start(l->node, &l->diag) : err;
}

// One start, up to ready or the crash. True if it got ready.
static bool live(struct sim *sim, struct sim_fs *fs, struct diag *diag)
{
    struct life l = {.sim = sim, .fs = fs};
    diag_clear(&l.diag);
    sim_env_init(&l.shard, sim, sim_fs_env(fs));
    l.config = config_new();
    config_set_fallback(l.config, "log.dirs", "/data/a,/data/b");
    l.node_config = (struct node_config){.node_id = 1, .is_broker = true, .is_controller = true,
                                         .inter_broker = -1};
    if (open_node(&l) == ERR_OK)
        sim_run_works(sim);
    sim_run_works(sim);
    node_free(l.node);
    sim_run_works(sim);
    storage_close(&l.storage);
    config_free(l.config);
    sim_env_release(&l.shard);
    *diag = l.diag;
    return l.ready;
}

// True if the first start did not come to its `nth` call.
static bool crash_at(uint64_t nth, enum sim_crash crash)
{
    struct sim sim;
    struct diag diag;
    sim_init(&sim, nth);
    struct sim_env outer;
    struct sim_fs *fs = sim_fs_new(nth * 4 + crash, &outer.clock);
    sim_env_init(&outer, &sim, sim_fs_env(fs));
    sim_fs_crash_at(fs, nth);
    bool whole = live(&sim, fs, &diag) && !sim_fs_is_crashed(fs);
    sim_fs_crash(fs);
    sim_fs_restart(fs, crash);
    sim_fs_crash_at(fs, 0);
    if (!live(&sim, fs, &diag))
        fail_msg("crash %d at call %d: the next start says: %s", (int)crash, (int)nth, diag.text);
    sim_env_release(&outer);
    sim_release(&sim);
    sim_fs_free(fs);
    return whole;
}

static void a_first_start_may_be_interrupted(void **state)
{
    for (int crash = SIM_CRASH_KILL; crash <= SIM_CRASH_RANDOM; crash++) {
        uint64_t nth = 1;
        while (!crash_at(nth, (enum sim_crash)crash))
            assert_true(++nth < CALLS_MAX);
        assert_true(nth > 20); // it does something
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_first_start_may_be_interrupted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
