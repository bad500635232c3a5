// SPDX-License-Identifier: Apache-2.0
#include "client/group_member.h"

#include <string.h>

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "client/group_member_internal.h"

enum {
    SESSION_TIMEOUT_MS = 45000,
    HEARTBEAT_INTERVAL_MS = 3000,
    REBALANCE_TIMEOUT_MS = 300000,
    LEAVE_TIMEOUT_MS = 30000,
};

// --- Names ---

struct str group_member__name(struct group_member *m, struct str name)
{
    int low = 0, high = m->name_count;
    while (low < high) {
        int middle = (low + high) / 2;
        int order = str_compare(str_from(m->names[middle]), name);
        if (order == 0)
            return str_from(m->names[middle]);
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    mem_grow(m->names, m->name_count, m->name_capacity);
    memmove(&m->names[low + 1], &m->names[low], (size_t)(m->name_count - low) * sizeof *m->names);
    m->name_count++;
    m->names[low] = mem_copy_str(name);
    return str_from(m->names[low]);
}

// --- Events ---

static void say(struct group_member *m, const struct group_member_event *event)
{
    m->event(m->user, event);
}

void group_member__say(struct group_member *m, enum group_member_event_kind kind,
                       const struct group_position *positions, int count)
{
    struct group_member_event event = {.kind = kind, .positions = positions, .count = count};
    say(m, &event);
}

void group_member__trouble(struct group_member *m, int16_t code, int err)
{
    struct group_member_event event = {.kind = GROUP_MEMBER_TROUBLE, .code = code, .err = err};
    say(m, &event);
}

static void end(struct group_member *m)
{
    client_cancel(m->client, &m->request);
    client_cancel(m->client, &m->find);
    group_member__offsets_cancel(m);
    m->state = GROUP_MEMBER_ENDED;
}

void group_member__fail(struct group_member *m, int16_t code, int err, struct str text)
{
    if (m->state == GROUP_MEMBER_ENDED)
        return;
    group_member__lose_all(m);
    end(m);
    struct group_member_event event = {
        .kind = GROUP_MEMBER_FAILED, .code = code, .err = err, .text = text};
    say(m, &event);
}

// --- Requests ---

void group_member__ask(struct group_member *m, enum group_asking asking, int16_t api_key,
                       int16_t version_min, int16_t version_max, const void *body,
                       int64_t timeout_ms, client_done_fn done)
{
    check(!m->request.active);
    m->asking = asking;
    m->request = (struct client_request){
        .api_key = api_key,
        .version_min = version_min,
        .version_max = version_max,
        .node = m->coordinator,
        .channel = asking == ASKING_LEAVE ? GROUP_MEMBER_CHANNEL_LEAVE : GROUP_MEMBER_CHANNEL,
        .body = body,
        .timeout_ms = timeout_ms,
        .done = done,
        .user = m,
    };
    client_send(m->client, &m->request, m->now_ms);
}

int64_t group_member__backoff_ms(struct group_member *m, int *attempts)
{
    return m->now_ms + client_backoff_ms(m->client, (*attempts)++);
}

// --- Steps ---

static bool is_member(const struct group_member *m)
{
    return group_member__is_classic(m) ? m->id[0] != '\0' : m->epoch > 0;
}

static void protocol_step(struct group_member *m)
{
    if (group_member__is_classic(m))
        group_member__classic_step(m);
    else
        group_member__consumer_step(m);
}

// Commits first, then the goodbye, then the end.
static void leaving_step(struct group_member *m)
{
    bool late = m->now_ms >= m->end_ms;
    if (m->asking == ASKING_LEAVE) {
        if (late || !m->request.active)
            end(m);
        return;
    }
    if (group_member__giving_up(m) && !late)
        return;
    group_member__forget_revoked(m, true);
    if (late || !is_member(m)) {
        end(m);
        return;
    }
    if (m->coordinator < 0)
        return;
    if (group_member__is_classic(m))
        group_member__classic_leave(m);
    else
        group_member__consumer_leave(m);
    if (m->asking != ASKING_LEAVE)
        end(m); // a static member stays
}

void group_member_on_time(struct group_member *m, int64_t now_ms)
{
    m->now_ms = now_ms;
    if (m->state == GROUP_MEMBER_ENDED)
        return;
    group_member__coordinator_step(m);
    if (!m->ending)
        group_member__subscription_step(m);
    if (m->ending)
        leaving_step(m);
    else
        protocol_step(m);
    if (m->state != GROUP_MEMBER_ENDED)
        group_member__offsets_step(m);
}

static void sooner(int64_t *next_ms, int64_t ms)
{
    *next_ms = ms < *next_ms ? ms : *next_ms;
}

int64_t group_member_next_ms(const struct group_member *m)
{
    int64_t next_ms = INT64_MAX;
    if (m->state == GROUP_MEMBER_ENDED)
        return next_ms;
    if (m->coordinator < 0 && !m->find.active)
        sooner(&next_ms, m->find_ms);
    if (m->ending)
        sooner(&next_ms, m->end_ms);
    else
        sooner(&next_ms, group_member__subscription_next_ms(m));
    if (m->coordinator < 0)
        return next_ms; // nothing else can be done
    sooner(&next_ms, group_member__offsets_next_ms(m));
    if (!m->ending)
        sooner(&next_ms, group_member__is_classic(m) ? group_member__classic_next_ms(m)
                                                     : group_member__consumer_next_ms(m));
    return next_ms;
}

void group_member_leave(struct group_member *m, int64_t now_ms)
{
    m->now_ms = now_ms;
    if (m->state == GROUP_MEMBER_ENDED || m->ending)
        return;
    m->state = GROUP_MEMBER_LEAVING;
    m->ending = true;
    m->end_ms = now_ms + m->options.leave_timeout_ms;
    client_cancel(m->client, &m->request); // a join that may be parked for minutes, or a heartbeat
    m->asking = ASKING_NOTHING;
    if (group_member__is_classic(m))
        m->classic.phase = CLASSIC_UNJOINED;
    group_member__give_up(m, NULL);
    if (m->state != GROUP_MEMBER_ENDED && !is_member(m))
        end(m);
    group_member_on_time(m, now_ms);
}

// --- What others may know ---

enum group_member_state group_member_state(const struct group_member *m)
{
    return m->state;
}

const char *group_member_id(const struct group_member *m)
{
    return m->id;
}

int32_t group_member_epoch(const struct group_member *m)
{
    return m->epoch;
}

int32_t group_member_coordinator(const struct group_member *m)
{
    return m->coordinator;
}

// --- Life ---

static int check_options(const struct group_member_options *o, struct diag *diag)
{
    bool any = o->topic_count > 0 || o->matches != NULL || o->regex != NULL;
    if (o->group_id == NULL || o->group_id[0] == '\0')
        return diag_set(diag, ERR_INVALID, "a group has a name");
    if (o->instance_id != NULL && o->instance_id[0] == '\0')
        return diag_set(diag, ERR_INVALID, "an instance id is not empty");
    if (!any)
        return diag_set(diag, ERR_INVALID, "a member subscribes to topics");
    if (o->topic_count > GROUP_MEMBER_TOPICS_MAX)
        return diag_set(diag, ERR_INVALID, "a subscription has at most %d topics",
                        GROUP_MEMBER_TOPICS_MAX);
    if (o->protocol == GROUP_MEMBER_CLASSIC && o->regex != NULL)
        return diag_set(diag, ERR_INVALID,
                        "the classic protocol has no patterns that the coordinator matches");
    if (o->protocol == GROUP_MEMBER_CLASSIC && o->remote_assignor != NULL)
        return diag_set(diag, ERR_INVALID, "the classic protocol has no remote assignor");
    if (o->protocol == GROUP_MEMBER_CONSUMER && o->assignor_count > 0)
        return diag_set(diag, ERR_INVALID,
                        "with the consumer protocol the coordinator assigns: choose a remote assignor");
    if (o->protocol == GROUP_MEMBER_CONSUMER && uuid_is_zero(o->member_id))
        return diag_set(diag, ERR_INVALID, "a member of the consumer protocol brings its id");
    check(o->assignor_count <= GROUP_MEMBER_ASSIGNORS_MAX);
    return 0;
}

static void options_copy(struct group_member *m, const struct group_member_options *from)
{
    struct group_member_options *o = &m->options;
    *o = *from;
    o->group_id = mem_copy_text(from->group_id);
    o->instance_id = mem_copy_text(from->instance_id);
    o->rack_id = mem_copy_text(from->rack_id);
    o->regex = mem_copy_text(from->regex);
    o->remote_assignor = mem_copy_text(from->remote_assignor);
    o->topics = NULL;
    o->session_timeout_ms = o->session_timeout_ms != 0 ? o->session_timeout_ms : SESSION_TIMEOUT_MS;
    if (o->heartbeat_interval_ms == 0)
        o->heartbeat_interval_ms = HEARTBEAT_INTERVAL_MS;
    if (o->rebalance_timeout_ms == 0)
        o->rebalance_timeout_ms = REBALANCE_TIMEOUT_MS;
    if (o->leave_timeout_ms == 0)
        o->leave_timeout_ms = LEAVE_TIMEOUT_MS;
    if (o->protocol == GROUP_MEMBER_CLASSIC && o->assignor_count == 0) {
        o->assignors[o->assignor_count++] = &assignor_range;
        o->assignors[o->assignor_count++] = &assignor_cooperative_sticky;
    }
    m->heartbeat_interval_ms = o->heartbeat_interval_ms;
}

static void options_release(struct group_member_options *o)
{
    mem_free((char *)(uintptr_t)o->group_id);
    mem_free((char *)(uintptr_t)o->instance_id);
    mem_free((char *)(uintptr_t)o->rack_id);
    mem_free((char *)(uintptr_t)o->regex);
    mem_free((char *)(uintptr_t)o->remote_assignor);
}

int group_member_new(struct client *client, const struct group_member_options *options,
                     group_member_event_fn event, void *user, struct group_member **out,
                     struct diag *diag)
{
    int err = check_options(options, diag);
    if (err < 0)
        return err;
    struct group_member *m = mem_new(struct group_member);
    m->client = client;
    m->event = event;
    m->user = user;
    options_copy(m, options);
    m->coordinator = -1;
    m->topology_seen = -1;
    m->topics_ask_ms = INT64_MAX;
    m->epoch = group_member__is_classic(m) ? -1 : 0;
    m->consumer.full = true;
    m->classic.cooperative = true;
    for (int i = 0; i < m->options.assignor_count; i++)
        m->classic.cooperative &= m->options.assignors[i]->cooperative;
    if (!group_member__is_classic(m))
        str_copy_to(str_from(uuid_format(options->member_id).text), m->id, sizeof m->id);
    arena_init(&m->arena, GROUP_MEMBER_ARENA_MAX);
    arena_init(&m->commit_arena, GROUP_MEMBER_ARENA_MAX);
    arena_init(&m->fetch_arena, GROUP_MEMBER_ARENA_MAX);
    group_member_subscribe(m, options->topics, options->topic_count);
    if (m->options.matches != NULL)
        client_want_all_topics(client);
    *out = m;
    return 0;
}

void group_member_free(struct group_member *m)
{
    if (m == NULL)
        return;
    end(m);
    group_member__classic_release(m);
    group_member__consumer_release(m);
    for (int i = 0; i < m->name_count; i++)
        mem_free(m->names[i]);
    mem_free(m->names);
    mem_free(m->topics);
    mem_free(m->owned);
    mem_free(m->view);
    arena_release(&m->arena);
    arena_release(&m->commit_arena);
    arena_release(&m->fetch_arena);
    options_release(&m->options);
    mem_free(m);
}
