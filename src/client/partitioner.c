// SPDX-License-Identifier: Apache-2.0
#include "client/partitioner.h"

#include <string.h>

static uint32_t load_le32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

// MurmurHash2 by Austin Appleby, as Java's clients use it. FROZEN.
uint32_t murmur2(struct bytes data)
{
    const uint32_t m = 0x5bd1e995;
    uint32_t h = UINT32_C(0x9747b28c) ^ (uint32_t)data.size;
    size_t i = 0;
    for (; i + 4 <= data.size; i += 4) {
        uint32_t k = load_le32(data.data + i) * m;
        k = (k ^ k >> 24) * m;
        h = h * m ^ k;
    }
    uint32_t tail = 0;
    for (size_t n = data.size - i; n > 0; n--)
        tail = tail << 8 | data.data[i + n - 1];
    if (i < data.size)
        h = (h ^ tail) * m;
    h = (h ^ h >> 13) * m;
    return h ^ h >> 15;
}

int32_t partition_for_key(struct bytes key, int32_t partition_count)
{
    return (int32_t)(murmur2(key) & INT32_MAX) % partition_count;
}

void sticky_partition_init(struct sticky_partition *s, uint64_t seed)
{
    prng_init(&s->prng, seed);
    s->partition = -1;
}

int32_t sticky_partition_get(struct sticky_partition *s, int32_t partition_count)
{
    if (s->partition < 0 || s->partition >= partition_count)
        s->partition = (int32_t)prng_below(&s->prng, (uint64_t)partition_count);
    return s->partition;
}

void sticky_partition_advance(struct sticky_partition *s, int32_t partition_count)
{
    if (partition_count < 2)
        return;
    int32_t step = 1 + (int32_t)prng_below(&s->prng, (uint64_t)partition_count - 1);
    s->partition = (sticky_partition_get(s, partition_count) + step) % partition_count;
}
