// SPDX-License-Identifier: Apache-2.0
#include "log/segment.h"

#include "base/err.h"
#include "base/mem.h"
#include "log/names.h"
#include "log/segment_index.h"
#include "log/small_file.h"

void segment_pool_init(struct segment_pool *pool, int count_max)
{
    list_init(&pool->open);
    pool->count = 0;
    pool->count_max = count_max;
}

struct segment *segment_new(int64_t base_offset)
{
    struct segment *s = mem_new(struct segment);
    s->base_offset = base_offset;
    s->size = -1;
    s->max_timestamp = s->first_timestamp = SEGMENT_UNKNOWN;
    s->max_timestamp_offset = -1;
    return s;
}

static void files_free(const struct segment_env *e, struct segment_files *f)
{
    if (list_linked(&f->pool_node)) {
        list_remove(&f->pool_node);
        e->pool->count--;
    }
    file_ref_put(f->log);
    entry_file_close(&f->offset_index);
    entry_file_close(&f->time_index);
    entry_file_close(&f->txn_index);
    f->segment->files = NULL;
    mem_free(f);
}

void segment_free(const struct segment_env *e, struct segment *s)
{
    if (s->files != NULL)
        files_free(e, s->files);
    mem_free(s);
}

int segment_close(const struct segment_env *e, struct segment *s)
{
    struct segment_files *f = s->files;
    if (f == NULL)
        return 0;
    if (s->synced_size < s->size)
        return ERR_BUSY;
    struct entry_file *indexes[] = {&f->offset_index, &f->time_index, &f->txn_index};
    for (int i = 0; i < 3; i++) {
        int err = indexes[i]->ref != NULL ? entry_file_flush(indexes[i]) : 0;
        if (err < 0)
            return err;
    }
    files_free(e, f);
    return 0;
}

void segment_close_if_idle(const struct segment_env *e, struct segment *s)
{
    if (!s->used)
        segment_close(e, s);
    s->used = false;
}

// ---- Opening ----

// Closes what was used longest ago until the bound holds; `keep` was opened for somebody just now.
static void pool_evict(const struct segment_env *e, const struct segment *keep)
{
    if (e->pool == NULL)
        return;
    list_for_each(node, next, &e->pool->open) {
        if (e->pool->count <= e->pool->count_max)
            return;
        struct segment_files *f = container_of(node, struct segment_files, pool_node);
        if (f->segment != keep)
            segment_close(e, f->segment); // stays open if it cannot be closed now
    }
}

static void pool_touch(const struct segment_env *e, struct segment *s)
{
    s->used = true;
    if (e->pool == NULL)
        return;
    struct segment_files *f = s->files;
    if (list_linked(&f->pool_node))
        list_remove(&f->pool_node);
    else
        e->pool->count++;
    list_append(&e->pool->open, &f->pool_node);
}

bool segment_path(const struct segment_env *e, const struct segment *s, enum log_file_kind kind,
                  char out[FS_PATH_MAX])
{
    enum log_file_state state = LOG_FILE_LIVE;
    if (s->names == SEGMENT_CLEANED)
        state = LOG_FILE_CLEANED;
    else if (s->names == SEGMENT_SWAP || (s->names == SEGMENT_SWAP_INDEXES && kind != LOG_FILE_LOG))
        state = LOG_FILE_SWAP;
    return log_file_state_path(out, e->dir, s->base_offset, kind, state);
}

static int open_log_file(const struct segment_env *e, const struct segment *s, unsigned flags,
                         struct file_ref **out)
{
    char path[FS_PATH_MAX];
    struct fs_file *file;
    if (!segment_path(e, s, LOG_FILE_LOG, path))
        return ERR_LIMIT;
    int err = fs_open(e->fs, path, FS_READ | FS_WRITE | flags, &file);
    if (err == 0)
        *out = file_ref_new(file);
    return err;
}

