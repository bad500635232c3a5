// SPDX-License-Identifier: Apache-2.0
//
// The sticky assignors: as even as subscriptions allow, and within that everybody keeps what he has.
// "sticky" members give everything up before they join and say what they had in user data;
// "cooperative-sticky" ones keep it (KIP-429), so that a partition that changes hands is withheld in
// this round and given out in the next, when its owner has let it go.
//
// Kafka's does the same with more cases. What is FROZEN is what members tell each other, not which of
// several even assignments comes out.
#include <stdlib.h>
#include <string.h>

#include "base/be.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/err.h"
#include "client/assignor_internal.h"
#include "wire/record/consumer_protocol_subscription.h"
#include "wire/record/sticky_assignor_user_data.h"

enum { NOBODY = -1, USER_DATA_BYTES_MAX = 16 << 20 };

// What is decided about one partition.
struct seat {
    int owner;          // member, or NOBODY
    int claimant;       // who had it before, by the newest generation that says so; NOBODY
    int32_t generation; // of that claim
    bool disputed;      // two members of one generation say so
    bool kept;          // by its claimant
};

struct sticky {
    struct assignor_table table;
    struct seat *seats;
    int *first;  // seat of partition 0, by topic
    int *load;   // partitions, by member
    int *order;  // topics, those with the fewest members first
};

// What a member says that it had.
struct claims {
    struct partition_list partitions;
    int32_t generation;
};

// --- What members said ---

static int read_sticky_claims(const struct assignor_member *m, struct arena *arena, struct claims *out)
{
    struct sticky_assignor_user_data data;
    struct bytes bytes = m->subscription->user_data;
    if (bytes.size == 0)
        return 0;
    int err = wire_decode(&sticky_assignor_user_data_schema, 1, bytes, arena, &data, NULL);
    if (err == ERR_TRUNCATED)
        err = wire_decode(&sticky_assignor_user_data_schema, 0, bytes, arena, &data, NULL);
    if (err < 0)
        return err == ERR_NOMEM ? err : 0; // it says nothing that we understand
    out->generation = data.generation;
    for (int i = 0; i < data.previous_assignment.count; i++)
        for (int k = 0; k < data.previous_assignment.items[i].partitions.count; k++)
            partition_list_add(&out->partitions, data.previous_assignment.items[i].topic,
                               data.previous_assignment.items[i].partitions.items[k]);
    return 0;
}

// Before version 2 of the subscription the generation is in the user data.
static int read_cooperative_claims(const struct assignor_member *m, struct arena *arena,
                                   struct claims *out)
{
    const struct consumer_protocol_subscription *s = m->subscription;
    out->generation = s->generation_id;
    if (s->generation_id < 0 && s->user_data.size == 4)
        out->generation = (int32_t)be32_load(s->user_data.data);
    for (int i = 0; i < s->owned_partitions.count; i++)
        for (int k = 0; k < s->owned_partitions.items[i].partitions.count; k++)
            partition_list_add(&out->partitions, s->owned_partitions.items[i].topic,
                               s->owned_partitions.items[i].partitions.items[k]);
    return 0;
}

typedef int (*read_claims_fn)(const struct assignor_member *m, struct arena *arena,
                              struct claims *out);

static struct seat *seat_find(const struct sticky *s, const struct topic_partition *p, int *topic)
{
    *topic = assignor_topic_find(&s->table, p->topic);
    if (*topic < 0 || p->partition < 0 || p->partition >= s->table.topics[*topic].partition_count)
        return NULL;
    return &s->seats[s->first[*topic] + p->partition];
}

static void claim(struct sticky *s, int member, const struct claims *claims)
{
    for (int i = 0; i < claims->partitions.count; i++) {
        int topic;
        struct seat *seat = seat_find(s, &claims->partitions.items[i], &topic);
        if (seat == NULL)
            continue;
        bool newer = seat->claimant == NOBODY || claims->generation > seat->generation;
        if (!newer && claims->generation == seat->generation)
            seat->disputed = true;
        if (!newer)
            continue;
        seat->claimant = member;
        seat->generation = claims->generation;
        seat->disputed = false;
    }
}

