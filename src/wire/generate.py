#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes C from the schema texts in wire/schema: structs, tables, and lists of keys and types.

    generate.py header OUTPUT_DIR SCHEMA...   the headers of these schemas, named as they are
    generate.py tables OUTPUT_FILE SCHEMA...  the descriptor tables of all schemas, in one C file
    generate.py keys OUTPUT_FILE SCHEMA...    enum api_key
    generate.py types OUTPUT_FILE SCHEMA...   enums of record types

The language of the texts is described in wire/schema/README.md. A mistake in a text stops the build
with file and line. tests/unit/wire/schema_test.py reads the texts through parse_schema() too.
"""

import os
import re
import sys

VERSION_LAST = 32767
DEPTH_MAX = 16  # WIRE_DEPTH_MAX

# Type -> (C type, table type, C type of an array of it)
SCALARS = {
    'bool': ('bool', 'WIRE_BOOL', 'struct wire_bool_array'),
    'int8': ('int8_t', 'WIRE_INT8', 'struct wire_int8_array'),
    'int16': ('int16_t', 'WIRE_INT16', 'struct wire_int16_array'),
    'uint16': ('uint16_t', 'WIRE_UINT16', None),
    'int32': ('int32_t', 'WIRE_INT32', 'struct wire_int32_array'),
    'uint32': ('uint32_t', 'WIRE_UINT32', None),
    'int64': ('int64_t', 'WIRE_INT64', 'struct wire_int64_array'),
    'float64': ('double', 'WIRE_FLOAT64', None),
    'uuid': ('struct uuid', 'WIRE_UUID', 'struct wire_uuid_array'),
    'string': ('struct str', 'WIRE_STRING', 'struct wire_string_array'),
    'bytes': ('struct bytes', 'WIRE_BYTES', 'struct wire_bytes_array'),
    'records': ('struct wire_records', 'WIRE_RECORDS', None),
}
INTEGERS = {'int8': (-2**7, 2**7 - 1), 'int16': (-2**15, 2**15 - 1), 'uint16': (0, 2**16 - 1),
            'int32': (-2**31, 2**31 - 1), 'uint32': (0, 2**32 - 1), 'int64': (-2**63, 2**63 - 1)}
RESERVED = {'auto', 'bool', 'char', 'const', 'default', 'double', 'enum', 'extern', 'float', 'for',
            'if', 'int', 'long', 'register', 'return', 'short', 'signed', 'static', 'struct',
            'switch', 'union', 'unsigned', 'void', 'volatile', 'while'}


class SchemaError(Exception):
    pass


def snake(name):
    """TopicId -> topic_id; KRaft is one word."""
    name = name.replace('KRaft', 'Kraft')
    return re.sub(r'(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])', '_', name).lower()


def parse_range(text):
    """'3', '0-4', '2+' or 'none' -> (min, max); none is empty."""
    if text == 'none':
        return (1, 0)
    match = re.fullmatch(r'(\d+)(?:(\+)|-(\d+))?', text)
    if not match:
        raise SchemaError(f'bad versions {text!r}')
    low = int(match[1])
    high = VERSION_LAST if match[2] else int(match[3]) if match[3] else low
    if low > high:
        raise SchemaError(f'bad versions {text!r}')
    return (low, high)


class Field:
    """One line: a field with its versions and flags."""

    def __init__(self, words):
        if len(words) < 3:
            raise SchemaError('a field needs a name, a type and versions')
        self.name, type_text, self.versions_text = words[:3]
        self.versions = parse_range(self.versions_text)
        nullable = type_text.endswith('?')
        type_text = type_text.rstrip('?')
        self.is_array = type_text.startswith('[]')
        self.type = type_text[2:] if self.is_array else type_text
        self.nullable_text = self.versions_text if nullable else 'none'
        self.tag = -1
        self.default = None  # as written, or None
        self.ignorable = self.plain = self.secret = False
        self.struct = None
        self._parse_flags(list(words[3:]))
        self.nullable = parse_range(self.nullable_text)
        self._check()

    def _parse_flags(self, words):
        while words:
            word = words.pop(0)
            if word in ('null', 'tag', '=') and not words:
                raise SchemaError(f'{word!r} needs a value')
            if word == 'null':
                self.nullable_text = words.pop(0)
            elif word == 'tag':
                self.tag = int(words.pop(0))
            elif word == '=':
                self.default = words.pop(0)
            elif word in ('ignorable', 'plain', 'secret'):
                setattr(self, word, True)
            else:
                raise SchemaError(f'unknown flag {word!r}')

    def _check(self):
        if not self.is_struct and self.type not in SCALARS:
            raise SchemaError(f'unknown type {self.type!r}')
        if self.is_array and not self.is_struct and SCALARS[self.type][2] is None:
            raise SchemaError(f'no arrays of {self.type}')
        can_be_null = self.is_array or self.is_struct or self.type in ('string', 'bytes', 'records')
        if self.nullable_text != 'none' and not can_be_null:
            raise SchemaError(f'{self.type} cannot be null')
        if self.default is None or self.default == 'null':
            if self.default == 'null' and self.nullable_text == 'none':
                raise SchemaError('null is no default of what is never null')
        elif self.is_array or self.is_struct:
            raise SchemaError('an array or struct has no default but null')
        elif self.type == 'bool':
            if self.default not in ('true', 'false'):
                raise SchemaError(f'bad default {self.default!r}')
        elif self.type in INTEGERS:
            low, high = INTEGERS[self.type]
            if not low <= int(self.default, 0) <= high:
                raise SchemaError(f'default {self.default} is outside {self.type}')
        else:
            raise SchemaError(f'no defaults for {self.type}')

    @property
    def is_struct(self):
        return self.type[0].isupper()

    @property
    def is_pointer(self):
        """A single struct that can be null is a pointer in C."""
        return self.is_struct and not self.is_array and self.nullable_text != 'none'

    @property
    def c_name(self):
        name = snake(self.name)
        return name + '_' if name in RESERVED else name

    def c_declaration(self):
        if not self.is_struct:
            c_type, _, c_array = SCALARS[self.type]
            return f'{c_array if self.is_array else c_type} {self.c_name};'
        c_type = 'struct ' + self.struct.c_name
        if self.is_array:
            return f'{c_type}_array {self.c_name};'
        return f'{c_type} *{self.c_name};' if self.is_pointer else f'{c_type} {self.c_name};'

    def comment(self):
        parts = [self.versions_text]
        if self.tag >= 0:
            parts.append(f'tag {self.tag}')
        if self.nullable_text == self.versions_text:
            parts.append('nullable')
        elif self.nullable_text != 'none':
            parts.append(f'nullable {self.nullable_text}')
        if self.default is not None:
            parts.append(f'default {self.default}')
        return ', '.join(parts)

    def c_default(self):
        """What the table's default_value holds."""
        if self.default is None or self.default == 'null':
            return '0'
        if self.type == 'bool':
            return '1' if self.default == 'true' else '0'
        value = int(self.default, 0)
        return 'INT64_MIN' if value == -2**63 else f'INT64_C({value})'

    def c_flags(self):
        flags = [name for name, on in (
            ('WIRE_IS_ARRAY', self.is_array),
            ('WIRE_IS_POINTER', self.is_pointer),
            ('WIRE_IS_IGNORABLE', self.ignorable),
            ('WIRE_IS_PLAIN', self.plain),
            ('WIRE_IS_SECRET', self.secret),
            ('WIRE_DEFAULT_NULL', self.default == 'null'),
        ) if on]
        return ' | '.join(flags) or '0'


