#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares what log_print says of log files with what Kafka's DumpLogSegments says of them.

    log_files_test.py LOG_PRINT GOLDEN_DIR FACTS_DIR

GOLDEN_DIR holds log files and expected.jsonl. FACTS_DIR (the variable CHITIN_KAFKA_FACTS goes before
it), if it is there, holds files/*.tar.gz and files/*.expected.jsonl: whole data directories written
by Kafka, unpacked to a temporary directory.
"""

import base64
import glob
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile

KINDS = {'__cluster_metadata': 'metadata', '__consumer_offsets': 'group',
         '__transaction_state': 'transaction', '__share_group_state': 'share'}
CONTROLS = {0: 'ABORT', 1: 'COMMIT', 2: 'LeaderChange', 3: 'SnapshotHeader', 4: 'SnapshotFooter',
            5: 'KRaftVersion', 6: 'KRaftVoters'}


class Difference(Exception):
    pass


def lower_names(value):
    """Kafka's JSON starts names in lower case."""
    if isinstance(value, dict):
        return {key[0].lower() + key[1:]: lower_names(item) for key, item in value.items()}
    return [lower_names(item) for item in value] if isinstance(value, list) else value


def same(want, got, path):
    """Is our value Kafka's? Bytes are hex here and base64 there."""
    if isinstance(want, dict) and isinstance(got, dict):
        if set(want) != set(got):
            raise Difference(f'{path}: fields {sorted(want)}, not {sorted(got)}')
        for key in want:
            same(want[key], got[key], f'{path}.{key}')
    elif isinstance(want, list) and isinstance(got, list):
        if len(want) != len(got):
            raise Difference(f'{path}: {len(want)} elements, not {len(got)}')
        for index, (a, b) in enumerate(zip(want, got)):
            same(a, b, f'{path}[{index}]')
    elif want != got and not is_base64_of(want, got):
        raise Difference(f'{path}: {want!r}, not {got!r}')


def is_base64_of(want, got):
    if not (isinstance(want, str) and isinstance(got, str) and re.fullmatch('([0-9a-f]{2})*', got)):
        return False
    return base64.b64encode(bytes.fromhex(got)).decode() == want


def check_batch(want, got):
    want = {key: value for key, value in want.items() if key not in ('file', 'kind')}
    horizon = re.fullmatch(r'OptionalLong\[(\d+)\]', want['deleteHorizonMs'])
    want['deleteHorizonMs'] = int(horizon[1]) if horizon else -1
    got = {key: value for key, value in got.items() if key != 'kind'}
    same(want, got, 'batch')


def check_consumers(wanted, got):
    """What members of a classic group of consumers say in their subscription and assignment."""
    for member, mine in zip(wanted, got):
        for key in ('subscription', 'assignment'):
            if isinstance(member[key], dict):
                same(member[key], lower_names(mine[key]['data']), key)
                member[key] = mine[key]['hex']


def check_data(want, got):
    """The decoded key and value of metadata and coordinator records."""
    if 'control' in got:
        name = CONTROLS[got['control']]
        if 'endTxnMarker' in want:
            same(want['endTxnMarker'], name, 'marker')
            same(want['coordinatorEpoch'], got['coordinatorEpoch'], 'coordinatorEpoch')
            return 1
        data = want.get('data', want.get(name))
        same(data, lower_names(got['data']), name)
        return 1
    checked = 0
    if isinstance(want.get('key'), dict) and 'key' in got:
        same(int(want['key']['type']), got['key']['type'], 'key type')
        same(want['key']['data'], lower_names(got['key']['data']), 'key')
        checked += 1
    payload = want.get('payload')
    if isinstance(payload, dict) and 'payload' in got:
        if 'type' in payload:
            same(payload['type'].replace('_', '').lower(), got['payload']['type'].lower(), 'type')
        same(int(payload['version']), got['payload']['version'], 'version')
        if 'consumers' in got:
            check_consumers(payload['data']['members'], got['consumers'])
        same(payload['data'], lower_names(got['payload']['data']), 'payload')
        checked += 1
    return checked


def check_record(want, got):
    for key in ('offset', 'keySize', 'valueSize', 'sequence'):
        same(want[key], got[key], key)
    same(want.get('CreateTime', want.get('LogAppendTime')), got['timestamp'], 'timestamp')
    headers = want['headerKeys']
    if isinstance(headers, str):
        headers = headers.strip('[]').split(',')
    same(headers, got['headerKeys'], 'headerKeys')
    if isinstance(want.get('key'), str) and 'key' not in got:
        same(want['key'], got['keyText'], 'key')
    return check_data(want, got)


def check_file(log_print, path, wanted):
    """Returns how many (batches, records, decoded messages) were compared."""
    topic = os.path.basename(os.path.dirname(path)).rsplit('-', 1)[0]
    run = subprocess.run([log_print, KINDS.get(topic, 'plain'), path], capture_output=True,
                         text=True, check=False)
    if run.returncode != 0:
        raise Difference(f'log_print: {run.stderr.strip()}')
    got = [json.loads(line) for line in run.stdout.split('\n') if line]
    if len(got) != len(wanted):
        raise Difference(f'{len(wanted)} batches and records, not {len(got)}')
    batches = records = decoded = 0
    for number, (a, b) in enumerate(zip(wanted, got)):
        try:
            same(a['kind'], b['kind'], 'kind')
            if a['kind'] == 'batch':
                check_batch(a, b)
                batches += 1
            else:
                decoded += check_record(a, b)
                records += 1
        except Difference as difference:
            raise Difference(f'line {number}: {difference}') from None
    return batches, records, decoded


def check_directory(log_print, root, expected):
    by_file = {}
    with open(expected, encoding='utf-8') as file:
        for line in file:
            entry = json.loads(line)
            if entry['kind'] in ('file', 'batch', 'record'):
                entries = by_file.setdefault(entry['file'], [])
                if entry['kind'] != 'file':
                    entries.append(entry)
    totals = [0, 0, 0]
    failed = 0
    for name, wanted in sorted(by_file.items()):
        if not name.endswith(('.log', '.checkpoint')):
            continue
        try:
            counts = check_file(log_print, os.path.join(root, name), wanted)
            totals = [a + b for a, b in zip(totals, counts)]
        except Difference as difference:
            print(f'{expected}: {name}: {difference}')
            failed += 1
    print(f'{os.path.basename(expected)}: {totals[0]} batches, {totals[1]} records, '
          f'{totals[2]} decoded messages agree, {failed} files differ')
    if totals[0] == 0:
        failed += 1
    return failed


def main():
    log_print, golden, facts = sys.argv[1:]
    failed = check_directory(log_print, golden, os.path.join(golden, 'expected.jsonl'))
    facts = os.environ.get('CHITIN_KAFKA_FACTS', facts)
    archives = sorted(glob.glob(os.path.join(facts, 'files', '*.tar.gz')))
    if not archives:
        print(f'SKIPPED: no data directories of Kafka in {facts} (CHITIN_KAFKA_FACTS); '
              'only the golden files were compared')
    for archive in archives:
        with tempfile.TemporaryDirectory() as root:
            with tarfile.open(archive) as tar:
                tar.extractall(root, [member for member in tar.getmembers()
                                      if member.name.endswith(('.log', '.checkpoint'))])
            failed += check_directory(log_print, root, archive.replace('.tar.gz', '.expected.jsonl'))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
