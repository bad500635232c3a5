// SPDX-License-Identifier: Apache-2.0
//
// Simulation of compaction: a directory with a few compacted logs lives through appends of keyed records,
// tombstones and transactions, rolls, truncations, retention, deletions, full disks and failing devices,
// while the cleaner works on it, and crashes at any operation of the file system. Then and in between:
//   - every record that is there is the one that was sent with this offset, in its batch;
//   - the newest committed value of a key is there, and so is whatever no marker has decided;
//   - where the newest is a tombstone, no older value is there; it goes only when its time is over;
//   - readers of committed records see none that were aborted, and all others;
//   - producers, leader epochs and times are known as if nothing had been taken away.
//
//   sim_cleaner [--seeds N] [--start N] [--steps N] [--verbose] [--broken BUG]
//
// A seed decides everything. --broken expects a bug to be caught: "early-swap" (names are not on disk
// before the next ones), "early-tombstone" (they go before their time).
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "cleaner_world.h"

static const char *const bug_names[] = {"none", "early-swap", "early-tombstone"};

static struct totals totals;

static void trace_line(struct trace *t, enum trace_level level, const char *area, const char *line)
{
    if (strncmp(line, "compacted ", 10) == 0)
        totals.compactions++;
    if (t->level_min == TRACE_DEBUG)
        printf("            %s: %s\n", trace_level_name(level), line);
}

static struct trace verbose_trace = {.emit = trace_line, .level_min = TRACE_DEBUG};
static struct trace quiet_trace = {.emit = trace_line, .level_min = TRACE_INFO};

// ---- Bugs on purpose ----

static struct harness *owner_of(struct env_fs *fs)
{
    return container_of(fs, struct harness, planted);
}

static int planted_open(struct env_fs *fs, const char *path, unsigned flags, struct fs_file **out)
{
    return fs_open(sim_fs_env(owner_of(fs)->fs), path, flags, out);
}

static int planted_stat(struct env_fs *fs, const char *path, struct fs_stat *out)
{
    return fs_stat(sim_fs_env(owner_of(fs)->fs), path, out);
}

static int planted_list(struct env_fs *fs, const char *path, fs_list_fn each, void *context)
{
    return fs_list(sim_fs_env(owner_of(fs)->fs), path, each, context);
}

static int planted_make_dir(struct env_fs *fs, const char *path)
{
    return fs_make_dir(sim_fs_env(owner_of(fs)->fs), path);
}

static int planted_rename(struct env_fs *fs, const char *from, const char *to)
{
    struct harness *h = owner_of(fs);
    if (h->options->bug == BUG_EARLY_SWAP && strstr(to, ".log.swap") != NULL)
        h->planted_syncs = 4;
    return fs_rename(sim_fs_env(h->fs), from, to);
}

static int planted_remove(struct env_fs *fs, const char *path)
{
    return fs_remove(sim_fs_env(owner_of(fs)->fs), path);
}

static int planted_dir_sync(struct env_fs *fs, const char *path)
{
    struct harness *h = owner_of(fs);
    if (h->planted_syncs > 0) {
        h->planted_syncs--;
        return sim_fs_is_crashed(h->fs) ? ERR_CLOSED : 0;
    }
    return fs_dir_sync(sim_fs_env(h->fs), path);
}

static int planted_set_read_only(struct env_fs *fs, const char *path)
{
    return fs_set_read_only(sim_fs_env(owner_of(fs)->fs), path);
}

static int planted_space(struct env_fs *fs, const char *path, struct fs_space *out)
{
    return fs_space(sim_fs_env(owner_of(fs)->fs), path, out);
}

static const struct env_fs planted_fs = {
    .open = planted_open,
    .stat = planted_stat,
    .list = planted_list,
    .make_dir = planted_make_dir,
    .rename = planted_rename,
    .remove = planted_remove,
    .dir_sync = planted_dir_sync,
    .set_read_only = planted_set_read_only,
    .space = planted_space,
};

// ---- What the log tells ----

