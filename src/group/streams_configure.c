// SPDX-License-Identifier: Apache-2.0
//
// A topology resolved against the topics of the cluster (KIP-1071, "topic configuration"): how many
// partitions the internal topics need, which are missing, how many tasks each subtopology has.
//
// In this order: source topics must be there; repartition topics whose number of partitions is not given
// get that of the subtopologies that write them, round by round until nothing changes; topics that are
// co-partitioned are made alike; changelogs have as many partitions as their subtopology has tasks.
#include <stdarg.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "group/streams.h"
#include "group/topic_hash.h"
#include "metadata/image.h"

enum {
    MEMORY_MAX = 256 * 1024 * 1024,
    NAMES_SHOWN = 3, // of topics in an answer, as Kafka 4.4
    SUBTOPOLOGIES_MAX = 10000,
    TASKS_MAX = 100000, // the records of a target of more would hardly fit into a batch
    ROUNDS_MAX = 1000, // how long a chain of repartition topics may be
};

// A topic of the topology and what is known of its partitions.
struct known_topic {
    struct str name;
    int32_t partition_count; // decided, or what is there; 0: not known yet
    bool exists;
    bool is_repartition;     // source of some subtopology
    bool is_fixed;           // and the topology says how many partitions it has
};

struct configuring {
    const struct streams_group_topology_value *value;
    const struct metadata_image *image;
    struct streams_configured *out;
    struct known_topic *topics; // in order of name
    int32_t topic_count;
    struct diag *diag;
};

// ---- Topics by name ----

static int compare_topics(const void *a, const void *b)
{
    return str_compare(((const struct known_topic *)a)->name, ((const struct known_topic *)b)->name);
}

static struct known_topic *find_topic(const struct configuring *c, struct str name)
{
    struct known_topic key = {.name = name};
    return c->topic_count == 0 ? NULL
                               : bsearch(&key, c->topics, (size_t)c->topic_count, sizeof(key),
                                         compare_topics);
}

// One that the topology requires: all of them were collected.
static struct known_topic *get_topic(const struct configuring *c, struct str name)
{
    struct known_topic *t = find_topic(c, name);
    check(t != NULL);
    return t;
}

static int collect_topics(struct configuring *c)
{
    int32_t count;
    struct str *names = streams_required_topics(c->value, &c->out->memory, &count);
    c->topics = arena_new_array(&c->out->memory, (size_t)count + 1, struct known_topic);
    if (names == NULL || c->topics == NULL)
        return ERR_NOMEM;
    c->topic_count = count;
    for (int32_t i = 0; i < count; i++) {
        const struct metadata_topic *t = metadata_image_topic(c->image, names[i]);
        c->topics[i] = (struct known_topic){.name = names[i], .exists = t != NULL};
        if (t != NULL)
            c->topics[i].partition_count = t->partition_count;
    }
    return 0;
}

// ---- What is wrong with the topics ----

static void append_topics(struct buf *b, const struct str *names, int32_t count)
{
    for (int32_t i = 0; i < count && i < NAMES_SHOWN; i++)
        buf_printf(b, "%s%.*s", i == 0 ? "" : ", ", STR_ARG(names[i]));
    if (count > NAMES_SHOWN)
        buf_printf(b, " and %d additional topics", count - NAMES_SHOWN);
}

// Ends the configuration: the topics are not what the topology needs. Takes the text.
static int set_error(struct configuring *c, enum streams_status error, struct buf *text)
{
    c->out->error = error;
    c->out->error_text = arena_copy_str(&c->out->memory, buf_str(text));
    buf_release(text);
    return c->out->error_text.data == NULL ? ERR_NOMEM : ERR_REFUSED;
}

__attribute__((format(printf, 2, 3))) static int refuse_partitions(struct configuring *c,
                                                                   const char *format, ...)
{
    struct buf text;
    va_list args;
    buf_init(&text, MEMORY_MAX);
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    return set_error(c, STREAMS_STATUS_INCORRECTLY_PARTITIONED_TOPICS, &text);
}

