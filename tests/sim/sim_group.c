// SPDX-License-Identifier: Apache-2.0
//
// Simulation of the group coordinator: classic members and members of the consumer protocol join,
// leave and vanish, requests and answers are lost, the coordinator moves, fails to append, and
// crashes with the loss of what was not committed. After each answer what was promised must hold:
// committed offsets stay; every so often the log is loaded beside and must give the same state;
// nobody owns what somebody else owns. At the end nothing fails any more, and every group must come
// to rest with each partition owned once.
//
//   sim_group [--seeds N] [--start N] [--verbose] [--broken early-ack|no-timeouts]
//
// A seed decides everything. --broken puts in a bug and expects it to be caught.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "group/internal.h"
#include "group_members.h"

enum {
    TROUBLE_MS = 60000, // of faults
    REST_MS = 300000,   // in which everything must settle
    MEMBERS_EVER_MAX = 64,
    STEP_MS = 100, // between looks at everything
};

struct history {
    struct world world;
    struct member *members[MEMBERS_EVER_MAX];
    int member_count;
};

static struct {
    uint64_t crashes, requests, hash;
} totals;

// ---- What members do ----

static void add_member(struct history *h)
{
    int alive = 0;
    for (int i = 0; i < h->member_count; i++)
        alive += member_is_alive(h->members[i]);
    if (alive >= WORLD_MEMBERS_MAX || h->member_count == MEMBERS_EVER_MAX)
        return;
    int group = (int)world_below(&h->world, WORLD_GROUPS);
    // The first group is classic, the second of the new protocol, the third goes to and fro.
    bool classic = group == 0 || (group == 2 && world_chance(&h->world, 1, 2));
    h->members[h->member_count] = member_new(&h->world, group, classic, h->member_count);
    h->member_count++;
}

static struct member *choose(struct history *h)
{
    struct member *m =
        h->member_count == 0 ? NULL : h->members[world_below(&h->world, (uint64_t)h->member_count)];
    return m != NULL && member_is_alive(m) ? m : NULL;
}

static void disturb(struct history *h)
{
    struct world *w = &h->world;
    struct member *m = choose(h);
    switch (world_below(w, 60)) {
    case 0:
    case 1:
        add_member(h);
        break;
    case 2:
        if (m != NULL)
            member_leave(m);
        break;
    case 3:
        if (m != NULL)
            member_vanish(m);
        break;
    case 4:
        if (world_chance(w, 1, 3))
            world_crash(w);
        break;
    case 5:
        if (world_chance(w, 1, 6))
            world_move(w);
        break;
    case 6:
        if (world_chance(w, 1, 4))
            world_grow(w, (int)world_below(w, WORLD_TOPICS));
        break;
    case 7:
        if (world_chance(w, 1, 4))
            world_check_replay(w);
        break;
    default:
        break;
    }
}

static void work(struct history *h)
{
    struct member *m = choose(h);
    if (m == NULL)
        return;
    if (world_chance(&h->world, 2, 3))
        member_commit(m);
    else
        member_fetch(m);
}

// ---- What must hold ----

static int owners(const struct history *h, int group, int topic, int partition)
{
    int count = 0;
    for (int i = 0; i < h->member_count; i++)
        count += member_group(h->members[i]) == group && member_is_alive(h->members[i]) &&
                 member_owns(h->members[i], topic, partition);
    return count;
}

static int alive_in(const struct history *h, int group)
{
    int count = 0;
    for (int i = 0; i < h->member_count; i++)
        count += member_group(h->members[i]) == group && member_is_alive(h->members[i]);
    return count;
}

// Fails unless each partition of each group with members has one owner.
static void check_settled(struct history *h)
{
    for (int g = 0; g < WORLD_GROUPS; g++)
        for (int t = 0; alive_in(h, g) > 0 && t < WORLD_TOPICS; t++)
            for (int p = 0; p < h->world.partition_counts[t]; p++)
                if (owners(h, g, t, p) != 1)
                    world_fail(&h->world,
                               "group %s does not settle: %s-%d has %d owners, of %d members",
                               world_group_id(g), world_topic_name(t), p, owners(h, g, t, p),
                               alive_in(h, g));
}

static void check_journals(struct history *h)
{
    struct world *w = &h->world;
    for (struct group *g = NULL; w->is_up && (g = groups_next(w->groups, g)) != NULL;)
        if (g->journal.count > JOURNAL_ENTRIES_MAX)
            world_fail(w, "the journal of %s has %d entries", g->id, g->journal.count);
}

// ---- A history ----

