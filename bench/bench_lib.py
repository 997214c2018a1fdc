"""What benchmarks share: running peers and nodes, pairs of measurements, tables, JSON lines."""

import json
import os
import platform
import re
import socket
import statistics
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BIN = os.path.join(ROOT, "build/peers/bin")
WORK = os.path.join(ROOT, "build/bench")
ACCOUNTS = 1000


def machine():
    """What the figures were taken on."""
    with open("/proc/cpuinfo") as file:
        model = re.search(r"model name\s*: (.*)", file.read())
    return f"{os.cpu_count()} x {model.group(1) if model else platform.machine()}, Linux {platform.release()}"


class Results:
    """Gathers rows, writes bench-results/NAME.jsonl, prints a table."""

    def __init__(self, bench):
        self.bench = bench
        self.rows = []
        os.makedirs(os.path.join(ROOT, "bench-results"), exist_ok=True)
        self.path = os.path.join(ROOT, "bench-results", bench + ".jsonl")

    def add(self, case, metric, value, unit, peer=None, peer_value=None, ratio=None, bar=None, holds=None, runs=1):
        row = {"bench": self.bench, "case": case, "metric": metric, "value": value, "unit": unit, "peer": peer, "peer_value": peer_value,
               "ratio": ratio, "bar": bar, "holds": holds, "runs": runs, "machine": machine()}
        self.rows.append(row)
        with open(self.path, "a") as file:
            file.write(json.dumps(row) + "\n")
        self.print_row(row)

    @staticmethod
    def print_row(row):
        def text(value):
            if value is None:
                return "-"
            return f"{value:,.2f}" if isinstance(value, float) and abs(value) < 100 else (f"{value:,.0f}" if isinstance(value, (int, float)) else str(value))
        verdict = {None: "", True: "holds", False: "DOES NOT HOLD"}[row["holds"]]
        print(f"{row['case']:<28} {row['metric']:<22} {text(row['value']):>10} {row['unit']:<8} {row['peer'] or '':<18} {text(row['peer_value']):>10}"
              f" ratio {text(row['ratio']):>7} bar {text(row['bar']):>6} {verdict}", flush=True)


def wait_until_listening(port, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            time.sleep(0.05)
    sys.exit(f"no server on port {port}")


def free_port():
    """A port where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def median(values):
    return statistics.median(values)


def spread(values):
    return f"{min(values):.2f}..{max(values):.2f}"


def cpu_seconds(pid):
    """Processor time of all threads of a process so far (schedstat: nanoseconds on a processor)."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/schedstat") as file:
                total += int(file.read().split()[0])
        except FileNotFoundError:
            pass
    return total / 1e9


def memory_bytes(pid):
    """Resident memory (VmRSS) of a process."""
    with open(f"/proc/{pid}/status") as file:
        return int(re.search(r"VmRSS:\s+(\d+) kB", file.read()).group(1)) * 1024


def load(port, seconds, size, sessions, kept, recipient="user@bench.test"):
    """smtp-source in batches of ACCOUNTS mails, one to each account (the recipient with a number before it), until `seconds` have passed. Returns (mails, seconds)."""
    command = [os.path.join(BIN, "smtp-source"), "-s", str(sessions), "-m", str(ACCOUNTS), "-l", str(size), "-N", "-f", "from@src.test",
               "-t", recipient]
    if kept:
        command.append("-d")
    command.append(f"127.0.0.1:{port}")
    began = time.monotonic()
    mails = 0
    while time.monotonic() - began < seconds:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode != 0 or done.stderr:
            sys.exit(f"smtp-source: {done.stderr[:500]}")
        mails += ACCOUNTS
    return mails, time.monotonic() - began
