// SPDX-License-Identifier: Apache-2.0
#include "base/mem.h"

#include <stdlib.h>

#include "base/check.h"

void *mem_alloc(size_t size)
{
    void *p = malloc(size > 0 ? size : 1);
    check(p != NULL);
    return p;
}

void *mem_alloc_zero(size_t size)
{
    return mem_alloc_array(1, size);
}

void *mem_alloc_array(size_t count, size_t size)
{
    void *p = calloc(count > 0 ? count : 1, size > 0 ? size : 1);
    check(p != NULL);
    return p;
}

void *mem_resize(void *p, size_t size)
{
    void *moved = realloc(p, size > 0 ? size : 1);
    check(moved != NULL);
    return moved;
}

void mem_free(void *p)
{
    free(p);
}

char *mem_copy_str(struct str s)
{
    char *copy = mem_alloc(s.size + 1);
    if (s.size > 0)
        memcpy(copy, s.data, s.size);
    copy[s.size] = '\0';
    return copy;
}

char *mem_copy_text(const char *text)
{
    return text != NULL ? mem_copy_str(str_from(text)) : NULL;
}
