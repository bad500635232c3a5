# SPDX-License-Identifier: Apache-2.0
"""Transactions while their broker is killed, again and again.

    python3 tests/system/exactly_once.py --kills 20 --seed 7 [atomic|transform]

atomic: each transaction writes its number to all partitions; afterwards a reader of committed records
finds a transaction in all of them or in none, once, and each that was acknowledged.

transform: workers read numbers from one topic and write them to another, with their offsets in the same
transaction, and die as well; afterwards each number is there exactly once.
"""

import argparse
import random
import sys
import tempfile
import threading
import time
from pathlib import Path

import confluent_kafka
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from broker import Broker
from clients import create_topic

PARTITIONS = 4
PATIENCE = 60
QUIET = {"log_level": 0}


def read_committed(bootstrap, topic, partitions):
    c = confluent_kafka.Consumer({"bootstrap.servers": bootstrap, "group.id": "judge", **QUIET,
                                  "isolation.level": "read_committed", "enable.partition.eof": True})
    c.assign([TopicPartition(topic, p, 0) for p in range(partitions)])
    found, ended = [[] for _ in range(partitions)], 0
    while ended < partitions:
        m = c.poll(PATIENCE)
        assert m is not None, "the reader hangs"
        if m.error() is None:
            found[m.partition()].append(int(m.value()))
        elif m.error().code() == KafkaError._PARTITION_EOF:
            ended += 1
    c.close()
    return found


def keep_killing(b, kills, rng, is_over):
    for _ in range(kills):
        time.sleep(rng.uniform(0.3, 1.5))
        b.kill()
        time.sleep(rng.uniform(0, 0.3))
        b.start()
    time.sleep(1)
    is_over.set()


def new_producer(bootstrap, transactional_id):
    p = confluent_kafka.Producer({"bootstrap.servers": bootstrap, "transactional.id": transactional_id,
                                  "transaction.timeout.ms": 10000, "linger.ms": 0, **QUIET})
    p.init_transactions(PATIENCE)
    return p


