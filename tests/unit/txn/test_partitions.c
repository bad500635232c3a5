// SPDX-License-Identifier: Apache-2.0
#include "fixture.h"
#include "txn/partitions.h"

static void test_set(void **state)
{
    (void)state;
    struct txn_partitions p = {0};
    static const struct {
        const char *topic;
        int32_t partition;
        bool is_new;
    } added[] = {
        {"b", 3, true}, {"a", 7, true}, {"b", 0, true}, {"c", 1, true}, {"b", 3, false},
        {"a", -1, true}, {"ab", 2, true}, {"a", 7, false}, {"", 5, true}, {"b", 1, true},
    };
    for (size_t i = 0; i < sizeof(added) / sizeof(*added); i++)
        assert_int_equal(txn_partitions_add(&p, str_from(added[i].topic), added[i].partition),
                         added[i].is_new);
    assert_int_equal(p.total, 8);
    assert_int_equal(p.count, 5);
    for (int32_t i = 1; i < p.count; i++)
        assert_true(str_compare(str_from(p.topics[i - 1].name), str_from(p.topics[i].name)) < 0);
    static const int32_t of_b[] = {0, 1, 3};
    assert_memory_equal(p.topics[3].partitions, of_b, sizeof(of_b));
    assert_true(txn_partitions_has(&p, str_from("ab"), 2));
    assert_false(txn_partitions_has(&p, str_from("ab"), 3));
    assert_false(txn_partitions_has(&p, str_from("d"), 1));
    txn_partitions_clear(&p);
    assert_false(txn_partitions_has(&p, str_from("b"), 0));
}

static void test_listed(void **state)
{
    (void)state;
    struct txn_partitions p = {0};
    struct arena arena;
    int32_t ones[] = {2, 1, 2}, twos[] = {0};
    struct transaction_log_value_partitions_schema items[] = {
        {str_from("z"), {ones, 3}}, {str_from("a"), {twos, 1}}, {str_from("z"), {twos, 1}}};
    const struct transaction_log_value_partitions_schema_array listed = {items, 3};
    struct transaction_log_value_partitions_schema_array out;
    arena_init(&arena, 1 << 20);
    txn_partitions_set(&p, &listed);
    assert_int_equal(p.total, 4);
    assert_true(txn_partitions_list(&p, &arena, &out));
    assert_int_equal(out.count, 2);
    assert_true(str_is(out.items[1].topic, "z"));
    assert_int_equal(out.items[1].partition_ids.count, 3);
    assert_int_equal(out.items[1].partition_ids.items[2], 2);
    // A record without a list: nothing.
    txn_partitions_set(&p, &(struct transaction_log_value_partitions_schema_array){NULL, -1});
    assert_int_equal(p.total, 0);
    arena_release(&arena);
    txn_partitions_clear(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_set), cmocka_unit_test(test_listed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
