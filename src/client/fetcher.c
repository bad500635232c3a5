// SPDX-License-Identifier: Apache-2.0
#include "client/fetcher.h"

#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/err.h"
#include "base/list.h"
#include "base/mem.h"
#include "client/client.h"
#include "client/fetcher_internal.h"
#include "wire/api/fetch.h"
#include "wire/api_keys.h"
#include "wire/errors.h"

enum {
    VERSION_MIN = 4,
    VERSION_BY_NAME_MAX = 12, // from 13 on topics go by id
    VERSION_MAX = 17,
    ANSWERS_MAX = 2,          // per leader: one being read, one behind it
    REQUEST_SLACK_MS = 30000, // beyond the long poll
    BODY_ARENA_MAX = 64 << 20,
};

// An answer that is being read or waits to be.
struct answer {
    struct list_node node;
    struct leader *leader;
    struct client_answer kept;
    const struct fetch_response *response;
    int topic_at;
    int partition_at;
    bool entered; // `rest` and what follows belong to the partition at hand
    struct partition *partition;
    const struct fetch_response_partition_data *data;
    struct bytes rest;
    int aborted_at;
    bool in_batch;
    struct batch_iter iter;
};

// A broker that is asked.
struct leader {
    struct list_node node;
    struct fetcher *fetcher;
    int32_t id;
    int answer_count; // unread
    struct client_request request;
    struct fetch_request body;
    struct arena arena; // of the body
    struct partition **asked;
    int asked_count;           // NULL stands for one that was removed meanwhile
};

// --- Events ---

void fetcher__say(struct partition *p, enum fetch_event_kind kind, int64_t offset, int64_t value,
                int16_t code, int err)
{
    struct fetch_event event = {
        .kind = kind,
        .topic = str_from(p->topic),
        .partition = p->index,
        .offset = offset,
        .value = value,
        .code = code,
        .err = err,
    };
    p->fetcher->event(p->fetcher->user, &event);
}

void fetcher__partition_end(struct partition *p, enum fetch_event_kind kind, int16_t code, int err)
{
    if (p->state == PARTITION_ENDED)
        return;
    p->state = PARTITION_ENDED;
    p->fetcher->active--;
    fetcher__say(p, kind, p->read_offset, 0, code, err);
}

static void partition_retry(struct partition *p, int16_t code, int err, int64_t now_ms)
{
    p->retry_ms = now_ms + client_backoff_ms(p->fetcher->client, p->attempts++);
    client_topology_is_stale(p->fetcher->client, now_ms);
    fetcher__say(p, FETCH_TROUBLE, p->fetch_offset, 0, code, err);
}

void fetcher_add(struct fetcher *f, struct str topic, int32_t partition,
                 struct fetch_position position, struct fetch_limit limit, int64_t now_ms)
{
    struct partition *p = mem_new(struct partition);
    p->fetcher = f;
    p->topic = mem_copy_str(topic);
    p->index = partition;
    p->position = position;
    p->limit = limit;
    p->stop_offset = INT64_MAX;
    p->node_asked = -1;
    p->read_epoch = -1;
    p->read_offset = -1;
    mem_grow(f->partitions, f->partition_count, f->partition_capacity);
    f->partitions[f->partition_count++] = p;
    f->active++;
    fetcher__lookups_start(p, now_ms);
}

// --- Asking ---

static struct partition *find_asked(const struct leader *l, struct str topic, int32_t index)
{
    for (int i = 0; i < l->asked_count; i++)
        if (l->asked[i] != NULL && l->asked[i]->index == index && str_is(topic, l->asked[i]->topic))
            return l->asked[i];
    return NULL;
}

static void on_partition_error(struct partition *p, int16_t code, int64_t now_ms)
{
    const struct fetcher_options *o = &p->fetcher->options;
    if (code == KAFKA_OFFSET_OUT_OF_RANGE && o->reset != FETCH_RESET_NONE) {
        p->resetting = true;
        if (o->reset != FETCH_RESET_NEAREST)
            p->position = fetch_reset_position(o, now_ms);
        fetcher__lookups_start(p, now_ms);
    } else if (kafka_error_is_retriable(code)) {
        partition_retry(p, code, 0, now_ms);
    } else {
        fetcher__partition_end(p, FETCH_FAILED, code, 0);
    }
}

