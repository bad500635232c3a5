#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares our dump of log directories with what Kafka's DumpLogSegments says of them.

    dump_test.py LOG_DUMP GOLDEN_DIR FACTS_DIR

GOLDEN_DIR holds a small directory and expected.jsonl. FACTS_DIR (the variable CHITIN_KAFKA_FACTS goes
before it), if it is there, holds files/*.tar.gz and files/*.expected.jsonl.
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


def same(want, got):
    """Is our value Kafka's? Optionals are numbers or null here. Kafka shows members of classic groups
    parsed, we as bytes; and secrets, which we do not show."""
    if got == '(secret)':
        return True
    if want == 'OptionalLong.empty':
        return got is None
    if isinstance(want, str) and re.fullmatch(r'OptionalLong\[\d+\]', want):
        return want == f'OptionalLong[{got}]'
    if isinstance(want, dict) and isinstance(got, dict):
        return set(want) == set(got) and all(same(want[key], got[key]) for key in want)
    if isinstance(want, list) and isinstance(got, list):
        return len(want) == len(got) and all(map(same, want, got))
    if isinstance(want, dict) and isinstance(got, str):
        return len(base64.b64decode(got, validate=True)) > 0
    return want == got


def normal(want):
    """Kafka's line in our words."""
    want = {key: value for key, value in want.items() if key != 'file'}
    if isinstance(want.get('headerKeys'), str):
        # "[h,null]": a key and a value of null, which is no key.
        want['headerKeys'] = [key for key in want['headerKeys'].strip('[]').split(',')]
    for name in ('LeaderChange', 'SnapshotHeader', 'SnapshotFooter', 'KRaftVersion', 'KRaftVoters'):
        if name in want:
            want['control'], want['data'] = name, want.pop(name)
    if want.get('payload') == '<DELETE>':
        want['payload'] = None
    for name in ('key', 'payload'):
        if name in want and not isinstance(want[name], (dict, str)) and want[name] is not None:
            want[name] = str(want[name])
    return want


def ours(got):
    return {key: value for key, value in got.items() if key != 'file'}


def differs(want, got):
    """None, or the field that differs."""
    for key in sorted(set(want) | set(got)):
        if key in ('key', 'payload') and key not in want:
            continue  # the expectation leaves out values that are not text
        if key not in got and want[key] is None:
            continue
        if key not in want or key not in got or not same(want[key], got[key]):
            return key
    return None


def check_file(log_dump, root, name, wanted):
    run = subprocess.run([log_dump, name], cwd=root, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        print(f'{name}: {run.stderr.strip()}')
        return 0, 1
    lines = [json.loads(line) for line in run.stdout.split('\n') if line]
    # Of a preallocated index Kafka prints the first zeros as an entry.
    wanted = [normal(line) for line in wanted
              if not (name.endswith('index') and 0 in (line.get('position'), line.get('timestamp')))]
    lines = [ours(line) for line in lines if 'preallocated' not in line.get('text', '')]
    if not any(line['kind'] == 'entry' for line in wanted) and name.endswith('index'):
        lines = [line for line in lines if line['kind'] != 'entry']  # see the README of the facts
    for number, (want, got) in enumerate(zip(wanted, lines)):
        key = differs(want, got)
        if key is not None:
            print(f'{name}: line {number}: {key}: Kafka says {want}, we {got}')
            return number, 1
    if len(wanted) != len(lines):
        print(f'{name}: {len(wanted)} lines, ours are {len(lines)}')
        return 0, 1
    return len(wanted), 0


def check_directory(log_dump, root, expected):
    by_file = {}
    with open(expected, encoding='utf-8') as file:
        for line in file:
            entry = json.loads(line)
            by_file.setdefault(entry['file'], []).append(entry)
    lines = failed = 0
    for name, wanted in sorted(by_file.items()):
        count, bad = check_file(log_dump, root, name, wanted)
        lines += count
        failed += bad
    print(f'{os.path.basename(expected)}: {lines} lines of {len(by_file)} files agree, '
          f'{failed} files differ')
    return failed if lines > 0 else failed + 1


def main():
    log_dump, golden, facts = map(os.path.abspath, sys.argv[1:])
    failed = check_directory(log_dump, golden, os.path.join(golden, 'expected.jsonl'))
    facts = os.environ.get('CHITIN_KAFKA_FACTS', facts)
    archives = sorted(glob.glob(os.path.join(facts, 'files', '*.tar.gz')))
    if not archives:
        print(f'SKIPPED: no data directories of Kafka in {facts} (CHITIN_KAFKA_FACTS); '
              'only the golden files were compared')
    for archive in archives:
        with tempfile.TemporaryDirectory() as root:
            with tarfile.open(archive) as tar:
                tar.extractall(root)
            failed += check_directory(log_dump, root, archive.replace('.tar.gz', '.expected.jsonl'))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
