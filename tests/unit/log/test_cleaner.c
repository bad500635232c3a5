// SPDX-License-Identifier: Apache-2.0
//
// What a compaction keeps of a batch, the map of keys, and what is due. What becomes of transactions is
// test_cleaner_txns.c's; that nothing is lost on the way to the disk is tests/sim/sim_cleaner's.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/list.h"
#include "codec/crc32c.h"
#include "log/cleaner.h"
#include "log/cleaner_filter.h"
#include "log/offset_map.h"
#include "log/names.h"
#include "scripts.h"

static const struct hash_seed seeds[2] = {{1, 2}, {3, 4}};

static struct bytes text(const char *s)
{
    return bytes_of(s, strlen(s));
}

// ---- The map ----

static void the_map_keeps_the_last_offset_of_each_key(void **state)
{
    struct offset_map *m = offset_map_new(seeds, 1000, 1 << 20, 0.9);
    char key[16];
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < 1000; i++) {
            int size = snprintf(key, sizeof key, "%d", i);
            assert_true(offset_map_put(m, bytes_of(key, (size_t)size), round * 1000 + i));
        }
    assert_int_equal(offset_map_count(m), 1000);
    for (int i = 0; i < 1000; i++) {
        int size = snprintf(key, sizeof key, "%d", i);
        assert_int_equal(offset_map_get(m, bytes_of(key, (size_t)size)), 2000 + i);
    }
    assert_int_equal(offset_map_get(m, text("another")), -1);
    assert_int_equal(offset_map_get(m, text("")), -1);
    assert_true(offset_map_put(m, text(""), 0));
    assert_int_equal(offset_map_get(m, text("")), 0);
    offset_map_free(m);
}

static void the_map_takes_what_is_wanted_and_no_more_than_allowed(void **state)
{
    static const struct {
        int64_t keys, bytes_max, bytes;
        double load_factor;
        int64_t fits;
    } cases[] = {
        {10, 1 << 20, 24 * 12, 1, 11},
        {9, 1 << 20, 24 * 12, 0.9, 10},
        {INT64_MAX, 24 * 100, 24 * 100, 1, 99},
        {1000000, 24 * 100, 24 * 100, 0.5, 50},
        {0, 0, 24 * 2, 0.9, 1},
        {5, 1 << 20, 24 * 7, 0, 6}, // no factor that means anything: all of it
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct offset_map *m =
            offset_map_new(seeds, cases[i].keys, cases[i].bytes_max, cases[i].load_factor);
        assert_int_equal(offset_map_bytes(m), cases[i].bytes);
        for (int64_t k = 0; k < cases[i].fits; k++)
            assert_true(offset_map_put(m, bytes_of(&k, sizeof k), k));
        int64_t other = -5, first = 0;
        assert_true(offset_map_is_full(m));
        assert_false(offset_map_put(m, bytes_of(&other, sizeof other), 7));
        assert_int_equal(offset_map_get(m, bytes_of(&other, sizeof other)), -1);
        assert_true(offset_map_put(m, bytes_of(&first, sizeof first), 99)); // it is there already
        assert_int_equal(offset_map_get(m, bytes_of(&first, sizeof first)), 99);
        offset_map_free(m);
    }
}

// ---- Batches ----

enum { BASE = 100, NOW = 1000000, RETENTION = 5000 };

// A record as a letter: its key, upper case with a value, lower case a tombstone; '-' without key.
static void build(const char *records, enum codec codec, int16_t attributes, int64_t horizon_ms,
                  struct buf *out)
{
    struct batch_options options = BATCH_OPTIONS_DEFAULT;
    struct batch_builder b;
    options.base_offset = BASE;
    options.partition_leader_epoch = 7;
    options.codec = codec;
    options.attributes = attributes;
    options.delete_horizon_ms = horizon_ms;
    options.log_append_time = 555;
    options.producer_id = 42;
    options.producer_epoch = 3;
    options.base_sequence = 11;
    buf_init(out, 1 << 16);
    batch_builder_begin(&b, out, &options);
    struct record_header header = {.key = str_from("h"), .value = text("v")};
    for (int i = 0; records[i] != '\0'; i++) {
        char key = records[i] >= 'a' ? (char)(records[i] - 32) : records[i];
        bool tombstone = records[i] >= 'a', no_key = records[i] == '-';
        batch_builder_add(&b, 500 + i, no_key ? (struct bytes){0} : bytes_of(&key, 1),
                          tombstone ? (struct bytes){0} : text("value"), &header, 1);
    }
    assert_int_equal(batch_builder_finish(&b, NULL), 0);
}

