// SPDX-License-Identifier: Apache-2.0
//
// kafka-streams-groups --delete: groups, and the topics that belong to them.
#include "base/mem.h"
#include "tools/kafka_streams_groups.h"
#include "wire/api/streams_group_describe.h"
#include "wire/errors.h"

// ---- Internal topics ----

static bool is_digits(struct str text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
    return text.size > 0;
}

// Whether the name has INFIX, a number and "-topic" at its end.
static bool has_numbered_end(struct str name, const char *infix)
{
    struct str tail = str_from("-topic"), head = str_from(infix);
    if (!str_ends_with(name, "-topic"))
        return false;
    for (size_t at = 1; at + head.size + tail.size < name.size; at++)
        if (str_equal(str_of(name.data + at, head.size), head) &&
            is_digits(str_of(name.data + at + head.size,
                             name.size - tail.size - at - head.size)))
            return true;
    return false;
}

// Whether a topic is called as Kafka Streams calls the topics of this application.
static bool is_internal_name(struct str name, struct str group)
{
    if (name.size <= group.size || !str_equal(str_of(name.data, group.size), group) ||
        name.data[group.size] != '-')
        return false;
    return str_ends_with(name, "-changelog") || str_ends_with(name, "-repartition") ||
           str_ends_with(name, "-subscription-registration-topic") ||
           str_ends_with(name, "-subscription-response-topic") ||
           has_numbered_end(name, "-KTABLE-FK-JOIN-SUBSCRIPTION-REGISTRATION-") ||
           has_numbered_end(name, "-KTABLE-FK-JOIN-SUBSCRIPTION-RESPONSE-");
}

static void add(struct tool *t, const struct group_info *g,
                const struct streams_group_describe_response_topic_info_array *from,
                struct internal_topics *out)
{
    for (int32_t i = 0; i < from->count; i++) {
        struct str name = from->items[i].name;
        if (group_is_source(g, name))
            continue;
        if (is_internal_name(name, g->id)) {
            out->items = mem_resize(out->items, (size_t)(out->count + 1) * sizeof *out->items);
            out->items[out->count++] = name;
        } else {
            group_tool_error(t,
                             "The internal topic '%.*s' is not inferred as internal and thus will not be "
                             "deleted with the group '%.*s'.",
                             STR_ARG(name), STR_ARG(g->id));
        }
    }
}

void internal_topics_find(struct tool *t, const struct group_info *g, struct internal_topics *out)
{
    *out = (struct internal_topics){0};
    const struct streams_group_describe_response_topology *topology = g->streams->topology;
    for (int32_t i = 0; topology != NULL && i < topology->subtopologies.count; i++) {
        add(t, g, &topology->subtopologies.items[i].repartition_source_topics, out);
        add(t, g, &topology->subtopologies.items[i].state_changelog_topics, out);
    }
}

void internal_topics_release(struct internal_topics *topics)
{
    mem_free(topics->items);
    mem_free(topics->codes);
    *topics = (struct internal_topics){0};
}

int internal_topics_delete(struct tool *t, struct internal_topics *topics, int16_t *code)
{
    *code = KAFKA_NONE;
    mem_free(topics->codes);
    topics->codes = mem_alloc_array((size_t)topics->count + 1, sizeof *topics->codes);
    int err = admin_topics_delete(t->driver, topics->items, topics->count, topics->codes);
    for (int i = 0; i < topics->count && *code == KAFKA_NONE; i++)
        *code = topics->codes[i];
    return err;
}

// ---- Groups ----

enum outcome { DELETED, IS_MISSING, HAS_MEMBERS, IS_DEAD, REFUSED };

struct deletion {
    struct str id;
    enum outcome outcome;
    int16_t code;              // of REFUSED
    struct group_info info;    // with --delete-all-internal-topics; topics are views into it
    struct internal_topics topics;
    int16_t topics_code;
};

static const struct group_entry *find_entry(const struct group_list *list, struct str id)
{
    for (int i = 0; i < list->count; i++)
        if (str_equal(list->items[i].id, id))
            return &list->items[i];
    return NULL;
}

static enum outcome look_at(const struct group_list *list, struct str id)
{
    const struct group_entry *entry = find_entry(list, id);
    if (entry == NULL)
        return IS_MISSING;
    if (str_is(entry->state, "Dead"))
        return IS_DEAD;
    return str_is(entry->state, "Empty") ? DELETED : HAS_MEMBERS;
}

static int find_topics(struct tool *t, struct deletion *d)
{
    if (d->outcome != DELETED || !flags_given(&t->flags, GF_DELETE_ALL_INTERNAL_TOPICS))
        return 0;
    struct admin_result r = {0};
    int err = admin_streams_describe(t->driver, d->id, &d->info, &r);
    if (err == 0 && r.code == KAFKA_NONE)
        internal_topics_find(t, &d->info, &d->topics);
    else if (err == 0)
        group_tool_error(t,
                         "Retrieving internal topics failed due to org.apache.kafka.common.errors.%s: %s",
                         java_exception(r.code), r.message);
    return err;
}

static int delete_one(struct tool *t, struct deletion *d)
{
    struct admin_result r = {0};
    if (d->outcome != DELETED)
        return 0;
    int err = admin_group_delete(t->driver, d->id, &r);
    if (err == 0 && r.code != KAFKA_NONE) {
        d->outcome = REFUSED;
        d->code = r.code;
    }
    return err;
}

