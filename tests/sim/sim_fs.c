// SPDX-License-Identifier: Apache-2.0
//
// A file holds its contents as they are, as they are on disk, and the changes between the two. A block
// that survives a power loss shows the file after some number of these changes; another block may show
// another number. Directories are the same with entries for blocks.
#include "sim_fs.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/err.h"
#include "base/list.h"
#include "base/mem.h"
#include "sim_env.h"

enum { SECTOR = 512, PAGE = 4096 };

struct image {
    uint8_t *data;
    int64_t size;
    int64_t capacity;
};

// One change of a file: a write, or (data == NULL) a truncation.
struct change {
    int64_t position; // or the new size
    int64_t size;
    uint8_t *data;
};

struct node;

struct entry {
    char *name;
    struct node *node;
};

struct entries {
    struct entry *items; // sorted by name
    int count;
    int capacity;
};

// One change of a directory: `from` (if any) goes, `to` (if any) becomes `node`.
struct entry_change {
    char *from;
    char *to;
    struct node *node;
};

struct node {
    int refs; // entries in either state, changes, handles
    bool is_dir;
    bool locked;
    int64_t modified_ms;
    uint64_t id;
    int64_t changed_ns;
    struct image now;
    struct image disk;
    struct change *changes;
    int change_count;
    int change_capacity;
    struct entries entries_now;
    struct entries entries_disk;
    struct entry_change *entry_changes;
    int entry_change_count;
    int entry_change_capacity;
};

struct sim_fs {
    struct env_fs env;
    struct prng prng;
    struct env_clock *clock;
    struct sim *sim; // whose hash it notes changes in, or NULL
    struct node *root;
    uint64_t counts[6];
    uint64_t fail_nth;
    unsigned fail_ops;
    int fail_err;
    bool fail_sticky;
    bool failed;
    uint64_t crash_nth;
    bool crashed;
    int64_t capacity;
    int64_t used;
    int open_count;
    uint64_t sync_alls;
    uint64_t last_id;
};

struct handle {
    struct fs_file file;
    struct sim_fs *fs;
    struct node *node;
    bool locked;
};

// ---- Images ----

static void image_resize(struct image *m, int64_t size)
{
    if (size > m->capacity) {
        m->capacity = size * 2;
        m->data = mem_resize(m->data, (size_t)m->capacity);
    }
    if (size > m->size)
        memset(m->data + m->size, 0, (size_t)(size - m->size));
    m->size = size;
}

static void image_write(struct image *m, int64_t position, const uint8_t *data, int64_t size)
{
    if (position + size > m->size)
        image_resize(m, position + size);
    memcpy(m->data + position, data, (size_t)size);
}

static void image_copy(struct image *to, const struct image *from)
{
    image_resize(to, from->size);
    if (from->size > 0)
        memcpy(to->data, from->data, (size_t)from->size);
}

static void image_apply(struct image *m, const struct change *c)
{
    if (c->data != NULL)
        image_write(m, c->position, c->data, c->size);
    else
        image_resize(m, c->position);
}

// ---- Nodes and entries ----

static struct node *node_new(struct sim_fs *fs, bool is_dir)
{
    struct node *n = mem_new(struct node);
    n->is_dir = is_dir;
    n->id = ++fs->last_id;
    return n;
}

static void node_put(struct node *n);

static struct node *node_get(struct node *n)
{
    if (n != NULL)
        n->refs++;
    return n;
}

static void entries_release(struct entries *e)
{
    for (int i = 0; i < e->count; i++) {
        mem_free(e->items[i].name);
        node_put(e->items[i].node);
    }
    mem_free(e->items);
    *e = (struct entries){0};
}

static void changes_clear(struct node *n)
{
    for (int i = 0; i < n->change_count; i++)
        mem_free(n->changes[i].data);
    n->change_count = 0;
}

