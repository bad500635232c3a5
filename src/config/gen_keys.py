#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Turns keys/*.tbl into the C table of config/keys.c, or into the reference for users.

    gen_keys.py c OUT KEYS_DIR      the rows and one blob of strings; no pointers, no relocations
    gen_keys.py md OUT KEYS_DIR     every key as Markdown

README.md in this folder says how a line is read.
"""

import re
import sys
from pathlib import Path

BROKER_FILES = ["server", "log", "cluster", "coordinator", "remote", "security"]
TOPIC_FILES = ["topic"]
GROUP_FILES = ["group"]
TYPES = ["boolean", "string", "int", "short", "long", "double", "list", "class", "password"]
MODES = {"static": "CONFIG_READ_ONLY", "broker": "CONFIG_PER_BROKER",
         "cluster": "CONFIG_CLUSTER_WIDE", "topic": "CONFIG_CLUSTER_WIDE",
         "group": "CONFIG_CLUSTER_WIDE"}
TREATMENTS = {"acts": "CONFIG_ACTS", "accepted": "CONFIG_ACCEPTED", "planned": "CONFIG_PLANNED",
              "refuse": "CONFIG_REFUSED"}
IMPORTANCES = ["high", "medium", "low"]
NONE = 0xFFFFFFFF  # no such string


def fail(place, words):
    sys.exit(f"{place}: {words}")


def content_lines(path):
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line and not line.startswith("#"):
            yield f"{path.name}:{number}", line


class Key:
    def __init__(self, place, line, scope, section, reasons):
        fields = line.split()
        if len(fields) < 7:
            fail(place, "expected: name type default valid mode importance treatment [flags]")
        self.name, self.type, default, valid, self.mode, self.importance, treatment = fields[:7]
        self.place, self.scope, self.section, self.doc = place, scope, section, ""
        self.default = {"null": None, "required": None, '""': ""}.get(default, default)
        self.treatment, _, word = treatment.partition(":")
        if self.type not in TYPES or self.mode not in MODES or self.importance not in IMPORTANCES:
            fail(place, f"{self.name}: bad type, mode or importance")
        if self.treatment not in TREATMENTS or (self.treatment == "acts") != (word == ""):
            fail(place, f"{self.name}: bad treatment {treatment}")
        if word and word not in reasons:
            fail(place, f"{self.name}: no reason called {word}")
        self.reason = reasons.get(word, "")
        self.internal = "internal" in fields[7:]
        self.own = "own" in fields[7:]
        self.listener = "listener" in fields[7:]
        self.restart = "restart" in fields[7:]
        self.broker_key = next((f[5:] for f in fields[7:] if f.startswith("from=")), None)
        self.read_valid(valid)

    def read_valid(self, valid):
        """Sets check, low and high (for C), and the valid values in Kafka's notation."""
        self.check, self.low, self.high, self.valid = "CHECK_NONE", "-INFINITY", "INFINITY", ""
        bounds = re.fullmatch(r"(-?[\d.]*\d)\.\.(-?[\d.]+)?(\|-1)?", valid)
        if valid == "-":
            return
        if bounds:
            self.check = "CHECK_RANGE_OR_MINUS_ONE" if bounds[3] else "CHECK_RANGE"
            self.low, self.high = bounds[1], bounds[2] or "INFINITY"
            middle = f",...,{bounds[2]}]" if bounds[2] else ",...]"
            self.valid = f"[{bounds[1]}{middle}" + (" or -1" if bounds[3] else "")
        elif valid.startswith("{"):
            words = "[" + valid[1:valid.index("}")].replace(",", ", ") + "]"
            nocase = valid.endswith("i")
            self.check = "CHECK_SET_NOCASE" if nocase else "CHECK_SET"
            self.valid = "(case insensitive) " + words if nocase else words
        elif valid == "nonempty":
            self.check, self.valid = "CHECK_NONEMPTY", "non-empty " + self.type
        elif valid == "replicas":
            self.check = "CHECK_REPLICAS"
            self.valid = "[partitionId]:[brokerId],[partitionId]:[brokerId],..."
        else:
            fail(self.place, f"{self.name}: cannot read the valid values {valid}")


def read_keys(folder, files, scope, reasons):
    keys, section = [], ""
    for name in files:
        for place, line in content_lines(folder / f"{name}.tbl"):
            if line.startswith("["):
                section = line.strip("[]")
            elif line.startswith("    "):
                keys[-1].doc = (keys[-1].doc + " " + line.strip()).strip()
            else:
                keys.append(Key(place, line, scope, section, reasons))
    names = [k.name for k in keys]
    for k in keys:
        if not k.doc:
            fail(k.place, f"{k.name} has no sentence")
        if names.count(k.name) > 1:
            fail(k.place, f"{k.name} is there twice")
    return keys


class Strings:
    """One blob of terminated strings, each there once."""

    def __init__(self):
        self.offsets, self.lines, self.size = {}, [], 0

    def add(self, text):
        if text is None:
            return NONE
        if text not in self.offsets:
            self.offsets[text] = self.size
            escaped = text.replace("\\", "\\\\").replace('"', '\\"')
            self.lines.append(f'    "{escaped}\\0"')
            self.size += len(text.encode()) + 1
        return self.offsets[text]


