# SPDX-License-Identifier: Apache-2.0
"""`chitin consume --group` with Apache Kafka as the broker, in both protocols, and beside the newest
librdkafka in a group of the consumer protocol (KIP-848)."""

import json
import os
import signal
import subprocess
import sys

import pytest

import clients
import own_members
from node import Node
from own_members import PARTITIONS, OwnMember, Writer, wait, wait_shared

SYSTEM = os.path.dirname(own_members.__file__)
PROTOCOLS = ("classic", "cooperative", "consumer")
TAKEOVER_SECONDS = 60  # the session timeout of a group of the consumer protocol is 45 s by default


@pytest.fixture(scope="module")
def kafka(tmp_path_factory, kafka_version):
    node = Node(tmp_path_factory.mktemp("kafka"), kafka_version, dynamic_quorum=kafka_version >= "4.1")
    node.start_kafka()
    yield node.bootstrap
    node.end()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_one_is_killed(kafka, topic, tmp_path, protocol):
    clients.create_topic(kafka, topic, PARTITIONS)
    own_members.one_is_killed(kafka, "g-" + topic, topic, tmp_path, protocol, TAKEOVER_SECONDS)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_orderly_changes(kafka, topic, tmp_path, protocol):
    clients.create_topic(kafka, topic, PARTITIONS)
    own_members.orderly_changes(kafka, "g-" + topic, topic, tmp_path, protocol)


@pytest.mark.parametrize("ours_first", [True, False])
def test_beside_librdkafka(bootstrap, python_clients, topic, tmp_path, ours_first):
    """Members of the consumer protocol, ours and another, with our broker."""
    clients.create_topic(bootstrap, topic, PARTITIONS)
    group = "g-" + topic
    writer = Writer(bootstrap, topic)
    theirs = tmp_path / "theirs.jsonl"

    def start_theirs():
        with open(theirs, "wb") as out:
            return subprocess.Popen(
                [python_clients, os.path.join(SYSTEM, "group_member.py"), "--library", "confluent",
                 "--bootstrap", bootstrap, "--group", group, "--topic", topic, "--name", "theirs",
                 "--protocol", "consumer"], stdout=out, stderr=sys.stderr)

    def read_by_theirs():
        """How many records it tells that it has read."""
        lines = theirs.read_text().split("\n")[:-1]
        return sum(e["count"] for e in map(json.loads, lines) if e["event"] == "records")

    other = None if ours_first else start_theirs()
    ours = OwnMember(bootstrap, group, topic, tmp_path, "ours", ["--protocol", "consumer"])
    if ours_first:
        wait_shared(ours)
        other = start_theirs()
    wait("ours has not its half", lambda: len(ours.owned()) == PARTITIONS // 2, [ours])
    writer.write(200)
    wait("not all is read", lambda: len(ours.records()) + read_by_theirs() == 200, [ours])
    other.send_signal(signal.SIGTERM)
    assert other.wait(30) == 0
    wait_shared(ours)
    writer.write(200)
    wait("not all is read", lambda: len(ours.records()) + read_by_theirs() == 400, [ours])
    own_members.check_order(ours)
    ours.leave()
