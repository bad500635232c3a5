// SPDX-License-Identifier: Apache-2.0
//
// Bodies of requests and responses. The first byte is the API key, with its high bit set for the
// response; the second chooses the version.
#include "fuzz.h"
#include "wire/apis.h"
#include "wire_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    const struct api *api = api_find(data[0] & 0x7f);
    if (api == NULL || api->request == NULL)
        return 0;
    const struct wire_schema *schema = data[0] & 0x80 ? api->response : api->request;
    int versions = wire_schema_version_max(schema) - wire_schema_version_min(schema) + 1;
    int16_t version = (int16_t)(wire_schema_version_min(schema) + data[1] % versions);
    wire_check_message(schema, version, bytes_of(data + 2, size - 2));
    return 0;
}
