// SPDX-License-Identifier: Apache-2.0
#include "server/arguments.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "config/config.h"
#include "config/environment.h"
#include "log/small_file.h"
#include "os/fs.h"

enum { EXIT_USAGE = 2, CONFIG_TEXT_MAX = 1 << 20 };

static int usage_error(const char *what, const char *word)
{
    fprintf(stderr, "chitin server: %s: %s\nTry: chitin server --help\n", what, word);
    return EXIT_USAGE;
}

// The value of the option `name` at argv[*i], which it then passes; NULL if it is another word, or if
// the value is missing.
static const char *option_value(const char *name, int argc, char **argv, int *i)
{
    size_t size = strlen(name);
    if (strncmp(argv[*i], name, size) != 0)
        return NULL;
    if (argv[*i][size] == '=')
        return argv[*i] + size + 1;
    return argv[*i][size] == '\0' && *i + 1 < argc ? argv[++*i] : NULL;
}

static int set_log_format(struct server_arguments *a, const char *value)
{
    a->log_json = strcmp(value, "json") == 0;
    return a->log_json || strcmp(value, "text") == 0
               ? 0
               : usage_error("--log-format is text or json, not", value);
}

static int parse_word(struct server_arguments *a, int argc, char **argv, int *i)
{
    const char *value;
    if ((value = option_value("--override", argc, argv, i)) != NULL) {
        a->overrides[a->override_count++] = value;
        return 0;
    }
    if ((value = option_value("--log-format", argc, argv, i)) != NULL)
        return set_log_format(a, value);
    if (argv[*i][0] == '-')
        return usage_error("unknown option, or its value is missing", argv[*i]);
    if (a->file != NULL)
        return usage_error("only one FILE can be given, but there is also", argv[*i]);
    a->file = argv[*i];
    return 0;
}

int server_arguments_parse(struct server_arguments *a, int argc, char **argv)
{
    *a = (struct server_arguments){
        .overrides = mem_alloc_array((size_t)argc + 1, sizeof *a->overrides)};
    int status = 0;
    for (int i = 1; status == 0 && i < argc; i++)
        status = parse_word(a, argc, argv, &i);
    return status;
}

void server_arguments_release(struct server_arguments *a)
{
    mem_free(a->overrides);
    a->overrides = NULL;
}

static int load_file(const char *path, struct config *c, struct diag *diag)
{
    struct os_fs files;
    struct buf text;
    os_fs_init(&files);
    buf_init(&text, CONFIG_TEXT_MAX);
    int err = small_file_read(&files.fs, path, &text);
    if (err != ERR_OK)
        diag_set(diag, err, "cannot read %s: %s", path, err_text(err));
    else
        err = config_load(c, buf_str(&text), path, diag);
    buf_release(&text);
    return err;
}

int server_arguments_load(const struct server_arguments *a, char *const *environment,
                          struct config *c, struct trace *trace, struct diag *diag)
{
    int err = a->file != NULL ? load_file(a->file, c, diag) : ERR_OK;
    if (err != ERR_OK)
        return err;
    config_load_environment(c, environment, trace);
    for (int i = 0; err == ERR_OK && i < a->override_count; i++)
        err = config_override(c, a->overrides[i], diag);
    // Without a file: a place that any user has, and nobody but this machine gets in.
    if (a->file == NULL) {
        config_set_fallback(c, "log.dirs", "chitin-data");
        config_set_fallback(c, "listeners", "PLAINTEXT://127.0.0.1:9092");
    }
    return err;
}
