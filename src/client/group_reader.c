// SPDX-License-Identifier: Apache-2.0
#include "client/group_reader.h"

#include "base/err.h"
#include "base/mem.h"
#include "client/client.h"
#include "wire/errors.h"

// A partition that could not be read for now is begun with again after so long.
enum { AGAIN_MS = 500 };

struct group_reader {
    struct client *client;
    struct group_reader_options options;
    group_reader_event_fn event;
    void *user;
    struct group_member *member;
    struct fetcher *fetcher;
    int64_t now_ms; // of the call that runs now
    bool leaving;
    bool failed;    // says nothing more and reads nothing more
    struct group_position *again; // given up by the fetcher for what may pass; names are the member's
    int again_count;
    int again_capacity;
    int64_t again_ms;
};

// --- Events ---

static void say_fetch(struct group_reader *r, enum group_reader_event_kind kind,
                      const struct fetch_event *fetch)
{
    struct group_reader_event event = {.kind = kind, .fetch = fetch};
    r->event(r->user, &event);
}

static bool may_pass(const struct fetch_event *e)
{
    if (e->code != 0)
        return kafka_error_is_retriable(e->code) && e->code != KAFKA_OFFSET_OUT_OF_RANGE;
    return e->err == ERR_TIMEOUT || e->err == ERR_CLOSED || e->err == ERR_REFUSED;
}

// As the member has it, whose name of the topic lives as long as it does; NULL when it has it no more.
static const struct group_position *find_position(struct group_reader *r, struct str topic,
                                                  int32_t partition)
{
    int count;
    const struct group_position *all = group_member_partitions(r->member, &count);
    for (int i = 0; i < count; i++)
        if (all[i].partition == partition && str_equal(all[i].topic, topic))
            return &all[i];
    return NULL;
}

static void on_fetch_failed(struct group_reader *r, const struct fetch_event *e)
{
    const struct group_position *p = find_position(r, e->topic, e->partition);
    if (!may_pass(e) || p == NULL) {
        r->failed = true;
        say_fetch(r, e->code == KAFKA_OFFSET_OUT_OF_RANGE ? GROUP_READER_NO_OFFSET : GROUP_READER_FAILED,
                  e);
        return;
    }
    if (r->again_count == 0)
        r->again_ms = r->now_ms + AGAIN_MS;
    mem_grow(r->again, r->again_count, r->again_capacity);
    r->again[r->again_count] = *p;
    r->again[r->again_count++].offset = e->offset;
    say_fetch(r, GROUP_READER_FETCH, e);
}

static void on_fetch(void *user, const struct fetch_event *e)
{
    struct group_reader *r = user;
    if (e->kind == FETCH_FAILED && !r->failed)
        on_fetch_failed(r, e);
    else if (e->kind == FETCH_RESET || e->kind == FETCH_TROUBLE)
        say_fetch(r, GROUP_READER_FETCH, e);
}

// --- Partitions ---

// Begins to read where the group stands, or where `reset` says.
static void begin(struct group_reader *r, const struct group_position *p)
{
    struct fetch_position at = {.kind = FETCH_FROM_OFFSET, .value = p->offset};
    if (p->offset < 0 && r->options.reset == FETCH_RESET_NONE) {
        struct fetch_event e = {
            .kind = FETCH_FAILED, .topic = p->topic, .partition = p->partition, .offset = -1};
        r->failed = true;
        say_fetch(r, GROUP_READER_NO_OFFSET, &e);
        return;
    }
    if (p->offset < 0)
        at = fetch_reset_position(&r->options.fetch, r->now_ms);
    fetcher_add(r->fetcher, p->topic, p->partition, at, (struct fetch_limit){0}, r->now_ms);
}

static void forget_again(struct group_reader *r, const struct group_position *gone)
{
    int kept = 0;
    for (int i = 0; i < r->again_count; i++)
        if (r->again[i].partition != gone->partition || !str_equal(r->again[i].topic, gone->topic))
            r->again[kept++] = r->again[i];
    r->again_count = kept;
}

