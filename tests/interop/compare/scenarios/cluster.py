# SPDX-License-Identifier: Apache-2.0
"""What the cluster is: ApiVersions, Metadata, DescribeCluster, DescribeTopicPartitions."""

import uuid

from pair import topic_id


def api_versions(t):
    for label, name, release in (
            ("as usual", "compare", "1.0"), ("empty name", "", "1.0"), ("empty release", "c", ""),
            ("space in the name", "a b", "1"), ("dash at the end", "a-", "1"), ("dash", "a-b.c", "1-b"),
            ("letters of elsewhere", "caf\u00e9", "1"), ("slash", "a/b", "1"),
            ("newline at the end", "a\n", "1")):
        t.every(label, "ApiVersions", {"ClientSoftwareName": name, "ClientSoftwareVersion": release})
    software = {"ClientSoftwareName": "c", "ClientSoftwareVersion": "1"}
    for label, cluster, node in (("another cluster", "nobody", -1), ("no cluster", "", -1),
                                 ("another node", None, 77), ("this node", None, 1),
                                 ("node -2", None, -2), ("both wrong", "nobody", 77),
                                 ("both right", t.cluster_id(), 1), ("this cluster", t.cluster_id(), -1),
                                 ("this cluster, another node", t.cluster_id(), 2),
                                 ("this node, another cluster", "nobody", 1)):
        t.call(label, "ApiVersions", 5, {**software, "ClusterId": cluster, "NodeId": node})


def metadata(t):
    t.topic("meta-a", 3)
    t.topic("meta-b", 1)
    no = {"AllowAutoTopicCreation": False}

    def every(label, topics, **more):
        # Before version 4 a client cannot forbid creation; "missing" topics are another scenario.
        t.every(label, "Metadata", {"Topics": topics, **no, **more})

    every("none", [])
    every("by name", [{"Name": "meta-a"}])
    every("two, with operations", [{"Name": "meta-b"}, {"Name": "meta-a"}],
          IncludeTopicAuthorizedOperations=True)
    every("one twice", [{"Name": "meta-a"}, {"Name": "meta-a"}])
    every("bad names", [{"Name": "a b"}, {"Name": ""}, {"Name": ".."}, {"Name": "x" * 250},
                        {"Name": "meta-b"}])
    t.every("all", "Metadata", {"Topics": None, **no}, versions=range(1, 14))
    for version in range(8, 11):
        t.call("cluster operations", "Metadata", version,
               {"Topics": [], "IncludeClusterAuthorizedOperations": True})
    for version in range(4, 14):
        t.call("missing", "Metadata", version, {"Topics": [{"Name": "meta-none"}], **no})
        t.call("missing twice and one that is there", "Metadata", version, {"Topics": [
            {"Name": "meta-none"}, {"Name": "meta-none"}, {"Name": "meta-a"}], **no})


def metadata_by_id(t):
    t.topic("meta-id", 2)
    unknown = uuid.UUID(int=0x1234567890)
    no = {"AllowAutoTopicCreation": False}
    for version in range(10, 14):
        for label, topics in (
                ("by id", [{"TopicId": topic_id("meta-id"), "Name": None}]),
                ("id and name", [{"TopicId": topic_id("meta-id"), "Name": "meta-id"}]),
                ("id and another name", [{"TopicId": topic_id("meta-id"), "Name": "nothing"}]),
                ("unknown id", [{"TopicId": unknown, "Name": None}]),
                ("unknown id and a good one", [{"TopicId": unknown, "Name": None},
                                               {"TopicId": topic_id("meta-id"), "Name": None}]),
                ("id twice", [{"TopicId": topic_id("meta-id"), "Name": None}] * 2),
                ("id and name mixed", [{"TopicId": topic_id("meta-id"), "Name": None},
                                       {"Name": "meta-id"}]),
                ("neither", [{"Name": None}]),
                ("neither beside a name", [{"Name": None}, {"Name": "meta-id"}])):
            t.call(label, "Metadata", version, {"Topics": topics, **no})


def metadata_creates(t):
    for version in range(0, 14):
        name = f"made-{version}"
        t.call("creation", "Metadata", version, {"Topics": [{"Name": name}]})
        t.wait_for_topic(name, 2)
        t.learn_ids(name)
        t.call("after creation", "Metadata", version, {"Topics": [{"Name": name}]})
    t.call("creation of a bad name", "Metadata", 12, {"Topics": [{"Name": "a/b"}]})
    t.call("collision", "Metadata", 12, {"Topics": [{"Name": "made_0"}]})
    t.call("a name that collides", "Metadata", 12, {"Topics": [{"Name": "made.c"}]})
    t.wait_for_topic("made.c", 2)
    t.learn_ids("made.c")
    t.call("the other name", "Metadata", 12, {"Topics": [{"Name": "made_c"}]})


def describe_cluster(t):
    for operations in (False, True):
        t.every(f"operations {operations}", "DescribeCluster",
                {"IncludeClusterAuthorizedOperations": operations})
    for kind in (0, 1, 2, 3, -1):
        t.every(f"endpoint type {kind}", "DescribeCluster", {"EndpointType": kind})
    t.every("fenced ones too", "DescribeCluster", {"IncludeFencedBrokers": True})


def describe_topic_partitions(t):
    t.topic("dtp-a", 5)
    t.topic("dtp-b", 1)
    t.topic("dtp-c", 3)
    mine = [{"Name": "dtp-a"}, {"Name": "dtp-b"}, {"Name": "dtp-c"}]
    unordered = [mine[2], mine[0], mine[1]]

    def call(label, topics, limit=2000, cursor=None):
        t.call(label, "DescribeTopicPartitions", 0, {
            "Topics": topics, "ResponsePartitionLimit": limit, "Cursor": None if cursor is None else
            {"TopicName": cursor[0], "PartitionIndex": cursor[1]}}, seconds=3)

    call("some", unordered)
    call("all of them", [])
    call("unknown", [{"Name": "dtp-none"}])
    call("unknown in between", [*mine, {"Name": "dtp-aa"}])
    call("bad names", [{"Name": ""}, {"Name": "a b"}, {"Name": "dtp-a"}])
    call("twice", [mine[0], mine[0]])
    for limit in (-1, 0, 1, 3, 5, 6, 8, 9, 10, 5000):
        call(f"limit {limit}", unordered, limit)
    for name, index in (("dtp-a", 0), ("dtp-a", 2), ("dtp-a", 4), ("dtp-a", 5), ("dtp-a", 9),
                        ("dtp-b", 0), ("dtp-c", 3), ("dtp-aa", 0), ("dtp-aa", 2), ("zzz", 0), ("", 0),
                        ("dtp-a", -1), ("dtp-b", 1), ("dtp-none", 4)):
        call(f"from {name!r} {index}", unordered, 4, (name, index))
    call("all, from 'dtp-b'", [], 2, ("dtp-b", 0))
    call("all, from what is not there", [], 3, ("dtp-aa", 2))
    call("all, from the end", [], 3, ("~", 0))
    call("all, from -1", [], 3, ("dtp-b", -1))
    call("from the second, limit 1", mine, 1, ("dtp-b", 0))
    call("unknown with limit 1", [{"Name": "dtp-a0"}, *mine], 1)
    call("unknown after the limit", [mine[1], {"Name": "dtp-bb"}, mine[2]], 1)


SCENARIOS = (api_versions, metadata, metadata_by_id, metadata_creates, describe_cluster,
             describe_topic_partitions)
