// SPDX-License-Identifier: Apache-2.0
//
// Who administers the groups: makes the topics that their members use, and lets them grow; lists and
// describes the groups, deletes them and single offsets. One request at a time.
#include <stdio.h>

#include "base/check.h"
#include "cluster_groups_internal.h"
#include "wire/api/consumer_group_describe.h"
#include "wire/api/create_partitions.h"
#include "wire/api/create_topics.h"
#include "wire/api/delete_groups.h"
#include "wire/api/describe_groups.h"
#include "wire/api/find_coordinator.h"
#include "wire/api/list_groups.h"
#include "wire/api/metadata.h"
#include "wire/api/offset_delete.h"
#include "wire/api_keys.h"
#include "wire/errors.h"

enum { ANSWER_MS = 6000 };

static struct groups_user *user_of(const struct admin_user *a)
{
    return a->owner;
}

static bool is_passing(int16_t error)
{
    return error == KAFKA_NOT_COORDINATOR || error == KAFKA_COORDINATOR_NOT_AVAILABLE ||
           error == KAFKA_COORDINATOR_LOAD_IN_PROGRESS;
}

static void note(struct groups_user *g, const char *what, int group, int16_t error)
{
    sim_note(g->users->sim, (uint16_t)error);
    scene_note(&g->scene, "%s %s: %s", what, group < 0 ? "" : scene_group_id(group),
               kafka_error_name(error));
}

static struct wire_string_array one_group(struct admin_user *a, int group)
{
    struct wire_string_array ids = {arena_alloc(&a->arena, sizeof(struct str)), 1};
    ids.items[0] = str_from(scene_group_id(group));
    return ids;
}

// ---- Topics ----

static bool topics_made(struct admin_user *a, const void *response)
{
    const struct create_topics_response *r = response;
    struct groups_user *g = user_of(a);
    check(r->topics.count == GROUP_TOPICS);
    for (int t = 0; t < GROUP_TOPICS; t++) {
        int16_t error = r->topics.items[t].error_code;
        note(g, "create a topic", -1, error);
        if (error != KAFKA_NONE && error != KAFKA_TOPIC_ALREADY_EXISTS)
            return false;
    }
    g->is_count_old = true;
    return true;
}

static void make_topics(struct groups_user *g)
{
    struct admin_user *a = g->admin;
    admin_begin(a, topics_made, NULL);
    struct create_topics_request *body = arena_new(&a->arena, struct create_topics_request);
    create_topics_request_init(body);
    check(create_topics_request_creatable_topic_array_new(&a->arena, GROUP_TOPICS, &body->topics));
    body->timeout_ms = ANSWER_MS;
    for (int t = 0; t < GROUP_TOPICS; t++) {
        body->topics.items[t].name = str_from(scene_topic_name(t));
        body->topics.items[t].num_partitions =
            1 + (int32_t)scene_below(&g->scene, GROUP_PARTITIONS_MAX - 1);
        body->topics.items[t].replication_factor = 1;
    }
    admin_ask(a, API_CREATE_TOPICS, 2, 7, body);
}

// The topics and their partitions, which never become fewer.
static bool topics_seen(struct admin_user *a, const void *response)
{
    const struct metadata_response *r = response;
    struct groups_user *g = user_of(a);
    check(r->topics.count == GROUP_TOPICS);
    for (int i = 0; i < GROUP_TOPICS; i++) {
        const struct metadata_response_metadata_response_topic *seen = &r->topics.items[i];
        int t = scene_topic_of(&g->scene, seen->name, seen->topic_id);
        check(t >= 0);
        if (seen->error_code == KAFKA_UNKNOWN_TOPIC_OR_PARTITION)
            scene_fail(&g->scene, "topic %s is gone", scene_topic_name(t));
        if (seen->error_code != KAFKA_NONE)
            return false;
        if (seen->partitions.count < g->scene.partition_counts[t])
            scene_fail(&g->scene, "topic %s has fewer partitions", scene_topic_name(t));
        g->scene.topic_ids[t] = seen->topic_id;
        g->scene.partition_counts[t] = seen->partitions.count;
    }
    g->are_topics_known = true;
    g->is_count_old = false;
    return true;
}