static int open_index(const struct segment_env *e, struct entry_file *f, const struct segment *s,
                      enum log_file_kind kind, int32_t entry_size, bool create)
{
    char path[FS_PATH_MAX];
    if (!segment_path(e, s, kind, path))
        return ERR_LIMIT;
    return entry_file_open(f, e->fs, path, entry_size, create);
}

static int open_files(const struct segment_env *e, struct segment *s, unsigned log_flags)
{
    struct segment_files *f = mem_new(struct segment_files);
    f->segment = s;
    int err = open_log_file(e, s, log_flags, &f->log);
    if (err == 0)
        err = open_index(e, &f->offset_index, s, LOG_FILE_INDEX, OFFSET_ENTRY_SIZE, true);
    if (err == 0)
        err = open_index(e, &f->time_index, s, LOG_FILE_TIME_INDEX, TIME_ENTRY_SIZE, true);
    if (err == 0) {
        err = open_index(e, &f->txn_index, s, LOG_FILE_TXN_INDEX, TXN_ENTRY_SIZE, false);
        if (err == 0 || err == ERR_NOT_FOUND) // not where it cannot be known
            s->has_txn_index = err == 0;
        if (err == ERR_NOT_FOUND)
            err = 0;
    }
    f->offset_index.no_wait = &e->no_wait;
    s->files = f;
    if (err < 0)
        files_free(e, f);
    return err;
}

// Makes the files of a new segment, over what an earlier life of this offset may have left of its
// indexes (a truncation, a crash while rolling).
static int make_files(const struct segment_env *e, struct segment *s)
{
    enum log_file_kind stale[] = {LOG_FILE_INDEX, LOG_FILE_TIME_INDEX, LOG_FILE_TXN_INDEX};
    int err = 0;
    for (int i = 0; i < 3 && err == 0; i++) {
        char path[FS_PATH_MAX];
        err = segment_path(e, s, stale[i], path) ? small_file_remove(e->fs, path) : ERR_LIMIT;
    }
    return err < 0 ? err : open_files(e, s, FS_CREATE | FS_EXCLUSIVE);
}

static struct segment *segment_new_empty(int64_t base_offset)
{
    struct segment *s = segment_new(base_offset);
    s->size = 0;
    s->max_timestamp = -1;
    s->txn_checked = true;
    return s;
}

int segment_create_cleaned(const struct segment_env *e, int64_t base_offset, struct segment **out)
{
    struct segment *s = segment_new_empty(base_offset);
    s->names = SEGMENT_CLEANED;
    int err = make_files(e, s);
    if (err < 0)
        segment_free(e, s);
    else
        *out = s;
    return err;
}

int segment_create(const struct segment_env *e, int64_t base_offset, int64_t preallocate_bytes,
                   struct segment **out)
{
    struct segment *s = segment_new_empty(base_offset);
    int err = make_files(e, s);
    if (err == 0 && preallocate_bytes > 0) {
        err = fs_file_truncate(s->files->log->file, preallocate_bytes);
        s->preallocated = true;
    }
    if (err < 0) {
        bool made = s->files != NULL || err != ERR_EXISTS;
        segment_free(e, s);
        if (made)
            segment_remove_files(e, base_offset, false);
        return err;
    }
    pool_touch(e, s);
    pool_evict(e, s);
    *out = s;
    return 0;
}

int segment_load_size(const struct segment_env *e, struct segment *s)
{
    if (s->size >= 0)
        return 0;
    char path[FS_PATH_MAX];
    struct fs_stat stat;
    if (!segment_path(e, s, LOG_FILE_LOG, path))
        return ERR_LIMIT;
    int err = fs_stat(e->fs, path, &stat);
    if (err < 0)
        return err;
    s->size = s->synced_size = stat.size;
    return 0;
}

int segment_remake_indexes(const struct segment_env *e, struct segment *s, const char *why)
{
    int err = segment_open(e, s);
    return err < 0 || s->files->rebuilt ? err : segment__rebuild_indexes(e, s, why);
}

