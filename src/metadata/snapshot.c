// SPDX-License-Identifier: Apache-2.0
#include "metadata/snapshot.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "metadata/internal.h"
#include "metadata/records.h"
#include "wire/batch.h"
#include "wire/record/config_record.h"
#include "wire/record/feature_level_record.h"
#include "wire/record/kraft_version_record.h"
#include "wire/record/producer_ids_record.h"
#include "wire/record/register_broker_record.h"
#include "wire/record/register_controller_record.h"
#include "wire/record/snapshot_footer_record.h"
#include "wire/record/snapshot_header_record.h"
#include "wire/record/topic_record.h"

enum {
    SNAPSHOT_BATCH_RECORDS_MAX = 1024,
    SNAPSHOT_BATCH_SIZE = 1024 * 1024, // a batch is closed when it has grown past this
    RECORD_SIZE_MAX = 8 * 1024 * 1024,
};

int16_t metadata_register_broker_version(int16_t metadata_version)
{
    return metadata_version >= METADATA_VERSION_CORDONED_DIRS      ? 4
           : metadata_version >= METADATA_VERSION_DIRECTORIES      ? 3
           : metadata_version >= METADATA_VERSION_REGISTER_BROKER_2 ? 2
                                                                   : 1;
}

int16_t metadata_partition_version(int16_t metadata_version)
{
    return metadata_version >= METADATA_VERSION_ELR           ? 2
           : metadata_version >= METADATA_VERSION_DIRECTORIES ? 1
                                                              : 0;
}

static struct wire_int32_array ids_view(struct replicas list)
{
    return (struct wire_int32_array){(int32_t *)(uintptr_t)list.ids, list.count};
}

static struct wire_int32_array ids_view_or_null(struct replicas list)
{
    return list.count > 0 ? ids_view(list) : (struct wire_int32_array){NULL, -1};
}

static struct wire_uuid_array uuids_view(const struct uuid *ids, int32_t count)
{
    return (struct wire_uuid_array){(struct uuid *)(uintptr_t)ids, count};
}

void metadata_partition_record(struct partition_record *record, struct uuid topic_id,
                           const struct metadata_partition *p)
{
    partition_record_init(record);
    record->partition_id = p->id;
    record->topic_id = topic_id;
    record->replicas = ids_view(p->replicas);
    record->isr = ids_view(p->isr);
    record->removing_replicas = ids_view(p->removing);
    record->adding_replicas = ids_view(p->adding);
    record->leader = p->leader;
    record->leader_recovery_state = p->leader_recovery_state;
    record->leader_epoch = p->leader_epoch;
    record->partition_epoch = p->partition_epoch;
    record->directories = uuids_view(p->directories, p->replicas.count);
    record->eligible_leader_replicas = ids_view_or_null(p->elr);
    record->last_known_elr = ids_view_or_null(p->last_known_elr);
}

// Writes batches one after the other; the first error sticks.
struct snapshot_writer {
    struct buf *out;
    const struct metadata_snapshot_options *options;
    int16_t metadata_version;
    struct batch_builder builder;
    bool open; // a data batch is being built
    int64_t next_offset;
    struct buf value;
    int err;
};

static void batch_open(struct snapshot_writer *w, int16_t attributes)
{
    struct batch_options options = BATCH_OPTIONS_DEFAULT;
    options.base_offset = w->next_offset;
    options.partition_leader_epoch = w->options->epoch;
    options.attributes = attributes;
    batch_builder_begin(&w->builder, w->out, &options);
    w->open = true;
}

static void batch_close(struct snapshot_writer *w)
{
    if (!w->open)
        return;
    w->next_offset += w->builder.record_count;
    w->open = false;
    int err = batch_builder_finish(&w->builder, NULL);
    if (w->err == 0 && err != 0)
        w->err = ERR_NOMEM;
}

static void writer_put_value(struct snapshot_writer *w, struct bytes value)
{
    if (w->err != 0)
        return;
    if (w->open && (w->builder.record_count >= SNAPSHOT_BATCH_RECORDS_MAX ||
                    batch_builder_size(&w->builder) >= SNAPSHOT_BATCH_SIZE))
        batch_close(w);
    if (!w->open)
        batch_open(w, 0);
    batch_builder_add(&w->builder, w->options->now_ms, bytes_of(NULL, 0), value, NULL, 0);
}

static void writer_put(struct snapshot_writer *w, enum metadata_record_type type, int16_t version,
                       const void *message)
{
    if (w->err != 0)
        return;
    buf_clear(&w->value);
    w->err = metadata_record_encode(type, version, message, &w->value);
    writer_put_value(w, buf_bytes(&w->value));
}

