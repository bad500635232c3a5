# SPDX-License-Identifier: Apache-2.0
"""Apache Kafka Streams: a word count that is scaled out and in, loses an instance and sees its broker
restart. What it counts is right at every step. Without exactly-once, instances are killed only when all that was
read is committed: what comes after that may be counted twice."""

import os
import random
import struct
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import confluent_kafka
import pytest
from confluent_kafka import TopicPartition

import clients
from broker import Broker, binary
from node import Client
from test_groups import Member

HERE = Path(__file__).resolve().parent
PARTITIONS = 3
TASKS = {f"{subtopology}_{p}" for subtopology in (0, 1) for p in range(PARTITIONS)}
STATEFUL = {task for task in TASKS if task.startswith("1")}
WORDS = ["ant", "bee", "cat", "dog", "eel", "fox", "gnu", "hen", "ibis", "jay"]
SETTLE_SECONDS = 90  # Java virtual machines start, sessions end
RANDOM_CASES = 3000
BURSTS = 20  # of lines, before something is killed


@pytest.fixture(scope="session")
def streams_classes(tmp_path_factory):
    """Compiles a program of streams/ with the jars of a profile; gives the class path."""
    conftest = sys.modules["conftest"]
    conftest.need("java", "javac")

    def compile_with(program, jars):
        conftest.fetch(f"Apache Kafka's {jars}", [str(HERE / "kafka.sh"), "fetch", jars])
        classes = tmp_path_factory.mktemp("streams")
        path = conftest.CACHE / jars / "*"
        subprocess.run(["javac", "-cp", str(path), "-d", str(classes), str(HERE / "streams" / program)],
                       check=True, timeout=120)
        return f"{classes}:{path}"

    return compile_with


@pytest.fixture(scope="session")
def word_count(streams_classes):
    return streams_classes("WordCount.java", "streams")


@pytest.fixture
def streams_broker(tmp_path):
    """A broker whose groups notice within seconds that a member is gone; it keeps its port when it comes
    back."""
    seconds = ["min.session.timeout.ms=6000", "session.timeout.ms=6000", "min.heartbeat.interval.ms=500",
               "heartbeat.interval.ms=500", "initial.rebalance.delay.ms=0"]
    broker = Broker(tmp_path / "data", overrides=[
        "group.initial.rebalance.delay.ms=0", "offsets.topic.num.partitions=4",
        *(f"group.streams.{setting}" for setting in seconds)]).start()
    yield broker
    if broker.is_running():
        broker.stop()


