// SPDX-License-Identifier: Apache-2.0
//
// kafka-transactions: Kafka's TransactionsCommand. Its output is FROZEN: columns as wide as their widest
// cell, a tab behind each.
#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "tools/commands.h"
#include "tools/kafka.h"
#include "tools/transactions.h"
#include "wire/errors.h"

enum {
    BOOTSTRAP,
    COMMAND_CONFIG,
    VERSION,
    TRANSACTIONAL_ID,
    TERMINATED_ID,
    TOPIC,
    PARTITION,
    BROKER_ID,
    START_OFFSET,
    PRODUCER_ID,
    PRODUCER_EPOCH,
    COORDINATOR_EPOCH,
    MAX_TIMEOUT,
    DURATION_FILTER,
    ID_PATTERN,
};

enum { MS_PER_MINUTE = 60000, CELLS_MAX = 1 << 26 };

static const struct flag_def transactions_flags[] = {
    [BOOTSTRAP] = KAFKA_BOOTSTRAP,
    [COMMAND_CONFIG] = KAFKA_COMMAND_CONFIG,
    [VERSION] = {.names = "-v, --version", .kind = FLAG_BOOL, .help = "Print the version."},
    [TRANSACTIONAL_ID] = {.names = "--transactional-id", .argument = "ID", .kind = FLAG_TEXT,
                          .help = "describe: the transactional id."},
    [TERMINATED_ID] = {.names = "--transactionalId", .argument = "ID", .kind = FLAG_TEXT,
                       .help = "forceTerminateTransaction: the transactional id."},
    [TOPIC] = {.names = "--topic", .argument = "TOPIC", .kind = FLAG_TEXT,
               .help = "describe-producers, abort, find-hanging: the topic."},
    [PARTITION] = {.names = "--partition", .argument = "N", .kind = FLAG_I32,
                   .help = "describe-producers, abort, find-hanging: its partition."},
    [BROKER_ID] = {.names = "--broker-id", .argument = "ID", .kind = FLAG_I32,
                   .help = "describe-producers: ask this replica; find-hanging: on this broker."},
    [START_OFFSET] = {.names = "--start-offset", .argument = "N", .kind = FLAG_I64,
                      .help = "abort: where the transaction begins."},
    [PRODUCER_ID] = {.names = "--producer-id", .argument = "N", .kind = FLAG_I64,
                     .help = "abort: the producer's id, for brokers before 3.0."},
    [PRODUCER_EPOCH] = {.names = "--producer-epoch", .argument = "N", .kind = FLAG_I32,
                        .min = INT16_MIN, .max = INT16_MAX,
                        .help = "abort: the producer's epoch, for brokers before 3.0."},
    [COORDINATOR_EPOCH] = {.names = "--coordinator-epoch", .argument = "N", .kind = FLAG_I32,
                           .help = "abort: the coordinator's epoch, for brokers before 3.0."},
    [MAX_TIMEOUT] = {.names = "--max-transaction-timeout", .argument = "MINUTES", .kind = FLAG_I32,
                     .fallback = "15", .help = "find-hanging: only those that are open for longer."},
    [DURATION_FILTER] = {.names = "--duration-filter", .argument = "MS", .kind = FLAG_I64,
                         .fallback = "-1", .help = "list: only those that have run for longer."},
    [ID_PATTERN] = {.names = "--transactional-id-pattern", .argument = "REGEX", .kind = FLAG_TEXT,
                    .help = "list: only ids that match."},
};

// ---- Tables ----

// Cells one after the other, each ended by a NUL; the first row are the titles.
struct table {
    struct buf cells;
    int columns;
};

static void table_init(struct table *table, const char *const *titles, int columns)
{
    buf_init(&table->cells, CELLS_MAX);
    table->columns = columns;
    for (int i = 0; i < columns; i++)
        buf_printf(&table->cells, "%s%c", titles[i], 0);
}

static void add_str(struct table *table, struct str value)
{
    buf_printf(&table->cells, "%.*s%c", STR_ARG(value), 0);
}

static void add_number(struct table *table, int64_t value)
{
    buf_printf(&table->cells, "%" PRId64 "%c", value, 0);
}

