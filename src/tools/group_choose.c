// SPDX-License-Identifier: Apache-2.0
//
// Which partitions a command about a group is to act on.
#include <string.h>

#include "base/mem.h"
#include "tools/cmd_group.h"
#include "tools/common.h"
#include "tools/groups_call.h"
#include "wire/errors.h"

static void add_committed(struct admin_offsets *out, const struct admin_offsets *committed,
                          struct str topic)
{
    for (int i = 0; i < committed->count; i++)
        if (str_equal(committed->items[i].topic, topic))
            *admin_offsets_add(out, topic, committed->items[i].partition) = committed->items[i];
}

static int add_existing(struct tool *t, struct admin_offsets *out, struct str topic)
{
    int err = driver_wait_topology(t->driver);
    if (err < 0)
        return tool_fail_call(t, err);
    const struct topology_topic *known = topology_topic(topology_of(t->driver), topic);
    if (known == NULL || known->error != KAFKA_NONE)
        return tool_no_such_topic(t, topic);
    for (int i = 0; i < known->partition_count; i++)
        admin_offsets_add(out, topic, i);
    return EXIT_OK;
}

static int choose_one(struct tool *t, const char *text, const struct admin_offsets *committed,
                      struct admin_offsets *out)
{
    const char *colon = strrchr(text, ':');
    struct str topic = str_of(text, colon != NULL ? (size_t)(colon - text) : strlen(text));
    struct wire_int32_array ids = {0};
    if (topic.size == 0 || (colon != NULL && ids_parse(str_from(colon + 1), ',', &ids) < 0))
        return tool_usage(t, "--topic needs TOPIC or TOPIC:0,1,..., not \"%s\"", text);
    int status = EXIT_OK;
    if (colon == NULL && committed != NULL)
        add_committed(out, committed, topic);
    else if (colon == NULL)
        status = add_existing(t, out, topic);
    for (int32_t i = 0; i < ids.count; i++)
        admin_offsets_add(out, topic, ids.items[i]);
    mem_free(ids.items);
    return status;
}

int group_choose(struct tool *t, int flag, const struct admin_offsets *committed,
                 struct admin_offsets *out)
{
    const struct flag_value *given = &t->flags.values[flag];
    int status = EXIT_OK;
    for (int i = 0; i < given->count && status == EXIT_OK; i++)
        status = choose_one(t, given->list[i], committed, out);
    admin_offsets_sort(out);
    admin_offsets_drop_doubles(out); // named twice, meant once
    return status;
}
