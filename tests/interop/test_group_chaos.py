# SPDX-License-Identifier: Apache-2.0
"""tests/system/group_chaos.py with the newest librdkafka: cooperative members, members of the consumer
protocol (KIP-848), and both protocols in one group, as in an upgrade. Half of them with a broker that is
killed meanwhile."""

import pytest

import group_chaos


@pytest.mark.parametrize("kills", [0, 2])
@pytest.mark.parametrize("mix", [
    "confluent:cooperative-sticky",
    "confluent:consumer",
    "confluent:range,confluent:consumer",
    "kafka-python:range,confluent:consumer",
])
def test_a_group_in_trouble(tmp_path, python_clients, mix, kills):
    a = group_chaos.parser().parse_args([
        "--members", "12", "--partitions", "24", "--changes", "16", "--pause", "1", "--mix", mix,
        "--broker-kills", str(kills), "--python", python_clients])
    print(f"seed {a.seed}")
    assert group_chaos.run(a, tmp_path) == []
