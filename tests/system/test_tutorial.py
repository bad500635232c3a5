# SPDX-License-Identifier: Apache-2.0
"""The four commands of the classic tutorial, typed as ever, through the aliases beside the binary."""

import subprocess
import time
from pathlib import Path

import pytest

import clients
from broker import binary
from clients import Confluent

ALIASES = Path(binary()).parent / "bin"


def run(name, *arguments, stdin="", status=0, seconds=20):
    result = subprocess.run([str(ALIASES / name), *arguments], input=stdin, text=True,
                            capture_output=True, timeout=seconds)
    assert result.returncode == status, result.stderr
    return result.stdout, result.stderr


@pytest.fixture
def default_broker(own_broker):
    """The tutorial's commands without --bootstrap-server talk to localhost:9092."""
    b = own_broker(port=9092)
    import socket
    with socket.socket() as s:
        if s.connect_ex(("127.0.0.1", 9092)) == 0:
            pytest.skip("port 9092 is taken on this machine")
    return b.start()


def test_as_typed(default_broker):
    out, err = run("kafka-topics.sh", "--create", "--zookeeper", "localhost:2181",
                   "--replication-factor", "1", "--partitions", "1", "--topic", "test")
    assert out == "Created topic test.\n"
    assert "ZooKeeper" in err
    out, _ = run("kafka-topics.sh", "--list", "--zookeeper", "localhost:2181")
    assert out == "test\n"
    out, _ = run("kafka-topics.sh", "--list", "--bootstrap-server", "localhost:9092")
    assert out == "test\n"
    run("kafka-console-producer.sh", "--broker-list", "localhost:9092", "--topic", "test",
        stdin="This is a message\nThis is another message\n")
    out, _ = run("kafka-console-consumer.sh", "--bootstrap-server", "localhost:9092",
                 "--topic", "test", "--from-beginning", "--max-messages", "2")
    assert out == "This is a message\nThis is another message\n"


def test_console_consumer_follows(bootstrap, topic):
    clients.create_topic(bootstrap, topic)
    consumer = subprocess.Popen([str(ALIASES / "kafka-console-consumer.sh"), "--bootstrap-server",
                                 bootstrap, "--topic", topic, "--from-beginning"],
                                stdout=subprocess.PIPE, text=True)
    try:
        for i in range(3):
            Confluent.produce(bootstrap, topic, [(None, b"line %d" % i, [])])
            assert consumer.stdout.readline() == f"line {i}\n"
    finally:
        consumer.terminate()
        consumer.wait(10)


def test_keys(bootstrap, topic):
    run("kafka-console-producer.sh", "--bootstrap-server", bootstrap, "--topic", topic,
        "--property", "parse.key=true", "--property", "key.separator=:", stdin="a:1\nb:2\n")
    out, _ = run("kafka-console-consumer.sh", "--bootstrap-server", bootstrap, "--topic", topic,
                 "--from-beginning", "--max-messages", "2", "--property", "print.key=true")
    assert out == "a\t1\nb\t2\n"


def test_describe(bootstrap, topic):
    clients.create_topic(bootstrap, topic, partitions=2)
    out, _ = run("kafka-topics.sh", "--describe", "--topic", topic, "--bootstrap-server", bootstrap)
    lines = out.splitlines()
    assert lines[0].startswith(f"Topic: {topic}\tTopicId: ")
    assert "PartitionCount: 2\tReplicationFactor: 1" in lines[0]
    assert lines[1].startswith(f"\tTopic: {topic}\tPartition: 0\tLeader: 1\tReplicas: 1\tIsr: 1")


def test_errors_say_cause_and_fix(bootstrap, topic):
    out, err = run("kafka-topics.sh", "--describe", "--topic", topic, "--bootstrap-server",
                   bootstrap, status=1)
    assert topic in out + err
    started = time.monotonic()
    _, err = run("kafka-topics.sh", "--list", "--bootstrap-server", "127.0.0.1:1", status=1)
    assert "127.0.0.1:1" in err
    assert time.monotonic() - started < 15
