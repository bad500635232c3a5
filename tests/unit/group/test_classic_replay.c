// SPDX-License-Identifier: Apache-2.0
//
// GroupMetadata records: what is loaded is what was, whoever wrote it; and a walk through everything that
// members may do, after each step of which another replica must say the same.
#include "classic_testing.h"

#include "base/err.h"
#include "base/mem.h"
#include "wire/record/group_metadata_key.h"
#include "wire/record/group_metadata_value.h"

static void assert_no_timers(const struct classic_group *cg)
{
    assert_false(coordinator_timer_is_set(&cg->join_timer));
    assert_false(coordinator_timer_is_set(&cg->sync_timer));
    assert_int_equal(cg->members.count + cg->pending.count, 0);
}

// ---- Loading ----

static struct group_metadata_value_member_metadata stored_member(const char *id, const char *instance)
{
    struct group_metadata_value_member_metadata m;
    group_metadata_value_member_metadata_init(&m);
    m.member_id = str_from(id);
    m.group_instance_id = str_from(instance);
    m.client_id = str_from("c");
    m.client_host = str_from("/10.0.0.1");
    m.session_timeout = 20000;
    m.rebalance_timeout = 40000;
    m.subscription = bytes_of("sub", 3);
    m.assignment = bytes_of("part", 4);
    return m;
}

static struct group_metadata_value stored_group(struct group_metadata_value_member_metadata *members,
                                                int count)
{
    struct group_metadata_value v;
    group_metadata_value_init(&v);
    v.protocol_type = str_from("consumer");
    v.protocol = str_from("range");
    v.generation = 7;
    v.leader = count > 0 ? members[0].member_id : (struct str){NULL, 0};
    v.current_state_timestamp = 12345;
    v.members.items = members;
    v.members.count = count;
    return v;
}

static void write_group(struct fixture *f, const char *group, int16_t version,
                        const struct group_metadata_value *value)
{
    struct group_metadata_key key = {.group = str_from(group)};
    fixture_write(f, GROUP_RECORD_GROUP_METADATA, version, &key, value);
}

static void test_every_version(void **state)
{
    for (int16_t version = 0; version <= 4; version++) {
        struct fixture f;
        struct group_metadata_value_member_metadata members[] = {stored_member("a", NULL),
                                                                 stored_member("b", NULL)};
        if (version >= 3)
            members[1].group_instance_id = str_from("i");
        struct group_metadata_value v = stored_group(members, 2);
        fixture_init(&f);
        write_group(&f, "g", version, &v);
        fixture_reload(&f, true);
        assert_state(&f, "g", "Stable", 7, 2);
        struct classic_group *cg = classic_of(&f, "g");
        const struct classic_member *b = classic_find_member(cg, str_from("b"));
        assert_int_equal(b->session_timeout_ms, 20000);
        assert_int_equal(b->rebalance_timeout_ms, version >= 1 ? 40000 : 20000);
        assert_int_equal(cg->state_timestamp_ms, version >= 2 ? 12345 : -1);
        assert_ptr_equal(classic_find_instance(cg, str_from("i")), version >= 3 ? b : NULL);
        assert_true(str_is(b->client_host, "/10.0.0.1"));
        assert_true(str_is(bytes_str(b->assignment), "part"));
        assert_true(str_is(bytes_str(classic_metadata(b, "range")), "sub"));
        assert_true(str_is(cg->leader->id, "a"));
        assert_int_equal(heartbeat(&f, "g", "b", 7), KAFKA_NONE);
        // They have a session from the loading on.
        fixture_advance(&f, 20000);
        assert_state(&f, "g", "Empty", 8, 0);
        fixture_release(&f);
    }
}

