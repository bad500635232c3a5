// SPDX-License-Identifier: Apache-2.0
//
// A fetch over the partitions of three shards of a real node, on virtual time.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "broker/fetch_share.h"
#include "broker/node.h"
#include "broker/partitions.h"
#include "config/config.h"
#include "metadata/image.h"
#include "server/storage.h"
#include "sim_env.h"
#include "sim_fs.h"
#include "wire/api/create_topics.h"
#include "wire/api/delete_topics.h"
#include "wire/batch.h"
#include "wire/errors.h"

enum { SHARDS = 3, PARTITIONS = 6, NOT_THERE = 50, ITEMS_MAX = 12 };

static const int64_t ms = 1000000;

struct change {
    struct quorum_command command;
    struct arena arena;
    struct create_topics_request create;
    struct create_topics_response created;
    struct delete_topics_request delete;
    struct delete_topics_response deleted;
    bool done;
};

static struct {
    struct sim sim;
    struct sim_fs *fs;
    struct sim_env envs[SHARDS];
    struct config *config;
    struct node_config node_config;
    struct storage storage;
    struct node *node;
    bool ready, stopped;

    // The fetch.
    struct fetch fetch;
    struct fetch_share shares[SHARDS];
    struct fetch_item items[ITEMS_MAX];
    struct fetch_partition asked[ITEMS_MAX];
    int item_count;
    int came_home_count;
} F;

// ---- The node ----

static void on_ready(void *owner)
{
    F.ready = true;
}

static void on_stopped(void *owner, bool failed)
{
    F.stopped = true;
    assert_false(failed);
}

static void settle(void)
{
    sim_run_for(&F.sim, 200 * ms);
}

static int begin(void **state)
{
    struct diag diag;
    struct env *envs[SHARDS];
    memset(&F, 0, sizeof F);
    sim_init(&F.sim, 9);
    F.sim.message_ns_max = ms;
    F.fs = sim_fs_new(1, &F.envs[0].clock);
    for (int i = 0; i < SHARDS; i++) {
        sim_env_init(&F.envs[i], &F.sim, sim_fs_env(F.fs));
        envs[i] = &F.envs[i].env;
    }
    F.config = config_new();
    config_set_fallback(F.config, "log.dirs", "/data");
    F.node_config = (struct node_config){.node_id = 1, .is_broker = true, .is_controller = true,
                                         .inter_broker = -1};
    assert_int_equal(storage_open(&F.storage, envs[0], NULL, F.config, &diag), 0);
    assert_int_equal(storage_identify(&F.storage, &F.node_config, &diag), 0);
    struct node_args args = {
        .env = envs[0],
        .envs = envs,
        .shard_count = SHARDS,
        .config = F.config,
        .node_config = &F.node_config,
        .cluster_id = str_from(F.storage.cluster_id),
        .host_name = "sim",
        .dirs = F.storage.dirs,
        .dir_count = F.storage.dir_count,
        .metadata_dir = F.storage.metadata_dir,
        .on_ready = on_ready,
        .on_stopped = on_stopped,
    };
    assert_int_equal(node_new(&args, &F.node, &diag), 0);
    struct sim_env *before = sim_enter(&F.envs[0]);
    assert_int_equal(node_start(F.node, &diag), 0);
    sim_leave(&F.sim, before);
    settle();
    assert_true(F.ready);
    return 0;
}

static int end(void **state)
{
    struct sim_env *before = sim_enter(&F.envs[0]);
    node_stop(F.node);
    sim_leave(&F.sim, before);
    sim_run_for(&F.sim, 2000 * ms);
    assert_true(F.stopped);
    node_free(F.node);
    settle();
    storage_close(&F.storage);
    config_free(F.config);
    assert_int_equal(sim_fs_open_count(F.fs), 0);
    for (int i = 0; i < SHARDS; i++)
        sim_env_release(&F.envs[i]);
    sim_release(&F.sim);
    sim_fs_free(F.fs);
    return 0;
}

