// SPDX-License-Identifier: Apache-2.0
//
// Which parts of the state fixture_check_replay() compares.
#include "dumpers.h"

const fixture_dumper fixture_dumpers[3] = {
    [GROUP_CLASSIC] = dump_classic,
    [GROUP_CONSUMER] = dump_consumer,
    [GROUP_STREAMS] = dump_streams,
};

const fixture_dumper fixture_offsets_dumper = dump_offsets;
