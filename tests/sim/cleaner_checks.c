// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "cleaner_world.h"
#include "sim_txns.h"

// A client that reads committed records: what it filters out.
struct filter {
    struct log_aborted *aborted;
    int count;
    int capacity;
    int64_t active[64]; // producers inside of an aborted transaction
    int active_count;
};

static int filter_add(void *context, const struct log_aborted *txn)
{
    struct filter *f = context;
    mem_grow(f->aborted, f->count, f->capacity);
    f->aborted[f->count++] = *txn;
    return 0;
}

static bool filter_has(struct filter *f, int64_t producer_id, bool remove)
{
    for (int i = 0; i < f->active_count; i++) {
        if (f->active[i] != producer_id)
            continue;
        if (remove)
            f->active[i] = f->active[--f->active_count];
        return true;
    }
    return false;
}

// True if a batch is hidden from readers of committed records.
static bool filter_batch(struct filter *f, const struct batch_header *h, bool aborts)
{
    for (int i = 0; i < f->count; i++) {
        struct log_aborted *a = &f->aborted[i];
        if (a->producer_id < 0 || a->first_offset > batch_last_offset(h))
            continue;
        if (!filter_has(f, a->producer_id, false) && f->active_count < 64)
            f->active[f->active_count++] = a->producer_id;
        a->producer_id = -1;
    }
    if (batch_is_control(h)) {
        if (aborts)
            filter_has(f, h->producer_id, true);
        return true;
    }
    return batch_is_transactional(h) && filter_has(f, h->producer_id, false);
}

static void check_record(struct harness *h, struct part *p, struct sent *s, const struct record *record)
{
    int64_t index = record->offset - s->base_offset;
    if (index < 0 || index >= s->count) {
        fail(h, "%s: no record was sent at offset %" PRId64, p->topic, record->offset);
        return;
    }
    struct sent_record *r = &s->records[index];
    uint8_t value[VALUE_MAX];
    char key[16];
    size_t size = 0, key_size = (size_t)snprintf(key, sizeof key, "key%d", r->key);
    r->seen = true;
    if (r->gone)
        fail(h, "%s: offset %" PRId64 " was gone and is back", p->topic, record->offset);
    if (record->timestamp != r->time_ms)
        fail(h, "%s: offset %" PRId64 " has time %" PRId64 ", was sent with %" PRId64, p->topic,
             record->offset, record->timestamp, r->time_ms);
    if (s->control)
        return;
    if (r->value != 0)
        value_of(r->value, value, &size);
    bool key_fits = r->key < 0 ? record->key.data == NULL
                               : bytes_equal(record->key, bytes_of(key, key_size));
    bool value_fits = r->value == 0 ? record->value.data == NULL
                                    : bytes_equal(record->value, bytes_of(value, size));
    if (!key_fits || !value_fits)
        fail(h, "%s: offset %" PRId64 " holds something else than was sent", p->topic, record->offset);
}

static void check_batch(struct harness *h, struct part *p, struct bytes batch,
                        const struct batch_header *header, struct filter *filter)
{
    struct sent *s = sent_at(p, header->base_offset);
    struct batch_iter it;
    struct record record;
    struct buf scratch;
    if (s == NULL || s->last_offset != batch_last_offset(header) ||
        s->producer_id != header->producer_id || s->epoch != header->partition_leader_epoch ||
        s->last_sequence != batch_last_sequence(header)) {
        fail(h, "%s: no such batch was sent at %" PRId64, p->topic, header->base_offset);
        return;
    }
    if (!batch_crc_is_valid(batch))
        fail(h, "%s: the CRC at %" PRId64 " is wrong", p->topic, header->base_offset);
    buf_init(&scratch, 1 << 20);
    int got = batch_iter_init(&it, batch, &scratch);
    while (got == 0 && (got = batch_iter_next(&it, &record)) == 1) {
        check_record(h, p, s, &record);
        got = 0;
    }
    buf_release(&scratch);
    if (got < 0)
        fail(h, "%s: the records at %" PRId64 " cannot be read", p->topic, header->base_offset);
    bool hidden = filter_batch(filter, header, s->aborts);
    if (header->record_count > 0 && !s->control && s->fate != FATE_OPEN &&
        hidden != (s->fate == FATE_ABORTED))
        fail(h, "%s: the batch at %" PRId64 " of producer %" PRId64 " was %s and is %s", p->topic,
             header->base_offset, header->producer_id, s->fate == FATE_ABORTED ? "aborted" : "committed",
             hidden ? "hidden" : "shown");
}

