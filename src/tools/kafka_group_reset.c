// SPDX-License-Identifier: Apache-2.0
//
// Plans of where groups are to go on: times and files are read, partitions chosen, offsets found and
// committed, plans exported.
#include "tools/kafka_group_reset.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "client/topology.h"
#include "wire/errors.h"

enum { FILE_BYTES_MAX = 64 << 20, QUOTE_FROM_SIZE = 25, PLAIN_FROM = '-' };

int reset_end(struct reset *r, int status)
{
    r->ended = true;
    return status;
}

// Ends with what went wrong, as Kafka's tool does.
__attribute__((format(printf, 2, 3))) static int fail(struct reset *r, const char *format, ...)
{
    struct buf *out = &r->tool->out.buf;
    va_list args;
    va_start(args, format);
    buf_printf(out, "\nError: Executing %s group command failed due to ", r->kind->kind);
    buf_vprintf(out, format, args);
    buf_append_u8(out, '\n');
    va_end(args);
    return reset_end(r, r->kind->failed);
}

// ---- Times ----

static int find_time(struct reset *r)
{
    struct tool *t = r->tool;
    const char *text = flags_text(&t->flags, GF_TO_DATETIME);
    if (text != NULL && strchr(text, 'T') == NULL)
        return fail(r, "java.text.ParseException: Error parsing timestamp. It does not contain a 'T' "
                       "according to ISO8601 format");
    if (text != NULL && !time_parse(str_from(text), &r->target.value))
        return fail(r, "java.text.ParseException: Unparseable date: \"%s\"", text);
    int64_t ago = 0;
    if (text == NULL && !iso_duration_parse(str_from(flags_text(&t->flags, GF_BY_DURATION)), &ago))
        return fail(r, "Text cannot be parsed to a Duration");
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
    const char *path = flags_text(&t->flags, GF_FROM_FILE);
    int err = read_whole_file(t, path, FILE_BYTES_MAX, &r->file);
    if (err < 0)
        return reset_end(r, tool_fail(t, EXIT_FAILED, "%s: %s", path, err_text(err)));
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
            return reset_end(r, tool_fail(t, EXIT_FAILED, "%s:%d: \"%.*s\" is not %sTOPIC,PARTITION,OFFSET",
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
    return fail(r, "%s%s",
                wrapped ? "java.util.concurrent.ExecutionException: "
                          "org.apache.kafka.common.errors.UnknownTopicOrPartitionException: "
                        : "",
                java_message(KAFKA_UNKNOWN_TOPIC_OR_PARTITION));
}

static int choose_one(struct reset *r, const char *text, struct admin_offsets *out)
{
    struct str ids = str_from(text), topic = str_cut(&ids, ':');
    struct wire_int32_array numbers = {0};
    const struct topology_topic *known =
        topology_topic(client_topology(driver_client(r->tool->driver)), topic);
    if (ids.data != NULL && ids_parse(ids, ',', &numbers) < 0)
        return reset_end(r, tool_usage(r->tool, "Invalid partition '%.*s' specified in topic arg '%s''",
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
    if (missing.size > 0)
        status = fail(r, "The partitions \"%.*s\" do not exist", STR_ARG(buf_str(&missing)));
    buf_release(&missing);
    return status;
}

int reset_choose(struct reset *r, const struct admin_offsets *committed,
                 const struct admin_offsets *given, struct admin_offsets *out)
{
    const struct flag_value *topics = &r->tool->flags.values[GF_TOPIC];
    const struct admin_offsets *from = given != NULL ? given : committed;
    int status = EXIT_OK;
    bool by_name = given == NULL && !flags_given(&r->tool->flags, GF_ALL_TOPICS);
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
            return reset_end(r, group_tool_failed(r->tool, r->kind, item->code, (struct str){0}, true));
        if (r->target.kind == SEEK_TO_BY && now == NULL)
            return reset_end(r, tool_usage(r->tool,
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
    if (items->count == 0 || !flags_given(&r->tool->flags, GF_EXECUTE))
        return EXIT_OK;
    int err =
        admin_offsets_commit(r->tool->driver, group, items->items, items->count, &result);
    if (err < 0)
        return reset_end(r, tool_fail_call(r->tool, err));
    for (int i = 0; i < items->count && result.code == KAFKA_NONE; i++)
        result.code = items->items[i].code;
    if (result.code != KAFKA_NONE)
        return reset_end(r, group_tool_failed(r->tool, r->kind, result.code, (struct str){0}, false));
    return EXIT_OK;
}

int reset_make(struct reset *r, struct reset_plan *plan, const struct admin_offsets *committed,
               const struct admin_offsets *given)
{
    group_seek_plan(r->tool->driver, &r->target, committed, given, &plan->items);
    int status = check_plan(r, committed, &plan->items);
    return r->ended ? status : commit(r, plan->group, &plan->items);
}

const struct admin_offsets *reset_given(struct reset *r, struct str group)
{
    struct reset_plan *plan = plan_find(r->file_plans, r->file_plan_count, group);
    if (plan == NULL)
        group_tool_error(r->tool, "No reset plan for group %.*s found", STR_ARG(group));
    return plan != NULL ? &plan->items : NULL;
}

struct reset_plan *reset_add(struct reset *r, struct str group)
{
    return plan_add(&r->plans, &r->plan_count, group);
}

// ---- Showing ----

int *reset_order(const struct admin_offsets *items)
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
    int *order = reset_order(&plan->items);
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

void reset_export(const struct reset *r)
{
    bool with_group = r->tool->flags.values[GF_GROUP].count != 1;
    for (int i = 0; i < r->plan_count; i++)
        export_plan(&r->tool->out.buf, &r->plans[i], with_group);
}

// ---- The whole ----

static void find_target(struct reset *r)
{
    const struct flags *f = &r->tool->flags;
    r->target.kind = flags_given(f, GF_TO_OFFSET)     ? SEEK_TO_OFFSET
                     : flags_given(f, GF_TO_EARLIEST) ? SEEK_TO_START
                     : flags_given(f, GF_TO_LATEST)   ? SEEK_TO_END
                     : flags_given(f, GF_SHIFT_BY)    ? SEEK_TO_BY
                     : flags_given(f, GF_FROM_FILE)   ? SEEK_TO_FILE
                     : flags_given(f, GF_TO_CURRENT)  ? SEEK_TO_CURRENT
                                                      : SEEK_TO_TIME;
    if (r->target.kind == SEEK_TO_OFFSET)
        r->target.value = flags_number(f, GF_TO_OFFSET) > 0 ? flags_number(f, GF_TO_OFFSET) : 0;
    else if (r->target.kind == SEEK_TO_BY)
        r->target.value = flags_number(f, GF_SHIFT_BY);
}

void reset_init(struct reset *r, struct tool *t, const struct group_tool *kind)
{
    *r = (struct reset){.tool = t, .kind = kind};
    buf_init(&r->file, FILE_BYTES_MAX);
}

int reset_prepare(struct reset *r, const struct group_ids *ids)
{
    find_target(r);
    int status = EXIT_OK;
    if (r->target.kind == SEEK_TO_TIME)
        status = find_time(r);
    else if (r->target.kind == SEEK_TO_FILE)
        status = read_file(r, ids);
    if (r->ended)
        return status;
    int err = driver_wait_topology(r->tool->driver);
    return err < 0 ? reset_end(r, tool_fail_call(r->tool, err)) : EXIT_OK;
}

static void release_plans(struct reset_plan *plans, int count)
{
    for (int i = 0; i < count; i++)
        admin_offsets_release(&plans[i].items);
    mem_free(plans);
}

void reset_release(struct reset *r)
{
    release_plans(r->plans, r->plan_count);
    release_plans(r->file_plans, r->file_plan_count);
    buf_release(&r->file);
}
