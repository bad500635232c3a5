# SPDX-License-Identifier: Apache-2.0
"""Consumer groups with real clients: two members share the partitions, one leaves, the other takes over,
and who comes later begins where they ended. Each record is read once, since nothing is on its way while
the group changes and every batch is committed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import confluent_kafka
import pytest
from confluent_kafka import TopicPartition

import clients
from broker import Broker
from group_chaos import owned_now
from node import Client

HERE = Path(__file__).resolve().parent
SYSTEM = HERE.parent / "system"
PARTITIONS = 6
BURST = 20           # records of each partition that are written at once
SETTLE_SECONDS = 40  # a Java virtual machine has to start, too
QUIET_SECONDS = 2    # for what must not come


@pytest.fixture(scope="module")
def bootstrap(tmp_path_factory):
    """A broker whose consumer groups move on twice a second, or the one of SYSTEM_BOOTSTRAP."""
    elsewhere = os.environ.get("SYSTEM_BOOTSTRAP")
    if elsewhere:
        yield elsewhere
        return
    broker = Broker(tmp_path_factory.mktemp("groups") / "data", overrides=[
        "group.initial.rebalance.delay.ms=500", "offsets.topic.num.partitions=4",
        "group.consumer.heartbeat.interval.ms=500", "group.consumer.min.heartbeat.interval.ms=500"]).start()
    yield broker.bootstrap
    broker.stop()


class Member:
    """A process that says what happens to it."""

    def __init__(self, name, command, folder):
        self.name = name
        self.path = folder / f"{name}.jsonl"
        self.errors = folder / f"{name}.stderr"
        with open(self.path, "wb") as out, open(self.errors, "wb") as errors:
            self.process = subprocess.Popen(command, stdout=out, stderr=errors)

    def events(self):
        """As far as whole lines are there."""
        lines = self.path.read_text().split("\n")[:-1]
        return [json.loads(line) for line in lines]

    def changes(self):
        return [e for e in self.events() if e["event"] in ("assigned", "revoked")]

    def owned(self):
        return owned_now(self.events())

    def leave(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(30) is not None
        assert self.events()[-1]["event"] == "ended", self.story()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def story(self):
        return f"{self.name}:\n{self.path.read_text()[-2000:]}{self.errors.read_text()[-2000:]}"


class Group:
    """Members of one group and the topic that they read."""

    def __init__(self, bootstrap, topic, folder, command):
        self.bootstrap = bootstrap
        self.topic = topic
        self.name = f"group-of-{topic}"
        self.folder = folder
        self.command = command
        self.members = []
        self.written = 0  # in each partition
        clients.create_topic(bootstrap, topic, PARTITIONS)

    def add(self, name, instance=""):
        member = Member(name, self.command(self.bootstrap, self.name, self.topic, name, instance),
                        self.folder)
        self.members.append(member)
        return member

    def story(self):
        return "\n".join(m.story() for m in self.members)

    def wait(self, what, condition, seconds=SETTLE_SECONDS):
        deadline = time.monotonic() + seconds
        while not condition():
            for m in self.members:
                assert m.process.poll() in (None, 0, -signal.SIGKILL, 143), m.story()
            assert time.monotonic() < deadline, f"{what}\n{self.story()}"
            time.sleep(0.1)

    def wait_shared(self, *members):
        """Every partition has one owner, and everybody owns as much as the others."""
        def is_shared():
            owned = [m.owned() for m in members]
            return (sum(map(len, owned)) == PARTITIONS == len(set().union(*owned))
                    and all(len(o) == PARTITIONS // len(members) for o in owned))
        self.wait("the partitions are not shared among " + ", ".join(m.name for m in members), is_shared)

    def write(self):
        producer = confluent_kafka.Producer({"bootstrap.servers": self.bootstrap})
        for partition in range(PARTITIONS):
            for _ in range(BURST):
                producer.produce(self.topic, b"x", partition=partition)
        assert producer.flush(20) == 0
        self.written += BURST

    def read(self):
        """How often each record was read, by (partition, offset)."""
        return Counter((e["partition"], offset) for m in self.members for e in m.events()
                       if e["event"] == "records" for offset in range(e["first"], e["last"] + 1))

    def committed(self):
        consumer = confluent_kafka.Consumer({"bootstrap.servers": self.bootstrap, "group.id": self.name})
        found = consumer.committed([TopicPartition(self.topic, p) for p in range(PARTITIONS)], timeout=20)
        consumer.close()
        return [p.offset for p in found]

    def type(self):
        """ "classic" or "consumer". """
        with Client(int(self.bootstrap.rsplit(":", 1)[1])) as client:
            groups = client.ask("ListGroups", 5, {"StatesFilter": [], "TypesFilter": []})["Groups"]
        return next(g["GroupType"].lower() for g in groups if g["GroupId"] == self.name)

    def write_and_read(self):
        self.write()
        self.wait("not everything was read and committed",
                  lambda: self.committed() == [self.written] * PARTITIONS)
        assert self.read() == {(p, o): 1 for p in range(PARTITIONS) for o in range(self.written)}

    def end(self):
        for m in self.members:
            if m.process.poll() is None:
                m.kill()


@pytest.fixture
def group(bootstrap, topic, tmp_path):
    made = []

    def make(command):
        made.append(Group(bootstrap, topic, tmp_path, command))
        return made[-1]

    yield make
    for g in made:
        g.end()


def share_and_take_over(g, protocol="classic"):
    a, b = g.add("a"), g.add("b")
    g.wait_shared(a, b)
    assert g.type() == protocol
    g.write_and_read()
    b.leave()
    g.wait_shared(a)
    g.write_and_read()
    a.leave()
    g.write()
    c = g.add("c")
    g.wait_shared(c)
    g.write_and_read()
    c.leave()


def come_back(g, protocol):
    """A static member that comes back has its partitions again, and nobody else notices. In the consumer
    protocol it must have said that it goes; one that was killed is waited for until its session ends."""
    a, b = g.add("a", "instance-a"), g.add("b", "instance-b")
    g.wait_shared(a, b)
    g.write_and_read()
    before = a.owned()
    if protocol == "consumer":
        a.leave()
    else:
        a.kill()
    g.write()
    noticed = b.changes()
    again = g.add("a-again", "instance-a")
    g.wait_shared(again, b)
    g.write_and_read()
    time.sleep(QUIET_SECONDS)
    assert again.owned() == before
    assert b.changes() == noticed
    b.leave()
    again.leave()


# --- Java ---

@pytest.fixture(scope="session")
def java(kafka_tool, tmp_path_factory):
    """Compiles GroupMember.java; java(PROTOCOL, ASSIGNOR) gives what starts a member of that kind."""
    conftest = sys.modules["conftest"]
    conftest.need("javac")
    classes = tmp_path_factory.mktemp("java")
    jars = conftest.CACHE / "tools" / "*"
    subprocess.run(["javac", "-cp", str(jars), "-d", str(classes),
                    str(HERE / "groups" / "GroupMember.java")], check=True, timeout=120)

    def kind(protocol, assignor):
        def command(bootstrap, group, topic, _name, instance):
            return ["java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", f"{classes}:{jars}",
                    "GroupMember", bootstrap, group, topic, protocol, assignor, instance]
        return command

    return kind


JAVA = [("classic", "range"), ("classic", "roundrobin"), ("classic", "sticky"),
        ("classic", "cooperative-sticky"), ("consumer", "uniform"), ("consumer", "range"),
        ("consumer", "pattern")]


@pytest.mark.parametrize("protocol,assignor", JAVA)
def test_java(java, group, protocol, assignor):
    share_and_take_over(group(java(protocol, assignor)), protocol)


@pytest.mark.parametrize("protocol,assignor", [("classic", "range"), ("classic", "cooperative-sticky"),
                                               ("consumer", "uniform")])
def test_java_static_members(java, group, protocol, assignor):
    come_back(group(java(protocol, assignor)), protocol)


def test_java_upgrade(java, group):
    """A classic group becomes one of the consumer protocol member by member, and nothing is read twice."""
    g = group(java("classic", "cooperative-sticky"))
    a, b = g.add("a"), g.add("b")
    g.wait_shared(a, b)
    g.write_and_read()
    g.command = java("consumer", "uniform")
    for old, new in (a, "new-a"), (b, "new-b"):
        old.leave()
        g.add(new)
        g.wait_shared(*[m for m in g.members if m.process.poll() is None])
        g.write_and_read()
    assert g.type() == "consumer"
    for m in g.members[2:]:
        m.leave()


# --- Other languages ---

def python_member(python, library, assignor):
    def command(bootstrap, group, topic, name, instance):
        protocol = "consumer" if assignor == "consumer" else "classic"
        static = ["--instance", instance] if instance else []
        return [python, str(SYSTEM / "group_member.py"), "--library", library, "--bootstrap", bootstrap,
                "--group", group, "--topic", topic, "--name", name, "--protocol", protocol,
                "--assignor", assignor, "--session-ms", "6000", *static]
    return command


@pytest.mark.parametrize("library,assignor", [
    ("confluent", "range"), ("confluent", "roundrobin"), ("confluent", "cooperative-sticky"),
    ("confluent", "consumer"), ("kafka-python", "range"), ("kafka-python", "roundrobin")])
def test_python(python_clients, group, library, assignor):
    share_and_take_over(group(python_member(python_clients, library, assignor)),
                        "consumer" if assignor == "consumer" else "classic")


@pytest.mark.parametrize("assignor", ["range", "consumer"])
def test_python_static_members(python_clients, group, assignor):
    come_back(group(python_member(python_clients, "confluent", assignor)),
              "consumer" if assignor == "consumer" else "classic")


def test_kafkajs(node_clients, group):
    program = node_clients / "kafkajs_member.js"
    program.write_text((HERE / "groups" / "kafkajs_member.js").read_text())
    share_and_take_over(group(lambda bootstrap, name, topic, _name, _instance: [
        "node", str(program), bootstrap, name, topic]))


def go_member(program, protocol, assignor):
    return lambda bootstrap, group, topic, _name, instance: [
        program, bootstrap, group, topic, protocol, assignor, instance]


@pytest.mark.parametrize("assignor", ["range", "roundrobin", "sticky", "cooperative-sticky"])
def test_franz_go(go_member_program, group, assignor):
    share_and_take_over(group(go_member(go_member_program(), "classic", assignor)))


@pytest.mark.parametrize("protocol,assignor", [("classic", "cooperative-sticky"), ("consumer", "range")])
def test_newest_franz_go(go_member_program, group, protocol, assignor):
    share_and_take_over(group(go_member(go_member_program(newest=True), protocol, assignor)), protocol)


# --- Kafka's tools ---

CONSUMER = "org.apache.kafka.tools.consumer.ConsoleConsumer"
GROUPS = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_console_consumer(kafka_tool, bootstrap, topic, protocol):
    clients.create_topic(bootstrap, topic)
    server = ["--bootstrap-server", bootstrap]
    read = [*server, "--topic", topic, "--group", topic, "--from-beginning",
            "--command-property", f"group.protocol={protocol}", "--max-messages"]
    clients.Confluent.produce(bootstrap, topic, [(None, b"%d" % i, []) for i in range(5)])
    assert kafka_tool(CONSUMER, *read, "5").split() == ["0", "1", "2", "3", "4"]
    clients.Confluent.produce(bootstrap, topic, [(None, b"%d" % i, []) for i in range(5, 8)])
    out = kafka_tool(GROUPS, *server, "--describe", "--group", topic)
    assert [topic, "0", "5", "8", "3"] in [line.split()[1:6] for line in out.splitlines()], out
    assert kafka_tool(CONSUMER, *read, "3").split() == ["5", "6", "7"]
    kafka_tool(GROUPS, *server, "--group", topic, "--topic", topic, "--reset-offsets", "--to-offset", "2",
               "--execute")
    assert kafka_tool(CONSUMER, *read, "6").split() == ["2", "3", "4", "5", "6", "7"]
    assert topic in kafka_tool(GROUPS, *server, "--list").split()
    kafka_tool(GROUPS, *server, "--delete", "--group", topic)
    assert topic not in kafka_tool(GROUPS, *server, "--list").split()
