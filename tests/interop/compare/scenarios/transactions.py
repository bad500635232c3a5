# SPDX-License-Identifier: Apache-2.0
"""Transactional ids: InitProducerId, AddPartitionsToTxn, AddOffsetsToTxn, EndTxn, DescribeTransactions,
ListTransactions. What a transaction ends with comes a little after the answer to EndTxn: each step waits
until both have it behind them."""

import time

import wire
from pair import Ref

TIMEOUT_MS = 60000
AGAIN = (14, 15, 16, 51)  # the topic is made, its partition loaded, the transaction before ended


class Producer:
    """The same transactional id at both brokers."""

    def __init__(self, t, transactional_id):
        self.t = t
        self.transactional_id = transactional_id
        self.epochs = {}
        t._until(lambda: t.ask("FindCoordinator", 4, {"KeyType": 1, "CoordinatorKeys": [transactional_id]}),
                 lambda answer: answer["Coordinators"][0]["ErrorCode"] == 0, "there are coordinators")

    def epoch(self, change=0):
        return Ref(lambda side: self.epochs[side.name] + change)

    def producer_id(self, change=0):
        return Ref(lambda side: side.producer_ids[self.transactional_id] + change)

    def begin(self):
        """Without comparing; waits for what is being ended."""
        self.wait()
        answers = [self._begin_at(side) for side in self.t.sides]
        deadline = time.monotonic() + 20
        while any(answer["ErrorCode"] in AGAIN for answer in answers):
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.transactional_id} may never begin: {answers}")
            time.sleep(0.02)
            answers = [answer if answer["ErrorCode"] not in AGAIN else self._begin_at(side)
                       for side, answer in zip(self.t.sides, answers)]
        self.learn(answers)
        return self

    def _begin_at(self, side):
        side.send(wire.APIS["InitProducerId"], 5, {
            "TransactionalId": self.transactional_id, "TransactionTimeoutMs": TIMEOUT_MS}, "compare")
        return side.receive(wire.APIS["InitProducerId"], 5, 10)

    def learn(self, answers):
        for side, answer in zip(self.t.sides, answers):
            if answer["ErrorCode"] == 0 and "ProducerEpoch" in answer:
                side.producer_ids[self.transactional_id] = answer["ProducerId"]
                self.epochs[side.name] = answer["ProducerEpoch"]

    def wait(self):
        """Until nothing is being ended."""
        self.t._until(lambda: self.t.ask("DescribeTransactions", 0, {
            "TransactionalIds": [self.transactional_id]}), lambda answer:
            answer["TransactionStates"][0]["ErrorCode"] not in AGAIN and
            not answer["TransactionStates"][0]["TransactionState"].startswith("Prepare"),
            f"{self.transactional_id} has ended")

    def initialise(self, label, version=5, timeout_ms=TIMEOUT_MS, producer_id=-1, epoch=-1):
        self.learn(self.t.call(label, "InitProducerId", version, {
            "TransactionalId": self.transactional_id, "TransactionTimeoutMs": timeout_ms,
            "ProducerId": producer_id, "ProducerEpoch": epoch}))

    def add(self, label, version, topics, epoch=0, producer_id=0, verify_only=False):
        """epoch and producer_id are changes of the true ones."""
        listed = [{"Name": name, "Partitions": partitions} for name, partitions in topics.items()]
        id_, number = self.producer_id(producer_id), self.epoch(epoch)
        self.t.call(label, "AddPartitionsToTxn", version, {
            "V3AndBelowTransactionalId": self.transactional_id, "V3AndBelowProducerId": id_,
            "V3AndBelowProducerEpoch": number, "V3AndBelowTopics": listed,
            "Transactions": [{"TransactionalId": self.transactional_id, "ProducerId": id_,
                              "ProducerEpoch": number, "VerifyOnly": verify_only, "Topics": listed}]})

    def end(self, label, version, committed, epoch=0, producer_id=0):
        answers = self.t.call(label, "EndTxn", version, {
            "TransactionalId": self.transactional_id, "ProducerId": self.producer_id(producer_id),
            "ProducerEpoch": self.epoch(epoch), "Committed": committed})
        self.wait()
        return answers

    def describe(self, label):
        self.t.call(label, "DescribeTransactions", 0, {"TransactionalIds": [self.transactional_id]})


