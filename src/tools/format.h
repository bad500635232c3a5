// SPDX-License-Identifier: Apache-2.0
//
// The format language of `consume -f`: text with escapes that a record fills in.
//
//     %t topic   %p partition   %o offset   %e leader epoch   %d timestamp (milliseconds)
//     %k key     %v value       %h{...} the text in braces once per header, with its %k and %v
//     %T %K %V   length of topic, key and value in bytes (-1 for null)   %H number of headers
//     %a attributes of the batch   %x producer id   %y producer epoch
//     %i how many records were printed before this one
//     %% %{ %}   these characters     \n \t \r \0 \\ \xNN   bytes
//
// Modifiers in braces follow their letter. Text (%t %k %v): {hex}, {base64}, {json} (a quoted JSON
// string, or null). Numbers: {hex}, and binary {big8} {big16} {big32} {big64} {little8} ... {little64}.
// Time: also {rfc3339}, {strftime[FORMAT]} in UTC, where %L is milliseconds. A null key or value
// prints as nothing, with {null[TEXT]} as TEXT.
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "base/diag.h"

struct fetched;
struct format; // compiled

// ERR_INVALID with place and cause in `diag`.
int format_compile(struct str text, struct format **out, struct diag *diag);
void format_free(struct format *f);

// Appends the record. `count` is what %i shows.
void format_record(const struct format *f, const struct fetched *r, int64_t count, struct buf *out);
