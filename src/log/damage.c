// SPDX-License-Identifier: Apache-2.0
//
// Damage in a segment's bytes, as a log that is being served knows it. What is damaged is said once and
// answers ERR_CORRUPT; what lies around it stays readable. Each range of a segment is checked before it
// is shown for the first time, since a consumer need not look at CRCs (librdkafka does not, by default).
#include <inttypes.h>

#include "base/err.h"
#include "base/mem.h"
#include "log/internal.h"

static bool is_known(const struct log *log, const struct log_damage *d)
{
    for (int i = 0; i < log->damage_count; i++) {
        const struct log_damage *known = &log->damages[i];
        if (known->base_offset == d->base_offset && known->position == d->position)
            return true;
    }
    return false;
}

int log__add_damage(struct log *log, const struct log_damage *damage, const char *what)
{
    if (is_known(log, damage))
        return ERR_CORRUPT;
    mem_grow(log->damages, log->damage_count, log->damage_capacity);
    log->damages[log->damage_count++] = *damage;
    trace_error(log->trace, LOG_AREA,
                "%s/%020" PRId64 ".log: position %" PRId64 ": %s; offsets %" PRId64 " to %" PRId64
                " answer CORRUPT_MESSAGE, the rest is served. Restore the file from a copy, or have "
                "consumers seek behind it",
                log->path, damage->base_offset, damage->position, what, damage->offset,
                damage->end_offset - 1);
    if (log->damage_count >= LOG_DAMAGES_MAX)
        log__set_offline(log, "%s: more than %d damaged places; restore the directory from a copy",
                         log->path, LOG_DAMAGES_MAX - 1);
    return ERR_CORRUPT;
}

const struct log_damage *log__damage_in(const struct log *log, const struct segment *s,
                                        int64_t position, int64_t end)
{
    const struct log_damage *first = NULL;
    for (int i = 0; i < log->damage_count; i++) {
        const struct log_damage *d = &log->damages[i];
        bool touches = d->base_offset == s->base_offset && d->position < end &&
                       (d->end > position || d->position >= position);
        if (touches && (first == NULL || d->position < first->position))
            first = d;
    }
    return first;
}

int log__note_unreadable(struct log *log, struct segment *s, int64_t position, int64_t offset)
{
    struct batch_header h;
    struct log_damage d = {.base_offset = s->base_offset, .position = position, .end = s->size,
                           .offset = offset};
    if (is_known(log, &d))
        return ERR_CORRUPT;
    int found = segment_find_behind(&log->env, s, position + 1, &d.end, &h);
    if (found < 0)
        return found;
    d.end_offset = found == 1 ? h.base_offset
                              : log__segment_end(log, log__segment_at(log, s->base_offset));
    if (found == 0)
        d.end = s->size;
    if (d.offset >= d.end_offset)
        d.offset = d.end_offset - 1; // somewhere before that
    return log__add_damage(log, &d, "no batch can be read here");
}

int log__read_failed(struct log *log, int err, const char *what)
{
    if (err != ERR_CORRUPT && err != ERR_TRUNCATED)
        return log__failed(log, err, what);
    if (log->damage_count == 0 && !log->read_failed)
        trace_error(log->trace, LOG_AREA, "%s: %s while %s; `chitin log verify` on the closed directory "
                    "says more", log->path, err_text(err), what);
    log->read_failed = true;
    return ERR_CORRUPT;
}

// ---- Checking a range before it is shown ----

static void bad(struct log_check *out, const struct batch_header *h, int64_t position,
                const char *problem)
{
    out->problem = problem;
    out->position = position;
    out->offset = h->base_offset;
    out->end = position + (int64_t)batch_size(h);
    out->end_offset = batch_last_offset(h) + 1;
}

// Checks one batch; `before` is the one in front of it in the slice, or NULL.
static void check_batch(const struct log_slice *slice, struct batch_scan *scan,
                        const struct batch_header *h, int64_t position,
                        const struct batch_header *before, int64_t before_at, struct log_check *out)
{
    int64_t expected = before != NULL ? batch_last_offset(before) + 1 : h->base_offset;
    int good = batch_scan_check_crc(scan, h, position);
    if (good < 0 && good != ERR_TRUNCATED)
        out->err = good;
    else if (good != 1)
        bad(out, h, position, "the CRC of a batch is wrong");
    else if (h->base_offset < expected) // either may be wrong: offsets are not part of the CRC
        bad(out, before, before_at, "the offsets of a batch reach into the next one");
    else if (h->base_offset > expected && !slice->may_have_gaps) {
        bool wrong = h->base_offset >= slice->segment_end;
        bad(out, h, position, wrong ? "the offset of a batch is wrong"
                                    : "a batch that was there is missing");
        out->offset = expected;
        out->end = wrong ? out->end : position;
        out->end_offset = wrong ? expected + (batch_last_offset(h) - h->base_offset) + 1
                                : h->base_offset;
    }
}

// What follows the last batch of the slice says where that ends.
static void check_last(const struct log_slice *slice, struct batch_scan *scan,
                       const struct batch_header *last, int64_t last_at, struct log_check *out)
{
    int64_t position, follows = slice->segment_end;
    struct batch_header h;
    scan->end = slice->segment_size;
    scan->window_size = 0;
    int got = batch_scan_next(scan, &h, &position);
    if (got == 1)
        follows = h.base_offset;
    if (got >= 0 && batch_last_offset(last) >= follows)
        bad(out, last, last_at, "the offsets of a batch reach into the next one");
}

void log_check_run(const struct log_slice *slice, struct log_check *out)
{
    int64_t position = 0, before_at = 0, end = slice->position + (int64_t)slice->size;
    int count;
    struct batch_header h, before;
    struct batch_scan scan;
    int got;
    uint8_t *window = mem_alloc(BATCH_SCAN_WINDOW_LARGE);
    *out = (struct log_check){.end = -1, .end_offset = -1, .offset = -1};
    batch_scan_init(&scan, slice->ref->file, slice->position, end, window, BATCH_SCAN_WINDOW_LARGE);
    for (count = 0; (got = batch_scan_next(&scan, &h, &position)) == 1; count++) {
        check_batch(slice, &scan, &h, position, count > 0 ? &before : NULL, before_at, out);
        if (out->problem != NULL || out->err < 0)
            break;
        before = h;
        before_at = position;
    }
    if (got == ERR_CORRUPT || got == ERR_TRUNCATED) {
        out->problem = "no batch can be read here";
        out->position = scan.position;
    } else if (got < 0) {
        out->err = got;
    } else if (got == 0) {
        out->position = end;
        if (count > 0)
            check_last(slice, &scan, &before, before_at, out);
    }
    mem_free(window);
}

void log_check_end(struct log *log, const struct log_slice *slice, const struct log_check *found)
{
    struct segment *s = log->segments[log__segment_at(log, slice->base_offset)];
    if (log__check(log) < 0)
        return;
    if (found->err < 0) {
        log__failed(log, found->err, "checking a segment");
        return;
    }
    if (s->base_offset != slice->base_offset || s->cuts != slice->cuts)
        return;
    if (found->problem == NULL || found->position > slice->position)
        segment_note_checked(s, slice->position, found->position);
    if (found->problem == NULL)
        return;
    if (found->end < 0) {
        log__note_unreadable(log, s, found->position, slice->offset_limit);
        return;
    }
    struct log_damage d = {.base_offset = s->base_offset, .position = found->position,
                           .end = found->end, .offset = found->offset,
                           .end_offset = found->end_offset};
    log__add_damage(log, &d, found->problem);
}
