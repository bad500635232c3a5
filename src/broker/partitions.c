// SPDX-License-Identifier: Apache-2.0
#include "broker/partitions.h"

#include <stdio.h>

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/trace.h"
#include "broker/create_later.h"
#include "broker/partition.h"
#include "broker/placement.h"
#include "config/config.h"
#include "env/clock.h"
#include "env/env.h"
#include "log/cleaner.h"
#include "log/commit.h"
#include "log/dir.h"
#include "log/log.h"
#include "log/scrub.h"
#include "log/partition_metadata.h"
#include "metadata/image.h"
#include "wire/errors.h"

enum { PARTITIONS_MAGIC = 0x50415253, PARTITION_MAGIC = 0x50415254 };

static const char area[] = "partitions";

struct partition_key {
    struct uuid topic_id;
    int32_t index;
};

static uint64_t key_hash(const struct partitions *ps, struct uuid topic_id, int32_t index)
{
    return hash_bytes(ps->seed, bytes_of(topic_id.bytes, UUID_SIZE)) + (uint32_t)index;
}

static bool has_key(const struct map_node *node, const void *key)
{
    const struct partition *p = container_of(node, const struct partition, map_node);
    const struct partition_key *k = key;
    return p->index == k->index && uuid_equal(p->topic_id, k->topic_id);
}

int partitions_shard_of(struct hash_seed seed, int shard_count, struct str topic, int32_t index)
{
    return shard_count == 1 ? 0
                            : (int)((hash_str(seed, topic) + (uint32_t)index) % (uint64_t)shard_count);
}

struct partition *partitions_find(struct partitions *ps, struct uuid topic_id, int32_t index)
{
    struct partition_key key = {topic_id, index};
    struct map_node *node = map_find(&ps->map, key_hash(ps, topic_id, index), has_key, &key);
    return node != NULL ? container_of(node, struct partition, map_node) : NULL;
}

void partitions_each(struct partitions *ps, void (*each)(void *context, struct partition *p),
                     void *context)
{
    struct map_node *next;
    for (struct map_node *node = map_next(&ps->map, NULL); node != NULL; node = next) {
        next = map_next(&ps->map, node);
        each(context, container_of(node, struct partition, map_node));
    }
}

// --- Timers: checkpoints and retention ---

static void arm(struct partitions *ps, struct env_timer *timer, int64_t delay_ms)
{
    if (ps->closing || env_timer_is_set(timer) || delay_ms == INT64_MAX)
        return;
    int64_t now_ns = env_mono_ns(ps->env->clock);
    int64_t delay_ns;
    if (__builtin_mul_overflow(delay_ms, INT64_C(1000000), &delay_ns) ||
        delay_ns > INT64_MAX - now_ns)
        return;
    env_timer_set(ps->env->timers, timer, now_ns + delay_ns);
}

static void save_all(struct partitions *ps, unsigned what)
{
    for (int i = 0; i < ps->dir_count; i++)
        if (!log_dir_is_offline(ps->dirs[i]))
            log_dir_save(ps->dirs[i], what, NULL);
}

static void checkpoint(struct env_timer *timer)
{
    struct partitions *ps = container_of(timer, struct partitions, checkpoint_timer);
    save_all(ps, LOG_SAVE_RECOVERY_POINTS | LOG_SAVE_START_OFFSETS);
    create_later_retry(ps->later);
}

static void checkpoint_high_watermarks(struct env_timer *timer)
{
    struct partitions *ps = container_of(timer, struct partitions, high_watermark_timer);
    save_all(ps, LOG_SAVE_HIGH_WATERMARKS);
}

void partitions_touch(struct partitions *ps)
{
    arm(ps, &ps->checkpoint_timer, ps->checkpoint_interval_ms);
    arm(ps, &ps->high_watermark_timer, ps->high_watermark_interval_ms);
}

