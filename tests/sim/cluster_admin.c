// SPDX-License-Identifier: Apache-2.0
//
// One request at a time, asked again until the answer is definite. What got no answer may still be
// acted on later, which the model is told.
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "cluster_admin.h"
#include "sim_client.h"
#include "wire/api/create_partitions.h"
#include "wire/api/create_topics.h"
#include "wire/api/delete_records.h"
#include "wire/api/delete_topics.h"
#include "wire/api/incremental_alter_configs.h"
#include "wire/api/metadata.h"
#include "wire/api_keys.h"
#include "wire/errors.h"

enum { RETRY_MS = 300, RESOURCE_TOPIC = 2, CONFIG_SET = 0, ANSWER_MS = 6000 };

static void on_done(struct client_request *request, int err, struct client_answer *answer,
                    int64_t now_ms)
{
    struct admin_user *a = request->user;
    sim_note(a->users->sim, (uint64_t)(uint32_t)err << 16 | (uint16_t)request->api_key);
    if (err == 0 && a->answered(a, answer->response)) {
        arena_release(&a->arena);
        a->busy = false;
        return;
    }
    // Refused: nobody was there to take it.
    if (err != ERR_REFUSED && a->unanswered != NULL)
        a->unanswered(a);
    a->retry_ms = now_ms + RETRY_MS;
}

static void step(void *user, int64_t now_ms)
{
    struct admin_user *a = user;
    if (!a->busy || now_ms < a->retry_ms)
        return;
    a->retry_ms = INT64_MAX;
    if (a->asking != NULL)
        a->asking(a);
    client_send(sim_client_get(a->client), &a->request, now_ms);
}

static int64_t next_ms(void *user)
{
    const struct admin_user *a = user;
    return a->busy ? a->retry_ms : INT64_MAX;
}

struct admin_user *admin_user_new(struct users *u, struct sim_host *host)
{
    struct admin_user *a = mem_new(struct admin_user);
    struct client_options options = {
        .client_id = "admin", .request_timeout_ms = 10000, .connect_timeout_ms = 4000};
    struct sim_client_user user = {.step = step, .next_ms = next_ms, .user = a};
    a->users = u;
    a->client = sim_client_new(u->sim, host, &options, u->bootstrap, &user);
    return a;
}

void admin_user_free(struct admin_user *a)
{
    if (a->busy) {
        client_cancel(sim_client_get(a->client), &a->request);
        arena_release(&a->arena);
    }
    sim_client_free(a->client);
    mem_free(a);
}

bool admin_user_is_busy(const struct admin_user *a)
{
    return a->busy;
}

void admin_begin(struct admin_user *a, bool (*answered)(struct admin_user *, const void *),
                 void (*unanswered)(struct admin_user *))
{
    check(!a->busy);
    arena_init(&a->arena, 1 << 16);
    a->busy = true;
    a->asking = NULL;
    a->answered = answered;
    a->unanswered = unanswered;
    a->retry_ms = 0;
}

void admin_ask(struct admin_user *a, int16_t key, int16_t version_min, int16_t version_max,
               const void *body)
{
    a->request = (struct client_request){.api_key = key,
                                         .version_min = version_min,
                                         .version_max = version_max,
                                         .node = CLIENT_NODE_ANY,
                                         .body = body,
                                         .done = on_done,
                                         .user = a};
    sim_client_wake(a->client);
}

static void begin(struct admin_user *a, int topic,
                  bool (*answered)(struct admin_user *, const void *),
                  void (*unanswered)(struct admin_user *))
{
    admin_begin(a, answered, unanswered);
    a->topic = topic;
}

static struct str topic_name(const struct admin_user *a)
{
    return str_from(a->users->model->topics[a->topic].name);
}

static void say_code(const struct admin_user *a, const char *what, int16_t code)
{
    sim_note(a->users->sim, (uint16_t)code);
    users_say(a->users, "%s %.*s: %s", what, STR_ARG(topic_name(a)), kafka_error_name(code));
}

