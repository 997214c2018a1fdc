"""A Posthorn node for benchmarks: a fresh, pre-written volume and 1,000 accounts, as smtp-source -N names them."""

import json
import os
import re
import shutil
import signal
import subprocess
import time

from bench_lib import ACCOUNTS, POSTHORN, WORK

CONFIG = """
dev = true
hostname = "bench.test"
data_folder = "{folder}"
[log]
level = "info"
[volume]
path = "{volume}"
size = "{volume_size}"
[mail]
domains = ["bench.test"]
auto_create_accounts = ["bench.test"]
[smtp]
listen = ["127.0.0.1:0"]
path = "{path}"
[http]
listen = ["127.0.0.1:0"]
[limits]
connections = 20000
connections_per_client = 20000
{extra}
"""
VOLUME_SIZE = "8GiB"


def written_volume():
    """A volume file whose every block was written once: first writes to unwritten extents cost file-system metadata."""
    path = os.path.join(WORK, "volume.mffs")
    size = 8 << 30
    if not os.path.exists(path) or os.path.getsize(path) != size:
        subprocess.run(["dd", "if=/dev/zero", f"of={path}", "bs=4M", f"count={size >> 22}", "oflag=direct", "conv=fsync", "status=none"],
                       check=True)
    return path


class BenchNode:
    def __init__(self, path="auto", extra=""):
        self.folder = os.path.join(WORK, "node")
        self.path = path
        self.extra = extra

    def __enter__(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        volume = written_volume()
        self.config = os.path.join(self.folder, "posthorn.toml")
        with open(self.config, "w") as file:
            file.write(CONFIG.format(folder=self.folder, volume=volume, volume_size=VOLUME_SIZE, path=self.path, extra=self.extra))
        subprocess.run([POSTHORN, "mffs", "format", "--force", volume], check=True, stdout=subprocess.DEVNULL)
        self.start()
        self.make_accounts()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        """Starts the node; returns the seconds until it served."""
        began = time.monotonic()
        self.log = open(os.path.join(self.folder, "log"), "ab")
        self.process = subprocess.Popen([POSTHORN, "serve", "--config", self.config], stdout=subprocess.PIPE, stderr=self.log)
        self.pid = self.process.pid
        self.ports = {}
        for line in iter(self.process.stdout.readline, b""):
            match = re.match(rb"  (\w+)\s+[\d.]+:(\d+)$", line.rstrip())
            if match:
                self.ports[match.group(1).decode()] = int(match.group(2))
            if match and match.group(1) == b"http":
                break
        else:
            raise RuntimeError("the node did not start; its log: " + self.log.name)
        self.port = self.ports["smtp"]
        return time.monotonic() - began

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.wait(120)
        self.process.stdout.close()
        self.log.close()

    def make_accounts(self):
        """The accounts 1user@bench.test .. 1000user@bench.test, made by naming them in RCPT (auto_create_accounts)."""
        import smtplib  # pylint: disable=import-outside-toplevel
        with smtplib.SMTP("127.0.0.1", self.port) as client:
            client.ehlo()
            for number in range(ACCOUNTS + 1):
                if number % 500 == 0:
                    client.rset()
                    client.mail("from@src.test")
                code, text = client.rcpt(f"{number}user@bench.test")
                assert code == 250, text

    def status(self):
        done = subprocess.run([POSTHORN, "--config", self.config, "status", "--json"], check=True, capture_output=True, text=True)
        return json.loads(done.stdout)

    def queued(self):
        return self.status()["queue"]["mails"] if self.path == "queue" else 0

    def accounts(self):
        """The accounts, as `user list` tells them."""
        done = subprocess.run([POSTHORN, "--config", self.config, "user", "list", "--json"], check=True, capture_output=True, text=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def count_mails(self):
        """Mails in all mailboxes, as the store counts them."""
        return sum(account["mails"] for account in self.accounts())

