// SPDX-License-Identifier: Apache-2.0
//
// A partition of an internal topic as a state machine: its log holds records, its state is what they
// say in order. This is the machinery that all coordinators share (groups here; transactions, share and
// streams state are others); it knows nothing of what the records mean.
//
// Rules, from which everything else follows:
//   - State changes by replaying records alone, the same way while the log is loaded and afterwards.
//   - A command reads the newest state and writes records: all of them become one batch, or none.
//   - A reply waits until the records that it rests on are committed: its own, or those that a command
//     before it wrote.
//   - What cannot be appended, or is lost with leadership, is undone by forgetting the state and loading
//     the log again. There is no other way back, so there is one to test. Whoever waits then hears an
//     error that makes clients ask again.
//
// Step machine, pure: time comes in with each call, batches go out through a writer. Belongs to the
// thread that has the partition (its driver). A command:
//
//   coordinator_begin(c, &time)
//   coordinator_write(c, type, version, key, value) ...
//   coordinator_end(c, &ticket)            or coordinator_abandon(c)
//   coordinator_wait(c, &waiter, ticket)   the reply goes out from waiter->done
//
// Records are gathered in a batch, which is appended by coordinator_flush(): the driver calls it at the
// end of its turn, or group.coordinator.append.linger.ms later.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/diag.h"
#include "base/heap.h"
#include "base/list.h"
#include "wire/errors.h"
#include "wire/records.h"

struct arena;
struct coordinator;
struct trace;

// Both clocks, in milliseconds.
struct coordinator_time {
    int64_t mono_ms; // for deadlines
    int64_t wall_ms; // for what is written
};

// Where a record stands.
struct coordinator_origin {
    int64_t offset;
    int64_t timestamp_ms;
    int64_t producer_id; // of the transaction that it belongs to, or -1: it holds at once
    int16_t producer_epoch;
};

// What a kind of coordinator does with its state.
struct coordinator_machine {
    enum coordinator_log log; // whose record types
    // Changes the state by one record; `value.data` is NULL for a tombstone. Keys and values are views.
    // ERR_CORRUPT, ERR_TRUNCATED, ERR_UNSUPPORTED with words for a record that cannot be read: the log is
    // not loaded then. Records of types that nobody knows are skipped before they come here (KIP-915).
    int (*replay)(void *state, const struct coordinator_record_type *type, struct bytes key,
                  struct bytes value, const struct coordinator_origin *origin, struct diag *diag);
    // A transaction ended in this partition. NULL: the records of transactions hold at once, and there are
    // no markers.
    void (*replay_end)(void *state, int64_t producer_id, int16_t producer_epoch, bool committed);
};

// Appends a batch of records to the partition, as its leader. Returns 0 with the offset after it, or
// ERR_*: nothing was appended. May patch the bytes.
typedef int (*coordinator_append)(void *context, uint8_t *batch, size_t size, int64_t *end_offset);

// What stands beside a batch that belongs to a producer's transaction.
struct coordinator_txn {
    int64_t producer_id;
    int16_t producer_epoch;
    // Of records: whether their transaction must have been verified, and what that gave.
    bool needs_verification;
    int64_t guard;
    // Of a marker:
    bool is_commit;
    int32_t coordinator_epoch;  // of the transaction's coordinator
    int8_t transaction_version;
};

// Appends a batch of a transaction: records, or the marker that ends it. Returns 0 with *error KAFKA_NONE
// and the offset after it; or 0 with why the log refuses it; or ERR_*. Unless it is the first, nothing was
// appended.
typedef int (*coordinator_append_txn)(void *context, const struct coordinator_txn *txn, uint8_t *batch,
                                      size_t size, int64_t *end_offset, enum kafka_error *error);

struct coordinator_options {
    const struct coordinator_machine *machine;
    void *state;             // handed to the machine; the caller's
    struct trace *trace;     // may be NULL
    const char *name;        // of the partition, for messages; copied
    coordinator_append append;
    coordinator_append_txn append_txn; // NULL: nobody else's transactions come here
    // Why nothing can be appended just now (ERR_NOSPC, ...), or 0: asked before records change the state,
    // so that a full disk costs a refusal and not the state. NULL: never.
    int (*may_append)(void *context);
    void *append_context;
    size_t batch_bytes_max;  // max.message.bytes of the topic
    int codec;               // enum codec, offsets.topic.compression.codec
};

struct coordinator *coordinator_new(const struct coordinator_options *options);

// No command may be open and nobody may wait: coordinator_fail() first.
void coordinator_free(struct coordinator *c);

// ---- Loading ----

// Replays whole batches as they are in the log, the next after those before. Their CRCs were checked.
// ERR_* with words: this log cannot be loaded.
int coordinator_load(struct coordinator *c, struct bytes batches, struct diag *diag);

// The offset after the last batch that was loaded; 0 before the first.
int64_t coordinator_loaded_offset(const struct coordinator *c);

// The log is loaded up to its end: commands may come.
void coordinator_activate(struct coordinator *c, int64_t end_offset);

bool coordinator_is_active(const struct coordinator *c);

// ---- Commands ----

// What a reply has to wait for. Tickets only grow; 0 is nothing.
typedef int64_t coordinator_ticket;

void coordinator_begin(struct coordinator *c, const struct coordinator_time *now);

// Adds a record. `version` is that of the value; `value` NULL writes a tombstone. Both are structs of
// wire/record/, which are encoded at once. What cannot be encoded shows in coordinator_end().
void coordinator_write(struct coordinator *c, int16_t type, int16_t version, const void *key,
                       const void *value);

