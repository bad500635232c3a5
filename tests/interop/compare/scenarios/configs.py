# SPDX-License-Identifier: Apache-2.0
"""Settings: DescribeConfigs, AlterConfigs, IncrementalAlterConfigs, ListConfigResources."""

TOPIC, BROKER, LOGGER, CLIENT_METRICS, GROUP = 2, 4, 8, 16, 32
SET, DELETE, APPEND, SUBTRACT = 0, 1, 2, 3


def asked(kind, name, keys=None):
    return {"ResourceType": kind, "ResourceName": name, "ConfigurationKeys": keys}


def describe_topic(t):
    t.topic("dc", 1, {"retention.ms": "123456", "cleanup.policy": "compact"})
    for synonyms in (False, True):
        for documentation in (False, True):
            t.every(f"a topic, synonyms {synonyms}, documentation {documentation}", "DescribeConfigs", {
                "Resources": [asked(TOPIC, "dc")], "IncludeSynonyms": synonyms,
                "IncludeDocumentation": documentation})

    def every(label, *resources, synonyms=True):
        t.every(label, "DescribeConfigs", {"Resources": list(resources), "IncludeSynonyms": synonyms})

    every("two keys", asked(TOPIC, "dc", ["retention.ms", "segment.bytes"]))
    every("no keys", asked(TOPIC, "dc", []))
    every("an unknown key", asked(TOPIC, "dc", ["no.such", "retention.ms"]))
    every("a key twice", asked(TOPIC, "dc", ["retention.ms", "retention.ms"]))
    every("an unknown topic", asked(TOPIC, "dc-none"))
    every("a bad name", asked(TOPIC, "a b"), asked(TOPIC, ""))
    every("a topic twice", asked(TOPIC, "dc", ["retention.ms"]), asked(TOPIC, "dc", ["segment.bytes"]))
    every("good and bad", asked(TOPIC, "dc", ["retention.ms"]), asked(TOPIC, "dc-none"))
    for kind in (0, 1, 3, 64, -1):
        every(f"type {kind}", asked(kind, "x"))
    every("nothing")


def describe_broker(t):
    for name in ("1", ""):
        for synonyms in (False, True):
            t.every(f"broker '{name}', synonyms {synonyms}", "DescribeConfigs", {
                "Resources": [asked(BROKER, name)], "IncludeSynonyms": synonyms})
    for name in ("2", "-1", "x", "01", " 1", "9999999999"):
        t.every(f"broker '{name}'", "DescribeConfigs", {
            "Resources": [asked(BROKER, name, ["log.retention.ms"])]})
    t.every("some keys", "DescribeConfigs", {"Resources": [asked(BROKER, "1", [
        "log.retention.ms", "log.retention.hours", "num.io.threads", "no.such", "node.id"])],
        "IncludeSynonyms": True})
    for name in ("2", "", "x"):
        t.every(f"loggers of '{name}'", "DescribeConfigs", {"Resources": [asked(LOGGER, name, ["x"])]})


def describe_others(t):
    t.every("client metrics", "DescribeConfigs", {
        "Resources": [asked(CLIENT_METRICS, "m")], "IncludeSynonyms": True})
    t.every("client metrics without name", "DescribeConfigs", {"Resources": [asked(CLIENT_METRICS, "")]})
    t.every("a group", "DescribeConfigs", {"Resources": [asked(GROUP, "g")], "IncludeSynonyms": True})
    t.every("a group without name", "DescribeConfigs", {"Resources": [asked(GROUP, "")]})


def change(name, operation, value):
    return {"Name": name, "ConfigOperation": operation, "Value": value}


def look(t, label, kind, name, keys):
    """What is set now. Kafka's broker learns it a moment after the answer."""
    body = {"Resources": [asked(kind, name, keys)], "IncludeSynonyms": True}

    def values():
        return [{c["Name"]: c["Value"] for c in answer["Results"][0]["Configs"]}
                for answer in t.ask("DescribeConfigs", 4, body)]
    equal = 0
    for _ in range(50):
        a, b = values()
        equal = equal + 1 if a == b else 0
        if equal == 3:
            break
        t.pause(0.03)
    t.call(f"after: {label}", "DescribeConfigs", 4, body)


