// SPDX-License-Identifier: Apache-2.0
#include "coordinator/coordinator.h"

#include <inttypes.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/trace.h"
#include "wire/batch.h"
#include "wire/wire.h"

enum {
    RECORD_OVERHEAD_MAX = 32,              // of a record in a batch, beside key and value
    BATCH_MEMORY_MAX = 256 * 1024 * 1024,  // of a batch once it is decompressed
};

// A record of the open command; the bytes are in command_bytes.
struct command_record {
    const struct coordinator_record_type *type;
    size_t key_at;
    size_t value_at;
    size_t end;
    bool is_tombstone;
};

// A batch that is in the log and not committed.
struct flight {
    struct list_node node;
    coordinator_ticket ticket;
    int64_t end_offset;
    int64_t begin_mono_ms; // when its first record was written
};

struct coordinator {
    struct coordinator_options options;
    char *name;
    bool is_active;
    bool has_ended;  // coordinator_fail() was called, with:
    enum kafka_error end_error;
    int failure;
    struct coordinator_time now;

    bool in_command;
    int command_error;
    struct buf command_bytes;
    struct command_record *records;
    size_t record_count;
    size_t record_capacity;

    int series_depth;
    bool series_wrote;

    bool has_batch;
    struct buf batch_bytes;
    int64_t batch_begin_mono_ms;
    struct batch_builder builder;
    int64_t next_offset;              // of the next record
    coordinator_ticket open_ticket;   // of the batch that is gathered, or the next
    coordinator_ticket committed_ticket;
    int64_t committed_offset;
    struct list flights;
    struct list waiters;              // by ticket

    struct heap timers;
    struct buf scratch;               // decompressed records while loading
    bool has_warned;                  // of record types that nobody knows
};

struct coordinator *coordinator_new(const struct coordinator_options *options)
{
    struct coordinator *c = mem_new(struct coordinator);
    c->options = *options;
    c->name = mem_copy_text(options->name);
    c->options.name = c->name;
    c->open_ticket = 1;
    buf_init(&c->command_bytes, options->batch_bytes_max);
    buf_init(&c->batch_bytes, options->batch_bytes_max + BATCH_HEADER_SIZE);
    buf_init(&c->scratch, BATCH_MEMORY_MAX);
    list_init(&c->flights);
    list_init(&c->waiters);
    heap_init(&c->timers);
    return c;
}

void coordinator_free(struct coordinator *c)
{
    if (c == NULL)
        return;
    check(!c->in_command);
    check(list_empty(&c->waiters));
    struct list_node *n;
    while ((n = list_pop(&c->flights)) != NULL)
        mem_free(container_of(n, struct flight, node));
    heap_release(&c->timers);
    buf_release(&c->scratch);
    buf_release(&c->batch_bytes);
    buf_release(&c->command_bytes);
    mem_free(c->records);
    mem_free(c->name);
    mem_free(c);
}

bool coordinator_is_active(const struct coordinator *c)
{
    return c->is_active;
}

int coordinator_failure(const struct coordinator *c)
{
    return c->failure;
}

void coordinator_set_time(struct coordinator *c, const struct coordinator_time *now)
{
    c->now = *now;
}

const struct coordinator_time *coordinator_now(const struct coordinator *c)
{
    return &c->now;
}

// ---- Loading ----

static void warn_unknown(struct coordinator *c, int16_t type, int64_t offset)
{
    if (c->has_warned)
        return;
    c->has_warned = true;
    trace_warn(c->options.trace, "coordinator",
               "%s: the record at offset %" PRId64 " is of type %d, which this release does not know: it "
               "is skipped, as all of its kind",
               c->name, offset, type);
}

static int replay_record(struct coordinator *c, struct bytes key, struct bytes value,
                         const struct coordinator_origin *origin, struct diag *diag)
{
    int16_t prefix;
    struct bytes rest;
    if (key.data == NULL || coordinator_prefix_read(key, &prefix, &rest) != 0)
        return diag_set(diag, ERR_CORRUPT, "%s: the record at offset %" PRId64 " has no key", c->name,
                        origin->offset);
    const struct coordinator_record_type *type =
        coordinator_record_type_find(c->options.machine->log, prefix);
    if (type == NULL) {
        warn_unknown(c, prefix, origin->offset);
        return 0;
    }
    int err = c->options.machine->replay(c->options.state, type, key, value, origin, diag);
    if (err != 0)
        diag_prefix(diag, "%s: the record at offset %" PRId64 " (%s): ", c->name, origin->offset,
                    type->name);
    return err;
}

