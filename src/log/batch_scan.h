// SPDX-License-Identifier: Apache-2.0
//
// Walks the batches of a file by their headers, through a window of the caller's. Reads a window at a
// time and skips what lies between headers when batches are larger than it.
#pragma once

#include "env/fs.h"
#include "wire/batch.h"

enum { BATCH_SCAN_WINDOW = 4096, BATCH_SCAN_WINDOW_LARGE = 1 << 18 };

struct batch_scan {
    struct fs_file *file;
    int64_t position; // of the next batch
    int64_t end;      // of the bytes that count
    uint8_t *window;
    size_t window_max;
    bool no_wait; // false after batch_scan_init(): ERR_AGAIN rather than wait for the device
    size_t window_size;
    int64_t window_at;
};

// Starts at `position`, which should be a batch boundary and is brought into [0, end]. The window stays
// the caller's.
void batch_scan_init(struct batch_scan *s, struct fs_file *file, int64_t position, int64_t end,
                     uint8_t *window, size_t window_max);

// 1 with the header of the next batch and where it starts; 0 at the end; ERR_TRUNCATED when what is
// left is less than a whole batch; ERR_CORRUPT when it is no batch; an error of I/O. On failure the
// scan stays where it is.
int batch_scan_next(struct batch_scan *s, struct batch_header *out, int64_t *position);

// `size` bytes (at most window_max) of the file; *out is valid until the next call. ERR_TRUNCATED.
int batch_scan_view(struct batch_scan *s, int64_t position, size_t size, const uint8_t **out);

// Whether the CRC of the batch that batch_scan_next() returned is right: 1, 0, or an error.
int batch_scan_check_crc(struct batch_scan *s, const struct batch_header *h, int64_t position);

// The whole batch, in the window if it fits there or else in `spare` (which is cleared).
int batch_scan_bytes(struct batch_scan *s, const struct batch_header *h, int64_t position,
                     struct buf *spare, struct bytes *out);