static void control_put(struct snapshot_writer *w, enum control_type type, struct bytes value)
{
    uint8_t key[CONTROL_KEY_SIZE];
    control_key_store(key, type);
    batch_builder_add(&w->builder, w->options->now_ms, bytes_of(key, sizeof key), value, NULL, 0);
}

static void write_header(struct snapshot_writer *w)
{
    struct snapshot_header_record header = {
        .version = 0, .last_contained_log_timestamp = w->options->last_contained_log_time_ms};
    check(wire_encode_buf(&snapshot_header_record_schema, 0, &header, &w->value) == 0);
    batch_open(w, BATCH_CONTROL);
    control_put(w, CONTROL_SNAPSHOT_HEADER, buf_bytes(&w->value));
    if (w->options->kraft_version >= 1) {
        struct kraft_version_record version = {.version = 0,
                                               .kraft_version = w->options->kraft_version};
        buf_clear(&w->value);
        check(wire_encode_buf(&kraft_version_record_schema, 0, &version, &w->value) == 0);
        control_put(w, CONTROL_KRAFT_VERSION, buf_bytes(&w->value));
        control_put(w, CONTROL_KRAFT_VOTERS, w->options->voters_record);
    }
    batch_close(w);
}

static void write_footer(struct snapshot_writer *w)
{
    struct snapshot_footer_record footer = {.version = 0};
    batch_close(w);
    buf_clear(&w->value);
    check(wire_encode_buf(&snapshot_footer_record_schema, 0, &footer, &w->value) == 0);
    batch_open(w, BATCH_CONTROL);
    control_put(w, CONTROL_SNAPSHOT_FOOTER, buf_bytes(&w->value));
    batch_close(w);
}

static void write_features(struct snapshot_writer *w, const struct feature_levels *levels)
{
    // metadata.version is the first of the table and has to be the first record.
    for (int i = 0; i < FEATURE_COUNT; i++) {
        if (levels->level[i] == 0)
            continue;
        struct feature_level_record record = {.name = str_from(feature_info((enum feature)i)->name),
                                              .feature_level = levels->level[i]};
        writer_put(w, METADATA_FEATURE_LEVEL_RECORD, 0, &record);
    }
}

static void write_broker(struct snapshot_writer *w, const struct metadata_broker *b)
{
    struct arena arena;
    arena_init(&arena, RECORD_SIZE_MAX);
    struct register_broker_record record;
    register_broker_record_init(&record);
    record.broker_id = b->node.id;
    record.incarnation_id = b->node.incarnation_id;
    record.broker_epoch = b->epoch;
    register_broker_record_broker_endpoint_array_new(&arena, b->node.endpoint_count,
                                                     &record.end_points);
    for (int i = 0; i < record.end_points.count; i++) {
        const struct metadata_endpoint *e = &b->node.endpoints[i];
        record.end_points.items[i] = (struct register_broker_record_broker_endpoint){
            e->name, e->host, e->port, e->security_protocol};
    }
    register_broker_record_broker_feature_array_new(&arena, b->node.feature_count,
                                                    &record.features);
    for (int i = 0; i < record.features.count; i++) {
        const struct metadata_feature_range *f = &b->node.features[i];
        record.features.items[i] =
            (struct register_broker_record_broker_feature){f->name, f->min, f->max};
    }
    record.rack = b->rack;
    record.fenced = b->fenced;
    record.in_controlled_shutdown = b->in_controlled_shutdown;
    int16_t version = metadata_register_broker_version(w->metadata_version);
    if (version >= 3)
        record.log_dirs = uuids_view(b->directories, b->directory_count);
    if (version >= 4 && b->has_cordoned)
        record.cordoned_log_dirs = uuids_view(b->cordoned, b->cordoned_count);
    writer_put(w, METADATA_REGISTER_BROKER_RECORD, version, &record);
    arena_release(&arena);
}

static void write_controller(struct snapshot_writer *w, const struct metadata_controller *c)
{
    struct arena arena;
    arena_init(&arena, RECORD_SIZE_MAX);
    struct register_controller_record record;
    register_controller_record_init(&record);
    record.controller_id = c->node.id;
    record.incarnation_id = c->node.incarnation_id;
    record.zk_migration_ready = c->zk_migration_ready;
    register_controller_record_controller_endpoint_array_new(&arena, c->node.endpoint_count,
                                                             &record.end_points);
    for (int i = 0; i < record.end_points.count; i++) {
        const struct metadata_endpoint *e = &c->node.endpoints[i];
        record.end_points.items[i] = (struct register_controller_record_controller_endpoint){
            e->name, e->host, e->port, e->security_protocol};
    }
    register_controller_record_controller_feature_array_new(&arena, c->node.feature_count,
                                                            &record.features);
    for (int i = 0; i < record.features.count; i++) {
        const struct metadata_feature_range *f = &c->node.features[i];
        record.features.items[i] =
            (struct register_controller_record_controller_feature){f->name, f->min, f->max};
    }
    writer_put(w, METADATA_REGISTER_CONTROLLER_RECORD, 0, &record);
    arena_release(&arena);
}

