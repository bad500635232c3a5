// SPDX-License-Identifier: Apache-2.0
//
// The command line as a whole: dispatch, help, exit statuses, aliases.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "replay.h"
#include "tools/commands.h"

static char **alias_names; // as the build links them
static int alias_count;

struct outcome {
    int status;
    char out[65536];
    char err[4096];
};

static void run(struct outcome *o, const char *line, const char *input)
{
    char *copy = mem_copy_text(line), *rest = copy, *argv[32];
    int argc = 0;
    for (char *word; (word = strsep(&rest, " ")) != NULL;)
        argv[argc++] = word;
    argv[argc] = NULL;
    struct replay *replay = replay_new(NULL);
    replay_set_input(replay, input);
    struct tool t;
    tool_init(&t, replay_host(replay));
    o->status = tool_main(&t, argc, argv);
    assert_true(str_copy_to(buf_str(&t.out.buf), o->out, sizeof o->out));
    assert_true(str_copy_to(buf_str(&t.err.buf), o->err, sizeof o->err));
    tool_release(&t);
    replay_free(replay);
    mem_free(copy);
}

static void exit_statuses(void **state)
{
    static const struct {
        const char *line;
        int status;
        const char *err;
    } cases[] = {
        {"chitin version", 0, ""},
        {"chitin", 2, "Usage:"},
        {"chitin topic", 2, "topic create"},
        {"chitin topik list", 2, "did you mean \"topic list\"?"},
        {"chitin produce", 2, "needs TOPIC"},
        {"chitin produce a b", 2, "unexpected argument \"b\""},
        {"chitin produce a -k x -K :", 2, "exclude each other"},
        {"chitin produce a -z lz5", 2, "not one of none|gzip"},
        {"chitin consume a -o yesterday", 2, "is no offset"},
        {"chitin consume a -f %q", 2, "unknown letter"},
        {"chitin consume a -g g", 5, "127.0.0.1:9092: connection refused"},
        {"chitin consume a -g g -o end", 2, "choose with --from"},
        {"chitin consume a -g g -p 0", 2, "the group decides about partitions"},
        {"chitin consume a -g g -e", 2, "--idle-timeout"},
        {"chitin consume a -v", 2, "--verbose is for members of a group"},
        {"chitin consume a --idle-timeout soon", 2, "such as 10s"},
        {"chitin consume a -g g --from 12", 2, "--from needs start, end, none"},
        {"chitin consume a -g g --assignor best", 2, "there is no \"best\""},
        {"chitin consume a( -r -g g", 2, "a("},
        {"chitin consume a -p x", 2, "--partitions needs numbers"},
        {"chitin topic create a -c x", 2, "--config needs KEY=VALUE"},
        {"chitin topic create a -p 2 --replica-assignment 1", 2, "leave --partitions"},
        {"chitin topic alter a", 2, "nothing to change"},
        {"chitin topic list -b host:x", 2, "is not a broker's address"},
        {"chitin topic list", 5, "chitin server"},
        {"chitin produce a", 5, "127.0.0.1:9092: connection refused"},
        {"chitin consume a -b [::1]:9,b:7", 5, "connection refused"},
        {"kafka-topics.sh --list", 1, "no broker can be reached"},
        {"/usr/bin/kafka-topics --list --describe", 1, "exactly one action"},
        {"kafka-topics --nosuch", 1, "unknown flag --nosuch"},
        {"kafka-topics --create", 1, "Missing required argument \"[topic]\""},
        {"chitin group seek g", 2, "--to"},
        {"chitin group seek g --to 1:2", 2, "is not one place"},
        {"chitin group seek g --to +x", 2, "needs a number"},
        {"chitin group seek g --to group:", 2, "needs a name"},
        {"chitin group seek g --to end --all-topics -t a", 2, "contradict"},
        {"chitin group explain", 2, "needs GROUP"},
        {"chitin group watch g -i 0", 2, "--interval"},
        {"chitin group delete", 2, "needs GROUP"},
        {"chitin group offset-delete g", 2, "--topic"},
        {"chitin group list", 5, "chitin server"},
        {"kafka-consumer-groups", 1, "exactly one action"},
        {"kafka-consumer-groups --list --members", 1, "--members goes with --describe alone"},
        {"kafka-consumer-groups --list --state zzz", 1, "Invalid state list 'zzz'"},
        {"kafka-consumer-groups --delete --group g --timeout 0", 1, "--timeout"},
        {"kafka-consumer-groups --list", 1, "no broker can be reached"},
        {"kafka-groups.sh --list --share --streams", 1, "can't be used with"},
        {"kafka-console-producer --topic", 1, "--topic needs a value"},
        {"kafka-console-consumer --topic a --group g", 1, "no broker can be reached"},
        {"kafka-console-consumer --topic a --group g --partition 0", 1, "group and partition cannot"},
        {"kafka-console-consumer --topic a --group g --command-property group.id=h", 1, "do not match"},
        {"kafka-console-consumer --topic a --offset 1", 1, "The partition is required"},
    };
    struct outcome *o = mem_new(struct outcome);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        run(o, cases[i].line, NULL);
        if (o->status != cases[i].status || strstr(o->err, cases[i].err) == NULL)
            fail_msg("%s: %d %s", cases[i].line, o->status, o->err);
    }
    mem_free(o);
}

