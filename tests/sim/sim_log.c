// SPDX-License-Identifier: Apache-2.0
//
// Simulation of the log: a directory with a few partitions lives through random appends, rolls,
// truncations, retention, deletions, saves, full disks and failing devices, and crashes at any operation
// of the file system. After each restart everything that was acknowledged must be there with its bytes
// and in its order, nothing that was never sent, offsets without a gap, and producer state that answers
// duplicates as it would have without the crash.
//
//   sim_log [--seeds N] [--start N] [--steps N] [--verbose] [--broken]
//
// A seed decides everything: `sim_log --seeds 1 --start SEED --verbose` repeats one history. --broken
// acknowledges before the commit and expects to be caught.
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "log/commit.h"
#include "log/dir.h"
#include "log/log.h"
#include "sim_env.h"
#include "sim_fs.h"
#include "sim_txns.h"
#include "wire/batch.h"

enum { PARTITIONS_MAX = 3, PRODUCERS = 6, RECORDS_MAX = 6, MESSAGE_MAX = 512 };

struct options {
    uint64_t seeds;
    uint64_t start;
    int steps;
    bool verbose;
    bool broken;
};

// A batch that was appended, as it is in the log.
struct sent {
    int64_t base_offset;
    int64_t last_offset;
    int64_t max_timestamp;
    int64_t producer_id;
    int32_t base_sequence;
    int32_t last_sequence;
    bool transactional;
    bool control;
    bool aborted; // of a marker
    uint8_t *bytes;
    size_t size;
};

// What a partition must be.
struct part {
    struct harness *h;
    char topic[16];
    struct uuid topic_id;
    struct log *log;
    struct sent *sent; // in the order of offsets; the deleted ones too
    int sent_count;
    int sent_capacity;
    int64_t acknowledged;  // everything below was said to be durable
    int64_t start_durable; // start offset that was said to be durable
    int64_t start;         // as far as it may have got
    bool existed;          // something of it was durable
    bool resetting;        // a full truncation was under way: it may be over or not
    int32_t epoch;
};

struct harness {
    const struct options *options;
    uint64_t seed;
    struct prng prng;
    struct sim sim;
    struct sim_env shard;
    struct sim_fs *fs;
    struct log_dir *dir;
    struct log_committer *committer;
    struct log_committer early; // --broken: acknowledges and passes on
    struct log_config config;
    int volume_syncs_min; // low in some histories, so that a few files are many
    struct part parts[PARTITIONS_MAX];
    int part_count;
    int crashes;
    bool recreates; // partitions are deleted, and others of their name created
    bool offline;   // the directory said so
    bool disturbed; // a fault was injected since the last restart
    bool failed;
    char message[MESSAGE_MAX];
};

struct totals {
    uint64_t crashes;
    uint64_t steps;
    uint64_t appends;
    uint64_t sync_alls;
    uint64_t hash;
};

static struct totals totals;

// ---- Telling ----

__attribute__((format(printf, 2, 3))) static void fail(struct harness *h, const char *format, ...)
{
    if (h->failed)
        return;
    h->failed = true;
    va_list args;
    va_start(args, format);
    vsnprintf(h->message, sizeof h->message, format, args);
    va_end(args);
}

__attribute__((format(printf, 2, 3))) static void say(const struct harness *h, const char *format, ...)
{
    if (!h->options->verbose)
        return;
    va_list args;
    va_start(args, format);
    printf("%10.3f ms  ", (double)h->sim.now_ns / 1e6);
    vprintf(format, args);
    printf("\n");
    va_end(args);
}

static void trace_line(struct trace *t, enum trace_level level, const char *area, const char *line)
{
    printf("            %s: %s\n", trace_level_name(level), line);
}

static struct trace verbose_trace = {.emit = trace_line, .level_min = TRACE_INFO};

static uint64_t below(struct harness *h, uint64_t bound)
{
    return prng_below(&h->prng, bound);
}

static bool chance(struct harness *h, uint64_t numerator, uint64_t denominator)
{
    return prng_chance(&h->prng, numerator, denominator);
}

// True when the process is as good as dead, which excuses any error.
static bool is_down(const struct harness *h)
{
    return h->offline || sim_fs_is_crashed(h->fs);
}

