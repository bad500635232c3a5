# SPDX-License-Identifier: Apache-2.0
"""Several log directories: which replica is where, what becomes of those in a directory that misses, and
which directory gets the next."""

import json
import os
import shutil
import subprocess
import time

import confluent_kafka
import pytest

import clients
from broker import Broker, binary

PARTITIONS = 4
NO_LEADER = -1


class Node:
    """A broker with the log directories a (which has the metadata) and b."""

    def __init__(self, folder):
        self.a = folder / "a"
        self.b = folder / "b"
        self.away = folder / "away"
        self.broker = Broker(self.a, log_folder=folder, overrides=[f"log.dirs={self.a},{self.b}"])

    def start(self, *settings):
        self.broker.overrides = [f"log.dirs={self.a},{self.b}", *settings]
        self.broker.log_path.unlink(missing_ok=True)
        return self.broker.start()

    def fill(self, topic):
        """A record in each partition; those in a and those in b."""
        clients.create_topic(self.broker.bootstrap, topic, PARTITIONS)
        for partition in range(PARTITIONS):
            self.produce(topic, partition, b"before")
        return self.partitions_in(self.a, topic), self.partitions_in(self.b, topic)

    @staticmethod
    def partitions_in(folder, topic):
        return sorted(int(p.name.rsplit("-", 1)[1]) for p in folder.glob(f"{topic}-*"))

    def produce(self, topic, partition, value):
        clients.Confluent.produce(self.broker.bootstrap, topic, [(None, value, [])],
                                  partition=partition)

    def values(self, topic, partition, count=1):
        return [v for _, v, _ in clients.Confluent.consume(self.broker.bootstrap, topic, count, partition)]

    def leaders(self, topic):
        found = clients.admin(self.broker.bootstrap).list_topics(topic, timeout=10).topics[topic]
        return [found.partitions[p].leader for p in range(PARTITIONS)]

    def wait_leaders(self, topic, wanted, seconds=10):
        """Of a replica that has moved the controller hears a moment after the start."""
        deadline = time.monotonic() + seconds
        while self.leaders(topic) != wanted:
            assert time.monotonic() < deadline, self.broker.log()
            time.sleep(0.02)

    def log_dirs(self):
        """What DescribeLogDirs says, by directory."""
        text = subprocess.run(["kafka-log-dirs", "--bootstrap-server", self.broker.bootstrap,
                               "--describe"], executable=binary(), check=True, capture_output=True,
                              text=True).stdout
        found = json.loads(text.splitlines()[-1])["brokers"][0]["logDirs"]
        return {d["logDir"]: d for d in found}


@pytest.fixture
def node(tmp_path):
    if os.environ.get("SYSTEM_BOOTSTRAP"):
        pytest.skip("needs a broker process of its own")
    n = Node(tmp_path)
    yield n
    if n.broker.is_running():
        n.broker.kill()


def check_without_b(node, topic, in_a, in_b):
    """What was in a is served; what was in b has no leader, and is not made anew, empty."""
    node.wait_leaders(topic, [NO_LEADER if p in in_b else 1 for p in range(PARTITIONS)])
    for partition in in_a:
        assert node.values(topic, partition) == [b"before"]
    assert node.partitions_in(node.a, topic) == in_a
    for partition in in_b:
        assert f"{topic}-{partition} is offline" in node.broker.log()


def check_all(node, topic, before=b"before"):
    node.wait_leaders(topic, [1] * PARTITIONS)
    for partition in range(PARTITIONS):
        assert node.values(topic, partition) == [before]


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_disk_that_is_not_mounted(node, topic, end):
    node.start()
    in_a, in_b = node.fill(topic)
    assert in_a and in_b
    getattr(node.broker, end)()
    node.b.rename(node.away)
    node.b.mkdir()  # the place where it should be mounted
    node.start()
    check_without_b(node, topic, in_a, in_b)
    assert node.partitions_in(node.b, topic) == []
    node.broker.stop()
    shutil.rmtree(node.b)
    node.away.rename(node.b)
    node.start()
    check_all(node, topic)
    node.broker.stop()


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_directory_that_cannot_be_read(node, topic, end):
    node.start()
    in_a, in_b = node.fill(topic)
    getattr(node.broker, end)()
    node.b.rename(node.away)
    node.b.write_text("not a directory")
    node.start()
    assert f"log directory {node.b} is offline: {node.b}: is not a directory" in node.broker.log()
    check_without_b(node, topic, in_a, in_b)
    dirs = node.log_dirs()
    assert dirs[str(node.b)]["error"] is not None and dirs[str(node.a)]["error"] is None
    # New ones go where they can.
    clients.create_topic(node.broker.bootstrap, f"{topic}.new", PARTITIONS)
    node.wait_leaders(f"{topic}.new", [1] * PARTITIONS)
    node.broker.signal(15)
    assert node.broker.wait() == 1  # not as if nothing was
    node.b.unlink()
    node.away.rename(node.b)
    node.start()
    check_all(node, topic)
    node.broker.stop()


