// SPDX-License-Identifier: Apache-2.0
#include "config/config.h"

#include <stdio.h>

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "config/rules.h"

// Layers by precedence.
enum { LAYER_BROKER, LAYER_BROKER_DEFAULT, LAYER_STATIC, LAYER_FALLBACK, LAYER_COUNT };

struct config {
    // Values that are valid stand here as Kafka prints them; others as they were written.
    struct properties layers[LAYER_COUNT];
};

static const enum config_source layer_sources[LAYER_COUNT] = {
    CONFIG_SOURCE_BROKER, CONFIG_SOURCE_BROKER_DEFAULT, CONFIG_SOURCE_STATIC,
    CONFIG_SOURCE_DEFAULT};

struct config *config_new(void)
{
    return mem_new(struct config);
}

void config_free(struct config *c)
{
    if (c == NULL)
        return;
    for (int i = 0; i < LAYER_COUNT; i++)
        properties_release(&c->layers[i]);
    mem_free(c);
}

void config_copy(struct config *to, const struct config *from)
{
    for (int i = 0; i < LAYER_COUNT; i++) {
        const struct properties *layer = &from->layers[i];
        properties_release(&to->layers[i]);
        properties_init(&to->layers[i]);
        for (int j = 0; j < layer->count; j++)
            properties_set(&to->layers[i], str_from(layer->items[j].key),
                           str_from(layer->items[j].value), layer->items[j].line);
    }
}

// Sets a value in a layer, as Kafka prints it if it is a valid one.
static void set_value(struct config *c, int layer, struct str name, struct str value, int line)
{
    const struct config_key *key = config_key_find(CONFIG_BROKER, name);
    if (key == NULL || config_validate(key, value, NULL) != ERR_OK) {
        properties_set(&c->layers[layer], name, value, line);
        return;
    }
    struct buf text;
    buf_init(&text, PROPERTIES_TEXT_MAX);
    config_format(key, value, &text);
    properties_set(&c->layers[layer], name, str_from(buf_text(&text)), line);
    buf_release(&text);
}

int config_load(struct config *c, struct str text, const char *file, struct diag *diag)
{
    struct properties read;
    properties_init(&read);
    int err = properties_parse(&read, text, diag);
    for (int i = 0; err == ERR_OK && i < read.count; i++)
        set_value(c, LAYER_STATIC, str_from(read.items[i].key), str_from(read.items[i].value),
                  read.items[i].line);
    properties_release(&read);
    if (err != ERR_OK)
        diag_prefix(diag, "%s", file);
    return err;
}

void config_set_static(struct config *c, const char *name, struct str value)
{
    set_value(c, LAYER_STATIC, str_from(name), value, 0);
}

int config_override(struct config *c, const char *assignment, struct diag *diag)
{
    struct str value = str_from(assignment);
    struct str name = str_trim(str_cut(&value, '='));
    if (value.data == NULL || name.size == 0)
        return diag_set(diag, ERR_INVALID, "'%s' is not KEY=VALUE", assignment);
    set_value(c, LAYER_STATIC, name, value, 0);
    return ERR_OK;
}

void config_set_fallback(struct config *c, const char *name, const char *value)
{
    set_value(c, LAYER_FALLBACK, str_from(name), str_from(value), 0);
}

static int dynamic_layer(enum config_source layer)
{
    check(layer == CONFIG_SOURCE_BROKER || layer == CONFIG_SOURCE_BROKER_DEFAULT);
    return layer == CONFIG_SOURCE_BROKER ? LAYER_BROKER : LAYER_BROKER_DEFAULT;
}

void config_set_dynamic(struct config *c, enum config_source layer, const char *name,
                        const char *value)
{
    int index = dynamic_layer(layer);
    if (value == NULL)
        properties_unset(&c->layers[index], name);
    else
        set_value(c, index, str_from(name), str_from(value), 0);
}

// A broker may start without room for anybody; one that runs would shut out whoever can undo it.
static bool shuts_everybody_out(const struct config_key *key, struct str value)
{
    struct str name = str_from(config_key_name(key));
    int32_t limit;
    return (str_is(name, "max.connections") || str_is(name, "max.connection.creation.rate")) &&
           str_parse_i32(value, &limit) && limit == 0;
}