static void changed(struct quorum_command *command, int kafka_error)
{
    assert_int_equal(kafka_error, KAFKA_NONE);
    container_of(command, struct change, command)->done = true;
}

static void run_create(struct quorum_command *command, struct controller *c,
                       struct controller_command *cc)
{
    struct change *x = container_of(command, struct change, command);
    controller_create_topics(c, cc, &x->create, &x->created, &x->arena);
}

static void run_delete(struct quorum_command *command, struct controller *c,
                       struct controller_command *cc)
{
    struct change *x = container_of(command, struct change, command);
    controller_delete_topics(c, cc, &x->delete, &x->deleted, &x->arena);
}

static void submit(struct change *x)
{
    struct sim_env *before = sim_enter(&F.envs[0]);
    quorum_submit(F.node->quorum, &x->command);
    sim_leave(&F.sim, before);
    settle();
    assert_true(x->done);
    arena_release(&x->arena);
}

static void create_topic(void)
{
    struct change x = {.command = {.run = run_create, .done = changed}};
    arena_init(&x.arena, 1 << 20);
    create_topics_request_init(&x.create);
    struct create_topics_request_creatable_topic *topic =
        create_topics_request_creatable_topic_array_new(&x.arena, 1, &x.create.topics);
    topic->name = str_from("t");
    topic->num_partitions = PARTITIONS;
    topic->replication_factor = 1;
    submit(&x);
}

static void delete_topic(void)
{
    struct change x = {.command = {.run = run_delete, .done = changed}};
    arena_init(&x.arena, 1 << 20);
    delete_topics_request_init(&x.delete);
    delete_topics_request_delete_topic_state_array_new(&x.arena, 1, &x.delete.topics);
    x.delete.topics.items[0].name = str_from("t");
    submit(&x);
}

static int shard_of(int32_t index)
{
    return partitions_shard_of(F.node->hash_seed, SHARDS, str_from("t"), index);
}

// The partition that is the `nth` of topic "t" on a shard.
static int32_t on_shard(int shard, int nth)
{
    int32_t index = 0;
    while (shard_of(index) != shard || nth-- > 0)
        index++;
    return index;
}

static struct partition *partition_at(int32_t index)
{
    const struct metadata_topic *topic = metadata_image_topic(node_image(F.node), str_from("t"));
    return partitions_find(&F.node->shards[shard_of(index)].partitions, topic->id, index);
}

// Appends a batch of that many bytes; it can be read when it is durable.
static void append(int32_t index, size_t size)
{
    struct buf bytes;
    struct batch_builder builder;
    struct batch_options options = BATCH_OPTIONS_DEFAULT;
    struct log_append_info info;
    static const uint8_t value[4096];
    struct sim_env *before = sim_enter(&F.envs[shard_of(index)]);
    struct partition *p = partition_at(index);
    buf_init(&bytes, 8192);
    batch_builder_begin(&builder, &bytes, &options);
    batch_builder_add(&builder, 1, (struct bytes){0}, bytes_of(value, size), NULL, 0);
    assert_int_equal(batch_builder_finish(&builder, NULL), 0);
    assert_int_equal(log_append(p->log, bytes.data, bytes.size, p->leader_epoch, 1, &info), 0);
    partition_appended(p);
    buf_release(&bytes);
    sim_leave(&F.sim, before);
}

// ---- The fetch ----

static void came_home(struct fetch *fetch)
{
    assert_ptr_equal(F.sim.current, container_of(fetch->home->env, struct sim_env, env));
    F.came_home_count++;
}

static void begin_fetch(int home)
{
    memset(F.shares, 0, sizeof F.shares);
    memset(F.items, 0, sizeof F.items);
    F.item_count = F.came_home_count = 0;
    F.fetch = (struct fetch){
        .home = &F.node->shards[home],
        .shares = F.shares,
        .share_count = SHARDS,
        .bytes_max = 1 << 20,
        .bytes_min = 1,
        .api_version = 12,
        .came_home = came_home,
    };
    fetch_init_shares(&F.fetch);
}

