// SPDX-License-Identifier: Apache-2.0
#include "broker/batch_check.h"

#include "env/env.h"

// Decompressed records of one batch may take this many times max.message.bytes, or what
// max.decompressed.message.bytes says if that is less; a bomb stops there.
enum { EXPANSION_MAX = 64, SCRATCH_MIN = 1 << 20 };

enum { QUICK_BYTES_MAX = 1 << 20 }; // takes a millisecond or a few

void batch_checks_init(struct batch_checks *checks, struct env *env, size_t quick_bytes_max)
{
    *checks = (struct batch_checks){
        .env = env,
        .quick_bytes_max = quick_bytes_max > 0 ? quick_bytes_max : QUICK_BYTES_MAX,
    };
    list_init(&checks->waiting);
}

// `quick_bytes_max` 0: however long it takes.
static int prepare(struct batch_check *check, size_t quick_bytes_max)
{
    size_t rebuilt_max = (size_t)check->config.max_message_bytes * EXPANSION_MAX + SCRATCH_MIN;
    size_t scratch_max = (size_t)check->config.max_decompressed_message_bytes;
    struct buf scratch;
    buf_init(&scratch, scratch_max < rebuilt_max ? scratch_max : rebuilt_max);
    buf_init(&check->rebuilt, rebuilt_max);
    if (quick_bytes_max > 0 && scratch.size_max > quick_bytes_max)
        scratch.size_max = quick_bytes_max;
    struct incoming_rules rules = {
        .config = &check->config,
        .produce_version = check->produce_version,
        .now_ms = check->now_ms,
        .quick_bytes_max = quick_bytes_max,
        .scratch = &scratch,
        .rebuilt = &check->rebuilt,
    };
    int result = incoming_batch_prepare(&rules, check->records, &check->batch);
    buf_release(&scratch);
    return result;
}

static void start_next(struct batch_checks *checks);

static void run(struct env_work *work)
{
    struct batch_check *check = container_of(work, struct batch_check, work);
    check->kafka_error = prepare(check, 0);
}

static void done(struct env_work *work)
{
    struct batch_check *check = container_of(work, struct batch_check, work);
    struct batch_checks *checks = check->owner;
    check->done(check);
    checks->busy = false;
    start_next(checks);
}

static void start_next(struct batch_checks *checks)
{
    struct list_node *node = checks->busy ? NULL : list_pop(&checks->waiting);
    if (node == NULL)
        return;
    struct batch_check *check = container_of(node, struct batch_check, node);
    checks->busy = true;
    check->work = (struct env_work){.run = run, .done = done, .bulk = true};
    env_work_submit(checks->env->workers, &check->work);
}

bool batch_check_quick(const struct batch_checks *checks, struct batch_check *check)
{
    int result = prepare(check, checks->quick_bytes_max);
    if (result == INCOMING_BATCH_LONG) {
        buf_release(&check->rebuilt);
        return false;
    }
    check->kafka_error = result;
    return true;
}

void batch_check_start(struct batch_checks *checks, struct batch_check *check)
{
    check->owner = checks;
    list_append(&checks->waiting, &check->node);
    start_next(checks);
}

void batch_check_release(struct batch_check *check)
{
    buf_release(&check->rebuilt);
}
