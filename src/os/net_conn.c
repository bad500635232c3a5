// SPDX-License-Identifier: Apache-2.0
//
// Connections. Each is registered once, edge-triggered, for everything; what epoll reported and
// read() or write() has not yet found exhausted is remembered in `available`. So net_want() costs no
// system call, and a connection that wants what is available already is called from the loop's
// ready list.
#include <errno.h>
#include <netdb.h>
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
#include "os/net_internal.h"

enum {
    CONN_MAGIC = 0x6f73636e,
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

// --- reading

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

// --- writing

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

// --- events and life

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

static void conn_detach(struct net_conn *conn)
{
    struct os_conn *c = conn_of(conn);
    check(!c->closed && c->wanted == 0);
    os__watch_remove(c->net->loop, &c->watch);
    list_remove(&c->ready_node);
    c->net->open_count--;
    c->net = NULL;
}

static const struct net_conn_ops conn_ops = {
    .want = conn_want,
    .read = conn_read,
    .write = conn_write,
    .close = conn_close,
    .detach = conn_detach,
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
        c->conn.local = os__address_local(c->watch.fd);
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

struct net_conn *os__conn_accepted(struct os_net *net, int fd, const struct net_address *local,
                                   const struct net_address *remote)
{
    struct os_conn *c = conn_new(net);
    c->conn.local = *local;
    c->conn.remote = *remote;
    if (conn_watch(c, fd) == 0)
        return &c->conn;
    close(fd);
    conn_close(&c->conn);
    return NULL;
}

int os__net_attach(struct env_net *env_net, struct net_conn *conn)
{
    struct os_conn *c = conn_of(conn);
    check(c->net == NULL);
    c->net = container_of(env_net, struct os_net, net);
    c->net->open_count++;
    return conn_watch(c, c->watch.fd);
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
    os__set_stream_options(c->net, fd);
    int result = 0;
    if (connect(fd, a->ai_addr, a->ai_addrlen) != 0 && errno != EINPROGRESS)
        result = os_error(errno);
    if (result == 0)
        result = conn_watch(c, fd);
    if (result != 0) {
        close(fd);
        return result;
    }
    union os_socket_address remote = {0};
    memcpy(&remote, a->ai_addr, a->ai_addrlen);
    c->conn.remote = os__address_format(&remote);
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

int os__net_connect(struct env_net *env_net, const char *host, uint16_t port, struct net_conn **out,
                    struct diag *diag)
{
    struct os_net *net = container_of(env_net, struct os_net, net);
    struct addrinfo *addresses = NULL;
    int result = os__resolve(host, port, 0, &addresses, diag);
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
