// SPDX-License-Identifier: Apache-2.0
#include "log/dir.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"
#include "env/random.h"
#include "log/dir_internal.h"
#include "log/dir_state.h"
#include "log/meta_properties.h"
#include "log/names.h"
#include "log/partition_metadata.h"
#include "log/small_file.h"

enum {
    OPEN_FILES_DEFAULT = 256,
    SMALL_TEXT_MAX = 1 << 20,
    // Measured on ext4 with 1 kB appended to each file: four syncs of single files take as long as one
    // of everything, 64 take ten times as long. Higher than that, since what other programs wrote to
    // the file system is waited for, too.
    // (Between 16 and 64 a commit, which syncs four files at a time, shows no difference.)
    VOLUME_SYNCS_DEFAULT = 16,
    SYNCS_OF_A_LOG = 4, // at least, to make a recovery point durable
    CACHED_DIRS_DEFAULT = 100, // fewer are listed in a millisecond
};

int dir__path(const struct log_dir *dir, const char *name, char out[FS_PATH_MAX])
{
    return path_join(out, dir->path, name) ? 0 : ERR_LIMIT;
}

// ---- Opening ----

// Makes the directory and what is missing above it.
static int make_dirs(struct env_fs *fs, const char *path)
{
    char part[FS_PATH_MAX];
    struct fs_stat stat;
    if (fs_stat(fs, path, &stat) == 0)
        return stat.kind == FS_KIND_DIR ? 0 : ERR_EXISTS;
    if (!str_copy_to(str_from(path), part, sizeof part))
        return ERR_LIMIT;
    for (char *at = part + 1;; at++) {
        if (*at != '/' && *at != '\0')
            continue;
        char end = *at;
        *at = '\0';
        int err = fs_make_dir(fs, part);
        if (err < 0 && err != ERR_EXISTS)
            return err;
        if (err == 0)
            small_file_sync_parent(fs, part);
        if (end == '\0')
            return 0;
        *at = end;
    }
}

static int take_lock(struct log_dir *dir, struct diag *diag)
{
    char path[FS_PATH_MAX];
    int err = dir__path(dir, ".lock", path);
    if (err == 0)
        err = fs_open(dir->env->fs, path, FS_READ | FS_WRITE | FS_CREATE, &dir->lock);
    if (err == 0)
        err = fs_file_lock(dir->lock);
    if (err == ERR_BUSY)
        return diag_set(diag, err, "%s is held by another process; stop it, or choose another log.dirs",
                        path);
    return err < 0 ? diag_set(diag, err, "%s/.lock: %s", dir->path, err_text(err)) : 0;
}

// ---- Syncing the whole file system ----

static int open_volume(struct log_dir *dir, struct diag *diag)
{
    char path[FS_PATH_MAX];
    struct fs_file *file;
    struct fs_stat stat = {0};
    struct fs_space space = {0};
    int err = dir__path(dir, ".lock", path);
    if (err == 0)
        err = fs_open(dir->env->fs, path, FS_READ | FS_WRITE, &file);
    if (err < 0)
        return diag_set(diag, err, "%s/.lock: %s", dir->path, err_text(err));
    dir->volume = file_ref_new(file);
    err = fs_stat(dir->env->fs, dir->path, &stat);
    if (err == 0)
        err = fs_space(dir->env->fs, dir->path, &space);
    if (err < 0)
        return diag_set(diag, err, "%s: %s", dir->path, err_text(err));
    dir->volume_id = stat.volume;
    dir->can_sync_all = space.can_sync_all;
    return 0;
}

struct file_ref *log_dir__volume(const struct log_dir *dir, int *syncs_min)
{
    *syncs_min = dir->volume_syncs_min;
    return dir->can_sync_all ? file_ref_get(dir->volume) : NULL;
}

bool dir__syncs_whole(const struct log_dir *dir, int count)
{
    return dir->can_sync_all && count >= (dir->volume_syncs_min + SYNCS_OF_A_LOG - 1) / SYNCS_OF_A_LOG;
}

