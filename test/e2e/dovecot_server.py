"""Real Dovecots, for tests of what they read, write and take. They need root and `scripts/unpack-peers.sh`."""

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
protocols = imap {protocols}
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
default_internal_user = root
default_internal_group = root
default_login_user = nobody
mail_location = maildir:~/Maildir
mail_uid = 65534
mail_gid = 65534
passdb {{
  driver = static
  args = password=secret
}}
{users}
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

ANYBODY = """
userdb {{
  driver = static
  args = uid=65534 gid=65534 home={folder}
}}
"""

# A mailbox each, for those in the file `users`; the quota is counted in the Maildir.
BEHIND = """
userdb {{
  driver = passwd-file
  args = {folder}/users
}}
postmaster_address = postmaster@behind.test
service lmtp {{
  unix_listener {folder}/lmtp {{
    mode = 0666
  }}
}}
protocol lmtp {{
  mail_plugins = quota
}}
plugin {{
  quota = maildir:User quota
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

    protocols = ""
    users = ANYBODY
    login = "alice"

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="posthorn-dovecot-", dir="/tmp")
        self.maildir = os.path.join(self.folder, "Maildir")
        self.port = free_port()
        self.process = None

    def __enter__(self):
        os.chmod(self.folder, 0o755)
        users = self.users.format(folder=self.folder)
        with open(os.path.join(self.folder, "dovecot.conf"), "w") as file:
            file.write(CONFIG.format(folder=self.folder, port=self.port, protocols=self.protocols, users=users))
        for place, folders, files in os.walk(self.folder):
            for name in [place] + [os.path.join(place, other) for other in folders + files]:
                os.chown(name, USER, GROUP, follow_symlinks=False)
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.folder)

    def start(self):
        config = os.path.join(self.folder, "dovecot.conf")
        self.process = subprocess.Popen([PROGRAM, "-F", "-c", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 30
        while True:
            try:
                self.imap().logout()
                return
            except (OSError, imaplib.IMAP4.error):
                if time.monotonic() > end:
                    raise AssertionError(f"Dovecot did not start:\n{self.log()}") from None
                time.sleep(0.05)

    def stop(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(20)
            self.process = None

    def log(self):
        path = os.path.join(self.folder, "log")
        if not os.path.exists(path):
            return ""
        with open(path) as file:
            return file.read()

    def imap(self):
        client = imaplib.IMAP4("127.0.0.1", self.port)
        client.login(self.login, "secret")
        return client


class DovecotBehind(DovecotServer):
    """Takes mail for some users by LMTP, at the Unix socket `lmtp`. No mail fits into the mailboxes of `full` ones."""

    protocols = "lmtp"
    users = BEHIND

    def __init__(self, users, full=()):
        super().__init__()
        self.login = users[0]
        self.lmtp = os.path.join(self.folder, "lmtp")
        with open(os.path.join(self.folder, "users"), "w") as file:
            for user in [*users, *full]:
                quota = "userdb_quota_rule=*:storage=1K" if user in full else ""
                file.write(f"{user}::{USER}:{GROUP}::{self.folder}/home/{user}::{quota}\n")

    def mails(self, user):
        """The mails of a user's INBOX as they lie in its Maildir."""
        return read_maildir(os.path.join(self.folder, "home", user, "Maildir"))


def read_maildir(maildir):
    """The bytes of each mail, with CRLF."""
    found = []
    for sub in ("new", "cur"):
        folder = os.path.join(maildir, sub)
        for name in os.listdir(folder) if os.path.isdir(folder) else ():
            with open(os.path.join(folder, name), "rb") as file:
                found.append(file.read().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
    return found
