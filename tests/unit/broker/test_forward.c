// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker/forward.h"
#include "broker/partitions.h"
#include "three_shards.h"

enum { REQUESTS_MAX = 32 };

// What the requests' bodies ask for.
enum ending { ANSWER, DROP, CLOSE, WAIT };

static struct {
    struct three_shards t;
    int target;    // the shard that they are forwarded to, or by partition:
    int partition; // of topic "groups"; -1
    struct request *waiting[REQUESTS_MAX];
    int waiting_count;
    int served[SHARDS];
    int came_in[SHARDS];
    int32_t order[REQUESTS_MAX]; // correlation ids as they are served
    int order_count;
    char listener[32];
} F;

static void serve(struct shard *there, struct request *r, const void *body)
{
    const uint8_t *ending = body;
    sim_env_check_thread(&F.t.envs[there->index]);
    assert_ptr_equal(&F.t.shards[there->index], there);
    F.served[there->index]++;
    F.order[F.order_count++] = r->header.correlation_id;
    str_copy_to(str_from(request_listener(r)), F.listener, sizeof F.listener);
    assert_string_equal(request_remote_address(r)->host, "10.0.0.2");
    if (*ending == ANSWER)
        three_shards_reply(r);
    else if (*ending == DROP)
        request_drop(r);
    else if (*ending == CLOSE)
        request_close_connection(r, "asked for");
    else
        F.waiting[F.waiting_count++] = r;
}

static void handle(struct shard *s, struct request *r)
{
    F.came_in[s->index]++;
    if (F.partition >= 0)
        forward_to_partition(s, str_from("groups"), F.partition, r, r->body.data, serve);
    else
        forward_to_shard(s, F.target, r, r->body.data, serve);
}

static int begin(void **state)
{
    memset(&F, 0, sizeof F);
    F.partition = -1;
    three_shards_init(&F.t, 7, handle);
    return 0;
}

static int end(void **state)
{
    three_shards_release(&F.t);
    return 0;
}

static void from_every_shard_to_every_shard(void **state)
{
    int32_t ids[ANSWERS_MAX];
    for (int home = 0; home < SHARDS; home++) {
        three_shards_dial(&F.t);
        for (F.target = 0; F.target < SHARDS; F.target++)
            for (int i = 0; i < 3; i++) {
                int before = F.served[F.target];
                three_shards_ask(&F.t, home * 10 + F.target, ANSWER);
                three_shards_settle(&F.t);
                assert_int_equal(F.served[F.target], before + 1);
            }
        assert_int_equal(three_shards_answers(&F.t, ids), 9);
    }
    for (int i = 0; i < SHARDS; i++) {
        assert_int_equal(F.came_in[i], 9);
        assert_int_equal(F.served[i], 9);
        assert_int_equal(F.t.shards[i].away_count, 0);
    }
    assert_string_equal(F.listener, "PLAINTEXT");
}

static void to_the_shard_of_a_partition(void **state)
{
    int used = 0;
    three_shards_dial(&F.t);
    for (F.partition = 0; F.partition < SHARDS; F.partition++) {
        int shard = partitions_shard_of(F.t.node.hash_seed, SHARDS, str_from("groups"), F.partition);
        int before = F.served[shard];
        three_shards_ask(&F.t, F.partition, ANSWER);
        three_shards_settle(&F.t);
        assert_int_equal(F.served[shard], before + 1);
        used |= 1 << shard;
    }
    assert_int_equal(used, 7); // the partitions of a topic are on all shards
}

static void requests_of_a_connection_keep_their_order(void **state)
{
    int32_t ids[ANSWERS_MAX];
    F.target = 2;
    three_shards_dial(&F.t);
    for (int32_t i = 0; i < 10; i++)
        three_shards_ask(&F.t, i, ANSWER);
    three_shards_settle(&F.t);
    assert_int_equal(three_shards_answers(&F.t, ids), 10);
    for (int32_t i = 0; i < 10; i++) {
        assert_int_equal(F.order[i], i);
        assert_int_equal(ids[i], i);
    }
}

static void the_ways_to_end_it(void **state)
{
    static const struct {
        enum ending ending;
        int answers;
        bool closed;
    } table[] = {{ANSWER, 1, false}, {DROP, 0, false}, {CLOSE, 0, true}};
    int32_t ids[ANSWERS_MAX];
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        three_shards_dial(&F.t);
        F.target = 0;
        three_shards_ask(&F.t, 1, (uint8_t)table[i].ending);
        three_shards_settle(&F.t);
        assert_int_equal(three_shards_answers(&F.t, ids), table[i].answers);
        assert_int_equal(F.t.closed, table[i].closed);
    }
}

// The shard it came from waits for it.
static void one_that_waits_outlives_its_connection(void **state)
{
    three_shards_dial(&F.t);
    F.target = 0;
    three_shards_ask(&F.t, 1, WAIT);
    three_shards_settle(&F.t);
    assert_int_equal(F.waiting_count, 1);
    assert_int_equal(F.t.shards[1].away_count, 1);
    net_close(F.t.conn);
    F.t.conn = NULL;
    three_shards_settle(&F.t);
    assert_false(request_is_abandoned(F.waiting[0]));
    struct sim_env *before = sim_enter(&F.t.envs[0]);
    three_shards_reply(F.waiting[0]);
    sim_leave(&F.t.sim, before);
    three_shards_settle(&F.t);
    assert_int_equal(F.t.shards[1].away_count, 0);
}

// And it outlives all connections of its shard.
static void one_that_waits_outlives_the_connections(void **state)
{
    three_shards_dial(&F.t);
    F.target = 2;
    three_shards_ask(&F.t, 1, WAIT);
    three_shards_settle(&F.t);
    connections_free(F.t.shards[1].connections);
    F.t.shards[1].connections = NULL;
    three_shards_settle(&F.t);
    assert_true(F.t.closed);
    struct sim_env *before = sim_enter(&F.t.envs[2]);
    three_shards_reply(F.waiting[0]);
    sim_leave(&F.t.sim, before);
    three_shards_settle(&F.t);
    assert_int_equal(F.t.shards[1].away_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(from_every_shard_to_every_shard, begin, end),
        cmocka_unit_test_setup_teardown(to_the_shard_of_a_partition, begin, end),
        cmocka_unit_test_setup_teardown(requests_of_a_connection_keep_their_order, begin, end),
        cmocka_unit_test_setup_teardown(the_ways_to_end_it, begin, end),
        cmocka_unit_test_setup_teardown(one_that_waits_outlives_its_connection, begin, end),
        cmocka_unit_test_setup_teardown(one_that_waits_outlives_the_connections, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
