// SPDX-License-Identifier: Apache-2.0
//
// The sticky task assignor. It decides as that of Apache Kafka 4.4 does, ties included, so that both can be
// compared input by input (tests/golden/group/streams-assign.txt). In this order:
//
//   1. An active task stays with its member, or goes to a member that has its state, while that member has
//      fewer tasks than its share.
//   2. The other active tasks go to the least loaded process, and there to the least loaded member.
//   3. A standby task goes to the member that had the active task, or else to one that has its state, while
//      that member has fewer tasks than its share; the others go where there is the least load. Never to a
//      process that has the task already.
//
// Load is tasks by member. The share is what is left to be given out by the members that are not full:
// the rounded-up average, computed anew when a member reaches it.
#include "group/streams_assign.h"

#include <stdlib.h>

#include "base/mem.h"

struct process {
    int32_t first; // of its members in sticky.by_process
    int32_t member_count;
    int32_t task_count;
    bool has_heap; // its members in sticky.by_process are in the order of a heap
};

// Who has the state of a task and may continue it: the standbys, then those that told of offsets; the
// farther the sooner.
struct candidate {
    int32_t task;
    int32_t member;
    bool is_standby;
    int64_t offset;
};

struct share {
    int64_t tasks;   // to be given out to them
    int64_t members; // that are not full
    int64_t each;
};

struct sticky {
    const struct streams_assign_input *in;
    struct streams_assign_output *out;
    int32_t task_count;
    int32_t *by_partition;      // tasks in order of partition, then of subtopology
    int32_t *previous;          // by task: the member that was active
    struct candidate *candidates; // by task
    int32_t *candidate_starts;  // by task, task_count + 1 of them
    struct process *processes;  // in order of id
    int32_t process_count;
    int32_t *process_of;        // by member
    int32_t *by_process;        // members, those of a process together
    int64_t *member_loads;      // tasks by member
    int64_t *process_loads;     // see load_of()
    int32_t *queue;             // processes in the order of a heap
    int32_t queue_count;
    int32_t *polled;            // processes that were taken out of it
    struct share active;
    struct share all;           // standbys too
};

// ---- Heaps of numbers by load ----
//
// base/heap.h gives equals in the order of their insertion. Here the plain rules decide, as in
// java.util.PriorityQueue: up past what is greater, down to the smaller child, the left one of equals.