static void zookeeper_is_not_used(void **state)
{
    struct outcome *o = mem_new(struct outcome);
    run(o, "kafka-topics.sh --create --zookeeper localhost:2181 --replication-factor 1 "
           "--partitions 1 --topic test",
        NULL);
    assert_non_null(strstr(o->err, "there is no ZooKeeper any more"));
    assert_non_null(strstr(o->err, "127.0.0.1:9092"));
    mem_free(o);
}

// A client setting that promises protection is refused, not ignored.
static void protection_is_not_ignored(void **state)
{
    struct outcome *o = mem_new(struct outcome);
    run(o, "kafka-console-producer --topic t --producer-property security.protocol=SSL", "x\n");
    assert_int_equal(o->status, 1);
    assert_non_null(strstr(o->err, "security.protocol=SSL"));
    mem_free(o);
}

static void every_command_has_help(void **state)
{
    struct outcome *o = mem_new(struct outcome);
    for (int k = 0; k < 2; k++) {
        const struct command *const *list = k == 0 ? commands : aliases;
        for (int i = 0; list[i] != NULL; i++) {
            char line[128];
            snprintf(line, sizeof line, "%s%s --help", k == 0 ? "chitin " : "", list[i]->name);
            run(o, line, NULL);
            assert_int_equal(o->status, 0);
            assert_string_equal(o->err, "");
            assert_non_null(strstr(o->out, "Usage:"));
            assert_non_null(strstr(o->out, list[i]->name));
        }
    }
    mem_free(o);
}

static void completions_name_every_command(void **state)
{
    static const char *const shells[] = {"bash", "zsh", "fish"};
    struct outcome *o = mem_new(struct outcome);
    for (int s = 0; s < 3; s++) {
        char line[64];
        snprintf(line, sizeof line, "chitin completion %s", shells[s]);
        run(o, line, NULL);
        assert_int_equal(o->status, 0);
        assert_non_null(strstr(o->out, "replica-assignment"));
        for (int i = 0; commands[i] != NULL; i++) {
            struct str rest = str_from(commands[i]->name), word = {0};
            while (rest.data != NULL)
                word = str_cut(&rest, ' ');
            assert_non_null(memmem(o->out, strlen(o->out), word.data, word.size));
        }
    }
    mem_free(o);
}

// The build links exactly the names that the program answers to.
static void aliases_are_those_of_the_build(void **state)
{
    int count = 0;
    for (int i = 0; i < alias_count; i++)
        if (alias_find(alias_names[i]) == NULL)
            fail_msg("%s is linked but not known", alias_names[i]);
    while (aliases[count] != NULL)
        count++;
    assert_int_equal(alias_count, 2 * count);
    assert_null(alias_find("kafka-topics.sh.sh"));
    assert_null(alias_find("chitin"));
}

// One page for each, which says all that help says of its flags.
static void pages_of_the_manual_have_every_flag(void **state)
{
    struct outcome *o = mem_new(struct outcome);
    for (int k = 0; k < 2; k++) {
        const struct command *const *list = k == 0 ? commands : aliases;
        for (int i = 0; list[i] != NULL; i++) {
            char line[128];
            int size = snprintf(line, sizeof line, "chitin manual %s", k == 0 ? "chitin-" : "");
            for (const char *c = list[i]->name; *c != '\0'; c++)
                line[size++] = *c == ' ' ? '-' : *c;
            line[size] = '\0';
            run(o, line, NULL);
            assert_int_equal(o->status, 0);
            assert_non_null(strstr(o->out, ".SH OPTIONS\n"));
            int shown = 1; // --help
            for (const char *at = o->out; (at = strstr(at, "\n.TP\n\\fB")) != NULL; at++)
                shown++;
            for (int f = 0; f < list[i]->flag_count; f++)
                shown -= list[i]->flags[f].help != NULL;
            assert_int_equal(shown, 2);
        }
    }
    run(o, "chitin manual chitin-nothing", NULL);
    assert_int_equal(o->status, 3);
    mem_free(o);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exit_statuses),
        cmocka_unit_test(zookeeper_is_not_used),
        cmocka_unit_test(protection_is_not_ignored),
        cmocka_unit_test(every_command_has_help),
        cmocka_unit_test(completions_name_every_command),
        cmocka_unit_test(pages_of_the_manual_have_every_flag),
        cmocka_unit_test(aliases_are_those_of_the_build),
    };
    alias_names = argv + 1;
    alias_count = argc - 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
