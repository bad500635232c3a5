// SPDX-License-Identifier: Apache-2.0
//
// Inside the controller: its state, and what commands share.
#pragma once

#include "controller/controller.h"
#include "wire/metadata_record.h"

// What is known of a broker besides its registration; lost with leadership.
struct broker_session {
    int32_t broker_id;
    bool heard;               // by this controller since it leads
    int64_t contact_ms;       // of the last heartbeat or registration, else when leadership began
    int64_t metadata_offset;  // up to which the broker has published metadata; -1: unknown
    int64_t shutdown_offset;  // of the records that began its controlled shutdown; -1: none
};

struct controller {
    char *cluster_id;
    const struct config *config;
    int64_t session_timeout_ms;
    struct trace *trace;

    struct metadata_image *image; // newest state; NULL: not active
    int64_t end_offset;           // after the last accepted record
    bool in_command;
    bool lost_in_command;         // leadership ended between begin and accept
    struct broker_session *sessions;
    int session_count;
    int session_capacity;
    struct list waiters; // of controller_waiter, by rising offset
};

// --- Errors that go into replies ---

struct api_error {
    int16_t code;     // enum kafka_error; 0: none
    struct diag text; // "": null
};

// Sets code and text (format NULL: no text) and returns false, for `return api_fail(...)`.
__attribute__((format(printf, 3, 4))) bool api_fail(struct api_error *e, int16_t code,
                                                    const char *format, ...);

// What a failed emit means to whoever asked for it.
bool api_fail_emit(struct api_error *e, int err, const struct diag *diag);

// The text in the reply's arena, or null when there is none.
struct str api_error_text(const struct api_error *e, struct arena *arena);

// --- Records of a command (command.c) ---

// Encodes a record, adds it to the command and replays it into the command's state. ERR_LIMIT when
// the command is atomic and has CONTROLLER_RECORDS_MAX records, ERR_NOMEM when they take too much
// memory, and the errors of encoding and replay. The command is as before then.
int command_emit(struct controller_command *cmd, enum metadata_record_type type, int16_t version,
                 const void *message, struct diag *diag);

// As above for a record that is encoded already.
int command_emit_value(struct controller_command *cmd, struct bytes value, struct diag *diag);

// As above, and fills `e` when it fails.
bool command_put(struct controller_command *cmd, enum metadata_record_type type, int16_t version,
                 const void *message, struct api_error *e);

// Undoing a part of a command: mark, then either keep or roll back.
struct command_mark {
    struct metadata_image *image;
    size_t record_count;
};

struct command_mark command_mark(struct controller_command *cmd);
void command_keep(struct command_mark *mark);
void command_rollback(struct controller_command *cmd, struct command_mark *mark);

// Takes back everything.
void command_clear(struct controller *c, struct controller_command *cmd);

int16_t command_metadata_version(const struct controller_command *cmd);
bool command_has_elr(const struct controller_command *cmd);
struct uuid command_new_id(struct controller_command *cmd);

// --- Names that come more than once (names.c) ---

struct names;
struct names *names_new(void);
void names_free(struct names *names);
void names_add(struct names *names, struct bytes key); // a view; lives longer than `names`
// How often the key was added, the first time it is asked for; then 0. It must have been added.
int names_take(struct names *names, struct bytes key);
bool names_contain(const struct names *names, struct bytes key);

// --- Configurations (topic_defaults.c) ---

// min.insync.replicas that holds for a topic: its own, the cluster's, the file's, the default.
int32_t topic_min_isr(const struct controller *c, const struct metadata_image *image,
                      struct str topic);
bool topic_allows_unclean_election(const struct controller *c, const struct metadata_image *image,
                                   struct str topic);

// --- Placement (placement.c) ---

struct placement {
    int32_t partition_count;
    int16_t replication_factor;
    int32_t *replicas; // partition_count times replication_factor node ids, from an arena
};

// Spreads new partitions over brokers: leaders evenly, replicas over racks, brokers that are in
// service first and the first replica on one that is. Partition ids begin with `first_partition`.
bool placement_make(const struct metadata_image *image, struct prng *prng, int32_t first_partition,
                    int32_t partition_count, int16_t replication_factor, struct arena *arena,
                    struct placement *out, struct api_error *e);

// Whether a client's list of brokers can be the replicas of a partition. `replication_factor` is
// that of the partitions before it, or 0 for the first.
bool assignment_check(const struct metadata_image *image, struct wire_int32_array brokers,
                      int32_t replication_factor, struct api_error *e);

// Adds a new partition with these replicas: those in service are in sync, the first of them leads.
bool partition_emit(struct controller_command *cmd, struct uuid topic_id, int32_t id,
                    const int32_t *replicas, int32_t count, struct api_error *e);

// --- Changes of partitions (partition_change.c) ---

enum { NO_BROKER = -1 };

struct partition_update {
    int32_t remove;            // leaves ISRs and may not lead: NO_BROKER or an id
    int32_t add;               // may lead although it is fenced still
    int32_t unclean;           // lost what it had not on disk: leaves ISRs and ELRs
    const struct uuid *directory; // of `set_directory_of`'s replica from now on; NULL: unchanged
    int32_t set_directory_of;
};

#define PARTITION_UPDATE_NONE                                                                      \
    ((struct partition_update){NO_BROKER, NO_BROKER, NO_BROKER, NULL, NO_BROKER})

// Elects a leader where one is due and adds the PartitionChange record if anything changes.
int partition_update(struct controller *c, struct controller_command *cmd,
                     const struct metadata_topic *t, const struct metadata_partition *p,
                     const struct partition_update *u, struct diag *diag);

// --- Brokers (sessions.c, fencing.c) ---

struct broker_session *session_find(struct controller *c, int32_t broker_id);
struct broker_session *session_touch(struct controller *c, int32_t broker_id, int64_t now_ms);
bool session_is_valid(const struct controller *c, int32_t broker_id, int64_t now_ms);
void sessions_reset(struct controller *c, int64_t now_ms);

// Partition changes and the registration change for each step of a broker's life.
int broker_fence(struct controller *c, struct controller_command *cmd,
                 const struct metadata_broker *b, struct diag *diag);
int broker_unfence(struct controller *c, struct controller_command *cmd,
                   const struct metadata_broker *b, struct diag *diag);
int broker_begin_shutdown(struct controller *c, struct controller_command *cmd,
                          const struct metadata_broker *b, struct diag *diag);
// The partition changes alone, before a registration record.
int broker_leave_partitions(struct controller *c, struct controller_command *cmd, int32_t broker_id,
                            bool unclean, struct diag *diag);
// The partition changes for replicas of the broker in directories that have failed.
int broker_leave_directories(struct controller *c, struct controller_command *cmd,
                             int32_t broker_id, struct wire_uuid_array offline, struct diag *diag);
bool broker_leads_partitions(const struct metadata_image *image, int32_t broker_id);
