// SPDX-License-Identifier: Apache-2.0
//
// ConsumerGroupHeartbeat: checks, who the member is, then the commands that carry the group on.
#include <stdio.h>

#include "base/err.h"
#include "config/config.h"
#include "group/assign.h"
#include "group/consumer.h"
#include "metadata/image.h"
#include "wire/api/consumer_group_heartbeat.h"

// ---- Answers ----

static void set_error(struct group_call *call, enum kafka_error error)
{
    struct consumer_group_heartbeat_response *reply = call->response;
    consumer_group_heartbeat_response_init(reply);
    reply->error_code = (int16_t)error;
}

__attribute__((format(printf, 4, 0))) static void fill_error(
    struct consumer_group_heartbeat_response *reply, struct arena *arena, enum kafka_error error,
    const char *format, va_list args)
{
    char text[DIAG_TEXT_MAX];
    vsnprintf(text, sizeof(text), format, args);
    consumer_group_heartbeat_response_init(reply);
    reply->error_code = (int16_t)error;
    reply->error_message = arena_copy_str(arena, str_from(text));
}

void consumer_fail(struct group_call *call, enum kafka_error error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fill_error(call->response, call->arena, error, format, args);
    va_end(args);
    call->done(call);
}

void consumer_reply(struct groups *g, struct group_call *call, struct str group_id)
{
    group_reply(call, groups_find(g, group_id));
}

// ---- Checks of the request alone ----

static bool is_blank(struct str s) // null is not
{
    return s.data != NULL && str_trim(s).size == 0;
}

static const char *check_join(const struct consumer_group_heartbeat_request *r)
{
    if (r->rebalance_timeout_ms == -1)
        return "RebalanceTimeoutMs must be provided in first request.";
    if (r->topic_partitions.count != 0)
        return "TopicPartitions must be empty when (re-)joining.";
    if (r->subscribed_topic_names.count < 0 && r->subscribed_topic_regex.data == NULL)
        return "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.";
    return NULL;
}

static const char *check_request(const struct consumer_group_heartbeat_request *r, int16_t version)
{
    bool needs_id = version >= 1 || r->member_epoch > 0 || r->member_epoch == LEAVE_GROUP_MEMBER_EPOCH;
    if (needs_id && is_blank(r->member_id))
        return "MemberId can't be empty.";
    if (is_blank(r->group_id))
        return "GroupId can't be empty.";
    if (is_blank(r->instance_id))
        return "InstanceId can't be empty.";
    if (is_blank(r->rack_id))
        return "RackId can't be empty.";
    if (r->member_epoch == JOIN_GROUP_MEMBER_EPOCH)
        return check_join(r);
    if (r->member_epoch == LEAVE_GROUP_STATIC_MEMBER_EPOCH && r->instance_id.data == NULL)
        return "InstanceId can't be null.";
    if (r->member_epoch < LEAVE_GROUP_STATIC_MEMBER_EPOCH)
        return "MemberEpoch is invalid.";
    return NULL;
}

// The names of the configured assignors, "uniform, range"; whether `wanted` is one of them.
static bool find_assignor(const struct config *config, struct str wanted, char *names, size_t size)
{
    struct str rest = config_list(config, "group.consumer.assignors"), name;
    bool found = false;
    size_t at = 0;
    names[0] = '\0';
    while (config_list_next(&rest, &name)) {
        const struct assignor *a = assignor_find(name);
        if (a == NULL)
            continue;
        found |= str_is(wanted, a->name);
        int written = snprintf(names + at, size - at, "%s%s", at > 0 ? ", " : "", a->name);
        at += at + (size_t)written < size ? (size_t)written : 0;
    }
    return found;
}

__attribute__((format(printf, 4, 5))) static bool refuse(struct consumer_group_heartbeat_response *reply,
                                                         struct arena *arena, enum kafka_error error,
                                                         const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fill_error(reply, arena, error, format, args);
    va_end(args);
    return false;
}

