// SPDX-License-Identifier: Apache-2.0
//
// The assignors: tables, and invariants over random inputs.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/prng.h"
#include "group/assign.h"

enum { TOPICS_MAX = 1000, MEMBERS_MAX = 1000, PARTITIONS_MAX = 20000 };

struct world {
    struct assign_topic topics[TOPICS_MAX];
    struct assign_member members[MEMBERS_MAX];
    char ids[MEMBERS_MAX][16];
    int32_t lists[MEMBERS_MAX][64];
    int32_t current[PARTITIONS_MAX];
    int32_t owners[PARTITIONS_MAX];
    int32_t total;
    struct assign_input in;
};

static void world_begin(struct world *w, int32_t topic_count, int32_t member_count)
{
    w->in = (struct assign_input){.topics = w->topics, .topic_count = topic_count,
                                  .members = w->members, .member_count = member_count,
                                  .current = w->current};
    for (int32_t m = 0; m < member_count; m++) {
        snprintf(w->ids[m], sizeof(w->ids[m]), "m%04d", m);
        w->members[m] = (struct assign_member){.id = str_from(w->ids[m]), .topics = w->lists[m]};
    }
    for (int32_t p = 0; p < PARTITIONS_MAX; p++)
        w->current[p] = ASSIGN_NOBODY;
}

static void subscribe(struct world *w, int32_t member, int32_t topic)
{
    w->lists[member][w->members[member].topic_count++] = topic;
}

static bool subscribes(const struct world *w, int32_t member, int32_t topic)
{
    for (int32_t i = 0; i < w->members[member].topic_count; i++)
        if (w->lists[member][i] == topic)
            return true;
    return false;
}

static void run(struct world *w, assign_function assign)
{
    w->total = assign_number(w->topics, w->in.topic_count);
    memset(w->owners, 0x55, sizeof(w->owners));
    assign(&w->in, w->owners);
}

// ---- Tables ----

// One topic after another, "012" is a topic of three partitions whose owners are members 0, 1 and 2;
// '.' is nobody. Subscriptions: per member the topics it has.
struct table {
    const char *name;
    assign_function assign;
    const char *subscriptions[5];
    const char *current[4];
    const char *expected[4];
};

static const struct table tables[] = {
    {"fresh", assign_uniform, {"0", "0"}, {"...."}, {"0011"}},
    {"the remainder goes to the first", assign_uniform, {"0", "0", "0"}, {".........."}, {"0000111222"}},
    {"one joins", assign_uniform, {"0", "0"}, {"0000"}, {"0011"}},
    {"one leaves", assign_uniform, {"0", "0"}, {"00.1.1"}, {"000111"}},
    {"who has one more keeps it", assign_uniform, {"0", "0"}, {"01101"}, {"01101"}},
    {"more members than partitions", assign_uniform, {"0", "0", "0"}, {".2"}, {"02"}},
    {"a partition is added", assign_uniform, {"0", "0"}, {"10."}, {"100"}},
    {"over topics", assign_uniform, {"01", "01"}, {"...", "..."}, {"000", "111"}},
    {"without partitions", assign_uniform, {"0", "0"}, {""}, {""}},
    {"different topics", assign_uniform, {"0", "1", "01"}, {"..", "..", NULL}, {"02", "11"}},
    {"a topic for one", assign_uniform, {"01", "0"}, {"..", ".."}, {"11", "00"}},
    {"what is not subscribed any more goes", assign_uniform, {"0", "1"}, {"11", "00"}, {"00", "11"}},
    {"only some can be moved", assign_uniform, {"01", "1"}, {"00", "0000"}, {"00", "1110"}},
    {"nobody subscribes", assign_uniform, {"0", ""}, {"..", ".."}, {"00", ".."}},
    {"range", assign_range, {"0", "0", "0"}, {"......."}, {"0001122"}},
    {"range co-partitions", assign_range, {"01", "01"}, {"...", "..."}, {"001", "001"}},
    {"range forgets", assign_range, {"0", "0"}, {"1100"}, {"0011"}},
    {"range per topic", assign_range, {"0", "01", "1"}, {"...", "..."}, {"001", "112"}},
    {"range with nobody", assign_range, {"0", ""}, {"..", ".."}, {"00", ".."}},
};

