# SPDX-License-Identifier: Apache-2.0
"""What is done to a directory that was closed cleanly is found and said, and never served wrongly.

Each case copies the directory, does harm, asks `chitin log verify`, starts the broker, reads. What
comes is what was written, in order and without holes, or an error; the partition beside it is served.

A slice runs with the other tests; DAMAGE=all takes every file and every kind of harm.
"""

import json
import os
import pty
import random
import re
import shutil
import subprocess
import time
from pathlib import Path

import confluent_kafka
import pytest

from broker import Broker, binary
from clients import Confluent, create_topic

COUNT = 240
VALUE = 10000


def records(seed, count, size):
    r = random.Random(seed)
    return [(b"k%d" % i, r.randbytes(size), []) for i in range(count)]


GOOD = records(1, 20, 10)
BAD = records(2, COUNT, VALUE)


@pytest.fixture(scope="module")
def closed(tmp_path_factory):
    """A directory with two topics, closed cleanly; `bad` has several segments."""
    if os.environ.get("SYSTEM_BOOTSTRAP"):
        pytest.skip("needs a broker process of its own")
    folder = tmp_path_factory.mktemp("damage") / "data"
    broker = Broker(folder).start()
    create_topic(broker.bootstrap, "good")
    create_topic(broker.bootstrap, "bad", 1, {"segment.bytes": "1048576"})
    Confluent.produce(broker.bootstrap, "good", GOOD)
    producer = confluent_kafka.Producer({"bootstrap.servers": broker.bootstrap, "linger.ms": 5,
                                         "enable.idempotence": True, "batch.num.messages": 7})
    now_ms = int(time.time() * 1000) - COUNT
    for i, (key, value, _) in enumerate(BAD):
        producer.produce("bad", value, key, 0, timestamp=now_ms + i)
    assert producer.flush(20) == 0
    broker.stop()
    assert len(list((folder / "bad-0").glob("*.log"))) >= 3
    status, out = verify(folder)
    assert status == 0, out
    return folder


def verify(folder):
    run = subprocess.run([binary(), "log", "verify", str(folder)], capture_output=True, text=True,
                         timeout=60)
    return run.returncode, run.stdout + run.stderr


def flip(at):
    def harm(path):
        data = bytearray(path.read_bytes())
        data[int(at * (len(data) - 1))] ^= 4
        path.write_bytes(bytes(data))
    return harm


def remove(path):
    path.unlink()


def empty(path):
    path.write_bytes(b"")


def fill(path):
    path.write_bytes(b"\xff" * path.stat().st_size)


def garble(path):
    path.write_bytes(random.Random(5).randbytes(path.stat().st_size))


def cut(path):
    path.write_bytes(path.read_bytes()[:-40])


def cut_batch(path):
    """Takes the second batch out."""
    data = path.read_bytes()
    first = 12 + int.from_bytes(data[8:12], "big")
    second = 12 + int.from_bytes(data[first + 8:first + 12], "big")
    path.write_bytes(data[:first] + data[first + second:])


def shift(path):
    path.write_bytes(path.read_bytes()[4:])


def remove_segment(path):
    for kind in ("log", "index", "timeindex", "snapshot"):
        path.with_suffix("." + kind).unlink(missing_ok=True)


def pick(folder, name):
    """'bad-0/*.log:1' is the second such file, ':-1' the last."""
    pattern, _, number = name.partition(":")
    return sorted(folder.glob(pattern))[int(number or 0)]


def read(broker, topic, expected):
    """True if all was read; False if an error came. Anything else fails the test."""
    errors = []
    consumer = Confluent.consumer(broker.bootstrap, topic, 0, 0,
                                  **{"check.crcs": False, "enable.partition.eof": True,
                                     "error_cb": errors.append, "fetch.wait.max.ms": 50})
    place, deadline = 0, time.monotonic() + 1.5
    try:
        while place < len(expected) and time.monotonic() < deadline:
            message = consumer.poll(0.1)
            if message is None:
                continue
            if message.error() is not None:
                assert message.error().code() != confluent_kafka.KafkaError._PARTITION_EOF, \
                    f"{topic} ends at {place}\n{broker.log()}"
                return False
            assert message.offset() == place, f"{topic}: {message.offset()} instead of {place}"
            assert (message.key(), message.value()) == expected[place][:2]
            place += 1
            deadline = time.monotonic() + 1.5
    finally:
        consumer.close()
    return place == len(expected)


