# SPDX-License-Identifier: Apache-2.0
"""Two brokers that are asked the same, and what is different in their answers.

A request is a dictionary; where the two must be asked differently (ids that each has given), it holds
a Ref, which is looked up per broker. Answers are made comparable before they are compared: ids become
names, ports and times become words, and lists whose order says nothing are sorted.
"""

import copy
import re
import time
import uuid

import batches
import wire

ZERO_ID = uuid.UUID(int=0)
NOW_MS = int(time.time() * 1000)


class Ref:
    """A value that differs between the two: Ref(lambda side: ...)."""

    def __init__(self, of):
        self.of = of


def topic_id(name):
    return Ref(lambda side: side.topic_ids[name])


def producer_id(name):
    return Ref(lambda side: side.producer_ids[name])


def member_id(name):
    """The id of a Member in scenarios of groups; "" when it has none."""
    return Ref(lambda side: side.members.get(name, ""))


def batch_of(name, **options):
    """A batch of a producer that init_producer_id() named."""
    return Ref(lambda side: batches.batch(producer_id=side.producer_ids[name], **options))


def resolve(value, side):
    if isinstance(value, Ref):
        return resolve(value.of(side), side)
    if isinstance(value, dict):
        return {key: resolve(item, side) for key, item in value.items()}
    if isinstance(value, list):
        return [resolve(item, side) for item in value]
    return value


class Side:
    """One of the two brokers."""

    def __init__(self, name, port):
        self.name = name
        self.port = port
        self.topic_ids = {}
        self.producer_ids = {}
        self.connection = None
        self.session_ids = {}
        self.members = {}  # of groups: a name to the id that this side gave

    def connect(self):
        if self.connection is None:
            self.connection = wire.Connection(self.port)
        return self.connection

    def disconnect(self):
        if self.connection is not None:
            self.connection.close()
        self.connection = None

    def send(self, api, version, body, client_id):
        try:
            self.connect().request(api, version, resolve(body, self), client_id)
        except wire.Closed:
            self.disconnect()
            self.connect().request(api, version, resolve(body, self), client_id)

    def receive(self, api, version, seconds):
        """The answer, or a word for why there is none."""
        try:
            return self.connection.response(api, version, seconds)
        except wire.Closed:
            self.disconnect()
            return "the connection is closed"
        except wire.NoAnswer:
            self.disconnect()
            return "no answer"

    def name_of_topic(self, value):
        if value == ZERO_ID:
            return "zero"
        for name, known in self.topic_ids.items():
            if known == value:
                return f"id of {name}"
        return "an id"

    def name_of_producer(self, value):
        for name, known in self.producer_ids.items():
            if known == value:
                return f"producer {name}"
        return value if value < 0 else "a producer"


# --- Making answers comparable ---

def _a(word, unless=()):
    return lambda side, value: value if value in unless else word


def _without_uuid(value):
    """Member ids end in a random part: clients with names of their own stay apart."""
    return re.sub("-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", "-uuid", value) if value else value


NORMAL = {
    "ThrottleTimeMs": _a("throttle"),
    "ClusterId": _a("cluster", (None,)),
    "Host": _a("host", ("",)),
    "Port": _a("port", (-1, 0)),
    "LogAppendTimeMs": _a("time", (-1,)),
    "LastTimestamp": _a("time", (-1,)),
    "TransactionStartTimeMs": _a("time", (-1, 0)),
    "SessionId": _a("session", (0,)),
    "FinalizedFeaturesEpoch": _a("epoch", (-1,)),
    "LogDir": _a("folder"),
    "TotalBytes": _a("bytes", (-1,)),
    "UsableBytes": _a("bytes", (-1,)),
    "TopicId": lambda side, value: side.name_of_topic(value),
    "ProducerId": lambda side, value: side.name_of_producer(value),
    "MemberId": lambda side, value: _without_uuid(value),
    "Leader": lambda side, value: _without_uuid(value),
    "CrcGood": lambda side, value: value,
}
# What tells the elements of a list apart, where their order says nothing.
IDENTITY = ("Name", "TopicName", "ResourceType", "ResourceName", "Topic", "TopicId", "PartitionIndex",
            "Partition", "Index", "ApiKey", "NodeId", "BrokerId", "LogDir", "Key", "BatchIndex", "ProducerId",
            "MemberId", "GroupInstanceId", "SubtopologyId", "StatusCode", "GroupId")
