// SPDX-License-Identifier: Apache-2.0
//
// Transactions as one partition sees them: what begins and ends them, and what must be refused.
#include "testing.h"

#include <stdio.h>

#include "log/producer_state.h"

enum { PID = 9, NOW_MS = 5000 };

// One step of a story about the producer.
struct step {
    enum { VERIFY, DATA, PLAIN, OFFSETS, COMMIT, ABORT } what;
    int16_t epoch;
    int32_t sequence;       // of VERIFY, DATA, PLAIN
    int guard;              // VERIFY: where to keep it, or -1: none needed. DATA, OFFSETS: which to present
    bool adds;              // VERIFY
    int8_t version;         // COMMIT, ABORT: of the transaction
    int32_t coordinator_epoch;
    enum log_verdict verdict;
};

struct story {
    const char *title;
    struct step steps[10];
};

static const struct story stories[] = {
    {"a verified batch begins a transaction, and what follows needs no guard",
     {{VERIFY, 0, 0, 1}, {DATA, 0, 0, 1}, {VERIFY, 0, 1, -1}, {DATA, 0, 1, 0},
      {COMMIT, 0, .verdict = LOG_APPENDED}}},
    {"without a guard nothing begins",
     {{DATA, 0, 0, 0, .verdict = LOG_INVALID_TXN_STATE},
      {VERIFY, 0, 0, 1}, {DATA, 0, 0, 0, .verdict = LOG_INVALID_TXN_STATE}, {DATA, 0, 0, 1}}},
    {"a marker makes the guard void",
     {{VERIFY, 0, 0, 1}, {ABORT, 0}, {DATA, 0, 0, 1, .verdict = LOG_INVALID_TXN_STATE}}},
    {"also when another verification has begun since",
     {{VERIFY, 0, 0, 1}, {ABORT, 0}, {VERIFY, 0, 0, 2}, {DATA, 0, 0, 1, .verdict = LOG_INVALID_TXN_STATE},
      {DATA, 0, 0, 2}}},
    {"the first batch makes it void, too: the transaction that it began may be over",
     {{VERIFY, 0, 0, 1}, {VERIFY, 0, 1, 2}, {DATA, 0, 0, 1}, {COMMIT, 0},
      {DATA, 0, 1, 2, .verdict = LOG_INVALID_TXN_STATE}}},
    {"batches that are verified together share the guard",
     {{VERIFY, 0, 0, 1}, {VERIFY, 0, 1, 2}, {DATA, 0, 0, 2}, {DATA, 0, 1, 1}}},
    {"a later batch does not overtake the first one",
     {{VERIFY, 0, 0, 1}, {VERIFY, 0, 1, 2}, {DATA, 0, 1, 2, .verdict = LOG_OUT_OF_ORDER_SEQUENCE},
      {DATA, 0, 0, 1}, {DATA, 0, 1, 0}}},
    {"sequences of a new epoch count anew",
     {{VERIFY, 0, 0, 1}, {VERIFY, 1, 7, 1}, {DATA, 1, 7, 1}}},
    {"where batches add their partition, sequences begin at 0",
     {{VERIFY, 0, 5, 1, .adds = true}, {DATA, 0, 5, 1, .verdict = LOG_OUT_OF_ORDER_SEQUENCE}}},
    {"and in the next transaction again, after the marker has raised the epoch",
     {{VERIFY, 0, 0, 1, .adds = true}, {DATA, 0, 0, 1}, {COMMIT, 1, .version = 2},
      {VERIFY, 1, 3, 1, .adds = true}, {DATA, 1, 3, 1, .verdict = LOG_OUT_OF_ORDER_SEQUENCE},
      {VERIFY, 1, 0, 1, .adds = true}, {DATA, 1, 0, 1}}},
    {"a batch that comes twice is known, with no guard",
     {{VERIFY, 0, 0, 1}, {DATA, 0, 0, 1}, {COMMIT, 0}, {DATA, 0, 0, 0, .verdict = LOG_DUPLICATE}}},
    {"the old epoch needs a guard while the new one has a transaction open, and is refused with it",
     {{VERIFY, 1, 0, 1}, {DATA, 1, 0, 1}, {DATA, 0, 0, 0, .verdict = LOG_INVALID_TXN_STATE},
      {VERIFY, 0, 0, 1}, {DATA, 0, 0, 1, .verdict = LOG_INVALID_PRODUCER_EPOCH}}},
    {"what is not of the transaction does not go into it",
     {{VERIFY, 0, 0, 1}, {DATA, 0, 0, 1}, {PLAIN, 0, 1, .verdict = LOG_INVALID_TXN_STATE}}},
    {"offsets have no sequences",
     {{VERIFY, 0, -1, 1}, {OFFSETS, 0, .guard = 1}, {OFFSETS, 0}, {VERIFY, 0, -1, -1}, {COMMIT, 0},
      {OFFSETS, 0, .verdict = LOG_INVALID_TXN_STATE}}},
    {"offsets of an old epoch",
     {{VERIFY, 1, -1, 1}, {OFFSETS, 1, .guard = 1}, {COMMIT, 1}, {VERIFY, 0, -1, 1},
      {OFFSETS, 0, .guard = 1, .verdict = LOG_INVALID_PRODUCER_EPOCH}}},
    {"a marker of version 1 has the epoch of the records, or a later one",
     {{VERIFY, 3, 0, 1}, {DATA, 3, 0, 1}, {COMMIT, 2, .version = 1, .verdict = LOG_INVALID_PRODUCER_EPOCH},
      {COMMIT, 3, .version = 1}, {ABORT, 4, .version = 1}}},
    {"one of version 2 is above it, so that a late one ends nothing",
     {{VERIFY, 3, 0, 1}, {DATA, 3, 0, 1}, {COMMIT, 3, .version = 2, .verdict = LOG_INVALID_PRODUCER_EPOCH},
      {COMMIT, 4, .version = 2}, {VERIFY, 4, 0, 1}, {DATA, 4, 0, 1},
      {COMMIT, 4, .version = 2, .verdict = LOG_INVALID_PRODUCER_EPOCH}, {ABORT, 5, .version = 2}}},
    {"and may come twice while nothing is open",
     {{VERIFY, 3, 0, 1}, {DATA, 3, 0, 1}, {COMMIT, 4, .version = 2}, {COMMIT, 4, .version = 2},
      {COMMIT, 3, .version = 2, .verdict = LOG_INVALID_PRODUCER_EPOCH}}},
    {"a coordinator that was deposed ends nothing",
     {{VERIFY, 0, 0, 1}, {DATA, 0, 0, 1}, {ABORT, 0, .coordinator_epoch = 5}, {VERIFY, 0, 1, 1},
      {DATA, 0, 1, 1}, {COMMIT, 0, .coordinator_epoch = 4, .verdict = LOG_COORDINATOR_FENCED},
      {COMMIT, 0, .coordinator_epoch = 6}}},
};

