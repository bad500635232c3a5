# SPDX-License-Identifier: Apache-2.0
"""Topics come, change and go."""

import time

import confluent_kafka
import pytest
from confluent_kafka.admin import ConfigResource, NewPartitions

import clients
from clients import Confluent, Kcat


def error_of(future):
    with pytest.raises(confluent_kafka.KafkaException) as caught:
        future.result(clients.WAIT_SECONDS)
    return caught.value.args[0]


def describe(bootstrap, topic):
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    future = clients.admin(bootstrap).describe_configs([resource])[resource]
    return future.result(clients.WAIT_SECONDS)


def wait_until(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.05)


def test_auto_create_by_producing(bootstrap, topic):
    Confluent.produce(bootstrap, topic, [(None, b"x", [])])
    assert Confluent.consume(bootstrap, topic, 1) == [(None, b"x", [])]


def test_auto_create_can_be_turned_off(own_broker, topic):
    b = own_broker(overrides=["auto.create.topics.enable=false"]).start()
    with pytest.raises(AssertionError, match="UNKNOWN_TOPIC"):
        Confluent.produce(b.bootstrap, topic, [(None, b"x", [])],
                          **{"topic.metadata.propagation.max.ms": 500})
    assert topic not in clients.admin(b.bootstrap).list_topics(timeout=10).topics


def test_create_says_what_is_wrong(bootstrap, topic):
    admin = clients.admin(bootstrap)

    def create(name, partitions=1, replicas=1, config=None):
        new = confluent_kafka.admin.NewTopic(name, partitions, replicas, config=config or {})
        return error_of(admin.create_topics([new])[name])

    clients.create_topic(bootstrap, topic)
    error = confluent_kafka.KafkaError
    assert create(topic).code() == error.TOPIC_ALREADY_EXISTS
    assert create("not a name").code() == error.TOPIC_EXCEPTION
    assert create("..").code() == error.TOPIC_EXCEPTION
    assert create("x" * 250).code() == error.TOPIC_EXCEPTION
    assert create(topic + ".a", replicas=5).code() == error.INVALID_REPLICATION_FACTOR
    bad = create(topic + ".b", config={"retention.ms": "soon"})
    assert bad.code() == error.INVALID_CONFIG
    assert "Invalid value soon for configuration retention.ms" in bad.str()
    assert create(topic + ".c", config={"retention.mss": "1"}).code() == error.INVALID_CONFIG
    # The names of the metrics of both would be the same.
    assert create(topic.replace(".", "_")).code() == error.TOPIC_EXCEPTION


def test_delete_and_recreate(bootstrap, topic):
    for generation in range(3):
        clients.create_topic(bootstrap, topic, partitions=generation + 1)
        record = (None, b"generation %d" % generation, [])
        Confluent.produce(bootstrap, topic, [record], partition=generation)
        assert Confluent.consume(bootstrap, topic, 1, partition=generation) == [record]
        clients.delete_topic(bootstrap, topic)
        admin = clients.admin(bootstrap)
        wait_until(lambda: topic not in admin.list_topics(timeout=10).topics)
    future = clients.admin(bootstrap).delete_topics([topic])[topic]
    assert error_of(future).code() == confluent_kafka.KafkaError.UNKNOWN_TOPIC_OR_PART


@pytest.mark.parametrize("caching", ["false", "true"])
def test_a_recreated_topic_survives_a_kill(own_broker, topic, caching):
    """What the checkpoints say of the first topic must not be taken for the second's."""
    b = own_broker(overrides=["num.partitions=3", f"log.write.caching={caching}"]).start()
    records = [(None, b"old %d" % i, []) for i in range(50)]
    Confluent.produce(b.bootstrap, topic, records, partition=1)
    b.stop()
    b.start()
    clients.delete_topic(b.bootstrap, topic)
    clients.create_topic(b.bootstrap, topic, partitions=3)
    record = (None, b"new", [])
    Confluent.produce(b.bootstrap, topic, [record], partition=1)
    b.kill()
    b.start()
    assert Confluent.consume(b.bootstrap, topic, 1, partition=1) == [record]
    assert "offline" not in b.log()
    b.stop()


