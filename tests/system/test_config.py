# SPDX-License-Identifier: Apache-2.0
"""Settings act: those of the file, of the environment, and those that change while it runs."""

import json
import os
import re
import signal
import socket
import struct
import subprocess
import time
from pathlib import Path

import confluent_kafka
import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, ConfigSource

import clients
from broker import binary, free_port
from clients import Confluent

API_VERSIONS = struct.pack(">ihhih", 10, 18, 0, 7, -1)


def config(b, *arguments, status=0):
    """chitin config ..., what it says."""
    done = subprocess.run([b.program, "config", *arguments, "-b", b.bootstrap],
                          capture_output=True, text=True, timeout=clients.WAIT_SECONDS)
    assert done.returncode == status, done
    return done.stdout + done.stderr


def alter(b, *arguments, status=0):
    return config(b, "alter", *arguments, status=status)


def describe(b, kind, name):
    resource = ConfigResource(kind, name)
    # A client of its own: one that is kept holds on to connections of brokers that are gone.
    admin = AdminClient({"bootstrap.servers": b.bootstrap, "log_level": 2})
    return admin.describe_configs([resource])[resource].result(clients.WAIT_SECONDS)


def synonyms(entry):
    return [(s.name, s.value, ConfigSource(s.source).name) for s in entry.synonyms.values()]


def produce(b, topic, *records, **settings):
    Confluent.produce(b.bootstrap, topic, [(k, v, []) for k, v in records], **settings)


def refused(b, topic, *records, **settings):
    """The error with which the records come back."""
    with pytest.raises(AssertionError) as caught:
        produce(b, topic, *records, **settings)
    return str(caught.value)


def wait_until(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.02)


def with_two_listeners(own_broker, *overrides):
    """A broker, and the port of its second listener, which is called LIMITED."""
    port, limited = free_port(), free_port()
    b = own_broker(port=port, overrides=[
        f"listeners=PLAINTEXT://127.0.0.1:{port},LIMITED://127.0.0.1:{limited}",
        "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,LIMITED:PLAINTEXT", *overrides])
    return b.start(), limited


def call(port, source="127.0.0.1", seconds=5):
    """A connection that has sent a request."""
    s = socket.create_connection(("127.0.0.1", port), seconds, (source, 0))
    s.sendall(API_VERSIONS)
    return s


def is_answered(s, seconds):
    s.settimeout(seconds)
    try:
        return len(s.recv(4)) == 4
    except (TimeoutError, socket.timeout):
        return False
    except ConnectionError:
        return False


# --- While it runs ---

def test_broker_configs_at_run_time(own_broker, topic):
    b = own_broker(overrides=["num.partitions=2"]).start()
    broker = ConfigResource.Type.BROKER
    clients.create_topic(b.bootstrap, topic)
    big = (None, os.urandom(5000))

    alter(b, "broker", "default", "-c", "message.max.bytes=1000")
    assert "MSG_SIZE_TOO_LARGE" in refused(b, topic, big)
    alter(b, "broker", "1", "-c", "message.max.bytes=2000000")
    produce(b, topic, big)
    # A topic's own value wins over both.
    alter(b, "topic", topic, "-c", "max.message.bytes=500")
    assert "MSG_SIZE_TOO_LARGE" in refused(b, topic, big)
    alter(b, "topic", topic, "-d", "max.message.bytes")
    produce(b, topic, big)

    entry = describe(b, broker, "1")["message.max.bytes"]
    assert (entry.value, entry.is_read_only, entry.is_sensitive) == ("2000000", False, False)
    expected = [("message.max.bytes", "2000000", "DYNAMIC_BROKER_CONFIG"),
                ("message.max.bytes", "1000", "DYNAMIC_DEFAULT_BROKER_CONFIG"),
                ("message.max.bytes", "1048588", "DEFAULT_CONFIG")]
    assert ConfigSource(entry.source).name == "DYNAMIC_BROKER_CONFIG"
    # The client keeps one synonym of each name.
    assert synonyms(entry)[0] in expected
    entry = describe(b, broker, "1")["num.partitions"]
    assert (entry.value, entry.is_read_only) == ("2", True)
    assert ConfigSource(entry.source).name == "STATIC_BROKER_CONFIG"

    for arguments, words in (
            (["-c", "num.partitions=3"], "Cannot update these configs dynamically: [num.partitions]"),
            (["-c", "message.max.bytes=x"],
             "Invalid value x for configuration message.max.bytes: Not a number of type INT"),
            (["-c", "log.retention.ms=0"],
             "log.retention.ms must be unlimited (-1) or, greater than or equal to 1"),
            (["-c", "max.connections.per.ip=0"],
             "max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides "
             "property is set."),
            (["-c", "ssl.keystore.location=/x"], "TLS is not there yet")):
        said = alter(b, "broker", "1", *arguments, status=1)
        assert words in said, said

    # They outlive a crash, and go when they are taken away.
    b.kill()
    b.start()
    produce(b, topic, big)
    alter(b, "broker", "1", "-d", "message.max.bytes")
    assert "MSG_SIZE_TOO_LARGE" in refused(b, topic, big)
    alter(b, "broker", "default", "-d", "message.max.bytes")
    produce(b, topic, big)
    b.stop()


