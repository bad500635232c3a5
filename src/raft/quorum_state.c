// SPDX-License-Identifier: Apache-2.0
#include "raft/quorum_state.h"

#include "base/err.h"
#include "codec/json.h"

void quorum_state_init(struct quorum_state *s)
{
    *s = (struct quorum_state){.leader_id = -1, .voted_id = -1};
}

// The keys of one version; a file must have all of `required` and nothing else.
struct quorum_key {
    const char *name;
    bool versions[2];
};

static const struct quorum_key quorum_keys[] = {
    {"clusterId", {true, false}},      {"leaderId", {true, true}},
    {"leaderEpoch", {true, true}},     {"votedId", {true, true}},
    {"votedDirectoryId", {false, true}}, {"appliedOffset", {true, false}},
    {"currentVoters", {true, false}},  {"data_version", {true, true}},
};

enum { QUORUM_KEY_COUNT = sizeof quorum_keys / sizeof quorum_keys[0] };

static int keys_check(const json_t *root, int version, struct diag *diag)
{
    size_t expected = 0;
    for (int i = 0; i < QUORUM_KEY_COUNT; i++) {
        if (!quorum_keys[i].versions[version])
            continue;
        expected++;
        if (json_object_get(root, quorum_keys[i].name) == NULL)
            return diag_set(diag, ERR_CORRUPT, "quorum-state has no \"%s\"", quorum_keys[i].name);
    }
    if (json_object_size(root) != expected)
        return diag_set(diag, ERR_CORRUPT, "quorum-state has a key that data_version %d does not know",
                        version);
    return 0;
}

static int integer_read(const json_t *object, const char *key, int64_t min, int64_t max,
                        int64_t *out, struct diag *diag)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_integer(value))
        return diag_set(diag, ERR_CORRUPT, "quorum-state: \"%s\" is not an integer", key);
    int64_t n = json_integer_value(value);
    if (n < min || n > max)
        return diag_set(diag, ERR_CORRUPT, "quorum-state: \"%s\" is %lld, outside of %lld to %lld", key,
                        (long long)n, (long long)min, (long long)max);
    *out = n;
    return 0;
}

static int voters_read(const json_t *root, struct quorum_state *s, struct diag *diag)
{
    const json_t *voters = json_object_get(root, "currentVoters");
    if (!json_is_array(voters))
        return diag_set(diag, ERR_CORRUPT, "quorum-state: \"currentVoters\" is not a list");
    if (json_array_size(voters) > QUORUM_VOTERS_MAX)
        return diag_set(diag, ERR_CORRUPT, "quorum-state names %zu voters, more than %d",
                        json_array_size(voters), QUORUM_VOTERS_MAX);
    for (size_t i = 0; i < json_array_size(voters); i++) {
        const json_t *voter = json_array_get(voters, i);
        int64_t id = 0;
        if (!json_is_object(voter) || json_object_size(voter) != 1)
            return diag_set(diag, ERR_CORRUPT, "quorum-state: a voter is not {\"voterId\": id}");
        int err = integer_read(voter, "voterId", 0, INT32_MAX, &id, diag);
        if (err != 0)
            return err;
        s->voters[s->voter_count++] = (int32_t)id;
    }
    return 0;
}

static int directory_read(const json_t *root, struct quorum_state *s, struct diag *diag)
{
    const json_t *value = json_object_get(root, "votedDirectoryId");
    if (!json_is_string(value) ||
        !uuid_parse(str_of(json_string_value(value), json_string_length(value)),
                    &s->voted_directory_id))
        return diag_set(diag, ERR_CORRUPT, "quorum-state: \"votedDirectoryId\" is not an id");
    return 0;
}

static int state_read(const json_t *root, struct quorum_state *s, struct diag *diag)
{
    int64_t version = 0, leader = 0, epoch = 0, voted = 0, applied = 0;
    if (!json_is_object(root))
        return diag_set(diag, ERR_CORRUPT, "quorum-state is not a JSON object");
    int err = integer_read(root, "data_version", 0, INT16_MAX, &version, diag);
    if (err != 0)
        return err;
    if (version > 1)
        return diag_set(diag, ERR_UNSUPPORTED,
                        "quorum-state has data_version %lld; this release knows 0 and 1. It was "
                        "written by a later release: use that one",
                        (long long)version);
    if ((err = keys_check(root, (int)version, diag)) != 0 ||
        (err = integer_read(root, "leaderId", -1, INT32_MAX, &leader, diag)) != 0 ||
        (err = integer_read(root, "leaderEpoch", 0, INT32_MAX, &epoch, diag)) != 0 ||
        (err = integer_read(root, "votedId", -1, INT32_MAX, &voted, diag)) != 0)
        return err;
    s->data_version = (int16_t)version;
    s->leader_id = (int32_t)leader;
    s->leader_epoch = (int32_t)epoch;
    s->voted_id = (int32_t)voted;
    if (version == 1)
        return directory_read(root, s, diag);
    if (!json_is_string(json_object_get(root, "clusterId")))
        return diag_set(diag, ERR_CORRUPT, "quorum-state: \"clusterId\" is not a string");
    if ((err = integer_read(root, "appliedOffset", 0, INT64_MAX, &applied, diag)) != 0)
        return err;
    return voters_read(root, s, diag);
}

int quorum_state_parse(struct quorum_state *out, struct str text, struct diag *diag)
{
    if (text.size > QUORUM_STATE_TEXT_MAX)
        return diag_set(diag, ERR_CORRUPT, "quorum-state has %zu bytes, more than %d", text.size,
                        QUORUM_STATE_TEXT_MAX);
    json_t *root = NULL;
    int err = json_read(text, &root, diag);
    if (err != 0) {
        diag_prefix(diag, "quorum-state");
        return err == ERR_NOMEM ? err : ERR_CORRUPT;
    }
    struct quorum_state s;
    quorum_state_init(&s);
    err = state_read(root, &s, diag);
    json_decref(root);
    if (err == 0)
        *out = s;
    return err;
}

void quorum_state_format(const struct quorum_state *s, struct buf *out)
{
    if (s->data_version == 1) {
        buf_printf(out,
                   "{\"leaderId\":%d,\"leaderEpoch\":%d,\"votedId\":%d,\"votedDirectoryId\":\"%s\","
                   "\"data_version\":1}",
                   s->leader_id, s->leader_epoch, s->voted_id,
                   uuid_format(s->voted_directory_id).text);
        return;
    }
    buf_printf(out,
               "{\"clusterId\":\"\",\"leaderId\":%d,\"leaderEpoch\":%d,\"votedId\":%d,"
               "\"appliedOffset\":0,\"currentVoters\":[",
               s->leader_id, s->leader_epoch, s->voted_id);
    for (int i = 0; i < s->voter_count; i++)
        buf_printf(out, "%s{\"voterId\":%d}", i > 0 ? "," : "", s->voters[i]);
    buf_append_text(out, "],\"data_version\":0}");
}

bool quorum_state_equal(const struct quorum_state *a, const struct quorum_state *b)
{
    return a->data_version == b->data_version && a->leader_epoch == b->leader_epoch &&
           a->leader_id == b->leader_id && a->voted_id == b->voted_id &&
           uuid_equal(a->voted_directory_id, b->voted_directory_id) &&
           a->voter_count == b->voter_count &&
           memcmp(a->voters, b->voters, (size_t)a->voter_count * sizeof a->voters[0]) == 0;
}
