// SPDX-License-Identifier: Apache-2.0
//
// Fetch (key 1, versions 4-18): record batches from some partitions, as ranges of segment files that
// go out without being copied.
//   v7: incremental sessions (KIP-227). v9: current leader epoch (KIP-320). v11: rack (KIP-392).
//   v12: last fetched epoch and divergence (KIP-595). v13: topics by id (KIP-516).
//   v15: replica state (KIP-903). v16: endpoints of new leaders (KIP-951).
//
// Less than min_bytes and no error: the request waits at its partitions, on their shards
// (fetch_share.h), until there is more, until max_wait_ms is over, or until one of them goes away.
#include "base/check.h"
#include "base/err.h"
#include "broker/api/api.h"
#include "broker/fetch_session.h"
#include "broker/fetch_share.h"
#include "broker/node.h"
#include "broker/request.h"
#include "broker/split.h"
#include "env/clock.h"
#include "env/env.h"
#include "env/timer.h"
#include "log/log.h"
#include "metadata/image.h"
#include "wire/api/fetch.h"
#include "wire/errors.h"

struct fetch_op {
    struct fetch fetch;
    struct request *request;
    const struct fetch_request *body;
    struct fetch_session *session; // NULL: none; otherwise in use by this op
    bool incremental;              // the answer names only what has news
    struct fetch_item *items;
    int32_t item_count;
    struct env_timer timer;
    bool deciding;  // what comes home meanwhile is seen afterwards
    bool ending;    // as soon as all shares are at home
    bool abandoned;
    bool went_away; // to other shards
    struct fetch_response reply;
    struct request_cleanup cleanup;
};

// --- The answer ---

static bool has_news(const struct fetch_op *op, const struct fetch_item *item)
{
    const struct fetch_result *result = &item->result;
    return !op->incremental || result->slice.size > 0 || result->kafka_error != KAFKA_NONE ||
           result->diverging || result->high_watermark != item->asked->told_high_watermark ||
           result->log_start_offset != item->asked->told_log_start_offset;
}

static void fill_aborted(const struct fetch_op *op, const struct fetch_item *item,
                         struct fetch_response_partition_data *data)
{
    data->aborted_transactions.count = op->body->isolation_level == 1 ? item->aborted_count : -1;
    data->aborted_transactions.items = item->aborted;
}

static void fill_current_leader(const struct fetch_op *op, const struct fetch_item *item,
                                struct fetch_response_partition_data *data)
{
    const struct metadata_image *image = shard_image(op->fetch.home);
    const struct metadata_topic *topic =
        item->asked->topic.data != NULL ? metadata_image_topic(image, item->asked->topic)
                                        : metadata_image_topic_by_id(image, item->asked->topic_id);
    const struct metadata_partition *p =
        topic != NULL ? metadata_topic_partition(topic, item->asked->index) : NULL;
    if (p == NULL || op->request->header.api_version < 12)
        return;
    data->current_leader.leader_id = p->leader;
    data->current_leader.leader_epoch = p->leader_epoch;
}

static bool is_unknown(int kafka_error)
{
    return kafka_error == KAFKA_UNKNOWN_TOPIC_OR_PARTITION || kafka_error == KAFKA_UNKNOWN_TOPIC_ID;
}

static void fill_partition(struct fetch_op *op, const struct fetch_item *item,
                           struct fetch_response_partition_data *data)
{
    const struct fetch_result *result = &item->result;
    data->partition_index = item->asked->index;
    data->error_code = (int16_t)result->kafka_error;
    data->high_watermark = result->high_watermark;
    data->last_stable_offset = result->last_stable_offset;
    data->log_start_offset = result->log_start_offset;
    data->records.bytes = bytes_of("", 0);
    if (result->diverging) {
        data->diverging_epoch.epoch = result->diverging_epoch;
        data->diverging_epoch.end_offset = result->diverging_end_offset;
    }
    if (result->kafka_error == KAFKA_NOT_LEADER_OR_FOLLOWER ||
        result->kafka_error == KAFKA_FENCED_LEADER_EPOCH)
        fill_current_leader(op, item, data);
    if (result->kafka_error != KAFKA_NONE) {
        // Nothing was read, so nothing is known of aborted transactions; Kafka says null except where
        // there is no such partition.
        data->aborted_transactions.count = is_unknown(result->kafka_error) ? 0 : -1;
        return;
    }
    if (result->slice.size > 0) {
        data->records.source = result->slice.ref->file;
        data->records.position = result->slice.position;
        data->records.size = (int64_t)result->slice.size;
        op->request->splice_max++;
    }
    fill_aborted(op, item, data);
}

