// SPDX-License-Identifier: Apache-2.0
//
// DeleteTopics (20), versions 1 to 6: by name, or from 6 on by name or id. RemoveTopic is the only
// record; it takes the partitions and the configuration with it.
#include "base/check.h"
#include "base/err.h"
#include "config/config.h"
#include "controller/internal.h"
#include "wire/api/delete_topics.h"
#include "wire/record/remove_topic_record.h"

struct deletion {
    struct controller *c;
    struct controller_command *cmd;
    struct delete_topics_response *reply;
    struct arena *arena;
    struct names *names; // asked for by name
    struct names *ids;   // asked for by id
    struct api_error all; // what every topic is answered
};

static struct delete_topics_response_deletable_topic_result *result_add(struct deletion *x,
                                                                        struct str name,
                                                                        struct uuid id)
{
    struct delete_topics_response_deletable_topic_result *result =
        &x->reply->responses.items[x->reply->responses.count++];
    result->name = name;
    result->topic_id = id;
    return result;
}

static void topic_delete(struct deletion *x, const struct metadata_topic *t, struct api_error *e)
{
    struct remove_topic_record record = {.topic_id = t->id};
    command_put(x->cmd, METADATA_REMOVE_TOPIC_RECORD, 0, &record, e);
}

static void by_name(struct deletion *x, struct str name)
{
    int uses = names_take(x->names, str_bytes(name));
    if (uses == 0)
        return; // answered before
    struct api_error e = x->all;
    const struct metadata_topic *t =
        e.code == 0 && uses == 1 ? metadata_image_topic(x->cmd->image, name) : NULL;
    if (t != NULL && names_contain(x->ids, bytes_of(t->id.bytes, UUID_SIZE)))
        return; // asked for by id too: refused there
    struct delete_topics_response_deletable_topic_result *result =
        result_add(x, name, (struct uuid){{0}});
    if (e.code == 0 && uses > 1) {
        api_fail(&e, KAFKA_INVALID_REQUEST, "Duplicate topic name.");
    } else if (e.code == 0 && t == NULL) {
        api_fail(&e, KAFKA_UNKNOWN_TOPIC_OR_PARTITION,
                 "This server does not host this topic-partition.");
    } else if (e.code == 0) {
        result->topic_id = t->id;
        topic_delete(x, t, &e);
    }
    result->error_code = e.code;
    result->error_message = api_error_text(&e, x->arena);
}

static void by_id(struct deletion *x, const struct uuid *id)
{
    int uses = names_take(x->ids, bytes_of(id->bytes, UUID_SIZE));
    if (uses == 0)
        return;
    struct api_error e = x->all;
    struct delete_topics_response_deletable_topic_result *result =
        result_add(x, str_of(NULL, 0), *id);
    // Looked up in the state before this request, so that a topic that it names too is recognised.
    const struct metadata_topic *t =
        e.code == 0 && uses == 1 ? metadata_image_topic_by_id(x->c->image, *id) : NULL;
    if (e.code == 0 && uses > 1) {
        api_fail(&e, KAFKA_INVALID_REQUEST, "Duplicate topic id.");
    } else if (e.code == 0 && t == NULL) {
        api_fail(&e, KAFKA_UNKNOWN_TOPIC_ID, "This server does not host this topic ID.");
    } else if (e.code == 0) {
        result->name = arena_copy_str(x->arena, t->name);
        if (names_contain(x->names, str_bytes(t->name)))
            api_fail(&e, KAFKA_INVALID_REQUEST,
                     "The provided topic name maps to an ID that was already supplied.");
        else
            topic_delete(x, t, &e);
    }
    result->error_code = e.code;
    result->error_message = api_error_text(&e, x->arena);
}

static void bad_state(struct deletion *x, const struct delete_topics_request_delete_topic_state *s)
{
    struct api_error e = {0};
    struct delete_topics_response_deletable_topic_result *result =
        result_add(x, s->name, s->topic_id);
    api_fail(&e, KAFKA_INVALID_REQUEST,
             s->name.data == NULL ? "Neither topic name nor id were specified."
                                  : "You may not specify both topic name and topic id.");
    result->error_code = e.code;
    result->error_message = api_error_text(&e, x->arena);
}

static void names_collect(struct deletion *x, const struct delete_topics_request *request)
{
    for (int32_t i = 0; i < request->topic_names.count; i++)
        names_add(x->names, str_bytes(request->topic_names.items[i]));
    for (int32_t i = 0; i < request->topics.count; i++) {
        const struct delete_topics_request_delete_topic_state *s = &request->topics.items[i];
        bool has_id = !uuid_is_zero(s->topic_id);
        if (s->name.data != NULL && !has_id)
            names_add(x->names, str_bytes(s->name));
        if (s->name.data == NULL && has_id)
            names_add(x->ids, bytes_of(s->topic_id.bytes, UUID_SIZE));
    }
}

static void topics_delete(struct deletion *x, const struct delete_topics_request *request)
{
    for (int32_t i = 0; i < request->topic_names.count; i++)
        by_name(x, request->topic_names.items[i]);
    for (int32_t i = 0; i < request->topics.count; i++) {
        const struct delete_topics_request_delete_topic_state *s = &request->topics.items[i];
        bool has_id = !uuid_is_zero(s->topic_id);
        if ((s->name.data != NULL) == has_id)
            bad_state(x, s);
        else if (has_id)
            by_id(x, &s->topic_id);
        else
            by_name(x, s->name);
    }
}

void controller_delete_topics(struct controller *c, struct controller_command *cmd,
                              const struct delete_topics_request *request,
                              struct delete_topics_response *reply, struct arena *arena)
{
    delete_topics_response_init(reply);
    int32_t count = (request->topic_names.count > 0 ? request->topic_names.count : 0) +
                    (request->topics.count > 0 ? request->topics.count : 0);
    void *room =
        delete_topics_response_deletable_topic_result_array_new(arena, count, &reply->responses);
    reply->responses.count = 0;
    if (room == NULL)
        return;
    struct deletion x = {.c = c,
                         .cmd = cmd,
                         .reply = reply,
                         .arena = arena,
                         .names = names_new(),
                         .ids = names_new()};
    cmd->atomic = false; // each topic goes for itself
    if (cmd->image == NULL)
        api_fail(&x.all, KAFKA_NOT_CONTROLLER, NULL);
    else if (!config_bool(c->config, "delete.topic.enable"))
        api_fail(&x.all, KAFKA_TOPIC_DELETION_DISABLED, "Topic deletion is disabled.");
    names_collect(&x, request);
    topics_delete(&x, request);
    names_free(x.names);
    names_free(x.ids);
}
