// SPDX-License-Identifier: Apache-2.0
//
// A node with its sockets and the clients that use it, on virtual time: producers, consumers, members
// of groups and administrators over a network that delays, breaks and blocks, on a disk that fills up, fails,
// loses, tears and mixes up what was not synced, with a node that is killed, loses its power or is
// stopped at any moment. First everything may go wrong, and what clients see must be right all the
// same (safety); then nothing goes wrong any more, and everybody must get through (liveness): what
// was acknowledged is there, once, in order, and stays there over a stop and a start. README.md
// says more.
//
//     sim_cluster [--seeds N] [--start N] [--steps N] [--shards N] [--groups -1|0|1] [--verbose]
//                 [--broken NAME]
//
// A seed decides everything; the state that is printed is a hash of all that happened. --broken
// plants a bug (cluster_planted.h) and expects to be caught.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "cluster_groups.h"
#include "cluster_model.h"
#include "cluster_planted.h"
#include "cluster_process.h"
#include "cluster_users.h"

enum {
    PRODUCERS = 2,
    CONSUMERS = 2,
    SETTINGS_MAX = 64,
    WAIT_S = 300, // of virtual time, for whatever has to happen once nothing goes wrong
    // Until groups have settled: a session, a rebalance and a request that nobody answers.
    SETTLE_S = 75,
    SETTLED_S = 12, // more than a session: who died is out as well
    TRIES_MAX = 20,
    SHARDS_CHANCE = 0x73686172,
    GROUPS_CHANCE = 0x67726f75,
};

static const int64_t ns_per_ms = 1000000;
static const int64_t ns_per_s = 1000000000;
static const int64_t disk_bytes = INT64_C(1) << 40;

struct options {
    uint64_t seeds;
    uint64_t start;
    int steps;
    int shards; // of the node; 0: the seed decides
    int groups; // 0: none are used, 1: some are; -1: the seed decides
    bool verbose;
    enum planted broken;
};

// What may go wrong in a history; not everything in each.
enum fault {
    FAULT_CRASH = 1,
    FAULT_STOP = 2,
    FAULT_RESET = 4,
    FAULT_BLOCK = 8,
    FAULT_WEATHER = 16,
    FAULT_FULL = 32,
    FAULT_IO = 64,
    FAULTS_ALL = 127,
};

struct world {
    const struct options *options;
    struct sim sim;
    struct prng prng;
    struct sim_net *net;
    struct sim_fs *disk;
    struct planted_fs *planted; // or NULL
    struct process process;
    const char *settings[SETTINGS_MAX];
    int setting_count;
    struct model model;
    struct users users;
    struct sim_host *node_host, *admin_host;
    struct sim_host *producer_hosts[PRODUCERS], *consumer_hosts[CONSUMERS];
    struct producer_user *producers[PRODUCERS];
    struct consumer_user *consumers[CONSUMERS];
    struct admin_user *admin;
    struct groups_user *groups; // or NULL
    unsigned faults;
    bool calm;      // liveness: nothing goes wrong any more
    bool full;      // the disk has a limit
    bool crippled;  // and some of its partitions are offline until the next start
    bool disturbed; // something was done to this life of the node that may make it complain
    int64_t restart_ns;
    int64_t settled_ns; // since when the groups have looked so
    int lives_before; // of the last restart
};

static struct {
    uint64_t records, acknowledged, read, asked, lives, events, hash;
} totals;

static uint64_t below(struct world *w, uint64_t bound)
{
    return prng_below(&w->prng, bound);
}

static bool one_in(struct world *w, uint64_t n)
{
    return below(w, n) == 0;
}

#define say(w, ...) users_say(&(w)->users, __VA_ARGS__)
#define complain(w, ...) model_complain(&(w)->model, __VA_ARGS__)

// ---- The node ----

static void on_said(void *owner, enum trace_level level, const char *line)
{
    struct world *w = owner;
    say(w, "node: %s: %s", trace_level_name(level), line);
    // Errors, and damage that it finds, want a cause; a crash is none.
    if ((level == TRACE_ERROR || strstr(line, "does not fit the log") != NULL) && !w->disturbed)
        complain(w, "the node complains, and nothing was done to it: %s", line);
    w->crippled |= level == TRACE_ERROR && strstr(line, " is offline: ") != NULL;
}

