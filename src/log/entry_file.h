// SPDX-License-Identifier: Apache-2.0
//
// A file of entries of one size, appended at the end: what the three kinds of index are made of. New
// entries wait in memory and are written many at a time, so that an append to the log costs no second
// system call. Indexes can be rebuilt from the log, which is why nothing here is urgent.
//
// Apache Kafka preallocates its index files and may leave zeros behind the last entry; they are not
// counted when the file is opened.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "log/file_ref.h"

enum { ENTRY_SIZE_MAX = 34 };

struct entry_file {
    struct file_ref *ref;  // NULL: closed
    uint8_t *tail;         // entries [written_count, count)
    int64_t written_count; // entries in the file
    int64_t count;
    int32_t tail_capacity; // entries
    int32_t entry_size;
    const bool *no_wait;   // while it is true a read ends with ERR_AGAIN rather than wait for the
                           // device; NULL: it waits
    bool cut;              // the file may be longer than its entries
    bool uneven;           // when it was opened its size was no multiple of an entry's
};

// Opens the file; without `create` a missing one is ERR_NOT_FOUND.
int entry_file_open(struct entry_file *f, struct env_fs *fs, const char *path, int32_t entry_size,
                    bool create);

// Forgets entries that were not written; harmless when closed.
void entry_file_close(struct entry_file *f);

// The entry at `index` (0 <= index < count). 0 or ERR_IO, ERR_TRUNCATED.
int entry_file_get(struct entry_file *f, int64_t index, uint8_t *out);

// Cannot fail: entries stay in memory until they can be written.
void entry_file_append(struct entry_file *f, const uint8_t *entry);

// Writes what waits in memory and cuts what is behind it.
int entry_file_flush(struct entry_file *f);

// Keeps the first `count` entries.
int entry_file_truncate(struct entry_file *f, int64_t count);

// The number of entries at the front for which `is_before` is true (they must come first).
typedef bool (*entry_is_before)(const uint8_t *entry, int64_t target);
int64_t entry_file_search(struct entry_file *f, entry_is_before is_before, int64_t target);
