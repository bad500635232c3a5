// SPDX-License-Identifier: Apache-2.0
//
// Values against the table. The words are Kafka's, since clients and their users know them.
#include "config/keys.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "config/table.h"

enum { QUOTED_MAX = 200 }; // of a value in a message

bool config_list_next(struct str *rest, struct str *item)
{
    if (rest->data == NULL)
        return false;
    *item = str_trim(str_cut(rest, ','));
    return true;
}

// Starts a walk; a value of nothing but blanks is an empty list.
static struct str list_start(struct str value)
{
    value = str_trim(value);
    return value.size > 0 ? value : (struct str){0};
}

static int refuse(const struct config_key *key, struct str value, struct diag *diag,
                  const char *rule)
{
    if (config_key_is_sensitive(key))
        value = str_from("[hidden]");
    bool cut = value.size > QUOTED_MAX;
    if (cut)
        value.size = QUOTED_MAX;
    return diag_set(diag, ERR_INVALID, "Invalid value %.*s%s for configuration %s: %s",
                    STR_ARG(value), cut ? "..." : "", config_key_name(key), rule);
}

static int refuse_range(const struct config_key *key, struct str value, double number,
                        struct diag *diag)
{
    char rule[96];
    if (key->check == CHECK_RANGE_OR_MINUS_ONE)
        snprintf(rule, sizeof rule, "Value must be between %.15g and %.15g or equal to -1",
                 key->low, key->high);
    else if (number < key->low)
        snprintf(rule, sizeof rule, "Value must be at least %.15g", key->low);
    else
        snprintf(rule, sizeof rule, "Value must be no more than %.15g", key->high);
    return refuse(key, value, diag, rule);
}

static int check_number(const struct config_key *key, struct str value, double number,
                        struct diag *diag)
{
    if (key->check == CHECK_RANGE_OR_MINUS_ONE && number == -1)
        return ERR_OK;
    if (key->check != CHECK_NONE && (number < key->low || number > key->high))
        return refuse_range(key, value, number, diag);
    return ERR_OK;
}

// The words between the brackets of `valid`, separated by ", ".
static struct str set_words(const struct config_key *key)
{
    struct str words = str_from(config_key_valid(key));
    str_cut(&words, '[');
    return str_cut(&words, ']');
}

static int check_in_set(const struct config_key *key, struct str word, struct diag *diag)
{
    bool nocase = key->check == CHECK_SET_NOCASE;
    struct str words = set_words(key);
    struct str rest = words;
    struct str known;
    while (config_list_next(&rest, &known))
        if (nocase ? str_equal_nocase(word, known) : str_equal(word, known))
            return ERR_OK;
    char rule[200];
    snprintf(rule, sizeof rule, "String must be one of%s: %.*s",
             nocase ? " (case insensitive)" : "", STR_ARG(words));
    return refuse(key, word, diag, rule);
}

static int check_text(const struct config_key *key, struct str text, struct diag *diag)
{
    if (key->check == CHECK_SET || key->check == CHECK_SET_NOCASE)
        return check_in_set(key, text, diag);
    if (key->check == CHECK_NONEMPTY && text.size == 0)
        return refuse(key, text, diag, "String must be non-empty");
    return ERR_OK;
}

static bool is_replica(struct str pair)
{
    int32_t partition, broker;
    struct str head = str_cut(&pair, ':');
    return str_parse_i32(head, &partition) && partition >= 0 && pair.data != NULL &&
           str_parse_i32(pair, &broker) && broker >= 0;
}

// Kafka prints this value as a list of its own.
static int refuse_replicas(const struct config_key *key, struct str value, struct diag *diag)
{
    const char *name = config_key_name(key);
    struct buf list;
    if (value.size > QUOTED_MAX)
        value.size = QUOTED_MAX;
    struct str rest = list_start(value), item;
    buf_init(&list, 4 * QUOTED_MAX);
    while (config_list_next(&rest, &item))
        buf_printf(&list, "%s%.*s", list.size > 0 ? ", " : "", STR_ARG(item));
    int err = diag_set(diag, ERR_INVALID,
                       "Invalid value [%s] for configuration %s: %s must be the literal '*' or a list "
                       "of replicas in the following format: "
                       "[partitionId]:[brokerId],[partitionId]:[brokerId],...",
                       buf_text(&list), name, name);
    buf_release(&list);
    return err;
}

static int check_list(const struct config_key *key, struct str value, struct diag *diag)
{
    if (key->check == CHECK_REPLICAS && str_is(value, "*"))
        return ERR_OK;
    struct str rest = list_start(value);
    struct str item;
    while (config_list_next(&rest, &item)) {
        if (key->check == CHECK_REPLICAS && !is_replica(item))
            return refuse_replicas(key, value, diag);
        if (key->check != CHECK_NONE && item.size == 0)
            return diag_set(diag, ERR_INVALID, "Configuration '%s' values must not be empty.",
                            config_key_name(key));
        if ((key->check == CHECK_SET || key->check == CHECK_SET_NOCASE) &&
            check_in_set(key, item, diag) != ERR_OK)
            return ERR_INVALID;
    }
    return ERR_OK;
}

