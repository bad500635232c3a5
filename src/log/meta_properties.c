// SPDX-License-Identifier: Apache-2.0
#include "log/meta_properties.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/err.h"

static int read_node_id(const struct properties *p, const char *key, int32_t *out, struct diag *diag)
{
    const char *text = properties_get(p, key);
    if (text != NULL && !str_parse_i32(str_from(text), out))
        return diag_set(diag, ERR_CORRUPT, "%s=%s is not a number", key, text);
    return 0;
}

int meta_properties_read(const struct properties *p, struct log_dir_meta *out, struct diag *diag)
{
    const char *version = properties_get(p, "version");
    int32_t number = 0;
    if (version == NULL)
        return diag_set(diag, ERR_CORRUPT, "version is missing");
    if (!str_parse_i32(str_from(version), &number) || number < 0)
        return diag_set(diag, ERR_CORRUPT, "version=%s is not a version", version);
    if (number > 1)
        return diag_set(diag, ERR_UNSUPPORTED, "version=%s is newer than 1", version);
    struct log_dir_meta meta = {.version = (int)number, .node_id = -1};
    meta.cluster_id = str_from(properties_get(p, "cluster.id"));
    int err = read_node_id(p, number == 0 ? "broker.id" : "node.id", &meta.node_id, diag);
    if (err < 0)
        return err;
    if (number == 1 && (meta.node_id < 0 || meta.cluster_id.size == 0))
        return diag_set(diag, ERR_CORRUPT, "%s is missing",
                        meta.node_id < 0 ? "node.id" : "cluster.id");
    const char *directory = properties_get(p, "directory.id");
    if (directory != NULL && (!uuid_parse(str_from(directory), &meta.directory_id) ||
                              uuid_is_reserved(meta.directory_id)))
        return diag_set(diag, ERR_CORRUPT, "directory.id=%s is not an id of a directory", directory);
    *out = meta;
    return 0;
}

void meta_properties_format(const struct properties *old, int32_t node_id, struct str cluster_id,
                            struct uuid directory_id, struct buf *out)
{
    static const char *const ours[] = {"node.id", "directory.id", "version", "cluster.id",
                                       "broker.id"};
    char number[16];
    snprintf(number, sizeof number, "%" PRId32, node_id);
    struct uuid_text directory = uuid_format(directory_id);
    buf_append_text(out, "#\n");
    properties_format_line(out, str_from("node.id"), str_from(number));
    properties_format_line(out, str_from("directory.id"), str_from(directory.text));
    properties_format_line(out, str_from("version"), str_from("1"));
    properties_format_line(out, str_from("cluster.id"), cluster_id);
    for (int i = 0; i < old->count; i++) {
        bool known = false;
        for (size_t k = 0; k < sizeof ours / sizeof ours[0]; k++)
            known |= strcmp(old->items[i].key, ours[k]) == 0;
        if (!known)
            properties_format_line(out, str_from(old->items[i].key), str_from(old->items[i].value));
    }
}
