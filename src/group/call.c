// SPDX-License-Identifier: Apache-2.0
//
// Calls and their ends; decoding of records; new member ids.
#include <string.h>

#include "base/check.h"
#include "base/uuid.h"
#include "group/internal.h"

enum { JAVA_UUID_SIZE = 36 };

void group_call_begin(struct group_call *call, struct groups *g,
                      void (*set_error)(struct group_call *call, enum kafka_error error))
{
    call->groups = g;
    call->set_error = set_error;
    call->member = NULL;
    call->no_memory = false;
    call->node = (struct list_node){0};
    call->waiter = (struct coordinator_waiter){0};
}

void group_call_fail(struct group_call *call, enum kafka_error error)
{
    check(!list_linked(&call->node));
    call->set_error(call, error);
    call->done(call);
}

void group_call_end_no_memory(struct group_call *call)
{
    check(!list_linked(&call->node));
    call->no_memory = true;
    call->done(call);
}

bool group_call_copy(struct group_call *call, struct str text, struct str *out)
{
    *out = text.size == 0 ? str_of("", 0) : arena_copy_str(call->arena, text);
    return out->data != NULL;
}

static void call_committed(struct coordinator_waiter *w, enum kafka_error error)
{
    struct group_call *call = container_of(w, struct group_call, waiter);
    if (error != KAFKA_NONE)
        call->set_error(call, error);
    call->done(call);
}

void group_call_end(struct group_call *call, coordinator_ticket ticket)
{
    check(!list_linked(&call->node));
    call->waiter.done = call_committed;
    coordinator_wait(call->groups->coordinator, &call->waiter, ticket);
}

void group_reply(struct group_call *call, const struct group *group)
{
    group_call_end(call, group == NULL ? 0 : group->written);
}

int group_write_end(struct groups *g, struct str id, coordinator_ticket *ticket)
{
    int err = coordinator_end(g->coordinator, ticket);
    if (err == 0)
        group_written(g, id, *ticket);
    return err;
}

void group_written(struct groups *g, struct str id, coordinator_ticket ticket)
{
    struct group *group = groups_find(g, id);
    if (group != NULL && ticket != 0)
        group->written = ticket;
}

static struct uuid new_id(struct groups *g)
{
    uint8_t random[UUID_SIZE];
    g->options.random(g->options.random_context, random, sizeof(random));
    return uuid_from_random(random);
}

struct str group_new_uuid(struct groups *g, struct arena *arena)
{
    struct uuid_text text = uuid_format(new_id(g));
    return arena_copy_str(arena, str_from(text.text));
}

// As java.util.UUID prints it: 8-4-4-4-12 hexadecimal digits.
static void uuid_format_java(struct uuid id, char out[JAVA_UUID_SIZE + 1])
{
    static const char digits[] = "0123456789abcdef";
    char *p = out;
    for (int i = 0; i < UUID_SIZE; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *p++ = '-';
        *p++ = digits[id.bytes[i] >> 4];
        *p++ = digits[id.bytes[i] & 0xf];
    }
    *p = '\0';
}

struct str group_new_member_id(struct groups *g, struct arena *arena, struct str prefix)
{
    size_t size = prefix.size + 1 + JAVA_UUID_SIZE;
    char *text = arena_alloc(arena, size + 1);
    if (text == NULL)
        return (struct str){NULL, 0};
    if (prefix.size > 0)
        memcpy(text, prefix.data, prefix.size);
    text[prefix.size] = '-';
    uuid_format_java(new_id(g), text + prefix.size + 1);
    return str_of(text, size);
}

// ---- Records ----

int replay_key(struct groups *g, const struct coordinator_record_type *type, struct bytes key, void *out,
               struct diag *diag)
{
    return coordinator_key_decode(type, key, &g->arena, out, diag);
}

int replay_value(struct groups *g, const struct coordinator_record_type *type, struct bytes value,
                 void *out, struct diag *diag)
{
    return coordinator_value_decode(type, value, &g->arena, out, diag);
}

int replaying_read(const struct replaying *r, void *key, void *value)
{
    int err = replay_key(r->g, r->type, r->key, key, r->diag);
    if (err == 0 && r->value.data != NULL)
        err = replay_value(r->g, r->type, r->value, value, r->diag);
    return err;
}