static void on_durable(struct log *log, void *owner)
{
    struct part *p = owner;
    if (is_down(p->h))
        return;
    p->acknowledged = log_durable_offset(log);
    p->existed = true;
    log_set_high_watermark(log, p->acknowledged);
    cleaner_touch(p->h->cleaner);
}

static void on_offline(struct log_dir *dir, void *owner, int err, const char *why)
{
    struct harness *h = owner;
    h->offline = true;
    say(h, "offline: %s", why);
    if (!h->disturbed && !sim_fs_is_crashed(h->fs))
        fail(h, "went offline without a reason: %s", why);
}

// ---- Appending ----

static void add_record(struct harness *h, struct batch_builder *b, struct sent *s)
{
    struct sent_record *r = &s->records[s->count++];
    uint8_t value[VALUE_MAX];
    char key[16];
    size_t size = 0;
    *r = (struct sent_record){.key = chance(h, 1, 60) ? -1 : (int32_t)below(h, KEYS),
                              .time_ms = now_ms(h) - (int64_t)below(h, 50)};
    if (!chance(h, 1, 5) || r->key < 0) {
        r->value = ++h->last_value;
        value_of(r->value, value, &size);
    }
    int key_size = snprintf(key, sizeof key, "key%d", r->key);
    batch_builder_add(b, r->time_ms, r->key < 0 ? (struct bytes){0} : bytes_of(key, (size_t)key_size),
                      r->value == 0 ? (struct bytes){0} : bytes_of(value, size), NULL, 0);
}

static void build(struct harness *h, struct sent *s, int32_t sequence, struct buf *out)
{
    static const enum codec codecs[] = {CODEC_NONE, CODEC_NONE, CODEC_GZIP, CODEC_SNAPPY, CODEC_LZ4,
                                        CODEC_ZSTD};
    struct batch_options options = BATCH_OPTIONS_DEFAULT;
    struct batch_builder b;
    options.codec = codecs[below(h, sizeof codecs / sizeof codecs[0])];
    options.producer_id = s->producer_id;
    if (s->producer_id >= 0) {
        options.producer_epoch = 0;
        options.base_sequence = sequence;
    }
    if (s->transactional)
        options.attributes = BATCH_TRANSACTIONAL;
    batch_builder_begin(&b, out, &options);
    int count = 1 + (int)below(h, RECORDS_MAX);
    for (int i = 0; i < count; i++)
        add_record(h, &b, s);
    int err = batch_builder_finish(&b, NULL);
    check(err == 0);
}

static void build_marker(struct harness *h, struct sent *s, struct buf *out)
{
    struct batch_options options = BATCH_OPTIONS_DEFAULT;
    options.producer_id = s->producer_id;
    options.producer_epoch = 0;
    s->records[s->count++] = (struct sent_record){.key = -1, .time_ms = now_ms(h)};
    int err = batch_append_end_txn_marker(out, &options, s->aborts ? CONTROL_ABORT : CONTROL_COMMIT, 0,
                                          now_ms(h), NULL);
    check(err == 0);
}

static void note_sent(struct part *p, const struct sent *sent, const struct buf *bytes)
{
    struct batch_header header;
    int err = batch_header_parse(buf_bytes(bytes), &header);
    check(err == 0);
    mem_grow(p->sent, p->sent_count, p->sent_capacity);
    struct sent *s = &p->sent[p->sent_count++];
    *s = *sent;
    s->base_offset = header.base_offset;
    s->last_offset = batch_last_offset(&header);
    s->last_sequence = batch_last_sequence(&header);
    s->epoch = header.partition_leader_epoch;
    s->bytes = mem_alloc(bytes->size);
    s->size = bytes->size;
    memcpy(s->bytes, bytes->data, bytes->size);
}

