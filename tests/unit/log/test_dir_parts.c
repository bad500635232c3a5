// SPDX-License-Identifier: Apache-2.0
//
// A log directory with its parts on three shards, between which messages take their time.
#include <stdio.h>
#include <string.h>

#include "base/list.h"
#include "base/trace.h"
#include "log/dir.h"
#include "testing.h"

enum { PARTS = 3, MESSAGE_NS_MAX = 300000 };

static const char path[] = "/data/log";

struct parts {
    struct sim sim;
    struct sim_env envs[PARTS];
    struct sim_fs *fs;
    struct log_dir *dirs[PARTS];
    int offline_counts[PARTS];
    char why[200];
    struct trace trace;
    int full_lines, room_lines;
    struct log_config config;
};

// Partition p lives on part p % PARTS, and so does what is asked about it.
static int part_of(int32_t partition)
{
    return partition % PARTS;
}

static void on_offline(struct log_dir *dir, void *owner, int err, const char *why)
{
    struct parts *p = owner;
    for (int i = 0; i < PARTS; i++)
        p->offline_counts[i] += p->dirs[i] == dir;
    snprintf(p->why, sizeof p->why, "%s", why);
}

static void on_line(struct trace *trace, enum trace_level level, const char *area, const char *line)
{
    struct parts *p = container_of(trace, struct parts, trace);
    p->full_lines += strstr(line, " is full: ") != NULL;
    p->room_lines += strstr(line, " has room again") != NULL;
}

struct takes {
    int part;
};

static bool takes(void *context, struct str topic, int32_t partition)
{
    return part_of(partition) == ((struct takes *)context)->part;
}

static void open_parts(struct parts *p, struct log_dir_scan *scan, int64_t reserve_bytes)
{
    struct diag diag;
    struct log_dir_args args = {.env = &p->envs[0].env, .trace = &p->trace, .path = path,
                                .reserve_bytes = reserve_bytes, .owner = p,
                                .on_offline = on_offline};
    assert_int_equal(log_dir_open(&args, &p->dirs[0], &diag), 0);
    assert_int_equal(log_dir_scan(p->dirs[0], scan, &diag), 0);
    for (int i = 1; i < PARTS; i++) {
        struct takes context = {i};
        struct log_dir_part_args part_args = {.env = &p->envs[i].env, .owner = p,
                                              .on_offline = on_offline, .takes = takes,
                                              .context = &context};
        p->dirs[i] = log_dir_part_new(p->dirs[0], &part_args);
    }
}

static void init(struct parts *p, int64_t reserve_bytes)
{
    struct log_dir_scan scan;
    *p = (struct parts){.config = LOG_CONFIG_DEFAULTS};
    p->trace = (struct trace){.emit = on_line, .level_min = TRACE_INFO};
    sim_init(&p->sim, 5);
    p->sim.message_ns_max = MESSAGE_NS_MAX;
    p->fs = sim_fs_new(5, &p->envs[0].clock);
    for (int i = 0; i < PARTS; i++)
        sim_env_init(&p->envs[i], &p->sim, sim_fs_env(p->fs));
    open_parts(p, &scan, reserve_bytes);
    log_dir_scan_release(&scan);
}

static void free_dirs(struct parts *p)
{
    sim_run_works(&p->sim);
    for (int i = PARTS - 1; i >= 0; i--) {
        assert_true(log_dir_is_idle(p->dirs[i]));
        log_dir_free(p->dirs[i]);
    }
    assert_int_equal(sim_fs_open_count(p->fs), 0);
}

static void release(struct parts *p)
{
    free_dirs(p);
    for (int i = 0; i < PARTS; i++)
        sim_env_release(&p->envs[i]);
    sim_release(&p->sim);
    sim_fs_free(p->fs);
}

static struct log_dir *dir_of(struct parts *p, int32_t partition)
{
    return p->dirs[part_of(partition)];
}

static int create_args(struct parts *p, int32_t partition, struct log_args *args)
{
    return log_dir_create_args(dir_of(p, partition), str_from("t"), partition,
                               uuid_from_halves(7, 7), &p->config, args);
}

// With so many records, of which the first half is deleted.
static struct log *create(struct parts *p, int32_t partition, int records)
{
    struct log_args args;
    struct log *log;
    struct diag diag;
    assert_int_equal(create_args(p, partition, &args), 0);
    assert_int_equal(log_create(&args, &log, &diag), 0);
    log_dir_add(dir_of(p, partition), log);
    if (records == 0)
        return log;
    append_plain(log, records, 10, 1000);
    log_set_high_watermark(log, records);
    assert_int_equal(log_set_start_offset(log, records / 2), 0);
    return log;
}

