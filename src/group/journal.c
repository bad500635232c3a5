// SPDX-License-Identifier: Apache-2.0
#include "group/journal.h"

#include <stdio.h>

#include "base/mem.h"

static void entry_release(struct journal_entry *e)
{
    mem_free(e->member);
    mem_free(e->client);
    mem_free(e->reason);
    mem_free(e->last_member);
    *e = (struct journal_entry){0};
}

void group_journal_release(struct group_journal *j)
{
    for (int i = 0; i < j->count; i++)
        entry_release(&j->entries[(j->first + i) % JOURNAL_ENTRIES_MAX]);
    mem_free(j->entries);
    *j = (struct group_journal){0};
}

// Cut at a character's begin, so that what was UTF-8 stays it.
static struct str cut(struct str s)
{
    if (s.size <= JOURNAL_TEXT_MAX)
        return s;
    size_t size = JOURNAL_TEXT_MAX;
    while (size > 0 && ((uint8_t)s.data[size] & 0xc0) == 0x80)
        size--;
    return str_of(s.data, size);
}

static char *copy_or_null(struct str s)
{
    return s.size == 0 ? NULL : mem_copy_str(cut(s));
}

static char *client_text(struct str id, struct str host)
{
    char text[2 * JOURNAL_TEXT_MAX + 8];
    id = cut(id);
    host = cut(host);
    if (id.size == 0 && host.size == 0)
        return NULL;
    snprintf(text, sizeof(text), "%.*s (%.*s)", STR_ARG(id), STR_ARG(host));
    return mem_copy_text(text);
}

static struct journal_entry *newest(const struct group_journal *j)
{
    return j->count == 0 ? NULL : &j->entries[(j->first + j->count - 1) % JOURNAL_ENTRIES_MAX];
}

static struct journal_entry *open_entry(const struct group_journal *j)
{
    struct journal_entry *e = newest(j);
    return e != NULL && e->duration_ms < 0 ? e : NULL;
}

static struct journal_entry *add_entry(struct group_journal *j)
{
    if (j->count < JOURNAL_ENTRIES_MAX && j->count == j->capacity) {
        j->capacity = j->capacity == 0 ? 1 : j->capacity * 2; // most groups begin once and are quiet
        j->entries = mem_resize(j->entries, (size_t)j->capacity * sizeof(*j->entries));
    }
    if (j->count == JOURNAL_ENTRIES_MAX) {
        entry_release(&j->entries[j->first]);
        j->first = (j->first + 1) % JOURNAL_ENTRIES_MAX;
        j->count--;
    }
    j->count++;
    j->total++;
    return newest(j);
}

void group_journal_begin(struct group_journal *j, const struct coordinator_time *now,
                         enum rebalance_cause cause, struct str member, struct str client_id,
                         struct str client_host, struct str reason, int32_t members_before)
{
    struct journal_entry *e = open_entry(j);
    if (e != NULL) {
        e->causes++;
        return;
    }
    *add_entry(j) = (struct journal_entry){
        .cause = cause,
        .member = copy_or_null(member),
        .client = client_text(client_id, client_host),
        .reason = copy_or_null(reason),
        .begin_wall_ms = now->wall_ms,
        .begin_mono_ms = now->mono_ms,
        .duration_ms = -1,
        .members_before = members_before,
        .members_after = -1,
        .epoch = -1,
        .causes = 1,
    };
}

void group_journal_member(struct group_journal *j, const struct coordinator_time *now, struct str member,
                          struct str client_id, struct str client_host)
{
    struct journal_entry *e = open_entry(j);
    if (e == NULL)
        return;
    mem_free(e->last_member);
    e->last_member = client_text(client_id.size > 0 ? client_id : member, client_host);
    e->last_member_ms = now->mono_ms - e->begin_mono_ms;
}

void group_journal_end(struct group_journal *j, const struct coordinator_time *now,
                       int32_t members_after, int32_t epoch)
{
    struct journal_entry *e = open_entry(j);
    if (e == NULL)
        return;
    e->duration_ms = now->mono_ms - e->begin_mono_ms;
    e->members_after = members_after;
    e->epoch = epoch;
    j->total_busy_ms += e->duration_ms;
}

const struct journal_entry *group_journal_entry(const struct group_journal *j, int i)
{
    if (i < 0 || i >= j->count)
        return NULL;
    return &j->entries[(j->first + j->count - 1 - i) % JOURNAL_ENTRIES_MAX];
}

const char *rebalance_cause_name(enum rebalance_cause cause)
{
    static const char *const names[] = {
        [REBALANCE_JOINED] = "member-joined",
        [REBALANCE_LEFT] = "member-left",
        [REBALANCE_SESSION_TIMEOUT] = "session-timeout",
        [REBALANCE_LATE] = "rebalance-timeout",
        [REBALANCE_SUBSCRIPTION] = "subscription-changed",
        [REBALANCE_METADATA] = "metadata-changed",
        [REBALANCE_LEADER] = "leader-rejoined",
        [REBALANCE_STATIC_REPLACED] = "static-member-replaced",
        [REBALANCE_PROTOCOL] = "protocol-changed",
        [REBALANCE_LOADED] = "coordinator-loaded",
        [REBALANCE_APPEND_FAILED] = "append-failed",
    };
    return names[cause];
}
