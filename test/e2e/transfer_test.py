"""Mail moved into and out of a real node: `posthorn import` and `posthorn export`, seen by IMAP and POP3 clients."""

import hashlib
import imaplib
import json
import mmap
import os
import poplib
import re
import shutil
import signal
import smtplib
import subprocess
import tempfile
import time
import unittest

from dovecot_server import DovecotServer, why_not
from posthorn_node import POSTHORN, ROOT, Node, message, wait_until

ALICE = "alice@example.test"
BOB = "bob@example.test"
PASSWORD = "posthorn"
VALIDITY = 1262234910  # 0x4b3c2d1e
BASE_DATE = 1700000000


def mail_text(number, size=200):
    """As a Maildir has it: with LF. Lines that mbox files must quote among them."""
    body = f"Mail number {number}.\nFrom here on\n>From there\n.dot\n\n" + "x" * 70 + "\n"
    while len(body) < size:
        body += f"{len(body):060d}\n"
    return f"From: you@example.org\nSubject: mail {number}\nMessage-ID: <{number}@example.org>\n\n{body}".encode()


class Maildir:
    """A Maildir as Dovecot leaves it."""

    def __init__(self, path):
        self.path = path
        self.make("")

    def folder(self, name):
        return os.path.join(self.path, name) if name else self.path

    def make(self, name):
        for sub in ("cur", "new", "tmp"):
            os.makedirs(os.path.join(self.folder(name), sub), exist_ok=True)

    def add(self, name, number, flags="", sub="cur", size=200):
        text = mail_text(number, size)
        base = f"{BASE_DATE + number}.M{number}P1.old,S={len(text)}"
        path = os.path.join(self.folder(name), sub, base + (f":2,{flags}" if sub == "cur" else ""))
        with open(path, "wb") as file:
            file.write(text)
        os.utime(path, (BASE_DATE + number, BASE_DATE + number))
        return base

    def write(self, name, file, text):
        with open(os.path.join(self.folder(name), file), "w") as out:
            out.write(text)


def sample_maildir(path, count=40):
    """INBOX with gaps in its UIDs, keywords and a P field; folders with levels and UTF-7; subscriptions; rubbish."""
    maildir = Maildir(path)
    lines = [f"3 V{VALIDITY} N9{count:03d} Gc1968807dcfd026b0442000083ecc375\n"]
    for number in range(1, count + 1):
        flags = {1: "S", 2: "FS", 3: "Ra", 4: "DSab", 5: "ST"}.get(number, "")
        base = maildir.add("", number, flags, "new" if number == 7 else "cur")
        field = " PUIDL-of-old" if number == 6 else ""
        lines.append(f"{number * 3}{field} :{base}\n")
    maildir.write("", "dovecot-uidlist", "".join(lines))
    maildir.write("", "dovecot-keywords", "0 $Label1\n1 Junk\n")
    maildir.write("", "subscriptions", "V\t2\n\nSent\t2024\n")
    for name, validity in ((".Sent.2024", VALIDITY - 7), (".Entw&APw-rfe", VALIDITY - 8)):
        maildir.make(name)
        base = maildir.add(name, 100, "S")
        maildir.write(name, "dovecot-uidlist", f"3 V{validity} N8 Gc1968807dcfd026b0442000083ecc375\n5 :{base}\n")
    maildir.add("", 500, sub="tmp")
    os.symlink("/etc/passwd", os.path.join(path, "cur", "1.link:2,"))
    return maildir


