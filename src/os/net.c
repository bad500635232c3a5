// SPDX-License-Identifier: Apache-2.0
//
// The network of a loop; its connections are in net_conn.c, its listening sockets in net_listen.c.
#include "base/check.h"
#include "base/mem.h"
#include "os/net_internal.h"

enum { BACKLOG_DEFAULT = 50 }; // as socket.listen.backlog.size

void os__net_init(struct os_net *net, struct os_loop *loop, const struct os_loop_options *options)
{
    *net = (struct os_net){
        .net = {.listen = os__net_listen, .connect = os__net_connect,
                .attach = os__net_attach},
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
