// SPDX-License-Identifier: Apache-2.0
//
// Looking for the topics that match a pattern where that takes longer than one turn may: some names in each
// turn, one search after another, so that nobody else on this thread waits for it. The members hear of the
// topics with a later heartbeat; so they do from Kafka, which looks on a thread of its own.
//
// A matcher that is in many places at once takes up to a millisecond for a name, and a plain one less than
// a microsecond. How many names a turn looks at follows from how late the next turn is.
#include "base/buf.h"
#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/trace.h"
#include "group/consumer.h"
#include "group/regex.h"
#include "metadata/image.h"
#include "metadata/topic.h"

enum {
    TURN_MS = 1, // from one turn to the next
    LATE_MS = 3, // that is too long
    NAMES_MIN = 16,
    NAMES_MAX = 4096, // in a turn
    FOUND_BYTES_MAX = 64 * 1024 * 1024,
};

struct consumer_search {
    struct list_node node;          // in groups.searches: the first is at work
    struct map_node by_pattern;     // in group.searches
    struct consumer_group *cg;
    char *pattern;
    struct regex *regex;
    int64_t version;                // of the metadata when it began
    char last[TOPIC_NAME_MAX + 1];  // name that was looked at
    struct buf found;               // names, each ended by NUL
    int32_t found_count;
    int32_t unclear_count;          // names of which the matcher cannot tell
};

static bool has_pattern(const struct map_node *n, const void *key)
{
    return str_is(*(const struct str *)key, container_of(n, struct consumer_search, by_pattern)->pattern);
}

static uint64_t hash_of(const struct groups *g, struct str pattern)
{
    return hash_str(g->options.hash_seed, pattern);
}

static void search_on(struct coordinator_timer *t);

static void set_timer(struct groups *g)
{
    g->search_due_ms = coordinator_now(g->coordinator)->mono_ms + TURN_MS;
    coordinator_set_timer(g->coordinator, &g->search_timer, g->search_due_ms, search_on);
}

static void search_free(struct consumer_search *s)
{
    struct groups *g = s->cg->groups;
    list_remove(&s->node);
    map_remove(&s->cg->searches, &s->by_pattern);
    if (list_empty(&g->searches))
        coordinator_cancel_timer(g->coordinator, &g->search_timer);
    regex_free(s->regex);
    buf_release(&s->found);
    mem_free(s->pattern);
    mem_free(s);
}

void consumer_search(struct consumer_group *cg, struct str pattern)
{
    struct groups *g = cg->groups;
    struct regex *regex;
    struct diag diag;
    if (map_find(&cg->searches, hash_of(g, pattern), has_pattern, &pattern) != NULL)
        return;
    diag_clear(&diag);
    if (regex_new(pattern, &regex, &diag) != 0) {
        // It was good once: another broker's limits are others.
        trace_warn(g->options.trace, "group", "group %s: topics of `%.*s` cannot be looked for: %s",
                   cg->group->id, STR_ARG(pattern), diag.text);
        return;
    }
    struct consumer_search *s = mem_new(struct consumer_search);
    s->cg = cg;
    s->pattern = mem_copy_str(pattern);
    s->regex = regex;
    s->version = metadata_image_offset(g->image);
    buf_init(&s->found, FOUND_BYTES_MAX);
    map_insert(&cg->searches, &s->by_pattern, hash_of(g, pattern));
    if (list_empty(&g->searches)) {
        g->search_names = NAMES_MIN;
        set_timer(g);
    }
    list_append(&g->searches, &s->node);
}

void consumer_end_searches(struct consumer_group *cg)
{
    struct map_node *n;
    while ((n = map_next(&cg->searches, NULL)) != NULL)
        search_free(container_of(n, struct consumer_search, by_pattern));
}

// ---- A turn ----

static void look_at(struct consumer_search *s, struct str name)
{
    bool matches = false;
    if (regex_match(s->regex, name, &matches) != 0)
        s->unclear_count++;
    if (!matches)
        return;
    buf_append_str(&s->found, name);
    buf_append(&s->found, "", 1);
    s->found_count += !s->found.failed;
}

// True when there are no more. Names that come or go meanwhile are for the next search, which their image
// calls for.
static bool look_on(struct consumer_search *s, int32_t count)
{
    struct pmap_iter iter;
    struct str from = str_from(s->last);
    const struct metadata_topic *t = metadata_topic_first(s->cg->groups->image, from, &iter);
    if (t != NULL && str_equal(t->name, from))
        t = metadata_topic_next(&iter);
    for (; t != NULL && count > 0; t = metadata_topic_next(&iter), count--) {
        look_at(s, t->name);
        str_copy_to(t->name, s->last, sizeof(s->last));
    }
    return t == NULL || s->found.failed;
}

static void end(struct consumer_search *s)
{
    struct groups *g = s->cg->groups;
    struct str *names = mem_alloc_array((size_t)s->found_count + 1, sizeof(*names));
    struct str rest = buf_str(&s->found);
    for (int32_t i = 0; i < s->found_count; i++)
        names[i] = str_cut(&rest, '\0');
    if (s->unclear_count > 0 || s->found.failed)
        trace_warn(g->options.trace, "group",
                   "group %s: whether %d topics match `%s` cannot be told within bounds: they do not count",
                   s->cg->group->id, s->unclear_count, s->pattern);
    consumer_found(s->cg, str_from(s->pattern), names, s->found_count, s->version);
    mem_free(names);
    search_free(s);
}

// Who is late has done too much in the turn before, or others have.
static void adapt(struct groups *g)
{
    int64_t late_ms = coordinator_now(g->coordinator)->mono_ms - g->search_due_ms;
    if (late_ms >= LATE_MS && g->search_names > NAMES_MIN)
        g->search_names /= 2;
    else if (late_ms < LATE_MS && g->search_names < NAMES_MAX)
        g->search_names *= 2;
}

static void search_on(struct coordinator_timer *t)
{
    struct groups *g = container_of(t, struct groups, search_timer);
    struct consumer_search *s = container_of(list_first(&g->searches), struct consumer_search, node);
    if (look_on(s, g->search_names))
        end(s);
    if (list_empty(&g->searches))
        return;
    adapt(g);
    set_timer(g);
}
