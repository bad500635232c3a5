// SPDX-License-Identifier: Apache-2.0
//
// Patterns that members subscribe to, and the topics that match them.
//
// Kafka looks for the topics in the background and tells members of them with a later heartbeat. Here it is
// done at once where that takes milliseconds at most, and otherwise in turns to come (consumer_search.c).
#include "base/err.h"
#include "base/mem.h"
#include "base/trace.h"
#include "config/config.h"
#include "group/consumer.h"
#include "group/regex.h"
#include "metadata/image.h"

enum { RESOLVE_MEMORY_MAX = 64 * 1024 * 1024, RESOLVE_TOPICS_MAX = 1000 };

static bool regex_has_pattern(const struct map_node *n, const void *key)
{
    return str_is(*(const struct str *)key, container_of(n, struct consumer_regex, node)->pattern);
}

static uint64_t hash_of(const struct consumer_group *cg, struct str pattern)
{
    return hash_str(cg->groups->options.hash_seed, pattern);
}

struct consumer_regex *consumer_find_regex(const struct consumer_group *cg, struct str pattern)
{
    struct map_node *n = map_find(&cg->regexes, hash_of(cg, pattern), regex_has_pattern, &pattern);
    return n == NULL ? NULL : container_of(n, struct consumer_regex, node);
}

struct consumer_regex *consumer_get_regex(struct consumer_group *cg, struct str pattern)
{
    struct consumer_regex *r = consumer_find_regex(cg, pattern);
    if (r != NULL)
        return r;
    r = mem_new(struct consumer_regex);
    r->pattern = mem_copy_str(pattern);
    map_insert(&cg->regexes, &r->node, hash_of(cg, pattern));
    return r;
}

void consumer_set_regex_topics(struct consumer_regex *r, const struct str *topics, int32_t count)
{
    size_t array = (size_t)count * sizeof(*topics), size = array;
    for (int32_t i = 0; i < count; i++)
        size += topics[i].size;
    struct str *copy = mem_alloc(size + 1);
    char *at = (char *)copy + array;
    for (int32_t i = 0; i < count; i++) {
        if (topics[i].size > 0)
            memcpy(at, topics[i].data, topics[i].size);
        copy[i] = str_of(at, topics[i].size);
        at += topics[i].size;
    }
    mem_free(r->topics);
    r->topics = copy;
    r->topic_count = consumer_sort_names(copy, count);
}

void consumer_remove_regex(struct consumer_group *cg, struct consumer_regex *r)
{
    map_remove(&cg->regexes, &r->node);
    mem_free(r->pattern);
    mem_free(r->topics);
    mem_free(r);
}

static int match_all(const struct groups *g, const struct regex *r, struct str *out, int32_t *count)
{
    struct pmap_iter iter;
    struct str all = {NULL, 0};
    for (const struct metadata_topic *t = metadata_topic_first(g->image, all, &iter); t != NULL;
         t = metadata_topic_next(&iter)) {
        bool matches = false;
        if (regex_match_quickly(r, t->name, &matches) != 0)
            return ERR_AGAIN;
        if (matches)
            out[(*count)++] = t->name;
    }
    return 0;
}

int consumer_resolve(const struct groups *g, struct str pattern, struct arena *arena, struct str **topics,
                     int32_t *count, struct diag *diag)
{
    struct regex *r;
    struct str *names = arena_alloc_array(arena, RESOLVE_TOPICS_MAX, sizeof(*names));
    int32_t found = 0;
    if (names == NULL)
        return diag_set(diag, ERR_NOMEM, "no memory for the topics that match");
    int err = regex_new(pattern, &r, diag);
    if (err != 0)
        return err;
    bool is_long = metadata_image_topic_count(g->image) > RESOLVE_TOPICS_MAX;
    err = is_long ? ERR_AGAIN : match_all(g, r, names, &found);
    regex_free(r);
    if (err != 0)
        return err;
    *topics = names; // in order, as the image has them
    *count = found;
    return 0;
}

