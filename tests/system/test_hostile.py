# SPDX-License-Identifier: Apache-2.0
"""Peers that mean no good, or know no better: garbage, floods, bytes that never come. Each time the
broker's memory stays bounded, others are served meanwhile, and nothing is left behind."""

import contextlib
import os
import select
import socket
import struct
import sys
import time
from pathlib import Path

import pytest

from broker import Broker

sys.path.append(str(Path(__file__).resolve().parents[1] / "interop" / "compare"))
import batches  # noqa: E402

MIB = 1 << 20
API_PRODUCE, API_FETCH, API_METADATA, API_VERSIONS = 0, 1, 3, 18
API_FIND_COORDINATOR, API_JOIN_GROUP, API_HEARTBEAT, API_SYNC_GROUP = 10, 11, 12, 14
MEMBER_ID_REQUIRED = 79


def request(key, version, correlation_id, body=b""):
    """A frame with header version 1 and client id "x"."""
    frame = struct.pack(">hhih", key, version, correlation_id, 1) + b"x" + body
    return struct.pack(">i", len(frame)) + frame


def connect(broker, timeout=5):
    return socket.create_connection(("127.0.0.1", broker.port), timeout)


def receive(s, size):
    data = b""
    while len(data) < size:
        part = s.recv(size - len(data))
        if not part:
            raise AssertionError(f"closed after {len(data)} of {size} bytes")
        data += part
    return data


def answer(s):
    """The next frame: correlation id and the rest."""
    frame = receive(s, struct.unpack(">i", receive(s, 4))[0])
    return struct.unpack(">i", frame[:4])[0], frame[4:]


def is_closed(s, seconds=5):
    """True if the broker ends the connection within this time without sending anything."""
    s.settimeout(seconds)
    try:
        return s.recv(1) == b""
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


def ask_versions(broker, seconds=5):
    """A good client: how long an answer takes."""
    started = time.monotonic()
    with connect(broker, seconds) as s:
        s.sendall(request(API_VERSIONS, 0, 7))
        correlation_id, body = answer(s)
    assert correlation_id == 7
    assert body[:2] == b"\0\0"
    return time.monotonic() - started


def descriptors(broker):
    return len(os.listdir(f"/proc/{broker.process.pid}/fd"))


def wait_descriptors(broker, count, seconds=5):
    deadline = time.monotonic() + seconds
    while descriptors(broker) > count and time.monotonic() < deadline:
        time.sleep(0.02)
    assert descriptors(broker) <= count


@contextlib.contextmanager
def many(broker, count):
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(connect(broker)) for _ in range(count)]


@pytest.fixture
def warm(own_broker):
    """A broker that has served somebody, so that its memory has settled."""
    def start(*overrides):
        b = own_broker(overrides=overrides).start()
        for _ in range(20):
            ask_versions(b)
        return b
    return start


GARBAGE = {
    "http": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "tls": bytes.fromhex("16030100f8010000f4030365") + bytes(240),
    "negative size": struct.pack(">i", -1),
    "size over the maximum": struct.pack(">i", 104857601),
    "largest size": b"\x7f\xff\xff\xff",
    "empty frame": struct.pack(">i", 0),
    "shorter than a header": struct.pack(">i", 4) + b"\0\3\0\1",
    "unknown key": request(999, 0, 1),
    "negative key": request(-1, 0, 1),
    "unknown version": request(API_METADATA, 99, 1),
    "version gone": request(API_PRODUCE, 2, 1),
    "client id past the end": struct.pack(">ihhih", 10, 3, 1, 1, 500),
    "flexible header without tags": struct.pack(">ihhih", 10, 3, 12, 1, -1),
    "body of rubbish": request(API_METADATA, 4, 1, b"\x7f\xff\xff\xff" + bytes(20)),
    "unknown key, the rest to come": struct.pack(">ihhi", 1000000, 999, 0, 1),
}


@pytest.mark.parametrize("what", GARBAGE)
def test_garbage_is_closed_without_an_answer(broker, what):
    with connect(broker) as s:
        s.sendall(GARBAGE[what])
        assert is_closed(s)
    ask_versions(broker)