// ---- Create ----

static bool create_answered(struct admin_user *a, const void *response)
{
    const struct create_topics_response *r = response;
    int16_t code =
        r->topics.count == 1 ? r->topics.items[0].error_code : KAFKA_UNKNOWN_SERVER_ERROR;
    say_code(a, "create", code);
    if (code != KAFKA_NONE && code != KAFKA_TOPIC_ALREADY_EXISTS)
        return false;
    model_created(a->users->model, a->topic, code != KAFKA_NONE);
    return true;
}

static void create_unanswered(struct admin_user *a)
{
    model_create_unanswered(a->users->model, a->topic);
}

void admin_user_create(struct admin_user *a, int topic, int partition_count)
{
    begin(a, topic, create_answered, create_unanswered);
    struct create_topics_request *body = arena_new(&a->arena, struct create_topics_request);
    create_topics_request_init(body);
    check(create_topics_request_creatable_topic_array_new(&a->arena, 1, &body->topics));
    body->timeout_ms = ANSWER_MS;
    body->topics.items[0].name = topic_name(a);
    body->topics.items[0].num_partitions = partition_count;
    body->topics.items[0].replication_factor = 1;
    model_create_asked(a->users->model, topic, partition_count);
    admin_ask(a, API_CREATE_TOPICS, 2, 7, body);
}

// ---- Delete ----

static bool delete_answered(struct admin_user *a, const void *response)
{
    const struct delete_topics_response *r = response;
    int16_t code =
        r->responses.count == 1 ? r->responses.items[0].error_code : KAFKA_UNKNOWN_SERVER_ERROR;
    say_code(a, "delete", code);
    if (code != KAFKA_NONE && code != KAFKA_UNKNOWN_TOPIC_OR_PARTITION)
        return false;
    model_deleted(a->users->model, a->topic, code == KAFKA_NONE);
    return true;
}

static void delete_unanswered(struct admin_user *a)
{
    model_delete_unanswered(a->users->model, a->topic);
}

void admin_user_delete(struct admin_user *a, int topic)
{
    begin(a, topic, delete_answered, delete_unanswered);
    struct delete_topics_request *body = arena_new(&a->arena, struct delete_topics_request);
    delete_topics_request_init(body);
    check(delete_topics_request_delete_topic_state_array_new(&a->arena, 1, &body->topics));
    body->timeout_ms = ANSWER_MS;
    body->topics.items[0].name = topic_name(a);
    model_delete_asked(a->users->model, topic);
    admin_ask(a, API_DELETE_TOPICS, 6, 6, body);
}

// ---- More partitions ----

static bool grow_answered(struct admin_user *a, const void *response)
{
    const struct create_partitions_response *r = response;
    int16_t code =
        r->results.count == 1 ? r->results.items[0].error_code : KAFKA_UNKNOWN_SERVER_ERROR;
    say_code(a, "grow", code);
    // INVALID_PARTITIONS: there are as many already, after a try without an answer.
    if (code != KAFKA_NONE && code != KAFKA_INVALID_PARTITIONS)
        return false;
    model_grown(a->users->model, a->topic, a->count);
    return true;
}

void admin_user_grow(struct admin_user *a, int topic, int partition_count)
{
    begin(a, topic, grow_answered, NULL);
    struct create_partitions_request *body = arena_new(&a->arena, struct create_partitions_request);
    create_partitions_request_init(body);
    check(create_partitions_request_create_partitions_topic_array_new(&a->arena, 1, &body->topics));
    body->timeout_ms = ANSWER_MS;
    body->topics.items[0].name = topic_name(a);
    body->topics.items[0].count = partition_count;
    body->topics.items[0].assignments.count = -1;
    a->count = partition_count;
    model_grow_asked(a->users->model, topic, partition_count);
    admin_ask(a, API_CREATE_PARTITIONS, 0, 3, body);
}

// ---- Delete records ----

