// SPDX-License-Identifier: Apache-2.0
#include "raft/raft.h"

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "raft/internal.h"

struct raft *raft_new(const struct raft_options *options)
{
    struct raft *r = mem_new(struct raft);
    r->node_id = options->node_id;
    r->directory_id = options->directory_id;
    r->trace = options->trace;
    r->voters = mem_alloc_array((size_t)options->voter_count, sizeof *r->voters);
    for (int i = 0; i < options->voter_count; i++)
        r->voters[i] = options->voters[i];
    r->voter_count = options->voter_count;
    r->role = RAFT_UNATTACHED;
    r->leader_id = -1;
    r->voted_id = -1;
    r->high_watermark = -1;
    return r;
}

void raft_free(struct raft *r)
{
    if (r == NULL)
        return;
    mem_free(r->voters);
    mem_free(r->voters_record);
    mem_free(r);
}

void raft_out_init(struct raft_out *out)
{
    *out = (struct raft_out){0};
}

void raft__out_truncate(struct raft_out *out, size_t count)
{
    for (size_t i = count; i < out->count; i++)
        if (out->effects[i].type == RAFT_EFFECT_APPEND)
            mem_free((void *)(uintptr_t)out->effects[i].append.batch.data);
    out->count = count;
}

void raft_out_clear(struct raft_out *out)
{
    raft__out_truncate(out, 0);
}

void raft_out_release(struct raft_out *out)
{
    raft_out_clear(out);
    mem_free(out->effects);
    raft_out_init(out);
}

struct raft_effect *raft__effect(struct raft_out *out, enum raft_effect_type type)
{
    mem_grow(out->effects, out->count, out->capacity);
    struct raft_effect *effect = &out->effects[out->count++];
    *effect = (struct raft_effect){.type = type};
    return effect;
}

void raft__append_batch(struct raft *r, struct buf *batch, size_t record_count,
                        struct raft_out *out)
{
    size_t size;
    uint8_t *data = buf_detach(batch, &size);
    struct raft_effect *effect = raft__effect(out, RAFT_EFFECT_APPEND);
    effect->append.batch = bytes_of(data, size);
    effect->append.base_offset = r->log_end_offset;
    r->log_end_offset += (int64_t)record_count;
    effect->append.end_offset = r->log_end_offset;
}

void raft__persist(struct raft *r, enum raft_phase phase, struct raft_out *out)
{
    check(r->phase == RAFT_NEW || r->phase == RAFT_PERSIST_CANDIDATE || r->phase == RAFT_SETTLED);
    r->phase = phase;
    struct quorum_state *s = &raft__effect(out, RAFT_EFFECT_PERSIST)->persist;
    quorum_state_init(s);
    s->leader_epoch = r->epoch;
    s->leader_id = r->leader_id;
    s->voted_id = r->voted_id;
    if (r->kraft_version >= 1) {
        s->data_version = 1;
        s->voted_directory_id = r->voted_directory_id;
        return;
    }
    for (int i = 0; i < r->voter_count; i++)
        s->voters[s->voter_count++] = r->voters[i].id;
}

// The edges of the state machine. Epochs are not part of the state here: a node may only go from
// one epoch to a higher one.
static bool role_may_follow(enum raft_role from, enum raft_role to)
{
    switch (from) {
    case RAFT_UNATTACHED:
        return to == RAFT_CANDIDATE;
    case RAFT_CANDIDATE:
        return to == RAFT_LEADER;
    case RAFT_LEADER:
        return to == RAFT_RESIGNED;
    case RAFT_RESIGNED:
        return to == RAFT_CANDIDATE; // in a later epoch
    }
    return false;
}

void raft__become(struct raft *r, enum raft_role role, struct raft_out *out)
{
    check(role_may_follow(r->role, role));
    trace_debug(r->trace, "raft", "epoch %d: %s -> %s", r->epoch, raft_role_name(r->role),
                raft_role_name(role));
    r->role = role;
    struct raft_effect *effect = raft__effect(out, RAFT_EFFECT_ROLE);
    effect->role.role = role;
    effect->role.epoch = r->epoch;
    effect->role.leader_id = r->leader_id;
}

void raft__resign(struct raft *r, struct raft_out *out)
{
    if (r->role != RAFT_LEADER)
        return;
    raft__become(r, RAFT_RESIGNED, out);
    if (!r->lead_announced)
        return;
    r->lead_announced = false;
    struct raft_effect *effect = raft__effect(out, RAFT_EFFECT_LOST);
    effect->lead.epoch = r->epoch;
    effect->lead.epoch_start_offset = r->epoch_start_offset;
}

int raft_step(struct raft *r, const struct raft_event *event, struct raft_out *out,
              struct diag *diag)
{
    bool ends = event->type == RAFT_EVENT_RESIGN || event->type == RAFT_EVENT_FAILED;
    if (ends && r->phase == RAFT_NEW)
        return 0; // a node that could not start is stopped all the same
    check((event->type == RAFT_EVENT_START) == (r->phase == RAFT_NEW));
    switch (event->type) {
    case RAFT_EVENT_START:
        return raft__start(r, event, out, diag);
    case RAFT_EVENT_PERSISTED:
        raft__persisted(r, event, out);
        return 0;
    case RAFT_EVENT_APPEND:
        return raft__append(r, event, out, diag);
    case RAFT_EVENT_DURABLE:
        raft__durable(r, event, out);
        return 0;
    case RAFT_EVENT_FAILED:
        raft__resign(r, out);
        r->phase = RAFT_FAILED;
        return 0;
    case RAFT_EVENT_RESIGN:
        raft__resign(r, out);
        if (r->phase == RAFT_PERSIST_CANDIDATE || r->phase == RAFT_PERSIST_LEADER)
            r->phase = RAFT_SETTLED; // the election that was under way goes no further
        return 0;
    }
    check_unreachable();
}

enum raft_role raft_role(const struct raft *r)
{
    return r->role;
}

int32_t raft_epoch(const struct raft *r)
{
    return r->epoch;
}

int32_t raft_leader_id(const struct raft *r)
{
    return r->leader_id;
}

int64_t raft_log_end_offset(const struct raft *r)
{
    return r->log_end_offset;
}

int64_t raft_high_watermark(const struct raft *r)
{
    return r->high_watermark;
}

int16_t raft_kraft_version(const struct raft *r)
{
    return r->kraft_version;
}

const struct raft_voter *raft_voters(const struct raft *r, int *count)
{
    *count = r->voter_count;
    return r->voters;
}

struct bytes raft_voters_record(const struct raft *r)
{
    return r->kraft_version >= 1 ? bytes_of(r->voters_record, r->voters_record_size)
                                 : bytes_of(NULL, 0);
}

const char *raft_role_name(enum raft_role role)
{
    static const char *const names[] = {"unattached", "candidate", "leader", "resigned"};
    return names[role];
}
