# SPDX-License-Identifier: Apache-2.0
"""A disk fills up under producers. They are made to wait, and go on by themselves when there is room;
meanwhile everything is readable, what was written can be deleted, and a restart works."""

import logging
import os
import shutil
import threading
import time

import confluent_kafka
import kafka
import pytest

import clients
import disk
import kill9
from broker import Broker, binary

DISK_BYTES = 96 << 20
PARTITIONS = 4

logging.getLogger("kafka").setLevel(logging.CRITICAL)  # it would tell of each refusal
OVERRIDES = ["log.retention.check.interval.ms=300", "log.segment.delete.delay.ms=60000"]


@pytest.fixture
def full_disk(tmp_path):
    """A broker on a small disk."""
    if os.environ.get("SYSTEM_BOOTSTRAP"):
        pytest.skip("needs a broker process of its own")
    why = disk.missing(tmp_path)
    if why is not None:
        pytest.skip(f"NOT TESTED, full disk: {why}")
    program = shutil.copy(binary(), tmp_path / "chitin")
    with disk.Disk(tmp_path, DISK_BYTES) as d:
        broker = Broker(d.path / "data", program=str(program), log_folder=tmp_path,
                        overrides=OVERRIDES)
        try:
            yield d, broker.start()
        finally:
            if broker.is_running():
                broker.kill()


class PythonWriter(threading.Thread):
    """kafka-python, which is not idempotent but keeps order with one request in flight. Writes 0, 1,
    2, ... to partition 0."""

    TOPIC = "python"

    def __init__(self, bootstrap):
        super().__init__(daemon=True)
        self.acknowledged = -1
        self.errors = []
        self.stopping = threading.Event()
        self.producer = kafka.KafkaProducer(
            bootstrap_servers=bootstrap, acks="all", retries=1000000, retry_backoff_ms=50,
            max_in_flight_requests_per_connection=1, request_timeout_ms=60000,
            reconnect_backoff_ms=20, reconnect_backoff_max_ms=100)

    def done(self, number):
        if number != self.acknowledged + 1:
            self.errors.append(f"{number} acknowledged after {self.acknowledged}")
        self.acknowledged = number

    def run(self):
        number = 0
        while not self.stopping.is_set():
            future = self.producer.send(self.TOPIC, b"%d" % number + b" " + b"x" * 100, partition=0)
            future.add_callback(lambda _, n=number: self.done(n))
            future.add_errback(lambda e, n=number: self.errors.append(f"{n}: {e!r}"))
            number += 1
            time.sleep(0.005)
        self.producer.flush(60)
        self.producer.close()


def acknowledged(writers):
    return [sum(w.acknowledged) if isinstance(w.acknowledged, list) else w.acknowledged
            for w in writers]


