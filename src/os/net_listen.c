// SPDX-License-Identifier: Apache-2.0
//
// Listening sockets, level-triggered. What accepted sockets inherit from them (TCP_NODELAY,
// keepalive, buffer sizes) is set here, which saves the calls for each connection.
#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "os/error.h"
#include "os/net_internal.h"

enum {
    LISTENER_MAGIC = 0x6f736c73,
    SOCKETS_MAX = 8,       // addresses that one listener binds
    ACCEPT_BURST_MAX = 64, // connections accepted before others get their turn
    ACCEPT_RETRY_MS = 100, // after descriptors ran out
    // Descriptors that connections leave to files: a quarter of all, at most so many.
    FILE_DESCRIPTORS_MAX = 8192,
};

struct os_listener;

struct listen_socket {
    struct os_watch watch;
    struct os_listener *listener;
};

struct os_listener {
    struct net_listener listener;
    unsigned magic;
    struct os_corpse corpse;
    struct os_net *net;
    struct listen_socket sockets[SOCKETS_MAX];
    int socket_count;
    bool any_address; // accepted connections must be asked for their local address
    bool paused;
    int descriptor_end; // first that no connection may have
    struct env_timer retry;
};

static void listener_watch_all(struct os_listener *l, bool on)
{
    for (int i = 0; i < l->socket_count; i++)
        os__watch_change(l->net->loop, &l->sockets[i].watch, on ? EPOLLIN : 0);
}

static struct os_listener *listener_of(struct net_listener *listener)
{
    struct os_listener *l = container_of(listener, struct os_listener, listener);
    check(l->magic == LISTENER_MAGIC);
    return l;
}

static void listener_pause(struct net_listener *listener, bool paused)
{
    struct os_listener *l = listener_of(listener);
    if (l->paused == paused)
        return;
    l->paused = paused;
    env_timer_cancel(&l->net->loop->timers, &l->retry);
    listener_watch_all(l, !paused);
}

// Descriptors (or kernel memory) have run out. The connections that wait stay in the backlog; a
// level-triggered event for them would keep the loop busy, so it is looked at again a little later.
static void listener_back_off(struct os_listener *l)
{
    struct os_loop *loop = l->net->loop;
    listener_watch_all(l, false);
    int64_t now_ns = env_mono_ns(&loop->clock);
    env_timer_set(&loop->timers, &l->retry, now_ns + INT64_C(1000000) * ACCEPT_RETRY_MS);
}

static void listener_retry(struct env_timer *timer)
{
    struct os_listener *l = container_of(timer, struct os_listener, retry);
    listener_watch_all(l, true);
}

static void listener_accepted(struct os_listener *l, int fd, const union os_socket_address *from)
{
    struct net_address remote = os__address_format(from);
    struct net_address local = l->any_address ? os__address_local(fd) : l->listener.local;
    struct net_conn *conn = os__conn_accepted(l->net, fd, &local, &remote);
    if (conn != NULL)
        l->listener.accept(&l->listener, conn);
}

// First descriptor that no connection may have. The system gives the lowest that is free, so there are
// others when it gives this one.
static int connection_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > INT_MAX)
        return INT_MAX;
    int all = (int)limit.rlim_cur;
    return all - (all / 4 < FILE_DESCRIPTORS_MAX ? all / 4 : FILE_DESCRIPTORS_MAX);
}

static void listener_refused(struct os_listener *l, int count)
{
    listener_back_off(l);
    if (l->listener.refused != NULL)
        l->listener.refused(&l->listener, count);
}

static void listener_event(struct os_watch *watch, uint32_t epoll_events)
{
    struct listen_socket *s = container_of(watch, struct listen_socket, watch);
    struct os_listener *l = s->listener;
    int refused = 0;
    for (int i = 0; i < ACCEPT_BURST_MAX && watch->fd >= 0 && !l->paused; i++) {
        union os_socket_address remote = {0};
        socklen_t size = sizeof remote;
        int fd = accept4(watch->fd, &remote.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= l->descriptor_end) {
            close(fd);
            refused++;
            continue;
        }
        if (fd >= 0) {
            listener_accepted(l, fd, &remote);
            continue;
        }
        // EINTR, or the connection died in the backlog: the event comes again.
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
            listener_back_off(l);
        break;
    }
    if (refused > 0)
        listener_refused(l, refused);
}

static void listener_free(struct os_corpse *corpse)
{
    struct os_listener *l = container_of(corpse, struct os_listener, corpse);
    l->magic = 0;
    mem_free(l);
}

static void listener_close(struct net_listener *listener)
{
    struct os_listener *l = listener_of(listener);
    env_timer_cancel(&l->net->loop->timers, &l->retry);
    for (int i = 0; i < l->socket_count; i++)
        os__watch_close(&l->sockets[i].watch);
    l->net->open_count--;
    os__loop_bury(l->net->loop, &l->corpse);
}

