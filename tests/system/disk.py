# SPDX-License-Identifier: Apache-2.0
"""A file system of a test's own: an ext4 in a file, mounted through a loop device. It can be small, and
it can lose its power. Needs root; missing() says what else is missing."""

import fcntl
import os
import shutil
import struct
import subprocess
import time
from pathlib import Path

EXT4_IOC_SHUTDOWN = 0x8004587d  # _IOR('X', 125, __u32)
GOING_FLAGS_NOLOGFLUSH = 2      # not even the journal that is in memory gets out


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")


def missing(folder):
    """Why there can be no disk here, or None. Tries it."""
    if os.geteuid() != 0:
        return "mounting a file system needs root"
    for program in ("mkfs.ext4", "mount", "umount", "findmnt"):
        if shutil.which(program) is None:
            return f"{program} is missing"
    try:
        with Disk(folder, 4 << 20):
            return None
    except OSError as failure:
        return str(failure)


class Disk:
    """Mounted while the `with` block lasts, and at no other time."""

    def __init__(self, folder, size_bytes):
        self.image = Path(folder) / "disk.img"
        self.path = Path(folder) / "disk"
        self.size_bytes = size_bytes
        self.mounted = False

    def __enter__(self):
        self.path.mkdir()
        with open(self.image, "wb") as image:
            image.truncate(self.size_bytes)
        # No blocks for root alone: full is full for everybody.
        run("mkfs.ext4", "-q", "-F", "-m", "0", "-E", "nodiscard", str(self.image))
        self.mount()
        return self

    def __exit__(self, *_):
        try:
            self.unmount()
        finally:
            if not self.mounted:
                self.path.rmdir()
                self.image.unlink()

    def mount(self):
        # The default, that a failed file system goes on, is not what anybody runs.
        run("mount", "-o", "loop,errors=remount-ro", str(self.image), str(self.path))
        self.mounted = True

    def unmount(self):
        if not self.mounted:
            return
        for patience in range(50):
            try:
                run("umount", str(self.path))
                self.mounted = False
                return
            except OSError:
                if patience == 49:
                    raise
                time.sleep(0.1)  # a process that was killed may still be on its way

    def cut_power(self):
        """From now on nothing gets to the disk: what was not synced is lost with the next unmount."""
        fd = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, EXT4_IOC_SHUTDOWN, struct.pack("I", GOING_FLAGS_NOLOGFLUSH))
        finally:
            os.close(fd)

    def turn_read_only(self):
        """What ext4 does when it finds an error."""
        device = subprocess.run(["findmnt", "-no", "SOURCE", str(self.path)], check=True,
                                capture_output=True, text=True).stdout.strip()
        Path("/sys/fs/ext4", Path(device).name, "trigger_fs_error").write_text("test")

    def repair(self):
        """Mounted again, good as new."""
        self.unmount()
        status = subprocess.run(["e2fsck", "-fp", str(self.image)], capture_output=True).returncode
        assert status in (0, 1), status  # 1: errors were corrected
        self.mount()

    def free_bytes(self):
        space = os.statvfs(self.path)
        return space.f_bavail * space.f_frsize

    def fill(self, leave_bytes=0):
        """Takes the space away, but for this much; empty() gives it back."""
        with open(self.path / "ballast", "ab") as ballast:
            while self.free_bytes() > leave_bytes:
                want = min(self.free_bytes() - leave_bytes, 1 << 20)
                try:
                    os.posix_fallocate(ballast.fileno(), ballast.tell(), want)
                except OSError:
                    return
                ballast.seek(0, os.SEEK_END)

    def empty(self):
        (self.path / "ballast").unlink()


class MemoryDisk(Disk):
    """In memory: full means full, for new files too. ext4 keeps some of both back."""
    FILES_MAX = 200

    def __enter__(self):
        self.path.mkdir()
        run("mount", "-t", "tmpfs", "-o", f"size={self.size_bytes},nr_inodes={self.FILES_MAX}",
            "chitin-test", str(self.path))
        self.mounted = True
        return self

    def __exit__(self, *_):
        self.unmount()
        self.path.rmdir()

    def fill(self, leave_bytes=0):
        super().fill(leave_bytes)
        try:
            for i in range(self.FILES_MAX):
                (self.path / f"ballast-{i}").touch()
        except OSError:
            return

    def empty(self):
        for ballast in self.path.glob("ballast*"):
            ballast.unlink()
