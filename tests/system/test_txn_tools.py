# SPDX-License-Identifier: Apache-2.0
"""The commands about transactions. What kafka-transactions prints here is what Apache Kafka's own tool
prints of the same: columns as wide as their widest cell, a tab behind each."""

import json
import re
import subprocess

import confluent_kafka
import pytest

from broker import binary
from clients import create_topic

SECONDS = 20


def call(bootstrap, *words, name="chitin"):
    return subprocess.run([name, *words, "--bootstrap-server", bootstrap], executable=binary(),
                          text=True, capture_output=True, timeout=60)


def run(bootstrap, *words, name="chitin", status=0):
    result = call(bootstrap, *words, name=name)
    assert result.returncode == status, f"{words}: {result.returncode}\n{result.stdout}{result.stderr}"
    return result.stdout if status == 0 else result.stderr


def kafka(bootstrap, *words, status=0):
    return run(bootstrap, *words, name="kafka-transactions", status=status)


def objects(text):
    return [json.loads(line) for line in text.splitlines()]


def rows(text):
    """The cells of kafka-transactions; every row is as wide as the titles."""
    lines = text.splitlines()
    assert len({len(line) for line in lines}) == 1, text
    assert all(line.endswith("\t") for line in lines)
    return [[cell.rstrip(" ") for cell in line[:-1].split("\t")] for line in lines]


@pytest.fixture
def opened(bootstrap, topic):
    """A producer with an open transaction in three partitions."""
    create_topic(bootstrap, topic, 3)
    p = confluent_kafka.Producer({"bootstrap.servers": bootstrap, "transactional.id": topic, "log_level": 0})
    p.init_transactions(SECONDS)
    p.begin_transaction()
    for partition in range(3):
        p.produce(topic, b"x", partition=partition)
    assert p.flush(SECONDS) == 0
    return p


def test_describe(bootstrap, topic, opened):
    titles, row = rows(kafka(bootstrap, "describe", "--transactional-id", topic))
    assert titles == ["CoordinatorId", "TransactionalId", "ProducerId", "ProducerEpoch", "TransactionState",
                      "TransactionTimeoutMs", "CurrentTransactionStartTimeMs", "TransactionDurationMs",
                      "TopicPartitions"]
    assert row[:2] == ["1", topic] and row[4:6] == ["Ongoing", "60000"]
    assert sorted(row[8].split(",")) == [f"{topic}-{p}" for p in range(3)]
    described = objects(run(bootstrap, "txn", "describe", topic, "-o", "json"))[0]
    assert described["state"] == "Ongoing" and described["producer_id"] == int(row[2])
    assert f"failed because the ID could not be found. Enable debug" in \
        kafka(bootstrap, "describe", "--transactional-id", "nobody", status=1)
    run(bootstrap, "txn", "describe", "nobody", status=3)


def test_list(bootstrap, topic, opened):
    listed = rows(kafka(bootstrap, "list"))
    assert listed[0] == ["TransactionalId", "Coordinator", "ProducerId", "TransactionState"]
    assert [row[3] for row in listed if row[0] == topic] == ["Ongoing"]
    assert [row[0] for row in rows(kafka(bootstrap, "list", "--transactional-id-pattern",
                                         re.escape(topic)))[1:]] == [topic]
    assert rows(kafka(bootstrap, "list", "--duration-filter", "1000000"))[1:] == []
    ongoing = objects(run(bootstrap, "txn", "list", "--state", "Ongoing", "-o", "json"))
    assert topic in [t["transactional_id"] for t in ongoing]


def test_an_orderly_abort(bootstrap, topic, opened):
    """The first instance is fenced, its transaction aborted."""
    kafka(bootstrap, "forceTerminateTransaction", "--transactionalId", topic)
    with pytest.raises(confluent_kafka.KafkaException):
        opened.commit_transaction(SECONDS)
    row = rows(kafka(bootstrap, "describe", "--transactional-id", topic))[1]
    assert row[4] in ("Empty", "CompleteAbort") and row[8] == ""
    run(bootstrap, "txn", "terminate", topic)


def test_an_abort_past_the_coordinator(bootstrap, topic, opened):
    producers = rows(kafka(bootstrap, "describe-producers", "--topic", topic, "--partition", "1"))
    assert producers[0] == ["ProducerId", "ProducerEpoch", "LatestCoordinatorEpoch", "LastSequence",
                            "LastTimestamp", "CurrentTransactionStartOffset"]
    assert producers[1][1:4] == ["0", "-1", "0"] and producers[1][5] == "0"
    kafka(bootstrap, "abort", "--topic", topic, "--partition", "1", "--start-offset", "7", status=1)
    kafka(bootstrap, "abort", "--topic", topic, "--partition", "1", "--start-offset", "0")
    producers = rows(kafka(bootstrap, "describe-producers", "--topic", topic, "--partition", "1"))
    assert producers[1][2] == "0" and producers[1][5] == "None"
    run(bootstrap, "txn", "abort", topic, "2", "--start-offset", "0")
    run(bootstrap, "txn", "abort", topic, "2", "--start-offset", "0", status=3)
    left = objects(run(bootstrap, "txn", "producers", topic, "2", "-o", "json"))
    assert [p["transaction_start_offset"] for p in left] == [-1]


def test_find_hanging(bootstrap, topic, opened):
    """What a coordinator knows does not hang; a producer that it never heard of does."""
    assert len(rows(kafka(bootstrap, "find-hanging", "--topic", topic, "--max-transaction-timeout", "0"))) == 1
    assert objects(run(bootstrap, "txn", "find-hanging", "--topic", topic, "--older", "0s", "-o", "json")) == []
    words = kafka(bootstrap, "find-hanging", status=1)
    assert "requires either --topic or --broker-id" in words
