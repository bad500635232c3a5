// SPDX-License-Identifier: Apache-2.0
//
// A streams group under random members: they join, leave, crash, fall behind, go for a while, and lose
// answers, while a topic grows, the standbys change and the coordinator moves. What members believe to have
// is kept beside what the group says:
//   - no two members are active in a task at once, and no process has a task twice, however slowly they
//     follow;
//   - epochs never go back, and the order group >= assignment >= member holds;
//   - another replica of the log says the same;
//   - when all is quiet, every task is active once and has the standbys that it shall have.
#include "streams_testing.h"

#include <stdlib.h>
#include <string.h>

enum {
    CLIENTS = 8,
    PROCESSES = 4,
    SUBTOPOLOGIES = 2,
    PARTITIONS_MAX = 8,
    ROLES = 2, // active, standby
    STEPS = 400,
    SEEDS = 30,
    ROUNDS_MAX = 70,
};

// Tasks of "0" have no state, those of "1" have.
static const char topology[] = "0 a;1 b # b-changelog";

typedef bool task_bits[SUBTOPOLOGIES][PARTITIONS_MAX];

struct client {
    bool is_on;     // it heartbeats
    bool is_joined; // with an epoch that it was told
    int index;
    int id;         // its member is called "c<id>": a new one for each life
    bool is_static; // its instance is "i<index>"
    int32_t epoch;
    task_bits held[ROLES];
    task_bits wanted[ROLES]; // the assignment that it follows
};

struct world {
    struct fixture f;
    struct prng prng;
    struct client clients[CLIENTS];
    int32_t partitions[SUBTOPOLOGIES];
    int standbys;
    int next_id;
    int32_t epoch_seen;
};

static const char *member_name(const struct client *c, char out[16])
{
    snprintf(out, 16, "c%d", c->id);
    return out;
}

static void tasks_text(task_bits tasks, char out[128])
{
    out[0] = '\0';
    for (int s = 0; s < SUBTOPOLOGIES; s++) {
        const char *separator = out[0] != '\0' ? " " : "";
        for (int p = 0; p < PARTITIONS_MAX; p++)
            if (tasks[s][p]) {
                if (separator[0] != ',')
                    snprintf(out + strlen(out), 128 - strlen(out), "%s%d:%d", separator, s, p);
                else
                    snprintf(out + strlen(out), 128 - strlen(out), ",%d", p);
                separator = ",";
            }
    }
}

// ---- What must hold ----

// Members that the group has given up do not count: their sessions are over.
static bool is_member(struct world *w, const struct client *c)
{
    char name[16];
    struct group *group = groups_find(w->f.groups, str_from("g"));
    return group != NULL && group->kind == GROUP_STREAMS &&
           streams_find_member(group->streams, str_from(member_name(c, name))) != NULL;
}

static void count_holders(struct world *w, int active[SUBTOPOLOGIES][PARTITIONS_MAX],
                          int by_process[PROCESSES][SUBTOPOLOGIES][PARTITIONS_MAX])
{
    for (int i = 0; i < CLIENTS; i++) {
        const struct client *c = &w->clients[i];
        if (!c->is_joined || !is_member(w, c))
            continue;
        for (int role = 0; role < ROLES; role++)
            for (int s = 0; s < SUBTOPOLOGIES; s++)
                for (int p = 0; p < PARTITIONS_MAX; p++)
                    if (c->held[role][s][p]) {
                        active[s][p] += role == TASK_ACTIVE;
                        by_process[i % PROCESSES][s][p]++;
                    }
    }
}

static void check_owners(struct world *w)
{
    int active[SUBTOPOLOGIES][PARTITIONS_MAX] = {{0}};
    int by_process[PROCESSES][SUBTOPOLOGIES][PARTITIONS_MAX] = {{{0}}};
    count_holders(w, active, by_process);
    for (int s = 0; s < SUBTOPOLOGIES; s++)
        for (int p = 0; p < PARTITIONS_MAX; p++) {
            if (active[s][p] > 1)
                fail_msg("%d members are active in %d_%d", active[s][p], s, p);
            for (int i = 0; i < PROCESSES; i++)
                if (by_process[i][s][p] > 1)
                    fail_msg("process %d has %d_%d twice", i, s, p);
        }
}

static void check_epochs(struct world *w)
{
    struct group *group = groups_find(w->f.groups, str_from("g"));
    if (group == NULL)
        return;
    const struct streams_group *sg = group->streams;
    assert_true(sg->epoch >= w->epoch_seen);
    assert_true(sg->assignment_epoch <= sg->epoch);
    w->epoch_seen = sg->epoch;
    for (struct streams_member *m = NULL; (m = streams_next(sg, m)) != NULL;)
        assert_true(m->epoch <= sg->assignment_epoch);
}

// ---- Members ----

static void forget(struct client *c)
{
    c->is_joined = false;
    c->epoch = 0;
    memset(c->held, 0, sizeof(c->held));
    memset(c->wanted, 0, sizeof(c->wanted));
}

static void take_role(struct client *c, int role,
                      const struct streams_group_heartbeat_response_task_ids_array *tasks)
{
    memset(c->wanted[role], 0, sizeof(c->wanted[role]));
    for (int32_t i = 0; i < tasks->count; i++) {
        int32_t s;
        assert_true(str_parse_i32(tasks->items[i].subtopology_id, &s));
        for (int32_t p = 0; p < tasks->items[i].partitions.count; p++) {
            int32_t partition = tasks->items[i].partitions.items[p];
            c->held[role][s][partition] = c->wanted[role][s][partition] = true; // it begins at once
        }
    }
}

