// SPDX-License-Identifier: Apache-2.0
#include "metadata/known.h"

#include "base/arena.h"
#include "base/err.h"
#include "metadata/feature.h"
#include "wire/metadata_record.h"
#include "wire/record/feature_level_record.h"
#include "wire/record/kraft_version_record.h"
#include "wire/records.h"
#include "wire/varint.h"

enum { KNOWN_MEMORY_MAX = 64 * 1024, FRAME_VERSION_LAST = 1 };

static int feature_known(struct bytes value, struct diag *diag)
{
    struct arena arena;
    struct metadata_record record;
    arena_init(&arena, KNOWN_MEMORY_MAX);
    int err = 0;
    if (metadata_record_decode(value, &arena, &record) == 0) {
        const struct feature_level_record *level = record.message;
        err = feature_check(level->name, level->feature_level, diag);
    }
    arena_release(&arena);
    return err;
}

static int record_known(const struct record *r, struct diag *diag)
{
    size_t position = 0;
    uint32_t frame, type, version;
    if (uvarint_read(r->value, &position, &frame) != 0 ||
        uvarint_read(r->value, &position, &type) != 0 ||
        uvarint_read(r->value, &position, &version) != 0)
        return 0;
    const struct wire_schema *schema =
        frame <= FRAME_VERSION_LAST && type <= INT16_MAX ? metadata_record_schema((int32_t)type) : NULL;
    if (schema == NULL)
        return diag_set(diag, ERR_UNSUPPORTED,
                        "the record at offset %lld is of type %u, which this release does not know: run "
                        "a later release",
                        (long long)r->offset, (unsigned)type);
    if (version > INT16_MAX || (int16_t)version > wire_schema_version_max(schema))
        return diag_set(diag, ERR_UNSUPPORTED,
                        "the %s at offset %lld has version %u and this release knows up to %d: run a "
                        "later release",
                        metadata_record_name((int32_t)type), (long long)r->offset, (unsigned)version,
                        wire_schema_version_max(schema));
    return type == METADATA_FEATURE_LEVEL_RECORD ? feature_known(r->value, diag) : 0;
}

static int control_known(const struct record *r, struct diag *diag)
{
    struct arena arena;
    struct kraft_version_record record;
    int16_t type;
    int err = 0;
    arena_init(&arena, KNOWN_MEMORY_MAX);
    if (control_key_read(r->key, &type) == 0 && type == CONTROL_KRAFT_VERSION &&
        wire_decode(&kraft_version_record_schema, 0, r->value, &arena, &record, NULL) == 0) {
        const struct feature_info *info = feature_kraft_version();
        if (record.kraft_version < info->level_min || record.kraft_version > info->level_max)
            err = diag_set(diag, ERR_UNSUPPORTED,
                           "the cluster uses level %d of the feature %s and this release supports %d "
                           "to %d: run a release that supports that level",
                           record.kraft_version, info->name, info->level_min, info->level_max);
    }
    arena_release(&arena);
    return err;
}

int metadata_batch_known(const struct batch_header *header, struct bytes batch, struct diag *diag)
{
    struct batch_iter iter;
    struct record record;
    int err = 0;
    if (batch_iter_init(&iter, batch, NULL) != 0)
        return 0;
    while (err == 0 && batch_iter_next(&iter, &record) == 1)
        err = batch_is_control(header) ? control_known(&record, diag) : record_known(&record, diag);
    return err;
}
