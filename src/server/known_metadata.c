// SPDX-License-Identifier: Apache-2.0
#include "server/known_metadata.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "env/fs.h"
#include "log/batch_scan.h"
#include "log/names.h"
#include "metadata/known.h"
#include "raft/snapshot_id.h"
#include "wire/batch.h"

struct found {
    struct snapshot_id snapshot; // the newest; 0-0: none, or that one
    bool has_snapshot;
    int64_t *segments; // base offsets, in no order
    int segment_count;
    int segment_capacity;
};

static int find(void *context, const char *name, enum fs_kind kind)
{
    struct found *found = context;
    struct log_file_name file;
    struct snapshot_id id;
    enum snapshot_state state;
    if (kind == FS_KIND_DIR)
        return 0;
    if (snapshot_name_parse(str_from(name), &id, &state)) {
        if (state == SNAPSHOT_COMPLETE &&
            (!found->has_snapshot || snapshot_id_compare(id, found->snapshot) > 0)) {
            found->snapshot = id;
            found->has_snapshot = true;
        }
    } else if (log_file_name_parse(name, &file) && file.kind == LOG_FILE_LOG &&
               file.state == LOG_FILE_LIVE) {
        mem_grow(found->segments, found->segment_count, found->segment_capacity);
        found->segments[found->segment_count++] = file.offset;
    }
    return 0;
}

// The batches of one file that end above `from`, up to the first that is not whole.
static int check_file(struct env_fs *fs, const char *path, int64_t from, struct diag *diag)
{
    struct fs_file *file;
    struct batch_scan scan;
    struct batch_header header;
    struct bytes batch;
    int64_t position;
    if (fs_open(fs, path, FS_READ, &file) != ERR_OK)
        return ERR_OK;
    int64_t size = fs_file_size(file);
    uint8_t *window = mem_alloc(BATCH_SCAN_WINDOW_LARGE);
    struct buf spare;
    buf_init(&spare, BATCH_SIZE_MAX);
    batch_scan_init(&scan, file, 0, size > 0 ? size : 0, window, BATCH_SCAN_WINDOW_LARGE);
    int err = ERR_OK;
    while (err == ERR_OK && batch_scan_next(&scan, &header, &position) == 1) {
        if (batch_last_offset(&header) < from)
            continue;
        if (batch_scan_check_crc(&scan, &header, position) != 1 ||
            batch_scan_bytes(&scan, &header, position, &spare, &batch) != 0)
            break;
        err = metadata_batch_known(&header, batch, diag);
    }
    buf_release(&spare);
    mem_free(window);
    fs_file_close(file);
    if (err != ERR_OK)
        diag_prefix(diag, "%s", path);
    return err;
}

static int check_found(struct env_fs *fs, const char *log_dir, const char *folder,
                       const struct found *found, struct diag *diag)
{
    char path[FS_PATH_MAX];
    int size = found->has_snapshot ? snprintf(path, sizeof path, "%s/%s", folder,
                                              snapshot_name_format(found->snapshot).text)
                                   : snprintf(path, sizeof path, "%s/bootstrap.checkpoint", log_dir);
    int err = size < (int)sizeof path ? check_file(fs, path, 0, diag) : ERR_OK;
    for (int i = 0; i < found->segment_count && err == ERR_OK; i++) {
        size = snprintf(path, sizeof path, "%s/%020lld%s", folder, (long long)found->segments[i],
                        log_file_suffix(LOG_FILE_LOG));
        if (size < (int)sizeof path)
            err = check_file(fs, path, found->snapshot.end_offset, diag);
    }
    return err;
}

int known_metadata_check(struct env_fs *fs, const char *log_dir, struct diag *diag)
{
    char folder[FS_PATH_MAX];
    struct found found = {0};
    if (snprintf(folder, sizeof folder, "%s/__cluster_metadata-0", log_dir) >= (int)sizeof folder)
        return ERR_OK;
    (void)fs_list(fs, folder, find, &found); // not there yet: nothing is known of it
    int err = check_found(fs, log_dir, folder, &found, diag);
    mem_free(found.segments);
    return err;
}
