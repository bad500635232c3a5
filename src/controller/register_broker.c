// SPDX-License-Identifier: Apache-2.0
//
// BrokerRegistration (62), versions 0 to 4. A new incarnation gets a new broker epoch, the offset of
// the first record of its registration. What its predecessor led is given up first: with eligible
// leader replicas, unless the broker proves by its previous epoch that it stopped cleanly, it also
// leaves those, since the tail of its logs may be lost (KIP-966).
#include "base/check.h"
#include "base/err.h"
#include "controller/internal.h"
#include "metadata/records.h"
#include "wire/api/broker_registration.h"
#include "wire/record/register_broker_record.h"

enum { REGISTER_MEMORY_MAX = 1024 * 1024 };

// The range that the broker names for a feature; 0 to 0, and 1 to 1 for metadata.version, when it
// names none.
static struct metadata_feature_range
registered_range(const struct broker_registration_request *request, const char *name)
{
    for (int32_t i = 0; i < request->features.count; i++)
        if (str_is(request->features.items[i].name, name))
            return (struct metadata_feature_range){request->features.items[i].name,
                                                   request->features.items[i].min_supported_version,
                                                   request->features.items[i].max_supported_version};
    int16_t level = strcmp(name, "metadata.version") == 0;
    return (struct metadata_feature_range){str_from(name), level, level};
}

static bool feature_fits(const struct controller *c,
                         const struct broker_registration_request *request, const char *name,
                         int16_t level)
{
    struct metadata_feature_range range = registered_range(request, name);
    if (level >= range.min && level <= range.max)
        return true;
    trace_warn(c->trace, "controller",
               "broker %d may not register: %s has level %d in this cluster and the broker supports "
               "%d to %d",
               request->broker_id, name, level, range.min, range.max);
    return false;
}

static bool features_fit(const struct controller *c, const struct controller_command *cmd,
                         const struct broker_registration_request *request, int16_t kraft_version)
{
    bool fit = feature_fits(c, request, feature_kraft_version()->name, kraft_version);
    for (int i = 0; i < FEATURE_COUNT; i++)
        fit = feature_fits(c, request, feature_info((enum feature)i)->name,
                           metadata_image_feature(cmd->image, (enum feature)i)) &&
              fit;
    return fit;
}

static bool directory_is_taken(const struct metadata_image *image, int32_t broker_id,
                               struct uuid directory)
{
    struct pmap_iter iter;
    for (const struct metadata_broker *b = metadata_broker_first(image, &iter); b != NULL;
         b = metadata_broker_next(&iter))
        for (int i = 0; i < b->directory_count && b->node.id != broker_id; i++)
            if (uuid_equal(b->directories[i], directory))
                return true;
    return false;
}

static bool directories_fit(const struct controller_command *cmd,
                            const struct broker_registration_request *request)
{
    if (command_metadata_version(cmd) < METADATA_VERSION_DIRECTORIES)
        return true;
    for (int32_t i = 0; i < request->log_dirs.count; i++) {
        struct uuid directory = request->log_dirs.items[i];
        if (uuid_is_reserved(directory) ||
            directory_is_taken(cmd->image, request->broker_id, directory))
            return false;
        for (int32_t j = 0; j < i; j++)
            if (uuid_equal(request->log_dirs.items[j], directory))
                return false;
    }
    return request->log_dirs.count > 0;
}

static int16_t registration_check(const struct controller *c, const struct controller_command *cmd,
                                  const struct broker_registration_request *request,
                                  int16_t kraft_version)
{
    const struct metadata_broker *old = metadata_image_broker(cmd->image, request->broker_id);
    if (request->broker_id < 0)
        return KAFKA_INVALID_REQUEST;
    if (!str_equal(request->cluster_id, str_from(c->cluster_id)))
        return KAFKA_INCONSISTENT_CLUSTER_ID;
    if (old != NULL && !uuid_equal(old->node.incarnation_id, request->incarnation_id) &&
        session_is_valid(c, request->broker_id, cmd->input.now_ms))
        return KAFKA_DUPLICATE_BROKER_REGISTRATION;
    if (request->is_migrating_zk_broker)
        return KAFKA_BROKER_ID_NOT_REGISTERED;
    if (!directories_fit(cmd, request))
        return KAFKA_INVALID_REGISTRATION;
    return features_fit(c, cmd, request, kraft_version) ? KAFKA_NONE : KAFKA_UNSUPPORTED_VERSION;
}

