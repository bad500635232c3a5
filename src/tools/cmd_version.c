// SPDX-License-Identifier: Apache-2.0
//
// `chitin version`.
#include "tools/commands.h"
#include "tools/common.h"


// The release whose protocol and files this program knows.
#define KAFKA_VERSION "4.4"

enum { OUTPUT };

static const struct flag_def version_flags[] = {
    [OUTPUT] = COMMON_OUTPUT,
};

static int version_run(struct tool *t)
{
    if (wants_json(t, OUTPUT))
        buf_printf(&t->out.buf, "{\"version\":\"%s\",\"kafka\":\"%s\"}\n", CHITIN_VERSION,
                   KAFKA_VERSION);
    else
        buf_printf(&t->out.buf, "chitin %s (speaks Apache Kafka %s)\n", CHITIN_VERSION,
                   KAFKA_VERSION);
    return EXIT_OK;
}

const struct command command_version = {
    .name = "version",
    .arguments = "",
    .summary = "Print the version.",
    COMMAND_FLAGS(version_flags),
    .run = version_run,
};
