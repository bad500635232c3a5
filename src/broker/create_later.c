// SPDX-License-Identifier: Apache-2.0
#include "broker/create_later.h"

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"

struct dir_waits {
    struct log_save_wait save;
    bool saving;
    struct create_later *owner;
    struct log_dir *dir;
    struct list nodes;
};

struct create_later {
    struct create_later_args args;
    struct dir_waits *dirs; // parallel to args.dirs
};

static void save_done(struct log_save_wait *wait, int err);

static void save(struct dir_waits *w)
{
    if (w->saving || list_empty(&w->nodes) || log_dir_is_offline(w->dir))
        return;
    w->saving = true;
    w->save.done = save_done;
    log_dir_save(w->dir, LOG_SAVE_ENTRIES, &w->save);
}

static void save_done(struct log_save_wait *wait, int err)
{
    struct dir_waits *w = container_of(wait, struct dir_waits, save);
    const struct create_later_args *args = &w->owner->args;
    struct list nodes;
    struct list_node *node;
    w->saving = false;
    if (err < 0) {
        if (!list_empty(&w->nodes) && !log_dir_is_offline(w->dir))
            args->failed(args->owner);
        return;
    }
    list_init(&nodes);
    list_move_all(&nodes, &w->nodes);
    while ((node = list_pop(&nodes)) != NULL)
        args->create(args->owner, node, w->dir);
}

struct create_later *create_later_new(const struct create_later_args *args)
{
    struct create_later *c = mem_new(struct create_later);
    c->args = *args;
    c->dirs = mem_alloc_array((size_t)args->dir_count + 1, sizeof *c->dirs);
    for (int i = 0; i < args->dir_count; i++) {
        struct dir_waits *w = &c->dirs[i];
        *w = (struct dir_waits){.owner = c, .dir = args->dirs[i]};
        list_init(&w->nodes);
    }
    return c;
}

void create_later_free(struct create_later *c)
{
    if (c == NULL)
        return;
    for (int i = 0; i < c->args.dir_count; i++) {
        check(!c->dirs[i].saving);
        while (list_pop(&c->dirs[i].nodes) != NULL)
            ;
    }
    mem_free(c->dirs);
    mem_free(c);
}

void create_later_add(struct create_later *c, struct log_dir *dir, struct list_node *node)
{
    for (int i = 0; i < c->args.dir_count; i++) {
        struct dir_waits *w = &c->dirs[i];
        if (w->dir != dir)
            continue;
        list_append(&w->nodes, node);
        save(w);
        return;
    }
    check(false);
}

void create_later_retry(struct create_later *c)
{
    for (int i = 0; i < c->args.dir_count; i++)
        save(&c->dirs[i]);
}
