// SPDX-License-Identifier: Apache-2.0
#include "server/storage.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/trace.h"
#include "config/config.h"
#include "config/listeners.h"
#include "env/clock.h"
#include "env/env.h"
#include "env/fs.h"
#include "env/random.h"
#include "log/dir.h"
#include "log/names.h"
#include "log/small_file.h"
#include "metadata/snapshot.h"
#include "raft/snapshot_id.h"
#include "server/blank_dir.h"
#include "server/known_metadata.h"
#include "wire/record/voters_record.h"

enum { FORMAT_SNAPSHOT_MAX = 1 << 20 };

static const char area[] = "storage";

static void dir_offline(struct log_dir *dir, void *owner, int err, const char *why)
{
    struct storage *s = owner;
    if (s->on_offline != NULL)
        s->on_offline(s->owner, dir, why);
}

// --- Opening ---

static int find_dir(const struct storage *s, struct str path)
{
    for (int i = 0; i < s->dir_count; i++)
        if (str_is(path, log_dir_path(s->dirs[i])))
            return i;
    return -1;
}

// The disk is to blame, and not the configuration, another process or another release.
static bool is_disk_error(int err)
{
    return err == ERR_IO || err == ERR_CORRUPT || err == ERR_TRUNCATED || err == ERR_REFUSED ||
           err == ERR_EXISTS || err == ERR_NOT_FOUND || err == ERR_NOSPC;
}

static int open_dir(struct storage *s, const struct config *config, struct str path,
                    bool is_metadata, struct diag *diag)
{
    char text[FS_PATH_MAX];
    if (path.size == 0)
        return diag_set(diag, ERR_INVALID, "log.dirs names an empty path");
    if (!str_copy_to(path, text, sizeof text))
        return diag_set(diag, ERR_LIMIT, "log.dirs: %.*s: the path is longer than %d bytes",
                        STR_ARG(path), FS_PATH_MAX - 1);
    if (find_dir(s, path) >= 0)
        return diag_set(diag, ERR_INVALID, "log.dirs names %s twice", text);
    if (s->dir_count == STORAGE_DIRS_MAX)
        return diag_set(diag, ERR_LIMIT, "log.dirs names more than %d directories",
                        STORAGE_DIRS_MAX);
    struct log_dir_args args = {
        .env = s->env,
        .trace = s->trace,
        .path = text,
        .reserve_bytes = config_i64(config, "chitin.log.dir.reserve.bytes"),
        .owner = s,
        .on_offline = dir_offline,
    };
    int err = log_dir_open(&args, &s->dirs[s->dir_count], diag);
    if (err != ERR_OK && (is_metadata || !is_disk_error(err)))
        return err;
    if (err != ERR_OK) {
        trace_error(s->trace, area,
                    "log directory %s is offline: %s. Its partitions are not served, the others are; "
                    "repair it and start again", text, diag->text);
        s->dirs[s->dir_count] = log_dir_new_offline(&args);
    }
    s->dir_count++;
    return ERR_OK;
}

int storage_open(struct storage *s, struct env *env, struct trace *trace,
                 const struct config *config, struct diag *diag)
{
    *s = (struct storage){.env = env, .trace = trace};
    struct str rest = str_from(config_text(config, "log.dirs"));
    if (rest.data == NULL)
        rest = str_from(config_text(config, "log.dir"));
    struct str metadata = str_from(config_text(config, "metadata.log.dir"));
    struct str path;
    int err = ERR_OK;
    while (err == ERR_OK && config_list_next(&rest, &path)) {
        bool is_metadata = metadata.size > 0 ? str_equal(path, metadata) : s->dir_count == 0;
        err = open_dir(s, config, path, is_metadata, diag);
    }
    s->metadata_dir_is_apart = metadata.size > 0 && find_dir(s, metadata) < 0;
    if (err == ERR_OK && s->metadata_dir_is_apart)
        err = open_dir(s, config, metadata, true, diag);
    if (err == ERR_OK && s->dir_count == 0)
        err = diag_set(diag, ERR_INVALID, "log.dirs names no directory");
    if (err != ERR_OK) {
        storage_close(s);
        return err;
    }
    s->metadata_dir = metadata.size > 0 ? find_dir(s, metadata) : 0;
    return ERR_OK;
}

