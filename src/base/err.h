// SPDX-License-Identifier: Apache-2.0
//
// Operating errors: what can go wrong without anybody having written a bug. Functions return 0 or
// a positive result on success and one of these on failure; outputs are untouched on failure
// unless a header says otherwise. Protocol error codes (wire/errors.h) are another matter: they are
// what a peer is told.
#pragma once

enum err {
    ERR_OK = 0,
    ERR_NOMEM = -1,       // a stated memory bound was reached, or the system has none left
    ERR_IO = -2,          // the device failed (EIO and what is like it); do not retry a sync
    ERR_NOSPC = -3,       // the file system or a quota is full
    ERR_CORRUPT = -4,     // bytes that cannot be what they claim to be
    ERR_TRUNCATED = -5,   // bytes end before what they announce
    ERR_LIMIT = -6,       // larger than a configured or built-in bound
    ERR_INVALID = -7,     // an argument or setting outside its range
    ERR_NOT_FOUND = -8,   // no such file, key or object
    ERR_EXISTS = -9,      // it is there already
    ERR_BUSY = -10,       // locked or held by somebody else
    ERR_AGAIN = -11,      // nothing now; an event will tell when to try again
    ERR_UNSUPPORTED = -12, // known, but not in this version or build
    ERR_CLOSED = -13,     // the other side or the owner has gone
    ERR_REFUSED = -14,    // permission or connection denied
    ERR_TIMEOUT = -15,    // the deadline passed
    ERR_OFFLINE = -16,    // the log directory failed earlier and is not touched again
};

// The name of an error, "ERR_IO" for example; never NULL.
const char *err_name(int err);

// A sentence fragment for people, "the device failed" for example; never NULL.
const char *err_text(int err);
