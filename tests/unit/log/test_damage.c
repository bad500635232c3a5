// SPDX-License-Identifier: Apache-2.0
//
// What is done to the files of a log that was closed cleanly is found, said and, where that can be,
// repaired; and what is read is right or an error.
#include <stdio.h>
#include <stdlib.h>

#include "testing.h"

#include "log/index.h"
#include "log/names.h"

enum { BATCHES = 30, RECORDS = 3 };

// A world whose trace is kept.
struct heard {
    struct trace trace;
    char text[1 << 16];
    size_t size;
};

static void hear(struct trace *t, enum trace_level level, const char *area, const char *line)
{
    struct heard *h = (struct heard *)t;
    if (level >= TRACE_WARN)
        h->size += (size_t)snprintf(h->text + h->size, sizeof h->text - h->size, "%s: %s\n", area, line);
    assert_true(h->size < sizeof h->text);
}

static struct heard *heard_new(struct world *w)
{
    struct heard *h = calloc(1, sizeof *h);
    h->trace.emit = hear;
    w->args.trace = &h->trace;
    return h;
}

static bool was_said(struct heard *h, const char *words)
{
    return strstr(h->text, words) != NULL;
}

// A closed log of several segments with indexes; args are set to open it again.
static void make_closed_log(struct world *w)
{
    world_init(w);
    w->args.config.segment_bytes = 1000;
    w->args.config.index_interval_bytes = 100;
    struct log *log = world_create(w);
    for (int i = 0; i < BATCHES; i++)
        append_plain(log, RECORDS, 20, 1000 + 10 * i);
    assert_true(log_segment_count(log) >= 4);
    assert_int_equal(log_close(log), 0);
    w->args.recovery_point = log_end_offset(log);
    w->args.high_watermark = log_end_offset(log);
    w->args.clean = true;
    log_free(log);
}

static void assert_reads_right(struct log *log)
{
    struct buf bytes;
    buf_init(&bytes, 1 << 20);
    for (int64_t offset = 0; offset < BATCHES * RECORDS; offset++) {
        for (size_t max = 1; max < 1500; max += 300) {
            buf_clear(&bytes);
            assert_int_equal(log_read_bytes(log, offset, max, true, BATCHES * RECORDS, &bytes), 0);
            struct bytes rest = buf_bytes(&bytes), batch;
            struct batch_header h;
            int64_t expected = offset / RECORDS * RECORDS;
            assert_true(rest.size > 0);
            while (batch_next(&rest, &h, &batch) == 1) {
                assert_int_equal(h.base_offset, expected);
                expected = batch_last_offset(&h) + 1;
            }
            assert_int_equal(rest.size, 0);
        }
    }
    buf_release(&bytes);
}

static void assert_times_right(struct log *log)
{
    struct log_position found;
    for (int i = 0; i < BATCHES; i++) {
        assert_int_equal(log_find_timestamp(log, 1000 + 10 * i + 1, &found), 0);
        assert_int_equal(found.offset, RECORDS * i + 1);
        assert_int_equal(log_find_timestamp(log, 1000 + 10 * i + RECORDS, &found), 0);
        assert_int_equal(found.offset, i + 1 < BATCHES ? RECORDS * (i + 1) : -1);
    }
    assert_int_equal(log_find_max_timestamp(log, &found), 0);
    assert_int_equal(found.offset, BATCHES * RECORDS - 1);
}

static int64_t second_segment(struct world *w)
{
    struct log *log = world_open(w);
    int64_t base = 0;
    char path[FS_PATH_MAX];
    struct fs_stat stat;
    for (base = 1; base < BATCHES * RECORDS; base++)
        if (log_file_path(path, log_path(log), base, LOG_FILE_LOG) &&
            fs_stat(w->args.fs, path, &stat) == 0)
            break;
    log_free(log);
    return base;
}

// ---- Indexes ----

enum harm { REMOVE, EMPTY, FILL, SHIFT_LEFT, SHIFT_RIGHT, CUT, FLIP, HARM_COUNT };

