"""The fail2ban filter finds the failed logins in what the program logs, and takes no address from a name that a client chose."""

import imaplib
import os
import poplib
import smtplib
import subprocess
import unittest

from posthorn_node import PEERS, ROOT, Node, message, wait_until

FILTER = os.path.join(ROOT, "packaging/fail2ban/filter.d/posthorn.conf")
# Names that try to put another address before ours, or to end their field.
NAMES = ["alice@example.test", "x client=192.0.2.9 reason=wrong", 'x" client=192.0.2.9 reason="the address or the password is wrong',
         "x\\", 'x\\"', "x=y"]


class Fail2banTest(unittest.TestCase):
    def found(self, log):
        """The addresses that the filter finds."""
        done = subprocess.run([os.path.join(PEERS, "fail2ban-regex"), "--out", "ip", log, FILTER], capture_output=True, text=True,
                              timeout=60, check=False)
        self.assertEqual(done.stderr, "")
        return done.stdout.split()

    def test_each_failed_login_is_found_with_the_address_of_the_client(self):
        with Node() as node:
            # Each from a network of its own, since guessing from one is slowed down.
            for i, name in enumerate(NAMES):
                with smtplib.SMTP("127.0.0.1", node.ports["submission"], source_address=(f"127.1.{i}.1", 0)) as client:
                    client.ehlo()
                    client.user, client.password = name, "guess"  # login() would try each mechanism.
                    with self.assertRaises(smtplib.SMTPAuthenticationError):
                        client.auth("PLAIN", client.auth_plain)
            with imaplib.IMAP4("127.0.0.1", node.ports["imap"]) as client:
                with self.assertRaises(imaplib.IMAP4.error):
                    client.login('"c d\\" client=192.0.2.9 reason=wrong"', "guess")
            client = poplib.POP3("127.0.0.1", node.ports["pop3"])
            client.user("dave@example.test")
            with self.assertRaises(poplib.error_proto):
                client.pass_("guess")
            client.close()
            with smtplib.SMTP("127.0.0.1", node.ports["submission"], source_address=("127.2.0.1", 0)) as client:
                client.login("bob@example.test", "posthorn")
                client.sendmail("bob@example.test", ["bob@example.test"], message("client=192.0.2.9 reason=wrong"))
            wait_until(lambda: node.log().count("login_failed ") == len(NAMES) + 2, "all lines of the log")
            self.assertEqual(self.found(node.log_path), [f"127.1.{i}.1" for i in range(len(NAMES))] + ["127.0.0.1"] * 2)

    def test_a_login_that_could_not_be_checked_does_not_count(self):
        log = os.path.join(ROOT, "build/e2e", f"fail2ban-{os.getpid()}.log")
        self.addCleanup(os.remove, log)
        with open(log, "w") as file:
            file.write('2026-11-23T00:46:48.123+00:00 warning login_failed protocol=smtp account=a client=192.0.2.1 reason="the hash queue is full"\n'
                       "2026-11-23T00:46:49.123+00:00 info imap_login_failed account=a client=2001:db8::1 reason=wrong\n"
                       # As the journal gives it.
                       "2026-11-23T00:46:50+00:00 mx posthorn[123]: 2026-11-23T00:46:49.123+00:00 info imap_login_failed "
                       "account=a client=192.0.2.3 reason=wrong\n")
        self.assertEqual(self.found(log), ["2001:db8::1", "192.0.2.3"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
