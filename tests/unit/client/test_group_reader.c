// SPDX-License-Identifier: Apache-2.0
//
// Reading as members of a group, against the real coordinator: nothing is left out, whatever happens.
#include "group_world.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "client/assignor.h"
#include "client/group_reader.h"

enum { READERS_MAX = 4, RECORDS_MAX = 4000, SECOND = 1000 };

static const char *const quick[] = {
    "group.initial.rebalance.delay.ms=0", "group.consumer.heartbeat.interval.ms=1000",
    "group.consumer.min.heartbeat.interval.ms=1000", "group.consumer.session.timeout.ms=10000",
    "group.consumer.min.session.timeout.ms=10000", NULL,
};

struct reader {
    struct party *party;
    struct world_client *c;
    struct group_reader *r;
    int64_t next[WORLD_PARTITIONS]; // offset that has to come next; -1 = any, just assigned
    bool reads;                     // takes records as they come, and accepts them
    bool failed;
    struct buf events;
};

struct party {
    struct world w;
    struct reader readers[READERS_MAX];
    int put;                         // records in the topic; each one's value is its number
    int seen[RECORDS_MAX];           // how often, by number
    int again;                       // records that came more than once
};

static void on_member(struct reader *r, const struct group_member_event *e)
{
    for (int i = 0; i < e->count && e->kind == GROUP_MEMBER_ASSIGNED; i++)
        r->next[e->positions[i].partition] = -1;
    if (e->kind == GROUP_MEMBER_REVOKED && r->reads)
        group_reader_accept(r->r);
    if (e->kind == GROUP_MEMBER_FAILED)
        r->failed = true;
}

static void on_event(void *user, const struct group_reader_event *e)
{
    struct reader *r = user;
    if (e->kind == GROUP_READER_MEMBER)
        on_member(r, e->member);
    else if (e->kind == GROUP_READER_FETCH && e->fetch->kind == FETCH_RESET)
        buf_printf(&r->events, "reset%d@%lld ", e->fetch->partition, (long long)e->fetch->value);
    else if (e->kind == GROUP_READER_NO_OFFSET)
        buf_printf(&r->events, "none%d ", e->fetch->partition);
    else if (e->kind == GROUP_READER_FAILED)
        buf_printf(&r->events, "failed%d ", e->fetch->partition);
}

static void take(struct reader *r, const struct fetched *f)
{
    int32_t number;
    assert_true(str_parse_i32(bytes_str(f->record.value), &number));
    int64_t *next = &r->next[f->partition];
    assert_true(*next < 0 || f->record.offset == *next); // in order, without a gap
    *next = f->record.offset + 1;
    r->party->again += r->party->seen[number] > 0;
    r->party->seen[number]++;
}

static void step(void *user, int64_t now_ms)
{
    struct reader *r = user;
    struct fetched f;
    group_reader_on_time(r->r, now_ms);
    while (r->reads && group_reader_next(r->r, &f, now_ms) == 1)
        take(r, &f);
    if (r->reads)
        group_reader_accept(r->r);
}

static int64_t next_ms(void *user)
{
    return group_reader_next_ms(((struct reader *)user)->r);
}

struct reader_of {
    enum group_member_protocol protocol;
    const char *assignor;
    enum fetch_reset reset;
};

static struct reader *join_with(struct party *p, const struct reader_of *of)
{
    struct reader *r = p->readers;
    while (r->r != NULL)
        r++;
    assert_true(r < p->readers + READERS_MAX);
    *r = (struct reader){.party = p, .reads = true};
    buf_init(&r->events, 1 << 16);
    struct str topic = str_from("t");
    struct group_reader_options options = {
        .member =
            {
                .protocol = of->protocol,
                .group_id = "g",
                .topics = &topic,
                .topic_count = 1,
                .session_timeout_ms = 10 * SECOND,
                .heartbeat_interval_ms = SECOND,
                .rebalance_timeout_ms = 30 * SECOND,
                .commit_interval_ms = SECOND,
            },
        .fetch = {.check_crcs = true},
        .reset = of->reset,
    };
    memset(options.member.member_id.bytes, (int)(r - p->readers) + 1, UUID_SIZE);
    if (of->assignor != NULL)
        options.member.assignors[options.member.assignor_count++] =
            assignor_by_name(str_from(of->assignor));
    r->c = world_client_new(&p->w, step, next_ms, r);
    struct diag diag;
    if (group_reader_new(r->c->client, &options, on_event, r, &r->r, &diag) < 0)
        fail_msg("%s", diag.text);
    return r;
}

