// SPDX-License-Identifier: Apache-2.0
#include "tools/driver.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/err.h"
#include "base/list.h"
#include "base/mem.h"
#include "env/clock.h"
#include "env/env.h"
#include "env/net.h"
#include "rpc/client.h"
#include "tools/tool.h"
#include "wire/api_keys.h"
#include "wire/errors.h"

enum { SCRATCH_SIZE = RPC_SCRATCH_BYTES, SLICES_MAX = 16, READS_MAX = 16,
       LOOKUP_TIMEOUT_MS = 30000, TOPIC_WAIT_MS = 5000 };

// One connection of the client.
struct socket {
    struct driver *driver;
    struct net_conn *conn; // NULL = none
    int link;
    bool connected; // was writable once
    bool blocked;   // the last write did not take everything
};

struct driver {
    struct tool *tool;
    struct host *host;
    struct env *env;
    struct client *client;
    struct driver_user user;
    struct env_timer timer;
    struct socket **sockets; // by link
    int socket_count;
    int64_t timeout_ms; // of calls, 0 = the client's
    uint8_t scratch[SCRATCH_SIZE];
};

struct client *driver_client(struct driver *d)
{
    return d->client;
}

struct env *driver_env(struct driver *d)
{
    return d->env;
}

int64_t driver_now_ms(const struct driver *d)
{
    return env_mono_ms(d->env->clock);
}

int64_t driver_wall_ms(const struct driver *d)
{
    return env_wall_ms(d->env->clock);
}

void driver_set_user(struct driver *d, const struct driver_user *user)
{
    d->user = user != NULL ? *user : (struct driver_user){0};
}

// --- Sockets ---

static struct socket *socket_of(struct driver *d, int link)
{
    while (d->socket_count <= link) {
        d->sockets = mem_resize(d->sockets, (size_t)(d->socket_count + 1) * sizeof *d->sockets);
        d->sockets[d->socket_count] = mem_new(struct socket);
        *d->sockets[d->socket_count] = (struct socket){.driver = d, .link = d->socket_count};
        d->socket_count++;
    }
    return d->sockets[link];
}

static void socket_close(struct socket *s)
{
    if (s->conn != NULL)
        net_close(s->conn);
    s->conn = NULL;
}

static void socket_failed(struct socket *s, const char *why)
{
    socket_close(s);
    client_on_closed(s->driver->client, s->link, why, driver_now_ms(s->driver));
}

static const char *why_closed(const struct socket *s, int64_t err)
{
    if (err == ERR_REFUSED || (err == ERR_CLOSED && !s->connected))
        return "connection refused";
    return err == ERR_CLOSED ? "the broker closed the connection" : err_text((int)err);
}

static void socket_read(struct socket *s)
{
    struct driver *d = s->driver;
    for (int i = 0; i < READS_MAX && s->conn != NULL; i++) {
        uint8_t *at;
        size_t room;
        client_space(d->client, s->link, d->scratch, sizeof d->scratch, &at, &room);
        int64_t got = net_read(s->conn, at, room);
        if (got == ERR_AGAIN)
            return;
        if (got <= 0) {
            socket_failed(s, why_closed(s, got == 0 ? ERR_CLOSED : got));
            return;
        }
        client_on_received(d->client, s->link, at, (size_t)got, driver_now_ms(d));
    }
}

static void socket_write(struct socket *s)
{
    struct driver *d = s->driver;
    while (s->conn != NULL && s->connected && !s->blocked) {
        struct rpc_slice from[SLICES_MAX];
        struct net_slice slices[SLICES_MAX];
        int count = client_slices(d->client, s->link, from, SLICES_MAX);
        if (count == 0)
            return;
        for (int i = 0; i < count; i++)
            slices[i] = (struct net_slice){.data = from[i].data, .size = from[i].size};
        int64_t sent = net_write(s->conn, slices, count);
        if (sent == ERR_AGAIN) {
            s->blocked = true;
            net_want(s->conn, NET_READABLE | NET_WRITABLE);
        } else if (sent < 0) {
            socket_failed(s, why_closed(s, sent));
        } else {
            client_sent(d->client, s->link, (size_t)sent);
        }
    }
}

