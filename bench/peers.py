"""Servers to measure against: smtp-sink, and Postfix from a private root."""

import os
import shutil
import subprocess
import time

from bench_lib import ACCOUNTS, BIN, ROOT, WORK, load, wait_until_listening

SESSIONS = 20


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
    """Postfix from a private root, delivering to Maildir, or on to another server."""

    port = 12525

    def __init__(self, relay_port=None):
        """With `relay_port` mail for others goes to 127.0.0.1:relay_port by SMTP."""
        self.name = "Postfix -> SMTP" if relay_port else "Postfix -> Maildir"
        self.relay_port = relay_port
        self.folder = os.path.join(WORK, "postfix")
        self.script = os.path.join(ROOT, "scripts/peer-postfix.sh")

    def __enter__(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        relay = [str(self.relay_port)] if self.relay_port else []
        subprocess.run([self.script, "start", self.folder, str(self.port), str(ACCOUNTS), *relay], check=True, stdout=subprocess.DEVNULL)
        return self

    def __exit__(self, *_):
        subprocess.run([self.script, "stop", self.folder], check=True, stdout=subprocess.DEVNULL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, seconds, size, kept, recipient="user@bench.test"):
        began = time.monotonic()
        mails, _ = load(self.port, seconds, size, SESSIONS, kept, recipient)
        while int(subprocess.run([self.script, "left", self.folder], check=True, capture_output=True, text=True).stdout) > 0:
            time.sleep(0.1)
        return mails / (time.monotonic() - began)
