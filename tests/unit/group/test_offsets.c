// SPDX-License-Identifier: Apache-2.0
//
// Commit, fetch, delete and expire: requests, records, reloads.
#include "fixture.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "wire/api/delete_groups.h"
#include "wire/api/list_groups.h"
#include "wire/api/offset_commit.h"
#include "wire/api/offset_delete.h"
#include "wire/api/offset_fetch.h"
#include "wire/record/legacy_offset_commit_key.h"
#include "wire/record/legacy_offset_commit_value.h"
#include "wire/record/offset_commit_key.h"
#include "wire/record/offset_commit_value.h"
#include "wire/records.h"

enum { DAY_MS = 24 * 3600 * 1000, OFFSET_NONE = -1 };

// ---- Requests ----

// One partition's commit.
struct commit {
    const char *group;
    const char *topic;
    struct uuid topic_id;
    int32_t partition;
    int64_t offset;
    const char *metadata;   // NULL: null
    int64_t retention_ms;   // 0: the default
    int32_t leader_epoch;
    int32_t epoch;          // 0: none
    int16_t version;        // 0: 9
};

static struct fixture_call *send_commit(struct fixture *f, const struct commit *c)
{
    struct offset_commit_request_offset_commit_request_partition partition = {
        .partition_index = c->partition,
        .committed_offset = c->offset,
        .committed_leader_epoch = c->leader_epoch,
        .committed_metadata = str_from(c->metadata),
    };
    struct offset_commit_request_offset_commit_request_topic topic = {
        .name = str_from(c->topic),
        .topic_id = c->topic_id,
        .partitions = {&partition, 1},
    };
    struct offset_commit_request request;
    offset_commit_request_init(&request);
    request.group_id = str_from(c->group);
    request.generation_id_or_member_epoch = c->epoch == 0 ? -1 : c->epoch;
    request.retention_time_ms = c->retention_ms == 0 ? -1 : c->retention_ms;
    request.topics.items = &topic;
    request.topics.count = 1;
    struct fixture_call *call =
        fixture_call_new(f, &offset_commit_response_schema, c->version == 0 ? 9 : c->version);
    groups_commit_offsets(f->groups, &call->call, &f->now, &request);
    return call;
}

static int commit_error(const struct fixture_call *call)
{
    const struct offset_commit_response *reply = call->response;
    assert_true(call->is_done);
    assert_int_equal(reply->topics.count, 1);
    assert_int_equal(reply->topics.items[0].partitions.count, 1);
    return reply->topics.items[0].partitions.items[0].error_code;
}

static int commit(struct fixture *f, const struct commit *c)
{
    struct fixture_call *call = send_commit(f, c);
    fixture_settle(f);
    return commit_error(call);
}

static void commit_ok(struct fixture *f, const char *group, const char *topic, int32_t partition,
                      int64_t offset)
{
    struct commit c = {.group = group, .topic = topic, .partition = partition, .offset = offset};
    assert_int_equal(commit(f, &c), KAFKA_NONE);
}

static const struct offset_fetch_response_offset_fetch_response_group *
fetch(struct fixture *f, const char *group, const char *topic, struct uuid id, int32_t partition)
{
    struct offset_fetch_request_offset_fetch_request_topics asked = {
        .name = str_from(topic),
        .topic_id = id,
        .partition_indexes = {&partition, 1},
    };
    struct offset_fetch_request_offset_fetch_request_group request;
    offset_fetch_request_offset_fetch_request_group_init(&request);
    request.group_id = str_from(group);
    request.topics.items = topic == NULL ? NULL : &asked;
    request.topics.count = topic == NULL ? -1 : 1;
    struct offset_fetch_response_offset_fetch_response_group *reply =
        mem_new(struct offset_fetch_response_offset_fetch_response_group);
    offset_fetch_response_offset_fetch_response_group_init(reply);
    struct fixture_call *call = fixture_call_part(f, reply, 10);
    struct offset_fetch_response_offset_fetch_response_group *kept = arena_alloc(&call->arena, sizeof(*kept));
    groups_fetch_offsets(f->groups, &call->call, &f->now, &request, false);
    fixture_settle(f);
    assert_true(call->is_done);
    *kept = *reply;
    mem_free(reply);
    return kept;
}