def test_files_of_a_deleted_topic_go_away(own_broker, topic):
    b = own_broker(overrides=["log.segment.delete.delay.ms=100"]).start()
    clients.create_topic(b.bootstrap, topic)
    Confluent.produce(b.bootstrap, topic, [(None, b"x", [])])
    assert (b.folder / f"{topic}-0").is_dir()
    clients.delete_topic(b.bootstrap, topic)
    wait_until(lambda: not list(b.folder.glob(f"{topic[:30]}*")))


def test_add_partitions(bootstrap, topic):
    clients.create_topic(bootstrap, topic, partitions=2)
    admin = clients.admin(bootstrap)
    admin.create_partitions([NewPartitions(topic, 5)])[topic].result(clients.WAIT_SECONDS)
    wait_until(lambda: len(admin.list_topics(topic, timeout=10).topics[topic].partitions) == 5)
    Confluent.produce(bootstrap, topic, [(None, b"x", [])], partition=4)
    fewer = admin.create_partitions([NewPartitions(topic, 3)])[topic]
    assert error_of(fewer).code() == confluent_kafka.KafkaError.INVALID_PARTITIONS


def test_describe_configs(bootstrap, topic):
    clients.create_topic(bootstrap, topic, config={"retention.ms": "60000"})
    configs = describe(bootstrap, topic)
    assert len(configs) >= 37
    assert configs["retention.ms"].value == "60000"
    assert configs["retention.ms"].source == 1  # the topic's own
    assert not configs["retention.ms"].is_default
    assert configs["cleanup.policy"].value == "delete"
    assert configs["cleanup.policy"].source == 5  # default
    synonyms = configs["cleanup.policy"].synonyms
    assert synonyms["log.cleanup.policy"].value == "delete"


def test_dynamic_configs_act_without_restart(bootstrap, topic):
    clients.create_topic(bootstrap, topic)
    Confluent.produce(bootstrap, topic, [(None, b"x" * 5000, [])])
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic, set_config={
        "max.message.bytes": "1000"})
    clients.admin(bootstrap).alter_configs([resource])[resource].result(clients.WAIT_SECONDS)
    assert describe(bootstrap, topic)["max.message.bytes"].value == "1000"

    def is_refused():
        try:
            Confluent.produce(bootstrap, topic, [(None, b"x" * 5000, [])])
            return False
        except AssertionError as refusal:
            return "MSG_SIZE_TOO_LARGE" in str(refusal)

    wait_until(is_refused)


def test_retention_acts(own_broker, topic):
    b = own_broker(overrides=["log.retention.check.interval.ms=100",
                              "log.initial.task.delay.ms=100"]).start()
    clients.create_topic(b.bootstrap, topic, config={
        "segment.bytes": "1048576", "retention.bytes": "2097152", "file.delete.delay.ms": "100"})
    Confluent.produce(b.bootstrap, topic, [(None, b"%d " % i + b"x" * 100000, []) for i in range(60)],
                      **{"batch.num.messages": 1})
    consumer = Confluent.consumer(b.bootstrap, topic)

    def start():
        return consumer.get_watermark_offsets(confluent_kafka.TopicPartition(topic, 0))[0]

    wait_until(lambda: start() > 20)
    first = start()
    value = Confluent.consume(b.bootstrap, topic, 1, offset=first)[0][1]
    assert int(value.split(b" ")[0]) == first
    wait_until(lambda: sum(f.stat().st_size for f in (b.folder / f"{topic}-0").iterdir()
                           if f.suffix == ".log") < 5 << 20)
    consumer.close()


def test_kcat_lists_metadata(bootstrap, topic):
    clients.create_topic(bootstrap, topic, partitions=3)
    out = Kcat.run(bootstrap, "-L", "-t", topic).decode()
    assert f'topic "{topic}" with 3 partitions' in out
    assert "isrs: 1" in out or "isrs: " in out
    assert out.count("leader") >= 3
