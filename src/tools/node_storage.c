// SPDX-License-Identifier: Apache-2.0
#include "tools/node_storage.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "config/config.h"
#include "env/clock.h"
#include "env/env.h"
#include "env/fs.h"
#include "env/random.h"
#include "log/dir.h"
#include "metadata/image.h"
#include "metadata/replay.h"
#include "metadata/snapshot.h"
#include "tools/common.h"
#include "wire/metadata_record.h"
#include "wire/record/feature_level_record.h"
#include "wire/record/voters_record.h"
#include "wire/record_types.h"

enum { FILE_BYTES_MAX = 1 << 20, SNAPSHOT_BYTES_MAX = 1 << 20 };

// FROZEN: topic and first snapshot of the metadata log.
#define METADATA_LOG "__cluster_metadata-0"
#define FIRST_SNAPSHOT "00000000000000000000-0000000000.checkpoint"

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

static int put_level(struct metadata_image *image, enum feature feature, int16_t level,
                     struct diag *diag)
{
    struct feature_level_record record;
    feature_level_record_init(&record);
    record.name = str_from(feature_info(feature)->name);
    record.feature_level = level;
    struct buf value;
    buf_init(&value, 4096);
    int err = metadata_record_encode(METADATA_FEATURE_LEVEL_RECORD, 0, &record, &value);
    if (err == 0)
        err = metadata_replay(image, buf_bytes(&value), 0, diag);
    buf_release(&value);
    return err;
}

// This node as the only voter, reached at its controller listener.
static int encode_voter(const struct node_config *node, struct uuid directory_id, struct buf *out)
{
    struct voters_record record;
    struct voters_record_voter voter;
    struct voters_record_endpoint endpoint;
    voters_record_init(&record);
    voters_record_voter_init(&voter);
    voters_record_endpoint_init(&endpoint);
    const struct listener *l = NULL;
    for (int i = 0; i < node->listeners.count && l == NULL; i++)
        if (node->listeners.items[i].controller)
            l = &node->listeners.items[i];
    if (l != NULL) {
        endpoint.name = str_from(l->name);
        endpoint.host = str_from(l->host[0] != '\0' ? l->host : "localhost");
        endpoint.port = (uint16_t)l->port;
        voter.endpoints.items = &endpoint;
        voter.endpoints.count = 1;
    }
    voter.voter_id = node->node_id;
    voter.voter_directory_id = directory_id;
    voter.kraft_version_feature.max_supported_version = 1;
    record.voters.items = &voter;
    record.voters.count = 1;
    return wire_encode_buf(&voters_record_schema, 0, &record, out);
}

static int build_snapshot(const struct node_storage *s, const struct node_storage_format *f,
                          struct uuid directory_id, int64_t now_ms, struct buf *out,
                          struct diag *diag)
{
    struct metadata_image *image = metadata_image_new();
    struct metadata_snapshot_options options = {
        .now_ms = now_ms, .last_contained_log_time_ms = now_ms};
    struct buf voters;
    buf_init(&voters, 4096);
    int err = 0;
    for (int i = 0; i < FEATURE_COUNT && err == 0; i++)
        if (f->levels.level[i] != 0)
            err = put_level(image, i, f->levels.level[i], diag);
    if (err == 0 && f->standalone) {
        err = encode_voter(&s->node, directory_id, &voters);
        options.kraft_version = 1;
        options.voters_record = buf_bytes(&voters);
    }
    if (err == 0)
        err = metadata_snapshot_write(image, &options, out);
    buf_release(&voters);
    metadata_image_unref(image);
    return err;
}

// Writes a file so that it is there whole and durable, or not at all.
static int write_file(struct env_fs *fs, const char *dir, const char *name, struct bytes content)
{
    char path[NODE_PATH_MAX + 128], temporary[NODE_PATH_MAX + 136];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    snprintf(temporary, sizeof temporary, "%s.tmp", path);
    struct fs_file *file;
    int err = fs_open(fs, temporary, FS_WRITE | FS_CREATE | FS_TRUNCATE, &file);
    if (err < 0)
        return err;
    err = fs_file_write(file, content.data, content.size, 0);
    if (err == 0)
        err = fs_file_sync(file);
    fs_file_close(file);
    if (err == 0)
        err = fs_rename(fs, temporary, path);
    return err == 0 ? fs_dir_sync(fs, dir) : err;
}

static int write_snapshot(struct env *env, const struct node_storage *s,
                          const struct node_storage_format *f, struct uuid directory_id,
                          const char *path, struct diag *diag)
{
    char dir[NODE_PATH_MAX + 64];
    struct buf content;
    snprintf(dir, sizeof dir, "%s/" METADATA_LOG, path);
    buf_init(&content, SNAPSHOT_BYTES_MAX);
    int err = fs_make_dir(env->fs, dir);
    if (err == ERR_EXISTS)
        err = 0;
    if (err == 0)
        err = build_snapshot(s, f, directory_id, env_wall_ms(env->clock), &content, diag);
    if (err == 0)
        err = write_file(env->fs, dir, FIRST_SNAPSHOT, buf_bytes(&content));
    buf_release(&content);
    return err;
}

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
    struct uuid id = env_random_uuid(env->random);
    if (i == s->metadata_dir)
        err = write_snapshot(env, s, f, id, s->dirs[i], &diag);
    if (err == 0)
        err = log_dir_write_meta(dir, s->node.node_id, str_from(f->cluster_id), id, &diag);
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
