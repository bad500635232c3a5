// SPDX-License-Identifier: Apache-2.0
//
// Which topics a client asks about: all, by name, by id, and in which order.
#include "group_world.h"

#include "client/topology.h"

static void nothing(void *user, int64_t now_ms)
{
}

static int64_t never(void *user)
{
    return INT64_MAX;
}

static const struct topology_topic *find(struct world_client *c, const char *name)
{
    return topology_topic(client_topology(c->client), str_from(name));
}

// Who asks about a topic after all topics were asked for gets an answer, also when it is not there: an
// answer about all topics does not say which are missing.
static void a_missing_topic_is_told_beside_all(void **state)
{
    struct world w;
    world_init(&w, NULL);
    world_topic(&w, "t", 2);
    struct world_client *c = world_client_new(&w, nothing, never, NULL);
    client_want_all_topics(c->client);
    world_settle(&w);
    assert_int_equal(client_all_topics_generation(c->client), 1);
    assert_int_equal(find(c, "t")->partition_count, 2);
    client_want_topic(c->client, str_from("missing"), false);
    world_run(&w, 1000);
    assert_non_null(find(c, "missing"));
    assert_int_equal(find(c, "missing")->error, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    assert_non_null(find(c, "t"));
    int requests = w.requests[API_METADATA];
    world_run(&w, 10000);
    assert_int_equal(w.requests[API_METADATA], requests); // and is not asked about without end
    world_topic(&w, "missing", 1);
    client_topology_is_stale(c->client, w.groups.now.mono_ms);
    world_run(&w, 1000);
    assert_int_equal(find(c, "missing")->error, 0);
    world_client_free(c);
    world_release(&w);
}

// A broker that finds an id does not look at the names beside it: they are asked in turn, and an id that
// nobody knows does not keep the names from being asked about.
static void ids_and_names_take_turns(void **state)
{
    struct world w;
    world_init(&w, NULL);
    world_topic(&w, "t", 2);
    world_topic(&w, "u", 1);
    struct world_client *c = world_client_new(&w, nothing, never, NULL);
    struct uuid id = metadata_image_topic(w.groups.image, str_from("u"))->id, gone = {{9}};
    client_want_topic(c->client, str_from("t"), false);
    client_want_topic_id(c->client, id);
    client_want_topic_id(c->client, gone);
    world_run(&w, 1000);
    assert_non_null(find(c, "t"));
    assert_non_null(find(c, "u"));
    world_topic(&w, "t", 3);
    client_topology_is_stale(c->client, w.groups.now.mono_ms);
    world_run(&w, 1000);
    assert_int_equal(find(c, "t")->partition_count, 3);
    int requests = w.requests[API_METADATA];
    world_run(&w, 10000);
    assert_int_equal(w.requests[API_METADATA], requests);
    world_client_free(c);
    world_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missing_topic_is_told_beside_all),
        cmocka_unit_test(ids_and_names_take_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
