// SPDX-License-Identifier: Apache-2.0
#include "sim_env.h"

#include "base/bytes.h"
#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"

enum {
    WALL_START_S = 1700000000,
    RUN_OUT_STEPS_MAX = 100000,
    LATE_ONE_IN = 200, // messages, whose receiver or sender does not get its turn for long
    LATE_FACTOR = 100,
};

enum task_kind { TASK_MESSAGE, TASK_RUN, TASK_DONE };

struct task {
    struct heap_node node;
    struct list_node in_env;
    enum task_kind kind;
    struct sim_env *env;
    void *what; // env_message or env_work
};

void sim_init(struct sim *sim, uint64_t seed)
{
    *sim = (struct sim){.work_ns_max = 2000000};
    prng_init(&sim->prng, seed);
    sim->wall_offset_ms = INT64_C(1000) * WALL_START_S;
    heap_init(&sim->tasks);
    heap_init(&sim->events);
    list_init(&sim->envs);
}

void sim_release(struct sim *sim)
{
    check(list_empty(&sim->envs) && sim->tasks.count == 0 && sim->events.count == 0);
    heap_release(&sim->tasks);
    heap_release(&sim->events);
}

// ---- What happened ----

void sim_note(struct sim *sim, uint64_t value)
{
    struct prng mix;
    prng_init(&mix, sim->hash ^ value);
    sim->hash = prng_next(&mix);
}

void sim_note_bytes(struct sim *sim, const void *data, size_t size)
{
    sim->hash = hash_bytes((struct hash_seed){sim->hash, size}, bytes_of(data, size));
}

// ---- Who acts ----

struct sim_env *sim_enter(struct sim_env *e)
{
    struct sim_env *before = e->sim->current;
    e->sim->current = e;
    return before;
}

void sim_leave(struct sim *sim, struct sim_env *before)
{
    sim->current = before;
}

void sim_env_check_thread(const struct sim_env *e)
{
    check(!e->sim->in_work && (e->sim->current == NULL || e->sim->current == e));
}

// ---- What happens ----

void sim_event_set(struct sim *sim, struct sim_event *event, int64_t delay_ns)
{
    heap_remove(&sim->events, &event->node);
    heap_insert(&sim->events, &event->node, sim->now_ns + delay_ns);
}

void sim_event_cancel(struct sim *sim, struct sim_event *event)
{
    heap_remove(&sim->events, &event->node);
}

static void add_task(struct sim_env *e, enum task_kind kind, void *what, int64_t delay_ns)
{
    struct task *t = mem_new(struct task);
    t->kind = kind;
    t->env = e;
    t->what = what;
    list_append(&e->tasks, &t->in_env);
    heap_insert(&e->sim->tasks, &t->node, e->sim->now_ns + delay_ns);
}

static int64_t work_delay(struct sim *sim)
{
    return 1 + (int64_t)prng_below(&sim->prng, (uint64_t)sim->work_ns_max);
}

static void run_work(struct sim_env *e, struct env_work *work)
{
    e->sim->in_work = true;
    work->run(work);
    e->sim->in_work = false;
    add_task(e, TASK_DONE, work, work_delay(e->sim));
}

static void take_task(struct sim *sim, struct task *t)
{
    struct sim_env *e = t->env;
    void *what = t->what;
    enum task_kind kind = t->kind;
    heap_remove(&sim->tasks, &t->node);
    list_remove(&t->in_env);
    mem_free(t);
    sim_note(sim, kind);
    struct sim_env *before = sim_enter(e);
    if (kind == TASK_MESSAGE) {
        struct env_message *message = what;
        message->receive(message);
    } else if (kind == TASK_DONE) {
        struct env_work *work = what;
        work->done(work);
    } else {
        run_work(e, what);
    }
    sim_leave(sim, before);
}

static void fire_timer(struct sim_env *e)
{
    struct heap_node *first = heap_min(&e->timer_heap);
    struct env_timer *timer = container_of(first, struct env_timer, node);
    heap_remove(&e->timer_heap, first);
    struct sim_env *before = sim_enter(e);
    timer->fire(timer);
    sim_leave(e->sim, before);
}