static void socket_ready(struct net_conn *conn, unsigned events)
{
    struct socket *s = conn->user;
    struct driver *d = s->driver;
    if (!s->connected) {
        // A connection that failed reports it through read.
        int64_t got = net_read(conn, d->scratch, 0);
        if (got < 0 && got != ERR_AGAIN) {
            socket_failed(s, why_closed(s, got));
            return;
        }
        s->connected = true;
        client_on_connected(d->client, s->link, driver_now_ms(d));
    }
    if (events & NET_WRITABLE)
        s->blocked = false;
    if (events & NET_READABLE)
        socket_read(s);
    socket_write(s);
    if (s->conn != NULL && !s->blocked)
        net_want(s->conn, NET_READABLE);
}

static void socket_connect(struct driver *d, const struct client_effect *effect)
{
    struct socket *s = socket_of(d, effect->link);
    check(s->conn == NULL);
    *s = (struct socket){.driver = d, .link = effect->link};
    struct diag diag;
    diag_clear(&diag);
    int err = net_connect(d->env->net, effect->host, effect->port, &s->conn, &diag);
    if (err < 0) {
        s->conn = NULL;
        client_on_closed(d->client, s->link, diag.text[0] != '\0' ? diag.text : err_text(err),
                         driver_now_ms(d));
        return;
    }
    s->conn->ready = socket_ready;
    s->conn->user = s;
    net_want(s->conn, NET_WRITABLE);
}

// --- Driving ---

static void on_timer(struct env_timer *timer)
{
    (void)timer; // having woken up is all
}

// `again`: at once.
static void set_timer(struct driver *d, int64_t now_ms, bool again)
{
    int64_t next_ms = again ? now_ms : client_next_ms(d->client);
    if (d->user.next_ms != NULL) {
        int64_t user_ms = d->user.next_ms(d->user.user);
        next_ms = user_ms < next_ms ? user_ms : next_ms;
    }
    if (next_ms == INT64_MAX) {
        env_timer_cancel(d->env->timers, &d->timer);
        return;
    }
    int64_t in_ms = next_ms > now_ms ? next_ms - now_ms : 0;
    env_timer_set(d->env->timers, &d->timer, env_mono_ns(d->env->clock) + in_ms * 1000000);
}

static void drive(struct driver *d)
{
    int64_t now_ms = driver_now_ms(d);
    if (d->user.step != NULL)
        d->user.step(d->user.user, now_ms);
    int64_t ended = client_ended_count(d->client);
    client_step(d->client, now_ms);
    struct client_effect effect;
    while (client_next_effect(d->client, &effect)) {
        if (effect.kind == CLIENT_CONNECT)
            socket_connect(d, &effect);
        else
            socket_close(socket_of(d, effect.link));
    }
    for (int i = 0; i < d->socket_count; i++)
        socket_write(d->sockets[i]);
    // What ended since the user's step is news for it.
    set_timer(d, now_ms, client_ended_count(d->client) != ended);
}

void driver_run(struct driver *d, const bool *done)
{
    while (!*done) {
        drive(d);
        if (!*done)
            d->host->turn(d->host);
    }
}

// --- Calls ---

struct waiting_call {
    struct client_request request;
    bool done;
    int err;
    struct client_answer *out;
};

static void on_call_done(struct client_request *request, int err, struct client_answer *answer,
                         int64_t now_ms)
{
    struct waiting_call *w = request->user;
    w->done = true;
    w->err = err;
    if (err == 0)
        client_answer_move(w->out, answer);
}

void driver_set_timeout(struct driver *d, int64_t ms)
{
    d->timeout_ms = ms;
}

int driver_call_versions(struct driver *d, int16_t api_key, int16_t version_min,
                         int16_t version_max, int32_t node, const void *body,
                         struct client_answer *out)
{
    struct waiting_call w = {
        .request =
            {
                .api_key = api_key,
                .version_min = version_min,
                .version_max = version_max,
                .node = node,
                .body = body,
                .timeout_ms = d->timeout_ms,
                .done = on_call_done,
            },
        .out = out,
    };
    w.request.user = &w;
    client_send(d->client, &w.request, driver_now_ms(d));
    driver_run(d, &w.done);
    return w.err;
}

int driver_call(struct driver *d, int16_t api_key, int32_t node, const void *body,
                struct client_answer *out)
{
    return driver_call_versions(d, api_key, 0, 0, node, body, out);
}

struct topic_wait {
    struct driver *driver;
    struct str topic;
    bool create;
    int64_t generation; // of the last look
    int64_t deadline_ms;
    int err;
    bool done;
};