static void see_topics(struct groups_user *g)
{
    struct admin_user *a = g->admin;
    admin_begin(a, topics_seen, NULL);
    struct metadata_request *body = arena_new(&a->arena, struct metadata_request);
    metadata_request_init(body);
    check(metadata_request_metadata_request_topic_array_new(&a->arena, GROUP_TOPICS, &body->topics));
    for (int t = 0; t < GROUP_TOPICS; t++)
        body->topics.items[t].name = str_from(scene_topic_name(t));
    body->allow_auto_topic_creation = false;
    admin_ask(a, API_METADATA, 10, 12, body);
}

static bool topic_grown(struct admin_user *a, const void *response)
{
    const struct create_partitions_response *r = response;
    check(r->results.count == 1);
    int16_t error = r->results.items[0].error_code;
    note(user_of(a), "grow a topic", -1, error);
    user_of(a)->is_count_old = true;
    // INVALID_PARTITIONS: there are as many already, after a try without an answer.
    return error == KAFKA_NONE || error == KAFKA_INVALID_PARTITIONS;
}

static void grow_topic(struct groups_user *g, int topic)
{
    struct admin_user *a = g->admin;
    if (g->scene.partition_counts[topic] == GROUP_PARTITIONS_MAX)
        return;
    admin_begin(a, topic_grown, NULL);
    struct create_partitions_request *body = arena_new(&a->arena, struct create_partitions_request);
    create_partitions_request_init(body);
    check(create_partitions_request_create_partitions_topic_array_new(&a->arena, 1, &body->topics));
    body->timeout_ms = ANSWER_MS;
    body->topics.items[0].name = str_from(scene_topic_name(topic));
    body->topics.items[0].count = g->scene.partition_counts[topic] + 1;
    body->topics.items[0].assignments.count = -1;
    admin_ask(a, API_CREATE_PARTITIONS, 0, 3, body);
}

// As every client does it first: that makes the topic in which groups are.
static bool coordinator_found(struct admin_user *a, const void *response)
{
    const struct find_coordinator_response *r = response;
    struct groups_user *g = user_of(a);
    check(r->coordinators.count == 1);
    note(g, "find the coordinator of", 0, r->coordinators.items[0].error_code);
    g->are_topics_made = r->coordinators.items[0].error_code == KAFKA_NONE;
    return g->are_topics_made;
}

static void find_coordinator(struct groups_user *g)
{
    struct admin_user *a = g->admin;
    admin_begin(a, coordinator_found, NULL);
    struct find_coordinator_request *body = arena_new(&a->arena, struct find_coordinator_request);
    find_coordinator_request_init(body);
    body->coordinator_keys = one_group(a, 0);
    admin_ask(a, API_FIND_COORDINATOR, 4, 4, body);
}

// ---- Listing ----

static void note_who_must_exist(struct admin_user *a)
{
    struct groups_user *g = user_of(a);
    // With a directory offline its groups are not there.
    for (int i = 0; i < GROUPS; i++)
        g->must_exist[i] = g->must_fit && group_model_must_exist(&g->scene.model, i);
}

static bool is_listed(const struct list_groups_response *r, int group)
{
    for (int32_t i = 0; i < r->groups.count; i++)
        if (str_is(r->groups.items[i].group_id, scene_group_id(group)))
            return true;
    return false;
}

static bool listed(struct admin_user *a, const void *response)
{
    const struct list_groups_response *r = response;
    struct groups_user *g = user_of(a);
    note(g, "list", -1, r->error_code);
    for (int i = 0; i < GROUPS && r->error_code == KAFKA_NONE; i++) {
        sim_note(g->users->sim, is_listed(r, i));
        if (g->must_exist[i] && !is_listed(r, i))
            scene_fail(&g->scene, "group %s has offsets, and is not listed", scene_group_id(i));
    }
    return r->error_code == KAFKA_NONE;
}

static void list_groups(struct groups_user *g)
{
    struct admin_user *a = g->admin;
    admin_begin(a, listed, NULL);
    a->asking = note_who_must_exist;
    struct list_groups_request *body = arena_new(&a->arena, struct list_groups_request);
    list_groups_request_init(body);
    admin_ask(a, API_LIST_GROUPS, 5, 5, body);
}

// ---- Describing: as one kind of group, and then as the other ----