static int take_claims(struct sticky *s, read_claims_fn read, struct arena *arena)
{
    int err = 0;
    for (int m = 0; m < s->table.member_count && err == 0; m++) {
        struct claims claims = {.generation = -1};
        err = read(&s->table.members[m], arena, &claims);
        partition_list_sort(&claims.partitions);
        if (err == 0)
            claim(s, m, &claims);
        partition_list_release(&claims.partitions);
    }
    return err;
}

// --- Dealing out ---

static void seat_give(struct sticky *s, struct seat *seat, int member)
{
    if (seat->owner != NOBODY)
        s->load[seat->owner]--;
    seat->owner = member;
    seat->kept = seat->claimant == member && !seat->disputed;
    s->load[member]++;
}

// Who of those that subscribe to a topic has least; NOBODY if none does.
static int least_loaded(const struct sticky *s, int topic)
{
    int best = NOBODY;
    for (int m = 0; m < s->table.member_count; m++)
        if (assignor_subscribes(&s->table, m, topic) && (best == NOBODY || s->load[m] < s->load[best]))
            best = m;
    return best;
}

static void keep_what_was(struct sticky *s)
{
    for (int k = 0; k < s->table.topic_count; k++)
        for (int p = 0; p < s->table.topics[k].partition_count; p++) {
            struct seat *seat = &s->seats[s->first[k] + p];
            if (seat->claimant != NOBODY && !seat->disputed &&
                assignor_subscribes(&s->table, seat->claimant, k))
                seat_give(s, seat, seat->claimant);
        }
}

static void fill(struct sticky *s)
{
    for (int i = 0; i < s->table.topic_count; i++) {
        int k = s->order[i];
        for (int p = 0; p < s->table.topics[k].partition_count; p++) {
            struct seat *seat = &s->seats[s->first[k] + p];
            int member = seat->owner == NOBODY ? least_loaded(s, k) : NOBODY;
            if (member != NOBODY)
                seat_give(s, seat, member);
        }
    }
}

// Moves what is uneven: from who has at least two more. Each move brings the loads nearer together, so
// this ends. True if anything was moved.
static bool even_out(struct sticky *s, bool kept_too)
{
    bool moved = false;
    for (int i = 0; i < s->table.topic_count; i++) {
        int k = s->order[i];
        for (int p = s->table.topics[k].partition_count - 1; p >= 0; p--) {
            struct seat *seat = &s->seats[s->first[k] + p];
            if (seat->owner == NOBODY || (seat->kept && !kept_too))
                continue;
            int member = least_loaded(s, k);
            if (s->load[member] + 1 >= s->load[seat->owner])
                continue;
            seat_give(s, seat, member);
            moved = true;
        }
    }
    return moved;
}

static int compare_order(const void *left, const void *right)
{
    const int *a = left, *b = right;
    return (a[1] > b[1]) - (a[1] < b[1]) != 0 ? (a[1] > b[1]) - (a[1] < b[1])
                                              : (a[0] > b[0]) - (a[0] < b[0]);
}

// Topics by how many members there are for them: who has few choices comes first.
static int order_topics(struct sticky *s, struct arena *arena)
{
    int count = s->table.topic_count;
    int(*pairs)[2] = arena_alloc_array(arena, (size_t)count + 1, sizeof *pairs);
    if (pairs == NULL)
        return ERR_NOMEM;
    for (int k = 0; k < count; k++) {
        pairs[k][0] = k;
        pairs[k][1] = 0;
        for (int m = 0; m < s->table.member_count; m++)
            pairs[k][1] += assignor_subscribes(&s->table, m, k);
    }
    if (count > 0)
        qsort(pairs, (size_t)count, sizeof *pairs, compare_order);
    for (int k = 0; k < count; k++)
        s->order[k] = pairs[k][0];
    return 0;
}

static int sticky_init(struct sticky *s, struct arena *arena)
{
    size_t topics = (size_t)s->table.topic_count, members = (size_t)s->table.member_count;
    int seats = 0;
    s->first = arena_new_array(arena, topics + 1, int);
    s->order = arena_new_array(arena, topics + 1, int);
    s->load = arena_new_array(arena, members + 1, int);
    if (s->first == NULL || s->order == NULL || s->load == NULL)
        return ERR_NOMEM;
    memset(s->load, 0, (members + 1) * sizeof *s->load);
    for (size_t k = 0; k < topics; k++) {
        s->first[k] = seats;
        seats += s->table.topics[k].partition_count;
    }
    s->seats = arena_new_array(arena, (size_t)seats + 1, struct seat);
    if (s->seats == NULL)
        return ERR_NOMEM;
    for (int i = 0; i < seats; i++)
        s->seats[i] = (struct seat){.owner = NOBODY, .claimant = NOBODY, .generation = -1};
    return order_topics(s, arena);
}

