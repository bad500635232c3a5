// SPDX-License-Identifier: Apache-2.0
//
// The quorum of one voter: start from every state that a crash can leave, the order of effects, what
// is committed when.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "raft/raft.h"
#include "wire/batch.h"
#include "wire/record/kraft_version_record.h"
#include "wire/record/leader_change_message.h"
#include "wire/record/voters_record.h"

enum { NODE = 1, NOW = 1000 };

static const struct uuid directory = {{1, 2, 3}};
static const struct uuid other_directory = {{9}};

// A node with the disk a driver would keep for it.
struct disk {
    struct quorum_state state;
    int64_t log_end;
    int32_t last_epoch;
    struct buf log;
};

struct node {
    struct raft *raft;
    struct raft_out out;
    struct disk *disk;
    int64_t high_watermark;
    int leads;
    int losts;
    int32_t lead_epoch;
};

static void disk_init(struct disk *d)
{
    *d = (struct disk){0};
    quorum_state_init(&d->state);
    buf_init(&d->log, 1 << 26);
}

static struct raft *raft_of_one(void)
{
    static const struct raft_voter self = {.id = NODE};
    return raft_new(&(struct raft_options){
        .node_id = NODE, .directory_id = directory, .voters = &self, .voter_count = 1});
}

static void node_init(struct node *n, struct disk *d)
{
    *n = (struct node){.raft = raft_of_one(), .disk = d, .high_watermark = -1};
    raft_out_init(&n->out);
}

static void node_release(struct node *n)
{
    raft_free(n->raft);
    raft_out_release(&n->out);
}

static int node_step(struct node *n, struct raft_event event)
{
    raft_out_clear(&n->out);
    event.now_ms = NOW;
    return raft_step(n->raft, &event, &n->out, NULL);
}

static int node_start(struct node *n)
{
    struct raft_event event = {.type = RAFT_EVENT_START};
    event.start.state = &n->disk->state;
    event.start.log_end_offset = n->disk->log_end;
    event.start.last_epoch = n->disk->last_epoch;
    return node_step(n, event);
}

static int node_event(struct node *n, enum raft_event_type type)
{
    return node_step(n, (struct raft_event){.type = type});
}

static int node_durable(struct node *n, int64_t offset)
{
    struct raft_event event = {.type = RAFT_EVENT_DURABLE};
    event.durable.offset = offset;
    return node_step(n, event);
}

static int node_append(struct node *n, const struct bytes *values, size_t count, bool atomic)
{
    struct raft_event event = {.type = RAFT_EVENT_APPEND};
    event.append.values = values;
    event.append.count = count;
    event.append.atomic = atomic;
    return node_step(n, event);
}

// Does the effects of the last step as a disk would, at most `max` of them; false when a PERSIST or
// an APPEND asks for an event. `done` says how many were done.
static void effects_do(struct node *n, size_t max, bool *persisted, bool *appended)
{
    *persisted = *appended = false;
    for (size_t i = 0; i < n->out.count && i < max; i++) {
        const struct raft_effect *e = &n->out.effects[i];
        switch (e->type) {
        case RAFT_EFFECT_PERSIST:
            assert_int_equal(i, n->out.count - 1); // nothing is listed behind it
            n->disk->state = e->persist;
            *persisted = true;
            break;
        case RAFT_EFFECT_APPEND:
            assert_int_equal(e->append.base_offset, n->disk->log_end);
            n->disk->log_end = e->append.end_offset;
            n->disk->last_epoch = raft_epoch(n->raft);
            buf_append(&n->disk->log, e->append.batch.data, e->append.batch.size);
            *appended = true;
            break;
        case RAFT_EFFECT_HIGH_WATERMARK:
            assert_true(e->high_watermark > n->high_watermark);
            n->high_watermark = e->high_watermark;
            break;
        case RAFT_EFFECT_LEAD:
            n->leads++;
            n->lead_epoch = e->lead.epoch;
            assert_true(n->high_watermark > e->lead.epoch_start_offset);
            break;
        case RAFT_EFFECT_LOST:
            n->losts++;
            break;
        case RAFT_EFFECT_ROLE:
            break;
        }
    }
}

