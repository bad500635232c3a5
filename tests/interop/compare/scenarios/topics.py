# SPDX-License-Identifier: Apache-2.0
"""Topics come, grow and go: CreateTopics, CreatePartitions, DeleteTopics."""

import uuid

from pair import topic_id


def new(name, partitions=1, factor=1, assignments=(), configs=()):
    return {"Name": name, "NumPartitions": partitions, "ReplicationFactor": factor,
            "Assignments": [{"PartitionIndex": i, "BrokerIds": ids} for i, ids in assignments],
            "Configs": [{"Name": key, "Value": value} for key, value in configs]}


def creation(*topics, only_check=False):
    return {"Topics": list(topics), "timeoutMs": 10000, "validateOnly": only_check}


def create_topics(t):
    def every(label, *topics):
        """First checked, then done, where a "*" in a name becomes the version."""
        def body(version, only_check):
            made = [{**topic, "Name": topic["Name"].replace("*", str(version))} for topic in topics]
            return creation(*made, only_check=only_check)
        t.every(f"{label}, checked", "CreateTopics", lambda version: body(version, True))
        t.every(label, "CreateTopics", lambda version: body(version, False))

    every("good", new("ct-good-*", 3))
    every("existing", new("ct-good-*", 3))
    every("defaults", new("ct-defaults-*", -1, -1))
    every("none")
    every("named twice", new("ct-twice-*"), new("ct-twice-*", 2), new("ct-beside-*"))
    for partitions in (0, -2, -1, 10000, 10001, 2**31 - 1):
        every(f"{partitions} partitions", new(f"ct-p{partitions}" if partitions > 100 else
                                              f"ct-p{partitions}-*", partitions, 2 if partitions > 100 else 1))
    for factor in (0, -1, -2, 2, 3, 32767):
        every(f"factor {factor}", new(f"ct-r{factor}-*", 1, factor))
    for label, name in (("empty", ""), ("dot", "."), ("dots", ".."), ("space", "a b"), ("slash", "a/b"),
                        ("249 letters", "n" * 248 + "*"), ("250 letters", "n" * 250),
                        ("not ASCII", "caf\u00e9"), ("underscores", "__ct_*"), ("NUL", "a\0b"),
                        ("newline", "a\n"), ("metadata log", "__cluster_metadata")):
        every(f"name: {label}", new(name))
    every("collision 1", new("ct.x_*"))
    every("collision 2", new("ct_x.*"))
    every("collision within", new("cw.x-*"), new("cw_x-*"))


def create_topics_assigned(t):
    def call(label, *topics, version=7):
        t.call(f"{label}, checked", "CreateTopics", version, creation(*topics, only_check=True))
        t.call(label, "CreateTopics", version, creation(*topics))

    call("assigned", new("ca-1", -1, -1, [(0, [1]), (1, [1])]))
    call("assigned with counts", new("ca-2", 2, 1, [(0, [1]), (1, [1])]))
    call("assigned with a count", new("ca-3", 2, -1, [(0, [1]), (1, [1])]))
    call("assigned with a factor", new("ca-4", -1, 1, [(0, [1]), (1, [1])]))
    call("in another order", new("ca-5", -1, -1, [(1, [1]), (0, [1])]))
    call("with a gap", new("ca-6", -1, -1, [(0, [1]), (2, [1])]))
    call("not from 0", new("ca-7", -1, -1, [(1, [1])]))
    call("one twice", new("ca-8", -1, -1, [(0, [1]), (0, [1])]))
    call("no brokers", new("ca-9", -1, -1, [(0, [])]))
    call("broker twice", new("ca-10", -1, -1, [(0, [1, 1])]))
    call("unknown broker", new("ca-11", -1, -1, [(0, [5])]))
    call("unknown second broker", new("ca-12", -1, -1, [(0, [1, 5])]))
    call("negative broker", new("ca-13", -1, -1, [(0, [-1])]))
    call("different lengths", new("ca-14", -1, -1, [(0, [1]), (1, [1, 2])]))
    call("negative partition", new("ca-15", -1, -1, [(-1, [1])]))


