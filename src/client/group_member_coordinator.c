// SPDX-License-Identifier: Apache-2.0
#include "base/err.h"
#include "client/group_member_internal.h"
#include "wire/api_keys.h"
#include "wire/errors.h"

enum { VERSION_MIN = 4, VERSION_MAX = 6 }; // several keys (KIP-699)

enum group_member__meaning group_member__meaning_of(int16_t code)
{
    switch (code) {
    case KAFKA_NONE:
        return MEANS_OK;
    case KAFKA_COORDINATOR_LOAD_IN_PROGRESS:
    case KAFKA_UNSTABLE_OFFSET_COMMIT:
    case KAFKA_STALE_MEMBER_EPOCH: // the next heartbeat brings the epoch
    case KAFKA_THROTTLING_QUOTA_EXCEEDED:
        return MEANS_RETRY;
    case KAFKA_COORDINATOR_NOT_AVAILABLE:
    case KAFKA_NOT_COORDINATOR:
    case KAFKA_REQUEST_TIMED_OUT:
    case KAFKA_NETWORK_EXCEPTION:
        return MEANS_MOVED;
    case KAFKA_REBALANCE_IN_PROGRESS:
    case KAFKA_UNKNOWN_TOPIC_OR_PARTITION:
    case KAFKA_UNKNOWN_TOPIC_ID:
        return MEANS_LATER;
    case KAFKA_UNKNOWN_MEMBER_ID:
    case KAFKA_ILLEGAL_GENERATION:
    case KAFKA_FENCED_MEMBER_EPOCH:
        return MEANS_NOT_MEMBER;
    case KAFKA_OFFSET_METADATA_TOO_LARGE:
    case KAFKA_INVALID_COMMIT_OFFSET_SIZE:
    case KAFKA_TOPIC_AUTHORIZATION_FAILED:
        return MEANS_REFUSED;
    default:
        return kafka_error_is_retriable(code) ? MEANS_RETRY : MEANS_FATAL;
    }
}

enum group_member__meaning group_member__meaning_of_err(int err)
{
    switch (err) {
    case ERR_TIMEOUT:
    case ERR_CLOSED:
        return MEANS_MOVED;
    default:
        return MEANS_FATAL; // nobody there who answers, no version in common, or no sense in the answer
    }
}

void group_member__coordinator_lost(struct group_member *m)
{
    if (m->coordinator < 0)
        return;
    m->coordinator = -1;
    m->find_ms = group_member__backoff_ms(m, &m->find_attempts);
    m->consumer.full = true; // the next one may know less of us
}

static void on_found(struct client_request *request, int err, struct client_answer *answer,
                     int64_t now_ms)
{
    struct group_member *m = request->user;
    m->now_ms = now_ms;
    int16_t code = 0;
    int32_t node = -1;
    if (err == 0) {
        const struct find_coordinator_response *r = answer->response;
        code = r->coordinators.count == 1 ? r->coordinators.items[0].error_code
                                          : KAFKA_UNKNOWN_SERVER_ERROR;
        node = r->coordinators.count == 1 ? r->coordinators.items[0].node_id : -1;
        if (code != 0 && !kafka_error_is_retriable(code)) {
            group_member__fail(m, code, 0, r->coordinators.count == 1
                                               ? r->coordinators.items[0].error_message
                                               : (struct str){0});
            return;
        }
    } else if (group_member__meaning_of_err(err) == MEANS_FATAL) {
        group_member__fail(m, 0, err, (struct str){0});
        return;
    }
    if (err != 0 || code != 0) {
        m->find_ms = group_member__backoff_ms(m, &m->find_attempts);
        group_member__trouble(m, code, err);
        return;
    }
    m->coordinator = node;
}

void group_member__coordinator_step(struct group_member *m)
{
    if (m->coordinator >= 0 || m->find.active || m->now_ms < m->find_ms)
        return;
    find_coordinator_request_init(&m->find_body);
    m->find_key = str_from(m->options.group_id);
    m->find_body.key_type = 0;
    m->find_body.coordinator_keys = (struct wire_string_array){&m->find_key, 1};
    m->find = (struct client_request){
        .api_key = API_FIND_COORDINATOR,
        .version_min = VERSION_MIN,
        .version_max = VERSION_MAX,
        .node = CLIENT_NODE_ANY,
        .body = &m->find_body,
        .done = on_found,
        .user = m,
    };
    client_send(m->client, &m->find, m->now_ms);
}