static void harm_file(struct env_fs *fs, const char *path, enum harm harm, int64_t at)
{
    struct fs_file *file;
    uint8_t bytes[4096];
    if (harm == REMOVE) {
        assert_int_equal(fs_remove(fs, path), 0);
        return;
    }
    assert_int_equal(fs_open(fs, path, FS_READ | FS_WRITE, &file), 0);
    int64_t size = fs_file_size(file);
    assert_true(size > 16 && size < (int64_t)sizeof bytes - 16);
    assert_int_equal(fs_file_read(file, bytes, (size_t)size, 0), size);
    if (harm == EMPTY) {
        assert_int_equal(fs_file_truncate(file, 0), 0);
    } else if (harm == CUT) {
        assert_int_equal(fs_file_truncate(file, size / 2), 0);
    } else if (harm == FILL) {
        memset(bytes, 0xff, (size_t)size);
        assert_int_equal(fs_file_write(file, bytes, (size_t)size, 0), 0);
    } else if (harm == SHIFT_LEFT) {
        assert_int_equal(fs_file_write(file, bytes + 4, (size_t)size - 4, 0), 0);
    } else if (harm == SHIFT_RIGHT) {
        assert_int_equal(fs_file_write(file, bytes, (size_t)size, 4), 0);
    } else {
        bytes[at % size] ^= (uint8_t)(1 << at % 8);
        assert_int_equal(fs_file_write(file, bytes, (size_t)size, 0), 0);
    }
    assert_int_equal(fs_file_sync(file), 0);
    fs_file_close(file);
}

static void harmed_index(enum log_file_kind kind, enum harm harm, int64_t at, bool times_first)
{
    struct world w;
    char path[FS_PATH_MAX];
    make_closed_log(&w);
    struct heard *h = heard_new(&w);
    int64_t base = second_segment(&w);
    assert_true(log_file_path(path, "/d/t-0", base, kind));
    harm_file(w.args.fs, path, harm, at);
    for (int round = 0; round < 2; round++) {
        struct log *log = world_open(&w);
        if (times_first)
            assert_times_right(log);
        assert_reads_right(log);
        assert_times_right(log);
        assert_false(log_is_offline(log));
        log_free(log);
        // What is cut off, or an entry that is true enough, changes no answer.
        bool must_say = harm != FLIP &&
                        (kind == LOG_FILE_TIME_INDEX || (harm != CUT && harm != SHIFT_LEFT));
        assert_true(round > 0 || !must_say || was_said(h, ".index, .timeindex"));
        if (round > 0)
            assert_int_equal(h->size, 0); // it was repaired for good
        memset(h->text, 0, h->size);
        h->size = 0;
    }
    w.args.trace = NULL;
    world_release(&w);
    free(h);
}

static void harmed_indexes_are_made_again(void **state)
{
    for (int harm = 0; harm < FLIP; harm++)
        for (int times_first = 0; times_first < 2; times_first++) {
            harmed_index(LOG_FILE_INDEX, harm, 0, times_first);
            harmed_index(LOG_FILE_TIME_INDEX, harm, 0, times_first);
        }
    for (int at = 0; at < 40; at++) {
        harmed_index(LOG_FILE_INDEX, FLIP, at, at % 2);
        harmed_index(LOG_FILE_TIME_INDEX, FLIP, at, at % 2);
    }
}

// A rebuilt index of a sealed segment is never synced by anybody else, and is larger than a block.
static void a_rebuilt_index_outlives_a_power_loss(void **state)
{
    enum { COUNT = 300 };
    for (int round = 0; round < 60; round++) {
        struct world w;
        struct log_position found;
        world_init(&w);
        w.args.config.segment_bytes = 25000;
        w.args.config.index_interval_bytes = 50;
        struct log *log = world_create(&w);
        for (int i = 0; i < COUNT; i++)
            append_plain(log, 1, 20, 1000 + i);
        assert_int_equal(log_segment_count(log), 2);
        assert_int_equal(log_close(log), 0);
        w.args.recovery_point = log_end_offset(log);
        w.args.clean = true;
        log_free(log);
        assert_int_equal(fs_remove(w.args.fs, "/d/t-0/00000000000000000000.index"), 0);
        static const char *const dirs[] = {"/", "/d", "/d/t-0"};
        for (int i = 0; i < 3; i++)
            assert_int_equal(fs_dir_sync(w.args.fs, dirs[i]), 0);
        if (round % 3 != 0)
            sim_fs_crash_at(w.fs, (uint64_t)(round / 3) + 1);
        struct diag diag;
        if (log_open(&w.args, &log, &diag) == 0) {
            log_find_max_timestamp(log, &found);
            log_close_idle_files(log);
            log_close_idle_files(log); // now they are not in use
            log_free(log);
        }
        sim_fs_restart(w.fs, round % 2 == 0 ? SIM_CRASH_RANDOM : SIM_CRASH_PREFIX);
        log = world_open(&w);
        for (int i = 0; i < COUNT; i++) {
            assert_int_equal(log_find_timestamp(log, 1000 + i, &found), 0);
            assert_int_equal(found.offset, i);
        }
        log_free(log);
        world_release(&w);
    }
}