bool groups_check_consumer_heartbeat(const struct config *config, int16_t version,
                                     const struct consumer_group_heartbeat_request *request,
                                     struct consumer_group_heartbeat_response *reply, struct arena *arena)
{
    char names[128];
    const char *wrong = check_request(request, version);
    if (wrong != NULL)
        return refuse(reply, arena, KAFKA_INVALID_REQUEST, "%s", wrong);
    if (request->server_assignor.data != NULL &&
        !find_assignor(config, request->server_assignor, names, sizeof(names)))
        return refuse(reply, arena, KAFKA_UNSUPPORTED_ASSIGNOR,
                      "ServerAssignor %.*s is not supported. Supported assignors: %s.",
                      STR_ARG(request->server_assignor), names);
    return true;
}

// ---- One heartbeat ----

struct heartbeat {
    struct group_call *call;
    const struct consumer_group_heartbeat_request *request;
    struct consumer_change c;
};

static bool joins(const struct heartbeat *h)
{
    return h->request->member_epoch == JOIN_GROUP_MEMBER_EPOCH;
}

// False: the call was ended.
static bool check_group(struct heartbeat *h)
{
    struct str id = h->request->group_id;
    h->c.group = groups_find(h->c.g, id);
    if (h->c.group == NULL && !joins(h)) {
        consumer_fail(h->call, KAFKA_GROUP_ID_NOT_FOUND, "Consumer group %.*s not found.", STR_ARG(id));
        return false;
    }
    if (h->c.group == NULL && !groups_have_room(h->c.g)) {
        consumer_fail(h->call, KAFKA_COORDINATOR_LOAD_IN_PROGRESS, GROUPS_FULL_WORDS);
        return false;
    }
    if (h->c.group == NULL)
        return true;
    if (h->c.group->kind == GROUP_CONSUMER)
        return true;
    if (joins(h) && h->c.group->kind == GROUP_CLASSIC && group_is_empty(h->c.group)) {
        h->c.former = h->c.group;
        h->c.group = NULL;
        return true;
    }
    if (joins(h) && h->c.group->kind == GROUP_CLASSIC) {
        h->c.group = consumer_upgrade(h->c.g, h->c.group, h->call);
        return h->c.group != NULL;
    }
    consumer_fail(h->call, KAFKA_GROUP_ID_NOT_FOUND, "Group %.*s is not a consumer group.", STR_ARG(id));
    return false;
}

static bool check_size(struct heartbeat *h)
{
    int32_t max = config_i32(h->c.g->options.config, "group.consumer.max.size");
    if (!joins(h) || h->c.group == NULL || h->c.group->consumer->member_count < max ||
        consumer_find_member(h->c.group->consumer, h->c.member_id) != NULL)
        return true;
    consumer_fail(h->call, KAFKA_GROUP_MAX_SIZE_REACHED,
                  "The consumer group has reached its maximum capacity of %d members.", max);
    return false;
}

static bool check_epoch(struct heartbeat *h)
{
    int32_t epoch = h->request->member_epoch;
    const struct consumer_member *m = h->c.member;
    if (epoch == m->epoch)
        return true;
    // The answer that told of the newer epoch may have been lost.
    if (epoch < m->epoch && epoch == m->previous_epoch && consumer_owns_no_more(m, &h->c.owned))
        return true;
    consumer_fail(h->call, KAFKA_FENCED_MEMBER_EPOCH,
                  "The consumer group member has a %s member epoch (%d) than the one known by the group "
                  "coordinator (%d). The member must abandon all its partitions and rejoin.",
                  epoch > m->epoch ? "greater" : "smaller", epoch, m->epoch);
    return false;
}

static bool find_dynamic(struct heartbeat *h)
{
    h->c.member = h->c.group == NULL ? NULL : consumer_find_member(h->c.group->consumer, h->c.member_id);
    if (joins(h))
        return true;
    if (h->c.member != NULL)
        return check_epoch(h);
    consumer_fail(h->call, KAFKA_UNKNOWN_MEMBER_ID, "Member %.*s is not a member of group %.*s.",
                  STR_ARG(h->c.member_id), STR_ARG(h->request->group_id));
    return false;
}

