// SPDX-License-Identifier: Apache-2.0
//
// One partition's log: segments, indexes, leader epochs and producer state in one directory of
// Kafka's layout and bytes.
//
// FROZEN on disk (Apache Kafka's): `<base offset, 20 digits>.log` holds record batches back to back;
// `.index`, `.timeindex`, `.txnindex` (log/index.h), `<offset>.snapshot` (log/producer_state.h),
// `leader-epoch-checkpoint` (log/epoch_cache.h), `partition.metadata`.
//
// Threads: a log belongs to one shard. log_create() and log_open() (and log_free() of a log that
// was not added to a log_dir) touch nothing but their arguments and block: call them in an env_work.
// Every other call is on the shard, and short unless it says that it blocks.
//
// Offsets: durable_offset <= log_end_offset, log_start_offset <= high_watermark <= log_end_offset. A log
// whose end is below its start after a crash begins again at its start, empty.
//
// *Appended* is what log_append() returned for: it is in the page cache, visible to this node, and may
// be gone after a power loss. *Durable* is what a commit (log/commit.h) has made safe: only this may be
// acknowledged or shown to consumers, unless the topic says write.caching.
//
// Idle costs: a log that was opened after a clean stop holds no descriptor, and neither segment sizes
// nor producer state, until something uses it ("loads" it; log_load()).
//
// Where -1 says "none" or "unknown", no error is -1: ERR_NOMEM does not occur.
//
// Errors of every call that does I/O: ERR_IO (the directory is offline from now on, see log/dir.h),
// ERR_OFFLINE (it was already, or this partition is: see log_is_offline()), ERR_NOSPC (nothing
// changed; see log_dir_is_full()), ERR_CORRUPT (this partition went offline; log_problem() says why).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/diag.h"
#include "base/list.h"
#include "base/uuid.h"
#include "log/config.h"
#include "log/file_ref.h"

struct cached_dir;
struct env_clock;
struct env_fs;
struct log;
struct trace;

enum { LOG_TOPIC_NAME_MAX = 249 };

// What log_create() and log_open() need to know. Everything is copied but fs, clock and trace, which
// must outlive the log.
struct log_args {
    struct env_fs *fs;
    struct env_clock *clock;   // only wall time, for producer expiry at load
    struct trace *trace;       // may be NULL; recovery and damage are reported here
    const char *dir_path;      // the entry of log.dirs
    struct str topic;
    int32_t partition;
    struct uuid topic_id;
    bool topic_id_read;        // log_open(): from this partition's partition.metadata, just now
    const struct cached_dir *cached; // log_open(): what the directory holds, known without looking; NULL:
                               // look. Needed until it returns
    struct log_config config;
    int64_t recovery_point;    // all below is on disk and not looked at; -1 unknown
    int64_t log_start_offset;  // from the checkpoint; -1 when it has no entry (then the first segment says)
    int64_t high_watermark;    // from the checkpoint; -1 unknown
    bool clean;                // the directory was closed cleanly: nothing to recover, nothing torn
    bool start_unknown;        // the checkpoint of log start offsets is missing or damaged
    int64_t cleaner_offset;    // from the checkpoint: a compaction got so far, so offsets may be missing
                               // below; -1 when it has no entry
    bool synced;               // it was not, but all that is found is on disk, not in the page cache alone
};

// Makes `<dir_path>/<topic>-<partition>` with partition.metadata and an empty first segment.
// ERR_EXISTS if the directory is there. Nothing is durable yet: the first commit sees to it.
int log_create(const struct log_args *args, struct log **out, struct diag *diag);

// As log_create(), but leaves the disk alone until log_make(), or until something uses the log, which
// looks empty meanwhile. Checkpoints do not speak of it. ERR_INVALID.
int log_plan(const struct log_args *args, struct log **out, struct diag *diag);

// Makes what log_plan() left to be made. 0 also when it was made before. ERR_NOSPC: still to be made.
// Whatever else is in the way takes the log offline.
int log_make(struct log *log);

