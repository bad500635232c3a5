#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Everything at once against a broker of several shards: churn.py --seconds 60

A producer counts in many partitions and must be believed; beside it topics come, grow and go with
records, consumers and changes of configuration; consumers follow; connections are opened, cut off in
the middle of a request or left alone; and the broker is stopped and started again. It is made for a
build with ThreadSanitizer (CHITIN=build-tsan/chitin), whose reports make it fail, and tells of
wrong counts with any build. Prints its seed.
"""

import argparse
import contextlib
import os
import random
import shutil
import signal
import socket
import struct
import sys
import tempfile
import threading
import time
from pathlib import Path

import confluent_kafka
from confluent_kafka.admin import ConfigResource, NewPartitions, NewTopic

import clients
import kill9
from broker import Broker, binary

STOP_SECONDS = 60
LIFE_SECONDS = 15
REPORT = "ThreadSanitizer"
QUIET = {"log_level": 0, "reconnect.backoff.ms": 10, "reconnect.backoff.max.ms": 200}


class Churn(threading.Thread):
    """Does its work again and again until it is told to stop. The broker may be away at any time."""

    def __init__(self, broker, seed):
        super().__init__(daemon=True)
        self.broker = broker
        self.rng = random.Random(seed)
        self.stopping = threading.Event()
        self.rounds = 0
        self.failures = []

    def run(self):
        while not self.stopping.is_set():
            try:
                self.once()
                self.rounds += 1
            except (confluent_kafka.KafkaException, OSError):
                time.sleep(0.05)
            except Exception as failure:  # a fault of this script must not look like success
                self.failures.append(f"{type(self).__name__}: {failure!r}")
                return


class Topics(Churn):
    """The lives of topics."""

    def __init__(self, broker, seed, number):
        super().__init__(broker, seed)
        self.number = number
        self.admin = confluent_kafka.admin.AdminClient({"bootstrap.servers": broker.bootstrap, **QUIET})

    def produce(self, topic, partitions):
        producer = confluent_kafka.Producer({
            "bootstrap.servers": self.broker.bootstrap, "acks": self.rng.choice(["0", "1", "all"]),
            "compression.type": self.rng.choice(clients.CODECS), "message.timeout.ms": 3000, **QUIET})
        for number in range(self.rng.randrange(200)):
            producer.produce(topic, bytes(self.rng.randrange(2000)), partition=number % partitions)
        producer.flush(5)

    def follow(self, topic, partitions):
        consumer = confluent_kafka.Consumer({
            "bootstrap.servers": self.broker.bootstrap, "group.id": "churn", "fetch.wait.max.ms": 100,
            "enable.auto.commit": False, **QUIET})
        consumer.assign([confluent_kafka.TopicPartition(topic, p, 0) for p in range(partitions)])
        consumer.consume(100, 0.3)
        consumer.close()

    def change(self, topic, partitions):
        what = self.rng.randrange(4)
        if what == 0:
            grown = NewPartitions(topic, partitions + 3)
            self.admin.create_partitions([grown])[topic].result(5)
        elif what == 1:
            resource = ConfigResource("topic", topic, set_config={
                "segment.bytes": str(1 << self.rng.randrange(20, 24)), "retention.ms": "1000",
                "flush.messages": "1", "file.delete.delay.ms": "100"})
            self.admin.alter_configs([resource])[resource].result(5)
        elif what == 2:
            clients.delete_records(self.broker.port, topic, 0, -1, 5)
        else:
            confluent_kafka.admin.AdminClient(
                {"bootstrap.servers": self.broker.bootstrap, **QUIET}).list_topics(timeout=5)

    def once(self):
        partitions = self.rng.randrange(1, 7)
        topic = f"churn-{self.number}-{self.rng.randrange(3)}"  # names come back
        with contextlib.suppress(confluent_kafka.KafkaException):
            self.admin.delete_topics([topic])[topic].result(5)
        self.admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result(5)
        self.produce(topic, partitions)
        self.follow(topic, partitions)
        self.change(topic, partitions)
        self.produce(topic, partitions)
        if self.rng.randrange(2):
            self.admin.delete_topics([topic])[topic].result(5)


class Connections(Churn):
    """Many that come and go, in the middle of what they say."""

    WHOLE = struct.pack(">ihhih1s", 11, 18, 0, 1, 1, b"x")  # ApiVersions

    def once(self):
        with contextlib.ExitStack() as stack:
            for _ in range(30):
                s = stack.enter_context(
                    socket.create_connection(("127.0.0.1", self.broker.port), 2))
                cut = self.rng.randrange(len(self.WHOLE) + 1)
                s.sendall(self.WHOLE * self.rng.randrange(4) + self.WHOLE[:cut])
                if self.rng.randrange(3) == 0:  # reset
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            time.sleep(self.rng.uniform(0, 0.05))


class Followers(Churn):
    """A consumer of all that the counting producer writes, from a different place each time."""

    def once(self):
        consumer = confluent_kafka.Consumer({
            "bootstrap.servers": self.broker.bootstrap, "group.id": "churn",
            "enable.auto.commit": False, "isolation.level": "read_committed",
            "fetch.wait.max.ms": self.rng.choice([5, 500]), "fetch.min.bytes": self.rng.choice([1, 50000]),
            **QUIET})
        try:
            partitions = len(consumer.list_topics(kill9.TOPIC, timeout=5).topics[kill9.TOPIC].partitions)
            first = confluent_kafka.TopicPartition(kill9.TOPIC, 0)
            offset = self.rng.randrange(consumer.get_watermark_offsets(first, timeout=5)[1] + 1)
            consumer.assign([confluent_kafka.TopicPartition(kill9.TOPIC, p, offset)
                             for p in range(partitions)])
            for _ in range(self.rng.randrange(20)):
                consumer.consume(1000, 0.1)
        finally:
            consumer.close()


def start(broker):
    """Slower than elsewhere: with a sanitizer, beside all the others."""
    broker.start(wait=False)
    deadline = time.monotonic() + STOP_SECONDS
    while time.monotonic() < deadline and broker.is_running():
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", broker.port), 1).close()
            return
        time.sleep(0.05)
    raise AssertionError(f"it does not start\n{broker.log()[-2000:]}")


def stop(broker):
    """Its exit status says of reports, too."""
    broker.signal(signal.SIGTERM)
    status = broker.wait(STOP_SECONDS)
    return [] if status == 0 else [f"exit status {status}"]


def run(folder, seconds, shards, seed, say=print):
    """Returns the list of what is wrong."""
    rng = random.Random(seed)
    program = shutil.copy(binary(), Path(folder).parent / "chitin")
    broker = Broker(folder, program=str(program), overrides=[
        f"chitin.shards={shards}", "log.segment.bytes=1048576", "log.retention.check.interval.ms=300",
        "log.flush.offset.checkpoint.interval.ms=500", "connections.max.idle.ms=3000",
        "metadata.log.max.record.bytes.between.snapshots=20000", "max.connections=300"],
        environment={"TSAN_OPTIONS": "exitcode=66 " + os.environ.get("TSAN_OPTIONS", "")})
    problems = []
    start(broker)
    try:
        clients.create_topic(broker.bootstrap, kill9.TOPIC, 12)
        writer = kill9.Writer(broker.bootstrap, 12)
        churns = [*(Topics(broker, seed + n, n) for n in range(3)), Connections(broker, seed + 3),
                  Followers(broker, seed + 4), Followers(broker, seed + 5)]
        for thread in (writer, *churns):
            thread.start()
        end = time.monotonic() + seconds
        while time.monotonic() < end and not problems:
            time.sleep(min(rng.uniform(0.5, 1.5) * LIFE_SECONDS, max(end - time.monotonic(), 0.1)))
            problems += stop(broker)
            if not problems:
                start(broker)
        for thread in (writer, *churns):
            thread.stopping.set()
        for thread in (writer, *churns) if not problems else ():
            thread.join(150)
        say(f"{sum(writer.acknowledged) + 12} records, " + ", ".join(
            f"{type(c).__name__} {c.rounds}" for c in churns))
        problems += writer.errors[:10] + [f for c in churns for f in c.failures]
        problems += [f"{type(c).__name__} did nothing" for c in churns if c.rounds == 0]
        if not problems:
            problems += kill9.compare(kill9.read_all(broker.bootstrap, 12), writer.acknowledged)
            problems += stop(broker)
    finally:
        if broker.is_running():
            broker.kill()
    report = broker.log().find(REPORT)
    if report >= 0:
        problems.append(broker.log()[report:report + 8000])
    elif problems:
        problems.append(f"what the broker said last:\n{broker.log()[-2000:]}")
    return problems


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--seconds", type=float, default=60)
    arguments.add_argument("--shards", type=int, default=3)
    arguments.add_argument("--seed", type=int, default=int(time.time()))
    options = arguments.parse_args()
    print(f"seed {options.seed}")
    with tempfile.TemporaryDirectory(prefix="chitin-churn-") as folder:
        problems = run(Path(folder) / "data", options.seconds, options.shards, options.seed)
    print(*problems, sep="\n")
    print(f"{options.seconds} s, {'FAILED' if problems else 'nothing lost, no report'}")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
