// SPDX-License-Identifier: Apache-2.0
#include "broker/quorum.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/trace.h"
#include "broker/metadata_snapshots.h"
#include "config/config.h"
#include "env/clock.h"
#include "env/env.h"
#include "env/fs.h"
#include "env/mailbox.h"
#include "env/random.h"
#include "env/timer.h"
#include "log/commit.h"
#include "log/dir.h"
#include "log/log.h"
#include "log/names.h"
#include "log/partition_metadata.h"
#include "log/small_file.h"
#include "metadata/image.h"
#include "metadata/loader.h"
#include "wire/batch.h"
#include "wire/errors.h"

enum {
    QUORUM_MAGIC = 0x51554f52,
    QUORUM_STALL_MS = 500,       // between tries to append to a full disk
    QUORUM_READ_BYTES = 8 << 20, // of committed batches handed over at once; one batch always fits
};

static const char area[] = "quorum";

struct quorum {
    unsigned magic;
    struct quorum_args args;
    struct log *log;
    struct raft *raft;
    struct controller *controller;
    struct metadata_loader *loader;
    const struct metadata_image *image;     // committed, with a reference
    const struct metadata_image *bootstrap; // of the 0-0 snapshot; NULL when there is none
    struct metadata_snapshots snapshots;
    struct prng prng;
    struct buf scratch;
    struct buf stalled;           // batches that the full disk has not taken yet
    struct env_timer stall_timer; // the next try
    struct env_message wake; // to answer what was committed without an event of the log
    bool wake_posted;
    bool alone; // no other voter
    bool failed;
    bool stopped;
};

static void do_effects(struct quorum *q, struct raft_out *out);
static void answer_lost(struct quorum *q);

// Nothing may be decided any more; the owner stops the node.
static void fail(struct quorum *q, const char *what, const char *why)
{
    if (q->failed)
        return;
    q->failed = true;
    char text[DIAG_TEXT_MAX];
    snprintf(text, sizeof text, "%s: %s", what, why);
    trace_error(q->args.trace, area, "%s", text);
    answer_lost(q);
    q->args.on_fatal(q->args.owner, text);
}

static int step(struct quorum *q, const struct raft_event *event, struct diag *diag)
{
    struct raft_out out;
    raft_out_init(&out);
    int err = raft_step(q->raft, event, &out, diag);
    if (err == ERR_OK)
        do_effects(q, &out);
    raft_out_release(&out);
    return err;
}

static void step_failed(struct quorum *q, const char *what, const char *why)
{
    struct raft_event event = {.type = RAFT_EVENT_FAILED,
                               .now_ms = env_wall_ms(q->args.env->clock)};
    fail(q, what, why);
    step(q, &event, NULL);
}

// --- Replies ---

static void finish(struct quorum *q, struct controller_waiter *waiter, int kafka_error)
{
    struct quorum_command *command = container_of(waiter, struct quorum_command, waiter);
    command->done(command, kafka_error);
}

static void answer_committed(struct quorum *q)
{
    struct controller_waiter *waiter;
    int64_t committed = raft_high_watermark(q->raft);
    while ((waiter = controller_next_committed(q->controller, committed)) != NULL)
        finish(q, waiter, KAFKA_NONE);
}

static void answer_lost(struct quorum *q)
{
    struct controller_waiter *waiter;
    while ((waiter = controller_next_lost(q->controller)) != NULL)
        finish(q, waiter, KAFKA_NOT_CONTROLLER);
}

static void woken(struct env_message *message)
{
    struct quorum *q = container_of(message, struct quorum, wake);
    q->wake_posted = false;
    answer_committed(q);
    if (q->failed)
        answer_lost(q);
}

// --- Commands ---

static void fill_random(void *context, uint8_t *out, size_t size)
{
    struct quorum *q = context;
    env_random_fill(q->args.env->random, out, size);
}

