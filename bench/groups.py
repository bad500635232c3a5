#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What groups cost a broker, by hand: bench/groups.py HOST:PORT PID

The broker is a fresh one, Chitin or Apache Kafka, with group.initial.rebalance.delay.ms=0; PID is its
process, for memory and CPU. Classic groups:

    many    10 000 groups of one member, 100 of them joining at a time: until all have their part
    rest    the CPU that they cost then: silent, and with a heartbeat of each every three seconds
    one     one group of 1 000 members that all joined: from the last join until all have their part
    commit  commits per second, answered when they are durable, of 1, 16 and 128 connections

Every step is one request on each connection and then all answers, so a client costs little; on a busy
machine compare only what was measured in turns.
"""

import argparse
import socket
import struct
import time

from many import cpu_ms, rss_kib

TOPIC = "groups"
GROUPS, CONNECTIONS, MEMBERS = 10000, 100, 1000
HEARTBEAT_S, REST_S, COMMIT_S = 3, 9, 4
SESSION_MS, REBALANCE_MS = 300000, 300000
SETTLE_S = 120
CREATE_TOPICS, FIND_COORDINATOR, JOIN, HEARTBEAT, SYNC, COMMIT = 19, 10, 11, 12, 14, 8


def text(s):
    s = s.encode() if isinstance(s, str) else s
    return struct.pack(">h", len(s)) + s


def blob(b):
    return struct.pack(">i", len(b)) + b


def request(key, version, body):
    header = struct.pack(">hhi", key, version, 1) + text("bench")
    return blob(header + body)


def find_coordinator(group):
    return request(FIND_COORDINATOR, 0, text(group))


# Before version 4 a member is let in without an id of its own first.
def join(group, member=b""):
    return request(JOIN, 3, text(group) + struct.pack(">ii", SESSION_MS, REBALANCE_MS) + text(member)
                   + text("consumer") + struct.pack(">i", 1) + text("range")
                   + blob(struct.pack(">hi", 0, 1) + text(TOPIC) + blob(b"")))


def sync(group, generation, member, members=()):
    part = struct.pack(">hi", 0, 1) + text(TOPIC) + struct.pack(">ii", 1, 0) + blob(b"")
    return request(SYNC, 1, text(group) + struct.pack(">i", generation) + text(member)
                   + struct.pack(">i", len(members)) + b"".join(text(m) + blob(part) for m in members))


def heartbeat(group, generation, member):
    return request(HEARTBEAT, 1, text(group) + struct.pack(">i", generation) + text(member))


def commit(group, offset):
    return request(COMMIT, 5, text(group) + struct.pack(">i", -1) + text("") + struct.pack(">i", 1)
                   + text(TOPIC) + struct.pack(">iiqh", 1, 0, offset, 0))


class Connection:
    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), SETTLE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")

    def send(self, data):
        self.socket.sendall(data)

    def receive(self):
        """Without the correlation id."""
        size = struct.unpack(">i", self.file.read(4))[0]
        return self.file.read(size)[4:]

    def ask(self, data):
        self.send(data)
        return self.receive()


class Joined:
    """The answer to a JoinGroup."""

    def __init__(self, data):
        _throttle, self.error, self.generation = struct.unpack(">ihi", data[:10])
        at = [10]

        def take():
            size = struct.unpack(">h", data[at[0]:at[0] + 2])[0]
            at[0] += 2 + size
            return data[at[0] - size:at[0]]

        take()
        self.leader, self.member = take(), take()
        count = struct.unpack(">i", data[at[0]:at[0] + 4])[0]
        at[0] += 4
        self.members = []
        for _ in range(count):
            self.members.append(take())
            at[0] += 4 + struct.unpack(">i", data[at[0]:at[0] + 4])[0]


def expect(error, what):
    if error != 0:
        raise SystemExit(f"{what}: error {error}")


def prepare(address):
    """The topic, and a coordinator that has loaded."""
    c = Connection(address)
    c.ask(request(CREATE_TOPICS, 2, struct.pack(">i", 1) + text(TOPIC) + struct.pack(">ihii", 1, 1, 0, 0)
                  + struct.pack(">ib", 10000, 0)))
    until = time.monotonic() + SETTLE_S
    while struct.unpack(">h", c.ask(find_coordinator("g0"))[:2])[0] != 0:
        time.sleep(0.1)
        if time.monotonic() > until:
            raise SystemExit("there is no coordinator")
    for i in range(200):  # every partition of the topic
        while struct.unpack(">h", c.ask(commit(f"warm-{i}", 0))[-2:])[0] != 0:
            time.sleep(0.1)
            if time.monotonic() > until:
                raise SystemExit("the coordinator does not load")


def many_groups(connections):
    """[(group, generation, member)] of groups that are stable."""
    members = []
    for first in range(0, GROUPS, len(connections)):
        names = [f"g{i}" for i in range(first, min(first + len(connections), GROUPS))]
        pairs = list(zip(connections, names))
        for c, name in pairs:
            c.send(join(name))
        answers = [Joined(c.receive()) for c, _ in pairs]
        for (c, name), a in zip(pairs, answers):
            expect(a.error, "join")
            c.send(sync(name, a.generation, a.member, [a.member]))
        for (c, name), a in zip(pairs, answers):
            expect(struct.unpack(">h", c.receive()[4:6])[0], "sync")
            members.append((name, a.generation, a.member))
    return members


def beat(connections, members, seconds):
    """One heartbeat of each member every HEARTBEAT_S, evenly; how many there were."""
    beats = [heartbeat(*m) for m in members]
    begin, done = time.monotonic(), 0
    while time.monotonic() < begin + seconds:
        some = [beats[(done + i) % len(beats)] for i in range(len(connections))]
        for c, data in zip(connections, some):
            c.send(data)
        for c in connections:
            expect(struct.unpack(">h", c.receive()[4:6])[0], "heartbeat")
        done += len(some)
        time.sleep(max(0, begin + done * HEARTBEAT_S / len(members) - time.monotonic()))
    return done


def one_group(connections, name="one"):
    """All join while the first generation is there, then once more together: from the last join until all
    have their part, in seconds."""
    ids = []
    first = Joined(connections[0].ask(join(name)))
    ids.append(first.member)
    for c in connections[1:]:
        c.send(join(name))
    # The others wait for the first one to join again.
    time.sleep(1)
    begin = time.monotonic()
    connections[0].send(join(name, first.member))
    answers = [Joined(c.receive()) for c in connections]
    for a in answers:
        expect(a.error, "join")
    leader = next(a for a in answers if a.members)
    for c, a in zip(connections, answers):
        c.send(sync(name, a.generation, a.member, leader.members if a is leader else ()))
    for c in connections:
        expect(struct.unpack(">h", c.receive()[4:6])[0], "sync")
    if len(leader.members) != len(connections):
        raise SystemExit(f"{len(leader.members)} of {len(connections)} members are in the generation")
    return time.monotonic() - begin


def commits(connections):
    """Commits per second: a group of its own for each connection, one at a time."""
    begin, done = time.monotonic(), 0
    while time.monotonic() < begin + COMMIT_S:
        for i, c in enumerate(connections):
            c.send(commit(f"commit-{i}", done))
        for c in connections:
            expect(struct.unpack(">h", c.receive()[-2:])[0], "commit")
        done += len(connections)
    return done / (time.monotonic() - begin)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address")
    parser.add_argument("pid", type=int)
    a = parser.parse_args()

    def measured(action):
        began, cpu, rss = time.monotonic(), cpu_ms(a.pid), rss_kib(a.pid)
        result = action()
        return result, time.monotonic() - began, cpu_ms(a.pid) - cpu, rss_kib(a.pid) - rss

    prepare(a.address)
    connections = [Connection(a.address) for _ in range(CONNECTIONS)]
    members, seconds, cpu, kib = measured(lambda: many_groups(connections))
    print(f"{GROUPS} groups of one member: {seconds:.1f} s, {cpu:.0f} ms of CPU, "
          f"{kib / GROUPS:.2f} KiB each")
    _, seconds, cpu, _ = measured(lambda: time.sleep(REST_S))
    print(f"at rest, silent: {cpu / seconds:.1f} ms of CPU a second")
    beats, seconds, cpu, _ = measured(lambda: beat(connections, members, REST_S))
    print(f"at rest, {beats / seconds:.0f} heartbeats a second: {cpu / seconds:.1f} ms of CPU a second")
    for count in (1, 16, 128):
        some = [Connection(a.address) for _ in range(count)]
        rate, _, cpu, _ = measured(lambda: commits(some))
        each_us = cpu * 1000 / (rate * COMMIT_S)
        print(f"{count} connections: {rate:.0f} commits a second, {each_us:.0f} us of CPU each")
    crowd = [Connection(a.address) for _ in range(MEMBERS)]
    took, _, cpu, kib = measured(lambda: one_group(crowd))
    print(f"one group of {MEMBERS} members: {took * 1000:.0f} ms from the last join, {cpu:.0f} ms of CPU, "
          f"{kib / MEMBERS:.2f} KiB each")


if __name__ == "__main__":
    main()
