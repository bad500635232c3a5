# SPDX-License-Identifier: Apache-2.0
"""One of two disks fails: its partitions are refused from then on, the others are served, and nothing
that must not be tried again is. A library in the way of the system's calls (failing_io.c) makes them
fail."""

import os
import time
from pathlib import Path

import confluent_kafka
import pytest

import clients
import disk
import test_hostile
from broker import Broker, binary

PARTITIONS = 4
STORAGE_ERROR = confluent_kafka.KafkaError.KAFKA_STORAGE_ERROR


class Disks:
    """A broker with two log directories, `good` and `bad`; the metadata log is in `good`. With `fails`
    the other one fails."""

    def __init__(self, folder):
        library = Path(binary()).resolve().parent / "tests" / "system" / "failing_io.so"
        if not library.exists():
            pytest.skip(f"NOT TESTED, failing disk: {library} was not built")
        self.good = folder / "good"
        self.bad = folder / "bad"
        self.control = folder / "control"
        self.report = folder / "report"
        self.broker = Broker(self.good, log_folder=folder,
                             overrides=[f"log.dirs={self.good},{self.bad}"])
        self.library = library
        self.choose(self.bad)
        # One for all: librdkafka takes a second to begin. It gives up at the first refusal.
        self.producer = confluent_kafka.Producer({
            "bootstrap.servers": self.broker.bootstrap, "acks": "all", "linger.ms": 0, "retries": 0,
            "reconnect.backoff.ms": 10, "reconnect.backoff.max.ms": 50,
            "message.timeout.ms": 5000, "log_level": 0})

    def choose(self, fails):
        """The directory that will fail, for the next start."""
        self.broker.environment.update(LD_PRELOAD=str(self.library), FAILING_IO_DIR=str(fails),
                                       FAILING_IO_CONTROL=str(self.control),
                                       FAILING_IO_REPORT=str(self.report))

    def fail(self, words):
        # In one piece: the broker may look at any moment.
        draft = self.control.with_suffix(".draft")
        draft.write_text(words)
        draft.rename(self.control)

    def failed_calls(self):
        return self.report.read_text().splitlines() if self.report.exists() else []

    def partitions_in(self, folder, topic):
        return sorted(int(p.name.rsplit("-", 1)[1]) for p in folder.glob(f"{topic}-*"))


@pytest.fixture
def disks(tmp_path):
    if os.environ.get("SYSTEM_BOOTSTRAP"):
        pytest.skip("needs a broker process of its own")
    d = Disks(tmp_path)
    yield d
    if d.broker.is_running():
        d.broker.kill()


def produce(disks, topic, partition, text):
    """The error of one record, or None."""
    errors = []
    disks.producer.produce(topic, text, partition=partition,
                           on_delivery=lambda e, _: errors.append(e))
    disks.producer.flush(10)
    assert len(errors) == 1
    return errors[0]


def values(disks, topic, partition, count):
    return [v for _, v, _ in clients.Confluent.consume(disks.broker.bootstrap, topic, count, partition)]


def wait_log(broker, words, seconds=10):
    deadline = time.monotonic() + seconds
    while words not in broker.log():
        assert time.monotonic() < deadline, f"nothing says {words!r}\n{broker.log()}"
        time.sleep(0.02)


def fill(disks, topic):
    """One record in each partition; a partition on the good and one on the bad disk."""
    clients.create_topic(disks.broker.bootstrap, topic, PARTITIONS)
    for partition in range(PARTITIONS):
        assert produce(disks, topic, partition, b"before") is None
    good = disks.partitions_in(disks.good, topic)
    bad = disks.partitions_in(disks.bad, topic)
    assert good and bad and sorted(good + bad) == list(range(PARTITIONS))
    return good, bad


def refusal(disks, topic, partition):
    """What a producer hears that asks all the same, without asking for a leader."""
    with test_hostile.connect(disks.broker) as s:
        s.sendall(test_hostile.produce_frame(topic, test_hostile.batch(), partition=partition))
        return test_hostile.produce_error(test_hostile.answer(s)[1], topic)


def wait_leaders(disks, topic, partitions, seconds=10):
    """The controller has heard of the failure: these partitions have a leader, and no others."""
    deadline = time.monotonic() + seconds
    while True:
        found = clients.admin(disks.broker.bootstrap).list_topics(topic, timeout=5).topics[topic].partitions
        led = sorted(p for p, about in found.items() if about.leader >= 0)
        if led == partitions:
            return
        assert time.monotonic() < deadline, f"{led} have a leader, not {partitions}"
        time.sleep(0.05)


def check_offline(disks, topic, good, bad):
    """The bad disk is given up for good, and for good only it."""
    wait_log(disks.broker, f"log directory {disks.bad} is offline")
    disks.control.unlink(missing_ok=True)  # it would work again
    before = len(disks.failed_calls())
    for partition in bad:
        assert refusal(disks, topic, partition) == STORAGE_ERROR
    wait_leaders(disks, topic, good)
    for partition in good:
        assert produce(disks, topic, partition, b"after") is None
        assert values(disks, topic, partition, 2) == [b"before", b"after"]
    assert len(disks.failed_calls()) == before
    assert disks.broker.is_running()


