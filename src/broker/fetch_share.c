// SPDX-License-Identifier: Apache-2.0
#include "broker/fetch_share.h"

#include "base/check.h"
#include "base/err.h"
#include "broker/api/api.h"
#include "broker/fetch_session.h"
#include "broker/limits.h"
#include "broker/node.h"
#include "broker/shard.h"
#include "env/env.h"
#include "wire/errors.h"

static bool is_at_home(const struct fetch_share *share)
{
    return share->shard == share->fetch->home;
}

int64_t fetch_bytes(const struct fetch *fetch)
{
    int64_t bytes = 0;
    for (int i = 0; i < fetch->share_count; i++) {
        const struct fetch_share *share = &fetch->shares[i];
        bytes += share->away && !is_at_home(share) ? share->bytes_known : share->bytes;
    }
    return bytes;
}

bool fetch_has_error(const struct fetch *fetch)
{
    for (int i = 0; i < fetch->share_count; i++) {
        const struct fetch_share *share = &fetch->shares[i];
        if ((!share->away || is_at_home(share)) && share->has_error)
            return true;
    }
    return false;
}

// --- Reading ---

static void read_item(struct fetch_share *share, struct fetch_item *item)
{
    const struct fetch *fetch = share->fetch;
    share->bytes -= (int64_t)item->result.slice.size;
    log_slice_release(&item->result.slice);
    struct fetch_limits limits = {
        .bytes_left = fetch->bytes_max - share->bytes,
        .min_one_batch = share->bytes == 0,
        .isolation_level = fetch->isolation_level,
        .api_version = fetch->api_version,
        .may_wait = share->warm,
    };
    fetch_read(share->shard, item->asked, &limits, &item->result);
    item->stale = false;
    share->bytes += (int64_t)item->result.slice.size;
    if (item->result.kafka_error != KAFKA_NONE || item->result.diverging)
        share->has_error = true;
}

static void read_stale(struct fetch_share *share)
{
    for (struct fetch_item *item = share->first; item != NULL; item = item->next)
        if (item->stale)
            read_item(share, item);
}

static bool has_enough(const struct fetch_share *share)
{
    if (!share->hold || share->has_error || share->shard->state == SHARD_STOPPING)
        return true;
    return is_at_home(share) ? fetch_bytes(share->fetch) >= share->fetch->bytes_min
                             : share->bytes > share->bytes_known;
}

// --- Aborted transactions ---

struct aborted_list {
    struct fetch_share *share;
    struct fetch_item *item;
    int32_t capacity;
};

static int add_aborted(void *context, const struct log_aborted *txn)
{
    struct aborted_list *list = context;
    struct fetch_item *item = list->item;
    if (item->aborted_count == list->capacity) {
        int32_t capacity = list->capacity > 0 ? list->capacity * 2 : 8;
        struct fetch_response_aborted_transaction *items =
            arena_new_array(&list->share->arena, (size_t)capacity,
                            struct fetch_response_aborted_transaction);
        if (items == NULL)
            return ERR_NOMEM;
        for (int32_t i = 0; i < item->aborted_count; i++)
            items[i] = item->aborted[i];
        item->aborted = items;
        list->capacity = capacity;
    }
    item->aborted[item->aborted_count].producer_id = txn->producer_id;
    item->aborted[item->aborted_count++].first_offset = txn->first_offset;
    return 0;
}

// Gives how many items need an index that is to be checked first.
static int find_aborted(struct fetch_share *share)
{
    int unchecked = 0;
    arena_release(&share->arena);
    arena_init(&share->arena, REQUEST_ARENA_MAX);
    for (struct fetch_item *item = share->first; item != NULL; item = item->next) {
        struct aborted_list list = {.share = share, .item = item};
        item->aborted = NULL;
        item->aborted_count = 0;
        if (item->result.slice.size == 0)
            continue;
        int err = log_each_aborted(item->result.partition->log, item->asked->fetch_offset,
                                   item->result.slice.offset_limit, add_aborted, &list);
        item->needs_txn_check = err == ERR_AGAIN;
        unchecked += item->needs_txn_check;
        if (err != ERR_OK && err != ERR_AGAIN)
            share->failed = true;
    }
    return unchecked;
}

