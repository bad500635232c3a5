// SPDX-License-Identifier: Apache-2.0
#include "controller/controller.h"

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "controller/internal.h"

struct controller *controller_new(const struct controller_options *options)
{
    struct controller *c = mem_new(struct controller);
    c->cluster_id = mem_copy_str(options->cluster_id);
    c->config = options->config;
    c->session_timeout_ms = options->session_timeout_ms;
    c->trace = options->trace;
    list_init(&c->waiters);
    return c;
}

void controller_free(struct controller *c)
{
    if (c == NULL)
        return;
    check(list_empty(&c->waiters));
    metadata_image_unref(c->image);
    mem_free(c->sessions);
    mem_free(c->cluster_id);
    mem_free(c);
}

void controller_resign(struct controller *c)
{
    // Appending the records of the command at hand may be what ends the leadership.
    c->lost_in_command = c->in_command;
    metadata_image_unref(c->image);
    c->image = NULL;
    c->session_count = 0;
}

bool controller_is_active(const struct controller *c)
{
    return c->image != NULL;
}

const struct metadata_image *controller_image(const struct controller *c)
{
    return c->image;
}

void controller_wait(struct controller *c, struct controller_waiter *w, int64_t offset)
{
    w->offset = offset;
    // Offsets rise with time, so the place is nearly always the end.
    struct list_node *after = c->waiters.head.prev;
    while (after != &c->waiters.head &&
           container_of(after, struct controller_waiter, node)->offset > offset)
        after = after->prev;
    list_insert_before(after->next, &w->node);
}

struct controller_waiter *controller_next_committed(struct controller *c, int64_t high_watermark)
{
    struct list_node *first = list_first(&c->waiters);
    if (first == NULL)
        return NULL;
    struct controller_waiter *w = container_of(first, struct controller_waiter, node);
    if (w->offset > high_watermark)
        return NULL;
    list_remove(&w->node);
    return w;
}

struct controller_waiter *controller_next_lost(struct controller *c)
{
    struct list_node *first = list_pop(&c->waiters);
    return first != NULL ? container_of(first, struct controller_waiter, node) : NULL;
}

void controller_wait_cancel(struct controller *c, struct controller_waiter *w)
{
    list_remove(&w->node);
}