static void retain_one(void *context, struct partition *p)
{
    bool *any = context;
    int64_t now_ms = env_wall_ms(p->owner->env->clock);
    if (p->state != PARTITION_ONLINE)
        return;
    log_close_idle_files(p->log);
    scrubber_add(p->owner->scrubber, p->log); // for what was sealed
    if (log_expire_producers(p->log, now_ms) < 0)
        return;
    int64_t start = log_start_offset(p->log);
    int removed = log_apply_retention(p->log, now_ms);
    if (removed <= 0)
        return;
    *any = true;
    trace_info(p->owner->trace, area, "%s-%d: retention moved the log start offset from %lld to %lld",
               p->topic, p->index, (long long)start, (long long)log_start_offset(p->log));
}

static void retain(struct env_timer *timer)
{
    struct partitions *ps = container_of(timer, struct partitions, retention_timer);
    bool any = false;
    partitions_each(ps, retain_one, &any);
    if (any)
        save_all(ps, LOG_SAVE_START_OFFSETS);
    if (ps->map.count > 0)
        arm(ps, &ps->retention_timer, ps->retention_interval_ms);
}

// --- One partition ---

static struct log_config log_config_of(const struct partitions *ps, const struct topic_config *topic)
{
    return (struct log_config){
        .segment_bytes = topic->segment_bytes,
        .segment_ms = topic->segment_ms,
        .segment_jitter_ms = topic->segment_jitter_ms,
        .retention_ms = topic->retention_ms,
        .retention_bytes = topic->retention_bytes,
        .file_delete_delay_ms = topic->file_delete_delay_ms,
        .producer_id_expiration_ms = ps->producer_id_expiration_ms,
        .delete_retention_ms = topic->delete_retention_ms,
        .min_compaction_lag_ms = topic->min_compaction_lag_ms,
        .max_compaction_lag_ms = topic->max_compaction_lag_ms,
        .min_cleanable_dirty_ratio = topic->min_cleanable_dirty_ratio,
        .index_interval_bytes = topic->index_interval_bytes,
        .segment_index_bytes = topic->segment_index_bytes,
        .cleanup_delete = topic->cleanup_delete,
        .cleanup_compact = topic->cleanup_compact,
        .preallocate = topic->preallocate,
    };
}

static void on_durable(struct log *log, void *owner)
{
    struct partition *p = owner;
    check(p->magic == PARTITION_MAGIC);
    partition_durable(p, log_durable_offset(log));
    partitions_touch(p->owner);
    if (p->config.cleanup_compact)
        cleaner_touch(p->owner->cleaner);
}

static struct partition *partition_new(struct partitions *ps, const struct metadata_topic *topic,
                                       int32_t index, const struct topic_config *config)
{
    struct partition *p = mem_new(struct partition);
    p->magic = PARTITION_MAGIC;
    p->owner = ps;
    p->topic_id = topic->id;
    p->topic = mem_copy_str(topic->name);
    p->index = index;
    p->config = *config;
    p->state = PARTITION_OFFLINE;
    p->assigned_dir = metadata_partition_directory(topic->partitions[index], ps->node_id);
    p->leader_epoch = topic->partitions[index]->leader_epoch;
    list_init(&p->append_turns);
    list_init(&p->txn_waits);
    p->txn_line_moves = -1;
    list_init(&p->append_waits);
    list_init(&p->fetch_waits);
    map_insert(&ps->map, &p->map_node, key_hash(ps, topic->id, index));
    if (ps->map.count == 1)
        arm(ps, &ps->retention_timer, ps->retention_interval_ms);
    return p;
}