// A topic that is being created shows as unknown, then as without leaders.
static bool is_still_coming(const struct topology_topic *topic)
{
    if (topic->error != 0)
        return topic->error == KAFKA_UNKNOWN_TOPIC_OR_PARTITION ||
               topic->error == KAFKA_LEADER_NOT_AVAILABLE;
    for (int i = 0; i < topic->partition_count; i++)
        if (topic->partitions[i].leader < 0)
            return true;
    return false;
}

static void topic_wait_step(void *user, int64_t now_ms)
{
    struct topic_wait *w = user;
    struct client *client = w->driver->client;
    w->err = client_topology_error(client);
    w->done = w->err != 0;
    if (w->done || client_topology_generation(client) == w->generation)
        return;
    const struct topology_topic *topic = topology_topic(client_topology(client), w->topic);
    if (topic == NULL)
        return;
    w->generation = client_topology_generation(client);
    w->done = !w->create || !is_still_coming(topic) || now_ms >= w->deadline_ms;
    if (!w->done)
        client_topology_is_stale(client, now_ms);
}

int driver_wait_topic(struct driver *d, struct str topic, bool create)
{
    struct topic_wait w = {
        .driver = d,
        .topic = topic,
        .create = create,
        .generation = -1,
        .deadline_ms = driver_now_ms(d) + TOPIC_WAIT_MS,
    };
    struct driver_user before = d->user;
    d->user = (struct driver_user){.step = topic_wait_step, .user = &w};
    client_want_topic(d->client, topic, create);
    driver_run(d, &w.done);
    d->user = before;
    return w.err;
}

static void topology_wait_step(void *user, int64_t now_ms)
{
    struct topic_wait *w = user;
    w->err = client_topology_error(w->driver->client);
    w->done = w->err != 0 || client_all_topics_generation(w->driver->client) > w->generation;
}

int driver_wait_topology(struct driver *d)
{
    struct topic_wait w = {.driver = d, .generation = client_all_topics_generation(d->client)};
    struct driver_user before = d->user;
    d->user = (struct driver_user){.step = topology_wait_step, .user = &w};
    client_want_all_topics(d->client);
    driver_run(d, &w.done);
    d->user = before;
    return w.err;
}

struct pause_wait {
    int64_t end_ms;
    bool done;
};

static void pause_step(void *user, int64_t now_ms)
{
    struct pause_wait *w = user;
    w->done = now_ms >= w->end_ms;
}

static int64_t pause_next_ms(void *user)
{
    return ((struct pause_wait *)user)->end_ms;
}

void driver_pause(struct driver *d, int64_t ms)
{
    struct pause_wait w = {.end_ms = driver_now_ms(d) + ms};
    struct driver_user before = d->user;
    d->user = (struct driver_user){.step = pause_step, .next_ms = pause_next_ms, .user = &w};
    driver_run(d, &w.done);
    d->user = before;
}

struct lookup_wait {
    struct offset_lookup *lookup;
    bool done;
};

static void lookup_wait_step(void *user, int64_t now_ms)
{
    struct lookup_wait *w = user;
    offset_lookup_step(w->lookup, now_ms);
    w->done = offset_lookup_is_done(w->lookup);
}

static int64_t lookup_wait_next_ms(void *user)
{
    return offset_lookup_next_ms(((struct lookup_wait *)user)->lookup);
}

void driver_list_offsets(struct driver *d, struct offset_query *queries, int count,
                         bool read_committed)
{
    for (int i = 0; i < count; i++)
        client_want_topic(d->client, queries[i].topic, false);
    struct lookup_wait w = {.lookup = offset_lookup_new(d->client, queries, count, read_committed,
                                                        LOOKUP_TIMEOUT_MS, driver_now_ms(d))};
    struct driver_user before = d->user;
    d->user = (struct driver_user){
        .step = lookup_wait_step, .next_ms = lookup_wait_next_ms, .user = &w};
    driver_run(d, &w.done);
    d->user = before;
    offset_lookup_free(w.lookup);
}

// --- Life ---

const char *tool_bootstrap(struct tool *t, const char *flag)
{
    if (flag != NULL)
        return flag;
    const char *from_env = t->host->getenv(t->host, "CHITIN_BOOTSTRAP");
    return from_env != NULL && from_env[0] != '\0' ? from_env : "127.0.0.1:9092";
}