def check_restart(disks, topic, good, bad):
    """A node that has lost a disk does not end as if nothing was; with the disk repaired everything
    that was acknowledged is there."""
    disks.broker.signal(15)
    assert disks.broker.wait() != 0
    disks.broker.start()
    for partition in bad:
        assert values(disks, topic, partition, 1) == [b"before"]
        assert produce(disks, topic, partition, b"repaired") is None
    for partition in good:
        assert values(disks, topic, partition, 2) == [b"before", b"after"]
    disks.broker.stop()


@pytest.mark.parametrize("words", ["sync once", "write once"])
def test_a_disk_that_takes_nothing(disks, topic, words):
    disks.broker.start()
    good, bad = fill(disks, topic)
    disks.fail(words)
    assert produce(disks, topic, bad[0], b"lost") is not None
    calls = disks.failed_calls()
    assert calls
    if words.startswith("sync"):
        # Each file at most once, and none twice.
        assert len(set(calls)) == len(calls)
    else:
        assert len(calls) == 1
    check_offline(disks, topic, good, bad)
    check_restart(disks, topic, good, bad)


@pytest.mark.parametrize("words", ["read", "open once"])
def test_a_disk_that_gives_nothing(disks, topic, words):
    disks.broker.start()
    good, bad = fill(disks, topic)
    disks.broker.stop()
    disks.broker.start()  # now nothing is open, and nothing is known of what is in the logs
    disks.fail(words)
    consumer = clients.Confluent.consumer(disks.broker.bootstrap, topic, bad[0],
                                          error_cb=lambda _: None, log_level=0)
    try:
        deadline = time.monotonic() + 10
        while not disks.failed_calls():
            assert time.monotonic() < deadline, disks.broker.log()
            consumer.poll(0.2)
        check_offline(disks, topic, good, bad)
    finally:
        consumer.close()
    check_restart(disks, topic, good, bad)


@pytest.mark.parametrize("words", ["sync once", "write once"])
def test_the_metadata_log_cannot_be_written(disks, topic, words):
    disks.choose(disks.good)
    disks.broker.start()
    good, bad = fill(disks, topic)
    disks.fail(words)
    clients.admin(disks.broker.bootstrap).create_topics(
        [clients.NewTopic(f"{topic}.new", 1, 1)], request_timeout=1)
    assert disks.broker.wait(5) == 1
    assert f"log directory {disks.good} is offline" in disks.broker.log()
    assert len(disks.failed_calls()) == 1
    disks.broker.start()
    for partition in good + bad:
        assert values(disks, topic, partition, 1) == [b"before"]
    disks.broker.stop()


def test_a_start_with_a_disk_that_fails(disks, topic):
    """The others are served."""
    disks.broker.start()
    good, bad = fill(disks, topic)
    disks.broker.stop()
    disks.fail("open")
    disks.broker.start()
    wait_log(disks.broker, f"log directory {disks.bad} is offline: {disks.bad}/.lock: ")
    for partition in good:
        assert produce(disks, topic, partition, b"after") is None
        assert values(disks, topic, partition, 2) == [b"before", b"after"]
    for partition in bad:
        assert produce(disks, topic, partition, b"refused") is not None
    disks.control.unlink()
    check_restart(disks, topic, good, bad)


def test_a_start_with_a_metadata_disk_that_fails(disks, topic):
    """It is refused: nothing is known without the metadata."""
    disks.choose(disks.good)
    disks.broker.start()
    good, bad = fill(disks, topic)
    disks.broker.stop()
    disks.fail("open")
    disks.broker.start(wait=False)
    assert disks.broker.wait() == 1
    assert f"{disks.good}/.lock: input/output error" in disks.broker.log().lower()
    disks.control.unlink()
    disks.broker.start()
    for partition in good + bad:
        assert values(disks, topic, partition, 1) == [b"before"]
    disks.broker.stop()


def test_a_file_system_that_turns_read_only(tmp_path, topic):
    """The usual end of a disk: writing is refused, and nothing says "input/output error"."""
    if os.environ.get("SYSTEM_BOOTSTRAP"):
        pytest.skip("needs a broker process of its own")
    why = disk.missing(tmp_path)
    if why is not None:
        pytest.skip(f"NOT TESTED, a file system that turns read-only: {why}")
    with disk.Disk(tmp_path, 64 << 20) as d:
        broker = Broker(d.path / "data", log_folder=tmp_path)
        try:
            broker.start()
            clients.create_topic(broker.bootstrap, topic)
            clients.Confluent.produce(broker.bootstrap, topic, [(None, b"before", [])])
            d.turn_read_only()
            with pytest.raises(AssertionError):
                clients.Confluent.produce(broker.bootstrap, topic, [(None, b"lost", [])],
                                          **{"message.timeout.ms": 1000})
            assert broker.wait(5) == 1
            assert f"log directory {d.path}/data is offline" in broker.log()
            d.repair()
            broker.start()
            assert clients.Confluent.consume(broker.bootstrap, topic, 1) == [(None, b"before", [])]
            broker.stop()
        finally:
            if broker.is_running():
                broker.kill()
