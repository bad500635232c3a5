// SPDX-License-Identifier: Apache-2.0
//
// Files. All calls are synchronous. A shard calls only what touches the page cache or is known to be
// short (append, hot read, rename, small checkpoints); sync, cold reads, scans, and deletions of
// large files run inside an env_work (env/work.h). All calls may be made from any thread; on one file
// read, write, truncate and sync may run side by side (a sync covers what returned before it began),
// the others one at a time.
//
// Results are 0 or a count, or a negative enum err: ERR_NOSPC for a full file system or quota,
// ERR_NOT_FOUND, ERR_EXISTS, ERR_BUSY for a lock held elsewhere, ERR_IO for what the device does.
//
// What survives a power loss: bytes of a file after fs_file_sync() of that file; the existence, name
// and removal of a directory entry after fs_dir_sync() of the directory that holds it; both, for
// everything in a file system, after fs_file_sync_all(). Nothing else.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FS_PATH_MAX = 1024 }; // bytes, the NUL included

enum fs_open_flags {
    FS_READ = 1,          // for reading
    FS_WRITE = 2,         // for writing
    FS_CREATE = 4,        // made if missing (mode 0644)
    FS_EXCLUSIVE = 8,     // with FS_CREATE: ERR_EXISTS if it is there
    FS_TRUNCATE = 16,     // emptied
};

enum fs_kind { FS_KIND_FILE, FS_KIND_DIR, FS_KIND_OTHER };

struct fs_stat {
    enum fs_kind kind;
    int64_t size;
    int64_t modified_ms; // wall time
    uint64_t volume;     // the file system that holds it: where it differs, they differ
    uint64_t file_id;    // of all that are in it at a time, this one
    int64_t changed_ns;  // wall time of the last change to it, or for a directory to a name in it, by the
                         // file system's clock and in its ticks; nobody can set it
};

struct fs_space {
    int64_t total_bytes;
    int64_t free_bytes; // for an ordinary user
    bool can_sync_all;  // fs_file_sync_all() is to be had
};

struct env_fs;

// An open file. Implementations embed it.
struct fs_file {
    const struct fs_file_ops *ops;
};

struct fs_file_ops {
    int64_t (*read)(struct fs_file *file, void *out, size_t size, int64_t position);
    int64_t (*read_cached)(struct fs_file *file, void *out, size_t size, int64_t position);
    int (*write)(struct fs_file *file, const void *data, size_t size, int64_t position);
    int (*sync)(struct fs_file *file);
    int (*sync_all)(struct fs_file *file);
    int (*truncate)(struct fs_file *file, int64_t size);
    int64_t (*size)(struct fs_file *file);
    int (*lock)(struct fs_file *file);
    bool (*is_cached)(struct fs_file *file, int64_t position, size_t size);
    void (*prefetch)(struct fs_file *file, int64_t position, size_t size);
    void (*drop_cached)(struct fs_file *file, int64_t position, int64_t size);
    void (*close)(struct fs_file *file);
};

// Called for every entry but "." and ".."; a non-zero result stops the walk and is returned.
typedef int (*fs_list_fn)(void *context, const char *name, enum fs_kind kind);

struct env_fs {
    int (*open)(struct env_fs *fs, const char *path, unsigned flags, struct fs_file **out);
    int (*stat)(struct env_fs *fs, const char *path, struct fs_stat *out);
    int (*list)(struct env_fs *fs, const char *path, fs_list_fn each, void *context);
    int (*make_dir)(struct env_fs *fs, const char *path);
    int (*rename)(struct env_fs *fs, const char *from, const char *to);
    int (*remove)(struct env_fs *fs, const char *path);
    int (*dir_sync)(struct env_fs *fs, const char *path);
    int (*set_read_only)(struct env_fs *fs, const char *path);
    int (*space)(struct env_fs *fs, const char *path, struct fs_space *out);
};

// Opens a regular file; *out is the caller's to close.
static inline int fs_open(struct env_fs *fs, const char *path, unsigned flags, struct fs_file **out)
{
    return fs->open(fs, path, flags, out);
}