static bool same_topic(const struct fetch_partition *a, const struct fetch_partition *b)
{
    return str_equal(a->topic, b->topic) && uuid_equal(a->topic_id, b->topic_id);
}

// How many of the items from `first` on are of one topic and in the answer.
static int32_t fill_topic(struct fetch_op *op, const struct fetch_item *const *shown, int32_t count,
                          struct fetch_response_fetchable_topic_response *topic)
{
    int32_t same = 1;
    while (same < count && same_topic(shown[same]->asked, shown[0]->asked))
        same++;
    topic->topic = shown[0]->asked->topic;
    topic->topic_id = shown[0]->asked->topic_id;
    if (!fetch_response_partition_data_array_new(&op->request->arena, same, &topic->partitions))
        return -1;
    for (int32_t i = 0; i < same; i++)
        fill_partition(op, shown[i], &topic->partitions.items[i]);
    return same;
}

static bool fill_answer(struct fetch_op *op, struct fetch_response *reply)
{
    const struct fetch_item **shown =
        arena_alloc_array(&op->request->arena, (size_t)op->item_count, sizeof *shown);
    int32_t count = 0;
    if (shown == NULL)
        return false;
    for (int32_t i = 0; i < op->item_count; i++)
        if (has_news(op, &op->items[i]))
            shown[count++] = &op->items[i];
    if (!fetch_response_fetchable_topic_response_array_new(&op->request->arena, count,
                                                           &reply->responses))
        return false;
    reply->responses.count = 0;
    for (int32_t i = 0; i < count;) {
        int32_t filled = fill_topic(op, shown + i, count - i,
                                    &reply->responses.items[reply->responses.count]);
        if (filled < 0)
            return false;
        reply->responses.count++;
        i += filled;
    }
    return true;
}

// What the client knows from now on.
static void remember_told(struct fetch_op *op)
{
    for (int32_t i = 0; i < op->item_count; i++) {
        struct fetch_item *item = &op->items[i];
        if (!has_news(op, item))
            continue;
        item->asked->told_high_watermark = item->result.high_watermark;
        item->asked->told_log_start_offset = item->result.log_start_offset;
        if (item->result.slice.size > 0)
            fetch_session_served(op->session, item->asked);
    }
}

// Each shard has read as if the others had nothing: what is too much is left for the next fetch.
static void trim(struct fetch_op *op)
{
    int64_t bytes = 0;
    for (int32_t i = 0; op->went_away && i < op->item_count; i++) {
        struct log_slice *slice = &op->items[i].result.slice;
        if (bytes > 0 && bytes + (int64_t)slice->size > op->fetch.bytes_max)
            log_slice_release(slice);
        bytes += (int64_t)slice->size;
    }
}

static void end_session_use(struct fetch_op *op)
{
    if (op->session != NULL)
        fetch_session_end_use(&op->fetch.home->fetch_sessions, op->session);
    op->session = NULL;
}

// The answer is complete, and the data that it names can be sent without waiting.
static void send_answer(struct fetch_op *op)
{
    struct request *r = op->request;
    struct fetch_sessions *cache = &op->fetch.home->fetch_sessions;
    struct fetch_session *session = op->session;
    if (session != NULL)
        remember_told(op);
    // The answer is encoded in there and the op may be gone after it; a request that was sent behind
    // this one may already want the session.
    op->session = NULL;
    request_reply(r, &op->reply);
    if (session != NULL)
        fetch_session_end_use(cache, session);
}

static bool any_failed(const struct fetch_op *op)
{
    for (int i = 0; i < op->fetch.share_count; i++)
        if (op->fetch.shares[i].failed)
            return true;
    return false;
}

