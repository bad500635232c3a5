// SPDX-License-Identifier: Apache-2.0
//
// A node that dies while it formats its empty directories and starts for the first time: wherever that is,
// and whatever the disk has of it, the next start goes through; and what a start was ready with is there
// after any crash.
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

enum {
    CALLS_MAX = 400, // more than a first start makes
    // Of one directory: a file system with a journal answers half of them at once.
    FIRST_SYNCS = 17,
    NEXT_SYNCS = 12,
};

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

// One start, up to ready or the crash. True if it got ready; `cluster_id` is then what it was ready with.
static bool live(struct sim *sim, struct sim_fs *fs, const char *dirs,
                 char cluster_id[CLUSTER_ID_MAX + 1], struct diag *diag)
{
    struct life l = {.sim = sim, .fs = fs};
    diag_clear(&l.diag);
    sim_env_init(&l.shard, sim, sim_fs_env(fs));
    l.config = config_new();
    config_set_fallback(l.config, "log.dirs", dirs);
    l.node_config = (struct node_config){.node_id = 1, .is_broker = true, .is_controller = true,
                                         .inter_broker = -1};
    if (open_node(&l) == ERR_OK)
        sim_run_works(sim);
    sim_run_works(sim);
    node_free(l.node);
    sim_run_works(sim);
    memcpy(cluster_id, l.storage.cluster_id, sizeof l.storage.cluster_id);
    storage_close(&l.storage);
    config_free(l.config);
    sim_env_release(&l.shard);
    *diag = l.diag;
    return l.ready;
}

// True if the first start did not come to its `nth` call.
static bool crash_at(uint64_t nth, enum sim_crash crash)
{
    static const char dirs[] = "/data/a,/data/b";
    struct sim sim;
    struct diag diag;
    char id[CLUSTER_ID_MAX + 1], next_id[CLUSTER_ID_MAX + 1];
    sim_init(&sim, nth);
    struct sim_env outer;
    struct sim_fs *fs = sim_fs_new(nth * 4 + crash, &outer.clock);
    sim_env_init(&outer, &sim, sim_fs_env(fs));
    sim_fs_crash_at(fs, nth);
    bool whole = live(&sim, fs, dirs, id, &diag) && !sim_fs_is_crashed(fs);
    sim_fs_crash(fs);
    sim_fs_restart(fs, crash);
    sim_fs_crash_at(fs, 0);
    if (!live(&sim, fs, dirs, id, &diag))
        fail_msg("crash %d at call %d: the next start says: %s", (int)crash, (int)nth, diag.text);
    sim_fs_crash(fs);
    sim_fs_restart(fs, crash);
    if (!live(&sim, fs, dirs, next_id, &diag) || strcmp(id, next_id) != 0)
        fail_msg("crash %d at call %d: ready with cluster %s, then with %s: %s", (int)crash, (int)nth, id,
                 next_id, diag.text);
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

static uint64_t syncs_of_a_start(struct sim *sim, struct sim_fs *fs)
{
    struct diag diag;
    char id[CLUSTER_ID_MAX + 1];
    uint64_t before = sim_fs_count(fs, SIM_OP_SYNC);
    assert_true(live(sim, fs, "/data", id, &diag));
    return sim_fs_count(fs, SIM_OP_SYNC) - before;
}

// Syncs are what a start waits for.
static void a_start_syncs_no_more_than_it_must(void **state)
{
    struct sim sim;
    struct sim_env outer;
    sim_init(&sim, 1);
    struct sim_fs *fs = sim_fs_new(1, &outer.clock);
    sim_env_init(&outer, &sim, sim_fs_env(fs));
    assert_int_equal(syncs_of_a_start(&sim, fs), FIRST_SYNCS);
    assert_int_equal(syncs_of_a_start(&sim, fs), NEXT_SYNCS);
    sim_env_release(&outer);
    sim_release(&sim);
    sim_fs_free(fs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_first_start_may_be_interrupted),
        cmocka_unit_test(a_start_syncs_no_more_than_it_must),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
