// SPDX-License-Identifier: Apache-2.0
//
// A run of verify_dir(), for the files that make it up.
#pragma once

#include "log/checkpoint.h"
#include "log/names.h"
#include "log/verify.h"

struct verify {
    const struct verify_args *args;
    struct verify_result *result;
    struct checkpoint recovery_points;
    struct checkpoint start_offsets;
    struct checkpoint high_watermarks;
    struct checkpoint cleaner;
    bool has_recovery_points; // the file is there and can be read
    bool has_start_offsets;
    bool has_high_watermarks;
    int64_t total_bytes; // of all .log files, where somebody wants to know
    const char *counting; // the directory whose files are being counted
};

void verify__report(struct verify *v, enum verify_level level, const char *path, int64_t position,
                    const char *what, const char *remedy);
void verify__report_range(struct verify *v, enum verify_level level, const char *path,
                          int64_t position, int64_t offset, int64_t end_offset, const char *what,
                          const char *remedy);

// Checks one partition's directory.
int verify__partition(struct verify *v, const char *path, const char *name,
                      const struct log_dir_name *parsed);