# file, harm, what the broker says, whether everything can be read, whether verify finds damage
ALL, PART, REFUSES = "all", "part", "refuses to start"
CASES = [
    ("bad-0/*.log:0", flip(0.3), "the CRC of a batch is wrong", PART),
    ("bad-0/*.log:1", flip(0), "position 0: ", PART),
    ("bad-0/*.log:-1", flip(1), "the log was closed at offset", PART),
    ("bad-0/*.log:0", cut_batch, "a batch that was there is missing", PART),
    ("bad-0/*.log:-1", cut, "the log was closed at offset", PART),
    ("bad-0/*.log:0", remove_segment, "segments are missing", PART),
    ("bad-0/*.log:1", remove_segment, "a batch that was there is missing", PART),
    ("bad-0/*.log:-1", remove_segment, "no segment is there|the log was closed at offset", PART),
    ("bad-0/*.index:0", remove, "the offset index is missing or empty", ALL),
    ("bad-0/*.index:0", fill, "the last entry of the offset index does not fit", ALL),
    ("bad-0/*.index:0", shift, "its size is not that of whole entries|offset index", ALL),
    ("bad-0/*.timeindex:0", shift, "its size is not that of whole entries|time index", ALL),
    ("bad-0/*.snapshot:-1", remove, "producer snapshot at offset", ALL),
    ("bad-0/*.snapshot:-1", flip(0.6), "producer snapshot at offset", ALL),
    ("bad-0/leader-epoch-checkpoint", remove, "leader-epoch-checkpoint is made again", ALL),
    ("bad-0/leader-epoch-checkpoint", empty, "leader-epoch-checkpoint: it is empty", ALL),
    ("bad-0/partition.metadata", remove, "partition.metadata is missing or damaged", ALL),
    ("bad-0/partition.metadata", flip(0.6), "partition.metadata is missing or damaged", ALL),
    ("recovery-point-offset-checkpoint", remove, "recovery-point-offset-checkpoint is missing", ALL),
    ("recovery-point-offset-checkpoint", garble, "recovery-point-offset-checkpoint: line 1", ALL),
    ("log-start-offset-checkpoint", empty, "log-start-offset-checkpoint is empty", ALL),
    ("meta.properties", remove, "has no meta.properties", REFUSES),
    ("meta.properties", garble, "meta.properties", REFUSES),
    ("__cluster_metadata-0/quorum-state", remove, "quorum-state: is missing", ALL),
    ("__cluster_metadata-0/quorum-state", garble, "going on with the epoch of the log", ALL),
    ("__cluster_metadata-0/*.log", flip(0.5), "the metadata log is damaged", REFUSES),
    ("__cluster_metadata-0/*.log", cut, "the metadata log is damaged", REFUSES),
    ("__cluster_metadata-0/*0-0000000000.checkpoint", flip(0.5), "cannot load the metadata snapshot",
     REFUSES),
]


def start(folder):
    broker = Broker(folder, overrides=["chitin.scrub.bytes.per.second=1000000000"])
    broker.start(wait=False)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if broker.process.poll() is not None:
            return broker, False
        if "ready" in broker.log():
            return broker, True
        time.sleep(0.01)
    raise AssertionError("neither ready nor stopped\n" + broker.log())


def is_said(text, words):
    return any(word in text for word in words.split("|"))


