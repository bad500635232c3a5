# SPDX-License-Identifier: Apache-2.0
"""Classic groups: members on connections of their own, since a join waits for the others."""

import copy

import pair
import wire
from pair import Ref, member_id

SESSION_MS = 10000
REBALANCE_MS = 20000
BLOB = bytes.fromhex("000100000001000174ffffffff00000000")  # a subscription to topic t


class Member:
    """The same client at both brokers."""

    def __init__(self, t, group, name, instance=None):
        self.t = t
        self.group = group
        self.name = name
        self.instance = instance
        self.generation = Ref(lambda side: self.generations.get(side.name, -1))
        self.generations = {}
        self.connections = {side.name: wire.Connection(side.port) for side in t.sides}
        for side in t.sides:
            side.members.pop(name, None)

    def send(self, api, version, body):
        for side in self.t.sides:
            self.connections[side.name].request(wire.APIS[api], version, pair.resolve(body, side), self.name)

    def receive(self, label, api, version, seconds=15):
        """Compares the two answers, and keeps what a member has to know."""
        answers = []
        for side in self.t.sides:
            try:
                answers.append(self.connections[side.name].response(wire.APIS[api], version, seconds))
            except (wire.Closed, wire.NoAnswer) as error:
                answers.append(type(error).__name__)
        normal = [pair.normalise(copy.deepcopy(answer), side) for answer, side in zip(answers, self.t.sides)]
        self.t.report.case(api, version, label, pair.differences(*normal), answers)
        for answer, side in zip(answers, self.t.sides):
            if api == "JoinGroup" and isinstance(answer, dict) and answer["ErrorCode"] in (0, 79):
                side.members[self.name] = answer["MemberId"]
                self.generations[side.name] = answer["GenerationId"]
        return answers

    def send_join(self, version, **changes):
        self.send("JoinGroup", version, {
            "GroupId": self.group, "SessionTimeoutMs": SESSION_MS, "RebalanceTimeoutMs": REBALANCE_MS,
            "MemberId": member_id(self.name), "GroupInstanceId": self.instance, "ProtocolType": "consumer",
            "Protocols": [{"Name": "range", "Metadata": BLOB}, {"Name": "sticky", "Metadata": BLOB}],
            "Reason": None, **changes})

    def join(self, label, version, **changes):
        self.send_join(version, **changes)
        return self.receive(label, "JoinGroup", version)

    def first_join(self, label, version):
        """Until it waits for the others, or has joined alone."""
        if version >= 4 and self.instance is None:
            self.join(f"{label}: asks for an id", version)
        self.send_join(version)

    def send_sync(self, version, parts=(), **changes):
        self.send("SyncGroup", version, {
            "GroupId": self.group, "GenerationId": self.generation, "MemberId": member_id(self.name),
            "GroupInstanceId": self.instance if version >= 3 else None,
            "ProtocolType": "consumer", "ProtocolName": "range",
            "Assignments": [{"MemberId": member_id(name), "Assignment": f"part of {name}".encode()}
                            for name in parts], **changes})

    def sync(self, label, version, parts=(), **changes):
        self.send_sync(version, parts, **changes)
        return self.receive(label, "SyncGroup", version)

    def heartbeat(self, label, version, **changes):
        self.send("Heartbeat", version, {
            "GroupId": self.group, "GenerationId": self.generation, "MemberId": member_id(self.name),
            "GroupInstanceId": self.instance if version >= 3 else None, **changes})
        return self.receive(label, "Heartbeat", version)

    def leave(self, label, version, identities=None):
        own = [{"MemberId": member_id(self.name), "GroupInstanceId": self.instance, "Reason": None}]
        self.send("LeaveGroup", version, {
            "GroupId": self.group, "MemberId": member_id(self.name),
            "Members": own if identities is None else identities})
        return self.receive(label, "LeaveGroup", version)


def ready(t):
    """Until both have the topic of groups and its coordinators."""
    t.ask("FindCoordinator", 3, {"Key": "ready", "KeyType": 0})
    body = {"GroupId": "ready", "GenerationId": 1, "MemberId": "m"}
    t._until(lambda: t.ask("Heartbeat", 0, body), lambda answer: answer["ErrorCode"] == 25,
             "there are coordinators")


