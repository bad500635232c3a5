# SPDX-License-Identifier: Apache-2.0
"""Starting, refusing to start, stopping."""

import os
import re
import signal
import socket
import subprocess
import time

import pytest

import clients
from broker import binary, free_port
from clients import Confluent, Kcat


def tree(folder):
    """Every path below a folder with its bytes."""
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None
            for p in sorted(folder.rglob("*"))}


def run_server(*arguments, seconds=10):
    """Runs a start that must fail; returns its status and what it said."""
    result = subprocess.run([binary(), "server", *arguments], capture_output=True, text=True,
                            timeout=seconds)
    return result.returncode, result.stderr


def start_and_fail(folder, *settings):
    arguments = []
    for setting in [f"listeners=PLAINTEXT://127.0.0.1:{free_port()}", f"log.dirs={folder}",
                    *settings]:
        arguments += ["--override", setting]
    return run_server(*arguments)


def test_ready_line(own_broker):
    b = own_broker().start()
    cluster = re.search(r"cluster\.id=(\S{22})", (b.folder / "meta.properties").read_text())[1]
    deadline = time.monotonic() + 5
    while cluster not in b.log() and time.monotonic() < deadline:
        time.sleep(0.01)
    ready = [line for line in b.log().splitlines() if re.search(r"\d+(\.\d+)? ms", line)]
    assert len(ready) == 1, b.log()
    for part in (f"127.0.0.1:{b.port}", cluster, str(b.folder)):
        assert part in ready[0]
    b.stop()


def test_properties_file(tmp_path, own_broker):
    port = free_port()
    file = tmp_path / "server.properties"
    file.write_text("# as Apache Kafka ships it\n"
                    "process.roles=broker,controller\n"
                    "node.id=7\n"
                    "controller.quorum.voters=7@localhost:9093\n"
                    f"listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:0\n"
                    f"advertised.listeners=PLAINTEXT://127.0.0.2:{port}\n"
                    "controller.listener.names=CONTROLLER\n"
                    "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT\n"
                    "num.network.threads=3\nnum.io.threads=16\n"
                    "zookeeper.connect=localhost:2181\nnum.partition=3\n"
                    f"log.dirs={tmp_path / 'from-file'}\nnum.partitions=3\n")
    b = own_broker(port=port)
    b.command = lambda: [binary(), "server", str(file), "--override", "num.partitions=5"]
    b.start()
    Kcat.run(b.bootstrap, "-L", "-t", "auto")  # creates it
    metadata = clients.admin(b.bootstrap).list_topics(timeout=10)
    assert len(metadata.topics["auto"].partitions) == 5
    assert str(metadata.brokers[7]) == f"127.0.0.2:{port}/7"
    assert "num.io.threads" in b.log() and "num.network.threads" not in b.log()
    assert "zookeeper.connect" in b.log()
    assert "did you mean num.partitions?" in b.log()
    b.stop()
    assert (tmp_path / "from-file" / "auto-4").is_dir()


REFUSED = {
    "num.partitions=0": ["num.partitions", "0", "at least 1"],
    "log.retention.ms=soon": ["log.retention.ms", "soon", "LONG"],
    "compression.type=zip": ["compression.type", "zip", "gzip"],
    "listeners=PLAINTEXT://:99999": ["listeners", "99999", "65535"],
    "listeners=SSL://127.0.0.1:0": ["SSL", "TLS"],
    "listeners=SASL_PLAINTEXT://127.0.0.1:0": ["SASL_PLAINTEXT", "authentication"],
    "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer":
        ["authorizer.class.name", "authorization"],
    "sasl.enabled.mechanisms=PLAIN": ["sasl.enabled.mechanisms"],
    "ssl.keystore.location=/nowhere": ["ssl.keystore.location", "TLS"],
    "ssl.client.auth=required": ["ssl.client.auth"],
    "process.roles=broker": ["process.roles", "broker,controller"],
    "controller.quorum.voters=1@a:1,2@b:1,3@c:1": ["controller.quorum.voters"],
    "advertised.listeners=PLAINTEXT://0.0.0.0:9092": ["advertised.listeners", "0.0.0.0"],
    "log.dirs=": ["log.dir"],
}


