# SPDX-License-Identifier: Apache-2.0
"""The chitin command from outside: exit statuses, JSON, pipes, and how soon it speaks."""

import json
import subprocess
import time

import pytest

from broker import binary, free_port
from clients import Confluent


def run(bootstrap, *words, stdin="", status=0, seconds=30):
    command = [binary(), *words]
    if bootstrap is not None:
        command += ["-b", bootstrap]
    result = subprocess.run(command, input=stdin, text=True, capture_output=True, timeout=seconds)
    assert result.returncode == status, f"{words}: {result.returncode}\n{result.stderr}"
    return result.stdout, result.stderr


def objects(text):
    return [json.loads(line) for line in text.splitlines()]


def test_topic_from_birth_to_death(bootstrap, topic):
    run(bootstrap, "topic", "create", topic, "-p", "2", "-c", "retention.ms=60000")
    out, _ = run(bootstrap, "topic", "list", "-o", "json")
    assert topic in json.dumps(objects(out))
    out, _ = run(bootstrap, "topic", "describe", topic, "-o", "json")
    assert "60000" in out and topic in out
    objects(out)
    run(bootstrap, "topic", "alter", topic, "-p", "4", "-c", "max.message.bytes=5000")
    out, _ = run(bootstrap, "config", "describe", "topic", topic, "-o", "json")
    assert "5000" in out
    run(bootstrap, "topic", "delete", topic)
    run(bootstrap, "topic", "describe", topic, status=3)


def test_produce_and_consume(bootstrap, topic):
    run(bootstrap, "topic", "create", topic)
    run(bootstrap, "produce", topic, stdin="one\ntwo\n\nfour\n")
    run(bootstrap, "produce", topic, "-K", ":", "-z", "zstd", "-H", "h:v", stdin="k:five\n")
    out, _ = run(bootstrap, "consume", topic, "-e")
    assert out == "one\ntwo\n\nfour\nfive\n"
    out, _ = run(bootstrap, "consume", topic, "-o", "1:3", "-f", "%p/%o %v{hex}\n", "-e")
    assert out == "0/1 74776f\n0/2 \n"
    out, _ = run(bootstrap, "consume", topic, "-o", "-1", "-n", "1", "-f", "%k=%v %h{%k:%v}\n")
    assert out == "k=five h:v\n"
    out, _ = run(bootstrap, "consume", topic, "-n", "2", "-J")
    assert [(o["offset"], o["value"]) for o in objects(out)] == [(0, "one"), (1, "two")]
    assert Confluent.consume(bootstrap, topic, 5)[4] == (b"k", b"five", [("h", b"v")])


def test_a_large_pipe(bootstrap, topic):
    lines = "".join(f"line {i}\n" for i in range(200000))
    run(bootstrap, "produce", topic, "-z", "lz4", stdin=lines)
    out, _ = run(bootstrap, "consume", topic, "-e")
    assert out == lines


def test_consume_follows(bootstrap, topic):
    run(bootstrap, "topic", "create", topic)
    reader = subprocess.Popen([binary(), "consume", topic, "-b", bootstrap],
                              stdout=subprocess.PIPE, text=True)
    try:
        for i in range(3):
            run(bootstrap, "produce", topic, stdin=f"{i}\n")
            assert reader.stdout.readline() == f"{i}\n"
    finally:
        reader.terminate()
        reader.wait(10)


def test_exit_statuses(bootstrap, topic):
    run(None, "--no-such-flag", status=2)
    run(None, "topic", "creat", status=2)
    run(bootstrap, "topic", "create", status=2)
    run(bootstrap, "topic", "describe", topic, status=3)
    run(bootstrap, "topic", "create", "no/slash", status=1)
    _, err = run(f"127.0.0.1:{free_port()}", "topic", "list", status=5)
    assert "127.0.0.1" in err
    out, _ = run(None, "version")
    assert out.startswith("chitin")
    out, err = run(None, "topic", "create", "--help")
    assert "Usage:" in out and err == ""


@pytest.mark.parametrize("words", [["--help"], ["version"], ["topic", "--help"]])
def test_speaks_at_once(words):
    times = []
    for _ in range(10):
        started = time.monotonic()
        run(None, *words)
        times.append(time.monotonic() - started)
    # What the process itself takes; the rest is starting it from here.
    assert min(times) < 0.05, times


def test_cluster(bootstrap):
    out, _ = run(bootstrap, "cluster", "-o", "json")
    assert '"id"' in out or "cluster" in out
    objects(out)