def _version_of(api, join_version):
    """A version of another API that clients of such an age use."""
    return min(join_version // 2, max(wire.APIS[api].versions))


def requests_without_a_group(t):
    ready(t)
    join = {"GroupId": "nobody", "SessionTimeoutMs": SESSION_MS, "RebalanceTimeoutMs": REBALANCE_MS,
            "MemberId": "m", "GroupInstanceId": None, "ProtocolType": "consumer",
            "Protocols": [{"Name": "range", "Metadata": BLOB}]}
    t.every("empty group id", "JoinGroup", {**join, "GroupId": ""})
    t.every("session too short", "JoinGroup", {**join, "SessionTimeoutMs": 5999})
    t.every("session too long", "JoinGroup", {**join, "SessionTimeoutMs": 1800001})
    t.every("member of no group", "JoinGroup", join)
    t.every("no type", "JoinGroup", {**join, "MemberId": "", "ProtocolType": ""})
    t.every("no protocols", "JoinGroup", {**join, "MemberId": "", "Protocols": []})
    sync = {"GroupId": "nobody", "GenerationId": 1, "MemberId": "m", "GroupInstanceId": None,
            "ProtocolType": "consumer", "ProtocolName": "range", "Assignments": []}
    t.every("empty group id", "SyncGroup", {**sync, "GroupId": ""})
    t.every("member of no group", "SyncGroup", sync)
    for version in wire.APIS["SyncGroup"].versions:
        if version >= 5:
            t.call("no type", "SyncGroup", version, {**sync, "ProtocolType": None})
            t.call("no protocol", "SyncGroup", version, {**sync, "ProtocolName": None})
            t.call("nothing at all", "SyncGroup", version, {**sync, "GroupId": "", "ProtocolName": None})
    beat = {"GroupId": "nobody", "GenerationId": 1, "MemberId": "m", "GroupInstanceId": None}
    t.every("empty group id", "Heartbeat", {**beat, "GroupId": ""})
    t.every("member of no group", "Heartbeat", beat)
    leave = {"GroupId": "nobody", "MemberId": "m", "Members": [{"MemberId": "m", "GroupInstanceId": None},
                                                              {"MemberId": "", "GroupInstanceId": "i"}]}
    t.every("empty group id", "LeaveGroup", {**leave, "GroupId": ""})
    t.every("members of no group", "LeaveGroup", leave)
    t.every("nobody", "LeaveGroup", {**leave, "Members": []}, versions=(3, 4, 5))


def two_members(t):
    for version in wire.APIS["JoinGroup"].versions:
        sync, beat, leave = (_version_of(api, version) for api in ("SyncGroup", "Heartbeat", "LeaveGroup"))
        group = f"two-{version}"
        a, b = Member(t, group, "a"), Member(t, group, "b")
        a.first_join("the first", version)
        a.receive("the first joins", "JoinGroup", version)
        a.heartbeat("before it has synced", beat)
        a.join("again, unchanged, before it has synced", version)
        a.sync("with the wrong generation", sync, GenerationId=7)
        a.sync("the leader", sync, ["a", "nobody"])
        a.sync("again", sync)
        a.heartbeat("stable", beat)
        a.heartbeat("wrong generation", beat, GenerationId=0)
        a.heartbeat("unknown member", beat, MemberId="x")
        b.join("another type", version, ProtocolType="connect")
        b.join("no common protocol", version, Protocols=[{"Name": "other", "Metadata": b""}])
        b.join("unknown member", version, MemberId="x")
        b.first_join("the second", version)
        t.pause(0.2)
        a.heartbeat("while members join", beat)
        a.sync("while members join", sync)
        a.join("the leader joins again", version)
        b.receive("the second joins", "JoinGroup", version)
        b.send_sync(sync)
        t.pause(0.1)
        a.sync("the leader assigns", sync, ["a", "b"])
        b.receive("the second has its part", "SyncGroup", sync)
        b.join("a follower again, unchanged", version)
        b.send_join(version, Protocols=[{"Name": "sticky", "Metadata": BLOB}])
        t.pause(0.1)
        a.join("the leader, after the other changed", version)
        b.receive("with other protocols", "JoinGroup", version)
        a.sync("with the protocol of before", sync, ["a", "b"])
        a.sync("with the new protocol", sync, ["a"], ProtocolName="sticky")
        b.sync("nothing was given to it", sync, ProtocolName="sticky")
        b.leave("the second", leave)
        a.heartbeat("after somebody left", beat)
        b.heartbeat("after it left", beat)
        b.leave("twice", leave)
        a.join("alone again", version)
        a.leave("the last", leave)
        a.heartbeat("empty group", beat)
        a.sync("empty group", sync)
        a.join("with the id of before", version)


def static_members(t):
    for version in (5, 7, 8, 9):
        sync, beat = min(version - 2, 5), min(version - 2, 4)
        group = f"static-{version}"
        a, b = Member(t, group, "a", "ia"), Member(t, group, "b", "ib")
        a.first_join("the first", version)
        a.receive("the first joins", "JoinGroup", version)
        a.sync("alone", sync, ["a"])
        b.first_join("the second", version)
        t.pause(0.2)
        a.join("the leader joins again", version)
        b.receive("the second joins", "JoinGroup", version)
        a.sync("the leader assigns", sync, ["a", "b"])
        b.sync("has its part", sync)
        old_a, old_b = ({side.name: side.members[name] for side in t.sides} for name in ("a", "b"))
        b.join("a follower was restarted", version, MemberId="")
        b.sync("and has its part", sync)
        a.join("the leader was restarted", version, MemberId="")
        a.sync("and has its part", sync)
        for who, old in ((a, old_a), (b, old_b)):
            was = Ref(lambda side, old=old: old[side.name])
            who.heartbeat("under the id of before", beat, MemberId=was)
            who.heartbeat("under the id of before, dynamic", beat, MemberId=was, GroupInstanceId=None)
            who.join("under the id of before", version, MemberId=was)
            who.sync("under the id of before", sync, MemberId=was)
            who.leave("under the id of before", 3, [{"MemberId": was, "GroupInstanceId": who.instance}])
        a.heartbeat("with the instance of another", beat, GroupInstanceId="ib")
        a.heartbeat("with an unknown instance", beat, GroupInstanceId="ic")
        a.heartbeat("stable", beat)
        a.leave("by instance", 5, [{"MemberId": "", "GroupInstanceId": "ib"},
                                   {"MemberId": "", "GroupInstanceId": "ic"},
                                   {"MemberId": "x", "GroupInstanceId": "ia"}])
        a.heartbeat("after the other was removed", beat)
        a.leave("the last", 4)


def joins_that_are_fenced(t):
    a, b, c = (Member(t, "fenced", name, instance) for name, instance in (("a", None), ("b", "ib"), ("c", "ib")))
    a.first_join("the first", 9)
    a.receive("the first joins", "JoinGroup", 9)
    a.sync("alone", 5, ["a"])
    b.send_join(9)
    t.pause(0.2)
    c.send_join(9)
    b.receive("another came with its instance id", "JoinGroup", 9)
    a.join("joins again", 9)
    c.receive("the other joins", "JoinGroup", 9)
    c.send_sync(5)
    t.pause(0.1)
    b.send_join(9, MemberId="")
    c.receive("a third came with its instance id", "SyncGroup", 5)
    t.pause(0.1)
    a.join("once more", 9)
    b.receive("the third joins", "JoinGroup", 9)


def id_given_out(t):
    a, b = Member(t, "given", "a"), Member(t, "given", "b")
    a.first_join("the first", 9)
    a.receive("the first joins", "JoinGroup", 9)
    a.sync("alone", 5, ["a"])
    b.join("asks for an id", 9)
    b.heartbeat("with an id that has not joined", 4)
    b.sync("with an id that has not joined", 5)
    a.send_join(9)
    t.pause(0.2)
    b.leave("gives the id back", 5)
    a.receive("does not wait for it", "JoinGroup", 9)


SCENARIOS = (requests_without_a_group, two_members, static_members, joins_that_are_fenced, id_given_out)
