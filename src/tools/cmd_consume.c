// SPDX-License-Identifier: Apache-2.0
//
// `chitin consume`.
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "client/assignor.h"
#include "tools/commands.h"
#include "tools/common.h"
#include "tools/consumer.h"
#include "tools/format.h"
#include "tools/group_consumer.h"
#include "tools/offsets.h"

enum {
    BOOTSTRAP,
    OFFSET,
    COUNT,
    PARTITIONS,
    FORMAT,
    JSON,
    EXIT_AT_END,
    REGEX,
    READ_COMMITTED,
    CONTROL_RECORDS,
    IDLE_TIMEOUT,
    GROUP,
    FROM,
    COMMIT,
    PROTOCOL,
    ASSIGNOR,
    INSTANCE_ID,
    SESSION_TIMEOUT,
    VERBOSE,
};

enum { COMMIT_INTERVAL_MS = 5000, HEARTBEAT_INTERVAL_MS = 3000 };

static const struct flag_def consume_flags[] = {
    [BOOTSTRAP] = COMMON_BOOTSTRAP,
    [OFFSET] = {.names = "-o, --offset", .argument = "OFFSET", .kind = FLAG_TEXT,
                .fallback = "start",
                .help = "Where to read: start, end, N, +N (after the start), -N (before the end), "
                        "A:B (a range), @-10m, @2026-11-21, @2026-11-21T16:05Z, @T1:T2."},
    [COUNT] = {.names = "-n, --num", .argument = "N", .kind = FLAG_I64, .min = 1,
               .max = INT64_MAX, .help = "Stop after this many records."},
    [PARTITIONS] = {.names = "-p, --partitions", .argument = "0,1,...", .kind = FLAG_TEXT,
                    .help = "Only these partitions."},
    [FORMAT] = {.names = "-f, --format", .argument = "FORMAT", .kind = FLAG_TEXT,
                .fallback = "%v\\n",
                .help = "How to print a record (see above), or json."},
    [JSON] = {.names = "-J, --json", .kind = FLAG_BOOL,
              .help = "One JSON object per record: the same as -f json."},
    [EXIT_AT_END] = {.names = "-e, --exit", .kind = FLAG_BOOL,
                     .help = "Stop at the end, as it was when reading began, instead of waiting "
                             "for more."},
    [REGEX] = {.names = "-r, --regex", .kind = FLAG_BOOL,
               .help = "TOPIC is a regular expression that whole names have to fit."},
    [READ_COMMITTED] = {.names = "--read-committed", .kind = FLAG_BOOL,
                        .help = "Hide records of aborted and open transactions."},
    [CONTROL_RECORDS] = {.names = "--print-control-records", .kind = FLAG_BOOL,
                         .help = "Show transaction markers too."},
    [IDLE_TIMEOUT] = {.names = "--idle-timeout", .argument = "DURATION", .kind = FLAG_TEXT,
                      .help = "Stop when nothing came for this long: 500ms, 10s, 5m."},
    [GROUP] = {.names = "-g, --group", .argument = "GROUP", .kind = FLAG_TEXT,
               .help = "Read as a member of this consumer group: its members share the partitions, "
                       "and each goes on where the group is."},
    [FROM] = {.names = "--from", .argument = "POINT", .kind = FLAG_TEXT, .fallback = "start",
              .help = "With -g, where to begin what the group has no offset for: start, end, none "
                      "(fail instead), @-1h, @2026-11-21T16:05Z."},
    [COMMIT] = {.names = "--commit", .argument = "WHEN", .kind = FLAG_TEXT,
                .values = "interval|each|never", .fallback = "interval",
                .help = "With -g, when what was printed is committed: every 5 s, when partitions go "
                        "and at the end; also after each write; or never."},
    [PROTOCOL] = {.names = "--protocol", .argument = "NAME", .kind = FLAG_TEXT,
                  .values = "classic|consumer", .fallback = "classic",
                  .help = "With -g, the group protocol: classic, or consumer (KIP-848), where the "
                          "broker assigns partitions and a rebalance stops nobody."},
    [ASSIGNOR] = {.names = "--assignor", .argument = "NAME[,...]", .kind = FLAG_TEXT,
                  .help = "With -g, who gets what: range, roundrobin, sticky or cooperative-sticky, "
                          "best first [default: range,cooperative-sticky]; with --protocol consumer "
                          "uniform or range."},
    [INSTANCE_ID] = {.names = "--instance-id", .argument = "ID", .kind = FLAG_TEXT,
                     .help = "With -g, a static member: its partitions wait for it while it "
                             "restarts."},
    [SESSION_TIMEOUT] = {.names = "--session-timeout", .argument = "DURATION", .kind = FLAG_TEXT,
                         .fallback = "45s",
                         .help = "With -g and --protocol classic, after how long without a heartbeat "
                                 "the partitions go to others."},
    [VERBOSE] = {.names = "-v, --verbose", .kind = FLAG_BOOL,
                 .help = "With -g, say on standard error which partitions come and go."},
};

