// SPDX-License-Identifier: Apache-2.0
#include "config/listeners.h"

#include <stdio.h>

#include "base/err.h"
#include "config/config.h"

static const char protocol_names[][16] = {"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"};

const char *security_protocol_name(enum security_protocol p)
{
    return protocol_names[p];
}

static bool protocol_parse(struct str name, enum security_protocol *out)
{
    for (int i = 0; i < (int)(sizeof protocol_names / sizeof *protocol_names); i++)
        if (str_equal_nocase(name, str_from(protocol_names[i]))) {
            *out = (enum security_protocol)i;
            return true;
        }
    return false;
}

const struct listener *listeners_find(const struct listeners *l, struct str name)
{
    for (int i = 0; i < l->count; i++)
        if (str_equal_nocase(name, str_from(l->items[i].name)))
            return &l->items[i];
    return NULL;
}

// The protocol that the map gives a listener of this name.
static int map_find(struct str map, struct str name, enum security_protocol *out, struct diag *diag)
{
    struct str entry;
    while (config_list_next(&map, &entry)) {
        struct str protocol = entry;
        struct str key = str_trim(str_cut(&protocol, ':'));
        if (!str_equal_nocase(key, name))
            continue;
        if (!protocol_parse(str_trim(protocol), out))
            return diag_set(diag, ERR_INVALID,
                            "Invalid value %.*s for configuration listener.security.protocol.map: "
                            "expected NAME:PROTOCOL, one of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL",
                            STR_ARG(entry));
        return ERR_OK;
    }
    return diag_set(diag, ERR_INVALID,
                    "No security protocol defined for listener %.*s: add it to "
                    "listener.security.protocol.map", STR_ARG(name));
}

static bool host_is_valid(struct str host)
{
    for (size_t i = 0; i < host.size; i++) {
        char c = host.data[i];
        bool alphanumeric = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                            (c >= 'A' && c <= 'Z');
        if (!alphanumeric && (c == '\0' || strchr("-_.:%", c) == NULL))
            return false;
    }
    return host.size <= LISTENER_HOST_MAX;
}

// Splits "host:port" at the last colon; an IPv6 address stands in brackets.
static bool address_parse(struct str address, char host[LISTENER_HOST_MAX + 1], int32_t *port)
{
    if (address.size == 0)
        return false;
    const char *colon = memrchr(address.data, ':', address.size);
    if (colon == NULL)
        return false;
    struct str name = str_of(address.data, (size_t)(colon - address.data));
    struct str number = str_of(colon + 1, address.size - name.size - 1);
    bool bracketed = name.size >= 2 && name.data[0] == '[' && name.data[name.size - 1] == ']';
    if (bracketed)
        name = str_of(name.data + 1, name.size - 2);
    else if (memchr(name.data, ':', name.size) != NULL)
        return false; // nobody could tell where the port begins
    int32_t value;
    if (!host_is_valid(name) || !str_parse_i32(number, &value) || value < 0 || value > 65535)
        return false;
    *port = value;
    return str_copy_to(name, host, LISTENER_HOST_MAX + 1);
}

static bool name_copy(struct str name, char out[LISTENER_NAME_MAX + 1])
{
    if (name.size == 0 || !str_copy_to(name, out, LISTENER_NAME_MAX + 1))
        return false;
    for (char *c = out; *c != '\0'; c++)
        if (*c >= 'a' && *c <= 'z')
            *c = (char)(*c - 'a' + 'A');
    return true;
}

static int listener_parse(struct listener *out, const char *key, struct str text,
                          struct str protocol_map, struct diag *diag)
{
    struct listener l = {0};
    struct str address = text;
    struct str name = str_cut(&address, ':');
    if (!str_starts_with(address, "//") || !name_copy(name, l.name) ||
        !address_parse(str_of(address.data + 2, address.size - 2), l.host, &l.port))
        return diag_set(diag, ERR_INVALID,
                        "Invalid value %.*s for configuration %s: expected NAME://host:port with a "
                        "port of 0 to 65535, an IPv6 address in brackets", STR_ARG(text), key);
    int err = map_find(protocol_map, str_from(l.name), &l.protocol, diag);
    if (err == ERR_OK)
        *out = l;
    return err;
}

int listeners_parse(struct listeners *out, const char *key, struct str value,
                    struct str protocol_map, struct diag *diag)
{
    out->count = 0;
    struct str rest = str_trim(value);
    struct str item;
    if (rest.size == 0)
        return ERR_OK;
    while (config_list_next(&rest, &item)) {
        struct listener l;
        int err = listener_parse(&l, key, item, protocol_map, diag);
        if (err != ERR_OK)
            return err;
        if (out->count == LISTENERS_MAX)
            return diag_set(diag, ERR_INVALID, "%s has more than %d listeners", key, LISTENERS_MAX);
        if (listeners_find(out, str_from(l.name)) != NULL)
            return diag_set(diag, ERR_INVALID,
                            "Each listener must have a different name, but %s is twice in %s=%.*s",
                            l.name, key, STR_ARG(value));
        out->items[out->count++] = l;
    }
    return ERR_OK;
}

