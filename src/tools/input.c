// SPDX-License-Identifier: Apache-2.0
#include "tools/input.h"

#include <string.h>

#include "base/check.h"
#include "base/err.h"
#include "base/list.h"
#include "base/mem.h"
#include "env/env.h"
#include "env/work.h"
#include "tools/driver.h"
#include "tools/tool.h"

enum { PIECE_SIZE = 64 * 1024 };

struct input {
    struct env_work work;
    struct host *host;
    struct env *env;
    bool busy;     // the worker has `piece`
    bool finished; // the end was reached or reading failed
    int err;       // why it finished; 0 = the end
    int64_t got;
    struct buf lines; // from `at` on not taken yet
    size_t at;
    size_t line_start;   // of the line that was taken last
    size_t searched;     // no newline before here
    uint8_t piece[PIECE_SIZE];
};

static void work_run(struct env_work *work)
{
    struct input *in = container_of(work, struct input, work);
    in->got = in->host->read_input(in->host, in->piece, sizeof in->piece);
}

static void work_done(struct env_work *work)
{
    struct input *in = container_of(work, struct input, work);
    in->busy = false;
    if (in->got <= 0) {
        in->finished = true;
        in->err = (int)in->got;
        return;
    }
    buf_consume(&in->lines, in->at);
    in->searched -= in->at;
    in->at = in->line_start = 0;
    buf_append(&in->lines, in->piece, (size_t)in->got);
}

static void read_more(struct input *in)
{
    if (in->busy || in->finished)
        return;
    in->busy = true;
    env_work_submit(in->env->workers, &in->work);
}

struct input *input_new(struct tool *t)
{
    struct input *in = mem_new(struct input);
    in->host = t->host;
    in->env = driver_env(t->driver);
    in->work.run = work_run;
    in->work.done = work_done;
    buf_init(&in->lines, INPUT_LINE_MAX + PIECE_SIZE);
    read_more(in);
    return in;
}

void input_free(struct input *in)
{
    if (in == NULL)
        return;
    if (in->busy) {
        in->host->keep_loop = true;
        return;
    }
    buf_release(&in->lines);
    mem_free(in);
}

int input_line(struct input *in, struct str *line)
{
    const char *text = (const char *)in->lines.data;
    const char *newline = in->searched < in->lines.size
                              ? memchr(text + in->searched, '\n', in->lines.size - in->searched)
                              : NULL;
    if (newline == NULL) {
        in->searched = in->lines.size;
        if (in->lines.failed)
            return ERR_LIMIT;
        if (!in->finished) {
            read_more(in);
            return 0;
        }
        if (in->at == in->lines.size)
            return in->err < 0 ? in->err : ERR_CLOSED;
    }
    size_t end = newline != NULL ? (size_t)(newline - text) : in->lines.size;
    *line = str_of(text + in->at, end - in->at);
    in->line_start = in->at;
    in->at = in->searched = end + (newline != NULL);
    return 1;
}

void input_unread(struct input *in)
{
    in->at = in->searched = in->line_start;
}
