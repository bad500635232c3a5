// SPDX-License-Identifier: Apache-2.0
#include "tools/transactions.h"

#include "base/err.h"
#include "base/mem.h"
#include "tools/driver.h"
#include "tools/groups.h"
#include "tools/groups_call.h"
#include "wire/api/init_producer_id.h"
#include "wire/api/list_transactions.h"
#include "wire/api/write_txn_markers.h"
#include "wire/api_keys.h"
#include "wire/errors.h"

enum { RETRY_MS = 100, TERMINATE_TIMEOUT_MS = 30000, COORDINATES_TRANSACTIONS = 1 };

// ---- Lists ----

static void take_list(struct txn_list *list, int32_t node, const struct list_transactions_response *r)
{
    list->items = mem_resize(list->items, (size_t)(list->count + r->transaction_states.count + 1) *
                                              sizeof *list->items);
    for (int32_t i = 0; i < r->transaction_states.count; i++) {
        const struct list_transactions_response_transaction_state *s = &r->transaction_states.items[i];
        list->items[list->count++] = (struct txn_entry){
            .id = s->transactional_id, .producer_id = s->producer_id, .state = s->transaction_state,
            .node = node};
    }
}

static bool is_passing(int16_t code)
{
    return code == KAFKA_COORDINATOR_LOAD_IN_PROGRESS || code == KAFKA_COORDINATOR_NOT_AVAILABLE ||
           code == KAFKA_NOT_COORDINATOR || code == KAFKA_CONCURRENT_TRANSACTIONS;
}

