# SPDX-License-Identifier: Apache-2.0
"""Streams groups (KIP-1071), asked as clients of Kafka Streams ask."""

import random

from scenarios import classic

JOIN, LEAVE, LEAVE_FOR_A_WHILE = 0, -1, -2


def topic_info(name, partitions=0, configs=()):
    return {"Name": name, "Partitions": partitions, "ReplicationFactor": 0,
            "TopicConfigs": [{"Key": key, "Value": value} for key, value in configs]}


def subtopology(number, sources, **parts):
    return {"SubtopologyId": str(number), "SourceTopics": sources, "SourceTopicRegex": [],
            "StateChangelogTopics": [], "RepartitionSinkTopics": [], "RepartitionSourceTopics": [],
            "CopartitionGroups": [], **parts}


def copartition(sources=(), repartition=()):
    return {"SourceTopics": list(sources), "SourceTopicRegex": [],
            "RepartitionSourceTopics": list(repartition)}


def topology(*subtopologies, epoch=0):
    return {"Epoch": epoch, "Subtopologies": list(subtopologies)}


def word_count(source, prefix, epoch=1):
    """What a word count says: words are grouped by way of a topic and counted in a store."""
    repartition, changelog = f"{prefix}-repartition", f"{prefix}-changelog"
    return topology(
        subtopology(0, [source], RepartitionSinkTopics=[repartition]),
        subtopology(1, [], RepartitionSourceTopics=[topic_info(repartition, configs=[
            ("cleanup.policy", "delete"), ("retention.ms", "-1")])], StateChangelogTopics=[
                topic_info(changelog, configs=[("cleanup.policy", "compact")])]), epoch=epoch)


def tasks(*named):
    """"0:1" is task 1 of subtopology 0."""
    by_subtopology = {}
    for task in named:
        number, partition = task.split(":")
        by_subtopology.setdefault(number, []).append(int(partition))
    return [{"SubtopologyId": number, "Partitions": sorted(partitions)}
            for number, partitions in by_subtopology.items()]


def heartbeat(group, member, epoch, **fields):
    return {"GroupId": group, "MemberId": member, "MemberEpoch": epoch, "EndpointInformationEpoch": -1,
            "RebalanceTimeoutMs": -1, **fields}


def joining(group, member, what, **fields):
    return heartbeat(group, member, JOIN, **{
        "RebalanceTimeoutMs": 60000, "Topology": what, "ActiveTasks": [], "StandbyTasks": [],
        "WarmupTasks": [], "ProcessId": f"process-{member}", "ClientTags": [], **fields})


def owning(active=(), standby=()):
    return {"ActiveTasks": tasks(*active), "StandbyTasks": tasks(*standby), "WarmupTasks": []}


def ask(t, label, body, version=1):
    return t.call(label, "StreamsGroupHeartbeat", version, body)


def describe(t, label, *groups):
    """Version 1 also with what a plugin would store."""
    for what in ({}, {"IncludeAuthorizedOperations": True}):
        t.every(f"describes {label}", "StreamsGroupDescribe", {"GroupIds": list(groups), **what})
    t.call(f"describes the topology {label}", "StreamsGroupDescribe", 1, {
        "GroupIds": list(groups), "IncludeTopologyDescription": True})


def requests_alone(t):
    plain = word_count("streams-none", "streams-none")
    cases = {
        "no member": heartbeat("g", "", JOIN),
        "no group": heartbeat("", "m", JOIN),
        "blank instance": heartbeat("g", "m", JOIN, InstanceId=" "),
        "blank rack": heartbeat("g", "m", JOIN, RackId=""),
        "no timeout": joining("g", "m", plain, RebalanceTimeoutMs=-1),
        "active tasks in a join": joining("g", "m", plain, ActiveTasks=tasks("0:0")),
        "null tasks in a join": joining("g", "m", plain, ActiveTasks=None, StandbyTasks=None,
                                        WarmupTasks=None),
        "standby tasks in a join": joining("g", "m", plain, StandbyTasks=tasks("0:0")),
        "warm-up tasks in a join": joining("g", "m", plain, WarmupTasks=tasks("0:0")),
        "no topology": joining("g", "m", None),
        "epoch -3": heartbeat("g", "m", -3),
        "for a while without instance": heartbeat("g", "m", LEAVE_FOR_A_WHILE),
        "some tasks null": heartbeat("g", "m", 5, ActiveTasks=[]),
        "topology later": heartbeat("g", "m", 5, Topology=plain),
        "unknown group": heartbeat("streams-unknown", "m", 5),
        "leaving an unknown group": heartbeat("streams-unknown", "m", LEAVE),
        "pattern": joining("g", "m", topology(subtopology(0, [], SourceTopicRegex=["a.*"]))),
        "changelog with partitions": joining("g", "m", topology(subtopology(
            0, ["a"], StateChangelogTopics=[topic_info("c", 3)]))),
        "bad topic names": joining("g", "m", topology(subtopology(0, ["a/b"]))),
        "internal topic": joining("g", "m", topology(subtopology(0, ["__consumer_offsets"]))),
    }
    for label, body in cases.items():
        t.every(label, "StreamsGroupHeartbeat", body)
    describe(t, "nothing")
    describe(t, "no group", "streams-unknown", "", "streams-unknown")