int config_validate_dynamic(enum config_source layer, struct str name, struct str value,
                            struct diag *diag)
{
    const struct config_key *key = config_key_find(CONFIG_BROKER, name);
    if (key == NULL)
        return diag_set(diag, ERR_NOT_FOUND, "Unknown broker config name: %.*s", STR_ARG(name));
    enum config_mode mode = config_key_mode(key);
    if (mode == CONFIG_READ_ONLY)
        return diag_set(diag, ERR_INVALID, "Cannot update these configs dynamically: [%s]",
                        config_key_name(key));
    if (mode == CONFIG_PER_BROKER && layer == CONFIG_SOURCE_BROKER_DEFAULT)
        return diag_set(diag, ERR_INVALID,
                        "Cannot update these configs at default cluster level, broker id must be "
                        "specified: [%s]", config_key_name(key));
    if (config_key_treatment(key) == CONFIG_REFUSED)
        return diag_set(diag, ERR_INVALID, "Cannot set %s: %s", config_key_name(key),
                        config_key_reason(key));
    if (config_key_needs_restart(key))
        return diag_set(diag, ERR_INVALID, "Cannot set %s while the broker runs",
                        config_key_name(key));
    bool prefixed = !str_is(name, config_key_name(key));
    if (prefixed && !config_key_is_of_listener(key))
        return diag_set(diag, ERR_INVALID, "Cannot set %s for one listener", config_key_name(key));
    if (shuts_everybody_out(key, value))
        return diag_set(diag, ERR_INVALID, "Cannot set %s to 0 while the broker runs",
                        config_key_name(key));
    return config_validate(key, value, diag);
}

int config_validate_layer(const struct config *c, enum config_source layer,
                          const struct properties *values, struct diag *diag)
{
    struct findings f = {.diag = diag};
    struct config proposed = *c; // shares the other layers
    int index = dynamic_layer(layer);
    if (diag != NULL)
        diag_clear(diag);
    properties_init(&proposed.layers[index]);
    for (int i = 0; i < values->count; i++)
        set_value(&proposed, index, str_from(values->items[i].key),
                  str_from(values->items[i].value), 0);
    config__check_rules(&proposed, &f);
    properties_release(&proposed.layers[index]);
    if (f.count == 0)
        return ERR_OK;
    diag_prefix(diag, "requirement failed"); // as Kafka's answers begin
    return ERR_INVALID;
}

static const struct config_key *require(const char *name)
{
    const struct config_key *key = config_key_find(CONFIG_BROKER, str_from(name));
    check(key != NULL);
    return key;
}

const char *config_text(const struct config *c, const char *name)
{
    const struct config_key *key = require(name);
    for (int i = 0; i < LAYER_COUNT; i++) {
        const char *value = properties_get(&c->layers[i], name);
        if (value != NULL && config_validate(key, str_from(value), NULL) == ERR_OK)
            return value;
    }
    return config_key_default(key);
}

int64_t config_i64(const struct config *c, const char *name)
{
    int64_t value;
    bool whole = str_parse_i64(str_from(config_text(c, name)), &value);
    check(whole);
    return value;
}

int32_t config_i32(const struct config *c, const char *name)
{
    int64_t value = config_i64(c, name);
    check(value >= INT32_MIN && value <= INT32_MAX);
    return (int32_t)value;
}

bool config_bool(const struct config *c, const char *name)
{
    check(config_key_type(require(name)) == CONFIG_TYPE_BOOLEAN);
    return str_is(str_from(config_text(c, name)), "true");
}

double config_double(const struct config *c, const char *name)
{
    double value;
    bool number = str_parse_double(str_from(config_text(c, name)), &value);
    check(number);
    return value;
}

struct str config_list(const struct config *c, const char *name)
{
    check(config_key_type(require(name)) == CONFIG_TYPE_LIST);
    const char *value = config_text(c, name);
    return value != NULL && *value != '\0' ? str_from(value) : (struct str){0};
}

