// SPDX-License-Identifier: Apache-2.0
//
// What a leader does: appends the controller's records and says what is committed. Its own position
// counts only as far as its log is on disk, and nothing is committed before a record of its own
// epoch is (Raft, section 5.4.2).
#include "base/check.h"
#include "base/err.h"
#include "raft/internal.h"
#include "wire/batch.h"

// Builds one batch of the first values that may stand in one, all if `atomic`. Gives their number,
// or ERR_LIMIT when not even one fits, or not all do.
static int batch_build(const struct raft *r, int64_t now_ms, const struct bytes *values,
                       size_t count, bool atomic, struct buf *out, size_t *taken)
{
    struct batch_options options = BATCH_OPTIONS_DEFAULT;
    options.base_offset = r->log_end_offset;
    options.partition_leader_epoch = r->epoch;
    struct batch_builder builder;
    batch_builder_begin(&builder, out, &options);
    size_t n = 0;
    // A record takes its value and at most 22 bytes around it: length, attributes, deltas, lengths
    // of key and value, header count.
    while (n < count && (atomic || (n < RAFT_BATCH_RECORDS_MAX &&
                                    batch_builder_size(&builder) + values[n].size + 22 <=
                                        RAFT_BATCH_SIZE_MAX))) {
        batch_builder_add(&builder, now_ms, bytes_of(NULL, 0), values[n], NULL, 0);
        n++;
    }
    if (n == 0) {
        batch_builder_cancel(&builder);
        return ERR_LIMIT;
    }
    *taken = n;
    return batch_builder_finish(&builder, NULL);
}

static int values_check(const struct raft_event *event, struct diag *diag)
{
    check(event->append.count > 0);
    for (size_t i = 0; i < event->append.count; i++)
        if (event->append.values[i].size == 0)
            return diag_set(diag, ERR_INVALID, "metadata record %zu is empty", i);
    return 0;
}

int raft__append(struct raft *r, const struct raft_event *event, struct raft_out *out,
                 struct diag *diag)
{
    if (r->role != RAFT_LEADER || !r->lead_announced)
        return diag_set(diag, ERR_REFUSED, "node %d does not lead the metadata quorum", r->node_id);
    int err = values_check(event, diag);
    if (err != 0)
        return err;
    size_t effects_before = out->count, done = 0;
    int64_t end_before = r->log_end_offset;
    while (done < event->append.count) {
        struct buf batch;
        size_t taken = 0;
        buf_init(&batch, RAFT_BATCH_SIZE_MAX);
        err = batch_build(r, event->now_ms, event->append.values + done,
                          event->append.count - done, event->append.atomic, &batch, &taken);
        if (err != 0) {
            buf_release(&batch);
            raft__out_truncate(out, effects_before);
            r->log_end_offset = end_before;
            return diag_set(diag, err, "%zu metadata records do not fit into a batch of %d bytes",
                            event->append.count - done, RAFT_BATCH_SIZE_MAX);
        }
        raft__append_batch(r, &batch, taken, out);
        done += taken;
    }
    return 0;
}

// The highest offset that a majority of voters has on disk: voters' positions in falling order, the
// middle one. With one voter that is its own.
static int64_t majority_offset(const struct raft *r)
{
    check(r->voter_count == 1 && r->voters[0].id == r->node_id);
    return r->durable_offset;
}

void raft__durable(struct raft *r, const struct raft_event *event, struct raft_out *out)
{
    int64_t offset = event->durable.offset;
    check(offset <= r->log_end_offset);
    if (offset > r->durable_offset)
        r->durable_offset = offset;
    if (r->role != RAFT_LEADER)
        return;
    int64_t committed = majority_offset(r);
    if (committed <= r->epoch_start_offset || committed <= r->high_watermark)
        return;
    r->high_watermark = committed;
    raft__effect(out, RAFT_EFFECT_HIGH_WATERMARK)->high_watermark = committed;
    if (r->lead_announced)
        return;
    r->lead_announced = true;
    struct raft_effect *lead = raft__effect(out, RAFT_EFFECT_LEAD);
    lead->lead.epoch = r->epoch;
    lead->lead.epoch_start_offset = r->epoch_start_offset;
}
