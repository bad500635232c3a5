// SPDX-License-Identifier: Apache-2.0
//
// A whole node without sockets, over crashes: topics are created and deleted through its controller,
// batches appended through its partitions, on a disk that loses, tears and mixes up what was not
// synced. After every restart what was acknowledged is there: topics exist (or do not), each record
// stands at its offset, and nothing stands anywhere that was never sent. One seed decides everything.
//
//     sim_node [--seeds N] [--start N] [--steps N] [--shards N] [--verbose] [--broken]
//
// --broken takes an append for acknowledged before its wait has ended; some seed must catch that.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "broker/node.h"
#include "broker/partition.h"
#include "config/config.h"
#include "log/log.h"
#include "metadata/image.h"
#include "server/storage.h"
#include "sim_env.h"
#include "sim_fs.h"
#include "wire/api/create_topics.h"
#include "wire/api/delete_topics.h"
#include "wire/batch.h"
#include "wire/errors.h"

enum {
    TOPICS_MAX = 12,
    PARTITIONS = 2,
    SHARDS = 3, // of the node at most
    SHARDS_CHANCE = 0x73686172,
    MESSAGE_NS_MAX = 200000, // between them
    APPENDS_MAX = 400, // of one partition
    NOBODY = -1,
    OFFSET_UNKNOWN = -1, // the process died inside the write
    OFFSET_GONE = -2,    // was not acknowledged, and a restart did not have it
};

static const char data_path[] = "/data";

struct options {
    uint64_t seeds;
    uint64_t start;
    int steps;
    int shards; // 0: the seed decides
    bool verbose;
    bool broken;
};

struct world;

// What is known about a topic or a record; UNKNOWN after a crash during the request.
enum fact { ABSENT, UNKNOWN, PRESENT, GONE, GONE_UNKNOWN };

struct append_op {
    struct append_wait wait;
    struct world *world;
    int64_t offset;
    bool acknowledged;
};

struct topic_model {
    char name[16];
    enum fact fact;
    struct append_op appends[PARTITIONS][APPENDS_MAX]; // by the number in the record
    int sent[PARTITIONS];
};

struct topic_op {
    struct quorum_command command;
    struct world *world;
    struct topic_model *topic;
    struct arena arena;
    struct create_topics_request create;
    struct create_topics_response created;
    struct delete_topics_request delete;
    struct delete_topics_response deleted;
    bool open;
};

struct world {
    const struct options *options;
    struct sim sim;
    struct sim_fs *fs;
    struct sim_env shards[SHARDS];
    int shard_count;
    struct config *config;
    struct node_config node_config;
    struct storage storage;
    struct node *node;
    bool ready;
    struct topic_model topics[TOPICS_MAX];
    int topic_count;
    struct topic_op op;
    int crashes;
    bool failed;
    char message[512];
};

static struct {
    uint64_t appends, crashes, steps, hash;
} totals;

__attribute__((format(printf, 2, 3))) static void complain(struct world *w, const char *format, ...)
{
    va_list args;
    if (w->failed)
        return;
    w->failed = true;
    va_start(args, format);
    vsnprintf(w->message, sizeof w->message, format, args);
    va_end(args);
}

static bool chance(struct world *w, uint64_t one_in)
{
    return prng_below(&w->sim.prng, one_in) == 0;
}

// --- A life of the node ---

static void on_ready(void *owner)
{
    struct world *w = owner;
    w->ready = true;
}

static void on_stopped(void *owner, bool failed)
{
    struct world *w = owner;
    w->ready = false;
}

static void on_dir_offline(void *owner, struct log_dir *dir, const char *why)
{
    struct world *w = owner;
    if (w->node != NULL)
        node_dir_failed(w->node, dir, why);
}

static bool is_crashed(const struct world *w)
{
    return sim_fs_is_crashed(w->fs);
}

