#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compiles each header of src/ alone: headers.py ROOT BUILD COMPILER..."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

FLAGS = ["-std=c17", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", "-D_GNU_SOURCE",
         "-D_FILE_OFFSET_BITS=64", '-DCHITIN_VERSION="test"', "-fsyntax-only", "-x", "c", "-"]


def main():
    root, build, compiler = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
    headers = sorted((root / "src").rglob("*.h"))

    def compile_alone(header):
        # Twice, so that a missing #pragma once shows.
        name = header.relative_to(root / "src")
        text = f'#include "{name}"\n#include "{name}"\nint main(void) {{ return 0; }}\n'
        command = [*compiler, f"-I{root / 'src'}", f"-I{build / 'src'}", *FLAGS]
        return subprocess.run(command, input=text, capture_output=True, text=True).stderr

    with ThreadPoolExecutor(4) as pool:
        problems = [text for text in pool.map(compile_alone, headers) if text]
    print(*problems, sep="\n")
    print(f"{len(headers)} headers compiled, {len(problems)} failed")
    sys.exit(1 if problems or not headers else 0)


if __name__ == "__main__":
    main()
