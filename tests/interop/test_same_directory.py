# SPDX-License-Identifier: Apache-2.0
"""Apache Kafka and Chitin in turn on one server.properties and one set of log.dirs: nothing is lost
or read differently, neither after a clean stop nor after kill -9. docs/from-kafka.md promises it.

With 4.4 by default; `--all-versions` takes every version of node.VERSIONS.
"""

import re

import confluent_kafka
from confluent_kafka import TopicPartition
import pytest

import clients
import dump
from clients import Confluent
from node import INVALID_PRODUCER_EPOCH, Node, Sequence, comparable

INTERNAL = ("__consumer_offsets", "__transaction_state", "__share_group_state")
CONFIGS = {"retention.ms": "8640000000", "max.message.bytes": "2000000",
           "compression.type": "zstd", "min.insync.replicas": "1", "retention.bytes": "-1"}
RECOVERS = re.compile(r"Recovering (unflushed segment|\d+ logs)|[Cc]orrupt|[Rr]ebuil(d|t).* index")
SKIPS = "Skipping recovery of"


@pytest.fixture
def node(tmp_path, kafka_version):
    """The older quorum of controller.quorum.voters, or since 4.1 the one that the log names."""
    n = Node(tmp_path, kafka_version, dynamic_quorum=kafka_version >= "4.1")
    yield n
    n.end()


# --- What there is to keep ---

class Transaction:
    def __init__(self, node, name):
        self.producer = confluent_kafka.Producer({
            "bootstrap.servers": node.bootstrap, "transactional.id": name,
            "transaction.timeout.ms": 900000, "log_level": 2})
        self.producer.init_transactions(20)

    def begin(self, topic, values):
        self.producer.begin_transaction()
        for value in values:
            self.producer.produce(topic, value, partition=0)
        assert self.producer.flush(20) == 0
        return self


def fill_by_kafka(node, client):
    """Every kind of batch, of file and of offset."""
    server = node.bootstrap
    for codec in clients.CODECS:
        clients.create_topic(server, f"codec-{codec}", partitions=2)
        for partition in (0, 1):
            Confluent.produce(server, f"codec-{codec}",
                              [(b"key %d" % i, b"value %d" % i * 20, [("h", b"1"), ("n", None)])
                               for i in range(200)], codec=codec, partition=partition)
    clients.create_topic(server, "configured", config=CONFIGS)
    clients.create_topic(server, "stamped", config={"message.timestamp.type": "LogAppendTime"})
    Confluent.produce(server, "stamped", [(None, b"x", [])] * 10)
    clients.create_topic(server, "compacted", config={"cleanup.policy": "compact"})
    Confluent.produce(server, "compacted", [(b"k%d" % (i % 7), b"%d" % i if i % 5 else None, [])
                                            for i in range(100)])
    clients.create_topic(server, "rolled", config={"segment.bytes": "1048576",
                                                   "compression.type": "producer"})
    for i in range(4):
        Confluent.produce(server, "rolled", [(b"%d" % i, bytes([i]) * 9000, [])] * 100)
    clients.create_topic(server, "trimmed")
    Confluent.produce(server, "trimmed", [(None, b"%d" % i, []) for i in range(50)])
    assert client.delete_records("trimmed", 0, 20) == 20
    clients.create_topic(server, "made-again")
    clients.create_topic(server, "deleted")
    clients.delete_topic(server, "deleted")
    clients.create_topic(server, "idempotent")
    Confluent.produce(server, "idempotent", [(None, b"i", [])] * 5, **{"enable.idempotence": True})
    fill_transactions(node)
    commit_offsets(node, "readers", 7)


def fill_transactions(node):
    """Committed, aborted, and one that stays open: its client goes without a word."""
    clients.create_topic(node.bootstrap, "transactions")
    t = Transaction(node, "one")
    t.begin("transactions", [b"committed"] * 3).producer.commit_transaction(20)
    t.begin("transactions", [b"aborted"] * 3).producer.abort_transaction(20)
    t.begin("transactions", [b"committed again"]).producer.commit_transaction(20)
    Transaction(node, "two").begin("transactions", [b"open"] * 2)
    Confluent.produce(node.bootstrap, "transactions", [(None, b"behind it", [])])


def commit_offsets(node, group, offset):
    consumer = Confluent.consumer(node.bootstrap, "codec-none", **{"group.id": group})
    consumer.commit(offsets=[TopicPartition("codec-none", 1, offset)], asynchronous=False)
    consumer.close()


