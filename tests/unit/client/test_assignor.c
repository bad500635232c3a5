// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/be.h"
#include "base/buf.h"
#include "base/prng.h"
#include "client/assignor.h"
#include "wire/record/consumer_protocol_subscription.h"

enum { MEMBERS_MAX = 12, TOPICS_MAX = 6, PARTITIONS_MAX = 64, TEXT_MAX = 1 << 16 };

// A group on paper.
struct paper {
    struct arena arena;
    struct assignor_member members[MEMBERS_MAX];
    struct consumer_protocol_subscription subscriptions[MEMBERS_MAX];
    int member_count;
    struct assignor_topic topics[TOPICS_MAX];
    int topic_count;
};

static void paper_init(struct paper *p)
{
    *p = (struct paper){0};
    arena_init(&p->arena, 16 << 20);
}

static void paper_release(struct paper *p)
{
    for (int i = 0; i < p->member_count; i++)
        partition_list_release(&p->members[i].assigned);
    arena_release(&p->arena);
}

static void add_topic(struct paper *p, const char *name, int partitions)
{
    p->topics[p->topic_count++] = (struct assignor_topic){str_from(name), partitions};
}

// "t:0,1 u:2" as what a member owned.
static void set_owned(struct paper *p, struct consumer_protocol_subscription *s, const char *text)
{
    struct str rest = str_from(text);
    s->owned_partitions.items = arena_new_array(
        &p->arena, TOPICS_MAX, struct consumer_protocol_subscription_topic_partition);
    while (rest.size > 0) {
        struct str one = str_cut(&rest, ' '), partitions = one, name = str_cut(&partitions, ':');
        struct consumer_protocol_subscription_topic_partition *t =
            &s->owned_partitions.items[s->owned_partitions.count++];
        t->topic = name;
        t->partitions = (struct wire_int32_array){arena_new_array(&p->arena, PARTITIONS_MAX, int32_t), 0};
        while (partitions.size > 0)
            assert_true(str_parse_i32(str_cut(&partitions, ','),
                                      &t->partitions.items[t->partitions.count++]));
    }
}

// A member that subscribes to topics joined by ','; `instance` and `owned` may be NULL.
static struct consumer_protocol_subscription *add_member(struct paper *p, const char *id,
                                                         const char *instance, const char *topics,
                                                         int32_t generation, const char *owned)
{
    int i = p->member_count++;
    struct consumer_protocol_subscription *s = &p->subscriptions[i];
    consumer_protocol_subscription_init(s);
    s->topics.items = arena_new_array(&p->arena, TOPICS_MAX, struct str);
    for (struct str rest = str_from(topics); rest.size > 0;)
        s->topics.items[s->topics.count++] = str_cut(&rest, ',');
    s->generation_id = generation;
    set_owned(p, s, owned != NULL ? owned : "");
    p->members[i] = (struct assignor_member){
        .id = str_from(id), .instance_id = str_from(instance), .subscription = s};
    return s;
}

static void assign(struct paper *p, const struct client_assignor *a)
{
    for (int i = 0; i < p->member_count; i++)
        partition_list_release(&p->members[i].assigned);
    assert_int_equal(a->assign(p->members, p->member_count, p->topics, p->topic_count, &p->arena), 0);
    for (int i = 0; i < p->member_count; i++)
        partition_list_sort(&p->members[i].assigned);
}

// "a=t:0,1 b=t:2 ", members by their order.
static void assert_assigned(struct paper *p, const char *expected)
{
    struct buf b;
    buf_init(&b, TEXT_MAX);
    for (int i = 0; i < p->member_count; i++) {
        const struct partition_list *l = &p->members[i].assigned;
        buf_printf(&b, "%.*s=", STR_ARG(p->members[i].id));
        for (int k = 0; k < l->count; k++)
            if (k > 0 && str_equal(l->items[k].topic, l->items[k - 1].topic))
                buf_printf(&b, ",%d", l->items[k].partition);
            else
                buf_printf(&b, "%s%.*s:%d", k > 0 ? "+" : "", STR_ARG(l->items[k].topic),
                           l->items[k].partition);
        buf_append_text(&b, " ");
    }
    assert_string_equal(buf_text(&b), expected);
    buf_release(&b);
}

