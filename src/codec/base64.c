// SPDX-License-Identifier: Apache-2.0
#include "codec/base64.h"

#include "base/err.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct bytes in, struct buf *out)
{
    for (size_t i = 0; i < in.size; i += 3) {
        size_t left = in.size - i;
        uint32_t v = (uint32_t)in.data[i] << 16;
        if (left > 1)
            v |= (uint32_t)in.data[i + 1] << 8;
        if (left > 2)
            v |= in.data[i + 2];
        char group[4] = {digits[v >> 18], digits[v >> 12 & 63],
                         left > 1 ? digits[v >> 6 & 63] : '=', left > 2 ? digits[v & 63] : '='};
        buf_append(out, group, sizeof group);
    }
}

static int digit_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

// Decodes four characters of which the last `padding` are '='; false if they are not base64.
static bool group_decode(const char *group, int padding, struct buf *out)
{
    uint32_t v = 0;
    for (int i = 0; i < 4 - padding; i++) {
        int value = digit_value(group[i]);
        if (value < 0)
            return false;
        v |= (uint32_t)value << (18 - 6 * i);
    }
    if ((v & (padding == 0 ? 0 : padding == 1 ? 0xff : 0xffff)) != 0)
        return false;
    uint8_t bytes[3] = {(uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
    buf_append(out, bytes, (size_t)(3 - padding));
    return true;
}

int base64_decode(struct str in, struct buf *out)
{
    size_t start = out->size;
    bool valid = in.size % 4 == 0;
    for (size_t i = 0; valid && i < in.size; i += 4) {
        const char *group = in.data + i;
        bool last = i + 4 == in.size;
        int padding = !last || group[3] != '=' ? 0 : group[2] != '=' ? 1 : 2;
        valid = group_decode(group, padding, out);
    }
    if (valid && !out->failed)
        return 0;
    out->size = start;
    return valid ? ERR_LIMIT : ERR_INVALID;
}
