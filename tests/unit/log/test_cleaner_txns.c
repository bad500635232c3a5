// SPDX-License-Identifier: Apache-2.0
//
// What a compaction makes of transactions, whatever their indexes say.
#include <stdio.h>
#include <string.h>

#include "scripts.h"

#include "log/index.h"
#include "log/names.h"
#include "log/segment_check.h"
#include "log/small_file.h"
#include "log/txn_scout.h"
#include "log/verify.h"
#include "sim_txns.h"

enum { TEXT_MAX = 200, ABORTED_MAX = 32 };

// ---- Reading ahead ----

struct asked {
    char producer;
    int64_t offset;
    enum txn_fate fate;
    int questions; // with a byte to read for each
};

// Spans as they are after a stop.
static int list_spans(struct scripted *s, const int64_t *bases, int count, struct segment_span *out)
{
    for (int i = 0; i < count; i++) {
        char path[FS_PATH_MAX];
        struct fs_stat stat;
        assert_true(log_file_path(path, "/d/t-0", bases[i], LOG_FILE_LOG));
        assert_int_equal(fs_stat(s->w.args.fs, path, &stat), 0);
        out[i] = (struct segment_span){.base_offset = bases[i], .size = stat.size,
                                       .end_offset = i + 1 < count ? bases[i + 1] : INT64_MAX};
    }
    return count;
}

static void a_scout_reads_ahead_in_pieces_and_once(void **state)
{
    //                          0  1  2  3    4  5  6    7  8  9  10
    static const char script[] = "1A 2A 1A 1- / 1B 2B 2+ / 1B 1+ 1C 1-";
    static const int64_t bases[] = {0, 4, 7};
    static const struct asked all[] = {
        {'1', 0, TXN_ABORTED, 3}, // 0 by itself, then 1, 2 and 3
        {'2', 1, TXN_COMMITTED, 3}, // up to 6
        {'1', 2, TXN_ABORTED, 1},
        {'1', 4, TXN_COMMITTED, 2}, // up to 8
        {'2', 5, TXN_COMMITTED, 1},
        {'1', 7, TXN_COMMITTED, 1},
        {'1', 9, TXN_ABORTED, 1}, // it begins anew there
    };
    struct scripted s;
    struct segment_span spans[3];
    struct txn_scout scout;
    begin_script(&s, script);
    stop(&s);
    txn_scout_init(&scout, s.w.args.fs, "/d/t-0", spans, list_spans(&s, bases, 3, spans));
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        int span = all[i].offset >= bases[2] ? 2 : all[i].offset >= bases[1];
        int64_t position = -1;
        char path[FS_PATH_MAX];
        struct buf bytes;
        struct bytes rest, batch;
        struct batch_header h = {.base_offset = -1};
        buf_init(&bytes, 1 << 12);
        assert_true(log_file_path(path, "/d/t-0", bases[span], LOG_FILE_LOG));
        assert_int_equal(small_file_read(s.w.args.fs, path, &bytes), 0);
        for (rest = buf_bytes(&bytes); h.base_offset < all[i].offset; position = batch.data - bytes.data)
            assert_int_equal(batch_next(&rest, &h, &batch), 1);
        buf_release(&bytes);
        int fate = TXN_UNKNOWN, questions = 0;
        for (; fate == TXN_UNKNOWN; questions++)
            fate = txn_scout_ask(&scout, &h, span, position, 1);
        assert_int_equal(fate, all[i].fate);
        assert_int_equal(questions, all[i].questions);
    }
    txn_scout_release(&scout);
    world_release(&s.w);
}

// ---- What stays ----

