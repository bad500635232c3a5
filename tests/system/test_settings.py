# SPDX-License-Identifier: Apache-2.0
"""Settings whose effect no client shows: asked by hand, or seen in the files."""

import os
import struct
import sys
import time
from pathlib import Path

import clients
from clients import Confluent

sys.path.append(str(Path(__file__).resolve().parents[1] / "interop" / "compare"))

import wire  # noqa: E402


def ask(b, name, version, body):
    connection = wire.Connection(b.port)
    try:
        connection.request(wire.APIS[name], version, body, "settings")
        return connection.response(wire.APIS[name], version, 10)
    finally:
        connection.close()


def wait_until(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.02)


def fetch(b, topic, partitions, session_epoch=-1):
    return ask(b, "Fetch", 12, {
        "MaxWaitMs": 100, "MinBytes": 1, "MaxBytes": 1 << 30, "SessionId": 0,
        "SessionEpoch": session_epoch, "Topics": [{"Topic": topic, "Partitions": [
            {"Partition": i, "FetchOffset": 0, "PartitionMaxBytes": 1 << 20,
             "CurrentLeaderEpoch": -1, "LastFetchedEpoch": -1, "LogStartOffset": -1}
            for i in range(partitions)]}]})


def bytes_of(answer):
    return sorted(len(p["Records"] or b"") for t in answer["Responses"] for p in t["Partitions"])


def test_limits_of_answers(own_broker, topic):
    b = own_broker(overrides=["fetch.max.bytes=1024", "max.request.partition.size.limit=2",
                              "max.incremental.fetch.session.cache.slots=1", "chitin.shards=1",
                              "default.replication.factor=2"]).start()
    clients.create_topic(b.bootstrap, topic, 5)
    for partition in range(2):
        Confluent.produce(b.bootstrap, topic, [(None, os.urandom(5000), [])], partition=partition)

    first, second = bytes_of(fetch(b, topic, 2))
    assert first == 0 and second > 5000  # one batch goes out, however large

    answer = ask(b, "DescribeTopicPartitions", 0, {
        "Topics": [{"Name": topic}], "ResponsePartitionLimit": 100, "Cursor": None})
    assert len(answer["Topics"][0]["Partitions"]) == 2
    assert answer["NextCursor"]["PartitionIndex"] == 2

    connection = wire.Connection(b.port)  # its session stays
    assert fetch(b, topic, 1, session_epoch=0)["SessionId"] != 0
    assert fetch(b, topic, 1, session_epoch=0)["SessionId"] == 0  # no room for another yet
    connection.close()

    answer = ask(b, "CreateTopics", 7, {"timeoutMs": 5000, "Topics": [
        {"Name": topic + ".default", "NumPartitions": 1, "ReplicationFactor": -1}]})
    assert answer["Topics"][0]["ErrorCode"] == 38  # INVALID_REPLICATION_FACTOR
    b.stop()


def checkpoint(b, name, topic):
    """The offset that a checkpoint file has for partition 0."""
    path = b.folder / name
    for line in path.read_text().splitlines() if path.exists() else ():
        if line.startswith(f"{topic} 0 "):
            return int(line.split()[2])
    return None


def producers(b, topic):
    answer = ask(b, "DescribeProducers", 0, {"Topics": [{"Name": topic, "PartitionIndexes": [0]}]})
    return answer["Topics"][0]["Partitions"][0]["ActiveProducers"]


def test_intervals(own_broker, topic):
    b = own_broker(overrides=["replica.high.watermark.checkpoint.interval.ms=50",
                              "log.flush.offset.checkpoint.interval.ms=50",
                              "log.retention.check.interval.ms=50",
                              "producer.id.expiration.ms=1500"]).start()
    clients.create_topic(b.bootstrap, topic)
    Confluent.produce(b.bootstrap, topic, [(None, b"x", [])] * 3, **{"enable.idempotence": True})
    assert len(producers(b, topic)) == 1
    wait_until(lambda: checkpoint(b, "replication-offset-checkpoint", topic) == 3)
    wait_until(lambda: checkpoint(b, "recovery-point-offset-checkpoint", topic) == 3)
    wait_until(lambda: not producers(b, topic))
    b.stop()


def snapshots(b):
    """The offsets of the snapshots of the metadata log."""
    folder = b.folder / "__cluster_metadata-0"
    return sorted(int(p.name[:20]) for p in folder.glob("*.checkpoint"))


def test_metadata_log(own_broker, topic):
    by_size = own_broker(overrides=["metadata.log.max.record.bytes.between.snapshots=2000",
                                    "metadata.max.retention.bytes=100",
                                    "metadata.log.segment.ms=200"]).start()
    by_time = own_broker(overrides=["metadata.log.max.snapshot.interval.ms=200"]).start()
    before = snapshots(by_time)[-1]
    clients.create_topic(by_time.bootstrap, topic)
    for i in range(40):
        clients.create_topic(by_size.bootstrap, f"{topic}.{i}")
    wait_until(lambda: snapshots(by_time)[-1] > before)
    assert snapshots(by_size)[-1] > 0
    # Only the newest are kept, and with them the log that goes on from there.
    time.sleep(0.3)
    clients.create_topic(by_size.bootstrap, topic + ".last")
    wait_until(lambda: snapshots(by_size)[0] > 0)
    assert len(snapshots(by_size)) <= 3, snapshots(by_size)
    folder = by_size.folder / "__cluster_metadata-0"
    assert len(list(folder.glob("*.log"))) > 1 or min(folder.glob("*.log")).name > "0" * 20 + ".log"
    by_size.kill()
    by_size.start()
    assert len(clients.admin(by_size.bootstrap).list_topics(timeout=10).topics) == 41
    by_size.stop()
    by_time.stop()
