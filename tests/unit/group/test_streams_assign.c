// SPDX-License-Identifier: Apache-2.0
//
// The task assignor of streams groups: tables, invariants over random histories, and what that of Apache
// Kafka 4.4 decides (tests/golden/group/streams-assign.txt, or a file that is given as an argument; see
// tests/interop/streams/TaskAssignments.java).
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include <string.h>

#include "base/mem.h"
#include "base/prng.h"
#include "group/streams_assign.h"

enum { SUBTOPOLOGIES_MAX = 8, MEMBERS_MAX = 48, TASKS_MAX = 400, REPLICAS_MAX = 2 };

struct tasks {
    int32_t items[TASKS_MAX];
    int32_t count;
};

struct world {
    struct streams_assign_subtopology subtopologies[SUBTOPOLOGIES_MAX];
    struct streams_assign_member members[MEMBERS_MAX];
    char ids[MEMBERS_MAX][8], processes[MEMBERS_MAX][8], names[SUBTOPOLOGIES_MAX][8];
    struct tasks previous[MEMBERS_MAX][2]; // active and standby
    struct streams_assign_offset offsets[MEMBERS_MAX][TASKS_MAX];
    int32_t active[TASKS_MAX], standby[TASKS_MAX * REPLICAS_MAX];
    int32_t total;
    struct streams_assign_input in;
    struct streams_assign_output out;
};

static void world_begin(struct world *w, int32_t replicas)
{
    w->in = (struct streams_assign_input){.subtopologies = w->subtopologies, .members = w->members,
                                          .num_standby_replicas = replicas};
    w->total = 0;
    w->out = (struct streams_assign_output){.active = w->active, .standby = w->standby};
}

static void add_subtopology(struct world *w, int32_t task_count, bool is_stateful)
{
    int32_t i = w->in.subtopology_count++;
    assert_true(i < SUBTOPOLOGIES_MAX);
    snprintf(w->names[i], sizeof(w->names[i]), "%c", 'a' + i);
    w->subtopologies[i] = (struct streams_assign_subtopology){
        .id = str_from(w->names[i]), .task_count = task_count, .is_stateful = is_stateful};
    w->total = streams_assign_number(w->subtopologies, w->in.subtopology_count);
    assert_true(w->total <= TASKS_MAX);
}

static void add_member(struct world *w, const char *id, const char *process)
{
    int32_t m = w->in.member_count++;
    assert_true(m < MEMBERS_MAX);
    snprintf(w->ids[m], sizeof(w->ids[m]), "%s", id);
    snprintf(w->processes[m], sizeof(w->processes[m]), "%s", process);
    w->members[m] = (struct streams_assign_member){.id = str_from(w->ids[m]),
                                                   .process_id = str_from(w->processes[m]),
                                                   .offsets = w->offsets[m]};
    w->previous[m][TASK_ACTIVE].count = w->previous[m][TASK_STANDBY].count = 0;
}

static void had(struct world *w, int32_t member, enum task_role role, int32_t task)
{
    struct tasks *t = &w->previous[member][role];
    t->items[t->count++] = task;
}

static void told(struct world *w, int32_t member, int32_t task, int64_t offset)
{
    w->offsets[member][w->members[member].offset_count++] = (struct streams_assign_offset){task, offset};
}

static void run(struct world *w)
{
    for (int32_t m = 0; m < w->in.member_count; m++)
        for (enum task_role role = TASK_ACTIVE; role <= TASK_STANDBY; role++) {
            w->members[m].previous[role] = w->previous[m][role].items;
            w->members[m].previous_count[role] = w->previous[m][role].count;
        }
    memset(w->active, 0x55, sizeof(w->active));
    memset(w->standby, 0x55, sizeof(w->standby));
    streams_assign_sticky(&w->in, &w->out);
}