static int64_t guards[3];

static enum log_verdict append_data(struct log *log, const struct step *s)
{
    struct buf batch;
    struct log_append_info info;
    bool is_offsets = s->what == OFFSETS;
    const struct log_writer writer = {
        .needs_verification = true,
        .is_coordinator = is_offsets,
        .guard = guards[s->guard],
    };
    make_batch(&batch, 1, 3, 1000, PID, s->epoch, is_offsets ? 0 : s->sequence,
               s->what == PLAIN ? 0 : BATCH_TRANSACTIONAL);
    assert_int_equal(log_append_as(log, batch.data, batch.size, 3, NOW_MS, &writer, &info), 0);
    buf_release(&batch);
    return info.verdict;
}

static enum log_verdict append_end(struct log *log, const struct step *s)
{
    struct buf batch;
    struct log_append_info info;
    struct batch_options options = BATCH_OPTIONS_DEFAULT;
    const struct log_writer writer = {.is_coordinator = true, .transaction_version = s->version};
    enum control_type type = s->what == COMMIT ? CONTROL_COMMIT : CONTROL_ABORT;
    options.producer_id = PID;
    options.producer_epoch = s->epoch;
    buf_init(&batch, 200);
    assert_int_equal(
        batch_append_end_txn_marker(&batch, &options, type, s->coordinator_epoch, 1000, NULL), 0);
    assert_int_equal(log_append_as(log, batch.data, batch.size, 3, NOW_MS, &writer, &info), 0);
    buf_release(&batch);
    return info.verdict;
}

