// SPDX-License-Identifier: Apache-2.0
#include "testing.h"

// ---- Idempotence (coordinators: partition-side rules) ----

struct producer_step {
    int64_t producer_id;
    int16_t epoch;
    int32_t sequence;
    int count;
    int16_t attributes;
    enum log_verdict verdict;
    int64_t base_offset;
};

static const struct producer_step producer_steps[] = {
    {1, 0, 0, 3, 0, LOG_APPENDED, 0},
    {1, 0, 0, 3, 0, LOG_DUPLICATE, 0},
    {1, 0, 0, 2, 0, LOG_OUT_OF_ORDER_SEQUENCE, -1}, // same start, another end
    {1, 0, 4, 1, 0, LOG_OUT_OF_ORDER_SEQUENCE, -1},
    {1, 0, 3, 1, 0, LOG_APPENDED, 3},
    {2, 5, 77, 1, 0, LOG_APPENDED, 4}, // nothing known: any sequence
    {1, 1, 4, 1, 0, LOG_OUT_OF_ORDER_SEQUENCE, -1}, // a new epoch starts at 0
    {1, 1, 0, 1, 0, LOG_APPENDED, 5},
    {1, 0, 4, 1, 0, LOG_INVALID_PRODUCER_EPOCH, -1},
    {1, 1, 1, 1, 0, LOG_APPENDED, 6},
    {1, 1, 2, 1, 0, LOG_APPENDED, 7},
    {1, 1, 3, 1, 0, LOG_APPENDED, 8},
    {1, 1, 4, 1, 0, LOG_APPENDED, 9},
    {1, 1, 5, 1, 0, LOG_APPENDED, 10},
    {1, 1, 1, 1, 0, LOG_DUPLICATE, 6}, // the fifth last
    {1, 1, 0, 1, 0, LOG_OUT_OF_ORDER_SEQUENCE, -1}, // the sixth last is forgotten
    {3, 0, INT32_MAX - 1, 4, 0, LOG_APPENDED, 11}, // over the end of the sequences
    {3, 0, 1, 1, 0, LOG_OUT_OF_ORDER_SEQUENCE, -1},
    {3, 0, INT32_MAX - 1, 4, 0, LOG_DUPLICATE, 11},
    {3, 0, 2, 1, 0, LOG_APPENDED, 15},
    {4, 0, 0, 1, BATCH_TRANSACTIONAL, LOG_APPENDED, 16},
    {4, 0, 1, 1, 0, LOG_INVALID_TXN_STATE, -1},
    {4, 0, 1, 1, BATCH_TRANSACTIONAL, LOG_APPENDED, 17},
};

static void producers_are_held_to_their_sequences(void **state)
{
    struct world w;
    world_init(&w);
    struct log *log = world_create(&w);
    for (size_t i = 0; i < sizeof producer_steps / sizeof producer_steps[0]; i++) {
        const struct producer_step *s = &producer_steps[i];
        struct buf batch;
        struct log_append_info info;
        int64_t end = log_end_offset(log);
        make_batch(&batch, s->count, 3, 1000, s->producer_id, s->epoch, s->sequence, s->attributes);
        assert_int_equal(append_batch(log, &batch, &info), 0);
        if (info.verdict != s->verdict || info.base_offset != s->base_offset)
            fail_msg("step %zu: verdict %d at %lld", i, info.verdict, (long long)info.base_offset);
        if (info.verdict != LOG_APPENDED)
            assert_int_equal(log_end_offset(log), end);
    }
    assert_int_equal(log_first_unstable_offset(log), 16);
    log_free(log);
    world_release(&w);
}

static int append_numbered(struct log *log, int32_t sequence, struct log_append_info *info)
{
    struct buf batch;
    make_batch(&batch, 1, 500, INT64_C(1699999999000) + sequence, 9, 2, sequence, 0);
    return append_batch(log, &batch, info);
}

