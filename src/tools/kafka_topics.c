// SPDX-License-Identifier: Apache-2.0
//
// kafka-topics: Kafka's TopicCommand. What it prints on standard output is FROZEN: scripts parse it.
// (Kafka prints errors of an action there too.)
#include <string.h>

#include "base/mem.h"
#include "tools/commands.h"
#include "tools/configs.h"
#include "tools/kafka.h"
#include "wire/errors.h"

enum {
    BOOTSTRAP,
    COMMAND_CONFIG,
    ZOOKEEPER,
    VERSION,
    LIST,
    CREATE,
    DELETE,
    ALTER,
    DESCRIBE,
    TOPIC,
    TOPIC_ID,
    CONFIG,
    DELETE_CONFIG,
    PARTITIONS,
    REPLICATION_FACTOR,
    REPLICA_ASSIGNMENT,
    UNDER_REPLICATED,
    UNAVAILABLE,
    UNDER_MIN_ISR,
    AT_MIN_ISR,
    OVERRIDES,
    IF_EXISTS,
    IF_NOT_EXISTS,
    EXCLUDE_INTERNAL,
    PAGE_SIZE,
    FORCE,
    DISABLE_RACK_AWARE,
};

static const struct flag_def topics_flags[] = {
    [BOOTSTRAP] = KAFKA_BOOTSTRAP,
    [COMMAND_CONFIG] = KAFKA_COMMAND_CONFIG,
    [ZOOKEEPER] = KAFKA_ZOOKEEPER,
    [VERSION] = KAFKA_VERSION_FLAG,
    [LIST] = {.names = "--list", .kind = FLAG_BOOL, .help = "List topics."},
    [CREATE] = {.names = "--create", .kind = FLAG_BOOL, .help = "Create a topic."},
    [DELETE] = {.names = "--delete", .kind = FLAG_BOOL, .help = "Delete topics."},
    [ALTER] = {.names = "--alter", .kind = FLAG_BOOL, .help = "Raise the number of partitions."},
    [DESCRIBE] = {.names = "--describe", .kind = FLAG_BOOL, .help = "Describe topics."},
    [TOPIC] = {.names = "--topic", .argument = "TOPIC", .kind = FLAG_TEXT,
               .help = "The topic; a regular expression, except with --create."},
    [TOPIC_ID] = {.names = "--topic-id", .argument = "ID", .kind = FLAG_TEXT,
                  .help = "The id of the topic to describe."},
    [CONFIG] = {.names = "--config", .argument = "KEY=VALUE", .kind = FLAG_LIST,
                .help = "A configuration of the topic to create; repeatable."},
    [DELETE_CONFIG] = {.names = "--delete-config", .argument = "KEY", .kind = FLAG_LIST,
                       .help = "No longer supported; use kafka-configs."},
    [PARTITIONS] = {.names = "--partitions", .argument = "N", .kind = FLAG_I32,
                    .help = "Number of partitions. [default: the cluster's]"},
    [REPLICATION_FACTOR] = {.names = "--replication-factor", .argument = "N", .kind = FLAG_I32,
                            .help = "Copies of each partition. [default: the cluster's]"},
    [REPLICA_ASSIGNMENT] = {.names = "--replica-assignment", .argument = "0:1,1:2",
                            .kind = FLAG_TEXT, .help = "Brokers by partition."},
    [UNDER_REPLICATED] = {.names = "--under-replicated-partitions", .kind = FLAG_BOOL,
                          .help = "Describe only partitions with fewer in-sync replicas than "
                                  "replicas."},
    [UNAVAILABLE] = {.names = "--unavailable-partitions", .kind = FLAG_BOOL,
                     .help = "Describe only partitions without a live leader."},
    [UNDER_MIN_ISR] = {.names = "--under-min-isr-partitions", .kind = FLAG_BOOL,
                       .help = "Describe only partitions with fewer in-sync replicas than "
                               "min.insync.replicas."},
    [AT_MIN_ISR] = {.names = "--at-min-isr-partitions", .kind = FLAG_BOOL,
                    .help = "Describe only partitions with exactly min.insync.replicas in sync."},
    [OVERRIDES] = {.names = "--topics-with-overrides", .kind = FLAG_BOOL,
                   .help = "Describe only topics with configurations of their own."},
    [IF_EXISTS] = {.names = "--if-exists", .kind = FLAG_BOOL,
                   .help = "Nothing happens if the topic is not there."},
    [IF_NOT_EXISTS] = {.names = "--if-not-exists", .kind = FLAG_BOOL,
                       .help = "Nothing happens if the topic is there."},
    [EXCLUDE_INTERNAL] = {.names = "--exclude-internal", .kind = FLAG_BOOL,
                          .help = "Leave internal topics out."},
    [PAGE_SIZE] = {.names = "--partition-size-limit-per-response", .argument = "N",
                   .kind = FLAG_I32, .min = 1, .max = INT32_MAX,
                   .help = "Partitions per answer when describing."},
    [FORCE] = {.names = "--force", .kind = FLAG_BOOL, .help = NULL},
    [DISABLE_RACK_AWARE] = {.names = "--disable-rack-aware", .kind = FLAG_BOOL, .help = NULL},
};