// Moves fetch_offset behind the last whole batch of what came.
static void advance_fetch_offset(struct partition *p, struct bytes records)
{
    struct batch_header header;
    struct bytes batch;
    while (batch_next(&records, &header, &batch) == 1) {
        int64_t next = batch_last_offset(&header) + 1;
        p->fetch_offset = next > p->fetch_offset ? next : p->fetch_offset;
    }
}

static void on_partition_answer(struct partition *p,
                                const struct fetch_response_partition_data *data, int64_t now_ms)
{
    p->in_flight = false;
    if (p->state != PARTITION_READ)
        return;
    if (data->error_code != 0) {
        on_partition_error(p, data->error_code, now_ms);
        return;
    }
    p->attempts = 0;
    advance_fetch_offset(p, data->records.bytes);
}

static void answer_keep(struct leader *l, struct client_answer *from)
{
    struct answer *a = mem_new(struct answer);
    a->leader = l;
    client_answer_move(&a->kept, from);
    a->response = a->kept.response;
    list_append(&l->fetcher->answers, &a->node);
    l->answer_count++;
}

static void answer_free(struct answer *a)
{
    list_remove(&a->node);
    a->leader->answer_count--;
    client_answer_release(&a->kept);
    mem_free(a);
}

static bool has_records(const struct fetch_response *r)
{
    for (int t = 0; t < r->responses.count; t++)
        for (int i = 0; i < r->responses.items[t].partitions.count; i++)
            if (r->responses.items[t].partitions.items[i].records.bytes.size > 0)
                return true;
    return false;
}

// Gives an entry that has the topic's id alone its name, with the answer's memory: it is read later, when
// the topology may be another one.
static void name_topic(struct client_answer *answer,
                       struct fetch_response_fetchable_topic_response *topic,
                       const struct topology *topology)
{
    if (answer->version <= VERSION_BY_NAME_MAX)
        return;
    const struct topology_topic *known = topology_topic_by_id(topology, topic->topic_id);
    topic->topic = known != NULL ? arena_copy_str(&answer->arena, str_from(known->name))
                                 : (struct str){0};
}

static void take_answer(struct leader *l, struct client_answer *answer, int64_t now_ms)
{
    const struct fetch_response *r = answer->response;
    const struct topology *topology = client_topology(l->fetcher->client);
    for (int t = 0; t < r->responses.count; t++) {
        struct fetch_response_fetchable_topic_response *topic = &r->responses.items[t];
        name_topic(answer, topic, topology);
        for (int i = 0; i < topic->partitions.count; i++) {
            struct fetch_response_partition_data *data = &topic->partitions.items[i];
            struct partition *p = find_asked(l, topic->topic, data->partition_index);
            if (p == NULL || data->error_code != 0 || p->state != PARTITION_READ)
                data->records.bytes = (struct bytes){0};
            if (p != NULL && p->in_flight)
                on_partition_answer(p, data, now_ms);
        }
    }
    if (has_records(r))
        answer_keep(l, answer);
}

static void on_answer(struct client_request *request, int err, struct client_answer *answer,
                      int64_t now_ms)
{
    struct leader *l = request->user;
    int16_t code = 0;
    if (err == 0) {
        code = ((const struct fetch_response *)answer->response)->error_code;
        if (code == 0)
            take_answer(l, answer, now_ms);
    }
    for (int i = 0; i < l->asked_count; i++) {
        struct partition *p = l->asked[i];
        if (p == NULL || !p->in_flight)
            continue;
        p->in_flight = false; // left out of the answer, or there is none
        if (p->state != PARTITION_READ)
            continue;
        if (err == ERR_CORRUPT || err == ERR_UNSUPPORTED || (code != 0 && !kafka_error_is_retriable(code)))
            fetcher__partition_end(p, FETCH_FAILED, code, err);
        else
            partition_retry(p, code, err == 0 && code == 0 ? ERR_CORRUPT : err, now_ms);
    }
    l->asked_count = 0;
}