static void start_process(struct world *w)
{
    struct diag diag = {{0}};
    sim_host_boot(w->node_host);
    w->disturbed = w->full;
    w->crippled = false;
    // Now and then the start is cut off as well.
    if (!w->calm && w->process.lives > 0 && (w->faults & FAULT_CRASH) && one_in(w, 6))
        sim_fs_crash_at(w->disk, 1 + below(w, 60));
    say(w, "the node starts, life %d", w->process.lives + 1);
    if (!process_start(&w->process, &diag) && !w->disturbed)
        complain(w, "the node does not start: %s", diag.text);
}

static void bury_process(struct world *w)
{
    static const enum sim_crash kinds[] = {SIM_CRASH_ALL, SIM_CRASH_PREFIX, SIM_CRASH_RANDOM};
    bool power = w->process.died ? one_in(w, 2) : one_in(w, 4);
    enum sim_crash kind = power ? kinds[below(w, 3)] : SIM_CRASH_KILL;
    if (w->process.died && !sim_fs_is_crashed(w->disk) && !w->disturbed)
        complain(w, "the node stops by itself");
    process_bury(&w->process, power);
    if (w->groups != NULL)
        groups_user_node_died(w->groups);
    if (w->planted != NULL)
        planted_fs_crash(w->planted);
    sim_fs_restart(w->disk, kind);
    w->restart_ns = w->sim.now_ns + (int64_t)below(w, 3000) * ns_per_ms;
    say(w, "the node is down: %s", power ? "no power" : "ended");
}

// Whoever operates it replaces a disk that failed, and starts the node again.
static void replace_disk(struct world *w)
{
    if (w->process.state != PROCESS_DOWN && (w->process.dir_offline || w->crippled))
        process_kill(&w->process);
}

// Lets time pass, and sees to the node.
static void run_for(struct world *w, int64_t ns)
{
    int64_t until_ns = w->sim.now_ns + ns;
    while (!w->model.failed) {
        if (w->calm) // the last faults may be heard of only now
            replace_disk(w);
        if (process_is_over(&w->process))
            bury_process(w);
        bool down = w->process.state == PROCESS_DOWN;
        if (down && w->restart_ns <= w->sim.now_ns) {
            start_process(w);
            continue;
        }
        int64_t next_ns = down && w->restart_ns < until_ns ? w->restart_ns : until_ns;
        if (sim_step_until(&w->sim, next_ns))
            continue;
        w->sim.now_ns = next_ns;
        if (next_ns == until_ns)
            break;
    }
}

// ---- Clients ----

static int any_topic(struct world *w, enum model_fact fact)
{
    int at = (int)below(w, MODEL_TOPICS_MAX);
    for (int i = 0; i < MODEL_TOPICS_MAX; i++) {
        int topic = (at + i) % MODEL_TOPICS_MAX;
        if (w->model.topics[topic].fact == fact && !w->model.topics[topic].ambiguous)
            return topic;
    }
    return -1;
}

static void send_some(struct world *w)
{
    int topic = any_topic(w, MODEL_PRESENT);
    if (topic < 0)
        return;
    struct producer_user *p = w->producers[below(w, PRODUCERS)];
    int partition = (int)below(w, (uint64_t)w->model.topics[topic].count_max);
    for (uint64_t n = 1 + below(w, 6); n > 0; n--)
        producer_user_send(p, topic, partition, (int)below(w, one_in(w, 8) ? 800 : 80));
}

static void renew_consumer(struct world *w, int slot)
{
    int topic = any_topic(w, MODEL_PRESENT);
    if (w->consumers[slot] != NULL)
        consumer_user_free(w->consumers[slot]);
    w->consumers[slot] = NULL;
    if (topic >= 0)
        w->consumers[slot] =
            consumer_user_new(&w->users, w->consumer_hosts[slot], topic, one_in(w, 2), false);
}

static void set_some_config(struct world *w, int topic)
{
    static const char *const choices[][2] = {
        {"index.interval.bytes", "100"}, {"segment.ms", "200"},
        {"file.delete.delay.ms", "10"},  {"write.caching", "false"},
        {"flush.messages", "1"},         {"segment.bytes", "1048576"},
        {"compression.type", "zstd"},    {"retention.bytes", "3000"},
        {"retention.ms", "20000"},
    };
    const char *const *choice = choices[below(w, sizeof choices / sizeof choices[0])];
    admin_user_set_config(w->admin, topic, choice[0], choice[1]);
}

