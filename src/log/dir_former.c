// SPDX-License-Identifier: Apache-2.0
//
// Names that a partition cannot be created under yet: entries in the checkpoints have no topic id, so
// one that outlived its partition would be taken, after a crash, for that of the next of its name. It
// would say that more is on disk than the new log ever had, or that its first records are deleted.
#include "base/err.h"
#include "base/mem.h"
#include "log/dir_state.h"

struct former {
    struct map_node node;
    char *topic;
    int32_t partition;
    bool saving; // the save that runs writes checkpoints without it
};

static bool is_named(const struct map_node *node, const void *key)
{
    const struct former *f = container_of(node, struct former, node);
    const struct partition_key *k = key;
    return f->partition == k->partition && str_is(k->topic, f->topic);
}

static void former_free(struct former *f)
{
    mem_free(f->topic);
    mem_free(f);
}

void dir__former_move(struct log_dir *part, const struct log_dir_part_args *args)
{
    struct log_dir *from = part->first;
    struct map_node *next;
    for (struct map_node *n = map_next(&from->former, NULL); n != NULL; n = next) {
        struct former *f = container_of(n, struct former, node);
        struct partition_key key = {str_from(f->topic), f->partition};
        next = map_next(&from->former, n);
        if (!args->takes(args->context, key.topic, key.partition))
            continue;
        map_remove(&from->former, n);
        map_insert(&part->former, &f->node, dir__key_hash(part, key));
    }
}

void dir__former_release(struct log_dir *dir)
{
    struct map_node *node;
    while ((node = map_take_any(&dir->former)) != NULL)
        former_free(container_of(node, struct former, node));
    map_release(&dir->former);
}

void dir__former_add(struct log_dir *dir, struct partition_key key)
{
    uint64_t hash = dir__key_hash(dir, key);
    struct map_node *node = map_find(&dir->former, hash, is_named, &key);
    if (node != NULL) {
        container_of(node, struct former, node)->saving = false; // what is being written may have it
        return;
    }
    struct former *f = mem_new(struct former);
    f->topic = mem_copy_str(key.topic);
    f->partition = key.partition;
    map_insert(&dir->former, &f->node, hash);
}

bool dir__former_has(const struct log_dir *dir, struct partition_key key)
{
    return map_find(&dir->former, dir__key_hash(dir, key), is_named, &key) != NULL;
}

void dir__former_saving(struct log_dir *dir, bool every)
{
    for (struct map_node *n = map_next(&dir->former, NULL); n != NULL; n = map_next(&dir->former, n))
        container_of(n, struct former, node)->saving = every;
}

void dir__former_saved(struct log_dir *dir)
{
    struct map_node *next;
    for (struct map_node *n = map_next(&dir->former, NULL); n != NULL; n = next) {
        struct former *f = container_of(n, struct former, node);
        next = map_next(&dir->former, n);
        if (!f->saving)
            continue;
        map_remove(&dir->former, n);
        former_free(f);
    }
}
