"""SCRAM-SHA-256 with real clients of two libraries: msmtp and mpop (GNU SASL), mbsync (Cyrus SASL)."""

import imaplib
import json
import os
import poplib
import re
import shutil
import smtplib
import ssl
import subprocess
import tempfile
import unittest

from posthorn_node import Node, message

ALICE = "alice@example.test"
BOB = "bob@example.test"
PASSWORD = "posthorn"
# SASLprep makes "IX, café" of it: what a client that normalizes sends must fit what was typed.
PREPARED = "\u2168, cafe\u0301"


def call(*command, stdin=None):
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=120, check=False)


def offers(node):
    """What SMTP, IMAP and POP3 say, over TLS: whether each offers SCRAM."""
    context = ssl._create_unverified_context()  # pylint: disable=protected-access
    with smtplib.SMTP("127.0.0.1", node.ports["submission"]) as client:
        client.starttls(context=context)
        client.ehlo()
        smtp = "SCRAM-SHA-256" in client.esmtp_features["auth"].split()
    client = imaplib.IMAP4_SSL("127.0.0.1", node.ports["imaps"], ssl_context=context)
    imap = "AUTH=SCRAM-SHA-256" in client.capabilities
    client.logout()
    client = poplib.POP3_SSL("127.0.0.1", node.ports["pop3s"], context=context)
    pop3 = "SCRAM-SHA-256" in client.capa()["SASL"]
    client.quit()
    return smtp, imap, pop3


class ScramTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, 0o600)
        return path

    def msmtp(self, node, password, subject, user=ALICE):
        config = self.write("msmtprc", f"""account default
host 127.0.0.1
port {node.ports['submission']}
tls on
tls_starttls on
tls_certcheck off
auth scram-sha-256
user {user}
password {password}
from {user}
""")
        return call("msmtp", "-C", config, BOB, stdin=message(subject))

    def mpop(self, node, password, user=BOB):
        """The number of mails fetched, or what mpop said."""
        maildir = os.path.join(self.folder, "Maildir")
        for sub in ("cur", "new", "tmp"):
            os.makedirs(os.path.join(maildir, sub), exist_ok=True)
        config = self.write("mpoprc", f"""account default
host 127.0.0.1
port {node.ports['pop3']}
tls on
tls_starttls on
tls_certcheck off
auth scram-sha-256
user {user}
password {password}
keep on
delivery maildir {maildir}
uidls_file {self.folder}/uidls
""")
        done = call("mpop", "-C", config, "-q")
        return len(os.listdir(os.path.join(maildir, "new"))) if done.returncode == 0 else done.stderr

    def mbsync(self, node, password, user=BOB):
        config = self.write("mbsyncrc", f"""IMAPAccount posthorn
Host 127.0.0.1
Port {node.ports['imap']}
User {user}
Pass "{password}"
SSLType None
AuthMechs SCRAM-SHA-256

IMAPStore far
Account posthorn

MaildirStore near
Path {self.folder}/near/
Inbox {self.folder}/near/INBOX

Channel all
Far :far:
Near :near:
Patterns INBOX
Create Near
SyncState *
""")
        os.makedirs(os.path.join(self.folder, "near"), exist_ok=True)
        done = call("mbsync", "-c", config, "all")
        return len(os.listdir(os.path.join(self.folder, "near/INBOX/new"))) if done.returncode == 0 else done.stderr

    def test_real_clients_log_in_over_each_protocol(self):
        with Node() as node:
            self.assertEqual(offers(node), (True, True, True))
            sent = self.msmtp(node, PASSWORD, "by SCRAM")
            self.assertEqual(sent.returncode, 0, sent.stderr)
            self.assertIn("mechanism=SCRAM-SHA-256", node.log())
            self.assertEqual(self.mpop(node, PASSWORD), 1)
            self.assertEqual(self.mbsync(node, PASSWORD), 1)

    def test_a_wrong_password_is_one(self):
        with Node() as node:
            self.assertIn("535", self.msmtp(node, "guess", "x").stderr)
            self.assertIn("535", self.msmtp(node, "guess", "x", user="nobody@example.test").stderr)
            self.assertIn("authentication failed (method SCRAM-SHA-256)", self.mpop(node, "guess"))
            self.assertRegex(self.mbsync(node, "guess"), "(?i)authenticat")
            self.assertEqual(len(re.findall("login_failed protocol=smtp", node.log())), 2)

    def test_passwords_are_normalized(self):
        with Node() as node:
            node.run("user", "passwd", ALICE, "--password-stdin", stdin=PREPARED + "\n")
            for password in (PREPARED, "IX, caf\u00e9"):
                sent = self.msmtp(node, password, "by SCRAM")
                self.assertEqual(sent.returncode, 0, sent.stderr)

    def test_an_account_from_before_gets_keys_with_its_password(self):
        """And SCRAM is offered when all have them, over restarts."""
        with Node(auth='scram = "off"') as node:
            self.assertEqual(offers(node), (False, False, False))
            node.run("user", "add", "carol@example.test", "--password-stdin", stdin="secret\n")
            self.assertEqual(self.scram_of(node), {ALICE: False, BOB: False, "carol@example.test": False})
            self.assertEqual(node.stop(), 0)
            node.change_config('scram = "off"', 'scram = "auto"')
            node.start()
            self.assertEqual(offers(node), (False, False, False))
            self.assertNotEqual(self.msmtp(node, PASSWORD, "x").returncode, 0)
            for user, password in ((ALICE, PASSWORD), (BOB, PASSWORD)):
                client = imaplib.IMAP4("127.0.0.1", node.ports["imap"])
                client.login(user, password)
                client.logout()
            self.assertEqual(self.scram_of(node), {ALICE: True, BOB: True, "carol@example.test": False})
            self.assertEqual(offers(node), (False, False, False))
            node.run("user", "passwd", "carol@example.test", "--password-stdin", stdin="other\n")
            self.assertEqual(offers(node), (True, True, True))
            node.kill()
            node.start()
            self.assertEqual(offers(node), (True, True, True))
            for user, password in ((ALICE, PASSWORD), ("carol@example.test", "other")):
                sent = self.msmtp(node, password, f"of {user}", user=user)
                self.assertEqual(sent.returncode, 0, sent.stderr)
            self.assertEqual(self.mpop(node, PASSWORD), 2)

    @staticmethod
    def scram_of(node):
        listed = [json.loads(line) for line in node.run("user", "list", "--json").stdout.splitlines()]
        return {account["address"]: account["scram"] for account in listed}


if __name__ == "__main__":
    unittest.main(verbosity=2)
