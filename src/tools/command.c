// SPDX-License-Identifier: Apache-2.0
#include "tools/command.h"

#include <string.h>

enum { SUMMARY_COLUMN = 22, WORDS_MAX = 3 };

// How many words of `name` the command line begins with, all of them or 0.
static int words_matched(const char *name, int argc, char **argv)
{
    struct str rest = str_from(name);
    int words = 0;
    while (rest.data != NULL) {
        struct str word = str_cut(&rest, ' ');
        if (words == argc || !str_is(word, argv[words]))
            return 0;
        words++;
    }
    return words;
}

const struct command *command_find(int argc, char **argv, int *words)
{
    const struct command *found = NULL;
    *words = 0;
    for (int i = 0; commands[i] != NULL; i++) {
        int matched = words_matched(commands[i]->name, argc, argv);
        if (matched > *words) {
            *words = matched;
            found = commands[i];
        }
    }
    return found;
}

const struct command *alias_find(const char *program)
{
    const char *slash = strrchr(program, '/');
    struct str name = str_from(slash != NULL ? slash + 1 : program);
    if (str_ends_with(name, ".sh"))
        name.size -= strlen(".sh");
    for (int i = 0; aliases[i] != NULL; i++)
        if (str_is(name, aliases[i]->name))
            return aliases[i];
    return NULL;
}

bool command_is_alias(const struct command *c)
{
    for (int i = 0; aliases[i] != NULL; i++)
        if (aliases[i] == c)
            return true;
    return false;
}

void command_help(struct buf *out, const struct command *c)
{
    buf_printf(out, "%s\n\nUsage:\n  %s%s%s%s%s\n", c->summary,
               command_is_alias(c) ? "" : "chitin ", c->name, c->flag_count > 0 ? " [FLAGS]" : "",
               c->arguments[0] != '\0' ? " " : "", c->arguments);
    if (c->text != NULL)
        buf_printf(out, "\n%s\n", c->text);
    if (c->flag_count > 0) {
        buf_append_text(out, "\nFlags:\n");
        flags_help(out, c->flags, c->flag_count);
    }
}

static bool begins_with_word(const char *name, const char *word)
{
    size_t size = strlen(word);
    return size == 0 || (strncmp(name, word, size) == 0 && (name[size] == ' ' || name[size] == '\0'));
}

void command_list(struct buf *out, const char *prefix)
{
    for (int i = 0; commands[i] != NULL; i++)
        if (commands[i]->summary != NULL && begins_with_word(commands[i]->name, prefix))
            buf_printf(out, "  %-*s %s\n", SUMMARY_COLUMN, commands[i]->name, commands[i]->summary);
}