static void append(struct harness *h, struct part *p, const struct sent *s, struct buf *bytes)
{
    struct log_append_info info;
    int64_t end = log_end_offset(p->log);
    int err = log_append(p->log, bytes->data, bytes->size, p->epoch, now_ms(h), &info);
    totals.appends++;
    if (err < 0) {
        // The bytes may be on disk all the same when the process or the device dies in the call.
        if (is_down(h))
            note_sent(p, s, bytes);
        excused(h, err, "append");
        return;
    }
    if (info.verdict == LOG_RECORD_LIST_TOO_LARGE && (int64_t)bytes->size > h->config.segment_bytes)
        return;
    if (info.verdict != LOG_APPENDED || info.base_offset != end || end < part_end(p, end))
        fail(h, "%s: verdict %d at %" PRId64 ", the end was %" PRId64 "; expected %" PRId64
             ", found %" PRId64, p->topic, info.verdict, info.base_offset, end, info.expected, info.found);
    else
        note_sent(p, s, bytes);
}

static void step_append(struct harness *h, struct part *p)
{
    struct sent s = {.producer_id = p->first_producer + (int64_t)below(h, PRODUCERS) - 1,
                     .sent_ms = now_ms(h)};
    bool is_open;
    struct buf bytes;
    if (s.producer_id < p->first_producer)
        s.producer_id = -1;
    const struct sent *last = last_of(p, s.producer_id, &is_open);
    buf_init(&bytes, 1 << 20);
    s.transactional = s.producer_id >= p->first_producer + PRODUCERS / 2;
    s.control = is_open && chance(h, 1, 2);
    s.aborts = s.control && chance(h, 1, 2);
    if (s.control)
        build_marker(h, &s, &bytes);
    else
        build(h, &s, last != NULL ? sequence_add(last->last_sequence, 1) : 0, &bytes);
    if (chance(h, 1, 60))
        p->epoch++;
    append(h, p, &s, &bytes);
    buf_release(&bytes);
    if (!chance(h, 1, 10))
        log_committer_add(h->committer, p->log);
}

// ---- Restarting ----

static void close_all(struct harness *h)
{
    if (h->cleaner != NULL)
        cleaner_stop(h->cleaner);
    sim_run_works(&h->sim);
    for (int i = 0; i < h->part_count; i++) {
        struct part *p = &h->parts[i];
        if (p->log != NULL) {
            log_committer_remove(h->committer, p->log);
            cleaner_remove(h->cleaner, p->log);
        }
        p->log = NULL;
    }
    sim_run_works(&h->sim);
    group_commit_free(h->committer);
    h->committer = NULL;
    if (h->dir != NULL)
        log_dir_free(h->dir);
    h->dir = NULL;
    cleaner_free(h->cleaner);
    h->cleaner = NULL;
}

static void adopt(struct harness *h, struct part *p, struct log *log)
{
    say(h, "%s: %" PRId64 "-%" PRId64 ", recovery point %" PRId64, p->topic, log_start_offset(log),
        log_end_offset(log), log_recovery_point(log));
    p->log = log;
    log_set_owner(log, p, on_durable);
    log_dir_add(h->dir, log);
    cleaner_add(h->cleaner, log);
}

static void create_part(struct harness *h, struct part *p)
{
    struct log_args args;
    struct log *log;
    struct diag diag;
    env_random_fill(h->shard.env.random, &p->topic_id, sizeof p->topic_id);
    p->topic_id.bytes[0] |= 1;
    part_cut(p, 0);
    p->sent_count = 0;
    p->acknowledged = p->start = p->start_durable = 0;
    p->truncating = false;
    int err = log_dir_create_args(h->dir, str_from(p->topic), 0, p->topic_id, &h->config, &args);
    if (err == ERR_AGAIN) {
        log_dir_save(h->dir, LOG_SAVE_ENTRIES, NULL);
        sim_run_works(&h->sim);
        err = log_dir_create_args(h->dir, str_from(p->topic), 0, p->topic_id, &h->config, &args);
    }
    if (err == 0)
        err = log_create(&args, &log, &diag);
    if (excused(h, err, "create"))
        adopt(h, p, log);
}