def committed_offset(node, group):
    consumer = Confluent.consumer(node.bootstrap, "codec-none", **{"group.id": group})
    try:
        return consumer.committed([TopicPartition("codec-none", 1)], 20)[0].offset
    finally:
        consumer.close()


def work_by_chitin(node, sequences, client):
    """What changes data and metadata while Chitin has the directory."""
    server = node.bootstrap
    for sequence in sequences:
        sequence.check(client)
    clients.create_topic(server, f"made-here-{node.starts}", partitions=3, config=CONFIGS)
    Confluent.produce(server, f"made-here-{node.starts}", [(b"k", b"v", [])] * 30, codec="lz4",
                      partition=2)
    Confluent.produce(server, "codec-zstd", [(b"k", b"more", [])] * 30, codec="zstd")
    Confluent.produce(server, "rolled", [(b"c", b"c" * 9000, [])] * 200)
    Confluent.produce(server, "idempotent", [(None, b"i", [])] * 5, **{"enable.idempotence": True})
    clients.delete_topic(server, "made-again")
    clients.create_topic(server, "made-again", partitions=2)
    client.alter_config("configured", "retention.ms", str(8640000000 + node.starts))


def make_sequences(node, client):
    """Producers of ids that no broker gives; of the last an older epoch is refused."""
    clients.create_topic(node.bootstrap, "sequences", partitions=2)
    sequences = [Sequence("sequences", 0, 900001), Sequence("sequences", 0, 900002, epoch=3),
                 Sequence("sequences", 1, 900001, records=1)]
    for sequence in sequences:
        sequence.send(client)
        sequence.send(client)
    return sequences


def check_epoch(client, sequence):
    old = Sequence(sequence.topic, sequence.partition, sequence.producer_id, sequence.epoch - 1)
    assert client.produce_batch("sequences", 0, old.batch(0))[0] == INVALID_PRODUCER_EPOCH


def assert_same(before, after):
    """Field by field: the difference of two large trees says nothing."""
    assert set(before["data"]) == set(after["data"])
    for key in ("cluster", "topics", "configs"):
        assert before[key] == after[key], key
    for partition, was in before["data"].items():
        now = after["data"][partition]
        for what in was:
            if what.startswith("isolation"):
                for part in was[what]:
                    assert was[what][part] == now[what][part], (partition, what, part)
            assert was[what] == now[what], (partition, what)


def state_of(client):
    return comparable(client.state())


def recovers(log):
    """What Apache Kafka says when it does not believe the files. Its metadata log is always read
    again; that is not about us."""
    return [line for line in log.splitlines()
            if RECOVERS.search(line) and "__cluster_metadata" not in line]


def internal_files(node):
    return {path: sum_ for path, sum_ in node.checksums().items()
            if any(f"/{name}-" in path for name in INTERNAL) and path.endswith(
                (".log", ".index", ".timeindex", ".txnindex", "partition.metadata"))}


# --- The tests ---

def test_in_turn(node, kafka_tool):
    """Kafka, Chitin, Kafka with clean stops, then again with kill -9 of each."""
    node.start_kafka()
    with node.client() as client:
        fill_by_kafka(node, client)
        sequences = make_sequences(node, client)
        ids = [client.new_producer_id()]
        state = state_of(client)
    node.stop()

    for end in (node.stop, node.kill):
        internal = internal_files(node)
        node.start_chitin()
        with node.client() as client:
            assert_same(state, state_of(client))
            check_epoch(client, sequences[1])
            work_by_chitin(node, sequences, client)
            ids.append(client.new_producer_id())
            state = state_of(client)
        end()
        if end == node.stop:
            assert internal_files(node) == internal

        node.start_kafka()
        if end == node.stop:
            assert recovers(node.log()) == []
            assert node.log().count(SKIPS) == len(node.dirs)
        with node.client() as client:
            assert_same(state, state_of(client))
            for sequence in sequences:
                sequence.check(client)
            check_epoch(client, sequences[1])
            ids.append(client.new_producer_id())
            assert committed_offset(node, "readers") == 7
            state = state_of(client)
        node.kill()

    node.start_chitin()
    with node.client() as client:
        assert_same(state, state_of(client))
        for sequence in sequences:
            sequence.check(client)
        ids.append(client.new_producer_id())
    node.stop()
    assert ids == sorted(set(ids)), "a producer id was given twice"
    dump.compare(node, kafka_tool)
