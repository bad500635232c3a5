# SPDX-License-Identifier: Apache-2.0
"""Transactions as their partitions see them: Produce inside of one, WriteTxnMarkers, TxnOffsetCommit,
offsets that must be stable, DescribeProducers."""

from batches import TRANSACTIONAL
from pair import NOW_MS, Ref, batch_of, producer_id, produce_body


def begin(t, name, topic, partitions=()):
    """A producer with this transactional id, whose transaction has these partitions."""
    body = {"TransactionalId": name, "TransactionTimeoutMs": 60000, "ProducerId": -1, "ProducerEpoch": -1}
    t._until(lambda: t.ask("FindCoordinator", 4, {"KeyType": 1, "CoordinatorKeys": [name]}),
             lambda answer: answer["Coordinators"][0]["ErrorCode"] == 0, f"{name} has a coordinator")
    t._until(lambda: t.ask("InitProducerId", 4, body), lambda answer: answer["ErrorCode"] == 0,
             f"there is a producer {name}")
    answers = t.ask("InitProducerId", 4, body)
    for side, answer in zip(t.sides, answers):
        side.producer_ids[name] = answer["ProducerId"]
        side.epochs = {**getattr(side, "epochs", {}), name: answer["ProducerEpoch"]}
    if partitions:
        add(t, name, topic, partitions)


def epoch(name, more=0):
    return Ref(lambda side: side.epochs[name] + more)


def add(t, name, topic, partitions):
    t.call("add partitions", "AddPartitionsToTxn", 3, {
        "V3AndBelowTransactionalId": name, "V3AndBelowProducerId": producer_id(name),
        "V3AndBelowProducerEpoch": epoch(name),
        "V3AndBelowTopics": [{"Name": topic, "Partitions": list(partitions)}]})


def inside(name, sequence, more=0):
    return Ref(lambda side: batch_of(name, producer_epoch=side.epochs[name] + more, sequence=sequence,
                                     attributes=TRANSACTIONAL, timestamp=NOW_MS))


def send(t, label, name, topic, sequence, version, partition=0, more=0, transactional_id=None):
    t.call(label, "Produce", version, produce_body(topic, [(partition, inside(name, sequence, more))], -1,
                                                   transactional_id or name))


def markers(name, topic, more=0, commit=True, coordinator=0, version=0, partitions=(0,)):
    return {"Markers": [{
        "ProducerId": producer_id(name), "ProducerEpoch": epoch(name, more), "TransactionResult": commit,
        "Topics": [{"Name": topic, "PartitionIndexes": list(partitions)}],
        "CoordinatorEpoch": coordinator, "TransactionVersion": version}]}


def describe(t, label, topic, partitions=(0,)):
    t.call(label, "DescribeProducers", 0, {"Topics": [{"Name": topic, "PartitionIndexes": list(partitions)}]})


def produced(t):
    t.topic("tx", 3)
    begin(t, "tx-a", "tx", [0])
    for version in (3, 10, 11):
        send(t, "a partition that was not added", "tx-a", "tx", 0, version, partition=1)
    send(t, "the first batch", "tx-a", "tx", 0, 11)
    send(t, "the next", "tx-a", "tx", 1, 11)
    send(t, "again", "tx-a", "tx", 1, 11)
    send(t, "a gap", "tx-a", "tx", 5, 11)
    for version in (7, 11, 12, 13):
        send(t, "an epoch that is not there yet", "tx-a", "tx", 0, version, partition=2, more=1)
    send(t, "an unknown id", "tx-a", "tx", 0, 11, partition=1, transactional_id="tx-nobody")
    describe(t, "open", "tx", (0, 1, 2))
    t.every("read committed", "ListOffsets", {"ReplicaId": -1, "IsolationLevel": 1, "TimeoutMs": 1000, "Topics": [
        {"Name": "tx", "Partitions": [{"PartitionIndex": 0, "Timestamp": -1, "CurrentLeaderEpoch": -1}]}]})


