# SPDX-License-Identifier: Apache-2.0
"""Fetch: where from, how much, how long, and sessions."""

import uuid

from batches import GZIP, batch
from pair import NOW_MS, Ref, topic_id

MAX = 2**31 - 1
FETCH_VERSIONS = range(4, 19)
SOME = (4, 7, 11, 12, 13, 18)


def part(offset, index=0, max_bytes=1 << 20, **more):
    return {"Partition": index, "FetchOffset": offset, "PartitionMaxBytes": max_bytes, **more}


def named(name, *parts, wrong_id=None):
    return {"Topic": name, "TopicId": wrong_id if wrong_id is not None else topic_id(name),
            "Partitions": list(parts)}


def fetch(*topics, wait=0, min_bytes=1, **more):
    return {"MaxWaitMs": wait, "MinBytes": min_bytes, "MaxBytes": more.pop("max_bytes", 1 << 24),
            "Topics": list(topics), **more}


def prepare(t, name, partitions=1):
    t.topic(name, partitions, {"retention.ms": "-1"})
    for index in range(partitions):
        for i in range(4):
            t.produce(name, batch((b"v%d" % i, b"w" * 20), timestamp=NOW_MS + i), index)
        t.produce(name, batch((b"z" * 100,) * 3, timestamp=NOW_MS + 9, attributes=GZIP), index)


def offsets(t):
    prepare(t, "fo")
    for offset in (0, 1, 3, 7, 10):
        t.every(f"from {offset}", "Fetch", fetch(named("fo", part(offset))))
    for offset in (11, 12, 1000, -1, -2, -100, 2**62):
        t.every(f"from {offset}", "Fetch", fetch(named("fo", part(offset))), versions=SOME)
    for limit in (0, 1, 50, 90, 200, 300, MAX, -1):
        t.every(f"partition limit {limit}", "Fetch", fetch(named("fo", part(2, max_bytes=limit))),
                versions=SOME)
        t.every(f"whole limit {limit}", "Fetch", fetch(named("fo", part(2)), max_bytes=limit),
                versions=SOME)
    t.every("limit 1 at the end", "Fetch", fetch(named("fo", part(11, max_bytes=1))), versions=SOME)
    for level in (0, 1, 2, -1):
        t.every(f"isolation level {level}", "Fetch", fetch(named("fo", part(0)), IsolationLevel=level),
                versions=SOME)
    t.every("a rack", "Fetch", fetch(named("fo", part(0)), RackId="r"), versions=(11, 18))
    t.every("log start offset given", "Fetch", fetch(named("fo", part(0, LogStartOffset=5))),
            versions=SOME)


def topics(t):
    prepare(t, "ft", 2)
    unknown = uuid.UUID(int=5)
    t.every("two partitions", "Fetch", fetch(named("ft", part(0), part(8, 1))))
    t.every("unknown partition", "Fetch", fetch(named("ft", part(0, 7), part(0))), versions=SOME)
    t.every("negative partition", "Fetch", fetch(named("ft", part(0, -1))), versions=SOME)
    t.every("unknown topic", "Fetch", fetch(named("ft-none", part(0), wrong_id=unknown)), versions=SOME)
    t.every("unknown topic and a good one", "Fetch", fetch(
        named("ft-none", part(0), wrong_id=unknown), named("ft", part(0))), versions=SOME)
    t.every("zero id", "Fetch", fetch(named("", part(0), wrong_id=uuid.UUID(int=0))), versions=SOME)
    t.every("partition twice", "Fetch", fetch(named("ft", part(0), part(8))), versions=SOME)
    t.every("no partitions", "Fetch", fetch(named("ft")), versions=SOME)
    t.every("no topics", "Fetch", fetch(), versions=SOME)
    t.every("limit for the first only", "Fetch", fetch(named("ft", part(0), part(0, 1)), max_bytes=10),
            versions=SOME)


def waiting(t):
    prepare(t, "fw")
    t.every("nothing, wait 0", "Fetch", fetch(named("fw", part(11))), versions=SOME)
    t.every("nothing, wait 50", "Fetch", fetch(named("fw", part(11)), wait=50), versions=SOME)
    t.every("too little, wait 50", "Fetch", fetch(named("fw", part(10)), wait=50, min_bytes=100000),
            versions=SOME)
    t.every("min bytes 0", "Fetch", fetch(named("fw", part(11)), wait=5000, min_bytes=0), versions=SOME)
    t.every("min bytes -1", "Fetch", fetch(named("fw", part(11)), wait=5000, min_bytes=-1), versions=SOME)
    t.every("negative wait", "Fetch", fetch(named("fw", part(11)), wait=-1), versions=SOME)
    t.every("error ends the wait", "Fetch", fetch(named("fw", part(99)), wait=5000), versions=SOME)
    t.every("unknown topic and the wait", "Fetch", fetch(named(
        "fw-none", part(0), wrong_id=uuid.UUID(int=5)), wait=1000), versions=SOME)