static bool has_subscriber(const struct consumer_group *cg, struct str pattern)
{
    for (struct consumer_member *m = NULL; (m = consumer_next(cg, m)) != NULL;)
        if (m->is_member && str_equal(m->subscription.regex, pattern))
            return true;
    return false;
}

void consumer_write_unused_regexes(struct consumer_group *cg)
{
    for (struct map_node *n = NULL; (n = map_next(&cg->regexes, n)) != NULL;) {
        struct consumer_regex *r = container_of(n, struct consumer_regex, node);
        if (!has_subscriber(cg, str_from(r->pattern)))
            consumer_write_regex_tombstone(cg, str_from(r->pattern));
    }
}

// ---- Looking again ----

static bool is_due(const struct consumer_group *cg, const struct coordinator_time *now)
{
    if (cg->regex_refresh_mono_ms == INT64_MIN)
        return true;
    int64_t age_ms = now->mono_ms - cg->regex_refresh_mono_ms;
    int32_t interval_ms =
        config_i32(cg->groups->options.config, "group.consumer.regex.refresh.interval.ms");
    return age_ms >= interval_ms || (!cg->are_regexes_fresh && age_ms >= CONSUMER_REGEX_REFRESH_MIN_MS);
}

static bool same_topics(const struct consumer_regex *r, const struct str *topics, int32_t count)
{
    bool same = r->topic_count == count;
    for (int32_t i = 0; same && i < count; i++)
        same = str_equal(r->topics[i], topics[i]);
    return same;
}

// A command, if the topics are others now.
static int take(struct consumer_group *cg, struct str pattern, const struct str *topics, int32_t count,
                int64_t version)
{
    const struct consumer_regex *r = consumer_find_regex(cg, pattern);
    if (r != NULL && same_topics(r, topics, count))
        return 0;
    consumer_begin(cg);
    consumer_write_regex(cg, pattern, topics, count, version,
                         coordinator_now(cg->groups->coordinator)->wall_ms);
    cg->is_metadata_fresh = false;
    return consumer_end(cg);
}

void consumer_found(struct consumer_group *cg, struct str pattern, const struct str *topics, int32_t count,
                    int64_t version)
{
    // Without a subscriber nobody would ever take the record away.
    int err = has_subscriber(cg, pattern) ? take(cg, pattern, topics, count, version) : 0;
    if (err != 0)
        trace_warn(cg->groups->options.trace, "group",
                   "group %s: the %d topics of `%.*s` cannot be stored, and are looked for again later: %s",
                   cg->group->id, count, STR_ARG(pattern), err_text(err));
}

static int refresh(struct consumer_group *cg, struct str pattern)
{
    struct arena arena;
    struct diag diag;
    struct str *topics;
    int32_t count;
    diag_clear(&diag);
    arena_init(&arena, RESOLVE_MEMORY_MAX);
    int err = consumer_resolve(cg->groups, pattern, &arena, &topics, &count, &diag);
    int taken = 0;
    if (err == 0)
        taken = take(cg, pattern, topics, count, metadata_image_offset(cg->groups->image));
    else
        consumer_search(cg, pattern);
    arena_release(&arena);
    return taken;
}

int consumer_refresh_regexes(struct consumer_group *cg, struct str pattern)
{
    const struct coordinator_time *now = coordinator_now(cg->groups->coordinator);
    int err = 0;
    if (pattern.size > 0 && consumer_find_regex(cg, pattern) == NULL)
        err = refresh(cg, pattern);
    if (err != 0 || cg->regexes.count == 0 || !is_due(cg, now))
        return err;
    cg->regex_refresh_mono_ms = now->mono_ms;
    cg->are_regexes_fresh = true;
    for (struct map_node *n = NULL; err == 0 && (n = map_next(&cg->regexes, n)) != NULL;)
        err = refresh(cg, str_from(container_of(n, struct consumer_regex, node)->pattern));
    return err;
}