def one_member(t):
    """A member from its first word to its last; internal topics come into being on the way."""
    source = t.topic("streams-one", 2)
    t.pause(0.5)
    what = word_count(source, "streams-one-counts")
    ask(t, "joins and misses topics", joining("streams-one", "m", what))
    describe(t, "without topics", "streams-one")
    for name in ("streams-one-counts-repartition", "streams-one-counts-changelog"):
        t.wait_for_topic(name, 2)
    t.pause(0.5)
    ask(t, "hears of its topics", heartbeat("streams-one", "m", 2))
    ask(t, "has its tasks", heartbeat("streams-one", "m", 3, **owning(("0:0", "0:1", "1:0", "1:1"))))
    ask(t, "version 0", heartbeat("streams-one", "m", 3), 0)
    ask(t, "with the epoch before", heartbeat("streams-one", "m", 2, **owning(("0:0",))))
    ask(t, "with the epoch before and too much", heartbeat("streams-one", "m", 2, **owning(("0:0",), ("1:0",))))
    ask(t, "with a task too high", heartbeat("streams-one", "m", 3, **owning(("0:7",))))
    ask(t, "with an unknown subtopology", heartbeat("streams-one", "m", 3, **owning(("9:0",))))
    ask(t, "with a later epoch", heartbeat("streams-one", "m", 9))
    ask(t, "unknown member", heartbeat("streams-one", "x", 3))
    ask(t, "unknown instance", heartbeat("streams-one", "m", 3, InstanceId="i"))
    ask(t, "tells offsets", heartbeat("streams-one", "m", 3, TaskOffsets=[
        {"SubtopologyId": "1", "Partition": 0, "Offset": 7}], TaskEndOffsets=[
            {"SubtopologyId": "1", "Partition": 0, "Offset": 9}]))
    describe(t, "one member", "streams-one", "streams-unknown")
    ask(t, "another topology", joining("streams-one", "m", topology(subtopology(0, [source]))))
    ask(t, "an older topology", joining("streams-one", "m", {**what, "Epoch": 0}))
    ask(t, "joins again", joining("streams-one", "m", what))
    t.call("lists", "ListGroups", 5, {"StatesFilter": [], "TypesFilter": ["streams"]})
    t.every("describes as classic", "DescribeGroups", {"Groups": ["streams-one"]})
    t.call("not empty", "DeleteGroups", 2, {"GroupsNames": ["streams-one"]})
    ask(t, "leaves", heartbeat("streams-one", "m", LEAVE))
    ask(t, "has left", heartbeat("streams-one", "m", LEAVE))
    describe(t, "nobody", "streams-one")
    t.call("lists it empty", "ListGroups", 5, {"StatesFilter": ["Empty"], "TypesFilter": ["streams"]})
    t.call("deletes", "DeleteGroups", 2, {"GroupsNames": ["streams-one"]})
    t.call("is gone", "DeleteGroups", 2, {"GroupsNames": ["streams-one"]})