// Opens an existing directory. After an unclean stop reads what lies past the recovery point, cuts a
// torn tail and rebuilds indexes, epochs and producer state. Damage that would lose acknowledged
// records gives a log that is offline (returns 0; see log_is_offline()) and leaves the files as they
// are. Returns an error, with words in diag, only when there is no log to speak of (ERR_NOT_FOUND,
// ERR_IO, ERR_CORRUPT for a foreign partition.metadata).
int log_open(const struct log_args *args, struct log **out, struct diag *diag);

// Frees the memory and closes the files without another look at the disk: after log_close(), after
// the directory failed, or as a crash in tests. The log must be in no committer.
void log_free(struct log *log);

// Blocks. Makes everything durable and leaves what Apache Kafka leaves at a clean stop: trimmed
// indexes, the last time index entry, a producer snapshot at the end. Part of log_dir_close(); the
// log stays readable.
int log_close(struct log *log);

// ---- Who and where ----

struct str log_topic(const struct log *log); // lives as long as the log
int32_t log_partition(const struct log *log);
struct uuid log_topic_id(const struct log *log);
const char *log_path(const struct log *log);     // of the partition's directory
struct log_dir *log_home(const struct log *log); // NULL before log_dir_add()
const struct log_config *log_get_config(const struct log *log);
void log_set_config(struct log *log, const struct log_config *config);

// True if appends and reads give ERR_OFFLINE: this partition is damaged or its directory failed.
bool log_is_offline(const struct log *log);

// Why the partition is offline: file, position, offset, what to do. "" if it is not.
const char *log_problem(const struct log *log);

// The owner's pointer and its call for every rise of durable_offset.
void log_set_owner(struct log *log, void *owner, void (*on_durable)(struct log *log, void *owner));

// ---- Offsets and sizes ----

int64_t log_start_offset(const struct log *log);
int64_t log_end_offset(const struct log *log);
int64_t log_durable_offset(const struct log *log);
int64_t log_recovery_point(const struct log *log);
int64_t log_high_watermark(const struct log *log);

// The owner's decision; kept in [log_start_offset, log_end_offset]. Bounds retention and completes
// transactions.
void log_set_high_watermark(struct log *log, int64_t high_watermark);

// First offset of the oldest transaction that is open, or decided but with its marker not below the
// high watermark; -1 if there is none. ERR_* when loading failed.
int64_t log_first_unstable_offset(struct log *log);

// min(high watermark, first unstable offset), but not below the log start offset; or ERR_*.
int64_t log_last_stable_offset(struct log *log);

// Bytes in the segments' .log files, or ERR_*. Loads the log.
int64_t log_size_bytes(struct log *log);

int log_segment_count(const struct log *log);

// Reads what an idle log leaves unread (sizes, epochs, producer state) and checks that the last
// segment holds what the recovery point promises. Other calls do it when they need it. May read from
// the disk.
int log_load(struct log *log);

// ---- Append ----

// How an append was answered; everything but LOG_APPENDED left the log as it was.
enum log_verdict {
    LOG_APPENDED,
    LOG_DUPLICATE,              // seen before: success with the first time's offset and timestamp
    LOG_OUT_OF_ORDER_SEQUENCE,  // OUT_OF_ORDER_SEQUENCE_NUMBER
    LOG_INVALID_PRODUCER_EPOCH, // INVALID_PRODUCER_EPOCH: older than the one known
    LOG_INVALID_TXN_STATE,      // INVALID_TXN_STATE: plain batch inside the producer's open transaction, or
                                // one that begins a transaction which was not verified
    LOG_COORDINATOR_FENCED,     // TRANSACTION_COORDINATOR_FENCED: marker of a deposed coordinator
    LOG_RECORD_LIST_TOO_LARGE,  // RECORD_LIST_TOO_LARGE: the batches are larger than a segment
    LOG_OUT_OF_ORDER_OFFSETS,   // follower only: offsets not above the log end, or not ascending
};

