// SPDX-License-Identifier: Apache-2.0
//
// The runtime of coordinators, with a state machine that remembers the offsets of one group and a log that
// is a buffer.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "coordinator/coordinator.h"
#include "wire/batch.h"
#include "wire/record/offset_commit_key.h"
#include "wire/record/offset_commit_value.h"

enum { PARTITIONS = 8, BATCH_BYTES_MAX = 1000 };

struct fixture {
    struct coordinator *c;
    int64_t offsets[PARTITIONS]; // the state: -1 none
    int replayed;
    int ended_transactions;
    struct buf log;
    int64_t log_end;
    int batches;
    int append_error;
    int refusal;
    int64_t producer_id;           // of the record that was replayed last
    int64_t replayed_offset;
    coordinator_ticket replayed_ticket; // when a transaction ended
    struct coordinator_txn appended;    // with the last batch of a transaction
    enum kafka_error txn_error;    // what the log says of those
};

static int replay(void *state, const struct coordinator_record_type *type, struct bytes key,
                  struct bytes value, const struct coordinator_origin *origin, struct diag *diag)
{
    struct fixture *f = state;
    struct arena arena;
    struct offset_commit_key k;
    struct offset_commit_value v;
    struct bytes rest;
    int16_t version;
    f->producer_id = origin->producer_id;
    f->replayed_offset = origin->offset;
    arena_init(&arena, 4096);
    coordinator_prefix_read(key, &version, &rest);
    if (wire_decode(type->key, 0, rest, &arena, &k, NULL) != 0)
        return diag_set(diag, ERR_CORRUPT, "bad key");
    int64_t offset = -1;
    if (value.data != NULL) {
        coordinator_prefix_read(value, &version, &rest);
        if (wire_decode(type->value, version, rest, &arena, &v, NULL) != 0)
            return diag_set(diag, ERR_CORRUPT, "bad value");
        offset = v.offset;
    }
    f->offsets[k.partition % PARTITIONS] = offset;
    f->replayed++;
    arena_release(&arena);
    return 0;
}

static void replay_end(void *state, int64_t producer_id, int16_t producer_epoch, bool committed)
{
    struct fixture *f = state;
    assert_int_equal(producer_id, 7);
    assert_int_equal(producer_epoch, 1);
    f->ended_transactions += committed ? 1 : 100;
    f->replayed_ticket = coordinator_replayed_ticket(f->c);
}

static const struct coordinator_machine machine = {COORDINATOR_LOG_GROUP, replay, replay_end};

static int append(void *context, uint8_t *batch, size_t size, int64_t *end_offset)
{
    struct fixture *f = context;
    struct batch_header header;
    if (f->append_error != 0)
        return f->append_error;
    batch_set_base_offset(batch, f->log_end);
    assert_int_equal(batch_header_parse(bytes_of(batch, size), &header), 0);
    assert_true(batch_crc_is_valid(bytes_of(batch, size)));
    f->log_end = batch_last_offset(&header) + 1;
    f->batches++;
    buf_append(&f->log, batch, size);
    *end_offset = f->log_end;
    return 0;
}

static int append_txn(void *context, const struct coordinator_txn *txn, uint8_t *batch, size_t size,
                      int64_t *end_offset, enum kafka_error *error)
{
    struct fixture *f = context;
    struct batch_header header;
    assert_int_equal(batch_header_parse(bytes_of(batch, size), &header), 0);
    assert_true(batch_is_transactional(&header));
    assert_int_equal(header.producer_id, txn->producer_id);
    assert_int_equal(header.producer_epoch, txn->producer_epoch);
    *error = f->txn_error;
    if (f->txn_error != KAFKA_NONE)
        return 0;
    f->appended = *txn;
    return append(context, batch, size, end_offset);
}

static int may_append(void *context)
{
    return ((struct fixture *)context)->refusal;
}