def incremental_topic(t):
    t.topic("iac", 1)
    keys = ["retention.ms", "cleanup.policy", "compression.type", "min.insync.replicas"]

    def both(label, *changes, kind=TOPIC, name="iac"):
        for version in (0, 1):
            for only_check in (True, False):
                t.call(label + (", checked" if only_check else ""), "IncrementalAlterConfigs", version, {
                    "Resources": [{"ResourceType": kind, "ResourceName": name,
                                   "Configs": list(changes)}], "ValidateOnly": only_check})
        if kind == TOPIC and name == "iac":
            look(t, label, TOPIC, "iac", keys)

    both("set", change("retention.ms", SET, "5000"))
    both("delete", change("retention.ms", DELETE, None))
    both("delete with a value", change("retention.ms", DELETE, "7"))
    both("delete what is not set", change("segment.bytes", DELETE, None))
    both("delete what is unknown", change("no.such", DELETE, None))
    both("append", change("cleanup.policy", APPEND, "compact"))
    both("append two", change("cleanup.policy", APPEND, "compact,delete"))
    both("subtract", change("cleanup.policy", SUBTRACT, "delete"))
    both("subtract the rest", change("cleanup.policy", SUBTRACT, "compact"))
    both("subtract what is not there", change("cleanup.policy", SUBTRACT, "delete"))
    both("append what is bad", change("cleanup.policy", APPEND, "shred"))
    both("delete the list", change("cleanup.policy", DELETE, ""))
    both("append to a number", change("retention.ms", APPEND, "5"))
    both("subtract from a number", change("retention.ms", SUBTRACT, "5"))
    both("append to what is unknown", change("no.such", APPEND, "5"))
    both("set what is unknown", change("no.such", SET, "5"))
    both("set to null", change("retention.ms", SET, None))
    both("append null", change("cleanup.policy", APPEND, None))
    both("set to a bad value", change("retention.ms", SET, "soon"))
    both("unknown operation", change("retention.ms", 4, "5"))
    both("operation -1", change("retention.ms", -1, "5"))
    both("a name twice", change("retention.ms", SET, "5"), change("retention.ms", SET, "6"))
    both("no changes")
    both("good and bad", change("retention.ms", SET, "77"), change("segment.bytes", SET, "x"))
    both("empty name", change("", SET, "5"))
    both("throttled append", change("leader.replication.throttled.replicas", APPEND, "0:1"))
    both("compression", change("compression.type", SET, "gzip"))
    both("min isr", change("min.insync.replicas", SET, "2"))
    both("unknown topic", change("retention.ms", SET, "5"), name="iac-none")
    both("bad value for an unknown topic", change("retention.ms", SET, "x"), name="iac-none")
    both("bad topic name", change("retention.ms", SET, "5"), name="a b")
    both("empty topic name", change("retention.ms", SET, "5"), name="")
    for kind in (0, 1, 3, 64, -1):
        both(f"type {kind}", change("retention.ms", SET, "5"), kind=kind, name="x")
    for version in (0, 1):
        resource = {"ResourceType": TOPIC, "ResourceName": "iac",
                    "Configs": [change("retention.ms", SET, "5")]}
        t.call("resource twice", "IncrementalAlterConfigs", version, {"Resources": [resource, resource]})
        t.call("good and unknown", "IncrementalAlterConfigs", version, {"Resources": [
            resource, {**resource, "ResourceName": "iac-none"}]})


