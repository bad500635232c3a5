# SPDX-License-Identifier: Apache-2.0
"""A slice of kill9.py, and a test that its judge can say no."""

import os
import time

import pytest

import kill9


def test_kill_minus_9(tmp_path):
    if os.environ.get("SYSTEM_BOOTSTRAP"):
        pytest.skip("needs a broker process of its own")
    seed = int(time.time())
    print(f"seed {seed}")
    assert kill9.run(tmp_path / "data", rounds=5, seed=seed) == []


@pytest.mark.parametrize("numbers,acknowledged,words", [
    ([[0, 1, 2]], [2], None),
    ([[0, 1, 2]], [1], None),  # more than was acknowledged is fine
    ([[0, 1]], [2], "2 was acknowledged"),
    ([[0, 2, 1]], [2], "number 2 at offset 1"),
    ([[0, 1, 1, 2]], [2], "number 1 at offset 2"),
    ([[0], []], [0, 0], "partition 1"),
])
def test_the_judge(numbers, acknowledged, words):
    problems = list(kill9.compare(numbers, acknowledged))
    assert (words is None) == (problems == [])
    assert words is None or words in problems[0]