static struct fetch_request_fetch_topic *topic_entry(struct leader *l, const struct partition *p,
                                                     int room)
{
    struct fetch_request *body = &l->body;
    for (int i = body->topics.count - 1; i >= 0; i--)
        if (str_is(body->topics.items[i].topic, p->topic))
            return &body->topics.items[i];
    struct fetch_request_fetch_topic *entry = &body->topics.items[body->topics.count++];
    fetch_request_fetch_topic_init(entry);
    // A copy: the partition may be removed before the request is on its way.
    entry->topic = arena_copy_str(&l->arena, str_from(p->topic));
    entry->partitions.count = 0;
    entry->partitions.items =
        arena_new_array(&l->arena, (size_t)room, struct fetch_request_fetch_partition);
    if (entry->topic.data != NULL && entry->partitions.items != NULL)
        return entry;
    body->topics.count--;
    return NULL;
}

// Adds a partition to the request; false when the request is as large as it may be.
static bool add_partition(struct leader *l, struct partition *p, int room, bool *by_name)
{
    const struct topology *topology = client_topology(l->fetcher->client);
    const struct topology_topic *topic = topology_topic(topology, str_from(p->topic));
    struct fetch_request_fetch_topic *entry = topic_entry(l, p, room);
    if (entry == NULL)
        return false;
    entry->topic_id = topic->id;
    *by_name |= uuid_is_zero(topic->id);
    struct fetch_request_fetch_partition *out = &entry->partitions.items[entry->partitions.count++];
    fetch_request_fetch_partition_init(out);
    out->partition = p->index;
    out->current_leader_epoch = topic->partitions[p->index].leader_epoch;
    out->fetch_offset = p->fetch_offset;
    out->partition_max_bytes = l->fetcher->options.partition_bytes_max;
    p->in_flight = true;
    p->node_asked = l->id;
    l->asked[l->asked_count++] = p;
    return true;
}

static bool is_due(const struct partition *p, int32_t leader, int64_t now_ms)
{
    const struct topology *topology = client_topology(p->fetcher->client);
    return p->state == PARTITION_READ && !p->in_flight && now_ms >= p->retry_ms &&
           p->fetch_offset < p->stop_offset &&
           topology_leader(topology, str_from(p->topic), p->index) == leader;
}

static void leader_ask(struct leader *l, int64_t now_ms)
{
    struct fetcher *f = l->fetcher;
    int due = 0;
    for (int i = 0; i < f->partition_count; i++)
        due += is_due(f->partitions[i], l->id, now_ms);
    if (due == 0)
        return;
    arena_release(&l->arena);
    fetch_request_init(&l->body);
    l->body.topics.items = arena_new_array(&l->arena, (size_t)due, struct fetch_request_fetch_topic);
    l->asked = mem_resize(l->asked, (size_t)due * sizeof(*l->asked));
    bool by_name = false, room = l->body.topics.items != NULL;
    for (int n = 0; n < f->partition_count && room; n++) {
        struct partition *p = f->partitions[(f->turn + n) % f->partition_count];
        if (is_due(p, l->id, now_ms))
            room = add_partition(l, p, due, &by_name);
    }
    f->turn = (f->turn + 1) % f->partition_count;
    l->body.max_wait_ms = (int32_t)f->options.wait_ms_max;
    l->body.min_bytes = f->options.fetch_bytes_min;
    l->body.max_bytes = f->options.fetch_bytes_max;
    l->body.isolation_level = f->options.read_committed;
    l->request = (struct client_request){
        .api_key = API_FETCH,
        .version_min = VERSION_MIN,
        .version_max = by_name ? VERSION_BY_NAME_MAX : VERSION_MAX,
        .node = l->id,
        .body = &l->body,
        .timeout_ms = f->options.wait_ms_max + REQUEST_SLACK_MS,
        .done = on_answer,
        .user = l,
    };
    client_send(f->client, &l->request, now_ms);
}

static struct leader *leader_get(struct fetcher *f, int32_t id)
{
    list_for_each (n, next, &f->leaders) {
        struct leader *l = container_of(n, struct leader, node);
        if (l->id == id)
            return l;
    }
    struct leader *l = mem_new(struct leader);
    l->fetcher = f;
    l->id = id;
    arena_init(&l->arena, BODY_ARENA_MAX);
    list_append(&f->leaders, &l->node);
    return l;
}