static int list_node(struct driver *d, int32_t node, const struct list_transactions_request *body,
                     struct txn_list *out, struct admin_result *result)
{
    int16_t version_min = body->transactional_id_pattern.data != NULL ? 2 : body->duration_filter >= 0;
    int64_t deadline_ms = driver_now_ms(d) + GROUP_WAIT_MS;
    for (;;) {
        struct client_answer answer = {0};
        int err = driver_call_versions(d, API_LIST_TRANSACTIONS, version_min, 2, node, body, &answer);
        if (err < 0)
            return err;
        const struct list_transactions_response *r = answer.response;
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

int admin_txns_list(struct driver *d, const struct txn_filter *filter, struct txn_list *out,
                    struct admin_result *result)
{
    struct list_transactions_request body;
    struct str state = filter->state;
    *out = (struct txn_list){0};
    list_transactions_request_init(&body);
    if (state.data != NULL)
        body.state_filters = (struct wire_string_array){&state, 1};
    body.duration_filter = filter->duration_ms;
    body.transactional_id_pattern = str_from(filter->pattern);
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

void admin_txn_list_release(struct txn_list *list)
{
    for (int i = 0; i < list->answer_count; i++)
        client_answer_release(&list->answers[i]);
    mem_free(list->answers);
    mem_free(list->items);
    *list = (struct txn_list){0};
}

// ---- One ----

static void read_described(const struct client_answer *answer, struct admin_result *result)
{
    const struct describe_transactions_response *r = answer->response;
    int16_t code = r->transaction_states.count == 1 ? r->transaction_states.items[0].error_code
                                                    : (int16_t)KAFKA_UNKNOWN_SERVER_ERROR;
    groups_result(result, code, (struct str){0});
}

int admin_txn_describe(struct driver *d, struct str id, struct txn_info *out, struct admin_result *result)
{
    struct describe_transactions_request body;
    describe_transactions_request_init(&body);
    body.transactional_ids = (struct wire_string_array){&id, 1};
    const struct groups_request request = {
        .api_key = API_DESCRIBE_TRANSACTIONS, .group_id = id, .key_type = COORDINATES_TRANSACTIONS,
        .body = &body, .read = read_described};
    *out = (struct txn_info){0};
    int err = groups_call(d, &request, &out->node, &out->answer, result);
    if (err == 0 && result->code == KAFKA_NONE) {
        const struct describe_transactions_response *r = out->answer.response;
        out->state = &r->transaction_states.items[0];
    }
    return err;
}

void admin_txn_release(struct txn_info *txn)
{
    client_answer_release(&txn->answer);
    *txn = (struct txn_info){0};
}

bool txn_covers(const struct txn_info *txn, struct str topic, int32_t partition)
{
    for (int32_t t = 0; t < txn->state->topics.count; t++) {
        const struct describe_transactions_response_topic_data *data = &txn->state->topics.items[t];
        for (int32_t p = 0; str_equal(data->topic, topic) && p < data->partitions.count; p++)
            if (data->partitions.items[p] == partition)
                return true;
    }
    return false;
}

static void read_terminated(const struct client_answer *answer, struct admin_result *result)
{
    const struct init_producer_id_response *r = answer->response;
    groups_result(result, r->error_code, (struct str){0});
}

// A first try may begin to abort what is open, and say that the client should come again.
int admin_txn_terminate(struct driver *d, struct str id, struct admin_result *result)
{
    struct init_producer_id_request body;
    init_producer_id_request_init(&body);
    body.transactional_id = id;
    body.transaction_timeout_ms = TERMINATE_TIMEOUT_MS;
    body.producer_id = -1;
    body.producer_epoch = -1;
    const struct groups_request request = {
        .api_key = API_INIT_PRODUCER_ID, .version_min = 3, .version_max = 5, .group_id = id,
        .key_type = COORDINATES_TRANSACTIONS, .body = &body, .read = read_terminated};
    int64_t deadline_ms = driver_now_ms(d) + GROUP_WAIT_MS;
    for (;;) {
        struct client_answer answer = {0};
        int32_t node;
        int err = groups_call(d, &request, &node, &answer, result);
        client_answer_release(&answer);
        if (err < 0 || result->code != KAFKA_CONCURRENT_TRANSACTIONS || driver_now_ms(d) >= deadline_ms)
            return err;
        driver_pause(d, RETRY_MS);
    }
}

// ---- Producers of a partition ----

// The broker to ask, or an error of the cluster in *result.
static int find_leader(struct driver *d, struct str topic, int32_t partition, int32_t *node,
                       struct admin_result *result)
{
    int err = driver_wait_topic(d, topic, false);
    if (err < 0)
        return err;
    const struct topology_topic *found = topology_topic(topology_of(d), topic);
    int16_t code = found == NULL ? (int16_t)KAFKA_UNKNOWN_TOPIC_OR_PARTITION : found->error;
    if (code == KAFKA_NONE && (partition < 0 || partition >= found->partition_count))
        code = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    *node = code == KAFKA_NONE ? topology_leader(topology_of(d), topic, partition) : -1;
    if (code == KAFKA_NONE && *node < 0)
        code = KAFKA_LEADER_NOT_AVAILABLE;
    groups_result(result, code, (struct str){0});
    return 0;
}

int admin_producers_describe(struct driver *d, struct str topic, int32_t partition, int32_t node,
                             struct txn_producers *out, struct admin_result *result)
{
    struct describe_producers_request_topic_request asked = {
        .name = topic, .partition_indexes = {&partition, 1}};
    struct describe_producers_request body;
    *out = (struct txn_producers){0};
    int err = node >= 0 ? driver_wait_topology(d) : find_leader(d, topic, partition, &node, result);
    if (err < 0 || node < 0)
        return err;
    describe_producers_request_init(&body);
    body.topics.items = &asked;
    body.topics.count = 1;
    err = driver_call(d, API_DESCRIBE_PRODUCERS, node, &body, &out->answer);
    if (err < 0)
        return err;
    const struct describe_producers_response *r = out->answer.response;
    if (r->topics.count != 1 || r->topics.items[0].partitions.count != 1)
        return ERR_CORRUPT;
    const struct describe_producers_response_partition_response *p =
        &r->topics.items[0].partitions.items[0];
    groups_result(result, p->error_code, p->error_message);
    out->items = p->active_producers.items;
    out->count = p->active_producers.count;
    return 0;
}

void admin_producers_release(struct txn_producers *producers)
{
    client_answer_release(&producers->answer);
    *producers = (struct txn_producers){0};
}

static struct txn_spec spec_of(const struct describe_producers_response_producer_state *p,
                               struct str topic, int32_t partition)
{
    return (struct txn_spec){
        .topic = topic,
        .partition = partition,
        .producer_id = p->producer_id,
        .producer_epoch = (int16_t)p->producer_epoch,
        .coordinator_epoch = p->coordinator_epoch,
    };
}

bool txn_spec_of(const struct txn_producers *producers, struct str topic, int32_t partition,
                 int64_t start_offset, struct txn_spec *out)
{
    for (int32_t i = 0; i < producers->count; i++) {
        const struct describe_producers_response_producer_state *p = &producers->items[i];
        if (p->current_txn_start_offset != start_offset || start_offset < 0)
            continue;
        *out = spec_of(p, topic, partition);
        return true;
    }
    return false;
}

static int16_t marker_code(const struct write_txn_markers_response *r)
{
    if (r->markers.count != 1 || r->markers.items[0].topics.count != 1 ||
        r->markers.items[0].topics.items[0].partitions.count != 1)
        return KAFKA_UNKNOWN_SERVER_ERROR;
    return r->markers.items[0].topics.items[0].partitions.items[0].error_code;
}

int admin_txn_abort(struct driver *d, const struct txn_spec *spec, struct admin_result *result)
{
    int32_t node, partition = spec->partition;
    struct write_txn_markers_request_writable_txn_marker_topic topic = {
        .name = spec->topic, .partition_indexes = {&partition, 1}};
    struct write_txn_markers_request_writable_txn_marker marker = {
        .producer_id = spec->producer_id,
        .producer_epoch = spec->producer_epoch,
        .topics = {&topic, 1},
        // A coordinator that never wrote here has not told its epoch: 0 is not above any.
        .coordinator_epoch = spec->coordinator_epoch < 0 ? 0 : spec->coordinator_epoch,
    };
    struct write_txn_markers_request body;
    int err = find_leader(d, spec->topic, spec->partition, &node, result);
    if (err < 0 || node < 0)
        return err;
    write_txn_markers_request_init(&body);
    body.markers.items = &marker;
    body.markers.count = 1;
    struct client_answer answer = {0};
    err = driver_call(d, API_WRITE_TXN_MARKERS, node, &body, &answer);
    if (err == 0)
        groups_result(result, marker_code(answer.response), (struct str){0});
    client_answer_release(&answer);
    return err;
}

// ---- Transactions that hang ----

// What a search goes by: the coordinators' word on every transactional id.
struct search {
    struct driver *d;
    const struct txn_search *of;
    struct txn_list ids;
    void (*found)(void *context, const struct txn_hanging *txn);
    void *context;
    struct admin_result *result;
};

static struct str id_of(const struct search *s, int64_t producer_id)
{
    for (int i = 0; i < s->ids.count; i++)
        if (s->ids.items[i].producer_id == producer_id)
            return s->ids.items[i].id;
    return (struct str){0};
}

// Whether a coordinator will still end it. False also with an error in s->result.
static int is_expected(const struct search *s, const struct txn_spec *spec, bool *out)
{
    struct str id = id_of(s, spec->producer_id);
    struct txn_info txn;
    *out = false;
    if (id.data == NULL)
        return 0;
    int err = admin_txn_describe(s->d, id, &txn, s->result);
    if (err == 0 && s->result->code == KAFKA_TRANSACTIONAL_ID_NOT_FOUND)
        groups_result(s->result, KAFKA_NONE, (struct str){0});
    else if (err == 0 && s->result->code == KAFKA_NONE)
        *out = txn_covers(&txn, spec->topic, spec->partition);
    admin_txn_release(&txn);
    return err;
}

static int search_partition(struct search *s, struct str topic, int32_t partition)
{
    struct txn_producers producers;
    int err = admin_producers_describe(s->d, topic, partition, s->of->node, &producers, s->result);
    for (int32_t i = 0; err == 0 && s->result->code == KAFKA_NONE && i < producers.count; i++) {
        const struct describe_producers_response_producer_state *p = &producers.items[i];
        bool expected;
        struct txn_hanging txn = {
            .spec = spec_of(p, topic, partition),
            .start_offset = p->current_txn_start_offset,
            .last_timestamp = p->last_timestamp,
        };
        if (txn.start_offset < 0 || s->of->now_ms - txn.last_timestamp <= s->of->older_ms)
            continue;
        err = is_expected(s, &txn.spec, &expected);
        if (err == 0 && s->result->code == KAFKA_NONE && !expected)
            s->found(s->context, &txn);
    }
    admin_producers_release(&producers);
    return err;
}

static bool has_replica(const struct admin_partition *p, int32_t node)
{
    for (int32_t i = 0; i < p->replicas.count; i++)
        if (p->replicas.items[i] == node)
            return true;
    return node < 0;
}

static int search_topics(struct search *s)
{
    struct admin_topics topics = {0};
    struct str name = s->of->topic;
    int err = name.data == NULL ? admin_topics_list(s->d, &topics)
                                : admin_topics_describe(s->d, &name, 1, false, 0, &topics);
    for (int i = 0; err == 0 && i < topics.count; i++) {
        const struct admin_topic *t = &topics.items[i];
        if (t->error != KAFKA_NONE)
            groups_result(s->result, t->error, (struct str){0});
        for (int p = 0; err == 0 && s->result->code == KAFKA_NONE && p < t->partition_count; p++)
            if (has_replica(&t->partitions[p], s->of->node))
                err = search_partition(s, t->name, t->partitions[p].index);
    }
    admin_topics_release(&topics);
    return err;
}

int admin_txns_find_hanging(struct driver *d, const struct txn_search *search,
                            void (*found)(void *context, const struct txn_hanging *txn), void *context,
                            struct admin_result *result)
{
    const struct txn_filter all = {.duration_ms = -1};
    struct search s = {.d = d, .of = search, .found = found, .context = context, .result = result};
    int err = admin_txns_list(d, &all, &s.ids, result);
    if (err == 0 && result->code == KAFKA_NONE)
        err = search->partition >= 0 ? search_partition(&s, search->topic, search->partition)
                                     : search_topics(&s);
    admin_txn_list_release(&s.ids);
    return err;
}