static struct controller_input input_of(struct quorum *q)
{
    return (struct controller_input){
        .now_ms = env_wall_ms(q->args.env->clock),
        .next_offset = raft_log_end_offset(q->raft),
        .prng = &q->prng,
        .no_room = q->args.has_room(q->args.owner)
                       ? NULL
                       : "The log directories are full; nothing can be created until there is room.",
        .random = fill_random,
        .random_context = q,
    };
}

// Puts what a command yielded into the log. On failure nothing has happened.
static int append_command(struct quorum *q, struct controller_command *cc, struct diag *diag)
{
    int err = ERR_OK;
    if (cc->record_count > 0 && q->stalled.size > 0) {
        err = ERR_NOSPC; // what was decided before goes first
    } else if (cc->record_count > 0) {
        struct raft_event event = {
            .type = RAFT_EVENT_APPEND,
            .now_ms = env_wall_ms(q->args.env->clock),
            .append = {.values = cc->values, .count = cc->record_count, .atomic = cc->atomic},
        };
        err = step(q, &event, diag);
    }
    if (err == ERR_OK)
        controller_accept(q->controller, cc, raft_log_end_offset(q->raft));
    else
        controller_reject(q->controller, cc);
    return err;
}

void quorum_submit(struct quorum *q, struct quorum_command *command)
{
    struct controller_command cc;
    struct diag diag = {{0}};
    if (q->failed || q->stopped) {
        command->done(command, KAFKA_NOT_CONTROLLER);
        return;
    }
    struct controller_input input = input_of(q);
    controller_begin(q->controller, &cc, &input);
    command->run(command, q->controller, &cc);
    int err = append_command(q, &cc, &diag);
    if (err != ERR_OK) {
        if (err != ERR_NOSPC) // that was said once
            trace_warn(q->args.trace, area, "a change of the metadata was refused: %s",
                       diag.text[0] != '\0' ? diag.text : err_text(err));
        command->done(command, err == ERR_LIMIT ? KAFKA_POLICY_VIOLATION : KAFKA_NOT_CONTROLLER);
        return;
    }
    controller_wait(q->controller, &command->waiter, cc.wait_offset);
    // What is committed already must not wait for an append that may never come; but not from in
    // here, since callers expect `done` after their own event. The same for what its own append has ended.
    bool settled = q->failed || cc.wait_offset <= raft_high_watermark(q->raft);
    if (settled && !q->wake_posted) {
        q->wake_posted = true;
        env_post(q->args.env->mailbox, &q->wake);
    }
}

// --- Effects ---

static int write_state(struct quorum *q, const struct quorum_state *state, char path[FS_PATH_MAX])
{
    struct buf text;
    buf_init(&text, QUORUM_STATE_TEXT_MAX);
    quorum_state_format(state, &text);
    snprintf(path, FS_PATH_MAX, "%s/%s", log_path(q->log), QUORUM_STATE_FILE);
    int err = text.failed ? ERR_NOMEM : small_file_replace(q->args.env->fs, path, buf_bytes(&text));
    buf_release(&text);
    return err;
}

// Before a vote or an epoch is acted on it must be on disk; it is rare and one small file. Only who is
// alone need not remember a vote for itself: nobody asks, nothing is written in an epoch before its
// leadership is on disk, which follows at once, and a start that did not get so far begins it again.
static void do_persist(struct quorum *q, const struct quorum_state *state)
{
    char path[FS_PATH_MAX];
    bool only_vote = q->alone && state->leader_id == -1;
    int err = only_vote ? ERR_OK : write_state(q, state, path);
    if (err != ERR_OK) {
        char why[FS_PATH_MAX + 64];
        snprintf(why, sizeof why, "%s: %s%s", path, err_text(err),
                 err == ERR_NOSPC ? "; a start needs some kilobytes: make room there" : "");
        step_failed(q, "cannot write who leads", why);
        return;
    }
    struct raft_event event = {.type = RAFT_EVENT_PERSISTED,
                               .now_ms = env_wall_ms(q->args.env->clock)};
    step(q, &event, NULL);
}

