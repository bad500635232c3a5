// SPDX-License-Identifier: Apache-2.0
//
// GroupMetadata records (type 2 of __consumer_offsets), written in version 3 and read in 0 to 4. FROZEN by
// Kafka. A record says all that is durable of a group. While the group lives its members keep what is not
// in the record: what else they offer, their sessions, who waits.
#include "group/classic.h"

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "group/internal.h"
#include "wire/record/group_metadata_key.h"
#include "wire/record/group_metadata_value.h"

enum { VALUE_VERSION = 3 };

// ---- Writing ----

static void describe_member(const struct classic_group *cg, const struct classic_member *m,
                            struct group_metadata_value_member_metadata *out)
{
    out->member_id = m->id;
    out->group_instance_id = m->instance_id;
    out->client_id = m->client_id;
    out->client_host = m->client_host;
    out->rebalance_timeout = m->rebalance_timeout_ms;
    out->session_timeout = m->session_timeout_ms;
    out->subscription = classic_metadata(m, cg->protocol_name);
    out->assignment = m->assignment.data == NULL ? bytes_of("", 0) : m->assignment;
}

int classic_write(struct classic_group *cg, const struct classic_record_change *change,
                  struct bytes (*assignment_of)(void *context, const struct classic_member *m),
                  void *context, coordinator_ticket *ticket)
{
    struct groups *g = cg->groups;
    struct group_metadata_key key = {.group = str_from(cg->group->id)};
    struct group_metadata_value value;
    struct group_metadata_value_member_metadata *to =
        mem_alloc_array((size_t)classic_member_count(cg) + 1, sizeof(*to));
    group_metadata_value_init(&value);
    value.protocol_type = str_from(cg->protocol_type != NULL ? cg->protocol_type : "");
    value.generation = cg->generation;
    value.protocol = str_from(cg->protocol_name);
    value.leader = cg->leader == NULL ? (struct str){NULL, 0} : cg->leader->id;
    value.current_state_timestamp = cg->state_timestamp_ms;
    value.members.items = to;
    for (struct classic_member *m = NULL; (m = classic_next_member(cg, m)) != NULL; to++) {
        describe_member(cg, m, to);
        if (assignment_of != NULL)
            to->assignment = assignment_of(context, m);
        if (change == NULL || change->member != m)
            continue;
        to->member_id = change->id;
        to->session_timeout = change->session_timeout_ms;
        to->rebalance_timeout = change->rebalance_timeout_ms;
        if (cg->leader == m)
            value.leader = change->id;
    }
    value.members.count = classic_member_count(cg);
    struct coordinator_time now = *coordinator_now(g->coordinator);
    coordinator_begin(g->coordinator, &now);
    coordinator_write(g->coordinator, GROUP_RECORD_GROUP_METADATA, VALUE_VERSION, &key, &value);
    mem_free(value.members.items);
    return group_write_end(g, str_from(cg->group->id), ticket);
}

int classic_create(struct groups *g, struct str group_id, struct group **out)
{
    struct group *group = groups_find(g, group_id);
    struct group_metadata_key key = {.group = group_id};
    struct group_metadata_value value;
    struct coordinator_time now = *coordinator_now(g->coordinator);
    coordinator_ticket ticket;
    group_metadata_value_init(&value);
    value.protocol = (struct str){NULL, 0};
    value.leader = (struct str){NULL, 0};
    value.current_state_timestamp = now.wall_ms;
    coordinator_begin(g->coordinator, &now);
    if (group != NULL)
        group_kind_type(group->kind)->write_tombstones(g, group);
    coordinator_write(g->coordinator, GROUP_RECORD_GROUP_METADATA, VALUE_VERSION, &key, &value);
    int err = group_write_end(g, group_id, &ticket);
    if (err == 0)
        *out = groups_find(g, group_id);
    return err;
}

// ---- Replaying ----