// The examples of RangeAssignor's and RoundRobinAssignor's documentation, and more.
static void range_and_round_robin(void **state)
{
    struct paper p;
    paper_init(&p);
    add_topic(&p, "t1", 3);
    add_topic(&p, "t0", 3);
    add_member(&p, "C1", NULL, "t0,t1", -1, NULL);
    add_member(&p, "C0", NULL, "t0,t1", -1, NULL);
    assign(&p, &assignor_range);
    assert_assigned(&p, "C0=t0:0,1+t1:0,1 C1=t0:2+t1:2 ");
    assign(&p, &assignor_round_robin);
    assert_assigned(&p, "C0=t0:0,2+t1:1 C1=t0:1+t1:0,2 ");
    paper_release(&p);

    paper_init(&p);
    add_topic(&p, "t0", 1);
    add_topic(&p, "t1", 2);
    add_topic(&p, "t2", 3);
    add_topic(&p, "nobody", 5);
    add_member(&p, "C0", NULL, "t0", -1, NULL);
    add_member(&p, "C1", NULL, "t0,t1", -1, NULL);
    add_member(&p, "C2", NULL, "t0,t1,t2,gone", -1, NULL);
    assign(&p, &assignor_round_robin);
    assert_assigned(&p, "C0=t0:0 C1=t1:0 C2=t1:1+t2:0,1,2 ");
    assign(&p, &assignor_range);
    assert_assigned(&p, "C0=t0:0 C1=t1:0 C2=t1:1+t2:0,1,2 ");
    paper_release(&p);
}

// Static members stand in the order of their instances, before the others, whatever their ids.
static void static_members_come_first(void **state)
{
    struct paper p;
    paper_init(&p);
    add_topic(&p, "t", 7);
    add_member(&p, "a", NULL, "t", -1, NULL);
    add_member(&p, "z", "1", "t", -1, NULL);
    add_member(&p, "y", "2", "t", -1, NULL);
    assign(&p, &assignor_range);
    assert_assigned(&p, "z=t:0,1,2 y=t:3,4 a=t:5,6 ");
    paper_release(&p);
}

static void cooperative_keeps_and_withholds(void **state)
{
    struct paper p;
    paper_init(&p);
    add_topic(&p, "t", 6);
    add_member(&p, "a", NULL, "t", 4, "t:0,1,2,3,4,5");
    add_member(&p, "b", NULL, "t", -1, NULL);
    assign(&p, &assignor_cooperative_sticky);
    assert_assigned(&p, "a=t:0,1,2 b= "); // what b is to have is given up first
    paper_release(&p);

    paper_init(&p);
    add_topic(&p, "t", 6);
    add_member(&p, "a", NULL, "t", 5, "t:0,1,2");
    add_member(&p, "b", NULL, "t", 5, "");
    assign(&p, &assignor_cooperative_sticky);
    assert_assigned(&p, "a=t:0,1,2 b=t:3,4,5 ");
    paper_release(&p);

    // One that comes from an older generation, and two that say the same.
    paper_init(&p);
    add_topic(&p, "t", 4);
    add_member(&p, "a", NULL, "t", 3, "t:0,1,2,3");
    add_member(&p, "b", NULL, "t", 7, "t:2,3,9 gone:1");
    assign(&p, &assignor_cooperative_sticky);
    assert_assigned(&p, "a=t:0,1 b=t:2,3 ");
    paper_release(&p);

    paper_init(&p);
    add_topic(&p, "t", 2);
    add_member(&p, "a", NULL, "t", 3, "t:0");
    add_member(&p, "b", NULL, "t", 3, "t:0");
    assign(&p, &assignor_cooperative_sticky);
    assert_int_equal(p.members[0].assigned.count + p.members[1].assigned.count, 1); // t1 alone
    paper_release(&p);
}

