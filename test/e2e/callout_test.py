"""A gateway that asks: unknown recipients of a relay domain are refused at RCPT, by the word of the server behind."""

import smtplib
import unittest

from posthorn_node import Node, free_port, message, wait_until
from remote_server import RemoteServer


def gateway(port, extra=""):
    return Node(mail='relay_domains = ["relay.test"]', deliver=f'routes = ["relay.test smtp:127.0.0.1:{port}"]\nconnect_timeout = 1',
                auth=f"[callout]\nrelay_domains = true\n{extra}")


class Client:
    """One transaction from a stranger."""

    def __init__(self, node):
        self.smtp = smtplib.SMTP("127.0.0.1", node.ports["smtp"])
        self.smtp.helo("client.remote.test")
        self.smtp.mail("sender@remote.test")

    def rcpt(self, address):
        code, words = self.smtp.rcpt(address)
        return code, words.decode()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.smtp.close()


def callouts(node):
    """The lines of the log, in order."""
    return [line for line in node.log().splitlines() if " callout " in line]


class CalloutTest(unittest.TestCase):
    def test_the_server_behind_decides_and_is_asked_once(self):
        with RemoteServer() as behind, gateway(behind.port) as node:
            for _ in range(3):
                with Client(node) as client:
                    code, words = client.rcpt("no-body@relay.test")
                    self.assertEqual(code, 550, words)
                    self.assertIn("5.1.1 The server of this address refuses it", words)
                    self.assertEqual(client.rcpt("somebody@relay.test")[0], 250)
            self.assertEqual(len(callouts(node)), 2, callouts(node))
            self.assertEqual(behind.mails, [])
            with smtplib.SMTP("127.0.0.1", node.ports["smtp"]) as client:
                client.sendmail("sender@remote.test", ["somebody@relay.test"], message("through"))
            wait_until(lambda: behind.accepted("somebody@relay.test") == 1, "the mail is behind the gateway")
            # Nothing is left that could become a bounce.
            self.assertNotIn("no-body", node.run("queue", "list").stdout)

    def test_what_is_known_holds_while_the_server_is_down(self):
        with gateway(free_port()) as node:
            with Client(node) as client:
                code, words = client.rcpt("somebody@relay.test")
                self.assertEqual(code, 451, words)
                self.assertIn("4.4.1", words)
                self.assertEqual(client.rcpt("alice@example.test")[0], 250)
        behind = RemoteServer()
        with gateway(behind.port) as node:
            with behind, Client(node) as client:
                self.assertEqual(client.rcpt("somebody@relay.test")[0], 250)
            with Client(node) as client:
                self.assertEqual(client.rcpt("somebody@relay.test")[0], 250)
                self.assertEqual(client.rcpt("another@relay.test")[0], 451)

    def test_a_server_that_hangs_holds_up_nobody_else(self):
        with RemoteServer("hang") as behind, gateway(behind.port, "deadline = 2") as node:
            with Client(node) as waits, Client(node) as other:
                waits.smtp.putcmd("RCPT TO:<somebody@relay.test>")
                self.assertEqual(other.rcpt("alice@example.test")[0], 250)
                self.assertEqual(callouts(node), [])
                code, words = waits.smtp.getreply()
                self.assertEqual(code, 451, words)
            self.assertIn("result=no_answer", callouts(node)[0])

    def test_a_tempfail_is_no_refusal_and_by_option_no_obstacle(self):
        with RemoteServer("tempfail") as behind:
            with gateway(behind.port) as node, Client(node) as client:
                self.assertEqual(client.rcpt("somebody@relay.test")[0], 451)
            with gateway(behind.port, 'without_answer = "accept"') as node, Client(node) as client:
                self.assertEqual(client.rcpt("somebody@relay.test")[0], 250)

    def test_our_users_are_not_kept_waiting(self):
        with gateway(free_port()) as node, smtplib.SMTP("127.0.0.1", node.ports["submission"]) as client:
            client.login("alice@example.test", "posthorn")
            client.mail("alice@example.test")
            self.assertEqual(client.rcpt("somebody@relay.test")[0], 250)
            self.assertEqual(callouts(node), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
