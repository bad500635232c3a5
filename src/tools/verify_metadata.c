// SPDX-License-Identifier: Apache-2.0
#include "tools/verify_metadata.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "env/fs.h"
#include "log/names.h"
#include "log/small_file.h"
#include "metadata/image.h"
#include "metadata/loader.h"
#include "raft/quorum_state.h"
#include "raft/snapshot_id.h"
#include "wire/batch.h"

enum { FILE_BYTES_MAX = 1 << 30 };

struct check {
    const struct verify_args *args;
    char dir[FS_PATH_MAX];
    struct snapshot_id *snapshots;
    int snapshot_count;
    int snapshot_capacity;
    int64_t *segments; // base offsets
    int segment_count;
    int segment_capacity;
};

static void report(struct check *c, enum verify_level level, const char *path, int64_t offset,
                   const char *what, const char *remedy)
{
    struct verify_finding f = {.level = level, .path = path, .position = -1, .offset = offset,
                               .end_offset = -1, .what = what, .remedy = remedy};
    c->args->found(c->args->context, &f);
}

static int list_file(void *context, const char *name, enum fs_kind kind)
{
    struct check *c = context;
    struct snapshot_id id;
    enum snapshot_state state;
    struct log_file_name file;
    if (kind != FS_KIND_FILE)
        return 0;
    if (snapshot_name_parse(str_from(name), &id, &state) && state == SNAPSHOT_COMPLETE) {
        mem_grow(c->snapshots, c->snapshot_count, c->snapshot_capacity);
        c->snapshots[c->snapshot_count++] = id;
    } else if (log_file_name_parse(name, &file) && file.kind == LOG_FILE_LOG &&
               file.state == LOG_FILE_LIVE) {
        mem_grow(c->segments, c->segment_count, c->segment_capacity);
        c->segments[c->segment_count++] = file.offset;
    }
    return 0;
}

static int compare_ids(const void *a, const void *b)
{
    return snapshot_id_compare(*(const struct snapshot_id *)a, *(const struct snapshot_id *)b);
}

static int compare_bases(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int check_quorum_state(struct check *c)
{
    char path[FS_PATH_MAX];
    struct buf text;
    struct quorum_state state;
    struct diag diag;
    diag_clear(&diag);
    if (!path_join(path, c->dir, QUORUM_STATE_FILE))
        return ERR_LIMIT;
    buf_init(&text, QUORUM_STATE_TEXT_MAX);
    int err = small_file_read(c->args->fs, path, &text);
    if (err == 0 && quorum_state_parse(&state, buf_str(&text), &diag) < 0)
        report(c, VERIFY_DAMAGE, path, -1, diag.text,
               "a node that is alone in its quorum makes it again; with other voters restore it, since it "
               "says for whom this node voted");
    else if (err == ERR_NOT_FOUND && c->segment_count > 0)
        report(c, VERIFY_DAMAGE, path, -1, "the file is missing",
               "the epoch is taken from the log; what this node voted is forgotten, which matters only "
               "when there are other voters");
    buf_release(&text);
    return err == ERR_NOT_FOUND || err == ERR_LIMIT ? 0 : err;
}

// Loads every snapshot; what the newest good one says stays in `loader`.
static int check_snapshots(struct check *c, struct metadata_loader *loader)
{
    for (int i = 0; i < c->snapshot_count; i++) {
        char path[FS_PATH_MAX];
        struct buf data;
        struct diag diag;
        diag_clear(&diag);
        if (!path_join(path, c->dir, snapshot_name_format(c->snapshots[i]).text))
            return ERR_LIMIT;
        buf_init(&data, FILE_BYTES_MAX);
        int err = small_file_read(c->args->fs, path, &data);
        if (err == 0 && metadata_loader_snapshot(loader, buf_bytes(&data), c->snapshots[i].end_offset,
                                                 c->snapshots[i].epoch, &diag) < 0)
            report(c, VERIFY_DAMAGE, path, -1, diag.text,
                   "a broker goes on with an older snapshot if the log reaches back to it; otherwise "
                   "restore the file");
        buf_release(&data);
        if (err < 0)
            return err;
    }
    return 0;
}

// Takes the batches of one segment; false when what follows cannot be known.
static bool replay(struct check *c, const char *path, struct metadata_loader *loader, struct bytes data)
{
    struct diag diag;
    struct bytes rest = data, batch;
    struct batch_header h;
    diag_clear(&diag);
    // A torn or damaged end was reported by whoever checked the log as a log.
    while (batch_next(&rest, &h, &batch) == 1)
        if (batch_last_offset(&h) >= metadata_loader_next_offset(loader) &&
            metadata_loader_batches(loader, batch, &diag) < 0) {
            report(c, VERIFY_DAMAGE, path, h.base_offset, diag.text,
                   "the metadata behind this cannot be known, and a broker refuses to start: restore the "
                   "file from a copy");
            return false;
        }
    return rest.size == 0;
}

static int check_records(struct check *c, struct metadata_loader *loader, bool *whole)
{
    int64_t start = metadata_loader_next_offset(loader);
    *whole = c->segment_count == 0 || c->segments[0] <= start;
    if (!*whole)
        report(c, VERIFY_DAMAGE, c->dir, start,
               "the log begins behind the newest snapshot that can be read",
               "a snapshot is missing: restore it from a copy");
    for (int i = 0; i < c->segment_count && *whole; i++) {
        char path[FS_PATH_MAX];
        struct buf data;
        if (!log_file_path(path, c->dir, c->segments[i], LOG_FILE_LOG))
            return ERR_LIMIT;
        buf_init(&data, FILE_BYTES_MAX);
        int err = small_file_read(c->args->fs, path, &data);
        if (err == 0)
            *whole = replay(c, path, loader, buf_bytes(&data));
        buf_release(&data);
        if (err < 0)
            return err;
    }
    return 0;
}

int verify_metadata(const struct verify_args *args, const struct metadata_image **out, bool *found_log)
{
    struct check c = {.args = args};
    struct fs_stat stat;
    bool whole = false;
    *out = NULL;
    *found_log = false;
    if (!path_join(c.dir, args->dir, METADATA_LOG_DIR))
        return ERR_LIMIT;
    if (fs_stat(args->fs, c.dir, &stat) < 0)
        return 0;
    *found_log = true;
    struct metadata_loader *loader = metadata_loader_new();
    int err = fs_list(args->fs, c.dir, list_file, &c);
    if (c.snapshot_count > 1)
        qsort(c.snapshots, (size_t)c.snapshot_count, sizeof *c.snapshots, compare_ids);
    if (c.segment_count > 1)
        qsort(c.segments, (size_t)c.segment_count, sizeof *c.segments, compare_bases);
    if (err == 0)
        err = check_quorum_state(&c);
    if (err == 0)
        err = check_snapshots(&c, loader);
    if (err == 0)
        err = check_records(&c, loader, &whole);
    if (err == 0 && whole)
        *out = metadata_image_ref(metadata_loader_image(loader));
    metadata_loader_free(loader);
    mem_free(c.snapshots);
    mem_free(c.segments);
    return err;
}
