// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "broker/fetch_session.h"
#include "broker/limits.h"

static struct fetch_partition asked_for(const char *topic, int32_t index, int64_t offset)
{
    return (struct fetch_partition){
        .topic = str_from(topic),
        .index = index,
        .fetch_offset = offset,
        .max_bytes = 1000,
        .current_leader_epoch = -1,
        .last_fetched_epoch = -1,
    };
}

static struct fetch_partition *first(struct fetch_session *session)
{
    assert_false(list_empty(&session->order));
    return container_of(session->order.head.next, struct fetch_partition, node);
}

static void put_updates_what_is_there(void **state)
{
    struct fetch_sessions cache;
    fetch_sessions_init(&cache, (struct hash_seed){1, 2}, 3, 10, FETCH_SESSION_PARTITIONS_MAX);
    struct fetch_session *session = fetch_session_create(&cache, false, 0);
    struct fetch_partition a = asked_for("a", 0, 5), again = asked_for("a", 0, 9);
    assert_true(fetch_session_put(&cache, session, &a));
    assert_true(fetch_session_put(&cache, session, &again));
    assert_int_equal(session->partitions.count, 1);
    assert_int_equal(first(session)->fetch_offset, 9);
    assert_int_equal(first(session)->told_high_watermark, -1);
    fetch_session_forget(&cache, session, str_from("a"), (struct uuid){{0}}, 0);
    fetch_session_forget(&cache, session, str_from("a"), (struct uuid){{0}}, 0);
    assert_true(list_empty(&session->order));
    assert_int_equal(cache.partition_count, 0);
    fetch_sessions_release(&cache);
}

static void names_and_ids_are_different_keys(void **state)
{
    struct fetch_sessions cache;
    fetch_sessions_init(&cache, (struct hash_seed){1, 2}, 3, 10, FETCH_SESSION_PARTITIONS_MAX);
    struct fetch_session *session = fetch_session_create(&cache, true, 0);
    struct fetch_partition one = asked_for(NULL, 0, 1), two = one;
    one.topic_id = uuid_from_halves(7, 7);
    two.topic_id = uuid_from_halves(7, 8);
    assert_true(fetch_session_put(&cache, session, &one));
    assert_true(fetch_session_put(&cache, session, &two));
    assert_int_equal(session->partitions.count, 2);
    fetch_sessions_release(&cache);
}

static void served_partitions_go_to_the_end(void **state)
{
    struct fetch_sessions cache;
    fetch_sessions_init(&cache, (struct hash_seed){1, 2}, 3, 10, FETCH_SESSION_PARTITIONS_MAX);
    struct fetch_session *session = fetch_session_create(&cache, false, 0);
    for (int32_t i = 0; i < 3; i++) {
        struct fetch_partition p = asked_for("t", i, 0);
        assert_true(fetch_session_put(&cache, session, &p));
    }
    fetch_session_served(session, first(session));
    assert_int_equal(first(session)->index, 1);
    fetch_sessions_release(&cache);
}

static void epoch_wraps_to_one(void **state)
{
    struct fetch_sessions cache;
    fetch_sessions_init(&cache, (struct hash_seed){1, 2}, 3, 10, FETCH_SESSION_PARTITIONS_MAX);
    struct fetch_session *session = fetch_session_create(&cache, false, 0);
    assert_int_equal(session->epoch, 1);
    session->epoch = INT32_MAX;
    fetch_session_advance(&cache, session, 1);
    assert_int_equal(session->epoch, 1);
    fetch_sessions_release(&cache);
}

static void a_full_cache_evicts_only_the_idle(void **state)
{
    struct fetch_sessions cache;
    fetch_sessions_init(&cache, (struct hash_seed){1, 2}, 3, 2, FETCH_SESSION_PARTITIONS_MAX);
    struct fetch_session *old = fetch_session_create(&cache, false, 0);
    int32_t old_id = old->id;
    assert_non_null(fetch_session_create(&cache, false, 1));
    assert_null(fetch_session_create(&cache, false, FETCH_SESSION_IDLE_MS - 1));
    struct fetch_session *late = fetch_session_create(&cache, false, FETCH_SESSION_IDLE_MS);
    assert_non_null(late);
    assert_null(fetch_session_find(&cache, old_id));
    assert_ptr_equal(fetch_session_find(&cache, late->id), late);
    fetch_sessions_release(&cache);
}

static void sessions_in_use_are_not_evicted(void **state)
{
    struct fetch_sessions cache;
    fetch_sessions_init(&cache, (struct hash_seed){1, 2}, 3, 1, FETCH_SESSION_PARTITIONS_MAX);
    struct fetch_session *session = fetch_session_create(&cache, false, 0);
    fetch_session_begin_use(session);
    assert_null(fetch_session_create(&cache, false, 10 * FETCH_SESSION_IDLE_MS));
    fetch_session_end_use(&cache, session);
    assert_non_null(fetch_session_create(&cache, false, 10 * FETCH_SESSION_IDLE_MS));
    fetch_sessions_release(&cache);
}

// A second connection may close a session while a request of it waits for data.
static void closed_in_use_lives_until_the_end_of_use(void **state)
{
    struct fetch_sessions cache;
    fetch_sessions_init(&cache, (struct hash_seed){1, 2}, 3, 10, FETCH_SESSION_PARTITIONS_MAX);
    struct fetch_session *session = fetch_session_create(&cache, false, 0);
    int32_t id = session->id;
    struct fetch_partition p = asked_for("t", 0, 42);
    assert_true(fetch_session_put(&cache, session, &p));
    fetch_session_begin_use(session);
    fetch_session_close(&cache, session);
    assert_null(fetch_session_find(&cache, id));
    assert_int_equal(first(session)->fetch_offset, 42);
    fetch_session_end_use(&cache, session);
    assert_int_equal(cache.partition_count, 0);
    fetch_sessions_release(&cache);
}

static void partitions_of_all_sessions_are_bounded(void **state)
{
    struct fetch_sessions cache;
    fetch_sessions_init(&cache, (struct hash_seed){1, 2}, 3, 10, FETCH_SESSION_PARTITIONS_MAX);
    struct fetch_session *session = fetch_session_create(&cache, false, 0);
    struct fetch_partition p = asked_for("t", 0, 0);
    assert_true(fetch_session_put(&cache, session, &p));
    cache.partition_count = FETCH_SESSION_PARTITIONS_MAX;
    struct fetch_partition q = asked_for("t", 1, 0);
    assert_false(fetch_session_put(&cache, session, &q));
    assert_true(fetch_session_put(&cache, session, &p));
    cache.partition_count = 1;
    fetch_sessions_release(&cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(put_updates_what_is_there),
        cmocka_unit_test(names_and_ids_are_different_keys),
        cmocka_unit_test(served_partitions_go_to_the_end),
        cmocka_unit_test(epoch_wraps_to_one),
        cmocka_unit_test(a_full_cache_evicts_only_the_idle),
        cmocka_unit_test(sessions_in_use_are_not_evicted),
        cmocka_unit_test(closed_in_use_lives_until_the_end_of_use),
        cmocka_unit_test(partitions_of_all_sessions_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