static void what_becomes_of_transactions(void **state)
{
    static const struct {
        const char *name, *log, *once, *twice;
        const char *late; // compacted a third time, when the horizons are over
    } cases[] = {
        {"an aborted value replaces nothing, and goes; the producer's last batch stays, empty",
         "_A 1A 1A 1- / _Z", "_A __ 1. 1- _Z", "_A __ 1. 1- _Z", "_A __ 1. 1- _Z"},
        {"a marker gets its horizon once nothing of its transaction is left, and goes after that",
         "1A 1- 1A 1+ / _A / _Z", "__ 1- 1. 1+ _A _Z", "__ 1x 1. 1+ _A _Z", "__ __ 1. 1+ _A _Z"},
        {"a committed value replaces others from where it stands",
         "1A _A 1A 1+ / _Z", "__ __ 1A 1+ _Z", "__ __ 1A 1+ _Z", "__ __ 1A 1+ _Z"},
        {"transactions across segments, decided in the active one",
         "_A _B 1A 2B / _C / 1- 2+ _Z", "_A __ 1. 2B _C 1- 2+ _Z", NULL, NULL},
        {"nothing from the first open transaction on",
         "_A _A / 1B 1- _B / 2A / _B 1B 1- / _Z", "__ _A __ 1- _B 2A _B 1B 1- _Z", NULL, NULL},
        {"a value that only an aborted delete followed", "_A 1a 1- / _Z", "_A 1. 1- _Z", NULL, NULL},
        {"two that overlap, and one of them is aborted",
         "1A 2A 1B 2- 1C 1+ / 2C 2A 2- / 1D 1+ / _Z", "1A __ 1B 2- 1C 1+ __ 2. 2- 1D 1+ _Z", NULL, NULL},
        {"markers of which no data was ever there: what the producer's epoch is known from",
         "_A 1+ 1- / _Z", "_A 1c 1x _Z", "_A 1c 1x _Z", "_A 1. 1. _Z"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *rounds[] = {cases[i].once, cases[i].twice, cases[i].late};
        struct scripted s;
        print_message("%s\n", cases[i].name);
        begin_script(&s, cases[i].log);
        for (int k = 0; k < 3 && rounds[k] != NULL; k++) {
            char expected[TEXT_MAX];
            write_script(&s, k > 0 ? "/ _Y" : "");
            compact(&s, k == 2 ? 2 * DELETE_RETENTION_MS : 0);
            snprintf(expected, sizeof expected, "%s%s", rounds[k], k == 0 ? "" : k == 1 ? " _Y" : " _Y _Y");
            assert_is(&s, expected);
        }
        end_script(&s);
    }
}

// ---- Damaged indexes ----

enum harm { REMOVE, EMPTY, CUT_ENTRY, DOUBLE, FLIP, HARM_COUNT };

static size_t harmed(uint8_t *bytes, size_t size, enum harm harm, size_t at)
{
    switch (harm) {
    case CUT_ENTRY: return size - TXN_ENTRY_SIZE;
    case DOUBLE: memcpy(bytes + size, bytes, size); return 2 * size;
    case FLIP: bytes[at] ^= 1; return size;
    default: return 0;
    }
}

static void compact_with_harm(const char *path, enum harm harm, size_t at, const char *expected)
{
    uint8_t bytes[2000];
    struct scripted s;
    struct buf index;
    begin_script(&s, "_A 1B 1+ 1A 2A 1A / 3C 2- 3- 1- / 2B 2+ 2A 2B 2- / _Z");
    stop(&s);
    buf_init(&index, sizeof bytes / 2);
    assert_int_equal(small_file_read(s.w.args.fs, path, &index), 0);
    size_t size = index.size;
    memcpy(bytes, index.data, size);
    if (harm == REMOVE)
        assert_int_equal(small_file_remove(s.w.args.fs, path), 0);
    else if (harm != HARM_COUNT && at < size)
        assert_int_equal(
            small_file_replace(s.w.args.fs, path, bytes_of(bytes, harmed(bytes, size, harm, at))), 0);
    buf_release(&index);
    start(&s);
    compact(&s, 0);
    assert_is(&s, expected);
    end_script(&s);
}

// (What it writes are right ones.)
static void a_damaged_index_changes_nothing(void **state)
{
    static const char *const left = "_A __ 1+ __ __ 1. 3. 2- 3- 1- 2B 2+ __ 2. 2- _Z";
    static const int64_t bases[] = {6, 10};
    static const size_t entries[] = {3, 1};
    for (int i = 0; i < 2; i++) {
        char path[FS_PATH_MAX];
        assert_true(log_file_path(path, "/d/t-0", bases[i], LOG_FILE_TXN_INDEX));
        for (enum harm harm = REMOVE; harm < HARM_COUNT; harm++)
            for (size_t at = 0; at < (harm == FLIP ? entries[i] * TXN_ENTRY_SIZE : 1); at++)
                compact_with_harm(path, harm, at, left);
    }
}

struct told {
    struct log_aborted txns[ABORTED_MAX];
    int count;
};

static int add_told(void *context, const struct log_aborted *txn)
{
    struct told *t = context;
    assert_true(t->count < ABORTED_MAX);
    t->txns[t->count++] = *txn;
    return 0;
}

static void indexes_say_what_is_left_of_aborted_transactions(void **state)
{
    struct scripted s;
    struct told told = {0};
    begin_script(&s, "1A 1A 2B 1- / 2B 3C 3+ 2- / 3D 3- 3E 3+ / _Z");
    compact(&s, 0);
    assert_is(&s, "__ 1. __ 1- 2. 3C 3+ 2- __ 3- 3E 3+ _Z");
    assert_int_equal(log_segment_count(s.log), 2);
    assert_int_equal(sim_each_aborted(s.log, 0, INT64_MAX, add_told, &told), 0);
    static const struct log_aborted first[] = {{1, 0}, {2, 2}, {3, 8}};
    assert_int_equal(told.count, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(told.txns[i].producer_id, first[i].producer_id);
        assert_int_equal(told.txns[i].first_offset, first[i].first_offset);
    }
    // Nothing of the third is left, so that it needs no entry any more.
    write_script(&s, "/ _Z");
    compact(&s, 0);
    told = (struct told){0};
    assert_int_equal(sim_each_aborted(s.log, 0, INT64_MAX, add_told, &told), 0);
    assert_int_equal(told.count, 2);
    assert_is(&s, "__ 1. __ 1- 2. 3C 3+ 2- __ 3x 3E 3+ _Z _Z");
    end_script(&s);
}

static void note_finding(void *context, const struct segment_finding *f)
{
    print_message("part %d: %s\n", f->part, f->what);
    ++*(int *)context;
}

// What is wrong with a segment, as the scrubber and `chitin log verify` look at it.
static int count_findings(struct scripted *s, int64_t base_offset)
{
    int count = 0;
    bool bad_snapshot;
    struct producer_state producers;
    struct segment_check check = {
        .fs = s->w.args.fs, .dir = "/d/t-0", .base_offset = base_offset, .size = -1, .end_offset = -1,
        .may_have_gaps = true, .producers = &producers, .found = note_finding, .context = &count,
        .index_interval_bytes = 4096,
    };
    producer_state_init(&producers);
    assert_true(segment_check_load_producers(s->w.args.fs, check.dir, base_offset, &producers, &bad_snapshot));
    assert_int_equal(segment_check_begin(&check), 0);
    assert_int_equal(segment_check_step(&check, INT64_MAX), 0);
    segment_check_release(&check);
    producer_state_release(&producers);
    return count;
}

static void note_verified(void *context, const struct verify_finding *f)
{
    if (strstr(f->path, "/t-0/") == NULL)
        return;
    print_message("%s: %s\n", f->path, f->what);
    ++*(int *)context;
}

// What `chitin log verify` finds in the partition.
static int count_verified(struct scripted *s)
{
    static const char entry[] = "0\n1\nt 0 1\n";
    struct verify_result result;
    struct diag diag;
    int count = 0;
    struct verify_args args = {.fs = s->w.args.fs, .dir = "/d", .context = &count, .found = note_verified};
    assert_int_equal(small_file_write(s->w.args.fs, "/d/cleaner-offset-checkpoint",
                                      bytes_of(entry, sizeof entry - 1), false), 0);
    assert_int_equal(verify_dir(&args, &result, &diag), 0);
    return count;
}

// Entries say where a transaction began, which may be gone, and some speak of nothing that is left.
static void a_compacted_log_is_in_order(void **state)
{
    static const char *const scripts[] = {
        "1A 1A 2B 1- / 2B 3C 3+ 2- / 3D 3- 3E 3+ / _Z",
        "1A 1A 2A 2B / 1- 2- 1A 1+ / _Z",
        "3B 3+ 1A 2A / 1- 2- 1A 1A 1- 2A 3A 2- 3- 3B 3+ / _Z",
        "1A 1B 1+ _B / 1C 1+ / _Z", // at 4 the last batch of 1 is not there
    };
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
        struct scripted s;
        begin_script(&s, scripts[i]);
        compact(&s, 0);
        assert_int_equal(count_findings(&s, 0), 0);
        end_script(&s);
        // And where the segment with the markers was not compacted.
        begin_script(&s, scripts[i]);
        compact_below(&s, 4, 0);
        assert_int_equal(count_findings(&s, 0), 0);
        assert_int_equal(count_findings(&s, 4), 0);
        assert_int_equal(log_close(s.log), 0);
        assert_int_equal(count_verified(&s), 0);
        end_script(&s);
    }
}

