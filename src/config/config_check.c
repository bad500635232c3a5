// SPDX-License-Identifier: Apache-2.0
//
// What an operator is told about a configuration before anything else happens.
#include "config/config.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/err.h"
#include "config/table.h"

// Collects errors, one per line.
struct findings {
    struct diag *diag;
    int count;
};

__attribute__((format(printf, 2, 3))) static void found(struct findings *f, const char *format, ...)
{
    f->count++;
    if (f->diag == NULL)
        return;
    size_t used = strlen(f->diag->text);
    size_t left = sizeof f->diag->text - used;
    va_list args;
    va_start(args, format);
    if (used > 0 && left > 1) {
        f->diag->text[used++] = '\n';
        left--;
    }
    vsnprintf(f->diag->text + used, left, format, args);
    va_end(args);
}

// A refused key that only repeats the default, or is empty, promises nothing.
static bool promises_nothing(const struct config_key *key, const char *value)
{
    const char *usual = config_key_default(key);
    return *value == '\0' || (usual != NULL && str_is(str_from(value), usual));
}

static void check_known(const struct property *item, const struct config_key *key,
                        struct findings *f)
{
    struct diag words;
    diag_clear(&words);
    if (config_validate(key, str_from(item->value), &words) != ERR_OK) {
        const char *valid = config_key_valid(key);
        found(f, "%s%s%s", words.text, *valid != '\0' ? "; valid: " : "", valid);
    } else if (config_key_treatment(key) == CONFIG_REFUSED && !promises_nothing(key, item->value)) {
        found(f, "%s%s%s: %s. Take it out to start without.", item->key,
              config_key_is_sensitive(key) ? "" : "=",
              config_key_is_sensitive(key) ? "" : item->value, config_key_reason(key));
    }
}

static void warn_unknown(const struct property *item, struct trace *trace)
{
    struct str name = str_from(item->key);
    const char *removed = config_key_removed_in(name);
    const char *nearest = removed == NULL ? config_key_nearest(CONFIG_BROKER, name) : NULL;
    if (removed != NULL)
        trace_warn(trace, "config", "%s has no effect: Apache Kafka %s removed it", item->key,
                   removed);
    else if (nearest != NULL)
        trace_warn(trace, "config", "%s is not a known key; did you mean %s?", item->key, nearest);
    else
        trace_warn(trace, "config", "%s is not a known key", item->key);
}

static bool is_idle(const struct property *item, const struct config_key *key)
{
    enum config_treatment t = config_key_treatment(key);
    return (t == CONFIG_ACCEPTED || t == CONFIG_PLANNED) && !promises_nothing(key, item->value);
}

// One line for all keys that have no effect for the same reason. `first` is the earliest of them.
static void warn_idle(const struct properties *p, int first, struct trace *trace)
{
    const struct config_key *key = config_key_find(CONFIG_BROKER, str_from(p->items[first].key));
    struct buf names;
    buf_init(&names, TRACE_LINE_MAX);
    for (int i = 0; i < p->count; i++) {
        const struct config_key *other = config_key_find(CONFIG_BROKER, str_from(p->items[i].key));
        if (other == NULL || other->reason != key->reason || !is_idle(&p->items[i], other))
            continue;
        if (i < first) {
            buf_release(&names); // said with that one
            return;
        }
        buf_printf(&names, "%s%s", i > first ? ", " : "", p->items[i].key);
    }
    trace_warn(trace, "config", "no effect, since %s: %s", config_key_reason(key),
               buf_text(&names));
    buf_release(&names);
}

// Keys of which the first may not be above the second (KafkaConfig's own rules).
static const char ordered[][2][48] = {
    {"replica.fetch.wait.max.ms", "replica.lag.time.max.ms"},
    {"group.min.session.timeout.ms", "group.max.session.timeout.ms"},
    {"group.consumer.min.heartbeat.interval.ms", "group.consumer.heartbeat.interval.ms"},
    {"group.consumer.heartbeat.interval.ms", "group.consumer.max.heartbeat.interval.ms"},
    {"group.consumer.min.session.timeout.ms", "group.consumer.session.timeout.ms"},
    {"group.consumer.session.timeout.ms", "group.consumer.max.session.timeout.ms"},
    {"group.share.min.heartbeat.interval.ms", "group.share.heartbeat.interval.ms"},
    {"group.share.heartbeat.interval.ms", "group.share.max.heartbeat.interval.ms"},
    {"group.share.min.session.timeout.ms", "group.share.session.timeout.ms"},
    {"group.share.session.timeout.ms", "group.share.max.session.timeout.ms"},
    {"group.share.min.record.lock.duration.ms", "group.share.record.lock.duration.ms"},
    {"group.share.record.lock.duration.ms", "group.share.max.record.lock.duration.ms"},
    {"group.share.min.delivery.count.limit", "group.share.delivery.count.limit"},
    {"group.share.delivery.count.limit", "group.share.max.delivery.count.limit"},
    {"group.streams.min.heartbeat.interval.ms", "group.streams.heartbeat.interval.ms"},
    {"group.streams.heartbeat.interval.ms", "group.streams.max.heartbeat.interval.ms"},
    {"group.streams.min.session.timeout.ms", "group.streams.session.timeout.ms"},
    {"group.streams.session.timeout.ms", "group.streams.max.session.timeout.ms"},
    {"group.streams.num.standby.replicas", "group.streams.max.standby.replicas"},
    {"log.cleaner.min.compaction.lag.ms", "log.cleaner.max.compaction.lag.ms"},
};

static void check_rules(const struct config *c, struct findings *f)
{
    for (size_t i = 0; i < sizeof ordered / sizeof *ordered; i++) {
        int64_t low = config_i64(c, ordered[i][0]);
        int64_t high = config_i64(c, ordered[i][1]);
        if (low > high)
            found(f, "%s (%lld) must not be greater than %s (%lld)", ordered[i][0], (long long)low,
                  ordered[i][1], (long long)high);
    }
    if (config_duration_ms(c, "log.retention.ms") == 0)
        found(f, "log.retention.ms, .minutes or .hours is 0; valid: -1 (for ever) or at least 1");
    if (config_duration_ms(c, "log.roll.ms") < 1)
        found(f, "log.roll.ms must be at least 1");
    if (config_duration_ms(c, "log.roll.jitter.ms") < 0)
        found(f, "log.roll.jitter.ms must be at least 0");
    struct str dirs = config_log_dirs(c);
    struct str dir;
    if (dirs.data == NULL)
        found(f, "log.dirs is empty; at least one directory is needed");
    while (config_list_next(&dirs, &dir))
        if (dir.size == 0)
            found(f, "log.dirs has an empty item");
}

int config_check(const struct config *c, struct trace *trace, struct diag *diag)
{
    const struct properties *p = config_static_values(c);
    struct findings f = {.diag = diag};
    if (diag != NULL)
        diag_clear(diag);
    for (int i = 0; i < p->count; i++) {
        const struct config_key *key = config_key_find(CONFIG_BROKER, str_from(p->items[i].key));
        if (key == NULL && trace != NULL)
            warn_unknown(&p->items[i], trace);
        if (key == NULL)
            continue;
        check_known(&p->items[i], key, &f);
        if (trace != NULL && is_idle(&p->items[i], key))
            warn_idle(p, i, trace);
    }
    if (f.count == 0)
        check_rules(c, &f);
    return f.count == 0 ? ERR_OK : ERR_INVALID;
}
