// SPDX-License-Identifier: Apache-2.0
//
// Sockets. A connection is registered once, edge-triggered, for everything; what epoll reported and
// read() or write() has not yet found exhausted is remembered in `available`. So net_want() costs no
// system call, and a connection that wants what is available already is called from the loop's
// ready list. A listening socket is level-triggered.
//
// What accepted sockets inherit from the listening one (TCP_NODELAY, keepalive, buffer sizes) is set
// there, which saves the calls per connection.
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "os/error.h"
#include "os/loop_internal.h"

enum {
    CONN_MAGIC = 0x6f73636e,
    LISTENER_MAGIC = 0x6f736c73,
    BACKLOG_DEFAULT = 50,
    SOCKETS_MAX = 8,            // addresses that one listener binds
    ACCEPT_BURST_MAX = 64,      // connections accepted before others get their turn
    ACCEPT_RETRY_MS = 100,      // after descriptors ran out
    WRITE_BURST_MAX = 1 << 20,  // bytes sent by one net_write()
    SMALL_RANGE_MAX = 16 << 10, // file ranges up to this are copied into the packet of their header
    SCRATCH_BYTES = 128 << 10,
};

struct os_conn {
    struct net_conn conn;
    unsigned magic;
    struct os_watch watch;
    struct os_corpse corpse;
    struct os_net *net;
    struct list_node ready_node;
    unsigned wanted;
    unsigned available;
    bool peer_closed;     // reading will end: never call it exhausted
    bool failed;
    bool failure_told;
    bool closed;
    int error;            // what read and write say, if not 0
    // While connecting: what else the name resolved to.
    bool connecting;
    struct addrinfo *addresses;
    struct addrinfo *address_next;
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
    struct env_timer retry;
};

union socket_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_storage storage;
};

// --- addresses

// An IPv4 address in IPv6 clothes (dual-stack sockets) becomes the plain one.
static void unmap_v4(union socket_address *a)
{
    if (a->any.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&a->v6.sin6_addr))
        return;
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = a->v6.sin6_port};
    memcpy(&v4.sin_addr, &a->v6.sin6_addr.s6_addr[12], sizeof v4.sin_addr);
    a->v4 = v4;
}

static struct net_address address_format(const union socket_address *address)
{
    union socket_address a = *address;
    struct net_address out = {0};
    unmap_v4(&a);
    socklen_t size = a.any.sa_family == AF_INET ? sizeof a.v4 : sizeof a.v6;
    // By getnameinfo since it knows the scope of link-local addresses ("fe80::1%eth0").
    if (getnameinfo(&a.any, size, out.host, sizeof out.host, NULL, 0, NI_NUMERICHOST) != 0)
        out.host[0] = '\0';
    out.port = ntohs(a.any.sa_family == AF_INET ? a.v4.sin_port : a.v6.sin6_port);
    return out;
}

static struct net_address address_local(int fd)
{
    union socket_address a = {0};
    socklen_t size = sizeof a;
    if (getsockname(fd, &a.any, &size) != 0)
        return (struct net_address){0};
    return address_format(&a);
}

static void set_option(int fd, int level, int name, int value)
{
    // None of these options is worth failing for.
    setsockopt(fd, level, name, &value, sizeof value);
}

static void set_stream_options(const struct os_net *net, int fd)
{
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    if (net->send_buffer_bytes > 0)
        set_option(fd, SOL_SOCKET, SO_SNDBUF, net->send_buffer_bytes);
    if (net->receive_buffer_bytes > 0)
        set_option(fd, SOL_SOCKET, SO_RCVBUF, net->receive_buffer_bytes);
}

static int resolve(const char *host, uint16_t port, int flags, struct addrinfo **out,
                   struct diag *diag)
{
    char service[8];
    struct addrinfo hints = {
        .ai_socktype = SOCK_STREAM,
        .ai_flags = AI_NUMERICSERV | flags,
    };
    snprintf(service, sizeof service, "%u", (unsigned)port);
    int result = getaddrinfo(host, service, &hints, out);
    if (result == 0)
        return 0;
    const char *why = result == EAI_SYSTEM ? strerror(errno) : gai_strerror(result);
    return diag_set(diag, ERR_NOT_FOUND, "the host name \"%s\" cannot be resolved: %s", host, why);
}

// --- connections: reading

static struct os_conn *conn_of(struct net_conn *conn)
{
    struct os_conn *c = container_of(conn, struct os_conn, conn);
    check(c->magic == CONN_MAGIC);
    return c;
}

// Puts it on the ready list if it has something to be called for.
static void conn_schedule(struct os_conn *c)
{
    bool due = (c->wanted & c->available) != 0 || (c->failed && !c->failure_told);
    if (due && !list_linked(&c->ready_node))
        list_append(&c->net->ready, &c->ready_node);
}

