// SPDX-License-Identifier: Apache-2.0
//
// kafka-consumer-groups --reset-offsets: a plan of where groups are to go on, shown or exported, and
// with --execute committed.
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "client/topology.h"
#include "tools/group_seek.h"
#include "tools/kafka_consumer_groups.h"
#include "wire/errors.h"

enum { FILE_BYTES_MAX = 64 << 20, QUOTE_FROM_SIZE = 25, PLAIN_FROM = '-' };

struct reset_plan {
    struct str group;
    struct admin_offsets items;
};

struct reset {
    struct tool *tool;
    struct seek_target target;
    struct buf file;
    struct reset_plan *file_plans; // of --from-file
    int file_plan_count;
    struct group_list streams;
    struct reset_plan *plans; // what is shown
    int plan_count;
    bool ended; // something was said that ends the command
};

// As Kafka's tool ends: with what went wrong, and status 0.
static int ended(struct reset *r, int status)
{
    r->ended = true;
    return status;
}

// ---- Times ----

static bool take_part(struct str *rest, int64_t *value, char *unit)
{
    size_t i = 0;
    while (i < rest->size && strchr("0123456789+-.,", rest->data[i]) != NULL)
        i++;
    if (i == 0 || i == rest->size)
        return false;
    struct str number = str_of(rest->data, i), whole = str_cut(&number, '.');
    *unit = rest->data[i] & ~0x20; // in upper case
    *rest = str_of(rest->data + i + 1, rest->size - i - 1);
    int64_t scale = 1000, fraction = 0;
    if (number.data != NULL && (*unit != 'S' || number.size > 9))
        return false;
    for (size_t k = 0; k < number.size && k < 3; k++) {
        scale /= 10;
        if (number.data[k] < '0' || number.data[k] > '9')
            return false;
        fraction += (number.data[k] - '0') * scale;
    }
    if (!str_parse_i64(whole.data[0] == '+' ? str_of(whole.data + 1, whole.size - 1) : whole, value))
        return false;
    if (__builtin_mul_overflow(*value, 1000, value))
        return false;
    *value += whole.data[0] == '-' ? -fraction : fraction;
    return true;
}

// "P1DT2H3M4.5S" (ISO 8601, as java.time.Duration has it) in milliseconds.
static bool iso_duration_parse(struct str text, int64_t *ms)
{
    static const char units[] = "DHMS"; // in this order
    static const int64_t seconds[] = {86400, 3600, 60, 1};
    int64_t sign = 1, total = 0;
    const char *next = units;
    if (text.size > 0 && (text.data[0] == '-' || text.data[0] == '+')) {
        sign = text.data[0] == '-' ? -1 : 1;
        text = str_of(text.data + 1, text.size - 1);
    }
    if (text.size < 3 || (text.data[0] & ~0x20) != 'P')
        return false;
    text = str_of(text.data + 1, text.size - 1);
    for (bool in_time = false; text.size > 0;) {
        if (!in_time && (text.data[0] & ~0x20) == 'T') {
            in_time = true;
            text = str_of(text.data + 1, text.size - 1);
            if (text.size == 0)
                return false;
        }
        int64_t part;
        char unit;
        if (!take_part(&text, &part, &unit))
            return false;
        const char *at = strchr(next, unit);
        if (at == NULL || unit == '\0' || in_time == (unit == 'D') ||
            __builtin_mul_overflow(part, seconds[at - units], &part) ||
            __builtin_add_overflow(total, part, &total))
            return false;
        next = at + 1;
    }
    *ms = sign * total;
    return true;
}

static int find_time(struct reset *r)
{
    struct tool *t = r->tool;
    const char *text = flags_text(&t->flags, CG_TO_DATETIME);
    if (text != NULL && strchr(text, 'T') == NULL) {
        consumer_groups_error(t, "Executing consumer group command failed due to "
                                 "java.text.ParseException: Error parsing timestamp. It does not "
                                 "contain a 'T' according to ISO8601 format");
        return ended(r, EXIT_OK);
    }
    if (text != NULL && !time_parse(str_from(text), &r->target.value)) {
        consumer_groups_error(t,
                              "Executing consumer group command failed due to "
                              "java.text.ParseException: Unparseable date: \"%s\"",
                              text);
        return ended(r, EXIT_OK);
    }
    int64_t ago = 0;
    if (text == NULL && !iso_duration_parse(str_from(flags_text(&t->flags, CG_BY_DURATION)), &ago)) {
        consumer_groups_error(t, "Executing consumer group command failed due to Text cannot be "
                                 "parsed to a Duration");
        return ended(r, EXIT_OK);
    }
    if (text == NULL)
        r->target.value = driver_wall_ms(t->driver) - ago;
    return EXIT_OK;
}

