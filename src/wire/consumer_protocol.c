// SPDX-License-Identifier: Apache-2.0
#include "wire/consumer_protocol.h"

#include "base/err.h"
#include "wire/record/consumer_protocol_assignment.h"
#include "wire/record/consumer_protocol_subscription.h"
#include "wire/records.h"

static int read_version(struct bytes bytes, int16_t *version, struct bytes *rest)
{
    int err = coordinator_prefix_read(bytes, version, rest);
    if (err == 0 && *version < 0)
        return ERR_CORRUPT;
    if (err == 0 && *version > CONSUMER_PROTOCOL_VERSION_MAX)
        *version = CONSUMER_PROTOCOL_VERSION_MAX;
    return err;
}

int consumer_protocol_read_subscription(struct bytes bytes, struct arena *arena,
                                        struct consumer_protocol_subscription *out, int16_t *version)
{
    struct bytes rest;
    int16_t v;
    int err = read_version(bytes, &v, &rest);
    if (err == 0)
        err = wire_decode(&consumer_protocol_subscription_schema, v, rest, arena, out, NULL);
    if (err == 0 && version != NULL)
        *version = v;
    return err;
}

int consumer_protocol_read_assignment(struct bytes bytes, struct arena *arena,
                                      struct consumer_protocol_assignment *out)
{
    struct bytes rest;
    int16_t version;
    if (bytes.size == 0) {
        consumer_protocol_assignment_init(out);
        return 0;
    }
    int err = read_version(bytes, &version, &rest);
    return err == 0 ? wire_decode(&consumer_protocol_assignment_schema, version, rest, arena, out, NULL)
                    : err;
}

static int write(const struct wire_schema *schema, int16_t version, const void *message,
                 struct buf *out)
{
    buf_append_be16(out, (uint16_t)version);
    return out->failed ? ERR_LIMIT : wire_encode_buf(schema, version, message, out);
}

int consumer_protocol_write_subscription(const struct consumer_protocol_subscription *s,
                                         int16_t version, struct buf *out)
{
    return write(&consumer_protocol_subscription_schema, version, s, out);
}

int consumer_protocol_write_assignment(const struct consumer_protocol_assignment *a,
                                       int16_t version, struct buf *out)
{
    return write(&consumer_protocol_assignment_schema, version, a, out);
}
