// SPDX-License-Identifier: Apache-2.0
//
// `chitin completion`: scripts for shells, made from the table of commands.
#include <stdio.h>
#include <string.h>

#include "tools/commands.h"
#include "tools/common.h"

// The names of a flag, one after the other; false at the end.
static bool next_flag_name(struct str *rest, struct str *name)
{
    if (rest->data == NULL)
        return false;
    *name = str_trim(str_cut(rest, ','));
    return true;
}

static void append_flag_names(struct buf *out, const struct command *c)
{
    struct str name;
    for (int i = 0; i < c->flag_count; i++) {
        struct str rest = str_from(c->flags[i].names);
        while (c->flags[i].help != NULL && next_flag_name(&rest, &name))
            buf_printf(out, " %.*s", STR_ARG(name));
    }
    buf_append_text(out, " --help");
}

static struct str first_word(const struct command *c)
{
    struct str rest = str_from(c->name);
    return str_cut(&rest, ' ');
}

static bool is_first_of_word(int at)
{
    for (int i = 0; i < at; i++)
        if (str_equal(first_word(commands[i]), first_word(commands[at])))
            return false;
    return true;
}

// The second words of commands that begin with the first one of commands[at].
static void append_second_words(struct buf *out, int at)
{
    for (int i = at; commands[i] != NULL; i++) {
        struct str rest = str_from(commands[i]->name);
        if (str_equal(str_cut(&rest, ' '), first_word(commands[at])) && rest.data != NULL)
            buf_printf(out, " %.*s", STR_ARG(rest));
    }
}

static void append_first_words(struct buf *out)
{
    for (int i = 0; commands[i] != NULL; i++)
        if (is_first_of_word(i))
            buf_printf(out, " %.*s", STR_ARG(first_word(commands[i])));
    buf_append_text(out, " help");
}

static void bash_script(struct buf *out)
{
    buf_append_text(out, "# bash completion of chitin: source it, or put it into\n"
                         "# /usr/share/bash-completion/completions/chitin\n"
                         "_chitin() {\n"
                         "    local word=${COMP_WORDS[COMP_CWORD]} words=\n"
                         "    local one=${COMP_WORDS[1]} two=${COMP_WORDS[2]}\n"
                         "    if [ \"$COMP_CWORD\" = 1 ]; then\n"
                         "        words='");
    append_first_words(out);
    buf_append_text(out, "'\n    else\n        case \"$one $two\" in\n");
    for (int i = 0; commands[i] != NULL; i++) {
        bool two_words = strchr(commands[i]->name, ' ') != NULL;
        buf_printf(out, two_words ? "        '%s') words='" : "        '%s '*) words='",
                   commands[i]->name);
        append_flag_names(out, commands[i]);
        buf_append_text(out, "' ;;\n");
    }
    for (int i = 0; commands[i] != NULL; i++) {
        if (!is_first_of_word(i) || strchr(commands[i]->name, ' ') == NULL)
            continue;
        buf_printf(out, "        '%.*s '*) words='", STR_ARG(first_word(commands[i])));
        append_second_words(out, i);
        buf_append_text(out, "' ;;\n");
    }
    buf_append_text(out, "        esac\n    fi\n"
                         "    COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
                         "}\n"
                         "complete -o default -F _chitin chitin\n");
}

static void zsh_script(struct buf *out)
{
    buf_append_text(out, "#compdef chitin\n"
                         "# zsh completion of chitin: 'source <(chitin completion zsh)'\n"
                         "autoload -U +X bashcompinit && bashcompinit\n");
    bash_script(out);
}

// Single quotes for fish.
static void append_fish_text(struct buf *out, const char *text)
{
    for (; *text != '\0' && *text != '\n'; text++) {
        if (*text == '\'' || *text == '\\')
            buf_append_u8(out, '\\');
        buf_append_u8(out, (uint8_t)*text);
    }
}

static void fish_flag(struct buf *out, const char *condition, const struct flag_def *f)
{
    struct str rest = str_from(f->names), name;
    buf_printf(out, "complete -c chitin -n '%s'", condition);
    while (next_flag_name(&rest, &name)) {
        if (str_starts_with(name, "--"))
            buf_printf(out, " -l %.*s", (int)name.size - 2, name.data + 2);
        else
            buf_printf(out, " -s %c", name.data[1]);
    }
    if (f->argument != NULL)
        buf_append_text(out, " -r");
    if (f->values != NULL) {
        buf_append_text(out, " -f -a '");
        for (const char *v = f->values; *v != '\0'; v++)
            buf_append_u8(out, *v == '|' ? ' ' : (uint8_t)*v);
        buf_append_u8(out, '\'');
    }
    buf_append_text(out, " -d '");
    append_fish_text(out, f->help);
    buf_append_text(out, "'\n");
}

static void fish_script(struct buf *out)
{
    buf_append_text(out, "# fish completion of chitin: put it into\n"
                         "# ~/.config/fish/completions/chitin.fish\n");
    for (int i = 0; commands[i] != NULL; i++) {
        const struct command *c = commands[i];
        struct str second = str_from(c->name), first = str_cut(&second, ' ');
        char condition[160];
        if (is_first_of_word(i)) {
            buf_printf(out, "complete -c chitin -f -n __fish_use_subcommand -a %.*s -d '",
                       STR_ARG(first));
            append_fish_text(out, c->summary);
            buf_append_text(out, "'\n");
        }
        snprintf(condition, sizeof condition, "__fish_seen_subcommand_from %.*s%s%.*s",
                 STR_ARG(first), second.data != NULL ? "; and __fish_seen_subcommand_from " : "",
                 STR_ARG(second));
        if (second.data != NULL) {
            buf_printf(out, "complete -c chitin -f -n '__fish_seen_subcommand_from %.*s' -a %.*s -d '",
                       STR_ARG(first), STR_ARG(second));
            append_fish_text(out, c->summary);
            buf_append_text(out, "'\n");
        }
        for (int k = 0; k < c->flag_count; k++)
            if (c->flags[k].help != NULL)
                fish_flag(out, condition, &c->flags[k]);
    }
}

static int completion_run(struct tool *t)
{
    const char *shell = t->flags.args[0];
    if (strcmp(shell, "bash") == 0)
        bash_script(&t->out.buf);
    else if (strcmp(shell, "zsh") == 0)
        zsh_script(&t->out.buf);
    else if (strcmp(shell, "fish") == 0)
        fish_script(&t->out.buf);
    else
        return tool_usage(t, "\"%s\" is none of bash, zsh, fish", shell);
    return EXIT_OK;
}

const struct command command_completion = {
    .name = "completion",
    .arguments = "bash|zsh|fish",
    .summary = "Print a completion script for a shell.",
    .text = "Example:\n"
            "  source <(chitin completion bash)",
    .arg_min = 1,
    .arg_max = 1,
    .run = completion_run,
};
