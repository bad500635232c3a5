// SPDX-License-Identifier: Apache-2.0
#include "broker/placement.h"

#include "base/trace.h"
#include "broker/partition.h"
#include "broker/partitions.h"
#include "config/config.h"
#include "config/keys.h"
#include "log/dir.h"
#include "metadata/topic.h"

static const char area[] = "partitions";

// One that takes new replicas comes before one that should not, then one with room before one without,
// whatever else is in them.
static bool is_better(const struct config *c, const struct log_dir *dir, const struct log_dir *than)
{
    if (than == NULL)
        return true;
    bool cordoned = config_log_dir_is_cordoned(c, log_dir_path(dir));
    if (cordoned != config_log_dir_is_cordoned(c, log_dir_path(than)))
        return !cordoned;
    if (log_dir_is_full(dir) != log_dir_is_full(than))
        return log_dir_is_full(than);
    return log_dir_log_count(dir) < log_dir_log_count(than);
}

struct log_dir *placement_choose(const struct partitions *ps)
{
    struct log_dir *best = NULL;
    for (int i = 0; i < ps->dir_count; i++)
        if (!log_dir_is_offline(ps->dirs[i]) && is_better(ps->config, ps->dirs[i], best))
            best = ps->dirs[i];
    return best;
}

static struct log_dir *dir_with_id(const struct partitions *ps, struct uuid id)
{
    for (int i = 0; i < ps->dir_count; i++) {
        const struct log_dir_meta *meta = log_dir_meta(ps->dirs[i]);
        if (meta != NULL && uuid_equal(meta->directory_id, id))
            return ps->dirs[i];
    }
    return NULL;
}

struct log_dir *placement_dir_of(const struct partitions *ps, const struct metadata_partition *assigned)
{
    return dir_with_id(ps, metadata_partition_directory(assigned, ps->node_id));
}

// Of a directory that chitin.lost.directory.ids gives up.
static bool is_given_up(const struct partitions *ps, struct uuid id)
{
    struct str rest = config_list(ps->config, "chitin.lost.directory.ids"), item;
    struct uuid lost;
    while (config_list_next(&rest, &item))
        if (uuid_parse(item, &lost) && uuid_equal(lost, id))
            return true;
    return false;
}

// A directory that could not be opened at the start.
static const struct log_dir *unknown_dir(const struct partitions *ps)
{
    for (int i = 0; i < ps->dir_count; i++)
        if (log_dir_meta(ps->dirs[i]) == NULL)
            return ps->dirs[i];
    return NULL;
}

bool placement_is_unknown(const struct partitions *ps, const struct partition *p)
{
    if (uuid_is_reserved(p->assigned_dir)) {
        const struct log_dir *unknown = ps->is_loading ? unknown_dir(ps) : NULL;
        if (unknown != NULL)
            trace_error(ps->trace, area,
                        "%s-%d is offline: it is in no log directory that can be read, and may be in %s",
                        p->topic, p->index, log_dir_path(unknown));
        return unknown != NULL;
    }
    if (is_given_up(ps, p->assigned_dir))
        return false;
    trace_error(ps->trace, area,
                "%s-%d is offline: its log directory has the id %s, and none of log.dirs has. Mount the "
                "disk that is missing and start again. If that is lost for good, delete the topic, or "
                "start once with chitin.lost.directory.ids=%s, which makes its partitions anew, empty",
                p->topic, p->index, uuid_format(p->assigned_dir).text,
                uuid_format(p->assigned_dir).text);
    return true;
}