static bool parse_whole(const struct config_key *key, struct str value, int64_t *out)
{
    int64_t number;
    if (!str_parse_i64(value, &number))
        return false;
    if (key->type == CONFIG_TYPE_INT && (number < INT32_MIN || number > INT32_MAX))
        return false;
    if (key->type == CONFIG_TYPE_SHORT && (number < INT16_MIN || number > INT16_MAX))
        return false;
    *out = number;
    return true;
}

static int check_whole(const struct config_key *key, struct str value, struct diag *diag)
{
    int64_t number;
    if (parse_whole(key, value, &number))
        return check_number(key, value, (double)number, diag);
    switch (config_key_type(key)) {
    case CONFIG_TYPE_LONG: return refuse(key, value, diag, "Not a number of type LONG");
    case CONFIG_TYPE_SHORT: return refuse(key, value, diag, "Not a number of type SHORT");
    default: return refuse(key, value, diag, "Not a number of type INT");
    }
}

static int check_fraction(const struct config_key *key, struct str value, struct diag *diag)
{
    double number;
    if (!str_parse_double(value, &number))
        return refuse(key, value, diag, "Not a number of type DOUBLE");
    return check_number(key, value, number, diag);
}

static int check_by_table(const struct config_key *key, struct str value, struct diag *diag)
{
    switch (config_key_type(key)) {
    case CONFIG_TYPE_BOOLEAN:
        if (str_equal_nocase(value, str_from("true")) || str_equal_nocase(value, str_from("false")))
            return ERR_OK;
        return refuse(key, value, diag, "Expected value to be either true or false");
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_SHORT:
    case CONFIG_TYPE_LONG: return check_whole(key, value, diag);
    case CONFIG_TYPE_DOUBLE: return check_fraction(key, value, diag);
    case CONFIG_TYPE_LIST: return check_list(key, value, diag);
    case CONFIG_TYPE_STRING:
    case CONFIG_TYPE_CLASS:
    case CONFIG_TYPE_PASSWORD: return check_text(key, value, diag);
    }
    return ERR_OK;
}

// What Kafka takes for a host: letters, digits and "-_.:%".
static bool is_host(struct str host)
{
    for (size_t i = 0; i < host.size; i++) {
        char c = host.data[i];
        bool alphanumeric = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                            (c >= 'A' && c <= 'Z');
        if (!alphanumeric && (c == '\0' || strchr("-_.:%", c) == NULL))
            return false;
    }
    return host.size > 0;
}

// ADDRESS:COUNT,...; the address may be an IPv6 one.
static int check_ip_limits(const struct config_key *key, struct str value, struct diag *diag)
{
    struct str rest = list_start(value), item;
    while (config_list_next(&rest, &item)) {
        const char *colon = item.size > 0 ? memrchr(item.data, ':', item.size) : NULL;
        size_t host_size = colon != NULL ? (size_t)(colon - item.data) : 0;
        int32_t count;
        if (colon == NULL ||
            !str_parse_i32(str_trim(str_of(colon + 1, item.size - host_size - 1)), &count))
            return diag_set(diag, ERR_INVALID,
                            "Error parsing configuration property '%s': '%.*s' is not HOST:COUNT",
                            config_key_name(key), (int)(item.size < QUOTED_MAX ? item.size : QUOTED_MAX),
                            item.data);
        struct str host = str_trim(str_of(item.data, host_size));
        if (!is_host(host))
            return diag_set(diag, ERR_INVALID, "%s contains invalid addresses : %.*s",
                            config_key_name(key), (int)(host.size < QUOTED_MAX ? host.size : QUOTED_MAX),
                            host.data);
    }
    return ERR_OK;
}

int config_validate(const struct config_key *key, struct str value, struct diag *diag)
{
    value = str_trim(value);
    int err = check_by_table(key, value, diag);
    if (err == ERR_OK && str_is(str_from(config_key_name(key)), "max.connections.per.ip.overrides"))
        err = check_ip_limits(key, value, diag);
    return err;
}

static void format_list(struct str value, struct buf *out)
{
    struct str rest = list_start(value);
    struct str item;
    for (bool first = true; config_list_next(&rest, &item); first = false) {
        if (!first)
            buf_append_u8(out, ',');
        buf_append_str(out, item);
    }
}

void config_format(const struct config_key *key, struct str value, struct buf *out)
{
    int64_t number;
    value = str_trim(value);
    switch (config_key_type(key)) {
    case CONFIG_TYPE_BOOLEAN:
        buf_append_text(out, str_equal_nocase(value, str_from("true")) ? "true" : "false");
        return;
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_SHORT:
    case CONFIG_TYPE_LONG:
        if (parse_whole(key, value, &number))
            buf_printf(out, "%lld", (long long)number);
        return;
    case CONFIG_TYPE_LIST: format_list(value, out); return;
    default: buf_append_str(out, value); return;
    }
}
