// SPDX-License-Identifier: Apache-2.0
//
// Prints a file of record batches as JSON lines for log_files_test.py: each batch, each record, and
// what the record's key and value mean in the log at hand (plain, metadata, group, transaction,
// share). On the way it checks what the reader of the output cannot: every decoded key and value
// must encode to its bytes again, and every uncompressed batch must come out of the builder as it
// is.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "codec/json.h"
#include "wire/batch.h"
#include "wire/metadata_record.h"
#include "wire/record/consumer_protocol_assignment.h"
#include "wire/record/consumer_protocol_subscription.h"
#include "wire/record/group_metadata_value.h"
#include "wire/record/kraft_version_record.h"
#include "wire/record/leader_change_message.h"
#include "wire/record/snapshot_footer_record.h"
#include "wire/record/snapshot_header_record.h"
#include "wire/record/voters_record.h"
#include "wire/records.h"

enum { FILE_MAX = 64 << 20, RECORDS_MAX = 16 << 20 };

enum log_kind { LOG_PLAIN = -2, LOG_METADATA = -1 }; // or an enum coordinator_log

static _Noreturn void die(const char *what, const char *detail)
{
    fprintf(stderr, "%s: %s\n", what, detail);
    exit(1);
}

static void message_print(struct json_printer *p, const struct wire_schema *schema, int16_t version,
                          const void *msg)
{
    struct buf text;
    buf_init(&text, RECORDS_MAX);
    wire_print(schema, version, msg, WIRE_PRINT_SECRETS, &text);
    json_key(p, "data");
    json_print_null(p);
    p->out->size -= strlen("null");
    buf_append(p->out, text.data, text.size);
    buf_release(&text);
}

// Decodes a message that must fill `in` and encode to it again, and prints it under "data".
static void message_check(struct json_printer *p, const struct wire_schema *schema, int16_t version,
                          struct bytes in)
{
    struct arena arena;
    struct buf again;
    size_t consumed;
    arena_init(&arena, RECORDS_MAX);
    buf_init(&again, RECORDS_MAX);
    void *msg = arena_alloc(&arena, wire_schema_struct_size(schema));
    int err = wire_decode(schema, version, in, &arena, msg, &consumed);
    if (err != 0 || consumed != in.size)
        die(wire_schema_name(schema), err != 0 ? err_name(err) : "bytes are left");
    if (wire_encode_buf(schema, version, msg, &again) != 0 || !bytes_equal(buf_bytes(&again), in))
        die(wire_schema_name(schema), "does not encode to its bytes again");
    message_print(p, schema, version, msg);
    buf_release(&again);
    arena_release(&arena);
}

static void metadata_print(struct json_printer *p, struct bytes value)
{
    struct arena arena;
    struct buf again;
    struct metadata_record record;
    arena_init(&arena, RECORDS_MAX);
    buf_init(&again, RECORDS_MAX);
    int err = metadata_record_decode(value, &arena, &record);
    if (err != 0)
        die("metadata record", err_name(err));
    if (metadata_record_encode(record.type, record.version, record.message, &again) != 0
        || !bytes_equal(buf_bytes(&again), value))
        die("metadata record", "does not encode to its bytes again");
    json_key(p, "payload");
    json_object_begin(p);
    json_key(p, "type");
    json_print_text(p, metadata_record_name((int32_t)record.type));
    json_key(p, "version");
    json_print_int(p, record.version);
    message_print(p, record.schema, record.version, record.message);
    json_object_end(p);
    buf_release(&again);
    arena_release(&arena);
}

// Subscription or assignment: int16 version and a message, which may be followed by more.
static void consumer_print(struct json_printer *p, const char *key, const struct wire_schema *schema,
                           struct bytes in)
{
    struct arena arena;
    int16_t version;
    struct bytes rest;
    size_t consumed;
    json_key(p, key);
    json_object_begin(p);
    json_key(p, "hex");
    json_print_hex(p, in);
    if (in.size > 0) {
        if (coordinator_prefix_read(in, &version, &rest) != 0)
            die(key, "is too short");
        arena_init(&arena, RECORDS_MAX);
        void *msg = arena_alloc(&arena, wire_schema_struct_size(schema));
        if (wire_decode(schema, version, rest, &arena, msg, &consumed) != 0)
            die(key, "does not parse");
        // Kafka's dump prints the newest version's fields, whatever the message has.
        message_print(p, schema, wire_schema_version_max(schema), msg);
        arena_release(&arena);
    }
    json_object_end(p);
}

// The members of a classic group whose protocol is that of consumers.
static void consumers_print(struct json_printer *p, int16_t version, struct bytes value)
{
    struct arena arena;
    struct group_metadata_value group;
    arena_init(&arena, RECORDS_MAX);
    if (wire_decode(&group_metadata_value_schema, version, value, &arena, &group, NULL) != 0)
        die("group metadata", "does not parse");
    if (str_is(group.protocol_type, "consumer")) {
        json_key(p, "consumers");
        json_array_begin(p);
        for (int32_t i = 0; i < group.members.count; i++) {
            json_object_begin(p);
            consumer_print(p, "subscription", &consumer_protocol_subscription_schema,
                           group.members.items[i].subscription);
            consumer_print(p, "assignment", &consumer_protocol_assignment_schema,
                           group.members.items[i].assignment);
            json_object_end(p);
        }
        json_array_end(p);
    }
    arena_release(&arena);
}

