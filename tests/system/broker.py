# SPDX-License-Identifier: Apache-2.0
"""A real broker process for tests: an empty folder, a free port, signals, its lines on stderr."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

START_SECONDS = 10
STOP_SECONDS = 10


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def binary():
    """The program under test: $CHITIN, or the one of the default build."""
    default = Path(__file__).resolve().parents[2] / "build" / "chitin"
    return os.environ.get("CHITIN", str(default))


def extra_overrides():
    """$CHITIN_OVERRIDES for every broker under test: "chitin.shards=3 KEY=VALUE"."""
    return os.environ.get("CHITIN_OVERRIDES", "").split()


class Broker:
    """chitin server on a folder. start() waits until it answers; the folder survives stop()."""

    def __init__(self, folder, port=None, overrides=(), program=None, log_folder=None,
                 environment=None):
        self.program = program or binary()
        self.folder = Path(folder)
        self.port = port or free_port()
        self.overrides = list(overrides)
        self.environment = {**os.environ, **(environment or {})}
        self.process = None
        self.log_path = Path(log_folder or self.folder.parent) / (self.folder.name + ".stderr")

    @property
    def bootstrap(self):
        return f"127.0.0.1:{self.port}"

    def command(self):
        settings = [f"listeners=PLAINTEXT://127.0.0.1:{self.port}", f"log.dirs={self.folder}",
                    *extra_overrides(), *self.overrides]
        command = [self.program, "server"]
        for setting in settings:
            command += ["--override", setting]
        return command

    def start(self, wait=True):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command(), stderr=log, stdout=log,
                                            env=self.environment)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self):
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(f"exit status {self.process.returncode}\n{self.log()}")
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.01)
        raise AssertionError(f"not ready after {START_SECONDS} s\n{self.log()}")

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, seconds=STOP_SECONDS):
        return self.process.wait(seconds)

    def stop(self):
        """Orderly, and it must be orderly."""
        self.signal(signal.SIGTERM)
        status = self.wait()
        assert status == 0, f"exit status {status}\n{self.log()}"

    def kill(self):
        self.signal(signal.SIGKILL)
        self.process.wait()

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def rss_bytes(self):
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no VmRSS")

    def cpu_seconds(self):
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
