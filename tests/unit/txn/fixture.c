// SPDX-License-Identifier: Apache-2.0
#include "fixture.h"

#include <inttypes.h>

#include "base/err.h"
#include "base/mem.h"
#include "txn_dump.h"
#include "metadata/replay.h"
#include "wire/batch.h"
#include "wire/metadata_record.h"
#include "wire/record/feature_level_record.h"

enum { LOG_MAX = 64 << 20, ANSWERS_MAX = 16 << 20, BATCH_MAX = 1 << 20 };

// ---- The log ----

static int append(void *context, uint8_t *batch, size_t size, int64_t *end_offset)
{
    struct fixture *f = context;
    struct batch_header header;
    if (f->append_error != 0)
        return f->append_error;
    assert_int_equal(batch_header_parse(bytes_of(batch, size), &header), 0);
    batch_set_base_offset(batch, f->end_offset);
    buf_append(&f->log, batch, size);
    f->end_offset += header.last_offset_delta + 1;
    *end_offset = f->end_offset;
    return 0;
}

static int may_append(void *context)
{
    const struct fixture *f = context;
    return f->refusal;
}

// Drops what was not committed.
static void log_cut(struct fixture *f)
{
    struct bytes rest = buf_bytes(&f->log), batch;
    struct batch_header header;
    size_t size = 0;
    while (batch_next(&rest, &header, &batch) == 1 && batch_last_offset(&header) < f->committed_offset)
        size += batch.size;
    f->log.size = size;
    f->end_offset = f->committed_offset;
}

int fixture_record_count(struct fixture *f)
{
    return (int)f->end_offset;
}

// ---- What the machine wants ----

static void note_marker(struct fixture *f, const struct txn_order *o)
{
    buf_printf(&f->markers, "%c%.*s-%d %" PRId64 "/%d v%d\n", o->is_commit ? '+' : '-',
               STR_ARG(o->topic), o->partition, o->producer_id, o->producer_epoch,
               o->transaction_version);
}

static void write_marker(void *context, struct txn_order *order)
{
    struct fixture *f = context;
    if (f->holds_markers) {
        assert_in_range(f->order_count, 0, ORDERS_MAX - 1);
        f->orders[f->order_count++] = order;
        return;
    }
    note_marker(f, order);
    txns_marked(f->txns, order, KAFKA_NONE, &f->now);
}

void fixture_marked(struct fixture *f, enum kafka_error error)
{
    assert_int_not_equal(f->order_count, 0);
    struct txn_order *order = f->orders[0];
    memmove(&f->orders[0], &f->orders[1], (size_t)--f->order_count * sizeof(f->orders[0]));
    if (error == KAFKA_NONE)
        note_marker(f, order);
    txns_marked(f->txns, order, error, &f->now);
    fixture_settle(f);
}

static void give_id(struct fixture *f, enum kafka_error error)
{
    txns_producer_id(f->txns, error, error == KAFKA_NONE ? f->next_producer_id++ : -1, &f->now);
}

static void want_producer_id(void *context)
{
    struct fixture *f = context;
    if (f->holds_ids)
        f->ids_wanted++;
    else
        give_id(f, KAFKA_NONE);
}

void fixture_give_id(struct fixture *f, enum kafka_error error)
{
    assert_int_not_equal(f->ids_wanted, 0);
    f->ids_wanted--;
    give_id(f, error);
    fixture_settle(f);
}

// ---- Coordinators ----

static struct coordinator *load(struct fixture *f, struct txns *t)
{
    struct diag diag;
    struct coordinator *c = coordinator_new(&(struct coordinator_options){
        .machine = &txns_machine,
        .state = t,
        .name = "__transaction_state-0",
        .append = append,
        .may_append = may_append,
        .append_context = f,
        .batch_bytes_max = BATCH_MAX,
    });
    txns_attach(t, c);
    diag_clear(&diag);
    if (coordinator_load(c, buf_bytes(&f->log), &diag) != 0)
        fail_msg("%s", diag.text);
    return c;
}

static struct txns *new_txns(struct fixture *f)
{
    return txns_new(&(struct txns_options){
        .config = f->config,
        .image = f->image,
        .hash_seed = {1, 2},
        .name = "__transaction_state-0",
        .write_marker = write_marker,
        .want_producer_id = want_producer_id,
        .context = f,
    });
}