def harm_and_start(folder, name, harm, words, readable):
    path = pick(folder, name)
    path.chmod(0o644)
    harm(path)
    status, out = verify(folder)
    assert status == 1, out
    broker, running = start(folder)
    try:
        assert running == (readable != REFUSES), broker.log()
        if running:
            assert read(broker, "bad", BAD) == (readable == ALL), broker.log()
            assert read(broker, "good", GOOD), broker.log()
            for _ in range(200): # a lazy log or the scrubber says it a little later
                if is_said(broker.log(), words):
                    break
                time.sleep(0.01)
        assert is_said(broker.log(), words), broker.log()
        if running:
            broker.stop()
    finally:
        if broker.is_running():
            broker.kill()


def ids(cases):
    return [f"{i}-{c[0].split('/')[-1]}" for i, c in enumerate(cases)]


@pytest.mark.parametrize("name,harm,words,readable", CASES, ids=ids(CASES))
def test_harm_is_said_and_not_served(closed, tmp_path, name, harm, words, readable):
    folder = tmp_path / "data"
    shutil.copytree(closed, folder)
    harm_and_start(folder, name, harm, words, readable)


# The harm that the file with what directories held might hide.
KNOWN_CASES = [c for c in CASES if c[0].startswith("bad-0/")]


@pytest.fixture
def known(closed, tmp_path, tmp_path_factory):
    """As `closed`, with so many partitions that the next start does not list their directories."""
    folder = tmp_path / "data"
    shutil.copytree(closed, folder)
    broker = Broker(folder, log_folder=tmp_path_factory.mktemp("before")).start()
    create_topic(broker.bootstrap, "many", 120)
    broker.stop()
    time.sleep(0.1) # what changed just before the stop is listed once more
    broker.start().stop()
    lines = (folder / ".chitin_directories").read_text().splitlines()
    assert len(lines) == 124 and any(line.startswith("bad 0 ") for line in lines), lines
    return folder


@pytest.mark.parametrize("name,harm,words,readable", KNOWN_CASES, ids=ids(KNOWN_CASES))
def test_harm_to_what_a_start_does_not_list(known, name, harm, words, readable):
    harm_and_start(known, name, harm, words, readable)


def test_a_damaged_list_of_directories_is_said_and_not_believed(known):
    flip(0.5)(known / ".chitin_directories")
    broker, _ = start(known)
    try:
        assert "/.chitin_directories is damaged" in broker.log(), broker.log()
        assert read(broker, "bad", BAD)
        broker.stop()
    finally:
        if broker.is_running():
            broker.kill()


def test_the_scrubber_finds_what_nobody_reads(closed, tmp_path):
    folder = tmp_path / "data"
    shutil.copytree(closed, folder)
    flip(0.3)(pick(folder, "bad-0/*.log:1"))
    broker, _ = start(folder)
    try:
        deadline = time.monotonic() + 10
        while "the CRC of a batch is wrong" not in broker.log():
            assert time.monotonic() < deadline, broker.log()
            time.sleep(0.02)
        broker.stop()
    finally:
        if broker.is_running():
            broker.kill()
    assert verify(folder)[0] == 1


# Of Apache Kafka, with a committed transaction and an aborted one.
TRANSACTIONS = Path(__file__).parent.parent / "golden/log/data-1/txa-0"


@pytest.fixture(scope="module")
def with_transactions(closed, tmp_path_factory):
    """`closed` with a topic `txa` that holds these records, closed cleanly as well."""
    folder = tmp_path_factory.mktemp("transactions") / "data"
    shutil.copytree(closed, folder)
    broker = Broker(folder).start()
    create_topic(broker.bootstrap, "txa")
    broker.stop()
    for path in (folder / "txa-0").iterdir():
        if path.name != "partition.metadata":
            path.unlink()
    for path in TRANSACTIONS.iterdir():
        if path.name != "partition.metadata":
            (folder / "txa-0" / path.name).write_bytes(path.read_bytes())
    (folder / ".kafka_cleanshutdown").unlink() # so that it looks where the logs end
    broker.start()
    assert committed_keys(broker) == [b"in", b"a"]
    broker.stop()
    assert (folder / "txa-0" / "00000000000000000000.txnindex").stat().st_size == 34
    assert verify(folder)[0] == 0
    return folder