// Runs until nothing is left to do.
static void node_settle(struct node *n)
{
    bool persisted, appended;
    for (;;) {
        effects_do(n, SIZE_MAX, &persisted, &appended);
        if (persisted)
            assert_int_equal(node_event(n, RAFT_EVENT_PERSISTED), 0);
        else if (appended)
            assert_int_equal(node_durable(n, n->disk->log_end), 0);
        else
            return;
    }
}

static void a_fresh_node_leads_in_epoch_1(void **state)
{
    struct disk d;
    struct node n;
    disk_init(&d);
    node_init(&n, &d);
    assert_int_equal(node_start(&n), 0);

    // First the vote...
    assert_int_equal(n.out.count, 1);
    assert_int_equal(n.out.effects[0].type, RAFT_EFFECT_PERSIST);
    struct quorum_state *s = &n.out.effects[0].persist;
    assert_int_equal(s->leader_epoch, 1);
    assert_int_equal(s->voted_id, NODE);
    assert_int_equal(s->leader_id, -1);
    assert_int_equal(s->data_version, 0);
    assert_int_equal(s->voter_count, 1);
    assert_int_equal(raft_role(n.raft), RAFT_UNATTACHED);

    // ...then the leadership, with the vote gone, as Kafka writes it...
    node_event(&n, RAFT_EVENT_PERSISTED);
    assert_int_equal(n.out.count, 2);
    assert_int_equal(n.out.effects[0].type, RAFT_EFFECT_ROLE);
    assert_int_equal(n.out.effects[0].role.role, RAFT_CANDIDATE);
    s = &n.out.effects[1].persist;
    assert_int_equal(s->leader_epoch, 1);
    assert_int_equal(s->leader_id, NODE);
    assert_int_equal(s->voted_id, -1);

    // ...then the first batch.
    node_event(&n, RAFT_EVENT_PERSISTED);
    assert_int_equal(n.out.count, 2);
    assert_int_equal(n.out.effects[0].role.role, RAFT_LEADER);
    assert_int_equal(n.out.effects[1].type, RAFT_EFFECT_APPEND);
    assert_int_equal(raft_high_watermark(n.raft), -1);

    // Nothing is committed before it is on disk, and nothing may be written before that.
    struct bytes value = bytes_of("x", 1);
    assert_int_equal(node_append(&n, &value, 1, true), ERR_REFUSED);
    node_durable(&n, 0);
    assert_int_equal(n.out.count, 0);
    node_durable(&n, 1);
    assert_int_equal(n.out.count, 2);
    assert_int_equal(n.out.effects[0].high_watermark, 1);
    assert_int_equal(n.out.effects[1].type, RAFT_EFFECT_LEAD);
    assert_int_equal(n.out.effects[1].lead.epoch, 1);
    assert_int_equal(n.out.effects[1].lead.epoch_start_offset, 0);
    node_release(&n);
    buf_release(&d.log);
}

