// SPDX-License-Identifier: Apache-2.0
//
// Records about configurations, features and producer ids.
#include "base/check.h"
#include "base/err.h"
#include "metadata/internal.h"
#include "wire/record/config_record.h"
#include "wire/record/feature_level_record.h"
#include "wire/record/producer_ids_record.h"

static bool text_has_nul(struct str s)
{
    return s.size > 0 && memchr(s.data, '\0', s.size) != NULL;
}

static int config_set(struct metadata_image *image, const struct config_record *record,
                      struct diag *diag)
{
    if (text_has_nul(record->resource_name) || text_has_nul(record->name) ||
        text_has_nul(record->value) || record->name.size == 0)
        return diag_set(diag, ERR_CORRUPT, "a configuration with an empty name or a NUL in it");
    struct buf key;
    buf_init(&key, 1 + record->resource_name.size);
    struct bytes k = metadata__configs_key(record->resource_type, record->resource_name, &key);
    const struct metadata_configs *old = pmap_find(&image->configs, k);
    struct metadata_configs *new = metadata__configs_with(
        old, record->resource_type, record->resource_name, record->name, record->value);
    if (new->values.count > 0)
        pmap_set(&image->configs, new);
    else
        pmap_remove(&image->configs, k);
    metadata__configs_unref(new);
    buf_release(&key);
    return 0;
}

static int feature_set(struct metadata_image *image, const struct feature_level_record *record,
                       struct diag *diag)
{
    int err = feature_check(record->name, record->feature_level, diag);
    if (err != 0)
        return err;
    int feature = feature_find(record->name);
    if (feature >= 0)
        image->features.level[feature] = record->feature_level;
    return 0;
}

static int producer_ids_set(struct metadata_image *image, const struct producer_ids_record *record,
                            struct diag *diag)
{
    if (record->next_producer_id < image->next_producer_id)
        return diag_set(diag, ERR_CORRUPT, "the next producer id goes back from %lld to %lld",
                        (long long)image->next_producer_id, (long long)record->next_producer_id);
    image->next_producer_id = record->next_producer_id;
    image->has_producer_ids = true;
    return 0;
}

int metadata__replay_config(struct metadata_image *image, const struct metadata_record *record,
                            struct diag *diag)
{
    switch (record->type) {
    case METADATA_CONFIG_RECORD:
        return config_set(image, record->message, diag);
    case METADATA_FEATURE_LEVEL_RECORD:
        return feature_set(image, record->message, diag);
    case METADATA_PRODUCER_IDS_RECORD:
        return producer_ids_set(image, record->message, diag);
    default:
        check_unreachable();
    }
}
