// SPDX-License-Identifier: Apache-2.0
#include "base/check.h"
#include "base/mem.h"
#include "metadata/internal.h"

// The map's key is the type and the name; it is kept in front of the name, of which resource_name is
// a view.
struct configs {
    struct metadata_configs public; // first
    size_t key_size;
    uint8_t key[];
};

static struct bytes configs_key(const void *item)
{
    const struct configs *c = item;
    return bytes_of(c->key, c->key_size);
}

static void configs_ref(void *item)
{
    ((struct metadata_configs *)item)->refs++;
}

void metadata__configs_unref(struct metadata_configs *c)
{
    if (--c->refs != 0)
        return;
    properties_release(&c->values);
    mem_free(c);
}

static void configs_unref(void *item)
{
    metadata__configs_unref(item);
}

const struct pmap_type metadata_configs_type = {configs_key, configs_ref, configs_unref};

struct bytes metadata__configs_key(int8_t type, struct str name, struct buf *out)
{
    buf_clear(out);
    buf_append_u8(out, (uint8_t)type);
    buf_append_str(out, name);
    return buf_bytes(out);
}

struct metadata_configs *metadata__configs_with(const struct metadata_configs *old, int8_t type,
                                                struct str resource, struct str name,
                                                struct str value)
{
    struct configs *new = mem_alloc_zero(sizeof *new + 1 + resource.size + 1);
    new->key_size = 1 + resource.size;
    new->key[0] = (uint8_t)type;
    if (resource.size > 0)
        memcpy(new->key + 1, resource.data, resource.size);
    new->public.refs = 1;
    new->public.resource_type = type;
    new->public.resource_name = str_of((const char *)new->key + 1, resource.size);
    properties_init(&new->public.values);
    for (int i = 0; old != NULL && i < old->values.count; i++) {
        const struct property *p = &old->values.items[i];
        if (!str_equal(str_from(p->key), name))
            properties_set(&new->public.values, str_from(p->key), str_from(p->value), 0);
    }
    if (value.data != NULL)
        properties_set(&new->public.values, name, value, 0);
    return &new->public;
}