// --- Going and coming ---

static void arrive_home(struct fetch_share *share)
{
    share->away = false;
    share->fetch->under_way_count--;
    share->fetch->came_home(share->fetch);
}

static void go_came_home(struct env_message *message)
{
    arrive_home(container_of(message, struct fetch_share, go));
}

static void stop_holding(struct fetch_share *share)
{
    for (struct fetch_item *item = share->first; share->holding && item != NULL; item = item->next)
        partition_cancel_fetch(&item->wait);
    share->holding = false;
}

// --- What nobody has looked at since the start is checked before it is shown ---

static void run_checks(struct env_work *work)
{
    struct fetch_share *share = container_of(work, struct fetch_share, check_work);
    for (int i = 0; i < share->check_count; i++)
        log_check_run(&share->checks[i].item->result.slice, &share->checks[i].found);
}

static void leave(struct fetch_share *share);

// Meanwhile partitions may have changed or gone, and what is damaged is known now.
static void read_anew(struct fetch_share *share)
{
    share->warm = true;
    for (struct fetch_item *item = share->first; item != NULL; item = item->next)
        item->stale = true;
    read_stale(share);
}

static void checks_done(struct env_work *work)
{
    struct fetch_share *share = container_of(work, struct fetch_share, check_work);
    struct partition *p;
    share->shard->away_count--;
    for (int i = 0; i < share->check_count; i++) {
        struct fetch_item *item = share->checks[i].item;
        const struct fetch_partition *asked = item->asked;
        if (api_find_leader(share->shard, asked->topic, asked->topic_id, asked->index,
                            asked->current_leader_epoch, &p) == KAFKA_NONE)
            log_check_end(p->log, &item->result.slice, &share->checks[i].found);
        item->checked = item->result.slice;
    }
    read_anew(share);
    leave(share);
}

// Of what was checked last for this item: what two readers look at in turn needs no second look.
static bool is_checked(const struct fetch_item *item)
{
    const struct log_slice *now = &item->result.slice, *then = &item->checked;
    return now->size == 0 || !now->unchecked ||
           (then->size > 0 && then->base_offset == now->base_offset && then->cuts == now->cuts &&
            then->position <= now->position &&
            then->position + (int64_t)then->size >= now->position + (int64_t)now->size);
}

// True if it has to wait for checks.
static bool start_checks(struct fetch_share *share)
{
    int count = 0;
    for (struct fetch_item *item = share->first; item != NULL; item = item->next)
        count += !is_checked(item);
    if (count == 0)
        return false;
    share->checks = arena_alloc_array(&share->arena, (size_t)count, sizeof *share->checks);
    if (share->checks == NULL) {
        share->failed = true;
        return false;
    }
    share->check_count = 0;
    for (struct fetch_item *item = share->first; item != NULL; item = item->next)
        if (!is_checked(item))
            share->checks[share->check_count++].item = item;
    share->shard->away_count++;
    share->check_work = (struct env_work){.run = run_checks, .done = checks_done, .bulk = true};
    env_work_submit(share->shard->env->workers, &share->check_work);
    return true;
}

static void run_txn_checks(struct env_work *work)
{
    struct fetch_share *share = container_of(work, struct fetch_share, check_work);
    for (int i = 0; i < share->check_count; i++)
        log_txn_check_run(share->checks[i].txns);
}

static void txn_checks_done(struct env_work *work)
{
    struct fetch_share *share = container_of(work, struct fetch_share, check_work);
    share->shard->away_count--;
    for (int i = 0; i < share->check_count; i++) {
        const struct fetch_partition *asked = share->checks[i].item->asked;
        struct partition *p;
        bool here = api_find_leader(share->shard, asked->topic, asked->topic_id, asked->index,
                                    asked->current_leader_epoch, &p) == KAFKA_NONE;
        if (log_txn_check_end(here ? p->log : NULL, share->checks[i].txns) < 0)
            share->failed = true;
    }
    read_anew(share);
    leave(share);
}

