# SPDX-License-Identifier: Apache-2.0
"""Three real clients behind one face: confluent-kafka (librdkafka), kafka-python and kcat.

A record is (key, value, headers); None for a null key or value, headers a list of (name, bytes).
"""

import functools
import json
import socket
import struct
import subprocess
import time

import confluent_kafka
from confluent_kafka.admin import AdminClient, NewTopic
import kafka

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
WAIT_SECONDS = 20


@functools.lru_cache(maxsize=4)
def admin(bootstrap):
    """Kept, since an admin client that nobody holds drops what it was asked."""
    # Quiet: it would tell of every broker that a test stops.
    return AdminClient({"bootstrap.servers": bootstrap, "log_level": 2})


def create_topic(bootstrap, name, partitions=1, config=None):
    topic = NewTopic(name, partitions, 1, config=config or {})
    admin(bootstrap).create_topics([topic])[name].result(WAIT_SECONDS)
    return name


def delete_topic(bootstrap, name):
    admin(bootstrap).delete_topics([name])[name].result(WAIT_SECONDS)


def delete_records(port, topic, partition, before, seconds=WAIT_SECONDS):
    """What no client of Debian's can ask for: DeleteRecords version 0. The new log start offset."""
    name = topic.encode()
    body = struct.pack(f">hhih1sih{len(name)}siiqi", 21, 0, 1, 1, b"t", 1, len(name), name, 1,
                       partition, before, int(seconds * 1000))
    with socket.create_connection(("127.0.0.1", port), seconds) as s:
        s.sendall(struct.pack(">i", len(body)) + body)
        answer = b""
        while len(answer) < 4 or len(answer) < 4 + struct.unpack(">i", answer[:4])[0]:
            part = s.recv(4096)
            if not part:
                raise ConnectionError("closed instead of an answer")
            answer += part
    _index, low_watermark, error = struct.unpack(">iqh", answer[-14:])
    if error != 0:
        raise OSError(f"DeleteRecords: error {error}")
    return low_watermark


class Confluent:
    """librdkafka."""
    codecs = CODECS

    @staticmethod
    def produce(bootstrap, topic, records, codec="none", partition=0, **settings):
        failures = []

        def delivered(error, _message):
            if error is not None:
                failures.append(error)

        producer = confluent_kafka.Producer({
            "bootstrap.servers": bootstrap, "compression.type": codec, "linger.ms": 20,
            "message.max.bytes": 2000000, "message.timeout.ms": 20000, **settings})
        for key, value, headers in records:
            producer.produce(topic, value=value, key=key, headers=headers or None,
                             partition=partition, on_delivery=delivered)
        assert producer.flush(WAIT_SECONDS) == 0
        assert not failures, failures

    @staticmethod
    def consumer(bootstrap, topic, partition=0, offset=0, **settings):
        consumer = confluent_kafka.Consumer({
            "bootstrap.servers": bootstrap, "group.id": "unused", "enable.auto.commit": False,
            "auto.offset.reset": "earliest", "check.crcs": True, **settings})
        consumer.assign([confluent_kafka.TopicPartition(topic, partition, offset)])
        return consumer

    @staticmethod
    def messages(consumer, count, seconds=WAIT_SECONDS):
        messages = []
        deadline = time.monotonic() + seconds
        while len(messages) < count and time.monotonic() < deadline:
            message = consumer.poll(0.5)
            if message is not None:
                assert message.error() is None, message.error()
                messages.append(message)
        return messages

    @classmethod
    def consume(cls, bootstrap, topic, count, partition=0, offset=0):
        consumer = cls.consumer(bootstrap, topic, partition, offset)
        try:
            return [(m.key(), m.value(), m.headers() or [])
                    for m in cls.messages(consumer, count)]
        finally:
            consumer.close()


class KafkaPython:
    """kafka-python: its codecs other than gzip need modules that Debian keeps apart."""
    codecs = ["none", "gzip"]

    @staticmethod
    def produce(bootstrap, topic, records, codec="none", partition=0):
        producer = kafka.KafkaProducer(
            bootstrap_servers=bootstrap, compression_type=None if codec == "none" else codec,
            max_request_size=2000000, acks="all", linger_ms=20)
        try:
            futures = [producer.send(topic, value, key, headers, partition)
                       for key, value, headers in records]
            for future in futures:
                future.get(WAIT_SECONDS)
        finally:
            producer.close()

    @staticmethod
    def consume(bootstrap, topic, count, partition=0, offset=0):
        consumer = kafka.KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False,
                                       consumer_timeout_ms=WAIT_SECONDS * 1000)
        try:
            where = kafka.TopicPartition(topic, partition)
            consumer.assign([where])
            consumer.seek(where, offset)
            records = []
            for message in consumer:
                records.append((message.key, message.value, list(message.headers)))
                if len(records) == count:
                    break
            return records
        finally:
            consumer.close()


class Kcat:
    """The command line client; text only, one call for each record."""
    codecs = CODECS

    @staticmethod
    def run(bootstrap, *arguments, stdin=b""):
        return subprocess.run(["kcat", "-b", bootstrap, *arguments], input=stdin, check=True,
                              timeout=WAIT_SECONDS, capture_output=True).stdout

    @classmethod
    def produce(cls, bootstrap, topic, records, codec="none", partition=0):
        for key, value, headers in records:
            arguments = ["-P", "-t", topic, "-p", str(partition), "-z", codec]
            for name, text in headers:
                arguments += ["-H", f"{name}={text.decode()}"]
            if key is not None:
                arguments += ["-K", "|"]
            if value is None:
                arguments += ["-Z"]
            line = (key + b"|" if key is not None else b"") + (value or b"")
            cls.run(bootstrap, *arguments, stdin=line)

    @classmethod
    def consume(cls, bootstrap, topic, count, partition=0, offset=0):
        out = cls.run(bootstrap, "-C", "-t", topic, "-p", str(partition), "-o", str(offset),
                      "-c", str(count), "-J", "-q")
        records = []
        for line in out.splitlines():
            m = json.loads(line)
            flat = m.get("headers") or []
            headers = [(flat[i], flat[i + 1].encode()) for i in range(0, len(flat), 2)]
            records.append((None if m["key"] is None else m["key"].encode(),
                            None if m["payload"] is None else m["payload"].encode(), headers))
        return records


CLIENTS = [Confluent, KafkaPython, Kcat]
