// SPDX-License-Identifier: Apache-2.0
//
// When a producer is answered and what a consumer may see: a partition on a simulated disk.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/err.h"
#include "broker/partition.h"
#include "broker/partitions.h"
#include "config/config.h"
#include "log/commit.h"
#include "log/dir.h"
#include "log/log.h"
#include "sim_env.h"
#include "sim_fs.h"
#include "wire/batch.h"
#include "wire/errors.h"

enum { WAITS = 4, NOT_DONE = -100 };

struct fixture;

struct waiter {
    struct append_wait wait;
    struct fixture *fixture;
    int kafka_error;
    int order;
};

struct fixture {
    struct sim sim;
    struct sim_env shard;
    struct sim_fs *fs;
    struct config *config;
    struct log_dir *dir;
    struct partitions partitions;
    struct partition partition;
    struct waiter waiters[WAITS];
    int done_count;
    struct fetch_wait fetch;
    int wake_count;
};

static void durable(struct log *log, void *owner)
{
    partition_durable(owner, log_durable_offset(log));
}

static void waited(struct append_wait *wait, int kafka_error)
{
    struct waiter *w = container_of(wait, struct waiter, wait);
    w->kafka_error = kafka_error;
    w->order = w->fixture->done_count++;
}

static void woken(struct fetch_wait *wait)
{
    container_of(wait, struct fixture, fetch)->wake_count++;
}

static struct log *add_log(struct fixture *f, int32_t index)
{
    struct log_config config = LOG_CONFIG_DEFAULTS;
    struct log_args args;
    struct log *log;
    log_dir_create_args(f->dir, str_from("t"), index, uuid_from_halves(5, 5), &config, &args);
    assert_int_equal(log_create(&args, &log, NULL), 0);
    log_dir_add(f->dir, log);
    return log;
}

static void open_log(struct fixture *f)
{
    struct log_dir_args dir_args = {.env = &f->shard.env, .path = "/data", .open_files_max = 1};
    assert_int_equal(log_dir_open(&dir_args, &f->dir, NULL), 0);
    struct log_dir_scan scan;
    assert_int_equal(log_dir_scan(f->dir, &scan, NULL), 0);
    log_dir_scan_release(&scan);
    f->partition.log = add_log(f, 0);
    log_set_owner(f->partition.log, &f->partition, durable);
}

static void setup(struct fixture *f, bool write_caching)
{
    *f = (struct fixture){.fetch.wake = woken};
    sim_init(&f->sim, 1);
    f->fs = sim_fs_new(1, &f->shard.clock);
    sim_env_init(&f->shard, &f->sim, sim_fs_env(f->fs));
    f->config = config_new();
    struct partitions_args args = {
        .env = &f->shard.env,
        .config = f->config,
        .committer = group_commit_new(&f->shard.env),
    };
    partitions_init(&f->partitions, &args);
    topic_config_resolve(&f->partition.config, f->config, NULL);
    f->partition.config.write_caching = write_caching;
    f->partition.owner = &f->partitions;
    f->partition.state = PARTITION_ONLINE;
    list_init(&f->partition.append_turns);
    list_init(&f->partition.append_waits);
    list_init(&f->partition.txn_waits);
    list_init(&f->partition.fetch_waits);
    for (int i = 0; i < WAITS; i++)
        f->waiters[i] = (struct waiter){.wait.done = waited, .fixture = f,
                                          .kafka_error = NOT_DONE};
    open_log(f);
    sim_run_works(&f->sim);
}

