// SPDX-License-Identifier: Apache-2.0
//
// What a start finds in a log directory, and what a clean stop leaves so that the next start finds it
// sooner (dir_cache.h).
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "env/clock.h"
#include "log/dir_cache.h"
#include "log/dir_internal.h"
#include "log/dir_state.h"
#include "log/names.h"
#include "log/partition_metadata.h"
#include "log/small_file.h"

enum {
    MARKER_TEXT_MAX = 1 << 20,
    // Longer than the tick of a file system's clock: a directory that changed so shortly before it was
    // looked at may change again and look the same.
    SETTLE_MS = 50,
};

struct scanning {
    struct log_dir *dir;
    struct log_dir_scan *scan;
    int capacity;
};

static void read_topic_id(struct log_dir *dir, struct log_dir_partition *p, const char *path)
{
    struct diag diag;
    diag_clear(&diag);
    if (partition_metadata_read(dir->env->fs, path, &p->topic_id, &diag) < 0)
        trace_warn(dir->trace, LOG_AREA, "%s", diag.text);
}

// Nothing else is known of a move that was not finished.
static void look_at_future(struct log_dir *dir, struct log_dir_partition *p, const char *name)
{
    char path[FS_PATH_MAX];
    if (dir__path(dir, name, path) == 0)
        read_topic_id(dir, p, path);
}

static void add_partition(struct scanning *s, const char *name, const struct log_dir_name *parsed)
{
    struct log_dir_scan *scan = s->scan;
    if (str_is(parsed->topic, METADATA_TOPIC)) {
        scan->has_metadata_log = true;
        return;
    }
    mem_grow(scan->partitions, scan->count, s->capacity);
    struct log_dir_partition *p = &scan->partitions[scan->count++];
    *p = (struct log_dir_partition){
        .topic = mem_copy_str(parsed->topic),
        .partition = parsed->partition,
        .future = parsed->kind == LOG_DIR_FUTURE,
        .recovery_point = -1,
        .log_start_offset = -1,
        .high_watermark = -1,
        .cleaner_offset = -1,
    };
    if (p->future)
        look_at_future(s->dir, p, name);
}

static int scan_entry(void *context, const char *name, enum fs_kind kind)
{
    struct scanning *s = context;
    struct log_dir_name parsed;
    char path[FS_PATH_MAX];
    if (kind != FS_KIND_DIR || !log_dir_name_parse(name, &parsed))
        return 0;
    if (parsed.kind == LOG_DIR_LIVE || parsed.kind == LOG_DIR_FUTURE)
        add_partition(s, name, &parsed);
    else if (parsed.kind == LOG_DIR_DELETE && dir__path(s->dir, name, path) == 0)
        log_dir__discard(s->dir, path, true, 0);
    else if (parsed.kind == LOG_DIR_STRAY)
        trace_info(s->dir->trace, LOG_AREA, "%s/%s belongs to nobody and is left alone", s->dir->path,
                   name);
    return 0;
}

// ---- Each partition's directory ----

// `cached` may be true of it; NULL: nothing is known.
static void look_at(struct log_dir *dir, struct log_dir_partition *p, const struct cached_dir *cached)
{
    char path[FS_PATH_MAX];
    struct fs_stat stat;
    int size = snprintf(path, sizeof path, "%s/%s-%" PRId32, dir->path, p->topic, p->partition);
    if (size < 0 || size >= FS_PATH_MAX)
        return;
    int err = fs_stat(dir->env->fs, path, &stat);
    if (err < 0 || stat.volume != dir->volume_id)
        dir->can_sync_all = false;
    if (err == 0 && cached != NULL && stat.volume == dir->volume_id &&
        dir_stamp_equal(dir_stamp_of(&stat), cached->stamp)) {
        p->cached = cached;
        p->topic_id = cached->topic_id;
    } else {
        read_topic_id(dir, p, path);
    }
}

