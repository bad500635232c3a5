// SPDX-License-Identifier: Apache-2.0
//
// How the input of the hash is made: numbers are little-endian, a text is its UTF-16 units followed by
// their count as int32. For each topic: a zero byte, both halves of the id as int64, the name, the number
// of partitions as int32, and for each of them its number and, in order, the racks of its replicas, each
// with its length before it.
#include "group/topic_hash.h"

#include <stdlib.h>

#include <xxhash.h>

#include "base/be.h"
#include "base/check.h"
#include "base/mem.h"
#include "metadata/image.h"

static void put_i32(XXH3_state_t *s, int32_t v)
{
    uint8_t bytes[4];
    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)((uint32_t)v >> 8 * i);
    XXH3_64bits_update(s, bytes, sizeof(bytes));
}

static void put_i64(XXH3_state_t *s, int64_t v)
{
    put_i32(s, (int32_t)(uint64_t)v);
    put_i32(s, (int32_t)((uint64_t)v >> 32));
}

static int32_t put_unit(XXH3_state_t *s, uint32_t unit)
{
    if (s != NULL) {
        uint8_t bytes[2] = {(uint8_t)unit, (uint8_t)(unit >> 8)};
        XXH3_64bits_update(s, bytes, sizeof(bytes));
    }
    return 1;
}

// The UTF-16 units of a text; their count. `s` NULL: only counts. What is not UTF-8 is taken byte by byte.
static int32_t put_units(XXH3_state_t *s, struct str text)
{
    int32_t units = 0;
    bool is_utf8 = str_is_utf8(text);
    for (size_t i = 0; i < text.size;) {
        uint8_t c = (uint8_t)text.data[i++];
        int more = !is_utf8 || c < 0x80 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
        uint32_t rune = more == 0 ? c : c & (0x3fu >> more);
        for (; more > 0; more--)
            rune = rune << 6 | ((uint8_t)text.data[i++] & 0x3f);
        if (rune >= 0x10000) {
            units += put_unit(s, 0xd800 + ((rune - 0x10000) >> 10));
            rune = 0xdc00 + ((rune - 0x10000) & 0x3ff);
        }
        units += put_unit(s, rune);
    }
    return units;
}

static void put_text(XXH3_state_t *s, struct str text)
{
    put_i32(s, put_units(s, text));
}

static int compare_str(const void *a, const void *b)
{
    return str_compare(*(const struct str *)a, *(const struct str *)b);
}

static void put_racks(XXH3_state_t *s, const struct metadata_image *image,
                      const struct metadata_partition *p)
{
    struct str *racks = mem_alloc_array((size_t)p->replicas.count + 1, sizeof(*racks));
    size_t count = 0;
    for (int32_t i = 0; i < p->replicas.count; i++) {
        const struct metadata_broker *b = metadata_image_broker(image, p->replicas.ids[i]);
        if (b != NULL && b->rack.data != NULL)
            racks[count++] = b->rack;
    }
    qsort(racks, count, sizeof(*racks), compare_str);
    for (size_t i = 0; i < count; i++) {
        put_i32(s, put_units(NULL, racks[i]));
        put_text(s, racks[i]);
    }
    mem_free(racks);
}

static XXH3_state_t *state_new(void)
{
    XXH3_state_t *s = XXH3_createState();
    check(s != NULL);
    XXH3_64bits_reset(s);
    return s;
}

static int64_t state_finish(XXH3_state_t *s)
{
    int64_t hash = (int64_t)XXH3_64bits_digest(s);
    XXH3_freeState(s);
    return hash;
}

int64_t topic_hash(const struct metadata_image *image, const struct metadata_topic *topic)
{
    XXH3_state_t *s = state_new();
    uint8_t version = 0;
    XXH3_64bits_update(s, &version, 1);
    put_i64(s, (int64_t)be64_load(topic->id.bytes));
    put_i64(s, (int64_t)be64_load(topic->id.bytes + 8));
    put_text(s, topic->name);
    put_i32(s, topic->partition_count);
    for (int32_t i = 0; i < topic->partition_count; i++) {
        put_i32(s, i);
        put_racks(s, image, topic->partitions[i]);
    }
    return state_finish(s);
}

int64_t topics_hash(const struct metadata_image *image, const struct metadata_topic *const *topics,
                    int32_t count)
{
    if (count == 0)
        return 0;
    XXH3_state_t *s = state_new();
    for (int32_t i = 0; i < count; i++)
        put_i64(s, topic_hash(image, topics[i]));
    return state_finish(s);
}
