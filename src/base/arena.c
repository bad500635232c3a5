// SPDX-License-Identifier: Apache-2.0
#include "base/arena.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_BLOCK_SIZE 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_BLOCK_SIZE 0
#endif
#endif
#ifndef ARENA_BLOCK_SIZE
#define ARENA_BLOCK_SIZE 4000
#endif

struct arena_block {
    struct arena_block *next;
    size_t used;
    size_t capacity;
    alignas(max_align_t) uint8_t data[];
};

void arena_init(struct arena *a, size_t size_max)
{
    *a = (struct arena){.size_max = size_max};
}

void arena_release(struct arena *a)
{
    struct arena_block *next;
    for (struct arena_block *block = a->blocks; block != NULL; block = next) {
        next = block->next;
        free(block);
    }
    arena_init(a, a->size_max);
}

static struct arena_block *arena_add_block(struct arena *a, size_t size)
{
    // Blocks double with the arena, so that many small pieces cost few mallocs.
    size_t capacity = ARENA_BLOCK_SIZE;
    if (ARENA_BLOCK_SIZE > 0 && a->used > capacity)
        capacity = a->used < 1 << 20 ? a->used : 1 << 20;
    if (capacity < size)
        capacity = size;
    struct arena_block *block = malloc(sizeof *block + capacity);
    if (block == NULL)
        return NULL;
    *block = (struct arena_block){.next = a->blocks, .capacity = capacity};
    a->blocks = block;
    return block;
}

void *arena_alloc(struct arena *a, size_t size)
{
    size_t align = alignof(max_align_t);
    if (size > a->size_max)
        return NULL;
    size_t rounded = size > 0 ? (size + align - 1) / align * align : align;
    if (rounded > a->size_max - a->used)
        return NULL;
    struct arena_block *block = a->blocks;
    if (block == NULL || block->capacity - block->used < rounded) {
        block = arena_add_block(a, rounded);
        if (block == NULL)
            return NULL;
    }
    void *p = block->data + block->used;
    block->used += rounded;
    a->used += rounded;
    return memset(p, 0, rounded);
}

void *arena_alloc_array(struct arena *a, size_t count, size_t size)
{
    size_t total;
    return __builtin_mul_overflow(count, size, &total) ? NULL : arena_alloc(a, total);
}

struct str arena_copy_str(struct arena *a, struct str s)
{
    char *copy = arena_alloc(a, s.size + 1);
    if (copy == NULL)
        return (struct str){0};
    if (s.size > 0)
        memcpy(copy, s.data, s.size);
    return str_of(copy, s.size);
}
