// SPDX-License-Identifier: Apache-2.0
//
// The groups of one partition of __consumer_offsets: members, assignments and committed offsets, as the
// group coordinator of Kafka 4.4 keeps them. Classic groups (JoinGroup and SyncGroup), consumer groups
// (KIP-848), and "simple" ones that only commit offsets.
//
// A state machine on coordinator/coordinator.h: what is durable changes by replaying records alone;
// what is not (who waits in a join, session timers) is lost when the coordinator moves, and clients
// rebuild it. Pure; belongs to the thread that has the partition.
//
// How a driver uses it:
//
//   g = groups_new(options); c = coordinator_new(.machine = &groups_machine, .state = g)
//   groups_attach(g, c); coordinator_load() ...; coordinator_activate(); groups_loaded(g, &now)
//   for a request: one of the functions below; call->done() is called once, now or later
//   for new metadata: groups_set_image()
//   at the end: groups_end(g, error) answers what is parked; coordinator_fail(); both are freed
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "base/list.h"
#include "coordinator/coordinator.h"
#include "wire/errors.h"

struct classic_member;
struct config;
struct groups;
struct metadata_image;
struct trace;

extern const struct coordinator_machine groups_machine;

struct groups_options {
    const struct config *config; // of the broker; borrowed, follows its dynamic changes
    const struct metadata_image *image; // as for groups_set_image()
    struct trace *trace;         // may be NULL
    struct hash_seed hash_seed;
    int32_t partition;           // of __consumer_offsets
    // Fills `out` with bytes nobody can guess, for member ids.
    void (*random)(void *context, uint8_t *out, size_t size);
    void *random_context;
};

struct groups *groups_new(const struct groups_options *options);
void groups_attach(struct groups *g, struct coordinator *c);
void groups_free(struct groups *g); // after groups_end() and coordinator_fail()

// After coordinator_activate(): gives every member of every group a session timeout to show up again.
void groups_loaded(struct groups *g, const struct coordinator_time *now);

// The coordinator goes: parked calls are answered with `error`.
void groups_end(struct groups *g, enum kafka_error error);

// The newest metadata; borrowed until the next call of this function. Offsets of topics that are gone
// are removed, assignments follow new topics and partitions.
void groups_set_image(struct groups *g, const struct metadata_image *image,
                      const struct coordinator_time *now);

// ---- Calls ----

// One request, or its part about one group. Lives until done().
struct group_call {
    // The caller's:
    struct arena *arena;    // for the answer
    int16_t version;        // of the request
    struct str client_id;
    struct str client_host; // as Kafka writes it: "/127.0.0.1"
    void *response;         // the struct that the function names, initialised with its defaults
    void (*done)(struct group_call *call); // the response is complete and may be sent
    bool no_memory; // set before done(): the response does not fit into the arena; end the request

    // Inner matters:
    struct list_node node;           // while it is parked
    struct coordinator_waiter waiter;
    struct groups *groups;
    void (*set_error)(struct group_call *call, enum kafka_error error);
    struct classic_member *member;   // that it is parked at, or NULL
};

struct chitin_describe_groups_request;
struct consumer_group_heartbeat_request;
struct consumer_group_heartbeat_response;
struct create_topics_request;
struct delete_groups_response_deletable_group_result;
struct describe_groups_response_described_group;
struct consumer_group_describe_response_described_group;
struct heartbeat_request;
struct join_group_request;
struct leave_group_request;
struct list_groups_request;
struct offset_commit_request;
struct offset_delete_request;
struct offset_fetch_request_offset_fetch_request_group;
struct streams_group_heartbeat_request;
struct streams_group_heartbeat_response;
struct sync_group_request;

// Each takes the whole request and fills the response struct of the same API, unless it says otherwise.
// What a request points to must live until done().

// The client of a call that is not done has gone: whoever is parked by it is not there any more, and gets
// no more than a session timeout to come again. Ends the call if it is parked.
void groups_call_gone(struct groups *g, struct group_call *call, const struct coordinator_time *now);

// Classic protocol. A classic member may be in a consumer group (an upgrade that goes on): these serve
// it there as well.
void groups_join(struct groups *g, struct group_call *call, const struct coordinator_time *now,
                 const struct join_group_request *request);
