# SPDX-License-Identifier: Apache-2.0
"""Classic groups that are loaded by the other broker: members who were there go on heartbeating in their
generation, a static member that comes back is the same one, and the next rebalance goes on from there.
"""

import time

import pytest

from node import LOADING, Node, wire

GROUP = "handed-over"
SESSION_MS = 600000  # nobody dies while the brokers change
BLOB = bytes.fromhex("000100000001000174ffffffff00000000")  # a subscription to topic t
UNKNOWN_MEMBER_ID, REBALANCE_IN_PROGRESS, MEMBER_ID_REQUIRED, FENCED_INSTANCE_ID = 25, 27, 79, 82


@pytest.fixture
def node(tmp_path, kafka_version):
    n = Node(tmp_path, kafka_version, dynamic_quorum=kafka_version >= "4.1")
    yield n
    n.end()


class Member:
    """One connection; what it knows outlives the broker."""

    def __init__(self, node, instance=None):
        self.node = node
        self.instance = instance
        self.id = ""
        self.generation = -1
        self.assignment = None

    def connect(self):
        self.client = self.node.client()
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            found = self.client.ask("FindCoordinator", 3, {"Key": GROUP, "KeyType": 0})
            if found["ErrorCode"] == 0:
                return self
            assert found["ErrorCode"] in LOADING
            time.sleep(0.1)
        raise AssertionError("no coordinator")

    def retried(self, name, version, body):
        """Asks until the group is loaded."""
        while True:
            answer = self.client.ask(name, version, body)
            if answer["ErrorCode"] not in LOADING:
                return answer
            time.sleep(0.1)

    def join_body(self):
        return {"GroupId": GROUP, "SessionTimeoutMs": SESSION_MS, "RebalanceTimeoutMs": 30000,
                "MemberId": self.id, "GroupInstanceId": self.instance, "ProtocolType": "consumer",
                "Protocols": [{"Name": "range", "Metadata": BLOB}], "Reason": None}

    def send_join(self):
        self.client.connection.request(wire.APIS["JoinGroup"], 9, self.join_body(), "handed-over-client")

    def end_join(self):
        answer = self.client.connection.response(wire.APIS["JoinGroup"], 9, 60)
        self.id = answer["MemberId"] or self.id
        self.generation = answer["GenerationId"]
        return answer

    def begin_join(self):
        """Until it is parked: dynamic members are told their id first."""
        if self.instance is None and self.id == "":
            answer = self.retried("JoinGroup", 9, self.join_body())
            assert answer["ErrorCode"] == MEMBER_ID_REQUIRED
            self.id = answer["MemberId"]
        self.send_join()

    def sync(self, parts=()):
        answer = self.retried("SyncGroup", 5, {
            "GroupId": GROUP, "GenerationId": self.generation, "MemberId": self.id,
            "GroupInstanceId": self.instance, "ProtocolType": "consumer", "ProtocolName": "range",
            "Assignments": [{"MemberId": m.id, "Assignment": m.id.encode()} for m in parts]})
        assert answer["ErrorCode"] == 0
        self.assignment = answer["Assignment"]
        return self.assignment

    def heartbeat(self, member_id=None):
        return self.retried("Heartbeat", 4, {
            "GroupId": GROUP, "GenerationId": self.generation, "MemberId": member_id or self.id,
            "GroupInstanceId": self.instance})["ErrorCode"]

    def leave(self):
        return self.retried("LeaveGroup", 5, {"GroupId": GROUP, "Members": [
            {"MemberId": self.id, "GroupInstanceId": self.instance, "Reason": "done"}]})


def described(member):
    group = member.client.ask("DescribeGroups", 5, {"Groups": [GROUP]})["Groups"][0]
    assert group["ErrorCode"] == 0
    group["Members"].sort(key=lambda m: m["MemberId"])
    return {key: group[key] for key in ("GroupState", "ProtocolType", "ProtocolData", "Members")}


def begin_group(node):
    """Stable in generation 2: a static leader and a dynamic member."""
    static, dynamic = Member(node, "instance-1").connect(), Member(node).connect()
    while True:
        static.send_join()
        error = static.end_join()["ErrorCode"]
        if error not in LOADING:
            break
        time.sleep(0.1)
    assert error == 0
    static.sync([static])
    dynamic.begin_join()
    time.sleep(0.3)
    static.send_join()
    assert static.end_join()["ErrorCode"] == 0
    assert dynamic.end_join()["ErrorCode"] == 0
    static.sync([static, dynamic])
    assert dynamic.sync() == dynamic.id.encode()
    return static, dynamic


def check_members_go_on(members):
    for m in members:
        m.connect()
        part = m.assignment
        assert m.sync() == part
        assert m.heartbeat() == 0  # last: while a group is loaded all heartbeats are well


def restart_static(static):
    """As its process would be: without its id."""
    old, generation = static.id, static.generation
    static.id = ""
    static.send_join()
    answer = static.end_join()
    assert (answer["ErrorCode"], answer["GenerationId"]) == (0, generation)
    assert static.id != old
    assert static.heartbeat(old) == FENCED_INSTANCE_ID
    return old


@pytest.mark.parametrize("first", ("kafka", "chitin"))
@pytest.mark.parametrize("end", ("stop", "kill"))
def test_groups_are_handed_over(node, first, end):
    start = {"kafka": node.start_kafka, "chitin": node.start_chitin}
    second = "chitin" if first == "kafka" else "kafka"
    start[first]()
    static, dynamic = begin_group(node)
    before = described(static)
    assert before["GroupState"] == "Stable"
    getattr(node, end)()

    start[second]()
    check_members_go_on([static, dynamic])
    assert described(static) == before
    old = restart_static(static)
    before = described(static)
    getattr(node, end)()

    start[first]()
    check_members_go_on([static, dynamic])
    assert described(static) == before
    assert static.heartbeat(old) == FENCED_INSTANCE_ID
    assert [m["ErrorCode"] for m in dynamic.leave()["Members"]] == [0]
    assert static.heartbeat() == REBALANCE_IN_PROGRESS
    static.send_join()
    answer = static.end_join()
    assert (answer["ErrorCode"], answer["GenerationId"]) == (0, 3)
    static.sync([static])
    assert static.leave()["Members"][0]["ErrorCode"] == 0
    assert described(static)["GroupState"] == "Empty"
    getattr(node, end)()

    start[second]()  # an empty group of generation 4
    static.connect()
    answer = static.retried("JoinGroup", 9, static.join_body())
    assert answer["ErrorCode"] == UNKNOWN_MEMBER_ID
    assert described(static)["GroupState"] == "Empty"
    static.id = ""
    static.send_join()
    assert static.end_join()["GenerationId"] == 5