// What is told as "None" when it is not there.
static void add_known(struct table *table, int64_t value)
{
    if (value < 0)
        add_str(table, str_from("None"));
    else
        add_number(table, value);
}

static void table_print(struct table *table, struct buf *out)
{
    int *widths = mem_alloc_array((size_t)table->columns, sizeof *widths);
    const char *end = (const char *)table->cells.data + table->cells.size;
    for (int i = 0; i < table->columns; i++)
        widths[i] = 0;
    int column = 0;
    for (const char *cell = (const char *)table->cells.data; cell < end; cell += strlen(cell) + 1) {
        int width = (int)strlen(cell);
        widths[column] = width > widths[column] ? width : widths[column];
        column = (column + 1) % table->columns;
    }
    for (const char *cell = (const char *)table->cells.data; cell < end; cell += strlen(cell) + 1) {
        buf_printf(out, "%-*s\t", widths[column], cell);
        column = (column + 1) % table->columns;
        if (column == 0)
            buf_append_u8(out, '\n');
    }
    buf_release(&table->cells);
    mem_free(widths);
}

// ---- Failures ----

// Kafka's tool says this on a line of its own, without its name.
static int say(struct tool *t, const char *text)
{
    buf_printf(&t->err.buf, "%s\n", text);
    return EXIT_FAILED;
}

static int fail(struct tool *t, const char *doing, const struct admin_result *r)
{
    const char *why = r->message[0] != '\0' ? r->message : java_message(r->code);
    buf_printf(&t->err.buf, "%s: %s. Enable debug logging for additional detail.\n", doing, why);
    return EXIT_FAILED;
}

static int required(struct tool *t, int flag)
{
    if (flags_given(&t->flags, flag))
        return EXIT_OK;
    return tool_usage(t, "argument %s is required", transactions_flags[flag].names);
}

static struct str topic_of(const struct tool *t)
{
    return str_from(flags_text(&t->flags, TOPIC));
}

static int32_t number_of(const struct tool *t, int flag)
{
    return flags_given(&t->flags, flag) ? (int32_t)flags_number(&t->flags, flag) : -1;
}

static int64_t now_of(struct tool *t)
{
    return driver_wall_ms(t->driver);
}

// ---- Subcommands, connected ----

static int list(struct tool *t)
{
    static const char *const titles[] = {"TransactionalId", "Coordinator", "ProducerId",
                                         "TransactionState"};
    const struct txn_filter filter = {.duration_ms = flags_number(&t->flags, DURATION_FILTER),
                                      .pattern = flags_text(&t->flags, ID_PATTERN)};
    struct txn_list txns;
    struct admin_result r;
    struct table table;
    int status = EXIT_OK;
    int err = admin_txns_list(t->driver, &filter, &txns, &r);
    if (err < 0)
        status = tool_fail_call(t, err);
    else if (r.code != KAFKA_NONE)
        status = fail(t, "Failed to list transactions", &r);
    if (status == EXIT_OK) {
        table_init(&table, titles, 4);
        for (int i = 0; i < txns.count; i++) {
            add_str(&table, txns.items[i].id);
            add_number(&table, txns.items[i].node);
            add_number(&table, txns.items[i].producer_id);
            add_str(&table, txns.items[i].state);
        }
        table_print(&table, &t->out.buf);
    }
    admin_txn_list_release(&txns);
    return status;
}

// Kafka's tool has them in a hash set.
static void add_partitions(struct table *table, const struct txn_info *txn)
{
    int count = 0;
    for (int32_t i = 0; i < txn->state->topics.count; i++)
        count += txn->state->topics.items[i].partitions.count;
    uint32_t *hashes = mem_alloc_array((size_t)count + 1, sizeof *hashes);
    int *order = mem_alloc_array((size_t)count + 1, sizeof *order);
    struct {
        struct str topic;
        int32_t partition;
    } *all = mem_alloc_array((size_t)count + 1, sizeof *all);
    int n = 0;
    for (int32_t i = 0; i < txn->state->topics.count; i++) {
        const struct describe_transactions_response_topic_data *topic = &txn->state->topics.items[i];
        for (int32_t p = 0; p < topic->partitions.count; p++, n++) {
            all[n].topic = topic->topic;
            all[n].partition = topic->partitions.items[p];
            hashes[n] = java_hash_partition(topic->topic, all[n].partition);
        }
    }
    java_order_hashes(hashes, count, java_capacity_grown(count), order);
    for (int i = 0; i < count; i++)
        buf_printf(&table->cells, "%s%.*s-%d", i == 0 ? "" : ",", STR_ARG(all[order[i]].topic),
                   all[order[i]].partition);
    buf_append_u8(&table->cells, 0);
    mem_free(all);
    mem_free(order);
    mem_free(hashes);
}

