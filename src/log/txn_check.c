// SPDX-License-Identifier: Apache-2.0
//
// A transaction index has no checksum, and a wrong one shows aborted records, or hides committed ones.
// So before one is used that this process has not written, each of its entries is held against the log:
// the marker that ends the transaction, its first batch, and what the last stable offset points at. That
// costs a few headers per entry; only where something does not fit is the segment read as a whole and
// the index made again from its markers. That entries are missing leaves no trace in it: that is found
// where the transactions of a range are held against their markers (txn_range.h).
#include <inttypes.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "log/internal.h"
#include "log/segment_check.h"
#include "log/txn_range.h"

enum { STEP_BYTES = 1 << 20 };

struct log_txn_check {
    struct txn_range *range; // that is looked at instead, or NULL

    struct segment_env env; // for a segment of our own, which nobody else knows
    char *path;             // env.dir
    int64_t base_offset;
    int64_t size;
    int64_t end_offset;     // of the segment
    uint32_t cuts;
    int64_t count;          // entries that stand for what lies below `size`,
    int64_t written_count;  // and those of them that are in the file
    bool may_have_gaps;

    struct producer_state producers; // before the segment, if
    bool knows_producers;
    const char *problem; // NULL: each entry fits
    bool log_is_bad;     // so what its markers say is not known
    struct buf wanted;   // what the index should hold; if there is a problem
    int err;
};

// ---- What an entry says (any thread) ----

// The batch that begins at `offset`: 1, 0 if there is none, or an error.
static int batch_at(const struct segment_env *e, struct segment *s, int64_t offset, struct batch_header *h)
{
    int64_t position;
    int got = segment_find(e, s, offset, &position, h);
    if (got != 1)
        return got == ERR_IO || got == ERR_AGAIN ? got : 0;
    return h->base_offset == offset;
}

int log__has_txn_marker(const struct segment_env *e, struct segment *s, const struct txn_entry *entry)
{
    struct batch_header h;
    if (entry->first_offset >= entry->last_offset || entry->last_offset < s->base_offset)
        return 0;
    int got = batch_at(e, s, entry->last_offset, &h);
    return got != 1 ? got
                    : batch_is_control(&h) && batch_is_transactional(&h) &&
                          h.producer_id == entry->producer_id;
}

// Whether a transaction of this producer, or of any other one, was open before the segment.
static bool was_open(const struct log_txn_check *c, int64_t producer_id, bool other, int64_t first_offset)
{
    if (!c->knows_producers)
        return true;
    list_for_each(node, next, &c->producers.ongoing) {
        const struct producer *p = container_of(node, struct producer, txn_node);
        if (p->txn_first_offset == first_offset && (p->id == producer_id) != other)
            return true;
    }
    return false;
}

// Whether a transaction of this producer, or of any other one, may have begun there: 1, 0, or an error.
static int may_begin_at(struct log_txn_check *c, struct segment *s, int64_t producer_id, bool other,
                        int64_t offset)
{
    struct batch_header h;
    if (offset < s->base_offset)
        return was_open(c, producer_id, other, offset);
    int got = batch_at(&c->env, s, offset, &h);
    return got != 1 ? got
                    : batch_is_transactional(&h) && !batch_is_control(&h) &&
                          (h.producer_id == producer_id) != other;
}

// Whether an entry is true of the log, `previous` being the marker of the one before: 1, 0, or an error.
static int entry_is_true(struct log_txn_check *c, struct segment *s, const struct txn_entry *e,
                         int64_t previous)
{
    if (e->version != 0 || e->producer_id < 0 || e->first_offset < 0 || e->first_offset >= e->last_offset ||
        e->last_offset < s->base_offset || e->last_offset <= previous || e->last_offset >= c->end_offset ||
        e->last_stable_offset < 0 || e->last_stable_offset > e->last_offset + 1)
        return 0;
    if (c->may_have_gaps)
        return 1; // compaction may have taken what it points at
    int good = log__has_txn_marker(&c->env, s, e);
    if (good == 1)
        good = may_begin_at(c, s, e->producer_id, false, e->first_offset);
    if (good == 1 && e->last_stable_offset <= e->last_offset)
        good = may_begin_at(c, s, e->producer_id, true, e->last_stable_offset);
    return good;
}

// ---- On the worker ----

static int check_entries(struct log_txn_check *c, struct segment *s)
{
    struct entry_file *index = &s->files->txn_index;
    if (c->problem != NULL)
        return 0;
    if (c->count == 0)
        c->problem = "it is empty";
    else if (index->ref != NULL && index->uneven)
        c->problem = "its size is not that of whole entries";
    else if (index->ref == NULL || index->count < c->written_count)
        c->problem = "entries are missing";
    int64_t previous = -1;
    for (int64_t i = 0; i < c->written_count && c->problem == NULL; i++) {
        uint8_t bytes[TXN_ENTRY_SIZE];
        struct txn_entry e;
        int good = entry_file_get(index, i, bytes);
        if (good < 0)
            return good;
        txn_entry_decode(bytes, &e);
        good = entry_is_true(c, s, &e, previous);
        if (good < 0)
            return good;
        if (good == 0)
            c->problem = "an entry does not fit the log";
        previous = e.last_offset;
    }
    return 0;
}

static void note_finding(void *context, const struct segment_finding *f)
{
    struct log_txn_check *c = context;
    c->log_is_bad |= f->part == SEGMENT_PART_LOG;
}