static int read_meta(struct log_dir *dir, struct diag *diag)
{
    char path[FS_PATH_MAX];
    struct buf text;
    buf_init(&text, SMALL_TEXT_MAX);
    int err = dir__path(dir, META_PROPERTIES, path);
    if (err == 0)
        err = small_file_read(dir->env->fs, path, &text);
    if (err == ERR_NOT_FOUND) {
        buf_release(&text);
        return 0;
    }
    if (err < 0) {
        diag_set(diag, err, "%s", err_text(err));
    } else {
        err = properties_parse(&dir->properties, buf_str(&text), diag);
        err = err < 0 ? ERR_CORRUPT : meta_properties_read(&dir->properties, &dir->meta, diag);
    }
    buf_release(&text);
    if (err < 0)
        diag_prefix(diag, "%s", path);
    dir->has_meta = err == 0;
    return err;
}

struct log_dir *dir__new(struct env *env, struct trace *trace, const char *path)
{
    struct log_dir *dir = mem_new(struct log_dir);
    dir->env = env;
    dir->trace = trace;
    dir->path = mem_copy_text(path);
    properties_init(&dir->properties);
    list_init(&dir->logs);
    map_init(&dir->log_map);
    map_init(&dir->former);
    env_random_fill(dir->env->random, &dir->seed, sizeof dir->seed);
    dir__save_init(dir);
    dir__discards_init(dir);
    return dir;
}

static struct log_dir *dir_new(const struct log_dir_args *args)
{
    struct log_dir *dir = dir__new(args->env, args->trace, args->path);
    dir->first = dir;
    dir->owner = args->owner;
    dir->on_offline = args->on_offline;
    dir->open_files_max = args->open_files_max > 0 ? args->open_files_max : OPEN_FILES_DEFAULT;
    segment_pool_init(&dir->pool, dir->open_files_max);
    dir->volume_syncs_min =
        args->volume_syncs_min > 0 ? args->volume_syncs_min : VOLUME_SYNCS_DEFAULT;
    dir->cached_dirs_min = args->cached_dirs_min > 0 ? args->cached_dirs_min : CACHED_DIRS_DEFAULT;
    dir__space_init(dir, args->reserve_bytes);
    return dir;
}

struct log_dir *log_dir_new_offline(const struct log_dir_args *args)
{
    struct log_dir *dir = dir_new(args);
    dir->offline = true;
    return dir;
}

int log_dir_open(const struct log_dir_args *args, struct log_dir **out, struct diag *diag)
{
    struct log_dir *dir = dir_new(args);
    int err = make_dirs(dir->env->fs, dir->path);
    if (err < 0)
        diag_set(diag, err, "%s: %s", dir->path,
                 err == ERR_EXISTS ? "is not a directory" : err_text(err));
    if (err == 0)
        err = take_lock(dir, diag);
    if (err == 0)
        err = open_volume(dir, diag);
    if (err == 0)
        err = read_meta(dir, diag);
    if (err < 0) {
        log_dir_free(dir);
        return err;
    }
    *out = dir;
    return 0;
}

static void forget_log(struct log_dir *dir, struct log *log)
{
    dir__save_forget(dir, log);
    list_remove(&log->home_node);
    map_remove(&dir->log_map, &log->home_map_node);
    dir->log_count--;
    // The pool goes with the directory, so its segments close before.
    for (int i = 0; i < log->segment_count; i++) {
        struct segment *s = log->segments[i];
        segment_free(&log->env, s);
    }
    log->segment_count = 0;
    log->home = NULL;
    log_free(log);
}

