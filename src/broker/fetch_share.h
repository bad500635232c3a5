// SPDX-License-Identifier: Apache-2.0
//
// The partitions of a fetch that live on one shard: read there, and waited for there. It is away from
// fetch_share_send() until fetch.home is called, which may be within it when it is at home anyway:
//
//     home                                    the partitions' shard
//     fetch_share_send(hold)   -- go -->      reads; enough, or not to be held: comes home.
//                                             Otherwise waits until more can be read.
//     fetch_share_recall()     -- recall -->  comes home with what it has
//
// While it is away it belongs to the shard of its partitions, and so do its items. Enough is, at home,
// what the whole fetch needs; elsewhere anything more than was known at home, which then decides.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "broker/cold_read.h"
#include "broker/fetch_read.h"
#include "broker/partition.h"
#include "env/mailbox.h"
#include "env/work.h"
#include "log/log.h"
#include "wire/api/fetch.h"

struct fetch;
struct fetch_share;
struct shard;

// One partition that is fetched.
struct fetch_item {
    struct fetch_item *next; // of the share
    struct fetch_wait wait;
    struct fetch_share *share;
    struct fetch_partition *asked; // the session's, or in the arena
    struct fetch_result result;    // `partition` is for its shard only
    struct log_slice checked;      // what was checked last for it, without a reference
    struct fetch_response_aborted_transaction *aborted; // of a read_committed fetch
    int32_t aborted_count;
    bool stale; // to be read (again)
    bool needs_txn_check; // before its aborted transactions are known
};

// A slice that is checked before it is shown.
struct fetch_check {
    struct fetch_item *item;
    struct log_check found;
    struct log_txn_check *txns; // instead, an index of its aborted transactions
};

struct fetch_share {
    struct fetch *fetch;
    struct shard *shard; // of the partitions
    struct fetch_item *first;
    struct fetch_item *last;
    int item_count;
    int64_t bytes; // of all its slices
    bool has_error;
    bool failed; // no memory

    // The shard's of the partitions.
    bool holding; // waits at its partitions
    bool looking; // `look` is under way
    bool leaving; // comes home when that has come
    bool warm;    // what it reads was just brought into memory: it may read all of it
    bool is_warming; // and is being brought there by a worker
    struct env_message look;
    struct cold_read cold;      // brings it there
    struct arena arena; // for lists of aborted transactions, and for what works need
    struct env_work check_work; // before it comes home
    struct fetch_check *checks;
    int check_count;

    // Home's.
    bool away;
    bool hold;           // may wait
    int64_t bytes_known; // when it went
    struct env_message go;
    struct env_message recall;
    bool recalling; // that is under way
};

// What the shares of one fetch have in common; not changed while any of them is away.
struct fetch {
    struct shard *home;
    struct fetch_share *shares; // by number of the shard
    int share_count;
    int64_t bytes_max;
    int64_t bytes_min;
    int isolation_level;
    int16_t api_version;
    int under_way_count; // of shares and recalls
    // A share is back.
    void (*came_home)(struct fetch *fetch);
};

// `shares` is zeroed and has fetch.share_count elements.
void fetch_init_shares(struct fetch *fetch);
void fetch_release_shares(struct fetch *fetch); // slices as well; none may be away

// Bytes that are there to be answered, as far as is known at home; whether anything went wrong.
int64_t fetch_bytes(const struct fetch *fetch);
bool fetch_has_error(const struct fetch *fetch);

void fetch_share_add(struct fetch_share *share, struct fetch_item *item);
void fetch_share_send(struct fetch_share *share, bool hold);

// Harmless when it is at home.
void fetch_share_recall(struct fetch_share *share);
