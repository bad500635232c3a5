// SPDX-License-Identifier: Apache-2.0
//
// What kafka-consumer-groups and kafka-streams-groups share: flags, how they print, listing, deleting
// offsets. The plans of --reset-offsets are in kafka_group_reset.h.
#pragma once

#include "tools/groups.h"
#include "tools/kafka.h"

// One of the two tools, as its messages have it.
struct group_tool {
    const char *kind;       // "consumer", "streams"
    int failed;             // exit status when the whole command fails
};

// The flags of both; each has its own behind them.
enum group_flag {
    GF_BOOTSTRAP,
    GF_COMMAND_CONFIG,
    GF_VERSION,
    GF_GROUP,
    GF_ALL_GROUPS,
    GF_TOPIC,
    GF_ALL_TOPICS,
    GF_TIMEOUT,
    GF_LIST,
    GF_DESCRIBE,
    GF_DELETE,
    GF_RESET,
    GF_DELETE_OFFSETS,
    GF_STATE,
    GF_MEMBERS,
    GF_OFFSETS,
    GF_VERBOSE,
    GF_DRY_RUN,
    GF_EXECUTE,
    GF_EXPORT,
    GF_TO_OFFSET,
    GF_TO_EARLIEST,
    GF_TO_LATEST,
    GF_TO_CURRENT,
    GF_TO_DATETIME,
    GF_BY_DURATION,
    GF_SHIFT_BY,
    GF_FROM_FILE,
    GF_COUNT,
};

// What both tables of flags have.
#define GROUP_TOOL_FLAGS \
    [GF_BOOTSTRAP] = KAFKA_BOOTSTRAP, \
    [GF_COMMAND_CONFIG] = KAFKA_COMMAND_CONFIG, \
    [GF_VERSION] = KAFKA_VERSION_FLAG, \
    [GF_ALL_GROUPS] = {.names = "--all-groups", .kind = FLAG_BOOL, .help = "Act on all groups."}, \
    [GF_TIMEOUT] = {.names = "--timeout", \
                    .argument = "MS", \
                    .kind = FLAG_I64, \
                    .min = 1, \
                    .max = INT32_MAX, \
                    .fallback = "30000", \
                    .help = "How long to wait for each answer."}, \
    [GF_LIST] = {.names = "--list", .kind = FLAG_BOOL, .help = "List groups."}, \
    [GF_MEMBERS] = {.names = "--members", \
                    .kind = FLAG_BOOL, \
                    .help = "With --describe: the members of the group."}, \
    [GF_OFFSETS] = {.names = "--offsets", \
                    .kind = FLAG_BOOL, \
                    .help = "With --describe: offsets and lag. The default."}, \
    [GF_EXECUTE] = {.names = "--execute", \
                    .kind = FLAG_BOOL, \
                    .help = "With --reset-offsets: do it."}, \
    [GF_EXPORT] = {.names = "--export", \
                   .kind = FLAG_BOOL, \
                   .help = "With --reset-offsets: show the plan as CSV, for --from-file."}, \
    [GF_TO_OFFSET] = {.names = "--to-offset", \
                      .argument = "OFFSET", \
                      .kind = FLAG_I64, \
                      .help = "Reset to this offset."}, \
    [GF_TO_EARLIEST] = {.names = "--to-earliest", .kind = FLAG_BOOL, .help = "Reset to the start."}, \
    [GF_TO_LATEST] = {.names = "--to-latest", .kind = FLAG_BOOL, .help = "Reset to the end."}, \
    [GF_TO_CURRENT] = {.names = "--to-current", \
                       .kind = FLAG_BOOL, \
                       .help = "Reset to what is committed, else to the end."}, \
    [GF_TO_DATETIME] = {.names = "--to-datetime", \
                        .argument = "YYYY-MM-DDThh:mm:ss.sss", \
                        .kind = FLAG_TEXT, \
                        .help = "Reset to the first record at or after this time (UTC, or with a\n" \
                                "zone such as +02:00)."}, \
    [GF_BY_DURATION] = {.names = "--by-duration", \
                        .argument = "PnDTnHnMnS", \
                        .kind = FLAG_TEXT, \
                        .help = "Reset to the first record that is at most this old."}, \
    [GF_SHIFT_BY] = {.names = "--shift-by", \
                     .argument = "N", \
                     .kind = FLAG_I64, \
                     .help = "Reset to N after (or, negative, before) what is committed."}, \
    [GF_FROM_FILE] = {.names = "--from-file", \
                      .argument = "FILE", \
                      .kind = FLAG_TEXT, \
                      .help = "Reset to the offsets in a CSV file: topic,partition,offset, or with\n" \
                              "several groups group,topic,partition,offset."}

