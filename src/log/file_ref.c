// SPDX-License-Identifier: Apache-2.0
#include "log/file_ref.h"

#include "base/check.h"
#include "base/mem.h"

struct file_ref *file_ref_new(struct fs_file *file)
{
    struct file_ref *ref = mem_new(struct file_ref);
    ref->file = file;
    atomic_init(&ref->refs, 1);
    return ref;
}

struct file_ref *file_ref_get(struct file_ref *ref)
{
    int before = atomic_fetch_add_explicit(&ref->refs, 1, memory_order_relaxed);
    check(before > 0);
    return ref;
}

void file_ref_put(struct file_ref *ref)
{
    if (ref == NULL || atomic_fetch_sub_explicit(&ref->refs, 1, memory_order_acq_rel) != 1)
        return;
    fs_file_close(ref->file);
    mem_free(ref);
}
