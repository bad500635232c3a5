// SPDX-License-Identifier: Apache-2.0
//
// A compacted segment takes the place of others so that nothing is lost where the process is killed at any
// moment of it, and the machine dies at any moment of the start that follows.
#include "scripts.h"

#include "log/log.h"

static const char script[] = "_A _B / _A 1B / 1- _A / _C 2C 2+ / _Z";
static const char before[] = "_A _B _A 1B 1- _A _C 2C 2+ _Z";
static const char after[] = "__ _B __ 1. 1- _A __ 2C 2+ _Z";

// The process dies at its `nth` change of the disk while it compacts: false if it did not come to that.
static bool compact_and_die(struct scripted *s, uint64_t nth)
{
    begin_script(s, script);
    stop(s);
    start(s);
    assert_int_equal(log_close(s->log), 0);
    assert_int_equal(fs_dir_sync(s->w.args.fs, "/"), 0);
    assert_int_equal(fs_dir_sync(s->w.args.fs, "/d"), 0);
    assert_int_equal(fs_dir_sync(s->w.args.fs, "/d/t-0"), 0);
    sim_fs_crash_at(s->w.fs, nth);
    run_cleaner(s, 0);
    bool died = sim_fs_is_crashed(s->w.fs);
    log_free(s->log);
    s->log = NULL;
    sim_fs_crash_at(s->w.fs, 0);
    return died;
}

// The machine dies at the `nth` change of the disk while the log is opened: false if it did not.
static bool start_and_die(struct scripted *s, uint64_t nth)
{
    struct diag diag;
    s->w.args.clean = false;
    sim_fs_crash_at(s->w.fs, nth);
    int err = log_open(&s->w.args, &s->log, &diag);
    bool died = sim_fs_is_crashed(s->w.fs);
    assert_true(err == 0 || died);
    if (err == 0)
        log_free(s->log);
    sim_fs_crash_at(s->w.fs, 0);
    return died;
}

static void assert_whole(struct scripted *s)
{
    char found[SCRIPT_MAX];
    start(s);
    assert_false(log_is_offline(s->log));
    read_script(s, found);
    if (strcmp(found, after) != 0)
        assert_string_equal(found, before);
    end_script(s);
}

static void a_killed_swap_survives_a_power_cut_while_it_is_completed(void **state)
{
    static const enum sim_crash cuts[] = {SIM_CRASH_ALL, SIM_CRASH_PREFIX, SIM_CRASH_RANDOM,
                                          SIM_CRASH_RANDOM};
    struct scripted s;
    uint64_t steps = 0;
    for (bool killed = true; killed; steps++) {
        for (size_t cut = 0; cut < sizeof cuts / sizeof cuts[0]; cut++) {
            bool died = true;
            for (uint64_t nth = 1; died; nth++) {
                killed = compact_and_die(&s, steps + 1);
                sim_fs_restart(s.w.fs, SIM_CRASH_KILL);
                died = start_and_die(&s, nth);
                sim_fs_restart(s.w.fs, cuts[cut]);
                assert_whole(&s);
            }
        }
    }
    assert_true(steps > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_killed_swap_survives_a_power_cut_while_it_is_completed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