#define JOIN_AS(p, ...) join_with((p), &(struct reader_of){__VA_ARGS__})

static void vanish(struct reader *r)
{
    group_reader_free(r->r);
    world_client_free(r->c);
    buf_release(&r->events);
    *r = (struct reader){0};
}

static void leave(struct party *p, struct reader *r)
{
    group_reader_leave(r->r, p->w.groups.now.mono_ms);
    for (int i = 0; i < 400 && !group_reader_has_ended(r->r); i++)
        world_run(&p->w, 100);
    assert_true(group_reader_has_ended(r->r));
    vanish(r);
}

static void party_init(struct party *p)
{
    *p = (struct party){0};
    world_init(&p->w, quick);
    world_topic(&p->w, "t", 4);
}

static void party_release(struct party *p)
{
    for (int i = 0; i < READERS_MAX; i++)
        if (p->readers[i].r != NULL)
            vanish(&p->readers[i]);
    world_release(&p->w);
}

static void put(struct party *p, int count)
{
    for (int i = 0; i < count; i++, p->put++) {
        char value[16];
        assert_true(p->put < RECORDS_MAX);
        snprintf(value, sizeof value, "%d", p->put);
        world_put(&p->w, "t", p->put % 4, value);
    }
}

static void assert_all_seen(const struct party *p)
{
    for (int i = 0; i < p->put; i++)
        if (p->seen[i] == 0)
            fail_msg("record %d of %d was left out", i, p->put);
}

static const struct reader_of ways[] = {
    {GROUP_MEMBER_CLASSIC, "range", FETCH_RESET_EARLIEST},
    {GROUP_MEMBER_CLASSIC, "cooperative-sticky", FETCH_RESET_EARLIEST},
    {GROUP_MEMBER_CLASSIC, "sticky", FETCH_RESET_EARLIEST},
    {GROUP_MEMBER_CONSUMER, NULL, FETCH_RESET_EARLIEST},
};

enum { WAYS = sizeof ways / sizeof *ways };

// Orderly changes: each record exactly once.
static void records_come_once_while_nothing_fails(void **state)
{
    for (int i = 0; i < WAYS; i++) {
        struct party *p = mem_new(struct party);
        party_init(p);
        struct reader *a = join_with(p, &ways[i]);
        for (int k = 0; k < 20; k++) {
            put(p, 20);
            world_run(&p->w, SECOND);
            if (k == 4 || k == 8)
                join_with(p, &ways[i]);
            if (k == 12)
                leave(p, a);
        }
        world_run(&p->w, 10 * SECOND);
        assert_all_seen(p);
        assert_int_equal(p->again, 0);
        party_release(p);
        mem_free(p);
    }
}

static void chaos(struct party *p, const struct reader_of *way, struct prng *prng)
{
    for (int i = 0; i < 60; i++) {
        struct reader *r = &p->readers[prng_below(prng, 3)];
        uint64_t what = prng_below(prng, 8);
        put(p, (int)prng_below(prng, 20));
        if (r->r == NULL)
            join_with(p, way);
        else if (what == 0)
            leave(p, r);
        else if (what == 1)
            vanish(r);
        else if (what == 2)
            world_cut(r->c);
        else if (what == 3)
            fixture_reload(&p->w.groups, prng_chance(prng, 1, 2));
        else
            r->c->cut = false;
        world_run(&p->w, (int64_t)prng_below(prng, 3000));
    }
}

