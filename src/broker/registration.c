// SPDX-License-Identifier: Apache-2.0
#include "broker/registration.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/trace.h"
#include "broker/node.h"
#include "config/config.h"
#include "log/dir.h"
#include "metadata/feature.h"
#include "metadata/image.h"
#include "wire/api/broker_heartbeat.h"
#include "wire/api/broker_registration.h"
#include "wire/api/controller_registration.h"
#include "wire/errors.h"

enum { REGISTRATION_ARENA_MAX = 1 << 20, FAREWELLS_MAX = 4, BEAT_RETRY_MS = 10000 };

struct registration {
    struct quorum_command command;
    struct node *node;
    registration_done done;
    void *context;
    bool leaves; // the broker goes, by heartbeats that ask to
    int farewells;
    struct arena arena;
    int64_t broker_epoch;
    struct broker_registration_response registered;
    struct broker_heartbeat_response beaten;
    struct controller_registration_response controller;
};

static struct registration *registration_new(struct node *n, registration_done done, void *context)
{
    struct registration *r = mem_new(struct registration);
    r->node = n;
    r->done = done;
    r->context = context;
    r->broker_epoch = -1;
    arena_init(&r->arena, REGISTRATION_ARENA_MAX);
    return r;
}

static void finish(struct registration *r, int kafka_error)
{
    r->done(r->context, kafka_error == KAFKA_NONE ? NULL : kafka_error_text(kafka_error),
            r->broker_epoch);
    arena_release(&r->arena);
    mem_free(r);
}

// --- What the node says about itself ---

static struct str host_of(const struct node *n, const struct listener *listener)
{
    const struct listener *advertised =
        listeners_find(&n->args.node_config->advertised, str_from(listener->name));
    if (advertised != NULL)
        return str_from(advertised->host);
    return str_from(listener->host[0] != '\0' ? listener->host : n->args.host_name);
}

static uint16_t port_of(const struct node *n, const struct listener *listener)
{
    const struct listener *advertised =
        listeners_find(&n->args.node_config->advertised, str_from(listener->name));
    return (uint16_t)(advertised != NULL ? advertised->port : listener->port);
}

static int count_listeners(const struct node *n, bool controller)
{
    int count = 0;
    for (int i = 0; i < n->bound.count; i++)
        count += n->bound.items[i].controller == controller;
    return count;
}

// --- Controller ---

static void fill_controller(const struct registration *r, struct arena *arena,
                            struct controller_registration_request *request)
{
    const struct node *n = r->node;
    controller_registration_request_init(request);
    request->controller_id = n->node_id;
    request->incarnation_id = n->incarnation_id;
    check(controller_registration_request_listener_array_new(arena, count_listeners(n, true),
                                                             &request->listeners));
    int32_t at = 0;
    for (int i = 0; i < n->bound.count; i++) {
        const struct listener *listener = &n->bound.items[i];
        if (!listener->controller)
            continue;
        request->listeners.items[at].name = str_from(listener->name);
        request->listeners.items[at].host = host_of(n, listener);
        request->listeners.items[at].port = port_of(n, listener);
        request->listeners.items[at++].security_protocol = (int16_t)listener->protocol;
    }
    check(controller_registration_request_feature_array_new(arena, FEATURE_COUNT + 1,
                                                            &request->features));
    for (int i = 0; i <= FEATURE_COUNT; i++) {
        const struct feature_info *info =
            i < FEATURE_COUNT ? feature_info((enum feature)i) : feature_kraft_version();
        request->features.items[i].name = str_from(info->name);
        request->features.items[i].min_supported_version = info->level_min;
        request->features.items[i].max_supported_version = info->level_max;
    }
}

static void run_controller(struct quorum_command *command, struct controller *controller,
                           struct controller_command *cc)
{
    struct registration *r = container_of(command, struct registration, command);
    struct controller_registration_request request;
    fill_controller(r, &r->arena, &request);
    controller_register_controller(controller, cc, &request, &r->controller, &r->arena);
}

