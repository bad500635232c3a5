# SPDX-License-Identifier: Apache-2.0
"""Transactions with clients of other languages: transactions/README.md."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent / "transactions"
SECONDS = 150


def run(*command, **options):
    result = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, **options)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.splitlines()[-1] == "good", result.stdout


def test_java(kafka_tool, tmp_path, bootstrap, topic):
    conftest = sys.modules["conftest"]
    conftest.need("javac")
    jars = conftest.CACHE / "tools" / "*"
    subprocess.run(["javac", "-cp", str(jars), "-d", str(tmp_path), str(HERE / "Transactions.java")],
                   check=True, timeout=120)
    run("java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", f"{tmp_path}:{jars}", "Transactions",
        bootstrap, topic)


def test_kafkajs(node_clients, bootstrap, topic):
    program = node_clients / "kafkajs_transactions.js"
    program.write_text((HERE / "kafkajs_transactions.js").read_text())
    run("node", program.name, bootstrap, topic, cwd=node_clients)


def test_franz_go(bootstrap, topic):
    build = sys.modules["conftest"].go_build
    run(build("transactions", HERE / "franz", [["mod", "tidy"]]), bootstrap, topic)