// What a sticky member adds says to another one what it had.
static void sticky_remembers(void **state)
{
    struct paper p;
    struct partition_list owned = {0};
    paper_init(&p);
    add_topic(&p, "t", 4);
    add_member(&p, "a", NULL, "t", -1, NULL);
    struct consumer_protocol_subscription *s = add_member(&p, "b", NULL, "t", -1, NULL);
    partition_list_add(&owned, str_from("t"), 0);
    partition_list_add(&owned, str_from("t"), 1);
    s->user_data = assignor_sticky.user_data(&owned, 3, &p.arena);
    static const uint8_t said[] = {0, 0, 0, 1, 0, 1, 't', 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 3};
    assert_int_equal(s->user_data.size, sizeof said);
    assert_memory_equal(s->user_data.data, said, sizeof said);
    assign(&p, &assignor_sticky);
    assert_assigned(&p, "a=t:2,3 b=t:0,1 ");
    s->user_data.size -= 4; // version 0, without a generation
    assign(&p, &assignor_sticky);
    assert_assigned(&p, "a=t:2,3 b=t:0,1 ");
    s->user_data.size = 3; // nonsense
    assign(&p, &assignor_sticky);
    assert_assigned(&p, "a=t:0,2 b=t:1,3 ");
    assert_null(assignor_sticky.user_data(&owned, -1, &p.arena).data);
    struct bytes generation = assignor_cooperative_sticky.user_data(&owned, 5, &p.arena);
    assert_int_equal(generation.size, 4);
    assert_int_equal(be32_load(generation.data), 5);
    partition_list_release(&owned);
    paper_release(&p);
}

static bool subscribes(const struct assignor_member *m, struct str topic)
{
    for (int i = 0; i < m->subscription->topics.count; i++)
        if (str_equal(m->subscription->topics.items[i], topic))
            return true;
    return false;
}

// Each partition once, with somebody who subscribes; nobody has two more than another who could take one.
static void assert_even(const struct paper *p, bool withheld)
{
    int given = 0, wanted = 0;
    for (int k = 0; k < p->topic_count; k++) {
        bool any = false;
        for (int i = 0; i < p->member_count; i++)
            any |= subscribes(&p->members[i], p->topics[k].name);
        wanted += any ? p->topics[k].partition_count : 0;
    }
    for (int i = 0; i < p->member_count; i++) {
        const struct partition_list *l = &p->members[i].assigned;
        given += l->count;
        for (int n = 0; n < l->count; n++) {
            assert_true(subscribes(&p->members[i], l->items[n].topic));
            for (int k = 0; k < p->member_count; k++) {
                if (k == i || !subscribes(&p->members[k], l->items[n].topic))
                    continue;
                const struct partition_list *other = &p->members[k].assigned;
                assert_true(partition_list_find(other, l->items[n].topic, l->items[n].partition) < 0);
                assert_true(withheld || l->count - other->count <= 1);
            }
        }
    }
    assert_true(withheld ? given <= wanted : given == wanted);
}

