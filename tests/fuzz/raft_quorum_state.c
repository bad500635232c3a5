// SPDX-License-Identifier: Apache-2.0
//
// quorum-state: any text is refused or read, and what was read comes back from its own text.
#include "raft/quorum_state.h"

#include "base/check.h"
#include "base/err.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct quorum_state s, again;
    struct diag diag;
    if (quorum_state_parse(&s, str_of((const char *)data, size), &diag) != 0)
        return 0;
    struct buf text;
    buf_init(&text, QUORUM_STATE_TEXT_MAX);
    quorum_state_format(&s, &text);
    check(quorum_state_parse(&again, buf_str(&text), &diag) == 0);
    check(quorum_state_equal(&s, &again));
    buf_release(&text);
    return 0;
}