// A snapshot has a producer's last batch alone; who was killed with five under way sends all of them.
static void a_restart_forgets_no_duplicates(void **state)
{
    struct world w;
    struct log_append_info info;
    int64_t offsets[8];
    for (int clean = 0; clean < 2; clean++) {
        world_init(&w);
        w.args.config.segment_bytes = 2500; // so that the five lie in several
        struct log *log = world_create(&w);
        for (int32_t i = 0; i < 8; i++) {
            append_plain(log, 2, 100, 1000);
            assert_int_equal(append_numbered(log, i, &info), 0);
            offsets[i] = info.base_offset;
        }
        assert_true(log_segment_count(log) > 2);
        append_plain(log, 2, 100, 1000);
        w.args.recovery_point = log_end_offset(log);
        w.args.clean = clean;
        assert_int_equal(log_close(log), 0);
        log_free(log);
        log = world_open(&w);
        for (int32_t i = 3; i < 8; i++) {
            assert_int_equal(append_numbered(log, i, &info), 0);
            assert_int_equal(info.verdict, LOG_DUPLICATE);
            assert_int_equal(info.base_offset, offsets[i]);
            assert_int_equal(info.max_timestamp, INT64_C(1699999999000) + i);
        }
        assert_int_equal(append_numbered(log, 2, &info), 0);
        assert_int_equal(info.verdict, LOG_OUT_OF_ORDER_SEQUENCE);
        assert_int_equal(append_numbered(log, 8, &info), 0);
        assert_int_equal(info.verdict, LOG_APPENDED);
        log_free(log);
        world_release(&w);
    }
}

static int append_marker(struct log *log, int64_t producer_id, int16_t epoch, enum control_type type,
                         int32_t coordinator_epoch, struct log_append_info *info)
{
    struct batch_options options = BATCH_OPTIONS_DEFAULT;
    struct buf batch;
    buf_init(&batch, 4096);
    options.producer_id = producer_id;
    options.producer_epoch = epoch;
    assert_int_equal(
        batch_append_end_txn_marker(&batch, &options, type, coordinator_epoch, 1000, NULL), 0);
    return append_batch(log, &batch, info);
}

static int count_aborted(void *context, const struct log_aborted *txn)
{
    ++*(int *)context;
    return 0;
}

static void markers_end_transactions(void **state)
{
    struct world w;
    struct log_append_info info;
    struct buf batch;
    int aborted = 0;
    world_init(&w);
    struct log *log = world_create(&w);
    make_batch(&batch, 2, 3, 1000, 9, 0, 0, BATCH_TRANSACTIONAL);
    assert_int_equal(append_batch(log, &batch, &info), 0);
    assert_int_equal(append_marker(log, 9, 0, CONTROL_ABORT, 4, &info), 0);
    assert_int_equal(info.verdict, LOG_APPENDED);
    // Decided, but the marker is not below the high watermark.
    assert_int_equal(log_first_unstable_offset(log), 0);
    log_set_high_watermark(log, 3);
    assert_int_equal(log_first_unstable_offset(log), -1);
    assert_int_equal(log_last_stable_offset(log), 3);
    assert_int_equal(log_each_aborted(log, 0, 3, count_aborted, &aborted), 0);
    assert_int_equal(aborted, 1);
    assert_int_equal(append_marker(log, 9, 0, CONTROL_COMMIT, 3, &info), 0);
    assert_int_equal(info.verdict, LOG_COORDINATOR_FENCED);
    assert_int_equal(append_marker(log, 9, 1, CONTROL_COMMIT, 4, &info), 0);
    assert_int_equal(info.verdict, LOG_APPENDED);
    assert_int_equal(append_marker(log, 9, 0, CONTROL_COMMIT, 4, &info), 0);
    assert_int_equal(info.verdict, LOG_INVALID_PRODUCER_EPOCH);
    log_free(log);
    world_release(&w);
}

// ---- Rolling, reading, looking up ----

static void segments_roll_at_their_size(void **state)
{
    struct world w;
    world_init(&w);
    w.args.config.segment_bytes = 1000;
    struct log *log = world_create(&w);
    for (int i = 0; i < 10; i++)
        append_plain(log, 1, 300, 1000 + i); // about 370 bytes: two in a segment
    assert_int_equal(log_segment_count(log), 5);
    struct buf batch;
    struct log_append_info info;
    make_batch(&batch, 1, 1000, 1000, -1, -1, -1, 0);
    assert_int_equal(append_batch(log, &batch, &info), 0);
    assert_int_equal(info.verdict, LOG_RECORD_LIST_TOO_LARGE);
    log_free(log);
    world_release(&w);
}