// The bytes of Kafka's first batch but for its time and so its CRC: the golden metadata log begins
// with one of 91 bytes.
static void the_first_batch_is_kafkas(void **state)
{
    struct disk d;
    struct node n;
    disk_init(&d);
    node_init(&n, &d);
    node_start(&n);
    node_settle(&n);
    struct bytes rest = buf_bytes(&d.log), batch;
    struct batch_header h;
    assert_int_equal(batch_next(&rest, &h, &batch), 1);
    assert_int_equal(batch.size, 91);
    assert_true(batch_crc_is_valid(batch));
    assert_int_equal(h.base_offset, 0);
    assert_int_equal(h.partition_leader_epoch, 1);
    assert_int_equal(h.attributes, BATCH_CONTROL);
    assert_int_equal(h.base_timestamp, NOW);
    assert_int_equal(h.max_timestamp, NOW);
    assert_int_equal(h.producer_id, -1);
    assert_int_equal(h.producer_epoch, -1);
    assert_int_equal(h.base_sequence, -1);
    static const uint8_t record[] = {
        // length, attributes, timestamp delta, offset delta, key, value, headers
        0x3a, 0, 0, 0, 0x08, 0, 0, 0, 2, 0x26,
        0, 0,           // version
        0, 0, 0, 1,     // leader
        2, 0, 0, 0, 1, 0, // voters
        2, 0, 0, 0, 1, 0, // granting voters
        0,              // tags
        0,
    };
    assert_int_equal(batch.size - BATCH_HEADER_SIZE, sizeof record);
    assert_memory_equal(batch.data + BATCH_HEADER_SIZE, record, sizeof record);
    node_release(&n);
    buf_release(&d.log);
}

struct start_case {
    const char *what;
    int32_t state_epoch, leader, voted;
    int64_t log_end;
    int32_t last_epoch;
    int32_t epoch; // in which it leads
};

static const struct start_case start_cases[] = {
    {"nothing", 0, -1, -1, 0, 0, 1},
    {"voted, and stopped before it led", 3, -1, NODE, 10, 2, 3},
    {"voted in an empty log", 1, -1, NODE, 0, 0, 1},
    {"led, and stopped before its first batch", 3, NODE, -1, 10, 2, 4},
    {"led and wrote", 3, NODE, -1, 11, 3, 4},
    {"led and wrote, vote kept", 3, NODE, NODE, 11, 3, 4},
    {"quorum-state is gone", 0, -1, -1, 11, 3, 4},
    {"quorum-state is older than the log", 2, NODE, -1, 11, 3, 4},
    {"quorum-state is older than the log, voted", 2, -1, NODE, 11, 3, 4},
    {"a vote in an epoch that the log knows", 3, -1, NODE, 11, 3, 4},
    {"epoch known, nobody voted for", 5, -1, -1, 11, 3, 6},
};

static void every_start_takes_an_epoch_it_did_not_write_in(void **state)
{
    for (size_t i = 0; i < sizeof start_cases / sizeof start_cases[0]; i++) {
        const struct start_case *c = &start_cases[i];
        struct disk d;
        struct node n;
        disk_init(&d);
        d.state.leader_epoch = c->state_epoch;
        d.state.leader_id = c->leader;
        d.state.voted_id = c->voted;
        d.log_end = c->log_end;
        d.last_epoch = c->last_epoch;
        node_init(&n, &d);
        assert_int_equal(node_start(&n), 0);
        node_settle(&n);
        if (raft_epoch(n.raft) != c->epoch)
            fail_msg("%s: epoch %d, not %d", c->what, raft_epoch(n.raft), c->epoch);
        assert_true(raft_epoch(n.raft) > c->last_epoch);
        assert_int_equal(n.leads, 1);
        assert_int_equal(n.lead_epoch, c->epoch);
        assert_int_equal(raft_role(n.raft), RAFT_LEADER);
        assert_int_equal(raft_leader_id(n.raft), NODE);
        // What the log held is committed with the first batch of the new epoch, not before.
        assert_int_equal(n.high_watermark, c->log_end + 1);
        assert_int_equal(d.state.leader_epoch, c->epoch);
        assert_int_equal(d.state.leader_id, NODE);
        node_release(&n);
        buf_release(&d.log);
    }
}

