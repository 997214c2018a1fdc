"""SIGHUP changes what can be changed without ending a connection; systemd is told how the node does."""

import imaplib
import os
import signal
import smtplib
import socket
import ssl
import subprocess
import tempfile
import unittest

from posthorn_node import Node, message, wait_until

ALICE = "alice@example.test"


def make_certificate(folder, name):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                    "-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem"], check=True, capture_output=True)


def name_of(client):
    """The common name of the certificate that a TLS client got, unverified as it is."""
    der = client.socket().getpeercert(binary_form=True)
    done = subprocess.run(["openssl", "x509", "-inform", "DER", "-noout", "-subject"], input=der, capture_output=True, check=True)
    return done.stdout.decode().rpartition("=")[2].strip()


class ReloadTest(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.certificates = scratch.name
        make_certificate(scratch.name, "old.example.test")
        self.node = Node(smtp=f'path = "auto"\n[tls]\ncertificate = "{scratch.name}/cert.pem"\nkey = "{scratch.name}/key.pem"')
        self.addCleanup(self.node.__exit__)
        self.node.start()
        self.context = ssl._create_unverified_context()  # pylint: disable=protected-access

    def reload(self, event):
        before = self.node.log().count(f" {event} ")
        os.kill(self.node.pid, signal.SIGHUP)
        wait_until(lambda: self.node.log().count(f" {event} ") > before, f"a line {event}")

    def edit(self, old, new):
        with open(self.node.config) as file:
            text = file.read()
        self.assertIn(old, text)
        with open(self.node.config, "w") as file:
            file.write(text.replace(old, new))

    def connect(self):
        return imaplib.IMAP4_SSL("127.0.0.1", self.node.ports["imaps"], ssl_context=self.context)

    def test_a_new_certificate_is_for_new_connections_and_old_ones_go_on(self):
        kept = self.connect()
        kept.login(ALICE, "posthorn")
        kept.select("INBOX")
        self.assertEqual(name_of(kept), "old.example.test")
        make_certificate(self.certificates, "new.example.test")
        self.reload("reloaded")
        with self.connect() as fresh:
            self.assertEqual(name_of(fresh), "new.example.test")
        with smtplib.SMTP("127.0.0.1", self.node.ports["smtp"]) as client:
            client.sendmail("you@example.org", [ALICE], message("after"))
        self.assertEqual(kept.noop()[0], "OK")
        self.assertEqual(kept.search(None, "SUBJECT", "after")[1], [b"1"])
        kept.logout()

    def test_a_bad_file_leaves_everything_as_it_was(self):
        with open(self.certificates + "/cert.pem", "w") as file:
            file.write("damaged")
        self.edit('domains = ["example.test"]', 'domains = ["example.test", "other.test"]')
        self.reload("reload_failed")
        self.assertIn("usable PEM certificate", self.node.log())
        with self.connect() as fresh:
            self.assertEqual(name_of(fresh), "old.example.test")
        refused = self.node.run("user", "add", "x@other.test", "--password-stdin", stdin="x\n", check=False)
        self.assertIn("not a domain of this node", refused.stderr)
        self.edit("hostname", "hots_name")
        self.reload("reload_failed")
        self.assertIn("there is no such key", self.node.log())

    def test_settings_change_for_connections_that_are_open(self):
        with smtplib.SMTP("127.0.0.1", self.node.ports["smtp"]) as client:
            client.ehlo()
            client.mail("you@example.org")
            self.assertEqual(client.rcpt("x@other.test")[0] // 100, 5)
            self.edit('domains = ["example.test"]', 'domains = ["example.test", "other.test"]')
            self.edit('size = "512MiB"', 'size = "1GiB"')
            self.reload("reload_needs_restart")
            self.assertIn("reloaded changed=mail.domains", self.node.log())
            self.assertIn("key=volume.size", self.node.log())
            self.node.run("user", "add", "x@other.test", "--password-stdin", stdin="secret\n")
            self.assertEqual(client.rcpt("x@other.test")[0], 250)

    def test_the_log_level_changes(self):
        self.edit('data_folder', 'log.level = "error"\ndata_folder')
        self.reload("reloaded")
        with smtplib.SMTP("127.0.0.1", self.node.ports["smtp"]) as client:
            client.sendmail("you@example.org", [ALICE], message("unlogged"))
        self.assertEqual(self.node.stop(), 0)
        self.assertNotIn(" mail_accepted ", self.node.log())


class NextHopTest(unittest.TestCase):
    def test_the_password_of_a_smarthost_changes_without_a_restart(self):
        with Node() as far:
            hop = f"smtp:127.0.0.1:{far.ports['submission']}"
            settings = f'routes = ["example.test {hop}"]\n[[next_hop]]\nhop = "{hop}"\nusername = "alice@example.test"\npassword = "'
            with Node(domain="near.test", mail='trusted_networks = ["127.0.0.1"]', queue="retry_min = 1", deliver=settings + 'wrong"') as near:
                with smtplib.SMTP("127.0.0.1", near.ports["smtp"]) as client:
                    client.sendmail("alice@example.test", ["bob@example.test"], message("by smarthost"))
                wait_until(lambda: "5.7.8" in near.run("queue", "list").stdout, "the wrong password is refused")
                with open(near.config) as file:
                    text = file.read()
                with open(near.config, "w") as file:
                    file.write(text.replace('password = "wrong"', 'password = "posthorn"'))
                os.kill(near.pid, signal.SIGHUP)
                wait_until(lambda: " reloaded " in near.log(), "the reload")
                near.run("queue", "flush")
                wait_until(lambda: "the queue is empty" in near.run("queue", "list").stdout, "the mail is sent", seconds=30)
                self.assertIn("next_hop", [line for line in near.log().splitlines() if " reloaded " in line][-1])


class NotifyTest(unittest.TestCase):
    def test_systemd_is_told(self):
        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(folder + "/notify")
            manager.settimeout(20)
            os.environ.update(NOTIFY_SOCKET=folder + "/notify", WATCHDOG_USEC="200000")
            self.addCleanup(os.environ.pop, "NOTIFY_SOCKET")
            self.addCleanup(os.environ.pop, "WATCHDOG_USEC")
            received = []

            def read_until(part):
                while True:
                    received.append(manager.recv(4096).decode())
                    if part in received[-1]:
                        return

            with Node() as node:
                read_until("READY=1")
                self.assertEqual(received[0], "STATUS=Starting")
                read_until("WATCHDOG=1")
                read_until("WATCHDOG=1")
                os.kill(node.pid, signal.SIGHUP)
                read_until("RELOADING=1\nMONOTONIC_USEC=")
                read_until("READY=1")
            read_until("STOPPING=1")


if __name__ == "__main__":
    unittest.main(verbosity=2)
