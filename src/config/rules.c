// SPDX-License-Identifier: Apache-2.0
//
// What Kafka asks of keys together, in its words, since operators search for them: checked when a
// broker starts, and before a change at run time is written.
#include "config/rules.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"
#include "base/err.h"
#include "config/config.h"

void findings_add(struct findings *f, const char *format, ...)
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

// Keys of which the first may not be above the second.
static const char ordered[][2][48] = {
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
};

static void check_order(const struct config *c, struct findings *f)
{
    for (size_t i = 0; i < sizeof ordered / sizeof *ordered; i++) {
        const char *low = ordered[i][0], *high = ordered[i][1];
        if (config_i64(c, low) <= config_i64(c, high))
            continue;
        if (strstr(low, ".min.") != NULL)
            findings_add(f, "%s must be greater than or equal to %s", high, low);
        else
            findings_add(f, "%s must be less than or equal to %s", low, high);
    }
}

static void check_times(const struct config *c, struct findings *f)
{
    if (config_duration_ms(c, "log.roll.ms") < 1)
        findings_add(f, "log.roll.ms must be greater than or equal to 1");
    if (config_duration_ms(c, "log.roll.jitter.ms") < 0)
        findings_add(f, "log.roll.jitter.ms must be greater than or equal to 0");
    if (config_duration_ms(c, "log.retention.ms") == 0)
        findings_add(f, "log.retention.ms must be unlimited (-1) or, greater than or equal to 1");
    int64_t wait_ms = config_i64(c, "replica.fetch.wait.max.ms");
    if (wait_ms > config_i64(c, "replica.socket.timeout.ms"))
        findings_add(f, "replica.socket.timeout.ms should always be at least "
                        "replica.fetch.wait.max.ms to prevent unnecessary socket timeouts");
    if (wait_ms > config_i64(c, "replica.lag.time.max.ms"))
        findings_add(f, "replica.fetch.wait.max.ms should always be less than or equal to "
                        "replica.lag.time.max.ms to prevent frequent changes in ISR");
}

static void check_sizes(const struct config *c, struct findings *f)
{
    int64_t queued_bytes = config_i64(c, "queued.max.request.bytes");
    if (queued_bytes > 0 && queued_bytes < config_i64(c, "socket.request.max.bytes"))
        findings_add(f, "queued.max.request.bytes must be larger or equal to "
                        "socket.request.max.bytes");
    int64_t cleaners = config_i64(c, "log.cleaner.threads");
    if (cleaners > 0 && config_i64(c, "log.cleaner.dedupe.buffer.size") / cleaners <= 1024 * 1024)
        findings_add(f, "log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread.");
}

static void check_connections(const struct config *c, struct findings *f)
{
    int64_t idle_ms = config_i64(c, "connections.max.idle.ms");
    int64_t delay_ms = config_i64(c, "connection.failed.authentication.delay.ms");
    if (idle_ms >= 0 && delay_ms >= idle_ms)
        findings_add(f, "connection.failed.authentication.delay.ms=%lld should always be less than "
                        "connections.max.idle.ms=%lld to prevent failed authentication responses "
                        "from timing out", (long long)delay_ms, (long long)idle_ms);
    if (config_i32(c, "max.connections.per.ip") == 0 &&
        *config_text(c, "max.connections.per.ip.overrides") == '\0')
        findings_add(f, "max.connections.per.ip can be set to zero only if "
                        "max.connections.per.ip.overrides property is set.");
}

static bool dirs_have(struct str dirs, struct str wanted)
{
    struct str dir;
    while (config_list_next(&dirs, &dir))
        if (str_equal(dir, wanted))
            return true;
    return false;
}

static void check_dirs(const struct config *c, struct findings *f)
{
    struct str dirs = config_log_dirs(c), rest = dirs, dir;
    if (dirs.data == NULL)
        findings_add(f, "log.dirs is empty; at least one directory is needed");
    while (config_list_next(&rest, &dir))
        if (dir.size == 0)
            findings_add(f, "log.dirs has an empty item");
    rest = config_list(c, "cordoned.log.dirs");
    while (config_list_next(&rest, &dir))
        if (!str_is(dir, "*") && !dirs_have(dirs, dir))
            findings_add(f, "All entries in cordoned.log.dirs must be present in log.dirs or "
                            "log.dir. Missing entries : %.*s", STR_ARG(dir));
}

void config__check_rules(const struct config *c, struct findings *f)
{
    check_order(c, f);
    check_times(c, f);
    check_sizes(c, f);
    check_connections(c, f);
    check_dirs(c, f);
}
