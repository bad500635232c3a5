// SPDX-License-Identifier: Apache-2.0
//
// What the leader of a classic group does: it knows everybody's subscription from JoinGroup, learns the
// topics in them from Metadata, has its assignor decide, and sends everybody's part with SyncGroup. As
// long as it leads it watches these topics: when partitions come or go it asks for a rebalance.
#include <stdlib.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "client/group_member_internal.h"
#include "wire/api/join_group.h"
#include "wire/api/sync_group.h"
#include "wire/consumer_protocol.h"
#include "wire/errors.h"
#include "wire/record/consumer_protocol_assignment.h"
#include "wire/record/consumer_protocol_subscription.h"

enum { ASSIGNMENT_BYTES_MAX = 16 << 20 };

// Everybody's subscription; one that cannot be read counts as empty, so that one stranger does not keep
// all others from reading.
static int read_members(struct group_member *m, const struct join_group_response *r,
                        struct assignor_member *out)
{
    for (int i = 0; i < r->members.count; i++) {
        const struct join_group_response_join_group_response_member *from = &r->members.items[i];
        struct consumer_protocol_subscription *s =
            arena_new(&m->arena, struct consumer_protocol_subscription);
        if (s == NULL)
            return ERR_NOMEM;
        int err = consumer_protocol_read_subscription(from->metadata, &m->arena, s, NULL);
        if (err == ERR_NOMEM)
            return err;
        if (err < 0)
            consumer_protocol_subscription_init(s);
        out[i] = (struct assignor_member){
            .id = from->member_id, .instance_id = from->group_instance_id, .subscription = s};
    }
    return 0;
}

static int compare_topics(const void *left, const void *right)
{
    return str_compare(((const struct assignor_topic *)left)->name,
                       ((const struct assignor_topic *)right)->name);
}

static int32_t partition_count_of(const struct group_member *m, struct str topic)
{
    const struct topology_topic *t = topology_topic(client_topology(m->client), topic);
    return t != NULL && t->error == 0 ? t->partition_count : 0;
}

// All topics that anybody subscribes to, once each, into the snapshot.
static void take_snapshot(struct group_member *m, const struct assignor_member *members, int count)
{
    struct classic_membership *c = &m->classic;
    int topics = 0, room = 0, kept = 0;
    for (int i = 0; i < count; i++)
        room += members[i].subscription->topics.count;
    c->snapshot = mem_resize(c->snapshot, ((size_t)room + 1) * sizeof *c->snapshot);
    for (int i = 0; i < count; i++)
        for (int k = 0; k < members[i].subscription->topics.count; k++)
            c->snapshot[topics++].name =
                group_member__name(m, members[i].subscription->topics.items[k]);
    if (topics > 0)
        qsort(c->snapshot, (size_t)topics, sizeof *c->snapshot, compare_topics);
    for (int i = 0; i < topics; i++)
        if (kept == 0 || !str_equal(c->snapshot[kept - 1].name, c->snapshot[i].name))
            c->snapshot[kept++] = c->snapshot[i];
    for (int i = 0; i < kept; i++)
        c->snapshot[i].partition_count = partition_count_of(m, c->snapshot[i].name);
    c->snapshot_count = kept;
}

static int read_group(struct group_member *m, struct assignor_member **members, int *count)
{
    const struct join_group_response *r = m->classic.joined.response;
    *count = r->members.count;
    *members = arena_new_array(&m->arena, (size_t)*count + 1, struct assignor_member);
    int err = *members != NULL ? read_members(m, r, *members) : ERR_NOMEM;
    if (err == 0)
        take_snapshot(m, *members, *count);
    return err;
}

