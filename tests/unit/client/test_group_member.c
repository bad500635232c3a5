// SPDX-License-Identifier: Apache-2.0
//
// Members of both protocols against the real coordinator.
#include "group_world.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "client/assignor.h"
#include "client/group_member.h"
#include "client/partitions.h"

enum { MEMBERS_MAX = WORLD_CLIENTS, TEXT_MAX = 1 << 16, SECOND = 1000 };

static const char *const quick[] = {
    "group.initial.rebalance.delay.ms=0", "group.consumer.heartbeat.interval.ms=1000",
    "group.consumer.min.heartbeat.interval.ms=1000", "group.consumer.session.timeout.ms=10000",
    "group.consumer.min.session.timeout.ms=10000", NULL,
};

// A member under test. What happens to it is written down: "+t0 " assigned, "=t0@5 " where to read,
// "-t0 " revoked, "!t0 " lost, "ct0@7 " committed, "ct0@7/3 " refused, "?14 " trouble, "x82 " failed.
struct tester {
    struct world_client *c;
    struct group_member *m;
    struct buf events;
    int64_t mark_at_revoke; // what is marked when partitions are revoked; 0 = nothing
    struct partition_list has;
};

struct party {
    struct world w;
    struct tester members[MEMBERS_MAX];
};

static void write_positions(struct tester *t, char what, const struct group_member_event *e, bool offsets)
{
    for (int i = 0; i < e->count; i++) {
        const struct group_position *p = &e->positions[i];
        buf_printf(&t->events, "%c%.*s%d", what, STR_ARG(p->topic), p->partition);
        if (offsets)
            buf_printf(&t->events, "@%lld", (long long)p->offset);
        if (p->code != 0)
            buf_printf(&t->events, "/%d", p->code);
        buf_append_text(&t->events, " ");
    }
}

static void take_out(struct tester *t, const struct group_position *p)
{
    int at = partition_list_find(&t->has, p->topic, p->partition);
    assert_true(at >= 0); // only what was given is taken
    memmove(&t->has.items[at], &t->has.items[at + 1],
            (size_t)(t->has.count - at - 1) * sizeof *t->has.items);
    t->has.count--;
}

static void on_event(void *user, const struct group_member_event *e)
{
    struct tester *t = user;
    switch (e->kind) {
    case GROUP_MEMBER_ASSIGNED:
        write_positions(t, '+', e, false);
        for (int i = 0; i < e->count; i++) {
            assert_true(partition_list_find(&t->has, e->positions[i].topic,
                                            e->positions[i].partition) < 0);
            partition_list_add(&t->has, e->positions[i].topic, e->positions[i].partition);
            partition_list_sort(&t->has);
        }
        break;
    case GROUP_MEMBER_POSITIONS:
        write_positions(t, '=', e, true);
        break;
    case GROUP_MEMBER_REVOKED:
        write_positions(t, '-', e, false);
        for (int i = 0; i < e->count; i++) {
            take_out(t, &e->positions[i]);
            if (t->mark_at_revoke != 0)
                group_member_mark(t->m, e->positions[i].topic, e->positions[i].partition,
                                  t->mark_at_revoke, 0);
        }
        break;
    case GROUP_MEMBER_LOST:
        write_positions(t, '!', e, false);
        for (int i = 0; i < e->count; i++)
            take_out(t, &e->positions[i]);
        break;
    case GROUP_MEMBER_COMMITTED:
        write_positions(t, 'c', e, true);
        break;
    case GROUP_MEMBER_TROUBLE:
        buf_printf(&t->events, "?%d ", e->code != 0 ? e->code : e->err);
        break;
    case GROUP_MEMBER_FAILED:
        buf_printf(&t->events, "x%d ", e->code != 0 ? e->code : e->err);
        break;
    }
}

static void step(void *user, int64_t now_ms)
{
    group_member_on_time(((struct tester *)user)->m, now_ms);
}

static int64_t next_ms(void *user)
{
    return group_member_next_ms(((struct tester *)user)->m);
}