// What went wrong while an action was carried out.
__attribute__((format(printf, 2, 3))) static int action_failed(struct tool *t, const char *format,
                                                               ...)
{
    va_list args;
    va_start(args, format);
    buf_append_text(&t->out.buf, "Error while executing topic command : ");
    buf_vprintf(&t->out.buf, format, args);
    buf_append_u8(&t->out.buf, '\n');
    va_end(args);
    return EXIT_FAILED;
}

static int result_failed(struct tool *t, const struct admin_result *r)
{
    return action_failed(t, "%s", r->message[0] != '\0' ? r->message : java_message(r->code));
}

// --- Which topics ---

// Kafka's topic filter: commas mean "or", quotes around it do not count.
static struct pattern *topic_filter(const char *text, struct diag *diag)
{
    struct str s = str_trim(str_from(text));
    while (s.size > 0 && (s.data[0] == '"' || s.data[0] == '\''))
        s = str_of(s.data + 1, s.size - 1);
    while (s.size > 0 && (s.data[s.size - 1] == '"' || s.data[s.size - 1] == '\''))
        s.size--;
    char *copy = mem_copy_str(s);
    for (char *c = copy; *c != '\0'; c++)
        if (*c == ',')
            *c = '|';
    struct pattern *p = pattern_new(copy, diag);
    mem_free(copy);
    return p;
}

// The topics that --topic and --exclude-internal leave of all.
static int select_topics(struct tool *t, struct admin_topics *all, struct str **names, int *count)
{
    const struct flags *f = &t->flags;
    struct diag diag;
    struct pattern *filter = NULL;
    *names = NULL;
    *count = 0;
    *all = (struct admin_topics){0};
    if (flags_given(f, TOPIC)) {
        filter = topic_filter(flags_text(f, TOPIC), &diag);
        if (filter == NULL)
            return action_failed(t, "%s", diag.text);
    }
    int err = admin_topics_list(t->driver, all);
    if (err < 0) {
        pattern_free(filter);
        return tool_fail_call(t, err);
    }
    *names = mem_alloc_array((size_t)all->count + 1, sizeof **names);
    for (int i = 0; i < all->count; i++) {
        const struct admin_topic *topic = &all->items[i];
        bool hidden = topic->internal && flags_given(f, EXCLUDE_INTERNAL);
        if (!hidden && (filter == NULL || pattern_matches(filter, topic->name)))
            (*names)[(*count)++] = topic->name;
    }
    pattern_free(filter);
    return EXIT_OK;
}

// With --topic there has to be one, unless --if-exists.
static int require_topics(struct tool *t, int count)
{
    const struct flags *f = &t->flags;
    if (count > 0 || !flags_given(f, TOPIC) || flags_given(f, IF_EXISTS))
        return EXIT_OK;
    return action_failed(t, "Topic '%s' does not exist as expected", flags_text(f, TOPIC));
}

// --- Actions ---

static int run_list(struct tool *t)
{
    struct admin_topics all;
    struct str *names;
    int count, status = select_topics(t, &all, &names, &count);
    for (int i = 0; i < count; i++) {
        buf_append_str(&t->out.buf, names[i]);
        if (i + 1 < count)
            buf_append_u8(&t->out.buf, '\n');
    }
    if (status == EXIT_OK)
        buf_append_u8(&t->out.buf, '\n');
    mem_free(names);
    admin_topics_release(&all);
    return status;
}

