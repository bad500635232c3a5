# SPDX-License-Identifier: Apache-2.0
"""Fetches what the tests need, once; shares the broker fixtures with tests/system."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
SYSTEM = HERE.parent / "system"
sys.path.insert(0, str(SYSTEM))

spec = importlib.util.spec_from_file_location("system_fixtures", SYSTEM / "conftest.py")
system_fixtures = importlib.util.module_from_spec(spec)
spec.loader.exec_module(system_fixtures)
broker = system_fixtures.broker
bootstrap = system_fixtures.bootstrap
own_broker = system_fixtures.own_broker
topic = system_fixtures.topic

from node import VERSIONS  # noqa: E402

CACHE = Path(os.environ.get("INTEROP_CACHE", Path.home() / ".cache" / "chitin-interop"))
FETCH_SECONDS = 600
SKIPPED_BECAUSE = []


def pytest_addoption(parser):
    parser.addoption("--all-versions", action="store_true",
                     help="every version of Apache Kafka, not only the newest")


def pytest_generate_tests(metafunc):
    """kafka_version: what shares its directory with Apache Kafka does so with each version."""
    if "kafka_version" in metafunc.fixturenames:
        versions = VERSIONS if metafunc.config.getoption("--all-versions") else VERSIONS[-1:]
        metafunc.parametrize("kafka_version", versions, indirect=True)


def skip(why):
    SKIPPED_BECAUSE.append(why)
    pytest.skip(why)


def need(*programs):
    for program in programs:
        if shutil.which(program) is None:
            skip(f"{program} is missing: ./dev deps interop")


def fetch(name, command, cwd=None, env=None):
    """Runs a download; skips the tests that need it when it fails."""
    result = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True,
                            timeout=FETCH_SECONDS)
    if result.returncode != 0:
        skip(f"{name} cannot be fetched: {(result.stderr or result.stdout).strip()[-300:]}")


@pytest.fixture(scope="session")
def kafka_tool():
    """Runs one of Kafka's tools: kafka_tool(CLASS, ARGUMENT...) returns what it printed."""
    need("java")
    fetch("Kafka's tools", [str(HERE / "kafka.sh"), "fetch", "tools"])

    def run(name, *arguments, stdin="", status=0, seconds=60):
        result = subprocess.run([str(HERE / "kafka.sh"), "tool", name, *arguments], input=stdin,
                                capture_output=True, text=True, timeout=seconds)
        assert status is None or result.returncode == status, result.stdout + result.stderr
        return result.stdout

    return run


@pytest.fixture(scope="session")
def kafka_version(request):
    """A version of Apache Kafka whose broker is here."""
    need("java")
    environment = {**os.environ, "KAFKA_VERSION": request.param}
    for what in ("broker", "logging"):
        fetch(f"Apache Kafka {request.param}", [str(HERE / "kafka.sh"), "fetch", what],
              env=environment)
    return request.param


@pytest.fixture(scope="session")
def python_clients():
    """A Python with the newest clients of PyPI."""
    folder = CACHE / "python"
    python = folder / "bin" / "python"
    if not (folder / ".complete").exists():
        # Any Python with venv will do; Debian's has it in a package of its own.
        fetch("a virtual environment", [sys.executable, "-m", "venv", str(folder)])
        fetch("confluent-kafka and kafka-python from PyPI",
              [str(python), "-m", "pip", "install", "-q", "confluent-kafka", "kafka-python",
               "lz4", "zstandard", "python-snappy"])
        (folder / ".complete").touch()
    return str(python)


@pytest.fixture(scope="session")
def node_clients():
    """A folder with kafkajs in node_modules."""
    need("node", "npm")
    folder = CACHE / "node"
    if not (folder / ".complete").exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text('{"name": "interop", "private": true}\n')
        fetch("kafkajs from npm", ["npm", "install", "--silent", "--no-audit", "--no-fund",
                                   "kafkajs@2.2.4"], cwd=folder)
        (folder / ".complete").touch()
    return folder


def go_build(name, source, commands, arguments=()):
    """A program of a folder, built after these commands have fetched what it needs."""
    need("go")
    program = CACHE / "go" / name
    program.parent.mkdir(parents=True, exist_ok=True)
    work = CACHE / "go" / f"{name}-src"
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(source, work)
    environment = {**os.environ, "GOFLAGS": "-mod=mod"}
    for command in commands:
        fetch("franz-go", ["go", *command], cwd=work, env=environment)
    subprocess.run(["go", "build", *arguments, "-o", str(program), "."], cwd=work, env=environment,
                   check=True, timeout=FETCH_SECONDS)
    return str(program)


@pytest.fixture(scope="session")
def go_client():
    """The program of franz/, built."""
    return go_build("franz", HERE / "franz", [["mod", "tidy"]])


@pytest.fixture(scope="session")
def go_member_program():
    """go_member_program(newest) builds groups/franz, with the newest franz-go or the one in go.mod."""
    built = {}

    def build(newest=False):
        if newest not in built:
            # The newest one wants a Go that Debian does not have yet; then fetching it fails.
            built[newest] = (go_build("member-newest", HERE / "groups" / "franz",
                                      [["get", "github.com/twmb/franz-go@latest"], ["mod", "tidy"]],
                                      ["-tags", "newest"])
                             if newest else go_build("member", HERE / "groups" / "franz", [["mod", "tidy"]]))
        return built[newest]

    return build


def pytest_terminal_summary(terminalreporter):
    for why in sorted(set(SKIPPED_BECAUSE)):
        terminalreporter.write_line(f"!!! NOT TESTED: {why}", red=True, bold=True)
