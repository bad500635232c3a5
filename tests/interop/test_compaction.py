# SPDX-License-Identifier: Apache-2.0
"""Compacted topics in a directory that Apache Kafka and Chitin have in turn: whoever compacts, the
newest value of each key is there for both, what was deleted stays deleted, and a swap of segments that
one was killed in the middle of is finished, or undone, by either.
"""

import random
import re
import shutil
import time

import confluent_kafka
from confluent_kafka import TopicPartition
import pytest

import clients
import dump
from clients import Confluent
from node import Node

TOPICS = {
    "kept": {"delete.retention.ms": "86400000"},   # tombstones stay, with a delete horizon
    "gone": {"delete.retention.ms": "100"},        # and go
    "small": {"segment.bytes": "1048576", "compression.type": "zstd"},
}
COMPACTED = {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.01",
             "segment.bytes": "1048576", "compression.type": "producer"}
KEYS = 500
RECORDS = 5000
SECONDS = 60


@pytest.fixture
def node(tmp_path, kafka_version):
    n = Node(tmp_path, kafka_version, dynamic_quorum=kafka_version >= "4.1")
    for path in (n.file, n.chitin_file):
        n.write_properties(path, {"log.cleaner.backoff.ms": "100", "log.dirs": str(n.dirs[0]),
                                  "log.flush.offset.checkpoint.interval.ms": "500"})
    n.dirs = n.dirs[:1]
    shutil.rmtree(tmp_path / "data-1", ignore_errors=True)
    n.kafka_sh("format", str(n.file), "-t", "MkU3OEVBNTcwNTJENDM2Qg",
               *(["--standalone"] if kafka_version >= "4.1" else []))
    yield n
    n.end()