static bool has_duplicates(const struct wire_int32_array *ids, int32_t *which)
{
    for (int i = 0; i < ids->count; i++)
        for (int k = 0; k < i; k++)
            if (ids->items[i] == ids->items[k]) {
                *which = ids->items[i];
                return true;
            }
    return false;
}

static int read_assignment(struct tool *t, struct wire_int32_array **out, int *count)
{
    struct diag diag;
    int32_t twice;
    *out = NULL;
    *count = 0;
    if (!flags_given(&t->flags, REPLICA_ASSIGNMENT))
        return EXIT_OK;
    if (assignment_parse(flags_text(&t->flags, REPLICA_ASSIGNMENT), out, count, &diag) < 0)
        return action_failed(t, "%s", diag.text);
    for (int i = 0; i < *count; i++) {
        if (has_duplicates(&(*out)[i], &twice))
            return action_failed(t, "Partition replica lists may not contain duplicate entries: %d",
                                 twice);
        if ((*out)[i].count != (*out)[0].count)
            return action_failed(t, "Partition %d has different replication factor: [%s]", i,
                                 flags_text(&t->flags, REPLICA_ASSIGNMENT));
    }
    return EXIT_OK;
}

static int read_configs(struct tool *t, struct admin_config *configs)
{
    const struct flag_value *v = &t->flags.values[CONFIG];
    for (int i = 0; i < v->count; i++)
        if (!config_parse(v->list[i], &configs[i]))
            return action_failed(t, "requirement failed: Invalid topic config: all configs to be "
                                    "added must be in the format \"key=val\".");
    return EXIT_OK;
}

static int create_topic(struct tool *t, struct admin_new_topic *topic)
{
    const struct flags *f = &t->flags;
    if (memchr(topic->name.data, '.', topic->name.size) != NULL ||
        memchr(topic->name.data, '_', topic->name.size) != NULL)
        buf_append_text(&t->out.buf,
                        "WARNING: Due to limitations in metric names, topics with a period ('.') or "
                        "underscore ('_') could collide. To avoid issues it is best to use either, "
                        "but not both.\n");
    struct admin_result r;
    int err = admin_topic_create(t->driver, topic, &r);
    if (err < 0)
        return tool_fail_call(t, err);
    if (r.code == KAFKA_TOPIC_ALREADY_EXISTS && flags_given(f, IF_NOT_EXISTS))
        return EXIT_OK;
    if (r.code != 0)
        return result_failed(t, &r);
    buf_printf(&t->out.buf, "Created topic %.*s.\n", STR_ARG(topic->name));
    return EXIT_OK;
}

static int run_create(struct tool *t)
{
    const struct flags *f = &t->flags;
    struct admin_config *configs =
        mem_alloc_array((size_t)f->values[CONFIG].count + 1, sizeof *configs);
    struct wire_int32_array *assignment;
    int assignment_count;
    struct admin_new_topic topic = {
        .name = str_from(flags_text(f, TOPIC)),
        .partition_count = flags_given(f, PARTITIONS) ? (int32_t)flags_number(f, PARTITIONS) : -1,
        .replication_factor =
            flags_given(f, REPLICATION_FACTOR) ? (int16_t)flags_number(f, REPLICATION_FACTOR) : -1,
        .configs = configs,
        .config_count = f->values[CONFIG].count,
    };
    int status = read_assignment(t, &assignment, &assignment_count);
    topic.assignment = assignment;
    topic.assignment_count = assignment_count;
    if (status == EXIT_OK)
        status = read_configs(t, configs);
    if (status == EXIT_OK)
        status = create_topic(t, &topic);
    assignment_free(assignment, assignment_count);
    mem_free(configs);
    return status;
}

static int run_alter(struct tool *t)
{
    struct admin_topics all;
    struct str *names;
    struct wire_int32_array *assignment = NULL;
    int count, assignment_count = 0;
    int status = select_topics(t, &all, &names, &count);
    if (status == EXIT_OK)
        status = require_topics(t, count);
    if (status == EXIT_OK)
        status = read_assignment(t, &assignment, &assignment_count);
    for (int i = 0; i < count && status == EXIT_OK; i++) {
        // The assignment names all partitions; the request wants those of the new ones.
        int have = admin_topics_find(&all, names[i])->partition_count;
        bool assigned = assignment != NULL && assignment_count > have;
        struct admin_result r;
        int err = admin_topic_grow(t->driver, names[i], (int32_t)flags_number(&t->flags, PARTITIONS),
                                   assigned ? assignment + have : NULL,
                                   assigned ? assignment_count - have : 0, &r);
        if (err < 0)
            status = tool_fail_call(t, err);
        else if (r.code != 0)
            status = result_failed(t, &r);
    }
    assignment_free(assignment, assignment_count);
    mem_free(names);
    admin_topics_release(&all);
    return status;
}

