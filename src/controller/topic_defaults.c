// SPDX-License-Identifier: Apache-2.0
//
// Settings of topics that the controller itself acts on, looked up where they may be set: the topic,
// the cluster, the broker's file, the default.
#include "config/config.h"
#include "controller/internal.h"

static const char *setting(const struct controller *c, const struct metadata_image *image,
                           struct str topic, const char *name)
{
    const struct properties *own = metadata_image_configs(image, CONFIG_RESOURCE_TOPIC, topic);
    const struct properties *cluster =
        metadata_image_configs(image, CONFIG_RESOURCE_BROKER, str_from(""));
    const char *value = own != NULL ? properties_get(own, name) : NULL;
    if (value == NULL && cluster != NULL)
        value = properties_get(cluster, name);
    return value != NULL ? value : config_text(c->config, name);
}

int32_t topic_min_isr(const struct controller *c, const struct metadata_image *image,
                      struct str topic)
{
    int32_t value;
    const char *text = setting(c, image, topic, "min.insync.replicas");
    return text != NULL && str_parse_i32(str_trim(str_from(text)), &value) ? value : 1;
}

bool topic_allows_unclean_election(const struct controller *c, const struct metadata_image *image,
                                   struct str topic)
{
    const char *text = setting(c, image, topic, "unclean.leader.election.enable");
    return text != NULL && str_equal_nocase(str_trim(str_from(text)), str_from("true"));
}
