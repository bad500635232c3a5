// SPDX-License-Identifier: Apache-2.0
//
// What an operator is told about a configuration before anything else happens.
#include "config/config.h"

#include "base/err.h"
#include "config/rules.h"
#include "config/table.h"

// A refused key that only repeats the default, or is empty, promises nothing.
static bool promises_nothing(const struct config_key *key, const char *value)
{
    const char *usual = config_key_default(key);
    return *value == '\0' || (usual != NULL && str_is(str_from(value), usual));
}

static void check_known(const struct property *item, const struct config_key *key,
                        struct findings *f)
{
    struct diag words;
    diag_clear(&words);
    if (config_validate(key, str_from(item->value), &words) != ERR_OK) {
        const char *valid = config_key_valid(key);
        findings_add(f, "%s%s%s", words.text, *valid != '\0' ? "; valid: " : "", valid);
    } else if (config_key_treatment(key) == CONFIG_REFUSED && !promises_nothing(key, item->value)) {
        findings_add(f, "%s%s%s: %s. Take it out to start without.", item->key,
              config_key_is_sensitive(key) ? "" : "=",
              config_key_is_sensitive(key) ? "" : item->value, config_key_reason(key));
    }
}

static void warn_unknown(const struct property *item, struct trace *trace)
{
    struct str name = str_from(item->key);
    const char *removed = config_key_removed_in(name);
    const char *nearest = removed == NULL ? config_key_nearest(CONFIG_BROKER, name) : NULL;
    const struct trace_field fields[] = {
        {"key", .text = item->key}, {nearest != NULL ? "nearest" : NULL, .text = nearest}, {0}};
    if (removed != NULL)
        trace_event(trace, TRACE_WARN, "config", fields,
                    "%s has no effect: Apache Kafka %s removed it", item->key, removed);
    else if (nearest != NULL)
        trace_event(trace, TRACE_WARN, "config", fields,
                    "%s is not a known key; did you mean %s?", item->key, nearest);
    else
        trace_event(trace, TRACE_WARN, "config", fields, "%s is not a known key", item->key);
}

static bool is_idle(const struct property *item, const struct config_key *key)
{
    enum config_treatment t = config_key_treatment(key);
    return (t == CONFIG_ACCEPTED || t == CONFIG_PLANNED) && !promises_nothing(key, item->value);
}

// Set with the prefix of a listener, where it acts for all or not at all.
static bool is_lost_on_listener(const struct property *item, const struct config_key *key)
{
    return !str_is(str_from(item->key), config_key_name(key)) &&
           config_key_treatment(key) == CONFIG_ACTS && !config_key_is_of_listener(key);
}

// One line for all keys that have no effect for the same reason. `first` is the earliest of them.
static void warn_idle(const struct properties *p, int first, struct trace *trace)
{
    const struct config_key *key = config_key_find(CONFIG_BROKER, str_from(p->items[first].key));
    struct buf names;
    buf_init(&names, TRACE_LINE_MAX);
    for (int i = 0; i < p->count; i++) {
        const struct config_key *other = config_key_find(CONFIG_BROKER, str_from(p->items[i].key));
        if (other == NULL || other->reason != key->reason || !is_idle(&p->items[i], other))
            continue;
        if (i < first) {
            buf_release(&names); // said with that one
            return;
        }
        buf_printf(&names, "%s%s", i > first ? ", " : "", p->items[i].key);
    }
    trace_warn(trace, "config", "no effect, since %s: %s", config_key_reason(key),
               buf_text(&names));
    buf_release(&names);
}

int config_check(const struct config *c, struct trace *trace, struct diag *diag)
{
    const struct properties *p = config_static_values(c);
    struct findings f = {.diag = diag};
    if (diag != NULL)
        diag_clear(diag);
    for (int i = 0; i < p->count; i++) {
        const struct config_key *key = config_key_find(CONFIG_BROKER, str_from(p->items[i].key));
        if (key == NULL && trace != NULL)
            warn_unknown(&p->items[i], trace);
        if (key == NULL)
            continue;
        check_known(&p->items[i], key, &f);
        if (trace != NULL && is_lost_on_listener(&p->items[i], key))
            trace_warn(trace, "config", "%s has no effect: %s cannot be set for one listener",
                       p->items[i].key, config_key_name(key));
        if (trace != NULL && is_idle(&p->items[i], key))
            warn_idle(p, i, trace);
    }
    if (f.count == 0)
        config__check_rules(c, &f);
    return f.count == 0 ? ERR_OK : ERR_INVALID;
}
