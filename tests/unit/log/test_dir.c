// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>

#include "base/list.h"
#include "base/trace.h"
#include "log/commit.h"
#include "log/dir.h"
#include "log/dir_cache.h"
#include "log/partition_metadata.h"
#include "testing.h"

static struct log_dir *open_dir(struct world *w)
{
    struct log_dir_args args = {.env = &w->shard.env, .path = "/data/log"};
    struct log_dir *dir = NULL;
    struct diag diag;
    assert_int_equal(log_dir_open(&args, &dir, &diag), 0);
    return dir;
}

static int create_args(struct world *w, struct log_dir *dir, int32_t partition, struct log_args *args)
{
    return log_dir_create_args(dir, str_from("t"), partition, uuid_from_halves(7, 7), &w->args.config,
                               args);
}

static struct log *add_log(struct world *w, struct log_dir *dir, int32_t partition,
                           int (*make)(const struct log_args *args, struct log **out, struct diag *diag))
{
    struct log_args args;
    struct log *log;
    struct diag diag;
    assert_int_equal(create_args(w, dir, partition, &args), 0);
    assert_int_equal(make(&args, &log, &diag), 0);
    log_dir_add(dir, log);
    return log;
}

static struct log *create_log(struct world *w, struct log_dir *dir, int32_t partition)
{
    return add_log(w, dir, partition, log_create);
}

static void acknowledged_is_what_a_commit_made_durable(void **state)
{
    struct world w;
    struct group_commit_stats stats;
    world_init(&w);
    struct log_dir *dir = open_dir(&w);
    struct log_committer *committer = group_commit_new(&w.shard.env);
    for (int32_t p = 0; p < 3; p++) {
        struct log *log = create_log(&w, dir, p);
        append_plain(log, 2, 10, 1000);
        log_committer_add(committer, log);
        log_committer_add(committer, log);
        assert_int_equal(log_durable_offset(log), 0);
    }
    sim_run_works(&w.sim);
    for (int32_t p = 0; p < 3; p++)
        assert_int_equal(log_durable_offset(log_dir_find(dir, str_from("t"), p)), 2);
    group_commit_get_stats(committer, &stats);
    assert_int_equal(stats.groups, 1); // one group for all that came in one turn
    assert_int_equal(stats.logs, 3);
    for (int32_t p = 0; p < 3; p++) {
        struct log *log = log_dir_find(dir, str_from("t"), p);
        append_plain(log, 1, 10, 1000);
        log_committer_add(committer, log);
    }
    // Now nothing in the log directory is new, so each log has a work of its own; none counts before all.
    uint64_t syncs = sim_fs_count(w.fs, SIM_OP_SYNC);
    struct log *first = log_dir_find(dir, str_from("t"), 0);
    while (log_durable_offset(first) == 2) {
        for (int32_t p = 1; p < 3; p++)
            assert_int_equal(log_durable_offset(log_dir_find(dir, str_from("t"), p)), 2);
        assert_true(sim_step(&w.sim));
    }
    assert_int_equal(sim_fs_count(w.fs, SIM_OP_SYNC), syncs + 3);
    sim_run_works(&w.sim);
    for (int32_t p = 0; p < 3; p++)
        assert_int_equal(log_durable_offset(log_dir_find(dir, str_from("t"), p)), 3);
    group_commit_get_stats(committer, &stats);
    assert_int_equal(stats.groups, 2);
    assert_int_equal(stats.logs, 6);
    group_commit_free(committer);
    log_dir_free(dir);
    world_release(&w);
}

static void a_clean_stop_is_remembered_once(void **state)
{
    struct world w;
    struct log_dir_scan scan;
    struct diag diag;
    world_init(&w);
    struct log_dir *dir = open_dir(&w);
    assert_null(log_dir_meta(dir));
    assert_int_equal(log_dir_write_meta(dir, 4, str_from("c"), uuid_from_halves(9, 9), &diag), 0);
    append_plain(create_log(&w, dir, 0), 3, 10, 1000);
    assert_int_equal(log_dir_close(dir, 12, &diag), 0);
    log_dir_free(dir);
    sim_fs_restart(w.fs, SIM_CRASH_ALL); // the power fails right after

    dir = open_dir(&w);
    assert_int_equal(log_dir_meta(dir)->node_id, 4);
    assert_int_equal(log_dir_scan(dir, &scan, &diag), 0);
    assert_true(scan.clean);
    assert_int_equal(scan.broker_epoch, 12);
    assert_int_equal(scan.count, 1);
    assert_int_equal(scan.partitions[0].recovery_point, 3);
    assert_true(uuid_equal(scan.partitions[0].topic_id, uuid_from_halves(7, 7)));
    struct log_args args;
    struct log *log;
    log_dir_partition_args(dir, &scan, &scan.partitions[0], &w.args.config, &args);
    assert_int_equal(log_open(&args, &log, &diag), 0);
    assert_int_equal(sim_fs_open_count(w.fs), 2); // only .lock, for the lock and for syncing all
    log_dir_add(dir, log);
    assert_int_equal(append_plain(log, 1, 10, 1000), 3);
    log_dir_scan_release(&scan);
    assert_int_equal(log_dir_scan(dir, &scan, &diag), 0);
    assert_false(scan.clean);
    log_dir_scan_release(&scan);
    log_dir_free(dir);
    world_release(&w);
}

