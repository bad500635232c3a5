// SPDX-License-Identifier: Apache-2.0
//
// Placement: leaders even, replicas over racks, fenced brokers last.
#include "cluster.h"

#include "wire/api/create_topics.h"

static const struct metadata_topic *create(struct cluster *x, int32_t partitions, int16_t factor)
{
    struct create_topics_request_creatable_topic t;
    struct create_topics_request request;
    struct create_topics_response reply;
    create_topics_request_creatable_topic_init(&t);
    t.name = str_from("t");
    t.num_partitions = partitions;
    t.replication_factor = factor;
    create_topics_request_init(&request);
    request.topics.items = &t;
    request.topics.count = 1;
    cluster_begin(x);
    controller_create_topics(x->controller, &x->cmd, &request, &reply, &x->arena);
    cluster_end(x);
    if (reply.topics.items[0].error_code != 0)
        return NULL;
    return metadata_image_topic(cluster_image(x), str_from("t"));
}

struct layout {
    int brokers;
    const char *racks[8];
    int32_t partitions;
    int16_t factor;
    int rack_count;
};

static const struct layout layouts[] = {
    {1, {NULL}, 5, 1, 1},
    {3, {NULL, NULL, NULL}, 30, 3, 1},
    {3, {"a", "b", "c"}, 30, 2, 3},
    {6, {"a", "a", "b", "b", "c", "c"}, 60, 3, 3},
    {4, {"a", "a", "b", "b"}, 48, 2, 2},
    {5, {"a", "a", "a", "b", "b"}, 40, 2, 2},
    {8, {"a", "b", "c", "d", "a", "b", "c", "d"}, 80, 4, 4},
};

static int rack_of(const struct layout *l, int32_t broker)
{
    const char *rack = l->racks[broker - 1];
    return rack != NULL ? rack[0] - 'a' : 0;
}

static void placement_is_even_and_aware_of_racks(void **state)
{
    for (size_t i = 0; i < sizeof layouts / sizeof layouts[0]; i++) {
        const struct layout *l = &layouts[i];
        struct cluster x;
        cluster_init_empty(&x);
        cluster_activate(&x);
        for (int32_t id = 1; id <= l->brokers; id++)
            cluster_add_broker(&x, id, l->racks[id - 1], 1);
        const struct metadata_topic *t = create(&x, l->partitions, l->factor);
        int leaders[9] = {0}, replicas[9] = {0};
        for (int32_t p = 0; p < l->partitions; p++) {
            const struct metadata_partition *partition = t->partitions[p];
            int racks[8] = {0}, most = 0;
            assert_int_equal(partition->replicas.count, l->factor);
            leaders[partition->leader]++;
            for (int32_t r = 0; r < l->factor; r++) {
                int32_t id = partition->replicas.ids[r];
                assert_int_equal(replicas_index(partition->replicas, id), r); // no broker twice
                replicas[id]++;
                int uses = ++racks[rack_of(l, id)];
                most = uses > most ? uses : most;
            }
            // No rack has two while another could have one.
            assert_true(most <= (l->factor + l->rack_count - 1) / l->rack_count);
        }
        for (int id = 1; id <= l->brokers; id++) {
            assert_int_equal(leaders[id], l->partitions / l->brokers);
            assert_true(replicas[id] >= l->partitions * l->factor / l->brokers / 2);
        }
        cluster_release(&x);
    }
}

static void fenced_brokers_are_last_and_never_lead(void **state)
{
    struct cluster x;
    cluster_init_empty(&x);
    cluster_activate(&x);
    for (int32_t id = 1; id <= 4; id++)
        cluster_add_broker(&x, id, NULL, 1);
    for (int32_t id = 3; id <= 4; id++) {
        struct broker_heartbeat_request r = heartbeat_of(&x, id);
        r.want_fence = true;
        cluster_heartbeat(&x, &r);
    }
    const struct metadata_topic *t = create(&x, 12, 3);
    for (int32_t p = 0; p < 12; p++) {
        assert_true(t->partitions[p]->leader <= 2);
        assert_true(t->partitions[p]->replicas.ids[1] <= 2);
        assert_true(t->partitions[p]->replicas.ids[2] >= 3);
        assert_int_equal(t->partitions[p]->isr.count, 2);
    }
    cluster_release(&x);
}

static void without_a_broker_in_service_nothing_is_placed(void **state)
{
    struct cluster x;
    cluster_init_empty(&x);
    cluster_activate(&x);
    assert_null(create(&x, 1, 1));
    struct registration r;
    registration_init(&r, 1, 1, 1);
    cluster_register(&x, &r); // still fenced
    assert_null(create(&x, 1, 1));
    assert_int_equal(metadata_image_topic_count(cluster_image(&x)), 0);
    cluster_release(&x);
}

static void cordoned_brokers_get_nothing_new(void **state)
{
    struct cluster x;
    cluster_init_empty(&x);
    cluster_activate(&x);
    cluster_add_broker(&x, 1, NULL, 2);
    cluster_add_broker(&x, 2, NULL, 2);
    struct broker_heartbeat_request r = heartbeat_of(&x, 1);
    struct uuid directories[2];
    memcpy(directories, metadata_image_broker(cluster_image(&x), 1)->directories,
           sizeof directories);
    r.cordoned_log_dirs = (struct wire_uuid_array){directories, 2};
    cluster_heartbeat(&x, &r);
    const struct metadata_topic *t = create(&x, 4, 1);
    for (int32_t p = 0; p < 4; p++)
        assert_int_equal(t->partitions[p]->leader, 2);
    cluster_release(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(placement_is_even_and_aware_of_racks),
        cmocka_unit_test(fenced_brokers_are_last_and_never_lead),
        cmocka_unit_test(without_a_broker_in_service_nothing_is_placed),
        cmocka_unit_test(cordoned_brokers_get_nothing_new),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
