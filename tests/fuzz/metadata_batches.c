// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as the metadata log, to the loader and to raft: batches are refused or taken, and the
// state is always one that can be written and read.
#include "fuzz.h"
#include "metadata_check.h"
#include "raft/raft.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *log = batches_with_crc(data, size);
    struct diag diag;
    struct metadata_loader *l = metadata_loader_new();
    metadata_loader_batches(l, bytes_of(log, size), &diag);
    const struct metadata_image *image = metadata_loader_image(l);
    check(metadata_image_check(image, NULL) == 0);
    check(metadata_image_offset(image) < metadata_loader_next_offset(l));
    image_survives_snapshot(image);
    metadata_loader_free(l);

    struct raft *r = raft_new(&(struct raft_options){.node_id = 1});
    if (raft_load(r, bytes_of(log, size), &diag) == 0) {
        struct quorum_state s;
        struct raft_out out;
        quorum_state_init(&s);
        raft_out_init(&out);
        struct raft_event event = {.type = RAFT_EVENT_START};
        event.start.state = &s;
        raft_step(r, &event, &out, &diag);
        raft_out_release(&out);
    }
    raft_free(r);
    mem_free(log);
    return 0;
}
