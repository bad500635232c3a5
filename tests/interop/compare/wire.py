# SPDX-License-Identifier: Apache-2.0
"""Requests and responses as dictionaries, by the project's own schema texts, and a raw connection.

The texts are read with the parser of src/wire/generate.py: there is no second description of the
protocol here. Field names are Kafka's ("TopicId"). Encoding takes what a version has of a body and
drops the rest, so that one body serves all versions; a name that no version knows is an error.
"""

import importlib.util
import socket
import struct
import uuid
from pathlib import Path

WIRE = Path(__file__).resolve().parents[3] / "src" / "wire"


def _load_generator():
    spec = importlib.util.spec_from_file_location("wire_generate", WIRE / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATOR = _load_generator()
FIXED = {"bool": ">?", "int8": ">b", "int16": ">h", "uint16": ">H", "int32": ">i", "uint32": ">I",
         "int64": ">q", "float64": ">d"}


class Truncated(Exception):
    """The bytes end inside a field."""


# --- Encoding ---

def _uvarint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _length(count, flexible, short):
    """count is None for null."""
    if flexible:
        return _uvarint(0 if count is None else count + 1)
    return struct.pack(">h" if short else ">i", -1 if count is None else count)


def _default(field):
    if field.default == "null" or (field.is_pointer and field.default is None):
        return None
    if field.is_array:
        return []
    if field.is_struct:
        return {}
    if field.default is not None:
        return field.default == "true" if field.type == "bool" else int(field.default, 0)
    return {"string": "", "bytes": b"", "records": b"", "uuid": uuid.UUID(int=0),
            "bool": False}.get(field.type, 0)


def _encode_scalar(field, value, flexible):
    if field.type in FIXED:
        return struct.pack(FIXED[field.type], value)
    if field.type == "uuid":
        return value.bytes
    if isinstance(value, str):
        value = value.encode("utf-8", "surrogateescape")
    compact = flexible and not field.plain
    return _length(None if value is None else len(value), compact, field.type == "string") + (value or b"")


def _encode_value(field, value, version, flexible):
    if field.is_array:
        if value is None:
            return _length(None, flexible, False)
        parts = [_length(len(value), flexible, False)]
        for item in value:
            parts.append(_encode_struct(field.struct, item, version, flexible) if field.is_struct
                         else _encode_scalar(field, item, flexible))
        return b"".join(parts)
    if field.is_struct:
        if field.is_pointer:
            if value is None:
                return b"\xff"
            return b"\x01" + _encode_struct(field.struct, value, version, flexible)
        return _encode_struct(field.struct, value, version, flexible)
    return _encode_scalar(field, value, flexible)


def _has(versions, version):
    return versions[0] <= version <= versions[1]


def _encode_struct(shape, body, version, flexible):
    unknown = set(body) - {field.name for field in shape.fields}
    if unknown:
        raise KeyError(f"{shape.name} has no {unknown}")
    parts = []
    tags = []
    for field in shape.fields:
        if not _has(field.versions, version):
            continue
        value = body.get(field.name, _default(field))
        if field.tag < 0:
            parts.append(_encode_value(field, value, version, flexible))
        elif value != _default(field):
            tags.append((field.tag, _encode_value(field, value, version, flexible)))
    if flexible:
        parts.append(_uvarint(len(tags)))
        for tag, data in sorted(tags):
            parts.append(_uvarint(tag) + _uvarint(len(data)) + data)
    return b"".join(parts)


# --- Decoding ---

class Reader:
    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, count):
        if count < 0 or self.at + count > len(self.data):
            raise Truncated(f"{count} bytes wanted at {self.at} of {len(self.data)}")
        self.at += count
        return self.data[self.at - count:self.at]

    def fixed(self, form):
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def uvarint(self):
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def length(self, flexible, short):
        """-1 is null."""
        return self.uvarint() - 1 if flexible else self.fixed(">h" if short else ">i")


def _decode_scalar(field, reader, flexible):
    if field.type in FIXED:
        return reader.fixed(FIXED[field.type])
    if field.type == "uuid":
        return uuid.UUID(bytes=reader.take(16))
    size = reader.length(flexible and not field.plain, field.type == "string")
    if size < 0:
        return None
    data = reader.take(size)
    return data.decode("utf-8", "surrogateescape") if field.type == "string" else data


