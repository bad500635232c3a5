# SPDX-License-Identifier: Apache-2.0
"""kafka-verifiable-producer as a process: what it says is what the log has, whatever happens meanwhile."""

import json
import os
import signal
import subprocess
import tempfile
import time

import confluent_kafka
import pytest

from broker import Broker, binary
from clients import create_topic


class Tool:
    """A running tool. It prints into a file, so that it never waits for us to read."""

    def __init__(self, name, bootstrap, *words):
        self.out, self.errors = tempfile.TemporaryFile("w+"), tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen([name, "--bootstrap-server", bootstrap, *words], executable=binary(),
                                        stdout=self.out, stderr=self.errors)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.end()

    def end(self, status=0):
        """The objects that it printed."""
        assert self.process.wait(30) == status, self.said()
        self.out.seek(0)
        return [json.loads(line) for line in self.out]

    def said(self):
        self.errors.seek(0)
        return self.errors.read()


def produce(bootstrap, *words):
    return Tool("kafka-verifiable-producer", bootstrap, *words).end()


def named(events, name):
    return [e for e in events if e["name"] == name]


def read(bootstrap, topic, partitions):
    """{(partition, offset): (key, value, timestamp)} of a whole topic."""
    c = confluent_kafka.Consumer({"bootstrap.servers": bootstrap, "group.id": "reader",
                                  "enable.partition.eof": True})
    c.assign([confluent_kafka.TopicPartition(topic, p, 0) for p in range(partitions)])
    records, ends = {}, set()
    while len(ends) < partitions:
        m = c.poll(10)
        assert m is not None
        if m.error() is not None:
            assert m.error().code() == confluent_kafka.KafkaError._PARTITION_EOF
            ends.add(m.partition())
        else:
            key = m.key() and m.key().decode()
            records[m.partition(), m.offset()] = key, m.value().decode(), m.timestamp()[1]
    c.close()
    return records


def acknowledged(events):
    return {(e["partition"], e["offset"]): (e["key"], e["value"])
            for e in named(events, "producer_send_success")}


@pytest.mark.parametrize("acks", ["-1", "1"])
def test_what_it_says_is_there(bootstrap, topic, acks):
    create_topic(bootstrap, topic, 3)
    events = produce(bootstrap, "--topic", topic, "--max-messages", "1000", "--acks", acks,
                     "--value-prefix", "4", "--repeating-keys", "7")
    said = acknowledged(events)
    assert len(said) == 1000
    assert said == {at: record[:2] for at, record in read(bootstrap, topic, 3).items()}
    assert sorted(said.values(), key=lambda r: int(r[1][2:])) == [
        (str(i % 7), f"4.{i}") for i in range(1000)]
    assert [e["name"] for e in events[:1] + events[-2:]] == [
        "startup_complete", "shutdown_complete", "tool_data"]
    assert (events[-1]["sent"], events[-1]["acked"]) == (1000, 1000)


def test_without_acknowledgements(bootstrap, topic):
    create_topic(bootstrap, topic, 1)
    events = produce(bootstrap, "--topic", topic, "--max-messages", "20", "--acks", "0")
    assert {e["offset"] for e in named(events, "producer_send_success")} == {-1}
    deadline = time.monotonic() + 10
    while len(read(bootstrap, topic, 1)) < 20:
        assert time.monotonic() < deadline


def test_time_and_rate(bootstrap, topic):
    create_topic(bootstrap, topic, 1)
    begin = time.monotonic()
    produce(bootstrap, "--topic", topic, "--max-messages", "21", "--throughput", "20",
            "--message-create-time", "1700000000000")
    assert time.monotonic() - begin >= 0.95
    times = [record[2] for record in read(bootstrap, topic, 1).values()]
    assert times[0] == 1700000000000 and times == sorted(times) and times[-1] > times[0]


def test_it_ends_when_told_to(bootstrap, topic):
    create_topic(bootstrap, topic, 1)
    tool = Tool("kafka-verifiable-producer", bootstrap, "--topic", topic, "--throughput", "100")
    time.sleep(0.5)
    events = tool.stop()
    assert events[-1]["sent"] == events[-1]["acked"] == len(read(bootstrap, topic, 1)) > 0


def test_a_file_wins_over_the_flags(bootstrap, topic, tmp_path):
    create_topic(bootstrap, topic, 1)
    settings = tmp_path / "client.properties"
    settings.write_text("acks=0\n")
    events = produce(bootstrap, "--topic", topic, "--max-messages", "1", "--acks", "-1",
                     "--command-config", str(settings))
    assert named(events, "producer_send_success")[0]["offset"] == -1
    settings.write_text("enable.idempotence=true\n")
    tool = Tool("kafka-verifiable-producer", bootstrap, "--topic", topic, "--producer.config", str(settings))
    assert tool.end(status=1) == []
    assert "Must set retries to non-zero" in tool.said()


def test_a_broker_that_is_killed(tmp_path):
    """Without retries each record on its way fails and says so; those that were acknowledged are there."""
    if os.environ.get("SYSTEM_BOOTSTRAP"):
        pytest.skip("needs a broker process of its own")
    broker = Broker(tmp_path / "data").start()
    create_topic(broker.bootstrap, "counted", 2)
    settings = tmp_path / "client.properties"
    settings.write_text("delivery.timeout.ms=2000\nrequest.timeout.ms=1000\n")
    tool = Tool("kafka-verifiable-producer", broker.bootstrap, "--topic", "counted", "--throughput", "500",
                "--command-config", str(settings))
    time.sleep(1)
    broker.kill()
    time.sleep(2.5)
    broker.start()
    time.sleep(1)
    events = tool.stop()
    said, failed = acknowledged(events), named(events, "producer_send_error")
    stored = {at: record[:2] for at, record in read(broker.bootstrap, "counted", 2).items()}
    assert {at: stored.get(at) for at in said} == said
    assert len(said) + len(failed) == events[-1]["sent"]
    assert {e["exception"].rsplit(".", 1)[1] for e in failed} <= {"NetworkException", "TimeoutException"}
    assert failed and int(failed[-1]["value"]) < max(int(value) for _, value in said.values())
    broker.stop()