def incremental_broker(t):
    def both(label, *changes, name="1", clean=()):
        for only_check in (True, False):
            t.call(label + (", checked" if only_check else ""), "IncrementalAlterConfigs", 1, {
                "Resources": [{"ResourceType": BROKER, "ResourceName": name,
                               "Configs": list(changes)}], "ValidateOnly": only_check})
        if clean:
            look(t, label, BROKER, name, list(clean))
            t.ask("IncrementalAlterConfigs", 1, {"Resources": [{
                "ResourceType": BROKER, "ResourceName": name,
                "Configs": [change(key, DELETE, None) for key in clean]}]})

    for name in ("1", ""):
        both(f"'{name}' set", change("log.retention.ms", SET, "86400000"), name=name,
             clean=["log.retention.ms"])
        both(f"'{name}' list", change("log.cleanup.policy", APPEND, "compact"), name=name,
             clean=["log.cleanup.policy"])
        both(f"'{name}' bad value", change("log.retention.ms", SET, "x"), name=name)
        both(f"'{name}' read-only", change("broker.rack", SET, "r"), name=name)
        both(f"'{name}' read-only list", change("log.dirs", SET, "/x"), name=name)
        both(f"'{name}' unknown", change("no.such", SET, "1"), name=name)
        both(f"'{name}' delete unknown", change("no.such", DELETE, None), name=name)
        both(f"'{name}' append to a number", change("num.io.threads", APPEND, "1"), name=name)
        both(f"'{name}' threads", change("num.io.threads", SET, "9"), name=name,
             clean=["num.io.threads"])
        both(f"'{name}' too many threads", change("num.io.threads", SET, "100"), name=name)
        both(f"'{name}' no threads", change("num.io.threads", SET, "0"), name=name)
        both(f"'{name}' per broker only", change("ssl.keystore.location", SET, "/x"), name=name)
        both(f"'{name}' message size", change("message.max.bytes", SET, "2000000"), name=name,
             clean=["message.max.bytes"])
        both(f"'{name}' min isr", change("min.insync.replicas", SET, "1"), name=name)
    # What one broker has does not hide what the cluster has.
    for name, value in (("1", "3000000"), ("", "4000000")):
        t.ask("IncrementalAlterConfigs", 1, {"Resources": [{
            "ResourceType": BROKER, "ResourceName": name,
            "Configs": [change("message.max.bytes", SET, value)]}]})
    for name in ("1", ""):
        look(t, f"'{name}' beside the other", BROKER, name, ["message.max.bytes"])
    for name in ("1", ""):
        t.ask("IncrementalAlterConfigs", 1, {"Resources": [{
            "ResourceType": BROKER, "ResourceName": name,
            "Configs": [change("message.max.bytes", DELETE, None)]}]})
    both("another broker", change("log.retention.ms", SET, "5"), name="2")
    both("no number", change("log.retention.ms", SET, "5"), name="x")
    both("negative", change("log.retention.ms", SET, "5"), name="-1")
    for name in ("1", ""):
        t.call(f"logger '{name}'", "IncrementalAlterConfigs", 1, {"Resources": [{
            "ResourceType": LOGGER, "ResourceName": name,
            "Configs": [change("no.such.logger", SET, "DEBUG")]}]})


def alter(t):
    t.topic("ac", 1, {"segment.bytes": "2000000"})

    def both(label, *configs, kind=TOPIC, name="ac"):
        for version in (0, 2):
            for only_check in (True, False):
                t.call(label + (", checked" if only_check else ""), "AlterConfigs", version, {
                    "Resources": [{"ResourceType": kind, "ResourceName": name, "Configs": [
                        {"Name": key, "Value": value} for key, value in configs]}],
                    "ValidateOnly": only_check})
        if kind == TOPIC and name == "ac":
            look(t, label, TOPIC, "ac", ["retention.ms", "segment.bytes"])

    both("one", ("retention.ms", "6000"))
    both("none")
    both("null", ("retention.ms", None))
    both("bad value", ("retention.ms", "x"))
    both("unknown", ("no.such", "1"))
    both("twice", ("retention.ms", "1"), ("retention.ms", "2"))
    both("empty name", ("", "1"))
    both("unknown topic", ("retention.ms", "1"), name="ac-none")
    both("bad topic", ("retention.ms", "1"), name="a b")
    both("empty topic", ("retention.ms", "1"), name="")
    both("another broker", ("log.retention.ms", "1"), kind=BROKER, name="2")
    both("no broker", ("log.retention.ms", "1"), kind=BROKER, name="x")
    both("read-only", ("broker.rack", "1"), kind=BROKER, name="1")
    both("logger", ("x", "DEBUG"), kind=LOGGER, name="1")
    for kind in (0, 1, 64):
        both(f"type {kind}", ("retention.ms", "5"), kind=kind, name="x")
    resource = {"ResourceType": TOPIC, "ResourceName": "ac", "Configs": []}
    for version in (0, 2):
        t.call("resource twice", "AlterConfigs", version, {"Resources": [resource, resource]})


