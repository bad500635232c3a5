// SPDX-License-Identifier: Apache-2.0
#include "cluster_groups.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "cluster_groups_internal.h"
#include "group_members_internal.h"
#include "sim_client.h"
#include "wire/api/find_coordinator.h"
#include "wire/api_keys.h"
#include "wire/apis.h"

enum { NS_PER_MS = 1000000, KEY_GROUP = 0, FIND_VERSION = 4 };

// A request of a member.
struct asked {
    struct list_node node;
    struct channel *channel;
    struct client_request request;
    struct group_ask *ask; // in whose arena this is
};

// ---- Time ----

static struct groups_user *user_of(struct group_scene *s)
{
    return container_of(s, struct groups_user, scene);
}

// What follows happens now.
static void enter(struct groups_user *g)
{
    g->scene.now_ms = g->users->sim->now_ns / NS_PER_MS;
}

void groups_rearm(struct groups_user *g)
{
    struct sim *sim = g->users->sim;
    int64_t next_ms = scene_next_ms(&g->scene);
    if (g->scene.failed)
        model_complain(g->users->model, "%s", g->scene.message);
    if (next_ms == INT64_MAX) {
        sim_event_cancel(sim, &g->wake);
        return;
    }
    int64_t delay_ns = next_ms * NS_PER_MS - sim->now_ns;
    sim_event_set(sim, &g->wake, delay_ns > 0 ? delay_ns : 0);
}

static void wake(struct sim_event *event)
{
    struct groups_user *g = container_of(event, struct groups_user, wake);
    enter(g);
    while (scene_run_due(&g->scene)) {
    }
    groups_rearm(g);
}

// ---- Channels ----

static struct channel *channel_of(struct groups_user *g, const struct member *m)
{
    for (int i = 0; i < GROUPS_HOSTS; i++)
        if (g->channels[i].member == m)
            return &g->channels[i];
    check_unreachable();
}

static struct channel *free_channel(struct groups_user *g)
{
    for (int i = 0; i < GROUPS_HOSTS; i++)
        if (g->channels[i].member == NULL)
            return &g->channels[i];
    return NULL;
}

static void channel_open(struct channel *c, struct member *m)
{
    static const struct client_options options = {
        .client_id = "sim", .request_timeout_ms = REQUEST_TIMEOUT_MS, .connect_timeout_ms = 4000};
    struct sim_client_user none = {NULL, NULL, NULL};
    sim_host_boot(c->host);
    c->member = m;
    c->coordinator = -1;
    c->is_closing = false;
    c->client = sim_client_new(c->owner->users->sim, c->host, &options, c->owner->users->bootstrap, &none);
}

static void channel_close(struct channel *c)
{
    struct list_node *n;
    scene_cancel(&c->owner->scene, &c->close);
    c->member = NULL;
    sim_client_free(c->client); // ends all that it has sent
    c->client = NULL;
    while ((n = list_pop(&c->waiting)) != NULL)
        group_ask_drop(container_of(n, struct asked, node)->ask);
}

static void close_now(struct scene_event *event)
{
    channel_close(container_of(event, struct channel, close));
}

static void consider_close(struct channel *c)
{
    if (c->is_closing && c->member != NULL && list_empty(&c->waiting) && list_empty(&c->sent))
        scene_at(&c->owner->scene, &c->close, 0); // not from within a callback of the client
}

static void member_gone(struct group_scene *s, struct member *member, bool is_dead)
{
    struct channel *c = channel_of(user_of(s), member);
    c->is_closing = true;
    if (!is_dead) {
        consider_close(c);
        return;
    }
    if (scene_chance(s, 1, 2))
        sim_host_cut_power(c->host);
    channel_close(c);
}

// ---- Asking ----

static void answered(struct client_request *request, int err, struct client_answer *answer, int64_t now_ms)
{
    struct asked *a = request->user;
    struct channel *c = a->channel;
    struct groups_user *g = c->owner;
    (void)now_ms;
    enter(g);
    sim_note(g->users->sim, (uint64_t)(uint32_t)err << 16 | (uint16_t)request->api_key);
    list_remove(&a->node);
    if (err == 0) {
        group_ask_answer(a->ask, answer->response);
    } else {
        scene_note(&g->scene, "%s of member %d: %s", api_find(request->api_key)->name,
                   member_number(a->ask->member), err_name(err));
        c->coordinator = -1;
        group_ask_fail(a->ask, err == ERR_REFUSED);
    }
    consider_close(c);
    groups_rearm(g);
}

