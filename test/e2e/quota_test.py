"""Quotas as clients and operators see them: real SMTP and IMAP clients, the CLI, a reload, a kill."""

import imaplib
import json
import os
import signal
import smtplib
import subprocess
import unittest
import urllib.request

from posthorn_node import Node, message, wait_until

ALICE = "alice@example.test"
BOB = "bob@example.test"
LIMIT = 100 << 10
LARGE = message("large", ("x" * 70 + "\r\n") * 600)  # About 43 KB.


class QuotaTest(unittest.TestCase):
    def setUp(self):
        self.node = Node(queue=f'retry_min = 1\nretry_max = 1\n[quota]\nbytes = "{LIMIT}"\nwarn_at = [80]')
        self.addCleanup(self.node.__exit__)
        self.node.start()

    def send(self, recipients, text=LARGE):
        with smtplib.SMTP("127.0.0.1", self.node.ports["smtp"]) as client:
            return client.sendmail("you@example.org", recipients, text)

    def login(self, user=ALICE):
        client = imaplib.IMAP4("127.0.0.1", self.node.ports["imap"])
        client.login(user, "posthorn")
        client.select("INBOX")
        return client

    def subjects(self, user=ALICE):
        with self.login(user) as client:
            _, found = client.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
            return [part[1].decode().strip().removeprefix("Subject: ") for part in found if isinstance(part, tuple)]

    def edit(self, old, new):
        with open(self.node.config) as file:
            text = file.read()
        self.assertIn(old, text)
        with open(self.node.config, "w") as file:
            file.write(text.replace(old, new))
        before = self.node.log().count(" reloaded ")
        os.kill(self.node.pid, signal.SIGHUP)
        wait_until(lambda: self.node.log().count(" reloaded ") > before, "a reload")

    def metric(self, name):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.node.ports['http']}/metrics") as page:
            for line in page.read().decode().splitlines():
                if line.startswith(name + " "):
                    return float(line.split()[1])
        return None

    def test_a_full_mailbox_refuses_mail_and_warns_its_owner_once(self):
        self.send([ALICE])
        self.send([ALICE])  # 86 %
        wait_until(lambda: len(self.subjects()) == 3, "the warning")
        with self.assertRaises(smtplib.SMTPRecipientsRefused) as refused:
            self.send([ALICE])
        code, text = refused.exception.recipients[ALICE]
        self.assertEqual((code, text[:5]), (452, b"4.2.2"))
        self.assertEqual(self.send([ALICE, BOB]).get(ALICE, (0,))[0], 452)  # bob gets his.
        self.assertEqual(self.subjects(BOB), ["large"])
        self.assertEqual(self.metric('posthorn_store_refusals_total{protocol="smtp",reason="over_quota"}'), 2)
        self.assertIn("mailbox_full", self.node.log())
        with self.login() as client:
            _, header = client.fetch("3", "(BODY.PEEK[HEADER])")
            warning = header[0][1].decode()
            self.assertIn("Return-Path: <>\r\n", warning)
            self.assertIn("Auto-Submitted: auto-generated\r\n", warning)
            _, (roots, quotas) = client.getquotaroot("INBOX")
            self.assertEqual(roots, [b'INBOX ""'])
            used, limit = quotas[0].decode().rstrip(")").split()[-2:]
            self.assertEqual(int(limit), LIMIT // 1024)
            self.assertGreater(int(used), 80)
            self.assertEqual(client.append("INBOX", None, None, LARGE.encode())[0], "NO")
            self.assertIn(b"[OVERQUOTA]", client.copy("1", "Trash")[1][0])
            # Room is made as the warning says.
            client._simple_command("MOVE", "1:2", "Trash")  # pylint: disable=protected-access
            self.assertIn(b"STORAGE %d " % int(used), client.getquota('""')[1][0])
            client.select("Trash")
            client.store("1:*", "+FLAGS", "\\Deleted")
            client.expunge()
        self.send([ALICE])
        self.assertEqual(self.subjects().count("large"), 1)
        self.assertEqual(len(self.subjects()), 2)

    def test_a_queued_mail_waits_until_there_is_room(self):
        self.edit("[smtp]", '[smtp]\npath = "queue"')
        self.send([ALICE, BOB])
        wait_until(lambda: self.subjects().count("large") == 1, "the first mail")
        self.send([ALICE], LARGE)
        wait_until(lambda: self.subjects().count("large") == 2, "the second mail")
        # Mail without a declared size is taken while a byte is free, and then waits.
        with smtplib.SMTP("127.0.0.1", self.node.ports["smtp"]) as client:
            client.ehlo()
            client.mail("you@example.org")
            self.assertEqual(client.rcpt(ALICE)[0], 250)
            self.assertEqual(client.data(LARGE)[0], 250)
        listed = lambda: self.node.run("queue", "list", "--by", "destination").stdout
        wait_until(lambda: "4.2.2 the mailbox is full" in listed(), "the reason")
        self.node.run("user", "quota", ALICE, "--bytes", "1MiB")
        wait_until(lambda: self.subjects().count("large") == 3, "the mail that waited")

    def test_reject_sends_mail_back_at_once(self):
        self.edit("[quota]", '[quota]\nwhen_full = "reject"')
        self.send([ALICE])
        self.send([ALICE])
        with self.assertRaises(smtplib.SMTPRecipientsRefused) as refused:
            self.send([ALICE])
        self.assertEqual(refused.exception.recipients[ALICE][0], 552)
        # Declares no size, and comes through the queue: its sender, who has a mailbox here, is told.
        self.edit("[smtp]", '[smtp]\npath = "queue"')
        with smtplib.SMTP("127.0.0.1", self.node.ports["smtp"]) as client:
            client.ehlo()
            client.mail(BOB)
            self.assertEqual(client.rcpt(ALICE)[0], 250)
            self.assertEqual(client.data(LARGE)[0], 250)
        wait_until(lambda: "Your mail could not be delivered" in self.subjects(BOB), "the notice")

    def test_the_operator_sees_and_sets_quotas(self):
        self.send([ALICE])
        shown = json.loads(self.node.run("user", "quota", ALICE, "--json").stdout)
        self.assertEqual((shown["bytes_max"], shown["own_bytes_max"], shown["mails"]), (LIMIT, False, 1))
        self.node.run("user", "quota", ALICE, "--bytes", "none", "--mails", "1")
        listed = self.node.run("user", "list").stdout
        self.assertRegex(listed, r"alice@example.test +1 +\S+ KiB +1 mails +100%")
        with self.assertRaises(smtplib.SMTPRecipientsRefused):
            self.send([ALICE])
        self.node.run("user", "quota", ALICE, "--bytes", "default", "--mails", "default")
        self.send([ALICE])
        self.edit(f'bytes = "{LIMIT}"', 'bytes = "1KiB"')
        self.assertIn("(as configured)", self.node.run("user", "quota", ALICE).stdout)
        with self.assertRaises(smtplib.SMTPRecipientsRefused):
            self.send([ALICE], message("small"))
        self.assertEqual(self.metric("posthorn_accounts_full"), 1)

    def test_usage_and_warnings_survive_a_kill(self):
        for _ in range(5):
            with self.login() as client:
                client.store("1:*", "+FLAGS", "\\Deleted")
                client.expunge()
            self.send([ALICE])
            self.send([ALICE])
            self.node.kill()
            self.node.start()
            wait_until(lambda: len(self.subjects()) >= 3, "the warning")
            self.assertEqual(len(self.subjects()), 3, "one warning")
            with self.login() as client:
                _, found = client.fetch("1:*", "(RFC822.SIZE)")
                size = sum(int(line.decode().rstrip(")").split()[-1]) for line in found)
            shown = json.loads(self.node.run("user", "quota", ALICE, "--json").stdout)
            self.assertEqual((shown["bytes"], shown["mails"]), (size, 3))

    def test_curl_asks_for_the_quota(self):
        done = subprocess.run(["curl", "-sS", f"imap://127.0.0.1:{self.node.ports['imap']}/", "-u", f"{ALICE}:posthorn",
                               "-X", "GETQUOTAROOT INBOX"], check=True, capture_output=True)
        self.assertIn(b'* QUOTAROOT INBOX ""\r\n* QUOTA "" (STORAGE 0 100)', done.stdout)


if __name__ == "__main__":
    unittest.main()
