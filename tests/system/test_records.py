# SPDX-License-Identifier: Apache-2.0
"""Whatever one client writes, every other client reads, byte for byte."""

import random

import pytest

import clients
from clients import Confluent, KafkaPython, Kcat

# As kcat writes them too: text, no empty headers.
RECORDS = [
    (b"key", b"value", [("a", b"1"), ("a", b"2"), ("long", b"x" * 300)]),
    (None, b"no key", []),
    (b"tombstone", None, []),
    (b"k", b"1", []),
    ("ключ".encode(), "значение €".encode(), [("имя", "заголовок".encode())]),
]


@pytest.mark.parametrize("codec", clients.CODECS)
@pytest.mark.parametrize("writer", clients.CLIENTS, ids=lambda c: c.__name__)
def test_what_one_writes_all_read(bootstrap, topic, writer, codec):
    if codec not in writer.codecs:
        pytest.skip(f"{writer.__name__} has no {codec} here")
    clients.create_topic(bootstrap, topic)
    writer.produce(bootstrap, topic, RECORDS, codec=codec)
    for reader in clients.CLIENTS:
        if codec in reader.codecs:
            assert reader.consume(bootstrap, topic, len(RECORDS)) == RECORDS, reader.__name__


@pytest.mark.parametrize("codec", clients.CODECS)
def test_sizes_from_nothing_to_900_kb(bootstrap, topic, codec):
    rng = random.Random(codec)
    records = [(b"", b"", []), (None, b"x", [])]
    for size in (1, 100, 16383, 16384, 100000, 900 * 1024):
        records.append((rng.randbytes(10), rng.randbytes(size), [("h", rng.randbytes(50))]))
    records.append((None, b"compressible " * 70000, []))
    clients.create_topic(bootstrap, topic)
    Confluent.produce(bootstrap, topic, records, codec=codec)
    assert Confluent.consume(bootstrap, topic, len(records)) == records


def test_null_and_empty_differ(bootstrap, topic):
    records = [(None, None, [("n", None), ("e", b"")]), (b"", b"", []), (None, b"", []),
               (b"", None, [])]
    clients.create_topic(bootstrap, topic)
    Confluent.produce(bootstrap, topic, records)
    assert Confluent.consume(bootstrap, topic, len(records)) == records


def test_many_records_in_order(bootstrap, topic):
    records = [(None, b"%d" % i, []) for i in range(50000)]
    clients.create_topic(bootstrap, topic)
    Confluent.produce(bootstrap, topic, records, codec="lz4")
    assert Confluent.consume(bootstrap, topic, len(records)) == records


def test_too_large_is_refused_with_its_code(bootstrap, topic):
    clients.create_topic(bootstrap, topic, config={"max.message.bytes": "1000"})
    Confluent.produce(bootstrap, topic, [(None, b"x" * 500, [])])
    with pytest.raises(AssertionError, match="MSG_SIZE_TOO_LARGE"):
        Confluent.produce(bootstrap, topic, [(None, b"x" * 2000, [])])
    assert len(Confluent.consume(bootstrap, topic, 1)) == 1


def test_a_batch_that_decompresses_too_large_is_refused(bootstrap, topic):
    clients.create_topic(bootstrap, topic, config={"max.decompressed.message.bytes": "10000"})
    Confluent.produce(bootstrap, topic, [(None, b"x" * 9000, [])], codec="gzip")
    with pytest.raises(AssertionError, match="INVALID_RECORD"):
        Confluent.produce(bootstrap, topic, [(None, b"x" * 11000, [])], codec="gzip")


@pytest.mark.parametrize("acks", ["0", "1", "all"])
def test_acks(bootstrap, topic, acks):
    clients.create_topic(bootstrap, topic)
    Confluent.produce(bootstrap, topic, [(None, b"%d" % i, []) for i in range(100)], acks=acks)
    assert len(Confluent.consume(bootstrap, topic, 100)) == 100


def test_idempotent_producer(bootstrap, topic):
    clients.create_topic(bootstrap, topic, partitions=3)
    records = [(None, b"%d" % i, []) for i in range(5000)]
    for partition in range(3):
        Confluent.produce(bootstrap, topic, records, partition=partition,
                          **{"enable.idempotence": True, "batch.num.messages": 100})
    for partition in range(3):
        assert Confluent.consume(bootstrap, topic, 5000, partition) == records


def test_kcat_partitions_by_key(bootstrap, topic):
    clients.create_topic(bootstrap, topic, partitions=4)
    lines = b"".join(b"k%d|v%d\n" % (i % 7, i) for i in range(200))
    Kcat.run(bootstrap, "-P", "-t", topic, "-K", "|", stdin=lines)
    out = Kcat.run(bootstrap, "-C", "-t", topic, "-e", "-q", "-f", "%p %k %s\n").decode()
    rows = [line.split() for line in out.splitlines()]
    assert sorted(int(v[1:]) for _, _, v in rows) == list(range(200))
    homes = {}
    for partition, key, _ in rows:
        assert homes.setdefault(key, partition) == partition


def test_kafka_python_defaults(bootstrap, topic):
    """Without telling it any version: it probes the broker by itself."""
    clients.create_topic(bootstrap, topic)
    KafkaPython.produce(bootstrap, topic, RECORDS)
    assert KafkaPython.consume(bootstrap, topic, len(RECORDS)) == RECORDS