// The groups that a command is about: of --group, or with --all-groups those that there are.
struct group_ids {
    struct str *items;
    int count;
};

void group_ids_add(struct group_ids *ids, struct str id); // each once

// "Error: TEXT" on standard output, where Kafka's tool says what went wrong with a group. It exits
// with 0 all the same.
__attribute__((format(printf, 2, 3))) void group_tool_error(struct tool *t, const char *format,
                                                                 ...);

// What ends the whole command: the exception of an error code (`message` may be empty), with its
// class where Kafka's tool shows that, too. Returns the exit status of Kafka's tool.
int group_tool_failed(struct tool *t, const struct group_tool *tool, int16_t code, struct str message,
                      bool with_class);

// Appends a cell of a table: text in at least `width` columns, and a space.
void group_tool_cell(struct buf *out, int width, struct str text);
// The same for a number; below 0 it is "-".
void group_tool_number(struct buf *out, int width, int64_t value);

// The larger of a column's width so far and that of a text.
int group_tool_width(int width, struct str text);

// Finds out how far a group is behind and shows it; returns the exit status.
struct group_lag;
int group_tool_show_lag(struct tool *t, const struct group_tool *tool, const struct group_info *g,
                        void (*show)(struct tool *t, const struct group_info *g,
                                     const struct group_lag *lag));

// "HOST:PORT", the separator and "(ID)" of the group's coordinator.
void group_tool_coordinator(struct tool *t, const struct group_info *g, const char *separator,
                            struct buf *out);

// The order in which Kafka's tool shows ids; free it with mem_free(). And groups in that order.
int *group_tool_order(const struct str *ids, int count);
void group_tool_sort(struct group_list *list);

// Reads "stable, empty" as the value of a flag; EXIT_OK, or the exit status after saying which of the
// `names` (NULL ends them) there are. Free the items with mem_free().
int group_tool_parse_names(struct tool *t, int flag, const char *what, const char *const *names,
                           struct wire_string_array *out);

// ---- The command line ----

int group_tool_count_given(const struct flags *f, const int *ids, int count);

// "members" of "--members": how Kafka's tool calls a flag.
const char *group_tool_bare_name(const struct tool *t, int flag);

// Refuses any two of the flags together.
int group_tool_check_exclusive(struct tool *t, const int *ids, int count);

// Which groups the action is about, and what of them --describe shows.
int group_tool_check_scope(struct tool *t);

// --reset-offsets needs one of GF_TO_OFFSET to GF_FROM_FILE, and to be told of what: `scopes` are the names
// of those flags.
int group_tool_check_scenario(struct tool *t, const char *scopes);

// ---- Deleting offsets ----

// Adds the partitions that GF_TOPIC names. Those of a topic that is not there become one with number -1
// and an error. EXIT_OK, or the exit status after saying what is wrong.
int group_tool_choose(struct tool *t, struct admin_offsets *out);

// Deletes and shows what became of each; returns the exit status.
int group_tool_delete_offsets(struct tool *t, struct str id, struct admin_offsets *items);
