// SPDX-License-Identifier: Apache-2.0
//
// chitin txn: transactions, the producers behind them, and what to do about one that hangs.
#include <inttypes.h>

#include "base/mem.h"
#include "tools/commands.h"
#include "tools/common.h"
#include "tools/transactions.h"
#include "wire/errors.h"

enum { MS_PER_MINUTE = 60000 };

#define ROWS_INIT(rows, columns) rows_init((rows), (columns), (int)(sizeof(columns) / sizeof *(columns)))

// Tells what went wrong, if anything did: `about` in the cluster's words.
static int ended(struct tool *t, int err, const struct admin_result *r, const char *about)
{
    if (err < 0)
        return tool_fail_call(t, err);
    return r->code == KAFKA_NONE ? EXIT_OK : tool_fail_code(t, about, r->code, str_from(r->message));
}

// "TOPIC PARTITION" of the arguments.
static int partition_of(struct tool *t, struct str *topic, int32_t *partition)
{
    struct wire_int32_array ids;
    *topic = str_from(t->flags.args[0]);
    if (ids_parse(str_from(t->flags.args[1]), ',', &ids) < 0)
        return tool_usage(t, "%s is no partition", t->flags.args[1]);
    *partition = ids.count == 1 ? ids.items[0] : -1;
    mem_free(ids.items);
    return *partition >= 0 ? EXIT_OK : tool_usage(t, "%s is not one partition", t->flags.args[1]);
}

// ---- list ----

enum { LIST_BOOTSTRAP, LIST_OUTPUT, LIST_STATE, LIST_OLDER, LIST_PATTERN };

static const struct flag_def list_flags[] = {
    [LIST_BOOTSTRAP] = COMMON_BOOTSTRAP,
    [LIST_OUTPUT] = COMMON_OUTPUT,
    [LIST_STATE] = {.names = "-s, --state", .argument = "STATE", .kind = FLAG_TEXT,
                    .help = "Only those in this state (Ongoing, CompleteCommit, ...)."},
    [LIST_OLDER] = {.names = "--older", .argument = "DURATION", .kind = FLAG_TEXT,
                    .help = "Only those that have been running for longer: 10m, 1h30m."},
    [LIST_PATTERN] = {.names = "--pattern", .argument = "REGEX", .kind = FLAG_TEXT,
                      .help = "Only transactional ids that match."},
};

static const struct column list_columns[] = {
    {"TRANSACTIONAL-ID", "transactional_id", CELL_TEXT},
    {"STATE", "state", CELL_TEXT},
    {"PRODUCER-ID", "producer_id", CELL_NUMBER},
    {"COORDINATOR", "coordinator", CELL_NUMBER},
};

static int list_run(struct tool *t)
{
    const char *older = flags_text(&t->flags, LIST_OLDER);
    struct txn_filter filter = {.state = str_from(flags_text(&t->flags, LIST_STATE)),
                                .duration_ms = -1,
                                .pattern = flags_text(&t->flags, LIST_PATTERN)};
    if (older != NULL && !duration_parse(str_from(older), &filter.duration_ms))
        return tool_usage(t, "--older: %s is no duration such as 10m", older);
    int status = tool_connect(t, flags_text(&t->flags, LIST_BOOTSTRAP));
    if (status != EXIT_OK)
        return status;
    struct txn_list txns;
    struct admin_result r;
    status = ended(t, admin_txns_list(t->driver, &filter, &txns, &r), &r, "listing transactions");
    if (status == EXIT_OK) {
        struct rows rows;
        ROWS_INIT(&rows, list_columns);
        for (int i = 0; i < txns.count; i++) {
            rows_str(&rows, txns.items[i].id);
            rows_str(&rows, txns.items[i].state);
            rows_i64(&rows, txns.items[i].producer_id);
            rows_i64(&rows, txns.items[i].node);
        }
        rows_write(&rows, &t->out.buf, wants_json(t, LIST_OUTPUT));
        rows_release(&rows);
    }
    admin_txn_list_release(&txns);
    return status;
}

