// SPDX-License-Identifier: Apache-2.0
//
// StreamsGroupHeartbeat: who the member is, what its topology needs, then the commands that carry the group
// on.
#include "group/streams_heartbeat.h"

#include "base/check.h"
#include "base/err.h"
#include "config/config.h"
#include "metadata/image.h"

// Of the largest record.
enum { TOPOLOGY_SHARE = 4, MEMBER_SHARE = 8 };

// False: the call was ended.
static bool check_group(struct streams_heartbeat *h)
{
    struct str id = h->request->group_id;
    h->group = groups_find(h->g, id);
    if (h->group == NULL && !streams_joins(h)) {
        streams_fail(h->call, KAFKA_GROUP_ID_NOT_FOUND, "Streams group %.*s not found.", STR_ARG(id));
        return false;
    }
    if (h->group == NULL && !groups_have_room(h->g)) {
        streams_fail(h->call, KAFKA_COORDINATOR_LOAD_IN_PROGRESS, GROUPS_FULL_WORDS);
        return false;
    }
    if (h->group == NULL)
        return true;
    if (h->group->kind == GROUP_STREAMS) {
        h->sg = h->group->streams;
        return true;
    }
    if (streams_joins(h) && h->group->kind == GROUP_CLASSIC && group_is_empty(h->group)) {
        h->former = h->group;
        h->group = NULL;
        return true;
    }
    streams_fail(h->call, KAFKA_GROUP_ID_NOT_FOUND, "Group %.*s is not a streams group.", STR_ARG(id));
    return false;
}

static bool check_size(struct streams_heartbeat *h)
{
    const struct streams_group *sg = h->sg;
    struct str instance = h->request->instance_id;
    int32_t max = config_i32(h->g->options.config, "group.streams.max.size");
    if (!streams_joins(h) || sg == NULL || sg->member_count < max ||
        streams_find_member(sg, h->request->member_id) != NULL ||
        (instance.data != NULL && streams_find_instance(sg, instance) != NULL))
        return true;
    streams_fail(h->call, KAFKA_GROUP_MAX_SIZE_REACHED,
                 "The streams group has reached its maximum capacity of %d members.", max);
    return false;
}

// ---- What the member has ----

static bool contains_all(const struct streams_member *m, enum task_role role,
                         const struct streams_group_heartbeat_request_task_ids_array *tasks)
{
    for (int32_t i = 0; i < tasks->count; i++) {
        const struct streams_subtopology *s =
            streams_find_subtopology(m->group, tasks->items[i].subtopology_id);
        for (int32_t p = 0; p < tasks->items[i].partitions.count; p++)
            if (s == NULL || task_set_find(&m->assigned.of[role], s->number,
                                           tasks->items[i].partitions.items[p]) == NULL)
                return false;
    }
    return tasks->count >= 0;
}

static bool owns_no_more(const struct streams_heartbeat *h, const struct streams_member *m)
{
    return contains_all(m, TASK_ACTIVE, &h->request->active_tasks) &&
           contains_all(m, TASK_STANDBY, &h->request->standby_tasks) &&
           contains_all(m, TASK_WARMUP, &h->request->warmup_tasks);
}

static void read_tasks(const struct streams_group *sg,
                       const struct streams_group_heartbeat_request_task_ids_array *from,
                       struct task_set *out)
{
    for (int32_t i = 0; i < from->count; i++) {
        const struct streams_subtopology *s =
            streams_find_subtopology(sg, from->items[i].subtopology_id);
        for (int32_t p = 0; s != NULL && p < from->items[i].partitions.count; p++)
            task_set_push(out, s->number, from->items[i].partitions.items[p], 0);
    }
    task_set_sort(out);
}

static void read_owned(struct streams_heartbeat *h)
{
    h->owned.is_known = h->request->active_tasks.count >= 0;
    if (h->sg == NULL)
        return;
    read_tasks(h->sg, &h->request->active_tasks, &h->owned.tasks.of[TASK_ACTIVE]);
    read_tasks(h->sg, &h->request->standby_tasks, &h->owned.tasks.of[TASK_STANDBY]);
    read_tasks(h->sg, &h->request->warmup_tasks, &h->owned.tasks.of[TASK_WARMUP]);
}

// ---- Who it is ----

static bool check_epoch(struct streams_heartbeat *h)
{
    int32_t epoch = h->request->member_epoch;
    const struct streams_member *m = h->member;
    if (epoch == m->epoch)
        return true;
    // The answer that told of the newer epoch may have been lost.
    if (epoch < m->epoch && epoch == m->previous_epoch && owns_no_more(h, m))
        return true;
    streams_fail(h->call, KAFKA_FENCED_MEMBER_EPOCH,
                 "The streams group member has a %s member epoch (%d) than the one known by the group "
                 "coordinator (%d). The member must abandon all its partitions and rejoin.",
                 epoch > m->epoch ? "greater" : "smaller", epoch, m->epoch);
    return false;
}