def list_config_resources(t):
    t.topic("lcr")
    t.call("as it began", "ListConfigResources", 0, {})
    for kinds in ([], [TOPIC], [BROKER], [LOGGER], [CLIENT_METRICS], [GROUP], [TOPIC, BROKER],
                  [TOPIC, TOPIC], [0], [1], [64], [-1], [TOPIC, 77]):
        t.call(f"types {kinds}", "ListConfigResources", 1, {"ResourceTypes": kinds})


VALUES = ("", "-3", "-2", "-1", "0", "1", "7", "14", "1000", "1048576", "2147483647", "2147483648",
          "9223372036854775807", "9223372036854775808", "1.5", "0.3", "true", "none", "delete", "gzip",
          "*", "0:1", "CreateTime", ",", "a b")


def keys_of(t, kind, name):
    """Those that both know."""
    answers = t.ask("DescribeConfigs", 4, {"Resources": [asked(kind, name)]})
    known = [[c["Name"] for c in answer["Results"][0]["Configs"]] for answer in answers]
    return [key for key in known[0] if key in known[1]]


def topic_values(t):
    """What each topic configuration takes."""
    t.topic("tv")
    for key in keys_of(t, TOPIC, "tv"):
        for value in VALUES:
            t.call(f"{key}={value}", "IncrementalAlterConfigs", 1, {"Resources": [{
                "ResourceType": TOPIC, "ResourceName": "tv", "Configs": [change(key, SET, value)]}],
                "ValidateOnly": True})


def broker_values(t):
    """What each broker configuration takes while the broker runs."""
    for key in keys_of(t, BROKER, "1"):
        for name in ("1", ""):
            for value in ("0", "1", "-7", "a b"):
                t.call(f"'{name}' {key}={value}", "IncrementalAlterConfigs", 1, {"Resources": [{
                    "ResourceType": BROKER, "ResourceName": name, "Configs": [change(key, SET, value)]}],
                    "ValidateOnly": True})


def dynamic_of_every_key(t):
    """Each key that may change, set to what it is: where values come from, and their synonyms."""
    configs = [{c["Name"]: c for c in answer["Results"][0]["Configs"]} for answer in t.ask(
        "DescribeConfigs", 4, {"Resources": [asked(BROKER, "1")]})]
    values = {key: c["Value"] for key, c in configs[0].items() if key in configs[1] and
              not c["ReadOnly"] and c["Value"] is not None and c["Value"] == configs[1][key]["Value"]}

    def request(name, operation, keys, only_check=False):
        return {"Resources": [{"ResourceType": BROKER, "ResourceName": name, "Configs": [
            change(key, operation, values[key] if operation == SET else None) for key in keys]}],
            "ValidateOnly": only_check}

    for names in (("",), ("1",), ("", "1")):
        taken = {}
        for name in names:
            taken[name] = [key for key in values if all(
                answer["Responses"][0]["ErrorCode"] == 0 for answer in t.ask(
                    "IncrementalAlterConfigs", 1, request(name, SET, [key], True)))]
            t.call(f"{len(taken[name]) > 40} for '{name}'", "IncrementalAlterConfigs", 1,
                   request(name, SET, taken[name]))
        for shown in ("1", ""):
            look(t, f"every key set for {names}, seen at '{shown}'", BROKER, shown, list(values))
        for name in names:
            # The cluster's min.insync.replicas stays, with eligible leader replicas.
            t.call(f"delete all for '{name}'", "IncrementalAlterConfigs", 1, request(
                name, DELETE, [key for key in taken[name] if key != "min.insync.replicas"]))
        look(t, f"every key deleted for {names}", BROKER, "1", list(values))


