# SPDX-License-Identifier: Apache-2.0
"""Peers that mean no good, or know no better: garbage, floods, bytes that never come. Each time the
broker's memory stays bounded, others are served meanwhile, and nothing is left behind."""

import contextlib
import os
import socket
import struct
import time

import pytest

MIB = 1 << 20
API_PRODUCE, API_FETCH, API_METADATA, API_VERSIONS = 0, 1, 3, 18


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
    deadline = time.monotonic() + 5  # the connection that found it ready may still count
    while time.monotonic() < deadline:
        try:
            ask_versions(b)
            break
        except (AssertionError, OSError):
            time.sleep(0.02)
    with many(b, 2) as peers:
        for s in peers:
            s.sendall(request(API_VERSIONS, 0, 1))
            answer(s)
        with connect(b) as s:
            assert is_closed(s)
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
