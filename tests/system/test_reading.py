# SPDX-License-Identifier: Apache-2.0
"""Where readers start, how they wait, and what slow ones may cost."""

import os
import socket
import struct
import threading
import time

import confluent_kafka
import kafka
import pytest
from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, TopicPartition

import clients
from clients import Confluent, Kcat

NOW_MS = int(time.time() * 1000)


def fill(bootstrap, topic, count, partitions=1, **config):
    clients.create_topic(bootstrap, topic, partitions, config=config)
    for partition in range(partitions):
        Confluent.produce(bootstrap, topic, [(None, b"%d" % i, []) for i in range(count)],
                          partition=partition, **{"batch.num.messages": 10})


def test_seek(bootstrap, topic):
    fill(bootstrap, topic, 1000)
    consumer = Confluent.consumer(bootstrap, topic)
    try:
        Confluent.messages(consumer, 1)
        for offset in (0, 999, 500, 1, 995, 10):
            consumer.seek(TopicPartition(topic, 0, offset))
            for i, message in enumerate(Confluent.messages(consumer, min(15, 1000 - offset))):
                assert message.offset() == offset + i
                assert message.value() == b"%d" % (offset + i)
        assert consumer.get_watermark_offsets(TopicPartition(topic, 0)) == (0, 1000)
    finally:
        consumer.close()


def test_ends(bootstrap, topic):
    fill(bootstrap, topic, 20)
    consumer = Confluent.consumer(bootstrap, topic, offset=OFFSET_END)
    try:
        assert consumer.poll(1) is None
        Confluent.produce(bootstrap, topic, [(None, b"new", [])])
        assert [m.offset() for m in Confluent.messages(consumer, 1)] == [20]
    finally:
        consumer.close()
    assert len(Confluent.consume(bootstrap, topic, 21, offset=OFFSET_BEGINNING)) == 21
    assert Kcat.run(bootstrap, "-C", "-t", topic, "-o", "-3", "-e", "-q") == b"18\n19\nnew\n"


def test_out_of_range_is_said(bootstrap, topic):
    fill(bootstrap, topic, 5)
    consumer = Confluent.consumer(bootstrap, topic, offset=1000,
                                  **{"auto.offset.reset": "error"})
    try:
        deadline = time.monotonic() + 10
        error = None
        while error is None and time.monotonic() < deadline:
            message = consumer.poll(0.5)
            error = message.error() if message is not None else None
        assert error is not None
        assert error.code() in (confluent_kafka.KafkaError._AUTO_OFFSET_RESET,
                                confluent_kafka.KafkaError.OFFSET_OUT_OF_RANGE)
    finally:
        consumer.close()


def test_by_timestamp(bootstrap, topic):
    clients.create_topic(bootstrap, topic)
    producer = confluent_kafka.Producer({"bootstrap.servers": bootstrap})
    for i in range(100):
        producer.produce(topic, b"%d" % i, partition=0, timestamp=NOW_MS - 100000 + i * 1000)
        if i % 10 == 9:
            producer.flush()  # ten batches, so that the index has something to say
    producer.flush()
    expected = {NOW_MS - 100000: 0, NOW_MS - 99999: 1, NOW_MS - 50000: 50, NOW_MS - 50500: 50,
                NOW_MS - 1000: 99, 0: 0}
    python = kafka.KafkaConsumer(bootstrap_servers=bootstrap)
    consumer = Confluent.consumer(bootstrap, topic)
    try:
        for timestamp, offset in expected.items():
            where = TopicPartition(topic, 0, timestamp)
            assert consumer.offsets_for_times([where], timeout=10)[0].offset == offset
            other = kafka.TopicPartition(topic, 0)
            found = python.offsets_for_times({other: timestamp})[other]
            assert found.offset == offset
            assert found.timestamp == NOW_MS - 100000 + offset * 1000
        late = consumer.offsets_for_times([TopicPartition(topic, 0, NOW_MS + 1000)], timeout=10)
        assert late[0].offset == -1  # after the end
        message = Confluent.messages(consumer, 1)[0]
        assert message.timestamp() == (confluent_kafka.TIMESTAMP_CREATE_TIME, NOW_MS - 100000)
    finally:
        python.close()
        consumer.close()
    out = Kcat.run(bootstrap, "-C", "-t", topic, "-o", f"s@{NOW_MS - 3000}", "-e", "-q")
    assert out == b"97\n98\n99\n"


