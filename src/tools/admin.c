// SPDX-License-Identifier: Apache-2.0
#include "tools/admin.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "tools/driver.h"
#include "wire/api/create_partitions.h"
#include "wire/api/create_topics.h"
#include "wire/api/delete_topics.h"
#include "wire/api/describe_topic_partitions.h"
#include "wire/api/incremental_alter_configs.h"
#include "wire/api/metadata.h"
#include "wire/api_keys.h"
#include "wire/errors.h"

enum { PAGE_DEFAULT = 2000, CHANGE_TIMEOUT_MS = 30000 };

const char *config_source_name(int8_t source)
{
    static const char *const names[] = {
        "UNKNOWN",
        "DYNAMIC_TOPIC_CONFIG",
        "DYNAMIC_BROKER_CONFIG",
        "DYNAMIC_DEFAULT_BROKER_CONFIG",
        "STATIC_BROKER_CONFIG",
        "DEFAULT_CONFIG",
        "DYNAMIC_BROKER_LOGGER_CONFIG",
        "DYNAMIC_CLIENT_METRICS_CONFIG",
        "DYNAMIC_GROUP_CONFIG",
    };
    bool known = source >= 0 && (size_t)source < sizeof names / sizeof *names;
    return known ? names[source] : "UNKNOWN";
}

// --- Reading ---

static void keep_answer(struct admin_topics *t, struct client_answer *answer)
{
    t->answers = mem_resize(t->answers, (size_t)(t->answer_count + 1) * sizeof *t->answers);
    client_answer_move(&t->answers[t->answer_count++], answer);
}

void admin_topics_release(struct admin_topics *t)
{
    for (int i = 0; i < t->count; i++)
        mem_free(t->items[i].partitions);
    for (int i = 0; i < t->answer_count; i++)
        client_answer_release(&t->answers[i]);
    mem_free(t->items);
    mem_free(t->answers);
    *t = (struct admin_topics){0};
}

static struct admin_topic *topic_add(struct admin_topics *t, struct str name)
{
    t->items = mem_resize(t->items, (size_t)(t->count + 1) * sizeof *t->items);
    t->items[t->count] = (struct admin_topic){.name = name};
    return &t->items[t->count++];
}

static struct admin_partition *partition_add(struct admin_topic *topic)
{
    topic->partitions = mem_resize(
        topic->partitions, (size_t)(topic->partition_count + 1) * sizeof *topic->partitions);
    return &topic->partitions[topic->partition_count++];
}

static int order_topics(const void *a, const void *b)
{
    return str_compare(((const struct admin_topic *)a)->name, ((const struct admin_topic *)b)->name);
}

static int order_partitions(const void *a, const void *b)
{
    int32_t x = ((const struct admin_partition *)a)->index;
    int32_t y = ((const struct admin_partition *)b)->index;
    return (x > y) - (x < y);
}

static void sort_topics(struct admin_topics *t)
{
    if (t->count > 0)
        qsort(t->items, (size_t)t->count, sizeof *t->items, order_topics);
    for (int i = 0; i < t->count; i++)
        if (t->items[i].partition_count > 0)
            qsort(t->items[i].partitions, (size_t)t->items[i].partition_count,
                  sizeof *t->items[i].partitions, order_partitions);
}

static void take_metadata(struct admin_topics *t, const struct metadata_response *m)
{
    for (int i = 0; i < m->topics.count; i++) {
        const struct metadata_response_metadata_response_topic *from = &m->topics.items[i];
        struct admin_topic *topic = topic_add(t, from->name);
        topic->id = from->topic_id;
        topic->internal = from->is_internal;
        topic->error = from->error_code;
        for (int k = 0; k < from->partitions.count; k++) {
            const struct metadata_response_metadata_response_partition *p =
                &from->partitions.items[k];
            *partition_add(topic) = (struct admin_partition){
                .index = p->partition_index,
                .leader = p->leader_id,
                .leader_epoch = p->leader_epoch,
                .error = p->error_code,
                .replicas = p->replica_nodes,
                .isr = p->isr_nodes,
                .elr = {.count = -1},
                .last_known_elr = {.count = -1},
            };
        }
    }
}