static void print_formatted(void *user, const struct fetched *r, int64_t count, struct buf *out)
{
    format_record(user, r, count, out);
}

static void print_json(void *user, const struct fetched *r, int64_t count, struct buf *out)
{
    struct json_printer p;
    json_printer_init(&p, out);
    json_object_begin(&p);
    json_member_str(&p, "topic", r->topic);
    json_member_int(&p, "partition", r->partition);
    json_member_int(&p, "offset", r->record.offset);
    json_member_int(&p, "timestamp", r->record.timestamp);
    json_member_str(&p, "timestamp_type",
                    str_from(batch_is_log_append_time(&r->batch) ? "log_append" : "create"));
    json_member_int(&p, "leader_epoch", r->leader_epoch);
    json_member_bytes(&p, "key", r->record.key);
    json_member_bytes(&p, "value", r->record.value);
    json_key(&p, "headers");
    json_array_begin(&p);
    struct bytes rest = r->record.headers;
    struct record_header h;
    while (record_header_next(&rest, &h) == 1) {
        json_object_begin(&p);
        json_member_bytes(&p, "key", str_bytes(h.key));
        json_member_bytes(&p, "value", h.value);
        json_object_end(&p);
    }
    json_array_end(&p);
    json_object_end(&p);
    buf_append_u8(out, '\n');
}

static struct fetch_position position_of(const struct offset_point *from)
{
    static const enum fetch_start kinds[] = {
        [OFFSET_START] = FETCH_FROM_EARLIEST,
        [OFFSET_END] = FETCH_FROM_LATEST,
        [OFFSET_EXACT] = FETCH_FROM_OFFSET,
        [OFFSET_TIME] = FETCH_FROM_TIME,
    };
    return (struct fetch_position){.kind = kinds[from->kind], .value = from->value};
}

static struct fetch_limit limit_of(const struct offset_point *to, bool exit_at_end)
{
    static const enum fetch_stop kinds[] = {
        [OFFSET_START] = FETCH_TO_EARLIEST, [OFFSET_END] = FETCH_TO_LATEST,
        [OFFSET_EXACT] = FETCH_TO_OFFSET,   [OFFSET_TIME] = FETCH_TO_TIME,
        [OFFSET_NEVER] = FETCH_FOREVER,
    };
    if (to->kind == OFFSET_NEVER && exit_at_end)
        return (struct fetch_limit){.kind = FETCH_TO_LATEST};
    return (struct fetch_limit){.kind = kinds[to->kind], .value = to->value};
}

static bool topic_fits(void *user, struct str topic)
{
    return pattern_matches(user, topic);
}

// The topics to read: the arguments, or those whose names fit them. Free with mem_free(); with a
// pattern the names are views into `all`.
static int find_topics(struct tool *t, struct admin_topics *all, struct str **out, int *count)
{
    const struct flags *f = &t->flags;
    *out = mem_alloc_array((size_t)f->arg_count + 1, sizeof **out);
    *count = 0;
    if (!flags_given(f, REGEX)) {
        for (int i = 0; i < f->arg_count; i++)
            (*out)[(*count)++] = str_from(f->args[i]);
        return EXIT_OK;
    }
    int err = admin_topics_list(t->driver, all);
    if (err < 0)
        return tool_fail_call(t, err);
    *out = mem_resize(*out, (size_t)(all->count + 1) * sizeof **out);
    for (int i = 0; i < f->arg_count; i++) {
        struct diag diag;
        struct pattern *p = pattern_new(f->args[i], &diag);
        if (p == NULL)
            return tool_usage(t, "%s", diag.text);
        for (int k = 0; k < all->count; k++)
            if (pattern_matches(p, all->items[k].name) && *count < all->count)
                (*out)[(*count)++] = all->items[k].name;
        pattern_free(p);
    }
    if (*count == 0)
        return tool_fail(t, EXIT_NOT_FOUND, "no topic's name fits \"%s\"", f->args[0]);
    return EXIT_OK;
}

