// SPDX-License-Identifier: Apache-2.0
#include "broker/metadata_snapshots.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/trace.h"
#include "config/config.h"
#include "env/clock.h"
#include "env/env.h"
#include "env/fs.h"
#include "log/dir.h"
#include "log/log.h"
#include "log/small_file.h"
#include "metadata/image.h"
#include "metadata/loader.h"
#include "metadata/snapshot.h"
#include "raft/raft.h"

// About a millisecond of replay at the next start.
enum { LAST_SNAPSHOT_BYTES_MIN = 128 << 10 };

static const char area[] = "snapshots";

static const char *directory(const struct metadata_snapshots *s)
{
    return log_path(s->log);
}

static void path_of(const struct metadata_snapshots *s, const char *name, char out[FS_PATH_MAX])
{
    snprintf(out, FS_PATH_MAX, "%s/%s", directory(s), name);
}

// --- Finding and loading ---

struct found {
    struct metadata_snapshots *s;
    struct {
        struct snapshot_id id;
        int64_t size;
    } items[METADATA_SNAPSHOTS_MAX];
    int count;
    int err;
};

static int find_one(void *context, const char *name, enum fs_kind kind)
{
    struct found *found = context;
    struct snapshot_id id;
    enum snapshot_state state;
    char path[FS_PATH_MAX];
    if (kind != FS_KIND_FILE || !snapshot_name_parse(str_from(name), &id, &state))
        return 0;
    path_of(found->s, name, path);
    if (state != SNAPSHOT_COMPLETE) {
        fs_remove(found->s->env->fs, path);
        return 0;
    }
    if (found->count == METADATA_SNAPSHOTS_MAX)
        return ERR_LIMIT;
    struct fs_stat stat;
    int err = fs_stat(found->s->env->fs, path, &stat);
    if (err != ERR_OK)
        return err;
    found->items[found->count].id = id;
    found->items[found->count++].size = stat.size;
    return 0;
}

static int compare_found(const void *a, const void *b)
{
    // The id is the first member of an item.
    return snapshot_id_compare(*(const struct snapshot_id *)a, *(const struct snapshot_id *)b);
}

static int find_all(struct metadata_snapshots *s, struct diag *diag)
{
    struct found *found = mem_new(struct found);
    found->s = s;
    int err = fs_list(s->env->fs, directory(s), find_one, found);
    if (err == ERR_OK) {
        qsort(found->items, (size_t)found->count, sizeof found->items[0], compare_found);
        s->count = found->count;
        for (int i = 0; i < found->count; i++) {
            s->ids[i] = found->items[i].id;
            s->sizes[i] = found->items[i].size;
        }
    } else {
        diag_set(diag, err, "cannot list the snapshots in %s: %s", directory(s), err_text(err));
    }
    mem_free(found);
    return err;
}

static bool is_bootstrap(struct snapshot_id id)
{
    return id.end_offset == 0;
}

// Reads one file and gives it to whoever wants it.
static int load_file(struct metadata_snapshots *s, const char *path, struct snapshot_id id,
                     struct metadata_loader *loader, struct raft *raft, struct diag *diag)
{
    struct buf data;
    buf_init(&data, METADATA_SNAPSHOT_BYTES_MAX);
    int err = small_file_read(s->env->fs, path, &data);
    if (err != ERR_OK)
        diag_set(diag, err, "%s", err_text(err));
    if (err == ERR_OK)
        err = metadata_loader_snapshot(loader, buf_bytes(&data), id.end_offset, id.epoch, diag);
    if (err == ERR_OK && raft != NULL)
        err = raft_load(raft, buf_bytes(&data), diag);
    if (err != ERR_OK)
        diag_prefix(diag, "cannot load the metadata snapshot %s", path);
    buf_release(&data);
    return err;
}

// The image of a bootstrap file, or NULL when there is no such file.
static int load_bootstrap(struct metadata_snapshots *s, const char *path, struct raft *raft,
                          const struct metadata_image **out, struct diag *diag)
{
    struct fs_stat stat;
    if (fs_stat(s->env->fs, path, &stat) != ERR_OK)
        return ERR_OK;
    struct metadata_loader *loader = metadata_loader_new();
    int err = load_file(s, path, (struct snapshot_id){0, 0}, loader, raft, diag);
    if (err == ERR_OK)
        *out = metadata_image_ref(metadata_loader_image(loader));
    metadata_loader_free(loader);
    return err;
}

// The newest snapshot cannot be read: true if the log reaches back to the one before it, or to the
// beginning. Then it is put out of the way, since no later one may build on it.
static bool set_aside(struct metadata_snapshots *s, const char *path, struct diag *diag)
{
    char aside[FS_PATH_MAX];
    int64_t before = s->count > 1 ? s->ids[s->count - 2].end_offset : 0;
    if (log_start_offset(s->log) > before)
        return false;
    int size = snprintf(aside, sizeof aside, "%s.damaged", path);
    if (size < 0 || size >= FS_PATH_MAX || fs_rename(s->env->fs, path, aside) != ERR_OK)
        return false;
    s->count--;
    trace_error(s->trace, area, "%s; nothing is lost: the log reaches back to offset %lld. Renamed to "
                "...damaged", diag->text, (long long)before);
    diag_clear(diag);
    return true;
}

