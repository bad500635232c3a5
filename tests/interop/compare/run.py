#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""run.py [--verbose] [--kafka PORT] [--chitin PORT] [WORD]...

Sends the same requests to Apache Kafka and to the broker under test ($CHITIN) and compares the
answers field by field. What differs must be explained in allowed.txt. With WORDs only the scenarios
whose name has one of them. The last line counts: N passed, N failed.
"""

import argparse
import fnmatch
import importlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "system")]

import pair  # noqa: E402
from broker import Broker  # noqa: E402

SCENARIOS = ("framing", "cluster", "topics", "configs", "produce", "fetch", "offsets", "mixed",
             "late", "classic", "streams", "transactions")
START_SECONDS = 120
CANNOT_FETCH = 3
LINES_MAX = 40  # of one failure
# The same on both sides, where the defaults differ or tests would be slow.
SETTINGS = ("node.id=1", "num.partitions=2", "auto.create.topics.enable=true", "log.roll.hours=200",
            "log.retention.minutes=20000", "offsets.topic.replication.factor=1",
            "transaction.state.log.replication.factor=1", "transaction.state.log.min.isr=1",
            "group.initial.rebalance.delay.ms=0", "group.streams.initial.rebalance.delay.ms=0",
            "group.streams.assignment.interval.ms=0")


class Rule:
    """One line of allowed.txt: CASE | PATH | REASON, with the wildcards of a shell."""

    def __init__(self, line):
        self.case, self.path, self.reason = (part.strip() for part in line.split("|", 2))
        self.used = 0

    def explains(self, case, path):
        # "[" is no wildcard here: paths are full of them.
        return all(fnmatch.fnmatchcase(text, pattern.replace("[", "[[]"))
                   for text, pattern in ((case, self.case), (path, self.path)))


def read_rules(path):
    lines = path.read_text().splitlines()
    return [Rule(line) for line in lines if line and not line.startswith("#")]


class Report:
    def __init__(self, rules, verbose):
        self.rules = rules
        self.verbose = verbose
        self.passed = self.failed = self.explained = 0
        self.failures = {}  # (API, label, differences) -> versions

    def _explain(self, case, path):
        for rule in self.rules:
            if rule.explains(case, path):
                rule.used += 1
                return True
        return False

    def case(self, api, version, label, found, answers):
        name = f"{api} {label}" if version is None else f"{api} v{version} {label}"
        left = [item for item in found if not self._explain(name, item[0])]
        self.explained += len(found) - len(left)
        if not left:
            self.passed += 1
            return
        self.failed += 1
        detail = "".join(f"    {path}: Kafka {_short(kafka)}, Chitin {_short(chitin)}\n"
                         for path, kafka, chitin in left[:LINES_MAX])
        if len(left) > LINES_MAX:
            detail += f"    and {len(left) - LINES_MAX} more\n"
        if self.verbose:
            detail += f"    Kafka:  {answers[0]}\n    Chitin: {answers[1]}\n"
        self.failures.setdefault((api, label, detail), []).append(version)

    def print_failures(self):
        """One entry for all versions that fail alike."""
        for (api, label, detail), versions in self.failures.items():
            known = [str(version) for version in versions if version is not None]
            print(f"FAILED {api}{' v' if known else ''}{','.join(known)} {label}\n{detail}", end="")
        self.failures.clear()

    def broken(self, name):
        self.failed += 1
        print(f"FAILED {name}: the scenario itself broke off")
        traceback.print_exc(file=sys.stdout)


def _short(value):
    text = repr(value)
    return text if len(text) <= 160 else text[:160] + "..."


# --- The two brokers ---

def free_port_pair():
    """Two ports in a row: Kafka's listener and its controller's."""
    while True:
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
            try:
                two.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


def start_kafka(folder):
    script = str(HERE.parent / "kafka.sh")
    fetched = subprocess.run([script, "fetch", "broker"], check=False)
    if fetched.returncode == CANNOT_FETCH:
        return None, 0
    fetched.check_returncode()
    port = free_port_pair()
    with open(folder / "kafka.log", "wb") as log:
        process = subprocess.Popen([script, "server", str(folder / "kafka"), str(port), *SETTINGS],
                                   stdout=log, stderr=log)
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return process, port
        except OSError:
            time.sleep(0.2)
    process.kill()
    raise SystemExit(f"Apache Kafka does not start:\n{(folder / 'kafka.log').read_text()[-2000:]}")


def run_scenarios(kafka_port, chitin_port, words, report):
    both = pair.Pair(pair.Side("Kafka", kafka_port), pair.Side("Chitin", chitin_port), report)
    for module_name in SCENARIOS:
        module = importlib.import_module(f"scenarios.{module_name}")
        for scenario in module.SCENARIOS:
            name = f"{module_name}.{scenario.__name__}"
            if words and not any(word in name for word in words):
                continue
            began = time.monotonic()
            try:
                scenario(both)
            except Exception:  # one broken scenario does not hide the others
                report.broken(name)
            report.print_failures()
            for side in both.sides:
                side.disconnect()
            print(f"  {name}: {time.monotonic() - began:.1f} s", file=sys.stderr)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("words", nargs="*", metavar="WORD")
    parser.add_argument("--verbose", action="store_true", help="print whole answers that differ")
    parser.add_argument("--kafka", type=int, metavar="PORT", help="one that runs already")
    parser.add_argument("--chitin", type=int, metavar="PORT")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="compare-"))
    report = Report(read_rules(HERE / "allowed.txt"), arguments.verbose)
    kafka = chitin = None
    try:
        kafka_port = arguments.kafka
        if kafka_port is None:
            kafka, kafka_port = start_kafka(folder)
            if kafka is None:
                print("!!! NOT TESTED: Apache Kafka cannot be fetched, so nothing was compared")
                print("0 passed, 0 failed")
                return 0
        chitin_port = arguments.chitin
        if chitin_port is None:
            chitin = Broker(folder / "chitin", overrides=SETTINGS).start()
            chitin_port = chitin.port
        run_scenarios(kafka_port, chitin_port, arguments.words, report)
        if chitin is not None and not chitin.is_running():
            report.failed += 1
            print(f"FAILED: the broker ended by itself\n{chitin.log()[-3000:]}")
    finally:
        if kafka is not None:
            kafka.terminate()
            kafka.wait(30)
        if chitin is not None and chitin.is_running():
            chitin.stop()
        shutil.rmtree(folder, ignore_errors=True)
    if not arguments.words:
        for rule in report.rules:
            if rule.used == 0:
                print(f"allowed.txt: nothing differs any more: {rule.case} | {rule.path}")
    print(f"{report.explained} differences are explained in allowed.txt")
    print(f"{report.passed} passed, {report.failed} failed")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
