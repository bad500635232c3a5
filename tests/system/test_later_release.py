# SPDX-License-Identifier: Apache-2.0
"""A directory whose metadata log holds what this release does not know: no start, and not a byte or
a file in it is other than before."""

import hashlib
import struct
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "interop" / "compare"))

import batches  # noqa: E402


def text(value):
    return bytes([len(value) + 1]) + value.encode()


def feature_level(name, level):
    """Frame 1, type 12, version 0, then the record: flexible, without tags."""
    return bytes([1, 12, 0]) + text(name) + struct.pack(">h", level) + b"\0"


def checksums(folder):
    return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() if p.is_file() else "directory"
            for p in folder.rglob("*") if p.name != ".lock"}


@pytest.mark.parametrize("record,word", [
    (feature_level("teleport.version", 1), "teleport.version"),
    (feature_level("metadata.version", 99), "metadata.version"),
    (bytes([1, 77, 0, 0]), "type 77"),
    (bytes([1, 2, 9, 0]), "TopicRecord"),
])
@pytest.mark.parametrize("clean", [True, False])
def test_refused_and_untouched(own_broker, record, word, clean):
    b = own_broker().start()
    b.stop() if clean else b.kill()
    log = b.folder / "__cluster_metadata-0" / f"{0:020}.log"
    last = batches.describe(log.read_bytes())[-1]
    with open(log, "ab") as f:
        f.write(batches.batch([record], key=None, leader_epoch=last["LeaderEpoch"],
                              base_offset=last["BaseOffset"] + last["LastOffsetDelta"] + 1))
    before = checksums(b.folder)
    b.start(wait=False)
    assert b.wait() == 1
    assert word in b.log() and ("later release" in b.log() or "run a release" in b.log())
    assert checksums(b.folder) == before


def test_it_would_have_started(own_broker):
    """The same with a record that is known: the batch itself is good."""
    b = own_broker().start()
    b.stop()
    log = b.folder / "__cluster_metadata-0" / f"{0:020}.log"
    last = batches.describe(log.read_bytes())[-1]
    with open(log, "ab") as f:
        f.write(batches.batch([feature_level("group.version", 1)], key=None,
                              leader_epoch=last["LeaderEpoch"],
                              base_offset=last["BaseOffset"] + last["LastOffsetDelta"] + 1))
    b.start()
    b.stop()
