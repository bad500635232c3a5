// SPDX-License-Identifier: Apache-2.0
#include "broker/cold_read.h"

#include "base/list.h"
#include "base/mem.h"
#include "env/env.h"
#include "env/fs.h"

enum { PIECE_BYTES = 256 * 1024 };

bool cold_range_is_cold(const struct cold_range *range)
{
    return !fs_file_is_cached(range->file, range->position, (size_t)range->size);
}

static void run(struct env_work *work)
{
    const struct cold_read *read = container_of(work, struct cold_read, work);
    void *piece = mem_alloc(PIECE_BYTES);
    for (int i = 0; i < read->count; i++) {
        const struct cold_range *range = &read->ranges[i];
        for (int64_t at = 0; at < range->size; at += PIECE_BYTES) {
            int64_t left = range->size - at;
            size_t size = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;
            if (fs_file_read(range->file, piece, size, range->position + at) < 0)
                break;
        }
    }
    mem_free(piece);
}

static void done(struct env_work *work)
{
    struct cold_read *read = container_of(work, struct cold_read, work);
    read->done(read);
}

void cold_read_start(struct env *env, struct cold_read *read)
{
    read->work = (struct env_work){.run = run, .done = done, .bulk = true};
    env_work_submit(env->workers, &read->work);
}
