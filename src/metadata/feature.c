// SPDX-License-Identifier: Apache-2.0
#include "metadata/feature.h"

#include <stddef.h>

#include "base/check.h"
#include "base/err.h"

static const struct feature_info features[FEATURE_COUNT] = {
    [FEATURE_METADATA_VERSION] = {"metadata.version", METADATA_VERSION_MIN, METADATA_VERSION_LATEST,
                                  METADATA_VERSION_LATEST},
    [FEATURE_ELIGIBLE_LEADER_REPLICAS_VERSION] = {"eligible.leader.replicas.version", 0, 1, 1},
    [FEATURE_GROUP_VERSION] = {"group.version", 0, 1, 1},
    [FEATURE_SHARE_VERSION] = {"share.version", 0, 2, 2},
    [FEATURE_STREAMS_VERSION] = {"streams.version", 0, 1, 1},
    [FEATURE_TRANSACTION_VERSION] = {"transaction.version", 0, 2, 2},
};

static const struct feature_info kraft_version = {"kraft.version", 0, 1, 0};

static const char *const metadata_version_names[] = {
    "3.0-IV1", "3.1-IV0", "3.2-IV0", "3.3-IV0", "3.3-IV1", "3.3-IV2", "3.3-IV3", "3.4-IV0", "3.5-IV0",
    "3.5-IV1", "3.5-IV2", "3.6-IV0", "3.6-IV1", "3.6-IV2", "3.7-IV0", "3.7-IV1", "3.7-IV2", "3.7-IV3",
    "3.7-IV4", "3.8-IV0", "3.9-IV0", "4.0-IV0", "4.0-IV1", "4.0-IV2", "4.0-IV3", "4.1-IV0", "4.1-IV1",
    "4.2-IV0", "4.2-IV1", "4.3-IV0", "4.4-IV0", "4.4-IV1", "4.4-IV2",
};

check_static(sizeof metadata_version_names / sizeof metadata_version_names[0] ==
                 METADATA_VERSION_LATEST,
             "one name for each level of metadata.version, from 1");

const struct feature_info *feature_info(enum feature feature)
{
    check(feature >= 0 && feature < FEATURE_COUNT);
    return &features[feature];
}

const struct feature_info *feature_kraft_version(void)
{
    return &kraft_version;
}

int feature_find(struct str name)
{
    for (int i = 0; i < FEATURE_COUNT; i++)
        if (str_is(name, features[i].name))
            return i;
    return -1;
}

const char *metadata_version_name(int16_t level)
{
    return level >= 1 && level <= METADATA_VERSION_LATEST ? metadata_version_names[level - 1] : NULL;
}

int feature_check(struct str name, int16_t level, struct diag *diag)
{
    int feature = feature_find(name);
    if (level == 0 && feature != FEATURE_METADATA_VERSION)
        return 0;
    if (feature < 0)
        return diag_set(diag, ERR_UNSUPPORTED,
                        "the cluster uses level %d of the feature %.*s, which this release does not "
                        "know: run a later release",
                        level, STR_ARG(name));
    const struct feature_info *info = &features[feature];
    if (level < info->level_min || level > info->level_max)
        return diag_set(diag, ERR_UNSUPPORTED,
                        "the cluster uses level %d of the feature %s and this release supports %d to "
                        "%d: run a release that supports that level",
                        level, info->name, info->level_min, info->level_max);
    return 0;
}
