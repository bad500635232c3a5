# SPDX-License-Identifier: Apache-2.0
"""A slice of power_loss.py, and a test that it finds what it looks for."""

import os
import time

import pytest

import clients
import disk
import power_loss


@pytest.fixture
def folder(tmp_path):
    if os.environ.get("SYSTEM_BOOTSTRAP"):
        pytest.skip("needs a broker process of its own")
    why = disk.missing(tmp_path)
    if why is not None:
        pytest.skip(f"NOT TESTED, power loss: {why}")
    return tmp_path


def test_power_loss(folder):
    seed = int(time.time())
    print(f"seed {seed}")
    assert power_loss.run(folder, cuts=3, seed=seed) == []


def test_that_a_cut_loses_what_was_not_synced(folder, monkeypatch):
    """With write.caching an answer does not wait for the disk: then the judge must find losses."""
    create = clients.create_topic

    def create_cached(bootstrap, name, partitions=1, config=None):
        return create(bootstrap, name, partitions, {**(config or {}), "write.caching": "true",
                                                    "flush.ms": "1000000"})

    monkeypatch.setattr(clients, "create_topic", create_cached)
    assert power_loss.run(folder, cuts=2, seed=1) != []
