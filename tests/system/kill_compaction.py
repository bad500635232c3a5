#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Kills a broker while it compacts a topic that is being written to: kill_compaction.py --rounds 50

An idempotent producer writes numbered values, and now and then a tombstone, to a few hundred keys. The
broker compacts without pause and is killed at random moments. After every tenth start, and at the end,
the newest record of each key must be the last that was acknowledged, or one sent after it, and where that
deleted the key no value may be there; offsets must rise and never hold anything else. Prints its seed.
"""

import argparse
import random
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

import confluent_kafka

import clients
from broker import Broker, binary

TOPIC = "compacted"
KEYS = 300
SETTINGS = ["log.cleaner.backoff.ms=1", "log.flush.offset.checkpoint.interval.ms=100",
            "log.segment.delete.delay.ms=100", "log.cleaner.io.buffer.size=65536"]
CONFIG = {"cleanup.policy": "compact", "internal.segment.bytes": "40000",
          "min.cleanable.dirty.ratio": "0.01", "delete.retention.ms": "200"}


class Writer(threading.Thread):
    """Sends number after number and remembers for each key what was sent and what acknowledged."""

    def __init__(self, bootstrap, partitions, seed):
        super().__init__(daemon=True)
        self.random = random.Random(seed)
        self.partitions = partitions
        self.sent = {}    # (partition, key): [(number, is a tombstone)]
        self.last = {}    # (partition, key): the last number acknowledged
        self.acknowledged = 0
        self.offsets = {}       # (partition, offset): number
        self.errors = []
        self.number = 0
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.producer = confluent_kafka.Producer({
            "bootstrap.servers": bootstrap, "enable.idempotence": True, "acks": "all",
            "linger.ms": 2, "batch.num.messages": 50, "message.timeout.ms": 120000,
            "reconnect.backoff.ms": 10, "reconnect.backoff.max.ms": 100, "retry.backoff.ms": 20,
            "queue.buffering.max.messages": 2000, "compression.type": "lz4",
            "error_cb": lambda e: e.fatal() and self.errors.append(f"fatal: {e}"), "log_level": 2})

    def on_delivery(self, error, message, number):
        if error is not None:
            self.errors.append(f"{number}: {error}")
            return
        where = (message.partition(), message.key())
        with self.lock:
            self.acknowledged += 1
            self.offsets[message.partition(), message.offset()] = number
            self.last[where] = number

    def send(self):
        partition, key = self.random.randrange(self.partitions), b"key %d" % self.random.randrange(KEYS)
        number = self.number = self.number + 1
        is_tombstone = self.random.random() < 0.1
        value = None if is_tombstone else b"%d " % number + b"x" * self.random.randrange(300)
        with self.lock:
            self.sent.setdefault((partition, key), []).append((number, is_tombstone))
        try:
            self.producer.produce(TOPIC, value, key, partition,
                                  on_delivery=lambda e, m: self.on_delivery(e, m, number))
        except BufferError:
            with self.lock:
                self.sent[partition, key].pop()
            self.producer.poll(0.01)

    def run(self):
        while not self.stopping.is_set():
            for _ in range(50):
                self.send()
            self.producer.poll(0.002)
        if self.producer.flush(120) != 0:
            self.errors.append("the last records were not acknowledged within two minutes")

    def acknowledgements(self):
        with self.lock:
            return dict(self.last)

    def all_sent(self):
        with self.lock:
            return {where: list(sent) for where, sent in self.sent.items()}, dict(self.offsets)


def read_all(bootstrap, partitions):
    """(partition, offset, key, number or None) in the order of offsets."""
    consumer = clients.Confluent.consumer(bootstrap, TOPIC)
    consumer.unassign()
    where = [confluent_kafka.TopicPartition(TOPIC, p, 0) for p in range(partitions)]
    ends = [consumer.get_watermark_offsets(w, timeout=20)[1] for w in where]
    consumer.assign(where)
    found = []
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and any(
            p.offset < e for p, e in zip(consumer.position(where), ends)):
        for m in consumer.consume(10000, 0.5):
            assert m.error() is None, m.error()
            number = int(m.value().split(b" ")[0]) if m.value() is not None else None
            found.append((m.partition(), m.offset(), m.key(), number))
    consumer.close()
    return found


def judge(found, acknowledged, sent, offsets):
    """What is wrong, in words. `acknowledged`: when the reading began; `sent`: when it had ended."""
    newest, last = {}, {}
    for partition, offset, key, number in found:
        if offset <= last.get(partition, -1):
            yield f"partition {partition}: offset {offset} after {last[partition]}"
        last[partition] = offset
        known = offsets.get((partition, offset))
        if known is not None and number is not None and known != number:
            yield f"partition {partition}: offset {offset} holds {number}, was {known}"
        newest[partition, key] = number
    for where, number in acknowledged.items():
        may_be = [n for n, is_tombstone in sent[where] if n >= number and not is_tombstone]
        may_be_deleted = any(n >= number and is_tombstone for n, is_tombstone in sent[where])
        got = newest.get(where)
        if got is None and not may_be_deleted:
            yield f"{where}: nothing there, {may_be} was sent last"
        elif got is not None and got not in may_be:
            yield f"{where}: {got} is there, {may_be} was sent last"


def check(broker, writer, partitions):
    acknowledged = writer.acknowledgements()
    found = read_all(broker.bootstrap, partitions)
    return list(judge(found, acknowledged, *writer.all_sent()))[:10]


def run(folder, rounds, partitions=2, seed=0, say=print):
    """Returns the list of what is wrong."""
    rng = random.Random(seed)
    program = shutil.copy(binary(), Path(folder).parent / "chitin")
    broker = Broker(folder, program=str(program), overrides=SETTINGS).start()
    problems, in_the_middle = [], 0
    try:
        clients.create_topic(broker.bootstrap, TOPIC, partitions, CONFIG)
        writer = Writer(broker.bootstrap, partitions, seed)
        writer.start()
        for number in range(rounds):
            target = writer.acknowledged + 500
            time.sleep(rng.uniform(0.05, 0.6))
            broker.kill()
            left = [p.name for p in Path(folder).rglob("*") if p.name.endswith((".cleaned", ".swap"))]
            in_the_middle += left != []
            broker.start()
            deadline = time.monotonic() + 30
            while writer.acknowledged < target and time.monotonic() < deadline:
                time.sleep(0.01)
            if number % 10 == 9:
                problems += check(broker, writer, partitions)
            say(f"round {number + 1}: {writer.acknowledged} acknowledged, left: {' '.join(left)}")
            if writer.errors or problems or writer.acknowledged < target:
                problems.append(f"round {number + 1} is the last")
                break
        writer.stopping.set()
        writer.join(150)
        broker.kill()
        broker.start()
        problems += writer.errors[:10] + check(broker, writer, partitions)
        compactions = broker.log().count(" compacted ")
        say(f"{compactions} compactions, {in_the_middle} of {rounds} kills in the middle of one")
        if compactions < rounds / 2:
            problems.append(f"only {compactions} compactions")
        if " ERROR " in broker.log():
            problems.append("the broker wrote an error")
        broker.stop()
    finally:
        if broker.is_running():
            broker.kill()
    if problems:
        problems.append(f"what the broker said last:\n{broker.log()[-3000:]}")
    return problems


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=50)
    arguments.add_argument("--partitions", type=int, default=2)
    arguments.add_argument("--seed", type=int, default=int(time.time()))
    options = arguments.parse_args()
    print(f"seed {options.seed}")
    with tempfile.TemporaryDirectory(prefix="chitin-compaction-") as folder:
        problems = run(Path(folder) / "data", options.rounds, options.partitions, options.seed)
    print(*problems, sep="\n")
    print(f"{options.rounds} rounds, {'FAILED' if problems else 'nothing lost, moved or back'}")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
