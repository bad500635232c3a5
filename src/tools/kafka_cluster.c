// SPDX-License-Identifier: Apache-2.0
//
// kafka-cluster and kafka-broker-api-versions: Kafka's ClusterTool and BrokerApiVersionsCommand. What
// they print is FROZEN.
#include <stdio.h>
#include <string.h>

#include "tools/commands.h"
#include "tools/kafka.h"
#include "wire/api/api_versions.h"
#include "wire/api/describe_cluster.h"
#include "wire/api/unregister_broker.h"
#include "wire/apis.h"
#include "wire/errors.h"

enum { ENDPOINT_BROKERS = 1, ENDPOINT_CONTROLLERS = 2 };

// --- API versions ---

static const struct api_versions_response_api_version *
find_version(const struct api_versions_response *r, int16_t key)
{
    for (int i = 0; i < r->api_keys.count; i++)
        if (r->api_keys.items[i].api_key == key)
            return &r->api_keys.items[i];
    return NULL;
}

static void print_range(struct buf *out, int16_t min, int16_t max)
{
    if (min == max)
        buf_printf(out, "%d", min);
    else
        buf_printf(out, "%d to %d", min, max);
}

static void print_usable(struct buf *out, const struct api *api,
                         const struct api_versions_response_api_version *theirs)
{
    int16_t usable = theirs->max_version < api->version_max ? theirs->max_version : api->version_max;
    if (theirs->min_version > api->version_max)
        buf_append_text(out, " [unusable: node too new]");
    else if (theirs->max_version < api->version_min)
        buf_append_text(out, " [unusable: node too old]");
    else
        buf_printf(out, " [usable: %d]", usable);
}

static void print_api(struct buf *out, int16_t key, const struct api *api,
                      const struct api_versions_response_api_version *theirs)
{
    if (api == NULL)
        buf_printf(out, "\tUNKNOWN(%d): ", key);
    else
        buf_printf(out, "\t%s(%d): ", api->name, key);
    if (theirs == NULL) {
        buf_append_text(out, "UNSUPPORTED");
        return;
    }
    print_range(out, theirs->min_version, theirs->max_version);
    if (api != NULL)
        print_usable(out, api, theirs);
}

// All APIs that either side knows, by key.
static void print_apis(struct buf *out, const struct api_versions_response *r)
{
    bool first = true;
    int16_t key_max = API_KEY_MAX;
    for (int i = 0; i < r->api_keys.count; i++)
        if (r->api_keys.items[i].api_key > key_max && !api_is_own(r->api_keys.items[i].api_key))
            key_max = r->api_keys.items[i].api_key;
    for (int32_t key = 0; key <= key_max; key++) {
        const struct api *api = api_find(key);
        const struct api_versions_response_api_version *theirs = find_version(r, (int16_t)key);
        bool expected = api != NULL && (api->listeners & API_ON_BROKER) != 0 &&
                        api->version_min <= api->version_max;
        if (theirs == NULL && !expected)
            continue;
        if (!first)
            buf_append_text(out, ",\n");
        first = false;
        print_api(out, (int16_t)key, api, theirs);
    }
    buf_append_u8(out, '\n');
}

static int print_node_versions(struct tool *t,
                               const struct describe_cluster_response_describe_cluster_broker *node)
{
    struct api_versions_request body;
    api_versions_request_init(&body);
    body.client_software_name = str_from("chitin");
    body.client_software_version = str_from(CHITIN_VERSION);
    struct client_answer answer = {0};
    struct buf *out = &t->out.buf;
    int err = driver_call_versions(t->driver, API_API_VERSIONS, 0, 4, node->broker_id, &body, &answer);
    buf_printf(out, "%.*s:%d (id: %d rack: %.*s isFenced: %s) -> ", STR_ARG(node->host), node->port,
               node->broker_id, node->rack.data != NULL ? (int)node->rack.size : 4,
               node->rack.data != NULL ? node->rack.data : "null", node->is_fenced ? "true" : "false");
    if (err < 0) {
        buf_printf(out, "ERROR: %s\n", client_trouble(driver_client(t->driver)));
        return EXIT_OK;
    }
    buf_append_text(out, "(\n");
    print_apis(out, answer.response);
    buf_append_text(out, ")\n");
    client_answer_release(&answer);
    return EXIT_OK;
}

// --- The cluster ---