static bool find_dynamic(struct streams_heartbeat *h)
{
    h->member = h->sg == NULL ? NULL : streams_find_member(h->sg, h->request->member_id);
    if (streams_joins(h))
        return true;
    if (h->member != NULL)
        return check_epoch(h);
    streams_fail(h->call, KAFKA_UNKNOWN_MEMBER_ID, "Member %.*s is not a member of group %.*s.",
                 STR_ARG(h->request->member_id), STR_ARG(h->request->group_id));
    return false;
}

static bool join_static(struct streams_heartbeat *h, struct streams_member *holder)
{
    struct str id = h->request->member_id;
    if (holder == NULL) {
        h->member = streams_find_member(h->sg, id);
        return true;
    }
    if (holder->epoch != LEAVE_GROUP_STATIC_MEMBER_EPOCH) {
        streams_fail(h->call, KAFKA_UNRELEASED_INSTANCE_ID,
                     "Static member %.*s with instance id %.*s cannot join the group because the instance "
                     "id is owned by %s member.",
                     STR_ARG(id), STR_ARG(h->request->instance_id), holder->id);
        return false;
    }
    h->replaced = holder;
    return true;
}

static bool find_static(struct streams_heartbeat *h)
{
    struct str instance = h->request->instance_id, id = h->request->member_id;
    struct streams_member *holder =
        h->sg == NULL ? NULL : streams_find_instance(h->sg, instance);
    if (streams_joins(h))
        return h->sg == NULL || join_static(h, holder);
    if (holder == NULL) {
        streams_fail(h->call, KAFKA_UNKNOWN_MEMBER_ID, "Instance id %.*s is unknown.", STR_ARG(instance));
        return false;
    }
    if (!str_is(id, holder->id)) {
        streams_fail(h->call, KAFKA_FENCED_INSTANCE_ID,
                     "Static member %.*s with instance id %.*s was fenced by member %s.", STR_ARG(id),
                     STR_ARG(instance), holder->id);
        return false;
    }
    h->member = holder;
    return check_epoch(h);
}

// ---- What the member says of itself ----

static bool merge_tags(struct streams_heartbeat *h)
{
    const struct streams_group_heartbeat_request_key_value_array *from = &h->request->client_tags;
    struct streams_group_member_metadata_value_key_value_array *to = &h->after.client_tags;
    if (from->count < 0)
        return true;
    if (streams_group_member_metadata_value_key_value_array_new(h->call->arena, from->count, to) == NULL)
        return false;
    for (int32_t i = 0; i < from->count; i++) {
        to->items[i].key = from->items[i].key;
        to->items[i].value = from->items[i].value;
    }
    streams_sort_tags(to);
    return true;
}

static void merge_endpoint(struct streams_heartbeat *h)
{
    const struct streams_group_heartbeat_request_endpoint *from = h->request->user_endpoint;
    if (from != NULL) {
        h->endpoint.host = from->host;
        h->endpoint.port = from->port;
        h->after.user_endpoint = &h->endpoint;
    } else if (streams_joins(h)) {
        h->after.user_endpoint = NULL; // one that begins anew has none unless it says so
    }
}

static bool merge_subscription(struct streams_heartbeat *h)
{
    const struct streams_group_heartbeat_request *r = h->request;
    const struct streams_member *from = h->replaced != NULL ? h->replaced : h->member;
    streams_group_member_metadata_value_init(&h->before);
    h->before.instance_id = h->before.rack_id = (struct str){0}; // none, not an empty one
    h->before.topology_epoch = -1;
    if (from != NULL)
        h->before = from->subscription->value;
    h->after = h->before;
    h->after.client_id = h->call->client_id.data == NULL ? str_from("") : h->call->client_id;
    h->after.client_host = h->call->client_host;
    if (r->instance_id.data != NULL)
        h->after.instance_id = r->instance_id;
    if (r->rack_id.data != NULL)
        h->after.rack_id = r->rack_id;
    if (r->rebalance_timeout_ms != -1)
        h->after.rebalance_timeout_ms = r->rebalance_timeout_ms;
    if (r->topology != NULL)
        h->after.topology_epoch = r->topology->epoch;
    if (r->process_id.data != NULL)
        h->after.process_id = r->process_id;
    merge_endpoint(h);
    return merge_tags(h);
}

