// SPDX-License-Identifier: Apache-2.0
//
// Reads topics as a member of a group: a group member (client/group_member.h) and a fetcher
// (client/fetcher.h) in one. Partitions come and go with rebalances; reading starts at what the group
// has committed, or where `reset` says when there is nothing or it is gone from the log.
//
//     r = group_reader_new(client, &options, on_event, user, &diag)
//     group_reader_on_time(r, now_ms)         whenever anything happened, and at group_reader_next_ms()
//     while (group_reader_next(r, &record, now_ms) == 1) ...
//     group_reader_accept(r)                  all that was handed out is done with
//     group_reader_leave(r, now_ms)           and on until group_reader_has_ended()
//
// At least once: only what was accepted is ever committed. When partitions are taken away the event
// comes first, so that whoever collects output can write it out and accept it before it returns.
//
// A step machine: no I/O, no clock. One owner, one thread.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "client/fetcher.h"
#include "client/group_member.h"

struct group_reader;

struct group_reader_options {
    struct group_member_options member;
    struct fetcher_options fetch;    // its reset is set by the one below
    // Where to start without a committed offset (auto.offset.reset).
    enum fetch_reset reset;          // FETCH_RESET_NONE: such a partition ends the reader
    int64_t reset_age_ms;            // FETCH_RESET_AGE: at the first record that is not older
    int64_t wall_ahead_ms;           // wall clock minus the time that is passed in; for the above
};

enum group_reader_event_kind {
    GROUP_READER_MEMBER,   // `member` happened. Before the partitions are taken from the reader.
    GROUP_READER_FETCH,    // `fetch` happened: FETCH_RESET or FETCH_TROUBLE
    GROUP_READER_NO_OFFSET, // `fetch` names the partition: nothing is committed and reset is NONE
    GROUP_READER_FAILED,   // `fetch` says why a partition cannot be read
};

struct group_reader_event {
    enum group_reader_event_kind kind;
    const struct group_member_event *member;
    const struct fetch_event *fetch;
};

// May call group_reader_accept() and the functions of the member that its events may.
typedef void (*group_reader_event_fn)(void *user, const struct group_reader_event *event);

// Errors as of group_member_new().
int group_reader_new(struct client *client, const struct group_reader_options *options,
                     group_reader_event_fn event, void *user, struct group_reader **out,
                     struct diag *diag);
void group_reader_free(struct group_reader *r);

struct group_member *group_reader_member(struct group_reader *r);

void group_reader_on_time(struct group_reader *r, int64_t now_ms);
int64_t group_reader_next_ms(const struct group_reader *r);

// The next record: 1, or 0 when there is none now.
int group_reader_next(struct group_reader *r, struct fetched *out, int64_t now_ms);

// Everything that was handed out so far is done with: it is marked with the member, and committed as
// its commit_interval_ms or group_member_commit() has it.
void group_reader_accept(struct group_reader *r);

// Leaves the group: no more records; what was accepted is committed if that is the member's business.
void group_reader_leave(struct group_reader *r, int64_t now_ms);
bool group_reader_has_ended(const struct group_reader *r);
