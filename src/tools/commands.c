// SPDX-License-Identifier: Apache-2.0
#include "tools/commands.h"

#include <stddef.h>

const struct command *const commands[] = {
    &command_topic_list,     &command_topic_create, &command_topic_describe,
    &command_topic_alter,    &command_topic_delete, &command_produce,
    &command_consume,        &command_version,      NULL,
};

const struct command *const aliases[] = {
    NULL,
};
