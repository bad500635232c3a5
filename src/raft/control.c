// SPDX-License-Identifier: Apache-2.0
//
// Control records of the metadata log: writing the first batch of an epoch, and learning voters and
// kraft.version from batches that are there. FROZEN on disk: LeaderChange in version 0; KRaftVersion
// and KRaftVoters follow it in the same batch when the voters are only in the 0-0 snapshot, which is
// never sent to anybody (KIP-853).
#include "base/arena.h"
#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "raft/internal.h"
#include "wire/batch.h"
#include "wire/record/kraft_version_record.h"
#include "wire/record/leader_change_message.h"
#include "wire/record/voters_record.h"

enum { CONTROL_MEMORY_MAX = 1024 * 1024 };

static void control_add(struct batch_builder *builder, int64_t now_ms, enum control_type type,
                        struct bytes value)
{
    uint8_t key[CONTROL_KEY_SIZE];
    control_key_store(key, type);
    batch_builder_add(builder, now_ms, bytes_of(key, sizeof key), value, NULL, 0);
}

static void leader_change_encode(const struct raft *r, struct buf *out)
{
    struct leader_change_message_voter *voters =
        mem_alloc_array((size_t)r->voter_count, sizeof *voters);
    for (int i = 0; i < r->voter_count; i++)
        voters[i].voter_id = r->voters[i].id;
    struct leader_change_message_voter self = {.voter_id = r->node_id};
    struct leader_change_message message = {
        .version = 0,
        .leader_id = r->node_id,
        .voters = {voters, r->voter_count},
        .granting_voters = {&self, 1},
    };
    check(wire_encode_buf(&leader_change_message_schema, 0, &message, out) == 0);
    mem_free(voters);
}

static void kraft_version_encode(const struct raft *r, struct buf *out)
{
    struct kraft_version_record message = {.version = 0, .kraft_version = r->kraft_version};
    check(wire_encode_buf(&kraft_version_record_schema, 0, &message, out) == 0);
}

void raft__append_leader_change(struct raft *r, int64_t now_ms, struct raft_out *out)
{
    struct buf batch, value;
    struct batch_builder builder;
    buf_init(&batch, RAFT_BATCH_SIZE_MAX);
    buf_init(&value, RAFT_BATCH_SIZE_MAX);
    struct batch_options options = BATCH_OPTIONS_DEFAULT;
    options.base_offset = r->log_end_offset;
    options.partition_leader_epoch = r->epoch;
    options.attributes = BATCH_CONTROL;
    batch_builder_begin(&builder, &batch, &options);
    size_t count = 1;
    leader_change_encode(r, &value);
    control_add(&builder, now_ms, CONTROL_LEADER_CHANGE, buf_bytes(&value));
    if (r->kraft_version >= 1 && r->voters_from_bootstrap) {
        buf_clear(&value);
        kraft_version_encode(r, &value);
        control_add(&builder, now_ms, CONTROL_KRAFT_VERSION, buf_bytes(&value));
        control_add(&builder, now_ms, CONTROL_KRAFT_VOTERS, raft_voters_record(r));
        r->voters_from_bootstrap = false;
        count = 3;
    }
    check(batch_builder_finish(&builder, NULL) == 0);
    buf_release(&value);
    raft__append_batch(r, &batch, count, out);
}

static int voters_take(struct raft *r, struct bytes value, bool bootstrap, struct arena *arena,
                       struct diag *diag)
{
    struct voters_record record;
    size_t consumed;
    int err = wire_decode(&voters_record_schema, 0, value, arena, &record, &consumed);
    if (err != 0 || consumed != value.size)
        return diag_set(diag, ERR_CORRUPT, "a KRaftVoters record cannot be read");
    if (record.voters.count < 1 || record.voters.count > QUORUM_VOTERS_MAX)
        return diag_set(diag, ERR_CORRUPT, "a KRaftVoters record names %d voters",
                        record.voters.count);
    mem_free(r->voters);
    r->voter_count = record.voters.count;
    r->voters = mem_alloc_array((size_t)r->voter_count, sizeof *r->voters);
    for (int i = 0; i < r->voter_count; i++)
        r->voters[i] = (struct raft_voter){record.voters.items[i].voter_id,
                                           record.voters.items[i].voter_directory_id};
    mem_free(r->voters_record);
    r->voters_record = mem_alloc(value.size);
    memcpy(r->voters_record, value.data, value.size);
    r->voters_record_size = value.size;
    r->voters_from_bootstrap = bootstrap;
    return 0;
}

static int kraft_version_take(struct raft *r, struct bytes value, struct arena *arena,
                              struct diag *diag)
{
    struct kraft_version_record record;
    int err = wire_decode(&kraft_version_record_schema, 0, value, arena, &record, NULL);
    if (err != 0)
        return diag_set(diag, ERR_CORRUPT, "a KRaftVersion record cannot be read");
    if (record.kraft_version < 0 || record.kraft_version > 1)
        return diag_set(diag, ERR_UNSUPPORTED,
                        "kraft.version is %d in the metadata log and this release supports 0 to 1",
                        record.kraft_version);
    r->kraft_version = record.kraft_version;
    return 0;
}

static int control_take(struct raft *r, const struct record *record, bool bootstrap,
                        struct diag *diag)
{
    int16_t type;
    if (control_key_read(record->key, &type) != 0 || record->value.data == NULL)
        return diag_set(diag, ERR_CORRUPT, "a control record of the metadata log cannot be read");
    struct arena arena;
    arena_init(&arena, CONTROL_MEMORY_MAX);
    int err = 0;
    if (type == CONTROL_KRAFT_VERSION)
        err = kraft_version_take(r, record->value, &arena, diag);
    else if (type == CONTROL_KRAFT_VOTERS)
        err = voters_take(r, record->value, bootstrap, &arena, diag);
    arena_release(&arena); // other types do not change who votes
    return err;
}

int raft_load(struct raft *r, struct bytes data, struct diag *diag)
{
    check(r->phase == RAFT_NEW);
    struct bytes batch;
    struct batch_header header;
    int left;
    while ((left = batch_next(&data, &header, &batch)) == 1) {
        if (header.magic != BATCH_MAGIC_CURRENT || !batch_is_control(&header))
            continue;
        struct batch_iter iter;
        struct record record;
        int more = 0;
        if (!batch_crc_is_valid(batch) || batch_codec(&header) != 0 ||
            batch_iter_init(&iter, batch, NULL) != 0)
            more = ERR_CORRUPT;
        int err = 0;
        // Epochs begin with 1: only the 0-0 snapshot has batches of epoch 0.
        while (more == 0 && (more = batch_iter_next(&iter, &record)) == 1) {
            err = control_take(r, &record, header.partition_leader_epoch == 0, diag);
            more = err;
        }
        if (err == 0 && more != 0)
            err = diag_set(diag, ERR_CORRUPT, "a control batch is damaged");
        if (err != 0) {
            diag_prefix(diag, "metadata log, offset %lld", (long long)header.base_offset);
            return err;
        }
    }
    return left == 0 ? 0 : diag_set(diag, ERR_CORRUPT, "the metadata log ends inside a batch");
}