class Struct:
    def __init__(self, name, versions_text):
        self.name = name
        self.versions_text = versions_text
        self.fields = []
        self.c_name = None


class Message:
    """A struct that stands for itself on the wire: a request, a response, a record."""

    def __init__(self, name, versions_text, flexible_text):
        self.name = name
        self.versions_text = versions_text
        self.flexible_text = flexible_text
        self.versions = parse_range(versions_text)
        self.flexible = parse_range(flexible_text)
        if self.flexible_text != 'none' and self.flexible[1] != VERSION_LAST:
            raise SchemaError('flexible versions are N+ or none')
        self.root = Struct(name, versions_text)
        self.common = []  # structs declared apart, in order
        self.structs = []  # all, inner ones first, the root last

    @property
    def c_name(self):
        return snake(self.name)

    def resolve(self):
        """Binds type names to structs, gives them C names and an order."""
        known = {struct.name: struct for struct in self.common}
        if len(known) != len(self.common):
            raise SchemaError(f'{self.name}: two structs of one name')
        self._collect(self.root, known)
        for struct in self.common:
            self._collect(struct, known)
        self.root.c_name = self.c_name
        for struct in known.values():
            struct.c_name = f'{self.c_name}_{snake(struct.name)}'
        self._order(self.root, known, ())
        unused = set(known.values()) - set(self.structs)
        if unused:
            raise SchemaError(f'{self.name}: struct {unused.pop().name} is not used')

    def _collect(self, struct, known):
        for field in struct.fields:
            if field.struct is not None:
                if field.type in known:
                    raise SchemaError(f'{self.name}: two structs named {field.type}')
                known[field.type] = field.struct
                self._collect(field.struct, known)

    def _order(self, struct, known, path):
        if struct in path:
            raise SchemaError(f'{self.name}: {struct.name} contains itself')
        if len(path) + 1 > DEPTH_MAX:
            raise SchemaError(f'{self.name}: structs nest too deep')
        names = [field.name for field in struct.fields]
        if len(names) != len(set(names)):
            raise SchemaError(f'{self.name}: two fields of one name in {struct.name}')
        tags = sorted(field.tag for field in struct.fields if field.tag >= 0)
        if tags != list(range(len(tags))):
            raise SchemaError(f'{self.name}: the tags of {struct.name} have gaps or repeat')
        for field in struct.fields:
            if field.tag >= 0 and field.versions[0] < self.flexible[0]:
                raise SchemaError(f'{self.name}: {field.name} has a tag before flexible versions')
            if not field.is_struct:
                continue
            if field.type not in known:
                raise SchemaError(f'{self.name}: no struct {field.type}')
            field.struct = known[field.type]
            self._order(field.struct, known, path + (struct,))
        if struct not in self.structs:
            self.structs.append(struct)


