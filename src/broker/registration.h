// SPDX-License-Identifier: Apache-2.0
//
// How a broker comes into service and leaves it: it registers with the controller under a fresh
// incarnation id, gets its broker epoch, and its first heartbeat takes the fence away (KIP-631). A
// combined node talks to the controller in its own process; the requests are those that would go over
// the network.
#pragma once

#include <stdint.h>

struct node;

// `why` is NULL and broker_epoch that of the registration, or words for what went wrong.
typedef void (*registration_done)(void *context, const char *why, int64_t broker_epoch);

// Registers the node's broker (and its controller, if it has a listener for one) and unfences it.
// `done` is called in a later event, exactly once.
void registration_start(struct node *n, registration_done done, void *context);

// Tells the controller again what a heartbeat has to say: the directories that failed (KIP-858) and the
// cordoned ones (KIP-1066). Nothing is written when it is known. Tried again until it is.
void registration_beat(struct node *n);

// Takes the broker out of service (controlled shutdown): its partitions lose their leader, then it is
// fenced. Whoever starts on these directories next, Apache Kafka too, need not wait for its session to
// end. `done` is called exactly once, possibly before this returns.
void registration_end(struct node *n, registration_done done, void *context);
