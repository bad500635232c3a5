# SPDX-License-Identifier: Apache-2.0
"""Apache Kafka's own tools against our broker, and over our files."""

import json
import re

import clients
from clients import Confluent

TOPICS = "org.apache.kafka.tools.TopicCommand"
CONFIGS = "kafka.admin.ConfigCommand"
OFFSETS = "org.apache.kafka.tools.GetOffsetShell"
PRODUCER = "org.apache.kafka.tools.ConsoleProducer"
CONSUMER = "org.apache.kafka.tools.consumer.ConsoleConsumer"
PERFORMANCE = "org.apache.kafka.tools.ProducerPerformance"
LOG_DIRS = "org.apache.kafka.tools.LogDirsCommand"
DUMP = "org.apache.kafka.tools.DumpLogSegments"


def test_topic_command(kafka_tool, bootstrap, topic):
    server = ["--bootstrap-server", bootstrap]
    out = kafka_tool(TOPICS, *server, "--create", "--topic", topic, "--partitions", "3",
                     "--config", "retention.ms=60000")
    assert "Created topic" in out
    assert topic in kafka_tool(TOPICS, *server, "--list").splitlines()
    out = kafka_tool(TOPICS, *server, "--describe", "--topic", topic)
    assert "PartitionCount: 3" in out and "retention.ms=60000" in out
    assert len(re.findall(r"Partition: \d\s+Leader: 1\s+Replicas: 1\s+Isr: 1", out)) == 3
    kafka_tool(TOPICS, *server, "--alter", "--topic", topic, "--partitions", "5")
    assert "PartitionCount: 5" in kafka_tool(TOPICS, *server, "--describe", "--topic", topic)
    kafka_tool(TOPICS, *server, "--create", "--topic", topic, status=1)
    kafka_tool(TOPICS, *server, "--delete", "--topic", topic)
    assert topic not in kafka_tool(TOPICS, *server, "--list").splitlines()


def test_config_command(kafka_tool, bootstrap, topic):
    clients.create_topic(bootstrap, topic)
    entity = ["--bootstrap-server", bootstrap, "--entity-type", "topics", "--entity-name", topic]
    kafka_tool(CONFIGS, *entity, "--alter", "--add-config",
               "max.message.bytes=2000000,cleanup.policy=[compact,delete]")
    out = kafka_tool(CONFIGS, *entity, "--describe")
    assert "max.message.bytes=2000000" in out and "cleanup.policy=compact,delete" in out
    assert "DYNAMIC_TOPIC_CONFIG:max.message.bytes=2000000" in out
    kafka_tool(CONFIGS, *entity, "--alter", "--delete-config", "max.message.bytes")
    out = kafka_tool(CONFIGS, *entity, "--describe", "--all")
    assert "max.message.bytes=1048588" in out
    assert out.count("sensitive=false") >= 37
    out = kafka_tool(CONFIGS, *entity, "--alter", "--add-config", "retention.ms=soon", status=1)
    broker = ["--bootstrap-server", bootstrap, "--entity-type", "brokers", "--entity-name", "1"]
    out = kafka_tool(CONFIGS, *broker, "--describe", "--all")
    assert re.search(r"node\.id=1 .*STATIC|node\.id=1 ", out) and "log.segment.bytes=" in out


def test_offsets_tool(kafka_tool, bootstrap, topic):
    clients.create_topic(bootstrap, topic, partitions=2)
    Confluent.produce(bootstrap, topic, [(None, b"x", [])] * 7, partition=1)
    server = ["--bootstrap-server", bootstrap, "--topic", topic]
    assert sorted(kafka_tool(OFFSETS, *server).split()) == [f"{topic}:0:0", f"{topic}:1:7"]
    for special in ("-1", "latest"):
        assert f"{topic}:1:7" in kafka_tool(OFFSETS, *server, "--time", special)
    assert f"{topic}:1:0" in kafka_tool(OFFSETS, *server, "--time", "-2")
    assert re.search(rf"{topic}:1:\d", kafka_tool(OFFSETS, *server, "--time", "max-timestamp"))


