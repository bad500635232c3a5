// SPDX-License-Identifier: Apache-2.0
#include "tools/group_explain.h"

#include <string.h>

#include "base/mem.h"

// Waiting for one member for longer than this is worth a word. In groups of the newer protocols a member
// hears of a rebalance by its next heartbeat, and gives up by the one after: of 5 seconds each, if nothing
// else is set.
enum { SLOW_MS = 1000, SLOW_BEATING_MS = 10000, FREQUENT = 3, WHO_MAX = 16 };

// A cause by the name that the broker gives it. FROZEN by the API.
struct cause {
    const char *name;
    const char *happened; // after who it was
    const char *seen;     // the finding: "N of the last M rebalances: " and this
    const char *change;
};

static const struct cause causes[] = {
    {"session-timeout", "was not heard from within its session timeout",
     "members were not heard from within their session timeout",
     "Look at these clients: a process that was killed or stopped, a pause (garbage collection, "
     "swapping), a network that loses packets. If such pauses are normal, raise session.timeout.ms of "
     "the client (consumer protocol: consumer.session.timeout.ms of the group)."},
    {"rebalance-timeout", "did not rejoin or give up its partitions in time",
     "members did not rejoin or give up their partitions in time",
     "The client has max.poll.interval.ms for that: raise it, or do less between two polls (lower "
     "max.poll.records, or work in other threads)."},
    {"member-left", "left", "members left",
     "Restarts and deployments do this. Give each instance a group.instance.id of its own (static "
     "membership): one that is back within session.timeout.ms causes no rebalance."},
    {"member-joined", "joined", "members joined",
     "Starting instances at once instead of one after another makes one rebalance of several; for "
     "classic groups group.initial.rebalance.delay.ms of the broker collects them. Restarts need none "
     "with group.instance.id (static membership)."},
    {"subscription-changed", "changed its subscription or its assignors",
     "members changed what they subscribe to or which assignors they offer",
     "Let all instances run with the same topics and partition.assignment.strategy."},
    {"metadata-changed", "topics or partitions changed", "topics or partitions changed",
     "Nothing, if topics are created or grown on purpose; narrow the pattern of the subscription if the "
     "topics are not meant for this group."},
    {"leader-rejoined", "as leader of the group asked for it",
     "the leader of the group asked for it",
     "The leader does so when it sees that partitions or topics have changed; its own reason, if it "
     "gives one, is in the list."},
    {"static-member-replaced", "came back under another id with the same group.instance.id",
     "static members were replaced",
     "If the instances did not restart then, two of them run with the same group.instance.id: give each "
     "its own."},
    {"protocol-changed", "the group changed between classic and consumer protocol",
     "the group changed between the classic and the consumer protocol",
     "Nothing: it settles when all instances use the same group.protocol."},
    {"coordinator-loaded", "the group's coordinator was loaded while a rebalance went on",
     "the coordinator was loaded while a rebalance went on",
     "Look at the broker's restarts and leader changes of __consumer_offsets."},
    {"append-failed", "the assignment could not be stored", "the assignment could not be stored",
     "Look at the disks of the broker and the in-sync replicas of __consumer_offsets."},
};

enum { CAUSE_COUNT = sizeof causes / sizeof *causes };

static const struct cause *find_cause(struct str name)
{
    for (int i = 0; i < CAUSE_COUNT; i++)
        if (str_is(name, causes[i].name))
            return &causes[i];
    return NULL;
}

static struct str who(const struct chitin_describe_groups_response_rebalance *r)
{
    return r->client.size > 0 ? r->client : r->member;
}

void group_explain_cause(struct buf *out, const struct chitin_describe_groups_response_rebalance *r)
{
    const struct cause *cause = find_cause(r->cause);
    if (who(r).size > 0)
        buf_printf(out, "%.*s ", STR_ARG(who(r)));
    if (cause != NULL)
        buf_append_text(out, cause->happened);
    else
        buf_append_str(out, r->cause); // of a newer broker
    if (r->reason.size > 0)
        buf_printf(out, ": %.*s", STR_ARG(r->reason));
    if (r->causes > 1)
        buf_printf(out, " (and %d more causes meanwhile)", r->causes - 1);
}

void group_explain_duration(struct buf *out, int64_t ms)
{
    static const struct {
        int64_t ms;
        const char *name;
    } units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "min"}, {1000, "s"}};
    if (ms < 60000) {
        buf_printf(out, "%lld.%03d s", (long long)(ms / 1000), (int)(ms % 1000));
        return;
    }
    for (int i = 0; i < 3; i++)
        if (ms >= units[i].ms) {
            int64_t rest = ms % units[i].ms / units[i + 1].ms;
            buf_printf(out, "%lld %s", (long long)(ms / units[i].ms), units[i].name);
            if (rest > 0)
                buf_printf(out, " %lld %s", (long long)rest, units[i + 1].name);
            return;
        }
}

