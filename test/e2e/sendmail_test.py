"""The program as sendmail, mailq and newaliases, for programs and users of the machine."""

import email
import os
import poplib
import shutil
import smtplib
import subprocess
import tempfile
import unittest

from posthorn_node import POSTHORN, Node, free_port, message

ALICE = "alice@example.test"


def use_known_port(node):
    """sendmail reads it from the configuration."""
    with open(node.config) as file:
        text = file.read()
    with open(node.config, "w") as file:
        file.write(text.replace('[smtp]\nlisten = ["127.0.0.1:0"]', f'[smtp]\nlisten = ["127.0.0.1:{free_port()}"]'))


class SendmailTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.node = Node()
        cls.folder = cls.node.folder
        use_known_port(cls.node)
        for name in ("sendmail", "mailq", "newaliases"):
            os.symlink(POSTHORN, f"{cls.folder}/{name}")
        cls.node.start()

    @classmethod
    def tearDownClass(cls):
        cls.node.__exit__()

    def run_as(self, name, *arguments, stdin="", **options):
        return subprocess.run([f"{self.folder}/{name}", "-C", options.pop("config", self.node.config), *arguments], input=stdin,
                              capture_output=True, text=True, timeout=60, check=False, **options)

    def last_mail(self, user=ALICE):
        client = poplib.POP3("127.0.0.1", self.node.ports["pop3"])
        client.user(user)
        client.pass_("posthorn")
        lines = client.retr(client.stat()[0])[1]
        client.quit()
        return email.message_from_bytes(b"\r\n".join(lines))

    def test_a_program_sends_as_with_any_sendmail(self):
        done = self.run_as("sendmail", "-t", "-oi", "-FCron Daemon", "-f", "root@example.test",
                           stdin=f"To: {ALICE}\nBcc: bob@example.test\nSubject: from cron\n\nline\n.\n..dots\n")
        self.assertEqual((done.returncode, done.stderr, done.stdout), (0, "", ""))
        mail = self.last_mail()
        self.assertEqual(mail["Subject"], "from cron")
        self.assertEqual(mail["From"], "Cron Daemon <root@example.test>")
        self.assertEqual(mail["Return-Path"], "<root@example.test>")
        self.assertIsNone(mail["Bcc"])
        self.assertTrue(mail["Date"] and mail["Message-ID"])
        self.assertIn(f"from userid {os.getuid()}", " ".join(mail.get_all("Received")))
        self.assertEqual(mail.get_payload(), "line\r\n.\r\n..dots")
        self.assertEqual(self.last_mail("bob@example.test")["Subject"], "from cron")

    @unittest.skipUnless(os.geteuid() == 0, "needs root to become somebody else")
    def test_a_user_who_may_read_nothing_of_the_node_sends(self):
        # The program and the configuration where everybody may look; the folder of the node is not such a place.
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            shutil.copy(POSTHORN, folder + "/sendmail")
            shutil.copy(self.node.config, folder)
            os.chmod(folder + "/posthorn.toml", 0o644)
            done = subprocess.run([folder + "/sendmail", "-C", folder + "/posthorn.toml", ALICE], input="Subject: mine\n\n",
                                  capture_output=True, text=True, check=False, timeout=60, user="nobody", group="nogroup")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        mail = self.last_mail()
        self.assertEqual(mail["Subject"], "mine")
        self.assertIn("nobody@example.test", mail["From"])

    def test_the_exit_codes_are_those_of_sysexits(self):
        self.assertEqual(self.run_as("sendmail", "-Z").returncode, 64)
        self.assertEqual(self.run_as("sendmail", "-t", stdin="Subject: to nobody\n\n").returncode, 64)
        self.assertEqual(self.run_as("sendmail", "not..an@address..at", stdin="x\n").returncode, 65)
        unknown = self.run_as("sendmail", "nobody-here@example.test", ALICE, stdin="Subject: not taken\n\n")
        self.assertEqual(unknown.returncode, 67)
        self.assertIn("nobody-here@example.test", unknown.stderr)
        self.assertEqual(len(unknown.stderr.strip().splitlines()), 1)
        bad = self.folder + "/bad.toml"
        with open(bad, "w") as file:
            file.write("colour = 1\n")
        self.assertEqual(self.run_as("sendmail", ALICE, stdin="x\n", config=bad).returncode, 78)
        down = self.folder + "/down.toml"
        with open(down, "w") as file:
            file.write(f'data_folder = "{self.folder}/none"\n[smtp]\nlisten = ["127.0.0.1:{free_port()}"]\n')
        self.assertEqual(self.run_as("sendmail", ALICE, stdin="x\n", config=down).returncode, 75)
        self.assertEqual(self.run_as("mailq", config=down).returncode, 75)

    def test_bs_speaks_smtp(self):
        done = self.run_as("sendmail", "-bs",
                           stdin=f"EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<{ALICE}>\r\nDATA\r\nSubject: by hand\r\n\r\n.\r\nQUIT\r\n")
        self.assertEqual(done.returncode, 0)
        self.assertIn("250 2.0.0 Ok", done.stdout)
        self.assertTrue(done.stdout.splitlines()[-1].startswith("221"))
        self.assertEqual(self.last_mail()["Subject"], "by hand")

    def test_as_a_subcommand_it_takes_the_same_options(self):
        done = subprocess.run([POSTHORN, "--config", self.node.config, "sendmail", "-oi", "-F", "Me", ALICE],
                              input="Subject: sub\n\n", capture_output=True, text=True, check=False, timeout=60)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(self.last_mail()["Subject"], "sub")

    def test_mailq_and_newaliases(self):
        empty = self.run_as("mailq")
        self.assertEqual((empty.returncode, empty.stdout), (0, "Mail queue is empty\n"))
        self.assertEqual(self.run_as("newaliases").returncode, 0)
        self.assertEqual(self.run_as("newaliases", config="/nonexistent.toml").returncode, 78)
        # Each problem of the tables is told, with its file and line; the node need not run for it.
        aliases = os.path.join(self.folder, "aliases")
        config = os.path.join(self.folder, "checked.toml")
        with open(config, "w") as file:
            file.write(f'[mail]\ndomains = ["example.test"]\nalias_files = ["{aliases}"]\n')
        with open(aliases, "w") as file:
            file.write("good: alice\n\nbad alice\nround: round2\nround2: round\n")
        bad = self.run_as("newaliases", config=config)
        self.assertEqual(bad.returncode, 78)
        self.assertIn(f"sendmail: {aliases}:3: ", bad.stderr)
        with open(aliases, "w") as file:
            file.write("round: round2\nround2: round\n")
        loop = self.run_as("newaliases", config=config)
        self.assertEqual(loop.returncode, 78)
        self.assertIn("round", loop.stderr)
        with open(aliases, "w") as file:
            file.write("good: alice\n")
        self.assertEqual((self.run_as("newaliases", config=config).returncode, self.run_as("newaliases", config=config).stderr), (0, ""))


