// SPDX-License-Identifier: Apache-2.0
//
// Lines of standard input without blocking the event loop: a worker reads ahead by one piece, and
// only when what is there has been taken, so a slow broker slows the writer down.
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "base/bytes.h"

struct input;
struct tool;

enum { INPUT_LINE_MAX = 128 << 20 };

// Starts to read.
struct input *input_new(struct tool *t);

// A worker that still waits for input keeps its memory: the process ends anyway.
void input_free(struct input *in);

// The next line without its newline: 1; 0 when there is none now (an event of the loop tells);
// ERR_CLOSED at the end; ERR_LIMIT for a line over the maximum; another error of reading. The line
// is valid until the next call. The last line needs no newline.
int input_line(struct input *in, struct str *line);

// The line that was taken last will be returned once more.
void input_unread(struct input *in);