# Keys of APIs that are not Kafka's begin here.
OWN_FIRST = 10000


class Schema:
    """One file: a header line and one or two messages."""

    def __init__(self, path):
        self.path = path
        self.base = os.path.splitext(os.path.basename(path))[0]
        self.kind = None      # api, metadata, remote, coordinator, header, data, removed
        self.own = False      # an API that is not Kafka's
        self.key = None       # API key or record type
        self.log = None       # of coordinator records: group, transaction, share
        self.name = None
        self.versions_text = self.flexible_text = None
        self.unstable = None
        self.listeners = ()
        self.cluster_action = self.forwarded = False
        self.messages = []
        self.removed = []     # (key, name)

    def parse_head(self, words):
        self.kind = words.pop(0)
        if self.kind == 'own':
            self.kind, self.own = 'api', True
        if self.kind == 'coordinator':
            self.log = words.pop(0)
        if self.kind in ('api', 'metadata', 'remote', 'coordinator'):
            self.key = int(words.pop(0))
        elif self.kind not in ('header', 'data'):
            raise SchemaError(f'unknown kind {self.kind!r}')
        self.name = words.pop(0)
        while words:
            word = words.pop(0)
            if word in ('cluster-action', 'forwarded'):
                setattr(self, word.replace('-', '_'), True)
                continue
            value = words.pop(0)
            if word == 'versions':
                self.versions_text = value
            elif word == 'flexible':
                self.flexible_text = value
            elif word == 'unstable':
                self.unstable = int(value)
            elif word == 'listeners':
                self.listeners = tuple(value.split(','))
            else:
                raise SchemaError(f'unknown word {word!r}')
        if self.versions_text is None or self.flexible_text is None:
            raise SchemaError('versions or flexible is missing')
        if self.base != snake(self.name):
            raise SchemaError(f'{self.name} belongs into {snake(self.name)}.schema')
        if self.kind not in ('api', 'coordinator'):
            self.add_message(self.name)

    def add_message(self, name, versions=None, flexible=None):
        message = Message(name, versions or self.versions_text, flexible or self.flexible_text)
        self.messages.append(message)
        return message

    def begin_section(self, word):
        sections = {'api': {'request': 'Request', 'response': 'Response'},
                    'coordinator': {'key': 'Key', 'value': 'Value'}}.get(self.kind, {})
        if word not in sections:
            raise SchemaError(f'unknown section {word!r}')
        name = self.name + sections[word]
        # Keys of coordinator records never change.
        return self.add_message(name, '0', 'none') if word == 'key' else self.add_message(name)

    @property
    def headers(self):
        """[(header name, its messages)]"""
        if self.kind == 'coordinator':
            return [(message.c_name, [message]) for message in self.messages]
        return [(self.base, self.messages)]


