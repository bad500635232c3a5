// SPDX-License-Identifier: Apache-2.0
//
// Runs a fuzz target without libFuzzer: over every file of the folders that are its arguments, then
// over mutations of each that are the same in every run. So a build without clang, and a sanitizer
// build with gcc, still meets what was found before.
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/prng.h"
#include "fuzz.h"

enum { INPUT_MAX = 4 << 20, MUTATIONS = 300, MUTATED_SIZE_MAX = 64 << 10 };

// The bytes stand in memory of exactly their size, so that a sanitizer sees a read past the end.
static void run_exact(const uint8_t *data, size_t size)
{
    uint8_t *copy = mem_alloc(size > 0 ? size : 1);
    if (size > 0)
        memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    mem_free(copy);
}

static void run_mutations(struct buf *input)
{
    struct prng prng;
    prng_init(&prng, input->size);
    for (int i = 0; i < MUTATIONS && input->size > 0 && input->size <= MUTATED_SIZE_MAX; i++) {
        size_t at = prng_below(&prng, input->size);
        uint8_t before = input->data[at];
        if (prng_chance(&prng, 1, 3)) {
            run_exact(input->data, at); // cut short
            continue;
        }
        if (prng_chance(&prng, 1, 2))
            input->data[at] ^= (uint8_t)(1u << prng_below(&prng, 8));
        else
            input->data[at] = (uint8_t)prng_next(&prng);
        run_exact(input->data, input->size);
        input->data[at] = before;
    }
}

static bool read_file(const char *path, struct buf *out)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return false;
    uint8_t chunk[4096];
    size_t size;
    while ((size = fread(chunk, 1, sizeof chunk, file)) > 0)
        buf_append(out, chunk, size);
    bool good = !ferror(file) && !out->failed;
    fclose(file);
    return good;
}

// Returns how many files were run, -1 on failure.
static int run_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    int count = 0;
    struct dirent *entry;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        struct buf input;
        buf_init(&input, INPUT_MAX);
        bool good = read_file(path, &input);
        if (good) {
            run_exact(input.data, input.size);
            run_mutations(&input);
            count++;
        }
        buf_release(&input);
        if (!good) {
            fprintf(stderr, "cannot read %s\n", path);
            count = -1;
            break;
        }
    }
    if (dir != NULL)
        closedir(dir);
    return count;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        int count = run_folder(argv[i]);
        if (count < 1) {
            fprintf(stderr, "no inputs in %s\n", argv[i]);
            return 1;
        }
        printf("%s: %d inputs\n", argv[i], count);
    }
    return argc > 1 ? 0 : 2;
}