struct log_append_info {
    enum log_verdict verdict;
    int64_t base_offset;      // of the first batch; for LOG_DUPLICATE what it got the first time
    int64_t last_offset;      // of the last batch; acknowledge when durable_offset > last_offset
    int64_t max_timestamp;    // largest of the batches; for LOG_DUPLICATE that of the first time
    int64_t log_start_offset;
    // Where the verdict is not LOG_APPENDED or LOG_DUPLICATE: what was expected and what came.
    int64_t producer_id;
    int64_t expected;
    int64_t found;
};

// Appends as leader: checks the producers' state, assigns offsets from log_end_offset and
// `leader_epoch` by patching `batches` in place, and writes them with one call. `batches` holds whole
// record batches (magic 2) that were validated (CRC, records, timestamps; wire/batch.h).
// Returns 0 with *out filled, ERR_CORRUPT if the bytes are not whole batches (the log is fine), or an
// error of I/O. `now_ms` is wall time.
int log_append(struct log *log, uint8_t *batches, size_t size, int32_t leader_epoch, int64_t now_ms,
               struct log_append_info *out);

// What an append has to prove when it is about a transaction (KIP-890, KIP-1228).
struct log_writer {
    bool is_coordinator;        // of groups or transactions: its batches have epochs, but no sequences
    bool needs_verification;    // a batch that begins a transaction here must come with its
    int64_t guard;              // from log_begin_verification(), which nothing has made void since
    int8_t transaction_version; // of a marker: from 2 on its epoch must be above that of the records
};

// As log_append(), which stands for a client that needs no verification.
int log_append_as(struct log *log, uint8_t *batches, size_t size, int32_t leader_epoch, int64_t now_ms,
                  const struct log_writer *writer, struct log_append_info *out);

// Appends as follower (and metadata log): offsets and epochs are in the batches and are kept. The
// first may leave a gap to log_end_offset (a compacted leader). CRCs were checked by the caller.
int log_append_follower(struct log *log, const uint8_t *batches, size_t size, int64_t now_ms,
                        struct log_append_info *out);

// Notes that `leader_epoch` starts at the log end, with or without an append (KIP-279), unless one as
// late has started already. Loads nothing and writes nothing: an epoch without an append leaves no trace
// on disk, since whoever opens the log again begins another, which takes its place and gives the same
// answers. With its first append it becomes durable.
void log_begin_epoch(struct log *log, int32_t leader_epoch);

// Starts a new segment at log_end_offset, unless the active one is empty.
int log_roll(struct log *log, int64_t now_ms);

// ---- Read ----

// A range of a segment file: whole batches, the first of which contains the offset asked for. Holds
// the file open and readable, also after the segment was deleted, until log_slice_release().
struct log_slice {
    struct file_ref *ref; // NULL when size is 0
    int64_t position;
    size_t size;
    int64_t offset_limit; // every offset in the range is below
    bool unchecked;       // nobody has looked at these bytes since the log was opened: before they are
                          // shown, log_check_run() and log_check_end()
    bool may_have_gaps;   // offsets may be missing between batches: compaction takes them
    int64_t base_offset;  // of the segment
    int64_t segment_size; // in bytes, and
    int64_t segment_end;  // first offset behind it
    uint32_t cuts;        // of the segment, so far
};

// Drops the slice's hold on the file; any thread.
void log_slice_release(struct log_slice *slice);

// What a check of a slice found.
struct log_check {
    int64_t position; // up to here all is good
    int64_t end;      // where batches go on behind the bad one; -1 unknown
    int64_t offset;   // first that is not good, and
    int64_t end_offset; // first behind it; -1 unknown
    const char *problem; // NULL: everything is good
    int err;          // the bytes could not be read: nothing is known
};

// Reads the slice and checks CRC and order of its batches. Any thread; blocks.
void log_check_run(const struct log_slice *slice, struct log_check *out);

// On the shard: the log learns of it. Damage is said, and reads of it answer ERR_CORRUPT from now on.
void log_check_end(struct log *log, const struct log_slice *slice, const struct log_check *found);

