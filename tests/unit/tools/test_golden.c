// SPDX-License-Identifier: Apache-2.0
//
// Whole commands against recorded answers: what the aliases print is what Apache Kafka's own tools
// printed (tests/golden/tools/NAME.txt, recorded from them), byte for byte on standard output.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "replay.h"

enum { FILE_SIZE_MAX = 1 << 20, ARGS_MAX = 64, CASES_MAX = 256 };

static const char *folder;

static char *read_text(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return NULL;
    char *text = mem_alloc_zero(FILE_SIZE_MAX);
    size_t size = fread(text, 1, FILE_SIZE_MAX - 1, file);
    text[size] = '\0';
    fclose(file);
    return text;
}

// Splits the command line of a transcript; it has no quotes.
static int split(char *line, char **argv)
{
    int argc = 0;
    for (char *word; (word = strsep(&line, " ")) != NULL && argc < ARGS_MAX - 1;)
        if (word[0] != '\0')
            argv[argc++] = word;
    argv[argc] = NULL;
    return argc;
}

// Ids differ from one recording to the next.
static void hide_ids(char *text)
{
    static const char *const labels[] = {"TopicId: ", "Cluster ID: "};
    for (int i = 0; i < 2; i++) {
        for (char *at = text; (at = strstr(at, labels[i])) != NULL;) {
            at += strlen(labels[i]);
            if (strncmp(at, "ID", 2) == 0 || strlen(at) < 22)
                continue;
            memcpy(at, "ID", 2);
            memmove(at + 2, at + 22, strlen(at + 22) + 1);
        }
    }
}

// And so do times.
static void hide_times(char *text)
{
    static const char *const labels[] = {"\"timestamp\":", "\"avg_throughput\":"};
    for (int i = 0; i < 2; i++) {
        for (char *at = text; (at = strstr(at, labels[i])) != NULL;) {
            at += strlen(labels[i]);
            size_t size = strspn(at, "0123456789.Ee-");
            assert_true(size > 0);
            *at = 'N';
            memmove(at + 1, at + size, strlen(at + size) + 1);
        }
    }
}

static void run_case(void **state)
{
    const char *name = *state;
    char path[512], frames[512], *argv[ARGS_MAX];
    snprintf(path, sizeof path, "%s/%s.txt", folder, name);
    snprintf(frames, sizeof frames, "%s/%s.frames", folder, name);
    char *text = read_text(path);
    assert_non_null(text);
    char *command = text + 2, *out = strstr(text, "\n-- stdout\n");
    assert_non_null(out);
    *out = '\0';
    out += strlen("\n-- stdout\n");
    char *err = strstr(out, "-- stderr\n");
    assert_non_null(err);
    char *status_text = strstr(err, "-- exit ");
    assert_non_null(status_text);
    *err = '\0';
    int argc = split(command, argv);

    // A case without recorded answers asks nobody.
    struct replay *replay = replay_new(access(frames, R_OK) == 0 ? frames : NULL);
    struct tool t;
    tool_init(&t, replay_host(replay));
    int status = tool_main(&t, argc, argv);
    char *printed = mem_copy_text(buf_text(&t.out.buf));
    hide_ids(printed);
    hide_times(printed);
    if (strcmp(printed, out) != 0)
        fail_msg("expected:\n%s\nprinted:\n%s\nerrors:\n%s", out, printed, buf_text(&t.err.buf));
    assert_int_equal(status, status_text[strlen("-- exit ")] - '0');
    mem_free(printed);
    tool_release(&t);
    replay_free(replay);
    mem_free(text);
}

int main(int argc, char **argv)
{
    struct CMUnitTest tests[CASES_MAX];
    int count = 0;
    folder = argv[1];
    for (int i = 2; i < argc && count < CASES_MAX; i++)
        tests[count++] = (struct CMUnitTest){
            .name = argv[i], .test_func = run_case, .initial_state = argv[i]};
    return _cmocka_run_group_tests("tools/golden", tests, (size_t)count, NULL, NULL);
}