// Finds the member that the record means, or adds it. NULL: the record names it twice.
static struct classic_member *stored_member(struct classic_group *cg,
                                            const struct group_metadata_value_member_metadata *from)
{
    struct str instance_id = from->group_instance_id;
    struct classic_member *m = classic_find_member(cg, from->member_id);
    struct classic_member *same = instance_id.data == NULL ? NULL : classic_find_instance(cg, instance_id);
    if ((m != NULL && m->is_in_record) || (same != NULL && same->is_in_record))
        return NULL;
    if (m != NULL && m != same && (instance_id.data != NULL || m->instance_id.data != NULL)) {
        classic_drop_member(m, KAFKA_UNKNOWN_MEMBER_ID); // its id went to another instance
        m = NULL;
    }
    if (m == NULL && same != NULL) {
        classic_rename_member(cg, same, from->member_id); // a static member that came back
        m = same;
    }
    return m != NULL ? m : classic_add_member(cg, &(struct classic_member_options){
        .id = from->member_id,
        .instance_id = instance_id,
        .client_id = from->client_id,
        .client_host = from->client_host,
    });
}

static int replay_member(struct classic_group *cg, const struct group_metadata_value *value,
                         const struct group_metadata_value_member_metadata *from, struct diag *diag)
{
    struct classic_member *m = stored_member(cg, from);
    if (m == NULL)
        return diag_set(diag, ERR_CORRUPT, "group %s has the member %.*s twice", cg->group->id,
                        STR_ARG(from->member_id));
    m->is_in_record = true;
    m->session_timeout_ms = from->session_timeout;
    m->rebalance_timeout_ms = from->rebalance_timeout < 0 ? from->session_timeout : from->rebalance_timeout;
    classic_set_assignment(m, from->assignment);
    if (value->protocol.data == NULL || m->protocol_count == 0 ||
        !bytes_equal(classic_metadata(m, cg->protocol_name), from->subscription))
        classic_set_protocols(m, &(struct classic_protocol){value->protocol, from->subscription},
                              value->protocol.data == NULL ? 0 : 1);
    return 0;
}

static void drop_members_not_in_record(struct classic_group *cg)
{
    for (struct classic_member *m = classic_next_member(cg, NULL), *next; m != NULL; m = next) {
        next = classic_next_member(cg, m);
        if (!m->is_in_record)
            classic_drop_member(m, KAFKA_UNKNOWN_MEMBER_ID);
    }
}

static int replay_group(struct classic_group *cg, const struct group_metadata_value *value,
                        struct diag *diag)
{
    for (struct classic_member *m = NULL; (m = classic_next_member(cg, m)) != NULL;)
        m->is_in_record = false;
    cg->is_stored = true;
    cg->is_initial = false;
    cg->generation = value->generation;
    cg->state_timestamp_ms = value->current_state_timestamp;
    classic_set_protocol_type(cg, value->protocol_type);
    classic_set_protocol_name(cg, value->protocol);
    for (int32_t i = 0; i < value->members.count; i++) {
        int err = replay_member(cg, value, &value->members.items[i], diag);
        if (err != 0)
            return err;
    }
    drop_members_not_in_record(cg);
    cg->leader = classic_find_member(cg, value->leader);
    cg->state = classic_member_count(cg) > 0 ? CLASSIC_STABLE : CLASSIC_EMPTY;
    return 0;
}

// The group's record is gone. Offsets that are still there keep it as a simple one.
static void replay_tombstone(struct groups *g, struct str group_id)
{
    struct group *group = groups_find(g, group_id);
    if (group == NULL || group->kind != GROUP_CLASSIC)
        return;
    if (group->offsets.total == 0)
        groups_remove(g, group);
    else
        group_become(g, group, GROUP_CLASSIC);
}

int classic_replay(struct groups *g, const struct coordinator_record_type *type, struct bytes key,
                   struct bytes value, const struct coordinator_origin *origin, struct diag *diag)
{
    struct group_metadata_key k;
    struct group_metadata_value v;
    int err = replay_key(g, type, key, &k, diag);
    if (err != 0)
        return err;
    if (value.data == NULL) {
        replay_tombstone(g, k.group);
        return 0;
    }
    err = replay_value(g, type, value, &v, diag);
    if (err != 0)
        return err;
    struct group *group = groups_get(g, k.group);
    if (group->kind != GROUP_CLASSIC)
        group_become(g, group, GROUP_CLASSIC);
    return replay_group(group->classic, &v, diag);
}
