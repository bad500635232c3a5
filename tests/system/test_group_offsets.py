# SPDX-License-Identifier: Apache-2.0
"""Committed offsets and the administration of groups, with real clients, over kills; lag."""

import time

import confluent_kafka
import kafka
import pytest
from confluent_kafka import TopicPartition

from clients import create_topic, delete_records, delete_topic
from own_api import DESCRIBE_GROUPS, Connection

SECOND_MS = 1000


def consumer(bootstrap, group):
    return confluent_kafka.Consumer({"bootstrap.servers": bootstrap, "group.id": group,
                                     "enable.auto.commit": False, "auto.offset.reset": "earliest"})


def commit(bootstrap, group, topic, offsets):
    c = consumer(bootstrap, group)
    c.commit(offsets=[TopicPartition(topic, p, o) for p, o in offsets.items()], asynchronous=False)
    c.close()


def committed(bootstrap, group, topic, partitions):
    c = consumer(bootstrap, group)
    found = c.committed([TopicPartition(topic, p) for p in range(partitions)], timeout=20)
    c.close()
    return {p.partition: p.offset for p in found if p.offset >= 0}


def produce(bootstrap, topic, partition, count, timestamp_ms=None):
    p = confluent_kafka.Producer({"bootstrap.servers": bootstrap, "linger.ms": 50})
    for i in range(count):
        extra = {} if timestamp_ms is None else {"timestamp": timestamp_ms + i}
        p.produce(topic, b"v%d" % i, partition=partition, **extra)
    assert p.flush(20) == 0


@pytest.fixture
def ours(bootstrap):
    connection = Connection(bootstrap)
    if DESCRIBE_GROUPS not in connection.keys:
        pytest.skip("another broker")
    yield connection
    connection.close()


def test_commits_are_there(bootstrap, topic):
    create_topic(bootstrap, topic, 3)
    group = "g-" + topic
    assert committed(bootstrap, group, topic, 3) == {}
    commit(bootstrap, group, topic, {0: 5, 2: 7})
    commit(bootstrap, group, topic, {0: 6})
    assert committed(bootstrap, group, topic, 3) == {0: 6, 2: 7}


def test_commit_for_what_is_not_there(bootstrap, topic):
    create_topic(bootstrap, topic, 1)
    with pytest.raises(confluent_kafka.KafkaException) as caught:
        commit(bootstrap, "g-" + topic, topic, {9: 5})
    assert caught.value.args[0].code() == confluent_kafka.KafkaError.UNKNOWN_TOPIC_OR_PART


def test_administration(bootstrap, topic):
    create_topic(bootstrap, topic, 2)
    group = "g-" + topic
    commit(bootstrap, group, topic, {0: 1, 1: 2})
    admin = kafka.KafkaAdminClient(bootstrap_servers=bootstrap)
    assert (group, "") in admin.list_consumer_groups()
    described = admin.describe_consumer_groups([group])[0]
    assert (described.state, described.protocol_type, described.members) == ("Empty", "", [])
    offsets = admin.list_consumer_group_offsets(group)
    assert {p.partition: o.offset for p, o in offsets.items()} == {0: 1, 1: 2}
    deleted = admin.delete_consumer_groups([group, "nobody-" + topic])
    assert {name: error.errno for name, error in deleted} == {group: 0, "nobody-" + topic: 69}
    assert (group, "") not in admin.list_consumer_groups()
    assert committed(bootstrap, group, topic, 2) == {}
    admin.close()


def test_group_with_members_stays(bootstrap, topic):
    create_topic(bootstrap, topic, 1)
    produce(bootstrap, topic, 0, 1)
    group = "g-" + topic
    c = consumer(bootstrap, group)
    c.subscribe([topic])
    deadline = time.monotonic() + 20
    while c.poll(0.5) is None and time.monotonic() < deadline:
        pass
    c.commit(asynchronous=False)
    admin = kafka.KafkaAdminClient(bootstrap_servers=bootstrap)
    assert [error.errno for _, error in admin.delete_consumer_groups([group])] == [68]  # NON_EMPTY_GROUP
    with pytest.raises(confluent_kafka.KafkaException) as caught:  # whoever is not a member
        commit(bootstrap, group, topic, {0: 0})
    assert caught.value.args[0].code() == confluent_kafka.KafkaError.UNKNOWN_MEMBER_ID
    c.close()
    assert committed(bootstrap, group, topic, 1) == {0: 1}
    admin.close()


def test_topic_deleted_and_made_again(bootstrap, topic):
    create_topic(bootstrap, topic, 1)
    commit(bootstrap, "g-" + topic, topic, {0: 5})
    delete_topic(bootstrap, topic)
    deadline = time.monotonic() + 5  # the coordinator hears of it a moment later
    while committed(bootstrap, "g-" + topic, topic, 1) != {} and time.monotonic() < deadline:
        time.sleep(0.05)
    create_topic(bootstrap, topic, 1)
    assert committed(bootstrap, "g-" + topic, topic, 1) == {}


