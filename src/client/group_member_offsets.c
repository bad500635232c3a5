// SPDX-License-Identifier: Apache-2.0
//
// Committed offsets: OffsetFetch for what was assigned, OffsetCommit for what is marked. One of each is
// under way at most; a commit takes all marks that are not committed, so that what is marked meanwhile
// goes with the next.
#include "base/err.h"
#include "base/mem.h"
#include "client/group_member_internal.h"
#include "wire/api_keys.h"
#include "wire/errors.h"

enum {
    COMMIT_VERSION_MIN = 7, // static members (KIP-345)
    COMMIT_VERSION_MAX = 9, // topics by name
    FETCH_VERSION_MIN = 8,  // several groups (KIP-709)
    FETCH_VERSION_MAX = 9,
};

bool group_member__is_dirty(const struct owned *o)
{
    return o->mark.offset >= 0 && o->mark.offset != o->committed;
}

void group_member_mark(struct group_member *m, struct str topic, int32_t partition, int64_t offset,
                       int32_t leader_epoch)
{
    struct owned *o = group_member__owned(m, topic, partition);
    if (o == NULL || o->revoked || o->state != OFFSET_KNOWN)
        return;
    o->mark.offset = offset;
    o->mark.leader_epoch = leader_epoch;
}

static bool any_dirty(const struct group_member *m)
{
    for (int i = 0; i < m->owned_count; i++)
        if (group_member__is_dirty(&m->owned[i]))
            return true;
    return false;
}

bool group_member_commit(struct group_member *m)
{
    m->commit_wanted = any_dirty(m);
    return m->commit_wanted || m->commit.active;
}

void group_member__offsets_cancel(struct group_member *m)
{
    client_cancel(m->client, &m->commit);
    client_cancel(m->client, &m->fetch);
}

static bool may_commit(const struct group_member *m)
{
    return group_member__is_classic(m) ? group_member__classic_may_commit(m) : m->epoch > 0;
}

static void membership_lost(struct group_member *m, int16_t code)
{
    group_member__trouble(m, code, 0);
    if (group_member__is_classic(m))
        group_member__classic_lost(m, code == KAFKA_ILLEGAL_GENERATION);
    else
        group_member__consumer_fenced(m);
}

// --- Commits ---

struct commit_result {
    enum group_member__meaning worst;
    int16_t code; // of the worst
    struct group_position *told;
    int count;
};

// The codes that say something about the request as a whole come first.
static void take_code(struct commit_result *result, int16_t code)
{
    static const enum group_member__meaning order[] = {
        MEANS_FATAL, MEANS_NOT_MEMBER, MEANS_MOVED, MEANS_RETRY, MEANS_LATER, MEANS_REFUSED, MEANS_OK,
    };
    enum group_member__meaning meaning = group_member__meaning_of(code);
    for (size_t i = 0; i < sizeof order / sizeof *order && order[i] != result->worst; i++)
        if (order[i] == meaning) {
            result->worst = meaning;
            result->code = code;
            return;
        }
}

static void take_partition(struct group_member *m, struct commit_result *result, struct str topic,
                           const struct offset_commit_response_offset_commit_response_partition *p)
{
    struct owned *o = group_member__owned(m, topic, p->partition_index);
    take_code(result, p->error_code);
    if (o == NULL || o->committing < 0)
        return; // lost meanwhile, or not asked for
    enum group_member__meaning meaning = group_member__meaning_of(p->error_code);
    struct group_position *told = &result->told[result->count++];
    *told = o->mark;
    told->offset = o->committing;
    told->code = p->error_code;
    if (meaning == MEANS_OK || meaning == MEANS_REFUSED)
        o->committed = o->committing; // refused ones are not tried again
    o->committing = -1;
}

static void commits_end(struct group_member *m)
{
    for (int i = 0; i < m->owned_count; i++)
        m->owned[i].committing = -1;
}

static void commit_retry(struct group_member *m, int16_t code, int err)
{
    m->commit_wanted = true;
    m->commit_retry_ms = group_member__backoff_ms(m, &m->commit_attempts);
    group_member__trouble(m, code, err);
}

