# SPDX-License-Identifier: Apache-2.0
"""Record batches, good and bad on purpose, and what one reads in those that come back."""

import gzip
import struct


def _crc32c_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


_TABLE = _crc32c_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def varint(value):
    value = (value << 1 ^ value >> 63) & 0xFFFFFFFFFFFFFFFF
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _field(data):
    return varint(-1) if data is None else varint(len(data)) + data


def record(delta, key, value, timestamp_delta=0, headers=()):
    body = b"\0" + varint(timestamp_delta) + varint(delta) + _field(key) + _field(value)
    body += varint(len(headers))
    for name, content in headers:
        body += _field(name) + _field(content)
    return varint(len(body)) + body


GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4
LOG_APPEND_TIME, TRANSACTIONAL, CONTROL = 8, 16, 32


def batch(values=(b"v",), *, key=b"k", timestamp=0, producer_id=-1, producer_epoch=-1, sequence=-1,
          attributes=0, magic=2, base_offset=0, leader_epoch=-1, count=None, last_delta=None,
          max_timestamp=None, deltas=None, crc=None, length=None, payload=None, timestamp_deltas=None):
    """Everything that is given overrides what would be right."""
    n = len(values)
    deltas = deltas if deltas is not None else range(n)
    steps = timestamp_deltas if timestamp_deltas is not None else [0] * n
    data = b"".join(record(d, key, v, t) for d, v, t in zip(deltas, values, steps))
    if payload is not None:
        data = payload
    elif attributes & 7 == GZIP:
        data = gzip.compress(data, mtime=0)
    last = n - 1 if last_delta is None else last_delta
    newest = timestamp + max(steps, default=0) if max_timestamp is None else max_timestamp
    rest = struct.pack(">hiqqqhii", attributes, last, timestamp, newest, producer_id, producer_epoch,
                       sequence, n if count is None else count) + data
    crc = crc32c(rest) if crc is None else crc
    size = 4 + 1 + 4 + len(rest) if length is None else length
    return struct.pack(">qiibI", base_offset, size, leader_epoch, magic, crc) + rest


def describe(data):
    """Batches as dictionaries. What is left of one that a limit cut off does not count: clients throw
    it away, and who sends whole batches only sends none."""
    batches = []
    while len(data) >= 12:
        base_offset, size = struct.unpack(">qi", data[:12])
        if size < 49 or len(data) < 12 + size:
            break
        whole, data = data[:12 + size], data[12 + size:]
        (leader_epoch, magic, crc, attributes, last, first_time, max_time, pid, epoch, sequence,
         count) = struct.unpack(">ibIhiqqqhii", whole[12:61])
        batches.append({"BaseOffset": base_offset, "LeaderEpoch": leader_epoch, "Magic": magic,
                        "CrcGood": crc == crc32c(whole[21:]), "Attributes": attributes,
                        "LastOffsetDelta": last, "FirstTimestamp": first_time,
                        "MaxTimestamp": max_time, "ProducerId": pid, "ProducerEpoch": epoch,
                        "BaseSequence": sequence, "Count": count, "Data": whole[61:]})
    return batches
