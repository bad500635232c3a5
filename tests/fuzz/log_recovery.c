// SPDX-License-Identifier: Apache-2.0
//
// A partition directory with arbitrary bytes in its files. It must open (or say why not) without
// touching memory that is not its own; what is there can be read, looked up and appended to; and a
// second opening finds what the first left. Before that the directory is verified, which changes nothing.
//
// Input: byte 0: bit 0 clean stop, bits 1-3 recovery point; then files, each a kind byte, a two-byte
// big-endian length and the contents.
#include <stdio.h>

#include "base/check.h"
#include "base/err.h"
#include "fuzz.h"
#include "log/log.h"
#include "log/verify.h"
#include "sim_env.h"
#include "sim_fs.h"
#include "sim_txns.h"
#include "wire/batch.h"

static const char *const names[] = {
    "00000000000000000000.log",       "00000000000000000000.index",
    "00000000000000000000.timeindex", "00000000000000000000.txnindex",
    "00000000000000000004.log",       "00000000000000000004.index",
    "00000000000000000004.snapshot",  "leader-epoch-checkpoint",
    "00000000000000000002.log.swap",  "00000000000000000002.snapshot",
    "partition.metadata",
};

static void write_file(struct env_fs *fs, const char *name, struct bytes contents)
{
    char path[FS_PATH_MAX];
    struct fs_file *file;
    snprintf(path, sizeof path, "/d/t-0/%s", name);
    check(fs_open(fs, path, FS_WRITE | FS_CREATE | FS_TRUNCATE, &file) == 0);
    if (contents.size > 0)
        check(fs_file_write(file, contents.data, contents.size, 0) == 0);
    fs_file_close(file);
}

static void write_files(struct env_fs *fs, struct bytes in)
{
    while (in.size >= 3) {
        size_t size = (size_t)in.data[1] << 8 | in.data[2];
        if (size > in.size - 3)
            size = in.size - 3;
        write_file(fs, names[in.data[0] % (sizeof names / sizeof names[0])],
                   bytes_of(in.data + 3, size));
        in = bytes_of(in.data + 3 + size, in.size - 3 - size);
    }
}

static int ignore_producer(void *context, const struct log_producer *p)
{
    return 0;
}

static int ignore_txn(void *context, const struct log_aborted *txn)
{
    return 0;
}

static void found(void *context, const struct verify_finding *f)
{
    check(f->what != NULL && f->remedy != NULL && f->path != NULL);
}

static void verify(struct sim_fs *sim_fs, struct env_fs *fs)
{
    struct verify_args args = {.fs = fs, .dir = "/d", .found = found};
    struct verify_result result;
    struct diag diag;
    uint64_t before = sim_fs_count(sim_fs, SIM_OP_WRITE | SIM_OP_SYNC | SIM_OP_CHANGE);
    verify_dir(&args, &result, &diag);
    check(sim_fs_count(sim_fs, SIM_OP_WRITE | SIM_OP_SYNC | SIM_OP_CHANGE) == before);
    check(sim_fs_open_count(sim_fs) == 0);
}

// As a Fetch does with what it has not seen before.
static void check_slice(struct log *log)
{
    struct log_slice slice;
    struct log_check result;
    if (log_read(log, log_start_offset(log), 1000, true, log_end_offset(log), &slice) < 0 ||
        slice.size == 0)
        return;
    log_check_run(&slice, &result);
    log_check_end(log, &slice, &result);
    log_slice_release(&slice);
}

static void use(struct log *log)
{
    struct log_position found;
    struct log_epoch_end end;
    struct log_append_info info;
    struct buf bytes;
    buf_init(&bytes, 1 << 22);
    check_slice(log);
    log_read_bytes(log, log_start_offset(log), 1000, true, log_end_offset(log), &bytes);
    log_find_timestamp(log, 1000, &found);
    log_find_max_timestamp(log, &found);
    log_epoch_end(log, 1, &end);
    log_each_producer(log, ignore_producer, NULL);
    sim_each_aborted(log, 0, INT64_MAX, ignore_txn, NULL);
    log_last_stable_offset(log);
    log_set_high_watermark(log, log_end_offset(log));
    log_apply_retention(log, 0);
    buf_clear(&bytes);
    struct batch_options options = BATCH_OPTIONS_DEFAULT;
    struct batch_builder b;
    batch_builder_begin(&b, &bytes, &options);
    batch_builder_add(&b, 5, (struct bytes){0}, (struct bytes){0}, NULL, 0);
    check(batch_builder_finish(&b, NULL) == 0);
    int64_t before = log_end_offset(log);
    int err = log_append(log, bytes.data, bytes.size, 5, 0, &info);
    if (err == 0)
        check(info.verdict == LOG_APPENDED && log_end_offset(log) == before + 1);
    buf_release(&bytes);
}

static struct log *open_again(const struct log_args *args)
{
    struct log *log;
    struct diag diag;
    return log_open(args, &log, &diag) == 0 ? log : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sim sim;
    struct sim_env shard;
    if (size < 1)
        return 0;
    sim_init(&sim, 1);
    sim_env_init(&shard, &sim, NULL);
    struct sim_fs *sim_fs = sim_fs_new(1, &shard.clock);
    struct env_fs *fs = sim_fs_env(sim_fs);
    check(fs_make_dir(fs, "/d") == 0 && fs_make_dir(fs, "/d/t-0") == 0);
    write_file(fs, "partition.metadata",
               str_bytes(str_from("version: 0\ntopic_id: ImHG3ZgIT1e7tvmZAixX2A")));
    write_files(fs, bytes_of(data + 1, size - 1));
    struct log_args args = {.fs = fs, .clock = &shard.clock, .dir_path = "/d", .topic = str_from("t"),
                            .config = LOG_CONFIG_DEFAULTS, .log_start_offset = -1,
                            .high_watermark = -1, .cleaner_offset = -1, .clean = data[0] & 1,
                            .recovery_point = (data[0] >> 1 & 7) - 1};
    args.config.segment_bytes = 10000;
    args.config.index_interval_bytes = 50;
    verify(sim_fs, fs);
    struct log *log = open_again(&args);
    if (log != NULL) {
        use(log);
        bool closed = log_close(log) == 0 && !log_is_offline(log);
        int64_t end = log_end_offset(log);
        log_free(log);
        args.clean = false;
        args.recovery_point = -1;
        log = open_again(&args);
        check(!closed || log != NULL);
        if (closed && !log_is_offline(log) && (data[0] & 1) == 0)
            check(log_end_offset(log) == end);
        log_free(log);
    }
    sim_env_release(&shard);
    sim_release(&sim);
    sim_fs_free(sim_fs);
    return 0;
}