static void partition_free(struct partitions *ps, struct partition *p)
{
    partition_end_waits(p, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    check(list_empty(&p->append_turns) && list_empty(&p->append_waits));
    // Fetches look again and find the partition gone; unlink what still points here.
    while (list_pop(&p->fetch_waits) != NULL)
        ;
    map_remove(&ps->map, &p->map_node);
    list_remove(&p->create_node);
    // Its log lives on: a last sync when it is closed, or one that is under way, must not call here.
    if (p->log != NULL) {
        log_set_owner(p->log, NULL, NULL);
        scrubber_remove(ps->scrubber, p->log);
        cleaner_remove(ps->cleaner, p->log);
    }
    p->magic = 0;
    mem_free(p->topic);
    mem_free(p);
}

// Also without an append: followers and consumers ask where an epoch began (KIP-279).
static void begin_leader_epoch(struct partition *p, int32_t leader_epoch)
{
    p->leader_epoch = leader_epoch;
    log_begin_epoch(p->log, leader_epoch);
}

static void tell_directory(struct partition *p)
{
    struct uuid id = log_dir_meta(p->dir)->directory_id;
    if (uuid_equal(id, p->assigned_dir))
        return;
    replica_dirs_report_add(&p->owner->placed, &(struct replica_dir){p->topic_id, p->index, id});
    p->assigned_dir = id;
}

// Puts a log behind the partition and opens it for business.
static void partition_attach(struct partition *p, struct log_dir *dir, struct log *log)
{
    p->dir = dir;
    p->log = log;
    tell_directory(p);
    log_dir_add(dir, log);
    log_set_owner(log, p, on_durable);
    if (log_is_offline(log)) {
        trace_error(p->owner->trace, area, "%s-%d is offline: %s", p->topic, p->index,
                    log_problem(log));
        return;
    }
    p->state = PARTITION_ONLINE;
    p->high_watermark = log_durable_offset(log);
    log_set_high_watermark(log, p->high_watermark);
    partition_set_caching(p);
    scrubber_add(p->owner->scrubber, log);
    cleaner_add(p->owner->cleaner, log);
}

// --- Creating and removing ---

bool partitions_have_room(const struct partitions *ps)
{
    for (int i = 0; i < ps->dir_count; i++)
        if (!log_dir_is_offline(ps->dirs[i]) && !log_dir_is_full(ps->dirs[i]))
            return true;
    return false;
}

static void create_log(struct partitions *ps, struct partition *p, struct log_dir *dir)
{
    struct log_config log_config = log_config_of(ps, &p->config);
    struct log_args args;
    struct log *log;
    struct diag diag = {{0}};
    int err = log_dir_create_args(dir, str_from(p->topic), p->index, p->topic_id, &log_config, &args);
    if (err == ERR_AGAIN) {
        p->state = PARTITION_WAITING;
        p->dir = dir;
        create_later_add(ps->later, dir, &p->create_node);
        return;
    }
    p->state = PARTITION_OFFLINE;
    err = log_plan(&args, &log, &diag);
    if (err != ERR_OK) {
        trace_error(ps->trace, area, "cannot create %s-%d in %s: %s", p->topic, p->index,
                    log_dir_path(dir), diag.text[0] != '\0' ? diag.text : err_text(err));
        return;
    }
    partition_attach(p, dir, log);
    begin_leader_epoch(p, p->leader_epoch);
    make_later_add(&ps->planned, &p->create_node);
}

static void make_planned(void *owner, struct list_node *node)
{
    struct partitions *ps = owner;
    struct partition *p = container_of(node, struct partition, create_node);
    int err = p->state == PARTITION_ONLINE ? log_make(p->log) : ERR_OFFLINE;
    if (err == ERR_OK)
        log_committer_add(ps->committer, p->log);
    else if (err == ERR_NOSPC)
        trace_error(ps->trace, area, "%s-%d is not on disk yet: %s; its first record or the next start "
                    "tries again", p->topic, p->index, err_text(err));
}

static void create_waiting(void *owner, struct list_node *node, struct log_dir *dir)
{
    create_log(owner, container_of(node, struct partition, create_node), dir);
}

static void create_failed(void *owner)
{
    partitions_touch(owner); // the next checkpoint tries again
}

static void create_partition(struct partitions *ps, const struct metadata_topic *topic,
                             int32_t index, const struct topic_config *config)
{
    struct partition *p = partition_new(ps, topic, index, config);
    struct log_dir *dir = placement_dir_of(ps, topic->partitions[index]);
    if (dir == NULL && placement_is_unknown(ps, p))
        return;
    if (dir == NULL)
        dir = placement_choose(ps);
    if (dir == NULL || log_dir_is_offline(dir))
        trace_error(ps->trace, area, "%s-%d has no log directory that is online", p->topic, index);
    else
        create_log(ps, p, dir);
}

static void delete_partition(struct partitions *ps, struct partition *p)
{
    struct log_dir *dir = p->dir;
    struct log *log = p->log;
    char topic[LOG_TOPIC_NAME_MAX + 1];
    int32_t index = p->index;
    snprintf(topic, sizeof topic, "%s", p->topic);
    partition_free(ps, p);
    if (log == NULL)
        return;
    log_committer_remove(ps->committer, log);
    int err = log_dir_delete_log(dir, log);
    if (err != ERR_OK)
        trace_error(ps->trace, area, "cannot delete %s-%d in %s: %s", topic, index,
                    log_dir_path(dir), err_text(err));
    else
        log_dir_save(dir, LOG_SAVE_ENTRIES, NULL); // who takes the name next waits less
}

static void configure_partition(struct partitions *ps, struct partition *p,
                                const struct topic_config *config)
{
    p->config = *config;
    if (p->log == NULL)
        return;
    struct log_config log_config = log_config_of(ps, config);
    log_set_config(p->log, &log_config);
    partition_set_caching(p);
    if (config->cleanup_compact)
        cleaner_touch(ps->cleaner);
}

// --- Following the image ---

struct change {
    struct partitions *ps;
    const struct metadata_image *to;
};

static bool is_mine(const struct partitions *ps, struct str topic, int32_t index)
{
    return partitions_shard_of(ps->seed, ps->shard_count, topic, index) == ps->shard;
}

static bool is_here(const struct partitions *ps, const struct metadata_partition *p)
{
    return replicas_contain(p->replicas, ps->node_id);
}

static struct topic_config topic_config_in(const struct partitions *ps,
                                           const struct metadata_image *image, struct str topic)
{
    struct topic_config config;
    topic_config_resolve(&config, ps->config,
                         metadata_image_configs(image, CONFIG_RESOURCE_TOPIC, topic));
    return config;
}

static void topic_removed(struct partitions *ps, const struct metadata_topic *topic)
{
    for (int32_t i = 0; i < topic->partition_count; i++) {
        struct partition *p = partitions_find(ps, topic->id, i);
        if (p != NULL)
            delete_partition(ps, p);
    }
    if (ps->shard == 0)
        trace_info(ps->trace, area, "topic %s deleted", topic->name.data);
}

static void raise_leader_epoch(struct partition *p, int32_t leader_epoch)
{
    if (p->state == PARTITION_ONLINE)
        begin_leader_epoch(p, leader_epoch);
    else if (p->state == PARTITION_WAITING)
        p->leader_epoch = leader_epoch; // its log will begin with it
}

static void topic_changed(void *context, const struct metadata_topic *from,
                          const struct metadata_topic *to)
{
    struct change *change = context;
    struct partitions *ps = change->ps;
    if (to == NULL) {
        topic_removed(ps, from);
        return;
    }
    struct topic_config config = topic_config_in(ps, change->to, to->name);
    for (int32_t i = 0; i < to->partition_count; i++) {
        const struct metadata_partition *assigned = to->partitions[i];
        if (!is_mine(ps, to->name, i))
            continue;
        struct partition *p = partitions_find(ps, to->id, i);
        if (p == NULL && is_here(ps, assigned))
            create_partition(ps, to, i, &config);
        else if (p != NULL && assigned->leader_epoch > p->leader_epoch)
            raise_leader_epoch(p, assigned->leader_epoch);
    }
    if (from == NULL && ps->shard == 0)
        trace_info(ps->trace, area, "topic %s created with %d partition%s", to->name.data,
                   to->partition_count, to->partition_count == 1 ? "" : "s");
}

static void configure_topic(struct partitions *ps, const struct metadata_image *image,
                            const struct metadata_topic *topic)
{
    struct topic_config config = topic_config_in(ps, image, topic->name);
    for (int32_t i = 0; i < topic->partition_count; i++) {
        struct partition *p = partitions_find(ps, topic->id, i);
        if (p != NULL)
            configure_partition(ps, p, &config);
    }
}

static void configs_changed(void *context, const struct metadata_configs *from,
                            const struct metadata_configs *to)
{
    struct change *change = context;
    const struct metadata_configs *any = to != NULL ? to : from;
    struct pmap_iter iter;
    if (any->resource_type == CONFIG_RESOURCE_TOPIC) {
        const struct metadata_topic *topic = metadata_image_topic(change->to, any->resource_name);
        if (topic != NULL)
            configure_topic(change->ps, change->to, topic);
    } else if (any->resource_type == CONFIG_RESOURCE_BROKER) {
        // The broker's values are the defaults of every topic.
        for (const struct metadata_topic *t = metadata_topic_first(change->to, (struct str){0}, &iter);
             t != NULL; t = metadata_topic_next(&iter))
            configure_topic(change->ps, change->to, t);
    }
}

// This shard's part of what is set for the broker. Every shard compacts one log at a time at least.
static struct cleaner_config cleaner_config_of(const struct partitions *ps)
{
    int64_t threads = config_i64(ps->config, "log.cleaner.threads");
    int64_t shards = ps->shard_count > 0 ? ps->shard_count : 1;
    int64_t mine = threads / shards + (ps->shard < threads % shards);
    int64_t sharers = threads > shards ? threads : shards;
    if (threads == 0 || !config_bool(ps->config, "log.cleaner.enable"))
        mine = 0;
    else if (mine == 0)
        mine = 1;
    return (struct cleaner_config){
        .cleanings_max = (int)mine,
        .map_bytes_max = config_i64(ps->config, "log.cleaner.dedupe.buffer.size") / sharers,
        .load_factor = config_double(ps->config, "log.cleaner.io.buffer.load.factor"),
        .io_bytes = config_i64(ps->config, "log.cleaner.io.buffer.size") / sharers / 2,
        .bytes_per_second =
            config_double(ps->config, "log.cleaner.io.max.bytes.per.second") / (double)shards,
        .backoff_ms = config_i64(ps->config, "log.cleaner.backoff.ms"),
    };
}

static void read_configs(struct partitions *ps)
{
    struct cleaner_config cleaner_config = cleaner_config_of(ps);
    ps->producer_id_expiration_ms = config_i64(ps->config, "producer.id.expiration.ms");
    cleaner_configure(ps->cleaner, &cleaner_config);
}

void partitions_apply(struct partitions *ps, const struct metadata_image *from,
                      const struct metadata_image *to)
{
    read_configs(ps);
    struct change change = {ps, to};
    struct metadata_changes changes = {
        .context = &change,
        .topic = topic_changed,
        .configs = configs_changed,
    };
    metadata_image_diff(from, to, &changes);
}

// --- Start and stop ---

static bool open_again(void *owner, struct open_item *item);

void partitions_init(struct partitions *ps, const struct partitions_args *args)
{
    *ps = (struct partitions){
        .magic = PARTITIONS_MAGIC,
        .env = args->env,
        .trace = args->trace,
        .config = args->config,
        .node_id = args->node_id,
        .seed = args->seed,
        .shard = args->shard,
        .shard_count = args->shard_count,
        .committer = args->committer,
        .dirs = args->dirs,
        .dir_count = args->dir_count,
        .checkpoint_interval_ms =
            config_i64(args->config, "log.flush.offset.checkpoint.interval.ms"),
        .high_watermark_interval_ms =
            config_i64(args->config, "replica.high.watermark.checkpoint.interval.ms"),
        .retention_interval_ms = config_i64(args->config, "log.retention.check.interval.ms"),
        .checkpoint_timer.fire = checkpoint,
        .high_watermark_timer.fire = checkpoint_high_watermarks,
        .retention_timer.fire = retain,
    };
    ps->scrubber = scrubber_new(args->env, args->trace,
                                config_i64(args->config, "chitin.scrub.bytes.per.second") /
                                    (args->shard_count > 0 ? args->shard_count : 1));
    struct cleaner_config cleaner_config = cleaner_config_of(ps);
    ps->cleaner = cleaner_new(args->env, args->trace, &cleaner_config);
    map_init(&ps->map);
    make_later_init(&ps->planned, ps->env, ps, make_planned);
    open_later_init(&ps->unopened, ps->env, ps, open_again);
    replica_dirs_report_init(&ps->placed, ps->env, args->owner, args->on_placed);
    ps->later = create_later_new(&(struct create_later_args){
        .dirs = args->dirs,
        .dir_count = args->dir_count,
        .owner = ps,
        .create = create_waiting,
        .failed = create_failed,
    });
}

static void stop_timers(struct partitions *ps)
{
    ps->closing = true;
    scrubber_stop(ps->scrubber);
    cleaner_stop(ps->cleaner);
    env_timer_cancel(ps->env->timers, &ps->checkpoint_timer);
    env_timer_cancel(ps->env->timers, &ps->high_watermark_timer);
    env_timer_cancel(ps->env->timers, &ps->retention_timer);
    open_later_release(&ps->unopened);
}

void partitions_release(struct partitions *ps)
{
    check(ps->magic == PARTITIONS_MAGIC);
    stop_timers(ps);
    struct map_node *next;
    for (struct map_node *node = map_next(&ps->map, NULL); node != NULL; node = next) {
        next = map_next(&ps->map, node);
        partition_free(ps, container_of(node, struct partition, map_node));
    }
    map_release(&ps->map);
    scrubber_free(ps->scrubber);
    cleaner_free(ps->cleaner);
    make_later_release(&ps->planned);
    replica_dirs_report_release(&ps->placed);
    create_later_free(ps->later);
    ps->magic = 0;
}

static int stray(struct partitions *ps, struct log_dir *dir, const struct log_dir_partition *found,
                 const char *why)
{
    trace_warn(ps->trace, area,
               "%s/%s-%d %s; it is renamed to ...-stray and not served. Nothing in it was deleted: "
               "remove it by hand when it is not needed",
               log_dir_path(dir), found->topic, found->partition, why);
    return log_dir_set_stray(dir, found);
}

// What one directory is loaded with.
struct loading {
    struct partitions *ps;
    const struct metadata_image *image;
    struct log_dir *dir;
    const struct log_dir_scan *scan;
    const struct log_dir_scan *scans; // of all directories
    const struct metadata_topic *topic; // the one that the last partition belonged to,
    struct topic_config config;         // and its
};

static void attach_found(struct partition *p, struct log_dir *dir, struct log *log)
{
    partition_attach(p, dir, log);
    if (p->state == PARTITION_ONLINE)
        begin_leader_epoch(p, p->leader_epoch);
}

static int open_found(struct loading *l, const struct log_dir_partition *found)
{
    struct partitions *ps = l->ps;
    struct log_config log_config = log_config_of(ps, &l->config);
    struct log_args args;
    struct log *log;
    struct diag diag = {{0}};
    log_dir_partition_args(l->dir, l->scan, found, &log_config, &args);
    int err = log_open(&args, &log, &diag);
    struct partition *p = partition_new(ps, l->topic, found->partition, &l->config);
    if (err == ERR_NOSPC) {
        trace_warn(ps->trace, area, "%s-%d waits for room to be opened: %s", p->topic, p->index,
                   diag.text);
        p->state = PARTITION_WAITING;
        p->dir = l->dir;
        open_later_add(&ps->unopened, l->dir, l->scan, found);
    } else if (err != ERR_OK) {
        trace_error(ps->trace, area, "%s-%d is offline: %s", p->topic, p->index, diag.text);
    } else {
        attach_found(p, l->dir, log);
    }
    return ERR_OK;
}

// There may be room now. True when it is over with this one.
static bool open_again(void *owner, struct open_item *item)
{
    struct partitions *ps = owner;
    struct partition *p = partitions_find(ps, item->found.topic_id, item->found.partition);
    if (p == NULL || p->state != PARTITION_WAITING || p->log != NULL)
        return true;
    struct log_config log_config = log_config_of(ps, &p->config);
    struct log_args args;
    struct log *log;
    struct diag diag = {{0}};
    log_dir_partition_args(item->dir, &item->scan, &item->found, &log_config, &args);
    int err = log_open(&args, &log, &diag);
    if (err == ERR_NOSPC)
        return false;
    p->state = PARTITION_OFFLINE;
    if (err != ERR_OK) {
        trace_error(ps->trace, area, "%s-%d is offline: %s", p->topic, p->index, diag.text);
        return true;
    }
    attach_found(p, item->dir, log);
    trace_info(ps->trace, area, "%s-%d is open now", p->topic, p->index);
    return true;
}

// True if another directory has this partition with the right topic id.
static bool is_elsewhere(const struct loading *l, const struct metadata_topic *topic, int32_t index)
{
    for (int d = 0; d < l->ps->dir_count; d++)
        for (int i = 0; i < l->scans[d].count; i++)
            if (l->scans[d].partitions[i].partition == index &&
                uuid_equal(l->scans[d].partitions[i].topic_id, topic->id))
                return true;
    return false;
}

// The topic that a directory without a usable partition.metadata must be of: the metadata has one of
// its name, puts the partition into this directory, and no other directory has it. Or NULL.
static const struct metadata_topic *topic_by_name(struct loading *l,
                                                  const struct log_dir_partition *found)
{
    const struct metadata_topic *topic = metadata_image_topic(l->image, str_from(found->topic));
    const struct metadata_partition *assigned =
        topic != NULL ? metadata_topic_partition(topic, found->partition) : NULL;
    if (assigned == NULL || found->future || !is_here(l->ps, assigned))
        return NULL;
    struct log_dir *dir = placement_dir_of(l->ps, assigned);
    bool fits = (dir == NULL || dir == l->dir) && !is_elsewhere(l, topic, found->partition);
    return fits ? topic : NULL;
}

// Gives a directory the partition.metadata that it should have.
static int write_topic_id(struct loading *l, struct log_dir_partition *found,
                          const struct metadata_topic *topic)
{
    char path[FS_PATH_MAX];
    snprintf(path, sizeof path, "%s/%s-%d", log_dir_path(l->dir), found->topic, found->partition);
    // A partition that was just being made when the node died may be without it too.
    trace_emit(l->ps->trace, l->scan->clean ? TRACE_ERROR : TRACE_WARN, area,
               "%s/partition.metadata is missing or damaged; the metadata has topic id %s for this "
               "directory, which it gets again", path, uuid_format(topic->id).text);
    found->topic_id = topic->id;
    return partition_metadata_write(l->ps->env->fs, path, topic->id, true);
}

// A directory that is where a partition should be and claims to be of another topic. After a clean stop
// nothing explains it, and an empty partition in its place would hide what it holds.
static int hold_offline(struct loading *l, const struct log_dir_partition *found,
                        const struct metadata_topic *topic)
{
    struct topic_config config = topic_config_in(l->ps, l->image, topic->name);
    partition_new(l->ps, topic, found->partition, &config);
    trace_error(l->ps->trace, area,
                "%s-%d is offline: %s/%s-%d/partition.metadata has topic id %s, the metadata %s. If it is "
                "this topic's, remove the file and start again: it is made anew. If not, move the "
                "directory away",
                found->topic, found->partition, log_dir_path(l->dir), found->topic, found->partition,
                uuid_format(found->topic_id).text, uuid_format(topic->id).text);
    return ERR_OK;
}

static int load_found(struct loading *l, struct log_dir_partition *found)
{
    struct partitions *ps = l->ps;
    struct log_dir *dir = l->dir;
    if (!is_mine(ps, str_from(found->topic), found->partition))
        return ERR_OK;
    const struct metadata_topic *topic = metadata_image_topic_by_id(l->image, found->topic_id);
    const struct metadata_topic *named = topic == NULL ? topic_by_name(l, found) : NULL;
    if (named != NULL &&
        (uuid_is_zero(found->topic_id) || topic_id_is_nearly(found->topic_id, named->id))) {
        int err = write_topic_id(l, found, named);
        if (err != ERR_OK)
            return err;
        topic = named;
    } else if (named != NULL && l->scan->clean) {
        return hold_offline(l, found, named);
    }
    const struct metadata_partition *assigned =
        topic != NULL ? metadata_topic_partition(topic, found->partition) : NULL;
    if (uuid_is_zero(found->topic_id))
        return stray(ps, dir, found, "has no readable partition.metadata");
    if (assigned == NULL || !is_here(ps, assigned) || !str_is(topic->name, found->topic))
        return stray(ps, dir, found, "belongs to a topic that this broker does not have");
    if (found->future)
        return stray(ps, dir, found, "is an unfinished move between log directories");
    if (partitions_find(ps, topic->id, found->partition) != NULL)
        return stray(ps, dir, found, "exists in another log directory too");
    if (l->topic != topic)
        l->config = topic_config_in(ps, l->image, topic->name);
    l->topic = topic;
    return open_found(l, found);
}

int partitions_load(struct partitions *ps, const struct metadata_image *image,
                    const struct log_dir_scan *scans, struct diag *diag)
{
    read_configs(ps);
    for (int d = 0; d < ps->dir_count; d++) {
        struct loading l = {.ps = ps, .image = image, .dir = ps->dirs[d], .scan = &scans[d],
                            .scans = scans};
        for (int i = 0; i < scans[d].count; i++) {
            struct log_dir_partition *found = &scans[d].partitions[i];
            int err = load_found(&l, found);
            if (err != ERR_OK)
                return diag_set(diag, err, "cannot move %s/%s-%d aside: %s",
                                log_dir_path(ps->dirs[d]), found->topic, found->partition,
                                err_text(err));
        }
    }
    struct change change = {ps, image};
    struct pmap_iter iter;
    ps->is_loading = true;
    for (const struct metadata_topic *t = metadata_topic_first(image, (struct str){0}, &iter);
         t != NULL; t = metadata_topic_next(&iter))
        topic_changed(&change, t, t);
    ps->is_loading = false;
    return ERR_OK;
}

static void wake_waiting(void *context, struct partition *p)
{
    env_timer_cancel(p->owner->env->timers, &p->flush_timer);
    partition_wake_fetches(p);
}

void partitions_stop_waiting(struct partitions *ps)
{
    stop_timers(ps);
    make_later_release(&ps->planned); // closing their directories makes them
    partitions_each(ps, wake_waiting, NULL);
}

static void fail_if_in(void *context, struct partition *p)
{
    if (p->dir == context)
        partition_fail(p, KAFKA_KAFKA_STORAGE_ERROR);
}

void partitions_dir_failed(struct partitions *ps, struct log_dir *dir)
{
    partitions_each(ps, fail_if_in, dir);
}