def test_answers_before_garbage_arrive(broker):
    with connect(broker) as s:
        s.sendall(request(API_VERSIONS, 0, 1) + request(API_VERSIONS, 0, 2) + b"\xff" * 8)
        assert answer(s)[0] == 1
        assert answer(s)[0] == 2
        assert is_closed(s)


def test_unknown_version_of_api_versions(broker):
    """KIP-511: error 35 in the shape of version 0; here with the range of ApiVersions alone."""
    with connect(broker) as s:
        s.sendall(struct.pack(">ihhih", 12, API_VERSIONS, 99, 3, 1) + b"x\0")
        correlation_id, body = answer(s)
        assert correlation_id == 3
        error, count, key, low, high = struct.unpack(">hihhh", body)
        assert (error, count, key, low) == (35, 1, API_VERSIONS, 0)
        assert high >= 4
        s.sendall(request(API_VERSIONS, 0, 4))  # and goes on
        assert answer(s)[0] == 4


def test_declared_sizes_cost_nothing(warm):
    b = warm()
    before = b.rss_bytes()
    with many(b, 200) as peers:
        for s in peers:
            s.sendall(struct.pack(">i", 100_000_000) + request(API_PRODUCE, 9, 1)[4:])
        assert ask_versions(b) < 2
        assert b.rss_bytes() - before < 16 * MIB
    b.stop()


def test_half_sent_requests_are_bounded_together(warm):
    """They fill the budget; when nothing moves any more the largest has to go."""
    b = warm("socket.request.max.bytes=10000000", "queued.max.request.bytes=20000000")
    before = b.rss_bytes()
    with many(b, 6) as peers:
        for s in peers:
            s.sendall(struct.pack(">i", 9_000_000) + request(API_PRODUCE, 9, 1)[4:])
        for s in peers:
            s.setblocking(False)
        end = time.monotonic() + 2
        left = {s: 8_000_000 for s in peers}
        while time.monotonic() < end and any(left.values()):
            for s in peers:
                try:
                    if left[s]:
                        left[s] -= s.send(bytes(min(left[s], 65536)))
                except BlockingIOError:
                    pass
                except OSError:
                    left[s] = 0  # it had to go
        assert b.rss_bytes() - before < 64 * MIB
        assert ask_versions(b, 15) < 15
        assert b.rss_bytes() - before < 64 * MIB
    ask_versions(b)
    b.stop()


