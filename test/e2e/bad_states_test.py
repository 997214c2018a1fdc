"""Bad states that operators meet: each gives one clear sentence, and nothing is lost."""

import os
import shutil
import smtplib
import socket
import subprocess
import unittest

from posthorn_node import POSTHORN, Node, message, wait_until

ALICE = "alice@example.test"


def try_to_serve(config):
    """Runs a node that is expected not to start: its standard error."""
    done = subprocess.run([POSTHORN, "serve", "--config", config], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1, (done.returncode, done.stderr)
    sentences = [line for line in done.stderr.splitlines() if line.startswith("posthorn: ")]
    assert len(sentences) == 1, done.stderr
    return sentences[0]


class BadStatesTest(unittest.TestCase):
    def setUp(self):
        self.node = Node()
        self.addCleanup(shutil.rmtree, self.node.folder)
        self.volume = os.path.join(self.node.folder, "volume.mffs")

    def send(self, subject="kept", body="A mail.\r\n"):
        with smtplib.SMTP("127.0.0.1", self.node.ports["smtp"]) as client:
            client.sendmail("you@example.org", [ALICE], message(subject, body))

    def mails(self):
        import imaplib  # pylint: disable=import-outside-toplevel
        client = imaplib.IMAP4("127.0.0.1", self.node.ports["imap"])
        client.login(ALICE, "posthorn")
        count = int(client.select("INBOX")[1][0])
        client.logout()
        return count

    def test_a_volume_cut_short(self):
        self.node.start()
        self.send()
        self.node.stop()
        whole = os.path.getsize(self.volume)
        shutil.copy(self.volume, self.volume + ".whole")
        os.truncate(self.volume, whole // 2)
        sentence = try_to_serve(self.node.config)
        self.assertIn("volume.mffs", sentence)
        self.assertRegex(sentence, r"short|shorter|size|bytes")
        os.replace(self.volume + ".whole", self.volume)
        self.node.start()
        self.assertEqual(self.mails(), 1)
        self.node.stop()

    def test_another_format_version(self):
        self.node.start()
        self.node.stop()
        with open(self.volume, "r+b") as file:
            size = os.path.getsize(self.volume) // (1 << 20) * (1 << 20)
            for offset in (0, 512 << 10, size - (1 << 20), size - (512 << 10)):
                file.seek(offset + 8)  # docs/format/mffs.md, "Superblock": magic and version stay where they are in every version.
                file.write((99).to_bytes(4, "little"))
        self.assertRegex(try_to_serve(self.node.config), r"version")

    def test_two_processes_on_one_volume(self):
        self.node.start()
        other = Node()
        self.addCleanup(shutil.rmtree, other.folder)
        with open(other.config) as file:
            text = file.read()
        with open(other.config, "w") as file:
            file.write(text.replace("[volume]\n", f'[volume]\npath = "{self.volume}"\n'))
        self.assertRegex(try_to_serve(other.config), r"another process|in use|locked|already")
        self.send()
        self.assertEqual(self.mails(), 1)
        self.node.stop()

    def test_a_port_taken(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            with open(self.node.config) as file:
                text = file.read()
            with open(self.node.config, "w") as file:
                file.write(text.replace('[smtp]\nlisten = ["127.0.0.1:0"]', f'[smtp]\nlisten = ["127.0.0.1:{port}"]'))
            self.assertIn(f"127.0.0.1:{port}", try_to_serve(self.node.config))

    def test_an_unreadable_certificate(self):
        garbage = os.path.join(self.node.folder, "bad.pem")
        with open(garbage, "w") as file:
            file.write("no certificate")
        with open(self.node.config, "a") as file:
            file.write(f'[tls]\ncertificate = "{garbage}"\nkey = "{garbage}"\n')
        self.assertIn("bad.pem", try_to_serve(self.node.config))
        os.unlink(garbage)
        self.assertIn("bad.pem", try_to_serve(self.node.config))

    def test_a_full_volume(self):
        self.node = Node(volume_size="64MiB", segment_size="1MiB")
        self.addCleanup(shutil.rmtree, self.node.folder)
        self.node.start()
        accepted = 0
        body = ("x" * 70 + "\r\n") * 10_000
        with self.assertRaises(smtplib.SMTPResponseException) as refused:
            for number in range(1000):
                self.send(f"mail {number}", body)
                accepted += 1
        self.assertEqual(refused.exception.smtp_code, 452)
        self.assertGreater(accepted, 10)
        self.assertEqual(self.mails(), accepted)
        self.node.kill()
        self.node.start()
        self.assertEqual(self.mails(), accepted)
        # Space comes back when mail is deleted.
        import imaplib  # pylint: disable=import-outside-toplevel
        client = imaplib.IMAP4("127.0.0.1", self.node.ports["imap"])
        client.login(ALICE, "posthorn")
        client.select("INBOX")
        client.store("1:*", "+FLAGS.SILENT", r"(\Deleted)")
        client.expunge()
        client.logout()
        wait_until(self.room_again, "room for a mail after all others were deleted", seconds=60)
        self.assertEqual(self.mails(), 1)
        self.node.stop()

    def room_again(self):
        try:
            self.send("after the flood")
        except smtplib.SMTPResponseException as refused:
            self.assertEqual(refused.smtp_code, 452)
            return False
        return True

    def test_bad_configuration(self):
        with open(self.node.config, "a") as file:
            file.write("\n[smtp2]\nx = 1\n")
        self.assertIn("smtp2.x", try_to_serve(self.node.config))


if __name__ == "__main__":
    unittest.main(verbosity=2)
