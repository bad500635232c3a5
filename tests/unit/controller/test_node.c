// SPDX-License-Identifier: Apache-2.0
//
// Raft, loader and controller together, driven as a node drives them, on a disk that forgets what
// was not synced. Random lives end in a crash at any point; what was acknowledged is there in the
// next life, and no epoch is written in by two lives. The functions named driver_* are what a driver
// has to do.
#include "cluster.h"

#include "metadata/snapshot.h"
#include "raft/raft.h"
#include "wire/api/create_topics.h"
#include "wire/api/delete_topics.h"

enum { TOPICS = 40, LIVES = 8, EPOCHS = 64, NODE = 1 };

struct disk {
    struct quorum_state state;
    struct buf log;
    size_t synced_size;
    struct buf snapshot; // empty: none
    struct snapshot_id snapshot_id;
    int life_of_epoch[EPOCHS]; // which life wrote batches in it; 0: none
};

// One request of a client: a topic to be created or deleted.
struct request {
    struct controller_waiter waiter;
    int topic;
    bool creates;
    bool open;
};

struct driver {
    struct disk *disk;
    struct config *config;
    struct prng *prng;
    int life;
    bool broken;    // says that the log is on disk when it is not
    int steps_left; // until the crash; 0: dead
    struct raft *raft;
    struct raft_out out;
    struct metadata_loader *loader;
    struct controller *controller;
    struct controller_command cmd;
    struct arena arena;
    struct request requests[256];
    int request_count;
    bool *is_there; // per topic, by what was acknowledged
    bool *unknown;  // per topic: a request for it was cut off, so both may be true
};

static void driver_random(void *context, uint8_t *out, size_t size)
{
    struct driver *d = context;
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)prng_next(d->prng);
}

static struct controller_input driver_input(struct driver *d)
{
    return (struct controller_input){.now_ms = 1000,
                                     .next_offset = raft_log_end_offset(d->raft),
                                     .prng = d->prng,
                                     .random = driver_random,
                                     .random_context = d};
}

static bool driver_survives(struct driver *d)
{
    if (d->steps_left > 0)
        d->steps_left--;
    return d->steps_left > 0;
}

static void driver_step(struct driver *d, struct raft_event event);

// Appends the records of the command at hand, and its reply waits.
static void driver_append_command(struct driver *d, struct request *r)
{
    struct raft_event event = {.type = RAFT_EVENT_APPEND, .now_ms = 1000};
    event.append.values = d->cmd.values;
    event.append.count = d->cmd.record_count;
    event.append.atomic = d->cmd.atomic;
    raft_out_clear(&d->out);
    if (d->cmd.record_count > 0)
        assert_int_equal(raft_step(d->raft, &event, &d->out, NULL), 0);
    controller_accept(d->controller, &d->cmd, raft_log_end_offset(d->raft));
    if (r != NULL)
        controller_wait(d->controller, &r->waiter, d->cmd.wait_offset);
}

static void driver_lead(struct driver *d)
{
    struct controller_input input = driver_input(d);
    struct diag diag;
    assert_int_equal(controller_activate(d->controller, &d->cmd, &input,
                                         metadata_loader_image(d->loader),
                                         metadata_loader_in_transaction(d->loader), NULL, &diag),
                     0);
    driver_append_command(d, NULL);
}

// Everything below the high watermark is committed: it becomes visible, and replies go out.
static void driver_commit(struct driver *d, int64_t high_watermark)
{
    struct bytes rest = buf_bytes(&d->disk->log), batch;
    struct batch_header h;
    size_t size = 0;
    while (batch_next(&rest, &h, &batch) == 1 && h.base_offset < high_watermark)
        size = (size_t)(batch.data - d->disk->log.data) + batch.size;
    struct diag diag;
    if (metadata_loader_batches(d->loader, bytes_of(d->disk->log.data, size), &diag) != 0)
        fail_msg("%s", diag.text);
    assert_int_equal(metadata_loader_next_offset(d->loader), high_watermark);
    struct controller_waiter *w;
    while ((w = controller_next_committed(d->controller, high_watermark)) != NULL) {
        struct request *r = container_of(w, struct request, waiter);
        r->open = false;
        d->is_there[r->topic] = r->creates;
    }
}

static void driver_write(struct driver *d, const struct raft_effect *e)
{
    struct batch_header h;
    assert_int_equal(batch_header_parse(e->append.batch, &h), 0);
    int *life = &d->disk->life_of_epoch[h.partition_leader_epoch];
    assert_true(*life == 0 || *life == d->life); // nobody else ever wrote in this epoch
    *life = d->life;
    buf_append(&d->disk->log, e->append.batch.data, e->append.batch.size);
}

static void driver_sync(struct driver *d)
{
    if (!driver_survives(d))
        return;
    if (!d->broken)
        d->disk->synced_size = d->disk->log.size;
    struct raft_event event = {.type = RAFT_EVENT_DURABLE};
    event.durable.offset = raft_log_end_offset(d->raft);
    driver_step(d, event);
}

