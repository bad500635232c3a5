// SPDX-License-Identifier: Apache-2.0
//
// OffsetCommit records by hand: of a log of groups nearly all records are these, and loading a million
// must not take a second. FROZEN: the layouts of wire/schema/records/coordinator/offset_commit.schema.
// Type 0 (before Kafka 0.9) has the key of type 1 and the first of its values.
#include "base/be.h"
#include "base/err.h"
#include "group/offsets.h"
#include "wire/record/offset_commit_key.h"
#include "wire/record/offset_commit_value.h"
#include "wire/varint.h"
#include "wire/wire.h"

enum {
    VALUE_VERSION_MAX = 4,
    VERSION_EXPIRES = 1,      // alone has the time to expire
    VERSION_LEADER_EPOCH = 3,
    VERSION_FLEXIBLE = 4,
    TAG_TOPIC_ID = 0,
};

struct cursor {
    struct bytes in;
    size_t position; // <= in.size
    int error;       // sticky
};

// The next `size` bytes; zeros after an error.
static const uint8_t *take(struct cursor *c, size_t size)
{
    static const uint8_t zeros[UUID_SIZE];
    if (c->error == 0 && size > c->in.size - c->position)
        c->error = ERR_TRUNCATED;
    if (c->error != 0)
        return zeros;
    const uint8_t *p = c->in.data + c->position;
    c->position += size;
    return p;
}

static struct str take_string(struct cursor *c, int64_t length)
{
    if (c->error == 0 && length < 0)
        c->error = ERR_CORRUPT; // null, which none of these may be
    if (c->error == 0 && length > WIRE_STRING_MAX)
        c->error = ERR_LIMIT;
    if (c->error == 0 && (uint64_t)length > c->in.size - c->position)
        c->error = ERR_TRUNCATED;
    if (c->error != 0)
        return str_of("", 0);
    const uint8_t *p = c->in.data + c->position;
    c->position += (size_t)length;
    return str_of((const char *)p, (size_t)length);
}

static struct str read_string(struct cursor *c)
{
    return take_string(c, (int16_t)be16_load(take(c, 2)));
}

static uint32_t read_uvarint(struct cursor *c)
{
    uint32_t v = 0;
    if (c->error == 0)
        c->error = uvarint_read(c->in, &c->position, &v);
    return v;
}

static struct str read_compact_string(struct cursor *c)
{
    return take_string(c, (int32_t)(read_uvarint(c) - 1));
}

static int64_t read_i64(struct cursor *c)
{
    return (int64_t)be64_load(take(c, 8));
}

static int32_t read_i32(struct cursor *c)
{
    return (int32_t)be32_load(take(c, 4));
}

static void read_tags(struct cursor *c, struct offset_commit_value *out)
{
    uint32_t count = read_uvarint(c);
    if (c->error == 0 && count > WIRE_TAGS_MAX)
        c->error = ERR_LIMIT;
    for (uint32_t i = 0; i < count && c->error == 0; i++) {
        uint32_t tag = read_uvarint(c);
        uint32_t size = read_uvarint(c);
        if (c->error == 0 && size > c->in.size - c->position)
            c->error = ERR_TRUNCATED;
        if (c->error != 0)
            return;
        if (tag == TAG_TOPIC_ID) {
            if (size != UUID_SIZE) {
                c->error = ERR_CORRUPT;
                return;
            }
            memcpy(out->topic_id.bytes, c->in.data + c->position, UUID_SIZE);
        }
        c->position += size;
    }
}

int offset_commit_key_read(struct bytes in, struct offset_commit_key *out)
{
    struct cursor c = {.in = in};
    take(&c, 2); // the type, by which it came here
    out->group = read_string(&c);
    out->topic = read_string(&c);
    out->partition = read_i32(&c);
    return c.error;
}

int offset_commit_value_read(struct bytes in, struct offset_commit_value *out)
{
    struct cursor c = {.in = in};
    int16_t version = (int16_t)be16_load(take(&c, 2));
    if (c.error == 0 && (version < 0 || version > VALUE_VERSION_MAX))
        return ERR_UNSUPPORTED;
    *out = (struct offset_commit_value){.leader_epoch = -1, .expire_timestamp = -1};
    out->offset = read_i64(&c);
    if (version >= VERSION_LEADER_EPOCH)
        out->leader_epoch = read_i32(&c);
    out->metadata = version >= VERSION_FLEXIBLE ? read_compact_string(&c) : read_string(&c);
    out->commit_timestamp = read_i64(&c);
    if (version == VERSION_EXPIRES)
        out->expire_timestamp = read_i64(&c);
    if (version >= VERSION_FLEXIBLE)
        read_tags(&c, out);
    return c.error;
}
