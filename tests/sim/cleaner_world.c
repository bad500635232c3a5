// SPDX-License-Identifier: Apache-2.0
#include "cleaner_world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

__attribute__((format(printf, 2, 3))) void fail(struct harness *h, const char *format, ...)
{
    if (h->failed)
        return;
    h->failed = true;
    va_list args;
    va_start(args, format);
    vsnprintf(h->message, sizeof h->message, format, args);
    va_end(args);
}

__attribute__((format(printf, 2, 3))) void say(const struct harness *h, const char *format, ...)
{
    if (!h->options->verbose)
        return;
    va_list args;
    va_start(args, format);
    printf("%10.3f ms  ", (double)h->sim.now_ns / 1e6);
    vprintf(format, args);
    printf("\n");
    va_end(args);
}

uint64_t below(struct harness *h, uint64_t bound)
{
    return prng_below(&h->prng, bound);
}

bool chance(struct harness *h, uint64_t numerator, uint64_t denominator)
{
    return prng_chance(&h->prng, numerator, denominator);
}

int64_t now_ms(struct harness *h)
{
    return env_wall_ms(h->shard.env.clock);
}

bool is_down(const struct harness *h)
{
    return h->offline || sim_fs_is_crashed(h->fs);
}

bool excused(struct harness *h, int err, const char *what)
{
    if (err >= 0)
        return true;
    if (!is_down(h) && !h->disturbed)
        fail(h, "%s: %s without a reason", what, err_name(err));
    return false;
}

// ---- Model ----

void part_cut(struct part *p, int64_t end_offset)
{
    while (p->sent_count > 0 && p->sent[p->sent_count - 1].last_offset >= end_offset)
        mem_free(p->sent[--p->sent_count].bytes);
}

int64_t part_end(const struct part *p, int64_t otherwise)
{
    return p->sent_count > 0 ? p->sent[p->sent_count - 1].last_offset + 1 : otherwise;
}

bool is_data_of(const struct sent *s, int64_t producer_id)
{
    return s->producer_id == producer_id && !s->control;
}

// The last batch with data of a producer, or NULL; *is_open tells of a transaction.
const struct sent *last_of(const struct part *p, int64_t producer_id, bool *is_open)
{
    *is_open = false;
    for (int i = p->sent_count - 1; i >= 0; i--) {
        const struct sent *s = &p->sent[i];
        if (!is_data_of(s, producer_id))
            continue;
        *is_open = s->transactional;
        for (int k = i + 1; k < p->sent_count; k++)
            if (p->sent[k].control && p->sent[k].producer_id == producer_id)
                *is_open = false;
        return s;
    }
    return NULL;
}

// What the markers that are there have decided.
void part_decide(struct part *p)
{
    for (int i = 0; i < p->sent_count; i++) {
        struct sent *s = &p->sent[i];
        s->fate = s->transactional && !s->control ? FATE_OPEN : FATE_PLAIN;
        for (int k = 0; k < i && s->control; k++)
            if (is_data_of(&p->sent[k], s->producer_id) && p->sent[k].fate == FATE_OPEN)
                p->sent[k].fate = s->aborts ? FATE_ABORTED : FATE_COMMITTED;
    }
}

struct sent *sent_at(const struct part *p, int64_t base_offset)
{
    int low = 0, high = p->sent_count;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (p->sent[middle].base_offset < base_offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low < p->sent_count && p->sent[low].base_offset == base_offset ? &p->sent[low] : NULL;
}

void value_of(int64_t id, uint8_t out[VALUE_MAX], size_t *size)
{
    *size = 8 + (size_t)(id * 7 % (VALUE_MAX - 8));
    memset(out, (int)(id & 0xff), *size);
    be64_store(out, (uint64_t)id);
}