static void party_init(struct party *g)
{
    *g = (struct party){0};
    world_init(&g->w, quick);
    world_topic(&g->w, "t", 4);
}

static int64_t now(struct party *g)
{
    return g->w.groups.now.mono_ms;
}

// What a test says of a member; the rest: group "g", topic "t".
struct member_of {
    enum group_member_protocol protocol;
    const char *topic;
    const char *assignors; // joined by ','
    const char *regex;
    const char *instance;
    int64_t commit_ms;
};

static struct tester *join_with(struct party *g, const struct member_of *of)
{
    struct tester *t = g->members;
    while (t->m != NULL)
        t++;
    assert_true(t < g->members + MEMBERS_MAX);
    *t = (struct tester){0};
    buf_init(&t->events, TEXT_MAX);
    struct str topic = str_from(of->topic != NULL ? of->topic : "t");
    struct group_member_options options = {
        .protocol = of->protocol,
        .group_id = "g",
        .instance_id = of->instance,
        .topics = &topic,
        .topic_count = of->regex == NULL,
        .regex = of->regex,
        .session_timeout_ms = 10 * SECOND,
        .heartbeat_interval_ms = SECOND,
        .rebalance_timeout_ms = 30 * SECOND,
        .commit_interval_ms = of->commit_ms,
    };
    memset(options.member_id.bytes, (int)(t - g->members) + 1, UUID_SIZE);
    struct str rest = str_from(of->assignors);
    while (rest.size > 0)
        options.assignors[options.assignor_count++] = assignor_by_name(str_cut(&rest, ','));
    t->c = world_client_new(&g->w, step, next_ms, t);
    struct diag diag;
    if (group_member_new(t->c->client, &options, on_event, t, &t->m, &diag) < 0)
        fail_msg("%s", diag.text);
    return t;
}

#define JOIN_AS(g, ...) join_with((g), &(struct member_of){__VA_ARGS__})

// Ends without a word.
static void vanish(struct tester *t)
{
    group_member_free(t->m);
    world_client_free(t->c);
    buf_release(&t->events);
    partition_list_release(&t->has);
    *t = (struct tester){0};
}

static void leave(struct party *g, struct tester *t)
{
    group_member_leave(t->m, now(g));
    for (int i = 0; i < 400 && group_member_state(t->m) != GROUP_MEMBER_ENDED; i++)
        world_run(&g->w, 100);
    assert_int_equal(group_member_state(t->m), GROUP_MEMBER_ENDED);
    assert_int_equal(t->has.count, 0);
}

static void party_release(struct party *g)
{
    for (int i = 0; i < MEMBERS_MAX; i++)
        if (g->members[i].m != NULL)
            vanish(&g->members[i]);
    world_release(&g->w);
}

static void assert_events(struct tester *t, const char *expected)
{
    assert_string_equal(buf_text(&t->events), expected);
    buf_clear(&t->events);
}

// Everybody is stable, and together they have each of these partitions once.
static void assert_shared(struct party *g, int partitions)
{
    int count = 0, members = 0, least = INT32_MAX, most = 0;
    for (int i = 0; i < MEMBERS_MAX; i++) {
        struct tester *t = &g->members[i];
        if (t->m == NULL || group_member_state(t->m) == GROUP_MEMBER_ENDED)
            continue;
        if (group_member_state(t->m) != GROUP_MEMBER_STABLE)
            fail_msg("member %d is not stable: %s", i, buf_text(&t->events));
        for (int k = 0; k < i; k++)
            for (int p = 0; g->members[k].m != NULL && p < t->has.count; p++)
                if (partition_list_find(&g->members[k].has, t->has.items[p].topic,
                                        t->has.items[p].partition) >= 0)
                    fail_msg("members %d and %d have partition %d", k, i, t->has.items[p].partition);
        count += t->has.count;
        least = t->has.count < least ? t->has.count : least;
        most = t->has.count > most ? t->has.count : most;
        members++;
    }
    assert_int_equal(count, partitions);
    assert_true(members == 0 || most - least <= 1);
}

static struct str t_topic(void)
{
    return str_from("t");
}