static void answer(struct fetch_op *op)
{
    struct request *r = op->request;
    struct fetch_session *session = op->session;
    trim(op);
    fetch_response_init(&op->reply);
    op->reply.session_id = session != NULL && !session->closed ? session->id : 0;
    if (any_failed(op) || !fill_answer(op, &op->reply))
        api_no_memory(r);
    else
        send_answer(op);
}

static void answer_error(struct request *r, int kafka_error)
{
    struct fetch_response reply;
    fetch_response_init(&reply);
    reply.error_code = (int16_t)kafka_error;
    request_reply(r, &reply);
}

// --- Waiting ---

static bool is_satisfied(const struct fetch_op *op)
{
    return op->item_count == 0 || op->body->max_wait_ms <= 0 || fetch_has_error(&op->fetch) ||
           fetch_bytes(&op->fetch) >= op->fetch.bytes_min ||
           op->fetch.home->state == SHARD_STOPPING;
}

static void recall_all(struct fetch_op *op)
{
    for (int i = 0; i < op->fetch.share_count; i++)
        if (op->fetch.shares[i].hold)
            fetch_share_recall(&op->fetch.shares[i]);
}

// Sends those that are at home out to wait; true if one of them is back already.
static bool send_all(struct fetch_op *op)
{
    bool is_back = false;
    for (int i = 0; i < op->fetch.share_count; i++) {
        struct fetch_share *share = &op->fetch.shares[i];
        if (share->first == NULL || share->away)
            continue;
        fetch_share_send(share, true);
        is_back |= !share->away;
    }
    return is_back;
}

static void end(struct fetch_op *op)
{
    env_timer_cancel(op->fetch.home->env->timers, &op->timer);
    op->fetch.home->away_count -= op->went_away;
    if (op->abandoned)
        request_drop(op->request);
    else
        answer(op);
}

// Ends the fetch, or lets it wait (on): false then.
static bool decide(struct fetch_op *op)
{
    if (op->deciding)
        return false;
    op->deciding = true;
    do
        op->ending |= is_satisfied(op);
    while (!op->ending && send_all(op));
    if (op->ending)
        recall_all(op);
    op->deciding = false;
    if (!op->ending)
        return false;
    if (op->fetch.under_way_count == 0)
        end(op);
    return true;
}

static void came_home(struct fetch *fetch)
{
    decide(container_of(fetch, struct fetch_op, fetch));
}

static void timed_out(struct env_timer *timer)
{
    struct fetch_op *op = container_of(timer, struct fetch_op, timer);
    op->ending = true;
    decide(op);
}

static void abandoned(struct request *r)
{
    struct fetch_op *op = r->user;
    op->abandoned = true;
    op->ending = true;
    decide(op);
}

// Ours first: when they are enough, the others need not wait.
static void send_first(struct fetch_op *op)
{
    struct fetch *fetch = &op->fetch;
    struct fetch_share *own = &fetch->shares[fetch->home->index];
    op->deciding = true;
    if (own->first != NULL)
        fetch_share_send(own, !is_satisfied(op));
    bool hold = !is_satisfied(op);
    for (int i = 0; i < fetch->share_count; i++) {
        struct fetch_share *share = &fetch->shares[i];
        if (share == own || share->first == NULL)
            continue;
        fetch->home->away_count += !op->went_away;
        op->went_away = true;
        fetch_share_send(share, hold);
    }
    op->deciding = false;
}

static void set_timer(struct fetch_op *op)
{
    const struct env *env = op->fetch.home->env;
    op->timer.fire = timed_out;
    env_timer_set(env->timers, &op->timer,
                  env_mono_ns(env->clock) + op->body->max_wait_ms * INT64_C(1000000));
}

// --- What is fetched ---

