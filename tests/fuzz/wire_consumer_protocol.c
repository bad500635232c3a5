// SPDX-License-Identifier: Apache-2.0
//
// What consumers of a classic group tell each other through the coordinator: the first byte says
// subscription or assignment, then comes a version, then the message. Every other small message of
// the protocol that stands alone is tried on the same bytes: headers, control records, principals.
#include "base/be.h"
#include "fuzz.h"
#include "wire/record/consumer_protocol_assignment.h"
#include "wire/record/consumer_protocol_subscription.h"
#include "wire/record/default_principal_data.h"
#include "wire/record/leader_change_message.h"
#include "wire/record/producer_snapshot.h"
#include "wire/record/quorum_state_data.h"
#include "wire/record/request_header.h"
#include "wire/record/response_header.h"
#include "wire/record/voters_record.h"
#include "wire_check.h"

static const struct wire_schema *const schemas[] = {
    &consumer_protocol_subscription_schema,
    &consumer_protocol_assignment_schema,
    &request_header_schema,
    &response_header_schema,
    &default_principal_data_schema,
    &leader_change_message_schema,
    &voters_record_schema,
    &producer_snapshot_schema,
    &quorum_state_data_schema,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    const struct wire_schema *schema = schemas[data[0] % (sizeof schemas / sizeof *schemas)];
    int16_t version = (int16_t)be16_load(data + 1);
    int err = wire_check_message(schema, version, bytes_of(data + 3, size - 3));
    // A newer version is read as the newest that is known.
    if (err == ERR_UNSUPPORTED && version > 0)
        wire_check_message(schema, wire_schema_version_max(schema), bytes_of(data + 3, size - 3));
    return 0;
}
