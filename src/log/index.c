// SPDX-License-Identifier: Apache-2.0
#include "log/index.h"

#include "base/be.h"

void offset_entry_decode(const uint8_t *in, int64_t base_offset, struct offset_entry *out)
{
    out->offset = base_offset + (int32_t)be32_load(in);
    out->position = (int32_t)be32_load(in + 4);
}

void time_entry_decode(const uint8_t *in, int64_t base_offset, struct time_entry *out)
{
    out->timestamp = (int64_t)be64_load(in);
    out->offset = base_offset + (int32_t)be32_load(in + 8);
}

void txn_entry_decode(const uint8_t *in, struct txn_entry *out)
{
    out->version = (int16_t)be16_load(in);
    out->producer_id = (int64_t)be64_load(in + 2);
    out->first_offset = (int64_t)be64_load(in + 10);
    out->last_offset = (int64_t)be64_load(in + 18);
    out->last_stable_offset = (int64_t)be64_load(in + 26);
}

static bool offset_not_after(const uint8_t *entry, int64_t relative)
{
    return (int32_t)be32_load(entry) <= relative;
}

static bool offset_before(const uint8_t *entry, int64_t relative)
{
    return (int32_t)be32_load(entry) < relative;
}

static bool position_not_after(const uint8_t *entry, int64_t position)
{
    return (int32_t)be32_load(entry + 4) <= position;
}

static bool timestamp_not_after(const uint8_t *entry, int64_t timestamp)
{
    return (int64_t)be64_load(entry) <= timestamp;
}

static bool time_offset_before(const uint8_t *entry, int64_t relative)
{
    return (int32_t)be32_load(entry + 8) < relative;
}

static bool txn_last_before(const uint8_t *entry, int64_t offset)
{
    return (int64_t)be64_load(entry + 18) < offset;
}

// Entry number `count` - 1, if there is one.
static int get_last_of(struct entry_file *f, int64_t count, uint8_t *entry)
{
    if (count <= 0)
        return (int)count;
    int err = entry_file_get(f, count - 1, entry);
    return err < 0 ? err : 1;
}

static int find_offset_entry(struct entry_file *f, int64_t base_offset, entry_is_before is_before,
                             int64_t target, struct offset_entry *out)
{
    uint8_t entry[OFFSET_ENTRY_SIZE];
    int found = get_last_of(f, entry_file_search(f, is_before, target), entry);
    if (found == 1)
        offset_entry_decode(entry, base_offset, out);
    return found;
}

int offset_index_find(struct entry_file *f, int64_t base_offset, int64_t target,
                      struct offset_entry *out)
{
    return find_offset_entry(f, base_offset, offset_not_after, target - base_offset, out);
}

int offset_index_find_position(struct entry_file *f, int64_t base_offset, int64_t target,
                               struct offset_entry *out)
{
    return find_offset_entry(f, base_offset, position_not_after, target, out);
}

int time_index_find(struct entry_file *f, int64_t base_offset, int64_t target,
                    struct time_entry *out)
{
    uint8_t entry[TIME_ENTRY_SIZE];
    int found = get_last_of(f, entry_file_search(f, timestamp_not_after, target), entry);
    if (found == 1)
        time_entry_decode(entry, base_offset, out);
    return found;
}

int offset_index_last(struct entry_file *f, int64_t base_offset, struct offset_entry *out)
{
    uint8_t entry[OFFSET_ENTRY_SIZE];
    int found = get_last_of(f, f->count, entry);
    if (found == 1)
        offset_entry_decode(entry, base_offset, out);
    return found;
}

int time_index_last(struct entry_file *f, int64_t base_offset, struct time_entry *out)
{
    uint8_t entry[TIME_ENTRY_SIZE];
    int found = get_last_of(f, f->count, entry);
    if (found == 1)
        time_entry_decode(entry, base_offset, out);
    return found;
}

void offset_index_append(struct entry_file *f, int64_t base_offset, struct offset_entry entry)
{
    uint8_t bytes[OFFSET_ENTRY_SIZE];
    be32_store(bytes, (uint32_t)(entry.offset - base_offset));
    be32_store(bytes + 4, (uint32_t)entry.position);
    entry_file_append(f, bytes);
}

int time_index_append_if_later(struct entry_file *f, int64_t base_offset, struct time_entry entry)
{
    struct time_entry last = {.timestamp = -1, .offset = base_offset};
    int found = time_index_last(f, base_offset, &last);
    if (found < 0)
        return found;
    if (entry.timestamp <= last.timestamp || (found == 1 && entry.offset <= last.offset))
        return 0;
    uint8_t bytes[TIME_ENTRY_SIZE];
    be64_store(bytes, (uint64_t)entry.timestamp);
    be32_store(bytes + 8, (uint32_t)(entry.offset - base_offset));
    entry_file_append(f, bytes);
    return 0;
}

void txn_index_append(struct entry_file *f, const struct txn_entry *entry)
{
    uint8_t bytes[TXN_ENTRY_SIZE];
    be16_store(bytes, (uint16_t)entry->version);
    be64_store(bytes + 2, (uint64_t)entry->producer_id);
    be64_store(bytes + 10, (uint64_t)entry->first_offset);
    be64_store(bytes + 18, (uint64_t)entry->last_offset);
    be64_store(bytes + 26, (uint64_t)entry->last_stable_offset);
    entry_file_append(f, bytes);
}

static int truncate_to_search(struct entry_file *f, entry_is_before is_before, int64_t target)
{
    int64_t keep = entry_file_search(f, is_before, target);
    return keep < 0 ? (int)keep : entry_file_truncate(f, keep);
}

int offset_index_truncate(struct entry_file *f, int64_t base_offset, int64_t offset)
{
    return truncate_to_search(f, offset_before, offset - base_offset);
}

int time_index_truncate(struct entry_file *f, int64_t base_offset, int64_t offset)
{
    return truncate_to_search(f, time_offset_before, offset - base_offset);
}

int txn_index_truncate(struct entry_file *f, int64_t offset)
{
    return truncate_to_search(f, txn_last_before, offset);
}
