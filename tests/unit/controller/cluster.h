// SPDX-License-Identifier: Apache-2.0
//
// A controller under test with a log of its own: what it yields is appended at once, loaded by a
// loader as a broker would, and both states are compared after every command.
#pragma once

#include "../metadata/testing.h"

#include "base/prng.h"
#include "config/config.h"
#include "controller/controller.h"
#include "wire/api/broker_heartbeat.h"
#include "wire/api/broker_registration.h"

#define CLUSTER_ID "MkU3OEVBNTcwNTJENDM2Qg"

struct cluster {
    struct config *config;
    struct controller *controller;
    struct metadata_loader *loader;
    struct prng prng;
    struct arena arena; // of replies
    int64_t now_ms;
    int64_t next_offset;
    struct controller_command cmd;
    // The records of the last command, decoded.
    struct arena decoded;
    struct metadata_record *records;
    size_t record_count;
};

static inline void cluster_random(void *context, uint8_t *out, size_t size)
{
    struct cluster *x = context;
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)prng_next(&x->prng);
}

static inline struct controller_input cluster_input(struct cluster *x)
{
    return (struct controller_input){.now_ms = x->now_ms,
                                     .next_offset = x->next_offset,
                                     .prng = &x->prng,
                                     .random = cluster_random,
                                     .random_context = x};
}

static inline void cluster_begin(struct cluster *x)
{
    struct controller_input input = cluster_input(x);
    controller_begin(x->controller, &x->cmd, &input);
}

// Appends what the command yields and makes it the state. Gives the number of records.
static inline size_t cluster_end(struct cluster *x)
{
    size_t count = x->cmd.record_count;
    arena_release(&x->decoded);
    x->records = arena_new_array(&x->decoded, count + 1, struct metadata_record);
    x->record_count = count;
    struct buf batch;
    buf_init(&batch, 1 << 24);
    struct batch_options options = BATCH_OPTIONS_DEFAULT;
    options.base_offset = x->next_offset;
    options.partition_leader_epoch = 1;
    struct batch_builder b;
    batch_builder_begin(&b, &batch, &options);
    for (size_t i = 0; i < count; i++) {
        struct bytes value = x->cmd.values[i];
        uint8_t *copy = arena_alloc(&x->decoded, value.size);
        memcpy(copy, value.data, value.size);
        assert_int_equal(metadata_record_decode(bytes_of(copy, value.size), &x->decoded,
                                                &x->records[i]),
                         0);
        batch_builder_add(&b, x->now_ms, bytes_of(NULL, 0), value, NULL, 0);
    }
    if (count > 0) {
        assert_int_equal(batch_builder_finish(&b, NULL), 0);
        struct diag diag;
        if (metadata_loader_batches(x->loader, buf_bytes(&batch), &diag) != 0)
            fail_msg("%s", diag.text);
    } else {
        batch_builder_cancel(&b);
    }
    buf_release(&batch);
    x->next_offset += (int64_t)count;
    controller_accept(x->controller, &x->cmd, x->next_offset);
    if (controller_is_active(x->controller))
        assert_true(metadata_image_equal(controller_image(x->controller),
                                         metadata_loader_image(x->loader)));
    return count;
}

// The record at `index`, which must be of this type and version.
static inline const void *cluster_record(const struct cluster *x, size_t index,
                                         enum metadata_record_type type, int16_t version)
{
    assert_true(index < x->record_count);
    assert_int_equal(x->records[index].type, type);
    assert_int_equal(x->records[index].version, version);
    return x->records[index].message;
}

static inline const struct metadata_image *cluster_image(const struct cluster *x)
{
    return controller_image(x->controller);
}

static inline void cluster_init_empty(struct cluster *x)
{
    *x = (struct cluster){.now_ms = 1000000};
    x->config = config_new();
    x->controller = controller_new(&(struct controller_options){
        .cluster_id = str_from(CLUSTER_ID), .config = x->config, .session_timeout_ms = 9000});
    x->loader = metadata_loader_new();
    prng_init(&x->prng, 7);
    arena_init(&x->arena, 1 << 26);
    arena_init(&x->decoded, 1 << 26);
}