static void controller_done(struct quorum_command *command, int kafka_error)
{
    struct registration *r = container_of(command, struct registration, command);
    finish(r, kafka_error != KAFKA_NONE ? kafka_error : r->controller.error_code);
}

// --- Heartbeat ---

static void fill_cordoned(struct registration *r, struct wire_uuid_array *cordoned)
{
    const struct node *n = r->node;
    cordoned->items = arena_new_array(&r->arena, (size_t)n->args.dir_count, struct uuid);
    check(cordoned->items != NULL);
    cordoned->count = 0;
    for (int i = 0; i < n->args.dir_count - n->args.metadata_dir_is_apart; i++)
        if (!log_dir_is_offline(n->args.dirs[i]) &&
            config_log_dir_is_cordoned(n->config, log_dir_path(n->args.dirs[i])))
            cordoned->items[cordoned->count++] = log_dir_meta(n->args.dirs[i])->directory_id;
}

// Directories that failed since the start. One that was offline from the start is not in the registration.
static void fill_offline(struct registration *r, struct wire_uuid_array *offline)
{
    const struct node *n = r->node;
    offline->items = arena_new_array(&r->arena, (size_t)n->args.dir_count, struct uuid);
    check(offline->items != NULL);
    offline->count = 0;
    for (int i = 0; i < n->args.dir_count - n->args.metadata_dir_is_apart; i++) {
        const struct log_dir_meta *meta = log_dir_meta(n->args.dirs[i]);
        if (log_dir_is_offline(n->args.dirs[i]) && meta != NULL)
            offline->items[offline->count++] = meta->directory_id;
    }
}

static void run_heartbeat(struct quorum_command *command, struct controller *controller,
                          struct controller_command *cc)
{
    struct registration *r = container_of(command, struct registration, command);
    struct broker_heartbeat_request request;
    broker_heartbeat_request_init(&request);
    request.broker_id = r->node->node_id;
    request.broker_epoch = r->broker_epoch;
    request.current_metadata_offset = metadata_image_offset(node_image(r->node));
    request.want_fence = false;
    request.want_shut_down = r->leaves;
    fill_cordoned(r, &request.cordoned_log_dirs);
    fill_offline(r, &request.offline_log_dirs);
    controller_heartbeat(controller, cc, &request, &r->beaten, &r->arena);
}

static void heartbeat_done(struct quorum_command *command, int kafka_error)
{
    struct registration *r = container_of(command, struct registration, command);
    if (kafka_error == KAFKA_NONE)
        kafka_error = r->beaten.error_code;
    if (kafka_error != KAFKA_NONE || count_listeners(r->node, true) == 0) {
        finish(r, kafka_error);
        return;
    }
    r->command.run = run_controller;
    r->command.done = controller_done;
    quorum_submit(r->node->quorum, &r->command);
}

static void beat_done(struct quorum_command *command, int kafka_error)
{
    struct registration *r = container_of(command, struct registration, command);
    finish(r, kafka_error);
}

static void beaten(void *context, const char *why, int64_t broker_epoch)
{
    struct node *n = context;
    if (why == NULL || n->state != NODE_READY)
        return;
    trace_warn(n->trace, "node", "the controller was not told of failed or cordoned directories: %s", why);
    node_beat_later(n, BEAT_RETRY_MS);
}

void registration_beat(struct node *n)
{
    struct registration *r = registration_new(n, beaten, n);
    r->broker_epoch = n->broker_epoch;
    r->command.run = run_heartbeat;
    r->command.done = beat_done;
    quorum_submit(n->quorum, &r->command);
}

// --- Farewell ---

