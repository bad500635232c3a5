// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker/partitions.h"
#include "broker/split.h"
#include "three_shards.h"

enum { ITEMS_MAX = 12, LATER_NS = 1000000 };

// One partition of the request.
struct item {
    struct split_item node;
    int number;
    int runs; // on a shard
};

struct gathering {
    struct split split;
    struct request *request;
    struct env_timer later[SHARDS]; // says that the share is done
    struct item items[ITEMS_MAX];
};

struct share_user {
    int64_t sum;
};

static struct {
    struct three_shards t;
    int32_t partitions[ITEMS_MAX]; // of topic "t", asked for
    int count;
    unsigned late;  // shards that need time, as bits
    int runs[SHARDS];
    int numbers[SHARDS][ITEMS_MAX];
    int number_counts[SHARDS];
    int done_count;
    int64_t sum;
    int home;
    int home_away_count; // just after the start
    struct gathering *gathering;
} F;

static void later(struct env_timer *timer)
{
    for (int i = 0; i < SHARDS; i++)
        if (timer == &F.gathering->later[i])
            split_share_done(&F.gathering->split.shares[i]);
}

static void run(struct split_share *share)
{
    int at = share->shard->index;
    struct share_user *user = share->user;
    struct split_item *last = NULL;
    sim_env_check_thread(&F.t.envs[at]);
    assert_ptr_equal(F.t.sim.current, &F.t.envs[at]);
    assert_int_equal(user->sum, 0);
    F.runs[at]++;
    for (struct split_item *node = share->first; node != NULL; node = node->next) {
        struct item *item = container_of(node, struct item, node);
        int64_t *made = arena_new(share->arena, int64_t);
        item->runs++;
        *made = F.partitions[item->number];
        user->sum += *made;
        F.numbers[at][F.number_counts[at]++] = item->number;
        last = node;
    }
    assert_ptr_equal(last, share->last);
    assert_int_equal(F.number_counts[at], share->count);
    if ((F.late & 1u << at) != 0) {
        F.gathering->later[at].fire = later;
        env_timer_set(share->shard->env->timers, &F.gathering->later[at], F.t.sim.now_ns + LATER_NS);
    } else {
        split_share_done(share);
    }
}

static void done(struct split *split)
{
    struct gathering *g = container_of(split, struct gathering, split);
    assert_ptr_equal(F.t.sim.current, &F.t.envs[F.home]);
    F.done_count++;
    for (int i = 0; i < SHARDS; i++)
        if (split->shares[i].count > 0)
            F.sum += ((struct share_user *)split->shares[i].user)->sum;
        else
            assert_null(split->shares[i].user);
    for (int i = 0; i < F.count; i++)
        assert_int_equal(g->items[i].runs, 1);
    three_shards_reply(g->request);
}

static void handle(struct shard *s, struct request *r)
{
    struct gathering *g = arena_new(&r->arena, struct gathering);
    struct uuid no_id = {{0}};
    g->request = r;
    F.gathering = g;
    F.home = s->index;
    assert_true(split_init(&g->split, s, r));
    for (int i = 0; i < F.count; i++) {
        g->items[i].number = i;
        split_add(&g->split, str_from("t"), no_id, F.partitions[i], &g->items[i].node);
    }
    assert_true(split_new_users(&g->split, sizeof(struct share_user)));
    split_start(&g->split, run, done);
    F.home_away_count = s->away_count;
}

static void ask(void)
{
    memset(F.runs, 0, sizeof F.runs);
    memset(F.number_counts, 0, sizeof F.number_counts);
    F.done_count = 0;
    F.sum = 0;
    three_shards_ask(&F.t, 5, 0);
    three_shards_settle(&F.t);
}

static int shard_of(int32_t partition)
{
    return partitions_shard_of(F.t.node.hash_seed, SHARDS, str_from("t"), partition);
}

// What each case asks for, from a connection of each shard, with every set of shards that take their time.
static void shares_are_gathered(void **state)
{
    static const struct {
        int count;
        int32_t partitions[ITEMS_MAX];
    } table[] = {
        {0, {0}},
        {1, {0}},
        {1, {1}},
        {1, {2}},
        {2, {3, 0}},
        {3, {2, 1, 0}},
        {4, {7, 7, 7, 7}},
        {12, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}},
        {12, {11, 2, 5, 1, 1, 0, 8, 7, 3, 6, 9, 2}},
    };
    for (int home = 0; home < SHARDS; home++) {
        three_shards_dial(&F.t);
        for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
            for (F.late = 0; F.late < 1u << SHARDS; F.late++) {
                int64_t sum = 0;
                bool used[SHARDS] = {false}, goes_away = false;
                F.count = table[i].count;
                memcpy(F.partitions, table[i].partitions, sizeof F.partitions);
                ask();
                for (int k = 0; k < F.count; k++) {
                    sum += F.partitions[k];
                    used[shard_of(F.partitions[k])] = true;
                }
                assert_int_equal(F.done_count, 1);
                assert_int_equal(F.sum, sum);
                for (int k = 0; k < SHARDS; k++) {
                    assert_int_equal(F.runs[k], used[k]);
                    goes_away |= used[k] && k != F.home;
                    for (int n = 1; n < F.number_counts[k]; n++)
                        assert_true(F.numbers[k][n] > F.numbers[k][n - 1]); // as they were added
                    assert_int_equal(F.t.shards[k].away_count, 0);
                }
                assert_int_equal(F.home_away_count, goes_away);
            }
        }
    }
}

static void done_handle(struct shard *s, struct request *r)
{
    struct gathering *g = arena_new(&r->arena, struct gathering);
    g->request = r;
    F.gathering = g;
    F.home = s->index;
    assert_true(split_init(&g->split, s, r));
    for (int i = 0; i < SHARDS; i++)
        split_add_to(&g->split, i, &g->items[i].node);
    F.count = SHARDS;
    assert_true(split_new_users(&g->split, sizeof(struct share_user)));
    split_start(&g->split, run, done);
}

static void every_shard_can_be_asked(void **state)
{
    F.t.handle = done_handle;
    F.late = 5;
    three_shards_dial(&F.t);
    ask();
    for (int i = 0; i < SHARDS; i++)
        assert_int_equal(F.runs[i], 1);
    assert_int_equal(F.done_count, 1);
}

// The client hangs up while shares are away: the request is ended all the same, once.
static void the_client_goes_meanwhile(void **state)
{
    int32_t ids[ANSWERS_MAX];
    F.t.handle = done_handle;
    F.late = 7;
    three_shards_dial(&F.t);
    three_shards_ask(&F.t, 5, 0);
    for (int i = 0; i < 100 && F.runs[0] + F.runs[1] + F.runs[2] == 0; i++)
        sim_run_for(&F.t.sim, 20000);
    assert_int_equal(F.done_count, 0);
    assert_int_equal(three_shards_answers(&F.t, ids), 0);
    net_close(F.t.conn);
    F.t.conn = NULL;
    three_shards_settle(&F.t);
    assert_int_equal(F.done_count, 1);
}

static int begin(void **state)
{
    memset(&F, 0, sizeof F);
    three_shards_init(&F.t, 11, handle);
    return 0;
}

static int end(void **state)
{
    three_shards_release(&F.t);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(shares_are_gathered, begin, end),
        cmocka_unit_test_setup_teardown(every_shard_can_be_asked, begin, end),
        cmocka_unit_test_setup_teardown(the_client_goes_meanwhile, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
