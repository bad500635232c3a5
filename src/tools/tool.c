// SPDX-License-Identifier: Apache-2.0
#include "tools/tool.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "tools/driver.h"

enum { SINK_LARGE = 64 * 1024, SINK_MAX = 1 << 30, COMMAND_NAMES_MAX = 64 };

void sink_flush(struct sink *sink)
{
    if (sink->write == NULL)
        return;
    if (sink->buf.size > 0 && !sink->broken)
        sink->broken = !sink->write(sink, buf_bytes(&sink->buf));
    buf_clear(&sink->buf);
}

void sink_flush_if_large(struct sink *sink)
{
    if (sink->buf.size >= SINK_LARGE)
        sink_flush(sink);
}

__attribute__((format(printf, 3, 0))) static void say(struct tool *t, const char *kind,
                                                      const char *format, va_list args)
{
    struct buf *b = &t->err.buf;
    if (t->command == NULL)
        buf_append_text(b, "chitin: ");
    else if (!t->alias)
        buf_printf(b, "chitin %s: ", t->command->name);
    buf_append_text(b, kind);
    buf_vprintf(b, format, args);
    buf_append_u8(b, '\n');
    sink_flush(&t->err);
}

int tool_fail(struct tool *t, int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(t, "", format, args);
    va_end(args);
    return t->alias ? EXIT_FAILED : status;
}

int tool_usage(struct tool *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(t, "", format, args);
    va_end(args);
    if (t->alias)
        buf_printf(&t->err.buf, "Try '%s --help'.\n", t->program);
    else
        buf_printf(&t->err.buf, "Try 'chitin %s%s--help'.\n", t->command != NULL ? t->command->name : "",
                   t->command != NULL ? " " : "");
    sink_flush(&t->err);
    return t->alias ? EXIT_FAILED : EXIT_USAGE;
}

void tool_warn(struct tool *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(t, t->alias ? "WARNING: " : "warning: ", format, args);
    va_end(args);
}

static void program_help(struct buf *out)
{
    buf_append_text(out, "Chitin: Apache Kafka's broker and tools in one small program.\n\n"
                         "Usage:\n  chitin COMMAND [FLAGS] [ARGUMENTS]\n\nCommands:\n");
    command_list(out, "");
    buf_append_text(out,
                    "\nFirst steps, the server in a terminal of its own:\n"
                    "  chitin server\n"
                    "  echo hello | chitin produce greetings\n"
                    "  chitin consume greetings\n"
                    "\n'chitin COMMAND --help' explains a command. The broker is found by\n"
                    "-b HOST:PORT, else by CHITIN_BOOTSTRAP, else at 127.0.0.1:9092.\n");
}

static bool wants_help(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

// "topic" alone, or a word that begins no command.
static int no_command(struct tool *t, int argc, char **argv)
{
    const char *names[COMMAND_NAMES_MAX];
    int count = 0;
    struct buf list;
    buf_init(&list, 1 << 16);
    command_list(&list, argv[0]);
    if (list.size > 0 && (argc == 1 || argv[1][0] == '-')) {
        bool help = wants_help(argc, argv);
        struct buf *out = help ? &t->out.buf : &t->err.buf;
        buf_printf(out, "Usage:\n  chitin %s COMMAND\n\nCommands:\n", argv[0]);
        buf_append_str(out, buf_str(&list));
        buf_release(&list);
        return help ? EXIT_OK : EXIT_USAGE;
    }
    buf_release(&list);
    for (int i = 0; commands[i] != NULL && count < COMMAND_NAMES_MAX; i++)
        names[count++] = commands[i]->name;
    char words[128];
    snprintf(words, sizeof words, "%s%s%s", argv[0], argc > 1 && argv[1][0] != '-' ? " " : "",
             argc > 1 && argv[1][0] != '-' ? argv[1] : "");
    const char *near = nearest_name(str_from(words), names, count);
    if (near == NULL)
        near = nearest_name(str_from(argv[0]), names, count);
    if (near != NULL)
        return tool_usage(t, "unknown command \"%s\"; did you mean \"%s\"?", words, near);
    return tool_usage(t, "unknown command \"%s\"", words);
}

static int run_command(struct tool *t, int argc, char **argv)
{
    const struct command *c = t->command;
    if (wants_help(argc, argv)) {
        command_help(&t->out.buf, c);
        return EXIT_OK;
    }
    struct diag diag;
    diag_clear(&diag);
    if (flags_parse(&t->flags, c->flags, c->flag_count, c->mode, argc, argv, &diag) < 0)
        return tool_usage(t, "%s", diag.text);
    int status;
    if (t->flags.arg_count < c->arg_min)
        status = tool_usage(t, "needs %s", c->arguments);
    else if (c->arg_max >= 0 && t->flags.arg_count > c->arg_max)
        status = tool_usage(t, "unexpected argument \"%s\"", t->flags.args[c->arg_max]);
    else
        status = c->run(t);
    tool_disconnect(t);
    flags_release(&t->flags);
    return status;
}

static int dispatch(struct tool *t, int argc, char **argv)
{
    t->program = argv[0];
    t->command = alias_find(argv[0]);
    t->alias = t->command != NULL;
    int words = 0;
    if (!t->alias) {
        if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
            (strcmp(argv[1], "help") == 0 && argc == 2)) {
            program_help(argc < 2 ? &t->err.buf : &t->out.buf);
            return argc < 2 ? EXIT_USAGE : EXIT_OK;
        }
        if (strcmp(argv[1], "--version") == 0)
            argv[1] += 2;
        bool help = strcmp(argv[1], "help") == 0;
        t->command = command_find(argc - 1 - help, argv + 1 + help, &words);
        if (t->command == NULL)
            return no_command(t, argc - 1 - help, argv + 1 + help);
        if (help) {
            command_help(&t->out.buf, t->command);
            return EXIT_OK;
        }
    }
    if (t->command->run_raw != NULL && !wants_help(argc - 1 - words, argv + 1 + words))
        return t->command->run_raw(argc - words, argv + words);
    return run_command(t, argc - 1 - words, argv + 1 + words);
}

void tool_init(struct tool *t, struct host *host)
{
    *t = (struct tool){.host = host};
    buf_init(&t->out.buf, SINK_MAX);
    buf_init(&t->err.buf, SINK_MAX);
}

void tool_release(struct tool *t)
{
    buf_release(&t->out.buf);
    buf_release(&t->err.buf);
}

int tool_main(struct tool *t, int argc, char **argv)
{
    int status = dispatch(t, argc, argv);
    sink_flush(&t->out);
    sink_flush(&t->err);
    return status;
}
