// SPDX-License-Identifier: Apache-2.0
//
// Every command there is; tools/commands.c lists them in the order in which help shows them.
#pragma once

#include "tools/command.h"

extern const struct command command_server;
extern const struct command command_topic_list;
extern const struct command command_topic_create;
extern const struct command command_topic_describe;
extern const struct command command_topic_alter;
extern const struct command command_topic_delete;
extern const struct command command_produce;
extern const struct command command_consume;
extern const struct command command_group_list;
extern const struct command command_group_describe;
extern const struct command command_group_members;
extern const struct command command_group_seek;
extern const struct command command_group_delete;
extern const struct command command_group_offset_delete;
extern const struct command command_group_explain;
extern const struct command command_group_watch;
extern const struct command command_txn_list;
extern const struct command command_txn_describe;
extern const struct command command_txn_producers;
extern const struct command command_txn_find_hanging;
extern const struct command command_txn_abort;
extern const struct command command_txn_terminate;
extern const struct command command_cluster_info;
extern const struct command command_config_describe;
extern const struct command command_config_alter;
extern const struct command command_storage_format;
extern const struct command command_storage_info;
extern const struct command command_storage_random_uuid;
extern const struct command command_log_dump;
extern const struct command command_log_verify;
extern const struct command command_completion;
extern const struct command command_manual;
extern const struct command command_server;
extern const struct command command_version;

extern const struct command alias_server_start;
extern const struct command alias_topics;
extern const struct command alias_transactions;
extern const struct command alias_verifiable_consumer;
extern const struct command alias_verifiable_producer;
extern const struct command alias_consumer_groups;
extern const struct command alias_groups;
extern const struct command alias_configs;
extern const struct command alias_console_producer;
extern const struct command alias_console_consumer;
extern const struct command alias_get_offsets;
extern const struct command alias_delete_records;
extern const struct command alias_log_dirs;
extern const struct command alias_broker_api_versions;
extern const struct command alias_cluster;
extern const struct command alias_storage;
extern const struct command alias_streams_groups;
extern const struct command alias_dump_log;
extern const struct command alias_server_start;
