// SPDX-License-Identifier: Apache-2.0
//
// What the tests of the other parts link while there are no offsets yet. Goes with their coming.
#include "base/err.h"
#include "group/internal.h"

void group_offsets_release(struct group_offsets *o)
{
}

void offsets_loaded(struct groups *g)
{
}

void offsets_image_changed(struct groups *g, const struct metadata_image *before)
{
}

int offsets_replay(struct groups *g, const struct coordinator_record_type *type, struct bytes key,
                   struct bytes value, const struct coordinator_origin *origin, struct diag *diag)
{
    return diag_set(diag, ERR_UNSUPPORTED, "records of type %d are not served yet", type->type);
}