// New producers, and nothing that the old ones have left open.
static void change_producers(struct harness *h, struct part *p)
{
    for (int64_t id = PRODUCERS / 2; id < PRODUCERS && !is_down(h) && !h->failed; id++) {
        struct sent s = {.producer_id = p->first_producer + id, .sent_ms = now_ms(h), .control = true,
                         .transactional = true, .aborts = true};
        struct buf bytes;
        buf_init(&bytes, 1 << 20);
        build_marker(h, &s, &bytes);
        append(h, p, &s, &bytes);
        buf_release(&bytes);
    }
    p->first_producer += PRODUCERS;
}

// What was compacted for the sake of records that were truncated (as only an unclean election does) does
// not come back with them.
static void excuse_gone(struct harness *h, struct part *p)
{
    if (!part_see(h, p))
        return;
    for (int i = 0; i < p->sent_count; i++)
        for (int k = 0; k < p->sent[i].count; k++)
            p->sent[i].records[k].excused |= !p->sent[i].records[k].seen;
    change_producers(h, p);
}

// Of what was not acknowledged a crash may take any segment's end: where offsets may be missing anyway,
// that cannot be told from a compaction.
static void drop_lost(struct harness *h, struct part *p, int64_t acknowledged, int64_t end)
{
    int kept = 0;
    for (int i = 0; i < p->sent_count; i++) {
        struct sent *s = &p->sent[i];
        struct batch_header header = {.base_offset = s->base_offset};
        struct buf bytes;
        buf_init(&bytes, 1 << 20);
        if (s->base_offset >= acknowledged && s->base_offset >= log_start_offset(p->log) &&
            excused(h, log_read_bytes(p->log, s->base_offset, 1, true, end, &bytes), "read"))
            batch_header_parse(buf_bytes(&bytes), &header);
        buf_release(&bytes);
        if (header.base_offset == s->base_offset)
            p->sent[kept++] = *s;
        else
            mem_free(s->bytes);
    }
    p->sent_count = kept;
}

// What a restarted partition has must be what it was told to keep, and at most what it was sent.
static void check_bounds(struct harness *h, struct part *p)
{
    int64_t start = log_start_offset(p->log), end = log_end_offset(p->log);
    bool begun_again = start == end && start <= p->start &&
                       (p->acknowledged < start || p->truncating) && log_size_bytes(p->log) == 0;
    if (begun_again) {
        part_cut(p, 0);
        p->sent_count = 0;
        p->acknowledged = p->start = p->start_durable = start;
        return;
    }
    // What a truncation leaves may end before where it should, since compaction took batches there.
    if ((end < p->acknowledged && !p->truncating) || end > part_end(p, p->start))
        fail(h, "%s: ends at %" PRId64 ", acknowledged were %" PRId64 ", sent %" PRId64, p->topic, end,
             p->acknowledged, part_end(p, p->start));
    if (start < p->start_durable || start > p->start)
        fail(h, "%s: starts at %" PRId64 ", should be in %" PRId64 "-%" PRId64, p->topic, start,
             p->start_durable, p->start);
    part_cut(p, end);
    p->start = start;
    drop_lost(h, p, p->acknowledged, end);
    if (is_down(h))
        return; // it died meanwhile: the next start sees what this one did
    p->acknowledged = end;
    log_set_high_watermark(p->log, end);
    if (p->truncating && !is_down(h) && !h->failed) {
        excuse_gone(h, p);
        p->truncating = false;
    }
}

static void reopen_part(struct harness *h, struct part *p, const struct log_dir_scan *scan)
{
    const struct log_dir_partition *found = NULL;
    struct log_args args;
    struct log *log;
    struct diag diag;
    for (int i = 0; i < scan->count; i++)
        if (strcmp(scan->partitions[i].topic, p->topic) == 0)
            found = &scan->partitions[i];
    if (found != NULL && uuid_equal(found->topic_id, p->topic_id)) {
        log_dir_partition_args(h->dir, scan, found, &h->config, &args);
        if (!excused(h, log_open(&args, &log, &diag), "open"))
            return;
        adopt(h, p, log);
        if (log_is_offline(log))
            fail(h, "%s: offline after a crash: %s", p->topic, log_problem(log));
        else
            check_bounds(h, p);
        return;
    }
    if (p->existed && !is_down(h))
        fail(h, "%s: is gone, %" PRId64 " were acknowledged", p->topic, p->acknowledged);
    if (found != NULL && !excused(h, log_dir_set_stray(h->dir, found), "stray"))
        return;
    if (!h->failed)
        create_part(h, p);
}

