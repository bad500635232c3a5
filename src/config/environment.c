// SPDX-License-Identifier: Apache-2.0
#include "config/environment.h"

static const char prefix[] = "KAFKA_";
static const char other_prefix[] = "KAFKA_CFG_";

// What Kafka's scripts and its image read themselves. (The image passes KAFKA_HEAP_OPTS on as a key,
// by mistake; nothing reads it there.)
static bool is_for_scripts(struct str name)
{
    static const char names[][32] = {
        "KAFKA_VERSION", "KAFKA_HEAP_OPT", "KAFKA_HEAP_OPTS", "KAFKA_OPTS", "KAFKA_DEBUG",
        "KAFKA_HOME", "KAFKA_JMX_OPTS", "KAFKA_JMX_PORT", "KAFKA_JMX_HOSTNAME",
        "KAFKA_JVM_PERFORMANCE_OPTS", "KAFKA_GC_LOG_OPTS", "KAFKA_LOG4J_OPTS",
        "KAFKA_LOG4J_CMD_OPTS", "KAFKA_LOG4J_LOGGERS", "KAFKA_LOG4J_ROOT_LOGLEVEL",
        "KAFKA_TOOLS_LOG4J_LOGLEVEL",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_is(name, names[i]))
            return true;
    return false;
}

// KAFKA_SERVICE_HOST, KAFKA_SERVICE_PORT[_NAME], KAFKA_PORT, KAFKA_PORT_9092_TCP[_ADDR...], and the
// same with more of the service's name after KAFKA. No key ends like that.
static bool is_service_link(struct str name)
{
    static const char marks[][16] = {"_SERVICE_HOST", "_SERVICE_PORT", "_TCP", "_UDP"};
    char text[128];
    if (!str_copy_to(name, text, sizeof text))
        return false;
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (strstr(text, marks[i]) != NULL)
            return true;
    return str_ends_with(name, "_PORT");
}

static void append_key(struct str name, struct buf *out)
{
    for (size_t i = 0; i < name.size;) {
        size_t run = 0;
        while (i + run < name.size && name.data[i + run] == '_' && run < 3)
            run++;
        char c = name.data[i];
        bool upper = c >= 'A' && c <= 'Z';
        buf_append_u8(out, (uint8_t)(run == 0 ? (upper ? c - 'A' + 'a' : c) : ".._-"[run]));
        i += run > 0 ? run : 1;
    }
}

bool config_environment_key(struct str name, struct buf *out)
{
    if (!str_starts_with(name, prefix) || is_for_scripts(name) || is_service_link(name))
        return false;
    size_t skip = str_starts_with(name, other_prefix) ? sizeof other_prefix - 1 : sizeof prefix - 1;
    if (name.size == skip)
        return false;
    append_key(str_of(name.data + skip, name.size - skip), out);
    return true;
}

// How a key is written in the environment.
static void append_variable(const char *key, struct buf *out)
{
    buf_append_text(out, prefix);
    for (; *key != '\0'; key++) {
        if (*key == '.' || *key == '_' || *key == '-')
            buf_append_text(out, *key == '.' ? "_" : *key == '_' ? "__" : "___");
        else
            buf_append_u8(out, (uint8_t)(*key >= 'a' && *key <= 'z' ? *key - 'a' + 'A' : *key));
    }
}

static void warn_unknown(struct str name, struct str key, struct trace *trace)
{
    const char *removed = config_key_removed_in(key);
    const char *nearest = removed == NULL ? config_key_nearest(CONFIG_BROKER, key) : NULL;
    struct buf variable;
    buf_init(&variable, PROPERTIES_TEXT_MAX);
    if (removed != NULL) {
        trace_warn(trace, "config", "%.*s has no effect: Apache Kafka %s removed %.*s",
                   STR_ARG(name), removed, STR_ARG(key));
    } else if (nearest != NULL) {
        append_variable(nearest, &variable);
        trace_warn(trace, "config", "%.*s is not a known key; did you mean %s?", STR_ARG(name),
                   buf_text(&variable));
    } else {
        trace_warn(trace, "config", "%.*s is not a known key", STR_ARG(name));
    }
    buf_release(&variable);
}

void config_load_environment(struct config *c, char *const *variables, struct trace *trace)
{
    struct buf key;
    buf_init(&key, PROPERTIES_TEXT_MAX);
    for (; *variables != NULL; variables++) {
        struct str value = str_from(*variables);
        struct str name = str_cut(&value, '=');
        buf_clear(&key);
        if (value.data == NULL || !config_environment_key(name, &key))
            continue;
        if (config_key_find(CONFIG_BROKER, buf_str(&key)) == NULL)
            warn_unknown(name, buf_str(&key), trace);
        else
            config_set_static(c, buf_text(&key), value);
    }
    buf_release(&key);
}

const char *config_environment_cluster_id(char *const *variables)
{
    static const char name[] = "CLUSTER_ID=";
    for (; *variables != NULL; variables++)
        if (str_starts_with(str_from(*variables), name))
            return (*variables)[sizeof name - 1] != '\0' ? *variables + sizeof name - 1 : NULL;
    return NULL;
}
