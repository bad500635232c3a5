// SPDX-License-Identifier: Apache-2.0
#include "group/consumer_protocol.h"

#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "metadata/image.h"
#include "wire/api/consumer_group_heartbeat.h"
#include "wire/record/consumer_protocol_assignment.h"
#include "wire/record/consumer_protocol_subscription.h"

enum { ASSIGNMENT_BYTES_MAX = 16 * 1024 * 1024, PARTITION_MAX = 1 << 20 };

int consumer_protocol_owned(const struct metadata_image *image,
                            const struct consumer_protocol_subscription *s, struct arena *arena,
                            struct consumer_group_heartbeat_request_topic_partitions_array *out)
{
    int32_t count = s->owned_partitions.count > 0 ? s->owned_partitions.count : 0;
    out->items = arena_alloc_array(arena, (size_t)count + 1, sizeof(*out->items));
    out->count = 0;
    if (out->items == NULL)
        return ERR_NOMEM;
    for (int32_t i = 0; i < count; i++) {
        const struct metadata_topic *t = metadata_image_topic(image, s->owned_partitions.items[i].topic);
        if (t == NULL)
            continue;
        out->items[out->count].topic_id = t->id;
        out->items[out->count++].partitions = s->owned_partitions.items[i].partitions;
    }
    return 0;
}

static void add_topic(const struct metadata_topic *t, struct wire_int32_array partitions,
                      struct assignment *out)
{
    int32_t count = 0;
    if (t == NULL || partitions.count <= 0)
        return;
    struct assigned_topic *to = assignment_append(out, t->id, partitions.count);
    for (int32_t i = 0; i < partitions.count; i++)
        if (partitions.items[i] >= 0 && partitions.items[i] < PARTITION_MAX)
            to->partitions[count++] = partitions.items[i];
    to->count = count;
}

int consumer_protocol_to_assignment(const struct metadata_image *image, struct bytes bytes,
                                    struct arena *arena, struct assignment *out)
{
    struct consumer_protocol_assignment a;
    *out = (struct assignment){0};
    int err = consumer_protocol_read_assignment(bytes, arena, &a);
    if (err != 0)
        return err;
    for (int32_t i = 0; i < a.assigned_partitions.count; i++)
        add_topic(metadata_image_topic(image, a.assigned_partitions.items[i].topic),
                  a.assigned_partitions.items[i].partitions, out);
    assignment_sort(out);
    return 0;
}

static bool encode(const struct consumer_protocol_assignment *a, int16_t version, struct arena *arena,
                   struct bytes *out)
{
    struct buf buf;
    buf_init(&buf, ASSIGNMENT_BYTES_MAX);
    bool fits = consumer_protocol_write_assignment(a, version, &buf) == 0;
    uint8_t *copy = fits ? arena_alloc(arena, buf.size) : NULL;
    if (copy != NULL) {
        memcpy(copy, buf.data, buf.size);
        *out = bytes_of(copy, buf.size);
    }
    buf_release(&buf);
    return copy != NULL;
}

bool consumer_protocol_of_assignment(const struct metadata_image *image, const struct assignment *a,
                                     int16_t version, struct arena *arena, struct bytes *out)
{
    struct consumer_protocol_assignment message;
    consumer_protocol_assignment_init(&message);
    message.assigned_partitions.items =
        arena_alloc_array(arena, (size_t)a->count + 1, sizeof(*message.assigned_partitions.items));
    if (message.assigned_partitions.items == NULL)
        return false;
    message.assigned_partitions.count = 0;
    for (int32_t i = 0; i < a->count; i++) {
        const struct metadata_topic *t = metadata_image_topic_by_id(image, a->topics[i].id);
        if (t == NULL)
            continue;
        struct consumer_protocol_assignment_topic_partition *to =
            &message.assigned_partitions.items[message.assigned_partitions.count++];
        to->topic = t->name;
        to->partitions = (struct wire_int32_array){a->topics[i].partitions, a->topics[i].count};
    }
    return encode(&message, version, arena, out);
}