static void open_all(struct harness *h)
{
    struct trace *trace = h->options->verbose ? &verbose_trace : &quiet_trace;
    struct log_dir_args args = {.env = &h->shard.env, .path = "/data/log", .owner = h,
                                .on_offline = on_offline, .trace = trace,
                                .open_files_max = 1 + (int)below(h, 6)};
    struct log_dir_scan scan;
    struct diag diag;
    diag_clear(&diag);
    h->offline = h->disturbed = false;
    h->planted_syncs = 0;
    h->committer = group_commit_new(&h->shard.env);
    h->cleaner = cleaner_new(&h->shard.env, trace, &h->cleaner_config);
    if (!excused(h, log_dir_open(&args, &h->dir, &diag), "open directory"))
        return;
    if (!excused(h, log_dir_scan(h->dir, &scan, &diag), "scan"))
        return;
    for (int i = 0; i < h->part_count && !h->failed && !is_down(h); i++)
        reopen_part(h, &h->parts[i], &scan);
    log_dir_scan_release(&scan);
    for (int i = 0; i < h->part_count && !h->failed && !is_down(h); i++)
        check_part(h, &h->parts[i]);
}

static void restart(struct harness *h)
{
    do {
        close_all(h);
        static const char *const names[] = {"kill", "lose all", "prefix", "random"};
        enum sim_crash crash = (enum sim_crash)below(h, 4);
        if (h->disturbed && h->offline && crash == SIM_CRASH_KILL)
            crash = SIM_CRASH_RANDOM;
        say(h, "crash: %s", names[crash]);
        h->crashes++;
        sim_fs_restart(h->fs, crash);
        if (h->options->verbose)
            sim_fs_print(h->fs, "/data/log");
        if (chance(h, 1, 4))
            sim_fs_crash_at(h->fs, 1 + below(h, 40));
        open_all(h);
    } while (!h->failed && is_down(h));
    if (!h->failed)
        sim_fs_crash_at(h->fs, 0);
}

// ---- Steps ----

static void step_truncate(struct harness *h, struct part *p)
{
    int64_t start = log_start_offset(p->log), end = log_end_offset(p->log);
    int64_t offset = start + (int64_t)below(h, (uint64_t)(end - start + 1));
    // Such that something is left: sim_log does the others.
    for (int i = 0; i < p->sent_count; i++)
        if (p->sent[i].base_offset < offset && p->sent[i].last_offset >= offset)
            offset = p->sent[i].base_offset;
    if (offset <= start)
        return;
    if (p->acknowledged > offset)
        p->acknowledged = offset;
    p->truncating = true;
    int err = log_truncate_to(p->log, offset);
    say(h, "%s: truncate to %" PRId64 ": %d", p->topic, offset, err);
    if (err == ERR_AGAIN) {
        p->acknowledged = log_durable_offset(p->log);
        p->truncating = false;
        return;
    }
    if (!excused(h, err, "truncate"))
        return;
    p->truncating = false;
    int64_t now_end = log_end_offset(p->log);
    part_cut(p, now_end);
    if (now_end > offset || now_end < log_start_offset(p->log))
        fail(h, "%s: truncated to %" PRId64 ", ends at %" PRId64, p->topic, offset, now_end);
    p->start = log_start_offset(p->log);
    if (now_end == p->start) {
        part_cut(p, 0); // it began again there
        p->sent_count = 0;
        p->start_durable = p->start;
    }
    if (p->acknowledged > now_end)
        p->acknowledged = now_end;
    excuse_gone(h, p);
}