// Asks for a save on a shard of its own.
struct asking {
    struct log_save_wait wait;
    struct parts *parts;
    int part;
    int err;
    bool done;
};

static void saved(struct log_save_wait *wait, int err)
{
    struct asking *a = container_of(wait, struct asking, wait);
    assert_ptr_equal(a->parts->sim.current, &a->parts->envs[a->part]);
    assert_false(a->done);
    a->done = true;
    a->err = err;
}

static void ask(struct parts *p, struct asking *a, int part, unsigned what)
{
    *a = (struct asking){.wait.done = saved, .parts = p, .part = part, .err = 1};
    struct sim_env *before = sim_enter(&p->envs[part]);
    log_dir_save(p->dirs[part], what, &a->wait);
    sim_leave(&p->sim, before);
}

// The offset that a checkpoint file has for a partition; -1 for none. Every line is looked at.
static int64_t entry(struct parts *p, const char *file, int32_t partition)
{
    char full[FS_PATH_MAX], text[4096];
    struct fs_file *f;
    struct fs_stat stat;
    int64_t offset = -1;
    snprintf(full, sizeof full, "%s/%s", path, file);
    if (fs_stat(sim_fs_env(p->fs), full, &stat) < 0)
        return -1;
    assert_int_equal(fs_open(sim_fs_env(p->fs), full, FS_READ, &f), 0);
    int64_t size = fs_file_read(f, text, sizeof text - 1, 0);
    fs_file_close(f);
    assert_true(size > 0);
    struct str rest = str_of(text, (size_t)size);
    int64_t count, lines = 0;
    assert_true(str_is(str_cut(&rest, '\n'), "0"));
    assert_true(str_parse_i64(str_cut(&rest, '\n'), &count));
    while (rest.data != NULL && rest.size > 0) {
        struct str line = str_cut(&rest, '\n');
        int64_t number, value;
        assert_true(str_is(str_cut(&line, ' '), "t"));
        assert_true(str_parse_i64(str_cut(&line, ' '), &number));
        assert_true(str_parse_i64(line, &value));
        if (number == partition)
            offset = value;
        lines++;
    }
    assert_int_equal(lines, count);
    return offset;
}

static const char recovery_points[] = "recovery-point-offset-checkpoint";
static const char start_offsets[] = "log-start-offset-checkpoint";
static const char high_watermarks[] = "replication-offset-checkpoint";

// Whoever asks: the files speak of all parts.
static void a_save_gathers_all_parts(void **state)
{
    static const struct {
        int asks;
        unsigned what;
        bool recovery_points, start_offsets, high_watermarks; // are written
    } table[] = {
        {0, LOG_SAVE_RECOVERY_POINTS, true, false, false},
        {1, LOG_SAVE_RECOVERY_POINTS, true, false, false},
        {2, LOG_SAVE_START_OFFSETS, false, true, false},
        {0, LOG_SAVE_HIGH_WATERMARKS, false, false, true},
        {2, LOG_SAVE_HIGH_WATERMARKS, false, false, true},
        {1, LOG_SAVE_ENTRIES, true, true, true},
        {2, LOG_SAVE_RECOVERY_POINTS | LOG_SAVE_HIGH_WATERMARKS, true, false, true},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct parts p;
        struct asking a;
        init(&p, 0);
        for (int32_t n = 0; n < 2 * PARTS; n++)
            create(&p, n, 10 + n);
        ask(&p, &a, table[i].asks, table[i].what);
        sim_run_works(&p.sim);
        assert_true(a.done);
        assert_int_equal(a.err, 0);
        bool synced = (table[i].what & LOG_SAVE_RECOVERY_POINTS) != 0;
        for (int32_t n = 0; n < 2 * PARTS; n++) {
            int64_t recovery_point = table[i].recovery_points ? synced ? 10 + n : 0 : -1;
            assert_int_equal(entry(&p, recovery_points, n), recovery_point);
            assert_int_equal(entry(&p, start_offsets, n), table[i].start_offsets ? (10 + n) / 2 : -1);
            assert_int_equal(entry(&p, high_watermarks, n), table[i].high_watermarks ? 10 + n : -1);
        }
        release(&p);
    }
}