def before_there_is_one(t):
    """Errors that need no coordinator."""
    for timeout_ms in (0, -1, 900001):
        t.every(f"timeout {timeout_ms}", "InitProducerId", {
            "TransactionalId": "tb", "TransactionTimeoutMs": timeout_ms})
    t.every("empty id", "InitProducerId", {"TransactionalId": "", "TransactionTimeoutMs": 1000})
    for producer_id, epoch in ((5, -1), (-1, 5)):
        t.every(f"producer {producer_id} epoch {epoch}", "InitProducerId", {
            "TransactionalId": "tb", "TransactionTimeoutMs": 1000, "ProducerId": producer_id,
            "ProducerEpoch": epoch}, versions=(3, 4, 5))
    t.every("empty id", "EndTxn", {"TransactionalId": "", "ProducerId": 0, "ProducerEpoch": 0})
    t.every("empty id", "AddOffsetsToTxn", {"TransactionalId": "", "ProducerId": 0, "ProducerEpoch": 0,
                                            "GroupId": "g"})
    t.every("empty id", "DescribeTransactions", {"TransactionalIds": [""]})
    t.every("none", "DescribeTransactions", {"TransactionalIds": []})


def producers(t):
    p = Producer(t, "tp").begin()
    p.describe("a new one")
    for version in range(6):
        p.initialise("again", version)
    for version in (3, 4, 5):
        p.initialise("bumps by itself", version, producer_id=p.producer_id(), epoch=p.epoch())
        p.initialise("retries that", version, producer_id=p.producer_id(), epoch=p.epoch(-1))
        p.initialise("an older epoch", version, producer_id=p.producer_id(), epoch=p.epoch(-2))
        p.initialise("a higher epoch", version, producer_id=p.producer_id(), epoch=p.epoch(1))
        p.initialise("another id", version, producer_id=p.producer_id(1), epoch=p.epoch())
    p.initialise("begins anew")
    p.initialise("is no retry any more", producer_id=p.producer_id(), epoch=p.epoch(-1))
    unknown = Producer(t, "tp-unknown")
    unknown.initialise("unknown with an id", producer_id=77, epoch=7)
    unknown.initialise("known with another", producer_id=77, epoch=7)
    t.topic("tp-t", 2)
    for version in (3, 5):
        p.begin()
        p.add("opens", version, {"tp-t": [0, 1]})
        p.initialise("over an open one")
        p.begin()
        p.describe("after that")


def partitions(t):
    t.topic("ta", 2)
    t.topic("ta-other")
    for version in range(6):
        p = Producer(t, f"ta-{version}").begin()
        p.add("one", version, {"ta": [0]})
        p.add("again", version, {"ta": [0]})
        p.add("more", version, {"ta": [0, 1], "ta-other": [0]})
        p.add("twice in one", version, {"ta": [0, 0, 1]})
        p.add("older epoch", version, {"ta": [0]}, epoch=-1)
        p.add("higher epoch", version, {"ta": [0]}, epoch=1)
        p.add("another id", version, {"ta": [0]}, producer_id=1)
        p.add("unknown topic", version, {"ta-none": [0]})
        p.add("unknown partition", version, {"ta": [9]})
        p.add("some unknown", version, {"ta": [0, 9], "ta-none": [0], "ta-other": [0]})
        p.add("negative partition", version, {"ta": [-1]})
        p.describe(f"added by {version}")
        if version < 4:
            p.add("internal", version, {"__transaction_state": [0], "ta": [0]})
            p.add("nothing", version, {})
        else:
            for epoch in (0, -1):
                p.add(f"look up, epoch {epoch}", version, {"ta": [0], "ta-none": [0]}, epoch=epoch,
                      verify_only=True)
            p.add("look up another id", version, {"ta": [0]}, producer_id=1, verify_only=True)
        p.end("ends", 3, True)
        if version >= 4:
            p.add("look up when it has ended", version, {"ta": [0, 1]}, verify_only=True)
    unknown = Producer(t, "ta-unknown")
    unknown.epochs = {side.name: 0 for side in t.sides}
    for side in t.sides:
        side.producer_ids["ta-unknown"] = 5
    for version in range(6):
        unknown.add("unknown id", version, {"ta": [0]})
        t.call("unknown id", "EndTxn", version, {"TransactionalId": "ta-unknown", "ProducerId": 5,
                                                 "ProducerEpoch": 0})
    t.every("unknown id", "DescribeTransactions", {"TransactionalIds": ["ta-unknown"]})