static void test_newest_record_holds(void **state)
{
    struct fixture f;
    struct group_metadata_value_member_metadata before[] = {stored_member("a", "i"),
                                                            stored_member("b", NULL)};
    // a came back under another id, b is gone, and its id belongs to an instance now.
    struct group_metadata_value_member_metadata after[] = {stored_member("c", "i"),
                                                           stored_member("b", "j")};
    fixture_init(&f);
    struct group_metadata_value v = stored_group(before, 2);
    write_group(&f, "g", 3, &v);
    v = stored_group(after, 2);
    v.generation = 8;
    write_group(&f, "g", 3, &v);
    fixture_reload(&f, true);
    assert_state(&f, "g", "Stable", 8, 2);
    struct classic_group *cg = classic_of(&f, "g");
    assert_true(str_is(classic_find_instance(cg, str_from("i"))->id, "c"));
    assert_true(str_is(classic_find_instance(cg, str_from("j"))->id, "b"));
    assert_null(classic_find_member(cg, str_from("a")));
    assert_true(str_is(cg->leader->id, "c"));
    fixture_release(&f);
}

static void test_tombstone(void **state)
{
    struct fixture f;
    struct group_metadata_value_member_metadata members[] = {stored_member("a", NULL)};
    struct group_metadata_value v = stored_group(members, 1);
    fixture_init(&f);
    write_group(&f, "g", 3, &v);
    write_group(&f, "g", 3, NULL);
    write_group(&f, "never was", 3, NULL);
    fixture_reload(&f, true);
    assert_null(groups_find(f.groups, str_from("g")));
    fixture_release(&f);
}

static void test_empty_groups(void **state)
{
    struct fixture f;
    struct group_metadata_value v = stored_group(NULL, 0);
    fixture_init(&f);
    v.protocol = (struct str){NULL, 0};
    write_group(&f, "g", 3, &v);
    v.protocol_type = str_from("");
    v.generation = 0;
    write_group(&f, "h", 3, &v);
    fixture_reload(&f, true);
    assert_state(&f, "g", "Empty", 7, 0);
    assert_string_equal(classic_of(&f, "g")->protocol_type, "consumer");
    assert_state(&f, "h", "Empty", 0, 0);
    assert_null(classic_of(&f, "h")->protocol_type);
    assert_no_timers(classic_of(&f, "g")); // an idle group costs nothing
    fixture_release(&f);
}

static void test_refuses_a_member_twice(void **state)
{
    static const struct {
        const char *ids[2], *instances[2];
    } cases[] = {
        {{"a", "a"}, {NULL, NULL}},
        {{"a", "b"}, {"i", "i"}},
        {{"a", "a"}, {"i", "j"}},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct fixture f;
        struct group_metadata_value_member_metadata members[] = {
            stored_member(cases[i].ids[0], cases[i].instances[0]),
            stored_member(cases[i].ids[1], cases[i].instances[1]),
        };
        struct group_metadata_value v = stored_group(members, 2);
        struct diag diag;
        fixture_init(&f);
        write_group(&f, "g", 3, &v);
        struct groups *g = groups_new(&f.groups->options);
        struct coordinator *c = coordinator_new(&(struct coordinator_options){
            .machine = &groups_machine, .state = g, .name = "p", .batch_bytes_max = 1000});
        groups_attach(g, c);
        assert_int_equal(coordinator_load(c, buf_bytes(&f.log), &diag), ERR_CORRUPT);
        assert_non_null(strstr(diag.text, "twice"));
        groups_free(g);
        coordinator_free(c);
        fixture_release(&f);
    }
}

static void test_too_large_after_loading(void **state)
{
    struct fixture f;
    struct group_metadata_value_member_metadata members[] = {
        stored_member("a", NULL), stored_member("b", NULL), stored_member("c", NULL)};
    struct group_metadata_value v = stored_group(members, 3);
    fixture_init_config(&f, (const char *const[]){"group.max.size=2", NULL});
    write_group(&f, "g", 3, &v);
    fixture_reload(&f, true);
    assert_state(&f, "g", "PreparingRebalance", 7, 3);
    assert_int_equal(group_journal_entry(&classic_of(&f, "g")->group->journal, 0)->cause, REBALANCE_LOADED);
    JOIN(&f, .member = "c");
    struct fixture_call *call = JOIN(&f, .member = "b");
    assert_int_equal(join_error(JOIN(&f, .member = "a")), KAFKA_GROUP_MAX_SIZE_REACHED);
    assert_int_equal(join_error(call), KAFKA_NONE);
    assert_state(&f, "g", "CompletingRebalance", 8, 2);
    fixture_release(&f);
}

