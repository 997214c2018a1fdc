#!/usr/bin/env python3
"""The history: a node that has taken N mails, half of them directly and half through its queue, is asked what became of them.

All mails have one sender, each of 1,000 recipients has a thousandth of them: a question for both takes the intersection. Asked over the control socket,
REPEAT times each kind, about mails that are spread over all of the history, on a node freshly started for each kind; the slowest counts.
Then the start after kill -9 and after a clean stop, from the start of the process until it serves, and its memory; beside them the same without
a history.

Usage: trace.py [--repeat 20] [MAILS]      (default: 1000000)
"""

import argparse
import datetime
import json
import os
import random
import re
import socket
import sys
import time

from bench_lib import ACCOUNTS, WORK, Results, load, memory_bytes
from node import BenchNode, written_volume

SIZE = 512
SESSIONS = 20
QUERY_BAR_MS = 100
START_BAR_SECONDS = 2.0
VOLUME = os.path.join(WORK, "trace.mffs")
VOLUME_GIB = 8
SENDER = "from@src.test"


class TraceNode(BenchNode):
    def __init__(self):
        super().__init__(path="queue", extra="[history]\nkeep_days = 14", volume=written_volume(VOLUME, VOLUME_GIB << 30),
                         volume_size=f"{VOLUME_GIB}GiB")

    def ask(self, **question):
        """(milliseconds, answer)"""
        with socket.socket(socket.AF_UNIX) as control:
            control.connect(os.path.join(self.folder, "control.sock"))
            began = time.monotonic()
            control.sendall(json.dumps({"command": "trace.find", **question}).encode() + b"\n")
            answer = b""
            while not answer.endswith(b"\n"):
                piece = control.recv(1 << 20)
                if not piece:
                    sys.exit("the node closed the control socket")
                answer += piece
            took = (time.monotonic() - began) * 1000
        answer = json.loads(answer)
        if not answer["ok"]:
            sys.exit(f"{question}: {answer['error']}")
        return took, answer["result"]

    def set(self, before, after):
        """Changes the configuration of the next start."""
        with open(self.config) as file:
            text = file.read()
        assert before in text
        with open(self.config, "w") as file:
            file.write(text.replace(before, after))

    def metric(self, name):
        import urllib.request  # pylint: disable=import-outside-toplevel
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ports['http']}/metrics") as page:
            return float(re.search(rf"^{name} (\S+)$", page.read().decode(), re.MULTILINE).group(1))



def fill(node, mails):
    sent = 0
    while sent < mails:
        sent += load(node.port, 0.001, SIZE, SESSIONS, True)[0]
        if sent % 100_000 == 0:
            print(f"  {sent:,} of {mails:,} mails are in", flush=True)


def fill_both_ways(node, mails):
    """Returns ids of mails over all of it, and moments at which some thousandths were in."""
    ids, moments = [], []
    for half in range(2):
        for _ in range(10):
            fill(node, mails // 20)
            moments.append(int(time.time()))
            ids += [mail["mail_id"] for mail in node.ask(**{"from": SENDER, "limit": 20})[1]["mails"]]
        while node.queued():
            time.sleep(0.2)
        if half == 0:
            node.stop()
            node.set('path = "queue"', 'path = "auto"')
            node.start()
    node.path = "auto"
    return ids, moments


def kinds_of_questions(node, ids, moments):
    chance = random.Random(1)
    queue_ids = [mail["queue_id"] for mail in
                 [node.ask(id=name)[1]["mails"][0] for name in chance.sample(ids, 40)] if "queue_id" in mail]
    recipient = lambda: f"{chance.randrange(1, ACCOUNTS)}user@bench.test"
    return {
        "id": lambda: {"id": chance.choice(ids)},
        "queue id": lambda: {"id": chance.choice(queue_ids)},
        "address, 100 of 1/1000": lambda: {"address": recipient()},
        "sender, 100 of all": lambda: {"from": SENDER},
        "domain, 100 of all": lambda: {"to": "bench.test", "until": chance.choice(moments)},
        "from and to": lambda: {"from": SENDER, "to": recipient()},
        "from, to and since": lambda: {"from": SENDER, "to": recipient(), "since": chance.choice(moments[:15])},
        "from, to, since, until": lambda: {"from": SENDER, "to": recipient(), "since": moments[2], "until": chance.choice(moments[3:12])},
        "nobody": lambda: {"from": "nobody@src.test", "to": recipient()},
        "since": lambda: {"since": chance.choice(moments)},
    }


def measure_questions(results, node, case, ids, moments, repeat):
    for name, question in kinds_of_questions(node, ids, moments).items():
        took = []
        mails = 0
        node.stop()
        node.start()
        for _ in range(repeat):
            milliseconds, answer = node.ask(**question())
            took.append(milliseconds)
            mails += len(answer["mails"])
        slowest = max(took)
        if (mails == 0) != (name == "nobody"):
            sys.exit(f"{name}: {mails} mails were found")
        results.add(case, f"slowest: {name}", slowest, "ms", "median", sorted(took)[len(took) // 2], None, QUERY_BAR_MS,
                    slowest < QUERY_BAR_MS, repeat)


def measure_starts(results, node, case, runs=3):
    for closing, close in (("after kill -9", node.kill), ("after a clean stop", node.stop)):
        slowest = 0
        for _ in range(runs):
            load(node.port, 0.001, SIZE, SESSIONS, True)
            close()
            slowest = max(slowest, node.start())
        results.add(case, f"start {closing}", slowest, "s", None, None, None, START_BAR_SECONDS, slowest < START_BAR_SECONDS, runs)
        print(f"{'':<28} {node.phases_text()}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=20)
    parser.add_argument("mails", nargs="?", type=int, default=1_000_000)
    arguments = parser.parse_args()
    if arguments.mails % (20 * ACCOUNTS):
        sys.exit(f"the number of mails must be a multiple of {20 * ACCOUNTS}")
    os.makedirs(WORK, exist_ok=True)
    results = Results("trace")
    case = f"{arguments.mails}-mails"
    with TraceNode() as node:
        print(f"  begun at {datetime.datetime.now():%H:%M:%S}", flush=True)
        ids, moments = fill_both_ways(node, arguments.mails)
        if node.metric("posthorn_history_events_lost_total"):
            sys.exit("events were lost")
        results.add(case, "history on the volume", node.metric("posthorn_history_bytes") / 1e6, "MB")
        measure_starts(results, node, case)
        with_history = memory_bytes(node.pid)
        measure_questions(results, node, case, ids, moments, arguments.repeat)
        results.add(case, "resident after a question", memory_bytes(node.pid) / 1e6, "MB")
        node.stop()
        node.set("keep_days = 14", "keep_days = 0")
        node.start()
        results.add(case, "resident after start", with_history / 1e6, "MB", "without history", memory_bytes(node.pid) / 1e6)
    os.remove(VOLUME)


if __name__ == "__main__":
    main()