void storage_close(struct storage *s)
{
    for (int i = 0; i < s->dir_count; i++)
        log_dir_free(s->dirs[i]);
    s->dir_count = 0;
}

// --- Formatting ---

static bool is_offline(const struct storage *s, int index)
{
    return log_dir_is_offline(s->dirs[index]);
}

static bool is_unformatted(const struct storage *s, int index)
{
    return log_dir_meta(s->dirs[index]) == NULL && !is_offline(s, index);
}

static const struct listener *controller_listener(const struct node_config *node)
{
    for (int i = 0; i < node->listeners.count; i++)
        if (node->listeners.items[i].controller)
            return &node->listeners.items[i];
    return NULL;
}

// This node as the only voter: the value of a KRaftVoters record.
static int encode_voter(const struct node_config *node, struct uuid directory_id, struct buf *out)
{
    struct voters_record record;
    struct voters_record_voter voter;
    struct voters_record_endpoint endpoint;
    voters_record_init(&record);
    voters_record_voter_init(&voter);
    voters_record_endpoint_init(&endpoint);
    const struct listener *listener = controller_listener(node);
    if (listener != NULL) {
        endpoint.name = str_from(listener->name);
        endpoint.host = str_from(listener->host[0] != '\0' ? listener->host : "localhost");
        endpoint.port = (uint16_t)listener->port;
        voter.endpoints.items = &endpoint;
        voter.endpoints.count = 1;
    }
    voter.voter_id = node->node_id;
    voter.voter_directory_id = directory_id;
    voter.kraft_version_feature.max_supported_version = feature_kraft_version()->level_max;
    record.voters.items = &voter;
    record.voters.count = 1;
    return wire_encode_buf(&voters_record_schema, 0, &record, out);
}

static int encode_bootstrap(const struct storage_format *format, struct uuid directory_id,
                            int64_t now_ms, struct buf *out)
{
    struct buf voters;
    int err = ERR_OK;
    buf_init(&voters, FORMAT_SNAPSHOT_MAX);
    if (format->standalone != NULL)
        err = encode_voter(format->standalone, directory_id, &voters);
    if (err == ERR_OK)
        err = metadata_format_snapshot(format->levels, buf_bytes(&voters), now_ms, out);
    buf_release(&voters);
    return err;
}

// The metadata log's first snapshot, as Kafka 4.4 leaves it: the feature levels of the new cluster. Nothing
// of it counts before meta.properties, so all is written first and then synced: a file system with a
// journal writes that once.
static int write_bootstrap(struct env *env, const struct log_dir *dir, struct uuid directory_id,
                           const struct storage_format *format, struct diag *diag)
{
    char folder[FS_PATH_MAX], path[FS_PATH_MAX];
    struct buf data;
    buf_init(&data, FORMAT_SNAPSHOT_MAX);
    bool fits = path_join(folder, log_dir_path(dir), METADATA_LOG_DIR) &&
                path_join(path, folder, snapshot_name_format((struct snapshot_id){0, 0}).text);
    int err = fits ? fs_make_dir(env->fs, folder) : ERR_LIMIT;
    if (err == ERR_OK || err == ERR_EXISTS)
        err = encode_bootstrap(format, directory_id, env_wall_ms(env->clock), &data);
    if (err == ERR_OK)
        err = small_file_stage(env->fs, path, buf_bytes(&data));
    if (err == ERR_OK)
        err = small_file_publish(env->fs, path);
    if (err == ERR_OK)
        err = fs_set_read_only(env->fs, path);
    if (err == ERR_OK)
        err = small_file_sync(env->fs, path);
    if (err == ERR_OK)
        err = fs_dir_sync(env->fs, folder);
    if (err == ERR_OK)
        err = fs_dir_sync(env->fs, log_dir_path(dir));
    buf_release(&data);
    return err == ERR_OK ? ERR_OK
                         : diag_set(diag, err, "cannot write the first metadata snapshot in %s: %s",
                                    log_dir_path(dir), err_text(err));
}

