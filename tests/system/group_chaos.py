#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Members of a group that join, leave, crash and freeze while records come: group_chaos.py --members 50

From the logs that the members write (group_member.py) it must follow that every record was read, that no
partition had two owners at once, that committed offsets never went back, and that the group settled:
every partition with one owner within a session timeout of the last change. With --broker-kills the broker
is killed and started again meanwhile. Prints its seed.

--mix says who takes part: "confluent:range,kafka-python:range", "confluent:cooperative-sticky" or, with
a librdkafka that knows KIP-848, "confluent:consumer"; members are made of its entries in turn.
--python is the interpreter that runs the members, where other versions of the libraries are installed;
--franz is the program of tests/interop/groups/franz, for "franz:range" and the like.

How long the group took to settle is told twice: as the members saw it, and from the broker's journal of
rebalances (`chitin group explain`), which a busy machine that runs all these members does not stretch.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from pathlib import Path

import confluent_kafka

import clients
from broker import Broker, binary

TOPIC = f"chaos-{os.getpid()}"
GROUP = f"chaos-group-{os.getpid()}"
HERE = Path(__file__).resolve().parent
SLACK_SECONDS = 5  # beyond the session timeout: one rebalance, on a busy machine
LEAVE_SECONDS = 30  # librdkafka waits for the answer to its JoinGroup before it leaves


class Member:
    """A process of group_member.py and what it has said so far."""

    def __init__(self, a, number, kind, bootstrap, folder):
        library, assignor = kind.split(":")
        self.name = f"m{number:03d}-{library}-{assignor}"
        self.path = Path(folder) / (self.name + ".jsonl")
        protocol = "consumer" if assignor == "consumer" else "classic"
        self.all_events = []
        self.read_to = 0       # in its file
        with open(self.path, "wb") as out, open(self.path.with_suffix(".stderr"), "wb") as errors:
            self.process = subprocess.Popen(self.command(a, library, protocol, assignor, bootstrap),
                                            stdout=out, stderr=errors)
        self.frozen_at = None
        self.gone_at = None    # when it was killed
        self.is_leaving = False  # was told to

    def command(self, a, library, protocol, assignor, bootstrap):
        if library == "franz":
            return [a.franz, bootstrap, GROUP, TOPIC, protocol, assignor, "", str(a.session_ms), self.name]
        command = [a.python, str(HERE / "group_member.py"), "--library", library, "--bootstrap", bootstrap,
                   "--group", GROUP, "--topic", TOPIC, "--name", self.name, "--protocol", protocol,
                   "--session-ms", str(a.session_ms)]
        if protocol == "classic":
            command += ["--assignor", assignor]
        return command

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)
        self.frozen_at = time.monotonic()

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)
        self.frozen_at = None

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.gone_at = time.monotonic()

    def leave(self):
        self.is_leaving = True
        self.process.send_signal(signal.SIGTERM)

    def is_alive(self):
        return self.process.poll() is None

    def events(self):
        """What it has said in whole lines."""
        with open(self.path, "rb") as file:
            file.seek(self.read_to)
            text = file.read()
        whole = text[:text.rfind(b"\n") + 1]
        self.read_to += len(whole)
        self.all_events += [json.loads(line) for line in whole.splitlines()]
        return self.all_events


def owned_now(events):
    """The partitions that a member says it owns after these events."""
    owned = set()
    for e in events:
        if e["event"] == "assigned":
            owned |= set(e["partitions"])
        elif e["event"] == "revoked":
            owned -= set(e["partitions"])
        elif e["event"] == "ended":
            owned = set()
    return owned


