// SPDX-License-Identifier: Apache-2.0
#include "consumer_testing.h"

#include <stdlib.h>
#include <string.h>

static struct arena *arena_of(struct fixture_call *call)
{
    return &call->arena;
}

static void set_topics(struct arena *arena, const char *text, struct wire_string_array *out)
{
    struct str rest = str_from(text);
    out->items = arena_new_array(arena, strlen(text) + 1, struct str);
    out->count = 0;
    while (rest.size > 0)
        out->items[out->count++] = str_cut(&rest, ',');
}

static void set_owned(struct fixture *f, struct arena *arena, const char *text,
                      struct consumer_group_heartbeat_request_topic_partitions_array *out)
{
    struct str rest = str_from(text);
    out->items = arena_new_array(arena, OWNED_MAX, struct consumer_group_heartbeat_request_topic_partitions);
    out->count = 0;
    while (rest.size > 0) {
        struct str one = str_cut(&rest, ' '), partitions = one, name = str_cut(&partitions, ':');
        struct consumer_group_heartbeat_request_topic_partitions *t = &out->items[out->count++];
        t->topic_id = metadata_image_topic(f->image, name)->id;
        t->partitions.items = arena_new_array(arena, partitions.size + 1, int32_t);
        while (partitions.size > 0)
            assert_true(str_parse_i32(str_cut(&partitions, ','),
                                      &t->partitions.items[t->partitions.count++]));
    }
}

const struct consumer_group_heartbeat_response *beat(struct fixture *f, const struct beat *b)
{
    int16_t version = b->version == 0 ? 1 : b->version < 0 ? 0 : b->version;
    struct fixture_call *call = fixture_call_new(f, &consumer_group_heartbeat_response_schema, version);
    struct arena *arena = arena_of(call);
    struct consumer_group_heartbeat_request *r = arena_new(arena, struct consumer_group_heartbeat_request);
    consumer_group_heartbeat_request_init(r);
    r->group_id = str_from(b->group == NULL ? "g" : b->group);
    r->member_id = str_from(b->member == NULL ? "m1" : b->member);
    r->member_epoch = b->epoch;
    r->instance_id = str_from(b->instance);
    r->rack_id = str_from(b->rack);
    r->rebalance_timeout_ms = b->timeout_ms != 0 ? b->timeout_ms : b->epoch == 0 ? 300000 : -1;
    r->subscribed_topic_names.count = -1;
    if (b->topics != NULL)
        set_topics(arena, b->topics, &r->subscribed_topic_names);
    r->subscribed_topic_regex = str_from(b->regex);
    r->server_assignor = str_from(b->assignor);
    r->topic_partitions.count = -1;
    if (b->owned != NULL || b->epoch == 0)
        set_owned(f, arena, b->owned == NULL ? "" : b->owned, &r->topic_partitions);
    groups_consumer_heartbeat(f->groups, &call->call, &f->now, r);
    fixture_settle(f);
    assert_true(call->is_done);
    return call->response;
}

// ---- Text ----

struct named {
    struct str name;
    const int32_t *partitions;
    int32_t count;
};

static int compare_named(const void *a, const void *b)
{
    return str_compare(((const struct named *)a)->name, ((const struct named *)b)->name);
}

static const char *text_of_named(struct fixture *f, struct named *all, size_t count)
{
    struct fixture_call *memory = fixture_call_part(f, f, 0); // for its arena alone
    memory->is_done = true;
    struct buf out;
    buf_init(&out, 1 << 20);
    qsort(all, count, sizeof(*all), compare_named);
    for (size_t i = 0; i < count; i++) {
        buf_printf(&out, "%s%.*s:", i > 0 ? " " : "", STR_ARG(all[i].name));
        for (int32_t p = 0; p < all[i].count; p++)
            buf_printf(&out, "%s%d", p > 0 ? "," : "", all[i].partitions[p]);
    }
    struct str copy = arena_copy_str(&memory->arena, str_from(buf_text(&out)));
    buf_release(&out);
    return copy.data;
}

static struct str name_of(struct fixture *f, struct uuid id)
{
    const struct metadata_topic *t = metadata_image_topic_by_id(f->image, id);
    return t == NULL ? str_from("(gone)") : t->name;
}

const char *assignment_text(struct fixture *f, const struct assignment *a)
{
    struct named all[64];
    assert_true(a->count <= 64);
    for (int32_t i = 0; i < a->count; i++)
        all[i] = (struct named){name_of(f, a->topics[i].id), a->topics[i].partitions, a->topics[i].count};
    return text_of_named(f, all, (size_t)a->count);
}

void assert_beat(struct fixture *f, const struct consumer_group_heartbeat_response *r, int32_t epoch,
                 const char *assignment)
{
    struct named all[64];
    if (r->error_code != 0)
        fail_msg("error %d: %.*s", r->error_code, STR_ARG(r->error_message));
    assert_int_equal(r->member_epoch, epoch);
    if (assignment == NULL || r->assignment == NULL) {
        assert_true(assignment == NULL && r->assignment == NULL);
        return;
    }
    assert_true(r->assignment->topic_partitions.count <= 64);
    for (int32_t i = 0; i < r->assignment->topic_partitions.count; i++) {
        const struct consumer_group_heartbeat_response_topic_partitions *t =
            &r->assignment->topic_partitions.items[i];
        all[i] = (struct named){name_of(f, t->topic_id), t->partitions.items, t->partitions.count};
    }
    assert_string_equal(text_of_named(f, all, (size_t)r->assignment->topic_partitions.count), assignment);
}

void assert_beat_error(const struct consumer_group_heartbeat_response *r, enum kafka_error error,
                       const char *words)
{
    assert_int_equal(r->error_code, error);
    if (!str_is(r->error_message, words))
        fail_msg("it says \"%.*s\", not \"%s\"", STR_ARG(r->error_message), words);
    assert_null(r->member_id.data);
    assert_null(r->assignment);
}

struct consumer_group *consumer_of(struct fixture *f, const char *group)
{
    struct group *g = groups_find(f->groups, str_from(group));
    assert_non_null(g);
    assert_int_equal(g->kind, GROUP_CONSUMER);
    return g->consumer;
}

struct consumer_member *member_of(struct fixture *f, const char *group, const char *member)
{
    struct consumer_member *m = consumer_find_member(consumer_of(f, group), str_from(member));
    assert_non_null(m);
    return m;
}