// One index for each item that needs it: there may be another behind it, for the next round.
static void start_txn_checks(struct fetch_share *share, int count)
{
    share->checks = arena_alloc_array(&share->arena, (size_t)count, sizeof *share->checks);
    share->check_count = 0;
    for (struct fetch_item *item = share->first; item != NULL && share->checks != NULL; item = item->next) {
        struct log_txn_check *txns = !item->needs_txn_check ? NULL
            : log_txn_check_begin(item->result.partition->log, item->asked->fetch_offset,
                                  item->result.slice.offset_limit);
        if (txns != NULL)
            share->checks[share->check_count++] = (struct fetch_check){.item = item, .txns = txns};
    }
    share->failed |= share->checks == NULL;
    share->shard->away_count++;
    share->check_work = (struct env_work){.run = run_txn_checks, .done = txn_checks_done, .bulk = true};
    env_work_submit(share->shard->env->workers, &share->check_work);
}

// --- Coming home ---

static void leave(struct fetch_share *share)
{
    stop_holding(share);
    share->leaving = true;
    if (share->looking || start_checks(share))
        return;
    int unchecked = share->fetch->isolation_level == 1 ? find_aborted(share) : 0;
    if (unchecked > 0 && !share->failed) {
        start_txn_checks(share, unchecked);
        return;
    }
    if (is_at_home(share)) {
        arrive_home(share);
        return;
    }
    share->go.receive = go_came_home;
    env_post(share->fetch->home->env->mailbox, &share->go);
}

// --- What is not in memory is brought there before it is read, or at least before it is sent ---

static void go_on(struct fetch_share *share);

static void cold_done(struct cold_read *cold)
{
    struct fetch_share *share = container_of(cold, struct fetch_share, cold);
    share->shard->away_count--;
    share->is_warming = false;
    read_anew(share);
    go_on(share);
}

static void add_cold(struct fetch_share *share, const struct fetch_item *item, int64_t *bytes_left)
{
    const struct fetch_partition *asked = item->asked;
    int64_t bytes = asked->max_bytes < *bytes_left ? asked->max_bytes : *bytes_left;
    if (bytes < 0)
        bytes = 0;
    if (item->result.cold) {
        cold_read_add_place(&share->cold, item->result.partition->log, asked->fetch_offset,
                            (size_t)bytes);
        *bytes_left -= bytes;
    } else if (!log_slice_is_cached(&item->result.slice)) {
        cold_read_add_slice(&share->cold, &item->result.slice);
    }
}

// True if it has to wait for the device.
static bool start_cold(struct fetch_share *share)
{
    int count = 0;
    for (struct fetch_item *item = share->first; item != NULL; item = item->next)
        count += item->result.cold || !log_slice_is_cached(&item->result.slice);
    if (count == 0 || share->warm)
        return false;
    stop_holding(share);
    arena_release(&share->arena);
    arena_init(&share->arena, REQUEST_ARENA_MAX);
    if (!cold_read_init(&share->cold, &share->arena, share->shard->env, share->item_count)) {
        share->failed = true;
        return false;
    }
    int64_t bytes_left = share->fetch->bytes_max - share->bytes;
    for (struct fetch_item *item = share->first; item != NULL; item = item->next)
        add_cold(share, item, &bytes_left);
    if (!cold_read_start(&share->cold, cold_done))
        return false;
    share->is_warming = true;
    share->shard->away_count++;
    return true;
}

static bool misses_any(const struct fetch_share *share)
{
    for (const struct fetch_item *item = share->first; item != NULL; item = item->next)
        if (item->result.cold)
            return true;
    return false;
}

// --- Waiting ---

static void look_again(struct env_message *message);

static void woken(struct fetch_wait *wait)
{
    struct fetch_item *item = container_of(wait, struct fetch_item, wait);
    struct fetch_share *share = item->share;
    item->stale = true;
    if (!share->looking)
        env_post(share->shard->env->mailbox, &share->look);
    share->looking = true;
}

