#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counts test results: results.py FOLDER [FAILED_STAGE]...

Reads every JUnit file in FOLDER (one per stage, or a folder per stage) and prints "N passed, N
failed" as its last line. A stage that failed without a failing test to show for it (it did not
build, it crashed) counts as one failure. Exits with 1 if anything failed or nothing ran.
"""

import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path


def count(path):
    """(passed, failed, skipped, names of the failed) of one file."""
    passed, failed, skipped, names = 0, 0, 0, []
    try:
        for case in ElementTree.parse(path).getroot().iter("testcase"):
            kinds = {child.tag for child in case}
            if kinds & {"failure", "error"}:
                failed += 1
                names.append(f"{path.stem}: {case.get('classname', '')} {case.get('name')}")
            elif "skipped" in kinds:
                skipped += 1
            else:
                passed += 1
    except (ElementTree.ParseError, OSError) as problem:
        failed += 1
        names.append(f"{path}: {problem}")
    return passed, failed, skipped, names


def main():
    folder, failed_stages = Path(sys.argv[1]), set(sys.argv[2:])
    passed = failed = skipped = 0
    names = []
    stages_with_failures = set()
    for path in sorted(folder.rglob("*.xml")):
        p, f, s, n = count(path)
        passed, failed, skipped, names = passed + p, failed + f, skipped + s, names + n
        if f:
            stages_with_failures.add(path.relative_to(folder).parts[0])
    for stage in sorted(failed_stages - stages_with_failures):
        failed += 1
        names.append(f"{stage}: the stage itself")
    for name in names:
        print(f"failed: {name}")
    if skipped:
        print(f"{skipped} skipped")
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
