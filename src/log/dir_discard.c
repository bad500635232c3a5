// SPDX-License-Identifier: Apache-2.0
//
// Delayed deletion: files and directories that were renamed out of the way are removed by a work when
// file.delete.delay.ms is over. What is left at a crash is found again at the next start.
#include <stdio.h>

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "env/clock.h"
#include "log/dir_internal.h"
#include "log/dir_state.h"
#include "log/names.h"
#include "log/small_file.h"

struct discard {
    struct list_node node;
    int64_t due_ns;
    bool is_dir;
    char path[];
};

static void discard_free(struct list_node *node)
{
    mem_free(container_of(node, struct discard, node));
}

// Sets the timer to the earliest, unless a work runs (which sets it when it is done).
static void schedule(struct log_dir *dir)
{
    struct dir_discards *d = &dir->discards;
    int64_t due_ns = INT64_MAX;
    list_for_each(node, next, &d->items) {
        const struct discard *item = container_of(node, struct discard, node);
        if (item->due_ns < due_ns)
            due_ns = item->due_ns;
    }
    if (due_ns != INT64_MAX && !d->running)
        env_timer_set(dir->env->timers, &d->timer, due_ns);
}

struct remove_context {
    struct env_fs *fs;
    const char *dir;
};

static int remove_entry(void *context, const char *name, enum fs_kind kind)
{
    const struct remove_context *c = context;
    char path[FS_PATH_MAX];
    return path_join(path, c->dir, name) ? small_file_remove(c->fs, path) : ERR_LIMIT;
}

static void remove_run(struct env_work *work)
{
    struct log_dir *dir = container_of(work, struct log_dir, discards.work);
    list_for_each(node, next, &dir->discards.removing) {
        const struct discard *item = container_of(node, struct discard, node);
        struct remove_context context = {.fs = dir->env->fs, .dir = item->path};
        // A failure leaves a file with a telling name, which the next start tries again.
        if (item->is_dir)
            fs_list(dir->env->fs, item->path, remove_entry, &context);
        small_file_remove(dir->env->fs, item->path);
    }
}

static void remove_done(struct env_work *work)
{
    struct log_dir *dir = container_of(work, struct log_dir, discards.work);
    struct list_node *node;
    while ((node = list_pop(&dir->discards.removing)) != NULL)
        discard_free(node);
    dir->discards.running = false;
    schedule(dir);
}

static void fire(struct env_timer *timer)
{
    struct log_dir *dir = container_of(timer, struct log_dir, discards.timer);
    struct dir_discards *d = &dir->discards;
    int64_t now_ns = env_mono_ns(dir->env->clock);
    if (dir->offline || dir->closed || d->running)
        return;
    list_for_each(node, next, &d->items) {
        if (container_of(node, struct discard, node)->due_ns > now_ns)
            continue;
        list_remove(node);
        list_append(&d->removing, node);
    }
    if (list_empty(&d->removing)) {
        schedule(dir);
        return;
    }
    d->running = true;
    d->work = (struct env_work){.run = remove_run, .done = remove_done, .bulk = true};
    env_work_submit(dir->env->workers, &d->work);
}

void dir__discards_init(struct log_dir *dir)
{
    list_init(&dir->discards.items);
    list_init(&dir->discards.removing);
    dir->discards.timer.fire = fire;
}

void dir__discards_release(struct log_dir *dir)
{
    check(!dir->discards.running);
    env_timer_cancel(dir->env->timers, &dir->discards.timer);
    struct list_node *node;
    while ((node = list_pop(&dir->discards.items)) != NULL)
        discard_free(node);
}

void dir__discard_now(struct log_dir *dir)
{
    list_for_each(node, next, &dir->discards.items)
        container_of(node, struct discard, node)->due_ns = 0;
    schedule(dir);
}

void log_dir__discard(struct log_dir *dir, const char *path, bool is_dir, int64_t delay_ms)
{
    size_t size = strlen(path) + 1;
    struct discard *item = mem_alloc_zero(sizeof *item + size);
    memcpy(item->path, path, size);
    item->is_dir = is_dir;
    item->due_ns = dir->space.full ? 0
                                   : env_mono_ns(dir->env->clock) +
                                         (delay_ms > 0 ? delay_ms : 0) * 1000000;
    list_append(&dir->discards.items, &item->node);
    schedule(dir);
}
