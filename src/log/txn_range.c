// SPDX-License-Identifier: Apache-2.0
#include "log/txn_range.h"

#include "base/err.h"
#include "base/mem.h"
#include "log/internal.h"
#include "log/txn_scout.h"

enum { ASK_BYTES = 1 << 20 };

struct txn_range {
    struct segment_env env;
    char *path; // env.dir
    struct segment_span *spans; // from the range's segment to the log's end
    int span_count;
    uint32_t cuts;              // of the first,
    uint32_t truncations;       // and of the log,
    uint32_t swap_steps;        // and those of its compaction
    enum segment_names names;   // of the first
    int64_t from;
    int64_t to;
    struct txn_entry *told;
    int told_count;
    int told_capacity;

    int64_t known_to;    // so far everything was looked at
    const char *problem; // NULL: there is none
    int last_span;       // up to this one indexes may have it
    int err;
};

// ---- What is not known (on the shard) ----

struct part {
    int index; // of the segment
    int64_t from;
    int64_t to;
};

static int64_t max_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t min_of(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static bool find_unknown(const struct log *log, int64_t offset, int64_t end_offset, struct part *out)
{
    for (int i = log__segment_at(log, offset); i < log->segment_count; i++) {
        const struct segment *s = log->segments[i];
        int64_t from = max_of(offset, s->base_offset);
        int64_t to = min_of(min_of(end_offset, log->opened_end_offset), log__segment_end(log, i));
        if (from >= s->txn_known_from && from < s->txn_known_to)
            from = s->txn_known_to;
        *out = (struct part){.index = i, .from = from, .to = to};
        if (from < to)
            return true;
        if (s->base_offset >= end_offset)
            break;
    }
    return false;
}

bool txn_range_is_known(const struct log *log, int64_t offset, int64_t end_offset)
{
    struct part unknown;
    return !find_unknown(log, offset, end_offset, &unknown);
}

static int add_told(void *context, const struct txn_entry *entry)
{
    struct txn_range *r = context;
    mem_grow(r->told, r->told_count, r->told_capacity);
    r->told[r->told_count++] = *entry;
    return 0;
}

static int add_spans(struct txn_range *r, struct log *log, int first)
{
    r->spans = mem_alloc_array((size_t)(log->segment_count - first), sizeof *r->spans);
    for (int i = first; i < log->segment_count; i++) {
        struct segment *s = log->segments[i];
        int err = segment_load_size(&log->env, s);
        if (err < 0)
            return err;
        r->spans[r->span_count++] = (struct segment_span){
            .base_offset = s->base_offset, .size = s->size, .end_offset = log__segment_end(log, i),
            .is_swap = s->names == SEGMENT_SWAP};
    }
    return 0;
}

static void range_free(struct txn_range *r)
{
    mem_free(r->told);
    mem_free(r->spans);
    mem_free(r->path);
    mem_free(r);
}

struct txn_range *txn_range_begin(struct log *log, int64_t offset, int64_t end_offset, int *unchecked)
{
    struct part unknown;
    *unchecked = -1;
    if (!find_unknown(log, offset, end_offset, &unknown))
        return NULL;
    // What a reader comes to next is looked at, too.
    int64_t stable = log_last_stable_offset(log);
    int64_t most = min_of(log->opened_end_offset, log__segment_end(log, unknown.index));
    struct txn_range *r = mem_new(struct txn_range);
    *r = (struct txn_range){
        .path = mem_copy_text(log->path), .cuts = log->segments[unknown.index]->cuts,
        .truncations = log->truncations, .swap_steps = log->swap_steps,
        .names = log->segments[unknown.index]->names, .from = unknown.from, .known_to = unknown.from,
        .to = min_of(max_of(unknown.to, stable), most),
    };
    r->env = (struct segment_env){.fs = log->env.fs, .dir = r->path,
                                  .index_interval_bytes = log->env.index_interval_bytes};
    r->err = add_spans(r, log, unknown.index);
    if (r->err == 0)
        r->err = log__each_txn_entry(log, r->from, r->to, add_told, r, unchecked);
    if (*unchecked < 0)
        return r;
    range_free(r);
    return NULL;
}

// ---- Holding it against the log (any thread) ----

static bool is_told(const struct txn_range *r, const struct batch_header *h)
{
    for (int i = 0; i < r->told_count; i++)
        if (r->told[i].producer_id == h->producer_id && r->told[i].first_offset <= h->base_offset &&
            r->told[i].last_offset > h->base_offset)
            return true;
    return false;
}

static int look_at(struct txn_range *r, struct txn_scout *scout, const struct batch_header *h,
                   int64_t position)
{
    int fate = TXN_UNKNOWN;
    if (h->magic < BATCH_MAGIC_CURRENT || !batch_is_transactional(h) || batch_is_control(h))
        return 0;
    for (int64_t read = 0; fate == TXN_UNKNOWN && read < TXN_AHEAD_BYTES; read += scout->read_bytes)
        fate = txn_scout_ask(scout, h, 0, position, ASK_BYTES);
    if (fate < 0)
        return fate;
    if (fate == TXN_ABORTED && !is_told(r, h))
        r->problem = "entries are missing that the log has markers of";
    else if (fate == TXN_COMMITTED && is_told(r, h))
        r->problem = "an entry hides what was committed";
    r->last_span = scout->span;
    return 0;
}

static int walk(struct txn_range *r, struct segment *s, struct txn_scout *scout)
{
    int64_t position;
    struct batch_header h;
    int got = segment_open_unchecked(&r->env, s);
    if (got == 0)
        got = segment_find(&r->env, s, r->from, &position, &h);
    if (got != 1)
        return got;
    uint8_t window[BATCH_SCAN_WINDOW];
    struct batch_scan scan;
    int64_t until = position + TXN_RANGE_BYTES;
    batch_scan_init(&scan, s->files->log->file, position, s->size, window, sizeof window);
    while (r->problem == NULL && (got = batch_scan_next(&scan, &h, &position)) == 1 &&
           h.base_offset < r->to) {
        int err = look_at(r, scout, &h, position);
        if (err < 0)
            return err;
        r->known_to = batch_last_offset(&h) + 1; // with a problem, too, which is dealt with once
        if (scan.position >= until)
            return 1;
    }
    return got < 0 ? got : 0;
}

void txn_range_run(struct txn_range *r)
{
    if (r->err < 0)
        return;
    struct txn_scout scout;
    struct segment *s = segment_new(r->spans[0].base_offset);
    s->size = s->synced_size = r->spans[0].size;
    s->names = r->names;
    txn_scout_init(&scout, r->env.fs, r->path, r->spans, r->span_count);
    int got = walk(r, s, &scout);
    // Behind damage nothing can be told; whoever reads that hears of it.
    bool is_over = got == 0 || got == ERR_CORRUPT || got == ERR_TRUNCATED;
    if (is_over && r->problem == NULL)
        r->known_to = r->to;
    r->err = is_over || got == 1 ? 0 : got;
    txn_scout_release(&scout);
    segment_free(&r->env, s);
}

// ---- What was found (on the shard) ----

// One range is enough: readers mostly go on where they were.
static void note_known(struct segment *s, int64_t from, int64_t to)
{
    if (from != s->txn_known_to)
        s->txn_known_from = from;
    s->txn_known_to = to;
}

static int conclude(struct log *log, struct txn_range *r)
{
    int index = log__segment_at(log, r->from);
    struct segment *s = log->segments[index];
    if (s->base_offset != r->spans[0].base_offset || s->cuts != r->cuts ||
        log->truncations != r->truncations || log->swap_steps != r->swap_steps)
        return 0; // it has changed: it is looked at again
    if (r->err < 0)
        return log__read_failed(log, r->err, "looking for the ends of transactions");
    // Which of them is wrong shows when they are made again.
    for (int i = 0; r->problem != NULL && i <= r->last_span && index + i < log->segment_count; i++) {
        log->segments[index + i]->txn_problem = r->problem;
        log->segments[index + i]->txn_checked = false;
    }
    if (r->known_to > r->from)
        note_known(s, r->from, r->known_to);
    return 0;
}

int txn_range_end(struct log *log, struct txn_range *r)
{
    int err = 0;
    if (log != NULL && !log_is_offline(log) && log->segment_count > 0)
        err = conclude(log, r);
    range_free(r);
    return err;
}
