// SPDX-License-Identifier: Apache-2.0
//
// The gate of regex.h: reads RE2's syntax, writes PCRE2's.
#pragma once

#include "base/buf.h"
#include "base/bytes.h"
#include "base/diag.h"

// Appends the same expression as PCRE2 spells it. ERR_INVALID or ERR_LIMIT with words.
int regex_translate(struct str pattern, struct buf *out, struct diag *diag);