static void conn_want(struct net_conn *conn, unsigned events)
{
    struct os_conn *c = conn_of(conn);
    c->wanted = events & (NET_READABLE | NET_WRITABLE);
    conn_schedule(c);
}

static int64_t conn_read(struct net_conn *conn, void *out, size_t size)
{
    struct os_conn *c = conn_of(conn);
    if (c->error != 0)
        return c->error;
    if ((c->available & NET_READABLE) == 0)
        return ERR_AGAIN;
    ssize_t n;
    do
        n = recv(c->watch.fd, out, size, 0);
    while (n < 0 && errno == EINTR);
    if (n > 0) {
        // A short read means that there was no more (epoll(7)), so the next event will tell.
        if ((size_t)n < size && !c->peer_closed)
            c->available &= ~(unsigned)NET_READABLE;
        return n;
    }
    if (n == 0)
        return size > 0 ? ERR_CLOSED : 0;
    int result = os_error(errno);
    if (result == ERR_AGAIN)
        c->available &= ~(unsigned)NET_READABLE;
    return result;
}

// --- connections: writing

// What one system call can take: memory pieces, or one file range.
struct batch {
    struct iovec pieces[NET_SLICES_MAX];
    int piece_count;
    size_t size;
    int slice_count; // how many slices it covers
    bool short_file; // the next slice is a range that its file does not have
};

// Gathers slices from slices[0] on until one needs a sendfile of its own. Small file ranges are read
// into the scratch memory: one system call and full packets for an answer with many of them.
static void gather(struct os_net *net, const struct net_slice *slices, int count, struct batch *b)
{
    size_t scratch_used = 0;
    *b = (struct batch){0};
    while (b->slice_count < count && b->piece_count < NET_SLICES_MAX && b->size < WRITE_BURST_MAX) {
        const struct net_slice *s = &slices[b->slice_count];
        const void *data = s->data;
        if (s->file != NULL) {
            if (s->size > SMALL_RANGE_MAX || s->size > SCRATCH_BYTES - scratch_used)
                break;
            if (net->scratch == NULL)
                net->scratch = mem_alloc(SCRATCH_BYTES);
            int64_t n = fs_file_read(s->file, net->scratch + scratch_used, s->size, s->position);
            b->short_file = n != (int64_t)s->size;
            if (b->short_file)
                break;
            data = net->scratch + scratch_used;
            scratch_used += s->size;
        }
        if (s->size > 0) {
            union { const void *in; void *out; } base = {.in = data};
            b->pieces[b->piece_count++] = (struct iovec){.iov_base = base.out, .iov_len = s->size};
        }
        b->size += s->size;
        b->slice_count++;
    }
}

