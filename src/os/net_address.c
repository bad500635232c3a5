// SPDX-License-Identifier: Apache-2.0
//
// Addresses as text, names, and the options of sockets.
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "os/net_internal.h"

// An IPv4 address in IPv6 clothes (dual-stack sockets) becomes the plain one.
static void unmap_v4(union os_socket_address *a)
{
    if (a->any.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&a->v6.sin6_addr))
        return;
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = a->v6.sin6_port};
    memcpy(&v4.sin_addr, &a->v6.sin6_addr.s6_addr[12], sizeof v4.sin_addr);
    a->v4 = v4;
}

struct net_address os__address_format(const union os_socket_address *address)
{
    union os_socket_address a = *address;
    struct net_address out = {0};
    unmap_v4(&a);
    socklen_t size = a.any.sa_family == AF_INET ? sizeof a.v4 : sizeof a.v6;
    // By getnameinfo since it knows the scope of link-local addresses ("fe80::1%eth0").
    if (getnameinfo(&a.any, size, out.host, sizeof out.host, NULL, 0, NI_NUMERICHOST) != 0)
        out.host[0] = '\0';
    out.port = ntohs(a.any.sa_family == AF_INET ? a.v4.sin_port : a.v6.sin6_port);
    return out;
}

struct net_address os__address_local(int fd)
{
    union os_socket_address a = {0};
    socklen_t size = sizeof a;
    if (getsockname(fd, &a.any, &size) != 0)
        return (struct net_address){0};
    return os__address_format(&a);
}

void os__set_option(int fd, int level, int name, int value)
{
    // None of these options is worth failing for.
    setsockopt(fd, level, name, &value, sizeof value);
}

void os__set_stream_options(const struct os_net *net, int fd)
{
    os__set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    os__set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    if (net->send_buffer_bytes > 0)
        os__set_option(fd, SOL_SOCKET, SO_SNDBUF, net->send_buffer_bytes);
    if (net->receive_buffer_bytes > 0)
        os__set_option(fd, SOL_SOCKET, SO_RCVBUF, net->receive_buffer_bytes);
}

int os__resolve(const char *host, uint16_t port, int flags, struct addrinfo **out,
                   struct diag *diag)
{
    char service[8];
    struct addrinfo hints = {
        .ai_socktype = SOCK_STREAM,
        .ai_flags = AI_NUMERICSERV | flags,
    };
    snprintf(service, sizeof service, "%u", (unsigned)port);
    int result = getaddrinfo(host, service, &hints, out);
    // A system without /etc/hosts, a small container for example, still has itself (RFC 6761).
    if (result != 0 && strcmp(host, "localhost") == 0)
        result = getaddrinfo("127.0.0.1", service, &hints, out);
    if (result == 0)
        return 0;
    const char *why = result == EAI_SYSTEM ? strerror(errno) : gai_strerror(result);
    return diag_set(diag, ERR_NOT_FOUND, "the host name \"%s\" cannot be resolved: %s", host, why);
}
