// SPDX-License-Identifier: Apache-2.0
//
// Files that are read and written whole: checkpoints, properties, snapshots. Blocking.
#pragma once

#include "base/buf.h"
#include "env/fs.h"

// Replaces the file atomically and durably: `<path>.tmp`, sync, rename, sync of its directory.
int small_file_replace(struct env_fs *fs, const char *path, struct bytes contents);

// The same in two steps for whoever syncs the whole file system after each of them: `<path>.tmp`, and
// its rename. Both take `<path>.tmp` away when they fail.
int small_file_stage(struct env_fs *fs, const char *path, struct bytes contents);
int small_file_publish(struct env_fs *fs, const char *path);

// Writes a file of its own, over what is there, without atomicity or directory sync; synced if asked.
int small_file_write(struct env_fs *fs, const char *path, struct bytes contents, bool sync);

// Appends the contents to `out`. ERR_NOT_FOUND; ERR_LIMIT when `out` cannot take them.
int small_file_read(struct env_fs *fs, const char *path, struct buf *out);

// Removes a file or directory; 0 also when there is none.
int small_file_remove(struct env_fs *fs, const char *path);

// Syncs a file that is not open. ERR_NOT_FOUND.
int small_file_sync(struct env_fs *fs, const char *path);

// Syncs the directory that holds `path`.
int small_file_sync_parent(struct env_fs *fs, const char *path);
