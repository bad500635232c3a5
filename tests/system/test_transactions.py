# SPDX-License-Identifier: Apache-2.0
"""Transactions with librdkafka: what readers see, who is fenced, offsets, restarts and kills."""

import time

import confluent_kafka
import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

import exactly_once
from clients import create_topic, delete_records

SECONDS = 20
PARTITIONS = 3


def producer(bootstrap, transactional_id, **settings):
    p = confluent_kafka.Producer({"bootstrap.servers": bootstrap, "transactional.id": transactional_id,
                                  "linger.ms": 5, "log_level": 2, **settings})
    p.init_transactions(SECONDS)
    return p


def write(p, topic, values, partitions=PARTITIONS):
    """Sends and waits, so that nothing is under way when the transaction ends."""
    for i, value in enumerate(values):
        p.produce(topic, value, partition=i % partitions)
    assert p.flush(SECONDS) == 0


def in_transaction(p, topic, values, commit=True):
    p.begin_transaction()
    write(p, topic, values)
    if commit:
        p.commit_transaction(SECONDS)
    else:
        p.abort_transaction(SECONDS)


def read(bootstrap, topic, isolation="read_committed", partitions=PARTITIONS):
    """Everything up to the end that this isolation level may see, by partition."""
    c = confluent_kafka.Consumer({"bootstrap.servers": bootstrap, "group.id": "unused",
                                  "enable.auto.commit": False, "isolation.level": isolation,
                                  "enable.partition.eof": True})
    c.assign([TopicPartition(topic, p, 0) for p in range(partitions)])
    found, ends = [[] for _ in range(partitions)], 0
    deadline = time.monotonic() + SECONDS
    while ends < partitions and time.monotonic() < deadline:
        m = c.poll(1)
        if m is None:
            continue
        if m.error() is not None:
            assert m.error().code() == KafkaError._PARTITION_EOF, m.error()
            ends += 1
        else:
            found[m.partition()].append(m.value())
    c.close()
    assert ends == partitions
    return found


def read_all(bootstrap, topic, isolation="read_committed", partitions=PARTITIONS):
    return sorted(v for p in read(bootstrap, topic, isolation, partitions) for v in p)


def ends(bootstrap, topic, isolation, partitions=PARTITIONS):
    c = confluent_kafka.Consumer({"bootstrap.servers": bootstrap, "group.id": "unused",
                                  "isolation.level": isolation})
    found = [c.get_watermark_offsets(TopicPartition(topic, p), SECONDS)[1] for p in range(partitions)]
    c.close()
    return found


def eventually(condition, seconds=SECONDS):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)


def numbers(first, count):
    return [b"%04d" % n for n in range(first, first + count)]


# ---- What readers see ----

def test_committed_is_seen_and_aborted_is_not(bootstrap, topic):
    create_topic(bootstrap, topic, PARTITIONS)
    p = producer(bootstrap, topic)
    for n in range(8):
        in_transaction(p, topic, numbers(n * 10, 10), commit=n % 2 == 0)
    seen = [v for n in range(0, 8, 2) for v in numbers(n * 10, 10)]
    # EndTxn is answered before the markers are written.
    eventually(lambda: read_all(bootstrap, topic) == seen)
    assert read_all(bootstrap, topic, "read_uncommitted") == numbers(0, 80)


def test_an_open_transaction_holds_readers_back(bootstrap, topic):
    create_topic(bootstrap, topic, PARTITIONS)
    plain = confluent_kafka.Producer({"bootstrap.servers": bootstrap})
    p = producer(bootstrap, topic)
    write(plain, topic, numbers(0, 3))
    p.begin_transaction()
    write(p, topic, numbers(3, 3))
    write(plain, topic, numbers(6, 3))
    assert ends(bootstrap, topic, "read_committed") == [1, 1, 1]
    assert ends(bootstrap, topic, "read_uncommitted") == [3, 3, 3]
    assert read_all(bootstrap, topic) == numbers(0, 3)
    assert read_all(bootstrap, topic, "read_uncommitted") == numbers(0, 9)
    p.commit_transaction(SECONDS)
    eventually(lambda: ends(bootstrap, topic, "read_committed") == [4, 4, 4])
    assert read_all(bootstrap, topic) == numbers(0, 9)


