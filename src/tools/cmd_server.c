// SPDX-License-Identifier: Apache-2.0
//
// `chitin server` and kafka-server-start: the node itself (src/server).
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "server/server.h"
#include "tools/commands.h"
#include "tools/common.h"

// kafka-server-start [-daemon] FILE [--override K=V]... has the server's own arguments.
static int start_raw(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "-daemon") == 0) {
        fprintf(stderr, "kafka-server-start: -daemon is not there: a service manager starts chitin in "
                        "the background, or 'nohup chitin server FILE &'\n");
        return EXIT_FAILED;
    }
    return server_main(argc, argv);
}

static int never(struct tool *t)
{
    return EXIT_OK; // run_raw runs instead
}

static const struct flag_def server_flags[] = {
    {.names = "--override", .argument = "KEY=VALUE", .kind = FLAG_LIST,
     .help = "A setting that wins over the file and the environment; repeatable."},
    {.names = "--log-format", .argument = "text|json", .kind = FLAG_TEXT, .fallback = "text",
     .values = "text|json", .help = "How lines on stderr look: for people, or one JSON object each."},
};

const struct command command_server = {
    .name = "server",
    .arguments = "[FILE]",
    .summary = "Run a node: broker and controller.",
    .text = "FILE is Kafka's server.properties. Without one the node keeps its data in ./chitin-data and\n"
            "listens on 127.0.0.1:9092. An empty data directory is formatted at the first start; one that\n"
            "belongs to another node or cluster is refused and left as it is.\n"
            "\n"
            "Variables of the environment set keys as with Apache Kafka's container image: KAFKA_LOG_DIRS\n"
            "is log.dirs, _ stands for ., __ for _ and ___ for -. They win over FILE, and --override wins\n"
            "over them. CLUSTER_ID is the id of a cluster that is created.\n"
            "\n"
            "It says on stderr when it is ready, and stays in the foreground. SIGTERM or Ctrl-C stops it\n"
            "in order: what is in flight is finished, and the next start has nothing to recover. A second\n"
            "signal stops it at once; what was acknowledged is on disk then too.\n"
            "\n"
            "Exit status: 0 stopped in order, 1 failed to start or to stop, 2 wrong arguments.\n"
            "\n"
            "Examples:\n"
            "  chitin server\n"
            "  chitin server /etc/kafka/server.properties\n"
            "  chitin server --override listeners=PLAINTEXT://:9092 --override log.dirs=/var/lib/chitin",
    COMMAND_FLAGS(server_flags),
    .run = never,
    .run_raw = server_main,
};

const struct command alias_server_start = {
    .name = "kafka-server-start",
    .arguments = "[FILE]",
    .summary = "Run a node: broker and controller.",
    COMMAND_FLAGS(server_flags),
    .mode = FLAGS_ABBREVIATED,
    .run = never,
    .run_raw = start_raw,
};
