"""A real Postfix from a private root, for tests of mail that goes on to it. Needs root and `scripts/unpack-peers.sh`."""

import os
import shutil
import socket
import subprocess
import tempfile

from dovecot_server import read_maildir
from posthorn_node import PEERS, ROOT, free_port, wait_until

SCRIPT = os.path.join(ROOT, "scripts/peer-postfix.sh")


def why_not():
    """Why there is no Postfix to test with; None: there is."""
    if not os.path.exists(os.path.join(PEERS, "postfix")):
        return "NO REAL POSTFIX: run scripts/unpack-peers.sh"
    if os.geteuid() != 0:
        return "NO REAL POSTFIX: it needs root"
    return None


class PostfixServer:
    """Takes mail for user0@bench.test .. user3@bench.test by SMTP at `port`. Use as a context manager."""

    users = 4

    def __init__(self):
        self.base = tempfile.mkdtemp(prefix="posthorn-postfix-", dir="/tmp")
        os.chmod(self.base, 0o755)
        self.folder = os.path.join(self.base, "root")
        self.port = free_port()
        self.is_up = False

    def __enter__(self):
        self._script("start", self.folder, str(self.port), str(self.users))
        self.is_up = True
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.base)

    def stop(self):
        if self.is_up:
            self._script("stop", self.folder)
            self.is_up = False

    def start(self):
        """Again, after stop()."""
        subprocess.run([os.path.join(PEERS, "postfix"), "-c", os.path.join(self.folder, "etc"), "start"], check=True, capture_output=True)
        self.is_up = True
        wait_until(self._listens, "Postfix listens", seconds=30)

    def mails(self, user):
        """The mails of a user as they lie in its Maildir."""
        return read_maildir(os.path.join(self.folder, "mail", user.partition("@")[0]))

    @staticmethod
    def _script(*arguments):
        done = subprocess.run([SCRIPT, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def _listens(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