static void entry_changes_clear(struct node *n)
{
    for (int i = 0; i < n->entry_change_count; i++) {
        mem_free(n->entry_changes[i].from);
        mem_free(n->entry_changes[i].to);
        node_put(n->entry_changes[i].node);
    }
    n->entry_change_count = 0;
}

static void node_put(struct node *n)
{
    if (n == NULL || --n->refs > 0)
        return;
    entries_release(&n->entries_now);
    entries_release(&n->entries_disk);
    entry_changes_clear(n);
    changes_clear(n);
    mem_free(n->entry_changes);
    mem_free(n->changes);
    mem_free(n->now.data);
    mem_free(n->disk.data);
    mem_free(n);
}

static int entries_index(const struct entries *e, const char *name, bool *found)
{
    int low = 0, high = e->count;
    *found = false;
    while (low < high) {
        int middle = (low + high) / 2;
        int order = strcmp(e->items[middle].name, name);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct node *entries_find(const struct entries *e, const char *name)
{
    bool found;
    int i = entries_index(e, name, &found);
    return found ? e->items[i].node : NULL;
}

static void entries_remove(struct entries *e, const char *name)
{
    bool found;
    int i = entries_index(e, name, &found);
    if (!found)
        return;
    mem_free(e->items[i].name);
    node_put(e->items[i].node);
    e->count--;
    memmove(e->items + i, e->items + i + 1, (size_t)(e->count - i) * sizeof *e->items);
}

static void entries_set(struct entries *e, const char *name, struct node *node)
{
    bool found;
    node_get(node);
    int i = entries_index(e, name, &found);
    if (found) {
        node_put(e->items[i].node);
        e->items[i].node = node;
        return;
    }
    mem_grow(e->items, e->count, e->capacity);
    memmove(e->items + i + 1, e->items + i, (size_t)(e->count - i) * sizeof *e->items);
    e->items[i] = (struct entry){.name = mem_copy_text(name), .node = node};
    e->count++;
}

static void entries_apply(struct entries *e, const struct entry_change *c)
{
    if (c->from != NULL)
        entries_remove(e, c->from);
    if (c->to != NULL)
        entries_set(e, c->to, c->node);
}

static void change_entry(struct sim_fs *fs, struct node *dir, const char *from, const char *to,
                         struct node *node)
{
    dir->changed_ns = env_wall_ms(fs->clock) * 1000000;
    if (node != NULL && node->changed_ns == 0)
        node->changed_ns = dir->changed_ns;
    mem_grow(dir->entry_changes, dir->entry_change_count, dir->entry_change_capacity);
    struct entry_change *c = &dir->entry_changes[dir->entry_change_count++];
    *c = (struct entry_change){
        .from = mem_copy_text(from), .to = mem_copy_text(to), .node = node_get(node)};
    entries_apply(&dir->entries_now, c);
}

// ---- Paths ----

// The directory that holds the last part of `path`, and that part.
static struct node *find_parent(struct sim_fs *fs, const char *path, char name[FS_PATH_MAX])
{
    struct node *dir = fs->root;
    struct str rest = str_from(path), part = str_cut(&rest, '/');
    while (rest.data != NULL) {
        if (part.size > 0) {
            if (!str_copy_to(part, name, FS_PATH_MAX))
                return NULL;
            dir = entries_find(&dir->entries_now, name);
            if (dir == NULL || !dir->is_dir)
                return NULL;
        }
        part = str_cut(&rest, '/');
    }
    return str_copy_to(part, name, FS_PATH_MAX) ? dir : NULL;
}

static struct node *find(struct sim_fs *fs, const char *path)
{
    char name[FS_PATH_MAX];
    struct node *dir = find_parent(fs, path, name);
    if (dir == NULL || name[0] == '\0')
        return dir;
    return entries_find(&dir->entries_now, name);
}

// ---- Faults ----

// Counts an operation: 0, or the error that it is to fail with.
static int enter(struct sim_fs *fs, enum sim_op op)
{
    if (fs->crashed)
        return ERR_CLOSED;
    fs->counts[__builtin_ctz(op)]++;
    if (fs->sim != NULL && (op & SIM_OP_MUTATE))
        sim_note(fs->sim, op);
    if ((op & SIM_OP_MUTATE) && fs->crash_nth > 0 && --fs->crash_nth == 0) {
        fs->crashed = true;
        return ERR_CLOSED;
    }
    if ((op & fs->fail_ops) == 0)
        return 0;
    if (fs->fail_nth > 0 && --fs->fail_nth == 0)
        fs->failed = true;
    else if (!fs->failed || !fs->fail_sticky)
        return 0;
    if (!fs->fail_sticky)
        fs->fail_ops = 0;
    return fs->fail_err;
}

// ---- Files ----

static struct handle *handle_of(struct fs_file *file)
{
    return container_of(file, struct handle, file);
}

static int64_t sim_read(struct fs_file *file, void *out, size_t size, int64_t position)
{
    struct handle *h = handle_of(file);
    int err = enter(h->fs, SIM_OP_READ);
    if (err < 0)
        return err;
    int64_t left = h->node->now.size - position;
    if (left <= 0)
        return 0;
    if ((int64_t)size > left)
        size = (size_t)left;
    memcpy(out, h->node->now.data + position, size);
    return (int64_t)size;
}

static void add_change(struct node *n, int64_t position, const void *data, int64_t size)
{
    mem_grow(n->changes, n->change_count, n->change_capacity);
    struct change *c = &n->changes[n->change_count++];
    *c = (struct change){.position = position, .size = size};
    if (data != NULL) {
        c->data = mem_alloc((size_t)size);
        memcpy(c->data, data, (size_t)size);
    }
    image_apply(&n->now, c);
}

static void write_part(struct handle *h, const void *data, size_t size, int64_t position)
{
    int64_t before = h->node->now.size;
    if (h->fs->sim != NULL) {
        sim_note(h->fs->sim, (uint64_t)position);
        sim_note_bytes(h->fs->sim, data, size);
    }
    if (size > 0)
        add_change(h->node, position, data, (int64_t)size);
    h->fs->used += h->node->now.size - before;
    h->node->modified_ms = env_wall_ms(h->fs->clock);
}

static int sim_write(struct fs_file *file, const void *data, size_t size, int64_t position)
{
    struct handle *h = handle_of(file);
    struct sim_fs *fs = h->fs;
    bool alive = !fs->crashed;
    int err = enter(fs, SIM_OP_WRITE);
    int64_t growth = position + (int64_t)size - h->node->now.size;
    if (err == 0 && growth > 0 && fs->used + growth > fs->capacity)
        err = ERR_NOSPC;
    if (err < 0) {
        // A part may have got there: also when the process dies inside the call.
        if (alive && prng_chance(&fs->prng, 1, 2))
            write_part(h, data, (size_t)prng_below(&fs->prng, size + 1), position);
        return err;
    }
    write_part(h, data, size, position);
    return 0;
}

static void sync_file(struct node *n)
{
    for (int i = 0; i < n->change_count; i++)
        image_apply(&n->disk, &n->changes[i]);
    changes_clear(n);
}

static void sync_dir(struct node *n)
{
    for (int i = 0; i < n->entry_change_count; i++)
        entries_apply(&n->entries_disk, &n->entry_changes[i]);
    entry_changes_clear(n);
}

static int sim_sync(struct fs_file *file)
{
    struct handle *h = handle_of(file);
    int err = enter(h->fs, SIM_OP_SYNC);
    if (err < 0)
        return err;
    sync_file(h->node);
    return 0;
}

static void sync_below(struct node *n)
{
    sync_file(n);
    sync_dir(n);
    for (int i = 0; i < n->entries_now.count; i++)
        sync_below(n->entries_now.items[i].node);
}

static int sim_sync_all(struct fs_file *file)
{
    struct sim_fs *fs = handle_of(file)->fs;
    int err = enter(fs, SIM_OP_SYNC);
    if (err < 0)
        return err;
    fs->sync_alls++;
    sync_below(fs->root);
    return 0;
}

static int sim_truncate(struct fs_file *file, int64_t size)
{
    struct handle *h = handle_of(file);
    int err = enter(h->fs, SIM_OP_CHANGE);
    if (err < 0)
        return err;
    int64_t before = h->node->now.size;
    add_change(h->node, size, NULL, 0);
    h->fs->used += size - before;
    return 0;
}

static int64_t sim_size(struct fs_file *file)
{
    struct handle *h = handle_of(file);
    int err = enter(h->fs, SIM_OP_LOOK);
    return err < 0 ? err : h->node->now.size;
}

static int sim_lock(struct fs_file *file)
{
    struct handle *h = handle_of(file);
    if (h->node->locked)
        return ERR_BUSY;
    h->node->locked = h->locked = true;
    return 0;
}

static int64_t sim_read_cached(struct fs_file *file, void *out, size_t size, int64_t position)
{
    return prng_chance(&handle_of(file)->fs->prng, 3, 4) ? sim_read(file, out, size, position)
                                                         : ERR_AGAIN;
}

static void sim_prefetch(struct fs_file *file, int64_t position, size_t size)
{
}

static void sim_drop_cached(struct fs_file *file, int64_t position, int64_t size)
{
}

static bool sim_is_cached(struct fs_file *file, int64_t position, size_t size)
{
    return prng_chance(&handle_of(file)->fs->prng, 3, 4);
}

static void sim_close(struct fs_file *file)
{
    struct handle *h = handle_of(file);
    if (h->locked)
        h->node->locked = false;
    h->fs->open_count--;
    node_put(h->node);
    mem_free(h);
}

static const struct fs_file_ops file_ops = {
    .read = sim_read, .read_cached = sim_read_cached, .prefetch = sim_prefetch,
    .write = sim_write, .sync = sim_sync, .sync_all = sim_sync_all,
    .truncate = sim_truncate, .size = sim_size, .lock = sim_lock, .is_cached = sim_is_cached,
    .drop_cached = sim_drop_cached,
    .close = sim_close};

// ---- The file system ----

static struct sim_fs *fs_of(struct env_fs *env)
{
    return container_of(env, struct sim_fs, env);
}

static int sim_open(struct env_fs *env, const char *path, unsigned flags, struct fs_file **out)
{
    struct sim_fs *fs = fs_of(env);
    char name[FS_PATH_MAX];
    struct node *dir = find_parent(fs, path, name);
    struct node *node = dir != NULL ? entries_find(&dir->entries_now, name) : NULL;
    bool makes = node == NULL && (flags & FS_CREATE);
    int err = enter(fs, makes || (flags & FS_TRUNCATE) ? SIM_OP_OPEN : SIM_OP_LOOK);
    if (err < 0)
        return err;
    if (dir == NULL || (node == NULL && !makes))
        return ERR_NOT_FOUND;
    if (node != NULL && (flags & FS_CREATE) && (flags & FS_EXCLUSIVE))
        return ERR_EXISTS;
    if (node != NULL && node->is_dir)
        return ERR_INVALID;
    if (makes) {
        node = node_new(fs, false);
        node->modified_ms = env_wall_ms(fs->clock);
        change_entry(fs, dir, NULL, name, node);
    }
    struct handle *h = mem_new(struct handle);
    *h = (struct handle){.file.ops = &file_ops, .fs = fs, .node = node_get(node)};
    fs->open_count++;
    if ((flags & FS_TRUNCATE) && node->now.size > 0) {
        fs->used -= node->now.size;
        add_change(node, 0, NULL, 0);
    }
    *out = &h->file;
    return 0;
}

static int sim_stat(struct env_fs *env, const char *path, struct fs_stat *out)
{
    struct sim_fs *fs = fs_of(env);
    int err = enter(fs, SIM_OP_LOOK);
    if (err < 0)
        return err;
    const struct node *n = find(fs, path);
    if (n == NULL)
        return ERR_NOT_FOUND;
    out->kind = n->is_dir ? FS_KIND_DIR : FS_KIND_FILE;
    out->size = n->now.size;
    out->modified_ms = n->modified_ms;
    out->volume = 1;
    out->file_id = n->id;
    out->changed_ns = n->changed_ns;
    return 0;
}

static int sim_list(struct env_fs *env, const char *path, fs_list_fn each, void *context)
{
    struct sim_fs *fs = fs_of(env);
    int err = enter(fs, SIM_OP_LOOK);
    if (err < 0)
        return err;
    struct node *n = find(fs, path);
    if (n == NULL || !n->is_dir)
        return ERR_NOT_FOUND;
    // A copy, since `each` may change the directory; from a random place, since order is not given.
    struct entries copy = {0};
    for (int i = 0; i < n->entries_now.count; i++)
        entries_set(&copy, n->entries_now.items[i].name, n->entries_now.items[i].node);
    int start = copy.count > 0 ? (int)prng_below(&fs->prng, (uint64_t)copy.count) : 0;
    for (int i = 0; i < copy.count && err == 0; i++) {
        const struct entry *e = &copy.items[(start + i) % copy.count];
        err = each(context, e->name, e->node->is_dir ? FS_KIND_DIR : FS_KIND_FILE);
    }
    entries_release(&copy);
    return err;
}

static int sim_make_dir(struct env_fs *env, const char *path)
{
    struct sim_fs *fs = fs_of(env);
    char name[FS_PATH_MAX];
    int err = enter(fs, SIM_OP_CHANGE);
    if (err < 0)
        return err;
    struct node *dir = find_parent(fs, path, name);
    if (dir == NULL)
        return ERR_NOT_FOUND;
    if (name[0] == '\0' || entries_find(&dir->entries_now, name) != NULL)
        return ERR_EXISTS;
    change_entry(fs, dir, NULL, name, node_new(fs, true));
    return 0;
}

static int sim_rename(struct env_fs *env, const char *from, const char *to)
{
    struct sim_fs *fs = fs_of(env);
    char from_name[FS_PATH_MAX], to_name[FS_PATH_MAX];
    int err = enter(fs, SIM_OP_CHANGE);
    if (err < 0)
        return err;
    struct node *dir = find_parent(fs, from, from_name), *to_dir = find_parent(fs, to, to_name);
    struct node *node = dir != NULL ? entries_find(&dir->entries_now, from_name) : NULL;
    if (node == NULL)
        return ERR_NOT_FOUND;
    check(to_dir == dir); // nobody moves between directories
    change_entry(fs, dir, from_name, to_name, node);
    return 0;
}

static int sim_remove(struct env_fs *env, const char *path)
{
    struct sim_fs *fs = fs_of(env);
    char name[FS_PATH_MAX];
    int err = enter(fs, SIM_OP_CHANGE);
    if (err < 0)
        return err;
    struct node *dir = find_parent(fs, path, name);
    struct node *node = dir != NULL ? entries_find(&dir->entries_now, name) : NULL;
    if (node == NULL)
        return ERR_NOT_FOUND;
    if (node->is_dir && node->entries_now.count > 0)
        return ERR_EXISTS;
    fs->used -= node->now.size;
    change_entry(fs, dir, name, NULL, NULL);
    return 0;
}

static int sim_dir_sync(struct env_fs *env, const char *path)
{
    struct sim_fs *fs = fs_of(env);
    int err = enter(fs, SIM_OP_SYNC);
    if (err < 0)
        return err;
    struct node *n = find(fs, path);
    if (n == NULL || !n->is_dir)
        return ERR_NOT_FOUND;
    sync_dir(n);
    return 0;
}

static int sim_set_read_only(struct env_fs *env, const char *path)
{
    return find(fs_of(env), path) != NULL ? 0 : ERR_NOT_FOUND;
}

static int sim_space(struct env_fs *env, const char *path, struct fs_space *out)
{
    const struct sim_fs *fs = fs_of(env);
    out->total_bytes = fs->capacity;
    out->free_bytes = fs->capacity - fs->used;
    out->can_sync_all = true;
    return 0;
}

struct sim_fs *sim_fs_new(uint64_t seed, struct env_clock *clock)
{
    struct sim_fs *fs = mem_new(struct sim_fs);
    fs->env = (struct env_fs){.open = sim_open, .stat = sim_stat, .list = sim_list,
                              .make_dir = sim_make_dir, .rename = sim_rename,
                              .remove = sim_remove, .dir_sync = sim_dir_sync,
                              .set_read_only = sim_set_read_only, .space = sim_space};
    prng_init(&fs->prng, seed);
    fs->clock = clock;
    fs->capacity = INT64_C(1) << 40;
    fs->root = node_get(node_new(fs, true));
    return fs;
}

// Entries of both states hold their nodes, and directories hold each other only downwards.
void sim_fs_free(struct sim_fs *fs)
{
    check(fs->open_count == 0);
    node_put(fs->root);
    mem_free(fs);
}

struct env_fs *sim_fs_env(struct sim_fs *fs)
{
    return &fs->env;
}

void sim_fs_note_in(struct sim_fs *fs, struct sim *sim)
{
    fs->sim = sim;
}

void sim_fs_fail_at(struct sim_fs *fs, uint64_t nth, unsigned ops, int err, bool sticky)
{
    fs->fail_nth = nth;
    fs->fail_ops = nth > 0 ? ops : 0;
    fs->fail_err = err;
    fs->fail_sticky = sticky;
    fs->failed = false;
}

bool sim_fs_has_failed(const struct sim_fs *fs)
{
    return fs->failed;
}

void sim_fs_crash_at(struct sim_fs *fs, uint64_t nth)
{
    fs->crash_nth = nth;
}

void sim_fs_crash(struct sim_fs *fs)
{
    fs->crashed = true;
}

bool sim_fs_is_crashed(const struct sim_fs *fs)
{
    return fs->crashed;
}

// ---- Power loss ----

// How many of `count` changes a block (or entry) saw.
static int changes_seen(struct sim_fs *fs, enum sim_crash crash, int count, int prefix)
{
    if (crash == SIM_CRASH_ALL)
        return 0;
    if (crash == SIM_CRASH_PREFIX)
        return prefix;
    // Mostly none or all: both are likelier than a write-back between two changes.
    switch (prng_below(&fs->prng, 4)) {
    case 0:
        return 0;
    case 1:
        return (int)prng_below(&fs->prng, (uint64_t)count + 1);
    default:
        return count;
    }
}

static void lose_file(struct sim_fs *fs, struct node *n, enum sim_crash crash)
{
    if (n->change_count == 0)
        return;
    int prefix = (int)prng_below(&fs->prng, (uint64_t)n->change_count + 1);
    int64_t unit = prng_chance(&fs->prng, 1, 2) ? SECTOR : PAGE;
    int size_seen = changes_seen(fs, crash, n->change_count, prefix);
    struct image *states = mem_alloc_array((size_t)n->change_count + 1, sizeof *states);
    int64_t largest = 0;
    for (int i = 0; i <= n->change_count; i++) {
        image_copy(&states[i], i == 0 ? &n->disk : &states[i - 1]);
        if (i > 0)
            image_apply(&states[i], &n->changes[i - 1]);
        if (states[i].size > largest)
            largest = states[i].size;
    }
    struct image result = {0};
    image_resize(&result, largest);
    for (int64_t at = 0; at < largest; at += unit) {
        const struct image *seen = &states[changes_seen(fs, crash, n->change_count, prefix)];
        int64_t size = seen->size - at < unit ? seen->size - at : unit;
        if (size > 0)
            image_write(&result, at, seen->data + at, size);
    }
    image_resize(&result, states[size_seen].size);
    for (int i = 0; i <= n->change_count; i++)
        mem_free(states[i].data);
    mem_free(states);
    changes_clear(n);
    mem_free(n->now.data);
    n->now = result;
    image_copy(&n->disk, &result);
}

static void lose(struct sim_fs *fs, struct node *n, enum sim_crash crash);

static void lose_dir(struct sim_fs *fs, struct node *n, enum sim_crash crash)
{
    int prefix = (int)prng_below(&fs->prng, (uint64_t)n->entry_change_count + 1);
    for (int i = 0; i < n->entry_change_count; i++) {
        bool kept = crash == SIM_CRASH_PREFIX ? i < prefix
                    : crash == SIM_CRASH_ALL  ? false
                                              : prng_chance(&fs->prng, 2, 3);
        if (kept)
            entries_apply(&n->entries_disk, &n->entry_changes[i]);
    }
    entry_changes_clear(n);
    entries_release(&n->entries_now);
    for (int i = 0; i < n->entries_disk.count; i++) {
        const struct entry *e = &n->entries_disk.items[i];
        entries_set(&n->entries_now, e->name, e->node);
        lose(fs, e->node, crash);
    }
}

static void lose(struct sim_fs *fs, struct node *n, enum sim_crash crash)
{
    n->locked = false;
    if (n->is_dir)
        lose_dir(fs, n, crash);
    else
        lose_file(fs, n, crash);
}

static int64_t sum_sizes(const struct node *n)
{
    int64_t size = n->now.size;
    for (int i = 0; i < n->entries_now.count; i++)
        size += sum_sizes(n->entries_now.items[i].node);
    return size;
}

void sim_fs_restart(struct sim_fs *fs, enum sim_crash crash)
{
    check(fs->open_count == 0);
    fs->crashed = false;
    fs->crash_nth = 0;
    fs->fail_ops = 0;
    fs->fail_nth = 0;
    fs->failed = false;
    if (crash != SIM_CRASH_KILL)
        lose(fs, fs->root, crash);
    fs->used = sum_sizes(fs->root);
}

void sim_fs_set_capacity(struct sim_fs *fs, int64_t bytes)
{
    fs->capacity = bytes;
}

int64_t sim_fs_used(const struct sim_fs *fs)
{
    return fs->used;
}

uint64_t sim_fs_count(const struct sim_fs *fs, unsigned ops)
{
    uint64_t sum = 0;
    for (int i = 0; i < 6; i++)
        if (ops & 1u << i)
            sum += fs->counts[i];
    return sum;
}

uint64_t sim_fs_sync_alls(const struct sim_fs *fs)
{
    return fs->sync_alls;
}

int sim_fs_open_count(const struct sim_fs *fs)
{
    return fs->open_count;
}

bool sim_fs_flip(struct sim_fs *fs, const char *path, int64_t position, uint8_t bits)
{
    struct node *n = find(fs, path);
    if (n == NULL || position < 0 || position >= n->now.size)
        return false;
    n->now.data[position] ^= bits;
    if (position < n->disk.size)
        n->disk.data[position] ^= bits;
    return true;
}

static void print_node(const struct node *n, const char *name, int depth)
{
    printf("%*s%s", 14 + 2 * depth, "", name);
    if (!n->is_dir)
        printf(" %" PRId64 " (%" PRId64 ")", n->now.size, n->disk.size);
    printf("\n");
    for (int i = 0; i < n->entries_now.count; i++)
        print_node(n->entries_now.items[i].node, n->entries_now.items[i].name, depth + 1);
}

void sim_fs_print(struct sim_fs *fs, const char *path)
{
    const struct node *n = find(fs, path);
    if (n != NULL)
        print_node(n, path, 0);
}