// --- One member ---

static const enum group_member_protocol protocols[] = {GROUP_MEMBER_CLASSIC, GROUP_MEMBER_CONSUMER};

static void one_member_commits_and_leaves(void **state)
{
    for (int i = 0; i < 2; i++) {
        struct party g;
        party_init(&g);
        struct tester *a = JOIN_AS(&g, .protocol = protocols[i], .commit_ms = 5 * SECOND);
        world_run(&g.w, 2 * SECOND);
        assert_events(a, "+t0 +t1 +t2 +t3 =t0@-1 =t1@-1 =t2@-1 =t3@-1 ");
        assert_int_equal(group_member_state(a->m), GROUP_MEMBER_STABLE);
        assert_true(group_member_epoch(a->m) > 0);
        group_member_mark(a->m, t_topic(), 1, 10, 0);
        group_member_mark(a->m, t_topic(), 7, 10, 0); // not its own
        world_run(&g.w, 6 * SECOND);
        assert_events(a, "ct1@10 ");
        int commits = g.w.requests[API_OFFSET_COMMIT];
        world_run(&g.w, 20 * SECOND);
        assert_int_equal(g.w.requests[API_OFFSET_COMMIT], commits); // nothing new to say
        group_member_mark(a->m, t_topic(), 1, 12, 0);
        a->mark_at_revoke = 0;
        leave(&g, a);
        assert_events(a, "-t0 -t1 -t2 -t3 ct1@12 ");
        vanish(a);
        a = JOIN_AS(&g, .protocol = protocols[i]);
        world_run(&g.w, 2 * SECOND);
        assert_events(a, "+t0 +t1 +t2 +t3 =t0@-1 =t1@12 =t2@-1 =t3@-1 ");
        party_release(&g);
    }
}

// --- Several ---

struct way {
    enum group_member_protocol protocol;
    const char *assignors;
};

static const struct way ways[] = {
    {GROUP_MEMBER_CLASSIC, "range"},
    {GROUP_MEMBER_CLASSIC, "roundrobin"},
    {GROUP_MEMBER_CLASSIC, "sticky"},
    {GROUP_MEMBER_CLASSIC, "cooperative-sticky"},
    {GROUP_MEMBER_CLASSIC, "range,cooperative-sticky"},
    {GROUP_MEMBER_CONSUMER, NULL},
};

enum { WAYS = sizeof ways / sizeof *ways };

// Members come and go; what one has marked when it gives a partition up is where the next one reads.
static void partitions_change_hands(void **state)
{
    for (int i = 0; i < WAYS; i++) {
        struct party g;
        party_init(&g);
        struct tester *a = JOIN_AS(&g, .protocol = ways[i].protocol, .assignors = ways[i].assignors,
                                   .commit_ms = 600 * SECOND);
        world_run(&g.w, 2 * SECOND);
        assert_shared(&g, 4);
        a->mark_at_revoke = 7;
        struct tester *b = JOIN_AS(&g, .protocol = ways[i].protocol, .assignors = ways[i].assignors,
                                   .commit_ms = 600 * SECOND);
        world_run(&g.w, 10 * SECOND);
        assert_shared(&g, 4);
        assert_int_equal(b->has.count, 2);
        for (int k = 0; k < 2; k++) { // each with the offset that the other committed
            char expected[16];
            snprintf(expected, sizeof expected, "=t%d@7 ", b->has.items[k].partition);
            if (strstr(buf_text(&b->events), expected) == NULL)
                fail_msg("way %d: no %s in %s", i, expected, buf_text(&b->events));
        }
        leave(&g, b);
        world_run(&g.w, 10 * SECOND);
        assert_shared(&g, 4);
        assert_int_equal(a->has.count, 4);
        assert_null(strchr(buf_text(&a->events), '!'));
        party_release(&g);
    }
}

