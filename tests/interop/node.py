# SPDX-License-Identifier: Apache-2.0
"""One server.properties and its log.dirs, on which Apache Kafka and Chitin are started in turn, and
what a client can see of the data there."""

import hashlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "compare"), str(HERE.parent / "system")]

import batches  # noqa: E402
import wire  # noqa: E402
from broker import binary  # noqa: E402

START_SECONDS = 120
STOP_SECONDS = 60
VERSIONS = ("4.0.1", "4.1.2", "4.2.1", "4.3.1", "4.4.0")
CLUSTER_ID = "c2FtZS1kaXJlY3RvcnktMQ"
MARKER = ".kafka_cleanshutdown"
NOT_YET = (3, 6)  # UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER
LOADING = (14, 15, 16)  # COORDINATOR_LOAD_IN_PROGRESS, _NOT_AVAILABLE, NOT_COORDINATOR
NO_ERROR, OUT_OF_ORDER_SEQUENCE, INVALID_PRODUCER_EPOCH = 0, 45, 47


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    try:
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]
    finally:
        for s in sockets:
            s.close()


class Node:
    """At most one process at a time has the directories. Apache Kafka reads `file`, Chitin
    `chitin_file`: the same, unless a test gives Kafka settings that Chitin refuses."""

    def __init__(self, folder, version, dynamic_quorum=False, format_arguments=()):
        self.folder = Path(folder)
        self.version = version
        self.port, self.controller_port, self.sasl_port = free_ports(3)
        self.dirs = [self.folder / "data-1", self.folder / "data-2"]
        self.file = self.folder / "server.properties"
        self.chitin_file = self.folder / "chitin.properties"
        self.process = None
        self.which = None
        self.starts = 0
        quorum = "bootstrap.servers" if dynamic_quorum else "voters"
        prefix = "" if dynamic_quorum else "1@"
        self.properties = {
            "process.roles": "broker,controller",
            "node.id": "1",
            f"controller.quorum.{quorum}": f"{prefix}127.0.0.1:{self.controller_port}",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},"
                         f"CONTROLLER://127.0.0.1:{self.controller_port}",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": ",".join(str(d) for d in self.dirs),
            "num.partitions": "1",
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "2",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "2",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "share.coordinator.state.topic.num.partitions": "2",
            "group.initial.rebalance.delay.ms": "0",
        }
        self.write_properties(self.chitin_file, {})
        self.write_properties(self.file, {})
        arguments = ["--standalone"] if dynamic_quorum else []
        self.kafka_sh("format", str(self.file), "-t", CLUSTER_ID, *arguments, *format_arguments)

    @property
    def bootstrap(self):
        return f"127.0.0.1:{self.port}"

    def write_properties(self, path, more):
        settings = {**self.properties, **more}
        path.write_text("".join(f"{key}={value}\n" for key, value in settings.items())
                        .replace("SASL_PORT", str(self.sasl_port)))

    def environment(self):
        return {**os.environ, "KAFKA_VERSION": self.version, "KAFKA_HEAP": "384m"}

    def kafka_sh(self, *arguments):
        done = subprocess.run([str(HERE / "kafka.sh"), *arguments], env=self.environment(),
                              capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    # --- Start and end ---

    def start(self, which, command, overrides=()):
        self.starts += 1
        self.which = which
        self.log_path = self.folder / f"{self.starts}-{which}.log"
        for override in overrides:
            command = [*command, "--override", override]
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(command, env=self.environment(), stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"{which} ended by itself\n{self.log()[-4000:]}"
            try:
                if self.answers():
                    return self
            except (OSError, wire.Closed, wire.NoAnswer):
                pass
            time.sleep(0.02)
        raise AssertionError(f"{which} does not start\n{self.log()[-4000:]}")

    def answers(self):
        """Registered, and its topics have leaders."""
        client = Client(self.port, seconds=2)
        try:
            answer = client.metadata()
            return len(answer["Brokers"]) == 1 and all(
                partition["LeaderId"] == 1
                for topic in answer["Topics"] for partition in topic["Partitions"])
        finally:
            client.close()

    def start_kafka(self):
        return self.start("kafka", [str(HERE / "kafka.sh"), "run", str(self.file)])

    def start_chitin(self, *overrides):
        return self.start("chitin", [binary(), "server", str(self.chitin_file)], overrides)

    def stop(self):
        """Orderly: the mark of a clean stop is there afterwards."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(STOP_SECONDS)
        # A Java virtual machine that ends well after SIGTERM says 143.
        assert status in (0, 143), f"exit status {status}\n{self.log()[-4000:]}"
        for folder in self.dirs:
            assert (folder / MARKER).exists(), f"no mark of a clean stop\n{self.log()[-4000:]}"

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        for folder in self.dirs:
            assert not (folder / MARKER).exists()

    def end(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def log(self):
        return self.log_path.read_text(errors="replace")

    def client(self):
        return Client(self.port)

    # --- Files ---

    def files(self, pattern="*"):
        return sorted(p for folder in self.dirs for p in folder.rglob(pattern) if p.is_file())

    def checksums(self, pattern="*"):
        """What is in the directories, by path; directories too."""
        found = {}
        for folder in self.dirs:
            for path in sorted(folder.rglob(pattern)):
                found[str(path)] = (hashlib.sha256(path.read_bytes()).hexdigest()
                                    if path.is_file() else "directory")
        return found


class Client:
    """Raw requests of versions that all of Apache Kafka 4.0 to 4.4 and Chitin have."""

    def __init__(self, port, seconds=20):
        self.seconds = seconds
        self.connection = wire.Connection(port, seconds)

    def close(self):
        self.connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def ask(self, name, version, body):
        api = wire.APIS[name]
        self.connection.request(api, version, body)
        return api.decode(version, self.connection.receive(self.seconds)
                          [api.response_header_size(version):])

    def metadata(self, topics=None):
        topics = None if topics is None else [{"Name": name} for name in topics]
        return self.ask("Metadata", 12, {"Topics": topics})

    # --- Produce ---

    def produce_batch(self, topic, partition, data):
        deadline = time.monotonic() + self.seconds
        while True:
            answer = self.ask("Produce", 9, {"Acks": -1, "TimeoutMs": 10000, "TopicData": [
                {"Name": topic, "PartitionData": [{"Index": partition, "Records": data}]}]})
            result = answer["Responses"][0]["PartitionResponses"][0]
            # Apache Kafka creates a topic before its broker leads it.
            if result["ErrorCode"] not in NOT_YET or time.monotonic() > deadline:
                return result["ErrorCode"], result["BaseOffset"]
            time.sleep(0.05)

    # --- Changes ---

    def delete_records(self, topic, partition, below):
        answer = self.ask("DeleteRecords", 2, {"TimeoutMs": 10000, "Topics": [
            {"Name": topic, "Partitions": [{"PartitionIndex": partition, "Offset": below}]}]})
        part = answer["Topics"][0]["Partitions"][0]
        assert part["ErrorCode"] == NO_ERROR, part
        return part["LowWatermark"]

    def alter_config(self, topic, name, value):
        answer = self.ask("IncrementalAlterConfigs", 1, {"ValidateOnly": False, "Resources": [
            {"ResourceType": 2, "ResourceName": topic, "Configs": [
                {"Name": name, "ConfigOperation": 0, "Value": value}]}]})
        assert answer["Responses"][0]["ErrorCode"] == NO_ERROR, answer

    def new_producer_id(self):
        deadline = time.monotonic() + self.seconds
        while True:
            answer = self.ask("InitProducerId", 4, {"TransactionalId": None,
                                                    "TransactionTimeoutMs": 1000})
            if answer["ErrorCode"] not in LOADING or time.monotonic() > deadline:
                break
            time.sleep(0.05)
        assert answer["ErrorCode"] == NO_ERROR, answer
        return answer["ProducerId"]

    # --- What there is ---

    def fetch_all(self, topic, partition, isolation):
        """All batches, and what the answers say beside them."""
        offset, found, aborted, ends = 0, [], [], None
        start = self.list_offset(topic, partition, -2, 0)["Offset"]
        offset = max(start, 0)
        while True:
            answer = self.ask("Fetch", 12, {
                "ReplicaId": -1, "MaxWaitMs": 0, "MinBytes": 0, "MaxBytes": 1 << 26,
                "IsolationLevel": isolation, "SessionId": 0, "SessionEpoch": -1, "Topics": [
                    {"Topic": topic, "Partitions": [
                        {"Partition": partition, "CurrentLeaderEpoch": -1, "FetchOffset": offset,
                         "LastFetchedEpoch": -1, "LogStartOffset": -1,
                         "PartitionMaxBytes": 1 << 26}]}],
                "ForgottenTopicsData": [], "RackId": ""})
            part = answer["Responses"][0]["Partitions"][0]
            assert part["ErrorCode"] == NO_ERROR, part
            got = batches.describe(part["Records"] or b"")
            for b in got:
                assert b["CrcGood"]
            ends = (part["HighWatermark"], part["LastStableOffset"], part["LogStartOffset"])
            for transaction in part["AbortedTransactions"] or []:
                entry = (transaction["ProducerId"], transaction["FirstOffset"])
                if entry not in aborted:
                    aborted.append(entry)
            if not got:
                return {"batches": found, "aborted": sorted(aborted), "ends": ends}
            found += got
            offset = got[-1]["BaseOffset"] + got[-1]["LastOffsetDelta"] + 1

    def list_offset(self, topic, partition, timestamp, isolation):
        answer = self.ask("ListOffsets", 8, {
            "ReplicaId": -1, "IsolationLevel": isolation, "Topics": [
                {"Name": topic, "Partitions": [{"PartitionIndex": partition,
                                                "CurrentLeaderEpoch": -1,
                                                "Timestamp": timestamp}]}]})
        part = answer["Topics"][0]["Partitions"][0]
        return {key: part[key] for key in ("ErrorCode", "Timestamp", "Offset", "LeaderEpoch")}

    def configs(self, topics):
        answer = self.ask("DescribeConfigs", 4, {
            "Resources": [{"ResourceType": 2, "ResourceName": name, "ConfigurationKeys": None}
                          for name in topics]})
        return {r["ResourceName"]: {c["Name"]: c["Value"] for c in r["Configs"]
                                    if c["ConfigSource"] == 1} for r in answer["Results"]}

    def producers(self, topic, partition):
        answer = self.ask("DescribeProducers", 0, {"Topics": [
            {"Name": topic, "PartitionIndexes": [partition]}]})
        part = answer["Topics"][0]["Partitions"][0]
        assert part["ErrorCode"] == NO_ERROR, part
        return sorted(tuple(sorted(p.items())) for p in part["ActiveProducers"])

    def describe_partition(self, topic, partition):
        isolated = {f"isolation {level}": self.fetch_all(topic, partition, level)
                    for level in (0, 1)}
        stamps = [b["MaxTimestamp"] for b in isolated["isolation 0"]["batches"]]
        # The first, the last, the largest, and one from the middle.
        times = [-1, -2, -3, *stamps[len(stamps) // 2:len(stamps) // 2 + 1]]
        offsets = {(time_, level): self.list_offset(topic, partition, time_, level)
                   for time_ in times for level in (0, 1)}
        return {**isolated, "offsets": offsets, "producers": self.producers(topic, partition)}

    def state(self, only=None):
        """Everything that a client can see of the data. `only`: of these topics."""
        answer = self.metadata()
        topics = {}
        for t in answer["Topics"]:
            if only is None or t["Name"] in only:
                topics[t["Name"]] = {"id": t["TopicId"], "internal": t["IsInternal"],
                                     "partitions": sorted(p["PartitionIndex"]
                                                          for p in t["Partitions"])}
        return {
            "cluster": answer["ClusterId"],
            "topics": topics,
            "configs": self.configs(sorted(topics)),
            "data": {(name, p): self.describe_partition(name, p)
                     for name, t in topics.items() for p in t["partitions"]},
        }


def comparable(state):
    """The same without what a start changes, and without what Kafka gets wrong."""
    for part in state["data"].values():
        start = part["isolation 0"]["ends"][2]
        for (time_, _), answer in part["offsets"].items():
            # Each start begins an epoch, and some answers name the newest.
            answer.pop("LeaderEpoch")
            # Kafka answers a look-up of the largest timestamp with offsets that are deleted, too.
            if time_ == -3:
                answer["Offset"] = max(answer["Offset"], start)
    return state


class Sequence:
    """A producer whose id outlives its broker: batches with numbers of its own."""

    def __init__(self, topic, partition=0, producer_id=900000, epoch=0, records=3):
        self.topic = topic
        self.partition = partition
        self.producer_id = producer_id
        self.epoch = epoch
        self.records = records
        self.next = 0
        self.last = None  # (batch, base offset) of the newest

    def batch(self, sequence):
        values = [b"%d" % (sequence + i) for i in range(self.records)]
        return batches.batch(values, timestamp=int(time.time() * 1000), sequence=sequence,
                             producer_id=self.producer_id, producer_epoch=self.epoch)

    def send(self, client):
        data = self.batch(self.next)
        error, offset = client.produce_batch(self.topic, self.partition, data)
        assert error == NO_ERROR, error
        self.last = (data, offset)
        self.next += self.records

    def check(self, client):
        """What was sent last is known, a gap is refused, what follows is taken."""
        assert client.produce_batch(self.topic, self.partition, self.last[0]) == \
            (NO_ERROR, self.last[1])
        gap = client.produce_batch(self.topic, self.partition, self.batch(self.next + 7))
        assert gap[0] == OUT_OF_ORDER_SEQUENCE, gap
        self.send(client)
