#!/usr/bin/env python3
"""SMTP -> durable -> mailbox, against smtp-sink (a null server: the ceiling of this load) and Postfix -> Maildir.

Peer and Posthorn alternate; each run lasts at least --seconds; the figure is the median of the pairwise ratios. 1,000 accounts exist
beforehand for each. The load is Postfix's smtp-source with 20 sessions, in batches of one mail to each account.
Direct delivery (250 when the mail is in the mailbox partition) and the queued path (until the queue is empty) are both reported.

Usage: smtp.py [--seconds 10] [--pairs 5] [CASE ...]
"""

import argparse
import os
import shutil
import subprocess
import sys
import time

from bench_lib import ACCOUNTS, BIN, ROOT, WORK, Results, cpu_seconds, load, median, spread, wait_until_listening
from node import BenchNode

SESSIONS = 20
# name -> (mail size, connection kept, path, bar against smtp-sink, bar against Postfix -> Maildir)
CASES = {
    "4k-connection-a-mail": (4096, False, "auto", 0.55, 5.0),
    "4k-kept": (4096, True, "auto", 0.4, None),
    "64k-connection-a-mail": (65536, False, "auto", 0.7, None),
    "64k-kept": (65536, True, "auto", None, None),
    "4k-queued": (4096, False, "queue", None, None),
}


class Sink:
    """smtp-sink on a port of its own."""

    name = "smtp-sink"
    port = 12626

    def __enter__(self):
        user = ["-u", "daemon"] if os.geteuid() == 0 else []  # It refuses to run as root.
        self.process = subprocess.Popen([os.path.join(BIN, "smtp-sink"), *user, f"127.0.0.1:{self.port}", "1000"])
        wait_until_listening(self.port)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def run(self, seconds, size, kept):
        mails, took = load(self.port, seconds, size, SESSIONS, kept)
        return mails / took


class Postfix:
    """Postfix from a private root, delivering to Maildir."""

    name = "Postfix -> Maildir"
    port = 12525

    def __init__(self):
        self.folder = os.path.join(WORK, "postfix")
        self.script = os.path.join(ROOT, "scripts/peer-postfix.sh")

    def __enter__(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        subprocess.run([self.script, "start", self.folder, str(self.port), str(ACCOUNTS)], check=True, stdout=subprocess.DEVNULL)
        return self

    def __exit__(self, *_):
        subprocess.run([self.script, "stop", self.folder], check=True, stdout=subprocess.DEVNULL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, seconds, size, kept):
        began = time.monotonic()
        mails, _ = load(self.port, seconds, size, SESSIONS, kept)
        while int(subprocess.run([self.script, "left", self.folder], check=True, capture_output=True, text=True).stdout) > 0:
            time.sleep(0.1)
        return mails / (time.monotonic() - began)


def run_posthorn(node, seconds, size, kept):
    """(mails a second end to end, processor microseconds a mail)."""
    before = cpu_seconds(node.pid)
    began = time.monotonic()
    mails, _ = load(node.port, seconds, size, SESSIONS, kept)
    while node.queued() > 0:
        time.sleep(0.02)
    took = time.monotonic() - began
    cpu = cpu_seconds(node.pid) - before
    delivered = node.count_mails()
    if delivered != mails:
        sys.exit(f"{mails} mails were acknowledged, {delivered} are in mailboxes")
    return mails / took, cpu / mails * 1e6


def measure(results, case, seconds, pairs):
    size, kept, path, sink_bar, postfix_bar = CASES[case]
    with Sink() as sink, Postfix() as postfix:
        figures = {"posthorn": [], "cpu": [], sink.name: [], postfix.name: []}
        for number in range(pairs):
            with BenchNode(path) as node:
                rate, cpu = run_posthorn(node, seconds, size, kept)
            figures["posthorn"].append(rate)
            figures["cpu"].append(cpu)
            figures[sink.name].append(sink.run(seconds, size, kept))
            figures[postfix.name].append(postfix.run(seconds, size, kept))
            print(f"  {case} pair {number + 1}: posthorn {rate:,.0f}/s ({cpu:.1f} us/mail), smtp-sink {figures[sink.name][-1]:,.0f}/s,"
                  f" Postfix {figures[postfix.name][-1]:,.0f}/s", flush=True)
    ours = figures["posthorn"]
    for peer, bar in ((sink.name, sink_bar), (postfix.name, postfix_bar)):
        ratios = [mine / theirs for mine, theirs in zip(ours, figures[peer])]
        print(f"  {case} against {peer}: ratios {spread(ratios)}")
        results.add(case, f"mails/s vs {peer}", median(ours), "mails/s", peer, median(figures[peer]), median(ratios), bar,
                    None if bar is None else median(ratios) >= bar, pairs)
    results.add(case, "processor time a mail", median(figures["cpu"]), "us", runs=pairs)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("cases", nargs="*", choices=[[], *CASES])
    arguments = parser.parse_args()
    os.makedirs(WORK, exist_ok=True)
    results = Results("smtp")
    for case in arguments.cases or CASES:
        measure(results, case, arguments.seconds, arguments.pairs)


if __name__ == "__main__":
    main()