// Cooperative members and those of KIP-848 keep what they are to have anyway.
static void who_stays_keeps_reading(void **state)
{
    for (int i = 3; i < WAYS; i += 2) {
        struct party g;
        party_init(&g);
        struct tester *a = JOIN_AS(&g, .protocol = ways[i].protocol, .assignors = ways[i].assignors);
        world_run(&g.w, 2 * SECOND);
        buf_clear(&a->events);
        JOIN_AS(&g, .protocol = ways[i].protocol, .assignors = ways[i].assignors);
        world_run(&g.w, 10 * SECOND);
        assert_shared(&g, 4);
        assert_int_equal(strlen(buf_text(&a->events)), strlen("-t2 -t3 ")); // two go, nothing comes
        party_release(&g);
    }
}

// Whoever vanishes loses its partitions with its session; its commits stay.
static void a_member_vanishes(void **state)
{
    for (int i = 0; i < WAYS; i++) {
        struct party g;
        party_init(&g);
        struct tester *a = JOIN_AS(&g, .protocol = ways[i].protocol, .assignors = ways[i].assignors);
        struct tester *b = JOIN_AS(&g, .protocol = ways[i].protocol, .assignors = ways[i].assignors);
        world_run(&g.w, 10 * SECOND);
        assert_shared(&g, 4);
        int32_t first = b->has.items[0].partition;
        group_member_mark(b->m, t_topic(), first, 33, 0);
        assert_true(group_member_commit(b->m));
        world_run(&g.w, SECOND);
        assert_false(group_member_commit(b->m));
        vanish(b);
        buf_clear(&a->events);
        world_run(&g.w, 20 * SECOND);
        assert_shared(&g, 4);
        char expected[16];
        snprintf(expected, sizeof expected, "=t%d@33 ", first);
        assert_non_null(strstr(buf_text(&a->events), expected));
        party_release(&g);
    }
}

// Cut off for longer than its session, a member has lost what it had, and comes back as a new one.
static void a_member_is_cut_off(void **state)
{
    for (int i = 0; i < WAYS; i++) {
        struct party g;
        party_init(&g);
        struct tester *a = JOIN_AS(&g, .protocol = ways[i].protocol, .assignors = ways[i].assignors,
                                   .commit_ms = SECOND);
        struct tester *b = JOIN_AS(&g, .protocol = ways[i].protocol, .assignors = ways[i].assignors);
        world_run(&g.w, 10 * SECOND);
        world_cut(a->c);
        group_member_mark(a->m, t_topic(), a->has.items[0].partition, 99, 0);
        world_run(&g.w, 25 * SECOND);
        assert_int_equal(b->has.count, 4);
        buf_clear(&a->events);
        buf_clear(&b->events);
        a->c->cut = false;
        world_run(&g.w, 30 * SECOND);
        assert_shared(&g, 4);
        assert_non_null(strchr(buf_text(&a->events), '!')); // lost
        assert_null(strstr(buf_text(&a->events), "@99 ")); // and what it had marked is nobody's business
        party_release(&g);
    }
}

// The coordinator moves, with what it has written: nobody loses anything.
static void the_coordinator_moves(void **state)
{
    for (int i = 0; i < WAYS; i++) {
        struct party g;
        party_init(&g);
        struct tester *a = JOIN_AS(&g, .protocol = ways[i].protocol, .assignors = ways[i].assignors,
                                   .commit_ms = SECOND);
        struct tester *b = JOIN_AS(&g, .protocol = ways[i].protocol, .assignors = ways[i].assignors);
        world_run(&g.w, 10 * SECOND);
        fixture_reload(&g.w.groups, true);
        group_member_mark(a->m, t_topic(), a->has.items[0].partition, 5, 0);
        world_run(&g.w, 15 * SECOND);
        assert_shared(&g, 4);
        assert_null(strchr(buf_text(&a->events), '!'));
        assert_null(strchr(buf_text(&b->events), '!'));
        assert_non_null(strstr(buf_text(&a->events), "@5 "));
        party_release(&g);
    }
}

// --- Commits ---

