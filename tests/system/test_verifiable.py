# SPDX-License-Identifier: Apache-2.0
"""kafka-verifiable-producer and kafka-verifiable-consumer as processes: what they say is what the log and the
group have, whatever happens meanwhile."""

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
        return self.events()

    def events(self):
        """What it has printed so far, in whole lines."""
        text = os.pread(self.out.fileno(), 1 << 26, 0).decode()
        return [json.loads(line) for line in text.split("\n")[:-1]]

    def owned(self):
        """The partitions of a consumer; nobody's when it has not been told of any yet."""
        owned = set()
        for e in self.events():
            partitions = {p["partition"] for p in e.get("partitions", [])}
            if e["name"] == "partitions_assigned":
                owned |= partitions
            elif e["name"] == "partitions_revoked":
                owned -= partitions
        return owned

    def has_committed(self):
        """Each round that it has read."""
        events = self.events()
        return len(named(events, "records_consumed")) == len(named(events, "offsets_committed"))

    def consumed(self):
        """[(partition, offset)] that it says it has read."""
        return [(p["partition"], offset) for e in named(self.events(), "records_consumed")
                for p in e["partitions"] for offset in range(p["minOffset"], p["maxOffset"] + 1)]

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


# ---- The consumer ----

PARTITIONS = 4
WAIT_SECONDS = 30


def wait(condition, *tools):
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "\n".join(str(t.events()[-5:]) + t.said() for t in tools)
        time.sleep(0.05)


@pytest.fixture(scope="module")
def group_bootstrap(tmp_path_factory):
    """A broker whose groups move on quickly, or the one of SYSTEM_BOOTSTRAP."""
    elsewhere = os.environ.get("SYSTEM_BOOTSTRAP")
    if elsewhere:
        yield elsewhere
        return
    broker = Broker(tmp_path_factory.mktemp("groups") / "data", overrides=[
        "group.initial.rebalance.delay.ms=200", "group.consumer.heartbeat.interval.ms=300",
        "group.consumer.min.heartbeat.interval.ms=300"]).start()
    yield broker.bootstrap
    broker.stop()


@pytest.fixture
def member(group_bootstrap, topic, tmp_path):
    """member(FLAGS...) is a running consumer of a topic with four partitions."""
    create_topic(group_bootstrap, topic, PARTITIONS)
    quick = tmp_path / "quick.properties"
    quick.write_text("heartbeat.interval.ms=300\n")
    running = []

    def start(*words):
        if "--group-protocol" not in words:
            words = [*words, "--command-config", str(quick)]
        running.append(Tool("kafka-verifiable-consumer", group_bootstrap, "--topic", topic, "--group-id",
                            "group-of-" + topic, *words))
        return running[-1]

    yield start
    for tool in running:
        if tool.process.poll() is None:
            tool.process.kill()
            tool.process.wait()


ASSIGNORS = "org.apache.kafka.clients.consumer."
KINDS = {
    "range": [],
    "roundrobin": ["--assignment-strategy", ASSIGNORS + "RoundRobinAssignor"],
    "sticky": ["--assignment-strategy", ASSIGNORS + "StickyAssignor"],
    "cooperative": ["--assignment-strategy", ASSIGNORS + "CooperativeStickyAssignor"],
    "consumer": ["--group-protocol", "consumer"],
    "consumer-range": ["--group-protocol", "consumer", "--group-remote-assignor", "range"],
}