// The coordinator moves while members wait: they hear so, and what was stored last holds.
static void test_moves_in_the_middle(void **state)
{
    struct fixture f;
    fixture_init(&f);
    const char *ids[4] = {begin_group(&f, "g")};
    int count = 1;
    add_member(&f, "g", ids, &count, &(struct join_options){0});
    struct fixture_call *join = JOIN(&f, .member = ids[0]);
    fixture_reload(&f, true);
    assert_int_equal(join_error(join), KAFKA_NOT_COORDINATOR);
    assert_true(str_is(joined(join)->member_id, ids[0]));
    assert_state(&f, "g", "Stable", 2, 2);
    JOIN(&f, .member = ids[0]);
    JOIN(&f, .member = ids[1]);
    struct fixture_call *sync = sync_group(&f, "g", ids[1], 3, "");
    fixture_reload(&f, true);
    assert_int_equal(sync_error(sync), KAFKA_NOT_COORDINATOR);
    assert_state(&f, "g", "Stable", 2, 2);
    assert_int_equal(heartbeat(&f, "g", ids[1], 3), KAFKA_ILLEGAL_GENERATION);
    assert_int_equal(heartbeat(&f, "g", ids[1], 2), KAFKA_NONE);
    fixture_release(&f);
}

// ---- Subscriptions ----

static void test_subscribed_topics(void **state)
{
    static const char t_and_u[] = "\0\1" "\0\0\0\2" "\0\1u" "\0\1t" "\377\377\377\377";
    struct fixture f;
    struct group_metadata_value_member_metadata members[] = {stored_member("a", NULL),
                                                             stored_member("b", NULL)};
    struct group_metadata_value v = stored_group(members, 2);
    members[0].subscription = members[1].subscription = bytes_of(t_and_u, sizeof(t_and_u) - 1);
    fixture_init(&f);
    write_group(&f, "known", 3, &v);
    members[1].subscription = bytes_of("\0", 1);
    write_group(&f, "unknown", 3, &v);
    v.protocol_type = str_from("connect");
    write_group(&f, "connect", 3, &v);
    fixture_reload(&f, true);
    struct classic_group *known = classic_of(&f, "known");
    assert_true(classic_is_subscribed(known, str_from("t")));
    assert_true(classic_is_subscribed(known, str_from("u")));
    assert_false(classic_is_subscribed(known, str_from("x")));
    assert_true(classic_is_subscribed(classic_of(&f, "unknown"), str_from("x"))); // better safe
    assert_false(classic_is_subscribed(classic_of(&f, "connect"), str_from("t")));
    int64_t since;
    assert_true(classic_kind.offsets_expire(known->group, &since));
    assert_int_equal(since, -1);
    assert_false(classic_kind.offsets_expire(classic_of(&f, "unknown")->group, &since));
    assert_false(classic_kind.offsets_expire(classic_of(&f, "connect")->group, &since));
    leave(&f, "known", "a");
    leave(&f, "known", "b");
    assert_true(classic_kind.offsets_expire(known->group, &since));
    assert_int_equal(since, f.now.wall_ms); // since it is empty
    assert_false(classic_is_subscribed(known, str_from("t")));
    fixture_release(&f);
}

// ---- Commits ----