// Both are in the same order.
static void look_at_all(struct log_dir *dir, struct log_dir_scan *scan)
{
    const struct dir_cache *cache = scan->cache;
    for (int i = 0, at = 0; i < scan->count; i++) {
        struct log_dir_partition *p = &scan->partitions[i];
        int order = -1;
        if (p->future)
            continue;
        for (; at < cache->dir_count && order < 0; at += order < 0) {
            const struct cached_dir *c = &cache->dirs[at];
            order = str_compare(c->topic, str_from(p->topic));
            if (order == 0)
                order = (c->partition > p->partition) - (c->partition < p->partition);
        }
        look_at(dir, p, order == 0 ? &cache->dirs[at] : NULL);
    }
}

static void read_cache(struct log_dir *dir, struct log_dir_scan *scan)
{
    char path[FS_PATH_MAX];
    struct diag diag;
    diag_clear(&diag);
    if (!scan->clean || dir__path(dir, DIR_CACHE_FILE, path) < 0)
        return;
    if (dir_cache_read(scan->cache, dir->env->fs, path, &diag) < 0)
        trace_warn(dir->trace, LOG_AREA, "%s is damaged: %s. Nothing is lost: the directories of "
                   "partitions are listed instead", path, diag.text);
}

// ---- The marker and the checkpoints ----

// The clean-stop marker must be gone before anything in the directory changes.
static int take_marker(struct log_dir *dir, struct log_dir_scan *scan)
{
    char path[FS_PATH_MAX];
    struct buf text;
    buf_init(&text, MARKER_TEXT_MAX);
    int err = dir__path(dir, CLEAN_MARKER, path);
    if (err == 0)
        err = small_file_read(dir->env->fs, path, &text);
    if (err == 0) {
        struct str s = buf_str(&text), key = str_from("\"brokerEpoch\":");
        scan->clean = true;
        // One flat JSON object of two numbers; what does not look like it has no epoch.
        for (size_t i = 0; i + key.size < s.size; i++) {
            if (memcmp(s.data + i, key.data, key.size) != 0)
                continue;
            struct str rest = str_of(s.data + i + key.size, s.size - i - key.size);
            str_parse_i64(str_trim(str_cut(&rest, '}')), &scan->broker_epoch);
        }
        err = fs_remove(dir->env->fs, path);
    }
    buf_release(&text);
    // Without a marker, the names of the checkpoints may be in the page cache alone: what a recovery does
    // on the word of one must not meet the one before it after another crash.
    return err == 0 || err == ERR_NOT_FOUND ? fs_dir_sync(dir->env->fs, dir->path) : err;
}

static int compare_partitions(const void *a, const void *b)
{
    const struct log_dir_partition *x = a, *y = b;
    int order = strcmp(x->topic, y->topic);
    if (order == 0)
        order = (x->partition > y->partition) - (x->partition < y->partition);
    return order != 0 ? order : (int)x->future - (int)y->future;
}

// Entries without a partition; both are sorted.
static void note_former(struct log_dir *dir, const struct checkpoint *c,
                        const struct log_dir_scan *scan, bool said)
{
    for (int i = 0, at = 0; i < c->count; i++) {
        const struct checkpoint_entry *e = &c->entries[i];
        int order = -1;
        for (; at < scan->count; at++) {
            const struct log_dir_partition *p = &scan->partitions[at];
            order = str_compare(str_from(p->topic), e->topic);
            if (order == 0)
                order = (p->partition > e->partition) - (p->partition < e->partition);
            if (order >= 0)
                break;
        }
        if (order != 0 && said && e->offset > 0)
            trace_error(dir->trace, LOG_AREA,
                        "%s/%.*s-%" PRId32 " is gone: it ended at offset %" PRId64 " when %s was closed. "
                        "Put it back before records are written to it again",
                        dir->path, STR_ARG(e->topic), e->partition, e->offset, dir->path);
        if (order != 0)
            dir__former_add(dir, (struct partition_key){e->topic, e->partition});
    }
}