static int64_t fetch_offset(struct fixture *f, const char *group, const char *topic, int32_t partition)
{
    const struct offset_fetch_response_offset_fetch_response_group *reply =
        fetch(f, group, topic, (struct uuid){{0}}, partition);
    assert_int_equal(reply->error_code, 0);
    assert_int_equal(reply->topics.count, 1);
    assert_int_equal(reply->topics.items[0].partitions.count, 1);
    const struct offset_fetch_response_offset_fetch_response_partitions *p =
        &reply->topics.items[0].partitions.items[0];
    assert_int_equal(p->error_code, 0);
    assert_int_equal(p->partition_index, partition);
    if (p->committed_offset == OFFSET_NONE) {
        assert_int_equal(p->committed_leader_epoch, -1);
        assert_true(str_is(p->metadata, ""));
    }
    return p->committed_offset;
}

static int delete_group(struct fixture *f, const char *group)
{
    static struct delete_groups_response_deletable_group_result reply;
    delete_groups_response_deletable_group_result_init(&reply);
    struct fixture_call *call = fixture_call_part(f, &reply, 3);
    groups_delete(f->groups, &call->call, &f->now, str_from(group));
    fixture_settle(f);
    assert_true(call->is_done);
    assert_true(str_is(reply.group_id, group));
    return reply.error_code;
}

// Deletes one offset. Gives the error of the group, or of the partition.
static int delete_offset(struct fixture *f, const char *group, const char *topic, int32_t partition)
{
    struct offset_delete_request_offset_delete_request_partition p = {.partition_index = partition};
    struct offset_delete_request_offset_delete_request_topic t = {.name = str_from(topic),
                                                                  .partitions = {&p, 1}};
    struct offset_delete_request request = {.group_id = str_from(group), .topics = {&t, 1}};
    struct fixture_call *call = fixture_call_new(f, &offset_delete_response_schema, 0);
    groups_delete_offsets(f->groups, &call->call, &f->now, &request);
    fixture_settle(f);
    const struct offset_delete_response *reply = call->response;
    assert_true(call->is_done);
    if (reply->error_code != 0)
        return reply->error_code;
    assert_int_equal(reply->topics.items[0].partitions.items[0].partition_index, partition);
    return reply->topics.items[0].partitions.items[0].error_code;
}

static struct offset_commit_value last_value(struct fixture *f, int16_t *version)
{
    struct offset_commit_value value;
    *version = fixture_last_value(f, GROUP_RECORD_OFFSET_COMMIT, &value);
    return value;
}

// ---- Commit and fetch ----

static void test_commit_and_fetch(void **state)
{
    struct fixture f;
    fixture_init(&f);
    assert_int_equal(fetch_offset(&f, "g", "t", 0), OFFSET_NONE);
    commit_ok(&f, "g", "t", 0, 10);
    commit_ok(&f, "g", "t", 1, 20);
    commit_ok(&f, "g", "t", 0, 11);
    commit_ok(&f, "", "t", 0, 5); // the group without a name is a group
    assert_int_equal(fetch_offset(&f, "g", "t", 0), 11);
    assert_int_equal(fetch_offset(&f, "g", "t", 1), 20);
    assert_int_equal(fetch_offset(&f, "g", "t", 2), OFFSET_NONE);
    assert_int_equal(fetch_offset(&f, "g", "u", 0), OFFSET_NONE);
    assert_int_equal(fetch_offset(&f, "", "t", 0), 5);
    fixture_check_replay(&f);
    fixture_reload(&f, false);
    assert_int_equal(fetch_offset(&f, "g", "t", 0), 11);
    fixture_release(&f);
}

