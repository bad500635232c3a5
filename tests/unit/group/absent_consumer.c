// SPDX-License-Identifier: Apache-2.0
//
// What the tests of the other parts link while there are no consumer groups yet. Goes with their coming.
#include "base/err.h"
#include "base/mem.h"
#include "group/internal.h"

static void *absent_new(struct groups *g, struct group *group)
{
    return mem_alloc_zero(1);
}

static void absent_free(struct groups *g, void *state)
{
    mem_free(state);
}

static const char *absent_state_name(const void *state)
{
    return "Empty";
}

static int32_t absent_member_count(const void *state)
{
    return 0;
}

static void absent_loaded(struct groups *g, struct group *group)
{
}

static void absent_end(struct groups *g, struct group *group, enum kafka_error error)
{
}

static void absent_write_tombstones(struct groups *g, const struct group *group)
{
}

static bool absent_is_subscribed(const struct groups *g, const struct group *group, struct str topic)
{
    return false;
}

const struct group_kind_type consumer_kind = {
    .name = "consumer",
    .new = absent_new,
    .free = absent_free,
    .state_name = absent_state_name,
    .member_count = absent_member_count,
    .loaded = absent_loaded,
    .end = absent_end,
    .write_tombstones = absent_write_tombstones,
    .is_subscribed = absent_is_subscribed,
};

int consumer_replay(struct groups *g, const struct coordinator_record_type *type, struct bytes key,
                struct bytes value, const struct coordinator_origin *origin, struct diag *diag)
{
    return diag_set(diag, ERR_UNSUPPORTED, "records of type %d are not served yet", type->type);
}
