// SPDX-License-Identifier: Apache-2.0
#include "log/cleaner_swap.h"

#include <string.h>

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "log/internal.h"
#include "log/names.h"
#include "log/small_file.h"

void log_swap_begin(struct log_swap *s, struct log *log, struct segment *segment, const int64_t *bases,
                    int count)
{
    check(count > 0 && bases[0] == segment->base_offset && segment->names == SEGMENT_CLEANED);
    *s = (struct log_swap){.log = log, .segment = segment, .count = count};
    s->bases = mem_alloc_array((size_t)count, sizeof *s->bases);
    memcpy(s->bases, bases, (size_t)count * sizeof *bases);
}

void log_swap_release(struct log_swap *s)
{
    if (s->log != NULL && s->step <= 1 && s->segment != NULL)
        segment_free(&s->log->env, s->segment);
    mem_free(s->bases);
    *s = (struct log_swap){0};
}

// Gives files of the segment, with the kinds from `first` to `last`, the names that they have under
// `names`.
static int rename_files(struct log_swap *s, enum log_file_kind first, enum log_file_kind last,
                        enum segment_names names)
{
    const struct segment_env *e = &s->log->env;
    enum segment_names before = s->segment->names;
    int err = 0;
    for (int kind = (int)first; kind <= (int)last && err == 0; kind++) {
        char from[FS_PATH_MAX], to[FS_PATH_MAX];
        if (kind == LOG_FILE_TXN_INDEX && !s->segment->has_txn_index)
            continue;
        bool fits = segment_path(e, s->segment, (enum log_file_kind)kind, from);
        s->segment->names = names;
        fits &= segment_path(e, s->segment, (enum log_file_kind)kind, to);
        s->segment->names = before;
        err = fits ? fs_rename(e->fs, from, to) : ERR_LIMIT;
    }
    if (err == 0)
        s->segment->names = names;
    return err;
}

static int rename_old(struct log_swap *s)
{
    int err = 0;
    for (int i = 0; i < s->count && err == 0; i++)
        err = segment_remove_files(&s->log->env, s->bases[i], true);
    return err;
}

// From now on the log reads the new segment.
static void replace(struct log_swap *s)
{
    struct log *log = s->log;
    int first = log__segment_at(log, s->bases[0]);
    check(first + s->count < log->segment_count);
    struct segment **old = log->segments + first;
    s->segment->cuts = old[0]->cuts + 1; // whoever looks at the file by its name sees another
    s->segment->created_ms = old[s->count - 1]->created_ms;
    s->segment->jitter_ms = old[0]->jitter_ms;
    for (int i = 0; i < s->count; i++) {
        check(old[i]->base_offset == s->bases[i]);
        segment_free(&log->env, old[i]);
    }
    old[0] = s->segment;
    memmove(old + 1, old + s->count,
            (size_t)(log->segment_count - first - s->count) * sizeof(struct segment *));
    log->segment_count -= s->count - 1;
    log->compacted = true;
}

// The producer snapshots at the bases of segments that are no more, and what is `.deleted`.
static void clear_up(struct log_swap *s)
{
    struct log *log = s->log;
    for (int i = 0; i < s->count; i++) {
        char path[FS_PATH_MAX];
        bool is_used = i == 0 || s->bases[i] == log->snapshot_offset;
        if (!is_used && log_file_path(path, log->path, s->bases[i], LOG_FILE_SNAPSHOT))
            small_file_remove(log->env.fs, path); // if it stays, the next start removes it
        log__discard_files(log, s->bases[i]);
    }
}

static int take_step(struct log_swap *s)
{
    int err = 0;
    switch (s->step) {
    case 0:
        return rename_files(s, LOG_FILE_LOG, LOG_FILE_TXN_INDEX, SEGMENT_SWAP);
    case 1:
        err = rename_old(s);
        if (err == 0)
            replace(s);
        return err;
    case 2:
        return rename_files(s, LOG_FILE_LOG, LOG_FILE_LOG, SEGMENT_SWAP_INDEXES);
    case 3:
        return rename_files(s, LOG_FILE_INDEX, LOG_FILE_TXN_INDEX, SEGMENT_LIVE);
    default:
        clear_up(s);
        return 0;
    }
}

int log_swap_step(struct log_swap *s)
{
    struct log *log = s->log;
    int err = log__check(log);
    if (err < 0 || s->step == LOG_SWAP_STEPS)
        return err;
    err = take_step(s);
    log->swap_steps++;
    if (err < 0) {
        log__set_offline(log, "%s: putting a compacted segment in place stopped half way: %s; the next "
                         "start finishes it", log->path, err_text(err));
        return log__failed(log, err, "putting a compacted segment in place");
    }
    return ++s->step < LOG_SWAP_STEPS;
}

int log_swap_finish(struct log_swap *s)
{
    struct log *log = s->log;
    int got = 1;
    while (got == 1) {
        got = fs_dir_sync(log->env.fs, log->path);
        if (got < 0)
            return log__failed(log, got, "putting a compacted segment in place");
        got = log_swap_step(s);
    }
    return got;
}