static void test_fetch_all(void **state)
{
    struct fixture f;
    fixture_init(&f);
    assert_int_equal(fetch(&f, "g", NULL, (struct uuid){{0}}, 0)->topics.count, 0);
    commit_ok(&f, "g", "u", 3, 1);
    commit_ok(&f, "g", "t", 1, 2);
    commit_ok(&f, "g", "t", 0, 3);
    struct commit with_id = {.group = "g", .topic = "t", .topic_id = {{9}}, .partition = 2, .offset = 4};
    fixture_metadata_version(&f, METADATA_VERSION_LATEST);
    assert_int_equal(commit(&f, &with_id), 0);
    const struct offset_fetch_response_offset_fetch_response_group *all =
        fetch(&f, "g", NULL, (struct uuid){{0}}, 0);
    assert_int_equal(all->topics.count, 2);
    assert_true(str_is(all->topics.items[0].name, "t"));
    assert_int_equal(all->topics.items[0].topic_id.bytes[0], 9);
    assert_int_equal(all->topics.items[0].partitions.count, 3);
    assert_int_equal(all->topics.items[0].partitions.items[0].committed_offset, 3);
    assert_int_equal(all->topics.items[0].partitions.items[2].committed_offset, 4);
    assert_true(str_is(all->topics.items[1].name, "u"));
    fixture_release(&f);
}

// A reply waits for its records, and a fetch for what it tells of.
static void test_replies_wait_for_commits(void **state)
{
    struct fixture f;
    fixture_init(&f);
    f.holds_commits = true;
    struct commit c = {.group = "g", .topic = "t", .offset = 1};
    struct fixture_call *commit_call = send_commit(&f, &c);
    int32_t partition = 0;
    struct offset_fetch_request_offset_fetch_request_topics asked = {
        .name = str_from("t"), .partition_indexes = {&partition, 1}};
    struct offset_fetch_request_offset_fetch_request_group request = {
        .group_id = str_from("g"), .member_epoch = -1, .topics = {&asked, 1}};
    struct offset_fetch_response_offset_fetch_response_group reply;
    offset_fetch_response_offset_fetch_response_group_init(&reply);
    struct fixture_call *fetch_call = fixture_call_part(&f, &reply, 9);
    groups_fetch_offsets(f.groups, &fetch_call->call, &f.now, &request, false);
    fixture_settle(&f);
    assert_false(commit_call->is_done);
    assert_false(fetch_call->is_done);
    fixture_commit(&f);
    assert_int_equal(commit_error(commit_call), 0);
    assert_true(fetch_call->is_done);
    assert_int_equal(reply.topics.items[0].partitions.items[0].committed_offset, 1);

    // What was not committed is lost with the coordinator, and nobody was told of it.
    c.offset = 2;
    commit_call = send_commit(&f, &c);
    fetch_call = fixture_call_part(&f, &reply, 9);
    groups_fetch_offsets(f.groups, &fetch_call->call, &f.now, &request, false);
    fixture_settle(&f);
    fixture_reload(&f, false);
    f.holds_commits = false;
    assert_int_equal(commit_error(commit_call), KAFKA_NOT_COORDINATOR);
    assert_int_equal(reply.error_code, KAFKA_NOT_COORDINATOR);
    assert_int_equal(reply.topics.count, 0);
    assert_int_equal(fetch_offset(&f, "g", "t", 0), 1);
    fixture_release(&f);
}

static void test_append_fails(void **state)
{
    static const struct {
        int err;
        int answer;
    } cases[] = {
        {ERR_IO, KAFKA_NOT_COORDINATOR},
        {ERR_NOSPC, KAFKA_COORDINATOR_NOT_AVAILABLE},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct fixture f;
        fixture_init(&f);
        commit_ok(&f, "g", "t", 0, 1);
        f.append_error = cases[i].err;
        struct commit c = {.group = "g", .topic = "t", .offset = 2};
        struct fixture_call *call = send_commit(&f, &c);
        fixture_settle(&f);
        struct fixture_call *later = send_commit(&f, &c);
        assert_int_equal(commit_error(later), cases[i].answer);
        fixture_reload(&f, true);
        assert_int_equal(commit_error(call), KAFKA_NOT_COORDINATOR);
        assert_int_equal(fetch_offset(&f, "g", "t", 0), 1);
        fixture_release(&f);
    }
}

static void test_unknown_group(void **state)
{
    static const struct {
        int32_t epoch;
        int16_t version;
        int error;
    } cases[] = {
        {-1, 2, KAFKA_NONE},
        {-1, 10, KAFKA_NONE},
        {1, 8, KAFKA_ILLEGAL_GENERATION},
        {1, 9, KAFKA_GROUP_ID_NOT_FOUND},
        {1, 10, KAFKA_GROUP_ID_NOT_FOUND},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct fixture f;
        fixture_init(&f);
        struct commit c = {.group = "g", .topic = "t", .topic_id = {{1}}, .epoch = cases[i].epoch,
                           .version = cases[i].version};
        assert_int_equal(commit(&f, &c), cases[i].error);
        assert_int_equal(groups_find(f.groups, str_from("g")) != NULL, cases[i].error == KAFKA_NONE);
        fixture_release(&f);
    }
}