static void test_who_may_commit(void **state)
{
    struct fixture f;
    fixture_init(&f);
    const char *ids[4] = {begin_group(&f, "g")};
    int count = 1;
    add_member(&f, "g", ids, &count, &(struct join_options){.instance = "stat"});
    JOIN(&f, .group = "empty");
    const struct {
        const char *group, *member, *instance;
        int epoch;
        enum kafka_error error;
    } cases[] = {
        {"empty", "", NULL, -1, KAFKA_NONE},
        {"empty", "m", NULL, 0, KAFKA_UNKNOWN_MEMBER_ID},
        {"g", "", NULL, -1, KAFKA_UNKNOWN_MEMBER_ID},
        {"g", ids[0], NULL, -1, KAFKA_ILLEGAL_GENERATION},
        {"g", ids[0], NULL, 1, KAFKA_ILLEGAL_GENERATION},
        {"g", ids[0], NULL, 2, KAFKA_NONE},
        {"g", "m", NULL, 2, KAFKA_UNKNOWN_MEMBER_ID},
        {"g", ids[0], "stat", 2, KAFKA_FENCED_INSTANCE_ID},
        {"g", ids[1], "stat", 2, KAFKA_NONE},
        {"g", ids[1], "other", 2, KAFKA_UNKNOWN_MEMBER_ID},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct offset_caller caller = {str_from(cases[i].member), str_from(cases[i].instance),
                                       cases[i].epoch, 9};
        enum kafka_error error = classic_kind.check_commit(
            f.groups, classic_of(&f, cases[i].group)->group, &caller);
        if (error != cases[i].error)
            fail_msg("case %zu: %d", i, (int)error);
    }
    // A commit is a sign of life, and allowed with the old generation while members join.
    struct offset_caller caller = {str_from(ids[0]), {NULL, 0}, 2, 9};
    struct group *group = classic_of(&f, "g")->group;
    fixture_advance(&f, SESSION_MS - 1);
    heartbeat(&f, "g", ids[1], 2);
    assert_int_equal(classic_kind.check_commit(f.groups, group, &caller), KAFKA_NONE);
    fixture_advance(&f, SESSION_MS - 1);
    heartbeat(&f, "g", ids[1], 2);
    assert_state(&f, "g", "Stable", 2, 2);
    struct fixture_call *join = JOIN(&f, .member = ids[0]);
    assert_int_equal(classic_kind.check_commit(f.groups, group, &caller), KAFKA_NONE);
    JOIN(&f, .member = ids[1], .instance = "stat");
    assert_int_equal(join_error(join), KAFKA_NONE);
    caller.epoch = 3;
    assert_int_equal(classic_kind.check_commit(f.groups, group, &caller), KAFKA_REBALANCE_IN_PROGRESS);
    assert_int_equal(classic_kind.check_delete(group), KAFKA_NON_EMPTY_GROUP);
    assert_int_equal(classic_kind.check_offset_delete(group), KAFKA_NONE);
    assert_int_equal(classic_kind.check_delete(classic_of(&f, "empty")->group), KAFKA_NONE);
    fixture_release(&f);
}

// ---- A walk ----

enum { CLIENTS = 6, STEPS = 400 };

struct client {
    const char *instance; // NULL: dynamic
    const char *id;       // "" when it has none
    int generation;
    struct fixture_call *join, *sync;
    bool leads;
};

static void take_join_answer(struct fixture *f, struct client *c)
{
    const struct join_group_response *r = joined(c->join);
    c->join = NULL;
    switch (r->error_code) {
    case KAFKA_NONE:
    case KAFKA_MEMBER_ID_REQUIRED:
        c->id = text_of(f, r->member_id);
        c->generation = r->generation_id;
        c->leads = str_equal(r->leader, r->member_id) && !r->skip_assignment;
        break;
    case KAFKA_UNKNOWN_MEMBER_ID:
    case KAFKA_FENCED_INSTANCE_ID:
        c->id = "";
        break;
    case KAFKA_REBALANCE_IN_PROGRESS:
    case KAFKA_NOT_COORDINATOR:
        break;
    default:
        fail_msg("join: %d", r->error_code);
    }
}

