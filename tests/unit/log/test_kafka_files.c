// SPDX-License-Identifier: Apache-2.0
//
// Partitions that Apache Kafka wrote (tests/golden/log) open: after its clean stop as they are, and
// after a crash with indexes, transactions and producers rebuilt to the bytes that Kafka had.
//
//   test_log_kafka_files GOLDEN_DIR
#include <stdio.h>

#include "base/mem.h"
#include "log/epoch_cache.h"
#include "log/names.h"
#include "os/fs.h"
#include "testing.h"

static const char *golden;

// Kafka ran with log.index.interval.bytes=100.
enum { INDEX_INTERVAL = 100, FILE_MAX = 1 << 20 };

struct partition {
    const char *dir;
    const char *topic;
    int64_t start;
    int64_t end;
    int producers;
    int segments;
    bool compacted; // indexes are the compactor's, which counts otherwise
};

static const struct partition partitions[] = {
    {"data-1/txa-0", "txa", 0, 5, 2, 1, false},
    {"data-1/logappend-0", "logappend", 0, 4, 2, 1, false},
    {"data-1b/rolled-0", "rolled", 0, 8, 4, 4, false},
    {"data-1b/compacted-0", "compacted", 0, 14, 5, 2, true},
};

struct copy {
    struct world *w;
    struct os_fs *os;
    char from[FS_PATH_MAX];
    char to[FS_PATH_MAX];
};

static int read_file(struct env_fs *fs, const char *path, struct buf *out)
{
    struct fs_file *file;
    int err = fs_open(fs, path, FS_READ, &file);
    if (err < 0)
        return err;
    int64_t size = fs_file_size(file);
    uint8_t *at = size > 0 ? buf_extend(out, (size_t)size) : NULL;
    if (size > 0)
        assert_int_equal(fs_file_read(file, at, (size_t)size, 0), size);
    fs_file_close(file);
    return 0;
}

static int copy_file(void *context, const char *name, enum fs_kind kind)
{
    struct copy *c = context;
    char from[FS_PATH_MAX], to[FS_PATH_MAX];
    struct buf bytes;
    struct fs_file *file;
    buf_init(&bytes, FILE_MAX);
    assert_true(path_join(from, c->from, name) && path_join(to, c->to, name));
    assert_int_equal(read_file(&c->os->fs, from, &bytes), 0);
    assert_int_equal(fs_open(c->w->args.fs, to, FS_WRITE | FS_CREATE, &file), 0);
    if (bytes.size > 0)
        assert_int_equal(fs_file_write(file, bytes.data, bytes.size, 0), 0);
    fs_file_close(file);
    buf_release(&bytes);
    return 0;
}

static void load(struct world *w, const struct partition *p)
{
    struct os_fs os;
    struct copy c = {.w = w, .os = &os};
    os_fs_init(&os);
    world_init(w);
    w->args.topic = str_from(p->topic);
    w->args.topic_id = (struct uuid){{0}};
    w->args.config.index_interval_bytes = INDEX_INTERVAL;
    w->args.config.cleanup_compact = p->compacted;
    snprintf(c.from, sizeof c.from, "%s/%s", golden, p->dir);
    snprintf(c.to, sizeof c.to, "/d/%s-0", p->topic);
    assert_int_equal(fs_make_dir(w->args.fs, c.to), 0);
    assert_int_equal(fs_list(&os.fs, c.from, copy_file, &c), 0);
}

static int count_producer(void *context, const struct log_producer *p)
{
    ++*(int *)context;
    return 0;
}

// Reads everything; every batch must be whole with a right CRC.
static void read_all(struct log *log, const struct partition *p)
{
    int64_t last = -1;
    for (int64_t offset = log_start_offset(log); offset < p->end; offset = last + 1) {
        struct buf bytes;
        struct bytes rest, batch;
        struct batch_header h;
        buf_init(&bytes, FILE_MAX);
        assert_int_equal(log_read_bytes(log, offset, 300, true, p->end, &bytes), 0);
        assert_true(bytes.size > 0);
        rest = buf_bytes(&bytes);
        while (batch_next(&rest, &h, &batch) == 1) {
            assert_true(batch_crc_is_valid(batch));
            last = batch_last_offset(&h);
        }
        buf_release(&bytes);
    }
    assert_int_equal(last, p->end - 1);
}

static void check_log(struct log *log, const struct partition *p)
{
    int producers = 0;
    assert_false(log_is_offline(log));
    assert_int_equal(log_start_offset(log), p->start);
    assert_int_equal(log_end_offset(log), p->end);
    assert_int_equal(log_segment_count(log), p->segments);
    assert_int_equal(log_each_producer(log, count_producer, &producers), 0);
    assert_int_equal(producers, p->producers);
    assert_int_equal(log_latest_epoch(log), 0);
    read_all(log, p);
}

static void clean_directories_open(void **state)
{
    for (size_t i = 0; i < sizeof partitions / sizeof partitions[0]; i++) {
        struct world w;
        load(&w, &partitions[i]);
        w.args.clean = true;
        w.args.recovery_point = partitions[i].end;
        struct log *log = world_open(&w);
        assert_int_equal(sim_fs_open_count(w.fs), 0); // an idle log holds no file
        check_log(log, &partitions[i]);
        log_free(log);
        world_release(&w);
    }
}