def test_console_tools(kafka_tool, bootstrap, topic):
    clients.create_topic(bootstrap, topic)
    server = ["--bootstrap-server", bootstrap, "--topic", topic]
    kafka_tool(PRODUCER, *server, "--reader-property", "parse.key=true", "--reader-property",
               "key.separator=|", stdin="k1|one\nk2|two\n")
    kafka_tool(PRODUCER, *server, "--compression-codec", "gzip", stdin="three\n")
    out = kafka_tool(CONSUMER, *server, "--partition", "0", "--offset", "earliest",
                     "--max-messages", "3", "--formatter-property", "print.key=true",
                     "--formatter-property", "print.offset=true")
    assert [line.split("\t") for line in out.splitlines()] == [
        ["Offset:0", "k1", "one"], ["Offset:1", "k2", "two"], ["Offset:2", "null", "three"]]


def test_performance_tool(kafka_tool, bootstrap, topic):
    clients.create_topic(bootstrap, topic)
    out = kafka_tool(PERFORMANCE, "--topic", topic, "--num-records", "50000", "--record-size",
                     "200", "--throughput", "-1", "--producer-props",
                     f"bootstrap.servers={bootstrap}", "acks=all", "compression.type=lz4")
    assert re.search(r"50000 records sent", out)
    assert len(Confluent.consume(bootstrap, topic, 50000)) == 50000


def test_log_dirs_tool(kafka_tool, bootstrap, topic):
    clients.create_topic(bootstrap, topic)
    Confluent.produce(bootstrap, topic, [(None, b"x" * 1000, [])])
    out = kafka_tool(LOG_DIRS, "--bootstrap-server", bootstrap, "--describe", "--topic-list", topic)
    report = json.loads(next(line for line in out.splitlines() if line.startswith("{")))
    partitions = report["brokers"][0]["logDirs"][0]["partitions"]
    assert [(p["partition"], p["offsetLag"]) for p in partitions] == [(f"{topic}-0", 0)]
    assert partitions[0]["size"] > 1000


def test_our_files_in_their_dump(kafka_tool, own_broker, topic):
    b = own_broker().start()
    clients.create_topic(b.bootstrap, topic)
    for codec in clients.CODECS:
        Confluent.produce(b.bootstrap, topic, [(b"k", b"v%d" % i, [("h", b"1")])
                                               for i in range(100)], codec=codec)
    Confluent.produce(b.bootstrap, topic, [(None, b"i", [])], **{"enable.idempotence": True})
    b.stop()
    folder = b.folder / f"{topic}-0"
    logs = sorted(str(p) for p in folder.glob("*.log"))
    out = kafka_tool(DUMP, "--files", ",".join(logs), "--deep-iteration", "--print-data-log")
    assert out.count("| offset:") == 501
    assert "isvalid: false" not in out and "isvalid: true" in out
    for codec in clients.CODECS:
        assert f"compresscodec: {codec}" in out
    assert re.search(r"baseSequence: 0 lastSequence: 0 producerId: \d+ producerEpoch: 0", out)
    for suffix in ("index", "timeindex", "snapshot"):
        for file in sorted(folder.glob(f"*.{suffix}")):
            text = kafka_tool(DUMP, "--files", str(file), "--index-sanity-check"
                              if suffix == "index" else "--print-data-log")
            assert "mismatch" not in text.lower() and "failed" not in text.lower(), text
    metadata = sorted((b.folder / "__cluster_metadata-0").glob("*.log"))
    out = kafka_tool(DUMP, "--files", str(metadata[0]), "--cluster-metadata-decoder")
    assert f'"name":"{topic}"' in out and "TOPIC_RECORD" in out
    assert "Could not decode" not in out
    snapshots = sorted((b.folder / "__cluster_metadata-0").glob("*.checkpoint"))
    for snapshot in snapshots:
        out = kafka_tool(DUMP, "--files", str(snapshot), "--cluster-metadata-decoder")
        assert "FEATURE_LEVEL_RECORD" in out and "Could not decode" not in out


def test_they_open_what_we_closed(kafka_tool, own_broker, topic):
    """Kafka's own recovery finds nothing to complain about in a folder that we closed."""
    b = own_broker().start()
    clients.create_topic(b.bootstrap, topic)
    Confluent.produce(b.bootstrap, topic, [(None, b"%d" % i, []) for i in range(1000)])
    b.stop()
    logs = sorted(str(p) for p in (b.folder / f"{topic}-0").glob("*.log"))
    out = kafka_tool(DUMP, "--files", ",".join(logs), "--verify-index-only")
    assert "Mismatches" not in out
