// SPDX-License-Identifier: Apache-2.0
//
// What a record of a committed offset changes. An offset may come before anything else is known of its
// group: then it is a simple one, which has no members.
#include "base/err.h"
#include "group/internal.h"
#include "wire/batch.h"
#include "wire/record/offset_commit_key.h"
#include "wire/record/offset_commit_value.h"

int offsets_replay(struct groups *g, const struct coordinator_record_type *type, struct bytes key,
                   struct bytes value, const struct coordinator_origin *origin, struct diag *diag)
{
    (void)type;
    struct offset_commit_key k;
    struct offset_commit_value v;
    int err = offset_commit_key_read(key, &k);
    if (err != 0)
        return diag_set(diag, err, "its key cannot be read: %s", err_text(err));
    // Names are C strings here. Topics have no such names; records that say so count for what stands before
    // the NUL.
    struct str rest = k.topic;
    k.topic = str_cut(&rest, '\0');
    if (value.data == NULL) {
        struct group *group = groups_find(g, k.group);
        if (group == NULL)
            return 0;
        group_offsets_remove(&group->offsets, k.topic, k.partition);
        offsets_remove_pending(g, group, k.topic, k.partition);
        return 0;
    }
    err = offset_commit_value_read(value, &v);
    if (err != 0)
        return diag_set(diag, err, "its value cannot be read: %s", err_text(err));
    struct group *group = groups_get(g, k.group);
    if (origin->producer_id == PRODUCER_ID_NONE)
        group_offsets_set(&group->offsets, k.topic, k.partition, &v, origin->offset);
    else
        offsets_set_pending(g, group, origin->producer_id, k.topic, k.partition, &v, origin->offset);
    return 0;
}