class TransferTest(unittest.TestCase):
    def setUp(self):
        os.makedirs(os.path.join(ROOT, "build/e2e"), exist_ok=True)
        self.folder = tempfile.mkdtemp(dir=os.path.join(ROOT, "build/e2e"))
        self.addCleanup(shutil.rmtree, self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def node(self):
        node = Node()
        node.start()
        self.addCleanup(shutil.rmtree, node.folder)
        self.addCleanup(lambda: node.process and node.stop())
        return node

    def imap(self, node, account=ALICE):
        client = imaplib.IMAP4("127.0.0.1", node.ports["imap"])
        client.login(account, PASSWORD)
        self.addCleanup(lambda: client.state != "LOGOUT" and client.shutdown())
        return client

    def status(self, node, mailbox, account=ALICE):
        client = self.imap(node, account)
        answer = client.status(mailbox, "(MESSAGES UIDVALIDITY UIDNEXT)")[1][0].decode()
        client.logout()
        return {key: int(value) for key, value in re.findall(r"(MESSAGES|UIDVALIDITY|UIDNEXT) (\d+)", answer)}

    def mails(self, node, mailbox="INBOX", account=ALICE):
        """UID -> (flags, date, bytes)."""
        return self.mails_of(self.imap(node, account), mailbox)

    @staticmethod
    def mails_of(client, mailbox="INBOX"):
        client.select(mailbox, readonly=True)
        _, data = client.uid("FETCH", "1:*", "(UID FLAGS INTERNALDATE BODY.PEEK[])")
        found = {}
        for part in data:
            if isinstance(part, tuple):
                head = part[0].decode()
                flags = frozenset(re.search(r"FLAGS \(([^)]*)\)", head).group(1).split()) - {"\\Recent"}
                date = re.search(r'INTERNALDATE "([^"]+)"', head).group(1)
                found[int(re.search(r"UID (\d+)", head).group(1))] = (flags, date, part[1])
        client.logout()
        return found

    def uidls(self, node, account=ALICE):
        client = poplib.POP3("127.0.0.1", node.ports["pop3"])
        client.user(account)
        client.pass_(PASSWORD)
        lines = [line.split()[1].decode() for line in client.uidl()[1]]
        client.quit()
        return lines

    def check_sample(self, node, account=ALICE, count=40, own_uidl=True):
        self.assertEqual(self.status(node, "INBOX", account), {"MESSAGES": count, "UIDVALIDITY": VALIDITY, "UIDNEXT": 9000 + count})
        mails = self.mails(node, account=account)
        self.assertEqual(sorted(mails), [number * 3 for number in range(1, count + 1)])
        for number in range(1, count + 1):
            flags, date, text = mails[number * 3]
            self.assertEqual(text, mail_text(number).replace(b"\n", b"\r\n"), number)
            self.assertEqual(date, time.strftime("%d-%b-%Y %H:%M:%S +0000", time.gmtime(BASE_DATE + number)).lstrip("0").rjust(26))
            expected = {1: {"\\Seen"}, 2: {"\\Flagged", "\\Seen"}, 3: {"\\Answered", "$Label1"}, 4: {"\\Draft", "\\Seen", "$Label1", "Junk"},
                        5: {"\\Seen", "\\Deleted"}}.get(number, set())
            self.assertEqual(flags, expected, number)
        self.assertEqual(self.uidls(node, account), ["UIDL-of-old" if number == 6 and own_uidl else f"{number * 3:08x}{VALIDITY:08x}" for number in range(1, count + 1)])
        self.assertEqual(self.status(node, "Sent/2024", account), {"MESSAGES": 1, "UIDVALIDITY": VALIDITY - 7, "UIDNEXT": 8})
        self.assertEqual(self.status(node, '"Entw&APw-rfe"', account), {"MESSAGES": 1, "UIDVALIDITY": VALIDITY - 8, "UIDNEXT": 8})
        self.assertEqual(list(self.mails(node, "Sent/2024", account)), [5])
        client = self.imap(node, account)
        self.assertIn(b"Sent/2024", b" ".join(client.lsub()[1]))
        client.logout()

    def check_volume(self, node):
        """An independent reader and `mffs check` and `rescue` on the volume of a node that has ended."""
        volume = os.path.join(node.folder, "volume.mffs")
        read = subprocess.run([os.path.join(ROOT, "tools/mffs_reader.py"), volume, "--json"], capture_output=True, text=True, check=True)
        mails = [mail for mail in json.loads(read.stdout)["mails"] if mail["account"] == ALICE and mail["mailbox"] == "INBOX"]
        self.assertEqual([(mail["uid"], mail["uid_validity"]) for mail in mails], [(number * 3, VALIDITY) for number in range(1, 41)])
        self.assertEqual(mails[3]["flags"], ["\\Seen", "\\Draft", "$Label1", "Junk"])
        for number, mail in enumerate(mails, 1):
            self.assertEqual(mail["sha256"], hashlib.sha256(mail_text(number).replace(b"\n", b"\r\n")).hexdigest())
        checked = node.run("mffs", "check", volume, check=False)
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)
        node.run("mffs", "rescue", volume, self.path("rescued"))
        rescued = [name for _, _, names in os.walk(self.path("rescued")) for name in names if name.endswith(".eml")]
        self.assertEqual(len(rescued), 42)

    def test_a_maildir_goes_in_and_out_again_as_it_was(self):
        sample_maildir(self.path("Maildir"))
        node = self.node()
        watcher = self.imap(node)
        watcher.select("INBOX")
        dry = node.run("import", "maildir", ALICE, self.path("Maildir"), "--dry-run", check=False)
        self.assertIn("there are 42 mails", dry.stdout)
        self.assertEqual(self.status(node, "INBOX")["MESSAGES"], 0)
        done = node.run("import", "maildir", ALICE, self.path("Maildir"), check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("1.link:2,: this is no regular file", done.stderr)
        self.assertIn("imported 42 mails", done.stdout)
        watcher.noop()
        self.assertEqual(watcher.response("EXISTS")[1][-1], b"40", "a session that has the mailbox open sees the mail")
        self.check_sample(node)
        again = node.run("import", "maildir", ALICE, self.path("Maildir"), "--json", check=False)
        self.assertIn('"were_there":42', again.stdout)
        self.assertIn('"imported":0', again.stdout)
        # What the node has lives through a restart, and others than the node find it on the disk.
        node.stop()
        self.check_volume(node)
        node.start()
        self.check_sample(node)

        out = self.path("out")
        node.run("export", "maildir", ALICE, out)
        inbox = os.listdir(os.path.join(out, "cur"))
        self.assertEqual(len(inbox), 40)
        for name in inbox:
            number = int(re.match(r"(\d+)\.", name).group(1)) - BASE_DATE
            path = os.path.join(out, "cur", name)
            with open(path, "rb") as file:
                self.assertEqual(file.read(), mail_text(number))
            self.assertEqual(os.stat(path).st_mtime, BASE_DATE + number)
        with open(os.path.join(out, "dovecot-uidlist")) as file:
            head, *lines = file.read().splitlines()
        self.assertRegex(head, rf"^3 V{VALIDITY} N9040 G[0-9a-f]{{32}}$")
        self.assertEqual([int(line.split()[0]) for line in lines], [number * 3 for number in range(1, 41)])
        self.assertIn(" PUIDL-of-old ", lines[5])
        with open(os.path.join(out, "subscriptions")) as file:
            self.assertIn("Sent.2024\n", file.read())
        self.assertIn("42 were there already", node.run("export", "maildir", ALICE, out).stdout)
        refused = node.run("export", "maildir", BOB, out, check=False)
        self.assertIn("another account", refused.stderr)
        # The other account takes it, and looks the same to every client.
        node.run("import", "maildir", BOB, out)
        self.check_sample(node, BOB)

    def test_an_export_goes_on_past_a_mail_that_cannot_be_read(self):
        """stalwart#1632: one damaged record ended the export, so nobody could leave a damaged store."""
        maildir = Maildir(self.path("Maildir"))
        for number in (1, 2, 3):
            maildir.add("", number, "S", size=20000)
        node = self.node()
        node.run("import", "maildir", ALICE, self.path("Maildir"))
        node.stop()
        with open(os.path.join(node.folder, "volume.mffs"), "r+b") as file, mmap.mmap(file.fileno(), 0) as volume:
            volume[volume.find(b"Mail number 2.\r\n") + 10000] ^= 1
        node.start()
        for kind, out in (("maildir", "out"), ("mbox", "mboxes")):
            done = node.run("export", kind, ALICE, self.path(out), check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn("exported 2 mails", done.stdout)
            self.assertIn("1 could not be written", done.stdout)
            self.assertRegex(done.stderr, "INBOX, UID 2: ")
        written = sorted(os.listdir(self.path("out/cur")))
        self.assertEqual([re.search(r"U(\d+)\.", name).group(1) for name in written], ["1", "3"])

    def test_uids_are_kept_or_it_says_so(self):
        sample_maildir(self.path("Maildir"))
        os.unlink(self.path("Maildir/cur/1.link:2,"))
        node = self.node()
        client = self.imap(node)
        client.append("INBOX", None, None, b"Subject: first\r\n\r\nx\r\n")
        client.logout()
        refused = node.run("import", "maildir", ALICE, self.path("Maildir"), check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("has had mail", refused.stderr)
        self.assertIn("--new-uids", refused.stderr)
        self.assertEqual(self.status(node, "INBOX")["MESSAGES"], 1)
        node.run("import", "maildir", ALICE, self.path("Maildir"), "--new-uids")
        self.assertEqual(self.status(node, "INBOX")["MESSAGES"], 41)
        # POP3 clients know their mail all the same.
        self.assertEqual(self.uidls(node)[1:4], [f"{number * 3:08x}{VALIDITY:08x}" for number in (1, 2, 3)])
        # A second import brings what came to the old server; a UID that a delivery took meanwhile is not given twice.
        node.run("import", "maildir", BOB, self.path("Maildir"))
        with smtplib.SMTP("127.0.0.1", node.ports["smtp"]) as smtp:
            smtp.sendmail("you@example.org", [BOB], message("between"))
        wait_until(lambda: self.status(node, "INBOX", BOB)["MESSAGES"] == 41, "the mail that was delivered")
        with open(self.path("Maildir/dovecot-uidlist"), "a") as uids:
            for uid, number in ((9040, 600), (9050, 601)):
                uids.write(f"{uid} :{Maildir(self.path('Maildir')).add('', number)}\n")
        again = node.run("import", "maildir", BOB, self.path("Maildir"))
        self.assertIn("imported 2 mails", again.stdout)
        self.assertIn("1 got new UIDs", again.stdout)
        mails = self.mails(node, account=BOB)
        self.assertEqual(sorted(mails)[-3:], [9040, 9050, 9051])
        self.assertIn(b"Subject: between", mails[9040][2])
        self.assertIn(b"Subject: mail 600", mails[9051][2])
        self.assertEqual(self.uidls(node, BOB)[-3:], [f"{uid:08x}{VALIDITY:08x}" for uid in (9040, 9050, 9051)])
        self.assertEqual(node.run("import", "maildir", "nobody@example.test", self.path("Maildir"), check=False).returncode, 1)
        self.assertEqual(node.run("import", "maildir", ALICE, self.path("none"), check=False).returncode, 1)

    def flag(self, node, uid, change, flags, account=ALICE):
        client = self.imap(node, account)
        client.select("INBOX")
        self.assertEqual(client.uid("STORE", str(uid), change, flags)[0], "OK")
        client.logout()

    def test_a_rerun_brings_flags_that_changed_at_the_source_but_undoes_none_here(self):
        maildir = Maildir(self.path("Maildir"))
        bases = [maildir.add("", number, "S") for number in (1, 2, 3, 4)]
        maildir.write("", "dovecot-keywords", "0 $Label1\n1 Junk\n")
        node = self.node()
        node.run("import", "maildir", ALICE, self.path("Maildir"))
        self.flag(node, 2, "+FLAGS", "(\\Flagged)")
        self.flag(node, 3, "-FLAGS", "(\\Seen)")
        watcher = self.imap(node)
        watcher.select("INBOX")
        for number, flags in ((0, "FSa"), (1, "Sb"), (2, "RS")):
            os.rename(self.path(f"Maildir/cur/{bases[number]}:2,S"), self.path(f"Maildir/cur/{bases[number]}:2,{flags}"))
        maildir.add("", 5, "D")
        again = node.run("import", "maildir", ALICE, self.path("Maildir"))
        self.assertIn("imported 1 mails", again.stdout)
        self.assertIn("4 were there already; 1 of these got the flags", again.stdout)
        self.assertIn("2 have other flags there, but were changed here", again.stdout)
        expected = {1: {"\\Seen", "\\Flagged", "$Label1"}, 2: {"\\Seen", "\\Flagged"}, 3: set(), 4: {"\\Seen"}, 5: {"\\Draft"}}
        self.assertEqual({uid: mail[0] for uid, mail in self.mails(node).items()}, expected)
        watcher.noop()
        self.assertIn(b"FLAGS", watcher.response("FETCH")[1][-1], "a session that has the mailbox open sees the flags")
        watcher.logout()
        # And again after a restart; what the node took from the log is what others read from the disk.
        os.rename(self.path(f"Maildir/cur/{bases[0]}:2,FSa"), self.path(f"Maildir/cur/{bases[0]}:2,"))
        self.flag(node, 4, "+FLAGS", "(Mine)")
        node.stop()
        node.start()
        again = node.run("import", "maildir", ALICE, self.path("Maildir"), "--json")
        self.assertEqual([json.loads(again.stdout)[key] for key in ("imported", "flags_changed", "flags_kept")], [0, 1, 3])
        expected[1], expected[4] = set(), {"\\Seen", "Mine"}
        self.assertEqual({uid: mail[0] for uid, mail in self.mails(node).items()}, expected)
        node.kill()  # So that the last entries are in no snapshot.
        read = subprocess.run([os.path.join(ROOT, "tools/mffs_reader.py"), os.path.join(node.folder, "volume.mffs"), "--json"], capture_output=True, text=True, check=True)
        self.assertEqual({mail["uid"]: set(mail["flags"]) for mail in json.loads(read.stdout)["mails"]}, expected)
        checked = node.run("mffs", "check", os.path.join(node.folder, "volume.mffs"), check=False)
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)

    def test_courier_lists(self):
        maildir = Maildir(self.path("Maildir"))
        bases = [maildir.add("", number, "S") for number in (1, 2)]
        maildir.write("", "courierimapuiddb", f"1 {VALIDITY} 40\n12 {bases[0]}\n39 {bases[1]}\n")
        maildir.write("", "courierpop3dsizelist", f"/2 5 99\n{bases[0]}:2,S 260 3:99\n{bases[1]} 260 4:99\n")
        os.mkdir(self.path("Maildir/courierimapkeywords"))
        maildir.write("", "courierimapkeywords/:list", f"$Label1\nJunk\n\n{bases[0]}:1 0\n{bases[1]}:1\n")
        maildir.write("", f"courierimapkeywords/.4207450.{bases[1]}", "Work\n")
        node = self.node()
        node.run("import", "maildir", ALICE, self.path("Maildir"))
        self.assertEqual({uid: mail[0] for uid, mail in self.mails(node).items()}, {12: {"\\Seen", "$Label1", "Junk"}, 39: {"\\Seen", "Work"}})
        self.assertEqual(self.status(node, "INBOX"), {"MESSAGES": 2, "UIDVALIDITY": VALIDITY, "UIDNEXT": 40})
        self.assertEqual(self.uidls(node), ["UID3-99", "UID4-99"])

    def test_an_mbox_goes_in_and_out_again_as_it_was(self):
        texts = [mail_text(number) for number in (1, 2, 3)] + [mail_text(3)]
        with open(self.path("mbox"), "wb") as file:
            file.write(b"From x Tue Nov 14 22:13:20 2023\nX-IMAP: %d 0000000009\nSubject: DON'T DELETE THIS MESSAGE\n\nx\n\n" % VALIDITY)
            for uid, text in enumerate(texts, 5):
                head, body = text.split(b"\n\n", 1)
                body = re.sub(rb"^(>*From )", rb">\1", body, flags=re.M)
                extra = {5: b"Status: RO\nX-Status: AF\n", 6: b"X-Keywords: $Label1 Junk    \n"}.get(uid, b"")
                file.write(b"From you@example.org Tue Nov 14 22:13:%02d 2023\n%s\n%sX-UID: %d\n\n%s\n" % (uid, head, extra, uid, body))
        node = self.node()
        self.assertIn("imported 4 mails", node.run("import", "mbox", ALICE, self.path("mbox"), "--mailbox", "Old/mbox").stdout)
        self.assertIn("4 were there already", node.run("import", "mbox", ALICE, self.path("mbox"), "--mailbox", "Old/mbox").stdout)
        self.assertEqual(self.status(node, "Old/mbox"), {"MESSAGES": 4, "UIDVALIDITY": VALIDITY, "UIDNEXT": 10})
        mails = self.mails(node, "Old/mbox")
        self.assertEqual([mails[uid][2] for uid in (5, 6, 7, 8)], [text.replace(b"\n", b"\r\n") for text in texts])
        self.assertEqual(mails[5][:2], (frozenset(("\\Seen", "\\Answered", "\\Flagged")), "14-Nov-2023 22:13:05 +0000"))
        self.assertEqual(mails[6][0], frozenset(("$Label1", "Junk")))
        node.run("export", "mbox", ALICE, self.path("out"))
        special = ["Archive.mbox", "Drafts.mbox", "Junk.mbox", "Sent.mbox", "Trash.mbox"]
        self.assertEqual(sorted(os.listdir(self.path("out"))), sorted(["INBOX.mbox", "Old", "Old.mbox", "posthorn-export"] + special))
        self.assertIn("4 were there already", node.run("export", "mbox", ALICE, self.path("out")).stdout)
        node.run("import", "mbox", BOB, self.path("out/Old/mbox.mbox"), "--mailbox", "Old/mbox")
        self.assertEqual(self.mails(node, "Old/mbox", BOB), mails)
        self.assertEqual(self.status(node, "Old/mbox", BOB), self.status(node, "Old/mbox"))
        node.run("export", "mbox", BOB, self.path("one"), "--mailbox", "Old/mbox")
        with open(self.path("one"), "rb") as one, open(self.path("out/Old/mbox.mbox"), "rb") as other:
            self.assertEqual(one.read(), other.read())
        bad = self.path("bad")
        with open(bad, "w") as file:
            file.write("this is no mbox\n")
        self.assertIn("is no mbox", node.run("import", "mbox", ALICE, bad, check=False).stderr)

    def test_pop3_clients_of_qpopper_fetch_nothing_again(self):
        ids = ["e3f0a51cb9d4f7b7d8b7ad4d4de9d7a5", '5;W"!Z=2!!j;0"!MU(!!']
        with open(self.path("spool"), "wb") as file:
            for second, uidl in enumerate(ids):
                file.write(b"From you@example.org Tue Nov 14 22:13:%02d 2023\nSubject: %d\nX-UIDL: %s\n\nx\n\n" % (second, second, uidl.encode()))
        node = self.node()
        node.run("import", "mbox", ALICE, self.path("spool"))
        self.assertEqual(self.uidls(node), ids)
        self.assertEqual(list(self.mails(node).values())[0][2], b"Subject: 0\r\n\r\nx\r\n")
        node.run("export", "mbox", ALICE, self.path("out"), "--mailbox", "INBOX")
        node.run("import", "mbox", BOB, self.path("out"))
        self.assertEqual(self.uidls(node, BOB), ids)

    def import_imap(self, node, port, *more, user="alice%40example.test", password=PASSWORD, check=True):
        done = node.run("import", "imap", BOB, f"imap://{user}@127.0.0.1:{port}", "--password-stdin", *more, stdin=password + "\n", check=False)
        if check:
            self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def test_imap_import_from_another_node(self):
        sample_maildir(self.path("Maildir"))
        os.unlink(self.path("Maildir/cur/1.link:2,"))
        old, new = self.node(), self.node()
        old.run("import", "maildir", ALICE, self.path("Maildir"))
        before = self.mails(old)
        refused = self.import_imap(new, old.ports["imap"], check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("cannot prove who it is", refused.stderr)
        refused = self.import_imap(new, old.ports["imap"], "--no-verify-tls", password="wrong", check=False)
        self.assertIn("does not take the user and password", refused.stderr)
        done = self.import_imap(new, old.ports["imap"], "--no-verify-tls")
        self.assertIn("imported 42 mails", done.stdout)
        self.assertIn("not verified", done.stderr)
        self.check_sample(new, BOB, own_uidl=False)
        self.assertEqual(self.mails(new, account=BOB), before)
        # What comes later is brought by the same command, flags too, and nothing else.
        client = self.imap(old)
        client.append("INBOX", "\\Flagged", None, b"Subject: late\r\n\r\nx\r\n")
        client.logout()
        self.flag(old, 9, "FLAGS", "(\\Answered Late)")
        self.flag(old, 12, "FLAGS", "()")
        again = self.import_imap(new, old.ports["imap"], "--no-verify-tls")
        self.assertIn("imported 1 mails", again.stdout)
        self.assertIn("2 of these got the flags", again.stdout)
        self.assertEqual(self.mails(new, account=BOB), self.mails(old))
        self.flag(old, 15, "FLAGS", "(\\Flagged)")
        self.flag(new, 15, "FLAGS", "(Mine)", BOB)
        self.assertIn("1 have other flags there", self.import_imap(new, old.ports["imap"], "--no-verify-tls").stdout)
        self.assertEqual(self.mails(new, account=BOB)[15][0], {"Mine"})

    @unittest.skipIf(why_not(), why_not())
    def test_a_real_dovecot_reads_what_is_exported_and_is_imported(self):
        sample_maildir(self.path("Maildir"))
        os.unlink(self.path("Maildir/cur/1.link:2,"))
        node = self.node()
        node.run("import", "maildir", ALICE, self.path("Maildir"))
        dovecot = DovecotServer()
        node.run("export", "maildir", ALICE, dovecot.maildir)
        with dovecot:
            client = dovecot.imap()
            self.assertIn(f"UIDVALIDITY {VALIDITY}".encode(), client.status("INBOX", "(UIDVALIDITY UIDNEXT)")[1][0])
            self.assertIn(b"UIDNEXT 9040", client.status("INBOX", "(UIDVALIDITY UIDNEXT)")[1][0])
            self.assertIn(b"Sent.2024", b" ".join(client.lsub()[1]))
            self.assertEqual(self.mails_of(client), self.mails(node))
            # It gives mail UIDs of its own, and a folder.
            client = dovecot.imap()
            client.create("Work.2026")
            client.append("Work.2026", r"(\Seen $Label1)", '"01-Feb-2024 10:00:00 +0100"', mail_text(7).replace(b"\n", b"\r\n"))
            client.append("INBOX", None, None, mail_text(8).replace(b"\n", b"\r\n"))
            work = re.search(rb"UIDVALIDITY (\d+)", client.status("Work.2026", "(UIDVALIDITY)")[1][0]).group(1)
            client.logout()
            done = self.import_imap(node, dovecot.port, user="alice", password="secret")
            self.assertIn("imported 44 mails", done.stdout)
            self.assertEqual(self.mails(node, account=BOB), self.mails_of(dovecot.imap()))
            self.assertEqual(self.status(node, "INBOX", BOB), {"MESSAGES": 41, "UIDVALIDITY": VALIDITY, "UIDNEXT": 9041})
            self.assertEqual(self.status(node, "Work/2026", BOB), {"MESSAGES": 1, "UIDVALIDITY": int(work), "UIDNEXT": 2})
            # The Maildir as Dovecot left it, into the account that it came from: only what is new.
            again = node.run("import", "maildir", ALICE, dovecot.maildir, "--new-uids")
            self.assertIn("44 mails", again.stdout)

    def test_imports_that_are_killed_go_on(self):
        count = 600
        maildir = Maildir(self.path("Maildir"))
        lines = [f"3 V{VALIDITY} N5000 Gc1968807dcfd026b0442000083ecc375\n"]
        for number in range(1, count + 1):
            lines.append(f"{number + 7} :{maildir.add('', number, size=3000)}\n")
        maildir.write("", "dovecot-uidlist", "".join(lines))
        node = self.node()
        command = [POSTHORN, "--config", node.config, "import", "maildir", ALICE, self.path("Maildir"), "--quiet"]

        def start():
            return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def wait_for(mails):
            wait_until(lambda: self.status(node, "INBOX")["MESSAGES"] >= mails, f"{mails} mails")

        process = start()
        wait_for(1)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process = start()
        wait_for(200)
        node.kill()
        self.assertNotEqual(process.wait(60), 0)
        node.start()
        node.run("import", "maildir", ALICE, self.path("Maildir"))
        self.assertEqual(self.status(node, "INBOX"), {"MESSAGES": count, "UIDVALIDITY": VALIDITY, "UIDNEXT": 5000})
        mails = self.mails(node)
        self.assertEqual(sorted(mails), [number + 7 for number in range(1, count + 1)])
        for number in range(1, count + 1):
            self.assertEqual(mails[number + 7][2], mail_text(number, 3000).replace(b"\n", b"\r\n"))

        out = self.path("out")
        process = subprocess.Popen([POSTHORN, "--config", node.config, "export", "maildir", ALICE, out, "--quiet"])
        wait_until(lambda: os.path.isdir(os.path.join(out, "tmp")) and os.listdir(os.path.join(out, "tmp")), "a file being written")
        process.send_signal(signal.SIGKILL)
        process.wait()
        node.run("export", "maildir", ALICE, out)
        self.assertEqual(len(os.listdir(os.path.join(out, "cur"))), count)
        self.assertEqual(os.listdir(os.path.join(out, "tmp")), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
