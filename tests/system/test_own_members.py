# SPDX-License-Identifier: Apache-2.0
"""`chitin consume --group` and kafka-console-consumer --group: shared partitions, takeovers, restarts of
the broker, other clients in the same group; and what Kafka's own console consumer prints."""

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import confluent_kafka
import pytest

import own_members
from broker import Broker, binary
from clients import create_topic
from own_members import PARTITIONS, OwnMember, Writer, arguments_of, wait, wait_read, wait_shared

GOLDEN = Path(__file__).resolve().parent.parent / "golden" / "tools"
PROTOCOLS = ("classic", "cooperative", "consumer")
QUICK = ["group.initial.rebalance.delay.ms=0", "offsets.topic.num.partitions=4",
         "group.consumer.heartbeat.interval.ms=500", "group.consumer.min.heartbeat.interval.ms=500",
         "group.consumer.session.timeout.ms=5000", "group.consumer.min.session.timeout.ms=5000"]


@pytest.fixture(scope="module")
def bootstrap(tmp_path_factory):
    elsewhere = os.environ.get("SYSTEM_BOOTSTRAP")
    if elsewhere:
        yield elsewhere
        return
    broker = Broker(tmp_path_factory.mktemp("members") / "data", overrides=QUICK).start()
    yield broker.bootstrap
    broker.stop()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_one_is_killed(bootstrap, topic, tmp_path, protocol):
    create_topic(bootstrap, topic, PARTITIONS)
    seconds = 90 if os.environ.get("SYSTEM_BOOTSTRAP") else 30
    own_members.one_is_killed(bootstrap, "g-" + topic, topic, tmp_path, protocol, seconds)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_orderly_changes(bootstrap, topic, tmp_path, protocol):
    create_topic(bootstrap, topic, PARTITIONS)
    own_members.orderly_changes(bootstrap, "g-" + topic, topic, tmp_path, protocol)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_broker_is_killed(own_broker, topic, tmp_path, protocol):
    """Killed and started again while two members read: they go on, nothing is left out, in order."""
    broker = own_broker(overrides=QUICK).start()
    create_topic(broker.bootstrap, topic, PARTITIONS)
    group = "g-" + topic
    writer = Writer(broker.bootstrap, topic)
    members = [OwnMember(broker.bootstrap, group, topic, tmp_path, name, arguments_of(protocol))
               for name in "ab"]
    wait_shared(*members)
    for _ in range(2):
        writer.write(300)
        time.sleep(0.2)
        broker.kill()
        time.sleep(0.5)
        broker.start()
        writer.write(300)
        wait_read(writer, *members)
    wait_shared(*members)
    own_members.check_order(*members)
    own_members.check_described(broker.bootstrap, group, writer, members=2)
    for m in members:
        m.leave()