// Two listeners may share a port when one is an IPv4 address and the other an IPv6 address.
static bool may_share_port(const struct listener *a, const struct listener *b)
{
    bool a_is_ipv6 = strchr(a->host, ':') != NULL;
    bool b_is_ipv6 = strchr(b->host, ':') != NULL;
    return a_is_ipv6 != b_is_ipv6 && a->host[0] != '\0' && b->host[0] != '\0';
}

static int check_ports(const struct listeners *l, struct diag *diag)
{
    for (int i = 0; i < l->count; i++)
        for (int j = i + 1; j < l->count; j++)
            if (l->items[i].port != 0 && l->items[i].port == l->items[j].port &&
                !may_share_port(&l->items[i], &l->items[j]))
                return diag_set(diag, ERR_INVALID,
                                "Each listener must have a different port, but %s and %s in "
                                "listeners both have %d", l->items[i].name, l->items[j].name,
                                l->items[i].port);
    return ERR_OK;
}

// Nothing may listen in a way that looks protected and is not, or be open by accident.
static int check_protocols(const struct listeners *l, struct diag *diag)
{
    for (int i = 0; i < l->count; i++) {
        const struct listener *item = &l->items[i];
        if (item->protocol != SECURITY_PLAINTEXT)
            return diag_set(diag, ERR_INVALID,
                            "listener %s asks for %s: %s not there yet, so the start is refused "
                            "rather than open", item->name, security_protocol_name(item->protocol),
                            item->protocol == SECURITY_SSL ? "TLS is" : "authentication is");
    }
    return ERR_OK;
}

static int read_node_id(struct node_config *n, const struct config *c, struct diag *diag)
{
    bool has_node = config_text(c, "node.id") != NULL;
    int32_t broker_id = config_i32(c, "broker.id");
    int32_t node_id = has_node ? config_i32(c, "node.id") : broker_id;
    if (has_node && broker_id >= 0 && broker_id != node_id)
        return diag_set(diag, ERR_INVALID, "node.id (%d) and broker.id (%d) must be the same",
                        node_id, broker_id);
    n->node_id = node_id >= 0 ? node_id : 1;
    return ERR_OK;
}

static void read_roles(struct node_config *n, const struct config *c)
{
    struct str roles = config_list(c, "process.roles");
    struct str role;
    n->is_broker = n->is_controller = roles.data == NULL;
    while (config_list_next(&roles, &role)) {
        n->is_broker = n->is_broker || str_is(role, "broker");
        n->is_controller = n->is_controller || str_is(role, "controller");
    }
}

static int voter_parse(struct voter *out, struct str text, struct diag *diag)
{
    struct str address = text;
    struct str id = str_cut(&address, '@');
    if (!str_parse_i32(id, &out->node_id) || out->node_id < 0 ||
        !address_parse(address, out->host, &out->port))
        return diag_set(diag, ERR_INVALID,
                        "Invalid value %.*s for configuration controller.quorum.voters: expected "
                        "id@host:port", STR_ARG(text));
    return ERR_OK;
}

static int read_voters(struct node_config *n, const struct config *c, struct diag *diag)
{
    struct str rest = config_list(c, "controller.quorum.voters");
    struct str item;
    bool here = rest.data == NULL;
    while (config_list_next(&rest, &item)) {
        if (n->voter_count == VOTERS_MAX)
            return diag_set(diag, ERR_INVALID, "controller.quorum.voters has more than %d members",
                            VOTERS_MAX);
        int err = voter_parse(&n->voters[n->voter_count], item, diag);
        if (err != ERR_OK)
            return err;
        here = here || n->voters[n->voter_count].node_id == n->node_id;
        n->voter_count++;
    }
    if (n->is_controller && !here)
        return diag_set(diag, ERR_INVALID,
                        "process.roles says controller, so node.id %d must be one of "
                        "controller.quorum.voters=%s", n->node_id,
                        config_text(c, "controller.quorum.voters"));
    return ERR_OK;
}

// The map, and for controllers' listeners that it does not name PLAINTEXT, unless somebody set it.
static void build_protocol_map(const struct config *c, struct buf *map)
{
    buf_append_text(map, config_text(c, "listener.security.protocol.map"));
    if (config_is_set(c, "listener.security.protocol.map"))
        return;
    struct str names = config_list(c, "controller.listener.names");
    struct str name;
    enum security_protocol known;
    while (config_list_next(&names, &name))
        if (map_find(buf_str(map), name, &known, NULL) != ERR_OK)
            buf_printf(map, ",%.*s:PLAINTEXT", STR_ARG(name));
}