static void do_step(struct log *log, const struct step *s)
{
    if (s->what == VERIFY) {
        const struct log_verification v = {PID, s->sequence, s->epoch, s->adds};
        int64_t guard = -1;
        assert_int_equal(log_begin_verification(log, &v, NOW_MS, &guard), 0);
        assert_int_equal(guard == LOG_GUARD_NONE, s->guard < 0);
        if (s->guard > 0)
            guards[s->guard] = guard;
        return;
    }
    enum log_verdict verdict =
        s->what == COMMIT || s->what == ABORT ? append_end(log, s) : append_data(log, s);
    if (verdict != s->verdict)
        print_error("verdict %d instead of %d\n", verdict, s->verdict);
    assert_int_equal(verdict, s->verdict);
}

static bool is_step(const struct step *s)
{
    const struct step none = {0};
    return s->what != none.what || s->guard != 0;
}

static void stories_end_as_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof stories / sizeof stories[0]; i++) {
        struct world w;
        world_init(&w);
        struct log *log = world_create(&w);
        print_message("%s\n", stories[i].title);
        for (const struct step *s = stories[i].steps; s < stories[i].steps + 10 && is_step(s); s++)
            do_step(log, s);
        log_free(log);
        world_release(&w);
    }
}

static int64_t begin(struct log *log, int64_t producer_id, int64_t now_ms)
{
    const struct log_verification v = {producer_id, 0, 0, false};
    int64_t guard = -1;
    assert_int_equal(log_begin_verification(log, &v, now_ms, &guard), 0);
    return guard;
}

// Who never comes back is forgotten, and there is room for so many.
static void verifications_are_bounded(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    w.args.config.producer_id_expiration_ms = 1000;
    struct log *log = world_create(&w);
    int64_t first = begin(log, 1, 0), second = begin(log, 2, 0);
    for (int i = 0; i < VERIFICATIONS_MAX - 1; i++)
        begin(log, 10 + i, 500);
    assert_int_equal(begin(log, 2, 500), second);
    assert_int_not_equal(begin(log, 1, 500), first);
    int64_t kept = begin(log, 10 + VERIFICATIONS_MAX - 2, 500);
    assert_int_equal(log_expire_producers(log, 1499), 0);
    assert_int_equal(begin(log, 10 + VERIFICATIONS_MAX - 2, 500), kept);
    assert_int_equal(log_expire_producers(log, 1500), 0);
    assert_int_not_equal(begin(log, 10 + VERIFICATIONS_MAX - 2, 500), kept);
    log_free(log);
    world_release(&w);
}

// Transactional records of a producer, which need no verification; returns the base offset.
static int64_t append_open(struct log *log, int64_t producer_id, int32_t sequence, int count)
{
    struct buf batch;
    struct log_append_info info;
    make_batch(&batch, count, 3, 1000, producer_id, 0, sequence, BATCH_TRANSACTIONAL);
    assert_int_equal(append_batch(log, &batch, &info), 0);
    assert_int_equal(info.verdict, LOG_APPENDED);
    return info.base_offset;
}

// DeleteRecords may take the beginning of an open transaction: what is stable does not end before what is
// there.
static void the_log_start_moves_into_a_transaction(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    struct log *log = world_create(&w);
    append_open(log, PID, 0, 5);
    append_plain(log, 5, 3, 1000);
    log_set_high_watermark(log, 10);
    assert_int_equal(log_last_stable_offset(log), 0);
    assert_int_equal(log_set_start_offset(log, 7), 0);
    assert_int_equal(log_last_stable_offset(log), 7);
    assert_int_equal(append_end(log, &(struct step){.what = ABORT}), LOG_APPENDED);
    log_set_high_watermark(log, 11);
    assert_int_equal(log_last_stable_offset(log), 11);
    log_free(log);
    world_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stories_end_as_told),
        cmocka_unit_test(verifications_are_bounded),
        cmocka_unit_test(the_log_start_moves_into_a_transaction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
