// SPDX-License-Identifier: Apache-2.0
//
// The driver of the metadata log: joins the consensus (raft), the log on disk (log), the state
// (metadata) and the decisions (controller), none of which knows the others. Everything that changes
// the cluster's metadata takes this way:
//
//   command -> records -> raft -> appended -> durable -> committed -> replayed -> image -> reply
//
// Belongs to shard 0.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/prng.h"
#include "base/uuid.h"
#include "controller/controller.h"
#include "raft/raft.h"

struct config;
struct env;
struct log_committer;
struct log_dir;
struct metadata_image;
struct quorum;
struct trace;

struct quorum_args {
    struct env *env;
    struct trace *trace;
    const struct config *config;
    struct log_committer *committer;
    struct log_dir *dir;      // metadata.log.dir, locked and formatted
    int32_t node_id;
    struct str cluster_id;
    const struct raft_voter *voters; // controller.quorum.voters; none: the log names them
    int voter_count;
    void *owner;
    // A new image is in force. What follows from it (partitions, configurations) is done when this
    // returns, and the replies that wait for it are sent after it.
    void (*on_image)(void *owner, const struct metadata_image *from,
                     const struct metadata_image *to);
    // This node leads and its controller takes commands.
    void (*on_active)(void *owner);
    // True while there is room for what new topics and partitions need.
    bool (*has_room)(void *owner);
    // The metadata cannot be known or written any more; the node has to stop. Called once.
    void (*on_fatal)(void *owner, const char *why);
};

// Opens the metadata log in `dir`: reads the newest snapshot and the log behind it. Blocks. On an
// error (with words) nothing was changed.
int quorum_open(const struct quorum_args *args, struct quorum **out, struct diag *diag);

// Starts the consensus; on_active follows in a later event.
int quorum_start(struct quorum *q, struct diag *diag);

// The directory of the metadata log is offline: whoever waits for a change hears that nothing is known
// about it, and on_fatal follows.
void quorum_log_failed(struct quorum *q, const char *why);

// Ends leadership; replies that wait get NOT_CONTROLLER. The log stays with its directory, which
// closes it.
void quorum_stop(struct quorum *q);
void quorum_free(struct quorum *q);

// The newest committed image; borrowed, valid until the next event.
const struct metadata_image *quorum_image(const struct quorum *q);

// The newest image with what was decided but is not committed yet: what a question about "does it
// exist already" must ask. The committed one when this node does not lead.
const struct metadata_image *quorum_latest_image(const struct quorum *q);

// True when no snapshot is being written.
bool quorum_is_idle(const struct quorum *q);

int32_t quorum_leader_id(const struct quorum *q); // -1: none
int16_t quorum_kraft_version(const struct quorum *q);
struct prng *quorum_prng(struct quorum *q);

// A change that somebody asks for. Embedded in what holds the reply, and stays valid until `done`.
struct quorum_command {
    struct controller_waiter waiter;
    // Calls one command of the controller, which fills the reply.
    void (*run)(struct quorum_command *command, struct controller *controller,
                struct controller_command *cc);
    // The reply is committed and the image has it (KAFKA_NONE), or this node is not the active
    // controller any more (KAFKA_NOT_CONTROLLER) and nothing is known about the change.
    void (*done)(struct quorum_command *command, int kafka_error);
};

// Runs the command now; `done` comes later, or at once when there was nothing to commit.
void quorum_submit(struct quorum *q, struct quorum_command *command);
