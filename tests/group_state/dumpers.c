// SPDX-License-Identifier: Apache-2.0
//
// Which parts of the state fixture_check_replay() compares.
#include "dumpers.h"

const fixture_dumper fixture_dumpers[2] = {
    [GROUP_CLASSIC] = dump_classic,
    [GROUP_CONSUMER] = dump_consumer,
};

const fixture_dumper fixture_offsets_dumper = dump_offsets;