static void teardown(struct fixture *f)
{
    partition_end_waits(&f->partition, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    sim_run_works(&f->sim);
    log_committer_remove(f->partitions.committer, f->partition.log);
    group_commit_free(f->partitions.committer);
    partitions_release(&f->partitions);
    log_dir_free(f->dir);
    config_free(f->config);
    sim_env_release(&f->shard);
    sim_release(&f->sim);
    sim_fs_free(f->fs);
}

static void append_to(struct log *log)
{
    struct buf bytes;
    struct batch_builder builder;
    struct batch_options options = BATCH_OPTIONS_DEFAULT;
    struct log_append_info info;
    buf_init(&bytes, 4096);
    batch_builder_begin(&builder, &bytes, &options);
    batch_builder_add(&builder, 1, (struct bytes){0}, bytes_of("v", 1), NULL, 0);
    assert_int_equal(batch_builder_finish(&builder, NULL), 0);
    assert_int_equal(log_append(log, bytes.data, bytes.size, 0, 1, &info), 0);
    assert_int_equal(info.verdict, LOG_APPENDED);
    buf_release(&bytes);
}

static void append(struct fixture *f)
{
    append_to(f->partition.log);
    partition_appended(&f->partition);
}

static void wait_for(struct fixture *f, int64_t offset)
{
    struct waiter *w = &f->waiters[offset];
    w->wait.offset = offset;
    partition_wait_append(&f->partition, &w->wait);
}

static void nothing_is_said_before_it_is_on_disk(void **state)
{
    struct fixture f;
    setup(&f, false);
    append(&f);
    wait_for(&f, 1);
    assert_int_equal(f.waiters[1].kafka_error, NOT_DONE);
    assert_int_equal(f.partition.high_watermark, 0);
    assert_int_equal(partition_read_limit(&f.partition, 0), 0);
    uint64_t syncs = sim_fs_count(f.fs, SIM_OP_SYNC);
    sim_run_works(&f.sim);
    assert_true(sim_fs_count(f.fs, SIM_OP_SYNC) > syncs);
    assert_int_equal(f.waiters[1].kafka_error, KAFKA_NONE);
    assert_int_equal(f.partition.high_watermark, 1);
    teardown(&f);
}

static void caching_answers_at_once_and_leaves_the_disk_alone(void **state)
{
    struct fixture f;
    setup(&f, true);
    uint64_t syncs = sim_fs_count(f.fs, SIM_OP_SYNC);
    append(&f);
    wait_for(&f, 1);
    assert_int_equal(f.waiters[1].kafka_error, KAFKA_NONE);
    sim_run_works(&f.sim);
    assert_int_equal(sim_fs_count(f.fs, SIM_OP_SYNC), syncs);
    teardown(&f);
}

static void cached_topics_sync_after_flush_messages(void **state)
{
    struct fixture f;
    setup(&f, true);
    f.partition.config.flush_messages = 2;
    uint64_t syncs = sim_fs_count(f.fs, SIM_OP_SYNC);
    append(&f);
    sim_run_works(&f.sim);
    assert_int_equal(sim_fs_count(f.fs, SIM_OP_SYNC), syncs);
    append(&f);
    sim_run_works(&f.sim);
    assert_true(sim_fs_count(f.fs, SIM_OP_SYNC) > syncs);
    assert_int_equal(log_durable_offset(f.partition.log), 2);
    teardown(&f);
}

static void cached_topics_sync_after_flush_ms(void **state)
{
    struct fixture f;
    setup(&f, true);
    f.partition.config.flush_ms = 100;
    append(&f);
    sim_run_for(&f.sim, INT64_C(99000000));
    assert_int_equal(log_durable_offset(f.partition.log), 0);
    sim_run_for(&f.sim, INT64_C(20000000));
    assert_int_equal(log_durable_offset(f.partition.log), 1);
    teardown(&f);
}

// Waits may be registered in any order (requests of many connections).
static void answers_go_in_the_order_of_offsets(void **state)
{
    struct fixture f;
    setup(&f, false);
    for (int i = 0; i < 3; i++)
        append(&f);
    wait_for(&f, 3);
    wait_for(&f, 1);
    wait_for(&f, 2);
    sim_run_works(&f.sim);
    assert_int_equal(f.done_count, 3);
    for (int i = 1; i <= 3; i++)
        assert_int_equal(f.waiters[i].order, i - 1);
    teardown(&f);
}

static void a_cancelled_wait_hears_nothing(void **state)
{
    struct fixture f;
    setup(&f, false);
    append(&f);
    wait_for(&f, 1);
    partition_cancel_append(&f.waiters[1].wait);
    sim_run_works(&f.sim);
    assert_int_equal(f.waiters[1].kafka_error, NOT_DONE);
    teardown(&f);
}

static void a_failed_partition_ends_all_waits(void **state)
{
    struct fixture f;
    setup(&f, false);
    append(&f);
    wait_for(&f, 1);
    partition_wait_fetch(&f.partition, &f.fetch);
    partition_fail(&f.partition, KAFKA_KAFKA_STORAGE_ERROR);
    assert_int_equal(f.waiters[1].kafka_error, KAFKA_KAFKA_STORAGE_ERROR);
    assert_int_equal(f.wake_count, 1);
    assert_int_equal(f.partition.state, PARTITION_OFFLINE);
    partition_cancel_fetch(&f.fetch);
    teardown(&f);
}

static void fetches_wake_when_there_is_something_to_see(void **state)
{
    struct fixture f;
    setup(&f, false);
    partition_wait_fetch(&f.partition, &f.fetch);
    append(&f);
    assert_int_equal(f.wake_count, 0);
    sim_run_works(&f.sim);
    assert_int_equal(f.wake_count, 1);
    partition_cancel_fetch(&f.fetch);
    append(&f);
    sim_run_works(&f.sim);
    assert_int_equal(f.wake_count, 1);
    teardown(&f);
}

// --- The order of appends ---

struct turn {
    struct append_turn turn;
    struct partition *partition;
    char name;
    bool at_once; // it ends when it comes
    char *log;    // names, and "!" behind those that came with an error
};

static void turn_came(struct append_turn *turn, int kafka_error)
{
    struct turn *t = container_of(turn, struct turn, turn);
    *strchr(t->log, 0) = t->name;
    if (kafka_error != KAFKA_NONE)
        *strchr(t->log, 0) = '!';
    else if (t->at_once)
        partition_end_turn(t->partition, turn);
}

static void batches_are_appended_in_order(void **state)
{
    struct fixture f;
    char log[20] = {0};
    struct turn turns[6];
    setup(&f, true);
    for (int i = 0; i < 6; i++)
        turns[i] = (struct turn){.turn.come = turn_came, .partition = &f.partition, .log = log,
                                 .name = (char)('a' + i), .at_once = i != 1 && i != 4};
    for (int i = 0; i < 6; i++)
        partition_take_turn(&f.partition, &turns[i].turn);
    assert_string_equal(log, "ab"); // b takes long
    partition_end_turn(&f.partition, &turns[1].turn);
    assert_string_equal(log, "abcde");
    // The partition goes away under e, and f's turn does not come.
    partition_end_waits(&f.partition, KAFKA_KAFKA_STORAGE_ERROR);
    assert_string_equal(log, "abcdef!");
    assert_false(list_linked(&turns[4].turn.node));
    assert_int_equal(turns[4].turn.kafka_error, KAFKA_KAFKA_STORAGE_ERROR);
    teardown(&f);
}

// What waits for a sync keeps its files open, and descriptors have an end.
static void cached_topics_sync_when_too_many_files_are_open(void **state)
{
    struct fixture f;
    setup(&f, true);
    append(&f);
    sim_run_works(&f.sim);
    assert_int_equal(log_durable_offset(f.partition.log), 0);
    append_to(add_log(&f, 1));
    append(&f);
    sim_run_works(&f.sim);
    assert_int_equal(log_durable_offset(f.partition.log), 2);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_said_before_it_is_on_disk),
        cmocka_unit_test(caching_answers_at_once_and_leaves_the_disk_alone),
        cmocka_unit_test(cached_topics_sync_after_flush_messages),
        cmocka_unit_test(cached_topics_sync_after_flush_ms),
        cmocka_unit_test(cached_topics_sync_when_too_many_files_are_open),
        cmocka_unit_test(answers_go_in_the_order_of_offsets),
        cmocka_unit_test(a_cancelled_wait_hears_nothing),
        cmocka_unit_test(a_failed_partition_ends_all_waits),
        cmocka_unit_test(fetches_wake_when_there_is_something_to_see),
        cmocka_unit_test(batches_are_appended_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
