#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads what the archives define and call: symbols.py KIND LAYERS ARCHIVE...

KIND `calls`: an archive of a folder of kind `pure` or `env` calls nothing that does input or
output, reads a clock, starts a thread, draws a random number or ends the process: that is what includes
cannot show. KIND `globals`: no archive has writable data.
"""

import re
import subprocess
import sys
from pathlib import Path

FORBIDDEN = re.compile(r"""^(
    open|openat|creat|close|read|pread|preadv|preadv2|readv|write|pwrite|pwritev|pwritev2|writev|
    lseek|fsync|fdatasync|sync_file_range|syncfs|ftruncate|truncate|fallocate|posix_fallocate|
    rename|renameat|renameat2|unlink|unlinkat|remove|link|symlink|readlink|mkdir|mkdirat|rmdir|
    opendir|readdir|closedir|stat|fstat|lstat|fstatat|statx|statvfs|fstatvfs|access|chmod|chdir|
    getcwd|realpath|mmap|munmap|msync|mincore|madvise|flock|fcntl|ioctl|dup|dup2|pipe|pipe2|
    fopen|fdopen|freopen|fclose|fread|fwrite|fprintf|vfprintf|printf|vprintf|puts|putchar|fputs|
    fputc|fgets|getline|fflush|perror|stdout|stderr|stdin|scanf|fscanf|
    socket|bind|listen|accept|accept4|connect|send|sendto|sendmsg|recv|recvfrom|recvmsg|sendfile|
    splice|shutdown|getaddrinfo|gethostbyname|gethostname|getpeername|getsockname|setsockopt|
    poll|ppoll|select|epoll_\w+|io_uring_\w+|eventfd|timerfd_\w+|signalfd|inotify_\w+|
    clock_gettime|clock_nanosleep|gettimeofday|time|times|clock|nanosleep|usleep|sleep|alarm|
    localtime|localtime_r|timer_\w+|
    rand|rand_r|srand|random|srandom|drand48|lrand48|getrandom|getentropy|arc4random\w*|RAND_\w+|
    pthread_\w+|thrd_\w+|mtx_\w+|cnd_\w+|sem_\w+|fork|vfork|exec\w+|system|popen|wait|waitpid|kill|
    signal|sigaction|raise|abort|exit|_exit|atexit|getenv|setenv|putenv|getpid|syscall
)$""", re.VERBOSE)

# A failed check and a system without memory stop the process; nothing else may.
ALLOWED = {
    ("base", "check.c"): {"fprintf", "fflush", "abort", "stderr"},
    ("base", "mem.c"): {"fprintf", "abort", "stderr"},
}


def kinds_of(layers):
    kinds = {}
    for line in Path(layers).read_text().splitlines():
        words = line.split("#")[0].split()
        if words:
            kinds[words[0]] = words[1]
    return kinds


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def object_name(member):
    return re.sub(r"^.*?([^/_]*\.c)\.o$", r"\1", member)


def calls(archive):
    """(file, symbol) for each undefined symbol."""
    member = ""
    for line in run("nm", "-u", archive).splitlines():
        if line.endswith(":"):
            member = object_name(line[:-1])
        elif line.strip():
            yield member, line.split()[-1].split("@")[0]


def check_calls(layers, archives):
    kinds = kinds_of(layers)
    for archive in archives:
        folder = Path(archive).name[len("lib"):-len(".a")]
        if kinds.get(folder) not in ("pure", "env"):
            continue
        for file, symbol in calls(archive):
            if FORBIDDEN.match(symbol) and symbol not in ALLOWED.get((folder, file), set()):
                yield f"{folder}/{file} calls {symbol}: that belongs to os, behind env"


def check_globals(archives):
    for archive in archives:
        member = ""
        for line in run("objdump", "-t", archive).splitlines():
            if ": " in line and "file format" in line:
                member = object_name(line.split(":")[0])
            # Constants that hold addresses lie in .data.rel.ro and are read-only once loaded.
            match = re.match(r"^[0-9a-f]{16} .{7} (\S+)\s+([0-9a-f]{16}) (\S+)$", line)
            if match and int(match[2], 16) > 0 and not match[3].startswith("."):
                section = match[1]
                writable = re.match(r"\.(data|bss|tdata|tbss)(\.|$)|\*COM\*", section)
                if writable and not section.startswith(".data.rel.ro"):
                    yield f"{Path(archive).name} {member}: {match[3]} is writable ({section})"


def main():
    kind, layers, archives = sys.argv[1], sys.argv[2], sys.argv[3:]
    problems = list(check_calls(layers, archives) if kind == "calls" else check_globals(archives))
    print(*problems, sep="\n")
    print(f"{len(archives)} archives read")
    sys.exit(1 if problems or not archives else 0)


if __name__ == "__main__":
    main()
