// SPDX-License-Identifier: Apache-2.0
//
// All connections of a shard: listeners, limits, idle and starving connections, stopping in order.
#include <string.h>

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "broker/connection_internal.h"
#include "env/clock.h"
#include "env/random.h"
#include "wire/api_keys.h"

enum {
    CONNECTIONS_MAGIC = 0x636f6e73,
    FLUSH_NS_MAX = 5000000, // before new events are looked for
};

static const int64_t ns_per_ms = 1000000;

// --- limits

static bool ip_equal(const struct map_node *node, const void *key)
{
    const struct connection_ip *ip =
        (const void *)((const char *)node - offsetof(struct connection_ip, node));
    return strcmp(ip->host, key) == 0;
}

static struct connection_ip *ip_find_or_add(struct connections *c, const char *host)
{
    uint64_t hash = hash_str(c->ip_seed, str_from(host));
    struct map_node *node = map_find(&c->ips, hash, ip_equal, host);
    if (node != NULL)
        return container_of(node, struct connection_ip, node);
    struct connection_ip *ip = mem_new(struct connection_ip);
    str_copy_to(str_from(host), ip->host, sizeof ip->host);
    map_insert(&c->ips, &ip->node, hash);
    return ip;
}

static void ip_drop_unused(struct connections *c, struct connection_ip *ip)
{
    if (ip->count > 0)
        return;
    map_remove(&c->ips, &ip->node);
    mem_free(ip);
}

static bool is_address(struct str name, const char *host)
{
    return str_is(name, host) ||
           (str_is(name, "localhost") &&
            (str_is(str_from(host), "127.0.0.1") || str_is(str_from(host), "::1")));
}

// Looks for "ADDRESS:COUNT" among the overrides; the address may be an IPv6 one, so the count stands
// after the last colon.
static int32_t ip_limit(const struct connections *c, const char *host)
{
    struct str rest = c->config.limits.per_ip_overrides;
    while (rest.data != NULL) {
        struct str entry = str_trim(str_cut(&rest, ','));
        const char *colon = entry.size > 0 ? memrchr(entry.data, ':', entry.size) : NULL;
        if (colon == NULL)
            continue;
        struct str address = str_trim(str_of(entry.data, (size_t)(colon - entry.data)));
        struct str count = str_trim(str_of(colon + 1, (size_t)(entry.data + entry.size - colon - 1)));
        int32_t limit;
        if (is_address(address, host) && str_parse_i32(count, &limit))
            return limit;
    }
    return c->config.limits.connections_per_ip_max;
}

static const int64_t ns_per_second = 1000000000;

static bool rate_is_used_up(const struct accept_rate *r)
{
    return r->per_second_max > 0 && r->count >= r->per_second_max;
}

// Where a limit is reached, the broker's or a listener's, and where this second has had its share,
// nothing is accepted; who comes waits in the backlog, as with Kafka.
static void pause_or_resume(struct connections *c)
{
    bool all = c->admitted >= c->config.limits.connections_max || rate_is_used_up(&c->rate);
    list_for_each (node, next, &c->listeners) {
        struct connection_listener *l = container_of(node, struct connection_listener, node);
        bool paused = all || l->count >= l->connections_max || rate_is_used_up(&l->rate);
        if (l->net == NULL || paused == l->paused)
            continue;
        l->paused = paused;
        l->net->pause(l->net, paused);
    }
}

static void rate_fire(struct env_timer *timer)
{
    struct accept_rate *r = container_of(timer, struct accept_rate, timer);
    r->count = 0;
    pause_or_resume(r->owner);
}

static void rate_init(struct accept_rate *r, struct connections *owner, int32_t per_second_max)
{
    *r = (struct accept_rate){.owner = owner,
                              .per_second_max = per_second_max,
                              .second_ns = INT64_MIN / 2,
                              .timer.fire = rate_fire};
}