static void administer(struct world *w)
{
    if (admin_user_is_busy(w->admin))
        return;
    uint64_t dice = below(w, 20);
    int topic = any_topic(w, MODEL_PRESENT);
    if (topic < 0 || dice < 6) {
        topic = any_topic(w, MODEL_ABSENT);
        if (topic >= 0 && !w->model.topics[topic].ghost_create)
            admin_user_create(w->admin, topic, 1 + (int)below(w, MODEL_PARTITIONS_MAX - 1));
        return;
    }
    const struct model_topic *t = &w->model.topics[topic];
    int partition = (int)below(w, (uint64_t)t->count_min);
    int64_t end = t->partitions[partition].end_min;
    if (dice < 8)
        admin_user_delete(w->admin, topic);
    else if (dice < 11 && t->count_max < MODEL_PARTITIONS_MAX)
        admin_user_grow(w->admin, topic, t->count_max + 1);
    else if (dice < 15 && end > 0)
        admin_user_delete_records(w->admin, topic, partition, (int64_t)below(w, (uint64_t)end + 1));
    else if (dice < 20)
        set_some_config(w, topic);
}

// ---- Faults ----

static void block_one(struct world *w, struct sim_host *other)
{
    uint64_t ways = 1 + below(w, 3);
    sim_net_set_blocked(w->net, w->node_host, other, (ways & 1) != 0);
    sim_net_set_blocked(w->net, other, w->node_host, (ways & 2) != 0);
}

static void block_some(struct world *w)
{
    struct sim_host *others[] = {w->producer_hosts[0], w->producer_hosts[1], w->consumer_hosts[0],
                                 w->consumer_hosts[1], w->admin_host};
    for (int i = 0; i < 5; i++)
        if (one_in(w, 2))
            block_one(w, others[i]);
    for (int i = 0; w->groups != NULL && i < GROUPS_HOSTS; i++)
        if (one_in(w, 3))
            block_one(w, groups_user_host(w->groups, i));
}

static void change_weather(struct world *w)
{
    struct sim_weather weather = sim_weather_fair();
    if (one_in(w, 2))
        weather.delay_ns_max = (int64_t)(1 + below(w, 300)) * ns_per_ms;
    if (one_in(w, 2))
        weather.lost_per_mille = (unsigned)below(w, 100);
    if (one_in(w, 2))
        weather.reset_per_mille = (unsigned)below(w, 30);
    weather.split_per_mille = (unsigned)below(w, 900);
    if (one_in(w, 2))
        weather.buffer_bytes = 64 + (int64_t)below(w, 4000);
    sim_net_set_weather(w->net, &weather);
}

static void set_capacity(struct world *w, bool full)
{
    w->full = full;
    w->disturbed |= full;
    sim_fs_set_capacity(w->disk,
                        full ? sim_fs_used(w->disk) + (int64_t)below(w, 8000) : disk_bytes);
    say(w, full ? "the disk is nearly full" : "the disk has space");
}

static void fail_io(struct world *w)
{
    static const unsigned ops[] = {SIM_OP_OPEN,   SIM_OP_READ, SIM_OP_WRITE, SIM_OP_SYNC,
                                   SIM_OP_CHANGE, SIM_OP_LOOK, SIM_OP_ANY};
    w->disturbed = true;
    sim_fs_fail_at(w->disk, 1 + below(w, 30), ops[below(w, 7)], ERR_IO, one_in(w, 2));
    say(w, "the disk is going to fail");
}

static void crash_soon(struct world *w)
{
    if (one_in(w, 4))
        process_kill(&w->process);
    else
        sim_fs_crash_at(w->disk, 1 + below(w, 40));
}

