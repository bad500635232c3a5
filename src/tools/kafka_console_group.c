// SPDX-License-Identifier: Apache-2.0
#include "tools/kafka_console_group.h"

#include <stdio.h>
#include <string.h>

#include "env/env.h"
#include "env/random.h"
#include "tools/common.h"
#include "tools/kafka_consumer.h"

enum { GROUP_NUMBER_MAX = 100000, NAME_MAX_BYTES = 64 };

// --- Settings ---

static void set(struct properties *p, const char *key, const char *value)
{
    properties_set(p, str_from(key), str_from(value), 0);
}

// What the tool decides by itself: where to begin, and that a group which nobody named commits nothing.
static int complete_settings(struct tool *t, const struct console_group *g, struct properties *p)
{
    const char *reset = properties_get(p, "auto.offset.reset");
    if (g->from_beginning && reset != NULL && !str_is(str_trim(str_from(reset)), "earliest"))
        return tool_fail(t, EXIT_FAILED,
                         "Can't simultaneously specify --from-beginning and 'auto.offset.reset=%s', "
                         "please remove one option",
                         reset);
    if (g->from_beginning)
        set(p, "auto.offset.reset", "earliest");
    bool named = g->group != NULL || properties_get(p, "group.id") != NULL;
    if (!named && properties_get(p, "enable.auto.commit") == NULL)
        set(p, "enable.auto.commit", "false");
    return EXIT_OK;
}

static int read_settings(struct tool *t, const struct console_group *g, struct properties *p,
                         struct group_reader_options *out)
{
    struct group_reader_options o;
    int status = complete_settings(t, g, p);
    if (status == EXIT_OK)
        status = kafka_consumer_options(t, p, &o);
    if (status != EXIT_OK)
        return status;
    out->member = o.member;
    out->reset = o.reset;
    out->reset_age_ms = o.reset_age_ms;
    return EXIT_OK;
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

int console_group_run(struct tool *t, struct properties *settings, const struct console_group *g,
                      struct group_consumer *c)
{
    struct group_member_options *m = &c->options.member;
    int status = read_settings(t, g, settings, &c->options);
    if (status != EXIT_OK)
        return status;
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
    if (g->topic == NULL) {
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
