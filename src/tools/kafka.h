// SPDX-License-Identifier: Apache-2.0
//
// What the kafka-* aliases share: the flags that all of Kafka's scripts have, client properties, and
// the order in which a Java program would print things, for those who compare outputs.
#pragma once

#include <stdbool.h>

#include "base/properties.h"
#include "tools/common.h"

#define KAFKA_BOOTSTRAP                                                                            \
    {                                                                                              \
        .names = "--bootstrap-server", .argument = "HOST:PORT[,...]", .kind = FLAG_TEXT,           \
        .help = "The brokers to connect to. [default: CHITIN_BOOTSTRAP, else 127.0.0.1:9092]"      \
    }
#define KAFKA_COMMAND_CONFIG                                                                       \
    {                                                                                              \
        .names = "--command-config", .argument = "FILE", .kind = FLAG_TEXT,                        \
        .help = "Properties file of client settings."                                              \
    }
#define KAFKA_VERSION_FLAG                                                                         \
    {                                                                                              \
        .names = "--version", .kind = FLAG_BOOL, .help = "Print the version."                      \
    }
// ZooKeeper has gone; what old texts say is accepted with a warning.
#define KAFKA_ZOOKEEPER                                                                            \
    {                                                                                              \
        .names = "--zookeeper", .argument = "HOST:PORT", .kind = FLAG_TEXT, .help = NULL           \
    }

// Prints the version and returns true if the flag was given.
bool kafka_version(struct tool *t, int flag);

// Reads a file of client settings. Security settings that need what is not there are refused. Returns
// 0, or an exit status after saying why; *out is initialised in any case.
int kafka_properties_read(struct tool *t, const char *path, struct properties *out);

// Adds one "key=value"; 0, or an exit status.
int kafka_property_add(struct tool *t, const char *text, struct properties *out);

// A number among client settings, which has to lie within [min, max].
struct kafka_number {
    const char *name;
    int64_t fallback;
    int64_t min;
    int64_t max;
};

// Reads them all, those that are not set as their fallback: EXIT_OK, or an exit status after saying which
// is wrong.
int kafka_read_numbers(struct tool *t, const struct properties *p, const struct kafka_number *numbers,
                       int count, int64_t *values);

// true or false, in any case; *out is untouched when it is not set.
int kafka_read_bool(struct tool *t, const struct properties *p, const char *name, bool *out);

// Checks the security settings and connects: bootstrap flag, else bootstrap.servers of the
// properties, else the defaults of tool_connect().
int kafka_connect(struct tool *t, const char *bootstrap, const struct properties *properties);

// As above with --command-config and --zookeeper read from these flags (-1 = the command has none).
int kafka_connect_flags(struct tool *t, int bootstrap, int command_config, int zookeeper);

// Sorts `order` (indices into names) as java.util.HashMap iterates over names that were put in this
// order into a map of `capacity` slots.
void java_order(const struct str *names, int count, int capacity, int *order);

// The same for keys with these hash codes: of a string, or of a TopicPartition.
void java_order_hashes(const uint32_t *hashes, int count, int capacity, int *order);
uint32_t java_hash_partition(struct str topic, int32_t partition);

// The slots of a HashMap made for `count` entries, and of one that grew to hold them.
int java_capacity_sized(int count);
int java_capacity_grown(int count);

// "Classic" for "classic": how Kafka's tools write the types of groups.
struct str java_group_type(struct str type);

// The class name of Kafka's exception for an error code, without its package:
// "UnknownTopicOrPartitionException". Kafka's tools print it.
const char *java_exception(int16_t code);

// The message such an exception carries when the broker sent none.
const char *java_message(int16_t code);