enum { MANY = 40 };

static void open_many(struct world *w, struct log_dir *dir, const struct log_dir_scan *scan)
{
    for (int i = 0; i < scan->count; i++) {
        struct log_args args;
        struct log *log;
        struct diag diag;
        log_dir_partition_args(dir, scan, &scan->partitions[i], &w->args.config, &args);
        assert_int_equal(log_open(&args, &log, &diag), 0);
        assert_int_equal(log_end_offset(log), 2);
        assert_int_equal(log_durable_offset(log), 2);
        log_dir_add(dir, log);
    }
}

// Many logs are synced with everything else in the file system: the count of syncs is not theirs.
static void many_logs_are_synced_at_once(void **state)
{
    struct world w;
    struct log_dir_scan scan;
    struct diag diag;
    world_init(&w);
    struct log_dir *dir = open_dir(&w);
    struct log_committer *committer = group_commit_new(&w.shard.env);
    for (int32_t p = 0; p < MANY; p++) {
        struct log *log = create_log(&w, dir, p);
        append_plain(log, 2, 10, 1000);
        log_committer_add(committer, log);
    }
    uint64_t syncs = sim_fs_count(w.fs, SIM_OP_SYNC);
    sim_run_works(&w.sim);
    assert_int_equal(sim_fs_count(w.fs, SIM_OP_SYNC), syncs + 2); // epochs are files that are replaced
    for (int32_t p = 0; p < MANY; p++)
        assert_int_equal(log_durable_offset(log_dir_find(dir, str_from("t"), p)), 2);
    group_commit_free(committer);
    log_dir_free(dir);
    sim_fs_restart(w.fs, SIM_CRASH_ALL);

    dir = open_dir(&w);
    syncs = sim_fs_count(w.fs, SIM_OP_SYNC);
    assert_int_equal(log_dir_scan(dir, &scan, &diag), 0);
    assert_true(scan.synced);
    assert_int_equal(scan.count, MANY);
    open_many(&w, dir, &scan);
    log_dir_scan_release(&scan);
    assert_int_equal(sim_fs_count(w.fs, SIM_OP_SYNC), syncs + 2); // names, then everything
    assert_int_equal(log_dir_close(dir, 12, &diag), 0);
    // Two for all logs, and two each for three checkpoints and the marker.
    assert_int_equal(sim_fs_count(w.fs, SIM_OP_SYNC), syncs + 2 + 2 + 2 * 4);
    log_dir_free(dir);
    sim_fs_restart(w.fs, SIM_CRASH_ALL);

    dir = open_dir(&w);
    syncs = sim_fs_count(w.fs, SIM_OP_SYNC);
    assert_int_equal(log_dir_scan(dir, &scan, &diag), 0);
    assert_true(scan.clean);
    open_many(&w, dir, &scan);
    log_dir_scan_release(&scan);
    assert_int_equal(sim_fs_count(w.fs, SIM_OP_SYNC), syncs + 1); // the marker's removal
    log_dir_free(dir);
    world_release(&w);
}

// ---- What directories held (dir_cache.h) ----

static struct log_dir *open_caching(struct world *w)
{
    struct log_dir_args args = {.env = &w->shard.env, .path = "/data/log", .cached_dirs_min = 2};
    struct log_dir *dir = NULL;
    struct diag diag;
    assert_int_equal(log_dir_open(&args, &dir, &diag), 0);
    return dir;
}

static void pass_time(struct world *w)
{
    sim_run_for(&w->sim, 1000 * INT64_C(1000000));
}