// Stops after any number of effects, with or without the last append surviving, again and again: no
// epoch is written in by two starts, and epochs and log end never go back.
static void a_crash_between_any_two_effects_is_survived(void **state)
{
    for (int pattern = 0; pattern < 4096; pattern++) {
        struct disk d;
        disk_init(&d);
        int32_t wrote_epoch = 0;
        int bits = pattern;
        for (int life = 0; life < 4; life++, bits >>= 3) {
            struct node n;
            node_init(&n, &d);
            int64_t end_before = d.log_end;
            assert_int_equal(node_start(&n), 0);
            bool persisted, appended, alive = true;
            int steps = bits & 3, wrote = 0;
            bool lose_tail = (bits & 4) != 0;
            while (alive) {
                alive = steps-- > 0;
                effects_do(&n, SIZE_MAX, &persisted, &appended);
                if (appended)
                    wrote++;
                if (alive && persisted)
                    node_event(&n, RAFT_EVENT_PERSISTED);
                else if (alive && appended)
                    node_durable(&n, d.log_end);
                else if (alive && n.out.count == 0)
                    alive = false;
                else if (alive)
                    raft_out_clear(&n.out);
            }
            if (wrote > 0) {
                assert_true(raft_epoch(n.raft) > wrote_epoch);
                wrote_epoch = raft_epoch(n.raft);
            }
            // What was not durable may be gone.
            if (lose_tail && n.high_watermark < d.log_end) {
                d.log_end = end_before;
                d.last_epoch = d.last_epoch == wrote_epoch ? wrote_epoch - 1 : d.last_epoch;
            }
            assert_true(d.state.leader_epoch >= wrote_epoch);
            node_release(&n);
        }
        buf_release(&d.log);
    }
}

static void records_commit_when_they_are_on_disk(void **state)
{
    struct disk d;
    struct node n;
    disk_init(&d);
    node_init(&n, &d);
    node_start(&n);
    node_settle(&n);
    buf_clear(&d.log);

    struct bytes values[] = {bytes_of("one", 3), bytes_of("two", 3)};
    assert_int_equal(node_append(&n, values, 2, true), 0);
    assert_int_equal(n.out.count, 1);
    assert_int_equal(raft_log_end_offset(n.raft), 3);
    bool persisted, appended;
    effects_do(&n, SIZE_MAX, &persisted, &appended);
    assert_int_equal(node_append(&n, values, 1, true), 0);
    effects_do(&n, SIZE_MAX, &persisted, &appended);

    node_durable(&n, 3);
    assert_int_equal(n.out.count, 1);
    assert_int_equal(n.out.effects[0].high_watermark, 3);
    node_durable(&n, 2); // an older sync reports late
    assert_int_equal(n.out.count, 0);
    node_durable(&n, 4);
    assert_int_equal(n.out.effects[0].high_watermark, 4);

    // What Kafka's reader insists on.
    struct bytes rest = buf_bytes(&d.log), batch;
    struct batch_header h;
    assert_int_equal(batch_next(&rest, &h, &batch), 1);
    assert_true(batch_crc_is_valid(batch));
    assert_int_equal(h.base_offset, 1);
    assert_int_equal(h.record_count, 2);
    assert_int_equal(h.attributes, 0);
    struct batch_iter iter;
    struct record record;
    assert_int_equal(batch_iter_init(&iter, batch, NULL), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(batch_iter_next(&iter, &record), 1);
        assert_null(record.key.data);
        assert_true(bytes_equal(record.value, values[i]));
        assert_int_equal(record.timestamp, NOW);
        assert_int_equal(record.header_count, 0);
    }
    node_release(&n);
    buf_release(&d.log);
}

