// SPDX-License-Identifier: Apache-2.0
#include "log/producer_state.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "codec/crc32c.h"

void producer_state_init(struct producer_state *s)
{
    *s = (struct producer_state){0};
    map_init(&s->producers);
    list_init(&s->ongoing);
    map_init(&s->verifications);
    list_init(&s->verifications_by_age);
}

void producer_state_clear(struct producer_state *s)
{
    struct map_node *node;
    while ((node = map_take_any(&s->producers)) != NULL)
        mem_free(container_of(node, struct producer, node));
    list_init(&s->ongoing);
    s->unreplicated_count = 0;
    producer_verifications_clear(s);
}

void producer_state_release(struct producer_state *s)
{
    producer_state_clear(s);
    map_release(&s->producers);
    map_release(&s->verifications);
    mem_free(s->unreplicated);
    producer_state_init(s);
}

static uint64_t id_hash(int64_t id)
{
    // Ids are handed out by the controller in order: their spread is given. (map.h mixes the bits.)
    return (uint64_t)id;
}

static bool id_equal(const struct map_node *node, const void *key)
{
    return container_of(node, struct producer, node)->id == *(const int64_t *)key;
}

struct producer *producer_find(const struct producer_state *s, int64_t id)
{
    struct map_node *node = map_find(&s->producers, id_hash(id), id_equal, &id);
    return node != NULL ? container_of(node, struct producer, node) : NULL;
}

static struct producer *producer_add(struct producer_state *s, const struct producer *values)
{
    struct producer *p = mem_new(struct producer);
    *p = *values;
    p->txn_node = (struct list_node){0};
    map_insert(&s->producers, &p->node, id_hash(p->id));
    return p;
}

// Keeps `ongoing` in the order of first offsets. A new one is nearly always the last.
static void ongoing_update(struct producer_state *s, struct producer *p)
{
    list_remove(&p->txn_node);
    if (p->txn_first_offset < 0)
        return;
    struct list_node *at = &s->ongoing.head;
    while (at->prev != &s->ongoing.head &&
           container_of(at->prev, struct producer, txn_node)->txn_first_offset > p->txn_first_offset)
        at = at->prev;
    list_insert_before(at, &p->txn_node);
}

// ---- Staging ----

void producer_stage_init(struct producer_stage *g, struct producer_state *s)
{
    *g = (struct producer_stage){.state = s};
}

void producer_stage_release(struct producer_stage *g)
{
    mem_free(g->items);
    mem_free(g->completed);
    *g = (struct producer_stage){0};
}

static struct producer *stage_get(struct producer_stage *g, int64_t id)
{
    for (int i = g->count - 1; i >= 0; i--)
        if (g->items[i].id == id)
            return &g->items[i];
    mem_grow(g->items, g->count, g->capacity);
    struct producer *p = &g->items[g->count++];
    const struct producer *known = producer_find(g->state, id);
    if (known != NULL)
        *p = *known;
    else
        *p = (struct producer){.id = id, .epoch = -1, .coordinator_epoch = -1,
                               .txn_first_offset = -1, .last_timestamp = -1};
    return p;
}

static int32_t last_sequence(const struct producer *p)
{
    return p->batch_count > 0 ? p->batches[p->batch_count - 1].last_sequence : -1;
}

static int32_t first_sequence_of(const struct producer_batch *b)
{
    return (int32_t)(((uint32_t)b->last_sequence - (uint32_t)b->offset_delta) & INT32_MAX);
}

static bool refuse(struct log_append_info *info, enum log_verdict verdict, int64_t expected,
                   int64_t found)
{
    info->verdict = verdict;
    info->expected = expected;
    info->found = found;
    return false;
}

static const struct producer_batch *find_duplicate(const struct producer *p,
                                                   const struct batch_header *h)
{
    if (p->epoch != h->producer_epoch)
        return NULL;
    for (int i = 0; i < p->batch_count; i++)
        if (p->batches[i].last_sequence == batch_last_sequence(h) &&
            first_sequence_of(&p->batches[i]) == h->base_sequence)
            return &p->batches[i];
    return NULL;
}