def test_connection_limits_at_run_time(own_broker):
    b, limited = with_two_listeners(own_broker)

    alter(b, "broker", "default", "-c", "listener.name.limited.max.connections=2")
    first, second, third = (call(limited) for _ in range(3))
    assert is_answered(first, 5) and is_answered(second, 5)
    assert not is_answered(third, 0.3)  # it waits in the backlog
    other = call(b.port)  # the other listener does not care
    assert is_answered(other, 5)
    first.close()
    assert is_answered(third, 5)
    alter(b, "broker", "default", "-d", "listener.name.limited.max.connections")
    fourth = call(limited)
    assert is_answered(fourth, 5)

    alter(b, "broker", "1", "-c", "max.connections.per.ip.overrides=127.0.0.9:1")
    here = call(limited, "127.0.0.9")
    assert is_answered(here, 5)
    assert not is_answered(call(limited, "127.0.0.9"), 5)
    for s in (second, third, fourth, other, here):
        s.close()

    alter(b, "broker", "1", "-c", "listener.name.limited.max.connection.creation.rate=3")
    begin = time.monotonic()
    crowd = [call(limited) for _ in range(7)]
    assert all(is_answered(s, 5) for s in crowd)
    assert time.monotonic() - begin > 1
    for s in crowd:
        s.close()
    b.stop()


def test_the_backlog_is_bounded(own_broker):
    b, limited = with_two_listeners(own_broker, "socket.listen.backlog.size=1",
                                    "listener.name.limited.max.connections=1")
    first = call(limited)
    assert is_answered(first, 5)
    waiting = []
    with pytest.raises((TimeoutError, socket.timeout)):
        for _ in range(6):
            waiting.append(call(limited, seconds=0.3))
    assert 1 <= len(waiting) <= 3
    for s in (first, *waiting):
        s.close()
    b.stop()


# --- Topics ---

TOO_OLD, TOO_NEW = 1000, int(time.time() * 1000) + 7200_000


def test_what_a_topic_accepts(own_broker, topic):
    b = own_broker().start()
    clients.create_topic(b.bootstrap, topic)

    def stamped(timestamp):
        producer = confluent_kafka.Producer({"bootstrap.servers": b.bootstrap,
                                             "message.timeout.ms": 20000})
        errors = []
        producer.produce(topic, b"v", timestamp=timestamp,
                         on_delivery=lambda error, _message: errors.append(error))
        producer.flush(clients.WAIT_SECONDS)
        return errors[0].name() if errors[0] is not None else None

    assert stamped(TOO_OLD) is None
    assert stamped(TOO_NEW) == "INVALID_TIMESTAMP"
    alter(b, "topic", topic, "-c", "message.timestamp.after.max.ms=9000000",
          "-c", "message.timestamp.before.max.ms=3600000")
    assert stamped(TOO_NEW) is None
    assert stamped(TOO_OLD) == "INVALID_TIMESTAMP"
    # The time of the append is never wrong.
    alter(b, "topic", topic, "-c", "message.timestamp.type=LogAppendTime")
    assert stamped(TOO_OLD) is None
    consumer = Confluent.consumer(b.bootstrap, topic)
    kind, stamp = Confluent.messages(consumer, 3)[-1].timestamp()
    consumer.close()
    assert kind == confluent_kafka.TIMESTAMP_LOG_APPEND_TIME
    assert abs(stamp - time.time() * 1000) < 60_000

    produce(b, topic, (None, b"no key"))
    alter(b, "topic", topic, "-c", "cleanup.policy=compact")
    assert "INVALID_RECORD" in refused(b, topic, (None, b"no key"))
    produce(b, topic, (b"k", b"v"))
    b.stop()


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd", "uncompressed"])
def test_compression_by_the_broker(broker, topic, codec):
    clients.create_topic(broker.bootstrap, topic, config={"compression.type": codec})
    sent = [(b"k", b"value " * 200)]
    produce(broker, topic, *sent, codec="gzip" if codec != "gzip" else "none")
    stored = (broker.folder / f"{topic}-0" / ("0" * 20 + ".log")).read_bytes()
    expected = ["uncompressed", "gzip", "snappy", "lz4", "zstd"].index(codec)
    assert struct.unpack(">h", stored[21:23])[0] & 7 == expected
    assert Confluent.consume(broker.bootstrap, topic, 1) == [(b"k", b"value " * 200, [])]


