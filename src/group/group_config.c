// SPDX-License-Identifier: Apache-2.0
#include "group/group_config.h"

#include "base/check.h"
#include "config/config.h"
#include "group/internal.h"
#include "metadata/image.h"

struct group_setting {
    const char *name;
    const char *broker_name;
    const char *min_name; // of the bounds
    const char *max_name;
};

static const struct group_setting *find(const char *name)
{
    static const struct group_setting settings[] = {
        {"consumer.assignment.interval.ms", "group.consumer.assignment.interval.ms",
         "group.consumer.min.assignment.interval.ms", "group.consumer.max.assignment.interval.ms"},
        {"consumer.heartbeat.interval.ms", "group.consumer.heartbeat.interval.ms",
         "group.consumer.min.heartbeat.interval.ms", "group.consumer.max.heartbeat.interval.ms"},
        {"consumer.session.timeout.ms", "group.consumer.session.timeout.ms",
         "group.consumer.min.session.timeout.ms", "group.consumer.max.session.timeout.ms"},
    };
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
        if (strcmp(settings[i].name, name) == 0)
            return &settings[i];
    check(!"a setting of groups");
    return NULL;
}

int32_t group_config_i32(const struct groups *g, struct str group_id, const char *name)
{
    const struct config *config = g->options.config;
    const struct group_setting *s = find(name);
    const struct properties *set = metadata_image_configs(g->image, CONFIG_RESOURCE_GROUP, group_id);
    const char *text = set == NULL ? NULL : properties_get(set, name);
    int32_t value;
    if (text == NULL || !str_parse_i32(str_from(text), &value))
        return config_i32(config, s->broker_name);
    // The bounds may have changed since it was set.
    int32_t min = config_i32(config, s->min_name), max = config_i32(config, s->max_name);
    return value < min ? min : value > max ? max : value;
}