def parse_lines(schema, lines):
    levels = None  # open structs by depth
    sections = False
    for number, line in enumerate(lines, 1):
        text = line.split('#')[0].rstrip()
        if not text:
            continue
        try:
            words = text.split()
            depth, rest = divmod(len(text) - len(text.lstrip()), 4)
            if rest:
                raise SchemaError('indent by four spaces')
            if words[0] == 'removed':
                schema.kind = 'removed'
                schema.removed.append((int(words[1]), words[2]))
            elif schema.kind is None:
                schema.parse_head(words)
                sections = not schema.messages
                if not sections:
                    levels = [schema.messages[0].root]
            elif sections and depth == 0:
                levels = [schema.begin_section(words[0]).root]
            else:
                depth -= sections
                if levels is None or depth >= len(levels) or depth < 0:
                    raise SchemaError('indented too deep')
                del levels[depth + 1:]
                if words[0] == 'struct':
                    if depth != 0 or len(words) != 3:
                        raise SchemaError("a struct is 'struct Name versions' at the top")
                    struct = Struct(words[1], words[2])
                    schema.messages[-1].common.append(struct)
                    levels.append(struct)
                    continue
                parent = levels[depth]
                field = Field(words)
                parent.fields.append(field)
                levels.append(InlineStruct(field))
        except (SchemaError, ValueError, IndexError) as error:
            raise SchemaError(f'{schema.path}:{number}: {error}') from None


class InlineStruct:
    """Stands below a field line; becomes a struct when a deeper line comes."""

    def __init__(self, field):
        self.field = field

    @property
    def fields(self):
        if not self.field.is_struct:
            raise SchemaError(f'{self.field.name} is no struct')
        if self.field.struct is None:
            self.field.struct = Struct(self.field.type, self.field.versions_text)
        return self.field.struct.fields


def parse_schema(path):
    schema = Schema(path)
    with open(path, encoding='utf-8') as file:
        parse_lines(schema, file)
    if schema.kind is None:
        raise SchemaError(f'{path}: no header line')
    for message in schema.messages:
        try:
            message.resolve()
        except SchemaError as error:
            raise SchemaError(f'{path}: {error}') from None
    return schema


# --- C ---

def struct_text(struct):
    name = struct.c_name
    lines = [f'struct {name} {{']
    for field in struct.fields:
        lines.append(f'    {field.c_declaration()} // {field.comment()}')
    if not struct.fields:
        lines.append('    char empty_; // the message has no fields')
    lines += ['};', '', f'struct {name}_array {{', f'    struct {name} *items;', '    int32_t count;',
              '};', '', f'extern const struct wire_struct {name}_struct;', '',
              'static inline void', f'{name}_init(struct {name} *msg)', '{',
              f'    wire_struct_init(&{name}_struct, msg);', '}', '',
              f'static inline struct {name} *',
              f'{name}_array_new(struct arena *arena, int32_t count,',
              f'    struct {name}_array *array)', '{',
              f'    array->items = wire_struct_array_new(&{name}_struct,',
              '        arena, count, &array->count);',
              '    return array->items;', '}', '']
    return '\n'.join(lines) + '\n'


def header_text(schema, messages):
    parts = [f'// SPDX-License-Identifier: Apache-2.0\n'
             f'// Generated from {os.path.basename(schema.path)}; see wire/wire.h for the conventions.\n'
             '#pragma once\n\n#include "wire/wire.h"\n\n']
    for message in messages:
        parts.append(f'// --- {message.name}: versions {message.versions_text}, '
                     f'flexible {message.flexible_text} ---\n\n')
        parts += [struct_text(struct) for struct in message.structs]
        parts.append(f'extern const struct wire_schema {message.c_name}_schema;\n\n')
    return ''.join(parts)


