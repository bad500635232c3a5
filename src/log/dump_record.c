// SPDX-License-Identifier: Apache-2.0
#include "log/dump_record.h"

#include "base/arena.h"
#include "base/err.h"
#include "log/names.h"
#include "wire/metadata_record.h"
#include "wire/record/kraft_version_record.h"
#include "wire/record/leader_change_message.h"
#include "wire/record/snapshot_footer_record.h"
#include "wire/record/snapshot_header_record.h"
#include "wire/record/voters_record.h"
#include "wire/records.h"

enum { MESSAGE_MEMORY_MAX = 1 << 26 };

enum dump_decoder dump_decoder_of(const char *path)
{
    static const struct {
        const char *topic;
        enum dump_decoder decoder;
    } known[] = {
        {METADATA_TOPIC "-", DUMP_DECODE_METADATA},
        {"__consumer_offsets-", DUMP_DECODE_OFFSETS},
        {"__transaction_state-", DUMP_DECODE_TRANSACTIONS},
        {"__share_group_state-", DUMP_DECODE_SHARE_STATE},
    };
    struct str rest = str_from(path), dir = {0};
    for (struct str part = str_cut(&rest, '/'); rest.data != NULL; part = str_cut(&rest, '/'))
        dir = part;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (dir.data != NULL && str_starts_with(dir, known[i].topic))
            return known[i].decoder;
    return DUMP_DECODE_STRING;
}

static void add_undecoded(struct dump_line *l, const char *name, struct bytes in)
{
    struct buf text;
    struct json_printer p;
    buf_init(&text, DUMP_LINE_MAX);
    json_printer_init(&p, &text);
    json_object_begin(&p);
    json_key(&p, "undecoded");
    json_print_hex(&p, in);
    json_object_end(&p);
    dump_line_json(l, name, buf_str(&text));
    buf_release(&text);
}

// Decodes a message and appends {"<label>":<number>,"data":...}; false if it does not parse.
static bool format_message(struct buf *out, const char *label, int64_t number,
                           const struct wire_schema *schema, int16_t version, struct bytes in)
{
    struct arena arena;
    arena_init(&arena, MESSAGE_MEMORY_MAX);
    void *message = arena_alloc(&arena, wire_schema_struct_size(schema));
    bool good = message != NULL && wire_decode(schema, version, in, &arena, message, NULL) == 0;
    if (good) {
        if (label != NULL)
            buf_printf(out, "{\"%s\":\"%lld\",\"data\":", label, (long long)number);
        wire_print(schema, version, message, WIRE_PRINT_AS_KAFKA, out);
        if (label != NULL)
            buf_append_text(out, "}");
    }
    arena_release(&arena);
    return good;
}

// ---- Control records ----

static void add_control_message(struct dump_line *l, const char *type, const struct wire_schema *schema,
                                struct bytes value)
{
    struct buf text;
    buf_init(&text, DUMP_LINE_MAX);
    // The version is the message's first field: only version 0 was ever written.
    if (!format_message(&text, NULL, 0, schema, 0, value)) {
        dump_line_str(l, "control", str_from(type));
        add_undecoded(l, "data", value);
    } else if (l->format == DUMP_JSON) {
        dump_line_str(l, "control", str_from(type));
        dump_line_json(l, "data", buf_str(&text));
    } else {
        dump_line_control(l, type, buf_str(&text));
    }
    buf_release(&text);
}

void dump_control(struct dump_line *l, const struct record *r)
{
    static const struct {
        const char *name;
        const struct wire_schema *schema;
    } types[] = {
        [CONTROL_LEADER_CHANGE] = {"LeaderChange", &leader_change_message_schema},
        [CONTROL_SNAPSHOT_HEADER] = {"SnapshotHeader", &snapshot_header_record_schema},
        [CONTROL_SNAPSHOT_FOOTER] = {"SnapshotFooter", &snapshot_footer_record_schema},
        [CONTROL_KRAFT_VERSION] = {"KRaftVersion", &kraft_version_record_schema},
        [CONTROL_KRAFT_VOTERS] = {"KRaftVoters", &voters_record_schema},
    };
    int16_t type;
    int32_t epoch;
    if (control_key_read(r->key, &type) < 0) {
        add_undecoded(l, "control", r->key);
    } else if (type == CONTROL_ABORT || type == CONTROL_COMMIT) {
        dump_line_str(l, "endTxnMarker", str_from(type == CONTROL_ABORT ? "ABORT" : "COMMIT"));
        if (end_txn_marker_read(r->value, &epoch) == 0)
            dump_line_int(l, "coordinatorEpoch", epoch);
        else
            add_undecoded(l, "coordinatorEpoch", r->value);
    } else if (type >= 0 && (size_t)type < sizeof types / sizeof types[0]) {
        add_control_message(l, types[type].name, types[type].schema, r->value);
    } else {
        dump_line_int(l, "control", type);
    }
}