def test_requests_without_end_and_no_reading(warm):
    """The broker stops reading who does not read; what it took is answered, in order."""
    b = warm()
    before = b.rss_bytes()
    with connect(b) as s:
        sent, pending, number = 0, b"", 0
        s.setblocking(False)
        end = time.monotonic() + 5
        blocked_since = None
        while time.monotonic() < end:
            if not pending:
                pending = b"".join(request(API_VERSIONS, 0, number + i) for i in range(1000))
                number += 1000
            try:
                n = s.send(pending)
                sent, pending, blocked_since = sent + n, pending[n:], None
            except BlockingIOError:
                blocked_since = blocked_since or time.monotonic()
                if time.monotonic() - blocked_since > 0.5:
                    break
                time.sleep(0.005)
        assert blocked_since, "the broker never stopped reading"
        assert b.rss_bytes() - before < 32 * MIB
        assert ask_versions(b) < 2
        s.settimeout(5)
        size = len(request(API_VERSIONS, 0, 0))
        for expected in range(min(sent // size, 3000)):
            assert answer(s)[0] == expected
    ask_versions(b)
    b.stop()


def test_byte_by_byte(warm):
    b = warm()
    frame = request(API_VERSIONS, 0, 5)
    with many(b, 100) as peers:
        for i in range(len(frame)):
            for s in peers:
                s.sendall(frame[i:i + 1])
            if i % 5 == 0:
                assert ask_versions(b) < 2
        for s in peers:
            assert answer(s)[0] == 5
    b.stop()


def fetch(correlation_id, topic, wait_ms):
    """Fetch v4 of partition 0 from offset 0."""
    name = topic.encode()
    return request(API_FETCH, 4, correlation_id,
                   struct.pack(">iiiib", -1, wait_ms, 1, 1 * MIB, 0)
                   + struct.pack(">ih", 1, len(name)) + name
                   + struct.pack(">iiqi", 1, 0, 0, MIB))


def make_topic(broker, topic):
    """By asking for its metadata (auto.create.topics.enable)."""
    name = topic.encode()
    with connect(broker) as s:
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            s.sendall(request(API_METADATA, 4, 1, struct.pack(">ih", 1, len(name)) + name + b"\1"))
            _, body = answer(s)
            # The error of the one topic stands right before its name.
            at = body.rindex(struct.pack(">h", len(name)) + name)
            if struct.unpack(">h", body[at - 2:at])[0] == 0:
                return
            time.sleep(0.05)
    raise AssertionError("the topic was not created")


def test_peers_that_vanish_while_they_wait(warm, topic):
    """Long polls whose connections are reset, or closed in one direction: nothing stays behind."""
    b = warm()
    make_topic(b, topic)
    wait_descriptors(b, descriptors(b))
    before = descriptors(b)
    for how in ("reset", "close", "half"):
        with many(b, 50) as peers:
            for s in peers:
                s.sendall(fetch(1, topic, 60000) + fetch(2, topic, 60000))
            ask_versions(b)
            for s in peers:
                if how == "reset":
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                if how == "half":
                    s.shutdown(socket.SHUT_WR)
                else:
                    s.close()
            wait_descriptors(b, before)
        ask_versions(b)
    b.stop()


def test_idle_connections_are_closed(warm):
    b = warm("connections.max.idle.ms=700")
    with connect(b) as idle, connect(b) as half, connect(b) as busy:
        half.sendall(request(API_VERSIONS, 0, 1)[:9])
        started = time.monotonic()
        while time.monotonic() - started < 1.5:
            busy.sendall(request(API_VERSIONS, 0, 1))
            answer(busy)
            time.sleep(0.1)
        assert is_closed(idle, 2)
        assert is_closed(half, 2)
        busy.sendall(request(API_VERSIONS, 0, 2))
        assert answer(busy)[0] == 2
    b.stop()


def test_connections_per_address(warm):
    b = warm("max.connections.per.ip=5")
    with many(b, 5) as peers:
        for s in peers:
            s.sendall(request(API_VERSIONS, 0, 1))
            answer(s)
        with connect(b) as s:
            assert is_closed(s)
        peers[0].sendall(request(API_VERSIONS, 0, 2))
        assert answer(peers[0])[0] == 2
    before = time.monotonic()
    while True:  # the five are gone: there is room again, as soon as the broker has noticed
        try:
            ask_versions(b)
            break
        except (AssertionError, OSError):
            assert time.monotonic() - before < 5
    b.stop()


def test_an_override_for_one_address(own_broker):
    b = own_broker(overrides=["max.connections.per.ip=0", "max.connections.per.ip.overrides="
                              "10.0.0.1:9,127.0.0.1:2"]).start()
    deadline = time.monotonic() + 5
    while True:
        try:
            with many(b, 2) as peers:
                for s in peers:
                    s.sendall(request(API_VERSIONS, 0, 1))
                    answer(s)
                with connect(b) as s:
                    assert is_closed(s)
            break
        except (AssertionError, OSError):  # those before may still count
            assert time.monotonic() < deadline
            time.sleep(0.02)
    b.stop()


def test_connection_limit_lets_others_wait(warm):
    b = warm("max.connections=3")
    with many(b, 3) as peers:
        for s in peers:
            s.sendall(request(API_VERSIONS, 0, 1))
            answer(s)
        with connect(b, 10) as s:  # in the backlog
            s.sendall(request(API_VERSIONS, 0, 9))
            s.settimeout(0.3)
            with pytest.raises(TimeoutError):
                s.recv(1)
            peers[0].close()
            s.settimeout(5)
            assert answer(s)[0] == 9
    b.stop()


def test_a_thousand_connections_come_and_go(warm):
    b = warm("socket.listen.backlog.size=1000")
    before, memory = descriptors(b), b.rss_bytes()
    for _ in range(4):
        with many(b, 250) as peers:
            for s in peers:
                s.sendall(request(API_VERSIONS, 0, 1))
            for s in peers:
                answer(s)
    wait_descriptors(b, before)
    assert b.rss_bytes() - memory < 8 * MIB
    b.stop()


# ---- A thousand at once ----

PEERS = 1000
# What a connection may cost before its first valid request: 64 KiB of what it sent, and itself.
PEER_BYTES_MAX = 64 * 1024 + 8 * 1024
SERVED_SECONDS = 0.1


def best_of(tries, measure):
    """Of several, since the machine may be busy with something else."""
    return min(measure() for _ in range(tries))


def half_a_produce(first):
    return struct.pack(">i", 100_000_000) + request(API_PRODUCE, 9, 1)[4:] + bytes(first)


PREFIXES = {
    "nothing": b"",
    "one byte": b"\0",
    "a size": struct.pack(">i", 100_000_000),
    "a header": half_a_produce(0),
    "half a block": half_a_produce(33_000),
    "nearly all that is allowed": half_a_produce(60_000),
    "a request and half of the next": request(API_VERSIONS, 0, 1) + half_a_produce(20_000),
}


@pytest.mark.parametrize("what", PREFIXES)
def test_a_thousand_peers_cost_little_each(warm, what):
    b = warm("socket.listen.backlog.size=1000")
    before = b.rss_bytes()
    with many(b, PEERS) as peers:
        for s in peers:
            s.sendall(PREFIXES[what])
        assert best_of(10, lambda: ask_versions(b)) < SERVED_SECONDS
        grown = b.rss_bytes() - before
        print(f"{what}: {grown / PEERS / 1024:.1f} KiB each")
        assert grown < PEERS * PEER_BYTES_MAX
    ask_versions(b)
    b.stop()


def test_a_slow_thousand(warm):
    """Bytes of a request one by one, from everybody in turn."""
    b = warm("socket.listen.backlog.size=1000")
    before = b.rss_bytes()
    frame = request(API_VERSIONS, 0, 5)
    with many(b, PEERS) as peers:
        for i in range(len(frame) - 1):
            for s in peers:
                s.sendall(frame[i:i + 1])
        assert best_of(10, lambda: ask_versions(b)) < SERVED_SECONDS
        assert b.rss_bytes() - before < PEERS * PEER_BYTES_MAX
        for s in peers:
            s.sendall(frame[-1:])
        for s in peers:
            assert answer(s)[0] == 5
    b.stop()


# A small broker, so that its limits are reached soon: 8 MB of frames, and 8 MB of answers and the like.
SMALL = ("socket.request.max.bytes=4000000", "queued.max.request.bytes=8000000",
         "socket.listen.backlog.size=1000")


def stuff(peers, data, seconds):
    """Sends `data` to each again and again, as far as the broker takes it. Reads nothing."""
    for s in peers:
        s.setblocking(False)
    end = time.monotonic() + seconds
    left = {s: memoryview(data) for s in peers}
    while time.monotonic() < end:
        for s in list(left):
            try:
                left[s] = left[s][s.send(left[s]):] or memoryview(data)
            except BlockingIOError:
                pass
            except OSError:
                del left[s]  # it had to go
        if not left:
            break


def create_topic(broker, topic, partitions):
    name = topic.encode()
    with connect(broker, 20) as s:
        s.sendall(request(19, 4, 1, struct.pack(">ih", 1, len(name)) + name
                          + struct.pack(">ihiiib", partitions, 1, 0, 0, 20000, 0)))
        _, body = answer(s)
        assert body.endswith(struct.pack(">hh", 0, -1)), body


def test_answers_that_nobody_reads(warm, topic):
    """Many ask for much and take nothing of it: bounded for all of them together."""
    b = warm(*SMALL)
    create_topic(b, topic, 2000)
    name = topic.encode()
    ask = request(API_METADATA, 4, 1, struct.pack(">ih", 1, len(name)) + name + b"\0")
    with connect(b) as s:  # what one answer takes is part of the measure
        s.sendall(ask)
        size = len(answer(s)[1])
    before = b.rss_bytes()
    with many(b, 400) as peers:
        stuff(peers, ask * 50, 4)
        assert best_of(10, lambda: ask_versions(b)) < SERVED_SECONDS
        grown = b.rss_bytes() - before
        print(f"answers of {size} bytes: {grown / MIB:.1f} MiB")
        assert grown < 48 * MIB
    with connect(b, 20) as s:
        s.sendall(ask)
        assert len(answer(s)[1]) == size
    b.stop()


def test_fetches_that_wait_with_much(warm, topic):
    """What a request is decoded to is many times its size, and it may wait for days."""
    b = warm(*SMALL)
    make_topic(b, topic)
    name = topic.encode()
    partition = struct.pack(">iqi", 0, 0, MIB)
    much = request(API_FETCH, 4, 1, struct.pack(">iiiib", -1, 2**31 - 1, 1, MIB, 0)
                   + struct.pack(">ih", 1, len(name)) + name + struct.pack(">i", 20000)
                   + partition * 20000)
    before = b.rss_bytes()
    with many(b, 100) as peers:
        stuff(peers, much, 4)
        assert best_of(10, lambda: ask_versions(b)) < SERVED_SECONDS
        grown = b.rss_bytes() - before
        print(f"requests of {len(much)} bytes: {grown / MIB:.1f} MiB")
        assert grown < 96 * MIB
        with connect(b, 30) as s:  # somebody who has much to write finds room, too
            assert produce(s, topic, batch(values=(bytes(1_000_000),))) == NONE
    ask_versions(b)
    b.stop()


class LimitedBroker(Broker):
    """May have only so many descriptors."""
    descriptors = 200

    def command(self):
        return ["sh", "-c", f'ulimit -n {self.descriptors}; exec "$@"', "sh", *super().command()]


def test_descriptors_run_out(tmp_path, topic):
    """New connections are refused; who is there is served, files too; afterwards all is as before."""
    b = LimitedBroker(tmp_path / "data").start()
    for i in range(3):
        make_topic(b, f"{topic}.{i}")
    with connect(b) as early, contextlib.ExitStack() as stack:
        early.sendall(request(API_VERSIONS, 0, 1))
        answer(early)
        peers = [stack.enter_context(connect(b)) for _ in range(300)]
        for s in peers[:50]:  # their files must be opened now
            s.sendall(fetch(1, f"{topic}.{len(peers) % 3}", 0))
            assert answer(s)[0] == 1
        assert descriptors(b) < LimitedBroker.descriptors
        for i in range(3):
            early.sendall(fetch(2, f"{topic}.{i}", 0))
            correlation_id, body = answer(early)
            assert correlation_id == 2
            # Throttle time, topics, name, partitions, index, then the error.
            at = 4 + 4 + 2 + len(f"{topic}.{i}") + 4 + 4
            assert struct.unpack(">h", body[at:at + 2])[0] == 0
        assert is_closed(peers[-1], 10)
    before = time.monotonic()
    while True:
        try:
            ask_versions(b)
            break
        except (AssertionError, OSError):
            assert time.monotonic() - before < 5
            time.sleep(0.05)
    assert "refused" in b.log()
    b.stop()


# ---- Batches that are refused ----

NOW_MS = int(time.time() * 1000)
HOUR_MS = 3600 * 1000
NONE, CORRUPT, TOO_LARGE, INVALID_TIMESTAMP, INVALID_RECORD = 0, 2, 10, 32, 87
BAD_VARINT = b"\xff" * 12


def batch(**more):
    return batches.batch(**{"timestamp": NOW_MS, **more})


def one_record(**parts):
    """The bytes of a record with some of its parts replaced."""
    right = {"attributes": b"\0", "timestamp": b"\0", "offset": b"\0", "key": b"\1", "value": b"\2v",
             "headers": b"\0"}
    size = parts.pop("size", None)
    body = b"".join({**right, **parts}.values())
    return (batches.varint(len(body)) if size is None else size) + body


# The codes are Apache Kafka 4.4's, but where tests/interop/compare/allowed.txt says otherwise.
REFUSED = {
    "magic 0": (INVALID_RECORD, batch(magic=0)),
    "magic 1": (INVALID_RECORD, batch(magic=1)),
    "magic 3": (CORRUPT, batch(magic=3)),
    "CRC": (CORRUPT, batch(crc=1)),
    "cut in the header": (INVALID_RECORD, batch()[:30]),
    "cut in the records": (INVALID_RECORD, batch()[:-1]),
    "length 0": (CORRUPT, batch(length=0)),
    "length negative": (CORRUPT, batch(length=-5)),
    "length too large": (INVALID_RECORD, batch(length=5000)),
    "two batches": (INVALID_RECORD, batch() + batch()),
    "a byte more": (INVALID_RECORD, batch() + b"\0"),
    "count too large": (INVALID_RECORD, batch(count=5)),
    "count 0": (INVALID_RECORD, batch(count=0)),
    "count negative": (INVALID_RECORD, batch(count=-1)),
    "count of 2^31 - 1": (INVALID_RECORD, batch(count=2**31 - 1, last_delta=2**31 - 2)),
    "last delta too large": (INVALID_RECORD, batch(last_delta=5)),
    "last delta negative": (INVALID_RECORD, batch(last_delta=-1)),
    "base offset": (INVALID_RECORD, batch(base_offset=-5)),
    "control": (INVALID_RECORD, batch(attributes=batches.CONTROL)),
    "codec 5": (INVALID_RECORD, batch(attributes=5)),
    "codec 7": (INVALID_RECORD, batch(attributes=7)),
    "garbage for gzip": (CORRUPT, batch(attributes=batches.GZIP, payload=b"\xff" * 50)),
    "garbage for snappy": (CORRUPT, batch(attributes=batches.SNAPPY, payload=b"\xff" * 50)),
    "garbage for lz4": (CORRUPT, batch(attributes=batches.LZ4, payload=b"\xff" * 50)),
    "garbage for zstd": (CORRUPT, batch(attributes=batches.ZSTD, payload=b"\xff" * 50)),
    "bomb": (INVALID_RECORD, batch(values=(bytes(100 << 20),), attributes=batches.GZIP)),
    "too large": (TOO_LARGE, batch(values=(bytes(2 << 20),))),
    "far ahead": (INVALID_TIMESTAMP, batch(timestamp=NOW_MS + 3 * HOUR_MS)),
    "producer below -1": (INVALID_RECORD, batch(producer_id=-2)),
    "garbage for records": (INVALID_RECORD, batch(payload=b"\xff" * 40)),
    "size of a record": (INVALID_RECORD, batch(payload=one_record(size=BAD_VARINT))),
    "offset delta": (INVALID_RECORD, batch(payload=one_record(offset=BAD_VARINT))),
    "offset delta negative": (INVALID_RECORD, batch(payload=one_record(offset=b"\1"))),
    "timestamp delta": (INVALID_RECORD, batch(payload=one_record(timestamp=BAD_VARINT))),
    "key length": (INVALID_RECORD, batch(payload=one_record(key=BAD_VARINT))),
    "key past the end": (INVALID_RECORD, batch(payload=one_record(key=b"\x7e"))),
    "value of 2 GiB": (INVALID_RECORD, batch(payload=one_record(value=b"\xfe\xff\xff\xff\x0f"))),
    "header count": (INVALID_RECORD, batch(payload=one_record(headers=b"\xfe\xff\xff\xff\x0f"))),
    "header count negative": (INVALID_RECORD, batch(payload=one_record(headers=b"\1"))),
    "bytes after the records": (INVALID_RECORD, batch(payload=one_record() + b"xyz")),
}


def produce_frame(topic, records, acks=-1, partition=0):
    """Produce v8."""
    name = topic.encode()
    return request(API_PRODUCE, 8, 1, struct.pack(">hhi", -1, acks, 10000)
                   + struct.pack(">ih", 1, len(name)) + name
                   + struct.pack(">iii", 1, partition, len(records)) + records)


def produce_error(body, topic):
    at = 4 + 2 + len(topic) + 4 + 4
    return struct.unpack(">h", body[at:at + 2])[0]


def produce(s, topic, records):
    """The error."""
    s.sendall(produce_frame(topic, records))
    return produce_error(answer(s)[1], topic)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_refused_batches_leave_no_trace(warm, topic):
    b = warm()
    make_topic(b, topic)
    folder = b.folder / f"{topic}-0"
    with connect(b, 20) as s:
        assert produce(s, topic, batch(values=(b"first",))) == NONE
        before = contents(folder)
        size = b.rss_bytes()
        seen = {}
        for what, (_, records) in REFUSED.items():
            seen[what] = produce(s, topic, records)
            assert contents(folder) == before, what
        assert seen == {what: error for what, (error, _) in REFUSED.items()}
        assert b.rss_bytes() - size < 16 * MIB
        assert produce(s, topic, batch(values=(b"second",))) == NONE
    after = contents(folder)["00000000000000000000.log"]
    first = before["00000000000000000000.log"]
    assert after.startswith(first) and len(after) == len(first) + len(batch(values=(b"second",)))
    b.stop()


def test_bombs_from_many(warm, topic):
    """Each is refused as soon as it is too large; others are served between them."""
    b = warm()
    make_topic(b, topic)
    bomb = batch(values=(bytes(100 << 20),), attributes=batches.GZIP)
    before = b.rss_bytes()
    with many(b, 8) as peers:
        for s in peers:
            s.sendall(produce_frame(topic, bomb))
        assert best_of(10, lambda: ask_versions(b)) < SERVED_SECONDS
        for s in peers:
            s.settimeout(30)
            answer(s)
        assert b.rss_bytes() - before < 80 * MIB
    b.stop()


def test_bombs_keep_nobody_waiting(warm, topic):
    """Fifty batches that are accepted, and decompressed to 50 MiB each: others are served meanwhile, who
    writes to the same partition comes in between, and one of them is in memory at a time."""
    b = warm()
    make_topic(b, topic)
    make_topic(b, f"{topic}.good")
    bomb = batch(values=(bytes(50 << 20),), attributes=batches.GZIP)
    before = b.rss_bytes()
    waits, peak = [], 0
    with many(b, 50) as peers, connect(b) as good:
        for s in peers:
            s.sendall(produce_frame(topic, bomb))
        while True:
            started = time.monotonic()
            assert produce(good, f"{topic}.good", batch(values=(b"small",))) == NONE
            ask_versions(b)
            waits.append(time.monotonic() - started)
            peak = max(peak, b.rss_bytes() - before)
            if select.select(peers[-1:], [], [], 0)[0]:
                break
        for s in peers:
            s.settimeout(60)
            assert produce_error(answer(s)[1], topic) == NONE
    waits.sort()
    print(f"{len(waits)} times served, in {waits[len(waits) // 2] * 1000:.1f} ms, at most "
          f"{waits[-1] * 1000:.0f} ms; {peak / MIB:.0f} MiB more")
    assert len(waits) > 20
    assert waits[len(waits) * 9 // 10] < SERVED_SECONDS
    assert peak < 160 * MIB
    b.stop()


def test_batches_stay_in_order_behind_a_bomb(warm, topic):
    """Requests on one connection: what is quick to check waits behind what is not."""
    b = warm()
    make_topic(b, topic)
    bomb = batch(values=(bytes(50 << 20),), attributes=batches.GZIP)
    with connect(b, 60) as s:
        for records in (batch(values=(b"a",)), bomb, batch(values=(b"b", b"c")), bomb, batch()):
            s.sendall(produce_frame(topic, records))
        seen = []
        for _ in range(5):
            _, body = answer(s)
            assert produce_error(body, topic) == NONE
            at = 4 + 2 + len(topic) + 4 + 4 + 2
            seen.append(struct.unpack(">q", body[at:at + 8])[0])
        assert seen == [0, 1, 2, 4, 5]
    with connect(b, 60) as s:  # without answers as well, and from somebody who leaves
        s.sendall(produce_frame(topic, bomb, acks=0) + produce_frame(topic, batch(), acks=0))
    with connect(b, 60) as s:
        s.sendall(produce_frame(topic, batch()))
        _, body = answer(s)
        assert produce_error(body, topic) == NONE
    b.stop()


# Groups: what a stranger may make of them.

GROUPS_ASKED = 100_000
GROUPS_BYTES_MAX = 40 * MIB  # 500 000 / 16 groups that nobody joined, of 750 bytes


def text(s):
    return struct.pack(">h", len(s)) + s


def join_group(group, member=b"", correlation_id=1):
    protocols = struct.pack(">i", 1) + text(b"range") + struct.pack(">i", 4) + bytes(4)
    return request(API_JOIN_GROUP, 5, correlation_id,
                   text(group) + struct.pack(">ii", 1_800_000, 60_000) + text(member)
                   + struct.pack(">h", -1) + text(b"consumer") + protocols)


def read_join(body):
    """Error, generation and member id of an answer of version 5."""
    error, generation = struct.unpack(">hi", body[4:10])
    at = 10
    for _ in range(3):
        size = struct.unpack(">h", body[at:at + 2])[0]
        value, at = body[at + 2:at + 2 + size], at + 2 + size
    return error, generation, value


def be_a_member(s, group):
    """Joins as clients do, and is answered; how long it took."""
    begin = time.monotonic()
    s.sendall(join_group(group))
    error, _, member = read_join(answer(s)[1])
    assert error == MEMBER_ID_REQUIRED
    s.sendall(join_group(group, member))
    error, generation, same = read_join(answer(s)[1])
    assert (error, same) == (0, member)
    parts = struct.pack(">i", 1) + text(member) + struct.pack(">i", 4) + b"part"
    s.sendall(request(API_SYNC_GROUP, 2, 3,
                      text(group) + struct.pack(">i", generation) + text(member) + parts))
    assert answer(s)[1][4:] == struct.pack(">h", 0) + struct.pack(">i", 4) + b"part"
    s.sendall(request(API_HEARTBEAT, 2, 4,
                      text(group) + struct.pack(">i", generation) + text(member)))
    assert answer(s)[1][4:] == struct.pack(">h", 0)
    return time.monotonic() - begin


def test_groups_that_nobody_joins(warm):
    """Ids for members of ever more groups, which are never used; each makes a group."""
    b = warm("group.initial.rebalance.delay.ms=0")
    with connect(b, 30) as hostile, connect(b, 30) as good:
        good.sendall(request(API_FIND_COORDINATOR, 2, 1, text(b"good") + b"\0"))
        answer(good)
        be_a_member(good, b"good-0")
        before = b.rss_bytes()
        sent = received = 0
        slowest = 0
        while received < GROUPS_ASKED:
            while sent - received < 60 and sent < GROUPS_ASKED:
                burst = min(30, GROUPS_ASKED - sent)
                hostile.sendall(b"".join(join_group(b"hostile-%d" % (sent + i)) for i in range(burst)))
                sent += burst
            for _ in range(min(30, sent - received)):
                assert read_join(answer(hostile)[1])[0] == MEMBER_ID_REQUIRED
                received += 1
            if received % 20_000 < 30:
                slowest = max(slowest, be_a_member(good, b"good-%d" % received))
        grown = b.rss_bytes() - before
        print(f"{grown / MIB:.0f} MiB for {GROUPS_ASKED} groups; a member waited {slowest:.3f} s at most")
        assert grown < GROUPS_BYTES_MAX
        assert slowest < 5
    b.stop()
