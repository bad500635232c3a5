// SPDX-License-Identifier: Apache-2.0
#include "config/topic_config.h"

#include "base/check.h"
#include "base/err.h"
#include "config/config.h"

// Where a value is looked for.
struct source {
    const struct config *broker;
    const struct properties *overrides;
};

// The topic's own value if it is there and valid.
static const char *own_value(const struct source *s, const struct config_key *key, const char *name)
{
    const char *value = s->overrides != NULL ? properties_get(s->overrides, name) : NULL;
    return value != NULL && config_validate(key, str_from(value), NULL) == ERR_OK ? value : NULL;
}

static const struct config_key *require(const char *name)
{
    const struct config_key *key = config_key_find(CONFIG_TOPIC, str_from(name));
    check(key != NULL);
    return key;
}

static struct str text_of(const struct source *s, const char *name)
{
    const struct config_key *key = require(name);
    const char *value = own_value(s, key, name);
    const char *broker_name = config_key_broker_default(key);
    if (value == NULL && broker_name != NULL)
        value = config_text(s->broker, broker_name);
    return str_trim(str_from(value != NULL ? value : config_key_default(key)));
}

static int64_t i64_of(const struct source *s, const char *name)
{
    int64_t value;
    bool whole = str_parse_i64(text_of(s, name), &value);
    check(whole);
    return value;
}

static int32_t i32_of(const struct source *s, const char *name)
{
    return (int32_t)i64_of(s, name); // validated as INT
}

static bool bool_of(const struct source *s, const char *name)
{
    return str_equal_nocase(text_of(s, name), str_from("true"));
}

// A time whose broker default is written in one of several units.
static int64_t duration_of(const struct source *s, const char *name)
{
    const struct config_key *key = require(name);
    const char *value = own_value(s, key, name);
    if (value == NULL)
        return config_duration_ms(s->broker, config_key_broker_default(key));
    int64_t ms;
    bool whole = str_parse_i64(str_trim(str_from(value)), &ms);
    check(whole);
    return ms;
}

static double double_of(const struct source *s, const char *name)
{
    double value;
    bool number = str_parse_double(text_of(s, name), &value);
    check(number);
    return value;
}

static bool list_has(struct str list, const char *word)
{
    struct str item;
    while (config_list_next(&list, &item))
        if (str_is(item, word))
            return true;
    return false;
}

static enum topic_compression compression_of(struct str name)
{
    static const char names[][16] = {"uncompressed", "gzip", "snappy", "lz4", "zstd"};
    for (int i = 0; i < (int)(sizeof names / sizeof *names); i++)
        if (str_is(name, names[i]))
            return (enum topic_compression)i;
    return TOPIC_COMPRESSION_PRODUCER;
}

static void resolve_cleaning(struct topic_config *t, const struct source *s)
{
    struct str policy = text_of(s, "cleanup.policy");
    t->cleanup_delete = list_has(policy, "delete");
    t->cleanup_compact = list_has(policy, "compact");
    t->retention_ms = duration_of(s, "retention.ms");
    t->retention_bytes = i64_of(s, "retention.bytes");
    t->local_retention_ms = i64_of(s, "local.retention.ms");
    t->local_retention_bytes = i64_of(s, "local.retention.bytes");
    t->delete_retention_ms = i64_of(s, "delete.retention.ms");
    t->min_compaction_lag_ms = i64_of(s, "min.compaction.lag.ms");
    t->max_compaction_lag_ms = i64_of(s, "max.compaction.lag.ms");
    t->min_cleanable_dirty_ratio = double_of(s, "min.cleanable.dirty.ratio");
    t->file_delete_delay_ms = i64_of(s, "file.delete.delay.ms");
}

static void resolve_segments(struct topic_config *t, const struct source *s)
{
    const char *for_tests = own_value(s, require("internal.segment.bytes"),
                                      "internal.segment.bytes");
    t->segment_bytes = i32_of(s, for_tests != NULL ? "internal.segment.bytes" : "segment.bytes");
    t->segment_ms = duration_of(s, "segment.ms");
    t->segment_jitter_ms = duration_of(s, "segment.jitter.ms");
    t->segment_index_bytes = i32_of(s, "segment.index.bytes");
    t->index_interval_bytes = i32_of(s, "index.interval.bytes");
    t->preallocate = bool_of(s, "preallocate");
}

static void resolve_records(struct topic_config *t, const struct source *s)
{
    t->max_message_bytes = i32_of(s, "max.message.bytes");
    t->max_decompressed_message_bytes = i32_of(s, "max.decompressed.message.bytes");
    t->compression = compression_of(text_of(s, "compression.type"));
    t->compression_gzip_level = i32_of(s, "compression.gzip.level");
    t->compression_lz4_level = i32_of(s, "compression.lz4.level");
    t->compression_zstd_level = i32_of(s, "compression.zstd.level");
    t->timestamp_type = str_is(text_of(s, "message.timestamp.type"), "LogAppendTime")
                            ? TOPIC_LOG_APPEND_TIME
                            : TOPIC_CREATE_TIME;
    t->timestamp_before_max_ms = i64_of(s, "message.timestamp.before.max.ms");
    t->timestamp_after_max_ms = i64_of(s, "message.timestamp.after.max.ms");
}

void topic_config_resolve(struct topic_config *out, const struct config *broker,
                          const struct properties *overrides)
{
    struct source s = {.broker = broker, .overrides = overrides};
    struct topic_config t = {0};
    resolve_cleaning(&t, &s);
    resolve_segments(&t, &s);
    resolve_records(&t, &s);
    t.min_insync_replicas = i32_of(&s, "min.insync.replicas");
    t.write_caching = bool_of(&s, "write.caching");
    t.flush_messages = i64_of(&s, "flush.messages");
    t.flush_ms = duration_of(&s, "flush.ms");
    t.unclean_leader_election = bool_of(&s, "unclean.leader.election.enable");
    *out = t;
}

// The rules between keys that Kafka has for topics.
static int check_together(const struct source *s, struct diag *diag)
{
    int64_t least = i64_of(s, "min.compaction.lag.ms");
    int64_t most = i64_of(s, "max.compaction.lag.ms");
    if (least > most)
        return diag_set(diag, ERR_INVALID,
                        "conflict topic config setting min.compaction.lag.ms (%lld) > "
                        "max.compaction.lag.ms (%lld)", (long long)least, (long long)most);
    if (bool_of(s, "remote.storage.enable"))
        return diag_set(diag, ERR_INVALID,
                        "Tiered Storage functionality is disabled in the broker. Topic cannot be "
                        "configured with remote log storage.");
    return ERR_OK;
}

int topic_config_validate(const struct config *broker, const struct properties *overrides,
                          struct diag *diag)
{
    for (int i = 0; i < overrides->count; i++) {
        struct str name = str_from(overrides->items[i].key);
        const struct config_key *key = config_key_find(CONFIG_TOPIC, name);
        if (key == NULL)
            return diag_set(diag, ERR_INVALID, "Unknown topic config name: %.*s", STR_ARG(name));
        int err = config_validate(key, str_from(overrides->items[i].value), diag);
        if (err != ERR_OK)
            return err;
    }
    return check_together(&(struct source){.broker = broker, .overrides = overrides}, diag);
}
