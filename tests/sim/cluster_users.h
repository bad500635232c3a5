// SPDX-License-Identifier: Apache-2.0
//
// Those who use a cluster: producers, consumers and somebody who administers it. Each is a process
// on a host of its own with the client library; all tell the model what they ask for and what they
// learn.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/prng.h"
#include "cluster_model.h"
#include "sim_net.h"

struct users {
    struct sim *sim;
    struct model *model;
    struct prng *prng;
    const char *bootstrap;
    bool verbose;
};

__attribute__((format(printf, 2, 3))) void users_say(const struct users *u, const char *format,
                                                     ...);

// ---- Producer: idempotent, acks=all ----

struct producer_user;

// `number` is below MODEL_PRODUCERS_MAX.
struct producer_user *producer_user_new(struct users *u, struct sim_host *host, int number);
void producer_user_free(struct producer_user *p);

// Sends a record with a value of `size` bytes; its number, or -1 when the producer's buffer is
// full.
int64_t producer_user_send(struct producer_user *p, int topic, int partition, int size);

// Records without a result.
int64_t producer_user_pending(const struct producer_user *p);

// ---- Consumer: all partitions of one topic ----

struct consumer_user;

// From the log start, or from some offset that is known. With `to_end` it stops at the end as it is
// then, otherwise it follows.
struct consumer_user *consumer_user_new(struct users *u, struct sim_host *host, int topic,
                                        bool from_start, bool to_end);
void consumer_user_free(struct consumer_user *c);

int consumer_user_topic(const struct consumer_user *c);

// It has given up a partition, or its topic is not the one it began to read: make another.
bool consumer_user_is_stale(const struct consumer_user *c);

// With `to_end`: it has read everything. Otherwise: all that the model knows of.
bool consumer_user_is_done(const struct consumer_user *c);

// ---- Administrator: one request after another, each until it has an answer ----

struct admin_user;

struct admin_user *admin_user_new(struct users *u, struct sim_host *host);
void admin_user_free(struct admin_user *a);
bool admin_user_is_busy(const struct admin_user *a);

// Only when not busy.
void admin_user_create(struct admin_user *a, int topic, int partition_count);
void admin_user_delete(struct admin_user *a, int topic);
void admin_user_grow(struct admin_user *a, int topic, int partition_count);
void admin_user_delete_records(struct admin_user *a, int topic, int partition, int64_t offset);
void admin_user_set_config(struct admin_user *a, int topic, const char *key, const char *value);

// Asks for all topics and holds them against the model.
void admin_user_check_topics(struct admin_user *a);