def adding(t):
    t.topic("ta", 3)
    begin(t, "ta-a", "ta")
    send(t, "sequences begin at 0", "ta-a", "ta", 3, 12)
    for partition, version in ((0, 12), (1, 13)):
        send(t, "adds its partition", "ta-a", "ta", 0, version, partition=partition)
        send(t, "and the next", "ta-a", "ta", 1, version, partition=partition)
    describe(t, "two are open", "ta", (0, 1, 2))


def marked(t):
    t.topic("tm", 3)
    begin(t, "tm-a", "tm", [0, 1])
    send(t, "begin", "tm-a", "tm", 0, 11)
    for version in (1, 2):
        t.call("an old epoch", "WriteTxnMarkers", version, markers("tm-a", "tm", more=-1))
        t.call("nowhere", "WriteTxnMarkers", version, markers("tm-a", "tm-none"))
        t.call("no such partition", "WriteTxnMarkers", version, markers("tm-a", "tm", partitions=(9, -1)))
    t.call("version 2 with the same epoch", "WriteTxnMarkers", 2, markers("tm-a", "tm", version=2))
    t.call("commit", "WriteTxnMarkers", 2, markers("tm-a", "tm", coordinator=5))
    describe(t, "ended", "tm")
    send(t, "a batch behind the marker", "tm-a", "tm", 1, 11)
    t.call("a deposed coordinator", "WriteTxnMarkers", 2, markers("tm-a", "tm", coordinator=4))
    t.call("version 2", "WriteTxnMarkers", 2, markers("tm-a", "tm", more=1, coordinator=5, version=2))
    t.call("version 2 again", "WriteTxnMarkers", 2, markers("tm-a", "tm", more=1, coordinator=5, version=2))
    t.call("version 2 late", "WriteTxnMarkers", 2, markers("tm-a", "tm", coordinator=5, version=2))
    t.call("no markers", "WriteTxnMarkers", 1, {"Markers": []})
    describe(t, "at last", "tm")


def offsets_body(name, topic, group, generation=-1, member="", partition=0, offset=7):
    return {"TransactionalId": name, "GroupId": group, "ProducerId": producer_id(name),
            "ProducerEpoch": epoch(name), "GenerationIdOrMemberEpoch": generation, "MemberId": member,
            "Topics": [{"Name": topic, "Partitions": [{
                "PartitionIndex": partition, "CommittedOffset": offset, "CommittedLeaderEpoch": -1,
                "CommittedMetadata": "m"}]}]}


def offsets(t):
    t.topic("to", 1)
    begin(t, "to-a", "to")
    t._until(lambda: t.ask("FindCoordinator", 4, {"KeyType": 0, "CoordinatorKeys": ["to-g", "to-h"]}),
             lambda answer: all(c["ErrorCode"] == 0 for c in answer["Coordinators"]), "groups have one")
    for version in range(0, 5):
        t.call("a group that was not added", "TxnOffsetCommit", version, offsets_body("to-a", "to", "to-g"))
    t.call("add the group", "AddOffsetsToTxn", 3, {"TransactionalId": "to-a", "ProducerId": producer_id("to-a"),
                                                   "ProducerEpoch": epoch("to-a"), "GroupId": "to-g"})
    for version in range(0, 6):
        t.call("added", "TxnOffsetCommit", version, offsets_body("to-a", "to", "to-g"))
        t.call("unknown topic", "TxnOffsetCommit", version, offsets_body("to-a", "to-none", "to-g"))
        t.call("unknown partition", "TxnOffsetCommit", version, offsets_body("to-a", "to", "to-g", partition=9))
        t.call("no group", "TxnOffsetCommit", version, offsets_body("to-a", "to", ""))
    for version in range(3, 6):
        t.call("a generation of nobody", "TxnOffsetCommit", version,
               offsets_body("to-a", "to", "to-h", generation=4, member="m"))
    for stable in (False, True):
        t.call(f"stable {stable}", "OffsetFetch", 8, {"Groups": [{"GroupId": "to-g", "Topics": [
            {"Name": "to", "PartitionIndexes": [0]}]}], "RequireStable": stable})
        t.call(f"one group, stable {stable}", "OffsetFetch", 7, {"GroupId": "to-g", "Topics": [
            {"Name": "to", "PartitionIndexes": [0]}], "RequireStable": stable})


SCENARIOS = (produced, adding, marked, offsets)