static bool sequence_fits(const struct producer *p, const struct batch_header *h,
                          struct log_append_info *info)
{
    if (p->epoch < 0)
        return true; // nothing is known (any more): any sequence is accepted
    if (h->producer_epoch != p->epoch)
        return h->base_sequence == 0 ||
               refuse(info, LOG_OUT_OF_ORDER_SEQUENCE, 0, h->base_sequence);
    int32_t last = last_sequence(p);
    int32_t next = last == INT32_MAX ? 0 : last + 1;
    return h->base_sequence == next ||
           refuse(info, LOG_OUT_OF_ORDER_SEQUENCE, next, h->base_sequence);
}

// Whether a batch may be where it is in a transaction: that must be open here, or verified.
static bool transaction_is_known(const struct producer_stage *g, const struct producer *p,
                                 const struct batch_header *h)
{
    const struct log_writer *w = g->writer;
    if (w == NULL || !w->needs_verification || !batch_is_transactional(h))
        return true;
    if (p->txn_first_offset >= 0 && p->epoch == h->producer_epoch)
        return true;
    const struct producer_verification *v = producer_verification_find(g->state, p->id);
    return v != NULL && v->guard == w->guard;
}

// The first batch that arrives need not be the first that was sent: the one before it may have been
// refused on its way through the coordinator, and will come again.
static bool follows_verification(const struct producer_stage *g, const struct producer *p,
                                 const struct batch_header *h, struct log_append_info *info)
{
    const struct producer_verification *v = producer_verification_find(g->state, p->id);
    if (v == NULL)
        return true;
    if (v->adds && h->base_sequence != 0 && p->batch_count == 0)
        return refuse(info, LOG_OUT_OF_ORDER_SEQUENCE, 0, h->base_sequence);
    return h->base_sequence <= v->lowest_sequence ||
           refuse(info, LOG_OUT_OF_ORDER_SEQUENCE, v->lowest_sequence, h->base_sequence);
}

static bool data_is_acceptable(const struct producer_stage *g, const struct producer *p,
                               const struct batch_header *h, struct log_append_info *info)
{
    bool has_sequences = g->writer == NULL || !g->writer->is_coordinator;
    const struct producer_batch *duplicate = has_sequences ? find_duplicate(p, h) : NULL;
    if (duplicate != NULL) {
        info->base_offset = duplicate->last_offset - duplicate->offset_delta;
        info->last_offset = duplicate->last_offset;
        info->max_timestamp = duplicate->timestamp;
        return refuse(info, LOG_DUPLICATE, 0, 0);
    }
    if (!transaction_is_known(g, p, h))
        return refuse(info, LOG_INVALID_TXN_STATE, -1, h->base_sequence);
    if (h->producer_epoch < p->epoch)
        return refuse(info, LOG_INVALID_PRODUCER_EPOCH, p->epoch, h->producer_epoch);
    if (has_sequences && (!follows_verification(g, p, h, info) || !sequence_fits(p, h, info)))
        return false;
    if (p->txn_first_offset >= 0 && !batch_is_transactional(h))
        return refuse(info, LOG_INVALID_TXN_STATE, p->txn_first_offset, h->base_sequence);
    return true;
}

static void set_epoch(struct producer *p, int16_t epoch)
{
    if (p->epoch == epoch)
        return;
    p->epoch = epoch;
    p->batch_count = 0;
}

static struct producer_batch batch_of(const struct batch_header *h)
{
    return (struct producer_batch){
        .last_offset = batch_last_offset(h),
        .timestamp = h->max_timestamp,
        .last_sequence = batch_last_sequence(h),
        .offset_delta = h->last_offset_delta,
    };
}

// Of `max` batches that are there already the oldest goes.
static void push_batch(struct producer *p, const struct producer_batch *batch, int max)
{
    if (p->batch_count == max) {
        memmove(p->batches, p->batches + 1, (size_t)(max - 1) * sizeof p->batches[0]);
        p->batch_count--;
    }
    p->batches[p->batch_count++] = *batch;
}

static void apply_data(struct producer *p, const struct batch_header *h)
{
    struct producer_batch batch = batch_of(h);
    set_epoch(p, h->producer_epoch);
    push_batch(p, &batch, PRODUCER_BATCHES_MAX);
    p->last_timestamp = h->max_timestamp;
    if (batch_is_transactional(h) && p->txn_first_offset < 0)
        p->txn_first_offset = h->base_offset;
}

