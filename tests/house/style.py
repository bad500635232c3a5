#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a reader should not have to look for: style.py ROOT

Licence line, line length, tabs and blanks at line ends, functions that have a safer twin, typedefs
of structs, `#if` outside os, paths of somebody's machine. Prints the longest files.
"""

import re
import sys
from pathlib import Path

FOLDERS = ["src", "tests", "bench", "build-aux", ".ci"]
SUFFIXES = {".c", ".h", ".py", ".sh", ".build", ".tbl"}
COLUMNS = 100  # what we aim at; a line fails that passes it by more than a word
COLUMNS_MAX = 108
LINES_MAX = 1500  # of a file; 800 is what we aim at

BANNED = {
    "strcpy": "str_copy_to", "strncpy": "str_copy_to", "stpcpy": "str_copy_to",
    "strcat": "buf_append_text", "strncat": "buf_append_text",
    "sprintf": "snprintf or buf_printf", "vsprintf": "vsnprintf", "gets": "buf.h",
    "atoi": "str_parse_i32", "atol": "str_parse_i64", "atoll": "str_parse_i64",
    "atof": "str_parse_double", "strtok": "str_cut", "strtok_r": "str_cut",
    "sscanf": "str_parse_i64", "scanf": "buf.h", "alloca": "arena.h",
    "strdup": "mem_copy_text", "malloc": "mem.h", "calloc": "mem.h", "realloc": "mem.h",
    "assert": "check()", "strerror": "err_text",
}
BANNED_CALL = re.compile(r"(?<![\w.>])(" + "|".join(BANNED) + r")\s*\(")
# Where a banned name is at home: a file, or a folder with a slash at its end.
EXEMPT = {
    "src/os/": {"strerror", "sscanf"},
    "bench/": {"strerror", "atoi"},  # programs that stand beside the tree
    "tests/unit/": {"malloc", "calloc", "realloc"},
    "tests/sim/": {"malloc", "calloc", "realloc"},
    "src/base/mem.c": {"malloc", "calloc", "realloc"},
    "src/base/buf.c": {"realloc", "malloc"},
    "src/base/arena.c": {"malloc", "calloc", "realloc"},
}
OWN_HOST = re.compile(r"(?<![\w.])/(work|root|home)/\w")
MAY_IFDEF = {"src/base/be.h", "src/base/arena.c"}


def strip_comments_and_strings(text):
    """The same text, with comments and string contents blanked, lines kept."""
    pattern = re.compile(
        r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.DOTALL)
    return pattern.sub(lambda m: "".join(c if c == "\n" else " " for c in m.group()), text)


def check_c(name, text):
    code = strip_comments_and_strings(text)
    in_src = name.startswith("src/")
    for number, line in enumerate(code.splitlines(), 1):
        call = BANNED_CALL.search(line)
        if call and not any(name.startswith(place) and call[1] in names
                            for place, names in EXEMPT.items()):
            yield f"{name}:{number}: {call[1]}() is banned; use {BANNED[call[1]]}"
        if in_src and re.match(r"\s*typedef\s+(struct|union|enum)\b", line):
            yield f"{name}:{number}: no typedef for structs"
        if in_src and not name.startswith("src/os/") and name not in MAY_IFDEF and \
                re.match(r"\s*#\s*(if|ifdef|ifndef)\b", line):
            yield f"{name}:{number}: #if belongs to src/os"
    if name.endswith(".h") and "#pragma once" not in text:
        yield f"{name}: no #pragma once"


def check_text(name, text):
    lines = text.splitlines()
    if "SPDX-License-Identifier: Apache-2.0" not in "\n".join(lines[:3]):
        yield f"{name}: no SPDX line on top"
    for number, line in enumerate(lines, 1):
        longest = COLUMNS_MAX + (20 if name.startswith("tests/") else 0)
        if len(line) > longest and not name.endswith(".tbl"):
            yield f"{name}:{number}: {len(line)} columns, more than {longest}"
        if line != line.rstrip():
            yield f"{name}:{number}: blanks at the end of the line"
        if "\t" in line:
            yield f"{name}:{number}: a tab"
    if text and not text.endswith("\n"):
        yield f"{name}: no newline at the end"


def check_paths(name, text):
    for number, line in enumerate(text.splitlines(), 1):
        if OWN_HOST.search(line):
            yield f"{name}:{number}: a path of somebody's machine"


def main():
    root = Path(sys.argv[1])
    problems, lengths = [], []
    files = [root / "dev", root / "meson.build", *root.glob("*.md"), *(root / "docs").rglob("*.md")]
    for folder in FOLDERS:
        files += [p for p in (root / folder).rglob("*") if p.is_file()]
    for path in files:
        name = str(path.relative_to(root))
        generated = "__pycache__" in path.parts or "node_modules" in path.parts
        if generated or not path.exists() or "/corpus/" in name or "/golden/" in name:
            continue
        is_code = path.suffix in SUFFIXES or name in ("dev", ".ci/run")
        if not is_code and path.suffix != ".md":
            continue
        text = path.read_text()
        problems += check_paths(name, text)
        if is_code:
            problems += check_text(name, text)
        if path.suffix in (".c", ".h"):
            problems += check_c(name, text)
            lengths.append((text.count("\n"), name))
    lengths.sort(reverse=True)
    problems += [f"{name}: {n} lines" for n, name in lengths if n > LINES_MAX]
    print(*problems, sep="\n")
    print("longest files:", ", ".join(f"{name} {n}" for n, name in lengths[:10]))
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