static struct fetch_partition from_request(const struct request *r,
                                           const struct fetch_request_fetch_topic *topic,
                                           const struct fetch_request_fetch_partition *partition)
{
    return (struct fetch_partition){
        .topic = r->header.api_version >= 13 ? (struct str){0} : topic->topic,
        .topic_id = topic->topic_id,
        .index = partition->partition,
        .current_leader_epoch = partition->current_leader_epoch,
        .last_fetched_epoch = partition->last_fetched_epoch,
        .fetch_offset = partition->fetch_offset,
        .max_bytes = partition->partition_max_bytes,
        .told_high_watermark = -1,
        .told_log_start_offset = -1,
    };
}

static int32_t count_partitions(const struct fetch_request *body)
{
    int32_t count = 0;
    for (int32_t i = 0; i < body->topics.count; i++)
        count += body->topics.items[i].partitions.count;
    return count;
}

static bool new_items(struct fetch_op *op, int32_t count)
{
    op->items = arena_new_array(&op->request->arena, (size_t)count, struct fetch_item);
    return op->items != NULL;
}

static void add_item(struct fetch_op *op, struct fetch_partition *asked)
{
    struct fetch_item *item = &op->items[op->item_count++];
    *item = (struct fetch_item){.asked = asked};
    int shard = split_shard_of(op->fetch.home, asked->topic, asked->topic_id, asked->index);
    fetch_share_add(&op->fetch.shares[shard], item);
}

static bool items_from_request(struct fetch_op *op)
{
    const struct fetch_request *body = op->body;
    int32_t count = count_partitions(body);
    struct fetch_partition *asked =
        arena_new_array(&op->request->arena, (size_t)count, struct fetch_partition);
    if (asked == NULL || !new_items(op, count))
        return false;
    for (int32_t t = 0; t < body->topics.count; t++) {
        const struct fetch_request_fetch_topic *topic = &body->topics.items[t];
        for (int32_t i = 0; i < topic->partitions.count; i++) {
            *asked = from_request(op->request, topic, &topic->partitions.items[i]);
            add_item(op, asked++);
        }
    }
    return true;
}

static bool items_from_session(struct fetch_op *op)
{
    if (!new_items(op, (int32_t)op->session->partitions.count))
        return false;
    list_for_each(node, next, &op->session->order)
        add_item(op, container_of(node, struct fetch_partition, node));
    return true;
}

// --- Sessions ---

static bool put_partitions(struct fetch_op *op, struct fetch_session *session)
{
    const struct fetch_request *body = op->body;
    for (int32_t t = 0; t < body->topics.count; t++) {
        const struct fetch_request_fetch_topic *topic = &body->topics.items[t];
        for (int32_t i = 0; i < topic->partitions.count; i++) {
            struct fetch_partition asked =
                from_request(op->request, topic, &topic->partitions.items[i]);
            if (!fetch_session_put(&op->fetch.home->fetch_sessions, session, &asked))
                return false;
        }
    }
    return true;
}

static void forget_partitions(struct fetch_op *op, struct fetch_session *session)
{
    const struct fetch_request *body = op->body;
    for (int32_t t = 0; t < body->forgotten_topics_data.count; t++) {
        const struct fetch_request_forgotten_topic *topic = &body->forgotten_topics_data.items[t];
        struct str name = op->request->header.api_version >= 13 ? (struct str){0} : topic->topic;
        for (int32_t i = 0; i < topic->partitions.count; i++)
            fetch_session_forget(&op->fetch.home->fetch_sessions, session, name, topic->topic_id,
                                 topic->partitions.items[i]);
    }
}

static void close_session(struct fetch_op *op)
{
    struct fetch_session *old =
        fetch_session_find(&op->fetch.home->fetch_sessions, op->body->session_id);
    if (op->body->session_id != 0 && old != NULL)
        fetch_session_close(&op->fetch.home->fetch_sessions, old);
}

// A new session if there is room for it; otherwise the request is served without.
static void open_session(struct fetch_op *op, int64_t now_ms)
{
    struct fetch_sessions *cache = &op->fetch.home->fetch_sessions;
    if (count_partitions(op->body) == 0)
        return;
    struct fetch_session *session =
        fetch_session_create(cache, op->request->header.api_version >= 13, now_ms);
    if (session == NULL)
        return;
    if (!put_partitions(op, session)) {
        fetch_session_close(cache, session);
        return;
    }
    op->session = session;
    fetch_session_begin_use(session);
}

