#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Cuts the power under a broker again and again: power_loss.py --cuts 100

The broker's folder is on a file system of its own, which at a random moment loses everything that was
not synced. An idempotent producer writes to 50 partitions (kill9.py: its writer and its judge), and an
administrator creates and deletes topics and deletes records. After each cut the broker starts on what
is left: nothing that was acknowledged may be missing, moved or doubled, no topic that was created may
be gone, none that was deleted may be back, and no record that was deleted. Needs root. Prints its seed.
"""

import argparse
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

import confluent_kafka
from confluent_kafka.admin import AdminClient, NewTopic

import clients
import kill9
from broker import Broker, binary
from disk import Disk, missing

DISK_BYTES = 512 << 20
TRIMMED = "trimmed"
TRIMMED_STEP = 10   # records that are written, then deleted but for the last
CALL_SECONDS = 1    # for an answer: the power may go before it


class Administrator(threading.Thread):
    """Changes things until stopped, and remembers what was acknowledged. What it asks for when the power
    goes may have happened or not."""

    def __init__(self, broker, round_number, known, producer):
        super().__init__(daemon=True)
        self.broker = broker
        self.prefix = f"round{round_number}"
        self.known = known
        self.producer = producer
        self.stopping = threading.Event()
        self.admin = AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0})

    @staticmethod
    def result(future):
        future.result(3 * CALL_SECONDS)

    def create(self, name):
        self.known.unsure.add(name)
        self.result(self.admin.create_topics([NewTopic(name, 2, 1)],
                                             request_timeout=CALL_SECONDS)[name])
        self.known.unsure.discard(name)
        self.known.topics.add(name)

    def delete(self, name):
        self.known.topics.discard(name)
        self.known.unsure.add(name)
        self.result(self.admin.delete_topics([name], request_timeout=CALL_SECONDS)[name])
        self.known.unsure.discard(name)
        self.known.deleted.add(name)

    def trim(self):
        for _ in range(TRIMMED_STEP):
            self.producer.produce(TRIMMED, b"x", partition=0, on_delivery=self.delivered)
        if self.producer.flush(2 * CALL_SECONDS) != 0:
            raise TimeoutError
        low = clients.delete_records(self.broker.port, TRIMMED, 0, self.known.trimmed_end - 1,
                                     CALL_SECONDS)
        self.known.trimmed_start = max(self.known.trimmed_start, low)

    def delivered(self, error, message):
        if error is None:
            self.known.trimmed_end = max(self.known.trimmed_end, message.offset() + 1)

    def run(self):
        number = 0
        try:
            while not self.stopping.is_set():
                name = f"{self.prefix}-{number}"
                number += 1
                self.create(name)
                self.trim()
                if number % 2 == 1:
                    self.delete(name)
        except (OSError, confluent_kafka.KafkaException, TimeoutError):
            pass  # the power went


class Known:
    """What was acknowledged to administrators so far."""

    def __init__(self):
        self.topics = set()
        self.deleted = set()
        self.unsure = set()
        self.trimmed_start = 0
        self.trimmed_end = 0

    def problems(self, topics, start, end):
        """What differs from what a broker says, in words. Settles what was unsure."""
        for name in self.topics - topics:
            yield f"topic {name} was created and is gone"
        for name in self.deleted & topics:
            yield f"topic {name} was deleted and is back"
        if start < self.trimmed_start:
            yield f"records from {start} on are back, though deleted up to {self.trimmed_start}"
        if end < self.trimmed_end:
            yield f"{TRIMMED} ends at {end}, but {self.trimmed_end} was acknowledged"
        self.topics |= self.unsure & topics
        self.deleted |= self.unsure - topics
        self.unsure.clear()


def ask(bootstrap):
    """The names of the topics; start and end of the partition that records are deleted from."""
    consumer = confluent_kafka.Consumer({"bootstrap.servers": bootstrap, "group.id": "unused"})
    try:
        topics = set(consumer.list_topics(timeout=20).topics)
        start, end = consumer.get_watermark_offsets(
            confluent_kafka.TopicPartition(TRIMMED, 0), timeout=20)
        return topics, start, end
    finally:
        consumer.close()


def cut(disk, broker):
    """Nothing happens after it: the broker is frozen first. (A file system that is being shut down may say
    for a moment that it synced what it did not; whoever runs on a machine without power cannot hear it.)"""
    broker.signal(signal.SIGSTOP)
    disk.cut_power()


def restart(disk, broker):
    """The power comes back."""
    broker.kill()
    disk.unmount()
    disk.mount()
    started = time.monotonic()
    broker.start()
    return time.monotonic() - started


def wait_progress(writer, target, seconds=30):
    deadline = time.monotonic() + seconds
    while max(writer.acknowledged) <= target and time.monotonic() < deadline:
        time.sleep(0.01)
    return max(writer.acknowledged) > target


def cut_all(disk, broker, cuts, partitions, rng, say):
    problems = []
    clients.create_topic(broker.bootstrap, kill9.TOPIC, partitions, {"segment.bytes": "1048576"})
    clients.create_topic(broker.bootstrap, TRIMMED, 1, {"segment.ms": "50"})
    known = Known()
    writer = kill9.Writer(broker.bootstrap, partitions)
    writer.start()
    # One for all rounds: librdkafka takes a second to begin.
    producer = confluent_kafka.Producer({
        "bootstrap.servers": broker.bootstrap, "acks": "all", "linger.ms": 0, "log_level": 0,
        "reconnect.backoff.ms": 10, "reconnect.backoff.max.ms": 100,
        "message.timeout.ms": CALL_SECONDS * 1000})
    for number in range(1, cuts + 1):
        administrator = Administrator(broker, number, known, producer)
        administrator.start()
        target = max(writer.acknowledged)
        time.sleep(rng.uniform(0.05, 0.8))
        cut(disk, broker)
        administrator.stopping.set()
        back = restart(disk, broker)
        administrator.join(10 * CALL_SECONDS)
        problems += [f"cut {number}: {p}" for p in known.problems(*ask(broker.bootstrap))]
        if writer.errors or not wait_progress(writer, target):
            problems.append(f"cut {number}: no progress in 30 s")
        say(f"cut {number}: back after {back * 1000:.0f} ms, "
            f"{sum(writer.acknowledged) + partitions} records acknowledged, "
            f"{len(known.topics)} topics, {len(known.deleted)} deleted")
        if problems:
            break
    writer.stopping.set()
    writer.join(150)
    if not problems:
        cut(disk, broker)  # once more, with nothing in flight
        restart(disk, broker)
    problems += writer.errors[:10]
    problems += kill9.compare(kill9.read_all(broker.bootstrap, partitions), writer.acknowledged)
    if sum(writer.acknowledged) <= 0:
        problems.append("nothing was acknowledged, so nothing was tested")
    if cuts > 1 and not (known.topics and known.deleted and known.trimmed_start > 0):
        problems.append("no topic was created, none deleted, or no record: nothing was tested")
    return problems


def run(folder, cuts, partitions=50, seed=0, say=print):
    """Returns the list of what is wrong."""
    rng = random.Random(seed)
    # A copy, so that a build meanwhile takes nothing away.
    program = shutil.copy(binary(), Path(folder) / "chitin")
    with Disk(folder, DISK_BYTES) as disk:
        broker = Broker(disk.path / "data", program=str(program), log_folder=folder,
                        overrides=["log.retention.check.interval.ms=300",
                                   "log.flush.offset.checkpoint.interval.ms=200"])
        try:
            broker.start()
            return cut_all(disk, broker, cuts, partitions, rng, say)
        finally:
            if broker.is_running():
                broker.kill()


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--cuts", type=int, default=20)
    arguments.add_argument("--partitions", type=int, default=50)
    arguments.add_argument("--seed", type=int, default=int(time.time()))
    options = arguments.parse_args()
    print(f"seed {options.seed}")
    with tempfile.TemporaryDirectory(prefix="chitin-power-loss-") as folder:
        why = missing(folder)
        if why is not None:
            sys.exit(f"not possible here: {why}")
        problems = run(folder, options.cuts, options.partitions, options.seed)
    print(*problems, sep="\n")
    print(f"{options.cuts} cuts, {'FAILED' if problems else 'nothing lost, moved or doubled'}")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