// The env whose first timer is the earliest of all, or NULL.
static struct sim_env *earliest_timer(struct sim *sim)
{
    struct sim_env *best = NULL;
    list_for_each(node, next, &sim->envs) {
        struct sim_env *e = container_of(node, struct sim_env, node);
        struct heap_node *first = heap_min(&e->timer_heap);
        if (first != NULL && (best == NULL || first->key < heap_min(&best->timer_heap)->key))
            best = e;
    }
    return best;
}

static struct heap_node *sooner(struct heap_node *a, struct heap_node *b)
{
    return a == NULL || (b != NULL && b->key < a->key) ? b : a;
}

bool sim_step_until(struct sim *sim, int64_t until_ns)
{
    struct heap_node *task = heap_min(&sim->tasks), *event = heap_min(&sim->events);
    struct sim_env *e = earliest_timer(sim);
    struct heap_node *timer = e != NULL ? heap_min(&e->timer_heap) : NULL;
    struct heap_node *first = sooner(task, sooner(event, timer));
    if (first == NULL || first->key > until_ns)
        return false;
    if (first->key > sim->now_ns)
        sim->now_ns = first->key;
    sim->steps++;
    sim_note(sim, (uint64_t)sim->now_ns);
    if (first == task) {
        take_task(sim, container_of(task, struct task, node));
    } else if (first == timer) {
        fire_timer(e);
    } else {
        heap_remove(&sim->events, event);
        struct sim_event *what = container_of(event, struct sim_event, node);
        what->fire(what);
    }
    return true;
}

bool sim_step(struct sim *sim)
{
    return sim_step_until(sim, INT64_MAX);
}

void sim_run_for(struct sim *sim, int64_t ns)
{
    int64_t until_ns = sim->now_ns + ns;
    while (sim_step_until(sim, until_ns))
        ;
    sim->now_ns = until_ns;
}

void sim_run_works(struct sim *sim)
{
    while (sim->tasks.count > 0) {
        bool stepped = sim_step_until(sim, INT64_MAX);
        check(stepped);
    }
}

// ---- The seam ----

static int64_t wall_ms(struct env_clock *clock)
{
    const struct sim *sim = container_of(clock, struct sim_env, clock)->sim;
    return sim->wall_offset_ms + sim->now_ns / 1000000;
}

static int64_t mono_ns(struct env_clock *clock)
{
    return container_of(clock, struct sim_env, clock)->sim->now_ns;
}

static void timer_set(struct env_timers *timers, struct env_timer *timer, int64_t at_ns)
{
    struct sim_env *e = container_of(timers, struct sim_env, timers);
    sim_env_check_thread(e);
    heap_remove(&e->timer_heap, &timer->node);
    heap_insert(&e->timer_heap, &timer->node, at_ns);
}

static void timer_cancel(struct env_timers *timers, struct env_timer *timer)
{
    struct sim_env *e = container_of(timers, struct sim_env, timers);
    sim_env_check_thread(e);
    heap_remove(&e->timer_heap, &timer->node);
}

static void work_submit(struct env_workers *workers, struct env_work *work)
{
    struct sim_env *e = container_of(workers, struct sim_env, workers);
    sim_env_check_thread(e);
    add_task(e, TASK_RUN, work, work_delay(e->sim));
}

static void random_fill(struct env_random *random, void *out, size_t size)
{
    struct sim_env *e = container_of(random, struct sim_env, random);
    struct sim *sim = e->sim;
    sim_env_check_thread(e);
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)out)[i] = (uint8_t)prng_next(&sim->prng);
}

static struct sim_sender *sender_of(struct sim_env *to, const struct sim_env *from)
{
    for (int i = 0; i < to->sender_count; i++)
        if (to->senders[i].env == from)
            return &to->senders[i];
    check(to->sender_count < SIM_SENDERS_MAX);
    to->senders[to->sender_count] = (struct sim_sender){.env = from};
    return &to->senders[to->sender_count++];
}

