#!/usr/bin/env python3
"""Reopening: a node with N queued mails, and one whose 16 GiB volume is 90 % full, is closed and started again.

Timed from the start of the process until the SMTP port greets, which it does only when the volume is open for writing and the queue is there.
Closed by kill -9 and by a clean stop, RUNS times each; a figure is the median. The mails come in over SMTP and stay, since the node has no delivery
workers; after each start the queue must tell as many mails and bytes as before. Mails of 1 KiB; those of the full volume 64 KiB.
Memory: the resident memory of a node with N queued mails over that of one with none, both freshly started, a mail.

Usage: reopen.py [--runs 3] [--no-volume] [MAILS ...]      (default: 100000 1000000)
"""

import argparse
import os
import socket
import subprocess
import sys
import time

from bench_lib import ACCOUNTS, WORK, Results, load, median, memory_bytes, spread
from node import VOLUME_SIZE, BenchNode, written_volume

SIZE = 1024
LARGE_SIZE = 64 * 1024
SESSIONS = 20
SECONDS_BAR = 2.0
GROWTH_BAR = 10
BYTES_A_MAIL_BAR = 128
FULL_VOLUME = os.path.join(WORK, "full.mffs")
FULL_VOLUME_GIB = 16
FULL_SHARE = 0.9


def recipient_bytes(address):
    """What a recipient takes: its slot, and its address with a length and a byte of flags in the packed envelope (src/queue/mail_table.h)."""
    return 24 + len(address) + 2


RECIPIENT_BYTES = recipient_bytes("999user@bench.test")


class QueueNode(BenchNode):
    """Accepts everything and delivers nothing."""

    def __init__(self, volume=None, volume_size=VOLUME_SIZE):
        super().__init__(path="queue", extra="[deliver]\nworkers = 0", volume=volume, volume_size=volume_size)

    def queue(self):
        return self.status()["queue"]

    def fullness(self):
        volume = self.status()["volume"]
        return volume["live_bytes"] / volume["capacity_bytes"]

    def start_and_greet(self):
        """Seconds until a client has the greeting."""
        began = time.monotonic()
        self.start(120)
        with socket.create_connection(("127.0.0.1", self.port)) as client:
            if not client.recv(512).startswith(b"220"):
                sys.exit("no greeting")
        return time.monotonic() - began



def fill(node, is_done, size):
    sent = 0
    while not is_done(sent):
        sent += load(node.port, 0.001, size, SESSIONS, True)[0]
        if sent % 100_000 == 0:
            print(f"  {sent:,} mails are in", flush=True)
    return sent


def reopen(node, results, case, runs):
    """(median seconds, resident bytes) of starts after kill -9; then the same after clean stops."""
    before = node.queue()
    seconds = {}
    for closing, close in (("after kill -9", node.kill), ("after a clean stop", node.stop)):
        times = []
        for _ in range(runs):
            close()
            times.append(node.start_and_greet())
            if node.queue() != before:
                sys.exit(f"the queue told {before}, after the start {node.queue()}")
        seconds[closing] = median(times)
        results.add(case, f"ready {closing}", median(times), "s", bar=SECONDS_BAR, holds=median(times) < SECONDS_BAR, runs=runs)
        print(f"{'':<28} of {spread(times)} s; {node.phases_text()}; {node.phases()['entries_replayed']:,} entries replayed", flush=True)
    return seconds


def resident_when_empty():
    with QueueNode() as node:
        node.stop()
        node.start()
        return memory_bytes(node.pid)


def measure_queue(results, mails, runs, empty_bytes):
    case = f"{mails}-queued"
    with QueueNode() as node:
        fill(node, lambda sent: sent >= mails, SIZE)
        if node.queue()["mails"] != mails:
            sys.exit(f"{mails} mails were acknowledged, {node.queue()['mails']} are in the queue")
        seconds = reopen(node, results, case, runs)
        resident = memory_bytes(node.pid)
        results.add(case, "resident after start", resident / 1e6, "MB", "no mail", empty_bytes / 1e6)
        each = (resident - empty_bytes) / mails - RECIPIENT_BYTES
        is_small = mails < 1_000_000  # What does not grow with the queue (a bounded tail to replay) still counts.
        results.add(case, "memory a mail, less recipient", each, "bytes", "recipient", RECIPIENT_BYTES, None,
                    None if is_small else BYTES_A_MAIL_BAR, None if is_small else each <= BYTES_A_MAIL_BAR)
    return seconds


def measure_growth(results, by_mails):
    for (few, before), (many, after) in zip(by_mails, by_mails[1:]):
        for closing, seconds in after.items():
            ratio = seconds / before[closing]
            bar = GROWTH_BAR if many == 10 * few else None
            results.add(f"{few}-to-{many}-queued", f"growth {closing}", seconds, "s", f"{few:,} mails", before[closing], ratio, bar,
                        None if bar is None else ratio <= bar)


def measure_full_volume(results, runs):
    with QueueNode(written_volume(FULL_VOLUME, FULL_VOLUME_GIB << 30), f"{FULL_VOLUME_GIB}GiB") as node:
        sent = fill(node, lambda _: node.fullness() >= FULL_SHARE, LARGE_SIZE)
        print(f"  {sent:,} mails of {LARGE_SIZE} bytes make it {node.fullness():.1%} full", flush=True)
        reopen(node, results, "full-volume", runs)
        results.add("full-volume", "resident after start", memory_bytes(node.pid) / 1e6, "MB")
    os.remove(FULL_VOLUME)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--no-volume", action="store_true", help="leave the full volume out")
    parser.add_argument("mails", nargs="*", type=int, default=[100_000, 1_000_000])
    arguments = parser.parse_args()
    if any(mails % ACCOUNTS for mails in arguments.mails):
        sys.exit(f"the numbers of mails must be multiples of {ACCOUNTS}")
    os.makedirs(WORK, exist_ok=True)
    results = Results("reopen")
    empty_bytes = resident_when_empty()
    measure_growth(results, [(mails, measure_queue(results, mails, arguments.runs, empty_bytes)) for mails in arguments.mails])
    if not arguments.no_volume:
        measure_full_volume(results, arguments.runs)


if __name__ == "__main__":
    main()