static int consume_with(struct tool *t, const struct wire_int32_array *partitions,
                        const struct format *format, int64_t idle_ms)
{
    const struct flags *f = &t->flags;
    struct offset_range range;
    struct diag diag;
    int64_t now_ms = driver_wall_ms(t->driver);
    if (offset_range_parse(str_from(flags_text(f, OFFSET)), now_ms, &range, &diag) < 0)
        return tool_usage(t, "%s", diag.text);
    struct admin_topics all = {0};
    struct str *topics;
    int topic_count;
    int status = find_topics(t, &all, &topics, &topic_count);
    struct consumer c = {
        .tool = t,
        .topics = topics,
        .topic_count = topic_count,
        .partitions = partitions->items,
        .partition_count = partitions->count,
        .position = position_of(&range.from),
        .limit = limit_of(&range.to, flags_given(f, EXIT_AT_END)),
        .options =
            {
                .read_committed = flags_given(f, READ_COMMITTED),
                .control_records = flags_given(f, CONTROL_RECORDS),
                .check_crcs = true,
            },
        .count_max = flags_given(f, COUNT) ? flags_number(f, COUNT) : -1,
        .idle_ms_max = idle_ms,
        .print = format != NULL ? print_formatted : print_json,
        .user = (void *)(uintptr_t)format,
    };
    if (status == EXIT_OK)
        status = consumer_run(&c);
    mem_free(topics);
    admin_topics_release(&all);
    return status;
}

// --- As a member of a group ---

// Where to begin without an offset. The age of a time counts from now on.
static int find_reset(struct tool *t, struct group_reader_options *out)
{
    const char *text = flags_text(&t->flags, FROM);
    struct offset_range range;
    struct diag diag;
    int64_t now_ms = driver_wall_ms(t->driver);
    diag_clear(&diag);
    if (strcmp(text, "none") == 0) {
        out->reset = FETCH_RESET_NONE;
        return EXIT_OK;
    }
    bool fits = offset_range_parse(str_from(text), now_ms, &range, &diag) == 0 &&
                range.to.kind == OFFSET_NEVER && (range.from.value == 0 || range.from.kind == OFFSET_TIME);
    if (fits && range.from.kind == OFFSET_START)
        out->reset = FETCH_RESET_EARLIEST;
    else if (fits && range.from.kind == OFFSET_END)
        out->reset = FETCH_RESET_LATEST;
    else if (fits && range.from.kind == OFFSET_TIME)
        out->reset = FETCH_RESET_AGE;
    else
        return tool_usage(t, "--from needs start, end, none or a time such as @-1h, not \"%s\"", text);
    out->reset_age_ms = now_ms - range.from.value;
    return EXIT_OK;
}

// The classic protocol's assignors, by name.
static int find_assignors(struct tool *t, struct group_member_options *out)
{
    struct str rest = str_from(flags_text(&t->flags, ASSIGNOR));
    while (rest.data != NULL) {
        struct str name = str_trim(str_cut(&rest, ','));
        const struct client_assignor *a = assignor_by_name(name);
        if (a == NULL || out->assignor_count == GROUP_MEMBER_ASSIGNORS_MAX)
            return tool_usage(t,
                              "--assignor: there is no \"%.*s\" in the classic protocol, only range, "
                              "roundrobin, sticky and cooperative-sticky",
                              STR_ARG(name));
        out->assignors[out->assignor_count++] = a;
    }
    return EXIT_OK;
}

// The arguments as topics, or as one pattern that any of them fits.
static int find_subscription(struct tool *t, struct str *topics, struct buf *regex,
                             struct pattern **pattern, struct group_member_options *out)
{
    const struct flags *f = &t->flags;
    struct diag diag;
    out->topics = topics;
    for (int i = 0; i < f->arg_count; i++) {
        if (flags_given(f, REGEX))
            buf_printf(regex, "%s(%s)", i > 0 ? "|" : "", f->args[i]);
        else
            topics[out->topic_count++] = str_from(f->args[i]);
    }
    if (!flags_given(f, REGEX))
        return EXIT_OK;
    if (out->protocol == GROUP_MEMBER_CONSUMER) {
        out->regex = buf_text(regex);
        return EXIT_OK;
    }
    *pattern = pattern_new(buf_text(regex), &diag);
    out->matches = topic_fits;
    out->matches_user = *pattern;
    return *pattern != NULL ? EXIT_OK : tool_usage(t, "%s", diag.text);
}

