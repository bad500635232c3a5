// SPDX-License-Identifier: Apache-2.0
//
// One partition: its segments from first to last, and what the files beside them say of the batches.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "log/dir_state.h"
#include "log/names.h"
#include "log/partition_metadata.h"
#include "log/segment_check.h"
#include "log/small_file.h"
#include "log/verify_internal.h"

enum {
    STEP_BYTES = 8 << 20,
    INDEX_INTERVAL_MAX = 64 << 10, // index.interval.bytes is not known here: far above the usual one
};

static const char remedy_log[] =
    "restore the file from a copy; a broker serves what lies around it and answers CORRUPT_MESSAGE there";
static const char remedy_index[] = "a broker makes it again from the log when it needs it";
static const char remedy_snapshot[] = "a broker reads the batches again instead";

struct partition_check {
    struct verify *v;
    const char *path;
    const struct log_dir_name *name;
    struct log_file_name *files; // sorted by offset, then kind
    int count;
    int capacity;
    bool metadata_log;
    bool closed;             // cleanly
    bool may_have_gaps;
    int64_t recovery_point;  // -1 unknown
    int64_t start_offset;    // of the checkpoint; -1
    struct producer_state producers;
    bool producers_known;
    struct epoch_cache epochs;  // by the batches
    struct epoch_cache claimed; // by leader-epoch-checkpoint
    bool has_claimed;
    int64_t end_offset;
    int64_t segment_base;       // being checked
};

// ---- Files ----

static int list_file(void *context, const char *name, enum fs_kind kind)
{
    struct partition_check *p = context;
    struct log_file_name file;
    if (kind == FS_KIND_DIR || !log_file_name_parse(name, &file) || file.state != LOG_FILE_LIVE)
        return 0;
    mem_grow(p->files, p->count, p->capacity);
    p->files[p->count++] = file;
    return 0;
}

static int compare_files(const void *a, const void *b)
{
    const struct log_file_name *x = a, *y = b;
    return x->offset != y->offset ? (x->offset > y->offset) - (x->offset < y->offset)
                                  : (int)x->kind - (int)y->kind;
}

static bool has_file(const struct partition_check *p, int64_t offset, enum log_file_kind kind)
{
    for (int i = 0; i < p->count; i++)
        if (p->files[i].offset == offset && p->files[i].kind == kind)
            return true;
    return false;
}

static int check_partition_metadata(struct partition_check *p, const char *name)
{
    struct verify *v = p->v;
    char path[FS_PATH_MAX];
    struct diag diag;
    struct verify_partition view = {.name = name, .topic = p->name->topic,
                                    .partition = p->name->partition};
    diag_clear(&diag);
    if (!path_join(path, p->path, PARTITION_METADATA_FILE))
        return ERR_LIMIT;
    int err = partition_metadata_read(v->args->fs, p->path, &view.topic_id, &diag);
    view.has_topic_id = err == 0;
    if (err == ERR_NOT_FOUND && !p->metadata_log)
        verify__report(v, VERIFY_REPAIR, path, -1, "the file is missing",
                       "a broker takes the topic of that name; Apache Kafka sets the partition aside as "
                       "-stray and serves an empty one");
    else if (err == ERR_CORRUPT || err == ERR_UNSUPPORTED)
        verify__report(v, VERIFY_REPAIR, path, -1, "it is not \"version: 0\" and \"topic_id: ID\"",
                       "a broker takes the topic of that name");
    else if (err < 0 && err != ERR_NOT_FOUND)
        return err;
    if (v->args->partition != NULL)
        v->args->partition(v->args->context, &view);
    return 0;
}

static int read_epochs(struct partition_check *p)
{
    char path[FS_PATH_MAX];
    struct buf text;
    struct diag diag;
    diag_clear(&diag);
    if (!path_join(path, p->path, "leader-epoch-checkpoint"))
        return ERR_LIMIT;
    buf_init(&text, EPOCH_CACHE_TEXT_MAX);
    int err = small_file_read(p->v->args->fs, path, &text);
    if (err == 0)
        err = epoch_cache_parse(&p->claimed, buf_str(&text), &diag);
    p->has_claimed = err == 0 && text.size > 0;
    buf_release(&text);
    if (err == ERR_CORRUPT)
        verify__report(p->v, VERIFY_REPAIR, path, -1, diag.text, "a broker reads the batches instead");
    return err == ERR_CORRUPT || err == ERR_NOT_FOUND ? 0 : err;
}

// ---- Segments ----

