// SPDX-License-Identifier: Apache-2.0
#include "tools/kafka_console_group.h"

#include <stdio.h>
#include <string.h>

#include "client/assignor.h"
#include "env/env.h"
#include "env/random.h"
#include "tools/common.h"

enum { GROUP_NUMBER_MAX = 100000, COMMIT_INTERVAL_MS = 5000, HEARTBEAT_INTERVAL_MS = 3000,
       NAME_MAX_BYTES = 64 };

// --- Settings ---

static int bad_value(struct tool *t, const struct properties *p, const char *key, const char *fix)
{
    return tool_fail(t, EXIT_FAILED, "Invalid value %s for configuration %s: %s", properties_get(p, key),
                     key, fix);
}

static int read_number(struct tool *t, const struct properties *p, const char *key, int32_t min,
                       int32_t *out)
{
    const char *text = properties_get(p, key);
    if (text == NULL)
        return EXIT_OK;
    if (!str_parse_i32(str_trim(str_from(text)), out) || *out < min)
        return bad_value(t, p, key, "it must be a number, and not below its least value");
    return EXIT_OK;
}

static int read_bool(struct tool *t, const struct properties *p, const char *key, bool *out)
{
    const char *text = properties_get(p, key);
    struct str value = str_trim(str_from(text));
    if (text == NULL)
        return EXIT_OK;
    *out = str_equal_nocase(value, str_from("true"));
    if (!*out && !str_equal_nocase(value, str_from("false")))
        return bad_value(t, p, key, "Expected value to be either true or false");
    return EXIT_OK;
}

// group.protocol, and what belongs to one of the two alone.
static int read_protocol(struct tool *t, const struct properties *p, struct group_member_options *m)
{
    static const char *const classic_only[] = {"partition.assignment.strategy", "heartbeat.interval.ms",
                                               "session.timeout.ms"};
    struct str name = str_trim(str_from(properties_get(p, "group.protocol")));
    if (name.size > 0 && str_equal_nocase(name, str_from("consumer")))
        m->protocol = GROUP_MEMBER_CONSUMER;
    else if (name.size > 0 && !str_equal_nocase(name, str_from("classic")))
        return bad_value(t, p, "group.protocol",
                         "String must be one of (case insensitive): CONSUMER, CLASSIC");
    m->remote_assignor = properties_get(p, "group.remote.assignor");
    if (m->protocol == GROUP_MEMBER_CLASSIC)
        return m->remote_assignor == NULL
                   ? EXIT_OK
                   : tool_fail(t, EXIT_FAILED,
                               "group.remote.assignor cannot be set when group.protocol=CLASSIC");
    for (size_t i = 0; i < sizeof classic_only / sizeof *classic_only; i++)
        if (properties_get(p, classic_only[i]) != NULL)
            return tool_fail(t, EXIT_FAILED, "%s cannot be set when group.protocol=CONSUMER",
                             classic_only[i]);
    return EXIT_OK;
}

static int read_assignors(struct tool *t, const struct properties *p, struct group_member_options *m)
{
    struct str rest = str_from(properties_get(p, "partition.assignment.strategy"));
    while (rest.data != NULL) {
        struct str name = str_trim(str_cut(&rest, ','));
        const struct client_assignor *a = assignor_by_name(name);
        if (a == NULL || m->assignor_count == GROUP_MEMBER_ASSIGNORS_MAX)
            return tool_fail(t, EXIT_FAILED,
                             "assignor %.*s is a Java class that is not built in: RangeAssignor, "
                             "RoundRobinAssignor, StickyAssignor and CooperativeStickyAssignor are",
                             STR_ARG(name));
        m->assignors[m->assignor_count++] = a;
    }
    return EXIT_OK;
}

static int read_reset(struct tool *t, const struct properties *p, bool from_beginning,
                      struct group_reader_options *out)
{
    static const struct {
        const char *name;
        enum fetch_reset reset;
    } names[] = {
        {"earliest", FETCH_RESET_EARLIEST},
        {"latest", FETCH_RESET_LATEST},
        {"none", FETCH_RESET_NONE},
    };
    const char *text = properties_get(p, "auto.offset.reset");
    struct str value = str_trim(str_from(text));
    out->reset = from_beginning ? FETCH_RESET_EARLIEST : FETCH_RESET_LATEST;
    if (text == NULL)
        return EXIT_OK;
    if (from_beginning && !str_is(value, "earliest"))
        return tool_fail(t, EXIT_FAILED,
                         "Can't simultaneously specify --from-beginning and 'auto.offset.reset=%s', "
                         "please remove one option",
                         text);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (str_equal_nocase(value, str_from(names[i].name))) {
            out->reset = names[i].reset;
            return EXIT_OK;
        }
    }
    struct str kind = str_cut(&value, ':'); // and the duration is left
    if (!str_is(kind, "by_duration") || !iso_duration_parse(value, &out->reset_age_ms) ||
        out->reset_age_ms < 0)
        return bad_value(t, p, "auto.offset.reset",
                         "it must be earliest, latest, none or by_duration:DURATION, such as "
                         "by_duration:PT1H");
    out->reset = FETCH_RESET_AGE;
    return EXIT_OK;
}