// Heartbeats go out ten times in a session, but no more often than by default.
static int find_session(struct tool *t, struct group_member_options *out)
{
    const char *text = flags_text(&t->flags, SESSION_TIMEOUT);
    int64_t ms;
    if (!duration_parse(str_from(text), &ms) || ms < 10 || ms > INT32_MAX)
        return tool_usage(t, "--session-timeout needs a duration such as 10s, not \"%s\"", text);
    out->session_timeout_ms = (int32_t)ms;
    out->heartbeat_interval_ms =
        ms / 10 < HEARTBEAT_INTERVAL_MS ? (int32_t)(ms / 10) : HEARTBEAT_INTERVAL_MS;
    return EXIT_OK;
}

static int check_group_flags(struct tool *t)
{
    const struct flags *f = &t->flags;
    bool classic = strcmp(flags_text(f, PROTOCOL), "classic") == 0;
    if (flags_given(f, SESSION_TIMEOUT) && !classic)
        return tool_usage(t, "with --protocol consumer the session timeout is the group's: set "
                             "consumer.session.timeout.ms of the group with kafka-configs");
    if (flags_given(f, OFFSET))
        return tool_usage(t, "with --group the group's offsets say where to read: choose with --from "
                             "where to begin without one, or move a group without members with 'chitin "
                             "group seek'");
    if (flags_given(f, PARTITIONS))
        return tool_usage(t, "with --group the group decides about partitions: leave --partitions away");
    if (flags_given(f, EXIT_AT_END))
        return tool_usage(t, "with --group the partitions change, and with them the end: use "
                             "--idle-timeout 5s instead of --exit");
    return EXIT_OK;
}

static int consume_group_with(struct tool *t, struct group_consumer *c)
{
    const struct flags *f = &t->flags;
    struct group_member_options *m = &c->options.member;
    struct pattern *pattern = NULL;
    struct buf regex;
    buf_init(&regex, 1 << 20);
    struct str *topics = mem_alloc_array((size_t)f->arg_count + 1, sizeof *topics);
    int status = find_subscription(t, topics, &regex, &pattern, m);
    if (status == EXIT_OK && m->protocol == GROUP_MEMBER_CLASSIC)
        status = find_assignors(t, m);
    else
        m->remote_assignor = flags_text(f, ASSIGNOR);
    if (status == EXIT_OK)
        status = find_reset(t, &c->options);
    if (status == EXIT_OK)
        status = find_session(t, m);
    if (status == EXIT_OK)
        status = group_consumer_run(c);
    pattern_free(pattern);
    buf_release(&regex);
    mem_free(topics);
    return status;
}

static int consume_group(struct tool *t, int64_t idle_ms, consumer_print_fn print, void *print_user)
{
    const struct flags *f = &t->flags;
    bool never = strcmp(flags_text(f, COMMIT), "never") == 0;
    struct group_consumer c = {
        .tool = t,
        .options =
            {
                .member =
                    {
                        .protocol = strcmp(flags_text(f, PROTOCOL), "consumer") == 0
                                        ? GROUP_MEMBER_CONSUMER
                                        : GROUP_MEMBER_CLASSIC,
                        .group_id = flags_text(f, GROUP),
                        .instance_id = flags_text(f, INSTANCE_ID),
                        .commit_interval_ms = never ? 0 : COMMIT_INTERVAL_MS,
                    },
                .fetch =
                    {
                        .read_committed = flags_given(f, READ_COMMITTED),
                        .control_records = flags_given(f, CONTROL_RECORDS),
                        .check_crcs = true,
                    },
            },
        .commit_each = strcmp(flags_text(f, COMMIT), "each") == 0,
        .count_max = flags_given(f, COUNT) ? flags_number(f, COUNT) : -1,
        .idle_ms_max = idle_ms,
        .verbose = flags_given(f, VERBOSE),
        .no_offset_fix = ": choose with --from where to begin",
        .print = print,
        .user = print_user,
    };
    return consume_group_with(t, &c);
}

// --- Both ---