static void disturb(struct world *w)
{
    bool up = w->process.state != PROCESS_DOWN;
    switch (w->faults & 1u << below(w, 7)) {
    case FAULT_CRASH:
        if (up)
            crash_soon(w);
        break;
    case FAULT_STOP:
        if (up && one_in(w, 2))
            process_stop(&w->process);
        break;
    case FAULT_RESET:
        sim_net_reset_any(w->net);
        break;
    case FAULT_BLOCK:
        if (one_in(w, 3))
            block_some(w);
        else
            sim_net_heal(w->net);
        break;
    case FAULT_WEATHER:
        change_weather(w);
        break;
    case FAULT_FULL:
        set_capacity(w, !w->full && one_in(w, 2));
        break;
    case FAULT_IO:
        if (up && one_in(w, 3))
            fail_io(w);
        break;
    default:
        break;
    }
}

// ---- Safety ----

static void step_groups(struct world *w)
{
    groups_user_step(w->groups);
    if (w->process.state == PROCESS_READY)
        groups_user_check_journals(w->groups, w->process.node);
}

static void step(struct world *w)
{
    uint64_t dice = below(w, 100);
    int slot = (int)below(w, CONSUMERS);
    if (w->groups != NULL)
        step_groups(w);
    if (dice < 40)
        send_some(w);
    else if (dice < 65)
        run_for(w, (int64_t)below(w, 6000000));
    else if (dice < 78)
        run_for(w, (int64_t)below(w, 300) * ns_per_ms);
    else if (dice < 79)
        run_for(w, (int64_t)below(w, 20) * ns_per_s);
    else if (dice < 85)
        administer(w);
    else if (dice < 88 || w->consumers[slot] == NULL || consumer_user_is_stale(w->consumers[slot]))
        renew_consumer(w, slot);
    else
        disturb(w);
}

// ---- Liveness ----

static void calm_down(struct world *w)
{
    struct sim_weather weather = sim_weather_fair();
    say(w, "from now on nothing goes wrong");
    w->calm = true;
    sim_net_set_weather(w->net, &weather);
    sim_net_heal(w->net);
    set_capacity(w, false);
    sim_fs_fail_at(w->disk, 0, 0, 0, false);
    sim_fs_crash_at(w->disk, 0);
}

// Waits until it is so; complains if that takes too long.
static void wait_so_long_for(struct world *w, bool (*is_so)(struct world *w), const char *what,
                             int64_t seconds)
{
    int64_t deadline_ns = w->sim.now_ns + seconds * ns_per_s;
    while (!w->model.failed && !is_so(w)) {
        run_for(w, 50 * ns_per_ms);
        if (w->sim.now_ns > deadline_ns)
            complain(w, "still waiting for %s", what);
    }
}

static void wait_for(struct world *w, bool (*is_so)(struct world *w), const char *what)
{
    wait_so_long_for(w, is_so, what, WAIT_S);
}

static bool node_is_ready(struct world *w)
{
    return w->process.state == PROCESS_READY;
}

static bool node_lives_again(struct world *w)
{
    return w->process.lives > w->lives_before && w->process.state == PROCESS_READY;
}

static bool admin_is_done(struct world *w)
{
    return !admin_user_is_busy(w->admin);
}

static bool producers_are_done(struct world *w)
{
    for (int i = 0; i < PRODUCERS; i++)
        if (producer_user_pending(w->producers[i]) > 0)
            return false;
    return true;
}

static bool consumers_are_done(struct world *w)
{
    bool done = true;
    for (int i = 0; i < CONSUMERS; i++) {
        if (w->consumers[i] == NULL || consumer_user_is_stale(w->consumers[i]))
            renew_consumer(w, i);
        done = done && (w->consumers[i] == NULL || consumer_user_is_done(w->consumers[i]));
    }
    return done;
}

// And stay so.
static bool groups_are_settled(struct world *w)
{
    if (!groups_user_is_settled(w->groups))
        w->settled_ns = w->sim.now_ns;
    return w->sim.now_ns - w->settled_ns >= SETTLED_S * ns_per_s;
}

static bool groups_are_quiet(struct world *w)
{
    groups_user_administer(w->groups);
    return groups_user_is_settled(w->groups) && groups_user_is_quiet(w->groups);
}

