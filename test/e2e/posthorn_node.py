"""A real node for the end-to-end tests: started, stopped, killed; its ports; its ledger."""

import os
import shutil
import socket
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools"))
from node_process import POSTHORN, ROOT, NodeProcess  # pylint: disable=wrong-import-position

PEERS = os.path.join(ROOT, "build/peers/bin")

CONFIG = """
dev = true
hostname = "mx.example.test"
data_folder = "{folder}"
{top}
[volume]
size = "{volume_size}"
segment_size = "{segment_size}"
{volume}
[mail]
domains = ["{domain}"]
postmaster = "alice@{domain}"
{mail}
[smtp]
listen = ["127.0.0.1:0"]
{smtp}
[queue]
{queue}
[deliver]
{deliver}
[submission]
listen = ["127.0.0.1:0"]
[pop3]
listen = ["127.0.0.1:0"]
listen_tls = ["127.0.0.1:0"]
[imap]
listen = ["127.0.0.1:0"]
listen_tls = ["127.0.0.1:0"]
[http]
listen = ["127.0.0.1:0"]
[auth]
plaintext_on_loopback = true
{auth}
[[account]]
address = "alice@{domain}"
password = "posthorn"
[[account]]
address = "bob@{domain}"
password = "posthorn"
"""


class Node(NodeProcess):
    """A node in a folder of its own. Use as a context manager; sections of CONFIG can be filled by keyword."""

    def __init__(self, volume_size="512MiB", segment_size="16MiB", domain="example.test", **sections):
        # Not under /tmp when that is a tmpfs: the volume needs O_DIRECT.
        base = os.path.join(ROOT, "build/e2e")
        os.makedirs(base, exist_ok=True)
        folder = tempfile.mkdtemp(dir=base)
        values = {"folder": folder, "volume_size": volume_size, "segment_size": segment_size, "domain": domain}
        for section in ("top", "volume", "mail", "smtp", "queue", "deliver", "auth"):
            values[section] = sections.get(section, "")
        super().__init__(folder, CONFIG.format(**values))

    def change_config(self, old, new):
        """For the next start."""
        with open(self.config) as file:
            text = file.read()
        assert text.count(old) == 1, f"{old} in\n{text}"
        with open(self.config, "w") as file:
            file.write(text.replace(old, new))

    def __exit__(self, *_):
        super().__exit__()
        shutil.rmtree(self.folder)


def message(subject, body="A mail.\r\n", headers=""):
    return f"From: you@example.org\r\nTo: alice@example.test\r\nSubject: {subject}\r\n{headers}\r\n{body}"


def wait_until(condition, what, seconds=20):
    """Polls a condition that no event announces."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {what}")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
