// SPDX-License-Identifier: Apache-2.0
//
// From candidate to leader. The only voter wins with its own vote; it still takes the same steps as
// any other, each on disk before the next: its vote, its leadership, then the first batch.
#include "base/check.h"
#include "raft/internal.h"

static bool majority_granted(const struct raft *r)
{
    int granted = r->voted_id == r->node_id; // answers of other voters are counted here
    return granted > r->voter_count / 2;
}

static void become_leader(struct raft *r, int64_t now_ms, struct raft_out *out)
{
    raft__become(r, RAFT_LEADER, out);
    r->epoch_start_offset = r->log_end_offset;
    raft__append_leader_change(r, now_ms, out);
}

void raft__persisted(struct raft *r, const struct raft_event *event, struct raft_out *out)
{
    switch (r->phase) {
    case RAFT_PERSIST_CANDIDATE:
        raft__become(r, RAFT_CANDIDATE, out);
        r->phase = RAFT_SETTLED;
        if (!majority_granted(r))
            return;
        r->leader_id = r->node_id;
        r->voted_id = -1; // as Kafka: a leader's file names the leader alone
        r->voted_directory_id = (struct uuid){{0}};
        raft__persist(r, RAFT_PERSIST_LEADER, out);
        return;
    case RAFT_PERSIST_LEADER:
        r->phase = RAFT_SETTLED;
        become_leader(r, event->now_ms, out);
        return;
    case RAFT_SETTLED: // resigned meanwhile
    case RAFT_FAILED:
        return;
    case RAFT_NEW:
        break;
    }
    check_unreachable();
}
