// SPDX-License-Identifier: Apache-2.0
//
// `chitin manual`: manual pages (man(7)), made from the table of commands, as help is. The build keeps
// what this prints; nobody writes a page.
#include <string.h>

#include "base/mem.h"
#include "tools/commands.h"
#include "tools/common.h"

// ---- Text for troff ----

// As it stands, in a line that begins anywhere (`at_start`: at its begin, where . and ' are requests).
static void append_text(struct buf *out, struct str text, bool at_start)
{
    if (at_start && text.size > 0 && (text.data[0] == '.' || text.data[0] == '\''))
        buf_append_text(out, "\\&");
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        const char *escaped = c == '\\'   ? "\\e"
                              : c == '-'  ? "\\-"
                              : c == '\'' ? "\\(aq"
                              : c == '`'  ? "\\(ga"
                              : c == '^'  ? "\\(ha"
                              : c == '~'  ? "\\(ti"
                                          : NULL;
        if (escaped != NULL)
            buf_append_text(out, escaped);
        else
            buf_append_u8(out, (uint8_t)c);
    }
}

static void append_line(struct buf *out, struct str line)
{
    append_text(out, line, true);
    buf_append_u8(out, '\n');
}

// "topic create" as "topic-create": the name of its page.
static void append_page_name(struct buf *out, const char *name, bool is_alias)
{
    if (!is_alias)
        buf_append_text(out, "chitin-");
    for (; *name != '\0'; name++)
        buf_append_u8(out, *name == ' ' ? '-' : (uint8_t)*name);
}

static struct str page_name(struct buf *out, const struct command *c)
{
    buf_clear(out);
    append_page_name(out, c->name, command_is_alias(c));
    return buf_str(out);
}

static void append_title(struct buf *out, struct str page)
{
    buf_append_text(out, ".\\\" Made from the program's table of commands.\n.TH \"");
    for (size_t i = 0; i < page.size; i++) {
        char c = page.data[i];
        buf_append_u8(out, (uint8_t)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c));
    }
    buf_append_text(out, "\" 1 \"\" \"chitin " CHITIN_VERSION "\" \"Chitin\"\n");
}

static void append_name(struct buf *out, struct str page, const char *summary)
{
    struct str text = str_from(summary);
    if (str_ends_with(text, "."))
        text.size--;
    buf_append_text(out, ".SH NAME\n");
    append_text(out, page, true);
    buf_append_text(out, " \\- ");
    append_text(out, text, false);
    buf_append_u8(out, '\n');
}

// ---- The text of help: paragraphs, and blocks that stand as they are ----

struct section_start {
    const char *begins; // a paragraph with these words, and ends with it
    const char *title;
};

static const struct section_start section_starts[] = {
    {"Examples:", "EXAMPLES"},
    {"Example:", "EXAMPLES"},
    {"Exit status:", "EXIT STATUS"},
};

static const char description[] = "DESCRIPTION";

// The section that a line begins, whose words are taken off it; NULL if it begins none.
static const char *section_of(struct str *line)
{
    for (size_t i = 0; i < sizeof section_starts / sizeof section_starts[0]; i++) {
        size_t size = strlen(section_starts[i].begins);
        if (!str_starts_with(*line, section_starts[i].begins))
            continue;
        *line = str_trim(str_of(line->data + size, line->size - size));
        return section_starts[i].title;
    }
    return NULL;
}

static bool is_block(struct str line)
{
    return str_starts_with(line, "  ");
}