ORDERED = ("Records", "Synonyms")


def _identity(item):
    return [str(item.get(name)) for name in IDENTITY] if isinstance(item, dict) else [str(item)]


def normalise(value, side, name=""):
    if name == "Records" and isinstance(value, bytes):
        value = batches.describe(value)
    if isinstance(value, dict):
        return {key: normalise(item, side, key) for key, item in value.items()}
    if isinstance(value, list):
        items = [normalise(item, side) for item in value]
        return items if name in ORDERED else sorted(items, key=_identity)
    return NORMAL[name](side, value) if name in NORMAL else value


def differences(kafka, chitin, path=""):
    """[(path, Kafka's value, Chitin's value)]"""
    if isinstance(kafka, dict) and isinstance(chitin, dict):
        found = []
        for key in dict.fromkeys([*kafka, *chitin]):
            found += differences(kafka.get(key, "missing"), chitin.get(key, "missing"),
                                 f"{path}.{key}" if path else key)
        return found
    if isinstance(kafka, list) and isinstance(chitin, list):
        return _list_differences(kafka, chitin, path)
    if kafka == chitin and type(kafka) is type(chitin):
        return []
    if path.endswith("ErrorMessage") and kafka and chitin:
        path += " in other words"
    elif path.endswith("ErrorMessage") and kafka is None and chitin:
        path += " where Kafka says nothing"
    return [(path, kafka, chitin)]


# What names the elements of a list, where they are unique.
NAMES = (("Name",), ("ApiKey",), ("ResourceType", "ResourceName"), ("ResourceName",),
         ("TopicName",))


def _by_name(kafka, chitin):
    """Both lists as dictionaries, or None."""
    for names in NAMES:
        tables = []
        for items in (kafka, chitin):
            if not all(isinstance(item, dict) and names[0] in item for item in items):
                break
            keys = [":".join(str(item.get(n)) for n in names)
                    for item in items]
            if len(set(keys)) < len(keys):
                break
            tables.append(dict(zip(keys, items)))
        if len(tables) == 2:
            return tables
    return None


def _list_differences(kafka, chitin, path):
    tables = _by_name(kafka, chitin) if kafka and chitin else None
    found = []
    if tables is not None:
        for key in dict.fromkeys([*tables[0], *tables[1]]):
            at = f"{path}[{key}]"
            if key not in tables[1]:
                found.append((f"{at} is missing", tables[0][key], "nothing"))
            elif key not in tables[0]:
                found.append((f"{at} is added", "nothing", tables[1][key]))
            else:
                found += differences(tables[0][key], tables[1][key], at)
        return found
    if len(kafka) != len(chitin):
        return [(path, kafka, chitin)]
    for i, (x, y) in enumerate(zip(kafka, chitin)):
        found += differences(x, y, f"{path}[{i}]")
    return found


# --- The two together ---

