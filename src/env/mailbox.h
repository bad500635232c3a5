// SPDX-License-Identifier: Apache-2.0
//
// Messages between shards. A message is embedded in what it carries; posting it moves the ownership
// of both to the receiving shard, whose thread then calls `receive`. Messages of one sender arrive
// in the order in which they were posted. The number of messages under way is bounded by what
// senders own: a message exists once and cannot be posted again before it was received.
#pragma once

struct env_message {
    void (*receive)(struct env_message *message); // on the receiving shard
    struct env_message *next;                     // the implementation's
};

struct env_mailbox {
    void (*post)(struct env_mailbox *mailbox, struct env_message *message);
};

// Hands the message to the shard of `mailbox`. From any thread; never blocks, never fails. Posting
// to one's own shard is fine: `receive` runs after the current callback has returned.
static inline void env_post(struct env_mailbox *mailbox, struct env_message *message)
{
    mailbox->post(mailbox, message);
}
