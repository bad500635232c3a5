# SPDX-License-Identifier: Apache-2.0
"""What 10 000 partitions and 10 000 idle connections cost a broker. Used by bench/run.

`start` starts a broker on the same folder again and again; what it gives has `address`, `pid`,
stop() and kill().
"""

import os
import re
import socket
import struct
import subprocess
import time
from pathlib import Path

API_VERSIONS = struct.pack(">ihhih", 11, 18, 0, 1, 1) + b"x"
TOPICS = 10
SECONDS_MAX = 60
CHECKPOINT_SECONDS = 65 # log.flush.offset.checkpoint.interval.ms, and the time that one takes


def rss_kib(pid):
    return int(re.search(r"^VmRSS:\s*(\d+)", Path(f"/proc/{pid}/status").read_text(), re.M).group(1))


def cpu_ms(pid):
    return sum(int((task / "schedstat").read_text().split()[0])
               for task in Path(f"/proc/{pid}/task").iterdir()) / 1e6


def ask(address):
    """Until it answers: listening is not serving yet."""
    host, port = address.rsplit(":", 1)
    s = socket.create_connection((host, int(port)), SECONDS_MAX)
    s.sendall(API_VERSIONS)
    if not s.recv(4):
        raise RuntimeError("the broker gave no answer")
    return s


def partitions(start, folder, program, count, gigabytes=0, load=None):
    """`load` is bench/load; it fills `gigabytes` before the kill."""
    result = {"partitions": count, "gigabytes": gigabytes}

    def timed(key, action):
        started = time.monotonic()
        value = action()
        result[key] = (time.monotonic() - started) * 1000
        return value

    def serving():
        server = start()
        ask(server.address).close()
        return server

    def create():
        subprocess.run([program, "topic", "create", "-b", server.address, "-p", str(count // TOPICS),
                        *[f"topic-{i}" for i in range(TOPICS)]], check=True,
                       stdout=subprocess.DEVNULL)

    def on_disk():
        until = time.monotonic() + SECONDS_MAX
        while sum(1 for e in os.scandir(folder) if e.name.startswith("topic-")) < count:
            if time.monotonic() > until:
                raise RuntimeError("the partitions do not get their folders")
            time.sleep(0.01)

    def fill():
        each = count // TOPICS
        for i in range(TOPICS):
            subprocess.run([load, "produce", server.address, f"topic-{i}", f"partitions={each}",
                            "batch=250000", "connections=2", "in-flight=4", "seconds=300",
                            f"bytes={gigabytes * 10**9 // TOPICS}"], check=True,
                           stdout=subprocess.DEVNULL)
        time.sleep(CHECKPOINT_SECONDS)

    def measure(key):
        result[f"{key}_mib"] = rss_kib(server.pid) / 1024
        result[f"{key}_files"] = len(os.listdir(f"/proc/{server.pid}/fd"))
        result[f"{key}_cpu_ms"] = cpu_ms(server.pid)

    server = serving()
    timed("create_ms", create)
    timed("folders_ms", on_disk)
    measure("create")
    timed("stop_ms", server.stop)
    server = timed("restart_ms", serving)
    measure("restart")
    timed("restop_ms", server.stop)
    server = serving()
    if gigabytes:
        fill()
    server.kill()
    server = timed("recovery_ms", serving)
    measure("recovery")
    server.stop()
    return result


def connections(start, count):
    server = start()
    before, peers = rss_kib(server.pid), []
    try:
        for _ in range(count):
            peers.append(ask(server.address))
        return {"connections": count, "kib_each": (rss_kib(server.pid) - before) / count}
    finally:
        for s in peers:
            s.close()
        server.stop()


def show(result):
    if "partitions" in result:
        print("{partitions} partitions: created in {create_ms:.0f} ms ({folders_ms:.0f} more until "
              "the last has its folder), stop {stop_ms:.0f} ms;\n  clean restart {restart_ms:.0f} ms "
              "({restart_cpu_ms:.0f} of CPU), stop {restop_ms:.0f} ms; after kill -9 with {gigabytes} GB "
              "{recovery_ms:.0f} ms ({recovery_cpu_ms:.0f} of CPU);\n  {restart_mib:.1f} MiB resident, "
              "{restart_files} open files".format(**result))
    else:
        print("{connections} idle connections: {kib_each:.2f} KiB resident each".format(**result))
