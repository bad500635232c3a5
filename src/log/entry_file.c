// SPDX-License-Identifier: Apache-2.0
#include "log/entry_file.h"

#include <string.h>

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"

enum {
    TAIL_FIRST = 8,      // entries
    TAIL_WRITE_AT = 128, // entries that wait before they are written
    SEARCH_BLOCK = 64,   // entries read at once at the end of a search
};

static bool is_zero(const uint8_t *p, int32_t size)
{
    for (int32_t i = 0; i < size; i++)
        if (p[i] != 0)
            return false;
    return true;
}

static int read_entries(struct entry_file *f, int64_t index, int64_t count, uint8_t *out)
{
    size_t size = (size_t)(count * f->entry_size);
    int64_t at = index * f->entry_size;
    int64_t got = f->no_wait != NULL && *f->no_wait
                      ? fs_file_read_cached(f->ref->file, out, size, at)
                      : fs_file_read(f->ref->file, out, size, at);
    if (got < 0)
        return (int)got;
    return (size_t)got == size ? 0 : ERR_TRUNCATED;
}

// Finds the first of the zero entries at the end, which a search can since no other entry is zero.
static int count_entries(struct entry_file *f, int64_t slots)
{
    int64_t low = 0, high = slots;
    uint8_t entry[ENTRY_SIZE_MAX];
    if (slots > 0) {
        int err = read_entries(f, slots - 1, 1, entry);
        if (err < 0)
            return err;
        if (!is_zero(entry, f->entry_size))
            low = slots;
    }
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        int err = read_entries(f, middle, 1, entry);
        if (err < 0)
            return err;
        if (is_zero(entry, f->entry_size))
            high = middle;
        else
            low = middle + 1;
    }
    f->count = f->written_count = low;
    return 0;
}

int entry_file_open(struct entry_file *f, struct env_fs *fs, const char *path, int32_t entry_size,
                    bool create)
{
    check(entry_size <= ENTRY_SIZE_MAX);
    struct fs_file *file;
    int err = fs_open(fs, path, FS_READ | FS_WRITE | (create ? FS_CREATE : 0), &file);
    if (err < 0)
        return err;
    *f = (struct entry_file){.ref = file_ref_new(file), .entry_size = entry_size};
    int64_t size = fs_file_size(file);
    err = size < 0 ? (int)size : count_entries(f, size / entry_size);
    if (err < 0) {
        entry_file_close(f);
        return err;
    }
    f->cut = size != f->count * entry_size;
    f->uneven = size % entry_size != 0;
    return 0;
}

void entry_file_close(struct entry_file *f)
{
    file_ref_put(f->ref);
    mem_free(f->tail);
    *f = (struct entry_file){0};
}

int entry_file_get(struct entry_file *f, int64_t index, uint8_t *out)
{
    check(index >= 0 && index < f->count);
    if (index < f->written_count)
        return read_entries(f, index, 1, out);
    memcpy(out, f->tail + (index - f->written_count) * f->entry_size, (size_t)f->entry_size);
    return 0;
}

void entry_file_append(struct entry_file *f, const uint8_t *entry)
{
    int64_t waiting = f->count - f->written_count;
    if (waiting == f->tail_capacity) {
        f->tail_capacity = f->tail_capacity > 0 ? f->tail_capacity * 2 : TAIL_FIRST;
        f->tail = mem_resize(f->tail, (size_t)f->tail_capacity * (size_t)f->entry_size);
    }
    memcpy(f->tail + waiting * f->entry_size, entry, (size_t)f->entry_size);
    f->count++;
    if (waiting + 1 >= TAIL_WRITE_AT)
        entry_file_flush(f); // if it fails, the entries wait for the next try
}

int entry_file_flush(struct entry_file *f)
{
    int64_t waiting = f->count - f->written_count;
    int err = 0;
    if (waiting > 0)
        err = fs_file_write(f->ref->file, f->tail, (size_t)(waiting * f->entry_size),
                            f->written_count * f->entry_size);
    if (err < 0)
        return err;
    f->written_count = f->count;
    if (f->cut) {
        err = fs_file_truncate(f->ref->file, f->count * f->entry_size);
        f->cut = err < 0;
    }
    return err < 0 ? err : 0;
}

int entry_file_truncate(struct entry_file *f, int64_t count)
{
    if (count >= f->count)
        return 0;
    f->count = count;
    if (count >= f->written_count)
        return 0;
    f->written_count = count;
    int err = fs_file_truncate(f->ref->file, count * f->entry_size);
    f->cut = err < 0;
    return err < 0 ? err : 0;
}

// Searches the last SEARCH_BLOCK or fewer entries of the file at once.
static int64_t search_block(struct entry_file *f, int64_t low, int64_t high, entry_is_before is_before,
                            int64_t target)
{
    uint8_t block[SEARCH_BLOCK * ENTRY_SIZE_MAX];
    int err = read_entries(f, low, high - low, block);
    if (err < 0)
        return err;
    const uint8_t *entry = block;
    while (low < high && is_before(entry, target)) {
        low++;
        entry += f->entry_size;
    }
    return low;
}

int64_t entry_file_search(struct entry_file *f, entry_is_before is_before, int64_t target)
{
    int64_t low = f->written_count;
    if (low < f->count && is_before(f->tail, target)) {
        while (low < f->count &&
               is_before(f->tail + (low - f->written_count) * f->entry_size, target))
            low++;
        return low;
    }
    int64_t high = f->written_count;
    low = 0;
    while (high - low > SEARCH_BLOCK) {
        int64_t middle = low + (high - low) / 2;
        uint8_t entry[ENTRY_SIZE_MAX];
        int err = read_entries(f, middle, 1, entry);
        if (err < 0)
            return err;
        if (is_before(entry, target))
            low = middle + 1;
        else
            high = middle;
    }
    return low < high ? search_block(f, low, high, is_before, target) : low;
}
