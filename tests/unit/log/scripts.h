// SPDX-License-Identifier: Apache-2.0
//
// Logs that are written as scripts, of one offset each, for tests of compaction:
//
//   1A  producer 1 puts key A in a transaction; 1a deletes it; _A and _a are in none
//   1+  the marker that commits its transaction; 1- aborts it
//   /   a segment ends here
//
// and what is there afterwards is read as
//
//   1.  a batch without records
//   1c  a marker that commits, 1x one that aborts, which has got a delete horizon
//   __  an offset that is gone
#pragma once

#include "testing.h"

#include <string.h>

#include "log/cleaner.h"

enum {
    DELETE_RETENTION_MS = 1000000,
    SCRIPT_MAX = 400,
    SCRIPT_BATCH_SIZE = 70, // of one record with a value
};

#define WRITTEN_MS INT64_C(1700000000000)

struct scripted {
    struct world w;
    struct log *log;
    int32_t sequences[10];
};

static inline void add_data(struct scripted *s, char producer, char key, struct buf *out)
{
    struct batch_options options = BATCH_OPTIONS_DEFAULT;
    struct batch_builder b;
    char upper = key >= 'a' ? (char)(key - 32) : key;
    if (producer != '_') {
        options.producer_id = producer - '0';
        options.producer_epoch = 0;
        options.base_sequence = s->sequences[options.producer_id]++;
        options.attributes = BATCH_TRANSACTIONAL;
    }
    batch_builder_begin(&b, out, &options);
    batch_builder_add(&b, WRITTEN_MS, bytes_of(&upper, 1),
                      key >= 'a' ? (struct bytes){0} : bytes_of("v", 1), NULL, 0);
    assert_int_equal(batch_builder_finish(&b, NULL), 0);
}

static inline void add_marker(char producer, enum control_type type, struct buf *out)
{
    struct batch_options options = BATCH_OPTIONS_DEFAULT;
    options.producer_id = producer - '0';
    options.producer_epoch = 0;
    assert_int_equal(batch_append_end_txn_marker(out, &options, type, 1, WRITTEN_MS, NULL), 0);
}

static inline void write_script(struct scripted *s, const char *script)
{
    for (const char *at = script; *at != '\0'; at++) {
        struct log_append_info info;
        struct buf batch;
        if (*at == ' ')
            continue;
        if (*at == '/') {
            assert_int_equal(log_roll(s->log, WRITTEN_MS), 0);
            continue;
        }
        buf_init(&batch, 1 << 12);
        if (at[1] == '+' || at[1] == '-')
            add_marker(at[0], at[1] == '+' ? CONTROL_COMMIT : CONTROL_ABORT, &batch);
        else
            add_data(s, at[0], at[1], &batch);
        assert_int_equal(append_batch(s->log, &batch, &info), 0);
        assert_int_equal(info.verdict, LOG_APPENDED);
        at++;
    }
}

static inline void begin_script(struct scripted *s, const char *script)
{
    *s = (struct scripted){0};
    world_init(&s->w);
    s->w.args.config.cleanup_compact = true;
    s->w.args.config.min_cleanable_dirty_ratio = 0;
    s->w.args.config.delete_retention_ms = DELETE_RETENTION_MS;
    s->log = world_create(&s->w);
    write_script(s, script);
}

static inline void end_script(struct scripted *s)
{
    log_free(s->log);
    world_release(&s->w);
}

// Closes the log cleanly.
static inline void stop(struct scripted *s)
{
    assert_int_equal(log_close(s->log), 0);
    s->w.args.recovery_point = s->w.args.high_watermark = log_end_offset(s->log);
    s->w.args.clean = true;
    log_free(s->log);
    s->log = NULL;
}

static inline void start(struct scripted *s)
{
    s->log = world_open(&s->w);
}

// Compacts what is due, `later_ms` after now.
static inline void run_cleaner(struct scripted *s, int64_t later_ms)
{
    struct cleaner_config config = {.cleanings_max = 1, .map_bytes_max = 1 << 20, .load_factor = 0.9,
                                    .io_bytes = 1, .bytes_per_second = 1e300, .backoff_ms = 1};
    s->w.sim.wall_offset_ms += later_ms;
    struct cleaner *c = cleaner_new(&s->w.shard.env, NULL, &config);
    cleaner_add(c, s->log);
    sim_run_for(&s->w.sim, 1000000000);
    cleaner_remove(c, s->log);
    cleaner_free(c);
}

// What lies below an offset, and is known to be on disk.
static inline void compact_below(struct scripted *s, int64_t offset, int64_t later_ms)
{
    assert_int_equal(log_close(s->log), 0);
    log_set_high_watermark(s->log, offset);
    run_cleaner(s, later_ms);
}

static inline void compact(struct scripted *s, int64_t later_ms)
{
    compact_below(s, log_end_offset(s->log), later_ms);
}

static inline void describe_batch(const struct batch_header *h, struct bytes batch, char out[3])
{
    struct batch_iter it;
    struct record record;
    enum control_type type;
    out[0] = h->producer_id < 0 ? '_' : (char)('0' + h->producer_id);
    out[2] = '\0';
    if (h->record_count == 0) {
        out[1] = '.';
    } else if (batch_is_end_txn_marker(batch, &type)) {
        bool has_horizon = batch_has_delete_horizon(h);
        out[1] = type == CONTROL_ABORT ? (has_horizon ? 'x' : '-') : has_horizon ? 'c' : '+';
    } else {
        assert_int_equal(batch_iter_init(&it, batch, NULL), 0);
        assert_int_equal(batch_iter_next(&it, &record), 1);
        out[1] = (char)(record.key.data[0] + (record.value.data == NULL ? 32 : 0));
    }
}

static inline void read_script(struct scripted *s, char out[SCRIPT_MAX])
{
    int64_t end = log_end_offset(s->log);
    size_t at = 0;
    assert_true(end * 3 < SCRIPT_MAX);
    for (int64_t offset = 0; offset < end; offset++) {
        struct buf bytes;
        struct batch_header h;
        char token[3] = "__";
        buf_init(&bytes, 1 << 16);
        assert_int_equal(log_read_bytes(s->log, offset, 1, true, end, &bytes), 0);
        if (bytes.size > 0)
            assert_int_equal(batch_header_parse(buf_bytes(&bytes), &h), 0);
        if (bytes.size > 0 && h.base_offset == offset)
            describe_batch(&h, buf_bytes(&bytes), token);
        buf_release(&bytes);
        if (at > 0)
            out[at++] = ' ';
        out[at++] = token[0];
        out[at++] = token[1];
    }
    out[at] = '\0';
}

static inline void assert_is(struct scripted *s, const char *expected)
{
    char found[SCRIPT_MAX];
    read_script(s, found);
    assert_string_equal(found, expected);
}