// Nothing that was not disturbed may fail.
static bool excused(struct harness *h, int err, const char *what)
{
    if (err >= 0)
        return true;
    if (!is_down(h) && !h->disturbed)
        fail(h, "%s: %s without a reason", what, err_name(err));
    return false;
}

// ---- Model ----

static void part_cut(struct part *p, int64_t end_offset)
{
    while (p->sent_count > 0 && p->sent[p->sent_count - 1].last_offset >= end_offset)
        mem_free(p->sent[--p->sent_count].bytes);
}

static int64_t part_end(const struct part *p, int64_t otherwise)
{
    return p->sent_count > 0 ? p->sent[p->sent_count - 1].last_offset + 1 : otherwise;
}

// The last batch with data of a producer, or NULL; *open tells of a transaction.
static const struct sent *last_of(const struct part *p, int64_t producer_id, int64_t *txn_first)
{
    const struct sent *last = NULL;
    *txn_first = -1;
    for (int i = 0; i < p->sent_count; i++) {
        const struct sent *s = &p->sent[i];
        if (s->producer_id != producer_id)
            continue;
        if (s->control) {
            *txn_first = -1;
            continue;
        }
        last = s;
        if (s->transactional && *txn_first < 0)
            *txn_first = s->base_offset;
    }
    return last;
}

static void on_durable(struct log *log, void *owner)
{
    struct part *p = owner;
    if (is_down(p->h))
        return; // whoever would be told is gone
    p->acknowledged = log_durable_offset(log);
    p->existed = true;
    say(p->h, "%s: durable below %" PRId64, p->topic, p->acknowledged);
    log_set_high_watermark(log, p->acknowledged);
}

static void on_offline(struct log_dir *dir, void *owner, int err, const char *why)
{
    struct harness *h = owner;
    h->offline = true;
    say(h, "offline: %s", why);
    if (!h->disturbed && !sim_fs_is_crashed(h->fs))
        fail(h, "went offline without a reason: %s", why);
}

// ---- The broken variant ----

static void early_add(struct log_committer *committer, struct log *log)
{
    struct harness *h = container_of(committer, struct harness, early);
    for (int i = 0; i < h->part_count; i++)
        if (h->parts[i].log == log)
            h->parts[i].acknowledged = log_end_offset(log);
    log_committer_add(h->committer, log);
}

static const struct log_committer_ops early_ops = {.add = early_add};

static void commit(struct harness *h, struct part *p)
{
    log_committer_add(h->options->broken ? &h->early : h->committer, p->log);
}

// ---- Appending ----

static void build(struct harness *h, struct part *p, int64_t producer_id, bool transactional,
                  int32_t sequence, struct buf *out)
{
    struct batch_options options = BATCH_OPTIONS_DEFAULT;
    struct batch_builder b;
    static const enum codec codecs[] = {CODEC_NONE, CODEC_NONE, CODEC_NONE, CODEC_GZIP,
                                        CODEC_SNAPPY, CODEC_LZ4, CODEC_ZSTD};
    options.codec = codecs[below(h, sizeof codecs / sizeof codecs[0])];
    options.producer_id = producer_id;
    if (producer_id >= 0) {
        options.producer_epoch = 0;
        options.base_sequence = sequence;
    }
    if (transactional)
        options.attributes = BATCH_TRANSACTIONAL;
    batch_builder_begin(&b, out, &options);
    int count = 1 + (int)below(h, RECORDS_MAX);
    for (int i = 0; i < count; i++) {
        uint8_t value[900];
        size_t size = (size_t)below(h, chance(h, 1, 8) ? sizeof value : 60);
        // Runs of zeros look like blocks that were never written.
        bool zeros = chance(h, 1, 10);
        for (size_t k = 0; k < size; k++)
            value[k] = zeros ? 0 : (uint8_t)prng_next(&h->prng);
        int64_t time = env_wall_ms(h->shard.env.clock) - (int64_t)below(h, 50);
        batch_builder_add(&b, time, (struct bytes){0}, bytes_of(value, size), NULL, 0);
    }
    int err = batch_builder_finish(&b, NULL);
    check(err == 0);
}