static int append(struct quorum *q, struct bytes batches)
{
    struct log_append_info info;
    int err = log_append_follower(q->log, batches.data, batches.size,
                                  env_wall_ms(q->args.env->clock), &info);
    if (err != ERR_OK)
        return err;
    check(info.verdict == LOG_APPENDED);
    log_committer_add(q->args.committer, q->log);
    return ERR_OK;
}

static void set_stall_timer(struct quorum *q)
{
    env_timer_set(q->args.env->timers, &q->stall_timer,
                  env_mono_ns(q->args.env->clock) + QUORUM_STALL_MS * INT64_C(1000000));
}

// Even the reserve is used up, which only others can have done. Raft has decided on the batch and waits
// for it to be durable; nothing says how soon that must be.
static void stall(struct quorum *q, struct bytes batch)
{
    if (q->stalled.size == 0)
        trace_warn(q->args.trace, area, "%s has no room for a change of the metadata, which waits",
                   log_path(q->log));
    buf_append(&q->stalled, batch.data, batch.size);
    if (q->stalled.failed)
        step_failed(q, "cannot append to the metadata log", err_text(ERR_NOSPC));
    else
        set_stall_timer(q);
}

static void do_append(struct quorum *q, struct bytes batch)
{
    int err = q->stalled.size > 0 ? ERR_NOSPC : append(q, batch);
    if (err == ERR_NOSPC)
        stall(q, batch);
    else if (err != ERR_OK)
        step_failed(q, "cannot append to the metadata log", err_text(err));
}

static void stall_try(struct env_timer *timer)
{
    struct quorum *q = container_of(timer, struct quorum, stall_timer);
    if (q->failed || q->stopped)
        return;
    int err = append(q, buf_bytes(&q->stalled));
    if (err == ERR_NOSPC) {
        set_stall_timer(q);
        return;
    }
    buf_release(&q->stalled);
    if (err != ERR_OK) {
        step_failed(q, "cannot append to the metadata log", err_text(err));
        return;
    }
    trace_info(q->args.trace, area, "the change of the metadata that waited for room is made");
}

static void publish(struct quorum *q)
{
    const struct metadata_image *to = metadata_loader_image(q->loader);
    if (to == q->image)
        return;
    const struct metadata_image *from = q->image;
    q->image = metadata_image_ref(to);
    q->args.on_image(q->args.owner, from, q->image);
    metadata_image_unref(from);
}

static void do_high_watermark(struct quorum *q, int64_t high_watermark)
{
    struct diag diag = {{0}};
    log_set_high_watermark(q->log, high_watermark);
    while (metadata_loader_next_offset(q->loader) < high_watermark) {
        buf_clear(&q->scratch);
        int err = log_read_bytes(q->log, metadata_loader_next_offset(q->loader), QUORUM_READ_BYTES,
                                 true, high_watermark, &q->scratch);
        if (err == ERR_OK && q->scratch.size == 0)
            err = diag_set(&diag, ERR_CORRUPT, "the log ends before its high watermark");
        if (err == ERR_OK) {
            err = metadata_loader_batches(q->loader, buf_bytes(&q->scratch), &diag);
            metadata_snapshots_add(&q->snapshots, q->scratch.size);
        }
        if (err != ERR_OK) {
            fail(q, "cannot read the metadata log", diag.text[0] ? diag.text : err_text(err));
            return;
        }
    }
    buf_release(&q->scratch);
    publish(q);
    answer_committed(q);
    if (controller_is_active(q->controller))
        metadata_snapshots_consider(&q->snapshots, q->raft, q->image);
}

static void snapshot_due(void *owner)
{
    struct quorum *q = owner;
    if (controller_is_active(q->controller))
        metadata_snapshots_consider(&q->snapshots, q->raft, q->image);
}

static void do_lead(struct quorum *q)
{
    struct controller_command cc;
    struct diag diag = {{0}};
    struct controller_input input = input_of(q);
    int err = controller_activate(q->controller, &cc, &input, q->image,
                                  metadata_loader_in_transaction(q->loader), q->bootstrap, &diag);
    if (err == ERR_OK)
        err = append_command(q, &cc, &diag);
    if (err != ERR_OK) {
        fail(q, "the controller cannot start", diag.text[0] ? diag.text : err_text(err));
        return;
    }
    q->args.on_active(q->args.owner);
}

