// SPDX-License-Identifier: Apache-2.0
#include "log/names.h"

#include <inttypes.h>
#include <stdio.h>

enum { OFFSET_DIGITS = 20, DIR_NAME_MAX = 255 };

static const struct {
    const char *suffix;
    enum log_file_kind kind;
} kinds[] = {
    {".log", LOG_FILE_LOG},
    {".index", LOG_FILE_INDEX},
    {".timeindex", LOG_FILE_TIME_INDEX},
    {".txnindex", LOG_FILE_TXN_INDEX},
    {".snapshot", LOG_FILE_SNAPSHOT},
};

static const char *const states[] = {
    [LOG_FILE_LIVE] = "",           [LOG_FILE_DELETED] = ".deleted",
    [LOG_FILE_CLEANED] = ".cleaned", [LOG_FILE_SWAP] = ".swap",
    [LOG_FILE_TEMPORARY] = ".tmp",
};

static bool parse_suffix(const char *text, struct log_file_name *out)
{
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        size_t size = strlen(kinds[k].suffix);
        if (strncmp(text, kinds[k].suffix, size) != 0)
            continue;
        for (size_t s = 0; s < sizeof states / sizeof states[0]; s++) {
            if (strcmp(text + size, states[s]) != 0)
                continue;
            out->kind = kinds[k].kind;
            out->state = (enum log_file_state)s;
            return true;
        }
    }
    return false;
}

bool log_file_name_parse(const char *name, struct log_file_name *out)
{
    struct log_file_name found;
    for (int i = 0; i < OFFSET_DIGITS; i++)
        if (name[i] < '0' || name[i] > '9')
            return false;
    if (!str_parse_i64(str_of(name, OFFSET_DIGITS), &found.offset) ||
        !parse_suffix(name + OFFSET_DIGITS, &found))
        return false;
    *out = found;
    return true;
}

const char *log_file_suffix(enum log_file_kind kind)
{
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
        if (kinds[k].kind == kind)
            return kinds[k].suffix;
    return "";
}

bool log_file_state_path(char out[FS_PATH_MAX], const char *dir, int64_t offset,
                         enum log_file_kind kind, enum log_file_state state)
{
    int size = snprintf(out, FS_PATH_MAX, "%s/%020" PRId64 "%s%s", dir, offset, log_file_suffix(kind),
                        states[state]);
    return size > 0 && size < FS_PATH_MAX;
}

bool log_file_path(char out[FS_PATH_MAX], const char *dir, int64_t offset, enum log_file_kind kind)
{
    return log_file_state_path(out, dir, offset, kind, LOG_FILE_LIVE);
}

bool path_join(char out[FS_PATH_MAX], const char *dir, const char *name)
{
    int size = snprintf(out, FS_PATH_MAX, "%s/%s", dir, name);
    return size > 0 && size < FS_PATH_MAX;
}

static const char *const dir_suffixes[] = {
    [LOG_DIR_LIVE] = "", [LOG_DIR_DELETE] = "-delete", [LOG_DIR_FUTURE] = "-future",
    [LOG_DIR_STRAY] = "-stray"};

// "<topic>-<partition>"
static bool parse_partition(struct str name, struct log_dir_name *out)
{
    size_t dash = name.size;
    while (dash > 0 && name.data[dash - 1] != '-')
        dash--;
    if (dash < 2 || dash == name.size || name.data[dash] == '+' || name.data[dash] == '-')
        return false;
    // "a-07" is none of ours: nobody writes it, and by its number it would not be found again.
    int32_t partition;
    if ((name.data[dash] == '0' && name.size - dash > 1) ||
        !str_parse_i32(str_of(name.data + dash, name.size - dash), &partition))
        return false;
    out->topic = str_of(name.data, dash - 1);
    out->partition = partition;
    return true;
}

bool log_dir_name_parse(const char *name, struct log_dir_name *out)
{
    struct str s = str_from(name);
    struct log_dir_name found = {.kind = LOG_DIR_LIVE};
    for (int kind = LOG_DIR_DELETE; kind <= LOG_DIR_STRAY; kind++) {
        if (!str_ends_with(s, dir_suffixes[kind]))
            continue;
        // A topic may be called "a-delete"; its partition's directory ends in a number. With the
        // suffix there is always ".<unique>" before it.
        size_t dot = s.size - strlen(dir_suffixes[kind]);
        while (dot > 0 && s.data[dot - 1] != '.')
            dot--;
        if (dot == 0)
            return false;
        found.kind = (enum log_dir_kind)kind;
        s.size = dot - 1;
        break;
    }
    if (!parse_partition(s, &found))
        return false;
    *out = found;
    return true;
}

void log_dir_name_format(char out[256], struct str topic, int32_t partition, enum log_dir_kind kind,
                         struct uuid unique)
{
    char tail[64] = "";
    if (kind != LOG_DIR_LIVE) {
        char hex[2 * UUID_SIZE + 1];
        for (int i = 0; i < UUID_SIZE; i++)
            snprintf(hex + 2 * i, 3, "%02x", unique.bytes[i]);
        snprintf(tail, sizeof tail, ".%s%s", hex, dir_suffixes[kind]);
    }
    char head[DIR_NAME_MAX + 16];
    snprintf(head, sizeof head, "%.*s-%" PRId32, STR_ARG(topic), partition);
    size_t room = DIR_NAME_MAX - strlen(tail);
    snprintf(out, 256, "%.*s%s", (int)room, head, tail);
}
