// SPDX-License-Identifier: Apache-2.0
//
// What a cluster must be, as its clients can know it: topics, their partitions, each record that
// was ever sent, and where it was seen. Every answer is held against it as it comes, at a cost that
// does not grow with the history.
//
// A record is known by its number, which is in its value. An acknowledged record stays at its
// offset until somebody asked for its deletion; so does one that a consumer has seen. A record that
// failed is there once or not at all. Records of one producer in one partition stand in the order
// in which they were sent.
//
// Requests without an answer may still be acted on, at any time: what they could change is not
// known any more, and what is not known is not checked.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

enum {
    MODEL_TOPICS_MAX = 8,
    MODEL_PARTITIONS_MAX = 4,
    MODEL_PRODUCERS_MAX = 4,
    MODEL_NAME_MAX = 16
};

// Whether something is there. *_ASKED: a request for it is under way, or ended without an answer.
enum model_fact { MODEL_ABSENT, MODEL_CREATE_ASKED, MODEL_PRESENT, MODEL_DELETE_ASKED };

struct model_record {
    int64_t offset; // -1: not known
    int topic;
    int partition;
    int producer;
    int size; // of the value
    int life; // of the topic, as known when it was sent
    bool acknowledged;
    bool failed;   // its producer has given it up
    bool seen;     // by a consumer, in this life of the topic
    bool doubtful; // it may have gone to a former or later topic of that name
};

struct model_partition {
    int64_t *at; // offset -> record + 1; 0: not known
    int64_t at_count;
    int64_t at_capacity;
    int64_t start_min; // the log start offset that was acknowledged
    int64_t start_max; // what it may be; INT64_MAX: retention decides
    int64_t end_min;   // above every offset that was acknowledged or seen
};

struct model_topic {
    char name[MODEL_NAME_MAX];
    enum model_fact fact;
    int life;          // grows when it is created again
    bool ghost_create; // a request to create it never got an answer, and may act later
    bool ambiguous;    // such a ghost may have made or removed it: nothing is known any more
    int count_min;     // partitions that were acknowledged
    int count_max;     // or asked for
    struct model_partition partitions[MODEL_PARTITIONS_MAX];
};

struct model {
    struct model_topic topics[MODEL_TOPICS_MAX];
    struct model_record *records;
    int64_t record_count;
    int64_t record_capacity;
    int64_t acknowledged_count;
    int64_t seen_count;
    bool failed;
    char message[512];
};

void model_init(struct model *m);
void model_release(struct model *m);

// The first complaint stays.
__attribute__((format(printf, 2, 3))) void model_complain(struct model *m, const char *format, ...);

// ---- Records ----

enum { MODEL_VALUE_MAX = 2048 };

// A new record and its value; the number is its tag.
int64_t model_record_new(struct model *m, int topic, int partition, int producer, int size,
                         uint8_t *value);

// The producer has a result: acknowledged at `offset` (-1 unknown), or failed.
void model_acknowledged(struct model *m, int64_t number, int partition, int64_t offset);
void model_failed(struct model *m, int64_t number);

// ---- Reading ----

// One reader of one partition, from some offset on.
struct model_reader {
    int topic;
    int partition;
    int life;
    int64_t next;                         // offset that has to come, -1: any
    int64_t first;                        // the first that came, -1
    int64_t high_watermark;               // the last that was told
    int64_t last_of[MODEL_PRODUCERS_MAX]; // the last record seen of each producer, -1
};

void model_reader_init(struct model_reader *r, const struct model *m, int topic, int partition);

// Reading goes on elsewhere, because the log start has passed it.
void model_reader_reset(struct model_reader *r, struct model *m, int64_t from, int64_t to);

// A record came.
void model_read(struct model *m, struct model_reader *r, int64_t offset, struct bytes value,
                int64_t high_watermark);

// A reader that began at the log start has reached the end: everything that must be there was seen.
void model_read_all(struct model *m, const struct model_reader *r, int64_t end_offset);

// ---- Topics ----

// Before the request is sent, and for whatever comes of it.
void model_create_asked(struct model *m, int topic, int partition_count);
void model_create_unanswered(struct model *m, int topic);
void model_created(struct model *m, int topic, bool existed);
void model_delete_asked(struct model *m, int topic);
void model_delete_unanswered(struct model *m, int topic);
void model_deleted(struct model *m, int topic, bool existed);
void model_grow_asked(struct model *m, int topic, int partition_count);
void model_grown(struct model *m, int topic, int partition_count);
void model_start_asked(struct model *m, int topic, int partition, int64_t offset);
void model_started(struct model *m, int topic, int partition, int64_t low_watermark);

// Retention may delete from now on.
void model_retention_asked(struct model *m, int topic);

// What Metadata says once nothing is under way any more.
void model_check_topic(struct model *m, int topic, bool exists, int partition_count);