const struct command command_txn_list = {
    .name = "txn list",
    .arguments = "",
    .summary = "List transactional ids and the state of their transactions.",
    .text = "Examples:\n"
            "  chitin txn list --state Ongoing\n"
            "  chitin txn list --older 10m -o json",
    COMMAND_FLAGS(list_flags),
    .run = list_run,
};

// ---- describe ----

enum { ONE_BOOTSTRAP, ONE_OUTPUT };

static const struct flag_def one_flags[] = {
    [ONE_BOOTSTRAP] = COMMON_BOOTSTRAP,
    [ONE_OUTPUT] = COMMON_OUTPUT,
};

static const struct column describe_columns[] = {
    {"TRANSACTIONAL-ID", "transactional_id", CELL_TEXT},
    {"STATE", "state", CELL_TEXT},
    {"PRODUCER-ID", "producer_id", CELL_NUMBER},
    {"EPOCH", "producer_epoch", CELL_NUMBER},
    {"STARTED", "started", CELL_TEXT},
    {"TIMEOUT-MS", "timeout_ms", CELL_NUMBER},
    {"COORDINATOR", "coordinator", CELL_NUMBER},
    {"PARTITIONS", "partitions", CELL_TEXT},
};

static void add_described(struct rows *rows, const struct txn_info *txn)
{
    const struct describe_transactions_response_transaction_state *s = txn->state;
    struct buf text;
    buf_init(&text, 1 << 24);
    rows_str(rows, s->transactional_id);
    rows_str(rows, s->transaction_state);
    rows_i64(rows, s->producer_id);
    rows_i64(rows, s->producer_epoch);
    if (s->transaction_start_time_ms >= 0)
        time_format_rfc3339(&text, s->transaction_start_time_ms);
    rows_str(rows, buf_str(&text));
    rows_i64(rows, s->transaction_timeout_ms);
    rows_i64(rows, txn->node);
    buf_clear(&text);
    for (int32_t i = 0; i < s->topics.count; i++)
        for (int32_t p = 0; p < s->topics.items[i].partitions.count; p++)
            buf_printf(&text, "%s%.*s-%d", text.size == 0 ? "" : " ", STR_ARG(s->topics.items[i].topic),
                       s->topics.items[i].partitions.items[p]);
    rows_str(rows, buf_str(&text));
    buf_release(&text);
}

static int describe_run(struct tool *t)
{
    int status = tool_connect(t, flags_text(&t->flags, ONE_BOOTSTRAP));
    struct rows rows;
    ROWS_INIT(&rows, describe_columns);
    for (int i = 0; i < t->flags.arg_count && status == EXIT_OK; i++) {
        struct txn_info txn;
        struct admin_result r;
        int err = admin_txn_describe(t->driver, str_from(t->flags.args[i]), &txn, &r);
        if (err == 0 && r.code == KAFKA_TRANSACTIONAL_ID_NOT_FOUND)
            status = tool_fail(t, EXIT_NOT_FOUND, "no transactional id %s", t->flags.args[i]);
        else
            status = ended(t, err, &r, t->flags.args[i]);
        if (status == EXIT_OK)
            add_described(&rows, &txn);
        admin_txn_release(&txn);
    }
    if (status == EXIT_OK)
        rows_write(&rows, &t->out.buf, wants_json(t, ONE_OUTPUT));
    rows_release(&rows);
    return status;
}

const struct command command_txn_describe = {
    .name = "txn describe",
    .arguments = "ID...",
    .summary = "Show the transactions of some transactional ids.",
    .text = "Example:\n"
            "  chitin txn describe payments-1",
    COMMAND_FLAGS(one_flags),
    .arg_min = 1,
    .arg_max = -1,
    .run = describe_run,
};

// ---- producers ----

static const struct column producers_columns[] = {
    {"PRODUCER-ID", "producer_id", CELL_NUMBER},
    {"EPOCH", "producer_epoch", CELL_NUMBER},
    {"LAST-SEQUENCE", "last_sequence", CELL_NUMBER},
    {"LAST-WRITE", "last_write", CELL_TEXT},
    {"COORDINATOR-EPOCH", "coordinator_epoch", CELL_NUMBER},
    {"OPEN-SINCE-OFFSET", "transaction_start_offset", CELL_NUMBER},
};