struct saving {
    struct log_save_wait wait;
    struct harness *h;
    int64_t starts[PARTITIONS_MAX];
};

static void saved(struct log_save_wait *wait, int err)
{
    struct saving *s = container_of(wait, struct saving, wait);
    struct harness *h = s->h;
    for (int i = 0; i < h->part_count && err == 0 && !is_down(h); i++)
        if (h->parts[i].start_durable < s->starts[i] && h->parts[i].start >= s->starts[i])
            h->parts[i].start_durable = s->starts[i];
    if (err < 0)
        excused(h, err, "save");
    mem_free(s);
}

static void step_save(struct harness *h)
{
    struct saving *s = mem_new(struct saving);
    unsigned what = 1 + (unsigned)below(h, 15);
    s->h = h;
    s->wait.done = saved;
    for (int i = 0; i < h->part_count; i++)
        s->starts[i] = what & LOG_SAVE_START_OFFSETS ? log_start_offset(h->parts[i].log) : -1;
    say(h, "save %u", what);
    log_dir_save(h->dir, what, &s->wait);
}

static void step_retention(struct harness *h, struct part *p)
{
    if (chance(h, 1, 3))
        h->sim.wall_offset_ms += (int64_t)below(h, 4000);
    int count = log_apply_retention(p->log, now_ms(h));
    if (excused(h, count, "retention"))
        p->start = log_start_offset(p->log);
}

static void step_delete_records(struct harness *h, struct part *p)
{
    int64_t start = log_start_offset(p->log), high = log_high_watermark(p->log);
    int64_t offset = start + (int64_t)below(h, (uint64_t)(high - start) / 4 + 1);
    say(h, "%s: delete records below %" PRId64, p->topic, offset);
    if (excused(h, log_set_start_offset(p->log, offset), "delete records"))
        p->start = log_start_offset(p->log);
}

static void step_fault(struct harness *h)
{
    h->disturbed = true;
    if (chance(h, 1, 2)) {
        sim_fs_fail_at(h->fs, 1 + below(h, 20), SIM_OP_OPEN | SIM_OP_WRITE, ERR_NOSPC, chance(h, 1, 2));
        say(h, "full disk");
    } else {
        sim_fs_fail_at(h->fs, 1 + below(h, 20), SIM_OP_ANY, ERR_IO, chance(h, 1, 2));
        say(h, "failing device");
    }
}

static void step_recreate(struct harness *h, struct part *p)
{
    if (h->disturbed)
        return;
    say(h, "%s: delete and create", p->topic);
    log_committer_remove(h->committer, p->log);
    cleaner_remove(h->cleaner, p->log);
    if (!excused(h, log_dir_delete_log(h->dir, p->log), "delete"))
        return;
    p->log = NULL;
    p->existed = false;
    create_part(h, p);
}

static void step_config(struct harness *h)
{
    struct log_config config = h->config;
    config.cleanup_compact = chance(h, 3, 4);
    for (int i = 0; i < h->part_count; i++)
        log_set_config(h->parts[i].log, &config);
    sim_run_for(&h->sim, (int64_t)below(h, 50000000));
    for (int i = 0; i < h->part_count && !is_down(h); i++)
        log_set_config(h->parts[i].log, &h->config);
    cleaner_touch(h->cleaner);
}

static void step_stop(struct harness *h)
{
    struct diag diag;
    cleaner_stop(h->cleaner);
    sim_run_works(&h->sim);
    if (!is_down(h) && !cleaner_is_idle(h->cleaner))
        fail(h, "the cleaner does not end");
    if (is_down(h) || h->disturbed || h->failed)
        return;
    say(h, "clean stop");
    int err = log_dir_close(h->dir, 7, &diag);
    if (!excused(h, err, "close"))
        return;
    for (int i = 0; i < h->part_count; i++) {
        struct part *p = &h->parts[i];
        p->acknowledged = log_end_offset(p->log);
        p->start_durable = log_start_offset(p->log);
        p->existed = true;
    }
    close_all(h);
    if (sim_fs_open_count(h->fs) != 0)
        fail(h, "%d files are open after a stop", sim_fs_open_count(h->fs));
    if (chance(h, 1, 2) && !h->failed)
        sim_fs_restart(h->fs, (enum sim_crash)below(h, 4));
    if (!h->failed)
        open_all(h);
}

