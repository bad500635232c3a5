# SPDX-License-Identifier: Apache-2.0
"""The commands about consumer groups, with real consumers."""

import json
import subprocess
import time

import confluent_kafka
import pytest
from confluent_kafka import TopicPartition

from broker import binary
from clients import create_topic, delete_records
from own_api import DESCRIBE_GROUPS, Connection

RECORDS = 10


def run(bootstrap, *words, status=0, name="chitin"):
    """Runs the program under this name."""
    result = subprocess.run([name, *words, "--bootstrap-server", bootstrap], executable=binary(),
                            text=True, capture_output=True, timeout=60)
    assert result.returncode == status, f"{words}: {result.returncode}\n{result.stdout}{result.stderr}"
    return result.stdout


def objects(text):
    return [json.loads(line) for line in text.splitlines()]


def table(text):
    """The rows behind the first line that begins with GROUP."""
    lines = [line.split() for line in text.splitlines() if line.strip()]
    head = next(i for i, line in enumerate(lines) if line[0] == "GROUP")
    return [dict(zip(lines[head], line)) for line in lines[head + 1:]]


def join(bootstrap, group, topic, **settings):
    c = confluent_kafka.Consumer({"bootstrap.servers": bootstrap, "group.id": group,
                                  "enable.auto.commit": False, "auto.offset.reset": "earliest",
                                  "client.id": "reader", **settings})
    c.subscribe([topic])
    deadline = time.monotonic() + 30
    while not c.assignment():
        assert time.monotonic() < deadline
        c.poll(0.2)
    return c


@pytest.fixture
def group(bootstrap, topic):
    """A group without members that has committed 4 of 10 records in partition 0 of 2."""
    create_topic(bootstrap, topic, 2)
    p = confluent_kafka.Producer({"bootstrap.servers": bootstrap})
    for i in range(RECORDS):
        p.produce(topic, b"v%d" % i, partition=0)
    assert p.flush(20) == 0
    name = "g-" + topic
    c = join(bootstrap, name, topic)
    c.commit(offsets=[TopicPartition(topic, 0, 4)], asynchronous=False)
    c.close()
    return name


@pytest.fixture
def ours(bootstrap):
    connection = Connection(bootstrap)
    connection.close()
    if DESCRIBE_GROUPS not in connection.keys:
        pytest.skip("another broker")


def committed(bootstrap, group):
    out, = objects(run(bootstrap, "group", "describe", group, "-o", "json"))
    return {p["partition"]: p["committed"] for p in out["partitions"]}


def test_life_of_a_group(bootstrap, topic, group):
    listed = {g["group"]: g for g in objects(run(bootstrap, "group", "list", "-o", "json"))}
    assert listed[group]["state"] == "Empty"
    assert group not in run(bootstrap, "group", "list", "--state", "Stable")
    out, = objects(run(bootstrap, "group", "describe", group, "-o", "json"))
    assert (out["state"], out["members"], out["lag"]) == ("Empty", 0, RECORDS - 4)
    member = join(bootstrap, group, topic)
    try:
        owner, = objects(run(bootstrap, "group", "members", group, "-o", "json"))
        assert (owner["client"], owner["partitions"]) == ("reader", 2)
        run(bootstrap, "group", "delete", group, status=1)
        run(bootstrap, "group", "seek", group, "--to", "start", status=1)
        run(bootstrap, "group", "offset-delete", group, "-t", topic, status=1)
    finally:
        member.close()
    run(bootstrap, "group", "offset-delete", group, "-t", topic + ":0")
    assert committed(bootstrap, group) == {}
    run(bootstrap, "group", "delete", group)
    run(bootstrap, "group", "describe", group, status=3)
    run(bootstrap, "group", "delete", group, status=3)
    run(bootstrap, "group", "delete", group, "--if-exists")