// Which record a commit writes.
static void test_records(void **state)
{
    struct fixture f;
    int16_t version;
    fixture_init(&f);
    struct uuid id = fixture_topic(&f, "t", 1);
    struct commit c = {.group = "g", .topic = "t", .offset = 7, .metadata = "note", .leader_epoch = 3};
    assert_int_equal(commit(&f, &c), 0);
    struct offset_commit_value v = last_value(&f, &version);
    assert_int_equal(version, 3); // nodes of 4.0 may be there
    assert_int_equal(v.offset, 7);
    assert_int_equal(v.leader_epoch, 3);
    assert_true(str_is(v.metadata, "note"));
    assert_int_equal(v.commit_timestamp, f.now.wall_ms);

    fixture_metadata_version(&f, METADATA_VERSION_OFFSET_TOPIC_ID);
    c.metadata = NULL; // kafkajs sends null
    assert_int_equal(commit(&f, &c), 0);
    v = last_value(&f, &version);
    assert_int_equal(version, 4);
    assert_true(uuid_equal(v.topic_id, id)); // the id of who has the name
    assert_true(str_is(v.metadata, ""));

    c.version = 4;
    c.retention_ms = 60000;
    assert_int_equal(commit(&f, &c), 0);
    v = last_value(&f, &version);
    assert_int_equal(version, 1);
    assert_int_equal(v.expire_timestamp, f.now.wall_ms + 60000);
    fixture_check_replay(&f);
    fixture_release(&f);
}

static void test_metadata_too_large(void **state)
{
    struct fixture f;
    fixture_init_config(&f, (const char *const[]){"offset.metadata.max.bytes=4", NULL});
    struct commit c = {.group = "g", .topic = "t", .metadata = "12345"};
    assert_int_equal(commit(&f, &c), KAFKA_OFFSET_METADATA_TOO_LARGE);
    assert_null(groups_find(f.groups, str_from("g")));
    c.metadata = "äöüß"; // Java counts characters, not bytes
    assert_int_equal(commit(&f, &c), 0);
    c.metadata = "\xf0\x9f\x99\x82\xf0\x9f\x99\x82"; // two each
    assert_int_equal(commit(&f, &c), 0);
    c.metadata = "\xf0\x9f\x99\x82\xf0\x9f\x99\x82!";
    assert_int_equal(commit(&f, &c), KAFKA_OFFSET_METADATA_TOO_LARGE);
    fixture_release(&f);
}

static void test_commit_that_fits_no_batch(void **state)
{
    enum { NOTE = 4096 };
    char note[NOTE + 1];
    struct fixture f;
    memset(note, 'n', NOTE);
    note[NOTE] = '\0';
    fixture_init(&f);
    f.batch_bytes_max = 2048;
    fixture_reload(&f, true);
    struct commit c = {.group = "g", .topic = "t", .metadata = note};
    assert_int_equal(commit(&f, &c), KAFKA_UNKNOWN_SERVER_ERROR);
    assert_null(groups_find(f.groups, str_from("g")));
    commit_ok(&f, "g", "t", 0, 1);
    fixture_release(&f);
}

// A log from before 0.9.
static void test_legacy_record(void **state)
{
    struct fixture f;
    fixture_init(&f);
    struct legacy_offset_commit_key key = {str_from("g"), str_from("t"), 2};
    struct legacy_offset_commit_value value = {.offset = 77, .metadata = str_from("m"),
                                               .commit_timestamp = 5};
    fixture_write(&f, GROUP_RECORD_LEGACY_OFFSET_COMMIT, 0, &key, &value);
    fixture_reload(&f, true);
    assert_int_equal(fetch_offset(&f, "g", "t", 2), 77);
    fixture_release(&f);
}

