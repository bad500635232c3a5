// SPDX-License-Identifier: Apache-2.0
#include "log/txn_scout.h"

#include "base/err.h"
#include "base/list.h"
#include "base/mem.h"
#include "log/names.h"

// A producer, while there is something to know of it.
struct scouted {
    struct map_node node;
    int64_t producer_id;
    int64_t open_offset; // of the first batch of the transaction that the scout is inside of; -1
    struct list aborted; // that the walk has not passed, in their order
};

struct aborted_txn {
    struct list_node node;
    int64_t first_offset; // as far as the scout has seen it
    int64_t marker_offset;
};

void txn_scout_init(struct txn_scout *t, struct env_fs *fs, const char *dir,
                    const struct segment_span *spans, int span_count)
{
    *t = (struct txn_scout){.fs = fs, .dir = dir, .spans = spans, .span_count = span_count};
    map_init(&t->producers);
    buf_init(&t->spare, BATCH_SIZE_MAX);
}

static void close_file(struct txn_scout *t)
{
    if (t->file != NULL)
        fs_file_close(t->file);
    t->file = NULL;
}

void txn_scout_release(struct txn_scout *t)
{
    struct map_node *node;
    while ((node = map_take_any(&t->producers)) != NULL) {
        struct scouted *p = container_of(node, struct scouted, node);
        struct list_node *first;
        while ((first = list_pop(&p->aborted)) != NULL)
            mem_free(container_of(first, struct aborted_txn, node));
        mem_free(p);
    }
    map_release(&t->producers);
    close_file(t);
    buf_release(&t->spare);
    mem_free(t->window);
    t->window = NULL;
}

// ---- Producers ----

static bool is_of(const struct map_node *node, const void *key)
{
    return container_of(node, struct scouted, node)->producer_id == *(const int64_t *)key;
}

static struct scouted *find(const struct txn_scout *t, int64_t producer_id)
{
    // Ids are given out in order: their spread is given.
    struct map_node *node = map_find(&t->producers, (uint64_t)producer_id, is_of, &producer_id);
    return node != NULL ? container_of(node, struct scouted, node) : NULL;
}

static struct scouted *find_or_add(struct txn_scout *t, int64_t producer_id)
{
    struct scouted *p = find(t, producer_id);
    if (p != NULL)
        return p;
    p = mem_new(struct scouted);
    p->producer_id = producer_id;
    p->open_offset = -1;
    list_init(&p->aborted);
    map_insert(&t->producers, &p->node, (uint64_t)producer_id);
    return p;
}

static void forget_if_done(struct txn_scout *t, struct scouted *p)
{
    if (p->open_offset >= 0 || !list_empty(&p->aborted))
        return;
    map_remove(&t->producers, &p->node);
    mem_free(p);
}

// ---- Reading ahead ----

static void note_data(struct txn_scout *t, const struct batch_header *h)
{
    struct scouted *p = find_or_add(t, h->producer_id);
    if (p->open_offset < 0)
        p->open_offset = h->base_offset;
}

static void note_marker(struct txn_scout *t, const struct batch_header *h, enum control_type type)
{
    struct scouted *p = find(t, h->producer_id);
    if (p == NULL || p->open_offset < 0)
        return; // nothing of its transaction is left
    if (type == CONTROL_ABORT) {
        struct aborted_txn *txn = mem_new(struct aborted_txn);
        txn->first_offset = p->open_offset;
        txn->marker_offset = h->base_offset;
        list_append(&p->aborted, &txn->node);
    }
    p->open_offset = -1;
    forget_if_done(t, p);
}

static int note_batch(struct txn_scout *t, const struct batch_header *h, int64_t position)
{
    int good = batch_scan_check_crc(&t->scan, h, position);
    if (good != 1)
        return good < 0 ? good : ERR_CORRUPT;
    if (h->magic < BATCH_MAGIC_CURRENT || h->producer_id < 0)
        return 0;
    if (!batch_is_control(h)) {
        if (batch_is_transactional(h))
            note_data(t, h);
        return 0;
    }
    struct bytes batch;
    enum control_type type;
    int err = batch_scan_bytes(&t->scan, h, position, &t->spare, &batch);
    if (err == 0 && batch_is_end_txn_marker(batch, &type))
        note_marker(t, h, type);
    return err;
}

