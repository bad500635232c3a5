// SPDX-License-Identifier: Apache-2.0
//
// The format language of `consume -f`: text with escapes that a record fills in.
//
//     %t topic   %p partition   %o offset   %e leader epoch   %d timestamp
//     %k key     %v value       %h{...} the text in braces once per header, %k and %v its parts
//     %K %V %H   length of key, length of value (-1 for null), number of headers
//     %i         how many records were printed before this one
//     %%  %{  %}  \n \t \r \\ \0 \xNN
//
// Modifiers in braces follow their letter: keys and values take {hex}, {base64}, {json} (a quoted JSON
// string or null), numbers take {hex}, {big8} .. {big64}, {little8} .. {little64} (binary), times take
// {ms}, {rfc3339}, {strftime[FORMAT]}. A null key or value prints nothing, or with {null[TEXT]} TEXT.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/diag.h"

struct record_header {
    struct str key;
    struct bytes value; // data NULL = null
};

// A record as the tools print it; all views are the caller's.
struct record_view {
    struct str topic;
    int32_t partition;
    int32_t leader_epoch;
    int64_t offset;
    int64_t timestamp_ms; // -1 = none
    bool log_append_time;
    struct bytes key;   // data NULL = null
    struct bytes value; // data NULL = null
    const struct record_header *headers;
    int header_count;
};

struct format; // compiled

// ERR_INVALID with place and cause in `diag`.
int format_compile(struct str text, struct format **out, struct diag *diag);
void format_free(struct format *f);
void format_record(const struct format *f, const struct record_view *r, int64_t count,
                   struct buf *out);
