// SPDX-License-Identifier: Apache-2.0
#include "tools/kafka_producer.h"

#include <string.h>

#include "tools/common.h"
#include "tools/kafka.h"

enum { RETRIES, LINGER, BATCH, BUFFER, REQUEST_SIZE, BLOCK, REQUEST_TIMEOUT, DELIVERY, NUMBER_COUNT };

static const struct kafka_number numbers[NUMBER_COUNT] = {
    [RETRIES] = {"retries", INT32_MAX, 0, INT32_MAX},
    [LINGER] = {"linger.ms", 5, 0, INT64_MAX},
    [BATCH] = {"batch.size", 16384, 1, INT32_MAX},
    [BUFFER] = {"buffer.memory", 32 << 20, 1, INT64_MAX},
    [REQUEST_SIZE] = {"max.request.size", 1 << 20, 1, INT32_MAX},
    [BLOCK] = {"max.block.ms", 60000, 1, INT64_MAX},
    [REQUEST_TIMEOUT] = {"request.timeout.ms", 30000, 1, INT32_MAX},
    [DELIVERY] = {"delivery.timeout.ms", 120000, 1, INT32_MAX},
};

static int read_acks(struct tool *t, const struct properties *p, enum producer_acks *out)
{
    static const struct {
        const char *text;
        enum producer_acks acks;
    } names[] = {{"all", ACKS_ALL}, {"-1", ACKS_ALL}, {"1", ACKS_LEADER}, {"0", ACKS_NONE}};
    const char *text = properties_get(p, "acks");
    struct str value = str_trim(str_from(text != NULL ? text : "all"));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_is(value, names[i].text)) {
            *out = names[i].acks;
            return EXIT_OK;
        }
    return tool_usage(t, "acks is \"%s\", not 0, 1, -1 or all", text);
}

// On unless something else speaks against it; asked for, it has to be possible.
static int read_idempotence(struct tool *t, const struct properties *p, int64_t retries,
                            struct producer_options *o)
{
    bool is_set = properties_get(p, "enable.idempotence") != NULL, asked = false;
    int status = kafka_read_bool(t, p, "enable.idempotence", &asked);
    if (status != EXIT_OK)
        return status;
    if (asked && o->acks != ACKS_ALL)
        return tool_usage(t, "Must set acks to all in order to use the idempotent producer. "
                             "Otherwise we cannot guarantee idempotence.");
    if (asked && retries == 0)
        return tool_usage(t, "Must set retries to non-zero when using the idempotent producer.");
    o->idempotent = asked || (!is_set && o->acks == ACKS_ALL && retries > 0);
    return EXIT_OK;
}

int kafka_producer_options(struct tool *t, const struct properties *p, struct producer_options *out)
{
    int64_t values[NUMBER_COUNT];
    int status = kafka_read_numbers(t, p, numbers, NUMBER_COUNT, values);
    if (status != EXIT_OK)
        return status;
    struct producer_options o = {
        .codec_level = CODEC_LEVEL_DEFAULT,
        .linger_ms = values[LINGER],
        .batch_bytes_max = (size_t)values[BATCH],
        .request_bytes_max = (size_t)values[REQUEST_SIZE],
        .buffer_bytes_max = (size_t)values[BUFFER],
        .topic_wait_ms = values[BLOCK],
        .request_timeout_ms = values[REQUEST_TIMEOUT],
        .delivery_timeout_ms = values[DELIVERY],
        // As many as Java's default are as many as there is time for.
        .retry_max = values[RETRIES] == 0           ? -1
                     : values[RETRIES] == INT32_MAX ? 0
                                                    : (int)values[RETRIES],
        .create_topics = true,
    };
    const char *codec = properties_get(p, "compression.type");
    if (!codec_parse(str_from(codec != NULL ? codec : "none"), &o.codec))
        return tool_usage(t, "compression.type is \"%s\", not none, gzip, snappy, lz4 or zstd", codec);
    status = read_acks(t, p, &o.acks);
    if (status == EXIT_OK)
        status = read_idempotence(t, p, values[RETRIES], &o);
    if (status == EXIT_OK)
        *out = o;
    return status;
}