def test_seek_of_a_group(bootstrap, topic, group, tmp_path):
    plan = tmp_path / "plan.csv"
    plan.write_text(f"{topic},0,7\n")
    run(bootstrap, "group", "seek", group, "--to", "end", "--dry-run")
    assert committed(bootstrap, group) == {0: 4}
    for to, wanted in (("+2", 6), ("-100", 0), ("end", RECORDS), ("3", 3), ("99", RECORDS), ("start", 0),
                       ("@2020-01-01", 0), ("@2100-01-01", RECORDS), (f"file:{plan}", 7), ("current", 7)):
        run(bootstrap, "group", "seek", group, "--to", to, "-t", topic + ":0")
        assert committed(bootstrap, group) == {0: wanted}, to
    run(bootstrap, "group", "seek", group + ".2", "--to", f"group:{group}")
    assert committed(bootstrap, group + ".2") == {0: 7}
    run(bootstrap, "group", "seek", group, "--to", "start", "-t", topic + ":9", status=3)


def test_kafka_consumer_groups(bootstrap, topic, group):
    def tool(*words, status=0):
        return run(bootstrap, *words, status=status, name="kafka-consumer-groups.sh")

    assert group in tool("--list").splitlines()
    row, = table(tool("--describe", "--group", group))
    assert (row["TOPIC"], row["CURRENT-OFFSET"], row["LAG"], row["CONSUMER-ID"]) == (topic, "4", "6", "-")
    assert table(tool("--describe", "--group", group, "--state"))[0]["GROUP"] == group
    plan = tool("--group", group, "--reset-offsets", "--topic", topic + ":0", "--to-earliest", "--export",
                "--dry-run")
    assert plan.strip().replace('"', "") == f"{topic},0,0"
    row, = table(tool("--group", group, "--reset-offsets", "--all-topics", "--shift-by", "3", "--execute"))
    assert row["NEW-OFFSET"] == "7"
    assert committed(bootstrap, group) == {0: 7}
    out = tool("--group", group, "--delete-offsets", "--topic", topic + ":0")
    assert "Request succeeded" in out and "Successful" in out
    assert "was successful" in tool("--group", group, "--delete")
    assert "Error: " in tool("--group", group, "--delete")
    tool("--list", "--describe", status=1)


def test_lag_in_time(bootstrap, topic, group, ours):
    delete_records(int(bootstrap.rsplit(":", 1)[1]), topic, 0, 6)
    partition = objects(run(bootstrap, "group", "describe", group, "-o", "json"))[0]["partitions"][0]
    assert partition["lost"] == 2
    assert 0 <= partition["lag_ms"] < 120000


def test_explain_and_watch(bootstrap, topic, group, ours):
    settings = {"session.timeout.ms": 6000, "max.poll.interval.ms": 6000}
    slow = join(bootstrap, group, topic, **settings)
    deadline = time.monotonic() + 40
    while objects(run(bootstrap, "group", "explain", group, "-o", "json"))[0]["members"] > 0:
        assert time.monotonic() < deadline  # it does not poll, and has to leave after six seconds
        time.sleep(1)
    out, = objects(run(bootstrap, "group", "explain", group, "-o", "json"))
    slow.close()
    assert out["journal"][0]["cause"] == "member-left"
    assert [entry["cause"] for entry in out["journal"][-2:]] == ["member-left", "member-joined"]
    assert "reader" in out["journal"][0]["client"]
    assert out["rebalances"] == len(out["journal"]) == 4
    text = run(bootstrap, "group", "explain", group)
    assert text.count(" left") >= 2 and text.count(" joined") >= 2 and "-> 0 members" in text
    looks = objects(run(bootstrap, "group", "watch", group, "-n", "2", "-i", "1", "-o", "json"))
    assert [look["rebalances"] for look in looks] == [4, 4]
    assert looks[1]["time_ms"] >= looks[0]["time_ms"] + 1000
    run(bootstrap, "group", "explain", "no-such-" + group, status=3)
    run(bootstrap, "group", "watch", "no-such-" + group, status=3)
