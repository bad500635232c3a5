// SPDX-License-Identifier: Apache-2.0
#include "config/group_config.h"

#include "base/check.h"
#include "base/err.h"
#include "config/config.h"

// The broker keys that bound a group's; NULL: no bound there.
struct group_bounds {
    const char *name;
    const char *min;
    const char *max;
};

static const struct group_bounds *find_bounds(const char *name)
{
    static const struct group_bounds all[] = {
        {"consumer.assignment.interval.ms", "group.consumer.min.assignment.interval.ms",
         "group.consumer.max.assignment.interval.ms"},
        {"consumer.heartbeat.interval.ms", "group.consumer.min.heartbeat.interval.ms",
         "group.consumer.max.heartbeat.interval.ms"},
        {"consumer.session.timeout.ms", "group.consumer.min.session.timeout.ms",
         "group.consumer.max.session.timeout.ms"},
        {"share.assignment.interval.ms", "group.share.min.assignment.interval.ms",
         "group.share.max.assignment.interval.ms"},
        {"share.delivery.count.limit", "group.share.min.delivery.count.limit",
         "group.share.max.delivery.count.limit"},
        {"share.heartbeat.interval.ms", "group.share.min.heartbeat.interval.ms",
         "group.share.max.heartbeat.interval.ms"},
        {"share.partition.max.record.locks", "group.share.min.partition.max.record.locks",
         "group.share.max.partition.max.record.locks"},
        {"share.record.lock.duration.ms", "group.share.min.record.lock.duration.ms",
         "group.share.max.record.lock.duration.ms"},
        {"share.session.timeout.ms", "group.share.min.session.timeout.ms",
         "group.share.max.session.timeout.ms"},
        {"streams.assignment.interval.ms", "group.streams.min.assignment.interval.ms",
         "group.streams.max.assignment.interval.ms"},
        {"streams.heartbeat.interval.ms", "group.streams.min.heartbeat.interval.ms",
         "group.streams.max.heartbeat.interval.ms"},
        {"streams.num.standby.replicas", NULL, "group.streams.max.standby.replicas"},
        {"streams.num.warmup.replicas", NULL, "group.streams.max.warmup.replicas"},
        {"streams.session.timeout.ms", "group.streams.min.session.timeout.ms",
         "group.streams.max.session.timeout.ms"},
        {"streams.task.offset.interval.ms", "group.streams.min.task.offset.interval.ms", NULL},
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (strcmp(all[i].name, name) == 0)
            return &all[i];
    return NULL;
}

static int check_bounds(const struct config *c, const char *name, int64_t value, struct diag *diag)
{
    const struct group_bounds *b = find_bounds(name);
    if (b == NULL)
        return 0;
    int64_t min = b->min == NULL ? INT64_MIN : config_i64(c, b->min);
    int64_t max = b->max == NULL ? INT64_MAX : config_i64(c, b->max);
    if (value >= min && value <= max)
        return 0;
    if (b->min == NULL)
        return diag_set(diag, ERR_INVALID, "%s must be less than or equal to %lld", name, (long long)max);
    if (b->max == NULL)
        return diag_set(diag, ERR_INVALID, "%s must be greater than or equal to %lld", name,
                        (long long)min);
    return diag_set(diag, ERR_INVALID, "%s must be in the range %lld to %lld inclusive.", name,
                    (long long)min, (long long)max);
}

// "by_duration:P1DT2H3M4.5S": days, hours, minutes, seconds of ISO 8601, not negative.
static bool is_duration(struct str s)
{
    static const char prefix[] = "by_duration:P";
    bool has_digit = false;
    if (!str_starts_with(s, prefix))
        return false;
    for (size_t i = sizeof(prefix) - 1; i < s.size; i++) {
        has_digit |= s.data[i] >= '0' && s.data[i] <= '9';
        if (s.data[i] == '\0' || strchr("0123456789.DTHMS", s.data[i]) == NULL)
            return false;
    }
    return has_digit;
}

static int check_words(const struct config *c, const char *name, struct str value, struct diag *diag)
{
    if (strcmp(name, "share.auto.offset.reset") == 0 && !str_is(value, "earliest") &&
        !str_is(value, "latest") && !is_duration(value))
        return diag_set(diag, ERR_INVALID,
                        "Invalid value %.*s for configuration %s: Invalid value `%.*s` for configuration "
                        "%s. The value must be either 'earliest', 'latest' or of the format "
                        "'by_duration:<PnDTnHnMn.nS>'.",
                        STR_ARG(value), name, STR_ARG(value), name);
    if (strcmp(name, "streams.assignor.name") != 0)
        return 0;
    struct str list = config_list(c, "group.streams.assignors"), rest = list, item;
    while (config_list_next(&rest, &item))
        if (str_equal(item, value))
            return 0;
    return diag_set(diag, ERR_INVALID,
                    "%s '%.*s' is not a registered task assignor. Registered assignors are: [%.*s].", name,
                    STR_ARG(value), STR_ARG(list));
}

static int check_value(const struct config *c, const char *name, struct str value, struct diag *diag)
{
    const struct config_key *key = config_key_find(CONFIG_GROUP, str_from(name));
    int64_t number;
    if (key == NULL)
        return diag_set(diag, ERR_INVALID, "Unknown group config name: %s", name);
    int err = config_validate(key, value, diag);
    if (err == 0)
        err = check_words(c, name, value, diag);
    if (err == 0 && str_parse_i64(str_trim(value), &number))
        err = check_bounds(c, name, number, diag);
    return err;
}

int group_config_validate(const struct config *c, const struct properties *values, struct diag *diag)
{
    for (int i = 0; i < values->count; i++) {
        int err = check_value(c, values->items[i].key, str_from(values->items[i].value), diag);
        if (err != 0)
            return err;
    }
    return 0;
}

int64_t group_config_i64(const struct config *c, const struct properties *values, const char *name)
{
    const struct config_key *key = config_key_find(CONFIG_GROUP, str_from(name));
    check(key != NULL && config_key_broker_default(key) != NULL);
    const char *text = values == NULL ? NULL : properties_get(values, name);
    int64_t value;
    if (text == NULL || !str_parse_i64(str_trim(str_from(text)), &value))
        return config_i64(c, config_key_broker_default(key));
    const struct group_bounds *b = find_bounds(name);
    if (b != NULL && b->min != NULL && value < config_i64(c, b->min))
        value = config_i64(c, b->min);
    if (b != NULL && b->max != NULL && value > config_i64(c, b->max))
        value = config_i64(c, b->max);
    return value;
}

int32_t group_config_i32(const struct config *c, const struct properties *values, const char *name)
{
    int64_t value = group_config_i64(c, values, name);
    return value > INT32_MAX ? INT32_MAX : value < INT32_MIN ? INT32_MIN : (int32_t)value;
}
