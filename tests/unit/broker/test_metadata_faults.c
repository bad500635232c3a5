// SPDX-License-Identifier: Apache-2.0
//
// A node whose metadata log cannot be written: everybody who waits for a change is answered, and the node
// stops, or, where the disk is only full, goes on later.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "broker/node.h"
#include "config/config.h"
#include "metadata/image.h"
#include "server/storage.h"
#include "sim_env.h"
#include "sim_fs.h"
#include "wire/api/create_topics.h"
#include "wire/errors.h"

enum { UNANSWERED = -100 };

static const int64_t second_ns = INT64_C(1000000000);

struct fixture;

struct change {
    struct quorum_command command;
    struct arena arena;
    struct create_topics_request request;
    struct create_topics_response reply;
    struct fixture *fixture;
    int kafka_error;         // of the command
    enum node_state answered_in;
};

struct fixture {
    struct sim sim;
    struct sim_fs *fs;
    struct sim_env shard;
    struct config *config;
    struct node_config node_config;
    struct storage storage;
    struct node *node;
    bool ready, stopped, failed;
    struct change first, second;
};

static void on_ready(void *owner)
{
    struct fixture *f = owner;
    f->ready = true;
}

static void on_stopped(void *owner, bool failed)
{
    struct fixture *f = owner;
    f->stopped = true;
    f->failed = failed;
}

static void on_dir_offline(void *owner, struct log_dir *dir, const char *why)
{
    struct fixture *f = owner;
    node_dir_failed(f->node, dir, why);
}

static void setup(struct fixture *f)
{
    struct diag diag;
    *f = (struct fixture){0};
    sim_init(&f->sim, 1);
    f->fs = sim_fs_new(1, &f->shard.clock);
    sim_env_init(&f->shard, &f->sim, sim_fs_env(f->fs));
    f->config = config_new();
    config_set_fallback(f->config, "log.dirs", "/data");
    f->node_config = (struct node_config){.node_id = 1, .is_broker = true, .is_controller = true,
                                          .inter_broker = -1};
    assert_int_equal(storage_open(&f->storage, &f->shard.env, NULL, f->config, &diag), 0);
    assert_int_equal(storage_identify(&f->storage, &f->node_config, &diag), 0);
    f->storage.owner = f;
    f->storage.on_offline = on_dir_offline;
    struct node_args args = {
        .env = &f->shard.env,
        .config = f->config,
        .node_config = &f->node_config,
        .cluster_id = str_from(f->storage.cluster_id),
        .host_name = "sim",
        .dirs = f->storage.dirs,
        .dir_count = f->storage.dir_count,
        .metadata_dir = f->storage.metadata_dir,
        .owner = f,
        .on_ready = on_ready,
        .on_stopped = on_stopped,
    };
    assert_int_equal(node_new(&args, &f->node, &diag), 0);
    assert_int_equal(node_start(f->node, &diag), 0);
    sim_run_works(&f->sim);
    assert_true(f->ready);
}

static void teardown(struct fixture *f)
{
    sim_run_works(&f->sim);
    node_free(f->node);
    sim_run_works(&f->sim);
    storage_close(&f->storage);
    config_free(f->config);
    arena_release(&f->first.arena);
    arena_release(&f->second.arena);
    assert_int_equal(sim_fs_open_count(f->fs), 0);
    sim_env_release(&f->shard);
    sim_release(&f->sim);
    sim_fs_free(f->fs);
}

static void run(struct quorum_command *command, struct controller *c, struct controller_command *cc)
{
    struct change *x = container_of(command, struct change, command);
    controller_create_topics(c, cc, &x->request, &x->reply, &x->arena);
}

static void done(struct quorum_command *command, int kafka_error)
{
    struct change *x = container_of(command, struct change, command);
    assert_int_equal(x->kafka_error, UNANSWERED);
    x->kafka_error = kafka_error;
    x->answered_in = x->fixture->node->state;
}

static void create(struct fixture *f, struct change *x, const char *name)
{
    *x = (struct change){.command = {.run = run, .done = done}, .fixture = f,
                         .kafka_error = UNANSWERED};
    arena_init(&x->arena, 1 << 20);
    create_topics_request_init(&x->request);
    struct create_topics_request_creatable_topic *topic =
        create_topics_request_creatable_topic_array_new(&x->arena, 1, &x->request.topics);
    create_topics_request_creatable_topic_init(topic);
    topic->name = str_from(name);
    topic->num_partitions = topic->replication_factor = 1;
    quorum_submit(f->node->quorum, &x->command);
}

static bool exists(struct fixture *f, const char *name)
{
    return metadata_image_topic(node_image(f->node), str_from(name)) != NULL;
}

static void check_end(struct fixture *f)
{
    sim_run_for(&f->sim, second_ns);
    assert_int_equal(f->first.kafka_error, KAFKA_NOT_CONTROLLER);
    assert_true(f->stopped);
    assert_true(f->failed);
    assert_false(exists(f, "first"));
}

static void a_failed_sync_ends_the_node(void **state)
{
    struct fixture f;
    setup(&f);
    sim_fs_fail_at(f.fs, 1, SIM_OP_SYNC, ERR_IO, false);
    create(&f, &f.first, "first");
    check_end(&f);
    // A stop waits for connections, and these for their answers.
    assert_int_equal(f.first.answered_in, NODE_READY);
    teardown(&f);
}

static void a_failed_write_ends_the_node(void **state)
{
    struct fixture f;
    setup(&f);
    sim_fs_fail_at(f.fs, 1, SIM_OP_WRITE, ERR_IO, false);
    create(&f, &f.first, "first");
    check_end(&f);
    teardown(&f);
}

static void a_full_disk_only_delays(void **state)
{
    struct fixture f;
    setup(&f);
    sim_fs_fail_at(f.fs, 1, SIM_OP_WRITE, ERR_NOSPC, true);
    create(&f, &f.first, "first");
    sim_run_for(&f.sim, 3 * second_ns);
    assert_int_equal(f.first.kafka_error, UNANSWERED);
    create(&f, &f.second, "second"); // refused, which is told when what was decided before holds
    sim_run_for(&f.sim, second_ns);
    assert_int_equal(f.second.kafka_error, UNANSWERED);
    sim_fs_fail_at(f.fs, 0, 0, 0, false);
    sim_run_for(&f.sim, 3 * second_ns);
    assert_int_equal(f.first.kafka_error, KAFKA_NONE);
    assert_int_equal(f.first.reply.topics.items[0].error_code, KAFKA_NONE);
    assert_true(exists(&f, "first"));
    assert_int_equal(f.second.kafka_error, KAFKA_NONE);
    assert_int_equal(f.second.reply.topics.items[0].error_code, KAFKA_KAFKA_STORAGE_ERROR);
    arena_release(&f.second.arena);
    create(&f, &f.second, "second");
    sim_run_for(&f.sim, second_ns);
    assert_true(exists(&f, "second"));
    assert_false(f.stopped);
    node_stop(f.node);
    sim_run_for(&f.sim, second_ns);
    assert_true(f.stopped);
    assert_false(f.failed);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_sync_ends_the_node),
        cmocka_unit_test(a_failed_write_ends_the_node),
        cmocka_unit_test(a_full_disk_only_delays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