// What the earlier incarnation of this broker leaves behind.
static int predecessor_leave(struct controller *c, struct controller_command *cmd,
                             const struct metadata_broker *old,
                             const struct broker_registration_request *request, struct diag *diag)
{
    bool clean = request->previous_broker_epoch == old->epoch;
    if (command_has_elr(cmd) && !clean)
        return broker_leave_partitions(c, cmd, request->broker_id, true, diag);
    return old->fenced ? 0
                       : broker_leave_partitions(c, cmd, request->broker_id, false, diag);
}

static int registration_emit(struct controller_command *cmd, struct arena *arena,
                             const struct broker_registration_request *request, int64_t epoch,
                             const struct metadata_broker *amended, struct diag *diag)
{
    struct register_broker_record record;
    register_broker_record_init(&record);
    record.broker_id = request->broker_id;
    record.incarnation_id = request->incarnation_id;
    record.broker_epoch = epoch;
    record.rack = request->rack;
    record.fenced = amended != NULL ? amended->fenced : true;
    record.in_controlled_shutdown = amended != NULL && amended->in_controlled_shutdown;
    register_broker_record_broker_endpoint_array_new(
        arena, request->listeners.count > 0 ? request->listeners.count : 0, &record.end_points);
    register_broker_record_broker_feature_array_new(
        arena, request->features.count > 0 ? request->features.count : 0, &record.features);
    for (int32_t i = 0; i < record.end_points.count; i++) {
        const struct broker_registration_request_listener *l = &request->listeners.items[i];
        record.end_points.items[i] = (struct register_broker_record_broker_endpoint){
            l->name, l->host, l->port, l->security_protocol};
    }
    for (int32_t i = 0; i < record.features.count; i++) {
        const struct broker_registration_request_feature *f = &request->features.items[i];
        record.features.items[i] = (struct register_broker_record_broker_feature){
            f->name, f->min_supported_version, f->max_supported_version};
    }
    int16_t version = metadata_register_broker_version(command_metadata_version(cmd));
    if (version >= 3)
        record.log_dirs = request->log_dirs;
    return command_emit(cmd, METADATA_REGISTER_BROKER_RECORD, version, &record, diag);
}

static int broker_register(struct controller *c, struct controller_command *cmd,
                           const struct broker_registration_request *request, int64_t *epoch,
                           struct diag *diag)
{
    const struct metadata_broker *old = metadata_image_broker(c->image, request->broker_id);
    bool again = old != NULL && uuid_equal(old->node.incarnation_id, request->incarnation_id);
    int err = old != NULL && !again ? predecessor_leave(c, cmd, old, request, diag) : 0;
    if (err != 0)
        return err;
    // The same incarnation registers again when its addresses change, for one: it stays what it is.
    *epoch = again ? old->epoch : cmd->input.next_offset;
    struct arena arena;
    arena_init(&arena, REGISTER_MEMORY_MAX);
    err = registration_emit(cmd, &arena, request, *epoch, again ? old : NULL, diag);
    arena_release(&arena);
    return err;
}

void controller_register_broker(struct controller *c, struct controller_command *cmd,
                                const struct broker_registration_request *request,
                                int16_t kraft_version, struct broker_registration_response *reply,
                                struct arena *arena)
{
    broker_registration_response_init(reply);
    reply->error_code = cmd->image == NULL
                            ? KAFKA_NOT_CONTROLLER
                            : registration_check(c, cmd, request, kraft_version);
    if (reply->error_code != KAFKA_NONE)
        return;
    struct diag diag;
    int64_t epoch;
    cmd->atomic = false;
    if (broker_register(c, cmd, request, &epoch, &diag) != 0) {
        trace_error(c->trace, "controller", "registration of broker %d: %s", request->broker_id,
                    diag.text);
        command_clear(c, cmd);
        reply->error_code = KAFKA_UNKNOWN_SERVER_ERROR;
        return;
    }
    struct broker_session *s = session_touch(c, request->broker_id, cmd->input.now_ms);
    s->metadata_offset = -1;
    s->shutdown_offset = -1;
    reply->broker_epoch = epoch;
}