static bool classic_described(struct admin_user *a, const void *response)
{
    const struct describe_groups_response *r = response;
    struct groups_user *g = user_of(a);
    check(r->groups.count == 1);
    note(g, "describe", g->group, r->groups.items[0].error_code);
    if (is_passing(r->groups.items[0].error_code))
        return false;
    bool is_there = r->groups.items[0].error_code == KAFKA_NONE &&
                    !str_is(r->groups.items[0].group_state, "Dead");
    if (is_there)
        g->described[g->group] = r->groups.items[0].members.count;
    return true;
}

static void describe_classic(struct groups_user *g)
{
    struct admin_user *a = g->admin;
    admin_begin(a, classic_described, NULL);
    struct describe_groups_request *body = arena_new(&a->arena, struct describe_groups_request);
    describe_groups_request_init(body);
    body->groups = one_group(a, g->group);
    admin_ask(a, API_DESCRIBE_GROUPS, 6, 6, body);
}

static bool consumer_described(struct admin_user *a, const void *response)
{
    const struct consumer_group_describe_response *r = response;
    struct groups_user *g = user_of(a);
    check(r->groups.count == 1);
    note(g, "describe", g->group, r->groups.items[0].error_code);
    if (is_passing(r->groups.items[0].error_code))
        return false;
    if (r->groups.items[0].error_code == KAFKA_NONE)
        g->described[g->group] = r->groups.items[0].members.count;
    return true;
}

static void describe_consumer(struct groups_user *g)
{
    struct admin_user *a = g->admin;
    admin_begin(a, consumer_described, NULL);
    struct consumer_group_describe_request *body =
        arena_new(&a->arena, struct consumer_group_describe_request);
    consumer_group_describe_request_init(body);
    body->group_ids = one_group(a, g->group);
    admin_ask(a, API_CONSUMER_GROUP_DESCRIBE, 1, 1, body);
}

void groups_user_describe(struct groups_user *g, bool is_settled)
{
    g->is_describing = true;
    g->must_fit = is_settled;
    for (int i = 0; i < GROUPS; i++)
        g->described[i] = -1;
    g->group = -1;
}

static void check_described(struct groups_user *g)
{
    for (int i = 0; i < GROUPS; i++) {
        int alive = 0;
        for (int k = 0; k < g->member_count; k++)
            alive += i != GROUPS - 1 && member_is_alive(g->members[k]) && member_group(g->members[k]) == i;
        if (alive > 0 && g->described[i] != alive)
            scene_fail(&g->scene, "group %s has %d members, and is described with %d", scene_group_id(i),
                       alive, g->described[i]);
    }
}

// The next group, or a list of all at the end.
static void describe_next(struct groups_user *g)
{
    if (g->group >= 0 && g->described[g->group] < 0 && g->admin->answered == classic_described) {
        describe_consumer(g);
        return;
    }
    if (++g->group < GROUPS) {
        describe_classic(g);
        return;
    }
    g->is_describing = false;
    if (g->must_fit)
        check_described(g);
    list_groups(g);
}

// ---- Deleting a group, or an offset ----

static void for_each_commit(struct groups_user *g, void (*act)(struct group_model *m, int64_t number))
{
    for (int t = 0; t < GROUP_TOPICS; t++)
        for (int p = 0; p < GROUP_PARTITIONS_MAX; p++)
            act(&g->scene.model, g->commits[t][p]);
}

static void delete_begins(struct admin_user *a)
{
    struct groups_user *g = user_of(a);
    struct group_model *model = &g->scene.model;
    if (g->is_deleting) { // the try before this one
        for_each_commit(g, group_model_abandoned);
        group_model_deletion_abandoned(model, g->group);
    }
    g->is_deleting = true;
    group_model_deletion_begins(model, g->group);
    for (int t = 0; t < GROUP_TOPICS; t++)
        for (int p = 0; p < GROUP_PARTITIONS_MAX; p++)
            g->commits[t][p] = group_model_delete(model, g->group, t, p);
}

static void delete_ends(struct groups_user *g, void (*how)(struct group_model *m, int64_t number))
{
    g->is_deleting = false;
    for_each_commit(g, how);
    group_model_deletion_ends(&g->scene.model, g->group);
}