// Topics by Metadata; `count` < 0 asks for all.
static int read_metadata(struct driver *d, const struct str *names, int count,
                         struct admin_topics *out)
{
    struct metadata_request m;
    metadata_request_init(&m);
    m.allow_auto_topic_creation = false;
    m.topics.items = mem_alloc_array(count > 0 ? (size_t)count : 1, sizeof *m.topics.items);
    m.topics.count = count;
    for (int i = 0; i < count; i++) {
        metadata_request_metadata_request_topic_init(&m.topics.items[i]);
        m.topics.items[i].name = names[i];
    }
    struct client_answer answer = {0};
    int err = driver_call_versions(d, API_METADATA, 4, 13, CLIENT_NODE_ANY, &m, &answer);
    mem_free(m.topics.items);
    if (err < 0)
        return err;
    keep_answer(out, &answer);
    take_metadata(out, out->answers[out->answer_count - 1].response);
    return 0;
}

int admin_topics_list(struct driver *d, struct admin_topics *out)
{
    *out = (struct admin_topics){0};
    int err = read_metadata(d, NULL, -1, out);
    sort_topics(out);
    return err;
}

static struct admin_topic *last_topic(struct admin_topics *t, struct str name)
{
    bool same = t->count > 0 && str_equal(t->items[t->count - 1].name, name);
    return same ? &t->items[t->count - 1] : topic_add(t, name);
}

static void take_page(struct admin_topics *t, const struct describe_topic_partitions_response *r)
{
    for (int i = 0; i < r->topics.count; i++) {
        const struct describe_topic_partitions_response_describe_topic_partitions_response_topic
            *from = &r->topics.items[i];
        struct admin_topic *topic = last_topic(t, from->name); // a page may end inside a topic
        topic->id = from->topic_id;
        topic->internal = from->is_internal;
        topic->error = from->error_code;
        for (int k = 0; k < from->partitions.count; k++) {
            const struct
                describe_topic_partitions_response_describe_topic_partitions_response_partition *p =
                    &from->partitions.items[k];
            *partition_add(topic) = (struct admin_partition){
                .index = p->partition_index,
                .leader = p->leader_id,
                .leader_epoch = p->leader_epoch,
                .error = p->error_code,
                .replicas = p->replica_nodes,
                .isr = p->isr_nodes,
                .elr = p->eligible_leader_replicas,
                .last_known_elr = p->last_known_elr,
            };
        }
    }
}

static int read_pages(struct driver *d, const struct str *names, int count, int32_t page,
                      struct admin_topics *out)
{
    struct describe_topic_partitions_request body;
    describe_topic_partitions_request_init(&body);
    body.response_partition_limit = page > 0 ? page : PAGE_DEFAULT;
    body.topics.items = mem_alloc_array((size_t)count + 1, sizeof *body.topics.items);
    body.topics.count = count;
    for (int i = 0; i < count; i++) {
        describe_topic_partitions_request_topic_request_init(&body.topics.items[i]);
        body.topics.items[i].name = names[i];
    }
    struct describe_topic_partitions_request_cursor cursor;
    int err;
    for (;;) {
        struct client_answer answer = {0};
        err = driver_call(d, API_DESCRIBE_TOPIC_PARTITIONS, CLIENT_NODE_ANY, &body, &answer);
        if (err < 0)
            break;
        keep_answer(out, &answer);
        const struct describe_topic_partitions_response *r =
            out->answers[out->answer_count - 1].response;
        take_page(out, r);
        if (r->next_cursor == NULL)
            break;
        describe_topic_partitions_request_cursor_init(&cursor);
        cursor.topic_name = r->next_cursor->topic_name;
        cursor.partition_index = r->next_cursor->partition_index;
        body.cursor = &cursor;
    }
    mem_free(body.topics.items);
    return err;
}

static struct admin_topic *find_topic(struct admin_topics *t, struct str name)
{
    for (int i = 0; i < t->count; i++)
        if (str_equal(t->items[i].name, name))
            return &t->items[i];
    return NULL;
}

const struct admin_topic *admin_topics_find(const struct admin_topics *t, struct str name)
{
    for (int i = 0; i < t->count; i++)
        if (str_equal(t->items[i].name, name))
            return &t->items[i];
    return NULL;
}

static int read_configs(struct driver *d, struct admin_topics *t)
{
    struct describe_configs_request body;
    describe_configs_request_init(&body);
    body.resources.items = mem_alloc_array((size_t)t->count + 1, sizeof *body.resources.items);
    body.resources.count = 0;
    for (int i = 0; i < t->count; i++) {
        if (t->items[i].error != 0)
            continue;
        struct describe_configs_request_describe_configs_resource *r =
            &body.resources.items[body.resources.count++];
        describe_configs_request_describe_configs_resource_init(r);
        r->resource_type = RESOURCE_TOPIC;
        r->resource_name = t->items[i].name;
        r->configuration_keys.count = -1;
    }
    int err = 0;
    if (body.resources.count > 0) {
        struct client_answer answer = {0};
        err = driver_call(d, API_DESCRIBE_CONFIGS, CLIENT_NODE_ANY, &body, &answer);
        if (err == 0) {
            keep_answer(t, &answer);
            const struct describe_configs_response *r = t->answers[t->answer_count - 1].response;
            for (int i = 0; i < r->results.count; i++) {
                struct admin_topic *topic = find_topic(t, r->results.items[i].resource_name);
                if (topic != NULL)
                    topic->configs = &r->results.items[i];
            }
        }
    }
    mem_free(body.resources.items);
    return err;
}