// What no broker writes is neither kept twice nor forever.
static void test_nul_in_a_name(void **state)
{
    struct fixture f;
    fixture_init(&f);
    struct offset_commit_key key = {str_from("g"), str_of("t\0x", 3), 0};
    struct offset_commit_value value = {.offset = 7, .leader_epoch = -1, .metadata = str_from("")};
    fixture_write(&f, GROUP_RECORD_OFFSET_COMMIT, 3, &key, &value);
    fixture_write(&f, GROUP_RECORD_OFFSET_COMMIT, 3, &key, &value);
    fixture_reload(&f, true);
    assert_int_equal(groups_find(f.groups, str_from("g"))->offsets.total, 1);
    fixture_write(&f, GROUP_RECORD_OFFSET_COMMIT, 3, &key, NULL);
    fixture_reload(&f, true);
    assert_int_equal(groups_find(f.groups, str_from("g"))->offsets.total, 0);
    assert_int_equal(delete_group(&f, "g"), 0);
    fixture_release(&f);
}

// ---- Delete ----

static void test_delete_offset(void **state)
{
    struct fixture f;
    fixture_init(&f);
    assert_int_equal(delete_offset(&f, "g", "t", 0), KAFKA_GROUP_ID_NOT_FOUND);
    commit_ok(&f, "g", "t", 0, 1);
    commit_ok(&f, "g", "t", 1, 2);
    assert_int_equal(delete_offset(&f, "g", "t", 0), 0);
    assert_int_equal(delete_offset(&f, "g", "t", 9), 0); // nothing to delete is no error
    assert_int_equal(fixture_record_count(&f, GROUP_RECORD_OFFSET_COMMIT), 3);
    assert_int_equal(fetch_offset(&f, "g", "t", 0), OFFSET_NONE);
    assert_int_equal(fetch_offset(&f, "g", "t", 1), 2);
    fixture_check_replay(&f);
    fixture_release(&f);
}

static void test_delete_group(void **state)
{
    enum { MANY = 20000 }; // more than one batch takes
    struct fixture f;
    fixture_init(&f);
    assert_int_equal(delete_group(&f, "g"), KAFKA_GROUP_ID_NOT_FOUND);
    for (int32_t i = 0; i < MANY; i++) {
        struct commit c = {.group = "a-group-with-a-name", .topic = "a-topic-with-a-name",
                           .partition = i, .offset = i};
        send_commit(&f, &c);
    }
    fixture_settle(&f);
    commit_ok(&f, "h", "t", 0, 3);
    assert_int_equal(delete_group(&f, "a-group-with-a-name"), 0);
    assert_null(groups_find(f.groups, str_from("a-group-with-a-name")));
    assert_int_equal(fixture_record_count(&f, GROUP_RECORD_OFFSET_COMMIT), 2 * MANY + 1);
    assert_int_equal(fixture_record_count(&f, GROUP_RECORD_GROUP_METADATA), 1);
    fixture_reload(&f, true);
    assert_null(groups_find(f.groups, str_from("a-group-with-a-name")));
    assert_int_equal(fetch_offset(&f, "h", "t", 0), 3);
    fixture_release(&f);
}

// ---- Expiration ----

static void test_expiration(void **state)
{
    struct fixture f;
    fixture_init_config(&f, (const char *const[]){"offsets.retention.minutes=1440", NULL});
    commit_ok(&f, "g", "t", 0, 1);
    struct commit short_lived = {.group = "g", .topic = "t", .partition = 1, .retention_ms = DAY_MS / 2,
                                 .version = 4};
    struct commit long_lived = {.group = "g", .topic = "t", .partition = 2, .retention_ms = 3 * (int64_t)DAY_MS,
                                .version = 4};
    assert_int_equal(commit(&f, &short_lived), 0);
    assert_int_equal(commit(&f, &long_lived), 0);
    fixture_advance(&f, DAY_MS * 3 / 4);
    assert_int_equal(fetch_offset(&f, "g", "t", 1), OFFSET_NONE);
    assert_int_equal(fetch_offset(&f, "g", "t", 0), 1);
    commit_ok(&f, "h", "t", 0, 2);
    fixture_advance(&f, DAY_MS * 2 / 4);
    assert_int_equal(fetch_offset(&f, "g", "t", 0), OFFSET_NONE);
    assert_int_equal(fetch_offset(&f, "h", "t", 0), 2);
    fixture_reload(&f, true);
    assert_int_equal(fetch_offset(&f, "g", "t", 2), 0);
    fixture_advance(&f, 2 * DAY_MS);
    assert_null(groups_find(f.groups, str_from("g"))); // with its last offset
    assert_null(groups_find(f.groups, str_from("h")));
    fixture_check_replay(&f);
    fixture_release(&f);
}