// Every step must leave what a group is by definition.
static void check_group(struct fixture *f)
{
    struct group *group = groups_find(f->groups, str_from("g"));
    if (group == NULL)
        return;
    struct classic_group *cg = group->classic;
    int32_t joined_count = 0, owing = 0, count = 0;
    for (struct classic_member *m = NULL; (m = classic_next_member(cg, m)) != NULL;) {
        count++;
        joined_count += m->join_call != NULL;
        owing += m->owes_sync;
        assert_ptr_equal(classic_find_member(cg, m->id), m);
        if (m->instance_id.data != NULL)
            assert_ptr_equal(classic_find_instance(cg, m->instance_id), m);
        // Somebody must notice when it dies: a timer, or the call that is parked.
        assert_true(coordinator_timer_is_set(&m->session_timer) || m->join_call != NULL ||
                    m->sync_call != NULL);
        if (m->sync_call != NULL)
            assert_int_equal(cg->state, CLASSIC_COMPLETING_REBALANCE);
        if (m->join_call != NULL)
            assert_int_equal(cg->state, CLASSIC_PREPARING_REBALANCE);
    }
    assert_int_equal(count, classic_member_count(cg));
    assert_int_equal(joined_count, cg->joined_count);
    assert_int_equal(owing, cg->owing_count);
    assert_int_equal(cg->leader == NULL, count == 0);
    if (cg->state == CLASSIC_PREPARING_REBALANCE)
        assert_true(coordinator_timer_is_set(&cg->join_timer));
    else
        assert_false(coordinator_timer_is_set(&cg->join_timer));
    if (cg->state == CLASSIC_EMPTY)
        assert_int_equal(count, 0);
    if (cg->owing_count > 0)
        assert_true(coordinator_timer_is_set(&cg->sync_timer));
}

static void step(struct fixture *f, struct client *clients)
{
    struct client *c = &clients[prng_below(&f->prng, CLIENTS)];
    const char *protocols = prng_chance(&f->prng, 1, 4) ? "sticky,range" : "range,sticky";
    switch (prng_below(&f->prng, 12)) {
    case 0:
    case 1:
    case 2:
    case 3:
        c->join = JOIN(f, .member = c->id, .instance = c->instance, .protocols = protocols);
        break;
    case 4:
    case 5:
    case 6:
        c->sync = sync_group(f, "g", c->id, c->generation, c->leads ? "x=y" : "");
        break;
    case 7:
        heartbeat(f, "g", c->id, c->generation);
        break;
    case 8:
        leave(f, "g", c->id);
        c->id = "";
        break;
    case 9:
        if (c->instance != NULL)
            c->id = ""; // it was restarted
        break;
    case 10:
        fixture_advance(f, (int64_t)prng_below(&f->prng, 8000));
        break;
    default:
        if (prng_chance(&f->prng, 1, 4))
            fixture_reload(f, prng_chance(&f->prng, 1, 2));
        break;
    }
}

static void test_walk(void **state)
{
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct fixture f;
        struct client clients[CLIENTS] = {{.instance = "s0"}, {.instance = "s1"}};
        fixture_init(&f);
        prng_init(&f.prng, seed);
        for (int i = 0; i < CLIENTS; i++)
            clients[i].id = "";
        for (int i = 0; i < STEPS; i++) {
            step(&f, clients);
            for (int k = 0; k < CLIENTS; k++) {
                if (clients[k].join != NULL && clients[k].join->is_done)
                    take_join_answer(&f, &clients[k]);
                if (clients[k].sync != NULL && clients[k].sync->is_done)
                    clients[k].sync = NULL;
            }
            check_group(&f);
            fixture_check_replay(&f);
        }
        // Left alone it comes to rest.
        fixture_advance(&f, 10 * REBALANCE_MS);
        struct group *group = groups_find(f.groups, str_from("g"));
        if (group != NULL) { // offsets that have expired may have taken it with them
            assert_int_equal(classic_member_count(group->classic), 0);
            assert_no_timers(group->classic);
        }
        fixture_check_replay(&f);
        fixture_release(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_version),
        cmocka_unit_test(test_newest_record_holds),
        cmocka_unit_test(test_tombstone),
        cmocka_unit_test(test_empty_groups),
        cmocka_unit_test(test_refuses_a_member_twice),
        cmocka_unit_test(test_too_large_after_loading),
        cmocka_unit_test(test_moves_in_the_middle),
        cmocka_unit_test(test_subscribed_topics),
        cmocka_unit_test(test_who_may_commit),
        cmocka_unit_test(test_walk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