static void make(struct fixture *f)
{
    for (int i = 0; i < PARTITIONS; i++)
        f->offsets[i] = -1;
    f->c = coordinator_new(&(struct coordinator_options){
        .machine = &machine,
        .state = f,
        .name = "__consumer_offsets-0",
        .append = append,
        .append_txn = append_txn,
        .may_append = may_append,
        .append_context = f,
        .batch_bytes_max = BATCH_BYTES_MAX,
    });
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    buf_init(&f->log, 1 << 20);
    make(f);
    coordinator_activate(f->c, 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    coordinator_fail(f->c, KAFKA_NOT_COORDINATOR);
    coordinator_free(f->c);
    buf_release(&f->log);
    free(f);
    return 0;
}

static const struct coordinator_time now = {1000, 1700000000000};

static void write_offset(struct fixture *f, int32_t partition, int64_t offset, const char *metadata)
{
    struct offset_commit_key key;
    struct offset_commit_value value;
    offset_commit_key_init(&key);
    offset_commit_value_init(&value);
    key.group = str_from("g");
    key.topic = str_from("t");
    key.partition = partition;
    value.offset = offset;
    value.metadata = str_from(metadata);
    coordinator_write(f->c, GROUP_RECORD_OFFSET_COMMIT, 3, &key, offset < 0 ? NULL : &value);
}

static coordinator_ticket commit(struct fixture *f, int32_t partition, int64_t offset)
{
    coordinator_ticket ticket = -1;
    coordinator_begin(f->c, &now);
    write_offset(f, partition, offset, "");
    assert_int_equal(coordinator_end(f->c, &ticket), 0);
    return ticket;
}

struct reply {
    struct coordinator_waiter waiter;
    int calls;
    enum kafka_error error;
    int order;
};

static int order_next;

static void replied(struct coordinator_waiter *w, enum kafka_error error)
{
    struct reply *r = container_of(w, struct reply, waiter);
    r->calls++;
    r->error = error;
    r->order = ++order_next;
}

static void wait(struct fixture *f, struct reply *r, coordinator_ticket ticket)
{
    *r = (struct reply){.waiter.done = replied};
    coordinator_wait(f->c, &r->waiter, ticket);
}

static void test_a_reply_waits_for_its_records(void **state)
{
    struct fixture *f = *state;
    struct reply first, second, reader;
    wait(f, &first, commit(f, 0, 10));
    assert_int_equal(f->offsets[0], 10); // the next command sees it
    assert_int_equal(f->batches, 0);
    assert_int_equal(coordinator_awaited_offset(f->c), -1);
    assert_int_equal(coordinator_flush(f->c), 0);
    assert_int_equal(coordinator_awaited_offset(f->c), 1);
    coordinator_ticket ticket = commit(f, 1, 20);
    wait(f, &second, ticket);
    wait(f, &reader, ticket);
    coordinator_committed(f->c, 0);
    assert_int_equal(first.calls, 0);
    coordinator_committed(f->c, 1);
    assert_int_equal(first.calls, 1);
    assert_int_equal(first.error, KAFKA_NONE);
    assert_int_equal(second.calls, 0);
    coordinator_flush(f->c);
    coordinator_committed(f->c, 2);
    assert_int_equal(second.calls, 1);
    assert_int_equal(reader.calls, 1);
    assert_true(first.order < second.order && second.order < reader.order);
    assert_int_equal(coordinator_awaited_offset(f->c), -1);
}

static void test_what_is_committed_is_not_waited_for(void **state)
{
    struct fixture *f = *state;
    struct reply nothing, late;
    wait(f, &nothing, 0);
    assert_int_equal(nothing.calls, 1);
    coordinator_ticket ticket = commit(f, 0, 1);
    coordinator_flush(f->c);
    coordinator_committed(f->c, 1);
    wait(f, &late, ticket);
    assert_int_equal(late.calls, 1);
}

static void at(struct fixture *f, int64_t mono_ms)
{
    coordinator_set_time(f->c, &(struct coordinator_time){.mono_ms = mono_ms});
}

// The oldest record that is not committed says how long the log has been standing still.
static void test_how_long_records_wait(void **state)
{
    struct fixture *f = *state;
    commit(f, 0, 1);
    at(f, now.mono_ms + 30);
    assert_int_equal(coordinator_waiting_ms(f->c), 30);
    coordinator_flush(f->c);
    assert_int_equal(coordinator_waiting_ms(f->c), 30);
    coordinator_committed(f->c, 1);
    assert_int_equal(coordinator_waiting_ms(f->c), 0);
    commit(f, 0, 2); // at `now`
    coordinator_flush(f->c);
    at(f, now.mono_ms + 50);
    coordinator_ticket ticket;
    coordinator_begin(f->c, coordinator_now(f->c));
    write_offset(f, 0, 3, "");
    assert_int_equal(coordinator_end(f->c, &ticket), 0);
    at(f, now.mono_ms + 70);
    assert_int_equal(coordinator_waiting_ms(f->c), 70);
    coordinator_committed(f->c, 2);
    assert_int_equal(coordinator_waiting_ms(f->c), 20);
}

static void test_waits_are_in_order_of_tickets(void **state)
{
    struct fixture *f = *state;
    struct reply older, newer;
    coordinator_ticket first = commit(f, 0, 1);
    coordinator_flush(f->c);
    wait(f, &newer, commit(f, 0, 2));
    wait(f, &older, first);
    coordinator_committed(f->c, 1);
    assert_int_equal(older.calls, 1);
    assert_int_equal(newer.calls, 0);
    coordinator_fail(f->c, KAFKA_NOT_COORDINATOR);
    assert_int_equal(newer.error, KAFKA_NOT_COORDINATOR);
}

static void test_commands_share_a_batch_and_stay_whole(void **state)
{
    struct fixture *f = *state;
    char metadata[120];
    memset(metadata, 'm', sizeof metadata - 1);
    metadata[sizeof metadata - 1] = '\0';
    for (int i = 0; i < 8; i++) {
        coordinator_ticket ticket;
        coordinator_begin(f->c, &now);
        write_offset(f, i, i, metadata);
        write_offset(f, (i + 1) % PARTITIONS, i, metadata);
        assert_int_equal(coordinator_end(f->c, &ticket), 0);
    }
    coordinator_flush(f->c);
    assert_int_equal(f->batches, 4); // two commands fit into each
    assert_int_equal(f->log_end, 16);
    struct bytes rest = buf_bytes(&f->log), batch;
    struct batch_header header;
    while (batch_next(&rest, &header, &batch) == 1) {
        assert_int_equal(header.record_count, 4);
        assert_true(batch.size <= BATCH_BYTES_MAX);
    }
}

static void test_a_command_that_cannot_be_written_changes_nothing(void **state)
{
    struct fixture *f = *state;
    coordinator_ticket ticket = -1;
    char metadata[BATCH_BYTES_MAX + 1];
    memset(metadata, 'm', sizeof metadata - 1);
    metadata[sizeof metadata - 1] = '\0';
    coordinator_begin(f->c, &now);
    write_offset(f, 0, 5, "");
    write_offset(f, 1, 5, metadata);
    assert_int_equal(coordinator_end(f->c, &ticket), ERR_LIMIT);
    assert_int_equal(f->offsets[0], -1);
    assert_int_equal(coordinator_failure(f->c), 0);
    f->refusal = ERR_NOSPC;
    coordinator_begin(f->c, &now);
    write_offset(f, 0, 5, "");
    assert_int_equal(coordinator_end(f->c, &ticket), ERR_NOSPC);
    assert_int_equal(f->replayed, 0);
    coordinator_begin(f->c, &now);
    assert_int_equal(coordinator_end(f->c, &ticket), 0); // nothing to write: no refusal
    assert_int_equal(ticket, 0);
    f->refusal = 0;
    coordinator_begin(f->c, &now);
    write_offset(f, 0, 5, "");
    coordinator_abandon(f->c);
    assert_false(coordinator_has_batch(f->c));
    commit(f, 0, 6);
    assert_int_equal(f->offsets[0], 6);
}

static int write_one(struct fixture *f, int32_t partition, const char *metadata)
{
    coordinator_ticket ticket;
    coordinator_begin(f->c, &now);
    write_offset(f, partition, 1, metadata);
    return coordinator_end(f->c, &ticket);
}

static void test_a_series_is_one_to_the_log(void **state)
{
    struct fixture *f = *state;
    char metadata[400];
    memset(metadata, 'm', sizeof metadata - 1);
    metadata[sizeof metadata - 1] = '\0';
    assert_int_equal(write_one(f, 7, metadata), 0);
    assert_int_equal(write_one(f, 7, ""), 0);
    coordinator_begin_series(f->c);
    assert_int_equal(write_one(f, 0, ""), 0); // into a batch of its own: half of the other is full
    assert_int_equal(f->batches, 1);
    f->refusal = ERR_NOSPC; // comes too late
    assert_int_equal(write_one(f, 1, metadata), 0);
    coordinator_end_series(f->c);
    assert_int_equal(f->batches, 1);
    coordinator_flush(f->c);
    assert_int_equal(f->batches, 2);
    assert_int_equal(f->log_end, 4);
}

static void test_half_a_series_is_not_seen(void **state)
{
    struct fixture *f = *state;
    char metadata[700];
    memset(metadata, 'm', sizeof metadata - 1);
    metadata[sizeof metadata - 1] = '\0';
    f->refusal = ERR_NOSPC;
    coordinator_begin_series(f->c);
    assert_int_equal(write_one(f, 0, ""), ERR_NOSPC); // nothing was written: nothing happened
    coordinator_end_series(f->c);
    assert_int_equal(coordinator_failure(f->c), 0);
    f->refusal = 0;
    coordinator_begin_series(f->c);
    coordinator_begin_series(f->c);
    assert_int_equal(write_one(f, 0, metadata), 0);
    coordinator_end_series(f->c);
    assert_int_equal(write_one(f, 1, metadata), ERR_LIMIT);
    coordinator_end_series(f->c);
    assert_int_equal(coordinator_failure(f->c), ERR_LIMIT);
    assert_int_equal(coordinator_flush(f->c), ERR_LIMIT);
    assert_int_equal(f->batches, 0);
}

static void test_a_failed_append_ends_everything(void **state)
{
    struct fixture *f = *state;
    struct reply durable, lost, after;
    wait(f, &durable, commit(f, 0, 1));
    coordinator_flush(f->c);
    wait(f, &lost, commit(f, 0, 2));
    f->append_error = ERR_IO;
    assert_int_equal(coordinator_flush(f->c), ERR_IO);
    assert_int_equal(coordinator_failure(f->c), ERR_IO);
    coordinator_ticket ticket;
    coordinator_begin(f->c, &now);
    write_offset(f, 0, 3, "");
    assert_int_equal(coordinator_end(f->c, &ticket), ERR_IO);
    coordinator_fail(f->c, coordinator_error(ERR_IO));
    assert_int_equal(durable.error, KAFKA_NOT_COORDINATOR);
    assert_int_equal(lost.error, KAFKA_NOT_COORDINATOR);
    wait(f, &after, 99);
    assert_int_equal(after.error, KAFKA_NOT_COORDINATOR);
}

static void test_the_log_gives_the_state_again(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 40; i++) {
        commit(f, i * 5 % PARTITIONS, i % 7 == 3 ? -1 : i);
        if (i % 3 == 0)
            coordinator_flush(f->c);
    }
    coordinator_flush(f->c);
    int64_t before[PARTITIONS];
    memcpy(before, f->offsets, sizeof before);
    coordinator_fail(f->c, KAFKA_NOT_COORDINATOR);
    coordinator_free(f->c);
    make(f);
    struct diag diag = {{0}};
    assert_int_equal(coordinator_load(f->c, buf_bytes(&f->log), &diag), 0);
    assert_int_equal(coordinator_loaded_offset(f->c), 40);
    coordinator_activate(f->c, f->log_end);
    assert_memory_equal(before, f->offsets, sizeof before);
}