static void segments_roll_at_their_record_time(void **state)
{
    struct world w;
    world_init(&w);
    w.args.config.segment_ms = 100;
    struct log *log = world_create(&w);
    append_plain(log, 1, 10, 1000);
    append_plain(log, 1, 10, 1100);
    assert_int_equal(log_segment_count(log), 1);
    append_plain(log, 1, 10, 1101);
    assert_int_equal(log_segment_count(log), 2);
    log_free(log);
    world_release(&w);
}

static void reads_give_whole_batches_below_the_bound(void **state)
{
    struct world w;
    struct log_slice slice;
    world_init(&w);
    w.args.config.segment_bytes = 2000;
    w.args.config.index_interval_bytes = 100;
    struct log *log = world_create(&w);
    for (int i = 0; i < 40; i++)
        append_plain(log, 2, 20, 1000);
    for (int64_t offset = 0; offset < 80; offset++) {
        for (size_t max = 1; max < 3000; max += 170) {
            for (int64_t upper = 78; upper <= 80; upper += 2) {
                assert_int_equal(log_read(log, offset, max, true, upper, &slice), 0);
                if (offset >= upper) {
                    assert_int_equal(slice.size, 0);
                    continue;
                }
                uint8_t bytes[4096];
                struct bytes rest = bytes_of(bytes, slice.size), batch;
                struct batch_header h;
                int64_t expected = offset / 2 * 2;
                assert_int_equal(
                    fs_file_read(slice.ref->file, bytes, slice.size, slice.position), slice.size);
                while (batch_next(&rest, &h, &batch) == 1) {
                    assert_int_equal(h.base_offset, expected);
                    expected = batch_last_offset(&h) + 1;
                }
                assert_int_equal(rest.size, 0);
                assert_true(expected > offset && expected <= upper && expected <= slice.offset_limit);
                log_slice_release(&slice);
            }
        }
    }
    assert_int_equal(log_read(log, 81, 100, true, 80, &slice), ERR_LIMIT);
    assert_int_equal(log_read(log, 0, 10, false, 80, &slice), 0);
    assert_int_equal(slice.size, 0); // nothing fits
    log_free(log);
    world_release(&w);
}

// What is not in memory (a quarter of all looks, in this file system) is never read wrongly.
static void a_read_that_may_not_wait_gives_all_or_nothing(void **state)
{
    struct world w;
    struct log_slice waited, slice;
    int again = 0, done = 0;
    world_init(&w);
    w.args.config.segment_bytes = 2000;
    w.args.config.index_interval_bytes = 100;
    struct log *log = world_create(&w);
    for (int i = 0; i < 40; i++)
        append_plain(log, 2, 20, 1000);
    for (int64_t offset = 0; offset < 160; offset++) {
        assert_int_equal(log_read(log, offset / 2, 500, true, 80, &waited), 0);
        int err = log_read_cached(log, offset / 2, 500, true, 80, &slice);
        assert_true(err == 0 || err == ERR_AGAIN);
        again += err == ERR_AGAIN;
        done += err == 0;
        if (err == 0) {
            assert_int_equal(slice.base_offset, waited.base_offset);
            assert_int_equal(slice.position, waited.position);
            assert_int_equal(slice.size, waited.size);
            assert_int_equal(slice.offset_limit, waited.offset_limit);
            log_slice_release(&slice);
        }
        log_slice_release(&waited);
    }
    assert_true(again > 10 && done > 10);
    log_free(log);
    world_release(&w);
}