static int ask_cluster(struct tool *t, int8_t endpoints, bool fenced, struct client_answer *answer)
{
    struct describe_cluster_request body;
    describe_cluster_request_init(&body);
    body.endpoint_type = endpoints;
    body.include_fenced_brokers = fenced;
    int16_t version_min = fenced ? 2 : endpoints != ENDPOINT_BROKERS ? 1 : 0;
    int err = driver_call_versions(t->driver, API_DESCRIBE_CLUSTER, version_min, 2, CLIENT_NODE_ANY,
                                   &body, answer);
    if (err < 0)
        return tool_fail_call(t, err);
    const struct describe_cluster_response *r = answer->response;
    if (r->error_code == 0)
        return EXIT_OK;
    return tool_fail_code(t, "cluster", r->error_code, r->error_message);
}

// Calls by node id need the topology.
static int print_versions(struct tool *t)
{
    struct client_answer answer = {0};
    int err = driver_wait_topology(t->driver);
    int status = err < 0 ? tool_fail_call(t, err) : ask_cluster(t, ENDPOINT_BROKERS, false, &answer);
    if (status == EXIT_OK) {
        const struct describe_cluster_response *r = answer.response;
        for (int i = 0; i < r->brokers.count && status == EXIT_OK; i++)
            status = print_node_versions(t, &r->brokers.items[i]);
    }
    client_answer_release(&answer);
    return status;
}

static int print_cluster_id(struct tool *t)
{
    struct client_answer answer = {0};
    int status = ask_cluster(t, ENDPOINT_BROKERS, false, &answer);
    if (status == EXIT_OK) {
        const struct describe_cluster_response *r = answer.response;
        buf_printf(&t->out.buf, "Cluster ID: %.*s\n", STR_ARG(r->cluster_id));
    }
    client_answer_release(&answer);
    return status;
}

static int print_endpoints(struct tool *t, bool controllers, bool fenced)
{
    struct client_answer answer = {0};
    int status =
        ask_cluster(t, controllers ? ENDPOINT_CONTROLLERS : ENDPOINT_BROKERS, fenced, &answer);
    if (status != EXIT_OK)
        return status;
    const struct describe_cluster_response *r = answer.response;
    struct buf *out = &t->out.buf;
    int host_width = 4, rack_width = 4;
    for (int i = 0; i < r->brokers.count; i++) {
        int host = (int)r->brokers.items[i].host.size, rack = (int)r->brokers.items[i].rack.size;
        host_width = host > host_width ? host : host_width;
        rack_width = rack > rack_width ? rack : rack_width;
    }
    if (controllers)
        buf_printf(out, "%-10s %-*s %-10s %-*s %-15s\n", "ID", host_width, "HOST", "PORT", rack_width,
                   "RACK", "ENDPOINT_TYPE");
    else
        buf_printf(out, "%-10s %-*s %-10s %-*s %-10s %-15s\n", "ID", host_width, "HOST", "PORT",
                   rack_width, "RACK", "STATE", "ENDPOINT_TYPE");
    for (int i = 0; i < r->brokers.count; i++) {
        const struct describe_cluster_response_describe_cluster_broker *b = &r->brokers.items[i];
        struct str rack = b->rack.data != NULL ? b->rack : str_from("null");
        buf_printf(out, "%-10d %-*.*s %-10d %-*.*s ", b->broker_id, host_width, STR_ARG(b->host),
                   b->port, rack_width, STR_ARG(rack));
        if (!controllers)
            buf_printf(out, "%-10s ", b->is_fenced ? "fenced" : "unfenced");
        buf_printf(out, "%-15s\n", controllers ? "controller" : "broker");
    }
    client_answer_release(&answer);
    return EXIT_OK;
}

static int unregister(struct tool *t, int32_t id)
{
    struct unregister_broker_request body;
    unregister_broker_request_init(&body);
    body.broker_id = id;
    struct client_answer answer = {0};
    int err = driver_call(t->driver, API_UNREGISTER_BROKER, CLIENT_NODE_ANY, &body, &answer);
    if (err < 0)
        return tool_fail_call(t, err);
    const struct unregister_broker_response *r = answer.response;
    int status = EXIT_OK;
    if (r->error_code != 0)
        status = tool_fail_code(t, "unregister", r->error_code, r->error_message);
    else
        buf_printf(&t->out.buf, "Broker %d is no longer registered.\n", id);
    client_answer_release(&answer);
    return status;
}

