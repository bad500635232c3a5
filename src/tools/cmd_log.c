// SPDX-License-Identifier: Apache-2.0
//
// `chitin log dump` and kafka-dump-log (Kafka's DumpLogSegments) over log/dump.h.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "env/env.h"
#include "env/fs.h"
#include "log/dump.h"
#include "tools/commands.h"
#include "tools/kafka.h"

enum { PATH_MAX_SIZE = 2048, DEPTH_MAX = 8 };

// The files of one run, sorted.
struct files {
    char **paths;
    int count;
    int capacity;
};

static void files_add(struct files *f, const char *path)
{
    mem_grow(f->paths, f->count, f->capacity);
    f->paths[f->count++] = mem_copy_text(path);
}

static void files_release(struct files *f)
{
    for (int i = 0; i < f->count; i++)
        mem_free(f->paths[i]);
    mem_free(f->paths);
}

struct walk {
    struct env_fs *fs;
    struct files *files;
    const char *path;
    int depth;
};

static int collect(struct walk *w);

static int collect_entry(void *context, const char *name, enum fs_kind kind)
{
    struct walk *w = context;
    char path[PATH_MAX_SIZE];
    if (snprintf(path, sizeof path, "%s/%s", w->path, name) >= (int)sizeof path)
        return ERR_LIMIT;
    if (kind == FS_KIND_FILE && name[0] != '.')
        files_add(w->files, path);
    if (kind != FS_KIND_DIR || w->depth == DEPTH_MAX)
        return 0;
    struct walk below = {.fs = w->fs, .files = w->files, .path = path, .depth = w->depth + 1};
    return collect(&below);
}

