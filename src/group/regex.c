// SPDX-License-Identifier: Apache-2.0
#define PCRE2_CODE_UNIT_WIDTH 8
#include "group/regex.h"

#include <pcre2.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "group/regex_syntax.h"

enum {
    TRANSLATION_MAX = 16 * REGEX_PATTERN_MAX,
    // PCRE2 wants three numbers for each place, now and next, and a little for itself.
    WORKSPACE_COUNT = 20 + 2 * 3 * REGEX_STATES_MAX,
    WORKSPACE_COUNT_FEW = 20 + 2 * 3 * REGEX_STATES_FEW,
    // Of calls into groups, which the DFA matcher makes for few constructs.
    MATCH_LIMIT = 10 * 1000,
    DEPTH_LIMIT = 100,
    HEAP_LIMIT_KIB = 256,
};

struct regex {
    pcre2_code *code;
    pcre2_match_data *match;
    pcre2_match_context *context;
    int *workspace;
};

static int compile(struct str translated, pcre2_code **out, struct diag *diag)
{
    int error;
    size_t at;
    uint32_t options = PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C |
                       PCRE2_NO_AUTO_CAPTURE | PCRE2_ANCHORED | PCRE2_ENDANCHORED;
    *out = pcre2_compile((PCRE2_SPTR)translated.data, translated.size, options, &error, &at, NULL);
    if (*out != NULL)
        return 0;
    // What the gate lets through fails for its size, or for the name of a Unicode class.
    if (error == PCRE2_ERROR_UNKNOWN_UNICODE_PROPERTY || error == PCRE2_ERROR_MALFORMED_UNICODE_PROPERTY)
        return diag_set(diag, ERR_INVALID, "invalid character class range");
    return diag_set(diag, ERR_LIMIT, "expression is too large");
}

int regex_new(struct str pattern, struct regex **out, struct diag *diag)
{
    struct buf translated;
    pcre2_code *code = NULL;
    *out = NULL;
    buf_init(&translated, TRANSLATION_MAX);
    buf_reserve(&translated, 1); // the empty pattern has an address, too
    int err = regex_translate(pattern, &translated, diag);
    if (err == 0)
        err = compile(buf_str(&translated), &code, diag);
    buf_release(&translated);
    if (err != 0)
        return err;
    struct regex *r = mem_new(struct regex);
    r->code = code;
    r->match = pcre2_match_data_create(1, NULL);
    r->context = pcre2_match_context_create(NULL);
    r->workspace = mem_alloc_array(WORKSPACE_COUNT, sizeof(*r->workspace));
    if (r->match == NULL || r->context == NULL) {
        regex_free(r);
        return diag_set(diag, ERR_NOMEM, "no memory");
    }
    pcre2_set_match_limit(r->context, MATCH_LIMIT);
    pcre2_set_depth_limit(r->context, DEPTH_LIMIT);
    pcre2_set_heap_limit(r->context, HEAP_LIMIT_KIB);
    *out = r;
    return 0;
}

void regex_free(struct regex *r)
{
    if (r == NULL)
        return;
    pcre2_code_free(r->code);
    pcre2_match_data_free(r->match);
    pcre2_match_context_free(r->context);
    mem_free(r->workspace);
    mem_free(r);
}

static int match(const struct regex *r, struct str name, size_t workspace_count, bool *matches)
{
    int result = pcre2_dfa_match(r->code, (PCRE2_SPTR)name.data, name.size, 0, PCRE2_NO_UTF_CHECK,
                                 r->match, r->context, r->workspace, workspace_count);
    if (result < 0 && result != PCRE2_ERROR_NOMATCH)
        return ERR_LIMIT;
    *matches = result >= 0;
    return 0;
}

int regex_match(const struct regex *r, struct str name, bool *matches)
{
    return match(r, name, WORKSPACE_COUNT, matches);
}

int regex_match_quickly(const struct regex *r, struct str name, bool *matches)
{
    return match(r, name, WORKSPACE_COUNT_FEW, matches);
}
