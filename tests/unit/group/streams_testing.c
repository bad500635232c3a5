// SPDX-License-Identifier: Apache-2.0
#include "streams_testing.h"

#include <stdlib.h>
#include <string.h>

// ---- Requests from text ----

// Words with ',' between.
static void read_names(struct arena *arena, struct str text, struct wire_string_array *out)
{
    text = str_trim(text);
    out->items = arena_new_array(arena, text.size + 1, struct str);
    out->count = 0;
    while (text.size > 0)
        out->items[out->count++] = str_trim(str_cut(&text, ','));
}

// "name" or "name*3": with so many partitions; and "name@k~v": with a setting.
static void read_topics(struct arena *arena, struct str text,
                        struct streams_group_heartbeat_request_topic_info_array *out)
{
    struct wire_string_array names;
    read_names(arena, text, &names);
    streams_group_heartbeat_request_topic_info_array_new(arena, names.count, out);
    for (int32_t i = 0; i < names.count; i++) {
        struct str rest = names.items[i], settings, name = str_cut(&rest, '@');
        struct streams_group_heartbeat_request_topic_info *t = &out->items[i];
        settings = rest;
        rest = name;
        t->name = str_cut(&rest, '*');
        if (rest.size > 0)
            assert_true(str_parse_i32(rest, &t->partitions));
        t->topic_configs.count = 0;
        if (settings.size == 0)
            continue;
        streams_group_heartbeat_request_key_value_array_new(arena, 1, &t->topic_configs);
        t->topic_configs.items[0].key = str_cut(&settings, '~');
        t->topic_configs.items[0].value = settings;
    }
}

static int16_t index_of(const struct streams_group_heartbeat_request_subtopology *s, struct str name,
                        bool *is_source)
{
    for (int16_t i = 0; i < s->source_topics.count; i++)
        if (str_equal(s->source_topics.items[i], name)) {
            *is_source = true;
            return i;
        }
    *is_source = false;
    for (int16_t i = 0; i < s->repartition_source_topics.count; i++)
        if (str_equal(s->repartition_source_topics.items[i].name, name))
            return i;
    return 99; // of nothing
}

// Groups with '+' between, of topics with ',' between.
static void read_copartitions(struct arena *arena, struct str text,
                              struct streams_group_heartbeat_request_subtopology *s)
{
    text = str_trim(text);
    streams_group_heartbeat_request_copartition_group_array_new(arena, (int32_t)text.size,
                                                                &s->copartition_groups);
    s->copartition_groups.count = 0;
    while (text.size > 0) {
        struct streams_group_heartbeat_request_copartition_group *g =
            &s->copartition_groups.items[s->copartition_groups.count++];
        struct wire_string_array names;
        read_names(arena, str_cut(&text, '+'), &names);
        g->source_topics.items = arena_new_array(arena, (size_t)names.count + 1, int16_t);
        g->repartition_source_topics.items = arena_new_array(arena, (size_t)names.count + 1, int16_t);
        for (int32_t i = 0; i < names.count; i++) {
            bool is_source;
            int16_t index = index_of(s, names.items[i], &is_source);
            struct wire_int16_array *to = is_source ? &g->source_topics : &g->repartition_source_topics;
            to->items[to->count++] = index;
        }
    }
}

// The part of a subtopology's text that begins with a mark, up to the next one.
static struct str part(struct str text, char mark)
{
    size_t from = 0, to;
    while (from < text.size && text.data[from] != mark)
        from++;
    if (from == text.size)
        return str_from("");
    for (to = from + 1; to < text.size && strchr(">!<#=", text.data[to]) == NULL;)
        to++;
    return str_of(text.data + from + 1, to - from - 1);
}

// "id sources > sinks < repartition sources # changelogs = copartition groups".
static void read_subtopology(struct arena *arena, struct str text,
                             struct streams_group_heartbeat_request_subtopology *out)
{
    struct str head = str_trim(text), marked = head;
    size_t end = 0;
    while (end < head.size && strchr(">!<#=", head.data[end]) == NULL)
        end++;
    head.size = end;
    out->subtopology_id = str_cut(&head, ' ');
    read_names(arena, head, &out->source_topics);
    read_names(arena, part(marked, '>'), &out->repartition_sink_topics);
    read_topics(arena, part(marked, '<'), &out->repartition_source_topics);
    read_topics(arena, part(marked, '#'), &out->state_changelog_topics);
    read_copartitions(arena, part(marked, '='), out);
    read_names(arena, part(marked, '!'), &out->source_topic_regex);
}

