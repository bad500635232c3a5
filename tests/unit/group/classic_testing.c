// SPDX-License-Identifier: Apache-2.0
#include "classic_testing.h"

#include <stdlib.h>

static struct arena *memory(struct fixture *f)
{
    struct fixture_call *owner = fixture_call_part(f, NULL, 0);
    owner->is_done = true;
    return &owner->arena;
}

const char *text_of(struct fixture *f, struct str s)
{
    return arena_copy_str(memory(f), s).data;
}

static const char *or_else(const char *text, const char *otherwise)
{
    return text != NULL ? text : otherwise;
}

static int or_number(int number, int otherwise)
{
    return number != 0 ? number : otherwise;
}

struct fixture_call *join_with(struct fixture *f, const struct join_options *o)
{
    int version = o->version == VERSION_0 ? 0 : or_number(o->version, 9);
    struct arena *arena = memory(f);
    struct join_group_request *r = arena_new(arena, struct join_group_request);
    join_group_request_init(r);
    r->group_id = str_from(or_else(o->group, "g"));
    r->member_id = str_from(or_else(o->member, ""));
    r->group_instance_id = str_from(o->instance);
    r->protocol_type = str_from(or_else(o->type, "consumer"));
    r->session_timeout_ms = or_number(o->session_ms, SESSION_MS);
    r->rebalance_timeout_ms = or_number(o->rebalance_ms, REBALANCE_MS);
    r->reason = str_from(o->reason);
    struct str rest = str_from(or_else(o->protocols, "range"));
    join_group_request_join_group_request_protocol_array_new(arena, 400, &r->protocols);
    int32_t count = 0;
    while (rest.size > 0 && count < 400) {
        r->protocols.items[count].name = str_cut(&rest, ',');
        r->protocols.items[count++].metadata = str_bytes(str_from(or_else(o->metadata, "m")));
    }
    r->protocols.count = count;
    struct fixture_call *call = fixture_call_new(f, &join_group_response_schema, (int16_t)version);
    if (o->client != NULL)
        call->call.client_id = str_from(o->client);
    groups_join(f->groups, &call->call, &f->now, r);
    fixture_settle(f);
    return call;
}

const struct join_group_response *joined(const struct fixture_call *call)
{
    assert_true(call->is_done);
    return call->response;
}

const struct sync_group_response *synced(const struct fixture_call *call)
{
    assert_true(call->is_done);
    return call->response;
}

int join_error(const struct fixture_call *call)
{
    return joined(call)->error_code;
}

int sync_error(const struct fixture_call *call)
{
    return synced(call)->error_code;
}

struct fixture_call *sync_group(struct fixture *f, const char *group, const char *member, int generation,
                                const char *parts)
{
    struct arena *arena = memory(f);
    struct sync_group_request *r = arena_new(arena, struct sync_group_request);
    sync_group_request_init(r);
    r->group_id = str_from(group);
    r->member_id = str_from(member);
    r->generation_id = generation;
    r->protocol_type = str_from("consumer");
    r->protocol_name = str_from("range");
    sync_group_request_sync_group_request_assignment_array_new(arena, 2000, &r->assignments);
    r->assignments.count = 0;
    struct str rest = str_from(text_of(f, str_from(parts)));
    while (rest.size > 0) {
        struct str part = str_cut(&rest, ',');
        struct sync_group_request_sync_group_request_assignment *to =
            &r->assignments.items[r->assignments.count++];
        to->member_id = str_cut(&part, '=');
        to->assignment = str_bytes(part);
    }
    struct fixture_call *call = fixture_call_new(f, &sync_group_response_schema, 5);
    groups_sync(f->groups, &call->call, &f->now, r);
    fixture_settle(f);
    return call;
}