def test_a_waiting_reader_is_woken_by_the_marker(bootstrap, topic):
    create_topic(bootstrap, topic)
    c = confluent_kafka.Consumer({"bootstrap.servers": bootstrap, "group.id": "unused",
                                  "isolation.level": "read_committed", "fetch.wait.max.ms": 15000})
    c.assign([TopicPartition(topic, 0, 0)])
    p = producer(bootstrap, topic)
    p.begin_transaction()
    write(p, topic, [b"x"], 1)
    assert c.poll(0.5) is None
    p.commit_transaction(SECONDS)
    begin = time.monotonic()
    assert c.poll(10).value() == b"x"
    assert time.monotonic() - begin < 2
    c.close()


def test_transactions_of_several_producers_overlap(bootstrap, topic):
    create_topic(bootstrap, topic, PARTITIONS)
    a, b = producer(bootstrap, topic + "-a"), producer(bootstrap, topic + "-b")
    a.begin_transaction()
    b.begin_transaction()
    write(a, topic, numbers(0, 6))
    write(b, topic, numbers(6, 6))
    write(a, topic, numbers(12, 6))
    b.abort_transaction(SECONDS)
    assert read_all(bootstrap, topic) == []
    a.commit_transaction(SECONDS)
    eventually(lambda: read_all(bootstrap, topic) == numbers(0, 6) + numbers(12, 6))


def test_deleting_records_under_an_open_transaction(bootstrap, topic):
    create_topic(bootstrap, topic)
    port = int(bootstrap.rsplit(":", 1)[1])
    p = producer(bootstrap, topic)
    p.begin_transaction()
    write(p, topic, numbers(0, 6), 1)
    assert delete_records(port, topic, 0, 4) == 4
    write(p, topic, numbers(6, 2), 1)
    p.commit_transaction(SECONDS)
    eventually(lambda: read_committed_from(bootstrap, topic, 4) == numbers(4, 4))


def read_committed_from(bootstrap, topic, offset):
    c = confluent_kafka.Consumer({"bootstrap.servers": bootstrap, "group.id": "unused",
                                  "isolation.level": "read_committed", "enable.partition.eof": True})
    c.assign([TopicPartition(topic, 0, offset)])
    found = []
    while (m := c.poll(SECONDS)).error() is None:
        found.append(m.value())
    c.close()
    return found


# ---- Fencing ----

def is_fenced(error):
    return error.code() in (KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH,
                            KafkaError.PRODUCER_FENCED if hasattr(KafkaError, "PRODUCER_FENCED") else 90)


def test_a_second_instance_fences_the_first(bootstrap, topic):
    create_topic(bootstrap, topic, PARTITIONS)
    first = producer(bootstrap, topic)
    first.begin_transaction()
    write(first, topic, numbers(0, 3))
    second = producer(bootstrap, topic)
    with pytest.raises(KafkaException) as failure:
        first.commit_transaction(SECONDS)
    assert is_fenced(failure.value.args[0]), failure.value
    in_transaction(second, topic, numbers(3, 3))
    eventually(lambda: read_all(bootstrap, topic) == numbers(3, 3))


def test_a_transaction_that_takes_too_long_is_aborted(own_broker):
    b = own_broker(
        overrides=["transaction.abort.timed.out.transaction.cleanup.interval.ms=100"]).start()
    create_topic(b.bootstrap, "t", PARTITIONS)
    p = producer(b.bootstrap, "slow", **{"transaction.timeout.ms": 1500})
    p.begin_transaction()
    write(p, "t", numbers(0, 3))
    eventually(lambda: ends(b.bootstrap, "t", "read_committed") == [2, 2, 2])
    with pytest.raises(KafkaException):
        p.commit_transaction(SECONDS)
    assert read_all(b.bootstrap, "t") == []
    b.stop()


# ---- Offsets ----

def committed(bootstrap, group, topic, isolation="read_uncommitted"):
    c = confluent_kafka.Consumer({"bootstrap.servers": bootstrap, "group.id": group,
                                  "isolation.level": isolation})
    found = c.committed([TopicPartition(topic, 0)], SECONDS)[0].offset
    c.close()
    return max(found, -1)