static void step(struct harness *h)
{
    struct part *p = &h->parts[below(h, (uint64_t)h->part_count)];
    uint64_t what = below(h, 100);
    if (what < 60)
        step_append(h, p);
    else if (what < 72)
        sim_run_for(&h->sim, (int64_t)below(h, 30000000));
    else if (what < 77)
        sim_run_for(&h->sim, (int64_t)below(h, 1000000000));
    else if (what < 79)
        excused(h, log_roll(p->log, now_ms(h)), "roll");
    else if (what < 80)
        step_truncate(h, p);
    else if (what < 82)
        step_retention(h, p);
    else if (what < 83)
        step_delete_records(h, p);
    else if (what < 88)
        step_save(h);
    else if (what < 90)
        check_part(h, p);
    else if (what < 91)
        log_close_idle_files(p->log);
    else if (what < 92)
        step_fault(h);
    else if (what < 93)
        step_stop(h);
    else if (what < 94)
        step_config(h);
    else if (what < 98)
        sim_fs_crash_at(h->fs, 1 + below(h, 40));
    else if (what < 99 && h->seed % 4 == 2)
        step_recreate(h, p);
    else
        log_committer_add(h->committer, p->log);
}

// ---- Running ----

static void init_configs(struct harness *h)
{
    h->config = LOG_CONFIG_DEFAULTS;
    h->config.segment_bytes = 1000 + (int64_t)below(h, 6000);
    h->config.index_interval_bytes = 50 + (int32_t)below(h, 1500);
    h->config.segment_index_bytes = 60 + (int32_t)below(h, 1000);
    h->config.segment_ms = 200 + (int64_t)below(h, 10000);
    h->config.cleanup_compact = true;
    h->config.cleanup_delete = chance(h, 1, 4);
    h->config.retention_ms = 5000 + (int64_t)below(h, 20000);
    h->config.file_delete_delay_ms = (int64_t)below(h, 2000);
    h->config.producer_id_expiration_ms = INT64_C(1) << 40;
    h->config.min_cleanable_dirty_ratio = chance(h, 1, 2) ? 0 : 0.4;
    h->config.min_compaction_lag_ms = chance(h, 1, 4) ? (int64_t)below(h, 1000) : 0;
    h->config.max_compaction_lag_ms = chance(h, 1, 4) ? 1000 + (int64_t)below(h, 5000) : INT64_MAX;
    h->delete_retention_ms = chance(h, 1, 4) ? 0 : (int64_t)below(h, 3000);
    h->config.delete_retention_ms = h->delete_retention_ms;
    if (h->options->bug == BUG_EARLY_TOMBSTONE)
        h->config.delete_retention_ms = 0;
    h->cleaner_config = (struct cleaner_config){
        .cleanings_max = 1 + (int)below(h, 2),
        // Some have hardly room for the keys of one batch.
        .map_bytes_max = chance(h, 1, 3) ? 24 * (7 + (int64_t)below(h, 10)) : 1 << 20,
        .load_factor = chance(h, 1, 2) ? 0.9 : 1,
        .io_bytes = 1,
        .bytes_per_second = chance(h, 1, 4) ? 100000 : 1e300,
        .backoff_ms = (int64_t)below(h, 100),
    };
}

static void init(struct harness *h, const struct options *options, uint64_t seed)
{
    *h = (struct harness){.options = options, .totals = &totals, .seed = seed};
    prng_init(&h->prng, seed);
    sim_init(&h->sim, prng_next(&h->prng));
    sim_env_init(&h->shard, &h->sim, NULL);
    h->fs = sim_fs_new(prng_next(&h->prng), &h->shard.clock);
    sim_fs_note_in(h->fs, &h->sim);
    h->planted = planted_fs;
    h->shard.env.fs = options->bug == BUG_NONE ? sim_fs_env(h->fs) : &h->planted;
    init_configs(h);
    h->part_count = 1 + (int)below(h, PARTITIONS_MAX);
    for (int i = 0; i < h->part_count; i++) {
        h->parts[i].h = h;
        snprintf(h->parts[i].topic, sizeof h->parts[i].topic, "topic%d", i);
    }
}