// The tasks that a member gets, rising.
static void given(const struct world *w, int32_t member, enum task_role role, struct tasks *out)
{
    int32_t each = role == TASK_ACTIVE ? 1 : w->in.num_standby_replicas;
    const int32_t *owners = role == TASK_ACTIVE ? w->active : w->standby;
    out->count = 0;
    for (int32_t i = 0; i < w->total * each; i++)
        if (owners[i] == member)
            out->items[out->count++] = i / each;
}

// What was given is what members have from now on.
static void adopt(struct world *w)
{
    for (int32_t m = 0; m < w->in.member_count; m++) {
        given(w, m, TASK_ACTIVE, &w->previous[m][TASK_ACTIVE]);
        given(w, m, TASK_STANDBY, &w->previous[m][TASK_STANDBY]);
    }
}

// ---- Tables ----

// Members are numbered; processes: a letter for each. A subtopology of two tasks is "01", the owners of
// its tasks, '.' is nobody; with standbys it is stateful and every task wants one.
struct table {
    const char *name;
    const char *processes;
    struct {
        const char *active, *standby;
        const char *expected, *expected_standby;
    } subtopologies[3];
};

static const struct table tables[] = {
    {"fresh", "AB", {{"....", NULL, "0101", NULL}}},
    {"members of a process share", "AAB", {{"......", NULL, "021201", NULL}}},
    {"the larger process gets more", "AAAB", {{"........", NULL, "03213210", NULL}}},
    {"who has a task keeps it", "AB", {{"1100", NULL, "1100", NULL}}},
    {"one joins", "AB", {{"0000", NULL, "0011", NULL}}},
    {"one has left", "AB", {{"0.1.1.", NULL, "001110", NULL}}},
    {"more members than tasks", "ABC", {{".2", NULL, "02", NULL}}},
    {"tasks are added", "AB", {{"10", NULL, "10", NULL}, {"..", NULL, "01", NULL}}},
    {"without tasks", "AB", {{"", NULL, "", NULL}}},
    {"standbys are elsewhere", "AB", {{"....", "....", "0101", "1010"}}},
    {"no standby in the same process", "AA", {{"..", "..", "01", ".."}}},
    {"the standby takes over", "ABC", {{"..", "12", "12", "20"}}},
    {"the former owner becomes the standby", "AB", {{"00", "..", "01", "10"}}},
    {"standbys stay", "ABC", {{"012", "120", "012", "120"}}},
    {"stateless tasks have none", "AB", {{"..", "..", "01", "10"}, {"..", NULL, "01", NULL}}},
};

static int32_t parse_owner(char c)
{
    return c == '.' ? ASSIGN_NOBODY : c - '0';
}

static void check_table(const struct world *w, const struct table *t, int32_t i, const char *expected,
                        const int32_t *owners)
{
    char text[32] = "";
    for (int32_t p = 0; p < w->subtopologies[i].task_count; p++) {
        int32_t owner = owners[w->subtopologies[i].first + p];
        text[p] = owner == ASSIGN_NOBODY ? '.' : (char)('0' + owner);
    }
    if (strcmp(text, expected) != 0)
        fail_msg("%s: subtopology %d is %s, not %s", t->name, i, text, expected);
}

static void run_table(struct world *w, const struct table *t)
{
    bool has_standbys = t->subtopologies[0].standby != NULL;
    world_begin(w, has_standbys);
    for (const char *p = t->processes; *p != '\0'; p++)
        add_member(w, (char[]){(char)('0' + (p - t->processes)), '\0'}, (char[]){*p, '\0'});
    for (int32_t i = 0; i < 3 && t->subtopologies[i].active != NULL; i++) {
        const char *active = t->subtopologies[i].active, *standby = t->subtopologies[i].standby;
        add_subtopology(w, (int32_t)strlen(active), standby != NULL);
        for (int32_t p = 0; p < (int32_t)strlen(active); p++) {
            int32_t task = w->subtopologies[i].first + p;
            if (parse_owner(active[p]) != ASSIGN_NOBODY)
                had(w, parse_owner(active[p]), TASK_ACTIVE, task);
            if (standby != NULL && parse_owner(standby[p]) != ASSIGN_NOBODY)
                had(w, parse_owner(standby[p]), TASK_STANDBY, task);
        }
    }
    run(w);
    for (int32_t i = 0; i < w->in.subtopology_count; i++) {
        check_table(w, t, i, t->subtopologies[i].expected, w->active);
        if (t->subtopologies[i].standby != NULL)
            check_table(w, t, i, t->subtopologies[i].expected_standby, w->standby);
    }
}

