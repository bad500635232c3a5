# SPDX-License-Identifier: Apache-2.0
"""Where logs begin and end: ListOffsets, OffsetForLeaderEpoch, DeleteRecords, DescribeLogDirs."""

from batches import GZIP, batch
from pair import NOW_MS


def prepare(t, name, partitions=1, configs=None):
    t.topic(name, partitions, {"retention.ms": "-1", **(configs or {})})
    for i in range(5):
        t.produce(name, batch((b"a", b"b"), timestamp=NOW_MS + 100 * i, timestamp_deltas=(0, 50),
                              attributes=GZIP if i == 3 else 0))


def times(*timestamps, name, index=0, epoch=-1, level=0, replica=-1):
    return {"ReplicaId": replica, "IsolationLevel": level, "TimeoutMs": 1000, "Topics": [{
        "Name": name, "Partitions": [{"PartitionIndex": index, "Timestamp": timestamp,
                                      "CurrentLeaderEpoch": epoch} for timestamp in timestamps]}]}


def list_offsets(t):
    prepare(t, "lo")
    t.topic("lo-empty")
    for name in ("lo", "lo-empty"):
        for timestamp in (-1, -2, -3, -4, -5, -6, -7, -100, 0, NOW_MS - 1, NOW_MS, NOW_MS + 1,
                          NOW_MS + 50, NOW_MS + 120, NOW_MS + 450, NOW_MS + 451, 2**63 - 1):
            label = f"{name} at {'now' if timestamp > 1e6 else ''}{timestamp - NOW_MS if timestamp > 1e6 else timestamp}"
            if timestamp == 2**63 - 1:
                label = f"{name} at the end of time"
            t.every(label, "ListOffsets", times(timestamp, name=name))
    for level in (1, 2):
        t.every(f"isolation level {level}", "ListOffsets", times(-1, name="lo", level=level))
    for epoch in (0, 1, -2):
        t.every(f"epoch {epoch}", "ListOffsets", times(-1, name="lo", epoch=epoch))
    t.every("unknown topic", "ListOffsets", times(-1, name="lo-none"))
    t.every("unknown partition", "ListOffsets", times(-1, name="lo", index=9))
    t.every("negative partition", "ListOffsets", times(-1, name="lo", index=-1))
    t.every("bad name", "ListOffsets", times(-1, name="a b"))
    t.every("partition twice", "ListOffsets", times(-1, -2, name="lo"))
    for replica in (-2, 1, 5):
        t.every(f"replica {replica}", "ListOffsets", times(-1, name="lo", replica=replica))
    t.every("nothing", "ListOffsets", {"ReplicaId": -1, "Topics": []})
    t.every("no partitions", "ListOffsets", times(name="lo"))
    t.topic("lo-old", 1, {"retention.ms": "-1", "message.timestamp.type": "LogAppendTime"})
    t.produce("lo-old", batch(timestamp=5))
    for timestamp in (0, -3):
        answers = t.ask("ListOffsets", 7, times(timestamp, name="lo-old"))
        offsets = [answer["Topics"][0]["Partitions"][0]["Offset"] for answer in answers]
        t.report.case("ListOffsets", 7, f"log append time at {timestamp}",
                      [("Offset", *offsets)] if offsets[0] != offsets[1] else [], answers)


def times_in_disorder(t):
    t.topic("ld", 1, {"retention.ms": "-1"})
    for step in (500, 100, 900, 300, 900, 0):
        t.produce("ld", batch((b"a", b"b"), timestamp=NOW_MS + step, timestamp_deltas=(20, 10)))
    for timestamp in (-3, NOW_MS, NOW_MS + 10, NOW_MS + 20, NOW_MS + 115, NOW_MS + 515, NOW_MS + 600,
                      NOW_MS + 920, NOW_MS + 921):
        t.every(f"disorder at {timestamp - NOW_MS if timestamp > 0 else timestamp}", "ListOffsets",
                times(timestamp, name="ld"), versions=(1, 7, 11))