class TrustedTest(unittest.TestCase):
    def test_programs_of_a_trusted_machine_send_to_anywhere(self):
        """As the Debian package configures it."""
        node = Node(mail='trusted_networks = ["127.0.0.0/8", "::1"]', deliver=f'routes = ["far.test smtp:127.0.0.1:{free_port()}"]')
        use_known_port(node)
        with node:
            done = node.run("sendmail", "-t", stdin="To: you@far.test\nSubject: from cron\n\n")
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn("you@far.test", node.run("sendmail", "-bp").stdout)


class MailqTest(unittest.TestCase):
    def test_mailq_shows_what_waits(self):
        with Node(smtp='path = "queue"', deliver="workers = 0") as node:
            with smtplib.SMTP("127.0.0.1", node.ports["smtp"]) as client:
                client.sendmail("you@example.org", [ALICE, "bob@example.test"], message("waits"))
            done = node.run("sendmail", "-bp")
            self.assertTrue(done.stdout.startswith("-Queue ID-  "))
            self.assertIn("you@example.org", done.stdout)
            self.assertIn(f"{' ' * 47}{ALICE}\n", done.stdout)
            self.assertRegex(done.stdout, r"-- 1 Kbytes in 1 Request\.\n$")


if __name__ == "__main__":
    unittest.main(verbosity=2)