static inline void cluster_activate(struct cluster *x)
{
    struct controller_input input = cluster_input(x);
    struct diag diag;
    if (controller_activate(x->controller, &x->cmd, &input, metadata_loader_image(x->loader),
                            metadata_loader_in_transaction(x->loader), NULL, &diag) != 0)
        fail_msg("%s", diag.text);
    cluster_end(x);
}

static inline void cluster_release(struct cluster *x)
{
    controller_free(x->controller);
    metadata_loader_free(x->loader);
    config_free(x->config);
    arena_release(&x->arena);
    arena_release(&x->decoded);
}

// A registration as this release sends it.
struct registration {
    struct broker_registration_request request;
    struct broker_registration_request_feature features[FEATURE_COUNT + 1];
    struct broker_registration_request_listener listener;
    struct uuid directories[2];
};

static inline void registration_init(struct registration *r, int32_t id, uint8_t incarnation,
                                     int directory_count)
{
    memset(r, 0, sizeof *r);
    broker_registration_request_init(&r->request);
    r->request.broker_id = id;
    r->request.cluster_id = str_from(CLUSTER_ID);
    r->request.incarnation_id = test_id(incarnation);
    r->request.rack = str_of(NULL, 0);
    for (int i = 0; i < FEATURE_COUNT; i++) {
        const struct feature_info *f = feature_info((enum feature)i);
        r->features[i] = (struct broker_registration_request_feature){
            str_from(f->name), f->level_min, f->level_max};
    }
    r->features[FEATURE_COUNT] =
        (struct broker_registration_request_feature){str_from("kraft.version"), 0, 1};
    r->request.features.items = r->features;
    r->request.features.count = FEATURE_COUNT + 1;
    r->listener = (struct broker_registration_request_listener){str_from("PLAINTEXT"),
                                                                str_from("127.0.0.1"), 9092, 0};
    r->request.listeners.items = &r->listener;
    r->request.listeners.count = 1;
    r->directories[0] = (struct uuid){{0xdd, (uint8_t)id, 1}};
    r->directories[1] = (struct uuid){{0xdd, (uint8_t)id, 2}};
    r->request.log_dirs = (struct wire_uuid_array){r->directories, directory_count};
}

static inline struct broker_registration_response cluster_register(struct cluster *x,
                                                                   struct registration *r)
{
    struct broker_registration_response reply;
    cluster_begin(x);
    controller_register_broker(x->controller, &x->cmd, &r->request, 0, &reply, &x->arena);
    cluster_end(x);
    return reply;
}

static inline struct broker_heartbeat_response
cluster_heartbeat(struct cluster *x, const struct broker_heartbeat_request *request)
{
    struct broker_heartbeat_response reply;
    cluster_begin(x);
    controller_heartbeat(x->controller, &x->cmd, request, &reply, &x->arena);
    cluster_end(x);
    return reply;
}

static inline struct broker_heartbeat_request heartbeat_of(const struct cluster *x, int32_t id)
{
    struct broker_heartbeat_request request;
    broker_heartbeat_request_init(&request);
    request.broker_id = id;
    request.broker_epoch = metadata_image_broker(cluster_image(x), id)->epoch;
    request.current_metadata_offset = x->next_offset - 1;
    return request;
}

// Registers broker `id` and takes it into service.
static inline void cluster_add_broker(struct cluster *x, int32_t id, const char *rack,
                                      int directory_count)
{
    struct registration r;
    registration_init(&r, id, (uint8_t)(100 + id), directory_count);
    r.request.rack = str_from(rack);
    struct broker_registration_response registered = cluster_register(x, &r);
    assert_int_equal(registered.error_code, KAFKA_NONE);
    struct broker_heartbeat_request request = heartbeat_of(x, id);
    struct broker_heartbeat_response reply = cluster_heartbeat(x, &request);
    assert_int_equal(reply.error_code, KAFKA_NONE);
    assert_false(reply.is_fenced);
}

// One broker in service, with one log directory.
static inline void cluster_init(struct cluster *x)
{
    cluster_init_empty(x);
    cluster_activate(x);
    cluster_add_broker(x, 1, NULL, 1);
}

static inline void text_is(struct str s, const char *text)
{
    if (text == NULL)
        assert_null(s.data);
    else if (!str_is(s, text))
        fail_msg("\"%.*s\" is not \"%s\"", STR_ARG(s), text);
}
