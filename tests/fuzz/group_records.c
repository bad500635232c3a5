// SPDX-License-Identifier: Apache-2.0
//
// Any records of __consumer_offsets are replayed into groups, which then live for an hour: their timers
// fire, what they write is replayed, and all of it ends. A record is one byte (odd: a tombstone), two for
// the size of the key, two for that of the value, key, value.
#include <string.h>

#include "base/be.h"
#include "base/check.h"
#include "config/config.h"
#include "coordinator/coordinator.h"
#include "fuzz.h"
#include "group/groups.h"
#include "metadata/image.h"
#include "wire/batch.h"

enum { HEADER_SIZE = 5, STEPS = 60, STEP_MS = 60000 };

struct log {
    int64_t end_offset;
};

static int append(void *context, uint8_t *batch, size_t size, int64_t *end_offset)
{
    struct log *log = context;
    struct batch_header header;
    check(batch_header_parse(bytes_of(batch, size), &header) == 0);
    log->end_offset += header.last_offset_delta + 1;
    *end_offset = log->end_offset;
    return 0;
}

static void random_bytes(void *context, uint8_t *out, size_t size)
{
    memset(out, 7, size);
}

// 0 when the record was replayed, or nobody knows its type.
static int replay_one(struct groups *g, struct bytes key, struct bytes value, int64_t offset)
{
    struct coordinator_origin origin = {offset, 1700000000000, -1, -1};
    struct diag diag;
    struct bytes rest;
    int16_t prefix;
    diag_clear(&diag);
    if (coordinator_prefix_read(key, &prefix, &rest) != 0)
        return -1;
    const struct coordinator_record_type *type = coordinator_record_type_find(COORDINATOR_LOG_GROUP, prefix);
    if (type == NULL)
        return 0;
    int err = groups_machine.replay(g, type, key, value, &origin, &diag);
    check(err == 0 || diag.text[0] != '\0');
    return err;
}

static void replay_all(struct groups *g, const uint8_t *data, size_t size, struct log *log)
{
    while (size >= HEADER_SIZE) {
        size_t key_size = be16_load(data + 1), value_size = be16_load(data + 3);
        bool is_tombstone = data[0] & 1;
        data += HEADER_SIZE;
        size -= HEADER_SIZE;
        if (key_size > size || value_size > size - key_size)
            return;
        struct bytes value = is_tombstone ? bytes_of(NULL, 0) : bytes_of(data + key_size, value_size);
        if (replay_one(g, bytes_of(data, key_size), value, log->end_offset++) != 0)
            return; // the log is not loaded; what is there already lives on for the test's sake
        data += key_size + value_size;
        size -= key_size + value_size;
    }
}

static void live(struct groups *g, struct coordinator *c, struct log *log)
{
    struct coordinator_time now = {1000000, 1700000000000};
    coordinator_activate(c, log->end_offset);
    groups_loaded(g, &now);
    for (int i = 0; i < STEPS; i++) {
        now.mono_ms += STEP_MS;
        now.wall_ms += STEP_MS;
        coordinator_advance(c, &now);
        coordinator_flush(c);
        coordinator_committed(c, log->end_offset);
    }
    groups_end(g, KAFKA_NOT_COORDINATOR);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct log log = {0};
    struct config *config = config_new();
    struct metadata_image *image = metadata_image_new();
    struct groups *g = groups_new(&(struct groups_options){
        .config = config, .image = image, .hash_seed = {1, 2}, .random = random_bytes});
    struct coordinator *c = coordinator_new(&(struct coordinator_options){
        .machine = &groups_machine, .state = g, .name = "p", .append = append, .append_context = &log,
        .batch_bytes_max = 1 << 20});
    groups_attach(g, c);
    replay_all(g, data, size, &log);
    live(g, c, &log);
    coordinator_fail(c, KAFKA_NOT_COORDINATOR);
    groups_free(g);
    coordinator_free(c);
    metadata_image_unref(image);
    config_free(config);
    return 0;
}