// --- kafka-cluster ---

enum { BOOTSTRAP, CONTROLLER, COMMAND_CONFIG, CONFIG, ID, INCLUDE_FENCED };

static const struct flag_def cluster_flags[] = {
    [BOOTSTRAP] = {.names = "-b, --bootstrap-server", .argument = "HOST:PORT[,...]",
                   .kind = FLAG_TEXT,
                   .help = "The brokers to connect to. [default: CHITIN_BOOTSTRAP, else "
                           "127.0.0.1:9092]"},
    [CONTROLLER] = {.names = "-C, --bootstrap-controller", .argument = "HOST:PORT[,...]",
                    .kind = FLAG_TEXT, .help = "The controllers to connect to instead."},
    [COMMAND_CONFIG] = {.names = "-c, --command-config", .argument = "FILE", .kind = FLAG_TEXT,
                        .help = "Properties file of client settings."},
    [CONFIG] = {.names = "--config", .argument = "FILE", .kind = FLAG_TEXT,
                .help = "Old name of --command-config."},
    [ID] = {.names = "-i, --id", .argument = "N", .kind = FLAG_I32, .min = 0, .max = INT32_MAX,
            .help = "The broker to unregister."},
    [INCLUDE_FENCED] = {.names = "--include-fenced-brokers", .kind = FLAG_BOOL,
                        .help = "List fenced brokers too."},
};

static int cluster_run(struct tool *t)
{
    const struct flags *f = &t->flags;
    const char *action = f->args[0];
    bool controllers = flags_given(f, CONTROLLER);
    bool known = strcmp(action, "cluster-id") == 0 || strcmp(action, "list-endpoints") == 0 ||
                 strcmp(action, "api-versions") == 0 || strcmp(action, "unregister") == 0;
    if (!known)
        return tool_usage(t, "\"%s\" is none of cluster-id, list-endpoints, api-versions, unregister",
                          action);
    if (strcmp(action, "unregister") == 0 && !flags_given(f, ID))
        return tool_usage(t, "argument --id/-i is required");
    int status = kafka_connect_flags(t, controllers ? CONTROLLER : BOOTSTRAP,
                                     flags_given(f, CONFIG) ? CONFIG : COMMAND_CONFIG, -1);
    if (status != EXIT_OK)
        return status;
    if (strcmp(action, "cluster-id") == 0)
        return print_cluster_id(t);
    if (strcmp(action, "api-versions") == 0)
        return print_versions(t);
    if (strcmp(action, "unregister") == 0)
        return unregister(t, (int32_t)flags_number(f, ID));
    return print_endpoints(t, controllers, flags_given(f, INCLUDE_FENCED));
}

const struct command alias_cluster = {
    .name = "kafka-cluster",
    .arguments = "cluster-id|list-endpoints|api-versions|unregister",
    .summary = "Print the cluster id, the brokers or their API versions; forget a broker.",
    .text = "Example:\n"
            "  kafka-cluster cluster-id --bootstrap-server localhost:9092",
    COMMAND_FLAGS(cluster_flags),
    .arg_min = 1,
    .arg_max = 1,
    .mode = FLAGS_ABBREVIATED,
    .run = cluster_run,
};

// --- kafka-broker-api-versions ---

enum { VERSIONS_BOOTSTRAP, VERSIONS_COMMAND_CONFIG, VERSIONS_VERSION };

static const struct flag_def versions_flags[] = {
    [VERSIONS_BOOTSTRAP] = KAFKA_BOOTSTRAP,
    [VERSIONS_COMMAND_CONFIG] = KAFKA_COMMAND_CONFIG,
    [VERSIONS_VERSION] = KAFKA_VERSION_FLAG,
};

static int versions_run(struct tool *t)
{
    if (kafka_version(t, VERSIONS_VERSION))
        return EXIT_OK;
    int status = kafka_connect_flags(t, VERSIONS_BOOTSTRAP, VERSIONS_COMMAND_CONFIG, -1);
    return status == EXIT_OK ? print_versions(t) : status;
}

const struct command alias_broker_api_versions = {
    .name = "kafka-broker-api-versions",
    .arguments = "",
    .summary = "Print which versions of which APIs each broker serves.",
    COMMAND_FLAGS(versions_flags),
    .mode = FLAGS_ABBREVIATED,
    .run = versions_run,
};
