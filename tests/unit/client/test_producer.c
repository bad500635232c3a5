// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "client/producer.h"
#include "fake_broker.h"
#include "wire/api_keys.h"
#include "wire/errors.h"

struct fixture {
    struct fake_broker broker;
    struct producer *producer;
    struct produce_result results[FAKE_RECORDS_MAX];
    char values[FAKE_RECORDS_MAX][16]; // of failed records
    int count;
};

static void on_result(void *user, const struct produce_result *r)
{
    struct fixture *f = user;
    assert_true(f->count < FAKE_RECORDS_MAX);
    str_copy_to(bytes_str(r->value), f->values[f->count], sizeof f->values[0]);
    f->results[f->count++] = *r;
}

static void start(struct fixture *f, struct producer_options options)
{
    *f = (struct fixture){0};
    fake_broker_init(&f->broker, true);
    assert_int_equal(
        producer_new(f->broker.client, &options, on_result, f, &f->producer, NULL), 0);
}

static void stop(struct fixture *f)
{
    producer_free(f->producer);
    fake_broker_release(&f->broker);
}

static void add(struct fixture *f, int32_t partition, const char *value)
{
    struct produce_record r = {
        .topic = str_from("t"),
        .partition = partition,
        .timestamp_ms = 5,
        .value = str_bytes(str_from(value)),
        .tag = (uint64_t)(f->count + 1),
    };
    assert_int_equal(producer_add(f->producer, &r, f->broker.now_ms), 0);
}

// Lets everything happen for `ms`, in steps of 50.
static void pass(struct fixture *f, int64_t ms)
{
    for (int64_t at = 0; at <= ms; at += 50) {
        for (int i = 0; i < 4; i++) {
            producer_flush(f->producer, f->broker.now_ms);
            fake_broker_settle(&f->broker);
        }
        fake_broker_wait(&f->broker, 50);
    }
}

// The values stored in a partition, joined.
static const char *stored(const struct fake_partition *p)
{
    static char text[256];
    struct bytes rest = buf_bytes(&p->log), batch;
    struct batch_header h;
    text[0] = '\0';
    while (batch_next(&rest, &h, &batch) == 1) {
        struct batch_iter it;
        struct record r;
        assert_int_equal(batch_iter_init(&it, batch, NULL), 0);
        while (batch_iter_next(&it, &r) == 1)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%.*s,", (int)r.value.size,
                     (const char *)r.value.data);
    }
    return text;
}

static const struct producer_options idempotent = {.acks = ACKS_ALL, .idempotent = true};

static void delivers_in_order(void **state)
{
    struct fixture f;
    start(&f, idempotent);
    add(&f, 0, "a");
    add(&f, 0, "b");
    add(&f, 1, "c");
    pass(&f, 0);
    assert_int_equal(f.count, 3);
    assert_int_equal(producer_pending(f.producer), 0);
    add(&f, 0, "d");
    pass(&f, 0);
    assert_string_equal(stored(&f.broker.partitions[0]), "a,b,d,");
    assert_string_equal(stored(&f.broker.partitions[1]), "c,");
    assert_int_equal(f.results[3].offset, 2);
    assert_int_equal(f.results[3].code, 0);
    assert_int_equal(f.broker.requests[API_INIT_PRODUCER_ID], 1);
    stop(&f);
}

// The answer is lost after the batch was stored: it is sent again, and stored once.
static void a_lost_answer_does_not_double(void **state)
{
    struct fixture f;
    start(&f, idempotent);
    f.broker.lose_answer = true;
    add(&f, 0, "a");
    pass(&f, 500);
    add(&f, 0, "b");
    pass(&f, 500);
    assert_string_equal(stored(&f.broker.partitions[0]), "a,b,");
    assert_int_equal(f.count, 2);
    assert_int_equal(f.results[0].code, 0);
    assert_int_equal(f.results[0].offset, -1); // the broker did not say again where
    assert_int_equal(f.results[1].offset, 1);
    assert_int_equal(f.broker.connects, 2);
    stop(&f);
}

// Without idempotence the same doubles: the test above can fail.
static void without_idempotence_it_doubles(void **state)
{
    struct fixture f;
    start(&f, (struct producer_options){.acks = ACKS_ALL});
    f.broker.lose_answer = true;
    add(&f, 0, "a");
    pass(&f, 500);
    assert_string_equal(stored(&f.broker.partitions[0]), "a,a,");
    stop(&f);
}

static void a_moved_leader_is_found_again(void **state)
{
    struct fixture f;
    start(&f, idempotent);
    f.broker.produce_code = KAFKA_NOT_LEADER_OR_FOLLOWER;
    add(&f, 0, "a");
    pass(&f, 500);
    assert_int_equal(f.count, 1);
    assert_int_equal(f.results[0].code, 0);
    assert_int_equal(f.broker.requests[API_PRODUCE], 2);
    assert_true(f.broker.requests[API_METADATA] >= 2);
    assert_string_equal(stored(&f.broker.partitions[0]), "a,");
    stop(&f);
}

