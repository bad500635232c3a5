// SPDX-License-Identifier: Apache-2.0
//
// The records of a command: every one is encoded and replayed from its bytes at once, so that what
// the command sees next is what everybody will see.
#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "controller/internal.h"
#include "metadata/replay.h"

enum { RECORD_SIZE_MAX = 8 * 1024 * 1024 };

void controller_begin(struct controller *c, struct controller_command *cmd,
                      const struct controller_input *input)
{
    check(!c->in_command);
    c->in_command = true;
    c->lost_in_command = false;
    *cmd = (struct controller_command){.atomic = true, .input = *input};
    cmd->image = c->image != NULL ? metadata_image_fork(c->image) : NULL;
    arena_init(&cmd->arena, CONTROLLER_COMMAND_MEMORY_MAX);
}

static void command_release(struct controller *c, struct controller_command *cmd)
{
    check(c->in_command);
    c->in_command = false;
    arena_release(&cmd->arena);
    mem_free(cmd->values);
    cmd->values = NULL;
    cmd->record_count = 0;
    cmd->image = NULL;
}

void controller_accept(struct controller *c, struct controller_command *cmd, int64_t end_offset)
{
    if (c->lost_in_command) {
        metadata_image_unref(cmd->image);
        cmd->wait_offset = INT64_MAX; // whoever leads next decides whether it happened
        command_release(c, cmd);
        return;
    }
    if (cmd->record_count > 0) {
        check(end_offset == cmd->input.next_offset + (int64_t)cmd->record_count);
        metadata_image_unref(c->image);
        c->image = cmd->image;
        c->end_offset = end_offset;
    } else {
        metadata_image_unref(cmd->image);
    }
    cmd->wait_offset = c->end_offset;
    command_release(c, cmd);
}

void controller_reject(struct controller *c, struct controller_command *cmd)
{
    metadata_image_unref(cmd->image);
    command_release(c, cmd);
}

int command_emit_value(struct controller_command *cmd, struct bytes value, struct diag *diag)
{
    if (cmd->atomic && cmd->record_count >= CONTROLLER_RECORDS_MAX)
        return diag_set(diag, ERR_LIMIT, "one command makes more than %d records",
                        CONTROLLER_RECORDS_MAX);
    uint8_t *copy = arena_alloc(&cmd->arena, value.size);
    if (copy == NULL)
        return diag_set(diag, ERR_NOMEM, "the records of one command take more than %d bytes",
                        CONTROLLER_COMMAND_MEMORY_MAX);
    memcpy(copy, value.data, value.size);
    value.data = copy;
    int err = metadata_replay(cmd->image, value,
                              cmd->input.next_offset + (int64_t)cmd->record_count, diag);
    if (err != 0)
        return err;
    mem_grow(cmd->values, cmd->record_count, cmd->value_capacity);
    cmd->values[cmd->record_count++] = value;
    return 0;
}

int command_emit(struct controller_command *cmd, enum metadata_record_type type, int16_t version,
                 const void *message, struct diag *diag)
{
    struct buf value;
    buf_init(&value, RECORD_SIZE_MAX);
    int err = metadata_record_encode(type, version, message, &value);
    if (err != 0)
        diag_set(diag, err, "%s: %s", metadata_record_name(type), err_text(err));
    else
        err = command_emit_value(cmd, buf_bytes(&value), diag);
    buf_release(&value);
    return err;
}

bool command_put(struct controller_command *cmd, enum metadata_record_type type, int16_t version,
                 const void *message, struct api_error *e)
{
    struct diag diag;
    diag_clear(&diag);
    int err = command_emit(cmd, type, version, message, &diag);
    return err == 0 || api_fail_emit(e, err, &diag);
}

struct command_mark command_mark(struct controller_command *cmd)
{
    struct command_mark mark = {.image = cmd->image, .record_count = cmd->record_count};
    cmd->image = metadata_image_fork(mark.image);
    return mark;
}

void command_keep(struct command_mark *mark)
{
    metadata_image_unref(mark->image);
}

void command_rollback(struct controller_command *cmd, struct command_mark *mark)
{
    metadata_image_unref(cmd->image);
    cmd->image = mark->image;
    cmd->record_count = mark->record_count;
}

void command_clear(struct controller *c, struct controller_command *cmd)
{
    metadata_image_unref(cmd->image);
    cmd->image = c->image != NULL ? metadata_image_fork(c->image) : NULL;
    cmd->record_count = 0;
}

int16_t command_metadata_version(const struct controller_command *cmd)
{
    return metadata_image_feature(cmd->image, FEATURE_METADATA_VERSION);
}

bool command_has_elr(const struct controller_command *cmd)
{
    return metadata_image_feature(cmd->image, FEATURE_ELIGIBLE_LEADER_REPLICAS_VERSION) > 0 &&
           command_metadata_version(cmd) >= METADATA_VERSION_ELR;
}

struct uuid command_new_id(struct controller_command *cmd)
{
    for (;;) {
        uint8_t random[UUID_SIZE];
        cmd->input.random(cmd->input.random_context, random, sizeof random);
        struct uuid id = uuid_from_random(random);
        if (!uuid_is_reserved(id) && uuid_format(id).text[0] != '-' &&
            metadata_image_topic_by_id(cmd->image, id) == NULL)
            return id;
    }
}