// Replays the records and puts them into the batch. *ticket is what the reply waits for, 0 when there
// were no records. What options.may_append() says. ERR_LIMIT: they do not fit into one batch. ERR_IO, ...:
// the batch before had to be appended first, and could not: the coordinator has failed (see
// coordinator_failure()). On failure nothing has changed; coordinator_error() has the code for clients.
int coordinator_end(struct coordinator *c, coordinator_ticket *ticket);

// How large a record can be at most, key and value together: what will never fit need not be remembered.
size_t coordinator_record_bytes_max(const struct coordinator *c);

// As coordinator_end(), for records that belong to a producer's transaction (KIP-98). They are a batch of
// their own, which is appended at once, behind all that was gathered, and then replayed with the producer's
// id. Not in a series. Returns the error for clients: nothing has changed then.
enum kafka_error coordinator_end_txn(struct coordinator *c, const struct coordinator_txn *txn,
                                     coordinator_ticket *ticket);

// Forgets the records.
void coordinator_abandon(struct coordinator *c);

// Several commands that are one to the log: each sees what those before it did, and the records of all
// are in one batch. A refusal of the first that writes leaves everything as it was; when a later one
// cannot be written, the coordinator has failed, and is loaded again without any of them. May be nested:
// the outermost pair counts.
void coordinator_begin_series(struct coordinator *c);
void coordinator_end_series(struct coordinator *c);

// Ends a transaction in this partition: appends its marker at once, behind all that was gathered, and
// replays it. Not inside a command. Returns as coordinator_end_txn().
enum kafka_error coordinator_write_marker(struct coordinator *c, const struct coordinator_time *now,
                                          const struct coordinator_txn *txn, coordinator_ticket *ticket);

// The ticket of the records that are replayed just now; 0 while the log is loaded.
coordinator_ticket coordinator_replayed_ticket(const struct coordinator *c);

// Says what time it is, outside of commands.
void coordinator_set_time(struct coordinator *c, const struct coordinator_time *now);

// The time of the command or the timer that runs.
const struct coordinator_time *coordinator_now(const struct coordinator *c);

// ---- Appending and committing ----

// True while records are gathered that are not in the log.
bool coordinator_has_batch(const struct coordinator *c);

// Appends what is gathered. ERR_*: the coordinator has failed.
int coordinator_flush(struct coordinator *c);

// The error for clients when coordinator_end() failed: size errors are UNKNOWN_SERVER_ERROR, a full disk is
// COORDINATOR_NOT_AVAILABLE, an offline one NOT_COORDINATOR, as Kafka maps them.
enum kafka_error coordinator_error(int err);

// Why it failed, or 0. A failed one answers everything with an error: end it with coordinator_fail(),
// free it and load the log again.
int coordinator_failure(const struct coordinator *c);

// Everything below `offset` is committed: calls those who waited for it.
void coordinator_committed(struct coordinator *c, int64_t offset);

// The offset up to which something is waited for, or -1: the driver asks to hear when the high watermark
// reaches it.
int64_t coordinator_awaited_offset(const struct coordinator *c);

// ---- Replies that wait ----

// Embedded in what holds a reply.
struct coordinator_waiter {
    struct list_node node;
    coordinator_ticket ticket;
    // KAFKA_NONE: all that it waited for is committed. Otherwise the coordinator ended: the error for the
    // client. The waiter is not linked any more.
    void (*done)(struct coordinator_waiter *w, enum kafka_error error);
};

// Calls w->done when everything up to `ticket` is committed: at once if it is.
void coordinator_wait(struct coordinator *c, struct coordinator_waiter *w, coordinator_ticket ticket);

bool coordinator_is_committed(const struct coordinator *c, coordinator_ticket ticket);

// How long the oldest record that is not committed has been waiting for that; 0 when all are.
int64_t coordinator_waiting_ms(const struct coordinator *c);

// Ends all waits with this error, drops what was not appended and stops all timers.
void coordinator_fail(struct coordinator *c, enum kafka_error error);

// ---- Timers ----

// Embedded in what has a deadline; zeroed at first.
struct coordinator_timer {
    struct heap_node node;
    void (*fire)(struct coordinator_timer *t); // may set and cancel any timer, and run commands
};

// (Re)sets a timer to a deadline on the monotonic clock.
void coordinator_set_timer(struct coordinator *c, struct coordinator_timer *t, int64_t deadline_mono_ms,
                           void (*fire)(struct coordinator_timer *t));

// Harmless when it is not set.
void coordinator_cancel_timer(struct coordinator *c, struct coordinator_timer *t);

static inline bool coordinator_timer_is_set(const struct coordinator_timer *t)
{
    return heap_contains(&t->node);
}

// The earliest deadline, or INT64_MAX.
int64_t coordinator_deadline_ms(const struct coordinator *c);

// Fires what is due.
void coordinator_advance(struct coordinator *c, const struct coordinator_time *now);

// ---- Reading records ----

// What a machine's replay() does first: decode a key, or a value by the version in it, into the struct of
// wire/record/ with memory from the arena. Errors of wire_decode(), with words.
int coordinator_key_decode(const struct coordinator_record_type *type, struct bytes key,
                           struct arena *arena, void *out, struct diag *diag);
int coordinator_value_decode(const struct coordinator_record_type *type, struct bytes value,
                             struct arena *arena, void *out, struct diag *diag);

// ---- Where a key lives ----

// The partition of an internal topic that is responsible for a group or transactional id: Java's
// String.hashCode over UTF-16 units, made positive as Kafka's Utils.abs does. FROZEN: brokers must agree.
int32_t coordinator_partition_of(struct str key, int32_t partition_count);
