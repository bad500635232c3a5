// SPDX-License-Identifier: Apache-2.0
//
// What a node is when it starts, from quorum-state and the end of its log (KIP-595; the rule that a
// leader never appends again in an epoch it led before a restart is what keeps (offset, epoch)
// unique when the tail of its log was lost).
#include "base/check.h"
#include "base/err.h"
#include "raft/internal.h"

static bool voter_is_self(const struct raft *r, const struct raft_voter *v)
{
    return v->id == r->node_id &&
           (uuid_is_zero(v->directory_id) || uuid_equal(v->directory_id, r->directory_id));
}

static int voters_check(const struct raft *r, struct diag *diag)
{
    if (r->voter_count == 0)
        return diag_set(diag, ERR_UNSUPPORTED,
                        "the metadata quorum has no voters: set controller.quorum.voters to "
                        "%d@host:port, or format the directory for a quorum of its own",
                        r->node_id);
    if (r->voter_count > 1)
        return diag_set(diag, ERR_UNSUPPORTED,
                        "the metadata quorum has %d voters; this release runs with one, itself",
                        r->voter_count);
    const struct raft_voter *v = &r->voters[0];
    if (v->id != r->node_id)
        return diag_set(diag, ERR_UNSUPPORTED,
                        "the only voter of the metadata quorum is node %d and this is node %d: "
                        "this release runs with one voter, itself",
                        v->id, r->node_id);
    if (!voter_is_self(r, v))
        return diag_set(diag, ERR_UNSUPPORTED,
                        "the only voter of the metadata quorum is node %d with directory id %s, but "
                        "the metadata directory here has id %s",
                        v->id, uuid_format(v->directory_id).text, uuid_format(r->directory_id).text);
    return 0;
}

// With this node as the only voter, nobody else can ever have been voted for, led or voted here.
static int state_check(const struct raft *r, const struct quorum_state *s, struct diag *diag)
{
    int32_t other = s->leader_id != -1 && s->leader_id != r->node_id ? s->leader_id
                    : s->voted_id != -1 && s->voted_id != r->node_id ? s->voted_id
                                                                     : -1;
    for (int i = 0; i < s->voter_count && other == -1; i++)
        if (s->voters[i] != r->node_id)
            other = s->voters[i];
    if (other != -1)
        return diag_set(diag, ERR_CORRUPT,
                        "quorum-state was written in a quorum with node %d, but node %d is the only "
                        "voter now: starting would lose what that quorum decided",
                        other, r->node_id);
    if (s->voted_id == r->node_id && !uuid_is_zero(s->voted_directory_id) &&
        !uuid_equal(s->voted_directory_id, r->directory_id))
        return diag_set(diag, ERR_CORRUPT,
                        "quorum-state belongs to the directory with id %s, this one has id %s",
                        uuid_format(s->voted_directory_id).text, uuid_format(r->directory_id).text);
    return 0;
}

int raft__start(struct raft *r, const struct raft_event *event, struct raft_out *out,
                struct diag *diag)
{
    const struct quorum_state *s = event->start.state;
    int err = voters_check(r, diag);
    if (err != 0 || (err = state_check(r, s, diag)) != 0)
        return err;
    int32_t last_epoch = event->start.last_epoch;
    int32_t epoch = s->leader_epoch > last_epoch ? s->leader_epoch : last_epoch;
    if (epoch == INT32_MAX)
        return diag_set(diag, ERR_CORRUPT, "epoch %d of the metadata quorum is the last there can be",
                        epoch);

    r->log_end_offset = event->start.log_end_offset;
    r->epoch = epoch;
    if (s->leader_epoch == epoch && s->leader_id == r->node_id) {
        r->leader_id = r->node_id;
        r->role = RAFT_RESIGNED;
    }
    // A vote for itself that no leadership followed may still be used: nothing was appended in that
    // epoch. In every other case the next epoch is a new one.
    bool vote_is_good = s->leader_epoch == epoch && s->voted_id == r->node_id &&
                        s->leader_id == -1 && last_epoch < epoch;
    r->leader_id = -1;
    r->voted_id = r->node_id;
    r->voted_directory_id = r->directory_id;
    if (!vote_is_good)
        r->epoch = epoch + 1;
    raft__persist(r, RAFT_PERSIST_CANDIDATE, out);
    return 0;
}