// Everything that a heartbeat writes is one batch: what a client says must leave room for what follows from
// it. Far more than any application needs.
static bool is_storable(struct streams_heartbeat *h)
{
    size_t max = coordinator_record_bytes_max(h->g->coordinator), size;
    if (wire_size(&streams_group_member_metadata_value_schema, 0, &h->after, &size) != 0 ||
        size > max / MEMBER_SHARE) {
        streams_fail(h->call, KAFKA_INVALID_REQUEST, "The member says too much of itself.");
        return false;
    }
    if (h->is_topology_new &&
        (wire_size(&streams_group_topology_value_schema, 0, &h->topology, &size) != 0 ||
         size > max / TOPOLOGY_SHARE)) {
        streams_fail(h->call, KAFKA_STREAMS_INVALID_TOPOLOGY, "The topology is too large.");
        return false;
    }
    return true;
}

static bool is_new(const struct streams_heartbeat *h)
{
    return h->member == NULL && h->replaced == NULL;
}

// Whether the tasks have to be shared out anew because of what the member says. Of a static member only
// what the assignor looks at counts: it comes and goes with other names.
static bool is_member_changed(const struct streams_heartbeat *h)
{
    if (is_new(h))
        return true;
    if (h->request->instance_id.data == NULL)
        return !streams_subscription_equal(&h->before, &h->after);
    struct streams_group_member_metadata_value same = h->before;
    same.topology_epoch = h->after.topology_epoch;
    same.rack_id = h->after.rack_id;
    same.client_tags = h->after.client_tags;
    same.process_id = h->after.process_id;
    return !streams_subscription_equal(&h->before, &same);
}

// ---- The topology ----

static bool take_topology(struct streams_heartbeat *h)
{
    const struct streams_topology *known = h->sg == NULL ? NULL : h->sg->topology;
    if (h->request->topology == NULL) {
        if (known == NULL)
            streams_fail(h->call, KAFKA_UNKNOWN_SERVER_ERROR,
                         "The topology is null and the group topology is also null.");
        return known != NULL;
    }
    if (!streams_topology_convert(h->request->topology, h->call->arena, &h->topology)) {
        group_call_end_no_memory(h->call);
        return false;
    }
    h->is_topology_new = known == NULL;
    if (known == NULL || known->value.epoch > h->topology.epoch ||
        streams_topology_equal(known, &h->topology, h->call->arena))
        return true;
    streams_fail(h->call, KAFKA_INVALID_REQUEST, "Topology updates are not supported yet.");
    return false;
}

static void fail_topology(struct streams_heartbeat *h, int err, const struct diag *diag)
{
    if (err == ERR_INVALID)
        streams_fail(h->call, KAFKA_STREAMS_INVALID_TOPOLOGY, "%s", diag->text);
    else
        group_call_end_no_memory(h->call);
}

// A new topology is tried before its record is written: it may be wrong. Replaying the record makes the
// copy that stays.
static bool try_topology(struct streams_heartbeat *h)
{
    struct streams_group_topology_value sorted = h->topology;
    size_t count = (size_t)sorted.subtopologies.count;
    struct diag diag;
    int err;
    sorted.subtopologies.items =
        arena_alloc_array(h->call->arena, count + 1, sizeof(*sorted.subtopologies.items));
    if (sorted.subtopologies.items == NULL) {
        group_call_end_no_memory(h->call);
        return false;
    }
    if (count > 0)
        memcpy(sorted.subtopologies.items, h->topology.subtopologies.items,
               count * sizeof(*sorted.subtopologies.items));
    streams_topology_sort(&sorted);
    diag_clear(&diag);
    struct streams_configured *c = streams_configure(&sorted, h->g->image, &err, &diag);
    if (c == NULL)
        fail_topology(h, err, &diag);
    streams_configured_free(c);
    h->hash = streams_compute_hash(&sorted, h->g->image);
    return c != NULL;
}

// Resolves the group's topology if nobody has yet, or topics came or went.
static int configure(struct streams_heartbeat *h, struct diag *diag)
{
    struct streams_group *sg = h->sg;
    int err;
    h->hash = sg->metadata_hash;
    if (sg->configured != NULL && sg->is_metadata_fresh)
        return 0;
    h->hash = streams_compute_hash(&sg->topology->value, h->g->image);
    if (sg->configured != NULL && h->hash == sg->metadata_hash) {
        sg->is_metadata_fresh = true;
        return 0;
    }
    struct streams_configured *c = streams_configure(&sg->topology->value, h->g->image, &err, diag);
    if (c == NULL)
        return err;
    streams_configured_free(sg->configured);
    sg->configured = c;
    return 0;
}