// A batch that is refused for good leaves a hole in the sequences: the epoch is bumped.
static void a_refused_batch_does_not_stop_the_next(void **state)
{
    struct fixture f;
    start(&f, idempotent);
    f.broker.produce_code = KAFKA_MESSAGE_TOO_LARGE;
    add(&f, 0, "big");
    pass(&f, 0);
    assert_int_equal(f.count, 1);
    assert_int_equal(f.results[0].code, KAFKA_MESSAGE_TOO_LARGE);
    assert_string_equal(f.values[0], "big");
    add(&f, 0, "small");
    pass(&f, 200);
    assert_int_equal(f.count, 2);
    assert_int_equal(f.results[1].code, 0);
    assert_string_equal(stored(&f.broker.partitions[0]), "small,");
    assert_int_equal(f.broker.partitions[0].producer_epoch, 1);
    assert_int_equal(f.broker.requests[API_INIT_PRODUCER_ID], 1); // the next epoch is taken, not asked for
    stop(&f);
}

// A broker that started again may know a producer's last batch alone: what it may have stored before
// that is not sent as something new.
static void a_forgotten_batch_does_not_double(void **state)
{
    struct fixture f;
    start(&f, idempotent);
    f.broker.lose_answer = true;
    add(&f, 0, "a");
    pass(&f, 0);
    f.broker.produce_code = KAFKA_NOT_ENOUGH_REPLICAS; // which tells nothing of the first try
    pass(&f, 150);
    f.broker.produce_code = KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER;
    pass(&f, 1000);
    assert_int_equal(f.count, 1);
    assert_int_equal(f.results[0].code, KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER);
    add(&f, 0, "b");
    pass(&f, 500);
    assert_int_equal(f.count, 2);
    assert_int_equal(f.results[1].code, 0);
    assert_string_equal(stored(&f.broker.partitions[0]), "a,b,");
    stop(&f);
}

static void nobody_there(void **state)
{
    struct fixture f;
    start(&f, idempotent);
    f.broker.refuse = true;
    add(&f, 0, "a");
    pass(&f, 200);
    assert_int_equal(f.count, 1);
    assert_int_equal(f.results[0].err, ERR_REFUSED);
    assert_non_null(strstr(client_trouble(f.broker.client), "broker:9092: connection refused"));
    stop(&f);
}

static void a_silent_broker_times_out(void **state)
{
    struct fixture f;
    struct producer_options options = idempotent;
    options.delivery_timeout_ms = 2000;
    options.request_timeout_ms = 500;
    start(&f, options);
    add(&f, 0, "a");
    pass(&f, 0); // delivered: the connection stands
    f.broker.mute = true;
    add(&f, 0, "b");
    pass(&f, 4000);
    assert_int_equal(f.count, 2);
    assert_int_equal(f.results[1].err, ERR_TIMEOUT);
    stop(&f);
}

static void fire_and_forget(void **state)
{
    struct fixture f;
    start(&f, (struct producer_options){.acks = ACKS_NONE});
    add(&f, 0, "a");
    pass(&f, 0);
    assert_int_equal(f.count, 1);
    assert_int_equal(f.results[0].code, 0);
    assert_int_equal(f.results[0].offset, -1);
    assert_string_equal(stored(&f.broker.partitions[0]), "a,");
    stop(&f);
}

static void the_buffer_has_a_maximum(void **state)
{
    struct fixture f;
    struct producer_options options = idempotent;
    options.buffer_bytes_max = 100;
    start(&f, options);
    struct produce_record r = {.topic = str_from("t"), .partition = 0,
                               .value = bytes_of("0123456789", 10)};
    assert_int_equal(producer_add(f.producer, &r, f.broker.now_ms), 0);
    assert_int_equal(producer_add(f.producer, &r, f.broker.now_ms), ERR_AGAIN);
    pass(&f, 0);
    assert_int_equal(producer_add(f.producer, &r, f.broker.now_ms), 0);
    char large[200] = {0};
    r.value = bytes_of(large, sizeof large);
    assert_int_equal(producer_add(f.producer, &r, f.broker.now_ms), ERR_LIMIT);
    stop(&f);
}

static void a_partition_that_is_not_there(void **state)
{
    struct fixture f;
    start(&f, idempotent);
    add(&f, 7, "a");
    pass(&f, 0);
    assert_int_equal(f.count, 1);
    assert_int_equal(f.results[0].code, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    stop(&f);
}

// A topic may be waited for less long than a delivery.
static void a_topic_that_does_not_come(void **state)
{
    struct fixture f;
    struct producer_options options = idempotent;
    options.topic_wait_ms = 1000;
    start(&f, options);
    f.broker.topic_missing = true;
    add(&f, -1, "a");
    pass(&f, 900);
    assert_int_equal(f.count, 0);
    pass(&f, 200);
    assert_int_equal(f.count, 1);
    assert_int_equal(f.results[0].code, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    assert_int_equal(f.results[0].partition, -1);
    stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delivers_in_order),
        cmocka_unit_test(a_lost_answer_does_not_double),
        cmocka_unit_test(without_idempotence_it_doubles),
        cmocka_unit_test(a_moved_leader_is_found_again),
        cmocka_unit_test(a_refused_batch_does_not_stop_the_next),
        cmocka_unit_test(a_forgotten_batch_does_not_double),
        cmocka_unit_test(nobody_there),
        cmocka_unit_test(a_silent_broker_times_out),
        cmocka_unit_test(fire_and_forget),
        cmocka_unit_test(the_buffer_has_a_maximum),
        cmocka_unit_test(a_partition_that_is_not_there),
        cmocka_unit_test(a_topic_that_does_not_come),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