int heartbeat(struct fixture *f, const char *group, const char *member, int generation)
{
    struct heartbeat_request r;
    heartbeat_request_init(&r);
    r.group_id = str_from(group);
    r.member_id = str_from(member);
    r.generation_id = generation;
    struct fixture_call *call = fixture_call_new(f, &heartbeat_response_schema, 4);
    groups_heartbeat(f->groups, &call->call, &f->now, &r);
    fixture_settle(f);
    assert_true(call->is_done);
    return ((struct heartbeat_response *)call->response)->error_code;
}

int leave(struct fixture *f, const char *group, const char *member)
{
    struct leave_group_request *r = arena_new(memory(f), struct leave_group_request);
    leave_group_request_init(r);
    r->group_id = str_from(group);
    r->member_id = str_from(member);
    struct fixture_call *call = fixture_call_new(f, &leave_group_response_schema, 2);
    groups_leave(f->groups, &call->call, &f->now, r);
    fixture_settle(f);
    assert_true(call->is_done);
    return ((struct leave_group_response *)call->response)->error_code;
}

struct classic_group *classic_of(struct fixture *f, const char *group)
{
    struct group *found = groups_find(f->groups, str_from(group));
    assert_non_null(found);
    assert_int_equal(found->kind, GROUP_CLASSIC);
    return found->classic;
}

void assert_state(struct fixture *f, const char *group, const char *state, int generation, int members)
{
    struct classic_group *cg = classic_of(f, group);
    assert_string_equal(group_state_name(cg->group), state);
    assert_int_equal(cg->generation, generation);
    assert_int_equal(classic_member_count(cg), members);
}

const char *begin_group(struct fixture *f, const char *group)
{
    struct fixture_call *first = JOIN(f, .group = group);
    assert_int_equal(join_error(first), KAFKA_MEMBER_ID_REQUIRED);
    const char *id = text_of(f, joined(first)->member_id);
    struct fixture_call *second = JOIN(f, .group = group, .member = id);
    fixture_advance(f, INITIAL_DELAY_MS);
    assert_int_equal(join_error(second), KAFKA_NONE);
    char parts[256];
    snprintf(parts, sizeof(parts), "%s=%s", id, id);
    struct fixture_call *sync = sync_group(f, group, id, joined(second)->generation_id, parts);
    assert_int_equal(sync_error(sync), KAFKA_NONE);
    return id;
}

void add_member(struct fixture *f, const char *group, const char **ids, int *count,
                const struct join_options *options)
{
    struct fixture_call *calls[64];
    struct join_options o = *options;
    o.group = group;
    if (o.instance == NULL && o.member == NULL)
        o.member = text_of(f, joined(join_with(f, &o))->member_id);
    calls[*count] = join_with(f, &o);
    for (int i = 0; i < *count; i++)
        calls[i] = JOIN(f, .group = group, .member = ids[i]);
    ids[*count] = text_of(f, joined(calls[*count])->member_id);
    ++*count;
    int generation = joined(calls[0])->generation_id;
    char parts[8192] = "";
    size_t size = 0;
    for (int i = 0; i < *count; i++)
        size += (size_t)snprintf(parts + size, sizeof(parts) - size, "%s%s=%s", i > 0 ? "," : "", ids[i],
                                 ids[i]);
    const char *leader = text_of(f, joined(calls[0])->leader);
    struct fixture_call *syncs[64];
    for (int i = 0; i < *count; i++) {
        assert_int_equal(join_error(calls[i]), KAFKA_NONE);
        if (strcmp(ids[i], leader) != 0)
            syncs[i] = sync_group(f, group, ids[i], generation, "");
    }
    for (int i = 0; i < *count; i++)
        if (strcmp(ids[i], leader) == 0)
            syncs[i] = sync_group(f, group, ids[i], generation, parts);
    for (int i = 0; i < *count; i++) {
        assert_int_equal(sync_error(syncs[i]), KAFKA_NONE);
        assert_true(str_is(bytes_str(synced(syncs[i])->assignment), ids[i]));
    }
}