static int64_t message_delay(struct sim *sim)
{
    if (sim->message_ns_max == 0)
        return 0;
    int64_t delay_ns = (int64_t)prng_below(&sim->prng, (uint64_t)sim->message_ns_max + 1);
    return prng_chance(&sim->prng, 1, LATE_ONE_IN) ? delay_ns * LATE_FACTOR : delay_ns;
}

static void post(struct env_mailbox *mailbox, struct env_message *message)
{
    struct sim_env *to = container_of(mailbox, struct sim_env, mailbox);
    struct sim *sim = to->sim;
    int64_t delay_ns = 0;
    check(!sim->in_work);
    if (sim->current != to) {
        struct sim_sender *sender = sender_of(to, sim->current);
        int64_t at_ns = sim->now_ns + message_delay(sim);
        if (at_ns > sender->last_ns)
            sender->last_ns = at_ns;
        delay_ns = sender->last_ns - sim->now_ns;
    }
    add_task(to, TASK_MESSAGE, message, delay_ns);
}

void sim_env_init(struct sim_env *e, struct sim *sim, struct env_fs *fs)
{
    *e = (struct sim_env){.sim = sim};
    e->clock = (struct env_clock){.wall_ms = wall_ms, .mono_ns = mono_ns};
    e->timers = (struct env_timers){.set = timer_set, .cancel = timer_cancel};
    e->workers = (struct env_workers){.submit = work_submit};
    e->random = (struct env_random){.fill = random_fill};
    e->mailbox = (struct env_mailbox){.post = post};
    e->env = (struct env){.clock = &e->clock, .timers = &e->timers, .fs = fs,
                          .workers = &e->workers, .random = &e->random, .mailbox = &e->mailbox};
    heap_init(&e->timer_heap);
    list_init(&e->tasks);
    list_append(&sim->envs, &e->node);
}

// The first task of one of them, each in its turn, or NULL.
static struct task *next_task(struct sim_env *envs, int count, int *turn)
{
    for (int i = 0; i < count; i++) {
        *turn = (*turn + 1) % count;
        struct list_node *first = list_first(&envs[*turn].tasks);
        if (first != NULL)
            return container_of(first, struct task, in_env);
    }
    return NULL;
}

static struct sim_env *next_timer(struct sim_env *envs, int count)
{
    struct sim_env *best = NULL;
    for (int i = 0; i < count; i++) {
        const struct heap_node *first = heap_min(&envs[i].timer_heap);
        if (first != NULL && (best == NULL || first->key < heap_min(&best->timer_heap)->key))
            best = &envs[i];
    }
    return best;
}

void sim_envs_drain(struct sim_env *envs, int count)
{
    struct task *task;
    int turn = 0;
    while ((task = next_task(envs, count, &turn)) != NULL)
        take_task(envs[0].sim, task);
}

void sim_envs_run_out(struct sim_env *envs, int count, const bool *done)
{
    struct sim *sim = envs[0].sim;
    int64_t now_ns = sim->now_ns;
    int turn = 0;
    for (int i = 0; !*done && i < RUN_OUT_STEPS_MAX; i++) {
        struct task *task = next_task(envs, count, &turn);
        struct sim_env *e = next_timer(envs, count);
        if (task != NULL) {
            take_task(sim, task);
        } else if (e != NULL) {
            if (heap_min(&e->timer_heap)->key > sim->now_ns)
                sim->now_ns = heap_min(&e->timer_heap)->key;
            fire_timer(e);
        } else {
            break;
        }
    }
    check(*done);
    sim->now_ns = now_ns;
}

void sim_env_release(struct sim_env *e)
{
    struct heap_node *node;
    check(list_empty(&e->tasks));
    while ((node = heap_min(&e->timer_heap)) != NULL)
        heap_remove(&e->timer_heap, node);
    heap_release(&e->timer_heap);
    list_remove(&e->node);
}