static int producers_run(struct tool *t)
{
    struct str topic;
    int32_t partition = 0;
    int status = partition_of(t, &topic, &partition);
    if (status == EXIT_OK)
        status = tool_connect(t, flags_text(&t->flags, ONE_BOOTSTRAP));
    if (status != EXIT_OK)
        return status;
    struct txn_producers producers;
    struct admin_result r;
    status = ended(t, admin_producers_describe(t->driver, topic, partition, -1, &producers, &r), &r,
                   t->flags.args[0]);
    if (status == EXIT_OK) {
        struct rows rows;
        struct buf text;
        buf_init(&text, 64);
        ROWS_INIT(&rows, producers_columns);
        for (int32_t i = 0; i < producers.count; i++) {
            const struct describe_producers_response_producer_state *p = &producers.items[i];
            buf_clear(&text);
            if (p->last_timestamp >= 0)
                time_format_rfc3339(&text, p->last_timestamp);
            rows_i64(&rows, p->producer_id);
            rows_i64(&rows, p->producer_epoch);
            rows_i64(&rows, p->last_sequence);
            rows_str(&rows, buf_str(&text));
            rows_i64(&rows, p->coordinator_epoch);
            rows_i64(&rows, p->current_txn_start_offset);
        }
        rows_write(&rows, &t->out.buf, wants_json(t, ONE_OUTPUT));
        rows_release(&rows);
        buf_release(&text);
    }
    admin_producers_release(&producers);
    return status;
}

const struct command command_txn_producers = {
    .name = "txn producers",
    .arguments = "TOPIC PARTITION",
    .summary = "Show the producers that a partition knows, and their open transactions.",
    .text = "Readers of committed records wait for the lowest offset in the last column; -1 is none.\n"
            "\n"
            "Example:\n"
            "  chitin txn producers orders 0",
    COMMAND_FLAGS(one_flags),
    .arg_min = 2,
    .arg_max = 2,
    .run = producers_run,
};

// ---- find-hanging ----

enum { HANGING_BOOTSTRAP, HANGING_OUTPUT, HANGING_TOPIC, HANGING_OLDER };

static const struct flag_def hanging_flags[] = {
    [HANGING_BOOTSTRAP] = COMMON_BOOTSTRAP,
    [HANGING_OUTPUT] = COMMON_OUTPUT,
    [HANGING_TOPIC] = {.names = "-t, --topic", .argument = "TOPIC", .kind = FLAG_TEXT,
                       .help = "Look only there; all topics otherwise."},
    [HANGING_OLDER] = {.names = "--older", .argument = "DURATION", .kind = FLAG_TEXT, .fallback = "15m",
                       .help = "Only those in which nothing was written for longer."},
};

static const struct column hanging_columns[] = {
    {"TOPIC", "topic", CELL_TEXT},
    {"PARTITION", "partition", CELL_NUMBER},
    {"START-OFFSET", "start_offset", CELL_NUMBER},
    {"PRODUCER-ID", "producer_id", CELL_NUMBER},
    {"EPOCH", "producer_epoch", CELL_NUMBER},
    {"MINUTES", "minutes", CELL_NUMBER},
};

struct hanging {
    struct rows rows;
    int64_t now_ms;
};

static void add_hanging(void *context, const struct txn_hanging *txn)
{
    struct hanging *h = context;
    rows_str(&h->rows, txn->spec.topic);
    rows_i64(&h->rows, txn->spec.partition);
    rows_i64(&h->rows, txn->start_offset);
    rows_i64(&h->rows, txn->spec.producer_id);
    rows_i64(&h->rows, txn->spec.producer_epoch);
    rows_i64(&h->rows, (h->now_ms - txn->last_timestamp) / MS_PER_MINUTE);
}

static int hanging_run(struct tool *t)
{
    const char *older = flags_text(&t->flags, HANGING_OLDER);
    struct txn_search search = {.topic = str_from(flags_text(&t->flags, HANGING_TOPIC)), .partition = -1,
                                .node = -1};
    if (!duration_parse(str_from(older), &search.older_ms))
        return tool_usage(t, "--older: %s is no duration such as 15m", older);
    int status = tool_connect(t, flags_text(&t->flags, HANGING_BOOTSTRAP));
    if (status != EXIT_OK)
        return status;
    search.now_ms = driver_wall_ms(t->driver);
    struct hanging h = {.now_ms = search.now_ms};
    struct admin_result r;
    ROWS_INIT(&h.rows, hanging_columns);
    status = ended(t, admin_txns_find_hanging(t->driver, &search, add_hanging, &h, &r), &r,
                   "looking for transactions that hang");
    if (status == EXIT_OK)
        rows_write(&h.rows, &t->out.buf, wants_json(t, HANGING_OUTPUT));
    rows_release(&h.rows);
    return status;
}

