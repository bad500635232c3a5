// SPDX-License-Identifier: Apache-2.0
//
// Dumps files of a log directory as JSON lines for dump_test.py: log_dump FILE...
#include <stdio.h>

#include "log/dump.h"
#include "os/fs.h"

static int print(void *context, struct str lines)
{
    return fwrite(lines.data, 1, lines.size, stdout) == lines.size ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct os_fs fs;
    os_fs_init(&fs);
    for (int i = 1; i < argc; i++) {
        struct dump_options options = {
            .format = DUMP_JSON, .records = true, .payload = true, .index = DUMP_INDEX_ENTRIES_TRUE};
        struct dump_result result;
        struct diag diag;
        if (dump_file(&fs.fs, argv[i], &options, print, NULL, &result, &diag) < 0) {
            fprintf(stderr, "%s\n", diag.text);
            return 1;
        }
    }
    return 0;
}