// Each hears once, on its shard, when what it asked for is on disk; whatever came between.
static void many_ask_at_once(void **state)
{
    enum { ASKINGS = 60 };
    static struct asking askings[ASKINGS];
    static int64_t ends[ASKINGS];
    struct parts p;
    init(&p, 0);
    for (int32_t n = 0; n < PARTS; n++)
        create(&p, n, 10);
    struct prng prng;
    prng_init(&prng, 17);
    for (int i = 0; i < ASKINGS; i++) {
        int part = (int)prng_below(&prng, PARTS);
        struct log *log = log_dir_find(p.dirs[part], str_from("t"), part);
        append_plain(log, 1, 10, 1000);
        ends[i] = log_end_offset(log);
        ask(&p, &askings[i], part, 1u << prng_below(&prng, 2) | LOG_SAVE_RECOVERY_POINTS);
        for (uint64_t steps = prng_below(&prng, 8); steps > 0; steps--)
            sim_step(&p.sim);
        for (int k = 0; k <= i; k++)
            if (askings[k].done)
                assert_true(entry(&p, recovery_points, askings[k].part) >= ends[k]);
    }
    sim_run_works(&p.sim);
    for (int i = 0; i < ASKINGS; i++) {
        assert_true(askings[i].done);
        assert_int_equal(askings[i].err, 0);
    }
    release(&p);
}

static void a_name_is_free_on_its_part_after_a_save(void **state)
{
    for (int32_t n = 0; n < PARTS; n++) {
        struct parts p;
        struct asking a;
        struct log_args args;
        init(&p, 0);
        for (int32_t k = 0; k < PARTS; k++)
            create(&p, k, 10);
        ask(&p, &a, 0, LOG_SAVE_RECOVERY_POINTS | LOG_SAVE_HIGH_WATERMARKS);
        sim_run_works(&p.sim);
        struct sim_env *before = sim_enter(&p.envs[part_of(n)]);
        log_dir_delete_log(dir_of(&p, n), log_dir_find(dir_of(&p, n), str_from("t"), n));
        sim_leave(&p.sim, before);
        assert_int_equal(create_args(&p, n, &args), ERR_AGAIN);
        ask(&p, &a, part_of(n), LOG_SAVE_ENTRIES);
        sim_run_works(&p.sim);
        assert_true(a.done);
        assert_int_equal(create_args(&p, n, &args), 0);
        for (int32_t k = 0; k < PARTS; k++) {
            assert_int_equal(entry(&p, recovery_points, k), k == n ? -1 : 10);
            assert_int_equal(entry(&p, high_watermarks, k), k == n ? -1 : 10);
        }
        release(&p);
    }
}

static void reopen(struct parts *p, struct log_dir_scan *scan)
{
    free_dirs(p);
    sim_fs_restart(p->fs, SIM_CRASH_ALL);
    open_parts(p, scan, 0);
}

// Entries of partitions that were found stay in the files until their part has opened them, or not at all.
static void entries_wait_for_their_logs(void **state)
{
    struct parts p;
    struct asking a;
    struct log_dir_scan scan;
    init(&p, 0);
    for (int32_t n = 0; n < 2 * PARTS; n++)
        create(&p, n, 10);
    ask(&p, &a, 1, LOG_SAVE_RECOVERY_POINTS | LOG_SAVE_HIGH_WATERMARKS);
    sim_run_works(&p.sim);
    reopen(&p, &scan);
    assert_int_equal(scan.count, 2 * PARTS);
    for (int i = 0; i < scan.count; i += 2) { // every second is opened
        struct log_args args;
        struct log *log;
        struct diag diag;
        struct log_dir *dir = dir_of(&p, scan.partitions[i].partition);
        log_dir_partition_args(dir, &scan, &scan.partitions[i], &p.config, &args);
        assert_int_equal(log_open(&args, &log, &diag), 0);
        log_dir_add(dir, log);
        append_plain(log, 5, 10, 1000);
    }
    log_dir_scan_release(&scan);
    ask(&p, &a, 2, LOG_SAVE_RECOVERY_POINTS);
    sim_run_works(&p.sim);
    for (int32_t n = 0; n < 2 * PARTS; n++)
        assert_int_equal(entry(&p, recovery_points, n), n % 2 == 0 ? 15 : 10);
    release(&p);
}

static void close_parts(struct parts *p)
{
    sim_run_works(&p->sim);
    for (int i = 1; i < PARTS; i++)
        log_dir_part_close(p->dirs[i]);
}

static void a_clean_stop_speaks_for_all_parts(void **state)
{
    struct parts p;
    struct log_dir_scan scan;
    struct diag diag;
    init(&p, 0);
    for (int32_t n = 0; n < 2 * PARTS; n++)
        create(&p, n, 10 + n);
    close_parts(&p);
    assert_int_equal(log_dir_close(p.dirs[0], 12, &diag), 0);
    reopen(&p, &scan);
    assert_true(scan.clean);
    assert_int_equal(scan.broker_epoch, 12);
    assert_int_equal(scan.count, 2 * PARTS);
    for (int i = 0; i < scan.count; i++) {
        int32_t n = scan.partitions[i].partition;
        assert_int_equal(scan.partitions[i].recovery_point, 10 + n);
        assert_int_equal(scan.partitions[i].high_watermark, 10 + n);
        assert_int_equal(scan.partitions[i].log_start_offset, (10 + n) / 2);
    }
    log_dir_scan_release(&scan);
    release(&p);
}

