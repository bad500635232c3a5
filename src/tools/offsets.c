// SPDX-License-Identifier: Apache-2.0
#include "tools/offsets.h"

#include <string.h>

#include "base/err.h"
#include "tools/output.h"

static int bad_offset(struct diag *diag, struct str text)
{
    return diag_set(diag, ERR_INVALID,
                    "\"%.*s\" is no offset: use start, end, N, +N, -N, A:B, or a time such as "
                    "@-10m, @2026-11-21, @2026-11-21T16:05Z, @1700000000000",
                    STR_ARG(text));
}

static bool parse_time(struct str text, int64_t now_ms, int64_t *out)
{
    int64_t ms;
    if (text.size > 1 && text.data[0] == '-' &&
        duration_parse(str_of(text.data + 1, text.size - 1), &ms)) {
        *out = now_ms - ms;
        return true;
    }
    if (str_parse_i64(text, &ms) && ms >= 0) {
        *out = ms;
        return true;
    }
    return time_parse(text, out);
}

static bool parse_point(struct str text, struct offset_point *out)
{
    int64_t value;
    if (str_is(text, "start") || str_is(text, "oldest") || str_is(text, "earliest")) {
        *out = (struct offset_point){.kind = OFFSET_START};
        return true;
    }
    if (str_is(text, "end") || str_is(text, "newest") || str_is(text, "latest")) {
        *out = (struct offset_point){.kind = OFFSET_END};
        return true;
    }
    if (!str_parse_i64(text, &value) || value == INT64_MIN)
        return false;
    if (text.data[0] == '+')
        *out = (struct offset_point){.kind = OFFSET_START, .value = value};
    else if (text.data[0] == '-')
        *out = (struct offset_point){.kind = OFFSET_END, .value = -value};
    else
        *out = (struct offset_point){.kind = OFFSET_EXACT, .value = value};
    return true;
}

// A time holds colons itself, so a range of times is cut at the colon that leaves two times.
static bool parse_times(struct str text, int64_t now_ms, struct offset_range *out)
{
    out->from = (struct offset_point){.kind = OFFSET_START};
    out->to = (struct offset_point){.kind = OFFSET_NEVER};
    if (parse_time(text, now_ms, &out->from.value)) {
        out->from.kind = OFFSET_TIME;
        return true;
    }
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] != ':')
            continue;
        struct str left = str_of(text.data, i), right = str_of(text.data + i + 1, text.size - i - 1);
        if (right.size > 0 && right.data[0] == '@')
            right = str_of(right.data + 1, right.size - 1);
        struct offset_point from = {.kind = OFFSET_START}, to = {.kind = OFFSET_END};
        if (left.size > 0 && !parse_time(left, now_ms, &from.value))
            continue;
        from.kind = left.size > 0 ? OFFSET_TIME : OFFSET_START;
        if (right.size > 0 && !str_is(right, "end") && !parse_time(right, now_ms, &to.value))
            continue;
        to.kind = right.size > 0 && !str_is(right, "end") ? OFFSET_TIME : OFFSET_END;
        if (left.size + right.size == 0)
            continue;
        *out = (struct offset_range){.from = from, .to = to};
        return true;
    }
    return false;
}

int offset_range_parse(struct str text, int64_t now_ms, struct offset_range *out, struct diag *diag)
{
    struct offset_range range;
    if (str_starts_with(text, "@")) {
        if (!parse_times(str_of(text.data + 1, text.size - 1), now_ms, &range))
            return bad_offset(diag, text);
    } else {
        struct str right = text, left = str_cut(&right, ':');
        range.from = (struct offset_point){.kind = OFFSET_START};
        range.to = (struct offset_point){.kind = right.data != NULL ? OFFSET_END : OFFSET_NEVER};
        if (left.size + right.size == 0 || (left.size > 0 && !parse_point(left, &range.from)) ||
            (right.size > 0 && !parse_point(right, &range.to)))
            return bad_offset(diag, text);
    }
    *out = range;
    return 0;
}
