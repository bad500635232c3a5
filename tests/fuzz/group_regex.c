// SPDX-License-Identifier: Apache-2.0
//
// A pattern of a subscription, a newline, and a name. What is taken matches or does not, within bounds; a
// name that is written out as text is matched by nothing but itself.
#include <string.h>

#include "base/check.h"
#include "base/err.h"
#include "fuzz.h"
#include "group/regex.h"

enum { NAME_MAX_BYTES = 249 };

static bool is_plain(struct str s)
{
    for (size_t i = 0; i < s.size; i++)
        if (!(s.data[i] >= 'a' && s.data[i] <= 'z'))
            return false;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = memchr(data, '\n', size);
    struct str pattern = str_of((const char *)data, end == NULL ? size : (size_t)(end - data));
    struct str name = end == NULL ? str_from("") : str_of((const char *)end + 1, size - pattern.size - 1);
    struct regex *r;
    struct diag diag;
    bool matches = false;
    if (name.size > NAME_MAX_BYTES)
        name.size = NAME_MAX_BYTES;
    for (size_t i = 0; i < name.size; i++)
        if ((name.data[i] & 0x80) != 0)
            return 0; // no topic has such a name
    diag_clear(&diag);
    int err = regex_new(pattern, &r, &diag);
    check((err == 0) == (r != NULL));
    check(err == 0 || ((err == ERR_INVALID || err == ERR_LIMIT) && diag.text[0] != '\0'));
    if (err != 0)
        return 0;
    err = regex_match(r, name, &matches);
    check(err == 0 || err == ERR_LIMIT);
    check(!is_plain(pattern) || (err == 0 && matches == str_equal(pattern, name)));
    regex_free(r);
    return 0;
}