static bool delete_records_answered(struct admin_user *a, const void *response)
{
    const struct delete_records_response *r = response;
    if (r->topics.count != 1 || r->topics.items[0].partitions.count != 1)
        return false;
    int16_t code = r->topics.items[0].partitions.items[0].error_code;
    say_code(a, "delete records of", code);
    if (code != KAFKA_NONE)
        return false;
    model_started(a->users->model, a->topic, a->partition,
                  r->topics.items[0].partitions.items[0].low_watermark);
    return true;
}

void admin_user_delete_records(struct admin_user *a, int topic, int partition, int64_t offset)
{
    begin(a, topic, delete_records_answered, NULL);
    struct delete_records_request *body = arena_new(&a->arena, struct delete_records_request);
    delete_records_request_init(body);
    check(delete_records_request_delete_records_topic_array_new(&a->arena, 1, &body->topics));
    struct delete_records_request_delete_records_topic *t = &body->topics.items[0];
    check(delete_records_request_delete_records_partition_array_new(&a->arena, 1, &t->partitions));
    body->timeout_ms = ANSWER_MS;
    t->name = topic_name(a);
    t->partitions.items[0].partition_index = partition;
    t->partitions.items[0].offset = offset;
    a->partition = partition;
    model_start_asked(a->users->model, topic, partition, offset);
    admin_ask(a, API_DELETE_RECORDS, 0, 2, body);
}

// ---- Configs ----

static bool config_answered(struct admin_user *a, const void *response)
{
    const struct incremental_alter_configs_response *r = response;
    int16_t code =
        r->responses.count == 1 ? r->responses.items[0].error_code : KAFKA_UNKNOWN_SERVER_ERROR;
    say_code(a, a->key, code);
    return code == KAFKA_NONE;
}

void admin_user_set_config(struct admin_user *a, int topic, const char *key, const char *value)
{
    begin(a, topic, config_answered, NULL);
    struct incremental_alter_configs_request *body =
        arena_new(&a->arena, struct incremental_alter_configs_request);
    incremental_alter_configs_request_init(body);
    check(incremental_alter_configs_request_alter_configs_resource_array_new(&a->arena, 1,
                                                                             &body->resources));
    struct incremental_alter_configs_request_alter_configs_resource *r = &body->resources.items[0];
    check(incremental_alter_configs_request_alterable_config_array_new(&a->arena, 1, &r->configs));
    snprintf(a->key, sizeof a->key, "%s", key);
    snprintf(a->value, sizeof a->value, "%s", value);
    r->resource_type = RESOURCE_TOPIC;
    r->resource_name = topic_name(a);
    r->configs.items[0].name = str_from(a->key);
    r->configs.items[0].value = str_from(a->value);
    r->configs.items[0].config_operation = CONFIG_SET;
    if (strncmp(key, "retention", 9) == 0)
        model_retention_asked(a->users->model, topic);
    admin_ask(a, API_INCREMENTAL_ALTER_CONFIGS, 0, 1, body);
}

// ---- What there is ----

static bool topics_answered(struct admin_user *a, const void *response)
{
    const struct metadata_response *r = response;
    struct model *m = a->users->model;
    for (int i = 0; i < MODEL_TOPICS_MAX; i++) {
        bool exists = false;
        int count = 0;
        for (int k = 0; k < r->topics.count; k++) {
            if (!str_is(r->topics.items[k].name, m->topics[i].name))
                continue;
            exists = r->topics.items[k].error_code == KAFKA_NONE;
            count = r->topics.items[k].partitions.count;
        }
        sim_note(a->users->sim, (uint64_t)exists << 8 | (uint64_t)count);
        model_check_topic(m, i, exists, count);
    }
    return true;
}

void admin_user_check_topics(struct admin_user *a)
{
    begin(a, 0, topics_answered, NULL);
    struct metadata_request *body = arena_new(&a->arena, struct metadata_request);
    metadata_request_init(body);
    body->topics.count = -1;
    body->allow_auto_topic_creation = false;
    admin_ask(a, API_METADATA, 4, 12, body);
}