static void rate_count(struct accept_rate *r)
{
    struct env *env = r->owner->env;
    int64_t now_ns = env_mono_ns(env->clock);
    if (now_ns >= r->second_ns + ns_per_second) {
        r->second_ns = now_ns;
        r->count = 0;
    }
    r->count++;
    if (rate_is_used_up(r))
        env_timer_set(env->timers, &r->timer, r->second_ns + ns_per_second);
}

// A new limit counts for the second that runs, too.
static void rate_set(struct accept_rate *r, int32_t per_second_max)
{
    struct env *env = r->owner->env;
    r->per_second_max = per_second_max;
    if (rate_is_used_up(r))
        env_timer_set(env->timers, &r->timer, r->second_ns + ns_per_second);
    else
        env_timer_cancel(env->timers, &r->timer);
}

// --- idle connections

static void set_idle_timer(struct connections *c)
{
    struct list_node *node = list_first(&c->all);
    if (node == NULL || c->config.idle_ms_max < 0 || env_timer_is_set(&c->idle_timer))
        return;
    struct connection *oldest = container_of(node, struct connection, node);
    int64_t idle_ns = c->config.idle_ms_max < INT64_MAX / ns_per_ms / 2
                          ? c->config.idle_ms_max * ns_per_ms
                          : INT64_MAX / 2;
    env_timer_set(c->env->timers, &c->idle_timer, oldest->active_ns + idle_ns);
}

// Closes who neither sent nor took anything for too long; a request that the handler still works
// on counts as activity.
static void idle_fire(struct env_timer *timer)
{
    struct connections *c = container_of(timer, struct connections, idle_timer);
    int64_t now_ns = env_mono_ns(c->env->clock);
    struct list_node *node;
    while ((node = list_first(&c->all)) != NULL) {
        struct connection *conn = container_of(node, struct connection, node);
        if ((now_ns - conn->active_ns) / ns_per_ms < c->config.idle_ms_max)
            break;
        if (conn->handed_count > 0) {
            conn->active_ns = now_ns;
            list_remove(&conn->node);
            list_append(&c->all, &conn->node);
            continue;
        }
        c->stats.closed_idle_total++;
        connection__end(conn);
    }
    set_idle_timer(c);
}

// --- memory that requests hold

// Told once a second at most.
static bool may_tell(struct connections *c, int64_t *told_ns)
{
    int64_t now_ns = env_mono_ns(c->env->clock);
    if (now_ns < *told_ns + ns_per_second)
        return false;
    *told_ns = now_ns;
    return true;
}

static void shed(struct connections *c, struct connection *conn)
{
    trace_emit(c->config.trace, may_tell(c, &c->shed_told_ns) ? TRACE_WARN : TRACE_DEBUG, "broker",
               "requests that wait and answers that nobody takes hold %zu bytes; closing %s port %u, "
               "which holds %zu of them",
               c->held_bytes, conn->net->remote.host, (unsigned)conn->net->remote.port,
               conn->held_bytes);
    c->stats.closed_greedy_total++;
    connection__end(conn);
}

bool connections__may_hold_more(struct connections *c, struct connection *conn)
{
    size_t max = c->config.held_bytes_max;
    if (c->held_bytes <= max)
        return true;
    if (conn->held_bytes > 0)
        return false;
    while (c->held_bytes - c->held_abandoned_bytes > max) {
        struct connection *largest = conn;
        list_for_each (node, next, &c->all) {
            struct connection *other = container_of(node, struct connection, node);
            if (other->held_bytes > largest->held_bytes)
                largest = other;
        }
        check(largest != conn);
        shed(c, largest);
    }
    if (c->held_bytes <= max)
        return true;
    // The rest belongs to requests whose connections have gone, and which other shards or workers have.
    if (!list_linked(&conn->delayed_node))
        list_append(&c->delayed, &conn->delayed_node);
    return false;
}

// --- starving connections