static void test_tables(void **state)
{
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
        run_table(*state, &tables[i]);
}

// A member that comes back under a new id has nothing, but its directory has the state.
static void test_offsets_rank_after_standbys(void **state)
{
    struct world *w = *state;
    world_begin(w, 1);
    add_subtopology(w, 3, true);
    for (int32_t m = 0; m < 4; m++)
        add_member(w, (char[]){(char)('0' + m), '\0'}, (char[]){(char)('A' + m), '\0'});
    told(w, 0, 0, 5);
    told(w, 1, 0, 9);    // knows more of task 0
    told(w, 2, 1, 1000); // knows more of task 1 than
    had(w, 3, TASK_STANDBY, 1); // its standby, who still goes first
    run(w);
    assert_int_equal(w->active[0], 1);
    assert_int_equal(w->standby[0], 0);
    assert_int_equal(w->active[1], 3);
    assert_int_equal(w->standby[1], 2);
}

static void test_names(void **state)
{
    (void)state;
    assert_ptr_equal(streams_assignor_find(str_from("sticky"))->assign, streams_assign_sticky);
    assert_null(streams_assignor_find(str_from("uniform")));
}

// ---- Random histories ----

static void random_members(struct world *w, struct prng *prng)
{
    bool is_each_alone = prng_chance(prng, 1, 2);
    for (int32_t m = 1 + (int32_t)prng_below(prng, 12); m > 0; m--) {
        char id[8], process[8];
        snprintf(id, sizeof(id), "m%02d", w->in.member_count);
        snprintf(process, sizeof(process), "p%d",
                 is_each_alone ? w->in.member_count : (int)prng_below(prng, 5));
        add_member(w, id, process);
    }
}

static void random_world(struct world *w, struct prng *prng)
{
    world_begin(w, (int32_t)prng_below(prng, REPLICAS_MAX + 1));
    for (int32_t i = (int32_t)prng_below(prng, 5); i > 0; i--)
        add_subtopology(w, (int32_t)prng_below(prng, 30), prng_chance(prng, 2, 3));
    random_members(w, prng);
}

// Each task is somebody's or nobody's, and some members know of tasks that they had once.
static void random_past(struct world *w, struct prng *prng)
{
    for (int32_t t = 0; t < w->total; t++)
        for (int32_t m = 0, active = (int32_t)prng_below(prng, 20); m < w->in.member_count; m++) {
            if (m == active)
                had(w, m, TASK_ACTIVE, t);
            else if (prng_chance(prng, 1, 5))
                had(w, m, TASK_STANDBY, t);
            if (prng_chance(prng, 1, 10))
                told(w, m, t, (int64_t)prng_below(prng, 100));
        }
}

static bool same_process(const struct world *w, int32_t a, int32_t b)
{
    return str_equal(w->members[a].process_id, w->members[b].process_id);
}

static int32_t process_count(const struct world *w)
{
    int32_t count = 0;
    for (int32_t m = 0; m < w->in.member_count; m++) {
        bool is_first = true;
        for (int32_t other = 0; other < m; other++)
            is_first &= !same_process(w, m, other);
        count += is_first;
    }
    return count;
}

