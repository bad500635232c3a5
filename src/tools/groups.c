// SPDX-License-Identifier: Apache-2.0
#include "tools/groups.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "client/topology.h"
#include "tools/driver.h"
#include "tools/groups_call.h"
#include "wire/api/consumer_group_describe.h"
#include "wire/api/describe_groups.h"
#include "wire/api/find_coordinator.h"
#include "wire/api/list_groups.h"
#include "wire/api_keys.h"
#include "wire/consumer_protocol.h"
#include "wire/errors.h"
#include "wire/record/consumer_protocol_assignment.h"

enum { RETRY_MS = 100, CLASSIC_MEMBER = 0 };

// ---- Asking a coordinator ----

void groups_result(struct admin_result *out, int16_t code, struct str message)
{
    *out = (struct admin_result){.code = code, .partition_count = -1, .replication_factor = -1};
    if (message.size >= sizeof out->message)
        message.size = sizeof out->message - 1;
    str_copy_to(message, out->message, sizeof out->message);
}

static bool is_passing(int16_t code)
{
    return code == KAFKA_COORDINATOR_NOT_AVAILABLE || code == KAFKA_COORDINATOR_LOAD_IN_PROGRESS ||
           code == KAFKA_NOT_COORDINATOR;
}

// One try: 0 with *node, or -1 in it and the result says why.
static int find_coordinator(struct driver *d, struct str id, int8_t key_type, int32_t *node,
                            struct admin_result *result)
{
    struct find_coordinator_request body;
    struct client_answer answer = {0};
    find_coordinator_request_init(&body);
    body.key_type = key_type;
    body.coordinator_keys = (struct wire_string_array){&id, 1};
    int err = driver_call_versions(d, API_FIND_COORDINATOR, 4, 6, CLIENT_NODE_ANY, &body, &answer);
    *node = -1;
    if (err < 0)
        return err;
    const struct find_coordinator_response *r = answer.response;
    groups_result(result, KAFKA_UNKNOWN_SERVER_ERROR, (struct str){0});
    if (r->coordinators.count == 1) {
        groups_result(result, r->coordinators.items[0].error_code,
                      r->coordinators.items[0].error_message);
        if (result->code == KAFKA_NONE)
            *node = r->coordinators.items[0].node_id;
    }
    client_answer_release(&answer);
    return 0;
}

int groups_call(struct driver *d, const struct groups_request *request, int32_t *node,
                struct client_answer *answer, struct admin_result *result)
{
    int64_t deadline_ms = driver_now_ms(d) + GROUP_WAIT_MS;
    int err = driver_wait_topology(d);
    if (err < 0)
        return err;
    for (;;) {
        err = find_coordinator(d, request->group_id, request->key_type, node, result);
        if (err < 0)
            return err;
        if (*node >= 0) {
            err = driver_call_versions(d, request->api_key, request->version_min,
                                       request->version_max, *node, request->body, answer);
            if (err < 0)
                return err;
            request->read(answer, result);
            if (!is_passing(result->code))
                return 0;
            client_answer_release(answer);
            *answer = (struct client_answer){0};
        }
        if (!is_passing(result->code) || driver_now_ms(d) >= deadline_ms)
            return 0;
        driver_pause(d, RETRY_MS);
    }
}

// ---- Lists ----

static int order_entries(const void *a, const void *b)
{
    return str_compare(((const struct group_entry *)a)->id, ((const struct group_entry *)b)->id);
}

static void take_list(struct group_list *list, int32_t node, const struct list_groups_response *r)
{
    list->items =
        mem_resize(list->items, (size_t)(list->count + r->groups.count + 1) * sizeof *list->items);
    for (int32_t i = 0; i < r->groups.count; i++) {
        const struct list_groups_response_listed_group *g = &r->groups.items[i];
        list->items[list->count++] = (struct group_entry){
            .id = g->group_id,
            .type = g->group_type,
            .state = g->group_state,
            .protocol_type = g->protocol_type,
            .node = node,
        };
    }
}

