// SPDX-License-Identifier: Apache-2.0
//
// The small files of a log directory: checkpoints, leader epochs, partition.metadata, meta.properties, and
// what directories held.
// What is read must come out as it went in.
#include "base/check.h"
#include "fuzz.h"
#include "log/checkpoint.h"
#include "log/dir_cache.h"
#include "log/epoch_cache.h"
#include "log/meta_properties.h"
#include "log/names.h"
#include "log/partition_metadata.h"

static void try_checkpoint(struct str text)
{
    struct checkpoint c;
    struct diag diag;
    checkpoint_init(&c);
    if (checkpoint_parse(&c, text, &diag) == 0) {
        struct checkpoint again;
        struct buf out;
        buf_init(&out, CHECKPOINT_TEXT_MAX);
        checkpoint_init(&again);
        checkpoint_format_begin(&out, c.count);
        for (int i = 0; i < c.count; i++)
            checkpoint_format_entry(&out, c.entries[i].topic, c.entries[i].partition,
                                    c.entries[i].offset);
        check(checkpoint_parse(&again, buf_str(&out), &diag) == 0 && again.count == c.count);
        for (int i = 0; i < c.count; i++)
            check(checkpoint_find(&again, c.entries[i].topic, c.entries[i].partition) >= 0);
        checkpoint_release(&again);
        buf_release(&out);
    }
    checkpoint_release(&c);
}

static void try_epochs(struct str text)
{
    struct epoch_cache c;
    struct diag diag;
    epoch_cache_init(&c);
    if (epoch_cache_parse(&c, text, &diag) == 0) {
        int32_t epoch;
        int64_t end;
        for (int i = 0; i < c.count; i++) {
            epoch_cache_end(&c, c.entries[i].epoch, INT64_MAX, &epoch, &end);
            check(epoch == c.entries[i].epoch && end >= c.entries[i].start_offset);
        }
        epoch_cache_truncate_start(&c, 100);
        epoch_cache_truncate_end(&c, 1000);
        epoch_cache_assign(&c, 7, 500);
    }
    epoch_cache_release(&c);
}

static void try_meta(struct str text)
{
    struct properties p;
    struct log_dir_meta meta;
    struct diag diag;
    properties_init(&p);
    if (properties_parse(&p, text, &diag) == 0 && meta_properties_read(&p, &meta, &diag) == 0 &&
        meta.version == 1) {
        struct buf out;
        struct properties again;
        struct log_dir_meta same;
        buf_init(&out, 1 << 24);
        properties_init(&again);
        meta_properties_format(&p, meta.node_id, meta.cluster_id, meta.directory_id, &out);
        if (!uuid_is_zero(meta.directory_id) && out.size < PROPERTIES_TEXT_MAX) {
            check(properties_parse(&again, buf_str(&out), &diag) == 0);
            check(meta_properties_read(&again, &same, &diag) == 0);
            check(same.node_id == meta.node_id && str_equal(same.cluster_id, meta.cluster_id));
        }
        properties_release(&again);
        buf_release(&out);
    }
    properties_release(&p);
}

// With the right CRC behind it, or nothing would pass.
static void try_dir_cache(struct str text)
{
    struct dir_cache c, again;
    struct diag diag;
    dir_cache_init(&c);
    dir_cache_init(&again);
    buf_append_str(&c.text, text);
    dir_cache_format_end(&c.text);
    if (dir_cache_parse(&c, &diag) == 0) {
        dir_cache_format_begin(&again.text);
        for (int i = 0; i < c.dir_count; i++)
            dir_cache_format_entry(&again.text, &c.dirs[i]);
        dir_cache_format_end(&again.text);
        check(dir_cache_parse(&again, &diag) == 0);
        check(again.dir_count == c.dir_count && again.segment_count == c.segment_count);
        for (int i = 0; i < c.dir_count; i++)
            check(dir_stamp_equal(c.dirs[i].stamp, again.dirs[i].stamp) &&
                  c.dirs[i].segments->base_offset == again.dirs[i].segments->base_offset);
    }
    dir_cache_release(&c);
    dir_cache_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = str_of((const char *)data, size);
    struct uuid id;
    struct diag diag;
    char name[256];
    struct log_file_name file;
    struct log_dir_name dir;
    try_checkpoint(text);
    try_epochs(text);
    try_meta(text);
    try_dir_cache(text);
    partition_metadata_parse(text, &id, &diag);
    if (str_copy_to(text, name, sizeof name)) {
        log_file_name_parse(name, &file);
        log_dir_name_parse(name, &dir);
    }
    return 0;
}