// More than goes in one turn.
static void test_expiration_of_many(void **state)
{
    enum { MANY = 25000 };
    struct fixture f;
    fixture_init_config(&f, (const char *const[]){"offsets.retention.minutes=1440", NULL});
    for (int32_t i = 0; i < MANY; i++) {
        struct commit c = {.group = i % 2 == 0 ? "g" : "h", .topic = "t", .partition = i, .offset = i};
        send_commit(&f, &c);
    }
    fixture_settle(&f);
    fixture_advance(&f, DAY_MS - 1);
    assert_int_equal(f.groups->by_id.count, 2);
    fixture_advance(&f, 601 * 1000);
    assert_int_equal(f.groups->by_id.count, 0);
    fixture_check_replay(&f);
    fixture_release(&f);
}

// ---- Topics come and go ----

static void test_topic_deleted(void **state)
{
    struct fixture f;
    fixture_init(&f);
    fixture_metadata_version(&f, METADATA_VERSION_LATEST);
    fixture_topic(&f, "__consumer_offsets", 1);
    fixture_topic(&f, "t", 2);
    fixture_topic(&f, "u", 2);
    commit_ok(&f, "g", "t", 0, 1);
    commit_ok(&f, "g", "u", 1, 2);
    commit_ok(&f, "h", "t", 1, 3);
    fixture_delete_topic(&f, "t");
    assert_int_equal(fetch_offset(&f, "g", "t", 0), OFFSET_NONE);
    assert_int_equal(fetch_offset(&f, "h", "t", 1), OFFSET_NONE);
    assert_int_equal(fetch_offset(&f, "g", "u", 1), 2);
    fixture_check_replay(&f);
    fixture_release(&f);
}

// Deleted, and made again, while no coordinator was there to see it.
static void test_topic_made_again_meanwhile(void **state)
{
    struct fixture f;
    fixture_init(&f);
    fixture_metadata_version(&f, METADATA_VERSION_LATEST);
    fixture_topic(&f, "__consumer_offsets", 1);
    struct uuid old = fixture_topic(&f, "t", 2);
    fixture_topic(&f, "u", 2);
    commit_ok(&f, "g", "t", 0, 1);
    commit_ok(&f, "g", "u", 0, 2);
    struct offset_commit_key key = {str_from("g"), str_from("v"), 0}; // by an older broker: no id
    struct offset_commit_value value = {.offset = 9, .leader_epoch = -1, .metadata = str_from("")};
    fixture_write(&f, GROUP_RECORD_OFFSET_COMMIT, 3, &key, &value);
    fixture_reload(&f, true);
    assert_int_equal(fetch_offset(&f, "g", "v", 0), OFFSET_NONE); // no such topic
    // The groups hear of nothing of this: the append of what they write fails.
    f.append_error = ERR_IO;
    fixture_delete_topic(&f, "t");
    struct uuid new = fixture_topic(&f, "t", 2);
    fixture_reload(&f, false);
    fixture_settle(&f);
    assert_false(uuid_equal(old, new));
    assert_int_equal(fetch_offset(&f, "g", "t", 0), OFFSET_NONE);
    assert_int_equal(fetch_offset(&f, "g", "u", 0), 2);
    fixture_check_replay(&f);
    fixture_release(&f);
}

// A fetch by id sees no offsets of another topic of the name.
static void test_fetch_by_id(void **state)
{
    struct fixture f;
    fixture_init(&f);
    fixture_metadata_version(&f, METADATA_VERSION_LATEST);
    struct commit c = {.group = "g", .topic = "t", .topic_id = {{1}}, .offset = 5, .version = 10};
    assert_int_equal(commit(&f, &c), 0);
    static const struct {
        struct uuid id;
        int64_t offset;
    } cases[] = {{{{1}}, 5}, {{{0}}, 5}, {{{2}}, OFFSET_NONE}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const struct offset_fetch_response_offset_fetch_response_group *reply =
            fetch(&f, "g", "t", cases[i].id, 0);
        assert_int_equal(reply->topics.items[0].partitions.items[0].committed_offset, cases[i].offset);
        assert_true(uuid_equal(reply->topics.items[0].topic_id, cases[i].id));
    }
    fixture_release(&f);
}

