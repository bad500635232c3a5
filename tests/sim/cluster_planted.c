// SPDX-License-Identifier: Apache-2.0
#include "cluster_planted.h"

#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/err.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/prng.h"
#include "broker/coordinators.h"
#include "cluster_process.h"
#include "log/dir.h"

enum {
    CHECKPOINT_MAX = 1 << 16,
    CHECKPOINT_STEPS = 4, // after the write: sync, rename, sync of the directory, and then
};

static const int64_t late_ns_max = 50000000;
static const char *const names[] = {"none", "early-ack", "early-recovery-point", "old-index",
                                    "early-group"};

struct planted_fs {
    struct env_fs fs;
    struct env_fs *below;
    enum planted planted;
    struct process *process;
    struct prng prng;
    struct list late; // struct late_sync
};

// A sync that was said to be done, and is done only now.
struct late_sync {
    struct sim_event event;
    struct list_node node;
    struct planted_fs *owner;
    struct fs_file *below;
    bool all;
};

struct file {
    struct fs_file file;
    struct planted_fs *owner;
    struct fs_file *below;
    int64_t old_size; // of an index: what was there when it was opened
    char path[FS_PATH_MAX];
};

enum planted planted_find(const char *name)
{
    for (int i = 1; i < PLANTED_UNKNOWN; i++)
        if (strcmp(names[i], name) == 0)
            return (enum planted)i;
    return PLANTED_UNKNOWN;
}

const char *planted_name(enum planted planted)
{
    return names[planted];
}

static bool ends_with(const char *path, const char *end)
{
    size_t size = strlen(path), end_size = strlen(end);
    return size >= end_size && strcmp(path + size - end_size, end) == 0;
}

// A file of a topic, not of the metadata log.
static bool is_of_topic(const char *path, const char *end)
{
    return ends_with(path, end) && strstr(path, "__cluster_metadata") == NULL;
}

static struct file *file_of(struct fs_file *file)
{
    return container_of(file, struct file, file);
}

// ---- Acknowledged before it is durable ----

static void late_free(struct late_sync *l)
{
    sim_event_cancel(l->owner->process->sim, &l->event);
    list_remove(&l->node);
    fs_file_close(l->below);
    mem_free(l);
}

static void sync_late(struct sim_event *event)
{
    struct late_sync *l = container_of(event, struct late_sync, event);
    if (l->all)
        fs_file_sync_all(l->below);
    else
        fs_file_sync(l->below);
    late_free(l);
}

static int say_synced(struct file *f, bool all)
{
    struct planted_fs *p = f->owner;
    struct fs_file *below;
    if (sim_fs_is_crashed(p->process->disk))
        return ERR_CLOSED;
    int err = fs_open(p->below, f->path, FS_READ, &below);
    if (err < 0)
        return err == ERR_NOT_FOUND ? 0 : err;
    struct late_sync *l = mem_new(struct late_sync);
    *l = (struct late_sync){.event.fire = sync_late, .owner = p, .below = below, .all = all};
    list_append(&p->late, &l->node);
    sim_event_set(p->process->sim, &l->event, (int64_t)prng_below(&p->prng, (uint64_t)late_ns_max));
    return 0;
}

// ---- The recovery point before the data ----

// Writes where the log ends instead of what is durable of it; true if these differ.
static bool put_line(struct planted_fs *p, const char *path, struct str line, struct buf *out)
{
    struct str rest = line, topic = str_cut(&rest, ' '), number = str_cut(&rest, ' ');
    int64_t offset, end = 0;
    int32_t partition;
    bool is_entry = str_parse_i32(number, &partition) && str_parse_i64(rest, &offset);
    for (int i = 0; is_entry && i < p->process->storage.dir_count; i++) {
        struct log_dir *dir = p->process->storage.dirs[i];
        struct log *log = log_dir_find(dir, topic, partition);
        if (str_starts_with(str_from(path), log_dir_path(dir)) && log != NULL)
            end = log_end_offset(log);
    }
    if (is_entry && end > offset)
        buf_printf(out, "%.*s %d %" PRId64 "\n", STR_ARG(topic), partition, end);
    else
        buf_printf(out, "%.*s\n", STR_ARG(line));
    return is_entry && end > offset;
}