static void ask_for(int shard, int32_t index)
{
    struct fetch_item *item = &F.items[F.item_count];
    F.asked[F.item_count] = (struct fetch_partition){
        .topic = str_from("t"), .index = index, .current_leader_epoch = -1,
        .last_fetched_epoch = -1, .max_bytes = 1 << 20};
    item->asked = &F.asked[F.item_count++];
    fetch_share_add(&F.shares[shard], item);
}

// Every partition of the topic.
static void ask_for_all(void)
{
    for (int32_t index = 0; index < PARTITIONS; index++)
        ask_for(shard_of(index), index);
}

static void at_home(void (*call)(void))
{
    struct sim_env *before = sim_enter(container_of(F.fetch.home->env, struct sim_env, env));
    call();
    sim_leave(&F.sim, before);
}

static void send_to_read(void)
{
    for (int i = 0; i < SHARDS; i++)
        if (F.shares[i].first != NULL && !F.shares[i].away)
            fetch_share_send(&F.shares[i], false);
}

static void send_to_wait(void)
{
    for (int i = 0; i < SHARDS; i++)
        if (F.shares[i].first != NULL && !F.shares[i].away)
            fetch_share_send(&F.shares[i], true);
}

static void recall_all(void)
{
    for (int i = 0; i < SHARDS; i++)
        fetch_share_recall(&F.shares[i]);
}

static void end_fetch(void)
{
    at_home(recall_all);
    settle();
    assert_int_equal(F.fetch.under_way_count, 0);
    for (int i = 0; i < SHARDS; i++)
        assert_false(F.shares[i].away);
    fetch_release_shares(&F.fetch);
}

static void expect_away(unsigned away)
{
    for (int i = 0; i < SHARDS; i++)
        assert_int_equal(F.shares[i].away, (away & 1u << i) != 0);
}

static void what_is_there_is_read_at_once(void **state)
{
    create_topic();
    for (int32_t index = 0; index < PARTITIONS; index++)
        append(index, (size_t)index * 100);
    settle();
    for (int home = 0; home < SHARDS; home++) {
        begin_fetch(home);
        ask_for_all();
        at_home(send_to_read);
        settle();
        expect_away(0);
        assert_int_equal(F.came_home_count, SHARDS);
        assert_false(fetch_has_error(&F.fetch));
        int64_t bytes = 0;
        for (int32_t index = 0; index < PARTITIONS; index++) {
            const struct fetch_result *result = &F.items[index].result;
            assert_int_equal(result->kafka_error, KAFKA_NONE);
            assert_int_equal(result->high_watermark, 1);
            assert_true(result->slice.size > (size_t)index * 100);
            bytes += (int64_t)result->slice.size;
        }
        assert_int_equal(fetch_bytes(&F.fetch), bytes);
        end_fetch();
    }
}

// From each home, news on each shard: the share of that shard comes home with it, the others stay.
static void news_bring_a_share_home(void **state)
{
    create_topic();
    for (int home = 0; home < SHARDS; home++) {
        for (int news = 0; news < SHARDS; news++) {
            begin_fetch(home);
            for (int i = 0; i < SHARDS; i++) {
                ask_for(i, on_shard(i, 0));
                ask_for(i, on_shard(i, 1));
            }
            for (int i = 0; i < F.item_count; i++) // what came before is known
                F.asked[i].fetch_offset = partition_at(F.asked[i].index)->high_watermark;
            at_home(send_to_wait);
            settle();
            expect_away(7);
            assert_int_equal(fetch_bytes(&F.fetch), 0);
            append(on_shard(news, 1), 500);
            settle();
            expect_away(7u & ~(1u << news));
            assert_int_equal(F.came_home_count, 1);
            assert_true(F.shares[news].bytes > 500);
            assert_int_equal(fetch_bytes(&F.fetch), F.shares[news].bytes);
            // Not enough yet: it goes again, and comes back with more only.
            at_home(send_to_wait);
            settle();
            bool stays = news != home; // at home it sees at once that there is enough
            expect_away(stays ? 7u : 7u & ~(1u << news));
            assert_true(fetch_bytes(&F.fetch) > 500);
            append(on_shard(news, 0), 500);
            settle();
            if (stays)
                assert_true(F.shares[news].bytes > 1000);
            end_fetch();
        }
    }
}

