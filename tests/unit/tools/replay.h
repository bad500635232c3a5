// SPDX-License-Identifier: Apache-2.0
//
// The surroundings of a command in a test: virtual time, and a network on which one broker repeats
// answers that were recorded from Apache Kafka (tests/golden/tools/record_frames.py). Nothing sleeps
// and nothing leaves the process. When a command waits for something that can never come, the test
// fails.
#pragma once

#include "tools/tool.h"

struct replay;

// `frames` is a file of recorded answers; NULL: nobody listens, every connection is refused.
struct replay *replay_new(const char *frames);
void replay_free(struct replay *r);
struct host *replay_host(struct replay *r);

// What standard input has; NULL = it ends at once.
void replay_set_input(struct replay *r, const char *text);