int storage_format_dir(struct env *env, struct log_dir *dir, bool is_metadata,
                       const struct storage_format *format, struct diag *diag)
{
    struct uuid directory_id = env_random_uuid(env->random);
    int err = is_metadata ? write_bootstrap(env, dir, directory_id, format, diag) : ERR_OK;
    return err == ERR_OK ? log_dir_write_meta(dir, format->node_id, format->cluster_id,
                                              directory_id, diag)
                         : err;
}

// Formats what is not formatted, the metadata directory first: without it the others are of no use.
static int format_all(struct storage *s, const struct storage_format *format, struct diag *diag)
{
    int err = ERR_OK;
    if (is_unformatted(s, s->metadata_dir))
        err = storage_format_dir(s->env, s->dirs[s->metadata_dir], true, format, diag);
    for (int i = 0; err == ERR_OK && i < s->dir_count; i++)
        if (is_unformatted(s, i))
            err = storage_format_dir(s->env, s->dirs[i], false, format, diag);
    return err;
}

// --- Identity ---

static int check_meta(struct storage *s, const struct node_config *node, int index,
                      struct diag *diag)
{
    const struct log_dir_meta *meta = log_dir_meta(s->dirs[index]);
    const char *path = log_dir_path(s->dirs[index]);
    if (meta->version == 0)
        return diag_set(diag, ERR_UNSUPPORTED,
                        "%s was written by a Kafka with ZooKeeper (meta.properties version 0). "
                        "Migrate it to KRaft with Kafka 3.9 first", path);
    if (meta->cluster_id.size == 0 || meta->cluster_id.size > CLUSTER_ID_MAX)
        return diag_set(diag, ERR_CORRUPT, "%s/meta.properties has no usable cluster.id", path);
    if (meta->node_id != node->node_id)
        return diag_set(diag, ERR_INVALID,
                        "%s/meta.properties belongs to node %d, but this is node %d. Set node.id=%d, "
                        "or point log.dirs to this node's own directories", path, meta->node_id,
                        node->node_id, meta->node_id);
    if (s->cluster_id[0] == '\0')
        str_copy_to(meta->cluster_id, s->cluster_id, sizeof s->cluster_id);
    else if (!str_is(meta->cluster_id, s->cluster_id))
        return diag_set(diag, ERR_INVALID,
                        "%s/meta.properties belongs to cluster %.*s, the other log directories to %s. "
                        "A wrong disk may be mounted", path, STR_ARG(meta->cluster_id), s->cluster_id);
    return ERR_OK;
}

static int check_all(struct storage *s, const struct node_config *node, int *formatted, int *blank,
                     struct diag *diag)
{
    *formatted = *blank = 0;
    for (int i = 0; i < s->dir_count; i++) {
        if (is_offline(s, i))
            continue;
        if (is_unformatted(s, i)) {
            if (!blank_dir(s->env->fs, log_dir_path(s->dirs[i])))
                return diag_set(diag, ERR_INVALID,
                                "%s is not empty and has no meta.properties, so it is not a log "
                                "directory. Choose an empty directory or restore the file",
                                log_dir_path(s->dirs[i]));
            ++*blank;
            continue;
        }
        int err = check_meta(s, node, i, diag);
        if (err != ERR_OK)
            return err;
        ++*formatted;
    }
    return ERR_OK;
}