static inline int fs_stat(struct env_fs *fs, const char *path, struct fs_stat *out)
{
    return fs->stat(fs, path, out);
}

// In no particular order: sort where order matters.
static inline int fs_list(struct env_fs *fs, const char *path, fs_list_fn each, void *context)
{
    return fs->list(fs, path, each, context);
}

// One level, mode 0755; ERR_EXISTS if something is there.
static inline int fs_make_dir(struct env_fs *fs, const char *path)
{
    return fs->make_dir(fs, path);
}

// Replaces `to` if it is there, atomically. Files and directories.
static inline int fs_rename(struct env_fs *fs, const char *from, const char *to)
{
    return fs->rename(fs, from, to);
}

// A file or an empty directory.
static inline int fs_remove(struct env_fs *fs, const char *path)
{
    return fs->remove(fs, path);
}

// Makes the entries of a directory durable. May block.
static inline int fs_dir_sync(struct env_fs *fs, const char *path)
{
    return fs->dir_sync(fs, path);
}

static inline int fs_set_read_only(struct env_fs *fs, const char *path)
{
    return fs->set_read_only(fs, path);
}

static inline int fs_space(struct env_fs *fs, const char *path, struct fs_space *out)
{
    return fs->space(fs, path, out);
}

// Reads up to `size` bytes; fewer only at the end of the file.
static inline int64_t fs_file_read(struct fs_file *file, void *out, size_t size, int64_t position)
{
    return file->ops->read(file, out, size, position);
}

// As above, but ERR_AGAIN when it would wait for the device.
static inline int64_t fs_file_read_cached(struct fs_file *file, void *out, size_t size,
                                          int64_t position)
{
    return file->ops->read_cached(file, out, size, position);
}

// Writes all bytes or fails; after a failure any part of them may be in the file.
static inline int fs_file_write(struct fs_file *file, const void *data, size_t size, int64_t position)
{
    return file->ops->write(file, data, size, position);
}

// Makes the bytes (and the size) durable. May block. After a failure nothing is known about what is
// on disk, and a second sync that succeeds proves nothing: do not try again.
static inline int fs_file_sync(struct fs_file *file)
{
    return file->ops->sync(file);
}

// Makes everything durable that was written, made, renamed, removed in the file system of this file
// before the call, whoever did it. May block, for what other programs wrote there too. Only where
// fs_space.can_sync_all says so; elsewhere ERR_UNSUPPORTED, and nothing was done. Tells of every
// failure to write since the file was opened, be it of a file that nobody here knows; of a failure
// before that nothing is promised. So whoever relies on it opens the file before the first write that
// matters and keeps it. After a failure the same holds as for fs_file_sync(), for the whole file system.
static inline int fs_file_sync_all(struct fs_file *file)
{
    return file->ops->sync_all(file);
}

// Cuts or extends with zeros.
static inline int fs_file_truncate(struct fs_file *file, int64_t size)
{
    return file->ops->truncate(file, size);
}

static inline int64_t fs_file_size(struct fs_file *file)
{
    return file->ops->size(file);
}

// An exclusive lock that ends with close or with the process; ERR_BUSY when another holds it.
static inline int fs_file_lock(struct fs_file *file)
{
    return file->ops->lock(file);
}

// True if a read of the range would not wait for the device (a good guess, not a promise).
static inline bool fs_file_is_cached(struct fs_file *file, int64_t position, size_t size)
{
    return file->ops->is_cached(file, position, size);
}

// Has the device read the range into the cache, and does not wait for it: a hint. For pieces of up to
// 128 KiB; of more a system may leave out the rest.
static inline void fs_file_prefetch(struct fs_file *file, int64_t position, size_t size)
{
    file->ops->prefetch(file, position, size);
}

// The bytes are not expected to be read again soon: they need not stay in memory. Loses nothing.
static inline void fs_file_drop_cached(struct fs_file *file, int64_t position, int64_t size)
{
    file->ops->drop_cached(file, position, size);
}

static inline void fs_file_close(struct fs_file *file)
{
    file->ops->close(file);
}