static void segment_found(void *context, const struct segment_finding *f)
{
    static const enum log_file_kind kinds[] = {
        [SEGMENT_PART_LOG] = LOG_FILE_LOG,
        [SEGMENT_PART_INDEX] = LOG_FILE_INDEX,
        [SEGMENT_PART_TIME_INDEX] = LOG_FILE_TIME_INDEX,
        [SEGMENT_PART_TXN_INDEX] = LOG_FILE_TXN_INDEX,
    };
    struct partition_check *p = context;
    char path[FS_PATH_MAX];
    if (!log_file_path(path, p->path, p->segment_base, kinds[f->part]))
        return;
    bool log = f->part == SEGMENT_PART_LOG;
    verify__report_range(p->v, log ? VERIFY_DAMAGE : VERIFY_REPAIR, path, f->position, f->offset,
                         f->end_offset, f->what, log ? remedy_log : remedy_index);
}

// Whether what a snapshot says of a producer fits what the batches say.
static bool entry_is_true(const struct partition_check *p, const struct snapshot_entry *e,
                          const struct producer *known)
{
    const struct producer_batch *last =
        known->batch_count > 0 ? &known->batches[known->batch_count - 1] : NULL;
    bool same_sequence = last == NULL || last->last_sequence == e->last_sequence;
    bool same_offset = last == NULL || last->last_offset == e->last_offset;
    // Compaction may have taken later batches, and all of a transaction.
    if (p->may_have_gaps)
        return known->epoch <= e->producer_epoch &&
               (last == NULL || last->last_offset <= e->last_offset) && (!same_offset || same_sequence);
    return known->epoch == e->producer_epoch && known->txn_first_offset == e->txn_first_offset &&
           same_sequence && same_offset;
}

// What a snapshot says of producers that the batches speak of.
static bool snapshot_is_true(const struct partition_check *p, struct bytes bytes, int32_t count,
                             int64_t offset)
{
    for (int32_t i = 0; i < count; i++) {
        struct snapshot_entry e;
        snapshot_entry_decode(bytes, i, &e);
        const struct producer *known = producer_find(&p->producers, e.producer_id);
        if (e.last_offset >= offset)
            return false;
        if (known != NULL && !entry_is_true(p, &e, known))
            return false;
    }
    return true;
}

// Checks the snapshot at `offset`, if there is one, against what is known of the producers there; with
// `load` it becomes what is known.
static int check_snapshot(struct partition_check *p, int64_t offset, bool compare, bool load)
{
    char path[FS_PATH_MAX];
    struct buf bytes;
    int32_t count = 0;
    if (!has_file(p, offset, LOG_FILE_SNAPSHOT))
        return 0;
    if (!log_file_path(path, p->path, offset, LOG_FILE_SNAPSHOT))
        return ERR_LIMIT;
    buf_init(&bytes, SNAPSHOT_SIZE_MAX);
    int err = small_file_read(p->v->args->fs, path, &bytes);
    if (err == 0 && snapshot_check(buf_bytes(&bytes), &count) < 0)
        verify__report(p->v, VERIFY_REPAIR, path, -1, "it is cut or its CRC is wrong", remedy_snapshot);
    else if (err == 0 && compare && !snapshot_is_true(p, buf_bytes(&bytes), count, offset))
        verify__report(p->v, VERIFY_REPAIR, path, -1, "it differs from what the batches say",
                       "remove the file: a broker then reads the batches again");
    else if (err == 0 && load)
        p->producers_known = producer_state_load(&p->producers, buf_bytes(&bytes), 0, INT64_MAX) == 0;
    buf_release(&bytes);
    return err == ERR_NOT_FOUND || err == ERR_LIMIT ? 0 : err;
}

static void report_torn(struct partition_check *p, const struct segment_check *c)
{
    char path[FS_PATH_MAX];
    if (c->torn_at < 0 || !log_file_path(path, p->path, c->base_offset, LOG_FILE_LOG))
        return;
    if (c->next_offset < p->recovery_point)
        verify__report_range(p->v, VERIFY_DAMAGE, path, c->torn_at, c->next_offset, p->recovery_point,
                             "no batch can be read here, below the recovery point", remedy_log);
    else
        verify__report_range(p->v, VERIFY_NOTE, path, c->torn_at, c->next_offset, -1,
                             "the end is torn or preallocated", "the next start cuts it");
}

static int run_segment(struct partition_check *p, struct segment_check *c)
{
    struct verify *v = p->v;
    int64_t before = v->result->bytes;
    int err = segment_check_begin(c);
    bool more = err >= 0;
    while (more) {
        err = segment_check_step(c, STEP_BYTES);
        v->result->bytes = before + c->scan.position;
        more = err > 0;
        if (err >= 0 && v->args->progress != NULL) {
            int stop = v->args->progress(v->args->context, p->path, v->result->bytes, v->total_bytes);
            err = stop != 0 ? stop : err;
            more = more && stop == 0;
        }
    }
    if (err == 0) {
        v->result->segments++;
        v->result->batches += c->batches;
        report_torn(p, c);
    }
    segment_check_release(c);
    return err;
}