// Everybody has a part, what was promised is there, and the log says the same.
static void groups_settle(struct world *w)
{
    if (w->groups == NULL || w->model.failed)
        return;
    w->settled_ns = w->sim.now_ns;
    wait_so_long_for(w, groups_are_settled, "groups to settle", SETTLE_S);
    wait_for(w, groups_are_quiet, "those who use groups");
    groups_user_commit_all(w->groups);
    wait_for(w, groups_are_quiet, "commits");
    groups_user_fetch_all(w->groups);
    groups_user_describe(w->groups, true);
    wait_for(w, groups_are_quiet, "answers about groups");
    // After an append was refused a classic group may be Empty without a record that says so.
    if (!w->model.failed)
        groups_user_check_replay(w->groups, w->process.node, !w->disturbed);
}

// Each producer sends to each partition until it gets through.
static void all_produce(struct world *w)
{
    for (int i = 0; i < PRODUCERS; i++) {
        for (int topic = 0; topic < MODEL_TOPICS_MAX; topic++) {
            const struct model_topic *t = &w->model.topics[topic];
            bool there = t->fact == MODEL_PRESENT && !t->ambiguous;
            for (int partition = 0; there && partition < t->count_min; partition++) {
                bool through = false;
                for (int try = 0; try < TRIES_MAX && !through && !w->model.failed; try++) {
                    int64_t n = producer_user_send(w->producers[i], topic, partition, 30);
                    wait_for(w, producers_are_done, "producers");
                    through = n >= 0 && w->model.records[n].acknowledged;
                    if (!through) // it may have to learn of the partition first
                        run_for(w, 2 * ns_per_s);
                }
                if (!through)
                    complain(w, "%s-%d: a producer does not get through", t->name, partition);
            }
        }
    }
}

static bool first_consumer_is_done(struct world *w)
{
    return consumer_user_is_done(w->consumers[0]) || consumer_user_is_stale(w->consumers[0]);
}

// Somebody who was never there before reads everything.
static void read_everything(struct world *w)
{
    for (int topic = 0; topic < MODEL_TOPICS_MAX && !w->model.failed; topic++) {
        if (w->model.topics[topic].fact != MODEL_PRESENT || w->model.topics[topic].ambiguous)
            continue;
        if (w->consumers[0] != NULL)
            consumer_user_free(w->consumers[0]);
        w->consumers[0] = consumer_user_new(&w->users, w->consumer_hosts[0], topic, true, true);
        wait_for(w, first_consumer_is_done, "whoever reads everything");
        if (!w->model.failed && consumer_user_is_stale(w->consumers[0]))
            complain(w, "topic %s cannot be read", w->model.topics[topic].name);
    }
    if (w->model.failed)
        return;
    admin_user_check_topics(w->admin);
    wait_for(w, admin_is_done, "the list of topics");
}

static void run_liveness(struct world *w)
{
    calm_down(w);
    wait_for(w, node_is_ready, "the node");
    groups_settle(w);
    wait_for(w, admin_is_done, "the administrator");
    wait_for(w, producers_are_done, "producers");
    if (!w->model.failed)
        all_produce(w);
    if (!w->model.failed)
        wait_for(w, consumers_are_done, "consumers");
    read_everything(w);
    // And all of it is still there after the next start.
    if (w->model.failed)
        return;
    w->lives_before = w->process.lives;
    if (one_in(w, 2))
        process_stop(&w->process);
    else
        process_kill(&w->process);
    wait_for(w, node_lives_again, "the node, once more");
    groups_settle(w);
    if (!w->model.failed)
        read_everything(w);
}

// ---- A history ----

static void set(struct world *w, const char *key, const char *value)
{
    check(w->setting_count + 3 <= SETTINGS_MAX);
    w->settings[w->setting_count++] = key;
    w->settings[w->setting_count++] = value;
}

// Small numbers, so that everything happens often.
static void choose_settings(struct world *w)
{
    static const char *const segments[] = {"1024", "4096", "16384"};
    static const char *const index_intervals[] = {"50", "500", "4096"};
    static const char *const checkpoints[] = {"60000", "2000", "100"};
    static const char *const snapshots[] = {"20971520", "3000", "500"};
    set(w, "listeners", "PLAINTEXT://10.0.0.1:9092");
    set(w, "log.dirs", one_in(w, 4) ? "/data,/more" : "/data");
    set(w, "log.segment.bytes", segments[below(w, 3)]);
    set(w, "log.index.interval.bytes", index_intervals[below(w, 3)]);
    set(w, "log.flush.offset.checkpoint.interval.ms", checkpoints[below(w, 3)]);
    set(w, "metadata.log.max.record.bytes.between.snapshots", snapshots[below(w, 3)]);
    set(w, "metadata.log.segment.bytes", one_in(w, 2) ? "2048" : "8388608");
    set(w, "log.retention.check.interval.ms", "3000");
}