// A part that cannot close its logs: no mark of a clean stop, and its words come from the first.
static void one_part_does_not_close(void **state)
{
    for (int bad = 0; bad < PARTS; bad++) {
        struct parts p;
        struct log_dir_scan scan;
        struct diag diag = {{0}};
        init(&p, 0);
        for (int32_t n = 0; n < PARTS; n++)
            create(&p, n, 10);
        sim_run_works(&p.sim);
        for (int i = 1; i <= PARTS; i++) {
            if (i % PARTS == bad)
                sim_fs_fail_at(p.fs, 1, SIM_OP_SYNC, ERR_IO, false);
            if (i < PARTS)
                log_dir_part_close(p.dirs[i]);
        }
        assert_int_equal(log_dir_close(p.dirs[0], 12, &diag), ERR_OFFLINE);
        assert_int_equal(p.offline_counts[bad], 1);
        reopen(&p, &scan);
        assert_false(scan.clean);
        log_dir_scan_release(&scan);
        release(&p);
    }
}

// What happens to one part is told to its owner alone; who hears it tells the others.
static void a_part_fails(void **state)
{
    for (int bad = 0; bad < PARTS; bad++) {
        struct parts p;
        struct asking askings[PARTS];
        init(&p, 0);
        for (int32_t n = 0; n < PARTS; n++)
            create(&p, n, 10);
        struct sim_env *before = sim_enter(&p.envs[bad]);
        log_dir_fail(p.dirs[bad], ERR_IO, "the disk is gone");
        log_dir_fail(p.dirs[bad], ERR_IO, "again");
        sim_leave(&p.sim, before);
        for (int i = 0; i < PARTS; i++) {
            assert_int_equal(p.offline_counts[i], i == bad);
            assert_int_equal(log_dir_is_offline(p.dirs[i]), i == bad);
        }
        assert_string_equal(p.why, "the disk is gone");
        // Nothing is saved by halves.
        for (int i = 0; i < PARTS; i++)
            ask(&p, &askings[i], i, LOG_SAVE_HIGH_WATERMARKS);
        sim_run_works(&p.sim);
        for (int i = 0; i < PARTS; i++) {
            assert_true(askings[i].done);
            assert_int_equal(askings[i].err, ERR_OFFLINE);
            assert_int_equal(entry(&p, high_watermarks, i), -1);
        }
        release(&p);
    }
}

// Nobody but the first part speaks of it, once.
static void a_full_disk_is_told_once(void **state)
{
    struct parts p;
    struct buf batch;
    struct log_append_info info;
    init(&p, 10000);
    struct log *logs[PARTS];
    for (int32_t n = 0; n < PARTS; n++)
        logs[n] = create(&p, n, 1);
    sim_fs_set_capacity(p.fs, sim_fs_used(p.fs) + 100);
    sim_run_for(&p.sim, 1000000000);
    for (int n = PARTS - 1; n >= 0; n--) {
        make_batch(&batch, 1, 1000, 1000, -1, -1, -1, 0);
        struct sim_env *before = sim_enter(&p.envs[n]);
        assert_int_equal(append_batch(logs[n], &batch, &info), ERR_NOSPC);
        sim_leave(&p.sim, before);
        assert_true(log_dir_is_full(p.dirs[n]));
    }
    sim_run_for(&p.sim, 3000000000);
    assert_int_equal(p.full_lines, 1);
    sim_fs_set_capacity(p.fs, INT64_C(1) << 40);
    sim_run_for(&p.sim, 3000000000);
    for (int n = 0; n < PARTS; n++) {
        assert_false(log_dir_is_full(p.dirs[n]));
        struct sim_env *before = sim_enter(&p.envs[n]);
        append_plain(logs[n], 1, 1000, 1000);
        sim_leave(&p.sim, before);
    }
    assert_int_equal(p.full_lines, 1);
    assert_int_equal(p.room_lines, 1);
    release(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_save_gathers_all_parts),
        cmocka_unit_test(many_ask_at_once),
        cmocka_unit_test(a_name_is_free_on_its_part_after_a_save),
        cmocka_unit_test(entries_wait_for_their_logs),
        cmocka_unit_test(a_clean_stop_speaks_for_all_parts),
        cmocka_unit_test(one_part_does_not_close),
        cmocka_unit_test(a_part_fails),
        cmocka_unit_test(a_full_disk_is_told_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