// Finds batches from `offset` on, all below `upper_bound_offset` (which must be a batch boundary: the
// high watermark, last stable offset or log end), at most `max_bytes`, except that `min_one_batch`
// gives the first batch however large it is. size 0 at the upper bound, or when nothing fits. The
// range ends at a batch boundary and may be shorter than possible by one index interval. It ends before
// bytes that are known to be damaged; ERR_CORRUPT: these are at `offset` (the partition stays online).
// ERR_LIMIT: offset below log_start_offset or above log_end_offset (OFFSET_OUT_OF_RANGE).
int log_read(struct log *log, int64_t offset, size_t max_bytes, bool min_one_batch,
             int64_t upper_bound_offset, struct log_slice *out);

// As log_read(), but ERR_AGAIN when it would wait for the device, or have much to do: after a log_warm
// of the same range log_read() has not. (A log that was not used since it was opened is loaded first.)
int log_read_cached(struct log *log, int64_t offset, size_t max_bytes, bool min_one_batch,
                    int64_t upper_bound_offset, struct log_slice *out);

// What has to be in memory to read from an offset and to send what was read, brought there. It looks at
// files by itself and leaves the log alone: begun on the shard, run on a worker while the log goes on or
// goes away. What it cannot find is not its business: the read after it will tell.
struct log_warm {
    struct env_fs *fs;
    struct env_workers *workers; // for env_work_turn(), since it asks a lot of the device
    char *path;                  // of the partition's directory
    int64_t base_offset;         // of the segment
    int64_t segment_size;
    int64_t offset;
    size_t bytes;
};

void log_warm_begin(struct log *log, int64_t offset, size_t bytes, struct env_workers *workers,
                    struct log_warm *out);
void log_warm_run(struct log_warm *warm); // any thread; blocks
void log_warm_end(struct log_warm *warm); // releases it

// Whether sending the slice would wait for the device, as far as can be known without waiting.
bool log_slice_is_cached(const struct log_slice *slice);

// Brings it into memory: any thread; blocks.
void log_slice_warm(const struct log_slice *slice, struct env_workers *workers);

// As log_read(), but copies the bytes to the end of `out`.
int log_read_bytes(struct log *log, int64_t offset, size_t max_bytes, bool min_one_batch,
                   int64_t upper_bound_offset, struct buf *out);

struct log_position {
    int64_t offset;       // -1: no record
    int64_t timestamp;    // -1 with it
    int32_t leader_epoch; // -1 unknown
};

// The first record, from log_start_offset on, whose timestamp is >= target. Reads the headers of at
// most one segment and decompresses one batch.
int log_find_timestamp(struct log *log, int64_t target, struct log_position *out);

// The record with the largest timestamp, the first of them (ListOffsets -3).
int log_find_max_timestamp(struct log *log, struct log_position *out);

// The epoch of the leader that wrote `offset`, or -1; ERR_* when loading failed.
int32_t log_epoch_at(struct log *log, int64_t offset);

// The latest epoch known, or -1; ERR_* when loading failed.
int32_t log_latest_epoch(struct log *log);

struct log_epoch_end {
    int32_t leader_epoch; // the epoch asked for, or the largest known below it; -1 undefined
    int64_t end_offset;   // first offset after it; -1 undefined
};

// OffsetForLeaderEpoch (KIP-101, KIP-279).
int log_epoch_end(struct log *log, int32_t leader_epoch, struct log_epoch_end *out);

// ---- Producers and transactions ----

struct log_producer {
    int64_t producer_id;
    int64_t last_timestamp;
    int64_t current_txn_first_offset; // -1: none open
    int32_t last_sequence;            // -1: none
    int32_t coordinator_epoch;        // -1: no marker seen
    int16_t producer_epoch;
};

// Calls `each` for every producer known, in order of producer id; stops at a non-zero result and
// returns it.
int log_each_producer(struct log *log, int (*each)(void *context, const struct log_producer *p),
                      void *context);