static int check_sources(struct configuring *c)
{
    size_t most = 0;
    for (int32_t i = 0; i < c->value->subtopologies.count; i++)
        most += (size_t)c->value->subtopologies.items[i].source_topics.count;
    struct str *missing = arena_new_array(&c->out->memory, most + 1, struct str);
    if (missing == NULL)
        return ERR_NOMEM;
    int32_t count = 0;
    for (int32_t i = 0; i < c->value->subtopologies.count; i++) {
        const struct wire_string_array *sources = &c->value->subtopologies.items[i].source_topics;
        for (int32_t k = 0; k < sources->count; k++)
            if (!get_topic(c, sources->items[k])->exists)
                missing[count++] = sources->items[k];
    }
    count = consumer_sort_names(missing, count);
    if (count == 0)
        return 0;
    struct buf text;
    buf_init(&text, MEMORY_MAX);
    buf_append_text(&text, "Source topics ");
    append_topics(&text, missing, count);
    buf_append_text(&text, " are missing.");
    return set_error(c, STREAMS_STATUS_MISSING_SOURCE_TOPICS, &text);
}

// ---- Repartition topics ----

// What is there does not count until it is compared at the end.
static void begin_repartition(struct configuring *c)
{
    for (int32_t i = 0; i < c->value->subtopologies.count; i++) {
        const struct streams_group_topology_value_subtopology *s = &c->value->subtopologies.items[i];
        for (int32_t k = 0; k < s->repartition_source_topics.count; k++) {
            struct known_topic *t = get_topic(c, s->repartition_source_topics.items[k].name);
            t->is_repartition = true;
            t->is_fixed |= s->repartition_source_topics.items[k].partitions != 0;
            t->partition_count = s->repartition_source_topics.items[k].partitions;
        }
    }
}

// The most partitions that a source of the subtopology is known to have; 0: none is known.
static int32_t most_partitions(const struct configuring *c,
                               const struct streams_group_topology_value_subtopology *s)
{
    int32_t most = 0;
    for (int32_t i = 0; i < s->source_topics.count; i++) {
        const struct known_topic *t = get_topic(c, s->source_topics.items[i]);
        most = t->partition_count > most ? t->partition_count : most;
    }
    for (int32_t i = 0; i < s->repartition_source_topics.count; i++) {
        const struct known_topic *t = get_topic(c, s->repartition_source_topics.items[i].name);
        most = t->partition_count > most ? t->partition_count : most;
    }
    return most;
}

static bool decide_sinks(struct configuring *c, const struct streams_group_topology_value_subtopology *s,
                         bool *has_progress)
{
    bool is_complete = true;
    for (int32_t i = 0; i < s->repartition_sink_topics.count; i++) {
        struct known_topic *t = find_topic(c, s->repartition_sink_topics.items[i]);
        if (t == NULL || !t->is_repartition || t->partition_count != 0)
            continue; // a sink that nobody reads is no concern of the group
        t->partition_count = most_partitions(c, s);
        if (t->partition_count == 0)
            is_complete = false;
        else
            *has_progress = true;
    }
    return is_complete;
}

static int decide_repartition(struct configuring *c)
{
    bool is_complete = false, has_progress = true;
    begin_repartition(c);
    for (int round = 0; !is_complete; round++) {
        if (!has_progress || round == ROUNDS_MAX)
            return diag_set(c->diag, ERR_INVALID,
                            "Failed to compute number of partitions for all repartition topics. There may "
                            "be loops in the topology that cannot be resolved.");
        is_complete = true;
        has_progress = false;
        for (int32_t i = 0; i < c->value->subtopologies.count; i++)
            is_complete &= decide_sinks(c, &c->value->subtopologies.items[i], &has_progress);
    }
    for (int32_t i = 0; i < c->topic_count; i++)
        if (c->topics[i].is_repartition && c->topics[i].partition_count == 0)
            return diag_set(c->diag, ERR_INVALID,
                            "Failed to compute number of partitions for all repartition topics, because a "
                            "repartition source topic is never used as a sink topic.");
    return 0;
}

// ---- Co-partitioned topics ----

struct copartition {
    struct known_topic **topics; // in order of name
    int32_t count;
    bool has_source; // one at least is no repartition topic
};