def test_what_was_answered_survives_a_kill(own_broker, topic):
    b = own_broker().start()
    create_topic(b.bootstrap, topic, 1)
    for i in range(5):
        commit(b.bootstrap, "g", topic, {0: i})
        b.kill()
        b.start()
        assert committed(b.bootstrap, "g", topic, 1) == {0: i}


def test_only_we_are_told_of_our_api(bootstrap, ours):
    other = Connection(bootstrap, software="librdkafka")
    assert ours.keys - other.keys == {DESCRIBE_GROUPS}
    other.close()


def test_lag(bootstrap, topic, ours):
    create_topic(bootstrap, topic, 4)
    group = "g-" + topic
    hour_ago = int(time.time() - 3600) * SECOND_MS
    produce(bootstrap, topic, 0, 10, hour_ago)
    produce(bootstrap, topic, 1, 10)
    produce(bootstrap, topic, 2, 10, hour_ago)
    commit(bootstrap, group, topic, {0: 4, 1: 10, 2: 3, 3: 0})
    delete_records(int(bootstrap.rsplit(":", 1)[1]), topic, 2, 5)
    answer = ours.describe(group, "nobody-" + topic)
    assert answer["nobody-" + topic]["error"] == 69  # GROUP_ID_NOT_FOUND
    found = answer[group]
    assert (found["error"], found["type"], found["state"], found["members"]) == (0, "classic", "Empty", 0)
    lag = {partition: p for (_, partition), p in found["lag"].items()}
    now = time.time() * SECOND_MS
    assert {p: (v["error"], v["committed"], v["start"], v["end"], v["records"], v["lost"])
            for p, v in lag.items()} == {
        0: (0, 4, 0, 10, 6, 0),
        1: (0, 10, 0, 10, 0, 0),
        2: (0, 3, 5, 10, 5, 2),  # two were taken before they were read
        3: (0, 0, 0, 0, 0, 0),
    }
    # The age of the first unread record, to the millisecond.
    assert abs(lag[0]["ms"] - (now - hour_ago - 4)) < 5 * SECOND_MS
    assert abs(lag[2]["ms"] - (now - hour_ago - 5)) < 5 * SECOND_MS
    assert (lag[0]["ms"] - lag[2]["ms"]) == 1
    assert (lag[1]["ms"], lag[3]["ms"]) == (0, 0)
    assert ours.describe(group, lag=False, journal=False)[group]["lag"] is None


def test_lag_of_a_deleted_topic(bootstrap, topic, ours):
    create_topic(bootstrap, topic, 1)
    create_topic(bootstrap, topic + ".2", 1)
    group = "g-" + topic
    commit(bootstrap, group, topic, {0: 4})
    commit(bootstrap, group, topic + ".2", {0: 4})
    delete_topic(bootstrap, topic)
    lag = ours.describe(group)[group]["lag"]
    assert set(lag) == {(topic + ".2", 0)}
    assert (lag[topic + ".2", 0]["end"], lag[topic + ".2", 0]["records"]) == (0, 0)


def test_journal(bootstrap, topic, ours):
    create_topic(bootstrap, topic, 1)
    group = "g-" + topic
    c = consumer(bootstrap, group)
    c.subscribe([topic])
    deadline = time.monotonic() + 20
    while not c.assignment() and time.monotonic() < deadline:
        c.poll(0.2)
    found = ours.describe(group)[group]
    assert (found["state"], found["members"], found["protocol_type"]) == ("Stable", 1, "consumer")
    first = found["journal"][-1]
    assert (first["cause"], first["before"], first["after"], first["epoch"]) == ("member-joined", 0, 1, 1)
    assert first["duration"] >= 0
    assert "(/127.0.0.1)" in first["client"]
    c.close()
    found = ours.describe(group)[group]
    assert (found["state"], found["members"]) == ("Empty", 0)
    assert [entry["cause"] for entry in found["journal"]] == ["member-left", "member-joined"]
    assert found["rebalances"] == 2


def test_offsets_that_have_no_place(own_broker):
    """A topic that cannot be made is the operator's trouble: the log says what is wrong."""
    b = own_broker(overrides=["offsets.topic.segment.bytes=1000"]).start()
    consumer = confluent_kafka.Consumer({"bootstrap.servers": b.bootstrap, "group.id": "g", "log_level": 0})
    try:
        consumer.subscribe(["t"])
        deadline = time.monotonic() + 10
        while "__consumer_offsets cannot be created" not in b.log():
            assert time.monotonic() < deadline, b.log()
            consumer.poll(0.1)
    finally:
        consumer.close()
    assert "segment.bytes" in b.log()
    assert b.log().count("cannot be created") == 1
    b.stop()
