// SPDX-License-Identifier: Apache-2.0
//
// The controller: turns requests that change the cluster into metadata records and a reply. A
// command reads the newest state, committed or not, and yields (records, reply); state changes only
// by replaying records, and the reply is sent when they are committed. Owned by the thread that owns
// the metadata log (shard 0); nothing here waits, reads a clock or draws a random number.
//
// How a driver uses it:
//
//   controller_new(options)
//   on RAFT_EFFECT_LEAD:  controller_activate(c, &cmd, ...), then append and accept as below
//   for a request:
//     controller_begin(c, &cmd, &input)
//     controller_create_topics(c, &cmd, request, reply, arena)        (or another command)
//     cmd.record_count > 0:  append cmd.values through raft (RAFT_EVENT_APPEND, cmd.atomic)
//       done:    controller_accept(c, &cmd, offset after the last record)
//       refused: controller_reject(c, &cmd); answer with an error
//     cmd.record_count == 0: controller_accept(c, &cmd, 0)
//     then hold the reply: controller_wait(c, &waiter, cmd.wait_offset)
//   when the high watermark rises:  while ((w = controller_next_committed(c, high_watermark))) send
//   on RAFT_EFFECT_LOST:  while ((w = controller_next_lost(c))) answer NOT_CONTROLLER;
//                         controller_resign(c)
//
// A reply without records waits too, since what it was computed from may not be committed yet;
// cmd.wait_offset covers that. Between controller_begin and accept or reject there is one command
// and no other.
//
// Requests and replies are the structs of wire/, replies allocated in the caller's arena and
// initialised by the command. Authorization is the caller's business: it takes out of the request
// what is not allowed and puts the refusals into the reply.
//
// When the controller is not active every command answers NOT_CONTROLLER.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/diag.h"
#include "base/list.h"
#include "base/prng.h"
#include "base/trace.h"
#include "base/uuid.h"
#include "metadata/feature.h"
#include "metadata/image.h"
#include "wire/errors.h"

struct config;

struct controller;

struct controller_options {
    struct str cluster_id;
    const struct config *config; // defaults for topics, what validates values; borrowed
    int64_t session_timeout_ms;  // broker.session.timeout.ms
    struct trace *trace;         // may be NULL
};

// The strings are copied.
struct controller *controller_new(const struct controller_options *options);
void controller_free(struct controller *c);

// --- Commands ---

enum {
    CONTROLLER_RECORDS_MAX = 10000,               // of one atomic command, as in Kafka
    CONTROLLER_COMMAND_MEMORY_MAX = 64 * 1024 * 1024, // its encoded records
    PRODUCER_ID_BLOCK_SIZE = 1000,
};

// What a command may not find out for itself.
struct controller_input {
    int64_t now_ms;      // Unix time
    int64_t next_offset; // that the first record will get: raft_log_end_offset()
    struct prng *prng;   // for placement
    const char *no_room; // why nothing may be created now; NULL: it may
    // Fills `out` with bytes nobody can guess, for ids.
    void (*random)(void *context, uint8_t *out, size_t size);
    void *random_context;
};

struct controller_command {
    // What came out
    struct bytes *values; // framed record values, in order, until accept or reject
    size_t record_count;
    bool atomic;         // all in one batch
    int64_t wait_offset; // the reply may go when everything below it is committed (set by accept)

    // Inner matters
    struct controller_input input;
    struct metadata_image *image; // the newest state with `values` replayed
    size_t value_capacity;
    struct arena arena;
};

// Begins a command on the newest state.
void controller_begin(struct controller *c, struct controller_command *cmd,
                      const struct controller_input *input);

// The records were appended to the log, `end_offset` is the offset after the last of them (ignored
// when there are none). The command's state becomes the newest one; `values` are gone.
void controller_accept(struct controller *c, struct controller_command *cmd, int64_t end_offset);

// The records were not appended: nothing has happened.
void controller_reject(struct controller *c, struct controller_command *cmd);

// Topics. Each command answers for every topic in the order of the request. All of a request's
// records are one atomic batch.
struct create_topics_request;
struct create_topics_response;
struct delete_topics_request;
struct delete_topics_response;
struct create_partitions_request;
struct create_partitions_response;

void controller_create_topics(struct controller *c, struct controller_command *cmd,
                              const struct create_topics_request *request,
                              struct create_topics_response *reply, struct arena *arena);

// Takes all versions: names alone (0 to 5), names or ids (6). Whether deletion is enabled
// (delete.topic.enable) is looked up in the configuration.
void controller_delete_topics(struct controller *c, struct controller_command *cmd,
                              const struct delete_topics_request *request,
                              struct delete_topics_response *reply, struct arena *arena);

void controller_create_partitions(struct controller *c, struct controller_command *cmd,
                                  const struct create_partitions_request *request,
                                  struct create_partitions_response *reply, struct arena *arena);

// Configurations of topics and brokers; each resource succeeds or fails as a whole. Other resource
// types get Kafka's error (BROKER_LOGGER is the broker's own affair and never comes here).
struct incremental_alter_configs_request;
struct incremental_alter_configs_response;
struct alter_configs_request;
struct alter_configs_response;