static char member_text(int32_t member)
{
    return member == ASSIGN_NOBODY ? '.' : (char)('0' + member);
}

static void run_table(struct world *w, const struct table *t)
{
    int32_t topics = 0, members = 0;
    while (t->current[topics] != NULL)
        topics++;
    while (t->subscriptions[members] != NULL)
        members++;
    world_begin(w, topics, members);
    bool same = true;
    for (int32_t m = 0; m < members; m++) {
        for (const char *c = t->subscriptions[m]; *c != '\0'; c++)
            subscribe(w, m, *c - '0');
        same &= strcmp(t->subscriptions[m], t->subscriptions[0]) == 0;
    }
    w->in.is_homogeneous = same;
    int32_t at = 0;
    for (int32_t i = 0; i < topics; i++) {
        w->topics[i].partition_count = (int32_t)strlen(t->current[i]);
        for (const char *c = t->current[i]; *c != '\0'; c++)
            w->current[at++] = *c == '.' ? ASSIGN_NOBODY : *c - '0';
    }
    run(w, t->assign);
    for (int32_t i = 0; i < topics; i++) {
        char text[32] = "";
        for (int32_t p = 0; p < w->topics[i].partition_count; p++)
            text[p] = member_text(w->owners[w->topics[i].first + p]);
        if (strcmp(text, t->expected[i]) != 0)
            fail_msg("%s: topic %d is %s, not %s", t->name, i, text, t->expected[i]);
    }
}

static void test_tables(void **state)
{
    struct world *w = *state;
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
        run_table(w, &tables[i]);
}

static void test_range_orders_static_members_first(void **state)
{
    struct world *w = *state;
    world_begin(w, 1, 3);
    w->topics[0].partition_count = 3;
    for (int32_t m = 0; m < 3; m++)
        subscribe(w, m, 0);
    w->in.is_homogeneous = true;
    w->members[1].instance_id = str_from("b");
    w->members[2].instance_id = str_from("a");
    run(w, assign_range);
    assert_int_equal(w->owners[0], 2);
    assert_int_equal(w->owners[1], 1);
    assert_int_equal(w->owners[2], 0);
}

static void test_names(void **state)
{
    (void)state;
    assert_ptr_equal(assignor_find(str_from("range"))->assign, assign_range);
    assert_ptr_equal(
        assignor_find(str_from("org.apache.kafka.coordinator.group.assignor.UniformAssignor"))->assign,
        assign_uniform);
    assert_null(assignor_find(str_from("cooperative-sticky")));
}

// ---- Random ----

static void random_world(struct world *w, struct prng *prng)
{
    int32_t topics = (int32_t)prng_below(prng, 12), members = 1 + (int32_t)prng_below(prng, 20);
    world_begin(w, topics, members);
    bool homogeneous = prng_chance(prng, 1, 2);
    for (int32_t t = 0; t < topics; t++)
        w->topics[t].partition_count = (int32_t)prng_below(prng, 30);
    for (int32_t m = 0; m < members; m++)
        for (int32_t t = 0; t < topics; t++)
            if (homogeneous || prng_chance(prng, 1, 2))
                subscribe(w, m, t);
    w->in.is_homogeneous = homogeneous;
}

// Members have some of the partitions, whether they subscribe to them or not.
static void random_current(struct world *w, struct prng *prng)
{
    for (int32_t p = 0; p < w->total; p++)
        w->current[p] = prng_chance(prng, 1, 3)
                            ? ASSIGN_NOBODY
                            : (int32_t)prng_below(prng, (uint64_t)w->in.member_count);
}