// Does the effects of the last step, in order.
static void driver_effects(struct driver *d)
{
    bool persisted = false, lead = false;
    for (size_t i = 0; i < d->out.count && driver_survives(d); i++) {
        const struct raft_effect *e = &d->out.effects[i];
        if (e->type == RAFT_EFFECT_PERSIST) {
            d->disk->state = e->persist;
            persisted = true;
        } else if (e->type == RAFT_EFFECT_APPEND) {
            driver_write(d, e);
        } else if (e->type == RAFT_EFFECT_HIGH_WATERMARK) {
            driver_commit(d, e->high_watermark);
        } else if (e->type == RAFT_EFFECT_LEAD) {
            lead = true;
        }
    }
    if (d->steps_left == 0)
        return;
    if (lead) {
        driver_lead(d);
        driver_effects(d);
    }
    if (persisted)
        driver_step(d, (struct raft_event){.type = RAFT_EVENT_PERSISTED, .now_ms = 1000});
}

static void driver_step(struct driver *d, struct raft_event event)
{
    if (d->steps_left == 0)
        return;
    raft_out_clear(&d->out);
    assert_int_equal(raft_step(d->raft, &event, &d->out, NULL), 0);
    driver_effects(d);
}

static void driver_start(struct driver *d)
{
    static const struct raft_voter self = {.id = NODE};
    struct disk *disk = d->disk;
    struct diag diag;
    d->raft = raft_new(&(struct raft_options){.node_id = NODE, .voters = &self, .voter_count = 1});
    raft_out_init(&d->out);
    arena_init(&d->arena, 1 << 24);
    d->loader = metadata_loader_new();
    d->controller = controller_new(&(struct controller_options){
        .cluster_id = str_from(CLUSTER_ID), .config = d->config, .session_timeout_ms = 9000});
    struct raft_event event = {.type = RAFT_EVENT_START, .now_ms = 1000};
    if (disk->snapshot.size > 0) {
        assert_int_equal(metadata_loader_snapshot(d->loader, buf_bytes(&disk->snapshot),
                                                  disk->snapshot_id.end_offset,
                                                  disk->snapshot_id.epoch, &diag),
                         0);
        assert_int_equal(raft_load(d->raft, buf_bytes(&disk->snapshot), &diag), 0);
        event.start.log_end_offset = disk->snapshot_id.end_offset;
        event.start.last_epoch = disk->snapshot_id.epoch;
    }
    assert_int_equal(raft_load(d->raft, buf_bytes(&disk->log), &diag), 0);
    struct bytes rest = buf_bytes(&disk->log), batch;
    struct batch_header h;
    while (batch_next(&rest, &h, &batch) == 1) {
        event.start.log_end_offset = batch_last_offset(&h) + 1;
        event.start.last_epoch = h.partition_leader_epoch;
    }
    event.start.state = &disk->state;
    driver_step(d, event);
}

static void driver_request(struct driver *d)
{
    struct request *r = &d->requests[d->request_count];
    *r = (struct request){.topic = (int)prng_below(d->prng, TOPICS), .open = true};
    char name[16];
    snprintf(name, sizeof name, "topic-%d", r->topic);
    struct str topic_name = str_from(name);
    const struct metadata_topic *now =
        metadata_image_topic(controller_image(d->controller), topic_name);
    r->creates = now == NULL;
    struct controller_input input = driver_input(d);
    controller_begin(d->controller, &d->cmd, &input);
    int16_t code;
    if (r->creates) {
        struct create_topics_request_creatable_topic t;
        struct create_topics_request request;
        struct create_topics_response reply;
        create_topics_request_creatable_topic_init(&t);
        t.name = topic_name;
        t.num_partitions = t.replication_factor = 1;
        create_topics_request_init(&request);
        request.topics.items = &t;
        request.topics.count = 1;
        controller_create_topics(d->controller, &d->cmd, &request, &reply, &d->arena);
        code = reply.topics.items[0].error_code;
    } else {
        struct delete_topics_request request;
        struct delete_topics_response reply;
        delete_topics_request_init(&request);
        request.topic_names = (struct wire_string_array){&topic_name, 1};
        controller_delete_topics(d->controller, &d->cmd, &request, &reply, &d->arena);
        code = reply.responses.items[0].error_code;
    }
    assert_int_equal(code, 0);
    d->request_count++;
    driver_append_command(d, r);
    driver_effects(d);
}

static void driver_register(struct driver *d)
{
    struct registration r;
    struct broker_registration_response reply;
    registration_init(&r, NODE, (uint8_t)(100 + d->life), 1);
    struct controller_input input = driver_input(d);
    controller_begin(d->controller, &d->cmd, &input);
    controller_register_broker(d->controller, &d->cmd, &r.request, 0, &reply, &d->arena);
    assert_int_equal(reply.error_code, 0);
    driver_append_command(d, NULL);
    driver_effects(d);
    if (d->steps_left == 0)
        return;
    struct broker_heartbeat_request heartbeat;
    struct broker_heartbeat_response answer;
    broker_heartbeat_request_init(&heartbeat);
    heartbeat.broker_id = NODE;
    heartbeat.broker_epoch = reply.broker_epoch;
    heartbeat.current_metadata_offset = raft_log_end_offset(d->raft);
    input = driver_input(d);
    controller_begin(d->controller, &d->cmd, &input);
    controller_heartbeat(d->controller, &d->cmd, &heartbeat, &answer, &d->arena);
    assert_false(answer.is_fenced);
    driver_append_command(d, NULL);
    driver_effects(d);
}