static void print_described(struct tool *t, const struct txn_info *txn)
{
    static const char *const titles[] = {
        "CoordinatorId", "TransactionalId", "ProducerId", "ProducerEpoch", "TransactionState",
        "TransactionTimeoutMs", "CurrentTransactionStartTimeMs", "TransactionDurationMs",
        "TopicPartitions"};
    struct table table;
    int64_t start_ms = txn->state->transaction_start_time_ms;
    table_init(&table, titles, 9);
    add_number(&table, txn->node);
    add_str(&table, txn->state->transactional_id);
    add_number(&table, txn->state->producer_id);
    add_number(&table, txn->state->producer_epoch);
    add_str(&table, txn->state->transaction_state);
    add_number(&table, txn->state->transaction_timeout_ms);
    add_known(&table, start_ms);
    add_known(&table, start_ms < 0 ? -1 : now_of(t) - start_ms);
    add_partitions(&table, txn);
    table_print(&table, &t->out.buf);
}

static int describe(struct tool *t)
{
    const char *id = flags_text(&t->flags, TRANSACTIONAL_ID);
    struct txn_info txn;
    struct admin_result r;
    int status = EXIT_OK;
    int err = admin_txn_describe(t->driver, str_from(id), &txn, &r);
    if (err < 0) {
        status = tool_fail_call(t, err);
    } else if (r.code != KAFKA_NONE) {
        struct buf doing;
        buf_init(&doing, CELLS_MAX);
        buf_printf(&doing, "Failed to describe transaction state of transactional-id `%s`", id);
        if (r.code == KAFKA_TRANSACTIONAL_ID_NOT_FOUND)
            snprintf(r.message, sizeof r.message,
                     "DescribeTransactions request for transactionalId `%s` failed because the ID could "
                     "not be found", id);
        status = fail(t, buf_text(&doing), &r);
        buf_release(&doing);
    } else {
        print_described(t, &txn);
    }
    admin_txn_release(&txn);
    return status;
}

static int describe_producers(struct tool *t)
{
    static const char *const titles[] = {"ProducerId", "ProducerEpoch", "LatestCoordinatorEpoch",
                                         "LastSequence", "LastTimestamp",
                                         "CurrentTransactionStartOffset"};
    struct txn_producers producers;
    struct admin_result r;
    struct table table;
    char doing[600];
    int32_t partition = number_of(t, PARTITION), broker = number_of(t, BROKER_ID);
    int status = EXIT_OK;
    int err = admin_producers_describe(t->driver, topic_of(t), partition, broker, &producers, &r);
    if (err < 0) {
        status = tool_fail_call(t, err);
    } else if (r.code != KAFKA_NONE) {
        int n = snprintf(doing, sizeof doing, "Failed to describe producers for partition %s-%d on %s",
                         flags_text(&t->flags, TOPIC), partition, broker < 0 ? "leader" : "broker ");
        if (broker >= 0 && n > 0 && (size_t)n < sizeof doing)
            snprintf(doing + n, sizeof doing - (size_t)n, "%d", broker);
        status = fail(t, doing, &r);
    } else {
        table_init(&table, titles, 6);
        for (int32_t i = 0; i < producers.count; i++) {
            add_number(&table, producers.items[i].producer_id);
            add_number(&table, producers.items[i].producer_epoch);
            add_number(&table, producers.items[i].coordinator_epoch);
            add_number(&table, producers.items[i].last_sequence);
            add_number(&table, producers.items[i].last_timestamp);
            add_known(&table, producers.items[i].current_txn_start_offset);
        }
        table_print(&table, &t->out.buf);
    }
    admin_producers_release(&producers);
    return status;
}