static int open_node(struct world *w, struct diag *diag)
{
    struct env *envs[SHARDS];
    for (int i = 0; i < w->shard_count; i++)
        envs[i] = &w->shards[i].env;
    int err = storage_open(&w->storage, envs[0], NULL, w->config, diag);
    if (err == ERR_OK)
        err = storage_identify(&w->storage, &w->node_config, diag);
    if (err != ERR_OK)
        return err;
    w->storage.owner = w;
    w->storage.on_offline = on_dir_offline;
    struct node_args args = {
        .env = envs[0],
        .envs = envs,
        .shard_count = w->shard_count,
        .config = w->config,
        .node_config = &w->node_config,
        .cluster_id = str_from(w->storage.cluster_id),
        .host_name = "sim",
        .dirs = w->storage.dirs,
        .dir_count = w->storage.dir_count,
        .metadata_dir = w->storage.metadata_dir,
        .quick_check_bytes_max = 40, // many batches are checked by a worker
        .owner = w,
        .on_ready = on_ready,
        .on_stopped = on_stopped,
    };
    return node_new(&args, &w->node, diag);
}

static int start_node(struct world *w, struct diag *diag)
{
    struct sim_env *before = sim_enter(&w->shards[0]);
    int err = node_start(w->node, diag);
    sim_leave(&w->sim, before);
    return err;
}

static void begin_life(struct world *w)
{
    struct diag diag = {{0}};
    for (int i = 0; i < w->shard_count; i++)
        sim_env_init(&w->shards[i], &w->sim, sim_fs_env(w->fs));
    w->config = config_new();
    config_set_fallback(w->config, "log.dirs", data_path);
    config_set_fallback(w->config, "log.segment.bytes", "1024");
    w->node_config = (struct node_config){.node_id = 1, .is_broker = true, .is_controller = true,
                                          .inter_broker = NOBODY};
    w->ready = false;
    int err = open_node(w, &diag);
    if (err == ERR_OK)
        err = start_node(w, &diag);
    if (err != ERR_OK && !is_crashed(w))
        complain(w, "the node does not open: %s", diag.text);
    if (err == ERR_OK)
        sim_run_works(&w->sim);
    if (err == ERR_OK && !w->ready && !is_crashed(w))
        complain(w, "the node does not become ready");
}

static void end_life(struct world *w)
{
    sim_run_works(&w->sim); // what is under way fails, but ends
    node_free(w->node);
    w->node = NULL;
    sim_run_works(&w->sim);
    storage_close(&w->storage);
    config_free(w->config);
    for (int i = 0; i < w->shard_count; i++)
        sim_env_release(&w->shards[i]);
    w->ready = false;
}

// --- Topics ---

static void topic_done(struct quorum_command *command, int kafka_error)
{
    struct topic_op *op = container_of(command, struct topic_op, command);
    bool creates = op->create.topics.count > 0;
    if (kafka_error == KAFKA_NONE)
        kafka_error = creates ? op->created.topics.items[0].error_code
                              : op->deleted.responses.items[0].error_code;
    if (kafka_error == KAFKA_NONE)
        op->topic->fact = creates ? PRESENT : GONE;
    else if (!is_crashed(op->world) && op->world->ready)
        complain(op->world, "topic %s: error %d", op->topic->name, kafka_error);
    arena_release(&op->arena);
    op->open = false;
}

static void run_create(struct quorum_command *command, struct controller *c,
                       struct controller_command *cc)
{
    struct topic_op *op = container_of(command, struct topic_op, command);
    controller_create_topics(c, cc, &op->create, &op->created, &op->arena);
}

static void run_delete(struct quorum_command *command, struct controller *c,
                       struct controller_command *cc)
{
    struct topic_op *op = container_of(command, struct topic_op, command);
    controller_delete_topics(c, cc, &op->delete, &op->deleted, &op->arena);
}

static struct topic_op *begin_topic_op(struct world *w, struct topic_model *topic)
{
    struct topic_op *op = &w->op;
    *op = (struct topic_op){.world = w, .topic = topic, .open = true};
    arena_init(&op->arena, 1 << 20);
    create_topics_request_init(&op->create);
    delete_topics_request_init(&op->delete);
    op->command.done = topic_done;
    return op;
}

static void submit(struct world *w, struct topic_op *op)
{
    struct sim_env *before = sim_enter(&w->shards[0]);
    quorum_submit(w->node->quorum, &op->command);
    sim_leave(&w->sim, before);
}

static void create_topic(struct world *w)
{
    struct topic_model *topic = &w->topics[w->topic_count];
    snprintf(topic->name, sizeof topic->name, "t%d", w->topic_count++);
    topic->fact = UNKNOWN;
    struct topic_op *op = begin_topic_op(w, topic);
    check(create_topics_request_creatable_topic_array_new(&op->arena, 1, &op->create.topics));
    op->create.topics.items[0].name = str_from(topic->name);
    op->create.topics.items[0].num_partitions = PARTITIONS;
    op->create.topics.items[0].replication_factor = 1;
    op->command.run = run_create;
    submit(w, op);
}

