// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/list.h"
#include "sim_env.h"

enum { SHARDS = 3, MESSAGES = 200 };

struct letter {
    struct env_message message;
    struct world *world;
    int from, to;
    int number; // among those of its pair
};

struct world {
    struct sim sim;
    struct sim_env envs[SHARDS];
    struct letter letters[SHARDS][SHARDS][MESSAGES];
    int received[SHARDS][SHARDS];
    int overtaken; // messages that came after a later one of another pair
    int latest;
};

static void receive(struct env_message *message)
{
    struct letter *l = container_of(message, struct letter, message);
    struct world *w = l->world;
    sim_env_check_thread(&w->envs[l->to]);
    assert_ptr_equal(w->sim.current, &w->envs[l->to]);
    assert_int_equal(l->number, w->received[l->from][l->to]++);
    if (l->number < w->latest)
        w->overtaken++;
    else
        w->latest = l->number;
}

static void post(struct world *w, int from, int to, int number)
{
    struct letter *l = &w->letters[from][to][number];
    *l = (struct letter){
        .message.receive = receive, .world = w, .from = from, .to = to, .number = number};
    struct sim_env *before = sim_enter(&w->envs[from]);
    env_post(w->envs[to].env.mailbox, &l->message);
    sim_leave(&w->sim, before);
}

static void begin(struct world *w, int64_t message_ns_max)
{
    *w = (struct world){0};
    sim_init(&w->sim, 3);
    w->sim.message_ns_max = message_ns_max;
    for (int i = 0; i < SHARDS; i++)
        sim_env_init(&w->envs[i], &w->sim, NULL);
}

static void end(struct world *w)
{
    for (int from = 0; from < SHARDS; from++)
        for (int to = 0; to < SHARDS; to++)
            assert_int_equal(w->received[from][to], MESSAGES);
    for (int i = 0; i < SHARDS; i++)
        sim_env_release(&w->envs[i]);
    sim_release(&w->sim);
}

static void post_all(struct world *w)
{
    for (int i = 0; i < MESSAGES; i++) {
        for (int from = 0; from < SHARDS; from++)
            for (int to = 0; to < SHARDS; to++)
                post(w, from, to, i);
        sim_run_for(&w->sim, 1000);
    }
}

static struct world W;

static void messages_keep_their_order_in_a_pair_only(void **state)
{
    begin(&W, 50000);
    post_all(&W);
    sim_run_works(&W.sim);
    assert_true(W.overtaken > MESSAGES);
    end(&W);
}

static void without_delay_all_come_as_they_were_sent(void **state)
{
    begin(&W, 0);
    post_all(&W);
    assert_int_equal(W.overtaken, 0);
    end(&W);
}

static void what_a_dead_process_was_told_arrives_at_once(void **state)
{
    begin(&W, 50000);
    post_all(&W);
    int64_t now_ns = W.sim.now_ns;
    sim_envs_drain(W.envs, SHARDS);
    assert_int_equal(W.sim.now_ns, now_ns);
    end(&W);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_keep_their_order_in_a_pair_only),
        cmocka_unit_test(without_delay_all_come_as_they_were_sent),
        cmocka_unit_test(what_a_dead_process_was_told_arrives_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