int segment_open_unchecked(const struct segment_env *e, struct segment *s)
{
    int err = segment_load_size(e, s);
    if (err == 0 && s->files == NULL) {
        err = open_files(e, s, 0);
        if (err == 0)
            s->files->rebuilt = true; // or rather: will be, batch by batch
    }
    if (err == 0)
        pool_touch(e, s);
    return err;
}

int segment_open(const struct segment_env *e, struct segment *s)
{
    if (s->files != NULL) {
        pool_touch(e, s);
        return 0;
    }
    if (e->no_wait)
        return ERR_AGAIN;
    int err = segment_open_unchecked(e, s);
    if (err < 0)
        return err;
    const char *problem = NULL;
    s->files->rebuilt = false;
    err = segment__find_misfit(e, s, &problem);
    if (err == 0 && problem != NULL)
        err = segment__rebuild_indexes(e, s, problem);
    struct offset_entry last = {.position = 0};
    if (err >= 0)
        err = offset_index_last(&s->files->offset_index, s->base_offset, &last);
    if (err < 0) {
        files_free(e, s->files);
        return err;
    }
    s->files->bytes_since_index = s->size - last.position;
    pool_evict(e, s);
    return 0;
}

// An index has no checksum: what it says is a hint, and the batch there decides. An entry that is not
// true is skipped backwards; whether it or the log is damaged shows when the batches are walked. 1 with
// the entry, 0 if there is none, or an error.
static int find_entry(struct segment *s,
                      int (*find)(struct entry_file *f, int64_t base_offset, int64_t target,
                                  struct offset_entry *out),
                      int64_t target, struct offset_entry *out, bool *doubtful)
{
    struct entry_file *index = &s->files->offset_index;
    int found = find(index, s->base_offset, target, out);
    int good = found == 1 ? segment__entry_is_true(s, out) : found;
    if (found != 1 || good != 0)
        return good;
    if (index->no_wait != NULL && *index->no_wait)
        return ERR_AGAIN;
    *doubtful = true;
    int64_t best = -1;
    for (int64_t i = 0; i < index->count; i++) {
        uint8_t bytes[OFFSET_ENTRY_SIZE];
        struct offset_entry at;
        int err = entry_file_get(index, i, bytes);
        if (err < 0)
            return err;
        offset_entry_decode(bytes, s->base_offset, &at);
        bool below = (find == offset_index_find ? at.offset : at.position) <= target;
        if (!below || at.position <= best || segment__entry_is_true(s, &at) != 1)
            continue;
        best = at.position;
        *out = at;
    }
    return best >= 0;
}

int segment_lookup(struct segment *s, int64_t offset, int64_t *position, bool *doubtful)
{
    struct offset_entry at;
    int found = find_entry(s, offset_index_find, offset, &at, doubtful);
    *position = found == 1 ? at.position : 0;
    return found < 0 ? found : 0;
}

// ---- Times ----

static void note_time(struct segment *s, const struct batch_header *h)
{
    if (h->max_timestamp > s->max_timestamp) {
        s->max_timestamp = h->max_timestamp;
        s->max_timestamp_offset = batch_last_offset(h);
    }
}

// Looks at the headers from where the offset index puts `offset` up to position `end`.
static int scan_times_from(const struct segment_env *e, struct segment *s, int64_t offset, int64_t end)
{
    int64_t start;
    bool doubtful;
    int err = segment_lookup(s, offset, &start, &doubtful);
    if (err < 0)
        return err;
    uint8_t window[BATCH_SCAN_WINDOW];
    struct batch_scan scan;
    struct batch_header h;
    int64_t position;
    batch_scan_init(&scan, s->files->log->file, start, end, window, sizeof window);
    while ((err = batch_scan_next(&scan, &h, &position)) == 1)
        note_time(s, &h);
    return err;
}