int metadata_snapshots_load(struct metadata_snapshots *s, struct metadata_loader *loader,
                            struct raft *raft, const struct metadata_image **bootstrap,
                            struct snapshot_id *latest, struct diag *diag)
{
    char path[FS_PATH_MAX];
    int err = find_all(s, diag);
    if (err != ERR_OK)
        return err;
    *latest = metadata_snapshots_latest(s);
    path_of(s, snapshot_name_format((struct snapshot_id){0, 0}).text, path);
    // Voters come from the newest snapshot; 0-0 counts for them only while it is the newest.
    err = load_bootstrap(s, path, is_bootstrap(*latest) ? raft : NULL, bootstrap, diag);
    if (err == ERR_CORRUPT && !is_bootstrap(*latest)) {
        trace_error(s->trace, area, "%s; nothing is lost: a later one stands for it", diag->text);
        diag_clear(diag);
        err = ERR_OK;
    }
    if (err == ERR_OK && *bootstrap == NULL) {
        snprintf(path, sizeof path, "%s/bootstrap.checkpoint", log_dir_path(log_home(s->log)));
        err = load_bootstrap(s, path, NULL, bootstrap, diag);
        if (*bootstrap == NULL && err == ERR_OK && s->count == 0 && log_end_offset(s->log) > 0)
            trace_error(s->trace, area, "%s has no snapshot any more, not even the first; the metadata "
                        "is read from the log, which is whole", directory(s));
    }
    while (err == ERR_OK && !is_bootstrap(*latest)) {
        path_of(s, snapshot_name_format(*latest).text, path);
        err = load_file(s, path, *latest, loader, raft, diag);
        if (err != ERR_CORRUPT || !set_aside(s, path, diag))
            break;
        *latest = metadata_snapshots_latest(s);
        err = ERR_OK;
    }
    return err;
}

struct snapshot_id metadata_snapshots_latest(const struct metadata_snapshots *s)
{
    return s->count > 0 ? s->ids[s->count - 1] : (struct snapshot_id){0, 0};
}

// --- Writing ---

static void write_file(struct env_work *work)
{
    struct metadata_snapshots *s = container_of(work, struct metadata_snapshots, work);
    char path[FS_PATH_MAX];
    path_of(s, snapshot_name_format(s->writing_id).text, path);
    s->result = small_file_replace(s->env->fs, path, buf_bytes(&s->data));
    if (s->result == ERR_OK)
        s->result = fs_set_read_only(s->env->fs, path);
}

static bool should_drop_oldest(const struct metadata_snapshots *s)
{
    // The oldest may go only if a newer one stands in for it.
    if (s->count < 2)
        return false;
    int64_t total = log_size_bytes(s->log);
    for (int i = 0; i < s->count; i++)
        total += s->sizes[i];
    int64_t retention_bytes = config_i64(s->config, "metadata.max.retention.bytes");
    return s->count >= METADATA_SNAPSHOTS_MAX || is_bootstrap(s->ids[0]) ||
           (retention_bytes >= 0 && total > retention_bytes);
}

static void drop_oldest(struct metadata_snapshots *s)
{
    char path[FS_PATH_MAX];
    // First the log begins at the next snapshot, then the older one may go: never a log without one.
    int64_t start = s->ids[1].end_offset;
    if (!is_bootstrap(s->ids[0]) && start > log_start_offset(s->log) &&
        log_set_start_offset(s->log, start) != ERR_OK)
        return;
    path_of(s, snapshot_name_format(s->ids[0]).text, path);
    int err = fs_remove(s->env->fs, path);
    if (err != ERR_OK)
        trace_warn(s->trace, area, "cannot remove %s: %s", path, err_text(err));
    s->count--;
    for (int i = 0; i < s->count; i++) {
        s->ids[i] = s->ids[i + 1];
        s->sizes[i] = s->sizes[i + 1];
    }
    log_dir_save(log_home(s->log), LOG_SAVE_START_OFFSETS, NULL);
}

static void timer_fire(struct env_timer *timer)
{
    struct metadata_snapshots *s = container_of(timer, struct metadata_snapshots, timer);
    s->due(s->owner);
}

// What changed is in a snapshot when the interval is over, even if nothing changes any more.
static void wait_for_interval(struct metadata_snapshots *s, int64_t now_ms)
{
    int64_t interval_ms = config_i64(s->config, "metadata.log.max.snapshot.interval.ms");
    int64_t delay_ms = interval_ms - (now_ms - s->newest_ms), delay_ns;
    if (interval_ms <= 0 || s->bytes_since == 0 || s->due == NULL || s->stopping ||
        env_timer_is_set(&s->timer))
        return;
    int64_t now_ns = env_mono_ns(s->env->clock);
    if (__builtin_mul_overflow(delay_ms > 1 ? delay_ms : 1, INT64_C(1000000), &delay_ns) ||
        delay_ns > INT64_MAX - now_ns)
        return;
    env_timer_set(s->env->timers, &s->timer, now_ns + delay_ns);
}