static bool configure_known(struct streams_heartbeat *h)
{
    struct diag diag;
    diag_clear(&diag);
    int err = configure(h, &diag);
    if (err != 0)
        fail_topology(h, err, &diag);
    return err == 0;
}

static bool check_task_ids(struct streams_heartbeat *h,
                           const struct streams_group_heartbeat_request_task_ids_array *tasks)
{
    for (int32_t i = 0; i < tasks->count; i++) {
        struct str id = tasks->items[i].subtopology_id;
        const struct streams_configured_subtopology *s =
            streams_configured_find(h->sg->configured, id);
        if (s == NULL) {
            streams_fail(h->call, KAFKA_INVALID_REQUEST,
                         "Subtopology %.*s does not exist in the topology.", STR_ARG(id));
            return false;
        }
        for (int32_t p = 0; p < tasks->items[i].partitions.count; p++) {
            int32_t partition = tasks->items[i].partitions.items[p];
            if (partition >= 0 && partition < s->task_count)
                continue;
            streams_fail(h->call, KAFKA_INVALID_REQUEST,
                         "Task %d for subtopology %.*s is invalid. Number of tasks for this subtopology: "
                         "%d",
                         partition, STR_ARG(id), s->task_count);
            return false;
        }
    }
    return true;
}

static bool check_owned(struct streams_heartbeat *h)
{
    if (h->sg == NULL || h->sg->configured == NULL || !h->sg->configured->is_ready)
        return true;
    return check_task_ids(h, &h->request->active_tasks) && check_task_ids(h, &h->request->standby_tasks) &&
           check_task_ids(h, &h->request->warmup_tasks);
}

// ---- Carrying the group on ----

// The member takes the place of the one that had its instance id, with its part and its target.
static void write_replacement(const struct streams_heartbeat *h, const struct streams_group *sg)
{
    const struct streams_member *old = h->replaced;
    struct str id = h->request->member_id;
    streams_write_member_tombstones(sg, str_from(old->id));
    streams_write_subscription(sg, id, &h->before);
    streams_write_target(sg, id, &old->target);
    streams_write_current(sg, id, JOIN_GROUP_MEMBER_EPOCH, JOIN_GROUP_MEMBER_EPOCH, old->state,
                          &old->assigned, &old->pending_revocation);
}

static int write_member(struct streams_heartbeat *h)
{
    // A group that is not there yet is known by its id alone.
    struct group unborn = {.id = NULL};
    struct streams_group stand_in = {.groups = h->g, .group = &unborn};
    struct streams_group *sg = h->sg == NULL ? &stand_in : h->sg;
    struct str id = arena_copy_str(h->call->arena, h->request->group_id);
    if (id.data == NULL)
        return ERR_NOMEM;
    if (h->sg == NULL)
        unborn.id = (char *)(uintptr_t)id.data;
    streams_begin(sg);
    if (h->former != NULL)
        group_kind_type(h->former->kind)->write_tombstones(h->g, h->former);
    if (h->replaced != NULL)
        write_replacement(h, sg);
    if (is_new(h) || !streams_subscription_equal(&h->before, &h->after))
        streams_write_subscription(sg, h->request->member_id, &h->after);
    if (h->is_topology_new)
        streams_write_topology(sg, &h->topology);
    int err = streams_end(sg);
    if (err != 0)
        return err;
    h->group = groups_find(h->g, id);
    check(h->group != NULL && h->group->kind == GROUP_STREAMS); // the records made it
    h->sg = h->group->streams;
    h->member = streams_find_member(h->sg, h->request->member_id);
    check(h->member != NULL);
    return 0;
}

static struct consumer_cause cause_of(const struct streams_heartbeat *h, bool is_first, bool member_changed)
{
    return (struct consumer_cause){
        .cause = h->replaced != NULL ? REBALANCE_STATIC_REPLACED
                 : is_first          ? REBALANCE_JOINED
                 : member_changed    ? REBALANCE_SUBSCRIPTION
                                     : REBALANCE_METADATA,
        .member = is_first || member_changed ? str_from(h->member->id) : (struct str){NULL, 0},
        .client_id = h->member->subscription->value.client_id,
        .client_host = h->member->subscription->value.client_host,
        .grown = is_first,
    };
}

