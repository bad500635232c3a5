// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "client/fetcher.h"
#include "fake_broker.h"
#include "wire/api_keys.h"
#include "wire/errors.h"

struct fixture {
    struct fake_broker broker;
    struct fetcher *fetcher;
    char read[256];   // values, joined
    char events[256]; // "done0@3," for example
};

static void on_event(void *user, const struct fetch_event *e)
{
    static const char *const names[] = {"done", "reset", "failed", "trouble"};
    struct fixture *f = user;
    size_t at = strlen(f->events);
    snprintf(f->events + at, sizeof f->events - at, "%s%d@%lld,", names[e->kind], e->partition,
             (long long)(e->kind == FETCH_RESET ? e->value : e->offset));
}

// Puts a batch with these one-letter values into a partition.
static void put(struct fake_partition *p, const char *values, int16_t attributes)
{
    struct batch_builder b;
    struct batch_options options = BATCH_OPTIONS_DEFAULT;
    options.base_offset = p->end;
    options.attributes = attributes;
    if (attributes & BATCH_TRANSACTIONAL)
        options.producer_id = 9, options.producer_epoch = 0;
    batch_builder_begin(&b, &p->log, &options);
    for (const char *v = values; *v != '\0'; v++, p->end++)
        batch_builder_add(&b, 5, (struct bytes){0}, bytes_of(v, 1), NULL, 0);
    assert_int_equal(batch_builder_finish(&b, NULL), 0);
}

static void start(struct fixture *f)
{
    *f = (struct fixture){0};
    fake_broker_init(&f->broker, true);
    client_want_topic(f->broker.client, str_from("t"), false);
    f->fetcher = fetcher_new(f->broker.client, &(struct fetcher_options){.check_crcs = true},
                             on_event, f);
}

static void stop(struct fixture *f)
{
    fetcher_free(f->fetcher);
    fake_broker_release(&f->broker);
}

static void read_all(struct fixture *f, int64_t ms)
{
    for (int64_t at = 0; at <= ms; at += 50) {
        for (int i = 0; i < 8; i++) {
            struct fetched r;
            fetcher_on_time(f->fetcher, f->broker.now_ms);
            fake_broker_settle(&f->broker);
            while (fetcher_next(f->fetcher, &r, f->broker.now_ms) == 1) {
                size_t end = strlen(f->read);
                snprintf(f->read + end, sizeof f->read - end, "%.*s", (int)r.record.value.size,
                         (const char *)r.record.value.data);
            }
        }
        fake_broker_wait(&f->broker, 50);
    }
}

struct read_case {
    struct fetch_position from;
    struct fetch_limit to;
    const char *read;
    const char *events;
};

