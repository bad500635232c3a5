// SPDX-License-Identifier: Apache-2.0
//
// Properties text: whatever is read can be written, and reads back the same. Each pair is also
// handed to the configuration as a setting of a broker.
#include "base/check.h"
#include "base/err.h"
#include "base/properties.h"
#include "config/config.h"
#include "config/listeners.h"
#include "config/topic_config.h"
#include "fuzz.h"

static void check_round_trip(const struct properties *p)
{
    struct buf text;
    buf_init(&text, 16 * PROPERTIES_TEXT_MAX);
    for (int i = 0; i < p->count; i++)
        properties_format_line(&text, str_from(p->items[i].key), str_from(p->items[i].value));
    check(!text.failed);
    struct properties again;
    properties_init(&again);
    if (text.size <= PROPERTIES_TEXT_MAX) {
        check(properties_parse(&again, buf_str(&text), NULL) == ERR_OK);
        check(again.count == p->count);
        for (int i = 0; i < p->count; i++) {
            check(str_is(str_from(p->items[i].key), again.items[i].key));
            check(str_is(str_from(p->items[i].value), again.items[i].value));
        }
    }
    properties_release(&again);
    buf_release(&text);
}

static void check_config(struct str text, const struct properties *p)
{
    struct config *c = config_new();
    struct diag diag;
    struct node_config node;
    struct topic_config topic;
    if (config_load(c, text, "fuzz", &diag) == ERR_OK && config_check(c, NULL, &diag) == ERR_OK)
        node_config_resolve(&node, c, &diag);
    topic_config_validate(c, p, &diag);
    topic_config_resolve(&topic, c, p);
    config_free(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct properties p;
    struct diag diag;
    properties_init(&p);
    struct str text = str_of((const char *)data, size);
    if (properties_parse(&p, text, &diag) == ERR_OK) {
        check_round_trip(&p);
        check_config(text, &p);
    }
    properties_release(&p);
    return 0;
}