static void coordinator_print(struct json_printer *p, enum coordinator_log log,
                              const struct record *r)
{
    int16_t prefix;
    struct bytes rest;
    if (coordinator_prefix_read(r->key, &prefix, &rest) != 0)
        die("coordinator key", "is too short");
    const struct coordinator_record_type *type = coordinator_record_type_find(log, prefix);
    if (type == NULL)
        die("coordinator key", "of unknown type");
    json_key(p, "key");
    json_object_begin(p);
    json_key(p, "type");
    json_print_int(p, prefix);
    message_check(p, type->key, 0, rest);
    json_object_end(p);
    if (r->value.data == NULL)
        return;
    if (coordinator_prefix_read(r->value, &prefix, &rest) != 0)
        die("coordinator value", "is too short");
    json_key(p, "payload");
    json_object_begin(p);
    json_key(p, "version");
    json_print_int(p, prefix);
    message_check(p, type->value, prefix, rest);
    json_object_end(p);
    if (log == COORDINATOR_LOG_GROUP && type->type == GROUP_RECORD_GROUP_METADATA)
        consumers_print(p, prefix, rest);
}

static void control_print(struct json_printer *p, const struct record *r)
{
    static const struct wire_schema *const schemas[] = {
        [CONTROL_LEADER_CHANGE] = &leader_change_message_schema,
        [CONTROL_SNAPSHOT_HEADER] = &snapshot_header_record_schema,
        [CONTROL_SNAPSHOT_FOOTER] = &snapshot_footer_record_schema,
        [CONTROL_KRAFT_VERSION] = &kraft_version_record_schema,
        [CONTROL_KRAFT_VOTERS] = &voters_record_schema,
    };
    int16_t type;
    int32_t epoch;
    if (control_key_read(r->key, &type) != 0 || type < 0 || type > CONTROL_KRAFT_VOTERS)
        die("control key", "is unknown");
    json_key(p, "control");
    json_print_int(p, type);
    if (type > CONTROL_COMMIT) {
        message_check(p, schemas[type], 0, r->value);
    } else {
        if (end_txn_marker_read(r->value, &epoch) != 0)
            die("end transaction marker", "does not parse");
        json_key(p, "coordinatorEpoch");
        json_print_int(p, epoch);
    }
}

static int64_t size_of(struct bytes b)
{
    return b.data == NULL ? -1 : (int64_t)b.size;
}

static void headers_print(struct json_printer *p, const struct record *r)
{
    struct bytes rest = r->headers;
    struct record_header header;
    int count = 0;
    json_key(p, "headerKeys");
    json_array_begin(p);
    while (record_header_next(&rest, &header) == 1) {
        json_print_str(p, header.key);
        count++;
    }
    json_array_end(p);
    if (count != r->header_count)
        die("record", "counts its headers wrong");
}

static void record_print(const struct batch_header *h, const struct record *r, int kind,
                         struct buf *out)
{
    struct json_printer p;
    json_printer_init(&p, out);
    json_object_begin(&p);
    json_key(&p, "kind"), json_print_text(&p, "record");
    json_key(&p, "offset"), json_print_int(&p, r->offset);
    json_key(&p, "timestamp"), json_print_int(&p, r->timestamp);
    json_key(&p, "keySize"), json_print_int(&p, size_of(r->key));
    json_key(&p, "valueSize"), json_print_int(&p, size_of(r->value));
    json_key(&p, "sequence"), json_print_int(&p, r->sequence);
    json_key(&p, "keyText"), json_print_str(&p, bytes_str(r->key));
    json_key(&p, "valueText"), json_print_str(&p, bytes_str(r->value));
    headers_print(&p, r);
    if (batch_is_control(h))
        control_print(&p, r);
    else if (kind == LOG_METADATA)
        metadata_print(&p, r->value);
    else if (kind != LOG_PLAIN)
        coordinator_print(&p, (enum coordinator_log)kind, r);
    json_object_end(&p);
    buf_append_u8(out, '\n');
}

