// SPDX-License-Identifier: Apache-2.0
//
// Standard base64 with padding (RFC 4648 section 4): SCRAM messages, credentials, JSON. Pure.
#pragma once

#include "base/buf.h"
#include "base/bytes.h"

// Appends the encoded form.
void base64_encode(struct bytes in, struct buf *out);

// Appends the decoded bytes. ERR_INVALID for anything that is not padded base64 without white space
// and with zero spare bits; ERR_LIMIT when it does not fit. On failure the buffer is as before.
int base64_decode(struct str in, struct buf *out);
