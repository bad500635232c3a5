// SPDX-License-Identifier: Apache-2.0
//
// Kafka's messages as plain C structs. The structs and the tables that describe them are generated
// from the texts in wire/schema (see wire/README.md); the functions here interpret the tables.
// There is one header per API, "wire/api/produce.h" for example, with `struct produce_request`,
// `struct produce_response`, their nested structs (`struct produce_request_topic_produce_data`)
// and the tables `produce_request_schema`, `produce_response_schema`; and one per record,
// "wire/record/topic_record.h" with `struct topic_record` and `topic_record_schema`.
//
// Conventions of the generated structs:
// - Field names are Kafka's in snake case.
// - string is struct str, bytes is struct bytes; data == NULL is null.
// - An array is { T *items; int32_t count; }; count == -1 is null.
// - A nullable struct is a pointer, NULL is null; any other struct is embedded.
// - Tagged fields are ordinary members. Unknown tagged fields are skipped when decoding.
// - A field that the version at hand does not have holds its default after decoding.
// - Each struct T has T_init(struct T *), which sets Kafka's defaults (that is not the same as
//   clearing: a string that is not nullable defaults to "", not to null), and
//
// Pure: no I/O, no clock. All functions are safe on any thread as long as their arguments are.
//
// Bytes on the wire are FROZEN by Kafka's protocol (KIP-482 for compact forms and tags).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/uuid.h"

struct wire_schema;
struct wire_struct;

// Record batches inside a message. Decoding sets `bytes` (a view into the input). For encoding,
// either `bytes` is set, or `source` != NULL names something that only the sender understands (a
// file, say) of which `size` bytes from `position` on belong here; these are not copied but listed
// as a splice. Null is bytes.data == NULL and source == NULL.
struct wire_records {
    struct bytes bytes;
    const void *source;
    int64_t position;
    int64_t size;
};

// Arrays of scalars; count == -1 is null.
struct wire_bool_array { bool *items; int32_t count; };
struct wire_int8_array { int8_t *items; int32_t count; };
struct wire_int16_array { int16_t *items; int32_t count; };
struct wire_int32_array { int32_t *items; int32_t count; };
struct wire_int64_array { int64_t *items; int32_t count; };
struct wire_uuid_array { struct uuid *items; int32_t count; };
struct wire_string_array { struct str *items; int32_t count; };
struct wire_bytes_array { struct bytes *items; int32_t count; };

enum {
    WIRE_STRING_MAX = 0x7fff,        // bytes of a string, in compact form too: as Kafka
    WIRE_ARRAY_MAX = 1000 * 1000,    // elements of one array
    WIRE_TAGS_MAX = 10000,           // tagged fields of one struct, and unknown ones of a message:
                                     // as Kafka 4.4
    WIRE_DEPTH_MAX = 16,             // structs inside structs; the tables stay far below
};

// A decode takes at most WIRE_DECODE_MEMORY_BASE + WIRE_DECODE_MEMORY_MULTIPLE times the bytes of
// its input from the arena, whatever the bytes say: no array is allocated before the bytes that its
// elements need at least are there. A test computes the figure from the tables and another holds
// decodes of hostile bytes to it. The worst case is an array of empty strings (one byte each on the
// wire, a struct str in memory); ordinary messages take two to four times their size.
enum { WIRE_DECODE_MEMORY_BASE = 4096, WIRE_DECODE_MEMORY_MULTIPLE = 64 };

// Reads one message of `version` from the start of `in` into *out, whose previous contents do not
// matter. Strings, bytes and records are views into `in`; arrays and nullable structs come from
// `arena`. Bytes after the message are left alone: *consumed (may be NULL) says where it ended.
// As Kafka: invalid UTF-8 is accepted, varints may be longer than needed but not than five bytes,
// any negative length means null, a repeated tag overwrites, tags come in any order. Stricter than
// Kafka, which does not look at the stated size of a tag it knows: the value must fill it.
// ERR_UNSUPPORTED: the schema has no such version. ERR_TRUNCATED: the bytes end too early.
// ERR_CORRUPT: null where it is not allowed, a bad varint, a string or a count that cannot be.
// ERR_LIMIT: more elements or tags than the maxima above. ERR_NOMEM: the arena is full.
// On failure *out is unspecified, *consumed untouched.
int wire_decode(const struct wire_schema *schema, int16_t version, struct bytes in,
                struct arena *arena, void *out, size_t *consumed);

// A range that stands between two encoded bytes and is not in the buffer itself.
struct wire_splice {
    size_t offset;      // in the buffer: the range comes before the byte at this offset
    const void *source; // as in struct wire_records
    int64_t position;
    int64_t size;       // > 0
};

// Where a message is encoded to. `splices` may be NULL with splice_max == 0 if no message has any.
struct wire_out {
    struct buf *buf;
    struct wire_splice *splices;
    int splice_count;
    int splice_max;
};

// Appends one message of `version`. ERR_UNSUPPORTED: no such version, or a field that this version
// cannot say has a value other than its default and is not ignorable. ERR_INVALID: null where it is
// not allowed. ERR_LIMIT: a string, an array, the buffer or the number of splices passes its
// maximum. On failure the buffer and the splices are as before.
int wire_encode(const struct wire_schema *schema, int16_t version, const void *msg,
                struct wire_out *out);

// As wire_encode for messages without splices.
int wire_encode_buf(const struct wire_schema *schema, int16_t version, const void *msg,
                    struct buf *out);

// How many bytes wire_encode would produce, splices included. Errors as there.
int wire_size(const struct wire_schema *schema, int16_t version, const void *msg, size_t *size);

// Sets every field to Kafka's default. T_init(&msg) is the typed form.
void wire_init_default(const struct wire_schema *schema, void *msg);

// True if both say the same on the wire in this version. Splices are equal when source, position
// and size are.
bool wire_equal(const struct wire_schema *schema, int16_t version, const void *a, const void *b);

enum wire_print_flags {
    WIRE_PRINT_SECRETS = 1, // show fields marked secret; otherwise they print as "(secret)"
    WIRE_PRINT_AS_KAFKA = 2, // as Kafka's own JSON: names begin in lower case, bytes in base64
};

// Appends the message as one line of JSON with Kafka's field names, in the schema's order: the fields
// this version has, a tagged one only if it is not its default; bytes in hex, ids as 22 characters,
// records as {"hex":...} or {"size":...} for a splice.
void wire_print(const struct wire_schema *schema, int16_t version, const void *msg, int flags,
                struct buf *out);

// Facts of a schema.
const char *wire_schema_name(const struct wire_schema *schema); // "ProduceRequest"
int16_t wire_schema_version_min(const struct wire_schema *schema);
int16_t wire_schema_version_max(const struct wire_schema *schema);
bool wire_schema_is_flexible(const struct wire_schema *schema, int16_t version);
size_t wire_schema_struct_size(const struct wire_schema *schema); // sizeof the C struct

// Used by the generated T_init and T_array_new.
void wire_struct_init(const struct wire_struct *type, void *msg);
void *wire_struct_array_new(const struct wire_struct *type, struct arena *arena, int32_t count,
                            int32_t *count_out);
