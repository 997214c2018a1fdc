"""`posthorn trace` with the real program: direct delivery, a next hop that says later and then takes the mail, a bounce, a removal; all of it after
kill -9 and after a restart; its options, errors, and --json."""

import datetime
import json
import smtplib
import sys
import time
import unittest

from outgoing_test import hop, node_with, queue_is_empty, submit
from posthorn_node import Node, message, wait_until
from remote_server import RemoteServer


def trace(node, *arguments):
    return node.run("trace", *arguments).stdout


def traced(node, *arguments):
    return [json.loads(line) for line in node.run("trace", *arguments, "--json").stdout.splitlines()]


def kill_and_start(node):
    node.kill()
    node.start()


class Trace(unittest.TestCase):
    def test_direct_delivery_is_told_at_once_after_kill_9_and_after_a_restart(self):
        with Node() as node:
            with smtplib.SMTP("127.0.0.1", node.ports["smtp"]) as client:
                client.sendmail("you@example.org", ["alice@example.test"], message("direct"))
            for again in (None, kill_and_start, lambda node: (node.stop(), node.start())):
                if again is not None:
                    again(node)
                (mail,) = traced(node, "alice@example.test")
                self.assertEqual((mail["path"], mail["sender"], mail["client_ip"]), ("direct", "you@example.org", "127.0.0.1"))
                self.assertEqual([(one["address"], one["now"]) for one in mail["recipients"]], [("alice@example.test", "delivered")])
                self.assertIn(f" id {mail['mail_id']} ", node.log().replace("id=", " id ").replace('"', " "))
                text = trace(node, mail["mail_id"])
                self.assertIn("accepted from 127.0.0.1", text)
                self.assertIn("now: alice@example.test: in the mailbox INBOX", text)

    def test_a_next_hop_that_says_later_is_quoted_with_its_words(self):
        with RemoteServer("tempfail", times=1) as remote, node_with({"far.test": hop(remote)}) as node:
            submit(node, ["one@far.test"])
            wait_until(lambda: "451" in trace(node, "--to", "one@far.test"), "the first attempt is told")
            kill_and_start(node)
            wait_until(lambda: remote.accepted("one@far.test") == 1, "the mail arrives", seconds=30)
            wait_until(lambda: queue_is_empty(node), "the outcome is recorded")
            kill_and_start(node)
            (mail,) = traced(node, "--from", "alice@example.test", "--to", "@far.test", "--since", "1h")
            self.assertEqual(mail["account"], "alice@example.test")
            attempts = [event["recipients"][0] for event in mail["events"] if event["event"] == "attempt"]
            self.assertGreaterEqual(len(attempts), 2)
            self.assertEqual(attempts[0]["state"], "waiting")
            self.assertIn("451 4.7.1 Greylisted, try again later", attempts[0]["answer"])
            self.assertIn(f"127.0.0.1]:{remote.port}", attempts[0]["relay"])
            self.assertEqual(attempts[-1]["state"], "delivered")
            self.assertEqual(mail["recipients"][0]["now"], "delivered")
            text = trace(node, mail["queue_id"])
            self.assertIn("deferred at", text)
            self.assertIn("delivered to", text)

    def test_a_mail_that_waits_says_for_what_and_why(self):
        with RemoteServer("tempfail") as remote, node_with({"far.test": hop(remote)}, smtp="") as node:
            submit(node, ["one@far.test"])
            wait_until(lambda: "Greylisted" in trace(node, "one@far.test"), "the attempt is told")
            text = trace(node, "one@far.test")
            self.assertRegex(text, r"now: one@far\.test: (waits|is being delivered)")
            (mail,) = traced(node, "one@far.test")
            node.run("queue", "hold", mail["queue_id"])
            self.assertIn("now: one@far.test: held", trace(node, "one@far.test"))
            node.run("queue", "remove", mail["queue_id"], "--yes")
            kill_and_start(node)
            text = trace(node, "one@far.test")
            self.assertIn("operator: hold", text)
            self.assertIn("operator: remove", text)
            self.assertIn("now: one@far.test: removed by an operator", text)

    def test_a_bounce_and_its_notice_name_each_other(self):
        with RemoteServer() as remote, node_with({"far.test": hop(remote)}) as node:
            submit(node, ["no-one@far.test"])
            wait_until(lambda: "bounced" in trace(node, "no-one@far.test"), "the bounce is told")
            wait_until(lambda: queue_is_empty(node), "the notice is delivered")
            (mail,) = traced(node, "no-one@far.test")
            notice_id = [event["notice"] for event in mail["events"] if "notice" in event][0]
            (notice,) = traced(node, notice_id)
            self.assertEqual(notice["notice_about"], mail["queue_id"])
            self.assertEqual(notice["recipients"][0]["now"], "delivered")
            self.assertIn("550 5.1.1 No such user", trace(node, mail["mail_id"]))

    def test_options_and_errors(self):
        with Node() as node:
            with smtplib.SMTP("127.0.0.1", node.ports["smtp"]) as client:
                for number in range(5):
                    client.sendmail(f"s{number}@example.org", ["alice@example.test"], message(f"number {number}"))
            self.assertEqual([mail["sender"] for mail in traced(node, "--to", "alice@example.test", "--limit", "2")],
                             ["s4@example.org", "s3@example.org"])
            self.assertIn("there are more", trace(node, "--to", "alice@example.test", "--limit", "2"))
            self.assertEqual(len(traced(node, "--since", "1h")), 5)
            self.assertEqual(len(traced(node, "--from", "example.org", "--since", f"{datetime.date.today()}")), 5)
            self.assertEqual(traced(node, "--until", "2h"), [])
            self.assertIn("the history has no such mail", trace(node, "nobody@example.test"))
            for arguments, sentence in ((("--since", "yesterday"), "is no time"), ((), "say which mails")):
                failed = node.run("trace", *arguments, check=False)
                self.assertEqual(failed.returncode, 1)
                self.assertIn(sentence, failed.stderr)

    def test_without_a_history_it_says_what_to_do(self):
        with Node(top="[history]\nkeep_days = 0") as node:
            failed = node.run("trace", "alice@example.test", check=False)
            self.assertEqual(failed.returncode, 1)
            self.assertIn("history.keep_days", failed.stderr)

    def test_every_mail_of_a_killed_node_is_told_once(self):
        with Node() as node:
            sent = 0
            for _ in range(5):
                with smtplib.SMTP("127.0.0.1", node.ports["smtp"]) as client:
                    for _ in range(100):
                        sent += 1
                        recipients = ["alice@example.test", "bob@example.test"] if sent % 4 == 0 else ["alice@example.test"]
                        client.sendmail(f"s{sent}@example.org", recipients, message(f"number {sent}"))
                kill_and_start(node)
                began = time.monotonic()
                mails = traced(node, "--since", "1h", "--limit", "1000")
                print(f"{len(mails)} mails told in {time.monotonic() - began:.2f} s")
                senders = sorted(mail["sender"] for mail in mails)
                self.assertEqual(senders, sorted(f"s{number}@example.org" for number in range(1, sent + 1)))


if __name__ == "__main__":
    sys.exit(unittest.main())
