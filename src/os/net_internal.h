// SPDX-License-Identifier: Apache-2.0
//
// What the files about sockets share.
#pragma once

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "os/loop_internal.h"

union os_socket_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_storage storage;
};

// net_address.c
struct net_address os__address_format(const union os_socket_address *address);
struct net_address os__address_local(int fd);

// None of these options is worth failing for.
void os__set_option(int fd, int level, int name, int value);
void os__set_stream_options(const struct os_net *net, int fd);

// `flags` for getaddrinfo; *out is freed with freeaddrinfo().
int os__resolve(const char *host, uint16_t port, int flags, struct addrinfo **out,
                struct diag *diag);

// net_conn.c: a connection for an accepted socket, or NULL (the socket is closed then).
struct net_conn *os__conn_accepted(struct os_net *net, int fd, const struct net_address *local,
                                   const struct net_address *remote);
int os__net_attach(struct env_net *env_net, struct net_conn *conn);
int os__net_connect(struct env_net *env_net, const char *host, uint16_t port, struct net_conn **out,
                    struct diag *diag);

// net_listen.c
int os__net_listen(struct env_net *env_net, const char *host, uint16_t port,
                   struct net_listener **out, struct diag *diag);
