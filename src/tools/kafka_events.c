// SPDX-License-Identifier: Apache-2.0
#include "tools/kafka_events.h"

#include "tools/common.h"

void kafka_event_begin(struct tool *t, struct json_printer *p, const char *name)
{
    json_printer_init(p, &t->out.buf);
    json_object_begin(p);
    json_member_int(p, "timestamp", driver_wall_ms(t->driver));
    json_member_str(p, "name", str_from(name));
}

void kafka_event_end(struct tool *t, struct json_printer *p)
{
    json_object_end(p);
    buf_append_u8(&t->out.buf, '\n');
    sink_flush_if_large(&t->out);
}

void kafka_event(struct tool *t, const char *name)
{
    struct json_printer p;
    kafka_event_begin(t, &p, name);
    kafka_event_end(t, &p);
}
