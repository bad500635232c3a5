// SPDX-License-Identifier: Apache-2.0
#include "log/verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/properties.h"
#include "log/checkpoint.h"
#include "log/dir.h"
#include "log/dir_state.h"
#include "log/meta_properties.h"
#include "log/names.h"
#include "log/partition_metadata.h"
#include "log/small_file.h"
#include "log/verify_internal.h"

enum { TEXT_MAX = 1 << 20 };

void verify__report(struct verify *v, enum verify_level level, const char *path, int64_t position,
                    const char *what, const char *remedy)
{
    verify__report_range(v, level, path, position, -1, -1, what, remedy);
}

void verify__report_range(struct verify *v, enum verify_level level, const char *path,
                          int64_t position, int64_t offset, int64_t end_offset, const char *what,
                          const char *remedy)
{
    struct verify_finding f = {.level = level, .path = path, .position = position, .offset = offset,
                               .end_offset = end_offset, .what = what, .remedy = remedy};
    v->result->findings[level]++;
    v->args->found(v->args->context, &f);
}

// ---- What lies in the log directory itself ----

static int check_meta(struct verify *v)
{
    static const char remedy[] = "without it no broker starts here: restore it, or write it by hand "
                                 "(version=1, cluster.id, node.id, directory.id)";
    char path[FS_PATH_MAX];
    struct buf text;
    struct properties p;
    struct log_dir_meta meta;
    struct diag diag;
    diag_clear(&diag);
    if (!path_join(path, v->args->dir, META_PROPERTIES))
        return ERR_LIMIT;
    buf_init(&text, TEXT_MAX);
    properties_init(&p);
    int err = small_file_read(v->args->fs, path, &text);
    if (err == ERR_NOT_FOUND) {
        verify__report(v, VERIFY_DAMAGE, path, -1, "the file is missing", remedy);
        err = 0;
    } else if (err == 0 && (properties_parse(&p, buf_str(&text), &diag) < 0 ||
                            meta_properties_read(&p, &meta, &diag) < 0)) {
        verify__report(v, VERIFY_DAMAGE, path, -1, diag.text, remedy);
    }
    properties_release(&p);
    buf_release(&text);
    return err;
}

// Reads a checkpoint; a damaged one is reported and has no entries. *present: it is there and good.
static int read_checkpoint(struct verify *v, const char *name, const char *remedy,
                           struct checkpoint *c, bool *present)
{
    char path[FS_PATH_MAX];
    struct fs_stat stat;
    struct diag diag;
    diag_clear(&diag);
    checkpoint_init(c);
    *present = false;
    if (!path_join(path, v->args->dir, name))
        return ERR_LIMIT;
    int err = fs_stat(v->args->fs, path, &stat);
    if (err == ERR_NOT_FOUND) {
        if (v->result->clean)
            verify__report(v, VERIFY_DAMAGE, path, -1, "the file is missing", remedy);
        return 0;
    }
    if (err == 0)
        err = checkpoint_read(c, v->args->fs, path, &diag);
    if (err == 0 && c->text.size == 0 && v->result->clean)
        verify__report(v, VERIFY_DAMAGE, path, -1, "the file is empty", remedy);
    if (err == ERR_CORRUPT) {
        struct str text = str_from(diag.text), file = str_from(path);
        size_t skip = text.size > file.size + 2 ? file.size + 2 : 0; // "<path>: "
        verify__report(v, VERIFY_DAMAGE, path, -1, diag.text + skip, remedy);
        err = 0;
    } else if (err == 0) {
        *present = c->text.size > 0;
    }
    return err;
}

static int read_checkpoints(struct verify *v)
{
    bool cleaner;
    struct fs_stat stat;
    char path[FS_PATH_MAX];
    int err = read_checkpoint(v, CHECKPOINT_RECOVERY_POINTS,
                              "a start reads every log to find its end, and cannot tell a missing end",
                              &v->recovery_points, &v->has_recovery_points);
    if (err == 0)
        err = read_checkpoint(v, CHECKPOINT_START_OFFSETS,
                              "records deleted below a log's start come back: delete them again",
                              &v->start_offsets, &v->has_start_offsets);
    if (err == 0)
        err = read_checkpoint(v, CHECKPOINT_HIGH_WATERMARKS,
                              "a broker that is alone finds it from the log; in a cluster the leader "
                              "tells it", &v->high_watermarks, &v->has_high_watermarks);
    checkpoint_init(&v->cleaner);
    // Apache Kafka makes it empty, until something was compacted.
    if (err == 0 && path_join(path, v->args->dir, CHECKPOINT_CLEANER) &&
        fs_stat(v->args->fs, path, &stat) == 0 && stat.size > 0)
        err = read_checkpoint(v, CHECKPOINT_CLEANER, "the log cleaner begins at the first segment again",
                              &v->cleaner, &cleaner);
    return err;
}