// A partition without a leader: given up if it is not there, else asked about again.
static void no_leader(struct partition *p, int64_t now_ms)
{
    const struct topology_topic *topic =
        topology_topic(client_topology(p->fetcher->client), str_from(p->topic));
    int16_t code = KAFKA_LEADER_NOT_AVAILABLE;
    if (topic == NULL)
        return; // not answered yet
    if (topic->error != 0)
        code = topic->error;
    else if (p->index >= topic->partition_count)
        code = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    if (code == KAFKA_UNKNOWN_TOPIC_OR_PARTITION || !kafka_error_is_retriable(code))
        fetcher__partition_end(p, FETCH_FAILED, code, 0);
    else
        partition_retry(p, code, 0, now_ms);
}

// Whether a leader can be asked for more; what waits for it meanwhile has its turn when that changes.
static bool leader_is_busy(const struct leader *l)
{
    return l->request.active || l->answer_count >= ANSWERS_MAX;
}

void fetcher_on_time(struct fetcher *f, int64_t now_ms)
{
    const struct topology *topology = client_topology(f->client);
    for (int i = 0; i < f->partition_count; i++) {
        struct partition *p = f->partitions[i];
        if (p->state == PARTITION_LOOKUP)
            fetcher__lookups_step(p, now_ms);
        if (p->state != PARTITION_READ || p->in_flight || now_ms < p->retry_ms)
            continue;
        int32_t leader = topology_leader(topology, str_from(p->topic), p->index);
        if (leader >= 0)
            leader_get(f, leader);
        else
            no_leader(p, now_ms);
    }
    list_for_each (n, next, &f->leaders) {
        struct leader *l = container_of(n, struct leader, node);
        if (!leader_is_busy(l))
            leader_ask(l, now_ms);
    }
}

static bool waits_for_leader(const struct partition *p)
{
    const struct fetcher *f = p->fetcher;
    int32_t id = topology_leader(client_topology(f->client), str_from(p->topic), p->index);
    list_for_each (n, next, &f->leaders) {
        const struct leader *l = container_of(n, struct leader, node);
        if (l->id == id)
            return leader_is_busy(l);
    }
    return false;
}

int64_t fetcher_next_ms(const struct fetcher *f)
{
    int64_t next_ms = INT64_MAX;
    for (int i = 0; i < f->partition_count; i++) {
        const struct partition *p = f->partitions[i];
        bool retries = p->state == PARTITION_READ && !p->in_flight && p->attempts > 0;
        if (retries && p->retry_ms < next_ms && !waits_for_leader(p))
            next_ms = p->retry_ms;
        for (int k = 0; k < LOOKUP_COUNT; k++) {
            int64_t ms = p->lookups[k] != NULL ? offset_lookup_next_ms(p->lookups[k]) : INT64_MAX;
            next_ms = ms < next_ms ? ms : next_ms;
        }
    }
    return next_ms;
}

// --- Reading ---

static struct partition *find_partition(const struct fetcher *f, struct str topic, int32_t index)
{
    for (int i = 0; i < f->partition_count; i++)
        if (f->partitions[i]->index == index && str_is(topic, f->partitions[i]->topic))
            return f->partitions[i];
    return NULL;
}

// Goes to the next partition with records in an answer; false at its end.
static bool answer_enter(struct fetcher *f, struct answer *a)
{
    for (; a->topic_at < a->response->responses.count; a->topic_at++, a->partition_at = 0) {
        const struct fetch_response_fetchable_topic_response *topic =
            &a->response->responses.items[a->topic_at];
        while (a->partition_at < topic->partitions.count) {
            a->data = &topic->partitions.items[a->partition_at++];
            if (a->data->records.bytes.size == 0)
                continue;
            a->partition = find_partition(f, topic->topic, a->data->partition_index);
            if (a->partition == NULL)
                continue;
            a->rest = a->data->records.bytes;
            a->aborted_at = 0;
            a->entered = true;
            a->partition->aborted_count = 0;
            return true;
        }
    }
    return false;
}

static void aborted_add(struct partition *p, int64_t producer_id)
{
    mem_grow(p->aborted, p->aborted_count, p->aborted_capacity);
    p->aborted[p->aborted_count++] = producer_id;
}

static bool aborted_find(const struct partition *p, int64_t producer_id, int *at)
{
    for (*at = 0; *at < p->aborted_count; (*at)++)
        if (p->aborted[*at] == producer_id)
            return true;
    return false;
}