def field_entry(struct, field):
    table_type = 'WIRE_STRUCT' if field.is_struct else SCALARS[field.type][1]
    element = f'&{field.struct.c_name}_struct' if field.is_struct else 'NULL'
    return (f'    {{"{field.name}", offsetof(struct {struct.c_name}, {field.c_name}), {table_type}, '
            f'{field.c_flags()}, {field.versions[0]}, {field.versions[1]}, {field.nullable[0]}, '
            f'{field.nullable[1]}, {field.tag}, {field.c_default()}, {element}}},\n')


def tables_of_struct(struct):
    plain = [field for field in struct.fields if field.tag < 0]
    tagged = sorted((field for field in struct.fields if field.tag >= 0), key=lambda f: f.tag)
    name = struct.c_name
    parts = []
    if struct.fields:
        parts.append(f'static const struct wire_field {name}_fields[] = {{\n')
        parts += [field_entry(struct, field) for field in plain + tagged]
        parts.append('};\n')
    fields = f'{name}_fields' if struct.fields else 'NULL'
    parts.append(f'const struct wire_struct {name}_struct = {{"{struct.name}", {fields}, '
                 f'sizeof(struct {name}), {len(plain)}, {len(struct.fields)}}};\n\n')
    return ''.join(parts)


def message_tables(message):
    parts = [tables_of_struct(struct) for struct in message.structs]
    low, high = message.versions
    parts.append(f'const struct wire_schema {message.c_name}_schema = {{"{message.name}", '
                 f'&{message.c_name}_struct, {low}, {high}, '
                 f'{message.flexible[0] if message.flexible_text != "none" else "INT16_MAX"}}};\n\n')
    return ''.join(parts)


def api_entry(schema):
    low, high = schema.messages[0].versions
    unstable = -1
    if schema.unstable is not None:
        unstable, high = schema.unstable, schema.unstable - 1
    listeners = ' | '.join({'broker': 'API_ON_BROKER', 'controller': 'API_ON_CONTROLLER'}[name]
                           for name in schema.listeners)
    flexible = parse_range(schema.flexible_text)[0] if schema.flexible_text != 'none' else 'INT16_MAX'
    request, response = (f'&{message.c_name}_schema' for message in schema.messages)
    at = schema.key - OWN_FIRST if schema.own else schema.key
    return (f'    [{at}] = {{{schema.key}, "{schema.name}", {low}, {high}, {unstable}, '
            f'{flexible}, {listeners}, {c_bool(schema.cluster_action)}, {c_bool(schema.forwarded)}, '
            f'{request}, {response}}},\n')


def c_bool(value):
    return 'true' if value else 'false'


def tables_text(schemas):
    parts = ['// SPDX-License-Identifier: Apache-2.0\n// Generated from the schema texts.\n'
             '#include <stddef.h>\n\n#include "wire/apis.h"\n#include "wire/records.h"\n'
             '#include "wire/tables.h"\n']
    for schema in schemas:
        for header, _ in schema.headers if schema.messages else ():
            folder = 'api' if schema.kind == 'api' else 'record'
            parts.append(f'#include "wire/{folder}/{header}.h"\n')
    parts.append('\n')
    for schema in schemas:
        parts += [message_tables(message) for message in schema.messages]
    parts.append('const struct api wire_api_entries[API_KEY_MAX + 1] = {\n')
    apis = sorted((s for s in schemas if s.kind == 'api'), key=lambda s: s.key)
    parts += [api_entry(schema) for schema in apis if not schema.own]
    for schema in schemas:
        for key, name in schema.removed:
            parts.append(f'    [{key}] = {{{key}, "{name}", 0, -1, -1, INT16_MAX, 0, false, false, '
                         'NULL, NULL},\n')
    parts.append('};\n\nconst struct api wire_own_api_entries[API_OWN_MAX - API_OWN_FIRST + 1] = {\n')
    parts += [api_entry(schema) for schema in apis if schema.own]
    parts.append('};\n\n')
    metadata = sorted((s for s in schemas if s.kind == 'metadata'), key=lambda s: s.key)
    parts.append('const struct wire_schema *const '
                 'wire_metadata_schemas[METADATA_RECORD_TYPE_MAX + 1] = {\n')
    parts += [f'    [{s.key}] = &{s.messages[0].c_name}_schema,\n' for s in metadata]
    parts.append('};\n\n')
    for log in ('group', 'transaction', 'share'):
        entries = sorted((s for s in schemas if s.log == log), key=lambda s: s.key)
        parts.append(f'const struct coordinator_record_type wire_{log}_records'
                     f'[{log.upper()}_RECORD_TYPE_MAX + 1] = {{\n')
        parts += [f'    [{s.key}] = {{{s.key}, "{s.name}", &{s.messages[0].c_name}_schema, '
                  f'&{s.messages[1].c_name}_schema}},\n' for s in entries]
        parts.append('};\n\n')
    # For tests that go through all messages.
    parts.append('const struct wire_schema *const wire_all_schemas[] = {\n')
    parts += [f'    &{message.c_name}_schema,\n' for s in schemas for message in s.messages]
    parts.append('    NULL,\n};\n')
    return ''.join(parts)