struct streams_group_heartbeat_request_topology *streams_topology_of(struct arena *arena, const char *text,
                                                                     int32_t epoch)
{
    struct streams_group_heartbeat_request_topology *out =
        arena_new(arena, struct streams_group_heartbeat_request_topology);
    struct str rest = str_from(text);
    out->epoch = epoch;
    streams_group_heartbeat_request_subtopology_array_new(arena, (int32_t)rest.size, &out->subtopologies);
    out->subtopologies.count = 0;
    while (rest.size > 0)
        read_subtopology(arena, str_cut(&rest, ';'), &out->subtopologies.items[out->subtopologies.count++]);
    return out;
}

static void read_tasks(struct arena *arena, const char *text,
                       struct streams_group_heartbeat_request_task_ids_array *out)
{
    struct str rest = str_from(text);
    streams_group_heartbeat_request_task_ids_array_new(arena, (int32_t)rest.size, out);
    out->count = 0;
    while (rest.size > 0) {
        struct str partitions = str_cut(&rest, ' '), id = str_cut(&partitions, ':');
        struct streams_group_heartbeat_request_task_ids *t = &out->items[out->count++];
        t->subtopology_id = id;
        t->partitions.items = arena_new_array(arena, partitions.size + 1, int32_t);
        while (partitions.size > 0)
            assert_true(str_parse_i32(str_cut(&partitions, ','),
                                      &t->partitions.items[t->partitions.count++]));
    }
}

static void read_tags(struct arena *arena, const char *text,
                      struct streams_group_heartbeat_request_key_value_array *out)
{
    struct str rest = str_from(text);
    streams_group_heartbeat_request_key_value_array_new(arena, (int32_t)rest.size, out);
    out->count = 0;
    while (rest.size > 0) {
        struct str value = str_cut(&rest, ' ');
        out->items[out->count].key = str_cut(&value, '=');
        out->items[out->count++].value = value;
    }
}

static void read_offsets(struct arena *arena, const char *text,
                         struct streams_group_heartbeat_request_task_offset_array *out)
{
    struct str rest = str_from(text);
    streams_group_heartbeat_request_task_offset_array_new(arena, (int32_t)rest.size, out);
    out->count = 0;
    while (rest.size > 0) {
        struct streams_group_heartbeat_request_task_offset *o = &out->items[out->count++];
        struct str offset = str_cut(&rest, ' '), task = str_cut(&offset, '=');
        o->subtopology_id = str_cut(&task, ':');
        assert_true(str_parse_i32(task, &o->partition) && str_parse_i64(offset, &o->offset));
    }
}

static void read_all_tasks(struct arena *arena, const struct streams_beat *b,
                           struct streams_group_heartbeat_request *r)
{
    r->active_tasks.count = r->standby_tasks.count = r->warmup_tasks.count = -1;
    if (b->tasks_null || (b->active == NULL && b->epoch != 0))
        return;
    read_tasks(arena, b->active == NULL ? "" : b->active, &r->active_tasks);
    read_tasks(arena, b->standby == NULL ? "" : b->standby, &r->standby_tasks);
    read_tasks(arena, "", &r->warmup_tasks);
}