def test_append_time(bootstrap, topic):
    clients.create_topic(bootstrap, topic, config={"message.timestamp.type": "LogAppendTime"})
    before = int(time.time() * 1000)
    Confluent.produce(bootstrap, topic, [(None, b"x", [])])
    consumer = Confluent.consumer(bootstrap, topic)
    kind, timestamp = Confluent.messages(consumer, 1)[0].timestamp()
    consumer.close()
    assert kind == confluent_kafka.TIMESTAMP_LOG_APPEND_TIME
    assert before <= timestamp <= int(time.time() * 1000)


def test_many_partitions(bootstrap, topic):
    clients.create_topic(bootstrap, topic, partitions=100)
    producer = confluent_kafka.Producer({"bootstrap.servers": bootstrap})
    for i in range(2000):
        producer.produce(topic, b"%d" % i, partition=i % 100)
    assert producer.flush(clients.WAIT_SECONDS) == 0
    consumer = Confluent.consumer(bootstrap, topic)
    consumer.assign([TopicPartition(topic, p, 0) for p in range(100)])
    seen = {}
    for message in Confluent.messages(consumer, 2000):
        seen.setdefault(message.partition(), []).append(int(message.value()))
    consumer.close()
    assert seen == {p: list(range(p, 2000, 100)) for p in range(100)}


def test_long_poll_wakes_at_once(broker, bootstrap, topic):
    """A waiting fetch is answered when something comes, not when its time is over."""
    clients.create_topic(bootstrap, topic)
    consumer = Confluent.consumer(bootstrap, topic, **{"fetch.wait.max.ms": 10000,
                                                       "fetch.min.bytes": 1})
    producer = confluent_kafka.Producer({"bootstrap.servers": bootstrap, "linger.ms": 0})
    delays = []
    try:
        assert consumer.poll(1) is None
        for i in range(5):
            time.sleep(0.3)
            sent = time.monotonic()
            producer.produce(topic, b"%d" % i)
            producer.flush()
            assert len(Confluent.messages(consumer, 1)) == 1
            delays.append(time.monotonic() - sent)
    finally:
        consumer.close()
    assert max(delays) < 2, delays


def test_isolation_level(bootstrap, topic):
    fill(bootstrap, topic, 10)
    for level in ("read_committed", "read_uncommitted"):
        consumer = Confluent.consumer(bootstrap, topic, **{"isolation.level": level})
        assert len(Confluent.messages(consumer, 10)) == 10
        consumer.close()


def request(api, version, correlation, body):
    header = struct.pack(">hhih", api, version, correlation, 4) + b"test"
    return struct.pack(">i", len(header) + len(body)) + header + body


def fetch_request(topic, correlation):
    name = topic.encode()
    body = struct.pack(">iiiibi", -1, 100, 1, 50 << 20, 0, 1)
    body += struct.pack(">h", len(name)) + name + struct.pack(">iiqi", 1, 0, 0, 50 << 20)
    return request(1, 4, correlation, body)