void connections__starving(struct connections *c, struct connection *conn)
{
    if (conn->hungry_ns == 0)
        conn->hungry_ns = env_mono_ns(c->env->clock);
    // Who has waited longest with its frame comes first, also when it got a part of it meanwhile.
    struct list_node *at = &c->hungry.head;
    while (at->prev != &c->hungry.head &&
           container_of(at->prev, struct connection, hungry_node)->hungry_ns > conn->hungry_ns)
        at = at->prev;
    list_insert_before(at, &conn->hungry_node);
    if (env_timer_is_set(&c->stall_timer))
        return;
    c->budget_given_at_stall = c->budget_given_total;
    env_timer_set(c->env->timers, &c->stall_timer,
                  env_mono_ns(c->env->clock) + CONNECTIONS_STALL_MS * ns_per_ms);
}

static void schedule_delayed(struct connections *c)
{
    struct list_node *node;
    while ((node = list_pop(&c->delayed)) != NULL)
        connection__schedule(container_of(node, struct connection, delayed_node));
}

static void feed_all(struct connections *c)
{
    struct list_node *node;
    while ((node = list_pop(&c->hungry)) != NULL)
        connection__schedule(container_of(node, struct connection, hungry_node));
}

void connections__frame_released(struct connections *c)
{
    c->budget_given_total++;
    feed_all(c);
    schedule_delayed(c);
}

// What a connection holds of the frame budget without a need: a frame that is not complete, requests
// that wait for something else than the disk.
static size_t frames_held(const struct connection *conn)
{
    size_t held = rpc_frame_reader_held(&conn->reader);
    list_for_each (node, next, &conn->pipeline.exchanges) {
        const struct rpc_exchange *e = container_of(node, const struct rpc_exchange, node);
        const struct request *r = container_of(e, const struct request, exchange);
        if (e->state == RPC_EXCHANGE_WAITING && r->header.api_key != API_PRODUCE)
            held += r->frame.charged;
    }
    return held;
}

// The connection that holds most, of those that nothing was heard of for `quiet_ns`. Never the one that
// has waited longest itself.
static struct connection *largest_holder(struct connections *c, int64_t quiet_ns)
{
    int64_t since_ns = env_mono_ns(c->env->clock) - quiet_ns;
    struct list_node *first = list_first(&c->hungry);
    struct connection *largest = NULL;
    size_t most = 0;
    list_for_each (node, next, &c->all) {
        struct connection *conn = container_of(node, struct connection, node);
        size_t held = conn->active_ns <= since_ns && &conn->hungry_node != first ? frames_held(conn) : 0;
        if (held > most) {
            largest = conn;
            most = held;
        }
    }
    return largest;
}

static void cut_holder(struct connections *c, struct connection *conn)
{
    trace_emit(c->config.trace, may_tell(c, &c->shed_told_ns) ? TRACE_WARN : TRACE_DEBUG, "broker",
               "queued.max.request.bytes is used up by requests that do not arrive or only wait; "
               "closing %s port %u, which holds %zu bytes",
               conn->net->remote.host, (unsigned)conn->net->remote.port, frames_held(conn));
    c->stats.closed_greedy_total++;
    connection__end(conn);
}

// Frames that do not move hold the whole budget. The largest of them goes, or all would wait for each
// other forever, and a large request for as long as small ones come; and of those that nothing is heard
// of, as many as hold half the budget.
static void stall_fire(struct env_timer *timer)
{
    struct connections *c = container_of(timer, struct connections, stall_timer);
    if (list_empty(&c->hungry))
        return;
    const struct connection *first = container_of(list_first(&c->hungry), struct connection,
                                                  hungry_node);
    int64_t waited_ns = env_mono_ns(c->env->clock) - first->hungry_ns;
    struct connection *largest = largest_holder(c, 0);
    if (largest != NULL && (c->budget_given_at_stall == c->budget_given_total ||
                            waited_ns > CONNECTIONS_PATIENCE_MS * ns_per_ms)) {
        do
            cut_holder(c, largest);
        while (c->budget.used > c->budget.size_max / 2 &&
               (largest = largest_holder(c, CONNECTIONS_STALL_MS * ns_per_ms)) != NULL);
    }
    feed_all(c); // those for whom it is still not enough set the timer again
}