def create_topics_configs(t):
    number = 0

    def call(label, *configs, version=7):
        nonlocal number
        number += 1
        t.call(f"configs: {label}, checked", "CreateTopics", version,
               creation(new(f"cc-{number}", configs=configs), only_check=True))
        t.call(f"configs: {label}", "CreateTopics", version,
               creation(new(f"cc-{number}", configs=configs)))

    call("good", ("retention.ms", "1000000"), ("cleanup.policy", "compact,delete"))
    call("not a number", ("retention.ms", "soon"))
    call("too small", ("segment.bytes", "1"))
    call("no choice", ("cleanup.policy", "shred"))
    call("unknown", ("no.such.config", "1"))
    call("null", ("retention.ms", None))
    call("empty number", ("retention.ms", ""))
    call("empty list", ("cleanup.policy", ""))
    call("empty name", ("", "1"))
    call("twice", ("retention.ms", "1"), ("retention.ms", "2"))
    call("good and bad", ("retention.ms", "1000"), ("segment.bytes", "x"))
    call("space around", ("retention.ms", " 1000 "))
    call("too large for 32 bits", ("max.message.bytes", "2147483648"))
    call("boolean", ("preallocate", "TRUE"))
    call("no boolean", ("preallocate", "yes"))
    call("min.insync.replicas", ("min.insync.replicas", "2"))
    call("min.insync.replicas 0", ("min.insync.replicas", "0"))
    call("ratio", ("min.cleanable.dirty.ratio", "0.25"))
    call("ratio above 1", ("min.cleanable.dirty.ratio", "1.5"))
    call("compression", ("compression.type", "zstd"))
    call("no compression", ("compression.type", "rar"))
    call("remote storage", ("remote.storage.enable", "true"))
    call("local above whole", ("local.retention.ms", "1000"), ("retention.ms", "10"))
    call("broker's key", ("log.retention.ms", "10"))
    call("gzip level 10", ("compression.gzip.level", "10"))
    call("gzip level 0", ("compression.gzip.level", "0"))
    call("message.format.version", ("message.format.version", "3.0"))
    call("throttled replicas", ("leader.replication.throttled.replicas", "0:1"))
    call("bad throttled replicas", ("leader.replication.throttled.replicas", "zero"))
    call("max compaction below min", ("max.compaction.lag.ms", "10"), ("min.compaction.lag.ms", "20"))
    call("timestamp type", ("message.timestamp.type", "LogAppendTime"))
    call("bad timestamp type", ("message.timestamp.type", "never"))


def create_partitions(t):
    t.topic("cp", 2)

    def every(label, *topics, versions=(0, 3)):
        for version in versions:
            for only_check in (True, False):
                t.call(label + (", checked" if only_check else ""), "CreatePartitions", version,
                       {"Topics": list(topics), "TimeoutMs": 10000, "ValidateOnly": only_check})

    def grow(name, count, *assignments, null=False):
        if null:
            return {"Name": name, "Count": count, "Assignments": None}
        return {"Name": name, "Count": count, "Assignments": [{"BrokerIds": ids} for ids in assignments]}

    def to(count):
        return grow("cp", count, null=True)

    t.every("one more", "CreatePartitions", lambda version: {
        "Topics": [to(3 + version)], "TimeoutMs": 10000})
    every("the same", to(6))
    every("fewer", to(5))
    every("none", to(0))
    every("negative", to(-1))
    every("unknown", grow("cp-none", 3, null=True))
    every("bad name", grow("a b", 3, null=True))
    every("empty name", grow("", 3, null=True))
    every("twice", to(7), to(8))
    every("far too many", to(100000))
    every("the most", to(2**31 - 1))
    every("empty assignments", grow("cp", 7))
    every("too few assignments", grow("cp", 8, [1]))
    every("too many assignments", grow("cp", 7, [1], [1]))
    every("unknown broker", grow("cp", 7, [9]))
    every("no broker", grow("cp", 7, []))
    every("broker twice", grow("cp", 7, [1, 1]))
    every("another factor", grow("cp", 7, [1, 2]))
    every("negative broker", grow("cp", 7, [-1]))
    every("assigned", grow("cp", 7, [1]), versions=(3,))
    every("nothing asked")
    t.wait_for_topic("cp", 7)
    t.call("after that", "Metadata", 12, {"Topics": [{"Name": "cp"}], "AllowAutoTopicCreation": False})


def delete_topics(t):
    for version in range(1, 7):
        t.topic(f"dt-{version}")
    t.topic("dt-id")
    t.topic("dt-both")
    t.topic("dt-twice")
    unknown = uuid.UUID(int=99)

    def call(label, version, *topics):
        t.call(label, "DeleteTopics", version, {
            "TopicNames": [topic["Name"] for topic in topics if topic.get("Name") is not None],
            "Topics": list(topics), "TimeoutMs": 10000})

    for version in range(1, 7):
        call("a topic", version, {"Name": f"dt-{version}"})
        call("again", version, {"Name": f"dt-{version}"})
        call("bad name", version, {"Name": "a b"}, {"Name": ""})
        call("twice", version, {"Name": "dt-twice"}, {"Name": "dt-twice"})
        call("none", version)
    call("unknown id", 6, {"TopicId": unknown})
    call("neither", 6, {"Name": None})
    call("both", 6, {"Name": "dt-id", "TopicId": topic_id("dt-id")})
    call("id twice", 6, {"TopicId": topic_id("dt-id")}, {"TopicId": topic_id("dt-id")})
    call("unknown id twice", 6, {"TopicId": unknown}, {"TopicId": unknown})
    call("by id", 6, {"TopicId": topic_id("dt-id")})
    call("name and id apart", 6, {"Name": "dt-both"}, {"TopicId": topic_id("dt-both")})
    call("id gone", 6, {"TopicId": topic_id("dt-id")})
    t.wait_until_gone("dt-id")
    t.topic("dt-id")
    call("made again", 6, {"Name": "dt-id"})


SCENARIOS = (create_topics, create_topics_assigned, create_topics_configs, create_partitions,
             delete_topics)