static void written(struct env_work *work)
{
    struct metadata_snapshots *s = container_of(work, struct metadata_snapshots, work);
    s->writing = false;
    int64_t size = (int64_t)s->data.size;
    buf_release(&s->data);
    if (s->result != ERR_OK) {
        // Nothing depends on it: the log is complete without.
        trace_error(s->trace, area, "cannot write a metadata snapshot in %s: %s", directory(s),
                    err_text(s->result));
        return;
    }
    s->ids[s->count] = s->writing_id;
    s->sizes[s->count++] = size;
    const struct trace_field fields[] = {
        {"offset", .number = s->writing_id.end_offset}, {"size_bytes", .number = size}, {0}};
    trace_event(s->trace, TRACE_INFO, area, fields, "metadata snapshot at offset %lld, %lld bytes",
               (long long)s->writing_id.end_offset, (long long)size);
    while (should_drop_oldest(s))
        drop_oldest(s);
    wait_for_interval(s, env_wall_ms(s->env->clock)); // for what came while it was written
}

static bool is_due(const struct metadata_snapshots *s, int64_t now_ms)
{
    int64_t bytes_max = config_i64(s->config, "metadata.log.max.record.bytes.between.snapshots");
    int64_t interval_ms = config_i64(s->config, "metadata.log.max.snapshot.interval.ms");
    return s->bytes_since >= bytes_max ||
           (interval_ms > 0 && s->bytes_since > 0 && now_ms - s->newest_ms >= interval_ms);
}

static struct snapshot_id id_of(const struct metadata_image *image)
{
    return (struct snapshot_id){metadata_image_offset(image) + 1, metadata_image_epoch(image)};
}

static bool is_new(const struct metadata_snapshots *s, const struct metadata_image *image)
{
    return id_of(image).end_offset > metadata_snapshots_latest(s).end_offset;
}

static void begin(struct metadata_snapshots *s, const struct raft *raft,
                  const struct metadata_image *image, int64_t now_ms)
{
    env_timer_cancel(s->env->timers, &s->timer);
    struct metadata_snapshot_options options = {
        .epoch = metadata_image_epoch(image),
        .now_ms = now_ms,
        .last_contained_log_time_ms = now_ms,
        .kraft_version = raft_kraft_version(raft),
        .voters_record = raft_voters_record(raft),
    };
    buf_clear(&s->data);
    int err = metadata_snapshot_write(image, &options, &s->data);
    if (err != ERR_OK) {
        trace_error(s->trace, area, "cannot encode a metadata snapshot: %s", err_text(err));
        buf_release(&s->data);
        return;
    }
    s->bytes_since = 0;
    s->newest_ms = now_ms;
    s->writing = true;
    s->writing_id = id_of(image);
    env_work_submit(s->env->workers, &s->work);
}

void metadata_snapshots_consider(struct metadata_snapshots *s, const struct raft *raft,
                                 const struct metadata_image *image)
{
    int64_t now_ms = env_wall_ms(s->env->clock);
    if (s->writing || s->stopping || !is_new(s, image))
        return;
    if (is_due(s, now_ms))
        begin(s, raft, image, now_ms);
    else
        wait_for_interval(s, now_ms);
}

void metadata_snapshots_last(struct metadata_snapshots *s, const struct raft *raft,
                             const struct metadata_image *image)
{
    if (!s->writing && !s->stopping && s->bytes_since >= LAST_SNAPSHOT_BYTES_MIN && is_new(s, image))
        begin(s, raft, image, env_wall_ms(s->env->clock));
}

void metadata_snapshots_add(struct metadata_snapshots *s, size_t bytes)
{
    s->bytes_since += (int64_t)bytes;
}

void metadata_snapshots_stop(struct metadata_snapshots *s)
{
    s->stopping = true;
    env_timer_cancel(s->env->timers, &s->timer);
}

void metadata_snapshots_init(struct metadata_snapshots *s, struct env *env, struct trace *trace,
                             const struct config *config, struct log *log)
{
    *s = (struct metadata_snapshots){
        .env = env,
        .trace = trace,
        .config = config,
        .log = log,
        .ids = mem_alloc_array(METADATA_SNAPSHOTS_MAX + 1, sizeof *s->ids),
        .sizes = mem_alloc_array(METADATA_SNAPSHOTS_MAX + 1, sizeof *s->sizes),
        .newest_ms = env_wall_ms(env->clock),
        .work = {.run = write_file, .done = written},
        .timer.fire = timer_fire,
    };
    buf_init(&s->data, METADATA_SNAPSHOT_BYTES_MAX);
}

void metadata_snapshots_release(struct metadata_snapshots *s)
{
    check(!s->writing);
    if (s->env == NULL)
        return; // never initialised: the metadata log could not be opened
    env_timer_cancel(s->env->timers, &s->timer);
    buf_release(&s->data);
    mem_free(s->ids);
    mem_free(s->sizes);
}