static void send_one(struct channel *c, struct asked *a)
{
    a->request = (struct client_request){.api_key = a->ask->api_key,
                                         .version_min = a->ask->version,
                                         .version_max = a->ask->version,
                                         .node = c->coordinator,
                                         .body = a->ask->request,
                                         .done = answered,
                                         .user = a};
    list_append(&c->sent, &a->node);
    client_send(sim_client_get(c->client), &a->request, sim_client_now_ms(c->client));
}

static void send_all(struct channel *c)
{
    struct list_node *n;
    while ((n = list_pop(&c->waiting)) != NULL) {
        struct asked *a = container_of(n, struct asked, node);
        if (c->coordinator >= 0)
            send_one(c, a);
        else
            group_ask_fail(a->ask, true);
    }
    sim_client_wake(c->client);
}

static void found(struct client_request *request, int err, struct client_answer *answer, int64_t now_ms)
{
    struct channel *c = request->user;
    (void)now_ms;
    enter(c->owner);
    if (c->member == NULL)
        return; // that was its client's end
    if (err == 0) {
        const struct find_coordinator_response *r = answer->response;
        check(r->coordinators.count == 1);
        const struct find_coordinator_response_coordinator *found = &r->coordinators.items[0];
        scene_note(&c->owner->scene, "FindCoordinator: %s", kafka_error_name(found->error_code));
        if (found->error_code == KAFKA_NONE)
            c->coordinator = found->node_id;
        else if (found->error_code != KAFKA_COORDINATOR_NOT_AVAILABLE)
            scene_fail(&c->owner->scene, "FindCoordinator: %s", kafka_error_name(found->error_code));
    }
    send_all(c);
    consider_close(c);
    groups_rearm(c->owner);
}

static void find_coordinator(struct channel *c)
{
    find_coordinator_request_init(&c->find_body);
    c->find_key = str_from(scene_group_id(member_group(c->member)));
    c->find_body.key_type = KEY_GROUP;
    c->find_body.coordinator_keys = (struct wire_string_array){&c->find_key, 1};
    c->find = (struct client_request){.api_key = API_FIND_COORDINATOR,
                                      .version_min = FIND_VERSION,
                                      .version_max = FIND_VERSION,
                                      .node = CLIENT_NODE_ANY,
                                      .body = &c->find_body,
                                      .done = found,
                                      .user = c};
    client_send(sim_client_get(c->client), &c->find, sim_client_now_ms(c->client));
}

static void ask(struct group_scene *s, struct group_ask *ask)
{
    struct channel *c = channel_of(user_of(s), ask->member);
    struct asked *a = arena_new(&ask->arena, struct asked);
    *a = (struct asked){.channel = c, .ask = ask};
    if (c->coordinator >= 0 && scene_chance(s, 1, 20))
        c->coordinator = -1; // it asks again, for no reason
    if (c->coordinator >= 0) {
        send_one(c, a);
    } else {
        if (list_empty(&c->waiting))
            find_coordinator(c);
        list_append(&c->waiting, &a->node);
    }
    sim_client_wake(c->client);
}

// ---- What they do ----

static struct member *choose(struct groups_user *g)
{
    if (g->member_count == 0)
        return NULL;
    struct member *m = g->members[scene_below(&g->scene, (uint64_t)g->member_count)];
    return member_is_alive(m) ? m : NULL;
}

static void add_member(struct groups_user *g)
{
    struct channel *c = free_channel(g);
    int alive = 0;
    for (int i = 0; i < g->member_count; i++)
        alive += member_is_alive(g->members[i]);
    if (alive >= MEMBERS_ALIVE_MAX || g->member_count == GROUP_MEMBERS_MAX || c == NULL)
        return;
    struct member *m = member_new_any(&g->scene, g->member_count);
    g->members[g->member_count++] = m;
    channel_open(c, m);
}

static void act(struct groups_user *g)
{
    struct member *m = choose(g);
    uint64_t dice = scene_below(&g->scene, 60);
    if (dice < 4)
        add_member(g);
    else if (dice < 8)
        groups_administer_any(g);
    else if (m == NULL)
        return;
    else if (dice == 8)
        member_leave(m);
    else if (dice == 9)
        member_vanish(m);
    else if (dice < 36)
        member_commit(m);
    else
        member_fetch(m);
}

void groups_user_step(struct groups_user *g)
{
    enter(g);
    groups_administer(g);
    if (g->are_topics_known)
        act(g);
    groups_rearm(g);
}

void groups_user_administer(struct groups_user *g)
{
    enter(g);
    groups_administer(g);
    groups_rearm(g);
}

void groups_user_node_died(struct groups_user *g)
{
    group_model_all_over(&g->scene.model);
}