def committed_keys(broker):
    consumer = Confluent.consumer(broker.bootstrap, "txa", 0, 0,
                                  **{"isolation.level": "read_committed", "enable.partition.eof": True,
                                     "fetch.wait.max.ms": 50})
    keys, deadline = [], time.monotonic() + 10
    try:
        while time.monotonic() < deadline:
            message = consumer.poll(0.1)
            if message is None:
                continue
            if message.error() is not None:
                assert message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF, message.error()
                return keys
            keys.append(message.key())
    finally:
        consumer.close()
    raise AssertionError("no end\n" + broker.log())


@pytest.mark.parametrize("harm", [flip(0.25), flip(0.5), flip(0.75), flip(1), empty, fill, garble, shift],
                         ids=["producer", "first", "last", "stable", "empty", "fill", "garble", "shift"])
def test_a_transaction_index_is_checked_before_it_is_used(with_transactions, tmp_path, harm):
    folder = tmp_path / "data"
    shutil.copytree(with_transactions, folder)
    path = folder / "txa-0" / "00000000000000000000.txnindex"
    good = path.read_bytes()
    harm(path)
    assert verify(folder)[0] == 1
    broker = Broker(folder, overrides=["chitin.scrub.bytes.per.second=0"]).start()
    try:
        assert committed_keys(broker) == [b"in", b"a"], broker.log()
        assert "txa-0/00000000000000000000.txnindex: " in broker.log(), broker.log()
        assert path.read_bytes() == good
        broker.stop()
    finally:
        if broker.is_running():
            broker.kill()
    assert verify(folder)[0] == 0


def test_verify_leaves_a_running_broker_alone(own_broker):
    broker = own_broker().start()
    status, out = verify(broker.folder)
    assert status == 5 and "held by a running broker" in out
    assert verify(broker.folder / "nothing")[0] == 3


def test_verify_speaks_json(closed, tmp_path):
    folder = tmp_path / "data"
    shutil.copytree(closed, folder)
    path = pick(folder, "bad-0/*.log:1")
    flip(0)(path)
    remove(pick(folder, "bad-0/*.index:0"))
    run = subprocess.run([binary(), "log", "verify", "-o", "json", folder, closed], capture_output=True,
                         text=True, timeout=60)
    assert run.returncode == 1
    findings = [json.loads(line) for line in run.stdout.splitlines()]
    assert {f["level"] for f in findings} == {"damage", "repair"}
    for f in findings:
        assert f.keys() == {"level", "file", "position", "offset", "endOffset", "problem", "remedy"}
        assert f["file"].startswith(str(folder)) and f["problem"] and f["remedy"]
    first = next(f for f in findings if f["level"] == "damage")
    assert (first["file"], first["position"]) == (str(path), 0)
    assert first["offset"] == int(path.stem)
    assert "damaged places" in run.stderr
    good = subprocess.run([binary(), "log", "verify", "-o", "json", closed], capture_output=True,
                          timeout=60)
    assert (good.returncode, good.stdout, good.stderr) == (0, b"", b"")


def run_on_terminal(*command):
    """Status, stdout, and what a terminal gets as stderr."""
    terminal, slave = pty.openpty()
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=slave, timeout=60)
    os.close(slave)
    shown = b""
    try:
        while part := os.read(terminal, 65536):
            shown += part
    except OSError: # the end of a terminal
        pass
    os.close(terminal)
    return run.returncode, run.stdout.decode(), shown.decode()


def test_verify_shows_how_far_it_is(closed, tmp_path):
    """On a terminal, every 64 MiB, and wipes it before the results."""
    folder = tmp_path / "data"
    shutil.copytree(closed, folder)
    status, _, shown = run_on_terminal(binary(), "log", "verify", str(folder))
    assert (status, shown) == (0, "")  # it is too small
    for i in range(1, 70):
        shutil.copytree(folder / "bad-0", folder / f"bad-{i}")
    status, out, shown = run_on_terminal(binary(), "log", "verify", str(folder))
    assert f"{folder}: " in out and "%" not in out
    places = [int(p) for p in re.findall(r"\r\x1b\[K *(\d+) %  " + re.escape(str(folder)), shown)]
    assert len(places) >= 2 and places == sorted(places) and 0 < places[0] <= places[-1] <= 100
    assert shown.split("bad-")[-1].count("\r\x1b[K") == 1  # wiped
    assert "%" not in verify(folder)[1]