static void commits_are_tried_again(void **state)
{
    for (int i = 0; i < 2; i++) {
        struct party g;
        party_init(&g);
        struct tester *a = JOIN_AS(&g, .protocol = protocols[i]);
        world_run(&g.w, 2 * SECOND);
        buf_clear(&a->events);
        g.w.commit_code = KAFKA_COORDINATOR_LOAD_IN_PROGRESS;
        group_member_mark(a->m, t_topic(), 0, 3, 0);
        group_member_commit(a->m);
        world_run(&g.w, SECOND);
        assert_events(a, "?14 ct0@3/14 ct0@3 ");
        g.w.commit_code = KAFKA_NOT_COORDINATOR;
        group_member_mark(a->m, t_topic(), 0, 4, 0);
        group_member_commit(a->m);
        world_run(&g.w, SECOND);
        assert_events(a, "?16 ct0@4/16 ct0@4 ");
        g.w.lose_commit = true;
        group_member_mark(a->m, t_topic(), 0, 5, 0);
        group_member_commit(a->m);
        world_run(&g.w, SECOND);
        assert_non_null(strstr(buf_text(&a->events), "ct0@5 "));
        buf_clear(&a->events);
        g.w.commit_code = KAFKA_OFFSET_METADATA_TOO_LARGE; // never will
        group_member_mark(a->m, t_topic(), 0, 6, 0);
        group_member_commit(a->m);
        world_run(&g.w, SECOND);
        assert_events(a, "ct0@6/12 ");
        assert_false(group_member_commit(a->m));
        party_release(&g);
    }
}

static void a_fenced_commit_ends_the_membership(void **state)
{
    for (int i = 0; i < 2; i++) {
        struct party g;
        party_init(&g);
        struct tester *a = JOIN_AS(&g, .protocol = protocols[i]);
        world_run(&g.w, 2 * SECOND);
        buf_clear(&a->events);
        g.w.commit_code = KAFKA_UNKNOWN_MEMBER_ID;
        group_member_mark(a->m, t_topic(), 0, 3, 0);
        group_member_commit(a->m);
        world_run(&g.w, 40 * SECOND); // its old self times out, if it has another id now
        assert_shared(&g, 4);
        assert_non_null(strstr(buf_text(&a->events), "?25 !t0 !t1 !t2 !t3 ct0@3/25 "));
        assert_non_null(strstr(buf_text(&a->events), "=t0@-1"));
        party_release(&g);
    }
}

static void what_is_not_allowed_is_the_end(void **state)
{
    struct party g;
    party_init(&g);
    struct tester *a = JOIN_AS(&g, .protocol = GROUP_MEMBER_CLASSIC);
    world_run(&g.w, 2 * SECOND);
    buf_clear(&a->events);
    g.w.commit_code = KAFKA_GROUP_AUTHORIZATION_FAILED;
    group_member_mark(a->m, t_topic(), 0, 3, 0);
    group_member_commit(a->m);
    world_run(&g.w, SECOND);
    assert_events(a, "!t0 !t1 !t2 !t3 x30 ct0@3/30 ");
    assert_int_equal(group_member_state(a->m), GROUP_MEMBER_ENDED);
    party_release(&g);
}

// --- Topics ---

static void partitions_are_added(void **state)
{
    for (int i = 0; i < 2; i++) {
        struct party g;
        party_init(&g);
        struct tester *a = JOIN_AS(&g, .protocol = protocols[i]);
        JOIN_AS(&g, .protocol = protocols[i]);
        world_run(&g.w, 10 * SECOND);
        world_topic(&g.w, "t", 6);
        world_run(&g.w, 310 * SECOND); // the classic leader looks at the topics every five minutes
        assert_shared(&g, 6);
        assert_int_equal(a->has.count, 3);
        party_release(&g);
    }
}

static void a_topic_comes_later(void **state)
{
    for (int i = 0; i < 2; i++) {
        struct party g;
        party_init(&g);
        struct tester *a = JOIN_AS(&g, .protocol = protocols[i], .topic = "late");
        world_run(&g.w, 5 * SECOND);
        assert_int_equal(group_member_state(a->m), GROUP_MEMBER_STABLE);
        assert_int_equal(a->has.count, 0);
        world_topic(&g.w, "late", 2);
        world_run(&g.w, 5 * SECOND);
        assert_int_equal(a->has.count, 2);
        party_release(&g);
    }
}