def write_c(out, broker, topic, group, removed):
    strings = Strings()
    strings.add("")
    rows, position = [], {}
    for keys in (broker, topic, group):
        for key in sorted(keys, key=lambda k: k.name):
            flags = [name for on, name in ((key.internal, "FLAG_INTERNAL"), (key.own, "FLAG_OWN"),
                                           (key.listener, "FLAG_LISTENER"),
                                           (key.restart, "FLAG_RESTART")) if on]
            if key.scope == "CONFIG_BROKER":
                position[key.name] = len(position)
            elif key.broker_key is not None and key.broker_key not in position:
                fail(key.place, f"{key.name}: no broker key {key.broker_key}")
            rows.append(
                f"    {{{strings.add(key.name)}u, {strings.add(key.default)}u, "
                f"{strings.add(key.valid)}u, {strings.add(key.doc)}u, "
                f"{strings.add(key.reason)}u, {strings.add(key.broker_key)}u, "
                f"{key.low}, {key.high}, CONFIG_TYPE_{key.type.upper()}, {MODES[key.mode]}, "
                f"{TREATMENTS[key.treatment]}, {key.check}, {IMPORTANCES.index(key.importance)}, "
                f"{' | '.join(flags) or '0'}, {key.scope}}},")
    gone = [f"    {{{strings.add(name)}u, {strings.add(release)}u}}," for name, release in removed]
    text = "\n".join([
        "// Made by gen_keys.py from keys/*.tbl.",
        '#include "config/table.h"', "",
        "#include <math.h>", "",
        "const char config_strings[] =", *strings.lines, "    ;", "",
        f"const int config_broker_key_count = {len(broker)};",
        f"const int config_topic_key_count = {len(topic)};",
        f"const int config_group_key_count = {len(group)};", "",
        "const struct config_key config_keys[] = {", *rows, "};", "",
        f"const int config_removed_count = {len(removed)};", "",
        "const struct config_removed config_removed_keys[] = {", *gone, "};", ""])
    out.write_text(text)


def cell(text):
    return text.replace("|", "\\|")


def fact_words(key):
    """Type, default and valid values."""
    default = {None: "not set", "": "empty"}.get(key.default, f"`{key.default}`")
    valid = f"; `{key.valid}`" if key.valid else ""
    return f"{key.type}, {default}{valid}"


def change_words(key):
    if key.scope != "CONFIG_BROKER":
        return f"`{key.broker_key}`" if key.broker_key else ""
    if key.restart:
        return "at start (Kafka: broker)"
    return {"static": "at start", "broker": "broker", "cluster": "cluster"}[key.mode]


def treatment_words(key):
    own = " Chitin's own." if key.own else ""
    listener = " Also per listener." if key.listener else ""
    return {"acts": "acts", "accepted": "no effect: ", "planned": "not yet: ",
            "refuse": "**refused**: "}[key.treatment] + key.reason + "." + own + listener


MD_HEAD = """# Every configuration key

All keys of Apache Kafka 4.4 and Chitin's own, and what becomes of each here. This page is made from
the table that the broker itself uses (`tests/house/config_keys.py docs . --update`, and a test sees
to it). The guide is [configuration.md](configuration.md).

- **acts**: as documented by Apache Kafka.
- **no effect**: the value is checked, and cannot change anything here; the reason stands beside it.
- **not yet**: the value is checked, and what it belongs to is not there yet. A start with a value
  other than the default says so.
- **refused**: it promises protection that is not there, so a start with it is refused.

"Changes" says when a new value takes effect: at the start, or at run time for one *broker*, or for
the *cluster* and each broker. For a key of a topic or a group it names the broker key that gives its
default; these keys change at run time.

Names in `listener.name.NAME.key` set a key for one listener, where a key says so.
"""


def write_md(out, broker, topic, group, removed):
    acting = sum(k.treatment == "acts" for k in broker + topic + group)
    lines = [MD_HEAD, f"{acting} of {len(broker + topic + group)} keys act.", ""]
    for title, keys, third in (("Broker", broker, "changes"), ("Topic", topic, "broker default"),
                               ("Group", group, "broker default")):
        lines += [f"## {title} keys", ""]
        section = None
        for key in keys:
            if key.internal:
                continue
            if key.section != section:
                section = key.section
                if lines[-1]:
                    lines.append("")
                if section != "Topics":
                    lines += [f"### {section}", ""]
                lines += [f"| key | type, default; valid | {third} | here | what it is |",
                          "| --- | --- | --- | --- | --- |"]
            lines.append(f"| `{key.name}` | {cell(fact_words(key))} | {change_words(key)} | "
                         f"{cell(treatment_words(key))} | {cell(key.doc)} |")
        lines.append("")
    lines += ["## Keys hidden in Apache Kafka", "",
              "They tune its inside and are not in its documentation. They are known and checked.", "",
              "| key | type, default; valid | here | what it is |", "| --- | --- | --- | --- |"]
    lines += [f"| `{key.name}` | {cell(fact_words(key))} | {cell(treatment_words(key))} | "
              f"{cell(key.doc)} |" for key in broker + topic + group if key.internal]
    lines += ["", "## Removed from Apache Kafka", "", "They are named in the log and ignored.", ""]
    lines += [f"- `{name}` ({release})" for name, release in removed]
    out.write_text("\n".join(lines) + "\n")


def load(folder):
    """The keys of brokers, of topics and of groups, and (name, release) of removed keys."""
    reasons = {}
    for place, line in content_lines(folder / "reasons.tbl"):
        word, words = line.split(None, 1)
        reasons[word] = words
    broker = read_keys(folder, BROKER_FILES, "CONFIG_BROKER", reasons)
    topic = read_keys(folder, TOPIC_FILES, "CONFIG_TOPIC", reasons)
    group = read_keys(folder, GROUP_FILES, "CONFIG_GROUP", reasons)
    removed = sorted(tuple(line.split()) for _, line in content_lines(folder / "removed.tbl"))
    return broker, topic, group, removed


def main():
    if len(sys.argv) != 4 or sys.argv[1] not in ("c", "md"):
        sys.exit(__doc__)
    kind, out, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    (write_c if kind == "c" else write_md)(out, *load(folder))


if __name__ == "__main__":
    main()
