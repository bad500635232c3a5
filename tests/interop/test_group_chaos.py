# SPDX-License-Identifier: Apache-2.0
"""tests/system/group_chaos.py with the newest librdkafka and franz-go: cooperative members, members of the
consumer protocol (KIP-848), and both protocols in one group, as in an upgrade. Half of them with a broker that
is killed meanwhile. docs/groups.md has what the same gave with fifty members."""

import pytest

import group_chaos


def trouble(tmp_path, python_clients, mix, kills, *more):
    a = group_chaos.parser().parse_args([
        "--members", "12", "--partitions", "24", "--changes", "16", "--pause", "1", "--mix", mix,
        "--broker-kills", str(kills), "--python", python_clients, *more])
    print(f"seed {a.seed}")
    assert group_chaos.run(a, tmp_path) == []


@pytest.mark.parametrize("kills", [0, 2])
@pytest.mark.parametrize("mix", [
    "confluent:cooperative-sticky",
    "confluent:consumer",
    "confluent:range,confluent:consumer",
    "kafka-python:range,confluent:consumer",
])
def test_a_group_in_trouble(tmp_path, python_clients, mix, kills):
    trouble(tmp_path, python_clients, mix, kills)


@pytest.mark.parametrize("mix", [
    "confluent:cooperative-sticky,franz:cooperative-sticky",
    "confluent:consumer,franz:consumer",
    "confluent:cooperative-sticky,franz:consumer",
])
def test_two_libraries_in_trouble(tmp_path, python_clients, go_member_program, mix):
    trouble(tmp_path, python_clients, mix, 2, "--franz", go_member_program(newest=True))
