// SPDX-License-Identifier: Apache-2.0
//
// What is done to transaction indexes of a log that was closed cleanly is found before anybody is told what
// they say.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "testing.h"

#include "base/trace.h"
#include "log/index.h"
#include "log/names.h"
#include "log/small_file.h"
#include "sim_txns.h"

enum { ROUNDS = 8, ABORTED_MAX = 64 };

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

struct heard {
    struct trace trace;
    int count; // of errors about a transaction index
};

static void hear(struct trace *t, enum trace_level level, const char *area, const char *line)
{
    struct heard *h = (struct heard *)t;
    h->count += level >= TRACE_ERROR && strstr(line, ".txnindex: ") != NULL;
}

static void append_data(struct log *log, int64_t producer_id, int32_t sequence)
{
    struct buf batch;
    struct log_append_info info;
    make_batch(&batch, 3, 20, 1000, producer_id, 0, sequence, BATCH_TRANSACTIONAL);
    assert_int_equal(append_batch(log, &batch, &info), 0);
    assert_int_equal(info.verdict, LOG_APPENDED);
}

static void append_marker(struct log *log, int64_t producer_id, enum control_type type)
{
    struct batch_options options = BATCH_OPTIONS_DEFAULT;
    struct log_append_info info;
    struct buf batch;
    buf_init(&batch, 4096);
    options.producer_id = producer_id;
    options.producer_epoch = 0;
    assert_int_equal(batch_append_end_txn_marker(&batch, &options, type, 1, 1000, NULL), 0);
    assert_int_equal(append_batch(log, &batch, &info), 0);
    assert_int_equal(info.verdict, LOG_APPENDED);
}

// Transactions of three producers that overlap, across several segments; of each round two are aborted.
static void make_closed_log(struct world *w)
{
    world_init(w);
    w->args.config.segment_bytes = 2500;
    w->args.config.index_interval_bytes = 300;
    struct log *log = world_create(w);
    for (int i = 0; i < ROUNDS; i++) {
        append_plain(log, 2, 20, 1000);
        append_data(log, 7, 3 * i);
        append_data(log, 8, 6 * i);
        append_data(log, 9, 3 * i);
        append_marker(log, 7, CONTROL_ABORT);
        append_data(log, 8, 6 * i + 3);
        append_marker(log, 9, CONTROL_COMMIT);
        append_marker(log, 8, CONTROL_ABORT);
    }
    assert_true(log_segment_count(log) >= 3);
    assert_int_equal(log_close(log), 0);
    w->args.recovery_point = w->args.high_watermark = log_end_offset(log);
    w->args.clean = true;
    log_free(log);
}

static struct log *ask(struct world *w, struct told *out)
{
    struct log *log = world_open(w);
    *out = (struct told){0};
    assert_int_equal(sim_each_aborted(log, 0, INT64_MAX, add_told, out), 0);
    return log;
}

static void assert_told(const struct told *a, const struct told *b)
{
    assert_int_equal(a->count, b->count);
    for (int i = 0; i < a->count; i++) {
        assert_int_equal(a->txns[i].producer_id, b->txns[i].producer_id);
        assert_int_equal(a->txns[i].first_offset, b->txns[i].first_offset);
    }
}

struct index_file {
    char path[FS_PATH_MAX];
    struct buf bytes;
};

// The second index, before which transactions are open.
static void read_index(struct world *w, struct index_file *f)
{
    int found = 0;
    buf_init(&f->bytes, 4096);
    for (int64_t base = 0; base < 1000 && found < 2; base++) {
        buf_clear(&f->bytes);
        assert_true(log_file_path(f->path, "/d/t-0", base, LOG_FILE_TXN_INDEX));
        found += small_file_read(w->args.fs, f->path, &f->bytes) == 0;
    }
    assert_int_equal(found, 2);
    assert_true(f->bytes.size >= 3 * TXN_ENTRY_SIZE && f->bytes.size % TXN_ENTRY_SIZE == 0);
}

static void an_index_is_checked_once_and_before_it_is_used(void **state)
{
    struct world w;
    struct told told = {0}, right;
    struct heard h = {.trace.emit = hear};
    make_closed_log(&w);
    w.args.trace = &h.trace;
    struct log *log = world_open(&w);
    assert_int_equal(log_each_aborted(log, 0, INT64_MAX, add_told, &told), ERR_AGAIN);
    assert_int_equal(told.count, 0);
    log_free(log);
    log = ask(&w, &right);
    assert_int_equal(right.count, 2 * ROUNDS);
    assert_null(log_txn_check_begin(log, 0, INT64_MAX));
    assert_int_equal(h.count, 0);
    log_free(log);
    world_release(&w);
}

// What is written over the index, of which it had `size` bytes.
enum harm { FLIP, EMPTY, FILL, ZERO, CUT, CUT_ENTRY, CUT_ENTRIES, SHIFT, LONGER, REMOVE, HARM_COUNT };

static size_t harmed(uint8_t *bytes, size_t size, enum harm harm, size_t at, uint8_t mask)
{
    switch (harm) {
    case FLIP: bytes[at] ^= mask; return size;
    case EMPTY: return 0;
    case FILL: memset(bytes, 0xff, size); return size;
    case ZERO: memset(bytes, 0, size); return size;
    case CUT: return size - 40;
    case CUT_ENTRY: return size - TXN_ENTRY_SIZE;
    case CUT_ENTRIES: return TXN_ENTRY_SIZE;
    case SHIFT: memmove(bytes, bytes + 4, size - 4); return size - 4;
    default: memcpy(bytes + size, bytes, TXN_ENTRY_SIZE); return size + TXN_ENTRY_SIZE;
    }
}

