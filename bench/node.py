"""A Posthorn node for benchmarks: a fresh, pre-written volume and 1,000 accounts, as smtp-source -N names them."""

import json
import os
import re
import shutil
import subprocess
import sys

from bench_lib import ACCOUNTS, ROOT, WORK

sys.path.insert(0, os.path.join(ROOT, "tools"))
from node_process import POSTHORN, NodeProcess  # pylint: disable=wrong-import-position

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
{mail}
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
PHASES = ("volume_ms", "index_ms", "scan_ms", "snapshots_ms", "replay_ms", "lead_ms", "apply_ms", "accounts_ms", "services_ms")


def written_volume(path=os.path.join(WORK, "volume.mffs"), size=8 << 30):
    """A volume file whose every block was written once: first writes to unwritten extents cost file-system metadata."""
    if not os.path.exists(path) or os.path.getsize(path) != size:
        subprocess.run(["dd", "if=/dev/zero", f"of={path}", "bs=4M", f"count={size >> 22}", "oflag=direct", "conv=fsync", "status=none"],
                       check=True)
    return path


class BenchNode(NodeProcess):
    def __init__(self, path="auto", extra="", volume=None, volume_size=VOLUME_SIZE, mail=""):
        """`extra` and `mail` are more of the configuration, the latter of [mail]. `volume` is a file that was written_volume() of `volume_size`; by default all nodes share one."""
        folder = os.path.join(WORK, "node")
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        self.path = path
        self.volume = volume or written_volume()
        super().__init__(folder, CONFIG.format(folder=folder, volume=self.volume, volume_size=volume_size, path=path, extra=extra, mail=mail))

    def __enter__(self):
        subprocess.run([POSTHORN, "mffs", "format", "--force", self.volume], check=True, stdout=subprocess.DEVNULL)
        self.start()
        self.make_accounts()
        return self

    @property
    def port(self):
        return self.ports["smtp"]

    def stop(self, seconds=120):
        """Longer than a test's: there is more to flush."""
        return super().stop(seconds)

    def phases(self):
        """The last start's in milliseconds, and what it counted, from its line in the log."""
        line = [line for line in self.log().splitlines() if " start total_ms=" in line][-1]
        return {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", line)}

    def phases_text(self):
        phases = self.phases()
        return "the last, in ms: " + ", ".join(f"{name[:-3]} {phases[name]}" for name in PHASES if name in phases)

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
        return json.loads(self.run("status", "--json").stdout)

    def queued(self):
        return self.status()["queue"]["mails"] if self.path == "queue" else 0

    def accounts(self):
        """The accounts, as `user list` tells them."""
        return [json.loads(line) for line in self.run("user", "list", "--json").stdout.splitlines()]

    def count_mails(self):
        """Mails in all mailboxes, as the store counts them."""
        return sum(account["mails"] for account in self.accounts())