static void batch_print(const struct batch_header *h, size_t position, struct bytes batch,
                        struct buf *out)
{
    struct json_printer p;
    json_printer_init(&p, out);
    json_object_begin(&p);
    json_key(&p, "kind"), json_print_text(&p, "batch");
    json_key(&p, "baseOffset"), json_print_int(&p, h->base_offset);
    json_key(&p, "lastOffset"), json_print_int(&p, batch_last_offset(h));
    json_key(&p, "count"), json_print_int(&p, h->record_count);
    json_key(&p, "baseSequence"), json_print_int(&p, h->base_sequence);
    json_key(&p, "lastSequence"), json_print_int(&p, batch_last_sequence(h));
    json_key(&p, "producerId"), json_print_int(&p, h->producer_id);
    json_key(&p, "producerEpoch"), json_print_int(&p, h->producer_epoch);
    json_key(&p, "partitionLeaderEpoch"), json_print_int(&p, h->partition_leader_epoch);
    json_key(&p, "isTransactional"), json_print_bool(&p, batch_is_transactional(h));
    json_key(&p, "isControl"), json_print_bool(&p, batch_is_control(h));
    json_key(&p, "deleteHorizonMs");
    json_print_int(&p, batch_has_delete_horizon(h) ? h->base_timestamp : -1);
    json_key(&p, "position"), json_print_int(&p, (int64_t)position);
    json_key(&p, batch_is_log_append_time(h) ? "LogAppendTime" : "CreateTime");
    json_print_int(&p, h->max_timestamp);
    json_key(&p, "size"), json_print_int(&p, (int64_t)batch_size(h));
    json_key(&p, "magic"), json_print_int(&p, h->magic);
    json_key(&p, "compresscodec"), json_print_text(&p, codec_name(batch_codec(h)));
    json_key(&p, "crc"), json_print_int(&p, h->crc);
    json_key(&p, "isvalid"), json_print_bool(&p, batch_crc_is_valid(batch));
    json_object_end(&p);
    buf_append_u8(out, '\n');
}

static void builder_begin(struct batch_builder *b, struct buf *out, const struct batch_header *h)
{
    struct batch_options options = {
        .base_offset = h->base_offset,
        .partition_leader_epoch = h->partition_leader_epoch,
        .attributes = (int16_t)(h->attributes & ~BATCH_CODEC_MASK),
        .log_append_time = h->max_timestamp,
        .delete_horizon_ms = h->base_timestamp,
        .producer_id = h->producer_id,
        .producer_epoch = h->producer_epoch,
        .base_sequence = h->base_sequence,
    };
    batch_builder_begin(b, out, &options);
}

static void batch_check(struct bytes batch, const struct batch_header *h, int kind, struct buf *out)
{
    struct buf scratch, rebuilt_buf;
    struct batch_iter it;
    struct record record;
    struct batch_builder builder;
    struct bytes rebuilt;
    buf_init(&scratch, RECORDS_MAX);
    buf_init(&rebuilt_buf, RECORDS_MAX);
    builder_begin(&builder, &rebuilt_buf, h);
    int r = batch_iter_init(&it, batch, &scratch);
    while (r == 0 && (r = batch_iter_next(&it, &record)) == 1) {
        record_print(h, &record, kind, out);
        batch_builder_copy(&builder, (int32_t)(record.offset - h->base_offset), &record);
        r = 0;
    }
    if (r != 0)
        die("records", err_name(r));
    batch_builder_set_last_offset_delta(&builder, h->last_offset_delta);
    if (batch_builder_finish(&builder, &rebuilt) != 0)
        die("builder", "failed");
    uint8_t *p = rebuilt_buf.data;
    batch_set_max_timestamp(p, rebuilt.size, batch_is_log_append_time(h), h->max_timestamp);
    // Batches may have lost their first record to compaction, and then keep the base timestamp.
    be64_store(p + BATCH_BASE_TIMESTAMP_AT, (uint64_t)h->base_timestamp);
    batch_set_crc(p, rebuilt.size);
    bool has_all = h->record_count == h->last_offset_delta + 1;
    if (batch_codec(h) == CODEC_NONE && has_all && !bytes_equal(rebuilt, batch))
        die("builder", "makes another batch");
    buf_release(&rebuilt_buf);
    buf_release(&scratch);
}

static void file_print(struct bytes file, int kind, struct buf *out)
{
    struct bytes rest = file, batch;
    struct batch_header h;
    int r;
    for (;;) {
        size_t position = file.size - rest.size;
        r = batch_next(&rest, &h, &batch);
        if (r != 1)
            break;
        batch_print(&h, position, batch, out);
        batch_check(batch, &h, kind, out);
    }
    if (r != 0)
        die("batches", err_name(r));
}

static int kind_parse(const char *text)
{
    static const struct {
        const char *name;
        int kind;
    } kinds[] = {{"plain", LOG_PLAIN},
                 {"metadata", LOG_METADATA},
                 {"group", COORDINATOR_LOG_GROUP},
                 {"transaction", COORDINATOR_LOG_TRANSACTION},
                 {"share", COORDINATOR_LOG_SHARE}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].name, text) == 0)
            return kinds[i].kind;
    }
    die(text, "unknown kind of log");
}

int main(int argc, char **argv)
{
    if (argc != 3)
        die("usage", "log_print KIND FILE");
    FILE *file = fopen(argv[2], "rb");
    if (file == NULL)
        die(argv[2], "cannot be opened");
    struct buf in, out;
    buf_init(&in, FILE_MAX);
    buf_init(&out, FILE_MAX);
    uint8_t *p = buf_extend(&in, FILE_MAX);
    in.size = fread(p, 1, FILE_MAX, file);
    fclose(file);
    file_print(buf_bytes(&in), kind_parse(argv[1]), &out);
    if (out.failed)
        die(argv[2], "too large");
    fwrite(out.data, 1, out.size, stdout);
    buf_release(&in);
    buf_release(&out);
    return 0;
}
