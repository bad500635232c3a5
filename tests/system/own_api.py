# SPDX-License-Identifier: Apache-2.0
"""A client of ChitinDescribeGroups, for tests: sockets and bytes, nothing else."""

import socket
import struct

API_VERSIONS = 18
DESCRIBE_GROUPS = 10000


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, size):
        part = self.data[self.at:self.at + size]
        assert len(part) == size
        self.at += size
        return part

    def number(self, form):
        return struct.unpack(">" + form, self.take(struct.calcsize(form)))[0]

    def uvarint(self):
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return value

    def text(self):
        size = self.uvarint() - 1
        return None if size < 0 else self.take(size).decode()

    def array(self, item):
        count = self.uvarint() - 1
        return None if count < 0 else [item(self) for _ in range(count)]

    def tags(self):
        assert self.uvarint() == 0


def compact(text):
    return bytes([len(text) + 1]) + text.encode()


class Connection:
    """One connection whose client calls itself `software`."""

    def __init__(self, bootstrap, software="chitin"):
        host, port = bootstrap.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=20)
        self.correlation = 0
        answer = self.call(API_VERSIONS, 3, compact(software) + compact("1.0") + b"\0", flexible_header=False)
        assert answer.number("h") == 0
        self.keys = {key for key, _, _ in answer.array(
            lambda r: (r.number("h"), r.number("h"), r.number("h"), r.tags())[:3])}

    def call(self, key, version, body, flexible_header=True):
        self.correlation += 1
        head = struct.pack(">hhih", key, version, self.correlation, 4) + b"test" + b"\0"
        self.socket.sendall(struct.pack(">i", len(head) + len(body)) + head + body)
        size = struct.unpack(">i", self.receive(4))[0]
        reader = Reader(self.receive(size))
        assert reader.number("i") == self.correlation
        if flexible_header:
            reader.tags()
        return reader

    def receive(self, size):
        data = b""
        while len(data) < size:
            part = self.socket.recv(size - len(data))
            assert part, "the connection was closed"
            data += part
        return data

    def close(self):
        self.socket.close()

    def describe(self, *groups, lag=True, journal=True):
        body = bytes([len(groups) + 1]) + b"".join(map(compact, groups)) + bytes([lag, journal, 0])
        reader = self.call(DESCRIBE_GROUPS, 0, body)
        assert reader.number("i") == 0
        described = reader.array(read_group)
        reader.tags()
        assert reader.at == len(reader.data)
        return {group["id"]: group for group in described}


def read_group(r):
    group = {"error": r.number("h"), "id": r.text(), "type": r.text(), "state": r.text(),
             "protocol_type": r.text(), "members": r.number("i")}
    topics = r.array(read_topic)
    group["lag"] = None if topics is None else {
        (topic, p["partition"]): p for topic, partitions in topics for p in partitions}
    group["journal"] = r.array(read_rebalance)
    group["rebalances"], group["rebalance_ms"] = r.number("q"), r.number("q")
    r.tags()
    return group


def read_topic(r):
    name = r.text()
    r.take(16)
    partitions = r.array(read_partition)
    r.tags()
    return name, partitions


def read_partition(r):
    names = [("partition", "i"), ("committed", "q"), ("epoch", "i"), ("time", "q"), ("metadata", None),
             ("error", "h"), ("start", "q"), ("end", "q"), ("records", "q"), ("ms", "q"), ("lost", "q")]
    partition = {name: r.text() if form is None else r.number(form) for name, form in names}
    r.tags()
    return partition


def read_rebalance(r):
    names = [("cause", None), ("member", None), ("client", None), ("reason", None), ("begin", "q"),
             ("duration", "q"), ("before", "i"), ("after", "i"), ("epoch", "i"), ("causes", "i"),
             ("last_member", None), ("last_member_ms", "q")]
    entry = {name: r.text() if form is None else r.number(form) for name, form in names}
    r.tags()
    return entry