static void stop(struct txns *t, struct coordinator *c)
{
    txns_end_all(t, KAFKA_NOT_COORDINATOR);
    coordinator_fail(c, KAFKA_NOT_COORDINATOR);
    txns_free(t);
    coordinator_free(c);
}

static void start(struct fixture *f)
{
    f->order_count = 0;
    f->ids_wanted = 0;
    f->txns = new_txns(f);
    f->coordinator = load(f, f->txns);
    coordinator_activate(f->coordinator, f->end_offset);
    txns_loaded(f->txns, &f->now);
    fixture_settle(f);
}

void fixture_reload(struct fixture *f)
{
    stop(f->txns, f->coordinator);
    log_cut(f);
    f->append_error = 0;
    start(f);
}

void fixture_load_log(struct fixture *f, const char *path)
{
    struct bytes rest, batch;
    struct batch_header header;
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    buf_clear(&f->log);
    uint8_t *p = buf_extend(&f->log, BATCH_MAX);
    f->log.size = fread(p, 1, BATCH_MAX, file);
    fclose(file);
    rest = buf_bytes(&f->log);
    while (batch_next(&rest, &header, &batch) == 1)
        f->end_offset = batch_last_offset(&header) + 1;
    assert_int_equal(rest.size, 0);
    f->committed_offset = f->end_offset;
    stop(f->txns, f->coordinator);
    start(f);
}

void fixture_init(struct fixture *f)
{
    *f = (struct fixture){
        .now = {.mono_ms = 1000000, .wall_ms = 1700000000000},
        .next_producer_id = PRODUCER_ID_FIRST,
    };
    buf_init(&f->log, LOG_MAX);
    buf_init(&f->markers, LOG_MAX);
    arena_init(&f->arena, ANSWERS_MAX);
    f->config = config_new();
    f->image = metadata_image_new();
    start(f);
    fixture_transaction_version(f, 2);
}

void fixture_release(struct fixture *f)
{
    stop(f->txns, f->coordinator);
    metadata_image_unref(f->image);
    config_free(f->config);
    arena_release(&f->arena);
    buf_release(&f->markers);
    buf_release(&f->log);
}

void fixture_set(struct fixture *f, const char *assignment)
{
    struct diag diag;
    if (config_override(f->config, assignment, &diag) != 0)
        fail_msg("%s", diag.text);
}

void fixture_transaction_version(struct fixture *f, int16_t level)
{
    struct metadata_image *image = metadata_image_fork(f->image), *before = f->image;
    struct feature_level_record record = {.name = str_from("transaction.version"),
                                          .feature_level = level};
    struct buf value;
    struct diag diag;
    buf_init(&value, BATCH_MAX);
    assert_int_equal(metadata_record_encode(METADATA_FEATURE_LEVEL_RECORD, 0, &record, &value), 0);
    assert_int_equal(metadata_replay(image, buf_bytes(&value), 1, &diag), 0);
    buf_release(&value);
    f->image = image;
    txns_set_image(f->txns, image);
    metadata_image_unref(before);
}

// ---- Time and commits ----

void fixture_commit(struct fixture *f)
{
    f->committed_offset = f->end_offset;
    coordinator_committed(f->coordinator, f->committed_offset);
}

void fixture_settle(struct fixture *f)
{
    // What is released by a commit may write again.
    do {
        coordinator_flush(f->coordinator);
        if (!f->holds_commits)
            fixture_commit(f);
    } while (coordinator_has_batch(f->coordinator) && coordinator_failure(f->coordinator) == 0);
}

void fixture_advance(struct fixture *f, int64_t ms)
{
    int64_t end = f->now.mono_ms + ms;
    while (f->now.mono_ms < end) {
        int64_t next = coordinator_deadline_ms(f->coordinator);
        int64_t step = (next < end ? next : end) - f->now.mono_ms;
        step = step < 1 ? 1 : step;
        f->now.mono_ms += step;
        f->now.wall_ms += step;
        coordinator_advance(f->coordinator, &f->now);
        fixture_settle(f);
    }
}

// ---- Requests ----

static void call_done(struct txn_call *inner)
{
    struct fixture_call *call = container_of(inner, struct fixture_call, call);
    assert_false(call->is_done); // once
    assert_false(inner->no_memory);
    call->is_done = true;
}

struct fixture_call *fixture_call_new(struct fixture *f, void *response, int16_t version)
{
    struct fixture_call *call = arena_new(&f->arena, struct fixture_call);
    assert_non_null(call);
    call->call = (struct txn_call){
        .arena = &f->arena, .version = version, .response = response, .done = call_done};
    return call;
}