// Fills one offset of every partition from a checkpoint. A damaged checkpoint is said and treated as
// missing: then more is read than necessary, nothing is lost.
static int read_checkpoint(struct log_dir *dir, const char *name, struct log_dir_scan *scan,
                           size_t member)
{
    char path[FS_PATH_MAX];
    struct checkpoint c;
    struct diag diag;
    struct fs_stat stat;
    checkpoint_init(&c);
    diag_clear(&diag);
    int err = dir__path(dir, name, path);
    if (err == 0)
        err = checkpoint_read(&c, dir->env->fs, path, &diag);
    bool start_offsets = strcmp(name, CHECKPOINT_START_OFFSETS) == 0;
    const char *lost = start_offsets ? "where logs start is taken from their epochs and segments: records "
                                       "that were deleted may come back"
                                     : "logs are read to find what it said";
    bool missing = err == 0 && c.text.size == 0 && scan->clean && scan->count > 0 &&
                   strcmp(name, CHECKPOINT_CLEANER) != 0;
    if (err == ERR_CORRUPT)
        trace_error(dir->trace, LOG_AREA, "%s; going on without it: %s", diag.text, lost);
    else if (missing)
        trace_error(dir->trace, LOG_AREA, "%s is %s though %s was closed cleanly: %s", path,
                    fs_stat(dir->env->fs, path, &stat) == 0 ? "empty" : "missing", dir->path, lost);
    if (strcmp(name, CHECKPOINT_CLEANER) == 0)
        dir->has_cleaned = c.text.size > 0;
    if (start_offsets)
        scan->start_unknown = err == ERR_CORRUPT || missing;
    if (err == ERR_CORRUPT)
        err = 0;
    if (err == 0)
        note_former(dir, &c, scan, scan->clean && strcmp(name, CHECKPOINT_RECOVERY_POINTS) == 0);
    for (int i = 0; i < scan->count && err == 0; i++) {
        struct log_dir_partition *p = &scan->partitions[i];
        if (p->future)
            continue;
        int64_t offset = checkpoint_find(&c, str_from(p->topic), p->partition);
        memcpy((char *)p + member, &offset, sizeof offset);
    }
    checkpoint_release(&c);
    return err;
}

bool log_dir_has_clean_mark(const struct log_dir *dir)
{
    char path[FS_PATH_MAX];
    struct fs_stat stat;
    return dir__path(dir, CLEAN_MARKER, path) == 0 && fs_stat(dir->env->fs, path, &stat) == 0;
}

int log_dir_scan(struct log_dir *dir, struct log_dir_scan *out, struct diag *diag)
{
    struct log_dir_scan scan = {.broker_epoch = -1, .cache = mem_new(struct dir_cache)};
    dir_cache_init(scan.cache);
    struct scanning context = {.dir = dir, .scan = &scan};
    int err = take_marker(dir, &scan);
    if (err == 0)
        err = fs_list(dir->env->fs, dir->path, scan_entry, &context);
    if (err == 0 && scan.count > 1)
        qsort(scan.partitions, (size_t)scan.count, sizeof *scan.partitions, compare_partitions);
    if (err == 0) {
        read_cache(dir, &scan);
        look_at_all(dir, &scan);
    }
    if (err == 0)
        err = read_checkpoint(dir, CHECKPOINT_RECOVERY_POINTS, &scan,
                              offsetof(struct log_dir_partition, recovery_point));
    if (err == 0)
        err = read_checkpoint(dir, CHECKPOINT_START_OFFSETS, &scan,
                              offsetof(struct log_dir_partition, log_start_offset));
    if (err == 0)
        err = read_checkpoint(dir, CHECKPOINT_HIGH_WATERMARKS, &scan,
                              offsetof(struct log_dir_partition, high_watermark));
    if (err == 0)
        err = read_checkpoint(dir, CHECKPOINT_CLEANER, &scan,
                              offsetof(struct log_dir_partition, cleaner_offset));
    bool synced = !scan.clean && dir__syncs_whole(dir, scan.count);
    if (err == 0 && synced)
        err = fs_file_sync_all(dir->volume->file);
    if (err < 0) {
        log_dir_scan_release(&scan);
        return diag_set(diag, err, "%s: %s", dir->path, err_text(err));
    }
    dir__set_unclaimed(dir, &scan);
    scan.synced = synced;
    *out = scan;
    return 0;
}

