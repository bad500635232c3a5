# SPDX-License-Identifier: Apache-2.0
"""Fixtures. With SYSTEM_BOOTSTRAP=host:port the tests that need no process of their own run against
that broker instead (Apache Kafka, to see that a test asks for the right thing)."""

import os
import re

import pytest

from broker import Broker


class Elsewhere:
    """A broker that somebody else started."""

    def __init__(self, bootstrap):
        self.bootstrap = bootstrap
        self.port = int(bootstrap.rsplit(":", 1)[1])

    def __getattr__(self, name):
        pytest.skip("needs a broker process of its own")


@pytest.fixture(scope="session")
def broker(tmp_path_factory):
    """One broker for all tests that only talk to it."""
    elsewhere = os.environ.get("SYSTEM_BOOTSTRAP")
    if elsewhere:
        yield Elsewhere(elsewhere)
        return
    # Groups of one member need not wait three seconds for others.
    b = Broker(tmp_path_factory.mktemp("shared") / "data",
               overrides=["group.initial.rebalance.delay.ms=100"]).start()
    yield b
    if b.is_running():
        b.stop()
    else:
        pytest.fail(f"the broker ended by itself: {b.process.returncode}\n{b.log()}")


@pytest.fixture
def bootstrap(broker):
    return broker.bootstrap


@pytest.fixture
def topic(request):
    """A name of its own for each test."""
    name = f"{request.module.__name__.removeprefix('test_')}.{request.node.name.removeprefix('test_')}"
    name = re.sub(r"[^a-zA-Z0-9._-]", "-", name)[:150]
    return f"{name}.{os.getpid()}"


@pytest.fixture
def own_broker(tmp_path):
    """Makes brokers that a test may stop, kill and start again."""
    if os.environ.get("SYSTEM_BOOTSTRAP"):
        pytest.skip("needs a broker process of its own")
    made = []

    def make(**arguments):
        b = Broker(tmp_path / f"data{len(made)}", **arguments)
        made.append(b)
        return b

    yield make
    for b in made:
        if b.is_running():
            b.kill()
