// SPDX-License-Identifier: Apache-2.0
#include "tools/group_survey.h"

#include "tools/groups_call.h"
#include "wire/api_keys.h"
#include "wire/errors.h"

static void read_code(const struct client_answer *answer, struct admin_result *result)
{
    const struct chitin_describe_groups_response *r = answer->response;
    groups_result(result,
                  r->groups.count == 1 ? r->groups.items[0].error_code
                                       : KAFKA_UNKNOWN_SERVER_ERROR,
                  (struct str){0});
}

int admin_group_survey(struct driver *d, struct str id, bool with_journal, struct group_survey *out,
                       struct admin_result *result)
{
    struct chitin_describe_groups_request body;
    int32_t node;
    *out = (struct group_survey){0};
    chitin_describe_groups_request_init(&body);
    body.group_ids = (struct wire_string_array){&id, 1};
    body.include_lag = true;
    body.include_journal = with_journal;
    struct groups_request request = {API_CHITIN_DESCRIBE_GROUPS, 0, 0, id, &body, read_code};
    int err = groups_call(d, &request, &node, &out->answer, result);
    if (err == 0 && result->code == KAFKA_NONE)
        out->group =
            &((const struct chitin_describe_groups_response *)out->answer.response)->groups.items[0];
    return err;
}

void admin_group_survey_release(struct group_survey *s)
{
    client_answer_release(&s->answer);
    *s = (struct group_survey){0};
}

const struct chitin_describe_groups_response_partition_lag *
group_survey_partition(const struct group_survey *s, struct str topic, int32_t partition)
{
    for (int32_t t = 0; s->group != NULL && t < s->group->lag.count; t++) {
        const struct chitin_describe_groups_response_topic_lag *from = &s->group->lag.items[t];
        for (int32_t p = 0; str_equal(from->topic, topic) && p < from->partitions.count; p++)
            if (from->partitions.items[p].partition_index == partition)
                return &from->partitions.items[p];
    }
    return NULL;
}

static void add_partition(struct group_survey_total *sum, struct str topic,
                          const struct chitin_describe_groups_response_partition_lag *p)
{
    sum->lag_records += p->lag_records > 0 ? p->lag_records : 0;
    sum->lost_records += p->lost_records > 0 ? p->lost_records : 0;
    if (p->lag_ms > sum->lag_ms) {
        sum->lag_ms = p->lag_ms;
        sum->worst_topic = topic;
        sum->worst_partition = p->partition_index;
    }
}

struct group_survey_total group_survey_sum(const struct group_survey *s)
{
    struct group_survey_total sum = {.worst_partition = -1};
    for (int32_t t = 0; s->group != NULL && t < s->group->lag.count; t++)
        for (int32_t p = 0; p < s->group->lag.items[t].partitions.count; p++)
            add_partition(&sum, s->group->lag.items[t].topic,
                          &s->group->lag.items[t].partitions.items[p]);
    return sum;
}