// Sends the batch; `more`: something follows at once, so a packet that is not full may wait for it.
static int64_t send_memory(int fd, struct batch *b, bool more)
{
    struct msghdr message = {.msg_iov = b->pieces, .msg_iovlen = (size_t)b->piece_count};
    ssize_t n;
    do
        n = sendmsg(fd, &message, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
    while (n < 0 && errno == EINTR);
    return n >= 0 ? n : os_error(errno);
}

static int64_t send_range(int fd, const struct net_slice *s)
{
    off_t position = s->position;
    size_t size = s->size < WRITE_BURST_MAX ? s->size : WRITE_BURST_MAX;
    ssize_t n;
    do
        n = sendfile(fd, os_file_descriptor(s->file), &position, size);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return os_error(errno);
    return n > 0 ? n : ERR_TRUNCATED;
}

// Sends what one system call takes of slices[0...]: the bytes sent, fewer than *asked when the socket
// is full; or an error.
static int64_t write_once(struct os_conn *c, const struct net_slice *slices, int count,
                          int *slice_count, size_t *asked)
{
    struct batch b;
    if (slices[0].file != NULL && slices[0].size > SMALL_RANGE_MAX) {
        *slice_count = 1;
        *asked = slices[0].size;
        return send_range(c->watch.fd, &slices[0]);
    }
    gather(c->net, slices, count, &b);
    *slice_count = b.slice_count;
    *asked = b.size;
    if (b.size == 0)
        return b.short_file ? ERR_TRUNCATED : 0;
    return send_memory(c->watch.fd, &b, b.slice_count < count && !b.short_file);
}

static int64_t conn_write(struct net_conn *conn, const struct net_slice *slices, int count)
{
    struct os_conn *c = conn_of(conn);
    int64_t total = 0;
    int result = c->error;
    int at = 0;
    if (result == 0 && (c->available & NET_WRITABLE) == 0)
        result = ERR_AGAIN;
    while (result == 0 && at < count && total < WRITE_BURST_MAX) {
        int slice_count;
        size_t asked;
        int64_t n = write_once(c, slices + at, count - at, &slice_count, &asked);
        if (n < 0)
            result = (int)n;
        else
            total += n;
        if (n >= 0 && (size_t)n < asked)
            break; // the socket is full, or the burst over: the caller's next call finds out
        at += slice_count;
    }
    if (result == ERR_AGAIN)
        c->available &= ~(unsigned)NET_WRITABLE;
    return total > 0 ? total : result;
}

// --- connections: events and life

static void conn_free(struct os_corpse *corpse)
{
    struct os_conn *c = container_of(corpse, struct os_conn, corpse);
    if (c->addresses != NULL)
        freeaddrinfo(c->addresses);
    c->magic = 0;
    mem_free(c);
}

static void conn_close(struct net_conn *conn)
{
    struct os_conn *c = conn_of(conn);
    check(!c->closed);
    c->closed = true;
    os__watch_close(&c->watch);
    list_remove(&c->ready_node);
    c->net->open_count--;
    os__loop_bury(c->net->loop, &c->corpse);
}

static const struct net_conn_ops conn_ops = {
    .want = conn_want,
    .read = conn_read,
    .write = conn_write,
    .close = conn_close,
};

static void conn_call(struct os_conn *c)
{
    unsigned events = c->wanted & c->available;
    if (c->failed && !c->failure_told) {
        c->failure_told = true;
        events |= NET_FAILED;
    }
    if (events != 0 && c->conn.ready != NULL)
        c->conn.ready(&c->conn, events);
    if (!c->closed)
        conn_schedule(c);
}

static bool connect_next(struct os_conn *c);

static void conn_fail(struct os_conn *c, int error)
{
    c->connecting = false;
    c->failed = true;
    if (c->error == 0)
        c->error = error;
    c->available = NET_READABLE | NET_WRITABLE;
}

static void conn_connected(struct os_conn *c, uint32_t epoll_events)
{
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(c->watch.fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error == 0 && (epoll_events & (EPOLLERR | EPOLLHUP)) == 0) {
        c->connecting = false;
        c->conn.local = address_local(c->watch.fd);
        return;
    }
    os__watch_close(&c->watch);
    if (error != 0)
        c->error = os_error(error);
    if (!connect_next(c))
        conn_fail(c, ERR_CLOSED);
}

static void conn_event(struct os_watch *watch, uint32_t epoll_events)
{
    struct os_conn *c = container_of(watch, struct os_conn, watch);
    if (c->connecting && (epoll_events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) == 0)
        return;
    if (c->connecting)
        conn_connected(c, epoll_events);
    if (c->connecting) // the next address is being tried
        return;
    if (!c->failed && (epoll_events & (EPOLLERR | EPOLLHUP)) != 0) {
        c->failed = true;
        c->available = NET_READABLE | NET_WRITABLE;
    }
    if ((epoll_events & (EPOLLIN | EPOLLRDHUP)) != 0)
        c->available |= NET_READABLE;
    if ((epoll_events & EPOLLRDHUP) != 0)
        c->peer_closed = true;
    if ((epoll_events & EPOLLOUT) != 0)
        c->available |= NET_WRITABLE;
    conn_call(c);
}

static struct os_conn *conn_new(struct os_net *net)
{
    struct os_conn *c = mem_new(struct os_conn);
    c->conn.ops = &conn_ops;
    c->magic = CONN_MAGIC;
    c->net = net;
    c->watch = (struct os_watch){.event = conn_event, .fd = -1};
    c->corpse.free = conn_free;
    net->open_count++;
    return c;
}

static int conn_watch(struct os_conn *c, int fd)
{
    return os__watch_add(c->net->loop, &c->watch, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
}

bool os__net_has_ready(const struct os_net *net)
{
    return !list_empty(&net->ready);
}

// Calls those that are ready now; who is still ready afterwards waits for the next round.
bool os__net_run_ready(struct os_net *net)
{
    struct list now;
    struct list_node *node;
    list_init(&now);
    list_move_all(&now, &net->ready);
    bool busy = !list_empty(&now);
    while ((node = list_pop(&now)) != NULL)
        conn_call(container_of(node, struct os_conn, ready_node));
    return busy;
}

// --- connecting

// Starts to connect to one address: 0, or why it cannot be.
static int connect_start(struct os_conn *c, const struct addrinfo *a)
{
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return os_error(errno);
    set_stream_options(c->net, fd);
    int result = 0;
    if (connect(fd, a->ai_addr, a->ai_addrlen) != 0 && errno != EINPROGRESS)
        result = os_error(errno);
    if (result == 0)
        result = conn_watch(c, fd);
    if (result != 0) {
        close(fd);
        return result;
    }
    union socket_address remote = {0};
    memcpy(&remote, a->ai_addr, a->ai_addrlen);
    c->conn.remote = address_format(&remote);
    return 0;
}

// Tries the remaining addresses in turn; false, with c->error saying why, when none is left.
static bool connect_next(struct os_conn *c)
{
    while (c->address_next != NULL) {
        const struct addrinfo *a = c->address_next;
        c->address_next = a->ai_next;
        int result = connect_start(c, a);
        if (result == 0) {
            c->error = 0;
            c->connecting = true;
            return true;
        }
        c->error = result;
    }
    return false;
}

static int net_connect_to(struct env_net *env_net, const char *host, uint16_t port,
                          struct net_conn **out, struct diag *diag)
{
    struct os_net *net = container_of(env_net, struct os_net, net);
    struct addrinfo *addresses = NULL;
    int result = resolve(host, port, 0, &addresses, diag);
    if (result != 0)
        return result;
    struct os_conn *c = conn_new(net);
    c->addresses = c->address_next = addresses;
    if (!connect_next(c)) {
        result = c->error;
        conn_close(&c->conn);
        return diag_set(diag, result, "cannot connect to %s port %u: %s", host, (unsigned)port,
                        err_text(result));
    }
    *out = &c->conn;
    return 0;
}

// --- listening

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

static void listener_accepted(struct os_listener *l, int fd, const union socket_address *remote)
{
    struct os_conn *c = conn_new(l->net);
    c->conn.remote = address_format(remote);
    c->conn.local = l->any_address ? address_local(fd) : l->listener.local;
    if (conn_watch(c, fd) != 0) {
        close(fd);
        conn_close(&c->conn);
        return;
    }
    l->listener.accept(&l->listener, &c->conn);
}

static void listener_event(struct os_watch *watch, uint32_t epoll_events)
{
    struct listen_socket *s = container_of(watch, struct listen_socket, watch);
    struct os_listener *l = s->listener;
    for (int i = 0; i < ACCEPT_BURST_MAX && watch->fd >= 0 && !l->paused; i++) {
        union socket_address remote = {0};
        socklen_t size = sizeof remote;
        int fd = accept4(watch->fd, &remote.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            listener_accepted(l, fd, &remote);
            continue;
        }
        // EINTR, or the connection died in the backlog: the event comes again.
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
            listener_back_off(l);
        return;
    }
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
static int listener_add(struct os_listener *l, const union socket_address *address, socklen_t size)
{
    struct os_net *net = l->net;
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    bool any = address->any.sa_family == AF_INET6 &&
               IN6_IS_ADDR_UNSPECIFIED(&address->v6.sin6_addr);
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (address->any.sa_family == AF_INET6)
        set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, !any);
    set_stream_options(net, fd);
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
        l->listener.local = address_local(fd);
    else
        l->any_address = true; // more than one: ask each connection
    return 0;
}

// All addresses of both families by one socket; by an IPv4 one where there is no IPv6.
static int listen_all(struct os_listener *l, uint16_t port)
{
    union socket_address a = {.v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)}};
    int error = listener_add(l, &a, sizeof a.v6);
    if (error != EAFNOSUPPORT && error != EADDRNOTAVAIL)
        return error;
    a = (union socket_address){.v4 = {.sin_family = AF_INET, .sin_port = htons(port)}};
    return listener_add(l, &a, sizeof a.v4);
}