def offsets(t):
    p = Producer(t, "to").begin()

    def add(group, epoch=0, producer_id=0):
        return {"TransactionalId": "to", "ProducerId": p.producer_id(producer_id),
                "ProducerEpoch": p.epoch(epoch), "GroupId": group}

    t.every("another epoch", "AddOffsetsToTxn", add("g", epoch=1))
    t.every("another id", "AddOffsetsToTxn", add("g", producer_id=1))
    t.every("of a group", "AddOffsetsToTxn", add("g"))
    t.every("of the group without a name", "AddOffsetsToTxn", add(""))
    p.describe("with offsets")
    p.end("with offsets", 4, True)


def ends(t):
    """Both versions of transactions in each state, with the current epoch, the one before, the next."""
    t.topic("te")
    for version in range(6):
        p = Producer(t, f"te-{version}").begin()
        for state, committed in (("empty", None), ("open", True), ("committed", None), ("open", False),
                                 ("aborted", None)):
            if state == "open":
                p.add("opens", 5 if version == 5 else 3, {"te": [0]})
            for epoch in (1, -1):
                for commits in (True, False):
                    p.end(f"{state}, epoch {epoch}, {commits}", version, commits, epoch)
            p.end(f"{state}, another id", version, True, producer_id=1)
            if committed is None:
                p.end(f"{state}, commit", version, True)
            else:
                p.learn(p.end(f"is ended, {committed}", version, committed))
            p.describe(f"{state} {committed}, version {version}")
        p.learn(p.end("aborts nothing", version, False))
        p.describe(f"in the end, version {version}")


def listing(t):
    t.topic("tl")
    for name in ("tl-a", "tl-b", "tl-ab"):
        Producer(t, name).begin()
    p = Producer(t, "tl-open").begin()
    p.add("opens", 5, {"tl": [0]})
    of_ours = {"ProducerIdFilters": [Ref(lambda side, name=name: side.producer_ids[name])
                                     for name in ("tl-a", "tl-b", "tl-ab", "tl-open")]}
    for label, body in (
            ("by id", {}), ("by state", {"StateFilters": ["Ongoing"]}),
            ("by states", {"StateFilters": ["Ongoing", "Empty", "Dead"]}),
            ("by unknown states", {"StateFilters": ["Ongoing", "ongoing", "None", "PrepareEpochFence"]}),
            ("by unknown states alone", {"StateFilters": ["None"]})):
        t.every(label, "ListTransactions", {**of_ours, **body})
    t.every("by an id nobody has", "ListTransactions", {"ProducerIdFilters": [2**40]})
    for duration in (0, 1000000):
        t.every(f"longer than {duration}", "ListTransactions", {**of_ours, "DurationFilter": duration},
                versions=(1, 2))
    for pattern in ("tl-a", "tl-a.*", "tl", "tl-[ab]+", "", "(", "tl-(?=a)", ".*open$"):
        t.call(f"like {pattern}", "ListTransactions", 2, {**of_ours, "TransactionalIdPattern": pattern})
    p.end("ends", 5, False)


SCENARIOS = (before_there_is_one, producers, partitions, offsets, ends, listing)