static int write_early(struct file *f, const void *data, size_t size)
{
    struct str text = str_of(data, size);
    struct planted_fs *p = f->owner;
    struct buf out;
    bool early = false;
    buf_init(&out, CHECKPOINT_MAX);
    while (text.data != NULL && text.size > 0)
        early |= put_line(p, f->path, str_cut(&text, '\n'), &out);
    int err = fs_file_write(f->below, out.data, out.size, 0);
    buf_release(&out);
    // The data follow within a few operations: this is the moment to die in.
    if (early && prng_chance(&p->prng, 1, 2))
        sim_fs_crash_at(p->process->disk, CHECKPOINT_STEPS + prng_below(&p->prng, 4));
    return err;
}

// ---- Old indexes ----

// What was found at a start is never changed again: neither when it does not fit the log, nor when
// the log has lost what it speaks of.
static bool is_old_index(const struct planted_fs *p, const char *path)
{
    return p->planted == PLANTED_OLD_INDEX && p->process->lives > 1 &&
           (is_of_topic(path, ".index") || is_of_topic(path, ".timeindex"));
}

static int write_beyond_old(struct file *f, const void *data, size_t size, int64_t position)
{
    int64_t old = f->old_size - position;
    if (old >= (int64_t)size)
        return 0;
    if (old < 0)
        old = 0;
    return fs_file_write(f->below, (const uint8_t *)data + old, size - (size_t)old, position + old);
}

// ---- Files ----

static int64_t do_read(struct fs_file *file, void *out, size_t size, int64_t position)
{
    return fs_file_read(file_of(file)->below, out, size, position);
}

static int64_t do_read_cached(struct fs_file *file, void *out, size_t size, int64_t position)
{
    return fs_file_read_cached(file_of(file)->below, out, size, position);
}

static void do_prefetch(struct fs_file *file, int64_t position, size_t size)
{
    fs_file_prefetch(file_of(file)->below, position, size);
}

static int do_write(struct fs_file *file, const void *data, size_t size, int64_t position)
{
    struct file *f = file_of(file);
    if (is_old_index(f->owner, f->path))
        return write_beyond_old(f, data, size, position);
    if (f->owner->planted == PLANTED_EARLY_RECOVERY && position == 0 &&
        strstr(f->path, "recovery-point-offset-checkpoint") != NULL)
        return write_early(f, data, size);
    return fs_file_write(f->below, data, size, position);
}

static bool is_acknowledged_early(const struct file *f)
{
    return is_of_topic(f->path, ".log") &&
           (f->owner->planted == PLANTED_EARLY_ACK ||
            (f->owner->planted == PLANTED_EARLY_GROUP && strstr(f->path, GROUP_TOPIC) != NULL));
}

static int do_sync(struct fs_file *file)
{
    struct file *f = file_of(file);
    if (is_acknowledged_early(f))
        return say_synced(f, false);
    return fs_file_sync(f->below);
}

static int do_sync_all(struct fs_file *file)
{
    struct file *f = file_of(file);
    if (f->owner->planted == PLANTED_EARLY_ACK)
        return say_synced(f, true);
    return fs_file_sync_all(f->below);
}

static int do_truncate(struct fs_file *file, int64_t size)
{
    struct file *f = file_of(file);
    return is_old_index(f->owner, f->path) && size < f->old_size ? 0
                                                                 : fs_file_truncate(f->below, size);
}

static int64_t do_size(struct fs_file *file)
{
    return fs_file_size(file_of(file)->below);
}

static int do_lock(struct fs_file *file)
{
    return fs_file_lock(file_of(file)->below);
}

