// SPDX-License-Identifier: Apache-2.0
//
// Reading from the device on a worker, so that the shard finds in memory what it looks at: the device is
// asked for small pieces one after another, in turn with syncs. An answer to a fetch of cold data takes
// one such trip. When nobody else wants the device, what follows is asked for as well, without waiting
// for it: the next fetch most likely goes on there.
//
// Bytes are not copied: a page that is only waited for does not count as used, so what is sent once does
// not push out what is sent again and again.
#include "base/list.h"
#include "base/mem.h"
#include "env/fs.h"
#include "env/work.h"
#include "log/batch_scan.h"
#include "log/index.h"
#include "log/internal.h"
#include "log/names.h"

enum {
    PIECE_BYTES = 128 * 1024, // fs_file_prefetch() takes no more
    WAIT_STEP_BYTES = 32 * 1024,
    AHEAD_BYTES = 4 << 20,
};

static void ask_for(struct fs_file *file, int64_t from, int64_t end)
{
    for (; from < end; from += PIECE_BYTES)
        fs_file_prefetch(file, from, (size_t)(end - from < PIECE_BYTES ? end - from : PIECE_BYTES));
}

static bool wait_for(struct fs_file *file, int64_t position)
{
    uint8_t byte;
    return fs_file_read(file, &byte, 1, position) == 1;
}

// Brings the range; *calm is what the last turn said. False where the file ends or cannot be read.
static bool bring(struct fs_file *file, int64_t from, int64_t end, struct env_workers *workers,
                  bool *calm)
{
    while (from < end) {
        int turn_bytes = env_work_turn(workers);
        int64_t turn_end = end - from < turn_bytes ? end : from + turn_bytes;
        *calm = turn_bytes == ENV_WORK_TURN_MAX;
        ask_for(file, from, turn_end);
        for (; from < turn_end; from += WAIT_STEP_BYTES)
            if (!wait_for(file, from))
                return false;
        from = turn_end;
        if (!wait_for(file, turn_end - 1))
            return false;
    }
    return true;
}

// The range and, when nobody minds, what comes after it.
static void bring_range(struct fs_file *file, int64_t from, int64_t end, int64_t file_size,
                        struct env_workers *workers)
{
    bool calm = false;
    if (bring(file, from, end < file_size ? end : file_size, workers, &calm) && calm)
        ask_for(file, end, file_size - end < AHEAD_BYTES ? file_size : end + AHEAD_BYTES);
}

bool log_slice_is_cached(const struct log_slice *slice)
{
    return slice->size == 0 || fs_file_is_cached(slice->ref->file, slice->position, slice->size);
}

void log_slice_warm(const struct log_slice *slice, struct env_workers *workers)
{
    bring_range(slice->ref->file, slice->position, slice->position + (int64_t)slice->size,
                slice->segment_size, workers);
}

void log_warm_begin(struct log *log, int64_t offset, size_t bytes, struct env_workers *workers,
                    struct log_warm *out)
{
    const struct segment *s = log->segments[log__segment_at(log, offset)];
    *out = (struct log_warm){
        .fs = log->env.fs,
        .workers = workers,
        .path = mem_copy_text(log->path),
        .base_offset = s->base_offset,
        .segment_size = s->size,
        .offset = offset,
        .bytes = bytes,
    };
}

void log_warm_end(struct log_warm *warm)
{
    mem_free(warm->path);
    warm->path = NULL;
}

// Where the batch with the offset is or comes later, by the offset index. Looks at the index's end, too,
// as whoever opens it does.
static int64_t look_up(const struct log_warm *w, struct fs_file *log_file)
{
    char path[FS_PATH_MAX];
    struct entry_file index;
    struct offset_entry at, last;
    uint8_t header[BATCH_HEADER_SIZE];
    if (!log_file_path(path, w->path, w->base_offset, LOG_FILE_INDEX) ||
        entry_file_open(&index, w->fs, path, OFFSET_ENTRY_SIZE, false) < 0)
        return 0;
    int found = offset_index_find(&index, w->base_offset, w->offset, &at);
    if (offset_index_last(&index, w->base_offset, &last) == 1)
        fs_file_read(log_file, header, sizeof header, last.position);
    entry_file_close(&index);
    return found == 1 && at.position > 0 && at.position < w->segment_size ? at.position : 0;
}

// The first batch that reaches the offset, or the segment's end.
static int64_t find_start(const struct log_warm *w, struct fs_file *log_file)
{
    uint8_t window[BATCH_SCAN_WINDOW];
    struct batch_scan scan;
    struct batch_header h;
    int64_t position;
    batch_scan_init(&scan, log_file, look_up(w, log_file), w->segment_size, window, sizeof window);
    while (batch_scan_next(&scan, &h, &position) == 1)
        if (batch_last_offset(&h) >= w->offset)
            return position;
    return w->segment_size;
}

// Opens and reads the end of an index, as whoever opens the segment does.
static void look_at_index(const struct log_warm *w, enum log_file_kind kind, int32_t entry_size)
{
    char path[FS_PATH_MAX];
    struct entry_file index;
    if (log_file_path(path, w->path, w->base_offset, kind) &&
        entry_file_open(&index, w->fs, path, entry_size, false) == 0)
        entry_file_close(&index);
}

void log_warm_run(struct log_warm *w)
{
    char path[FS_PATH_MAX];
    struct fs_file *file;
    if (!log_file_path(path, w->path, w->base_offset, LOG_FILE_LOG) ||
        fs_open(w->fs, path, FS_READ, &file) < 0)
        return;
    env_work_turn(w->workers);
    look_at_index(w, LOG_FILE_TIME_INDEX, TIME_ENTRY_SIZE);
    look_at_index(w, LOG_FILE_TXN_INDEX, TXN_ENTRY_SIZE);
    int64_t from = find_start(w, file);
    // What the range's end is found by lies a batch behind it at most, and its header is enough.
    int64_t bytes = w->bytes < PIECE_BYTES ? PIECE_BYTES : (int64_t)w->bytes;
    int64_t left = w->segment_size - from;
    bring_range(file, from, from + (left < bytes ? left : bytes), w->segment_size, w->workers);
    fs_file_close(file);
}
