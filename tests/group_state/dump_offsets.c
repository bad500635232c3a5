// SPDX-License-Identifier: Apache-2.0
#include "dumpers.h"

static void dump_set(const struct group_offsets *o, const char *what, struct buf *out)
{
    for (int32_t t = 0; t < o->count; t++) {
        const struct offsets_topic *topic = &o->topics[t];
        for (int32_t i = 0; i < topic->count; i++) {
            const struct committed_offset *c = &topic->items[i];
            buf_printf(out, "  %s%s %s %d: %lld epoch %d at %lld until %lld '%.*s'\n", what, topic->name,
                       uuid_format(topic->id).text, c->partition, (long long)c->offset, c->leader_epoch,
                       (long long)c->commit_timestamp_ms, (long long)committed_offset_expire_ms(c),
                       STR_ARG(committed_offset_metadata(c)));
        }
    }
}

void dump_offsets(const struct group *group, struct buf *out)
{
    const struct group_offsets *pending = NULL;
    dump_set(&group->offsets, "", out);
    while ((pending = offsets_next_pending(group, pending)) != NULL)
        dump_set(pending, "pending ", out);
}