void controller_incremental_alter_configs(struct controller *c, struct controller_command *cmd,
                                          const struct incremental_alter_configs_request *request,
                                          struct incremental_alter_configs_response *reply,
                                          struct arena *arena);

// The old form (KIP-133): what is not named is deleted.
void controller_alter_configs(struct controller *c, struct controller_command *cmd,
                              const struct alter_configs_request *request,
                              struct alter_configs_response *reply, struct arena *arena);

// The life of a broker. A registration is answered with the broker epoch, which all later requests
// of that broker carry; heartbeats take it out of and into service. A broker starts fenced, is
// unfenced by the first heartbeat that does not want otherwise and whose metadata offset has reached
// its registration, and then leaderless partitions that it may lead get it as leader.
struct broker_registration_request;
struct broker_registration_response;
struct broker_heartbeat_request;
struct broker_heartbeat_response;

// `kraft_version` is the finalized level (raft_kraft_version), which no metadata record says.
void controller_register_broker(struct controller *c, struct controller_command *cmd,
                                const struct broker_registration_request *request,
                                int16_t kraft_version, struct broker_registration_response *reply,
                                struct arena *arena);

void controller_heartbeat(struct controller *c, struct controller_command *cmd,
                          const struct broker_heartbeat_request *request,
                          struct broker_heartbeat_response *reply, struct arena *arena);

// When controller_fence_stale is due: the time at which the session of an unfenced broker ends if
// it stays silent, or INT64_MAX when there is none. A node that is the whole cluster need not ask:
// it cannot lose itself.
int64_t controller_session_deadline_ms(const struct controller *c);

// Fences one broker whose session has ended, if there is one.
void controller_fence_stale(struct controller *c, struct controller_command *cmd);

// The directories of replicas (KIP-858): where a broker put what the controller left to it.
struct assign_replicas_to_dirs_request;
struct assign_replicas_to_dirs_response;

void controller_assign_replicas_to_dirs(struct controller *c, struct controller_command *cmd,
                                        const struct assign_replicas_to_dirs_request *request,
                                        struct assign_replicas_to_dirs_response *reply,
                                        struct arena *arena);

// The controller's own registration (KIP-919), written by each once after it began to run.
struct controller_registration_request;
struct controller_registration_response;

void controller_register_controller(struct controller *c, struct controller_command *cmd,
                                    const struct controller_registration_request *request,
                                    struct controller_registration_response *reply,
                                    struct arena *arena);

// A block of PRODUCER_ID_BLOCK_SIZE producer ids for a broker.
struct allocate_producer_ids_request;
struct allocate_producer_ids_response;

void controller_allocate_producer_ids(struct controller *c, struct controller_command *cmd,
                                      const struct allocate_producer_ids_request *request,
                                      struct allocate_producer_ids_response *reply,
                                      struct arena *arena);

// --- Leadership ---

// Begins to lead: `image` is the committed state at this moment (metadata_loader_image), which the
// controller takes a reference of. Begins a command (instead of controller_begin), which then holds
// what has to be written first, if anything; accept it before any other command. On an empty log
// these are the bootstrap records: Begin, the levels of `bootstrap` (the image of the 0-0 snapshot,
// or metadata_format_levels), its other records, the cluster's min.insync.replicas when eligible
// leader replicas are on, End. After a transaction that was left open (`in_transaction`) it is an
// AbortTransaction. ERR_UNSUPPORTED with words when the levels are not ones this release can work
// with.
//
// `bootstrap` is the image of the 0-0 snapshot, or NULL when there is none (then: the defaults). It
// counts only when the log is empty, that is, when `image` has no metadata.version yet.
// The controller stays inactive then and the command is empty.
int controller_activate(struct controller *c, struct controller_command *cmd,
                        const struct controller_input *input, const struct metadata_image *image,
                        bool in_transaction, const struct metadata_image *bootstrap,
                        struct diag *diag);

// Ends to lead. Everything uncommitted is forgotten. May be called between controller_begin and
// accept or reject, when the append of that command is what failed; the command still has to be
// accepted or rejected, and if accepted its wait_offset is one that never comes, so that its reply
// is among the lost ones.
void controller_resign(struct controller *c);

bool controller_is_active(const struct controller *c);

// The newest state, borrowed; NULL when not active. For questions that must see what a command
// before has just done (auto-creation of topics, say). Valid until the next accept.
const struct metadata_image *controller_image(const struct controller *c);

// --- Replies that wait ---

// Embedded in what holds a reply.
struct controller_waiter {
    struct list_node node;
    int64_t offset;
};

// Puts a reply into the queue until everything below `offset` is committed.
void controller_wait(struct controller *c, struct controller_waiter *w, int64_t offset);

// Takes a reply that has waited long enough out of the queue, or NULL. In the order of their
// offsets.
struct controller_waiter *controller_next_committed(struct controller *c, int64_t high_watermark);

// Takes any reply out of the queue, or NULL: after leadership was lost.
struct controller_waiter *controller_next_lost(struct controller *c);

// Takes this reply out of the queue (its connection has gone); harmless when it is in none.
void controller_wait_cancel(struct controller *c, struct controller_waiter *w);
