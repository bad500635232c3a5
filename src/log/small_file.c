// SPDX-License-Identifier: Apache-2.0
#include "log/small_file.h"

#include <stdio.h>

#include "base/err.h"

int small_file_write(struct env_fs *fs, const char *path, struct bytes contents, bool sync)
{
    struct fs_file *file;
    int err = fs_open(fs, path, FS_WRITE | FS_CREATE | FS_TRUNCATE, &file);
    if (err < 0)
        return err;
    if (contents.size > 0)
        err = fs_file_write(file, contents.data, contents.size, 0);
    if (err >= 0 && sync)
        err = fs_file_sync(file);
    fs_file_close(file);
    return err;
}

static bool tmp_path(char out[FS_PATH_MAX], const char *path)
{
    int size = snprintf(out, FS_PATH_MAX, "%s.tmp", path);
    return size > 0 && size < FS_PATH_MAX;
}

static int stage(struct env_fs *fs, const char *path, struct bytes contents, bool sync)
{
    char tmp[FS_PATH_MAX];
    if (!tmp_path(tmp, path))
        return ERR_LIMIT;
    int err = small_file_write(fs, tmp, contents, sync);
    if (err < 0)
        fs_remove(fs, tmp); // best effort: the error that counts is the first
    return err;
}

int small_file_stage(struct env_fs *fs, const char *path, struct bytes contents)
{
    return stage(fs, path, contents, false);
}

int small_file_publish(struct env_fs *fs, const char *path)
{
    char tmp[FS_PATH_MAX];
    if (!tmp_path(tmp, path))
        return ERR_LIMIT;
    int err = fs_rename(fs, tmp, path);
    if (err < 0)
        fs_remove(fs, tmp);
    return err;
}

int small_file_replace(struct env_fs *fs, const char *path, struct bytes contents)
{
    int err = stage(fs, path, contents, true);
    if (err >= 0)
        err = small_file_publish(fs, path);
    return err < 0 ? err : small_file_sync_parent(fs, path);
}

int small_file_read(struct env_fs *fs, const char *path, struct buf *out)
{
    struct fs_file *file;
    int err = fs_open(fs, path, FS_READ, &file);
    if (err < 0)
        return err;
    int64_t size = fs_file_size(file);
    if (size < 0)
        err = (int)size;
    else if ((uint64_t)size > out->size_max - out->size)
        err = ERR_LIMIT;
    uint8_t *at = err >= 0 && size > 0 ? buf_extend(out, (size_t)size) : NULL;
    if (at != NULL) {
        int64_t got = fs_file_read(file, at, (size_t)size, 0);
        if (got < 0)
            err = (int)got;
        out->size -= (size_t)(size - (got > 0 ? got : 0));
    } else if (err >= 0 && size > 0) {
        err = ERR_LIMIT;
    }
    fs_file_close(file);
    return err < 0 ? err : 0;
}

int small_file_remove(struct env_fs *fs, const char *path)
{
    int err = fs_remove(fs, path);
    return err == ERR_NOT_FOUND ? 0 : err;
}

int small_file_sync(struct env_fs *fs, const char *path)
{
    struct fs_file *file;
    int err = fs_open(fs, path, FS_READ, &file);
    if (err < 0)
        return err;
    err = fs_file_sync(file);
    fs_file_close(file);
    return err;
}

int small_file_sync_parent(struct env_fs *fs, const char *path)
{
    char parent[FS_PATH_MAX];
    if (!str_copy_to(str_from(path), parent, sizeof parent))
        return ERR_LIMIT;
    char *slash = strrchr(parent, '/');
    if (slash == NULL)
        return fs_dir_sync(fs, ".");
    *(slash == parent ? slash + 1 : slash) = '\0';
    return fs_dir_sync(fs, parent);
}