static bool join_static(struct heartbeat *h, struct consumer_member *holder)
{
    if (holder == NULL || str_is(h->c.member_id, holder->id)) {
        h->c.member = consumer_find_member(h->c.group->consumer, h->c.member_id);
        return true;
    }
    if (holder->epoch != LEAVE_GROUP_STATIC_MEMBER_EPOCH && !holder->subscription.is_classic) {
        consumer_fail(h->call, KAFKA_UNRELEASED_INSTANCE_ID,
                      "Static member %.*s with instance id %.*s cannot join the group because the instance "
                      "id is owned by %s member.",
                      STR_ARG(h->c.member_id), STR_ARG(h->request->instance_id), holder->id);
        return false;
    }
    h->c.replaced = holder;
    return true;
}

static bool find_static(struct heartbeat *h)
{
    struct str instance = h->request->instance_id;
    struct consumer_member *holder =
        h->c.group == NULL ? NULL : consumer_find_instance(h->c.group->consumer, instance);
    if (joins(h))
        return h->c.group == NULL || join_static(h, holder);
    if (holder == NULL) {
        consumer_fail(h->call, KAFKA_UNKNOWN_MEMBER_ID, "Instance id %.*s is unknown.", STR_ARG(instance));
        return false;
    }
    if (!str_is(h->c.member_id, holder->id)) {
        consumer_fail(h->call, KAFKA_FENCED_INSTANCE_ID,
                      "Static member %.*s with instance id %.*s was fenced by member %s.",
                      STR_ARG(h->c.member_id), STR_ARG(instance), holder->id);
        return false;
    }
    h->c.member = holder;
    return check_epoch(h);
}

// ---- What the member subscribes to ----

static bool merge_topics(struct heartbeat *h)
{
    const struct wire_string_array *names = &h->request->subscribed_topic_names;
    if (names->count < 0)
        return true;
    h->c.after.topics = arena_new_array(h->call->arena, (size_t)names->count + 1, struct str);
    if (h->c.after.topics == NULL)
        return false;
    for (int32_t i = 0; i < names->count; i++)
        h->c.after.topics[i] = names->items[i];
    h->c.after.topic_count = consumer_sort_names(h->c.after.topics, names->count);
    return true;
}

static bool merge_subscription(struct heartbeat *h)
{
    const struct consumer_group_heartbeat_request *r = h->request;
    const struct consumer_member *from = h->c.replaced != NULL ? h->c.replaced : h->c.member;
    h->c.before = from == NULL ? (struct consumer_subscription){.rebalance_timeout_ms = -1,
                                                             .regex = str_from("")}
                             : from->subscription;
    h->c.after = h->c.before;
    h->c.after.is_classic = false;
    h->c.after.protocol_count = 0;
    h->c.after.session_timeout_ms = 0;
    h->c.after.client_id = h->call->client_id.data == NULL ? str_from("") : h->call->client_id;
    h->c.after.client_host = h->call->client_host;
    if (r->instance_id.data != NULL)
        h->c.after.instance_id = r->instance_id;
    if (r->rack_id.data != NULL)
        h->c.after.rack_id = r->rack_id;
    if (r->rebalance_timeout_ms != -1)
        h->c.after.rebalance_timeout_ms = r->rebalance_timeout_ms;
    if (r->server_assignor.data != NULL)
        h->c.after.assignor = r->server_assignor;
    if (r->subscribed_topic_regex.data != NULL)
        h->c.after.regex = r->subscribed_topic_regex;
    return merge_topics(h);
}

// A pattern that nobody has yet is resolved before anything is written: it may be wrong.
static bool resolve_pattern(struct heartbeat *h)
{
    struct str pattern = h->c.after.regex;
    struct diag diag;
    if (pattern.size == 0 || str_equal(pattern, h->c.before.regex))
        return true;
    if (h->c.group != NULL && consumer_find_regex(h->c.group->consumer, pattern) != NULL)
        return true;
    diag_clear(&diag);
    int err = consumer_resolve(h->c.g, pattern, h->call->arena, &h->c.pattern_topics,
                               &h->c.pattern_topic_count, &diag);
    h->c.pattern_is_new = err == 0;
    if (err == 0 || err == ERR_AGAIN) // it is good, and looked for later
        return true;
    consumer_fail(h->call, err == ERR_NOMEM ? KAFKA_UNKNOWN_SERVER_ERROR : KAFKA_INVALID_REGULAR_EXPRESSION,
                  "SubscribedTopicRegex `%.*s` is not a valid regular expression: %s.", STR_ARG(pattern),
                  diag.text);
    return false;
}

