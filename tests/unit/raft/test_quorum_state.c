// SPDX-License-Identifier: Apache-2.0
//
// The text of quorum-state: Kafka's bytes, and what is refused.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/err.h"
#include "raft/quorum_state.h"

// FROZEN: as Apache Kafka 4.4.0 left it.
static const char kafka_text[] =
    "{\"clusterId\":\"\",\"leaderId\":1,\"leaderEpoch\":1,\"votedId\":-1,\"appliedOffset\":0,"
    "\"currentVoters\":[{\"voterId\":1}],\"data_version\":0}";
static const char dynamic_text[] =
    "{\"leaderId\":-1,\"leaderEpoch\":7,\"votedId\":3,"
    "\"votedDirectoryId\":\"4bWbVybKYhwj_R1_r5uBZw\",\"data_version\":1}";

static void format_is(const struct quorum_state *s, const char *text)
{
    struct buf out;
    buf_init(&out, QUORUM_STATE_TEXT_MAX);
    quorum_state_format(s, &out);
    assert_string_equal(buf_text(&out), text);
    buf_release(&out);
}

static void kafkas_text_is_read_and_written(void **state)
{
    struct quorum_state s;
    assert_int_equal(quorum_state_parse(&s, str_from(kafka_text), NULL), 0);
    assert_int_equal(s.data_version, 0);
    assert_int_equal(s.leader_id, 1);
    assert_int_equal(s.leader_epoch, 1);
    assert_int_equal(s.voted_id, -1);
    assert_int_equal(s.voter_count, 1);
    assert_int_equal(s.voters[0], 1);
    format_is(&s, kafka_text);

    assert_int_equal(quorum_state_parse(&s, str_from(dynamic_text), NULL), 0);
    assert_int_equal(s.data_version, 1);
    assert_int_equal(s.leader_id, -1);
    assert_int_equal(s.leader_epoch, 7);
    assert_int_equal(s.voted_id, 3);
    assert_string_equal(uuid_format(s.voted_directory_id).text, "4bWbVybKYhwj_R1_r5uBZw");
    format_is(&s, dynamic_text);
}

static void every_state_comes_back(void **state)
{
    struct quorum_state s, back;
    quorum_state_init(&s);
    s.leader_epoch = INT32_MAX;
    s.voted_id = 0;
    for (int i = 0; i < QUORUM_VOTERS_MAX; i++)
        s.voters[s.voter_count++] = INT32_MAX - i;
    struct buf out;
    buf_init(&out, QUORUM_STATE_TEXT_MAX);
    quorum_state_format(&s, &out);
    assert_int_equal(quorum_state_parse(&back, buf_str(&out), NULL), 0);
    assert_true(quorum_state_equal(&s, &back));
    buf_release(&out);
}

static void anything_else_is_refused(void **state)
{
#define V0(leader, epoch, voted, voters, version)                                                  \
    "{\"clusterId\":\"\",\"leaderId\":" leader ",\"leaderEpoch\":" epoch ",\"votedId\":" voted   \
    ",\"appliedOffset\":0,\"currentVoters\":" voters ",\"data_version\":" version "}"
    static const struct {
        const char *text;
        int err;
    } cases[] = {
        {"", ERR_CORRUPT},
        {"{}", ERR_CORRUPT},
        {"[]", ERR_CORRUPT},
        {"1", ERR_CORRUPT},
        {V0("1", "1", "-1", "[{\"voterId\":1}]", "0") "x", ERR_CORRUPT},
        {V0("1", "1", "-1", "[{\"voterId\":1}]", "1"), ERR_CORRUPT},
        {V0("1", "1", "-1", "[{\"voterId\":1}]", "2"), ERR_UNSUPPORTED},
        {V0("1", "1", "-1", "[{\"voterId\":1}]", "-1"), ERR_CORRUPT},
        {V0("1", "1", "-1", "[{\"voterId\":1}]", "\"0\""), ERR_CORRUPT},
        {V0("-2", "1", "-1", "[{\"voterId\":1}]", "0"), ERR_CORRUPT},
        {V0("1", "-1", "-1", "[{\"voterId\":1}]", "0"), ERR_CORRUPT},
        {V0("1", "2147483648", "-1", "[{\"voterId\":1}]", "0"), ERR_CORRUPT},
        {V0("1", "99999999999999999999", "-1", "[{\"voterId\":1}]", "0"), ERR_CORRUPT},
        {V0("1", "1.0", "-1", "[{\"voterId\":1}]", "0"), ERR_CORRUPT},
        {V0("1", "1", "null", "[{\"voterId\":1}]", "0"), ERR_CORRUPT},
        {V0("1", "1", "-1", "{}", "0"), ERR_CORRUPT},
        {V0("1", "1", "-1", "[1]", "0"), ERR_CORRUPT},
        {V0("1", "1", "-1", "[{\"voterId\":-1}]", "0"), ERR_CORRUPT},
        {V0("1", "1", "-1", "[{\"voterId\":1,\"x\":1}]", "0"), ERR_CORRUPT},
        // A key twice, one too many, one missing
        {"{\"leaderId\":1,\"leaderId\":1,\"leaderEpoch\":1,\"votedId\":-1,"
         "\"votedDirectoryId\":\"AAAAAAAAAAAAAAAAAAAAAA\",\"data_version\":1}",
         ERR_CORRUPT},
        {"{\"leaderId\":1,\"leaderEpoch\":1,\"votedId\":-1,\"more\":0,"
         "\"votedDirectoryId\":\"AAAAAAAAAAAAAAAAAAAAAA\",\"data_version\":1}",
         ERR_CORRUPT},
        {"{\"leaderId\":1,\"leaderEpoch\":1,\"votedId\":-1,\"data_version\":1}", ERR_CORRUPT},
        {"{\"leaderId\":1,\"leaderEpoch\":1,\"votedId\":-1,\"votedDirectoryId\":\"short\","
         "\"data_version\":1}",
         ERR_CORRUPT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct quorum_state s = {.leader_epoch = 42};
        struct diag diag;
        diag_clear(&diag);
        assert_int_equal(quorum_state_parse(&s, str_from(cases[i].text), &diag), cases[i].err);
        assert_int_equal(s.leader_epoch, 42); // untouched
        assert_true(strstr(diag.text, "quorum-state") != NULL);
    }
#undef V0
}

static void every_truncation_is_refused(void **state)
{
    for (size_t size = 0; size < sizeof kafka_text - 1; size++) {
        struct quorum_state s;
        assert_int_equal(quorum_state_parse(&s, str_of(kafka_text, size), NULL), ERR_CORRUPT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kafkas_text_is_read_and_written),
        cmocka_unit_test(every_state_comes_back),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(every_truncation_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