// The coordinator knows the topics of a pattern, the member learns their names by their ids.
static void a_pattern_is_the_coordinators(void **state)
{
    struct party g;
    party_init(&g);
    world_topic(&g.w, "orders-eu", 2);
    struct tester *a = JOIN_AS(&g, .protocol = GROUP_MEMBER_CONSUMER, .regex = "orders-.*");
    world_run(&g.w, 15 * SECOND);
    assert_int_equal(a->has.count, 2);
    assert_true(str_is(a->has.items[0].topic, "orders-eu"));
    world_topic(&g.w, "orders-us", 1);
    world_run(&g.w, 900 * SECOND); // patterns are looked at again now and then
    assert_int_equal(a->has.count, 3);
    party_release(&g);
}

static void subscriptions_change(void **state)
{
    for (int i = 0; i < 2; i++) {
        struct party g;
        party_init(&g);
        world_topic(&g.w, "u", 2);
        struct tester *a = JOIN_AS(&g, .protocol = protocols[i]);
        world_run(&g.w, 5 * SECOND);
        struct str u = str_from("u");
        buf_clear(&a->events);
        group_member_subscribe(a->m, &u, 1);
        world_run(&g.w, 10 * SECOND);
        assert_events(a, "-t0 -t1 -t2 -t3 +u0 +u1 =u0@-1 =u1@-1 ");
        party_release(&g);
    }
}

// --- Static members, and the end ---

static void a_static_member_restarts(void **state)
{
    for (int i = 0; i < 2; i++) {
        struct party g;
        party_init(&g);
        struct tester *a = JOIN_AS(&g, .protocol = protocols[i], .instance = "one", .commit_ms = SECOND);
        struct tester *b = JOIN_AS(&g, .protocol = protocols[i], .instance = "two");
        world_run(&g.w, 10 * SECOND);
        assert_shared(&g, 4);
        int32_t first = a->has.items[0].partition;
        leave(&g, a); // and stays in the group
        vanish(a);
        buf_clear(&b->events);
        world_run(&g.w, 3 * SECOND);
        a = JOIN_AS(&g, .protocol = protocols[i], .instance = "one");
        world_run(&g.w, 5 * SECOND);
        assert_shared(&g, 4);
        assert_int_equal(a->has.items[0].partition, first);
        assert_events(b, ""); // nobody else noticed
        party_release(&g);
    }
}

static void a_second_instance_ends_the_first(void **state)
{
    struct party g;
    party_init(&g);
    struct tester *a = JOIN_AS(&g, .protocol = GROUP_MEMBER_CLASSIC, .instance = "one");
    world_run(&g.w, 5 * SECOND);
    buf_clear(&a->events);
    JOIN_AS(&g, .protocol = GROUP_MEMBER_CLASSIC, .instance = "one");
    world_run(&g.w, 5 * SECOND);
    assert_events(a, "!t0 !t1 !t2 !t3 x82 "); // FENCED_INSTANCE_ID
    party_release(&g);
}

// A join that is parked, because another member does not come, holds nobody up who wants to leave.
static void leaving_does_not_wait(void **state)
{
    struct party g;
    party_init(&g);
    struct tester *a = JOIN_AS(&g, .protocol = GROUP_MEMBER_CLASSIC);
    world_run(&g.w, 2 * SECOND);
    world_cut(a->c);
    struct tester *b = JOIN_AS(&g, .protocol = GROUP_MEMBER_CLASSIC);
    world_run(&g.w, SECOND);
    assert_int_equal(group_member_state(b->m), GROUP_MEMBER_JOINING);
    int64_t before = now(&g);
    leave(&g, b);
    assert_true(now(&g) - before < SECOND);
    assert_int_equal(g.w.requests[API_LEAVE_GROUP], 1);
    party_release(&g);
}

