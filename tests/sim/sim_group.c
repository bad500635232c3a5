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
#include "group_world.h"

enum {
    TROUBLE_MS = 60000, // of faults
    REST_MS = 300000,   // in which everything must settle
    STEP_MS = 100, // between looks at everything
};

struct history {
    struct world world;
    struct member *members[GROUP_MEMBERS_MAX];
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
    if (alive >= MEMBERS_ALIVE_MAX || h->member_count == GROUP_MEMBERS_MAX)
        return;
    h->members[h->member_count] = member_new_any(&h->world.scene, h->member_count);
    h->member_count++;
}

static struct member *choose(struct history *h)
{
    struct member *m =
        h->member_count == 0 ? NULL : h->members[scene_below(&h->world.scene, (uint64_t)h->member_count)];
    return m != NULL && member_is_alive(m) ? m : NULL;
}

static void disturb(struct history *h)
{
    struct world *w = &h->world;
    struct member *m = choose(h);
    switch (scene_below(&w->scene, 60)) {
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
        if (scene_chance(&w->scene, 1, 3))
            world_crash(w);
        break;
    case 5:
        if (scene_chance(&w->scene, 1, 6))
            world_move(w);
        break;
    case 6:
        if (scene_chance(&w->scene, 1, 4))
            world_grow(w, (int)scene_below(&w->scene, GROUP_TOPICS));
        break;
    case 7:
        if (scene_chance(&w->scene, 1, 4))
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
    if (scene_chance(&h->world.scene, 2, 3))
        member_commit(m);
    else
        member_fetch(m);
}

// ---- What must hold ----

static void check_settled(struct history *h)
{
    char why[SETTLED_WORDS_MAX];
    if (!members_are_settled(&h->world.scene, h->members, h->member_count, why, sizeof why))
        scene_fail(&h->world.scene, "%s", why);
}

static void check_journals(struct history *h)
{
    struct world *w = &h->world;
    for (struct group *g = NULL; w->is_up && (g = groups_next(w->groups, g)) != NULL;)
        if (g->journal.count > JOURNAL_ENTRIES_MAX)
            scene_fail(&w->scene, "the journal of %s has %d entries", g->id, g->journal.count);
}

// ---- A history ----

static void run_until(struct history *h, int64_t end_ms)
{
    while (world_step(&h->world, end_ms)) {
    }
    if (!h->world.scene.failed && h->world.scene.now_ms < end_ms)
        h->world.scene.now_ms = end_ms;
}

static void trouble(struct history *h)
{
    int64_t end_ms = h->world.scene.now_ms + TROUBLE_MS;
    for (int i = 0; i < 4; i++)
        add_member(h);
    while (!h->world.scene.failed && h->world.scene.now_ms < end_ms) {
        run_until(h, h->world.scene.now_ms + STEP_MS);
        disturb(h);
        work(h);
        check_journals(h);
    }
}

static void rest(struct history *h)
{
    struct world *w = &h->world;
    int64_t end_ms = w->scene.now_ms + REST_MS;
    w->has_faults = false;
    scene_note(&w->scene, "no more faults");
    while (!w->scene.failed && w->scene.now_ms < end_ms)
        run_until(h, w->scene.now_ms + STEP_MS * 10);
    check_settled(h);
    world_check_replay(w);
    // It stays settled, and what was promised is there.
    for (int i = 0; i < h->member_count && !w->scene.failed; i++)
        if (member_is_alive(h->members[i]))
            for (int k = 0; k < 4; k++)
                member_fetch(h->members[i]);
    run_until(h, w->scene.now_ms + STEP_MS * 100);
    check_settled(h);
}

static bool run_seed(const struct world_options *options)
{
    struct history *h = mem_new(struct history);
    world_init(&h->world, options);
    trouble(h);
    if (!h->world.scene.failed)
        rest(h);
    bool good = !h->world.scene.failed;
    if (!good && options->verbose)
        world_show(&h->world);
    if (!good && (options->bug == BUG_NONE || options->verbose))
        fprintf(stderr, "seed %" PRIu64 ", at %" PRId64 " ms: %s\n", options->seed,
                h->world.scene.now_ms, h->world.scene.message);
    totals.crashes += h->world.crashes;
    totals.requests += h->world.scene.asked;
    totals.hash = totals.hash * 31 + h->world.scene.hash;
    for (int i = 0; i < h->member_count; i++)
        member_free(h->members[i]);
    world_release(&h->world);
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
