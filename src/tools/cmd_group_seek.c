// SPDX-License-Identifier: Apache-2.0
//
// `chitin group seek`.
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "tools/cmd_group.h"
#include "tools/commands.h"
#include "tools/common.h"
#include "tools/group_seek.h"
#include "wire/errors.h"

enum { BOOTSTRAP, OUTPUT, TO, TOPIC, ALL, DRY_RUN };

enum { FILE_BYTES_MAX = 64 << 20 };

static const struct flag_def seek_flags[] = {
    [BOOTSTRAP] = COMMON_BOOTSTRAP,
    [OUTPUT] = COMMON_OUTPUT,
    [TO] =
        {.names = "--to",
         .argument = "WHERE",
         .kind = FLAG_TEXT,
         .help =
             "start, end, current, N, @-1h, @2026-11-21T16:05Z, +N, -N (from where the group is), "
             "group:OTHER, file:PATH. Needed."},
    [TOPIC] =
        {.names = "-t, --topic",
         .argument = "TOPIC[:0,1,...]",
         .kind = FLAG_LIST,
         .help =
             "Only this topic, or these partitions of it; repeatable. [default: everything that "
             "the group has committed]"},
    [ALL] = {.names = "--all-topics", .kind = FLAG_BOOL, .help = "The default, said aloud."},
    [DRY_RUN] = {.names = "--dry-run",
                 .kind = FLAG_BOOL,
                 .help = "Show what would change, and change nothing."},
};

static const struct column seek_columns[] = {
    {"TOPIC", "topic", CELL_TEXT},
    {"PARTITION", "partition", CELL_NUMBER},
    {"FROM", "from", CELL_NUMBER},
    {"TO", "to", CELL_NUMBER},
};

// What the command works on.
struct seek {
    struct tool *tool;
    struct str id;
    struct seek_target target;
    struct admin_offsets committed;
    struct admin_offsets given; // of another group or a file
    struct admin_offsets items;
    struct buf file;
};

// A line of the file: TOPIC,PARTITION,OFFSET. Empty lines are fine.
static int read_line(struct seek *s, struct str line)
{
    struct str rest = str_trim(line);
    struct str topic = str_cut(&rest, ',');
    struct str partition_text = str_cut(&rest, ',');
    int32_t partition;
    int64_t offset;
    if (topic.size == 0)
        return EXIT_OK;
    if (!str_parse_i32(partition_text, &partition) || !str_parse_i64(rest, &offset) ||
        partition < 0 || offset < 0)
        return tool_fail(s->tool, EXIT_FAILED, "\"%.*s\" in the file is not TOPIC,PARTITION,OFFSET",
                         STR_ARG(line));
    admin_offsets_add(&s->given, topic, partition)->offset = offset;
    return EXIT_OK;
}

static int read_file(struct seek *s)
{
    char *path = mem_copy_str(s->target.text);
    int err = read_whole_file(s->tool, path, FILE_BYTES_MAX, &s->file);
    int status = err < 0 ? tool_fail(s->tool, EXIT_FAILED, "%s: %s", path, err_text(err)) : EXIT_OK;
    mem_free(path);
    struct str rest = buf_str(&s->file);
    while (status == EXIT_OK && rest.size > 0)
        status = read_line(s, str_cut(&rest, '\n'));
    admin_offsets_sort(&s->given);
    return status;
}

static int fetch(struct seek *s, struct str id, struct admin_offsets *out)
{
    struct admin_result r = {0};
    int err = admin_offsets_fetch(s->tool->driver, id, out, &r);
    if (err < 0)
        return tool_fail_call(s->tool, err);
    return r.code != 0 ? group_fail(s->tool, id, &r) : EXIT_OK;
}

// A group whose consumers run has its own idea of where it is, and commits that next.
static int check_inactive(struct seek *s)
{
    struct group_info info = {0};
    struct admin_result r = {0};
    int err = admin_any_group_describe(s->tool->driver, s->id, &info, &r);
    int status = err < 0 ? tool_fail_call(s->tool, err) : EXIT_OK;
    if (status == EXIT_OK && r.code == 0 && info.member_count > 0)
        status = tool_fail(
            s->tool, EXIT_FAILED,
            "group \"%.*s\" is %.*s with %d member%s: stop its consumers first, or what they "
            "commit next undoes this",
            STR_ARG(s->id), STR_ARG(info.state), info.member_count,
            info.member_count == 1 ? "" : "s");
    admin_group_release(&info);
    return status;
}

static int choose_items(struct seek *s)
{
    const struct admin_offsets *all = s->given.count > 0 ? &s->given : &s->committed;
    if (flags_given(&s->tool->flags, TOPIC))
        return group_choose(s->tool, TOPIC, NULL, &s->items);
    for (int i = 0; i < all->count; i++)
        admin_offsets_add(&s->items, all->items[i].topic, all->items[i].partition);
    if (s->items.count == 0)
        return tool_fail(s->tool, EXIT_NOT_FOUND,
                         "group \"%.*s\" has committed nothing yet: name the topics with --topic",
                         STR_ARG(s->id));
    return EXIT_OK;
}

