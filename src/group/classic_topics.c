// SPDX-License-Identifier: Apache-2.0
//
// What the members of a group of type "consumer" subscribe to, read from the metadata that they gave for
// the selected protocol. Asked for seldom (offsets that expire or are to be deleted), so it is worked out
// when it is asked for and forgotten with every change.
#include "group/classic.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/be.h"
#include "base/mem.h"
#include "group/internal.h"
#include "wire/record/consumer_protocol_subscription.h"

enum { SUBSCRIPTION_MEMORY_MAX = 64 * 1024 * 1024 }; // of one member, decoded

struct classic_topics {
    bool is_known;
    struct str *names; // views into the members' metadata: any change of that forgets them
    int32_t count;
    int32_t capacity;
};

void classic_forget_topics(struct classic_group *cg)
{
    if (cg->topics == NULL)
        return;
    mem_free(cg->topics->names);
    mem_free(cg->topics);
    cg->topics = NULL;
}

// Version 0 is the beginning of every version of a subscription, so nothing else has to be known.
static bool add_topics(struct classic_topics *t, struct bytes metadata)
{
    struct arena arena;
    struct consumer_protocol_subscription subscription;
    if (metadata.size < sizeof(int16_t))
        return false;
    struct bytes rest = bytes_of(metadata.data + sizeof(int16_t), metadata.size - sizeof(int16_t));
    arena_init(&arena, SUBSCRIPTION_MEMORY_MAX);
    int err = wire_decode(&consumer_protocol_subscription_schema, 0, rest, &arena, &subscription, NULL);
    for (int32_t i = 0; err == 0 && i < subscription.topics.count; i++) {
        mem_grow(t->names, t->count, t->capacity);
        t->names[t->count++] = subscription.topics.items[i];
    }
    arena_release(&arena);
    return err == 0;
}

static int compare(const void *a, const void *b)
{
    return str_compare(*(const struct str *)a, *(const struct str *)b);
}

static struct classic_topics *work_out(struct classic_group *cg)
{
    struct classic_topics *t = mem_new(struct classic_topics);
    t->is_known = classic_uses_consumer_protocol(cg) &&
                  (cg->protocol_name != NULL || classic_member_count(cg) == 0);
    for (struct classic_member *m = NULL; t->is_known && (m = classic_next_member(cg, m)) != NULL;)
        t->is_known = add_topics(t, classic_metadata(m, cg->protocol_name));
    if (t->count > 0)
        qsort(t->names, (size_t)t->count, sizeof(*t->names), compare);
    return t;
}

static const struct classic_topics *topics_of(struct classic_group *cg)
{
    if (cg->topics == NULL)
        cg->topics = work_out(cg);
    return cg->topics;
}

bool classic_knows_topics(struct classic_group *cg)
{
    return topics_of(cg)->is_known;
}

bool classic_is_subscribed(struct classic_group *cg, struct str topic)
{
    const struct classic_topics *t = topics_of(cg);
    if (!t->is_known)
        return classic_uses_consumer_protocol(cg);
    return t->count > 0 &&
           bsearch(&topic, t->names, (size_t)t->count, sizeof(*t->names), compare) != NULL;
}