static void leaving_without_a_coordinator_ends(void **state)
{
    struct party g;
    party_init(&g);
    struct tester *a = JOIN_AS(&g, .protocol = GROUP_MEMBER_CLASSIC, .commit_ms = SECOND);
    world_run(&g.w, 2 * SECOND);
    world_cut(a->c);
    group_member_mark(a->m, t_topic(), 0, 3, 0);
    group_member_leave(a->m, now(&g));
    world_run(&g.w, 29 * SECOND);
    assert_int_equal(group_member_state(a->m), GROUP_MEMBER_LEAVING);
    world_run(&g.w, 2 * SECOND);
    assert_int_equal(group_member_state(a->m), GROUP_MEMBER_ENDED);
    party_release(&g);
}

static void bad_options_are_refused(void **state)
{
    static const struct group_member_options bad[] = {
        {.group_id = ""},
        {.group_id = "g"},
        {.group_id = "g", .regex = "x"},
        {.group_id = "g", .regex = "x", .protocol = GROUP_MEMBER_CONSUMER},
        {.group_id = "g", .regex = "x", .protocol = GROUP_MEMBER_CONSUMER, .assignor_count = 1},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct group_member *m = NULL;
        struct diag diag;
        assert_true(group_member_new(NULL, &bad[i], on_event, NULL, &m, &diag) < 0);
        assert_null(m);
    }
}

// --- Everything at once ---

// Members of one protocol come, leave, are cut off and let in again, and the coordinator moves. Nobody is
// given what somebody else has who was never cut off; in the end everything is shared again.
static void chaos(struct party *g, const struct way *way, struct prng *prng)
{
    for (int i = 0; i < 60; i++) {
        struct tester *t = &g->members[prng_below(prng, 4)];
        switch (prng_below(prng, 6)) {
        case 0:
            if (t->m != NULL)
                leave(g, t);
            if (t->m != NULL)
                vanish(t);
            break;
        case 1:
            fixture_reload(&g->w.groups, prng_chance(prng, 1, 2));
            break;
        case 2:
            if (t->m != NULL && prng_chance(prng, 1, 3))
                world_cut(t->c);
            break;
        default:
            if (t->m == NULL)
                JOIN_AS(g, .protocol = way->protocol, .assignors = way->assignors, .commit_ms = SECOND);
            else
                t->c->cut = false;
        }
        world_run(&g->w, (int64_t)prng_below(prng, 4000));
    }
}

static void a_group_settles_after_chaos(void **state)
{
    for (uint64_t seed = 1; seed <= 4 * WAYS; seed++) {
        const struct way *way = &ways[seed % WAYS];
        struct prng prng;
        struct party g;
        party_init(&g);
        prng_init(&prng, seed);
        chaos(&g, way, &prng);
        for (int i = 0; i < 4; i++)
            if (g.members[i].m != NULL)
                g.members[i].c->cut = false;
        JOIN_AS(&g, .protocol = way->protocol, .assignors = way->assignors);
        world_run(&g.w, 90 * SECOND);
        assert_shared(&g, 4);
        party_release(&g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_member_commits_and_leaves),
        cmocka_unit_test(partitions_change_hands),
        cmocka_unit_test(who_stays_keeps_reading),
        cmocka_unit_test(a_member_vanishes),
        cmocka_unit_test(a_member_is_cut_off),
        cmocka_unit_test(the_coordinator_moves),
        cmocka_unit_test(commits_are_tried_again),
        cmocka_unit_test(a_fenced_commit_ends_the_membership),
        cmocka_unit_test(what_is_not_allowed_is_the_end),
        cmocka_unit_test(partitions_are_added),
        cmocka_unit_test(a_topic_comes_later),
        cmocka_unit_test(a_pattern_is_the_coordinators),
        cmocka_unit_test(subscriptions_change),
        cmocka_unit_test(a_static_member_restarts),
        cmocka_unit_test(a_second_instance_ends_the_first),
        cmocka_unit_test(leaving_does_not_wait),
        cmocka_unit_test(leaving_without_a_coordinator_ends),
        cmocka_unit_test(bad_options_are_refused),
        cmocka_unit_test(a_group_settles_after_chaos),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