// ---- When nothing goes wrong any more ----

static void let_all(struct groups_user *g, void (*do_it)(struct member *m))
{
    enter(g);
    for (int i = 0; i < g->member_count; i++)
        for (int k = 0; k < 4 && member_is_alive(g->members[i]); k++)
            do_it(g->members[i]);
    groups_rearm(g);
}

void groups_user_commit_all(struct groups_user *g)
{
    let_all(g, member_commit);
}

void groups_user_fetch_all(struct groups_user *g)
{
    let_all(g, member_fetch);
}

bool groups_user_is_quiet(const struct groups_user *g)
{
    for (int i = 0; i < GROUPS_HOSTS; i++)
        if (g->channels[i].member != NULL &&
            (!list_empty(&g->channels[i].waiting) || !list_empty(&g->channels[i].sent)))
            return false;
    return !admin_user_is_busy(g->admin) && !g->is_describing && !g->is_count_old;
}

bool groups_user_is_settled(const struct groups_user *g)
{
    char why[SETTLED_WORDS_MAX];
    return members_are_settled(&g->scene, g->members, g->member_count, why, sizeof why);
}

uint64_t groups_user_hash(const struct groups_user *g)
{
    return g->scene.hash;
}

uint64_t groups_user_asked(const struct groups_user *g)
{
    return g->scene.asked;
}

// ---- Life ----

static void set(struct groups_user *g, int *count, const char *key, const char *value)
{
    check(*count + 2 < GROUP_SETTINGS_MAX);
    g->settings[(*count)++] = key;
    g->settings[(*count)++] = value;
}

static void choose_settings(struct groups_user *g)
{
    static const char *const partitions[] = {"1", "2", "7"};
    static const char *const pieces[] = {"100", "3000", "5242880"};
    static const char *const roll_ms[] = {"1000", "10000", "604800000"};
    static const char *const lingers[] = {"0", "0", "15"};
    int count = 0;
    set(g, &count, "offsets.topic.num.partitions", partitions[scene_below(&g->scene, 3)]);
    set(g, &count, "log.roll.ms", roll_ms[scene_below(&g->scene, 3)]);
    set(g, &count, "offsets.load.buffer.size", pieces[scene_below(&g->scene, 3)]);
    set(g, &count, "group.coordinator.append.linger.ms", lingers[scene_below(&g->scene, 3)]);
    set(g, &count, "group.initial.rebalance.delay.ms", "500");
    set(g, &count, "group.min.session.timeout.ms", "1000");
    set(g, &count, "group.consumer.min.session.timeout.ms", "10000");
    set(g, &count, "group.consumer.session.timeout.ms", "10000");
    set(g, &count, "log.cleaner.backoff.ms", "3000");
    set(g, &count, "log.cleaner.min.cleanable.ratio", "0.1");
}

const char *const *groups_user_settings(const struct groups_user *g)
{
    return g->settings;
}

struct sim_host *groups_user_host(struct groups_user *g, int number)
{
    return g->channels[number].host;
}

struct groups_user *groups_user_new(struct users *u, struct sim_net *net, uint64_t seed)
{
    struct groups_user *g = mem_new(struct groups_user);
    char address[32];
    g->users = u;
    g->net = net;
    g->wake.fire = wake;
    scene_init(&g->scene, seed);
    g->scene.ask = ask;
    g->scene.member_gone = member_gone;
    g->scene.verbose = u->verbose;
    choose_settings(g);
    for (int i = 0; i < GROUPS_HOSTS; i++) {
        struct channel *c = &g->channels[i];
        snprintf(address, sizeof address, "10.0.4.%d", i + 1);
        c->owner = g;
        c->host = sim_host_add(net, address);
        c->close.run = close_now;
        list_init(&c->waiting);
        list_init(&c->sent);
    }
    g->admin_host = sim_host_add(net, "10.0.1.2");
    g->admin = admin_user_new(u, g->admin_host);
    g->admin->owner = g;
    return g;
}

void groups_user_free(struct groups_user *g)
{
    sim_event_cancel(g->users->sim, &g->wake);
    for (int i = 0; i < GROUPS_HOSTS; i++) {
        struct channel *c = &g->channels[i];
        c->is_closing = true;
        if (c->member != NULL)
            channel_close(c);
    }
    for (int i = 0; i < g->member_count; i++)
        member_free(g->members[i]);
    admin_user_free(g->admin);
    sim_event_cancel(g->users->sim, &g->wake); // what was answered in the end has set it again
    scene_release(&g->scene);
    mem_free(g);
}