// ---- Findings ----

static struct group_finding *add(struct group_findings *out, const char *name, int rebalances,
                                 const struct buf *text, const char *change)
{
    struct group_finding *f = &out->items[out->count];
    if (out->count == GROUP_FINDINGS_MAX)
        return NULL;
    *f = (struct group_finding){.name = name, .rebalances = rebalances, .change = change};
    struct str said = buf_str(text);
    if (said.size >= sizeof f->text)
        said.size = sizeof f->text - 1;
    while (said.size > 0 && said.size < text->size && (said.data[said.size] & 0xc0) == 0x80)
        said.size--; // not within a character
    str_copy_to(said, f->text, sizeof f->text);
    out->count++;
    return f;
}

// How often who was the one: ": app-1 (3 times), app-2".
struct tally {
    struct str names[WHO_MAX];
    int counts[WHO_MAX];
    int count;
};

static void tally_add(struct tally *t, struct str name)
{
    int i = 0;
    while (i < t->count && !str_equal(t->names[i], name))
        i++;
    if (name.size == 0 || i == WHO_MAX)
        return;
    if (i == t->count)
        t->names[t->count++] = name;
    t->counts[i]++;
}

static void tally_write(struct buf *out, const struct tally *t)
{
    for (int i = 0; i < t->count; i++) {
        buf_printf(out, "%s%.*s", i > 0 ? ", " : ": ", STR_ARG(t->names[i]));
        if (t->counts[i] > 1)
            buf_printf(out, " (%d times)", t->counts[i]);
    }
}