// From the time index and from the batches up to position `end` that it does not cover.
static int load_times(const struct segment_env *e, struct segment *s, int64_t end)
{
    struct time_entry last = {.timestamp = -1, .offset = s->base_offset};
    int found = time_index_last(&s->files->time_index, s->base_offset, &last);
    if (found < 0)
        return found;
    s->max_timestamp = last.timestamp;
    s->max_timestamp_offset = found == 1 ? last.offset : -1;
    int err = scan_times_from(e, s, last.offset, end);
    if (err < 0)
        s->max_timestamp = SEGMENT_UNKNOWN;
    return err;
}

// True if the batch with the entry's offset has its timestamp: 1, 0, or an error.
static int time_entry_is_true(const struct segment_env *e, struct segment *s,
                              const struct time_entry *entry)
{
    struct batch_header h;
    int64_t position;
    int got = segment_find(e, s, entry->offset, &position, &h);
    if (got != 1)
        return got == ERR_IO ? got : 0;
    return h.base_offset <= entry->offset && h.max_timestamp == entry->timestamp;
}

// The last time entry of a segment that is not written to stands for all of it: it must be true, and
// no later batch may be younger.
static int load_sealed_times(const struct segment_env *e, struct segment *s)
{
    struct time_entry last;
    int found = time_index_last(&s->files->time_index, s->base_offset, &last);
    int good = found == 1 ? time_entry_is_true(e, s, &last) : found;
    if (good < 0)
        return good;
    int err = good == 1 || found == 0 ? load_times(e, s, s->size) : 0;
    if (err < 0 || (good == 1 && s->max_timestamp == last.timestamp))
        return err;
    if (found == 0 && s->max_timestamp < 0)
        return 0; // no record has a time
    if (s->files->rebuilt)
        return load_times(e, s, s->size);
    return segment__rebuild_indexes(e, s, found == 0 ? "the time index is missing or empty"
                                 : good == 0
                                     ? "the last entry of the time index does not fit the log"
                                     : "the time index ends too early");
}

int segment_load_times(const struct segment_env *e, struct segment *s)
{
    if (s->max_timestamp != SEGMENT_UNKNOWN)
        return 0;
    int err = segment_open(e, s);
    // (Opening may have rebuilt the indexes and seen every batch.)
    if (err == 0 && s->max_timestamp == SEGMENT_UNKNOWN)
        err = load_sealed_times(e, s);
    return err;
}

int segment_load_times_below(const struct segment_env *e, struct segment *s, int64_t end)
{
    return load_times(e, s, end);
}

int segment_lookup_time(const struct segment_env *e, struct segment *s, int64_t target,
                        int64_t *position)
{
    for (;;) {
        struct time_entry floor;
        *position = 0;
        int found = time_index_find(&s->files->time_index, s->base_offset, target, &floor);
        if (found != 1)
            return found;
        bool doubtful;
        int good = time_entry_is_true(e, s, &floor);
        if (good == 1)
            return segment_lookup(s, floor.offset, position, &doubtful);
        if (good < 0 || s->files->rebuilt)
            return good;
        int err = segment__rebuild_indexes(e, s, "an entry of the time index does not fit the log");
        if (err < 0)
            return err;
    }
}

int segment_load_first_timestamp(const struct segment_env *e, struct segment *s)
{
    if (s->first_timestamp != SEGMENT_UNKNOWN)
        return 0;
    int err = segment_open(e, s);
    if (err < 0 || s->size == 0)
        return err;
    uint8_t window[BATCH_HEADER_SIZE];
    struct batch_scan scan;
    struct batch_header h;
    int64_t position;
    batch_scan_init(&scan, s->files->log->file, 0, s->size, window, sizeof window);
    err = batch_scan_next(&scan, &h, &position);
    if (err == 1)
        s->first_timestamp = h.max_timestamp;
    return err < 0 ? err : 0;
}

// ---- Appending ----

bool segment_index_is_full(const struct segment *s, int64_t index_bytes_max)
{
    const struct segment_files *f = s->files;
    return f->offset_index.count >= index_bytes_max / OFFSET_ENTRY_SIZE ||
           f->time_index.count >= index_bytes_max / TIME_ENTRY_SIZE - 1;
}