// ---- Damaged logs ----

// What decides a transaction is believed only if its CRC is right; else the log stays as it is.
static void a_damaged_marker_decides_nothing(void **state)
{
    static const char script[] = "_A 1A / _B / 1- _C / _Z";
    struct scripted s;
    struct log_cleaning_info info;
    begin_script(&s, script);
    stop(&s);
    char path[FS_PATH_MAX];
    struct buf bytes;
    assert_true(log_file_path(path, "/d/t-0", 3, LOG_FILE_LOG));
    buf_init(&bytes, 1 << 12);
    assert_int_equal(small_file_read(s.w.args.fs, path, &bytes), 0);
    bytes.data[BATCH_HEADER_SIZE + 8] ^= 1; // abort becomes commit
    assert_int_equal(small_file_replace(s.w.args.fs, path, buf_bytes(&bytes)), 0);
    buf_release(&bytes);
    start(&s);
    compact(&s, 0);
    assert_int_equal(log_cleaning_info(s.log, 0, &info), 0);
    assert_int_equal(info.state, LOG_CLEANING_UNCLEANABLE);
    assert_non_null(strstr(info.why, "00000000000000000003.log: position 0: "));
    assert_int_equal(log_segment_count(s.log), 4);
    end_script(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_scout_reads_ahead_in_pieces_and_once),
        cmocka_unit_test(what_becomes_of_transactions),
        cmocka_unit_test(a_damaged_index_changes_nothing),
        cmocka_unit_test(indexes_say_what_is_left_of_aborted_transactions),
        cmocka_unit_test(a_compacted_log_is_in_order),
        cmocka_unit_test(a_damaged_marker_decides_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