// `next_base` is that of the segment behind it; -1: none.
static int check_segment(struct partition_check *p, int64_t base, int64_t next_base, bool first)
{
    if (!p->producers_known) {
        int err = check_snapshot(p, base, false, true);
        if (err < 0)
            return err;
    } else if (!first) {
        // Where compaction took batches, it is what is known.
        int err = check_snapshot(p, base, true, p->may_have_gaps);
        if (err < 0)
            return err;
    }
    struct segment_check c = {
        .fs = p->v->args->fs, .dir = p->path, .base_offset = base, .size = -1,
        .end_offset = next_base, .active = next_base < 0 && !p->closed,
        .may_have_gaps = p->may_have_gaps, .index_interval_bytes = INDEX_INTERVAL_MAX,
        .times_open = next_base < 0 && p->metadata_log, // Apache Kafka leaves it so at a clean stop
        .producers = p->producers_known ? &p->producers : NULL, .epochs = &p->epochs,
        .found = segment_found, .context = p,
    };
    p->segment_base = base;
    int err = run_segment(p, &c);
    if (err < 0)
        return err;
    p->end_offset = c.next_offset;
    char path[FS_PATH_MAX];
    if (next_base > c.next_offset && !p->may_have_gaps && !c.unreadable &&
        log_file_path(path, p->path, base, LOG_FILE_LOG))
        verify__report_range(p->v, VERIFY_DAMAGE, path, c.size, c.next_offset, next_base,
                             "the next segment does not begin where this one ends: batches or a segment "
                             "are missing", remedy_log);
    return 0;
}

// The next .log behind number `at` in the list, or -1.
static int next_log(const struct partition_check *p, int at)
{
    for (int i = at + 1; i < p->count; i++)
        if (p->files[i].kind == LOG_FILE_LOG)
            return i;
    return -1;
}

static int check_segments(struct partition_check *p)
{
    bool first = true;
    for (int i = next_log(p, -1), next; i >= 0; i = next) {
        next = next_log(p, i);
        // What came before the first segment is known from its snapshot alone, unless nothing did.
        if (first)
            p->producers_known = p->files[i].offset == 0;
        int err = check_segment(p, p->files[i].offset, next >= 0 ? p->files[next].offset : -1, first);
        if (err < 0)
            return err;
        first = false;
    }
    char end_path[FS_PATH_MAX];
    if (p->closed && !p->metadata_log && p->end_offset > p->files[next_log(p, -1)].offset &&
        !has_file(p, p->end_offset, LOG_FILE_SNAPSHOT) &&
        log_file_path(end_path, p->path, p->end_offset, LOG_FILE_SNAPSHOT))
        verify__report(p->v, VERIFY_REPAIR, end_path, -1, "the file is missing", remedy_snapshot);
    // Indexes whose .log is gone, and snapshots at other places.
    for (int i = 0; i < p->count; i++) {
        const struct log_file_name *f = &p->files[i];
        char path[FS_PATH_MAX];
        if (!log_file_path(path, p->path, f->offset, f->kind))
            return ERR_LIMIT;
        bool orphan = f->kind != LOG_FILE_SNAPSHOT && f->kind != LOG_FILE_LOG &&
                      !has_file(p, f->offset, LOG_FILE_LOG);
        if (orphan && f->offset >= p->start_offset)
            verify__report(p->v, p->closed ? VERIFY_DAMAGE : VERIFY_NOTE, path, -1,
                           "the .log of this index is missing", remedy_log);
        if (f->kind == LOG_FILE_SNAPSHOT && !has_file(p, f->offset, LOG_FILE_LOG)) {
            int err = check_snapshot(p, f->offset, p->producers_known && f->offset == p->end_offset, false);
            if (err < 0)
                return err;
        }
    }
    return 0;
}

// ---- What the whole adds up to ----

static void check_epochs(struct partition_check *p, int64_t first_base)
{
    static const char remedy[] = "a broker reads the batches instead when it is removed";
    char path[FS_PATH_MAX];
    if (!path_join(path, p->path, "leader-epoch-checkpoint"))
        return;
    if (!p->has_claimed) {
        struct fs_stat stat;
        if (p->epochs.count > 0 && p->closed &&
            (fs_stat(p->v->args->fs, path, &stat) < 0 || stat.size == 0))
            verify__report(p->v, VERIFY_REPAIR, path, -1, "the file is missing or empty",
                           "a broker reads the batches instead");
        return;
    }
    // Batches below the log start are told by nobody any more.
    int64_t start = p->start_offset > first_base ? p->start_offset : first_base;
    for (int i = 0; i < p->epochs.count; i++) {
        const struct epoch_entry *e = &p->epochs.entries[i];
        int64_t offset = e->start_offset > start ? e->start_offset : start;
        bool gone = i + 1 < p->epochs.count && p->epochs.entries[i + 1].start_offset <= start;
        if (!gone && offset < p->end_offset && !p->metadata_log && p->closed &&
            epoch_cache_at(&p->claimed, offset) != e->epoch) {
            verify__report_range(p->v, VERIFY_REPAIR, path, -1, offset, -1,
                                 "a batch has another leader epoch than this says", remedy);
            return;
        }
    }
}

