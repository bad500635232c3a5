#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares the schema texts, field by field, and the table of errors with facts about Kafka.

    schema_test.py GENERATE_DIR SCHEMA_DIR FACTS_DIR

FACTS_DIR (the variable CHITIN_KAFKA_FACTS goes before it) holds Kafka's message definitions as JSON
(messages, metadata, coordinator), apis.tsv and errors.tsv. Without it only the texts themselves are read.
"""

import csv
import glob
import json
import os
import re
import sys


def load_json(path):
    """JSON with // comments outside of strings."""
    with open(path, encoding='utf-8') as file:
        text = file.read()
    out = []
    position, in_string = 0, False
    while position < len(text):
        char = text[position]
        if in_string:
            step = 2 if char == '\\' else 1
            out.append(text[position:position + step])
            in_string = char != '"'
            position += step
        elif text.startswith('//', position):
            end = text.find('\n', position)
            position = len(text) if end < 0 else end
        else:
            in_string = char == '"'
            out.append(char)
            position += 1
    return json.loads(''.join(out))


class Comparison:
    def __init__(self):
        self.failed = 0
        self.fields = 0

    def same(self, place, what, want, got):
        if want != got:
            print(f'{place}: {what} is {want!r} in Kafka, {got!r} here')
            self.failed += 1

    def default(self, fact):
        """Kafka's default as our texts would write it."""
        value = fact.get('default')
        if value is None or value == '':
            return None
        return str(value).lower() if isinstance(value, bool) else str(value)

    def field(self, place, fact, field):
        self.fields += 1
        versions = fact.get('versions', fact.get('taggedVersions'))
        self.same(place, 'type', fact['type'], ('[]' if field.is_array else '') + field.type)
        self.same(place, 'versions', versions, field.versions_text)
        self.same(place, 'nullableVersions', fact.get('nullableVersions', 'none'), field.nullable_text)
        self.same(place, 'tag', fact.get('tag', -1), field.tag)
        if 'taggedVersions' in fact:
            self.same(place, 'taggedVersions', fact['taggedVersions'], field.versions_text)
        self.same(place, 'default', self.default(fact), field.default)
        self.same(place, 'ignorable', fact.get('ignorable', False), field.ignorable)
        self.same(place, 'flexibleVersions', fact.get('flexibleVersions'),
                  'none' if field.plain else None)

    def struct(self, place, facts, struct):
        self.same(place, 'fields', [fact['name'] for fact in facts],
                  [field.name for field in struct.fields])
        for fact, field in zip(facts, struct.fields):
            self.field(f'{place}.{fact["name"]}', fact, field)
            if 'fields' in fact:
                self.struct(f'{place}.{fact["name"]}', fact['fields'], field.struct)

    def message(self, fact, message):
        place = fact['name']
        self.same(place, 'validVersions', fact['validVersions'], message.versions_text)
        self.same(place, 'flexibleVersions', fact['flexibleVersions'], message.flexible_text)
        self.struct(place, fact['fields'], message.root)
        common = fact.get('commonStructs', [])
        self.same(place, 'commonStructs', [c['name'] for c in common],
                  [struct.name for struct in message.common])
        for c, struct in zip(common, message.common):
            self.same(f'{place}.{c["name"]}', 'versions', c['versions'], struct.versions_text)
            self.struct(f'{place}.{c["name"]}', c['fields'], struct)


# Kafka's, but written in the code of a client instead of in a schema file.
WITHOUT_FACTS = {'StickyAssignorUserData'}


