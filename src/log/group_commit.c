// SPDX-License-Identifier: Apache-2.0
#include "log/commit.h"

#include "base/check.h"
#include "base/list.h"
#include "base/mem.h"
#include "env/env.h"
#include "env/mailbox.h"
#include "env/work.h"
#include "log/internal.h"

// A group's logs are shared out to so many works, whose syncs the device and its file system do side
// by side; more gain little.
enum { WORKS_MAX = 4 };

struct log_commit_entry {
    struct log_sync sync;
};

struct group_work {
    struct env_work work;
    struct group_commit *group;
    int from; // in the group's sync_list
    int count;
};

struct group_commit {
    struct log_committer base;
    struct env *env;
    struct list waiting;        // logs that gather for the next group
    struct env_message message; // starts a group at the end of the current event
    bool posted;
    struct group_work works[WORKS_MAX];
    int running_count; // of works; the group in flight is done when all of them are
    struct log_commit_entry *entries; // of the group in flight
    struct log_sync **sync_list;
    int entry_count;
    struct group_commit_stats stats;
};

static struct group_commit *self_of(struct log_committer *committer)
{
    return container_of(committer, struct group_commit, base);
}

static void group_post(struct group_commit *g)
{
    if (g->posted || g->running_count > 0 || list_empty(&g->waiting))
        return;
    g->posted = true;
    env_post(g->env->mailbox, &g->message);
}

static void group_run(struct env_work *work)
{
    struct group_work *w = container_of(work, struct group_work, work);
    log__sync_run(w->group->sync_list + w->from, w->count);
}

// Owners are called here; they may append, add logs and remove others.
static void end_entries(struct group_commit *g, bool failed)
{
    for (int i = 0; i < g->entry_count; i++) {
        struct log_sync *s = &g->entries[i].sync;
        if ((s->err < 0) != failed)
            continue;
        g->stats.file_syncs += s->syncs;
        if (s->log != NULL) {
            s->log->commit_entry = NULL;
            g->stats.logs++;
        }
        log__sync_end(s);
    }
}

static void group_done(struct env_work *work)
{
    struct group_commit *g = container_of(work, struct group_work, work)->group;
    if (g->running_count > 1) {
        g->running_count--;
        return;
    }
    g->stats.groups++;
    // What failed takes its directory offline, and with it the others of the group: a device that could not
    // sync one file is not believed when it says at the same time that it could sync another.
    end_entries(g, true);
    end_entries(g, false);
    mem_free(g->entries);
    mem_free(g->sync_list);
    g->entries = NULL;
    g->sync_list = NULL;
    g->entry_count = 0;
    g->running_count = 0;
    group_post(g);
}

static void group_begin(struct group_commit *g, struct log *log)
{
    struct log_commit_entry *entry = &g->entries[g->entry_count];
    if (log_is_offline(log))
        return;
    int err = log__sync_begin(log, 0, &entry->sync);
    if (err < 0) {
        log__failed(log, err, "committing");
        return;
    }
    log->commit_entry = entry;
    g->sync_list[g->entry_count++] = &entry->sync;
}

static void group_submit(struct group_commit *g)
{
    int works = log__sync_is_divisible(g->sync_list, g->entry_count) ? WORKS_MAX : 1;
    if (works > g->entry_count)
        works = g->entry_count > 0 ? g->entry_count : 1;
    g->running_count = works;
    for (int i = 0, from = 0; i < works; i++) {
        int until = g->entry_count * (i + 1) / works;
        struct group_work *w = &g->works[i];
        *w = (struct group_work){.work = {.run = group_run, .done = group_done},
                                 .group = g, .from = from, .count = until - from};
        from = until;
        env_work_submit(g->env->workers, &w->work);
    }
}

static void group_start(struct env_message *message)
{
    struct group_commit *g = container_of(message, struct group_commit, message);
    g->posted = false;
    size_t count = 0;
    list_for_each(node, next, &g->waiting)
        count++;
    if (count == 0)
        return;
    g->entries = mem_alloc_array(count, sizeof *g->entries);
    g->sync_list = mem_alloc_array(count, sizeof(struct log_sync *));
    struct list_node *node;
    while ((node = list_pop(&g->waiting)) != NULL)
        group_begin(g, container_of(node, struct log, commit_node));
    group_submit(g);
}

static void group_add(struct log_committer *committer, struct log *log)
{
    struct group_commit *g = self_of(committer);
    if (list_linked(&log->commit_node) || log_is_offline(log))
        return;
    list_append(&g->waiting, &log->commit_node);
    group_post(g);
}

static void group_remove(struct log_committer *committer, struct log *log)
{
    list_remove(&log->commit_node);
    if (log->commit_entry != NULL) {
        log__sync_forget(&log->commit_entry->sync);
        log->commit_entry = NULL;
    }
}

static bool group_is_idle(const struct log_committer *committer)
{
    const struct group_commit *g = container_of(committer, struct group_commit, base);
    return g->running_count == 0 && !g->posted && list_empty(&g->waiting);
}

static const struct log_committer_ops group_ops = {
    .add = group_add, .remove = group_remove, .is_idle = group_is_idle};

struct log_committer *group_commit_new(struct env *env)
{
    struct group_commit *g = mem_new(struct group_commit);
    g->base.ops = &group_ops;
    g->env = env;
    g->message.receive = group_start;
    list_init(&g->waiting);
    return &g->base;
}

void group_commit_free(struct log_committer *committer)
{
    if (committer == NULL)
        return;
    check(group_is_idle(committer));
    mem_free(self_of(committer));
}

void group_commit_get_stats(const struct log_committer *committer, struct group_commit_stats *out)
{
    *out = container_of(committer, struct group_commit, base)->stats;
}