// A broker that runs holds the lock; nothing is written to find out.
static int check_lock(struct verify *v, struct diag *diag)
{
    char path[FS_PATH_MAX];
    struct fs_file *file;
    if (!path_join(path, v->args->dir, ".lock"))
        return ERR_LIMIT;
    if (fs_open(v->args->fs, path, FS_READ | FS_WRITE, &file) < 0)
        return 0; // there is none, or nobody can write here
    int err = fs_file_lock(file);
    fs_file_close(file);
    return err == ERR_BUSY ? diag_set(diag, err, "%s is held by a running broker: stop it first", path)
                           : 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

struct listing {
    char **names; // of directories
    int count;
    int capacity;
    bool has_marker;
    bool is_log_dir;
};

static int list_entry(void *context, const char *name, enum fs_kind kind)
{
    struct listing *l = context;
    struct log_dir_name parsed;
    l->has_marker |= strcmp(name, CLEAN_MARKER) == 0;
    l->is_log_dir |= strcmp(name, META_PROPERTIES) == 0 || strcmp(name, CLEAN_MARKER) == 0 ||
                     strcmp(name, CHECKPOINT_RECOVERY_POINTS) == 0;
    if (kind != FS_KIND_DIR || !log_dir_name_parse(name, &parsed))
        return 0;
    l->is_log_dir = true;
    mem_grow(l->names, l->count, l->capacity);
    l->names[l->count++] = mem_copy_text(name);
    return 0;
}

static int add_size(void *context, const char *name, enum fs_kind kind)
{
    struct verify *v = context;
    struct log_file_name file;
    struct fs_stat stat;
    char path[FS_PATH_MAX];
    if (log_file_name_parse(name, &file) && file.kind == LOG_FILE_LOG &&
        path_join(path, v->counting, name) && fs_stat(v->args->fs, path, &stat) == 0)
        v->total_bytes += stat.size;
    return 0;
}

static int check_entry(struct verify *v, const char *name)
{
    struct log_dir_name parsed;
    char path[FS_PATH_MAX];
    if (!log_dir_name_parse(name, &parsed) || !path_join(path, v->args->dir, name))
        return ERR_LIMIT;
    if (parsed.kind == LOG_DIR_LIVE)
        return verify__partition(v, path, name, &parsed);
    verify__report(v, VERIFY_NOTE, path, -1,
                   parsed.kind == LOG_DIR_DELETE  ? "a partition that is being deleted"
                   : parsed.kind == LOG_DIR_STRAY ? "a partition that no topic wants"
                                                  : "an unfinished move between log directories",
                   parsed.kind == LOG_DIR_STRAY ? "nothing in it was looked at; remove it by hand when "
                                                  "it is not needed"
                                                : "nothing in it was looked at");
    return 0;
}

static int check_all(struct verify *v, struct listing *l, struct diag *diag)
{
    int err = check_meta(v);
    if (err == 0)
        err = read_checkpoints(v);
    for (int i = 0; i < l->count && err == 0 && v->args->progress != NULL; i++) {
        char path[FS_PATH_MAX];
        v->counting = path;
        if (path_join(path, v->args->dir, l->names[i]))
            err = fs_list(v->args->fs, path, add_size, v);
    }
    for (int i = 0; i < l->count && err == 0; i++) {
        err = check_entry(v, l->names[i]);
        if (err < 0)
            diag_set(diag, err, "%s/%s: %s", v->args->dir, l->names[i], err_text(err));
    }
    return err;
}

int verify_dir(const struct verify_args *args, struct verify_result *out, struct diag *diag)
{
    struct verify v = {.args = args, .result = out};
    struct listing l = {0};
    *out = (struct verify_result){0};
    checkpoint_init(&v.recovery_points);
    checkpoint_init(&v.start_offsets);
    checkpoint_init(&v.high_watermarks);
    checkpoint_init(&v.cleaner);
    int err = fs_list(args->fs, args->dir, list_entry, &l);
    if (err < 0)
        diag_set(diag, err, "%s: %s", args->dir, err_text(err));
    else if (!l.is_log_dir)
        err = diag_set(diag, ERR_INVALID, "%s is not a log directory: it has neither meta.properties nor "
                       "partitions", args->dir);
    if (err == 0)
        err = check_lock(&v, diag);
    if (err == 0) {
        qsort(l.names, (size_t)l.count, sizeof *l.names, compare_names);
        out->clean = l.has_marker;
        if (!out->clean)
            verify__report(&v, VERIFY_NOTE, args->dir, -1, "it was not closed cleanly",
                           "what lies behind the recovery points may be torn; the next start sees to it");
        err = check_all(&v, &l, diag);
    }
    for (int i = 0; i < l.count; i++)
        mem_free(l.names[i]);
    mem_free(l.names);
    checkpoint_release(&v.recovery_points);
    checkpoint_release(&v.start_offsets);
    checkpoint_release(&v.high_watermarks);
    checkpoint_release(&v.cleaner);
    return err;
}