static void write_topic(struct snapshot_writer *w, const struct metadata_topic *t)
{
    int16_t version = metadata_partition_version(w->metadata_version);
    struct topic_record topic = {.name = t->name, .topic_id = t->id};
    writer_put(w, METADATA_TOPIC_RECORD, 0, &topic);
    for (int32_t i = 0; i < t->partition_count; i++) {
        struct partition_record record;
        metadata_partition_record(&record, t->id, t->partitions[i]);
        if (version < 1)
            record.directories = (struct wire_uuid_array){NULL, 0};
        writer_put(w, METADATA_PARTITION_RECORD, version, &record);
    }
}

static void write_configs(struct snapshot_writer *w, const struct metadata_configs *c)
{
    for (int i = 0; i < c->values.count; i++) {
        struct config_record record = {
            .resource_type = c->resource_type,
            .resource_name = c->resource_name,
            .name = str_from(c->values.items[i].key),
            .value = str_from(c->values.items[i].value),
        };
        writer_put(w, METADATA_CONFIG_RECORD, 0, &record);
    }
}

static void write_raw(struct snapshot_writer *w, const struct metadata_image *image,
                      enum raw_kind kind)
{
    uint8_t first = (uint8_t)kind;
    struct pmap_iter iter;
    for (const struct metadata_raw *raw = pmap_seek(&image->raw, bytes_of(&first, 1), &iter);
         raw != NULL && raw->key.data[0] == first; raw = pmap_next(&iter))
        writer_put_value(w, raw->value);
}

static void write_producer_ids(struct snapshot_writer *w, const struct metadata_image *image)
{
    if (!image->has_producer_ids)
        return;
    struct producer_ids_record record = {
        .broker_id = -1, .broker_epoch = -1, .next_producer_id = image->next_producer_id};
    writer_put(w, METADATA_PRODUCER_IDS_RECORD, 0, &record);
}

static void write_image(struct snapshot_writer *w, const struct metadata_image *image)
{
    struct pmap_iter iter;
    write_features(w, &image->features);
    for (const void *b = pmap_first(&image->brokers, &iter); b != NULL; b = pmap_next(&iter))
        write_broker(w, b);
    for (const void *c = pmap_first(&image->controllers, &iter); c != NULL; c = pmap_next(&iter))
        write_controller(w, c);
    for (const void *t = pmap_first(&image->topics_by_name, &iter); t != NULL; t = pmap_next(&iter))
        write_topic(w, t);
    for (const void *c = pmap_first(&image->configs, &iter); c != NULL; c = pmap_next(&iter))
        write_configs(w, c);
    write_raw(w, image, RAW_QUOTA);
    write_producer_ids(w, image);
    for (int kind = RAW_QUOTA + 1; kind <= RAW_KIND_LAST; kind++)
        write_raw(w, image, (enum raw_kind)kind);
}

int metadata_snapshot_write(const struct metadata_image *image,
                            const struct metadata_snapshot_options *options, struct buf *out)
{
    size_t begin = out->size;
    struct snapshot_writer w = {
        .out = out,
        .options = options,
        .metadata_version = metadata_image_feature(image, FEATURE_METADATA_VERSION),
    };
    buf_init(&w.value, RECORD_SIZE_MAX);
    write_header(&w);
    write_image(&w, image);
    write_footer(&w);
    buf_release(&w.value);
    if (w.err != 0)
        out->size = begin;
    return w.err;
}

void metadata_format_levels(struct feature_levels *levels)
{
    for (int i = 0; i < FEATURE_COUNT; i++)
        levels->level[i] = feature_info((enum feature)i)->level_default;
}

int metadata_format_snapshot(const struct feature_levels *levels, struct bytes voters_record,
                             int64_t now_ms, struct buf *out)
{
    struct metadata_image *image = metadata_image_new();
    image->features = *levels;
    struct metadata_snapshot_options options = {
        .now_ms = now_ms,
        .last_contained_log_time_ms = now_ms,
        .kraft_version = voters_record.data != NULL,
        .voters_record = voters_record,
    };
    int err = metadata_snapshot_write(image, &options, out);
    metadata_image_unref(image);
    return err;
}
