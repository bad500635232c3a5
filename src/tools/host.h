// SPDX-License-Identifier: Apache-2.0
//
// The surroundings of a command in the real program: standard streams, signals, an event loop that
// is started when a command first needs one.
#pragma once

#include "tools/tool.h"

struct os_loop;
struct os_signals;

struct os_host {
    struct host host;
    struct os_loop *loop;       // NULL until env() is asked for
    struct os_signals *signals; // NULL until catch_stop()
    void (*on_stop)(void *context);
    void *stop_context;
};

void os_host_init(struct os_host *h);
void os_host_release(struct os_host *h);

// A sink.write that writes to the sink's descriptor.
bool os_sink_write(struct sink *sink, struct bytes bytes);