static void test_loading_unknown_types_and_markers(void **state)
{
    struct fixture *f = *state;
    struct batch_options options = BATCH_OPTIONS_DEFAULT;
    struct batch_builder b;
    const uint8_t unknown_key[] = {0x03, 0xe8, 1, 2, 3}; // type 1000
    struct diag diag = {{0}};
    batch_builder_begin(&b, &f->log, &options);
    batch_builder_add(&b, 1, bytes_of(unknown_key, sizeof unknown_key), bytes_of("v", 1), NULL, 0);
    assert_int_equal(batch_builder_finish(&b, NULL), 0);
    options.base_offset = 1;
    options.producer_id = 7;
    options.producer_epoch = 1;
    assert_int_equal(batch_append_end_txn_marker(&f->log, &options, CONTROL_COMMIT, 0, 1, NULL), 0);
    options.base_offset = 2;
    assert_int_equal(batch_append_end_txn_marker(&f->log, &options, CONTROL_ABORT, 0, 1, NULL), 0);
    coordinator_fail(f->c, KAFKA_NOT_COORDINATOR);
    coordinator_free(f->c);
    make(f);
    assert_int_equal(coordinator_load(f->c, buf_bytes(&f->log), &diag), 0);
    assert_int_equal(f->replayed, 0);
    assert_int_equal(f->ended_transactions, 101);
    assert_int_equal(coordinator_loaded_offset(f->c), 3);
}