// What is to be done about the worst that was said.
static void commit_concluded(struct group_member *m, const struct commit_result *result)
{
    switch (result->worst) {
    case MEANS_MOVED:
        group_member__coordinator_lost(m);
        commit_retry(m, result->code, 0);
        break;
    case MEANS_RETRY:
        commit_retry(m, result->code, 0);
        break;
    case MEANS_NOT_MEMBER:
        membership_lost(m, result->code);
        break;
    case MEANS_FATAL:
        group_member__fail(m, result->code, 0, (struct str){0});
        break;
    default: // OK, refused, or with the next commit
        m->commit_attempts = 0;
        if (!any_dirty(m))
            m->commit_wanted = false;
        break;
    }
}

static void on_committed(struct client_request *request, int err, struct client_answer *answer,
                         int64_t now_ms)
{
    struct group_member *m = request->user;
    struct commit_result result = {.worst = MEANS_OK};
    m->now_ms = now_ms;
    if (err != 0) {
        commits_end(m);
        if (group_member__meaning_of_err(err) == MEANS_FATAL) {
            group_member__fail(m, 0, err, (struct str){0});
            return;
        }
        group_member__coordinator_lost(m);
        commit_retry(m, 0, err);
        return;
    }
    const struct offset_commit_response *r = answer->response;
    result.told = mem_alloc_array((size_t)m->owned_count + 1, sizeof *result.told);
    for (int i = 0; i < r->topics.count; i++)
        for (int k = 0; k < r->topics.items[i].partitions.count; k++)
            take_partition(m, &result, r->topics.items[i].name, &r->topics.items[i].partitions.items[k]);
    commits_end(m);
    if (result.worst == MEANS_LATER)
        m->commit_wanted = false; // with the next one
    commit_concluded(m, &result);
    group_member__say(m, GROUP_MEMBER_COMMITTED, result.told, result.count);
    mem_free(result.told);
}

// All marks that are not committed, as topics of a request; false when the memory does not do.
static bool commit_fill(struct group_member *m, struct offset_commit_request *body)
{
    struct offset_commit_request_offset_commit_request_partition *partitions =
        arena_new_array(&m->commit_arena, (size_t)m->owned_count + 1,
                        struct offset_commit_request_offset_commit_request_partition);
    body->topics.items = arena_new_array(&m->commit_arena, (size_t)m->owned_count + 1,
                                         struct offset_commit_request_offset_commit_request_topic);
    if (partitions == NULL || body->topics.items == NULL)
        return false;
    int count = 0;
    for (int i = 0; i < m->owned_count; i++) {
        struct owned *o = &m->owned[i];
        if (!group_member__is_dirty(o))
            continue;
        struct offset_commit_request_offset_commit_request_topic *topic =
            body->topics.count > 0 ? &body->topics.items[body->topics.count - 1] : NULL;
        if (topic == NULL || !str_equal(topic->name, o->mark.topic)) {
            topic = &body->topics.items[body->topics.count++];
            offset_commit_request_offset_commit_request_topic_init(topic);
            topic->name = o->mark.topic;
            topic->partitions.items = &partitions[count];
        }
        struct offset_commit_request_offset_commit_request_partition *p = &partitions[count++];
        topic->partitions.count++;
        offset_commit_request_offset_commit_request_partition_init(p);
        p->partition_index = o->mark.partition;
        p->committed_offset = o->mark.offset;
        p->committed_leader_epoch = o->mark.leader_epoch;
        p->committed_metadata = str_from("");
        o->committing = o->mark.offset;
    }
    return true;
}

static void commit_send(struct group_member *m)
{
    struct offset_commit_request *body = &m->commit_body;
    arena_release(&m->commit_arena);
    offset_commit_request_init(body);
    body->group_id = str_from(m->options.group_id);
    body->generation_id_or_member_epoch = m->epoch;
    body->member_id = str_from(m->id);
    body->group_instance_id = str_from(m->options.instance_id);
    if (!commit_fill(m, body)) {
        group_member__fail(m, 0, ERR_NOMEM, (struct str){0});
        return;
    }
    m->commit = (struct client_request){
        .api_key = API_OFFSET_COMMIT,
        .version_min = COMMIT_VERSION_MIN,
        .version_max = COMMIT_VERSION_MAX,
        .node = m->coordinator,
        .channel = m->ending ? GROUP_MEMBER_CHANNEL_LEAVE : GROUP_MEMBER_CHANNEL,
        .body = body,
        .timeout_ms = GROUP_MEMBER_ANSWER_MS,
        .done = on_committed,
        .user = m,
    };
    client_send(m->client, &m->commit, m->now_ms);
}

