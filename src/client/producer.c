// SPDX-License-Identifier: Apache-2.0
//
// Life of a record: waiting in its topic until the partitions are known, then in the open batch of
// its partition, then in a closed one, which stays in the partition's queue until it has a result.
// Batches are never reordered: the queue is in order of sequence, and what is sent next is the first
// in it that is not under way.
#include "client/producer_internal.h"

#include <string.h>

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "wire/api_keys.h"
#include "wire/errors.h"

enum {
    PRODUCE_VERSION_MIN = 3,     // the first with batches of magic 2
    PRODUCE_VERSION_BY_NAME = 12, // from 13 on topics go by id
    PRODUCE_VERSION_MAX = 13,
    IN_FLIGHT_MAX = 5,           // batches of one partition, all that the broker remembers (KIP-98)
    RECORD_OVERHEAD = 64,        // bounds what a record adds to its key, value and headers
    HEADER_OVERHEAD = 16,
    BODY_ARENA_MAX = 16 << 20,
    BUILD_SLACK = 1 << 16,       // compression may make a batch a little larger
};

// --- Shipments ---

static void shipment_free(struct shipment *s)
{
    client_cancel(s->producer->client, &s->request);
    list_remove(&s->node);
    arena_release(&s->arena);
    mem_free(s->batches);
    mem_free(s);
}

static const struct produce_response_partition_produce_response *
find_answer(const struct produce_response *response, const struct batch *b, struct uuid id,
            bool by_name)
{
    for (int t = 0; response != NULL && t < response->responses.count; t++) {
        const struct produce_response_topic_produce_response *topic = &response->responses.items[t];
        if (by_name ? !str_is(topic->name, b->queue->topic->name) : !uuid_equal(topic->topic_id, id))
            continue;
        for (int i = 0; i < topic->partition_responses.count; i++)
            if (topic->partition_responses.items[i].index == b->queue->partition)
                return &topic->partition_responses.items[i];
    }
    return NULL;
}

static struct uuid shipped_id(const struct shipment *s, const struct batch *b)
{
    for (int i = 0; i < s->body.topic_data.count; i++)
        if (str_is(s->body.topic_data.items[i].name, b->queue->topic->name))
            return s->body.topic_data.items[i].topic_id;
    return (struct uuid){{0}};
}

static void on_shipped(struct client_request *request, int err, struct client_answer *answer,
                       int64_t now_ms)
{
    struct shipment *s = request->user;
    struct producer *p = s->producer;
    const struct produce_response *response = answer != NULL ? answer->response : NULL;
    bool by_name = answer != NULL && answer->version <= PRODUCE_VERSION_BY_NAME;
    bool silent = request->no_response && err == 0;
    p->now_ms = now_ms;
    for (int i = 0; i < s->count; i++) {
        struct batch *b = s->batches[i];
        b->in_flight = false;
        b->queue->in_flight--;
        const struct produce_response_partition_produce_response *found =
            find_answer(response, b, shipped_id(s, b), by_name);
        if (found != NULL && found->error_code == 0 &&
            uuid_equal(shipped_id(s, b), b->queue->topic->id))
            b->queue->known = true;
        if (silent)
            producer__batch_finish(b, 0, 0, NULL);
        else if (found != NULL)
            producer__batch_answered(b, found);
        else
            producer__batch_unanswered(b, err != 0 ? err : ERR_CORRUPT);
    }
    shipment_free(s);
}

// The first batch of a queue that is not under way, if it may be sent now. The first ever goes alone: of
// a producer that it does not know the broker takes any sequence, so that a second batch would be stored
// where the first one failed and is tried again.
static struct batch *queue_ready(struct queue *q, int64_t now_ms)
{
    struct producer *p = q->topic->producer;
    if (q->in_flight >= (p->options.idempotent && q->known ? IN_FLIGHT_MAX : 1))
        return NULL;
    list_for_each (n, next, &q->batches) {
        struct batch *b = container_of(n, struct batch, node);
        if (b->in_flight)
            continue;
        bool held = p->restart && !b->uncertain;
        return b->closed && !held && now_ms >= b->retry_ms ? b : NULL;
    }
    return NULL;
}

static void batch_stamp(struct batch *b)
{
    struct producer *p = b->queue->topic->producer;
    if (!p->options.idempotent || b->stamped)
        return;
    batch_set_producer(b->buf.data, b->buf.size, p->producer_id, p->producer_epoch,
                       b->queue->sequence_next);
    b->queue->sequence_next = sequence_add(b->queue->sequence_next, b->count);
    b->stamped = true;
}

