// SPDX-License-Identifier: Apache-2.0
//
// Regular expressions for subscriptions (KIP-848): the syntax of RE2, matched against whole topic names.
//
// PCRE2 does the work behind a gate that knows RE2's syntax: the pattern is read by RE2's rules and written
// anew from what was understood, so that nothing which only PCRE2 knows (look-around, back-references,
// atomic groups, recursion, callouts, verbs) can reach it, and what both spell alike means what RE2 says.
//
// Matching is bounded. It is PCRE2's DFA matcher that runs, which reads the name once, keeps the set of
// places where the pattern may be, and never goes back: at most REGEX_STATES_MAX places for each of the
// at most 249 bytes of a name. A pattern that needs more, for some name, fails with ERR_LIMIT there.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"
#include "base/diag.h"

enum {
    REGEX_PATTERN_MAX = 4096, // bytes
    REGEX_REPEAT_MAX = 1000,  // in x{n}: as RE2
    REGEX_DEPTH_MAX = 100,    // groups in groups
    REGEX_STATES_MAX = 500,
    REGEX_STATES_FEW = 24,    // a match in at most so many takes microseconds
};

struct regex;

// Compiles. ERR_INVALID with the words that Kafka has for it ("missing closing ]"), ERR_LIMIT with words
// for a pattern that is too large; NULL in *out then.
int regex_new(struct str pattern, struct regex **out, struct diag *diag);
void regex_free(struct regex *r); // NULL is fine

// Whether the name matches from its first to its last byte. ERR_LIMIT: it cannot be told within the
// bounds, *matches is untouched.
int regex_match(const struct regex *r, struct str name, bool *matches);

// The same with REGEX_STATES_FEW places: ERR_LIMIT says that it may take long.
int regex_match_quickly(const struct regex *r, struct str name, bool *matches);
