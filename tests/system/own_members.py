# SPDX-License-Identifier: Apache-2.0
"""Members of a group that are `chitin consume --group`, and what they must do whatever broker there is:
share the partitions, take over from one that is killed, leave nothing out, keep the order."""

import json
import os
import signal
import subprocess
import time

import confluent_kafka

from broker import binary

PARTITIONS = 4
SETTLE_SECONDS = 40
SESSION_SECONDS = 6  # of classic members; Apache Kafka allows no less


class OwnMember:
    """One `chitin consume --group`: every line that it prints is "PARTITION OFFSET VALUE"."""

    def __init__(self, bootstrap, group, topic, folder, name, arguments=()):
        self.name = name
        self.out = folder / f"{name}.out"
        self.err = folder / f"{name}.err"
        command = [binary(), "consume", topic, "-b", bootstrap, "-g", group, "-v", "-f", r"%p %o %v\n",
                   *arguments]
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.process = subprocess.Popen(command, stdout=out, stderr=err)

    def records(self):
        """(partition, offset, value) as printed; a line that is not whole yet is left out."""
        lines = self.out.read_text().split("\n")[:-1]
        return [(int(p), int(o), v) for p, o, v in (line.split(" ", 2) for line in lines)]

    def owned(self):
        """The partitions it has, by what it says on standard error."""
        owned = set()
        for line in self.err.read_text().split("\n")[:-1]:
            what, _, places = line.partition(" ")
            if what not in ("assigned", "revoked", "lost"):
                continue
            listed = {int(p) for place in places.split() if "[" in place
                      for p in place[place.index("[") + 1:-1].split(",")}
            if what == "assigned":
                owned |= listed
            else:
                owned -= listed
        return owned

    def kill(self):
        self.process.kill()
        self.process.wait()

    def leave(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        assert self.process.wait(20) == 0, self.story()

    def story(self):
        return f"{self.name}: {self.process.poll()}\n{self.err.read_text()[-2000:]}"


class Writer:
    """Writes numbered records, evenly to the partitions, and knows what has to be read."""

    def __init__(self, bootstrap, topic):
        self.topic = topic
        self.producer = confluent_kafka.Producer({"bootstrap.servers": bootstrap, "linger.ms": 2,
                                                  "enable.idempotence": True, "log_level": 2})
        self.count = 0

    def write(self, count):
        for _ in range(count):
            self.producer.produce(self.topic, b"%d" % self.count, partition=self.count % PARTITIONS)
            self.count += 1
        assert self.producer.flush(60) == 0

    def all(self):
        return {str(i) for i in range(self.count)}


def wait(what, condition, members, seconds=SETTLE_SECONDS):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what + "\n" + "\n".join(m.story() for m in members)
        time.sleep(0.05)


def wait_shared(*members, seconds=SETTLE_SECONDS):
    def is_shared():
        owned = [m.owned() for m in members]
        return sum(map(len, owned)) == PARTITIONS == len(set().union(*owned)) and all(owned)
    wait("the partitions are not shared", is_shared, members, seconds)


def read_by(*members):
    return {value for m in members for _, _, value in m.records()}


def wait_read(writer, *members, seconds=SETTLE_SECONDS):
    wait("not everything is read", lambda: read_by(*members) == writer.all(), members, seconds)


def check_order(*members):
    """What one member prints of a partition rises by one. It may begin earlier again, at what was
    committed, where it took the partition over; and later, behind what others printed meanwhile."""
    for m in members:
        others = {(p, o) for other in members if other is not m for p, o, _ in other.records()}
        last = {}
        for partition, offset, _ in m.records():
            missing = {(partition, o) for o in range(last.get(partition, offset - 1) + 1, offset)}
            assert missing <= others, f"{m.name}: a gap before {partition}@{offset}"
            last[partition] = max(offset, last.get(partition, -1))


def described(bootstrap, group):
    """What `chitin group describe` tells."""
    result = subprocess.run([binary(), "group", "describe", group, "-b", bootstrap, "-o", "json"],
                            capture_output=True, text=True, timeout=30)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def check_described(bootstrap, group, writer, members):
    """Everything is committed, and the group has so many members."""
    def is_done():
        told = described(bootstrap, group)
        rows = told["partitions"]
        return (len(rows) == PARTITIONS and sum(r["committed"] or 0 for r in rows) == writer.count
                and all(r["lag"] == 0 for r in rows) and told["members"] == members)
    deadline = time.monotonic() + 20
    while not is_done():
        assert time.monotonic() < deadline, (described(bootstrap, group), writer.count)
        time.sleep(0.2)


def arguments_of(protocol):
    """classic, cooperative or consumer, as flags."""
    if protocol == "consumer":
        return ["--protocol", "consumer"]
    session = ["--session-timeout", f"{SESSION_SECONDS}s"]
    return session + (["--assignor", "cooperative-sticky"] if protocol == "cooperative" else [])


def one_is_killed(bootstrap, group, topic, folder, protocol, takeover_seconds):
    """Two share; one is killed with -9; the other goes on where the group stood."""
    flags = arguments_of(protocol)
    writer = Writer(bootstrap, topic)
    writer.write(200)
    a = OwnMember(bootstrap, group, topic, folder, "a", flags)
    wait_shared(a)
    b = OwnMember(bootstrap, group, topic, folder, "b", flags)
    wait_shared(a, b)
    writer.write(400)
    wait_read(writer, a, b)
    a.kill()
    writer.write(400)
    wait_read(writer, a, b, seconds=takeover_seconds)
    assert b.owned() == set(range(PARTITIONS))
    check_order(a, b)
    check_described(bootstrap, group, writer, members=1)
    b.leave()
    check_described(bootstrap, group, writer, members=0)
    # Nothing is left for who comes later; what is new comes to it.
    writer.write(8)
    c = OwnMember(bootstrap, group, topic, folder, "c", [*flags, "-n", "8"])
    assert c.process.wait(30) == 0, c.story()
    assert {v for _, _, v in c.records()} == {str(i) for i in range(writer.count - 8, writer.count)}


def orderly_changes(bootstrap, group, topic, folder, protocol):
    """Members come and leave while records are written: each record comes exactly once."""
    flags = arguments_of(protocol)
    writer = Writer(bootstrap, topic)
    members = []
    for name in "abc":
        members.append(OwnMember(bootstrap, group, topic, folder, name, flags))
        wait_shared(*members)
        writer.write(200)
    wait_read(writer, *members)
    members[0].leave(signal.SIGINT)
    writer.write(200)
    wait_shared(*members[1:])
    wait_read(writer, *members)
    members[1].leave()
    writer.write(200)
    wait_shared(members[2])
    wait_read(writer, *members)
    members[2].leave()
    assert sum(len(m.records()) for m in members) == writer.count
    check_order(*members)
    check_described(bootstrap, group, writer, members=0)
    assert all(os.path.getsize(m.out) > 0 for m in members)
