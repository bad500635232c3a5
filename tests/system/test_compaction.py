# SPDX-License-Identifier: Apache-2.0
"""Compaction in a real broker: what it leaves, what may be set, what it refuses, and kills during it
(kill_compaction.py has more of them)."""

import os
import time

import confluent_kafka
import pytest

import clients
import kill_compaction
from broker import Broker


def test_kills_during_compaction(tmp_path):
    if os.environ.get("SYSTEM_BOOTSTRAP"):
        pytest.skip("needs a broker process of its own")
    seed = int(time.time())
    print(f"seed {seed}")
    assert kill_compaction.run(tmp_path / "data", rounds=8, seed=seed) == []


@pytest.mark.parametrize("found,words", [
    ([(0, 5, b"a", 7)], None),
    ([(0, 5, b"a", 7), (0, 6, b"a", 8), (0, 7, b"gone", None)], None), # 8 was under way
    ([(0, 5, b"a", 6)], "6 is there"),
    ([], "nothing there"),
    ([(0, 5, b"a", 7), (0, 5, b"b", 1)], "offset 5 after 5"),
    ([(0, 4, b"a", 7)], "offset 4 holds 7"),
    ([(0, 5, b"a", 7), (0, 6, b"gone", 3)], "3 is there"),
])
def test_the_judge(found, words):
    acknowledged = {(0, b"a"): 7, (0, b"gone"): 9}
    sent = {(0, b"a"): [(6, False), (7, False), (8, False)], (0, b"gone"): [(3, False), (9, True)]}
    problems = list(kill_compaction.judge(found, acknowledged, sent, {(0, 4): 1}))
    assert (words is None) == (problems == [])
    assert words is None or words in " ".join(problems)


def wait_for(broker, words, seconds=20):
    deadline = time.monotonic() + seconds
    while words not in broker.log():
        assert time.monotonic() < deadline, broker.log()[-2000:]
        time.sleep(0.05)


def fill(broker, topic, records=3000, keys=10):
    errors = []
    producer = confluent_kafka.Producer({"bootstrap.servers": broker.bootstrap, "linger.ms": 5,
                                         "batch.num.messages": 100})
    for i in range(records):
        producer.produce(topic, b"%d " % i + b"x" * 200, b"key %d" % (i % keys), 0,
                         on_delivery=lambda e, m: e is not None and errors.append(e))
        producer.poll(0)
    assert producer.flush(20) == 0 and errors == []


@pytest.fixture
def compacting(tmp_path):
    broker = Broker(tmp_path / "data", overrides=["log.cleaner.backoff.ms=50",
                                                  "log.flush.offset.checkpoint.interval.ms=100"])
    broker.start()
    yield broker
    if broker.is_running():
        broker.stop()


SMALL = {"cleanup.policy": "compact", "internal.segment.bytes": "100000"}


def test_settings_of_a_topic_hold_at_once(compacting):
    """min.compaction.lag.ms keeps the cleaner away; taking it back lets it begin without an append."""
    clients.create_topic(compacting.bootstrap, "t", config={**SMALL, "min.compaction.lag.ms": "3600000"})
    fill(compacting, "t")
    time.sleep(1)
    assert "compacted t-0" not in compacting.log()
    resource = confluent_kafka.admin.ConfigResource("topic", "t", set_config=SMALL)
    clients.admin(compacting.bootstrap).alter_configs([resource])[resource].result(20)
    wait_for(compacting, "compacted t-0")


def test_damage_stops_it_and_leaves_the_log(compacting, tmp_path):
    clients.create_topic(compacting.bootstrap, "t", config={**SMALL, "min.compaction.lag.ms": "3600000"})
    fill(compacting, "t")
    path = tmp_path / "data" / "t-0" / "00000000000000000000.log"
    with open(path, "r+b") as file:
        file.seek(5000)
        byte = file.read(1)[0]
        file.seek(5000)
        file.write(bytes([byte ^ 1]))
    was = path.read_bytes()
    resource = confluent_kafka.admin.ConfigResource("topic", "t", set_config=SMALL)
    clients.admin(compacting.bootstrap).alter_configs([resource])[resource].result(20)
    wait_for(compacting, "t-0 is not compacted any more: ")
    time.sleep(0.3)
    assert path.read_bytes() == was
    assert not list(path.parent.glob("*.cleaned"))
    assert compacting.log().count("is not compacted any more") == 1
    fill(compacting, "t", 10) # it goes on being written to


def test_a_record_without_key_is_refused(compacting):
    clients.create_topic(compacting.bootstrap, "t", config=SMALL)
    errors = []
    producer = confluent_kafka.Producer({"bootstrap.servers": compacting.bootstrap})
    producer.produce("t", b"value", None, 0, on_delivery=lambda e, m: errors.append(e))
    assert producer.flush(20) == 0
    assert errors[0].code() == confluent_kafka.KafkaError.INVALID_RECORD