static void random_paper(struct paper *p, struct prng *prng, bool equal)
{
    static const char *const names[] = {"t0", "t1", "t2", "t3"};
    static const char *const ids[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    static const char *const some[] = {"t0", "t0,t1", "t1,t2", "t0,t1,t2,t3", "t3", "t0,t3"};
    for (int i = 0; i < 4; i++)
        add_topic(p, names[i], (int)prng_below(prng, 9));
    int members = 1 + (int)prng_below(prng, 8);
    for (int i = 0; i < members; i++)
        add_member(p, ids[i], NULL, equal ? some[3] : some[prng_below(prng, 6)], -1, NULL);
}

// Each member says that it owns what it was given.
static void own_what_is_assigned(struct paper *p, int32_t generation)
{
    for (int i = 0; i < p->member_count; i++) {
        struct consumer_protocol_subscription *s =
            (struct consumer_protocol_subscription *)(uintptr_t)p->members[i].subscription;
        const struct partition_list *l = &p->members[i].assigned;
        s->generation_id = generation;
        s->owned_partitions.count = 0;
        s->owned_partitions.items = arena_new_array(
            &p->arena, PARTITIONS_MAX, struct consumer_protocol_subscription_topic_partition);
        for (int k = 0; k < l->count; k++) {
            int32_t *one = arena_new(&p->arena, int32_t);
            *one = l->items[k].partition;
            s->owned_partitions.items[s->owned_partitions.count++] =
                (struct consumer_protocol_subscription_topic_partition){
                    .topic = l->items[k].topic, .partitions = {one, 1}};
        }
    }
}

static int total(const struct paper *p)
{
    int count = 0;
    for (int i = 0; i < p->member_count; i++)
        count += p->members[i].assigned.count;
    return count;
}

// Sticky assignments are even; asked again with what came out they change nothing; and when a member
// leaves, nobody else loses anything.
static void sticky_properties(void **state)
{
    struct prng prng;
    prng_init(&prng, 7);
    for (int round = 0; round < 2000; round++) {
        struct paper p;
        paper_init(&p);
        random_paper(&p, &prng, round % 2 == 0);
        assign(&p, &assignor_cooperative_sticky);
        assert_even(&p, false);
        own_what_is_assigned(&p, 1);
        int before = total(&p);
        struct partition_list first = p.members[0].assigned;
        p.members[0].assigned = (struct partition_list){0};
        assign(&p, &assignor_cooperative_sticky);
        assert_int_equal(total(&p), before);
        assert_true(partition_list_equal(&first, &p.members[0].assigned));
        partition_list_release(&first);
        if (round % 2 == 0 && p.member_count > 1) { // the last one leaves
            struct partition_list kept[MEMBERS_MAX];
            p.member_count--;
            partition_list_release(&p.members[p.member_count].assigned);
            for (int i = 0; i < p.member_count; i++) {
                kept[i] = p.members[i].assigned;
                p.members[i].assigned = (struct partition_list){0};
            }
            assign(&p, &assignor_cooperative_sticky);
            assert_even(&p, false);
            for (int i = 0; i < p.member_count; i++) {
                for (int k = 0; k < kept[i].count; k++)
                    assert_true(partition_list_find(&p.members[i].assigned, kept[i].items[k].topic,
                                                    kept[i].items[k].partition) >= 0);
                partition_list_release(&kept[i]);
            }
        }
        paper_release(&p);
    }
}

// Two rounds of a cooperative rebalance, whatever was owned before, bring everything out.
static void withheld_partitions_come_with_the_next_round(void **state)
{
    struct prng prng;
    prng_init(&prng, 9);
    for (int round = 0; round < 1000; round++) {
        struct paper p;
        paper_init(&p);
        random_paper(&p, &prng, true);
        int all = p.member_count;
        p.member_count = 1 + (int)prng_below(&prng, (uint64_t)all);
        assign(&p, &assignor_cooperative_sticky);
        own_what_is_assigned(&p, 1);
        p.member_count = all; // the others come
        assign(&p, &assignor_cooperative_sticky);
        assert_even(&p, true);
        own_what_is_assigned(&p, 2);
        assign(&p, &assignor_cooperative_sticky);
        assert_even(&p, false);
        paper_release(&p);
    }
}

static void names(void **state)
{
    assert_ptr_equal(assignor_by_name(str_from("range")), &assignor_range);
    assert_ptr_equal(assignor_by_name(str_from("CooperativeStickyAssignor")),
                     &assignor_cooperative_sticky);
    assert_ptr_equal(
        assignor_by_name(str_from("org.apache.kafka.clients.consumer.RoundRobinAssignor")),
        &assignor_round_robin);
    assert_null(assignor_by_name(str_from("uniform")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(range_and_round_robin),
        cmocka_unit_test(static_members_come_first),
        cmocka_unit_test(cooperative_keeps_and_withholds),
        cmocka_unit_test(sticky_remembers),
        cmocka_unit_test(sticky_properties),
        cmocka_unit_test(withheld_partitions_come_with_the_next_round),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