// --- dirty connections

static void post_flush(struct connections *c)
{
    if (!c->flush->posted)
        env_post(c->env->mailbox, &c->flush->message);
    c->flush->posted = true;
}

void connections__schedule(struct connections *c, struct connection *conn)
{
    list_append(&c->dirty, &conn->dirty_node);
    post_flush(c);
}

static void tell_stopped(struct connections *c)
{
    void (*stopped)(void *context) = c->stopped;
    if (!c->stopping || c->count > 0 || stopped == NULL)
        return;
    c->stopped = NULL;
    stopped(c->stopped_context);
}


static void flush_receive(struct env_message *message)
{
    struct connection_flush *flush = container_of(message, struct connection_flush, message);
    struct connections *c = flush->owner;
    if (c == NULL) {
        mem_free(flush);
        return;
    }
    struct list now;
    struct list_node *node;
    flush->posted = false;
    list_init(&now);
    list_move_all(&now, &c->dirty);
    // A connection that goes away meanwhile leaves this list by itself. What takes long is interrupted:
    // who has just something small to ask comes in between.
    int64_t until_ns = env_mono_ns(c->env->clock) + FLUSH_NS_MAX;
    while ((node = list_pop(&now)) != NULL) {
        connection__run(container_of(node, struct connection, dirty_node));
        if (!list_empty(&now) && env_mono_ns(c->env->clock) >= until_ns) {
            list_move_all(&now, &c->dirty); // which have come since
            list_move_all(&c->dirty, &now);
            post_flush(c);
        }
    }
    tell_stopped(c); // last: it may free us
}

// --- listeners

static void take_in(struct connections *c, struct connection_listener *l, struct net_conn *net,
                    struct connection_ip *ip, struct connection_place *place)
{
    c->count++;
    connection__new(c, l, net, ip, place);
    set_idle_timer(c);
}

static void leave_place(struct connections *acceptor, struct connection_listener *l,
                        struct connection_ip *ip)
{
    acceptor->admitted--;
    l->count--;
    ip->count--;
    ip_drop_unused(acceptor, ip);
    pause_or_resume(acceptor);
}

static void place_back(struct env_message *message)
{
    struct connection_place *place = container_of(message, struct connection_place, message);
    leave_place(place->acceptor, place->listener, place->ip);
    mem_free(place);
}

static void return_place(struct connection_place *place)
{
    place->message.receive = place_back;
    env_post(place->acceptor->env->mailbox, &place->message);
}

static void place_came(struct env_message *message)
{
    struct connection_place *place = container_of(message, struct connection_place, message);
    struct connections *c = place->home;
    if (net_attach(c->env->net, place->net) == 0 && !c->stopping) {
        take_in(c, place->listener, place->net, place->ip, place);
        return;
    }
    net_close(place->net);
    return_place(place);
}

static void give_away(struct connections *c, struct connection_listener *l, struct net_conn *net,
                      struct connection_ip *ip, struct connections *home)
{
    struct connection_place *place = mem_new(struct connection_place);
    *place = (struct connection_place){.message.receive = place_came, .acceptor = c, .home = home,
                                       .listener = l, .ip = ip, .net = net};
    net_detach(net);
    env_post(home->env->mailbox, &place->message);
}

