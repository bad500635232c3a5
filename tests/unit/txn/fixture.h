// SPDX-License-Identifier: Apache-2.0
//
// The transactions of one partition under test, with a log in memory, virtual time, and a driver that
// does what they want done at once, unless told to hold it.
//
//   struct fixture f;
//   fixture_init(&f);
//   struct producer p = fixture_begin(&f, "id");
//   assert_int_equal(fixture_add(&f, "id", p, "t", 0), KAFKA_NONE);
//   fixture_expect(&f, "id", "Ongoing 100/0 -> -1, version 2, 60000 ms, [t:0]");
//   fixture_release(&f);
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "config/config.h"
#include "coordinator/coordinator.h"
#include "metadata/image.h"
#include "txn/internal.h"
#include "txn/txns.h"
#include "wire/api/describe_transactions.h"
#include "wire/api/end_txn.h"
#include "wire/api/init_producer_id.h"
#include "wire/api/list_transactions.h"

enum { ORDERS_MAX = 64, PRODUCER_ID_FIRST = 100, TIMEOUT_MS = 60000 };

struct fixture {
    struct config *config;
    struct metadata_image *image;
    struct txns *txns;
    struct coordinator *coordinator;
    struct coordinator_time now;

    struct buf log; // batches, as they would be in the segment
    int64_t end_offset;
    int64_t committed_offset;
    int append_error;   // 0, or what every append fails with from now on
    int refusal;        // 0, or why nothing may be appended just now
    bool holds_commits; // fixture_settle() appends, but commits nothing

    bool holds_markers; // orders are kept until fixture_marked()
    struct txn_order *orders[ORDERS_MAX];
    int order_count;    // that are kept
    struct buf markers; // those that were written, "+t-0 100/1 v2\n" ('-': an abort)

    bool holds_ids;     // until fixture_give_id()
    int64_t next_producer_id;
    int ids_wanted;     // and held

    struct arena arena; // of the answers
};

// Of no producer: {-1, -1}.
struct producer {
    int64_t id;
    int16_t epoch;
};

// A request that may have to wait.
struct fixture_call {
    struct txn_call call;
    bool is_done;
};

// No ids, loaded and active, at 1000000 ms (monotonic) and 2023-11-14T22:13:20Z; transaction.version 2.
void fixture_init(struct fixture *f);
void fixture_release(struct fixture *f);
void fixture_set(struct fixture *f, const char *assignment); // of the configuration
void fixture_transaction_version(struct fixture *f, int16_t level);

struct fixture_call *fixture_call_new(struct fixture *f, void *response, int16_t version);

// ---- Requests, each until it is answered ----

// InitProducerId of a producer that says which one it is, or {-1, -1}.
struct init_producer_id_response fixture_init_producer(struct fixture *f, const char *id,
                                                       struct producer expected);
// Of a new producer; it must succeed.
struct producer fixture_begin(struct fixture *f, const char *id);

// Adds one partition, as version 2 does, or looks it up.
enum kafka_error fixture_add(struct fixture *f, const char *id, struct producer p, const char *topic,
                             int32_t partition);
enum kafka_error fixture_verify(struct fixture *f, const char *id, struct producer p, const char *topic,
                                int32_t partition);

struct end_txn_response fixture_end(struct fixture *f, int16_t version, const char *id,
                                    struct producer p, bool committed);

// ---- What follows ----

void fixture_settle(struct fixture *f);               // appends, commits
void fixture_commit(struct fixture *f);               // whatever holds_commits says
void fixture_advance(struct fixture *f, int64_t ms);  // timers fire at their deadlines
void fixture_marked(struct fixture *f, enum kafka_error error); // answers the first that is kept
void fixture_give_id(struct fixture *f, enum kafka_error error);

// The coordinator moves away and comes back, from what was committed.
void fixture_reload(struct fixture *f);
void fixture_load_log(struct fixture *f, const char *path); // the log is this file; reloads

// The epoch of an id, as after thousands of producers; it is Empty then.
void fixture_age(struct fixture *f, const char *id, int16_t epoch);

// ---- What is known ----

void fixture_expect(struct fixture *f, const char *id, const char *dump); // NULL: there is no such id
void fixture_expect_markers(struct fixture *f, const char *text);        // since the last call
// Another replica loads the log up to here and says the same.
void fixture_check_replay(struct fixture *f);
int fixture_record_count(struct fixture *f);