int segment_write(struct segment *s, const void *data, size_t size)
{
    struct fs_file *file = s->files->log->file;
    int err = fs_file_write(file, data, size, s->size);
    if (err >= 0) {
        segment_note_checked(s, s->size, s->size + (int64_t)size);
        return 0;
    }
    // Whatever got there must go for good: recovery would take whole batches in it for appended ones.
    int64_t now = fs_file_size(file);
    if (now == s->size)
        return err;
    s->preallocated = false;
    return fs_file_truncate(file, s->size) < 0 || fs_file_sync(file) < 0 ? ERR_IO : err;
}

int segment_note_batch(const struct segment_env *e, struct segment *s, const struct batch_header *h,
                       int64_t position)
{
    struct segment_files *f = s->files;
    int64_t size = (int64_t)batch_size(h);
    if (position == 0)
        s->first_timestamp = h->max_timestamp;
    if (s->max_timestamp == SEGMENT_UNKNOWN) {
        int err = load_times(e, s, s->size);
        if (err < 0)
            return err;
    }
    note_time(s, h);
    if (f->bytes_since_index > e->index_interval_bytes) {
        offset_index_append(&f->offset_index, s->base_offset,
                            (struct offset_entry){.offset = batch_last_offset(h),
                                                  .position = position});
        int err = time_index_append_if_later(&f->time_index, s->base_offset,
                                             (struct time_entry){.timestamp = s->max_timestamp,
                                                                 .offset = s->max_timestamp_offset});
        if (err < 0)
            return err;
        f->bytes_since_index = 0;
        s->index_unsynced = true;
    }
    f->bytes_since_index += size;
    if (position + size > s->size)
        s->size = position + size;
    return 0;
}

void segment_note_recent(struct segment *s, int64_t offset, int64_t position)
{
    struct segment_files *f = s->files;
    f->recent[f->recent_next++ % SEGMENT_RECENT_MAX] =
        (struct segment_recent){.offset = offset, .position = position};
    if (f->recent_count < SEGMENT_RECENT_MAX)
        f->recent_count++;
}

void segment_note_read(struct segment *s, int64_t offset, int64_t position)
{
    struct segment_files *f = s->files;
    f->reads[f->read_next++ % SEGMENT_READS_MAX] =
        (struct segment_recent){.offset = offset, .position = position};
    if (f->read_count < SEGMENT_READS_MAX)
        f->read_count++;
}

static void forget_recent(struct segment_files *f)
{
    f->recent_count = f->recent_next = 0;
    f->read_count = f->read_next = 0;
}

int segment_prepare_txn(const struct segment_env *e, struct segment *s)
{
    if (s->files->txn_index.ref != NULL)
        return 0;
    int err = open_index(e, &s->files->txn_index, s, LOG_FILE_TXN_INDEX, TXN_ENTRY_SIZE, true);
    s->txn_checked |= err == 0 && s->files->txn_index.count == 0;
    s->has_txn_index |= err == 0;
    return err;
}

int segment_replace_txn_index(const struct segment_env *e, struct segment *s, struct bytes entries)
{
    char path[FS_PATH_MAX];
    int err = segment_open(e, s);
    if (err < 0)
        return err;
    if (!segment_path(e, s, LOG_FILE_TXN_INDEX, path))
        return ERR_LIMIT;
    err = small_file_replace(e->fs, path, entries);
    if (err < 0)
        return err;
    entry_file_close(&s->files->txn_index);
    err = open_index(e, &s->files->txn_index, s, LOG_FILE_TXN_INDEX, TXN_ENTRY_SIZE, false);
    s->has_txn_index |= err == 0;
    return err;
}

void segment_append_txn(struct segment *s, const struct txn_entry *entry)
{
    txn_index_append(&s->files->txn_index, entry);
    s->index_unsynced = true;
}

