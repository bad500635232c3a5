// SPDX-License-Identifier: Apache-2.0
//
// The program: `chitin`, and the kafka-* names it answers to.
#include "os/process.h"
#include "tools/host.h"
#include "tools/tool.h"

int main(int argc, char **argv)
{
    os_process_started_ns(); // as early as there is
    struct os_host host;
    os_host_init(&host);
    struct tool t;
    tool_init(&t, &host.host);
    t.out.write = t.err.write = os_sink_write;
    t.out.descriptor = 1;
    t.err.descriptor = 2;
    int status = tool_main(&t, argc, argv);
    tool_release(&t);
    os_host_release(&host);
    return status;
}