static void do_lost(struct quorum *q)
{
    answer_lost(q);
    controller_resign(q->controller);
}

static void do_effect(struct quorum *q, const struct raft_effect *effect)
{
    switch (effect->type) {
    case RAFT_EFFECT_PERSIST: do_persist(q, &effect->persist); break;
    case RAFT_EFFECT_APPEND: do_append(q, effect->append.batch); break;
    case RAFT_EFFECT_ROLE:
        trace_debug(q->args.trace, area, "%s in epoch %d", raft_role_name(effect->role.role),
                    effect->role.epoch);
        break;
    case RAFT_EFFECT_HIGH_WATERMARK: do_high_watermark(q, effect->high_watermark); break;
    case RAFT_EFFECT_LEAD: do_lead(q); break;
    case RAFT_EFFECT_LOST: do_lost(q); break;
    }
}

static void do_effects(struct quorum *q, struct raft_out *out)
{
    for (size_t i = 0; i < out->count && (!q->failed || out->effects[i].type == RAFT_EFFECT_LOST);
         i++)
        do_effect(q, &out->effects[i]);
}

static void on_durable(struct log *log, void *owner)
{
    struct quorum *q = owner;
    check(q->magic == QUORUM_MAGIC);
    if (q->failed)
        return;
    struct raft_event event = {
        .type = RAFT_EVENT_DURABLE,
        .now_ms = env_wall_ms(q->args.env->clock),
        .durable = {.offset = log_durable_offset(log)},
    };
    step(q, &event, NULL);
}

// --- Opening ---

// A formatted directory has a snapshot and nothing else: what log_open() wants is added first. Its id is
// the same everywhere, so a file that was half written the first time, or damaged, is written again.
static int complete_directory(struct quorum *q, const struct log_args *args)
{
    struct env_fs *fs = q->args.env->fs;
    char path[FS_PATH_MAX];
    struct uuid id;
    struct diag diag;
    diag_clear(&diag);
    snprintf(path, sizeof path, "%s/" METADATA_LOG_DIR, args->dir_path);
    int err = fs_make_dir(fs, path);
    if (err != ERR_OK && err != ERR_EXISTS)
        return err;
    err = partition_metadata_read(fs, path, &id, &diag);
    if (err == ERR_CORRUPT)
        trace_warn(q->args.trace, area, "%s; it is written again", diag.text);
    return err == ERR_NOT_FOUND || err == ERR_CORRUPT
               ? partition_metadata_write(fs, path, args->topic_id, false)
               : err;
}

static int open_log(struct quorum *q, struct diag *diag)
{
    struct log_config config = LOG_CONFIG_DEFAULTS;
    // Snapshots alone decide what may go.
    config.retention_ms = -1;
    config.retention_bytes = -1;
    config.uses_reserve = true;
    config.segment_bytes = config_i64(q->args.config, "metadata.log.segment.bytes");
    config.segment_ms = config_i64(q->args.config, "metadata.log.segment.ms");
    struct log_args args;
    (void)log_dir_create_args(q->args.dir, str_from(METADATA_TOPIC), 0, uuid_from_halves(0, 1), &config,
                              &args); // ERR_AGAIN is no matter: checkpoints have no say here
    // Every segment is scanned at every start: what is read here decides about everything else.
    // After a clean stop nothing in it can be torn.
    args.clean = log_dir_has_clean_mark(q->args.dir);
    args.recovery_point = -1;
    int err = complete_directory(q, &args);
    if (err != ERR_OK)
        return diag_set(diag, err, "cannot prepare the metadata log in %s: %s", args.dir_path,
                        err_text(err));
    err = log_open(&args, &q->log, diag);
    if (err != ERR_OK)
        return err;
    log_dir_add(q->args.dir, q->log);
    log_set_owner(q->log, q, on_durable);
    if (log_is_offline(q->log))
        return diag_set(diag, ERR_CORRUPT, "the metadata log is damaged: %s", log_problem(q->log));
    return ERR_OK;
}

