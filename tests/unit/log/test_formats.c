// SPDX-License-Identifier: Apache-2.0
//
// The small files and names of a log directory.
#include <stdio.h>

#include "log/checkpoint.h"
#include "log/dir_cache.h"
#include "log/epoch_cache.h"
#include "log/meta_properties.h"
#include "log/names.h"
#include "log/partition_metadata.h"
#include "log/producer_state.h"
#include "testing.h"

static void file_names(void **state)
{
    static const struct {
        const char *name;
        bool good;
        enum log_file_kind kind;
        enum log_file_state state;
        int64_t offset;
    } cases[] = {
        {"00000000000000000000.log", true, LOG_FILE_LOG, LOG_FILE_LIVE, 0},
        {"00000000000000000012.timeindex", true, LOG_FILE_TIME_INDEX, LOG_FILE_LIVE, 12},
        {"09223372036854775807.snapshot", true, LOG_FILE_SNAPSHOT, LOG_FILE_LIVE, INT64_MAX},
        {"00000000000000000012.txnindex.deleted", true, LOG_FILE_TXN_INDEX, LOG_FILE_DELETED, 12},
        {"00000000000000000012.log.swap", true, LOG_FILE_LOG, LOG_FILE_SWAP, 12},
        {"00000000000000000012.index.cleaned", true, LOG_FILE_INDEX, LOG_FILE_CLEANED, 12},
        {"0000000000000000012.log", false, 0, 0, 0},
        {"000000000000000000012.log", false, 0, 0, 0},
        {"99999999999999999999.log", false, 0, 0, 0},
        {"0000000000000000001x.log", false, 0, 0, 0},
        {"00000000000000000012.logs", false, 0, 0, 0},
        {"00000000000000000012", false, 0, 0, 0},
        {"", false, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct log_file_name f;
        assert_int_equal(log_file_name_parse(cases[i].name, &f), cases[i].good);
        if (!cases[i].good)
            continue;
        assert_int_equal(f.kind, cases[i].kind);
        assert_int_equal(f.state, cases[i].state);
        assert_int_equal(f.offset, cases[i].offset);
    }
}

static void directory_names(void **state)
{
    static const struct {
        const char *name;
        bool good;
        enum log_dir_kind kind;
        const char *topic;
        int32_t partition;
    } cases[] = {
        {"a-0", true, LOG_DIR_LIVE, "a", 0},
        {"a-b-12", true, LOG_DIR_LIVE, "a-b", 12},
        {"a-delete-3", true, LOG_DIR_LIVE, "a-delete", 3},
        {"a-1.0123456789abcdef0123456789abcdef-delete", true, LOG_DIR_DELETE, "a", 1},
        {"a.b-1.0123456789abcdef0123456789abcdef-stray", true, LOG_DIR_STRAY, "a.b", 1},
        {"a-1.0123-future", true, LOG_DIR_FUTURE, "a", 1},
        {"a-", false, 0, 0, 0},
        {"-1", false, 0, 0, 0},
        {"a", false, 0, 0, 0},
        {"a--1", true, LOG_DIR_LIVE, "a-", 1},
        {"a-99999999999", false, 0, 0, 0},
        {"a-07", false, 0, 0, 0},
        {"a-00", false, 0, 0, 0},
        {"lost+found", false, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct log_dir_name d;
        assert_int_equal(log_dir_name_parse(cases[i].name, &d), cases[i].good);
        if (!cases[i].good)
            continue;
        assert_int_equal(d.kind, cases[i].kind);
        assert_true(str_is(d.topic, cases[i].topic));
        assert_int_equal(d.partition, cases[i].partition);
    }
    char name[256], topic[250];
    memset(topic, 'x', 249);
    topic[249] = '\0';
    log_dir_name_format(name, str_from(topic), 123456, LOG_DIR_DELETE, uuid_from_halves(1, 2));
    assert_int_equal(strlen(name), 255); // what a file system takes
    assert_true(str_ends_with(str_from(name), ".00000000000000010000000000000002-delete"));
}

static void checkpoints(void **state)
{
    static const struct {
        const char *text;
        int result;
        int count;
        int64_t b1; // of "b" 1
    } cases[] = {
        {"", 0, 0, -1},
        {"0\n0\n", 0, 0, -1},
        {"0\n2\nb 1 7\na 0 5\n", 0, 2, 7},
        {"0\n1\nb 1 7", 0, 1, 7},
        {"1\n0\n", ERR_CORRUPT, 0, -1},
        {"0\n2\nb 1 7\n", ERR_CORRUPT, 0, -1},
        {"0\n99999999999\nb 1 7\n", ERR_CORRUPT, 0, -1},
        {"0\nx\n", ERR_CORRUPT, 0, -1},
        {"0\n1\nb 1\n", ERR_CORRUPT, 0, -1},
        {"0\n1\nb -1 7\n", ERR_CORRUPT, 0, -1},
        {"0\n1\nb 1 7 8\n", ERR_CORRUPT, 0, -1},
        {"garbage", ERR_CORRUPT, 0, -1},
    };
    struct checkpoint c;
    struct diag diag;
    checkpoint_init(&c);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(checkpoint_parse(&c, str_from(cases[i].text), &diag), cases[i].result);
        assert_int_equal(c.count, cases[i].count);
        assert_int_equal(checkpoint_find(&c, str_from("b"), 1), cases[i].b1);
        assert_int_equal(checkpoint_find(&c, str_from("b"), 2), -1);
    }
    checkpoint_release(&c);
}

static void epochs(void **state)
{
    struct epoch_cache c;
    int32_t epoch;
    int64_t end;
    epoch_cache_init(&c);
    assert_int_equal(epoch_cache_latest(&c), -1);
    epoch_cache_end(&c, 0, 10, &epoch, &end);
    assert_int_equal(end, -1);
    assert_true(epoch_cache_assign(&c, 1, 5));
    assert_false(epoch_cache_assign(&c, 1, 9)); // known
    assert_true(epoch_cache_assign(&c, 3, 20));
    assert_true(epoch_cache_assign(&c, 6, 30));
    static const int64_t ends[][3] = {
        {0, 0, 5}, {1, 1, 20}, {2, 1, 20}, {3, 3, 30}, {5, 3, 30}, {6, 6, 40}, {7, -1, -1}};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        epoch_cache_end(&c, (int32_t)ends[i][0], 40, &epoch, &end);
        assert_int_equal(epoch, ends[i][1]);
        assert_int_equal(end, ends[i][2]);
    }
    assert_int_equal(epoch_cache_at(&c, 4), -1);
    assert_int_equal(epoch_cache_at(&c, 29), 3);
    assert_true(epoch_cache_truncate_start(&c, 25));
    assert_int_equal(c.count, 2);
    assert_int_equal(c.entries[0].start_offset, 25);
    assert_true(epoch_cache_assign(&c, 4, 28)); // takes the later ones away
    assert_int_equal(epoch_cache_latest(&c), 4);
    assert_true(epoch_cache_truncate_end(&c, 28));
    assert_int_equal(c.count, 1);

    struct buf text;
    struct diag diag;
    buf_init(&text, 1000);
    epoch_cache_format(&c, &text);
    assert_true(str_is(buf_str(&text), "0\n1\n3 25\n"));
    assert_int_equal(epoch_cache_parse(&c, str_from("0\n2\n1 5\n1 9\n"), &diag), ERR_CORRUPT);
    assert_int_equal(epoch_cache_parse(&c, str_from("0\n2\n1 5\n2 4\n"), &diag), ERR_CORRUPT);
    assert_int_equal(epoch_cache_parse(&c, str_from("0\n1\n1 5\n2 9\n"), &diag), ERR_CORRUPT);
    assert_int_equal(epoch_cache_parse(&c, buf_str(&text), &diag), 0);
    buf_release(&text);
    epoch_cache_release(&c);
}

