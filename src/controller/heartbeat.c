// SPDX-License-Identifier: Apache-2.0
//
// BrokerHeartbeat (63), versions 0 to 2: what a broker wants to be and what it is allowed to be.
// Between heartbeats only the time of the last one is kept, and no record of it.
#include "base/check.h"
#include "base/err.h"
#include "controller/internal.h"
#include "wire/api/broker_heartbeat.h"
#include "wire/record/broker_registration_change_record.h"

enum broker_state { BROKER_FENCED, BROKER_UNFENCED, BROKER_SHUTTING_DOWN, BROKER_SHUT_DOWN };

static enum broker_state state_now(const struct metadata_broker *b)
{
    return b->fenced                   ? BROKER_FENCED
           : b->in_controlled_shutdown ? BROKER_SHUTTING_DOWN
                                       : BROKER_UNFENCED;
}

// Up to where every broker in service has published metadata: what lies below is known to all.
static int64_t lowest_active_offset(const struct controller *c, const struct metadata_image *image)
{
    int64_t lowest = INT64_MAX;
    for (int i = 0; i < c->session_count; i++) {
        const struct broker_session *s = &c->sessions[i];
        const struct metadata_broker *b = metadata_image_broker(image, s->broker_id);
        if (b != NULL && metadata_broker_is_active(b) && s->metadata_offset < lowest)
            lowest = s->metadata_offset;
    }
    return lowest;
}

static enum broker_state state_next(struct controller *c, const struct controller_command *cmd,
                                    const struct metadata_broker *b,
                                    const struct broker_heartbeat_request *request)
{
    enum broker_state now = state_now(b);
    const struct broker_session *s = session_find(c, b->node.id);
    switch (now) {
    case BROKER_FENCED:
        if (request->want_shut_down)
            return BROKER_SHUT_DOWN;
        return !request->want_fence && request->current_metadata_offset >= b->register_offset
                   ? BROKER_UNFENCED
                   : now;
    case BROKER_UNFENCED:
        if (request->want_fence)
            return request->want_shut_down ? BROKER_SHUT_DOWN : BROKER_FENCED;
        if (!request->want_shut_down)
            return now;
        return broker_leads_partitions(cmd->image, b->node.id) ? BROKER_SHUTTING_DOWN
                                                               : BROKER_SHUT_DOWN;
    case BROKER_SHUTTING_DOWN:
        // It may go when it leads nothing and all others know.
        return !broker_leads_partitions(cmd->image, b->node.id) && s != NULL &&
                       s->shutdown_offset <= lowest_active_offset(c, cmd->image)
                   ? BROKER_SHUT_DOWN
                   : now;
    case BROKER_SHUT_DOWN:
        break;
    }
    check_unreachable();
}

static int state_enter(struct controller *c, struct controller_command *cmd,
                       const struct metadata_broker *b, enum broker_state next, struct diag *diag)
{
    switch (next) {
    case BROKER_FENCED:
        return broker_fence(c, cmd, b, diag);
    case BROKER_SHUT_DOWN:
        return b->fenced ? 0 : broker_fence(c, cmd, b, diag);
    case BROKER_UNFENCED:
        return broker_unfence(c, cmd, b, diag);
    case BROKER_SHUTTING_DOWN:
        return broker_begin_shutdown(c, cmd, b, diag);
    }
    check_unreachable();
}

static bool uuids_contain(const struct uuid *ids, int32_t count, struct uuid id)
{
    for (int32_t i = 0; i < count; i++)
        if (uuid_equal(ids[i], id))
            return true;
    return false;
}

