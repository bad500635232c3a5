// SPDX-License-Identifier: Apache-2.0
//
// A group under random members: they join, leave, crash, fall behind, change what they subscribe to and
// lose answers, while topics grow and the coordinator moves. What members believe to have is kept beside
// what the group says:
//   - no partition is with two members at once, however slowly they follow;
//   - epochs never go back, and the order group >= assignment >= member holds;
//   - another replica of the log says the same;
//   - when all is quiet, every partition is with somebody who subscribes to it.
#include "consumer_testing.h"

#include <stdlib.h>
#include <string.h>

enum { CLIENTS = 8, TOPICS = 3, PARTITIONS_MAX = 12, STEPS = 400, SEEDS = 30, ROUNDS_MAX = 60 };

static const char *const topic_names[TOPICS] = {"a", "b", "c"};

struct client {
    bool is_on;       // it heartbeats
    bool is_joined;   // with an epoch that it was told
    int id;           // its member is called "c<id>": a new one for each life
    int32_t epoch;
    int topics;       // bit set, at least one
    bool topics_told; // false: the next heartbeat is a full one
    bool held[TOPICS][PARTITIONS_MAX];
    bool wanted[TOPICS][PARTITIONS_MAX]; // the assignment that it follows
};

struct world {
    struct fixture f;
    struct prng prng;
    struct client clients[CLIENTS];
    int32_t partitions[TOPICS];
    int next_id;
    int32_t epoch_seen;
};

static const char *member_name(const struct client *c, char out[16])
{
    snprintf(out, 16, "c%d", c->id);
    return out;
}

static void topics_text(const struct client *c, char out[16])
{
    out[0] = '\0';
    for (int t = 0; t < TOPICS; t++)
        if (c->topics & 1 << t)
            snprintf(out + strlen(out), 16 - strlen(out), "%s%s", out[0] != '\0' ? "," : "",
                     topic_names[t]);
}

static void held_text(const struct client *c, char out[256])
{
    out[0] = '\0';
    for (int t = 0; t < TOPICS; t++) {
        bool first = true;
        for (int p = 0; p < PARTITIONS_MAX; p++) {
            if (!c->held[t][p])
                continue;
            if (first)
                snprintf(out + strlen(out), 256 - strlen(out), "%s%s:%d", out[0] != '\0' ? " " : "",
                         topic_names[t], p);
            else
                snprintf(out + strlen(out), 256 - strlen(out), ",%d", p);
            first = false;
        }
    }
}

static int topic_of(const struct world *w, struct uuid id)
{
    for (int t = 0; t < TOPICS; t++)
        if (uuid_equal(metadata_image_topic(w->f.image, str_from(topic_names[t]))->id, id))
            return t;
    fail();
    return 0;
}

// ---- What must hold ----

// Members that the group has given up do not count: their sessions are over.
static bool is_member(struct world *w, const struct client *c)
{
    char name[16];
    struct group *group = groups_find(w->f.groups, str_from("g"));
    return group != NULL && group->kind == GROUP_CONSUMER &&
           consumer_find_member(group->consumer, str_from(member_name(c, name))) != NULL;
}

static void check_owners(struct world *w)
{
    int owners[TOPICS][PARTITIONS_MAX] = {{0}};
    for (int i = 0; i < CLIENTS; i++) {
        if (!w->clients[i].is_joined || !is_member(w, &w->clients[i]))
            continue;
        for (int t = 0; t < TOPICS; t++)
            for (int p = 0; p < PARTITIONS_MAX; p++)
                if (w->clients[i].held[t][p] && ++owners[t][p] > 1)
                    fail_msg("%s-%d has two owners", topic_names[t], p);
    }
}

static void check_epochs(struct world *w)
{
    struct group *group = groups_find(w->f.groups, str_from("g"));
    if (group == NULL)
        return;
    const struct consumer_group *cg = group->consumer;
    assert_true(cg->epoch >= w->epoch_seen);
    assert_true(cg->assignment_epoch <= cg->epoch);
    w->epoch_seen = cg->epoch;
    for (struct consumer_member *m = NULL; (m = consumer_next(cg, m)) != NULL;)
        assert_true(m->epoch <= cg->assignment_epoch);
}

// ---- Members ----

static void forget(struct client *c)
{
    c->is_joined = false;
    c->epoch = 0;
    memset(c->held, 0, sizeof(c->held));
    memset(c->wanted, 0, sizeof(c->wanted));
}

static void take_assignment(struct world *w, struct client *c,
                            const struct consumer_group_heartbeat_response *r)
{
    memset(c->wanted, 0, sizeof(c->wanted));
    for (int32_t i = 0; i < r->assignment->topic_partitions.count; i++) {
        int t = topic_of(w, r->assignment->topic_partitions.items[i].topic_id);
        struct wire_int32_array p = r->assignment->topic_partitions.items[i].partitions;
        for (int32_t k = 0; k < p.count; k++)
            c->held[t][p.items[k]] = c->wanted[t][p.items[k]] = true; // what is new may be used at once
    }
}