// Whether a batch belongs to an aborted transaction. The answer lists those by first offset; one ends
// with its ABORT marker (KIP-98, "Reading Transactional Messages").
static bool is_aborted(struct answer *a, const struct batch_header *header, struct bytes batch)
{
    struct partition *p = a->partition;
    const struct fetch_response_aborted_transaction_array *list = &a->data->aborted_transactions;
    for (; a->aborted_at < list->count &&
           list->items[a->aborted_at].first_offset <= batch_last_offset(header);
         a->aborted_at++)
        aborted_add(p, list->items[a->aborted_at].producer_id);
    int at;
    if (!batch_is_transactional(header) || !aborted_find(p, header->producer_id, &at))
        return false;
    if (!batch_is_control(header))
        return true;
    struct batch_iter iter;
    struct record record;
    int16_t type;
    if (batch_iter_init(&iter, batch, NULL) == 0 && batch_iter_next(&iter, &record) == 1 &&
        control_key_read(record.key, &type) == 0 && type == CONTROL_ABORT)
        p->aborted[at] = p->aborted[--p->aborted_count];
    return false;
}

static int batch_enter(struct fetcher *f, struct answer *a)
{
    struct batch_header header;
    struct bytes batch;
    int r = batch_next(&a->rest, &header, &batch);
    if (r != 1)
        return r == ERR_TRUNCATED ? 0 : r; // the last batch of an answer may be cut
    struct partition *p = a->partition;
    bool aborted = f->options.read_committed && is_aborted(a, &header, batch);
    bool hidden = aborted || (batch_is_control(&header) && !f->options.control_records);
    if (hidden || batch_last_offset(&header) < p->read_offset) {
        int64_t next = batch_last_offset(&header) + 1;
        if (next > p->read_offset) {
            p->read_offset = next;
            p->read_epoch = header.partition_leader_epoch;
        }
        return 1;
    }
    if (f->options.check_crcs && !batch_crc_is_valid(batch))
        return ERR_CORRUPT;
    r = batch_iter_init(&a->iter, batch, &f->scratch);
    a->in_batch = r == 0;
    return r < 0 ? r : 1;
}

static void batch_leave(struct answer *a)
{
    struct partition *p = a->partition;
    int64_t next = batch_last_offset(&a->iter.header) + 1;
    next = next < p->stop_offset ? next : p->stop_offset;
    p->read_offset = next > p->read_offset ? next : p->read_offset;
    a->in_batch = false;
}

// One record of the batch at hand: 1, or 0 when the batch is over.
static int read_record(struct answer *a, struct fetched *out)
{
    struct partition *p = a->partition;
    struct record record;
    int r;
    while ((r = batch_iter_next(&a->iter, &record)) == 1) {
        if (record.offset < p->read_offset)
            continue;
        if (record.offset >= p->stop_offset)
            break;
        p->read_offset = record.offset + 1;
        p->read_epoch = a->iter.header.partition_leader_epoch;
        *out = (struct fetched){
            .topic = str_from(p->topic),
            .partition = p->index,
            .leader_epoch = a->iter.header.partition_leader_epoch,
            .batch = a->iter.header,
            .record = record,
            .high_watermark = a->data->high_watermark,
        };
        return 1;
    }
    if (r >= 0)
        batch_leave(a);
    return r < 0 ? r : 0;
}

// The next record of the partition at hand: 1, 0 when it has no more here, or what is wrong.
static int read_partition(struct fetcher *f, struct answer *a, struct fetched *out)
{
    struct partition *p = a->partition;
    while (p->state == PARTITION_READ) {
        if (a->in_batch) {
            int r = read_record(a, out);
            if (r != 0)
                return r;
        }
        if (p->read_offset >= p->stop_offset)
            return 0;
        int r = batch_enter(f, a);
        if (r <= 0)
            return r;
    }
    return 0;
}