static int load_marker(struct coordinator *c, const struct batch_header *header,
                       const struct record *record)
{
    int16_t type;
    if (control_key_read(record->key, &type) != 0)
        return ERR_CORRUPT;
    if ((type == CONTROL_COMMIT || type == CONTROL_ABORT) && c->options.machine->replay_end != NULL)
        c->options.machine->replay_end(c->options.state, header->producer_id, header->producer_epoch,
                                       type == CONTROL_COMMIT);
    return 0;
}

static int load_batch(struct coordinator *c, const struct batch_header *header, struct bytes batch,
                      struct diag *diag)
{
    struct batch_iter it;
    struct record record;
    buf_clear(&c->scratch);
    int r = batch_iter_init(&it, batch, &c->scratch);
    while (r == 0 && (r = batch_iter_next(&it, &record)) == 1) {
        struct coordinator_origin origin = {
            .offset = record.offset,
            .timestamp_ms = record.timestamp,
            .producer_id = batch_is_transactional(header) ? header->producer_id : PRODUCER_ID_NONE,
            .producer_epoch = header->producer_epoch,
        };
        r = batch_is_control(header) ? load_marker(c, header, &record)
                                     : replay_record(c, record.key, record.value, &origin, diag);
        if (r != 0)
            return r;
    }
    if (r != 0)
        return diag_set(diag, r, "%s: the batch at offset %" PRId64 " cannot be read", c->name,
                        header->base_offset);
    return 0;
}

int coordinator_load(struct coordinator *c, struct bytes batches, struct diag *diag)
{
    check(!c->is_active);
    struct bytes rest = batches, batch;
    struct batch_header header;
    int r;
    while ((r = batch_next(&rest, &header, &batch)) == 1) {
        r = load_batch(c, &header, batch, diag);
        if (r != 0)
            return r;
        c->next_offset = batch_last_offset(&header) + 1;
    }
    if (r != 0)
        return diag_set(diag, r, "%s: what was read are not batches", c->name);
    return 0;
}

int64_t coordinator_loaded_offset(const struct coordinator *c)
{
    return c->next_offset;
}

void coordinator_activate(struct coordinator *c, int64_t end_offset)
{
    check(!c->is_active);
    c->is_active = true;
    c->next_offset = end_offset;
    c->committed_offset = end_offset;
    buf_release(&c->scratch);
    buf_init(&c->scratch, BATCH_MEMORY_MAX);
}

// ---- Commands ----

void coordinator_begin(struct coordinator *c, const struct coordinator_time *now)
{
    check(c->is_active && !c->in_command);
    c->in_command = true;
    c->command_error = 0;
    c->now = *now;
}

static struct command_record *record_add(struct coordinator *c)
{
    mem_grow(c->records, c->record_count, c->record_capacity);
    return &c->records[c->record_count++];
}

void coordinator_write(struct coordinator *c, int16_t type, int16_t version, const void *key,
                       const void *value)
{
    check(c->in_command);
    if (c->command_error != 0)
        return;
    const struct coordinator_record_type *t = coordinator_record_type_find(c->options.machine->log, type);
    check(t != NULL);
    struct command_record *record = record_add(c);
    *record = (struct command_record){.type = t, .is_tombstone = value == NULL};
    record->key_at = c->command_bytes.size;
    int err = coordinator_key_encode(t, key, &c->command_bytes);
    record->value_at = c->command_bytes.size;
    if (err == 0 && value != NULL)
        err = coordinator_value_encode(t, version, value, &c->command_bytes);
    record->end = c->command_bytes.size;
    c->command_error = err;
}

static void command_clear(struct coordinator *c)
{
    c->in_command = false;
    c->record_count = 0;
    buf_clear(&c->command_bytes);
}

void coordinator_abandon(struct coordinator *c)
{
    check(c->in_command);
    command_clear(c);
}

static struct bytes record_key(const struct coordinator *c, const struct command_record *r)
{
    return (struct bytes){c->command_bytes.data + r->key_at, r->value_at - r->key_at};
}

