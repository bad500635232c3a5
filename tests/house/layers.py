#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the includes of src/ to build-aux/layers.txt: layers.py ROOT

Fails on an include along no arrow, on a folder that is missing in the table (or there without being
in src/), on an arrow that points up, on a .c that does not include its own header first, and,
once every folder has code, on an arrow that nothing uses.
"""

import re
import sys
from pathlib import Path

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)


def read_table(path):
    """Folder -> folders that it may include, in the order of the file."""
    arrows = {}
    for line in path.read_text().splitlines():
        words = line.split("#")[0].split()
        if words:
            arrows[words[0]] = words[2:]
    return arrows


def includes_of(path):
    return INCLUDE.findall(path.read_text())


def check_table(arrows, folders):
    for name in folders - arrows.keys():
        yield f"src/{name} is not in layers.txt"
    for name in arrows.keys() - folders:
        yield f"layers.txt has {name}, which is not in src"
    above = set()
    for name, allowed in arrows.items():
        for other in allowed:
            if other not in above:
                yield f"layers.txt: {name} -> {other} does not point to a line above"
        above.add(name)


def check_file(path, src, arrows, used):
    folder = path.relative_to(src).parts[0]
    names = includes_of(path)
    for name in names:
        target = name.split("/")[0]
        if "/" not in name:
            yield f"{path}: \"{name}\" must be written with its folder"
        elif target != folder and target not in arrows.get(folder, []):
            yield f"{path}: no arrow {folder} -> {target} in layers.txt"
        elif target != folder:
            used.add((folder, target))
    own = str(path.with_suffix(".h").relative_to(src))
    internal = own.replace(".h", "_internal.h")  # which begins with the public one
    if path.suffix == ".c" and (src / own).exists() and names[:1] != [own] and \
            internal not in names:
        yield f"{path}: its own header must come first"


def main():
    root = Path(sys.argv[1])
    src = root / "src"
    arrows = read_table(root / "build-aux" / "layers.txt")
    folders = {p.name for p in src.iterdir() if p.is_dir() and p.name != "__pycache__"}
    problems = list(check_table(arrows, folders))
    used, filled = set(), set()
    for path in sorted([*src.rglob("*.c"), *src.rglob("*.h")]):
        problems += check_file(path, src, arrows, used)
        if path.suffix == ".c":
            filled.add(path.relative_to(src).parts[0])
    unused = [f"layers.txt: nothing uses {a} -> {b}"
              for a, allowed in arrows.items() for b in allowed if (a, b) not in used]
    empty = folders - filled - {"env"}  # env is headers alone
    if empty:
        print("not complained about while these have no code:", *sorted(empty))
        print(*unused, sep="\n")
    else:
        problems += unused
    print(*problems, sep="\n")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
