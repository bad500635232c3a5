# SPDX-License-Identifier: Apache-2.0
"""Metadata that Apache Kafka's tools made and Chitin does not use yet: Kafka finds it again after
Chitin has written several snapshots."""

import re
import time

import pytest

import clients
import dump
from clients import Confluent
from node import Node
from test_same_directory import internal_files, recovers

CONFIGS_TOOL = "kafka.admin.ConfigCommand"
ACLS_TOOL = "org.apache.kafka.tools.AclCommand"
TOKENS_TOOL = "org.apache.kafka.tools.DelegationTokenCommand"
METRICS_TOOL = "org.apache.kafka.tools.ClientMetricsCommand"
SHARE_TOOL = "org.apache.kafka.tools.consumer.ConsoleShareConsumer"
LOGIN = 'org.apache.kafka.common.security.plain.PlainLoginModule required ' \
        'username="admin" password="secret"'
SECURED = {
    "listener.security.protocol.map":
        "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT",
    "sasl.enabled.mechanisms": "PLAIN",
    "listener.name.sasl_plaintext.plain.sasl.jaas.config": f'{LOGIN} user_admin="secret";',
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:ANONYMOUS;User:admin",
    "delegation.token.secret.key": "a secret of this test",
}


@pytest.fixture
def secured_node(tmp_path, kafka_version):
    n = Node(tmp_path, kafka_version, dynamic_quorum=kafka_version >= "4.1",
             format_arguments=["--add-scram", "SCRAM-SHA-256=[name=first,password=p]"])
    listeners = n.properties["listeners"] + ",SASL_PLAINTEXT://127.0.0.1:SASL_PORT"
    n.write_properties(n.file, {**SECURED, "listeners": listeners})
    (tmp_path / "login.properties").write_text(
        f"security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\nsasl.jaas.config={LOGIN};\n")
    yield n
    n.end()


def make_unused(node, kafka_tool):
    server = ["--bootstrap-server", node.bootstrap]
    alter = [*server, "--alter"]
    user = ["--entity-type", "users", "--entity-name", "alice"]
    kafka_tool(CONFIGS_TOOL, *alter, *user, "--add-config",
               "SCRAM-SHA-512=[iterations=5000,password=alice]")
    kafka_tool(CONFIGS_TOOL, *alter, *user, "--entity-type", "clients", "--entity-default",
               "--add-config", "producer_byte_rate=1024,request_percentage=12.5")
    kafka_tool(ACLS_TOOL, *server, "--add", "--allow-principal", "User:alice", "--operation", "Read",
               "--operation", "Describe", "--topic", "orders", "--resource-pattern-type", "prefixed")
    kafka_tool(METRICS_TOOL, *server, "--alter", "--name", "producers", "--metrics",
               "org.apache.kafka.producer.", "--interval", "20000", "--match", "client_id=a.*")
    kafka_tool(CONFIGS_TOOL, *alter, "--entity-type", "groups", "--entity-name", "readers",
               "--add-config", "consumer.session.timeout.ms=50000")
    kafka_tool(TOKENS_TOOL, "--bootstrap-server", f"127.0.0.1:{node.sasl_port}", "--create",
               "--max-life-time-period", "-1", "--command-config",
               str(node.folder / "login.properties"), "--renewer-principal", "User:renewer")
    if node.version >= "4.2":
        make_share_state(node, kafka_tool)


def make_share_state(node, kafka_tool):
    clients.create_topic(node.bootstrap, "shared")
    server = ["--bootstrap-server", node.bootstrap]
    kafka_tool(CONFIGS_TOOL, *server, "--alter", "--entity-type", "groups", "--entity-name", "share",
               "--add-config", "share.auto.offset.reset=earliest")
    Confluent.produce(node.bootstrap, "shared", [(None, b"%d" % i, []) for i in range(5)])
    out = kafka_tool(SHARE_TOOL, *server, "--topic", "shared", "--group", "share",
                     "--max-messages", "5", "--timeout-ms", "30000")
    assert len(out.split()) == 5


def read_unused(node, kafka_tool):
    server = ["--bootstrap-server", node.bootstrap]
    describe = [*server, "--describe"]
    found = [
        kafka_tool(CONFIGS_TOOL, *describe, "--entity-type", "users"),
        kafka_tool(CONFIGS_TOOL, *describe, "--entity-type", "users", "--entity-name", "alice",
                   "--entity-type", "clients", "--entity-default"),
        kafka_tool(ACLS_TOOL, *server, "--list"),
        kafka_tool(METRICS_TOOL, *describe, "--name", "producers"),
        kafka_tool(CONFIGS_TOOL, *describe, "--entity-type", "groups", "--entity-name", "readers"),
    ]
    for text, words in zip(found, (["SCRAM-SHA-512=iterations=5000", "SCRAM-SHA-256=iterations=4096"],
                                   ["producer_byte_rate=1024", "request_percentage=12.5"],
                                   ["User:alice", "READ", "DESCRIBE", "PREFIXED"],
                                   ["interval.ms=20000", "client_id=a.*"],
                                   ["consumer.session.timeout.ms=50000"])):
        for word in words:
            assert word in text, text
    return [sorted(re.sub(r"^\S* (WARN|INFO).*", "", text, flags=re.M).split()) for text in found]


def tokens_in(text):
    """Delegation tokens as Kafka's dump shows them. (Its tool lists those that its broker has cached.)"""
    return sorted(re.findall(r'"type":"DELEGATION_TOKEN_RECORD".*', text))


def test_unused_metadata_is_kept(secured_node, kafka_tool):
    """ACLs, SCRAM, quotas, delegation tokens, client metrics, configurations of groups, and the logs of
    coordinators: through several snapshots of Chitin's, and back to Kafka."""
    node = secured_node
    node.start_kafka()
    clients.create_topic(node.bootstrap, "orders")
    make_unused(node, kafka_tool)
    before = read_unused(node, kafka_tool)
    node.stop()
    tokens = tokens_in(dump.ours("--cluster-metadata-decoder", "--files",
                                 ",".join(map(str, node.files("__cluster_metadata-0/*.log")))))
    assert len(tokens) == 1 and "User:renewer" in tokens[0]

    internal = internal_files(node)
    node.start_chitin("metadata.log.max.record.bytes.between.snapshots=1",
                      "metadata.max.retention.bytes=1")
    newest = set()
    for i in range(5):
        clients.create_topic(node.bootstrap, f"snapshot-{i}")
        time.sleep(0.2)
        newest.update(p.name for p in node.files("*.checkpoint"))
    assert len(newest) >= 4
    node.stop()
    assert internal_files(node) == internal
    last = max(node.files("__cluster_metadata-0/*.checkpoint"))
    assert tokens_in(kafka_tool(dump.CLASS, "--cluster-metadata-decoder", "--files",
                                str(last))) == tokens

    node.start_kafka()
    assert recovers(node.log()) == []
    assert read_unused(node, kafka_tool) == before
    if node.version >= "4.2":
        out = kafka_tool(SHARE_TOOL, "--bootstrap-server", node.bootstrap, "--topic", "shared",
                         "--group", "share", "--timeout-ms", "4000", status=None)
        assert out.split() == [], "records that were acknowledged are delivered again"
    node.stop()
    dump.compare(node, kafka_tool)