static struct bytes record_value(const struct coordinator *c, const struct command_record *r)
{
    if (r->is_tombstone)
        return (struct bytes){NULL, 0};
    return (struct bytes){c->command_bytes.data + r->value_at, r->end - r->value_at};
}

static void batch_begin(struct coordinator *c)
{
    struct batch_options options = BATCH_OPTIONS_DEFAULT;
    options.codec = (enum codec)c->options.codec;
    buf_clear(&c->batch_bytes);
    batch_builder_begin(&c->builder, &c->batch_bytes, &options);
    c->batch_begin_mono_ms = c->now.mono_ms;
    c->has_batch = true;
}

static void batch_add(struct coordinator *c)
{
    for (size_t i = 0; i < c->record_count; i++) {
        const struct command_record *r = &c->records[i];
        struct coordinator_origin origin = {
            .offset = c->next_offset,
            .timestamp_ms = c->now.wall_ms,
            .producer_id = PRODUCER_ID_NONE,
            .producer_epoch = PRODUCER_EPOCH_NONE,
        };
        batch_builder_add(&c->builder, c->now.wall_ms, record_key(c, r), record_value(c, r), NULL, 0);
        struct diag diag;
        diag_clear(&diag);
        // What was just encoded can be read.
        check(replay_record(c, record_key(c, r), record_value(c, r), &origin, &diag) == 0);
        c->next_offset++;
    }
}

size_t coordinator_record_bytes_max(const struct coordinator *c)
{
    size_t overhead = BATCH_HEADER_SIZE + RECORD_OVERHEAD_MAX;
    return c->options.batch_bytes_max > overhead ? c->options.batch_bytes_max - overhead : 0;
}

// Appends what is gathered if the command does not fit beside it. A series begins in a batch with half of
// its room left and stays in it.
static int make_room(struct coordinator *c)
{
    size_t size = c->command_bytes.size + c->record_count * RECORD_OVERHEAD_MAX;
    size_t max = c->options.batch_bytes_max;
    size_t gathered = c->has_batch ? batch_builder_size(&c->builder) : BATCH_HEADER_SIZE;
    if (BATCH_HEADER_SIZE + size > max || (c->series_wrote && gathered + size > max))
        return ERR_LIMIT;
    bool is_tight = gathered + size > max ||
                    (c->series_depth > 0 && !c->series_wrote && gathered > max / 2);
    return c->has_batch && is_tight ? coordinator_flush(c) : 0;
}

void coordinator_begin_series(struct coordinator *c)
{
    if (c->series_depth++ == 0)
        c->series_wrote = false;
}

void coordinator_end_series(struct coordinator *c)
{
    check(c->series_depth > 0);
    if (--c->series_depth == 0)
        c->series_wrote = false;
}

// Why the records of the command cannot be written now, or 0.
static int refusal(struct coordinator *c)
{
    int err = c->failure != 0 ? c->failure : c->command_error;
    if (err != 0 || c->record_count == 0)
        return err;
    if (c->options.may_append != NULL && !c->series_wrote)
        err = c->options.may_append(c->options.append_context);
    return err != 0 ? err : make_room(c);
}

int coordinator_end(struct coordinator *c, coordinator_ticket *ticket)
{
    check(c->in_command);
    int err = refusal(c);
    if (err != 0) {
        command_clear(c);
        if (c->series_wrote && c->failure == 0)
            c->failure = err; // half a series must not be seen
        return err;
    }
    *ticket = 0;
    if (c->record_count > 0) {
        if (!c->has_batch)
            batch_begin(c);
        batch_add(c);
        c->series_wrote = c->series_depth > 0;
        *ticket = c->open_ticket;
    }
    command_clear(c);
    return 0;
}

// ---- Transactions of producers ----

coordinator_ticket coordinator_replayed_ticket(const struct coordinator *c)
{
    return c->is_active ? c->open_ticket : 0;
}

// Notes that a batch is in the log.
static void add_flight(struct coordinator *c, int64_t end_offset, int64_t begin_mono_ms)
{
    struct flight *f = mem_new(struct flight);
    f->ticket = c->open_ticket++;
    f->end_offset = end_offset;
    f->begin_mono_ms = begin_mono_ms;
    c->next_offset = end_offset;
    list_append(&c->flights, &f->node);
}

