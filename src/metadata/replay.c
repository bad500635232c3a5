// SPDX-License-Identifier: Apache-2.0
#include "metadata/replay.h"

#include "base/arena.h"
#include "base/err.h"
#include "metadata/internal.h"

static int record_replay(struct metadata_image *image, const struct metadata_record *record,
                         struct bytes value, int64_t offset, struct diag *diag)
{
    switch (record->type) {
    case METADATA_TOPIC_RECORD:
    case METADATA_PARTITION_RECORD:
    case METADATA_PARTITION_CHANGE_RECORD:
    case METADATA_REMOVE_TOPIC_RECORD:
    case METADATA_CLEAR_ELR_RECORD:
        return metadata__replay_topic(image, record, diag);
    case METADATA_REGISTER_BROKER_RECORD:
    case METADATA_UNREGISTER_BROKER_RECORD:
    case METADATA_BROKER_REGISTRATION_CHANGE_RECORD:
    case METADATA_FENCE_BROKER_RECORD:
    case METADATA_UNFENCE_BROKER_RECORD:
    case METADATA_REGISTER_CONTROLLER_RECORD:
    case METADATA_UNREGISTER_CONTROLLER_RECORD:
        return metadata__replay_node(image, record, offset, diag);
    case METADATA_CONFIG_RECORD:
    case METADATA_FEATURE_LEVEL_RECORD:
    case METADATA_PRODUCER_IDS_RECORD:
        return metadata__replay_config(image, record, diag);
    case METADATA_DELEGATION_TOKEN_RECORD:
    case METADATA_REMOVE_DELEGATION_TOKEN_RECORD:
    case METADATA_USER_SCRAM_CREDENTIAL_RECORD:
    case METADATA_REMOVE_USER_SCRAM_CREDENTIAL_RECORD:
    case METADATA_CLIENT_QUOTA_RECORD:
    case METADATA_ACCESS_CONTROL_ENTRY_RECORD:
    case METADATA_REMOVE_ACCESS_CONTROL_ENTRY_RECORD:
        return metadata__replay_raw(image, record, value, diag);
    case METADATA_NO_OP_RECORD:
    case METADATA_ZK_MIGRATION_STATE_RECORD: // of clusters that once had ZooKeeper; says nothing now
    case METADATA_BEGIN_TRANSACTION_RECORD:
    case METADATA_END_TRANSACTION_RECORD:
    case METADATA_ABORT_TRANSACTION_RECORD:
        return 0;
    }
    return diag_set(diag, ERR_UNSUPPORTED, "a metadata record of type %d", (int)record->type);
}

int metadata__replay(struct metadata_image *image, struct bytes value, int64_t offset,
                     enum metadata_record_type *type, struct diag *diag)
{
    struct arena arena;
    struct metadata_record record;
    arena_init(&arena, WIRE_DECODE_MEMORY_BASE + WIRE_DECODE_MEMORY_MULTIPLE * value.size);
    int err = metadata_record_decode(value, &arena, &record);
    if (err == ERR_UNSUPPORTED)
        diag_set(diag, err,
                 "a metadata record of a type or version that this release does not know: the "
                 "cluster was upgraded; run that release");
    else if (err != 0)
        diag_set(diag, err, "a metadata record cannot be read (%s)", err_text(err));
    else if ((err = record_replay(image, &record, value, offset, diag)) != 0)
        diag_prefix(diag, "%s", metadata_record_name(record.type));
    if (err == 0)
        *type = record.type;
    arena_release(&arena);
    return err;
}

int metadata_replay(struct metadata_image *image, struct bytes value, int64_t offset,
                    struct diag *diag)
{
    enum metadata_record_type type;
    return metadata__replay(image, value, offset, &type, diag);
}
