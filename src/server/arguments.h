// SPDX-License-Identifier: Apache-2.0
//
// The command line of `chitin server`, and the configuration that it, the file and the environment
// make: the file counts least, then the variables KAFKA_*, then --override.
#pragma once

#include <stdbool.h>

#include "base/diag.h"

struct config;
struct trace;

struct server_arguments {
    const char *file;       // NULL: none
    const char **overrides; // KEY=VALUE, in order
    int override_count;
    bool log_json;
};

// 0, or an exit status after words on stderr. Texts point into argv. Release it in any case.
int server_arguments_parse(struct server_arguments *a, int argc, char **argv);
void server_arguments_release(struct server_arguments *a);

// `environment` as the system hands it over: "NAME=value", NULL at the end. ERR_* with words.
int server_arguments_load(const struct server_arguments *a, char *const *environment,
                          struct config *c, struct trace *trace, struct diag *diag);