// A log of offsets 2 to 9, in batches "cd", "efg", "hij".
static void ranges(void **state)
{
    static const struct read_case cases[] = {
        {{FETCH_FROM_EARLIEST, 0}, {FETCH_TO_LATEST, 0}, "cdefghij", "done0@10,"},
        {{FETCH_FROM_EARLIEST, 3}, {FETCH_TO_LATEST, 0}, "fghij", "done0@10,"},
        {{FETCH_FROM_EARLIEST, 99}, {FETCH_TO_LATEST, 0}, "", "done0@10,"},
        {{FETCH_FROM_LATEST, 2}, {FETCH_TO_LATEST, 0}, "ij", "done0@10,"},
        {{FETCH_FROM_LATEST, 99}, {FETCH_TO_LATEST, 1}, "cdefghi", "done0@9,"},
        {{FETCH_FROM_OFFSET, 5}, {FETCH_TO_OFFSET, 7}, "fg", "done0@7,"},
        {{FETCH_FROM_OFFSET, 5}, {FETCH_TO_OFFSET, 5}, "", "done0@5,"},
        {{FETCH_FROM_OFFSET, 8}, {FETCH_FOREVER, 0}, "ij", ""},
        {{FETCH_FROM_OFFSET, 0}, {FETCH_TO_OFFSET, 4}, "cd", "reset0@2,done0@4,"},
        {{FETCH_FROM_OFFSET, 50}, {FETCH_FOREVER, 0}, "", "reset0@10,"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture f;
        start(&f);
        struct fake_partition *p = &f.broker.partitions[0];
        p->start = p->end = 2;
        put(p, "cd", 0);
        put(p, "efg", 0);
        put(p, "hij", 0);
        fetcher_add(f.fetcher, str_from("t"), 0, cases[i].from, cases[i].to, f.broker.now_ms);
        read_all(&f, 300);
        if (strcmp(f.read, cases[i].read) != 0 || strcmp(f.events, cases[i].events) != 0)
            fail_msg("case %zu: \"%s\" %s", i, f.read, f.events);
        stop(&f);
    }
}

static void several_partitions(void **state)
{
    struct fixture f;
    start(&f);
    put(&f.broker.partitions[0], "ab", 0);
    put(&f.broker.partitions[1], "xyz", 0);
    for (int i = 0; i < 2; i++)
        fetcher_add(f.fetcher, str_from("t"), i, (struct fetch_position){FETCH_FROM_EARLIEST, 0},
                    (struct fetch_limit){FETCH_TO_LATEST, 0}, f.broker.now_ms);
    read_all(&f, 300);
    assert_int_equal(strlen(f.read), 5);
    assert_int_equal(fetcher_active(f.fetcher), 0);
    stop(&f);
}

static void control_records_are_hidden(void **state)
{
    struct fixture f;
    start(&f);
    struct fake_partition *p = &f.broker.partitions[0];
    put(p, "a", BATCH_TRANSACTIONAL);
    put(p, "M", BATCH_TRANSACTIONAL | BATCH_CONTROL);
    put(p, "b", 0);
    fetcher_add(f.fetcher, str_from("t"), 0, (struct fetch_position){FETCH_FROM_EARLIEST, 0},
                (struct fetch_limit){FETCH_TO_LATEST, 0}, f.broker.now_ms);
    read_all(&f, 300);
    assert_string_equal(f.read, "ab");
    assert_string_equal(f.events, "done0@3,");
    stop(&f);
}

static void damage_is_reported(void **state)
{
    struct fixture f;
    start(&f);
    struct fake_partition *p = &f.broker.partitions[0];
    put(p, "ab", 0);
    put(p, "cd", 0);
    p->log.data[p->log.size - 2] ^= 1;
    fetcher_add(f.fetcher, str_from("t"), 0, (struct fetch_position){FETCH_FROM_EARLIEST, 0},
                (struct fetch_limit){FETCH_TO_LATEST, 0}, f.broker.now_ms);
    read_all(&f, 300);
    assert_string_equal(f.read, "ab");
    assert_string_equal(f.events, "failed0@2,");
    stop(&f);
}

static void a_missing_topic_is_given_up(void **state)
{
    struct fixture f;
    start(&f);
    f.broker.topic_missing = true;
    fetcher_add(f.fetcher, str_from("t"), 0, (struct fetch_position){FETCH_FROM_OFFSET, 0},
                (struct fetch_limit){FETCH_FOREVER, 0}, f.broker.now_ms);
    read_all(&f, 500);
    assert_non_null(strstr(f.events, "failed0@"));
    assert_int_equal(fetcher_active(f.fetcher), 0);
    stop(&f);
}

// An offset that is not in the log: what each policy makes of it.
static void resets(void **state)
{
    static const struct {
        enum fetch_reset reset;
        const char *read;
        const char *events;
    } cases[] = {
        {FETCH_RESET_NEAREST, "", "reset0@10,"},
        {FETCH_RESET_EARLIEST, "cdefghij", "reset0@2,"},
        {FETCH_RESET_LATEST, "", "reset0@10,"},
        {FETCH_RESET_NONE, "", "failed0@50,"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture f;
        start(&f);
        fetcher_free(f.fetcher);
        f.fetcher = fetcher_new(f.broker.client,
                                &(struct fetcher_options){.reset = cases[i].reset}, on_event, &f);
        struct fake_partition *p = &f.broker.partitions[0];
        p->start = p->end = 2;
        put(p, "cdefghij", 0);
        fetcher_add(f.fetcher, str_from("t"), 0, (struct fetch_position){FETCH_FROM_OFFSET, 50},
                    (struct fetch_limit){0}, f.broker.now_ms);
        read_all(&f, 600);
        if (strcmp(f.read, cases[i].read) != 0 || strcmp(f.events, cases[i].events) != 0)
            fail_msg("case %zu: \"%s\" %s", i, f.read, f.events);
        stop(&f);
    }
}

static void tell_position(void *user, struct str topic, int32_t partition, int64_t offset, int32_t epoch)
{
    struct buf *out = user;
    buf_printf(out, "%.*s%d@%lld ", STR_ARG(topic), partition, (long long)offset);
}

// A partition that was read ahead goes away and comes back at an earlier offset: nothing of what was
// there before it is handed out, so there is no gap; the other one is not disturbed.
static void a_partition_comes_back(void **state)
{
    struct fixture f;
    struct fetched r;
    struct buf positions;
    buf_init(&positions, 100);
    start(&f);
    put(&f.broker.partitions[0], "abc", 0);
    put(&f.broker.partitions[1], "xyz", 0);
    for (int i = 0; i < 2; i++)
        fetcher_add(f.fetcher, str_from("t"), i, (struct fetch_position){FETCH_FROM_OFFSET, 1},
                    (struct fetch_limit){0}, f.broker.now_ms);
    for (int i = 0; i < 8; i++) {
        fetcher_on_time(f.fetcher, f.broker.now_ms);
        fake_broker_wait(&f.broker, 50);
    }
    assert_int_equal(fetcher_next(f.fetcher, &r, f.broker.now_ms), 1); // the other comes in the same answer
    assert_int_equal(r.partition, 0);
    assert_int_equal(*r.record.value.data, 'b');
    fetcher_positions(f.fetcher, tell_position, &positions);
    assert_string_equal(buf_text(&positions), "t0@2 t1@1 ");
    buf_release(&positions);
    fetcher_remove(f.fetcher, str_from("t"), 0);
    fetcher_remove(f.fetcher, str_from("t"), 7);
    assert_int_equal(fetcher_active(f.fetcher), 1);
    fetcher_add(f.fetcher, str_from("t"), 0, (struct fetch_position){FETCH_FROM_OFFSET, 0},
                (struct fetch_limit){0}, f.broker.now_ms);
    read_all(&f, 31000); // the poll under way, which has no end here, times out
    assert_string_equal(f.read, "yzabc");
    stop(&f);
}

// The answer to a request that asked for a removed partition is not taken for its successor.
static void a_partition_goes_while_it_is_asked_for(void **state)
{
    struct fixture f;
    start(&f);
    put(&f.broker.partitions[0], "abc", 0);
    fetcher_add(f.fetcher, str_from("t"), 0, (struct fetch_position){FETCH_FROM_OFFSET, 1},
                (struct fetch_limit){0}, f.broker.now_ms);
    while (f.broker.requests[API_FETCH] == 0) {
        fetcher_on_time(f.fetcher, f.broker.now_ms);
        if (f.broker.requests[API_METADATA] > 0) {
            fetcher_on_time(f.fetcher, f.broker.now_ms); // asks
            fetcher_remove(f.fetcher, str_from("t"), 0);
            fetcher_add(f.fetcher, str_from("t"), 0, (struct fetch_position){FETCH_FROM_OFFSET, 0},
                        (struct fetch_limit){0}, f.broker.now_ms);
        }
        fake_broker_wait(&f.broker, 50);
    }
    read_all(&f, 300);
    assert_string_equal(f.read, "abc");
    stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges),
        cmocka_unit_test(several_partitions),
        cmocka_unit_test(control_records_are_hidden),
        cmocka_unit_test(damage_is_reported),
        cmocka_unit_test(a_missing_topic_is_given_up),
        cmocka_unit_test(resets),
        cmocka_unit_test(a_partition_comes_back),
        cmocka_unit_test(a_partition_goes_while_it_is_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
