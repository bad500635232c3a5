// SPDX-License-Identifier: Apache-2.0
//
// Allocation of things whose size the program itself decides. Such an allocation cannot be refused
// in a useful way, so failure stops the process with a message. Whatever grows with input from a
// peer or a disk uses buf.h or arena.h instead, which have a maximum and return failure.
#pragma once

#include <stddef.h>

#include "base/bytes.h"

void *mem_alloc(size_t size);                 // not cleared
void *mem_alloc_zero(size_t size);            // cleared
void *mem_alloc_array(size_t count, size_t size); // cleared, overflow checked
void *mem_resize(void *p, size_t size);       // as realloc
void mem_free(void *p);                       // NULL is fine

// A terminated copy; the caller frees it.
char *mem_copy_str(struct str s);

// NULL is fine and gives NULL.
char *mem_copy_text(const char *text);

// A new `struct type`, cleared.
#define mem_new(type) ((type *)mem_alloc_zero(sizeof(type)))

// Makes room for one more item in a doubling array of `count` items.
#define mem_grow(items, count, capacity)                                                          \
    do {                                                                                          \
        if ((count) == (capacity)) {                                                              \
            (capacity) = (capacity) == 0 ? 8 : (capacity) * 2;                                    \
            (items) = mem_resize((items), (size_t)(capacity) * sizeof *(items));                  \
        }                                                                                         \
    } while (0)