int segment_seal(const struct segment_env *e, struct segment *s)
{
    int err = segment_open(e, s);
    if (err == 0)
        err = segment_load_times(e, s);
    if (err < 0)
        return err;
    struct segment_files *f = s->files;
    if (s->max_timestamp >= 0) {
        int64_t before = f->time_index.count;
        err = time_index_append_if_later(&f->time_index, s->base_offset,
                                         (struct time_entry){.timestamp = s->max_timestamp,
                                                             .offset = s->max_timestamp_offset});
        if (f->time_index.count != before)
            s->index_unsynced = true;
    }
    if (err == 0)
        err = entry_file_flush(&f->offset_index);
    if (err == 0)
        err = entry_file_flush(&f->time_index);
    if (err == 0 && f->txn_index.ref != NULL)
        err = entry_file_flush(&f->txn_index);
    if (err == 0 && s->preallocated) {
        err = fs_file_truncate(f->log->file, s->size);
        s->synced_size = -1; // the file on disk is longer
        s->cuts++;
        if (err == 0)
            s->preallocated = false;
    }
    return err < 0 ? err : 0;
}

// ---- Looking up ----

int segment_find(const struct segment_env *e, struct segment *s, int64_t offset, int64_t *position,
                 struct batch_header *out)
{
    int err = segment_open(e, s);
    if (err < 0)
        return err;
    struct segment_files *f = s->files;
    int64_t start = -1;
    for (unsigned i = 0; i < f->recent_count; i++)
        if (f->recent[i].offset <= offset && f->recent[i].position > start)
            start = f->recent[i].position;
    for (unsigned i = 0; i < f->read_count; i++)
        if (f->reads[i].offset == offset && f->reads[i].position > start)
            start = f->reads[i].position;
    bool doubtful = false;
    if (start < 0)
        err = segment_lookup(s, offset, &start, &doubtful);
    if (err < 0)
        return err;
    uint8_t window[BATCH_SCAN_WINDOW];
    struct batch_scan scan;
    batch_scan_init(&scan, s->files->log->file, start < s->size ? start : s->size, s->size, window,
                    sizeof window);
    scan.no_wait = e->no_wait;
    while ((err = batch_scan_next(&scan, out, position)) == 1)
        if (batch_last_offset(out) >= offset)
            break;
    if (err < 0)
        *position = scan.position;
    // The log is good up to here, so it was the index that is not.
    bool index_is_bad = doubtful && err == 1 && out->base_offset <= offset && !s->files->rebuilt;
    if (index_is_bad) {
        int made = segment__rebuild_indexes(e, s, "an entry of the offset index does not fit the log");
        if (made < 0)
            return made;
    }
    return err;
}

int segment_find_behind(const struct segment_env *e, struct segment *s, int64_t from,
                        int64_t *position, struct batch_header *out)
{
    int err = segment_open(e, s);
    if (err < 0)
        return err;
    struct offset_entry at;
    int found = segment__next_true_entry(s, &s->files->offset_index, from, &at);
    if (found != 1)
        return found;
    uint8_t window[BATCH_HEADER_SIZE];
    struct batch_scan scan;
    batch_scan_init(&scan, s->files->log->file, at.position, s->size, window, sizeof window);
    return batch_scan_next(&scan, out, position);
}

int segment_find_cut(const struct segment_env *e, struct segment *s, int64_t from, int64_t limit,
                     int64_t *position, int64_t *offset_limit)
{
    int err = segment_open(e, s);
    if (err < 0)
        return err;
    *position = from;
    bool doubtful;
    struct segment_files *f = s->files;
    struct offset_entry at;
    int found = find_entry(s, offset_index_find_position, limit, &at, &doubtful);
    if (found < 0)
        return found;
    if (found == 1 && at.position > from) {
        *position = at.position;
        *offset_limit = at.offset;
    }
    for (unsigned i = 0; i < f->recent_count; i++) {
        const struct segment_recent *r = &f->recent[i];
        if (r->position > *position && r->position <= limit) {
            *position = r->position;
            *offset_limit = r->offset;
        }
    }
    return 0;
}

