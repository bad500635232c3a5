// SPDX-License-Identifier: Apache-2.0
//
// Reads the segments of logs in the background, slowly, and finds what is damaged before a consumer
// does: each byte that this process did not write once, and each segment once more when it is sealed.
// Damage is said, answers an error from then on, and is repaired where the log says how: indexes.
//
// What the scrubber brings into the page cache it takes out again. When everything was looked at
// nothing is set and nothing runs. Belongs to a shard; the reading is done in bulk env_works.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct env;
struct log;
struct scrubber;
struct trace;

// `bytes_per_second` bounds what is read; 0: nothing is.
struct scrubber *scrubber_new(struct env *env, struct trace *trace, int64_t bytes_per_second);

// Nothing may be running (scrubber_is_idle()); logs that wait are forgotten.
void scrubber_free(struct scrubber *s);

// Begins nothing any more.
void scrubber_stop(struct scrubber *s);

// False while a worker reads for it.
bool scrubber_is_idle(const struct scrubber *s);

// The log has, or may have, segments that were not looked at. Harmless when it waits already.
void scrubber_add(struct scrubber *s, struct log *log);

// The log goes.
void scrubber_remove(struct scrubber *s, struct log *log);