class Model:
    """What was written: the newest of each key."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.newest = {topic: {} for topic in TOPICS}

    def write(self, server, topic, codec="none", name=b"key"):
        producer = confluent_kafka.Producer({"bootstrap.servers": server, "linger.ms": 5, "acks": "all",
                                             "compression.type": codec, "batch.num.messages": 200})
        for i in range(RECORDS):
            key = name + b" %d" % self.random.randrange(KEYS)
            value = None if self.random.random() < 0.1 else self.random.randbytes(250).hex().encode()
            self.newest[topic][key] = value
            producer.produce(topic, value, key, partition=0)
            if i % 500 == 0:
                producer.poll(0)
        assert producer.flush(SECONDS) == 0

    def check(self, server):
        for topic in TOPICS:
            found, offsets = read(server, topic)
            alive = {k: v for k, v in self.newest[topic].items() if v is not None}
            assert {k: v for k, v in found.items() if v is not None} == alive, topic
            assert offsets == sorted(set(offsets))


def read(server, topic):
    """The newest of each key as a consumer sees it, and the offsets in their order."""
    consumer = Confluent.consumer(server, topic, **{"isolation.level": "read_committed"})
    consumer.unassign()
    where = TopicPartition(topic, 0, 0)
    end = consumer.get_watermark_offsets(where, timeout=SECONDS)[1]
    consumer.assign([where])
    found, offsets = {}, []
    deadline = time.monotonic() + SECONDS
    while consumer.position([where])[0].offset < end and time.monotonic() < deadline:
        for message in consumer.consume(5000, 0.5):
            assert message.error() is None, message.error()
            found[message.key()] = message.value()
            offsets.append(message.offset())
    assert consumer.position([where])[0].offset >= end
    consumer.close()
    return found, offsets


def segments(node, topic):
    return sorted(int(p.name[:20]) for p in (node.dirs[0] / f"{topic}-0").glob("*.log"))


def cleaned(node, topic):
    path = node.dirs[0] / "cleaner-offset-checkpoint"
    match = re.search(rf"^{topic} 0 (\d+)$", path.read_text(), re.M) if path.exists() else None
    return int(match[1]) if match else 0


def wait_compacted(node, topics=TOPICS):
    """Until everything but the active segment was compacted."""
    deadline = time.monotonic() + SECONDS
    for topic in topics:
        while cleaned(node, topic) < segments(node, topic)[-1]:
            assert time.monotonic() < deadline, (topic, node.log()[-3000:])
            time.sleep(0.1)


def write_all(node, model, codec):
    for topic in TOPICS:
        model.write(node.bootstrap, topic, codec)


def test_in_turn(node, kafka_tool):
    model = Model(1)
    node.start_kafka()
    for topic, config in TOPICS.items():
        clients.create_topic(node.bootstrap, topic, config={**COMPACTED, **config})
    write_all(node, model, "none")
    wait_compacted(node)
    model.check(node.bootstrap)
    node.stop()

    for end, codec in ((node.stop, "lz4"), (node.kill, "gzip")):
        node.start_chitin()
        model.check(node.bootstrap)
        write_all(node, model, codec)
        wait_compacted(node)
        time.sleep(0.3) # so that a horizon of 100 ms is over in the next round
        write_all(node, model, "none")
        wait_compacted(node)
        model.check(node.bootstrap)
        assert " ERROR " not in node.log(), node.log()[-3000:]
        end()
        if end == node.stop:
            dump.compare(node, kafka_tool)

        node.start_kafka()
        model.check(node.bootstrap)
        write_all(node, model, "snappy")
        wait_compacted(node)
        model.check(node.bootstrap)
        end()

    node.start_chitin()
    model.check(node.bootstrap)
    # Tombstones get their horizon in one round and go in a later one, where they may.
    for _ in range(3):
        for topic in ("gone", "kept"):
            model.write(node.bootstrap, topic, name=b"other")
        wait_compacted(node)
        time.sleep(0.3)
    model.check(node.bootstrap)
    for topic, left in (("gone", 0), ("kept", 1)):
        found, _ = read(node.bootstrap, topic)
        deleted = [k for k, v in model.newest[topic].items() if v is None and k.startswith(b"key")]
        assert sum(k in found for k in deleted) == left * len(deleted), topic
    node.stop()
    dump.compare(node, kafka_tool)


# --- Killed in the middle of a swap ---

KINDS = ("log", "index", "timeindex")


def rename(folder, base, kinds, old, new):
    for kind in kinds:
        path = folder / f"{base:020d}.{kind}{old}"
        if path.exists():
            path.rename(folder / f"{base:020d}.{kind}{new}")


# From the state after a compaction: the new segment has its names, the old ones are .deleted.
STATES = {
    "not begun": lambda f, olds: (rename(f, olds[0], KINDS, "", ".cleaned"),
                                  [rename(f, o, KINDS, ".deleted", "") for o in olds]),
    "half renamed": lambda f, olds: (rename(f, olds[0], KINDS[:1], "", ".swap"),
                                     rename(f, olds[0], KINDS[1:], "", ".cleaned"),
                                     [rename(f, o, KINDS, ".deleted", "") for o in olds]),
    "renamed": lambda f, olds: (rename(f, olds[0], KINDS, "", ".swap"),
                                [rename(f, o, KINDS, ".deleted", "") for o in olds]),
    "some are deleted": lambda f, olds: (rename(f, olds[0], KINDS, "", ".swap"),
                                         rename(f, olds[-1], KINDS, ".deleted", "")),
    "all are deleted": lambda f, olds: rename(f, olds[0], KINDS, "", ".swap"),
    "only the log has its name": lambda f, olds: rename(f, olds[0], KINDS[1:], "", ".swap"),
}


def test_killed_in_a_swap(node):
    model = Model(2)
    node.start_chitin("log.cleaner.enable=false")
    for topic, config in TOPICS.items():
        clients.create_topic(node.bootstrap, topic, config={**COMPACTED, **config})
    write_all(node, model, "none")
    node.stop()
    node.start_chitin()
    wait_compacted(node)
    folder = node.dirs[0] / "kept-0"
    olds = sorted(int(p.name[:20]) for p in folder.glob("*.log.deleted"))
    node.kill()
    assert len(olds) >= 2 and segments(node, "kept")[0] == olds[0]
    shutil.copytree(node.dirs[0], node.folder / "saved")
    for name, make in STATES.items():
        for start in (node.start_chitin, node.start_kafka):
            shutil.rmtree(node.dirs[0])
            shutil.copytree(node.folder / "saved", node.dirs[0])
            make(folder, olds)
            start()
            assert not list(folder.glob("*.swap")) and not list(folder.glob("*.cleaned")), name
            model.check(node.bootstrap)
            node.kill()