// enable.auto.commit: off by itself for a group that nobody named.
static int read_commit(struct tool *t, const struct properties *p, bool named,
                       struct group_member_options *m)
{
    bool commits = named;
    int32_t interval_ms = COMMIT_INTERVAL_MS;
    int status = read_bool(t, p, "enable.auto.commit", &commits);
    if (status == EXIT_OK)
        status = read_number(t, p, "auto.commit.interval.ms", 0, &interval_ms);
    m->commit_interval_ms = !commits ? 0 : interval_ms > 0 ? interval_ms : 1;
    return status;
}

static int read_settings(struct tool *t, const struct properties *p, const struct console_group *g,
                         struct group_consumer *c)
{
    struct group_member_options *m = &c->options.member;
    bool named = g->group != NULL || properties_get(p, "group.id") != NULL;
    m->instance_id = properties_get(p, "group.instance.id");
    m->rack_id = properties_get(p, "client.rack");
    int status = read_protocol(t, p, m);
    if (status == EXIT_OK)
        status = read_assignors(t, p, m);
    if (status == EXIT_OK)
        status = read_reset(t, p, g->from_beginning, &c->options);
    if (status == EXIT_OK)
        status = read_commit(t, p, named, m);
    if (status == EXIT_OK)
        status = read_number(t, p, "session.timeout.ms", 1, &m->session_timeout_ms);
    if (status == EXIT_OK)
        status = read_number(t, p, "heartbeat.interval.ms", 1, &m->heartbeat_interval_ms);
    if (status == EXIT_OK)
        status = read_number(t, p, "max.poll.interval.ms", 1, &m->rebalance_timeout_ms);
    if (status == EXIT_OK && m->session_timeout_ms != 0 &&
        m->session_timeout_ms <= (m->heartbeat_interval_ms != 0 ? m->heartbeat_interval_ms
                                                                : HEARTBEAT_INTERVAL_MS))
        status = tool_fail(t, EXIT_FAILED, "Heartbeat must be set lower than the session timeout");
    return status;
}

int console_group_check(struct tool *t, const struct properties *settings, const char *group,
                        bool partition)
{
    const char *id = properties_get(settings, "group.id");
    if (group != NULL && id != NULL && strcmp(group, id) != 0)
        return tool_usage(t,
                          "The group ids provided in different places (directly using '--group', via "
                          "'--consumer-property', or via '--consumer.config') do not match. Detected "
                          "group ids: '%s', '%s'",
                          group, id);
    if (partition && (group != NULL || id != NULL))
        return tool_usage(t, "Options group and partition cannot be specified together.");
    return EXIT_OK;
}

// --- The group ---

static bool topic_fits(void *user, struct str topic)
{
    return pattern_matches(user, topic);
}

// The name of a group that nobody named, as Kafka's tool makes it.
static void name_group(struct tool *t, char *out)
{
    uint32_t number;
    env_random_fill(driver_env(t->driver)->random, &number, sizeof number);
    snprintf(out, NAME_MAX_BYTES, "console-consumer-%u", (unsigned)(number % GROUP_NUMBER_MAX));
}

int console_group_run(struct tool *t, const struct properties *settings,
                      const struct console_group *g, struct group_consumer *c)
{
    struct group_member_options *m = &c->options.member;
    char name[NAME_MAX_BYTES];
    struct pattern *pattern = NULL;
    struct diag diag;
    struct str topic = str_from(g->topic);
    m->group_id = g->group != NULL ? g->group : properties_get(settings, "group.id");
    if (m->group_id == NULL) {
        name_group(t, name);
        m->group_id = name;
    }
    m->topics = &topic;
    m->topic_count = g->topic != NULL;
    m->create_topics = true; // as Kafka's consumer does
    int status = read_settings(t, settings, g, c);
    if (status == EXIT_OK && g->topic == NULL) {
        pattern = pattern_new(g->include, &diag);
        m->matches = topic_fits;
        m->matches_user = pattern;
        if (pattern == NULL)
            status = tool_usage(t, "%s", diag.text);
    }
    if (status == EXIT_OK) {
        status = group_consumer_run(c);
        // What the group or a broker refuses is said, and is not the tool's failure in Kafka's either.
        if (status != EXIT_OK && client_was_connected(driver_client(t->driver)))
            status = EXIT_OK;
    }
    pattern_free(pattern);
    return status;
}