def offset_for_leader_epoch(t):
    prepare(t, "oe")
    t.topic("oe-empty")

    def every(label, name, epoch, current=-1, index=0, replica=-1):
        t.every(label, "OffsetForLeaderEpoch", {"ReplicaId": replica, "Topics": [{
            "Topic": name, "Partitions": [{"Partition": index, "CurrentLeaderEpoch": current,
                                           "LeaderEpoch": epoch}]}]})

    for epoch in (0, 1, -1, -2, 7, 2**31 - 1):
        every(f"epoch {epoch}", "oe", epoch)
        every(f"epoch {epoch}, empty log", "oe-empty", epoch)
        every(f"current epoch {epoch}", "oe", 0, epoch)
    every("unknown topic", "oe-none", 0)
    every("unknown partition", "oe", 0, index=4)
    every("negative partition", "oe", 0, index=-1)
    every("bad name", "a b", 0)
    for replica in (-2, 1, 5, -7):
        every(f"replica {replica}", "oe", 0, replica=replica)
    t.every("nothing", "OffsetForLeaderEpoch", {"Topics": []})
    t.every("partition twice", "OffsetForLeaderEpoch", {"Topics": [{"Topic": "oe", "Partitions": [
        {"Partition": 0, "LeaderEpoch": 0}, {"Partition": 0, "LeaderEpoch": 5}]}]})


def delete_records(t):
    prepare(t, "dr", 2)
    t.topic("dr-empty")
    prepare(t, "dr-compact", 1, {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "1"})
    prepare(t, "dr-both", 1, {"cleanup.policy": "compact,delete", "min.cleanable.dirty.ratio": "1"})

    def every(label, name, *offsets, index=0, timeout=5000):
        t.every(label, "DeleteRecords", {"TimeoutMs": timeout, "Topics": [{
            "Name": name, "Partitions": [{"PartitionIndex": index, "Offset": offset}
                                         for offset in offsets]}]})
        if name == "dr":
            t.call(f"after: {label}", "ListOffsets", 7, times(-2, name="dr"))

    every("offset 0", "dr", 0)
    every("inside a batch", "dr", 3)
    t.call("from the new start", "Fetch", 12, {"MaxWaitMs": 0, "MinBytes": 1, "MaxBytes": 10000, "Topics": [
        {"Topic": "dr", "Partitions": [{"Partition": 0, "FetchOffset": 3, "PartitionMaxBytes": 10000}]}]})
    t.call("before the new start", "Fetch", 12, {"MaxWaitMs": 0, "MinBytes": 1, "MaxBytes": 10000, "Topics": [
        {"Topic": "dr", "Partitions": [{"Partition": 0, "FetchOffset": 2, "PartitionMaxBytes": 10000}]}]})
    for timestamp in (-2, -3, 0, NOW_MS, NOW_MS + 450):
        t.call(f"cut log at {timestamp - NOW_MS if timestamp > 0 else timestamp}", "ListOffsets", 7,
               times(timestamp, name="dr"))
    every("before the start", "dr", 1)
    every("beyond the end", "dr", 11)
    every("far beyond", "dr", 2**62)
    every("-2", "dr", -2)
    every("-3", "dr", -3)
    every("timeout 0", "dr", 4, timeout=0)
    every("all", "dr", -1)
    every("all again", "dr", -1)
    every("to the end", "dr", 10)
    every("empty log", "dr-empty", -1)
    every("empty log, 0", "dr-empty", 0)
    every("empty log, 1", "dr-empty", 1)
    every("compacted", "dr-compact", 2)
    every("compacted and deleted", "dr-both", 2)
    every("unknown topic", "dr-none", 0)
    every("unknown partition", "dr", 0, index=7)
    every("negative partition", "dr", 0, index=-1)
    every("partition twice", "dr", 0, -1)
    every("bad name", "a b", 0)
    t.every("nothing", "DeleteRecords", {"TimeoutMs": 1000, "Topics": []})


def describe_log_dirs(t):
    prepare(t, "dl", 2)

    def every(label, topics):
        t.every(label, "DescribeLogDirs", {"Topics": topics})

    every("some", [{"Topic": "dl", "Partitions": [0, 1]}])
    every("one", [{"Topic": "dl", "Partitions": [0]}])
    every("unknown partition", [{"Topic": "dl", "Partitions": [0, 9]}])
    every("unknown topic", [{"Topic": "dl-none", "Partitions": [0]}])
    every("no partitions", [{"Topic": "dl", "Partitions": []}])
    every("none", [])
    every("partition twice", [{"Topic": "dl", "Partitions": [0, 0]}])
    every("bad name", [{"Topic": "a b", "Partitions": [0]}])


SCENARIOS = (list_offsets, times_in_disorder, offset_for_leader_epoch, delete_records,
             describe_log_dirs)
