// SPDX-License-Identifier: Apache-2.0
//
// A fuzz target: a file of its own with the one function below, registered in meson.build, and a
// few small inputs in corpus/<name>/. Built with clang and -Dfuzz=true (`./dev fuzz`) libFuzzer
// drives it; in every other build replay.c runs it over the corpus as a test.
#pragma once

#include <stddef.h>
#include <stdint.h>

// Reads any bytes; stops the process (a check, a sanitizer) when it finds a fault. Returns 0.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
