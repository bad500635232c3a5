// SPDX-License-Identifier: Apache-2.0
#include "tools/node_storage.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "config/config.h"
#include "env/env.h"
#include "env/fs.h"
#include "log/dir.h"
#include "metadata/feature.h"
#include "server/storage.h"
#include "tools/common.h"

enum { FILE_BYTES_MAX = 1 << 20 };

// --- Which directories ---

static int add_dir(struct node_storage *s, struct str path)
{
    if (s->dir_count == NODE_DIRS_MAX || path.size == 0 || path.size >= NODE_PATH_MAX - 64)
        return ERR_INVALID;
    str_copy_to(path, s->dirs[s->dir_count], NODE_PATH_MAX);
    s->dir_count++;
    return 0;
}

static int find_dirs(struct node_storage *s)
{
    struct str rest = config_log_dirs(s->config);
    while (rest.data != NULL) {
        int err = add_dir(s, str_trim(str_cut(&rest, ',')));
        if (err < 0)
            return err;
    }
    const char *metadata = config_text(s->config, "metadata.log.dir");
    for (int i = 0; metadata != NULL && i < s->dir_count; i++) {
        if (strcmp(s->dirs[i], metadata) == 0) {
            s->metadata_dir = i;
            return 0;
        }
    }
    if (metadata != NULL && metadata[0] != '\0') {
        s->metadata_dir = s->dir_count;
        return add_dir(s, str_from(metadata));
    }
    return 0;
}

int node_storage_load(struct tool *t, const char *file, struct node_storage *out)
{
    *out = (struct node_storage){.config = config_new()};
    struct diag diag;
    diag_clear(&diag);
    struct buf text;
    buf_init(&text, 0);
    int err = 0;
    if (file != NULL) {
        err = read_whole_file(t, file, FILE_BYTES_MAX, &text);
        if (err < 0)
            diag_set(&diag, err, "%s: %s", file, err_text(err));
        else
            err = config_load(out->config, buf_str(&text), file, &diag);
    }
    if (err == 0)
        err = node_config_resolve(&out->node, out->config, &diag);
    if (err == 0 && find_dirs(out) < 0)
        err = diag_set(&diag, ERR_INVALID, "log.dirs: \"%.*s\" is not a list of directories",
                       STR_ARG(config_log_dirs(out->config)));
    buf_release(&text);
    return err < 0 ? tool_fail(t, EXIT_FAILED, "%s", diag.text) : EXIT_OK;
}

void node_storage_release(struct node_storage *s)
{
    config_free(s->config);
    s->config = NULL;
}

// --- Looking ---

static void copy_property(const struct properties *p, const char *key, char *out, size_t size)
{
    const char *value = properties_get(p, key);
    str_copy_to(str_from(value != NULL ? value : ""), out, size);
}

void node_storage_look(struct tool *t, const char *path, struct node_storage_dir *out)
{
    *out = (struct node_storage_dir){0};
    struct env *env = t->host->env(t->host, NULL);
    struct fs_stat stat;
    if (env == NULL || fs_stat(env->fs, path, &stat) < 0) {
        snprintf(out->problem, sizeof out->problem, "%s does not exist", path);
        return;
    }
    out->exists = true;
    if (stat.kind != FS_KIND_DIR) {
        snprintf(out->problem, sizeof out->problem, "%s is not a directory", path);
        return;
    }
    char file[NODE_PATH_MAX];
    snprintf(file, sizeof file, "%s/meta.properties", path);
    struct buf text;
    struct properties p;
    struct diag diag;
    properties_init(&p);
    int err = read_whole_file(t, file, FILE_BYTES_MAX, &text);
    if (err == ERR_NOT_FOUND)
        snprintf(out->problem, sizeof out->problem, "%s is not formatted.", path);
    else if (err < 0)
        snprintf(out->problem, sizeof out->problem, "%s: %s", file, err_text(err));
    else if (properties_parse(&p, buf_str(&text), &diag) < 0)
        snprintf(out->problem, sizeof out->problem, "%s: %s", file, diag.text);
    else
        out->formatted = true;
    copy_property(&p, "cluster.id", out->cluster_id, sizeof out->cluster_id);
    copy_property(&p, "directory.id", out->directory_id, sizeof out->directory_id);
    copy_property(&p, "node.id", out->node_id, sizeof out->node_id);
    copy_property(&p, "version", out->version, sizeof out->version);
    properties_release(&p);
    buf_release(&text);
}