static struct streams_group_heartbeat_request *request_of(struct arena *arena, const struct streams_beat *b)
{
    struct streams_group_heartbeat_request *r = arena_new(arena, struct streams_group_heartbeat_request);
    char process[64];
    streams_group_heartbeat_request_init(r);
    r->group_id = str_from(b->group == NULL ? "g" : b->group);
    r->member_id = str_from(b->member == NULL ? "m1" : b->member);
    r->member_epoch = b->epoch;
    r->endpoint_information_epoch = b->endpoint_epoch;
    r->instance_id = str_from(b->instance);
    r->rack_id = str_from(b->rack);
    r->rebalance_timeout_ms = b->timeout_ms != 0 ? b->timeout_ms : b->epoch == 0 ? 300000 : -1;
    if (b->topology != NULL)
        r->topology = streams_topology_of(arena, b->topology, b->topology_epoch);
    snprintf(process, sizeof(process), "p-%.*s", STR_ARG(r->member_id));
    if (b->process != NULL || b->epoch == 0)
        r->process_id = arena_copy_str(arena, str_from(b->process != NULL ? b->process : process));
    read_all_tasks(arena, b, r);
    if (b->endpoint != NULL) {
        r->user_endpoint = arena_new(arena, struct streams_group_heartbeat_request_endpoint);
        *r->user_endpoint = (struct streams_group_heartbeat_request_endpoint){str_from(b->endpoint), 9};
    }
    if (b->tags != NULL)
        read_tags(arena, b->tags, &r->client_tags);
    if (b->offsets != NULL)
        read_offsets(arena, b->offsets, &r->task_offsets);
    r->shutdown_application = b->shutdown;
    return r;
}

const struct streams_group_heartbeat_response *streams_beat(struct fixture *f, const struct streams_beat *b)
{
    int16_t version = b->version == 0 ? 1 : b->version < 0 ? 0 : b->version;
    struct fixture_call *call = fixture_call_new(f, &streams_group_heartbeat_response_schema, version);
    struct create_topics_request *missing = arena_new(&call->arena, struct create_topics_request);
    create_topics_request_init(missing);
    groups_streams_heartbeat(f->groups, &call->call, &f->now, request_of(&call->arena, b), missing);
    fixture_settle(f);
    assert_true(call->is_done);
    for (int32_t i = 0; !b->keeps_topics && i < missing->topics.count; i++) {
        char name[250];
        snprintf(name, sizeof(name), "%.*s", STR_ARG(missing->topics.items[i].name));
        fixture_topic(f, name, missing->topics.items[i].num_partitions);
    }
    return call->response;
}

// ---- Answers as text ----

static void print_tasks(struct buf *out, const struct streams_group_heartbeat_response_task_ids_array *tasks)
{
    for (int32_t i = 0; i < tasks->count; i++) {
        buf_printf(out, "%s%.*s:", i > 0 ? " " : "", STR_ARG(tasks->items[i].subtopology_id));
        for (int32_t p = 0; p < tasks->items[i].partitions.count; p++)
            buf_printf(out, "%s%d", p > 0 ? "," : "", tasks->items[i].partitions.items[p]);
    }
}

void assert_streams_beat(struct fixture *f, const struct streams_group_heartbeat_response *r, int32_t epoch,
                         const char *tasks, const char *statuses)
{
    struct buf text;
    (void)f;
    if (r->error_code != 0)
        fail_msg("error %d: %.*s", r->error_code, STR_ARG(r->error_message));
    assert_int_equal(r->member_epoch, epoch);
    buf_init(&text, 1 << 20);
    if (r->active_tasks.count >= 0) {
        print_tasks(&text, &r->active_tasks);
        if (r->standby_tasks.count > 0)
            buf_append_text(&text, " | ");
        print_tasks(&text, &r->standby_tasks);
    }
    assert_true((tasks == NULL) == (r->active_tasks.count < 0));
    assert_string_equal(buf_text(&text), tasks == NULL ? "" : tasks);
    buf_clear(&text);
    for (int32_t i = 0; i < r->status.count; i++)
        buf_printf(&text, "%s%d", i > 0 ? " " : "", r->status.items[i].status_code);
    assert_string_equal(buf_text(&text), statuses);
    buf_release(&text);
}

void assert_streams_error(const struct streams_group_heartbeat_response *r, enum kafka_error error,
                          const char *words)
{
    assert_int_equal(r->error_code, error);
    if (!str_is(r->error_message, words))
        fail_msg("it says \"%.*s\", not \"%s\"", STR_ARG(r->error_message), words);
    assert_int_equal(r->active_tasks.count, -1);
}

struct streams_group *streams_of(struct fixture *f, const char *group)
{
    struct group *g = groups_find(f->groups, str_from(group));
    assert_non_null(g);
    assert_int_equal(g->kind, GROUP_STREAMS);
    return g->streams;
}

struct streams_member *streams_member_of(struct fixture *f, const char *group, const char *member)
{
    struct streams_member *m = streams_find_member(streams_of(f, group), str_from(member));
    assert_non_null(m);
    return m;
}