def topics_that_do_not_fit(t):
    two, three = t.topic("streams-two", 2), t.topic("streams-three", 3)
    cases = {
        "missing source": topology(subtopology(0, ["streams-nothing"])),
        "many missing sources": topology(subtopology(0, [f"streams-nothing-{i}" for i in range(6)])),
        "not alike": topology(subtopology(0, [two, three], CopartitionGroups=[copartition((0, 1))])),
        "fixed and not alike": topology(
            subtopology(0, [two], RepartitionSinkTopics=["streams-fixed"]),
            subtopology(1, [two], RepartitionSourceTopics=[topic_info("streams-fixed", 3)],
                        CopartitionGroups=[copartition((0,), (0,))])),
        "two fixed": topology(
            subtopology(0, [two], RepartitionSinkTopics=["streams-f2", "streams-f3"]),
            subtopology(1, [], RepartitionSourceTopics=[topic_info("streams-f2", 2),
                                                        topic_info("streams-f3", 3)],
                        CopartitionGroups=[copartition((), (0, 1))])),
        "loop": topology(
            subtopology(0, [], RepartitionSourceTopics=[topic_info("streams-a")],
                        RepartitionSinkTopics=["streams-b"]),
            subtopology(1, [], RepartitionSourceTopics=[topic_info("streams-b")],
                        RepartitionSinkTopics=["streams-a"])),
        "never written": topology(subtopology(0, [two], RepartitionSourceTopics=[topic_info("streams-n")])),
        "no sources": topology(subtopology(0, [])),
        "existing changelog": topology(subtopology(0, [two], StateChangelogTopics=[topic_info(three)])),
    }
    for i, (label, what) in enumerate(cases.items()):
        ask(t, label, joining(f"streams-misfit-{i}", "m", what))
        ask(t, f"{label}, later", heartbeat(f"streams-misfit-{i}", "m", 2))
        describe(t, label, f"streams-misfit-{i}")


def static_members(t):
    source = t.topic("streams-static", 2)
    what = topology(subtopology(0, [source]))
    group = "streams-static"
    ask(t, "joins", joining(group, "a", what, InstanceId="i"))
    ask(t, "has it", heartbeat(group, "a", 2, InstanceId="i", **owning(("0:0", "0:1"))))
    ask(t, "another of that name", joining(group, "b", what, InstanceId="i"))
    ask(t, "another speaks", heartbeat(group, "b", 2, InstanceId="i"))
    ask(t, "leaves for a while", heartbeat(group, "a", LEAVE_FOR_A_WHILE, InstanceId="i"))
    describe(t, "one who is away", group)
    ask(t, "comes back", joining(group, "b", what, InstanceId="i", ProcessId="process-a"))
    ask(t, "goes on", heartbeat(group, "b", 2, InstanceId="i", **owning(("0:0", "0:1"))))
    ask(t, "the former speaks", heartbeat(group, "a", 2, InstanceId="i"))
    ask(t, "leaves under another id", heartbeat(group, "x", LEAVE, InstanceId="i"))
    ask(t, "leaves for good", heartbeat(group, "b", LEAVE, InstanceId="i"))


def endpoints(t):
    source = t.topic("streams-endpoint", 2)
    what = topology(subtopology(0, [source]))
    group = "streams-endpoint"
    ask(t, "without", joining(group, "a", what))
    ask(t, "with", joining(group, "b", what, UserEndpoint={"Host": "h", "Port": 9}))
    ask(t, "gives up", heartbeat(group, "a", 2, EndpointInformationEpoch=0, **owning(("0:0", "0:1"))))
    describe(t, "what is on its way", group)
    ask(t, "has given up", heartbeat(group, "a", 2, EndpointInformationEpoch=0, **owning(("0:0",))))
    ask(t, "gets", heartbeat(group, "b", 3, EndpointInformationEpoch=1, **owning()))
    ask(t, "hears", heartbeat(group, "a", 3, EndpointInformationEpoch=0))
    describe(t, "endpoints", group)
    ask(t, "another endpoint", heartbeat(group, "b", 3, UserEndpoint={"Host": "h2", "Port": 9}))
    ask(t, "no endpoint any more", joining(group, "b", what))
    ask(t, "wants all to end", heartbeat(group, "b", 3, ShutdownApplication=True))
    ask(t, "hears of it", heartbeat(group, "a", 3))


