// SPDX-License-Identifier: Apache-2.0
//
// What the parts of kafka-consumer-groups (Kafka's ConsumerGroupCommand) share.
#pragma once

#include "tools/groups.h"
#include "tools/kafka.h"

enum consumer_groups_flag {
    CG_BOOTSTRAP,
    CG_COMMAND_CONFIG,
    CG_VERSION,
    CG_GROUP,
    CG_ALL_GROUPS,
    CG_TOPIC,
    CG_ALL_TOPICS,
    CG_TIMEOUT,
    CG_LIST,
    CG_DESCRIBE,
    CG_DELETE,
    CG_RESET,
    CG_DELETE_OFFSETS,
    CG_VALIDATE_REGEX,
    CG_STATE,
    CG_TYPE,
    CG_MEMBERS,
    CG_OFFSETS,
    CG_VERBOSE,
    CG_DRY_RUN,
    CG_EXECUTE,
    CG_EXPORT,
    CG_TO_OFFSET,
    CG_TO_EARLIEST,
    CG_TO_LATEST,
    CG_TO_CURRENT,
    CG_TO_DATETIME,
    CG_BY_DURATION,
    CG_SHIFT_BY,
    CG_FROM_FILE,
};

// The groups that a command is about: of --group, or with --all-groups those that there are.
struct group_ids {
    struct str *items;
    int count;
};

// Each prints what Kafka's tool prints, and returns the exit status.
int consumer_groups_describe(struct tool *t, const struct group_ids *ids);
int consumer_groups_reset(struct tool *t, const struct group_ids *ids);

// "Error: TEXT" on standard output, where Kafka's tool says what went wrong with a group. It exits
// with 0 all the same.
__attribute__((format(printf, 2, 3))) void consumer_groups_error(struct tool *t, const char *format,
                                                                 ...);

// What ends the whole command: the exception of an error code (`message` may be empty), with its
// class where Kafka's tool shows that, too. Returns the exit status of Kafka's tool, 0.
int consumer_groups_failed(struct tool *t, int16_t code, struct str message, bool with_class);

// Appends a cell of a table: text in at least `width` columns, and a space.
void consumer_groups_cell(struct buf *out, int width, struct str text);
// The same for a number; below 0 it is "-".
void consumer_groups_number(struct buf *out, int width, int64_t value);

// The larger of a column's width so far and that of a text.
int consumer_groups_width(int width, struct str text);

// The order in which Kafka's tool shows ids; free it with mem_free().
int *consumer_groups_order(const struct str *ids, int count);