// --- Formatting ---

static int format_dir(struct tool *t, const struct node_storage *s,
                      const struct node_storage_format *f, int i)
{
    struct env *env = t->host->env(t->host, NULL);
    struct diag diag;
    diag_clear(&diag);
    struct log_dir_args args = {.env = env, .path = s->dirs[i]};
    struct log_dir *dir;
    int err = log_dir_open(&args, &dir, &diag);
    if (err < 0)
        return tool_fail(t, EXIT_FAILED, "%s", diag.text[0] != '\0' ? diag.text : err_text(err));
    struct storage_format format = {
        .node_id = s->node.node_id,
        .cluster_id = str_from(f->cluster_id),
        .levels = &f->levels,
        .standalone = f->standalone ? &s->node : NULL,
    };
    err = storage_format_dir(env, dir, i == s->metadata_dir, &format, &diag);
    log_dir_free(dir);
    if (err < 0)
        return tool_fail(t, EXIT_FAILED, "%s: %s", s->dirs[i],
                         diag.text[0] != '\0' ? diag.text : err_text(err));
    const char *kind = i != s->metadata_dir ? "data directory"
                       : f->standalone      ? "dynamic metadata voter directory"
                                            : "metadata directory";
    if (!f->quiet)
        buf_printf(&t->out.buf, "Formatting %s %s with metadata.version %s.\n", kind, s->dirs[i],
                   metadata_version_name(f->levels.level[FEATURE_METADATA_VERSION]));
    return EXIT_OK;
}

// A directory that is formatted already has to be of this cluster and node.
static int check_formatted(struct tool *t, const struct node_storage *s,
                           const struct node_storage_format *f,
                           const struct node_storage_dir *dir, const char *path)
{
    int32_t node_id = -1;
    str_parse_i32(str_from(dir->node_id), &node_id);
    if (!f->ignore_formatted)
        return tool_fail(t, EXIT_FAILED,
                         "Log directory %s is already formatted. Use --ignore-formatted to ignore this "
                         "directory and format the others.",
                         path);
    if (strcmp(dir->cluster_id, f->cluster_id) != 0)
        return tool_fail(t, EXIT_FAILED,
                         "Invalid cluster.id in: %s/meta.properties. Expected %s, but read %s", path,
                         f->cluster_id, dir->cluster_id);
    if (node_id != s->node.node_id)
        return tool_fail(t, EXIT_FAILED,
                         "Invalid node.id in: %s/meta.properties. Expected %d, but read %s", path,
                         s->node.node_id, dir->node_id);
    return EXIT_OK;
}

int node_storage_format(struct tool *t, const struct node_storage *s,
                        const struct node_storage_format *f)
{
    bool todo[NODE_DIRS_MAX] = {false};
    int count = 0;
    struct diag diag;
    if (t->host->env(t->host, &diag) == NULL)
        return tool_fail(t, EXIT_FAILED, "%s", diag.text);
    for (int i = 0; i < s->dir_count; i++) {
        struct node_storage_dir dir;
        node_storage_look(t, s->dirs[i], &dir);
        if (dir.exists && !dir.formatted && strstr(dir.problem, "is not formatted") == NULL)
            return tool_fail(t, EXIT_FAILED, "%s", dir.problem);
        int status = dir.formatted ? check_formatted(t, s, f, &dir, s->dirs[i]) : EXIT_OK;
        if (status != EXIT_OK)
            return status;
        todo[i] = !dir.formatted;
        count += todo[i];
    }
    if (count == 0 && !f->quiet)
        buf_append_text(&t->out.buf, "All of the log directories are already formatted.\n");
    // The metadata directory goes first: without it the others are of no use.
    int status = count > 0 && todo[s->metadata_dir] ? format_dir(t, s, f, s->metadata_dir) : EXIT_OK;
    for (int i = 0; i < s->dir_count && status == EXIT_OK; i++)
        if (todo[i] && i != s->metadata_dir)
            status = format_dir(t, s, f, i);
    return status;
}