// By a chance of its own, which takes none from what else happens.
static void choose_shards(struct world *w, uint64_t seed)
{
    static const int64_t message_us[] = {1, 20, 200, 2000};
    struct prng prng;
    prng_init(&prng, seed ^ SHARDS_CHANCE);
    int64_t longest_us = message_us[prng_below(&prng, 4)];
    int count = 1 + (int)prng_below(&prng, PROCESS_SHARDS_MAX);
    w->process.shard_count = w->options->shards > 0 ? w->options->shards : count;
    if (w->process.shard_count > 1)
        w->sim.message_ns_max = longest_us * 1000;
}

// The same.
static void choose_groups(struct world *w, uint64_t seed)
{
    struct prng prng;
    prng_init(&prng, seed ^ GROUPS_CHANCE);
    bool wanted = prng_chance(&prng, 2, 3) || w->options->broken == PLANTED_EARLY_GROUP;
    if (w->options->groups >= 0)
        wanted = w->options->groups > 0;
    if (!wanted)
        return;
    w->groups = groups_user_new(&w->users, w->net, prng_next(&prng));
    const char *const *more = groups_user_settings(w->groups);
    for (int i = 0; more[i] != NULL; i += 2)
        set(w, more[i], more[i + 1]);
}

static void init(struct world *w, const struct options *options, uint64_t seed)
{
    char address[32];
    w->options = options;
    sim_init(&w->sim, seed);
    prng_init(&w->prng, prng_next(&w->sim.prng));
    w->net = sim_net_new(&w->sim, prng_next(&w->prng));
    // Beyond the node's life: files keep their times.
    w->disk = sim_fs_new(prng_next(&w->prng), &w->process.shards[0].clock);
    sim_fs_note_in(w->disk, &w->sim);
    model_init(&w->model);
    w->users = (struct users){.sim = &w->sim,
                              .model = &w->model,
                              .prng = &w->prng,
                              .bootstrap = "10.0.0.1:9092",
                              .verbose = options->verbose};
    w->node_host = sim_host_add(w->net, "10.0.0.1");
    w->admin_host = sim_host_add(w->net, "10.0.1.1");
    for (int i = 0; i < PRODUCERS; i++) {
        snprintf(address, sizeof address, "10.0.2.%d", i + 1);
        w->producer_hosts[i] = sim_host_add(w->net, address);
        w->producers[i] = producer_user_new(&w->users, w->producer_hosts[i], i);
    }
    for (int i = 0; i < CONSUMERS; i++) {
        snprintf(address, sizeof address, "10.0.3.%d", i + 1);
        w->consumer_hosts[i] = sim_host_add(w->net, address);
    }
    w->admin = admin_user_new(&w->users, w->admin_host);
    w->faults = (unsigned)below(w, 4) == 0 ? FAULTS_ALL : (unsigned)below(w, FAULTS_ALL + 1);
    if (options->broken != PLANTED_NONE)
        w->faults |= FAULT_CRASH;
    choose_settings(w);
    choose_groups(w, seed);
    process_init(&w->process, &w->sim, w->node_host, w->disk);
    w->process.settings = w->settings;
    w->process.owner = w;
    w->process.said = on_said;
    choose_shards(w, seed);
    if (options->broken != PLANTED_NONE) {
        w->planted = planted_fs_new(options->broken, &w->process, prng_next(&w->prng));
        w->process.fs = planted_fs_env(w->planted);
    }
}

static void release(struct world *w)
{
    for (int i = 0; i < PRODUCERS; i++)
        producer_user_free(w->producers[i]);
    for (int i = 0; i < CONSUMERS; i++)
        if (w->consumers[i] != NULL)
            consumer_user_free(w->consumers[i]);
    admin_user_free(w->admin);
    if (w->groups != NULL)
        groups_user_free(w->groups);
    if (w->process.state != PROCESS_DOWN) {
        process_kill(&w->process);
        bool over = process_is_over(&w->process);
        check(over);
        process_bury(&w->process, false);
    }
    if (w->planted != NULL)
        planted_fs_free(w->planted);
    sim_net_free(w->net);
    sim_fs_free(w->disk);
    model_release(&w->model);
    sim_release(&w->sim);
}