// What is in a batch, in the notation above; '.' for an offset without record.
static void describe(struct bytes batch, char out[32])
{
    struct batch_iter it;
    struct record record;
    struct buf scratch;
    int got;
    buf_init(&scratch, 1 << 16);
    assert_int_equal(batch_iter_init(&it, batch, &scratch), 0);
    int count = it.header.last_offset_delta + 1;
    memset(out, '.', (size_t)count);
    out[count] = '\0';
    while ((got = batch_iter_next(&it, &record)) == 1) {
        int64_t delta = record.offset - it.header.base_offset;
        assert_int_equal(record.header_count, 1);
        if (!batch_is_log_append_time(&it.header))
            assert_int_equal(record.timestamp, 500 + delta);
        char key = record.key.data != NULL ? (char)record.key.data[0] : '-';
        out[delta] = record.value.data == NULL ? (char)(key + 32) : key;
    }
    assert_int_equal(got, 0);
    buf_release(&scratch);
}

struct filter_case {
    const char *name;
    const char *records;
    const char *map;   // pairs of a key and the digit of its offset above BASE
    const char *left;  // NULL: the batch goes
    int64_t map_end;   // above BASE
    int64_t horizon;   // of the batch that comes; 0 none
    int64_t horizon_left;
    struct cleaner_batch known;
    bool whole;        // byte by byte what came
};

static void filter_one(const struct filter_case *c, enum codec codec, int16_t attributes)
{
    struct buf batch, out;
    struct cleaner_filter f;
    struct cleaner_outcome outcome;
    struct batch_header h, left;
    struct offset_map *m = offset_map_new(seeds, 100, 1 << 16, 1);
    for (const char *p = c->map; *p != '\0'; p += 2)
        assert_true(offset_map_put(m, bytes_of(p, 1), BASE + p[1] - '0'));
    build(c->records, codec,
          (int16_t)(attributes | (c->horizon != 0 ? BATCH_DELETE_HORIZON : 0)), c->horizon, &batch);
    assert_int_equal(batch_header_parse(buf_bytes(&batch), &h), 0);
    cleaner_filter_init(&f, m, BASE + c->map_end, NOW, RETENTION);
    buf_init(&out, 1 << 16);
    assert_int_equal(cleaner_filter_batch(&f, &h, buf_bytes(&batch), &c->known, &out, &outcome), 0);
    assert_int_equal(outcome.is_kept, c->left != NULL);
    assert_int_equal(out.size > 0, c->left != NULL);
    if (c->left != NULL) {
        char found[32];
        describe(buf_bytes(&out), found);
        assert_string_equal(found, c->left);
        assert_true(batch_crc_is_valid(buf_bytes(&out)));
        assert_int_equal(batch_header_parse(buf_bytes(&out), &left), 0);
        assert_int_equal(left.base_offset, BASE);
        assert_int_equal(left.last_offset_delta, h.last_offset_delta);
        assert_int_equal(left.partition_leader_epoch, 7);
        assert_int_equal(left.producer_id, 42);
        assert_int_equal(left.producer_epoch, 3);
        assert_int_equal(left.base_sequence, 11);
        assert_int_equal(batch_is_log_append_time(&left), batch_is_log_append_time(&h));
        assert_int_equal(batch_is_transactional(&left), batch_is_transactional(&h));
        assert_int_equal(batch_codec(&left), left.record_count > 0 ? (int)codec : CODEC_NONE);
        assert_int_equal(batch_has_delete_horizon(&left), c->horizon_left != 0);
        if (c->horizon_left != 0)
            assert_int_equal(left.base_timestamp, c->horizon_left);
        if (left.record_count == 0) {
            assert_int_equal(left.base_timestamp, -1);
            assert_int_equal(left.max_timestamp, h.max_timestamp);
        }
        assert_int_equal(!outcome.is_made, c->whole);
        if (c->whole)
            assert_true(bytes_equal(buf_bytes(&out), buf_bytes(&batch)));
    }
    buf_release(&batch);
    buf_release(&out);
    cleaner_filter_release(&f);
    offset_map_free(m);
}