// Reads everything; true if that was possible.
static bool read_all(struct harness *h, struct part *p, struct filter *filter)
{
    int64_t offset = log_start_offset(p->log), end = log_end_offset(p->log);
    while (offset < end && !h->failed) {
        struct buf bytes;
        struct bytes rest, batch;
        struct batch_header header;
        buf_init(&bytes, 1 << 20);
        int err = log_read_bytes(p->log, offset, 1 + (size_t)below(h, 5000), true, end, &bytes);
        rest = buf_bytes(&bytes);
        bool readable = excused(h, err, "read");
        // Offsets may be missing anywhere, but not at the end.
        if (readable && rest.size == 0)
            fail(h, "%s: nothing at %" PRId64 ", the end is %" PRId64, p->topic, offset, end);
        while (readable && !h->failed && batch_next(&rest, &header, &batch) == 1) {
            if (batch_last_offset(&header) < offset)
                fail(h, "%s: %" PRId64 " comes after %" PRId64, p->topic, header.base_offset, offset);
            else if (!h->failed)
                check_batch(h, p, batch, &header, filter);
            offset = batch_last_offset(&header) + 1;
        }
        buf_release(&bytes);
        if (!readable)
            return false;
    }
    return !h->failed;
}

// The newest decided record of a key, and whether an older one is there.
static void check_key(struct harness *h, struct part *p, int32_t key, int64_t start)
{
    const struct sent_record *newest = NULL;
    const struct sent *in = NULL;
    int64_t offset = -1, older = -1;
    for (int i = p->sent_count - 1; i >= 0; i--) {
        const struct sent *s = &p->sent[i];
        for (int k = s->count - 1; k >= 0 && !s->control; k--) {
            const struct sent_record *r = &s->records[k];
            if (r->key != key || s->base_offset + k < start || r->excused)
                continue;
            if (s->fate == FATE_OPEN && !r->seen)
                fail(h, "%s: key %d at %" PRId64 " is gone before its transaction was decided", p->topic,
                     key, s->base_offset + k);
            if (s->fate == FATE_OPEN || s->fate == FATE_ABORTED)
                continue;
            if (newest == NULL) {
                newest = r;
                in = s;
                offset = s->base_offset + k;
            } else {
                if (r->seen && older < 0)
                    older = s->base_offset + k;
                h->totals->records_gone += !r->seen;
            }
        }
    }
    if (newest == NULL || newest->seen)
        return;
    if (newest->value != 0)
        fail(h, "%s: the newest value of key %d, at %" PRId64 ", is gone", p->topic, key, offset);
    else if (older >= 0)
        fail(h, "%s: key %d was deleted at %" PRId64 " and is back with that of %" PRId64, p->topic, key,
             offset, older);
    else if (now_ms(h) < in->sent_ms + h->delete_retention_ms)
        fail(h, "%s: the tombstone of key %d at %" PRId64 " went after %" PRId64 " ms", p->topic, key,
             offset, now_ms(h) - in->sent_ms);
    h->totals->tombstones_gone++;
}

