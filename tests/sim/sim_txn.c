// SPDX-License-Identifier: Apache-2.0
//
// Simulation of the transaction coordinator: producers that share transactional ids write, commit, abort,
// stall past their timeouts and fence each other; requests, answers and markers are lost; the coordinator
// moves, fails to append, and crashes with the loss of what was not committed; ids run out of epochs.
// What must hold at every moment:
//   - a transaction ends alike in all of its partitions, and as its producer was told;
//   - whoever begins finds nothing open of those before it, so what was fenced never commits after that;
//   - a partition never has two transactions of one producer open, and no marker comes with an old epoch;
//   - the log, loaded beside, gives the same state.
// At the end nothing fails any more, nobody asks, and every transaction must come to its end.
//
//   sim_txn [--seeds N] [--start N] [--verbose] [--broken early-ack|forgotten-load]
//
// A seed decides everything. --broken puts in a bug and expects it to be caught.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "txn_world.h"

enum {
    TROUBLE_MS = 60000, // of faults
    REST_MS = 120000,   // in which all must end
    STEP_MS = 100,
};

enum bug { BUG_NONE, BUG_EARLY_ACK, BUG_FORGOTTEN_LOAD };

struct options {
    uint64_t seed;
    enum bug bug;
    bool verbose;
};

static struct {
    uint64_t crashes, commits, aborts, fenced, hash;
} totals;

static void run_until(struct txn_world *w, int64_t end_ms)
{
    while (txn_world_step(w, end_ms)) {
    }
    if (!w->scene.failed && w->scene.now_ms < end_ms)
        w->scene.now_ms = end_ms;
}

static void trouble(struct txn_world *w)
{
    int64_t end_ms = w->scene.now_ms + TROUBLE_MS;
    while (!w->scene.failed && w->scene.now_ms < end_ms) {
        run_until(w, w->scene.now_ms + STEP_MS);
        switch (scene_below(&w->scene, 60)) {
        case 0:
            sim_coordinator_crash(&w->coordinator);
            break;
        case 1:
            if (scene_chance(&w->scene, 1, 4))
                sim_coordinator_move(&w->coordinator);
            break;
        case 2:
        case 3:
            sim_coordinator_check_replay(&w->coordinator);
            break;
        default:
            break;
        }
    }
}

static void rest(struct txn_world *w)
{
    w->coordinator.has_faults = false;
    scene_note(&w->scene, "no more faults");
    run_until(w, w->scene.now_ms + REST_MS / 4); // in which producers go on
    w->is_over = true;
    run_until(w, w->scene.now_ms + REST_MS);
    txn_world_check_rest(w);
    sim_coordinator_check_replay(&w->coordinator);
}

static bool run_seed(const struct options *options)
{
    struct txn_world *w = mem_new(struct txn_world);
    txn_world_init(w, options->seed, options->seed % 4 == 0 ? 0 : 2);
    w->scene.verbose = options->verbose;
    w->coordinator.acks_early = options->bug == BUG_EARLY_ACK;
    w->coordinator.forgets_loads = options->bug == BUG_FORGOTTEN_LOAD;
    txn_world_start(w);
    trouble(w);
    if (!w->scene.failed)
        rest(w);
    bool good = !w->scene.failed;
    if (!good && (options->bug == BUG_NONE || options->verbose))
        fprintf(stderr, "seed %" PRIu64 ", at %" PRId64 " ms: %s\n", options->seed, w->scene.now_ms,
                w->scene.message);
    totals.crashes += w->coordinator.crashes;
    totals.commits += w->commits;
    totals.aborts += w->aborts;
    totals.fenced += w->fenced;
    totals.hash = totals.hash * 31 + w->scene.hash;
    txn_world_release(w);
    mem_free(w);
    return good;
}

static int run(const struct options *base, uint64_t start, uint64_t seeds)
{
    struct options options = *base;
    for (options.seed = start; options.seed < start + seeds; options.seed++) {
        if (run_seed(&options))
            continue;
        if (options.bug != BUG_NONE) {
            printf("the bug was caught by seed %" PRIu64 "\n", options.seed);
            return 0;
        }
        fprintf(stderr, "again: sim_txn --seeds 1 --start %" PRIu64 " --verbose\n", options.seed);
        return 1;
    }
    printf("%" PRIu64 " seeds from %" PRIu64 ": %" PRIu64 " commits, %" PRIu64 " aborts, %" PRIu64
           " fenced, %" PRIu64 " crashes, state %016" PRIx64 "\n",
           seeds, start, totals.commits, totals.aborts, totals.fenced, totals.crashes, totals.hash);
    if (options.bug != BUG_NONE)
        fprintf(stderr, "the bug was not caught\n");
    return options.bug != BUG_NONE ? 1 : 0;
}

static bool bug_parse(const char *name, enum bug *out)
{
    *out = strcmp(name, "early-ack") == 0        ? BUG_EARLY_ACK
           : strcmp(name, "forgotten-load") == 0 ? BUG_FORGOTTEN_LOAD
                                                 : BUG_NONE;
    return *out != BUG_NONE;
}

int main(int argc, char **argv)
{
    struct options options = {0};
    int64_t seeds = 100, start = 1;
    for (int i = 1; i < argc; i++) {
        bool has_next = i + 1 < argc;
        if (strcmp(argv[i], "--verbose") == 0) {
            options.verbose = true;
        } else if (strcmp(argv[i], "--broken") == 0 && has_next && bug_parse(argv[i + 1], &options.bug)) {
            i++;
        } else if (strcmp(argv[i], "--seeds") == 0 && has_next &&
                   str_parse_i64(str_from(argv[i + 1]), &seeds)) {
            i++;
        } else if (strcmp(argv[i], "--start") == 0 && has_next &&
                   str_parse_i64(str_from(argv[i + 1]), &start)) {
            i++;
        } else {
            fprintf(stderr, "usage: sim_txn [--seeds N] [--start N] [--verbose] "
                            "[--broken early-ack|forgotten-load]\n");
            return 2;
        }
    }
    return run(&options, (uint64_t)start, (uint64_t)seeds);
}