// Why nothing of a transaction can be appended, or 0: then all that was gathered is in the log.
static int prepare_txn(struct coordinator *c)
{
    check(c->series_depth == 0 && c->options.append_txn != NULL);
    int err = c->failure;
    if (err == 0 && c->options.may_append != NULL)
        err = c->options.may_append(c->options.append_context);
    return err != 0 ? err : coordinator_flush(c);
}

// Appends the batch in batch_bytes.
static enum kafka_error append_txn(struct coordinator *c, const struct coordinator_txn *txn,
                                   int64_t *end_offset)
{
    enum kafka_error error = KAFKA_NONE;
    int err = c->options.append_txn(c->options.append_context, txn, c->batch_bytes.data,
                                    c->batch_bytes.size, end_offset, &error);
    return err != 0 ? coordinator_error(err) : error;
}

static int build_txn(struct coordinator *c, const struct coordinator_txn *txn)
{
    struct batch_options options = BATCH_OPTIONS_DEFAULT;
    options.codec = (enum codec)c->options.codec;
    options.attributes = BATCH_TRANSACTIONAL;
    options.producer_id = txn->producer_id;
    options.producer_epoch = txn->producer_epoch;
    options.base_sequence = 0; // as Kafka writes it; nobody looks
    buf_clear(&c->batch_bytes);
    batch_builder_begin(&c->builder, &c->batch_bytes, &options);
    for (size_t i = 0; i < c->record_count; i++)
        batch_builder_add(&c->builder, c->now.wall_ms, record_key(c, &c->records[i]),
                          record_value(c, &c->records[i]), NULL, 0);
    return batch_builder_finish(&c->builder, NULL);
}

static void replay_txn(struct coordinator *c, const struct coordinator_txn *txn, int64_t offset)
{
    struct coordinator_origin origin = {
        .timestamp_ms = c->now.wall_ms,
        .producer_id = txn->producer_id,
        .producer_epoch = txn->producer_epoch,
    };
    for (size_t i = 0; i < c->record_count; i++) {
        const struct command_record *r = &c->records[i];
        struct diag diag;
        diag_clear(&diag);
        origin.offset = offset + (int64_t)i;
        check(replay_record(c, record_key(c, r), record_value(c, r), &origin, &diag) == 0);
    }
}

static enum kafka_error end_txn(struct coordinator *c, const struct coordinator_txn *txn,
                                coordinator_ticket *ticket)
{
    size_t size = c->command_bytes.size + c->record_count * RECORD_OVERHEAD_MAX;
    int64_t end_offset;
    int err = c->command_error;
    if (err == 0 && BATCH_HEADER_SIZE + size > c->options.batch_bytes_max)
        err = ERR_LIMIT;
    if (err == 0)
        err = prepare_txn(c);
    if (err == 0)
        err = build_txn(c, txn);
    enum kafka_error error = err != 0 ? coordinator_error(err) : append_txn(c, txn, &end_offset);
    if (error != KAFKA_NONE)
        return error;
    replay_txn(c, txn, end_offset - (int64_t)c->record_count);
    *ticket = c->open_ticket;
    add_flight(c, end_offset, c->now.mono_ms);
    return KAFKA_NONE;
}

enum kafka_error coordinator_end_txn(struct coordinator *c, const struct coordinator_txn *txn,
                                     coordinator_ticket *ticket)
{
    check(c->in_command);
    *ticket = 0;
    enum kafka_error error = c->record_count > 0 ? end_txn(c, txn, ticket) : KAFKA_NONE;
    command_clear(c);
    return error;
}

enum kafka_error coordinator_write_marker(struct coordinator *c, const struct coordinator_time *now,
                                          const struct coordinator_txn *txn, coordinator_ticket *ticket)
{
    struct batch_options options = BATCH_OPTIONS_DEFAULT;
    int64_t end_offset;
    check(c->is_active && !c->in_command);
    c->now = *now;
    options.producer_id = txn->producer_id;
    options.producer_epoch = txn->producer_epoch;
    int err = prepare_txn(c);
    if (err == 0) {
        buf_clear(&c->batch_bytes);
        err = batch_append_end_txn_marker(&c->batch_bytes, &options,
                                          txn->is_commit ? CONTROL_COMMIT : CONTROL_ABORT,
                                          txn->coordinator_epoch, now->wall_ms, NULL);
    }
    enum kafka_error error = err != 0 ? coordinator_error(err) : append_txn(c, txn, &end_offset);
    if (error != KAFKA_NONE)
        return error;
    if (c->options.machine->replay_end != NULL)
        c->options.machine->replay_end(c->options.state, txn->producer_id, txn->producer_epoch,
                                       txn->is_commit);
    *ticket = c->open_ticket;
    add_flight(c, end_offset, c->now.mono_ms);
    return KAFKA_NONE;
}