static bool shipment_add(struct shipment *s, struct batch *b, int room)
{
    struct produce_request *body = &s->body;
    struct produce_request_topic_produce_data *entry =
        body->topic_data.count > 0 ? &body->topic_data.items[body->topic_data.count - 1] : NULL;
    if (entry == NULL || !str_is(entry->name, b->queue->topic->name)) {
        entry = &body->topic_data.items[body->topic_data.count];
        produce_request_topic_produce_data_init(entry);
        entry->name = str_from(b->queue->topic->name);
        entry->topic_id =
            topology_topic(client_topology(s->producer->client), entry->name)->id;
        entry->partition_data.count = 0;
        entry->partition_data.items =
            arena_new_array(&s->arena, (size_t)room, struct produce_request_partition_produce_data);
        if (entry->partition_data.items == NULL)
            return false;
        body->topic_data.count++;
        if (uuid_is_zero(entry->topic_id))
            s->request.version_max = PRODUCE_VERSION_BY_NAME;
    }
    batch_stamp(b);
    struct produce_request_partition_produce_data *data =
        &entry->partition_data.items[entry->partition_data.count++];
    produce_request_partition_produce_data_init(data);
    data->index = b->queue->partition;
    data->records.bytes = buf_bytes(&b->buf);
    b->in_flight = true;
    b->queue->in_flight++;
    s->batches[s->count++] = b;
    return true;
}

static struct shipment *shipment_new(struct producer *p, int32_t node, int room)
{
    struct shipment *s = mem_new(struct shipment);
    s->producer = p;
    s->batches = mem_alloc_array((size_t)room, sizeof(*s->batches));
    arena_init(&s->arena, BODY_ARENA_MAX);
    list_append(&p->shipments, &s->node);
    produce_request_init(&s->body);
    s->body.acks = (int16_t)p->options.acks;
    s->body.timeout_ms = (int32_t)p->options.request_timeout_ms;
    s->body.topic_data.count = 0;
    s->body.topic_data.items =
        arena_new_array(&s->arena, (size_t)room, struct produce_request_topic_produce_data);
    s->request = (struct client_request){
        .api_key = API_PRODUCE,
        .version_min = PRODUCE_VERSION_MIN,
        .version_max = PRODUCE_VERSION_MAX,
        .node = node,
        .body = &s->body,
        .timeout_ms = p->options.request_timeout_ms,
        .no_response = p->options.acks == ACKS_NONE,
        .done = on_shipped,
        .user = s,
    };
    return s;
}

static int32_t queue_leader(const struct queue *q)
{
    return topology_leader(client_topology(q->topic->producer->client), str_from(q->topic->name),
                           q->partition);
}

// Ships what is ready for one node, as far as a request goes; false when there was nothing.
static bool ship_to(struct producer *p, int32_t node, int64_t now_ms)
{
    int room = 0;
    list_for_each (n, next, &p->topics) {
        struct topic *t = container_of(n, struct topic, node);
        for (int i = 0; i < t->queue_count; i++)
            room += queue_leader(t->queues[i]) == node && queue_ready(t->queues[i], now_ms) != NULL;
    }
    if (room == 0)
        return false;
    struct shipment *s = shipment_new(p, node, room);
    size_t size = 0;
    bool open = s->body.topic_data.items != NULL;
    list_for_each (n, next, &p->topics) {
        struct topic *t = container_of(n, struct topic, node);
        for (int i = 0; i < t->queue_count && open; i++) {
            struct batch *b = queue_leader(t->queues[i]) == node ? queue_ready(t->queues[i], now_ms)
                                                                 : NULL;
            if (b == NULL)
                continue;
            open = s->count == 0 || size + b->buf.size <= p->options.request_bytes_max;
            open = open && shipment_add(s, b, room);
            size += b->buf.size;
        }
    }
    client_send(p->client, &s->request, now_ms);
    return true;
}

// A topic that was created again knows no producer.
static void look_at_ids(struct producer *p)
{
    list_for_each (n, next, &p->topics) {
        struct topic *t = container_of(n, struct topic, node);
        const struct topology_topic *now =
            topology_topic(client_topology(p->client), str_from(t->name));
        if (now == NULL || uuid_equal(now->id, t->id))
            continue;
        t->id = now->id;
        producer__forget_known(t);
    }
}