def wait_until(condition, what, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def wait_all_progress(writers, what):
    """Each of them gets something acknowledged."""
    before = acknowledged(writers)
    wait_until(lambda: all(now > then for now, then in zip(acknowledged(writers), before)), what)


def wait_full(broker, times):
    wait_until(lambda: broker.log().count("is full:") >= times, "the disk does not get full")


def wait_room(broker, times):
    wait_until(lambda: broker.log().count("has room again") >= times, "the disk stays full")


def standing_still(writers, seconds=0.5):
    time.sleep(0.3)  # answers under way
    before = acknowledged(writers)
    time.sleep(seconds)
    return acknowledged(writers) == before


def read_numbers(bootstrap, topic):
    """Of partition 0."""
    return [int(value.split(b" ")[0]) for _, value, _ in
            clients.Confluent.consume(bootstrap, topic, end_offset(bootstrap, topic))]


def end_offset(bootstrap, topic):
    consumer = confluent_kafka.Consumer({"bootstrap.servers": bootstrap, "group.id": "unused"})
    try:
        where = confluent_kafka.TopicPartition(topic, 0)
        return consumer.get_watermark_offsets(where, timeout=20)[1]
    finally:
        consumer.close()


def check_all(broker, writer, python):
    """Everything acknowledged is there, once and in order."""
    assert writer.errors == []
    assert python.errors == []
    numbers = kill9.read_all(broker.bootstrap, PARTITIONS)
    assert list(kill9.compare(numbers, writer.acknowledged)) == []
    found = read_numbers(broker.bootstrap, python.TOPIC)
    # A broker that ended before its answer was read gets the same records again.
    assert sorted(set(found)) == list(range(len(set(found))))
    assert len(set(found)) > python.acknowledged
    return found


def test_producers_wait_for_room(full_disk):
    d, broker = full_disk
    clients.create_topic(broker.bootstrap, kill9.TOPIC, PARTITIONS)
    clients.create_topic(broker.bootstrap, PythonWriter.TOPIC)
    clients.create_topic(broker.bootstrap, "large", 1, {"segment.bytes": "1048576"})
    clients.create_topic(broker.bootstrap, "short", 1, {"segment.bytes": "1048576"})
    for topic in ("large", "short"):
        clients.Confluent.produce(broker.bootstrap, topic, [(None, b"x" * 100000, [])] * 60)
    writer, python = kill9.Writer(broker.bootstrap, PARTITIONS), PythonWriter(broker.bootstrap)
    writers = [writer, python]
    for w in writers:
        w.start()
    wait_all_progress(writers, "nothing is acknowledged on an empty disk")

    # Full: said once, and nobody gets an error.
    d.fill(leave_bytes=2 << 20)
    wait_full(broker, 1)
    assert standing_still(writers)
    assert d.free_bytes() > 1 << 20
    assert broker.log().count("is full:") == 1
    with pytest.raises(confluent_kafka.KafkaException, match="full"):
        clients.create_topic(broker.bootstrap, "new")

    # Restart while full.
    broker.stop()
    broker.start()
    wait_full(broker, 2)
    broker.kill()
    broker.start()
    wait_full(broker, 3)
    assert standing_still(writers)
    assert len(read_numbers(broker.bootstrap, PythonWriter.TOPIC)) > python.acknowledged

    # A topic that goes makes room at once, long before its files would be removed otherwise.
    clients.delete_topic(broker.bootstrap, "large")
    wait_room(broker, 1)
    wait_all_progress(writers, "producers do not go on after a topic was deleted")

    # Full again; records that may go make room.
    d.fill(leave_bytes=2 << 20)
    wait_full(broker, 4)
    end = end_offset(broker.bootstrap, "short")
    assert clients.delete_records(broker.port, "short", 0, end - 1) == end - 1
    wait_room(broker, 2)
    wait_all_progress(writers, "producers do not go on after records were deleted")
    d.fill(leave_bytes=2 << 20)
    wait_full(broker, 5)

    # And somebody else's file that goes.
    d.empty()
    wait_room(broker, 3)
    wait_all_progress(writers, "producers do not go on after there was room")
    clients.create_topic(broker.bootstrap, "new")
    assert broker.log().count("has room again") == 3
    assert broker.log().count("is full:") == 5
    for w in writers:
        w.stopping.set()
    for w in writers:
        w.join(60)
    broker.stop()
    broker.start()
    found = check_all(broker, writer, python)
    assert found == sorted(found)


def test_others_take_everything(full_disk):
    """Not even the reserve is left, since another program has it: the node goes on, and what was
    asked for happens when there is room."""
    d, broker = full_disk
    clients.create_topic(broker.bootstrap, kill9.TOPIC, PARTITIONS)
    clients.create_topic(broker.bootstrap, PythonWriter.TOPIC)
    clients.create_topic(broker.bootstrap, "doomed", 1, {"segment.bytes": "1048576"})
    clients.Confluent.produce(broker.bootstrap, "doomed", [(None, b"x" * 100000, [])] * 30)
    writer, python = kill9.Writer(broker.bootstrap, PARTITIONS), PythonWriter(broker.bootstrap)
    writers = [writer, python]
    for w in writers:
        w.start()
    wait_all_progress(writers, "nothing is acknowledged on an empty disk")
    d.fill()
    wait_full(broker, 1)
    assert standing_still(writers)
    deleting = clients.admin(broker.bootstrap).delete_topics(["doomed"], request_timeout=20)
    time.sleep(1)
    assert broker.is_running(), broker.log()
    d.empty()
    deleting["doomed"].result(20)
    wait_all_progress(writers, "producers do not go on after there was room")
    for w in writers:
        w.stopping.set()
    for w in writers:
        w.join(60)
    check_all(broker, writer, python)
    broker.stop()


def test_a_start_on_a_full_disk_opens_what_it_could_not_later(tmp_path, topic):
    """After a crash the logs of the full disk need some bytes to be opened: they wait for them, and the
    directory with room is served meanwhile."""
    if os.environ.get("SYSTEM_BOOTSTRAP"):
        pytest.skip("needs a broker process of its own")
    why = disk.missing(tmp_path)
    if why is not None:
        pytest.skip(f"NOT TESTED, a full disk: {why}")
    with disk.MemoryDisk(tmp_path, 16 << 20) as d:
        full = d.path / "data"
        broker = Broker(tmp_path / "a", log_folder=tmp_path,
                        overrides=[f"log.dirs={tmp_path}/a,{full}"])
        try:
            broker.start()
            clients.create_topic(broker.bootstrap, topic, 4)
            for partition in range(4):
                clients.Confluent.produce(broker.bootstrap, topic, [(None, b"x" * 1000, [])] * 20,
                                  partition=partition, **{"batch.num.messages": 5})
            broker.kill()
            waiting = sorted(int(p.name.rsplit("-", 1)[1]) for p in full.glob(f"{topic}-*"))
            others = [p for p in range(4) if p not in waiting]
            for file in full.glob(f"{topic}-*/*"):
                if file.suffix.endswith("index") or file.name == "leader-epoch-checkpoint":
                    file.unlink()  # they are made again, which takes room
            d.fill()
            broker.start()
            assert waiting and others
            for partition in waiting:
                assert f"{topic}-{partition} waits for room to be opened" in broker.log()
            assert len(clients.Confluent.consume(broker.bootstrap, topic, 20, others[0])) == 20
            d.empty()
            for partition in waiting:
                assert len(clients.Confluent.consume(broker.bootstrap, topic, 20, partition)) == 20
                clients.Confluent.produce(broker.bootstrap, topic, [(None, b"after", [])], partition=partition)
                assert f"{topic}-{partition} is open now" in broker.log()
            broker.stop()
        finally:
            if broker.is_running():
                broker.kill()
