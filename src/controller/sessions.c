// SPDX-License-Identifier: Apache-2.0
//
// Who was heard from, and when. A controller that has just begun to lead has heard nobody: a
// registration then meets no session of an earlier incarnation, so a node that was killed is back at
// once; and brokers that are in service have a whole timeout to show themselves.
#include "base/check.h"
#include "base/mem.h"
#include "controller/internal.h"

struct broker_session *session_find(struct controller *c, int32_t broker_id)
{
    for (int i = 0; i < c->session_count; i++)
        if (c->sessions[i].broker_id == broker_id)
            return &c->sessions[i];
    return NULL;
}

static struct broker_session *session_add(struct controller *c, int32_t broker_id, int64_t now_ms)
{
    mem_grow(c->sessions, c->session_count, c->session_capacity);
    struct broker_session *s = &c->sessions[c->session_count++];
    *s = (struct broker_session){.broker_id = broker_id,
                                 .contact_ms = now_ms,
                                 .metadata_offset = -1,
                                 .shutdown_offset = -1};
    return s;
}

struct broker_session *session_touch(struct controller *c, int32_t broker_id, int64_t now_ms)
{
    struct broker_session *s = session_find(c, broker_id);
    if (s == NULL)
        s = session_add(c, broker_id, now_ms);
    s->heard = true;
    s->contact_ms = now_ms;
    return s;
}

bool session_is_valid(const struct controller *c, int32_t broker_id, int64_t now_ms)
{
    for (int i = 0; i < c->session_count; i++) {
        const struct broker_session *s = &c->sessions[i];
        if (s->broker_id == broker_id)
            return s->heard && now_ms < s->contact_ms + c->session_timeout_ms;
    }
    return false;
}

void sessions_reset(struct controller *c, int64_t now_ms)
{
    c->session_count = 0;
    struct pmap_iter iter;
    for (const struct metadata_broker *b = metadata_broker_first(c->image, &iter); b != NULL;
         b = metadata_broker_next(&iter))
        session_add(c, b->node.id, now_ms);
}

// The unfenced broker that has been silent for longest.
static const struct broker_session *session_oldest(const struct controller *c)
{
    const struct broker_session *oldest = NULL;
    for (int i = 0; i < c->session_count; i++) {
        const struct broker_session *s = &c->sessions[i];
        const struct metadata_broker *b = metadata_image_broker(c->image, s->broker_id);
        if (b != NULL && !b->fenced && (oldest == NULL || s->contact_ms < oldest->contact_ms))
            oldest = s;
    }
    return oldest;
}

int64_t controller_session_deadline_ms(const struct controller *c)
{
    const struct broker_session *oldest = c->image != NULL ? session_oldest(c) : NULL;
    return oldest != NULL ? oldest->contact_ms + c->session_timeout_ms : INT64_MAX;
}

void controller_fence_stale(struct controller *c, struct controller_command *cmd)
{
    cmd->atomic = false;
    const struct broker_session *oldest = cmd->image != NULL ? session_oldest(c) : NULL;
    if (oldest == NULL || oldest->contact_ms + c->session_timeout_ms > cmd->input.now_ms)
        return;
    const struct metadata_broker *b = metadata_image_broker(c->image, oldest->broker_id);
    struct diag diag;
    trace_warn(c->trace, "controller", "broker %d was not heard for %lld ms and is fenced",
               b->node.id, (long long)c->session_timeout_ms);
    if (broker_fence(c, cmd, b, &diag) != 0) {
        trace_error(c->trace, "controller", "fencing broker %d: %s", b->node.id, diag.text);
        command_clear(c, cmd);
    }
}