// ---- The answer ----

static bool is_full_request(const struct consumer_group_heartbeat_request *r)
{
    return r->member_epoch == JOIN_GROUP_MEMBER_EPOCH ||
           (r->rebalance_timeout_ms != -1 && r->topic_partitions.count >= 0 &&
            (r->subscribed_topic_names.count >= 0 || r->subscribed_topic_regex.data != NULL));
}

static struct consumer_group_heartbeat_response_assignment *assignment_new(struct arena *arena,
                                                                           const struct assignment *a)
{
    struct consumer_group_heartbeat_response_assignment *out =
        arena_new(arena, struct consumer_group_heartbeat_response_assignment);
    if (out == NULL || consumer_group_heartbeat_response_topic_partitions_array_new(
                           arena, a->count, &out->topic_partitions) == NULL)
        return NULL;
    for (int32_t i = 0; i < a->count; i++) {
        struct consumer_group_heartbeat_response_topic_partitions *t = &out->topic_partitions.items[i];
        t->topic_id = a->topics[i].id;
        t->partitions.items = arena_new_array(arena, (size_t)a->topics[i].count, int32_t);
        if (t->partitions.items == NULL)
            return NULL;
        memcpy(t->partitions.items, a->topics[i].partitions,
               (size_t)a->topics[i].count * sizeof(*a->topics[i].partitions));
        t->partitions.count = a->topics[i].count;
    }
    return out;
}

static void answer(struct heartbeat *h, bool changed)
{
    struct consumer_group_heartbeat_response *reply = h->call->response;
    reply->member_id = arena_copy_str(h->call->arena, h->c.member_id);
    reply->member_epoch = h->c.member->epoch;
    reply->heartbeat_interval_ms =
        consumer_setting(h->c.group->consumer, "consumer.heartbeat.interval.ms");
    if (changed || is_full_request(h->request)) {
        reply->assignment = assignment_new(h->call->arena, &h->c.member->assigned);
        if (reply->assignment == NULL) {
            group_call_end_no_memory(h->call);
            return;
        }
    }
    consumer_reply(h->c.g, h->call, h->request->group_id);
}

static void serve(struct heartbeat *h)
{
    bool changed;
    if (!check_group(h) || !check_size(h) ||
        !(h->request->instance_id.data == NULL ? find_dynamic(h) : find_static(h)))
        return;
    if (!merge_subscription(h)) {
        group_call_end_no_memory(h->call);
        return;
    }
    if (!resolve_pattern(h))
        return;
    int err = consumer_change_apply(&h->c, &changed);
    if (err == ERR_REFUSED) {
        consumer_fail(h->call, KAFKA_FENCED_MEMBER_EPOCH,
                      "The consumer group member is in a unknown state. The member must abandon all its "
                      "partitions and rejoin.");
        return;
    }
    if (err != 0) {
        consumer_fail(h->call, coordinator_error(err), "%s", err_text(err));
        return;
    }
    consumer_start_session(h->c.member);
    answer(h, changed);
}

void groups_consumer_heartbeat(struct groups *g, struct group_call *call,
                               const struct coordinator_time *now,
                               const struct consumer_group_heartbeat_request *request)
{
    group_call_begin(call, g, set_error);
    coordinator_set_time(g->coordinator, now);
    if (!groups_check_consumer_heartbeat(g->options.config, call->version, request, call->response,
                                         call->arena)) {
        call->done(call);
        return;
    }
    if (request->member_epoch < 0) {
        consumer_leave(g, call, request);
        return;
    }
    struct heartbeat h = {
        .call = call,
        .request = request,
        .c = {
            .g = g,
            .arena = call->arena,
            .group_id = request->group_id,
            .member_id = request->member_id.size > 0 ? request->member_id : group_new_uuid(g, call->arena),
            .owned = {request->topic_partitions.count >= 0, &request->topic_partitions},
        },
    };
    serve(&h);
}
