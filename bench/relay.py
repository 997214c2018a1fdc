#!/usr/bin/env python3
"""Mail that goes on: SMTP in, durable queue, SMTP out to smtp-sink, against Postfix with the same next hop.

Peer and Posthorn alternate; a run lasts at least --seconds and ends when the queue is empty; the figure is the median of the pairwise ratios. The load is
Postfix's smtp-source with 20 sessions. `parked`: the same while 200,000 mails wait for a destination that is dead (nobody listens there).
Memory: what the node takes more with them parked than before, apart from the bounded buffers that keep bodies of queued mail (memory.mail_buffers).

Usage: relay.py [--seconds 10] [--pairs 5] [--parked 200000]      (the bar of 1,000,000 queued mails: --pairs 1 --parked 1000000)
"""

import argparse
import os
import sys
import time

from bench_lib import WORK, Results, cpu_seconds, free_port, load, median, memory_bytes, spread
from node import BenchNode
from peers import SESSIONS, Postfix, Sink
from reopen import BYTES_A_MAIL_BAR, recipient_bytes

SIZE = 4096
BAR_POSTFIX = 5.0
BAR_PARKED = 0.9
MEMORY_SPARE_BAR = 64 << 20  # Beside what the queued mails take.


class RelayNode(BenchNode):
    """Sends mail for far.test to the sink, and mail for dead.test to where nobody listens."""

    def __init__(self, sink_port):
        super().__init__("auto", f"""
[deliver]
routes = ["far.test smtp:127.0.0.1:{sink_port}", "dead.test smtp:127.0.0.1:{free_port()}"]
""", mail='trusted_networks = ["127.0.0.0/8"]')

    def resident(self):
        """Without the cache of bodies, which has its own limit."""
        return memory_bytes(self.pid) - self.status()["log"]["body_cache_bytes"]

    def queued(self):
        return self.status()["queue"]["mails"]


def run(node, seconds, parked):
    """(mails a second from the first byte in to the last byte out, processor microseconds a mail)."""
    before = cpu_seconds(node.pid)
    began = time.monotonic()
    mails, _ = load(node.port, seconds, SIZE, SESSIONS, False, "user@far.test")
    while node.queued() > parked:
        time.sleep(0.02)
    took = time.monotonic() - began
    return mails / took, (cpu_seconds(node.pid) - before) / mails * 1e6


def park(node, mails):
    """Has so many mails wait for the dead destination."""
    while (there := node.queued()) < mails:
        load(node.port, 0.001, SIZE, SESSIONS, True, "user@dead.test")
        if node.queued() <= there:
            sys.exit("mail for the dead destination does not stay in the queue")
    return node.queued()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--parked", type=int, default=200_000)
    arguments = parser.parse_args()
    os.makedirs(WORK, exist_ok=True)
    results = Results("relay")
    figures = {"ours": [], "cpu": [], "postfix": [], "parked": [], "memory": []}
    with Sink() as sink, Postfix(relay_port=sink.port) as postfix:
        for number in range(arguments.pairs):
            with RelayNode(sink.port) as node:
                rate, cpu = run(node, arguments.seconds, 0)
                figures["ours"].append(rate)
                figures["cpu"].append(cpu)
                resident = node.resident()
                waiting = park(node, arguments.parked)
                figures["memory"].append(node.resident() - resident)
                figures["parked"].append(run(node, arguments.seconds, waiting)[0])
            figures["postfix"].append(postfix.run(arguments.seconds, SIZE, False, "user@far.test"))
            print(f"  pair {number + 1}: posthorn {rate:,.0f}/s ({cpu:.0f} us/mail), with {waiting:,} parked {figures['parked'][-1]:,.0f}/s,"
                  f" Postfix {figures['postfix'][-1]:,.0f}/s", flush=True)
    for case, mine, peer, theirs, bar in (("relay", "ours", postfix.name, "postfix", BAR_POSTFIX), ("relay-parked", "parked", "none parked", "ours", BAR_PARKED)):
        ratios = [a / b for a, b in zip(figures[mine], figures[theirs])]
        print(f"  {case} against {peer}: ratios {spread(ratios)}")
        results.add(case, f"mails/s vs {peer}", median(figures[mine]), "mails/s", peer, median(figures[theirs]), median(ratios), bar,
                    median(ratios) >= bar, arguments.pairs)
    allowed = arguments.parked * (BYTES_A_MAIL_BAR + recipient_bytes("999user@dead.test")) + MEMORY_SPARE_BAR
    results.add("relay-parked", f"memory of {arguments.parked:,} parked mails", max(figures["memory"]) / 1e6, "MB", bar=allowed / 1e6,
                holds=max(figures["memory"]) <= allowed, runs=arguments.pairs)
    results.add("relay", "processor time a mail", median(figures["cpu"]), "us", runs=arguments.pairs)


if __name__ == "__main__":
    main()
