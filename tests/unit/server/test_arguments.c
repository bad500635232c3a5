// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "config/config.h"
#include "server/arguments.h"

static int parse(struct server_arguments *a, char **words)
{
    int argc = 0;
    while (words[argc] != NULL)
        argc++;
    return server_arguments_parse(a, argc, words);
}

static void test_words(void **state)
{
    struct server_arguments a;
    char *words[] = {(char[]){"server"},     (char[]){"--override"},        (char[]){"a=1"},
                     (char[]){"x.properties"}, (char[]){"--override=b=2=3"}, (char[]){"--log-format"},
                     (char[]){"json"},       NULL};
    assert_int_equal(parse(&a, words), 0);
    assert_string_equal(a.file, "x.properties");
    assert_int_equal(a.override_count, 2);
    assert_string_equal(a.overrides[0], "a=1");
    assert_string_equal(a.overrides[1], "b=2=3");
    assert_true(a.log_json);
    server_arguments_release(&a);
    assert_int_equal(parse(&a, (char *[]){(char[]){"server"}, (char[]){"--log-format=text"}, NULL}), 0);
    assert_null(a.file);
    assert_false(a.log_json);
    server_arguments_release(&a);
}

// What it says goes to stderr, which nobody reads here.
static void test_usage_errors(void **state)
{
    static const char *const wrong[][2] = {
        {"--nope", NULL}, {"--log-format=xml", NULL}, {"--log-format", NULL},
        {"--overrides", NULL}, {"--override", NULL}, {"a", "b"},
    };
    int kept = dup(STDERR_FILENO);
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    dup2(null, STDERR_FILENO);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char first[32], second[32] = "";
        snprintf(first, sizeof first, "%s", wrong[i][0]);
        if (wrong[i][1] != NULL)
            snprintf(second, sizeof second, "%s", wrong[i][1]);
        char *words[] = {(char[]){"server"}, first, wrong[i][1] != NULL ? second : NULL, NULL};
        struct server_arguments a;
        int status = parse(&a, words);
        server_arguments_release(&a);
        if (status != 2) {
            dup2(kept, STDERR_FILENO);
            fail_msg("%s gives %d", first, status);
        }
    }
    dup2(kept, STDERR_FILENO);
    close(kept);
    close(null);
}

static void test_precedence(void **state)
{
    char path[] = "/tmp/chitin-arguments-XXXXXX";
    int fd = mkstemp(path);
    static const char text[] = "num.partitions=2\nmessage.max.bytes=2\nfetch.max.bytes=2000\n";
    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    close(fd);
    // The order of the words does not matter.
    char *words[] = {(char[]){"server"}, (char[]){"--override"}, (char[]){"num.partitions=4"}, path, NULL};
    char *environment[] = {(char[]){"KAFKA_NUM_PARTITIONS=3"}, (char[]){"KAFKA_MESSAGE_MAX_BYTES=3"},
                           (char[]){"PATH=/bin"}, NULL};
    struct server_arguments a;
    struct config *c = config_new();
    struct diag diag = {""};
    assert_int_equal(parse(&a, words), 0);
    assert_int_equal(server_arguments_load(&a, environment, c, NULL, &diag), ERR_OK);
    assert_int_equal(config_i32(c, "num.partitions"), 4);
    assert_int_equal(config_i32(c, "message.max.bytes"), 3);
    assert_int_equal(config_i32(c, "fetch.max.bytes"), 2000);
    assert_false(config_is_set(c, "listeners"));
    assert_string_equal(config_text(c, "listeners"), "PLAINTEXT://:9092");
    config_free(c);
    unlink(path);
    // The file is gone now.
    c = config_new();
    assert_int_equal(server_arguments_load(&a, environment, c, NULL, &diag), ERR_NOT_FOUND);
    assert_non_null(strstr(diag.text, path));
    server_arguments_release(&a);
    config_free(c);
}

static void test_without_a_file(void **state)
{
    char *environment[] = {NULL};
    char *words[] = {(char[]){"server"}, (char[]){"--override"}, (char[]){"nonsense"}, NULL};
    struct server_arguments a;
    struct config *c = config_new();
    struct diag diag = {""};
    assert_int_equal(parse(&a, words), 0);
    assert_int_equal(server_arguments_load(&a, environment, c, NULL, &diag), ERR_INVALID);
    assert_string_equal(diag.text, "'nonsense' is not KEY=VALUE");
    assert_string_equal(config_text(c, "listeners"), "PLAINTEXT://127.0.0.1:9092");
    server_arguments_release(&a);
    config_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_usage_errors),
        cmocka_unit_test(test_precedence),
        cmocka_unit_test(test_without_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