static void check_start(struct partition_check *p, int64_t first_base)
{
    char path[FS_PATH_MAX];
    static const char lost[] = "the first segment is missing, or its records were deleted and this was "
                               "not kept: restore the files, or raise the start";
    if (!p->closed || p->metadata_log)
        return;
    if (p->start_offset >= 0 && p->start_offset < first_base)
        verify__report_range(p->v, VERIFY_DAMAGE, p->path, -1, p->start_offset, first_base,
                             "the log starts below its first segment", lost);
    else if (p->has_claimed && p->claimed.count > 0 && p->claimed.entries[0].start_offset < first_base)
        verify__report_range(p->v, VERIFY_DAMAGE, p->path, -1, p->claimed.entries[0].start_offset,
                             first_base, "leader epochs start below the first segment", lost);
    int64_t start = p->start_offset > first_base ? p->start_offset : first_base;
    if (p->has_claimed && p->claimed.count > 0 && p->claimed.entries[0].start_offset != start &&
        p->claimed.entries[0].start_offset >= first_base && path_join(path, p->v->args->dir,
                                                                      CHECKPOINT_START_OFFSETS))
        verify__report_range(p->v, VERIFY_DAMAGE, path, -1, start, p->claimed.entries[0].start_offset,
                             "the log start offset differs from where leader epochs start",
                             "one of the files is damaged: deleted records may come back, or records "
                             "be hidden. Correct the line of this partition");
}

static void check_end(struct partition_check *p)
{
    char path[FS_PATH_MAX];
    if (!p->closed || p->metadata_log || !p->v->has_recovery_points ||
        !path_join(path, p->v->args->dir, CHECKPOINT_RECOVERY_POINTS))
        return;
    if (p->recovery_point < 0)
        verify__report(p->v, VERIFY_DAMAGE, path, -1, "a partition has no entry",
                       "its log is read as a whole at the next start, and a missing end is not noticed");
    else if (p->recovery_point != p->end_offset)
        verify__report_range(p->v, VERIFY_DAMAGE, p->path, -1, p->end_offset, p->recovery_point,
                             "the log does not end at the recovery point of a clean stop",
                             p->end_offset < p->recovery_point
                                 ? "batches at its end are missing: restore the last segment"
                                 : "recovery-point-offset-checkpoint is damaged, or from another time");
}

int verify__partition(struct verify *v, const char *path, const char *name,
                      const struct log_dir_name *parsed)
{
    bool metadata_log = str_is(parsed->topic, METADATA_TOPIC);
    struct partition_check p = {
        .v = v, .path = path, .name = parsed, .metadata_log = metadata_log,
        .closed = v->result->clean,
        .recovery_point = checkpoint_find(&v->recovery_points, parsed->topic, parsed->partition),
        .start_offset = checkpoint_find(&v->start_offsets, parsed->topic, parsed->partition),
        .may_have_gaps = checkpoint_find(&v->cleaner, parsed->topic, parsed->partition) >= 0,
    };
    epoch_cache_init(&p.epochs);
    epoch_cache_init(&p.claimed);
    producer_state_init(&p.producers);
    v->result->partitions++;
    int err = check_partition_metadata(&p, name);
    if (err == 0)
        err = fs_list(v->args->fs, path, list_file, &p);
    if (err == 0 && p.count > 1)
        qsort(p.files, (size_t)p.count, sizeof *p.files, compare_files);
    if (err == 0)
        err = read_epochs(&p);
    int first = next_log(&p, -1);
    if (err == 0 && first < 0 && (p.recovery_point > 0 || p.closed))
        verify__report(v, VERIFY_DAMAGE, path, -1, "no segment is there", remedy_log);
    if (err == 0 && first >= 0) {
        err = check_segments(&p);
        if (err == 0) {
            check_start(&p, p.files[first].offset);
            check_epochs(&p, p.files[first].offset);
            check_end(&p);
        }
    }
    mem_free(p.files);
    epoch_cache_release(&p.epochs);
    epoch_cache_release(&p.claimed);
    producer_state_release(&p.producers);
    return err;
}
