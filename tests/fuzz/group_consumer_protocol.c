// SPDX-License-Identifier: Apache-2.0
//
// What a classic member says in JoinGroup and a leader in SyncGroup, as a consumer group reads it. What can
// be read as an assignment is written again and says the same.
#include "base/check.h"
#include "base/err.h"
#include "fuzz.h"
#include "group/consumer_protocol.h"
#include "metadata/image.h"
#include "wire/api/consumer_group_heartbeat.h"
#include "wire/record/consumer_protocol_subscription.h"

enum { MEMORY_MAX = 64 << 20 };

static void read_subscription(const struct metadata_image *image, struct bytes in, struct arena *arena)
{
    struct consumer_protocol_subscription s;
    struct consumer_group_heartbeat_request_topic_partitions_array owned;
    int16_t version = -1;
    if (consumer_protocol_read_subscription(in, arena, &s, &version) != 0)
        return;
    check(version >= 0 && version <= CONSUMER_PROTOCOL_VERSION_MAX);
    check(consumer_protocol_owned(image, &s, arena, &owned) == 0);
    check(owned.count == 0); // there are no topics
}

static void read_assignment(const struct metadata_image *image, struct bytes in, struct arena *arena)
{
    struct assignment a, again;
    struct bytes out;
    if (consumer_protocol_to_assignment(image, in, arena, &a) != 0)
        return;
    check(consumer_protocol_of_assignment(image, &a, 1, arena, &out));
    check(consumer_protocol_to_assignment(image, out, arena, &again) == 0);
    check(assignment_same_partitions(&a, &again));
    assignment_release(&a);
    assignment_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct metadata_image *image = metadata_image_new();
    struct arena arena;
    arena_init(&arena, MEMORY_MAX);
    read_subscription(image, bytes_of(data, size), &arena);
    read_assignment(image, bytes_of(data, size), &arena);
    arena_release(&arena);
    metadata_image_unref(image);
    return 0;
}