static int run_delete(struct tool *t)
{
    struct admin_topics all;
    struct str *names;
    int count, status = select_topics(t, &all, &names, &count);
    if (status == EXIT_OK)
        status = require_topics(t, count);
    for (int i = 0; i < count && status == EXIT_OK; i++) {
        struct admin_result r;
        int err = admin_topic_delete(t->driver, names[i], &r);
        if (err < 0)
            status = tool_fail_call(t, err);
        else if (r.code != 0)
            status = result_failed(t, &r);
    }
    mem_free(names);
    admin_topics_release(&all);
    return status;
}

// --- Describe ---

// Own configurations in the order in which Kafka's tool has them; the caller frees the list.
static struct config_entry *own_configs(const struct admin_topic *topic, int *count)
{
    int all = topic->configs != NULL ? topic->configs->configs.count : 0;
    struct config_entry *entries = all > 0 ? configs_list(topic->configs) : NULL;
    struct config_entry *own = mem_alloc_array((size_t)all + 1, sizeof *own);
    struct str *names = mem_alloc_array((size_t)all + 1, sizeof *names);
    int *order = mem_alloc_array((size_t)all + 1, sizeof *order);
    for (int i = 0; i < all; i++)
        names[i] = entries[i].name;
    java_order(names, all, java_capacity_grown(all), order);
    *count = 0;
    for (int i = 0; i < all; i++)
        if (entries[order[i]].source != SOURCE_DEFAULT)
            own[(*count)++] = entries[order[i]];
    mem_free(entries);
    mem_free(names);
    mem_free(order);
    return own;
}

static void print_topic(struct buf *out, const struct admin_topic *topic,
                        const struct config_entry *configs, int config_count)
{
    buf_printf(out, "Topic: %.*s\t", STR_ARG(topic->name));
    if (!uuid_is_zero(topic->id))
        buf_printf(out, "TopicId: %s\t", uuid_format(topic->id).text);
    buf_printf(out, "PartitionCount: %d\tReplicationFactor: %d\tConfigs: ", topic->partition_count,
               topic->partition_count > 0 ? topic->partitions[0].replicas.count : 0);
    for (int i = 0; i < config_count; i++)
        buf_printf(out, "%s%.*s=%.*s", i > 0 ? "," : "", STR_ARG(configs[i].name),
                   STR_ARG(configs[i].value));
    buf_append_u8(out, '\n');
}

static void print_ids(struct buf *out, const struct wire_int32_array *ids)
{
    for (int i = 0; i < ids->count; i++)
        buf_printf(out, i > 0 ? ",%d" : "%d", ids->items[i]);
}

static void print_elr(struct buf *out, const char *name, const struct wire_int32_array *ids)
{
    buf_printf(out, "\t%s: ", name);
    if (ids->count < 0)
        buf_append_text(out, "N/A");
    print_ids(out, ids);
}

static void print_partition(struct buf *out, const struct admin_topic *topic,
                            const struct admin_partition *p)
{
    buf_printf(out, "\tTopic: %.*s\tPartition: %d\tLeader: ", STR_ARG(topic->name), p->index);
    if (p->leader >= 0)
        buf_printf(out, "%d", p->leader);
    else
        buf_append_text(out, "none");
    buf_append_text(out, "\tReplicas: ");
    print_ids(out, &p->replicas);
    buf_append_text(out, "\tIsr: ");
    print_ids(out, &p->isr);
    print_elr(out, "Elr", &p->elr);
    print_elr(out, "LastKnownElr", &p->last_known_elr);
    buf_append_u8(out, '\n');
}

static int64_t min_isr_of(const struct admin_topic *topic)
{
    int64_t min_isr = 1;
    for (int i = 0; topic->configs != NULL && i < topic->configs->configs.count; i++)
        if (str_is(topic->configs->configs.items[i].name, "min.insync.replicas"))
            str_parse_i64(topic->configs->configs.items[i].value, &min_isr);
    return min_isr;
}

