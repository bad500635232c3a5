// SPDX-License-Identifier: Apache-2.0
//
// The settings of Kafka's producer, as far as its tools hand them on: names, defaults and
// contradictions are those of a Java producer.
#pragma once

#include "base/properties.h"
#include "client/producer.h"

struct tool;

// Fills *out from acks, retries, enable.idempotence, compression.type, linger.ms, batch.size,
// buffer.memory, max.request.size, max.block.ms, request.timeout.ms and delivery.timeout.ms; other
// settings are left alone. The seed is for the caller to draw. Returns EXIT_OK, or
// an exit status after saying which value is wrong.
int kafka_producer_options(struct tool *t, const struct properties *p, struct producer_options *out);