def drop_from_cache(folder):
    """Asks the kernel to forget the segments: the next reader finds them on the disk alone."""
    for path in folder.glob("*/*.log"):
        with open(path, "rb") as segment:
            os.fsync(segment.fileno())
            os.posix_fadvise(segment.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def test_cold_data(own_broker, topic):
    """Data that must come from the disk is read elsewhere first; readers see no difference."""
    b = own_broker().start()
    clients.create_topic(b.bootstrap, topic, partitions=4)
    records = [(None, os.urandom(50000), []) for _ in range(100)]
    for partition in range(4):
        Confluent.produce(b.bootstrap, topic, records, partition=partition)
    for _ in range(3):
        drop_from_cache(b.folder)
        for partition in range(4):
            assert Confluent.consume(b.bootstrap, topic, 100, partition=partition) == records
    # Somebody who goes away in the middle, and a stop just then.
    drop_from_cache(b.folder)
    consumer = Confluent.consumer(b.bootstrap, topic)
    Confluent.messages(consumer, 1)
    drop_from_cache(b.folder)
    b.stop()
    consumer.close()


def test_a_slow_reader_is_bounded(broker, bootstrap, topic):
    """Hundreds of answers of megabytes that nobody reads: memory stays bounded, others are served."""
    fill(bootstrap, topic, 1)
    Confluent.produce(bootstrap, topic, [(None, b"x" * 900000, []) for _ in range(10)])
    before = broker.rss_bytes()
    slow = []
    for _ in range(10):
        s = socket.create_connection(("127.0.0.1", broker.port))
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.settimeout(0.5)
        slow.append(s)
        try:
            for i in range(50):
                s.sendall(fetch_request(topic, i))
        except TimeoutError:
            pass  # the broker stopped reading this connection: that is the point
    time.sleep(0.5)
    started = time.monotonic()
    assert len(Confluent.consume(bootstrap, topic, 11)) == 11
    assert time.monotonic() - started < 10
    grown = broker.rss_bytes() - before
    assert grown < 200 << 20, f"{grown >> 20} MiB for ten slow readers"
    for s in slow:
        s.close()


def test_a_flood_of_requests_is_bounded(broker, bootstrap, topic):
    """Thousands of requests of one connection, answers read late, all there and in order."""
    s = socket.create_connection(("127.0.0.1", broker.port))
    count = 20000
    flood = b"".join(request(18, 0, i, b"") for i in range(count))
    sender = threading.Thread(target=s.sendall, args=(flood,))
    before = broker.rss_bytes()
    sender.start()
    time.sleep(1)
    assert broker.rss_bytes() - before < 100 << 20
    stream = s.makefile("rb")
    for i in range(count):
        size, correlation = struct.unpack(">ii", stream.read(8))
        assert correlation == i
        stream.read(size - 4)
    sender.join()
    s.close()


def test_a_hundred_connections(bootstrap, broker, topic):
    clients.create_topic(bootstrap, topic)
    sockets = [socket.create_connection(("127.0.0.1", broker.port)) for _ in range(100)]
    for round_number in range(3):
        for s in sockets:
            s.sendall(request(18, 0, round_number, b""))
        for s in sockets:
            s.settimeout(10)
            size, correlation = struct.unpack(">ii", s.recv(8, socket.MSG_WAITALL))
            assert correlation == round_number
            assert len(s.recv(size - 4, socket.MSG_WAITALL)) == size - 4
    Confluent.produce(bootstrap, topic, [(None, b"x", [])])
    consumers = [Confluent.consumer(bootstrap, topic) for _ in range(20)]
    try:
        for consumer in consumers:
            assert len(Confluent.messages(consumer, 1)) == 1
    finally:
        for consumer in consumers:
            consumer.close()
        for s in sockets:
            s.close()


GARBAGE = {
    "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "tls": bytes.fromhex("16030100c4010000c00303") + bytes(190),
    "negative size": struct.pack(">i", -1) + b"xxxx",
    "huge size": struct.pack(">i", 0x7fffffff) + b"xxxx",
    "zero size": struct.pack(">i", 0),
    "no such api": request(9999, 0, 1, b""),
    "truncated body": request(3, 1, 1, b"\x00\x00"),
    "huge array": request(3, 1, 1, struct.pack(">i", 0x7fffffff)),
    "half a frame": struct.pack(">i", 100) + b"only this",
}


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_closes_only_its_connection(bootstrap, broker, topic, name):
    s = socket.create_connection(("127.0.0.1", broker.port))
    s.settimeout(5)
    s.sendall(GARBAGE[name])
    if name == "half a frame":
        s.shutdown(socket.SHUT_WR)
    try:
        while s.recv(65536):
            pass  # an error answer first is fine; then it must close
    except ConnectionResetError:
        pass
    s.close()
    clients.create_topic(bootstrap, topic)
    Confluent.produce(bootstrap, topic, [(None, b"alive", [])])