static void driver_snapshot(struct driver *d)
{
    const struct metadata_image *image = metadata_loader_image(d->loader);
    struct metadata_snapshot_options options = {.epoch = metadata_image_epoch(image)};
    buf_clear(&d->disk->snapshot);
    assert_int_equal(metadata_snapshot_write(image, &options, &d->disk->snapshot), 0);
    d->disk->snapshot_id = (struct snapshot_id){.end_offset = metadata_image_offset(image) + 1,
                                                .epoch = options.epoch};
}

// What the new life finds must be what was acknowledged, but for requests that the crash cut off.
// Gives the number of topics for which it is not.
static int driver_check(struct driver *d)
{
    const struct metadata_image *image = controller_image(d->controller);
    int wrong = 0;
    for (int i = 0; i < TOPICS; i++) {
        char name[16];
        snprintf(name, sizeof name, "topic-%d", i);
        bool there = metadata_image_topic(image, str_from(name)) != NULL;
        wrong += !d->unknown[i] && there != d->is_there[i];
        d->is_there[i] = there;
        d->unknown[i] = false;
    }
    return wrong;
}

static void driver_die(struct driver *d)
{
    while (controller_next_lost(d->controller) != NULL)
        ;
    for (int i = 0; i < d->request_count; i++)
        if (d->requests[i].open)
            d->unknown[d->requests[i].topic] = true;
    // The tail that was not synced survives up to any whole batch (recovery cuts torn ones).
    struct disk *disk = d->disk;
    size_t keep = disk->synced_size;
    struct bytes rest = bytes_of(disk->log.data + keep, disk->log.size - keep), batch;
    struct batch_header h;
    while (prng_chance(d->prng, 1, 2) && batch_next(&rest, &h, &batch) == 1)
        keep += batch.size;
    disk->log.size = keep;
    raft_free(d->raft);
    raft_out_release(&d->out);
    controller_free(d->controller);
    metadata_loader_free(d->loader);
    arena_release(&d->arena);
}

struct world {
    struct disk disk;
    struct config *config;
    struct prng prng;
    bool broken;
    bool is_there[TOPICS], unknown[TOPICS];
};

static int run_life(struct world *w, int life)
{
    struct prng *prng = &w->prng;
    int wrong = 0;
    struct driver *d = mem_new(struct driver);
    *d = (struct driver){.disk = &w->disk,
                         .config = w->config,
                         .prng = prng,
                         .life = life,
                         .broken = w->broken,
                         .steps_left = life == LIVES ? 1000000 : 1 + (int)prng_below(prng, 90),
                         .is_there = w->is_there,
                         .unknown = w->unknown};
    driver_start(d);
    while (d->steps_left > 0 && !controller_is_active(d->controller))
        driver_sync(d);
    if (d->steps_left > 0) {
        wrong = driver_check(d);
        driver_register(d);
    }
    for (int i = 0; i < 200 && d->steps_left > 0; i++) {
        if (prng_chance(prng, 1, 3))
            driver_sync(d);
        else if (!w->broken && prng_chance(prng, 1, 20))
            driver_snapshot(d);
        else
            driver_request(d);
    }
    driver_sync(d);
    driver_die(d);
    mem_free(d);
    return wrong;
}

// One history of several lives; gives what was found wrong.
static int run_history(struct config *config, uint64_t seed, bool broken)
{
    struct world *w = mem_new(struct world);
    w->config = config;
    w->broken = broken;
    prng_init(&w->prng, seed);
    quorum_state_init(&w->disk.state);
    buf_init(&w->disk.log, 1 << 24);
    buf_init(&w->disk.snapshot, 1 << 24);
    int wrong = 0;
    for (int life = 1; life <= LIVES; life++)
        wrong += run_life(w, life);
    buf_release(&w->disk.log);
    buf_release(&w->disk.snapshot);
    mem_free(w);
    return wrong;
}

static void what_was_acknowledged_survives_every_crash(void **state)
{
    struct config *config = config_new();
    for (uint64_t seed = 1; seed <= 30; seed++)
        if (run_history(config, seed, false) != 0)
            fail_msg("seed %d", (int)seed);
    config_free(config);
}

// The test above can fail: a node that acknowledges before its log is on disk is caught.
static void a_disk_that_lies_is_caught(void **state)
{
    struct config *config = config_new();
    int wrong = 0;
    for (uint64_t seed = 1; seed <= 30 && wrong == 0; seed++)
        wrong = run_history(config, seed, true);
    assert_true(wrong > 0);
    config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_acknowledged_survives_every_crash),
        cmocka_unit_test(a_disk_that_lies_is_caught),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