static void build_marker(struct harness *h, int64_t producer_id, bool aborted, struct buf *out)
{
    struct batch_options options = BATCH_OPTIONS_DEFAULT;
    options.producer_id = producer_id;
    options.producer_epoch = 0;
    int err = batch_append_end_txn_marker(out, &options, aborted ? CONTROL_ABORT : CONTROL_COMMIT, 0,
                                          env_wall_ms(h->shard.env.clock), NULL);
    check(err == 0);
}

static void note_sent(struct part *p, const uint8_t *bytes, size_t size, bool aborted)
{
    struct batch_header header;
    int err = batch_header_parse(bytes_of(bytes, size), &header);
    check(err == 0);
    mem_grow(p->sent, p->sent_count, p->sent_capacity);
    struct sent *s = &p->sent[p->sent_count++];
    *s = (struct sent){
        .base_offset = header.base_offset,
        .last_offset = batch_last_offset(&header),
        .max_timestamp = header.max_timestamp,
        .producer_id = header.producer_id,
        .base_sequence = header.base_sequence,
        .last_sequence = batch_last_sequence(&header),
        .transactional = batch_is_transactional(&header),
        .control = batch_is_control(&header),
        .aborted = aborted,
        .bytes = mem_alloc(size),
        .size = size,
    };
    memcpy(s->bytes, bytes, size);
}

static void append_bytes(struct harness *h, struct part *p, struct buf *bytes, bool aborted)
{
    struct log_append_info info;
    int64_t end = log_end_offset(p->log);
    int err = log_append(p->log, bytes->data, bytes->size, p->epoch,
                         env_wall_ms(h->shard.env.clock), &info);
    totals.appends++;
    if (err < 0) {
        // The bytes may be on disk all the same when the process or the device dies in the call.
        if (is_down(h))
            note_sent(p, bytes->data, bytes->size, aborted);
        excused(h, err, "append");
        if (err == ERR_NOSPC && log_end_offset(p->log) != end)
            fail(h, "%s: a full disk moved the end", p->topic);
        return;
    }
    if (info.verdict == LOG_RECORD_LIST_TOO_LARGE && (int64_t)bytes->size > h->config.segment_bytes)
        return;
    if (info.verdict != LOG_APPENDED) {
        fail(h, "%s: verdict %d, expected %" PRId64 ", found %" PRId64, p->topic, info.verdict,
             info.expected, info.found);
        return;
    }
    if (info.base_offset != end || info.base_offset != part_end(p, end))
        fail(h, "%s: appended at %" PRId64 ", the end was %" PRId64, p->topic, info.base_offset, end);
    note_sent(p, bytes->data, bytes->size, aborted);
}

static void step_append(struct harness *h, struct part *p)
{
    int64_t producer_id = (int64_t)below(h, PRODUCERS) - 1, txn_first;
    const struct sent *last = last_of(p, producer_id, &txn_first);
    bool transactional = producer_id >= PRODUCERS / 2;
    struct buf bytes;
    buf_init(&bytes, 1 << 20);
    bool marker = transactional && txn_first >= 0 && chance(h, 1, 3), aborted = chance(h, 1, 2);
    if (marker)
        build_marker(h, producer_id, aborted, &bytes);
    else
        build(h, p, producer_id, transactional,
              last != NULL ? sequence_add(last->last_sequence, 1) : 0, &bytes);
    if (chance(h, 1, 60))
        p->epoch++;
    append_bytes(h, p, &bytes, marker && aborted);
    buf_release(&bytes);
    if (!chance(h, 1, 8))
        commit(h, p);
}

// ---- Checking ----

static int check_batches(struct harness *h, struct part *p, struct bytes rest, int *index)
{
    struct batch_header header;
    struct bytes batch;
    int got;
    while ((got = batch_next(&rest, &header, &batch)) == 1) {
        if (*index >= p->sent_count) {
            fail(h, "%s: offset %" PRId64 " was never sent", p->topic, header.base_offset);
            return -1;
        }
        const struct sent *s = &p->sent[(*index)++];
        if (batch.size != s->size || memcmp(batch.data, s->bytes, s->size) != 0) {
            fail(h, "%s: offset %" PRId64 " differs from what was sent at %" PRId64, p->topic,
                 header.base_offset, s->base_offset);
            return -1;
        }
    }
    if (got < 0)
        fail(h, "%s: a range that is not whole batches", p->topic);
    return got;
}