static int collect(struct walk *w)
{
    struct fs_stat stat;
    int err = fs_stat(w->fs, w->path, &stat);
    if (err < 0)
        return err;
    if (stat.kind == FS_KIND_DIR)
        return fs_list(w->fs, w->path, collect_entry, w);
    files_add(w->files, w->path);
    return 0;
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int write_lines(void *context, struct str lines)
{
    struct tool *t = context;
    buf_append_str(&t->out.buf, lines);
    sink_flush_if_large(&t->out);
    return t->out.broken ? ERR_CLOSED : 0;
}

static int dump_path(struct tool *t, struct env *env, const char *path, bool named,
                     const struct dump_options *options)
{
    struct dump_result result;
    struct diag diag;
    diag_clear(&diag);
    int err = dump_file(env->fs, path, options, write_lines, t, &result, &diag);
    if (err == ERR_CLOSED && t->out.broken)
        return EXIT_OK;
    if (err == ERR_UNSUPPORTED && !named)
        return EXIT_OK; // a directory may hold other files too
    if (err < 0)
        return tool_fail(t, err == ERR_NOT_FOUND ? EXIT_NOT_FOUND : EXIT_FAILED, "%s: %s", path,
                         diag.text[0] != '\0' ? diag.text : err_text(err));
    if (result.problems > 0)
        return tool_fail(t, EXIT_FAILED, "%s: %lld damaged place%s, see above", path,
                         (long long)result.problems, result.problems == 1 ? "" : "s");
    return EXIT_OK;
}

// Dumps a file, or every known file below a directory. The first failure decides the status; the
// rest is dumped nevertheless.
static int dump_tree(struct tool *t, const char *path, const struct dump_options *options)
{
    struct diag diag;
    struct env *env = t->host->env(t->host, &diag);
    if (env == NULL)
        return tool_fail(t, EXIT_FAILED, "%s", diag.text);
    struct files files = {0};
    struct walk walk = {.fs = env->fs, .files = &files, .path = path};
    int status = EXIT_OK;
    int err = collect(&walk);
    if (err < 0)
        status = tool_fail(t, err == ERR_NOT_FOUND ? EXIT_NOT_FOUND : EXIT_FAILED, "%s: %s", path,
                           err_text(err));
    if (files.count > 0)
        qsort(files.paths, (size_t)files.count, sizeof *files.paths, compare_paths);
    for (int i = 0; i < files.count && !t->out.broken; i++) {
        bool named = strcmp(files.paths[i], path) == 0;
        int now = dump_path(t, env, files.paths[i], named, options);
        status = status != EXIT_OK ? status : now;
    }
    files_release(&files);
    return status;
}

// --- chitin log dump ---

enum { OUTPUT, RECORDS, VALUES, DECODER, VERIFY };

static const struct flag_def dump_flags[] = {
    [OUTPUT] = {.names = "-o, --output", .argument = "text|json", .kind = FLAG_TEXT,
                .values = "text|json", .fallback = "text",
                .help = "Text as Kafka's DumpLogSegments prints it, or JSON lines."},
    [RECORDS] = {.names = "-r, --records", .kind = FLAG_BOOL,
                 .help = "Show each record, not only batches."},
    [VALUES] = {.names = "-v, --values", .kind = FLAG_BOOL,
                .help = "Show keys and values too."},
    [DECODER] = {.names = "-d, --decoder", .argument = "DECODER", .kind = FLAG_TEXT,
                 .values = "auto|string|metadata|offsets|transactions|share", .fallback = "auto",
                 .help = "What keys and values are: auto (by the directory's name), string, "
                         "metadata, offsets, transactions or share."},
    [VERIFY] = {.names = "--verify", .kind = FLAG_BOOL,
                .help = "Check each index entry against the log beside it."},
};

static enum dump_decoder decoder_of(const char *name)
{
    static const char *const names[] = {
        [DUMP_DECODE_AUTO] = "auto",
        [DUMP_DECODE_STRING] = "string",
        [DUMP_DECODE_METADATA] = "metadata",
        [DUMP_DECODE_OFFSETS] = "offsets",
        [DUMP_DECODE_TRANSACTIONS] = "transactions",
        [DUMP_DECODE_SHARE_STATE] = "share",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return (enum dump_decoder)i;
    return DUMP_DECODE_AUTO;
}

static int dump_run(struct tool *t)
{
    const struct flags *f = &t->flags;
    struct dump_options options = {
        .format = wants_json(t, OUTPUT) ? DUMP_JSON : DUMP_TEXT,
        .decoder = decoder_of(flags_text(f, DECODER)),
        .records = flags_given(f, RECORDS) || flags_given(f, VALUES),
        .payload = flags_given(f, VALUES),
        .index = flags_given(f, VERIFY) ? DUMP_INDEX_ENTRIES_TRUE : DUMP_INDEX_ENTRIES,
    };
    int status = EXIT_OK;
    for (int i = 0; i < f->arg_count && !t->out.broken; i++) {
        int now = dump_tree(t, f->args[i], &options);
        status = status != EXIT_OK ? status : now;
    }
    return status;
}

const struct command command_log_dump = {
    .name = "log dump",
    .arguments = "FILE|DIRECTORY...",
    .summary = "Print what is in log, index, snapshot and checkpoint files.",
    .text = "Reads the files of a broker, running or not; a directory is read with all below it.\n"
            "\n"
            "Examples:\n"
            "  chitin log dump data/orders-0\n"
            "  chitin log dump data/orders-0/00000000000000000000.log -v -o json\n"
            "  chitin log dump data --verify",
    COMMAND_FLAGS(dump_flags),
    .arg_min = 1,
    .arg_max = -1,
    .run = dump_run,
};

// --- kafka-dump-log ---

enum {
    FILES,
    VERSION,
    PRINT_DATA_LOG,
    VERIFY_INDEX_ONLY,
    INDEX_SANITY_CHECK,
    DEEP_ITERATION,
    MAX_MESSAGE_SIZE,
    MAX_BYTES,
    VALUE_DECODER,
    KEY_DECODER,
    OFFSETS_DECODER,
    TRANSACTION_DECODER,
    METADATA_DECODER,
    REMOTE_DECODER,
    SHARE_DECODER,
    SKIP_RECORD_METADATA,
};

static const struct flag_def dump_log_flags[] = {
    [FILES] = {.names = "--files", .argument = "FILE,...", .kind = FLAG_TEXT,
               .help = "The files to dump."},
    [VERSION] = KAFKA_VERSION_FLAG,
    [PRINT_DATA_LOG] = {.names = "--print-data-log", .kind = FLAG_BOOL,
                        .help = "Print keys and values."},
    [VERIFY_INDEX_ONLY] = {.names = "--verify-index-only", .kind = FLAG_BOOL,
                           .help = "Check each index entry against the log beside it."},
    [INDEX_SANITY_CHECK] = {.names = "--index-sanity-check", .kind = FLAG_BOOL,
                            .help = "The same, and say so when all are right."},
    [DEEP_ITERATION] = {.names = "--deep-iteration", .kind = FLAG_BOOL,
                        .help = "Print each record."},
    [MAX_MESSAGE_SIZE] = {.names = "--max-message-size", .argument = "BYTES", .kind = FLAG_I32,
                          .help = NULL},
    [MAX_BYTES] = {.names = "--max-bytes", .argument = "BYTES", .kind = FLAG_I32, .help = NULL},
    [VALUE_DECODER] = {.names = "--value-decoder-class", .argument = "CLASS",
                       .kind = FLAG_OPTIONAL, .help = NULL},
    [KEY_DECODER] = {.names = "--key-decoder-class", .argument = "CLASS", .kind = FLAG_OPTIONAL,
                     .help = NULL},
    [OFFSETS_DECODER] = {.names = "--offsets-decoder", .kind = FLAG_BOOL,
                         .help = "Keys and values are those of __consumer_offsets."},
    [TRANSACTION_DECODER] = {.names = "--transaction-log-decoder", .kind = FLAG_BOOL,
                             .help = "Keys and values are those of __transaction_state."},
    [METADATA_DECODER] = {.names = "--cluster-metadata-decoder", .kind = FLAG_BOOL,
                          .help = "Values are those of the metadata log."},
    [REMOTE_DECODER] = {.names = "--remote-log-metadata-decoder", .kind = FLAG_BOOL, .help = NULL},
    [SHARE_DECODER] = {.names = "--share-group-state-decoder", .kind = FLAG_BOOL,
                       .help = "Keys and values are those of __share_group_state."},
    [SKIP_RECORD_METADATA] = {.names = "--skip-record-metadata", .kind = FLAG_BOOL,
                              .help = "Print keys and values without what surrounds them."},
};

static int dump_log_run(struct tool *t)
{
    const struct flags *f = &t->flags;
    if (kafka_version(t, VERSION))
        return EXIT_OK;
    if (!flags_given(f, FILES))
        return tool_usage(t, "Missing required argument \"[files]\"");
    static const int missing[] = {REMOTE_DECODER, VALUE_DECODER, KEY_DECODER, MAX_BYTES};
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++)
        if (flags_given(f, missing[i])) {
            struct str name = flag_long_name(&f->defs[missing[i]]);
            return tool_fail(t, EXIT_FAILED, "%.*s is not there yet", STR_ARG(name));
        }
    bool decoded = flags_given(f, OFFSETS_DECODER) || flags_given(f, TRANSACTION_DECODER) ||
                   flags_given(f, METADATA_DECODER) || flags_given(f, SHARE_DECODER);
    bool payload = flags_given(f, PRINT_DATA_LOG) || decoded || flags_given(f, SKIP_RECORD_METADATA);
    struct dump_options options = {
        .format = DUMP_TEXT,
        .decoder = flags_given(f, OFFSETS_DECODER)       ? DUMP_DECODE_OFFSETS
                   : flags_given(f, TRANSACTION_DECODER) ? DUMP_DECODE_TRANSACTIONS
                   : flags_given(f, METADATA_DECODER)    ? DUMP_DECODE_METADATA
                   : flags_given(f, SHARE_DECODER)       ? DUMP_DECODE_SHARE_STATE
                                                         : DUMP_DECODE_STRING,
        .records = payload || flags_given(f, DEEP_ITERATION),
        .payload = payload,
        .index = flags_given(f, INDEX_SANITY_CHECK)  ? DUMP_INDEX_SANITY
                 : flags_given(f, VERIFY_INDEX_ONLY) ? DUMP_INDEX_CHECK
                                                     : DUMP_INDEX_ENTRIES,
        .skip_record_metadata = flags_given(f, SKIP_RECORD_METADATA),
    };
    int status = EXIT_OK;
    char *list = mem_copy_text(flags_text(f, FILES));
    for (char *rest = list, *path; (path = strsep(&rest, ",")) != NULL && !t->out.broken;) {
        int now = path[0] != '\0' ? dump_tree(t, path, &options) : EXIT_OK;
        status = status != EXIT_OK ? status : now;
    }
    mem_free(list);
    return status;
}

const struct command alias_dump_log = {
    .name = "kafka-dump-log",
    .arguments = "",
    .summary = "Print what is in log, index and snapshot files.",
    .text = "Example:\n"
            "  kafka-dump-log --print-data-log --files data/test-0/00000000000000000000.log",
    COMMAND_FLAGS(dump_log_flags),
    .mode = FLAGS_ABBREVIATED,
    .run = dump_log_run,
};