static bool is_refused(const struct streams_group_heartbeat_response *r)
{
    return r->error_code == KAFKA_FENCED_MEMBER_EPOCH || r->error_code == KAFKA_UNKNOWN_MEMBER_ID ||
           r->error_code == KAFKA_GROUP_ID_NOT_FOUND || r->error_code == KAFKA_UNRELEASED_INSTANCE_ID ||
           r->error_code == KAFKA_FENCED_INSTANCE_ID;
}

// `gives_up`: it lets go of what it shall not have any more, and says so. `is_lost`: the answer.
static void heartbeat(struct world *w, struct client *c, bool gives_up, bool is_lost)
{
    char name[16], process[16], instance[16], active[128], standby[128];
    bool joins = !c->is_joined;
    if (gives_up && !joins)
        memcpy(c->held, c->wanted, sizeof(c->held));
    tasks_text(c->held[TASK_ACTIVE], active);
    tasks_text(c->held[TASK_STANDBY], standby);
    snprintf(process, sizeof(process), "p%d", c->index % PROCESSES);
    snprintf(instance, sizeof(instance), "i%d", c->index);
    const struct streams_group_heartbeat_response *r = STREAMS_BEAT(
        &w->f, .member = member_name(c, name), .epoch = c->epoch, .topology = joins ? topology : NULL,
        .process = joins ? process : NULL, .timeout_ms = joins ? 60000 : 0,
        .instance = c->is_static ? instance : NULL, .active = !joins && gives_up ? active : NULL,
        .standby = !joins && gives_up ? standby : NULL);
    if (is_refused(r)) {
        forget(c);
        return;
    }
    assert_int_equal(r->error_code, 0);
    if (is_lost)
        return;
    c->is_joined = true;
    c->epoch = r->member_epoch;
    if (r->active_tasks.count < 0)
        return;
    take_role(c, TASK_ACTIVE, &r->active_tasks);
    take_role(c, TASK_STANDBY, &r->standby_tasks);
}

static void start(struct world *w, struct client *c)
{
    forget(c);
    c->is_on = true;
    c->id = w->next_id++;
}

static void leave(struct world *w, struct client *c, bool for_a_while)
{
    char name[16], instance[16];
    snprintf(instance, sizeof(instance), "i%d", c->index);
    if (c->is_joined)
        STREAMS_BEAT(&w->f, .member = member_name(c, name), .epoch = c->is_static && for_a_while ? -2 : -1,
                     .instance = c->is_static ? instance : NULL);
    forget(c);
    c->is_on = false;
}

static void set_standbys(struct world *w, int count)
{
    char text[8];
    snprintf(text, sizeof(text), "%d", count);
    w->standbys = count;
    fixture_set_group(&w->f, "g", "streams.num.standby.replicas", text);
}

static void step(struct world *w)
{
    struct client *c = &w->clients[prng_below(&w->prng, CLIENTS)];
    switch (prng_below(&w->prng, 24)) {
    case 0:
        if (c->is_on)
            leave(w, c, prng_chance(&w->prng, 1, 2));
        break;
    case 1:
        c->is_on = false; // it is gone without a word, and comes back as another one
        break;
    case 2:
        if (prng_chance(&w->prng, 1, 3))
            set_standbys(w, (int)prng_below(&w->prng, 3));
        break;
    case 3:
        if (w->partitions[0] < PARTITIONS_MAX && prng_chance(&w->prng, 1, 4))
            fixture_topic(&w->f, "a", ++w->partitions[0]);
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

static int live_processes(const struct world *w)
{
    bool is_live[PROCESSES] = {false};
    int count = 0;
    for (int i = 0; i < CLIENTS; i++)
        is_live[i % PROCESSES] |= w->clients[i].is_on;
    for (int i = 0; i < PROCESSES; i++)
        count += is_live[i];
    return count;
}

static bool is_settled(struct world *w)
{
    int processes = live_processes(w);
    if (!streams_is_stable(streams_of(&w->f, "g")))
        return false;
    for (int s = 0; s < SUBTOPOLOGIES; s++) {
        int wanted = s == 0 ? 0 : w->standbys < processes ? w->standbys : processes - 1;
        for (int p = 0; p < w->partitions[s]; p++) {
            int active = 0, standby = 0;
            for (int i = 0; i < CLIENTS; i++) {
                active += w->clients[i].is_on && w->clients[i].held[TASK_ACTIVE][s][p];
                standby += w->clients[i].is_on && w->clients[i].held[TASK_STANDBY][s][p];
            }
            if (active != 1 || standby != wanted)
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
    w->partitions[0] = 1 + (int32_t)prng_below(&w->prng, PARTITIONS_MAX);
    w->partitions[1] = 1 + (int32_t)prng_below(&w->prng, PARTITIONS_MAX);
    fixture_topic(&w->f, "a", w->partitions[0]);
    fixture_topic(&w->f, "b", w->partitions[1]);
    for (int i = 0; i < CLIENTS; i++) {
        w->clients[i].index = i;
        w->clients[i].is_static = prng_chance(&w->prng, 1, 4);
    }
    for (int i = 0; i < STEPS; i++) {
        step(w);
        check_owners(w);
        check_epochs(w);
    }
    if (!w->clients[0].is_on)
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
    (void)state;
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