static void ship(struct producer *p, int64_t now_ms)
{
    if (p->options.idempotent && p->identity != IDENTITY_KNOWN)
        return;
    look_at_ids(p);
    const struct topology *topology = client_topology(p->client);
    for (int i = 0; i < topology->node_count; i++)
        while (ship_to(p, topology->nodes[i].id, now_ms))
            ;
}

// --- Batches ---

static void batch_close(struct batch *b)
{
    if (b->closed)
        return;
    b->closed = true;
    b->built = batch_builder_finish(&b->builder, NULL) == 0;
    if (!b->built)
        producer__batch_finish(b, KAFKA_MESSAGE_TOO_LARGE, 0, NULL);
}

static struct batch *batch_new(struct queue *q, size_t record_size, int64_t now_ms)
{
    struct producer *p = q->topic->producer;
    const struct producer_options *o = &p->options;
    struct batch *b = mem_new(struct batch);
    size_t size_max = o->batch_bytes_max > record_size ? o->batch_bytes_max : record_size;
    b->queue = q;
    b->created_ms = now_ms;
    b->deadline_ms = now_ms + o->delivery_timeout_ms;
    buf_init(&b->buf, size_max * 2 + BUILD_SLACK);
    struct batch_options options = BATCH_OPTIONS_DEFAULT;
    options.codec = o->codec;
    options.level = o->codec_level;
    batch_builder_begin(&b->builder, &b->buf, &options);
    list_append(&q->batches, &b->node);
    return b;
}

static struct batch *open_batch(struct queue *q)
{
    if (list_empty(&q->batches))
        return NULL;
    struct batch *last = container_of(q->batches.head.prev, struct batch, node);
    return last->closed ? NULL : last;
}

static size_t record_size(const struct produce_record *r)
{
    size_t size = r->key.size + r->value.size + RECORD_OVERHEAD;
    for (int i = 0; i < r->header_count; i++)
        size += r->headers[i].key.size + r->headers[i].value.size + HEADER_OVERHEAD;
    return size;
}

static struct queue *queue_get(struct topic *t, int32_t partition)
{
    while (t->queue_count <= partition) {
        t->queues = mem_resize(t->queues, (size_t)(t->queue_count + 1) * sizeof(*t->queues));
        struct queue *q = mem_new(struct queue);
        *q = (struct queue){.topic = t, .partition = t->queue_count};
        list_init(&q->batches);
        t->queues[t->queue_count++] = q;
    }
    return t->queues[partition];
}

static int32_t choose_partition(struct topic *t, const struct produce_record *r, int32_t count)
{
    if (r->partition >= 0)
        return r->partition;
    return r->key.data != NULL ? partition_for_key(r->key, count)
                               : sticky_partition_get(&t->sticky, count);
}

// Puts a record into its partition's open batch.
static void place(struct topic *t, const struct produce_record *r, size_t charged, int32_t count,
                  int64_t now_ms)
{
    size_t size = record_size(r);
    int32_t partition = choose_partition(t, r, count);
    struct batch *b = open_batch(queue_get(t, partition));
    if (b != NULL && batch_builder_size(&b->builder) + size > t->producer->options.batch_bytes_max) {
        batch_close(b);
        if (r->partition < 0 && r->key.data == NULL)
            sticky_partition_advance(&t->sticky, count);
        partition = choose_partition(t, r, count);
        b = open_batch(queue_get(t, partition));
    }
    if (b == NULL)
        b = batch_new(queue_get(t, partition), size, now_ms);
    batch_builder_add(&b->builder, r->timestamp_ms, r->key, r->value, r->headers, r->header_count);
    mem_grow(b->tags, b->count, b->capacity);
    b->tags[b->count++] = (struct record_tag){.tag = r->tag, .timestamp_ms = r->timestamp_ms};
    b->charged += charged;
}

// --- Records whose topic is not known yet ---

static char *copy_into(char **at, const void *data, size_t size)
{
    char *start = *at;
    if (size > 0)
        memcpy(start, data, size);
    *at += size;
    return start;
}

static struct bytes copy_bytes(char **at, struct bytes b)
{
    return b.data == NULL ? b : bytes_of(copy_into(at, b.data, b.size), b.size);
}

