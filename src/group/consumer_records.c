// SPDX-License-Identifier: Apache-2.0
//
// Writes the records of consumer groups. FROZEN: as Apache Kafka 4.4 writes them.
#include "base/arena.h"
#include "base/mem.h"
#include "group/consumer.h"
#include "wire/record/consumer_group_current_member_assignment_key.h"
#include "wire/record/consumer_group_current_member_assignment_value.h"
#include "wire/record/consumer_group_member_metadata_key.h"
#include "wire/record/consumer_group_member_metadata_value.h"
#include "wire/record/consumer_group_metadata_key.h"
#include "wire/record/consumer_group_metadata_value.h"
#include "wire/record/consumer_group_partition_metadata_key.h"
#include "wire/record/consumer_group_regular_expression_key.h"
#include "wire/record/consumer_group_regular_expression_value.h"
#include "wire/record/consumer_group_target_assignment_member_key.h"
#include "wire/record/consumer_group_target_assignment_member_value.h"
#include "wire/record/consumer_group_target_assignment_metadata_key.h"
#include "wire/record/consumer_group_target_assignment_metadata_value.h"

enum { VALUE_VERSION = 0 };

void consumer_begin(struct consumer_group *cg)
{
    struct coordinator *c = cg->groups->coordinator;
    coordinator_begin(c, coordinator_now(c));
}

int consumer_end(struct consumer_group *cg)
{
    coordinator_ticket ticket;
    return group_write_end(cg->groups, str_from(cg->group->id), &ticket);
}

static void write(const struct consumer_group *cg, int16_t type, const void *key, const void *value)
{
    coordinator_write(cg->groups->coordinator, type, VALUE_VERSION, key, value);
}

static struct str group_id(const struct consumer_group *cg)
{
    return str_from(cg->group->id);
}

void consumer_write_group(const struct consumer_group *cg, int32_t epoch, int64_t metadata_hash)
{
    struct consumer_group_metadata_key key = {.group_id = group_id(cg)};
    struct consumer_group_metadata_value value;
    consumer_group_metadata_value_init(&value);
    value.epoch = epoch;
    value.metadata_hash = metadata_hash;
    write(cg, GROUP_RECORD_CONSUMER_GROUP_METADATA, &key, &value);
}

void consumer_write_subscription(const struct consumer_group *cg, struct str member_id,
                                 const struct consumer_subscription *s)
{
    struct consumer_group_member_metadata_key key = {.group_id = group_id(cg), .member_id = member_id};
    struct consumer_group_member_metadata_value value;
    struct consumer_group_member_metadata_value_classic_member_metadata classic;
    struct consumer_group_member_metadata_value_classic_protocol *protocols =
        mem_alloc_array((size_t)s->protocol_count + 1, sizeof(*protocols));
    consumer_group_member_metadata_value_init(&value);
    consumer_group_member_metadata_value_classic_member_metadata_init(&classic);
    value.instance_id = s->instance_id;
    value.rack_id = s->rack_id;
    value.client_id = s->client_id;
    value.client_host = s->client_host;
    value.subscribed_topic_names.items = s->topics;
    value.subscribed_topic_names.count = s->topic_count;
    value.subscribed_topic_regex = s->regex;
    value.rebalance_timeout_ms = s->rebalance_timeout_ms;
    value.server_assignor = s->assignor;
    for (int32_t i = 0; i < s->protocol_count; i++) {
        consumer_group_member_metadata_value_classic_protocol_init(&protocols[i]);
        protocols[i].name = s->protocols[i].name;
        protocols[i].metadata = s->protocols[i].metadata;
    }
    classic.session_timeout_ms = s->session_timeout_ms;
    classic.supported_protocols.items = protocols;
    classic.supported_protocols.count = s->protocol_count;
    value.classic_member_metadata = s->is_classic ? &classic : NULL;
    write(cg, GROUP_RECORD_CONSUMER_GROUP_MEMBER_METADATA, &key, &value);
    mem_free(protocols);
}

void consumer_write_target(const struct consumer_group *cg, struct str member_id,
                           const struct assignment *target)
{
    struct consumer_group_target_assignment_member_key key = {.group_id = group_id(cg),
                                                              .member_id = member_id};
    struct consumer_group_target_assignment_member_value value;
    consumer_group_target_assignment_member_value_init(&value);
    value.topic_partitions.items =
        mem_alloc_array((size_t)target->count + 1, sizeof(*value.topic_partitions.items));
    value.topic_partitions.count = target->count;
    for (int32_t i = 0; i < target->count; i++) {
        value.topic_partitions.items[i].topic_id = target->topics[i].id;
        value.topic_partitions.items[i].partitions =
            (struct wire_int32_array){target->topics[i].partitions, target->topics[i].count};
    }
    write(cg, GROUP_RECORD_CONSUMER_GROUP_TARGET_ASSIGNMENT_MEMBER, &key, &value);
    mem_free(value.topic_partitions.items);
}

void consumer_write_target_epoch(const struct consumer_group *cg, int32_t assignment_epoch,
                                 int64_t timestamp_ms)
{
    struct consumer_group_target_assignment_metadata_key key = {.group_id = group_id(cg)};
    struct consumer_group_target_assignment_metadata_value value;
    consumer_group_target_assignment_metadata_value_init(&value);
    value.assignment_epoch = assignment_epoch;
    value.assignment_timestamp = timestamp_ms;
    write(cg, GROUP_RECORD_CONSUMER_GROUP_TARGET_ASSIGNMENT_METADATA, &key, &value);
}

