// SPDX-License-Identifier: Apache-2.0
//
// What Chitin's brokers know of a group beyond Kafka's APIs (ChitinDescribeGroups): how far it is
// behind in time, what retention took before it was read, and why it rebalanced lately.
#pragma once

#include "tools/groups.h"
#include "wire/api/chitin_describe_groups.h"

struct driver;

struct group_survey {
    const struct chitin_describe_groups_response_described_group *group; // NULL: nothing
    struct client_answer answer;
};

// As the calls of groups.h; ERR_UNSUPPORTED from other brokers than Chitin's. Release *out in any
// case.
int admin_group_survey(struct driver *d, struct str id, bool with_journal, struct group_survey *out,
                       struct admin_result *result);
void admin_group_survey_release(struct group_survey *s);

// What it says of a partition, or NULL.
const struct chitin_describe_groups_response_partition_lag *
group_survey_partition(const struct group_survey *s, struct str topic, int32_t partition);

// Over all partitions that are known: sums, and the longest time; where that is (may be NULL).
struct group_survey_total {
    int64_t lag_records;
    int64_t lag_ms;
    int64_t lost_records;
    struct str worst_topic;
    int32_t worst_partition; // -1: nothing is behind
};

struct group_survey_total group_survey_sum(const struct group_survey *s);