// Every task is active once; a stateful one has as many standbys as processes allow, a stateless one none;
// no process has a task twice.
static void check_complete(const struct world *w)
{
    int32_t replicas = w->in.num_standby_replicas, others = process_count(w) - 1;
    for (int32_t i = 0; i < w->in.subtopology_count; i++)
        for (int32_t p = 0; p < w->subtopologies[i].task_count; p++) {
            int32_t task = w->subtopologies[i].first + p, owners[1 + REPLICAS_MAX], count = 0;
            const int32_t *standbys = &w->standby[task * replicas];
            assert_in_range(w->active[task], 0, w->in.member_count - 1);
            owners[count++] = w->active[task];
            for (int32_t r = 0; r < replicas && standbys[r] != ASSIGN_NOBODY; r++)
                owners[count++] = standbys[r];
            for (int32_t r = count - 1; r < replicas; r++)
                assert_int_equal(standbys[r], ASSIGN_NOBODY);
            int32_t wanted = replicas < others ? replicas : others;
            assert_int_equal(count - 1, w->subtopologies[i].is_stateful ? wanted : 0);
            for (int32_t a = 0; a < count; a++)
                for (int32_t b = 0; b < a; b++)
                    assert_false(same_process(w, owners[a], owners[b]));
        }
}

static void check_balance(const struct world *w)
{
    int32_t most = (w->total + w->in.member_count - 1) / w->in.member_count;
    for (int32_t m = 0; m < w->in.member_count; m++) {
        struct tasks t;
        given(w, m, TASK_ACTIVE, &t);
        assert_true(t.count <= most);
    }
}

static void test_random(void **state)
{
    struct world *w = *state;
    struct prng prng;
    prng_init(&prng, 1);
    for (int32_t i = 0; i < 1000; i++) {
        random_world(w, &prng);
        if (prng_chance(&prng, 2, 3))
            random_past(w, &prng);
        run(w);
        check_complete(w);
        check_balance(w);
    }
}

static bool same_tasks(const struct tasks *a, const struct tasks *b)
{
    return a->count == b->count && memcmp(a->items, b->items, (size_t)a->count * sizeof(a->items[0])) == 0;
}

// Active tasks stay. So does one standby of each when processes are of one size; otherwise some change places,
// as in Apache Kafka: what is left over after the shares goes by load, without regard to who had it.
static void test_nothing_moves_without_a_cause(void **state)
{
    struct world *w = *state;
    struct prng prng;
    prng_init(&prng, 2);
    for (int32_t i = 0; i < 1000; i++) {
        random_world(w, &prng);
        run(w);
        adopt(w);
        run(w);
        bool standbys_stay = process_count(w) == w->in.member_count && w->in.num_standby_replicas == 1;
        for (int32_t m = 0; m < w->in.member_count; m++)
            for (enum task_role role = TASK_ACTIVE; role <= TASK_STANDBY; role++) {
                struct tasks again;
                given(w, m, role, &again);
                assert_true(same_tasks(&again, &w->previous[m][role]) ||
                            (role == TASK_STANDBY && !standbys_stay));
            }
    }
}

// A member that joins alone takes no more than its share away from the others.
static void test_who_joins_takes_a_share(void **state)
{
    struct world *w = *state;
    struct prng prng;
    prng_init(&prng, 3);
    for (int32_t i = 0; i < 1000; i++) {
        random_world(w, &prng);
        run(w);
        adopt(w);
        int32_t active[TASKS_MAX], moved = 0;
        memcpy(active, w->active, sizeof(active));
        add_member(w, "new", "new");
        run(w);
        for (int32_t t = 0; t < w->total; t++)
            moved += w->active[t] != active[t];
        assert_true(moved <= (w->total + w->in.member_count - 1) / w->in.member_count);
    }
}

// ---- Apache Kafka's decisions ----

// "17" up to the first byte that is no digit.
static int32_t take_number(struct str *text)
{
    size_t size = 0;
    while (size < text->size && text->data[size] >= '0' && text->data[size] <= '9')
        size++;
    int32_t value;
    assert_true(str_parse_i32(str_of(text->data, size), &value));
    *text = str_of(text->data + size, text->size - size);
    return value;
}

// "b3"
static int32_t take_task(const struct world *w, struct str *text)
{
    int32_t subtopology = text->data[0] - 'a';
    assert_in_range(subtopology, 0, w->in.subtopology_count - 1);
    *text = str_of(text->data + 1, text->size - 1);
    return w->subtopologies[subtopology].first + take_number(text);
}