class Pair:
    def __init__(self, kafka, chitin, report):
        self.kafka = kafka
        self.chitin = chitin
        self.sides = (kafka, chitin)
        self.report = report

    def call(self, label, name, version, body, seconds=10, client_id="compare"):
        """Asks both and compares; returns (Kafka's answer, Chitin's)."""
        answers = self.ask(name, version, body, seconds, client_id)
        pair = [normalise(copy.deepcopy(answer), side)
                for answer, side in zip(answers, self.sides)]
        self.report.case(name, version, label, differences(*pair), answers)
        return answers

    def every(self, label, name, body, seconds=10, versions=None):
        """The same at every version; body may be a function of the version."""
        for version in versions or wire.APIS[name].versions:
            self.call(label, name, version, body(version) if callable(body) else body, seconds)

    def ask(self, name, version, body, seconds=10, client_id="compare"):
        """Asks both without comparing: preparation."""
        api = wire.APIS[name]
        for side in self.sides:
            side.send(api, version, body, client_id)
        return [side.receive(api, version, seconds) for side in self.sides]

    def raw(self, label, data, seconds=2, pieces=False):
        """Bytes on a connection of their own: the frames that come back, and how it ends."""
        ends = [self._raw_one(side, resolve(data, side), seconds, pieces) for side in self.sides]
        self.report.case("bytes", None, label, differences(*ends), ends)

    def _raw_one(self, side, data, seconds, pieces):
        connection = wire.Connection(side.port)
        frames = []
        try:
            for i in range(0, len(data), 1 if pieces else len(data) or 1):
                connection.send(data[i:i + (1 if pieces else len(data))])
            while True:
                frames.append(_describe_frame(connection.receive(seconds)))
        except wire.Closed:
            return {"frames": frames, "end": "closed"}
        except wire.NoAnswer:
            return {"frames": frames, "end": "open"}
        finally:
            connection.close()

    def topic(self, name, partitions=1, configs=None):
        """Makes a topic on both and learns its ids."""
        answers = self.ask("CreateTopics", 7, {"Topics": [{
            "Name": name, "NumPartitions": partitions, "ReplicationFactor": 1,
            "Configs": [{"Name": key, "Value": value} for key, value in (configs or {}).items()]}],
            "timeoutMs": 10000})
        for side, answer in zip(self.sides, answers):
            result = answer["Topics"][0]
            if result["ErrorCode"] != 0:
                raise AssertionError(f"{side.name} does not make {name}: {result}")
            side.topic_ids[name] = result["TopicId"]
        self.wait_for_topic(name, partitions)
        return name

    def cluster_id(self):
        answers = self.ask("Metadata", 12, {"Topics": []})
        known = dict(zip((side.name for side in self.sides), (a["ClusterId"] for a in answers)))
        return Ref(lambda side: known[side.name])

    def learn_ids(self, name):
        for side, answer in zip(self.sides, self.ask("Metadata", 12, {
                "Topics": [{"Name": name}], "AllowAutoTopicCreation": False})):
            side.topic_ids[name] = answer["Topics"][0]["TopicId"]

    def wait_for_topic(self, name, partitions):
        """Until both lead all partitions of it: Kafka's broker is behind its controller a little."""
        body = {"Topics": [{"Name": name, "Partitions": [
            {"PartitionIndex": i, "Timestamp": -1} for i in range(partitions)]}], "ReplicaId": -1}
        self._until(lambda: self.ask("ListOffsets", 7, body), lambda answer: all(
            p["ErrorCode"] == 0 for t in answer["Topics"] for p in t["Partitions"]),
            f"{name} has leaders")

    def wait_until_gone(self, name):
        self._until(lambda: self.ask("Metadata", 12, {
            "Topics": [{"Name": name}], "AllowAutoTopicCreation": False}),
            lambda answer: answer["Topics"][0]["ErrorCode"] == 3, f"{name} is gone")

    def _until(self, ask, good, what):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if all(good(answer) for answer in ask()):
                return
            time.sleep(0.02)
        raise AssertionError(f"it never came true that {what}")

    def pause(self, seconds):
        time.sleep(seconds)

    def init_producer_id(self, name):
        """Both give an id; Kafka needs a moment for its first one."""
        body = {"TransactionalId": None, "TransactionTimeoutMs": 60000}
        self._until(lambda: self.ask("InitProducerId", 4, body), lambda answer:
                    answer["ErrorCode"] == 0, "there are producer ids")
        for side, answer in zip(self.sides, self.ask("InitProducerId", 4, body)):
            side.producer_ids[name] = answer["ProducerId"]

    def produce(self, topic, records, partition=0):
        """Preparation; must succeed."""
        for side, answer in zip(self.sides, self.ask("Produce", 12, produce_body(
                topic, [(partition, records)]))):
            result = answer["Responses"][0]["PartitionResponses"][0]
            if result["ErrorCode"] != 0:
                raise AssertionError(f"{side.name} refuses: {result}")


def _describe_frame(data):
    """What is alike of all answers: an error code follows the correlation id of ApiVersions."""
    return {"correlation id": data[:4].hex(), "error or more": data[4:6].hex()}


def produce_body(topic, parts, acks=-1, transactional_id=None, timeout_ms=5000):
    """parts: [(partition, records)]"""
    return {"TransactionalId": transactional_id, "Acks": acks, "TimeoutMs": timeout_ms, "TopicData": [{
        "Name": topic, "TopicId": Ref(lambda side: side.topic_ids.get(topic, uuid.UUID(int=77))),
        "PartitionData": [{"Index": index, "Records": records} for index, records in parts]}]}
