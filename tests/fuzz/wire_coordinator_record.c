// SPDX-License-Identifier: Apache-2.0
//
// A record of a coordinator's topic. The first byte chooses the topic, the second is the size of
// the key, whose first two bytes are the type; the value follows with its version.
#include "fuzz.h"
#include "wire/records.h"
#include "wire_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || data[1] > size - 2)
        return 0;
    enum coordinator_log log = (enum coordinator_log)(data[0] % COORDINATOR_LOG_COUNT);
    struct bytes key = bytes_of(data + 2, data[1]), rest;
    struct bytes value = bytes_of(key.data + key.size, size - 2 - key.size);
    int16_t prefix;
    if (coordinator_prefix_read(key, &prefix, &rest) != 0)
        return 0;
    const struct coordinator_record_type *type = coordinator_record_type_find(log, prefix);
    if (type == NULL)
        return 0;
    wire_check_message(type->key, 0, rest);
    if (coordinator_prefix_read(value, &prefix, &rest) == 0)
        wire_check_message(type->value, prefix, rest);
    return 0;
}