// ---- Appending and committing ----

bool coordinator_has_batch(const struct coordinator *c)
{
    return c->has_batch;
}

int coordinator_flush(struct coordinator *c)
{
    if (c->failure != 0 || !c->has_batch)
        return c->failure;
    struct bytes batch;
    int64_t end_offset;
    c->has_batch = false;
    int err = batch_builder_finish(&c->builder, &batch);
    if (err == 0)
        err = c->options.append(c->options.append_context, c->batch_bytes.data, batch.size, &end_offset);
    if (err != 0) {
        c->failure = err;
        return err;
    }
    add_flight(c, end_offset, c->batch_begin_mono_ms);
    return 0;
}

int64_t coordinator_awaited_offset(const struct coordinator *c)
{
    struct list_node *first = list_first(&c->flights);
    return first == NULL ? -1 : container_of(first, struct flight, node)->end_offset;
}

static void release_waiters(struct coordinator *c)
{
    struct list_node *n;
    while ((n = list_first(&c->waiters)) != NULL) {
        struct coordinator_waiter *w = container_of(n, struct coordinator_waiter, node);
        if (w->ticket > c->committed_ticket)
            return;
        list_remove(n);
        w->done(w, KAFKA_NONE);
    }
}

void coordinator_committed(struct coordinator *c, int64_t offset)
{
    if (offset > c->committed_offset)
        c->committed_offset = offset;
    struct list_node *n;
    while ((n = list_first(&c->flights)) != NULL) {
        struct flight *f = container_of(n, struct flight, node);
        if (f->end_offset > c->committed_offset)
            break;
        c->committed_ticket = f->ticket;
        list_remove(n);
        mem_free(f);
    }
    release_waiters(c);
}

// ---- Replies that wait ----

bool coordinator_is_committed(const struct coordinator *c, coordinator_ticket ticket)
{
    return ticket <= c->committed_ticket;
}

int64_t coordinator_waiting_ms(const struct coordinator *c)
{
    struct list_node *first = list_first(&c->flights);
    if (first != NULL)
        return c->now.mono_ms - container_of(first, struct flight, node)->begin_mono_ms;
    return c->has_batch ? c->now.mono_ms - c->batch_begin_mono_ms : 0;
}

static void waiter_insert(struct coordinator *c, struct coordinator_waiter *w)
{
    struct list_node *at = c->waiters.head.prev; // nearly always at the end
    while (at != &c->waiters.head && container_of(at, struct coordinator_waiter, node)->ticket > w->ticket)
        at = at->prev;
    list_insert_before(at->next, &w->node);
}

void coordinator_wait(struct coordinator *c, struct coordinator_waiter *w, coordinator_ticket ticket)
{
    w->ticket = ticket;
    if (coordinator_is_committed(c, ticket))
        w->done(w, KAFKA_NONE);
    else if (c->has_ended)
        w->done(w, c->end_error);
    else
        waiter_insert(c, w);
}

void coordinator_fail(struct coordinator *c, enum kafka_error error)
{
    c->has_ended = true;
    c->end_error = error;
    c->has_batch = false;
    if (c->failure == 0)
        c->failure = ERR_CLOSED;
    while (heap_min(&c->timers) != NULL)
        heap_remove(&c->timers, heap_min(&c->timers));
    struct list_node *n;
    while ((n = list_pop(&c->waiters)) != NULL) {
        struct coordinator_waiter *w = container_of(n, struct coordinator_waiter, node);
        w->done(w, error);
    }
}

enum kafka_error coordinator_error(int err)
{
    switch (err) {
    case 0:
        return KAFKA_NONE;
    case ERR_NOSPC:
        return KAFKA_COORDINATOR_NOT_AVAILABLE;
    case ERR_IO:
    case ERR_OFFLINE:
    case ERR_CORRUPT:
    case ERR_CLOSED:
        return KAFKA_NOT_COORDINATOR;
    default:
        return KAFKA_UNKNOWN_SERVER_ERROR;
    }
}

