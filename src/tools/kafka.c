// SPDX-License-Identifier: Apache-2.0
#include "tools/kafka.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "wire/errors.h"

// The release whose flags and outputs the aliases have.
#define KAFKA_TOOLS_VERSION "4.4.0"

bool kafka_version(struct tool *t, int flag)
{
    if (flags_given(&t->flags, flag))
        buf_append_text(&t->out.buf, KAFKA_TOOLS_VERSION "\n");
    return flags_given(&t->flags, flag);
}

int kafka_properties_read(struct tool *t, const char *path, struct properties *out)
{
    properties_init(out);
    if (path == NULL)
        return EXIT_OK;
    struct buf text;
    struct diag diag;
    diag_clear(&diag);
    int status = EXIT_OK;
    int err = read_whole_file(t, path, PROPERTIES_TEXT_MAX, &text);
    if (err < 0)
        status = tool_fail(t, EXIT_FAILED, "%s: %s", path, err_text(err));
    else if (properties_parse(out, buf_str(&text), &diag) < 0)
        status = tool_fail(t, EXIT_FAILED, "%s: %s", path, diag.text);
    buf_release(&text);
    return status;
}

int kafka_property_add(struct tool *t, const char *text, struct properties *out)
{
    struct str value = str_from(text), key = str_trim(str_cut(&value, '='));
    if (value.data == NULL || key.size == 0)
        return tool_usage(t, "\"%s\" is not KEY=VALUE", text);
    properties_set(out, key, value, 0);
    return EXIT_OK;
}

static int read_number(struct tool *t, const struct properties *p, const struct kafka_number *n,
                       int64_t *out)
{
    const char *text = properties_get(p, n->name);
    *out = n->fallback;
    if (text == NULL)
        return EXIT_OK;
    if (!str_parse_i64(str_trim(str_from(text)), out) || *out < n->min || *out > n->max)
        return tool_usage(t, "%s is \"%s\", not a number from %lld to %lld", n->name, text,
                          (long long)n->min, (long long)n->max);
    return EXIT_OK;
}

int kafka_read_numbers(struct tool *t, const struct properties *p, const struct kafka_number *numbers,
                       int count, int64_t *values)
{
    int status = EXIT_OK;
    for (int i = 0; i < count && status == EXIT_OK; i++)
        status = read_number(t, p, &numbers[i], &values[i]);
    return status;
}

int kafka_read_bool(struct tool *t, const struct properties *p, const char *name, bool *out)
{
    const char *text = properties_get(p, name);
    if (text == NULL)
        return EXIT_OK;
    struct str value = str_trim(str_from(text));
    bool is_true = str_equal_nocase(value, str_from("true"));
    if (!is_true && !str_equal_nocase(value, str_from("false")))
        return tool_usage(t, "%s is \"%s\", not true or false", name, text);
    *out = is_true;
    return EXIT_OK;
}

int kafka_connect(struct tool *t, const char *bootstrap, const struct properties *properties)
{
    const char *protocol = properties_get(properties, "security.protocol");
    if (protocol != NULL && !str_equal_nocase(str_from(protocol), str_from("PLAINTEXT")))
        return tool_fail(t, EXIT_FAILED,
                         "security.protocol=%s is not there yet: only PLAINTEXT is, so nothing was "
                         "sent",
                         protocol);
    if (bootstrap == NULL)
        bootstrap = properties_get(properties, "bootstrap.servers");
    return tool_connect(t, bootstrap);
}

int kafka_connect_flags(struct tool *t, int bootstrap, int command_config, int zookeeper)
{
    const struct flags *f = &t->flags;
    struct properties properties;
    int status = kafka_properties_read(
        t, command_config >= 0 ? flags_text(f, command_config) : NULL, &properties);
    const char *servers = flags_text(f, bootstrap);
    if (zookeeper >= 0 && flags_given(f, zookeeper))
        tool_warn(t,
                  "there is no ZooKeeper any more: --zookeeper is ignored, the broker at %s is asked. "
                  "Use --bootstrap-server HOST:PORT.",
                  tool_bootstrap(t, servers));
    if (status == EXIT_OK)
        status = kafka_connect(t, servers, &properties);
    properties_release(&properties);
    return status;
}

// java.lang.String.hashCode.
static uint32_t java_hash(struct str s)
{
    uint32_t h = 0;
    for (size_t i = 0; i < s.size; i++)
        h = h * 31 + (uint8_t)s.data[i];
    return h;
}

uint32_t java_hash_partition(struct str topic, int32_t partition)
{
    return 31 * (31 + (uint32_t)partition) + java_hash(topic);
}

void java_order_hashes(const uint32_t *hashes, int count, int capacity, int *order)
{
    int n = 0;
    for (int slot = 0; slot < capacity; slot++)
        for (int i = 0; i < count; i++)
            if ((int)((hashes[i] ^ hashes[i] >> 16) & (uint32_t)(capacity - 1)) == slot)
                order[n++] = i;
}

void java_order(const struct str *names, int count, int capacity, int *order)
{
    uint32_t *hashes = mem_alloc_array((size_t)count + 1, sizeof *hashes);
    for (int i = 0; i < count; i++)
        hashes[i] = java_hash(names[i]);
    java_order_hashes(hashes, count, capacity, order);
    mem_free(hashes);
}

struct str java_group_type(struct str type)
{
    static const char *const names[] = {"Classic", "Consumer", "Share", "Streams"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_equal_nocase(type, str_from(names[i])))
            return str_from(names[i]);
    return type;
}

static int grow_capacity(int capacity, int count)
{
    while (count * 4 > capacity * 3)
        capacity *= 2;
    return capacity;
}

int java_capacity_sized(int count)
{
    int capacity = 1;
    while (capacity < count)
        capacity *= 2;
    return grow_capacity(capacity, count);
}

int java_capacity_grown(int count)
{
    return grow_capacity(16, count);
}