static int open_span(struct txn_scout *t, int64_t position)
{
    char path[FS_PATH_MAX];
    const struct segment_span *s = &t->spans[t->span];
    enum log_file_state state = s->is_swap ? LOG_FILE_SWAP : LOG_FILE_LIVE;
    if (!log_file_state_path(path, t->dir, s->base_offset, LOG_FILE_LOG, state))
        return ERR_LIMIT;
    int err = fs_open(t->fs, path, FS_READ, &t->file);
    if (err < 0)
        return err;
    if (t->window == NULL)
        t->window = mem_alloc(BATCH_SCAN_WINDOW_LARGE);
    batch_scan_init(&t->scan, t->file, position, s->size, t->window, BATCH_SCAN_WINDOW_LARGE);
    return 0;
}

// 1, 0 behind the last batch of all, or an error.
static int read_batch(struct txn_scout *t)
{
    struct batch_header h;
    int64_t position;
    int got = 0;
    while (t->span < t->span_count) {
        int err = t->file == NULL ? open_span(t, 0) : 0;
        if (err < 0)
            return err;
        got = batch_scan_next(&t->scan, &h, &position);
        if (got != 0)
            break;
        close_file(t);
        t->span++;
    }
    if (got != 1)
        return got;
    t->read_bytes += t->scan.position - position;
    int err = note_batch(t, &h, position);
    if (err < 0)
        t->scan.position = position;
    return err < 0 ? err : 1;
}

static int read_on(struct txn_scout *t, int64_t bytes_max)
{
    int64_t until = t->read_bytes + bytes_max;
    if (t->file != NULL)
        t->read_cold = !fs_file_is_cached(t->file, t->scan.position, 1);
    int got = 1;
    while (t->read_bytes < until && got == 1)
        got = read_batch(t);
    return got == ERR_TRUNCATED ? ERR_CORRUPT : got;
}

// Where the walk has overtaken the scout there was nothing to find out between the two.
static int catch_up(struct txn_scout *t, int span, int64_t position)
{
    bool is_ahead = t->window != NULL &&
                    (t->span > span || (t->span == span && t->file != NULL && t->scan.position > position));
    if (is_ahead)
        return 0;
    close_file(t);
    t->span = span;
    return open_span(t, position);
}

// ---- Answering ----

static enum txn_fate fate_of(struct txn_scout *t, const struct batch_header *h)
{
    struct scouted *p = find(t, h->producer_id);
    if (p == NULL)
        return TXN_COMMITTED;
    if (p->open_offset >= 0 && p->open_offset <= h->base_offset)
        return TXN_OPEN;
    struct list_node *node;
    while ((node = list_first(&p->aborted)) != NULL) {
        struct aborted_txn *txn = container_of(node, struct aborted_txn, node);
        if (txn->marker_offset > h->base_offset)
            return txn->first_offset <= h->base_offset ? TXN_ABORTED : TXN_COMMITTED;
        list_remove(node);
        mem_free(txn);
    }
    forget_if_done(t, p);
    return TXN_COMMITTED;
}

int txn_scout_ask(struct txn_scout *t, const struct batch_header *h, int span, int64_t position,
                  int64_t bytes_max)
{
    t->read_bytes = 0;
    int err = catch_up(t, span, position);
    if (err < 0)
        return err;
    if (t->span == span && t->scan.position == position && t->file != NULL) {
        err = read_batch(t); // the batch itself, so that its producer is known
        if (err < 0)
            return err == ERR_TRUNCATED ? ERR_CORRUPT : err;
    }
    enum txn_fate fate = fate_of(t, h);
    if (fate != TXN_OPEN)
        return fate;
    int got = read_on(t, bytes_max);
    if (got < 0)
        return got;
    fate = fate_of(t, h);
    return fate == TXN_OPEN && got == 1 ? TXN_UNKNOWN : fate;
}
