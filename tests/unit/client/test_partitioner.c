// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "client/partitioner.h"

// What Java's clients compute for these keys.
static void murmur2_is_javas(void **state)
{
    static const struct {
        const char *key;
        int32_t hash;
    } cases[] = {
        {"21", -973932308},
        {"foobar", -790332482},
        {"a-little-bit-long-string", -985981536},
        {"a-little-bit-longer-string", -1486304829},
        {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
        {"abc", 479470107},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal((int32_t)murmur2(bytes_of(cases[i].key, strlen(cases[i].key))),
                         cases[i].hash);
}

static void keys_map_to_the_range(void **state)
{
    for (int i = 0; i < 1000; i++) {
        int32_t p = partition_for_key(bytes_of(&i, sizeof i), 7);
        assert_in_range(p, 0, 6);
    }
}

static void sticky_moves_on_only_when_told(void **state)
{
    struct sticky_partition s;
    sticky_partition_init(&s, 42);
    int32_t first = sticky_partition_get(&s, 5);
    assert_int_equal(sticky_partition_get(&s, 5), first);
    for (int i = 0; i < 100; i++) {
        int32_t before = sticky_partition_get(&s, 5);
        sticky_partition_advance(&s, 5);
        assert_int_not_equal(sticky_partition_get(&s, 5), before);
        assert_in_range(sticky_partition_get(&s, 5), 0, 4);
    }
    sticky_partition_advance(&s, 1); // there is no other
    assert_int_equal(sticky_partition_get(&s, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(murmur2_is_javas),
        cmocka_unit_test(keys_map_to_the_range),
        cmocka_unit_test(sticky_moves_on_only_when_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