// The first record that is there with a time must be what a look-up finds.
static void check_time(struct harness *h, struct part *p)
{
    struct log_position found;
    if (p->sent_count == 0)
        return;
    const struct sent *any = &p->sent[below(h, (uint64_t)p->sent_count)];
    int64_t target = any->records[below(h, (uint64_t)any->count)].time_ms;
    int64_t start = log_start_offset(p->log), expected = -1;
    for (int i = 0; i < p->sent_count && expected < 0; i++)
        for (int k = 0; k < p->sent[i].count && expected < 0; k++)
            if (p->sent[i].base_offset + k >= start && p->sent[i].records[k].seen &&
                p->sent[i].records[k].time_ms >= target)
                expected = p->sent[i].base_offset + k;
    int err = log_find_timestamp(p->log, target, &found);
    // (A batch without records is found by the time in its header.)
    struct sent *s = NULL;
    for (int i = 0; i < p->sent_count; i++)
        if (found.offset >= p->sent[i].base_offset && found.offset <= p->sent[i].last_offset)
            s = &p->sent[i];
    bool is_empty = s != NULL;
    for (int k = 0; s != NULL && k < s->count; k++)
        is_empty &= !s->records[k].seen;
    if (excused(h, err, "find timestamp") && found.offset != expected && !is_empty)
        fail(h, "%s: time %" PRId64 " found at %" PRId64 ", should be %" PRId64, p->topic, target,
             found.offset, expected);
}

static void check_epochs(struct harness *h, struct part *p)
{
    int64_t start = log_start_offset(p->log), end = log_end_offset(p->log);
    for (int i = 0; i < p->sent_count && !h->failed; i++) {
        const struct sent *s = &p->sent[i];
        if (s->base_offset < start || s->last_offset >= end || !s->records[0].seen)
            continue;
        int32_t epoch = log_epoch_at(p->log, s->base_offset);
        if (!excused(h, epoch == -1 ? 0 : epoch, "epoch"))
            return;
        if (epoch != s->epoch)
            fail(h, "%s: epoch %d at %" PRId64 ", was written in %d", p->topic, epoch, s->base_offset,
                 s->epoch);
    }
}

static void check_duplicate(struct harness *h, struct part *p, int64_t producer_id)
{
    bool is_open;
    const struct sent *last = last_of(p, producer_id, &is_open);
    struct log_append_info info;
    if (last == NULL || is_down(h))
        return;
    int64_t base_offset = last->base_offset;
    uint8_t *bytes = mem_alloc(last->size);
    memcpy(bytes, last->bytes, last->size);
    int err = log_append(p->log, bytes, last->size, p->epoch, now_ms(h), &info);
    mem_free(bytes);
    if (excused(h, err, "duplicate") &&
        (info.verdict != LOG_DUPLICATE || info.base_offset != base_offset))
        fail(h, "%s: duplicate of producer %" PRId64 " at %" PRId64 ": verdict %d at %" PRId64
             ", expected %" PRId64 ", found %" PRId64, p->topic, producer_id, base_offset, info.verdict,
             info.base_offset, info.expected, info.found);
}

// Sees what is there; true if that was possible.
bool part_see(struct harness *h, struct part *p)
{
    struct filter filter = {0};
    int64_t start = log_start_offset(p->log);
    part_decide(p);
    for (int i = 0; i < p->sent_count; i++)
        for (int k = 0; k < p->sent[i].count; k++)
            p->sent[i].records[k].seen = false;
    int err = sim_each_aborted(p->log, start, INT64_MAX, filter_add, &filter);
    bool is_read = excused(h, err, "aborted") && read_all(h, p, &filter);
    mem_free(filter.aborted);
    for (int i = 0; i < p->sent_count && is_read; i++)
        for (int k = 0; k < p->sent[i].count; k++)
            p->sent[i].records[k].gone |= !p->sent[i].records[k].seen && p->sent[i].base_offset + k >= start;
    return is_read;
}

void check_part(struct harness *h, struct part *p)
{
    int64_t start = log_start_offset(p->log);
    bool is_read = part_see(h, p);
    for (int32_t key = 0; key < KEYS && is_read && !h->failed; key++)
        check_key(h, p, key, start);
    if (is_read && !h->failed)
        check_time(h, p);
    if (is_read && !h->failed && !is_down(h))
        check_epochs(h, p);
    for (int64_t id = 0; id < PRODUCERS && is_read && !h->failed; id++)
        check_duplicate(h, p, p->first_producer + id);
}