def keys_text(schemas):
    entries = [(s.key, s.name) for s in schemas if s.kind == 'api']
    for schema in schemas:
        entries += schema.removed
    entries.sort()
    if len({key for key, _ in entries}) != len(entries):
        raise SchemaError('two APIs with one key')
    last = max(key for key, _ in entries if key < OWN_FIRST)
    lines = [f'    API_{snake(name).upper()} = {key},\n' for key, name in entries]
    return ('// SPDX-License-Identifier: Apache-2.0\n// Generated from the schema texts. FROZEN.\n'
            '#pragma once\n\nenum api_key {\n' + ''.join(lines) + '};\n\n'
            f'enum {{ API_KEY_MAX = {last}, API_OWN_FIRST = {OWN_FIRST}, '
            f'API_OWN_MAX = {max(entries[-1][0], OWN_FIRST)} }};\n')


def enum_text(name, prefix, entries):
    lines = [f'    {prefix}{snake(entry).upper()} = {key},\n' for key, entry in sorted(entries)]
    if len({key for key, _ in entries}) != len(entries):
        raise SchemaError(f'enum {name}: one number twice')
    last = max(key for key, _ in entries)
    return (f'enum {name} {{\n' + ''.join(lines) + '};\n\n'
            f'enum {{ {name.upper()}_MAX = {last} }};\n\n')


def types_text(schemas):
    """METADATA_TOPIC_RECORD, GROUP_RECORD_OFFSET_COMMIT..."""
    parts = ['// SPDX-License-Identifier: Apache-2.0\n// Generated from the schema texts. FROZEN.\n'
             '#pragma once\n\n',
             enum_text('metadata_record_type', 'METADATA_',
                       [(s.key, s.name) for s in schemas if s.kind == 'metadata']),
             enum_text('remote_record_type', '',
                       [(s.key, s.name) for s in schemas if s.kind == 'remote'])]
    for log in ('group', 'transaction', 'share'):
        parts.append(enum_text(f'{log}_record_type', f'{log.upper()}_RECORD_',
                               [(s.key, s.name) for s in schemas if s.log == log]))
    return ''.join(parts)


def write(path, text):
    with open(path, 'w', encoding='utf-8') as file:
        file.write(text)


def main(arguments):
    mode, output, *paths = arguments
    schemas = [parse_schema(path) for path in paths]
    if mode == 'header':
        for schema in schemas:
            for header, messages in schema.headers:
                write(os.path.join(output, header + '.h'), header_text(schema, messages))
    elif mode == 'tables':
        write(output, tables_text(schemas))
    elif mode == 'keys':
        write(output, keys_text(schemas))
    elif mode == 'types':
        write(output, types_text(schemas))
    else:
        sys.exit(f'unknown mode {mode}')


if __name__ == '__main__':
    try:
        main(sys.argv[1:])
    except SchemaError as problem:
        sys.exit(f'generate.py: {problem}')