// All addresses that a name has ("localhost" has two). The first must work; others may be of a
// family that this machine does not have.
static int listen_named(struct os_listener *l, const struct addrinfo *addresses)
{
    for (const struct addrinfo *i = addresses; i != NULL; i = i->ai_next) {
        union socket_address a = {0};
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

static int net_listen_on(struct env_net *env_net, const char *host, uint16_t port,
                         struct net_listener **out, struct diag *diag)
{
    struct os_net *net = container_of(env_net, struct os_net, net);
    struct addrinfo *addresses = NULL;
    if (host[0] != '\0') {
        int result = resolve(host, port, AI_PASSIVE, &addresses, diag);
        if (result != 0)
            return result;
    }
    struct os_listener *l = mem_new(struct os_listener);
    l->magic = LISTENER_MAGIC;
    l->net = net;
    l->corpse.free = listener_free;
    l->retry.fire = listener_retry;
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

// --- life

void os__net_init(struct os_net *net, struct os_loop *loop, const struct os_loop_options *options)
{
    *net = (struct os_net){
        .net = {.listen = net_listen_on, .connect = net_connect_to},
        .loop = loop,
        .listen_backlog = options->listen_backlog > 0 ? options->listen_backlog : BACKLOG_DEFAULT,
        .send_buffer_bytes = options->socket_send_buffer_bytes,
        .receive_buffer_bytes = options->socket_receive_buffer_bytes,
    };
    list_init(&net->ready);
}

void os__net_release(struct os_net *net)
{
    check(net->open_count == 0);
    mem_free(net->scratch);
    net->scratch = NULL;
}