struct init_producer_id_response fixture_init_producer(struct fixture *f, const char *id,
                                                       struct producer expected)
{
    struct init_producer_id_response reply;
    struct init_producer_id_request request;
    init_producer_id_response_init(&reply);
    init_producer_id_request_init(&request);
    request.transactional_id = str_from(id);
    request.transaction_timeout_ms = TIMEOUT_MS;
    request.producer_id = expected.id;
    request.producer_epoch = expected.epoch;
    struct fixture_call *call = fixture_call_new(f, &reply, 5);
    txns_init_producer_id(f->txns, &call->call, &f->now, &request);
    fixture_settle(f);
    assert_true(call->is_done);
    return reply;
}

struct producer fixture_begin(struct fixture *f, const char *id)
{
    struct init_producer_id_response reply = fixture_init_producer(f, id, (struct producer){-1, -1});
    assert_int_equal(reply.error_code, KAFKA_NONE);
    return (struct producer){reply.producer_id, reply.producer_epoch};
}

static enum kafka_error add(struct fixture *f, const char *id, struct producer p, const char *topic,
                            int32_t partition, bool verify_only)
{
    struct transaction_partition asked = {.topic = str_from(topic), .partition = partition, .error = -1};
    const struct txn_addition addition = {
        .transactional_id = str_from(id),
        .producer_id = p.id,
        .producer_epoch = p.epoch,
        .verify_only = verify_only,
        .client_version = TXN_VERSION_BUMP,
        .partitions = &asked,
        .partition_count = 1,
    };
    struct fixture_call *call = fixture_call_new(f, NULL, 5);
    txns_add(f->txns, &call->call, &f->now, &addition);
    fixture_settle(f);
    assert_true(call->is_done);
    return asked.error;
}

enum kafka_error fixture_add(struct fixture *f, const char *id, struct producer p, const char *topic,
                             int32_t partition)
{
    return add(f, id, p, topic, partition, false);
}

enum kafka_error fixture_verify(struct fixture *f, const char *id, struct producer p, const char *topic,
                                int32_t partition)
{
    return add(f, id, p, topic, partition, true);
}

struct end_txn_response fixture_end(struct fixture *f, int16_t version, const char *id,
                                    struct producer p, bool committed)
{
    struct end_txn_response reply;
    struct end_txn_request request = {str_from(id), p.id, p.epoch, committed};
    end_txn_response_init(&reply);
    struct fixture_call *call = fixture_call_new(f, &reply, version);
    txns_end(f->txns, &call->call, &f->now, &request);
    fixture_settle(f);
    assert_true(call->is_done);
    return reply;
}

void fixture_age(struct fixture *f, const char *id, int16_t epoch)
{
    struct txn *txn = txns_find(f->txns, str_from(id));
    struct transaction_log_value value;
    coordinator_set_time(f->coordinator, &f->now);
    assert_true(txn_record(txn, TXN_EMPTY, &value));
    value.producer_epoch = epoch;
    assert_int_equal(txn_write(f->txns, str_from(id), &value, &txn), 0);
    fixture_settle(f);
}

// ---- What is known ----

void fixture_expect(struct fixture *f, const char *id, const char *dump)
{
    struct txn *txn = txns_find(f->txns, str_from(id));
    struct buf out;
    if (dump == NULL) {
        assert_null(txn);
        return;
    }
    assert_non_null(txn);
    buf_init(&out, BATCH_MAX);
    txn_dump(txn, &out);
    buf_append(&out, "", 1);
    assert_string_equal((const char *)out.data, dump);
    buf_release(&out);
}

void fixture_expect_markers(struct fixture *f, const char *text)
{
    buf_append(&f->markers, "", 1);
    assert_string_equal((const char *)f->markers.data, text);
    buf_clear(&f->markers);
}

static void text_of(const struct txns *t, struct buf *out)
{
    buf_init(out, LOG_MAX);
    txns_dump(t, out);
    buf_append(out, "", 1);
}

void fixture_check_replay(struct fixture *f)
{
    struct txns *other = new_txns(f);
    struct coordinator *c = load(f, other);
    struct buf ours, theirs;
    text_of(f->txns, &ours);
    text_of(other, &theirs);
    assert_string_equal((const char *)theirs.data, (const char *)ours.data);
    buf_release(&ours);
    buf_release(&theirs);
    stop(other, c);
}
