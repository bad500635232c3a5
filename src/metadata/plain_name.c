// SPDX-License-Identifier: Apache-2.0
//
// Kafka's metrics write '_' for '.', so topics whose names differ in nothing else cannot be told
// apart there. Only names with one of the two can meet another, so only those are kept.
#include "base/check.h"
#include "base/mem.h"
#include "metadata/internal.h"

// The key is the plain name, a NUL and the name itself: unique even where two topics from older
// times share a plain name, and in order of plain name.
enum { PLAIN_KEY_MAX = 2 * TOPIC_NAME_MAX + 1 };

struct plain_name {
    uint32_t refs;
    size_t name_size;
    size_t key_size;
    uint8_t key[];
};

static struct bytes plain_name_key(const void *item)
{
    const struct plain_name *p = item;
    return bytes_of(p->key, p->key_size);
}

static void plain_name_ref(void *item)
{
    ((struct plain_name *)item)->refs++;
}

static void plain_name_unref(void *item)
{
    struct plain_name *p = item;
    if (--p->refs == 0)
        mem_free(p);
}

const struct pmap_type metadata_plain_name_type = {plain_name_key, plain_name_ref, plain_name_unref};

static bool name_can_collide(struct str name)
{
    return name.size > 0 && name.size <= TOPIC_NAME_MAX &&
           (memchr(name.data, '.', name.size) != NULL || memchr(name.data, '_', name.size) != NULL);
}

// The part of the key up to the NUL; the rest is added by whoever needs it.
static size_t plain_prefix(struct str name, uint8_t out[PLAIN_KEY_MAX])
{
    for (size_t i = 0; i < name.size; i++)
        out[i] = name.data[i] == '.' ? '_' : (uint8_t)name.data[i];
    out[name.size] = 0;
    return name.size + 1;
}

static struct bytes plain_key(struct str name, uint8_t out[PLAIN_KEY_MAX])
{
    size_t size = plain_prefix(name, out);
    memcpy(out + size, name.data, name.size);
    return bytes_of(out, size + name.size);
}

void metadata__plain_name_add(struct pmap *names, struct str name)
{
    if (!name_can_collide(name))
        return;
    uint8_t memory[PLAIN_KEY_MAX];
    struct bytes key = plain_key(name, memory);
    struct plain_name *p = mem_alloc(sizeof *p + key.size);
    p->refs = 1;
    p->name_size = name.size;
    p->key_size = key.size;
    memcpy(p->key, key.data, key.size);
    pmap_set(names, p);
    plain_name_unref(p);
}

void metadata__plain_name_remove(struct pmap *names, struct str name)
{
    uint8_t memory[PLAIN_KEY_MAX];
    if (name_can_collide(name))
        pmap_remove(names, plain_key(name, memory));
}

struct str metadata__plain_name_find(const struct pmap *names, struct str name)
{
    if (!name_can_collide(name))
        return str_of(NULL, 0);
    uint8_t memory[PLAIN_KEY_MAX];
    size_t size = plain_prefix(name, memory);
    struct pmap_iter iter;
    const struct plain_name *p = pmap_seek(names, bytes_of(memory, size), &iter);
    if (p == NULL || p->key_size < size || memcmp(p->key, memory, size) != 0)
        return str_of(NULL, 0);
    return str_of((const char *)p->key + size, p->name_size);
}