// Appends the paragraphs of one section, with its title; false if there are none.
static bool append_section(struct buf *out, const char *text, const char *wanted)
{
    struct str rest = str_from(text);
    const char *section = description;
    bool any = false, gap = false, in_block = false;
    while (rest.data != NULL) {
        struct str line = str_cut(&rest, '\n');
        const char *begun = section_of(&line);
        if (begun != NULL)
            section = begun;
        else if (gap && !is_block(line))
            section = description;
        gap = line.size == 0 && begun == NULL;
        bool is_here = strcmp(section, wanted) == 0 && line.size > 0;
        if (in_block && !(is_here && is_block(line))) {
            buf_append_text(out, ".EE\n.RE\n.PP\n");
            in_block = false;
        }
        if (gap && any && !in_block && strcmp(section, wanted) == 0)
            buf_append_text(out, ".PP\n");
        if (!is_here)
            continue;
        if (!any)
            buf_printf(out, ".SH %s\n", wanted);
        any = true;
        if (is_block(line) && !in_block) {
            buf_append_text(out, ".PP\n.RS 4\n.EX\n");
            in_block = true;
        }
        append_line(out, is_block(line) ? str_of(line.data + 2, line.size - 2) : line);
    }
    if (in_block)
        buf_append_text(out, ".EE\n.RE\n");
    return any;
}

// ---- Flags ----

static void append_flag(struct buf *out, const struct flag_def *f)
{
    struct str rest = str_from(f->names);
    buf_append_text(out, ".TP\n");
    while (rest.data != NULL) {
        buf_append_text(out, "\\fB");
        append_text(out, str_trim(str_cut(&rest, ',')), false);
        buf_append_text(out, rest.data != NULL ? "\\fR, " : "\\fR");
    }
    if (f->argument != NULL) {
        buf_append_text(out, f->kind == FLAG_OPTIONAL ? " [\\fI" : " \\fI");
        append_text(out, str_from(f->argument), false);
        buf_append_text(out, f->kind == FLAG_OPTIONAL ? "\\fR]" : "\\fR");
    }
    buf_append_u8(out, '\n');
    rest = str_from(f->help);
    while (rest.data != NULL)
        append_line(out, str_cut(&rest, '\n'));
    if (f->fallback != NULL && f->fallback[0] != '\0') {
        buf_append_text(out, "[default: ");
        append_text(out, str_from(f->fallback), false);
        buf_append_text(out, "]\n");
    }
}

static void append_flags(struct buf *out, const struct command *c)
{
    buf_append_text(out, ".SH OPTIONS\n");
    for (int i = 0; i < c->flag_count; i++)
        if (c->flags[i].help != NULL)
            append_flag(out, &c->flags[i]);
    buf_append_text(out, ".TP\n\\fB\\-\\-help\\fR\nShow this, in short.\n");
}

// ---- Pages ----

static void append_statuses(struct buf *out, bool is_alias)
{
    buf_append_text(out, ".SH EXIT STATUS\n");
    buf_append_text(out, is_alias ? "0 done, 1 failed.\n"
                                  : "0 done, 1 failed, 2 wrong usage, 3 not found, 4 not allowed,\n"
                                    "5 no broker could be reached, or another condition that passes.\n");
}

static bool has_flag(const struct command *c, const char *long_name)
{
    for (int i = 0; i < c->flag_count; i++)
        if (str_is(flag_long_name(&c->flags[i]), long_name))
            return true;
    return false;
}

static void append_environment(struct buf *out)
{
    buf_append_text(out, ".SH ENVIRONMENT\n.TP\nCHITIN_BOOTSTRAP\n"
                         "The brokers to ask first, where the command line names none.\n");
}

static void command_page(struct buf *out, const struct command *c)
{
    bool is_alias = command_is_alias(c);
    struct buf name;
    buf_init(&name, 256);
    struct str page = page_name(&name, c);
    append_title(out, page);
    append_name(out, page, c->summary);
    buf_append_text(out, ".SH SYNOPSIS\n\\fB");
    append_text(out, str_from(is_alias ? "" : "chitin "), false);
    append_text(out, str_from(c->name), false);
    buf_append_text(out, "\\fR [\\fIFLAGS\\fR] ");
    append_text(out, str_from(c->arguments), false);
    buf_append_u8(out, '\n');
    const char *text = c->text != NULL ? c->text : "";
    append_section(out, text, description);
    append_flags(out, c);
    if (!append_section(out, text, "EXIT STATUS"))
        append_statuses(out, is_alias);
    if (has_flag(c, "--bootstrap-server"))
        append_environment(out);
    append_section(out, text, "EXAMPLES");
    buf_append_text(out, ".SH SEE ALSO\n.BR chitin (1)\n");
    buf_release(&name);
}