bool group_member__lead_is_ready(struct group_member *m)
{
    struct assignor_member *members;
    int count;
    arena_release(&m->arena);
    if (read_group(m, &members, &count) < 0)
        return true; // and group_member__lead() says it
    bool known = true;
    for (int i = 0; i < m->classic.snapshot_count; i++) {
        struct str name = m->classic.snapshot[i].name;
        client_want_topic(m->client, name, false);
        known &= topology_topic(client_topology(m->client), name) != NULL;
    }
    return known;
}

bool group_member__lead_is_outdated(const struct group_member *m)
{
    for (int i = 0; i < m->classic.snapshot_count; i++) {
        const struct assignor_topic *before = &m->classic.snapshot[i];
        const struct topology_topic *t = topology_topic(client_topology(m->client), before->name);
        // Other errors pass, and say nothing about partitions.
        bool says = t != NULL && (t->error == 0 || t->error == KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
        if (says && before->partition_count != partition_count_of(m, before->name))
            return true;
    }
    return false;
}

static int write_assignment(struct group_member *m, const struct partition_list *l, struct buf *buf,
                            struct bytes *out)
{
    struct consumer_protocol_assignment a;
    consumer_protocol_assignment_init(&a);
    a.assigned_partitions.items = arena_new_array(&m->arena, (size_t)l->count + 1,
                                                  struct consumer_protocol_assignment_topic_partition);
    int32_t *partitions = arena_new_array(&m->arena, (size_t)l->count + 1, int32_t);
    if (a.assigned_partitions.items == NULL || partitions == NULL)
        return ERR_NOMEM;
    for (int i = 0; i < l->count; i++) {
        int at = a.assigned_partitions.count - 1;
        if (at < 0 || !str_equal(a.assigned_partitions.items[at].topic, l->items[i].topic))
            a.assigned_partitions.items[a.assigned_partitions.count++] =
                (struct consumer_protocol_assignment_topic_partition){
                    .topic = l->items[i].topic, .partitions = {&partitions[i], 0}};
        struct wire_int32_array *to =
            &a.assigned_partitions.items[a.assigned_partitions.count - 1].partitions;
        to->items[to->count++] = l->items[i].partition;
    }
    buf_clear(buf);
    int err = consumer_protocol_write_assignment(&a, CONSUMER_PROTOCOL_VERSION_MAX, buf);
    struct str copy = err == 0 ? arena_copy_str(&m->arena, buf_str(buf)) : (struct str){0};
    *out = str_bytes(copy);
    return err == 0 && copy.data == NULL ? ERR_NOMEM : err;
}

static int fill_assignments(struct group_member *m, const struct assignor_member *members, int count,
                            struct sync_group_request *out)
{
    out->assignments.items = arena_new_array(&m->arena, (size_t)count + 1,
                                             struct sync_group_request_sync_group_request_assignment);
    if (out->assignments.items == NULL)
        return ERR_NOMEM;
    struct buf buf;
    buf_init(&buf, ASSIGNMENT_BYTES_MAX);
    int err = 0;
    for (int i = 0; i < count && err == 0; i++) {
        struct sync_group_request_sync_group_request_assignment *to = &out->assignments.items[i];
        to->member_id = arena_copy_str(&m->arena, members[i].id);
        err = to->member_id.data != NULL
                  ? write_assignment(m, &members[i].assigned, &buf, &to->assignment)
                  : ERR_NOMEM;
        out->assignments.count = i + 1;
    }
    buf_release(&buf);
    return err;
}

int group_member__lead(struct group_member *m, struct sync_group_request *out)
{
    const struct join_group_response *r = m->classic.joined.response;
    struct assignor_member *members;
    int count;
    int err = read_group(m, &members, &count);
    if (err < 0 || r->skip_assignment) // a static leader came back: everything stays (KIP-814)
        return err;
    err = m->classic.assignor->assign(members, count, m->classic.snapshot, m->classic.snapshot_count,
                                      &m->arena);
    if (err == 0)
        err = fill_assignments(m, members, count, out);
    for (int i = 0; i < count; i++)
        partition_list_release(&members[i].assigned);
    return err;
}