static void test_a_bad_record_is_told_with_its_offset(void **state)
{
    struct fixture *f = *state;
    struct batch_options options = BATCH_OPTIONS_DEFAULT;
    struct batch_builder b;
    const uint8_t key[] = {0, 1, 0, 50, 'x'}; // OffsetCommit with a group of 50 bytes that is not there
    struct diag diag = {{0}};
    options.base_offset = 41;
    batch_builder_begin(&b, &f->log, &options);
    batch_builder_add(&b, 1, bytes_of(key, sizeof key), bytes_of(NULL, 0), NULL, 0);
    assert_int_equal(batch_builder_finish(&b, NULL), 0);
    coordinator_fail(f->c, KAFKA_NOT_COORDINATOR);
    coordinator_free(f->c);
    make(f);
    assert_int_equal(coordinator_load(f->c, buf_bytes(&f->log), &diag), ERR_CORRUPT);
    assert_non_null(strstr(diag.text, "offset 41"));
    assert_non_null(strstr(diag.text, "OffsetCommit"));
}

struct alarm {
    struct coordinator_timer timer;
    struct fixture *f;
    int fired;
    int64_t again_ms;
};

static void rings(struct coordinator_timer *t)
{
    struct alarm *a = container_of(t, struct alarm, timer);
    a->fired++;
    if (a->again_ms > 0)
        coordinator_set_timer(a->f->c, t, coordinator_now(a->f->c)->mono_ms + a->again_ms, rings);
}