static void commit_step(struct group_member *m)
{
    int64_t interval_ms = m->options.commit_interval_ms;
    if (interval_ms > 0 && m->now_ms >= m->commit_due_ms) {
        m->commit_due_ms = m->now_ms + interval_ms;
        m->commit_wanted = true;
    }
    if (!m->commit_wanted || m->commit.active || m->coordinator < 0 || !may_commit(m) ||
        m->now_ms < m->commit_retry_ms)
        return;
    m->commit_wanted = any_dirty(m);
    if (m->commit_wanted)
        commit_send(m);
}

// --- Committed offsets ---

static bool any_in(const struct group_member *m, enum offset_state state)
{
    for (int i = 0; i < m->owned_count; i++)
        if (m->owned[i].state == state && !m->owned[i].revoked)
            return true;
    return false;
}

static void fetch_retry(struct group_member *m, int16_t code, int err)
{
    for (int i = 0; i < m->owned_count; i++)
        if (m->owned[i].state == OFFSET_ASKED)
            m->owned[i].state = OFFSET_WANTED;
    m->fetch_retry_ms = group_member__backoff_ms(m, &m->fetch_attempts);
    group_member__trouble(m, code, err);
}

static void fetch_failed(struct group_member *m, int16_t code, int err)
{
    enum group_member__meaning meaning =
        err != 0 ? group_member__meaning_of_err(err) : group_member__meaning_of(code);
    if (meaning == MEANS_FATAL || meaning == MEANS_REFUSED) {
        group_member__fail(m, code, err, (struct str){0});
        return;
    }
    if (meaning == MEANS_MOVED)
        group_member__coordinator_lost(m);
    fetch_retry(m, code, err); // of a membership that is over the heartbeat will tell
}

// One partition's answer: its code, and where to read it in `out` if there is none.
static int16_t take_fetched(struct group_member *m, struct str topic,
                            const struct offset_fetch_response_offset_fetch_response_partitions *p,
                            struct group_position *out, int *count)
{
    struct owned *o = group_member__owned(m, topic, p->partition_index);
    if (o == NULL || o->state != OFFSET_ASKED)
        return 0;
    if (p->error_code != 0 && p->error_code != KAFKA_UNKNOWN_TOPIC_OR_PARTITION)
        return p->error_code;
    o->state = OFFSET_KNOWN;
    o->committed = p->error_code == 0 ? p->committed_offset : -1;
    out[*count] = o->mark;
    out[*count].offset = o->committed;
    out[(*count)++].leader_epoch = p->committed_leader_epoch;
    return 0;
}

static void on_fetched(struct client_request *request, int err, struct client_answer *answer,
                       int64_t now_ms)
{
    struct group_member *m = request->user;
    m->now_ms = now_ms;
    if (err != 0) {
        fetch_failed(m, 0, err);
        return;
    }
    const struct offset_fetch_response *r = answer->response;
    if (r->groups.count != 1 || r->groups.items[0].error_code != 0) {
        fetch_failed(m, r->groups.count == 1 ? r->groups.items[0].error_code : 0,
                     r->groups.count == 1 ? 0 : ERR_CORRUPT);
        return;
    }
    struct group_position *known = mem_alloc_array((size_t)m->owned_count + 1, sizeof *known);
    int count = 0;
    int16_t code = 0;
    for (int i = 0; i < r->groups.items[0].topics.count; i++) {
        const struct offset_fetch_response_offset_fetch_response_topics *t =
            &r->groups.items[0].topics.items[i];
        for (int k = 0; k < t->partitions.count; k++) {
            int16_t one = take_fetched(m, t->name, &t->partitions.items[k], known, &count);
            code = one != 0 ? one : code;
        }
    }
    m->fetch_attempts = 0;
    if (count > 0)
        group_member__say(m, GROUP_MEMBER_POSITIONS, known, count);
    mem_free(known);
    if (code != 0)
        fetch_failed(m, code, 0);
    else if (any_in(m, OFFSET_ASKED))
        fetch_retry(m, 0, ERR_CORRUPT); // left out of the answer
}

