// SPDX-License-Identifier: Apache-2.0
//
// What a compaction reads: segments with any bytes. It must end, leave the log alone, and whatever it hands
// over must be whole batches inside of the offsets that were there.
//
// Input: a byte of flags, the segment.
#include <stdlib.h>

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "fuzz.h"
#include "log/cleaner_run.h"
#include "log/small_file.h"
#include "sim_env.h"
#include "sim_fs.h"

enum { OFFSETS_MAX = 1000, SEGMENTS = 2 };

// The CRCs, so that what lies behind them is reached.
static void set_crcs(uint8_t *bytes, size_t size)
{
    struct bytes rest = bytes_of(bytes, size), batch;
    struct batch_header h;
    while (batch_next(&rest, &h, &batch) == 1)
        if (h.magic == BATCH_MAGIC_CURRENT)
            batch_set_crc(bytes + (batch.data - bytes), batch.size);
}

static struct cleaner_plan plan_of(struct env_fs *fs, uint8_t flags, size_t size)
{
    struct cleaner_plan plan = {
        .fs = fs, .dir = "/d", .index_interval_bytes = 20, .segment_bytes = 1 << 20,
        .segment_index_bytes = 1000, .delete_retention_ms = 1000, .now_ms = 100000,
        .first_dirty = flags & 2 ? 3 : 0, .map_bytes_max = flags & 4 ? 24 * 4 : 1 << 16,
        .load_factor = 1, .io_bytes = 1, .source_count = SEGMENTS, .segment_count = SEGMENTS,
    };
    plan.sources = mem_alloc_array(SEGMENTS, sizeof *plan.sources);
    for (int i = 0; i < SEGMENTS; i++)
        plan.sources[i] = (struct segment_span){.base_offset = i * OFFSETS_MAX, .size = (int64_t)size,
                                                .end_offset = (i + 1) * OFFSETS_MAX};
    plan.producers = mem_alloc_array(1, sizeof *plan.producers);
    plan.producers[plan.producer_count++] = (struct cleaner_producer){.producer_id = 1, .last_offset = 5};
    return plan;
}

static void check_output(struct cleaner_run *r, struct env_fs *fs)
{
    char path[FS_PATH_MAX];
    struct buf bytes;
    struct bytes rest, batch;
    struct batch_header h;
    int64_t next = r->plan.sources[r->group_first].base_offset;
    int64_t end = r->plan.sources[r->group_first + r->group_count - 1].end_offset;
    int got;
    buf_init(&bytes, 1 << 24);
    check(segment_path(&r->env, r->output, LOG_FILE_LOG, path));
    check(small_file_read(fs, path, &bytes) == 0);
    rest = buf_bytes(&bytes);
    while ((got = batch_next(&rest, &h, &batch)) == 1) {
        check(batch_crc_is_valid(batch) && h.base_offset >= next && batch_last_offset(&h) < end);
        next = batch_last_offset(&h) + 1;
    }
    check(got == 0);
    buf_release(&bytes);
    segment_free(&r->env, r->output);
    r->output = NULL;
}

static void run(struct env_fs *fs, const struct cleaner_plan *plan)
{
    struct cleaner_run r;
    int got;
    cleaner_run_begin(&r, plan);
    do {
        got = cleaner_run_step(&r);
        if (got == CLEANER_GROUP)
            check_output(&r, fs);
    } while (got > 0);
    check(got == 0 || r.problem[0] != '\0');
    cleaner_run_end(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sim sim;
    struct sim_env shard;
    if (size < 1 || size > 1 << 16)
        return 0;
    uint8_t flags = *data++;
    size--;
    sim_init(&sim, 1);
    sim_env_init(&shard, &sim, NULL);
    struct sim_fs *disk = sim_fs_new(1, &shard.clock);
    struct env_fs *fs = sim_fs_env(disk);
    uint8_t *log = mem_alloc(size + 1);
    memcpy(log, data, size);
    check(fs_make_dir(fs, "/d") == 0);
    if (flags & 1)
        set_crcs(log, size);
    check(small_file_write(fs, "/d/00000000000000000000.log", bytes_of(log, size), false) == 0);
    // The same once more, a segment later.
    struct bytes rest = bytes_of(log, size), batch;
    struct batch_header h;
    while (batch_next(&rest, &h, &batch) == 1 && h.base_offset <= INT64_MAX - OFFSETS_MAX)
        batch_set_base_offset(log + (batch.data - log), h.base_offset + OFFSETS_MAX);
    check(small_file_write(fs, "/d/00000000000000001000.log", bytes_of(log, size), false) == 0);
    struct cleaner_plan plan = plan_of(fs, flags, size);
    run(fs, &plan);
    mem_free(log);
    sim_fs_free(disk);
    sim_env_release(&shard);
    sim_release(&sim);
    return 0;
}
