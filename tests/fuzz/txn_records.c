// SPDX-License-Identifier: Apache-2.0
//
// Any records of __transaction_state are replayed into transactional ids, which then live for an hour:
// their timeouts pass, markers are written or fail, what they write is replayed, and all of it ends. A
// record is one byte (odd: a tombstone), two for the size of the key, two for that of the value, key,
// value.
#include "base/be.h"
#include "base/check.h"
#include "config/config.h"
#include "coordinator/coordinator.h"
#include "fuzz.h"
#include "metadata/image.h"
#include "txn/txns.h"
#include "wire/batch.h"

enum { HEADER_SIZE = 5, STEPS = 60, STEP_MS = 60000, ORDERS_MAX = 1000, RETRY_EVERY = 7 };

struct world {
    struct txns *txns;
    struct coordinator_time now;
    int64_t end_offset;
    int64_t next_producer_id;
    int marker_count;
    struct txn_order *late[ORDERS_MAX]; // answered in the next step
    int late_count;
};

static int append(void *context, uint8_t *batch, size_t size, int64_t *end_offset)
{
    struct world *w = context;
    struct batch_header header;
    check(batch_header_parse(bytes_of(batch, size), &header) == 0);
    w->end_offset += header.last_offset_delta + 1;
    *end_offset = w->end_offset;
    return 0;
}

static void write_marker(void *context, struct txn_order *order)
{
    struct world *w = context;
    bool fails = ++w->marker_count % RETRY_EVERY == 0;
    if (w->marker_count % 2 == 0 && w->late_count < ORDERS_MAX)
        w->late[w->late_count++] = order;
    else
        txns_marked(w->txns, order, fails ? KAFKA_NOT_LEADER_OR_FOLLOWER : KAFKA_NONE, &w->now);
}

static void want_producer_id(void *context)
{
    struct world *w = context;
    txns_producer_id(w->txns, KAFKA_NONE, w->next_producer_id++, &w->now);
}

static int replay_one(struct txns *t, struct bytes key, struct bytes value, int64_t offset)
{
    struct coordinator_origin origin = {offset, 1700000000000, -1, -1};
    struct diag diag;
    struct bytes rest;
    int16_t prefix;
    diag_clear(&diag);
    if (coordinator_prefix_read(key, &prefix, &rest) != 0)
        return -1;
    const struct coordinator_record_type *type =
        coordinator_record_type_find(COORDINATOR_LOG_TRANSACTION, prefix);
    if (type == NULL)
        return 0;
    int err = txns_machine.replay(t, type, key, value, &origin, &diag);
    check(err == 0 || diag.text[0] != '\0');
    return err;
}

static void replay_all(struct world *w, const uint8_t *data, size_t size)
{
    while (size >= HEADER_SIZE) {
        size_t key_size = be16_load(data + 1), value_size = be16_load(data + 3);
        bool is_tombstone = data[0] & 1;
        data += HEADER_SIZE;
        size -= HEADER_SIZE;
        if (key_size > size || value_size > size - key_size)
            return;
        struct bytes value = is_tombstone ? bytes_of(NULL, 0) : bytes_of(data + key_size, value_size);
        if (replay_one(w->txns, bytes_of(data, key_size), value, w->end_offset++) != 0)
            return; // the log is not loaded; what is there already lives on for the test's sake
        data += key_size + value_size;
        size -= key_size + value_size;
    }
}

static void live(struct world *w, struct coordinator *c)
{
    coordinator_activate(c, w->end_offset);
    txns_loaded(w->txns, &w->now);
    for (int i = 0; i < STEPS; i++) {
        w->now.mono_ms += STEP_MS;
        w->now.wall_ms += STEP_MS;
        coordinator_advance(c, &w->now);
        while (w->late_count > 0)
            txns_marked(w->txns, w->late[--w->late_count], KAFKA_NONE, &w->now);
        coordinator_flush(c);
        coordinator_committed(c, w->end_offset);
    }
    txns_end_all(w->txns, KAFKA_NOT_COORDINATOR);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world w = {.now = {1000000, 1700000000000}};
    struct config *config = config_new();
    struct metadata_image *image = metadata_image_new();
    w.txns = txns_new(&(struct txns_options){
        .config = config, .image = image, .hash_seed = {1, 2}, .name = "p",
        .write_marker = write_marker, .want_producer_id = want_producer_id, .context = &w});
    struct coordinator *c = coordinator_new(&(struct coordinator_options){
        .machine = &txns_machine, .state = w.txns, .name = "p", .append = append, .append_context = &w,
        .batch_bytes_max = 1 << 20});
    txns_attach(w.txns, c);
    replay_all(&w, data, size);
    live(&w, c);
    coordinator_fail(c, KAFKA_NOT_COORDINATOR);
    txns_free(w.txns);
    coordinator_free(c);
    metadata_image_unref(image);
    config_free(config);
    return 0;
}
