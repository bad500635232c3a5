# SPDX-License-Identifier: Apache-2.0
"""InitProducerId and Produce: good batches, bad ones, and sequences of idempotent producers."""

import gzip
import uuid

from batches import (CONTROL, GZIP, LOG_APPEND_TIME, TRANSACTIONAL, ZSTD, batch, varint)
from pair import NOW_MS, Ref, batch_of, produce_body

HOUR_MS = 3600 * 1000


def init_producer_id(t):
    t.init_producer_id("first")
    for label, body in (
            ("new", {"TransactionalId": None, "TransactionTimeoutMs": 60000}),
            ("no timeout", {"TransactionalId": None, "TransactionTimeoutMs": 0}),
            ("empty id", {"TransactionalId": "", "TransactionTimeoutMs": 60000}),
            ("epoch without id", {"TransactionalId": None, "TransactionTimeoutMs": 60000,
                                  "ProducerEpoch": 3}),
            ("id without epoch", {"TransactionalId": None, "TransactionTimeoutMs": 60000,
                                  "ProducerId": 3}),
            ("both", {"TransactionalId": None, "TransactionTimeoutMs": 60000, "ProducerId": 3,
                      "ProducerEpoch": 3}),
            ("negative id", {"TransactionalId": None, "TransactionTimeoutMs": 60000,
                             "ProducerId": -3, "ProducerEpoch": 3})):
        t.every(label, "InitProducerId", body)


def send(t, label, topic, records, *, versions=(3, 7, 8, 13), acks=-1, partition=0,
         transactional_id=None, seconds=10):
    for version in versions:
        t.call(label, "Produce", version, produce_body(topic, [(partition, records)], acks,
                                                       transactional_id), seconds)


def good(t):
    t.topic("pr", 2, {"retention.ms": "-1"})
    for version in range(3, 14):
        for acks in (-1, 1):
            t.call(f"acks {acks}", "Produce", version,
                   produce_body("pr", [(0, batch((b"a", b"b"), timestamp=NOW_MS))], acks))
    for acks in (2, -2, 100):
        send(t, f"acks {acks}", "pr", batch(timestamp=NOW_MS), acks=acks)
    send(t, "two of a gzip batch", "pr", batch((b"x" * 50, b"y" * 50), attributes=GZIP, timestamp=NOW_MS))
    send(t, "no key, null value", "pr", batch((None,), key=None, timestamp=NOW_MS))
    send(t, "base offset is not 0", "pr", batch(base_offset=1234, timestamp=NOW_MS))
    send(t, "leader epoch is overwritten", "pr", batch(leader_epoch=1234, timestamp=NOW_MS))
    send(t, "client's log append time", "pr", batch(attributes=LOG_APPEND_TIME, timestamp=NOW_MS))
    for version in (3, 9, 13):
        t.call("several partitions", "Produce", version, produce_body(
            "pr", [(0, batch(timestamp=NOW_MS)), (1, batch(timestamp=NOW_MS)), (7, batch())]))
        name = t.topic(f"pr-twice-{version}")
        t.call("one partition twice", "Produce", version, produce_body(
            name, [(0, batch(timestamp=NOW_MS)), (0, batch((b"2",), timestamp=NOW_MS))]))
        t.call("no partitions", "Produce", version, produce_body("pr", []))
        t.call("no topics", "Produce", version, {"Acks": -1, "TimeoutMs": 1000})
        t.call("timeout 0", "Produce", version, produce_body(
            "pr", [(0, batch(timestamp=NOW_MS))], timeout_ms=0))
    t.topic("pr-time", 1, {"message.timestamp.type": "LogAppendTime"})
    send(t, "log append time", "pr-time", batch(timestamp=5))


def nowhere(t):
    t.topic("pn", 1)
    send(t, "unknown topic", "pn-none", batch(timestamp=NOW_MS))
    send(t, "unknown partition", "pn", batch(timestamp=NOW_MS), partition=3)
    send(t, "negative partition", "pn", batch(timestamp=NOW_MS), partition=-1)
    send(t, "bad topic name", "a b", batch(timestamp=NOW_MS), versions=(3, 9, 12))
    send(t, "empty topic name", "", batch(timestamp=NOW_MS), versions=(3, 9, 12))
    t.call("zero id", "Produce", 13, {"Acks": -1, "TimeoutMs": 1000, "TopicData": [{
        "TopicId": uuid.UUID(int=0), "PartitionData": [{"Index": 0, "Records": batch()}]}]})
    for acks in (0, 1, 2):
        send(t, f"unknown topic with acks {acks}", "pn-none", batch(timestamp=NOW_MS), acks=acks, seconds=1)
    send(t, "acks 0", "pn", batch(timestamp=NOW_MS), acks=0, seconds=0.3)
    send(t, "acks 0 to no partition", "pn", batch(timestamp=NOW_MS), acks=0, partition=3, seconds=1)
    send(t, "acks 0 with bad CRC", "pn", batch(timestamp=NOW_MS, crc=1), acks=0, seconds=1)