struct compare {
    struct world *w;
    const struct partition *p;
    struct os_fs *os;
    int compared;
};

// Files that hold the same when they were rebuilt.
static int compare_file(void *context, const char *name, enum fs_kind kind)
{
    struct compare *c = context;
    struct log_file_name parsed;
    char path[FS_PATH_MAX];
    struct buf kafka, ours;
    bool epochs = strcmp(name, "leader-epoch-checkpoint") == 0;
    if (!epochs && (!log_file_name_parse(name, &parsed) || parsed.kind == LOG_FILE_SNAPSHOT))
        return 0;
    buf_init(&kafka, FILE_MAX);
    buf_init(&ours, FILE_MAX);
    snprintf(path, sizeof path, "%s/%s/%s", golden, c->p->dir, name);
    assert_int_equal(read_file(&c->os->fs, path, &kafka), 0);
    snprintf(path, sizeof path, "/d/%s-0/%s", c->p->topic, name);
    assert_int_equal(read_file(c->w->args.fs, path, &ours), 0);
    if (!bytes_equal(buf_bytes(&kafka), buf_bytes(&ours)))
        fail_msg("%s/%s: %zu bytes, Kafka has %zu", c->p->dir, name, ours.size, kafka.size);
    c->compared++;
    buf_release(&kafka);
    buf_release(&ours);
    return 0;
}

static void rebuilt_files_are_kafkas(void **state)
{
    for (size_t i = 0; i < sizeof partitions / sizeof partitions[0]; i++) {
        const struct partition *p = &partitions[i];
        struct world w;
        struct os_fs os;
        struct compare c = {.w = &w, .p = p, .os = &os};
        char path[FS_PATH_MAX];
        os_fs_init(&os);
        load(&w, p);
        // Damage to what can be rebuilt must not matter.
        snprintf(path, sizeof path, "/d/%s-0/00000000000000000000.index", p->topic);
        sim_fs_flip(w.fs, path, 5, 0x10);
        snprintf(path, sizeof path, "/d/%s-0/leader-epoch-checkpoint", p->topic);
        fs_remove(w.args.fs, path);
        struct log *log = world_open(&w);
        check_log(log, p);
        assert_int_equal(log_close(log), 0);
        snprintf(path, sizeof path, "%s/%s", golden, p->dir);
        if (!p->compacted) {
            assert_int_equal(fs_list(&os.fs, path, compare_file, &c), 0);
            assert_in_range(c.compared, 4, 20);
        }
        log_free(log);
        world_release(&w);
    }
}

static void damage_takes_a_partition_offline(void **state)
{
    static const struct {
        int64_t recovery_point;
        int64_t position; // of the flipped byte in the second segment
        bool offline;
    } cases[] = {
        {0, 100, true},  // valid segments follow, and nothing says that the write was lost
        {4, 100, true},  // the recovery point promises it
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world w;
        load(&w, &partitions[2]);
        assert_true(sim_fs_flip(w.fs, "/d/rolled-0/00000000000000000002.log", cases[i].position, 1));
        w.args.recovery_point = cases[i].recovery_point;
        struct log *log = world_open(&w);
        assert_int_equal(log_is_offline(log), cases[i].offline);
        assert_non_null(strstr(log_problem(log), "00000000000000000002.log: position 0: "));
        assert_non_null(strstr(log_problem(log), "offset 2 "));
        log_free(log);
        world_release(&w);
    }
}

static void a_torn_tail_is_cut(void **state)
{
    struct world w;
    load(&w, &partitions[2]);
    assert_true(sim_fs_flip(w.fs, "/d/rolled-0/00000000000000000006.log", 150, 1));
    struct log *log = world_open(&w);
    assert_false(log_is_offline(log));
    assert_int_equal(log_end_offset(log), 6);
    log_free(log);
    world_release(&w);
}

static void a_shorter_log_after_a_clean_stop_is_found(void **state)
{
    struct world w;
    struct fs_file *file;
    load(&w, &partitions[1]);
    assert_int_equal(fs_open(w.args.fs, "/d/logappend-0/00000000000000000000.log", FS_WRITE, &file), 0);
    assert_int_equal(fs_file_truncate(file, 79), 0);
    fs_file_close(file);
    w.args.clean = true;
    w.args.recovery_point = partitions[1].end;
    struct log *log = world_open(&w);
    assert_int_equal(log_load(log), ERR_OFFLINE);
    assert_non_null(strstr(log_problem(log), "position 79"));
    log_free(log);
    world_release(&w);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clean_directories_open),
        cmocka_unit_test(rebuilt_files_are_kafkas),
        cmocka_unit_test(damage_takes_a_partition_offline),
        cmocka_unit_test(a_torn_tail_is_cut),
        cmocka_unit_test(a_shorter_log_after_a_clean_stop_is_found),
    };
    if (argc != 2)
        return 2;
    golden = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