class Application:
    """Instances of the word count, what was fed to them, and the topics between."""

    def __init__(self, broker, class_path, folder, protocol, settings=()):
        self.broker = broker
        self.class_path = class_path
        self.folder = folder
        self.name = f"words-{protocol}"
        self.settings = [f"group.protocol={protocol}", *settings]
        if protocol == "classic":
            self.settings += ["consumer.session.timeout.ms=6000", "consumer.heartbeat.interval.ms=500"]
        self.instances = []
        self.expected = Counter()
        self.random = random.Random(1)
        clients.create_topic(broker.bootstrap, "lines", PARTITIONS)
        clients.create_topic(broker.bootstrap, "counts", 2)

    @property
    def repartition(self):
        return f"{self.name}-words-repartition"

    @property
    def changelog(self):
        return f"{self.name}-counts-changelog"

    def add(self, name):
        instance = Member(name, [
            "java", "-Xmx160m", "-XX:TieredStopAtLevel=1", "-cp", self.class_path, "WordCount",
            self.broker.bootstrap, self.name, "lines", "counts", str(self.folder / f"state-{name}"),
            *self.settings], self.folder)
        self.instances.append(instance)
        return instance

    def story(self):
        return "\n".join(i.story() for i in self.instances) + self.broker.log()[-3000:]

    def wait(self, what, condition, seconds=SETTLE_SECONDS):
        deadline = time.monotonic() + seconds
        while not condition():
            for i in self.instances:
                assert i.process.poll() in (None, -9, 143), self.story()
                assert not [e for e in i.events() if e["event"] == "failed"], self.story()
            assert time.monotonic() < deadline, f"{what}\n{self.story()}"
            time.sleep(0.1)

    # --- Tasks ---

    @staticmethod
    def tasks(instance, role="active"):
        seen = [e for e in instance.events() if e["event"] == "tasks"]
        return set(seen[-1][role]) if seen else set()

    def wait_shared(self, *instances):
        """Each task is active in one instance, and everybody has as many as the others."""
        def is_shared():
            active = [self.tasks(i) for i in instances]
            return (set().union(*active) == TASKS and sum(map(len, active)) == len(TASKS)
                    and all(len(a) == len(TASKS) // len(instances) for a in active))
        self.wait("the tasks are not shared among " + ", ".join(i.name for i in instances), is_shared)

    def wait_standbys(self, *instances):
        """Each task with state has a standby, not where it is active."""
        def is_covered():
            standby = [self.tasks(i, "standby") for i in instances]
            return (set().union(*standby) == STATEFUL and sum(map(len, standby)) == len(STATEFUL)
                    and not any(s & self.tasks(i) for s, i in zip(standby, instances)))
        self.wait("the standbys are not where they should be", is_covered)

    # --- Records ---

    def feed(self, lines=60):
        """Writes lines without waiting for what becomes of them."""
        producer = confluent_kafka.Producer({"bootstrap.servers": self.broker.bootstrap})
        for i in range(lines):
            words = self.random.choices(WORDS, k=self.random.randint(1, 6))
            self.expected.update(words)
            producer.produce("lines", " ".join(words).encode(), partition=i % PARTITIONS)
        assert producer.flush(20) == 0

    def counts(self):
        """The newest count of each word in the output topic."""
        found = {}
        consumer = confluent_kafka.Consumer({
            "bootstrap.servers": self.broker.bootstrap, "group.id": "reader", "enable.auto.commit": False,
            "isolation.level": "read_committed", "enable.partition.eof": True})
        partitions = [TopicPartition("counts", p, 0) for p in range(2)]
        consumer.assign(partitions)
        at_end = set()
        while len(at_end) < len(partitions):
            message = consumer.poll(10)
            assert message is not None, "the output topic does not end"
            if message.error():
                assert message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF
                at_end.add(message.partition())
            else:
                found[message.key().decode()] = struct.unpack(">q", message.value())[0]
        consumer.close()
        return found

    def is_committed(self):
        """Nothing of the input and of the repartition topic is left to be committed."""
        consumer = confluent_kafka.Consumer({"bootstrap.servers": self.broker.bootstrap,
                                             "group.id": self.name})
        partitions = [TopicPartition(t, p) for t in ("lines", self.repartition)
                      for p in range(PARTITIONS)]
        committed = consumer.committed(partitions, timeout=20)
        ends = [consumer.get_watermark_offsets(p, timeout=20)[1] for p in partitions]
        consumer.close()
        return all(c.offset == end or end == 0 for c, end in zip(committed, ends))

    def feed_and_count(self):
        self.feed()
        self.wait_counted()

    def wait_counted(self):
        self.wait("the counts are not right", lambda: self.counts() == self.expected)
        self.wait("not everything was committed", self.is_committed)
        assert self.counts() == self.expected, self.story()

    def end(self):
        for i in self.instances:
            if i.process.poll() is None:
                i.kill()


@pytest.fixture
def application(streams_broker, word_count, tmp_path):
    made = []

    def make(protocol, settings=()):
        made.append(Application(streams_broker, word_count, tmp_path, protocol, settings))
        return made[-1]

    yield make
    for a in made:
        a.end()


def check_internal_topics(app):
    """As Kafka Streams wants them: partitions by those of the input, a compacted changelog, a repartition topic
    that only Streams itself deletes from."""
    with Client(app.broker.port) as client:
        topics = {t["Name"]: t for t in client.metadata()["Topics"]}
        configs = client.configs([app.repartition, app.changelog])
    for name in (app.repartition, app.changelog):
        assert len(topics[name]["Partitions"]) == PARTITIONS
    assert configs[app.changelog]["cleanup.policy"] == "compact"
    assert configs[app.repartition]["cleanup.policy"] == "delete"
    assert configs[app.repartition]["retention.ms"] == "-1"
    assert {configs[n]["message.timestamp.type"] for n in configs} == {"CreateTime"}


def group_type(app):
    with Client(app.broker.port) as client:
        groups = client.ask("ListGroups", 5, {"StatesFilter": [], "TypesFilter": []})["Groups"]
    return next(g["GroupType"].lower() for g in groups if g["GroupId"] == app.name)


def use_standbys(app, protocol):
    """One standby for each task: a setting of the application, or else of the group."""
    if protocol == "classic":
        app.settings.append("num.standby.replicas=1")
        return
    with Client(app.broker.port) as client:
        answer = client.ask("IncrementalAlterConfigs", 1, {"ValidateOnly": False, "Resources": [
            {"ResourceType": 32, "ResourceName": app.name, "Configs": [
                {"Name": "streams.num.standby.replicas", "ConfigOperation": 0, "Value": "1"}]}]})
    assert answer["Responses"][0]["ErrorCode"] == 0, answer


PROTOCOLS = ["classic", "streams"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_word_count(application, protocol):
    app = application(protocol)
    a = app.add("a")
    app.feed_and_count()
    check_internal_topics(app)
    assert group_type(app) == protocol
    b = app.add("b")
    app.wait_shared(a, b)
    app.feed_and_count()
    app.broker.stop()
    app.broker.start()
    app.feed_and_count()
    b.kill()
    app.wait_shared(a)
    app.feed_and_count()
    a.leave()
    app.feed()
    c = app.add("c")
    app.wait_counted()
    c.leave()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_standbys(application, protocol):
    app = application(protocol)
    use_standbys(app, protocol)
    a, b = app.add("a"), app.add("b")
    app.wait_shared(a, b)
    app.wait_standbys(a, b)
    app.feed_and_count()
    a.kill()
    app.wait_shared(b)
    app.feed_and_count()
    b.leave()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_exactly_once(application, protocol):
    """Instances are killed, and the broker is, while they work: nothing is counted twice, nothing is lost."""
    app = application(protocol, ["processing.guarantee=exactly_once_v2",
                                 "producer.transaction.timeout.ms=8000"])
    app.add("a")
    app.feed_and_count()
    b = app.add("b")
    app.wait("b gets nothing to do", lambda: app.tasks(b))
    for victim in (b.kill, app.broker.kill):
        for _ in range(BURSTS):
            app.feed(20)
            time.sleep(0.1)
        victim()
        if not app.broker.is_running():
            app.broker.start()
        app.feed()
    app.wait_counted()


STREAMS_TOOL = "org.apache.kafka.tools.streams.StreamsGroupCommand"


def our_tool(app, *words):
    done = subprocess.run(["kafka-streams-groups", "--bootstrap-server", app.broker.bootstrap, *words],
                          executable=binary(), capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout


def wait_empty(app):
    app.wait("the group is not empty",
             lambda: f"{app.name} Empty" in " ".join(our_tool(app, "--list", "--state")[1].split()))


def check_same(app, kafka_tool, *arguments):
    """Apache Kafka's tool says of the group what ours says; which partition it says first depends on the
    order of two hash tables."""
    for words in arguments:
        status, ours = our_tool(app, *words)
        theirs = kafka_tool(STREAMS_TOOL, "--bootstrap-server", app.broker.bootstrap, *words, status=status)
        assert sorted(theirs.splitlines()) == sorted(ours.splitlines()), words


def test_tools(application, kafka_tool):
    """A group is looked at, then counts anew from the start, and is deleted with its topics."""
    app = application("streams")
    use_standbys(app, "streams")
    a, b = app.add("a"), app.add("b")
    app.wait_shared(a, b)
    app.wait_standbys(a, b)
    app.feed_and_count()
    group = ["--group", app.name]
    reset = ["--reset-offsets", *group, "--all-input-topics"]
    check_same(app, kafka_tool, ["--list", "--state"], ["--describe", *group, "--verbose"],
               ["--describe", *group, "--members", "--verbose"], ["--describe", *group, "--state"],
               ["--delete", *group], [*reset, "--to-earliest", "--dry-run"],
               ["--delete-offsets", *group, "--input-topic", "lines"])
    a.leave()
    b.leave()
    wait_empty(app)
    check_same(app, kafka_tool, ["--describe", *group], ["--describe", *group, "--state"],
               [*reset, "--shift-by", "-5", "--export", "--dry-run"])
    status, out = our_tool(app, *reset, "--to-earliest", "--execute", "--delete-all-internal-topics")
    assert status == 0 and out.count("lines") == PARTITIONS, out
    with Client(app.broker.port) as client:
        assert {t["Name"] for t in client.metadata()["Topics"]} & {app.repartition, app.changelog} == set()
    app.feed()  # what was counted before is counted once more, and this
    c = app.add("c")
    app.wait_counted()
    c.leave()
    wait_empty(app)
    status, out = our_tool(app, "--delete", *group, "--delete-all-internal-topics")
    assert status == 0 and out.count("was successful") == 2, out
    check_same(app, kafka_tool, ["--list"], ["--delete", *group], ["--describe", *group])


def test_task_assignor(streams_classes, tmp_path):
    """Random groups, other ones at each run, decided as Apache Kafka decides."""
    program = Path(binary()).parent / "tests" / "unit" / "group" / "test_group_streams_assign"
    if not program.exists():
        sys.modules["conftest"].skip(f"{program} is not built")
    class_path = streams_classes("TaskAssignments.java", "broker")
    seed = str(random.SystemRandom().randrange(1 << 32))
    cases = tmp_path / f"seed-{seed}.txt"
    with open(cases, "wb") as out:
        subprocess.run(["java", "-cp", class_path, "TaskAssignments", seed, str(RANDOM_CASES)], stdout=out,
                       stderr=subprocess.DEVNULL, check=True, timeout=120)
    done = subprocess.run([str(program), str(cases)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"seed {seed}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    os.unlink(cases)