// True if nothing was wrong.
static bool run_seed(const struct options *options, uint64_t seed)
{
    struct world *w = mem_new(struct world);
    init(w, options, seed);
    start_process(w);
    run_for(w, (int64_t)below(w, 50) * ns_per_ms);
    for (int i = 0; i < options->steps && !w->model.failed; i++)
        step(w);
    if (!w->model.failed)
        run_liveness(w);
    bool good = !w->model.failed;
    if (!good && (options->broken == PLANTED_NONE || options->verbose))
        fprintf(stderr, "seed %" PRIu64 ", after %.3f s: %s\n", seed, (double)w->sim.now_ns / 1e9,
                w->model.message);
    totals.records += (uint64_t)w->model.record_count;
    totals.acknowledged += (uint64_t)w->model.acknowledged_count;
    totals.read += (uint64_t)w->model.seen_count;
    totals.lives += (uint64_t)w->process.lives;
    totals.events += w->sim.steps;
    totals.hash = totals.hash * 31 + w->sim.hash;
    if (w->groups != NULL) {
        totals.asked += groups_user_asked(w->groups);
        totals.hash = totals.hash * 31 + groups_user_hash(w->groups);
    }
    release(w);
    mem_free(w);
    return good;
}

static int run(const struct options *options)
{
    for (uint64_t seed = options->start; seed < options->start + options->seeds; seed++) {
        if (run_seed(options, seed))
            continue;
        if (options->broken != PLANTED_NONE) {
            printf("%s was caught by seed %" PRIu64 "\n", planted_name(options->broken), seed);
            return 0;
        }
        fprintf(stderr, "again: sim_cluster --seeds 1 --start %" PRIu64 " --steps %d --shards %d "
                        "--groups %d --verbose\n",
                seed, options->steps, options->shards, options->groups);
        return 1;
    }
    printf("%" PRIu64 " seeds from %" PRIu64 ": %" PRIu64 " records, %" PRIu64
           " acknowledged, %" PRIu64 " read, %" PRIu64 " asked of groups, %" PRIu64 " lives, %" PRIu64
           " events, state %016" PRIx64 "\n",
           options->seeds, options->start, totals.records, totals.acknowledged, totals.read,
           totals.asked, totals.lives, totals.events, totals.hash);
    if (options->broken != PLANTED_NONE)
        fprintf(stderr, "%s was not caught\n", planted_name(options->broken));
    return options->broken != PLANTED_NONE ? 1 : 0;
}

static int usage(void)
{
    fprintf(stderr, "usage: sim_cluster [--seeds N] [--start N] [--steps N] [--shards N] "
                    "[--groups -1|0|1] [--verbose] [--broken NAME]\n");
    return 2;
}

int main(int argc, char **argv)
{
    struct options options = {.seeds = 100, .start = 1, .steps = 300, .groups = -1};
    for (int i = 1; i < argc; i++) {
        int64_t value = 0;
        bool has_value = i + 1 < argc && str_parse_i64(str_from(argv[i + 1]), &value);
        if (strcmp(argv[i], "--verbose") == 0)
            options.verbose = true;
        else if (strcmp(argv[i], "--broken") == 0 && i + 1 < argc)
            options.broken = planted_find(argv[++i]);
        else if (strcmp(argv[i], "--seeds") == 0 && has_value)
            options.seeds = (uint64_t)value, i++;
        else if (strcmp(argv[i], "--start") == 0 && has_value)
            options.start = (uint64_t)value, i++;
        else if (strcmp(argv[i], "--steps") == 0 && has_value)
            options.steps = (int)value, i++;
        else if (strcmp(argv[i], "--shards") == 0 && has_value && value <= PROCESS_SHARDS_MAX)
            options.shards = (int)value, i++;
        else if (strcmp(argv[i], "--groups") == 0 && has_value && value >= -1 && value <= 1)
            options.groups = (int)value, i++;
        else
            return usage();
    }
    return options.broken == PLANTED_UNKNOWN ? usage() : run(&options);
}