static void hold(struct fetch_share *share)
{
    share->holding = true;
    share->look.receive = look_again;
    for (struct fetch_item *item = share->first; item != NULL; item = item->next) {
        item->wait.wake = woken;
        if (!list_linked(&item->wait.node))
            partition_wait_fetch(item->result.partition, &item->wait);
    }
}

// All has been read as far as it is in memory.
static void go_on(struct fetch_share *share)
{
    bool ready = share->leaving || has_enough(share);
    if ((ready || misses_any(share)) && start_cold(share))
        return;
    if (ready)
        leave(share);
    else
        hold(share);
}

// Somebody was woken; what it waited for is read after the event that woke it.
static void look_again(struct env_message *message)
{
    struct fetch_share *share = container_of(message, struct fetch_share, look);
    share->looking = false;
    // Reading may have found that a disk fails, which wakes whoever waits for it, and gone on to what is
    // cold: that is looked at when it comes.
    if (share->is_warming)
        return;
    share->warm = false;
    read_stale(share); // when it leaves, too: a partition may be gone
    go_on(share);
}

static void work(struct fetch_share *share)
{
    share->has_error = false;
    share->leaving = false;
    share->warm = false;
    for (struct fetch_item *item = share->first; item != NULL; item = item->next)
        item->stale = true;
    read_stale(share);
    go_on(share);
}

// It comes home as soon as it can.
static void recalled(struct fetch_share *share)
{
    bool waits = share->holding && !share->looking;
    share->leaving = true;
    if (waits)
        go_on(share);
}

static void go_arrived(struct env_message *message)
{
    work(container_of(message, struct fetch_share, go));
}

void fetch_share_send(struct fetch_share *share, bool hold)
{
    check(!share->away && share->first != NULL);
    share->away = true;
    share->hold = hold;
    share->bytes_known = share->bytes;
    share->fetch->under_way_count++;
    if (is_at_home(share)) {
        work(share);
        return;
    }
    share->go.receive = go_arrived;
    env_post(share->shard->env->mailbox, &share->go);
}

static void recall_came_home(struct env_message *message)
{
    struct fetch_share *share = container_of(message, struct fetch_share, recall);
    share->recalling = false;
    share->fetch->under_way_count--;
    share->fetch->came_home(share->fetch);
}

// On its way after `go`: the share is here, or has left already.
static void recall_arrived(struct env_message *message)
{
    struct fetch_share *share = container_of(message, struct fetch_share, recall);
    recalled(share);
    share->recall.receive = recall_came_home;
    env_post(share->fetch->home->env->mailbox, &share->recall);
}

void fetch_share_recall(struct fetch_share *share)
{
    if (!share->away || share->recalling)
        return;
    if (is_at_home(share)) {
        recalled(share);
        return;
    }
    share->recalling = true;
    share->fetch->under_way_count++;
    share->recall.receive = recall_arrived;
    env_post(share->shard->env->mailbox, &share->recall);
}

// --- Life ---

void fetch_init_shares(struct fetch *fetch)
{
    for (int i = 0; i < fetch->share_count; i++) {
        struct fetch_share *share = &fetch->shares[i];
        share->fetch = fetch;
        share->shard = &fetch->home->node->shards[i];
        arena_init(&share->arena, REQUEST_ARENA_MAX);
    }
}

void fetch_release_shares(struct fetch *fetch)
{
    check(fetch->under_way_count == 0);
    for (int i = 0; i < fetch->share_count; i++) {
        struct fetch_share *share = &fetch->shares[i];
        for (struct fetch_item *item = share->first; item != NULL; item = item->next)
            log_slice_release(&item->result.slice);
        arena_release(&share->arena);
    }
}

void fetch_share_add(struct fetch_share *share, struct fetch_item *item)
{
    item->share = share;
    item->next = NULL;
    if (share->first == NULL)
        share->first = item;
    else
        share->last->next = item;
    share->last = item;
    share->item_count++;
}
