// SPDX-License-Identifier: Apache-2.0
//
// What `group explain` makes of a journal.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tools/group_explain.h"

enum { ENTRIES_MAX = 8 };

struct entry {
    const char *cause;
    const char *client;
    const char *reason;
    int64_t duration_ms;
    int32_t members_before;
    const char *last_member;
    int64_t last_member_ms;
};

static struct chitin_describe_groups_response_rebalance rebalances[ENTRIES_MAX];

static struct str text_of(const char *text)
{
    return text != NULL ? str_from(text) : (struct str){0};
}

static void fill(struct chitin_describe_groups_response_described_group *g,
                 const struct entry *entries, int count)
{
    chitin_describe_groups_response_described_group_init(g);
    for (int i = 0; i < count; i++)
        rebalances[i] = (struct chitin_describe_groups_response_rebalance){
            .cause = str_from(entries[i].cause),
            .client = text_of(entries[i].client),
            .reason = text_of(entries[i].reason),
            .duration_ms = entries[i].duration_ms,
            .members_before = entries[i].members_before,
            .causes = 1,
            .last_member = text_of(entries[i].last_member),
            .last_member_ms = entries[i].last_member_ms,
        };
    g->journal.items = rebalances;
    g->journal.count = count;
}

static const struct {
    struct entry entries[ENTRIES_MAX];
    const char *type; // NULL: "classic"
    const char *assignor;
    const char *name; // of the first finding; NULL: none
    const char *text;
    const char *change;
} explained[] = {
    {.name = NULL},
    // A first member waits for the broker, not for itself; one that comes and goes is ordinary.
    {.entries = {{"member-left", "a", NULL, 0, 1, NULL, 0},
                 {"member-joined", "a", NULL, 3000, 0, "a", 3000}}},
    {.entries = {{"session-timeout", "a", NULL, 5, 2, NULL, 0},
                 {"session-timeout", "b", NULL, 5, 2, NULL, 0},
                 {"session-timeout", "a", NULL, 5, 2, NULL, 0}},
     .name = "session-timeout",
     .text = "3 of the last 3 rebalances: members were not heard from within their session timeout: a "
             "(2 times), b",
     .change = "session.timeout.ms"},
    {.entries = {{"rebalance-timeout", "a", NULL, 5, 2, NULL, 0}},
     .name = "rebalance-timeout",
     .text = "in time: a",
     .change = "max.poll.interval.ms"},
    {.entries = {{"member-left", "a", "consumer poll timeout has expired.", 5, 2, NULL, 0}},
     .name = "poll-interval",
     .text = "1 of the last 1 rebalances: members took longer than their max.poll.interval.ms",
     .change = "max.poll.records"},
    {.entries = {{"member-left", "a", NULL, 5, 2, NULL, 0},
                 {"member-left", "b", NULL, 5, 3, NULL, 0},
                 {"member-left", "c", NULL, 5, 4, NULL, 0}},
     .name = "member-left",
     .text = "members left: a, b, c",
     .change = "static membership"},
    {.entries = {{"metadata-changed", NULL, NULL, 4000, 2, "slow", 4000}},
     .name = "metadata-changed",
     .text = "1 of the last 1 rebalances: topics or partitions changed",
     .change = "narrow the pattern"},
    {.entries = {{"member-joined", "a", NULL, 4000, 1, "slow", 4000}},
     .name = "slow-member",
     .text = "waited for a slow member, up to 4.000 s: slow",
     .change = "poll more often"},
    {.entries = {{"member-joined", "a", NULL, 9000, 1, "slow", 9000}}, .type = "consumer"},
    {.entries = {{"member-joined", "a", NULL, 20000, 1, "slow", 15000}},
     .type = "streams",
     .name = "slow-member",
     .text = "waited for a slow member, up to 15.000 s: slow",
     .change = "poll more often"},
    {.entries = {{"member-joined", "a", NULL, -1, 1, NULL, 0}},
     .name = "rebalancing",
     .text = "It rebalances now, because a joined",
     .change = "It ends when"},
    {.entries = {{"protocol-changed", NULL, NULL, 1, 1, NULL, 0},
                 {"member-left", "a", NULL, 1, 1, NULL, 0},
                 {"member-joined", "a", NULL, 1, 1, NULL, 0}},
     .assignor = "cooperative-sticky",
     .name = "protocol-changed",
     .text = "the group changed between",
     .change = "Nothing"},
    {.entries = {{"member-joined", "a", NULL, 1, 1, NULL, 0},
                 {"member-left", "a", NULL, 1, 1, NULL, 0},
                 {"member-joined", "a", NULL, 1, 1, NULL, 0}},
     .assignor = "range",
     .name = "eager-assignor",
     .text = "the assignor range takes all partitions away first",
     .change = "CooperativeStickyAssignor"},
    {.entries = {{"something-new", "a", NULL, 1, 1, NULL, 0}}},
};