// Members vanish, are cut off, and the coordinator moves: some records may come again, none is left out.
static void nothing_is_left_out(void **state)
{
    for (uint64_t seed = 1; seed <= 20 * WAYS; seed++) {
        struct party *p = mem_new(struct party);
        struct prng prng;
        prng_init(&prng, seed);
        party_init(p);
        chaos(p, &ways[seed % WAYS], &prng);
        for (int i = 0; i < READERS_MAX; i++) {
            if (p->readers[i].r != NULL)
                p->readers[i].c->cut = false;
            assert_false(p->readers[i].failed);
        }
        join_with(p, &ways[seed % WAYS]);
        world_run(&p->w, 60 * SECOND);
        assert_all_seen(p);
        party_release(p);
        mem_free(p);
    }
}

// What is read and not accepted is read again by the next one.
static void what_is_not_accepted_comes_again(void **state)
{
    for (int i = 0; i < WAYS; i++) {
        struct party *p = mem_new(struct party);
        struct fetched f;
        party_init(p);
        put(p, 8);
        struct reader *a = join_with(p, &ways[i]);
        a->reads = false;
        world_run(&p->w, 3 * SECOND);
        assert_int_equal(group_reader_next(a->r, &f, p->w.groups.now.mono_ms), 1);
        leave(p, a);
        join_with(p, &ways[i]);
        world_run(&p->w, 3 * SECOND);
        assert_all_seen(p);
        assert_int_equal(p->again, 0);
        party_release(p);
        mem_free(p);
    }
}

static void resets(void **state)
{
    static const struct {
        enum fetch_reset reset;
        int seen;
        const char *events;
    } cases[] = {
        {FETCH_RESET_EARLIEST, 8, ""},
        {FETCH_RESET_LATEST, 0, ""},
        {FETCH_RESET_NONE, 0, "none0 "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct party *p = mem_new(struct party);
        party_init(p);
        put(p, 8);
        struct reader *a = JOIN_AS(p, .reset = cases[i].reset);
        world_run(&p->w, 3 * SECOND);
        int seen = 0;
        for (int k = 0; k < 8; k++)
            seen += p->seen[k];
        assert_int_equal(seen, cases[i].seen);
        assert_string_equal(buf_text(&a->events), cases[i].events);
        party_release(p);
        mem_free(p);
    }
}

// The end, where a member without offsets began, is committed: its successor leaves nothing out.
static void latest_is_remembered(void **state)
{
    struct party *p = mem_new(struct party);
    party_init(p);
    put(p, 8);
    struct reader *a = JOIN_AS(p, .reset = FETCH_RESET_LATEST);
    world_run(&p->w, 5 * SECOND);
    leave(p, a);
    put(p, 8);
    JOIN_AS(p, .reset = FETCH_RESET_LATEST);
    world_run(&p->w, 5 * SECOND);
    for (int k = 0; k < 16; k++)
        assert_int_equal(p->seen[k], k >= 8);
    party_release(p);
    mem_free(p);
}

// The group's offset is not in the log any more.
static void retention_was_faster(void **state)
{
    struct party *p = mem_new(struct party);
    party_init(p);
    put(p, 8);
    struct reader *a = JOIN_AS(p, .reset = FETCH_RESET_EARLIEST);
    world_run(&p->w, 5 * SECOND);
    leave(p, a);
    put(p, 40);
    p->w.topics[0].partitions[2].start = 6; // behind what is committed, which is 2
    a = JOIN_AS(p, .reset = FETCH_RESET_EARLIEST);
    world_run(&p->w, 5 * SECOND);
    assert_string_equal(buf_text(&a->events), "reset2@6 ");
    assert_int_equal(p->seen[46], 1);
    party_release(p);
    mem_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_come_once_while_nothing_fails),
        cmocka_unit_test(nothing_is_left_out),
        cmocka_unit_test(what_is_not_accepted_comes_again),
        cmocka_unit_test(resets),
        cmocka_unit_test(latest_is_remembered),
        cmocka_unit_test(retention_was_faster),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