@pytest.mark.parametrize("kind", KINDS)
def test_two_members_share_a_topic(group_bootstrap, topic, member, kind):
    def share(*tools):
        owned = [t.owned() for t in tools]
        return (set().union(*owned) == set(range(PARTITIONS)) and sum(map(len, owned)) == PARTITIONS and
                all(owned))

    a = member(*KINDS[kind])
    wait(lambda: share(a), a)
    b = member(*KINDS[kind])
    wait(lambda: share(a, b), a, b)
    said = acknowledged(produce(group_bootstrap, "--topic", topic, "--max-messages", "400", "--repeating-keys", "50"))
    wait(lambda: len(a.consumed()) + len(b.consumed()) >= 400, a, b)
    wait(lambda: all(t.has_committed() for t in (a, b)), a, b)
    assert sorted(a.consumed() + b.consumed()) == sorted(said)  # each once
    assert a.consumed() and b.consumed()
    events = b.stop()
    assert [e["name"] for e in events[-3:]] == ["shutdown_requested", "partitions_revoked",
                                                "shutdown_complete"]
    wait(lambda: share(a), a)
    ends = {p: max(o for q, o in said if q == p) + 1 for p, _ in said}
    committed = {}
    for e in sorted(named(a.stop(), "offsets_committed") + named(events, "offsets_committed"),
                    key=lambda e: e["timestamp"]):
        assert e["success"], e
        committed.update({p["partition"]: p["offset"] for p in e["offsets"]})
    assert committed == ends


@pytest.mark.parametrize("kind", ["range", "consumer"])
def test_the_next_one_goes_on(group_bootstrap, topic, member, kind):
    produce(group_bootstrap, "--topic", topic, "--max-messages", "300", "--repeating-keys", "50")
    first, second = (member("--max-messages", "100", *KINDS[kind]) for _ in range(2))
    first.end()
    second.end()
    third = member("--enable-autocommit", "--verbose", *KINDS[kind])
    wait(lambda: len(named(third.events(), "record_data")) >= 100, third)
    events = third.stop()
    assert named(events, "offsets_committed") == []
    everything = first.consumed() + second.consumed() + third.consumed()
    assert len(everything) == len(set(everything)) == 300
    fourth = member("--max-messages", "1", *KINDS[kind])
    wait(lambda: fourth.owned(), fourth)
    time.sleep(0.5)
    assert fourth.consumed() == []  # the third one has committed


def test_groups_that_cannot_be(member):
    for words, says in [
        (["--group-protocol", "consumer", "--group-remote-assignor", "nosuch"], "UNSUPPORTED_ASSIGNOR"),
        (["--reset-policy", "none"], "has committed nothing"),
    ]:
        tool = member(*words)
        events = tool.end()
        assert says in tool.said()
        assert [e["name"] for e in events[-2:]] == ["shutdown_complete", "shutdown_requested"]


@pytest.mark.parametrize("kind", ["cooperative", "consumer"])
def test_a_broker_that_is_killed_under_a_group(tmp_path, kind):
    if os.environ.get("SYSTEM_BOOTSTRAP"):
        pytest.skip("needs a broker process of its own")
    broker = Broker(tmp_path / "data", overrides=["group.initial.rebalance.delay.ms=200"]).start()
    create_topic(broker.bootstrap, "counted", PARTITIONS)
    settings = tmp_path / "client.properties"
    settings.write_text("retries=1000\nacks=all\n")
    producer = Tool("kafka-verifiable-producer", broker.bootstrap, "--topic", "counted", "--throughput", "200",
                    "--repeating-keys", "50", "--command-config", str(settings))
    members = [Tool("kafka-verifiable-consumer", broker.bootstrap, "--topic", "counted", "--group-id", "counters",
                    *KINDS[kind]) for _ in range(3)]
    wait(lambda: all(m.consumed() for m in members), *members)
    for _ in range(2):
        broker.kill()
        time.sleep(0.5)
        broker.start()
        time.sleep(1)
    events = producer.stop()
    assert named(events, "producer_send_error") == []
    said = set(acknowledged(events))
    wait(lambda: said <= set(sum((m.consumed() for m in members), [])), *members)
    committed = [(e["timestamp"], p["partition"], p["offset"]) for m in members
                 for e in named(m.stop(), "offsets_committed") if e["success"] for p in e["offsets"]]
    for partition in range(PARTITIONS):
        offsets = [offset for _, p, offset in sorted(committed) if p == partition]
        assert offsets == sorted(offsets)
        assert offsets[-1] == max(o for p, o in said if p == partition) + 1
    broker.stop()