HARMS = {"remove": remove, "empty": empty, "fill": fill, "garble": garble, "cut": cut, "shift": shift,
         "first": flip(0), "third": flip(0.3), "middle": flip(0.5), "last": flip(1)}

# Harm that changes no answer, and that nothing in the directory contradicts: the mark of a clean stop
# (without it recovery runs), the comment and names in meta.properties, the first metadata snapshot where
# the log holds the same records, partition.metadata of the metadata log.
UNKNOWABLE = (".kafka_cleanshutdown", "meta.properties", "checkpoint", "__cluster_metadata-0")

# What only helps to find something else may lack an entry, or have one that is wrong and still leads to
# the right place: as long as every answer is right.
HELPERS = (".index", ".timeindex", ".snapshot", "partition.metadata")


def looks_up(broker, times):
    """True if every seek ends where it should, and every look-up by time as in `times`."""
    consumer = Confluent.consumer(broker.bootstrap, "bad", 0, 0, **{"fetch.wait.max.ms": 50})
    try:
        for offset in list(range(0, COUNT, 17)) + [COUNT - 1]:
            consumer.assign([confluent_kafka.TopicPartition("bad", 0, offset)])
            message = consumer.poll(2)
            if message is None or message.error() is not None or message.offset() != offset:
                return False
            assert message.value() == BAD[offset][1]
        return times is None or times_of(consumer, times) == times
    finally:
        consumer.close()


def times_of(consumer, times):
    asked = [(t, confluent_kafka.TopicPartition("bad", 0, t)) for t in times]
    return {t: consumer.offsets_for_times([p], timeout=5)[0].offset for t, p in asked}


@pytest.fixture(scope="module")
def times(closed, tmp_path_factory):
    """Offset by time, asked of a copy that nobody harmed."""
    folder = tmp_path_factory.mktemp("good") / "data"
    shutil.copytree(closed, folder)
    broker = Broker(folder).start()
    consumer = Confluent.consumer(broker.bootstrap, "bad")
    stamps = {m.timestamp()[1] for m in Confluent.messages(consumer, COUNT)}
    found = times_of(consumer, sorted(stamps | {min(stamps) - 1, max(stamps) + 1}))
    consumer.close()
    broker.stop()
    return found


@pytest.mark.skipif(os.environ.get("DAMAGE") != "all", reason="takes minutes: DAMAGE=all")
def test_any_harm_to_any_file(closed, times, tmp_path):
    tried, silent = 0, []
    for file in sorted(closed.rglob("*")):
        if not file.is_file():
            continue
        for kind, harm in HARMS.items():
            if file.stat().st_size == 0 and kind != "remove":
                continue
            folder = tmp_path / "data"
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(closed, folder)
            path = folder / file.relative_to(closed)
            path.chmod(0o644)
            harm(path)
            status, out = verify(folder)
            assert status in (0, 1), out
            (tmp_path / "data.stderr").unlink(missing_ok=True)
            broker, running = start(folder)
            try:
                right = False
                if running:
                    right = read(broker, "bad", BAD)
                    right &= read(broker, "good", GOOD)
                    right = right and looks_up(broker, times)
                    time.sleep(1.2) # the scrubber
                name = str(path.relative_to(folder))
                harmless = any(word in name for word in UNKNOWABLE) or (
                    right and name.endswith(HELPERS))
                said = " WARN " in broker.log() or " ERROR " in broker.log()
                if not said and not harmless:
                    silent.append(f"{name} {kind}: the broker says nothing; verify {status} {out}")
                if status == 0 and not harmless:
                    silent.append(f"{name} {kind}: verify says nothing; the broker {broker.log()}")
            finally:
                broker.kill()
            tried += 1
    assert tried > 100
    assert not silent, f"{len(silent)} of {tried}\n" + "\n".join(silent)