const struct command command_txn_find_hanging = {
    .name = "txn find-hanging",
    .arguments = "",
    .summary = "Find transactions that no coordinator will end.",
    .text = "They hold back readers of committed records and compaction; txn abort ends them.\n"
            "\n"
            "Example:\n"
            "  chitin txn find-hanging --topic orders",
    COMMAND_FLAGS(hanging_flags),
    .run = hanging_run,
};

// ---- abort ----

enum { ABORT_BOOTSTRAP, ABORT_OFFSET };

static const struct flag_def abort_flags[] = {
    [ABORT_BOOTSTRAP] = COMMON_BOOTSTRAP,
    [ABORT_OFFSET] = {.names = "--start-offset", .argument = "N", .kind = FLAG_I64, .min = 0,
                      .max = INT64_MAX, .help = "Where the transaction begins in this partition."},
};

static int abort_run(struct tool *t)
{
    struct str topic;
    int32_t partition = 0;
    struct txn_producers producers = {0};
    struct txn_spec spec;
    struct admin_result r;
    int status = partition_of(t, &topic, &partition);
    if (status == EXIT_OK && !flags_given(&t->flags, ABORT_OFFSET))
        status = tool_usage(t, "--start-offset says which transaction; see chitin txn producers");
    if (status == EXIT_OK)
        status = tool_connect(t, flags_text(&t->flags, ABORT_BOOTSTRAP));
    if (status != EXIT_OK)
        return status;
    int64_t offset = flags_number(&t->flags, ABORT_OFFSET);
    status = ended(t, admin_producers_describe(t->driver, topic, partition, -1, &producers, &r), &r,
                   t->flags.args[0]);
    if (status == EXIT_OK && !txn_spec_of(&producers, topic, partition, offset, &spec))
        status = tool_fail(t, EXIT_NOT_FOUND, "no open transaction begins at offset %" PRId64 " of %s-%d",
                           offset, t->flags.args[0], partition);
    if (status == EXIT_OK)
        status = ended(t, admin_txn_abort(t->driver, &spec, &r), &r, t->flags.args[0]);
    admin_producers_release(&producers);
    return status;
}

const struct command command_txn_abort = {
    .name = "txn abort",
    .arguments = "TOPIC PARTITION",
    .summary = "Abort a transaction that hangs in one partition.",
    .text = "Past its coordinator: for what txn find-hanging finds. To abort a transaction whose\n"
            "coordinator knows it, see txn terminate.\n"
            "\n"
            "Example:\n"
            "  chitin txn abort orders 0 --start-offset 4711",
    COMMAND_FLAGS(abort_flags),
    .arg_min = 2,
    .arg_max = 2,
    .run = abort_run,
};

// ---- terminate ----

enum { TERMINATE_BOOTSTRAP };

static const struct flag_def terminate_flags[] = {
    [TERMINATE_BOOTSTRAP] = COMMON_BOOTSTRAP,
};

static int terminate_run(struct tool *t)
{
    struct admin_result r;
    int status = tool_connect(t, flags_text(&t->flags, TERMINATE_BOOTSTRAP));
    if (status != EXIT_OK)
        return status;
    return ended(t, admin_txn_terminate(t->driver, str_from(t->flags.args[0]), &r), &r,
                 t->flags.args[0]);
}

const struct command command_txn_terminate = {
    .name = "txn terminate",
    .arguments = "ID",
    .summary = "Abort the transaction of a transactional id and fence its producer.",
    .text = "Example:\n"
            "  chitin txn terminate payments-1",
    COMMAND_FLAGS(terminate_flags),
    .arg_min = 1,
    .arg_max = 1,
    .run = terminate_run,
};
