// SPDX-License-Identifier: Apache-2.0
//
// What the tests of the log share: a world with a file system in memory, and one partition in it.
#pragma once

// cmocka.h needs these before it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/err.h"
#include "log/log.h"
#include "sim_env.h"
#include "sim_fs.h"
#include "wire/batch.h"

struct world {
    struct sim sim;
    struct sim_env shard;
    struct sim_fs *fs;
    struct log_args args;
};

static inline void world_init(struct world *w)
{
    *w = (struct world){0};
    sim_init(&w->sim, 1);
    sim_env_init(&w->shard, &w->sim, NULL);
    w->fs = sim_fs_new(2, &w->shard.clock);
    w->shard.env.fs = sim_fs_env(w->fs);
    assert_int_equal(fs_make_dir(w->shard.env.fs, "/d"), 0);
    w->args = (struct log_args){
        .fs = w->shard.env.fs,
        .clock = &w->shard.clock,
        .dir_path = "/d",
        .topic = str_from("t"),
        .topic_id = uuid_from_halves(7, 7),
        .config = LOG_CONFIG_DEFAULTS,
        .recovery_point = -1,
        .log_start_offset = -1,
        .high_watermark = -1,
        .cleaner_offset = -1,
    };
    w->args.config.producer_id_expiration_ms = INT64_C(1) << 40;
}

static inline void world_release(struct world *w)
{
    assert_int_equal(sim_fs_open_count(w->fs), 0);
    sim_env_release(&w->shard);
    sim_release(&w->sim);
    sim_fs_free(w->fs);
}

static inline struct log *world_create(struct world *w)
{
    struct log *log = NULL;
    struct diag diag;
    assert_int_equal(log_create(&w->args, &log, &diag), 0);
    return log;
}

static inline struct log *world_open(struct world *w)
{
    struct log *log = NULL;
    struct diag diag;
    assert_int_equal(log_open(&w->args, &log, &diag), 0);
    return log;
}

// A batch of `count` records whose values have `size` bytes.
static inline void make_batch(struct buf *out, int count, size_t size, int64_t timestamp,
                              int64_t producer_id, int16_t epoch, int32_t sequence, int16_t attributes)
{
    static const uint8_t value[2000] = {1, 2, 3};
    struct batch_options options = BATCH_OPTIONS_DEFAULT;
    struct batch_builder b;
    options.producer_id = producer_id;
    options.producer_epoch = epoch;
    options.base_sequence = sequence;
    options.attributes = attributes;
    buf_init(out, 1 << 20);
    batch_builder_begin(&b, out, &options);
    for (int i = 0; i < count; i++)
        batch_builder_add(&b, timestamp + i, (struct bytes){0}, bytes_of(value, size), NULL, 0);
    assert_int_equal(batch_builder_finish(&b, NULL), 0);
}

static inline int append_batch(struct log *log, struct buf *batch, struct log_append_info *info)
{
    int err = log_append(log, batch->data, batch->size, 3, 1700000000000, info);
    buf_release(batch);
    return err;
}

// Appends plain records, which must work; returns the base offset.
static inline int64_t append_plain(struct log *log, int count, size_t size, int64_t timestamp)
{
    struct buf batch;
    struct log_append_info info;
    make_batch(&batch, count, size, timestamp, -1, -1, -1, 0);
    assert_int_equal(append_batch(log, &batch, &info), 0);
    assert_int_equal(info.verdict, LOG_APPENDED);
    return info.base_offset;
}