def intervals(name, events, ends):
    """(partition, from, to, name): when a member owned what. `ends` are times at which it stopped to be
    anybody: it was killed, or frozen; what it still held then ended there."""
    held = {}
    moments = [(e["t"], 1, e) for e in events] + [(t, 0, None) for t in ends]
    for t, _, e in sorted(moments, key=lambda m: m[:2]):
        if e is None:
            for partition, since in held.items():
                yield partition, since, t, name
            held = {}
        elif e["event"] == "assigned":
            for partition in e["partitions"]:
                held.setdefault(partition, t)
        elif e["event"] in ("revoked", "ended"):
            for partition in e.get("partitions", list(held)):
                if partition in held:
                    yield partition, held.pop(partition), t, name
    for partition, since in held.items():
        yield partition, since, float("inf"), name


def overlaps(all_intervals):
    """Two owners of one partition at once."""
    by_partition = defaultdict(list)
    for partition, begin, end, name in all_intervals:
        by_partition[partition].append((begin, end, name))
    for partition, spans in sorted(by_partition.items()):
        spans.sort()
        for (b1, e1, n1), (b2, e2, n2) in zip(spans, spans[1:]):
            if b2 < e1 and n1 != n2:
                yield (f"partition {partition} has two owners for {min(e1, e2) - b2:.3f} s: {n1} from "
                       f"{b1:.3f} to {e1:.3f}, {n2} from {b2:.3f}")


def missing(read, written):
    """Records that nobody has read: `read` has spans by partition, `written` how many there are."""
    for partition, count in enumerate(written):
        at = 0
        for first, last in sorted(read.get(partition, [])):
            if first > at:
                break
            at = max(at, last + 1)
        if at < count:
            yield f"partition {partition}: offset {at} of {count} was never read"


class Watch(threading.Thread):
    """Asks for the committed offsets again and again: they only grow."""

    def __init__(self, bootstrap, partitions):
        super().__init__(daemon=True)
        self.problems = []
        self.best = {}
        self.stopping = threading.Event()
        self.wanted = [confluent_kafka.TopicPartition(TOPIC, p) for p in range(partitions)]
        self.consumer = confluent_kafka.Consumer({"bootstrap.servers": bootstrap, "group.id": GROUP,
                                                  "log_level": 2, "reconnect.backoff.max.ms": 200})

    def look(self):
        try:
            found = self.consumer.committed(self.wanted, timeout=10)
        except confluent_kafka.KafkaException:
            return
        for p in found:
            if p.error is not None or p.offset < 0:
                continue
            if p.offset < self.best.get(p.partition, 0):
                self.problems.append(f"the committed offset of partition {p.partition} went back from "
                                     f"{self.best[p.partition]} to {p.offset}")
            self.best[p.partition] = max(self.best.get(p.partition, 0), p.offset)

    def run(self):
        while not self.stopping.wait(0.2):
            self.look()
        self.look()
        self.consumer.close()


class Writer(threading.Thread):
    """Writes slowly to every partition, and counts what was acknowledged."""

    def __init__(self, bootstrap, partitions):
        super().__init__(daemon=True)
        self.written = [0] * partitions
        self.stopping = threading.Event()
        self.producer = confluent_kafka.Producer({
            "bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 5, "log_level": 2,
            "message.timeout.ms": 60000, "reconnect.backoff.max.ms": 200})

    def on_delivery(self, error, message):
        if error is None:
            self.written[message.partition()] = max(self.written[message.partition()],
                                                    message.offset() + 1)

    def run(self):
        while not self.stopping.wait(0.05):
            for partition in range(len(self.written)):
                try:
                    self.producer.produce(TOPIC, b"x", partition=partition, on_delivery=self.on_delivery)
                except BufferError:
                    pass
            self.producer.poll(0)
        self.producer.flush(60)


class Elsewhere:
    """A broker that somebody else started: Apache Kafka, to see that the judge is fair."""

    def __init__(self, bootstrap):
        self.bootstrap = bootstrap

    def is_running(self):
        return False