static int compare_pointers(const void *a, const void *b)
{
    return compare_topics(*(struct known_topic *const *)a, *(struct known_topic *const *)b);
}

static int add_topics(struct configuring *c, struct copartition *group,
                      const struct streams_group_topology_value_subtopology *s,
                      const struct wire_int16_array *indexes, bool is_repartition)
{
    int32_t count = is_repartition ? s->repartition_source_topics.count : s->source_topics.count;
    for (int32_t i = 0; i < indexes->count; i++) {
        int16_t at = indexes->items[i];
        if (at < 0 || at >= count)
            return diag_set(c->diag, ERR_INVALID,
                            "A copartition group of subtopology %.*s names topic %d of %d.",
                            STR_ARG(s->subtopology_id), at, count);
        struct known_topic *t = get_topic(c, is_repartition ? s->repartition_source_topics.items[at].name
                                                            : s->source_topics.items[at]);
        group->topics[group->count++] = t;
        group->has_source |= !t->is_repartition;
    }
    return 0;
}

static int refuse_copartition(struct configuring *c, const struct copartition *group, bool repartition)
{
    struct buf text;
    const char *separator = "";
    buf_init(&text, MEMORY_MAX);
    buf_append_text(&text, "Following topics do not have the same number of partitions: [{");
    for (int32_t i = 0; i < group->count; i++) {
        const struct known_topic *t = group->topics[i];
        if (t->is_repartition != repartition || (i > 0 && group->topics[i - 1] == t))
            continue;
        buf_printf(&text, "%s%.*s=%d", separator, STR_ARG(t->name), t->partition_count);
        separator = ", ";
    }
    buf_append_text(&text, "}]");
    return set_error(c, STREAMS_STATUS_INCORRECTLY_PARTITIONED_TOPICS, &text);
}

// The number of partitions that all topics of one kind in the group have: false when they differ.
static bool same_count(const struct copartition *group, bool (*counts)(const struct known_topic *),
                       int32_t *count)
{
    *count = 0;
    for (int32_t i = 0; i < group->count; i++) {
        if (!counts(group->topics[i]))
            continue;
        if (*count != 0 && *count != group->topics[i]->partition_count)
            return false;
        *count = group->topics[i]->partition_count;
    }
    return true;
}

static bool is_source(const struct known_topic *t)
{
    return !t->is_repartition;
}

static bool is_fixed(const struct known_topic *t)
{
    return t->is_fixed;
}

// Source topics cannot change, topics that the topology fixes must not: the others follow.
static int decide_count(struct configuring *c, const struct copartition *group, int32_t *count)
{
    if (group->has_source)
        return same_count(group, is_source, count) ? 0 : refuse_copartition(c, group, false);
    if (!same_count(group, is_fixed, count))
        return refuse_copartition(c, group, true);
    for (int32_t i = 0; *count == 0 && i < group->count; i++)
        for (int32_t k = 0; k < group->count; k++)
            if (group->topics[k]->partition_count > *count)
                *count = group->topics[k]->partition_count;
    return 0;
}

static int align(struct configuring *c, const struct copartition *group)
{
    int32_t count;
    int err = decide_count(c, group, &count);
    for (int32_t i = 0; err == 0 && i < group->count; i++) {
        struct known_topic *t = group->topics[i];
        if (t->is_fixed && t->partition_count != count)
            return refuse_partitions(c,
                                     "Number of partitions [%d] of repartition topic [%.*s] doesn't match "
                                     "number of partitions [%d] of the source topic.",
                                     t->partition_count, STR_ARG(t->name), count);
        if (t->is_repartition)
            t->partition_count = count;
    }
    return err;
}