static void release(struct harness *h)
{
    close_all(h);
    for (int i = 0; i < h->part_count; i++) {
        part_cut(&h->parts[i], 0);
        mem_free(h->parts[i].sent);
    }
    sim_env_release(&h->shard);
    sim_release(&h->sim);
    sim_fs_free(h->fs);
}

static bool run_seed(const struct options *options, uint64_t seed)
{
    struct harness h;
    init(&h, options, seed);
    open_all(&h);
    for (int i = 0; i < options->steps && !h.failed; i++) {
        if (is_down(&h))
            restart(&h);
        else
            step(&h);
    }
    if (!h.failed)
        restart(&h);
    bool good = !h.failed;
    if (!good && (options->bug == BUG_NONE || options->verbose))
        fprintf(stderr, "seed %" PRIu64 ": %s\n", seed, h.message);
    totals.crashes += (uint64_t)h.crashes;
    totals.hash = totals.hash * 31 + h.sim.hash;
    release(&h);
    return good;
}

static int run(const struct options *options)
{
    for (uint64_t seed = options->start; seed < options->start + options->seeds; seed++) {
        if (run_seed(options, seed))
            continue;
        if (options->bug != BUG_NONE) {
            printf("%s was caught by seed %" PRIu64 "\n", bug_names[options->bug], seed);
            return 0;
        }
        fprintf(stderr, "again: sim_cleaner --seeds 1 --start %" PRIu64 " --steps %d --verbose\n", seed,
                options->steps);
        return 1;
    }
    printf("%" PRIu64 " seeds from %" PRIu64 ": %" PRIu64 " appends, %" PRIu64 " crashes, %" PRIu64
           " compactions, %" PRIu64 " records and %" PRIu64 " tombstones missed, state %016" PRIx64 "\n",
           options->seeds, options->start, totals.appends, totals.crashes, totals.compactions,
           totals.records_gone, totals.tombstones_gone, totals.hash);
    if (options->bug != BUG_NONE)
        fprintf(stderr, "%s was not caught\n", bug_names[options->bug]);
    return options->bug != BUG_NONE;
}

static enum bug bug_find(const char *name)
{
    for (int i = 1; i < BUG_UNKNOWN; i++)
        if (strcmp(bug_names[i], name) == 0)
            return (enum bug)i;
    return BUG_UNKNOWN;
}

int main(int argc, char **argv)
{
    struct options options = {.seeds = 100, .start = 1, .steps = 400};
    bool good = true;
    for (int i = 1; i < argc && good; i++) {
        int64_t value = 0;
        bool has_value = i + 1 < argc && str_parse_i64(str_from(argv[i + 1]), &value);
        if (strcmp(argv[i], "--verbose") == 0) {
            options.verbose = true;
        } else if (strcmp(argv[i], "--broken") == 0 && i + 1 < argc) {
            options.bug = bug_find(argv[++i]);
            good = options.bug != BUG_UNKNOWN;
        } else if (strcmp(argv[i], "--seeds") == 0 && has_value) {
            options.seeds = (uint64_t)value;
            i++;
        } else if (strcmp(argv[i], "--start") == 0 && has_value) {
            options.start = (uint64_t)value;
            i++;
        } else if (strcmp(argv[i], "--steps") == 0 && has_value) {
            options.steps = (int)value;
            i++;
        } else {
            good = false;
        }
    }
    if (good)
        return run(&options);
    fprintf(stderr, "usage: sim_cleaner [--seeds N] [--start N] [--steps N] [--verbose] [--broken BUG]\n");
    return 2;
}