// What is to be aborted, by its start offset.
static int find_spec(struct tool *t, struct txn_spec *out)
{
    struct txn_producers producers;
    struct admin_result r;
    int64_t offset = flags_number(&t->flags, START_OFFSET);
    int32_t partition = number_of(t, PARTITION);
    const char *topic = flags_text(&t->flags, TOPIC);
    int status = EXIT_OK;
    int err = admin_producers_describe(t->driver, topic_of(t), partition, -1, &producers, &r);
    if (err < 0) {
        status = tool_fail_call(t, err);
    } else if (r.code != KAFKA_NONE) {
        char doing[400];
        snprintf(doing, sizeof doing, "Failed to validate producer state for partition %s-%d", topic,
                 partition);
        status = fail(t, doing, &r);
    } else if (!txn_spec_of(&producers, topic_of(t), partition, offset, out)) {
        buf_printf(&t->err.buf, "Could not find any open transactions starting at offset %" PRId64
                                " on partition %s-%d\n", offset, topic, partition);
        status = EXIT_FAILED;
    }
    admin_producers_release(&producers);
    return status;
}

static int abort_one(struct tool *t)
{
    const struct flags *f = &t->flags;
    struct admin_result r;
    struct txn_spec spec = {
        .topic = topic_of(t),
        .partition = number_of(t, PARTITION),
        .producer_id = flags_number(f, PRODUCER_ID),
        .producer_epoch = (int16_t)flags_number(f, PRODUCER_EPOCH),
        .coordinator_epoch = (int32_t)flags_number(f, COORDINATOR_EPOCH),
    };
    int status = flags_given(f, START_OFFSET) ? find_spec(t, &spec) : EXIT_OK;
    if (status != EXIT_OK)
        return status;
    int err = admin_txn_abort(t->driver, &spec, &r);
    if (err < 0)
        return tool_fail_call(t, err);
    if (r.code == KAFKA_NONE)
        return EXIT_OK;
    char doing[500];
    int32_t epoch = spec.coordinator_epoch < 0 ? 0 : spec.coordinator_epoch;
    snprintf(doing, sizeof doing,
             "Failed to abort transaction AbortTransactionSpec(topicPartition=%.*s-%d, producerId=%" PRId64
             ", producerEpoch=%d, coordinatorEpoch=%d)",
             STR_ARG(spec.topic), spec.partition, spec.producer_id, spec.producer_epoch, epoch);
    return fail(t, doing, &r);
}

struct hanging_table {
    struct table table;
    int64_t now_ms;
};

static void add_hanging(void *context, const struct txn_hanging *txn)
{
    struct hanging_table *h = context;
    add_str(&h->table, txn->spec.topic);
    add_number(&h->table, txn->spec.partition);
    add_number(&h->table, txn->spec.producer_id);
    add_number(&h->table, txn->spec.producer_epoch);
    add_number(&h->table, txn->spec.coordinator_epoch);
    add_number(&h->table, txn->start_offset);
    add_number(&h->table, txn->last_timestamp);
    add_number(&h->table, (h->now_ms - txn->last_timestamp) / MS_PER_MINUTE);
}

static int find_hanging(struct tool *t)
{
    static const char *const titles[] = {"Topic", "Partition", "ProducerId", "ProducerEpoch",
                                         "CoordinatorEpoch", "StartOffset", "LastTimestamp",
                                         "Duration(min)"};
    const struct txn_search search = {
        .topic = topic_of(t),
        .partition = number_of(t, PARTITION),
        .node = number_of(t, BROKER_ID),
        .older_ms = flags_number(&t->flags, MAX_TIMEOUT) * MS_PER_MINUTE,
        .now_ms = now_of(t),
    };
    struct hanging_table h = {.now_ms = search.now_ms};
    struct admin_result r;
    table_init(&h.table, titles, 8);
    int err = admin_txns_find_hanging(t->driver, &search, add_hanging, &h, &r);
    if (err == 0 && r.code == KAFKA_NONE) {
        table_print(&h.table, &t->out.buf);
        return EXIT_OK;
    }
    buf_release(&h.table.cells);
    return err < 0 ? tool_fail_call(t, err) : fail(t, "Failed to describe producers", &r);
}