static void long_appends_are_split_unless_atomic(void **state)
{
    struct disk d;
    struct node n;
    disk_init(&d);
    node_init(&n, &d);
    node_start(&n);
    node_settle(&n);
    enum { COUNT = RAFT_BATCH_RECORDS_MAX * 2 + 1 };
    struct bytes *values = mem_alloc_array(COUNT, sizeof *values);
    for (int i = 0; i < COUNT; i++)
        values[i] = bytes_of("v", 1);
    assert_int_equal(node_append(&n, values, COUNT, false), 0);
    assert_int_equal(n.out.count, 3);
    assert_int_equal(n.out.effects[2].append.end_offset - n.out.effects[2].append.base_offset, 1);
    node_settle(&n);
    assert_int_equal(n.high_watermark, 1 + COUNT);

    uint8_t *big = mem_alloc_zero(3 * 1024 * 1024);
    for (int i = 0; i < 4; i++)
        values[i] = bytes_of(big, 3 * 1024 * 1024);
    assert_int_equal(node_append(&n, values, 4, true), ERR_LIMIT);
    assert_int_equal(n.out.count, 0);
    assert_int_equal(raft_log_end_offset(n.raft), 1 + COUNT);
    assert_int_equal(node_append(&n, values, 4, false), 0);
    assert_int_equal(n.out.count, 2);
    for (size_t i = 0; i < n.out.count; i++)
        assert_true(n.out.effects[i].append.batch.size <= RAFT_BATCH_SIZE_MAX);
    node_settle(&n);
    mem_free(big);

    // One value that no batch can take, behind one that fits: nothing is appended at all.
    big = mem_alloc_zero(RAFT_BATCH_SIZE_MAX);
    values[1] = bytes_of(big, RAFT_BATCH_SIZE_MAX);
    values[0] = bytes_of("v", 1);
    int64_t end = raft_log_end_offset(n.raft);
    assert_int_equal(node_append(&n, values, 2, false), ERR_LIMIT);
    assert_int_equal(n.out.count, 0);
    assert_int_equal(raft_log_end_offset(n.raft), end);
    values[0] = bytes_of(NULL, 0);
    assert_int_equal(node_append(&n, values, 1, true), ERR_INVALID);
    mem_free(big);
    mem_free(values);
    node_release(&n);
    buf_release(&d.log);
}

static void leadership_ends_once(void **state)
{
    static const enum raft_event_type ends[] = {RAFT_EVENT_RESIGN, RAFT_EVENT_FAILED};
    for (size_t i = 0; i < 2; i++) {
        struct disk d;
        struct node n;
        disk_init(&d);
        node_init(&n, &d);
        node_start(&n);
        node_settle(&n);
        struct bytes value = bytes_of("x", 1);
        node_append(&n, &value, 1, true);
        node_event(&n, ends[i]);
        node_settle(&n);
        assert_int_equal(n.losts, 1);
        assert_int_equal(raft_role(n.raft), RAFT_RESIGNED);
        assert_int_equal(node_append(&n, &value, 1, true), ERR_REFUSED);
        node_durable(&n, 2); // what was on its way is not committed any more
        assert_int_equal(n.out.count, 0);
        node_event(&n, ends[i]);
        assert_int_equal(n.out.count, 0);
        node_release(&n);
        buf_release(&d.log);
    }
}

static void a_failed_disk_ends_the_election(void **state)
{
    for (int steps = 0; steps < 2; steps++) {
        struct disk d;
        struct node n;
        disk_init(&d);
        node_init(&n, &d);
        node_start(&n);
        for (int i = 0; i < steps; i++)
            node_event(&n, RAFT_EVENT_PERSISTED);
        node_event(&n, RAFT_EVENT_FAILED);
        assert_int_equal(n.out.count, 0);
        node_event(&n, RAFT_EVENT_PERSISTED);
        assert_int_equal(n.out.count, 0);
        assert_true(raft_role(n.raft) != RAFT_LEADER);
        node_release(&n);
        buf_release(&d.log);
    }
}

