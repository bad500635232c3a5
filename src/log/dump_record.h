// SPDX-License-Identifier: Apache-2.0
//
// What the keys and values of records mean in the logs that Kafka keeps for itself.
#pragma once

#include "log/dump_line.h"
#include "wire/batch.h"

// The decoder for a partition's directory.
enum dump_decoder dump_decoder_of(const char *path);

// Adds what a control record says.
void dump_control(struct dump_line *l, const struct record *r);

// Adds key and payload. What does not parse is shown as hex, as "undecoded".
void dump_payload(struct dump_line *l, enum dump_decoder decoder, const struct record *r);