// ---- Keys and values ----

// "TopicRecord" as Kafka's enum has it: TOPIC_RECORD.
static void append_constant(struct buf *out, const char *name)
{
    for (const char *at = name; *at != '\0'; at++) {
        bool upper = *at >= 'A' && *at <= 'Z';
        if (upper && at > name)
            buf_append_u8(out, '_');
        buf_append_u8(out, (uint8_t)(upper || *at < 'a' || *at > 'z' ? *at : *at - 'a' + 'A'));
    }
}

static void add_metadata(struct dump_line *l, struct bytes value)
{
    struct arena arena;
    struct metadata_record record;
    struct buf text;
    arena_init(&arena, MESSAGE_MEMORY_MAX);
    buf_init(&text, DUMP_LINE_MAX);
    if (metadata_record_decode(value, &arena, &record) == 0) {
        buf_append_text(&text, "{\"type\":\"");
        append_constant(&text, metadata_record_name((int32_t)record.type));
        buf_printf(&text, "\",\"version\":%d,\"data\":", record.version);
        wire_print(record.schema, record.version, record.message, WIRE_PRINT_AS_KAFKA, &text);
        buf_append_text(&text, "}");
        dump_line_json(l, "payload", buf_str(&text));
    } else {
        add_undecoded(l, "payload", value);
    }
    buf_release(&text);
    arena_release(&arena);
}

static void add_coordinator(struct dump_line *l, enum coordinator_log log, const struct record *r)
{
    struct buf text;
    int16_t prefix;
    struct bytes rest;
    const struct coordinator_record_type *type = NULL;
    buf_init(&text, DUMP_LINE_MAX);
    if (coordinator_prefix_read(r->key, &prefix, &rest) == 0)
        type = coordinator_record_type_find(log, prefix);
    if (type != NULL && format_message(&text, "type", prefix, type->key, 0, rest))
        dump_line_json(l, "key", buf_str(&text));
    else
        add_undecoded(l, "key", r->key);
    buf_clear(&text);
    if (r->value.data == NULL)
        dump_line_json(l, "payload", str_from(l->format == DUMP_JSON ? "null" : "<DELETE>"));
    else if (type != NULL && coordinator_prefix_read(r->value, &prefix, &rest) == 0 &&
             format_message(&text, "version", prefix, type->value, prefix, rest))
        dump_line_json(l, "payload", buf_str(&text));
    else
        add_undecoded(l, "payload", r->value);
    buf_release(&text);
}

void dump_payload(struct dump_line *l, enum dump_decoder decoder, const struct record *r)
{
    switch (decoder) {
    case DUMP_DECODE_METADATA:
        add_metadata(l, r->value);
        return;
    case DUMP_DECODE_OFFSETS:
        add_coordinator(l, COORDINATOR_LOG_GROUP, r);
        return;
    case DUMP_DECODE_TRANSACTIONS:
        add_coordinator(l, COORDINATOR_LOG_TRANSACTION, r);
        return;
    case DUMP_DECODE_SHARE_STATE:
        add_coordinator(l, COORDINATOR_LOG_SHARE, r);
        return;
    case DUMP_DECODE_AUTO:
    case DUMP_DECODE_STRING:
        if (r->key.data != NULL)
            dump_line_str(l, "key", bytes_str(r->key));
        if (r->value.data != NULL)
            dump_line_str(l, "payload", bytes_str(r->value));
        return;
    }
}