static int continue_session(struct fetch_op *op, int64_t now_ms)
{
    struct fetch_sessions *cache = &op->fetch.home->fetch_sessions;
    struct fetch_session *session = fetch_session_find(cache, op->body->session_id);
    if (session == NULL)
        return KAFKA_FETCH_SESSION_ID_NOT_FOUND;
    if (session->epoch != op->body->session_epoch || session->in_use)
        return KAFKA_INVALID_FETCH_SESSION_EPOCH;
    if (session->uses_topic_ids != (op->request->header.api_version >= 13))
        return KAFKA_FETCH_SESSION_TOPIC_ID_ERROR;
    forget_partitions(op, session);
    if (!put_partitions(op, session)) {
        // No room for more partitions: the client starts over, without a session.
        fetch_session_close(cache, session);
        return KAFKA_FETCH_SESSION_ID_NOT_FOUND;
    }
    fetch_session_advance(cache, session, now_ms);
    fetch_session_begin_use(session);
    op->session = session;
    op->incremental = true;
    return KAFKA_NONE;
}

// KIP-227: epoch -1 closes the session and is served without, 0 closes it and opens a new one, any
// other continues it.
static int resolve_session(struct fetch_op *op)
{
    int64_t now_ms = env_mono_ms(op->fetch.home->env->clock);
    if (op->body->session_epoch > 0 || op->body->session_epoch < -1)
        return continue_session(op, now_ms);
    close_session(op);
    if (op->body->session_epoch == 0)
        open_session(op, now_ms);
    return KAFKA_NONE;
}

// Followers fetch with their id; there are none of this broker, and what a follower's fetch does to a
// partition must not be had by anybody who writes a number into a field (CVE-2018-1288).
static bool is_from_replica(const struct request *r, const struct fetch_request *body)
{
    return (r->header.api_version >= 15 ? body->replica_state.replica_id : body->replica_id) >= 0;
}

static void run_cleanup(struct request_cleanup *cleanup)
{
    struct fetch_op *op = container_of(cleanup, struct fetch_op, cleanup);
    fetch_release_shares(&op->fetch);
    end_session_use(op);
}

static bool init_fetch(struct fetch_op *op, struct shard *s)
{
    int64_t bytes_max = op->body->max_bytes;
    int64_t configured_max = s->node->fetch_bytes_max;
    op->fetch = (struct fetch){
        .home = s,
        .share_count = s->node->shard_count,
        .bytes_max = bytes_max < configured_max ? bytes_max : configured_max,
        .bytes_min = op->body->min_bytes,
        .isolation_level = op->body->isolation_level,
        .api_version = op->request->header.api_version,
        .came_home = came_home,
    };
    op->fetch.shares = arena_new_array(&op->request->arena, (size_t)op->fetch.share_count,
                                       struct fetch_share);
    if (op->fetch.shares == NULL)
        return false;
    fetch_init_shares(&op->fetch);
    op->cleanup.run = run_cleanup;
    return true;
}

static void begin(struct fetch_op *op)
{
    if (!(op->session != NULL ? items_from_session(op) : items_from_request(op))) {
        api_no_memory(op->request);
        return;
    }
    op->request->user = op;
    op->request->abandoned = abandoned;
    request_decoded(op->request);
    send_first(op);
    if (!decide(op))
        set_timer(op);
}

void api_fetch(struct shard *s, struct request *r, const void *body)
{
    struct fetch_op *op = arena_new(&r->arena, struct fetch_op);
    if (is_from_replica(r, body)) {
        request_close_connection(r, "a fetch in the name of a replica");
        return;
    }
    if (op == NULL) {
        api_no_memory(r);
        return;
    }
    op->request = r;
    op->body = body;
    if (!init_fetch(op, s)) {
        api_no_memory(r);
        return;
    }
    int kafka_error = resolve_session(op);
    request_add_cleanup(r, &op->cleanup);
    if (kafka_error != KAFKA_NONE)
        answer_error(r, kafka_error);
    else
        begin(op);
}