// Reads from `from` to the end and compares.
static void check_contents(struct harness *h, struct part *p)
{
    int64_t offset = log_start_offset(p->log), end = log_end_offset(p->log);
    int index = 0;
    while (index < p->sent_count && p->sent[index].last_offset < offset)
        index++;
    while (offset < end && !h->failed) {
        struct buf bytes;
        buf_init(&bytes, 1 << 20);
        int64_t upper = chance(h, 1, 4) ? log_durable_offset(p->log) : end;
        if (upper <= offset)
            upper = end;
        int err = log_read_bytes(p->log, offset, 1 + (size_t)below(h, 5000), true, upper, &bytes);
        if (!excused(h, err, "read")) {
            buf_release(&bytes);
            return;
        }
        if (bytes.size == 0)
            fail(h, "%s: nothing at %" PRId64 ", the end is %" PRId64, p->topic, offset, end);
        else if (check_batches(h, p, buf_bytes(&bytes), &index) == 0)
            offset = p->sent[index - 1].last_offset + 1;
        buf_release(&bytes);
    }
    if (!h->failed && end > log_start_offset(p->log) &&
        (index == 0 || p->sent[index - 1].last_offset + 1 != end))
        fail(h, "%s: reading ended at %" PRId64, p->topic, offset);
}

// Asks for a time and compares with what the model's batches say.
static void check_time(struct harness *h, struct part *p)
{
    if (p->sent_count == 0)
        return;
    int64_t target = p->sent[below(h, (uint64_t)p->sent_count)].max_timestamp, start;
    struct log_position found;
    int err = log_find_timestamp(p->log, target, &found);
    if (!excused(h, err, "find timestamp"))
        return;
    start = log_start_offset(p->log);
    for (int i = 0; i < p->sent_count; i++) {
        const struct sent *s = &p->sent[i];
        if (s->last_offset < start || s->max_timestamp < target)
            continue;
        // A batch that starts below the log start may have its latest record there, too.
        if (s->base_offset >= start &&
            (found.offset < 0 || found.offset > s->last_offset || found.timestamp < target))
            fail(h, "%s: time %" PRId64 " found at %" PRId64 ", should be in %" PRId64 "-%" PRId64,
                 p->topic, target, found.offset, s->base_offset, s->last_offset);
        if (s->base_offset >= start)
            return;
    }
}

struct abort_check {
    struct part *p;
    int next; // in `sent`
    int64_t offset;
};

// Markers that aborted, in their order, are the expected answer.
static int check_aborted_one(void *context, const struct log_aborted *txn)
{
    struct abort_check *c = context;
    for (; c->next < c->p->sent_count; c->next++) {
        const struct sent *s = &c->p->sent[c->next];
        if (s->control && s->aborted && s->last_offset >= c->offset)
            break;
    }
    if (c->next == c->p->sent_count || c->p->sent[c->next].producer_id != txn->producer_id) {
        fail(c->p->h, "%s: aborted transaction of %" PRId64 " from %" PRId64 " is not one",
             c->p->topic, txn->producer_id, txn->first_offset);
        return 1;
    }
    c->next++;
    return 0;
}

static void check_transactions(struct harness *h, struct part *p)
{
    struct abort_check c = {.p = p, .offset = log_start_offset(p->log)};
    int err = sim_each_aborted(p->log, c.offset, INT64_MAX, check_aborted_one, &c);
    if (!excused(h, err, "aborted") || h->failed)
        return;
    for (; c.next < p->sent_count; c.next++)
        if (p->sent[c.next].control && p->sent[c.next].aborted &&
            p->sent[c.next].last_offset >= c.offset)
            fail(h, "%s: the abort at %" PRId64 " is not in the index", p->topic,
                 p->sent[c.next].last_offset);
    int64_t expected = -1;
    for (int64_t id = 0; id < PRODUCERS; id++) {
        int64_t txn_first;
        last_of(p, id, &txn_first);
        if (txn_first >= 0 && (expected < 0 || txn_first < expected))
            expected = txn_first;
    }
    log_set_high_watermark(p->log, log_end_offset(p->log));
    int64_t unstable = log_first_unstable_offset(p->log);
    if (unstable != expected && excused(h, (int)(unstable < -1 ? unstable : 0), "unstable"))
        fail(h, "%s: first unstable offset %" PRId64 ", should be %" PRId64, p->topic, unstable,
             expected);
}