@pytest.mark.parametrize("setting", REFUSED)
def test_a_bad_setting_stops_the_start(tmp_path, setting):
    folder = tmp_path / "data"
    status, words = start_and_fail(folder, setting)
    assert status == 1, words
    for word in REFUSED[setting]:
        assert word in words, words
    assert not folder.exists() or not any(folder.iterdir()), "it wrote something first"


def test_secrets_are_not_printed(tmp_path):
    status, words = start_and_fail(tmp_path / "data", "ssl.key.password=hush-hush")
    assert status == 1
    assert "ssl.key.password" in words and "hush-hush" not in words


def test_usage_errors():
    for arguments in (["--no-such-flag"], ["--override"]):
        status, words = run_server(*arguments)
        assert status == 2, (arguments, words)
        assert arguments[0] in words
    status, words = run_server("--override", "novalue")
    assert status in (1, 2) and "novalue" in words
    status, words = run_server("/nowhere/server.properties")
    assert status == 1 and "/nowhere/server.properties" in words


def test_port_in_use_is_explained(tmp_path):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        port = s.getsockname()[1]
        status, words = start_and_fail(tmp_path / "data",
                                       f"listeners=PLAINTEXT://127.0.0.1:{port}")
    assert status == 1
    assert str(port) in words and "use" in words


def test_two_on_one_folder(own_broker):
    b = own_broker().start()
    status, words = start_and_fail(b.folder)
    assert status == 1
    assert str(b.folder) in words
    Confluent.produce(b.bootstrap, "still-there", [(None, b"x", [])])
    b.stop()


FOREIGN = {
    "another node": ("node.id=1", "node.id=2", ["node", "2"]),
    "another version": ("version=1", "version=9", ["version", "9"]),
    "no cluster": (re.compile("cluster.id=.*"), "", ["cluster.id"]),
}


@pytest.mark.parametrize("case", FOREIGN)
def test_a_foreign_folder_is_left_alone(own_broker, case):
    b = own_broker().start()
    Confluent.produce(b.bootstrap, "t", [(None, b"x", [])])
    b.stop()
    meta = b.folder / "meta.properties"
    pattern, replacement, words = FOREIGN[case]
    text = re.sub(pattern, replacement, meta.read_text())
    assert text != meta.read_text()
    meta.write_text(text)
    before = tree(b.folder)
    status, said = start_and_fail(b.folder)
    assert status == 1, said
    for word in [*words, "meta.properties"]:
        assert word in said, said
    after = tree(b.folder)
    after.pop(".lock", None)
    before.pop(".lock", None)
    assert after == before


def test_folders_of_two_clusters(own_broker, tmp_path):
    one, two = own_broker().start(), own_broker().start()
    one.stop()
    two.stop()
    status, words = start_and_fail(f"{one.folder},{two.folder}")
    assert status == 1
    assert "cluster" in words and str(two.folder) in words


def test_sigterm_leaves_a_clean_folder(own_broker, topic):
    b = own_broker().start()
    records = [(b"k", b"%d" % i, []) for i in range(1000)]
    Confluent.produce(b.bootstrap, topic, records)
    started = time.monotonic()
    b.stop()
    assert time.monotonic() - started < 5
    assert (b.folder / ".kafka_cleanshutdown").exists()
    for name in ("recovery-point-offset-checkpoint", "replication-offset-checkpoint",
                 "log-start-offset-checkpoint"):
        assert (b.folder / name).read_text().startswith("0\n"), name
    b.start()
    assert not (b.folder / ".kafka_cleanshutdown").exists()
    assert Confluent.consume(b.bootstrap, topic, 1000) == records
    Confluent.produce(b.bootstrap, topic, [(None, b"more", [])])
    assert len(Confluent.consume(b.bootstrap, topic, 1001)) == 1001
    b.stop()


def test_sigterm_with_records_in_the_cache(own_broker, topic):
    """The last sync of a log happens when nobody waits for it any more."""
    b = own_broker().start()
    clients.create_topic(b.bootstrap, topic, 4, {"write.caching": "true"})
    for partition in range(4):
        Confluent.produce(b.bootstrap, topic, [(None, b"x" * 1000, [])] * 100, partition=partition)
    b.stop()
    assert " bug: " not in b.log()
    b.start()
    for partition in range(4):
        assert len(Confluent.consume(b.bootstrap, topic, 100, partition=partition)) == 100
    b.stop()