static void delete_topic(struct world *w, struct topic_model *topic)
{
    struct topic_op *op = begin_topic_op(w, topic);
    topic->fact = GONE_UNKNOWN;
    check(delete_topics_request_delete_topic_state_array_new(&op->arena, 1, &op->delete.topics));
    op->delete.topics.items[0].name = str_from(topic->name);
    op->command.run = run_delete;
    submit(w, op);
}

// --- Appends ---

static void append_done(struct append_wait *wait, int kafka_error)
{
    struct append_op *op = container_of(wait, struct append_op, wait);
    // A crashed process answers nobody.
    if (kafka_error == KAFKA_NONE && !is_crashed(op->world))
        op->acknowledged = true;
}

static int shard_of(const struct node *n, struct str topic, int index)
{
    return partitions_shard_of(n->hash_seed, n->shard_count, topic, index);
}

static struct partition *find_partition(struct node *n, const struct metadata_topic *t, int index)
{
    struct shard *s = &n->shards[shard_of(n, t->name, index)];
    return partitions_find(&s->partitions, t->id, index);
}

static struct partition *partition_of(struct world *w, const struct topic_model *topic, int index)
{
    const struct metadata_topic *t =
        metadata_image_topic(node_image(w->node), str_from(topic->name));
    return t != NULL ? find_partition(w->node, t, index) : NULL;
}

// On the shard of the partition.
static void append_to(struct world *w, struct topic_model *topic, int index, struct partition *p)
{
    int number = topic->sent[index];
    if (number == APPENDS_MAX)
        return;
    struct buf bytes;
    struct bytes batch;
    struct batch_builder builder;
    struct batch_options batch_options = BATCH_OPTIONS_DEFAULT;
    char value[96];
    int size = snprintf(value, sizeof value, "%s-%d#%d%*s", topic->name, index, number,
                        (int)prng_below(&w->sim.prng, 60), "");
    buf_init(&bytes, 4096);
    batch_builder_begin(&builder, &bytes, &batch_options);
    batch_builder_add(&builder, env_wall_ms(w->shards[0].env.clock), (struct bytes){0},
                      bytes_of(value, (size_t)size), NULL, 0);
    check(batch_builder_finish(&builder, &batch) == ERR_OK);
    struct append_op *op = &topic->appends[index][number];
    struct log_append_info info;
    topic->sent[index]++;
    *op = (struct append_op){.world = w, .offset = OFFSET_UNKNOWN, .wait.done = append_done};
    int err = log_append(p->log, bytes.data, bytes.size, p->leader_epoch,
                         env_wall_ms(w->shards[0].env.clock), &info);
    buf_release(&bytes);
    if (err != ERR_OK || info.verdict != LOG_APPENDED)
        return;
    totals.appends++;
    op->offset = info.base_offset;
    op->acknowledged = w->options->broken;
    op->wait.offset = info.last_offset + 1;
    partition_appended(p);
    partition_wait_append(p, &op->wait);
}

static void append(struct world *w, struct topic_model *topic, int index)
{
    struct partition *p = partition_of(w, topic, index);
    if (p == NULL || p->state != PARTITION_ONLINE)
        return;
    struct sim_env *before = sim_enter(&w->shards[shard_of(w->node, str_from(topic->name), index)]);
    append_to(w, topic, index, p);
    sim_leave(&w->sim, before);
}

// --- Checks ---

static void check_record(struct world *w, struct topic_model *topic, int index,
                         const struct record *record, bool *seen)
{
    char text[96];
    char *number_at;
    int64_t number;
    if (!str_copy_to(str_trim(bytes_str(record->value)), text, sizeof text) ||
        (number_at = strchr(text, '#')) == NULL ||
        !str_parse_i64(str_from(number_at + 1), &number) || number < 0 ||
        number >= topic->sent[index]) {
        complain(w, "%s-%d: offset %" PRId64 " holds what was never sent", topic->name, index,
                 record->offset);
        return;
    }
    const struct append_op *op = &topic->appends[index][number];
    if (seen[number])
        complain(w, "%s-%d: record %" PRId64 " is there twice", topic->name, index, number);
    if (op->offset != record->offset && op->offset != OFFSET_UNKNOWN)
        complain(w, "%s-%d: record %" PRId64 " moved from offset %" PRId64 " to %" PRId64,
                 topic->name, index, number, op->offset, record->offset);
    topic->appends[index][number].offset = record->offset;
    seen[number] = true;
}