// The right ones are told, it is said once, and the file is again what it was.
static void check_harm(struct world *w, const struct index_file *f, const struct told *right,
                       enum harm harm, size_t at, uint8_t mask)
{
    uint8_t bytes[4096];
    struct told told;
    struct buf again;
    struct heard h = {.trace.emit = hear};
    memcpy(bytes, f->bytes.data, f->bytes.size);
    size_t size = harmed(bytes, f->bytes.size, harm, at, mask);
    if (harm == REMOVE)
        assert_int_equal(small_file_remove(w->args.fs, f->path), 0);
    else
        assert_int_equal(small_file_replace(w->args.fs, f->path, bytes_of(bytes, size)), 0);
    w->args.trace = &h.trace;
    log_free(ask(w, &told));
    assert_told(&told, right);
    assert_int_equal(h.count, 1);
    log_free(ask(w, &told));
    assert_told(&told, right);
    assert_int_equal(h.count, 1);
    buf_init(&again, 4096);
    assert_int_equal(small_file_read(w->args.fs, f->path, &again), 0);
    assert_int_equal(again.size, f->bytes.size);
    assert_memory_equal(again.data, f->bytes.data, again.size);
    buf_release(&again);
    w->args.trace = NULL;
}

static void a_harmed_index_is_made_again(void **state)
{
    struct world w;
    struct told right;
    struct index_file f;
    make_closed_log(&w);
    read_index(&w, &f);
    log_free(ask(&w, &right));
    for (enum harm harm = FLIP + 1; harm < HARM_COUNT; harm++)
        check_harm(&w, &f, &right, harm, 0, 0);
    for (size_t at = 0; at < f.bytes.size; at++)
        check_harm(&w, &f, &right, FLIP, at, 0xff);
    // As little as a bit, in the last byte of each column: 10, 18, 26, 34.
    for (size_t at = 9; at < f.bytes.size; at++)
        if (at % TXN_ENTRY_SIZE % 8 == 1)
            check_harm(&w, &f, &right, FLIP, at, 1);
    buf_release(&f.bytes);
    world_release(&w);
}

// Where compaction may have taken what an entry points at, what it says of the batches that are there counts.
static void so_is_one_of_a_compacted_log(void **state)
{
    struct world w;
    struct told right;
    struct index_file f;
    make_closed_log(&w);
    read_index(&w, &f);
    w.args.config.cleanup_compact = true;
    log_free(ask(&w, &right));
    for (enum harm harm = FLIP + 1; harm < HARM_COUNT; harm++)
        check_harm(&w, &f, &right, harm, 0, 0);
    for (size_t at = 2; at < f.bytes.size; at++)
        if (at % TXN_ENTRY_SIZE >= 2 && at % TXN_ENTRY_SIZE < 10) // the producer
            check_harm(&w, &f, &right, FLIP, at, 0x80);
    buf_release(&f.bytes);
    world_release(&w);
}

static void what_is_appended_meanwhile_stays(void **state)
{
    struct world w;
    struct told told = {0}, right;
    make_closed_log(&w);
    log_free(ask(&w, &right));
    struct log *log = world_open(&w);
    int64_t end = log_end_offset(log);
    char path[FS_PATH_MAX];
    int64_t base = end;
    struct fs_stat stat;
    do
        assert_true(log_file_path(path, "/d/t-0", --base, LOG_FILE_TXN_INDEX));
    while (fs_stat(w.args.fs, path, &stat) < 0);
    log_free(log);
    assert_int_equal(small_file_replace(w.args.fs, path, (struct bytes){0}), 0);

    log = world_open(&w);
    append_data(log, 7, 3 * ROUNDS); // where the damaged index is the active segment's
    append_marker(log, 7, CONTROL_ABORT);
    struct log_txn_check *c = log_txn_check_begin(log, base, INT64_MAX);
    assert_non_null(c);
    append_data(log, 7, 3 * ROUNDS + 3);
    append_marker(log, 7, CONTROL_ABORT);
    log_txn_check_run(c);
    assert_int_equal(log_txn_check_end(log, c), 0);
    assert_int_equal(sim_each_aborted(log, 0, INT64_MAX, add_told, &told), 0);
    right.txns[right.count++] = (struct log_aborted){.producer_id = 7, .first_offset = end};
    right.txns[right.count++] = (struct log_aborted){.producer_id = 7, .first_offset = end + 4};
    assert_told(&told, &right);
    log_free(log);
    world_release(&w);
}

static void a_log_may_go_or_be_cut_while_it_is_checked(void **state)
{
    struct world w;
    struct told told = {0};
    make_closed_log(&w);
    struct log *log = world_open(&w);
    struct log_txn_check *c = log_txn_check_begin(log, 0, INT64_MAX);
    log_txn_check_run(c);
    assert_int_equal(log_txn_check_end(NULL, c), 0);
    c = log_txn_check_begin(log, 0, INT64_MAX);
    assert_int_equal(log_truncate_to(log, 10), 0);
    log_txn_check_run(c);
    assert_int_equal(log_txn_check_end(log, c), 0);
    assert_int_equal(log_each_aborted(log, 0, INT64_MAX, add_told, &told), ERR_AGAIN);
    assert_int_equal(sim_each_aborted(log, 0, INT64_MAX, add_told, &told), 0);
    assert_int_equal(told.count, 0);
    log_free(log);
    world_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_index_is_checked_once_and_before_it_is_used),
        cmocka_unit_test(a_harmed_index_is_made_again),
        cmocka_unit_test(so_is_one_of_a_compacted_log),
        cmocka_unit_test(what_is_appended_meanwhile_stays),
        cmocka_unit_test(a_log_may_go_or_be_cut_while_it_is_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
