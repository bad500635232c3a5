// SPDX-License-Identifier: Apache-2.0
//
// An open file that several may hold: its segment, answers under way that send ranges of it, a commit
// that syncs it. The last one to let go closes it, on whatever thread that is.
#pragma once

#include <stdatomic.h>

#include "env/fs.h"

struct file_ref {
    struct fs_file *file;
    atomic_int refs;
};

// Takes the file over; the caller holds the first reference.
struct file_ref *file_ref_new(struct fs_file *file);

// Returns `ref` for the new holder.
struct file_ref *file_ref_get(struct file_ref *ref);

// NULL is fine.
void file_ref_put(struct file_ref *ref);
