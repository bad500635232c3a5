// SPDX-License-Identifier: Apache-2.0
//
// ControllerRegistration (70, KIP-919): every controller says where it is reached and which feature
// levels it can lead.
#include "base/check.h"
#include "base/err.h"
#include "controller/internal.h"
#include "wire/api/controller_registration.h"
#include "wire/record/register_controller_record.h"

enum { REGISTER_MEMORY_MAX = 1024 * 1024 };

static bool features_fit(const struct controller_command *cmd,
                         const struct controller_registration_request *request, struct api_error *e)
{
    for (int i = 0; i < FEATURE_COUNT; i++) {
        int16_t level = metadata_image_feature(cmd->image, (enum feature)i);
        const char *name = feature_info((enum feature)i)->name;
        int16_t min = 0, max = 0;
        for (int32_t f = 0; f < request->features.count; f++)
            if (str_is(request->features.items[f].name, name)) {
                min = request->features.items[f].min_supported_version;
                max = request->features.items[f].max_supported_version;
            }
        if (level != 0 && (level < min || level > max))
            return api_fail(e, KAFKA_UNSUPPORTED_VERSION,
                            "Unable to register because the controller does not support finalized "
                            "version %d of %s. The controller wants a version between %d and %d, "
                            "inclusive.",
                            level, name, min, max);
    }
    return true;
}

static bool registration_emit(struct controller_command *cmd, struct arena *arena,
                              const struct controller_registration_request *request,
                              struct api_error *e)
{
    struct register_controller_record record;
    register_controller_record_init(&record);
    record.controller_id = request->controller_id;
    record.incarnation_id = request->incarnation_id;
    record.zk_migration_ready = request->zk_migration_ready;
    register_controller_record_controller_endpoint_array_new(
        arena, request->listeners.count > 0 ? request->listeners.count : 0, &record.end_points);
    register_controller_record_controller_feature_array_new(
        arena, request->features.count > 0 ? request->features.count : 0, &record.features);
    for (int32_t i = 0; i < record.end_points.count; i++) {
        const struct controller_registration_request_listener *l = &request->listeners.items[i];
        record.end_points.items[i] = (struct register_controller_record_controller_endpoint){
            l->name, l->host, l->port, l->security_protocol};
    }
    for (int32_t i = 0; i < record.features.count; i++) {
        const struct controller_registration_request_feature *f = &request->features.items[i];
        record.features.items[i] = (struct register_controller_record_controller_feature){
            f->name, f->min_supported_version, f->max_supported_version};
    }
    return command_put(cmd, METADATA_REGISTER_CONTROLLER_RECORD, 0, &record, e);
}

void controller_register_controller(struct controller *c, struct controller_command *cmd,
                                    const struct controller_registration_request *request,
                                    struct controller_registration_response *reply,
                                    struct arena *arena)
{
    controller_registration_response_init(reply);
    struct api_error e = {0};
    struct arena memory;
    arena_init(&memory, REGISTER_MEMORY_MAX);
    if (cmd->image == NULL)
        api_fail(&e, KAFKA_NOT_CONTROLLER, "This is not the correct controller for this cluster.");
    else if (command_metadata_version(cmd) < METADATA_VERSION_CONTROLLERS)
        api_fail(&e, KAFKA_UNSUPPORTED_VERSION,
                 "The current MetadataVersion is too old to support controller registrations.");
    else if (request->controller_id < 0)
        api_fail(&e, KAFKA_INVALID_REQUEST, "Invalid negative controller ID.");
    else if (features_fit(cmd, request, &e))
        registration_emit(cmd, &memory, request, &e);
    arena_release(&memory);
    reply->error_code = e.code;
    reply->error_message = e.code != 0 ? api_error_text(&e, arena) : str_from("");
}