static void run_until(struct history *h, int64_t end_ms)
{
    while (world_step(&h->world, end_ms)) {
    }
    if (!h->world.failed && h->world.now.mono_ms < end_ms) {
        h->world.now.wall_ms += end_ms - h->world.now.mono_ms;
        h->world.now.mono_ms = end_ms;
    }
}

static void trouble(struct history *h)
{
    int64_t end_ms = h->world.now.mono_ms + TROUBLE_MS;
    for (int i = 0; i < 4; i++)
        add_member(h);
    while (!h->world.failed && h->world.now.mono_ms < end_ms) {
        run_until(h, h->world.now.mono_ms + STEP_MS);
        disturb(h);
        work(h);
        check_journals(h);
    }
}

static void rest(struct history *h)
{
    struct world *w = &h->world;
    int64_t end_ms = w->now.mono_ms + REST_MS;
    w->has_faults = false;
    world_note(w, "no more faults");
    while (!w->failed && w->now.mono_ms < end_ms)
        run_until(h, w->now.mono_ms + STEP_MS * 10);
    check_settled(h);
    world_check_replay(w);
    // It stays settled, and what was promised is there.
    for (int i = 0; i < h->member_count && !w->failed; i++)
        if (member_is_alive(h->members[i]))
            for (int k = 0; k < 4; k++)
                member_fetch(h->members[i]);
    run_until(h, w->now.mono_ms + STEP_MS * 100);
    check_settled(h);
}

static bool run_seed(const struct world_options *options)
{
    struct history *h = mem_new(struct history);
    world_init(&h->world, options);
    trouble(h);
    if (!h->world.failed)
        rest(h);
    bool good = !h->world.failed;
    if (!good && options->verbose)
        world_show(&h->world);
    if (!good && (options->bug == BUG_NONE || options->verbose))
        fprintf(stderr, "seed %" PRIu64 ", at %" PRId64 " ms: %s\n", options->seed,
                h->world.now.mono_ms, h->world.message);
    totals.crashes += h->world.crashes;
    totals.requests += h->world.requests;
    totals.hash = totals.hash * 31 + h->world.hash;
    world_release(&h->world);
    for (int i = 0; i < h->member_count; i++)
        member_free(h->members[i]);
    mem_free(h);
    return good;
}

static int run(const struct world_options *base, uint64_t start, uint64_t seeds)
{
    struct world_options options = *base;
    for (options.seed = start; options.seed < start + seeds; options.seed++) {
        if (run_seed(&options))
            continue;
        if (options.bug != BUG_NONE) {
            printf("the bug was caught by seed %" PRIu64 "\n", options.seed);
            return 0;
        }
        fprintf(stderr, "again: sim_group --seeds 1 --start %" PRIu64 " --verbose\n", options.seed);
        return 1;
    }
    printf("%" PRIu64 " seeds from %" PRIu64 ": %" PRIu64 " requests, %" PRIu64
           " crashes, state %016" PRIx64 "\n",
           seeds, start, totals.requests, totals.crashes, totals.hash);
    if (options.bug != BUG_NONE)
        fprintf(stderr, "the bug was not caught\n");
    return options.bug != BUG_NONE ? 1 : 0;
}

static bool bug_parse(const char *name, enum world_bug *out)
{
    *out = strcmp(name, "early-ack") == 0     ? BUG_EARLY_ACK
           : strcmp(name, "no-timeouts") == 0 ? BUG_NO_TIMEOUTS
                                              : BUG_NONE;
    return *out != BUG_NONE;
}

int main(int argc, char **argv)
{
    struct world_options options = {0};
    int64_t seeds = 100, start = 1;
    for (int i = 1; i < argc; i++) {
        bool has_next = i + 1 < argc;
        if (strcmp(argv[i], "--verbose") == 0) {
            options.verbose = true;
        } else if (strcmp(argv[i], "--broken") == 0 && has_next &&
                   bug_parse(argv[i + 1], &options.bug)) {
            i++;
        } else if (strcmp(argv[i], "--seeds") == 0 && has_next &&
                   str_parse_i64(str_from(argv[i + 1]), &seeds)) {
            i++;
        } else if (strcmp(argv[i], "--start") == 0 && has_next &&
                   str_parse_i64(str_from(argv[i + 1]), &start)) {
            i++;
        } else {
            fprintf(stderr, "usage: sim_group [--seeds N] [--start N] [--verbose] "
                            "[--broken early-ack|no-timeouts]\n");
            return 2;
        }
    }
    return run(&options, (uint64_t)start, (uint64_t)seeds);
}