// Gives raft the whole log behind the snapshot: the voters it names hold from when they were written.
static int load_raft(struct quorum *q, int64_t from, struct diag *diag)
{
    int64_t end = log_end_offset(q->log);
    int err = ERR_OK;
    while (err == ERR_OK && from < end) {
        buf_clear(&q->scratch);
        err = log_read_bytes(q->log, from, QUORUM_READ_BYTES, true, end, &q->scratch);
        if (err == ERR_OK && q->scratch.size == 0)
            return diag_set(diag, ERR_CORRUPT, "the metadata log cannot be read at offset %lld",
                            (long long)from);
        if (err == ERR_OK)
            err = raft_load(q->raft, buf_bytes(&q->scratch), diag);
        struct bytes rest = buf_bytes(&q->scratch), batch;
        struct batch_header header;
        while (err == ERR_OK && batch_next(&rest, &header, &batch) == 1)
            from = batch_last_offset(&header) + 1;
    }
    return err;
}

static int load(struct quorum *q, struct diag *diag)
{
    struct snapshot_id latest = {0, 0};
    int err = metadata_snapshots_load(&q->snapshots, q->loader, q->raft, &q->bootstrap, &latest, diag);
    if (err != ERR_OK)
        return err;
    int64_t start = log_start_offset(q->log);
    if (start > latest.end_offset)
        return diag_set(diag, ERR_CORRUPT,
                        "the metadata log begins at offset %lld but the newest snapshot ends at %lld: "
                        "a snapshot in %s is missing. Restore it from a backup",
                        (long long)start, (long long)latest.end_offset, log_path(q->log));
    if (latest.end_offset > log_end_offset(q->log)) {
        // The snapshot was fetched, then the node stopped before it could cut the log.
        err = log_truncate_fully_and_start_at(q->log, latest.end_offset);
        if (err != ERR_OK)
            return diag_set(diag, err, "cannot cut the metadata log: %s", err_text(err));
    }
    q->image = metadata_image_ref(metadata_loader_image(q->loader));
    return load_raft(q, latest.end_offset, diag);
}

int quorum_open(const struct quorum_args *args, struct quorum **out, struct diag *diag)
{
    struct quorum *q = mem_new(struct quorum);
    q->magic = QUORUM_MAGIC;
    q->args = *args;
    q->wake.receive = woken;
    q->alone = args->voter_count == 1 && args->voters[0].id == args->node_id;
    q->stall_timer.fire = stall_try;
    buf_init(&q->stalled, 2 * RAFT_BATCH_SIZE_MAX);
    buf_init(&q->scratch, RAFT_BATCH_SIZE_MAX + QUORUM_READ_BYTES);
    uint64_t seed;
    env_random_fill(args->env->random, &seed, sizeof seed);
    prng_init(&q->prng, seed);
    struct raft_options raft_options = {
        .node_id = args->node_id,
        .directory_id = log_dir_meta(args->dir)->directory_id,
        .voters = args->voters,
        .voter_count = args->voter_count,
        .trace = args->trace,
    };
    struct controller_options controller_options = {
        .cluster_id = args->cluster_id,
        .config = args->config,
        .session_timeout_ms = config_i64(args->config, "broker.session.timeout.ms"),
        .trace = args->trace,
    };
    q->raft = raft_new(&raft_options);
    q->controller = controller_new(&controller_options);
    q->loader = metadata_loader_new();
    int err = open_log(q, diag);
    if (err == ERR_OK) {
        metadata_snapshots_init(&q->snapshots, args->env, args->trace, args->config, q->log);
        q->snapshots.due = snapshot_due;
        q->snapshots.owner = q;
        err = load(q, diag);
    }
    if (err != ERR_OK) {
        quorum_free(q);
        return err;
    }
    *out = q;
    return ERR_OK;
}

