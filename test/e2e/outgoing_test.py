"""Mail to other servers: next hops that tempfail, hang, refuse one recipient of three, cut the connection at each step and lie about what they
can; a ledger of every recipient's fate. Then smtp-sink, and a second node of ours."""

import os
import smtplib
import subprocess
import sys
import time
import unittest
import urllib.request

from outgoing_mail import inbox, queue_is_empty, reports, submit
from posthorn_node import PEERS, Node, free_port, message, wait_until
from remote_server import STEPS, RemoteServer

RETRY = "retry_min = 1"


def node_with(routes, **sections):
    """A node that sends the mail of each domain where `routes` says."""
    listed = ", ".join(f'"{domain} {hop}"' for domain, hop in routes.items())
    return Node(deliver=f"routes = [{listed}]", queue=RETRY, **sections)


def hop(remote):
    return f"smtp:127.0.0.1:{remote.port}"


class Outgoing(unittest.TestCase):
    def test_every_cut_of_the_dialogue_is_survived(self):
        remotes = {step: RemoteServer("cut", step=step, times=1) for step in STEPS}
        try:
            for remote in remotes.values():
                remote.__enter__()
            with node_with({f"{step}.test": hop(remote) for step, remote in remotes.items()}) as node:
                for step in STEPS:
                    submit(node, [f"a@{step}.test", f"b@{step}.test"])
                wait_until(lambda: queue_is_empty(node), "all mail is sent", seconds=60)
            for step, remote in remotes.items():
                for recipient in (f"a@{step}.test", f"b@{step}.test"):
                    with self.subTest(step=step, recipient=recipient):
                        self.assertEqual(remote.accepted(recipient), 1)
                        # Cut before the answer to the last byte: only then may the next hop have it twice (RFC 1047).
                        self.assertEqual(remote.taken(recipient), 2 if step == "end" else 1)
        finally:
            for remote in remotes.values():
                remote.__exit__()

    def test_one_refused_of_three_bounces_and_the_others_arrive(self):
        with RemoteServer() as remote, node_with({"far.test": hop(remote)}) as node:
            submit(node, ["one@far.test", "no-two@far.test", "three@far.test"])
            wait_until(lambda: reports(node), "the bounce arrives")
            self.assertEqual(reports(node), [("no-two@far.test", "failed", "5.1.1")])
            self.assertEqual([remote.accepted(f"{who}@far.test") for who in ("one", "no-two", "three")], [1, 0, 1])
            self.assertTrue(queue_is_empty(node))
            bounce = inbox(node)[0]
            self.assertIn("No such user", bounce.as_string())
            self.assertEqual(bounce["Auto-Submitted"], "auto-replied")
            metrics = urllib.request.urlopen(f"http://127.0.0.1:{node.ports['http']}/metrics", timeout=10).read().decode().splitlines()
            for line in ('posthorn_deliveries_total{to="next_hop",outcome="delivered"} 2', 'posthorn_deliveries_total{to="next_hop",outcome="rejected"} 1',
                         'posthorn_deliveries_total{to="mailbox",outcome="delivered"} 1', 'posthorn_notices_total{action="failed"} 1',
                         'posthorn_next_hop_connections_total{kind="opened"} 1', 'posthorn_queue_destinations{state="open"} 0'):
                self.assertIn(line, metrics)

    def test_a_next_hop_that_says_later_gets_the_mail_later(self):
        for behaviour in ("tempfail", "busy"):
            with self.subTest(behaviour=behaviour), RemoteServer(behaviour, times=2) as remote, node_with({"far.test": hop(remote)}) as node:
                submit(node, ["one@far.test"])
                wait_until(lambda: remote.accepted("one@far.test") == 1, "the mail arrives", seconds=30)
                wait_until(lambda: queue_is_empty(node), "the outcome is recorded")
                self.assertEqual(reports(node), [])

    def test_a_next_hop_that_hangs_does_not_slow_another(self):
        with RemoteServer("hang") as hanging, RemoteServer() as remote, node_with({"slow.test": hop(hanging), "far.test": hop(remote)}) as node:
            for number in range(50):
                submit(node, [f"r{number}@slow.test"])
            wait_until(lambda: hanging.open_now > 0, "the hanging one is tried")
            began = time.monotonic()
            for number in range(50):
                submit(node, [f"r{number}@far.test"])
            wait_until(lambda: all(remote.accepted(f"r{n}@far.test") == 1 for n in range(50)), "the others arrive", seconds=10)
            print(f"50 mails in {time.monotonic() - began:.2f} s beside a next hop that hangs")

    def test_a_next_hop_that_lies_about_its_extensions_gets_the_mail(self):
        with RemoteServer("liar") as remote, node_with({"far.test": hop(remote)}) as node:
            submit(node, ["one@far.test"])
            wait_until(lambda: remote.accepted("one@far.test") == 1, "the mail arrives", seconds=30)
            wait_until(lambda: queue_is_empty(node), "the outcome is recorded")

    def test_what_is_sent_is_what_came(self):
        body = "".join(f"{'.' * (n % 4)}line {n}\r\n" for n in range(3000))
        with RemoteServer() as remote, node_with({"far.test": hop(remote)}) as node:
            submit(node, ["one@far.test"], message("dots", body))
            wait_until(lambda: remote.accepted("one@far.test") == 1, "the mail arrives")
            self.assertTrue(remote.mails[0].text.decode().endswith("\r\n\r\n" + body))
            self.assertTrue(remote.mails[0].text.startswith(b"Received: "))

    def test_nobody_relays_without_logging_in(self):
        with RemoteServer() as remote, node_with({"far.test": hop(remote)}) as node:
            with smtplib.SMTP("127.0.0.1", node.ports["smtp"]) as client:
                client.ehlo()
                client.mail("you@example.org")
                code, _ = client.rcpt("one@far.test")
                self.assertEqual(code // 100, 5)

    def test_a_second_node_of_ours(self):
        with Node(domain="second.test") as second, node_with({"second.test": f"smtp:127.0.0.1:{second.ports['smtp']}"}) as node:
            submit(node, ["alice@second.test", "nobody@second.test", "bob@second.test"])
            wait_until(lambda: reports(node), "the bounce arrives")
            self.assertEqual(reports(node), [("nobody@second.test", "failed", "5.1.1")])
            for user in ("alice@second.test", "bob@second.test"):
                wait_until(lambda user=user: len(inbox(second, user)) == 1, f"the mail of {user}")
            self.assertTrue(queue_is_empty(node))

    def test_smtp_sink_takes_all(self):
        port = free_port()
        user = ["-u", "daemon"] if os.geteuid() == 0 else []  # It refuses to run as root.
        sink = subprocess.Popen([os.path.join(PEERS, "smtp-sink"), *user, f"127.0.0.1:{port}", "100"])
        try:
            with node_with({"far.test": f"smtp:127.0.0.1:{port}"}) as node:
                for number in range(200):
                    submit(node, [f"r{number}@far.test"])
                wait_until(lambda: queue_is_empty(node), "all mail is sent")
                self.assertEqual(reports(node), [])
        finally:
            sink.terminate()
            sink.wait()


if __name__ == "__main__":
    sys.exit(unittest.main())