// Reads the one record of a control batch: 1 for an end-of-transaction marker, 0 for another type.
static int read_marker(struct bytes batch, int16_t *type, int32_t *coordinator_epoch)
{
    struct batch_iter it;
    struct record record;
    struct buf scratch; // control batches are not compressed; a file may say otherwise
    buf_init(&scratch, 4096);
    int err = batch_iter_init(&it, batch, &scratch);
    if (err == 0)
        err = batch_iter_next(&it, &record);
    if (err == 1) {
        err = control_key_read(record.key, type);
        if (err == 0 && (*type == CONTROL_ABORT || *type == CONTROL_COMMIT))
            err = end_txn_marker_read(record.value, coordinator_epoch) < 0 ? ERR_CORRUPT : 1;
    }
    buf_release(&scratch);
    return err < 0 ? ERR_CORRUPT : err;
}

static void apply_marker(struct producer_stage *g, struct producer *p, const struct batch_header *h,
                         bool aborted, int32_t coordinator_epoch)
{
    set_epoch(p, h->producer_epoch);
    p->coordinator_epoch = coordinator_epoch;
    p->last_timestamp = h->max_timestamp;
    if (p->txn_first_offset < 0)
        return; // a transaction without data here: nothing was held back
    mem_grow(g->completed, g->completed_count, g->completed_capacity);
    g->completed[g->completed_count++] = (struct completed_txn){
        .producer_id = p->id,
        .first_offset = p->txn_first_offset,
        .last_offset = batch_last_offset(h),
        .aborted = aborted,
    };
    p->txn_first_offset = -1;
}

// From version 2 on a transaction's marker has the epoch after that of its records, so that one which
// comes late cannot end the next transaction; one that comes twice finds none open.
static bool marker_is_current(const struct producer_stage *g, const struct producer *p,
                              const struct batch_header *h)
{
    bool is_bumped = g->writer != NULL && g->writer->transaction_version >= 2;
    return h->producer_epoch > p->epoch ||
           (h->producer_epoch == p->epoch && (!is_bumped || p->txn_first_offset < 0));
}

static int stage_marker(struct producer_stage *g, const struct batch_header *h, struct bytes batch,
                        bool checked, struct log_append_info *info)
{
    int16_t type = -1;
    int32_t coordinator_epoch = -1;
    int found = read_marker(batch, &type, &coordinator_epoch);
    if (found != 1)
        return found; // not about transactions (leader change, ...), or not readable
    struct producer *p = stage_get(g, h->producer_id);
    if (checked && !marker_is_current(g, p, h)) {
        refuse(info, LOG_INVALID_PRODUCER_EPOCH, p->epoch, h->producer_epoch);
        return 0;
    }
    if (checked && coordinator_epoch < p->coordinator_epoch) {
        refuse(info, LOG_COORDINATOR_FENCED, p->coordinator_epoch, coordinator_epoch);
        return 0;
    }
    apply_marker(g, p, h, type == CONTROL_ABORT, coordinator_epoch);
    return 0;
}

int producer_stage_batch(struct producer_stage *g, const struct batch_header *h, struct bytes batch,
                         bool checked, struct log_append_info *info)
{
    info->verdict = LOG_APPENDED;
    if (h->producer_id < 0)
        return 0;
    info->producer_id = h->producer_id;
    g->is_transactional |= batch_is_transactional(h);
    if (batch_is_control(h))
        return stage_marker(g, h, batch, checked, info);
    struct producer *p = stage_get(g, h->producer_id);
    if (!checked || data_is_acceptable(g, p, h, info))
        apply_data(p, h);
    return 0;
}

int64_t producer_stage_stable_offset(const struct producer_stage *g, const struct completed_txn *txn)
{
    list_for_each(node, next, &g->state->ongoing) {
        const struct producer *p = container_of(node, struct producer, txn_node);
        if (p->id != txn->producer_id)
            return p->txn_first_offset;
    }
    return txn->last_offset + 1;
}

void producer_stage_commit(struct producer_stage *g)
{
    struct producer_state *s = g->state;
    for (int i = 0; i < g->count; i++) {
        const struct producer *staged = &g->items[i];
        struct producer *p = producer_find(s, staged->id);
        if (p == NULL) {
            p = producer_add(s, staged);
        } else {
            struct map_node node = p->node;
            struct list_node txn_node = p->txn_node;
            *p = *staged;
            p->node = node;
            p->txn_node = txn_node;
        }
        ongoing_update(s, p);
        if (g->is_transactional)
            producer_verification_drop(s, p->id);
    }
    for (int i = 0; i < g->completed_count; i++) {
        mem_grow(s->unreplicated, s->unreplicated_count, s->unreplicated_capacity);
        s->unreplicated[s->unreplicated_count++] = g->completed[i];
    }
    g->count = g->completed_count = 0;
    g->is_transactional = false;
}

