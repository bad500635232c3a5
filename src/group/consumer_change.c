// SPDX-License-Identifier: Apache-2.0
//
// What follows when a member joins or has something to say, by a heartbeat or by the classic protocol: the
// commands that carry its group on.
#include "base/err.h"
#include "group/consumer.h"
#include "metadata/image.h"

// The member takes the place of the one that had its instance id, with its part and its target.
static void write_replacement(struct consumer_change *c, const struct consumer_group *cg)
{
    struct consumer_member *old = c->replaced;
    struct consumer_subscription copy = old->subscription;
    struct assignment none = {0};
    consumer_write_member_tombstones(cg, str_from(old->id));
    consumer_write_subscription(cg, c->member_id, &copy);
    consumer_write_target(cg, c->member_id, &old->target);
    consumer_write_current(cg, c->member_id, JOIN_GROUP_MEMBER_EPOCH, JOIN_GROUP_MEMBER_EPOCH, old->state,
                           &old->assigned, &none);
}

static int write_member(struct consumer_change *c)
{
    // A group that is not there yet is known by its id alone.
    struct group unborn = {.id = NULL};
    struct consumer_group stand_in = {.groups = c->g, .group = &unborn};
    struct consumer_group *cg = c->group == NULL ? &stand_in : c->group->consumer;
    struct str id = arena_copy_str(c->arena, c->group_id);
    if (id.data == NULL)
        return ERR_NOMEM;
    if (c->group == NULL)
        unborn.id = (char *)(uintptr_t)id.data;
    consumer_begin(cg);
    if (c->former != NULL)
        group_kind_type(c->former->kind)->write_tombstones(c->g, c->former);
    if (c->replaced != NULL)
        write_replacement(c, cg);
    if ((c->member == NULL && c->replaced == NULL) || !consumer_subscription_equal(&c->before, &c->after))
        consumer_write_subscription(cg, c->member_id, &c->after);
    if (c->pattern_is_new)
        consumer_write_regex(cg, c->after.regex, c->pattern_topics, c->pattern_topic_count,
                             metadata_image_offset(c->g->image),
                             coordinator_now(c->g->coordinator)->wall_ms);
    int err = consumer_end(cg);
    if (err != 0)
        return err;
    c->group = groups_find(c->g, id);
    c->member = consumer_find_member(c->group->consumer, c->member_id);
    return 0;
}

// What the topics of a member are, in the image that holds.
static int64_t topics_seen(const struct consumer_change *c, const struct consumer_subscription *s)
{
    const struct consumer_regex *r =
        s->regex.size == 0 || c->group == NULL ? NULL : consumer_find_regex(c->group->consumer, s->regex);
    return s->topic_count + (r == NULL ? 0 : r->topic_count);
}

static bool wants_bump(const struct consumer_change *c, int64_t seen_before)
{
    bool assignor_changed = !str_equal(c->before.assignor, c->after.assignor);
    bool pattern_changed = !str_equal(c->before.regex, c->after.regex);
    return assignor_changed || !consumer_same_topics(&c->before, &c->after) ||
           (pattern_changed && (seen_before > 0 || topics_seen(c, &c->after) > 0));
}

static int bump(struct consumer_change *c, bool is_new)
{
    struct consumer_cause cause = {
        .cause = c->replaced != NULL ? REBALANCE_STATIC_REPLACED
                 : is_new            ? REBALANCE_JOINED
                                     : REBALANCE_SUBSCRIPTION,
        .member = c->member_id,
        .client_id = c->after.client_id,
        .client_host = c->after.client_host,
        .grown = is_new,
    };
    return consumer_bump(c->group->consumer, &cause);
}

static int apply(struct consumer_change *c, bool *changed)
{
    bool is_new = c->member == NULL && c->replaced == NULL;
    bool other_pattern = !str_equal(c->before.regex, c->after.regex);
    bool other_topics = other_pattern || !consumer_same_topics(&c->before, &c->after);
    int64_t seen_before = topics_seen(c, &c->before);
    int err = write_member(c);
    if (err != 0)
        return err;
    struct consumer_group *cg = c->group->consumer;
    if (other_pattern) {
        consumer_begin(cg);
        consumer_write_unused_regexes(cg);
        err = consumer_end(cg);
    }
    if (err == 0)
        err = consumer_refresh_regexes(cg, c->after.regex);
    if (err == 0)
        err = wants_bump(c, seen_before) ? bump(c, is_new) : consumer_follow_metadata(cg);
    if (err == 0)
        err = consumer_update_target(cg);
    if (err == 0)
        err = consumer_reconcile(c->member, &c->owned, other_topics, changed);
    return err;
}

int consumer_change_apply(struct consumer_change *c, bool *changed)
{
    struct coordinator *coordinator = c->g->coordinator;
    // The first command replaces what both may be views of.
    struct consumer_subscription before, after;
    consumer_subscription_copy(&before, &c->before);
    consumer_subscription_copy(&after, &c->after);
    c->before = before;
    c->after = after;
    coordinator_begin_series(coordinator);
    int err = apply(c, changed);
    coordinator_end_series(coordinator);
    consumer_subscription_release(&c->before);
    consumer_subscription_release(&c->after);
    return err;
}