def test_levels_of_compression(broker, topic):
    value = b"".join(p.read_bytes() for p in sorted(Path(__file__).parent.glob("*.py")))[:500_000]
    sizes = {}
    for level in (1, 9):
        name = f"{topic}.{level}"
        clients.create_topic(broker.bootstrap, name, config={
            "compression.type": "gzip", "compression.gzip.level": str(level)})
        produce(broker, name, (b"k", value))
        sizes[level] = (broker.folder / f"{name}-0" / ("0" * 20 + ".log")).stat().st_size
    assert sizes[9] < sizes[1] * 0.95, sizes


def test_segments_and_indexes(own_broker, topic):
    b = own_broker(overrides=["log.retention.check.interval.ms=200"]).start()
    settings = {"segment.bytes": "1048576"}
    clients.create_topic(b.bootstrap, topic, config={**settings, "index.interval.bytes": "1024"})
    clients.create_topic(b.bootstrap, topic + ".sparse",
                         config={**settings, "index.interval.bytes": "200000",
                                 "preallocate": "true"})
    records = [(None, os.urandom(1000)) for _ in range(2500)]
    index_sizes = {}
    for name in (topic, topic + ".sparse"):
        produce(b, name, *records, **{"batch.num.messages": 10})
        folder = b.folder / f"{name}-0"
        logs = sorted(folder.glob("*.log"))
        assert len(logs) == 3, logs
        assert all(p.stat().st_size <= 1048576 for p in logs)
        index_sizes[name] = logs[0].with_suffix(".index").stat().st_size
    assert index_sizes[topic] > 20 * index_sizes[topic + ".sparse"] > 0
    # It has its full size from the beginning, and readers see nothing of that.
    assert sorted((b.folder / f"{topic}.sparse-0").glob("*.log"))[-1].stat().st_size == 1048576
    assert len(Confluent.consume(b.bootstrap, topic + ".sparse", 2500)) == 2500

    # retention.bytes takes whole segments; the files go after the delay.
    alter(b, "topic", topic, "-c", "retention.bytes=1100000", "-c", "file.delete.delay.ms=0")
    folder = b.folder / f"{topic}-0"
    wait_until(lambda: len(list(folder.glob("*.log"))) == 2 and not list(folder.glob("*.deleted")))
    # segment.ms: the next append finds the segment too old.
    alter(b, "topic", topic, "-c", "segment.ms=1", "-d", "retention.bytes")
    time.sleep(0.01)
    produce(b, topic, (None, b"x"))
    assert len(list(folder.glob("*.log"))) == 3
    b.stop()
    last = sorted((b.folder / f"{topic}.sparse-0").glob("*.log"))[-1]
    assert 0 < last.stat().st_size < 1048576


# --- The file and the environment ---