static int list_node(struct driver *d, int32_t node, const struct list_groups_request *body,
                     struct group_list *out, struct admin_result *result)
{
    int64_t deadline_ms = driver_now_ms(d) + GROUP_WAIT_MS;
    for (;;) {
        struct client_answer answer = {0};
        int err = driver_call(d, API_LIST_GROUPS, node, body, &answer);
        if (err < 0)
            return err;
        const struct list_groups_response *r = answer.response;
        groups_result(result, r->error_code, (struct str){0});
        if (result->code == KAFKA_NONE) {
            out->answers =
                mem_resize(out->answers, (size_t)(out->answer_count + 1) * sizeof *out->answers);
            client_answer_move(&out->answers[out->answer_count++], &answer);
            take_list(out, node, out->answers[out->answer_count - 1].response);
            return 0;
        }
        client_answer_release(&answer);
        if (!is_passing(result->code) || driver_now_ms(d) >= deadline_ms)
            return 0;
        driver_pause(d, RETRY_MS);
    }
}

int admin_groups_list(struct driver *d, struct wire_string_array states,
                      struct wire_string_array types, struct group_list *out,
                      struct admin_result *result)
{
    struct list_groups_request body;
    *out = (struct group_list){0};
    list_groups_request_init(&body);
    body.states_filter = states;
    body.types_filter = types;
    groups_result(result, KAFKA_NONE, (struct str){0});
    int err = driver_wait_topology(d);
    int node_count = topology_of(d)->node_count;
    int32_t *nodes = mem_alloc_array((size_t)node_count + 1, sizeof *nodes);
    for (int i = 0; i < node_count; i++)
        nodes[i] = topology_of(d)->nodes[i].id; // which the next answer may change
    for (int i = 0; err == 0 && i < node_count && result->code == KAFKA_NONE; i++)
        err = list_node(d, nodes[i], &body, out, result);
    mem_free(nodes);
    return err;
}

void admin_group_list_sort(struct group_list *list)
{
    if (list->count > 0)
        qsort(list->items, (size_t)list->count, sizeof *list->items, order_entries);
}

void admin_group_list_release(struct group_list *list)
{
    for (int i = 0; i < list->answer_count; i++)
        client_answer_release(&list->answers[i]);
    mem_free(list->answers);
    mem_free(list->items);
    *list = (struct group_list){0};
}

// ---- Consumer groups (KIP-848) ----

static void read_consumer_code(const struct client_answer *answer, struct admin_result *result)
{
    const struct consumer_group_describe_response *r = answer->response;
    if (r->groups.count == 1)
        groups_result(result, r->groups.items[0].error_code, r->groups.items[0].error_message);
    else
        groups_result(result, KAFKA_UNKNOWN_SERVER_ERROR, (struct str){0});
}

static struct group_share *
take_shares(struct arena *arena, const struct consumer_group_describe_response_assignment *from,
            int *count)
{
    *count = from->topic_partitions.count;
    struct group_share *shares = arena_new_array(arena, (size_t)*count + 1, struct group_share);
    for (int i = 0; shares != NULL && i < *count; i++)
        shares[i] = (struct group_share){from->topic_partitions.items[i].topic_name,
                                         from->topic_partitions.items[i].partitions};
    if (shares == NULL)
        *count = 0;
    return shares;
}

static void take_consumer(struct group_info *g,
                          const struct consumer_group_describe_response_described_group *from)
{
    g->protocol = "consumer";
    g->state = from->group_state;
    g->protocol_type = str_from("consumer");
    g->assignor = from->assignor_name;
    g->epoch = from->group_epoch;
    g->target_epoch = from->assignment_epoch;
    g->members =
        arena_new_array(&g->arena, (size_t)from->members.count + 1, struct group_member_info);
    for (int32_t i = 0; g->members != NULL && i < from->members.count; i++) {
        const struct consumer_group_describe_response_member *m = &from->members.items[i];
        struct group_member_info *to = &g->members[g->member_count++];
        *to = (struct group_member_info){
            .id = m->member_id,
            .instance_id = m->instance_id,
            .client_id = m->client_id,
            .host = m->client_host,
            .epoch = m->member_epoch,
            .is_classic = m->member_type == CLASSIC_MEMBER,
        };
        to->shares = take_shares(&g->arena, &m->assignment, &to->share_count);
        to->target = take_shares(&g->arena, &m->target_assignment, &to->target_count);
    }
}

static int describe_consumer(struct driver *d, struct group_info *g, struct admin_result *result)
{
    struct consumer_group_describe_request body;
    consumer_group_describe_request_init(&body);
    body.group_ids = (struct wire_string_array){&g->id, 1};
    struct groups_request request = {API_CONSUMER_GROUP_DESCRIBE, 0, 1, g->id, &body,
                                     read_consumer_code};
    int err = groups_call(d, &request, &g->node, &g->answer, result);
    if (err < 0 || result->code != KAFKA_NONE)
        return err;
    const struct consumer_group_describe_response *r = g->answer.response;
    take_consumer(g, &r->groups.items[0]);
    return 0;
}