// Three partitions of two records and two segments each, closed a second after the last change.
static void leave_three(struct world *w)
{
    struct diag diag;
    struct log_dir *dir = open_caching(w);
    struct log_committer *committer = group_commit_new(&w->shard.env);
    for (int32_t p = 0; p < 3; p++) {
        struct log *log = create_log(w, dir, p);
        append_plain(log, 1, 10, 1000);
        assert_int_equal(log_roll(log, 0), 0);
        append_plain(log, 1, 10, 1000);
        log_committer_add(committer, log);
    }
    sim_run_works(&w->sim);
    group_commit_free(committer);
    log_dir_save(dir, LOG_SAVE_RECOVERY_POINTS, NULL);
    sim_run_works(&w->sim);
    pass_time(w);
    assert_int_equal(log_dir_close(dir, 1, &diag), 0);
    log_dir_free(dir);
}

// Opens what is there: bit n of the result says that partition n was known without looking.
static unsigned open_left(struct world *w, struct log_dir **out, bool close_again)
{
    struct log_dir_scan scan;
    struct diag diag;
    unsigned known = 0;
    struct log_dir *dir = open_caching(w);
    assert_int_equal(log_dir_scan(dir, &scan, &diag), 0);
    uint64_t looks = sim_fs_count(w->fs, SIM_OP_LOOK);
    for (int i = 0; i < scan.count; i++)
        known |= (scan.partitions[i].cached != NULL ? 1U : 0) << scan.partitions[i].partition;
    open_many(w, dir, &scan);
    if (known == 7)
        assert_int_equal(sim_fs_count(w->fs, SIM_OP_LOOK), looks);
    log_dir_scan_release(&scan);
    pass_time(w);
    if (close_again) {
        assert_int_equal(log_dir_close(dir, 1, &diag), 0);
        log_dir_free(dir);
    } else {
        *out = dir;
    }
    return known;
}

static void remove_file(struct world *w, const char *path)
{
    assert_int_equal(fs_remove(w->args.fs, path), 0);
}

static void write_file(struct world *w, const char *path, const char *text)
{
    struct fs_file *file;
    assert_int_equal(fs_open(w->args.fs, path, FS_WRITE | FS_CREATE | FS_TRUNCATE, &file), 0);
    assert_int_equal(fs_file_write(file, text, strlen(text), 0), 0);
    fs_file_close(file);
}

static void directories_are_known_after_a_clean_stop(void **state)
{
    struct world w;
    struct log_dir *dir;
    world_init(&w);
    leave_three(&w);
    assert_int_equal(open_left(&w, NULL, true), 7);
    assert_int_equal(open_left(&w, NULL, true), 7);
    // Somebody adds, removes or replaces a name; the others are as they were.
    write_file(&w, "/data/log/t-1/note", "x");
    assert_int_equal(open_left(&w, NULL, true), 5);
    assert_int_equal(open_left(&w, NULL, true), 7);
    remove_file(&w, "/data/log/t-1/note");
    assert_int_equal(fs_rename(w.args.fs, "/data/log/t-2", "/data/log/u-2"), 0);
    assert_int_equal(fs_make_dir(w.args.fs, "/data/log/t-2"), 0);
    assert_int_equal(fs_remove(w.args.fs, "/data/log/t-2"), 0);
    assert_int_equal(fs_rename(w.args.fs, "/data/log/u-2", "/data/log/t-2"), 0);
    assert_int_equal(open_left(&w, NULL, true), 5);
    // A file that is damaged or gone costs time alone.
    write_file(&w, "/data/log/" DIR_CACHE_FILE, "chitin directories 0\nnonsense");
    assert_int_equal(open_left(&w, NULL, true), 0);
    remove_file(&w, "/data/log/" DIR_CACHE_FILE);
    assert_int_equal(open_left(&w, NULL, true), 0);
    // After a crash nothing of it counts.
    assert_int_equal(open_left(&w, &dir, false), 7);
    log_dir_free(dir);
    assert_int_equal(open_left(&w, &dir, false), 0);
    log_dir_free(dir);
    world_release(&w);
}

// What changes in the same tick as it was looked at looks the same afterwards.
static void what_has_just_changed_is_not_known(void **state)
{
    struct world w;
    struct log_dir *dir;
    struct diag diag;
    world_init(&w);
    leave_three(&w);
    assert_int_equal(open_left(&w, &dir, false), 7);
    write_file(&w, "/data/log/t-0/note", "x");
    assert_int_equal(log_dir_close(dir, 1, &diag), 0);
    log_dir_free(dir);
    assert_int_equal(open_left(&w, NULL, true), 6);
    world_release(&w);
}