static void listener_accept(struct net_listener *net_listener, struct net_conn *net)
{
    struct connection_listener *l = net_listener->user;
    struct connections *c = l->owner;
    struct connection_ip *ip = ip_find_or_add(c, net->remote.host);
    rate_count(&c->rate);
    rate_count(&l->rate);
    if (c->stopping || ip->count >= ip_limit(c, ip->host)) {
        c->stats.refused_total++;
        ip_drop_unused(c, ip);
        net_close(net);
        pause_or_resume(c);
        return;
    }
    ip->count++;
    l->count++;
    c->admitted++;
    c->stats.accepted_total++;
    struct connections *home = c->config.choose != NULL ? c->config.choose(c->config.context) : c;
    if (home == c)
        take_in(c, l, net, ip, NULL);
    else
        give_away(c, l, net, ip, home);
    pause_or_resume(c);
}

static void listener_refused(struct net_listener *net_listener, int count)
{
    struct connection_listener *l = net_listener->user;
    struct connections *c = l->owner;
    c->stats.refused_total += count;
    trace_emit(c->config.trace, may_tell(c, &c->descriptors_told_ns) ? TRACE_WARN : TRACE_DEBUG,
               "broker", "%d connections refused on %s: %d are open, and what is left of the "
               "descriptors is for files; raise the limit (LimitNOFILE, ulimit -n) or set "
               "max.connections", count, l->name, c->count);
}

int connections_listen(struct connections *c, const char *name, const char *host, uint16_t port,
                       struct net_address *local, struct diag *diag)
{
    struct net_listener *net;
    check(c->magic == CONNECTIONS_MAGIC);
    int result = net_listen(c->env->net, host, port, &net, diag);
    if (result != 0)
        return result;
    struct connection_listener *l = mem_new(struct connection_listener);
    l->owner = c;
    l->net = net;
    l->name = mem_copy_text(name);
    l->connections_max = INT32_MAX;
    rate_init(&l->rate, c, 0);
    net->accept = listener_accept;
    net->refused = listener_refused;
    net->user = l;
    list_append(&c->listeners, &l->node);
    pause_or_resume(c);
    if (local != NULL)
        *local = net->local;
    return 0;
}

static void close_listeners(struct connections *c)
{
    list_for_each (node, next, &c->listeners) {
        struct connection_listener *l = container_of(node, struct connection_listener, node);
        if (l->net != NULL)
            net_listener_close(l->net);
        l->net = NULL;
        env_timer_cancel(c->env->timers, &l->rate.timer);
    }
}

// --- stopping

void connections__removed(struct connections *c, struct connection *conn)
{
    c->count--;
    if (c->count == 0)
        env_timer_cancel(c->env->timers, &c->idle_timer);
    connections__frame_released(c); // its incomplete frame
    if (conn->place != NULL)
        return_place(conn->place);
    else
        leave_place(c, conn->listener, conn->ip);
    if (c->stopping)
        post_flush(c);
}

void connections_stop(struct connections *c, void (*stopped)(void *context), void *context)
{
    check(c->magic == CONNECTIONS_MAGIC);
    c->stopping = true;
    c->stopped = stopped;
    c->stopped_context = context;
    close_listeners(c);
    list_for_each (node, next, &c->all) {
        struct connection *conn = container_of(node, struct connection, node);
        conn->closing = true;
        connection__schedule(conn);
    }
    post_flush(c);
}

// --- life

static void set_defaults(struct connections_config *config)
{
    if (config->queued_requests_max == 0)
        config->queued_requests_max = CONNECTIONS_QUEUED_REQUESTS_MAX;
    if (config->queued_bytes_max <= 0)
        config->queued_bytes_max = CONNECTIONS_QUEUED_BYTES_MAX;
    if (config->queued_bytes_max < config->request_bytes_max)
        config->queued_bytes_max = config->request_bytes_max; // one request must fit
    if (config->reserve_bytes == 0)
        config->reserve_bytes = CONNECTIONS_RESERVE_BYTES;
    if (config->answer_bytes_max == 0)
        config->answer_bytes_max = CONNECTION_ANSWER_BYTES_MAX;
    if (config->output_bytes_max == 0)
        config->output_bytes_max = CONNECTION_OUTPUT_BYTES_MAX;
    if (config->held_bytes_max == 0)
        config->held_bytes_max = (size_t)config->queued_bytes_max;
    if (config->in_flight_max == 0)
        config->in_flight_max = CONNECTION_IN_FLIGHT_MAX;
}