def end(p, ending):
    """commit_transaction() or abort_transaction(), however often it takes. False: it is aborted."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            ending(5)
            return True
        except KafkaException as failure:
            error = failure.args[0]
            if error.fatal() or time.monotonic() > deadline:
                raise
            if error.txn_requires_abort():
                return False
            assert error.retriable() or error.code() == KafkaError._TIMED_OUT, error


# ---- Atomic ----

def write_atomic(bootstrap, number_of, worker, acknowledged, is_over, rng):
    """Transactions of one producer, which is made anew when it cannot go on."""
    p = new_producer(bootstrap, f"atomic-{worker}")
    while not is_over.is_set():
        number = number_of()
        commits = rng.random() < 0.8
        try:
            p.begin_transaction()
            for partition in range(PARTITIONS):
                p.produce("t", b"%d" % (number if commits else -1), partition=partition)
            if not commits:
                p.flush(5)
            if not end(p, p.commit_transaction if commits else p.abort_transaction):
                end(p, p.abort_transaction)
            elif commits:
                acknowledged.add(number)
        except KafkaException:
            p = new_producer(bootstrap, f"atomic-{worker}")


def judge_atomic(partitions, acknowledged):
    problems = []
    numbers = sorted({n for p in partitions for n in p} | acknowledged)
    for n in numbers:
        counts = [p.count(n) for p in partitions]
        there = sum(c > 0 for c in counts)
        if n < 0:
            problems.append("what was aborted is there")
        elif max(counts) > 1:
            problems.append(f"transaction {n} is there twice")
        elif there == 0 and n in acknowledged:
            problems.append(f"transaction {n} was acknowledged and is not there")
        elif 0 < there < len(partitions):
            problems.append(f"transaction {n} is in {there} of {len(partitions)} partitions")
    return problems


def counter():
    lock, last = threading.Lock(), [0]

    def number_of():
        with lock:
            last[0] += 1
            return last[0]
    return number_of


def in_threads(functions):
    """Runs them all; what one raises is raised."""
    failures = []

    def guarded(function):
        try:
            function()
        except BaseException as failure:  # noqa: B902, told by the caller
            failures.append(failure)

    threads = [threading.Thread(target=guarded, args=(f,)) for f in functions]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if failures:
        raise failures[0]


def run_atomic(folder, kills, seed, workers=3):
    rng = random.Random(seed)
    b = Broker(folder).start()
    acknowledged, is_over, number_of = set(), threading.Event(), counter()
    try:
        create_topic(b.bootstrap, "t", PARTITIONS)
        in_threads([lambda: keep_killing(b, kills, rng, is_over)] +
                   [lambda w=w: write_atomic(b.bootstrap, number_of, w, acknowledged, is_over,
                                             random.Random(seed + w)) for w in range(workers)])
        for w in range(workers):  # ends what is open
            new_producer(b.bootstrap, f"atomic-{w}")
        problems = judge_atomic(read_committed(b.bootstrap, "t", PARTITIONS), acknowledged)
        if not acknowledged:
            problems.append("nothing was acknowledged")
        print(f"{len(acknowledged)} transactions acknowledged over {kills} kills")
        b.stop()
        return problems
    finally:
        if b.is_running():
            b.kill()


# ---- Consume, transform, produce ----

def new_consumer(bootstrap):
    c = confluent_kafka.Consumer({"bootstrap.servers": bootstrap, "group.id": "transform", **QUIET,
                                  "enable.auto.commit": False, "auto.offset.reset": "earliest",
                                  "isolation.level": "read_committed", "session.timeout.ms": 6000,
                                  "heartbeat.interval.ms": 500})
    c.subscribe(["in"])
    return c


def transform_some(c, p, rng):
    """One transaction; how many records it has transformed."""
    messages = [m for m in c.consume(20, 0.5) if m.error() is None]
    if not messages:
        return 0
    p.begin_transaction()
    for m in messages:
        p.produce("out", m.value(), partition=m.partition())
    ends = {m.partition(): m.offset() + 1 for m in messages}
    p.send_offsets_to_transaction([TopicPartition("in", q, o) for q, o in ends.items()],
                                  c.consumer_group_metadata(), 10)
    if rng.random() < 0.1 or not end(p, p.commit_transaction):
        end(p, p.abort_transaction)
        raise KafkaException(KafkaError(KafkaError._STATE))  # begin again where the group is
    return len(messages)


def transform(bootstrap, worker, is_done, rng):
    """A worker that loses its mind now and then: nothing of it survives but its transactional id."""
    while not is_done.is_set():
        c = p = None
        try:
            p, c = new_producer(bootstrap, f"transform-{worker}"), new_consumer(bootstrap)
            while not is_done.is_set():
                transform_some(c, p, rng)
        except KafkaException:
            pass
        finally:
            if c is not None:
                c.close()


def group_is_at(bootstrap, ends):
    c = confluent_kafka.Consumer({"bootstrap.servers": bootstrap, "group.id": "transform", **QUIET,
                                  "isolation.level": "read_committed"})
    try:
        found = c.committed([TopicPartition("in", p) for p in range(PARTITIONS)], 5)
        return all(p.offset == ends[p.partition] for p in found)
    except KafkaException:
        return False
    finally:
        c.close()


def await_transformed(bootstrap, is_over, is_done, count):
    is_over.wait()
    deadline = time.monotonic() + PATIENCE
    while not group_is_at(bootstrap, [count // PARTITIONS] * PARTITIONS):
        if time.monotonic() > deadline:
            is_done.set()
            raise AssertionError("the group does not get to the end")
        time.sleep(0.3)
    is_done.set()


def judge_transform(partitions, count):
    found = sorted(n for p in partitions for n in p)
    lost = sorted(set(range(count)) - set(found))
    twice = sorted({a for a, b in zip(found, found[1:]) if a == b})
    return ([f"lost: {lost[:10]}"] if lost else []) + ([f"twice: {twice[:10]}"] if twice else [])


def run_transform(folder, kills, seed, workers=2, count=2000):
    rng = random.Random(seed)
    b = Broker(folder, overrides=["group.initial.rebalance.delay.ms=0"]).start()
    is_over, is_done = threading.Event(), threading.Event()
    try:
        create_topic(b.bootstrap, "in", PARTITIONS)
        create_topic(b.bootstrap, "out", PARTITIONS)
        p = confluent_kafka.Producer({"bootstrap.servers": b.bootstrap, "enable.idempotence": True})
        for n in range(count):
            p.produce("in", b"%d" % n, partition=n % PARTITIONS)
        assert p.flush(PATIENCE) == 0
        in_threads([lambda: keep_killing(b, kills, rng, is_over),
                    lambda: await_transformed(b.bootstrap, is_over, is_done, count)] +
                   [lambda w=w: transform(b.bootstrap, w, is_done, random.Random(seed + w))
                    for w in range(workers)])
        for w in range(workers):
            new_producer(b.bootstrap, f"transform-{w}")
        problems = judge_transform(read_committed(b.bootstrap, "out", PARTITIONS), count)
        b.stop()
        return problems
    finally:
        is_done.set()
        if b.is_running():
            b.kill()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="?", choices=["atomic", "transform"], default="transform")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    arguments = parser.parse_args()
    run = {"atomic": run_atomic, "transform": run_transform}[arguments.what]
    print(f"seed {arguments.seed}")
    with tempfile.TemporaryDirectory() as folder:
        problems = run(Path(folder) / "data", arguments.kills, arguments.seed)
    print("\n".join(problems) or "exactly once")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
