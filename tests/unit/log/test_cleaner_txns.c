// SPDX-License-Identifier: Apache-2.0
//
// What a compaction makes of transactions, whatever their indexes say. Logs are written as scripts, of one
// offset each:
//
//   1A  producer 1 puts key A in a transaction; 1a deletes it; _A and _a are in none
//   1+  the marker that commits its transaction; 1- aborts it
//   /   a segment ends here
//
// and what is there afterwards is read as
//
//   1.  a batch without records
//   1c  a marker that commits, 1x one that aborts, which has got a delete horizon
//   __  an offset that is gone
#include <stdio.h>
#include <string.h>

#include "testing.h"

#include "log/cleaner.h"
#include "log/index.h"
#include "log/names.h"
#include "log/small_file.h"
#include "log/txn_scout.h"
#include "sim_txns.h"

enum { TEXT_MAX = 200, RETENTION_MS = 1000000, ABORTED_MAX = 32 };

#define WRITTEN_MS INT64_C(1700000000000)

// ---- Scripts ----

struct scripted {
    struct world w;
    struct log *log;
    int32_t sequences[10];
};

static void add_data(struct scripted *s, char producer, char key, struct buf *out)
{
    struct batch_options options = BATCH_OPTIONS_DEFAULT;
    struct batch_builder b;
    char upper = key >= 'a' ? (char)(key - 32) : key;
    if (producer != '_') {
        options.producer_id = producer - '0';
        options.producer_epoch = 0;
        options.base_sequence = s->sequences[options.producer_id]++;
        options.attributes = BATCH_TRANSACTIONAL;
    }
    batch_builder_begin(&b, out, &options);
    batch_builder_add(&b, WRITTEN_MS, bytes_of(&upper, 1),
                      key >= 'a' ? (struct bytes){0} : bytes_of("v", 1), NULL, 0);
    assert_int_equal(batch_builder_finish(&b, NULL), 0);
}

static void add_marker(char producer, enum control_type type, struct buf *out)
{
    struct batch_options options = BATCH_OPTIONS_DEFAULT;
    options.producer_id = producer - '0';
    options.producer_epoch = 0;
    assert_int_equal(batch_append_end_txn_marker(out, &options, type, 1, WRITTEN_MS, NULL), 0);
}

static void write_script(struct scripted *s, const char *script)
{
    for (const char *at = script; *at != '\0'; at++) {
        struct log_append_info info;
        struct buf batch;
        if (*at == ' ')
            continue;
        if (*at == '/') {
            assert_int_equal(log_roll(s->log, WRITTEN_MS), 0);
            continue;
        }
        buf_init(&batch, 1 << 12);
        if (at[1] == '+' || at[1] == '-')
            add_marker(at[0], at[1] == '+' ? CONTROL_COMMIT : CONTROL_ABORT, &batch);
        else
            add_data(s, at[0], at[1], &batch);
        assert_int_equal(append_batch(s->log, &batch, &info), 0);
        assert_int_equal(info.verdict, LOG_APPENDED);
        at++;
    }
}

static void begin_script(struct scripted *s, const char *script)
{
    *s = (struct scripted){0};
    world_init(&s->w);
    s->w.args.config.cleanup_compact = true;
    s->w.args.config.min_cleanable_dirty_ratio = 0;
    s->w.args.config.delete_retention_ms = RETENTION_MS;
    s->log = world_create(&s->w);
    write_script(s, script);
}

static void end_script(struct scripted *s)
{
    log_free(s->log);
    world_release(&s->w);
}

// Closes the log cleanly.
static void stop(struct scripted *s)
{
    assert_int_equal(log_close(s->log), 0);
    s->w.args.recovery_point = s->w.args.high_watermark = log_end_offset(s->log);
    s->w.args.clean = true;
    log_free(s->log);
    s->log = NULL;
}

static void start(struct scripted *s)
{
    s->log = world_open(&s->w);
}

// ---- Compaction ----

// Compacts once, with what producers sent known to be on disk, and that `later_ms` after now.
static void compact(struct scripted *s, int64_t later_ms)
{
    struct cleaner_config config = {.cleanings_max = 1, .map_bytes_max = 1 << 20, .load_factor = 0.9,
                                    .io_bytes = 1, .bytes_per_second = 1e300, .backoff_ms = 1};
    assert_int_equal(log_close(s->log), 0);
    log_set_high_watermark(s->log, log_end_offset(s->log));
    s->w.sim.wall_offset_ms += later_ms;
    struct cleaner *c = cleaner_new(&s->w.shard.env, NULL, &config);
    cleaner_add(c, s->log);
    sim_run_for(&s->w.sim, 1000000000);
    cleaner_remove(c, s->log);
    cleaner_free(c);
}

static void describe_batch(const struct batch_header *h, struct bytes batch, char out[3])
{
    struct batch_iter it;
    struct record record;
    enum control_type type;
    out[0] = h->producer_id < 0 ? '_' : (char)('0' + h->producer_id);
    out[2] = '\0';
    if (h->record_count == 0) {
        out[1] = '.';
    } else if (batch_is_end_txn_marker(batch, &type)) {
        bool has_horizon = batch_has_delete_horizon(h);
        out[1] = type == CONTROL_ABORT ? (has_horizon ? 'x' : '-') : has_horizon ? 'c' : '+';
    } else {
        assert_int_equal(batch_iter_init(&it, batch, NULL), 0);
        assert_int_equal(batch_iter_next(&it, &record), 1);
        out[1] = (char)(record.key.data[0] + (record.value.data == NULL ? 32 : 0));
    }
}

static void assert_is(struct scripted *s, const char *expected)
{
    int64_t end = log_end_offset(s->log);
    struct buf found;
    buf_init(&found, 1 << 12);
    for (int64_t offset = 0; offset < end; offset++) {
        struct buf bytes;
        struct batch_header h;
        char token[3] = "__";
        buf_init(&bytes, 1 << 16);
        assert_int_equal(log_read_bytes(s->log, offset, 1, true, end, &bytes), 0);
        if (bytes.size > 0)
            assert_int_equal(batch_header_parse(buf_bytes(&bytes), &h), 0);
        if (bytes.size > 0 && h.base_offset == offset)
            describe_batch(&h, buf_bytes(&bytes), token);
        buf_release(&bytes);
        buf_append_text(&found, offset > 0 ? " " : "");
        buf_append_text(&found, token);
    }
    buf_append_u8(&found, 0);
    assert_string_equal((const char *)found.data, expected);
    buf_release(&found);
}

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
            compact(&s, k == 2 ? 2 * RETENTION_MS : 0);
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
        cmocka_unit_test(a_damaged_marker_decides_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
