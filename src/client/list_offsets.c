// SPDX-License-Identifier: Apache-2.0
#include "client/list_offsets.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/list.h"
#include "base/mem.h"
#include "client/client.h"
#include "wire/api/list_offsets.h"
#include "wire/api_keys.h"
#include "wire/errors.h"

enum { BODY_ARENA_MAX = 64 << 20 };

// Newer special times need newer versions; else what the broker has.
enum { VERSION_MIN = 1, VERSION_MAX_TIMESTAMP = 7, VERSION_LOCAL = 8, VERSION_TIERED = 9,
       VERSION_PENDING = 11, VERSION_MAX = 11 };

// A partition that is not there may be about to come: this often it is asked for, within some seconds.
enum { UNKNOWN_ATTEMPTS_MAX = 4 };

// A request to one leader, with the queries it asks.
struct ask {
    struct list_node node;
    struct offset_lookup *lookup;
    struct client_request request;
    struct list_offsets_request body;
    struct arena arena;
    struct offset_query **queries;
    int count;
};

struct offset_lookup {
    struct client *client;
    struct offset_query *queries;
    int count;
    int open; // not done
    bool read_committed;
    int64_t deadline_ms;
    struct list asks;
};

static void query_finish(struct offset_lookup *l, struct offset_query *q, int16_t code, int err)
{
    q->done = true;
    q->code = code;
    q->err = err;
    l->open--;
}

// Tries again later if that may help and there is time.
static void query_failed(struct offset_lookup *l, struct offset_query *q, int16_t code, int err,
                         int64_t now_ms)
{
    bool retriable = err == ERR_CLOSED || err == ERR_TIMEOUT ||
                     (err == 0 && kafka_error_is_retriable(code));
    bool is_unknown = code == KAFKA_UNKNOWN_TOPIC_OR_PARTITION && q->attempts >= UNKNOWN_ATTEMPTS_MAX;
    q->asked = false;
    q->retry_ms = now_ms + client_backoff_ms(l->client, q->attempts++);
    if (!retriable || is_unknown || q->retry_ms >= l->deadline_ms)
        query_finish(l, q, code, err);
    else
        client_topology_is_stale(l->client, now_ms);
    q->code = code;
    q->err = err;
}

static struct offset_query *find_asked(const struct ask *ask, struct str topic, int32_t partition)
{
    for (int i = 0; i < ask->count; i++)
        if (ask->queries[i]->partition == partition && str_equal(ask->queries[i]->topic, topic))
            return ask->queries[i];
    return NULL;
}

static void take_answer(struct ask *ask, const struct list_offsets_response *response, int64_t now_ms)
{
    for (int t = 0; t < response->topics.count; t++) {
        const struct list_offsets_response_list_offsets_topic_response *topic =
            &response->topics.items[t];
        for (int i = 0; i < topic->partitions.count; i++) {
            const struct list_offsets_response_list_offsets_partition_response *p =
                &topic->partitions.items[i];
            struct offset_query *q = find_asked(ask, topic->name, p->partition_index);
            if (q == NULL || q->done || !q->asked)
                continue;
            if (p->error_code != 0) {
                query_failed(ask->lookup, q, p->error_code, 0, now_ms);
                continue;
            }
            q->offset = p->offset;
            q->found_timestamp = p->timestamp;
            q->leader_epoch = p->leader_epoch;
            query_finish(ask->lookup, q, 0, 0);
        }
    }
}

static void ask_free(struct ask *ask)
{
    client_cancel(ask->lookup->client, &ask->request);
    list_remove(&ask->node);
    arena_release(&ask->arena);
    mem_free(ask->queries);
    mem_free(ask);
}

static void on_answer(struct client_request *request, int err, struct client_answer *answer,
                      int64_t now_ms)
{
    struct ask *ask = request->user;
    struct offset_lookup *l = ask->lookup;
    if (err == 0)
        take_answer(ask, answer->response, now_ms);
    for (int i = 0; i < ask->count; i++) // those that the answer left out
        if (!ask->queries[i]->done && ask->queries[i]->asked)
            query_failed(l, ask->queries[i], 0, err != 0 ? err : ERR_CORRUPT, now_ms);
    ask_free(ask);
}

static int16_t version_min_of(const struct ask *ask)
{
    int16_t version = VERSION_MIN;
    for (int i = 0; i < ask->count; i++) {
        int64_t timestamp = ask->queries[i]->timestamp;
        int16_t needed = timestamp == LIST_MAX_TIMESTAMP             ? VERSION_MAX_TIMESTAMP
                         : timestamp == LIST_EARLIEST_LOCAL          ? VERSION_LOCAL
                         : timestamp == LIST_LATEST_TIERED           ? VERSION_TIERED
                         : timestamp == LIST_EARLIEST_PENDING_UPLOAD ? VERSION_PENDING
                                                                     : VERSION_MIN;
        version = needed > version ? needed : version;
    }
    return version;
}