def test_sigterm_finishes_what_is_in_flight(own_broker, topic):
    """Every produce that the broker took before the signal is answered, or was never taken."""
    b = own_broker().start()
    clients.create_topic(b.bootstrap, topic)
    import confluent_kafka
    answers = {"good": 0, "bad": 0}

    def delivered(error, _message):
        answers["bad" if error else "good"] += 1

    producer = confluent_kafka.Producer({"bootstrap.servers": b.bootstrap, "linger.ms": 0,
                                         "message.timeout.ms": 3000, "retries": 0})
    for i in range(3000):
        producer.produce(topic, b"%d" % i, on_delivery=delivered)
        producer.poll(0)
        if i == 1500:
            deadline = time.monotonic() + 10
            while answers["good"] == 0 and time.monotonic() < deadline:
                producer.poll(0.01)
            b.signal(signal.SIGTERM)
    producer.flush(10)
    assert b.wait() == 0
    b.start()
    low, high = Confluent.consumer(b.bootstrap, topic).get_watermark_offsets(
        confluent_kafka.TopicPartition(topic, 0), timeout=10)
    assert high - low >= answers["good"] > 0
    b.stop()


def test_sigterm_with_waiting_fetches(own_broker, topic):
    b = own_broker().start()
    clients.create_topic(b.bootstrap, topic)
    consumer = Confluent.consumer(b.bootstrap, topic, **{"fetch.wait.max.ms": 60000,
                                                         "socket.timeout.ms": 70000})
    assert consumer.poll(1) is None
    started = time.monotonic()
    b.stop()
    assert time.monotonic() - started < 5
    consumer.close()


def test_restart_keeps_topics_and_their_configs(own_broker, topic):
    b = own_broker().start()
    clients.create_topic(b.bootstrap, topic, partitions=7, config={"retention.ms": "12345678"})
    for _ in range(3):
        b.stop()
        b.start()
    admin = clients.admin(b.bootstrap)
    assert len(admin.list_topics(topic, timeout=10).topics[topic].partitions) == 7
    from confluent_kafka.admin import ConfigResource
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    values = admin.describe_configs([resource])[resource].result(10)
    assert values["retention.ms"].value == "12345678"
    b.stop()


def test_idle_costs_nothing(own_broker):
    b = own_broker().start()
    clients.create_topic(b.bootstrap, "idle", partitions=10)
    clients.admin.cache_clear()  # its client would ask now and then
    time.sleep(1.5)
    before = b.cpu_seconds()
    time.sleep(3)
    assert b.cpu_seconds() - before <= 0.02
    assert b.rss_bytes() < 32 << 20
    b.stop()


def test_ipv6(own_broker, topic):
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(("::1", 0))
            port = s.getsockname()[1]
    except OSError:
        pytest.skip("no IPv6 here")
    b = own_broker(overrides=[f"listeners=PLAINTEXT://127.0.0.1:{free_port()},SIX://[::1]:{port}",
                              "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SIX:PLAINTEXT"])
    b.start(wait=False)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("::1", port), 1).close()
            break
        except OSError:
            time.sleep(0.02)
    # Without advertised.listeners the answer is the address by which we came.
    Confluent.produce(f"[::1]:{port}", topic, [(None, b"six", [])])
    assert Confluent.consume(f"[::1]:{port}", topic, 1) == [(None, b"six", [])]
    b.stop()


def test_small_files_limit(own_broker, topic):
    """An idle partition holds no descriptor, so a small limit is enough for many."""
    b = own_broker()
    command = b.command()
    b.command = lambda: ["sh", "-c", 'ulimit -n 256 && exec "$@"', "sh", *command]
    b.start()
    clients.create_topic(b.bootstrap, topic, partitions=500)
    Confluent.produce(b.bootstrap, topic, [(None, b"x", [])], partition=499)
    assert Confluent.consume(b.bootstrap, topic, 1, partition=499) == [(None, b"x", [])]
    b.stop()


def test_the_wire_is_not_started_before_it_can_serve(own_broker, topic):
    """Whoever can connect is served: no connection is accepted and then left waiting."""
    b = own_broker().start()
    clients.create_topic(b.bootstrap, topic, partitions=50)
    b.kill()
    b.start()
    started = time.monotonic()
    assert topic in clients.admin(b.bootstrap).list_topics(timeout=10).topics
    assert time.monotonic() - started < 5
    assert os.path.isdir(b.folder / f"{topic}-49")
    b.stop()
