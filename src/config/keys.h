// SPDX-License-Identifier: Apache-2.0
//
// What is known about every configuration key of Kafka 4.4, and about Chitin's own few: type,
// default, valid values, who may change it at run time, and what Chitin does with it. The facts
// stand in src/config/keys/*.tbl; a generator makes from them the table behind this header and
// docs/configuration.md. All of it is constant data without pointers, so it costs no start-up time
// and no memory until it is read. Every function may be called from any thread.
//
// A name given to code ("log.retention.ms") is always Kafka's, so that it can be grepped from the
// documentation to the place where it acts; a test holds the keys marked `acts` to that.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/diag.h"

// What a key belongs to; the same name may exist for several (min.insync.replicas).
enum config_scope { CONFIG_BROKER, CONFIG_TOPIC, CONFIG_GROUP };

// Values are those of DescribeConfigs (KIP-569).
enum config_type {
    CONFIG_TYPE_BOOLEAN = 1,
    CONFIG_TYPE_STRING = 2,
    CONFIG_TYPE_INT = 3,
    CONFIG_TYPE_SHORT = 4,
    CONFIG_TYPE_LONG = 5,
    CONFIG_TYPE_DOUBLE = 6,
    CONFIG_TYPE_LIST = 7,
    CONFIG_TYPE_CLASS = 8,
    CONFIG_TYPE_PASSWORD = 9,
};

// How a broker key may be changed while the broker runs (KIP-226).
enum config_mode { CONFIG_READ_ONLY, CONFIG_PER_BROKER, CONFIG_CLUSTER_WIDE };

// What Chitin does with a value that somebody set.
enum config_treatment {
    CONFIG_ACTS,     // it has its effect
    CONFIG_ACCEPTED, // checked, but it cannot have an effect here; the reason says why
    CONFIG_PLANNED,  // checked, without effect yet
    CONFIG_REFUSED,  // promises protection that is not there yet: a start with it is refused
};

struct config_key; // one row of the table; lives as long as the program

// The key of this name, or NULL. Broker names may carry a listener prefix
// ("listener.name.external.ssl.keystore.location" gives the row of ssl.keystore.location).
const struct config_key *config_key_find(enum config_scope scope, struct str name);

// All keys of a scope in order of name: 0 <= index < count.
int config_key_count(enum config_scope scope);
const struct config_key *config_key_at(enum config_scope scope, int index);

const char *config_key_name(const struct config_key *key);
enum config_scope config_key_scope(const struct config_key *key);
enum config_type config_key_type(const struct config_key *key);
enum config_mode config_key_mode(const struct config_key *key); // topic keys: CONFIG_CLUSTER_WIDE
enum config_treatment config_key_treatment(const struct config_key *key);

// The default as text, or NULL when the key has none (null in Kafka, or mandatory there).
const char *config_key_default(const struct config_key *key);

// What it does, in a sentence; never NULL.
const char *config_key_doc(const struct config_key *key);

// Why it has no effect, or why it is refused; "" for keys that act.
const char *config_key_reason(const struct config_key *key);

// The valid values in Kafka's notation, "[1,...]" or "[compact, delete]"; "" when any will do.
const char *config_key_valid(const struct config_key *key);

// "high", "medium" or "low".
const char *config_key_importance(const struct config_key *key);

// Chitin's own, unknown to Apache Kafka.
bool config_key_is_own(const struct config_key *key);

// Known to Kafka but hidden from its documentation and from DescribeConfigs.
bool config_key_is_internal(const struct config_key *key);

// Acts under the prefix of a listener too ("listener.name.internal.max.connections").
bool config_key_is_of_listener(const struct config_key *key);

// Kafka changes it while it runs; here it takes a restart.
bool config_key_needs_restart(const struct config_key *key);

// Passwords: DescribeConfigs answers null and nothing may print the value.
bool config_key_is_sensitive(const struct config_key *key);

// Keys of topics and groups: the broker key whose value is the default ("log.retention.ms"), or NULL.
const char *config_key_broker_default(const struct config_key *key);

// Names in order of precedence for broker keys that say the same in different units: for
// "log.retention.hours" it is log.retention.ms, log.retention.minutes, log.retention.hours. Other
// keys give themselves alone. Returns the count and fills `names`.
enum { CONFIG_SYNONYMS_MAX = 3 };
int config_key_synonyms(const struct config_key *key, const char *names[CONFIG_SYNONYMS_MAX]);

// True if `value` (never null) is one of the key's type and within its range. Otherwise
// ERR_INVALID, and `diag` says key, value and valid values in the words that Kafka uses:
// "Invalid value 0 for configuration num.partitions: Value must be at least 1". The value of a
// password is never quoted.
int config_validate(const struct config_key *key, struct str value, struct diag *diag);

// Appends the value as Kafka prints it after parsing: numbers without sign or leading zeros,
// booleans in lower case, list items without the space around them. The value must be valid.
void config_format(const struct config_key *key, struct str value, struct buf *out);

// The known name nearest to a mistyped one, or NULL when nothing is near.
const char *config_key_nearest(enum config_scope scope, struct str name);

// For a broker key that Kafka once had: the release that removed it, "4.0"; otherwise NULL.
const char *config_key_removed_in(struct str name);

// Walks a list value: returns false at the end. Start with *rest = the value; items are trimmed.
// The null string has no items, "a,,b" has an empty one in the middle.
bool config_list_next(struct str *rest, struct str *item);