static bool any_filter(const struct flags *f)
{
    return flags_given(f, UNDER_REPLICATED) || flags_given(f, UNAVAILABLE) ||
           flags_given(f, UNDER_MIN_ISR) || flags_given(f, AT_MIN_ISR);
}

// Without filters everything is shown; each filter picks partitions.
static bool partition_is_shown(const struct flags *f, const struct admin_partition *p,
                               int64_t min_isr, bool leader_lives)
{
    return !any_filter(f) ||
           (flags_given(f, UNDER_REPLICATED) && p->isr.count < p->replicas.count) ||
           (flags_given(f, UNAVAILABLE) && !leader_lives) ||
           (flags_given(f, UNDER_MIN_ISR) && p->isr.count < min_isr) ||
           (flags_given(f, AT_MIN_ISR) && p->isr.count == min_isr);
}

static void describe_topic(struct tool *t, const struct admin_topic *topic)
{
    const struct flags *f = &t->flags;
    int config_count;
    struct config_entry *configs = own_configs(topic, &config_count);
    int64_t min_isr = min_isr_of(topic);
    bool overrides = flags_given(f, OVERRIDES);
    if (!any_filter(f) && (!overrides || config_count > 0))
        print_topic(&t->out.buf, topic, configs, config_count);
    for (int i = 0; i < topic->partition_count && !overrides; i++) {
        const struct admin_partition *p = &topic->partitions[i];
        if (partition_is_shown(f, p, min_isr, p->leader >= 0))
            print_partition(&t->out.buf, topic, p);
    }
    mem_free(configs);
}

static int describe_names(struct tool *t, const struct str *names, int count)
{
    struct admin_topics topics;
    int32_t page = flags_given(&t->flags, PAGE_SIZE) ? (int32_t)flags_number(&t->flags, PAGE_SIZE) : 0;
    int err = admin_topics_describe(t->driver, names, count, true, page, &topics);
    if (err < 0)
        return tool_fail_call(t, err);
    struct str *sorted = mem_alloc_array((size_t)topics.count + 1, sizeof *sorted);
    int *order = mem_alloc_array((size_t)topics.count + 1, sizeof *order);
    for (int i = 0; i < topics.count; i++)
        sorted[i] = topics.items[i].name;
    java_order(sorted, topics.count, java_capacity_sized(topics.count), order);
    for (int i = 0; i < topics.count; i++)
        if (topics.items[order[i]].error == 0)
            describe_topic(t, &topics.items[order[i]]);
    mem_free(sorted);
    mem_free(order);
    admin_topics_release(&topics);
    return EXIT_OK;
}

static int run_describe_id(struct tool *t)
{
    const char *text = flags_text(&t->flags, TOPIC_ID);
    struct uuid id;
    if (!uuid_parse(str_from(text), &id))
        return action_failed(t, "Input string `%s` decoded as %zu bytes, which is not equal to the "
                                "expected 16 bytes of a base64-encoded UUID",
                             text, strlen(text) * 3 / 4);
    struct admin_topics all;
    int err = admin_topics_list(t->driver, &all);
    if (err < 0)
        return tool_fail_call(t, err);
    int status = EXIT_OK;
    const struct admin_topic *found = NULL;
    for (int i = 0; i < all.count; i++)
        if (uuid_equal(all.items[i].id, id))
            found = &all.items[i];
    if (found != NULL)
        status = describe_names(t, &found->name, 1);
    else if (!flags_given(&t->flags, IF_EXISTS))
        status = action_failed(t, "TopicId '%s' does not exist as expected", text);
    admin_topics_release(&all);
    return status;
}

static int run_describe(struct tool *t)
{
    if (flags_given(&t->flags, TOPIC_ID))
        return run_describe_id(t);
    struct admin_topics all;
    struct str *names;
    int count, status = select_topics(t, &all, &names, &count);
    if (status == EXIT_OK)
        status = require_topics(t, count);
    if (status == EXIT_OK)
        status = describe_names(t, names, count);
    mem_free(names);
    admin_topics_release(&all);
    return status;
}

// --- The command line ---

