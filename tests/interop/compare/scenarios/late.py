# SPDX-License-Identifier: Apache-2.0
"""What makes Kafka create its internal topics, and would show in the answers of the others."""


def find_coordinator(t):
    for kind in (0, 1, 2, 3, -1):
        t.every(f"type {kind}", "FindCoordinator", {"Key": "k", "KeyType": kind, "CoordinatorKeys": ["k"]})
    t.every("empty key", "FindCoordinator", {"Key": "", "KeyType": 0, "CoordinatorKeys": [""]})
    t.every("empty transactional id", "FindCoordinator", {"Key": "", "KeyType": 1, "CoordinatorKeys": [""]})
    t.every("no keys", "FindCoordinator", {"Key": "x", "KeyType": 0, "CoordinatorKeys": []})
    t.every("key twice", "FindCoordinator", {"Key": "k", "KeyType": 0, "CoordinatorKeys": ["k", "k"]})


def transactional_producer(t):
    t.every("with a transactional id", "InitProducerId", {
        "TransactionalId": "t", "TransactionTimeoutMs": 60000})
    t.every("without a timeout", "InitProducerId", {"TransactionalId": "t", "TransactionTimeoutMs": 0})


SCENARIOS = (find_coordinator, transactional_producer)