def test_settings_of_the_file(own_broker, topic, tmp_path):
    metadata = tmp_path / "metadata"
    b = own_broker(overrides=["log.retention.hours=1", "log.retention.minutes=2",
                              "log.segment.bytes=2000000", "log.cleanup.policy=compact,delete",
                              "compression.type=lz4", "num.partitions=3", "broker.rack=r1",
                              "delete.topic.enable=false", f"metadata.log.dir={metadata}",
                              "log.flush.scheduler.interval.ms=777", "queued.max.requests=1"])
    b.start()
    assert (metadata / "__cluster_metadata-0").is_dir()
    assert not (b.folder / "__cluster_metadata-0").exists()
    produce(b, topic, (b"k", b"x"))
    assert len(clients.admin(b.bootstrap).list_topics(timeout=10).topics[topic].partitions) == 3
    found = describe(b, ConfigResource.Type.TOPIC, topic)
    for key, value in (("retention.ms", "120000"), ("segment.bytes", "2000000"),
                       ("cleanup.policy", "compact,delete"), ("compression.type", "lz4"),
                       ("flush.ms", "777")):
        assert found[key].value == value, key
        assert not found[key].is_read_only
    with pytest.raises(confluent_kafka.KafkaException) as caught:
        clients.delete_topic(b.bootstrap, topic)
    assert caught.value.args[0].code() == 73  # TOPIC_DELETION_DISABLED
    b.stop()


def test_a_wrong_file_is_told_line_by_line(tmp_path):
    done = subprocess.run([binary(), "server", "--log-format=json",
                           "--override", f"log.dirs={tmp_path / 'data'}",
                           "--override", "num.partitions=0", "--override", "num.partition=1",
                           "--override", "max.connections.per.ip=x"],
                          capture_output=True, timeout=10, check=False)
    assert done.returncode == 1
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["message"] for line in lines if line["level"] == "ERROR"] == [
        "cannot start: Invalid value 0 for configuration num.partitions: Value must be at least 1; "
        "valid: [1,...]",
        "cannot start: Invalid value x for configuration max.connections.per.ip: Not a number of "
        "type INT; valid: [0,...]"]
    warning = next(line for line in lines if line["level"] == "WARN")
    assert (warning["key"], warning["nearest"]) == ("num.partition", "num.partitions")


def test_environment_and_json_lines(tmp_path):
    port = free_port()
    file = tmp_path / "server.properties"
    file.write_text(f"listeners=PLAINTEXT://127.0.0.1:1\nlog.dirs={tmp_path / 'data'}\n"
                    "num.partitions=2\nmessage.max.bytes=2\n")
    variables = {name: value for name, value in os.environ.items() if not name.startswith("KAFKA_")}
    variables.update({"KAFKA_LISTENERS": f"PLAINTEXT://127.0.0.1:{port}",
                      "KAFKA_NUM_PARTITIONS": "3", "KAFKA_MESSAGE_MAX_BYTES": "3",
                      "KAFKA_HEAP_OPTS": "-Xmx1g", "KAFKA_NUM_PARTITION": "\x1b\xff",
                      "KAFKA_PORT": "tcp://10.0.0.1:9092",
                      "CLUSTER_ID": "4L6g3nShT-eMCtK--X86sw"})
    process = subprocess.Popen(
        [binary(), "server", "--override", "message.max.bytes=4", "--log-format", "json", str(file)],
        stderr=subprocess.PIPE, env=variables)
    try:
        lines = [json.loads(process.stderr.readline())]
        while "address" not in lines[-1]:
            lines.append(json.loads(process.stderr.readline()))
        ready = lines[-1]
        assert (ready["level"], ready["area"], ready["node_id"]) == ("INFO", "server", 1)
        assert ready["address"] == f"127.0.0.1:{port}" and ready["address"] in ready["message"]
        assert ready["cluster_id"] == "4L6g3nShT-eMCtK--X86sw"
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", ready["time"])
        warnings = [line["message"] for line in lines if line["level"] == "WARN"]
        assert all(line.keys() >= {"time", "level", "area", "message"} for line in lines)
        assert warnings == ["KAFKA_NUM_PARTITION is not a known key; did you mean "
                            "KAFKA_NUM_PARTITIONS?"]
        resource = ConfigResource(ConfigResource.Type.BROKER, "1")
        admin = AdminClient({"bootstrap.servers": f"127.0.0.1:{port}", "log_level": 2})
        found = admin.describe_configs([resource])[resource].result(clients.WAIT_SECONDS)
        assert found["num.partitions"].value == "3"
        assert found["message.max.bytes"].value == "4"
    finally:
        process.send_signal(signal.SIGTERM)
        rest = process.stderr.read()
        assert process.wait(10) == 0
    assert {json.loads(line)["level"] for line in rest.splitlines()} == {"INFO"}