void groups_sync(struct groups *g, struct group_call *call, const struct coordinator_time *now,
                 const struct sync_group_request *request);
void groups_heartbeat(struct groups *g, struct group_call *call, const struct coordinator_time *now,
                      const struct heartbeat_request *request);
void groups_leave(struct groups *g, struct group_call *call, const struct coordinator_time *now,
                  const struct leave_group_request *request);

// What can be said of a request without its group: true, or false and the answer is in `reply`, with
// words in `arena`. Kafka says it even where the group's coordinator is not.
bool groups_check_consumer_heartbeat(const struct config *config, int16_t version,
                                     const struct consumer_group_heartbeat_request *request,
                                     struct consumer_group_heartbeat_response *reply,
                                     struct arena *arena);
void groups_consumer_heartbeat(struct groups *g, struct group_call *call,
                               const struct coordinator_time *now,
                               const struct consumer_group_heartbeat_request *request);

// The same for streams groups (KIP-1071).
bool groups_check_streams_heartbeat(const struct streams_group_heartbeat_request *request,
                                    struct streams_group_heartbeat_response *reply, struct arena *arena);
// *missing, initialised, gets the internal topics of the application that are not there and that the
// caller shall make, in the arena of the call; the members hear of them when they ask again.
void groups_streams_heartbeat(struct groups *g, struct group_call *call, const struct coordinator_time *now,
                              const struct streams_group_heartbeat_request *request,
                              struct create_topics_request *missing);

// Offsets. Topics of a request that do not exist were answered by the caller already and are left out,
// as are those that the client may not see.
void groups_commit_offsets(struct groups *g, struct group_call *call,
                           const struct coordinator_time *now,
                           const struct offset_commit_request *request);
// The same inside a producer's transaction, which was verified: call->version is that of TxnOffsetCommit,
// request and response are as if they were those of OffsetCommit.
void groups_commit_txn_offsets(struct groups *g, struct group_call *call,
                               const struct coordinator_time *now,
                               const struct offset_commit_request *request,
                               const struct coordinator_txn *txn);
// Fills a struct offset_fetch_response_offset_fetch_response_group (version 8 on; the caller moves it for
// the older ones). Topics have name and id, if the request or the commits said it.
// `require_stable`: what an open transaction may change is refused with UNSTABLE_OFFSET_COMMIT (KIP-447).
void groups_fetch_offsets(struct groups *g, struct group_call *call, const struct coordinator_time *now,
                          const struct offset_fetch_request_offset_fetch_request_group *request,
                          bool require_stable);
void groups_delete_offsets(struct groups *g, struct group_call *call,
                           const struct coordinator_time *now,
                           const struct offset_delete_request *request);

// The marker of a producer's transaction in this partition: what was committed inside it holds from then
// on, or is dropped. KAFKA_NONE: waiter->done is called when the marker is committed, or the coordinator
// ends; anything else: nothing was written, and nobody waits.
enum kafka_error groups_end_transaction(struct groups *g, const struct coordinator_time *now,
                                        const struct coordinator_txn *txn,
                                        struct coordinator_waiter *waiter);

// Administration. Each is about one group and fills that group's struct of the response.
void groups_describe(struct groups *g, struct group_call *call, const struct coordinator_time *now,
                     struct str group_id);          // describe_groups_response_described_group
void groups_consumer_describe(struct groups *g, struct group_call *call,
                              const struct coordinator_time *now,
                              struct str group_id); // consumer_group_describe_response_described_group
void groups_streams_describe(struct groups *g, struct group_call *call, const struct coordinator_time *now,
                             struct str group_id, // streams_group_describe_response_described_group
                             bool with_description);
void groups_delete(struct groups *g, struct group_call *call, const struct coordinator_time *now,
                   struct str group_id);            // delete_groups_response_deletable_group_result
// Fills a struct list_groups_response with the groups of this partition; filters are the request's.
void groups_list(struct groups *g, struct group_call *call, const struct coordinator_time *now,
                 const struct list_groups_request *request);
// What is known of a group of any kind: offsets without how far they are behind, and the journal. Fills a
// struct chitin_describe_groups_response_described_group, whose group id is set.
void groups_survey(struct groups *g, struct group_call *call, const struct coordinator_time *now,
                   struct str group_id, const struct chitin_describe_groups_request *request);