static void warming_leaves_everything_alone(void **state)
{
    struct world w;
    struct log_warm warm[80];
    world_init(&w);
    w.args.config.segment_bytes = 2000;
    w.args.config.index_interval_bytes = 100;
    struct log *log = world_create(&w);
    for (int i = 0; i < 40; i++)
        append_plain(log, 2, 20, 1000);
    int open_count = sim_fs_open_count(w.fs);
    for (int i = 0; i < 80; i++) {
        log_warm_begin(log, i, (size_t)i * 100, w.shard.env.workers, &warm[i]);
        log_warm_run(&warm[i]);
    }
    assert_int_equal(sim_fs_open_count(w.fs), open_count);
    // What is gone meanwhile is not made again.
    char index[] = "/d/t-0/00000000000000000000.index", log_file[] = "/d/t-0/00000000000000000000.log";
    struct fs_stat stat;
    assert_int_equal(fs_remove(w.shard.env.fs, index), 0);
    log_warm_run(&warm[3]);
    assert_int_equal(fs_remove(w.shard.env.fs, log_file), 0);
    log_warm_run(&warm[3]);
    assert_int_equal(fs_stat(w.shard.env.fs, index, &stat), ERR_NOT_FOUND);
    assert_int_equal(fs_stat(w.shard.env.fs, log_file, &stat), ERR_NOT_FOUND);
    log_free(log);
    log_warm_run(&warm[79]); // the log may go
    for (int i = 0; i < 80; i++)
        log_warm_end(&warm[i]);
    world_release(&w);
}

static void slices_outlive_their_segment(void **state)
{
    struct world w;
    struct log_slice slice;
    world_init(&w);
    w.args.config.segment_bytes = 500;
    w.args.config.retention_bytes = 0;
    struct log *log = world_create(&w);
    for (int i = 0; i < 4; i++)
        append_plain(log, 1, 300, 1000);
    assert_int_equal(log_read(log, 0, 1000, true, 4, &slice), 0);
    assert_int_equal(log_truncate_fully_and_start_at(log, 100), 0);
    uint8_t bytes[1000];
    assert_int_equal(fs_file_read(slice.ref->file, bytes, slice.size, slice.position), slice.size);
    log_slice_release(&slice);
    assert_int_equal(log_start_offset(log), 100);
    assert_int_equal(append_plain(log, 1, 10, 1000), 100);
    log_free(log);
    world_release(&w);
}

static void records_are_found_by_time(void **state)
{
    struct world w;
    struct log_position found;
    world_init(&w);
    w.args.config.segment_bytes = 1000;
    w.args.config.index_interval_bytes = 50;
    struct log *log = world_create(&w);
    for (int i = 0; i < 30; i++)
        append_plain(log, 3, 20, 1000 + 10 * i); // 1000, 1001, 1002, 1010, ...
    static const int64_t cases[][3] = {
        {0, 0, 1000}, {1001, 1, 1001}, {1003, 3, 1010}, {1292, 89, 1292}, {1293, -1, -1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(log_find_timestamp(log, cases[i][0], &found), 0);
        assert_int_equal(found.offset, cases[i][1]);
        assert_int_equal(found.timestamp, cases[i][2]);
    }
    assert_int_equal(log_find_max_timestamp(log, &found), 0);
    assert_int_equal(found.offset, 89);
    assert_int_equal(found.leader_epoch, 3);
    log_free(log);
    world_release(&w);
}

static void retention_takes_the_oldest_first(void **state)
{
    struct world w;
    world_init(&w);
    w.args.config.segment_bytes = 500;
    w.args.config.retention_ms = 100;
    struct log *log = world_create(&w);
    for (int i = 0; i < 4; i++)
        append_plain(log, 1, 300, 1000 + 100 * i);
    assert_int_equal(log_apply_retention(log, 5000), 0); // nothing is below the high watermark
    log_set_high_watermark(log, 4);
    assert_int_equal(log_apply_retention(log, 1250), 2);
    assert_int_equal(log_start_offset(log), 2);
    assert_int_equal(log_apply_retention(log, 5000), 4); // all: the active one is rolled
    assert_int_equal(log_start_offset(log), 4);
    assert_int_equal(append_plain(log, 1, 10, 1000), 4);
    log_free(log);
    world_release(&w);
}

static bool has_epochs_file(struct world *w)
{
    struct fs_stat stat;
    return fs_stat(w->shard.env.fs, "/d/t-0/leader-epoch-checkpoint", &stat) == 0;
}

// An epoch without an append costs nothing, neither at once nor at a stop.
static void a_begun_epoch_waits_for_its_first_append(void **state)
{
    struct world w;
    struct log_epoch_end end;
    world_init(&w);
    struct log *log = world_create(&w);
    log_begin_epoch(log, 2);
    assert_int_equal(log_latest_epoch(log), 2);
    assert_int_equal(log_close(log), 0);
    assert_false(has_epochs_file(&w));
    log_free(log);

    w.args.clean = true;
    w.args.recovery_point = 0;
    log = world_open(&w);
    int open_files = sim_fs_open_count(w.fs);
    log_begin_epoch(log, 3);
    assert_int_equal(sim_fs_open_count(w.fs), open_files);
    append_plain(log, 2, 10, 1000); // in epoch 3
    log_begin_epoch(log, 4);
    log_begin_epoch(log, 5);
    assert_int_equal(log_close(log), 0);
    assert_true(has_epochs_file(&w));
    log_free(log);

    w.args.recovery_point = 2;
    log = world_open(&w);
    log_begin_epoch(log, 7);
    static const int64_t ends[][3] = {{3, 3, 2}, {5, 3, 2}, {7, 7, 2}, {8, -1, -1}};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        assert_int_equal(log_epoch_end(log, (int32_t)ends[i][0], &end), 0);
        assert_int_equal(end.leader_epoch, ends[i][1]);
        assert_int_equal(end.end_offset, ends[i][2]);
    }
    log_begin_epoch(log, 6); // older than the one that has begun
    assert_int_equal(log_latest_epoch(log), 7);
    log_free(log);
    world_release(&w);
}

