# SPDX-License-Identifier: Apache-2.0
"""Several shards in a real process: a short run of churn.py (longer, with ThreadSanitizer, in .ci/run)."""

import random

import churn


def test_everything_at_once(tmp_path):
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    assert churn.run(tmp_path / "data", 5, 3, seed) == []