// ---- The file ----

static struct reset_plan *plan_add(struct reset_plan **plans, int *count, struct str group)
{
    *plans = mem_resize(*plans, (size_t)(*count + 1) * sizeof **plans);
    (*plans)[*count] = (struct reset_plan){.group = group};
    return &(*plans)[(*count)++];
}

static struct reset_plan *plan_find(struct reset_plan *plans, int count, struct str group)
{
    for (int i = 0; i < count; i++)
        if (str_equal(plans[i].group, group))
            return &plans[i];
    return NULL;
}

// The next field of a line of CSV, without its quotes.
static struct str take_field(struct str *rest)
{
    if (rest->size == 0 || rest->data[0] != '"')
        return str_trim(str_cut(rest, ','));
    *rest = str_of(rest->data + 1, rest->size - 1);
    struct str field = str_cut(rest, '"');
    if (rest->size > 0 && rest->data[0] == ',')
        *rest = str_of(rest->data + 1, rest->size - 1);
    else
        *rest = (struct str){0};
    return field;
}

static bool take_numbers(struct str *rest, int32_t *partition, int64_t *offset)
{
    return str_parse_i32(take_field(rest), partition) && str_parse_i64(take_field(rest), offset) &&
           rest->size == 0;
}

// Reads [group,]topic,partition,offset.
static bool read_line(struct reset *r, struct str line, bool with_group, struct str only_group)
{
    int32_t partition;
    int64_t offset;
    struct str rest = str_trim(line);
    struct str group = with_group ? take_field(&rest) : only_group;
    struct str topic = take_field(&rest);
    if (group.size == 0 || topic.size == 0 || !take_numbers(&rest, &partition, &offset))
        return false;
    struct reset_plan *plan = plan_find(r->file_plans, r->file_plan_count, group);
    if (plan == NULL)
        plan = plan_add(&r->file_plans, &r->file_plan_count, group);
    admin_offsets_add(&plan->items, topic, partition)->offset = offset;
    return true;
}

static int read_file(struct reset *r, const struct group_ids *ids)
{
    struct tool *t = r->tool;
    const char *path = flags_text(&t->flags, CG_FROM_FILE);
    int err = read_whole_file(t, path, FILE_BYTES_MAX, &r->file);
    if (err < 0)
        return ended(r, tool_fail(t, EXIT_FAILED, "%s: %s", path, err_text(err)));
    struct str rest = buf_str(&r->file);
    bool with_group = false;
    for (int number = 1; rest.size > 0; number++) {
        struct str line = str_cut(&rest, '\n');
        if (str_trim(line).size == 0)
            continue;
        // The first line tells which of the two shapes the file has.
        if (number == 1)
            with_group = ids->count != 1 || !read_line(r, line, false, ids->items[0]);
        if ((number > 1 || with_group) &&
            !read_line(r, line, with_group, with_group ? (struct str){0} : ids->items[0]))
            return ended(r, tool_fail(t, EXIT_FAILED, "%s:%d: \"%.*s\" is not %sTOPIC,PARTITION,OFFSET",
                                      path, number, STR_ARG(line), with_group ? "GROUP," : ""));
    }
    return EXIT_OK;
}

// ---- The scope ----

static bool is_known(const struct topology *topology, struct str topic, int32_t partition)
{
    const struct topology_topic *known = topology_topic(topology, topic);
    return known != NULL && known->error == KAFKA_NONE && partition >= 0 &&
           partition < known->partition_count;
}

static int unknown_topic(struct reset *r, bool wrapped)
{
    consumer_groups_error(r->tool, "Executing consumer group command failed due to %s%s",
                          wrapped ? "java.util.concurrent.ExecutionException: "
                                    "org.apache.kafka.common.errors."
                                    "UnknownTopicOrPartitionException: "
                                  : "",
                          java_message(KAFKA_UNKNOWN_TOPIC_OR_PARTITION));
    return ended(r, EXIT_OK);
}

