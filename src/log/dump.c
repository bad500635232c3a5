// SPDX-License-Identifier: Apache-2.0
#include "log/dump.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/err.h"
#include "base/mem.h"
#include "log/batch_scan.h"
#include "log/dump_line.h"
#include "log/dump_record.h"
#include "log/index.h"
#include "log/names.h"
#include "log/producer_state.h"
#include "log/small_file.h"

enum { CHUNK_DEFAULT = 1 << 16, TEXT_FILE_MAX = 64 << 20 };

struct dump {
    struct env_fs *fs;
    const char *path;
    const char *name; // as it is shown: the path
    const struct dump_options *options;
    enum dump_decoder decoder;
    dump_write_fn write;
    void *context;
    struct buf out;
    struct dump_result result;
};

// Hands lines over when there are enough, or at the end.
static int flush(struct dump *d, bool end)
{
    size_t chunk = d->options->chunk_bytes > 0 ? d->options->chunk_bytes : CHUNK_DEFAULT;
    if (d->out.failed)
        return ERR_LIMIT;
    if (d->out.size == 0 || (!end && d->out.size < chunk))
        return 0;
    int err = d->write(d->context, buf_str(&d->out));
    buf_clear(&d->out);
    return err;
}

static struct dump_line begin(struct dump *d, const char *kind, const char *prefix)
{
    struct dump_line l;
    dump_line_begin(&l, d->options->format, &d->out, d->name, kind, prefix);
    return l;
}

static void say(struct dump *d, const char *text)
{
    struct dump_line l = begin(d, "text", "");
    dump_line_text(&l, text);
    dump_line_end(&l);
}

// Damage, where it is.
static void report(struct dump *d, int64_t position, const char *text)
{
    struct dump_line l = begin(d, "problem", "PROBLEM: ");
    dump_line_int(&l, "position", position);
    dump_line_str(&l, "problem", str_from(text));
    dump_line_end(&l);
    d->result.problems++;
}

// ---- Batches ----

static void dump_batch(struct dump *d, const struct batch_header *h, int64_t position, bool valid)
{
    struct dump_line l = begin(d, "batch", "");
    const char *codec = codec_name(batch_codec(h));
    dump_line_int(&l, "baseOffset", h->base_offset);
    dump_line_int(&l, "lastOffset", batch_last_offset(h));
    dump_line_int(&l, "count", h->record_count);
    dump_line_int(&l, "baseSequence", h->base_sequence);
    dump_line_int(&l, "lastSequence", batch_last_sequence(h));
    dump_line_int(&l, "producerId", h->producer_id);
    dump_line_int(&l, "producerEpoch", h->producer_epoch);
    dump_line_int(&l, "partitionLeaderEpoch", h->partition_leader_epoch);
    dump_line_bool(&l, "isTransactional", batch_is_transactional(h));
    dump_line_bool(&l, "isControl", batch_is_control(h));
    dump_line_optional(&l, "deleteHorizonMs",
                       batch_has_delete_horizon(h) ? h->base_timestamp : -1);
    dump_line_int(&l, "position", position);
    dump_line_int(&l, batch_is_log_append_time(h) ? "LogAppendTime" : "CreateTime",
                  h->max_timestamp);
    dump_line_int(&l, "size", (int64_t)batch_size(h));
    dump_line_int(&l, "magic", h->magic);
    dump_line_str(&l, "compresscodec", str_from(codec != NULL ? codec : "unknown"));
    dump_line_int(&l, "crc", h->crc);
    dump_line_bool(&l, "isvalid", valid);
    dump_line_end(&l);
    d->result.batches++;
}

static int64_t size_of(struct bytes b)
{
    return b.data == NULL ? -1 : (int64_t)b.size;
}

static void add_header_keys(struct dump_line *l, const struct record *r)
{
    struct buf text;
    struct json_printer p;
    struct bytes rest = r->headers;
    struct record_header header;
    bool first = true;
    buf_init(&text, DUMP_LINE_MAX);
    json_printer_init(&p, &text);
    if (l->format == DUMP_JSON)
        json_array_begin(&p);
    else
        buf_append_text(&text, "[");
    while (record_header_next(&rest, &header) == 1) {
        if (l->format == DUMP_JSON) {
            json_print_str(&p, header.key);
        } else {
            buf_append_text(&text, first ? "" : ",");
            buf_append_str(&text, header.key);
        }
        first = false;
    }
    if (l->format == DUMP_JSON)
        json_array_end(&p);
    else
        buf_append_text(&text, "]");
    dump_line_json(l, "headerKeys", buf_str(&text));
    buf_release(&text);
}

