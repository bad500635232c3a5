#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The manual is whole: manual.py CHITIN PAGE...

The build makes exactly the pages that the program has; each has every flag that --help shows; groff, if
it is there, finds nothing to complain of.
"""

import re
import shutil
import subprocess
import sys

SECTIONS = ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "ENVIRONMENT", "EXAMPLES",
            "SEE ALSO"]


def run(*command, **arguments):
    return subprocess.run(command, capture_output=True, text=True, **arguments)


def help_of(chitin, page):
    if page.startswith("kafka-"):
        return run(page, "--help", executable=chitin).stdout
    first, _, second = page.removeprefix("chitin-").partition("-")
    return run(chitin, *filter(None, (first, second)), "--help", check=True).stdout


def findings(chitin, pages):
    listed = run(chitin, "manual").stdout.split()
    if listed != pages:
        yield f"the build makes {sorted(set(pages) ^ set(listed))}, or another order"
    for page in pages:
        text = run(chitin, "manual", page, check=True).stdout
        if page != "chitin":
            sections = re.findall(r"^\.SH (.*)$", text, re.M)
            if [s for s in SECTIONS if s in sections] != sections:
                yield f"{page}: sections {sections}"
            plain = text.replace("\\-", "-")
            names = re.findall(r"^ {2,6}(-.*)", help_of(chitin, page).partition("Flags:")[2], re.M)
            flags = re.findall(r"(?<![\w-])--[a-z][A-Za-z.-]+", " ".join(n.partition("  ")[0] for n in names))
            for flag in set(flags):
                if f"\\fB{flag}\\fR" not in plain:
                    yield f"{page}: {flag} is missing"
            if not flags and page not in ("chitin-completion", "chitin-manual",
                                          "chitin-storage-random-uuid"):
                yield f"{page}: no flags were found in its help"
        if shutil.which("groff"):
            said = run("groff", "-man", "-Tutf8", "-ww", "-z", input=text).stderr
            if said:
                yield f"{page}: {said.strip()}"


def main():
    found = list(findings(sys.argv[1], sys.argv[2:]))
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