void log_dir_free(struct log_dir *dir)
{
    if (dir == NULL)
        return;
    struct list_node *node;
    while ((node = list_first(&dir->logs)) != NULL)
        forget_log(dir, container_of(node, struct log, home_node));
    dir__save_release(dir);
    dir__unclaimed_release(dir);
    dir__former_release(dir);
    dir__discards_release(dir);
    dir__space_release(dir);
    map_release(&dir->log_map);
    properties_release(&dir->properties);
    if (dir->lock != NULL)
        fs_file_close(dir->lock);
    file_ref_put(dir->volume);
    mem_free(dir->path);
    mem_free(dir);
}

const char *log_dir_path(const struct log_dir *dir)
{
    return dir->path;
}

bool log_dir_is_offline(const struct log_dir *dir)
{
    return dir->offline;
}

void log_dir_fail(struct log_dir *dir, int err, const char *why)
{
    if (dir->offline)
        return;
    dir->offline = true;
    const struct trace_field fields[] = {
        {"directory", .text = dir->path}, {"reason", .text = why}, {0}};
    if (dir->first == dir) // whom every part tells
        trace_event(dir->trace, TRACE_ERROR, LOG_AREA, fields, "log directory %s is offline: %s",
                    dir->path, why);
    if (dir->on_offline != NULL)
        dir->on_offline(dir, dir->owner, err, why);
}

// ---- Identity ----

const struct log_dir_meta *log_dir_meta(const struct log_dir *dir)
{
    return dir->first->has_meta ? &dir->first->meta : NULL;
}

int log_dir_write_meta(struct log_dir *dir, int32_t node_id, struct str cluster_id,
                       struct uuid directory_id, struct diag *diag)
{
    char path[FS_PATH_MAX];
    struct buf text;
    buf_init(&text, SMALL_TEXT_MAX);
    meta_properties_format(&dir->properties, node_id, cluster_id, directory_id, &text);
    int err = text.failed ? ERR_LIMIT : dir__path(dir, META_PROPERTIES, path);
    if (err == 0)
        err = small_file_replace(dir->env->fs, path, buf_bytes(&text));
    if (err < 0) {
        buf_release(&text);
        return diag_set(diag, err, "%s/%s: %s", dir->path, META_PROPERTIES, err_text(err));
    }
    properties_release(&dir->properties);
    properties_init(&dir->properties);
    err = properties_parse(&dir->properties, buf_str(&text), diag);
    buf_release(&text);
    if (err == 0)
        err = meta_properties_read(&dir->properties, &dir->meta, diag);
    dir->has_meta = err == 0;
    return err;
}

// ---- Logs ----

static void fill_args(const struct log_dir *dir, struct partition_key key, struct uuid topic_id,
                      const struct log_config *config, struct log_args *out)
{
    *out = (struct log_args){
        .fs = dir->env->fs,
        .clock = dir->env->clock,
        .trace = dir->trace,
        .dir_path = dir->path,
        .topic = key.topic,
        .partition = key.partition,
        .topic_id = topic_id,
        .config = *config,
        .recovery_point = -1,
        .log_start_offset = -1,
        .high_watermark = -1,
        .cleaner_offset = -1,
    };
}

int log_dir_create_args(struct log_dir *dir, struct str topic, int32_t partition,
                        struct uuid topic_id, const struct log_config *config,
                        struct log_args *out)
{
    struct partition_key key = {topic, partition};
    fill_args(dir, key, topic_id, config, out);
    return dir__former_has(dir, key) ? ERR_AGAIN : 0;
}

void log_dir_partition_args(struct log_dir *dir, const struct log_dir_scan *scan,
                            const struct log_dir_partition *partition,
                            const struct log_config *config, struct log_args *out)
{
    struct partition_key key = {str_from(partition->topic), partition->partition};
    fill_args(dir, key, partition->topic_id, config, out);
    out->topic_id_read = !uuid_is_zero(partition->topic_id);
    out->cached = partition->cached;
    out->recovery_point = partition->recovery_point;
    out->log_start_offset = partition->log_start_offset;
    out->high_watermark = partition->high_watermark;
    out->cleaner_offset = partition->cleaner_offset;
    out->clean = scan->clean;
    out->start_unknown = scan->start_unknown;
    out->synced = scan->synced;
}