// At whatever moment it is called back, while news come, each share comes home once.
static void recalls_cross_with_news(void **state)
{
    create_topic();
    for (int64_t delay_us = 0; delay_us < 6000; delay_us += 50) {
        int home = (int)(delay_us / 50 % SHARDS);
        begin_fetch(home);
        ask_for_all();
        for (int i = 0; i < F.item_count; i++)
            F.asked[i].fetch_offset = delay_us / 50;
        at_home(send_to_wait);
        for (int32_t index = 0; index < PARTITIONS; index++)
            append(index, 10);
        sim_run_for(&F.sim, delay_us * 1000);
        at_home(recall_all);
        at_home(recall_all);
        settle();
        expect_away(0);
        assert_int_equal(F.fetch.under_way_count, 0);
        assert_true(F.came_home_count >= SHARDS); // recalls that found nobody tell so as well
        assert_true(F.came_home_count <= 2 * SHARDS - 1);
        end_fetch();
    }
}

static void an_error_is_not_waited_with(void **state)
{
    create_topic();
    for (int bad = 0; bad < SHARDS; bad++) {
        begin_fetch(1);
        for (int i = 0; i < SHARDS; i++)
            ask_for(i, on_shard(i, 0));
        ask_for(bad, on_shard(bad, NOT_THERE));
        at_home(send_to_wait);
        settle();
        expect_away(7u & ~(1u << bad));
        assert_true(fetch_has_error(&F.fetch));
        assert_int_equal(F.items[SHARDS].result.kafka_error, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
        end_fetch();
    }
}

// Its partitions go while it waits: everybody comes home with that.
static void partitions_go_while_it_waits(void **state)
{
    for (int home = 0; home < SHARDS; home++) {
        create_topic();
        begin_fetch(home);
        ask_for_all();
        at_home(send_to_wait);
        settle();
        expect_away(7);
        delete_topic();
        settle();
        expect_away(0);
        for (int i = 0; i < F.item_count; i++)
            assert_int_equal(F.items[i].result.kafka_error, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
        end_fetch();
    }
}

static void stop(struct shard *s, void *argument)
{
    s->state = SHARD_STOPPING;
    partitions_stop_waiting(&s->partitions);
}

// A shard that stops keeps nobody.
static void shards_stop_while_it_waits(void **state)
{
    create_topic();
    begin_fetch(0);
    ask_for_all();
    at_home(send_to_wait);
    settle();
    expect_away(7);
    unsigned away = 7;
    for (int i = SHARDS - 1; i >= 0; i--) {
        shard_post(&F.node->shards[i], stop, NULL);
        settle();
        away &= ~(1u << i);
        expect_away(away);
    }
    at_home(send_to_wait); // and takes in nobody
    settle();
    expect_away(0);
    end_fetch();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_there_is_read_at_once, begin, end),
        cmocka_unit_test_setup_teardown(news_bring_a_share_home, begin, end),
        cmocka_unit_test_setup_teardown(recalls_cross_with_news, begin, end),
        cmocka_unit_test_setup_teardown(an_error_is_not_waited_with, begin, end),
        cmocka_unit_test_setup_teardown(partitions_go_while_it_waits, begin, end),
        cmocka_unit_test_setup_teardown(shards_stop_while_it_waits, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