class Chaos:
    def __init__(self, a, broker, folder):
        self.a = a
        self.broker = broker
        self.folder = folder
        self.random = random.Random(a.seed)
        self.members = []
        self.ends = defaultdict(list)  # by name: when it was killed or frozen
        self.kinds = a.mix.split(",")
        self.problems = []
        self.changed_at = 0  # the last change, by time.time()

    def add(self):
        kind = self.kinds[len(self.members) % len(self.kinds)]
        member = Member(self.a, len(self.members), kind, self.broker.bootstrap, self.folder)
        self.note("join", member.name)
        self.members.append(member)

    def alive(self):
        return [m for m in self.members if m.is_alive()]

    def note(self, what, who):
        """Says in the folder what was done, on the clock of the members' logs."""
        self.changed_at = time.time()
        with open(Path(self.folder) / "changes.jsonl", "a") as file:
            file.write(json.dumps({"t": time.monotonic(), "change": what, "member": who}) + "\n")

    def thaw(self, member):
        self.note("thaw", member.name)
        member.thaw()

    def disturb(self):
        """One change."""
        active = [m for m in self.alive() if m.frozen_at is None]
        frozen = [m for m in self.alive() if m.frozen_at is not None]
        choice = self.random.random()
        if frozen and choice < 0.25:
            self.thaw(self.random.choice(frozen))
        elif len(active) < self.a.members * 0.7 or choice < 0.5:
            self.add()
        elif choice < 0.7:
            victim = self.random.choice(active)
            self.note("leave", victim.name)
            victim.leave()
        elif choice < 0.85:
            victim = self.random.choice(active)
            self.note("kill", victim.name)
            victim.kill()
            self.ends[victim.name].append(victim.gone_at)
        else:
            victim = self.random.choice(active)
            self.note("freeze", victim.name)
            victim.freeze()
            self.ends[victim.name].append(victim.frozen_at)

    def restart_broker(self):
        self.note("kill", "broker")
        self.broker.kill()
        self.broker.start()

    def settle(self, seconds):
        """How long it took until every partition had one owner; None: it did not, `seconds` after the last
        change. Who was told to leave changes the group when it ends."""
        begin = changed = time.monotonic()
        everything = set(range(self.a.partitions))
        while time.monotonic() < changed + seconds:
            if any(m.is_leaving for m in self.alive()) and time.monotonic() < begin + LEAVE_SECONDS:
                changed, self.changed_at = time.monotonic(), time.time()
            owned = [owned_now(m.events()) for m in self.alive()]
            together = set().union(*owned) if owned else set()
            if together == everything and sum(map(len, owned)) == len(everything):
                return time.monotonic() - begin
            time.sleep(0.2)
        lost = sorted(everything - together)
        self.problems.append(f"not settled after {seconds:.0f} s: {len(lost)} partitions have no owner "
                             f"{lost[:5]}, {sum(map(len, owned)) - len(together)} have two")
        return None

    def settled_by_journal(self, seconds):
        """Seconds from the last change to the end of the newest rebalance, as the coordinator remembers; it
        may end later than the members' partitions are right, when the last one has told that it knows.
        None: this broker does not tell."""
        deadline = time.monotonic() + seconds
        while True:
            told = subprocess.run([binary(), "group", "explain", "-b", self.broker.bootstrap, GROUP,
                                   "-o", "json"], capture_output=True, text=True)
            if told.returncode != 0:
                return None
            newest = json.loads(told.stdout)["journal"][:1]
            if all(r["duration_ms"] >= 0 for r in newest):
                ends = [(r["begin_ms"] + r["duration_ms"]) / 1000 - self.changed_at for r in newest]
                return max([0, *ends])
            if time.monotonic() > deadline:
                self.problems.append(f"the group still rebalances {seconds:.0f} s later: {newest}")
                return None
            time.sleep(0.2)

    def read_spans(self):
        read = defaultdict(list)
        for m in self.members:
            for e in m.events():
                if e["event"] == "records":
                    read[e["partition"]].append((e["first"], e["last"]))
        return read

    def wait_read(self, written, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and any(missing(self.read_spans(), written)):
            time.sleep(0.5)
        return list(missing(self.read_spans(), written))

    def judge(self):
        spans = []
        for m in self.members:
            spans += intervals(m.name, list(m.events()), self.ends[m.name])
        self.problems += overlaps(spans)

    def end(self):
        for m in self.alive():
            m.process.send_signal(signal.SIGCONT)
            m.process.send_signal(signal.SIGTERM)
        for m in self.members:
            try:
                m.process.wait(20)
            except subprocess.TimeoutExpired:
                m.kill()


def run(a, folder):
    """The problems found: none, or something is wrong."""
    overrides = [f"group.initial.rebalance.delay.ms={a.delay_ms}", "offsets.topic.num.partitions=4"]
    for name, value in ("session.timeout.ms", a.session_ms), ("heartbeat.interval.ms", a.session_ms // 4):
        overrides += [f"group.consumer.{name}={value}", f"group.consumer.min.{name}={value}"]
    broker = (Elsewhere(a.bootstrap) if a.bootstrap
              else Broker(Path(folder) / "data", overrides=overrides).start())
    clients.create_topic(broker.bootstrap, TOPIC, a.partitions)
    chaos = Chaos(a, broker, folder)
    writer, watch = Writer(broker.bootstrap, a.partitions), Watch(broker.bootstrap, a.partitions)
    try:
        for _ in range(a.members):
            chaos.add()
        writer.start()
        watch.start()
        patience = a.session_ms / 1000 + SLACK_SECONDS
        print(f"{a.members} members settled after {chaos.settle(patience + 30) or -1:.1f} s", flush=True)
        for n in range(a.changes):
            time.sleep(chaos.random.uniform(0, a.pause))
            chaos.disturb()
            if a.broker_kills and n % max(1, a.changes // a.broker_kills) == 0:
                chaos.restart_broker()
        for m in chaos.alive():
            if m.frozen_at is not None:
                chaos.thaw(m)
        took = chaos.settle(patience + (30 if a.broker_kills else 0))
        by_journal = chaos.settled_by_journal(patience)
        print(f"settled {took or -1:.1f} s after the last change, {len(chaos.alive())} members" +
              (f", {by_journal:.1f} s by the broker's journal" if by_journal is not None else ""), flush=True)
        writer.stopping.set()
        writer.join()
        chaos.problems += chaos.wait_read(writer.written, 60)
        watch.stopping.set()
        watch.join()
        chaos.end()
        chaos.judge()
        if sum(writer.written) == 0 or not watch.best:
            chaos.problems.append("nothing was written or committed")
        print(f"{sum(writer.written)} records, {len(chaos.members)} members in all", flush=True)
    finally:
        chaos.end()
        writer.stopping.set()
        watch.stopping.set()
        if broker.is_running():
            broker.stop()
    return chaos.problems + watch.problems


def parser():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--members", type=int, default=50)
    p.add_argument("--partitions", type=int, default=64)
    p.add_argument("--changes", type=int, default=60)
    p.add_argument("--pause", type=float, default=2, help="seconds between changes at most")
    p.add_argument("--mix", default="confluent:range,kafka-python:range")
    p.add_argument("--session-ms", type=int, default=10000)
    p.add_argument("--delay-ms", type=int, default=500)
    p.add_argument("--broker-kills", type=int, default=0)
    p.add_argument("--python", default=sys.executable)
    p.add_argument("--franz", help="the program of tests/interop/groups/franz")
    p.add_argument("--seed", type=int, default=int(time.time()))
    p.add_argument("--bootstrap", help="use this broker, which then is not killed; its "
                   "group.consumer.session.timeout.ms has to be --session-ms")
    p.add_argument("--keep", help="a folder for data and logs, which stay")
    return p


def main():
    a = parser().parse_args()
    print(f"seed {a.seed}", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = a.keep or scratch
        Path(folder).mkdir(parents=True, exist_ok=True)
        problems = run(a, folder)
    for problem in problems:
        print(problem)
    print("bad" if problems else "good")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
