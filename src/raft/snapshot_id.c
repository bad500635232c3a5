// SPDX-License-Identifier: Apache-2.0
#include "raft/snapshot_id.h"

#include <inttypes.h>
#include <stdio.h>

static const char complete_suffix[] = ".checkpoint";
static const char partial_suffix[] = ".checkpoint.part";
static const char deleted_suffix[] = ".checkpoint.deleted";

enum { OFFSET_DIGITS = 20, EPOCH_DIGITS = 10, ID_SIZE = OFFSET_DIGITS + 1 + EPOCH_DIGITS };

struct snapshot_name snapshot_name_format(struct snapshot_id id)
{
    struct snapshot_name name;
    snprintf(name.text, sizeof name.text, "%020" PRId64 "-%010" PRId32 "%s", id.end_offset, id.epoch,
             complete_suffix);
    return name;
}

struct snapshot_name snapshot_part_name_format(struct snapshot_id id)
{
    struct snapshot_name name;
    snprintf(name.text, sizeof name.text, "%020" PRId64 "-%010" PRId32 "%s", id.end_offset, id.epoch,
             partial_suffix);
    return name;
}

static bool digits_parse(struct str s, int64_t *out)
{
    for (size_t i = 0; i < s.size; i++)
        if (s.data[i] < '0' || s.data[i] > '9')
            return false;
    return str_parse_i64(s, out);
}

bool snapshot_name_parse(struct str name, struct snapshot_id *id, enum snapshot_state *state)
{
    int64_t end_offset, epoch;
    if (name.size < ID_SIZE || name.data[OFFSET_DIGITS] != '-' ||
        !digits_parse(str_of(name.data, OFFSET_DIGITS), &end_offset) ||
        !digits_parse(str_of(name.data + OFFSET_DIGITS + 1, EPOCH_DIGITS), &epoch) ||
        epoch > INT32_MAX)
        return false;
    struct str rest = str_of(name.data + ID_SIZE, name.size - ID_SIZE);
    if (str_is(rest, complete_suffix))
        *state = SNAPSHOT_COMPLETE;
    else if (str_ends_with(rest, partial_suffix))
        *state = SNAPSHOT_PARTIAL;
    else if (str_is(rest, deleted_suffix))
        *state = SNAPSHOT_DELETED;
    else
        return false;
    *id = (struct snapshot_id){.end_offset = end_offset, .epoch = (int32_t)epoch};
    return true;
}

int snapshot_id_compare(struct snapshot_id a, struct snapshot_id b)
{
    if (a.epoch != b.epoch)
        return a.epoch < b.epoch ? -1 : 1;
    return (a.end_offset > b.end_offset) - (a.end_offset < b.end_offset);
}