static int bump(struct streams_heartbeat *h, bool is_first, bool member_changed)
{
    struct streams_group *sg = h->sg;
    struct streams_configs configs;
    int32_t validated = sg->configured->is_ready ? sg->topology->value.epoch : -1;
    if (!streams_current_configs(sg, h->call->arena, &configs))
        return ERR_NOMEM;
    int err = 0;
    if (member_changed || h->hash != sg->metadata_hash || validated != sg->validated_topology_epoch ||
        !streams_configs_equal(&configs, &sg->last_configs)) {
        struct consumer_cause cause = cause_of(h, is_first, member_changed);
        err = streams_bump(sg, &cause, h->hash, validated, &configs);
    }
    if (err == 0)
        sg->is_metadata_fresh = true;
    return err;
}

static int update_target(struct streams_heartbeat *h)
{
    struct streams_group *sg = h->sg;
    bool is_late = false;
    int err = 0;
    if (h->was_empty)
        streams_start_initial_delay(sg);
    if (coordinator_timer_is_set(&sg->initial_timer)) {
        h->delay_text = "Assignment delayed due to the configured initial rebalance delay.";
        return 0;
    }
    err = streams_update_target(sg, &is_late);
    if (is_late)
        h->delay_text = "Assignment delayed due to the configured assignment interval.";
    return err;
}

// What the first command replaces is a view no more: `before` is of no use afterwards.
static int apply(struct streams_heartbeat *h, bool *changed)
{
    bool is_first = is_new(h), member_changed = is_member_changed(h);
    struct diag diag;
    diag_clear(&diag);
    int err = write_member(h);
    if (err == 0)
        err = configure(h, &diag);
    if (err == 0)
        err = bump(h, is_first, member_changed);
    if (err == 0)
        err = update_target(h);
    if (err == 0)
        err = streams_reconcile(h->member,
                                coordinator_timer_is_set(&h->sg->initial_timer) ? NULL
                                                                                   : &h->member->target,
                                &h->owned, changed);
    return err;
}

static bool endpoint_equal(const struct streams_group_member_metadata_value *a,
                           const struct streams_group_member_metadata_value *b)
{
    if (a->user_endpoint == NULL || b->user_endpoint == NULL)
        return a->user_endpoint == b->user_endpoint;
    return a->user_endpoint->port == b->user_endpoint->port &&
           str_equal(a->user_endpoint->host, b->user_endpoint->host);
}

static void fail_write(struct streams_heartbeat *h, int err)
{
    if (err == ERR_REFUSED)
        streams_fail(h->call, KAFKA_FENCED_MEMBER_EPOCH,
                     "The streams group member is in a unknown state. The member must abandon all its "
                     "tasks and rejoin.");
    else
        streams_fail(h->call, coordinator_error(err), "%s", err_text(err));
}

static void carry_on(struct streams_heartbeat *h)
{
    struct streams_group *sg = h->sg;
    bool changed, endpoint_changed = !endpoint_equal(&h->before, &h->after);
    h->was_there = sg != NULL || h->former != NULL;
    h->was_empty = sg == NULL || sg->member_count == 0;
    coordinator_begin_series(h->g->coordinator);
    int err = apply(h, &changed);
    coordinator_end_series(h->g->coordinator);
    if (err != 0) {
        fail_write(h, err);
        return;
    }
    sg = h->sg;
    streams_take_offsets(h);
    streams_start_session(h->member);
    if (h->request->shutdown_application)
        streams_request_shutdown(sg, h->request->member_id);
    if (streams_answer(h, changed, endpoint_changed))
        group_reply(h->call, h->group);
    else
        group_call_end_no_memory(h->call);
}

static void serve(struct streams_heartbeat *h)
{
    if (!check_group(h) || !check_size(h) ||
        !(h->request->instance_id.data == NULL ? find_dynamic(h) : find_static(h)))
        return;
    if (!merge_subscription(h)) {
        group_call_end_no_memory(h->call);
        return;
    }
    if (!take_topology(h) || !is_storable(h))
        return;
    if (!(h->is_topology_new ? try_topology(h) : configure_known(h)) || !check_owned(h))
        return;
    read_owned(h);
    carry_on(h);
    task_sets_release(&h->owned.tasks);
}

void groups_streams_heartbeat(struct groups *g, struct group_call *call, const struct coordinator_time *now,
                              const struct streams_group_heartbeat_request *request,
                              struct create_topics_request *missing)
{
    group_call_begin(call, g, streams_set_error);
    coordinator_set_time(g->coordinator, now);
    if (!groups_check_streams_heartbeat(request, call->response, call->arena)) {
        call->done(call);
        return;
    }
    if (request->member_epoch < 0) {
        streams_leave(g, call, request);
        return;
    }
    struct streams_heartbeat h = {.g = g, .call = call, .request = request, .missing = missing};
    serve(&h);
}