static bool has_expired_poll(const struct chitin_describe_groups_response_rebalance *r)
{
    // Java's and librdkafka's words when a client leaves because of max.poll.interval.ms.
    static const char *const words[] = {"poll timeout", "max.poll.interval", "poll interval"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (r->reason.size >= strlen(words[i]) &&
            memmem(r->reason.data, r->reason.size, words[i], strlen(words[i])) != NULL)
            return true;
    return false;
}

static void find_expired_polls(const struct chitin_describe_groups_response_rebalance_array *journal,
                               struct group_findings *out)
{
    struct tally tally = {0};
    struct buf text;
    int count = 0;
    for (int32_t i = 0; i < journal->count; i++)
        if (str_is(journal->items[i].cause, "member-left") && has_expired_poll(&journal->items[i])) {
            tally_add(&tally, who(&journal->items[i]));
            count++;
        }
    if (count == 0)
        return;
    buf_init(&text, 1 << 20);
    buf_printf(&text, "%d of the last %d rebalances: members took longer than their "
                      "max.poll.interval.ms over what one poll gave them",
               count, journal->count);
    tally_write(&text, &tally);
    add(out, "poll-interval", count, &text,
        "Raise max.poll.interval.ms, or do less between two polls: lower max.poll.records, or work in "
        "other threads.");
    buf_release(&text);
}

static void find_cause_of(const struct chitin_describe_groups_response_rebalance_array *journal,
                          const struct cause *cause, struct group_findings *out)
{
    struct tally tally = {0};
    struct buf text;
    int count = 0;
    for (int32_t i = 0; i < journal->count; i++) {
        const struct chitin_describe_groups_response_rebalance *r = &journal->items[i];
        if (!str_is(r->cause, cause->name) ||
            (str_is(r->cause, "member-left") && has_expired_poll(r)))
            continue;
        tally_add(&tally, who(r));
        count++;
    }
    // A group begins with members that join, and may end with members that leave.
    bool ordinary = strcmp(cause->name, "member-joined") == 0 ||
                    strcmp(cause->name, "member-left") == 0;
    if (count == 0 || (ordinary && count < FREQUENT))
        return;
    buf_init(&text, 1 << 20);
    buf_printf(&text, "%d of the last %d rebalances: %s", count, journal->count, cause->seen);
    tally_write(&text, &tally);
    add(out, cause->name, count, &text, cause->change);
    buf_release(&text);
}

static void find_slow(const struct chitin_describe_groups_response_described_group *group,
                      struct group_findings *out)
{
    const struct chitin_describe_groups_response_rebalance_array *journal = &group->journal;
    int64_t slow_ms = str_is(group->group_type, "classic") ? SLOW_MS : SLOW_BEATING_MS;
    struct tally tally = {0};
    struct buf text;
    int64_t worst = 0;
    int count = 0;
    for (int32_t i = 0; i < journal->count; i++) {
        const struct chitin_describe_groups_response_rebalance *r = &journal->items[i];
        // The broker itself waits a while for the first members (group.initial.rebalance.delay.ms).
        if (r->last_member_ms < slow_ms || r->last_member.size == 0 || r->members_before == 0)
            continue;
        tally_add(&tally, r->last_member);
        worst = r->last_member_ms > worst ? r->last_member_ms : worst;
        count++;
    }
    if (count == 0)
        return;
    buf_init(&text, 1 << 20);
    buf_printf(&text, "%d of the last %d rebalances waited for a slow member, up to ", count,
               journal->count);
    group_explain_duration(&text, worst);
    tally_write(&text, &tally);
    add(out, "slow-member", count, &text,
        "A member takes part when it polls: let it poll more often (lower max.poll.records), and let what "
        "it does when partitions are revoked be short.");
    buf_release(&text);
}

static void find_eager(const struct group_survey *survey, const struct group_info *info,
                       struct group_findings *out)
{
    struct buf text;
    if (info == NULL || info->epoch >= 0 || survey->group->journal.count < FREQUENT ||
        !str_is(info->protocol_type, "consumer") || info->assignor.size == 0 ||
        str_is(info->assignor, "cooperative-sticky"))
        return;
    buf_init(&text, 1 << 20);
    buf_printf(&text,
               "All members stop reading during each rebalance: the classic protocol with the assignor "
               "%.*s takes all partitions away first",
               STR_ARG(info->assignor));
    add(out, "eager-assignor", survey->group->journal.count, &text,
        "Use partition.assignment.strategy=cooperative-sticky "
        "(org.apache.kafka.clients.consumer.CooperativeStickyAssignor), or group.protocol=consumer: only "
        "partitions that move stop.");
    buf_release(&text);
}

static void find_now(const struct chitin_describe_groups_response_rebalance_array *journal,
                     struct group_findings *out)
{
    struct buf text;
    if (journal->count <= 0 || journal->items[0].duration_ms >= 0)
        return;
    buf_init(&text, 1 << 20);
    buf_append_text(&text, "It rebalances now, because ");
    group_explain_cause(&text, &journal->items[0]);
    add(out, "rebalancing", 1, &text,
        "It ends when every member has polled again, at the latest after the largest "
        "max.poll.interval.ms of them.");
    buf_release(&text);
}

static void find_lag(const struct group_survey *survey, const struct group_info *info,
                     struct group_findings *out)
{
    struct group_survey_total sum = group_survey_sum(survey);
    const struct group_member_info *owner = NULL;
    struct buf text;
    buf_init(&text, 1 << 20);
    if (sum.lost_records > 0) {
        buf_printf(&text, "%lld records were removed before the group read them",
                   (long long)sum.lost_records);
        add(out, "lost-records", 0, &text,
            "Raise retention.ms or retention.bytes of the topics, or let the group read faster.");
    }
    if (sum.worst_partition >= 0 && sum.lag_ms >= 60000) {
        buf_clear(&text);
        buf_append_text(&text, "It is ");
        group_explain_duration(&text, sum.lag_ms);
        buf_printf(&text, " behind in %.*s:%d", STR_ARG(sum.worst_topic), sum.worst_partition);
        if (info != NULL)
            owner = group_owner(info, sum.worst_topic, sum.worst_partition);
        if (owner != NULL)
            buf_printf(&text, ", which %.*s (%.*s) reads", STR_ARG(owner->client_id),
                       STR_ARG(owner->host));
        else
            buf_append_text(&text, ", which nobody reads");
        add(out, "lag", 0, &text,
            owner != NULL ? "If this grows, add members (up to one for each partition), or see what this "
                            "one waits for."
                          : "Start a consumer of the group, or forget the offsets of topics that it does "
                            "not read any more (chitin group offset-delete).");
    }
    buf_release(&text);
}

void group_explain(const struct group_survey *survey, const struct group_info *info,
                   struct group_findings *out)
{
    const struct chitin_describe_groups_response_rebalance_array *journal = &survey->group->journal;
    out->count = 0;
    find_now(journal, out);
    find_expired_polls(journal, out);
    for (int i = 0; i < CAUSE_COUNT; i++)
        find_cause_of(journal, &causes[i], out);
    find_slow(survey->group, out);
    find_eager(survey, info, out);
    find_lag(survey, info, out);
}
