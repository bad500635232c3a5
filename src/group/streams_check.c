// SPDX-License-Identifier: Apache-2.0
//
// What can be said of a StreamsGroupHeartbeat without its group, and how one is refused.
#include <stdarg.h>
#include <stdio.h>

#include "group/streams.h"
#include "metadata/topic.h"
#include "wire/api/streams_group_heartbeat.h"

enum { NAMES_MEMORY_MAX = 64 * 1024 * 1024 };

// ---- Answers ----

void streams_set_error(struct group_call *call, enum kafka_error error)
{
    struct streams_group_heartbeat_response *reply = call->response;
    streams_group_heartbeat_response_init(reply);
    reply->error_code = (int16_t)error;
}

__attribute__((format(printf, 4, 0))) static void fill_error(struct streams_group_heartbeat_response *reply,
                                                             struct arena *arena, enum kafka_error error,
                                                             const char *format, va_list args)
{
    char text[DIAG_TEXT_MAX];
    vsnprintf(text, sizeof(text), format, args);
    streams_group_heartbeat_response_init(reply);
    reply->error_code = (int16_t)error;
    reply->error_message = arena_copy_str(arena, str_from(text));
}

void streams_fail(struct group_call *call, enum kafka_error error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fill_error(call->response, call->arena, error, format, args);
    va_end(args);
    call->done(call);
}

// ---- Checks of the request alone ----

static bool is_blank(struct str s) // null is not
{
    return s.data != NULL && str_trim(s).size == 0;
}

static const char *check_join(const struct streams_group_heartbeat_request *r)
{
    if (r->rebalance_timeout_ms == -1)
        return "RebalanceTimeoutMs must be provided in first request.";
    if (r->active_tasks.count != 0)
        return "ActiveTasks must be empty when (re-)joining.";
    if (r->standby_tasks.count != 0)
        return "StandbyTasks must be empty when (re-)joining.";
    if (r->warmup_tasks.count != 0)
        return "WarmupTasks must be empty when (re-)joining.";
    if (r->topology == NULL)
        return "Topology must be non-null when (re-)joining.";
    return NULL;
}

static const char *check_ids(const struct streams_group_heartbeat_request *r)
{
    if (is_blank(r->member_id))
        return "MemberId can't be empty.";
    if (is_blank(r->group_id))
        return "GroupId can't be empty.";
    if (is_blank(r->instance_id))
        return "InstanceId can't be empty.";
    if (is_blank(r->rack_id))
        return "RackId can't be empty.";
    return NULL;
}

static const char *check_tasks(const struct streams_group_heartbeat_request *r)
{
    bool active = r->active_tasks.count >= 0, standby = r->standby_tasks.count >= 0;
    bool warmup = r->warmup_tasks.count >= 0;
    if (active != standby || active != warmup)
        return "If one task-type is non-null, all must be non-null.";
    if (r->member_epoch != JOIN_GROUP_MEMBER_EPOCH && r->topology != NULL)
        return "Topology can only be provided when (re-)joining.";
    return NULL;
}

// Words in `arena`; false: there is something wrong.
__attribute__((format(printf, 4, 5))) static bool refuse(struct streams_group_heartbeat_response *reply,
                                                         struct arena *arena, enum kafka_error error,
                                                         const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fill_error(reply, arena, error, format, args);
    va_end(args);
    return false;
}

static bool check_patterns(const struct streams_group_heartbeat_request_topology *t,
                           struct streams_group_heartbeat_response *reply, struct arena *arena)
{
    for (int32_t i = 0; t != NULL && i < t->subtopologies.count; i++)
        if (t->subtopologies.items[i].source_topic_regex.count != 0)
            return refuse(reply, arena, KAFKA_INVALID_REQUEST,
                          "Regular expressions for source topics are not supported yet.");
    return true;
}

