// SPDX-License-Identifier: Apache-2.0
//
// How many transactional ids there may be. Anybody makes one by naming it, and it is kept for
// transactional.id.expiration.ms, so their number has a bound (chitin.transactional.ids.max), of which each
// partition of the topic of transactions has its part. Past it nobody makes another, and those that are
// there go on. Kafka has no such bound.
#include "base/trace.h"
#include "config/config.h"
#include "metadata/image.h"
#include "txn/internal.h"

// 0: there is no bound.
static size_t part_of_max(const struct txns *t)
{
    const struct metadata_topic *topic =
        t->image == NULL ? NULL : metadata_image_topic(t->image, str_from("__transaction_state"));
    int32_t parts = topic == NULL || topic->partition_count == 0 ? 1 : topic->partition_count;
    int32_t max = config_i32(t->options.config, "chitin.transactional.ids.max");
    return max == 0 ? 0 : (size_t)((max - 1) / parts + 1);
}

bool txns_have_room(struct txns *t)
{
    size_t max = part_of_max(t);
    bool has_room = max == 0 || t->by_id.count < max;
    if (!has_room && !t->is_full)
        trace_warn(t->options.trace, "transactions",
                   "%s: there are %zu transactional ids: no others are made before some expire, or "
                   "chitin.transactional.ids.max is raised",
                   t->options.name, t->by_id.count);
    t->is_full = !has_room;
    return has_room;
}