// Tells the members. A partition that somebody else has yet is withheld where that matters.
static void tell(struct sticky *s, bool cooperative)
{
    for (int k = 0; k < s->table.topic_count; k++)
        for (int p = 0; p < s->table.topics[k].partition_count; p++) {
            const struct seat *seat = &s->seats[s->first[k] + p];
            bool others = seat->claimant != NOBODY && !seat->kept;
            if (seat->owner != NOBODY && !(cooperative && others))
                assignor_give(&s->table, seat->owner, k, p);
        }
}

static int assign(struct assignor_member *members, int member_count, struct assignor_topic *topics,
                  int topic_count, struct arena *arena, read_claims_fn read, bool cooperative)
{
    struct sticky s = {0};
    int err = assignor_table_init(&s.table, members, member_count, topics, topic_count, arena);
    if (err == 0)
        err = sticky_init(&s, arena);
    if (err == 0)
        err = take_claims(&s, read, arena);
    if (err < 0)
        return err;
    keep_what_was(&s);
    fill(&s);
    while (even_out(&s, false))
        continue;
    while (even_out(&s, true))
        continue;
    tell(&s, cooperative);
    return 0;
}

static int sticky_assign(struct assignor_member *members, int member_count,
                         struct assignor_topic *topics, int topic_count, struct arena *arena)
{
    return assign(members, member_count, topics, topic_count, arena, read_sticky_claims, false);
}

static int cooperative_assign(struct assignor_member *members, int member_count,
                              struct assignor_topic *topics, int topic_count, struct arena *arena)
{
    return assign(members, member_count, topics, topic_count, arena, read_cooperative_claims, true);
}

// --- What we say ---

static struct bytes sticky_user_data(const struct partition_list *owned, int32_t generation,
                                     struct arena *arena)
{
    struct sticky_assignor_user_data data = {.generation = generation};
    data.previous_assignment.items = arena_new_array(
        arena, (size_t)owned->count + 1, struct sticky_assignor_user_data_topic_assignment);
    int32_t *partitions = arena_new_array(arena, (size_t)owned->count + 1, int32_t);
    if (generation < 0 || data.previous_assignment.items == NULL || partitions == NULL)
        return (struct bytes){0};
    for (int i = 0; i < owned->count; i++) {
        struct sticky_assignor_user_data_topic_assignment *last =
            &data.previous_assignment.items[data.previous_assignment.count - 1];
        if (i == 0 || !str_equal(last->topic, owned->items[i].topic)) {
            last = &data.previous_assignment.items[data.previous_assignment.count++];
            *last = (struct sticky_assignor_user_data_topic_assignment){
                .topic = owned->items[i].topic, .partitions = {&partitions[i], 0}};
        }
        last->partitions.items[last->partitions.count++] = owned->items[i].partition;
    }
    struct buf buf;
    buf_init(&buf, USER_DATA_BYTES_MAX);
    struct str copy = {0};
    if (wire_encode_buf(&sticky_assignor_user_data_schema, 1, &data, &buf) == 0)
        copy = arena_copy_str(arena, buf_str(&buf));
    buf_release(&buf);
    return str_bytes(copy);
}

static struct bytes cooperative_user_data(const struct partition_list *owned, int32_t generation,
                                          struct arena *arena)
{
    uint8_t *data = arena_alloc(arena, 4);
    if (data == NULL)
        return (struct bytes){0};
    be32_store(data, (uint32_t)generation);
    return bytes_of(data, 4);
}

const struct client_assignor assignor_sticky = {
    .name = "sticky",
    .assign = sticky_assign,
    .user_data = sticky_user_data,
};

const struct client_assignor assignor_cooperative_sticky = {
    .name = "cooperative-sticky",
    .cooperative = true,
    .assign = cooperative_assign,
    .user_data = cooperative_user_data,
};
