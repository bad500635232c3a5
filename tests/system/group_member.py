#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One member of a consumer group, which tells what happens to it: a JSON object per line.

{"t": seconds on the monotonic clock, "event": ...} with
    started                          it is about to subscribe
    assigned|revoked, "partitions"   it owns them from now on, or no longer
    records, "partition", "first", "last"
    committed, "offsets"             {"partition": offset}, answered without an error
    ended                            it has left the group

It commits what it has read after every batch, and leaves on SIGTERM.
"""

import argparse
import json
import signal
import sys
import time


def tell(event, **what):
    print(json.dumps({"t": time.monotonic(), "event": event, **what}), flush=True)


def tell_records(partition, offsets):
    tell("records", partition=partition, first=min(offsets), last=max(offsets), count=len(offsets))


class Stop:
    """True once SIGTERM has come."""

    def __init__(self):
        self.wanted = False
        signal.signal(signal.SIGTERM, self.note)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def note(self, _number, _frame):
        self.wanted = True


def run_confluent(a, stop):
    import confluent_kafka as ck

    incremental = a.protocol == "consumer" or a.assignor == "cooperative-sticky"

    def assigned(consumer, partitions):
        # Said first: from here on it is the owner.
        tell("assigned", partitions=[p.partition for p in partitions])
        (consumer.incremental_assign if incremental else consumer.assign)(partitions)

    def revoked(consumer, partitions):
        (consumer.incremental_unassign(partitions) if incremental else consumer.unassign())
        tell("revoked", partitions=[p.partition for p in partitions])

    config = {
        "bootstrap.servers": a.bootstrap, "group.id": a.group, "client.id": a.name,
        "enable.auto.commit": False, "auto.offset.reset": "earliest", "log_level": 2,
        "reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 200, "fetch.wait.max.ms": 100,
        "topic.metadata.refresh.interval.ms": 2000, "fetch.error.backoff.ms": 50,
    }
    if a.protocol == "consumer":
        config["group.protocol"] = "consumer"
    else:
        config.update({"session.timeout.ms": a.session_ms, "heartbeat.interval.ms": a.session_ms // 4,
                       "partition.assignment.strategy": a.assignor})
    if a.instance:
        config["group.instance.id"] = a.instance
    consumer = ck.Consumer(config)
    consumer.subscribe([a.topic], on_assign=assigned, on_revoke=revoked, on_lost=revoked)
    while not stop.wanted:
        seen = {}
        for m in consumer.consume(500, 0.1):
            if m.error() is None:
                seen.setdefault(m.partition(), []).append(m.offset())
        for partition, offsets in seen.items():
            tell_records(partition, offsets)
        if seen:
            commit_confluent(ck, consumer, a.topic, seen)
    consumer.close()


def commit_confluent(ck, consumer, topic, seen):
    wanted = [ck.TopicPartition(topic, p, max(o) + 1) for p, o in seen.items()]
    try:
        done = consumer.commit(offsets=wanted, asynchronous=False)
    except ck.KafkaException:
        return  # the group moved on, or the broker is away: what was read will be read again
    tell("committed", offsets={str(p.partition): p.offset for p in done if p.error is None})


def run_kafka_python(a, stop):
    import kafka
    from kafka.coordinator.assignors.range import RangePartitionAssignor
    from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor

    class Listener(kafka.ConsumerRebalanceListener):
        def on_partitions_revoked(self, revoked):
            tell("revoked", partitions=[p.partition for p in revoked])

        def on_partitions_assigned(self, assigned):
            tell("assigned", partitions=[p.partition for p in assigned])

    assignor = RangePartitionAssignor if a.assignor == "range" else RoundRobinPartitionAssignor
    consumer = kafka.KafkaConsumer(
        bootstrap_servers=a.bootstrap, group_id=a.group, client_id=a.name,
        enable_auto_commit=False, auto_offset_reset="earliest", api_version=(2, 5, 0),
        session_timeout_ms=a.session_ms, heartbeat_interval_ms=a.session_ms // 4,
        partition_assignment_strategy=[assignor], reconnect_backoff_ms=20,
        reconnect_backoff_max_ms=200, retry_backoff_ms=50, fetch_max_wait_ms=100,
        metadata_max_age_ms=2000)
    consumer.subscribe([a.topic], listener=Listener())
    while not stop.wanted:
        batches = consumer.poll(timeout_ms=100, max_records=500)
        for partition, records in batches.items():
            tell_records(partition.partition, [r.offset for r in records])
        if batches:
            commit_kafka_python(kafka, consumer, batches)
    # It reads no more, and close() does not tell the listener before others get what it had.
    tell("revoked", partitions=[p.partition for p in consumer.assignment()])
    consumer.close(autocommit=False)


def commit_kafka_python(kafka, consumer, batches):
    wanted = {p: kafka.OffsetAndMetadata(records[-1].offset + 1, "") for p, records in batches.items()}
    try:
        consumer.commit(wanted)
    except kafka.errors.KafkaError:
        return
    tell("committed", offsets={str(p.partition): o.offset for p, o in wanted.items()})


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library", choices=["confluent", "kafka-python"], required=True)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--group", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--protocol", choices=["classic", "consumer"], default="classic")
    parser.add_argument("--assignor", default="range")
    parser.add_argument("--session-ms", type=int, default=10000)
    parser.add_argument("--instance", help="group.instance.id")
    a = parser.parse_args()
    stop = Stop()
    tell("started")
    (run_confluent if a.library == "confluent" else run_kafka_python)(a, stop)
    tell("ended")
    return 0


if __name__ == "__main__":
    sys.exit(main())