static void findings(void **state)
{
    for (size_t i = 0; i < sizeof explained / sizeof *explained; i++) {
        struct chitin_describe_groups_response_described_group g;
        struct group_survey survey = {.group = &g};
        struct group_info info = {.epoch = -1,
                                  .assignor = text_of(explained[i].assignor),
                                  .protocol_type = str_from("consumer")};
        struct group_findings found;
        int count = 0;
        while (count < ENTRIES_MAX && explained[i].entries[count].cause != NULL)
            count++;
        fill(&g, explained[i].entries, count);
        g.group_type = str_from(explained[i].type != NULL ? explained[i].type : "classic");
        group_explain(&survey, &info, &found);
        if (explained[i].name == NULL) {
            if (found.count != 0)
                fail_msg("case %zu: %s", i, found.items[0].text);
            continue;
        }
        if (found.count == 0 || strcmp(found.items[0].name, explained[i].name) != 0 ||
            strstr(found.items[0].text, explained[i].text) == NULL ||
            strstr(found.items[0].change, explained[i].change) == NULL)
            fail_msg("case %zu: %s: %s", i, found.count > 0 ? found.items[0].name : "nothing",
                     found.count > 0 ? found.items[0].text : "");
    }
}

// Everything at once, with names as long as the broker lets them be.
static void long_names_are_cut(void **state)
{
    char name[256];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    struct entry entries[ENTRIES_MAX];
    for (int i = 0; i < ENTRIES_MAX; i++)
        entries[i] = (struct entry){"session-timeout", name + i, NULL, 1, 1, NULL, 0};
    struct chitin_describe_groups_response_described_group g;
    struct group_survey survey = {.group = &g};
    struct group_findings found;
    fill(&g, entries, ENTRIES_MAX);
    group_explain(&survey, NULL, &found);
    assert_int_equal(found.count, 1);
    assert_int_equal(strlen(found.items[0].text), GROUP_FINDING_TEXT_MAX - 1);
}

static void lag_and_loss(void **state)
{
    struct chitin_describe_groups_response_described_group g;
    struct chitin_describe_groups_response_topic_lag topic;
    struct chitin_describe_groups_response_partition_lag parts[2];
    struct group_survey survey = {.group = &g};
    struct group_findings found;
    fill(&g, NULL, 0);
    chitin_describe_groups_response_topic_lag_init(&topic);
    topic.topic = str_from("orders");
    topic.partitions.items = parts;
    topic.partitions.count = 2;
    for (int i = 0; i < 2; i++) {
        chitin_describe_groups_response_partition_lag_init(&parts[i]);
        parts[i].partition_index = i;
    }
    g.lag.items = &topic;
    g.lag.count = 1;
    group_explain(&survey, NULL, &found); // nothing is known: -1
    assert_int_equal(found.count, 0);
    parts[0].lag_ms = 61000;
    parts[1].lag_ms = 3900000;
    parts[1].lost_records = 7;
    group_explain(&survey, NULL, &found);
    assert_int_equal(found.count, 2);
    assert_string_equal(found.items[0].text, "7 records were removed before the group read them");
    assert_string_equal(found.items[1].text, "It is 1 h 5 min behind in orders:1, which nobody reads");
}

static void durations(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {
        {0, "0.000 s"},       {59999, "59.999 s"},        {60000, "1 min"},
        {200000, "3 min 20 s"}, {7500000, "2 h 5 min"},     {86400000, "1 d"},
        {INT64_C(97200000), "1 d 3 h"},
    };
    struct buf out;
    buf_init(&out, 1 << 10);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buf_clear(&out);
        group_explain_duration(&out, cases[i].ms);
        assert_string_equal(buf_text(&out), cases[i].text);
    }
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(findings),
        cmocka_unit_test(long_names_are_cut),
        cmocka_unit_test(lag_and_loss),
        cmocka_unit_test(durations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