static bool fetch_fill(struct group_member *m, struct offset_fetch_request_offset_fetch_request_group *g)
{
    struct arena *arena = &m->fetch_arena;
    int32_t *indexes = arena_new_array(arena, (size_t)m->owned_count + 1, int32_t);
    g->topics.items = arena_new_array(arena, (size_t)m->owned_count + 1,
                                      struct offset_fetch_request_offset_fetch_request_topics);
    if (indexes == NULL || g->topics.items == NULL)
        return false;
    int count = 0;
    g->topics.count = 0;
    for (int i = 0; i < m->owned_count; i++) {
        struct owned *o = &m->owned[i];
        if (o->state != OFFSET_WANTED || o->revoked)
            continue;
        struct offset_fetch_request_offset_fetch_request_topics *topic =
            g->topics.count > 0 ? &g->topics.items[g->topics.count - 1] : NULL;
        if (topic == NULL || !str_equal(topic->name, o->mark.topic)) {
            topic = &g->topics.items[g->topics.count++];
            offset_fetch_request_offset_fetch_request_topics_init(topic);
            topic->name = o->mark.topic;
            topic->partition_indexes = (struct wire_int32_array){&indexes[count], 0};
        }
        indexes[count++] = o->mark.partition;
        topic->partition_indexes.count++;
        o->state = OFFSET_ASKED;
    }
    return true;
}

static void fetch_send(struct group_member *m)
{
    struct offset_fetch_request *body = &m->fetch_body;
    arena_release(&m->fetch_arena);
    offset_fetch_request_init(body);
    struct offset_fetch_request_offset_fetch_request_group *g =
        arena_new(&m->fetch_arena, struct offset_fetch_request_offset_fetch_request_group);
    bool fits = g != NULL;
    if (fits) {
        offset_fetch_request_offset_fetch_request_group_init(g);
        g->group_id = str_from(m->options.group_id);
        if (!group_member__is_classic(m)) {
            g->member_id = str_from(m->id);
            g->member_epoch = m->epoch;
        }
        fits = fetch_fill(m, g);
    }
    if (!fits) {
        group_member__fail(m, 0, ERR_NOMEM, (struct str){0});
        return;
    }
    body->groups.items = g;
    body->groups.count = 1;
    body->require_stable = true; // not what an open transaction may take back (KIP-447)
    m->fetch = (struct client_request){
        .api_key = API_OFFSET_FETCH,
        .version_min = FETCH_VERSION_MIN,
        .version_max = FETCH_VERSION_MAX,
        .node = m->coordinator,
        .channel = GROUP_MEMBER_CHANNEL,
        .body = body,
        .timeout_ms = GROUP_MEMBER_ANSWER_MS,
        .done = on_fetched,
        .user = m,
    };
    client_send(m->client, &m->fetch, m->now_ms);
}

static void fetch_step(struct group_member *m)
{
    bool can = m->coordinator >= 0 && !m->ending && m->now_ms >= m->fetch_retry_ms;
    if (can && !m->fetch.active && any_in(m, OFFSET_WANTED))
        fetch_send(m);
}

// --- Both ---

void group_member__offsets_step(struct group_member *m)
{
    commit_step(m);
    if (m->state != GROUP_MEMBER_ENDED)
        fetch_step(m);
}

int64_t group_member__offsets_next_ms(const struct group_member *m)
{
    int64_t next_ms = INT64_MAX;
    if (m->options.commit_interval_ms > 0)
        next_ms = m->commit_due_ms;
    if (m->commit_wanted && !m->commit.active && may_commit(m) && m->commit_retry_ms < next_ms)
        next_ms = m->commit_retry_ms;
    if (!m->fetch.active && any_in(m, OFFSET_WANTED) && m->fetch_retry_ms < next_ms)
        next_ms = m->fetch_retry_ms;
    return next_ms;
}