def compare_messages(comparison, schemas, facts_dir):
    ours = {message.name: (schema, message) for schema in schemas for message in schema.messages}
    removed = {key: name for schema in schemas for key, name in schema.removed}
    seen = set()
    for folder in ('messages', 'metadata', 'coordinator'):
        for path in sorted(glob.glob(os.path.join(facts_dir, folder, '**', '*.json'), recursive=True)):
            fact = load_json(path)
            name = fact['name']
            if fact['validVersions'] == 'none':
                comparison.same(name, 'removed', name, removed.get(fact['apiKey'], '')
                                + ('Request' if fact['type'] == 'request' else 'Response'))
                continue
            if name not in ours:
                comparison.same(name, 'message', name, None)
                continue
            seen.add(name)
            schema, message = ours[name]
            comparison.same(name, 'apiKey', fact.get('apiKey'), schema.key)
            comparison.message(fact, message)
            if fact.get('listeners') is not None:
                comparison.same(name, 'listeners', sorted(fact['listeners']),
                                sorted(schema.listeners))
    for name in sorted(name for name in set(ours) - seen - WITHOUT_FACTS if not ours[name][0].own):
        comparison.same(name, 'message', None, name)
    return len(seen)


def compare_apis(comparison, schemas, facts_dir):
    ours = {schema.key: schema for schema in schemas if schema.kind == 'api' and not schema.own}
    count = 0
    with open(os.path.join(facts_dir, 'apis.tsv'), encoding='utf-8') as file:
        for row in csv.DictReader(file, delimiter='\t'):
            key, name = int(row['api_key']), row['name']
            if row['min_version'] == 'none':
                continue
            count += 1
            if key not in ours:
                comparison.same(name, 'api key', key, None)
                continue
            schema = ours.pop(key)
            low, high = schema.messages[0].versions
            if schema.unstable is not None:
                high = schema.unstable - 1
            comparison.same(name, 'name', name, schema.name)
            comparison.same(name, 'range', (int(row['min_version']), int(row['max_version'])),
                            (low, high))
            comparison.same(name, 'unstable_max', row['unstable_max'],
                            '' if schema.unstable is None else str(schema.unstable))
            comparison.same(name, 'flexible_since', row['flexible_since'],
                            schema.flexible_text.rstrip('+'))
            comparison.same(name, 'listeners', row['listeners'], ','.join(schema.listeners))
            comparison.same(name, 'cluster_action', row['cluster_action'] == 'yes',
                            schema.cluster_action)
            comparison.same(name, 'forwarded', row['forwarded_to_controller'] == 'yes',
                            schema.forwarded)
    for key in ours:
        comparison.same(f'api {key}', 'api key', None, key)
    return count


def compare_errors(comparison, header, facts_dir):
    """The table in errors.h."""
    with open(header, encoding='utf-8') as file:
        entries = re.findall(r'X\((-?\d+), (\w+), (true|false),', file.read())
    ours = {int(code): (name, retriable) for code, name, retriable in entries}
    with open(os.path.join(facts_dir, 'errors.tsv'), encoding='utf-8') as file:
        facts = {int(row['code']): (row['name'], row['retriable'])
                 for row in csv.DictReader(file, delimiter='\t')}
    for code in sorted(set(ours) | set(facts)):
        comparison.same(f'error {code}', 'name and retriable', facts.get(code), ours.get(code))
    return len(facts)


def main():
    generate_dir, schema_dir, facts_dir = sys.argv[1:]
    sys.path.insert(0, generate_dir)
    sys.dont_write_bytecode = True
    from generate import parse_schema
    paths = glob.glob(os.path.join(schema_dir, '**', '*.schema'), recursive=True)
    schemas = [parse_schema(path) for path in sorted(paths)]
    print(f'{len(schemas)} schema texts read')
    facts_dir = os.environ.get('CHITIN_KAFKA_FACTS', facts_dir)
    if not os.path.isdir(os.path.join(facts_dir, 'messages')):
        print(f'SKIPPED: no facts about Kafka in {facts_dir} (CHITIN_KAFKA_FACTS); '
              'the schema texts were not compared')
        return 77
    comparison = Comparison()
    messages = compare_messages(comparison, schemas, facts_dir)
    apis = compare_apis(comparison, schemas, facts_dir)
    errors = compare_errors(comparison, os.path.join(generate_dir, 'errors.h'), facts_dir)
    print(f'{messages} messages with {comparison.fields} fields, {apis} APIs and {errors} errors '
          f'compared, {comparison.failed} differences')
    return 1 if comparison.failed or messages == 0 else 0


if __name__ == '__main__':
    sys.exit(main())