static void heap_push(int32_t *items, int32_t *count, const int64_t *loads, int32_t item)
{
    int32_t at = (*count)++;
    while (at > 0 && loads[item] < loads[items[(at - 1) / 2]]) {
        items[at] = items[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    items[at] = item;
}

// Puts `item` at the top and lets it sink.
static void heap_sink(int32_t *items, int32_t count, const int64_t *loads, int32_t item)
{
    int32_t at = 0;
    for (int32_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && loads[items[child]] > loads[items[child + 1]])
            child++;
        if (loads[item] <= loads[items[child]])
            break;
        items[at] = items[child];
    }
    items[at] = item;
}

static int32_t heap_pop(int32_t *items, int32_t *count, const int64_t *loads)
{
    int32_t top = items[0], last = items[--*count];
    if (*count > 0)
        heap_sink(items, *count, loads, last);
    return top;
}

// ---- Shares ----

static void share_compute(struct share *s)
{
    s->each = s->members > 0 ? s->tasks / s->members + (s->tasks % s->members > 0) : 0;
}

// A member has `count` tasks now.
static void share_note(struct share *s, int64_t count)
{
    if (count != s->each)
        return;
    s->members--;
    s->tasks -= s->each;
    share_compute(s);
}

// ---- What there is before ----

struct by_process {
    struct str process_id;
    int32_t member;
};

static int compare_by_process(const void *a, const void *b)
{
    const struct by_process *x = a, *y = b;
    int order = str_compare(x->process_id, y->process_id);
    return order != 0 ? order : (x->member > y->member) - (x->member < y->member);
}

// Processes in order of id, their members in order of theirs.
static void processes_fill(struct sticky *s)
{
    int32_t count = s->in->member_count;
    struct by_process *sorted = mem_alloc_array((size_t)count, sizeof(*sorted));
    for (int32_t m = 0; m < count; m++)
        sorted[m] = (struct by_process){.process_id = s->in->members[m].process_id, .member = m};
    qsort(sorted, (size_t)count, sizeof(*sorted), compare_by_process);
    for (int32_t i = 0; i < count; i++) {
        if (i == 0 || !str_equal(sorted[i].process_id, sorted[i - 1].process_id))
            s->processes[s->process_count++].first = i;
        s->processes[s->process_count - 1].member_count++;
        s->process_of[sorted[i].member] = s->process_count - 1;
        s->by_process[i] = sorted[i].member;
    }
    mem_free(sorted);
}

static void by_partition_fill(struct sticky *s)
{
    const struct streams_assign_input *in = s->in;
    int32_t most = 0;
    for (int32_t i = 0; i < in->subtopology_count; i++)
        if (in->subtopologies[i].task_count > most)
            most = in->subtopologies[i].task_count;
    int32_t *next = mem_alloc_array((size_t)most + 1, sizeof(*next)); // where those of a partition go on
    for (int32_t i = 0; i < in->subtopology_count; i++)
        for (int32_t p = 0; p < in->subtopologies[i].task_count; p++)
            next[p + 1]++;
    for (int32_t p = 0; p < most; p++)
        next[p + 1] += next[p];
    for (int32_t i = 0; i < in->subtopology_count; i++)
        for (int32_t p = 0; p < in->subtopologies[i].task_count; p++)
            s->by_partition[next[p]++] = in->subtopologies[i].first + p;
    mem_free(next);
}

static int compare_candidates(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    if (x->task != y->task)
        return x->task < y->task ? -1 : 1;
    if (x->is_standby != y->is_standby)
        return x->is_standby ? -1 : 1;
    if (x->offset != y->offset)
        return x->offset > y->offset ? -1 : 1;
    return (x->member > y->member) - (x->member < y->member);
}

static int32_t candidates_of(const struct streams_assign_member *m, int32_t number, struct candidate *out)
{
    const int32_t *standbys = m->previous[TASK_STANDBY];
    int32_t count = 0, i = 0, j = 0;
    while (i < m->previous_count[TASK_STANDBY] || j < m->offset_count) {
        bool is_standby = i < m->previous_count[TASK_STANDBY] &&
                          (j == m->offset_count || standbys[i] <= m->offsets[j].task);
        int32_t task = is_standby ? standbys[i] : m->offsets[j].task;
        bool is_told = j < m->offset_count && m->offsets[j].task == task;
        out[count++] = (struct candidate){task, number, is_standby, is_told ? m->offsets[j].offset : 0};
        i += is_standby;
        j += is_told;
    }
    return count;
}

static void candidates_fill(struct sticky *s)
{
    const struct streams_assign_input *in = s->in;
    size_t most = 0, count = 0;
    for (int32_t m = 0; m < in->member_count; m++)
        most += (size_t)in->members[m].previous_count[TASK_STANDBY] + (size_t)in->members[m].offset_count;
    s->candidates = mem_alloc_array(most + 1, sizeof(*s->candidates));
    for (int32_t m = 0; m < in->member_count; m++)
        count += (size_t)candidates_of(&in->members[m], m, s->candidates + count);
    qsort(s->candidates, count, sizeof(*s->candidates), compare_candidates);
    for (size_t i = 0; i < count; i++)
        s->candidate_starts[s->candidates[i].task + 1]++;
    for (int32_t t = 0; t < s->task_count; t++)
        s->candidate_starts[t + 1] += s->candidate_starts[t];
}

static void previous_fill(struct sticky *s)
{
    for (int32_t t = 0; t < s->task_count; t++)
        s->previous[t] = ASSIGN_NOBODY;
    for (int32_t m = 0; m < s->in->member_count; m++)
        for (int32_t i = 0; i < s->in->members[m].previous_count[TASK_ACTIVE]; i++)
            s->previous[s->in->members[m].previous[TASK_ACTIVE][i]] = m;
}

static void sticky_init(struct sticky *s, const struct streams_assign_input *in,
                        struct streams_assign_output *out)
{
    *s = (struct sticky){.in = in, .out = out};
    int64_t stateful = 0;
    for (int32_t i = 0; i < in->subtopology_count; i++) {
        s->task_count += in->subtopologies[i].task_count;
        stateful += in->subtopologies[i].is_stateful ? in->subtopologies[i].task_count : 0;
    }
    size_t tasks = (size_t)s->task_count, members = (size_t)in->member_count;
    s->by_partition = mem_alloc_array(tasks + 1, sizeof(*s->by_partition));
    s->previous = mem_alloc_array(tasks + 1, sizeof(*s->previous));
    s->candidate_starts = mem_alloc_array(tasks + 1, sizeof(*s->candidate_starts));
    s->processes = mem_alloc_array(members, sizeof(*s->processes));
    s->process_of = mem_alloc_array(members, sizeof(*s->process_of));
    s->by_process = mem_alloc_array(members, sizeof(*s->by_process));
    s->member_loads = mem_alloc_array(members, sizeof(*s->member_loads));
    s->process_loads = mem_alloc_array(members, sizeof(*s->process_loads));
    s->queue = mem_alloc_array(members, sizeof(*s->queue));
    s->polled = mem_alloc_array(members, sizeof(*s->polled));
    s->active = (struct share){.tasks = s->task_count, .members = in->member_count};
    s->all = (struct share){.tasks = s->task_count + stateful * in->num_standby_replicas,
                            .members = in->member_count};
    share_compute(&s->active);
    share_compute(&s->all);
    processes_fill(s);
    by_partition_fill(s);
    previous_fill(s);
    candidates_fill(s);
}

static void sticky_release(struct sticky *s)
{
    mem_free(s->by_partition);
    mem_free(s->previous);
    mem_free(s->candidates);
    mem_free(s->candidate_starts);
    mem_free(s->processes);
    mem_free(s->process_of);
    mem_free(s->by_process);
    mem_free(s->member_loads);
    mem_free(s->process_loads);
    mem_free(s->queue);
    mem_free(s->polled);
}

// ---- Giving out ----

static int32_t *standbys_of(const struct sticky *s, int32_t task)
{
    return s->out->standby + (size_t)task * (size_t)s->in->num_standby_replicas;
}

static bool process_has(const struct sticky *s, int32_t process, int32_t task)
{
    int32_t active = s->out->active[task];
    if (active != ASSIGN_NOBODY && s->process_of[active] == process)
        return true;
    const int32_t *standbys = standbys_of(s, task);
    for (int32_t i = 0; i < s->in->num_standby_replicas && standbys[i] != ASSIGN_NOBODY; i++)
        if (s->process_of[standbys[i]] == process)
            return true;
    return false;
}

// Tasks by member as a number with 32 bits of fraction: exact enough to tell any two processes of up to
// 2^16 members apart.
static int64_t load_of(const struct process *p)
{
    return ((int64_t)p->task_count << 32) / p->member_count;
}

static void give(struct sticky *s, int32_t task, int32_t member, bool is_active)
{
    if (is_active)
        s->out->active[task] = member;
    else {
        int32_t *standbys = standbys_of(s, task);
        while (*standbys != ASSIGN_NOBODY)
            standbys++;
        *standbys = member;
    }
    int32_t number = s->process_of[member];
    s->processes[number].task_count++;
    s->process_loads[number] = load_of(&s->processes[number]);
    s->member_loads[member]++;
    if (is_active)
        share_note(&s->active, s->member_loads[member]);
    share_note(&s->all, s->member_loads[member]);
}

// To a member that is chosen, in which case the heap of its process is one no more.
static void give_to_member(struct sticky *s, int32_t task, int32_t member, bool is_active)
{
    s->processes[s->process_of[member]].has_heap = false;
    give(s, task, member, is_active);
}

static int compare_numbers(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

// To the member of a process with the fewest tasks.
static void give_to_process(struct sticky *s, int32_t task, int32_t number, bool is_active)
{
    struct process *p = &s->processes[number];
    int32_t *members = s->by_process + p->first;
    if (!p->has_heap) {
        qsort(members, (size_t)p->member_count, sizeof(*members), compare_numbers);
        for (int32_t count = 0; count < p->member_count;)
            heap_push(members, &count, s->member_loads, members[count]);
        p->has_heap = true;
    }
    int32_t count = p->member_count;
    int32_t member = heap_pop(members, &count, s->member_loads);
    give(s, task, member, is_active);
    heap_push(members, &count, s->member_loads, member);
}

static void queue_fill(struct sticky *s)
{
    s->queue_count = 0;
    for (int32_t p = 0; p < s->process_count; p++)
        heap_push(s->queue, &s->queue_count, s->process_loads, p);
}

// The candidate whose process and who itself has the least load, among those whose process may have the
// task; NULL: there is none.
static const struct candidate *best_candidate(const struct sticky *s, int32_t task, bool is_active)
{
    const struct candidate *best = NULL;
    for (int32_t i = s->candidate_starts[task]; i < s->candidate_starts[task + 1]; i++) {
        const struct candidate *c = &s->candidates[i];
        if (!is_active && process_has(s, s->process_of[c->member], task))
            continue;
        if (best == NULL ||
            (s->process_loads[s->process_of[c->member]] < s->process_loads[s->process_of[best->member]] &&
             s->member_loads[c->member] < s->member_loads[best->member]))
            best = c;
    }
    return best;
}

// ---- Active tasks ----

static bool has_room(const struct sticky *s, const struct share *share, int32_t member)
{
    return s->member_loads[member] < share->each;
}

static void assign_active(struct sticky *s)
{
    for (int32_t i = 0; i < s->task_count; i++) {
        int32_t task = s->by_partition[i], member = s->previous[task];
        if (member != ASSIGN_NOBODY && has_room(s, &s->active, member))
            give_to_member(s, task, member, true);
    }
    for (int32_t i = 0; i < s->task_count; i++) {
        int32_t task = s->by_partition[i];
        if (s->out->active[task] != ASSIGN_NOBODY)
            continue;
        const struct candidate *c = best_candidate(s, task, true);
        if (c != NULL && has_room(s, &s->active, c->member))
            give_to_member(s, task, c->member, true);
    }
    queue_fill(s);
    for (int32_t task = 0; task < s->task_count; task++) {
        if (s->out->active[task] != ASSIGN_NOBODY)
            continue;
        int32_t process = heap_pop(s->queue, &s->queue_count, s->process_loads);
        give_to_process(s, task, process, true);
        heap_push(s->queue, &s->queue_count, s->process_loads, process);
    }
}

// ---- Standby tasks ----

// To a member that has the state. False: to none.
static bool give_standby_to_state(struct sticky *s, int32_t task)
{
    int32_t member = s->previous[task];
    if (member == ASSIGN_NOBODY || process_has(s, s->process_of[member], task) ||
        !has_room(s, &s->all, member)) {
        const struct candidate *c = best_candidate(s, task, false);
        if (c == NULL || !has_room(s, &s->all, c->member))
            return false;
        member = c->member;
    }
    give_to_member(s, task, member, false);
    return true;
}

// To the least loaded process that has not got the task. False: all have.
static bool give_standby_to_least_loaded(struct sticky *s, int32_t task)
{
    int32_t polled = 0;
    bool found = false;
    while (!found && s->queue_count > 0) {
        int32_t process = heap_pop(s->queue, &s->queue_count, s->process_loads);
        s->polled[polled++] = process;
        found = !process_has(s, process, task);
    }
    if (found)
        give_to_process(s, task, s->polled[polled - 1], false);
    while (polled > 0)
        heap_push(s->queue, &s->queue_count, s->process_loads, s->polled[--polled]);
    return found;
}

static void assign_standby(struct sticky *s)
{
    int32_t *missing = mem_alloc_array((size_t)s->task_count + 1, sizeof(*missing));
    for (int32_t i = 0; i < s->in->subtopology_count; i++) {
        const struct streams_assign_subtopology *from = &s->in->subtopologies[i];
        for (int32_t p = 0; from->is_stateful && p < from->task_count; p++)
            missing[from->first + p] = s->in->num_standby_replicas;
    }
    for (int32_t i = s->task_count - 1; i >= 0; i--)
        while (missing[s->by_partition[i]] > 0 && give_standby_to_state(s, s->by_partition[i]))
            missing[s->by_partition[i]]--;
    queue_fill(s);
    for (int32_t task = s->task_count - 1; task >= 0; task--)
        while (missing[task] > 0 && give_standby_to_least_loaded(s, task))
            missing[task]--;
    mem_free(missing);
}

void streams_assign_sticky(const struct streams_assign_input *in, struct streams_assign_output *out)
{
    struct sticky s;
    sticky_init(&s, in, out);
    for (int32_t t = 0; t < s.task_count; t++)
        out->active[t] = ASSIGN_NOBODY;
    for (size_t i = 0; i < (size_t)s.task_count * (size_t)in->num_standby_replicas; i++)
        out->standby[i] = ASSIGN_NOBODY;
    assign_active(&s);
    assign_standby(&s);
    sticky_release(&s);
}