static int quorum_state_lost(struct quorum *q, const char *path, const char *why)
{
    if (log_end_offset(q->log) > 0)
        trace_error(q->args.trace, area, "%s: %s; going on with the epoch of the log%s", path, why,
                    q->alone ? "" : ". Whom this node voted for is forgotten");
    return ERR_OK;
}

static int read_quorum_state(struct quorum *q, struct quorum_state *state, struct diag *diag)
{
    char path[FS_PATH_MAX];
    struct buf text;
    quorum_state_init(state);
    buf_init(&text, QUORUM_STATE_TEXT_MAX);
    snprintf(path, sizeof path, "%s/%s", log_path(q->log), QUORUM_STATE_FILE);
    int err = small_file_read(q->args.env->fs, path, &text);
    if (err == ERR_OK)
        err = quorum_state_parse(state, buf_str(&text), diag);
    else if (err == ERR_NOT_FOUND)
        err = quorum_state_lost(q, path, "is missing");
    // Who is alone gives its vote to nobody else, and its epoch is in the log.
    if (err == ERR_CORRUPT && q->alone) {
        quorum_state_init(state);
        err = quorum_state_lost(q, path, diag->text);
        diag_clear(diag);
    }
    if (err != ERR_OK)
        diag_prefix(diag, "cannot read %s", path);
    buf_release(&text);
    return err;
}

int quorum_start(struct quorum *q, struct diag *diag)
{
    struct quorum_state state;
    int err = read_quorum_state(q, &state, diag);
    if (err != ERR_OK)
        return err;
    int32_t last_epoch = log_latest_epoch(q->log);
    struct snapshot_id latest = metadata_snapshots_latest(&q->snapshots);
    struct raft_event event = {
        .type = RAFT_EVENT_START,
        .now_ms = env_wall_ms(q->args.env->clock),
        .start = {
            .state = &state,
            .log_end_offset = log_end_offset(q->log),
            .last_epoch = last_epoch > latest.epoch ? last_epoch : latest.epoch,
        },
    };
    return step(q, &event, diag);
}

// --- Stopping and asking ---

void quorum_log_failed(struct quorum *q, const char *why)
{
    if (!q->failed)
        step_failed(q, "the metadata log cannot be written any more, so the node stops", why);
}

void quorum_stop(struct quorum *q)
{
    struct raft_event event = {.type = RAFT_EVENT_RESIGN,
                               .now_ms = env_wall_ms(q->args.env->clock)};
    q->stopped = true;
    if (!q->failed && controller_is_active(q->controller) && q->args.has_room(q->args.owner))
        metadata_snapshots_last(&q->snapshots, q->raft, q->image);
    metadata_snapshots_stop(&q->snapshots);
    step(q, &event, NULL);
    answer_lost(q);
}

void quorum_free(struct quorum *q)
{
    if (q == NULL)
        return;
    check(q->magic == QUORUM_MAGIC);
    if (q->log != NULL)
        log_set_owner(q->log, NULL, NULL);
    if (q->snapshots.env != NULL) // or else the log could not be opened
        metadata_snapshots_release(&q->snapshots);
    controller_free(q->controller);
    raft_free(q->raft);
    metadata_image_unref(q->image);
    metadata_image_unref(q->bootstrap);
    metadata_loader_free(q->loader);
    buf_release(&q->scratch);
    buf_release(&q->stalled);
    env_timer_cancel(q->args.env->timers, &q->stall_timer);
    q->magic = 0;
    mem_free(q);
}

const struct metadata_image *quorum_image(const struct quorum *q)
{
    return q->image;
}

const struct metadata_image *quorum_latest_image(const struct quorum *q)
{
    const struct metadata_image *newest = controller_image(q->controller);
    return newest != NULL ? newest : q->image;
}

bool quorum_is_idle(const struct quorum *q)
{
    return !q->snapshots.writing && !q->wake_posted;
}

int32_t quorum_leader_id(const struct quorum *q)
{
    return raft_leader_id(q->raft);
}

int16_t quorum_kraft_version(const struct quorum *q)
{
    return raft_kraft_version(q->raft);
}

struct prng *quorum_prng(struct quorum *q)
{
    return &q->prng;
}
