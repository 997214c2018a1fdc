#!/usr/bin/env python3
"""Where the processor time of a mail goes, SMTP -> durable -> mailbox: the node under the load of `make bench-smtp`, watched by perf.

Each sample counts for the first of these that it is in: a system call, by its kind; the kernel's threads for the node's disk writes; an interrupt;
else the library or Posthorn's own layer (by the name of the innermost named function). Microseconds are shares of the processor time that the node took a mail.

Usage: profile.py [--seconds 8] [CASE]      a case of smtp.py
"""

import argparse
import collections
import os
import re
import signal
import subprocess
import sys
import time

from bench_lib import WORK, Results, cpu_seconds, load
from node import BenchNode
from peers import SESSIONS
from smtp import CASES

SAMPLES_A_SECOND = 2000
SYSTEM_CALLS = {"sendto": "send", "sendmsg": "send", "recvfrom": "receive", "recvmsg": "receive", "accept4": "accept, close", "close": "accept, close",
                "shutdown": "accept, close", "epoll_wait": "wait for sockets", "epoll_ctl": "wait for sockets", "io_uring_enter": "disk writes",
                "fdatasync": "files", "write": "files", "pwrite64": "files", "futex": "wake threads"}
LIBRARIES = {"librocksdb": "RocksDB", "libc.so": "libc: copy, allocate", "libcrypto": "OpenSSL", "libssl": "OpenSSL",
             "libspdlog": "log lines", "libfmt": "log lines", "libstdc++": "C++ library"}
LAYERS = {"smtp": "smtp", "mffs": "mffs", "replog": "replog", "store": "store", "mail": "mail", "net": "net and async", "async": "net and async",
          "boost": "net and async", "base": "base (checksums)", "queue": "queue", "deliver": "deliver", "auth": "auth"}
FRAME = re.compile(r"^\s+[0-9a-f]+ (.+?) \((.*)\)$")


def group_of(command, frames):
    """`frames`: (function, file), the innermost first."""
    in_kernel = bool(frames) and "kernel" in frames[0][1]
    if in_kernel:
        for function, _ in frames:
            call = re.match(r"__(?:x64|do)_sys_(\w+)", function)
            if call:
                return "kernel: " + SYSTEM_CALLS.get(call.group(1), "other calls")
        return "kernel: disk writes" if command.startswith("iou-wrk") else "kernel: interrupts"
    for function, file in frames:
        if "posthorn" in os.path.basename(file):
            layer = re.match(r"(?:.*?\b)??(\w+)::", function)
            if layer and layer.group(1) in LAYERS:
                return "posthorn: " + LAYERS[layer.group(1)]
            continue
        for library, what in LIBRARIES.items():
            if library in file:
                return what
    return "other"


def samples(path):
    """(command, frames) of each sample."""
    script = subprocess.Popen(["perf", "script", "-i", path, "-F", "comm,ip,sym,dso"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    command, frames = None, []
    for line in script.stdout:
        frame = FRAME.match(line)
        if frame:
            frames.append((frame.group(1), frame.group(2)))
        elif line.strip():
            command = line.strip()
        elif command:
            yield command, frames
            command, frames = None, []
    script.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("case", nargs="?", choices=list(CASES), default="4k-connection-a-mail")
    arguments = parser.parse_args()
    size, kept, path, _, _ = CASES[arguments.case]
    os.makedirs(WORK, exist_ok=True)
    data = os.path.join(WORK, "profile.data")
    with BenchNode(path) as node:
        load(node.port, 1, size, SESSIONS, kept)
        watcher = subprocess.Popen(["perf", "record", "-q", "-g", "-F", str(SAMPLES_A_SECOND), "-o", data, "-p", str(node.pid)], stderr=subprocess.PIPE, text=True)
        before = cpu_seconds(node.pid)
        mails, _ = load(node.port, arguments.seconds, size, SESSIONS, kept)
        while node.queued() > 0:
            time.sleep(0.02)
        cpu = cpu_seconds(node.pid) - before
        watcher.send_signal(signal.SIGINT)
        _, errors = watcher.communicate()
    counts = collections.Counter(group_of(*sample) for sample in samples(data))
    total = sum(counts.values())
    if total == 0:
        sys.exit(f"profile.py: perf took no samples (kernel.perf_event_paranoid above 1?): {errors[:500]}")
    results = Results("profile")
    results.add(arguments.case, "all", cpu / mails * 1e6, "us")
    for group, count in counts.most_common():
        results.add(arguments.case, group, cpu / mails * 1e6 * count / total, "us")


if __name__ == "__main__":
    main()