static int delete_topics(struct tool *t, struct deletion *d)
{
    if (d->outcome != DELETED || d->topics.count == 0)
        return 0;
    int err = internal_topics_delete(t, &d->topics, &d->topics_code);
    for (int i = 0; i < d->topics.count && err == 0; i++)
        if (d->topics.codes[i] != KAFKA_NONE)
            buf_printf(&t->out.buf, "Failed to delete internal topic: %.*s\n",
                       STR_ARG(d->topics.items[i]));
    return err;
}

// ---- What became of it ----

static void show_failed(struct buf *out, const struct deletion *d)
{
    buf_printf(out, "* Group '%.*s' could not be deleted due to: ", STR_ARG(d->id));
    switch (d->outcome) {
    case IS_MISSING:
        buf_printf(out, "java.lang.IllegalArgumentException: Group '%.*s' does not exist or is not a "
                        "streams group.\n", STR_ARG(d->id));
        break;
    case HAS_MEMBERS:
        buf_printf(out,
                   "org.apache.kafka.common.errors.GroupNotEmptyException: Streams group '%.*s' is not "
                   "EMPTY.\n",
                   STR_ARG(d->id));
        break;
    case IS_DEAD:
        buf_printf(out, "java.lang.IllegalStateException: Streams group '%.*s' group state is DEAD.\n",
                   STR_ARG(d->id));
        break;
    default:
        buf_printf(out, "org.apache.kafka.common.errors.%s: %s\n", java_exception(d->code),
                   java_message(d->code));
    }
}

// The ids of deleted groups, in the order of Kafka's tool: 'a', 'b'. Those with topics alone when asked.
static void show_deleted(struct buf *out, const struct deletion *items, const int *order, int count,
                         bool with_topics)
{
    const char *separator = "";
    for (int i = 0; i < count; i++) {
        const struct deletion *d = &items[order[i]];
        if (d->outcome != DELETED || (with_topics && d->topics.count == 0))
            continue;
        buf_printf(out, "%s'%.*s'", separator, STR_ARG(d->id));
        separator = ", ";
    }
}

static void show_topics(struct buf *out, const struct deletion *items, const int *order, int count)
{
    int with_topics = 0, deleted = 0, failed = 0;
    for (int i = 0; i < count; i++) {
        with_topics += items[i].topics.count > 0;
        deleted += items[i].outcome == DELETED;
        failed += items[i].topics_code != KAFKA_NONE;
    }
    if (with_topics == 0 || deleted == 0)
        return;
    if (failed == 0) {
        buf_append_text(out, "Deletion of associated internal topics of the streams groups (");
        show_deleted(out, items, order, count, true);
        buf_append_text(out, ") was successful.\n");
        return;
    }
    buf_append_text(out, "Deletion of some associated internal topics failed:\n");
    for (int i = 0; i < count; i++)
        if (items[order[i]].topics_code != KAFKA_NONE)
            buf_printf(out, "* Internal topics of the streams group '%.*s' could not be deleted due to: "
                            "org.apache.kafka.common.errors.%s: %s\n",
                       STR_ARG(items[order[i]].id), java_exception(items[order[i]].topics_code),
                       java_message(items[order[i]].topics_code));
}

static void show(struct tool *t, const struct deletion *items, const int *order, int count)
{
    struct buf *out = &t->out.buf;
    int failed = 0;
    for (int i = 0; i < count; i++)
        failed += items[i].outcome != DELETED;
    if (failed == 0) {
        buf_append_text(out, "Deletion of requested streams groups (");
        show_deleted(out, items, order, count, false);
        buf_append_text(out, ") was successful.\n");
    } else {
        group_tool_error(t, "Deletion of some streams groups failed:");
        for (int i = 0; i < count; i++)
            if (items[order[i]].outcome != DELETED)
                show_failed(out, &items[order[i]]);
    }
    if (failed > 0 && failed < count) {
        buf_append_text(out, "\nThese streams groups were deleted successfully: ");
        show_deleted(out, items, order, count, false);
        buf_append_text(out, ".\n");
    }
    show_topics(out, items, order, count);
}

int streams_groups_delete(struct tool *t, const struct group_ids *ids)
{
    static int (*const steps[])(struct tool *t, struct deletion *d) = {find_topics, delete_one,
                                                                       delete_topics};
    struct group_list list = {0};
    int status = streams_groups_find(t, (struct wire_string_array){0}, &list);
    struct deletion *items = mem_alloc_array((size_t)ids->count + 1, sizeof *items);
    for (int i = 0; i < ids->count; i++)
        items[i] = (struct deletion){.id = ids->items[i], .outcome = look_at(&list, ids->items[i])};
    int err = 0;
    for (int step = 0; step < 3 && status == EXIT_OK && err == 0; step++)
        for (int i = 0; i < ids->count && err == 0; i++)
            err = steps[step](t, &items[i]);
    if (err < 0)
        status = tool_fail_call(t, err);
    int *order = group_tool_order(ids->items, ids->count);
    if (status == EXIT_OK)
        show(t, items, order, ids->count);
    for (int i = 0; i < ids->count; i++) {
        internal_topics_release(&items[i].topics);
        admin_group_release(&items[i].info);
    }
    mem_free(order);
    mem_free(items);
    admin_group_list_release(&list);
    return status;
}