static void dump_record(struct dump *d, const struct batch_header *h, const struct record *r)
{
    // Without what surrounds keys and values nothing is left of a control record.
    bool hidden = batch_is_control(h) && d->options->skip_record_metadata;
    struct dump_line l = begin(d, "record", hidden ? "" : "| ");
    if (!d->options->skip_record_metadata) {
        dump_line_int(&l, "offset", r->offset);
        dump_line_int(&l, batch_is_log_append_time(h) ? "LogAppendTime" : "CreateTime",
                      r->timestamp);
        dump_line_int(&l, "keySize", size_of(r->key));
        dump_line_int(&l, "valueSize", size_of(r->value));
        dump_line_int(&l, "sequence", r->sequence);
        add_header_keys(&l, r);
    }
    if (batch_is_control(h) && !hidden)
        dump_control(&l, r);
    else if (d->options->payload && !hidden)
        dump_payload(&l, d->decoder, r);
    dump_line_end(&l);
    d->result.records++;
}

static int dump_records(struct dump *d, const struct batch_header *h, int64_t position,
                        struct bytes batch)
{
    struct batch_iter it;
    struct record record;
    struct buf scratch;
    buf_init(&scratch, DUMP_LINE_MAX);
    int err = batch_iter_init(&it, batch, &scratch);
    int got = 1;
    while (err == 0 && (got = batch_iter_next(&it, &record)) == 1) {
        dump_record(d, h, &record);
        err = flush(d, false);
    }
    buf_release(&scratch);
    if (err > 0 || got == 0)
        return err > 0 ? err : 0;
    report(d, position, "the records of this batch cannot be read");
    return 0;
}

// The place of the next whole, valid batch behind `position`: 1, 0, or an error.
static int find_next(struct batch_scan *s, int64_t position, int64_t *found)
{
    for (int64_t at = position + 1; s->end - at >= BATCH_HEADER_SIZE; at++) {
        const uint8_t *bytes;
        int err = batch_scan_view(s, at, BATCH_HEADER_SIZE, &bytes);
        if (err < 0)
            return err;
        struct batch_header h;
        if (bytes[BATCH_MAGIC_AT] != BATCH_MAGIC_CURRENT ||
            batch_header_parse(bytes_of(bytes, BATCH_HEADER_SIZE), &h) < 0 ||
            (int64_t)batch_size(&h) > s->end - at)
            continue;
        err = batch_scan_check_crc(s, &h, at);
        if (err == 1)
            *found = at;
        if (err != 0)
            return err;
    }
    return 0;
}

static bool is_zero_to_end(struct batch_scan *s, int64_t position)
{
    for (int64_t at = position; at < s->end;) {
        size_t piece = s->end - at < BATCH_SCAN_WINDOW ? (size_t)(s->end - at) : BATCH_SCAN_WINDOW;
        const uint8_t *bytes;
        if (batch_scan_view(s, at, piece, &bytes) < 0)
            return false;
        for (size_t i = 0; i < piece; i++)
            if (bytes[i] != 0)
                return false;
        at += (int64_t)piece;
    }
    return true;
}

// Says what stands where no batch is, and moves the scan behind it: 1, 0 at the end, or an error.
static int skip_damage(struct dump *d, struct batch_scan *s, int problem)
{
    char text[128];
    int64_t position = s->position, next = s->end;
    if (is_zero_to_end(s, position)) {
        snprintf(text, sizeof text, "%" PRId64 " preallocated bytes at position %" PRId64,
                 s->end - position, position);
        say(d, text);
        return 0;
    }
    int found = find_next(s, position, &next);
    if (found < 0)
        return found;
    snprintf(text, sizeof text, "%" PRId64 " bytes are no batch (%s)", next - position,
             err_text(problem));
    report(d, position, text);
    s->position = next;
    return found;
}