static struct consumer_group_current_member_assignment_value_topic_partitions_array
current_array_new(const struct assignment *a)
{
    struct consumer_group_current_member_assignment_value_topic_partitions_array array = {
        .items = mem_alloc_array((size_t)a->count + 1, sizeof(*array.items)),
        .count = a->count,
    };
    for (int32_t i = 0; i < a->count; i++) {
        const struct assigned_topic *t = &a->topics[i];
        consumer_group_current_member_assignment_value_topic_partitions_init(&array.items[i]);
        array.items[i].topic_id = t->id;
        array.items[i].partitions = (struct wire_int32_array){t->partitions, t->count};
        array.items[i].assignment_epochs = (struct wire_int32_array){t->epochs, t->count};
    }
    return array;
}

void consumer_write_current(const struct consumer_group *cg, struct str member_id, int32_t epoch,
                            int32_t previous_epoch, int8_t state, const struct assignment *assigned,
                            const struct assignment *pending_revocation)
{
    struct consumer_group_current_member_assignment_key key = {.group_id = group_id(cg),
                                                               .member_id = member_id};
    struct consumer_group_current_member_assignment_value value;
    consumer_group_current_member_assignment_value_init(&value);
    value.member_epoch = epoch;
    value.previous_member_epoch = previous_epoch;
    value.state = state;
    value.assigned_partitions = current_array_new(assigned);
    value.partitions_pending_revocation = current_array_new(pending_revocation);
    write(cg, GROUP_RECORD_CONSUMER_GROUP_CURRENT_MEMBER_ASSIGNMENT, &key, &value);
    mem_free(value.assigned_partitions.items);
    mem_free(value.partitions_pending_revocation.items);
}

void consumer_write_regex(const struct consumer_group *cg, struct str pattern, const struct str *topics,
                          int32_t count, int64_t version, int64_t timestamp_ms)
{
    struct consumer_group_regular_expression_key key = {.group_id = group_id(cg),
                                                        .regular_expression = pattern};
    struct consumer_group_regular_expression_value value;
    struct str *copy = mem_alloc_array((size_t)count + 1, sizeof(*copy));
    for (int32_t i = 0; i < count; i++)
        copy[i] = topics[i];
    consumer_group_regular_expression_value_init(&value);
    value.topics.items = copy;
    value.topics.count = count;
    value.version = version;
    value.timestamp = timestamp_ms;
    write(cg, GROUP_RECORD_CONSUMER_GROUP_REGULAR_EXPRESSION, &key, &value);
    mem_free(copy);
}

void consumer_write_regex_tombstone(const struct consumer_group *cg, struct str pattern)
{
    struct consumer_group_regular_expression_key key = {.group_id = group_id(cg),
                                                        .regular_expression = pattern};
    write(cg, GROUP_RECORD_CONSUMER_GROUP_REGULAR_EXPRESSION, &key, NULL);
}

static void write_current_tombstone(const struct consumer_group *cg, struct str member_id)
{
    struct consumer_group_current_member_assignment_key key = {group_id(cg), member_id};
    write(cg, GROUP_RECORD_CONSUMER_GROUP_CURRENT_MEMBER_ASSIGNMENT, &key, NULL);
}

static void write_target_tombstone(const struct consumer_group *cg, struct str member_id)
{
    struct consumer_group_target_assignment_member_key key = {group_id(cg), member_id};
    write(cg, GROUP_RECORD_CONSUMER_GROUP_TARGET_ASSIGNMENT_MEMBER, &key, NULL);
}

static void write_subscription_tombstone(const struct consumer_group *cg, struct str member_id)
{
    struct consumer_group_member_metadata_key key = {group_id(cg), member_id};
    write(cg, GROUP_RECORD_CONSUMER_GROUP_MEMBER_METADATA, &key, NULL);
}

// In this order: Kafka refuses to load a log in which a member is gone and its assignment is not.
void consumer_write_member_tombstones(const struct consumer_group *cg, struct str member_id)
{
    write_current_tombstone(cg, member_id);
    write_target_tombstone(cg, member_id);
    write_subscription_tombstone(cg, member_id);
}

void consumer_write_group_tombstones(struct groups *g, const struct group *group)
{
    (void)g;
    const struct consumer_group *cg = group->consumer;
    struct consumer_member *m = NULL;
    while ((m = consumer_next(cg, m)) != NULL)
        write_current_tombstone(cg, str_from(m->id));
    while ((m = consumer_next(cg, m)) != NULL)
        write_target_tombstone(cg, str_from(m->id));
    struct consumer_group_target_assignment_metadata_key target_key = {group_id(cg)};
    write(cg, GROUP_RECORD_CONSUMER_GROUP_TARGET_ASSIGNMENT_METADATA, &target_key, NULL);
    while ((m = consumer_next(cg, m)) != NULL)
        write_subscription_tombstone(cg, str_from(m->id));
    for (struct map_node *n = NULL; (n = map_next(&cg->regexes, n)) != NULL;)
        consumer_write_regex_tombstone(cg,
                                       str_from(container_of(n, struct consumer_regex, node)->pattern));
    struct consumer_group_metadata_key key = {group_id(cg)};
    write(cg, GROUP_RECORD_CONSUMER_GROUP_METADATA, &key, NULL);
}
