// SPDX-License-Identifier: Apache-2.0
//
// What Kafka's verifiable tools print: a JSON object a line, with the time and the name of an event first.
#pragma once

#include "codec/json.h"

struct tool;

// Begins the line; the event's own members may follow.
void kafka_event_begin(struct tool *t, struct json_printer *p, const char *name);

// Ends it, and writes out when much has collected.
void kafka_event_end(struct tool *t, struct json_printer *p);

// An event that is only a name.
void kafka_event(struct tool *t, const char *name);