static void append_list(struct buf *out, const struct command *const *list)
{
    struct buf name;
    buf_init(&name, 256);
    for (int i = 0; list[i] != NULL; i++) {
        buf_append_text(out, ".TP\n\\fB");
        append_text(out, page_name(&name, list[i]), false);
        buf_append_text(out, "\\fR(1)\n");
        append_line(out, str_from(list[i]->summary));
    }
    buf_release(&name);
}

static void program_page(struct buf *out)
{
    append_title(out, str_from("chitin"));
    append_name(out, str_from("chitin"), "Apache Kafka's broker and tools in one small program");
    buf_append_text(out, ".SH SYNOPSIS\n\\fBchitin\\fR \\fICOMMAND\\fR [\\fIFLAGS\\fR] "
                         "[\\fIARGUMENTS\\fR]\n"
                         ".SH DESCRIPTION\n"
                         "A broker that speaks Apache Kafka's protocol and keeps its files, and the tools\n"
                         "to work with it or with any other broker.\n"
                         ".PP\n"
                         "Results go to standard output, everything else to standard error.\n"
                         "With \\fB\\-o json\\fR there is one JSON object on each line.\n"
                         ".SH COMMANDS\n");
    append_list(out, commands);
    buf_append_text(out, ".SH NAMES OF APACHE KAFKA'S TOOLS\n"
                         "The same program under their names, with and without \\fI.sh\\fR: with their\n"
                         "flags and their output.\n");
    append_list(out, aliases);
    append_statuses(out, false);
    append_environment(out);
    buf_append_text(out, ".SH EXAMPLES\n.EX\n"
                         "chitin server\n"
                         "echo hello | chitin produce greetings\n"
                         "chitin consume greetings\n"
                         ".EE\n");
}

static const struct command *find_page(const char *page)
{
    const struct command *found = NULL;
    struct buf name;
    buf_init(&name, 256);
    for (int k = 0; k < 2; k++)
        for (int i = 0; (k == 0 ? commands : aliases)[i] != NULL; i++) {
            const struct command *c = (k == 0 ? commands : aliases)[i];
            if (str_is(page_name(&name, c), page))
                found = c;
        }
    buf_release(&name);
    return found;
}

static void list_pages(struct buf *out)
{
    buf_append_text(out, "chitin\n");
    for (int k = 0; k < 2; k++)
        for (int i = 0; (k == 0 ? commands : aliases)[i] != NULL; i++) {
            append_page_name(out, (k == 0 ? commands : aliases)[i]->name, k == 1);
            buf_append_u8(out, '\n');
        }
}

static int manual_run(struct tool *t)
{
    if (t->flags.arg_count == 0) {
        list_pages(&t->out.buf);
        return EXIT_OK;
    }
    const char *page = t->flags.args[0];
    const struct command *c = find_page(page);
    if (c != NULL)
        command_page(&t->out.buf, c);
    else if (strcmp(page, "chitin") == 0)
        program_page(&t->out.buf);
    else
        return tool_fail(t, EXIT_NOT_FOUND, "no page is called \"%s\"; 'chitin manual' lists them", page);
    return EXIT_OK;
}

const struct command command_manual = {
    .name = "manual",
    .arguments = "[PAGE]",
    .summary = "Print a manual page, or the names of all.",
    .text = "Examples:\n"
            "  chitin manual chitin-topic-create | man -l -\n"
            "  chitin manual kafka-topics > /usr/local/share/man/man1/kafka-topics.1",
    .arg_max = 1,
    .run = manual_run,
};