int admin_topics_describe(struct driver *d, const struct str *names, int count, bool with_configs,
                          int32_t page, struct admin_topics *out)
{
    *out = (struct admin_topics){0};
    if (count == 0)
        return 0;
    int err = read_pages(d, names, count, page, out);
    if (err == ERR_UNSUPPORTED) {
        admin_topics_release(out);
        err = read_metadata(d, names, count, out);
    }
    sort_topics(out);
    if (err == 0 && with_configs)
        err = read_configs(d, out);
    if (err < 0)
        admin_topics_release(out);
    return err;
}

// --- Changing ---

static void result_set(struct admin_result *out, int16_t code, struct str message)
{
    *out = (struct admin_result){.code = code, .partition_count = -1, .replication_factor = -1};
    if (message.size >= sizeof out->message)
        message.size = sizeof out->message - 1;
    str_copy_to(message, out->message, sizeof out->message);
}

static void fill_new_topic(struct create_topics_request_creatable_topic *t,
                           const struct admin_new_topic *from)
{
    create_topics_request_creatable_topic_init(t);
    t->name = from->name;
    t->num_partitions = from->assignment != NULL ? -1 : from->partition_count;
    t->replication_factor = from->assignment != NULL ? -1 : from->replication_factor;
    t->configs.items = mem_alloc_array((size_t)from->config_count + 1, sizeof *t->configs.items);
    t->configs.count = from->config_count;
    for (int i = 0; i < from->config_count; i++) {
        create_topics_request_creatable_topic_config_init(&t->configs.items[i]);
        t->configs.items[i].name = from->configs[i].name;
        t->configs.items[i].value = from->configs[i].value;
    }
    t->assignments.items =
        mem_alloc_array((size_t)from->assignment_count + 1, sizeof *t->assignments.items);
    t->assignments.count = from->assignment_count;
    for (int i = 0; i < from->assignment_count; i++) {
        create_topics_request_creatable_replica_assignment_init(&t->assignments.items[i]);
        t->assignments.items[i].partition_index = i;
        t->assignments.items[i].broker_ids = from->assignment[i];
    }
}

int admin_topic_create(struct driver *d, const struct admin_new_topic *topic, struct admin_result *out)
{
    struct create_topics_request_creatable_topic item;
    fill_new_topic(&item, topic);
    struct create_topics_request body;
    create_topics_request_init(&body);
    body.topics.items = &item;
    body.topics.count = 1;
    body.timeout_ms = CHANGE_TIMEOUT_MS;
    body.validate_only = topic->validate_only;
    struct client_answer answer = {0};
    // Versions below 4 cannot leave the counts to the cluster.
    bool defaults = topic->assignment == NULL &&
                    (topic->partition_count < 0 || topic->replication_factor < 0);
    int err = driver_call_versions(d, API_CREATE_TOPICS, defaults ? 4 : 2, 7, CLIENT_NODE_ANY, &body,
                                   &answer);
    mem_free(item.configs.items);
    mem_free(item.assignments.items);
    if (err < 0)
        return err;
    const struct create_topics_response *r = answer.response;
    if (r->topics.count == 1) {
        result_set(out, r->topics.items[0].error_code, r->topics.items[0].error_message);
        out->id = r->topics.items[0].topic_id;
        out->partition_count = r->topics.items[0].num_partitions;
        out->replication_factor = r->topics.items[0].replication_factor;
    } else {
        err = ERR_CORRUPT;
    }
    client_answer_release(&answer);
    return err;
}

int admin_topic_delete(struct driver *d, struct str name, struct admin_result *out)
{
    struct delete_topics_request body;
    delete_topics_request_init(&body);
    struct delete_topics_request_delete_topic_state state;
    delete_topics_request_delete_topic_state_init(&state);
    state.name = name;
    body.topics.items = &state;
    body.topics.count = 1;
    body.timeout_ms = CHANGE_TIMEOUT_MS;
    struct client_answer answer = {0};
    // Below 6 the names are in another field.
    int err =
        driver_call_versions(d, API_DELETE_TOPICS, 6, 6, CLIENT_NODE_ANY, &body, &answer);
    if (err < 0)
        return err;
    const struct delete_topics_response *r = answer.response;
    if (r->responses.count == 1)
        result_set(out, r->responses.items[0].error_code, r->responses.items[0].error_message);
    else
        err = ERR_CORRUPT;
    client_answer_release(&answer);
    return err;
}