// A segment that is missing is missed, known directory or not.
static void a_missing_segment_is_missed(void **state)
{
    struct world w;
    struct log_dir_scan scan;
    struct diag diag;
    struct log_args args;
    struct log *log;
    world_init(&w);
    leave_three(&w);
    remove_file(&w, "/data/log/t-0/00000000000000000001.log");
    struct log_dir *dir = open_caching(&w);
    assert_int_equal(log_dir_scan(dir, &scan, &diag), 0);
    assert_null(scan.partitions[0].cached);
    log_dir_partition_args(dir, &scan, &scan.partitions[0], &w.args.config, &args);
    assert_int_equal(log_open(&args, &log, &diag), 0);
    assert_int_equal(log_segment_count(log), 1);
    assert_int_equal(log_load(log), ERR_OFFLINE);
    log_dir_add(dir, log);
    log_dir_scan_release(&scan);
    log_dir_free(dir);
    world_release(&w);
}

// partition.metadata is written over, which its directory does not show: found when the log is used.
static void partition_metadata_is_looked_at_with_the_log(void **state)
{
    static const struct {
        const char *text;
        int load;
    } cases[] = {
        {"version: 0\ntopic_id: AAAAAAAAAAcAAAAAAAAABw", 0},
        {"version: 0\ntopic_id: AAAAAAAAAAcAAAAAAAAABx", 0}, // a changed letter
        {"version: 0\ntopic_id: ????", 0},
        {"", 0},
        {"version: 1\n", 0},
        {"version: 0\ntopic_id: km6SpL29RKyqIPbP7o7TLQ", ERR_OFFLINE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world w;
        struct log_dir *dir;
        struct uuid id;
        struct diag diag;
        world_init(&w);
        leave_three(&w);
        write_file(&w, "/data/log/t-1/partition.metadata", cases[i].text);
        assert_int_equal(open_left(&w, &dir, false), 7);
        struct log *log = log_dir_find(dir, str_from("t"), 1);
        assert_int_equal(log_load(log), cases[i].load);
        if (cases[i].load == 0) {
            assert_int_equal(partition_metadata_read(w.args.fs, "/data/log/t-1", &id, &diag), 0);
            assert_true(uuid_equal(id, uuid_from_halves(7, 7)));
        } else {
            assert_non_null(strstr(log_problem(log), "/data/log/t-1/partition.metadata has topic id"));
        }
        log_dir_free(dir);
        world_release(&w);
    }
}

static void a_directory_has_one_user(void **state)
{
    struct world w;
    struct log_dir_args args;
    struct log_dir *second;
    struct diag diag;
    world_init(&w);
    struct log_dir *dir = open_dir(&w);
    args = (struct log_dir_args){.env = &w.shard.env, .path = "/data/log"};
    assert_int_equal(log_dir_open(&args, &second, &diag), ERR_BUSY);
    assert_non_null(strstr(diag.text, "/data/log/.lock"));
    log_dir_free(dir);
    world_release(&w);
}

static int count_entry(void *context, const char *name, enum fs_kind kind)
{
    *(int *)context += kind == FS_KIND_DIR;
    return 0;
}

static int count_dirs(struct world *w)
{
    int count = 0;
    assert_int_equal(fs_list(w->args.fs, "/data/log", count_entry, &count), 0);
    return count;
}

static void free_name(struct world *w, struct log_dir *dir, int32_t partition)
{
    struct log_args args;
    assert_int_equal(create_args(w, dir, partition, &args), ERR_AGAIN);
    log_dir_save(dir, LOG_SAVE_ENTRIES, NULL);
    assert_int_equal(create_args(w, dir, partition, &args), ERR_AGAIN); // not before it is on disk
    sim_run_works(&w->sim);
}

// A crash right after a partition was deleted and another of its name created and written to: the
// entries of the first must not be taken for those of the second.
static void checkpoints_do_not_outlive_a_partition(void **state)
{
    struct world w;
    struct log_dir_scan scan;
    struct diag diag;
    world_init(&w);
    struct log_dir *dir = open_dir(&w);
    struct log_committer *committer = group_commit_new(&w.shard.env);
    struct log *log = create_log(&w, dir, 0);
    append_plain(log, 50, 10, 1000);
    log_set_high_watermark(log, 50);
    assert_int_equal(log_set_start_offset(log, 20), 0);
    log_dir_save(dir, LOG_SAVE_RECOVERY_POINTS | LOG_SAVE_START_OFFSETS | LOG_SAVE_HIGH_WATERMARKS,
                 NULL);
    sim_run_works(&w.sim);
    assert_int_equal(log_dir_delete_log(dir, log), 0);
    free_name(&w, dir, 0);
    log = create_log(&w, dir, 0);
    append_plain(log, 1, 10, 1000);
    log_committer_add(committer, log);
    sim_run_works(&w.sim);
    assert_int_equal(log_durable_offset(log), 1);
    group_commit_free(committer);
    log_dir_free(dir);
    sim_fs_restart(w.fs, SIM_CRASH_ALL);
    dir = open_dir(&w);
    assert_int_equal(log_dir_scan(dir, &scan, &diag), 0);
    assert_int_equal(scan.count, 1);
    assert_int_equal(scan.partitions[0].recovery_point, -1);
    assert_int_equal(scan.partitions[0].log_start_offset, -1);
    assert_int_equal(scan.partitions[0].high_watermark, -1);
    log_dir_scan_release(&scan);
    log_dir_free(dir);
    world_release(&w);
}

// As after a crash between the deletion and the save: an entry without a directory holds the name, too.
static void an_entry_without_partition_holds_its_name(void **state)
{
    struct world w;
    struct log_dir_scan scan;
    struct diag diag;
    world_init(&w);
    struct log_dir *dir = open_dir(&w);
    create_log(&w, dir, 0);
    struct log *log = create_log(&w, dir, 1);
    append_plain(log, 5, 10, 1000);
    log_dir_save(dir, LOG_SAVE_RECOVERY_POINTS, NULL);
    sim_run_works(&w.sim);
    assert_int_equal(log_dir_delete_log(dir, log), 0);
    log_dir_free(dir);
    dir = open_dir(&w);
    assert_int_equal(log_dir_scan(dir, &scan, &diag), 0);
    assert_int_equal(scan.count, 1);
    log_dir_scan_release(&scan);
    free_name(&w, dir, 1);
    create_log(&w, dir, 1);
    create_log(&w, dir, 2);
    log_dir_free(dir);
    world_release(&w);
}

static void a_deleted_partition_goes_later(void **state)
{
    struct world w;
    world_init(&w);
    w.args.config.file_delete_delay_ms = 1000;
    struct log_dir *dir = open_dir(&w);
    struct log *log = create_log(&w, dir, 0);
    append_plain(log, 1, 10, 1000);
    assert_int_equal(log_dir_delete_log(dir, log), 0);
    assert_null(log_dir_find(dir, str_from("t"), 0));
    assert_int_equal(count_dirs(&w), 1);
    free_name(&w, dir, 0);
    create_log(&w, dir, 0); // the name is free, the files are still there
    assert_int_equal(count_dirs(&w), 2);
    sim_run_for(&w.sim, 900 * INT64_C(1000000));
    assert_int_equal(count_dirs(&w), 2);
    sim_run_for(&w.sim, 200 * INT64_C(1000000));
    assert_int_equal(count_dirs(&w), 1);
    log_dir_free(dir);
    world_release(&w);
}

static void note_error(struct log_dir *dir, void *owner, int err, const char *why)
{
    *(int *)owner = err;
}

// `fill` more logs commit along; enough of them, and the whole file system is what fails to sync.
static void fail_a_sync(int fill)
{
    struct world w;
    struct log_dir *dir;
    struct diag diag;
    struct log_append_info info;
    struct buf batch;
    int err = 0;
    world_init(&w);
    struct log_dir_args args = {.env = &w.shard.env, .path = "/data/log", .owner = &err,
                                .on_offline = note_error};
    assert_int_equal(log_dir_open(&args, &dir, &diag), 0);
    struct log_committer *committer = group_commit_new(&w.shard.env);
    struct log *log = create_log(&w, dir, 0), *other = create_log(&w, dir, 1);
    append_plain(log, 1, 10, 1000);
    for (int i = 0; i < fill; i++)
        log_committer_add(committer, create_log(&w, dir, 2 + i));
    sim_fs_fail_at(w.fs, 1, SIM_OP_SYNC, ERR_IO, false);
    log_committer_add(committer, log);
    sim_run_works(&w.sim);
    assert_int_equal(err, ERR_IO);
    assert_int_equal(log_durable_offset(log), 0);
    uint64_t syncs = sim_fs_count(w.fs, SIM_OP_SYNC);
    log_committer_add(committer, log); // never tried again
    log_committer_add(committer, other);
    sim_run_works(&w.sim);
    assert_int_equal(sim_fs_count(w.fs, SIM_OP_SYNC), syncs);
    make_batch(&batch, 1, 10, 1000, -1, -1, -1, 0);
    assert_int_equal(append_batch(other, &batch, &info), ERR_OFFLINE);
    group_commit_free(committer);
    log_dir_free(dir);
    world_release(&w);
}

static void a_failed_sync_takes_the_directory_offline(void **state)
{
    fail_a_sync(0);
    fail_a_sync(MANY);
}

// Of two logs in a group the sync of one fails: nobody is told that the other is safe.
static void a_failed_sync_speaks_for_its_group(void **state)
{
    for (uint64_t nth = 1; nth <= 2; nth++) {
        struct world w;
        int err = 0;
        struct diag diag;
        struct log_dir *dir;
        world_init(&w);
        struct log_dir_args args = {.env = &w.shard.env, .path = "/data/log", .owner = &err,
                                    .on_offline = note_error};
        assert_int_equal(log_dir_open(&args, &dir, &diag), 0);
        struct log_committer *committer = group_commit_new(&w.shard.env);
        struct log *logs[2] = {create_log(&w, dir, 0), create_log(&w, dir, 1)};
        int64_t ends[2];
        for (int round = 0; round < 2; round++) {
            for (int i = 0; i < 2; i++) {
                append_plain(logs[i], 1, 10, 1000);
                log_committer_add(committer, logs[i]);
            }
            if (round == 1)
                sim_fs_fail_at(w.fs, nth, SIM_OP_SYNC, ERR_IO, false);
            for (int i = 0; round == 0 && i < 2; i++)
                ends[i] = log_end_offset(logs[i]);
            sim_run_works(&w.sim);
        }
        assert_int_equal(err, ERR_IO);
        for (int i = 0; i < 2; i++)
            assert_int_equal(log_durable_offset(logs[i]), ends[i]);
        group_commit_free(committer);
        log_dir_free(dir);
        world_release(&w);
    }
}

static void taken_rights_take_the_directory_offline(void **state)
{
    struct world w;
    world_init(&w);
    struct log_dir *dir = open_dir(&w);
    struct log *log = create_log(&w, dir, 0);
    append_plain(log, 1, 10, 1000);
    sim_fs_fail_at(w.fs, 1, SIM_OP_OPEN, ERR_REFUSED, false);
    assert_int_equal(log_roll(log, 2000), ERR_REFUSED);
    assert_true(log_dir_is_offline(dir));
    log_dir_free(dir);
    world_release(&w);
}

static bool is_there(struct world *w, const char *path)
{
    struct fs_stat stat;
    return fs_stat(w->shard.env.fs, path, &stat) == 0;
}

static struct log *plan_log(struct world *w, struct log_dir *dir, int32_t partition)
{
    return add_log(w, dir, partition, log_plan);
}

static void a_planned_log_is_made_when_it_is_used(void **state)
{
    struct world w;
    struct diag diag;
    struct buf batch;
    struct log_append_info info;
    struct fs_stat checkpoint;
    world_init(&w);
    struct log_dir *dir = open_dir(&w);
    struct log *log = plan_log(&w, dir, 0);
    plan_log(&w, dir, 1);
    log_begin_epoch(log, 3);
    assert_int_equal(log_end_offset(log), 0);
    assert_int_equal(log_apply_retention(log, 5000), 0);
    assert_false(is_there(&w, "/data/log/t-0"));
    // No checkpoint speaks of them: not even a line for each.
    log_dir_save(dir, LOG_SAVE_RECOVERY_POINTS | LOG_SAVE_HIGH_WATERMARKS, NULL);
    sim_run_works(&w.sim);
    assert_int_equal(fs_stat(w.shard.env.fs, "/data/log/recovery-point-offset-checkpoint", &checkpoint),
                     0);
    assert_int_equal(checkpoint.size, strlen("0\n0\n"));

    sim_fs_fail_at(w.fs, 1, SIM_OP_WRITE, ERR_NOSPC, false);
    make_batch(&batch, 1, 10, 1000, -1, -1, -1, 0);
    assert_int_equal(append_batch(log, &batch, &info), ERR_NOSPC);
    sim_fs_fail_at(w.fs, 0, 0, 0, false);
    assert_false(is_there(&w, "/data/log/t-0"));
    append_plain(log, 1, 10, 1000); // there is room again
    assert_true(is_there(&w, "/data/log/t-0/partition.metadata"));
    assert_int_equal(log_make(log), 0);
    assert_int_equal(log_latest_epoch(log), 3);

    assert_int_equal(log_dir_delete_log(dir, plan_log(&w, dir, 2)), 0);
    struct log_args args;
    assert_int_equal(create_args(&w, dir, 2, &args), 0); // its name was never taken
    // A clean stop leaves what Apache Kafka expects to find.
    assert_false(is_there(&w, "/data/log/t-1"));
    assert_int_equal(log_dir_close(dir, 12, &diag), 0);
    assert_true(is_there(&w, "/data/log/t-1/partition.metadata"));
    log_dir_free(dir);
    world_release(&w);
}

static void something_in_the_way_takes_a_planned_log_offline(void **state)
{
    struct world w;
    world_init(&w);
    struct log_dir *dir = open_dir(&w);
    struct log *log = plan_log(&w, dir, 0);
    assert_int_equal(fs_make_dir(w.shard.env.fs, "/data/log/t-0"), 0);
    assert_int_equal(log_load(log), ERR_EXISTS);
    assert_true(log_is_offline(log));
    assert_non_null(strstr(log_problem(log), "/data/log/t-0"));
    assert_true(is_there(&w, "/data/log/t-0"));
    assert_int_equal(log_load(log), ERR_OFFLINE);
    log_dir_free(dir);
    world_release(&w);
}

// ---- A full disk ----

enum { DISK = 1 << 20, RESERVE = 32 << 10, BATCH = 1100 };

struct full {
    struct world w;
    struct trace trace;
    int begun, ended; // lines
    struct log_dir *dir;
    struct log *log;
};

static void count_line(struct trace *t, enum trace_level level, const char *area, const char *line)
{
    struct full *f = container_of(t, struct full, trace);
    f->begun += strstr(line, "is full") != NULL;
    f->ended += strstr(line, "has room again") != NULL;
}

static void full_init(struct full *f)
{
    struct diag diag;
    *f = (struct full){.trace = {.emit = count_line, .level_min = TRACE_INFO}};
    world_init(&f->w);
    sim_fs_set_capacity(f->w.fs, DISK);
    struct log_dir_args args = {.env = &f->w.shard.env, .path = "/data/log", .trace = &f->trace,
                                .reserve_bytes = RESERVE};
    assert_int_equal(log_dir_open(&args, &f->dir, &diag), 0);
    f->log = create_log(&f->w, f->dir, 0);
}

static void full_release(struct full *f)
{
    sim_run_works(&f->w.sim);
    log_dir_free(f->dir);
    world_release(&f->w);
}

static int append_one(struct log *log)
{
    struct log_append_info info;
    struct buf batch;
    make_batch(&batch, 1, 1000, 1000, -1, -1, -1, 0);
    return append_batch(log, &batch, &info);
}

static void append_all(struct full *f)
{
    int err, count = 0;
    while ((err = append_one(f->log)) == 0)
        assert_true(++count < DISK / BATCH);
    assert_int_equal(err, ERR_NOSPC);
}

static int64_t free_bytes(struct full *f)
{
    int64_t total, usable;
    assert_int_equal(log_dir_space(f->dir, &total, &usable), 0);
    return usable;
}

static void note_save(struct log_save_wait *wait, int err)
{
    assert_int_equal(err, 0);
}

static void records_leave_a_reserve(void **state)
{
    struct full f;
    full_init(&f);
    struct log *other = create_log(&f.w, f.dir, 1);
    struct log_config config = f.w.args.config;
    config.uses_reserve = true;
    struct log *metadata = create_log(&f.w, f.dir, 2);
    log_set_config(metadata, &config);
    for (int i = 0; i < 100; i++)
        assert_int_equal(append_one(other), 0);
    assert_false(log_dir_is_full(f.dir));
    append_all(&f);
    assert_true(log_dir_is_full(f.dir));
    assert_in_range(free_bytes(&f), RESERVE - 2 * BATCH, RESERVE);
    assert_int_equal(append_one(other), ERR_NOSPC);
    assert_int_equal(append_one(metadata), 0);
    struct log_save_wait wait = {.done = note_save};
    log_dir_save(f.dir, LOG_SAVE_RECOVERY_POINTS | LOG_SAVE_START_OFFSETS, &wait);
    sim_run_for(&f.w.sim, INT64_C(2000000000));
    assert_int_equal(append_one(f.log), ERR_NOSPC);
    assert_int_equal(f.begun, 1);
    assert_int_equal(f.ended, 0);
    // What is deleted is gone before file.delete.delay.ms, and then there is room.
    assert_int_equal(log_dir_delete_log(f.dir, other), 0);
    sim_run_for(&f.w.sim, INT64_C(1000000000));
    assert_false(log_dir_is_full(f.dir));
    assert_int_equal(append_one(f.log), 0);
    assert_int_equal(f.begun, 1);
    assert_int_equal(f.ended, 1);
    full_release(&f);
}

static int append_sequence(struct log *log, int32_t sequence, struct log_append_info *info)
{
    struct buf batch;
    make_batch(&batch, 1, 1000, 1000, 77, 0, sequence, 0);
    return append_batch(log, &batch, info);
}

// librdkafka gives up for good when of what it has on the way one batch is refused since the disk is full
// and the next since it is out of order.
static void a_producer_is_refused_for_one_reason(void **state)
{
    struct full f;
    struct log_append_info info;
    full_init(&f);
    struct log *other = create_log(&f.w, f.dir, 1);
    for (int i = 0; i < 100; i++)
        assert_int_equal(append_one(other), 0);
    assert_int_equal(append_sequence(f.log, 0, &info), 0);
    append_all(&f);
    assert_int_equal(append_sequence(f.log, 1, &info), ERR_NOSPC);
    assert_int_equal(append_sequence(f.log, 2, &info), ERR_NOSPC);
    assert_int_equal(log_dir_delete_log(f.dir, other), 0);
    sim_run_for(&f.w.sim, INT64_C(1000000000));
    assert_false(log_dir_is_full(f.dir));
    // Sent before the answers to those above arrived.
    assert_int_equal(append_sequence(f.log, 3, &info), ERR_NOSPC);
    for (int32_t sequence = 1; sequence < 4; sequence++) {
        assert_int_equal(append_sequence(f.log, sequence, &info), 0);
        assert_int_equal(info.verdict, LOG_APPENDED);
    }
    sim_run_for(&f.w.sim, INT64_C(10000000000));
    assert_int_equal(append_sequence(f.log, 9, &info), 0);
    assert_int_equal(info.verdict, LOG_OUT_OF_ORDER_SEQUENCE);
    full_release(&f);
}

// The file system refuses, though it has free blocks: a quota.
static void a_quota_is_tried_again(void **state)
{
    struct full f;
    full_init(&f);
    assert_int_equal(append_one(f.log), 0);
    for (int i = 0; i < 3; i++) {
        sim_fs_fail_at(f.w.fs, 1, SIM_OP_WRITE, ERR_NOSPC, false);
        assert_int_equal(append_one(f.log), ERR_NOSPC);
        assert_int_equal(append_one(f.log), ERR_NOSPC); // not even tried
        sim_run_for(&f.w.sim, INT64_C(1000000000));
    }
    assert_int_equal(f.begun, 1);
    assert_int_equal(f.ended, 0);
    assert_int_equal(append_one(f.log), 0);
    assert_int_equal(f.ended, 1);
    full_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(acknowledged_is_what_a_commit_made_durable),
        cmocka_unit_test(a_clean_stop_is_remembered_once),
        cmocka_unit_test(many_logs_are_synced_at_once),
        cmocka_unit_test(directories_are_known_after_a_clean_stop),
        cmocka_unit_test(what_has_just_changed_is_not_known),
        cmocka_unit_test(a_missing_segment_is_missed),
        cmocka_unit_test(partition_metadata_is_looked_at_with_the_log),
        cmocka_unit_test(a_directory_has_one_user),
        cmocka_unit_test(a_deleted_partition_goes_later),
        cmocka_unit_test(checkpoints_do_not_outlive_a_partition),
        cmocka_unit_test(an_entry_without_partition_holds_its_name),
        cmocka_unit_test(a_failed_sync_takes_the_directory_offline),
        cmocka_unit_test(a_failed_sync_speaks_for_its_group),
        cmocka_unit_test(a_planned_log_is_made_when_it_is_used),
        cmocka_unit_test(something_in_the_way_takes_a_planned_log_offline),
        cmocka_unit_test(taken_rights_take_the_directory_offline),
        cmocka_unit_test(records_leave_a_reserve),
        cmocka_unit_test(a_producer_is_refused_for_one_reason),
        cmocka_unit_test(a_quota_is_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