// A batch that is to begin a transaction here, or to be its next one.
struct log_verification {
    int64_t producer_id;
    int32_t base_sequence; // -1: none
    int16_t producer_epoch;
    bool adds;             // the partition is added to the transaction with it (Produce 12 on): sequences
                           // begin at 0 then in each transaction
};

// Begins to verify that a transaction covers this partition, before its first batch may be appended
// (KIP-890): *guard is LOG_GUARD_NONE if the transaction is open here, so that nothing need be verified.
// Otherwise the transaction's coordinator has to be asked, and then *guard is the ticket for the append:
// the first batch of the producer that is appended, and any marker, make it void. So a batch that comes
// late does not open a transaction that nobody would end. Batches of one producer that are verified at
// the same time share a guard. Errors of I/O.
enum { LOG_GUARD_NONE = 0 };
int log_begin_verification(struct log *log, const struct log_verification *v, int64_t now_ms,
                           int64_t *guard);

// Forgets producers idle for producer.id.expiration.ms and without an open transaction.
int log_expire_producers(struct log *log, int64_t now_ms);

struct log_aborted {
    int64_t producer_id;
    int64_t first_offset;
};

// Calls `each` for every aborted transaction that touches [offset, upper_bound_offset), and ends with the
// first result that is not 0. ERR_AGAIN, maybe after some calls: it came to what this process has neither
// written nor held against the log; a log_txn_check of the same range does that.
int log_each_aborted(struct log *log, int64_t offset, int64_t upper_bound_offset,
                     int (*each)(void *context, const struct log_aborted *txn), void *context);

// Holds the next index that log_each_aborted() would come to, and that nobody has looked at yet, against
// the log; or, when all have been, a part of the range against the markers that end its transactions, since
// entries may be missing. Begun and ended on the shard, run by any thread, which blocks. NULL: there is
// none, or it cannot be opened, as log_each_aborted() will say.
struct log_txn_check *log_txn_check_begin(struct log *log, int64_t offset, int64_t upper_bound_offset);
void log_txn_check_run(struct log_txn_check *c);

// Frees it; log NULL: that went meanwhile. An index that does not fit is made again, and said; where the
// segment's batches are damaged, too, that is said and it stays. Returns 0 also when the log changed
// meanwhile, so that the index is to be checked again; or an error.
int log_txn_check_end(struct log *log, struct log_txn_check *c);

// ---- Removing ----

// Blocks; durable when it returns. Drops everything at and above `offset` (which becomes the log end,
// at most: offsets inside a batch drop the whole batch).
// Not for a partition of a directory with several parts (log/dir.h), where lowering its recovery point
// on disk would take a save that gathers: only the metadata log, which no checkpoint names, is truncated
// before there are replicas.
int log_truncate_to(struct log *log, int64_t offset);

// Blocks; durable when it returns. Drops everything and starts again, empty, at `offset`.
int log_truncate_fully_and_start_at(struct log *log, int64_t offset);

// DeleteRecords: raises log_start_offset to `offset`. In force at once, durable after
// log_dir_save(LOG_SAVE_START_OFFSETS). ERR_LIMIT above the high watermark; below the present start
// it changes nothing.
int log_set_start_offset(struct log *log, int64_t offset);

// One retention pass by time, size and start offset, oldest first, only below the high watermark. It
// raises log_start_offset; the files go when that is durable (log_dir_save()). Rolls the active
// segment when all of it has expired. Returns the number of segments that are to go, or an error.
int log_apply_retention(struct log *log, int64_t now_ms);

// Renames segments wholly below `offset` (a durable log start offset) and a durable recovery point to
// `.deleted`; they are removed file.delete.delay.ms later. Called by log_dir_save(). None goes while
// names in the partition's directory are not synced.
int log_delete_segments_below(struct log *log, int64_t offset);

// Closes the files of this log that nobody uses; they open again by themselves.
void log_close_idle_files(struct log *log);

// True if more segments are open in the directory than should be. What was appended should not wait for
// its sync then: until that its segment stays open.
bool log_is_crowded(const struct log *log);