static int check_flags(struct tool *t, int64_t *idle_ms)
{
    static const int of_groups[] = {FROM,        COMMIT,          PROTOCOL, ASSIGNOR,
                                    INSTANCE_ID, SESSION_TIMEOUT, VERBOSE};
    const struct flags *f = &t->flags;
    *idle_ms = -1;
    if (flags_given(f, IDLE_TIMEOUT) && !duration_parse(str_from(flags_text(f, IDLE_TIMEOUT)), idle_ms))
        return tool_usage(t, "--idle-timeout needs a duration such as 10s, not \"%s\"",
                          flags_text(f, IDLE_TIMEOUT));
    if (flags_given(f, GROUP))
        return check_group_flags(t);
    for (size_t i = 0; i < sizeof of_groups / sizeof *of_groups; i++)
        if (flags_given(f, of_groups[i]))
            return tool_usage(t, "%.*s is for members of a group: give --group, too",
                              STR_ARG(flag_long_name(&f->defs[of_groups[i]])));
    return EXIT_OK;
}

static int consume_run(struct tool *t)
{
    const struct flags *f = &t->flags;
    int64_t idle_ms;
    struct wire_int32_array partitions = {0};
    int status = check_flags(t, &idle_ms);
    if (status != EXIT_OK)
        return status;
    if (flags_given(f, PARTITIONS) &&
        ids_parse(str_from(flags_text(f, PARTITIONS)), ',', &partitions) < 0)
        return tool_usage(t, "--partitions needs numbers joined by ',', not \"%s\"",
                          flags_text(f, PARTITIONS));
    struct format *format = NULL;
    struct diag diag;
    bool json = flags_given(f, JSON) || strcmp(flags_text(f, FORMAT), "json") == 0;
    if (!json && format_compile(str_from(flags_text(f, FORMAT)), &format, &diag) < 0)
        status = tool_usage(t, "%s", diag.text);
    if (status == EXIT_OK)
        status = tool_connect(t, flags_text(f, BOOTSTRAP));
    if (status == EXIT_OK && flags_given(f, GROUP))
        status = consume_group(t, idle_ms, json ? print_json : print_formatted, format);
    else if (status == EXIT_OK)
        status = consume_with(t, &partitions, format, idle_ms);
    format_free(format);
    mem_free(partitions.items);
    return status;
}

const struct command command_consume = {
    .name = "consume",
    .arguments = "TOPIC...",
    .summary = "Print records, and wait for more.",
    .text =
        "Examples:\n"
        "  chitin consume orders                      everything, then what comes\n"
        "  chitin consume orders -o end               only what comes\n"
        "  chitin consume orders -o -10 -e            the last 10 of each partition\n"
        "  chitin consume orders -o @-1h -J           the last hour as JSON\n"
        "  chitin consume orders -o 100:200 -p 0      offsets 100 to 199 of partition 0\n"
        "  chitin consume orders -f '%d{rfc3339} %k %v\\n'\n"
        "  chitin consume orders -g billing           share the partitions with the other members\n"
        "  chitin consume 'orders-.*' -r -g billing --protocol consumer -v\n"
        "\n"
        "Format (-f):\n"
        "  %t topic   %p partition   %o offset   %e leader epoch   %d timestamp in ms\n"
        "  %k key     %v value       %h{%k=%v } once per header\n"
        "  %T %K %V lengths (-1 for null)   %H number of headers   %i count so far\n"
        "  %a batch attributes   %x producer id   %y producer epoch\n"
        "  %% %{ %}   \\n \\t \\r \\0 \\\\ \\xNN\n"
        "  {hex} {base64} {json} {null[TEXT]} after %k %v; {hex} {big8..64} {little8..64} after\n"
        "  numbers; {rfc3339} {strftime[%F %T.%L]} after %d. Times are UTC.\n"
        "\n"
        "-o is the offset here; JSON is -J or -f json.\n"
        "\n"
        "With -g a record counts as done once it is written to standard output, and what is done is\n"
        "committed: after a crash some records may be printed again, none is left out. Ctrl-C writes,\n"
        "commits and leaves the group, so that others go on at once. 'chitin group describe GROUP'\n"
        "shows how far the group is, 'chitin group seek' moves it.",
    COMMAND_FLAGS(consume_flags),
    .arg_min = 1,
    .arg_max = -1,
    .run = consume_run,
};
