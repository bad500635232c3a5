// SPDX-License-Identifier: Apache-2.0
//
// The nearest known name to a mistyped one: Levenshtein's distance with swaps of neighbours.
#include "config/keys.h"

enum { NAME_MAX = 96 };

static int least(int a, int b, int c)
{
    int least_of_two = a < b ? a : b;
    return least_of_two < c ? least_of_two : c;
}

// Edits that turn `a` into `b`; both at most NAME_MAX long.
static int distance(struct str a, struct str b)
{
    int rows[3][NAME_MAX + 1];
    int *above2 = rows[0], *above = rows[1], *row = rows[2];
    for (int j = 0; j <= (int)b.size; j++)
        above[j] = j;
    for (int i = 1; i <= (int)a.size; i++) {
        row[0] = i;
        for (int j = 1; j <= (int)b.size; j++) {
            int change = a.data[i - 1] != b.data[j - 1];
            row[j] = least(above[j] + 1, row[j - 1] + 1, above[j - 1] + change);
            if (i > 1 && j > 1 && a.data[i - 1] == b.data[j - 2] && a.data[i - 2] == b.data[j - 1])
                row[j] = least(row[j], above2[j - 2] + 1, row[j]);
        }
        int *free_row = above2;
        above2 = above;
        above = row;
        row = free_row;
    }
    return above[b.size];
}

const char *config_key_nearest(enum config_scope scope, struct str name)
{
    if (name.size == 0 || name.size > NAME_MAX)
        return NULL;
    const char *best = NULL;
    int best_distance = (int)name.size / 4 + 1; // further away is not a typing error
    for (int i = 0; i < config_key_count(scope); i++) {
        const char *candidate = config_key_name(config_key_at(scope, i));
        struct str text = str_from(candidate);
        // The lengths alone are that many edits apart.
        int apart = (int)text.size - (int)name.size;
        if (text.size > NAME_MAX || apart >= best_distance || -apart >= best_distance)
            continue;
        int d = distance(name, text);
        if (d < best_distance) {
            best_distance = d;
            best = candidate;
        }
    }
    return best;
}
