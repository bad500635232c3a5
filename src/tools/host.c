// SPDX-License-Identifier: Apache-2.0
#include "tools/host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/list.h"
#include "os/error.h"
#include "os/loop.h"
#include "os/process.h"

static struct os_host *os_host_of(struct host *host)
{
    return container_of(host, struct os_host, host);
}

static struct os_loop *loop_of(struct os_host *h, struct diag *diag)
{
    if (h->loop == NULL && os_loop_new(NULL, &h->loop, diag) < 0)
        h->loop = NULL;
    return h->loop;
}

static struct env *host_env(struct host *host, struct diag *diag)
{
    struct os_loop *loop = loop_of(os_host_of(host), diag);
    return loop != NULL ? os_loop_env(loop) : NULL;
}

static void host_turn(struct host *host)
{
    os_loop_step(os_host_of(host)->loop, true);
}

static int64_t host_read_input(struct host *host, void *out, size_t size)
{
    for (;;) {
        ssize_t got = read(STDIN_FILENO, out, size);
        if (got >= 0 || errno != EINTR)
            return got >= 0 ? got : os_error(errno);
    }
}

static void on_terminate(void *context, int signal, int count)
{
    struct os_host *h = context;
    if (count > 1 || h->on_stop == NULL)
        _exit(128 + signal);
    h->on_stop(h->stop_context);
}

static int host_catch_stop(struct host *host, void (*on_stop)(void *context), void *context,
                           struct diag *diag)
{
    struct os_host *h = os_host_of(host);
    h->on_stop = on_stop;
    h->stop_context = context;
    struct os_loop *loop = on_stop != NULL ? loop_of(h, diag) : NULL;
    if (loop == NULL)
        return on_stop != NULL ? ERR_LIMIT : 0;
    return h->signals != NULL ? 0 : os_signals_new(loop, on_terminate, h, &h->signals, diag);
}

static const char *host_getenv(struct host *host, const char *name)
{
    return getenv(name);
}

void os_host_init(struct os_host *h)
{
    *h = (struct os_host){
        .host =
            {
                .env = host_env,
                .turn = host_turn,
                .read_input = host_read_input,
                .catch_stop = host_catch_stop,
                .getenv = host_getenv,
                .input_is_terminal = isatty(STDIN_FILENO),
                .output_is_terminal = isatty(STDOUT_FILENO),
                .error_is_terminal = isatty(STDERR_FILENO),
            },
    };
    os_process_ignore_sigpipe();
}

void os_host_release(struct os_host *h)
{
    if (h->signals != NULL)
        os_signals_free(h->signals);
    if (h->loop != NULL && !h->host.keep_loop)
        os_loop_free(h->loop);
    *h = (struct os_host){0};
}

bool os_sink_write(struct sink *sink, struct bytes bytes)
{
    while (bytes.size > 0) {
        ssize_t wrote = write(sink->descriptor, bytes.data, bytes.size);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return false;
        bytes = bytes_of(bytes.data + wrote, bytes.size - (size_t)wrote);
    }
    return true;
}
