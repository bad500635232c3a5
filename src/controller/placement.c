// SPDX-License-Identifier: Apache-2.0
//
// Where new replicas go. All brokers stand in a ring in which racks alternate; leaders go round the
// ring, and the other replicas of a partition follow on it, each on a rack that has fewest of them
// so far. With every round the followers step one further, so that the load of a lost broker falls
// on all others. Kafka's own placer gives other lists that are as even; no client can tell.
#include "base/check.h"
#include "base/err.h"
#include "controller/internal.h"
#include "metadata/records.h"
#include "wire/record/partition_record.h"

struct ring_broker {
    int32_t id;
    int rack; // number of its rack; brokers without one share theirs
};

struct ring {
    struct ring_broker *brokers;
    int count;
    int in_service;  // the first so many are; then come the fenced ones
    bool *taken;     // by the partition at hand
    int *rack_taken; // how many of each rack are taken
};

static bool broker_is_usable(const struct metadata_broker *b)
{
    bool all_cordoned = b->directory_count > 0 && b->cordoned_count >= b->directory_count;
    return !b->in_controlled_shutdown && !all_cordoned;
}

static bool rack_equal(struct str a, struct str b)
{
    return (a.data == NULL) == (b.data == NULL) && str_equal(a, b);
}

static void brokers_swap(struct ring_broker *a, struct ring_broker *b)
{
    struct ring_broker c = *a;
    *a = *b;
    *b = c;
}

static int rack_uses(const struct ring_broker *brokers, int count, int rack)
{
    int uses = 0;
    for (int i = 0; i < count; i++)
        uses += brokers[i].rack == rack;
    return uses;
}

// Brings brokers into an order in which racks alternate, starting at a random one.
static void ring_arrange(struct ring_broker *brokers, int count, struct prng *prng)
{
    for (int i = count - 1; i > 0; i--)
        brokers_swap(&brokers[i], &brokers[prng_below(prng, (uint64_t)i + 1)]);
    for (int i = 0; i < count; i++) {
        int best = i, best_uses = rack_uses(brokers, i, brokers[i].rack);
        for (int j = i + 1; j < count && best_uses > 0; j++) {
            int uses = rack_uses(brokers, i, brokers[j].rack);
            if (uses < best_uses) {
                best = j;
                best_uses = uses;
            }
        }
        brokers_swap(&brokers[i], &brokers[best]);
    }
}

// The number of a rack: the position of the first broker in it.
static int rack_number(const struct metadata_image *image, struct str rack)
{
    struct pmap_iter iter;
    int number = 0;
    const struct metadata_broker *b = metadata_broker_first(image, &iter);
    for (; b != NULL && !rack_equal(b->rack, rack); b = metadata_broker_next(&iter))
        number++;
    return number;
}

static bool ring_init(struct ring *r, const struct metadata_image *image, struct prng *prng,
                      struct arena *arena)
{
    size_t total = (size_t)metadata_image_broker_count(image) + 1;
    r->brokers = arena_new_array(arena, total, struct ring_broker);
    r->taken = arena_new_array(arena, total, bool);
    r->rack_taken = arena_new_array(arena, total, int);
    if (r->brokers == NULL || r->taken == NULL || r->rack_taken == NULL)
        return false;
    for (int fenced = 0; fenced < 2; fenced++) {
        int begin = r->count;
        struct pmap_iter iter;
        for (const struct metadata_broker *b = metadata_broker_first(image, &iter); b != NULL;
             b = metadata_broker_next(&iter))
            if (broker_is_usable(b) && b->fenced == (fenced == 1))
                r->brokers[r->count++] =
                    (struct ring_broker){b->node.id, rack_number(image, b->rack)};
        ring_arrange(r->brokers + begin, r->count - begin, prng);
        if (!fenced)
            r->in_service = r->count;
    }
    return true;
}

static int32_t ring_take(struct ring *r, int at)
{
    r->taken[at] = true;
    r->rack_taken[r->brokers[at].rack]++;
    return r->brokers[at].id;
}

// The next broker on the ring's part [begin, end) after `from` that the partition has not, on the
// rack that it uses least; -1 when all are taken.
static int ring_next(const struct ring *r, int begin, int end, int from)
{
    int best = -1, best_uses = 0;
    for (int step = 0; step < end - begin; step++) {
        int at = begin + (from + step) % (end - begin);
        int uses = r->rack_taken[r->brokers[at].rack];
        if (!r->taken[at] && (best < 0 || uses < best_uses)) {
            best = at;
            best_uses = uses;
        }
    }
    return best;
}

static void partition_place(struct ring *r, int64_t turn, int16_t replication_factor, int32_t *out)
{
    int leader = (int)(turn % r->in_service);
    int shift = (int)(turn / r->in_service % r->in_service);
    for (int i = 0; i < r->count; i++) {
        r->taken[i] = false;
        r->rack_taken[r->brokers[i].rack] = 0;
    }
    out[0] = ring_take(r, leader);
    for (int16_t i = 1; i < replication_factor; i++) {
        int at = ring_next(r, 0, r->in_service, leader + 1 + shift);
        if (at < 0)
            at = ring_next(r, r->in_service, r->count, leader + shift);
        check(at >= 0);
        out[i] = ring_take(r, at);
    }
}