def of_listeners(t):
    """Keys with the prefix of a listener."""
    key = "listener.name.plaintext.max.connections"
    rate = "listener.name.plaintext.max.connection.creation.rate"

    def alter_one(label, name, key, value, only_check=False):
        t.call(label, "IncrementalAlterConfigs", 1, {"Resources": [{
            "ResourceType": BROKER, "ResourceName": name, "Configs": [change(
                key, DELETE if value is None else SET, value)]}], "ValidateOnly": only_check})

    for name in ("1", ""):
        for value in ("x", "-1", "", "99999999999"):
            alter_one(f"'{name}' bad {value}", name, key, value, only_check=True)
            alter_one(f"'{name}' bad rate {value}", name, rate, value, only_check=True)
        alter_one(f"'{name}' no such listener", name, key.replace("plaintext", "nobody"), "5",
                  only_check=True)
        alter_one(f"'{name}' set", name, key, "1000")
        alter_one(f"'{name}' set rate", name, rate, "10000")
    for name in ("1", ""):
        look(t, f"'{name}' of a listener", BROKER, name, [key, rate, "max.connections"])
    for name in ("1", ""):
        alter_one(f"'{name}' delete", name, key, None)
        alter_one(f"'{name}' delete rate", name, rate, None)
        look(t, f"'{name}' of a listener, deleted", BROKER, name, [key, rate, "max.connections"])


def rules(t):
    """What holds between keys."""
    for name in ("1", ""):
        for changes in ([("max.connections.per.ip", "0")],
                        [("max.connections.per.ip", "0"),
                         ("max.connections.per.ip.overrides", "10.0.0.9:5")],
                        [("max.connections.per.ip.overrides", "a b")],
                        [("max.connections.per.ip.overrides", "a b:5")],
                        [("max.connections.per.ip.overrides", "a:x")],
                        [("max.connections.per.ip.overrides", "localhost:5, ::1:7")],
                        [("log.retention.ms", "0")], [("log.retention.ms", "-5")],
                        [("log.roll.ms", "0")], [("log.roll.jitter.ms", "-1")],
                        [("log.cleaner.dedupe.buffer.size", "1048576")],
                        [("log.cleaner.min.compaction.lag.ms", "5"),
                         ("log.cleaner.max.compaction.lag.ms", "4")]):
            t.call(f"'{name}' {changes}", "IncrementalAlterConfigs", 1, {"Resources": [{
                "ResourceType": BROKER, "ResourceName": name,
                "Configs": [change(key, SET, value) for key, value in changes]}],
                "ValidateOnly": True})


def alter_broker(t):
    """The old form on brokers: what is not named goes."""
    def alter_all(label, name, *configs):
        for version in (0, 2):
            t.call(label, "AlterConfigs", version, {"Resources": [{
                "ResourceType": BROKER, "ResourceName": name, "Configs": [
                    {"Name": key, "Value": value} for key, value in configs]}]})
            look(t, f"{label} v{version}", BROKER, name, ["log.retention.ms", "message.max.bytes"])

    for name in ("1",):
        alter_all(f"'{name}' two", name, ("log.retention.ms", "86400000"),
                  ("message.max.bytes", "3000000"))
        alter_all(f"'{name}' one of them", name, ("message.max.bytes", "4000000"))
        alter_all(f"'{name}' none", name)


def inherited(t):
    """A topic shows what its broker and the cluster say."""
    t.topic("in", 1, {"retention.ms": "777777"})
    body = {"Resources": [asked(TOPIC, "in", ["retention.ms", "segment.bytes", "cleanup.policy",
                                              "max.message.bytes", "compression.type"])],
            "IncludeSynonyms": True}
    settings = (("log.segment.bytes", "3000000"), ("log.cleanup.policy", "compact"),
                ("message.max.bytes", "555555"), ("compression.type", "lz4"))
    for name in ("", "1"):
        t.ask("IncrementalAlterConfigs", 1, {"Resources": [{
            "ResourceType": BROKER, "ResourceName": name,
            "Configs": [change(key, SET, value) for key, value in settings]}]})
        t.pause(0.5)
        t.call(f"a topic under '{name}'", "DescribeConfigs", 4, body)
    for name in ("", "1"):
        t.ask("IncrementalAlterConfigs", 1, {"Resources": [{
            "ResourceType": BROKER, "ResourceName": name,
            "Configs": [change(key, DELETE, None) for key, _ in settings]}]})
        t.pause(0.5)
        t.call(f"a topic without '{name}'", "DescribeConfigs", 4, body)


SCENARIOS = (describe_topic, describe_broker, describe_others, incremental_topic, incremental_broker,
             alter, topic_values, broker_values,
             dynamic_of_every_key, of_listeners, rules, alter_broker, inherited, list_config_resources)
