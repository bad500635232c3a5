// SPDX-License-Identifier: Apache-2.0
//
// The groups of one partition under test, with a log in memory and virtual time: requests go in as
// structs, answers come out as structs, batches are appended to memory and committed when told.
//
//   struct fixture f;
//   fixture_init(&f);
//   struct join_group_request r = ...;
//   struct fixture_call *call = fixture_call_new(&f, &join_group_response_schema, 9);
//   groups_join(f.groups, &call->call, &f.now, &r);
//   fixture_settle(&f);
//   assert_true(call->is_done);
//   fixture_release(&f);
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/prng.h"
#include "base/uuid.h"
#include "config/config.h"
#include "coordinator/coordinator.h"
#include "group/groups.h"
#include "group/internal.h"
#include "metadata/image.h"
#include "dump.h"
#include "wire/wire.h"

struct fixture {
    struct config *config;
    struct metadata_image *image;
    struct groups *groups;
    struct coordinator *coordinator;
    struct coordinator_time now;
    struct prng prng;

    struct buf log;          // batches, as they would be in the segment
    int64_t end_offset;
    int64_t committed_offset;
    int append_error;        // 0, or what every append fails with from now on
    bool holds_commits;      // fixture_settle() appends, but commits nothing
    enum kafka_error txn_error; // what the log says of batches of transactions
    struct coordinator_txn txn; // that the last of them came with
    struct coordinator_waiter marker; // of fixture_end_transaction()
    size_t batch_bytes_max;  // for coordinators that are made from now on

    struct list calls;       // struct fixture_call
};

// A call with its answer. Freed with the fixture.
struct fixture_call {
    struct group_call call;
    struct list_node node;
    struct fixture *fixture;
    struct arena arena;
    const struct wire_schema *schema; // of the response; NULL: it is a part of one
    void *response;
    bool is_done;
};

// Empty groups, loaded and active, at 1000000 ms (monotonic) and 2023-11-14T22:13:20Z.
void fixture_init(struct fixture *f);

// The same without anything loaded: for configurations that must be there first.
void fixture_init_config(struct fixture *f, const char *const settings[]); // "key=value", ends with NULL
void fixture_release(struct fixture *f);

// Sets a key of the broker's configuration, from now on.
void fixture_set(struct fixture *f, const char *assignment);

// Adds a topic to the metadata, or partitions to it, and tells the groups. Gives its id.
struct uuid fixture_topic(struct fixture *f, const char *name, int32_t partitions);
void fixture_delete_topic(struct fixture *f, const char *name);

// Sets a key of a group's own settings.
void fixture_set_group(struct fixture *f, const char *group, const char *key, const char *value);
void fixture_metadata_version(struct fixture *f, int16_t level); // that of the cluster; 0 at first

// A call from client "client" at "/127.0.0.1". Its response has its defaults.
struct fixture_call *fixture_call_new(struct fixture *f, const struct wire_schema *response,
                                      int16_t version);

// The same for a function that fills a part of a response; `response` must outlive the call.
struct fixture_call *fixture_call_part(struct fixture *f, void *response, int16_t version);

// Appends what is gathered and commits it all, unless the fields above say otherwise. Every answer that
// comes out is encoded in its version, which must work.
void fixture_settle(struct fixture *f);

// Commits everything that was appended, whatever holds_commits says.
void fixture_commit(struct fixture *f);

// Lets time pass: timers fire at their deadlines in order, each is settled.
void fixture_advance(struct fixture *f, int64_t ms);

// The coordinator moves away and comes back: parked calls end with NOT_COORDINATOR, the state is
// forgotten and loaded from what was appended (`appended`: what was only gathered is lost) or, harsher,
// from what was committed.
void fixture_reload(struct fixture *f, bool appended);

// Another replica loads the log up to here and must say the same as the groups: see fixture_dump().
// Nothing may be gathered.
void fixture_check_replay(struct fixture *f);

// Ends a producer's transaction in the partition, and commits that unless holds_commits says otherwise.
void fixture_end_transaction(struct fixture *f, int64_t producer_id, bool committed);

// Appends a batch with one record to the log, as another broker wrote it; fixture_reload() shows it.
// `value` NULL: a tombstone.
void fixture_write(struct fixture *f, int16_t type, int16_t version, const void *key,
                   const void *value);

// OffsetCommit of 5 for a partition of topic "t", which must be there, and settles.
struct fixture_call *fixture_commit_offset(struct fixture *f, int16_t version, const char *group,
                                           const char *member, int32_t epoch, int32_t partition);

// How many records of this type are in the log, tombstones included.
int fixture_record_count(struct fixture *f, int16_t type);

// The newest record of this type: its value (whose int16 version stands first) as a view into the log
// that is valid until the next append; null for a tombstone. Fails the test when there is none.
struct bytes fixture_last_record(struct fixture *f, int16_t type);

// Decodes it into *value, with memory of the fixture. Gives its version.
int16_t fixture_last_value(struct fixture *f, int16_t type, void *value);
