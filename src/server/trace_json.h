// SPDX-License-Identifier: Apache-2.0
//
// What `--log-format json` writes: one JSON object (RFC 8259) per line with time, level, area and
// message, then the facts of the event under names of their own. Pure.
#pragma once

#include "base/buf.h"
#include "base/trace.h"

// As struct os_trace wants it.
void trace_json_format(struct buf *out, const char *time, enum trace_level level, const char *area,
                       const char *line, const struct trace_field *fields);