static void other_quorums_are_refused(void **state)
{
    static const struct raft_voter two[] = {{.id = 1}, {.id = 2}};
    static const struct raft_voter stranger[] = {{.id = 2}};
    static const struct raft_voter moved[] = {{.id = 1, .directory_id = {{9}}}};
    static const struct {
        const struct raft_voter *voters;
        int count;
        const char *word;
    } cases[] = {
        {NULL, 0, "controller.quorum.voters"},
        {two, 2, "2 voters"},
        {stranger, 1, "node 2"},
        {moved, 1, "directory"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct raft *r = raft_new(&(struct raft_options){.node_id = NODE,
                                                         .directory_id = directory,
                                                         .voters = cases[i].voters,
                                                         .voter_count = cases[i].count});
        struct quorum_state s;
        quorum_state_init(&s);
        struct raft_event event = {.type = RAFT_EVENT_START};
        event.start.state = &s;
        struct raft_out out;
        struct diag diag;
        raft_out_init(&out);
        assert_int_equal(raft_step(r, &event, &out, &diag), ERR_UNSUPPORTED);
        assert_int_equal(out.count, 0);
        assert_non_null(strstr(diag.text, cases[i].word));
        event.type = RAFT_EVENT_RESIGN; // it may be stopped all the same
        assert_int_equal(raft_step(r, &event, &out, &diag), 0);
        assert_int_equal(out.count, 0);
        raft_out_release(&out);
        raft_free(r);
    }
}

static void a_state_of_another_quorum_is_refused(void **state)
{
    struct quorum_state states[4];
    for (int i = 0; i < 4; i++)
        quorum_state_init(&states[i]);
    states[0].leader_id = 2;
    states[1].voted_id = 2;
    states[2].voters[0] = 1;
    states[2].voters[1] = 2;
    states[2].voter_count = 2;
    states[3].data_version = 1;
    states[3].voted_id = NODE;
    states[3].voted_directory_id = other_directory;
    for (int i = 0; i < 4; i++) {
        struct disk d;
        struct node n;
        disk_init(&d);
        d.state = states[i];
        node_init(&n, &d);
        assert_int_equal(node_start(&n), ERR_CORRUPT);
        assert_int_equal(n.out.count, 0);
        node_release(&n);
        buf_release(&d.log);
    }
}

// A control batch with kraft.version 1 and voters, as `kafka-storage format --standalone` makes it.
static void dynamic_quorum_write(struct buf *out, int32_t epoch, const struct raft_voter *voters,
                                 int count)
{
    struct buf value;
    uint8_t key[CONTROL_KEY_SIZE];
    buf_init(&value, 65536);
    struct batch_options options = BATCH_OPTIONS_DEFAULT;
    options.partition_leader_epoch = epoch;
    options.attributes = BATCH_CONTROL;
    struct batch_builder b;
    batch_builder_begin(&b, out, &options);
    struct kraft_version_record version = {.kraft_version = 1};
    wire_encode_buf(&kraft_version_record_schema, 0, &version, &value);
    control_key_store(key, CONTROL_KRAFT_VERSION);
    batch_builder_add(&b, NOW, bytes_of(key, 4), buf_bytes(&value), NULL, 0);
    buf_clear(&value);
    struct voters_record_voter items[4] = {0};
    for (int i = 0; i < count; i++) {
        voters_record_voter_init(&items[i]);
        items[i].voter_id = voters[i].id;
        items[i].voter_directory_id = voters[i].directory_id;
    }
    struct voters_record record = {.voters = {items, count}};
    wire_encode_buf(&voters_record_schema, 0, &record, &value);
    control_key_store(key, CONTROL_KRAFT_VOTERS);
    batch_builder_add(&b, NOW, bytes_of(key, 4), buf_bytes(&value), NULL, 0);
    assert_int_equal(batch_builder_finish(&b, NULL), 0);
    buf_release(&value);
}

static void voters_come_from_the_log_with_kraft_version_1(void **state)
{
    for (int32_t epoch = 0; epoch <= 3; epoch += 3) {
        struct raft_voter self = {.id = NODE, .directory_id = directory};
        struct buf snapshot;
        buf_init(&snapshot, 65536);
        dynamic_quorum_write(&snapshot, epoch, &self, 1);
        struct disk d;
        disk_init(&d);
        struct node n = {.disk = &d, .high_watermark = -1};
        n.raft = raft_new(&(struct raft_options){.node_id = NODE, .directory_id = directory});
        raft_out_init(&n.out);
        assert_int_equal(raft_load(n.raft, buf_bytes(&snapshot), NULL), 0);
        assert_int_equal(raft_kraft_version(n.raft), 1);
        int count;
        assert_int_equal(raft_voters(n.raft, &count)[0].id, NODE);
        assert_int_equal(count, 1);
        assert_true(raft_voters_record(n.raft).size > 0);
        assert_int_equal(node_start(&n), 0);
        assert_int_equal(n.out.effects[0].persist.data_version, 1);
        assert_true(uuid_equal(n.out.effects[0].persist.voted_directory_id, directory));
        node_settle(&n);
        // The 0-0 snapshot is never sent to anybody, so its voters go into the first batch.
        struct bytes rest = buf_bytes(&d.log), batch;
        struct batch_header h;
        assert_int_equal(batch_next(&rest, &h, &batch), 1);
        assert_int_equal(h.record_count, epoch == 0 ? 3 : 1);
        assert_int_equal(d.log_end, h.record_count);
        if (epoch == 0) {
            struct raft *again = raft_new(&(struct raft_options){.node_id = NODE});
            assert_int_equal(raft_load(again, buf_bytes(&d.log), NULL), 0);
            assert_int_equal(raft_kraft_version(again), 1);
            assert_int_equal(raft_voters(again, &count)[0].id, NODE);
            raft_free(again);
        }
        buf_release(&snapshot);
        node_release(&n);
        buf_release(&d.log);
    }
}

static void damaged_control_batches_are_refused(void **state)
{
    struct raft_voter voters[] = {{.id = NODE}, {.id = 2}};
    struct buf batch;
    buf_init(&batch, 65536);
    dynamic_quorum_write(&batch, 1, voters, 2);
    struct raft *r = raft_of_one();
    struct diag diag;
    for (size_t i = 0; i < batch.size; i++) {
        assert_int_equal(raft_load(r, bytes_of(batch.data, i), &diag), i == 0 ? 0 : ERR_CORRUPT);
        if (i < BATCH_CRC_AT)
            continue;
        batch.data[i] ^= 0x10; // the CRC covers all of it
        int err = raft_load(r, buf_bytes(&batch), &diag);
        batch.data[i] ^= 0x10;
        // Without its control bit it is not ours to look at.
        if (i != BATCH_ATTRIBUTES_AT + 1)
            assert_int_equal(err, ERR_CORRUPT);
    }
    // One that is compressed: control batches never are.
    batch.data[BATCH_ATTRIBUTES_AT + 1] |= 1;
    batch_set_crc(batch.data, batch.size);
    assert_int_equal(raft_load(r, buf_bytes(&batch), &diag), ERR_CORRUPT);
    assert_int_equal(raft_kraft_version(r), 0);
    raft_free(r);
    buf_release(&batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fresh_node_leads_in_epoch_1),
        cmocka_unit_test(the_first_batch_is_kafkas),
        cmocka_unit_test(every_start_takes_an_epoch_it_did_not_write_in),
        cmocka_unit_test(a_crash_between_any_two_effects_is_survived),
        cmocka_unit_test(records_commit_when_they_are_on_disk),
        cmocka_unit_test(long_appends_are_split_unless_atomic),
        cmocka_unit_test(leadership_ends_once),
        cmocka_unit_test(a_failed_disk_ends_the_election),
        cmocka_unit_test(other_quorums_are_refused),
        cmocka_unit_test(a_state_of_another_quorum_is_refused),
        cmocka_unit_test(voters_come_from_the_log_with_kraft_version_1),
        cmocka_unit_test(damaged_control_batches_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
