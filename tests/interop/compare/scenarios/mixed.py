# SPDX-License-Identifier: Apache-2.0
"""Histories by chance: what one log is asked over and over, with a seed that replays it."""

import random

from batches import GZIP, batch
from pair import NOW_MS, batch_of, produce_body

SEEDS = (1, 2, 3)
STEPS = 250


class History:
    """One topic of two partitions, small segments, two idempotent producers."""

    def __init__(self, t, seed):
        self.t = t
        self.random = random.Random(seed)
        self.topic = t.topic(f"mixed-{seed}", 2, {"segment.bytes": "1048576", "retention.ms": "-1",
                                                  "index.interval.bytes": "1"})
        self.producers = [f"mixed-{seed}-{i}" for i in range(2)]
        for name in self.producers:
            t.init_producer_id(name)
        self.sequences = {}
        self.end = [0, 0]

    def offset(self, partition):
        return self.random.randint(-2, self.end[partition] + 3)

    def time(self):
        return NOW_MS + self.random.randint(-100, 4000)

    def batch_options(self):
        count = self.random.choice((1, 1, 2, 5, 40))
        size = self.random.choice((0, 10, 100, 3000))
        return {"values": [bytes([self.random.randrange(256)]) * size for _ in range(count)],
                "timestamp": self.time(), "attributes": self.random.choice((0, 0, GZIP)),
                "timestamp_deltas": [self.random.randint(-50, 500) for _ in range(count)]}

    def call(self, step, what, api, version, body):
        return self.t.call(f"{self.topic} step {step}: {what}", api, version, body)

    def produced(self, answers):
        result = answers[0]["Responses"][0]["PartitionResponses"][0]
        return result["ErrorCode"] == 0

    def produce(self, step):
        partition = self.random.randrange(2)
        options = self.batch_options()
        answers = self.call(step, "produce", "Produce", self.random.randint(3, 13), produce_body(
            self.topic, [(partition, batch(**options))], self.random.choice((1, -1))))
        if self.produced(answers):
            self.end[partition] += len(options["values"])

    def produce_in_sequence(self, step):
        partition = self.random.randrange(2)
        name = self.random.choice(self.producers)
        epoch, sequence = self.sequences.get((name, partition), (0, 0))
        step_kind = self.random.choice(("next", "next", "next", "gap", "epoch", "again", "old epoch"))
        options = self.batch_options()
        count = len(options["values"])
        if step_kind == "epoch":
            epoch, sequence = epoch + 1, 0
        asked_epoch = epoch - 1 if step_kind == "old epoch" and epoch > 0 else epoch
        asked = {"gap": sequence + 3, "again": max(0, sequence - count)}.get(step_kind, sequence)
        answers = self.call(step, f"produce {step_kind}", "Produce", 9, produce_body(
            self.topic, [(partition, batch_of(name, producer_epoch=asked_epoch, sequence=asked,
                                              **options))]))
        result = answers[0]["Responses"][0]["PartitionResponses"][0]
        if result["ErrorCode"] == 0 and asked == sequence and asked_epoch == epoch:
            self.sequences[name, partition] = (epoch, sequence + count)
        if result["ErrorCode"] == 0 and result["BaseOffset"] >= self.end[partition]:
            self.end[partition] = result["BaseOffset"] + count

    def fetch(self, step):
        parts = [{"Partition": i, "FetchOffset": self.offset(i), "PartitionMaxBytes": self.random.choice(
            (0, 100, 5000, 1 << 20))} for i in self.random.sample(range(2), self.random.randint(1, 2))]
        self.call(step, "fetch", "Fetch", self.random.randint(4, 12), {
            "MaxWaitMs": self.random.choice((0, 1)), "MinBytes": self.random.choice((0, 1, 5000)),
            "MaxBytes": self.random.choice((0, 500, 1 << 24)),
            "IsolationLevel": self.random.randrange(2),
            "Topics": [{"Topic": self.topic, "Partitions": parts}]})

    def list_offsets(self, step):
        partition = self.random.randrange(2)
        # Not -3: Kafka names the record with the largest time even if it has been deleted.
        timestamp = self.random.choice((-1, -2, -4, self.time(), self.time(), self.time()))
        self.call(step, "list offsets", "ListOffsets", self.random.randint(7, 11), {
            "ReplicaId": -1, "IsolationLevel": self.random.randrange(2), "Topics": [{
                "Name": self.topic, "Partitions": [{"PartitionIndex": partition,
                                                    "Timestamp": timestamp}]}]})

    def delete_records(self, step):
        partition = self.random.randrange(2)
        if self.random.random() < 0.7:
            return
        self.call(step, "delete records", "DeleteRecords", self.random.randint(0, 2), {
            "TimeoutMs": 5000, "Topics": [{"Name": self.topic, "Partitions": [{
                "PartitionIndex": partition, "Offset": self.offset(partition) // 2}]}]})

    def describe_producers(self, step):
        self.call(step, "describe producers", "DescribeProducers", 0, {"Topics": [{
            "Name": self.topic, "PartitionIndexes": [0, 1]}]})

    def run(self):
        actions = (self.produce, self.produce_in_sequence, self.produce_in_sequence, self.fetch,
                   self.fetch, self.list_offsets, self.list_offsets, self.delete_records,
                   self.describe_producers)
        for step in range(STEPS):
            self.random.choice(actions)(step)


def histories(t):
    for seed in SEEDS:
        History(t, seed).run()


SCENARIOS = (histories,)
