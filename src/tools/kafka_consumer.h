// SPDX-License-Identifier: Apache-2.0
//
// The settings of Kafka's consumer, as far as its tools hand them on: names, defaults and
// contradictions are those of a Java consumer.
#pragma once

#include "base/properties.h"
#include "client/group_reader.h"

struct tool;

// Fills *out from the settings of a consumer that reads as a member of a group; others are left alone, and
// so is the subscription. Texts are those of `p`. For the caller to fill in afterwards: member.topics,
// member.matches or member.regex, member.member_id and wall_ahead_ms. Returns EXIT_OK, or an exit status
// after saying which value is wrong.
int kafka_consumer_options(struct tool *t, const struct properties *p,
                           struct group_reader_options *out);
