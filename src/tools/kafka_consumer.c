// SPDX-License-Identifier: Apache-2.0
#include "tools/kafka_consumer.h"

#include <string.h>

#include "client/assignor.h"
#include "tools/common.h"
#include "tools/kafka.h"

enum {
    SESSION_TIMEOUT,
    HEARTBEAT_INTERVAL,
    POLL_INTERVAL,
    COMMIT_INTERVAL,
    FETCH_WAIT,
    FETCH_MIN,
    FETCH_MAX,
    PARTITION_MAX,
    NUMBER_COUNT,
};

static const struct kafka_number numbers[NUMBER_COUNT] = {
    [SESSION_TIMEOUT] = {"session.timeout.ms", 45000, 1, INT32_MAX},
    [HEARTBEAT_INTERVAL] = {"heartbeat.interval.ms", 3000, 1, INT32_MAX},
    [POLL_INTERVAL] = {"max.poll.interval.ms", 300000, 1, INT32_MAX},
    [COMMIT_INTERVAL] = {"auto.commit.interval.ms", 5000, 0, INT32_MAX},
    [FETCH_WAIT] = {"fetch.max.wait.ms", 500, 1, INT32_MAX},
    [FETCH_MIN] = {"fetch.min.bytes", 1, 1, INT32_MAX},
    [FETCH_MAX] = {"fetch.max.bytes", 50 << 20, 1, INT32_MAX},
    [PARTITION_MAX] = {"max.partition.fetch.bytes", 1 << 20, 1, INT32_MAX},
};

static const char *text_of(const struct properties *p, const char *key, const char *fallback)
{
    const char *value = properties_get(p, key);
    return value != NULL ? value : fallback;
}

// Each protocol refuses the settings of the other one: they would be ignored.
static int read_protocol(struct tool *t, const struct properties *p, enum group_member_protocol *out)
{
    static const char *const of_classic[] = {"partition.assignment.strategy", "session.timeout.ms",
                                             "heartbeat.interval.ms", NULL};
    static const char *const of_consumer[] = {"group.remote.assignor", NULL};
    const char *name = text_of(p, "group.protocol", "classic");
    struct str text = str_trim(str_from(name));
    bool is_consumer = str_equal_nocase(text, str_from("consumer"));
    if (!is_consumer && !str_equal_nocase(text, str_from("classic")))
        return tool_usage(t, "group.protocol is \"%s\", not classic or consumer", name);
    for (const char *const *k = is_consumer ? of_classic : of_consumer; *k != NULL; k++)
        if (properties_get(p, *k) != NULL)
            return tool_usage(t, "%s cannot be set when group.protocol=%s", *k,
                              is_consumer ? "CONSUMER" : "CLASSIC");
    *out = is_consumer ? GROUP_MEMBER_CONSUMER : GROUP_MEMBER_CLASSIC;
    return EXIT_OK;
}

static int read_assignors(struct tool *t, const struct properties *p, struct group_member_options *o)
{
    struct str rest = str_from(text_of(p, "partition.assignment.strategy", ""));
    while (rest.size > 0) {
        struct str name = str_trim(str_cut(&rest, ','));
        const struct client_assignor *assignor = assignor_by_name(name);
        if (assignor == NULL)
            return tool_usage(t, "assignor %.*s is a Java class that is not built in: RangeAssignor, "
                                 "RoundRobinAssignor, StickyAssignor and CooperativeStickyAssignor are",
                              STR_ARG(name));
        if (o->assignor_count == GROUP_MEMBER_ASSIGNORS_MAX)
            return tool_usage(t, "partition.assignment.strategy names more than %d assignors",
                              GROUP_MEMBER_ASSIGNORS_MAX);
        o->assignors[o->assignor_count++] = assignor;
    }
    return EXIT_OK;
}

static int read_reset(struct tool *t, const struct properties *p, struct group_reader_options *o)
{
    static const char by_duration[] = "by_duration:";
    const char *name = text_of(p, "auto.offset.reset", "latest");
    struct str text = str_trim(str_from(name));
    o->reset = FETCH_RESET_AGE;
    if (str_equal_nocase(text, str_from("earliest")))
        o->reset = FETCH_RESET_EARLIEST;
    else if (str_equal_nocase(text, str_from("latest")))
        o->reset = FETCH_RESET_LATEST;
    else if (str_equal_nocase(text, str_from("none")))
        o->reset = FETCH_RESET_NONE;
    else if (!str_starts_with(text, by_duration) ||
             !iso_duration_parse(str_of(text.data + strlen(by_duration), text.size - strlen(by_duration)),
                                 &o->reset_age_ms) ||
             o->reset_age_ms < 0)
        return tool_usage(t, "Invalid value `%s` for configuration auto.offset.reset. The value must be "
                             "either 'earliest', 'latest', 'none' or of the format "
                             "'by_duration:<PnDTnHnMn.nS.>'.",
                          name);
    return EXIT_OK;
}

static int read_switches(struct tool *t, const struct properties *p, int64_t commit_interval_ms,
                         struct group_reader_options *o)
{
    bool commits = true, creates = true;
    int status = kafka_read_bool(t, p, "enable.auto.commit", &commits);
    if (status == EXIT_OK)
        status = kafka_read_bool(t, p, "allow.auto.create.topics", &creates);
    const char *isolation = text_of(p, "isolation.level", "read_uncommitted");
    o->member.commit_interval_ms = !commits ? 0 : commit_interval_ms > 0 ? commit_interval_ms : 1;
    o->member.create_topics = creates;
    o->fetch.read_committed = strcmp(isolation, "read_committed") == 0;
    if (status == EXIT_OK && !o->fetch.read_committed && strcmp(isolation, "read_uncommitted") != 0)
        return tool_usage(t, "isolation.level is \"%s\", not read_committed or read_uncommitted",
                          isolation);
    return status;
}

int kafka_consumer_options(struct tool *t, const struct properties *p, struct group_reader_options *out)
{
    int64_t values[NUMBER_COUNT];
    int status = kafka_read_numbers(t, p, numbers, NUMBER_COUNT, values);
    if (status != EXIT_OK)
        return status;
    struct group_reader_options o = {
        .member =
            {
                .group_id = properties_get(p, "group.id"),
                .instance_id = properties_get(p, "group.instance.id"),
                .rack_id = properties_get(p, "client.rack"),
                .remote_assignor = properties_get(p, "group.remote.assignor"),
                .session_timeout_ms = (int32_t)values[SESSION_TIMEOUT],
                .heartbeat_interval_ms = (int32_t)values[HEARTBEAT_INTERVAL],
                .rebalance_timeout_ms = (int32_t)values[POLL_INTERVAL],
            },
        .fetch =
            {
                .check_crcs = true,
                .wait_ms_max = values[FETCH_WAIT],
                .fetch_bytes_min = (int32_t)values[FETCH_MIN],
                .fetch_bytes_max = (int32_t)values[FETCH_MAX],
                .partition_bytes_max = (int32_t)values[PARTITION_MAX],
            },
    };
    if (values[HEARTBEAT_INTERVAL] >= values[SESSION_TIMEOUT])
        return tool_usage(t, "Heartbeat must be set lower than the session timeout");
    status = read_protocol(t, p, &o.member.protocol);
    if (status == EXIT_OK)
        status = read_assignors(t, p, &o.member);
    if (status == EXIT_OK)
        status = read_reset(t, p, &o);
    if (status == EXIT_OK)
        status = read_switches(t, p, values[COMMIT_INTERVAL], &o);
    if (status == EXIT_OK)
        *out = o;
    return status;
}
