# SPDX-License-Identifier: Apache-2.0
"""`chitin kafka-dump-log` beside Kafka's DumpLogSegments: the same flags, the same lines."""

import difflib
import re
import subprocess

from node import binary

CLASS = "org.apache.kafka.tools.DumpLogSegments"
LINES_MAX = 40
# What Kafka's tool shows of SCRAM credentials, and ours does not.
SECRET = re.compile(r'"(salt|storedKey|serverKey)":"[^"]*"')


def ours(*arguments):
    done = subprocess.run(["kafka-dump-log", *arguments], executable=binary(), capture_output=True,
                          text=True, errors="replace", timeout=60)
    assert done.returncode == 0, done.stderr[-4000:] + done.stdout[-2000:]
    return done.stdout


DECODERS = {"__cluster_metadata-": "--cluster-metadata-decoder",
            "__consumer_offsets-": "--offsets-decoder",
            "__transaction_state-": "--transaction-log-decoder",
            "__share_group_state-": "--share-group-state-decoder"}


def groups(node):
    """(files, flags) for each way of reading them. Kafka's tool stops at a directory on its way out."""
    def found(*kinds):
        return [p for kind in kinds for p in node.files(f"*.{kind}")
                if not p.parent.name.endswith("-delete") and p.parent not in node.dirs]

    logs = found("log", "checkpoint")
    rest = [p for p in logs if not p.parent.name.startswith("__")]
    yield rest, ["--deep-iteration", "--print-data-log"]
    yield rest, ["--skip-record-metadata", "--print-data-log"]
    for prefix, flag in DECODERS.items():
        yield [p for p in logs if p.parent.name.startswith(prefix)], [flag]
    yield found("index", "timeindex", "txnindex", "snapshot"), []
    yield found("index"), ["--index-sanity-check"]


def compare(node, kafka_tool):
    """After a clean stop only: of the preallocated indexes that a kill -9 of Kafka leaves, its tool takes
    the zeros for entries, and it ends with an exception where the log is empty."""
    for files, flags in groups(node):
        if not files:
            continue
        arguments = [*flags, "--files", ",".join(str(p) for p in files)]
        theirs = kafka_tool(CLASS, *arguments, status=None)
        theirs = SECRET.sub(r'"\1":"(secret)"', theirs).splitlines()
        mine = ours(*arguments).splitlines()
        assert len(theirs) > len(files)
        difference = list(difflib.unified_diff(theirs, mine, "Kafka", "Chitin", "", "", 0, ""))
        assert not difference, " ".join(flags) + "\n" + "\n".join(difference[:LINES_MAX])