static int read_meta(const char *text, struct log_dir_meta *out, struct properties *p)
{
    struct diag diag;
    properties_init(p);
    assert_int_equal(properties_parse(p, str_from(text), &diag), 0);
    return meta_properties_read(p, out, &diag);
}

static void meta_properties(void **state)
{
    struct log_dir_meta meta;
    struct properties p;
    assert_int_equal(read_meta("#\n#Sat\nnode.id=1\ndirectory.id=tG1SCfa9oxmkSP_CaMd-gg\nversion=1\n"
                               "cluster.id=MkU3OEVBNTcwNTJENDM2Qg\nown=x\n", &meta, &p), 0);
    assert_int_equal(meta.version, 1);
    assert_int_equal(meta.node_id, 1);
    assert_true(str_is(meta.cluster_id, "MkU3OEVBNTcwNTJENDM2Qg"));
    assert_string_equal(uuid_format(meta.directory_id).text, "tG1SCfa9oxmkSP_CaMd-gg");
    struct buf text;
    buf_init(&text, 1000);
    meta_properties_format(&p, 2, str_from("c"), meta.directory_id, &text);
    assert_string_equal(buf_text(&text), "#\nnode.id=2\ndirectory.id=tG1SCfa9oxmkSP_CaMd-gg\nversion=1\n"
                                         "cluster.id=c\nown=x\n");
    buf_release(&text);
    properties_release(&p);
    static const struct {
        const char *text;
        int result;
    } cases[] = {
        {"version=0\nbroker.id=3\n", 0},
        {"version=1\nnode.id=3\ncluster.id=c\n", 0},
        {"node.id=3\ncluster.id=c\n", ERR_CORRUPT},
        {"version=2\nnode.id=3\ncluster.id=c\n", ERR_UNSUPPORTED},
        {"version=1\ncluster.id=c\n", ERR_CORRUPT},
        {"version=1\nnode.id=x\ncluster.id=c\n", ERR_CORRUPT},
        {"version=1\nnode.id=3\ncluster.id=c\ndirectory.id=AAAAAAAAAAAAAAAAAAAAAQ\n", ERR_CORRUPT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(read_meta(cases[i].text, &meta, &p), cases[i].result);
        properties_release(&p);
    }
}

static void partition_metadata(void **state)
{
    struct uuid id;
    struct diag diag;
    assert_int_equal(partition_metadata_parse(
        str_from("version: 0\ntopic_id: ImHG3ZgIT1e7tvmZAixX2A"), &id, &diag), 0);
    assert_string_equal(uuid_format(id).text, "ImHG3ZgIT1e7tvmZAixX2A");
    static const char *const bad[] = {"", "version: 0", "version: 0\ntopic_id: ", "version: 1\n",
                                      "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAA", "topic_id: x"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_true(partition_metadata_parse(str_from(bad[i]), &id, &diag) < 0);
}

static void a_snapshot_must_be_whole(void **state)
{
    struct producer_state s;
    struct buf bytes;
    int32_t count;
    producer_state_init(&s);
    buf_init(&bytes, 1000);
    producer_state_snapshot(&s, &bytes);
    assert_int_equal(bytes.size, SNAPSHOT_HEADER_SIZE); // as Kafka's of an empty state
    assert_int_equal(snapshot_check(buf_bytes(&bytes), &count), 0);
    assert_int_equal(count, 0);
    for (size_t i = 0; i < bytes.size; i++) {
        bytes.data[i] ^= 1;
        assert_true(snapshot_check(buf_bytes(&bytes), &count) < 0);
        bytes.data[i] ^= 1;
        assert_true(snapshot_check(bytes_of(bytes.data, i), &count) < 0);
    }
    buf_release(&bytes);
    producer_state_release(&s);
}

static int parse_dirs(struct dir_cache *c, const char *lines)
{
    struct diag diag;
    dir_cache_init(c);
    buf_append_text(&c->text, lines);
    dir_cache_format_end(&c->text);
    return dir_cache_parse(c, &diag);
}

#define DIR_ID "km6SpL29RKyqIPbP7o7TLQ"
#define DIRS "chitin directories 0\n"

// FROZEN.
static void directories(void **state)
{
    static const char *const damaged[] = {
        "", "chitin directories 1\n", "chitin directories 0", DIRS "\n",
        DIRS "t 0 " DIR_ID " 1 2\n",       // no segment
        DIRS "t 0 " DIR_ID " 1 2 \n",
        DIRS "t 0 " DIR_ID " 1 2 -5\n",
        DIRS "t 0 " DIR_ID " 1 2 5 5\n",    // not ascending
        DIRS "t 0 " DIR_ID " 1 2 5 t\n",
        DIRS "t 0 " DIR_ID " 1 0 5\n",     // no time of change
        DIRS "t 0 " DIR_ID " x 2 5\n",
        DIRS "t 0 AAAAAAAAAAAAAAAAAAAAAA 1 2 5\n",
        DIRS "t -1 " DIR_ID " 1 2 5\n",
        DIRS " 0 " DIR_ID " 1 2 5\n",
        DIRS "t\n",
        DIRS "t 1 " DIR_ID " 1 2 5\nt 1 " DIR_ID " 1 2 5\n", // twice
        DIRS "t 9 " DIR_ID " 1 2 5\nt 10 " DIR_ID " 1 2 5\nt 2 " DIR_ID " 1 2 5\n",
    };
    struct dir_cache c;
    const char *lines = DIRS "a 9 " DIR_ID " 77 1795299205527704437 0 5t 19\n"
                             "a 10 " DIR_ID " -1 1 9223372036854775807t\n";
    assert_int_equal(parse_dirs(&c, lines), 0);
    assert_int_equal(c.dir_count, 2);
    assert_true(str_is(c.dirs[0].topic, "a"));
    assert_int_equal(c.dirs[0].partition, 9);
    assert_int_equal(c.dirs[0].stamp.file_id, 77);
    assert_int_equal(c.dirs[0].stamp.changed_ns, INT64_C(1795299205527704437));
    assert_int_equal(c.dirs[0].segment_count, 3);
    assert_int_equal(c.dirs[0].segments[1].base_offset, 5);
    assert_true(c.dirs[0].segments[1].has_txn_index);
    assert_false(c.dirs[0].segments[2].has_txn_index);
    assert_true(c.dirs[1].stamp.file_id == UINT64_MAX);
    assert_int_equal(c.dirs[1].segments[0].base_offset, INT64_MAX);
    struct buf again;
    buf_init(&again, 1000);
    dir_cache_format_begin(&again);
    for (int i = 0; i < c.dir_count; i++)
        dir_cache_format_entry(&again, &c.dirs[i]);
    dir_cache_format_end(&again);
    assert_true(str_equal(buf_str(&again), buf_str(&c.text)));
    assert_true(str_ends_with(buf_str(&again), "crc32c 56b89eea\n"));
    buf_release(&again);
    for (size_t i = 0; i < c.text.size; i++) {
        struct diag diag;
        c.text.data[i] ^= 1;
        assert_int_equal(dir_cache_parse(&c, &diag), ERR_CORRUPT);
        assert_int_equal(c.dir_count, 0);
        c.text.data[i] ^= 1;
    }
    dir_cache_release(&c);
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        if (parse_dirs(&c, damaged[i]) != ERR_CORRUPT)
            fail_msg("\"%s\" passes", damaged[i]);
        assert_int_equal(c.dir_count, 0);
        dir_cache_release(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(file_names),
        cmocka_unit_test(directory_names),
        cmocka_unit_test(checkpoints),
        cmocka_unit_test(epochs),
        cmocka_unit_test(meta_properties),
        cmocka_unit_test(partition_metadata),
        cmocka_unit_test(directories),
        cmocka_unit_test(a_snapshot_must_be_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
