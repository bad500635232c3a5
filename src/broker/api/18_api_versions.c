// SPDX-License-Identifier: Apache-2.0
//
// ApiVersions (key 18, versions 0-5; KIP-35, KIP-511, KIP-584). Tells what this listener serves and
// the features of the cluster. Answered before anything else on a connection.
//   v3: client software name and version, features. v4: features whose minimum is 0 are listed too.
//   v5: the client may say which cluster and node it means to talk to (KIP-1242).
#include "broker/api/api.h"
#include "broker/dispatch.h"
#include "broker/node.h"
#include "broker/request.h"
#include "metadata/feature.h"
#include "metadata/image.h"
#include "wire/api/api_versions.h"
#include "wire/apis.h"
#include "wire/errors.h"

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// [a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?
static bool is_software_word(struct str s)
{
    if (s.size == 0 || !is_alnum(s.data[0]) || !is_alnum(s.data[s.size - 1]))
        return false;
    for (size_t i = 0; i < s.size; i++)
        if (!is_alnum(s.data[i]) && s.data[i] != '-' && s.data[i] != '.')
            return false;
    return true;
}

static int check_request(const struct node *n, int16_t version,
                         const struct api_versions_request *request)
{
    if (version >= 3 && (!is_software_word(request->client_software_name) ||
                         !is_software_word(request->client_software_version)))
        return KAFKA_INVALID_REQUEST;
    if (request->cluster_id.data == NULL && request->node_id == -1)
        return KAFKA_NONE;
    if (request->cluster_id.data == NULL || request->node_id == -1)
        return KAFKA_INVALID_REQUEST; // only both together say whom the client means
    bool is_meant = str_is(request->cluster_id, n->cluster_id) && request->node_id == n->node_id;
    return is_meant ? KAFKA_NONE : KAFKA_REBOOTSTRAP_REQUIRED;
}

// Our own APIs are for clients that know them; others might stumble over their keys.
static bool is_ours(const struct request *r, const struct api_versions_request *request)
{
    return r->header.api_version >= 3 && str_is(request->client_software_name, "chitin");
}

static bool add_keys(const struct node *n, struct request *r, const struct api_versions_request *request,
                     struct api_versions_response *reply)
{
    int count;
    const struct api_route *routes = api_routes(&count);
    if (!api_versions_response_api_version_array_new(&r->arena, count, &reply->api_keys))
        return false;
    reply->api_keys.count = 0;
    for (int i = 0; i < count; i++) {
        const struct api *api = api_find(routes[i].key);
        if (!dispatch_is_served(n, r, api) || (api_is_own(api->key) && !is_ours(r, request)))
            continue;
        struct api_versions_response_api_version *item =
            &reply->api_keys.items[reply->api_keys.count++];
        item->api_key = api->key;
        item->min_version = api_advertised_min(api);
        item->max_version = api->version_max;
    }
    return true;
}

// Below version 4 a feature that begins at 0 cannot be said: old clients refuse it.
static bool add_supported(struct request *r, struct api_versions_response *reply)
{
    if (!api_versions_response_supported_feature_key_array_new(&r->arena, FEATURE_COUNT + 1,
                                                               &reply->supported_features))
        return false;
    reply->supported_features.count = 0;
    for (int i = 0; i <= FEATURE_COUNT; i++) {
        const struct feature_info *info =
            i < FEATURE_COUNT ? feature_info((enum feature)i) : feature_kraft_version();
        if (info->level_min == 0 && r->header.api_version < 4)
            continue;
        struct api_versions_response_supported_feature_key *item =
            &reply->supported_features.items[reply->supported_features.count++];
        item->name = str_from(info->name);
        item->min_version = info->level_min;
        item->max_version = info->level_max;
    }
    return true;
}

static bool add_finalized(const struct node *n, struct request *r,
                          struct api_versions_response *reply)
{
    const struct metadata_image *image = node_image(n);
    if (!api_versions_response_finalized_feature_key_array_new(&r->arena, FEATURE_COUNT + 1,
                                                               &reply->finalized_features))
        return false;
    reply->finalized_features.count = 0;
    reply->finalized_features_epoch = metadata_image_offset(image);
    for (int i = 0; i <= FEATURE_COUNT; i++) {
        bool kraft = i == FEATURE_COUNT;
        int16_t level = kraft ? quorum_kraft_version(n->quorum)
                              : metadata_image_feature(image, (enum feature)i);
        if (level == 0)
            continue;
        struct api_versions_response_finalized_feature_key *item =
            &reply->finalized_features.items[reply->finalized_features.count++];
        item->name = str_from(kraft ? feature_kraft_version()->name : feature_info((enum feature)i)->name);
        item->min_version_level = level;
        item->max_version_level = level;
    }
    return true;
}

void api_api_versions(struct node *n, struct request *r, const void *body)
{
    struct api_versions_response reply;
    api_versions_response_init(&reply);
    reply.error_code = (int16_t)check_request(n, r->header.api_version, body);
    if (reply.error_code == KAFKA_NONE &&
        (!add_keys(n, r, body, &reply) || !add_supported(r, &reply) || !add_finalized(n, r, &reply))) {
        api_no_memory(r);
        return;
    }
    request_reply(r, &reply);
}

void api_api_versions_fallback(struct node *n, struct request *r)
{
    const struct api *api = api_find(API_API_VERSIONS);
    struct api_versions_response reply;
    api_versions_response_init(&reply);
    reply.error_code = KAFKA_UNSUPPORTED_VERSION;
    if (!api_versions_response_api_version_array_new(&r->arena, 1, &reply.api_keys)) {
        api_no_memory(r);
        return;
    }
    reply.api_keys.items[0].api_key = api->key;
    reply.api_keys.items[0].min_version = api->version_min;
    reply.api_keys.items[0].max_version = api->version_max;
    request_reply_version(r, 0, &reply);
}