@pytest.mark.parametrize("assignor", ["range", "roundrobin", "cooperative-sticky"])
def test_beside_librdkafka(bootstrap, topic, tmp_path, assignor):
    """One member of ours and one of librdkafka, either of which leads the group at some time."""
    create_topic(bootstrap, topic, PARTITIONS)
    group = "g-" + topic
    writer = Writer(bootstrap, topic)
    other = confluent_kafka.Consumer({
        "bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest",
        "partition.assignment.strategy": assignor, "session.timeout.ms": 6000,
        "heartbeat.interval.ms": 500, "enable.auto.commit": False})
    read = []

    def poll(seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for message in other.consume(100, timeout=0.1):
                assert message.error() is None
                read.append(message.value().decode())
                other.commit(message, asynchronous=False)

    other.subscribe([topic])
    poll(3)
    assert len(other.assignment()) == PARTITIONS
    flags = ["--session-timeout", "6s", "--assignor", assignor]
    ours = OwnMember(bootstrap, group, topic, tmp_path, "ours", flags)
    for _ in range(100):  # it leads, as the first one; then it is ours, who stays
        poll(0.2)
        if len(ours.owned()) == len(other.assignment()) == PARTITIONS // 2:
            break
    assert len(ours.owned()) == len(other.assignment()) == PARTITIONS // 2, ours.story()
    writer.write(200)
    poll(2)
    wait("not all is read", lambda: own_members.read_by(ours) | set(read) == writer.all(), [ours])
    other.close()
    wait_shared(ours)
    again = confluent_kafka.Consumer({
        "bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest",
        "partition.assignment.strategy": assignor, "session.timeout.ms": 6000,
        "heartbeat.interval.ms": 500, "enable.auto.commit": False})
    again.subscribe([topic])
    other = again
    for _ in range(100):
        poll(0.2)
        if len(ours.owned()) == len(other.assignment()) == PARTITIONS // 2:
            break
    assert len(ours.owned()) == len(other.assignment()) == PARTITIONS // 2, ours.story()
    writer.write(200)
    poll(2)
    wait("not all is read", lambda: own_members.read_by(ours) | set(read) == writer.all(), [ours])
    again.close()
    ours.leave()
    assert len(read) + len(ours.records()) == writer.count  # each once


@pytest.mark.skipif(shutil.which("kcat") is None, reason="kcat is not there")
def test_beside_kcat(bootstrap, topic, tmp_path):
    create_topic(bootstrap, topic, PARTITIONS)
    group = "g-" + topic
    writer = Writer(bootstrap, topic)
    flags = ["--session-timeout", "6s"]
    ours = OwnMember(bootstrap, group, topic, tmp_path, "ours", flags)
    wait_shared(ours)
    with open(tmp_path / "kcat.out", "wb") as out:
        kcat = subprocess.Popen(["kcat", "-b", bootstrap, "-G", group, "-u", "-X",
                                 "auto.offset.reset=earliest", "-X", "session.timeout.ms=6000", topic],
                                stdout=out, stderr=subprocess.DEVNULL)
    wait("kcat has nothing", lambda: len(ours.owned()) == PARTITIONS // 2, [ours])
    time.sleep(1)
    writer.write(200)
    wait("not all is read", lambda: own_members.read_by(ours)
         | set((tmp_path / "kcat.out").read_text().split()) == writer.all(), [ours])
    kcat.kill()  # its half comes to us, from what it had committed
    kcat.wait()
    writer.write(200)
    wait("not all is read", lambda: own_members.read_by(ours)
         | set((tmp_path / "kcat.out").read_text().split()) == writer.all(), [ours])
    wait_shared(ours)
    own_members.check_order(ours)
    ours.leave()


def test_a_static_member_comes_back(bootstrap, topic, tmp_path):
    """Its partitions wait for it: the other one notices nothing."""
    create_topic(bootstrap, topic, PARTITIONS)
    group = "g-" + topic
    writer = Writer(bootstrap, topic)
    flags = ["--session-timeout", "20s"]
    a = OwnMember(bootstrap, group, topic, tmp_path, "a", [*flags, "--instance-id", "one"])
    b = OwnMember(bootstrap, group, topic, tmp_path, "b", [*flags, "--instance-id", "two"])
    wait_shared(a, b)
    theirs, before = a.owned(), b.err.read_text()
    a.leave()
    writer.write(100)
    again = OwnMember(bootstrap, group, topic, tmp_path, "again", [*flags, "--instance-id", "one"])
    wait_shared(again, b)
    assert again.owned() == theirs
    assert b.err.read_text() == before
    wait_read(writer, b, again)
    again.leave()
    b.leave()


def test_output_that_nobody_reads_is_not_committed(bootstrap, topic, tmp_path):
    """Standard output ends after a few records: what was not taken comes to the next member."""
    create_topic(bootstrap, topic, PARTITIONS)
    group = "g-" + topic
    writer = Writer(bootstrap, topic)
    writer.write(20000)
    command = [binary(), "consume", topic, "-b", bootstrap, "-g", group, "-f", r"%v\n"]
    result = subprocess.run(["sh", "-c", '"$@" | head -n 10', "sh", *command], capture_output=True,
                            text=True, timeout=30)
    taken = set(result.stdout.split())
    assert len(taken) == 10
    rest = OwnMember(bootstrap, group, topic, tmp_path, "rest", ["--idle-timeout", "2s"])
    assert rest.process.wait(30) == 0
    assert taken | own_members.read_by(rest) == writer.all()


def test_limits(bootstrap, topic, tmp_path):
    create_topic(bootstrap, topic, 1)
    group = "g-" + topic

    def run(*arguments, status=0):
        result = subprocess.run([binary(), "consume", topic, "-b", bootstrap, "-g", group, *arguments],
                                capture_output=True, text=True, timeout=30)
        assert result.returncode == status, result.stderr
        return result

    producer = confluent_kafka.Producer({"bootstrap.servers": bootstrap})
    for i in range(10):
        producer.produce(topic, b"%d" % i)
    assert producer.flush(10) == 0
    assert "no offset that is in the log" in run("--from", "none", status=1).stderr
    assert run("-n", "3").stdout.split() == ["0", "1", "2"]
    assert run("-n", "2", "--commit", "never").stdout.split() == ["3", "4"]
    assert run("-n", "2", "--protocol", "consumer").stdout.split() == ["3", "4"]
    assert run("--idle-timeout", "1s").stdout.split() == ["5", "6", "7", "8", "9"]
    assert run("--idle-timeout", "500ms", "-J").stdout == ""
    refused = run("--protocol", "consumer", "--assignor", "best", status=1)
    assert "best" in refused.stderr and "uniform" in refused.stderr


# --- As Kafka's console consumer ---

def console_cases():
    text = (GOLDEN / "console_cases.sh").read_text()
    return re.findall(r"^run (\S+)", text, re.MULTILINE)


def said_by_kafkas(text):
    """What it printed on standard error. What it writes to its log ours says there, too."""
    body = text.split("-- stderr\n", 1)[1].split("-- exit", 1)[0]
    return [line for line in body.split("\n") if not line.startswith("The consumer rebalance")]


def test_as_the_console_consumer(own_broker):
    """Every case in the order in which it was recorded: they build on each other."""
    broker = own_broker(overrides=[*QUICK, "auto.create.topics.enable=true"]).start()
    for name in console_cases():
        golden = (GOLDEN / f"{name}.txt").read_text()
        line, expected = golden.split("\n", 1)
        command = line[2:].replace("127.0.0.1:9092", broker.bootstrap).split(" ")
        result = subprocess.run(command, executable=binary(), capture_output=True, text=True, timeout=60,
                                input="a\nb\nc\nd\ne\n" if name == "console-produce" else "")
        assert f"-- exit {result.returncode}\n" in expected, f"{name}: {result.stderr}"
        assert "-- stdout\n" + result.stdout + "-- stderr\n" in golden, f"{name}: {result.stdout}"
        said = result.stderr.split("\n")
        for words in said_by_kafkas(golden):
            assert words in said, f"{name}: {words!r} is not in {result.stderr!r}"