static int copartition(struct configuring *c, const struct streams_group_topology_value_subtopology *s)
{
    for (int32_t i = 0; i < s->copartition_groups.count; i++) {
        const struct streams_group_topology_value_copartition_group *from = &s->copartition_groups.items[i];
        size_t most = (size_t)from->source_topics.count + (size_t)from->repartition_source_topics.count;
        struct copartition group = {
            .topics = arena_alloc_array(&c->out->memory, most + 1, sizeof(*group.topics))};
        if (group.topics == NULL)
            return ERR_NOMEM;
        int err = add_topics(c, &group, s, &from->source_topics, false);
        if (err == 0)
            err = add_topics(c, &group, s, &from->repartition_source_topics, true);
        if (err == 0 && group.count > 0) {
            qsort(group.topics, (size_t)group.count, sizeof(*group.topics), compare_pointers);
            err = align(c, &group);
        }
        if (err != 0)
            return err;
    }
    return 0;
}

// ---- What comes out ----

static int configure_topics(struct configuring *c,
                            const struct streams_group_topology_value_topic_info_array *from,
                            int32_t task_count, struct streams_internal_topic **out)
{
    *out = arena_new_array(&c->out->memory, (size_t)from->count + 1, struct streams_internal_topic);
    if (*out == NULL)
        return ERR_NOMEM;
    for (int32_t i = 0; i < from->count; i++) {
        const struct known_topic *t = get_topic(c, from->items[i].name);
        (*out)[i].info = &from->items[i];
        (*out)[i].partition_count = t->is_repartition ? t->partition_count : task_count;
    }
    return 0;
}

static int configure_subtopologies(struct configuring *c)
{
    int32_t count = c->value->subtopologies.count, task_count = 0;
    c->out->subtopologies =
        arena_new_array(&c->out->memory, (size_t)count + 1, struct streams_configured_subtopology);
    if (c->out->subtopologies == NULL)
        return ERR_NOMEM;
    for (int32_t i = 0; i < count; i++) {
        const struct streams_group_topology_value_subtopology *s = &c->value->subtopologies.items[i];
        struct streams_configured_subtopology *o = &c->out->subtopologies[i];
        if (i > 0 && str_equal(s[-1].subtopology_id, s->subtopology_id))
            return diag_set(c->diag, ERR_INVALID, "Subtopology %.*s is there twice.",
                            STR_ARG(s->subtopology_id));
        o->from = s;
        o->number = -1;
        o->task_count = most_partitions(c, s);
        if (o->task_count == 0)
            return diag_set(c->diag, ERR_INVALID, "No source topics found for subtopology %.*s",
                            STR_ARG(s->subtopology_id));
        if (o->task_count > TASKS_MAX - task_count)
            return diag_set(c->diag, ERR_INVALID, "The topology has more than %d tasks.", TASKS_MAX);
        task_count += o->task_count;
        int err = configure_topics(c, &s->repartition_source_topics, o->task_count,
                                   &o->repartition_sources);
        if (err == 0)
            err = configure_topics(c, &s->state_changelog_topics, o->task_count, &o->changelogs);
        if (err != 0)
            return err;
    }
    c->out->subtopology_count = count;
    return 0;
}

static int compare_missing(const void *a, const void *b)
{
    return str_compare((*(const struct streams_internal_topic *const *)a)->info->name,
                       (*(const struct streams_internal_topic *const *)b)->info->name);
}

// An internal topic is there as it has to be, or it is missing.
static int check_internal(struct configuring *c, const struct streams_internal_topic *topics, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        const struct metadata_topic *t = metadata_image_topic(c->image, topics[i].info->name);
        if (t == NULL)
            c->out->missing[c->out->missing_count++] = &topics[i];
        else if (t->partition_count != topics[i].partition_count)
            return refuse_partitions(c,
                                     "Existing topic %.*s has different number of partitions: expected %d, "
                                     "found %d",
                                     STR_ARG(t->name), topics[i].partition_count, t->partition_count);
    }
    return 0;
}

static int name_missing(struct configuring *c)
{
    int32_t count = c->out->missing_count, kept = 1;
    const struct streams_internal_topic **missing = c->out->missing;
    struct str shown[NAMES_SHOWN];
    qsort(missing, (size_t)count, sizeof(*missing), compare_missing);
    for (int32_t i = 1; i < count; i++)
        if (compare_missing(&missing[kept - 1], &missing[i]) != 0)
            missing[kept++] = missing[i];
    c->out->missing_count = kept;
    for (int32_t i = 0; i < kept && i < NAMES_SHOWN; i++)
        shown[i] = missing[i]->info->name;
    struct buf text;
    buf_init(&text, MEMORY_MAX);
    buf_append_text(&text, "Internal topics are missing: ");
    append_topics(&text, shown, kept);
    return set_error(c, STREAMS_STATUS_MISSING_INTERNAL_TOPICS, &text);
}