int tool_connect(struct tool *t, const char *bootstrap)
{
    struct diag diag;
    diag_clear(&diag);
    struct env *env = t->host->env(t->host, &diag);
    if (env == NULL)
        return tool_fail(t, EXIT_FAILED, "%s", diag.text);
    struct client_options options = {.fail_fast = true};
    struct client *client;
    if (client_new(&options, str_from(tool_bootstrap(t, bootstrap)), &client, &diag) < 0)
        return tool_usage(t, "%s", diag.text);
    struct driver *d = mem_new(struct driver);
    d->tool = t;
    d->host = t->host;
    d->env = env;
    d->client = client;
    d->timer.fire = on_timer;
    t->driver = d;
    return 0;
}

void tool_disconnect(struct tool *t)
{
    struct driver *d = t->driver;
    if (d == NULL)
        return;
    t->driver = NULL;
    client_free(d->client);
    env_timer_cancel(d->env->timers, &d->timer);
    for (int i = 0; i < d->socket_count; i++) {
        socket_close(d->sockets[i]);
        mem_free(d->sockets[i]);
    }
    mem_free(d->sockets);
    mem_free(d);
}

// --- Words ---

int tool_fail_call(struct tool *t, int err)
{
    const char *trouble = client_trouble(t->driver->client);
    switch (err) {
    case ERR_REFUSED:
        return tool_fail(t, EXIT_UNREACHABLE,
                         "no broker can be reached (%s)\n"
                         "  Is it running? Start one with 'chitin server', or name another one with "
                         "-b HOST:PORT or CHITIN_BOOTSTRAP.",
                         trouble);
    case ERR_TIMEOUT:
        return tool_fail(t, EXIT_UNREACHABLE, "the broker did not answer in time%s%s%s",
                         trouble[0] != '\0' ? " (" : "", trouble, trouble[0] != '\0' ? ")" : "");
    case ERR_CLOSED:
        return tool_fail(t, EXIT_UNREACHABLE,
                         "the connection ended before the answer came (%s): it is not known whether "
                         "the request was carried out",
                         trouble);
    case ERR_UNSUPPORTED:
        return tool_fail(t, EXIT_FAILED, "the broker cannot do this: %s", trouble);
    default:
        return tool_fail(t, EXIT_FAILED, "%s", err_text(err));
    }
}

static int status_of_code(int16_t code)
{
    switch (code) {
    case KAFKA_UNKNOWN_TOPIC_OR_PARTITION:
    case KAFKA_UNKNOWN_TOPIC_ID:
    case KAFKA_RESOURCE_NOT_FOUND:
        return EXIT_NOT_FOUND;
    case KAFKA_TOPIC_AUTHORIZATION_FAILED:
    case KAFKA_GROUP_AUTHORIZATION_FAILED:
    case KAFKA_CLUSTER_AUTHORIZATION_FAILED:
    case KAFKA_SASL_AUTHENTICATION_FAILED:
        return EXIT_DENIED;
    default:
        return kafka_error_is_retriable(code) ? EXIT_UNREACHABLE : EXIT_FAILED;
    }
}

static const char *fix_of_code(int16_t code)
{
    switch (code) {
    case KAFKA_TOPIC_ALREADY_EXISTS:
        return "use --if-not-exists to accept that";
    case KAFKA_TOPIC_AUTHORIZATION_FAILED:
    case KAFKA_CLUSTER_AUTHORIZATION_FAILED:
        return "ask for an ACL for this user";
    case KAFKA_MESSAGE_TOO_LARGE:
        return "raise the topic's max.message.bytes, or send smaller records";
    case KAFKA_NOT_ENOUGH_REPLICAS:
    case KAFKA_NOT_ENOUGH_REPLICAS_AFTER_APPEND:
        return "bring brokers back, or lower the topic's min.insync.replicas";
    case KAFKA_INVALID_REPLICATION_FACTOR:
        return "ask for at most as many replicas as there are brokers";
    default:
        return NULL;
    }
}

int tool_fail_code(struct tool *t, const char *what, int16_t code, struct str message)
{
    struct str text = message.size > 0 ? message : str_from(kafka_error_text(code));
    const char *fix = fix_of_code(code);
    return tool_fail(t, status_of_code(code), "%s: %.*s (%s)%s%s", what, STR_ARG(text),
                     kafka_error_name(code), fix != NULL ? "\n  " : "", fix != NULL ? fix : "");
}
