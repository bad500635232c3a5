// SPDX-License-Identifier: Apache-2.0
#include "server/blank_dir.h"

#include <string.h>

#include "env/fs.h"
#include "log/names.h"
#include "raft/snapshot_id.h"

struct look {
    struct env_fs *fs;
    const char *path;
};

// A small file while it is written (log/small_file.h).
static bool is_name_or_tmp(const char *found, const char *name)
{
    size_t size = strlen(name);
    return strncmp(found, name, size) == 0 && (found[size] == '\0' || strcmp(found + size, ".tmp") == 0);
}

static int is_foreign_metadata(void *context, const char *name, enum fs_kind kind)
{
    return !is_name_or_tmp(name, snapshot_name_format((struct snapshot_id){0, 0}).text);
}

static int is_foreign(void *context, const char *name, enum fs_kind kind)
{
    const struct look *look = context;
    char path[FS_PATH_MAX];
    if (strcmp(name, ".lock") == 0 || strcmp(name, "lost+found") == 0 ||
        strcmp(name, "meta.properties.tmp") == 0)
        return 0;
    if (strcmp(name, METADATA_LOG_DIR) != 0 || !path_join(path, look->path, name))
        return 1;
    return fs_list(look->fs, path, is_foreign_metadata, NULL);
}

bool blank_dir(struct env_fs *fs, const char *path)
{
    struct look look = {fs, path};
    return fs_list(fs, path, is_foreign, &look) == 0;
}