def _decode_value(field, reader, version, flexible):
    if field.is_array:
        count = reader.length(flexible, False)
        if count < 0:
            return None
        return [_decode_struct(field.struct, reader, version, flexible) if field.is_struct
                else _decode_scalar(field, reader, flexible) for _ in range(count)]
    if field.is_struct:
        if field.is_pointer and reader.fixed(">b") < 0:
            return None
        return _decode_struct(field.struct, reader, version, flexible)
    return _decode_scalar(field, reader, flexible)


def _decode_struct(shape, reader, version, flexible):
    body = {}
    tagged = {}
    for field in shape.fields:
        if not _has(field.versions, version):
            continue
        if field.tag < 0:
            body[field.name] = _decode_value(field, reader, version, flexible)
        else:
            tagged[field.tag] = field
            body[field.name] = _default(field)
    if flexible:
        for _ in range(reader.uvarint()):
            tag = reader.uvarint()
            data = Reader(reader.take(reader.uvarint()))
            if tag in tagged:
                body[tagged[tag].name] = _decode_value(tagged[tag], data, version, True)
            else:
                body[f"unknown tag {tag}"] = data.data
    return body


# --- APIs ---

class Api:
    def __init__(self, schema):
        self.key = schema.key
        self.name = schema.name
        self.request, self.response = schema.messages
        low, high = self.request.versions
        self.versions = range(low, high if schema.unstable is not None else high + 1)
        self.flexible = self.request.flexible[0] if self.request.flexible_text != "none" else 1 << 15

    def encode(self, version, body):
        return _encode_struct(self.request.root, body, version, version >= self.flexible)

    def decode(self, version, data):
        reader = Reader(data)
        body = _decode_struct(self.response.root, reader, version, version >= self.flexible)
        if reader.at != len(data):
            body["bytes left over"] = data[reader.at:]
        return body

    def response_header_size(self, version):
        """Of a header without tags."""
        return 4 if self.key == 18 or version < self.flexible else 5

    def frame(self, version, body, correlation_id=1, client_id="compare"):
        header = request_header(self.key, version, correlation_id, client_id,
                                version >= self.flexible)
        return sized(header + self.encode(version, body))


def sized(data):
    return struct.pack(">i", len(data)) + data


def request_header(key, version, correlation_id, client_id, flexible):
    name = None if client_id is None else client_id.encode()
    return (struct.pack(">hhi", key, version, correlation_id) +
            _length(None if name is None else len(name), False, True) + (name or b"") +
            (b"\0" if flexible else b""))


def _load_apis():
    apis = {}
    for path in sorted((WIRE / "schema" / "api").glob("*.schema")):
        schema = GENERATOR.parse_schema(str(path))
        if schema.kind == "api":
            apis[schema.name] = Api(schema)
    return apis


APIS = _load_apis()


# --- Connections ---

class Closed(Exception):
    """The peer closed the connection."""


class NoAnswer(Exception):
    """Nothing came in time."""


class Connection:
    def __init__(self, port, seconds=10):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=seconds)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.correlation_id = 0

    def close(self):
        self.socket.close()

    def send(self, data):
        try:
            self.socket.sendall(data)
        except (ConnectionError, BrokenPipeError) as error:
            raise Closed from error

    def _receive_exactly(self, count):
        data = bytearray()
        while len(data) < count:
            try:
                piece = self.socket.recv(count - len(data))
            except socket.timeout as error:
                raise NoAnswer from error
            except ConnectionError as error:
                raise Closed from error
            if not piece:
                raise Closed
            data += piece
        return bytes(data)

    def receive(self, seconds=10):
        """One frame, without its size."""
        self.socket.settimeout(seconds)
        return self._receive_exactly(struct.unpack(">i", self._receive_exactly(4))[0])

    def request(self, api, version, body, client_id="compare"):
        self.correlation_id += 1
        self.send(api.frame(version, body, self.correlation_id, client_id))

    def response(self, api, version, seconds=10):
        data = self.receive(seconds)
        if struct.unpack(">i", data[:4])[0] != self.correlation_id:
            raise AssertionError("an answer to another request")
        return api.decode(version, data[api.response_header_size(version):])