static int choose_one(struct reset *r, const char *text, struct admin_offsets *out)
{
    struct str ids = str_from(text), topic = str_cut(&ids, ':');
    struct wire_int32_array numbers = {0};
    const struct topology_topic *known =
        topology_topic(client_topology(driver_client(r->tool->driver)), topic);
    if (ids.data != NULL && ids_parse(ids, ',', &numbers) < 0)
        return ended(r, tool_usage(r->tool, "Invalid partition '%.*s' specified in topic arg '%s''",
                                   STR_ARG(ids), text));
    for (int32_t i = 0; i < numbers.count; i++)
        admin_offsets_add(out, topic, numbers.items[i]);
    mem_free(numbers.items);
    if (known == NULL || known->error != KAFKA_NONE)
        return unknown_topic(r, ids.data != NULL);
    for (int i = 0; ids.data == NULL && i < known->partition_count; i++)
        admin_offsets_add(out, topic, i);
    return EXIT_OK;
}

static int check_known(struct reset *r, const struct admin_offsets *items)
{
    const struct topology *topology = client_topology(driver_client(r->tool->driver));
    struct buf missing;
    buf_init(&missing, 1 << 20);
    for (int i = 0; i < items->count; i++) {
        const struct admin_offset *item = &items->items[i];
        if (!is_known(topology, item->topic, item->partition))
            buf_printf(&missing, "%s%.*s-%d", missing.size > 0 ? "," : "", STR_ARG(item->topic),
                       item->partition);
    }
    int status = EXIT_OK;
    if (missing.size > 0) {
        consumer_groups_error(r->tool,
                              "Executing consumer group command failed due to The partitions "
                              "\"%.*s\" do not exist",
                              STR_ARG(buf_str(&missing)));
        status = ended(r, EXIT_OK);
    }
    buf_release(&missing);
    return status;
}

// What is to be reset, in order, each partition once.
static int choose(struct reset *r, const struct admin_offsets *committed,
                  const struct admin_offsets *given, struct admin_offsets *out)
{
    const struct flag_value *topics = &r->tool->flags.values[CG_TOPIC];
    const struct admin_offsets *from = given != NULL ? given : committed;
    int status = EXIT_OK;
    bool by_name = given == NULL && !flags_given(&r->tool->flags, CG_ALL_TOPICS);
    for (int i = 0; by_name && i < topics->count && !r->ended; i++)
        status = choose_one(r, topics->list[i], out);
    for (int i = 0; !by_name && i < from->count; i++)
        admin_offsets_add(out, from->items[i].topic, from->items[i].partition);
    if (r->ended)
        return status;
    admin_offsets_sort(out);
    admin_offsets_drop_doubles(out);
    return check_known(r, out);
}

// ---- The plan of a group ----

static int check_plan(struct reset *r, const struct admin_offsets *committed,
                      struct admin_offsets *items)
{
    for (int i = 0; i < items->count; i++) {
        struct admin_offset *item = &items->items[i];
        const struct admin_offset *now = admin_offsets_find(committed, item->topic, item->partition);
        if (item->code != KAFKA_NONE)
            return ended(r, consumer_groups_failed(r->tool, item->code, (struct str){0}, true));
        if (r->target.kind == SEEK_TO_BY && now == NULL)
            return ended(r, tool_usage(r->tool,
                                       "Cannot shift offset for partition %.*s-%d since there is "
                                       "no current committed offset",
                                       STR_ARG(item->topic), item->partition));
        if (r->target.kind == SEEK_TO_CURRENT && now != NULL)
            item->offset = now->offset; // even where the log does not have it any more
        if (r->target.kind == SEEK_TO_TIME && item->is_fallback)
            buf_printf(&r->tool->out.buf,
                       "\nWarn: Partition %d from topic %.*s is empty. Falling back to latest known "
                       "offset.\n",
                       item->partition, STR_ARG(item->topic));
    }
    return EXIT_OK;
}

static int commit(struct reset *r, struct str group, struct admin_offsets *items)
{
    struct admin_result result = {0};
    if (items->count == 0 || !flags_given(&r->tool->flags, CG_EXECUTE))
        return EXIT_OK;
    int err =
        admin_offsets_commit(r->tool->driver, group, items->items, items->count, &result);
    if (err < 0)
        return ended(r, tool_fail_call(r->tool, err));
    for (int i = 0; i < items->count && result.code == KAFKA_NONE; i++)
        result.code = items->items[i].code;
    if (result.code != KAFKA_NONE)
        return ended(r, consumer_groups_failed(r->tool, result.code, (struct str){0}, false));
    return EXIT_OK;
}