int admin_topics_delete(struct driver *d, const struct str *names, int count, int16_t *codes)
{
    struct delete_topics_request body;
    delete_topics_request_init(&body);
    struct delete_topics_request_delete_topic_state *states =
        mem_alloc_array((size_t)count + 1, sizeof *states);
    for (int i = 0; i < count; i++) {
        delete_topics_request_delete_topic_state_init(&states[i]);
        states[i].name = names[i];
        codes[i] = KAFKA_UNKNOWN_SERVER_ERROR; // nothing was said of it
    }
    body.topics = (struct delete_topics_request_delete_topic_state_array){states, count};
    body.timeout_ms = CHANGE_TIMEOUT_MS;
    struct client_answer answer = {0};
    // Below 6 the names are in another field.
    int err = driver_call_versions(d, API_DELETE_TOPICS, 6, 6, CLIENT_NODE_ANY, &body, &answer);
    mem_free(states);
    if (err < 0)
        return err;
    const struct delete_topics_response *r = answer.response;
    for (int32_t k = 0; k < r->responses.count; k++)
        for (int i = 0; i < count; i++)
            if (str_equal(r->responses.items[k].name, names[i]))
                codes[i] = r->responses.items[k].error_code;
    client_answer_release(&answer);
    return 0;
}

int admin_topic_grow(struct driver *d, struct str name, int32_t partition_count,
                     const struct wire_int32_array *assignment, int assignment_count,
                     struct admin_result *out)
{
    struct create_partitions_request_create_partitions_topic item;
    create_partitions_request_create_partitions_topic_init(&item);
    item.name = name;
    item.count = partition_count;
    item.assignments.items =
        mem_alloc_array((size_t)assignment_count + 1, sizeof *item.assignments.items);
    item.assignments.count = assignment != NULL ? assignment_count : -1;
    for (int i = 0; i < assignment_count; i++) {
        create_partitions_request_create_partitions_assignment_init(&item.assignments.items[i]);
        item.assignments.items[i].broker_ids = assignment[i];
    }
    struct create_partitions_request body;
    create_partitions_request_init(&body);
    body.topics.items = &item;
    body.topics.count = 1;
    body.timeout_ms = CHANGE_TIMEOUT_MS;
    struct client_answer answer = {0};
    int err = driver_call(d, API_CREATE_PARTITIONS, CLIENT_NODE_ANY, &body, &answer);
    mem_free(item.assignments.items);
    if (err < 0)
        return err;
    const struct create_partitions_response *r = answer.response;
    if (r->results.count == 1)
        result_set(out, r->results.items[0].error_code, r->results.items[0].error_message);
    else
        err = ERR_CORRUPT;
    client_answer_release(&answer);
    return err;
}

int admin_configs_alter(struct driver *d, enum admin_resource type, struct str name, int32_t node,
                        const struct admin_config_change *changes, int count,
                        struct admin_result *out)
{
    struct incremental_alter_configs_request_alter_configs_resource resource;
    incremental_alter_configs_request_alter_configs_resource_init(&resource);
    resource.resource_type = (int8_t)type;
    resource.resource_name = name;
    resource.configs.items = mem_alloc_array((size_t)count + 1, sizeof *resource.configs.items);
    resource.configs.count = count;
    for (int i = 0; i < count; i++) {
        incremental_alter_configs_request_alterable_config_init(&resource.configs.items[i]);
        resource.configs.items[i].name = changes[i].name;
        resource.configs.items[i].config_operation = (int8_t)changes[i].operation;
        resource.configs.items[i].value = changes[i].value;
    }
    struct incremental_alter_configs_request body;
    incremental_alter_configs_request_init(&body);
    body.resources.items = &resource;
    body.resources.count = 1;
    struct client_answer answer = {0};
    int err = driver_call(d, API_INCREMENTAL_ALTER_CONFIGS, node, &body, &answer);
    mem_free(resource.configs.items);
    if (err < 0)
        return err;
    const struct incremental_alter_configs_response *r = answer.response;
    if (r->responses.count == 1)
        result_set(out, r->responses.items[0].error_code, r->responses.items[0].error_message);
    else
        err = ERR_CORRUPT;
    client_answer_release(&answer);
    return err;
}