// "a0,b3" or "-"
static void parse_tasks(const struct world *w, struct str text, struct tasks *out)
{
    out->count = 0;
    while (text.data != NULL && !str_is(text, "-")) {
        struct str task = str_cut(&text, ',');
        out->items[out->count++] = take_task(w, &task);
    }
}

static void parse_topology(struct world *w, struct str line)
{
    while (line.data != NULL) {
        struct str size = str_cut(&line, ' ');
        int32_t count = take_number(&size);
        add_subtopology(w, count, str_is(size, "s"));
    }
}

static void parse_member(struct world *w, struct str line)
{
    char id[8], process[8];
    assert_true(str_copy_to(str_cut(&line, ' '), id, sizeof(id)));
    assert_true(str_copy_to(str_cut(&line, ' '), process, sizeof(process)));
    int32_t m = w->in.member_count;
    add_member(w, id, process);
    parse_tasks(w, str_cut(&line, ' '), &w->previous[m][TASK_ACTIVE]);
    parse_tasks(w, str_cut(&line, ' '), &w->previous[m][TASK_STANDBY]);
    while (line.data != NULL && !str_is(line, "-")) {
        struct str offset = str_cut(&line, ',');
        int32_t task = take_task(w, &offset);
        assert_int_equal(offset.data[0], ':');
        offset = str_of(offset.data + 1, offset.size - 1);
        told(w, m, task, take_number(&offset));
    }
}

static void check_decision(const struct world *w, int32_t number, int32_t m, struct str line)
{
    assert_true(str_is(str_cut(&line, ' '), w->ids[m]));
    for (enum task_role role = TASK_ACTIVE; role <= TASK_STANDBY; role++) {
        struct str text = str_cut(&line, ' ');
        struct tasks expected, got;
        parse_tasks(w, text, &expected);
        given(w, m, role, &got);
        if (!same_tasks(&got, &expected))
            fail_msg("case %d: member %s has not the %s tasks %.*s", number, w->ids[m],
                     role == TASK_ACTIVE ? "active" : "standby", STR_ARG(text));
    }
}

static const char *golden = GOLDEN_DIR "/streams-assign.txt";

static void test_as_kafka(void **state)
{
    struct world *w = *state;
    FILE *file = fopen(golden, "r");
    assert_non_null(file);
    static char memory[16384];
    int32_t number = -1, cases = 0, decided = 0;
    while (fgets(memory, sizeof(memory), file) != NULL) {
        struct str line = str_trim(str_from(memory)), what = str_cut(&line, ' ');
        if (str_is(what, "case"))
            number = take_number(&line);
        else if (str_is(what, "standby"))
            world_begin(w, take_number(&line));
        else if (str_is(what, "topology"))
            parse_topology(w, line);
        else if (str_is(what, "member")) {
            parse_member(w, line);
            decided = 0;
        } else if (str_is(what, "expect")) {
            if (decided == 0) {
                run(w);
                cases++;
            }
            check_decision(w, number, decided++, line);
        } else if (!str_is(what, "#"))
            fail_msg("a line that is not understood: %.*s", STR_ARG(what));
    }
    assert_true(cases > 0 && feof(file));
    fclose(file);
}

static int setup(void **state)
{
    *state = mem_new(struct world);
    return 0;
}

static int teardown(void **state)
{
    mem_free(*state);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_tables, setup, teardown),
        cmocka_unit_test_setup_teardown(test_offsets_rank_after_standbys, setup, teardown),
        cmocka_unit_test(test_names),
        cmocka_unit_test_setup_teardown(test_random, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_moves_without_a_cause, setup, teardown),
        cmocka_unit_test_setup_teardown(test_who_joins_takes_a_share, setup, teardown),
        cmocka_unit_test_setup_teardown(test_as_kafka, setup, teardown),
    };
    if (argc > 1)
        golden = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