static bool check_changelogs(const struct streams_group_heartbeat_request_topology *t,
                             struct streams_group_heartbeat_response *reply, struct arena *arena)
{
    for (int32_t i = 0; t != NULL && i < t->subtopologies.count; i++) {
        const struct streams_group_heartbeat_request_topic_info_array *topics =
            &t->subtopologies.items[i].state_changelog_topics;
        for (int32_t k = 0; k < topics->count; k++)
            if (topics->items[k].partitions != 0)
                return refuse(reply, arena, KAFKA_STREAMS_INVALID_TOPOLOGY,
                              "Changelog topic %.*s must have an undefined partition count, but it is set "
                              "to %d.",
                              STR_ARG(topics->items[k].name), topics->items[k].partitions);
    }
    return true;
}

static bool is_invalid(struct str name)
{
    struct diag reason;
    diag_clear(&reason);
    return !topic_name_check(name, &reason);
}

// Those of the names for which `is_wrong` is true, "a,b"; "" when there are none.
static void list_names(const struct str *names, int32_t count, bool (*is_wrong)(struct str), char *text,
                       size_t size)
{
    size_t at = 0;
    text[0] = '\0';
    bool found = false;
    for (int32_t i = 0; i < count && at < size; i++) {
        if (!is_wrong(names[i]))
            continue;
        at += (size_t)snprintf(text + at, size - at, "%s%.*s", found ? "," : "", STR_ARG(names[i]));
        found = true;
    }
}

static bool any_name(const struct str *names, int32_t count, bool (*is_wrong)(struct str))
{
    for (int32_t i = 0; i < count; i++)
        if (is_wrong(names[i]))
            return true;
    return false;
}

static bool check_names(const struct streams_group_heartbeat_request_topology *t,
                        struct streams_group_heartbeat_response *reply, struct arena *arena)
{
    struct arena scratch;
    char text[DIAG_TEXT_MAX];
    int32_t count;
    bool ok = true;
    if (t == NULL)
        return true;
    arena_init(&scratch, NAMES_MEMORY_MAX);
    struct str *names = streams_named_topics(t, &scratch, &count);
    if (names == NULL) {
        ok = refuse(reply, arena, KAFKA_STREAMS_INVALID_TOPOLOGY, "The topology is too large.");
    } else if (any_name(names, count, topic_name_is_internal)) {
        list_names(names, count, topic_name_is_internal, text, sizeof(text));
        ok = refuse(reply, arena, KAFKA_STREAMS_INVALID_TOPOLOGY,
                    "Use of Kafka internal topics %s in a Kafka Streams topology is prohibited.", text);
    } else if (any_name(names, count, is_invalid)) {
        list_names(names, count, is_invalid, text, sizeof(text));
        ok = refuse(reply, arena, KAFKA_STREAMS_INVALID_TOPOLOGY,
                    "Topic names %s are not valid topic names.", text);
    }
    arena_release(&scratch);
    return ok;
}

bool groups_check_streams_heartbeat(const struct streams_group_heartbeat_request *r,
                                    struct streams_group_heartbeat_response *reply, struct arena *arena)
{
    if (!check_names(r->topology, reply, arena) || !check_patterns(r->topology, reply, arena))
        return false;
    const char *wrong = check_ids(r);
    if (wrong == NULL && r->member_epoch == JOIN_GROUP_MEMBER_EPOCH)
        wrong = check_join(r);
    if (wrong != NULL)
        return refuse(reply, arena, KAFKA_INVALID_REQUEST, "%s", wrong);
    if (r->member_epoch == JOIN_GROUP_MEMBER_EPOCH && !check_changelogs(r->topology, reply, arena))
        return false;
    if (r->member_epoch == LEAVE_GROUP_STATIC_MEMBER_EPOCH && r->instance_id.data == NULL)
        return refuse(reply, arena, KAFKA_INVALID_REQUEST, "InstanceId can't be null.");
    if (r->member_epoch < LEAVE_GROUP_STATIC_MEMBER_EPOCH)
        return refuse(reply, arena, KAFKA_INVALID_REQUEST,
                      "MemberEpoch is %d, but must be greater than or equal to -2.", r->member_epoch);
    wrong = check_tasks(r);
    return wrong == NULL || refuse(reply, arena, KAFKA_INVALID_REQUEST, "%s", wrong);
}