// *committed outlives the plan: topics are views into it.
static int plan_group(struct reset *r, struct reset_plan *plan)
{
    struct admin_result result = {0};
    struct admin_offsets committed = {0};
    const struct reset_plan *given = NULL;
    if (r->target.kind == SEEK_TO_FILE) {
        given = plan_find(r->file_plans, r->file_plan_count, plan->group);
        if (given == NULL) {
            consumer_groups_error(r->tool, "No reset plan for group %.*s found",
                                  STR_ARG(plan->group));
            return EXIT_OK;
        }
    }
    int err = admin_offsets_fetch(r->tool->driver, plan->group, &committed, &result);
    client_answer_move(&plan->items.answer, &committed.answer);
    int status = EXIT_OK;
    if (err < 0)
        status = ended(r, tool_fail_call(r->tool, err));
    else if (result.code != KAFKA_NONE && result.code != KAFKA_GROUP_ID_NOT_FOUND)
        status = ended(r, consumer_groups_failed(r->tool, result.code, (struct str){0}, true));
    else
        status = choose(r, &committed, given != NULL ? &given->items : NULL, &plan->items);
    if (!r->ended) {
        group_seek_plan(r->tool->driver, &r->target, &committed,
                        given != NULL ? &given->items : NULL, &plan->items);
        status = check_plan(r, &committed, &plan->items);
    }
    if (!r->ended)
        status = commit(r, plan->group, &plan->items);
    admin_offsets_release(&committed);
    return status;
}

static bool is_streams(const struct reset *r, struct str id)
{
    for (int i = 0; i < r->streams.count; i++)
        if (str_equal(r->streams.items[i].id, id))
            return true;
    return false;
}

// Whether the group may be reset; says so if not.
static bool is_inactive(struct reset *r, struct str id, int *status)
{
    struct group_info info;
    struct admin_result result = {0};
    bool inactive = false;
    if (is_streams(r, id)) {
        consumer_groups_error(r->tool,
                              "Group '%.*s' is a streams group. Use kafka-streams-groups.sh to "
                              "reset its offsets.",
                              STR_ARG(id));
        return false;
    }
    int err = admin_group_describe(r->tool->driver, id, &info, &result);
    if (err < 0)
        *status = ended(r, tool_fail_call(r->tool, err));
    else if (result.code == KAFKA_GROUP_ID_NOT_FOUND)
        inactive = true;
    else if (result.code != KAFKA_NONE)
        *status = ended(
            r, consumer_groups_failed(r->tool, result.code, str_from(result.message), true));
    else if (str_is(info.state, "Empty") || str_is(info.state, "Dead"))
        inactive = true;
    else
        consumer_groups_error(r->tool,
                              "Assignments can only be reset if the group '%.*s' is inactive, but "
                              "the current state is %.*s.",
                              STR_ARG(id), STR_ARG(info.state));
    admin_group_release(&info);
    return inactive;
}

// ---- Showing ----

static int *order_items(const struct admin_offsets *items)
{
    int *order = mem_alloc_array((size_t)items->count + 1, sizeof *order);
    uint32_t *hashes = mem_alloc_array((size_t)items->count + 1, sizeof *hashes);
    for (int i = 0; i < items->count; i++)
        hashes[i] = java_hash_partition(items->items[i].topic, items->items[i].partition);
    java_order_hashes(hashes, items->count, java_capacity_grown(items->count), order);
    mem_free(hashes);
    return order;
}

// Quoted as the CSV writer of Kafka's tool does: what is long, or has separators or blanks in it.
static void append_csv(struct buf *out, struct str field)
{
    bool quoted = field.size >= QUOTE_FROM_SIZE;
    for (size_t i = 0; i < field.size; i++)
        quoted = quoted || (unsigned char)field.data[i] < PLAIN_FROM;
    buf_printf(out, quoted ? "\"%.*s\"" : "%.*s", STR_ARG(field));
}

static void export_plan(struct buf *out, const struct reset_plan *plan, bool with_group)
{
    int *order = order_items(&plan->items);
    for (int i = 0; i < plan->items.count; i++) {
        const struct admin_offset *item = &plan->items.items[order[i]];
        if (with_group) {
            append_csv(out, plan->group);
            buf_append_u8(out, ',');
        }
        append_csv(out, item->topic);
        buf_printf(out, ",%d,%lld\n", item->partition, (long long)item->offset);
    }
    mem_free(order);
}