static void keep_early(struct topic *t, const struct produce_record *r, size_t charged,
                       int64_t now_ms)
{
    struct early *e = mem_alloc_zero(sizeof *e + charged);
    char *at = (char *)(e + 1);
    e->record = *r;
    e->charged = charged;
    e->deadline_ms = now_ms + t->producer->options.topic_wait_ms;
    e->record.topic = str_from(t->name);
    e->record.key = copy_bytes(&at, r->key);
    e->record.value = copy_bytes(&at, r->value);
    e->headers = mem_alloc_array((size_t)r->header_count + 1, sizeof *e->headers);
    e->record.headers = e->headers;
    for (int i = 0; i < r->header_count; i++) {
        struct str key = r->headers[i].key;
        e->headers[i].key = str_of(copy_into(&at, key.data, key.size), key.size);
        e->headers[i].value = copy_bytes(&at, r->headers[i].value);
    }
    list_append(&t->early, &e->node);
}

static void early_free(struct early *e)
{
    list_remove(&e->node);
    mem_free(e->headers);
    mem_free(e);
}

static void early_fail(struct topic *t, struct early *e, int16_t code, int err)
{
    struct producer *p = t->producer;
    struct produce_result result = {
        .tag = e->record.tag,
        .topic = str_from(t->name),
        .partition = e->record.partition,
        .offset = -1,
        .timestamp_ms = e->record.timestamp_ms,
        .key = e->record.key,
        .value = e->record.value,
        .code = code,
        .err = err,
    };
    p->charged -= e->charged;
    producer__report(p, &result);
    early_free(e);
}

// Moves what waited for the topology into batches, or fails what waited too long or in vain.
static void early_step(struct topic *t, int64_t now_ms)
{
    struct producer *p = t->producer;
    const struct topology_topic *known = topology_topic(client_topology(p->client), str_from(t->name));
    int16_t code = known != NULL ? known->error : 0;
    int err = client_topology_error(p->client) == ERR_REFUSED ? ERR_REFUSED : 0;
    bool fatal = (code != 0 && !kafka_error_is_retriable(code)) || err != 0;
    bool ready = known != NULL && code == 0 && known->partition_count > 0;
    struct list_node *n;
    while ((n = list_first(&t->early)) != NULL) {
        struct early *e = container_of(n, struct early, node);
        if (fatal || now_ms >= e->deadline_ms) {
            early_fail(t, e, code, code == 0 && err == 0 ? ERR_TIMEOUT : err);
        } else if (!ready) {
            break;
        } else if (e->record.partition >= known->partition_count) {
            early_fail(t, e, KAFKA_UNKNOWN_TOPIC_OR_PARTITION, 0);
        } else {
            place(t, &e->record, e->charged, known->partition_count, now_ms);
            early_free(e);
        }
    }
    if (!list_empty(&t->early) && known != NULL && now_ms >= t->retry_ms) {
        t->retry_ms = now_ms + client_backoff_ms(p->client, t->attempts++);
        client_topology_is_stale(p->client, now_ms);
    }
}

static struct topic *topic_get(struct producer *p, struct str name)
{
    list_for_each (n, next, &p->topics) {
        struct topic *t = container_of(n, struct topic, node);
        if (str_is(name, t->name))
            return t;
    }
    struct topic *t = mem_new(struct topic);
    t->producer = p;
    t->name = mem_copy_str(name);
    list_init(&t->early);
    sticky_partition_init(&t->sticky, p->options.seed);
    list_append(&p->topics, &t->node);
    client_want_topic(p->client, name, p->options.create_topics);
    return t;
}

// --- The interface ---

int producer_add(struct producer *p, const struct produce_record *r, int64_t now_ms)
{
    size_t size = record_size(r);
    if (size > p->options.buffer_bytes_max)
        return ERR_LIMIT;
    if (size > p->options.buffer_bytes_max - p->charged)
        return ERR_AGAIN;
    struct topic *t = topic_get(p, r->topic);
    p->charged += size;
    p->pending++;
    const struct topology_topic *known = topology_topic(client_topology(p->client), r->topic);
    bool direct = known != NULL && known->error == 0 && list_empty(&t->early) &&
                  r->partition < known->partition_count && known->partition_count > 0;
    if (direct)
        place(t, r, size, known->partition_count, now_ms);
    else
        keep_early(t, r, size, now_ms);
    return 0;
}

static void batches_step(struct queue *q, bool flush, int64_t now_ms)
{
    struct producer *p = q->topic->producer;
    list_for_each (n, next, &q->batches) {
        struct batch *b = container_of(n, struct batch, node);
        if (b->in_flight)
            continue;
        if (now_ms >= b->deadline_ms) {
            producer__batch_give_up(b, b->code, b->code == 0 && b->err == 0 ? ERR_TIMEOUT : b->err, NULL);
            continue;
        }
        if (p->identity_failed && !b->stamped) {
            producer__batch_finish(b, p->identity_code, p->identity_err, NULL);
            continue;
        }
        if (flush || now_ms >= b->created_ms + p->options.linger_ms)
            batch_close(b);
    }
}