// Every partition has one owner who subscribes to it, unless nobody does.
static void check_complete(const struct world *w)
{
    for (int32_t t = 0; t < w->in.topic_count; t++) {
        bool wanted = false;
        for (int32_t m = 0; m < w->in.member_count; m++)
            wanted |= subscribes(w, m, t);
        for (int32_t p = 0; p < w->topics[t].partition_count; p++) {
            int32_t owner = w->owners[w->topics[t].first + p];
            assert_int_equal(owner != ASSIGN_NOBODY, wanted);
            assert_true(!wanted || subscribes(w, owner, t));
        }
    }
}

static void count(const struct world *w, int32_t *counts)
{
    memset(counts, 0, (size_t)w->in.member_count * sizeof(*counts));
    for (int32_t p = 0; p < w->total; p++)
        if (w->owners[p] != ASSIGN_NOBODY)
            counts[w->owners[p]]++;
}

static void check_balanced(const struct world *w)
{
    int32_t counts[MEMBERS_MAX];
    count(w, counts);
    for (int32_t t = 0; t < w->in.topic_count; t++)
        for (int32_t p = 0; p < w->topics[t].partition_count; p++) {
            int32_t owner = w->owners[w->topics[t].first + p];
            for (int32_t m = 0; m < w->in.member_count; m++)
                if (owner != ASSIGN_NOBODY && subscribes(w, m, t))
                    assert_true(counts[owner] - counts[m] < 2);
        }
}

// As many partitions stay as shares of that size allow.
static void check_sticky(const struct world *w)
{
    int32_t kept = 0, possible = 0, longer = 0, had[MEMBERS_MAX] = {0};
    int32_t least = w->total / w->in.member_count;
    for (int32_t p = 0; p < w->total; p++) {
        kept += w->current[p] != ASSIGN_NOBODY && w->current[p] == w->owners[p];
        if (w->current[p] != ASSIGN_NOBODY)
            had[w->current[p]]++;
    }
    for (int32_t m = 0; m < w->in.member_count; m++) {
        possible += had[m] < least ? had[m] : least;
        longer += had[m] > least;
    }
    int32_t extra = w->total % w->in.member_count;
    assert_int_equal(kept, possible + (longer < extra ? longer : extra));
}

static void test_random(void **state)
{
    struct world *w = *state;
    struct prng prng;
    prng_init(&prng, 848);
    for (int round = 0; round < 500; round++) {
        random_world(w, &prng);
        run(w, assign_range);
        check_complete(w);
        random_current(w, &prng);
        run(w, assign_uniform);
        check_complete(w);
        check_balanced(w);
        if (w->in.is_homogeneous)
            check_sticky(w);
        // What is balanced stays as it is.
        memcpy(w->current, w->owners, sizeof(w->current));
        run(w, assign_uniform);
        assert_memory_equal(w->current, w->owners, (size_t)w->total * sizeof(w->owners[0]));
    }
}

// A thousand members and a thousand partitions must not hold up the thread that everything else needs.
// The bound is a hundred times what it takes.
static void test_large(void **state)
{
    struct world *w = *state;
    for (int homogeneous = 0; homogeneous < 2; homogeneous++) {
        world_begin(w, 20, MEMBERS_MAX);
        w->in.is_homogeneous = homogeneous;
        for (int32_t t = 0; t < 20; t++)
            w->topics[t].partition_count = 50;
        for (int32_t m = 0; m < MEMBERS_MAX; m++)
            for (int32_t t = 0; t < 20; t++)
                if (homogeneous || (m + t) % 3 != 0)
                    subscribe(w, m, t);
        clock_t begin = clock();
        run(w, assign_uniform);
        check_complete(w);
        run(w, assign_range);
        assert_true(clock() - begin < CLOCKS_PER_SEC);
    }
}

static int setup(void **state)
{
    *state = mem_new(struct world);
    return 0;
}

static int teardown(void **state)
{
    mem_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_range_orders_static_members_first),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_large),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