// ---- Every operation failing once ----

// A short life; true when nothing failed any more.
static bool live_with_fault(uint64_t nth, int err, bool sticky)
{
    struct world w;
    struct log *log = NULL;
    struct diag diag;
    struct log_append_info info;
    bool survived = false;
    world_init(&w);
    w.args.config.segment_bytes = 500;
    w.args.config.index_interval_bytes = 50;
    sim_fs_fail_at(w.fs, nth, SIM_OP_ANY, err, sticky);
    if (log_create(&w.args, &log, &diag) == 0) {
        bool good = true;
        for (int i = 0; i < 4; i++) {
            struct buf batch;
            int64_t end = log_end_offset(log);
            make_batch(&batch, 1, 100, 1000, 5, 0, (int32_t)end, 0);
            int result = append_batch(log, &batch, &info);
            good &= result == 0;
            if (result == 0)
                assert_int_equal(info.verdict, LOG_APPENDED);
            assert_int_equal(log_end_offset(log), end + (result == 0));
        }
        struct log_slice slice;
        if (log_read(log, 0, 1000, true, log_end_offset(log), &slice) == 0)
            log_slice_release(&slice);
        good &= log_roll(log, 0) == 0;
        survived = log_close(log) == 0 && good && !sim_fs_has_failed(w.fs);
        int64_t end = log_end_offset(log);
        bool offline = log_is_offline(log);
        log_free(log);
        sim_fs_fail_at(w.fs, 0, 0, 0, false);
        log = world_open(&w);
        assert_false(log_is_offline(log));
        if (!offline)
            assert_int_equal(log_end_offset(log), end);
        log_free(log);
    }
    world_release(&w);
    return survived;
}

static void any_operation_may_fail(void **state)
{
    static const int errors[] = {ERR_IO, ERR_NOSPC};
    for (int e = 0; e < 2; e++)
        for (int sticky = 0; sticky < 2; sticky++) {
            uint64_t nth = 1;
            while (!live_with_fault(nth, errors[e], sticky) && nth < 500)
                nth++;
            assert_in_range(nth, 20, 499); // there were that many operations to fail
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(producers_are_held_to_their_sequences),
        cmocka_unit_test(a_restart_forgets_no_duplicates),
        cmocka_unit_test(markers_end_transactions),
        cmocka_unit_test(segments_roll_at_their_size),
        cmocka_unit_test(segments_roll_at_their_record_time),
        cmocka_unit_test(reads_give_whole_batches_below_the_bound),
        cmocka_unit_test(a_read_that_may_not_wait_gives_all_or_nothing),
        cmocka_unit_test(warming_leaves_everything_alone),
        cmocka_unit_test(slices_outlive_their_segment),
        cmocka_unit_test(records_are_found_by_time),
        cmocka_unit_test(a_begun_epoch_waits_for_its_first_append),
        cmocka_unit_test(retention_takes_the_oldest_first),
        cmocka_unit_test(any_operation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