// ---- Stable offset, expiry ----

void producer_state_set_high_watermark(struct producer_state *s, int64_t high_watermark)
{
    int kept = 0;
    for (int i = 0; i < s->unreplicated_count; i++)
        if (s->unreplicated[i].last_offset >= high_watermark)
            s->unreplicated[kept++] = s->unreplicated[i];
    s->unreplicated_count = kept;
}

int64_t producer_state_first_unstable(const struct producer_state *s)
{
    struct list_node *first = list_first(&s->ongoing);
    int64_t offset =
        first != NULL ? container_of(first, struct producer, txn_node)->txn_first_offset : -1;
    for (int i = 0; i < s->unreplicated_count; i++)
        if (offset < 0 || s->unreplicated[i].first_offset < offset)
            offset = s->unreplicated[i].first_offset;
    return offset;
}

static bool has_expired(int64_t txn_first_offset, int64_t last_timestamp, int64_t now_ms,
                        int64_t expiration_ms)
{
    return txn_first_offset < 0 && last_timestamp <= now_ms - expiration_ms;
}

void producer_state_expire(struct producer_state *s, int64_t now_ms, int64_t expiration_ms)
{
    struct producer **all = producer_state_sorted(s);
    for (size_t i = 0, count = s->producers.count; i < count; i++) {
        struct producer *p = all[i];
        if (!has_expired(p->txn_first_offset, p->last_timestamp, now_ms, expiration_ms))
            continue;
        map_remove(&s->producers, &p->node);
        mem_free(p);
    }
    mem_free(all);
    producer_verifications_expire(s, now_ms, expiration_ms);
}

static int compare_ids(const void *a, const void *b)
{
    int64_t x = (*(struct producer *const *)a)->id, y = (*(struct producer *const *)b)->id;
    return (x > y) - (x < y);
}

struct producer **producer_state_sorted(const struct producer_state *s)
{
    struct producer **all = mem_alloc_array(s->producers.count + 1, sizeof(struct producer *));
    size_t count = 0;
    for (struct map_node *node = map_next(&s->producers, NULL); node != NULL;
         node = map_next(&s->producers, node))
        all[count++] = container_of(node, struct producer, node);
    if (count > 1)
        qsort(all, count, sizeof(struct producer *), compare_ids);
    return all;
}

// ---- Snapshots ----

void producer_state_snapshot(const struct producer_state *s, struct buf *out)
{
    size_t start = out->size;
    buf_append_be16(out, SNAPSHOT_VERSION);
    buf_append_be32(out, 0); // the CRC, below
    buf_append_be32(out, (uint32_t)s->producers.count);
    struct producer **all = producer_state_sorted(s);
    for (size_t i = 0; i < s->producers.count; i++) {
        const struct producer *p = all[i];
        const struct producer_batch none = {.last_offset = -1, .timestamp = -1, .last_sequence = -1};
        const struct producer_batch *last =
            p->batch_count > 0 ? &p->batches[p->batch_count - 1] : &none;
        buf_append_be64(out, (uint64_t)p->id);
        buf_append_be16(out, (uint16_t)p->epoch);
        buf_append_be32(out, (uint32_t)last->last_sequence);
        buf_append_be64(out, (uint64_t)last->last_offset);
        buf_append_be32(out, (uint32_t)last->offset_delta);
        buf_append_be64(out, (uint64_t)p->last_timestamp);
        buf_append_be32(out, (uint32_t)p->coordinator_epoch);
        buf_append_be64(out, (uint64_t)p->txn_first_offset);
    }
    mem_free(all);
    if (!out->failed)
        be32_store(out->data + start + 2,
                   crc32c(0, bytes_of(out->data + start + 6, out->size - start - 6)));
}