static int listen_error(int error, const char *host, uint16_t port, struct diag *diag)
{
    const char *place = host[0] != '\0' ? host : "all addresses";
    int result = os_error(error);
    char owner[OS_OWNER_TEXT_MAX];
    switch (error) {
    case EADDRINUSE:
        os__net_port_owner(port, owner);
        return diag_set(diag, result,
                        "port %u on %s is in use%s%s; stop what uses it or choose another port",
                        (unsigned)port, place, owner[0] != '\0' ? " by " : "", owner);
    case EADDRNOTAVAIL:
        return diag_set(diag, result,
                        "no network interface of this machine has the address %s; listen on one "
                        "that it has, or on all with an empty host",
                        place);
    case EACCES:
    case EPERM:
        return diag_set(diag, result,
                        "not allowed to listen on port %u; ports below 1024 need root or "
                        "CAP_NET_BIND_SERVICE, choose a higher one",
                        (unsigned)port);
    default:
        return diag_set(diag, result, "cannot listen on %s port %u: %s", place, (unsigned)port,
                        strerror(error));
    }
}

// Binds one more socket of the listener: 0, or an errno.
static int listener_add(struct os_listener *l, const union os_socket_address *address, socklen_t size)
{
    struct os_net *net = l->net;
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    bool any = address->any.sa_family == AF_INET6 &&
               IN6_IS_ADDR_UNSPECIFIED(&address->v6.sin6_addr);
    os__set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (address->any.sa_family == AF_INET6)
        os__set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, !any);
    os__set_stream_options(net, fd);
    struct listen_socket *s = &l->sockets[l->socket_count];
    *s = (struct listen_socket){.watch = {.event = listener_event, .fd = -1}, .listener = l};
    int error = 0;
    if (bind(fd, &address->any, size) != 0 || listen(fd, net->listen_backlog) != 0)
        error = errno;
    else if (os__watch_add(net->loop, &s->watch, fd, EPOLLIN) != 0)
        error = ENOMEM;
    if (error != 0) {
        close(fd);
        return error;
    }
    if (any || (address->any.sa_family == AF_INET && address->v4.sin_addr.s_addr == INADDR_ANY))
        l->any_address = true;
    if (l->socket_count++ == 0)
        l->listener.local = os__address_local(fd);
    else
        l->any_address = true; // more than one: ask each connection
    return 0;
}

// All addresses of both families by one socket; by an IPv4 one where there is no IPv6.
static int listen_all(struct os_listener *l, uint16_t port)
{
    union os_socket_address a = {.v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)}};
    int error = listener_add(l, &a, sizeof a.v6);
    if (error != EAFNOSUPPORT && error != EADDRNOTAVAIL)
        return error;
    a = (union os_socket_address){.v4 = {.sin_family = AF_INET, .sin_port = htons(port)}};
    return listener_add(l, &a, sizeof a.v4);
}

// All addresses that a name has ("localhost" has two). The first must work; others may be of a
// family that this machine does not have.
static int listen_named(struct os_listener *l, const struct addrinfo *addresses)
{
    for (const struct addrinfo *i = addresses; i != NULL; i = i->ai_next) {
        union os_socket_address a = {0};
        memcpy(&a, i->ai_addr, i->ai_addrlen);
        if (l->socket_count > 0) { // the port that the system chose for the first
            if (a.any.sa_family == AF_INET)
                a.v4.sin_port = htons(l->listener.local.port);
            else
                a.v6.sin6_port = htons(l->listener.local.port);
        }
        if (l->socket_count == SOCKETS_MAX)
            break;
        int error = listener_add(l, &a, i->ai_addrlen);
        bool no_family = error == EAFNOSUPPORT || error == EADDRNOTAVAIL;
        if (error != 0 && !(no_family && (l->socket_count > 0 || i->ai_next != NULL)))
            return error;
    }
    return 0;
}

int os__net_listen(struct env_net *env_net, const char *host, uint16_t port,
                   struct net_listener **out, struct diag *diag)
{
    struct os_net *net = container_of(env_net, struct os_net, net);
    struct addrinfo *addresses = NULL;
    if (host[0] != '\0') {
        int result = os__resolve(host, port, AI_PASSIVE, &addresses, diag);
        if (result != 0)
            return result;
    }
    struct os_listener *l = mem_new(struct os_listener);
    l->magic = LISTENER_MAGIC;
    l->net = net;
    l->corpse.free = listener_free;
    l->retry.fire = listener_retry;
    l->descriptor_end = connection_descriptors();
    l->listener.close = listener_close;
    l->listener.pause = listener_pause;
    net->open_count++;
    int error = host[0] == '\0' ? listen_all(l, port) : listen_named(l, addresses);
    if (addresses != NULL)
        freeaddrinfo(addresses);
    if (error != 0) {
        listener_close(&l->listener);
        return listen_error(error, host, port, diag);
    }
    *out = &l->listener;
    return 0;
}