def bad(t):
    t.topic("pb-compact", 1, {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "1"})
    t.topic("pb-small", 1, {"max.message.bytes": "200"})
    good_one = batch(timestamp=NOW_MS)

    number = 0

    def one(label, records, topic=None, **more):
        """In a log of its own, so that a difference does not move the offsets of what follows."""
        nonlocal number
        number += 1
        send(t, label, topic or t.topic(f"pb-{number}", 1, {"retention.ms": "-1"}), records, **more)

    one("empty", b"")
    one("null", None, seconds=1)
    one("bad CRC", batch(timestamp=NOW_MS, crc=1))
    for magic in (0, 1, 3, -1):
        one(f"magic {magic}", batch(timestamp=NOW_MS, magic=magic))
    one("cut after the header", good_one[:61])
    one("cut in the header", good_one[:30])
    one("cut in the size", good_one[:10])
    one("one byte less", good_one[:-1])
    one("one byte more", good_one + b"\0")
    one("two batches", good_one + good_one)
    one("length too small", batch(timestamp=NOW_MS, length=20))
    one("length 0", batch(timestamp=NOW_MS, length=0))
    one("length negative", batch(timestamp=NOW_MS, length=-5))
    one("length too large", batch(timestamp=NOW_MS, length=5000))
    one("count too large", batch(timestamp=NOW_MS, count=5))
    one("count 0", batch(timestamp=NOW_MS, count=0))
    one("count negative", batch(timestamp=NOW_MS, count=-1))
    one("last delta too large", batch(timestamp=NOW_MS, last_delta=5))
    one("last delta negative", batch(timestamp=NOW_MS, last_delta=-1))
    one("count and last delta too large", batch(timestamp=NOW_MS, count=5, last_delta=4))
    one("no records", batch((), timestamp=NOW_MS))
    one("no records, count 0, last delta 3", batch((), timestamp=NOW_MS, last_delta=3))
    one("offsets not from 0", batch((b"a", b"b"), deltas=(1, 2), timestamp=NOW_MS))
    one("offsets in disorder", batch((b"a", b"b"), deltas=(1, 0), timestamp=NOW_MS))
    one("compressed offsets in disorder", batch((b"a", b"b"), deltas=(1, 0), attributes=GZIP,
                                                timestamp=NOW_MS))
    one("garbage for records", batch(timestamp=NOW_MS, payload=b"\xff" * 20))
    one("garbage for gzip", batch(timestamp=NOW_MS, payload=b"\xff" * 20, attributes=GZIP))
    one("record longer than the batch", batch(timestamp=NOW_MS, payload=b"\x7f" + b"\0" * 10))
    for codec in (5, 6, 7):
        one(f"codec {codec}", batch(timestamp=NOW_MS, attributes=codec))
    one("control batch", batch(timestamp=NOW_MS, attributes=CONTROL))
    one("unused attribute bits", batch(timestamp=NOW_MS, attributes=0x7F80 & ~0xFF))
    one("without key on a compacted topic", batch((b"a", b"b"), key=None, timestamp=NOW_MS),
        "pb-compact")
    one("with key on a compacted topic", good_one, "pb-compact")
    one("too large", batch((b"x" * 300,), timestamp=NOW_MS), "pb-small")
    one("just fits", batch((b"x" * 130,), timestamp=NOW_MS, key=None), "pb-small")
    one("timestamp -1", batch(timestamp=-1))
    one("timestamp -2", batch(timestamp=-2))
    one("timestamp 0", batch(timestamp=0))
    one("two hours ahead", batch(timestamp=NOW_MS + 2 * HOUR_MS))
    one("half an hour ahead", batch(timestamp=NOW_MS + HOUR_MS // 2))
    one("second record ahead", batch((b"a", b"b"), timestamp=NOW_MS, timestamp_deltas=(0, 2 * HOUR_MS)))
    one("max timestamp wrong", batch(timestamp=NOW_MS, max_timestamp=7))
    one("max timestamp far ahead", batch(timestamp=NOW_MS, max_timestamp=NOW_MS + 9 * HOUR_MS))
    one("base offset negative", batch(timestamp=NOW_MS, base_offset=-5))
    one("zstd below version 7", batch(timestamp=NOW_MS, attributes=ZSTD, payload=b"\x28\xb5\x2f\xfd"),
        versions=(3, 6))
    t.topic("pb-before", 1, {"message.timestamp.before.max.ms": "1000"})
    one("before the limit", batch((b"a", b"b"), timestamp=NOW_MS - HOUR_MS), "pb-before")


def bad_records(t):
    """Batches whose header is good and whose records are not."""
    long_zero = b"\x80\x80\x80\x80\x00"  # 0 in five bytes: longer than needed
    too_long = b"\x80\x80\x80\x80\x80\x00"  # 0 in six
    endless = b"\xff" * 12
    huge = b"\xfe\xff\xff\xff\x0f"  # 2**31 - 1

    def record(attributes=b"\0", timestamp=b"\0", offset=b"\0", key=b"\x01", value=b"\x02v",
               headers=b"\0", after=b"", size=None):
        body = attributes + timestamp + offset + key + value + headers + after
        return (varint(len(body)) if size is None else size) + body

    for label, data in (
            ("plain", record()),
            ("attributes", record(attributes=b"\x7f")),
            ("timestamp overlong", record(timestamp=long_zero)),
            ("timestamp of eleven bytes", record(timestamp=b"\x80" * 10 + b"\0")),
            ("offset overlong", record(offset=long_zero)),
            ("offset of six bytes", record(offset=too_long)),
            ("offset endless", record(offset=endless)),
            ("offset negative", record(offset=b"\x01")),
            ("key length overlong", record(key=b"\x81\x80\x80\x80\x00")),
            ("key length -2", record(key=b"\x03")),
            ("key past the end", record(key=b"\x7e")),
            ("key of 2 GiB", record(key=huge)),
            ("value length -2", record(value=b"\x03")),
            ("value past the end", record(value=b"\x7e")),
            ("value of 2 GiB", record(value=huge)),
            ("value length endless", record(value=endless)),
            ("header count -1", record(headers=b"\x01")),
            ("header count past the end", record(headers=b"\x7e")),
            ("header count of 2^31 - 1", record(headers=huge)),
            ("header key null", record(headers=b"\x02\x01\x01")),
            ("header key past the end", record(headers=b"\x02\x7e")),
            ("header value -2", record(headers=b"\x02\x02a\x03")),
            ("header value null", record(headers=b"\x02\x02a\x01")),
            ("header key no UTF-8", record(headers=b"\x02\x02\xff\x01")),
            ("bytes after the headers", record(after=b"xyz")),
            ("size 0", record(size=b"\0")),
            ("size negative", record(size=b"\x01")),
            ("size past the end", record(size=b"\x7e")),
            ("size of 2 GiB", record(size=huge)),
            ("size endless", record(size=endless)),
            ("bytes after the records", record() + b"xyz"),
            ("a record too many", record() + record(offset=b"\x02")),
            ("nothing", b"")):
        name = t.topic("br-" + label.replace(" ", "-").replace("^", ""), 1, {"retention.ms": "-1"})
        send(t, label, name, batch(timestamp=NOW_MS, payload=data), versions=(3, 13))
        name = t.topic("brz-" + label.replace(" ", "-").replace("^", ""), 1, {"retention.ms": "-1"})
        send(t, "gzip, " + label, name, batch(timestamp=NOW_MS, attributes=GZIP, payload=gzip.compress(
            data, mtime=0)), versions=(13,))
    name = t.topic("br-bomb", 1, {"max.decompressed.message.bytes": "100000"})
    send(t, "over max.decompressed.message.bytes", name, batch(
        (b"x" * 1000000,), timestamp=NOW_MS, attributes=GZIP), versions=(13,))


def recompressed(t):
    """Topics with a codec of their own: batches are written anew."""
    for codec in ("gzip", "uncompressed", "lz4"):
        name = t.topic(f"pc-{codec}", 1, {"compression.type": codec, "retention.ms": "-1"})
        send(t, f"to {codec}", name, batch((b"x" * 100, b"y" * 100), timestamp=NOW_MS))
        send(t, f"gzip to {codec}", name, batch((b"x" * 100,), timestamp=NOW_MS, attributes=GZIP))
        send(t, f"two batches to {codec}", name, batch(timestamp=NOW_MS) * 2)
        send(t, f"offsets in disorder to {codec}", name,
             batch((b"a", b"b"), deltas=(1, 0), timestamp=NOW_MS))


def transactional(t):
    t.topic("pt", 1)
    t.init_producer_id("pt")
    one = batch_of("pt", timestamp=NOW_MS, attributes=TRANSACTIONAL, producer_epoch=0, sequence=0)
    send(t, "transactional batch without an id", "pt", one)
    send(t, "transactional batch without a producer", "pt", batch(
        timestamp=NOW_MS, attributes=TRANSACTIONAL))


def idempotent(t):
    t.topic("pi", 2, {"retention.ms": "-1"})

    def one(label, producer, sequence, count=1, epoch=0, version=9, partition=0):
        t.call(label, "Produce", version, produce_body("pi", [(partition, batch_of(
            producer, values=(b"v",) * count, timestamp=NOW_MS, producer_epoch=epoch,
            sequence=sequence))]))

    t.init_producer_id("i")
    one("first", "i", 0, 3)
    one("duplicate", "i", 0, 3)
    one("part of a duplicate", "i", 0, 2)
    one("tail of a duplicate", "i", 1, 2)
    one("next", "i", 3)
    one("gap", "i", 6)
    one("older duplicate", "i", 0, 3)
    for sequence in range(4, 10):
        one(f"number {sequence}", "i", sequence)
    one("duplicate of the last", "i", 9)
    one("duplicate of the fifth last", "i", 5)
    one("duplicate too old", "i", 0, 3)
    one("duplicate too old too", "i", 4)
    one("sequence -1", "i", -1)
    one("sequence -2", "i", -2)
    one("new epoch, sequence 5", "i", 5, epoch=1)
    one("new epoch, sequence 10", "i", 10, epoch=1)
    one("new epoch", "i", 0, epoch=1)
    one("new epoch again", "i", 0, epoch=1)
    one("old epoch", "i", 10, epoch=0)
    one("old epoch at 0", "i", 0, epoch=0)
    one("epoch -1", "i", 1, epoch=-1)
    one("two epochs on", "i", 0, epoch=3)
    t.init_producer_id("j")
    one("unknown producer not from 0", "j", 7)
    one("and then from 8", "j", 8)
    one("and then from 0", "j", 0)
    t.init_producer_id("w")
    one("close to the end", "w", 2**31 - 3)
    one("to the end", "w", 2**31 - 2, 2)
    one("wraps to 0", "w", 0)
    one("goes on after the wrap", "w", 1)
    t.init_producer_id("x")
    one("wrap inside a batch begins", "x", 2**31 - 2)
    one("wrap inside a batch", "x", 2**31 - 1, 3)
    one("after the wrap inside", "x", 2)
    one("duplicate of the wrap", "x", 2**31 - 1, 3)
    t.init_producer_id("y")
    for version in (3, 5, 8, 13):
        one("first of a version", "y", {3: 0, 5: 1, 8: 2, 13: 3}[version], version=version, partition=1)
        one("duplicate of a version", "y", {3: 0, 5: 1, 8: 2, 13: 3}[version], version=version,
            partition=1)
    t.init_producer_id("z")
    t.call("two batches of a producer", "Produce", 9, produce_body("pi", [(0, Ref(lambda side: b"".join(
        batch(timestamp=NOW_MS, producer_id=side.producer_ids["z"], producer_epoch=0, sequence=s)
        for s in (0, 1))))]))
    send(t, "producer id -2", t.topic("pi-producer"), batch(timestamp=NOW_MS, producer_id=-2))
    send(t, "epoch without producer", t.topic("pi-epoch"), batch(timestamp=NOW_MS, producer_epoch=1))
    send(t, "sequence without producer", t.topic("pi-sequence"), batch(timestamp=NOW_MS, sequence=1))
    send(t, "producer without sequence", "pi", batch_of("z", timestamp=NOW_MS, producer_epoch=0))
    for names in (["pi"], ["pi", "pi-none"]):
        t.call(f"of {names}", "DescribeProducers", 0, {"Topics": [
            {"Name": name, "PartitionIndexes": [0, 1, 5]} for name in names]})
    t.call("bad names", "DescribeProducers", 0, {"Topics": [
        {"Name": "a b", "PartitionIndexes": [0]}, {"Name": "", "PartitionIndexes": [0]}]})
    t.call("partition twice", "DescribeProducers", 0, {"Topics": [
        {"Name": "pi", "PartitionIndexes": [1, 1, -1]}]})
    t.call("nothing", "DescribeProducers", 0, {"Topics": []})


SCENARIOS = (init_producer_id, good, nowhere, bad, bad_records, recompressed, transactional, idempotent)
