#!/usr/bin/env python3
"""SMTP -> durable -> mailbox, against smtp-sink (a null server: the ceiling of this load) and Postfix -> Maildir.

Peer and Posthorn alternate; each run lasts at least --seconds; the figure is the median of the pairwise ratios. 1,000 accounts exist
beforehand for each. The load is Postfix's smtp-source with 20 sessions, in batches of one mail to each account.
Direct delivery (250 when the mail is in the mailbox partition) and the queued path (until the queue is empty) are both reported.

Usage: smtp.py [--seconds 10] [--pairs 5] [CASE ...]
"""

import argparse
import os
import sys
import time

from bench_lib import WORK, Results, cpu_seconds, load, median, spread
from node import BenchNode
from peers import SESSIONS, Postfix, Sink

# name -> (mail size, connection kept, path, bar against smtp-sink, bar against Postfix -> Maildir)
CASES = {
    "4k-connection-a-mail": (4096, False, "auto", 0.55, 5.0),
    "4k-kept": (4096, True, "auto", 0.4, None),
    "64k-connection-a-mail": (65536, False, "auto", 0.7, None),
    "64k-kept": (65536, True, "auto", None, None),
    "4k-queued": (4096, False, "queue", None, None),
}


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