// Sends the last batch of a producer again.
static void check_duplicate(struct harness *h, struct part *p, int64_t producer_id)
{
    int64_t txn_first;
    const struct sent *last = last_of(p, producer_id, &txn_first);
    if (last == NULL || is_down(h))
        return;
    struct log_append_info info;
    struct sent copy = *last;
    uint8_t *bytes = mem_alloc(copy.size);
    memcpy(bytes, copy.bytes, copy.size);
    int err = log_append(p->log, bytes, copy.size, p->epoch, env_wall_ms(h->shard.env.clock), &info);
    mem_free(bytes);
    if (!excused(h, err, "duplicate"))
        return;
    if (info.verdict != LOG_DUPLICATE || info.base_offset != copy.base_offset)
        fail(h, "%s: duplicate of producer %" PRId64 " at %" PRId64 ": verdict %d at %" PRId64
             ", expected %" PRId64 ", found %" PRId64, p->topic, producer_id, copy.base_offset,
             info.verdict, info.base_offset, info.expected, info.found);
}

// The epochs of all batches that are there, which come from a file of their own. A crash may bring back
// batches below a log start that was not durable; these have lost theirs.
static void check_epochs(struct harness *h, struct part *p)
{
    int64_t start = log_start_offset(p->log), end = log_end_offset(p->log);
    bool known = false;
    for (int i = 0; i < p->sent_count; i++) {
        const struct sent *s = &p->sent[i];
        struct batch_header header;
        if (s->base_offset < start || s->last_offset >= end)
            continue;
        batch_header_parse(bytes_of(s->bytes, s->size), &header);
        int32_t epoch = log_epoch_at(p->log, s->base_offset);
        if (!excused(h, epoch == -1 ? 0 : epoch, "epoch"))
            return;
        known |= epoch >= 0;
        if (known && epoch != header.partition_leader_epoch)
            fail(h, "%s: epoch %" PRId32 " at %" PRId64 ", was written in %" PRId32, p->topic, epoch,
                 s->base_offset, header.partition_leader_epoch);
    }
}

static void check_part(struct harness *h, struct part *p)
{
    check_contents(h, p);
    if (!h->failed && !is_down(h))
        check_epochs(h, p);
    if (!h->failed && !is_down(h))
        check_time(h, p);
    if (!h->failed && !is_down(h))
        check_transactions(h, p);
    for (int64_t id = 0; id < PRODUCERS && !h->failed && !is_down(h); id++)
        check_duplicate(h, p, id);
}

// ---- Restarting ----

static void close_all(struct harness *h)
{
    sim_run_works(&h->sim);
    for (int i = 0; i < h->part_count; i++) {
        struct part *p = &h->parts[i];
        if (p->log != NULL)
            log_committer_remove(h->committer, p->log);
        p->log = NULL;
    }
    sim_run_works(&h->sim);
    group_commit_free(h->committer);
    h->committer = NULL;
    if (h->dir != NULL)
        log_dir_free(h->dir);
    h->dir = NULL;
}

static void adopt(struct harness *h, struct part *p, struct log *log)
{
    say(h, "%s: %" PRId64 "-%" PRId64 ", recovery point %" PRId64, p->topic, log_start_offset(log),
        log_end_offset(log), log_recovery_point(log));
    p->log = log;
    log_set_owner(log, p, on_durable);
    log_dir_add(h->dir, log);
}