static void read_all(struct world *w, struct topic_model *topic, int index, struct log *log,
                     bool *seen)
{
    struct buf bytes;
    buf_init(&bytes, 1 << 20);
    for (int64_t at = log_start_offset(log); at < log_end_offset(log) && !w->failed;) {
        struct batch_header header;
        struct batch_iter it;
        struct record record;
        struct bytes rest, batch;
        buf_clear(&bytes);
        if (log_read_bytes(log, at, 1, true, log_end_offset(log), &bytes) != ERR_OK) {
            if (!is_crashed(w))
                complain(w, "%s-%d: offset %" PRId64 " cannot be read", topic->name, index, at);
            break;
        }
        rest = buf_bytes(&bytes);
        if (batch_next(&rest, &header, &batch) != 1 || !batch_crc_is_valid(batch) ||
            batch_iter_init(&it, batch, NULL) != ERR_OK) {
            complain(w, "%s-%d: offset %" PRId64 " is damaged", topic->name, index, at);
            break;
        }
        while (batch_iter_next(&it, &record) == 1)
            check_record(w, topic, index, &record, seen);
        at = batch_last_offset(&header) + 1;
    }
    buf_release(&bytes);
}

static void check_partition(struct world *w, struct topic_model *topic, int index)
{
    bool seen[APPENDS_MAX] = {false};
    struct partition *p = partition_of(w, topic, index);
    if (p == NULL || p->state != PARTITION_ONLINE) {
        if (!is_crashed(w))
            complain(w, "%s-%d is not online", topic->name, index);
        return;
    }
    read_all(w, topic, index, p->log, seen);
    for (int i = 0; i < topic->sent[index] && !is_crashed(w); i++) {
        struct append_op *op = &topic->appends[index][i];
        if (op->acknowledged && !seen[i])
            complain(w, "%s-%d: record %d at offset %" PRId64 " was acknowledged and is gone",
                     topic->name, index, i, op->offset);
        if (!seen[i])
            op->offset = OFFSET_GONE; // and it must not come back
    }
}

static void check_topic(struct world *w, struct topic_model *topic)
{
    bool there = metadata_image_topic(node_image(w->node), str_from(topic->name)) != NULL;
    if ((topic->fact == PRESENT && !there) || (topic->fact == GONE && there)) {
        complain(w, "topic %s is %s", topic->name, there ? "back after its deletion" : "gone");
        return;
    }
    if (topic->fact != GONE)
        topic->fact = there ? PRESENT : topic->fact == GONE_UNKNOWN ? GONE : ABSENT;
    for (int i = 0; there && i < PARTITIONS && !w->failed; i++)
        check_partition(w, topic, i);
}

static void check_all(struct world *w)
{
    for (int i = 0; i < w->topic_count && !w->failed && !is_crashed(w); i++)
        check_topic(w, &w->topics[i]);
}

// --- Steps ---

static void restart(struct world *w)
{
    static const enum sim_crash kinds[] = {SIM_CRASH_KILL, SIM_CRASH_ALL, SIM_CRASH_PREFIX,
                                           SIM_CRASH_RANDOM};
    if (!is_crashed(w))
        sim_fs_crash(w->fs);
    end_life(w);
    w->crashes++;
    sim_fs_restart(w->fs, kinds[prng_below(&w->sim.prng, 4)]);
    // Now and then the next start is cut off as well.
    if (chance(w, 4))
        sim_fs_crash_at(w->fs, 1 + prng_below(&w->sim.prng, 60));
    begin_life(w);
    if (!is_crashed(w) && !w->failed)
        check_all(w);
}

static struct topic_model *any_topic(struct world *w)
{
    struct topic_model *topic =
        w->topic_count > 0 ? &w->topics[prng_below(&w->sim.prng, (uint64_t)w->topic_count)] : NULL;
    return topic != NULL && topic->fact == PRESENT ? topic : NULL;
}

