# SPDX-License-Identifier: Apache-2.0
"""A slice of group_chaos.py, and tests that its judge can say no."""

import os

import pytest

import group_chaos


# Cooperative members and those of KIP-848 are in tests/interop: Debian's librdkafka loses its way among the
# former, with Apache Kafka too, and does not know the latter.
@pytest.mark.parametrize("mix,kills", [
    ("confluent:range,kafka-python:range", 0),
    ("confluent:roundrobin,kafka-python:roundrobin", 1),
])
def test_a_group_in_trouble(tmp_path, mix, kills):
    if os.environ.get("SYSTEM_BOOTSTRAP"):
        pytest.skip("needs a broker process of its own")
    a = group_chaos.parser().parse_args([
        "--members", "6", "--partitions", "12", "--changes", "8", "--pause", "1", "--mix", mix,
        "--session-ms", "6000", "--broker-kills", str(kills)])
    print(f"seed {a.seed}")
    assert group_chaos.run(a, tmp_path) == []


def event(t, what, *partitions):
    return {"t": t, "event": what, "partitions": list(partitions)}


A = [event(1, "assigned", 0, 1), event(5, "revoked", 0, 1)]


@pytest.mark.parametrize("other,ends,words", [
    ([event(6, "assigned", 0)], {}, None),
    ([event(4, "assigned", 0)], {}, "partition 0 has two owners for 1.000 s"),
    ([event(4, "assigned", 2)], {}, None),
    ([event(4, "assigned", 0)], {"a": [3]}, None),  # a was killed before
    ([event(2, "assigned", 1)], {"a": [3]}, "partition 1 has two owners"),
])
def test_the_judge_of_owners(other, ends, words):
    spans = []
    for name, events in ("a", A), ("b", other):
        spans += group_chaos.intervals(name, events, ends.get(name, []))
    problems = list(group_chaos.overlaps(spans))
    assert (words is None) == (problems == [])
    assert words is None or words in problems[0]


@pytest.mark.parametrize("read,words", [
    ({0: [(0, 4), (5, 9)]}, None),
    ({0: [(3, 9), (0, 4)]}, None),          # read again
    ({0: [(0, 4), (6, 9)]}, "offset 5 of 10"),
    ({}, "offset 0 of 10"),
])
def test_the_judge_of_records(read, words):
    problems = list(group_chaos.missing(read, [10]))
    assert (words is None) == (problems == [])
    assert words is None or words in problems[0]