static void end(struct group_reader *r, const struct group_position *positions, int count)
{
    for (int i = 0; i < count; i++) {
        fetcher_remove(r->fetcher, positions[i].topic, positions[i].partition);
        forget_again(r, &positions[i]);
    }
}

static void on_member(void *user, const struct group_member_event *e)
{
    struct group_reader *r = user;
    struct group_reader_event event = {.kind = GROUP_READER_MEMBER, .member = e};
    r->event(r->user, &event);
    if (e->kind == GROUP_MEMBER_REVOKED || e->kind == GROUP_MEMBER_LOST)
        end(r, e->positions, e->count);
    for (int i = 0; i < e->count && e->kind == GROUP_MEMBER_POSITIONS && !r->failed; i++)
        begin(r, &e->positions[i]);
}

// What the fetcher gave up is begun with where it stood.
static void begin_again(struct group_reader *r)
{
    if (r->again_count == 0 || r->now_ms < r->again_ms)
        return;
    for (int i = 0; i < r->again_count; i++) {
        fetcher_remove(r->fetcher, r->again[i].topic, r->again[i].partition);
        begin(r, &r->again[i]);
    }
    r->again_count = 0;
}

// --- Steps ---

void group_reader_on_time(struct group_reader *r, int64_t now_ms)
{
    r->now_ms = now_ms;
    group_member_on_time(r->member, now_ms);
    begin_again(r);
    if (!r->leaving && !r->failed)
        fetcher_on_time(r->fetcher, now_ms);
}

int64_t group_reader_next_ms(const struct group_reader *r)
{
    int64_t next_ms = group_member_next_ms(r->member);
    int64_t fetch_ms = r->leaving || r->failed ? INT64_MAX : fetcher_next_ms(r->fetcher);
    next_ms = fetch_ms < next_ms ? fetch_ms : next_ms;
    return r->again_count > 0 && r->again_ms < next_ms ? r->again_ms : next_ms;
}

int group_reader_next(struct group_reader *r, struct fetched *out, int64_t now_ms)
{
    r->now_ms = now_ms;
    return r->leaving || r->failed ? 0 : fetcher_next(r->fetcher, out, now_ms);
}

static void accept_one(void *user, struct str topic, int32_t partition, int64_t offset,
                       int32_t leader_epoch)
{
    struct group_reader *r = user;
    group_member_mark(r->member, topic, partition, offset, leader_epoch);
}

void group_reader_accept(struct group_reader *r)
{
    fetcher_positions(r->fetcher, accept_one, r);
}

void group_reader_leave(struct group_reader *r, int64_t now_ms)
{
    r->now_ms = now_ms;
    r->leaving = true;
    group_member_leave(r->member, now_ms);
}

bool group_reader_has_ended(const struct group_reader *r)
{
    return group_member_state(r->member) == GROUP_MEMBER_ENDED;
}

struct group_member *group_reader_member(struct group_reader *r)
{
    return r->member;
}

// --- Life ---

int group_reader_new(struct client *client, const struct group_reader_options *options,
                     group_reader_event_fn event, void *user, struct group_reader **out,
                     struct diag *diag)
{
    struct group_reader *r = mem_new(struct group_reader);
    *r = (struct group_reader){
        .client = client, .options = *options, .event = event, .user = user};
    r->options.fetch.reset = options->reset;
    r->options.fetch.reset_age_ms = options->reset_age_ms;
    r->options.fetch.wall_ahead_ms = options->wall_ahead_ms;
    int err = group_member_new(client, &options->member, on_member, r, &r->member, diag);
    if (err < 0) {
        mem_free(r);
        return err;
    }
    r->fetcher = fetcher_new(client, &r->options.fetch, on_fetch, r);
    *out = r;
    return 0;
}

void group_reader_free(struct group_reader *r)
{
    if (r == NULL)
        return;
    fetcher_free(r->fetcher);
    group_member_free(r->member);
    mem_free(r->again);
    mem_free(r);
}