def test_the_directory_of_the_metadata_must_be_readable(node, topic):
    node.start()
    node.fill(topic)
    node.broker.stop()
    node.a.rename(node.away)
    node.a.write_text("not a directory")
    node.broker.start(wait=False)
    assert node.broker.wait() == 1
    assert f"cannot start: {node.a}: is not a directory" in node.broker.log()


def test_no_cluster_is_made_beside_a_directory_that_cannot_be_read(node):
    node.b.write_text("not a directory")
    node.broker.start(wait=False)
    assert node.broker.wait() == 1
    assert f"{node.b}, which cannot be read" in node.broker.log()
    assert not (node.a / "meta.properties").exists()


def test_a_disk_that_is_lost_for_good(node, topic):
    node.start()
    in_a, in_b = node.fill(topic)
    node.broker.stop()
    lost = dict(line.split("=", 1) for line in (node.b / "meta.properties").read_text().splitlines()
                if "=" in line)["directory.id"]
    shutil.rmtree(node.b)
    node.start()
    check_without_b(node, topic, in_a, in_b)
    assert f"chitin.lost.directory.ids={lost}" in node.broker.log()
    node.broker.stop()
    node.start(f"chitin.lost.directory.ids={lost}")
    node.wait_leaders(topic, [1] * PARTITIONS)
    for partition in in_b:
        node.produce(topic, partition, b"after")
        assert node.values(topic, partition) == [b"after"]
    node.broker.stop()
    node.start()  # they belong where they are now
    node.wait_leaders(topic, [1] * PARTITIONS)
    assert "is offline" not in node.broker.log()
    node.broker.stop()


def test_a_partition_that_was_moved_by_hand(node, topic):
    node.start()
    in_a, in_b = node.fill(topic)
    node.broker.stop()
    assert in_b
    for partition in node.b.glob("*-[0-9]*"):
        partition.rename(node.a / partition.name)
    node.start(f"cordoned.log.dirs={node.b}")  # that no consumer's offsets get there
    check_all(node, topic)
    node.broker.stop()
    # The metadata has followed: the other directory is not missed.
    shutil.rmtree(node.b)
    node.start()
    check_all(node, topic)
    assert "is offline" not in node.broker.log()
    node.broker.stop()


def cordon(node, dirs):
    subprocess.run([binary(), "config", "alter", "-b", node.broker.bootstrap, "broker", "1", "-c",
                    f"cordoned.log.dirs={dirs}"], check=True, capture_output=True)


def test_cordoned_directories_get_nothing_new(node, topic):
    """KIP-1066."""
    node.start(f"cordoned.log.dirs={node.b}")
    in_a, in_b = node.fill(f"{topic}.1")
    assert (in_a, in_b) == (list(range(PARTITIONS)), [])
    cordon(node, node.a)
    in_a, in_b = node.fill(f"{topic}.2")
    assert (in_a, in_b) == ([], list(range(PARTITIONS)))
    cordon(node, "*")
    deadline = time.monotonic() + 10  # the controller hears of it a moment later
    with pytest.raises(confluent_kafka.KafkaException) as refused:
        while time.monotonic() < deadline:
            clients.create_topic(node.broker.bootstrap, f"{topic}.{time.monotonic_ns()}")
    assert refused.value.args[0].code() == confluent_kafka.KafkaError.INVALID_REPLICATION_FACTOR
    assert "cordoned" in refused.value.args[0].str()
    # What is there is served, and stays refused after a restart, until it is allowed again.
    assert node.values(f"{topic}.2", 0) == [b"before"]
    node.broker.stop()
    node.start()
    with pytest.raises(confluent_kafka.KafkaException):
        clients.create_topic(node.broker.bootstrap, f"{topic}.3")
    cordon(node, "")
    deadline = time.monotonic() + 10
    while True:
        try:
            clients.create_topic(node.broker.bootstrap, f"{topic}.3")
            break
        except confluent_kafka.KafkaException:
            assert time.monotonic() < deadline
    node.broker.stop()


def test_a_metadata_directory_of_its_own_gets_no_partitions(node, topic, tmp_path):
    """Apache Kafka would not look for them there."""
    apart = tmp_path / "metadata"
    node.start(f"metadata.log.dir={apart}", f"log.dirs={node.a}")
    clients.create_topic(node.broker.bootstrap, topic, PARTITIONS)
    node.wait_leaders(topic, [1] * PARTITIONS)
    assert node.partitions_in(node.a, topic) == list(range(PARTITIONS))
    assert list(node.log_dirs()) == [str(node.a)]
    node.broker.stop()
    node.start(f"metadata.log.dir={apart}", f"log.dirs={node.a}")
    node.wait_leaders(topic, [1] * PARTITIONS)
    node.broker.stop()
