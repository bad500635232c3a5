// SPDX-License-Identifier: Apache-2.0
//
// Finding names (or ids) that come more than once in a request.
#include "base/check.h"
#include "base/mem.h"
#include "base/pmap.h"
#include "controller/internal.h"

struct name {
    uint32_t refs;
    struct bytes key; // of the request
    int uses;
};

struct names {
    struct pmap map;
};

static struct bytes name_key(const void *item)
{
    return ((const struct name *)item)->key;
}

static void name_ref(void *item)
{
    ((struct name *)item)->refs++;
}

static void name_unref(void *item)
{
    struct name *n = item;
    if (--n->refs == 0)
        mem_free(n);
}

static const struct pmap_type name_type = {name_key, name_ref, name_unref};

struct names *names_new(void)
{
    struct names *names = mem_new(struct names);
    pmap_init(&names->map, &name_type);
    return names;
}

void names_free(struct names *names)
{
    pmap_release(&names->map);
    mem_free(names);
}

void names_add(struct names *names, struct bytes key)
{
    struct name *n = pmap_find(&names->map, key);
    if (n == NULL) {
        n = mem_new(struct name);
        n->refs = 1;
        n->key = key;
        pmap_set(&names->map, n);
        name_unref(n);
    }
    n->uses++;
}

int names_take(struct names *names, struct bytes key)
{
    struct name *n = pmap_find(&names->map, key);
    check(n != NULL);
    int uses = n->uses;
    n->uses = 0;
    return uses;
}

bool names_contain(const struct names *names, struct bytes key)
{
    return pmap_find(&names->map, key) != NULL;
}