// `gives_up`: it lets go of what it shall not have any more, and says so. `is_lost`: the answer.
static void heartbeat(struct world *w, struct client *c, bool gives_up, bool is_lost)
{
    char name[16], topics[16], owned[256];
    bool joins = !c->is_joined, tells_all = joins || !c->topics_told;
    if (gives_up && !joins)
        memcpy(c->held, c->wanted, sizeof(c->held));
    topics_text(c, topics);
    held_text(c, owned);
    const struct consumer_group_heartbeat_response *r =
        BEAT(&w->f, .member = member_name(c, name), .epoch = c->epoch, .topics = tells_all ? topics : NULL,
             .timeout_ms = tells_all ? 60000 : 0, .owned = joins ? "" : gives_up || tells_all ? owned : NULL);
    if (r->error_code == KAFKA_FENCED_MEMBER_EPOCH || r->error_code == KAFKA_UNKNOWN_MEMBER_ID ||
        r->error_code == KAFKA_GROUP_ID_NOT_FOUND) {
        forget(c);
        return;
    }
    assert_int_equal(r->error_code, 0);
    if (is_lost && !joins) {
        c->topics_told = false; // as clients do, it says everything again and is told everything
        return;
    }
    c->is_joined = c->topics_told = true;
    c->epoch = r->member_epoch;
    if (r->assignment != NULL)
        take_assignment(w, c, r);
}

static void start(struct world *w, struct client *c)
{
    forget(c);
    c->is_on = true;
    c->id = w->next_id++;
    c->topics = 1 + (int)prng_below(&w->prng, (1 << TOPICS) - 1);
}

static void leave(struct world *w, struct client *c)
{
    char name[16];
    if (c->is_joined)
        BEAT(&w->f, .member = member_name(c, name), .epoch = -1);
    forget(c);
    c->is_on = false;
}

static void step(struct world *w)
{
    struct client *c = &w->clients[prng_below(&w->prng, CLIENTS)];
    int t;
    switch (prng_below(&w->prng, 24)) {
    case 0:
        if (c->is_on)
            leave(w, c);
        break;
    case 1:
        c->is_on = false; // it is gone without a word, and comes back as another one
        break;
    case 2:
        if (c->is_on) {
            c->topics = 1 + (int)prng_below(&w->prng, (1 << TOPICS) - 1);
            c->topics_told = false;
        }
        break;
    case 3:
        t = (int)prng_below(&w->prng, TOPICS);
        if (w->partitions[t] < PARTITIONS_MAX && prng_chance(&w->prng, 1, 4))
            fixture_topic(&w->f, topic_names[t], ++w->partitions[t]);
        break;
    case 4:
        fixture_reload(&w->f, true);
        break;
    case 5:
        fixture_check_replay(&w->f);
        break;
    case 6:
    case 7:
        fixture_advance(&w->f, (int64_t)prng_below(&w->prng, 6000));
        break;
    default:
        if (!c->is_on)
            start(w, c);
        heartbeat(w, c, prng_chance(&w->prng, 1, 2), prng_chance(&w->prng, 1, 10));
        break;
    }
}

// ---- Quiet ----

static bool is_settled(struct world *w)
{
    const struct consumer_group *cg = consumer_of(&w->f, "g");
    if (!consumer_is_stable(cg))
        return false;
    for (int t = 0; t < TOPICS; t++) {
        bool is_wanted = false;
        for (int i = 0; i < CLIENTS; i++)
            is_wanted |= w->clients[i].is_on && (w->clients[i].topics & 1 << t) != 0;
        for (int p = 0; p < w->partitions[t]; p++) {
            int owners = 0;
            for (int i = 0; i < CLIENTS; i++)
                owners += w->clients[i].is_on && w->clients[i].held[t][p] &&
                          (w->clients[i].topics & 1 << t) != 0;
            if (owners != is_wanted)
                return false;
        }
    }
    return true;
}

static void run_seed(uint64_t seed)
{
    struct world *w = calloc(1, sizeof(*w));
    assert_non_null(w);
    prng_init(&w->prng, seed);
    fixture_init(&w->f);
    for (int t = 0; t < TOPICS; t++)
        fixture_topic(&w->f, topic_names[t], w->partitions[t] = 1 + (int32_t)prng_below(&w->prng, 8));
    for (int i = 0; i < STEPS; i++) {
        step(w);
        check_owners(w);
        check_epochs(w);
    }
    start(w, &w->clients[0]);
    int rounds = 0;
    do {
        fixture_advance(&w->f, 1000);
        for (int i = 0; i < CLIENTS; i++)
            if (w->clients[i].is_on)
                heartbeat(w, &w->clients[i], true, false);
        check_owners(w);
        check_epochs(w);
        assert_true(rounds++ < ROUNDS_MAX); // sessions of those who vanished take 45 of them
    } while (!is_settled(w));
    fixture_check_replay(&w->f);
    fixture_release(&w->f);
    free(w);
}

static void test_random(void **state)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        print_message("seed %d\n", (int)seed);
        run_seed(seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
