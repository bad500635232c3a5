// SPDX-License-Identifier: Apache-2.0
//
// Every bound of the broker that is not a Kafka setting, in one place. What a stranger can make the
// broker hold is the sum of these and of the settings that are named beside them.
#pragma once

enum {
    // Arena of one request: what it decodes to and what its answer is built in. A decode takes at
    // most a stated multiple of its frame (wire/wire.h); answers list topics and partitions.
    REQUEST_ARENA_MAX = 256 << 20,

    // Fetch sessions (KIP-227): `max.incremental.fetch.session.cache.slots` bounds their number,
    // this the partitions of all of them together. Past it, fetches are answered without a session.
    FETCH_SESSION_PARTITIONS_MAX = 200000,

    // A session that nobody used for this long may be evicted for another.
    FETCH_SESSION_IDLE_MS = 120000,

    // Producers listed in one DescribeProducers answer for one partition.
    DESCRIBE_PRODUCERS_MAX = 100000,

    // Topics that one Metadata request may create (auto.create.topics.enable).
    AUTO_CREATE_TOPICS_MAX = 1000,
};
