#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Kills a broker while an idempotent producer writes to 50 partitions: kill9.py --rounds 100

Each record of a partition is its number. The broker is killed at a random moment, started again on
the same folder, and the same producer goes on. At the end every partition must hold exactly
0, 1, 2, ... up to at least the last number that was acknowledged: nothing acknowledged missing,
nothing reordered, nothing doubled. Prints its seed.
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

TOPIC = "kill9"


class Writer(threading.Thread):
    """Writes 0, 1, 2, ... to every partition and remembers what was acknowledged."""

    def __init__(self, bootstrap, partitions):
        super().__init__(daemon=True)
        self.next = [0] * partitions
        self.acknowledged = [-1] * partitions
        self.errors = []
        self.stopping = threading.Event()
        self.producer = confluent_kafka.Producer({
            "bootstrap.servers": bootstrap, "enable.idempotence": True, "acks": "all",
            "linger.ms": 2, "batch.num.messages": 50, "message.timeout.ms": 120000,
            "reconnect.backoff.ms": 10, "reconnect.backoff.max.ms": 100,
            "retry.backoff.ms": 20, "queue.buffering.max.messages": 20000,
            "error_cb": self.on_error, "log_level": 2})

    def on_error(self, error):
        if error.fatal():
            self.errors.append(f"fatal: {error}")

    def on_delivery(self, error, message):
        partition = message.partition()
        number = int(message.value().split(b" ")[0])
        if error is not None:
            self.errors.append(f"{partition}: {number}: {error}")
        elif number != self.acknowledged[partition] + 1:
            self.errors.append(f"{partition}: {number} acknowledged after "
                               f"{self.acknowledged[partition]}")
        self.acknowledged[partition] = number

    def run(self):
        padding = b" " + b"x" * 200
        while not self.stopping.is_set():
            for partition in range(len(self.next)):
                try:
                    self.producer.produce(TOPIC, b"%d" % self.next[partition] + padding,
                                          partition=partition, on_delivery=self.on_delivery)
                    self.next[partition] += 1
                except BufferError:
                    pass
                except confluent_kafka.KafkaException as failure:
                    self.errors.append(str(failure))
                    return
            self.producer.poll(0.005)
        try:
            if self.producer.flush(120) != 0:
                self.errors.append("the last records were not acknowledged within two minutes")
        except confluent_kafka.KafkaException as failure:
            self.errors.append(str(failure))


def read_all(bootstrap, partitions):
    """The numbers of each partition, in the order of their offsets."""
    consumer = clients.Confluent.consumer(bootstrap, TOPIC)
    consumer.unassign()  # a fetch that waits would keep each of these questions waiting
    where = [confluent_kafka.TopicPartition(TOPIC, p, 0) for p in range(partitions)]
    ends = [consumer.get_watermark_offsets(w, timeout=20)[1] for w in where]
    numbers = [[] for _ in range(partitions)]
    consumer.assign(where)
    deadline = time.monotonic() + 120
    while any(len(n) < e for n, e in zip(numbers, ends)) and time.monotonic() < deadline:
        for message in consumer.consume(10000, 1):
            assert message.error() is None, message.error()
            numbers[message.partition()].append(int(message.value().split(b" ")[0]))
    consumer.close()
    return numbers


def compare(numbers, acknowledged):
    """What is wrong, in words; nothing if all is well."""
    for partition, (found, last) in enumerate(zip(numbers, acknowledged)):
        if len(found) <= last:
            yield f"partition {partition}: {len(found)} records, but {last} was acknowledged"
        for offset, number in enumerate(found):
            if number != offset:
                yield f"partition {partition}: number {number} at offset {offset}"
                break


def run(folder, rounds, partitions=50, seed=0, say=print):
    """Returns the list of what is wrong."""
    rng = random.Random(seed)
    # A copy, so that a build meanwhile takes nothing away.
    program = shutil.copy(binary(), Path(folder).parent / "chitin")
    broker = Broker(folder, program=str(program)).start()
    problems = []
    try:
        clients.create_topic(broker.bootstrap, TOPIC, partitions)
        writer = Writer(broker.bootstrap, partitions)
        writer.start()
        for number in range(rounds):
            target = max(writer.acknowledged)
            time.sleep(rng.uniform(0.05, 0.8))
            broker.kill()
            started = time.monotonic()
            broker.start()
            back = time.monotonic() - started
            deadline = time.monotonic() + 30
            while max(writer.acknowledged) <= target and time.monotonic() < deadline:
                time.sleep(0.01)
            say(f"round {number + 1}: back after {back * 1000:.0f} ms, "
                f"{sum(writer.acknowledged) + partitions} acknowledged")
            if writer.errors or max(writer.acknowledged) <= target:
                problems.append(f"round {number + 1}: no progress in 30 s")
                break
        writer.stopping.set()
        writer.join(150)
        if not writer.errors:
            broker.kill()  # once more, with nothing in flight
            broker.start()
        problems += writer.errors[:10]
        problems += compare(read_all(broker.bootstrap, partitions), writer.acknowledged)
        if sum(writer.acknowledged) <= 0:
            problems.append("nothing was acknowledged at all")
        broker.stop()
    finally:
        if broker.is_running():
            broker.kill()
    if problems:
        problems.append(f"what the broker said last:\n{broker.log()[-2000:]}")
    return problems


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=100)
    arguments.add_argument("--partitions", type=int, default=50)
    arguments.add_argument("--seed", type=int, default=int(time.time()))
    options = arguments.parse_args()
    print(f"seed {options.seed}")
    with tempfile.TemporaryDirectory(prefix="chitin-kill9-") as folder:
        problems = run(Path(folder) / "data", options.rounds, options.partitions, options.seed)
    print(*problems, sep="\n")
    print(f"{options.rounds} rounds, {'FAILED' if problems else 'nothing lost, moved or doubled'}")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