// ---- Batches ----

// The bytes of the log as they were written, and where each batch begins.
struct original {
    struct buf bytes;
    size_t at[BATCHES + 1];
};

static void original_read(struct original *o, struct log *log)
{
    buf_init(&o->bytes, 1 << 20);
    for (int i = 0; i < BATCHES; i++) {
        o->at[i] = o->bytes.size;
        assert_int_equal(log_read_bytes(log, i * RECORDS, 1, true, BATCHES * RECORDS, &o->bytes), 0);
    }
    o->at[BATCHES] = o->bytes.size;
}

// What a Fetch does: checks what is new to it. Returns 1 with bytes at `offset`, 0 or an error.
static int fetch(struct log *log, int64_t offset, size_t max, struct log_slice *slice)
{
    for (int round = 0; round < 20; round++) {
        int err = log_read(log, offset, max, true, BATCHES * RECORDS, slice);
        if (err < 0 || slice->size == 0)
            return err;
        if (!slice->unchecked)
            return 1;
        struct log_check found;
        log_check_run(slice, &found);
        log_check_end(log, slice, &found);
        log_slice_release(slice);
    }
    fail_msg("checking offset %d does not end", (int)offset);
    return ERR_CORRUPT;
}

// The leader epoch is told to clients, and is neither in the CRC nor in what they read.
static bool same_batch(const uint8_t *a, const uint8_t *b, size_t size)
{
    return memcmp(a, b, 12) == 0 && memcmp(a + 16, b + 16, size - 16) == 0;
}

// Reads every offset: what comes is what was written, or an error. Returns how many batches were good.
static int count_good(struct log *log, const struct original *o, bool *silent)
{
    int good = 0;
    *silent = false;
    for (int i = 0; i < BATCHES; i++) {
        struct log_slice slice;
        uint8_t bytes[8192];
        int got = fetch(log, i * RECORDS, i % 3 == 0 ? 1 : 1000, &slice);
        *silent |= got == 0;
        if (got != 1)
            continue;
        good++;
        assert_true(slice.size <= sizeof bytes && slice.size <= o->bytes.size - o->at[i]);
        assert_int_equal(fs_file_read(slice.ref->file, bytes, slice.size, slice.position), slice.size);
        for (size_t at = 0; at < slice.size;) {
            int k = i;
            while (o->at[k] < o->at[i] + at)
                k++;
            assert_int_equal(o->at[k], o->at[i] + at);
            size_t size = o->at[k + 1] - o->at[k];
            assert_true(same_batch(bytes + at, o->bytes.data + o->at[k], size));
            at += size;
        }
        log_slice_release(&slice);
    }
    return good;
}

static void flip(struct world *w, const char *path, int64_t at, uint8_t bits)
{
    assert_true(sim_fs_flip(w->fs, path, at, bits));
}

// Any bit of any batch: no wrong byte is shown, and only what it touches is lost.
static void a_flipped_byte_is_never_shown(void **state)
{
    int said = 0, tried = 0;
    for (int64_t at = 0; at < 1000; at += at < 300 ? 1 : 17) {
        struct world w;
        struct original o;
        char path[FS_PATH_MAX];
        bool silent;
        make_closed_log(&w);
        struct log *log = world_open(&w);
        original_read(&o, log);
        log_free(log);
        int64_t base = at % 2 == 0 ? second_segment(&w) : 0;
        assert_true(log_file_path(path, "/d/t-0", base, LOG_FILE_LOG));
        struct fs_stat stat;
        assert_int_equal(fs_stat(w.args.fs, path, &stat), 0);
        if (at < stat.size) {
            struct heard *h = heard_new(&w);
            flip(&w, path, at, (uint8_t)(1 << at % 8));
            log = world_open(&w);
            int good = count_good(log, &o, &silent);
            bool epoch_only = !was_said(h, "position");
            assert_true(epoch_only || good < BATCHES);
            assert_true(good >= BATCHES - 5);
            assert_false(silent);
            assert_true(good == BATCHES || was_said(h, "position"));
            said += !epoch_only;
            tried++;
            log_free(log);
            w.args.trace = NULL;
            free(h);
        }
        buf_release(&o.bytes);
        world_release(&w);
    }
    assert_true(said >= tried - 4 * 8); // all but those in a leader epoch
}