// What the index should say, by the markers.
static int read_markers(struct log_txn_check *c)
{
    struct segment_check all = {
        .fs = c->env.fs, .dir = c->path, .base_offset = c->base_offset, .size = c->size,
        .end_offset = -1, .live = true, .may_have_gaps = c->may_have_gaps, .producers = &c->producers,
        .found = note_finding, .context = c, .index_interval_bytes = c->env.index_interval_bytes,
    };
    int got = segment_check_begin(&all);
    if (got == 0)
        while ((got = segment_check_step(&all, STEP_BYTES)) == 1)
            ;
    buf_append(&c->wanted, all.txn_entries.data, all.txn_entries.size);
    segment_check_release(&all);
    return got;
}

void log_txn_check_run(struct log_txn_check *c)
{
    if (c->range != NULL) {
        txn_range_run(c->range);
        return;
    }
    struct segment *s = segment_new(c->base_offset);
    s->size = s->synced_size = c->size;
    bool bad_snapshot;
    c->knows_producers = segment_check_load_producers(c->env.fs, c->path, c->base_offset, &c->producers,
                                                      &bad_snapshot);
    c->err = segment_open_unchecked(&c->env, s);
    if (c->err == 0)
        c->err = check_entries(c, s);
    segment_free(&c->env, s);
    if (c->err == 0 && c->problem != NULL)
        c->err = read_markers(c);
}

// ---- On the shard ----

static int pass_over(void *context, const struct txn_entry *entry)
{
    return 0;
}

static struct log_txn_check *begin_index(struct log *log, int index)
{
    struct segment *s = log->segments[index];
    if (segment_open(&log->env, s) < 0)
        return NULL;
    const struct entry_file *f = &s->files->txn_index;
    struct log_txn_check *c = mem_new(struct log_txn_check);
    *c = (struct log_txn_check){
        .path = mem_copy_text(log->path), .base_offset = s->base_offset, .size = s->size,
        .end_offset = log__segment_end(log, index), .cuts = s->cuts, .count = f->count,
        .written_count = f->written_count, .problem = s->txn_problem,
        .may_have_gaps = log->config.cleanup_compact || log->compacted,
    };
    c->env = (struct segment_env){.fs = log->env.fs, .dir = c->path,
                                  .index_interval_bytes = log->env.index_interval_bytes};
    producer_state_init(&c->producers);
    buf_init(&c->wanted, TXN_INDEX_MAX);
    return c;
}

struct log_txn_check *log_txn_check_begin(struct log *log, int64_t offset, int64_t upper_bound_offset)
{
    int unchecked;
    if (log_load(log) < 0)
        return NULL;
    int err = log__each_txn_entry(log, offset, upper_bound_offset, pass_over, NULL, &unchecked);
    struct txn_range *range =
        err == 0 ? txn_range_begin(log, offset, upper_bound_offset, &unchecked) : NULL;
    if (unchecked >= 0)
        return begin_index(log, unchecked);
    if (range == NULL)
        return NULL;
    struct log_txn_check *c = mem_new(struct log_txn_check);
    c->range = range;
    return c;
}

// Appends entries [from, end).
static int copy_entries(struct entry_file *index, int64_t from, int64_t end, struct buf *out)
{
    int err = 0;
    for (int64_t i = from; i < end && err == 0; i++) {
        uint8_t bytes[TXN_ENTRY_SIZE];
        err = entry_file_get(index, i, bytes);
        if (err == 0)
            buf_append(out, bytes, sizeof bytes);
    }
    return err;
}

static int make_again(struct log *log, struct segment *s, struct log_txn_check *c)
{
    const char *lacks = c->knows_producers ? ""
                        : ", but without transactions that began before this segment, since its producer "
                          "snapshot cannot be read";
    trace_error(log->trace, LOG_AREA,
                "%s/%020" PRId64 ".txnindex: %s; made again from the markers in the log, before anybody "
                "was told what it said%s", log->path, s->base_offset, c->problem, lacks);
    // What was appended meanwhile stays.
    int err = copy_entries(&s->files->txn_index, c->count, s->files->txn_index.count, &c->wanted);
    return err < 0 ? err : segment_replace_txn_index(&log->env, s, buf_bytes(&c->wanted));
}

static int settle(struct log *log, struct segment *s, struct log_txn_check *c)
{
    struct buf now;
    int err = segment_open(&log->env, s);
    if (err < 0 || c->problem == NULL)
        return err;
    if (c->log_is_bad) {
        trace_error(log->trace, LOG_AREA,
                    "%s/%020" PRId64 ".txnindex: %s, and the log is damaged, too, so that it cannot be "
                    "made again; readers of committed records may be shown aborted ones", log->path,
                    s->base_offset, c->problem);
        return 0;
    }
    buf_init(&now, TXN_INDEX_MAX);
    err = copy_entries(&s->files->txn_index, 0, c->count, &now);
    bool same = now.size == c->wanted.size &&
                (now.size == 0 || memcmp(now.data, c->wanted.data, now.size) == 0);
    buf_release(&now);
    return err < 0 || same ? err : make_again(log, s, c);
}

int log_txn_check_end(struct log *log, struct log_txn_check *c)
{
    struct segment *s = NULL;
    int err = 0;
    if (c->range != NULL) {
        err = txn_range_end(log, c->range);
        mem_free(c);
        return err;
    }
    if (log != NULL && !log_is_offline(log) && log->segment_count > 0)
        s = log->segments[log__segment_at(log, c->base_offset)];
    if (s != NULL && s->base_offset == c->base_offset && s->cuts == c->cuts && !s->txn_checked) {
        err = c->err < 0 ? c->err : settle(log, s, c);
        s->txn_checked = err == 0;
        s->txn_problem = err == 0 ? NULL : s->txn_problem;
        if (err < 0)
            err = log__read_failed(log, err, "checking a transaction index");
    }
    producer_state_release(&c->producers);
    buf_release(&c->wanted);
    mem_free(c->path);
    mem_free(c);
    return err;
}
