// SPDX-License-Identifier: Apache-2.0
//
// What a stranger sends to a server: the stream is cut into pieces by a small generator seeded by
// the first byte, and the frames that come out must be those that a look at the whole stream finds,
// whatever the pieces, with memory in proportion to the bytes. Each frame then goes through the
// request header.
#include <string.h>

#include "base/be.h"
#include "base/check.h"
#include "base/err.h"
#include "base/prng.h"
#include "fuzz.h"
#include "rpc/frame.h"
#include "rpc/server.h"
#include "wire/api_keys.h"

enum { FRAME_MAX = 1 << 20 };

static const struct rpc_api served[] = {
    {.key = API_PRODUCE, .version_min = 3, .version_max = 13},
    {.key = API_FETCH, .version_min = 4, .version_max = 18},
    {.key = API_METADATA, .version_min = 0, .version_max = 13},
    {.key = API_API_VERSIONS, .version_min = 0, .version_max = 4},
};
static const struct rpc_apis apis = {.items = served, .count = 4};

static int admit(void *context, const uint8_t *first, size_t size)
{
    return rpc_request_admit(first, size, &apis);
}

// What the stream says at `at`: 1 and the frame, 0 when it ends, or an error.
static int expect(struct bytes stream, size_t at, struct bytes *frame)
{
    if (stream.size - at < 4)
        return 0;
    uint32_t size = be32_load(stream.data + at);
    if (size > INT32_MAX)
        return ERR_CORRUPT;
    if (size > FRAME_MAX)
        return ERR_LIMIT;
    size_t there = stream.size - at - 4;
    size_t first = size < RPC_ADMIT_BYTES ? size : RPC_ADMIT_BYTES;
    if (there < first)
        return 0;
    int result = admit(NULL, stream.data + at + 4, first);
    if (result != 0)
        return result;
    *frame = bytes_of(stream.data + at + 4, size);
    return there >= size;
}

static void check_header(struct bytes frame)
{
    struct rpc_request_header header;
    if (rpc_request_header_decode(frame, &apis, &header) != 0)
        return;
    check(header.size <= frame.size && header.size >= 8);
    check(header.client_id.size <= header.size);
    const struct rpc_api *api = rpc_apis_find(&apis, header.api_key);
    check(api != NULL);
    bool served_version =
        header.api_version >= api->version_min && header.api_version <= api->version_max;
    check(served_version != header.is_version_fallback);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t scratch[RPC_SCRATCH_BYTES];
    if (size < 1)
        return 0;
    struct prng prng;
    prng_init(&prng, data[0]);
    struct bytes stream = bytes_of(data + 1, size - 1);
    struct rpc_budget budget = {.size_max = FRAME_MAX};
    struct rpc_frame_reader r;
    rpc_frame_reader_init(&r, FRAME_MAX, &budget);
    r.admit = admit;

    size_t fed = 0, at = 0;
    int result = 0;
    while (result == 0 && fed < stream.size) {
        uint8_t *to;
        size_t room;
        rpc_frame_reader_space(&r, scratch, sizeof scratch, &to, &room);
        size_t n = 1 + prng_below(&prng, prng_chance(&prng, 1, 2) ? 9 : 40000);
        n = n < room ? n : room;
        n = n < stream.size - fed ? n : stream.size - fed;
        memcpy(to, stream.data + fed, n);
        fed += n;
        rpc_frame_reader_filled(&r, to, n);
        struct rpc_frame frame;
        struct bytes so_far = bytes_of(stream.data, fed);
        struct bytes expected;
        while ((result = rpc_frame_reader_next(&r, &frame)) == 1) {
            check(expect(so_far, at, &expected) == 1);
            check(bytes_equal(rpc_frame_bytes(&frame), expected));
            check(frame.charged == frame.size);
            check_header(expected);
            at += 4 + frame.size;
            rpc_frame_release(&frame);
            if (prng_chance(&prng, 1, 3)) {
                rpc_frame_reader_park(&r);
                memset(scratch, 0xdd, sizeof scratch);
            }
        }
        check(result == expect(so_far, at, &expected));
        check(budget.used == rpc_frame_reader_held(&r));
        check(budget.used <= 4096 + 2 * fed);
        rpc_frame_reader_park(&r);
    }
    rpc_frame_reader_release(&r);
    check(budget.used == 0);
    return 0;
}
