// SPDX-License-Identifier: Apache-2.0
//
// `chitin log verify`: log/verify.h and tools/verify_metadata.h, shown.
#include <stdio.h>

#include "base/err.h"
#include "base/mem.h"
#include "env/env.h"
#include "env/fs.h"
#include "log/names.h"
#include "log/verify.h"
#include "metadata/image.h"
#include "tools/commands.h"
#include "tools/kafka.h"
#include "tools/output.h"
#include "tools/verify_metadata.h"

enum { OUTPUT };

static const struct flag_def verify_flags[] = {
    [OUTPUT] = {.names = "-o, --output", .argument = "table|json", .kind = FLAG_TEXT,
                .values = "table|json", .fallback = "table",
                .help = "Findings for people, or one JSON object per line."},
};

// A directory's name and the topic id that it claims.
struct claim {
    char *path; // of its partition.metadata
    char *topic;
    int32_t partition;
    bool has_topic_id;
    struct uuid topic_id;
};

struct run {
    struct tool *t;
    const char *dir;
    bool json;
    bool progress; // was shown, and has to be wiped
    int64_t shown_bytes;
    int64_t findings[VERIFY_DAMAGE + 1];
    struct claim *claims; // of all directories of this run
    int claim_count;
    int claim_capacity;
};

static void wipe_progress(struct run *run)
{
    if (run->progress)
        buf_append_text(&run->t->err.buf, "\r\033[K");
    run->progress = false;
    sink_flush(&run->t->err);
}

static void show_json(struct run *run, const struct verify_finding *f, const char *level)
{
    struct json_printer p;
    json_printer_init(&p, &run->t->out.buf);
    json_object_begin(&p);
    json_member_str(&p, "level", str_from(level));
    json_member_str(&p, "file", str_from(f->path));
    json_member_int(&p, "position", f->position);
    json_member_int(&p, "offset", f->offset);
    json_member_int(&p, "endOffset", f->end_offset);
    json_member_str(&p, "problem", str_from(f->what));
    json_member_str(&p, "remedy", str_from(f->remedy));
    json_object_end(&p);
    buf_append_text(&run->t->out.buf, "\n");
}

static void show_text(struct run *run, const struct verify_finding *f, const char *level)
{
    struct buf *out = &run->t->out.buf;
    buf_printf(out, "%s  %s", level, f->path);
    if (f->position >= 0)
        buf_printf(out, ": position %lld", (long long)f->position);
    buf_printf(out, ": %s", f->what);
    if (f->offset >= 0 && f->end_offset > f->offset)
        buf_printf(out, " (offsets %lld to %lld)", (long long)f->offset, (long long)f->end_offset - 1);
    else if (f->offset >= 0)
        buf_printf(out, " (from offset %lld on)", (long long)f->offset);
    buf_printf(out, "\n        %s\n", f->remedy);
}

static void found(void *context, const struct verify_finding *f)
{
    static const char *const levels[] = {
        [VERIFY_NOTE] = "note", [VERIFY_REPAIR] = "repair", [VERIFY_DAMAGE] = "DAMAGE"};
    static const char *const json_levels[] = {
        [VERIFY_NOTE] = "note", [VERIFY_REPAIR] = "repair", [VERIFY_DAMAGE] = "damage"};
    struct run *run = context;
    wipe_progress(run);
    run->findings[f->level]++;
    if (run->json)
        show_json(run, f, json_levels[f->level]);
    else
        show_text(run, f, levels[f->level]);
    sink_flush_if_large(&run->t->out);
}

static void claimed(void *context, const struct verify_partition *p)
{
    struct run *run = context;
    char path[FS_PATH_MAX];
    if (str_is(p->topic, METADATA_TOPIC) ||
        snprintf(path, sizeof path, "%s/%s/partition.metadata", run->dir, p->name) >= (int)sizeof path)
        return;
    mem_grow(run->claims, run->claim_count, run->claim_capacity);
    run->claims[run->claim_count++] = (struct claim){
        .path = mem_copy_text(path), .topic = mem_copy_str(p->topic), .partition = p->partition,
        .has_topic_id = p->has_topic_id, .topic_id = p->topic_id};
}

static int progress(void *context, const char *path, int64_t bytes, int64_t total)
{
    struct run *run = context;
    if (run->t->out.broken)
        return ERR_CLOSED;
    if (bytes - run->shown_bytes < 64 << 20)
        return 0;
    run->shown_bytes = bytes;
    run->progress = true;
    buf_printf(&run->t->err.buf, "\r\033[K%3d %%  %s",
               total > 0 ? (int)(100.0 * (double)bytes / (double)total) : 0, path);
    sink_flush(&run->t->err);
    return 0;
}

