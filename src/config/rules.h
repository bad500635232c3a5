// SPDX-License-Identifier: Apache-2.0
//
// The rules between keys; private to this folder.
#pragma once

#include "base/diag.h"

struct config;

// Collects what is wrong, one line each.
struct findings {
    struct diag *diag; // may be NULL
    int count;
};

__attribute__((format(printf, 2, 3))) void findings_add(struct findings *f, const char *format, ...);

// Every value must be valid for itself.
void config__check_rules(const struct config *c, struct findings *f);