// ---- Transactions ----

static void set_pending(struct fixture *f, struct group *group, int64_t producer_id, int64_t offset,
                        int64_t record_offset)
{
    struct offset_commit_value value = {.offset = offset, .leader_epoch = -1, .metadata = str_from(""),
                                        .expire_timestamp = -1};
    offsets_set_pending(f->groups, group, producer_id, str_from("t"), 0, &value, record_offset);
}

// Offsets of transactions hold once these are committed; the newer record wins.
static void test_pending(void **state)
{
    static const struct {
        struct {
            int64_t producer_id;
            int64_t record_offset; // of what it commits; that is the offset, too
        } records[3];
        struct {
            int64_t producer_id; // 0: the end
            bool committed;
        } markers[3];
        int64_t offset;
    } cases[] = {
        {{{1, 10}}, {{1, true}}, 10},
        {{{1, 10}}, {{1, false}}, OFFSET_NONE},
        {{{1, 10}}, {{2, true}}, OFFSET_NONE},
        {{{1, 10}, {1, 11}}, {{1, true}}, 11},
        {{{1, 10}, {2, 11}}, {{1, true}, {2, true}}, 11},
        {{{1, 10}, {2, 11}}, {{2, true}, {1, true}}, 11},
        {{{1, 10}, {2, 11}}, {{2, false}, {1, true}}, 10},
        {{{1, 10}, {2, 11}, {3, 12}}, {{2, true}, {3, false}, {1, true}}, 11},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct fixture f;
        fixture_init(&f);
        struct group *group = groups_add(f.groups, str_from("g"));
        for (int r = 0; r < 3 && cases[i].records[r].producer_id != 0; r++)
            set_pending(&f, group, cases[i].records[r].producer_id, cases[i].records[r].record_offset,
                        cases[i].records[r].record_offset);
        assert_int_equal(fetch_offset(&f, "g", "t", 0), OFFSET_NONE);
        assert_true(offsets_are_pending(group, str_from("t"), 0));
        for (int m = 0; m < 3 && cases[i].markers[m].producer_id != 0; m++)
            fixture_end_transaction(&f, cases[i].markers[m].producer_id, cases[i].markers[m].committed);
        assert_int_equal(fetch_offset(&f, "g", "t", 0), cases[i].offset);
        fixture_release(&f);
    }
}

// A tombstone takes what is pending with it; a group with something pending stays.
static void test_pending_goes(void **state)
{
    struct fixture f;
    fixture_init(&f);
    commit_ok(&f, "g", "t", 0, 1);
    struct group *group = groups_find(f.groups, str_from("g"));
    set_pending(&f, group, 7, 5, 100);
    fixture_advance(&f, 8 * (int64_t)DAY_MS);
    assert_int_equal(fetch_offset(&f, "g", "t", 0), 1);
    assert_int_equal(delete_offset(&f, "g", "t", 0), 0);
    assert_false(offsets_are_pending(group, str_from("t"), 0));
    assert_int_equal(f.groups->transactions.count, 0);
    fixture_end_transaction(&f, 7, true);
    assert_int_equal(fetch_offset(&f, "g", "t", 0), OFFSET_NONE);
    fixture_advance(&f, DAY_MS);
    assert_null(groups_find(f.groups, str_from("g")));
    fixture_release(&f);
}

// ---- List ----

static int32_t list_count(struct fixture *f, const char *filter_state, const char *filter_type)
{
    struct str state = str_from(filter_state), type = str_from(filter_type);
    struct list_groups_request request = {
        .states_filter = {&state, filter_state == NULL ? 0 : 1},
        .types_filter = {&type, filter_type == NULL ? 0 : 1},
    };
    struct fixture_call *call = fixture_call_new(f, &list_groups_response_schema, 5);
    groups_list(f->groups, &call->call, &f->now, &request);
    fixture_settle(f);
    assert_true(call->is_done);
    const struct list_groups_response *reply = call->response;
    assert_int_equal(reply->error_code, 0);
    for (int32_t i = 0; i < reply->groups.count; i++) {
        assert_true(str_is(reply->groups.items[i].group_state, "Empty"));
        assert_true(str_is(reply->groups.items[i].group_type, "classic"));
        assert_true(str_is(reply->groups.items[i].protocol_type, ""));
    }
    return reply->groups.count;
}