// The body: queries of one topic side by side (as they usually come) share a topic entry.
static int fill_body(struct ask *ask, const struct topology *topology, int64_t timeout_ms)
{
    struct list_offsets_request *body = &ask->body;
    list_offsets_request_init(body);
    body->isolation_level = ask->lookup->read_committed;
    body->timeout_ms = (int32_t)timeout_ms;
    body->topics.items = arena_new_array(&ask->arena, (size_t)ask->count,
                                         struct list_offsets_request_list_offsets_topic);
    struct list_offsets_request_list_offsets_partition *partitions = arena_new_array(
        &ask->arena, (size_t)ask->count, struct list_offsets_request_list_offsets_partition);
    if (body->topics.items == NULL || partitions == NULL)
        return ERR_NOMEM;
    for (int i = 0; i < ask->count; i++) {
        const struct offset_query *q = ask->queries[i];
        struct list_offsets_request_list_offsets_topic *topic =
            body->topics.count > 0 ? &body->topics.items[body->topics.count - 1] : NULL;
        if (topic == NULL || !str_equal(topic->name, q->topic)) {
            topic = &body->topics.items[body->topics.count++];
            list_offsets_request_list_offsets_topic_init(topic);
            topic->name = q->topic;
            topic->partitions.items = &partitions[i];
            topic->partitions.count = 0;
        }
        struct list_offsets_request_list_offsets_partition *p =
            &topic->partitions.items[topic->partitions.count++];
        list_offsets_request_list_offsets_partition_init(p);
        p->partition_index = q->partition;
        p->timestamp = q->timestamp;
        const struct topology_partition *known =
            topology_partition(topology, q->topic, q->partition);
        p->current_leader_epoch = known != NULL ? known->leader_epoch : -1;
    }
    return 0;
}

static bool is_ready(const struct offset_query *q, int64_t now_ms)
{
    return !q->done && !q->asked && now_ms >= q->retry_ms;
}

// Asks `node` everything whose leader it is.
static void ask_node(struct offset_lookup *l, int32_t node, int64_t now_ms)
{
    const struct topology *topology = client_topology(l->client);
    struct ask *ask = mem_new(struct ask);
    ask->lookup = l;
    arena_init(&ask->arena, BODY_ARENA_MAX);
    ask->queries = mem_alloc_array((size_t)l->count, sizeof(*ask->queries));
    for (int i = 0; i < l->count; i++) {
        struct offset_query *q = &l->queries[i];
        if (!is_ready(q, now_ms) || topology_leader(topology, q->topic, q->partition) != node)
            continue;
        q->asked = true;
        ask->queries[ask->count++] = q;
    }
    list_append(&l->asks, &ask->node);
    int err = fill_body(ask, topology, l->deadline_ms - now_ms);
    ask->request = (struct client_request){
        .api_key = API_LIST_OFFSETS,
        .version_min = version_min_of(ask),
        .version_max = VERSION_MAX,
        .node = node,
        .body = &ask->body,
        .timeout_ms = l->deadline_ms - now_ms,
        .done = on_answer,
        .user = ask,
    };
    if (err < 0)
        on_answer(&ask->request, err, NULL, now_ms);
    else
        client_send(l->client, &ask->request, now_ms);
}

// A query without a known leader: 0 when one is on its way, else why there is none.
static int16_t why_no_leader(const struct topology *topology, const struct offset_query *q)
{
    const struct topology_topic *topic = topology_topic(topology, q->topic);
    if (topic != NULL && topic->error != 0)
        return topic->error;
    if (topic != NULL && (q->partition < 0 || q->partition >= topic->partition_count))
        return KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    return topic == NULL ? 0 : KAFKA_LEADER_NOT_AVAILABLE;
}

void offset_lookup_step(struct offset_lookup *l, int64_t now_ms)
{
    const struct topology *topology = client_topology(l->client);
    for (int i = 0; i < l->count; i++) {
        struct offset_query *q = &l->queries[i];
        if (!q->done && !q->asked && now_ms >= l->deadline_ms) {
            query_finish(l, q, q->code, q->code == 0 ? ERR_TIMEOUT : 0);
            continue;
        }
        if (!is_ready(q, now_ms))
            continue;
        int32_t leader = topology_leader(topology, q->topic, q->partition);
        int16_t code = leader < 0 ? why_no_leader(topology, q) : 0;
        if (leader >= 0)
            ask_node(l, leader, now_ms);
        else if (code != 0)
            query_failed(l, q, code, 0, now_ms);
    }
}

int64_t offset_lookup_next_ms(const struct offset_lookup *l)
{
    int64_t next_ms = l->open > 0 ? l->deadline_ms : INT64_MAX;
    for (int i = 0; i < l->count; i++) {
        const struct offset_query *q = &l->queries[i];
        if (!q->done && !q->asked && q->attempts > 0 && q->retry_ms < next_ms)
            next_ms = q->retry_ms;
    }
    return next_ms;
}

bool offset_lookup_is_done(const struct offset_lookup *l)
{
    return l->open == 0;
}

struct offset_lookup *offset_lookup_new(struct client *client, struct offset_query *queries, int count,
                                        bool read_committed, int64_t timeout_ms, int64_t now_ms)
{
    struct offset_lookup *l = mem_new(struct offset_lookup);
    *l = (struct offset_lookup){
        .client = client,
        .queries = queries,
        .count = count,
        .open = count,
        .read_committed = read_committed,
        .deadline_ms = now_ms + timeout_ms,
    };
    list_init(&l->asks);
    for (int i = 0; i < count; i++) {
        struct offset_query *q = &queries[i];
        *q = (struct offset_query){
            .topic = q->topic, .partition = q->partition, .timestamp = q->timestamp};
        q->offset = q->found_timestamp = -1;
        q->leader_epoch = -1;
    }
    return l;
}

void offset_lookup_free(struct offset_lookup *l)
{
    if (l == NULL)
        return;
    struct list_node *n;
    while ((n = list_first(&l->asks)) != NULL)
        ask_free(container_of(n, struct ask, node));
    mem_free(l);
}