static int find_missing(struct configuring *c)
{
    size_t most = 0;
    for (int32_t i = 0; i < c->value->subtopologies.count; i++)
        most += (size_t)c->value->subtopologies.items[i].repartition_source_topics.count +
                (size_t)c->value->subtopologies.items[i].state_changelog_topics.count;
    c->out->missing = arena_alloc_array(&c->out->memory, most + 1, sizeof(*c->out->missing));
    if (c->out->missing == NULL)
        return ERR_NOMEM;
    int err = 0;
    for (int32_t i = 0; err == 0 && i < c->out->subtopology_count; i++) {
        const struct streams_configured_subtopology *s = &c->out->subtopologies[i];
        err = check_internal(c, s->repartition_sources, s->from->repartition_source_topics.count);
        if (err == 0)
            err = check_internal(c, s->changelogs, s->from->state_changelog_topics.count);
    }
    if (err == 0 && c->out->missing_count > 0)
        err = name_missing(c);
    return err;
}

static int configure(struct configuring *c)
{
    if (c->value->subtopologies.count > SUBTOPOLOGIES_MAX)
        return diag_set(c->diag, ERR_INVALID, "The topology has %d subtopologies, more than %d.",
                        c->value->subtopologies.count, SUBTOPOLOGIES_MAX);
    int err = collect_topics(c);
    if (err == 0)
        err = check_sources(c);
    if (err == 0)
        err = decide_repartition(c);
    for (int32_t i = 0; err == 0 && i < c->value->subtopologies.count; i++)
        err = copartition(c, &c->value->subtopologies.items[i]);
    if (err == 0)
        err = configure_subtopologies(c);
    if (err == 0)
        err = find_missing(c);
    return err;
}

struct streams_configured *streams_configure(const struct streams_group_topology_value *value,
                                             const struct metadata_image *image, int *err,
                                             struct diag *diag)
{
    struct streams_configured *out = mem_new(struct streams_configured);
    struct configuring c = {.value = value, .image = image, .out = out, .diag = diag};
    arena_init(&out->memory, MEMORY_MAX);
    out->topology_epoch = value->epoch;
    *err = configure(&c);
    if (*err != 0 && *err != ERR_REFUSED) {
        streams_configured_free(out);
        return NULL;
    }
    out->is_ready = *err == 0;
    // With wrong partitions there are no tasks to speak of; missing topics will come.
    if (*err == ERR_REFUSED && out->error != STREAMS_STATUS_MISSING_INTERNAL_TOPICS)
        out->subtopology_count = out->missing_count = 0;
    *err = 0;
    return out;
}

void streams_configured_free(struct streams_configured *c)
{
    if (c != NULL)
        arena_release(&c->memory);
    mem_free(c);
}

const struct streams_configured_subtopology *
streams_configured_find(const struct streams_configured *c, struct str id)
{
    int32_t low = 0, high = c->subtopology_count;
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        int order = str_compare(c->subtopologies[middle].from->subtopology_id, id);
        if (order == 0)
            return &c->subtopologies[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

int64_t streams_compute_hash(const struct streams_group_topology_value *value,
                             const struct metadata_image *image)
{
    struct arena arena;
    int32_t count, found = 0;
    arena_init(&arena, MEMORY_MAX);
    struct str *names = streams_required_topics(value, &arena, &count);
    const struct metadata_topic **topics =
        arena_alloc_array(&arena, (size_t)count + 1, sizeof(*topics));
    for (int32_t i = 0; names != NULL && topics != NULL && i < count; i++) {
        const struct metadata_topic *t = metadata_image_topic(image, names[i]);
        if (t != NULL)
            topics[found++] = t;
    }
    int64_t hash = topics_hash(image, topics, found);
    arena_release(&arena);
    return hash;
}