static void test_list(void **state)
{
    struct fixture f;
    fixture_init(&f);
    assert_int_equal(list_count(&f, NULL, NULL), 0);
    commit_ok(&f, "g", "t", 0, 1);
    commit_ok(&f, "h", "t", 0, 1);
    assert_int_equal(list_count(&f, NULL, NULL), 2);
    assert_int_equal(list_count(&f, "EMPTY", "Classic"), 2);
    assert_int_equal(list_count(&f, "Stable", NULL), 0);
    assert_int_equal(list_count(&f, NULL, "consumer"), 0);
    assert_int_equal(list_count(&f, NULL, "nonsense"), 0);
    fixture_release(&f);
}

// ---- Against a model ----

enum { MODEL_GROUPS = 4, MODEL_PARTITIONS = 6, MODEL_STEPS = 3000 };

static const char *const model_groups[MODEL_GROUPS] = {"a", "b", "c", "d"};

struct model {
    int64_t offsets[MODEL_GROUPS][MODEL_PARTITIONS];
};

static void model_clear(struct model *m)
{
    for (int g = 0; g < MODEL_GROUPS; g++)
        for (int p = 0; p < MODEL_PARTITIONS; p++)
            m->offsets[g][p] = OFFSET_NONE;
}

static void model_check(struct fixture *f, const struct model *m)
{
    for (int g = 0; g < MODEL_GROUPS; g++)
        for (int p = 0; p < MODEL_PARTITIONS; p++)
            assert_int_equal(fetch_offset(f, model_groups[g], "t", p), m->offsets[g][p]);
}

// What was answered survives a move of the coordinator; what was not may not, but is never half there.
static void test_against_model(void **state)
{
    struct fixture f;
    struct model now, committed;
    struct prng prng;
    prng_init(&prng, 11);
    fixture_init(&f);
    model_clear(&now);
    committed = now;
    for (int step = 0; step < MODEL_STEPS; step++) {
        int g = (int)prng_below(&prng, MODEL_GROUPS), p = (int)prng_below(&prng, MODEL_PARTITIONS);
        switch (prng_below(&prng, 20)) {
        case 0:
            fixture_settle(&f);
            committed = now;
            break;
        case 1:
            fixture_reload(&f, false); // back to what was committed
            now = committed;
            model_check(&f, &now);
            break;
        case 2:
            delete_group(&f, model_groups[g]);
            memset(now.offsets[g], 0xff, sizeof(now.offsets[g]));
            committed = now;
            break;
        case 3:
            delete_offset(&f, model_groups[g], "t", p);
            now.offsets[g][p] = OFFSET_NONE;
            committed = now;
            break;
        case 4:
            fixture_settle(&f);
            fixture_check_replay(&f);
            committed = now;
            break;
        default: {
            struct commit c = {.group = model_groups[g], .topic = "t", .partition = p, .offset = step};
            send_commit(&f, &c);
            now.offsets[g][p] = step;
        }
        }
    }
    fixture_settle(&f);
    model_check(&f, &now);
    fixture_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commit_and_fetch),
        cmocka_unit_test(test_fetch_all),
        cmocka_unit_test(test_replies_wait_for_commits),
        cmocka_unit_test(test_append_fails),
        cmocka_unit_test(test_unknown_group),
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_metadata_too_large),
        cmocka_unit_test(test_commit_that_fits_no_batch),
        cmocka_unit_test(test_legacy_record),
        cmocka_unit_test(test_nul_in_a_name),
        cmocka_unit_test(test_delete_offset),
        cmocka_unit_test(test_delete_group),
        cmocka_unit_test(test_expiration),
        cmocka_unit_test(test_expiration_of_many),
        cmocka_unit_test(test_topic_deleted),
        cmocka_unit_test(test_topic_made_again_meanwhile),
        cmocka_unit_test(test_fetch_by_id),
        cmocka_unit_test(test_pending),
        cmocka_unit_test(test_pending_goes),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_against_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