static void test_timers(void **state)
{
    struct fixture *f = *state;
    struct alarm once = {.f = f}, often = {.f = f, .again_ms = 10}, never = {.f = f};
    assert_int_equal(coordinator_deadline_ms(f->c), INT64_MAX);
    coordinator_set_timer(f->c, &once.timer, 100, rings);
    coordinator_set_timer(f->c, &often.timer, 50, rings);
    coordinator_set_timer(f->c, &never.timer, 60, rings);
    coordinator_cancel_timer(f->c, &never.timer);
    assert_int_equal(coordinator_deadline_ms(f->c), 50);
    for (int64_t t = 0; t <= 100; t += 10)
        coordinator_advance(f->c, &(struct coordinator_time){t, t});
    assert_int_equal(once.fired, 1);
    assert_int_equal(often.fired, 6);
    assert_int_equal(never.fired, 0);
    assert_false(coordinator_timer_is_set(&once.timer));
    coordinator_fail(f->c, KAFKA_NOT_COORDINATOR);
    assert_false(coordinator_timer_is_set(&often.timer));
    coordinator_set_timer(f->c, &once.timer, 200, rings); // an ended one has no time any more
    assert_int_equal(coordinator_deadline_ms(f->c), INT64_MAX);
}

static void test_partition_of(void **state)
{
    // Hash codes as java.lang.String has them.
    static const struct {
        const char *key;
        int32_t count, partition;
    } cases[] = {
        {"", 50, 0},
        {"a", 50, 97 % 50},
        {"group", 50, 98629247 % 50},
        {"polygenelubricants", 50, 0},                // -2^31: abs gives 0
        {"console-consumer-12345", 50, 158455506 % 50},
        {"\xc3\xbc", 1000, 252},                      // U+00FC
        {"\xf0\x9f\x98\x80", 1000000000, 1772899},    // U+1F600: two surrogates, 31 * 0xd83d + 0xde00
        {"\xff", 1000000, 65533},                     // no UTF-8: U+FFFD
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(coordinator_partition_of(str_from(cases[i].key), cases[i].count),
                         cases[i].partition);
}

// ---- Transactions of producers ----

static const struct coordinator_txn a_txn = {
    .producer_id = 7, .producer_epoch = 1, .needs_verification = true, .guard = 4711};

static enum kafka_error commit_in_txn(struct fixture *f, int32_t partition, int64_t offset,
                                      coordinator_ticket *ticket)
{
    coordinator_begin(f->c, &now);
    write_offset(f, partition, offset, "");
    return coordinator_end_txn(f->c, &a_txn, ticket);
}

static void a_transaction_stands_behind_what_was_gathered(void **state)
{
    struct fixture *f = *state;
    coordinator_ticket plain, inside, ended, after;
    coordinator_begin(f->c, &now);
    write_offset(f, 1, 11, "");
    assert_int_equal(coordinator_end(f->c, &plain), 0);
    assert_int_equal(f->batches, 0);
    assert_int_equal(commit_in_txn(f, 2, 22, &inside), KAFKA_NONE);
    assert_int_equal(f->batches, 2);
    assert_int_equal(f->appended.guard, 4711);
    assert_int_equal(f->producer_id, 7);
    assert_int_equal(f->replayed_offset, 1);
    coordinator_begin(f->c, &now);
    write_offset(f, 3, 33, "");
    assert_int_equal(coordinator_end(f->c, &after), 0);
    assert_int_equal(f->replayed_offset, 2);
    const struct coordinator_txn end = {
        .producer_id = 7, .producer_epoch = 1, .is_commit = true, .coordinator_epoch = 5};
    assert_int_equal(coordinator_write_marker(f->c, &now, &end, &ended), KAFKA_NONE);
    assert_int_equal(f->batches, 4);
    assert_int_equal(f->ended_transactions, 1);
    assert_int_equal(f->replayed_ticket, ended);
    assert_true(plain < inside && inside < after && after < ended);
    coordinator_committed(f->c, 2);
    assert_true(coordinator_is_committed(f->c, inside));
    assert_false(coordinator_is_committed(f->c, after));
    coordinator_committed(f->c, 4);
    assert_true(coordinator_is_committed(f->c, ended));
}

// What the log refuses leaves no trace, and the coordinator goes on.
static void a_refused_transaction_changes_nothing(void **state)
{
    struct fixture *f = *state;
    coordinator_ticket ticket;
    f->txn_error = KAFKA_INVALID_PRODUCER_EPOCH;
    assert_int_equal(commit_in_txn(f, 2, 22, &ticket), KAFKA_INVALID_PRODUCER_EPOCH);
    assert_int_equal(coordinator_write_marker(f->c, &now, &a_txn, &ticket), KAFKA_INVALID_PRODUCER_EPOCH);
    f->txn_error = KAFKA_NONE;
    f->append_error = ERR_IO;
    assert_int_equal(commit_in_txn(f, 2, 22, &ticket), KAFKA_NOT_COORDINATOR);
    f->append_error = 0;
    f->refusal = ERR_NOSPC;
    assert_int_equal(commit_in_txn(f, 2, 22, &ticket), KAFKA_COORDINATOR_NOT_AVAILABLE);
    f->refusal = 0;
    assert_int_equal(f->replayed, 0);
    assert_int_equal(f->ended_transactions, 0);
    assert_int_equal(f->offsets[2], -1);
    assert_int_equal(coordinator_failure(f->c), 0);
    assert_int_equal(commit_in_txn(f, 2, 22, &ticket), KAFKA_NONE);
    assert_int_equal(f->offsets[2], 22);
}

static void a_transaction_that_writes_nothing_is_no_batch(void **state)
{
    struct fixture *f = *state;
    coordinator_ticket ticket = 1;
    coordinator_begin(f->c, &now);
    assert_int_equal(coordinator_end_txn(f->c, &a_txn, &ticket), KAFKA_NONE);
    assert_int_equal(ticket, 0);
    assert_int_equal(f->batches, 0);
}

// What it wrote means the same when it is loaded.
static void a_log_with_transactions_loads(void **state)
{
    struct fixture *f = *state;
    coordinator_ticket ticket;
    struct diag diag;
    struct coordinator_txn abort = a_txn;
    assert_int_equal(commit_in_txn(f, 2, 22, &ticket), KAFKA_NONE);
    assert_int_equal(coordinator_write_marker(f->c, &now, &abort, &ticket), KAFKA_NONE);
    coordinator_fail(f->c, KAFKA_NOT_COORDINATOR);
    coordinator_free(f->c);
    make(f);
    f->ended_transactions = 0;
    f->replayed = 0;
    assert_int_equal(coordinator_load(f->c, buf_bytes(&f->log), &diag), 0);
    assert_int_equal(f->replayed, 1);
    assert_int_equal(f->producer_id, 7);
    assert_int_equal(f->ended_transactions, 100);
    assert_int_equal(f->replayed_ticket, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(test_a_reply_waits_for_its_records),
        TEST(test_what_is_committed_is_not_waited_for),
        TEST(test_how_long_records_wait),
        TEST(test_waits_are_in_order_of_tickets),
        TEST(test_commands_share_a_batch_and_stay_whole),
        TEST(test_a_command_that_cannot_be_written_changes_nothing),
        TEST(test_a_series_is_one_to_the_log),
        TEST(test_half_a_series_is_not_seen),
        TEST(test_a_failed_append_ends_everything),
        TEST(test_the_log_gives_the_state_again),
        TEST(test_loading_unknown_types_and_markers),
        TEST(test_a_bad_record_is_told_with_its_offset),
        TEST(test_timers),
        cmocka_unit_test(test_partition_of),
        TEST(a_transaction_stands_behind_what_was_gathered),
        TEST(a_refused_transaction_changes_nothing),
        TEST(a_transaction_that_writes_nothing_is_no_batch),
        TEST(a_log_with_transactions_loads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