static void do_drop_cached(struct fs_file *file, int64_t position, int64_t size)
{
    fs_file_drop_cached(file_of(file)->below, position, size);
}

static bool do_is_cached(struct fs_file *file, int64_t position, size_t size)
{
    return fs_file_is_cached(file_of(file)->below, position, size);
}

static void do_close(struct fs_file *file)
{
    fs_file_close(file_of(file)->below);
    mem_free(file_of(file));
}

static const struct fs_file_ops file_ops = {.read = do_read,
                                            .read_cached = do_read_cached,
                                            .prefetch = do_prefetch,
                                            .write = do_write,
                                            .sync = do_sync,
                                            .sync_all = do_sync_all,
                                            .truncate = do_truncate,
                                            .size = do_size,
                                            .lock = do_lock,
                                            .is_cached = do_is_cached,
                                            .drop_cached = do_drop_cached,
                                            .close = do_close};

// ---- The file system ----

static struct planted_fs *fs_of(struct env_fs *fs)
{
    return container_of(fs, struct planted_fs, fs);
}

static int do_open(struct env_fs *fs, const char *path, unsigned flags, struct fs_file **out)
{
    struct planted_fs *p = fs_of(fs);
    struct fs_file *below;
    if (is_old_index(p, path))
        flags &= ~(unsigned)FS_TRUNCATE;
    int err = fs_open(p->below, path, flags, &below);
    if (err < 0)
        return err;
    struct file *f = mem_new(struct file);
    f->file.ops = &file_ops;
    f->owner = p;
    f->below = below;
    f->old_size = is_old_index(p, path) ? fs_file_size(below) : 0;
    str_copy_to(str_from(path), f->path, sizeof f->path);
    *out = &f->file;
    return 0;
}

static int do_stat(struct env_fs *fs, const char *path, struct fs_stat *out)
{
    return fs_stat(fs_of(fs)->below, path, out);
}

static int do_list(struct env_fs *fs, const char *path, fs_list_fn each, void *context)
{
    return fs_list(fs_of(fs)->below, path, each, context);
}

static int do_make_dir(struct env_fs *fs, const char *path)
{
    return fs_make_dir(fs_of(fs)->below, path);
}

static int do_rename(struct env_fs *fs, const char *from, const char *to)
{
    return fs_rename(fs_of(fs)->below, from, to);
}

static int do_remove(struct env_fs *fs, const char *path)
{
    return is_old_index(fs_of(fs), path) ? 0 : fs_remove(fs_of(fs)->below, path);
}

static int do_dir_sync(struct env_fs *fs, const char *path)
{
    return fs_dir_sync(fs_of(fs)->below, path);
}

static int do_set_read_only(struct env_fs *fs, const char *path)
{
    return fs_set_read_only(fs_of(fs)->below, path);
}

static int do_space(struct env_fs *fs, const char *path, struct fs_space *out)
{
    return fs_space(fs_of(fs)->below, path, out);
}

struct planted_fs *planted_fs_new(enum planted planted, struct process *process, uint64_t seed)
{
    struct planted_fs *p = mem_new(struct planted_fs);
    p->fs = (struct env_fs){.open = do_open,
                            .stat = do_stat,
                            .list = do_list,
                            .make_dir = do_make_dir,
                            .rename = do_rename,
                            .remove = do_remove,
                            .dir_sync = do_dir_sync,
                            .set_read_only = do_set_read_only,
                            .space = do_space};
    p->below = sim_fs_env(process->disk);
    p->planted = planted;
    p->process = process;
    prng_init(&p->prng, seed);
    list_init(&p->late);
    return p;
}

void planted_fs_free(struct planted_fs *p)
{
    planted_fs_crash(p);
    mem_free(p);
}

struct env_fs *planted_fs_env(struct planted_fs *p)
{
    return &p->fs;
}

void planted_fs_crash(struct planted_fs *p)
{
    struct list_node *node;
    while ((node = list_first(&p->late)) != NULL)
        late_free(container_of(node, struct late_sync, node));
}