struct connections *connections_new(struct env *env, const struct connections_config *config)
{
    struct connections *c = mem_new(struct connections);
    c->magic = CONNECTIONS_MAGIC;
    c->env = env;
    c->config = *config;
    set_defaults(&c->config);
    c->budget.size_max = (size_t)c->config.queued_bytes_max;
    c->budget.reserve_size = (size_t)c->config.reserve_bytes;
    c->scratch = mem_alloc(RPC_SCRATCH_BYTES);
    list_init(&c->listeners);
    list_init(&c->all);
    list_init(&c->dirty);
    list_init(&c->hungry);
    list_init(&c->delayed);
    list_init(&c->abandoned);
    c->flush = mem_new(struct connection_flush);
    c->flush->message.receive = flush_receive;
    c->flush->owner = c;
    c->overrides = mem_copy_str(config->limits.per_ip_overrides);
    c->config.limits.per_ip_overrides = str_from(c->overrides);
    rate_init(&c->rate, c, config->limits.connections_per_second_max);
    c->idle_timer.fire = idle_fire;
    c->stall_timer.fire = stall_fire;
    map_init(&c->ips);
    env_random_fill(env->random, &c->ip_seed, sizeof c->ip_seed);
    return c;
}

// Requests without a connection that nobody has ended yet live on without us.
static void orphan_abandoned(struct connections *c)
{
    struct list_node *node;
    while ((node = list_pop(&c->abandoned)) != NULL) {
        struct request *r = container_of(node, struct request, node);
        r->owner = NULL;
        r->frame.budget = NULL;
    }
}

void connections_free(struct connections *c)
{
    struct list_node *node;
    check(c->magic == CONNECTIONS_MAGIC);
    c->stopped = NULL;
    close_listeners(c);
    while ((node = list_first(&c->all)) != NULL) {
        struct connection *conn = container_of(node, struct connection, node);
        check(!conn->running); // not from inside a handler
        connection__end(conn);
    }
    orphan_abandoned(c);
    while ((node = list_pop(&c->listeners)) != NULL) {
        struct connection_listener *l = container_of(node, struct connection_listener, node);
        mem_free(l->name);
        mem_free(l);
    }
    env_timer_cancel(c->env->timers, &c->idle_timer);
    env_timer_cancel(c->env->timers, &c->stall_timer);
    env_timer_cancel(c->env->timers, &c->rate.timer);
    mem_free(c->overrides);
    map_release(&c->ips);
    mem_free(c->scratch);
    c->flush->owner = NULL;
    if (!c->flush->posted)
        mem_free(c->flush);
    c->magic = 0;
    mem_free(c);
}

void connections_set_limits(struct connections *c, const struct connection_limits *limits)
{
    char *overrides = mem_copy_str(limits->per_ip_overrides);
    mem_free(c->overrides);
    c->overrides = overrides;
    c->config.limits = *limits;
    c->config.limits.per_ip_overrides = str_from(overrides);
    rate_set(&c->rate, limits->connections_per_second_max);
    pause_or_resume(c);
}

void connections_set_listener_limits(struct connections *c, const char *name,
                                     const struct listener_limits *limits)
{
    list_for_each (node, next, &c->listeners) {
        struct connection_listener *l = container_of(node, struct connection_listener, node);
        if (strcmp(l->name, name) != 0)
            continue;
        l->connections_max = limits->connections_max;
        rate_set(&l->rate, limits->connections_per_second_max);
    }
    pause_or_resume(c);
}

void connections_stats_get(const struct connections *c, struct connections_stats *out)
{
    *out = c->stats;
    out->open_count = c->count;
    out->queued_bytes = c->budget.used;
}