def epochs(t):
    prepare(t, "fe")
    for epoch in (0, 1, -1, -2, 100):
        t.every(f"current leader epoch {epoch}", "Fetch", fetch(named(
            "fe", part(0, CurrentLeaderEpoch=epoch))), versions=(9, 11, 12, 13, 18))
        t.every(f"last fetched epoch {epoch}", "Fetch", fetch(named(
            "fe", part(3, LastFetchedEpoch=epoch))), versions=(12, 13, 18))
        t.every(f"last fetched epoch {epoch} at the end", "Fetch", fetch(named(
            "fe", part(11, LastFetchedEpoch=epoch))), versions=(12, 18))
        t.every(f"last fetched epoch {epoch} beyond the end", "Fetch", fetch(named(
            "fe", part(12, LastFetchedEpoch=epoch))), versions=(12, 18))


def replicas(t):
    prepare(t, "fr")
    for replica in (-1, -2, -3, 1, 5):
        t.every(f"replica {replica}", "Fetch", fetch(named("fr", part(0)), ReplicaId=replica,
                                                     ReplicaState={"ReplicaId": replica}),
                versions=(4, 12, 14, 15, 18), seconds=3)


def sessions(t):
    prepare(t, "fs", 3)
    prepare(t, "fs2")

    def session(name):
        return Ref(lambda side: side.session_ids.get(name, 0))

    def call(label, version, body):
        return t.call(label, "Fetch", version, body)

    for version in (7, 11, 12, 13, 15, 18):
        def open_session(label, *topics):
            answers = call(label, version, fetch(*topics, SessionEpoch=0))
            for side, answer in zip(t.sides, answers):
                side.session_ids["s"] = answer["SessionId"]

        def follow(label, epoch, *topics, forgotten=(), **more):
            return call(label, version, fetch(*topics, SessionId=session("s"), SessionEpoch=epoch,
                                              ForgottenTopicsData=list(forgotten), **more))

        open_session("a session", named("fs", part(11), part(0, 1)), named("fs2", part(11)))
        follow("nothing new", 1)
        follow("read on", 2, named("fs", part(11, 1)))
        follow("nothing at all", 3)
        follow("a new partition", 4, named("fs", part(8, 2)))
        follow("the new one again", 5)
        follow("forget", 6, forgotten=[{"Topic": "fs", "TopicId": topic_id("fs"), "Partitions": [2]}])
        follow("forget what is not there", 7, forgotten=[
            {"Topic": "fs", "TopicId": topic_id("fs"), "Partitions": [2, 9]}])
        follow("an unknown topic", 8, named("fs-none", part(0), wrong_id=uuid.UUID(int=8)))
        follow("still unknown", 9)
        follow("forget the unknown", 10, forgotten=[
            {"Topic": "fs-none", "TopicId": uuid.UUID(int=8), "Partitions": [0]}])
        follow("out of range", 11, named("fs", part(99)))
        follow("still out of range", 12)
        follow("in range again", 13, named("fs", part(11)))
        follow("wrong epoch", 20)
        follow("old epoch", 13)
        follow("right epoch after that", 14)
        t.produce("fs", batch((b"new",), timestamp=NOW_MS), 0)
        answers = follow("a record came", 15)
        ends = [answer["Responses"][0]["Partitions"][0]["HighWatermark"] if answer["Responses"] else 0
                for answer in answers]
        follow("that record read", 16, named("fs", part(ends[0])))
        follow("closed", -1)
        follow("after it was closed", 17)
        call("unknown session", version, fetch(SessionId=12345, SessionEpoch=1))
        call("unknown session, epoch -1", version, fetch(named("fs", part(0)), SessionId=12345,
                                                         SessionEpoch=-1))
        call("unknown session, epoch 0", version, fetch(SessionId=12345, SessionEpoch=0))
        call("no session, epoch 5", version, fetch(SessionEpoch=5))
        call("no session, epoch -2", version, fetch(SessionEpoch=-2))
        call("a session of nothing", version, fetch(SessionEpoch=0))
        open_session("a session to be replaced", named("fs2", part(0)))
        call("replaced", version, fetch(named("fs2", part(3)), SessionId=session("s"), SessionEpoch=0))
        follow("the old one", 1)
    # A session keeps to names or to ids.
    for first, second in ((12, 13), (13, 12)):
        answers = call(f"of version {first}", first, fetch(named("fs2", part(0)), SessionEpoch=0))
        for side, answer in zip(t.sides, answers):
            side.session_ids["s"] = answer["SessionId"]
        call(f"of version {first} with {second}", second, fetch(SessionId=session("s"), SessionEpoch=1))


SCENARIOS = (offsets, topics, waiting, epochs, replicas, sessions)
