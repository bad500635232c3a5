// SPDX-License-Identifier: Apache-2.0
//
// A directory for one test, removed with what is in it (one level).
#pragma once

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct temp_dir {
    char path[64];
};

static inline void temp_dir_make(struct temp_dir *d)
{
    const char *base = getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp";
    snprintf(d->path, sizeof d->path, "%.40s/chitin-os-XXXXXX", base);
    if (mkdtemp(d->path) == NULL)
        abort();
}

struct temp_path {
    char text[320];
};

static inline struct temp_path temp_dir_file(const struct temp_dir *d, const char *name)
{
    struct temp_path p;
    snprintf(p.text, sizeof p.text, "%s/%.200s", d->path, name);
    return p;
}

static inline void temp_dir_remove(struct temp_dir *d)
{
    DIR *dir = opendir(d->path);
    const struct dirent *e;
    while (dir != NULL && (e = readdir(dir)) != NULL)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            remove(temp_dir_file(d, e->d_name).text);
    if (dir != NULL)
        closedir(dir);
    rmdir(d->path);
}
