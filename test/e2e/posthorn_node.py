"""A real node for the end-to-end tests: started, stopped, killed; its ports; its ledger."""

import os
import re
import signal
import socket
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
POSTHORN = os.environ.get("POSTHORN", os.path.join(ROOT, "build/release/src/posthorn"))
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
domains = ["example.test"]
postmaster = "alice@example.test"
{mail}
[smtp]
listen = ["127.0.0.1:0"]
{smtp}
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
[[account]]
address = "alice@example.test"
password = "posthorn"
[[account]]
address = "bob@example.test"
password = "posthorn"
"""


class Node:
    """One posthorn process in a folder of its own. Use as a context manager; sections of CONFIG can be filled by keyword."""

    def __init__(self, volume_size="512MiB", segment_size="16MiB", **sections):
        # Not under /tmp when that is a tmpfs: the volume needs O_DIRECT.
        base = os.path.join(ROOT, "build/e2e")
        os.makedirs(base, exist_ok=True)
        self.folder = tempfile.mkdtemp(dir=base)
        self.config = os.path.join(self.folder, "posthorn.toml")
        values = {"folder": self.folder, "volume_size": volume_size, "segment_size": segment_size}
        for section in ("top", "volume", "mail", "smtp"):
            values[section] = sections.get(section, "")
        with open(self.config, "w") as file:
            file.write(CONFIG.format(**values))
        self.log_path = os.path.join(self.folder, "log")
        self.process = None
        self.ports = {}

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        subprocess.run(["rm", "-rf", self.folder], check=True)

    def start(self, seconds=30):
        """Starts the node and returns the seconds until it said that it is ready."""
        began = time.monotonic()
        log = open(self.log_path, "ab")
        self.process = subprocess.Popen([POSTHORN, "serve", "--config", self.config], stdout=subprocess.PIPE, stderr=log,
                                        stdin=subprocess.DEVNULL)
        log.close()
        self.ports = {}
        for line in iter(self.process.stdout.readline, b""):
            match = re.match(rb"  (\w+)\s+[\d.]+:(\d+)$", line.rstrip())
            if match:
                self.ports[match.group(1).decode()] = int(match.group(2))
            if line.startswith(b"Send a mail") or (not match and self.ports):
                break
        if not self.ports:
            self.process.wait(seconds)
            raise AssertionError(f"the node did not start:\n{self.log()}")
        return time.monotonic() - began

    def stop(self):
        """SIGTERM, and the exit code."""
        if self.process is None:
            return None
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the node did not stop within 30 s:\n{self.log()}") from None
        self.process.stdout.close()
        self.process = None
        return code

    def kill(self):
        """kill -9."""
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process = None

    def log(self):
        with open(self.log_path, errors="replace") as file:
            return file.read()

    def run(self, *arguments, stdin=None, check=True):
        """A subcommand of the program against this node."""
        return subprocess.run([POSTHORN, "--config", self.config, *arguments], input=stdin, capture_output=True, text=True,
                              check=check, timeout=60)


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
