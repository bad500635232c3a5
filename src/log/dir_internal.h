// SPDX-License-Identifier: Apache-2.0
//
// What the files of a log ask of its directory.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct file_ref;
struct log;
struct log_dir;

// False for the metadata log, of which no checkpoint speaks.
bool log_dir__has_entries(const struct log *log);

// Blocks: writes the checkpoints in `what` (enum log_save) as they are now, in that order, up to the
// first failure. Not while log_dir__is_saving(), and not where the directory has other parts that are open,
// whose entries cannot be had at once.
int log_dir__write_checkpoints(struct log_dir *dir, unsigned what);

// A reference to the file by which the whole file system of the directory can be synced, and from how
// many syncs of single files on that is the cheaper way. NULL: not to be had here.
struct file_ref *log_dir__volume(const struct log_dir *dir, int *syncs_min);

bool log_dir__is_saving(const struct log_dir *dir);

// True if records of so many bytes may be appended: all is well, or what is left is for them and not the
// reserve. False: to be refused with ERR_NOSPC. note_room: they were appended; note_no_room: the file
// system refused what it was asked for.
bool log_dir__take_room(struct log_dir *dir, int64_t bytes);
void log_dir__note_room(struct log_dir *dir);
void log_dir__note_no_room(struct log_dir *dir);

// True for some seconds after it was full: what follows a refused batch may still be under way.
bool log_dir__was_full(const struct log_dir *dir);

// Removes a file, or a directory with all files in it, in `delay_ms`. The path is copied.
void log_dir__discard(struct log_dir *dir, const char *path, bool is_dir, int64_t delay_ms);