// After a crash a large batch below the recovery point is not read when the log is opened: what happened to
// it is found when it is.
static void a_large_batch_below_the_recovery_point_is_checked_when_it_is_read(void **state)
{
    struct world w;
    struct log_slice slice;
    struct log_check found;
    struct fs_stat stat;
    world_init(&w);
    w.args.config.index_interval_bytes = 100;
    struct log *log = world_create(&w);
    for (int i = 0; i < 3; i++)
        append_plain(log, RECORDS, 2000, 1000);
    assert_int_equal(log_close(log), 0);
    w.args.recovery_point = log_end_offset(log);
    log_free(log);
    assert_int_equal(fs_stat(w.args.fs, "/d/t-0/00000000000000000000.log", &stat), 0);
    flip(&w, "/d/t-0/00000000000000000000.log", stat.size - 100, 1);
    log = world_open(&w);
    assert_false(log_is_offline(log));
    assert_int_equal(log_end_offset(log), 3 * RECORDS);
    assert_int_equal(log_read(log, 2 * RECORDS, 1, true, 3 * RECORDS, &slice), 0);
    assert_true(slice.unchecked);
    log_check_run(&slice, &found);
    assert_non_null(found.problem);
    log_check_end(log, &slice, &found);
    log_slice_release(&slice);
    assert_int_equal(log_read(log, 2 * RECORDS, 1, true, 3 * RECORDS, &slice), ERR_CORRUPT);
    log_free(log);
    world_release(&w);
}

// Bytes [from, to) of a file go; what follows moves up.
static void cut_out(struct world *w, const char *path, int64_t from, int64_t to)
{
    struct fs_file *file;
    uint8_t bytes[8192];
    assert_int_equal(fs_open(w->args.fs, path, FS_READ | FS_WRITE, &file), 0);
    int64_t size = fs_file_size(file);
    assert_int_equal(fs_file_read(file, bytes, sizeof bytes, to), size - to);
    assert_int_equal(fs_file_write(file, bytes, (size_t)(size - to), from), 0);
    assert_int_equal(fs_file_truncate(file, size - (to - from)), 0);
    fs_file_close(file);
}

static void a_batch_that_was_cut_out_is_missed(void **state)
{
    for (int victim = 0; victim < BATCHES; victim++) {
        struct world w;
        struct original o;
        char path[FS_PATH_MAX];
        bool silent;
        make_closed_log(&w);
        struct log *log = world_open(&w);
        original_read(&o, log);
        struct log_slice slice;
        assert_int_equal(log_read(log, victim * RECORDS, 1, true, BATCHES * RECORDS, &slice), 0);
        int64_t base = slice.base_offset, from = slice.position, to = from + (int64_t)slice.size;
        log_slice_release(&slice);
        log_free(log);
        assert_true(log_file_path(path, "/d/t-0", base, LOG_FILE_LOG));
        cut_out(&w, path, from, to);
        struct heard *h = heard_new(&w);
        log = world_open(&w);
        int good = count_good(log, &o, &silent);
        assert_true(was_said(h, "missing") || was_said(h, "ends at"));
        assert_false(silent);
        // Without its last batch the log stays closed, since nobody knows how much is gone.
        assert_int_equal(good, victim == BATCHES - 1 ? 0 : BATCHES - 1);
        log_free(log);
        w.args.trace = NULL;
        free(h);
        buf_release(&o.bytes);
        world_release(&w);
    }
}

static void a_segment_that_is_gone_is_missed(void **state)
{
    struct world w;
    struct original o;
    char path[FS_PATH_MAX];
    bool silent;
    make_closed_log(&w);
    struct log *log = world_open(&w);
    original_read(&o, log);
    log_free(log);
    int64_t base = second_segment(&w);
    static const enum log_file_kind kinds[] = {LOG_FILE_LOG, LOG_FILE_INDEX, LOG_FILE_TIME_INDEX};
    for (int i = 0; i < 3; i++) {
        assert_true(log_file_path(path, "/d/t-0", base, kinds[i]));
        assert_int_equal(fs_remove(w.args.fs, path), 0);
    }
    struct heard *h = heard_new(&w);
    log = world_open(&w);
    int good = count_good(log, &o, &silent);
    assert_true(good < BATCHES && good > BATCHES / 2);
    assert_false(silent);
    assert_true(was_said(h, "missing"));
    log_free(log);
    w.args.trace = NULL;
    free(h);
    buf_release(&o.bytes);
    world_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(harmed_indexes_are_made_again),
        cmocka_unit_test(a_rebuilt_index_outlives_a_power_loss),
        cmocka_unit_test(a_flipped_byte_is_never_shown),
        cmocka_unit_test(a_large_batch_below_the_recovery_point_is_checked_when_it_is_read),
        cmocka_unit_test(a_batch_that_was_cut_out_is_missed),
        cmocka_unit_test(a_segment_that_is_gone_is_missed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
