"""IMAP clients that people work in all day, against a real node: mbsync in both directions, neomutt in a terminal, imapflow."""

import imaplib
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from posthorn_node import PEERS, Node, message

ALICE = "alice@example.test"
PASSWORD = "posthorn"
MAILBOXES = ["INBOX"] + [f"Box{number:02}" for number in range(1, 20)]
MAILS_PER_SIDE = 50     # Of each mailbox: 2,000 mails in all.
HERE = os.path.dirname(os.path.abspath(__file__))


def mail(side, box, number):
    return message(f"{side} {box} {number}", f"Mail {number}.\r\n" * (number % 20 + 1), f"Message-ID: <{side}.{box}.{number}@example.org>\r\n")


class ImapClientsTest(unittest.TestCase):
    def setUp(self):
        self.node = Node()
        self.addCleanup(shutil.rmtree, self.node.folder)
        self.node.start()
        self.addCleanup(self.stop)
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def stop(self):
        self.assertEqual(self.node.stop(), 0, "exit code after SIGTERM")

    def imap(self):
        client = imaplib.IMAP4("127.0.0.1", self.node.ports["imap"])
        client.login(ALICE, PASSWORD)
        return client

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        os.chmod(path, 0o600)
        return path

    # mbsync

    def mbsync(self):
        config = self.write("mbsyncrc", f"""IMAPAccount posthorn
Host 127.0.0.1
Port {self.node.ports['imap']}
User {ALICE}
Pass {PASSWORD}
SSLType None
AuthMechs PLAIN

IMAPStore far
Account posthorn

MaildirStore near
Path {self.folder}/near/
Inbox {self.folder}/near/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns INBOX Box*
Create Both
Expunge Both
Sync All
SyncState *
""")
        done = subprocess.run(["mbsync", "-c", config, "all"], capture_output=True, text=True, timeout=300, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def fill_far(self):
        client = self.imap()
        for box in MAILBOXES:
            client.create(box)
            for number in range(MAILS_PER_SIDE):
                status, _ = client.append(box, r"(\Seen)" if number % 3 == 0 else None, None, mail("far", box, number).encode())
                self.assertEqual(status, "OK")
        client.logout()

    def fill_near(self):
        for box in MAILBOXES:
            for sub in ("cur", "new", "tmp"):
                os.makedirs(os.path.join(self.folder, "near", box, sub), exist_ok=True)
            for number in range(MAILS_PER_SIDE):
                name = f"{1700000000 + number}.{box}{number}.near:2,{'FS' if number % 4 == 0 else ''}"
                with open(os.path.join(self.folder, "near", box, "cur", name), "w", encoding="utf-8") as file:
                    file.write(mail("near", box, number).replace("\r\n", "\n"))

    def near(self):
        """Mailbox -> subject -> flags, of the Maildir side."""
        result = {}
        for box in MAILBOXES:
            mails = result[box] = {}
            for sub in ("cur", "new"):
                folder = os.path.join(self.folder, "near", box, sub)
                for name in os.listdir(folder):
                    with open(os.path.join(folder, name), encoding="utf-8") as file:
                        subject = re.search(r"^Subject: (.*)$", file.read(), re.M).group(1)
                    self.assertNotIn(subject, mails, "a mail was doubled on the near side")
                    flags = name.partition(":2,")[2]
                    mails[subject] = {flag for flag in "FRST" if flag in flags}
        return result

    def far(self):
        """The same of the server's side, and its MODSEQs."""
        letters = {r"\Flagged": "F", r"\Answered": "R", r"\Seen": "S", r"\Deleted": "T"}
        result, modseqs = {}, {}
        client = self.imap()
        for box in MAILBOXES:
            mails = result[box] = {}
            client.select(box, readonly=True)
            _, data = client.fetch("1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
            for part in data:
                if not isinstance(part, tuple):
                    continue
                subject = part[1].decode().strip().removeprefix("Subject: ")
                self.assertNotIn(subject, mails, "a mail was doubled on the far side")
                named = re.search(r"FLAGS \((.*?)\)", part[0].decode()).group(1).split()
                mails[subject] = {letters[name] for name in named if name in letters}
            modseqs[box] = client.status(box, "(HIGHESTMODSEQ MESSAGES SIZE UIDNEXT)")[1][0]
        client.logout()
        return result, modseqs

    def change_both_sides(self):
        client = self.imap()
        for box in MAILBOXES:
            client.select(box)
            client.uid("STORE", "1:10", "+FLAGS.SILENT", r"(\Flagged \Answered)")
            client.uid("STORE", "11:15", "+FLAGS.SILENT", r"(\Deleted)")
            client.expunge()
            cur = os.path.join(self.folder, "near", box, "cur")
            for name in sorted(os.listdir(cur)):
                base, _, flags = name.partition(":2,")
                if ".near" not in base:
                    continue
                number = int(re.search(re.escape(box) + r"(\d+)\.near", base).group(1))
                if number % 5 == 1:
                    os.rename(os.path.join(cur, name), os.path.join(cur, base + ":2," + "".join(sorted(set(flags) | {"S"}))))
                elif number % 10 == 2:
                    os.remove(os.path.join(cur, name))
        client.logout()

    def test_mbsync_keeps_2000_mails_in_20_mailboxes_the_same_on_both_sides(self):
        self.fill_far()
        self.fill_near()
        self.mbsync()
        near, (far, _) = self.near(), self.far()
        self.assertEqual(sum(len(mails) for mails in far.values()), 2000)
        self.assertEqual(near, far)
        self.assertEqual(far["Box07"]["near Box07 8"], {"F", "S"})
        self.change_both_sides()
        self.mbsync()
        near, (far, modseqs) = self.near(), self.far()
        self.assertEqual(near, far)
        self.assertEqual(sum(len(mails) for mails in far.values()), 2000 - 20 * 10)
        self.assertEqual(far["Box03"]["near Box03 1"], {"S"})
        self.assertLessEqual({"F", "R"}, near["Box03"]["far Box03 0"])
        names = [sorted(os.listdir(os.path.join(self.folder, "near", box, sub))) for box in MAILBOXES for sub in ("cur", "new")]
        self.mbsync()
        self.assertEqual(names, [sorted(os.listdir(os.path.join(self.folder, "near", box, sub))) for box in MAILBOXES for sub in ("cur", "new")])
        self.assertEqual(self.far()[1], modseqs, "the last run was to change nothing")

    # neomutt

    def run_in_terminal(self, command, seconds=60):
        """Runs a program that wants a terminal to its end."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.environ.update(TERM="xterm", HOME=self.folder, LC_ALL="C.UTF-8", COLUMNS="120", LINES="40")
            os.execvp(command[0], command)
        screen, end = b"", time.monotonic() + seconds
        while time.monotonic() < end:
            if not select.select([terminal], [], [], 0.2)[0]:
                continue
            try:
                piece = os.read(terminal, 65536)
            except OSError:     # The program has closed its side.
                piece = b""
            if not piece:
                break
            screen += piece
        else:
            os.kill(pid, signal.SIGKILL)
        status = os.waitpid(pid, 0)[1]
        os.close(terminal)
        self.assertEqual(status, 0, screen.decode(errors="replace")[-3000:])

    def test_neomutt_flags_searches_moves_and_deletes(self):
        client = self.imap()
        for number in range(30):
            client.append("INBOX", None, None, message("needle" if number == 17 else f"hay {number}").encode())
        client.logout()
        url = f"imap://127.0.0.1:{self.node.ports['imap']}/"
        config = self.write("neomuttrc", f"""
set folder = "{url}"
set spoolfile = "{url}INBOX"
set imap_user = "{ALICE}"
set imap_pass = "{PASSWORD}"
set imap_authenticators = "plain"
set ssl_starttls = no
set ssl_force_tls = no
set imap_condstore = yes
set quit = yes
set delete = yes
set confirmappend = no
set confirmcreate = no
set mark_old = no
set wait_key = no
set sort = mailbox-order
set header_cache = "{self.folder}/headers"
set record = ""
""")
        keys = ("<first-entry><flag-message><search>~s needle<enter><save-message>=Archive<enter>"
                "<search>~s \\\"hay 20\\\"<enter><delete-message><search>~s \\\"hay 21\\\"<enter><display-message><exit>"
                "<sync-mailbox><quit>")
        self.run_in_terminal(["neomutt", "-n", "-F", config, "-e", f'push "{keys}"'])
        client = self.imap()
        self.assertIn(b"MESSAGES 28", client.status("INBOX", "(MESSAGES)")[1][0])
        client.select("Archive", readonly=True)
        self.assertEqual(client.search(None, "SUBJECT", "needle")[1], [b"1"])
        client.select("INBOX", readonly=True)
        self.assertEqual(client.uid("SEARCH", "FLAGGED")[1], [b"1"])
        self.assertEqual(client.uid("SEARCH", "SEEN")[1], [b"22"])
        self.assertEqual(client.search(None, "SUBJECT", '"hay 20"')[1], [b""])
        client.logout()

    # imapflow

    def test_imapflow_does_a_day_of_work(self):
        modules = os.path.join(os.path.dirname(PEERS), "npm", "node_modules")
        done = subprocess.run(["node", os.path.join(HERE, "npm", "imapflow_day.js"), modules, str(self.node.ports["imap"]), ALICE, PASSWORD],
                              capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        print(f"imapflow: news reached IDLE within {json.loads(done.stdout)['idle_ms']:.0f} ms")


if __name__ == "__main__":
    unittest.main(verbosity=2)