void log_dir_scan_release(struct log_dir_scan *scan)
{
    for (int i = 0; i < scan->count; i++)
        mem_free(scan->partitions[i].topic);
    mem_free(scan->partitions);
    if (scan->cache != NULL)
        dir_cache_release(scan->cache);
    mem_free(scan->cache);
    *scan = (struct log_dir_scan){0};
}

// ---- What a clean stop leaves ----

struct noting {
    struct log_dir *dir;
    struct log **logs;
    int count;
    struct buf text;
};

static void add_logs(struct noting *n, struct log_dir *part)
{
    list_for_each(node, next, &part->logs) {
        struct log *log = container_of(node, struct log, home_node);
        if (!log->offline && !log->planned && log_dir__has_entries(log))
            n->logs[n->count++] = log;
    }
}

static int compare_logs(const void *a, const void *b)
{
    const struct log *x = *(struct log *const *)a, *y = *(struct log *const *)b;
    int order = strcmp(x->topic, y->topic);
    return order != 0 ? order : (x->partition > y->partition) - (x->partition < y->partition);
}

static void note_log(struct noting *n, const struct log *log, int64_t now_ms)
{
    struct cached_dir entry = {
        .topic = log_topic(log), .partition = log->partition, .topic_id = log->topic_id};
    struct fs_stat stat;
    if (fs_stat(n->dir->env->fs, log->path, &stat) < 0 || stat.volume != n->dir->volume_id ||
        stat.changed_ns <= 0 || stat.changed_ns / 1000000 > now_ms - SETTLE_MS)
        return;
    entry.stamp = dir_stamp_of(&stat);
    struct cached_segment *segments = NULL;
    if (log__list_for_cache(log, entry.stamp, &segments, &entry.segment_count) == 0 &&
        entry.segment_count > 0 && !uuid_is_zero(entry.topic_id)) {
        entry.segments = segments;
        dir_cache_format_entry(&n->text, &entry);
    }
    mem_free(segments);
}

void dir__write_cache(struct log_dir *dir)
{
    char path[FS_PATH_MAX];
    struct noting n = {.dir = dir};
    int count = dir->log_count;
    for (int i = 0; i < dir->link_count; i++)
        count += dir->links[i]->part->log_count;
    if (!dir->can_sync_all || count < dir->cached_dirs_min ||
        dir__path(dir, DIR_CACHE_FILE, path) < 0)
        return;
    n.logs = mem_alloc_array((size_t)count + 1, sizeof(struct log *));
    add_logs(&n, dir);
    for (int i = 0; i < dir->link_count; i++)
        add_logs(&n, dir->links[i]->part);
    qsort(n.logs, (size_t)n.count, sizeof(struct log *), compare_logs);
    buf_init(&n.text, DIR_CACHE_TEXT_MAX);
    dir_cache_format_begin(&n.text);
    int64_t now_ms = env_wall_ms(dir->env->clock);
    for (int i = 0; i < n.count; i++)
        note_log(&n, n.logs[i], now_ms);
    dir_cache_format_end(&n.text);
    // If it cannot be written, the one before is as true as ever.
    if (!n.text.failed)
        small_file_replace(dir->env->fs, path, buf_bytes(&n.text));
    buf_release(&n.text);
    mem_free(n.logs);
}