static void create_part(struct harness *h, struct part *p)
{
    struct log_args args;
    struct log *log;
    struct diag diag;
    env_random_fill(h->shard.env.random, &p->topic_id, sizeof p->topic_id);
    p->topic_id.bytes[0] |= 1;
    p->resetting = false;
    part_cut(p, 0);
    p->sent_count = 0;
    p->acknowledged = p->start = p->start_durable = 0;
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

// What a restarted partition has must be what it was told to keep, and at most what it was sent.
static void check_bounds(struct harness *h, struct part *p)
{
    // An owner that wanted to begin again, and was interrupted, asks again.
    if (p->resetting &&
        !excused(h, log_truncate_fully_and_start_at(p->log, log_end_offset(p->log)), "again"))
        return;
    int64_t start = log_start_offset(p->log), end = log_end_offset(p->log);
    // A batch around the log start was truncated away, or the start was on disk before what lies below
    // it: the log begins again there, empty.
    bool begun_again = start == end && start <= p->start && p->acknowledged < start &&
                       log_size_bytes(p->log) == 0;
    if (start == end && (p->resetting || begun_again)) {
        part_cut(p, 0);
        p->sent_count = 0;
        p->acknowledged = p->start = p->start_durable = start;
        p->resetting = false;
        return;
    }
    if (end < p->acknowledged)
        fail(h, "%s: ends at %" PRId64 ", acknowledged were %" PRId64, p->topic, end,
             p->acknowledged);
    if (end > part_end(p, p->start))
        fail(h, "%s: ends at %" PRId64 ", sent were %" PRId64, p->topic, end,
             part_end(p, p->start));
    if (start < p->start_durable || start > p->start)
        fail(h, "%s: starts at %" PRId64 ", should be in %" PRId64 "-%" PRId64, p->topic, start,
             p->start_durable, p->start);
    part_cut(p, end);
    if (part_end(p, end) != end)
        fail(h, "%s: ends at %" PRId64 " inside a batch", p->topic, end);
    // A producer whose every batch was cut with the log's end is unknown again; the epoch, too.
    p->start = start;
    p->acknowledged = end; // recovery syncs what it keeps
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
    struct log_dir_args args = {.env = &h->shard.env, .path = "/data/log", .owner = h,
                                .on_offline = on_offline,
                                .trace = h->options->verbose ? &verbose_trace : NULL,
                                .open_files_max = 1 + (int)below(h, 6),
                                .volume_syncs_min = h->volume_syncs_min,
                                .cached_dirs_min = 1};
    struct log_dir_scan scan;
    struct diag diag;
    diag_clear(&diag);
    h->offline = h->disturbed = false;
    h->committer = group_commit_new(&h->shard.env);
    h->early.ops = &early_ops;
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
        // After a failed device nothing can be said of the page cache.
        if (h->disturbed && h->offline && crash == SIM_CRASH_KILL)
            crash = SIM_CRASH_RANDOM;
        say(h, "crash: %s", names[crash]);
        h->crashes++;
        sim_fs_restart(h->fs, crash);
        if (h->options->verbose)
            sim_fs_print(h->fs, "/data/log");
        if (chance(h, 1, 4))
            sim_fs_crash_at(h->fs, 1 + below(h, 40)); // while it starts
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
    bool fully = chance(h, 1, 4);
    int64_t acknowledged = p->acknowledged;
    if (fully) {
        offset = end + (int64_t)below(h, 5);
        p->resetting = true;
        p->acknowledged = p->start_durable = 0; // anything between may come back
    } else if (p->acknowledged > offset) {
        p->acknowledged = offset;
    }
    // When the batch around the log start goes, the log begins again: a full truncation, too.
    for (int i = 0; i < p->sent_count && !fully; i++)
        if (p->sent[i].base_offset < start && p->sent[i].last_offset >= start &&
            p->sent[i].last_offset >= offset) {
            p->resetting = true;
            p->acknowledged = 0;
        }
    // A target inside a batch takes the whole batch.
    for (int i = 0; i < p->sent_count && !fully; i++)
        if (p->sent[i].base_offset < offset && p->sent[i].last_offset >= offset &&
            p->acknowledged > p->sent[i].base_offset)
            p->acknowledged = p->sent[i].base_offset;
    int err = fully ? log_truncate_fully_and_start_at(p->log, offset)
                    : log_truncate_to(p->log, offset);
    say(h, "%s: truncate %sto %" PRId64 ": %d", p->topic, fully ? "fully " : "", offset, err);
    if (err == ERR_AGAIN) {
        p->acknowledged = acknowledged;
        p->resetting = false;
        if (fully)
            p->start_durable = 0;
        return;
    }
    if (!excused(h, err, "truncate"))
        return;
    p->resetting = false;
    int64_t now_end = log_end_offset(p->log);
    if (fully) {
        part_cut(p, 0);
        p->sent_count = 0;
        p->acknowledged = p->start = p->start_durable = offset;
        if (now_end != offset || log_start_offset(p->log) != offset)
            fail(h, "%s: truncated fully to %" PRId64 ", is %" PRId64 "-%" PRId64, p->topic, offset,
                 log_start_offset(p->log), now_end);
        return;
    }
    part_cut(p, offset);
    p->start = log_start_offset(p->log);
    if (part_end(p, now_end) < p->start) {
        part_cut(p, 0); // a batch around the log start went, so the log began again there
        p->sent_count = 0;
        p->start_durable = p->start;
    }
    if (now_end != part_end(p, now_end) || now_end > offset || now_end < p->start)
        fail(h, "%s: truncated to %" PRId64 ", ends at %" PRId64, p->topic, offset, now_end);
    if (p->acknowledged > now_end)
        p->acknowledged = now_end;
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
    unsigned what = 1 + (unsigned)below(h, 7);
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
    int count = log_apply_retention(p->log, env_wall_ms(h->shard.env.clock));
    say(h, "%s: retention %d", p->topic, count);
    if (excused(h, count, "retention"))
        p->start = log_start_offset(p->log);
    if (log_start_offset(p->log) > log_high_watermark(p->log))
        fail(h, "%s: retention passed the high watermark", p->topic);
}

static void step_delete_records(struct harness *h, struct part *p)
{
    int64_t start = log_start_offset(p->log), high = log_high_watermark(p->log);
    int64_t offset = start + (int64_t)below(h, (uint64_t)(high - start + 1));
    say(h, "%s: delete records below %" PRId64, p->topic, offset);
    if (excused(h, log_set_start_offset(p->log, offset), "delete records"))
        p->start = log_start_offset(p->log);
}

static void step_fault(struct harness *h)
{
    h->disturbed = true;
    if (chance(h, 1, 2)) {
        sim_fs_fail_at(h->fs, 1 + below(h, 10), SIM_OP_OPEN | SIM_OP_WRITE, ERR_NOSPC, chance(h, 1, 2));
        say(h, "full disk");
    } else {
        sim_fs_fail_at(h->fs, 1 + below(h, 10), SIM_OP_ANY, ERR_IO, chance(h, 1, 2));
        say(h, "failing device");
    }
}

// Its name goes to another at once, as when a topic is deleted and created again.
static void step_recreate(struct harness *h, struct part *p)
{
    if (h->disturbed)
        return;
    say(h, "%s: delete and create", p->topic);
    log_committer_remove(h->committer, p->log);
    if (!excused(h, log_dir_delete_log(h->dir, p->log), "delete"))
        return;
    p->log = NULL;
    p->existed = false;
    create_part(h, p);
}

static void step_stop(struct harness *h)
{
    struct diag diag;
    sim_run_works(&h->sim);
    if (is_down(h) || h->disturbed)
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
        sim_fs_restart(h->fs, (enum sim_crash)below(h, 4)); // a clean stop left nothing to lose
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
        sim_run_for(&h->sim, (int64_t)below(h, 5000000));
    else if (what < 74)
        excused(h, log_roll(p->log, env_wall_ms(h->shard.env.clock)), "roll");
    else if (what < 76)
        step_truncate(h, p);
    else if (what < 80)
        step_retention(h, p);
    else if (what < 83)
        step_delete_records(h, p);
    else if (what < 88)
        step_save(h);
    else if (what < 90)
        check_part(h, p);
    else if (what < 92)
        log_close_idle_files(p->log);
    else if (what < 93)
        step_fault(h);
    else if (what < 94)
        step_stop(h);
    else if (what < 95)
        sim_run_for(&h->sim, 3000000000); // long enough for delayed deletions
    else if (what < 98)
        sim_fs_crash_at(h->fs, 1 + below(h, 30));
    else if (what < 99 && h->recreates)
        step_recreate(h, p);
    else
        commit(h, p);
}

// ---- Running ----

static void init(struct harness *h, const struct options *options, uint64_t seed)
{
    *h = (struct harness){.options = options, .seed = seed};
    prng_init(&h->prng, seed);
    sim_init(&h->sim, prng_next(&h->prng));
    sim_env_init(&h->shard, &h->sim, NULL);
    h->fs = sim_fs_new(prng_next(&h->prng), &h->shard.clock);
    sim_fs_note_in(h->fs, &h->sim);
    h->shard.env.fs = sim_fs_env(h->fs);
    h->config = LOG_CONFIG_DEFAULTS;
    h->config.segment_bytes = 1500 + (int64_t)below(h, 12000);
    h->config.index_interval_bytes = 50 + (int32_t)below(h, 1500);
    h->config.segment_index_bytes = 60 + (int32_t)below(h, 1000);
    h->config.segment_ms = 200 + (int64_t)below(h, 10000);
    h->config.segment_jitter_ms = (int64_t)below(h, 100);
    h->config.retention_ms = chance(h, 1, 2) ? (int64_t)below(h, 5000) : -1;
    h->config.retention_bytes = chance(h, 1, 2) ? (int64_t)below(h, 20000) : -1;
    h->config.file_delete_delay_ms = (int64_t)below(h, 2000);
    h->config.producer_id_expiration_ms = INT64_C(1) << 40;
    h->config.preallocate = chance(h, 1, 5);
    h->volume_syncs_min = chance(h, 1, 2) ? 1 + (int)below(h, 8) : 0;
    h->recreates = seed % 4 == 2;
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
        for (int k = 0; k < h->parts[i].sent_count; k++)
            mem_free(h->parts[i].sent[k].bytes);
        mem_free(h->parts[i].sent);
    }
    sim_env_release(&h->shard);
    sim_release(&h->sim);
    sim_fs_free(h->fs);
}

