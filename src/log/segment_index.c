// SPDX-License-Identifier: Apache-2.0
//
// The log decides, its indexes are hints: here they are compared with it, and made again beside the old
// ones where they do not fit.
#include "log/segment_index.h"

#include <inttypes.h>

#include "base/err.h"
#include "base/trace.h"
#include "log/names.h"
#include "log/small_file.h"

int segment__entry_is_true(const struct segment *s, const struct offset_entry *at)
{
    if (at->offset < s->base_offset || at->position <= 0 || at->position >= s->size)
        return 0;
    uint8_t window[BATCH_HEADER_SIZE];
    struct batch_scan scan;
    struct batch_header h;
    int64_t position;
    batch_scan_init(&scan, s->files->log->file, at->position, s->size, window, sizeof window);
    scan.no_wait = s->files->offset_index.no_wait != NULL && *s->files->offset_index.no_wait;
    int got = batch_scan_next(&scan, &h, &position);
    if (got != 1)
        return got == ERR_IO || got == ERR_AGAIN ? got : 0;
    return h.base_offset <= at->offset && h.base_offset >= s->base_offset;
}

// True if some batch is so far from the start that it must have an entry: 1, 0, or an error.
static int needs_entries(const struct segment_env *e, const struct segment *s)
{
    if (s->size <= e->index_interval_bytes)
        return 0;
    uint8_t window[BATCH_SCAN_WINDOW];
    struct batch_scan scan;
    struct batch_header h;
    int64_t position = 0;
    int got;
    batch_scan_init(&scan, s->files->log->file, 0, s->size, window, sizeof window);
    while ((got = batch_scan_next(&scan, &h, &position)) == 1)
        if (position > e->index_interval_bytes)
            return 1;
    return got == ERR_IO ? got : 0;
}

int segment__find_misfit(const struct segment_env *e, struct segment *s, const char **problem)
{
    struct segment_files *f = s->files;
    struct offset_entry last;
    struct time_entry last_time;
    int found = offset_index_last(&f->offset_index, s->base_offset, &last);
    if (found < 0)
        return found;
    int good = found == 0 ? needs_entries(e, s) : segment__entry_is_true(s, &last);
    if (good < 0)
        return good;
    if (found == 0 && good == 1)
        *problem = "the offset index is missing or empty";
    else if (found == 1 && good == 0)
        *problem = "the last entry of the offset index does not fit the log";
    found = time_index_last(&f->time_index, s->base_offset, &last_time);
    if (found < 0)
        return found;
    if (found == 1 && last_time.offset < s->base_offset)
        *problem = "the last entry of the time index does not fit the log";
    // (Apache Kafka's preallocated files are cut to whole entries, too.)
    if (f->offset_index.uneven || f->time_index.uneven)
        *problem = "its size is not that of whole entries";
    return 0;
}

int segment_reset_indexes(struct segment *s)
{
    struct segment_files *f = s->files;
    int err = entry_file_truncate(&f->offset_index, 0);
    if (err == 0)
        err = entry_file_truncate(&f->time_index, 0);
    if (err == 0 && f->txn_index.ref != NULL)
        err = entry_file_truncate(&f->txn_index, 0);
    f->bytes_since_index = 0;
    f->recent_count = f->recent_next = 0;
    f->read_count = f->read_next = 0;
    s->index_unsynced = true;
    s->max_timestamp = s->max_timestamp_offset = -1;
    s->first_timestamp = SEGMENT_UNKNOWN;
    return err;
}

// An index that is being made: beside the one that it replaces, under a name that a start removes.
static int open_new_index(const struct segment_env *e, struct entry_file *f, const struct segment *s,
                          enum log_file_kind kind, int32_t entry_size, char live[FS_PATH_MAX],
                          char fresh[FS_PATH_MAX])
{
    if (!segment_path(e, s, kind, live) ||
        !log_file_state_path(fresh, e->dir, s->base_offset, kind, LOG_FILE_TEMPORARY))
        return ERR_LIMIT;
    int err = small_file_remove(e->fs, fresh);
    return err < 0 ? err : entry_file_open(f, e->fs, fresh, entry_size, true);
}

