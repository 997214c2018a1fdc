"""A real Dovecot over one Maildir, for tests of what it reads and writes. Needs root and `scripts/unpack-peers.sh`."""

import imaplib
import os
import shutil
import signal
import subprocess
import tempfile
import time

from posthorn_node import PEERS, free_port

PROGRAM = os.path.join(PEERS, "dovecot")
USER, GROUP = 65534, 65534  # nobody; Dovecot does not serve mail of root.

CONFIG = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
default_internal_user = root
default_internal_group = root
default_login_user = nobody
mail_location = maildir:{folder}/Maildir
mail_uid = 65534
mail_gid = 65534
passdb {{
  driver = static
  args = password=secret
}}
userdb {{
  driver = static
  args = uid=65534 gid=65534 home={folder}
}}
namespace inbox {{
  inbox = yes
  separator = .
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
"""


def why_not():
    """Why there is no Dovecot to test with; None: there is."""
    if not os.path.exists(PROGRAM):
        return "NO REAL DOVECOT: run scripts/unpack-peers.sh"
    if os.geteuid() != 0:
        return "NO REAL DOVECOT: it needs root"
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode != 0:
        return "NO REAL DOVECOT: no mount namespaces here"
    return None


class DovecotServer:
    """Use as a context manager. `maildir` is where its mail lies: copy one there before, or let it make its own."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="posthorn-dovecot-", dir="/tmp")
        self.maildir = os.path.join(self.folder, "Maildir")
        self.port = free_port()
        self.process = None

    def __enter__(self):
        os.chmod(self.folder, 0o755)
        config = os.path.join(self.folder, "dovecot.conf")
        with open(config, "w") as file:
            file.write(CONFIG.format(folder=self.folder, port=self.port))
        for place, folders, files in os.walk(self.folder):
            for name in [place] + [os.path.join(place, other) for other in folders + files]:
                os.chown(name, USER, GROUP, follow_symlinks=False)
        self.process = subprocess.Popen([PROGRAM, "-F", "-c", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 15
        while True:
            try:
                self.imap().logout()
                return self
            except (OSError, imaplib.IMAP4.error):
                if time.monotonic() > end:
                    raise AssertionError(f"Dovecot did not start:\n{self.log()}") from None
                time.sleep(0.05)

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        shutil.rmtree(self.folder)

    def log(self):
        path = os.path.join(self.folder, "log")
        if not os.path.exists(path):
            return ""
        with open(path) as file:
            return file.read()

    def imap(self):
        client = imaplib.IMAP4("127.0.0.1", self.port)
        client.login("alice", "secret")
        return client
