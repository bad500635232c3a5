#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the table of configuration keys to the truth: config_keys.py acts|docs|reference ROOT

acts       a key that claims to act is named by some code of the broker, and what code outside of
           config reads claims to act
docs       docs/configuration-keys.md is what the generator makes of the table (--update writes it)
reference  types, defaults and valid values equal Kafka's, as listed in the folder $KAFKA_FACTS
           (broker-configs.tsv, topic-configs.tsv); skipped when that is not set
"""

import csv
import os
import re
import sys
import tempfile
from pathlib import Path

SKIPPED = 77


def load(root):
    sys.path.insert(0, str(root / "src" / "config"))
    import gen_keys
    return gen_keys.load(root / "src" / "config" / "keys")


READS = re.compile(r'config_(?:text|i32|i64|bool|double|list|duration_ms)\(\s*[^"()]*"([a-z0-9.]+)"')


def check_acts(root):
    broker, topic, group, _ = load(root)
    names, read = set(), {}
    for path in (root / "src").rglob("*.c"):
        if path.parent.name in ("tools", "client"):
            continue  # keys of clients have the same names
        text = path.read_text()
        names.update(re.findall(r'"([a-z0-9.]+)"', text))
        if path.parent.name != "config":
            read.update({name: path for name in READS.findall(text)})
    for key in broker:
        if key.name in read and key.treatment != "acts":
            yield f"{key.place}: {key.name} claims no effect, but {read[key.name]} reads it"
    for key in broker + topic + group:
        inherited = any(t.broker_key == key.name and t.name in names for t in topic + group)
        if key.treatment == "acts" and key.name not in names and not inherited:
            yield f"{key.place}: {key.name} claims to act, but no code names it"


def check_docs(root, update):
    load(root)
    import gen_keys
    path = root / "docs" / "configuration-keys.md"
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "keys.md"
        gen_keys.write_md(made, *gen_keys.load(root / "src" / "config" / "keys"))
        text = made.read_text()
    if update:
        path.write_text(text)
    elif not path.exists() or text != path.read_text():
        yield f"{path} is not what the table says: run tests/house/config_keys.py docs . --update"


def facts(folder, file):
    with open(Path(folder) / file, newline="") as stream:
        for row in csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE):
            if row["in_4.4"] == "yes":
                yield row


def expected(row):
    """Type, default and valid values in 4.4: the columns, then what later releases changed."""
    type_, default = row["type"], row["default_4.4_if_different"] or row["default"]
    valid = row["valid_values"]
    for change in row["changes"].split("; "):
        match = re.match(r"(type|valid) (.*?) -> (.*?) in 4", change)
        if match and match[1] == "type":
            type_ = match[3]
        elif match:
            valid = match[3]
    default = {"null": None, "<required>": None, "(empty)": ""}.get(default, default)
    return type_.lower(), default, valid


def check_reference(root):
    folder = os.environ.get("KAFKA_FACTS")
    if not folder:
        print("KAFKA_FACTS is not set")
        sys.exit(SKIPPED)
    broker, topic, _, _ = load(root)
    for file, keys in (("broker-configs.tsv", broker), ("topic-configs.tsv", topic)):
        ours = {key.name: key for key in keys}
        for row in facts(folder, file):
            key = ours.get(row["name"])
            if key is None:
                yield f"{row['name']} is missing"
                continue
            type_, default, valid = expected(row)
            if (key.type, key.default) != (type_, default):
                yield f"{key.place}: {key.name} is {key.type} {key.default}, not {type_} {default}"
            if valid.startswith("[") and key.valid != valid:
                yield f"{key.place}: {key.name} allows {key.valid}, not {valid}"


def main():
    kind, root = sys.argv[1], Path(sys.argv[2])
    problems = list({"acts": check_acts, "reference": check_reference,
                     "docs": lambda r: check_docs(r, "--update" in sys.argv)}[kind](root))
    print(*problems, sep="\n")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
