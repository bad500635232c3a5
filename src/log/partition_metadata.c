// SPDX-License-Identifier: Apache-2.0
#include "log/partition_metadata.h"

#include "base/buf.h"
#include "base/err.h"
#include "log/names.h"
#include "log/small_file.h"

enum { TEXT_MAX = 4096 };

// The value behind "key:" in the next line of *rest, or the null string.
static struct str take_value(struct str *rest, const char *key)
{
    struct str line = str_cut(rest, '\n');
    struct str name = str_cut(&line, ':');
    return line.data != NULL && str_is(str_trim(name), key) ? str_trim(line) : (struct str){0};
}

int partition_metadata_parse(struct str text, struct uuid *topic_id, struct diag *diag)
{
    struct str rest = text;
    struct str version = take_value(&rest, "version");
    int32_t number;
    if (version.data == NULL || !str_parse_i32(version, &number))
        return diag_set(diag, ERR_CORRUPT, "the first line is not \"version: 0\"");
    if (number != 0)
        return diag_set(diag, ERR_UNSUPPORTED, "version %d is not known", (int)number);
    struct str id = rest.data != NULL ? take_value(&rest, "topic_id") : (struct str){0};
    struct uuid found;
    if (id.data == NULL || !uuid_parse(id, &found) || uuid_is_zero(found))
        return diag_set(diag, ERR_CORRUPT, "the second line is not \"topic_id: \" and an id");
    *topic_id = found;
    return 0;
}

int partition_metadata_read(struct env_fs *fs, const char *dir, struct uuid *topic_id,
                            struct diag *diag)
{
    char path[FS_PATH_MAX];
    if (!path_join(path, dir, PARTITION_METADATA_FILE))
        return ERR_LIMIT;
    struct buf text;
    buf_init(&text, TEXT_MAX);
    int err = small_file_read(fs, path, &text);
    if (err < 0)
        diag_set(diag, err, "%s", err_text(err));
    else
        err = partition_metadata_parse(buf_str(&text), topic_id, diag);
    buf_release(&text);
    if (err < 0)
        diag_prefix(diag, "%s", path);
    return err;
}

int partition_metadata_write(struct env_fs *fs, const char *dir, struct uuid topic_id, bool sync)
{
    char path[FS_PATH_MAX];
    if (!path_join(path, dir, PARTITION_METADATA_FILE))
        return ERR_LIMIT;
    struct buf text;
    buf_init(&text, TEXT_MAX);
    buf_printf(&text, "version: 0\ntopic_id: %s", uuid_format(topic_id).text);
    int err = small_file_write(fs, path, buf_bytes(&text), sync);
    buf_release(&text);
    return err;
}

bool topic_id_is_nearly(struct uuid a, struct uuid b)
{
    struct uuid_text x = uuid_format(a), y = uuid_format(b);
    int differ = 0;
    for (size_t i = 0; x.text[i] != '\0'; i++)
        differ += x.text[i] != y.text[i];
    return differ <= 2;
}
