// SPDX-License-Identifier: Apache-2.0
#include "broker/cold_read.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/list.h"
#include "env/env.h"

static void run(struct env_work *work)
{
    struct cold_read *read = container_of(work, struct cold_read, work);
    for (int i = 0; i < read->count; i++) {
        struct cold_range *range = &read->ranges[i];
        if (range->slice != NULL)
            log_slice_warm(range->slice, read->env->workers);
        else
            log_warm_run(&range->warm);
    }
}

static void done(struct env_work *work)
{
    struct cold_read *read = container_of(work, struct cold_read, work);
    for (int i = 0; i < read->count; i++)
        if (read->ranges[i].slice == NULL)
            log_warm_end(&read->ranges[i].warm);
    read->done(read);
}

bool cold_read_init(struct cold_read *read, struct arena *arena, struct env *env, int capacity)
{
    *read = (struct cold_read){.env = env, .capacity = capacity};
    read->ranges = arena_alloc_array(arena, (size_t)capacity, sizeof *read->ranges);
    return read->ranges != NULL;
}

static struct cold_range *add(struct cold_read *read)
{
    check(read->count < read->capacity);
    return &read->ranges[read->count++];
}

void cold_read_add_place(struct cold_read *read, struct log *log, int64_t offset, size_t bytes)
{
    struct cold_range *range = add(read);
    range->slice = NULL;
    log_warm_begin(log, offset, bytes, read->env->workers, &range->warm);
}

void cold_read_add_slice(struct cold_read *read, const struct log_slice *slice)
{
    add(read)->slice = slice;
}

bool cold_read_start(struct cold_read *read, void (*finished)(struct cold_read *read))
{
    if (read->count == 0)
        return false;
    read->done = finished;
    read->work = (struct env_work){.run = run, .done = done, .bulk = true};
    env_work_submit(read->env->workers, &read->work);
    return true;
}