bool placement_make(const struct metadata_image *image, struct prng *prng, int32_t first_partition,
                    int32_t partition_count, int16_t replication_factor, struct arena *arena,
                    struct placement *out, struct api_error *e)
{
    struct ring r = {0};
    if (!ring_init(&r, image, prng, arena))
        return api_fail_emit(e, ERR_NOMEM, NULL);
    if (r.in_service == 0)
        return api_fail(e, KAFKA_INVALID_REPLICATION_FACTOR,
                        "Unable to replicate the partition %d time(s): All brokers are currently "
                        "fenced or have all their log directories cordoned.",
                        replication_factor);
    if (replication_factor > r.count)
        return api_fail(e, KAFKA_INVALID_REPLICATION_FACTOR,
                        "Unable to replicate the partition %d time(s): The target replication "
                        "factor of %d cannot be reached because only %d broker(s) are registered or "
                        "some brokers have all their log directories cordoned.",
                        replication_factor, replication_factor, r.count);
    int32_t *replicas = arena_alloc_array(
        arena, (size_t)partition_count * (size_t)replication_factor, sizeof *replicas);
    if (replicas == NULL)
        return api_fail_emit(e, ERR_NOMEM, NULL);
    int64_t start = (int64_t)prng_below(prng, (uint64_t)r.in_service) + first_partition;
    for (int32_t i = 0; i < partition_count; i++)
        partition_place(&r, start + i, replication_factor,
                        replicas + (size_t)i * (size_t)replication_factor);
    *out = (struct placement){partition_count, replication_factor, replicas};
    return true;
}

bool assignment_check(const struct metadata_image *image, struct wire_int32_array brokers,
                      int32_t replication_factor, struct api_error *e)
{
    if (brokers.count <= 0)
        return api_fail(e, KAFKA_INVALID_REPLICA_ASSIGNMENT,
                        "The manual partition assignment includes an empty replica list.");
    if (brokers.count > INT16_MAX)
        return api_fail(e, KAFKA_INVALID_REPLICA_ASSIGNMENT,
                        "The manual partition assignment includes %d replicas.", brokers.count);
    for (int32_t i = 0; i < brokers.count; i++) {
        if (metadata_image_broker(image, brokers.items[i]) == NULL)
            return api_fail(e, KAFKA_INVALID_REPLICA_ASSIGNMENT,
                            "The manual partition assignment includes broker %d, but no such broker "
                            "is registered.",
                            brokers.items[i]);
        if (replicas_contain((struct replicas){brokers.items, i}, brokers.items[i]))
            return api_fail(e, KAFKA_INVALID_REPLICA_ASSIGNMENT,
                            "The manual partition assignment includes the broker %d more than once.",
                            brokers.items[i]);
    }
    if (replication_factor != 0 && brokers.count != replication_factor)
        return api_fail(e, KAFKA_INVALID_REPLICA_ASSIGNMENT,
                        "The manual partition assignment includes a partition with %d replica(s), "
                        "but this is not consistent with previous partitions, which have %d "
                        "replica(s).",
                        brokers.count, replication_factor);
    return true;
}

// The directory of a new replica: the broker's only one, else it is the broker's choice.
static struct uuid replica_directory(const struct metadata_broker *b)
{
    return b->directory_count == 0   ? DIRECTORY_MIGRATING
           : b->directory_count == 1 ? b->directories[0]
                                     : DIRECTORY_UNASSIGNED;
}

bool partition_emit(struct controller_command *cmd, struct uuid topic_id, int32_t id,
                    const int32_t *replicas, int32_t count, struct api_error *e)
{
    int16_t version = metadata_partition_version(command_metadata_version(cmd));
    struct arena arena;
    arena_init(&arena, (size_t)count * (sizeof(int32_t) + sizeof(struct uuid)) + 256);
    int32_t *isr = arena_new_array(&arena, (size_t)count, int32_t);
    struct uuid *directories = arena_new_array(&arena, (size_t)count, struct uuid);
    check(isr != NULL && directories != NULL);
    struct metadata_partition p = {.id = id, .replicas = {replicas, count}, .isr = {isr, 0}};
    for (int32_t i = 0; i < count; i++) {
        const struct metadata_broker *b = metadata_image_broker(cmd->image, replicas[i]);
        directories[i] = replica_directory(b);
        if (metadata_broker_is_active(b))
            isr[p.isr.count++] = replicas[i];
    }
    bool done = p.isr.count > 0;
    if (done) {
        p.leader = isr[0];
        p.directories = directories;
        struct partition_record record;
        metadata_partition_record(&record, topic_id, &p);
        if (version < 1)
            record.directories = (struct wire_uuid_array){NULL, 0};
        done = command_put(cmd, METADATA_PARTITION_RECORD, version, &record, e);
    } else {
        api_fail(e, KAFKA_INVALID_REPLICA_ASSIGNMENT,
                 "All brokers specified in the manual partition assignment for partition %d are "
                 "fenced or in controlled shutdown.",
                 id);
    }
    arena_release(&arena);
    return done;
}