static void farewell_done(struct quorum_command *command, int kafka_error)
{
    struct registration *r = container_of(command, struct registration, command);
    if (kafka_error == KAFKA_NONE)
        kafka_error = r->beaten.error_code;
    // The first takes its partitions away, the next lets it go.
    if (kafka_error != KAFKA_NONE || r->beaten.should_shut_down || ++r->farewells == FAREWELLS_MAX) {
        finish(r, kafka_error);
        return;
    }
    quorum_submit(r->node->quorum, &r->command);
}

void registration_end(struct node *n, registration_done done, void *context)
{
    struct registration *r = registration_new(n, done, context);
    r->leaves = true;
    r->broker_epoch = n->broker_epoch;
    r->command.run = run_heartbeat;
    r->command.done = farewell_done;
    quorum_submit(n->quorum, &r->command);
}

// --- Broker ---

static void fill_broker_listeners(const struct node *n, struct arena *arena,
                                  struct broker_registration_request *request)
{
    check(broker_registration_request_listener_array_new(arena, count_listeners(n, false),
                                                         &request->listeners));
    int32_t at = 0;
    for (int i = 0; i < n->bound.count; i++) {
        const struct listener *listener = &n->bound.items[i];
        if (listener->controller)
            continue;
        request->listeners.items[at].name = str_from(listener->name);
        request->listeners.items[at].host = host_of(n, listener);
        request->listeners.items[at].port = port_of(n, listener);
        request->listeners.items[at++].security_protocol = (int16_t)listener->protocol;
    }
}

static void fill_broker(const struct registration *r, struct arena *arena,
                        struct broker_registration_request *request)
{
    const struct node *n = r->node;
    broker_registration_request_init(request);
    request->broker_id = n->node_id;
    request->cluster_id = str_from(n->cluster_id);
    request->incarnation_id = n->incarnation_id;
    request->rack = str_from(config_text(n->config, "broker.rack"));
    fill_broker_listeners(n, arena, request);
    check(broker_registration_request_feature_array_new(arena, FEATURE_COUNT + 1,
                                                        &request->features));
    for (int i = 0; i <= FEATURE_COUNT; i++) {
        const struct feature_info *info =
            i < FEATURE_COUNT ? feature_info((enum feature)i) : feature_kraft_version();
        request->features.items[i].name = str_from(info->name);
        request->features.items[i].min_supported_version = info->level_min;
        request->features.items[i].max_supported_version = info->level_max;
    }
    request->log_dirs.items = arena_new_array(arena, (size_t)n->args.dir_count, struct uuid);
    check(request->log_dirs.items != NULL);
    request->log_dirs.count = 0;
    for (int i = 0; i < n->args.dir_count - n->args.metadata_dir_is_apart; i++)
        if (!log_dir_is_offline(n->args.dirs[i]))
            request->log_dirs.items[request->log_dirs.count++] =
                log_dir_meta(n->args.dirs[i])->directory_id;
    request->previous_broker_epoch = n->previous_broker_epoch;
}

static void run_broker(struct quorum_command *command, struct controller *controller,
                       struct controller_command *cc)
{
    struct registration *r = container_of(command, struct registration, command);
    struct broker_registration_request request;
    fill_broker(r, &r->arena, &request);
    controller_register_broker(controller, cc, &request, quorum_kraft_version(r->node->quorum),
                               &r->registered, &r->arena);
}

static void broker_done(struct quorum_command *command, int kafka_error)
{
    struct registration *r = container_of(command, struct registration, command);
    if (kafka_error == KAFKA_NONE)
        kafka_error = r->registered.error_code;
    if (kafka_error != KAFKA_NONE) {
        finish(r, kafka_error);
        return;
    }
    r->broker_epoch = r->registered.broker_epoch;
    r->command.run = run_heartbeat;
    r->command.done = heartbeat_done;
    quorum_submit(r->node->quorum, &r->command);
}

void registration_start(struct node *n, registration_done done, void *context)
{
    struct registration *r = registration_new(n, done, context);
    r->command.run = run_broker;
    r->command.done = broker_done;
    quorum_submit(n->quorum, &r->command);
}
