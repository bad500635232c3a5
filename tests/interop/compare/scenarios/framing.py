# SPDX-License-Identifier: Apache-2.0
"""Bytes that are no proper requests, or oddly cut ones: what is answered, and what closes."""

import struct

from wire import APIS, request_header, sized

VERSIONS = APIS["ApiVersions"]
METADATA = APIS["Metadata"]
GOOD = VERSIONS.frame(3, {"ClientSoftwareName": "c", "ClientSoftwareVersion": "1"}, 7)
OLD = VERSIONS.frame(0, {}, 8)


def metadata(version, correlation_id):
    return METADATA.frame(version, {"Topics": []}, correlation_id)


def requests(t):
    t.raw("nothing", b"", seconds=0.3)
    t.raw("a good one", GOOD, 0.5)
    t.raw("byte by byte", GOOD, 0.5, pieces=True)
    t.raw("three in one packet", GOOD + metadata(12, 9) + OLD, 0.5)
    t.raw("one and a half", GOOD + OLD[:5], 0.5)
    t.raw("bytes left over", sized(GOOD[4:] + b"xyz") + OLD, 0.5)
    t.raw("bytes left over in Metadata", sized(metadata(12, 3)[4:] + b"\0\0\0") + OLD, 0.5)
    t.raw("one byte missing", sized(metadata(12, 3)[4:-1]) + OLD, 0.5)
    t.raw("one byte missing of an old one", sized(metadata(1, 3)[4:-1]) + OLD, 0.5)
    t.raw("null client id", VERSIONS.frame(0, {}, 3, None), 0.5)
    t.raw("empty client id", VERSIONS.frame(0, {}, 3, ""), 0.5)
    t.raw("long client id", VERSIONS.frame(0, {}, 3, "x" * 32000), 0.5)
    t.raw("negative correlation id", VERSIONS.frame(0, {}, -3), 0.5)
    for version in (6, 99, 32767, -1, -32768):
        body = request_header(18, version, 5, "c", version >= 3)
        t.raw(f"ApiVersions in version {version}", sized(body) + OLD, 0.5)
    t.raw("ApiVersions in version 6 with header 1", sized(request_header(18, 6, 5, "c", False)) + OLD, 0.5)
    t.raw("ApiVersions 3 with header 1", sized(request_header(18, 3, 5, "c", False)) + OLD, 0.5)
    t.raw("ApiVersions 3 without body", sized(request_header(18, 3, 5, "c", True)) + OLD, 0.5)
    tagged = request_header(18, 0, 5, "c", False)
    t.raw("ApiVersions 0 with a body", sized(tagged + b"abc") + OLD, 0.5)
    unknown_tag = struct.pack(">hhih", 18, 3, 5, 1) + b"c" + b"\x01\x63\x02hi" + GOOD[4 + 8 + 2 + 7 + 1:]
    t.raw("an unknown tag in the header", sized(unknown_tag) + OLD, 0.5)


def garbage(t):
    for size in (0, -1, -2**31, 1, 3, 7, 8):
        t.raw(f"size {size}", struct.pack(">i", size) + b"\0" * max(size, 0) + OLD, 0.5)
    for size in (100 * 1024 * 1024 + 1, 2**31 - 1):
        t.raw(f"size {size}", struct.pack(">i", size) + b"\0" * 100, 0.5)
    for key in (7, 20000, 32767, -1, 4, 5, 6, 82, 52, 95):
        t.raw(f"API {key}", sized(request_header(key, 0, 5, "c", False) + b"\0" * 20) + OLD, 0.5)
    for name, version in (("Metadata", 14), ("Metadata", -1), ("Produce", 2), ("Produce", 14),
                          ("Fetch", 3), ("Fetch", 19), ("CreateTopics", 1), ("InitProducerId", 6),
                          ("ListOffsets", 0), ("DescribeConfigs", 0)):
        api = APIS[name]
        t.raw(f"{name} in version {version}", sized(request_header(
            api.key, version, 5, "c", version >= api.flexible) + b"\0" * 20) + OLD, 0.5)
    t.raw("header of 4 bytes", sized(b"\0\x12\0\0"), 0.5)
    t.raw("client id longer than the frame", sized(struct.pack(">hhih", 18, 0, 1, 500) + b"ab"), 0.5)
    t.raw("client id of length -2", sized(struct.pack(">hhih", 18, 0, 1, -2) + b"ab"), 0.5)
    t.raw("client id that is no UTF-8", sized(struct.pack(">hhih", 18, 0, 1, 2) + b"\xff\xfe") + OLD, 0.5)
    t.raw("array of two thousand million", sized(request_header(3, 1, 5, "c", False) +
                                                 struct.pack(">i", 2**31 - 1)) + OLD, 0.5)
    t.raw("array of length -2", sized(request_header(3, 1, 5, "c", False) +
                                      struct.pack(">i", -2)) + OLD, 0.5)
    t.raw("compact array of length 2^32", sized(request_header(3, 12, 5, "c", True) +
                                                b"\xff\xff\xff\xff\x0f" + b"\0" * 9) + OLD, 0.5)
    t.raw("varint without end", sized(request_header(3, 12, 5, "c", True) + b"\xff" * 12) + OLD, 0.5)
    t.raw("bool of 2", sized(request_header(3, 4, 5, "c", False) + struct.pack(">ib", 0, 2)) + OLD, 0.5)
    t.raw("null where none may be", sized(request_header(3, 1, 5, "c", False) +
                                          struct.pack(">ih", 1, -1)) + OLD, 0.5)
    t.raw("HTTP", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 0.5)
    t.raw("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 600, 0.5)


SCENARIOS = (requests, garbage)
