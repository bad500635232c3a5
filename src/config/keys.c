// SPDX-License-Identifier: Apache-2.0
#include "config/keys.h"

#include "base/check.h"
#include "base/err.h"
#include "config/table.h"

static const char *text_at(uint32_t offset)
{
    return offset == CONFIG_STRING_NONE ? NULL : config_strings + offset;
}

// The name behind "listener.name.<listener>.", or `name` itself. What follows may be a mechanism
// ("scram-sha-256.sasl.jaas.config"), which the caller cuts.
static struct str without_listener(struct str name)
{
    static const char prefix[] = "listener.name.";
    if (!str_starts_with(name, prefix))
        return name;
    struct str rest = str_of(name.data + sizeof prefix - 1, name.size - (sizeof prefix - 1));
    str_cut(&rest, '.');
    return rest.data != NULL ? rest : name;
}

static const struct config_key *find_exact(enum config_scope scope, struct str name)
{
    int low = 0;
    int high = config_key_count(scope);
    while (low < high) {
        int middle = low + (high - low) / 2;
        const struct config_key *key = config_key_at(scope, middle);
        int order = str_compare(name, str_from(config_key_name(key)));
        if (order == 0)
            return key;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const struct config_key *config_key_find(enum config_scope scope, struct str name)
{
    const struct config_key *key = find_exact(scope, name);
    if (key != NULL || scope != CONFIG_BROKER)
        return key;
    struct str base = without_listener(name);
    if (base.size == name.size)
        return NULL;
    key = find_exact(scope, base);
    if (key == NULL) {
        str_cut(&base, '.'); // the SASL mechanism
        key = base.data != NULL ? find_exact(scope, base) : NULL;
    }
    return key;
}

int config_key_count(enum config_scope scope)
{
    switch (scope) {
    case CONFIG_BROKER: return config_broker_key_count;
    case CONFIG_TOPIC: return config_topic_key_count;
    case CONFIG_GROUP: break;
    }
    return config_group_key_count;
}

const struct config_key *config_key_at(enum config_scope scope, int index)
{
    check(index >= 0 && index < config_key_count(scope));
    for (enum config_scope before = CONFIG_BROKER; before < scope; before++)
        index += config_key_count(before);
    return &config_keys[index];
}

const char *config_key_name(const struct config_key *key)
{
    return text_at(key->name);
}

enum config_scope config_key_scope(const struct config_key *key)
{
    return key->scope;
}

enum config_type config_key_type(const struct config_key *key)
{
    return key->type;
}

enum config_mode config_key_mode(const struct config_key *key)
{
    return key->mode;
}

enum config_treatment config_key_treatment(const struct config_key *key)
{
    return key->treatment;
}

const char *config_key_default(const struct config_key *key)
{
    return text_at(key->default_value);
}

const char *config_key_doc(const struct config_key *key)
{
    return text_at(key->doc);
}

const char *config_key_reason(const struct config_key *key)
{
    return text_at(key->reason);
}

const char *config_key_valid(const struct config_key *key)
{
    return text_at(key->valid);
}

const char *config_key_importance(const struct config_key *key)
{
    return key->importance == 0 ? "high" : key->importance == 1 ? "medium" : "low";
}

bool config_key_is_own(const struct config_key *key)
{
    return (key->flags & FLAG_OWN) != 0;
}

bool config_key_is_internal(const struct config_key *key)
{
    return (key->flags & FLAG_INTERNAL) != 0;
}

bool config_key_is_of_listener(const struct config_key *key)
{
    return (key->flags & FLAG_LISTENER) != 0;
}

bool config_key_needs_restart(const struct config_key *key)
{
    return (key->flags & FLAG_RESTART) != 0;
}

bool config_key_is_sensitive(const struct config_key *key)
{
    return key->type == CONFIG_TYPE_PASSWORD;
}

const char *config_key_broker_default(const struct config_key *key)
{
    return text_at(key->broker_default);
}

const char *config_key_removed_in(struct str name)
{
    for (int i = 0; i < config_removed_count; i++)
        if (str_is(name, text_at(config_removed_keys[i].name)))
            return text_at(config_removed_keys[i].release);
    return NULL;
}

int config_key_synonyms(const struct config_key *key, const char *names[CONFIG_SYNONYMS_MAX])
{
    static const char groups[][CONFIG_SYNONYMS_MAX][32] = {
        {"log.retention.ms", "log.retention.minutes", "log.retention.hours"},
        {"log.roll.ms", "log.roll.hours", ""},
        {"log.roll.jitter.ms", "log.roll.jitter.hours", ""},
        {"log.flush.interval.ms", "log.flush.scheduler.interval.ms", ""},
        {"log.dirs", "log.dir", ""},
        {"node.id", "broker.id", ""},
    };
    struct str own = str_from(config_key_name(key));
    for (size_t g = 0; key->scope == CONFIG_BROKER && g < sizeof groups / sizeof *groups; g++) {
        bool here = false;
        int count = 0;
        for (; count < CONFIG_SYNONYMS_MAX && groups[g][count][0] != '\0'; count++) {
            here = here || str_is(own, groups[g][count]);
            names[count] = groups[g][count];
        }
        if (here)
            return count;
    }
    names[0] = config_key_name(key);
    return 1;
}