void config_listener_key(const char *listener, const char *key, char out[CONFIG_LISTENER_KEY_MAX])
{
    int size = snprintf(out, CONFIG_LISTENER_KEY_MAX, "listener.name.%s.%s", listener, key);
    check(size < CONFIG_LISTENER_KEY_MAX);
    for (char *c = out; *c != '\0'; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
}

struct str config_log_dirs(const struct config *c)
{
    struct str dirs = config_list(c, "log.dirs");
    return dirs.data != NULL ? dirs : config_list(c, "log.dir");
}

bool config_log_dir_is_cordoned(const struct config *c, const char *dir)
{
    struct str rest = config_list(c, "cordoned.log.dirs"), item;
    while (config_list_next(&rest, &item))
        if (str_is(item, "*") || str_is(item, dir))
            return true;
    return false;
}

bool config_is_set(const struct config *c, const char *name)
{
    const char *names[CONFIG_SYNONYMS_MAX];
    int count = config_key_synonyms(require(name), names);
    for (int i = 0; i < count; i++)
        for (int layer = 0; layer < LAYER_FALLBACK; layer++)
            if (properties_get(&c->layers[layer], names[i]) != NULL)
                return true;
    return false;
}

static int64_t unit_ms(const char *name)
{
    struct str s = str_from(name);
    return str_ends_with(s, ".hours") ? 3600000 : str_ends_with(s, ".minutes") ? 60000 : 1;
}

int64_t config_duration_ms(const struct config *c, const char *name)
{
    const char *names[CONFIG_SYNONYMS_MAX];
    int count = config_key_synonyms(require(name), names);
    for (int i = 0; i < count; i++) {
        if (config_text(c, names[i]) == NULL)
            continue;
        int64_t value = config_i64(c, names[i]);
        if (value < 0)
            return -1;
        return __builtin_mul_overflow(value, unit_ms(names[i]), &value) ? INT64_MAX : value;
    }
    check_unreachable();
}

static void view_add(struct config_view *v, const char *name, const char *value,
                     enum config_source source)
{
    check(v->synonym_count < CONFIG_VIEW_SYNONYMS_MAX);
    v->synonyms[v->synonym_count++] = (struct config_synonym){
        .name = name, .value = v->sensitive ? NULL : value, .source = source};
}

static bool is_prefixed(const char *name, const struct config_key *key)
{
    return str_starts_with(str_from(name), "listener.name.") &&
           !str_is(str_from(name), config_key_name(key));
}

// Adds what the layers and the table say about a key and its synonyms, by precedence.
static void view_add_broker(const struct config *c, struct config_view *v,
                            const struct config_key *key, const char *name)
{
    const char *names[CONFIG_SYNONYMS_MAX] = {name, config_key_name(key)};
    // With the prefix of a listener: that name, then the one for all.
    int count = is_prefixed(name, key) ? 2 : config_key_synonyms(key, names);
    for (int layer = 0; layer < LAYER_COUNT; layer++)
        for (int i = 0; i < count; i++) {
            const char *value = properties_get(&c->layers[layer], names[i]);
            if (value != NULL)
                view_add(v, names[i], value, layer_sources[layer]);
        }
    for (int i = 0; i < count; i++) {
        const char *value = config_key_default(require(names[i]));
        if (value != NULL && !is_prefixed(names[i], key))
            view_add(v, names[i], value, CONFIG_SOURCE_DEFAULT);
    }
}

static enum config_source view_source(const struct config_view *v)
{
    return v->synonym_count > 0 ? v->synonyms[0].source : CONFIG_SOURCE_DEFAULT;
}

// Of a broker key the value of that very name is shown, so the source is the one of this value:
// log.retention.minutes in the file does not make the default of log.retention.hours the file's.
static enum config_source own_source(const struct config_view *v)
{
    for (int i = 0; i < v->synonym_count; i++)
        if (str_is(str_from(v->synonyms[i].name), v->name))
            return v->synonyms[i].source;
    return CONFIG_SOURCE_DEFAULT;
}

int config_describe(const struct config *c, const char *name, struct config_view *out)
{
    const struct config_key *key = config_key_find(CONFIG_BROKER, str_from(name));
    if (key == NULL)
        return ERR_NOT_FOUND;
    *out = (struct config_view){.key = key, .name = name,
                                .read_only = config_key_mode(key) == CONFIG_READ_ONLY,
                                .sensitive = config_key_is_sensitive(key)};
    view_add_broker(c, out, key, name);
    out->source = own_source(out);
    if (!out->sensitive)
        out->value = config_text(c, name);
    return ERR_OK;
}

// The topic's own value as Kafka prints it, or the null string when it has none that is valid.
static int topic_value(const struct config_key *key, const struct properties *overrides,
                       struct arena *arena, const char **out)
{
    const char *raw = overrides != NULL ? properties_get(overrides, config_key_name(key)) : NULL;
    *out = NULL;
    if (raw == NULL || config_validate(key, str_from(raw), NULL) != ERR_OK)
        return ERR_OK;
    struct buf text;
    buf_init(&text, PROPERTIES_TEXT_MAX);
    config_format(key, str_from(raw), &text);
    *out = arena_copy_str(arena, str_from(buf_text(&text))).data;
    buf_release(&text);
    return *out != NULL ? ERR_OK : ERR_NOMEM;
}

// The default of a topic key on this broker: a duration in the unit of the topic key.
static int inherited_value(const struct config *c, const struct config_key *key,
                           const char *broker_name, struct arena *arena, const char **out)
{
    const char *names[CONFIG_SYNONYMS_MAX];
    if (config_key_synonyms(require(broker_name), names) == 1) {
        *out = config_text(c, broker_name);
        return ERR_OK;
    }
    struct buf text;
    buf_init(&text, 32);
    buf_printf(&text, "%lld", (long long)config_duration_ms(c, broker_name));
    *out = arena_copy_str(arena, buf_str(&text)).data;
    buf_release(&text);
    return *out != NULL ? ERR_OK : ERR_NOMEM;
}

int config_describe_topic(const struct config *c, const struct properties *overrides,
                          const char *name, struct arena *arena, struct config_view *out)
{
    const struct config_key *key = config_key_find(CONFIG_TOPIC, str_from(name));
    if (key == NULL)
        return ERR_NOT_FOUND;
    *out = (struct config_view){.key = key, .name = config_key_name(key)};
    int err = topic_value(key, overrides, arena, &out->value);
    if (err != ERR_OK)
        return err;
    if (out->value != NULL)
        view_add(out, out->name, out->value, CONFIG_SOURCE_TOPIC);
    const char *broker_name = config_key_broker_default(key);
    if (broker_name != NULL)
        view_add_broker(c, out, require(broker_name), broker_name);
    out->source = view_source(out);
    if (out->value != NULL)
        return ERR_OK;
    if (broker_name != NULL)
        return inherited_value(c, key, broker_name, arena, &out->value);
    out->value = config_key_default(key);
    return ERR_OK;
}

int config_describe_group(const struct config *c, const struct properties *overrides, const char *name,
                          struct arena *arena, struct config_view *out)
{
    const struct config_key *key = config_key_find(CONFIG_GROUP, str_from(name));
    if (key == NULL)
        return ERR_NOT_FOUND;
    *out = (struct config_view){.key = key, .name = config_key_name(key)};
    int err = topic_value(key, overrides, arena, &out->value);
    if (err != ERR_OK)
        return err;
    if (out->value != NULL)
        view_add(out, out->name, out->value, CONFIG_SOURCE_GROUP);
    const char *broker_name = config_key_broker_default(key);
    const char *otherwise = broker_name != NULL ? config_text(c, broker_name) : config_key_default(key);
    if (broker_name != NULL)
        view_add_broker(c, out, require(broker_name), broker_name);
    if (broker_name == NULL || out->synonym_count == (out->value != NULL))
        view_add(out, broker_name != NULL ? broker_name : out->name, otherwise, CONFIG_SOURCE_DEFAULT);
    out->source = view_source(out);
    if (out->value == NULL)
        out->value = otherwise;
    return ERR_OK;
}

int config_listener_names(const struct config *c, struct arena *arena, const char ***out)
{
    int room = 0, count = 0;
    for (int layer = 0; layer < LAYER_COUNT; layer++)
        room += c->layers[layer].count;
    const char **names = arena_new_array(arena, (size_t)room, const char *);
    if (names == NULL)
        return ERR_NOMEM;
    for (int layer = 0; layer < LAYER_COUNT; layer++)
        for (int i = 0; i < c->layers[layer].count; i++) {
            const char *name = c->layers[layer].items[i].key;
            const struct config_key *key = config_key_find(CONFIG_BROKER, str_from(name));
            bool listed = key == NULL || !is_prefixed(name, key);
            for (int j = 0; j < layer; j++)
                listed = listed || properties_get(&c->layers[j], name) != NULL;
            if (!listed)
                names[count++] = name;
        }
    *out = names;
    return count;
}

const struct properties *config_static_values(const struct config *c)
{
    return &c->layers[LAYER_STATIC];
}