// ---- Timers ----

void coordinator_set_timer(struct coordinator *c, struct coordinator_timer *t, int64_t deadline_mono_ms,
                           void (*fire)(struct coordinator_timer *t))
{
    if (c->has_ended)
        return;
    heap_remove(&c->timers, &t->node);
    t->fire = fire;
    heap_insert(&c->timers, &t->node, deadline_mono_ms);
}

void coordinator_cancel_timer(struct coordinator *c, struct coordinator_timer *t)
{
    heap_remove(&c->timers, &t->node);
}

int64_t coordinator_deadline_ms(const struct coordinator *c)
{
    struct heap_node *first = heap_min(&c->timers);
    return first == NULL ? INT64_MAX : first->key;
}

void coordinator_advance(struct coordinator *c, const struct coordinator_time *now)
{
    c->now = *now;
    struct heap_node *first;
    while ((first = heap_min(&c->timers)) != NULL && first->key <= now->mono_ms) {
        struct coordinator_timer *t = container_of(first, struct coordinator_timer, node);
        heap_remove(&c->timers, first);
        t->fire(t);
    }
}

// ---- Reading records ----

static int decode(const struct wire_schema *schema, int16_t version, struct bytes rest,
                  struct arena *arena, void *out, struct diag *diag)
{
    int err = wire_decode(schema, version, rest, arena, out, NULL);
    if (err != 0)
        return diag_set(diag, err, "version %d of it cannot be read: %s", version, err_text(err));
    return 0;
}

int coordinator_key_decode(const struct coordinator_record_type *type, struct bytes key,
                           struct arena *arena, void *out, struct diag *diag)
{
    int16_t prefix;
    struct bytes rest;
    int err = coordinator_prefix_read(key, &prefix, &rest);
    return err == 0 ? decode(type->key, 0, rest, arena, out, diag)
                    : diag_set(diag, err, "it has no key");
}

int coordinator_value_decode(const struct coordinator_record_type *type, struct bytes value,
                             struct arena *arena, void *out, struct diag *diag)
{
    int16_t version;
    struct bytes rest;
    int err = coordinator_prefix_read(value, &version, &rest);
    return err == 0 ? decode(type->value, version, rest, arena, out, diag)
                    : diag_set(diag, err, "its value has no version");
}

// ---- Where a key lives ----

// Bytes of the character that begins so; 0: none does.
static size_t utf8_size(uint8_t first)
{
    if (first < 0x80)
        return 1;
    if (first < 0xc2 || first > 0xf4)
        return 0;
    return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

// The next code point of UTF-8 bytes; U+FFFD for a byte that begins none, as Java decodes it.
static uint32_t utf8_next(struct str *s)
{
    const uint8_t *p = (const uint8_t *)s->data;
    size_t size = utf8_size(p[0]);
    uint32_t c = size == 1 ? p[0] : size == 0 ? 0xfffd : p[0] & (0xffu >> (size + 1));
    size_t i = 1;
    for (; i < size && i < s->size && (p[i] & 0xc0) == 0x80; i++)
        c = c << 6 | (p[i] & 0x3f);
    bool is_whole = size == 0 || i == size;
    bool is_overlong = (size == 3 && c < 0x800) || (size == 4 && (c < 0x10000 || c > 0x10ffff));
    bool is_surrogate = c >= 0xd800 && c < 0xe000;
    if (!is_whole || is_overlong || is_surrogate)
        c = 0xfffd;
    if (is_overlong || is_surrogate)
        i = 1;
    s->data += i;
    s->size -= i;
    return c;
}

int32_t coordinator_partition_of(struct str key, int32_t partition_count)
{
    uint32_t hash = 0;
    while (key.size > 0) {
        uint32_t c = utf8_next(&key);
        if (c >= 0x10000) {
            hash = hash * 31 + (0xd800 + ((c - 0x10000) >> 10));
            c = 0xdc00 + ((c - 0x10000) & 0x3ff);
        }
        hash = hash * 31 + c;
    }
    if (hash == 0x80000000u)
        hash = 0;
    else if (hash > 0x80000000u)
        hash = -hash;
    return (int32_t)(hash % (uint32_t)partition_count);
}