def other_protocols(t):
    source = t.topic("streams-other", 1)
    what = topology(subtopology(0, [source]))
    group = "streams-other"
    t.call("commits for nobody", "OffsetCommit", 9, {
        "GroupId": group, "GenerationIdOrMemberEpoch": -1, "MemberId": "", "Topics": [{
            "Name": source, "Partitions": [{"PartitionIndex": 0, "CommittedOffset": 1}]}]})
    describe(t, "a classic group", group)
    ask(t, "takes over offsets", joining(group, "a", what, ClientTags=[
        {"Key": "zone", "Value": "z"}, {"Key": "cluster", "Value": "c"}], RackId="r"))
    describe(t, "tags", group)
    commit = {"GroupId": group, "MemberId": "a", "Topics": [{
        "Name": source, "Partitions": [{"PartitionIndex": 0, "CommittedOffset": 2}]}]}
    for version in (5, 8, 9):
        for epoch in (-1, 1, 2, 3):
            t.call(f"commits at {epoch}", "OffsetCommit", version, {**commit,
                                                                   "GenerationIdOrMemberEpoch": epoch})
    t.call("a stranger commits", "OffsetCommit", 9, {**commit, "MemberId": "x",
                                                     "GenerationIdOrMemberEpoch": 2})
    for member, epoch in (("a", 2), ("a", 1), ("x", 2), (None, -1)):
        t.call(f"{member} fetches at {epoch}", "OffsetFetch", 9, {"Groups": [{
            "GroupId": group, "MemberId": member, "MemberEpoch": epoch, "Topics": [{
                "Name": source, "PartitionIndexes": [0]}]}]})
    t.call("deletes offsets", "OffsetDelete", 0, {"GroupId": group, "Topics": [{
        "Name": source, "Partitions": [{"PartitionIndex": 0}]}]})
    t.call("a consumer comes", "ConsumerGroupHeartbeat", 1, {
        "GroupId": group, "MemberId": "c", "MemberEpoch": 0, "RebalanceTimeoutMs": 1000,
        "SubscribedTopicNames": [source], "TopicPartitions": []})
    classic = {"GroupId": group, "SessionTimeoutMs": 10000, "RebalanceTimeoutMs": 10000,
               "ProtocolType": "consumer", "MemberId": "", "Protocols": [{"Name": "p", "Metadata": b""}]}
    t.call("a classic member comes", "JoinGroup", 5, classic)
    t.call("is not there", "Heartbeat", 4, {"GroupId": group, "GenerationId": 1, "MemberId": "c"})
    t.call("cannot sync", "SyncGroup", 3, {"GroupId": group, "GenerationId": 1, "MemberId": "c"})
    t.call("cannot leave", "LeaveGroup", 4, {"GroupId": group, "Members": [{"MemberId": "c"}]})
    ask(t, "leaves", heartbeat(group, "a", LEAVE))
    t.call("a consumer finds it empty", "ConsumerGroupHeartbeat", 1, {
        "GroupId": group, "MemberId": "c", "MemberEpoch": 0, "RebalanceTimeoutMs": 1000,
        "SubscribedTopicNames": [source], "TopicPartitions": []})
    t.call("a classic member finds it empty", "JoinGroup", 5, classic)
    t.call("lists", "ListGroups", 5, {"StatesFilter": [], "TypesFilter": ["streams"]})


class Member:
    """What one of the two brokers told a member, for the next request: both should tell the same."""

    def __init__(self, name, process):
        self.name = name
        self.process = process
        self.epoch = None  # not in the group
        self.owned = {"ActiveTasks": [], "StandbyTasks": [], "WarmupTasks": []}

    def hear(self, answer):
        if answer["ErrorCode"] != 0:
            self.epoch = None
            return
        self.epoch = answer["MemberEpoch"]
        if answer["ActiveTasks"] is not None:
            self.owned = {role: answer[role] for role in self.owned}


SEEDS = (1, 2, 3, 4)
STEPS = 150


def histories(t):
    for seed in SEEDS:
        history(t, seed)


def history(t, seed):
    """Two members on two processes and a task of each subtopology: who gets what is no matter of chance."""
    chance = random.Random(seed)
    group = f"streams-history-{seed}"
    what = word_count(t.topic(group, 1), group)
    t.pause(0.5)  # Kafka's coordinators hear of topics a little later
    members = [Member(f"m{i}", f"p{i}") for i in range(2)]
    for step in range(STEPS):
        m = chance.choice(members)
        if m.epoch is None:
            body = joining(group, m.name, what, ProcessId=m.process)
        elif chance.random() < 0.1:
            body = heartbeat(group, m.name, LEAVE)
        else:
            body = heartbeat(group, m.name, m.epoch, **(m.owned if chance.random() < 0.8 else {}))
        kafka, _ = ask(t, f"{group} step {step}: {m.name} at {body['MemberEpoch']}", body)
        if step == 0:
            for name in (f"{group}-repartition", f"{group}-changelog"):
                t.wait_for_topic(name, 1)
            t.pause(0.5)
        if step % 10 == 9:
            t.call(f"describes {group} step {step}", "StreamsGroupDescribe", 1, {"GroupIds": [group]})
        m.hear(kafka)
        if body["MemberEpoch"] == LEAVE:
            m.epoch = None


SCENARIOS = (classic.ready, requests_alone, one_member, topics_that_do_not_fit, static_members, endpoints,
             other_protocols, histories)
