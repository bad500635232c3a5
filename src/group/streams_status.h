// SPDX-License-Identifier: Apache-2.0
//
// What a streams group may say of itself in the answer to a heartbeat.
#pragma once

// FROZEN: in responses.
enum streams_status {
    STREAMS_STATUS_STALE_TOPOLOGY = 0,
    STREAMS_STATUS_MISSING_SOURCE_TOPICS = 1,
    STREAMS_STATUS_INCORRECTLY_PARTITIONED_TOPICS = 2,
    STREAMS_STATUS_MISSING_INTERNAL_TOPICS = 3,
    STREAMS_STATUS_SHUTDOWN_APPLICATION = 4,
    STREAMS_STATUS_ASSIGNMENT_DELAYED = 5,
    STREAMS_STATUS_MISSING_CLIENT_TAGS = 6,
};
