// SPDX-License-Identifier: Apache-2.0
//
// What stands in for the kinds that are being written: whoever adds one deletes its part here, and the
// last one the file.
#include "group/internal.h"

// ---- consumer ----

int consumer_replay(struct groups *g, const struct coordinator_record_type *type, struct bytes key,
                    struct bytes value, const struct coordinator_origin *origin, struct diag *diag)
{
    (void)g, (void)type, (void)key, (void)value, (void)origin, (void)diag;
    return 0;
}

const struct group_kind_type consumer_kind = {.name = "consumer"};

// ---- streams ----

int streams_replay(struct groups *g, const struct coordinator_record_type *type, struct bytes key,
                   struct bytes value, const struct coordinator_origin *origin, struct diag *diag)
{
    (void)g, (void)type, (void)key, (void)value, (void)origin, (void)diag;
    return 0;
}

const struct group_kind_type streams_kind = {.name = "streams"};

// ---- classic ----

static void *classic_new(struct groups *g, struct group *group)
{
    (void)g;
    return group;
}

static void classic_free(struct groups *g, void *state)
{
    (void)g, (void)state;
}

static void classic_loaded(struct groups *g, struct group *group)
{
    (void)g, (void)group;
}

static void classic_end(struct groups *g, struct group *group, enum kafka_error error)
{
    (void)g, (void)group, (void)error;
}

int classic_replay(struct groups *g, const struct coordinator_record_type *type, struct bytes key,
                   struct bytes value, const struct coordinator_origin *origin, struct diag *diag)
{
    (void)g, (void)type, (void)key, (void)value, (void)origin, (void)diag;
    return 0;
}

const struct group_kind_type classic_kind = {
    .name = "classic",
    .new = classic_new,
    .free = classic_free,
    .loaded = classic_loaded,
    .end = classic_end,
};

// ---- offsets ----

int offsets_replay(struct groups *g, const struct coordinator_record_type *type, struct bytes key,
                   struct bytes value, const struct coordinator_origin *origin, struct diag *diag)
{
    (void)g, (void)type, (void)key, (void)value, (void)origin, (void)diag;
    return 0;
}

void offsets_loaded(struct groups *g)
{
    (void)g;
}

void offsets_image_changed(struct groups *g, const struct metadata_image *before)
{
    (void)g, (void)before;
}

void group_offsets_release(struct group_offsets *o)
{
    (void)o;
}