static void the_newest_of_each_key_stays(void **state)
{
    static const struct filter_case cases[] = {
        {"nothing is newer", "ABC", "A0B1C2", "ABC", 9, .whole = true},
        {"keys that the map does not have", "ABC", "", "ABC", 9, .whole = true},
        {"a later one in another batch", "ABC", "A0B8C2", "A.C", 9},
        {"a later one in the same batch", "ABA", "A2B1", ".BA", 9},
        {"the last goes", "ABC", "C5", "AB.", 9},
        {"all go", "AB", "A5B6", NULL, 9},
        {"all go, and it is needed", "AB", "A5B6", "..", 9, .known = {.is_needed = true}},
        {"no key", "A-B", "", "A.B", 9},
        {"behind the map", "A-b", "A8B8", "A-b", 0, .whole = true},
        {"the map ends inside", "ABAB", "A3B3", "..AB", 2},
        {"a tombstone gets its horizon", "Ab", "", "Ab", 9, .horizon_left = NOW + RETENTION},
        {"a tombstone that was replaced does not", "Ab", "B5", "A.", 9},
        {"a tombstone before its horizon", "Ab", "", "Ab", 9, NOW + 1, NOW + 1, .whole = true},
        {"a tombstone at its horizon", "Ab", "", "A.", 9, NOW, NOW},
        {"a tombstone behind the map at its horizon", "Ab", "", "Ab", 1, NOW, NOW, .whole = true},
        {"aborted", "ABc", "", NULL, 9, .known = {.is_aborted = true}},
        {"aborted, behind the map", "ABc", "", NULL, 0, .known = {.is_aborted = true}},
        {"aborted and needed", "ABc", "", "...", 9,
         .known = {.is_aborted = true, .is_needed = true}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        print_message("%s\n", cases[i].name);
        for (int codec = 0; codec < CODEC_COUNT; codec++) {
            filter_one(&cases[i], (enum codec)codec, 0);
            filter_one(&cases[i], (enum codec)codec, BATCH_LOG_APPEND_TIME | BATCH_TRANSACTIONAL);
        }
    }
}

// What becomes of a marker: 'w' it stays as it is, 'h' with a horizon, 'e' empty, '-' it goes.
static void markers_go_when_nothing_of_their_transaction_is_left(void **state)
{
    static const struct {
        int64_t horizon;
        struct cleaner_batch known;
        char becomes;
    } cases[] = {
        {0, {0}, 'w'},
        {0, {.is_marker_done = true}, 'h'},
        {NOW + 1, {.is_marker_done = true}, 'w'},
        {NOW, {.is_marker_done = true}, '-'},
        {NOW, {.is_marker_done = true, .is_needed = true}, 'e'},
        {NOW, {0}, 'w'},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf batch, out;
        struct batch_options options = BATCH_OPTIONS_DEFAULT;
        struct batch_header h, left = {0};
        struct cleaner_filter f;
        struct cleaner_outcome outcome;
        struct offset_map *m = offset_map_new(seeds, 1, 1 << 16, 1);
        options.producer_id = 42;
        options.producer_epoch = 3;
        options.base_offset = BASE;
        if (cases[i].horizon != 0)
            options.attributes = BATCH_DELETE_HORIZON;
        options.delete_horizon_ms = cases[i].horizon;
        buf_init(&batch, 1 << 12);
        buf_init(&out, 1 << 12);
        assert_int_equal(batch_append_end_txn_marker(&batch, &options, CONTROL_COMMIT, 5, 777, NULL), 0);
        assert_int_equal(batch_header_parse(buf_bytes(&batch), &h), 0);
        cleaner_filter_init(&f, m, BASE + 9, NOW, RETENTION);
        assert_int_equal(
            cleaner_filter_batch(&f, &h, buf_bytes(&batch), &cases[i].known, &out, &outcome), 0);
        if (out.size > 0)
            assert_int_equal(batch_header_parse(buf_bytes(&out), &left), 0);
        char found = out.size == 0            ? '-'
                     : left.record_count == 0 ? 'e'
                     : outcome.is_made && left.base_timestamp == NOW + RETENTION ? 'h'
                                                                                 : 'w';
        assert_int_equal(found, cases[i].becomes);
        if (found == 'e' || found == 'h')
            assert_true(batch_is_control(&left) && left.producer_id == 42);
        buf_release(&batch);
        buf_release(&out);
        cleaner_filter_release(&f);
        offset_map_free(m);
    }
}

static void keys_are_noted_from_an_offset_on_until_the_map_is_full(void **state)
{
    struct buf batch, scratch;
    struct batch_header h;
    buf_init(&scratch, 1 << 16);
    build("AB-cA", CODEC_ZSTD, 0, 0, &batch);
    assert_int_equal(batch_header_parse(buf_bytes(&batch), &h), 0);
    struct offset_map *m = offset_map_new(seeds, 10, 1 << 16, 1);
    assert_int_equal(cleaner_note_keys(m, &h, buf_bytes(&batch), BASE + 1, &scratch), 1);
    assert_int_equal(offset_map_get(m, text("A")), BASE + 4);
    assert_int_equal(offset_map_get(m, text("B")), BASE + 1);
    assert_int_equal(offset_map_get(m, text("C")), BASE + 3);
    assert_int_equal(offset_map_count(m), 3);
    offset_map_free(m);
    m = offset_map_new(seeds, 2, 24 * 3, 1);
    assert_int_equal(cleaner_note_keys(m, &h, buf_bytes(&batch), BASE, &scratch), 0);
    assert_int_equal(offset_map_count(m), 2);
    offset_map_free(m);
    buf_release(&batch);
    buf_release(&scratch);
}

// A set of messages of format 1 as a producer of Kafka 0.10 compressed it: offsets 0 and 1 inside.
static void former_formats_are_written_anew_when_they_lose_something(void **state)
{
    struct buf inner, packed, out;
    buf_init(&inner, 1 << 12);
    buf_init(&packed, 1 << 16);
    buf_init(&out, 1 << 16);
    for (int i = 0; i < 2; i++) {
        size_t at = inner.size;
        buf_append_be64(&inner, (uint64_t)i);
        buf_append_be32(&inner, 4 + 1 + 1 + 8 + 4 + 1 + 4 + 1);
        buf_append_be32(&inner, 0);
        buf_append_u8(&inner, 1);
        buf_append_u8(&inner, 0);
        buf_append_be64(&inner, 900 + (uint64_t)i);
        buf_append_be32(&inner, 1);
        buf_append_u8(&inner, (uint8_t)('A' + i));
        buf_append_be32(&inner, 1);
        buf_append_u8(&inner, 'v');
        struct bytes checked = bytes_of(inner.data + at + 16, inner.size - at - 16);
        be32_store(inner.data + at + 12, crc32_zlib(0, checked));
    }
    assert_int_equal(codec_compress(CODEC_GZIP, CODEC_LEVEL_DEFAULT, buf_bytes(&inner), &packed), 0);
    struct buf set;
    buf_init(&set, 1 << 16);
    buf_append_be64(&set, BASE + 1); // of the last
    buf_append_be32(&set, (uint32_t)(4 + 1 + 1 + 8 + 4 + 4 + packed.size));
    buf_append_be32(&set, 0);
    buf_append_u8(&set, 1);
    buf_append_u8(&set, CODEC_GZIP);
    buf_append_be64(&set, 901);
    buf_append_be32(&set, UINT32_MAX);
    buf_append_be32(&set, (uint32_t)packed.size);
    buf_append(&set, packed.data, packed.size);
    be32_store(set.data + 12, crc32_zlib(0, bytes_of(set.data + 16, set.size - 16)));
    assert_true(batch_crc_is_valid(buf_bytes(&set)));

    struct offset_map *m = offset_map_new(seeds, 10, 1 << 16, 1);
    struct batch_header h, left;
    struct cleaner_filter f;
    struct cleaner_outcome outcome;
    struct cleaner_batch known = {0};
    assert_int_equal(batch_header_parse(buf_bytes(&set), &h), 0);
    cleaner_filter_init(&f, m, BASE + 9, NOW, RETENTION);
    assert_int_equal(cleaner_filter_batch(&f, &h, buf_bytes(&set), &known, &out, &outcome), 0);
    assert_true(outcome.is_kept && !outcome.is_made);
    buf_clear(&out);
    assert_true(offset_map_put(m, text("A"), BASE + 5));
    assert_int_equal(cleaner_filter_batch(&f, &h, buf_bytes(&set), &known, &out, &outcome), 0);
    assert_true(outcome.is_made);
    assert_int_equal(outcome.records_kept, 1);
    assert_int_equal(batch_header_parse(buf_bytes(&out), &left), 0);
    assert_int_equal(left.magic, BATCH_MAGIC_CURRENT);
    assert_int_equal(left.base_offset, BASE);
    assert_int_equal(batch_last_offset(&left), BASE + 1);
    assert_int_equal(left.max_timestamp, 901);
    assert_int_equal(left.producer_id, -1);
    offset_map_free(m);
    cleaner_filter_release(&f);
    buf_release(&inner);
    buf_release(&packed);
    buf_release(&set);
    buf_release(&out);
}

// ---- What is due ----

// Three segments of one batch each, and an active one; on disk up to its end.
static struct log *make_dirty(struct world *w, int16_t first_attributes)
{
    struct buf batch;
    struct log_append_info info;
    w->args.config.segment_bytes = 500;
    w->args.config.cleanup_compact = true;
    struct log *log = world_create(w);
    make_batch(&batch, 10, 20, 1000, 9, 0, 0, first_attributes);
    assert_int_equal(append_batch(log, &batch, &info), 0);
    for (int i = 1; i < 4; i++)
        append_plain(log, 10, 20, 1000 * (i + 1));
    assert_int_equal(log_segment_count(log), 4);
    return log;
}

static void what_is_due_and_what_holds_it(void **state)
{
    static const struct {
        const char *held_by;
        double ratio;
        int64_t min_lag_ms, max_lag_ms;
        int64_t first_uncleanable;
        int64_t high_watermark;
        enum log_cleaning_state state;
        bool is_synced, is_overdue, is_held, may_ripen, is_open;
    } cases[] = {
        {"what is not known to be on disk", 0.5, 0, INT64_MAX, 0, 40, LOG_CLEANING_NOT_DUE},
        {"the active segment", 0.5, 0, INT64_MAX, 30, 40, LOG_CLEANING_DUE, true},
        {"the active segment", 1, 0, INT64_MAX, 30, 40, LOG_CLEANING_NOT_DUE, true},
        {"the active segment", 1, 0, 5000, 30, 40, LOG_CLEANING_DUE, true, .is_overdue = true},
        {"the active segment", 1, 0, 10000, 30, 40, LOG_CLEANING_NOT_DUE, true, .may_ripen = true},
        {"min.compaction.lag.ms", 0.5, 7500, INT64_MAX, 20, 40, LOG_CLEANING_DUE, true,
         .may_ripen = true},
        {"min.compaction.lag.ms", 0.5, 100000, INT64_MAX, 0, 40, LOG_CLEANING_NOT_DUE, true,
         .may_ripen = true},
        {"the high watermark", 0.5, 0, INT64_MAX, 10, 15, LOG_CLEANING_DUE, true},
        {"the high watermark", 0.5, 0, INT64_MAX, 0, 5, LOG_CLEANING_NOT_DUE, true, .is_held = true},
        {"an open transaction", 0.5, 0, INT64_MAX, 0, 40, LOG_CLEANING_NOT_DUE, true, .is_held = true,
         .is_open = true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world w;
        struct log_cleaning_info info;
        world_init(&w);
        struct log *log = make_dirty(&w, cases[i].is_open ? BATCH_TRANSACTIONAL : 0);
        struct log_config config = *log_get_config(log);
        config.min_cleanable_dirty_ratio = cases[i].ratio;
        config.min_compaction_lag_ms = cases[i].min_lag_ms;
        config.max_compaction_lag_ms = cases[i].max_lag_ms;
        log_set_config(log, &config);
        if (cases[i].is_synced)
            assert_int_equal(log_close(log), 0);
        log_set_high_watermark(log, cases[i].high_watermark);
        assert_int_equal(log_cleaning_info(log, 10000, &info), 0);
        assert_string_equal(info.held_by, cases[i].held_by);
        assert_int_equal(info.state, cases[i].state);
        assert_int_equal(info.first_uncleanable, cases[i].first_uncleanable);
        assert_int_equal(info.first_dirty, 0);
        assert_int_equal(info.clean_bytes, 0);
        assert_int_equal(info.is_overdue, cases[i].is_overdue);
        assert_int_equal(info.is_held, cases[i].is_held);
        assert_int_equal(info.may_ripen, cases[i].may_ripen);
        config.cleanup_compact = false;
        log_set_config(log, &config);
        assert_int_equal(log_cleaning_info(log, 10000, &info), 0);
        assert_int_equal(info.state, LOG_CLEANING_OFF);
        log_free(log);
        world_release(&w);
    }
}

// ---- Missing offsets ----
//
// Whoever reads to the end of the log would wait for offsets that are missing there.

// The first `size` bytes of a segment stay; of those the last `zeros` were never written.
static void lose(struct scripted *s, int64_t base_offset, int64_t size, size_t zeros)
{
    static const uint8_t none[512];
    char path[FS_PATH_MAX];
    struct fs_file *file;
    assert_true(log_file_path(path, "/d/t-0", base_offset, LOG_FILE_LOG));
    assert_int_equal(fs_open(s->w.args.fs, path, FS_WRITE, &file), 0);
    assert_int_equal(fs_file_truncate(file, size), 0);
    if (zeros > 0)
        assert_int_equal(fs_file_write(file, none, zeros, size - (int64_t)zeros), 0);
    fs_file_close(file);
}

// A crash took the ends of some segments that were not known to be on disk, so that it looks as if they had
// been compacted.
static void a_crash_leaves_none_at_the_end(void **state)
{
    static const struct {
        const char *empty; // the segments of which nothing is left, each of an offset
        int64_t torn;      // the one that begins with a batch that was not written
        const char *left;
    } cases[] = {
        {"", 2, "_A _B"}, {"2", 3, "_A _B"}, {"23", 4, "_A _B"}, {"234", 5, "_A _B"},
        {"3", 4, "_A _B _C"}, {"24", 5, "_A _B __ _D"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scripted s;
        begin_script(&s, "_A _B / _C / _D / _E / _F / _G");
        stop(&s);
        for (const char *at = cases[i].empty; *at != '\0'; at++)
            lose(&s, *at - '0', 0, 0);
        lose(&s, cases[i].torn, SCRIPT_BATCH_SIZE, SCRIPT_BATCH_SIZE);
        s.w.args.clean = false;
        s.w.args.recovery_point = 1;
        start(&s);
        assert_false(log_is_offline(s.log));
        assert_is(&s, cases[i].left);
        end_script(&s);
    }
}

static void a_truncation_leaves_none_at_the_end(void **state)
{
    struct scripted s;
    begin_script(&s, "");
    s.w.args.config.segment_bytes = 250; // so that segments are not made one
    log_set_config(s.log, &s.w.args.config);
    write_script(&s, "_A _B / _C _C _C / _Z");
    compact(&s, 0);
    assert_is(&s, "_A _B __ __ _C _Z");
    assert_int_equal(log_segment_count(s.log), 3);
    stop(&s);
    lose(&s, 0, SCRIPT_BATCH_SIZE, 0); // offset 1
    start(&s);
    assert_is(&s, "_A __ __ __ _C _Z");
    assert_int_equal(log_truncate_to(s.log, 4), 0);
    assert_int_equal(log_end_offset(s.log), 1);
    assert_is(&s, "_A");
    write_script(&s, "_D");
    assert_is(&s, "_A _D");
    end_script(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_map_keeps_the_last_offset_of_each_key),
        cmocka_unit_test(the_map_takes_what_is_wanted_and_no_more_than_allowed),
        cmocka_unit_test(the_newest_of_each_key_stays),
        cmocka_unit_test(markers_go_when_nothing_of_their_transaction_is_left),
        cmocka_unit_test(keys_are_noted_from_an_offset_on_until_the_map_is_full),
        cmocka_unit_test(former_formats_are_written_anew_when_they_lose_something),
        cmocka_unit_test(what_is_due_and_what_holds_it),
        cmocka_unit_test(a_crash_leaves_none_at_the_end),
        cmocka_unit_test(a_truncation_leaves_none_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