static int dump_batches(struct dump *d, struct fs_file *file, int64_t size)
{
    struct batch_scan scan;
    struct batch_header h;
    struct buf spare;
    int64_t position;
    uint8_t *window = mem_alloc(BATCH_SCAN_WINDOW_LARGE);
    buf_init(&spare, BATCH_SIZE_MAX);
    batch_scan_init(&scan, file, 0, size, window, BATCH_SCAN_WINDOW_LARGE);
    int err = 0, got = 1;
    while (err == 0 && got != 0) {
        got = batch_scan_next(&scan, &h, &position);
        if (got == ERR_CORRUPT || got == ERR_TRUNCATED || got == ERR_UNSUPPORTED) {
            got = skip_damage(d, &scan, got);
            if (got == 1)
                continue;
        }
        if (got <= 0) {
            err = got;
            continue;
        }
        int valid = batch_scan_check_crc(&scan, &h, position);
        struct bytes batch = {0};
        if (valid == 1 && d->options->records)
            err = batch_scan_bytes(&scan, &h, position, &spare, &batch);
        dump_batch(d, &h, position, valid == 1);
        if (valid == 0)
            report(d, position, "the CRC of this batch is wrong");
        else if (valid == 1 && err == 0 && d->options->records)
            err = dump_records(d, &h, position, batch);
        if (valid < 0)
            err = valid;
        if (err == 0)
            err = flush(d, false);
    }
    buf_release(&spare);
    mem_free(window);
    return err;
}

// ---- Indexes ----

// Whether the .log beside has a batch where an entry says: 1, 0, or an error.
static int entry_is_true(struct fs_file *log, const struct offset_entry *e)
{
    uint8_t window[BATCH_HEADER_SIZE];
    struct batch_scan scan;
    struct batch_header h;
    int64_t position, size = fs_file_size(log);
    if (size < 0)
        return (int)size;
    if (e->position < 0 || e->position >= size)
        return 0;
    batch_scan_init(&scan, log, e->position, size, window, sizeof window);
    int got = batch_scan_next(&scan, &h, &position);
    if (got == ERR_IO)
        return got;
    return got == 1 && h.base_offset <= e->offset;
}

static bool shows_entries(const struct dump *d)
{
    return d->options->index == DUMP_INDEX_ENTRIES || d->options->index == DUMP_INDEX_ENTRIES_TRUE;
}

static int dump_offset_entry(struct dump *d, const uint8_t *bytes, int64_t base, int64_t index,
                             struct fs_file *log)
{
    struct offset_entry e;
    offset_entry_decode(bytes, base, &e);
    if (shows_entries(d)) {
        struct dump_line l = begin(d, "entry", "");
        dump_line_int(&l, "offset", e.offset);
        dump_line_int(&l, "position", e.position);
        dump_line_end(&l);
    }
    int good = log != NULL ? entry_is_true(log, &e) : 1;
    if (good == 0)
        report(d, index * OFFSET_ENTRY_SIZE, "the log has no such batch there");
    return good < 0 ? good : 0;
}

static void dump_time_entry(struct dump *d, const uint8_t *bytes, int64_t base)
{
    struct time_entry e;
    time_entry_decode(bytes, base, &e);
    if (!shows_entries(d))
        return;
    struct dump_line l = begin(d, "entry", "");
    dump_line_int(&l, "timestamp", e.timestamp);
    dump_line_int(&l, "offset", e.offset);
    dump_line_end(&l);
}

static void dump_txn_entry(struct dump *d, const uint8_t *bytes)
{
    struct txn_entry e;
    txn_entry_decode(bytes, &e);
    struct dump_line l = begin(d, "entry", "");
    dump_line_int(&l, "version", e.version);
    dump_line_int(&l, "producerId", e.producer_id);
    dump_line_int(&l, "firstOffset", e.first_offset);
    dump_line_int(&l, "lastOffset", e.last_offset);
    dump_line_int(&l, "lastStableOffset", e.last_stable_offset);
    dump_line_end(&l);
}

