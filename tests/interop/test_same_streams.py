# SPDX-License-Identifier: Apache-2.0
"""Streams groups that are loaded by the other broker: the same members have the same tasks, a task that was
on its way from one to another arrives, and a group that everybody has left is still there."""

import time

import pytest

from node import LOADING, Node

GROUP, SOURCE = "handed-over", "handed-over-in"
PARTITIONS = 3
NO_TASKS = {"ActiveTasks": [], "StandbyTasks": [], "WarmupTasks": []}


@pytest.fixture
def node(tmp_path, kafka_version):
    if kafka_version < "4.2":
        pytest.skip("streams groups are not there by default")
    n = Node(tmp_path, kafka_version, dynamic_quorum=True)
    yield n
    n.end()


def subtopology(number, sources, **parts):
    return {"SubtopologyId": number, "SourceTopics": sources, "SourceTopicRegex": [],
            "StateChangelogTopics": [], "RepartitionSinkTopics": [], "RepartitionSourceTopics": [],
            "CopartitionGroups": [], **parts}


def internal_topic(name, **configs):
    return {"Name": name, "Partitions": 0, "ReplicationFactor": 0,
            "TopicConfigs": [{"Key": key.replace("_", "."), "Value": value} for key, value in configs.items()]}


TOPOLOGY = {"Epoch": 2, "Subtopologies": [
    subtopology("0", [SOURCE], RepartitionSinkTopics=[f"{GROUP}-repartition"]),
    subtopology("1", [], RepartitionSourceTopics=[internal_topic(f"{GROUP}-repartition", retention_ms="-1")],
                StateChangelogTopics=[internal_topic(f"{GROUP}-changelog", cleanup_policy="compact")])]}


class Member:
    """What a member was told outlives the broker."""

    def __init__(self, node, name, group=GROUP):
        self.node = node
        self.name = name
        self.group = group
        self.epoch = 0
        self.tasks = NO_TASKS

    def connect(self):
        self.client = self.node.client()
        return self

    def ask(self, name, version, body):
        while True:
            answer = self.client.ask(name, version, body)
            errors = {answer.get("ErrorCode"), *(g["ErrorCode"] for g in answer.get("Groups", ()))}
            if not errors & set(LOADING):
                return answer
            self.client.ask("FindCoordinator", 3, {"Key": self.group, "KeyType": 0})
            time.sleep(0.1)

    def heartbeat(self, says_tasks=True, epoch=None):
        body = {"GroupId": self.group, "MemberId": self.name, "RebalanceTimeoutMs": -1,
                "MemberEpoch": self.epoch if epoch is None else epoch, "EndpointInformationEpoch": 0}
        if body["MemberEpoch"] == 0:
            body.update(RebalanceTimeoutMs=600000, Topology=TOPOLOGY, ProcessId=f"process-{self.name}",
                        ClientTags=[{"Key": "zone", "Value": "z"}], **NO_TASKS)
        elif says_tasks and body["MemberEpoch"] > 0:
            body.update(self.tasks)
        answer = self.ask("StreamsGroupHeartbeat", 0, body)
        assert answer["ErrorCode"] == 0, answer
        self.epoch = answer["MemberEpoch"]
        if answer["ActiveTasks"] is not None:
            self.tasks = {role: sorted(answer[role], key=lambda t: t["SubtopologyId"]) for role in NO_TASKS}
        return answer

    def active(self):
        return {(t["SubtopologyId"], p) for t in self.tasks["ActiveTasks"] for p in t["Partitions"]}


def described(member):
    group = member.ask("StreamsGroupDescribe", 0, {"GroupIds": [member.group]})["Groups"][0]
    assert group["ErrorCode"] == 0
    group["Members"].sort(key=lambda m: m["MemberId"])
    for m in group["Members"]:
        m["TaskOffsets"] = m["TaskEndOffsets"] = None  # not in the log
        for tasks in (*m["Assignment"].values(), *m["TargetAssignment"].values()):
            tasks.sort(key=lambda t: t["SubtopologyId"])
    # The resolved topology is made anew when somebody asks.
    return {key: group[key] for key in ("GroupState", "GroupEpoch", "AssignmentEpoch", "Members")}


def begin_group(node):
    """Two members: a task of the first is on its way to the second."""
    client = node.client()
    made = client.ask("CreateTopics", 7, {"Topics": [{
        "Name": SOURCE, "NumPartitions": PARTITIONS, "ReplicationFactor": 1}], "timeoutMs": 10000})
    assert made["Topics"][0]["ErrorCode"] == 0
    a, b = Member(node, "a").connect(), Member(node, "b").connect()
    deadline = time.monotonic() + 60
    while len(a.active()) < 2 * PARTITIONS:  # the topics have to come into being
        a.heartbeat()
        assert time.monotonic() < deadline
        time.sleep(0.5)
    while len(a.active()) == 2 * PARTITIONS:
        b.heartbeat()
        a.heartbeat()
        assert time.monotonic() < deadline
        time.sleep(0.5)
    gone = Member(node, "gone", "left").connect()
    gone.heartbeat()
    gone.heartbeat(epoch=-1)
    return a, b


def check_tasks_arrive(a, b):
    """The first gives up its tasks, the second gets them."""
    for _ in range(3):
        a.heartbeat()
        b.heartbeat()
    assert a.active() | b.active() == {(s, p) for s in ("0", "1") for p in range(PARTITIONS)}
    assert not a.active() & b.active()
    assert described(a)["GroupState"] == "Stable"


@pytest.mark.parametrize("first", ("kafka", "chitin"))
def test_streams_groups_are_handed_over(node, first):
    start = {"kafka": node.start_kafka, "chitin": node.start_chitin}
    second = "chitin" if first == "kafka" else "kafka"
    start[first]()
    a, b = begin_group(node)
    before = described(a)
    assert before["GroupState"] == "Reconciling"
    node.stop()

    start[second]()
    a.connect(), b.connect()
    assert described(a) == before
    check_tasks_arrive(a, b)
    left = Member(node, "gone", "left").connect()
    assert described(left)["GroupState"] == "Empty"
    before = described(a)
    node.stop()

    start[first]()
    a.connect(), b.connect()
    assert described(a) == before
    a.heartbeat(says_tasks=False)
    a.heartbeat(epoch=-1)
    for _ in range(3):
        b.heartbeat()
        time.sleep(1)  # between two assignments
    assert len(b.active()) == 2 * PARTITIONS
    b.heartbeat(epoch=-1)
    deleted = b.ask("DeleteGroups", 2, {"GroupsNames": [GROUP, "left"]})
    assert [r["ErrorCode"] for r in deleted["Results"]] == [0, 0]
    node.stop()

    start[second]()  # nothing of them is left
    b.connect()
    groups = b.ask("ListGroups", 5, {"StatesFilter": [], "TypesFilter": []})["Groups"]
    assert not {GROUP, "left"} & {g["GroupId"] for g in groups}
