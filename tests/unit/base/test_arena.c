// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdalign.h>

#include "base/arena.h"

static void test_pieces_are_cleared_aligned_and_apart(void **state)
{
    static const size_t sizes[] = {0, 1, 15, 16, 17, 100, 3999, 4000, 4001, 100000};
    struct arena a;
    arena_init(&a, 1 << 20);
    uint8_t *pieces[10];
    for (size_t i = 0; i < 10; i++) {
        pieces[i] = arena_alloc(&a, sizes[i]);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % alignof(max_align_t), 0);
        for (size_t j = 0; j < sizes[i]; j++)
            assert_int_equal(pieces[i][j], 0);
        memset(pieces[i], (int)i + 1, sizes[i]);
    }
    for (size_t i = 0; i < 10; i++)
        for (size_t j = 0; j < sizes[i]; j++)
            assert_int_equal(pieces[i][j], (int)i + 1);
    arena_release(&a);
    assert_int_equal(a.used, 0);
    assert_non_null(arena_alloc(&a, 8)); // usable again
    arena_release(&a);
}

static void test_maximum(void **state)
{
    struct arena a;
    arena_init(&a, 1000);
    assert_null(arena_alloc(&a, 1001));
    assert_null(arena_alloc(&a, SIZE_MAX));
    assert_non_null(arena_alloc(&a, 900));
    assert_null(arena_alloc(&a, 200));
    size_t used = a.used;
    assert_non_null(arena_alloc(&a, 64)); // a refusal spoils nothing
    assert_true(a.used > used && a.used <= 1000);
    int count = 0;
    while (arena_alloc(&a, 1) != NULL)
        count++;
    assert_true(count < 10);
    arena_release(&a);
}

static void test_arrays_do_not_overflow(void **state)
{
    struct arena a;
    arena_init(&a, 1 << 20);
    assert_null(arena_alloc_array(&a, SIZE_MAX / 2, 3));
    assert_null(arena_alloc_array(&a, 1 << 20, 2));
    int64_t *numbers = arena_new_array(&a, 100, int64_t);
    assert_non_null(numbers);
    numbers[99] = 1;
    arena_release(&a);
}

static void test_copies_are_terminated(void **state)
{
    struct arena a;
    arena_init(&a, 100);
    struct str copy = arena_copy_str(&a, str_of("abcdef", 3));
    assert_string_equal(copy.data, "abc");
    assert_int_equal(copy.size, 3);
    assert_string_equal(arena_copy_str(&a, (struct str){0}).data, "");
    char big[200] = {0};
    assert_null(arena_copy_str(&a, str_of(big, sizeof big)).data);
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_are_cleared_aligned_and_apart),
        cmocka_unit_test(test_maximum),
        cmocka_unit_test(test_arrays_do_not_overflow),
        cmocka_unit_test(test_copies_are_terminated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
