// SPDX-License-Identifier: Apache-2.0
//
// The beginning of leadership. The first controller of a cluster writes what `format` chose, as one
// metadata transaction (KIP-868), into the log. With eligible leader replicas the cluster's
// min.insync.replicas is pinned, so that no broker's own file can change what the controller counts
// with (KIP-966).
#include "base/check.h"
#include "base/err.h"
#include "config/config.h"
#include "controller/internal.h"
#include "metadata/snapshot.h"
#include "wire/record/abort_transaction_record.h"
#include "wire/record/begin_transaction_record.h"
#include "wire/record/config_record.h"
#include "wire/record/end_transaction_record.h"
#include "wire/record/feature_level_record.h"

static int emit_begin(struct controller_command *cmd, struct diag *diag)
{
    struct begin_transaction_record record;
    begin_transaction_record_init(&record);
    record.name = str_from("Bootstrap records");
    return command_emit(cmd, METADATA_BEGIN_TRANSACTION_RECORD, 0, &record, diag);
}

static int emit_end(struct controller_command *cmd, struct diag *diag)
{
    struct end_transaction_record record;
    end_transaction_record_init(&record);
    return command_emit(cmd, METADATA_END_TRANSACTION_RECORD, 0, &record, diag);
}

static int emit_abort(struct controller_command *cmd, struct diag *diag)
{
    struct abort_transaction_record record;
    abort_transaction_record_init(&record);
    record.reason = str_from("the controller that began it leads no more");
    return command_emit(cmd, METADATA_ABORT_TRANSACTION_RECORD, 0, &record, diag);
}

static int emit_levels(struct controller_command *cmd, const struct feature_levels *levels,
                       struct diag *diag)
{
    int err = 0;
    for (int i = 0; i < FEATURE_COUNT && err == 0; i++) {
        struct feature_level_record record = {.name = str_from(feature_info((enum feature)i)->name),
                                              .feature_level = levels->level[i]};
        if (levels->level[i] != 0)
            err = command_emit(cmd, METADATA_FEATURE_LEVEL_RECORD, 0, &record, diag);
    }
    return err;
}

// SCRAM credentials, of `format --add-scram`.
static int emit_raw(struct controller_command *cmd, const struct metadata_image *bootstrap,
                    struct diag *diag)
{
    struct pmap_iter iter;
    int err = 0;
    for (struct bytes value = metadata_raw_first(bootstrap, &iter); value.data != NULL && err == 0;
         value = metadata_raw_next(&iter))
        err = command_emit_value(cmd, value, diag);
    return err;
}

static int emit_min_isr(struct controller *c, struct controller_command *cmd, struct diag *diag)
{
    struct str name = str_from("min.insync.replicas");
    const struct properties *set =
        metadata_image_configs(cmd->image, CONFIG_RESOURCE_BROKER, str_from(""));
    if (set != NULL && properties_get(set, name.data) != NULL)
        return 0;
    struct config_record record = {.resource_type = CONFIG_RESOURCE_BROKER,
                                   .resource_name = str_from(""),
                                   .name = name,
                                   .value = str_from(config_text(c->config, name.data))};
    return command_emit(cmd, METADATA_CONFIG_RECORD, 0, &record, diag);
}

static int emit_bootstrap(struct controller *c, struct controller_command *cmd,
                          const struct metadata_image *bootstrap, struct diag *diag)
{
    struct feature_levels levels;
    metadata_format_levels(&levels);
    if (bootstrap != NULL && metadata_image_feature(bootstrap, FEATURE_METADATA_VERSION) != 0)
        levels = *metadata_image_features(bootstrap);
    bool transaction =
        levels.level[FEATURE_METADATA_VERSION] >= METADATA_VERSION_TRANSACTIONS;
    int err = transaction ? emit_begin(cmd, diag) : 0;
    if (err == 0)
        err = emit_levels(cmd, &levels, diag);
    if (err == 0 && bootstrap != NULL)
        err = emit_raw(cmd, bootstrap, diag);
    if (err == 0 && command_has_elr(cmd))
        err = emit_min_isr(c, cmd, diag);
    if (err == 0 && transaction)
        err = emit_end(cmd, diag);
    return err;
}

static int levels_check(const struct metadata_image *image, struct diag *diag)
{
    int err = 0;
    for (int i = 0; i < FEATURE_COUNT && err == 0; i++)
        err = feature_check(str_from(feature_info((enum feature)i)->name),
                            metadata_image_feature(image, (enum feature)i), diag);
    return err;
}

int controller_activate(struct controller *c, struct controller_command *cmd,
                        const struct controller_input *input, const struct metadata_image *image,
                        bool in_transaction, const struct metadata_image *bootstrap,
                        struct diag *diag)
{
    check(c->image == NULL);
    c->image = metadata_image_ref(image);
    c->end_offset = input->next_offset;
    controller_begin(c, cmd, input);
    sessions_reset(c, input->now_ms);
    int err = in_transaction ? emit_abort(cmd, diag) : 0;
    if (err == 0 && metadata_image_feature(image, FEATURE_METADATA_VERSION) == 0)
        err = emit_bootstrap(c, cmd, bootstrap, diag);
    if (err == 0)
        err = levels_check(cmd->image, diag);
    if (err != 0) {
        controller_reject(c, cmd);
        controller_resign(c);
    }
    return err;
}