static bool is_all_zero(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

// What Kafka says of an index as a whole.
static void say_of_index(struct dump *d, enum log_file_kind kind)
{
    char text[FS_PATH_MAX + 32];
    const char *said = NULL;
    if (kind == LOG_FILE_INDEX && d->result.entries == 0)
        said = "is empty.";
    else if (kind != LOG_FILE_TXN_INDEX && d->options->index == DUMP_INDEX_SANITY &&
             d->result.problems == 0)
        said = "passed sanity check.";
    if (said == NULL || d->options->format == DUMP_JSON)
        return;
    snprintf(text, sizeof text, "%s %s", d->name, said);
    say(d, text);
}

static int dump_index(struct dump *d, struct fs_file *file, int64_t size, enum log_file_kind kind,
                      int64_t base)
{
    int64_t entry_size = kind == LOG_FILE_INDEX        ? OFFSET_ENTRY_SIZE
                         : kind == LOG_FILE_TIME_INDEX ? TIME_ENTRY_SIZE
                                                       : TXN_ENTRY_SIZE;
    struct fs_file *log = NULL;
    char path[FS_PATH_MAX];
    int err = 0;
    if (kind == LOG_FILE_INDEX && d->options->index != DUMP_INDEX_ENTRIES &&
        str_copy_to(str_of(d->path, strlen(d->path) - strlen(".index")), path, sizeof path - 4)) {
        memcpy(path + strlen(path), ".log", 5);
        if (fs_open(d->fs, path, FS_READ, &log) < 0)
            report(d, 0, "there is no .log beside this index");
    }
    for (int64_t i = 0; i < size / entry_size && err == 0; i++) {
        uint8_t bytes[ENTRY_SIZE_MAX];
        int64_t got = fs_file_read(file, bytes, (size_t)entry_size, i * entry_size);
        if (got != entry_size) {
            err = got < 0 ? (int)got : ERR_TRUNCATED;
            break;
        }
        if (is_all_zero(bytes, (size_t)entry_size))
            break; // preallocated from here on
        if (kind == LOG_FILE_INDEX)
            err = dump_offset_entry(d, bytes, base, i, log);
        else if (kind == LOG_FILE_TIME_INDEX)
            dump_time_entry(d, bytes, base);
        else
            dump_txn_entry(d, bytes);
        d->result.entries++;
        if (err == 0)
            err = flush(d, false);
    }
    if (size % entry_size != 0 && err == 0)
        report(d, size - size % entry_size, "the last entry is not whole");
    if (err == 0)
        say_of_index(d, kind);
    if (log != NULL)
        fs_file_close(log);
    return err;
}

// ---- Files that are read whole ----

static void dump_snapshot_entry(struct dump *d, const struct snapshot_entry *e)
{
    struct dump_line l = begin(d, "entry", "");
    dump_line_int(&l, "producerId", e->producer_id);
    dump_line_int(&l, "producerEpoch", e->producer_epoch);
    dump_line_int(&l, "coordinatorEpoch", e->coordinator_epoch);
    dump_line_optional(&l, "currentTxnFirstOffset", e->txn_first_offset);
    dump_line_int(&l, "lastTimestamp", e->timestamp);
    if (e->last_offset >= 0) {
        dump_line_int(&l, "firstSequence",
                      (int32_t)(((uint32_t)e->last_sequence - (uint32_t)e->offset_delta) & INT32_MAX));
        dump_line_int(&l, "lastSequence", e->last_sequence);
        dump_line_int(&l, "lastOffset", e->last_offset);
        dump_line_int(&l, "offsetDelta", e->offset_delta);
        dump_line_int(&l, "timestamp", e->timestamp);
    }
    dump_line_end(&l);
    d->result.entries++;
}

static int dump_snapshot(struct dump *d, struct bytes in)
{
    int32_t count;
    int err = snapshot_check(in, &count);
    if (err < 0) {
        report(d, 0, err == ERR_UNSUPPORTED ? "the version of this snapshot is not known"
                                            : "size or CRC of this snapshot are wrong");
        return 0;
    }
    for (int32_t i = 0; i < count && err == 0; i++) {
        struct snapshot_entry e;
        snapshot_entry_decode(in, i, &e);
        dump_snapshot_entry(d, &e);
        err = flush(d, false);
    }
    return err;
}

// Checkpoints, partition.metadata, meta.properties, quorum-state: text already.
static int dump_lines(struct dump *d, struct str text)
{
    int err = 0;
    for (struct str rest = text; rest.data != NULL && rest.size > 0 && err == 0;) {
        struct str line = str_cut(&rest, '\n');
        struct dump_line l = begin(d, "text", "");
        if (d->options->format == DUMP_JSON)
            dump_line_str(&l, "text", line);
        else
            buf_append_str(&d->out, line);
        dump_line_end(&l);
        d->result.entries++;
        err = flush(d, false);
    }
    return err;
}

static int dump_whole(struct dump *d, bool snapshot)
{
    struct buf contents;
    buf_init(&contents, snapshot ? SNAPSHOT_SIZE_MAX : TEXT_FILE_MAX);
    int err = small_file_read(d->fs, d->path, &contents);
    if (err == 0)
        err = snapshot ? dump_snapshot(d, buf_bytes(&contents)) : dump_lines(d, buf_str(&contents));
    buf_release(&contents);
    return err;
}

// ---- Which file ----

static bool is_text_file(struct str name)
{
    static const char *const names[] = {"partition.metadata", "meta.properties", "quorum-state",
                                        "leader-epoch-checkpoint", ".kafka_cleanshutdown"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (str_is(name, names[i]))
            return true;
    return str_ends_with(name, "-offset-checkpoint");
}

// "<end offset>-<epoch>.checkpoint"
static bool parse_checkpoint_name(struct str name, int64_t *offset, int64_t *epoch)
{
    if (!str_ends_with(name, ".checkpoint"))
        return false;
    struct str rest = str_of(name.data, name.size - strlen(".checkpoint"));
    struct str first = str_cut(&rest, '-');
    return rest.data != NULL && str_parse_i64(first, offset) && str_parse_i64(rest, epoch);
}

static int dump_open_file(struct dump *d, const struct log_file_name *file, bool is_log)
{
    struct fs_file *handle;
    int err = fs_open(d->fs, d->path, FS_READ, &handle);
    if (err < 0)
        return err;
    int64_t size = fs_file_size(handle);
    if (size < 0)
        err = (int)size;
    else
        err = is_log ? dump_batches(d, handle, size)
                     : dump_index(d, handle, size, file->kind, file->offset);
    fs_file_close(handle);
    return err;
}

static int dump_known(struct dump *d, struct diag *diag)
{
    char text[96];
    const char *slash = strrchr(d->path, '/');
    const char *base = slash != NULL ? slash + 1 : d->path;
    struct log_file_name file = {0};
    int64_t offset = 0, epoch = 0;
    bool known = log_file_name_parse(base, &file);
    bool is_snapshot = !known && parse_checkpoint_name(str_from(base), &offset, &epoch);
    bool bootstrap = strcmp(base, "bootstrap.checkpoint") == 0;
    bool is_text = !known && is_text_file(str_from(base));
    if (!known && !is_snapshot && !bootstrap && !is_text)
        return diag_set(diag, ERR_UNSUPPORTED, "%s: not a file of a log directory that is known",
                        d->path);
    struct dump_line l = begin(d, "file", "Dumping ");
    if (d->options->format == DUMP_TEXT)
        buf_append_text(&d->out, d->name);
    dump_line_end(&l);
    if (is_text)
        return dump_whole(d, false);
    if (known && file.kind == LOG_FILE_SNAPSHOT)
        return dump_whole(d, true);
    bool is_log = !known || file.kind == LOG_FILE_LOG;
    if (is_snapshot)
        snprintf(text, sizeof text, "Snapshot end offset: %" PRId64 ", epoch: %" PRId64, offset, epoch);
    else
        snprintf(text, sizeof text, "Log starting offset: %" PRId64, file.offset);
    if (is_log && !bootstrap)
        say(d, text);
    if (is_snapshot || bootstrap)
        d->decoder = d->options->decoder == DUMP_DECODE_AUTO ? DUMP_DECODE_METADATA : d->decoder;
    return dump_open_file(d, &file, is_log);
}

int dump_file(struct env_fs *fs, const char *path, const struct dump_options *options,
              dump_write_fn write, void *context, struct dump_result *out, struct diag *diag)
{
    struct dump d = {.fs = fs, .path = path, .name = path, .options = options, .write = write,
                     .context = context};
    d.decoder = options->decoder == DUMP_DECODE_AUTO ? dump_decoder_of(path) : options->decoder;
    buf_init(&d.out, DUMP_LINE_MAX);
    int err = dump_known(&d, diag);
    int end = flush(&d, true);
    if (err == 0)
        err = end;
    if (err < 0 && err != ERR_UNSUPPORTED)
        diag_set(diag, err, "%s: %s", path, err_text(err));
    buf_release(&d.out);
    *out = d.result;
    return err;
}