// ---- What was checked ----

void segment_note_checked(struct segment *s, int64_t from, int64_t to)
{
    if (from > s->checked_to || to < s->checked_from) {
        s->checked_from = from; // one range is enough: readers mostly go on where they were
        s->checked_to = to;
        return;
    }
    if (from < s->checked_from)
        s->checked_from = from;
    if (to > s->checked_to)
        s->checked_to = to;
}

// ---- Cutting and removing ----

int segment_cut(const struct segment_env *e, struct segment *s, int64_t position, int64_t end_offset)
{
    struct segment_files *f = s->files;
    int err = offset_index_truncate(&f->offset_index, s->base_offset, end_offset);
    if (err == 0)
        err = time_index_truncate(&f->time_index, s->base_offset, end_offset);
    if (err == 0 && f->txn_index.ref != NULL)
        err = txn_index_truncate(&f->txn_index, end_offset);
    if (err == 0)
        err = fs_file_truncate(f->log->file, position);
    if (err < 0)
        return err;
    s->cuts++;
    s->size = position;
    if (s->checked_to > position)
        s->checked_to = position;
    if (s->checked_from > position)
        s->checked_from = position;
    if (s->synced_size > position)
        s->synced_size = position;
    s->preallocated = false;
    s->index_unsynced = true;
    forget_recent(f);
    struct offset_entry last = {.position = 0};
    err = offset_index_last(&f->offset_index, s->base_offset, &last);
    f->bytes_since_index = position - last.position;
    if (position == 0)
        s->first_timestamp = SEGMENT_UNKNOWN;
    return err < 0 ? err : load_times(e, s, s->size);
}

int segment_truncate(const struct segment_env *e, struct segment *s, int64_t offset,
                     int64_t *end_offset)
{
    int64_t position = 0, last = s->base_offset;
    struct batch_header h;
    int found = segment_find(e, s, offset, &position, &h);
    if (found < 0)
        return found;
    if (found == 0)
        position = s->size;
    // What is left ends where the batch before `position` ends; after a gap that is below `offset`.
    uint8_t window[BATCH_SCAN_WINDOW];
    struct batch_scan scan;
    int64_t at;
    int64_t start;
    bool doubtful;
    int err = segment_lookup(s, offset - 1, &start, &doubtful);
    if (err < 0)
        return err;
    batch_scan_init(&scan, s->files->log->file, start < position ? start : 0, position, window,
                    sizeof window);
    while ((err = batch_scan_next(&scan, &h, &at)) == 1)
        last = batch_last_offset(&h) + 1;
    if (err == 0)
        err = segment_cut(e, s, position, last);
    if (err == 0)
        err = fs_file_sync(s->files->log->file);
    if (err < 0)
        return err;
    s->synced_size = s->size;
    *end_offset = last;
    return 0;
}

int segment_remove_files(const struct segment_env *e, int64_t base_offset, bool rename)
{
    // The .log goes first: without it the others mean nothing, and a later start drops them.
    enum log_file_kind kinds[] = {LOG_FILE_LOG, LOG_FILE_INDEX, LOG_FILE_TIME_INDEX,
                                  LOG_FILE_TXN_INDEX};
    int result = 0;
    for (int i = 0; i < 4; i++) {
        char path[FS_PATH_MAX], to[FS_PATH_MAX];
        if (!log_file_path(path, e->dir, base_offset, kinds[i]))
            return ERR_LIMIT;
        int err = !log_file_state_path(to, e->dir, base_offset, kinds[i], LOG_FILE_DELETED) ? ERR_LIMIT
                  : rename ? fs_rename(e->fs, path, to)
                           : fs_remove(e->fs, path);
        if (err < 0 && err != ERR_NOT_FOUND && result == 0)
            result = err;
    }
    return result;
}
