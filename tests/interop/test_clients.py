# SPDX-License-Identifier: Apache-2.0
"""The newest clients of other languages, each with a small program of its own in this folder."""

import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent


def run(*command, **options):
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, **options)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.splitlines()[-1] == "good", result.stdout


def test_python(python_clients, bootstrap, topic):
    run(python_clients, str(HERE / "python_clients.py"), bootstrap, topic)


def test_kafkajs(node_clients, bootstrap, topic):
    (node_clients / "kafkajs_client.js").write_text((HERE / "kafkajs_client.js").read_text())
    run("node", "kafkajs_client.js", bootstrap, topic, cwd=node_clients)


def test_franz_go(go_client, bootstrap, topic):
    run(go_client, bootstrap, topic)