static void step(struct world *w)
{
    uint64_t dice = prng_below(&w->sim.prng, 100);
    struct topic_model *topic = any_topic(w);
    if (dice < 4 && w->topic_count < TOPICS_MAX && !w->op.open)
        create_topic(w);
    else if (dice < 5 && topic != NULL && !w->op.open)
        delete_topic(w, topic);
    else if (dice < 60 && topic != NULL)
        append(w, topic, (int)prng_below(&w->sim.prng, PARTITIONS));
    else if (dice < 90)
        sim_run_for(&w->sim, (int64_t)prng_below(&w->sim.prng, 3000000));
    else if (dice < 91)
        sim_run_for(&w->sim, INT64_C(70000000000)); // checkpoints are written
    else if (dice < 94)
        sim_fs_crash_at(w->fs, 1 + prng_below(&w->sim.prng, 30));
}

// By a chance of its own, which takes none from what else happens.
static void choose_shards(struct world *w, uint64_t seed)
{
    struct prng prng;
    prng_init(&prng, seed ^ SHARDS_CHANCE);
    int count = 1 + (int)prng_below(&prng, SHARDS);
    w->shard_count = w->options->shards > 0 ? w->options->shards : count;
    if (w->shard_count > 1)
        w->sim.message_ns_max = MESSAGE_NS_MAX;
}

// True if nothing was wrong.
static bool run_seed(const struct options *options, uint64_t seed)
{
    struct world *w = mem_new(struct world);
    w->options = options;
    sim_init(&w->sim, seed);
    choose_shards(w, seed);
    w->fs = sim_fs_new(seed, &w->shards[0].clock);
    sim_fs_note_in(w->fs, &w->sim);
    begin_life(w);
    for (int i = 0; i < options->steps && !w->failed; i++) {
        if (is_crashed(w) || !w->ready)
            restart(w);
        else
            step(w);
    }
    if (!w->failed)
        restart(w);
    bool good = !w->failed;
    if (!good && (!options->broken || options->verbose))
        fprintf(stderr, "seed %" PRIu64 ": %s\n", seed, w->message);
    totals.crashes += (uint64_t)w->crashes;
    totals.steps += w->sim.steps;
    totals.hash = totals.hash * 31 + w->sim.hash;
    end_life(w);
    sim_release(&w->sim);
    sim_fs_free(w->fs);
    mem_free(w);
    return good;
}

static int run(const struct options *options)
{
    for (uint64_t seed = options->start; seed < options->start + options->seeds; seed++) {
        if (run_seed(options, seed))
            continue;
        if (options->broken) {
            printf("acknowledging before the commit was caught by seed %" PRIu64 "\n", seed);
            return 0;
        }
        fprintf(stderr, "again: sim_node --seeds 1 --start %" PRIu64 " --steps %d --shards %d "
                        "--verbose\n", seed, options->steps, options->shards);
        return 1;
    }
    printf("%" PRIu64 " seeds from %" PRIu64 ": %" PRIu64 " appends, %" PRIu64 " crashes, %" PRIu64
           " events, state %016" PRIx64 "\n",
           options->seeds, options->start, totals.appends, totals.crashes, totals.steps,
           totals.hash);
    if (options->broken)
        fprintf(stderr, "acknowledging before the commit was not caught\n");
    return options->broken ? 1 : 0;
}

int main(int argc, char **argv)
{
    struct options options = {.seeds = 100, .start = 1, .steps = 300};
    for (int i = 1; i < argc; i++) {
        int64_t value = 0;
        bool has_value = i + 1 < argc && str_parse_i64(str_from(argv[i + 1]), &value);
        if (strcmp(argv[i], "--verbose") == 0) {
            options.verbose = true;
        } else if (strcmp(argv[i], "--broken") == 0) {
            options.broken = true;
        } else if (strcmp(argv[i], "--seeds") == 0 && has_value) {
            options.seeds = (uint64_t)value;
            i++;
        } else if (strcmp(argv[i], "--start") == 0 && has_value) {
            options.start = (uint64_t)value;
            i++;
        } else if (strcmp(argv[i], "--steps") == 0 && has_value) {
            options.steps = (int)value;
            i++;
        } else if (strcmp(argv[i], "--shards") == 0 && has_value && value <= SHARDS) {
            options.shards = (int)value;
            i++;
        } else {
            fprintf(stderr, "usage: sim_node [--seeds N] [--start N] [--steps N] [--shards N] "
                            "[--verbose] [--broken]\n");
            return 2;
        }
    }
    return run(&options);
}
