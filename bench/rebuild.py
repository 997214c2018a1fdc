#!/usr/bin/env python3
"""Rebuild of the store's index: a node with N mails in its mailboxes is stopped, the RocksDB folder deleted, the node started again.

Timed from the start of the process until it serves. Beside it: a start with the index in place after a clean stop, and after kill -9.
The accounts (with their numbers of mails and bytes) must be told as before. Mails of 1 KiB, 1,000 accounts.

Usage: rebuild.py [MAILS ...]      (default: 100000 1000000)
"""

import argparse
import os
import shutil
import sys

from bench_lib import ACCOUNTS, WORK, Results, load, memory_bytes
from node import BenchNode

SIZE = 1024
SESSIONS = 20


def fill(node, mails):
    sent = 0
    while sent < mails:
        sent += load(node.port, 0.001, SIZE, SESSIONS, True)[0]  # One mail to each account.
        if sent % 100_000 == 0:
            print(f"  {sent:,} of {mails:,} mails are in", flush=True)


def start_again(node, before):
    seconds = node.start()
    if node.accounts() != before:
        sys.exit("the mailboxes are not what they were")
    return seconds


def measure(results, mails):
    case = f"{mails}-mails"
    with BenchNode() as node:
        fill(node, mails)
        before = node.accounts()
        if sum(account["mails"] for account in before) != mails:
            sys.exit(f"{mails} mails were acknowledged, {sum(account['mails'] for account in before)} are in mailboxes")
        node.kill()
        results.add(case, "start after kill -9", start_again(node, before), "s")
        node.stop()
        results.add(case, "start after a clean stop", start_again(node, before), "s")
        node.stop()
        shutil.rmtree(os.path.join(node.folder, "index"))
        seconds = start_again(node, before)
        results.add(case, "rebuild of the index", seconds, "s")
        results.add(case, "rebuilt a second", mails / seconds, "mails/s")
        results.add(case, "resident after rebuild", memory_bytes(node.pid) / 1e6, "MB")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mails", nargs="*", type=int, default=[100_000, 1_000_000])
    arguments = parser.parse_args()
    os.makedirs(WORK, exist_ok=True)
    results = Results("rebuild")
    for mails in arguments.mails:
        if mails % ACCOUNTS != 0:
            sys.exit(f"{mails} is not a multiple of the {ACCOUNTS} accounts")
        measure(results, mails)


if __name__ == "__main__":
    main()