// ---- Classic groups ----

static void read_classic_code(const struct client_answer *answer, struct admin_result *result)
{
    const struct describe_groups_response *r = answer->response;
    if (r->groups.count == 1)
        groups_result(result, r->groups.items[0].error_code, r->groups.items[0].error_message);
    else
        groups_result(result, KAFKA_UNKNOWN_SERVER_ERROR, (struct str){0});
}

// What a client's own assignor dealt out: a version and an assignment (ConsumerProtocol). Another
// protocol's bytes say nothing to us.
static void take_assignment(struct arena *arena, struct bytes in, struct group_member_info *to)
{
    struct consumer_protocol_assignment a;
    if (consumer_protocol_read_assignment(in, arena, &a) != 0)
        return;
    to->shares =
        arena_new_array(arena, (size_t)a.assigned_partitions.count + 1, struct group_share);
    for (int32_t i = 0; to->shares != NULL && i < a.assigned_partitions.count; i++)
        to->shares[to->share_count++] = (struct group_share){
            a.assigned_partitions.items[i].topic, a.assigned_partitions.items[i].partitions};
}

static void take_classic(struct group_info *g,
                         const struct describe_groups_response_described_group *from)
{
    g->state = from->group_state;
    g->protocol_type = from->protocol_type;
    g->assignor = from->protocol_data;
    g->epoch = g->target_epoch = -1;
    g->members =
        arena_new_array(&g->arena, (size_t)from->members.count + 1, struct group_member_info);
    for (int32_t i = 0; g->members != NULL && i < from->members.count; i++) {
        const struct describe_groups_response_described_group_member *m = &from->members.items[i];
        struct group_member_info *to = &g->members[g->member_count++];
        *to = (struct group_member_info){
            .id = m->member_id,
            .instance_id = m->group_instance_id,
            .client_id = m->client_id,
            .host = m->client_host,
            .epoch = -1,
        };
        if (str_is(from->protocol_type, "consumer"))
            take_assignment(&g->arena, m->member_assignment, to);
    }
}

static int describe_classic(struct driver *d, struct group_info *g, struct admin_result *result)
{
    struct describe_groups_request body;
    describe_groups_request_init(&body);
    body.groups = (struct wire_string_array){&g->id, 1};
    struct groups_request request = {API_DESCRIBE_GROUPS, 0, 6, g->id, &body, read_classic_code};
    int err = groups_call(d, &request, &g->node, &g->answer, result);
    if (err < 0 || result->code != KAFKA_NONE)
        return err;
    const struct describe_groups_response *r = g->answer.response;
    take_classic(g, &r->groups.items[0]);
    return 0;
}

int admin_group_describe(struct driver *d, struct str id, struct group_info *out,
                         struct admin_result *result)
{
    *out = (struct group_info){.id = id, .protocol = "classic", .node = -1, .epoch = -1,
                               .target_epoch = -1};
    arena_init(&out->arena, GROUP_INFO_MEMORY_MAX);
    int err = describe_consumer(d, out, result);
    if (err != ERR_UNSUPPORTED && (err < 0 || (result->code != KAFKA_GROUP_ID_NOT_FOUND &&
                                               result->code != KAFKA_UNSUPPORTED_VERSION)))
        return err;
    struct admin_result first = *result;
    client_answer_release(&out->answer);
    out->answer = (struct client_answer){0};
    err = describe_classic(d, out, result);
    if (err == 0 && result->code == KAFKA_GROUP_ID_NOT_FOUND && first.code == result->code)
        *result = first; // the words that Kafka's tools show
    return err;
}

void admin_group_release(struct group_info *g)
{
    client_answer_release(&g->answer);
    arena_release(&g->arena);
    *g = (struct group_info){0};
}

const struct group_member_info *group_owner(const struct group_info *g, struct str topic,
                                            int32_t partition)
{
    for (int i = 0; i < g->member_count; i++)
        for (int k = 0; k < g->members[i].share_count; k++) {
            const struct group_share *share = &g->members[i].shares[k];
            for (int32_t p = 0; str_equal(share->topic, topic) && p < share->partitions.count; p++)
                if (share->partitions.items[p] == partition)
                    return &g->members[i];
        }
    return NULL;
}