int segment__next_true_entry(struct segment *s, struct entry_file *index, int64_t from,
                             struct offset_entry *out)
{
    for (int64_t i = 0; i < index->count; i++) {
        uint8_t bytes[OFFSET_ENTRY_SIZE];
        int err = entry_file_get(index, i, bytes);
        if (err < 0)
            return err;
        offset_entry_decode(bytes, s->base_offset, out);
        int good = out->position >= from ? segment__entry_is_true(s, out) : 0;
        if (good != 0)
            return good;
    }
    return 0;
}

// Enters all batches of the segment but those that reach into the next one. Where none can be read the
// old index may know where they go on; what is damaged is the reader's trouble.
static int note_all(const struct segment_env *e, struct segment *s, struct entry_file *old)
{
    uint8_t window[BATCH_SCAN_WINDOW];
    struct batch_scan scan;
    struct batch_header h, held;
    int64_t position, held_at = -1;
    int got = 0, err = 0;
    batch_scan_init(&scan, s->files->log->file, 0, s->size, window, sizeof window);
    do {
        while (err == 0 && (got = batch_scan_next(&scan, &h, &position)) == 1) {
            if (held_at >= 0 && batch_last_offset(&held) < h.base_offset)
                err = segment_note_batch(e, s, &held, held_at);
            held = h;
            held_at = position;
        }
        struct offset_entry at;
        if (err == 0 && got < 0 && got != ERR_IO &&
            segment__next_true_entry(s, old, scan.position + 1, &at) == 1)
            scan.position = at.position;
        else
            break;
    } while (err == 0);
    if (err == 0 && held_at >= 0)
        err = segment_note_batch(e, s, &held, held_at);
    if (err < 0 || got == ERR_IO)
        return err < 0 ? err : got;
    return s->max_timestamp >= 0
               ? time_index_append_if_later(&s->files->time_index, s->base_offset,
                                            (struct time_entry){.timestamp = s->max_timestamp,
                                                                .offset = s->max_timestamp_offset})
               : 0;
}

// The time index comes first: what a crash leaves must not be an offset index that fits beside a time
// index that does not, since the offset index is what an open looks at.
static int publish_indexes(const struct segment_env *e, struct segment *s, char paths[4][FS_PATH_MAX])
{
    struct entry_file *indexes[] = {&s->files->time_index, &s->files->offset_index};
    int err = 0;
    for (int i = 0; i < 2 && err == 0; i++) {
        err = entry_file_flush(indexes[i]);
        if (err == 0)
            err = fs_file_sync(indexes[i]->ref->file);
        if (err == 0)
            err = fs_rename(e->fs, paths[2 * i + 1], paths[2 * i]);
        if (err == 0)
            err = fs_dir_sync(e->fs, e->dir);
    }
    // Without room the entries serve from memory.
    return err == ERR_NOSPC ? 0 : err;
}

int segment__rebuild_indexes(const struct segment_env *e, struct segment *s, const char *why)
{
    struct segment_files *f = s->files;
    struct entry_file times = {0}, offsets = {0};
    char paths[4][FS_PATH_MAX];
    trace_warn(e->trace, "log",
               "%s/%020" PRId64 ".index, .timeindex: %s; made again from the log, nothing is lost",
               e->dir, s->base_offset, why);
    int err = open_new_index(e, &times, s, LOG_FILE_TIME_INDEX, TIME_ENTRY_SIZE,
                             paths[0], paths[1]);
    if (err == 0)
        err = open_new_index(e, &offsets, s, LOG_FILE_INDEX, OFFSET_ENTRY_SIZE, paths[2], paths[3]);
    if (err < 0) {
        entry_file_close(&times);
        return err;
    }
    struct entry_file old = f->offset_index;
    entry_file_close(&f->time_index);
    f->time_index = times;
    f->offset_index = offsets;
    f->rebuilt = true;
    f->bytes_since_index = 0;
    s->max_timestamp = s->max_timestamp_offset = -1;
    s->first_timestamp = SEGMENT_UNKNOWN;
    err = note_all(e, s, &old);
    entry_file_close(&old);
    return err < 0 ? err : publish_indexes(e, s, paths);
}
