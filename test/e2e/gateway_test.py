"""Posthorn as a gateway before servers that others run: Debian's Dovecot behind it over LMTP, Postfix behind it over SMTP. Mail comes in from
outside for both their domains; who exists there stands in files. A ledger says what became of every recipient of every mail."""

import email
import os
import random
import signal
import smtplib
import unittest

import dovecot_server
import postfix_server
from posthorn_node import Node, wait_until
from remote_server import RemoteServer

SENDER = "you@outside.test"
# Known in both lists and behind; in our lists only; nobody's.
DOVECOT_USERS = [f"user{n}@behind.test" for n in range(4)]
POSTFIX_USERS = [f"user{n}@bench.test" for n in range(4)]
FULL = "full@behind.test"
GHOSTS = ["ghost@behind.test", "ghost@bench.test"]
# What a server may put above a mail.
TRACE_FIELDS = {"received", "return-path", "delivered-to", "x-original-to"}


def text(number, size=0):
    """A mail with what is easily damaged on the way: its bytes are to arrive as they are."""
    head = (f"From: You <{SENDER}>\r\nTo: some of you:;\r\nMessage-ID: <{number}@outside.test>\r\nDate: Tue, 3 Mar 2026 09:00:00 +0100\r\n"
            f"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n nr {number}\r\nX-Odd:   two  blanks\t\r\nMIME-Version: 1.0\r\n"
            "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n")
    body = "Grüße.\r\n.\r\n..dots\r\n From here, From there\r\nFrom here\r\nblanks at the end  \t\r\n" + "x" * 998 + "\r\n\r\n\r\n"
    return (head + body).encode() + b"0123456789 abcdef\r\n" * (size // 19) + b"\r\n"


class Gateway:
    """The node, both servers behind it, and the sender's own server, which gets the bounces. Use as a context manager."""

    def __init__(self, test):
        self.outside = test.enterContext(RemoteServer())
        self.dovecot = test.enterContext(dovecot_server.DovecotBehind(DOVECOT_USERS, full=[FULL]))
        self.postfix = test.enterContext(postfix_server.PostfixServer())
        self.recipients = os.path.join(self.dovecot.folder, "recipients")
        self.list_recipients([*DOVECOT_USERS, *POSTFIX_USERS, FULL, *GHOSTS])
        routes = [f"behind.test lmtp:{self.dovecot.lmtp}", f"bench.test smtp:127.0.0.1:{self.postfix.port}", f"outside.test smtp:127.0.0.1:{self.outside.port}"]
        self.node = test.enterContext(Node(mail=f'relay_domains = ["behind.test", "bench.test"]\nrelay_recipient_files = ["{self.recipients}"]',
                                           deliver=f"routes = {routes}".replace("'", '"'), queue="retry_min = 2"))

    def list_recipients(self, addresses):
        with open(self.recipients, "w") as file:
            file.writelines(f"{address}\n" for address in addresses)

    def send(self, recipients, mail, sender=SENDER):
        """As any server outside does. Returns recipient -> code of RCPT; the mail is sent if there is one that is taken."""
        with smtplib.SMTP("127.0.0.1", self.node.ports["smtp"], timeout=60) as client:
            client.ehlo("outside.test")
            assert client.mail(sender, ["BODY=8BITMIME"])[0] == 250
            codes = {recipient: client.rcpt(recipient)[0] for recipient in recipients}
            if 250 in codes.values():
                assert client.data(mail)[0] == 250
        return codes

    def mails(self, recipient):
        """What lies in a mailbox behind."""
        return (self.dovecot if recipient.endswith("@behind.test") else self.postfix).mails(recipient)

    def bounced(self):
        """(Message-ID of the mail, recipient, status) of every failure in every bounce that the sender got."""
        found = []
        for bounce in [email.message_from_bytes(taken.text) for taken in list(self.outside.mails)]:
            assert bounce.get_content_type() == "multipart/report", bounce
            status, original = bounce.get_payload()[1:]
            for fields in status.get_payload()[1:]:
                assert fields["Action"] == "failed", fields
                returned = original.get_payload()
                about = returned[0] if isinstance(returned, list) else email.message_from_string(returned)
                found.append((about["Message-ID"], fields["Final-Recipient"].split(";")[1].strip(), fields["Status"]))
        return found

    def queue_by_destination(self):
        return self.node.run("queue", "list", "--by", "destination").stdout

    def wait_until_sent(self):
        wait_until(lambda: "the queue is empty" in self.node.run("queue", "list").stdout, "all mail is sent", seconds=150)


@unittest.skipIf(dovecot_server.why_not(), dovecot_server.why_not())
@unittest.skipIf(postfix_server.why_not(), postfix_server.why_not())
class GatewayTest(unittest.TestCase):
    def setUp(self):
        self.gateway = Gateway(self)

    def assert_arrived_as_it_came(self, stored, mail):
        """Above what was sent there are trace fields and nothing else."""
        self.assertTrue(stored.endswith(mail), f"{stored[-len(mail):]!r} is not what was sent")
        above = email.message_from_bytes(stored[: -len(mail)] + b"\r\n")
        self.assertLessEqual({name.lower() for name in above.keys()}, TRACE_FIELDS)
        self.assertIn(b"by mx.example.test", stored[: -len(mail)])
        self.assertEqual(above.get_payload(), "")

    def assert_mailboxes(self, ledger):
        """`ledger`: recipient -> the mails it is to have, each once."""
        for recipient in [*DOVECOT_USERS, *POSTFIX_USERS]:
            expected = ledger.get(recipient, [])
            stored = self.gateway.mails(recipient)
            with self.subTest(recipient=recipient):
                self.assertEqual(len(stored), len(expected))
                for mail in expected:
                    self.assert_arrived_as_it_came(next(each for each in stored if each.endswith(mail)), mail)

    def test_known_recipients_get_what_was_sent_and_others_are_refused_at_rcpt(self):
        seed = int.from_bytes(os.urandom(4), "little")
        print(f"seed {seed}")
        choice = random.Random(seed)
        unknown = ["nobody@behind.test", "nobody@bench.test", "user0@elsewhere.test"]
        ledger = {}
        for number in range(40):
            recipients = choice.sample([*DOVECOT_USERS, *POSTFIX_USERS, *unknown], choice.choice((1, 2, 5)))
            mail = text(number, choice.choice((0, 0, 5_000, 400_000)))
            codes = self.gateway.send(recipients, mail)
            self.assertEqual(codes, {recipient: 550 if recipient in unknown else 250 for recipient in recipients})
            for recipient in set(recipients) - set(unknown):
                ledger.setdefault(recipient, []).append(mail)
        self.gateway.wait_until_sent()
        self.assert_mailboxes(ledger)
        self.assertEqual(self.gateway.outside.mails, [], "refused at RCPT and yet somebody was told by mail")

    def test_a_recipient_that_is_new_behind_is_taken_after_a_reload(self):
        new = POSTFIX_USERS[0]
        self.gateway.list_recipients(DOVECOT_USERS)
        self.gateway.node.process.send_signal(signal.SIGHUP)
        wait_until(lambda: self.gateway.send([new], text(0))[new] == 550, "it is no longer listed")
        before = len(self.gateway.mails(new))
        self.gateway.list_recipients([*DOVECOT_USERS, new])
        self.gateway.node.process.send_signal(signal.SIGHUP)
        wait_until(lambda: self.gateway.send([new], text(1))[new] == 250, "it is listed again")
        wait_until(lambda: len(self.gateway.mails(new)) > before, "its mail", seconds=60)

    def take_down(self):
        self.gateway.dovecot.stop()
        self.gateway.postfix.stop()

    def bring_back(self):
        self.gateway.dovecot.start()
        self.gateway.postfix.start()

    def send_to_all(self, ledger, number):
        self.assertEqual(set(self.gateway.send(list(ledger), text(number)).values()), {250})
        for mails in ledger.values():
            mails.append(text(number))

    def wait_until_told(self, *why):
        """`queue list --by destination` says this of both."""
        hops = (f"lmtp:{self.gateway.dovecot.lmtp[:20]}", f"smtp:127.0.0.1:{self.gateway.postfix.port}")

        def are_told():
            lines = [line for line in self.gateway.queue_by_destination().splitlines() if line.startswith(hops)]
            return len(lines) == 2 and all(word in line for word, line in zip(why, sorted(lines)))

        wait_until(are_told, f"`queue list --by destination` says why: {why}", seconds=60)

    def test_mail_waits_while_the_servers_behind_are_down_and_arrives_when_they_are_back(self):
        ledger = {recipient: [] for recipient in (*DOVECOT_USERS[:2], *POSTFIX_USERS[:2])}
        self.send_to_all(ledger, 0)
        self.gateway.wait_until_sent()
        # One mail waits: it is tried again by itself.
        self.take_down()
        self.send_to_all(ledger, 1)
        self.wait_until_told("nobody listens there", "Connection refused")
        self.bring_back()
        self.gateway.wait_until_sent()
        self.assert_mailboxes(ledger)
        # After three attempts in a row that failed the destination is left alone for a minute, or until the operator says so.
        self.take_down()
        for number in (2, 3, 4):
            self.send_to_all(ledger, number)
        self.wait_until_told("paused", "paused")
        self.wait_until_told("nobody listens there", "Connection refused")
        self.bring_back()
        self.gateway.node.run("queue", "flush")
        self.gateway.wait_until_sent()
        self.assert_mailboxes(ledger)
        self.assertEqual(self.gateway.outside.mails, [], "mail that only waited was told as a failure")

    def test_who_is_refused_behind_bounces_once_and_the_others_have_their_mail_once(self):
        refused = {GHOSTS[0]: "5.1.1", GHOSTS[1]: "5.1.1", FULL: "5.2.2"}
        ledger, failures = {}, []
        for number in range(5):
            mail = text(number, 20_000)
            taken = [DOVECOT_USERS[number % 4], POSTFIX_USERS[number % 4]]
            codes = self.gateway.send([*taken, *refused], mail)
            self.assertEqual(set(codes.values()), {250})
            for recipient in taken:
                ledger.setdefault(recipient, []).append(mail)
            failures += [(f"<{number}@outside.test>", recipient, status) for recipient, status in refused.items()]
        wait_until(lambda: len(self.gateway.bounced()) >= len(failures), "the bounces", seconds=60)
        self.gateway.wait_until_sent()
        self.assertEqual(sorted(self.gateway.bounced()), sorted(failures))
        self.assert_mailboxes(ledger)
        self.assertEqual({mail.sender for mail in self.gateway.outside.mails}, {""})


if __name__ == "__main__":
    unittest.main(verbosity=2)