uint64_t dir__key_hash(const struct log_dir *dir, struct partition_key key)
{
    return hash_str(dir->seed, key.topic) + (uint64_t)(uint32_t)key.partition;
}

static bool key_equal(const struct map_node *node, const void *key)
{
    const struct log *log = container_of(node, struct log, home_map_node);
    const struct partition_key *k = key;
    return log->partition == k->partition && str_is(k->topic, log->topic);
}

struct log *log_dir_find(struct log_dir *dir, struct str topic, int32_t partition)
{
    struct partition_key key = {topic, partition};
    struct map_node *node = map_find(&dir->log_map, dir__key_hash(dir, key), key_equal, &key);
    return node != NULL ? container_of(node, struct log, home_map_node) : NULL;
}

void log_dir_add(struct log_dir *dir, struct log *log)
{
    check(log->home == NULL);
    struct partition_key key = {log_topic(log), log->partition};
    log->home = dir;
    log->env.pool = &dir->pool;
    list_append(&dir->logs, &log->home_node);
    map_insert(&dir->log_map, &log->home_map_node, dir__key_hash(dir, key));
    dir->log_count++;
    dir__claim(dir, key.topic, key.partition);
}

int log_dir_log_count(const struct log_dir *dir)
{
    return dir->log_count;
}

void log_dir_each(struct log_dir *dir, void (*each)(void *context, struct log *log), void *context)
{
    list_for_each(node, next, &dir->logs)
        each(context, container_of(node, struct log, home_node));
}

static int rename_partition(struct log_dir *dir, struct str topic, int32_t partition,
                            enum log_dir_kind kind, char to[FS_PATH_MAX])
{
    char name[256], from[FS_PATH_MAX];
    log_dir_name_format(name, topic, partition, LOG_DIR_LIVE, (struct uuid){{0}});
    int err = dir__path(dir, name, from);
    log_dir_name_format(name, topic, partition, kind, env_random_uuid(dir->env->random));
    if (err == 0)
        err = dir__path(dir, name, to);
    return err < 0 ? err : fs_rename(dir->env->fs, from, to);
}

int log_dir_delete_log(struct log_dir *dir, struct log *log)
{
    char path[FS_PATH_MAX];
    if (dir->offline)
        return ERR_OFFLINE;
    if (log->planned) {
        forget_log(dir, log);
        return 0;
    }
    int err = rename_partition(dir, log_topic(log), log->partition, LOG_DIR_DELETE, path);
    if (err < 0)
        return log__failed(log, err, "deleting the partition");
    dir__former_add(dir, (struct partition_key){log_topic(log), log->partition});
    log_dir__discard(dir, path, true, log->config.file_delete_delay_ms);
    forget_log(dir, log);
    return 0;
}

int log_dir_set_stray(struct log_dir *dir, const struct log_dir_partition *partition)
{
    char path[FS_PATH_MAX];
    int err = rename_partition(dir, str_from(partition->topic), partition->partition,
                               LOG_DIR_STRAY, path);
    if (err < 0)
        return err;
    struct partition_key key = {str_from(partition->topic), partition->partition};
    dir__former_add(dir, key);
    dir__claim(dir, key.topic, key.partition);
    trace_warn(dir->trace, LOG_AREA, "%s-%" PRId32 " in %s belongs to nobody: renamed to %s",
               partition->topic, partition->partition, dir->path, path);
    return 0;
}

int log_dir_space(struct log_dir *dir, int64_t *total_bytes, int64_t *usable_bytes)
{
    struct fs_space space;
    int err = dir->offline ? ERR_OFFLINE : fs_space(dir->env->fs, dir->path, &space);
    if (err < 0)
        return err;
    *total_bytes = space.total_bytes;
    *usable_bytes = space.free_bytes;
    return 0;
}