def test_offsets_hold_with_their_transaction(bootstrap, topic):
    create_topic(bootstrap, topic, PARTITIONS)
    group = "g-" + topic
    c = confluent_kafka.Consumer({"bootstrap.servers": bootstrap, "group.id": group})
    p = producer(bootstrap, topic)

    def commit(offset, ending):
        p.begin_transaction()
        write(p, topic, [b"x"])
        p.send_offsets_to_transaction([TopicPartition(topic, 0, offset)], c.consumer_group_metadata(),
                                      SECONDS)
        ending(SECONDS)

    commit(5, p.commit_transaction)
    eventually(lambda: committed(bootstrap, group, topic) == 5)
    commit(7, p.abort_transaction)
    assert committed(bootstrap, group, topic, "read_committed") == 5
    p.begin_transaction()
    p.send_offsets_to_transaction([TopicPartition(topic, 0, 9)], c.consumer_group_metadata(), SECONDS)
    assert committed(bootstrap, group, topic) == 5
    p.commit_transaction(SECONDS)
    eventually(lambda: committed(bootstrap, group, topic, "read_committed") == 9)
    c.close()


def test_who_wants_stable_offsets_waits_for_them(bootstrap, topic):
    create_topic(bootstrap, topic)
    group = "g-" + topic
    c = confluent_kafka.Consumer({"bootstrap.servers": bootstrap, "group.id": group})
    p = producer(bootstrap, topic)
    p.begin_transaction()
    p.send_offsets_to_transaction([TopicPartition(topic, 0, 9)], c.consumer_group_metadata(), SECONDS)
    strict = confluent_kafka.Consumer({"bootstrap.servers": bootstrap, "group.id": group,
                                       "isolation.level": "read_committed"})
    with pytest.raises(KafkaException):
        strict.committed([TopicPartition(topic, 0)], 1)
    p.commit_transaction(SECONDS)
    assert strict.committed([TopicPartition(topic, 0)], SECONDS)[0].offset == 9
    strict.close()
    c.close()


# ---- Restarts ----

@pytest.mark.parametrize("how", ["stop", "kill"])
def test_an_open_transaction_outlives_the_broker(own_broker, how):
    b = own_broker().start()
    create_topic(b.bootstrap, "t", PARTITIONS)
    done, open_one = producer(b.bootstrap, "done"), producer(b.bootstrap, "open")
    in_transaction(done, "t", numbers(0, 6))
    in_transaction(done, "t", numbers(6, 6), commit=False)
    open_one.begin_transaction()
    write(open_one, "t", numbers(12, 6))
    getattr(b, how)()
    b.start()
    assert read_all(b.bootstrap, "t") == numbers(0, 6)
    write(open_one, "t", numbers(18, 6))
    open_one.commit_transaction(SECONDS)
    in_transaction(done, "t", numbers(24, 6))
    eventually(lambda: read_all(b.bootstrap, "t") == numbers(0, 6) + numbers(12, 18))
    b.stop()
    b.start()
    assert read_all(b.bootstrap, "t") == numbers(0, 6) + numbers(12, 18)
    b.stop()


def test_kills_leave_whole_transactions(tmp_path):
    seed = int(time.time())
    print(f"seed {seed}")
    assert exactly_once.run_atomic(tmp_path / "data", kills=5, seed=seed) == []


def test_each_record_is_transformed_exactly_once(tmp_path):
    seed = int(time.time())
    print(f"seed {seed}")
    assert exactly_once.run_transform(tmp_path / "data", kills=3, seed=seed) == []


@pytest.mark.parametrize("partitions,acknowledged,words", [
    ([[1, 2], [1, 2]], {1, 2}, None),
    ([[1, 2, 3], [1, 2, 3]], {1, 2}, None),  # an answer that got lost
    ([[1], [1, 2]], {1}, "transaction 2 is in 1 of 2 partitions"),
    ([[1], [1]], {1, 2}, "transaction 2 was acknowledged"),
    ([[1, 1], [1, 1]], {1}, "transaction 1 is there twice"),
])
def test_the_judge_of_kills(partitions, acknowledged, words):
    problems = exactly_once.judge_atomic(partitions, acknowledged)
    assert (problems == []) == (words is None)
    assert words is None or words in problems[0]