static int check_may_format(const struct storage *s, const struct node_config *node, int formatted,
                            struct diag *diag)
{
    if (formatted > 0 && is_unformatted(s, s->metadata_dir))
        return diag_set(diag, ERR_INVALID,
                        "%s, which holds the metadata log, is empty, but other log directories are "
                        "not. A disk may be missing: mount it, or restore the directory",
                        log_dir_path(s->dirs[s->metadata_dir]));
    for (int i = 0; formatted == 0 && i < s->dir_count; i++)
        if (is_offline(s, i))
            return diag_set(diag, ERR_INVALID,
                            "the log directories are empty but for %s, which cannot be read: what is in "
                            "it may be of another cluster. Repair it, or take it out of log.dirs",
                            log_dir_path(s->dirs[i]));
    if (formatted == 0 && node->voter_count > 1)
        return diag_set(diag, ERR_INVALID,
                        "the log directories are empty and other controllers are configured. Format "
                        "them with the cluster's id: chitin storage format --cluster-id ID FILE");
    return ERR_OK;
}

// A directory id was not always there (before Kafka 3.7): it is added then.
static int complete_ids(struct storage *s, const struct storage_format *format, struct diag *diag)
{
    int err = ERR_OK;
    for (int i = 0; err == ERR_OK && i < s->dir_count; i++)
        if (!is_offline(s, i) && !is_unformatted(s, i) &&
            uuid_is_zero(log_dir_meta(s->dirs[i])->directory_id))
            err = storage_format_dir(s->env, s->dirs[i], false, format, diag);
    return err;
}

static int check_unique_ids(const struct storage *s, struct diag *diag)
{
    for (int i = 0; i < s->dir_count; i++)
        for (int j = 0; j < i; j++)
            if (!is_offline(s, i) && !is_offline(s, j) &&
                uuid_equal(log_dir_meta(s->dirs[i])->directory_id,
                           log_dir_meta(s->dirs[j])->directory_id))
                return diag_set(diag, ERR_INVALID,
                                "%s and %s have the same directory.id: one is a copy of the other",
                                log_dir_path(s->dirs[j]), log_dir_path(s->dirs[i]));
    return ERR_OK;
}

// The id of a new cluster. Kafka wants it to be a UUID in base64.
static int new_cluster_id(struct storage *s, struct diag *diag)
{
    struct str wanted = s->new_cluster_id;
    struct uuid id = env_random_uuid(s->env->random);
    if (wanted.size > 0 && !uuid_parse(wanted, &id))
        return diag_set(diag, ERR_INVALID,
                        "Cluster ID string %.*s does not appear to be a valid UUID. `chitin storage "
                        "random-uuid` makes one", (int)(wanted.size < 100 ? wanted.size : 100),
                        wanted.data);
    struct uuid_text text = uuid_format(id);
    snprintf(s->cluster_id, sizeof s->cluster_id, "%s", text.text);
    s->formatted = true;
    return ERR_OK;
}

int storage_identify(struct storage *s, const struct node_config *node, struct diag *diag)
{
    int formatted, blank;
    int err = check_all(s, node, &formatted, &blank, diag);
    if (err == ERR_OK && blank > 0)
        err = check_may_format(s, node, formatted, diag);
    if (err == ERR_OK && !is_unformatted(s, s->metadata_dir))
        err = known_metadata_check(s->env->fs, log_dir_path(s->dirs[s->metadata_dir]), diag);
    if (err != ERR_OK)
        return err;
    if (formatted == 0 && (err = new_cluster_id(s, diag)) != ERR_OK)
        return err;
    if (formatted > 0 && s->new_cluster_id.size > 0 && !str_is(s->new_cluster_id, s->cluster_id))
        trace_warn(s->trace, area, "the cluster id %.*s is not used: %s belongs to cluster %s",
                   STR_ARG(s->new_cluster_id), log_dir_path(s->dirs[s->metadata_dir]),
                   s->cluster_id);
    if (formatted > 0 && blank > 0)
        trace_info(s->trace, area, "%d new log director%s joined cluster %s", blank,
                   blank == 1 ? "y" : "ies", s->cluster_id);
    struct feature_levels levels;
    metadata_format_levels(&levels);
    struct storage_format format = {
        .node_id = node->node_id, .cluster_id = str_from(s->cluster_id), .levels = &levels};
    err = complete_ids(s, &format, diag);
    if (err == ERR_OK)
        err = format_all(s, &format, diag);
    return err == ERR_OK ? check_unique_ids(s, diag) : err;
}