static int terminate(struct tool *t)
{
    const char *id = flags_text(&t->flags, TERMINATED_ID);
    struct admin_result r;
    char doing[400];
    int err = admin_txn_terminate(t->driver, str_from(id), &r);
    if (err < 0)
        return tool_fail_call(t, err);
    if (r.code == KAFKA_NONE)
        return EXIT_OK;
    snprintf(doing, sizeof doing, "Failed to force terminate transactionalId `%s`", id);
    return fail(t, doing, &r);
}

// ---- The command line ----

static int check_describe(struct tool *t)
{
    return required(t, TRANSACTIONAL_ID);
}

static int check_partition(struct tool *t)
{
    int status = required(t, TOPIC);
    return status == EXIT_OK ? required(t, PARTITION) : status;
}

static int check_abort(struct tool *t)
{
    const struct flags *f = &t->flags;
    int status = check_partition(t);
    if (status != EXIT_OK || flags_given(f, START_OFFSET))
        return status;
    if (!flags_given(f, PRODUCER_ID))
        return say(t, "The transaction to abort must be identified either with --start-offset (for brokers "
                      "on 3.0 or above) or with --producer-id, --producer-epoch, and --coordinator-epoch "
                      "(for older brokers)");
    if (!flags_given(f, PRODUCER_EPOCH))
        return say(t, "Missing required argument --producer-epoch");
    if (!flags_given(f, COORDINATOR_EPOCH))
        return say(t, "Missing required argument --coordinator-epoch");
    return EXIT_OK;
}

static int check_find_hanging(struct tool *t)
{
    const struct flags *f = &t->flags;
    if (!flags_given(f, TOPIC) && !flags_given(f, BROKER_ID))
        return say(t, "The `find-hanging` command requires either --topic or --broker-id to limit the "
                      "scope of the search");
    if (flags_given(f, PARTITION) && !flags_given(f, TOPIC))
        return say(t, "The --partition argument requires --topic to be provided");
    return EXIT_OK;
}

static int check_terminate(struct tool *t)
{
    return required(t, TERMINATED_ID);
}

static const struct {
    const char *name;
    int (*check)(struct tool *t); // NULL: nothing to
    int (*run)(struct tool *t);
} subcommands[] = {
    {"list", NULL, list},
    {"describe", check_describe, describe},
    {"describe-producers", check_partition, describe_producers},
    {"abort", check_abort, abort_one},
    {"find-hanging", check_find_hanging, find_hanging},
    {"forceTerminateTransaction", check_terminate, terminate},
};

static int transactions_run(struct tool *t)
{
    if (kafka_version(t, VERSION))
        return EXIT_OK;
    if (t->flags.arg_count == 0)
        return tool_usage(t, "too few arguments");
    for (size_t i = 0; i < sizeof subcommands / sizeof *subcommands; i++) {
        if (strcmp(subcommands[i].name, t->flags.args[0]) != 0)
            continue;
        int status = subcommands[i].check == NULL ? EXIT_OK : subcommands[i].check(t);
        if (status == EXIT_OK)
            status = kafka_connect_flags(t, BOOTSTRAP, COMMAND_CONFIG, -1);
        return status == EXIT_OK ? subcommands[i].run(t) : status;
    }
    return tool_usage(t, "invalid choice: '%s' (choose from 'list', 'describe', 'describe-producers', "
                         "'abort', 'find-hanging', 'forceTerminateTransaction')",
                      t->flags.args[0]);
}

const struct command alias_transactions = {
    .name = "kafka-transactions",
    .arguments = "list|describe|describe-producers|abort|find-hanging|forceTerminateTransaction",
    .summary = "Look at transactions, and end those that hang.",
    .text = "Examples:\n"
            "  kafka-transactions --bootstrap-server localhost:9092 list\n"
            "  kafka-transactions --bootstrap-server localhost:9092 find-hanging --broker-id 1",
    COMMAND_FLAGS(transactions_flags),
    .arg_max = 1,
    .mode = FLAGS_ABBREVIATED,
    .run = transactions_run,
};