static void show_plan(struct buf *out, const struct reset_plan *plan, int group_width,
                      int topic_width)
{
    int *order = order_items(&plan->items);
    for (int i = 0; i < plan->items.count; i++) {
        const struct admin_offset *item = &plan->items.items[order[i]];
        buf_append_u8(out, '\n');
        consumer_groups_cell(out, group_width, plan->group);
        consumer_groups_cell(out, topic_width, item->topic);
        consumer_groups_number(out, 10, item->partition);
        buf_printf(out, "%lld", (long long)item->offset);
    }
    mem_free(order);
}

static void show(struct reset *r)
{
    struct buf *out = &r->tool->out.buf;
    int group_width = 15, topic_width = 15;
    for (int i = 0; i < r->plan_count; i++) {
        group_width = consumer_groups_width(group_width, r->plans[i].group);
        for (int k = 0; k < r->plans[i].items.count; k++)
            topic_width = consumer_groups_width(topic_width, r->plans[i].items.items[k].topic);
    }
    bool exports = flags_given(&r->tool->flags, CG_EXPORT);
    bool with_group = r->tool->flags.values[CG_GROUP].count != 1;
    if (!exports && r->plan_count > 0) {
        buf_append_u8(out, '\n');
        consumer_groups_cell(out, group_width, str_from("GROUP"));
        consumer_groups_cell(out, topic_width, str_from("TOPIC"));
        buf_printf(out, "%-10s NEW-OFFSET", "PARTITION");
    }
    for (int i = 0; i < r->plan_count; i++) {
        if (exports)
            export_plan(out, &r->plans[i], with_group);
        else
            show_plan(out, &r->plans[i], group_width, topic_width);
    }
    buf_append_u8(out, '\n');
}

// ---- The command ----

static void find_target(struct reset *r)
{
    const struct flags *f = &r->tool->flags;
    r->target.kind = flags_given(f, CG_TO_OFFSET)     ? SEEK_TO_OFFSET
                     : flags_given(f, CG_TO_EARLIEST) ? SEEK_TO_START
                     : flags_given(f, CG_TO_LATEST)   ? SEEK_TO_END
                     : flags_given(f, CG_SHIFT_BY)    ? SEEK_TO_BY
                     : flags_given(f, CG_FROM_FILE)   ? SEEK_TO_FILE
                     : flags_given(f, CG_TO_CURRENT)  ? SEEK_TO_CURRENT
                                                      : SEEK_TO_TIME;
    if (r->target.kind == SEEK_TO_OFFSET)
        r->target.value = flags_number(f, CG_TO_OFFSET) > 0 ? flags_number(f, CG_TO_OFFSET) : 0;
    else if (r->target.kind == SEEK_TO_BY)
        r->target.value = flags_number(f, CG_SHIFT_BY);
}

static int prepare(struct reset *r, const struct group_ids *ids)
{
    struct str streams = str_from("Streams");
    struct admin_result result = {0};
    find_target(r);
    int status = EXIT_OK;
    if (r->target.kind == SEEK_TO_TIME)
        status = find_time(r);
    else if (r->target.kind == SEEK_TO_FILE)
        status = read_file(r, ids);
    if (r->ended)
        return status;
    int err = driver_wait_topology(r->tool->driver);
    if (err == 0)
        err = admin_groups_list(r->tool->driver, (struct wire_string_array){0},
                                (struct wire_string_array){&streams, 1}, &r->streams, &result);
    if (err < 0)
        return ended(r, tool_fail_call(r->tool, err));
    if (result.code != KAFKA_NONE)
        return ended(
            r, consumer_groups_failed(r->tool, result.code, str_from(result.message), true));
    return EXIT_OK;
}

static void release_plans(struct reset_plan *plans, int count)
{
    for (int i = 0; i < count; i++)
        admin_offsets_release(&plans[i].items);
    mem_free(plans);
}

int consumer_groups_reset(struct tool *t, const struct group_ids *ids)
{
    struct reset r = {.tool = t};
    int *order = consumer_groups_order(ids->items, ids->count);
    buf_init(&r.file, FILE_BYTES_MAX);
    int status = prepare(&r, ids);
    for (int i = 0; i < ids->count && !r.ended; i++) {
        struct reset_plan *plan = plan_add(&r.plans, &r.plan_count, ids->items[order[i]]);
        if (is_inactive(&r, plan->group, &status))
            status = plan_group(&r, plan);
    }
    if (!r.ended)
        show(&r);
    release_plans(r.plans, r.plan_count);
    release_plans(r.file_plans, r.file_plan_count);
    admin_group_list_release(&r.streams);
    buf_release(&r.file);
    mem_free(order);
    return status;
}