// True if nothing was wrong.
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
        restart(&h); // whatever it was about to do, it crashes once more
    bool good = !h.failed;
    if (!good && (!options->broken || options->verbose))
        fprintf(stderr, "seed %" PRIu64 ": %s\n", seed, h.message);
    totals.crashes += (uint64_t)h.crashes;
    totals.steps += h.sim.steps;
    totals.hash = totals.hash * 31 + h.sim.hash;
    totals.sync_alls += sim_fs_sync_alls(h.fs);
    release(&h);
    return good;
}

static int run(const struct options *options)
{
    for (uint64_t seed = options->start; seed < options->start + options->seeds; seed++) {
        if (run_seed(options, seed))
            continue;
        if (options->broken) {
            printf("acknowledging before the commit was caught by seed %" PRIu64 "\n", seed);
            return 0;
        }
        fprintf(stderr, "again: sim_log --seeds 1 --start %" PRIu64 " --steps %d --verbose\n", seed,
                options->steps);
        return 1;
    }
    printf("%" PRIu64 " seeds from %" PRIu64 ": %" PRIu64 " appends, %" PRIu64 " crashes, %" PRIu64
           " events, %" PRIu64 " syncs of everything, state %016" PRIx64 "\n",
           options->seeds, options->start, totals.appends, totals.crashes, totals.steps,
           totals.sync_alls, totals.hash);
    if (options->broken)
        fprintf(stderr, "acknowledging before the commit was not caught\n");
    return options->broken ? 1 : 0;
}

int main(int argc, char **argv)
{
    struct options options = {.seeds = 100, .start = 1, .steps = 300};
    for (int i = 1; i < argc; i++) {
        int64_t value = 0;
        bool has_value = i + 1 < argc && str_parse_i64(str_from(argv[i + 1]), &value);
        if (strcmp(argv[i], "--verbose") == 0) {
            options.verbose = true;
        } else if (strcmp(argv[i], "--broken") == 0) {
            options.broken = true;
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
            fprintf(stderr,
                    "usage: sim_log [--seeds N] [--start N] [--steps N] [--verbose] [--broken]\n");
            return 2;
        }
    }
    return run(&options);
}