// Flags that go with some actions only.
static int check_use(struct tool *t, int flag, bool allowed)
{
    if (!flags_given(&t->flags, flag) || allowed)
        return EXIT_OK;
    const struct flags *f = &t->flags;
    static const int actions[] = {LIST, CREATE, DELETE, ALTER, DESCRIBE};
    struct str name = flag_long_name(&f->defs[flag]), action = {0};
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
        if (flags_given(f, actions[i]))
            action = flag_long_name(&f->defs[actions[i]]);
    return tool_usage(t, "Option \"[%.*s]\" can't be used with option \"[%.*s]\"",
                      (int)name.size - 2, name.data + 2, (int)action.size - 2, action.data + 2);
}

static int check_flags(struct tool *t)
{
    const struct flags *f = &t->flags;
    bool create = flags_given(f, CREATE), alter = flags_given(f, ALTER);
    bool describe = flags_given(f, DESCRIBE), delete = flags_given(f, DELETE);
    const struct {
        int flag;
        bool allowed;
    } uses[] = {
        {CONFIG, create},
        {PARTITIONS, create || alter},
        {REPLICATION_FACTOR, create},
        {REPLICA_ASSIGNMENT, create || alter},
        {UNDER_REPLICATED, describe},
        {UNAVAILABLE, describe},
        {UNDER_MIN_ISR, describe},
        {AT_MIN_ISR, describe},
        {OVERRIDES, describe},
        {IF_EXISTS, alter || delete || describe},
        {IF_NOT_EXISTS, create},
        {TOPIC_ID, describe},
    };
    for (size_t i = 0; i < sizeof uses / sizeof *uses; i++) {
        int status = check_use(t, uses[i].flag, uses[i].allowed);
        if (status != EXIT_OK)
            return status;
    }
    if (create && flags_given(f, REPLICA_ASSIGNMENT) &&
        (flags_given(f, PARTITIONS) || flags_given(f, REPLICATION_FACTOR)))
        return tool_usage(t, "Option \"[replica-assignment]\" can't be used with option \"[%s]\"",
                          flags_given(f, PARTITIONS) ? "partitions" : "replication-factor");
    if (flags_given(f, DELETE_CONFIG))
        return tool_usage(t, "--delete-config is no longer supported: use kafka-configs --alter "
                             "--delete-config");
    if ((create || alter || delete) && !flags_given(f, TOPIC))
        return tool_usage(t, "Missing required argument \"[topic]\"");
    if (alter && !flags_given(f, PARTITIONS))
        return tool_usage(t, "Missing required argument \"[partitions]\"");
    if (flags_given(f, PARTITIONS) && flags_number(f, PARTITIONS) <= 0)
        return action_failed(t, "The partitions must be greater than 0");
    if (flags_given(f, REPLICATION_FACTOR) &&
        (flags_number(f, REPLICATION_FACTOR) < 1 || flags_number(f, REPLICATION_FACTOR) > INT16_MAX))
        return action_failed(t, "The replication factor must be between 1 and 32767 inclusive");
    return EXIT_OK;
}

static int topics_run(struct tool *t)
{
    const struct flags *f = &t->flags;
    if (kafka_version(t, VERSION))
        return EXIT_OK;
    int actions = flags_given(f, LIST) + flags_given(f, CREATE) + flags_given(f, DELETE) +
                  flags_given(f, ALTER) + flags_given(f, DESCRIBE);
    if (actions != 1)
        return tool_usage(t, "Command must include exactly one action: --list, --describe, --create, "
                             "--alter or --delete");
    int status = check_flags(t);
    if (status == EXIT_OK)
        status = kafka_connect_flags(t, BOOTSTRAP, COMMAND_CONFIG, ZOOKEEPER);
    if (status != EXIT_OK)
        return status;
    if (flags_given(f, LIST))
        return run_list(t);
    if (flags_given(f, CREATE))
        return run_create(t);
    if (flags_given(f, DELETE))
        return run_delete(t);
    return flags_given(f, ALTER) ? run_alter(t) : run_describe(t);
}

const struct command alias_topics = {
    .name = "kafka-topics",
    .arguments = "",
    .summary = "Create, delete, describe, or change a topic.",
    .text = "Examples:\n"
            "  kafka-topics --bootstrap-server localhost:9092 --create --topic test --partitions 3\n"
            "  kafka-topics --bootstrap-server localhost:9092 --describe --topic test\n"
            "\n'chitin topic --help' has the same with fewer letters.",
    COMMAND_FLAGS(topics_flags),
    .mode = FLAGS_ABBREVIATED,
    .run = topics_run,
};