static bool group_deleted(struct admin_user *a, const void *response)
{
    const struct delete_groups_response *r = response;
    struct groups_user *g = user_of(a);
    check(r->results.count == 1);
    int16_t error = r->results.items[0].error_code;
    note(g, "delete", g->group, error);
    if (is_passing(error))
        delete_ends(g, group_model_over);
    else if (error == KAFKA_NONE || error == KAFKA_GROUP_ID_NOT_FOUND)
        delete_ends(g, group_model_done); // not found: nothing of it is there
    else
        delete_ends(g, group_model_refused);
    return !is_passing(error);
}

static void delete_group(struct groups_user *g, int group)
{
    struct admin_user *a = g->admin;
    admin_begin(a, group_deleted, NULL);
    a->asking = delete_begins;
    g->group = group;
    struct delete_groups_request *body = arena_new(&a->arena, struct delete_groups_request);
    delete_groups_request_init(body);
    body->groups_names = one_group(a, group);
    admin_ask(a, API_DELETE_GROUPS, 0, 2, body);
}

static void offset_delete_begins(struct admin_user *a)
{
    struct groups_user *g = user_of(a);
    if (g->is_deleting)
        group_model_abandoned(&g->scene.model, a->offset);
    g->is_deleting = true;
    a->offset = group_model_delete(&g->scene.model, g->group, a->topic, a->partition);
}

static bool offset_deleted(struct admin_user *a, const void *response)
{
    const struct offset_delete_response *r = response;
    struct groups_user *g = user_of(a);
    struct group_model *model = &g->scene.model;
    bool is_told = r->topics.count == 1 && r->topics.items[0].partitions.count == 1;
    int16_t error = r->error_code != KAFKA_NONE || !is_told
                        ? r->error_code
                        : r->topics.items[0].partitions.items[0].error_code;
    note(g, "delete an offset of", g->group, error);
    g->is_deleting = false;
    if (is_passing(error))
        group_model_over(model, a->offset);
    else if (error == KAFKA_NONE || error == KAFKA_GROUP_ID_NOT_FOUND)
        group_model_done(model, a->offset);
    else
        group_model_refused(model, a->offset);
    return !is_passing(error);
}

static void delete_offset(struct groups_user *g, int group)
{
    struct admin_user *a = g->admin;
    admin_begin(a, offset_deleted, NULL);
    a->asking = offset_delete_begins;
    a->topic = (int)scene_below(&g->scene, GROUP_TOPICS);
    a->partition = (int)scene_below(&g->scene, (uint64_t)g->scene.partition_counts[a->topic]);
    g->group = group;
    struct offset_delete_request *body = arena_new(&a->arena, struct offset_delete_request);
    offset_delete_request_init(body);
    check(offset_delete_request_offset_delete_request_topic_array_new(&a->arena, 1, &body->topics));
    struct offset_delete_request_offset_delete_request_topic *t = &body->topics.items[0];
    check(offset_delete_request_offset_delete_request_partition_array_new(&a->arena, 1, &t->partitions));
    body->group_id = str_from(scene_group_id(group));
    t->name = str_from(scene_topic_name(a->topic));
    t->partitions.items[0].partition_index = a->partition;
    admin_ask(a, API_OFFSET_DELETE, 0, 0, body);
}

// ---- One after another ----

void groups_administer(struct groups_user *g)
{
    if (admin_user_is_busy(g->admin))
        return;
    if (!g->are_topics_known && !g->is_count_old)
        make_topics(g);
    else if (!g->are_topics_made)
        find_coordinator(g);
    else if (g->is_count_old)
        see_topics(g);
    else if (g->is_describing)
        describe_next(g);
}

void groups_administer_any(struct groups_user *g)
{
    int group = (int)scene_below(&g->scene, GROUPS);
    if (admin_user_is_busy(g->admin) || g->is_describing)
        return;
    switch (scene_below(&g->scene, 5)) {
    case 0:
        grow_topic(g, (int)scene_below(&g->scene, GROUP_TOPICS));
        break;
    case 1:
        list_groups(g);
        break;
    case 2:
        groups_user_describe(g, false);
        break;
    case 3:
        delete_group(g, group);
        break;
    default:
        delete_offset(g, group);
        break;
    }
}
