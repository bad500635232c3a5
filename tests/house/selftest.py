#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Shows that the house tests can say no: selftest.py HERE COMPILER...

Makes small trees, each with one fault, and expects the words of the finding; the tree without a
fault must pass.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

SPDX = "// SPDX-License-Identifier: Apache-2.0\n"
LAYERS = "base pure\nlog env base\nos os base\n"
GOOD = {
    "build-aux/layers.txt": LAYERS,
    "src/base/a.h": SPDX + "#pragma once\nint a_one(void);\n",
    "src/base/a.c": SPDX + '#include "base/a.h"\n\nint a_one(void)\n{\n    return 1;\n}\n',
    "src/log/b.h": SPDX + "#pragma once\nint b_one(void);\n",
    "src/log/b.c": SPDX + '#include "log/b.h"\n\n#include "base/a.h"\n\nint b_one(void)\n{\n'
                          "    return a_one();\n}\n",
    "src/os/c.c": SPDX + '#include "base/a.h"\n\nint c_one(void);\nint c_one(void)\n{\n'
                         "    return a_one();\n}\n",
}


def changed(path, old, new):
    return {**GOOD, path: GOOD[path].replace(old, new)}


# (script, tree, words that must appear)
FAULTS = [
    ("layers", changed("src/base/a.c", "\n\nint", '\n#include "log/b.h"\n\nint'),
     "no arrow base -> log"),
    ("layers", changed("src/log/b.c", '#include "base/a.h"\n\n', ""), "nothing uses log -> base"),
    ("layers", changed("src/log/b.c", '#include "log/b.h"\n\n#include "base/a.h"',
                       '#include "base/a.h"\n\n#include "log/b.h"'), "own header must come first"),
    ("layers", changed("src/log/b.c", '"base/a.h"', '"a.h"'), "must be written with its folder"),
    ("layers", {**GOOD, "src/new/x.c": SPDX}, "src/new is not in layers.txt"),
    ("layers", changed("build-aux/layers.txt", "os os", "gone pure\nos os"), "layers.txt has gone"),
    ("layers", changed("build-aux/layers.txt", "base pure", "base pure log"), "to a line above"),
    ("style", changed("src/base/a.c", SPDX, ""), "no SPDX line"),
    ("style", changed("src/base/a.c", "return 1", "return 1" + " + 1" * 30), "columns"),
    ("style", changed("src/base/a.c", "return 1;", "return 1; "), "blanks at the end"),
    ("style", changed("src/base/a.c", "    return", "\treturn"), "a tab"),
    ("style", changed("src/base/a.c", "return 1", 'return atoi("1")'), "atoi() is banned"),
    ("style", changed("src/base/a.h", "int", "typedef struct a a_t;\nint"), "no typedef"),
    ("style", changed("src/log/b.c", "int b", "#ifdef X\n#endif\nint b"), "#if belongs to src/os"),
    ("style", changed("src/base/a.h", "#pragma once\n", ""), "no #pragma once"),
    ("style", changed("src/base/a.c", "\n\nint", "\n// see /home" + "/somebody/x\n\nint"),
     "a path of somebody's machine"),
    ("headers", changed("src/log/b.h", "(void)", "(size_t x)"), "unknown type name"),
    ("calls", changed("src/base/a.c", "return 1", "return (int)time(0)").copy()
     | {"src/base/a.h": SPDX + "#pragma once\n#include <time.h>\nint a_one(void);\n"},
     "base/a.c calls time"),
    ("globals", changed("src/base/a.c", "    return 1", "    static int count;\n    return ++count"),
     "count"),
]


def write(folder, tree):
    for name, text in tree.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def archives(folder, compiler):
    made = []
    for name in ("base", "log", "os"):
        objects = []
        for source in (folder / "src" / name).glob("*.c"):
            out = folder / f"lib{name}.a.p" / (source.name + ".o")
            out.parent.mkdir(exist_ok=True)
            subprocess.run([*compiler, "-c", f"-I{folder / 'src'}", "-o", str(out), str(source)],
                           check=True)
            objects.append(str(out))
        archive = folder / f"lib{name}.a"
        subprocess.run(["ar", "rcs", str(archive), *objects], check=True)
        made.append(str(archive))
    return made


def run(here, script, folder, compiler):
    if script in ("calls", "globals"):
        command = [str(here / "symbols.py"), script, str(folder / "build-aux" / "layers.txt"),
                   *archives(folder, compiler)]
    elif script == "headers":
        command = [str(here / "headers.py"), str(folder), str(folder), *compiler]
    else:
        command = [str(here / f"{script}.py"), str(folder)]
    return subprocess.run([sys.executable, *command], capture_output=True, text=True)


def main():
    here, compiler = Path(sys.argv[1]), sys.argv[2:]
    bad = 0
    cases = [(script, GOOD, None) for script in ("layers", "style", "headers", "calls", "globals")]
    for script, tree, words in cases + FAULTS:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write(folder, tree)
            result = run(here, script, folder, compiler)
        said = result.stdout + result.stderr
        if words is None and result.returncode != 0:
            print(f"{script} complains about nothing:\n{said}")
            bad += 1
        elif words is not None and (result.returncode == 0 or words not in said):
            print(f"{script} does not say '{words}':\n{said}")
            bad += 1
    print(f"{len(cases) + len(FAULTS)} cases, {bad} bad")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