void producer_on_time(struct producer *p, int64_t now_ms)
{
    p->now_ms = now_ms;
    list_for_each (n, next, &p->topics) {
        struct topic *t = container_of(n, struct topic, node);
        early_step(t, now_ms);
        for (int i = 0; i < t->queue_count; i++)
            batches_step(t->queues[i], p->flushing, now_ms);
    }
    if (p->pending == 0)
        p->flushing = false;
    producer__identity_step(p, now_ms);
    ship(p, now_ms);
}

void producer_flush(struct producer *p, int64_t now_ms)
{
    p->flushing = true;
    producer_on_time(p, now_ms);
}

static int64_t batch_next_ms(const struct batch *b)
{
    const struct producer *p = b->queue->topic->producer;
    if (b->in_flight)
        return INT64_MAX;
    if (!b->closed)
        return b->created_ms + p->options.linger_ms;
    return b->attempts > 0 && b->retry_ms > p->now_ms ? b->retry_ms : b->deadline_ms;
}

int64_t producer_next_ms(const struct producer *p)
{
    int64_t next_ms = INT64_MAX;
    if (p->options.idempotent && p->identity == IDENTITY_NONE && p->pending > 0)
        next_ms = p->identity_retry_ms;
    list_for_each (n, next, &p->topics) {
        const struct topic *t = container_of(n, struct topic, node);
        if (!list_empty(&t->early)) {
            int64_t ms = container_of(list_first(&t->early), struct early, node)->deadline_ms;
            next_ms = ms < next_ms ? ms : next_ms;
            next_ms = t->retry_ms > p->now_ms && t->retry_ms < next_ms ? t->retry_ms : next_ms;
        }
        for (int i = 0; i < t->queue_count; i++) {
            list_for_each (m, next_batch, &t->queues[i]->batches) {
                int64_t ms = batch_next_ms(container_of(m, struct batch, node));
                next_ms = ms < next_ms ? ms : next_ms;
            }
        }
    }
    return next_ms;
}

int64_t producer_pending(const struct producer *p)
{
    return p->pending;
}

static int64_t or_default(int64_t value, int64_t fallback)
{
    return value != 0 ? value : fallback;
}

int producer_new(struct client *client, const struct producer_options *options,
                 producer_result_fn result, void *user, struct producer **out, struct diag *diag)
{
    if (options->idempotent && options->acks != ACKS_ALL)
        return diag_set(diag, ERR_INVALID, "an idempotent producer needs acks=all");
    struct producer *p = mem_new(struct producer);
    p->client = client;
    p->options = *options;
    p->result = result;
    p->user = user;
    p->producer_id = PRODUCER_ID_NONE;
    p->producer_epoch = PRODUCER_EPOCH_NONE;
    struct producer_options *o = &p->options;
    o->batch_bytes_max = (size_t)or_default((int64_t)o->batch_bytes_max, 64 << 10);
    o->request_bytes_max = (size_t)or_default((int64_t)o->request_bytes_max, 1 << 20);
    o->buffer_bytes_max = (size_t)or_default((int64_t)o->buffer_bytes_max, 32 << 20);
    o->request_timeout_ms = or_default(o->request_timeout_ms, 30000);
    o->delivery_timeout_ms = or_default(o->delivery_timeout_ms, 120000);
    o->topic_wait_ms = or_default(o->topic_wait_ms, o->delivery_timeout_ms);
    list_init(&p->topics);
    list_init(&p->shipments);
    *out = p;
    return 0;
}

static void topic_free(struct topic *t)
{
    struct list_node *n;
    while ((n = list_first(&t->early)) != NULL)
        early_free(container_of(n, struct early, node));
    for (int i = 0; i < t->queue_count; i++) {
        while ((n = list_first(&t->queues[i]->batches)) != NULL)
            producer__batch_free(container_of(n, struct batch, node));
        mem_free(t->queues[i]);
    }
    mem_free(t->queues);
    mem_free(t->name);
    list_remove(&t->node);
    mem_free(t);
}

void producer_free(struct producer *p)
{
    if (p == NULL)
        return;
    struct list_node *n;
    client_cancel(p->client, &p->identity_request);
    while ((n = list_first(&p->shipments)) != NULL)
        shipment_free(container_of(n, struct shipment, node));
    while ((n = list_first(&p->topics)) != NULL)
        topic_free(container_of(n, struct topic, node));
    mem_free(p);
}