// Replicas in directories that have failed leave their partitions; then the registration loses the
// directories.
static int directories_fail(struct controller *c, struct controller_command *cmd, int32_t broker_id,
                            struct wire_uuid_array offline, struct arena *arena, struct diag *diag)
{
    struct metadata_image *before = metadata_image_fork(cmd->image);
    const struct metadata_broker *b = metadata_image_broker(before, broker_id);
    struct broker_registration_change_record record;
    broker_registration_change_record_init(&record);
    record.broker_id = broker_id;
    record.broker_epoch = b->epoch;
    record.log_dirs.items = arena_new_array(arena, (size_t)b->directory_count, struct uuid);
    for (int i = 0; record.log_dirs.items != NULL && i < b->directory_count; i++)
        if (!uuids_contain(offline.items, offline.count, b->directories[i]))
            record.log_dirs.items[record.log_dirs.count++] = b->directories[i];
    int err = 0;
    if (record.log_dirs.count > 0 && record.log_dirs.count < b->directory_count &&
        command_metadata_version(cmd) >= METADATA_VERSION_DIRECTORIES) {
        err = broker_leave_directories(c, cmd, broker_id, offline, diag);
        if (err == 0)
            err = command_emit(cmd, METADATA_BROKER_REGISTRATION_CHANGE_RECORD, 2, &record, diag);
    }
    metadata_image_unref(before);
    return err;
}

// A list that differs from the registered one is written, and so is an empty one where there was
// none.
static int cordoned_change(struct controller_command *cmd, int32_t broker_id,
                           struct wire_uuid_array cordoned, struct diag *diag)
{
    const struct metadata_broker *b = metadata_image_broker(cmd->image, broker_id);
    if (cordoned.count < 0 || command_metadata_version(cmd) < METADATA_VERSION_CORDONED_DIRS)
        return 0;
    bool same = b->has_cordoned && b->cordoned_count == cordoned.count;
    for (int32_t i = 0; same && i < cordoned.count; i++)
        same = uuids_contain(b->cordoned, b->cordoned_count, cordoned.items[i]);
    if (same)
        return 0;
    struct broker_registration_change_record record;
    broker_registration_change_record_init(&record);
    record.broker_id = broker_id;
    record.broker_epoch = b->epoch;
    record.cordoned_log_dirs = cordoned;
    return command_emit(cmd, METADATA_BROKER_REGISTRATION_CHANGE_RECORD, 3, &record, diag);
}

static int heartbeat_emit(struct controller *c, struct controller_command *cmd,
                          const struct metadata_broker *b, enum broker_state next,
                          const struct broker_heartbeat_request *request, struct arena *arena,
                          struct diag *diag)
{
    int err = next != state_now(b) ? state_enter(c, cmd, b, next, diag) : 0;
    if (err == 0 && request->offline_log_dirs.count > 0)
        err = directories_fail(c, cmd, request->broker_id, request->offline_log_dirs, arena, diag);
    if (err == 0)
        err = cordoned_change(cmd, request->broker_id, request->cordoned_log_dirs, diag);
    return err;
}

void controller_heartbeat(struct controller *c, struct controller_command *cmd,
                          const struct broker_heartbeat_request *request,
                          struct broker_heartbeat_response *reply, struct arena *arena)
{
    broker_heartbeat_response_init(reply);
    cmd->atomic = false;
    // Of the state before this command, which does not change under it.
    const struct metadata_broker *b =
        cmd->image != NULL ? metadata_image_broker(c->image, request->broker_id) : NULL;
    if (b == NULL || b->epoch != request->broker_epoch) {
        reply->error_code =
            cmd->image == NULL ? KAFKA_NOT_CONTROLLER : KAFKA_STALE_BROKER_EPOCH;
        return;
    }
    enum broker_state next = state_next(c, cmd, b, request);
    struct diag diag;
    if (heartbeat_emit(c, cmd, b, next, request, arena, &diag) != 0) {
        trace_error(c->trace, "controller", "heartbeat of broker %d: %s", request->broker_id,
                    diag.text);
        command_clear(c, cmd);
        reply->error_code = KAFKA_UNKNOWN_SERVER_ERROR;
        return;
    }
    struct broker_session *s = session_touch(c, request->broker_id, cmd->input.now_ms);
    s->metadata_offset = request->current_metadata_offset;
    if (next == BROKER_SHUTTING_DOWN && state_now(b) != BROKER_SHUTTING_DOWN)
        s->shutdown_offset = cmd->input.next_offset + (int64_t)cmd->record_count - 1;
    reply->is_caught_up = request->current_metadata_offset >= b->register_offset;
    reply->is_fenced = next == BROKER_FENCED || next == BROKER_SHUT_DOWN;
    reply->should_shut_down = next == BROKER_SHUT_DOWN;
}
