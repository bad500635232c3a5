// SPDX-License-Identifier: Apache-2.0
//
// The configuration of one broker: what its file and command line say, what was changed at run time
// through the cluster (KIP-226), and the defaults below, with one way to ask for the value that
// holds. Pure: whoever starts the node reads the file and hands in its text.
//
// One thread's: other shards have copies, which follow the dynamic layers by themselves. The values
// handed out stay valid until the layer they came from changes.
#pragma once

#include "base/arena.h"
#include "base/diag.h"
#include "base/properties.h"
#include "base/trace.h"
#include "config/keys.h"

// Where a value comes from; numbers are those of DescribeConfigs.
enum config_source {
    CONFIG_SOURCE_TOPIC = 1,           // DYNAMIC_TOPIC_CONFIG
    CONFIG_SOURCE_BROKER = 2,          // DYNAMIC_BROKER_CONFIG
    CONFIG_SOURCE_BROKER_DEFAULT = 3,  // DYNAMIC_DEFAULT_BROKER_CONFIG
    CONFIG_SOURCE_STATIC = 4,          // STATIC_BROKER_CONFIG
    CONFIG_SOURCE_DEFAULT = 5,         // DEFAULT_CONFIG
    CONFIG_SOURCE_GROUP = 8,           // GROUP_CONFIG
};

struct config;

// A configuration of defaults alone.
struct config *config_new(void);
void config_free(struct config *c);

// Makes `to` say what `from` says: a copy for another thread.
void config_copy(struct config *to, const struct config *from);

// Adds the text of a server.properties file; later keys win. ERR_INVALID or ERR_LIMIT with words.
// `file` names it in messages.
int config_load(struct config *c, struct str text, const char *file, struct diag *diag);

// Sets one value as the file would; wins over what is there.
void config_set_static(struct config *c, const char *name, struct str value);

// Adds "KEY=VALUE" from the command line; wins over what is there.
int config_override(struct config *c, const char *assignment, struct diag *diag);

// Sets a default of the caller's, below the file and above the table's: what a start without any
// file means ("listeners", "log.dirs"). Reported as CONFIG_SOURCE_DEFAULT.
void config_set_fallback(struct config *c, const char *name, const char *value);

// Looks at everything that was loaded: a value that is not valid, or one that promises protection
// which is not there (an authorizer, SASL, TLS), gives ERR_INVALID with words for each, a line each,
// in `diag`. Warns through `trace` once for every key that is unknown (with the nearest name),
// removed from Kafka, or known and without effect here. Rules between keys (listeners, roles) are
// in listeners.h.
int config_check(const struct config *c, struct trace *trace, struct diag *diag);

// The dynamic layers, as the metadata log knows them: `layer` is CONFIG_SOURCE_BROKER or
// CONFIG_SOURCE_BROKER_DEFAULT; NULL takes the value away. The caller has validated it
// (config_validate_dynamic).
void config_set_dynamic(struct config *c, enum config_source layer, const char *name,
                        const char *value);

// Whether a broker key may be set in this layer and has a valid value: ERR_NOT_FOUND for an unknown
// key, ERR_INVALID for a bad value or a key that only the file may set, with words.
int config_validate_dynamic(enum config_source layer, struct str name, struct str value,
                            struct diag *diag);

// Whether the keys go together once this layer has these values (which are valid for themselves) and
// no others: the rules between keys that config_check() knows. ERR_INVALID with Kafka's words.
int config_validate_layer(const struct config *c, enum config_source layer,
                          const struct properties *values, struct diag *diag);

// The value that holds, found by precedence of layers and then of synonyms: with
// log.retention.hours=1 in the file, "log.retention.ms" is still not set and config_duration_ms()
// below is the way to ask. NULL when nothing sets it and there is no default. The name must be in
// the table (a bug otherwise), and so for all getters; the typed ones need a key that has a value.
const char *config_text(const struct config *c, const char *name);
int64_t config_i64(const struct config *c, const char *name); // INT, LONG, SHORT
int32_t config_i32(const struct config *c, const char *name); // INT, SHORT
bool config_bool(const struct config *c, const char *name);
double config_double(const struct config *c, const char *name);
struct str config_list(const struct config *c, const char *name); // null string when empty

enum { CONFIG_LISTENER_KEY_MAX = 256 };

// The name under which a listener of its own has a key: "listener.name.internal.max.connections".
// Asked for by that name, a key that the listener does not have gives the table's default.
void config_listener_key(const char *listener, const char *key, char out[CONFIG_LISTENER_KEY_MAX]);

// True if the file, the command line or the cluster set this key or one of its synonyms.
bool config_is_set(const struct config *c, const char *name);

// The directories for logs: log.dirs, or log.dir when that is not set.
struct str config_log_dirs(const struct config *c);

// True if cordoned.log.dirs has this one of them (KIP-1066).
bool config_log_dir_is_cordoned(const struct config *c, const char *dir);

// The time that the most precise synonym which is set says, in milliseconds: "log.retention.ms"
// asks log.retention.ms, .minutes, .hours in this order; so log.roll.ms, log.roll.jitter.ms,
// log.flush.interval.ms. Saturates; what is negative is -1.
int64_t config_duration_ms(const struct config *c, const char *name);

// One line of a DescribeConfigs answer.
struct config_synonym {
    const char *name;
    const char *value; // NULL for null and for what is sensitive
    enum config_source source;
};

enum { CONFIG_VIEW_SYNONYMS_MAX = 13 }; // own name, 3 synonyms in each of 4 layers

struct config_view {
    const struct config_key *key;
    const char *name;          // as asked for, listener prefix included
    const char *value;         // the value that holds; NULL for null and for what is sensitive
    enum config_source source; // of that value
    bool read_only;
    bool sensitive;
    struct config_synonym synonyms[CONFIG_VIEW_SYNONYMS_MAX]; // by precedence, the holder first
    int synonym_count;
};

// What the file and the command line say, in order; valid until the next load.
const struct properties *config_static_values(const struct config *c);

// The names with the prefix of a listener that are set in any layer, each once: their count, or
// ERR_NOMEM. They are valid until a layer changes.
int config_listener_names(const struct config *c, struct arena *arena, const char ***out);

// Describes a broker key. ERR_NOT_FOUND for a name that is not in the table.
int config_describe(const struct config *c, const char *name, struct config_view *out);

// Describes a topic key for a topic with these overrides (NULL: none): topic first, then what the
// broker says, then the default. Values that have to be converted live in `arena`; ERR_NOMEM when
// that is full.
int config_describe_topic(const struct config *c, const struct properties *overrides,
                          const char *name, struct arena *arena, struct config_view *out);

// The same for a group. The name of the resource is not needed: a group need not be there.
int config_describe_group(const struct config *c, const struct properties *overrides, const char *name,
                          struct arena *arena, struct config_view *out);
