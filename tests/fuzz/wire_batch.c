// SPDX-License-Identifier: Apache-2.0
//
// Record batches of any magic and codec: a range of them as a log or a peer has it, and each as a
// produce request would bring it, with its CRC made right so that what lies behind is reached too.
#include "base/check.h"
#include "base/err.h"
#include "fuzz.h"
#include "wire/batch.h"

enum { RECORDS_MAX = 1 << 20, BATCH_MAX = 8 << 20 };

static void headers_walk(const struct record *r)
{
    struct bytes rest = r->headers;
    struct record_header header;
    int32_t count = 0;
    while (record_header_next(&rest, &header) == 1)
        count++;
    check(count == r->header_count);
}

// Returns how many records were read, or an error.
static int records_walk(struct bytes batch, struct buf *scratch)
{
    struct batch_iter it;
    struct record r;
    int count = 0;
    int err = batch_iter_init(&it, batch, scratch);
    while (err == 0 && (err = batch_iter_next(&it, &r)) == 1) {
        headers_walk(&r);
        count++;
        err = 0;
    }
    return err == 0 ? count : err;
}

// A valid batch without a codec comes out of the builder with the same records.
static void rebuild(const struct batch_facts *facts, struct bytes batch, struct buf *scratch)
{
    struct batch_options options = BATCH_OPTIONS_DEFAULT;
    struct batch_builder builder;
    struct batch_iter it;
    struct record r;
    struct buf out;
    struct bytes rebuilt;
    buf_init(&out, BATCH_MAX);
    options.base_offset = facts->header.base_offset;
    batch_builder_begin(&builder, &out, &options);
    check(batch_iter_init(&it, batch, scratch) == 0);
    while (batch_iter_next(&it, &r) == 1)
        batch_builder_copy(&builder, r.index, &r);
    check(batch_builder_finish(&builder, &rebuilt) == 0);
    buf_clear(scratch);
    struct buf other;
    buf_init(&other, RECORDS_MAX);
    check(records_walk(rebuilt, &other) == facts->header.record_count);
    buf_release(&other);
    buf_release(&out);
}

static void validate(struct bytes batch, bool from_client, struct buf *scratch)
{
    struct batch_rules rules = {.from_client = from_client, .timestamps_checked = true,
                                .timestamp_max = INT64_MAX};
    struct batch_facts facts;
    enum batch_problem problem = batch_validate(batch, &rules, scratch, &facts);
    check(scratch->capacity <= RECORDS_MAX);
    if (problem == BATCH_OK) {
        check(records_walk(batch, scratch) == facts.header.record_count);
        if (from_client)
            rebuild(&facts, batch, scratch);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes rest = bytes_of(data, size), batch;
    struct batch_header h;
    struct buf scratch, copy;
    buf_init(&scratch, RECORDS_MAX);
    buf_init(&copy, BATCH_MAX);
    validate(rest, true, &scratch);
    while (batch_next(&rest, &h, &batch) == 1) {
        records_walk(batch, &scratch);
        (void)batch_crc_is_valid(batch);
        if (h.magic != BATCH_MAGIC_CURRENT)
            continue;
        buf_clear(&copy);
        buf_append(&copy, batch.data, batch.size);
        check(!copy.failed);
        batch_set_crc(copy.data, copy.size);
        check(batch_crc_is_valid(buf_bytes(&copy)));
        validate(buf_bytes(&copy), true, &scratch);
        validate(buf_bytes(&copy), false, &scratch);
    }
    buf_release(&copy);
    buf_release(&scratch);
    return 0;
}
