# SPDX-License-Identifier: Apache-2.0
"""confluent-kafka and kafka-python as PyPI has them today: python_clients.py BOOTSTRAP TOPIC"""

import sys
import time

import confluent_kafka
import kafka
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic
from kafka.admin import KafkaAdminClient

BOOTSTRAP, TOPIC = sys.argv[1:]
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


def expected(client):
    return [(codec.encode(), b"%s %d" % (client, i), [("h", b"1")])
            for codec in CODECS for i in range(100)]


def confluent_writes():
    producer = confluent_kafka.Producer
    for codec in CODECS:
        p = producer({"bootstrap.servers": BOOTSTRAP, "compression.type": codec,
                      "enable.idempotence": True})
        for i in range(100):
            p.produce(TOPIC, b"confluent %d" % i, codec.encode(), 0, headers=[("h", b"1")])
        assert p.flush(20) == 0


def python_writes():
    for codec in CODECS:
        p = kafka.KafkaProducer(bootstrap_servers=BOOTSTRAP,
                                compression_type=None if codec == "none" else codec)
        futures = [p.send(TOPIC, b"python %d" % i, codec.encode(), [("h", b"1")], 1)
                   for i in range(100)]
        for future in futures:
            future.get(20)
        p.close()


def confluent_reads(partition, count):
    c = confluent_kafka.Consumer({"bootstrap.servers": BOOTSTRAP, "group.id": "unused",
                                  "enable.auto.commit": False})
    c.assign([confluent_kafka.TopicPartition(TOPIC, partition, 0)])
    records = []
    deadline = time.monotonic() + 20
    while len(records) < count and time.monotonic() < deadline:
        for m in c.consume(1000, 0.5):
            assert m.error() is None, m.error()
            records.append((m.key(), m.value(), m.headers()))
    c.close()
    return records


def python_reads(partition, count):
    c = kafka.KafkaConsumer(bootstrap_servers=BOOTSTRAP, consumer_timeout_ms=20000,
                            enable_auto_commit=False)
    where = kafka.TopicPartition(TOPIC, partition)
    c.assign([where])
    c.seek_to_beginning(where)
    records = []
    for m in c:
        records.append((m.key, m.value, list(m.headers)))
        if len(records) == count:
            break
    c.close()
    return records


def main():
    admin = AdminClient({"bootstrap.servers": BOOTSTRAP})
    admin.create_topics([NewTopic(TOPIC, 1, 1)])[TOPIC].result(20)
    admin.create_partitions([NewPartitions(TOPIC, 2)])[TOPIC].result(20)
    confluent_writes()
    python_writes()
    for read in (confluent_reads, python_reads):
        assert read(0, 500) == expected(b"confluent"), read
        assert read(1, 500) == expected(b"python"), read
    other = KafkaAdminClient(bootstrap_servers=BOOTSTRAP)
    assert TOPIC in other.list_topics()
    other.delete_topics([TOPIC])
    other.close()
    print(f"confluent-kafka {confluent_kafka.version()}, kafka-python {kafka.__version__}")
    print("good")


main()