int fetcher_next(struct fetcher *f, struct fetched *out, int64_t now_ms)
{
    struct list_node *n;
    while ((n = list_first(&f->answers)) != NULL) {
        struct answer *a = container_of(n, struct answer, node);
        if (!a->entered && !answer_enter(f, a)) {
            answer_free(a);
            continue;
        }
        int r = read_partition(f, a, out);
        if (r == 1)
            return 1;
        a->entered = a->in_batch = false;
        if (r < 0)
            fetcher__partition_end(a->partition, FETCH_FAILED, 0, r);
        else if (a->partition->state == PARTITION_READ &&
                 a->partition->read_offset >= a->partition->stop_offset)
            fetcher__partition_end(a->partition, FETCH_DONE, 0, 0);
    }
    fetcher_on_time(f, now_ms);
    return 0;
}

void fetcher_positions(const struct fetcher *f, fetch_position_fn tell, void *user)
{
    for (int i = 0; i < f->partition_count; i++) {
        const struct partition *p = f->partitions[i];
        if (p->state == PARTITION_READ)
            tell(user, str_from(p->topic), p->index, p->read_offset, p->read_epoch);
    }
}

// --- Life ---

int fetcher_active(const struct fetcher *f)
{
    return f->active;
}

static int32_t or_default(int32_t value, int32_t fallback)
{
    return value != 0 ? value : fallback;
}

struct fetcher *fetcher_new(struct client *client, const struct fetcher_options *options,
                            fetch_event_fn event, void *user)
{
    struct fetcher *f = mem_new(struct fetcher);
    f->client = client;
    f->options = *options;
    f->options.wait_ms_max = options->wait_ms_max != 0 ? options->wait_ms_max : 500;
    f->options.fetch_bytes_min = or_default(options->fetch_bytes_min, 1);
    f->options.fetch_bytes_max = or_default(options->fetch_bytes_max, 8 << 20);
    f->options.partition_bytes_max = or_default(options->partition_bytes_max, 1 << 20);
    f->event = event;
    f->user = user;
    list_init(&f->leaders);
    list_init(&f->answers);
    buf_init(&f->scratch, options->batch_bytes_max != 0 ? options->batch_bytes_max : 128 << 20);
    return f;
}

static void partition_free(struct partition *p)
{
    fetcher__lookups_free(p);
    mem_free(p->topic);
    mem_free(p->aborted);
    mem_free(p);
}

// Drops what an answer that is not read to its end has for a partition: were the partition to come
// back at an earlier offset, this would make a gap.
static void answer_forget(struct answer *a, const struct partition *p)
{
    const struct fetch_response *r = a->response;
    for (int t = 0; t < r->responses.count; t++) {
        struct fetch_response_fetchable_topic_response *topic = &r->responses.items[t];
        for (int i = 0; i < topic->partitions.count; i++)
            if (topic->partitions.items[i].partition_index == p->index && str_is(topic->topic, p->topic))
                topic->partitions.items[i].records.bytes = (struct bytes){0};
    }
    if (a->entered && a->partition == p)
        a->entered = a->in_batch = false;
}

void fetcher_remove(struct fetcher *f, struct str topic, int32_t partition)
{
    struct partition *p = find_partition(f, topic, partition);
    if (p == NULL)
        return;
    list_for_each (n, next, &f->answers)
        answer_forget(container_of(n, struct answer, node), p);
    list_for_each (n, next, &f->leaders) {
        struct leader *l = container_of(n, struct leader, node);
        for (int i = 0; i < l->asked_count; i++)
            if (l->asked[i] == p)
                l->asked[i] = NULL;
    }
    f->active -= p->state != PARTITION_ENDED;
    for (int i = 0; i < f->partition_count; i++)
        if (f->partitions[i] == p)
            f->partitions[i] = f->partitions[--f->partition_count];
    partition_free(p);
}

static void leader_free(struct leader *l)
{
    client_cancel(l->fetcher->client, &l->request);
    list_remove(&l->node);
    arena_release(&l->arena);
    mem_free(l->asked);
    mem_free(l);
}

void fetcher_free(struct fetcher *f)
{
    if (f == NULL)
        return;
    struct list_node *n;
    while ((n = list_first(&f->answers)) != NULL)
        answer_free(container_of(n, struct answer, node));
    while ((n = list_first(&f->leaders)) != NULL)
        leader_free(container_of(n, struct leader, node));
    for (int i = 0; i < f->partition_count; i++)
        partition_free(f->partitions[i]);
    mem_free(f->partitions);
    buf_release(&f->scratch);
    mem_free(f);
}