// The topics that the metadata knows against those that the partitions claim to be of.
static void compare_ids(struct run *run, const struct metadata_image *image)
{
    for (int i = 0; i < run->claim_count; i++) {
        const struct claim *c = &run->claims[i];
        struct verify_finding f = {.level = VERIFY_DAMAGE, .path = c->path, .position = -1, .offset = -1,
                                   .end_offset = -1};
        const struct metadata_topic *named = metadata_image_topic(image, str_from(c->topic));
        if (!c->has_topic_id || (named != NULL && uuid_equal(named->id, c->topic_id)))
            continue;
        f.what = named != NULL ? "its topic id is not the one that the metadata has for that name"
                               : "the metadata has no topic of that name";
        f.remedy = named != NULL
                       ? "if the directory is the topic's, remove this file and start: it is made again"
                       : "a broker sets the partition aside as -stray; remove it when it is not needed";
        f.level = named != NULL ? VERIFY_DAMAGE : VERIFY_NOTE;
        found(run, &f);
    }
}

static int failed(struct run *run, int err, const char *text)
{
    int status = err == ERR_NOT_FOUND ? EXIT_NOT_FOUND : err == ERR_BUSY ? EXIT_UNREACHABLE : EXIT_FAILED;
    wipe_progress(run);
    return tool_fail(run->t, status, "%s", text);
}

static int verify_one(struct run *run, struct env *env, const char *dir,
                      const struct metadata_image **image)
{
    struct verify_result result;
    struct diag diag;
    diag_clear(&diag);
    run->dir = dir;
    run->shown_bytes = 0;
    struct verify_args args = {
        .fs = env->fs, .dir = dir, .context = run, .found = found, .partition = claimed,
        .progress = run->t->host->error_is_terminal ? progress : NULL,
    };
    int err = verify_dir(&args, &result, &diag);
    if (err == ERR_CLOSED && run->t->out.broken)
        return EXIT_OK;
    if (err < 0)
        return failed(run, err, diag.text[0] != '\0' ? diag.text : err_text(err));
    const struct metadata_image *here;
    bool found_log;
    err = verify_metadata(&args, &here, &found_log);
    if (err < 0)
        return failed(run, err, err_text(err));
    if (here != NULL && *image == NULL)
        *image = here;
    else
        metadata_image_unref(here);
    wipe_progress(run);
    if (!run->json)
        buf_printf(&run->t->out.buf, "%s: %lld partitions, %lld segments, %lld batches, %lld bytes read\n",
                   dir, (long long)result.partitions, (long long)result.segments,
                   (long long)result.batches, (long long)result.bytes);
    return EXIT_OK;
}

static int verify_run(struct tool *t)
{
    struct run run = {.t = t, .json = wants_json(t, OUTPUT)};
    const struct metadata_image *image = NULL;
    struct diag diag;
    struct env *env = t->host->env(t->host, &diag);
    if (env == NULL)
        return tool_fail(t, EXIT_FAILED, "%s", diag.text);
    int status = EXIT_OK;
    for (int i = 0; i < t->flags.arg_count && !t->out.broken; i++) {
        int now = verify_one(&run, env, t->flags.args[i], &image);
        status = status != EXIT_OK ? status : now;
    }
    if (image != NULL)
        compare_ids(&run, image);
    metadata_image_unref(image);
    for (int i = 0; i < run.claim_count; i++) {
        mem_free(run.claims[i].path);
        mem_free(run.claims[i].topic);
    }
    mem_free(run.claims);
    int64_t bad = run.findings[VERIFY_DAMAGE] + run.findings[VERIFY_REPAIR];
    if (bad > 0 && status == EXIT_OK)
        status = tool_fail(t, EXIT_FAILED, "%lld damaged place%s, of which a broker repairs %lld by itself",
                           (long long)bad, bad == 1 ? "" : "s", (long long)run.findings[VERIFY_REPAIR]);
    else if (!run.json && status == EXIT_OK)
        buf_append_text(&t->out.buf, "no damage\n");
    return status;
}

const struct command command_log_verify = {
    .name = "log verify",
    .arguments = "DIRECTORY...",
    .summary = "Check closed log directories, Chitin's or Apache Kafka's.",
    .text = "Reads every file of the entries of log.dirs that are named and says what is damaged: where,\n"
            "what it means, what to do. Changes nothing. Name all of a broker's directories together:\n"
            "topic ids are compared with the metadata log, which is in one of them.\n"
            "\n"
            "  DAMAGE  records, metadata or identity are at stake\n"
            "  repair  a broker makes it again from the log by itself\n"
            "  note    worth knowing\n"
            "\n"
            "Exit status: 0 no damage, 1 damage found or something could not be read, 2 wrong usage,\n"
            "3 no such directory, 5 a broker is running on it.\n"
            "\n"
            "Examples:\n"
            "  chitin log verify data\n"
            "  chitin log verify /disk1/kafka /disk2/kafka -o json",
    COMMAND_FLAGS(verify_flags),
    .arg_min = 1,
    .arg_max = -1,
    .run = verify_run,
};