static int mark_controllers(struct node_config *n, const struct config *c, struct diag *diag)
{
    struct str names = config_list(c, "controller.listener.names");
    bool wanted = names.data != NULL;
    int found = 0;
    struct str name;
    while (config_list_next(&names, &name))
        for (int i = 0; i < n->listeners.count; i++)
            if (str_equal_nocase(name, str_from(n->listeners.items[i].name))) {
                n->listeners.items[i].controller = true;
                found++;
            }
    if (wanted && n->is_controller && found == 0)
        return diag_set(diag, ERR_INVALID,
                        "controller.listener.names=%s names no listener of listeners=%s",
                        config_text(c, "controller.listener.names"), config_text(c, "listeners"));
    if (!n->is_controller && found > 0)
        return diag_set(diag, ERR_INVALID,
                        "controller.listener.names=%s must not be in listeners of a node that is "
                        "no controller", config_text(c, "controller.listener.names"));
    if (n->is_broker && found == n->listeners.count)
        return diag_set(diag, ERR_INVALID,
                        "listeners=%s has no listener for clients", config_text(c, "listeners"));
    return ERR_OK;
}

static int check_advertised(const struct node_config *n, struct diag *diag)
{
    for (int i = 0; i < n->advertised.count; i++) {
        const struct listener *a = &n->advertised.items[i];
        const struct listener *l = listeners_find(&n->listeners, str_from(a->name));
        if (l == NULL)
            return diag_set(diag, ERR_INVALID,
                            "advertised.listeners has %s, which is not in listeners", a->name);
        if (strcmp(a->host, "0.0.0.0") == 0 || strcmp(a->host, "::") == 0)
            return diag_set(diag, ERR_INVALID,
                            "advertised.listeners cannot use the address %s: clients need one they "
                            "can reach", a->host);
        if (a->port == 0 && l->port != 0)
            return diag_set(diag, ERR_INVALID, "advertised.listeners needs a port for %s", a->name);
    }
    return ERR_OK;
}

// Index of the listener that other brokers use, by name or by protocol, or the only one there is.
static int find_inter_broker(struct node_config *n, const struct config *c, struct diag *diag)
{
    const char *name = config_text(c, "inter.broker.listener.name");
    const char *protocol = config_text(c, "security.inter.broker.protocol");
    if (name != NULL && config_is_set(c, "security.inter.broker.protocol"))
        return diag_set(diag, ERR_INVALID,
                        "Only one of inter.broker.listener.name and security.inter.broker.protocol "
                        "should be set.");
    int candidates = 0;
    for (int i = 0; i < n->listeners.count; i++) {
        const struct listener *l = &n->listeners.items[i];
        if (l->controller)
            continue;
        if (str_equal_nocase(str_from(l->name), str_from(name != NULL ? name : protocol))) {
            n->inter_broker = i;
            return ERR_OK;
        }
        n->inter_broker = i;
        candidates++;
    }
    if (name != NULL || candidates != 1)
        return diag_set(diag, ERR_INVALID,
                        "inter.broker.listener.name must name one of listeners=%s that is not a "
                        "controller's; it is %s", config_text(c, "listeners"),
                        name != NULL ? name : "not set");
    return ERR_OK;
}

static int read_listeners(struct node_config *n, const struct config *c, struct diag *diag)
{
    struct buf map;
    buf_init(&map, PROPERTIES_TEXT_MAX);
    build_protocol_map(c, &map);
    int err = listeners_parse(&n->listeners, "listeners", config_list(c, "listeners"),
                              buf_str(&map), diag);
    if (err == ERR_OK)
        err = listeners_parse(&n->advertised, "advertised.listeners",
                              config_list(c, "advertised.listeners"), buf_str(&map), diag);
    buf_release(&map);
    if (err == ERR_OK && n->listeners.count == 0)
        err = diag_set(diag, ERR_INVALID, "listeners is empty; NAME://host:port is needed");
    return err;
}

static int check_supported(const struct node_config *n, struct diag *diag)
{
    if (!n->is_broker || !n->is_controller)
        return diag_set(diag, ERR_UNSUPPORTED,
                        "process.roles must be broker,controller: a node with one role needs a "
                        "cluster of several nodes, which is not there yet");
    if (n->voter_count > 1)
        return diag_set(diag, ERR_UNSUPPORTED,
                        "controller.quorum.voters has %d members: clusters of several nodes are "
                        "not there yet", n->voter_count);
    return ERR_OK;
}

int node_config_resolve(struct node_config *out, const struct config *c, struct diag *diag)
{
    struct node_config n = {.inter_broker = -1};
    int err = read_node_id(&n, c, diag);
    if (err != ERR_OK)
        return err;
    read_roles(&n, c);
    if ((err = read_voters(&n, c, diag)) != ERR_OK ||
        (err = read_listeners(&n, c, diag)) != ERR_OK ||
        (err = check_ports(&n.listeners, diag)) != ERR_OK ||
        (err = check_protocols(&n.listeners, diag)) != ERR_OK ||
        (err = mark_controllers(&n, c, diag)) != ERR_OK ||
        (err = check_advertised(&n, diag)) != ERR_OK ||
        (err = n.is_broker ? find_inter_broker(&n, c, diag) : ERR_OK) != ERR_OK ||
        (err = check_supported(&n, diag)) != ERR_OK)
        return err;
    *out = n;
    return ERR_OK;
}