static int64_t committed_of(const struct seek *s, const struct admin_offset *item)
{
    const struct admin_offset *found =
        admin_offsets_find(&s->committed, item->topic, item->partition);
    return found != NULL ? found->offset : -1;
}

// Keeps the items that have a target, and says what is wrong with the others.
static int check_items(struct seek *s)
{
    int kept = 0;
    for (int i = 0; i < s->items.count; i++) {
        const struct admin_offset *item = &s->items.items[i];
        if (item->code == KAFKA_UNKNOWN_TOPIC_OR_PARTITION)
            return tool_fail(s->tool, EXIT_NOT_FOUND, "there is no partition %d of topic \"%.*s\"",
                             item->partition, STR_ARG(item->topic));
        if (item->code != KAFKA_NONE)
            return tool_fail_code(s->tool, "looking up offsets", item->code, (struct str){0});
        if (item->offset < 0)
            tool_warn(s->tool, "%.*s:%d has nothing to go by and stays as it is",
                      STR_ARG(item->topic), item->partition);
        else
            s->items.items[kept++] = *item;
    }
    s->items.count = kept;
    return EXIT_OK;
}

static int commit(struct seek *s)
{
    struct admin_result r = {0};
    if (s->items.count == 0 || flags_given(&s->tool->flags, DRY_RUN))
        return EXIT_OK;
    int err = admin_offsets_commit(s->tool->driver, s->id, s->items.items, s->items.count, &r);
    if (err < 0)
        return tool_fail_call(s->tool, err);
    for (int i = 0; i < s->items.count && r.code == 0; i++)
        r.code = s->items.items[i].code;
    if (r.code == KAFKA_UNKNOWN_MEMBER_ID || r.code == KAFKA_REBALANCE_IN_PROGRESS)
        r.code = KAFKA_NON_EMPTY_GROUP; // somebody joined just now
    return r.code != 0 ? group_fail(s->tool, s->id, &r) : EXIT_OK;
}

static void show(struct seek *s)
{
    struct rows rows;
    rows_init(&rows, seek_columns, sizeof seek_columns / sizeof *seek_columns);
    for (int i = 0; i < s->items.count; i++) {
        const struct admin_offset *item = &s->items.items[i];
        int64_t from = committed_of(s, item);
        rows_str(&rows, item->topic);
        rows_i64(&rows, item->partition);
        if (from >= 0)
            rows_i64(&rows, from);
        else
            rows_text(&rows, NULL);
        rows_i64(&rows, item->offset);
    }
    rows_write(&rows, &s->tool->out.buf, wants_json(s->tool, OUTPUT));
    rows_release(&rows);
}

static int seek(struct seek *s)
{
    int status = check_inactive(s);
    if (status == EXIT_OK)
        status = fetch(s, s->id, &s->committed);
    if (status == EXIT_OK && s->target.kind == SEEK_TO_OTHER)
        status = fetch(s, s->target.text, &s->given);
    if (status == EXIT_OK && s->target.kind == SEEK_TO_FILE)
        status = read_file(s);
    if (status == EXIT_OK)
        status = choose_items(s);
    if (status != EXIT_OK)
        return status;
    group_seek_plan(s->tool->driver, &s->target, &s->committed, &s->given, &s->items);
    status = check_items(s);
    if (status == EXIT_OK)
        status = commit(s);
    if (status == EXIT_OK)
        show(s);
    return status;
}

static int seek_run(struct tool *t)
{
    const struct flags *f = &t->flags;
    struct seek s = {.tool = t, .id = str_from(f->args[0])};
    struct diag diag;
    if (!flags_given(f, TO))
        return tool_usage(t, "say with --to where the group is to go on");
    if (flags_given(f, ALL) && flags_given(f, TOPIC))
        return tool_usage(t, "--all-topics and --topic contradict each other");
    int status = tool_connect(t, flags_text(f, BOOTSTRAP));
    if (status != EXIT_OK)
        return status;
    if (seek_target_parse(str_from(flags_text(f, TO)), driver_wall_ms(t->driver), &s.target,
                          &diag) < 0)
        return tool_usage(t, "--to: %s", diag.text);
    buf_init(&s.file, FILE_BYTES_MAX);
    status = seek(&s);
    admin_offsets_release(&s.items);
    admin_offsets_release(&s.given);
    admin_offsets_release(&s.committed);
    buf_release(&s.file);
    return status;
}

const struct command command_group_seek = {
    .name = "group seek",
    .arguments = "GROUP",
    .summary = "Set where a group without members goes on.",
    .text = "What lies outside of a log is brought to its nearest end.\n"
            "\n"
            "Examples:\n"
            "  chitin group seek billing --to start --dry-run\n"
            "  chitin group seek billing --to @-2h --topic orders\n"
            "  chitin group seek billing --to -100 --topic orders:0,3\n"
            "  chitin group seek billing-test --to group:billing\n"
            "  chitin group seek billing --to file:offsets.csv     lines of TOPIC,PARTITION,OFFSET",
    COMMAND_FLAGS(seek_flags),
    .arg_min = 1,
    .arg_max = 1,
    .run = seek_run,
};
