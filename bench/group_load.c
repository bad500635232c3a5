// SPDX-License-Identifier: Apache-2.0
//
// How long a coordinator takes to load committed offsets, and what they cost in memory: a log of them is
// made in memory and loaded piece by piece, as the broker does, its CRCs included; the disk is not.
//
//   group_load [GROUPS TOPICS PARTITIONS [NOTE_BYTES]]    (default 1000 10 100: a million offsets)
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/check.h"
#include "config/config.h"
#include "coordinator/coordinator.h"
#include "group/groups.h"
#include "metadata/image.h"
#include "wire/batch.h"
#include "wire/record/offset_commit_key.h"
#include "wire/record/offset_commit_value.h"

enum { BATCH_RECORDS = 100, PIECE_BYTES = 256 * 1024 };

struct shape {
    int groups;
    int topics;
    int partitions;
    int note_bytes;
};

// Of the processor, since others may be at work on the machine.
static double clock_ms(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static size_t memory_in_use(void)
{
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

// ---- The log ----

struct writer {
    struct buf log;
    struct buf key;
    struct buf value;
    struct batch_builder builder;
    int64_t offset;
    int in_batch;
};

static void end_batch(struct writer *w)
{
    if (w->in_batch == 0)
        return;
    check(batch_builder_finish(&w->builder, NULL) == 0);
    w->in_batch = 0;
}

static void write_record(struct writer *w, const struct offset_commit_key *key,
                         const struct offset_commit_value *value)
{
    const struct coordinator_record_type *type =
        coordinator_record_type_find(COORDINATOR_LOG_GROUP, GROUP_RECORD_OFFSET_COMMIT);
    if (w->in_batch == 0) {
        struct batch_options options = BATCH_OPTIONS_DEFAULT;
        options.base_offset = w->offset;
        batch_builder_begin(&w->builder, &w->log, &options);
    }
    buf_clear(&w->key);
    buf_clear(&w->value);
    check(coordinator_key_encode(type, key, &w->key) == 0);
    check(coordinator_value_encode(type, 4, value, &w->value) == 0);
    batch_builder_add(&w->builder, 1700000000000, buf_bytes(&w->key), buf_bytes(&w->value), NULL, 0);
    w->offset++;
    if (++w->in_batch == BATCH_RECORDS)
        end_batch(w);
}

// Group by group, as members commit all of their partitions at once.
static void write_log(struct writer *w, const struct shape *s)
{
    char group[64], topic[64], note[4096];
    memset(note, 'n', sizeof note);
    for (int g = 0; g < s->groups; g++) {
        for (int t = 0; t < s->topics; t++) {
            for (int p = 0; p < s->partitions; p++) {
                snprintf(group, sizeof group, "consumers-of-orders-%d", g);
                snprintf(topic, sizeof topic, "orders.by.region.%d", t);
                struct offset_commit_key key = {str_from(group), str_from(topic), p};
                struct offset_commit_value value = {
                    .offset = 1000000 + p,
                    .leader_epoch = 7,
                    .metadata = str_of(note, (size_t)s->note_bytes),
                    .commit_timestamp = 1700000000000,
                    .expire_timestamp = -1,
                    .topic_id = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, (uint8_t)t}},
                };
                write_record(w, &key, &value);
            }
        }
    }
    end_batch(w);
}

// ---- Loading ----

static void no_random(void *context, uint8_t *out, size_t size)
{
    memset(out, 1, size);
}

static int no_append(void *context, uint8_t *batch, size_t size, int64_t *end_offset)
{
    return -1;
}

// Whole batches of about PIECE_BYTES.
static struct bytes next_piece(struct bytes *rest)
{
    struct bytes start = *rest, batch;
    struct batch_header header;
    while (start.size - rest->size < PIECE_BYTES && batch_next(rest, &header, &batch) == 1)
        check(batch_crc_is_valid(batch));
    return bytes_of(start.data, start.size - rest->size);
}

static void load(struct coordinator *c, struct bytes log)
{
    struct diag diag;
    diag_clear(&diag);
    while (log.size > 0) {
        struct bytes piece = next_piece(&log);
        if (coordinator_load(c, piece, &diag) != 0) {
            fprintf(stderr, "%s\n", diag.text);
            exit(1);
        }
    }
}

static void measure(const struct writer *w, const struct shape *s)
{
    struct config *config = config_new();
    struct metadata_image *image = metadata_image_new();
    size_t before = memory_in_use();
    double begin = clock_ms(CLOCK_PROCESS_CPUTIME_ID), wall_begin = clock_ms(CLOCK_MONOTONIC);
    struct groups *g = groups_new(&(struct groups_options){
        .config = config, .image = image, .hash_seed = {1, 2}, .random = no_random});
    struct coordinator *c = coordinator_new(&(struct coordinator_options){
        .machine = &groups_machine, .state = g, .name = "__consumer_offsets-0", .append = no_append,
        .batch_bytes_max = 1 << 20});
    groups_attach(g, c);
    load(c, buf_bytes(&w->log));
    coordinator_activate(c, w->offset);
    groups_loaded(g, &(struct coordinator_time){1000, 1700000000000});
    double took = clock_ms(CLOCK_PROCESS_CPUTIME_ID) - begin;
    double wall = clock_ms(CLOCK_MONOTONIC) - wall_begin;
    double count = (double)s->groups * s->topics * s->partitions;
    printf("%d groups x %d topics x %d partitions, notes of %d bytes: %.0f offsets, log %.1f MB: loaded in "
           "%.0f ms, %.0f ms of CPU; %.0f ns and %.0f bytes of memory each\n",
           s->groups, s->topics, s->partitions, s->note_bytes, count, (double)w->log.size / 1e6, wall, took,
           took * 1e6 / count, (double)(memory_in_use() - before) / count);
    groups_end(g, KAFKA_NOT_COORDINATOR);
    coordinator_fail(c, KAFKA_NOT_COORDINATOR);
    groups_free(g);
    coordinator_free(c);
    metadata_image_unref(image);
    config_free(config);
}

int main(int argc, char **argv)
{
    struct shape s = {1000, 10, 100, 0};
    struct writer w = {0};
    if (argc >= 4) {
        s.groups = atoi(argv[1]);
        s.topics = atoi(argv[2]);
        s.partitions = atoi(argv[3]);
    }
    if (argc >= 5)
        s.note_bytes = atoi(argv[4]);
    if (s.groups < 1 || s.topics < 1 || s.partitions < 1 || s.note_bytes < 0 || s.note_bytes > 4096) {
        fprintf(stderr, "usage: group_load [GROUPS TOPICS PARTITIONS [NOTE_BYTES]]\n");
        return 2;
    }
    buf_init(&w.log, SIZE_MAX / 2);
    buf_init(&w.key, 1 << 20);
    buf_init(&w.value, 1 << 20);
    write_log(&w, &s);
    measure(&w, &s);
    buf_release(&w.log);
    buf_release(&w.key);
    buf_release(&w.value);
    return 0;
}