int snapshot_check(struct bytes in, int32_t *count)
{
    if (in.size < SNAPSHOT_HEADER_SIZE)
        return ERR_CORRUPT;
    if (be16_load(in.data) != SNAPSHOT_VERSION)
        return ERR_UNSUPPORTED;
    if (be32_load(in.data + 2) != crc32c(0, bytes_of(in.data + 6, in.size - 6)))
        return ERR_CORRUPT;
    int32_t declared = (int32_t)be32_load(in.data + 6);
    if (declared < 0 ||
        (size_t)declared != (in.size - SNAPSHOT_HEADER_SIZE) / SNAPSHOT_ENTRY_SIZE ||
        (in.size - SNAPSHOT_HEADER_SIZE) % SNAPSHOT_ENTRY_SIZE != 0)
        return ERR_CORRUPT;
    *count = declared;
    return 0;
}

void snapshot_entry_decode(struct bytes snapshot, int32_t index, struct snapshot_entry *out)
{
    const uint8_t *p =
        snapshot.data + SNAPSHOT_HEADER_SIZE + (size_t)index * SNAPSHOT_ENTRY_SIZE;
    out->producer_id = (int64_t)be64_load(p);
    out->producer_epoch = (int16_t)be16_load(p + 8);
    out->last_sequence = (int32_t)be32_load(p + 10);
    out->last_offset = (int64_t)be64_load(p + 14);
    out->offset_delta = (int32_t)be32_load(p + 22);
    out->timestamp = (int64_t)be64_load(p + 26);
    out->coordinator_epoch = (int32_t)be32_load(p + 34);
    out->txn_first_offset = (int64_t)be64_load(p + 38);
}

static void load_entry(struct producer_state *s, const struct snapshot_entry *e)
{
    struct producer values = {
        .id = e->producer_id,
        .epoch = e->producer_epoch,
        .coordinator_epoch = e->coordinator_epoch,
        .last_timestamp = e->timestamp,
        .txn_first_offset = e->txn_first_offset >= 0 ? e->txn_first_offset : -1,
    };
    if (e->last_offset >= 0) {
        values.batch_count = 1;
        values.batches[0] = (struct producer_batch){
            .last_offset = e->last_offset,
            .timestamp = e->timestamp,
            .last_sequence = e->last_sequence,
            .offset_delta = e->offset_delta,
        };
    }
    ongoing_update(s, producer_add(s, &values));
}

static bool follows(const struct producer_batch *b, const struct producer_batch *before)
{
    int32_t next = before->last_sequence == INT32_MAX ? 0 : before->last_sequence + 1;
    return first_sequence_of(b) == next;
}

void producer_state_recall(struct producer_state *s, const struct batch_header *h)
{
    struct producer *p = batch_is_control(h) ? NULL : producer_find(s, h->producer_id);
    if (p == NULL || p->epoch != h->producer_epoch || p->batch_count == 0 ||
        batch_last_offset(h) >= p->batches[p->batch_count - 1].last_offset)
        return;
    struct producer_batch last = p->batches[--p->batch_count];
    struct producer_batch before = batch_of(h);
    if (p->batch_count > 0 && !follows(&before, &p->batches[p->batch_count - 1]))
        p->batch_count = 0;
    push_batch(p, &before, PRODUCER_BATCHES_MAX - 1);
    push_batch(p, &last, PRODUCER_BATCHES_MAX);
}

void producer_state_end_recall(struct producer_state *s)
{
    for (struct map_node *n = map_next(&s->producers, NULL); n != NULL;
         n = map_next(&s->producers, n)) {
        struct producer *p = container_of(n, struct producer, node);
        if (p->batch_count < 2 ||
            follows(&p->batches[p->batch_count - 1], &p->batches[p->batch_count - 2]))
            continue;
        p->batches[0] = p->batches[p->batch_count - 1];
        p->batch_count = 1;
    }
}

int producer_state_load(struct producer_state *s, struct bytes snapshot, int64_t now_ms,
                        int64_t expiration_ms)
{
    int32_t count;
    int err = snapshot_check(snapshot, &count);
    if (err < 0)
        return err;
    producer_state_clear(s);
    for (int32_t i = 0; i < count; i++) {
        struct snapshot_entry e;
        snapshot_entry_decode(snapshot, i, &e);
        if (!has_expired(e.txn_first_offset, e.timestamp, now_ms, expiration_ms) &&
            producer_find(s, e.producer_id) == NULL)
            load_entry(s, &e);
    }
    return 0;
}
