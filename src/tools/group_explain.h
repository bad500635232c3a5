// SPDX-License-Identifier: Apache-2.0
//
// What a group's journal of rebalances and its lag mean, in words: findings, each with what to
// change. Nothing is asked here.
#pragma once

#include "base/buf.h"
#include "tools/group_survey.h"

enum { GROUP_FINDINGS_MAX = 20, GROUP_FINDING_TEXT_MAX = 400 };

struct group_finding {
    const char *name;   // "session-timeout": stable, for programs
    int rebalances;     // how many of the journal it is about; 0: it is about something else
    char text[GROUP_FINDING_TEXT_MAX]; // what was seen
    const char *change; // what to do about it
};

struct group_findings {
    struct group_finding items[GROUP_FINDINGS_MAX]; // what matters most first
    int count;
};

// `info` may be NULL when only the survey is there.
void group_explain(const struct group_survey *survey, const struct group_info *info,
                   struct group_findings *out);

// Appends a rebalance's cause as a sentence: "app-1 (/10.0.0.7) left: the consumer is being closed".
void group_explain_cause(struct buf *out,
                         const struct chitin_describe_groups_response_rebalance *r);

// "0.412 s", "3 min 20 s", "2 h 5 min", "4 d 3 h".
void group_explain_duration(struct buf *out, int64_t ms);
