// SPDX-License-Identifier: Apache-2.0
#include "tools/commands.h"

#include <stddef.h>

const struct command *const commands[] = {
    &command_server,
    &command_topic_list,
    &command_topic_create,
    &command_topic_describe,
    &command_topic_alter,
    &command_topic_delete,
    &command_produce,
    &command_consume,
    &command_group_list,
    &command_group_describe,
    &command_group_members,
    &command_group_seek,
    &command_group_delete,
    &command_group_offset_delete,
    &command_group_explain,
    &command_group_watch,
    &command_cluster_info,
    &command_config_describe,
    &command_config_alter,
    &command_storage_format,
    &command_storage_info,
    &command_storage_random_uuid,
    &command_log_dump,
    &command_log_verify,
    &command_completion,
    &command_manual,
    &command_version,
    NULL,
};

const struct command *const aliases[] = {
    &alias_broker_api_versions,
    &alias_cluster,
    &alias_configs,
    &alias_console_consumer,
    &alias_console_producer,
    &alias_consumer_groups,
    &alias_delete_records,
    &alias_dump_log,
    &alias_get_offsets,
    &alias_groups,
    &alias_log_dirs,
    &alias_server_start,
    &alias_storage,
    &alias_topics,
    &alias_verifiable_producer,
    NULL,
};
